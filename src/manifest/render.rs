//! The pipeline over files that every offline verb shares: a stream and settings in; plans, errors, warnings and the
//! edited bytes out. Reading files and printing are left to the binary.
//!
//! Runtimes are planned one after the other, and what a plan needs is dropped once its bytes are known, so that memory
//! hangs on the size of the text and not on the number of objects.

#[cfg(feature = "internals")]
mod astray;
mod delivery;
mod dropped;
mod duplicates;
mod edited;
#[cfg(any(test, feature = "fuzz"))]
pub mod generated;
mod missing;
mod orders;
mod orphans;
mod profile;
mod spelling;
#[cfg(test)]
mod tests;
#[cfg(feature = "internals")]
mod unpinned;

use std::borrow::Cow;
use std::collections::BTreeSet;

use foldhash::{HashMap, HashMapExt as _};
use serde_json::Value;

use crate::api::error::InputError;
use crate::api::object::{ConfigMap, ObjectRef};
use crate::api::profile::Profile;
use crate::config::gates::{GateDefault, GateSource};
use crate::config::layers::ConfigView;
use crate::manifest::stream::{Item, Lead, Stream};
use crate::manifest::summary::Tally;
use crate::plan::bindings::Bindings;
use crate::plan::claims::Claims;
use crate::plan::pod::{self, CONTAINERS};
use crate::plan::session::{Case, Judged, Session};
use crate::plan::{Action, Options, PlannedSkill, RecordMode, RuntimePlan, Warning};
use crate::validate::findings::{About, Finding, rules};
use crate::yaml::edit::can_keep_to;
use crate::yaml::parts::Interest;

#[cfg(feature = "internals")]
pub use astray::astray;
use duplicates::{Targets, duplicate, duplicate_maps};
pub use edited::Edited;
pub(in crate::manifest) use edited::{Collector, Desired};
use orders::Order;
pub use profile::choose_profile;

/// How to plan over files.
///
/// ```
/// use kubectl_skills::{Profile, Settings};
///
/// let profile = Profile::by_name("pr332-merged").expect("a known profile");
/// let mut settings = Settings::new(profile);
/// settings.options.remove = true;
/// settings.gates.flags = Some("skillImageVolumes=true".into());
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct Settings {
    /// Options. [`Options::gate`] is not read: the gate comes from what follows.
    pub options: Options,
    /// Which ConfigMaps the hash sees.
    pub view: ConfigView,
    /// ConfigMaps given alongside the stream; those of the stream count before them. None: none were given.
    pub config: Option<Vec<ConfigMap>>,
    /// Where the feature gates come from; its default is not read: it depends on [`Settings::config`].
    pub gates: GateSource,
    /// Objects are looked at by themselves: a target that is not in the stream is elsewhere, and no error; what is warned of
    /// is collected with its place ([`Planned::remarks`]).
    pub by_themselves: bool,
}

impl Settings {
    /// A profile's rules and nothing else.
    pub fn new(profile: &'static Profile) -> Self {
        Self {
            options: Options { record: RecordMode::WhereAmbiguous, ..Options::new(profile) },
            view: ConfigView::default(),
            config: None,
            gates: GateSource::default(),
            by_themselves: false,
        }
    }
}

/// The plan of one AgentRuntime of the stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PlannedRuntime {
    /// The AgentRuntime or SkillBinding that leads it.
    pub lead: Lead,
    /// The SkillBindings that add to it, in order, as indexes of [`Stream::bindings`].
    pub bindings: Vec<usize>,
    /// Index in [`Stream::workloads`]; `None` if the target is not there.
    pub workload: Option<usize>,
    /// The workload before; none in a plan that is only to be edited.
    pub before: Option<Value>,
    /// The plan.
    pub plan: RuntimePlan,
    /// The AgentRuntime as it is printed, where that differs: without the skills that the cluster's CRD does not know.
    pub runtime_after: Option<Value>,
}

