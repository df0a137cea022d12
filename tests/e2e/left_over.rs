//! SkillBindings without a controller: what one that was deleted has left, delivery that nobody carries out, and lists that
//! clash are said by every verb that somebody would look at.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::objects::{binding, cron_job, deployment, one, path_of};
use crate::server::Server;

/// A server with SkillBindings and without any operator.
fn server(namespace: &str) -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(|| Server::with_crds(&[&["--skill-binding"]]));
    server.namespace(namespace);
    server
}

fn create(server: &Server, objects: &[&Value]) {
    objects.iter().for_each(|object| drop(server.create(&path_of(object), object)));
}

/// What a user sees of an object: neither who wrote it nor how often.
fn stated(server: &Server, object: &Value) -> Value {
    let mut live = server.get(&one(object));
    live.as_object_mut().expect("an object").remove("status");
    let metadata = live["metadata"].as_object_mut().expect("metadata");
    for key in ["managedFields", "generation", "resourceVersion"] {
        metadata.remove(key);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("deployment.kubernetes.io/revision");
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    live
}

/// Without what kubectl notes of its last apply.
fn without_last(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    object
}

fn rows(server: &Server, namespace: &str) -> Vec<(String, String, String, Value)> {
    let said = server.skills(&["status", "-n", namespace, "-o", "json"]);
    let list: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = list["items"].as_array().expect("rows").iter();
    items
        .map(|item| {
            (text(&item["whose"]), text(&item["target"]), text(&item["state"]), item["findings"].clone())
        })
        .collect()
}

const LEFT: &str =
    "no SkillBinding or AgentRuntime is about it any more, and it keeps what an earlier one left: pdf: ";

#[test]
fn what_a_deleted_skill_binding_has_left_is_found_and_taken_out() {
    let namespace = "left";
    let server = server(namespace);
    let (web, nightly) =
        (deployment(namespace, "web"), cron_job(namespace, "nightly", json!({"app": "nightly"})));
    // Written by hand, like a skill: not ours to take out.
    let mut own = deployment(namespace, "own");
    own["metadata"]["annotations"] =
        json!({"rossoctl.io/skills": "[\"pdf\"]", "kagenti.io/skills": "[\"pdf\"]"});
    own["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "cache", "emptyDir": {}}, {"name": "skill-pdf", "image": {"reference": "i:1"}}]);
    create(server, &[&web, &nightly, &own]);
    let before = [&web, &nightly, &own].map(|object| stated(server, object));
    let solo = binding(namespace, "solo", "web", &[("pdf", "quay.io/example/pdf:1")]);
    let mut cron = binding(namespace, "cron", "nightly", &[("pdf", "quay.io/example/pdf:1")]);
    cron["spec"]["targetRef"] = json!({"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly"});
    create(server, &[&solo, &cron]);
    let said = server.skills(&["apply", "-n", namespace]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_ne!(stated(server, &web), before[0]);
    // Its pods roll, and need not be there yet.
    assert!(rows(server, namespace).iter().all(|(.., state, _)| state != "left"));

    server.request("DELETE", &one(&solo), None);
    let advice = "'kubectl skills apply -n left --remove deployment/web' takes them out";
    let row = (
        "<gone>".to_owned(),
        "Deployment/web".to_owned(),
        "left".to_owned(),
        json!([format!("{LEFT}{advice}")]),
    );
    assert_eq!(rows(server, namespace).last(), Some(&row));
    let plan = server.skills(&["plan", "-n", namespace]);
    assert_eq!((plan.code, plan.stdout.contains("web")), (0, false), "{}", plan.stdout);
    assert!(
        plan.stderr.contains(&format!("warning: deployment.apps/web: {LEFT}{advice}\n")),
        "{}",
        plan.stderr
    );
    // Who may look at a part of the kinds learns what is there, and which others could hold something.
    let right = |group: &str, resources: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": ["get", "list"]});
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "looks"},
        "rules": [
            right("", &["configmaps", "pods"]), right("apps", &["deployments"]), right("batch", &["cronjobs"]),
            right("skills.kagenti.dev", &["skillbindings"]), right("agent.rossoctl.dev", &["agentruntimes"]),
        ],
    });
    server.create("/apis/rbac.authorization.k8s.io/v1/clusterroles", &role);
    let user = "--user=joe-of-left";
    server.kubectl(&["create", "clusterrolebinding", "looks", "--clusterrole=looks", user], "");
    let said = server.skills(&["status", "-n", namespace, "--as", "joe-of-left"]);
    assert_eq!((said.code, said.stdout.contains(" left ")), (0, true), "{said:?}");
    let note = "note: whether workloads have skills that nothing lists is unknown, for these may not be listed: \
                statefulsets.apps, \
                sandboxes.agents.x-k8s.io, daemonsets.apps, replicasets.apps, jobs.batch, rollouts.argoproj.io, \
                services.serving.knative.dev\n";
    assert!(said.stderr.contains(note), "{}", said.stderr);
    // Nothing goes that nobody asked to go.
    let said = server.skills(&["apply", "-n", namespace]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "cronjob.batch/nightly unchanged\n"),
        "{}",
        said.stderr
    );

    let said = server.skills(&["apply", "-n", namespace, "--remove", "solo"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""));
    let wanted = format!(
        "error: agentruntimes or skillbindings not found in namespace \"left\": solo\n  deployment.apps/web keeps pdf of one that is \
         gone: {advice}\n"
    );
    assert_eq!(said.stderr, wanted);
    let plan = server.skills(&["plan", "-n", namespace, "--remove", "deployment/web"]);
    assert_eq!((plan.code, plan.stdout.contains("<gone>")), (0, true), "{} {}", plan.stdout, plan.stderr);
    let said = server.skills(&["apply", "-n", namespace, "--remove", "deployment/web"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "deployment.apps/web serverside-applied\n"),
        "{}",
        said.stderr
    );
    assert_eq!(stated(server, &web), before[0]);

    // And of all at once.
    server.request("DELETE", &one(&cron), None);
    let said = server.skills(&["apply", "-n", namespace, "--remove"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "cronjob.batch/nightly serverside-applied\n"),
        "{}",
        said.stderr
    );
    assert_eq!([&web, &nightly, &own].map(|object| stated(server, object)), before);
    assert_eq!(rows(server, namespace), []);
    let said = server.skills(&["apply", "-n", namespace, "--remove", "web"]);
    assert_eq!(said.code, 4, "{}", said.stdout);
    assert!(said.stderr.contains("'kubectl skills status -A' lists them"), "{}", said.stderr);
}

