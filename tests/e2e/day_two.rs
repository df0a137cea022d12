//! The verbs of day two on a real API server: `set`, `list`, `version --live`, and `uninstall`, after which the cluster is as it
//! was before anything was installed.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::controller::process::eventually;
use crate::objects::{binding, deployment, gates_on, one, path_of, runtime};
use crate::proxy::{Proxy, Seen};
use crate::server::{CURRENT, Said, Server};
use crate::uninstall::Shell;

/// What changes by itself.
const RESTLESS: [&str; 5] = ["events", "endpoint", "pods", "replicasets", "controllerrevisions"];

/// Every object of the cluster as `Kind namespace/name`.
fn everything(shell: &Shell<'_>) -> BTreeSet<String> {
    let resources = shell.succeeds("kubectl api-resources --verbs=list,create -o name").stdout;
    let rests = |one: &&str| !RESTLESS.iter().any(|own| one.starts_with(own));
    let resources: Vec<&str> = resources.lines().filter(rests).collect();
    let columns = "custom-columns=KIND:.kind,NS:.metadata.namespace,NAME:.metadata.name";
    let said = shell.run(&format!("kubectl get {} -A --no-headers -o {columns}", resources.join(",")));
    assert!(said.stdout.contains("ClusterRole "), "{said:?}");
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    said.stdout.lines().map(line).collect()
}

fn rows(said: &str) -> Vec<Vec<&str>> {
    said.lines().skip(1).map(|line| line.split_whitespace().collect()).collect()
}

