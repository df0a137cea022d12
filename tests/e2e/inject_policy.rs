//! Skills that the API server itself writes into pods, by the policies of `policy --inject`: what a pod gets, which pods
//! get nothing, what is refused and in which words, and what remains when the policies go. That it is what `render` would
//! have written is held by [`generated`].

mod cost;
mod diagnosis;
mod documented;
mod drift;
mod generated;
mod older;
mod owners;
mod webhook;

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use kubectl_skills::install::admission_policy::Action;
use kubectl_skills::install::inject_policy::{self, Injection, refusal_name};
use serde_json::{Value, json};

use crate::server::{CURRENT, Server};

/// Controllers whose pods the tests look at, and the one that checks the types of a policy's expressions.
const CONTROLLERS: &str =
    "job-controller,cronjob-controller,daemonset-controller,validatingadmissionpolicy-status-controller";

/// A server with the SkillBinding CRD and the policies, for the tests of this module and those of the CRD.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = start();
        install(&server, &Injection::default());
        server
    })
}

/// A server with the CRD and without policies.
fn start() -> Server {
    start_with(&[])
}

fn start_with(more: &[&str]) -> Server {
    let crds = crds();
    let always = ["--controller-manager", "--more-controllers", CONTROLLERS].into_iter();
    let always: Vec<&str> = always.chain(crds.iter().map(String::as_str)).collect();
    Server::start(CURRENT, &[&always[..], more].concat())
}

/// The CRDs, as arguments.
fn crds() -> Vec<String> {
    let files = ["deploy/crd/skillbindings.yaml", "tests/e2e/fixtures/sandboxes.yaml"];
    let path =
        |file: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(file).to_str().expect("a path").to_owned();
    files.iter().flat_map(|file| ["--crd".to_owned(), path(file)]).collect()
}

/// Installs the policies, and waits until the server asks them.
fn install(server: &Server, injection: &Injection) {
    server.kubectl(&["apply", "--server-side", "-f", "-"], &inject_policy::text(injection));
    until_asked(server);
}

/// Waits until the server asks the policies.
fn until_asked(server: &Server) {
    server.namespace("canary");
    let skills = json!([{"name": "pdf", "image": "i:1", "mountPath": "/skills/pdf"}]);
    let spec = json!({"delivery": "Pod", "selector": {"matchLabels": {"app": "canary"}}, "skills": skills});
    bind(server, "canary", "canary", &spec);
    let sound =
        pod("canary", &json!({"app": "canary"}), &json!({"containers": [container("agent", &json!({}))]}));
    let mut broken = sound.clone();
    broken["spec"]["volumes"] = json!([{"name": "skill-pdf", "emptyDir": {}}]);
    until("the policies to be asked", || {
        let (injected, refused) = (dry_run(server, &sound), dry_run(server, &broken));
        injected.1.pointer("/spec/volumes/0/name") == Some(&json!("skill-pdf")) && refused.0 == 403
    });
}

/// Creates a SkillBinding. The server sees it a moment later: see [`until_seen`].
fn bind(server: &Server, namespace: &str, name: &str, spec: &Value) {
    let object = json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    });
    server
        .create(&format!("/apis/skills.kagenti.dev/v1alpha1/namespaces/{namespace}/skillbindings"), &object);
}

/// Waits until the policies have seen every SkillBinding that was created before: the server watches all of them as one,
/// so that the last one of all has come when a later one has.
fn until_seen(server: &Server) {
    static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let name = format!("seen-{}", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let skills = json!([{"name": name, "image": "i:1", "mountPath": "/skills/seen"}]);
    bind(
        server,
        "canary",
        &name,
        &json!({"delivery": "Pod", "selector": {"matchLabels": {"seen": name}}, "skills": skills}),
    );
    let pod = pod("canary", &json!({"seen": name}), &json!({"containers": [container("agent", &json!({}))]}));
    until("a SkillBinding to be seen", || dry_run(server, &pod).1.pointer("/spec/volumes/0").is_some());
}

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(90);
    while !reached() {
        assert!(Instant::now() < end, "waited for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn container(name: &str, more: &Value) -> Value {
    let mut out = json!({"name": name, "image": "quay.io/example/agent:1"});
    for (key, value) in more.as_object().expect("fields") {
        out[key] = value.clone();
    }
    out
}

/// A pod that nobody owns.
fn pod(namespace: &str, labels: &Value, spec: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "it", "namespace": namespace, "labels": labels},
        "spec": spec,
    })
}

