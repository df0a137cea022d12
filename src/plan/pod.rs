//! The pod of a workload: volumes, mounts and variables of all containers, and which container is the agent's. What a list
//! becomes is decided in `image_volumes`, `mounts` and `variables`; this puts them in their places and says what is wrong.

use foldhash::HashSetExt as _;
use serde_json::{Map, Value};

use super::bindings::{no_container, one_of};
use super::fields::{At, WrongType, find, items};
use super::image_volumes::{self, Volumes, by_volume, name_of, volume_name};
use super::mounts::{is_plain, path_of};
use super::work::Work;
use super::{Runtime, RuntimePlan, advice, init_containers, mounts};
use crate::api::agent_runtime::Skill;
use crate::api::names::{DEFAULT_CONTAINER, SKILL_BINDING, SKILL_VOLUME_PREFIX};
use crate::api::object::{Object, field};
use crate::api::workload::WorkloadKind;
use crate::validate::findings::{Finding, rules, skill_path};
use crate::validate::preflight::{self, Mount};
use crate::yaml::Step;
use crate::yaml::parts::Interest;

/// Containers that run alongside an agent and never are one: of the operator's injector, of service meshes, proxies, and
/// collectors of secrets, logs and telemetry.
const SIDECARS: [&str; 29] = [
    "authbridge-proxy",
    "authbridge",
    "aws-otel-collector",
    "client-registration",
    "cloud-sql-proxy",
    "cloudsql-proxy",
    "config-reloader",
    "consul-dataplane",
    "daprd",
    "datadog-agent",
    "envoy",
    "envoy-proxy",
    "envoy-sidecar",
    "filebeat",
    "fluent-bit",
    "fluentd",
    "istio-proxy",
    "jaeger-agent",
    "kagenti-client-registration",
    "kube-rbac-proxy",
    "linkerd-proxy",
    "nginx",
    "oauth2-proxy",
    "opa",
    "otc-container",
    "otel-collector",
    "promtail",
    "spiffe-helper",
    "vault-agent",
];

/// The list of a pod in which the agent's container is.
pub(crate) const CONTAINERS: &str = "containers";
/// The lists of a pod in which containers are.
const CONTAINER_LISTS: [&str; 3] = [CONTAINERS, "initContainers", "ephemeralContainers"];

/// All that a plan reads and writes of the containers of a pod. Of one that is not the agent's only mounts of skill volumes
/// are of interest, and nothing if it has none.
pub(crate) fn interest(kind: WorkloadKind) -> Interest<'static> {
    Interest {
        way: kind.paths().pod,
        lists: &CONTAINER_LISTS,
        keys: &["name", "env", "volumeMounts"],
        far: (&["name"], SKILL_VOLUME_PREFIX),
    }
}

/// How a plan begins to say that the agent's container was not named.
pub(crate) const GUESSED: &str = "skills are mounted into the first of";

/// A list of a container, as it should be.
type Lists = Vec<(&'static str, Vec<Value>)>;

/// A container that is not the agent's.
struct Other<'c> {
    name: &'c str,
    /// Whether it is the first of `containers`, which the operator takes for the agent's.
    first: bool,
    list: &'static str,
}