/// Plans, and everything that is said of them.
///
/// ```
/// use kubectl_skills::{Planned, types::PlannedRuntime};
///
/// fn lines(planned: &Planned) -> Vec<String> {
///     let line = |PlannedRuntime { plan, .. }: &_| format!("{}: {}", plan.id, plan.action.name());
///     planned.plans.iter().map(line).chain(planned.errors.iter().map(ToString::to_string)).collect()
/// }
/// assert_eq!(lines(&Planned::default()), Vec::<String>::new());
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Planned {
    /// In the order of the stream. An AgentRuntime that cannot even be read has none.
    pub plans: Vec<PlannedRuntime>,
    /// Why the result cannot be used.
    pub errors: Vec<InputError>,
    /// Warnings that belong to no AgentRuntime.
    pub warnings: Vec<(ObjectRef, Warning)>,
    /// Warnings with their places, where [`Settings::by_themselves`] asks for them.
    pub remarks: Vec<InputError>,
    /// What a reader should know of the whole.
    pub notes: Vec<String>,
    /// [`Rendered::lost_in_files`].
    pub lost_in_files: Vec<InputError>,
    /// Counts, for a summary.
    pub tally: Tally,
}

/// What became of one AgentRuntime, without its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The AgentRuntime.
    pub id: ObjectRef,
    /// `Deployment/weather`.
    pub target: String,
    /// What was done.
    pub action: Action,
    /// Why.
    pub reason: String,
    /// Skills that are mounted.
    pub skills: Vec<PlannedSkill>,
    /// Whether `spec.skills` of the AgentRuntime is taken out, since its CRD has none.
    pub drops_skills: bool,
    /// Warnings.
    pub warnings: Vec<Warning>,
}

/// The edited stream.
///
/// ```
/// use kubectl_skills::{Profile, Rendered, Settings, Source, Stream, render};
///
/// let sources = [Source { name: "-".into(), text: "kind: Deployment   # no AgentRuntime\n".into() }];
/// let stream = Stream::read(&sources, "default").expect("manifests that can be read");
/// let profile = Profile::by_name("head").expect("a known profile");
/// let Rendered { edited, reports, .. } = render(&stream, &Settings::new(profile)).expect("nothing to refuse");
/// assert!(reports.is_empty() && !edited.is_changed(0));
/// assert_eq!(edited.chunks(0, &sources[0].text).collect::<String>(), sources[0].text);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Rendered {
    /// The bytes.
    pub edited: Edited,
    /// One for each AgentRuntime, in order.
    pub reports: Vec<Report>,
    /// Warnings that belong to no AgentRuntime.
    pub warnings: Vec<(ObjectRef, Warning)>,
    /// What a reader should know of the whole.
    pub notes: Vec<String>,
    /// AgentRuntimes that are printed without their skills, which the CRD of the profile does not know.
    pub without_skills: usize,
    /// Those of them whose skills the next reader of the result would take out of the workload: an error in the author's
    /// only copy, and nothing in what is printed.
    pub lost_in_files: Vec<InputError>,
    /// Counts, for a summary.
    pub tally: Tally,
}

/// Plans every AgentRuntime of the stream. Never fails: what is wrong is collected.
///
/// ```
/// use kubectl_skills::{Profile, Settings, Source, Stream, plan};
///
/// let text = "{apiVersion: agent.kagenti.dev/v1alpha1, kind: AgentRuntime, metadata: {name: weather}, spec: {type: agent, \
///             targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}}}";
/// let sources = [Source { name: "weather.yaml".into(), text: text.into() }];
/// let stream = Stream::read(&sources, "default").expect("manifests that can be read");
/// let profile = Profile::by_name("pr332-merged").expect("a known profile");
/// let planned = plan(&stream, &Settings::new(profile));
/// // The Deployment is missing. Whatever is wrong is collected, with its place.
/// assert_eq!((planned.errors[0].origin.line, planned.errors[0].field.as_str()), (1, "spec.targetRef.name"));
/// ```
pub fn plan_all(stream: &Stream<'_>, settings: &Settings) -> Planned {
    let mut plans = Vec::new();
    let planned = plan_each(stream, settings, |one| plans.push(one));
    Planned { plans, ..planned }
}

