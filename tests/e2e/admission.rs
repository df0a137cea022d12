//! Every vector of ops `validate` and `schema` at a real API server: what the operator's webhook said, our webhook says
//! when the server calls it, and our ValidatingAdmissionPolicy says without being called.
//!
//! Each case has a namespace of its own. Creations and updates are dry runs against objects made while nobody judged.

use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine as _;
use kubectl_skills::api::agent_runtime::AgentRuntimeSpec;
use kubectl_skills::api::object::ObjectRef;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::crd;
use kubectl_skills::install::admission_policy::{self, Binding};
use kubectl_skills::install::rbac::NAME;
use kubectl_skills::install::rbac::{self, Grant, Task};
use kubectl_skills::install::webhook_registration::{self, Address, Registration};
use kubectl_skills::validate::webhook::{Operation, Rivals, verdict};
use serde_json::{Value, json};

use crate::certificates::Authority;
use crate::objects::{one, path_of, runtime};
use crate::program::{Program, command};
use crate::server::{CURRENT, Server};
use crate::vector_cases::{Case, Tally, cases};

/// Who judges.
enum Judge {
    Webhook { _program: Program, _directory: tempfile::TempDir, registration: Value },
    Policy { objects: Vec<Value> },
}

/// What the server answered: code and message.
type Said = (u16, String);

const BROKEN: &str = "canary-broken";
const RIVAL: &str = "canary-rival";

impl Judge {
    fn webhook(server: &Server, profile: &'static Profile, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let authority = Authority::new();
        authority.renew(directory.path(), 0);
        let program = webhook_as_service_account(server, profile, directory.path(), more);
        program.until("/readyz", 200);
        let registration = Registration {
            address: Address::Url(format!("https://{}", program.address)),
            ca_bundle: base64::engine::general_purpose::STANDARD.encode(&authority.pem),
            fail_open: false,
            namespaces: Vec::new(),
        };
        let registration = webhook_registration::configuration(profile, NAME, &registration);
        Self::Webhook { _program: program, _directory: directory, registration }
    }

    fn policy(profile: &'static Profile, binding: &Binding) -> Self {
        Self::Policy { objects: admission_policy::objects(profile, binding) }
    }

    fn objects(&self) -> Vec<Value> {
        match self {
            Self::Webhook { registration, .. } => vec![registration.clone()],
            Self::Policy { objects, .. } => objects.clone(),
        }
    }

    fn apply(&self, server: &Server) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": self.objects()});
        server.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &list.to_string());
    }

    fn withdraw(&self, server: &Server) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": self.objects()});
        server.kubectl(&["delete", "-f", "-"], &list.to_string());
    }

    /// Waits until the server asks, for every rule and with all rivals in view.
    fn on(&self, server: &Server) {
        self.apply(server);
        for canary in [broken(), rival()] {
            until(|| post(server, &canary).0 == 403, "a canary to be refused");
        }
    }

    fn off(&self, server: &Server) {
        self.withdraw(server);
        for canary in [broken(), rival()] {
            until(|| post(server, &canary).0 == 201, "a canary to pass");
        }
    }

    /// The server's words around a message of ours.
    fn wrapped(&self, profile: &Profile, name: &str, message: &str) -> String {
        match self {
            Self::Webhook { .. } => {
                format!("admission webhook \"vagentruntime.kb.io\" denied the request: {message}")
            }
            Self::Policy { .. } => {
                let policy = if message.starts_with("an AgentRuntime already targets") {
                    admission_policy::rival_policy_name(profile)
                } else {
                    admission_policy::object_policy_name(profile)
                };
                format!(
                    "agentruntimes.{} \"{name}\" is forbidden: ValidatingAdmissionPolicy '{policy}' with binding \
                     '{policy}' denied request: {message}",
                    profile.names.group
                )
            }
        }
    }

    /// Why a case cannot come out as in the vectors, where that is so.
    fn apart(&self, case: &Case) -> Option<Apart> {
        let policy = matches!(self, Self::Policy { .. });
        let (why, verdict_holds) = match case.name.as_str() {
            "validate/list-fails-open" | "validate/no-reader" => ("rivals can be read here", false),
            "validate/duplicate-target-two" if policy => {
                ("which of several rivals is named is not settled", true)
            }
            name if policy && name.starts_with("validate/quote-") && !quotable(case) => {
                ("CEL has no words for such characters: they come out as they are", true)
            }
            _ => return None,
        };
        Some(Apart { why, verdict_holds })
    }
}

