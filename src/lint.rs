//! Advice beyond admission: a stream of manifests, a lock and what was seen in images in; findings with rule, place and fix out.
//! What is refused anyway comes from the one verdict of all verbs; each further rule looks at one workload, ConfigMap or text.
//! Reading files, asking registries and clusters, and printing are left to the verb.

pub mod baseline;
mod config_maps;
mod contents;
mod fix;
mod hidden;
pub mod ignore;
mod kustomize;
mod logins;
mod mounts;
pub mod nodes;
pub mod others;
mod own;
mod places;
mod pods;
pub mod quirks;
pub mod rule;
mod verdict;
mod view;

use std::collections::{HashMap, HashSet};

use memchr::memmem::Finder;

use crate::api::error::InputError;
use crate::api::object::{Object, ObjectRef, Origin};
use crate::manifest::render::{self, Planned, plan_each};
use crate::manifest::stream::{Item, Source, Stream};
use crate::manifest::{near_miss, objects};
use crate::plan::Warning;
use crate::plan::pod::GUESSED;
use crate::plan::pod_injection::Injector;
use crate::skill::inspect::Inspected;
use crate::skill::lock::Lock;
use crate::yaml::Step;
use others::Others;
use rule::{Level, Rule};
use view::{ReadBindings, Workload};

pub use fix::{Fix, fixed};

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// How much it matters.
    pub level: Level,
    /// Index of its source, those of kustomize after the manifests; none for what is of no file.
    pub source: Option<usize>,
    /// Where it is.
    pub origin: Origin,
    /// Column, from 1; 0 where there is none.
    pub column: usize,
    /// The object.
    pub object: Option<ObjectRef>,
    /// The field; empty for the whole object.
    pub field: String,
    /// What is wrong, lower case, no final stop.
    pub message: String,
    /// How to mend it; empty if the message or the rule says it.
    pub help: String,
    /// What `--fix` does.
    pub fix: Option<Fix>,
}

impl Finding {
    /// What was found of a cluster.
    pub fn of_cluster(level: Level, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::alone(&own::CLUSTER_CHECK, level, message, help)
    }

    /// A finding about no file.
    fn alone(rule: &'static Rule, level: Level, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            rule,
            level,
            source: None,
            origin: Origin::default(),
            column: 0,
            object: None,
            field: String::new(),
            message: message.into(),
            help: help.into(),
            fix: None,
        }
    }

    /// Whether it is what a plan over manifests would say of an object of a cluster, of which a plan over the cluster knows more:
    /// who wrote each field.
    pub fn is_of_manifests_alone(&self) -> bool {
        self.source.is_some()
            && self.origin.file.is_empty()
            && [verdict::ADVICE.id, own::SKILLS_LEFT.id].contains(&self.rule.id)
    }
}

/// What is known of images.
#[derive(Debug, Default)]
pub struct Known<'k> {
    /// The lock, or what registries say, as a lock would have it.
    pub lock: Option<&'k Lock>,
    /// What is in images, by [`crate::api::image_reference::key`].
    pub inspected: HashMap<String, Inspected>,
    /// What kustomize reads of the folders of the manifests, the kustomizations first.
    pub kustomize: &'k [Source],
}

/// Findings in the making.
struct Out<'s, 'd> {
    stream: &'s Stream<'d>,
    /// Indexes of sources by their names.
    sources: HashMap<&'d str, usize>,
    all: Vec<Finding>,
}

impl Out<'_, '_> {
    /// Adds a finding about a field of an object of the stream.
    fn add(
        &mut self,
        rule: &'static Rule,
        item: &Item,
        field: &[Step],
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let said = self.stream.error(item, field, message, help);
        self.push(self.of(rule, rule.level, &said));
    }

