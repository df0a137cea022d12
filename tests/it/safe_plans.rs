//! Every reconcile vector without `exact`: where the result differs from the operator's, which quirk explains it; that a
//! second run changes nothing; and that `--remove` gives back what was there.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test prints its figures and stops at bad data"
)]

use std::collections::{BTreeMap, BTreeSet};

use kubectl_skills::plan::change_set::{Change, changes};
use serde_json::Value;

use crate::scenario::Scenario;
use crate::vectors::{Case, cases};
use crate::vectors_reconcile::Cluster;

/// Runs after which everything has settled: finalizer, workload, and the second phase of a Sandbox's restart.
const SETTLED: usize = 4;

/// Vectors with a name of their own in which we differ, and the quirks that say why. `reconcile-random` is held to the
/// same rules, change by change, by [`explained`].
const DIFFERENT: [(&str, &str); 41] = [
    ("already-configured/gate-turned-on-after-hash-stamped", "Q7"),
    ("already-configured/managed-by-other", "Q17"),
    ("already-configured/sandbox", "Q29"),
    ("already-configured/volume-tampered-not-healed", "Q7"),
    ("already-configured/volumes-missing-not-healed", "Q7"),
    ("configmap-templates/all-copied", "Q1"),
    ("configmap-templates/create-forbidden", "Q1"),
    ("deletion/never-configured-workload", "Q26"),
    ("deletion/only-skill-volumes", "Q26 Q4"),
    ("deletion/sidecar-mount-dangles", "Q26 Q4"),
    ("deletion/statefulset", "Q4"),
    ("labels-annotations/skills-annotation-gate-off", "Q5"),
    ("labels-annotations/skills-annotation-html-name", "Q13"),
    ("labels-annotations/skills-annotation-malformed-removed-without-skills", "Q5"),
    ("sandbox/existing-skill-volumes-kept", "Q18 Q29"),
    ("sandbox/fresh", "Q18 Q29"),
    ("sandbox/fresh-gate-off", "Q29"),
    ("sandbox/podtemplate-no-metadata", "Q18 Q29"),
    ("sandbox/restart-pending-other-value", "Q18 Q29"),
    ("sandbox/spec-missing", "Q18 Q29"),
    ("sandbox/unknown-fields-kept", "Q18 Q29"),
    ("sandbox/update-fails-in-phase1", "Q18 Q29"),
    ("skills-volumes/configmap-volume-named-skill-0", "Q4"),
    ("skills-volumes/configmap-volumes-no-skills-spec", "Q4"),
    ("skills-volumes/duplicate-skill-names-unvalidated", "Q13"),
    ("skills-volumes/empty-name-skill", "Q13"),
    ("skills-volumes/empty-skills-list", "Q5"),
    ("skills-volumes/foreign-mount-same-path", "Q21"),
    ("skills-volumes/initcontainers-untouched", "Q4"),
    ("skills-volumes/long-name-58", "Q12"),
    ("skills-volumes/mountpath-root", "Q28"),
    ("skills-volumes/no-containers", "Q9"),
    ("skills-volumes/no-skills-strips-existing", "Q4"),
    ("skills-volumes/replace-all-skills", "Q4"),
    ("skills-volumes/skill-mount-without-volume", "Q4"),
    ("skills-volumes/stale-removed", "Q4"),
    ("status/invalid-apiversion", "Q23"),
    ("status/target-missing", "Q23"),
    ("status/target-missing-sandbox", "Q23"),
    ("status/target-missing-statefulset", "Q23"),
    ("status/unsupported-kind", "Q23"),
];

fn settled<'c>(case: &'c Case, exact: bool) -> (Cluster<'c>, Value) {
    let mut cluster = Cluster::new(case, exact).expect("a readable case");
    let mut last = Value::Null;
    for _ in 0..SETTLED {
        last = cluster.run();
    }
    (cluster, last)
}

/// An empty map in metadata is none for the API server, and Go writes one where a template has no metadata.
fn without_empty_maps(workload: &Value) -> Value {
    fn is_empty(value: &Value) -> bool {
        value.as_object().is_some_and(serde_json::Map::is_empty)
    }
    let mut out = workload.clone();
    if let Some(metadata) = out.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|_, value| !is_empty(value));
    }
    for template in ["/spec/template", "/spec/podTemplate"] {
        if let Some(template) = out.pointer_mut(template).and_then(Value::as_object_mut) {
            template.retain(|key, value| key != "metadata" || !is_empty(value));
        }
    }
    out
}

