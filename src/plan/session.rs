//! Judges AgentRuntimes: a session holds profile, gate and configuration of one moment, and [`Session::judge`] is the
//! only way from objects to a plan. Where objects come from and where findings are printed is left to the verbs, the
//! controller and the webhook.

use std::borrow::Cow;

use serde_json::Value;

use super::bindings::{
    Binding, clashes, is_known_version, profile_of_bindings, profile_of_left, too_many, without_container,
};
use super::claims::Claim;
use super::demands::by_policy;
use super::pinning::{pin, pin_bindings};
use super::{Action, Bound, Options, Outcome, Runtime, RuntimePlan, Surroundings, Warning, Writes, run};
use crate::api::agent_location::AgentLocation;
use crate::api::agent_runtime::{AgentRuntimeSpec, Skill, TargetRef};
use crate::api::names::{self, SKILLS_GROUP, VERSION};
use crate::api::object::{ConfigMap, Object, ObjectRef, Origin};
use crate::api::profile::Profile;
use crate::api::skill_binding::{Delivery, is_binding};
use crate::config::layers::{ConfigLayers, ConfigView};
use crate::validate::findings::{About, Finding, Severity, rules};
use crate::validate::preflight;
use crate::validate::schema::Validator;
use crate::validate::skill_binding;
use crate::validate::unknown_fields::list_astray;
use crate::validate::webhook::{LAST_WITH_SKILLS, Operation, Rivals, verdict};
use crate::yaml;

/// An AgentRuntime or a SkillBinding, and all that its plan depends on and that is not the session's.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// Its identity; the namespace is the one that it is in, also if the object names none.
    pub id: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// The object.
    pub object: &'a Value,
    /// What it may do with its target, among others with the same.
    pub claim: Claim,
    /// The target; none if there is none of that kind and name. Owned, the plan is made of it without a copy.
    pub workload: Option<Cow<'a, Value>>,
    /// Pods, for `configuredPods`.
    pub pods: &'a [Value],
    /// SkillBindings that add to its skills, in order: those of the workload where the object leads
    /// ([`crate::plan::bindings::leads`]), without itself.
    pub bindings: Vec<&'a Binding>,
}

/// What a run takes out of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Going {
    /// Only what is there no longer.
    Nothing,
    /// What the object that leads has put there; SkillBindings that add to it stay.
    Lead,
    /// Everything of ours.
    All,
}

/// What came of one AgentRuntime.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The AgentRuntime.
    pub id: ObjectRef,
    /// Everything that is wrong, in order: the AgentRuntime by itself, its claim, then the plan. If one is an error, the
    /// plan is refused.
    pub findings: Vec<Finding>,
    /// How many of [`Judged::findings`] are about the AgentRuntime alone, found before any plan.
    before_plan: usize,
    /// The plan; none if the AgentRuntime cannot be read.
    pub plan: Option<RuntimePlan>,
}

impl Judged {
    /// Whether nothing of the plan may be written.
    pub fn is_refused(&self) -> bool {
        self.errors().next().is_some()
    }

    /// What keeps the plan from being carried out.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_error())
    }

    /// The first error that is about the AgentRuntime alone, whatever its workload looks like.
    pub fn refused_before_plan(&self) -> Option<&Finding> {
        self.findings[..self.before_plan].iter().find(|finding| finding.is_error())
    }
}

/// Profile, gate and configuration of one moment. Holds no claims: the controller's change with every event.
#[derive(Debug)]
pub struct Session {
    options: Options,
    view: ConfigView,
    maps: Vec<ConfigMap>,
    layers: ConfigLayers,
    rules: Rules,
}

impl Session {
    /// A session; [`Options::gate`] is the gate as resolved by [`crate::config::gates::GateSource`].
    pub fn new(options: Options, view: ConfigView, maps: Vec<ConfigMap>) -> Self {
        let layers = ConfigLayers::new(options.profile, &maps, view);
        Self { rules: Rules::new(options.profile), options, view, maps, layers }
    }

    /// How it plans.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Plans no restart of Sandboxes: see [`Options::restarts`].
    pub fn without_restarts(&mut self) {
        self.options.restarts = false;
    }

    /// Which ConfigMaps the hash sees.
    pub fn view(&self) -> ConfigView {
        self.view
    }

    /// The operator's ConfigMaps.
    pub fn maps(&self) -> &[ConfigMap] {
        &self.maps
    }