/// Who leaves must find the cluster as it was: a registration that nobody answers blocks every AgentRuntime, a finalizer a namespace.
#[test]
fn uninstall_leaves_the_cluster_as_it_was() {
    let server = Server::start(CURRENT, &["--controller-manager"]);
    let shell = Shell::new(&server);
    for namespace in ["kagenti-system", "team9"] {
        server.namespace(namespace);
    }
    server.create(&path_of(&gates_on()), &gates_on());
    let workloads = ["stays", "bound"].map(|name| deployment("team9", name));
    let mut agent = runtime("team9", "stays", &[("a", "quay.io/example/a:1", "/skills/a")]);
    for object in [&workloads[0], &workloads[1], &agent] {
        server.create(&path_of(object), object);
    }
    // Named as ours are, and somebody else's.
    shell.succeeds("kubectl create clusterrole kubectl-skills-own --verb=get --resource=secrets");
    shell.succeeds("kubectl create configmap dashboards -n team9");
    shell.succeeds("kubectl label configmap dashboards -n team9 app.kubernetes.io/name=kubectl-skills");
    std::thread::sleep(std::time::Duration::from_secs(2));
    let specs: Vec<Value> = workloads.iter().map(|object| server.get(&one(object))["spec"].clone()).collect();
    let before = everything(&shell);
    assert!(
        shell.succeeds("kubectl skills uninstall").stdout.contains("is named as ours and gives other rights")
    );
    assert_eq!(everything(&shell), before);

    shell.succeeds("kubectl skills crd --skill-binding | kubectl apply --server-side -f -");
    shell.succeeds("kubectl wait --for condition=established crd/skillbindings.skills.kagenti.dev");
    shell.succeeds("kubectl apply -k deploy/overlays/cluster");
    for file in ["policy/policy.yaml", "inject/policy.yaml", "webhook/service.yaml"] {
        shell.succeeds(&format!("kubectl apply -f deploy/overlays/{file}"));
    }
    let mut bound = binding("team9", "bound", "bound", &[("b", "quay.io/example/b:1")]);
    bound["metadata"]["finalizers"] = json!(["skills.kagenti.dev/cleanup"]);
    server.create(&path_of(&bound), &bound);
    let mut injected = binding("team9", "injected", "bound", &[("p", "quay.io/example/p:1")]);
    injected["spec"]["delivery"] = json!("Pod");
    server.create(&path_of(&injected), &injected);
    let policy = server.dir().join("policy.yaml");
    std::fs::write(
        &policy,
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillPolicy\nspec:\n  registries: [quay.io]\n",
    )
    .expect("written");
    shell.succeeds(&format!("kubectl skills policy -f {} | kubectl apply -f -", policy.display()));
    shell.succeeds("kubectl skills apply -n team9");
    // As the controller does, under its name.
    agent = json!({"metadata": {"finalizers": ["kagenti.io/cleanup"]}});
    let path = "/apis/agent.kagenti.dev/v1alpha1/namespaces/team9/agentruntimes/stays?fieldManager=skills.kagenti.dev";
    assert_eq!(server.send("PATCH", path, "application/merge-patch+json", Some(&agent)).0, 200);
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "kubectl-skills"},
                       "spec": {"holderIdentity": "one"}});
    let leases =
        "/apis/coordination.k8s.io/v1/namespaces/kagenti-system/leases?fieldManager=skills.kagenti.dev";
    assert_eq!(server.request("POST", leases, Some(&lease)).0, 201);
    // From now on nobody can write an AgentRuntime: it is not there, and the registration says that it is to be asked.
    shell.succeeds("kubectl apply -f deploy/overlays/webhook-registration/registration.yaml");

    let installed = everything(&shell);
    // The webhook alone must not go: its registration would have the API server ask nobody.
    let said = shell.succeeds("kubectl skills uninstall -n kagenti-system");
    assert!(
        said.stdout.contains("validatingwebhookconfiguration.admissionregistration.k8s.io/kubectl-skills")
            && said.stderr.contains(
                "--yes would be refused: the API server calls the webhook of namespace kagenti-system"
            ),
        "{said:?}"
    );
    let refused = shell.run("kubectl skills uninstall -n kagenti-system --yes");
    assert!(refused.code == 2 && refused.stderr.contains("run it without -n"), "{refused:?}");
    assert_eq!(everything(&shell), installed, "the webhook is gone, and its registration is not");
    let said = shell.succeeds("kubectl skills uninstall");
    assert!(
        said.stderr.contains("1 SkillBinding with delivery Pod: what writes their skills into pods goes")
            && said.stderr.contains("team9/injected"),
        "{said:?}"
    );
    let fates: BTreeSet<(&str, &str)> = rows(&said.stdout).iter().map(|row| (row[0], row[2])).collect();
    for wanted in [
        ("validatingwebhookconfiguration.admissionregistration.k8s.io/kubectl-skills", "deleted"),
        (
            "mutatingadmissionpolicy.admissionregistration.k8s.io/inject.skillbindings.skills.kagenti.dev",
            "deleted",
        ),
        ("validatingadmissionpolicy.admissionregistration.k8s.io/agentruntimes.agent.kagenti.dev", "deleted"),
        ("deployment.apps/kubectl-skills", "deleted"),
        ("deployment.apps/stays", "skills"),
        ("deployment.apps/bound", "skills"),
        ("skillbinding.skills.kagenti.dev/bound", "finalizer"),
        ("agentruntime.agent.kagenti.dev/stays", "finalizer"),
        ("clusterrole.rbac.authorization.k8s.io/kubectl-skills", "deleted"),
        ("clusterrole.rbac.authorization.k8s.io/kubectl-skills-own", "stays"),
        ("configmap/dashboards", "stays"),
        ("validatingadmissionpolicy.admissionregistration.k8s.io/images.skills.kagenti.dev", "deleted"),
        (
            "validatingadmissionpolicybinding.admissionregistration.k8s.io/images.skills.kagenti.dev",
            "deleted",
        ),
        ("lease.coordination.k8s.io/kubectl-skills", "deleted"),
        ("customresourcedefinition.apiextensions.k8s.io/skillbindings.skills.kagenti.dev", "stays"),
        ("customresourcedefinition.apiextensions.k8s.io/agentruntimes.agent.kagenti.dev", "stays"),
    ] {
        assert!(fates.contains(&wanted), "{wanted:?}: {}", said.stdout);
    }
    assert_eq!(everything(&shell), installed, "a look has changed something");
    let undecided = shell.run("kubectl skills uninstall --yes");
    assert_eq!(undecided.code, 2, "{undecided:?}");
    assert_eq!(everything(&shell), installed, "nothing is done before it is said what becomes of the skills");

    // One run that keeps the users' SkillBindings, and one more that goes on from there.
    let said = shell.succeeds("kubectl skills uninstall --yes --remove-skills");
    assert!(said.stdout.contains("finalizer removed"), "{said:?}");
    assert!(everything(&shell).contains("SkillBinding team9 bound"));
    for (object, before) in workloads.iter().zip(&specs) {
        assert_eq!(&server.get(&one(object))["spec"], before, "something of ours is left");
    }
    let said = shell.succeeds("kubectl skills uninstall --yes --delete-skill-bindings");
    assert!(
        said.stderr.contains("2 SkillBindings would be lost")
            && said.stderr.contains("team9/bound, team9/injected"),
        "{said:?}"
    );
    let gone = (0..50).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(200));
        everything(&shell) == before
    });
    let after = everything(&shell);
    assert!(gone, "left: {:#?}\nlost: {:#?}", &after - &before, &before - &after);
    // And the namespaces can go.
    server.request("DELETE", "/api/v1/namespaces/team9", None);
    eventually("the end of the namespace", || {
        (server.request("GET", "/api/v1/namespaces/team9", None).0 == 404).then_some(())
    });
}

