//! The quirks of a pod, Q4 to Q12 and Q17 to Q21 of docs/compatibility.md: with `exact` what the operator writes, without
//! it what we do, as whole objects.

use serde_json::{Value, json};

use crate::scenario::{Scenario, edited, labelled};

const POD: &str = "spec|template|spec";

fn at(rest: &str) -> String {
    format!("{POD}|{rest}")
}

/// Q4: the pod would start without the knowledge that kagenti's backend had mounted.
#[test]
fn q4_exact_removes_every_volume_with_the_prefix() {
    for name in ["configmap-volume-named-skill-0", "configmap-volumes-no-skills-spec"] {
        let scenario = Scenario::vector(&format!("skills-volumes/{name}"));
        let pod = &scenario.operator().workload["spec"]["template"]["spec"];
        assert!(!pod.to_string().contains(r#""configMap":{"name":"foo"}"#), "{name}: {pod}");
        assert!(scenario.before().to_string().contains(r#""configMap":{"name":"foo"}"#), "{name}");
    }
}

#[test]
fn q4_safe_keeps_volumes_that_are_not_images_and_their_mounts() {
    let scenario = Scenario::vector("skills-volumes/configmap-volumes-no-skills-spec");
    let ours = scenario.safe();
    assert_eq!(ours.workload, labelled(scenario.before(), &ours.hash, ""));
    assert_eq!(ours.quirks(), ["Q4"]);

    let claim = json!({"name": "skill-data", "persistentVolumeClaim": {"claimName": "data"}});
    let scenario = Scenario::configured().stale().set(&format!("workload|{}", at("volumes|-")), claim);
    let ours = scenario.safe();
    assert_eq!(ours.workload, labelled(scenario.before(), &ours.hash, ""));
    assert_eq!(
        ours.warnings,
        ["volume skill-data is not an image volume and is left; the operator would remove it [Q4]"]
    );
    assert!(!scenario.operator().workload.to_string().contains("persistentVolumeClaim"));
}

/// Q4: two owners of one volume name cannot both be right, and neither may lose silently.
#[test]
fn q4_safe_refuses_a_skill_whose_volume_is_somebody_elses() {
    let theirs = json!({"name": "skill-a", "secret": {"secretName": "s"}});
    let scenario = Scenario::configured().stale().set(&format!("workload|{}", at("volumes|0")), theirs);
    let ours = scenario.safe();
    assert_eq!(&ours.workload, scenario.before());
    assert_eq!(
        ours.problems,
        [
            "skill a needs the volume skill-a, and the workload has a volume of that name (secret) that is not ours"
        ]
    );
    assert_eq!(ours.condition("Ready").0, "False");
    assert_eq!(ours.condition("SkillsMounted"), ("", ""));
    assert!(!scenario.operator().workload.to_string().contains("secretName"));
}

/// Q5: an AgentRuntime that says nothing of skills would take the backend's away.
#[test]
fn q5_exact_wipes_the_annotation_whoever_wrote_it() {
    let scenario = Scenario::vector("skills-volumes/configmap-volumes-no-skills-spec")
        .set("workload|metadata|annotations|kagenti.io/skills", json!(r#"["foo", "bar"]"#));
    let theirs = scenario.operator();
    assert_eq!(theirs.workload["metadata"].get("annotations"), None);
    assert!(
        theirs.workload.to_string().contains("/app/skills/foo,/app/skills/bar"),
        "SKILL_FOLDERS stays behind"
    );
}

#[test]
fn q5_safe_keeps_names_of_others() {
    let text = r#"["foo", "bar"]"#;
    let scenario = Scenario::vector("skills-volumes/configmap-volumes-no-skills-spec")
        .set("workload|metadata|annotations|kagenti.io/skills", json!(text));
    let ours = scenario.safe();
    assert_eq!(ours.workload, labelled(scenario.before(), &ours.hash, text));
    assert_eq!(ours.quirks(), ["Q4", "Q5"]);
    // Deleted, the same: of the workload only the label of the operator goes.
    let going = scenario
        .with_workload(&ours.workload)
        .set("agentRuntime|metadata|deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    let gone = going.safe();
    let hash = gone.workload["spec"]["template"]["metadata"]["annotations"]["kagenti.io/config-hash"].clone();
    assert_ne!(hash, json!(ours.hash), "the hash becomes that of the defaults alone");
    assert_eq!(
        gone.workload,
        edited(
            &ours.workload,
            &[
                ("metadata|labels|app.kubernetes.io/managed-by", json!(null)),
                ("spec|template|metadata|annotations|kagenti.io/config-hash", hash)
            ]
        )
    );
}

/// Q6: the API server refuses a mount without a volume, so a deletion would never end.
#[test]
fn q6_exact_leaves_mounts_of_other_containers_dangling() {
    let theirs = Scenario::vector("deletion/sidecar-mount-dangles").operator();
    let pod = &theirs.workload["spec"]["template"]["spec"];
    assert_eq!(pod.get("volumes"), None);
    assert_eq!(pod["containers"][1]["volumeMounts"][0]["name"], "skill-a");
}

#[test]
fn q6_safe_takes_them_out_too() {
    // As an operator leaves a workload: hash and annotation are there.
    let scenario = Scenario::vector("deletion/sidecar-mount-dangles")
        .set("workload|metadata|annotations", json!({"kagenti.io/skills": r#"["a"]"#}))
        .set("workload|spec|template|metadata|annotations", json!({"kagenti.io/config-hash": "00"}));
    let ours = scenario.safe();
    let annotations = ours.workload["spec"]["template"]["metadata"]["annotations"].clone();
    assert_eq!(
        ours.workload,
        edited(
            scenario.before(),
            &[
                ("metadata|annotations", json!(null)),
                (&at("volumes"), json!(null)),
                (&at("containers|0|volumeMounts"), json!(null)),
                (&at("containers|1|volumeMounts"), json!(null)),
                ("spec|template|metadata|annotations", annotations),
            ]
        )
    );
    assert!(ours.quirks().contains(&"Q6"), "{:?}", ours.warnings);

    let scenario = Scenario::vector("skills-volumes/initcontainers-untouched");
    let mounts =
        scenario.safe().workload["spec"]["template"]["spec"]["initContainers"][0]["volumeMounts"].clone();
    assert_eq!(
        mounts,
        json!([{"mountPath": "/app/skills/old", "name": "skill-old", "readOnly": true},
            {"mountPath": "/a", "name": "skill-a"}]),
        "nothing says that skill-old is the operator's, so it stays with its mounts"
    );
    let stamped = scenario
        .set("workload|metadata|annotations", json!({"kagenti.io/skills": r#"["old"]"#}))
        .set("workload|spec|template|metadata|annotations", json!({"kagenti.io/config-hash": "00"}));
    let mounts =
        stamped.safe().workload["spec"]["template"]["spec"]["initContainers"][0]["volumeMounts"].clone();
    assert_eq!(
        mounts,
        json!([{"mountPath": "/a", "name": "skill-a"}]),
        "a mount of a skill that stays, stays"
    );
}

/// Q7: whoever removes a volume by hand would have removed it for good.
#[test]
fn q7_exact_leaves_what_was_tampered_with() {
    for name in ["volumes-missing-not-healed", "volume-tampered-not-healed"] {
        let scenario = Scenario::vector(&format!("already-configured/{name}"));
        assert_eq!(&scenario.operator().workload, scenario.before(), "{name}");
    }
}

#[test]
fn q7_safe_heals() {
    let whole = Scenario::configured().before().clone();
    let missing = Scenario::configured()
        .set(&format!("workload|{}", at("volumes")), json!(null))
        .set(&format!("workload|{}", at("containers|0|volumeMounts")), json!(null))
        .set("workload|metadata|annotations", json!(null));
    let tampered =
        Scenario::configured().set(&format!("workload|{}", at("volumes|0|image|reference")), json!("evil:1"));
    for scenario in [missing, tampered] {
        let ours = scenario.safe();
        assert_eq!(ours.workload, whole);
        assert_eq!(ours.quirks(), ["Q7"]);
    }
    assert_eq!(Scenario::configured().safe().quirks(), [""; 0], "what is whole is not warned of");
}

/// Q9: a condition that is derived from the wish tells nobody that the pod has no skills.
#[test]
fn q9_exact_says_mounted_without_looking() {
    let theirs = Scenario::vector("already-configured/volumes-missing-not-healed").operator();
    assert_eq!(theirs.condition("SkillsMounted"), ("True", "2 skill image(s) mounted"));
    assert!(!theirs.workload.to_string().contains("volumeMounts"));
    let theirs = Scenario::vector("skills-volumes/no-containers").operator();
    assert_eq!(theirs.condition("SkillsMounted").0, "True");
}

#[test]
fn q9_safe_says_mounted_only_of_a_pod_that_has_them() {
    let ours = Scenario::vector("already-configured/volumes-missing-not-healed").safe();
    assert_eq!(ours.condition("SkillsMounted"), ("True", "2 skill image(s) mounted"));
    assert!(ours.workload.to_string().contains(r#""name":"skill-b","mountPath":"/app/skills/b""#));
    let scenario = Scenario::vector("skills-volumes/no-containers");
    let ours = scenario.safe();
    assert_eq!(&ours.workload, scenario.before());
    assert_eq!(ours.problems, ["there is no container to mount skills into"]);
    assert_eq!(ours.condition("SkillsMounted"), ("", ""));
    assert_eq!(ours.condition("Ready"), ("False", "there is no container to mount skills into"));
}

fn sidecar_first() -> Scenario {
    Scenario::vector("skills-volumes/two-containers-only-first")
        .set(&format!("workload|{}", at("containers|0|name")), json!("envoy-proxy"))
        .set(&format!("workload|{}", at("containers|1|name")), json!("agent"))
}

/// Q10: the skills would be in a proxy, and the agent would start without.
#[test]
fn q10_exact_takes_the_first_container() {
    let theirs = sidecar_first().operator();
    let containers = &theirs.workload["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers[0]["volumeMounts"][1]["name"], "skill-a");
    assert_eq!(containers[1]["volumeMounts"].as_array().map(Vec::len), Some(1));
}

#[test]
fn q10_safe_warns_and_takes_the_container_that_is_named() {
    assert_eq!(sidecar_first().safe().workload, sidecar_first().operator().workload);
    assert_eq!(
        sidecar_first().safe().warnings,
        [
            "skills are mounted into the first of 2 containers, envoy-proxy, which looks like a sidecar; --container or the \
             pod's annotation kubectl.kubernetes.io/default-container names another [Q10]"
        ]
    );
    let scenario = sidecar_first().container("agent");
    let ours = scenario.safe();
    let wanted = edited(
        &labelled(scenario.before(), &ours.hash, r#"["a"]"#),
        &[
            (
                &at("volumes|-"),
                json!({"name": "skill-a", "image": {"reference": "registry.example/skills/a:1.0.0"}}),
            ),
            (
                &at("containers|1|volumeMounts|-"),
                json!({"name": "skill-a", "mountPath": "/app/skills/a", "readOnly": true}),
            ),
        ],
    );
    assert_eq!(ours.workload, wanted);
    assert_eq!(ours.warnings, [""; 0]);
    assert_eq!(sidecar_first().container("x").safe().problems, ["there is no container x"]);
    // Taken out without naming the container again, nothing of it stays, in any container.
    let folders = scenario.clone().skill_folders(true).safe();
    assert!(folders.workload.to_string().contains("SKILL_FOLDERS"));
    let back = sidecar_first().with_workload(&folders.workload).remove().safe();
    assert_eq!(&back.workload, scenario.before());
}

/// The author of the pod says which container is the agent's; the operator never asks.
#[test]
fn q10_safe_takes_the_container_that_the_pod_itself_names() {
    let annotations = "spec|template|metadata|annotations";
    let named = |name: &str| {
        let annotation = json!({"kubectl.kubernetes.io/default-container": name});
        sidecar_first().set(&format!("workload|{annotations}"), annotation)
    };
    let ours = named("agent").safe();
    assert_eq!(ours, named("agent").container("agent").safe());
    assert_eq!(ours.warnings, [""; 0]);
    // The flag is nearer.
    assert_eq!(
        named("envoy-proxy").container("agent").safe().workload["spec"]["template"]["spec"],
        ours.workload["spec"]["template"]["spec"]
    );
    let annotation = format!("{annotations}|kubectl.kubernetes.io/default-container");
    assert_eq!(
        named("agent").operator().workload,
        edited(&sidecar_first().operator().workload, &[(&annotation, json!("agent"))])
    );
}

/// Q11: a `subPath` or a second mount is somebody's work.
#[test]
fn q11_exact_replaces_what_was_added_by_hand() {
    let theirs = changed_by_hand().operator();
    assert_eq!(theirs.workload, Scenario::configured().operator().workload);
}

fn changed_by_hand() -> Scenario {
    Scenario::configured()
        .stale()
        .set(&format!("workload|{}", at("volumes|0|image|pullPolicy")), json!("IfNotPresent"))
        .set(&format!("workload|{}", at("containers|0|volumeMounts|0|subPath")), json!("docs"))
        .set(
            &format!("workload|{}", at("containers|0|volumeMounts|-")),
            json!({"name": "skill-b", "mountPath": "/second", "readOnly": true}),
        )
}

#[test]
fn q11_safe_keeps_it() {
    let scenario = changed_by_hand();
    let ours = scenario.safe();
    assert_eq!(ours.workload, labelled(scenario.before(), &ours.hash, ""));
    assert_eq!(ours.quirks(), ["Q11"]);
    // But a mount at the path that a skill had before is a stale one.
    let moved = Scenario::configured().set("agentRuntime|spec|skills|1|mountPath", json!("/app/skills/new"));
    let mounts = moved.safe().workload["spec"]["template"]["spec"]["containers"][0]["volumeMounts"].clone();
    assert_eq!(
        mounts,
        json!([{"name": "skill-a", "mountPath": "/app/skills/a", "readOnly": true},
               {"name": "skill-b", "mountPath": "/app/skills/new", "readOnly": true}])
    );
}

/// Q12: the CRD takes 58 characters, the API server 63 less the prefix; the update would fail every 30 s.
#[test]
fn q12_exact_writes_a_volume_name_that_is_too_long() {
    let theirs = Scenario::vector("skills-volumes/long-name-58").operator();
    let name = theirs.workload["spec"]["template"]["spec"]["volumes"][0]["name"].clone();
    assert_eq!(name.as_str().map(str::len), Some(64));
}

#[test]
fn q12_safe_refuses_it() {
    let scenario = Scenario::vector("skills-volumes/long-name-58");
    let ours = scenario.safe();
    assert_eq!(&ours.workload, scenario.before());
    assert!(
        ours.problems[0]
            .ends_with("64 characters, and the API server takes 63; shorten the name to 57 characters")
    );
    assert_eq!(Scenario::vector("skills-volumes/long-name-57").safe().problems, [""; 0]);
}

/// Q26: an AgentRuntime that never did anything restarts the pods of its target when it is deleted.
#[test]
fn q26_exact_stamps_a_workload_that_was_never_configured() {
    let theirs = Scenario::vector("deletion/never-configured-workload").operator();
    let annotations = &theirs.workload["spec"]["template"]["metadata"]["annotations"];
    assert!(annotations["kagenti.io/config-hash"].is_string(), "{annotations}");
}

#[test]
fn q26_safe_writes_nothing() {
    let scenario = Scenario::vector("deletion/never-configured-workload");
    let ours = scenario.safe();
    assert_eq!((&ours.workload, ours.problems.len()), (scenario.before(), 0));
}

fn with_skill(field: &str, value: &str) -> Scenario {
    Scenario::vector("skills-volumes/one-skill")
        .set(&format!("agentRuntime|spec|skills|0|{field}"), json!(value))
}

/// Q27: the API server takes any text for a reference, and the kubelet then says InvalidImageName for ever.
#[test]
fn q27_exact_mounts_what_is_no_reference() {
    let theirs = with_skill("image", "oci://Reg/Skills:1:2").operator();
    let volume = &theirs.workload["spec"]["template"]["spec"]["volumes"][0];
    assert_eq!(volume["image"]["reference"], "oci://Reg/Skills:1:2");
}

#[test]
fn q27_safe_refuses_it() {
    let scenario = with_skill("image", "oci://Reg/Skills:1:2");
    let ours = scenario.safe();
    assert_eq!((&ours.workload, ours.problems.len()), (scenario.before(), 1));
    assert!(ours.problems[0].contains("is no image reference"), "{:?}", ours.problems);
}

/// Q28: no container starts with another file system in the place of its own.
#[test]
fn q28_exact_mounts_over_the_root() {
    let theirs = with_skill("mountPath", "/").operator();
    let mount = &theirs.workload["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][0];
    assert_eq!(mount["mountPath"], "/");
}

#[test]
fn q28_safe_refuses_it() {
    let scenario = with_skill("mountPath", "/");
    let ours = scenario.safe();
    assert_eq!((&ours.workload, ours.problems.len()), (scenario.before(), 1));
    // A folder of the system is warned of by whoever judges: tests/it/one_verdict.rs.
    assert_eq!(with_skill("mountPath", "/usr/bin").safe().problems, [""; 0]);
}

/// Q17: Helm takes the label for its own and refuses an upgrade without it.
#[test]
fn q17_exact_takes_the_label_of_another_manager() {
    let theirs = Scenario::vector("already-configured/managed-by-other").operator();
    assert_eq!(theirs.workload["metadata"]["labels"]["app.kubernetes.io/managed-by"], "kagenti-operator");
    let going = helm().set("agentRuntime|metadata|deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    assert_eq!(going.operator().workload["metadata"]["labels"], json!({"kagenti.io/type": "agent"}));
}

fn helm() -> Scenario {
    Scenario::configured().set("workload|metadata|labels|app.kubernetes.io/managed-by", json!("Helm"))
}

#[test]
fn q17_safe_leaves_it() {
    let ours = helm().safe();
    assert_eq!(&ours.workload, helm().before());
    assert_eq!(
        ours.warnings,
        [
            "the label app.kubernetes.io/managed-by says Helm and is left; the operator would overwrite it [Q17]"
        ]
    );
    let going = helm().set("agentRuntime|metadata|deletionTimestamp", json!("2026-01-01T00:00:00Z")).safe();
    assert_eq!(going.workload["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm");
    assert_eq!(going.quirks(), ["Q17"]);
    let removed = helm().remove().safe();
    assert_eq!(removed.workload["metadata"]["labels"], json!({"app.kubernetes.io/managed-by": "Helm"}));
}

/// Q18: an agent card would list skills that the Sandbox does not have.
#[test]
fn q18_exact_annotates_a_sandbox() {
    let theirs = Scenario::vector("sandbox/fresh").operator();
    assert_eq!(theirs.workload["metadata"]["annotations"], json!({"kagenti.io/skills": r#"["a","b"]"#}));
    assert_eq!(theirs.condition("SkillsMounted").0, "False");
}

#[test]
fn q18_safe_does_not_and_takes_the_claim_back() {
    let scenario = Scenario::vector("sandbox/fresh");
    let ours = scenario.safe();
    let key = "metadata|annotations|skills.kagenti.dev/restart-hash";
    let hashes = json!(format!("{}/57de3ab75a7e", &ours.hash[..12]));
    let wanted = edited(&labelled(scenario.before(), &ours.hash, ""), &[(key, hashes)]);
    assert_eq!(ours.workload, wanted);
    assert_eq!(ours.quirks(), ["Q18"]);
    let claimed = scenario.with_workload(&Scenario::vector("sandbox/fresh").operator().workload);
    assert_eq!(claimed.safe().workload, ours.workload);
    // What its user wrote into the pod is none of our business, also when all of ours goes.
    let own = json!([{"name": "skill-own", "image": {"reference": "own:1"}}]);
    let own = Scenario::vector("sandbox/fresh").set("workload|spec|podTemplate|spec|volumes", own);
    let after = own.safe();
    for gone in [
        own.clone().with_workload(&after.workload).remove().safe(),
        own.clone().set("agentRuntime|metadata|deletionTimestamp", json!("2026-01-01T00:00:00Z")).safe(),
    ] {
        assert_eq!(gone.workload["spec"]["podTemplate"]["spec"], own.before()["spec"]["podTemplate"]["spec"]);
    }
}

fn odd_label() -> Scenario {
    Scenario::vector("sandbox/fresh").set("workload|spec|podTemplate|metadata|labels|port", json!(8080))
}

/// Q19: one label that is no text costs all the others, and a null template is written again without end.
#[test]
fn q19_exact_loses_labels_and_writes_for_ever() {
    let theirs = odd_label().operator();
    assert_eq!(
        theirs.workload["spec"]["podTemplate"]["metadata"]["labels"],
        json!({"kagenti.io/type": "agent"})
    );
}

#[test]
fn q19_safe_keeps_labels_and_a_sandbox_that_sleeps() {
    let ours = odd_label().safe();
    assert_eq!(
        ours.workload["spec"]["podTemplate"]["metadata"]["labels"],
        json!({"app": "weather", "port": 8080, "kagenti.io/type": "agent"})
    );
    let asleep = Scenario::vector("sandbox/fresh")
        .set("workload|spec|replicas", json!(0))
        .set("workload|spec|podTemplate|metadata|annotations|kagenti.io/config-hash", json!("before"));
    assert_eq!(asleep.safe().workload["spec"]["replicas"], 0);
    let pending = &asleep.safe().workload["metadata"]["annotations"]["kagenti.io/restart-pending"];
    assert_eq!(pending, &Value::Null, "and no restart is begun");
    let pending = &asleep.operator().workload["metadata"]["annotations"]["kagenti.io/restart-pending"];
    assert_eq!(pending, "true", "the operator begins one, which ends with one replica");
}

/// Q29: nothing of a skill is ever in the pod of a Sandbox. The Sandbox that we left, with an AgentRuntime that has changed
/// since.
fn left_with_two_skills(path: &str, value: Value) -> Scenario {
    let scenario = Scenario::vector("sandbox/fresh").set("workload|spec|replicas", json!(1));
    let left = scenario.safe().workload;
    scenario.with_workload(&left).set(path, value)
}

/// An AgentRuntime's skills, another one, and none.
fn other_skills() -> [Value; 3] {
    [
        json!([{"name": "a", "image": "x/a:2", "mountPath": "/app/a"}]),
        json!([{"name": "z", "image": "x/z:1", "mountPath": "/z", "pullPolicy": "Always"}]),
        Value::Null,
    ]
}

#[test]
fn q29_exact_restarts_a_sandbox_for_skills_that_it_never_gets() {
    for skills in other_skills() {
        let theirs = left_with_two_skills("agentRuntime|spec|skills", skills).operator().workload;
        assert_eq!(theirs["spec"]["replicas"], 0);
        assert_eq!(theirs["metadata"]["annotations"]["kagenti.io/restart-pending"], "true");
    }
}

#[test]
fn q29_safe_restarts_it_for_what_it_gets() {
    let hash = "workload|spec|podTemplate|metadata|annotations|kagenti.io/config-hash";
    for skills in other_skills() {
        let scenario = left_with_two_skills("agentRuntime|spec|skills", skills.clone());
        let ours = scenario.safe();
        let fresh = Scenario::vector("sandbox/fresh").set("workload|spec|replicas", json!(1));
        let fresh = fresh.set("agentRuntime|spec|skills", skills).safe();
        assert_eq!(
            (&ours.workload, &ours.hash),
            (&fresh.workload, &fresh.hash),
            "as if it was never otherwise"
        );
        assert_ne!(
            ours.hash,
            scenario.before()["spec"]["podTemplate"]["metadata"]["annotations"]["kagenti.io/config-hash"]
        );
        assert!(ours.quirks().contains(&"Q29"), "{:?}", ours.warnings);
        // A hash that another one wrote since says nothing of what its pod got.
        let stale = scenario.set(hash, json!("0123456789abcdef")).safe().workload;
        assert_eq!(stale["metadata"]["annotations"]["kagenti.io/restart-pending"], "true");
        // Taken out, nothing of it stays.
        let out = fresh_without_ours(&ours.workload);
        assert_eq!(&out, Scenario::vector("sandbox/fresh").set("workload|spec|replicas", json!(1)).before());
    }
    // The skills and what it gets.
    let both = left_with_two_skills("agentRuntime|spec|skills", other_skills()[0].clone());
    let both = both.set("agentRuntime|spec|trace", json!({"endpoint": "http://otel:4317"})).safe();
    assert_eq!(both.workload["spec"]["replicas"], 0);
    assert!(!both.quirks().contains(&"Q29"), "{:?}", both.warnings);
    // Without skills, before and after, the config hash alone says it.
    let plain = Scenario::vector("sandbox/fresh").set("agentRuntime|spec|skills", Value::Null);
    assert_eq!(plain.safe().workload["metadata"].get("annotations"), None);
}

fn fresh_without_ours(workload: &Value) -> Value {
    Scenario::vector("sandbox/fresh").with_workload(workload).remove().safe().workload
}

/// Q20: a client that is older than the API server drops what it does not know. `exact` plans over what that client has read.
#[test]
fn q20_exact_plans_over_what_a_typed_client_reads() {
    let theirs = Scenario::vector("skills-volumes/unknown-pod-field-dropped").operator();
    assert_eq!(theirs.workload["spec"]["template"]["spec"].get("futureField"), None);
}

#[test]
fn q20_safe_keeps_fields_that_nobody_here_knows() {
    let scenario = Scenario::vector("skills-volumes/unknown-pod-field-dropped").raw();
    assert_eq!(scenario.safe().workload["spec"]["template"]["spec"]["futureField"], json!({"x": 1}));
}

/// Q21: a path that is mounted twice is refused by the API server, for good.
#[test]
fn q21_exact_mounts_over_a_foreign_mount() {
    let theirs = Scenario::vector("skills-volumes/foreign-mount-same-path").operator();
    let mounts = &theirs.workload["spec"]["template"]["spec"]["containers"][0]["volumeMounts"];
    assert_eq!(
        (&mounts[0]["mountPath"], &mounts[1]["mountPath"]),
        (&json!("/app/skills"), &json!("/app/skills"))
    );
}

#[test]
fn q21_safe_refuses_it_and_warns_of_what_lies_inside() {
    let scenario = Scenario::vector("skills-volumes/foreign-mount-same-path");
    let ours = scenario.safe();
    assert_eq!(&ours.workload, scenario.before());
    assert_eq!(
        ours.problems,
        [
            "skill a and volume data are both mounted at \"/app/skills\" in container agent, and the API server takes a path once; \
          give the skill another mountPath"
        ]
    );
    let nested = Scenario::configured().set(
        &format!("workload|{}", at("containers|0|volumeMounts|-")),
        json!({"name": "cache", "mountPath": "/app/skills/a/cache"}),
    );
    assert_eq!(
        nested.safe().warnings,
        [
            "volume cache is mounted at /app/skills/a/cache, inside the read-only volume of skill a: the container starts only \
          if that image has the directory [Q21]"
        ]
    );
}
