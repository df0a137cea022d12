//! Which list of skills is meant: a word of the command line and the lists of one moment in, one of them or why none out. The same
//! for files and for a cluster.

use kubectl_skills::api::agent_runtime::AgentRuntimeSpec;
use kubectl_skills::api::kind_word::{KindWord, kind_of};
use kubectl_skills::api::names::{AGENT_RUNTIME, SKILL_BINDING};
use kubectl_skills::api::object::{Object, ObjectRef, Origin};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::{Kinds, WorkloadKind};
use kubectl_skills::live::{WorkloadKey, target};
use kubectl_skills::manifest::set_skills::{self, Change, common_folder, image_of, names, skill_of};
use kubectl_skills::manifest::stream::Lead;
use kubectl_skills::plan::bindings::{Binding, Bindings};
use kubectl_skills::validate::findings::Finding;
use kubectl_skills::validate::schema::{SchemaError, Validator};
use kubectl_skills::validate::webhook::{Operation, Rivals, verdict};
use kubectl_skills::validate::{preflight, skill_binding};
use serde_json::Value;

use super::part::whole;
use super::{Args, Ask};
use crate::exit::Failure;

/// An AgentRuntime or SkillBinding with its list.
#[derive(Debug, Clone)]
pub(super) struct ListOf {
    pub kind: String,
    pub namespace: String,
    pub name: String,
    /// Its place in the files; of no file in a cluster.
    pub origin: Origin,
    /// Where it is in the manifests.
    pub lead: Option<Lead>,
    pub object: Value,
    /// What to do where it would lose its last skill.
    pub deletion: String,
}

impl ListOf {
    /// Of an object in a namespace.
    pub fn new(id: &ObjectRef, origin: Origin, lead: Option<Lead>, object: Value) -> Self {
        let ObjectRef { kind, namespace, name, .. } = id.clone();
        Self { kind, namespace, name, origin, lead, object, deletion: String::new() }
    }

    /// `skillbinding team1/tools (agent.yaml:12)`.
    pub fn title(&self) -> String {
        let place = if self.origin.file.is_empty() { String::new() } else { format!(" ({})", self.origin) };
        format!("{} {}/{}{place}", self.kind.to_lowercase(), self.namespace, self.name)
    }

    /// What names it alone on the command line.
    pub fn word(&self) -> String {
        format!("{}/{}", self.kind.to_lowercase(), self.name)
    }
}

/// What a word means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Runtime(String),
    Binding(String),
    Workload(WorkloadKind, String),
    /// Anything of this name.
    Name(String),
}

/// The profile whose operator takes a list in an AgentRuntime, and judges it.
const WITH_LISTS: &str = "pr332-merged";

fn word(text: &str, kinds: Kinds) -> Result<Word, Failure> {
    let Some((kind, name)) = text.split_once('/') else { return Ok(Word::Name(text.to_owned())) };
    let name = name.to_owned();
    match kind_of(kind, kinds) {
        Some(KindWord::Runtime) => Ok(Word::Runtime(name)),
        Some(KindWord::Binding) => Ok(Word::Binding(name)),
        Some(KindWord::Workload(kind)) => Ok(Word::Workload(kind, name)),
        None => {
            let mut known: Vec<String> = kinds.all().map(|kind| kind.name().to_lowercase()).collect();
            known.extend([AGENT_RUNTIME.to_lowercase(), SKILL_BINDING.to_lowercase()]);
            Err(Failure::Usage(format!(
                "{text}: {kind:?} is no kind with skills; known are {}",
                known.join(", ")
            )))
        }
    }
}

/// A workload that a selector may choose.
pub(super) type Choosable = (WorkloadKind, WorkloadKey, Value);