impl Work<'_, '_> {
    pub(super) fn pod_keys(&self) -> &'static [&'static str] {
        self.kind.paths().pod
    }

    /// Volumes, mounts and `SKILL_FOLDERS`.
    pub(super) fn pod(&mut self) -> Result<(), WrongType> {
        let keys = self.pod_keys();
        let ways = self.ways();
        let pod = self.draft.map(keys)?;
        if pod.is_none() && self.skills.is_empty() {
            return Ok(());
        }
        let existing = pod.map_or(Ok(&[][..]), |pod| items(pod, "volumes", At::Keys(keys)))?;
        let filled = init_containers::filled(pod, &self.own);
        let has_fetched = !filled.is_empty();
        let mut volumes = image_volumes::safe(existing, self.skills, &self.own, &ways, &filled);
        for (index, source) in &volumes.collisions {
            let skill = &self.skills[*index];
            self.plan.problem(
                &rules::VOLUME_TAKEN,
                &skill_path(*index, "name"),
                format!(
                    "skill {} needs the volume {}, and the workload has a volume of that name ({source}) that is not ours",
                    skill.name,
                    volume_name(skill)
                ),
                "rename the skill, or that volume",
            );
        }
        let Runtime { spec, bound, is_checked, .. } = self.runtime;
        let has_own = self.skills.len() == spec.skills.len() + bound.skills.len();
        let checked = if *is_checked && has_own { spec.skills.len() } else { 0 };
        defects(self.plan, self.skills, checked);
        self.tell_kept(&volumes.kept, &volumes.foreign);
        for name in &volumes.kept_changes {
            self.plan.warn(
                "Q11",
                format!("volume {name} keeps the pullPolicy that it has; the operator would remove it"),
            );
        }
        let before = &mut self.next.before;
        if !before.volumes.is_empty() || !before.mounts.is_empty() {
            let wanted = by_volume(self.skills);
            before.volumes.retain(|volume| wanted.contains_key(name_of(volume)));
            before.mounts.retain(|mount| wanted.contains_key(name_of(mount)));
        }
        self.ambiguous |= !volumes.adopted.is_empty();
        self.next.before.volumes.extend(volumes.adopted.iter().cloned());
        let list = self.init_containers(&ways, has_fetched, std::mem::take(&mut volumes.list))?;
        self.containers(&volumes)?;
        self.draft.set_items(keys, "volumes", list)
    }

    fn containers(&mut self, volumes: &Volumes) -> Result<(), WrongType> {
        let keys = self.pod_keys();
        let none = Map::new();
        let at = At::Keys(keys);
        let agent = self.agent_container()?;
        // The agent's first: which of its mounts are the author's is known then.
        for list in CONTAINER_LISTS {
            let inside = At::Key(&at, list);
            let count = items(self.draft.map(keys)?.unwrap_or(&none), list, at)?.len();
            for index in 0..count {
                let Some(container) = self.draft.lend(keys, list, index) else { continue };
                let is_agent = list == CONTAINERS && Some(index) == agent;
                let lists =
                    self.container_lists(&container, list, is_agent, At::Index(&inside, index), volumes);
                self.draft.give_back(keys, list, index, container);
                for (key, items) in lists? {
                    self.draft.set_container_items(keys, list, index, key, items);
                }
            }
        }
        Ok(())
    }

    /// The lists of a container as they should be, where they change.
    fn container_lists(
        &mut self,
        container: &Value,
        list: &'static str,
        is_agent: bool,
        at: At<'_>,
        volumes: &Volumes,
    ) -> Result<Lists, WrongType> {
        let Value::Object(fields) = container else { return Ok(Vec::new()) };
        let (mounts, env) = (items(fields, "volumeMounts", at)?, items(fields, "env", at)?);
        let name = name_of(container);
        if !is_agent {
            let first = list == CONTAINERS && matches!(at, At::Index(_, 0));
            return Ok(self.other_lists(&Other { name, first, list }, mounts, env, at, volumes));
        }
        self.plan.container = Some(name.to_owned());
        if !self.skills.is_empty() {
            name.clone_into(&mut self.next.container);
            self.next.runtime = self.runtime.bound.location.map(|one| one.name.to_owned());
        }
        Ok(self.agent_lists(name, mounts, env, at, volumes))
    }

    /// The agent container that the command line or a SkillBinding names, the command line first.
    fn named_container(&self) -> Option<&str> {
        self.options.container.as_deref().or(self.runtime.bound.container.as_deref())
    }

    /// Index of the agent container; `None` if there is no container and none is needed.
    fn agent_container(&mut self) -> Result<Option<usize>, WrongType> {
        let keys = self.pod_keys();
        let none = Map::new();
        let at = At::Keys(keys);
        let containers = items(self.draft.map(keys)?.unwrap_or(&none), "containers", at)?;
        let all: Vec<&str> = containers.iter().map(name_of).collect();
        let position = |wanted: &str| all.iter().position(|name| *name == wanted);
        let inside = || At::Key(&at, "containers").steps();
        if let Some(wanted) = self.named_container() {
            let found = position(wanted);
            if found.is_none() {
                let finding = self.no_container(&inside(), wanted, &all);
                self.plan.refuse(finding);
            }
            return Ok(found);
        }
        if self.options.remove
            && let Some(found) = self.own.record.as_ref().and_then(|record| position(&record.container))
        {
            return Ok(Some(found));
        }
        let template = find(self.draft.value(), self.kind.paths().annotations);
        let chosen = template.and_then(|map| map.get(DEFAULT_CONTAINER)).and_then(Value::as_str);
        if let Some(chosen) = chosen {
            if let Some(found) = position(chosen) {
                return Ok(Some(found));
            }
            let message = format!(
                "the annotation {DEFAULT_CONTAINER} names {chosen}, which is no container of the pod"
            );
            self.plan.warn("", message);
        }
        let Some(first) = all.first() else {
            if !self.skills.is_empty() {
                self.plan.problem(
                    &rules::CONTAINER,
                    &inside(),
                    "there is no container to mount skills into",
                    match self.kind {
                        WorkloadKind::Custom(_) => format!(
                            "its pod template was looked for at {}: correct --pod-template-path, or give the pod a container",
                            self.kind.paths().template.join(".")
                        ),
                        _ => "give the pod a container".to_owned(),
                    },
                );
            }
            return Ok(None);
        };
        if let Some((quirk, message)) = self.guess(first, &all) {
            self.plan.warn(quirk, message);
        }
        Ok(Some(0))
    }

    /// That the pod has not the container that is named, as an error of who names it: a SkillBinding, or the command line, which is
    /// no object.
    fn no_container(&self, at: &[Step], wanted: &str, all: &[&str]) -> Finding {
        let Runtime { id, bound, .. } = self.runtime;
        if self.options.container.is_some() {
            let help = format!("the option container names it; {}", one_of(wanted, all));
            let message = format!("there is no container {wanted}");
            return Finding { help, ..Finding::new(&rules::CONTAINER, at.to_vec(), message) };
        }
        let object = Object(self.draft.value());
        let whose = match bound.of_pod {
            true => "the pod".to_owned(),
            false => format!("{} {}", object.kind(), object.name()),
        };
        no_container(&whose, (wanted, all), bound.container_of.as_ref().filter(|of| *of != id))
    }

    /// What is said where the first of several containers is taken for the agent's, and its quirk.
    fn guess(&self, first: &str, all: &[&str]) -> Option<(&'static str, String)> {
        let is_sidecar = |name: &&str| SIDECARS.contains(name);
        if self.skills.is_empty() || all.len() < 2 || all[1..].iter().all(is_sidecar) {
            return None;
        }
        let (looks, quirk) =
            if is_sidecar(&first) { (", which looks like a sidecar", "Q10") } else { ("", "") };
        let ways = if self.runtime.bound.of_pod {
            "spec.container"
        } else if self.runtime.id.kind == SKILL_BINDING {
            "--container, spec.container"
        } else {
            "--container"
        };
        let message = format!(
            "{GUESSED} {} containers, {first}{looks}; {ways} or the pod's annotation {DEFAULT_CONTAINER} names another",
            all.len()
        );
        Some((quirk, message))
    }

    fn agent_lists(
        &mut self,
        name: &str,
        existing: &[Value],
        env: &[Value],
        at: At<'_>,
        volumes: &Volumes,
    ) -> Lists {
        let mounts = mounts::safe(existing, self.skills, volumes, &self.own);
        let others: Vec<Mount<'_>> =
            mounts.others.iter().map(|(volume, path)| Mount { volume, path }).collect();
        let collides = |index: &usize| volumes.collisions.iter().any(|(other, _)| other == index);
        for (index, finding) in preflight::check_mounts(name, &others, self.skills) {
            if collides(&index) {
                // A mount of the volume that is not ours; the collision says so.
                continue;
            }
            self.plan.refuse(finding);
        }
        let claims = field(self.draft.value(), "/spec/volumeClaimTemplates").and_then(Value::as_array);
        let claims: Vec<&str> = claims
            .into_iter()
            .flatten()
            .map(|claim| claim["metadata"]["name"].as_str().unwrap_or_default())
            .collect();
        let unknown = mounts.others.iter().filter(|(volume, _)| {
            volume.starts_with(SKILL_VOLUME_PREFIX)
                && !volumes.names.contains(volume)
                && !claims.contains(&volume.as_str())
        });
        let quirk = self.quirk("Q4");
        for (volume, path) in unknown {
            let message = format!(
                "the mount of {volume} at {path} is kept: nothing says that it is ours, and the pod has no such volume"
            );
            self.plan.warn(quirk, message);
        }
        let others = mounts.others.iter().map(|(volume, path)| (volume.as_str(), path.as_str()));
        advice::nested(self.plan, others, self.skills);
        for path in &mounts.kept_changes {
            let message =
                format!("the mount at {path} keeps what was added to it; the operator would replace it");
            self.plan.warn("Q11", message);
        }
        self.next.before.mounts.extend(mounts.adopted);
        self.remember_folders(env);
        self.dropped_paths.clone_from(&mounts.dropped_paths);
        // The variable names a mount that its author had for our sake, unless he named it himself before.
        self.dropped_paths.extend(mounts.restored_paths);
        let mut lists = vec![("volumeMounts", mounts.list)];
        let led = self.folders(name, existing, env, at);
        lists.extend(self.without_roots(name, env, led, true).map(|list| ("env", list)));
        lists
    }

    /// The mounts of a container that is not the agent's, without those that would dangle, and without those of ours that
    /// were left there when it was the agent's.
    fn other_lists(
        &mut self,
        container: &Other<'_>,
        existing: &[Value],
        env: &[Value],
        at: At<'_>,
        volumes: &Volumes,
    ) -> Lists {
        let named = self.named_container().is_some() || self.plan.container.is_some() || container.first;
        let stray = |mount: &Value| {
            named
                && container.list == "containers"
                && !self.skills.is_empty()
                && is_plain(mount)
                && self.skills.iter().any(|skill| volume_name(skill) == name_of(mount))
                && self.own.stray_mount(container.name, container.first, mount).is_some()
        };
        let (mut kept, mut dangling, mut paths) = (Vec::new(), false, Vec::new());
        for mount in existing {
            let dangles = volumes.dangles(name_of(mount), &self.own);
            if dangles || stray(mount) {
                dangling |= dangles;
                paths.push(path_of(mount).to_owned());
            } else {
                kept.push(mount.clone());
            }
        }
        let name = container.name;
        if paths.is_empty() {
            let led = self.without_roots(name, env, None, false);
            return led.map(|list| ("env", list)).into_iter().collect();
        }
        if dangling {
            let would = self.operator_would("leave them dangling");
            let quirk = self.quirk("Q6");
            self.plan.warn_of_deed(
                quirk,
                format!("mounts of removed skills are taken out of container {name} as well{would}"),
            );
        } else {
            let message = format!("the skills that were mounted into container {name} are taken out of it");
            self.plan.warn_of_deed("", message);
        }
        let mut lists = vec![("volumeMounts", kept)];
        let mut led = None;
        if self.options.remove || !dangling {
            // It was the agent container of an earlier render.
            let agent = std::mem::replace(&mut self.dropped_paths, paths);
            led = self.skill_folders(env, at, &[], false);
            self.dropped_paths = agent;
        }
        lists.extend(self.without_roots(name, env, led, false).map(|list| ("env", list)));
        lists
    }
}

/// What makes the API server refuse the pod, though a CRD without a webhook lets it pass (Q12, Q13). The first `checked` skills
/// are sound by themselves.
fn defects(plan: &mut RuntimePlan, skills: &[Skill], checked: usize) {
    let mut names = foldhash::HashSet::with_capacity(skills.len());
    for (index, skill) in skills.iter().enumerate() {
        if index >= checked {
            for finding in preflight::check_skill(index, skill).into_iter().filter(Finding::is_error) {
                plan.refuse(finding);
            }
        }
        if !names.insert(skill.name.as_str()) {
            plan.problem(
                &rules::VOLUME_TWICE,
                &skill_path(index, "name"),
                format!("skill {} is there twice, and a pod takes a volume once", skill.name),
                "rename one of them, or remove it",
            );
        }
    }
}