/// Agents that were to get skills as their pods are created get none, and say nothing of it.
#[test]
fn delivery_that_nobody_carries_out_is_said() {
    let namespace = "undelivered";
    let server = server(namespace);
    let web = deployment(namespace, "web");
    let mut bound = binding(namespace, "tools", "web", &[("pdf", "quay.io/example/pdf:1")]);
    bound["spec"]["delivery"] = json!("Pod");
    create(server, &[&web, &bound]);
    let nobody =
        "nothing writes the skills of SkillBindings with delivery Pod into pods of namespace \"undelivered\"";
    let mend = "kubectl skills policy --inject | kubectl apply --server-side -f -";
    for verb in ["apply", "plan", "diff"] {
        let said = server.skills(&[verb, "-n", namespace]);
        assert_eq!(said.code, 0, "{verb}: {}", said.stderr);
        assert!(said.stderr.contains(&format!("warning: {nobody}: {mend}\n")), "{verb}: {}", said.stderr);
    }
    let rows = rows(server, namespace);
    assert_eq!(
        (rows[0].2.as_str(), &rows[0].3[0]),
        ("undelivered", &json!(format!("{nobody}: {mend}"))),
        "{rows:?}"
    );
    let before = stated(server, &web);
    for more in [&[][..], &["--all"], &["--dry-run"]] {
        let said = server.skills(&[&["restart", "tools", "-n", namespace], more].concat());
        let wanted = format!("error: {nobody}: they would be made anew without them\n  {mend}\n");
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (4, "", wanted.as_str()));
    }
    assert_eq!(stated(server, &web), before);
}

/// Who only looks at `status` must learn why nothing is written.
#[test]
fn lists_that_clash_are_the_reason_in_status() {
    let namespace = "clash";
    let server = server(namespace);
    let web = deployment(namespace, "web");
    let [one, two] =
        ["one", "two"].map(|name| binding(namespace, name, "web", &[("pdf", "quay.io/example/pdf:1")]));
    create(server, &[&web, &one, &two]);
    let said = server.skills(&["status", "-n", namespace]);
    assert_eq!(said.code, 3, "{}", said.stderr);
    let reason = "SkillBinding one has a skill pdf for the same workload";
    assert!(said.stdout.contains("refused") && said.stdout.contains(reason), "{}", said.stdout);
    assert!(said.stderr.contains(reason), "{}", said.stderr);
    let all = rows(server, namespace);
    assert_eq!((all[0].2.as_str(), &all[0].3[0]), ("refused", &json!(reason)));
}

