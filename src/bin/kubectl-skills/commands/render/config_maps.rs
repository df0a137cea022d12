//! `render --delivery`: the ConfigMaps of the input from which skills are mounted, for clusters without image volumes. How they
//! are mounted is the plan's.

use std::sync::Arc;

use clap::ValueEnum;
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::object::Object;
use kubectl_skills::manifest::objects::{Parsed, documents_with};
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::plan::SkillMaps;
use kubectl_skills::skill::config_map::{is_skill, volume_source};

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
        loaded.settings.options.config_maps = Some(Arc::new(maps(inputs, &loaded.namespace)?));
        let planned = loaded.plan();
        let maps = loaded.settings.options.config_maps.iter().flat_map(|maps| maps.keys());
        let known: Vec<&(String, String)> = maps.collect();
        let (mut delivered, mut errors) = (0, Vec::new());
        for one in &planned.plans {
            let item = loaded.stream.lead(one.lead);
            for skill in &one.plan.skills {
                let name = &skill.skill.name;
                if known.iter().any(|(namespace, own)| *namespace == item.id.namespace && own == name) {
                    delivered += 1;
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

/// The volumes of all ConfigMaps with a skill.
fn maps(inputs: &Inputs, default_namespace: &str) -> Result<SkillMaps, Failure> {
    let (mut out, mut errors) = (SkillMaps::new(), Vec::new());
    for source in inputs.sources.iter().filter(|source| source.text.contains("io/type")) {
        let documents = match documents_with(source, &["ConfigMap"]) {
            Ok(documents) => documents,
            Err(found) => {
                errors.extend(found);
                continue;
            }
        };
        for object in documents.iter().flat_map(Parsed::objects).filter(|object| is_skill(object.value)) {
            let id = Object(object.value).reference_in(default_namespace);
            match volume_source(object.value) {
                Ok(volume) => {
                    out.insert((id.namespace, id.name), volume);
                }
                Err(problems) => errors.extend(problems.into_iter().map(|one| InputError {
                    origin: object.origin(),
                    object: Some(id.clone()),
                    field: one.key,
                    message: one.message,
                    help: one.help,
                    ..InputError::default()
                })),
            }
        }
    }
    if errors.is_empty() { Ok(out) } else { Err(Failure::Input(errors)) }
}