/// A difference that no quirk explains is a defect of ours.
#[test]
fn every_difference_from_the_operator_has_its_quirk() {
    let mut named = BTreeMap::new();
    let mut random: BTreeMap<String, usize> = BTreeMap::new();
    let mut failed = Vec::new();
    let mut total = 0;
    for case in cases("reconcile").iter().filter(|case| case.profile.mounts()) {
        total += 1;
        match difference(case) {
            Ok(quirks) if quirks.is_empty() => {}
            Ok(quirks) => {
                let quirks = quirks.into_iter().collect::<Vec<_>>().join(" ");
                if case.group == "reconcile-random" {
                    *random.entry(quirks).or_default() += 1;
                } else {
                    named.insert(case.name.clone(), quirks);
                }
            }
            Err(detail) => failed.push(format!("{}: {detail}", case.name)),
        }
    }
    println!("{} of {total} vectors differ: {named:#?}", named.len() + random.values().sum::<usize>());
    println!("reconcile-random, by quirks: {random:#?}");
    assert!(failed.is_empty(), "{} of {total} unexplained:\n{}", failed.len(), failed.join("\n"));
    let wanted: BTreeMap<String, String> =
        DIFFERENT.iter().map(|(name, quirk)| ((*name).to_owned(), (*quirk).to_owned())).collect();
    assert_eq!(named, wanted);
}

/// The quirks that explain how we differ; `None` if we do not.
fn difference(case: &Case) -> Result<BTreeSet<&'static str>, String> {
    let (exact, theirs) = settled(case, true);
    let (safe, ours) = settled(case, false);
    let mut quirks = BTreeSet::new();
    let before = &case.output["inputNormalized"]["workload"];
    if let Some(first) = safe.problems.first() {
        if safe.workload != *before {
            return Err("a refused plan wrote the workload".to_owned());
        }
        quirks
            .insert(reason_of(&first.message).ok_or_else(|| format!("no quirk refuses: {}", first.message))?);
        return Ok(quirks);
    }
    let wanted = without_empty_maps(&exact.workload);
    let found = without_empty_maps(&safe.workload);
    let all = changes(&wanted, &found);
    let warned: BTreeSet<&str> = safe.warnings.iter().map(|warning| warning.quirk).collect();
    let shortcut = warned.contains("Q7");
    for change in &all {
        let quirk = if shortcut && !change.path.starts_with("metadata.labels") {
            "Q7"
        } else {
            explained(change, case, &warned).ok_or_else(|| format!("{change:?} (warned of {warned:?})"))?
        };
        quirks.insert(quirk);
    }
    let hash_differs = all.iter().any(|change| change.path.contains("config-hash"));
    if theirs["events"] != ours["events"] || (theirs["status"] != ours["status"] && !hash_differs) {
        return Err(format!(
            "status {} and {}, events {} and {}",
            theirs["status"], ours["status"], theirs["events"], ours["events"]
        ));
    }
    Ok(quirks)
}

/// Why a plan is refused.
fn reason_of(message: &str) -> Option<&'static str> {
    let known = [
        ("that is not ours", "Q4"),
        ("and the API server takes 63", "Q12"),
        ("both mounted at", "Q21"),
        ("there is no container to mount skills into", "Q9"),
        ("which is no volume name", "Q13"),
        ("a pod takes a volume once", "Q13"),
        ("not found in namespace", "Q23"),
        ("unsupported workload kind", "Q23"),
        ("unexpected GroupVersion string", "Q23"),
        ("is no image reference", "Q27"),
        ("is the root of the container's file system", "Q28"),
    ];
    known.iter().find(|(part, _)| message.contains(part)).map(|(_, quirk)| *quirk)
}