    /// The same, resolved.
    pub fn layers(&self) -> &ConfigLayers {
        &self.layers
    }

    /// Judges an AgentRuntime and plans its run.
    pub fn judge(&self, case: Case<'_>) -> Judged {
        self.judge_going(case, if self.options.remove { Going::All } else { Going::Nothing })
    }

    /// The same, where [`Options::remove`] is not for everything of the workload.
    pub fn judge_going(&self, case: Case<'_>, going: Going) -> Judged {
        let options = Options { remove: going != Going::Nothing, ..self.options.clone() };
        if is_binding(Object(case.object)) {
            return self.judge_binding(case, &options);
        }
        let Case { id, origin, object, claim, workload, pods, bindings } = case;
        let mut findings = self.wrong_group(&id);
        let mut spec = match AgentRuntimeSpec::from_object(object) {
            Ok(spec) => spec,
            Err(wrong) => {
                findings.extend(wrong.into_iter().map(unreadable));
                return Judged { id, before_plan: findings.len(), findings, plan: None };
            }
        };
        let strict = !options.exact && !options.remove;
        let pins = options.pins.as_deref();
        if let Some(pins) = pins.filter(|_| !options.remove && !Object(object).is_being_deleted()) {
            findings.extend(pin(pins, &mut spec.skills, None));
        }
        // Of another group, it is another operator's rules that count.
        let checks =
            strict && !Object(object).is_being_deleted() && id.group() == options.profile.names.group;
        if checks {
            self.rules.check(&id, object, &spec, &mut findings);
        }
        let is_checked = checks && !findings.iter().any(Finding::is_error);
        let passed_on = match &claim {
            Claim::PassedOn(to) if strict => Some(to.clone()),
            _ => None,
        };
        findings.extend(claim.finding().filter(|_| strict));
        let stay = strict || (going == Going::Lead && !options.exact);
        let mut bindings = bindings.into_iter().filter(|one| stay && !one.deleting).collect();
        findings.extend(too_many(spec.skills.len(), &mut bindings));
        let bindings = pin_bindings(pins, bindings, &mut findings);
        let bindings: Vec<&Binding> = bindings.iter().map(|one| &**one).collect();
        faults_of(&bindings, &mut findings);
        let goes = options.remove || Object(object).is_being_deleted();
        findings.extend(by_policy(&options, if goes { &[] } else { &spec.skills }, &bindings));
        let own: &[Skill] = if strict { &spec.skills } else { &[] };
        findings.extend(clashes((&id, &origin, own), None, &bindings));
        findings.extend(self.without_container(&id, workload.as_deref(), bindings.iter().copied()));
        let bound = bound(&bindings, None, Binding::template_skills);
        let around = Surroundings {
            maps: &self.maps,
            layers: &self.layers,
            view: self.view,
            pods,
            namespace: None,
            services: None,
        };
        let runtime = Runtime { id: id.clone(), origin, object, spec, bound, is_checked };
        let workload = workload.filter(|_| passed_on.is_none());
        let mut plan = run(&runtime, workload, &around, &options);
        if let Some(to) = passed_on {
            plan.action = Action::Skipped;
            plan.reason = format!("it is being deleted, and its workload is that of AgentRuntime {to} now");
        }
        if operator_mounts_alongside(&options, &bindings, &plan) {
            plan.warnings.push(Warning { quirk: "", message: ALONGSIDE_A_MOUNTING_OPERATOR.to_owned() });
        }
        self.concluded(id, findings, plan)
    }

    /// Puts what was found before a plan, and its own problems, together.
    fn concluded(&self, id: ObjectRef, mut findings: Vec<Finding>, mut plan: RuntimePlan) -> Judged {
        let before_plan = findings.len();
        // Lists that do not go together meet in volumes and mounts as well.
        let clash = findings.iter().any(|earlier| *earlier.rule == rules::BINDING_CLASH);
        let known = |problem: &Finding| {
            if clash && problem.rule.about == About::Runtime {
                return true;
            }
            let same = |earlier: &&Finding| earlier.is_error() && earlier.of == problem.of;
            let mut paths = findings.iter().filter(same).map(|earlier| &earlier.path);
            problem.rule.about == About::Runtime
                && paths.any(|path| !path.is_empty() && problem.path.starts_with(path))
        };
        let problems: Vec<Finding> =
            plan.problems().iter().filter(|one| !known(one) && !findings.contains(one)).cloned().collect();
        findings.extend(problems);
        for finding in findings.iter().filter(|finding| finding.rule.severity == Severity::Warning) {
            plan.warnings.push(Warning { quirk: finding.rule.quirk, message: finding.message.clone() });
        }
        let errors: Vec<&Finding> = findings.iter().filter(|finding| finding.is_error()).collect();
        if !errors.is_empty() {
            plan.refuse_all(&errors);
        }
        Judged { id, findings, before_plan, plan: Some(plan) }
    }

