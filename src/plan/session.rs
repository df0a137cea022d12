//! Judges AgentRuntimes: a session holds profile, gate and configuration of one moment, and [`Session::judge`] is the
//! only way from objects to a plan. Where objects come from and where findings are printed is left to the verbs, the
//! controller and the webhook.

use std::borrow::Cow;

use serde_json::Value;

use super::claims::Claim;
use super::{Action, Options, Runtime, RuntimePlan, Surroundings, Warning, run};
use crate::api::agent_runtime::AgentRuntimeSpec;
use crate::api::names;
use crate::api::object::{ConfigMap, Object, ObjectRef, Origin};
use crate::api::profile::Profile;
use crate::config::layers::{ConfigLayers, ConfigView};
use crate::validate::findings::{About, Finding, Severity, rules};
use crate::validate::preflight;
use crate::validate::schema::Validator;
use crate::validate::webhook::{Operation, Rivals, verdict};
use crate::yaml;

/// The last profile whose CRD and webhook know `spec.skills` and every rule about it.
const LAST_WITH_SKILLS: &str = "no-trace";

/// An AgentRuntime and all that its plan depends on and that is not the session's.
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
        let Case { id, origin, object, claim, workload, pods } = case;
        let mut findings = self.wrong_group(&id);
        let spec = match AgentRuntimeSpec::from_object(object) {
            Ok(spec) => spec,
            Err(wrong) => {
                findings.extend(wrong.into_iter().map(unreadable));
                return Judged { id, before_plan: findings.len(), findings, plan: None };
            }
        };
        let strict = !self.options.exact && !self.options.remove;
        if strict && !Object(object).is_being_deleted() {
            self.rules.check(&id, object, &spec, &mut findings);
        }
        let passed_on = match &claim {
            Claim::PassedOn(to) if strict => Some(to.clone()),
            _ => None,
        };
        findings.extend(claim.finding().filter(|_| strict));
        let around = Surroundings {
            maps: &self.maps,
            layers: &self.layers,
            view: self.view,
            pods,
            namespace: None,
            services: None,
        };
        let runtime = Runtime { id: id.clone(), origin, object, spec };
        let workload = workload.filter(|_| passed_on.is_none());
        let mut plan = run(&runtime, workload, &around, &self.options);
        if let Some(to) = passed_on {
            plan.action = Action::Skipped;
            plan.reason = format!("it is being deleted, and its workload is that of AgentRuntime {to} now");
        }
        let before_plan = findings.len();
        let known = |problem: &Finding| {
            let mut paths = findings.iter().filter(|earlier| earlier.is_error()).map(|earlier| &earlier.path);
            problem.rule.about == About::Runtime
                && paths.any(|path| !path.is_empty() && problem.path.starts_with(path))
        };
        let problems: Vec<Finding> =
            plan.problems().iter().filter(|problem| !known(problem)).cloned().collect();
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

    /// An AgentRuntime of another group is none of this operator's.
    fn wrong_group(&self, id: &ObjectRef) -> Vec<Finding> {
        let profile = self.options.profile;
        let group = id.api_version.split_once('/').map_or("", |(group, _)| group);
        if group == profile.names.group {
            return Vec::new();
        }
        let message =
            format!("is of group {group}, and profile {} reads {}", profile.name, profile.names.group);
        vec![Finding {
            help: "choose a profile of its group with --profile, or leave it out".to_owned(),
            ..Finding::new(&rules::GROUP, vec!["apiVersion".into()], message)
        }]
    }
}

fn unreadable(error: crate::api::agent_runtime::FieldError) -> Finding {
    Finding {
        help: "correct the AgentRuntime".to_owned(),
        ..Finding::new(&rules::SPEC_TYPE, yaml::path::parse(&error.field).unwrap_or_default(), error.message)
    }
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