/// The same, holding one plan at a time; what is returned has none of them.
pub fn plan_each(stream: &Stream<'_>, settings: &Settings, mut each: impl FnMut(PlannedRuntime)) -> Planned {
    let mut planned = Planned::default();
    let Some(mut planner) = Planner::new(stream, settings, &mut planned) else { return planned };
    for order in std::mem::take(&mut planner.orders) {
        if let Some((one, _)) = planner.plan(&order, Workload::Kept, &mut planned) {
            planned.tally.add(&one.plan, one.workload, one.runtime_after.is_some());
            each(one);
        }
    }
    if settings.by_themselves {
        let find = |id: &ObjectRef| stream.asking().chain(&stream.workloads).find(|item| item.id == *id);
        let said = planned
            .warnings
            .iter()
            .filter_map(|(id, warning)| Some(stream.error(find(id)?, &[], warning.to_string(), "")));
        planned.remarks.extend(said);
    }
    planned
}

/// The edits of plans made before.
///
/// # Errors
/// Those of the plans; then everything that cannot be edited as it is written, with its place.
pub fn edit(stream: &Stream<'_>, planned: &Planned) -> Result<Edited, Vec<InputError>> {
    if !planned.errors.is_empty() {
        return Err(planned.errors.clone());
    }
    let mut collector = Collector::new(stream);
    for PlannedRuntime { lead, workload, plan, runtime_after, .. } in &planned.plans {
        collector.workload(*workload, plan.desired().map(|value| Desired::planned(value, plan.touched())));
        collector.lead(*lead, runtime_after.as_ref().map(Cow::Borrowed).map(Desired::anywhere));
    }
    collector.finish()
}

/// Plans and edits the whole stream, holding one plan at a time; the example of the [crate] is one of it.
///
/// # Errors
/// Everything that is wrong with any AgentRuntime, its target or the text around them. There is no partial result.
pub fn render(stream: &Stream<'_>, settings: &Settings) -> Result<Rendered, Vec<InputError>> {
    let mut planned = Planned::default();
    let mut reports = Vec::with_capacity(stream.runtimes.len());
    let mut collector = Collector::new(stream);
    let mut without_skills = 0;
    if let Some(mut planner) = Planner::new(stream, settings, &mut planned) {
        for order in std::mem::take(&mut planner.orders) {
            let Some((one, in_part)) = planner.plan(&order, Workload::InPart, &mut planned) else { continue };
            planned.tally.add(&one.plan, one.workload, one.runtime_after.is_some());
            let mut plan = one.plan;
            let desired = plan.take_desired();
            let RuntimePlan { id, target, action, reason, skills, warnings, .. } = plan;
            let drops_skills = one.runtime_after.is_some();
            without_skills += usize::from(drops_skills);
            if planned.errors.is_empty() {
                let desired = desired.map(|(value, touched)| match touched {
                    Some(touched) if in_part => Desired::in_part(value, touched),
                    touched => Desired::at(value, touched),
                });
                collector.workload(one.workload, desired);
                collector.lead(one.lead, one.runtime_after.map(|value| Desired::at(value, None)));
            }
            let target = format!("{}/{}", target.kind, target.name);
            reports.push(Report { id, target, action, reason, skills, drops_skills, warnings });
        }
    }
    let Planned { errors, warnings, notes, lost_in_files, tally, .. } = planned;
    if errors.is_empty() {
        Ok(Rendered {
            edited: collector.finish()?,
            reports,
            warnings,
            notes,
            without_skills,
            lost_in_files,
            tally,
        })
    } else {
        Err(errors)
    }
}