/// The lists that the word is about, by their indexes. `namespace`: the one of a cluster that was looked in.
pub(super) fn about(
    text: &str,
    kinds: Kinds,
    lists: &[ListOf],
    workloads: &[Choosable],
    namespace: Option<&str>,
) -> Result<Vec<usize>, Failure> {
    let word = word(text, kinds)?;
    let bindings = Bindings::new(lists.iter().filter(|list| list.kind == SKILL_BINDING).filter_map(|list| {
        let id = ObjectRef { namespace: list.namespace.clone(), ..Object(&list.object).reference() };
        Binding::of(id, Origin::default(), &list.object).ok()
    }));
    let chosen = |kind: Option<WorkloadKind>, name: &str, list: &ListOf| {
        let (of, _, named) = target(&list.object);
        if named == name && kind.is_none_or(|kind| kind.name() == of) {
            return true;
        }
        let theirs =
            workloads.iter().filter(|(of, key, _)| key.2 == name && kind.is_none_or(|kind| kind == *of));
        theirs.into_iter().any(|(of, key, workload)| {
            let found = bindings.of(*of, key, workload);
            let id = |at: &usize| &bindings.all()[*at].id;
            list.kind == SKILL_BINDING
                && key.1 == list.namespace
                && found.iter().any(|at| id(at).name == list.name && id(at).namespace == list.namespace)
        })
    };
    let is_meant = |list: &ListOf| match &word {
        Word::Runtime(name) => list.kind == AGENT_RUNTIME && list.name == *name,
        Word::Binding(name) => list.kind == SKILL_BINDING && list.name == *name,
        Word::Workload(kind, name) => chosen(Some(*kind), name, list),
        Word::Name(name) => list.name == *name || chosen(None, name, list),
    };
    let mut found: Vec<usize> = (0..lists.len()).filter(|at| is_meant(&lists[*at])).collect();
    // A patch of kustomize names its object and no target.
    let same = |at: &usize| {
        let list = &lists[*at];
        found.iter().any(|of| {
            let of = &lists[*of];
            (&of.kind, &of.namespace, &of.name) == (&list.kind, &list.namespace, &list.name)
        })
    };
    let more: Vec<usize> = (0..lists.len()).filter(|at| !found.contains(at)).filter(same).collect();
    found.extend(more);
    found.sort_unstable();
    if found.is_empty() { Err(nothing_about(text, lists, namespace)) } else { Ok(found) }
}

/// The error where no list is meant, with those that there are.
fn nothing_about(text: &str, lists: &[ListOf], namespace: Option<&str>) -> Failure {
    let all: Vec<String> = lists.iter().map(ListOf::title).collect();
    let (place, other) = match namespace {
        Some(namespace) => {
            (format!(" in namespace {namespace}"), "; -n NAMESPACE looks in another namespace")
        }
        None => (String::new(), ""),
    };
    let known = if all.is_empty() {
        format!("there is no list of skills{}", if namespace.is_some() { "" } else { " in the manifests" })
    } else {
        format!("lists of skills are in: {}", all.join(", "))
    };
    Failure::input(
        format!("no AgentRuntime or SkillBinding{place} is about {text}"),
        format!("{known}{other}"),
    )
}

/// How one of several lists is named alone: once each, by its file where the word is that of others as well.
fn alone(lists: &[ListOf], of: &[usize]) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for list in of.iter().map(|at| &lists[*at]) {
        let word = list.word();
        if words.contains(&word) {
            continue;
        }
        let same: Vec<&ListOf> = of.iter().map(|at| &lists[*at]).filter(|one| one.word() == word).collect();
        let mut files: Vec<&str> = same.iter().map(|one| one.origin.file.as_str()).collect();
        files.sort_unstable();
        files.dedup();
        if same.len() > 1 && files.len() > 1 {
            let files: Vec<String> = files.iter().map(|file| format!("-f {file}")).collect();
            out.push(format!("{word} with one file alone, {}", files.join(" or ")));
        } else {
            out.push(word.clone());
        }
        words.push(word);
    }
    out.join(" or ")
}

