//! Many agents: how much is asked of the API server, and what becomes of a run that is killed.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::objects::{deployment, gates_on, path_of, runtime};
use crate::server::{CURRENT, Said, Server, fed};

const NAMESPACES: usize = 17;

fn populated(agents: usize) -> Server {
    let server = Server::start(CURRENT, &["--", "--max-requests-inflight=0"]);
    server.namespace("kagenti-system");
    server.create(&path_of(&gates_on()), &gates_on());
    for number in 0..NAMESPACES {
        server.namespace(&format!("team{number}"));
    }
    let skills =
        [("pdf", "quay.io/example/pdf:1", "/skills/pdf"), ("web", "quay.io/example/web:1", "/skills/web")];
    let objects: Vec<(String, Value)> = (0..agents)
        .flat_map(|number| {
            let (namespace, name) = (format!("team{}", number % NAMESPACES), format!("agent-{number}"));
            [deployment(&namespace, &name), runtime(&namespace, &name, &skills)]
        })
        .map(|object| (path_of(&object), object))
        .collect();
    server.create_all(&objects);
    server
}

fn deployments(server: &Server) -> Vec<Value> {
    let list = server.get("/apis/apps/v1/deployments");
    list["items"].as_array().expect("a list").clone()
}

fn requests(said: &Said, method: &str) -> usize {
    said.stderr.lines().filter(|line| line.starts_with(method)).count()
}