/// What is said of a lock where an operator mounts.
const WITH_A_MOUNTING_OPERATOR: &str = "an operator of this profile mounts the references of AgentRuntimes as they are written, and \
                                        would take the digests of the lock out again: write them into the AgentRuntimes where such \
                                        an operator runs";

/// What becomes of the workload before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Workload {
    /// It is kept alongside the plan.
    Kept,
    /// The plan is made of it.
    Taken,
    /// The plan is made of what it looks at, where that can be taken apart.
    InPart,
}

/// Kind, namespace and name.
type Key<'i> = (&'i str, &'i str, &'i str);

fn key(id: &ObjectRef) -> Key<'_> {
    (&id.kind, &id.namespace, &id.name)
}

/// Plans one runtime after the other.
struct Planner<'p, 's> {
    stream: &'p Stream<'s>,
    session: Session,
    /// Of those that share a target.
    claims: Claims,
    bindings: Bindings,
    orders: Vec<Order>,
    /// With `exact` several runtimes may write one workload in turn: what the last one left.
    written: HashMap<usize, Value>,
    /// [`Settings::by_themselves`].
    by_themselves: bool,
}

impl<'p, 's> Planner<'p, 's> {
    /// `None` if nothing can be planned at all.
    fn new(stream: &'p Stream<'s>, settings: &Settings, planned: &mut Planned) -> Option<Self> {
        let mut maps = stream.maps.clone();
        let in_stream: BTreeSet<(String, String)> =
            maps.iter().map(|map| (map.namespace.clone(), map.name.clone())).collect();
        duplicate_maps(stream, settings.options.profile, &mut planned.errors);
        let given = settings.config.iter().flatten();
        maps.extend(
            given.filter(|map| !in_stream.contains(&(map.namespace.clone(), map.name.clone()))).cloned(),
        );
        let profile = settings.options.profile;
        let default = if settings.config.is_some() { GateDefault::Compiled } else { GateDefault::SkillsOn };
        let gates = GateSource { default, ..settings.gates.clone() };
        let gate = match gates.resolve(profile, &maps) {
            Ok(gates) => gates.skills(profile),
            Err(error) => {
                planned.errors.push(InputError { message: error.to_string(), ..InputError::default() });
                return None;
            }
        };
        let targets = Targets::of(stream, planned);
        let claims = targets.claims(stream);
        let bindings = orders::bindings(stream);
        orders::twice(&stream.bindings, |item, first| planned.errors.push(duplicate(stream, item, first)));
        let mut workloads = HashMap::with_capacity(stream.workloads.len());
        for (index, item) in stream.workloads.iter().enumerate() {
            if let Some(first) = workloads.insert(key(&item.id), index)
                && (targets.has(item) || bindings.name(&orders::workload_key(item)))
            {
                planned.errors.push(duplicate(stream, item, &stream.workloads[first]));
            }
        }
        let options = Options { gate, ..settings.options.clone() };
        let mut orders = match orders::of(stream, &options, &claims, &bindings, &workloads) {
            Ok(orders) => orders,
            Err(errors) => {
                planned.errors.extend(errors);
                return None;
            }
        };
        if options.pins.is_some() && profile.mounts() && !options.remove && !stream.runtimes.is_empty() {
            planned.notes.push(WITH_A_MOUNTING_OPERATOR.to_owned());
        }
        planned.errors.extend(delivery::for_pods(stream, &options));
        let session = Session::new(options, settings.view, maps);
        orders.extend(orphans::find(stream, session.options(), (&targets, &bindings), &mut planned.warnings));
        #[cfg(feature = "internals")]
        orphans::of_other_kinds(stream, session.options(), &mut planned.warnings);
        #[cfg(feature = "internals")]
        unpinned::find(stream, session.options(), &orders, &mut planned.warnings);
        let by_themselves = settings.by_themselves;
        Some(Self { stream, session, claims, bindings, orders, written: HashMap::new(), by_themselves })
    }

