//! A workload as the rules see it: the workload and its plan in, the skills that its pods have or will have out, each with the
//! places where it is written.

use std::borrow::Cow;

use serde_json::Value;

use crate::api::agent_runtime::Skill;
use crate::api::names::{KAGENTI, Names, ROSSOCTL, SKILL_VOLUME_PREFIX};
use crate::api::object::Object;
use crate::api::skill_binding::Delivery as BindingDelivery;
use crate::api::workload::{Kinds, WorkloadKind};
use crate::go::strings::string_list;
use crate::manifest::render::PlannedRuntime;
use crate::manifest::stream::{Item, Lead, Stream};
use crate::plan::bindings::Binding;
use crate::plan::delivery::Delivered;
use crate::plan::env::{paths, position};
use crate::validate::findings::skill_path;
use crate::yaml::Step;

/// Name of the volumes of skills that the backend's init containers fetch.
const FETCHED: &str = "skill-ext-";

/// How a skill gets into a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Delivery {
    /// An image volume.
    Image,
    /// A ConfigMap.
    ConfigMap,
    /// Fetched by an init container.
    Fetched,
    /// An image, as the pod is created.
    Pod,
}

impl Delivery {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Image => "as an image",
            Self::ConfigMap => "as a ConfigMap",
            Self::Fetched => "by an init container",
            Self::Pod => "as pods are created",
        }
    }
}

/// Where a skill is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written<'a> {
    /// In the list of an AgentRuntime or SkillBinding.
    List(&'a Item, usize),
    /// In the workload: index of its volume and of its mount.
    Workload(usize, usize),
}

/// One skill of a pod.
#[derive(Debug, Clone)]
pub(super) struct Use<'a> {
    pub name: Cow<'a, str>,
    /// Empty where it is no image.
    pub image: &'a str,
    pub pull_policy: &'a str,
    pub path: &'a str,
    pub sub_path: &'a str,
    pub delivery: Delivery,
    /// Index of the container; of those that are planned that of the agent.
    pub container: usize,
    /// Name of the volume.
    pub volume: Cow<'a, str>,
    written: Written<'a>,
}

/// A workload with its skills.
pub(super) struct Workload<'a> {
    pub item: &'a Item,
    pub value: &'a Value,
    pub kind: WorkloadKind,
    /// The AgentRuntime or SkillBinding that leads its plan.
    pub lead: Option<&'a Item>,
    /// The SkillBindings whose skills its pods get as they are created.
    pub for_pods: Vec<(&'a Item, &'a Binding)>,
    /// What a render would make of it, where it would write something.
    pub after: Option<&'a Value>,
    pub uses: Vec<Use<'a>>,
}

/// The SkillBindings of a stream by their indexes there; one that cannot be read is an error of its own.
pub(super) struct ReadBindings(Vec<Option<Binding>>);

impl ReadBindings {
    pub(super) fn of(stream: &Stream<'_>) -> Self {
        let read = |item: &Item| {
            let object = stream.object(item).ok()?;
            Binding::of(item.id.clone(), item.origin.clone(), &object).ok()
        };
        Self(stream.bindings.iter().map(read).collect())
    }

    /// Those about a workload that stay, with their items: the one that leads its plan, then those that add to it.
    fn about<'a>(&'a self, stream: &'a Stream<'_>, one: &PlannedRuntime) -> Vec<(&'a Item, &'a Binding)> {
        let lead = match one.lead {
            Lead::Binding(index) => Some(index),
            _ => None,
        };
        lead.into_iter()
            .chain(one.bindings.iter().copied())
            .filter_map(|index| Some((&stream.bindings[index], self.0[index].as_ref()?)))
            .filter(|(_, binding)| !binding.deleting)
            .collect()
    }
}

/// The items of a list of a pod or container.
pub(super) fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text of a field; empty where there is none.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The index of the container of a name.
fn container_of(containers: &[Value], name: Option<&str>) -> Option<usize> {
    let name = name?;
    containers.iter().position(|container| text(container, "name") == name)
}

/// The last part of a path.
pub(super) fn base(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit_once('/').map_or(path, |(_, base)| base)
}