/// An API server that goes away in the middle, or a run that is killed: what was done is said and nothing else, what is left is listed,
/// and the next run finishes it.
#[test]
fn an_interrupted_uninstall_is_finished_by_another() {
    let server = Server::with_crds(&[&["--skill-binding"]]);
    let shell = Shell::new(&server);
    server.namespace("kagenti-system");
    server.namespace("half");
    let before = everything(&shell);
    let workloads = ["one", "two"].map(|name| deployment("half", name));
    let lists = ["one", "two"].map(|name| {
        let mut list = binding("half", name, name, &[("pdf", "quay.io/example/pdf:1")]);
        list["metadata"]["finalizers"] = json!(["skills.kagenti.dev/cleanup"]);
        list
    });
    let specs = workloads.each_ref().map(|object| server.create(&path_of(object), object)["spec"].clone());
    lists.iter().for_each(|object| drop(server.create(&path_of(object), object)));
    shell.succeeds("kubectl skills apply -n half");
    shell.succeeds("kubectl apply -k deploy/overlays/cluster");
    shell.succeeds("kubectl apply -f deploy/overlays/policy/policy.yaml");
    let fates = || -> BTreeSet<String> {
        let said = shell.succeeds("kubectl skills uninstall");
        rows(&said.stdout)
            .iter()
            .filter(|row| row[2] != "stays")
            .map(|row| format!("{} {}", row[0], row[1]))
            .collect()
    };
    let mut left = fates();
    assert!(left.len() > 8, "{left:?}");
    left = losing_answers(&server, fates, &left);
    // The server is gone after so many writes; each run does a part. No request in between is any but a read or a dry run.
    let mut runs = 0;
    for writes in [1, 3, 0, 2, 1, 1] {
        let done = AtomicUsize::new(0);
        let gone = move |seen: &Seen| {
            (done.load(Ordering::SeqCst) >= writes
                || (seen.writes() && done.fetch_add(1, Ordering::SeqCst) >= writes))
                .then(|| {
                    (
                        500,
                        json!({"kind": "Status", "code": 500, "reason": "InternalError", "message": "gone"}),
                    )
                })
        };
        let proxy = Proxy::start(&server, Box::new(gone));
        let said = uninstalled_by(&server, &proxy);
        if left.is_empty() {
            break;
        }
        assert_eq!(said.code, 4, "{said:?}");
        runs += 1;
        let now = fates();
        let did: BTreeSet<String> = left.difference(&now).cloned().collect();
        assert!(now.is_subset(&left), "{said:?}: {:?}", &now - &left);
        // What is said to be done is done; the rights are the last to go.
        for line in said.stdout.lines() {
            let (object, what) = line.split_once(' ').expect("an object and what became of it");
            let is_there = now.iter().any(|one| one.starts_with(&format!("{object} ")));
            assert!(!is_there || what == "serverside-applied", "{line} is said, and {now:?} is left");
        }
        assert!(did.len() <= writes, "{did:?} by {writes} writes: {said:?}");
        assert!(!said.stderr.contains("gone or changed"), "{said:?}");
        let goes_on = "what comes after it is left: run it again, which goes on from here";
        assert!(writes == 0 || said.stderr.contains(goes_on), "{said:?}");
        left = now;
    }
    assert!(runs > 2 && !left.is_empty(), "{runs} runs left {left:?}");
    // And one that is killed while it waits for the answer to its second write.
    let (done, waits) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let held = Arc::clone(&waits);
    let silent = move |seen: &Seen| {
        (seen.writes() && done.fetch_add(1, Ordering::SeqCst) > 0).then(|| {
            held.store(true, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_secs(5));
            (500, json!({}))
        })
    };
    let proxy = Proxy::start(&server, Box::new(silent));
    let mut run =
        server.skills_command(&["uninstall", "--yes", "--remove-skills", "--server", &proxy.address]);
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a run");
    eventually("the second write", || waits.load(Ordering::SeqCst).then_some(()));
    run.kill().expect("killed");
    run.wait().expect("the end");
    let now = fates();
    assert!(now.is_subset(&left) && now.len() + 1 >= left.len() && !now.is_empty(), "{now:?} of {left:?}");
    let said = shell.succeeds("kubectl skills uninstall --yes --remove-skills");
    assert!(said.stderr.contains("gone or changed"), "{said:?}");
    assert_eq!(fates(), BTreeSet::new());
    for (object, spec) in workloads.iter().zip(&specs) {
        assert_eq!(&server.get(&one(object))["spec"], spec, "something of ours is left");
        server.request("DELETE", &one(object), None);
    }
    for list in &lists {
        assert_eq!(server.get(&one(list))["metadata"].get("finalizers"), None);
        server.request("DELETE", &one(list), None);
    }
    let after = everything(&shell);
    assert_eq!(after, before);
}

