//! A run of the KRM function: the text of standard input and options in; the text to print, results and notes out. What
//! is a ResourceList comes out as one, with results; plain manifests (a Helm post-renderer, an Argo CD plugin, a legacy
//! plugin of kustomize) come out as plain manifests. Reading and printing are left to the binary.
//!
//! Orchestrators take an empty or partial list for the wish to delete the rest. So a list comes out whole or not at all,
//! and on any error its items are the bytes that came in.

use std::sync::Arc;

use memchr::memmem;
use serde_json::Value;

use crate::api::error::InputError;
use crate::api::names::AGENT_RUNTIME;
use crate::api::object::{Object, Origin};
use crate::api::pins::Pins;
use crate::api::workload::Kinds;
use crate::config::gates::{GateSource, GatesFile};
use crate::manifest::function_config::{self, FunctionConfig};
use crate::manifest::near_miss;
use crate::manifest::no_object::no_object;
use crate::manifest::render::{self, Settings};
use crate::manifest::resource_list::{KIND, ResourceList};
use crate::manifest::results::{ResultItem, Results, Severity, has_error};
use crate::manifest::stream::{Item, Source, Stream};
use crate::manifest::summary::{Mood, Summary, counted};
use crate::plan::{Options, RecordMode};
#[cfg(feature = "skill")]
use crate::skill::lock::{FILE, Lock};
#[cfg(feature = "skill")]
use crate::skill::policy::{self, Enforced};
use crate::yaml::{Document, DocumentSlice, SyntaxError, split};

mod report;

/// Name of standard input in messages.
const STDIN: &str = "-";
/// Name of the functionConfig in messages.
const CONFIG: &str = "functionConfig";
/// Namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// What is printed. Never empty.
    pub text: String,
    /// Whether it is a ResourceList.
    pub is_list: bool,
    /// What was found, for stderr; in a ResourceList they are in the text as well.
    pub results: Results,
    /// What a reader should know of the whole.
    pub notes: Vec<String>,
    /// Whether a result in the list is an error.
    pub failed: bool,
    /// What the run came to; none if it could not be carried out.
    pub summary: Option<Summary>,
}

/// Runs the function. `flags` decide over the configuration, which comes from the list or from a file.
///
/// # Errors
/// What leaves nothing to print: no input, a list that cannot be read, and for plain manifests every defect.
pub fn run(text: String, flags: &FunctionConfig, file: Option<&Source>) -> Result<Output, Vec<InputError>> {
    let slices = split(&text);
    if slices.is_empty() {
        return Err(vec![nothing()]);
    }
    let given = file.map(read_file).transpose()?;
    let mut sources = vec![Source { name: STDIN.into(), text }];
    if let Some(error) = no_object(&sources[0]) {
        return Err(vec![error]);
    }
    let early = flags.namespace.clone().or_else(|| given.as_ref()?.namespace.clone());
    let early = early.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let (list, options, kinds) = {
        let stream = Stream::read(&sources, early);
        let list = find_list(stream.as_ref().ok(), &sources[0].text, &slices)?;
        let (options, kinds) = match options(flags, given, list.as_ref()) {
            Ok((options, kinds)) => (Ok(options), kinds),
            Err(errors) => (Err(errors), Kinds::default()),
        };
        let again = options.as_ref().is_ok_and(|options| {
            options.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE) != early
                || !options.agent_runtimes.is_empty()
                || !options.skill_bindings.is_empty()
                || !options.pod_template_paths.is_empty()
        });
        if !again {
            return Run { sources: &sources, list, kinds }.finish(stream, options);
        }
        (list, options, kinds)
    };
    // Seldom: a namespace, AgentRuntimes, SkillBindings or kinds in the functionConfig, which is known only when the list has been read.
    let namespace = options.as_ref().ok().and_then(|options| options.namespace.clone());
    let namespace = namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    // A stream that cannot be read is reported below.
    let own = match (&options, Stream::read_with(&sources, namespace, kinds)) {
        (Ok(options), Ok(stream)) => inline(options, &stream, file),
        _ => Ok(Vec::new()),
    };
    let (own, options) = match own {
        Ok(own) => (own, options),
        Err(errors) => (Vec::new(), Err(errors)),
    };
    sources.extend(own);
    let stream = Stream::read_with(&sources, namespace, kinds);
    Run { sources: &sources, list, kinds }.finish(stream, options)
}

