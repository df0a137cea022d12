//! The kinds of workload that skills can be mounted into: a kind's name in, where its pod template is out. The only kind
//! switch.
//!
//! Sources: operator-spec.md section 1 ("Targets") for the kinds that an AgentRuntime can point at; a SkillBinding takes
//! every kind of the table, and those that the command line adds.

use super::object::ObjectRef;

/// DNS labels joined by dots.
fn dns_subdomain(text: &str) -> bool {
    text.split('.').all(|label| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    })
}

/// Where the pod template of a kind is, as ways of keys from the object.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodTemplate {
    /// The template.
    pub template: &'static [&'static str],
    /// Its metadata.
    pub metadata: &'static [&'static str],
    /// Its labels: those of the pods.
    pub labels: &'static [&'static str],
    /// Its annotations.
    pub annotations: &'static [&'static str],
    /// The pod.
    pub pod: &'static [&'static str],
}

static TEMPLATE: PodTemplate = PodTemplate {
    template: &["spec", "template"],
    metadata: &["spec", "template", "metadata"],
    labels: &["spec", "template", "metadata", "labels"],
    annotations: &["spec", "template", "metadata", "annotations"],
    pod: &["spec", "template", "spec"],
};
static POD_TEMPLATE: PodTemplate = PodTemplate {
    template: &["spec", "podTemplate"],
    metadata: &["spec", "podTemplate", "metadata"],
    labels: &["spec", "podTemplate", "metadata", "labels"],
    annotations: &["spec", "podTemplate", "metadata", "annotations"],
    pod: &["spec", "podTemplate", "spec"],
};
static JOB_TEMPLATE: PodTemplate = PodTemplate {
    template: &["spec", "jobTemplate", "spec", "template"],
    metadata: &["spec", "jobTemplate", "spec", "template", "metadata"],
    labels: &["spec", "jobTemplate", "spec", "template", "metadata", "labels"],
    annotations: &["spec", "jobTemplate", "spec", "template", "metadata", "annotations"],
    pod: &["spec", "jobTemplate", "spec", "template", "spec"],
};

/// A kind that the command line adds.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomKind {
    name: &'static str,
    group: &'static str,
    paths: PodTemplate,
}

/// A kind of workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// `apps/v1`.
    Deployment,
    /// `apps/v1`.
    StatefulSet,
    /// `agents.x-k8s.io/v1alpha1`.
    Sandbox,
    /// `apps/v1`.
    DaemonSet,
    /// `apps/v1`.
    ReplicaSet,
    /// `batch/v1`.
    Job,
    /// `batch/v1`.
    CronJob,
    /// `argoproj.io/v1alpha1`.
    Rollout,
    /// `serving.knative.dev/v1`.
    KnativeService,
    /// A kind that the command line adds.
    Custom(&'static CustomKind),
}

impl WorkloadKind {
    /// The kinds that an AgentRuntime can point at.
    pub const OF_OPERATOR: [Self; 3] = [Self::Deployment, Self::StatefulSet, Self::Sandbox];

    /// The kinds that a SkillBinding can point at without more ado.
    pub const ALL: [Self; 9] = [
        Self::Deployment,
        Self::StatefulSet,
        Self::Sandbox,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::Job,
        Self::CronJob,
        Self::Rollout,
        Self::KnativeService,
    ];

    /// Reads `targetRef.kind` of an AgentRuntime, exactly as written.
    pub fn parse(kind: &str) -> Option<Self> {
        Self::OF_OPERATOR.into_iter().find(|known| known.name() == kind)
    }

    /// The kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::Sandbox => "Sandbox",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::Rollout => "Rollout",
            Self::KnativeService => "Service",
            Self::Custom(custom) => custom.name,
        }
    }

    /// A word that no manifest of the kind is without, and few others have.
    pub fn word(self) -> &'static str {
        if self == Self::KnativeService { self.group() } else { self.name() }
    }

    /// The versions in which its pod template is known to be there; none for a kind that the command line adds.
    pub fn versions(self) -> Vec<&'static str> {
        match self {
            Self::Custom(_) => Vec::new(),
            Self::Sandbox => vec![self.api_version(), "agents.x-k8s.io/v1beta1"],
            _ => vec![self.api_version()],
        }
    }

    /// The API group.
    pub fn group(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::ReplicaSet => "apps",
            Self::Sandbox => "agents.x-k8s.io",
            Self::Job | Self::CronJob => "batch",
            Self::Rollout => "argoproj.io",
            Self::KnativeService => "serving.knative.dev",
            Self::Custom(custom) => custom.group,
        }
    }

    /// `group/version`, the version being the one that is written in examples; empty for kinds of the command line.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::ReplicaSet => "apps/v1",
            Self::Sandbox => "agents.x-k8s.io/v1alpha1",
            Self::Job | Self::CronJob => "batch/v1",
            Self::Rollout => "argoproj.io/v1alpha1",
            Self::KnativeService => "serving.knative.dev/v1",
            Self::Custom(_) => "",
        }
    }

    /// Where its pod template is.
    pub fn paths(self) -> &'static PodTemplate {
        match self {
            Self::Sandbox => &POD_TEMPLATE,
            Self::CronJob => &JOB_TEMPLATE,
            Self::Custom(custom) => &custom.paths,
            _ => &TEMPLATE,
        }
    }

    /// Whether the operator handles the kind as Go structs, which forget empty maps and lists and unknown fields.
    pub fn is_typed(self) -> bool {
        self != Self::Sandbox
    }

    /// Whether its pod template cannot be changed once it is stored.
    pub fn is_immutable(self) -> bool {
        self == Self::Job
    }
}

/// The kinds that a SkillBinding can point at: those of the table, and those that the command line adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(&'static [CustomKind]);

