//! The tables of docs/delivery.md: rows that say the same are one.

use std::collections::BTreeSet;

use super::Seen;
use super::cases::{Case, KINDS, Kind, LANES, Lane, Manifest, Way};

/// Where something was seen, each as a set, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    ways: BTreeSet<Way>,
    manifests: BTreeSet<Manifest>,
    kinds: BTreeSet<Kind>,
    changed: BTreeSet<bool>,
    cells: Vec<String>,
}

impl Row {
    pub(super) fn new(case: &Case, changed: bool, seen: &[(Lane, Seen)]) -> Self {
        let of = |lane: Lane| &seen.iter().find(|(of, _)| *of == lane).expect("each lane").1;
        let deliveries: BTreeSet<&str> = LANES.iter().map(|lane| of(*lane).delivery.as_str()).collect();
        let mut cells = vec![deliveries.into_iter().collect::<Vec<_>>().join(" or ")];
        cells.extend([Lane::Client, Lane::Flux].map(|lane| of(lane).diff.clone()));
        cells.extend(LANES.map(|lane| of(lane).deployment.clone()));
        Self {
            ways: [case.way].into(),
            manifests: [case.manifest].into(),
            kinds: [case.kind].into(),
            changed: [changed].into(),
            cells,
        }
    }

    /// Takes the other in where both say the same and differ in one thing.
    fn take(&mut self, other: &Self) -> bool {
        let same = [
            self.ways == other.ways,
            self.manifests == other.manifests,
            self.kinds == other.kinds,
            self.changed == other.changed,
        ];
        if self.cells != other.cells || same.iter().filter(|same| !**same).count() > 1 {
            return false;
        }
        self.ways.extend(&other.ways);
        self.manifests.extend(&other.manifests);
        self.kinds.extend(&other.kinds);
        self.changed.extend(&other.changed);
        true
    }

    /// The row in a table of these kinds.
    fn line(&self, of: &BTreeSet<Kind>) -> String {
        let mut ways = self.ways.iter().map(|way| named(*way)).collect::<Vec<_>>().join("; ");
        if self.kinds != *of {
            let kinds: Vec<String> = self.kinds.iter().map(|kind| format!("{kind:?}")).collect();
            ways.push_str(&format!(": {}", kinds.join(", ")));
        }
        match (self.changed.contains(&false), self.changed.contains(&true)) {
            (true, false) => ways.push_str(", first delivery"),
            (false, true) => ways.push_str(", after a change"),
            _ => (),
        }
        let stated = |manifest: &Manifest| match manifest {
            Manifest::Plain => "neither",
            Manifest::Annotation => "annotation",
            Manifest::Label => "label",
        };
        let manifests: Vec<&str> = self.manifests.iter().map(stated).collect();
        let manifests = if manifests.len() == 3 { "any".to_owned() } else { manifests.join(" or ") };
        format!("| {ways} | {manifests} | {} |\n", self.cells.join(" | "))
    }
}

fn named(way: Way) -> &'static str {
    match way {
        Way::Apply => "Workload",
        Way::Named => "Workload, `--field-manager=kubectl-mine`",
        Way::Forced => "Workload, `--force-conflicts`",
        Way::Put => "operator's PUT",
        Way::Policy => "Pod by policy",
        Way::Webhook => "Pod by webhook",
        Way::Restart => "Pod, `kubectl rollout restart`",
        Way::Auto => "Pod by policy, `rollout: Auto`",
    }
}

/// One table for kinds whose lists merge by name, one for the kind whose lists are atomic.
pub(super) fn text(rows: &[Row]) -> String {
    let mut out = String::new();
    let (merging, atomic) = KINDS.split_at(3);
    for (kinds, title) in
        [(merging, "Deployment, StatefulSet, CronJob"), (atomic, "A custom kind with atomic lists")]
    {
        let kinds: BTreeSet<Kind> = kinds.iter().copied().collect();
        let rows = rows.iter().filter(|row| row.kinds.is_subset(&kinds)).cloned().collect();
        out.push_str(&format!(
            "### {title}\n\n| way | Git states | the delivery | {TOOLS} |\n|{}\n",
            "---|".repeat(10)
        ));
        for row in merged(rows) {
            out.push_str(&row.line(&kinds));
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

const TOOLS: &str = "`kubectl diff` | `kubectl diff --server-side` | `kubectl apply` | Flux's apply | `helm upgrade` 3 | \
                     `helm upgrade` 4 | `kubectl replace`";

/// The rows, until no two of them are one.
fn merged(mut rows: Vec<Row>) -> Vec<Row> {
    'again: loop {
        for one in 0..rows.len() {
            for other in one + 1..rows.len() {
                let taken = rows[other].clone();
                if rows[one].take(&taken) {
                    rows.remove(other);
                    continue 'again;
                }
            }
        }
        return rows;
    }
}