struct Apart {
    why: &'static str,
    verdict_holds: bool,
}

#[derive(Clone)]
struct Problem {
    /// Whether it is about the verdict, and not the message alone.
    verdict: bool,
    text: String,
}

/// Whether the policy can escape everything in the path of the skill that is refused. Names need no escapes: the CRD
/// takes only those without.
fn quotable(case: &Case) -> bool {
    let skills = case.input["agentRuntime"]["spec"]["skills"].as_array().into_iter().flatten();
    let odd = |character: char| matches!(u32::from(character), 0x100..=0x1fff | 0x2070..=0xfefe | 0xff00..);
    let printable = |text: &str| !kubectl_skills::go::quote::go_quote(text).contains('\\');
    skills.into_iter().all(|skill| {
        let name = skill["name"].as_str().unwrap_or_default();
        let path = skill["mountPath"].as_str().unwrap_or_default();
        let plain = |text: &str| text.replace(['"', '\\', '\n', '\t'], "");
        printable(&plain(name)) && path.chars().all(|c| !odd(c) || printable(&c.to_string()))
    })
}

/// The webhook with the rights of its service account and no others.
fn webhook_as_service_account(
    server: &Server,
    profile: &Profile,
    certificates: &std::path::Path,
    more: &[&str],
) -> Program {
    webhook_with_rights(server, profile, certificates, more, &|| {})
}

/// The same, with rights changed after they were granted.
fn webhook_with_rights(
    server: &Server,
    profile: &Profile,
    certificates: &std::path::Path,
    more: &[&str],
    change: &dyn Fn(),
) -> Program {
    let grant = Grant { own_namespace: "webhook".to_owned(), ..Grant::cluster(profile, &[Task::Webhook]) };
    server.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &rbac::text(profile, &grant));
    change();
    let token = server.kubectl(&["create", "token", NAME, "-n", "webhook"], "").stdout;
    let authority = server.kubeconfig().with_file_name("ca.crt");
    let address = server.address();
    let words = [
        &["--server", &address, "--token", token.trim(), "--certificate-authority"][..],
        &[authority.to_str().expect("a path"), "--profile", profile.name],
        more,
    ];
    let mut command = command(certificates, &words.concat());
    command.stdin(Stdio::null());
    Program::run(command)
}

fn until(mut reached: impl FnMut() -> bool, what: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while !reached() {
        assert!(Instant::now() < end, "waited a minute for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// An AgentRuntime of the profile's group in the namespace of canaries.
fn canary(profile: &Profile, name: &str, skills: &[(&str, &str, &str)]) -> Value {
    let mut object = runtime("canary", name, skills);
    object["apiVersion"] = json!(format!("{}/v1alpha1", profile.names.group));
    if !profile.crd.skills {
        object["spec"].as_object_mut().expect("a spec").remove("skills");
    }
    object
}

/// Breaks a rule that both profiles have.
fn broken() -> Value {
    runtime("canary", BROKEN, &[("a", "i", "/a"), ("a", "i", "/b")])
}

/// Wants the target of an AgentRuntime that is there.
fn rival() -> Value {
    let mut object = runtime("canary", RIVAL, &[]);
    object["spec"]["targetRef"]["name"] = json!("canary");
    object
}

fn said(answer: (u16, Value)) -> Said {
    (answer.0, answer.1["message"].as_str().unwrap_or_default().to_owned())
}

fn post(server: &Server, object: &Value) -> Said {
    said(server.request("POST", &format!("{}?dryRun=All", path_of(object)), Some(object)))
}

/// Any change of an object that is there.
fn put(server: &Server, object: &Value) -> Said {
    let path = one(object);
    let mut object = object.clone();
    object["metadata"]["resourceVersion"] = server.get(&path)["metadata"]["resourceVersion"].clone();
    object["metadata"]["annotations"]["example.org/changed"] = json!("yes");
    said(server.request("PUT", &format!("{path}?dryRun=All"), Some(&object)))
}

fn delete(server: &Server, object: &Value) -> Said {
    let path = one(object);
    said(server.request("DELETE", &format!("{path}?dryRun=All"), None))
}

/// Namespace of the case's own for one in its objects.
fn moved(number: usize, object: &Value) -> Value {
    let mut object = object.clone();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    object["metadata"]["namespace"] = json!(format!("case-{number}-{namespace}"));
    if let Value::Object(metadata) = &mut object["metadata"] {
        // The server sets it, and refuses or drops it from anybody else.
        metadata.remove("deletionTimestamp");
        metadata.remove("resourceVersion");
        metadata.remove("uid");
    }
    object
}

/// A server with the profile's CRD; without its constraints where `relaxed`, so that every vector reaches the rules.
fn server_for(profile: &Profile, relaxed: bool) -> Server {
    let server = Server::start(CURRENT, &[]);
    let mut definition = crd::definition(profile);
    if relaxed {
        relax(&mut definition);
    }
    server.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &definition.to_string());
    for namespace in ["canary", "webhook"] {
        server.namespace(namespace);
    }
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}});
    server.create("/api/v1/namespaces/webhook/serviceaccounts", &account);
    if relaxed {
        let mut odd = broken();
        odd["spec"]["mtlsMode"] = json!("odd");
        until(|| post(&server, &odd).0 == 201, "the relaxed schema");
    }
    let first = canary(profile, "canary", &[]);
    // A kind is served a moment after its CRD was taken.
    until(|| server.request("POST", &path_of(&first), Some(&first)).0 == 201, "the profile's kind");
    server
}