/// A run of uninstall by way of a proxy.
fn uninstalled_by(server: &Server, proxy: &Proxy) -> Said {
    let words = ["uninstall", "--yes", "--remove-skills", "--server", &proxy.address, "--request-timeout=5s"];
    server.skills(&words)
}

/// A run that never learns what became of all its writes but the first, which the server has carried out; returns what is
/// left after it.
fn losing_answers(
    server: &Server,
    fates: impl Fn() -> BTreeSet<String>,
    left: &BTreeSet<String>,
) -> BTreeSet<String> {
    let done = AtomicUsize::new(0);
    let loss = move |seen: &Seen| seen.writes() && done.fetch_add(1, Ordering::SeqCst) > 0;
    let proxy = Proxy::losing(server, Box::new(loss));
    let said = uninstalled_by(server, &proxy);
    assert_eq!(said.code, 4, "{said:?}");
    let now = fates();
    assert!(now.is_subset(left) && now.len() + 1 < left.len(), "{now:?} of {left:?}: {said:?}");
    assert!(said.stdout.lines().count() <= 1, "what nobody has learned is said to be done: {said:?}");
    assert!(said.stderr.contains("run it again, which goes on from here"), "{said:?}");
    now
}

/// Skills that pods have stay where somebody only takes the program away.
#[test]
fn uninstall_can_keep_the_skills() {
    let server = Server::with_crds(&[&["--skill-binding"]]);
    server.namespace("keep");
    let web = deployment("keep", "web");
    let mut tools = binding("keep", "tools", "web", &[("pdf", "quay.io/example/pdf:1")]);
    tools["metadata"]["finalizers"] = json!(["skills.kagenti.dev/cleanup"]);
    for object in [&web, &tools] {
        server.create(&path_of(object), object);
    }
    assert_eq!(server.skills(&["apply", "-n", "keep"]).code, 0);
    let before = server.get(&one(&web))["spec"].clone();
    let said = server.skills(&["uninstall", "--yes", "--keep-skills", "-n", "keep"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "skillbinding.skills.kagenti.dev/tools finalizer removed\n"),
        "{said:?}"
    );
    assert_eq!(server.get(&one(&web))["spec"], before);
    assert_eq!(server.get(&one(&tools))["metadata"].get("finalizers"), None);
}