fn nothing() -> InputError {
    InputError {
        message: "standard input holds no object".into(),
        help:
            "an empty output would mean to delete everything; see whether the program before this one failed"
                .into(),
        ..InputError::default()
    }
}

/// Reads a functionConfig from a file, as kustomize's legacy plugins get it.
fn read_file(file: &Source) -> Result<FunctionConfig, Vec<InputError>> {
    let origin = |slice: &DocumentSlice| Origin { file: file.name.clone(), document: 1, line: slice.line };
    let fail = |origin: Origin, column, message: String, help: &str| {
        vec![InputError { origin, column, message, help: help.into(), ..InputError::default() }]
    };
    match split(&file.text).as_slice() {
        [only] => {
            let value = Document::parse(only.text(&file.text)).and_then(|document| document.to_value());
            match value {
                Ok(value) => FunctionConfig::read(&value, &origin(only)),
                Err(error) => {
                    let (line, column) = only.place(error.line, error.column);
                    Err(fail(Origin { line, ..origin(only) }, column, error.message, ""))
                }
            }
        }
        all => {
            let origin = Origin { file: file.name.clone(), document: 1, line: 1 };
            Err(fail(
                origin,
                0,
                format!("must hold one object, found {}", all.len()),
                "it is the function's configuration",
            ))
        }
    }
}

/// The list that standard input is; none for plain manifests.
fn find_list(
    stream: Option<&Stream<'_>>,
    text: &str,
    slices: &[DocumentSlice],
) -> Result<Option<ResourceList>, Vec<InputError>> {
    let Some(first) = slices.first() else { return Ok(None) };
    if memmem::find(text.as_bytes(), KIND.as_bytes()).is_none() {
        return Ok(None);
    }
    let origin = Origin { file: STDIN.into(), document: 1, line: first.line };
    let parsed;
    let document = match stream.and_then(|stream| stream.list(0, first.start)) {
        Some(document) => document,
        None => {
            parsed = Document::parse(first.text(text)).map_err(|error| {
                let (line, column) = first.place(error.line, error.column);
                let origin = Origin { line, ..origin.clone() };
                vec![InputError { origin, column, message: error.message, ..InputError::default() }]
            })?;
            &parsed
        }
    };
    let list = ResourceList::read(document, &origin).map_err(|error| vec![*error])?;
    if list.is_some() && slices.len() > 1 {
        let message = format!("a {KIND} must be the only document, and {} follow", slices.len() - 1);
        return Err(vec![InputError { origin, message, ..InputError::default() }]);
    }
    Ok(list)
}

/// The options of all places; errors in them are results, since the list itself is sound.
fn options(
    flags: &FunctionConfig,
    file: Option<FunctionConfig>,
    list: Option<&ResourceList>,
) -> Result<(FunctionConfig, Kinds), Vec<InputError>> {
    let origin = Origin { file: CONFIG.into(), ..Origin::default() };
    let in_list = list.map_or(&Value::Null, |list| &list.function_config);
    let config = match file {
        Some(_) if !in_list.is_null() => {
            let message = "the configuration is given twice, as a file and in the list".to_owned();
            return Err(vec![InputError {
                message,
                help: "leave one of them out".into(),
                ..InputError::default()
            }]);
        }
        Some(config) => config,
        None => FunctionConfig::read(in_list, &origin)?,
    };
    if list.is_some_and(|list| is_generator(list, in_list)) {
        return Err(vec![InputError {
            object: config.id,
            message: "the only item is the function's own configuration: it stands under `generators:`"
                .into(),
            help: "name it under `transformers:`".into(),
            ..InputError::default()
        }]);
    }
    let all = flags.clone().or(config);
    let kinds = Kinds::with(&all.pod_template_paths)
        .map_err(|message| vec![InputError { message, ..InputError::default() }])?;
    Ok((all, kinds))
}

