//! The configuration that plans are made with: the ConfigMaps of one moment and the gates' source in, one snapshot out. All
//! runs between two snapshots see the same one, so no hash mixes two of them.

use kubectl_skills::api::object::ConfigMap;
use kubectl_skills::config::gates::{GateSource, GatesError, GatesFile};
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::plan::Options;
use kubectl_skills::plan::session::Session;

use super::cache::Key;

/// One state of the configuration, and how plans are made with it.
#[derive(Debug)]
pub struct Snapshot {
    /// Judges and plans.
    pub session: Session,
}

impl Snapshot {
    /// Makes a snapshot; [`Options::gate`] is not read.
    ///
    /// # Errors
    /// Gates that do not parse; the caller keeps the snapshot that it has.
    pub fn new(
        options: Options,
        view: ConfigView,
        maps: Vec<ConfigMap>,
        gates: &GateSource,
    ) -> Result<Self, GatesError> {
        let gate = gates.resolve(options.profile, &maps)?.skills(options.profile);
        Ok(Self { session: Session::new(Options { gate, ..options }, view, maps) })
    }

    /// The gate over skills.
    pub fn gate(&self) -> bool {
        self.session.options().gate
    }

    /// Whether another snapshot has the same policy and the same lock.
    pub fn judges_as(&self, other: &Self) -> bool {
        let (mine, others) = (self.session.options(), other.session.options());
        mine.policy == others.policy && mine.pins == others.pins
    }

    /// Those AgentRuntimes for which another snapshot says something else.
    pub fn concerned<'k>(&self, other: &Self, keys: impl Iterator<Item = &'k Key>) -> Vec<Key> {
        let all = self.gate() != other.gate() || !self.judges_as(other);
        let mut last: Option<(&str, bool)> = None;
        // Keys come by namespace, so each is compared once.
        keys.filter(|key| {
            let namespace = key.namespace();
            let differs = match last {
                Some((known, differs)) if known == namespace => differs,
                _ => {
                    self.session.layers().for_namespace(namespace)
                        != other.session.layers().for_namespace(namespace)
                }
            };
            last = Some((namespace, differs));
            all || differs
        })
        .cloned()
        .collect()
    }
}

/// Reads a gates file. A file that is not there is one without gates, as for the operator.
///
/// # Errors
/// Any other failure to read it.
#[allow(clippy::disallowed_methods, reason = "a mounted file")]
pub fn read_gates_file(path: &std::path::Path) -> std::io::Result<GatesFile> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(GatesFile { path: path.display().to_string(), text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubectl_skills::api::object::Origin;
    use kubectl_skills::api::profile::Profile;

    fn profile() -> &'static Profile {
        Profile::by_name("pr332").unwrap()
    }

    fn map(namespace: &str, name: &str, data: &[(&str, &str)], defaults: bool) -> ConfigMap {
        let label = if defaults { "kagenti.io/defaults" } else { "x" };
        ConfigMap {
            namespace: namespace.into(),
            name: name.into(),
            labels: [(label.to_owned(), "true".to_owned())].into(),
            data: data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            origin: Origin::default(),
        }
    }

    fn snapshot(maps: &[ConfigMap]) -> Result<Snapshot, GatesError> {
        Snapshot::new(Options::new(profile()), ConfigView::Full, maps.to_vec(), &GateSource::default())
    }

    /// Rolling a thousand agents because one namespace's default changed is an outage.
    #[test]
    fn a_changed_default_concerns_its_namespace_and_a_gate_all() {
        let gates = |value: &str| {
            map("kagenti-system", "kagenti-feature-gates", &[("feature-gates.yaml", value)], false)
        };
        let keys = [Key::new("a", "1"), Key::new("a", "2"), Key::new("b", "3"), Key::new("c", "4")];
        let concerned = |one: &[ConfigMap], other: &[ConfigMap]| {
            let names: Vec<String> = snapshot(one)
                .unwrap()
                .concerned(&snapshot(other).unwrap(), keys.iter())
                .iter()
                .map(ToString::to_string)
                .collect();
            names.join(" ")
        };
        let before = [gates("globalEnabled: true"), map("a", "d", &[("k", "1")], true)];
        assert_eq!(concerned(&before, &before), "");
        assert_eq!(concerned(&before, &[before[0].clone(), map("a", "d", &[("k", "2")], true)]), "a/1 a/2");
        assert_eq!(
            concerned(&before, &[before[0].clone(), before[1].clone(), map("a", "x", &[], false)]),
            ""
        );
        assert_eq!(
            concerned(&before, &[gates("skillImageVolumes: true"), before[1].clone()]),
            "a/1 a/2 b/3 c/4"
        );
    }

    /// A policy that only counts for what changes next lets everything stay that was there before.
    #[test]
    fn another_lock_or_policy_concerns_all() {
        use kubectl_skills::skill::lock::Lock;
        use kubectl_skills::skill::policy::{Enforced, Policy};
        use std::sync::Arc;

        let keys = [Key::new("a", "1"), Key::new("b", "2")];
        let with = |options: Options| {
            Snapshot::new(options, ConfigView::Full, Vec::new(), &GateSource::default()).unwrap()
        };
        let plain = || Options::new(profile());
        let policy = |pinned| {
            let policy = Policy { pinned, ..Policy::default() };
            let enforced = Enforced::new(Arc::new(policy), Arc::default(), "2026-11-27".parse().unwrap());
            Options { policy: Some(Arc::new(enforced)), ..plain() }
        };
        let pins = || Options { pins: Some(Arc::new(Lock::default().pins("skills.lock"))), ..plain() };
        let concerned = |one, other| with(one).concerned(&with(other), keys.iter()).len();
        assert_eq!(concerned(plain(), plain()), 0);
        assert_eq!(concerned(policy(true), policy(true)), 0, "the same, read again");
        assert_eq!(concerned(plain(), policy(true)), 2);
        assert_eq!(concerned(policy(false), policy(true)), 2);
        assert_eq!(concerned(pins(), pins()), 0);
        assert_eq!(concerned(plain(), pins()), 2);
    }

    #[test]
    fn gates_that_cannot_be_read_are_no_gates() {
        let broken = map(
            "kagenti-system",
            "kagenti-feature-gates",
            &[("feature-gates.yaml", "skillImageVolumes: 1")],
            false,
        );
        assert_eq!(
            snapshot(&[broken]).err().map(|error| error.to_string()).as_deref(),
            Some(
                "ConfigMap kagenti-system/kagenti-feature-gates: error unmarshaling JSON: while decoding JSON: json: cannot \
                 unmarshal number into Go struct field FeatureGates.skillImageVolumes of type bool"
            )
        );
    }
}