impl Kinds {
    /// Adds the kinds of a command line, each as `KIND.GROUP=path.to.template`. They live as long as the program.
    ///
    /// # Errors
    /// The first text that is none, and why.
    pub fn with(flags: &[String]) -> Result<Self, String> {
        let read = |text: &String| custom_kind(text).map_err(|why| format!("{text}: {why}"));
        let custom = flags.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(Vec::leak(custom)))
    }

    /// Whether a text is such a kind.
    ///
    /// # Errors
    /// Why it is none.
    pub fn check(text: &str) -> Result<(), String> {
        split(text).map(|_| ())
    }

    /// The kind of an object.
    pub fn find(self, kind: &str, group: &str) -> Option<WorkloadKind> {
        self.all().find(|known| known.name() == kind && known.group() == group)
    }

    /// The kind of an object that is named.
    pub fn of(self, id: &ObjectRef) -> Option<WorkloadKind> {
        self.find(&id.kind, id.group())
    }

    /// Keys to the pod of an object that is named: of a workload in its template, of a Pod its own; `None` if it has none.
    pub fn pod_of(self, id: &ObjectRef) -> Option<&'static [&'static str]> {
        match self.of(id) {
            Some(kind) => Some(kind.paths().pod),
            None => (id.kind == "Pod").then_some(&["spec"]),
        }
    }

    /// The kind of that name, of whatever group.
    pub fn named(self, kind: &str) -> Option<WorkloadKind> {
        self.all().find(|known| known.name() == kind)
    }

    /// All of them, those of the command line first: they count before the table.
    pub fn all(self) -> impl Iterator<Item = WorkloadKind> {
        self.0.iter().map(WorkloadKind::Custom).chain(WorkloadKind::ALL)
    }

    /// Whether the command line has added any.
    pub fn has_custom(self) -> bool {
        !self.0.is_empty()
    }
}

/// Kind, group and keys of `KIND.GROUP=path.to.template`.
fn split(text: &str) -> Result<(&str, &str, Vec<&str>), String> {
    let wrong =
        |what: &str| format!("{what}; write KIND.GROUP=path, such as Workflow.example.com=spec.template");
    let (whose, path) = text.split_once('=').ok_or_else(|| wrong("there is no ="))?;
    let (name, group) = whose.split_once('.').ok_or_else(|| wrong("the kind has no group"))?;
    let keys: Vec<&str> = path.strip_prefix('.').unwrap_or(path).split('.').collect();
    if name.is_empty() || group.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(wrong("the kind has no name or no group"));
    }
    if !dns_subdomain(group) {
        return Err(wrong("the group is no name such as example.com; it is written without a version"));
    }
    if let Some(known) = WorkloadKind::ALL.iter().find(|known| known.name() == name && known.group() == group)
    {
        return Err(format!(
            "the pod template of a {name} is known to be at {}; leave the flag out",
            known.paths().template.join(".")
        ));
    }
    let plain = |key: &&str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if keys.len() < 2 || !keys.iter().all(plain) {
        return Err(wrong(
            "the path is no way of two or more keys, as spec.template is; lists are not entered",
        ));
    }
    Ok((name, group, keys))
}

fn custom_kind(text: &str) -> Result<CustomKind, String> {
    let (name, group, keys) = split(text)?;
    let keep = |text: &str| -> &'static str { String::leak(text.to_owned()) };
    let keys: Vec<&'static str> = keys.into_iter().map(keep).collect();
    let way = |more: &[&'static str]| -> &'static [&'static str] { Vec::leak([&keys[..], more].concat()) };
    let paths = PodTemplate {
        template: way(&[]),
        metadata: way(&["metadata"]),
        labels: way(&["metadata", "labels"]),
        annotations: way(&["metadata", "annotations"]),
        pod: way(&["spec"]),
    };
    Ok(CustomKind { name: keep(name), group: keep(group), paths })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mistyped path would leave a workload without its skills, or write into the wrong place.
    #[test]
    fn kinds_of_the_command_line_are_read_or_refused() {
        let kinds = Kinds::with(&["Workflow.example.com=spec.run.template".to_owned()]).expect("a kind");
        let found = kinds.find("Workflow", "example.com").expect("it");
        assert_eq!(found.paths().pod, ["spec", "run", "template", "spec"]);
        assert_eq!(found.paths().annotations, ["spec", "run", "template", "metadata", "annotations"]);
        assert_eq!(kinds.find("Workflow", "other.com"), None);
        assert_eq!(kinds.find("CronJob", "batch"), Some(WorkloadKind::CronJob));
        assert_eq!(kinds.find("Service", ""), None, "a Service of the core group runs nothing");
        for wrong in [
            "",
            "Workflow",
            "Workflow=spec.template",
            "W.g=",
            "W.g=spec",
            "W.g=spec..a",
            "W.g=a[0].b",
            ".g=a.b",
        ] {
            let error = Kinds::with(&[wrong.to_owned()]).unwrap_err();
            assert!(error.contains("write KIND.GROUP=path"), "{wrong}: {error}");
        }
    }

    /// It would match nothing, or be left out, without a word.
    #[test]
    fn a_version_and_a_known_kind_are_refused() {
        let error = |text: &str| Kinds::with(&[text.to_owned()]).unwrap_err();
        assert_eq!(
            error("Workflow.example.com/v1=spec.template"),
            "Workflow.example.com/v1=spec.template: the group is no name such as example.com; it is written without a version; \
             write KIND.GROUP=path, such as Workflow.example.com=spec.template"
        );
        assert_eq!(
            error("CronJob.batch=spec.foo"),
            "CronJob.batch=spec.foo: the pod template of a CronJob is known to be at spec.jobTemplate.spec.template; leave the \
             flag out"
        );
    }
}