/// kustomize hands a generator its own configuration as the only item, and none of the manifests.
fn is_generator(list: &ResourceList, config: &Value) -> bool {
    list.items == 1
        && list.first_kind == function_config::KIND
        && config["kind"] == function_config::KIND
        && config.pointer("/metadata/annotations").is_some_and(|all| all.get(near_miss::FUNCTION).is_some())
}

/// The AgentRuntimes and SkillBindings of the options that are not in the stream, as texts. With kpt the functionConfig's file is
/// also an item.
///
/// # Errors
/// One that an item of its name contradicts: neither may lose to the other without a word.
fn inline(
    options: &FunctionConfig,
    stream: &Stream<'_>,
    file: Option<&Source>,
) -> Result<Vec<Source>, Vec<InputError>> {
    let namespace = options.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    // What an orchestrator writes into metadata makes no difference.
    let said = |object: &Value| (object["apiVersion"].clone(), object["spec"].clone());
    let lists = [(&options.agent_runtimes, &stream.runtimes), (&options.skill_bindings, &stream.bindings)];
    for (objects, items) in lists {
        for object in objects {
            let id = Object(object).reference_in(namespace);
            let same = |item: &&Item| item.id.namespace == id.namespace && item.id.name == id.name;
            match items.iter().find(same) {
                None => out.push(
                    file.and_then(|file| in_place(object, file))
                        .unwrap_or_else(|| Source { name: CONFIG.into(), text: format!("{object}\n") }),
                ),
                // What cannot be read is reported below.
                Some(item) if stream.object(item).is_ok_and(|item| said(&item) != said(object)) => {
                    let message = format!(
                        "the {CONFIG} has a {} of this name as well, and it says something else",
                        id.kind
                    );
                    let help = "remove one of them, or rename it";
                    errors.push(stream.error(item, &["spec".into()], message, help));
                }
                Some(_) => {}
            }
        }
    }
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

/// An object of the configuration's file as a text of its own, in which it stands where it stands in the file, for messages; none if
/// it leans on what is around it.
fn in_place(object: &Value, file: &Source) -> Option<Source> {
    let is_it = |value: Result<Value, SyntaxError>| value.is_ok_and(|value| value == *object);
    let slice = *split(&file.text).first()?;
    let document = Document::parse(slice.text(&file.text)).ok()?;
    let lists = ["agentRuntimes", "skillBindings"].map(|list| document.find(&["spec".into(), list.into()]));
    let listed = lists.into_iter().flatten().flat_map(|list| document.tree.children(list));
    let node = std::iter::once(0).chain(listed).find(|node| is_it(document.node_value(*node)))?;
    let node = document.tree.node(node);
    let (start, end) = (slice.start + node.start as usize, slice.start + node.end as usize);
    let blank = |c: char| if matches!(c, '\n' | '\r') { c } else { ' ' };
    let mut text: String = file.text[..start].chars().map(blank).collect();
    text.push_str(&file.text[start..end]);
    text.push('\n');
    let again = *split(&text).first()?;
    let same = Document::parse(again.text(&text)).and_then(|document| document.to_value());
    is_it(same).then(|| Source { name: file.name.clone(), text })
}

/// What a run knows when all is read.
struct Run<'r> {
    sources: &'r [Source],
    list: Option<ResourceList>,
    kinds: Kinds,
}

/// What was carried out.
struct Done {
    /// None: the text as it came.
    text: Option<String>,
    results: Vec<ResultItem>,
    notes: Vec<String>,
    summary: Option<Summary>,
}