    /// Judges a SkillBinding that leads, and plans its workload as today's operators leave it.
    fn judge_binding(&self, case: Case<'_>, options: &Options) -> Judged {
        let Case { id, origin, object, workload, bindings, .. } = case;
        let mut findings = wrong_version(object);
        let mut binding = match Binding::of(id.clone(), origin.clone(), object) {
            Ok(binding) => binding,
            Err(_) => {
                findings.extend(skill_binding::check(object));
                return Judged { id, before_plan: findings.len(), findings, plan: None };
            }
        };
        let strict = !options.remove && !binding.deleting;
        let pins = options.pins.as_deref().filter(|_| strict);
        if let Some(pins) = pins {
            findings.extend(pin(pins, &mut binding.spec.skills, None));
        }
        let about = bindings.clone();
        let mut bindings = bindings.into_iter().filter(|one| strict && !one.deleting).collect();
        findings.extend(too_many(binding.template_skills().len(), &mut bindings));
        let bindings = pin_bindings(pins, bindings, &mut findings);
        let bindings: Vec<&Binding> = bindings.iter().map(|one| &**one).collect();
        if strict {
            findings.extend(binding.faults.iter().cloned());
            faults_of(&bindings, &mut findings);
            findings.extend(by_policy(options, &binding.spec.skills, &bindings));
            findings.extend(clashes((&id, &origin, &binding.spec.skills), Some(&binding), &bindings));
            let all = std::iter::once(&binding).chain(bindings.iter().copied());
            findings.extend(self.without_container(&id, workload.as_deref(), all));
        }
        let target = binding.spec.target_ref().cloned().or_else(|| workload.as_deref().map(reference));
        let is_found = workload.is_some();
        let has_target = target.is_some();
        let spec = AgentRuntimeSpec {
            target_ref: target.unwrap_or_default(),
            skills: binding.template_skills().to_vec(),
            ..AgentRuntimeSpec::default()
        };
        // Of all about the workload: what goes was put there as they say.
        let Bound { container, container_of, location, root, .. } =
            bound(&about, Some(&binding), Binding::template_skills);
        let runtime = Runtime {
            id: id.clone(),
            origin,
            object,
            spec,
            bound: Bound {
                container,
                container_of,
                location,
                root,
                ..bound(&bindings, Some(&binding), Binding::template_skills)
            },
            is_checked: false,
        };
        let around = Surroundings {
            maps: &self.maps,
            layers: &self.layers,
            view: self.view,
            pods: &[],
            namespace: None,
            services: None,
        };
        let options = self.options_of_bindings(options, workload.as_deref());
        let mut plan = run(&runtime, workload.filter(|_| !self.options.exact), &around, &options);
        plan.status = None;
        plan.events.clear();
        let nothing_chosen = !has_target && !is_found && strict;
        self.say_why_skipped(&binding, strict, nothing_chosen, &mut plan);
        lead_by_argument(&binding, &mut plan);
        self.concluded(id, findings, plan)
    }

    /// How SkillBindings are planned: as today's operators leave a workload, or as those did whose traces are removed.
    fn options_of_bindings(&self, options: &Options, workload: Option<&Value>) -> Options {
        let profile = profile_of_bindings(self.options.profile);
        let profile = match workload.filter(|_| options.remove) {
            Some(workload) => profile_of_left(profile, workload, options.kinds),
            None => profile,
        };
        // Restarts go by the config hash, which is the operator's.
        Options { profile, exact: false, restarts: false, ..options.clone() }
    }