/// What the server would store.
fn dry_run(server: &Server, pod: &Value) -> (u16, Value) {
    let namespace = pod["metadata"]["namespace"].as_str().expect("a namespace");
    server.request("POST", &format!("/api/v1/namespaces/{namespace}/pods?dryRun=All"), Some(pod))
}

/// The message of a refusal, without the server's words before ours.
fn refusal(server: &Server, pod: &Value) -> String {
    let (code, answer) = dry_run(server, pod);
    let message = answer["message"].as_str().unwrap_or_default();
    let name = refusal_name();
    let before = format!(
        "pods \"it\" is forbidden: ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: "
    );
    match message.strip_prefix(&before) {
        Some(rest) if code == 403 => rest.to_owned(),
        _ => format!("{code} {message}"),
    }
}

/// `volume at path` for each mount of a container of a stored pod, then its environment.
fn given(pod: &Value, container: usize) -> (Vec<String>, Value) {
    let container = &pod["spec"]["containers"][container];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mounts = container["volumeMounts"].as_array().into_iter().flatten();
    let mounts = mounts.map(|mount| format!("{} at {}", text(&mount["name"]), text(&mount["mountPath"])));
    (mounts.collect(), container["env"].clone())
}

const APP: &str = "/skills/pdf";

fn by_label(app: &str, more: &Value) -> Value {
    let mut spec = json!({
        "delivery": "Pod",
        "selector": {"matchLabels": {"app": app}},
        "skills": [{"name": "pdf", "image": "ghcr.io/acme/pdf:1", "mountPath": APP}],
    });
    for (key, value) in more.as_object().expect("fields") {
        spec[key] = value.clone();
    }
    spec
}

/// Whatever a pod cannot be given, it says itself: the API server's own words would speak of a field that nobody wrote.
#[test]
fn what_would_be_written_over_is_refused_in_our_words() {
    let server = server();
    server.namespace("refused");
    let named = json!({"container": "agent"});
    bind(server, "refused", "named", &by_label("named", &named));
    bind(server, "refused", "kagent", &by_label("kagent", &json!({"runtime": "kagent"})));
    bind(
        server,
        "refused",
        "always",
        &by_label(
            "always",
            &json!({
                "skills": [{"name": "pdf", "image": "ghcr.io/acme/pdf:1", "mountPath": APP, "pullPolicy": "Always"}],
            }),
        ),
    );
    bind(server, "refused", "twice-a", &by_label("twice", &json!({})));
    bind(server, "refused", "twice-b", &by_label("twice", &json!({})));
    until_seen(server);
    let image = |reference: &str| json!([{"name": "skill-pdf", "image": {"reference": reference}}]);
    let mounted = |mount: Value| json!({"volumeMounts": [mount]});
    let from = json!({"fieldRef": {"fieldPath": "metadata.name"}});
    let cases = [
        (
            "named",
            json!({"containers": [container("main", &json!({})), container("proxy", &json!({}))]}),
            "SkillBinding named: the pod has no container agent; name one of: main, proxy",
        ),
        (
            "named",
            json!({"containers": [container("agent", &json!({}))], "volumes": [{"name": "skill-pdf", "emptyDir": {}}]}),
            "SkillBinding named: skill pdf needs the volume skill-pdf, and the pod has a volume of that name that is no \
             image; rename the skill, or that volume",
        ),
        (
            "named",
            json!({"containers": [container("agent", &json!({}))], "volumes": image("ghcr.io/acme/pdf:0")}),
            "SkillBinding named: skill pdf needs the volume skill-pdf, and the pod has one of that name with the image \
             ghcr.io/acme/pdf:0, pulled IfNotPresent; rename the skill, or that volume",
        ),
        (
            "always",
            json!({"containers": [container("agent", &json!({}))], "volumes": image("ghcr.io/acme/pdf:1")}),
            "SkillBinding always: skill pdf needs the volume skill-pdf, and the pod has one of that name with the image \
             ghcr.io/acme/pdf:1, pulled IfNotPresent; rename the skill, or that volume",
        ),
        (
            "named",
            json!({
                "containers": [container("agent", &mounted(json!({"name": "cache", "mountPath": APP})))],
                "volumes": [{"name": "cache", "emptyDir": {}}],
            }),
            "SkillBinding named: skill pdf is to be mounted at /skills/pdf, and the container agent has a mount of the \
             volume cache there; choose another mountPath",
        ),
        (
            "named",
            json!({
                "containers": [
                    container("agent", &mounted(json!({"name": "skill-pdf", "mountPath": APP, "subPath": "docs"}))),
                ],
                "volumes": image("ghcr.io/acme/pdf:1"),
            }),
            "SkillBinding named: skill pdf is to be mounted at /skills/pdf, and the container agent has a mount of the \
             volume skill-pdf there with another subPath, or writable; choose another mountPath",
        ),
        (
            "named",
            json!({"containers": [container("agent", &json!({"env": [{"name": "SKILL_FOLDERS", "valueFrom": from}]}))]}),
            "SkillBinding named: the value of SKILL_FOLDERS comes from elsewhere (valueFrom), so it cannot be set; write \
             the value itself in container agent",
        ),
        (
            "kagent",
            json!({"containers": [
                container("agent", &json!({"env": [{"name": "KAGENT_SKILLS_FOLDER", "value": "/mine"}]})),
            ]}),
            "SkillBinding kagent: the variable KAGENT_SKILLS_FOLDER of container agent is /mine, and has to be /skills",
        ),
    ];
    for (app, spec, wanted) in cases {
        assert_eq!(refusal(server, &pod("refused", &json!({"app": app}), &spec)), wanted, "{spec}");
    }
    let none = refusal(server, &pod("refused", &json!({"app": "named"}), &json!({"containers": []})));
    assert_eq!(none, "422 Pod \"it\" is invalid: spec.containers: Required value");
    let spec = json!({"containers": [container("agent", &json!({}))]});
    let said = refusal(server, &pod("refused", &json!({"app": "twice"}), &spec));
    // Which of them is asked first, the server does not settle.
    let words = |one, other| {
        format!(
            "SkillBinding {one}: skill pdf is in another SkillBinding for this pod as well: {other}; leave it to one of them"
        )
    };
    assert!([words("twice-a", "twice-b"), words("twice-b", "twice-a")].contains(&said), "{said}");
}

