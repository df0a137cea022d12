//! `set` against a server where somebody else writes the list between reading and writing, and where the second of two lists
//! cannot be written; and what the verbs say of a cluster that serves SkillBindings alone, or nothing of ours.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::cluster::not_found;
use super::server::{Answer, Request, Server};
use super::skills;

const LISTS: &str = "/apis/skills.kagenti.dev/v1alpha1/namespaces/team1/skillbindings";

/// A SkillBinding with one skill of its name.
fn binding(name: &str, skills: &[(&str, &str)], more: &Value) -> Value {
    let skill = |(name, image): &(&str, &str)| json!({"name": name, "image": image, "mountPath": format!("/skills/{name}")});
    let mut object = json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
        "metadata": {"name": name, "namespace": "team1", "resourceVersion": "1", "uid": name},
        "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                 "skills": skills.iter().map(skill).collect::<Vec<_>>()},
    });
    object["spec"].as_object_mut().expect("a spec").extend(more.as_object().expect("fields").clone());
    object
}

/// A cluster of SkillBindings and a Deployment whose pod is given; each write of a list is answered by `write`.
fn cluster(
    lists: &[Value],
    pod: Value,
    write: impl Fn(&Request, &mut Vec<Value>) -> Answer + Send + Sync + 'static,
) -> Server {
    let lists = Mutex::new(lists.to_vec());
    Server::start(move |request| {
        let mut lists = lists.lock().expect("the lists");
        match request.path.as_str() {
            "/version" => Answer::Json(200, json!({"gitVersion": "v1.36.0", "major": "1", "minor": "36"})),
            "/apis/skills.kagenti.dev" => Answer::Json(200, json!({"versions": [{"version": "v1alpha1"}]})),
            "/apis/skills.kagenti.dev/v1alpha1" => Answer::Json(200, json!({"kind": "APIResourceList"})),
            "/apis/apps/v1/deployments" => {
                Answer::Json(200, json!({"kind": "DeploymentList", "metadata": {}, "items": []}))
            }
            LISTS => Answer::Json(
                200,
                json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBindingList", "metadata": {}, "items": *lists}),
            ),
            "/apis/apps/v1/namespaces/team1/deployments/web" => Answer::Json(
                200,
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "team1"},
                       "spec": {"template": {"metadata": {"labels": {"app": "web"}}, "spec": pod}}}),
            ),
            path if path.starts_with(LISTS) => {
                if request.method != "GET" {
                    return write(request, &mut lists);
                }
                let name = path.rsplit('/').next();
                let found = lists.iter().find(|list| list["metadata"]["name"].as_str() == name);
                found.map_or_else(not_found, |list| Answer::Json(200, list.clone()))
            }
            _ => not_found(),
        }
    })
}

fn conflict() -> Answer {
    Answer::Json(
        409,
        json!({"kind": "Status", "code": 409, "reason": "Conflict", "message": "the object has been modified"}),
    )
}

fn plain_pod() -> Value {
    json!({"containers": [{"name": "agent", "image": "agent:1"}]})
}

const ONE: &[(&str, &str)] = &[("pdf", "x/pdf:1"), ("csv", "x/csv:1")];

/// Said to be set and in no list: the agent goes on without the skill, and nobody looks.
#[test]
fn a_skill_that_somebody_takes_out_meanwhile_is_not_said_to_be_set() {
    let taken = |skills: &'static [(&'static str, &'static str)], words: &'static [&'static str]| {
        let rounds = AtomicUsize::new(0);
        let server = cluster(&[binding("tools", ONE, &json!({}))], plain_pod(), move |_, lists| {
            if rounds.fetch_add(1, Ordering::Relaxed) == 0 {
                lists[0] = binding("tools", skills, &json!({}));
                lists[0]["metadata"]["resourceVersion"] = json!("2");
                return conflict();
            }
            Answer::Json(200, lists[0].clone())
        });
        let said = skills_of(&server, words);
        (said, server.writes())
    };
    let (said, writes) = taken(&[("csv", "x/csv:1")], &["pdf=x/pdf:2"]);
    assert_eq!((said.code, said.stdout.as_str(), writes), (4, "", 1), "{said:?}");
    assert_eq!(
        said.stderr,
        "error: skillbinding team1/tools: pdf was taken out of the list by somebody else meanwhile; nothing is set in it\n  \
         look at the list, and run again if it is still meant\n"
    );
    let (said, writes) =
        taken(&[("pdf", "x/pdf:1"), ("csv", "x/csv:1"), ("xml", "x/xml:7")], &["xml=x/xml:1", "--add"]);
    assert_eq!((said.code, said.stdout.as_str(), writes), (4, "", 1), "{said:?}");
    assert!(said.stderr.contains("xml was added to the list by somebody else meanwhile"), "{said:?}");
    // What is meant holds over another change as well, and is reported as it was written last.
    let (said, writes) =
        taken(&[("pdf", "x/pdf:9"), ("csv", "x/csv:1")], &["pdf=x/pdf:2", "csv-", "-o", "json"]);
    assert_eq!((said.code, writes), (0, 2), "{said:?}");
    let list: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let change = |skill: &str, from: &str, to: Value| json!({"kind": "SkillBinding", "namespace": "team1", "name": "tools", "skill": skill, "from": from, "to": to});
    assert_eq!(
        list["items"],
        json!([change("pdf", "x/pdf:9", json!("x/pdf:2")), change("csv", "x/csv:1", Value::Null)])
    );
}