/// What becomes of which list; none where the skill is out already.
pub(super) fn choose(
    args: &Args,
    ask: &Ask,
    lists: &[ListOf],
    about: &[usize],
) -> Result<Option<(usize, Change)>, Failure> {
    let skill = ask.skill.clone();
    let having: Vec<usize> =
        about.iter().copied().filter(|at| image_of(&lists[*at].object, &skill).is_some()).collect();
    let titles = |of: &[usize]| of.iter().map(|at| lists[*at].title()).collect::<Vec<_>>().join(", ");
    match (having.as_slice(), &ask.image) {
        ([], None) => {
            crate::notes::note(&format!("{skill} is in no list of {}: nothing is taken out", args.workload));
            Ok(None)
        }
        ([one], None) => Ok(Some((*one, Change::Remove { skill }))),
        ([one], Some(image)) => {
            whole(image, &skill, image_of(&lists[*one].object, &skill))?;
            stays_mounted(args, &lists[*one], &skill)?;
            Ok(Some((*one, Change::Image { skill, image: image.clone() })))
        }
        ([], Some(_)) if !args.add => {
            let known: Vec<&str> = about.iter().flat_map(|at| names(&lists[*at].object)).collect();
            let known = if known.is_empty() { "no skill".to_owned() } else { known.join(", ") };
            Err(Failure::input(
                format!("{skill} is no skill of {}: {} has {known}", args.workload, titles(about)),
                "--add adds it",
            ))
        }
        ([], Some(image)) => match about {
            [one] => {
                whole(image, &skill, None)?;
                let mount_path = mount_path(args, &lists[*one], &skill)?;
                Ok(Some((*one, Change::Add { skill, image: image.clone(), mount_path })))
            }
            _ => Err(Failure::input(
                format!("{} has several lists: {}", args.workload, titles(about)),
                format!("name the one that {skill} is added to: {}", alone(lists, about)),
            )),
        },
        (several, _) => Err(Failure::input(
            format!("{skill} is in several lists of {}: {}", args.workload, titles(several)),
            format!("name one of them: {}", alone(lists, several)),
        )),
    }
}

/// Refuses another mount path for a skill that has one: only an added skill gets the path of the command line.
fn stays_mounted(args: &Args, list: &ListOf, skill: &str) -> Result<(), Failure> {
    let Some(wanted) = &args.mount_path else { return Ok(()) };
    let found = skill_of(&list.object, skill).map(|item| Object(item).str("/mountPath")).unwrap_or_default();
    if found == wanted {
        return Ok(());
    }
    let found = if found.is_empty() { "where its list says".to_owned() } else { format!("at {found}") };
    Err(Failure::Usage(format!(
        "--mount-path is for a skill that is added: {skill} is in {} already, mounted {found}; change mountPath there, or leave \
         the flag out",
        list.title()
    )))
}

fn mount_path(args: &Args, list: &ListOf, skill: &str) -> Result<Option<String>, Failure> {
    if args.mount_path.is_some() {
        return Ok(args.mount_path.clone());
    }
    // The runtime says where it looks.
    if list.kind == SKILL_BINDING && !Object(&list.object).str("/spec/runtime").is_empty() {
        return Ok(None);
    }
    match common_folder(&list.object) {
        Some(folder) => Ok(Some(format!("{folder}/{skill}"))),
        None => Err(Failure::Usage(format!(
            "where {skill} is mounted cannot be taken from the other skills of {}: give --mount-path, such as /skills/{skill}",
            list.title()
        ))),
    }
}

/// The object with its list changed; refused where something is wrong with it then that was not before.
pub(super) fn changed(list: &ListOf, changes: &[Change]) -> Result<Value, Failure> {
    for change in changes {
        let skill = change.skill();
        if names(&list.object).into_iter().filter(|name| *name == skill).count() > 1 {
            return Err(Failure::input(
                format!("{}: {skill} is in the list twice; nothing is set", list.title()),
                "leave one of them in it",
            ));
        }
    }
    let mut after = list.object.clone();
    set_skills::apply(&mut after, changes);
    let before = wrong(list, &list.object);
    let new: Vec<Finding> =
        wrong(list, &after).into_iter().filter(|finding| !before.contains(finding)).collect();
    if new.is_empty() {
        return Ok(after);
    }
    let empty = names(&after).is_empty() && list.kind == SKILL_BINDING;
    let help = if empty { list.deletion.clone() } else { String::new() };
    let said: Vec<String> =
        new.iter().map(|finding| format!("{}: {}", finding.field(), finding.message)).collect();
    Err(Failure::input(format!("{}: {}; nothing is set", list.title(), said.join("; ")), help))
}

