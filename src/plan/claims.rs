//! Decides which of several AgentRuntimes with one target gets the workload. Collecting the claimants is left to the
//! callers: files, a cluster snapshot, the controller's cache.
//!
//! One rule everywhere (quirk Q15: the operator has none, and the last writer wins). An AgentRuntime that is being
//! deleted claims nothing. Among the others the oldest keeps the workload, by name if they are of one age; one without a
//! creation timestamp is not in the cluster yet, and so the youngest. In manifests none has one, and all are refused.

use std::borrow::Borrow;
use std::collections::HashMap;

use crate::api::object::{Object, Origin};
use crate::validate::findings::{Finding, rules};

/// Kind, namespace and name of a workload, as an AgentRuntime's `targetRef` says them. Its apiVersion selects nothing.
pub type WorkloadKey = (String, String, String);

/// How many names a message lists before it counts.
const LISTED: usize = 9;

/// An AgentRuntime that points at a workload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimant {
    /// Its name; the namespace is the workload's.
    pub name: String,
    /// `creationTimestamp`; none in manifests.
    pub created: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Where it was read.
    pub origin: Origin,
}

impl Claimant {
    /// Reads an AgentRuntime.
    pub fn of(object: Object<'_>, origin: Origin) -> Self {
        Self {
            name: object.name().to_owned(),
            created: object.created().map(str::to_owned),
            deleting: object.is_being_deleted(),
            origin,
        }
    }

    fn shown(&self) -> String {
        if self.origin.file.is_empty() {
            self.name.clone()
        } else {
            format!("{} ({})", self.name, self.origin)
        }
    }
}

/// What an AgentRuntime may do with its workload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Claim {
    /// It has the workload: nobody else claims it, or only younger ones.
    #[default]
    Held,
    /// It is being deleted, and the named AgentRuntime has the workload now: nothing is taken out of it.
    PassedOn(String),
    /// It gets nothing; the reason, which is to be reported.
    Refused(String),
}

impl Claim {
    /// The finding of a refused claim on a workload.
    pub fn finding(&self) -> Option<Finding> {
        let Self::Refused(reason) = self else { return None };
        let path = vec!["spec".into(), "targetRef".into()];
        Some(Finding {
            help: "a workload takes one AgentRuntime: delete one, or merge their skills".to_owned(),
            ..Finding::new(&rules::TARGET_CLAIMED, path, reason.as_str())
        })
    }
}

/// The claimants of one workload that are not being deleted, in the order in which they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimants<C = Claimant> {
    staying: Vec<C>,
    /// Index of the oldest; none if no one has a creation timestamp.
    oldest: Option<usize>,
}

impl<C: Borrow<Claimant>> Claimants<C> {
    /// Finds the oldest once, so that each claim is decided in constant time.
    pub fn new(claimants: impl IntoIterator<Item = C>) -> Self {
        let staying: Vec<C> = claimants.into_iter().filter(|one| !one.borrow().deleting).collect();
        let age = |index: &usize| {
            let one: &Claimant = staying[*index].borrow();
            (one.created.as_deref(), one.name.as_str())
        };
        let dated = |index: &usize| staying[*index].borrow().created.is_some();
        let oldest = (0..staying.len()).filter(dated).min_by(|a, b| age(a).cmp(&age(b)));
        Self { staying, oldest }
    }

    fn all(&self) -> impl Iterator<Item = &Claimant> {
        self.staying.iter().map(Borrow::borrow)
    }

    /// The claim of one of them on the workload.
    pub fn claim(&self, workload: (&str, &str), name: &str, deleting: bool) -> Claim {
        let (kind, target) = workload;
        let oldest = self.oldest.map(|index| self.staying[index].borrow());
        if deleting {
            // Manifests are read for their deletion only where several share a target: one is not its own heir.
            let oldest = oldest.filter(|oldest| oldest.name != name);
            return match oldest.or_else(|| self.all().find(|other| other.name != name)) {
                Some(heir) => Claim::PassedOn(heir.name.clone()),
                None => Claim::Held,
            };
        }
        if self.all().all(|other| other.name == name) {
            return Claim::Held;
        }
        match oldest {
            Some(oldest) if oldest.name == name => Claim::Held,
            Some(oldest) => Claim::Refused(format!(
                "{kind} {target} is also the target of AgentRuntime {}, which was there first",
                oldest.shown()
            )),
            None => Claim::Refused(format!(
                "{kind} {target} is also the target of AgentRuntime {}",
                self.others(name)
            )),
        }
    }

