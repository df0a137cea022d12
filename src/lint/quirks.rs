//! The quirks of operators that warnings name, such as `[Q22]`, for `explain`: the rows of the table in docs/compatibility.md.

/// Number, what the operator does, what we do, and why.
type Row = (&'static str, &'static str, &'static str, &'static str);

/// The page of a quirk, as that of a rule; none for what is no number of one.
pub fn page(number: &str) -> Option<String> {
    let (number, operator, ours, why) = ROWS.iter().find(|row| row.0.eq_ignore_ascii_case(number))?;
    Some(format!(
        "## {number}\n\na quirk of an operator, as warnings name it.\n\n**The operator:** {operator}.\n\n**We:** {ours}.\n\n\
         **Why:** {why}.\n\nSource: docs/compatibility.md.\n"
    ))
}

/// All of them, as the table has them.
#[rustfmt::skip]
pub const ROWS: [Row; 29] = [
    (
        "Q1",
        "its cache hides `authbridge-runtime-config`, so the hash lacks it (before 67b8a5e)",
        "the same hash; warned. `--config-view full` takes it in, and then also the copies that `configmap-templates` make, which only the operator writes",
        "our hash must be the one on the pods",
    ),
    (
        "Q2",
        "of several defaults ConfigMaps it takes one at random: endless rollouts",
        "the first by name, warned",
        "a second run must repeat the first",
    ),
    (
        "Q3",
        "a failed read counts as empty and changes the hash",
        "a plan cannot be asked for without the answer (`Lookup`): whoever could not read does nothing and tries again",
        "nothing rolls because the API server hiccupped",
    ),
    (
        "Q4",
        "removes every volume called `skill-*`: ConfigMaps, claims, secrets",
        "keeps what no evidence says is ours, and its mounts, with a warning (\"What is ours\"); a skill whose volume name is taken by another kind of volume is refused",
        "the agent would lose knowledge or data",
    ),
    (
        "Q5",
        "without skills, and on deletion, deletes the skills annotation whoever wrote it",
        "keeps names that are not ours, and text that is no list",
        "kagenti's backend writes it too",
    ),
    (
        "Q6",
        "leaves mounts of removed volumes in sidecars and init containers",
        "takes them out",
        "the API server refuses a dangling mount: the update fails every 30 s, a deletion never ends",
    ),
    (
        "Q7",
        "looks at labels and hash only: what was removed or changed by hand stays so",
        "compares the whole and heals",
        "an image that was exchanged by hand would stay",
    ),
    (
        "Q8",
        "the gate is not in the hash: opened last it mounts nothing; closed it leaves the volumes",
        "opened, mounts. Closed, the volumes stay as the operator leaves them, the annotation goes, and a warning says what is still mounted (`render --remove` takes it out)",
        "closing a gate must not restart agents by itself",
    ),
    (
        "Q9",
        "SkillsMounted=True without a look at the pod",
        "true only for a plan that leaves them mounted; a pod without containers is an error",
        "a condition is for who cannot look",
    ),
    (
        "Q10",
        "the first container, even a proxy",
        "the same, warned where its name is a known sidecar's; `--container` names another",
        "only its owner knows which is the agent",
    ),
    (
        "Q11",
        "rebuilds volumes and mounts: `subPath`, a second mount, a pull policy go",
        "keeps what was added by hand; a mount at a path that the skill had before goes; right mounts in another order are left",
        "each is somebody's work, and a change of order alone rolls every pod",
    ),
    (
        "Q12",
        "takes names of 58 characters, whose volume name is too long",
        "refuses the plan",
        "the API server does too, every 30 s",
    ),
    (
        "Q13",
        "its Helm chart does not register the webhook for AgentRuntimes",
        "the plan itself refuses duplicate names and paths and names that are no volume names",
        "who has no webhook gets the answer all the same",
    ),
    (
        "Q14",
        "the denylist is textual: refuses `/process`, passes `//proc` and `/run/secrets`",
        "`validate` and `render` repeat the verdict; what passes and lies in a protected path is warned of",
        "a refusal that the cluster would not make helps nobody",
    ),
    (
        "Q15",
        "two AgentRuntimes that write apiVersion differently own one workload and fight",
        "both are refused, each naming the other",
        "pods would roll without end",
    ),
    (
        "Q16",
        "its webhook judges also the update that takes the finalizer off",
        "our webhook lets objects pass that are being deleted, when asked to; plans let go either way",
        "an object would stay for ever",
    ),
    (
        "Q17",
        "overwrites `app.kubernetes.io/managed-by` of others, and removes it on deletion",
        "leaves it",
        "Helm refuses to upgrade what is not labelled as its own",
    ),
    (
        "Q18",
        "annotates a Sandbox with skills that are not mounted",
        "does not, and takes such a claim back; the pod of a Sandbox is never touched, nor on removal",
        "the agent card would lie",
    ),
    (
        "Q19",
        "Sandbox: one label that is no text costs all labels; a null podTemplate is written for ever; replicas end at 1",
        "labels stay; the template is made once; a Sandbox scaled to 0 is not woken",
        "losing labels cuts Services off",
    ),
    (
        "Q20",
        "writes whole objects through Go structs: fields that are newer than its client go",
        "objects stay untyped",
        "the next Kubernetes has fields that nobody here knows",
    ),
    (
        "Q21",
        "a mount path that is taken is mounted again",
        "refused; a mount inside a skill's read-only volume, or a skill inside another's, is warned of",
        "the API server refuses the first, the container may not start with the second",
    ),
    (
        "Q22",
        "a changed targetRef leaves the old workload as it was",
        "the same, warned, also of a workload that lost its SkillBinding: files do not say what it was before",
        "only its owner can say that the agent may go",
    ),
    (
        "Q23",
        "an error leaves Ready=True and SkillsMounted=True from before",
        "Ready=False with the reason, SkillsMounted is removed",
        "an agent without a workload is not ready",
    ),
    (
        "Q24",
        "a gates file with every gate false means the defaults",
        "the same: they are the operator's gates",
        "the decision must be the same",
    ),
    (
        "Q25",
        "an AgentRuntime that is deleted between the two phases of its Sandbox's restart leaves the Sandbox at no replica",
        "the Sandbox is brought up in the write that takes our things out",
        "the agent would be down until somebody wonders why",
    ),
    (
        "Q26",
        "an AgentRuntime that is deleted before it was ever applied stamps the hash of the defaults, and pods roll",
        "writes nothing where nothing of ours is",
        "nobody asked for a restart",
    ),
    (
        "Q27",
        "takes any text for an image",
        "refuses what the kubelet does not read as a reference (`distribution/reference`); the tag `latest` and no tag are warned of; a reference with a placeholder (`${TAG}`, `$(TAG)`, `{{ .tag }}`, `<no value>`) is warned of and passes",
        "the pod would end in InvalidImageName, and a Deployment would hang between two revisions",
    ),
    (
        "Q28",
        "mounts over `/` and over the system's folders",
        "refuses `/`, which starts no container; a mount at a folder such as `/usr/bin` or `/etc` is warned of; a folder of its own below one is not",
        "the container would lose its programs; some images live with it",
    ),
    (
        "Q29",
        "restarts a Sandbox when its skills change, which it never mounts there",
        "writes the new hash and restarts nothing, warned; the annotation `skills.kagenti.dev/restart-hash` keeps both hashes, of all and of what the pod gets. It restarts once when the hash that is there is the operator's, for that one does not say what changed",
        "the agent would be down for nothing",
    ),
];
