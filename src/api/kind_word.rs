//! Kinds as they are typed: the word in front of the slash in `deploy/weather` in, the kind that it means out.

use super::names::{AGENT_RUNTIME, SKILL_BINDING};
use super::workload::{Kinds, WorkloadKind};

/// Short names, as kubectl has them.
const SHORT: [(&str, &str); 8] = [
    ("deploy", "deployment"),
    ("sts", "statefulset"),
    ("ds", "daemonset"),
    ("rs", "replicaset"),
    ("cj", "cronjob"),
    ("sb", "sandbox"),
    ("ksvc", "service"),
    ("skb", "skillbinding"),
];

/// A kind that has to do with skills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindWord {
    /// An AgentRuntime.
    Runtime,
    /// A SkillBinding.
    Binding,
    /// A workload.
    Workload(WorkloadKind),
}

/// The kind that a word means: its name in any case, the plural of it, a short name, each also with a group after it, as
/// `kubectl get -o name` prints it; `None` where it is none of ours or of `kinds`.
pub fn kind_of(word: &str, kinds: Kinds) -> Option<KindWord> {
    let typed = word.split('.').next().unwrap_or_default().to_lowercase();
    let typed = SHORT.iter().find(|(short, _)| *short == typed).map_or(typed.as_str(), |(_, long)| long);
    let is = |known: &str| {
        let known = known.to_lowercase();
        [Some(typed), typed.strip_suffix('s'), typed.strip_suffix("es")].contains(&Some(known.as_str()))
    };
    if is(AGENT_RUNTIME) {
        return Some(KindWord::Runtime);
    }
    if is(SKILL_BINDING) {
        return Some(KindWord::Binding);
    }
    kinds.all().find(|kind| is(kind.name())).map(KindWord::Workload)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who pastes what kubectl prints, or types what kubectl takes, means the same kind in every verb.
    #[test]
    fn kinds_are_named_as_kubectl_names_them() {
        let of = |word: &str| kind_of(word, Kinds::default());
        for word in
            ["deployment", "deployments", "deploy", "Deployment", "deployment.apps", "deployments.apps"]
        {
            assert_eq!(of(word), Some(KindWord::Workload(WorkloadKind::Deployment)), "{word}");
        }
        for (word, kind) in [
            ("sts", WorkloadKind::StatefulSet),
            ("sandboxes", WorkloadKind::Sandbox),
            ("sb", WorkloadKind::Sandbox),
            ("cj", WorkloadKind::CronJob),
            ("ksvc", WorkloadKind::KnativeService),
        ] {
            assert_eq!(of(word), Some(KindWord::Workload(kind)), "{word}");
        }
        assert_eq!(of("agentruntime.agent.kagenti.dev"), Some(KindWord::Runtime));
        assert_eq!(of("skb"), Some(KindWord::Binding));
        for word in ["pod", "manifests", "", "deploymentss"] {
            assert_eq!(of(word), None, "{word}");
        }
    }
}