/// Each of them knows nothing of the other, and the pod must have what both want.
#[test]
fn two_bindings_for_one_pod_are_both_there() {
    let server = server();
    server.namespace("both");
    let skills = |name: &str| json!({"skills": [{"name": name, "image": "i:1", "mountPath": format!("/skills/{name}")}]});
    bind(server, "both", "one", &by_label("both", &skills("one")));
    bind(server, "both", "two", &by_label("both", &skills("two")));
    until_seen(server);
    let env = json!({"env": [{"name": "SKILL_FOLDERS", "value": " /mine"}]});
    let (code, stored) = dry_run(
        server,
        &pod("both", &json!({"app": "both"}), &json!({"containers": [container("agent", &env)]})),
    );
    assert_eq!(code, 201, "{stored}");
    let (mut mounts, env) = given(&stored, 0);
    mounts.sort();
    assert_eq!(mounts, ["skill-one at /skills/one", "skill-two at /skills/two"]);
    let value = env[0]["value"].as_str().expect("a value");
    assert!([" /mine,/skills/one,/skills/two", " /mine,/skills/two,/skills/one"].contains(&value), "{value}");
    let injected = stored["metadata"]["annotations"]["skills.kagenti.dev/injected"].as_str().expect("a note");
    assert!(["one/one,two/two", "two/two,one/one"].contains(&injected), "{injected}");
}

/// As the webhook does: `plan/pod_injection.rs`, `each_list_goes_into_its_own_container`.
#[test]
fn two_bindings_for_one_pod_may_name_two_containers() {
    let server = server();
    server.namespace("apart");
    let skills = |name: &str| json!([{"name": name, "image": "i:1", "mountPath": format!("/s/{name}")}]);
    bind(server, "apart", "one", &by_label("apart", &json!({"container": "main", "skills": skills("a")})));
    let two = json!({"container": "tool", "runtime": "kagent", "skills": skills("b")});
    bind(server, "apart", "two", &by_label("apart", &two));
    until_seen(server);
    let containers = json!({"containers": [container("main", &json!({})), container("tool", &json!({}))]});
    let (code, stored) = dry_run(server, &pod("apart", &json!({"app": "apart"}), &containers));
    assert_eq!(code, 201, "{stored}");
    let one = (vec!["skill-a at /s/a".to_owned()], json!([{"name": "SKILL_FOLDERS", "value": "/s/a"}]));
    let two =
        (vec!["skill-b at /s/b".to_owned()], json!([{"name": "KAGENT_SKILLS_FOLDER", "value": "/skills"}]));
    assert_eq!([given(&stored, 0), given(&stored, 1)], [one, two]);
}