    /// The plan, and whether it is made of a part of the workload.
    fn plan(
        &mut self,
        order: &Order,
        before: Workload,
        planned: &mut Planned,
    ) -> Option<(PlannedRuntime, bool)> {
        let Planned { errors, remarks, lost_in_files, .. } = &mut *planned;
        let stream = self.stream;
        let item = stream.lead(order.lead);
        let object = match orphans::lead(stream, order.lead) {
            Ok(object) => object,
            Err(error) => {
                errors.push(error);
                return None;
            }
        };
        let found = order.workload;
        let (value, in_part) = match found.map(|found| self.workload(found, before)).transpose() {
            Ok(value) => value.unzip(),
            Err(error) => {
                errors.push(error);
                return None;
            }
        };
        let (workload, before) = match (before, value) {
            (_, None) => (None, None),
            (Workload::Taken | Workload::InPart, Some(value)) => (Some(Cow::Owned(value)), None),
            (Workload::Kept, Some(value)) => (Some(Cow::Owned(value.clone())), Some(value)),
        };
        let judged = self.session.judge(Case {
            id: item.id.clone(),
            origin: item.origin.clone(),
            object: &object,
            claim: duplicates::claim(&self.claims, item, &object),
            workload,
            pods: &[],
            bindings: order.bindings.iter().map(|index| &self.bindings.all()[*index]).collect(),
        });
        if let (Some(found), Some(true), Some(plan)) = (found, in_part, &judged.plan)
            && self.needs_more(found, plan)
        {
            return self.plan(order, Workload::Taken, planned);
        }
        self.report(item, found, &judged.findings, errors, remarks);
        let Judged { findings, plan, .. } = judged;
        let mut plan = plan?;
        delivery::unusable(self.session.options(), &plan, errors);
        if found.is_none() && plan.action == Action::Skipped && !self.session.options().exact {
            self.warn_of_selector(item, &object, &mut plan, remarks);
        }
        if self.by_themselves {
            self.remark_warnings(item, &plan.warnings, &findings, remarks);
        }
        let runtime_after = matches!(order.lead, Lead::Runtime(_))
            .then(|| dropped::without_skills(&object, self.session.options()))
            .flatten();
        if runtime_after.is_some() && found.is_some() {
            let bindings = order.bindings.iter().map(|index| &self.bindings.all()[*index]);
            let options = self.session.options();
            lost_in_files.extend(dropped::beside_a_binding(stream, item, &object, options, bindings));
        }
        if self.session.options().exact
            && let (Some(found), Some(desired)) = (found, plan.desired())
        {
            self.written.insert(found, desired.clone());
        }
        let (lead, bindings) = (order.lead, order.items.clone());
        let planned = PlannedRuntime { lead, bindings, workload: found, before, plan, runtime_after };
        Some((planned, in_part == Some(true)))
    }

    /// Says that a selector chooses nothing of the input.
    fn warn_of_selector(
        &self,
        item: &Item,
        object: &Value,
        plan: &mut RuntimePlan,
        remarks: &mut Vec<InputError>,
    ) {
        let stream = self.stream;
        let Some(message) = missing::selected(stream, self.session.options().kinds, item, object) else {
            return;
        };
        if self.by_themselves && !missing::has_workloads(stream, item) {
            return;
        }
        let path = ["spec".into(), "selector".into()];
        remarks.extend(self.by_themselves.then(|| stream.error(item, &path, message.clone(), "")));
        plan.warnings.push(Warning { quirk: "", message });
    }

    /// Adds findings to the errors and remarks, each with its place.
    fn report(
        &self,
        item: &Item,
        found: Option<usize>,
        findings: &[Finding],
        errors: &mut Vec<InputError>,
        remarks: &mut Vec<InputError>,
    ) {
        for finding in findings.iter().filter(|finding| finding.is_error() || self.by_themselves) {
            let mut said = self.error(item, found, finding);
            let list = if self.is_elsewhere(found, finding) {
                // Only what seems to be a slip is worth a word.
                let Some(help) = missing::slip(self.stream, item) else { continue };
                said.help = help;
                &mut *remarks
            } else if finding.is_error() {
                &mut *errors
            } else {
                &mut *remarks
            };
            // A SkillBinding of several workloads is judged with each.
            if self.bindings.is_empty() || !list.contains(&said) {
                list.push(said);
            }
        }
    }