/// Nothing takes skills out of pods that run: who leaves must learn which pods keep them, and what makes these anew.
#[test]
fn uninstall_names_the_pods_that_keep_skills() {
    let server = Server::with_crds(&[&["--skill-binding"]]);
    let shell = Shell::new(&server);
    let namespace = "injected";
    server.namespace(namespace);
    shell.succeeds("kubectl skills policy --inject | kubectl apply --server-side -f -");
    let mut web = deployment(namespace, "web");
    // No node makes a pod ready here.
    web["spec"]["strategy"] = json!({"type": "Recreate"});
    let own = deployment(namespace, "own");
    let mut to_pods = binding(namespace, "web", "web", &[("pdf", "quay.io/example/pdf:1")]);
    to_pods["spec"]["delivery"] = json!("Pod");
    let to_workload = binding(namespace, "own", "own", &[("pdf", "quay.io/example/pdf:1")]);
    for object in [&to_pods, &to_workload, &web, &own] {
        server.create(&path_of(object), object);
    }
    let keeps = || {
        let said = shell.succeeds("kubectl get pods -A -o name -l skills.kagenti.dev/injected=true");
        said.stdout.lines().count()
    };
    eventually("a pod with its skill", || {
        (keeps() == 1).then_some(()).or_else(|| {
            shell.run(&format!("kubectl delete pod -n {namespace} -l app=web --wait=false"));
            std::thread::sleep(std::time::Duration::from_secs(1));
            None
        })
    });
    shell.succeeds(&format!("kubectl skills apply -n {namespace} own"));

    let command = format!("kubectl rollout restart deployment/web -n {namespace}");
    let warning = format!(
        "warning: 1 pod of deployment.apps/web in namespace {namespace} keeps skills that were written into pods as they were created, \
         until made anew: {command}\n"
    );
    let said = shell.succeeds("kubectl skills uninstall");
    assert!(said.stderr.contains(&warning), "{said:?}");
    assert!(
        said.stdout.contains(
            "with it 2 SkillBindings would go, which are their authors'; --delete-skill-bindings deletes it"
        ),
        "{said:?}"
    );
    let said = shell.succeeds("kubectl skills uninstall --delete-skill-bindings -o json");
    let found: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(
        found["pods"],
        json!([{"namespace": namespace, "of": "deployment.apps/web", "pods": 1, "command": command}])
    );
    assert!(!said.stdout.contains("--delete-skill-bindings"), "{said:?}");
    // Those of one namespace would get them again.
    let said = shell.succeeds(&format!("kubectl skills uninstall -n {namespace}"));
    assert!(!said.stderr.contains(&warning), "{said:?}");
    let said = shell.succeeds("kubectl skills uninstall --keep-skills");
    assert!(!said.stderr.contains(&warning), "{said:?}");

    let said = shell.succeeds("kubectl skills uninstall --yes --remove-skills --delete-skill-bindings");
    assert!(said.stderr.contains(&warning), "{said:?}");
    assert!(!said.stderr.contains("kubectl skills policy --inject"), "sent to install it again: {said:?}");
    let said = shell.succeeds("kubectl skills uninstall");
    assert_eq!(said.stdout, "nothing of kubectl-skills is there but in running pods\n", "{said:?}");
    assert!(said.stderr.contains(&warning), "{said:?}");
    shell.succeeds(&command);
    eventually("pods without skills", || (keeps() == 0).then_some(()));
    let said = shell.succeeds("kubectl skills uninstall");
    assert_eq!(said.stdout, "nothing of kubectl-skills is there\n", "{said:?}");
}

