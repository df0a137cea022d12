//! SkillBindings: on a cluster without any operator, and alongside one that only observes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::process::{Controller, condition, events, eventually, images, live, merge, put, until_condition};
use crate::objects::{binding, cron_job, deployment, listed, one};
use crate::server::Server;

const SKILL_BINDING: &[&str] = &["--skill-binding"];

fn version(server: &Server, object: &Value) -> Value {
    live(server, object)["metadata"]["resourceVersion"].clone()
}

fn replace_skills(server: &Server, binding: &Value, skills: &[(&str, &str)]) {
    merge(server, binding, "kubectl", &json!({"spec": {"skills": listed(skills)}}));
}

fn delete(server: &Server, object: &Value) {
    assert!(server.request("DELETE", &one(object), None).0 < 300);
    eventually("its end", || (server.request("GET", &one(object), None).0 == 404).then_some(()));
}

/// Pod template of a CronJob, so that its images are found as those of others are.
fn job(object: &Value) -> Value {
    object["spec"]["jobTemplate"].clone()
}

/// Nothing but the workload's own is left in it.
fn assert_clean(workload: &Value, template: &Value) {
    assert_eq!(images(template), [""; 0]);
    let mounts = template.pointer("/spec/template/spec/containers/0/volumeMounts");
    let mounts = mounts.and_then(Value::as_array).into_iter().flatten();
    assert!(mounts.into_iter().all(|mount| mount["name"] == "cache"), "{workload}");
    let annotations = workload["metadata"]["annotations"].as_object().into_iter().flatten();
    assert!(annotations.into_iter().all(|(key, _)| !key.ends_with("/skills")), "{workload}");
}