/// Injectors of sidecars run after the policies, which are then asked once more: with another first container.
#[test]
fn a_sidecar_that_is_put_first_later_gets_no_skills() {
    let server = server();
    server.namespace("sidecar");
    let put_first = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": "sidecar-first"},
        "spec": {
            // After the skills.
            "failurePolicy": "Fail", "reinvocationPolicy": "IfNeeded",
            "matchConstraints": {"resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
            ]},
            "matchConditions": [
                {"name": "asked-for", "expression": "object.metadata.?labels.orValue({})[?'sidecar'].orValue('') == 'first'"},
                {"name": "later", "expression": "has(object.spec.volumes)"},
                {"name": "once", "expression": "!object.spec.containers.exists(one, one.name == 'proxy')"},
            ],
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression":
                "[JSONPatch{op: 'add', path: '/spec/containers/0', value: Object.spec.containers{name: 'proxy', image: 'p:1'}}]"
            }}],
        },
    });
    let bound = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": "sidecar-first"}, "spec": {"policyName": "sidecar-first"},
    });
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [put_first, bound]});
    server.kubectl(&["apply", "--server-side", "-f", "-"], &list.to_string());
    bind(server, "sidecar", "web", &by_label("web", &json!({})));
    until_seen(server);
    let spec = json!({"containers": [container("agent", &json!({}))]});
    let pod = pod("sidecar", &json!({"app": "web", "sidecar": "first"}), &spec);
    let mut stored = Value::Null;
    let mut asked = 0;
    until("the sidecar", || {
        // The server draws the order of policies anew whenever one changes, and one whose turn came too early is not asked again.
        asked += 1;
        if asked % 20 == 0 {
            let times = format!("asked={asked}");
            server.kubectl(
                &["annotate", "--overwrite", "mutatingadmissionpolicy", "sidecar-first", &times],
                "",
            );
        }
        stored = dry_run(server, &pod).1;
        stored["spec"]["containers"].as_array().is_some_and(|containers| containers.len() == 2)
    });
    assert_eq!(given(&stored, 0), (Vec::new(), Value::Null), "the sidecar");
    assert_eq!(
        given(&stored, 1),
        (
            vec!["skill-pdf at /skills/pdf".to_owned()],
            json!([{"name": "SKILL_FOLDERS", "value": "/skills/pdf"}])
        )
    );
    server.kubectl(&["delete", "-f", "-"], &list.to_string());
}

/// Each runtime is led to its skills in its own way, and no variable is written that it does not read.
#[test]
fn runtimes_get_their_variable_or_none() {
    let server = server();
    server.namespace("runtimes");
    let skills = json!([{"name": "pdf", "image": "i:1"}, {"name": "ocr", "image": "i:2", "subPath": "a/b"}]);
    for runtime in kubectl_skills::api::agent_location::NAMES {
        let spec = json!({"runtime": runtime, "home": "/home/agent", "skills": skills});
        bind(server, "runtimes", runtime, &by_label(runtime, &spec));
    }
    until_seen(server);
    let variable = |name: &str, value: &str| json!([{"name": name, "value": value}]);
    for (runtime, root, env) in [
        ("agents", "/home/agent/.agents/skills", Value::Null),
        ("claude", "/home/agent/.claude/skills", Value::Null),
        ("cursor", "/home/agent/.cursor/skills", Value::Null),
        ("docsclaw", "/skills", Value::Null),
        ("kagent", "/skills", variable("KAGENT_SKILLS_FOLDER", "/skills")),
        ("kagenti", "/app/skills", variable("SKILL_FOLDERS", "/app/skills/pdf,/app/skills/ocr")),
        ("openclaw", "/home/agent/.openclaw/skills", Value::Null),
        ("opencode", "/home/agent/.config/opencode/skills", Value::Null),
        ("windsurf", "/home/agent/.codeium/windsurf/skills", Value::Null),
    ] {
        let spec = json!({"containers": [container("agent", &json!({}))]});
        let (code, stored) = dry_run(server, &pod("runtimes", &json!({"app": runtime}), &spec));
        assert_eq!(code, 201, "{runtime}: {stored}");
        assert_eq!(
            stored["spec"]["containers"][0]["volumeMounts"],
            json!([
                {"name": "skill-pdf", "mountPath": format!("{root}/pdf"), "readOnly": true},
                {"name": "skill-ocr", "mountPath": format!("{root}/ocr"), "readOnly": true, "subPath": "a/b"},
            ]),
            "{runtime}"
        );
        assert_eq!(stored["spec"]["containers"][0]["env"], env, "{runtime}");
    }
}