fn skills_of(server: &Server, words: &[&str]) -> super::Said {
    skills(server, &[&["set", "deployment/web", "-n", "team1"][..], words].concat())
}

/// What is in the cluster is said: whoever runs again must know where to go on.
#[test]
fn the_list_that_was_set_is_said_before_the_one_that_was_not() {
    let lists =
        [binding("a", &[("pdf", "x/pdf:1")], &json!({})), binding("b", &[("csv", "x/csv:1")], &json!({}))];
    let server = cluster(&lists, plain_pod(), |request, lists| {
        if request.path.ends_with("/b") {
            let status =
                json!({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "not this one"});
            return Answer::Json(403, status);
        }
        Answer::Json(200, lists[0].clone())
    });
    let said = skills_of(&server, &["pdf=x/pdf:2", "csv=x/csv:2"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (4, "skillbinding.skills.kagenti.dev/a skills set\n"),
        "{said:?}"
    );
    assert!(said.stderr.contains("skillbindings team1/b"), "{said:?}");
}

/// `apply` does nothing for pods that the API server gives their skills, nor for what a render has put into a workload.
#[test]
fn what_is_left_to_do_is_what_helps() {
    let note = |more: Value, pod: Value| {
        let lists = [binding("tools", &[("pdf", "x/pdf:1")], &more)];
        let server = cluster(&lists, pod, |_, lists| Answer::Json(200, lists[0].clone()));
        let said = skills_of(&server, &["pdf=x/pdf:2"]);
        assert_eq!(said.code, 0, "{said:?}");
        said.stderr.lines().find(|line| line.starts_with("note: ")).expect("a note").to_owned()
    };
    assert_eq!(
        note(json!({}), plain_pod()),
        "note: where no controller runs, 'kubectl skills apply -n team1' brings it into the workload; \
         'kubectl skills status -n team1' says whether it is there"
    );
    assert_eq!(
        note(json!({"delivery": "Pod"}), plain_pod()),
        "note: new pods of tools have it; where no controller runs, 'kubectl skills restart tools -n team1' makes those anew that run"
    );
    let mut rendered = plain_pod();
    rendered["volumes"] = json!([{"name": "skill-pdf", "configMap": {"name": "pdf"}}]);
    assert_eq!(
        note(json!({}), rendered),
        "note: Deployment/web has its skills from a render, out of ConfigMaps or by init containers: set them where its manifests \
         are as well, render these again with 'kubectl skills render --delivery', and apply them"
    );
}

/// A user of SkillBindings has no operator, and an operator's CRD is not what is missing.
#[test]
fn a_cluster_without_any_list_is_helped_to_the_one_that_fits() {
    let server = Server::start(|request| match request.path.as_str() {
        "/version" => Answer::Json(200, json!({"gitVersion": "v1.36.0"})),
        _ => not_found(),
    });
    for verb in ["status", "apply", "doctor"] {
        let said = skills(&server, &[verb, "-n", "team1"]);
        let all = format!("{}{}", said.stdout, said.stderr);
        for command in [
            "kubectl skills crd --skill-binding | kubectl apply -f -",
            "kubectl skills crd | kubectl apply -f -",
        ] {
            assert!(all.contains(command), "{verb}: {said:?}");
        }
    }
    let said = skills(&server, &["doctor", "-n", "team1"]);
    assert!(
        said.stdout.lines().any(|line| {
            line.starts_with("warning")
                && line.contains("AgentRuntime API   neither AgentRuntimes nor SkillBindings are served")
        }),
        "{said:?}"
    );
    for (verb, scope, words) in [
        ("status", &["-n", "team1"][..], ", and no workload in namespace \"team1\" has skills of a render\n"),
        ("list", &["-A"], ", and no workload in any namespace has skills of a render\n"),
        ("outdated", &["-n", "team1"], ", and no workload in namespace \"team1\" has skills of a render\n"),
        ("plan", &["-n", "team1"], ": there is no list of skills to plan by\n"),
        ("diff", &["-n", "team1"], ": there is no list of skills to plan by\n"),
    ] {
        let said = skills(&server, &[&[verb][..], scope].concat());
        let wanted = format!("error: the cluster has neither SkillBindings nor AgentRuntimes{words}");
        assert!(said.code == 4 && said.stderr.starts_with(&wanted), "{verb}: {said:?}");
        assert_eq!(said.stderr.contains("-A looks in all"), words.contains("team1"), "{verb}: {said:?}");
    }
    // With SkillBindings alone nothing is missing; without an answer about them, nothing is known to be.
    let lists = [binding("tools", ONE, &json!({}))];
    let state = |server: &Server| {
        let said = skills(server, &["doctor", "-n", "team1", "-o", "json"]);
        let found: Value = serde_json::from_str(&said.stdout).expect("JSON");
        let rows = found["checks"].as_array().expect("rows").clone();
        let row = rows.into_iter().find(|row| row["check"] == "AgentRuntime API").expect("a row");
        row["state"].as_str().expect("a state").to_owned()
    };
    assert_eq!(state(&cluster(&lists, plain_pod(), |_, _| not_found())), "ok");
    let server = Server::start(|request| match request.path.as_str() {
        "/version" => Answer::Json(200, json!({"gitVersion": "v1.36.0"})),
        path if path.starts_with("/apis/skills.kagenti.dev") => Answer::Text(403, "blocked"),
        _ => not_found(),
    });
    assert_eq!(state(&server), "unknown");
}

/// Two verbs that name different profiles for one cluster leave nobody knowing which rules hold.
#[test]
fn version_marks_the_profile_that_the_other_verbs_take() {
    let server = cluster(&[binding("tools", ONE, &json!({}))], plain_pod(), |_, _| not_found());
    let said = skills(&server, &["version", "--live"]);
    let chosen: Vec<&str> = said.stdout.lines().filter(|line| line.trim_end().ends_with(" yes")).collect();
    assert!(said.code == 0 && chosen.len() == 1 && chosen[0].starts_with("rossoctl "), "{said:?}");
    assert!(
        said.stdout.contains("\nprofile rossoctl: the cluster serves SkillBindings and no AgentRuntime\n"),
        "{said:?}"
    );
    let said = skills(&server, &["version", "--live", "--profile", "head", "-o", "json"]);
    let found: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!((&found["profile"], &found["cluster"]["profile"]), (&json!("head"), &Value::Null), "{said:?}");
}

/// "the cluster serves SkillBindings" of a cluster without their CRD sends its reader looking for one.
#[test]
fn a_diff_of_lists_that_nobody_serves_says_where_they_are() {
    let server = Server::start(|request| match (request.method.as_str(), request.path.as_str()) {
        (_, "/version") => Answer::Json(200, json!({"gitVersion": "v1.36.0", "major": "1", "minor": "36"})),
        (method, _) if method != "GET" => Answer::Json(200, request.body.clone()),
        _ => not_found(),
    });
    let workload = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "team1"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": plain_pod()}},
    });
    let mut list = binding("tools", ONE, &json!({}));
    list["metadata"] = json!({"name": "tools", "namespace": "team1"});
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("web.yaml");
    std::fs::write(&file, format!("{workload}\n---\n{list}\n")).expect("a file");
    let said = skills(&server, &["diff", "--live", "-f", file.to_str().expect("a path")]);
    let reason =
        "profile rossoctl because the manifests have SkillBindings and the cluster serves no AgentRuntime";
    assert!(said.stderr.contains(reason), "{said:?}");
}
