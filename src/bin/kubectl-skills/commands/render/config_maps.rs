//! `render --delivery`: the ConfigMaps of the input from which skills are mounted, for clusters without image volumes. How they
//! are mounted is the plan's.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::ValueEnum;
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::skill_binding::is_for_pods;
use kubectl_skills::manifest::render::plan_all;
use kubectl_skills::manifest::skill_maps;
use kubectl_skills::manifest::stream::{Item, Stream};
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::plan::{RecordMode, SkillMaps};
use kubectl_skills::skill::config_map::volume_source;
use serde_json::Value;

use crate::commands::files::Loaded;
use crate::exit::Failure;
use crate::notes;
use crate::source::Inputs;

/// How skills get into pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Delivery {
    Image,
    Configmap,
    Auto,
}

impl Delivery {
    /// Looks for the ConfigMaps that plans are to mount.
    pub fn prepare(self, inputs: &Inputs, loaded: &mut Loaded<'_>) -> Result<(), Failure> {
        if self == Self::Image {
            return Ok(());
        }
        if loaded.settings.options.exact {
            return Err(Failure::Usage(
                "--exact mounts images, as the operator does: leave --delivery out".into(),
            ));
        }
        if matches!(loaded.settings.options.record, RecordMode::Off) {
            return Err(Failure::Usage(
                "without a record nothing says that a volume of a ConfigMap is ours: leave --no-record out, or --delivery".into(),
            ));
        }
        let (maps, mut unusable) = maps(inputs, &loaded.namespace)?;
        let maps = Arc::new(maps);
        loaded.settings.options.config_maps = Some(Arc::clone(&maps));
        // What its plans warn of is said by what is done with them.
        let planned = plan_all(&loaded.stream, &loaded.settings);
        let (mut delivered, mut errors) = (0, Vec::new());
        if self == Self::Configmap {
            errors.extend(for_pods(&loaded.stream));
        }
        for one in &planned.plans {
            let item = loaded.stream.lead(one.lead);
            for skill in &one.plan.skills {
                let name = &skill.skill.name;
                if let Some(volume) = maps.get(&(item.id.namespace.clone(), name.clone())) {
                    delivered += 1;
                    let within = &skill.skill.sub_path;
                    if !within.is_empty() && !has(volume, within) {
                        let message = format!(
                            "ConfigMap {name} has no file at or below {within}, the subPath of the skill"
                        );
                        let help = "correct the subPath, or the ConfigMap".to_owned();
                        errors.push(loaded.stream.error(item, &["spec".into()], message, help));
                    }
                } else if let Some(problems) = unusable.get_mut(&(item.id.namespace.clone(), name.clone())) {
                    // Said once, also where several have the skill.
                    let problems = std::mem::take(problems);
                    match self {
                        _ if problems.is_empty() => {}
                        Self::Configmap => errors.extend(problems),
                        _ => notes::note(&format!(
                            "skill {name} stays an image, as its ConfigMap cannot be mounted: {}",
                            problems.first().map(ToString::to_string).unwrap_or_default()
                        )),
                    }
                } else if self == Self::Configmap {
                    let message = format!("the input has no ConfigMap {name} with the files of skill {name}");
                    let help = format!(
                        "pack its folder: kubectl skills pack {name} --config-map {name} -n {}; or --delivery auto",
                        item.id.namespace
                    );
                    errors.push(loaded.stream.error(item, &["spec".into()], message, help));
                }
            }
        }
        if !errors.is_empty() {
            return Err(Failure::Input(errors));
        }
        if delivered > 0 {
            notes::note(&format!(
                "{} mounted from ConfigMaps; whether their files are those of the images is not looked at",
                counted(delivered, "skill")
            ));
        }
        Ok(())
    }
}

/// Refuses lists for pods: they get their skills as they are created, and from images.
fn for_pods(stream: &Stream<'_>) -> Vec<InputError> {
    // What cannot be read is an error of its own.
    let is_for_pods = |item: &&Item| stream.object(item).is_ok_and(|binding| is_for_pods(&binding));
    let refuse = |item: &Item| {
        let message = "pods get the skills of this list as they are created, and from images";
        let help = "write delivery: Workload, or render with --delivery auto";
        stream.error(item, &["spec".into(), "delivery".into()], message, help)
    };
    stream.bindings.iter().filter(is_for_pods).map(refuse).collect()
}

/// Whether a volume shows a file at a path or below it.
fn has(volume: &Value, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let shown = volume.get("items").and_then(Value::as_array).into_iter().flatten();
    shown
        .filter_map(|item| item.get("path")?.as_str())
        .any(|file| file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// What is wrong with ConfigMaps, by namespace and name.
type Unusable = BTreeMap<(String, String), Vec<InputError>>;

/// The volumes of all ConfigMaps with a skill, and what keeps others from having one.
fn maps(inputs: &Inputs, default_namespace: &str) -> Result<(SkillMaps, Unusable), Failure> {
    let (mut out, mut unusable, mut twice) = (SkillMaps::new(), Unusable::new(), Vec::new());
    let mut errors = skill_maps::each(&inputs.sources, default_namespace, |id, object| {
        let key = (id.namespace.clone(), id.name.clone());
        let error = |field: String, message: String, help: String| InputError {
            origin: object.origin(),
            object: Some(id.clone()),
            field,
            message,
            help,
            ..InputError::default()
        };
        if out.contains_key(&key) || unusable.contains_key(&key) {
            twice.push(error(
                "metadata.name".into(),
                "is in the input twice".into(),
                "give one of them".into(),
            ));
            return;
        }
        match volume_source(object.value) {
            Ok(volume) => {
                out.insert(key, volume);
            }
            Err(problems) => {
                let problems = problems.into_iter().map(|one| error(one.key, one.message, one.help));
                unusable.insert(key, problems.collect());
            }
        }
    });
    errors.extend(twice);
    if errors.is_empty() { Ok((out, unusable)) } else { Err(Failure::Input(errors)) }
}