/// Nothing of kagenti is there, and a list of skills reaches workloads and leaves them again.
#[test]
fn a_cluster_without_any_operator_gets_skills_by_bindings() {
    let server = Server::with_crds(&[SKILL_BINDING]);
    let namespace = "team1";
    server.namespace(namespace);
    let controller = Controller::start(&server, &[]);
    let (mut weather, other) = (deployment(namespace, "weather"), deployment(namespace, "other"));
    // No node makes a pod ready, which a rolling update would wait for.
    weather["spec"]["strategy"] = json!({"type": "Recreate"});
    let bound = binding(namespace, "tools", "weather", &[("pdf", "quay.io/example/pdf:1")]);
    put(&server, &bound);
    until_condition(&server, &bound, "Ready", "False TargetNotFound");
    put(&server, &weather);
    put(&server, &other);
    until_condition(&server, &bound, "Ready", "True Delivered");
    let found = live(&server, &weather);
    assert_eq!(images(&found), ["quay.io/example/pdf:1"]);
    assert_eq!(found["metadata"]["annotations"]["rossoctl.io/skills"], "[\"pdf\"]");
    let now = live(&server, &bound);
    assert_eq!(now["metadata"]["finalizers"], json!(["skills.kagenti.dev/cleanup"]));
    assert_eq!(now["status"]["observedGeneration"], 1);
    let pods = |up_to_date: u32| {
        let pods = json!({"upToDate": up_to_date, "stale": 0, "without": 0});
        json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "weather", "pods": pods}])
    };
    eventually("its pod", || (live(&server, &bound)["status"]["workloads"] == pods(1)).then_some(()));
    assert_eq!(
        live(&server, &bound)["status"]["skills"],
        json!([{"name": "pdf", "image": "quay.io/example/pdf:1"}])
    );
    let mut said = eventually("both events", || Some(events(&server, &bound)).filter(|all| all.len() == 2));
    said.sort();
    assert_eq!(
        said,
        [
            "Normal Delivered 1 skill in 1 workload",
            "Warning TargetNotFound spec.targetRef.name: apps/v1/Deployment weather not found in namespace team1",
        ]
    );

    // At rest nothing is written.
    let before = [&bound, &weather].map(|object| version(&server, object));
    let written = controller.metric("writes_total{what=\"status\"}");
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!([&bound, &weather].map(|object| version(&server, object))[0], before[0]);
    assert_eq!(controller.metric("writes_total{what=\"status\"}"), written);
    assert_eq!(controller.metric("writes_total{what=\"workload\"}"), 1.0);

    // Digests come from the nodes.
    let list = server.get(&format!("/api/v1/namespaces/{namespace}/pods?labelSelector=app%3Dweather"));
    let pods_of = list["items"].as_array().expect("a list").iter();
    let pod =
        pods_of.into_iter().find(|pod| pod["spec"]["volumes"].to_string().contains("pdf:1")).expect("a pod");
    let reported = json!({"status": {"containerStatuses": [{
        "name": "agent", "image": "a", "imageID": "", "ready": false, "restartCount": 0, "started": false, "state": {},
        "lastState": {},
        "volumeMounts": [{"name": "skill-pdf", "mountPath": "/skills/pdf", "readOnly": true,
            "volumeStatus": {"image": {"imageRef": "quay.io/example/pdf@sha256:aa"}}}]}]}});
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods/{}/status",
        pod["metadata"]["name"].as_str().expect("a name")
    );
    let (code, answer) = server.send("PATCH", &path, "application/merge-patch+json", Some(&reported));
    assert_eq!(code, 200, "{answer}");
    eventually("its digest", || {
        let digests = json!(["quay.io/example/pdf@sha256:aa"]);
        (live(&server, &bound)["status"]["skills"][0]["digests"] == digests).then_some(())
    });

    // Another image, and one skill more.
    replace_skills(&server, &bound, &[("pdf", "quay.io/example/pdf:2"), ("web", "quay.io/example/web:1")]);
    eventually("the new images", || {
        let wanted = ["quay.io/example/pdf:2", "quay.io/example/web:1"];
        (images(&live(&server, &weather)) == wanted).then_some(())
    });
    eventually("its generation", || {
        (live(&server, &bound)["status"]["observedGeneration"] == 2).then_some(())
    });

    // A CronJob by its labels, and the same Deployment: skills of several add up.
    let nightly = cron_job(namespace, "nightly", json!({"tier": "batch"}));
    put(&server, &nightly);
    let mut chosen = binding(namespace, "by-label", "", &[("csv", "quay.io/example/csv:1")]);
    chosen["spec"]["targetRef"] = Value::Null;
    chosen["spec"]["selector"] = json!({"matchLabels": {"tier": "batch"}});
    put(&server, &chosen);
    until_condition(&server, &chosen, "Ready", "True Delivered");
    assert_eq!(images(&job(&live(&server, &nightly))), ["quay.io/example/csv:1"]);
    merge(
        &server,
        &nightly,
        "kubectl",
        &json!({"spec": {"jobTemplate": {"spec": {"template": {"metadata": {"labels": {"tier": "none"}}}}}}}),
    );
    until_condition(&server, &chosen, "Ready", "False NoWorkloadSelected");
    let after = live(&server, &nightly);
    assert_clean(&after, &job(&after));

    // The same skill twice is written by neither.
    let clashing = binding(namespace, "zzz", "weather", &[("pdf", "quay.io/example/pdf:9")]);
    put(&server, &clashing);
    until_condition(&server, &clashing, "Ready", "False Clash");
    until_condition(&server, &bound, "Ready", "False Clash");
    assert_eq!(images(&live(&server, &weather))[0], "quay.io/example/pdf:2");
    delete(&server, &clashing);
    until_condition(&server, &bound, "Ready", "True Delivered");

    // To another workload.
    let target = json!({"spec": {"targetRef": {"name": "other"}}});
    merge(&server, &bound, "kubectl", &target);
    eventually("the other's images", || (images(&live(&server, &other)).len() == 2).then_some(()));
    eventually("the end of the first's", || images(&live(&server, &weather)).is_empty().then_some(()));
    let after = live(&server, &weather);
    assert_clean(&after, &after);
    eventually("one in the list", || {
        let workloads = live(&server, &bound)["status"]["workloads"].clone();
        (workloads.as_array()?.len() == 1 && workloads[0]["name"] == "other").then_some(())
    });

    // Delivered to pods: the workload is left as its author has it.
    merge(&server, &bound, "kubectl", &json!({"spec": {"delivery": "Pod", "rollout": "Manual"}}));
    eventually("the end of images", || images(&live(&server, &other)).is_empty().then_some(()));
    eventually("the end of the finalizer", || {
        live(&server, &bound)["metadata"].get("finalizers").is_none().then_some(())
    });
    merge(&server, &bound, "kubectl", &json!({"spec": {"delivery": "Workload"}}));
    eventually("images again", || (images(&live(&server, &other)).len() == 2).then_some(()));

    delete(&server, &bound);
    let after = live(&server, &other);
    assert_clean(&after, &after);
    delete(&server, &chosen);
    assert_eq!(controller.end().0, Some(0));

    // No controller runs any more, and nothing hangs.
    let mut orphan = binding(namespace, "orphan", "other", &[("pdf", "quay.io/example/pdf:1")]);
    orphan["metadata"]["finalizers"] = json!(["skills.kagenti.dev/cleanup"]);
    put(&server, &orphan);
    let said = server.skills(&["apply", "-n", namespace, "--remove"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stdout.contains("skillbinding.skills.kagenti.dev/orphan finalizer removed"),
        "{}",
        said.stdout
    );
    assert_eq!(live(&server, &orphan)["metadata"].get("finalizers"), None);
}