impl<'a> Workload<'a> {
    /// The workload as it stands, and what is planned for it.
    pub(super) fn of(
        stream: &'a Stream<'_>,
        (item, value): (&'a Item, &'a Value),
        plan: Option<&'a PlannedRuntime>,
        (bindings, kinds): (&'a ReadBindings, Kinds),
    ) -> Option<Self> {
        let kind = kinds.of(&item.id)?;
        let after = plan.and_then(|one| one.plan.desired());
        let lead = plan.map(|one| stream.lead(one.lead));
        let mut out = Self { item, value, kind, lead, for_pods: Vec::new(), after, uses: Vec::new() };
        if let Some(plan) = plan {
            out.add_planned(stream, plan, bindings);
        }
        out.add_standing();
        Some(out)
    }

    fn add_planned(&mut self, stream: &'a Stream<'_>, one: &'a PlannedRuntime, bindings: &'a ReadBindings) {
        if matches!(one.lead, Lead::Workload(_)) {
            return;
        }
        let lead = stream.lead(one.lead);
        let about = bindings.about(stream, one);
        let containers = self.containers();
        let container = container_of(containers, one.plan.container.as_deref()).unwrap_or(0);
        let mut add = |skill: &'a Skill, volume, (delivery, container), written| {
            self.uses.push(Use {
                name: Cow::Borrowed(&skill.name),
                image: &skill.image,
                pull_policy: &skill.pull_policy,
                path: &skill.mount_path,
                sub_path: &skill.sub_path,
                delivery,
                container,
                volume,
                written,
            });
        };
        // A plan has the skills of who leads it first, then those that SkillBindings add.
        let in_template = |binding: &Binding| binding.spec.delivery != BindingDelivery::Pod;
        let listed: Vec<(&Item, usize, &Skill)> = about
            .iter()
            .filter(|(item, binding)| in_template(binding) && !std::ptr::eq(*item, lead))
            .flat_map(|(item, binding)| {
                binding.spec.skills.iter().enumerate().map(|(index, skill)| (*item, index, skill))
            })
            .collect();
        let own = one.plan.skills.len().saturating_sub(listed.len());
        for (index, planned) in one.plan.skills.iter().enumerate() {
            let skill = &planned.skill;
            let added = index.checked_sub(own).and_then(|at| listed.get(at));
            let written = match added.filter(|(.., known)| known.name == skill.name) {
                Some((item, at, _)) => Written::List(item, *at),
                None => Written::List(lead, index),
            };
            let delivery = match planned.delivered {
                Delivered::Image => Delivery::Image,
                Delivered::ConfigMap => Delivery::ConfigMap,
                Delivered::Init => Delivery::Fetched,
            };
            add(skill, Cow::Borrowed(&planned.volume), (delivery, container), written);
        }
        let for_pods: Vec<_> = about.into_iter().filter(|(_, binding)| !in_template(binding)).collect();
        for (item, binding) in &for_pods {
            let own = binding.spec.container.as_deref();
            let at = container_of(containers, own).unwrap_or(container);
            for (index, skill) in binding.spec.skills.iter().enumerate() {
                let volume = Cow::Owned([SKILL_VOLUME_PREFIX, &skill.name].concat());
                add(skill, volume, (Delivery::Pod, at), Written::List(item, index));
            }
        }
        self.for_pods = for_pods;
    }

    fn add_standing(&mut self) {
        let Some(pod) = self.pod() else { return };
        let is_named = self.of_skills();
        for (volume_index, volume) in list(pod, "volumes").iter().enumerate() {
            let name = text(volume, "name");
            let delivery = if volume.get("image").is_some_and(Value::is_object) {
                Delivery::Image
            } else if volume.get("configMap").is_some_and(Value::is_object) {
                Delivery::ConfigMap
            } else if name.starts_with(FETCHED) {
                Delivery::Fetched
            } else {
                continue;
            };
            let is_known = |one: &Use<'_>| one.volume == name && one.delivery != Delivery::Pod;
            if self.uses.iter().any(is_known) {
                continue;
            }
            for (container, spec) in self.containers().iter().enumerate() {
                let mounts = list(spec, "volumeMounts");
                let Some((mount_index, mount)) =
                    mounts.iter().enumerate().find(|(_, mount)| text(mount, "name") == name)
                else {
                    continue;
                };
                let path = text(mount, "mountPath");
                let own = name.strip_prefix(SKILL_VOLUME_PREFIX);
                if own.is_none() && !is_named(path) {
                    continue;
                }
                let image = volume.get("image").unwrap_or(&Value::Null);
                self.uses.push(Use {
                    name: Cow::Borrowed(
                        own.filter(|_| delivery == Delivery::Image).unwrap_or_else(|| base(path)),
                    ),
                    image: text(image, "reference"),
                    pull_policy: text(image, "pullPolicy"),
                    path,
                    sub_path: text(mount, "subPath"),
                    delivery,
                    container,
                    volume: Cow::Borrowed(name),
                    written: Written::Workload(volume_index, mount_index),
                });
            }
        }
    }