    /// `a, b, c and 1,990 more`.
    fn others(&self, name: &str) -> String {
        let others = || self.all().filter(|other| other.name != name);
        let listed: Vec<String> = others().take(LISTED).map(Claimant::shown).collect();
        // An AgentRuntime whose name is there twice is refused for that, and its own namesake is no other.
        let total = self.staying.len().saturating_sub(1);
        match total.saturating_sub(listed.len()) {
            0 => listed.join(", "),
            rest => format!("{} and {} more", listed.join(", "), grouped(rest)),
        }
    }
}

/// A number with commas between its thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The claimants of all workloads of one moment.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    by_target: HashMap<WorkloadKey, Claimants>,
}

impl Claims {
    /// Indexes claimants; linear in their number.
    pub fn new(claimants: impl IntoIterator<Item = (WorkloadKey, Claimant)>) -> Self {
        let mut by_target: HashMap<WorkloadKey, Vec<Claimant>> = HashMap::new();
        for (target, claimant) in claimants {
            by_target.entry(target).or_default().push(claimant);
        }
        Self { by_target: by_target.into_iter().map(|(target, all)| (target, Claimants::new(all))).collect() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_target.is_empty()
    }

    /// The claim of an AgentRuntime on its target.
    pub fn claim(&self, target: &WorkloadKey, name: &str, deleting: bool) -> Claim {
        let claimants = self.by_target.get(target);
        claimants.map_or(Claim::Held, |all| all.claim((&target.0, &target.2), name, deleting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimant(name: &str, created: &str, deleting: bool) -> Claimant {
        let created = Some(created.to_owned()).filter(|time| !time.is_empty());
        Claimant { name: name.to_owned(), created, deleting, ..Claimant::default() }
    }

    fn refused(by: &str) -> Claim {
        Claim::Refused(format!("Deployment w is also the target of AgentRuntime {by}"))
    }

    /// A workload that two AgentRuntimes write in turn restarts its pods for ever.
    #[test]
    fn the_oldest_keeps_the_workload_and_without_times_nobody_does() {
        let claim = |all: &[Claimant], name: &str, deleting| {
            Claimants::new(all).claim(("Deployment", "w"), name, deleting)
        };
        let (a, b) =
            (claimant("a", "2026-01-02T00:00:00Z", false), claimant("b", "2026-01-01T00:00:00Z", false));
        let pair = [a.clone(), b.clone()];
        assert_eq!(claim(&pair, "b", false), Claim::Held);
        assert_eq!(claim(&pair, "a", false), refused("b, which was there first"));
        let twins = [a.clone(), claimant("b", "2026-01-02T00:00:00Z", false)];
        assert_eq!(claim(&twins, "a", false), Claim::Held);
        let files = [claimant("a", "", false), claimant("b", "", false)];
        assert_eq!(claim(&files, "a", false), refused("b"));
        assert_eq!(claim(&files, "b", false), refused("a"));
        let deleting = [a, claimant("b", "2026-01-01T00:00:00Z", true)];
        assert_eq!(claim(&deleting, "a", false), Claim::Held);
        assert_eq!(claim(&deleting, "b", true), Claim::PassedOn("a".to_owned()));
        assert_eq!(claim(&deleting[1..], "b", true), Claim::Held);
        let unread = [claimant("b", "", false)];
        assert_eq!(claim(&unread, "b", true), Claim::Held, "its own heir");
    }

    /// 4,000 AgentRuntimes with one target took 54 s and 1.5 GB of messages; each message is bounded, the sum linear.
    #[test]
    fn messages_about_thousands_of_claimants_stay_short() {
        let all: Vec<Claimant> = (0..2000).map(|index| claimant(&format!("a{index}"), "", false)).collect();
        let claimants = Claimants::new(&all);
        let claims: Vec<Claim> =
            all.iter().map(|one| claimants.claim(("Deployment", "w"), &one.name, false)).collect();
        assert_eq!(claims[5], refused("a0, a1, a2, a3, a4, a6, a7, a8, a9 and 1,990 more"));
        let longest = claims.iter().map(|claim| format!("{claim:?}").len()).max();
        assert!(longest < Some(200), "{longest:?}");
    }
}