/// Nothing of the workload is written but one annotation of its pod template, which makes pods anew that lack the skills; with
/// rollout Manual not even that, until somebody asks for it.
#[test]
fn pods_get_their_skills_anew_by_themselves_or_by_hand() {
    let server = Server::with_crds(&[SKILL_BINDING]);
    let namespace = "team1";
    server.namespace(namespace);
    let policy = server.skills(&["policy", "--inject"]);
    assert_eq!(policy.code, 0, "{}", policy.stderr);
    server.kubectl(&["apply", "--server-side", "-f", "-"], &policy.stdout);
    let mut workload = deployment(namespace, "weather");
    workload["spec"]["strategy"] = json!({"type": "Recreate"});
    put(&server, &workload);
    let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector=app%3Dweather");
    eventually("a pod", || (server.get(&path)["items"].as_array()?.len() == 1).then_some(()));
    let _controller = Controller::start(&server, &[]);
    let mut bound = binding(namespace, "tools", "weather", &[("pdf", "quay.io/example/pdf:1")]);
    bound["spec"]["delivery"] = json!("Pod");
    put(&server, &bound);
    let pods = |up_to_date: u32, stale: u32| {
        let wanted = json!({"upToDate": up_to_date, "stale": stale, "without": 0});
        eventually("its pods", || {
            (live(&server, &bound)["status"]["workloads"][0]["pods"] == wanted).then_some(())
        });
    };
    pods(1, 0);
    let template = || live(&server, &workload)["spec"]["template"].clone();
    let mut wanted = workload["spec"]["template"].clone();
    let hash = template()["metadata"]["annotations"]["skills.kagenti.dev/rollout"].clone();
    assert_eq!(hash.as_str().map(str::len), Some(64), "{}", template());
    assert_eq!(images(&live(&server, &workload)), [""; 0]);

    // Another image: once more, and then never again.
    replace_skills(&server, &bound, &[("pdf", "quay.io/example/pdf:2")]);
    eventually("another hash", || {
        (template()["metadata"]["annotations"]["skills.kagenti.dev/rollout"] != hash).then_some(())
    });
    pods(1, 0);
    let generation = || live(&server, &workload)["metadata"]["generation"].clone();
    let before = generation();
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(generation(), before, "pods that have their skills are made anew");

    merge(&server, &bound, "kubectl", &json!({"spec": {"rollout": "Manual"}}));
    replace_skills(&server, &bound, &[("pdf", "quay.io/example/pdf:3")]);
    pods(0, 1);
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(generation(), before, "with rollout Manual nothing is written");
    let restart = |more: &[&str]| {
        let said = server.skills(&[&["restart", "tools", "-n", namespace], more].concat());
        assert_eq!(said.code, 0, "{}", said.stderr);
        said.stdout
    };
    assert_eq!(
        restart(&["--dry-run"]),
        "deployment.apps/weather would be restarted: 1 of 1 pods without the skills as they are now\n"
    );
    assert_eq!(generation(), before);
    assert_eq!(
        restart(&[]),
        "deployment.apps/weather restarted: 1 of 1 pods without the skills as they are now\n"
    );
    pods(1, 0);
    assert_eq!(
        restart(&[]),
        "deployment.apps/weather left: 0 of 1 pods without the skills as they are now\n"
    );
    // All else is as its author has it.
    let found = template();
    wanted["metadata"]["annotations"] = found["metadata"]["annotations"].clone();
    let keys: Vec<&String> =
        found["metadata"]["annotations"].as_object().expect("annotations").keys().collect();
    assert_eq!(keys, ["kubectl.kubernetes.io/restartedAt", "skills.kagenti.dev/rollout"]);
    assert_eq!(found["metadata"], wanted["metadata"]);
    assert_eq!(found["spec"]["volumes"], wanted["spec"]["volumes"]);
}