    /// Whether a path is that of a skill: named in `SKILL_FOLDERS` or in the annotation, or below a folder `skills`.
    pub(super) fn of_skills(&self) -> impl Fn(&str) -> bool + use<'a> {
        let folders: Vec<&str> =
            self.containers().iter().filter_map(folders).flat_map(|(_, value)| paths(value)).collect();
        let names = self.annotations().find_map(|(_, text)| string_list(text).ok()).unwrap_or_default();
        move |path| {
            let folder = path.trim_end_matches('/');
            folders.iter().any(|known| known.trim_end_matches('/') == folder)
                || names.iter().any(|name| name == base(path))
                || path.split('/').any(|part| part == "skills")
        }
    }

    /// Its pod; `None` if the template has none.
    pub(super) fn pod(&self) -> Option<&'a Value> {
        self.pod_of(self.value)
    }

    /// The pod of a state of it.
    pub(super) fn pod_of(&self, value: &'a Value) -> Option<&'a Value> {
        self.kind.paths().pod.iter().try_fold(value, |at, key| at.get(key))
    }

    /// Whether a render would write something.
    pub(super) fn is_planned(&self) -> bool {
        self.after.is_some()
    }

    /// The containers of its pod.
    pub(super) fn containers(&self) -> &'a [Value] {
        self.pod().map_or(&[], |pod| list(pod, "containers"))
    }

    /// The steps to a field of its pod.
    pub(super) fn in_pod(&self, steps: &[Step]) -> Vec<Step> {
        self.kind.paths().pod.iter().map(|key| Step::from(*key)).chain(steps.iter().cloned()).collect()
    }

    /// The steps to a field of a container.
    pub(super) fn in_container(&self, index: usize, steps: &[Step]) -> Vec<Step> {
        let mut out = self.in_pod(&["containers".into(), index.into()]);
        out.extend(steps.iter().cloned());
        out
    }

    /// The skills annotations that it has, of either naming scheme.
    pub(super) fn annotations(&self) -> impl Iterator<Item = (&'static Names, &'a str)> + use<'a> {
        let value: &'a Value = self.value;
        [&KAGENTI, &ROSSOCTL]
            .into_iter()
            .filter_map(move |names: &'static Names| Some((names, Object(value).annotation(names.skills)?)))
    }

    /// Whether it has anything of an agent platform: a label or annotation of either naming scheme, or an AgentRuntime.
    pub(super) fn is_of_platform(&self) -> bool {
        let value: &'a Value = self.value;
        let metadata = value.get("metadata").unwrap_or(&Value::Null);
        let template = |keys: &[&str]| keys.iter().try_fold(value, |at, key| at.get(key));
        let paths = self.kind.paths();
        let maps = [
            metadata.get("labels"),
            metadata.get("annotations"),
            template(paths.labels),
            template(paths.annotations),
        ];
        let mut keys = maps.into_iter().flatten().filter_map(Value::as_object).flat_map(|map| map.keys());
        self.lead.is_some()
            || keys.any(|key| key.starts_with("kagenti.io/") || key.starts_with("rossoctl.io/"))
    }
}

impl<'a> Use<'a> {
    /// Whether it stands in the workload itself, and no list asks for it.
    pub(super) fn stands(&self) -> bool {
        matches!(self.written, Written::Workload(..))
    }

    /// The object that it is written in.
    pub(super) fn item(&self, workload: &Workload<'a>) -> &'a Item {
        match self.written {
            Written::List(item, _) => item,
            Written::Workload(..) => workload.item,
        }
    }

    /// The steps to its image.
    pub(super) fn image_at(&self, workload: &Workload<'a>) -> Vec<Step> {
        self.at(workload, "image", &["image", "reference"])
    }

    /// The steps to its pull policy.
    pub(super) fn policy_at(&self, workload: &Workload<'a>) -> Vec<Step> {
        self.at(workload, "pullPolicy", &["image", "pullPolicy"])
    }

    /// The steps to its name.
    pub(super) fn name_at(&self, workload: &Workload<'a>) -> Vec<Step> {
        self.at(workload, "name", &["name"])
    }

    fn at(&self, workload: &Workload<'a>, field: &'static str, of_volume: &[&str]) -> Vec<Step> {
        match self.written {
            Written::List(_, index) => skill_path(index, field),
            Written::Workload(volume, _) => {
                let mut steps = vec!["volumes".into(), volume.into()];
                steps.extend(of_volume.iter().map(|key| Step::from(*key)));
                workload.in_pod(&steps)
            }
        }
    }

    /// The steps to the field of its mount: `mountPath` or `subPath`.
    pub(super) fn mount_at(&self, workload: &Workload<'a>, field: &'static str) -> Vec<Step> {
        match self.written {
            Written::List(_, index) => skill_path(index, field),
            Written::Workload(_, mount) => {
                workload.in_container(self.container, &["volumeMounts".into(), mount.into(), field.into()])
            }
        }
    }
}

/// Index and value of `SKILL_FOLDERS` in a container, where it is written there.
pub(super) fn folders(container: &Value) -> Option<(usize, &str)> {
    let env = list(container, "env");
    let index = position(env)?;
    Some((index, env[index].get("value")?.as_str()?))
}