/// Skills that Git delivers are in no list of the cluster: they were to be seen nowhere, and nothing but their manifest took them out.
#[test]
fn skills_of_a_render_are_shown_and_taken_out_by_their_record() {
    let namespace = "brought";
    let server = server(namespace);
    let file = |name: &str| server.dir().join(format!("{namespace}-{name}.yaml"));
    let mut before = Vec::new();
    for (name, flags) in [
        ("web", &["apply"][..]),
        ("api", &["apply", "--server-side"]),
        ("flux", &["apply", "--server-side", "--field-manager=kustomize-controller"]),
    ] {
        let workload = deployment(namespace, name);
        let list = binding(namespace, name, name, &[("pdf", "quay.io/example/pdf:1")]);
        let (path, list_path) = (file(name), file(&format!("{name}-list")));
        std::fs::write(&path, workload.to_string()).expect("written");
        std::fs::write(&list_path, list.to_string()).expect("written");
        let [path, list_path] = [&path, &list_path].map(|path| path.to_str().expect("a path"));
        server.kubectl(&[flags, &["-f", path]].concat(), "");
        before.push(stated(server, &workload));
        let said = server.skills(&["render", "-i", "--profile", "head", "-f", path, "-f", list_path]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        server.kubectl(&[flags, &["-f", path]].concat(), "");
    }
    let row = |name: &str| {
        let reason = format!(
            "nothing is wrong: a render has written into its manifest what nothing in the cluster lists: pdf; to take it out, \
             'kubectl skills render -i --remove' does so in the manifest, and 'kubectl skills apply -n brought --remove \
             deployment/{name}' in the cluster alone"
        );
        ("<render>".to_owned(), format!("Deployment/{name}"), "rendered".to_owned(), json!([reason]))
    };
    assert_eq!(rows(server, namespace), ["api", "flux", "web"].map(row));
    let said = server.skills(&["list", "-n", namespace]);
    let line = |name: &str| {
        format!(
            "<none>  Deployment/{name}  pdf    quay.io/example/pdf:1  /skills/pdf  Workload   render   rendered"
        )
    };
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = said.stdout.lines().skip(1).map(squeezed).collect();
    assert_eq!(lines, ["api", "flux", "web"].map(|name| squeezed(&line(name))), "{said:?}");

    // Nobody asked for these.
    let said = server.skills(&["apply", "-n", namespace, "--remove"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{said:?}");
    let said = server.skills(&["apply", "-n", namespace, "deployment/web"]);
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (2, "error: a name alone is wanted, without a kind: web\n"),
        "{said:?}"
    );
    let said = server.skills(&["apply", "-n", namespace, "--remove", "statefulset/web"]);
    assert!(
        said.code == 4 && said.stderr.contains("not found in namespace \"brought\": statefulset/web"),
        "{said:?}"
    );
    // What would be done is shown first.
    let plan = server.skills(&["plan", "-n", namespace, "--remove", "deployment/web"]);
    let cells: Vec<&str> = plan.stdout.lines().last().unwrap_or_default().split_whitespace().collect();
    assert_eq!(cells[..3], ["<render>", "Deployment/web", "removed"], "{plan:?}");
    let diff = server.skills(&["diff", "-n", namespace, "--remove", "deployment/web"]);
    assert!(diff.code == 1 && diff.stdout.contains("-      - image:\n-          pullPolicy: IfNotPresent\n-          reference: quay.io/example/pdf:1"), "{diff:?}");
    for name in ["web", "api"] {
        let said = server.skills(&["apply", "-n", namespace, "--remove", &format!("deployment/{name}")]);
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (0, format!("deployment.apps/{name} serverside-applied\n").as_str()),
            "{said:?}"
        );
        assert!(
            said.stderr.contains(&format!(
                "note: deployment.apps/{name}: who applies its manifest again brings the skills back"
            )),
            "{said:?}"
        );
        assert!(said.stderr.contains("1 workload changed"), "{said:?}");
    }
    let after = |name: &str| without_last(stated(server, &deployment(namespace, name)));
    assert_eq!(
        [after("web"), after("api")],
        [without_last(before[0].clone()), without_last(before[1].clone())]
    );
    // Flux would write it back.
    let said = server.skills(&["apply", "-n", namespace, "--remove", "deployment/flux"]);
    assert!(
        said.code == 4 && said.stdout.is_empty() && said.stderr.contains("the manifest that Flux applies"),
        "{said:?}"
    );
    assert_eq!(rows(server, namespace), [row("flux")]);
    let said = server.skills(&["apply", "-n", namespace, "--remove", "deployment/flux", "--force-conflicts"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(after("flux"), before[2]);
    assert_eq!(rows(server, namespace), []);
    // And the manifest brings it back, as was said.
    server.kubectl(&["apply", "-f", file("web").to_str().expect("a path")], "");
    assert_eq!(rows(server, namespace), [row("web")]);
}

/// kagenti's operator has an AgentRuntime for each agent, which says nothing of skills in the newest of its versions: the render is
/// their only source, and what the operator writes itself stays.
#[test]
fn skills_of_a_render_are_shown_where_the_agent_runtime_lists_none() {
    let server = Server::with_crds(&[&["--profile", "head"]]);
    let namespace = "silent";
    server.namespace(namespace);
    server.namespace("kagenti-system");
    let mut workload = deployment(namespace, "web");
    let [path, list] = ["web", "list"].map(|name| server.dir().join(format!("{name}.yaml")));
    std::fs::write(&path, workload.to_string()).expect("written");
    std::fs::write(&list, binding(namespace, "web", "web", &[("pdf", "quay.io/example/pdf:1")]).to_string())
        .expect("written");
    let [path, list] = [&path, &list].map(|path| path.to_str().expect("a path"));
    server.kubectl(&["apply", "--server-side", "-f", path], "");
    let before = stated(&server, &workload);
    assert_eq!(server.skills(&["render", "-i", "--profile", "head", "-f", path, "-f", list]).code, 0);
    server.kubectl(&["apply", "--server-side", "-f", path], "");
    let mut agent = crate::objects::runtime(namespace, "web", &[]);
    agent["spec"].as_object_mut().expect("a spec").remove("skills");
    server.create(&path_of(&agent), &agent);
    // As the operator stamps what it finds.
    let stamp = json!({"metadata": {"labels": {"kagenti.io/type": "agent"}}, "spec": {"template": {"metadata": {
        "labels": {"kagenti.io/type": "agent"}, "annotations": {"kagenti.io/config-hash": "0123"}}}}});
    workload = server.merge(&workload, "manager", &stamp);
    let all = rows(&server, namespace);
    let (whose, state) = (all[0].0.as_str(), all[0].2.as_str());
    assert_eq!((all.len(), whose, state), (1, "web", "rendered"), "{all:?}");
    let listed = server.skills(&["list", "-n", namespace]);
    let row: Vec<&str> = listed.stdout.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    assert_eq!((row[0], row[2], row[6], row[7]), ("web", "pdf", "render", "rendered"), "{listed:?}");
    let said = server.skills(&["apply", "-n", namespace, "--remove", "deployment/web"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "deployment.apps/web serverside-applied\n"),
        "{said:?}"
    );
    let mut wanted = before;
    wanted["metadata"]["labels"]["kagenti.io/type"] = json!("agent");
    wanted["spec"]["template"]["metadata"]["labels"]["kagenti.io/type"] = json!("agent");
    wanted["spec"]["template"]["metadata"]["annotations"] = json!({"kagenti.io/config-hash": "0123"});
    assert_eq!(stated(&server, &workload), wanted);
    let all = rows(&server, namespace);
    assert_eq!((all.len(), all[0].2.as_str()), (1, "ok"), "{all:?}");
}

/// A cluster without any list has nothing but the record.
#[test]
fn skills_of_a_render_are_shown_where_no_list_is_served() {
    let server = Server::with_crds(&[]);
    let namespace = "alone";
    server.namespace(namespace);
    let none = server.skills(&["status", "-n", namespace]);
    assert_eq!((none.code, none.stdout.as_str()), (4, ""), "{none:?}");
    let workload = deployment(namespace, "web");
    let [path, list] = ["web", "list"].map(|name| server.dir().join(format!("{name}.yaml")));
    std::fs::write(&path, workload.to_string()).expect("written");
    std::fs::write(&list, binding(namespace, "web", "web", &[("pdf", "quay.io/example/pdf:1")]).to_string())
        .expect("written");
    let [path, list] = [&path, &list].map(|path| path.to_str().expect("a path"));
    assert_eq!(server.skills(&["render", "-i", "--profile", "head", "-f", path, "-f", list]).code, 0);
    server.kubectl(&["apply", "--server-side", "-f", path], "");
    let all = rows(&server, namespace);
    assert_eq!((all.len(), all[0].2.as_str()), (1, "rendered"), "{all:?}");
    let said = server.skills(&["apply", "-n", namespace, "--remove", "deployment/web"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "deployment.apps/web serverside-applied\n"),
        "{said:?}"
    );
    let left = stated(&server, &workload);
    let cache = json!([{"name": "cache", "emptyDir": {}}]);
    assert_eq!(
        (left.pointer("/metadata/annotations"), &left["spec"]["template"]["spec"]["volumes"]),
        (None, &cache)
    );
    assert_eq!(server.skills(&["status", "-n", namespace]).code, 4);
}

/// A manifest that was rendered has the record too, and whoever applies it states that: if it stayed where the skills go, it would say
/// for ever that they are there, and no advice would end it.
#[test]
fn a_record_that_somebody_else_states_goes_with_the_skills() {
    let namespace = "recorded";
    let server = server(namespace);
    let web = deployment(namespace, "web");
    let mut db = deployment(namespace, "db");
    (db["kind"], db["spec"]["serviceName"]) = (json!("StatefulSet"), json!("db"));
    db["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]);
    let mounts = &mut db["spec"]["template"]["spec"]["containers"][0]["volumeMounts"];
    mounts.as_array_mut().expect("mounts").push(json!({"name": "data", "mountPath": "/data"}));
    let mut before = Vec::new();
    for workload in [&db, &web] {
        let name = workload["metadata"]["name"].as_str().expect("a name");
        let mut list = binding(namespace, name, name, &[("pdf", "quay.io/example/pdf:1")]);
        list["spec"]["targetRef"]["kind"] = workload["kind"].clone();
        let files = [format!("{namespace}-{name}.yaml"), format!("{namespace}-{name}-list.yaml")];
        let [path, list_path] = files.map(|file| server.dir().join(file));
        std::fs::write(&path, workload.to_string()).expect("written");
        std::fs::write(&list_path, list.to_string()).expect("written");
        let [path, list_path] = [&path, &list_path].map(|path| path.to_str().expect("a path"));
        server.kubectl(&["apply", "-f", path], "");
        before.push(without_last(stated(server, workload)));
        server.create(&path_of(&list), &list);
        let said = server.skills(&["apply", "-n", namespace, name]);
        // The claims of a StatefulSet are volumes of its pods.
        assert!(said.code == 0 && !said.stderr.contains("would be refused"), "{said:?}");
        server.request("DELETE", &one(&list), None);
        let said = server.skills(&["render", "-i", "-f", path, "-f", list_path]);
        assert_eq!(said.code, 0, "{said:?}");
        server.kubectl(&["apply", "-f", path], "");
    }
    let left = |name: &str, kind: &str| {
        let word = kind.to_lowercase();
        let reason =
            format!("{LEFT}'kubectl skills apply -n {namespace} --remove {word}/{name}' takes them out");
        ("<gone>".to_owned(), format!("{kind}/{name}"), "left".to_owned(), json!([reason]))
    };
    assert_eq!(rows(server, namespace), [left("web", "Deployment"), left("db", "StatefulSet")]);
    let record = server.get(&one(&db))["metadata"]["annotations"]["skills.kagenti.dev/record"].clone();
    assert!(record.is_string(), "{record}");

    let remove = |name: &str| server.skills(&["apply", "-n", namespace, "--remove", name]);
    let said = remove("statefulset/db");
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "statefulset.apps/db serverside-applied\n"),
        "{said:?}"
    );
    assert!(said.stderr.contains("who applies its manifest again brings the skills back"), "{said:?}");
    assert_eq!(without_last(stated(server, &db)), before[0]);
    assert_eq!(rows(server, namespace), [left("web", "Deployment")]);
    assert_eq!(remove("db").code, 4);

    let said = server.skills(&["uninstall", "-n", namespace, "--yes", "--remove-skills"]);
    assert!(said.code == 0 && said.stderr.contains("1 object gone or changed"), "{said:?}");
    assert_eq!(without_last(stated(server, &web)), before[1]);
    assert_eq!(rows(server, namespace), []);

    // And one that an earlier version has left alone.
    let alone = json!({"metadata": {"annotations": {"skills.kagenti.dev/record": record}}});
    server.merge(&web, "kustomize-controller", &alone);
    assert_eq!(rows(server, namespace), [left("web", "Deployment")]);
    let said = remove("web");
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "deployment.apps/web serverside-applied\n"),
        "{said:?}"
    );
    assert_eq!(without_last(stated(server, &web)), before[1]);
    let said = server.skills(&["uninstall", "-n", namespace]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "nothing of kubectl-skills is there\n"), "{said:?}");
}