/// What the newest operator was recorded to write (vectors of `head`): labels, hash and `linkedSkills`, by full updates.
struct Observer<'s> {
    server: &'s Server,
    namespace: &'s str,
}

impl Observer<'_> {
    fn run(&self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let all = self.server.get(&format!(
                "/apis/agent.kagenti.dev/v1alpha1/namespaces/{}/agentruntimes",
                self.namespace
            ));
            for agent in all["items"].as_array().expect("a list") {
                self.reconcile(agent);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn reconcile(&self, agent: &Value) {
        let name = agent["metadata"]["name"].as_str().expect("a name");
        let path = format!("/apis/apps/v1/namespaces/{}/deployments/{name}", self.namespace);
        let before = self.server.get(&path);
        let mut workload = before.clone();
        let labels = &mut workload["metadata"]["labels"];
        labels["kagenti.io/type"] = json!("agent");
        labels["app.kubernetes.io/managed-by"] = json!("kagenti-operator");
        let template = &mut workload["spec"]["template"]["metadata"];
        template["labels"]["kagenti.io/type"] = json!("agent");
        if template["annotations"].is_null() {
            template["annotations"] = json!({});
        }
        template["annotations"]["kagenti.io/config-hash"] = json!("5".repeat(64));
        if workload != before {
            // A conflict is made up for by the next round.
            self.server.request("PUT", &format!("{path}?fieldManager=manager"), Some(&workload));
        }
        let linked = before["metadata"]["annotations"]["kagenti.io/skills"].as_str();
        let linked: Value = linked.map_or(Value::Null, |text| serde_json::from_str(text).expect("a list"));
        if agent["status"]["linkedSkills"] != linked {
            let path = format!(
                "/apis/agent.kagenti.dev/v1alpha1/namespaces/{}/agentruntimes/{name}/status?fieldManager=manager",
                self.namespace
            );
            let patch = json!({"status": {"linkedSkills": linked}});
            self.server.send("PATCH", &path, "application/merge-patch+json", Some(&patch));
        }
    }
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect("a number"))
}