fn relax(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for constraint in ["enum", "pattern", "minLength", "maxLength", "maxItems", "minimum", "maximum"]
            {
                if map.get(constraint).is_some_and(|found| !found.is_object()) {
                    map.remove(constraint);
                }
            }
            map.values_mut().for_each(relax);
        }
        Value::Array(list) => list.iter_mut().for_each(relax),
        _ => {}
    }
}

fn expected(case: &Case, key: &str, number: usize) -> Option<(bool, String)> {
    let outcome = case.output.get(key)?;
    let message = outcome["message"].as_str().unwrap_or_default();
    let namespace = case.input["agentRuntime"]["metadata"]["namespace"].as_str().unwrap_or_default();
    let here = format!("in namespace case-{number}-{namespace}: ");
    let message = message.replace(&format!("in namespace {namespace}: "), &here);
    Some((outcome["allowed"] == true, message))
}

/// All `validate` cases of a profile, by a judge.
fn judge_all(server: &Server, profile: &'static Profile, judge: &Judge, tally: &mut Tally) {
    let cases: Vec<(usize, Case)> =
        cases("validate").into_iter().enumerate().filter(|(_, case)| case.profile == profile).collect();
    let object = |number: usize, case: &Case| moved(number, &case.input["agentRuntime"]);
    // An object that the schema refuses never reaches the rules.
    let reaches: Vec<bool> =
        cases.iter().map(|(number, case)| post(server, &object(*number, case)).0 == 201).collect();
    let mut problems: Vec<Option<Problem>> = vec![None; cases.len()];
    let check = |index: usize, key: &str, ask: &dyn Fn(&Server, &Value) -> Said| -> Option<Problem> {
        let (number, case) = &cases[index];
        let (allowed, message) = expected(case, key, *number)?;
        let object = object(*number, case);
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let (code, text) = ask(server, &object);
        let same = if allowed {
            matches!(code, 200 | 201)
        } else {
            (code, &text) == (403, &judge.wrapped(profile, name, &message))
        };
        (!same).then(|| Problem {
            verdict: allowed == (code == 403),
            text: format!("{key}: {code} {text:?}, the operator {:?}", case.output[key]),
        })
    };
    let reaching: Vec<usize> = (0..cases.len()).filter(|index| reaches[*index]).collect();
    judge.on(server);
    for &index in &reaching {
        problems[index] = check(index, "create", &post);
    }
    judge.off(server);
    let existing: Vec<(String, Value)> = reaching
        .iter()
        .map(|&index| object(cases[index].0, &cases[index].1))
        .map(|object| (path_of(&object), object))
        .collect();
    server.create_all(&existing);
    judge.on(server);
    for &index in &reaching {
        for (key, ask) in [("update", &put as &dyn Fn(&Server, &Value) -> Said), ("delete", &delete)] {
            problems[index] = problems[index].take().or_else(|| check(index, key, ask));
        }
    }
    judge.off(server);
    for (_, object) in &existing {
        server.merge(object, "kubectl", &json!({"metadata": {"finalizers": null}}));
        let path = one(object);
        assert_eq!(server.request("DELETE", &path, None).0, 200, "{path}");
    }
    for (index, (_, case)) in cases.iter().enumerate() {
        match (problems[index].take(), judge.apart(case)) {
            _ if !reaches[index] => tally.apart(case, "refused by the schema first"),
            (None, _) => tally.held(case),
            // Another message is one thing, another verdict is another.
            (Some(problem), Some(apart)) if !problem.verdict || !apart.verdict_holds => {
                tally.apart(case, apart.why);
            }
            (Some(problem), _) => tally.failed(case, problem.text),
        }
    }
}

