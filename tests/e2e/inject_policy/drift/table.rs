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

    fn line(&self) -> String {
        let ways: Vec<&str> = self.ways.iter().map(|way| named(*way)).collect();
        let manifests: Vec<&str> = self
            .manifests
            .iter()
            .map(|manifest| match manifest {
                Manifest::Plain => "neither",
                Manifest::Annotation => "annotation",
                Manifest::Label => "label",
            })
            .collect();
        let manifests = if manifests.len() == 3 { "any".to_owned() } else { manifests.join(", ") };
        let kinds: Vec<String> = self.kinds.iter().map(|kind| format!("{kind:?}")).collect();
        let kinds = if kinds.len() == KINDS.len() { "any".to_owned() } else { kinds.join(", ") };
        let when: Vec<&str> =
            self.changed.iter().map(|changed| if *changed { "change" } else { "first" }).collect();
        format!(
            "| {} | {kinds} | {manifests} | {} | {} |\n",
            ways.join("; "),
            when.join(", "),
            self.cells.join(" | ")
        )
    }
}

fn named(way: Way) -> &'static str {
    match way {
        Way::Apply => "Workload",
        Way::Forced => "Workload, `--force-conflicts`",
        Way::Put => "operator's PUT",
        Way::Policy => "Pod by policy",
        Way::Webhook => "Pod by webhook",
        Way::Restart => "Pod, `kubectl rollout restart`",
    }
}

pub(super) fn text(mut rows: Vec<Row>) -> String {
    // Until no two of them are one.
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
        break;
    }
    let mut out = "| way | kind | Git states | delivery | the delivery itself | `kubectl diff` | `kubectl diff --server-side` | \
                   `kubectl apply` | Flux's apply | `helm upgrade` 3 | `helm upgrade` 4 | `kubectl replace` |\n\
                   |---|---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for row in rows {
        out.push_str(&row.line());
    }
    out
}