/// User and system time of a command, in seconds.
fn timed(command: &mut Command, stdin: &str) -> (Said, f64) {
    let mut shell = Command::new("bash");
    shell
        .args(["-c", "TIMEFORMAT='cpu %U %S'; time \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    let said = fed(&mut shell, stdin);
    let line = said.stderr.lines().rev().find_map(|line| line.strip_prefix("cpu ")).expect("times");
    let seconds = line.split(' ').map(|number| number.parse::<f64>().expect("a number")).sum();
    (said, seconds)
}

/// A request for each of 1,000 agents is a minute of waiting and an angry administrator.
#[test]
fn a_thousand_agents_take_few_requests_and_one_write_each() {
    let agents = 1000;
    let server = populated(agents);
    let started = Instant::now();
    let said = server.skills(&["apply", "-A", "-vv"]);
    assert_eq!(said.code, 0, "{}", said.stderr.lines().last().unwrap_or_default());
    assert_eq!(said.stdout.lines().filter(|line| line.ends_with(" serverside-applied")).count(), agents);
    let writes =
        said.stderr.lines().filter(|line| line.starts_with("PATCH") && !line.contains("dryRun=All")).count();
    assert_eq!(writes, agents, "one write for each workload");
    println!("apply -A of {agents}: {:.1} s", started.elapsed().as_secs_f64());
    let (said, ours) = timed(&mut server.skills_command(&["diff", "-A", "-vv"]), "");
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{}", said.stderr);
    let asked = requests(&said, "GET") + requests(&said, "PATCH");
    assert!(asked < 30, "{asked} requests");
    let mut manifests = deployments(&server);
    for manifest in &mut manifests {
        manifest["apiVersion"] = "apps/v1".into();
        manifest["kind"] = "Deployment".into();
        manifest["metadata"].as_object_mut().expect("metadata").remove("managedFields");
        manifest["metadata"].as_object_mut().expect("metadata").remove("resourceVersion");
        manifest.as_object_mut().expect("an object").remove("status");
    }
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": manifests}).to_string();
    let mut kubectl = Command::new(server.kubectl_path());
    kubectl
        .args(["diff", "--server-side", "--force-conflicts", "-f", "-"])
        .env("KUBECONFIG", server.kubeconfig());
    let (said, theirs) = timed(&mut kubectl, &list);
    assert!(said.code == 0 || said.code == 1, "{}", said.stderr);
    println!(
        "diff of {agents}: {asked} requests, {ours:.2} s of CPU; kubectl diff --server-side {theirs:.2} s"
    );
    let one = serde_json::json!({"spec": {"skills": [{"name": "pdf", "image": "quay.io/example/pdf:2", "mountPath": "/skills/pdf"}]}});
    server.merge(&runtime("team0", "agent-0", &[]), "kubectl", &one);
    let said = server.skills(&["apply", "-A", "-vv"]);
    let writes =
        said.stderr.lines().filter(|line| line.starts_with("PATCH") && !line.contains("dryRun=All")).count();
    assert_eq!((said.code, writes), (0, 1), "{}", said.stderr);
}

/// A laptop lid closes in the middle of a rollout to 200 agents.
#[test]
fn a_run_killed_anywhere_is_finished_by_the_next() {
    let agents = 200;
    let server = populated(agents);
    // Cluster-wide defaults go into every hash: each round, every agent has to be written.
    let mut defaults = gates_on();
    defaults["metadata"]["name"] = "kagenti-platform-config".into();
    let collection = path_of(&defaults);
    defaults["data"] = serde_json::json!({"ROUND": "first"});
    server.create(&collection, &defaults);
    let whole = server.skills(&["apply", "-A", "-vv"]);
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    // Moments of a run are identified by what it has asked of the server so far: that is the same on a busy machine.
    let length = requests(&whole, "GET") + requests(&whole, "PATCH");
    assert!(length > 2 * agents, "{length} requests");
    let (mut half_done, mut rounds_with_writes) = (0, 0);
    for round in 0..50_u32 {
        defaults["data"]["ROUND"] = round.to_string().into();
        let (code, _) =
            server.request("PUT", &format!("{collection}/kagenti-platform-config"), Some(&defaults));
        assert_eq!(code, 200);
        let before = state(&deployments(&server));
        // Every fifth run takes the skills out again, the next puts them back.
        let mut args = vec!["apply", "-A", "-vv"];
        if round % 5 == 4 {
            args.push("--remove");
        }
        // Spread over the run by the golden ratio: every round dies at another moment.
        let moment = ((f64::from(round) * 0.618_033_988_75).fract() * length as f64) as usize;
        let mut child = server
            .skills_command(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a start");
        let lines = BufReader::new(child.stderr.take().expect("its requests")).lines();
        let is_request = |line: &String| line.starts_with("GET") || line.starts_with("PATCH");
        let _ = lines.map_while(Result::ok).filter(is_request).take(moment).last();
        child.kill().expect("a running or ended program");
        child.wait().expect("an end");
        let live = deployments(&server);
        live.iter().for_each(check_whole);
        let after = state(&live);
        let written = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        rounds_with_writes += usize::from(written > 0);
        half_done += usize::from(written > 0 && written < agents);
    }
    assert!(half_done > 10, "the runs were hardly ever killed between two writes: {half_done} of 50");
    println!(
        "killed 50 times in runs of {length} requests: {rounds_with_writes} after a first write, {half_done} between two"
    );
    let said = server.skills(&["apply", "-A"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let live = deployments(&server);
    assert_eq!(live.iter().filter(|object| has_skills(object)).count(), agents);
    live.iter().for_each(check_whole);
    let diff = server.skills(&["diff", "-A"]);
    assert_eq!((diff.code, diff.stdout.as_str()), (0, ""), "{}", diff.stderr);
}

/// What tells whether a workload was written: its name and hash.
fn state(live: &[Value]) -> BTreeSet<String> {
    let hash = |object: &Value| {
        object
            .pointer("/spec/template/metadata/annotations")
            .map(|all| all["kagenti.io/config-hash"].to_string())
    };
    live.iter().map(|object| format!("{} {:?}", object["metadata"]["name"], hash(object))).collect()
}

fn has_skills(object: &Value) -> bool {
    names(object.pointer("/spec/template/spec/volumes")).iter().any(|name| name.starts_with("skill-"))
}

/// No volume of others is lost, and volumes, mounts and hash come and go together.
fn check_whole(object: &Value) {
    let volumes = names(object.pointer("/spec/template/spec/volumes"));
    let mounts = names(object.pointer("/spec/template/spec/containers/0/volumeMounts"));
    assert!(volumes.contains(&"cache") && mounts.contains(&"cache"), "{object}");
    let ours = |names: &[&str]| {
        names
            .iter()
            .filter(|name| name.starts_with("skill-"))
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(ours(&volumes), ours(&mounts), "{object}");
    let hashed = object
        .pointer("/spec/template/metadata/annotations")
        .is_some_and(|all| all.get("kagenti.io/config-hash").is_some());
    assert_eq!(hashed, !ours(&volumes).is_empty(), "{object}");
}

fn names(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(|item| item["name"].as_str()).collect()
}