/// Namespaces and rivals of the `validate` cases.
fn set_up(server: &Server, profile: &Profile) {
    let mut namespaces = std::collections::BTreeSet::new();
    let mut rivals = Vec::new();
    for (number, case) in cases("validate").iter().enumerate().filter(|(_, case)| case.profile == profile) {
        let others = case.input["objects"].as_array().into_iter().flatten();
        let others =
            others.filter(|object| object["kind"] == "AgentRuntime").map(|other| moved(number, other));
        let object = moved(number, &case.input["agentRuntime"]);
        for other in others {
            namespaces.insert(other["metadata"]["namespace"].as_str().unwrap_or_default().to_owned());
            // Among the others may be the object itself, as it was.
            if path_of(&other) != path_of(&object) || other["metadata"]["name"] != object["metadata"]["name"]
            {
                rivals.push((path_of(&other), other));
            }
        }
        namespaces.insert(object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned());
    }
    let namespaces: Vec<(String, Value)> = namespaces
        .into_iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .map(|namespace| ("/api/v1/namespaces".to_owned(), namespace))
        .collect();
    server.create_all(&namespaces);
    server.create_all(&rivals);
}

fn profile(name: &str) -> &'static Profile {
    Profile::by_name(name).expect("a profile")
}

/// With the CRD as it is: what a user of the cluster meets. The schema's own vectors too: what the schema refuses is
/// refused by it, and the rest gets the verdict of the library.
#[test]
fn webhook_and_policy_at_the_profiles_crd() {
    let server = server_for(profile("pr332"), false);
    let (mut called, mut uncalled) = (Tally::new(), Tally::new());
    for name in ["pr332", "pr332-merged"] {
        let profile = profile(name);
        set_up(&server, profile);
        let webhook = Judge::webhook(&server, profile, &[]);
        judge_all(&server, profile, &webhook, &mut called);
        schema_cases(&server, profile, &webhook, &mut called);
        let policy = Judge::policy(profile, &Binding::default());
        judge_all(&server, profile, &policy, &mut uncalled);
        schema_cases(&server, profile, &policy, &mut uncalled);
    }
    println!("webhook, called by {CURRENT}:");
    called.finish();
    println!("policy in {CURRENT}:");
    uncalled.finish();
}

fn schema_cases(server: &Server, profile: &'static Profile, judge: &Judge, tally: &mut Tally) {
    judge.on(server);
    for case in cases("schema").into_iter().filter(|case| case.profile == profile) {
        let mut object = case.input["agentRuntime"].clone();
        object["metadata"]["namespace"] = json!("webhook");
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let (code, text) = post(server, &object);
        let refusal = AgentRuntimeSpec::from_object(&object).ok().and_then(|spec| {
            let runtime = ObjectRef {
                api_version: String::new(),
                kind: String::new(),
                namespace: "webhook".to_owned(),
                name: name.clone(),
            };
            verdict(profile, Operation::Create, &runtime, &spec, Rivals::Unknown).message()
        });
        let same = match (case.output["allowed"] == true, refusal) {
            (false, _) => matches!(code, 400 | 422),
            (true, None) => code == 201,
            (true, Some(message)) => (code, &text) == (403, &judge.wrapped(profile, &name, &message)),
        };
        tally.outcome(&case, if same { Ok(()) } else { Err(format!("{code} {text}")) });
    }
    judge.off(server);
}

/// Without the CRD's constraints, so that the rules themselves meet every vector.
#[test]
fn webhook_and_policy_at_a_crd_without_constraints() {
    let server = server_for(profile("pr332"), true);
    let (mut called, mut uncalled) = (Tally::new(), Tally::new());
    for name in ["pr332", "pr332-merged"] {
        let profile = profile(name);
        set_up(&server, profile);
        judge_all(&server, profile, &Judge::webhook(&server, profile, &[]), &mut called);
        judge_all(&server, profile, &Judge::policy(profile, &Binding::default()), &mut uncalled);
    }
    println!("webhook without constraints in the CRD:");
    called.finish();
    println!("policy without constraints in the CRD:");
    uncalled.finish();
}