/// Neither undoes the other. `BINDINGS` and `CHANGES` make it larger.
#[test]
fn beside_an_operator_that_observes_everything_converges() {
    let (count, changes) = (number("BINDINGS", 20), number("CHANGES", 5));
    let server = Server::with_crds(&[SKILL_BINDING, &["--profile", "head"]]);
    let namespace = "team1";
    server.namespace(namespace);
    let name = |index: usize| format!("agent{index}");
    let (mut agents, mut workloads, mut bindings) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..count {
        let workload = deployment(namespace, &name(index));
        put(&server, &workload);
        let mut agent = crate::objects::runtime(namespace, &name(index), &[]);
        agent["spec"].as_object_mut().expect("a spec").shift_remove("skills");
        put(&server, &agent);
        agents.push(agent);
        workloads.push(workload);
    }
    let stop = AtomicBool::new(false);
    let mut wanted: Vec<Vec<(String, String)>> = Vec::new();
    std::thread::scope(|scope| {
        let observer = Observer { server: &server, namespace };
        let stop = &stop;
        scope.spawn(move || observer.run(stop));
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut controller = Controller::start(&server, &[]);
            for index in 0..count {
                let bound =
                    binding(namespace, &name(index), &name(index), &[("pdf", "quay.io/example/pdf:0")]);
                put(&server, &bound);
                bindings.push(bound);
                wanted.push(vec![("pdf".into(), "quay.io/example/pdf:0".into())]);
            }
            for change in 1..=changes {
                for index in 0..count {
                    let image = format!("quay.io/example/pdf:{change}");
                    let mut skills = vec![("pdf".to_owned(), image)];
                    if (index + change) % 3 == 0 {
                        skills.push((format!("extra{change}"), format!("quay.io/example/extra:{index}")));
                    }
                    let refs: Vec<(&str, &str)> =
                        skills.iter().map(|(name, image)| (name.as_str(), image.as_str())).collect();
                    replace_skills(&server, &bindings[index], &refs);
                    wanted[index] = skills;
                }
                if change == changes / 2 {
                    // Killed in the middle of it, and nothing is lost.
                    controller.kill();
                    controller = Controller::start(&server, &[]);
                }
            }
            // A quarter goes.
            for index in (0..count).step_by(4) {
                assert!(server.request("DELETE", &one(&bindings[index]), None).0 < 300);
                wanted[index].clear();
            }
            for index in 0..count {
                let images_of: Vec<String> = wanted[index].iter().map(|(_, image)| image.clone()).collect();
                eventually(&format!("images of {index}"), || {
                    (images(&live(&server, &workloads[index])) == images_of).then_some(())
                });
                if wanted[index].is_empty() {
                    eventually("its end", || {
                        (server.request("GET", &one(&bindings[index]), None).0 == 404).then_some(())
                    });
                } else {
                    until_condition(&server, &bindings[index], "Ready", "True Delivered");
                }
                let names: Vec<Value> = wanted[index].iter().map(|(name, _)| name.as_str().into()).collect();
                let linked = if names.is_empty() { Value::Null } else { names.into() };
                eventually("linkedSkills", || {
                    (live(&server, &agents[index])["status"]["linkedSkills"] == linked).then_some(())
                });
            }
            // Pods come and go for some time after; the controller's own writes end.
            let writes = || {
                let count = |what: &str| controller.metric(&format!("writes_total{{what=\"{what}\"}}"));
                (count("workload"), count("status"), count("finalizer"))
            };
            eventually("rest", || {
                let before = writes();
                std::thread::sleep(Duration::from_secs(7));
                (before == writes()).then_some(())
            });
            let generations = || -> Vec<Value> {
                workloads
                    .iter()
                    .map(|workload| live(&server, workload)["metadata"]["generation"].clone())
                    .collect()
            };
            let before = generations();
            std::thread::sleep(Duration::from_secs(5));
            assert_eq!(generations(), before, "a workload is written though nothing changes");
            println!("{count} SkillBindings, {changes} changes: {:?} writes since the restart", writes());
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
    let mut labels: BTreeMap<String, usize> = BTreeMap::new();
    for (workload, agent) in workloads.iter().zip(&agents) {
        let found = live(&server, workload);
        let template = &found["spec"]["template"]["metadata"];
        assert_eq!(template["annotations"]["kagenti.io/config-hash"], "5".repeat(64));
        *labels.entry(template["labels"]["kagenti.io/type"].to_string()).or_default() += 1;
        // All of the AgentRuntime is the operator's.
        let agent = live(&server, agent);
        assert_eq!(agent["metadata"].get("finalizers"), None);
        assert_eq!(condition(&server, &agent, "Ready"), "");
    }
    assert_eq!(labels, BTreeMap::from([("\"agent\"".to_owned(), count)]));
}
