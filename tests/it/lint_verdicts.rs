//! The rules of verdicts in `lint`: for each a manifest in which it is found and its near miss in which it is not, which differ in one
//! place. What needs a lock, a policy or another profile has its examples where these are tested.

use crate::lint::{agent, found_in, shown};

/// A rule, and a manifest in which a text is replaced to make it found.
pub(crate) struct Example {
    pub(crate) id: &'static str,
    near: String,
    /// What is replaced, and by what.
    slip: (&'static str, String),
}

/// Rules whose examples need more than a manifest.
pub(crate) const ELSEWHERE: [&str; 20] = [
    // Ways of delivery, which lint does not ask for: tests/it/render_delivery.rs.
    "container-taken",
    "delivery",
    // Sentences of render, which tests/it/quirks.rs and tests/it/safe_plans.rs have.
    "advice",
    // Profiles: tests/it/one_verdict.rs.
    "group",
    "webhook-target",
    "webhook-mtls",
    "webhook-tls-bridge",
    // More lists than fit on a page: tests/it/skill_bindings.rs.
    "too-many-skills",
    "volume-twice",
    // Locks: tests/it/locked.rs.
    "lock-missing",
    "lock-differs",
    // Policies: tests/it/skill_policy.rs.
    "policy-registry",
    "policy-pinned",
    "policy-locked",
    "policy-signature",
    "policy-license",
    "policy-tools",
    "policy-size",
    "policy-attestation",
    "policy-agent",
];

const ONE: &str = "{name: agent, image: a}";
/// The same with the variable, which a render extends where it is there.
const WITH_FOLDERS: &str = "{name: agent, image: a, env: [{name: SKILL_FOLDERS, value: /x}]}";

pub(crate) fn examples() -> Vec<Example> {
    let good = agent("name: a, image: 'r/a:1', mountPath: /skills/a", ONE);
    let two = agent(
        "name: a, image: 'r/a:1', mountPath: /skills/a}, {name: b, image: 'r/b:1', mountPath: /skills/b",
        ONE,
    );
    let bound = |container: &str| {
        let runtime = good.find("---").map_or("", |at| &good[..at]);
        format!(
            "{runtime}---\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: one}}\nspec:\n  targetRef: \
             {{apiVersion: apps/v1, kind: Deployment, name: weather}}\n  container: {container}\n  skills: [{{name: b, image: 'r/b:1', \
             mountPath: /skills/b}}]\n"
        )
    };
    let with_env = bound("agent").replace(ONE, WITH_FOLDERS);
    let beside = format!(
        "{good}---\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: one}}\nspec:\n  targetRef: \
         {{apiVersion: apps/v1, kind: Deployment, name: weather}}\n  skills: [{{name: b, image: 'r/b:1', mountPath: /skills/b}}]\n"
    );
    let again = format!("{good}---\n{}", good.split_once("---\n").map_or("", |(_, runtime)| runtime))
        .replacen(
            "kind: AgentRuntime\nmetadata: {name: weather}",
            "kind: AgentRuntime\nmetadata: {name: first}",
            1,
        );
    let other = again.replacen("name: weather}\n  skills", "name: weathervane}\n  skills", 1);
    let by_hand = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: weather}\nspec: {template: {spec: {containers: [{name: agent, \
                   image: a, volumeMounts: [{name: skill-a, mountPath: /skills/a}]}], volumes: [{name: skill-a, image: {reference: \
                   'r/a:1'}}]}}}\n";
    let name = |length: usize| "a".repeat(length);
    let one =
        |id, from: &'static str, to: &str| Example { id, near: good.clone(), slip: (from, to.to_owned()) };
    let hand =
        |id, from: &'static str, to: &str| Example { id, near: by_hand.into(), slip: (from, to.to_owned()) };
    vec![
        one("spec-type", "name: a,", "name: 5,"),
        one("schema", "type: agent", "type: robot"),
        Example { id: "webhook-skill-name", near: two.clone(), slip: ("{name: b", "{name: a".into()) },
        Example { id: "webhook-skill-path", near: two, slip: ("/skills/b", "/skills/a".into()) },
        one("webhook-protected-path", "/skills/a", "/proc/a"),
        Example { id: "target-claimed", near: other, slip: ("name: weathervane", "name: weather".into()) },
        Example { id: "binding-clash", near: beside.clone(), slip: ("{name: b", "{name: a".into()) },
        Example { id: "refused", near: good.clone(), slip: ("", good.clone() + "---\n") },
        one("target-not-found", "kind: Deployment, name: weather", "kind: Deploymnt, name: weather"),
        Example {
            id: "volume-name-length",
            near: good.replace("name: a,", &format!("name: {},", name(57))),
            slip: ("name: aaaaaaaaaa", format!("name: a{}", name(10))),
        },
        hand("volume-name", "skill-a", "skill-A_a"),
        hand("image-empty", "'r/a:1'", "''"),
        hand("mount-path-empty", "/skills/a", "''"),
        hand("mount-path-relative", "/skills/a", "skills/a"),
        one("mount-path-colon", "/skills/a", "'/skills:a'"),
        one("mount-path-root", "/skills/a", "/"),
        one("unknown-field", "image: 'r/a:1'", "image: 'r/a:1', imge: x"),
        Example {
            id: "skill-folders-path",
            near: good.replace("kagenti", "rossoctl").replace(ONE, WITH_FOLDERS),
            slip: ("/skills/a", "'/skills,a'".into()),
        },
        Example {
            id: "skill-folders-source",
            near: with_env,
            slip: ("value: /x", "valueFrom: {fieldRef: {fieldPath: metadata.name}}".into()),
        },
        Example {
            id: "container",
            near: bound("agent"),
            slip: ("container: agent", "container: agnt".into()),
        },
        one("workload-type", "containers: [{name: agent, image: a}]", "containers: {name: agent}"),
    ]
}

/// Each finds its slip and nothing in the same manifest without it.
#[test]
fn each_rule_of_a_verdict_finds_its_example_and_not_its_near_miss() {
    let mut wrong = Vec::new();
    for Example { id, near, slip: (from, to) } in examples() {
        let bad = if from.is_empty() { format!("{to}{near}") } else { near.replace(from, &to) };
        let found = |text: &str| {
            let (all, _) = found_in("a.yaml", text, None);
            let is_there = all.iter().any(|one| one.rule.id == id);
            (is_there, shown(&all))
        };
        let (is_in_bad, said) = found(&bad);
        if !is_in_bad || bad == near {
            wrong.push(format!("{id} is not found, but: {said}"));
        }
        let (is_in_near, said) = found(&near);
        if is_in_near {
            wrong.push(format!("{id} is found in its near miss: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