    /// Adds those warnings of a plan that nothing has said yet: what a finding has said has its place already.
    fn remark_warnings(
        &self,
        item: &Item,
        warnings: &[Warning],
        findings: &[Finding],
        remarks: &mut Vec<InputError>,
    ) {
        let is_said = |message: &str, remarks: &[InputError]| {
            findings.iter().any(|found| found.message == message)
                || remarks.iter().any(|said| said.message == message)
        };
        let new = warnings.iter().filter(|one| !is_said(&one.message, remarks));
        let new: Vec<InputError> = new.map(|one| self.stream.error(item, &[], one.to_string(), "")).collect();
        remarks.extend(new);
    }

    /// A finding with its place in the manifests.
    fn error(&self, runtime: &Item, workload: Option<usize>, finding: &Finding) -> InputError {
        let stream = self.stream;
        let whose = match (finding.rule.about, workload) {
            (About::Workload, Some(found)) => &stream.workloads[found],
            _ => {
                let other = finding.of.as_ref();
                other.and_then(|of| stream.bindings.iter().find(|item| item.id == *of)).unwrap_or(runtime)
            }
        };
        let help = if *finding.rule == rules::TARGET_NOT_FOUND && workload.is_none() {
            if is_name(finding) {
                missing::help(stream, runtime, &finding.help)
            } else {
                // A kind that nobody knows is not mended by a file more.
                missing::slip(stream, runtime).unwrap_or_else(|| finding.help.clone())
            }
        } else {
            finding.help.clone()
        };
        let rule = finding.rule.id;
        InputError { rule, ..stream.error(whose, &finding.path, finding.message.clone(), help) }
    }

    /// Whether a target may well be in another file.
    fn is_elsewhere(&self, workload: Option<usize>, finding: &Finding) -> bool {
        self.by_themselves
            && workload.is_none()
            && *finding.rule == rules::TARGET_NOT_FOUND
            && is_name(finding)
    }

    /// What is of interest of a workload; `None` if a plan may look at all of it.
    fn interest(&self, item: &Item) -> Option<Interest<'static>> {
        let options = self.session.options();
        let kind = options.kinds.of(&item.id).filter(|kind| kind.is_typed() && !options.exact)?;
        Some(pod::interest(kind))
    }

    /// Whether a plan that was made of a part of a workload needs another look: the agent's container was not of interest, or
    /// there are so many places that an edit looks at all of it.
    fn needs_more(&self, workload: usize, plan: &RuntimePlan) -> bool {
        let item = &self.stream.workloads[workload];
        let document = self.stream.document(item.document());
        let is_read = |name: &String| {
            let interest = self.interest(item);
            interest.is_some_and(|interest| document.is_read(item.node(), interest, CONTAINERS, name))
        };
        !plan.container.as_ref().is_none_or(is_read)
            || delivery::writes_init_containers(plan)
            || (plan.desired().is_some() && !plan.touched().is_some_and(can_keep_to))
    }

    /// A workload, and whether it is only what a plan looks at.
    fn workload(&self, index: usize, before: Workload) -> Result<(Value, bool), InputError> {
        if before == Workload::InPart
            && let item = &self.stream.workloads[index]
            && let Some(interest) = self.interest(item)
            && let Some(part) = self.stream.object_in_part(item, interest)?
        {
            return Ok((part, true));
        }
        let whole = match self.written.get(&index) {
            Some(value) => value.clone(),
            None => self.stream.object(&self.stream.workloads[index])?,
        };
        Ok((whole, false))
    }
}

fn is_name(finding: &Finding) -> bool {
    finding.path.last().is_some_and(|step| *step == "name".into())
}