/// The rule that only later profiles have, in both naming schemes, and none of the older ones.
#[test]
fn the_tls_bridge_at_the_crds_of_later_profiles() {
    for name in ["head", "rossoctl"] {
        let profile = profile(name);
        let server = server_for(profile, false);
        let with = |mode: &str, bridge: &str| {
            let mut object = canary(profile, "bridged", &[]);
            object["spec"]["authBridgeMode"] = json!(mode);
            object["spec"]["tlsBridgeMode"] = json!(bridge);
            object["spec"]["mtlsMode"] = json!("strict");
            object
        };
        let refused = "tlsBridgeMode=enabled requires authBridgeMode proxy-sidecar or lite (the TLS bridge lives in the \
                       Go forward proxy); it is not supported with authBridgeMode \"waypoint\"";
        let webhook = Judge::webhook(&server, profile, &[]);
        for judge in [webhook, Judge::policy(profile, &Binding::default())] {
            judge.apply(&server);
            until(|| post(&server, &with("waypoint", "enabled")).0 == 403, "the rule");
            assert_eq!(
                post(&server, &with("waypoint", "enabled")),
                (403, judge.wrapped(profile, "bridged", refused)),
                "{name}"
            );
            for (mode, bridge) in
                [("waypoint", "disabled"), ("lite", "enabled"), ("envoy-sidecar", "disabled")]
            {
                assert_eq!(post(&server, &with(mode, bridge)).0, 201, "{name} {mode} {bridge}");
            }
            judge.withdraw(&server);
            until(|| post(&server, &with("waypoint", "enabled")).0 == 201, "the rule to go");
        }
    }
}

/// Q16: an object that became invalid keeps its finalizer for ever, unless asked otherwise.
#[test]
fn an_invalid_object_can_be_let_go() {
    let profile = profile("pr332-merged");
    let server = server_for(profile, false);
    let mut object = broken();
    object["metadata"]["name"] = json!("leaving");
    object["metadata"]["finalizers"] = json!(["kagenti.io/cleanup"]);
    let lenient = Binding { pass_deleting: true, ..Binding::default() };
    let judges = [
        (Judge::webhook(&server, profile, &[]), 403),
        (Judge::webhook(&server, profile, &["--pass-deleting"]), 200),
        (Judge::policy(profile, &Binding::default()), 403),
        (Judge::policy(profile, &lenient), 200),
    ];
    for (judge, code) in judges {
        server.create(&path_of(&object), &object);
        let path = format!("{}/leaving", path_of(&object));
        assert_eq!(server.request("DELETE", &path, None).0, 200);
        judge.on(&server);
        let mut released = server.get(&path);
        released["metadata"]["finalizers"] = json!([]);
        let answer = server.request("PUT", &path, Some(&released));
        assert_eq!(answer.0, code, "{}", answer.1);
        judge.off(&server);
        if code == 403 {
            assert_eq!(server.request("PUT", &path, Some(&released)).0, 200);
        }
    }
}

/// Without its rights the webhook answers as the operator's does when its list fails, says what is missing, and is not
/// ready.
#[test]
fn without_rights_the_webhook_is_not_ready_and_says_why() {
    let profile = profile("pr332-merged");
    let server = server_for(profile, false);
    let directory = tempfile::tempdir().expect("a directory");
    Authority::new().renew(directory.path(), 0);
    let program = webhook_as_service_account(&server, profile, directory.path(), &[]);
    program.until("/readyz", 200);
    drop(program);
    // Without `list` a server of this version loses nothing: a watch streams the list first (KEP-3157).
    let rights = json!([{"op": "replace", "path": "/rules/0/verbs", "value": ["list"]}]).to_string();
    let program = webhook_with_rights(&server, profile, directory.path(), &[], &|| {
        server.kubectl(&["patch", "clusterrole", NAME, "--type=json", "-p", &rights], "");
    });
    let said = program.logged("a watch of AgentRuntimes broke");
    let text = said["error"].as_str().unwrap_or_default();
    assert!(text.contains("cannot watch resource \"agentruntimes\""), "without watch: {text}");
    assert_eq!(program.get("/readyz").0, 503, "a webhook that does not see rivals says that it is ready");
}