    /// The reason of a SkillBinding's plan where its workload's template is not what gets the skills.
    fn say_why_skipped(&self, binding: &Binding, strict: bool, nothing_chosen: bool, plan: &mut RuntimePlan) {
        let reason = if self.options.exact {
            "the operator knows no SkillBinding, and --exact does what it does"
        } else if nothing_chosen {
            "no workload of its namespace has the labels that its selector asks for"
        } else {
            if binding.spec.delivery == Delivery::Pod && plan.action != Action::Error && strict {
                plan.reason = "its skills are delivered to pods as these are created".to_owned();
            }
            return;
        };
        // Nothing of what was said about a target that nobody looked for.
        plan.outcome = Outcome::Sound(Writes::default());
        plan.action = Action::Skipped;
        plan.reason = reason.to_owned();
    }

    /// Containers that pods will not have, though what is delivered to them names these.
    fn without_container<'b>(
        &self,
        judged: &ObjectRef,
        workload: Option<&Value>,
        bindings: impl Iterator<Item = &'b Binding>,
    ) -> Vec<Finding> {
        let of = |workload| self.options.kinds.find(Object(workload).kind(), Object(workload).group());
        match workload.and_then(|workload| Some((of(workload)?, workload))) {
            Some((kind, workload)) => without_container(judged, kind, workload, bindings),
            None => Vec::new(),
        }
    }

    /// An AgentRuntime of another group is none of this operator's.
    fn wrong_group(&self, id: &ObjectRef) -> Vec<Finding> {
        let profile = self.options.profile;
        let group = id.group();
        if group == profile.names.group {
            return Vec::new();
        }
        let message =
            format!("is of group {group}, and profile {} reads {}", profile.name, profile.names.group);
        vec![Finding {
            help: format!(
                "write apiVersion {}/{VERSION} for that operator, or choose a profile of group {group} with --profile",
                profile.names.group
            ),
            ..Finding::new(&rules::GROUP, vec!["apiVersion".into()], message)
        }]
    }
}

/// What is wrong with SkillBindings that add to a plan.
fn faults_of(bindings: &[&Binding], findings: &mut Vec<Finding>) {
    for binding in bindings {
        let faults = binding.faults.iter().cloned();
        findings.extend(faults.map(|finding| Finding { of: Some(binding.id.clone()), ..finding }));
    }
}

/// What is said of SkillBindings next to an AgentRuntime of an operator that mounts.
const ALONGSIDE_A_MOUNTING_OPERATOR: &str = "an operator of this profile takes out volumes of skills that its AgentRuntime does not \
                                          list; keep all lists in one kind: in SkillBindings, where no AgentRuntime has one any \
                                          more (kubectl skills migrate), or in AgentRuntimes, where such an operator runs (migrate --to \
                                          AgentRuntime)";

fn operator_mounts_alongside(options: &Options, bindings: &[&Binding], plan: &RuntimePlan) -> bool {
    options.profile.mounts() && !bindings.is_empty() && plan.action != Action::Skipped
}

/// A runtime that finds its skills by an argument is led there by the author of the workload alone.
fn lead_by_argument(binding: &Binding, plan: &mut RuntimePlan) {
    let argument = |location: &AgentLocation| location.argument(binding.spec.home.as_deref()).ok().flatten();
    if let Some((location, argument)) = binding.spec.runtime.and_then(|one| Some((one, argument(one)?)))
        && !plan.skills.is_empty()
    {
        let message = format!(
            "runtime {} finds its skills by an argument, which belongs to the workload's author: give its container {argument}",
            location.name
        );
        plan.warnings.push(Warning { quirk: "", message });
    }
}

/// What bindings say together; `lead` leads, the others add to it.
pub(super) fn bound(
    others: &[&Binding],
    lead: Option<&Binding>,
    skills_of: impl Fn(&Binding) -> &[Skill],
) -> Bound {
    let all = || lead.into_iter().chain(others.iter().copied());
    // A template is planned as those say that put skills into it.
    let first = all().find(|binding| !binding.is_for_pods()).or(all().next());
    let spec = first.map(|binding| &binding.spec);
    let skills = others.iter().flat_map(|binding| {
        let listed = skills_of(binding).iter().enumerate();
        listed.map(|(index, skill)| (skill.clone(), binding.id.clone(), index))
    });
    let for_pods = all().filter(|one| one.is_for_pods() && !one.deleting).flat_map(|one| &one.spec.skills);
    Bound {
        leads: lead.is_some(),
        skills: skills.collect(),
        names: others.iter().map(|binding| binding.id.name.clone()).collect(),
        container: spec.and_then(|spec| spec.container.clone()),
        container_of: first.map(|binding| binding.id.clone()),
        location: spec.and_then(|spec| spec.runtime),
        root: spec.and_then(|spec| spec.runtime?.root(spec.home.as_deref()).ok()),
        elsewhere: Vec::new(),
        of_pod: false,
        for_pods: for_pods.map(|skill| skill.name.clone()).collect(),
    }
}