    /// The same with a fix: the value that the field is to have.
    fn add_fix(&mut self, found: (&'static Rule, &Item, &[Step]), message: String, value: String) {
        let (rule, item, field) = found;
        let (source, start) = self.stream.place(item.document());
        let path = item.path().iter().chain(field).cloned().collect();
        let said = self.stream.error(item, field, message, "");
        let fix = Fix { source, start, path, value: value.into() };
        self.push(Finding { fix: Some(fix), ..self.of(rule, rule.level, &said) });
    }

    fn of(&self, rule: &'static Rule, level: Level, said: &InputError) -> Finding {
        let InputError { origin, column, object, field, message, help, .. } = said.clone();
        let source = self.sources.get(origin.file.as_str()).copied();
        Finding { rule, level, source, origin, column, object, field, message, help, fix: None }
    }

    fn push(&mut self, finding: Finding) {
        self.all.push(finding);
    }
}

/// Words of which a workload has one that any rule but those of its plan is about.
const WORDS: [&str; 4] = ["skill", "SKILL", "kagenti.io/", "rossoctl.io/"];

/// The search for [`WORDS`].
struct Words([Finder<'static>; 4]);

impl Default for Words {
    fn default() -> Self {
        Self(WORDS.map(Finder::new))
    }
}

impl Words {
    /// Whether any rule is about a workload in this document.
    fn are_in(&self, text: &str) -> bool {
        self.0.iter().any(|word| word.find(text.as_bytes()).is_some())
    }
}

/// Lints a stream, by the rules of these settings.
pub fn lint(
    stream: &Stream<'_>,
    settings: &render::Settings,
    namespace: &str,
    known: &Known<'_>,
) -> Vec<Finding> {
    let documents = others::read(stream.sources());
    let others = Others::of(&documents, namespace);
    let bindings = ReadBindings::of(stream);
    let kinds = settings.options.kinds;
    let sources = stream.sources().iter().enumerate().map(|(index, source)| (source.name.as_str(), index));
    let mut out = Out { stream, sources: sources.collect(), all: Vec::new() };
    let mut seen = vec![false; stream.workloads.len()];
    let settings = render::Settings { by_themselves: true, ..settings.clone() };
    let injector = Injector::new(&settings.options);
    let mut warnings = Vec::new();
    let mut planned = plan_each(stream, &settings, |mut one| {
        let item = one.workload.map_or_else(|| stream.lead(one.lead), |index| &stream.workloads[index]);
        warnings
            .extend(std::mem::take(&mut one.plan.warnings).into_iter().map(|warning| (Some(item), warning)));
        let (Some(index), Some(before)) = (one.workload, &one.before) else { return };
        seen[index] = true;
        let Some(workload) =
            Workload::of(stream, (&stream.workloads[index], before), Some(&one), (&bindings, kinds))
        else {
            return;
        };
        check(&workload, &others, known, settings.options.profile.mounts(), &mut out);
        pods::check(&workload, &injector, &mut out);
    });
    if !planned.warnings.is_empty() {
        let items: HashMap<&ObjectRef, &Item> =
            stream.asking().chain(&stream.workloads).map(|item| (&item.id, item)).collect();
        let of = |id: &ObjectRef| items.get(id).copied();
        warnings.extend(planned.warnings.iter().map(|(id, warning)| (of(id), warning.clone())));
    }
    // Warnings are remarks as well, without a field: here they have rules of their own.
    let texts: HashSet<String> = warnings.iter().map(|(_, warning)| warning.to_string()).collect();
    planned.remarks.retain(|said| !said.field.is_empty() || !texts.contains(&said.message));
    verdicts(&mut out, &planned);
    // What is said with its place needs no second word.
    let said: HashSet<&str> = planned.remarks.iter().map(|said| said.message.as_str()).collect();
    warnings.retain(|(_, warning)| !said.contains(warning.message.as_str()));
    warnings.iter().for_each(|(item, warning)| advice(&mut out, *item, warning));
    let words = Words::default();
    let unseen = stream.workloads.iter().zip(&seen).filter(|(_, seen)| !**seen);
    for (item, _) in unseen {
        if !words.are_in(stream.document(item.document()).text) {
            continue;
        }
        match stream.object(item) {
            Ok(value) => {
                if let Some(workload) = Workload::of(stream, (item, &value), None, (&bindings, kinds)) {
                    check(&workload, &others, known, false, &mut out);
                }
            }
            Err(error) => {
                let finding = out.of(&verdict::REFUSED, Level::Error, &error);
                out.push(finding);
            }
        }
    }
    for other in &others.all {
        match other.id.kind.as_str() {
            "ConfigMap" => config_maps::check(other, &mut out.all),
            "Node" => nodes::check(other, &mut out.all),
            _ => {}
        }
    }
    hidden::check(&mut out, &others, &words);
    kustomize::check(known.kustomize, &mut out);
    near_misses(&mut out, namespace);
    in_order(&mut out.all);
    out.all
}

/// Objects that look like an AgentRuntime or SkillBinding and are none.
fn near_misses(out: &mut Out<'_, '_>, namespace: &str) {
    if !near_miss::may_be(out.stream) {
        return;
    }
    let sources = out.stream.sources().iter().enumerate();
    for (index, source) in sources.filter(|(_, source)| near_miss::may_be_in(&source.text)) {
        for parsed in objects::readable(source) {
            for object in parsed.objects() {
                let Some(message) = near_miss::of(object.value) else { continue };
                let (line, column) = object.place(&["kind".into()]);
                out.push(Finding {
                    source: Some(index),
                    origin: Origin { line, ..object.origin() },
                    column,
                    object: Some(Object(object.value).reference_in(namespace)),
                    ..Finding::alone(&own::NEAR_MISS, own::NEAR_MISS.level, message, "")
                });
            }
        }
    }
}

/// Orders findings by their places; of what is said twice of a place the first stays.
fn in_order(all: &mut Vec<Finding>) {
    all.sort_by(|a, b| {
        let key = |one: &Finding| (one.source.unwrap_or(usize::MAX), one.origin.line, one.column);
        key(a).cmp(&key(b)).then_with(|| a.rule.id.cmp(b.rule.id)).then_with(|| a.message.cmp(&b.message))
    });
    all.dedup();
}

/// All rules about a workload.
fn check(
    workload: &Workload<'_>,
    others: &Others<'_>,
    known: &Known<'_>,
    mounts: bool,
    out: &mut Out<'_, '_>,
) {
    places::check(workload, others, mounts, out);
    mounts::check(workload, out);
    logins::check(workload, others, out);
    contents::check(workload, known, out);
}

/// What is refused and warned of with its place.
fn verdicts(out: &mut Out<'_, '_>, planned: &Planned) {
    let errors = planned.errors.iter().map(|error| (Level::Error, error));
    for (level, said) in errors.chain(planned.remarks.iter().map(|said| (Level::Warning, said))) {
        let rule = rule::find(said.rule).unwrap_or(&verdict::REFUSED);
        let finding = out.of(rule, level, said);
        out.push(finding);
    }
}

/// How plans begin to say what a rule of `lint` says with its place.
const SAID_BY_RULES: [&str; 2] =
    ["the skills annotation is no list of names", "skills are not mounted into a Sandbox"];
/// The quirk of mounts in mounts, which a rule finds in every workload.
const NESTED: &str = "Q21";
/// That of workloads with skills that no list asks for.
const LEFT: &str = "Q22";

/// What a plan warns of.
fn advice(out: &mut Out<'_, '_>, item: Option<&Item>, warning: &Warning) {
    let said = |start: &str| warning.message.starts_with(start);
    if SAID_BY_RULES.iter().any(|start| said(start)) || warning.quirk == NESTED {
        return;
    }
    let rule = match warning.quirk {
        _ if said(GUESSED) => &own::CONTAINER_GUESSED,
        LEFT => &own::SKILLS_LEFT,
        _ => &verdict::ADVICE,
    };
    match item {
        Some(item) => out.add(rule, item, &[], warning.to_string(), ""),
        None => out.push(Finding::alone(rule, rule.level, warning.to_string(), "")),
    }
}

/// `Deployment team1/weather: spec.replicas: message (help)`.
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, " ({})", self.help) }
    }
}

/// A field path of keys.
fn keys(keys: &[&str]) -> Vec<Step> {
    keys.iter().map(|key| Step::from(*key)).collect()
}