/// The quirk of a change; it must have been warned of.
fn explained(change: &Change, case: &Case, warned: &BTreeSet<&str>) -> Option<&'static str> {
    let path = change.path.as_str();
    // Warned of only where it keeps a Sandbox running.
    let restart_hash = "skills.kagenti.dev/restart-hash";
    let alone =
        change.to.as_ref().and_then(Value::as_object).is_some_and(|map| map.keys().eq([restart_hash]));
    if alone || path.contains(restart_hash) {
        return Some("Q29");
    }
    let candidates: &[&'static str] = if path.starts_with("metadata.labels") {
        &["Q17"]
    } else if path.starts_with("metadata.annotations") {
        &["Q5", "Q18"]
    } else if path.contains("containers[0].volumeMounts") && !path.contains("initContainers") {
        &["Q4", "Q11"]
    } else if path.contains("volumeMounts") {
        &["Q6"]
    } else if path.contains(".spec.volumes") {
        &["Q4", "Q11"]
    } else if path.contains("config-hash") && case.group == "configmap-templates" {
        // Only the full view sees the copies that the operator makes; the deployed one never does.
        return Some("Q1");
    } else if path.ends_with("metadata.annotations") || path.contains("config-hash") {
        // Only where no hash was there before an AgentRuntime was deleted.
        let before = case.output["inputNormalized"]["workload"].to_string();
        let deleted =
            !case.output["inputNormalized"]["agentRuntime"]["metadata"]["deletionTimestamp"].is_null();
        return (deleted && !before.contains("config-hash")).then_some("Q26");
    } else {
        &[]
    };
    candidates.iter().find(|quirk| warned.contains(**quirk)).copied()
}

/// Observers: the operator labels and stamps, and an AgentRuntime that says nothing of skills gets nothing from us.
#[test]
fn where_the_operator_only_observes_a_workload_without_skills_is_left() {
    let mut count = 0;
    for case in cases("reconcile").iter().filter(|case| !case.profile.mounts()) {
        let (safe, _) = settled(case, false);
        assert_eq!(
            safe.workload, case.output["inputNormalized"]["workload"],
            "{} {}",
            case.profile.name, case.name
        );
        count += 1;
    }
    assert!(count >= 54, "{count} vectors");
}

/// A plan that is never done rolls pods for ever.
#[test]
fn a_settled_workload_is_written_no_more() {
    for case in cases("reconcile") {
        for exact in [true, false] {
            let (cluster, last) = settled(&case, exact);
            let writes: Vec<&Value> = last["writes"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|write| write["verb"] == "update")
                .collect();
            assert!(writes.is_empty(), "{} {} exact {exact}: {writes:?}", case.profile.name, case.name);
            let again = Scenario::new(case.clone()).with_workload(&cluster.workload);
            if !exact && cluster.problems.is_empty() && case.output["agentRuntimeGone"].is_null() {
                assert_eq!(again.safe().workload, cluster.workload, "{} {}", case.profile.name, case.name);
            }
        }
    }
}

/// Who tries us out and goes back gets the workload that was there.
#[test]
fn remove_gives_back_a_workload_that_had_nothing_of_ours() {
    let mut counts = BTreeMap::new();
    for case in cases("reconcile") {
        let scenario = Scenario::new(case.clone());
        let text = scenario.before().to_string();
        let clean =
            !["kagenti", "skill", "SKILL_FOLDERS", "managed-by"].iter().any(|word| text.contains(word));
        if !clean
            || scenario.before().is_null()
            || !scenario.runtime()["metadata"]["deletionTimestamp"].is_null()
        {
            continue;
        }
        for profile in ["pr332", "no-trace", "no-skills", "head"] {
            for folders in [false, true] {
                let scenario = scenario.clone().under(profile).skill_folders(folders).record();
                let rendered = scenario.safe();
                if !rendered.problems.is_empty() || rendered.workload == *scenario.before() {
                    continue;
                }
                let back = scenario.clone().with_workload(&rendered.workload).remove().safe();
                let wanted = without_empty_maps(scenario.before());
                assert_eq!(
                    without_empty_maps(&back.workload),
                    wanted,
                    "{profile} {} folders {folders}",
                    case.name
                );
                *counts.entry(profile).or_insert(0) += 1;
            }
        }
    }
    println!("taken out again: {counts:?}");
    assert!(counts.values().all(|count| *count >= 20) && counts.len() == 4, "{counts:?}");
}