fn reference(workload: &Value) -> TargetRef {
    let object = Object(workload);
    TargetRef {
        api_version: object.api_version().to_owned(),
        kind: object.kind().to_owned(),
        name: object.name().to_owned(),
    }
}

fn unreadable(error: crate::api::agent_runtime::FieldError) -> Finding {
    Finding {
        help: "correct the AgentRuntime".to_owned(),
        ..Finding::new(&rules::SPEC_TYPE, yaml::path::parse(&error.field).unwrap_or_default(), error.message)
    }
}

/// All that is wrong with a SkillBinding by itself.
pub fn check_binding(object: &Value) -> Vec<Finding> {
    [wrong_version(object), skill_binding::check(object)].concat()
}

fn wrong_version(object: &Value) -> Vec<Finding> {
    let version = Object(object).api_version();
    if is_known_version(version) {
        return Vec::new();
    }
    let message = format!("is of apiVersion {version}, and {SKILLS_GROUP}/{VERSION} is read");
    vec![Finding::new(&rules::GROUP, vec!["apiVersion".into()], message)]
}

/// What API server and webhook say about an AgentRuntime by itself, and what will become of its pod.
#[derive(Debug)]
pub struct Rules {
    profile: &'static Profile,
    validator: Validator,
    /// For skills in profiles whose CRD does not know them any more: the last one that did.
    skills: Option<(&'static Profile, Validator)>,
}

impl Rules {
    /// The rules of a profile.
    pub fn new(profile: &'static Profile) -> Self {
        let skills = Profile::by_name(LAST_WITH_SKILLS).filter(|_| !profile.crd.skills);
        Self {
            profile,
            validator: Validator::new(profile),
            skills: skills.map(|profile| (profile, Validator::new(profile))),
        }
    }

    /// The fields of `spec` that no CRD knows, with the field that may be meant.
    pub fn unknown_fields(&self, object: &Value) -> Vec<Finding> {
        let skills = self.skills.as_ref().map(|(_, validator)| validator);
        self.validator.unknown_fields(skills, object)
    }

    /// The field that holds the only skills of an AgentRuntime, and that the API server drops.
    pub fn list_astray(&self, object: &Value) -> Option<Finding> {
        list_astray(object, &self.unknown_fields(object)).cloned()
    }

    /// Adds what is wrong. What the schema refuses is not asked about further, as by the API server.
    fn check(&self, id: &ObjectRef, object: &Value, spec: &AgentRuntimeSpec, findings: &mut Vec<Finding>) {
        findings.extend(self.unknown_fields(object));
        let before = findings.len();
        if !self.validator.certainly_accepts(object) {
            findings
                .extend(self.validator.create(&created(object)).errors.iter().map(|error| error.finding()));
        }
        let mut webhook = self.profile;
        if let Some((profile, validator)) = &self.skills
            && !spec.skills.is_empty()
        {
            webhook = profile;
            let mut shown = created(object);
            shown["apiVersion"] = format!("{}/{}", profile.names.group, names::VERSION).into();
            let errors = validator.create(&shown).errors;
            let about_skills = errors.iter().map(|error| error.finding()).filter(|finding| {
                finding.path.first().is_some_and(|step| *step == "spec".into())
                    && finding.path.get(1).is_some_and(|step| *step == "skills".into())
            });
            findings.extend(about_skills);
        }
        if findings.len() > before {
            return;
        }
        for profile in [self.profile, webhook] {
            let answer = verdict(profile, Operation::Create, id, spec, Rivals::Unknown);
            findings.extend(answer.refusal.map(|refusal| refusal.finding));
            if std::ptr::eq(profile, webhook) {
                break;
            }
        }
        findings.extend(look_ahead(spec));
    }
}

/// What will keep the pod from starting, though API server and webhook take the AgentRuntime.
pub fn look_ahead(spec: &AgentRuntimeSpec) -> impl Iterator<Item = Finding> {
    preflight::check(spec)
}

/// The object as it would be created: without what only the server sets.
fn created(object: &Value) -> Value {
    let mut shown = object.clone();
    if let Some(metadata) = shown.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("deletionTimestamp");
    }
    shown
}