/// What a render brought is of who applies it: it is named, and nobody learns only later that pods keep it.
#[test]
fn uninstall_names_skills_that_a_render_brought() {
    let server = Server::with_crds(&[&["--skill-binding"]]);
    let shell = Shell::new(&server);
    let namespace = "rendered";
    server.namespace(namespace);
    let render = |name: &str, line: &str| {
        let list = binding(namespace, name, name, &[("pdf", "quay.io/example/pdf:1")]);
        let file = server.dir().join(format!("{name}.yaml"));
        std::fs::write(&file, format!("{}\n---\n{list}\n", deployment(namespace, name))).expect("written");
        shell.succeeds(&line.replace("FILE", &file.display().to_string()));
    };
    render("fetched", "kubectl skills render -f FILE --delivery init | kubectl apply -f -");
    render("plain", "kubectl skills render -f FILE | kubectl apply -f -");
    // A record says it without a list.
    render(
        "recorded",
        "kubectl skills render -i -f FILE && kubectl apply -f FILE && kubectl delete skillbinding recorded -n rendered",
    );
    // And one of ours.
    render("applied", "kubectl apply -f FILE && kubectl skills apply -n rendered applied");
    let brought = ["fetched", "plain", "recorded"].map(|name| one(&deployment(namespace, name)));
    let specs = || brought.iter().map(|path| server.get(path)["spec"].clone()).collect::<Vec<_>>();
    let before = specs();

    let said = shell.succeeds("kubectl skills uninstall -n rendered");
    let found: Vec<(&str, String)> =
        rows(&said.stdout).iter().map(|row| (row[0], row[2..].join(" "))).collect();
    let keeps = "keeps its skills keeps skills: pdf (rendered; take it out of its source)";
    assert_eq!(
        found,
        [
            ("deployment.apps/applied", "skills out has skills of ours: pdf".to_owned()),
            ("deployment.apps/fetched", keeps.to_owned()),
            ("deployment.apps/plain", keeps.to_owned()),
            ("deployment.apps/recorded", keeps.to_owned()),
        ]
    );
    assert!(said.stderr.contains("1 object would go or change, 3 stay"), "{said:?}");
    let undecided = shell.run("kubectl skills uninstall -n rendered --yes");
    assert!(undecided.code == 2 && undecided.stderr.contains("workloads have skills"), "{undecided:?}");
    let said = shell.run("kubectl skills uninstall -n rendered --yes --remove-skills");
    assert_eq!(said.code, 4, "{said:?}");
    for name in ["fetched", "plain", "recorded"] {
        let wanted = format!(
            "deployment.apps/{name} of namespace rendered: keeps skills: pdf (rendered; take it out of its source)"
        );
        assert!(said.stderr.contains(&wanted), "{said:?}");
    }
    assert!(said.stderr.contains("1 object gone or changed"), "{said:?}");
    assert_eq!(specs(), before);
    let said = shell.run("kubectl skills uninstall -n rendered --yes");
    assert_eq!(said.code, 2, "{said:?}");
    shell.succeeds("kubectl skills uninstall -n rendered --yes --keep-skills");
    assert_eq!(specs(), before);
}

/// Who deleted the CRDs first has workloads with skills still, and nothing else knows of them.
#[test]
fn uninstall_finds_skills_after_the_crds_are_gone() {
    let server = Server::with_crds(&[&["--skill-binding"]]);
    let shell = Shell::new(&server);
    server.namespace("gone");
    let web = deployment("gone", "web");
    let tools = binding("gone", "tools", "web", &[("pdf", "quay.io/example/pdf:1")]);
    for object in [&web, &tools] {
        server.create(&path_of(object), object);
    }
    let before = server.get(&one(&web))["spec"].clone();
    shell.succeeds("kubectl skills apply -n gone");
    shell.succeeds("kubectl delete crd skillbindings.skills.kagenti.dev");
    shell.succeeds("until ! kubectl api-resources --api-group=skills.kagenti.dev --no-headers | grep -q .; do sleep 0.2; done");
    let said = shell.succeeds("kubectl skills uninstall");
    assert!(
        said.stdout.contains("has skills of ours: pdf")
            && said.stderr.contains("1 object would go or change"),
        "{said:?}"
    );
    let said = shell.succeeds("kubectl skills uninstall --yes --remove-skills");
    assert!(said.stderr.contains("1 object gone or changed"), "{said:?}");
    assert_eq!(server.get(&one(&web))["spec"], before);
}