impl Run<'_> {
    fn finish(
        &self,
        stream: Result<Stream<'_>, Vec<InputError>>,
        options: Result<FunctionConfig, Vec<InputError>>,
    ) -> Result<Output, Vec<InputError>> {
        let validate = options.as_ref().is_ok_and(|options| options.validate == Some(true));
        let stream = stream.map(|stream| if self.list.is_some() { report::placed(stream) } else { stream });
        let mut errors = Vec::new();
        let (stream, options) = match (stream, options) {
            (Ok(stream), Ok(options)) => (Some(stream), Some(options)),
            (stream, options) => {
                errors.extend(options.err().into_iter().flatten());
                let stream = stream.map_err(|more| errors.extend(more)).ok();
                (stream, None)
            }
        };
        let done = match (&stream, &options) {
            (Some(stream), Some(options)) => self.carry_out(stream, options),
            _ => Err(errors),
        };
        let done = match (done, &self.list) {
            (Ok(done), _) => done,
            (Err(errors), None) => return Err(errors),
            (Err(errors), Some(_)) => {
                let results = errors.iter().map(|error| report::error(stream.as_ref(), error)).collect();
                Done { text: None, results, notes: Vec::new(), summary: None }
            }
        };
        let results = Results::new(done.results);
        let Some(list) = &self.list else {
            let failed = results.errors().next().is_some();
            let text = done.text.unwrap_or_else(|| self.sources[0].text.clone());
            return Ok(Output {
                text,
                is_list: false,
                results,
                notes: done.notes,
                failed,
                summary: done.summary,
            });
        };
        let merged = results.merged(&list.results);
        let failed = has_error(&merged);
        let text = if validate && !list.from_kpt {
            list.validated(&merged)
        } else {
            let text = done.text.unwrap_or_else(|| self.sources[0].text.clone());
            list.with_results(text, &merged).map_err(|message| {
                let message = format!("results cannot be written into the list: {message}");
                vec![InputError { message, ..InputError::default() }]
            })?
        };
        Ok(Output { text, is_list: true, results, notes: done.notes, failed, summary: done.summary })
    }

    fn carry_out(&self, stream: &Stream<'_>, options: &FunctionConfig) -> Result<Done, Vec<InputError>> {
        let (settings, reason) = settings(stream, options, self.kinds)?;
        let mut notes = Vec::new();
        let sum_up = |tally, mood| Some(Summary::of(stream, &settings, &reason, tally, mood));
        if options.validate == Some(true) {
            let planned = render::plan_all(stream, &settings);
            if !planned.errors.is_empty() {
                return Err(planned.errors);
            }
            notes.extend(planned.notes.iter().cloned());
            let mut results = report::findings(stream, &planned);
            results.extend(report::near_misses(stream));
            if stream.asks_nothing() && options.allow_none != Some(true) {
                let message = "there is no AgentRuntime or SkillBinding in the input: nothing was checked (allowNone: true accepts that)";
                results.push(plain(Severity::Error, message));
            }
            if let Some(item) = render::astray(stream, &planned, &settings) {
                let message = format!(
                    "{}: its only list of skills is under a field that the API server drops",
                    item.id
                );
                results.push(plain(Severity::Error, &message));
            }
            let summary = sum_up(&planned.tally, Mood::Would);
            return Ok(Done { text: None, results, notes, summary });
        }
        let rendered = render::render(stream, &settings)?;
        // kpt writes what comes out into the package.
        let in_files = self.list.as_ref().is_some_and(|list| list.in_files);
        if in_files && rendered.without_skills > 0 && options.drop_skills != Some(true) {
            return Err(vec![lists_would_go(rendered.without_skills, settings.options.profile.name)]);
        }
        if in_files && !rendered.lost_in_files.is_empty() {
            return Err(rendered.lost_in_files);
        }
        notes.extend(rendered.notes.iter().cloned());
        let mut results = report::rendered(stream, &rendered);
        results.extend(report::near_misses(stream));
        let summary = sum_up(&rendered.tally, Mood::Done);
        Ok(Done { text: rendered.edited.text(0, &self.sources[0].text), results, notes, summary })
    }
}