/// A pod that gets skills though it must not may never start.
#[test]
fn pods_that_are_none_of_ours_are_left() {
    let server = server();
    server.namespace("left");
    bind(server, "left", "web", &by_label("web", &json!({})));
    bind(server, "left", "template", &by_label("template", &json!({"delivery": "Workload"})));
    bind(server, "kube-system", "system", &by_label("web", &json!({})));
    until_seen(server);
    let sound = pod("left", &json!({"app": "web"}), &json!({"containers": [container("agent", &json!({}))]}));
    let with = |path: &str, value: Value| {
        let mut pod = sound.clone();
        let (parent, key) = path.rsplit_once('/').expect("a path");
        pod.pointer_mut(parent).expect("a parent")[key] = value;
        pod
    };
    let names = |pod: &Value| {
        let (code, stored) = dry_run(server, pod);
        assert_eq!(code, 201, "{stored}");
        let label = stored["metadata"]["labels"].get("skills.kagenti.dev/injected");
        assert_eq!(label.is_some(), stored["spec"].get("volumes").is_some(), "{stored}");
        let volumes = stored["spec"]["volumes"].as_array().cloned().unwrap_or_default();
        volumes
            .iter()
            .map(|volume| volume["name"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&sound), ["skill-pdf"]);
    let mut mirror = with("/metadata/annotations", json!({"kubernetes.io/config.mirror": "x"}));
    mirror["spec"]["nodeName"] = json!("node");
    for left in [
        with("/spec/os", json!({"name": "windows"})),
        mirror,
        with("/metadata/labels", json!({"app": "web", "skills.kagenti.dev/inject": "false"})),
        with("/metadata/labels/app", json!("other")),
        with("/metadata/labels/app", json!("template")),
        with("/metadata/namespace", json!("kube-system")),
    ] {
        assert_eq!(names(&left), Vec::<String>::new(), "{left}");
    }
}

/// All requirements of a label selector, held against what the API server means by them.
#[test]
fn selectors_mean_what_they_mean_elsewhere() {
    let server = server();
    server.namespace("selectors");
    let one = |key: &str, operator: &str, values: &[&str]| {
        let mut out = json!({"key": key, "operator": operator});
        if !values.is_empty() {
            out["values"] = json!(values);
        }
        json!({"matchExpressions": [out]})
    };
    let selectors = [
        json!({"matchLabels": {"app": "web"}}),
        json!({"matchLabels": {"app": "web", "tier": "front"}}),
        one("app", "In", &["web", "api"]),
        one("app", "NotIn", &["web"]),
        one("tier", "Exists", &[]),
        one("tier", "DoesNotExist", &[]),
        json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
    ];
    for (index, selector) in selectors.iter().enumerate() {
        let skills =
            json!([{"name": format!("s{index}"), "image": "i:1", "mountPath": format!("/skills/s{index}")}]);
        let spec = json!({"delivery": "Pod", "selector": selector, "skills": skills});
        bind(server, "selectors", &format!("s{index}"), &spec);
    }
    until_seen(server);
    let labels = [
        json!({}),
        json!({"app": "web"}),
        json!({"app": "api"}),
        json!({"app": "web", "tier": "front"}),
        json!({"tier": "front"}),
        json!({"app": ""}),
    ];
    for (labels, wanted) in labels.iter().zip([
        &["s3", "s5"][..],
        &["s0", "s2", "s5", "s6"],
        &["s2", "s3", "s5"],
        &["s0", "s1", "s2", "s4"],
        &["s3", "s4"],
        &["s3", "s5"],
    ]) {
        let spec = json!({"containers": [container("agent", &json!({}))]});
        let (code, stored) = dry_run(server, &pod("selectors", labels, &spec));
        assert_eq!(code, 201, "{stored}");
        let (mut mounts, _) = given(&stored, 0);
        mounts.sort();
        let wanted: Vec<String> =
            wanted.iter().map(|name| format!("skill-{name} at /skills/{name}")).collect();
        assert_eq!(mounts, wanted, "{labels}");
    }
}

/// Expressions that the server finds fault with are evaluated all the same, until a pod comes that they break on.
#[test]
fn the_servers_type_checker_finds_nothing() {
    let server = server();
    let path =
        format!("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{}", refusal_name());
    until("the policy to be checked", || server.get(&path)["status"]["observedGeneration"] == 1);
    let checked = server.get(&path)["status"].clone();
    assert_eq!(checked["typeChecking"], json!({}), "{checked}");
}

/// A policy whose parameters are not known refuses every pod that it is asked about: what goes first matters, and is
/// said in docs/skill-binding.md.
#[test]
fn without_the_crd_pods_wait_and_without_the_policies_they_do_not() {
    let server = start();
    install(&server, &Injection::default());
    let crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/skillbindings.skills.kagenti.dev";
    let spec = json!({"containers": [container("agent", &json!({}))]});
    let system = pod("kube-system", &json!({}), &spec);
    let user = pod("default", &json!({}), &spec);
    assert_eq!(dry_run(&server, &user).0, 201);
    server.request("DELETE", crd, None);
    until("the CRD to be gone", || server.request("GET", crd, None).0 == 404);
    server.restart_api_server("KILL");
    until("pods to be refused", || dry_run(&server, &user).0 != 201);
    assert_eq!(dry_run(&server, &system).0, 201, "a cluster comes up without SkillBindings");
    // Who only wants to be warned waits for nothing.
    let warn = inject_policy::text(&Injection { action: Action::Warn, ..Injection::default() });
    server.kubectl(&["apply", "--server-side", "-f", "-"], &warn);
    until("pods to be taken", || dry_run(&server, &user).0 == 201);
    server.kubectl(&["apply", "--server-side", "-f", "-"], &inject_policy::text(&Injection::default()));
    until("pods to be refused again", || dry_run(&server, &user).0 != 201);
    server.kubectl(&["delete", "-f", "-"], &warn);
    until("pods to be taken", || dry_run(&server, &user).0 == 201);
}

/// With `--action warn` a pod that cannot have a skill is created without it, and has what it can have.
#[test]
fn a_pod_that_only_warns_gets_what_it_can() {
    let server = start();
    install(&server, &Injection::default());
    server.namespace("warned");
    let two = json!({"skills": [
        {"name": "pdf", "image": "i:1", "mountPath": "/skills/pdf"},
        {"name": "ocr", "image": "i:1", "mountPath": "/skills/ocr"},
    ]});
    bind(&server, "warned", "web", &by_label("web", &two));
    until_seen(&server);
    let spec = json!({
        "containers": [container("agent", &json!({"volumeMounts": [{"name": "cache", "mountPath": "/skills/pdf"}]}))],
        "volumes": [{"name": "cache", "emptyDir": {}}],
    });
    let pod = pod("warned", &json!({"app": "web"}), &spec);
    assert_eq!(dry_run(&server, &pod).0, 403);
    let warn = inject_policy::text(&Injection { action: Action::Warn, ..Injection::default() });
    server.kubectl(&["apply", "--server-side", "-f", "-"], &warn);
    until("the pod to be taken", || dry_run(&server, &pod).0 == 201);
    let (mounts, _) = given(&dry_run(&server, &pod).1, 0);
    assert_eq!(mounts, ["cache at /skills/pdf", "skill-ocr at /skills/ocr"]);
    let said = server.kubectl(&["create", "--dry-run=server", "-f", "-"], &pod.to_string());
    let words = "SkillBinding web: skill pdf is to be mounted at /skills/pdf, and the container agent has a mount of the \
                 volume cache there; choose another mountPath";
    assert!(said.stderr.contains(words), "{said:?}");
}