/// What API server, webhook and plan refuse of a list.
fn wrong(list: &ListOf, object: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    if list.kind == SKILL_BINDING {
        found.extend(skill_binding::check(object));
    } else if let (Ok(spec), Some(profile)) =
        (AgentRuntimeSpec::from_object(object), Profile::by_name(WITH_LISTS))
    {
        let in_list = |error: &SchemaError| error.path.get(1).is_some_and(|step| *step == "skills".into());
        let schema = Validator::new(profile).create(object);
        found.extend(schema.errors.iter().filter(|error| in_list(error)).map(SchemaError::finding));
        let id = Object(object).reference();
        let answer = verdict(profile, Operation::Update, &id, &spec, Rivals::Unknown);
        found.extend(answer.refusal.map(|refusal| refusal.finding));
        found.extend(preflight::check(&spec));
    }
    found.into_iter().filter(Finding::is_error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_are_named_as_kubectl_names_them() {
        let read = |text: &str| word(text, Kinds::default()).ok();
        let workload = |kind, name: &str| Some(Word::Workload(kind, name.into()));
        for text in
            ["deployment/web", "deployments/web", "deploy/web", "Deployment/web", "deployment.apps/web"]
        {
            assert_eq!(read(text), workload(WorkloadKind::Deployment, "web"), "{text}");
        }
        assert_eq!(read("sandboxes/a"), workload(WorkloadKind::Sandbox, "a"));
        assert_eq!(read("agentruntime.agent.kagenti.dev/a"), Some(Word::Runtime("a".into())));
        assert_eq!(read("skb/a"), Some(Word::Binding("a".into())));
        assert_eq!(read("web"), Some(Word::Name("web".into())));
        assert_eq!(read("pod/web"), None);
    }

    /// A workload that is chosen by its labels has its list as well.
    #[test]
    fn a_selector_chooses_as_the_plan_does() {
        let binding = json!({
            "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding", "metadata": {"name": "all"},
            "spec": {"selector": {"matchLabels": {"team": "a"}},
                     "skills": [{"name": "pdf", "image": "x/pdf:1", "mountPath": "/s/pdf"}]},
        });
        let id = ObjectRef { namespace: "team1".into(), ..Object(&binding).reference() };
        let lists = [ListOf::new(&id, Origin::default(), None, binding)];
        let workload = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "team1"},
                              "spec": {"template": {"metadata": {"labels": {"team": "a"}}, "spec": {"containers": [{"name": "a"}]}}}});
        let key = ("Deployment".to_owned(), "team1".to_owned(), "web".to_owned());
        let workloads = [(WorkloadKind::Deployment, key, workload)];
        let of = |word: &str, workloads: &[Choosable]| {
            about(word, Kinds::default(), &lists, workloads, Some("team1"))
        };
        assert_eq!(of("deploy/web", &workloads).ok(), Some(vec![0]));
        assert_eq!(of("web", &workloads).ok(), Some(vec![0]));
        assert!(of("deploy/web", &[]).is_err());
        assert!(of("sts/web", &workloads).is_err());
        // Without -n the message says where it was looked.
        let none = |lists: &[ListOf]| {
            let said = about("sts/web", Kinds::default(), lists, &[], Some("team1"));
            match said {
                Err(Failure::Input(errors)) => errors[0].to_string(),
                other => format!("{other:?}"),
            }
        };
        assert_eq!(
            none(&[]),
            "no AgentRuntime or SkillBinding in namespace team1 is about sts/web (there is no list of skills; -n NAMESPACE looks in \
             another namespace)"
        );
        assert_eq!(
            none(&lists),
            "no AgentRuntime or SkillBinding in namespace team1 is about sts/web (lists of skills are in: skillbinding team1/all; -n \
             NAMESPACE looks in another namespace)"
        );
    }
}