fn settings(
    stream: &Stream<'_>,
    options: &FunctionConfig,
    kinds: Kinds,
) -> Result<(Settings, String), Vec<InputError>> {
    let name = options.profile.as_deref().unwrap_or("auto");
    let (profile, reason) = render::choose_profile(stream, name)
        .map_err(|message| vec![InputError { message, ..InputError::default() }])?;
    let reason = if name == "auto" { reason } else { "the functionConfig names it".to_owned() };
    let settings = Settings {
        options: Options {
            exact: options.exact.unwrap_or_default(),
            container: options.container.clone(),
            skill_folders: options.skill_folders,
            remove: options.remove.unwrap_or_default(),
            record: RecordMode::WhereAmbiguous,
            kinds,
            pins: pins(options)?,
            #[cfg(feature = "skill")]
            policy: policy(options)?,
            ..Options::new(profile)
        },
        view: options.config_view.unwrap_or_default(),
        config: (!options.config.is_empty()).then(|| options.config.clone()),
        gates: GateSource {
            flags: options.feature_gates.clone(),
            file: options
                .feature_gates_file
                .clone()
                .map(|text| GatesFile { path: "featureGatesFile".to_owned(), text: Some(text) }),
            ..GateSource::default()
        },
        by_themselves: false,
    };
    Ok((settings, reason))
}

/// The policy that is in force; taking skills out breaks none.
#[cfg(feature = "skill")]
fn policy(options: &FunctionConfig) -> Result<Option<Arc<Enforced>>, Vec<InputError>> {
    if options.remove == Some(true) {
        return Ok(None);
    }
    let mut no_file = |_: &str| Err("a function reads no files; write key: sha256:...".to_owned());
    let policy = match (&options.policy_file, &options.policy) {
        (Some(policy), _) => Arc::clone(policy),
        (None, Some(text)) => Arc::new(policy::read("the policy", text, &mut no_file)?),
        (None, None) => return Ok(None),
    };
    let Some(today) = options.today else {
        let message = "a policy needs to know the day, on which exceptions end".to_owned();
        return Err(vec![InputError { message, ..InputError::default() }]);
    };
    let lock = options.lock.as_deref().map(|text| Lock::read(text, FILE)).transpose()?;
    Ok(Some(Arc::new(Enforced::new(policy, Arc::new(lock.unwrap_or_default()), today))))
}

/// The digests of a lock; taking skills out needs none.
#[cfg(feature = "skill")]
fn pins(options: &FunctionConfig) -> Result<Option<Arc<Pins>>, Vec<InputError>> {
    let text = options.lock.as_deref().filter(|_| options.remove != Some(true));
    let lock = text.map(|text| Lock::read(text, FILE)).transpose()?;
    Ok(lock.map(|lock| Arc::new(lock.pins("the lock"))))
}

/// The digests of a lock, which this build cannot read.
#[cfg(not(feature = "skill"))]
fn pins(options: &FunctionConfig) -> Result<Option<Arc<Pins>>, Vec<InputError>> {
    let message = "this build reads no lock and no policy".to_owned();
    if options.lock.is_some() || options.policy.is_some() {
        Err(vec![InputError { message, ..InputError::default() }])
    } else {
        Ok(None)
    }
}

/// The only list of skills would leave the package for ever.
fn lists_would_go(runtimes: usize, profile: &str) -> InputError {
    InputError {
        message: format!(
            "the CRD of profile {profile} has no spec.skills, so the package would lose the list of skills of {}, and it \
             stands nowhere else",
            counted(runtimes, AGENT_RUNTIME)
        ),
        help: "move it into a SkillBinding ('kubectl skills migrate'), or give dropSkills: true if the workloads alone are to \
               list the skills from now on"
            .into(),
        ..InputError::default()
    }
}

/// A result about nothing in particular, for what has no object.
fn plain(severity: Severity, message: impl Into<String>) -> ResultItem {
    ResultItem::new(severity, message)
}

#[cfg(test)]
mod tests;