/// A list is set where it is, and what another would write back is refused with where it is to be changed.
#[test]
fn a_skill_is_set_in_the_list_that_feeds_the_workload() {
    let server = Server::with_crds(&[&["--skill-binding"], &["--profile", "pr332-merged"]]);
    let namespace = "sets";
    server.namespace(namespace);
    let web = deployment(namespace, "web");
    let tools = binding(namespace, "tools", "web", &[("pdf", "quay.io/example/pdf:1")]);
    let agent = runtime(namespace, "web", &[("a", "quay.io/example/a:1", "/skills/a")]);
    for object in [&web, &tools, &agent] {
        server.create(&path_of(object), object);
    }
    let image = |object: &Value, at: usize| server.get(&one(object))["spec"]["skills"][at]["image"].clone();
    let set =
        |more: &[&str]| server.skills(&[&["set", "deployment/web", "-n", namespace][..], more].concat());

    let tried = set(&["pdf=quay.io/example/pdf:2", "a=quay.io/example/a:2", "--dry-run"]);
    assert_eq!(
        (tried.code, tried.stdout.as_str()),
        (
            0,
            "agentruntime.agent.kagenti.dev/web skills set (server dry run)\n\
             skillbinding.skills.kagenti.dev/tools skills set (server dry run)\n"
        ),
        "{tried:?}"
    );
    assert_eq!(
        (image(&tools, 0), image(&agent, 0)),
        (json!("quay.io/example/pdf:1"), json!("quay.io/example/a:1"))
    );
    let done = set(&["pdf=quay.io/example/pdf:2", "a=quay.io/example/a:2"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        (image(&tools, 0), image(&agent, 0)),
        (json!("quay.io/example/pdf:2"), json!("quay.io/example/a:2"))
    );
    assert_eq!(set(&["xml=quay.io/example/xml:1"]).code, 3);
    let added =
        server.skills(&["set", "agentruntime/web", "xml=quay.io/example/xml:1", "--add", "-n", namespace]);
    assert_eq!(added.code, 0, "{added:?}");
    let wanted = json!({"name": "xml", "image": "quay.io/example/xml:1", "mountPath": "/skills/xml"});
    assert_eq!(server.get(&one(&agent))["spec"]["skills"][1]["mountPath"], wanted["mountPath"]);

    // Listed as they are set, and whether they are there.
    let listed = |more: &[&str]| -> Vec<Vec<String>> {
        let said = server.skills(&[&["list", "-n", namespace][..], more].concat());
        assert_eq!(said.code, 0, "{said:?}");
        rows(&said.stdout).iter().map(|row| row.iter().map(|word| (*word).to_owned()).collect()).collect()
    };
    let pdf = |ready: &str| {
        [
            "web",
            "Deployment/web",
            "pdf",
            "quay.io/example/pdf:2",
            "/skills/pdf",
            "Workload",
            "SkillBinding/tools",
            ready,
        ]
        .map(str::to_owned)
        .to_vec()
    };
    assert_eq!(listed(&["--skill", "pdf"]), vec![pdf("drifted")]);
    assert_eq!(
        server.skills(&["apply", "-n", namespace, "--feature-gates", "skillImageVolumes=true"]).code,
        0
    );
    let after =
        server.skills(&["list", "-n", namespace, "--feature-gates", "skillImageVolumes=true", "-o", "json"]);
    let after: Value = serde_json::from_str(&after.stdout).expect("JSON");
    let names: Vec<(&str, &str)> = after["items"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (row["skill"].as_str().unwrap_or_default(), row["source"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(names, [("a", "AgentRuntime"), ("xml", "AgentRuntime"), ("pdf", "SkillBinding/tools")]);

    // Somebody else's.
    let path = format!("{}?fieldManager=argo&force=true", one(&tools));
    let applied = json!({"apiVersion": tools["apiVersion"], "kind": tools["kind"], "metadata": {"name": "tools"}, "spec": tools["spec"]});
    server.apply(&path, &applied);
    let refused = set(&["pdf=quay.io/example/pdf:3"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("spec.skills is applied by \"argo\""), "{refused:?}");
    assert_eq!(image(&tools, 0), json!("quay.io/example/pdf:1"));
    assert_eq!(set(&["pdf=quay.io/example/pdf:3", "--force-conflicts"]).code, 0);
    assert_eq!(image(&tools, 0), json!("quay.io/example/pdf:3"));
    let annotated = json!({"metadata": {"annotations": {"meta.helm.sh/release-name": "demo"}}});
    server.merge(&agent, "kubectl", &annotated);
    let refused = set(&["a=quay.io/example/a:3"]);
    assert!(refused.code == 4 && refused.stderr.contains("Helm release \"demo\" keeps it"), "{refused:?}");
}

/// Who applies what a render prints keeps the workload's fields: the list alone changes nothing, and whoever sets it reads so at once,
/// with a way that works.
#[test]
fn a_skill_of_a_rendered_workload_is_set_in_its_manifest() {
    let server = Server::with_crds(&[&["--skill-binding"]]);
    let shell = Shell::new(&server);
    let namespace = "piped";
    server.namespace(namespace);
    let (web, tools) = (
        deployment(namespace, "web"),
        binding(namespace, "tools", "web", &[("pdf", "quay.io/example/pdf:1")]),
    );
    let file = server.dir().join("piped.yaml");
    std::fs::write(&file, format!("{web}\n---\n{tools}\n")).expect("written");
    let file = file.display();
    let deploy = format!("kubectl skills render -f {file} | kubectl apply -f -");
    shell.succeeds(&deploy);

    let image = "pdf=quay.io/example/pdf:2";
    let command = format!("kubectl skills set deployment/web {image} -n {namespace} -f FILE -i");
    for more in ["--dry-run", ""] {
        let said =
            shell.succeeds(&format!("kubectl skills set deployment/web {image} -n {namespace} {more}"));
        let wanted = format!(
            "note: Deployment/web has its skills from the manifest that 'kubectl apply' applies, and 'kubectl skills apply' would be \
             refused: set them there as well: '{command}' on its file, then render and apply it as before\n"
        );
        assert!(said.stderr.contains(&wanted), "{said:?}");
        assert!(!said.stderr.contains("brings it into the workload"), "{said:?}");
    }
    let said = shell.succeeds(&format!("kubectl skills plan -n {namespace}"));
    assert!(said.stderr.contains("warning: 'apply' would be refused: "), "{said:?}");
    assert_eq!(server.skills(&["apply", "-n", namespace]).code, 4);

    shell.succeeds(&command.replace("FILE", &file.to_string()));
    shell.succeeds(&deploy);
    let volumes = server.get(&one(&web))["spec"]["template"]["spec"]["volumes"].to_string();
    assert!(volumes.contains("quay.io/example/pdf:2") && !volumes.contains("pdf:1"), "{volumes}");
    let said = shell.succeeds(&format!("kubectl skills plan -n {namespace}"));
    assert!(!said.stderr.contains("refused"), "{said:?}");

    // The list that loses its last skill is deleted where it is, and one that is looked for elsewhere is not found there.
    let refused = server.skills(&["set", "deployment/web", "pdf-", "-n", namespace]);
    let advice = refused.stderr.split_once("delete it instead: ").and_then(|(_, rest)| rest.split_once(')'));
    assert_eq!(
        advice.map(|(line, _)| line),
        Some("kubectl delete skillbinding/tools -n piped"),
        "{refused:?}"
    );
    shell.succeeds("kubectl delete skillbinding/tools -n piped");
    let lost = server.skills(&["set", "deployment/web", image]);
    assert_eq!(lost.code, 3, "{lost:?}");
    assert!(
        lost.stderr.contains("no AgentRuntime or SkillBinding in namespace default is about deployment/web (there is no list of skills; -n"),
        "{lost:?}"
    );
}

/// A bug report names both sides, and one without a cluster still has its own.
#[test]
fn version_knows_the_side_of_the_cluster() {
    let server = Server::with_crds(&[&["--skill-binding"], &["--profile", "pr332-merged"]]);
    let said = server.skills(&["version", "--live", "-o", "json"]);
    let found: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(
        found["cluster"],
        json!({
            "kubernetes": format!("v{CURRENT}"),
            "groups": [{"group": "skills.kagenti.dev", "versions": ["v1alpha1"]}, {"group": "agent.kagenti.dev", "versions": ["v1alpha1"]}],
            "profile": "pr332-merged", "deployments": [], "unread": [],
        })
    );
    let lost = server.skills(&["version", "--live", "--server", "https://127.0.0.1:1"]);
    assert_eq!(lost.code, 4, "{lost:?}");
    assert!(lost.stdout.starts_with("kubectl-skills "), "{lost:?}");
}
