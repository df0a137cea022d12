//! `--delivery`: how the skills of manifests get into pods. Flags and the ConfigMaps of the input in, an option of plans out, and
//! what became of each skill in words. Which way a skill goes is the plan's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::image_reference;
use kubectl_skills::api::image_volume::{self, Stage};
use kubectl_skills::api::names::PROGRAM_IMAGE;
use kubectl_skills::crd::pattern::dns_subdomain;
use kubectl_skills::manifest::render::Planned;
use kubectl_skills::manifest::skill_maps;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::plan::delivery::{BySkill, Delivered, Delivery, Init, Way};
use kubectl_skills::plan::{PlannedSkill, RecordMode};
use kubectl_skills::skill::config_map::volume_source;
use serde_json::Value;

use super::files::Loaded;
use crate::exit::Failure;
use crate::notes;
use crate::source::Inputs;

/// How skills get into pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Asked {
    Image,
    Configmap,
    Init,
    Auto,
}

/// How skills get into pods.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Delivery")]
pub struct DeliveryArgs {
    /// How skills get into pods: image, configmap, init, or auto (image volumes where --kube-version has them, else a ConfigMap
    /// where the input has one, else an init container)
    ///
    /// All but image are for clusters without image volumes. The ConfigMap of a skill has its name, its namespace and the label
    /// type: skill of rossoctl.io or kagenti.io; 'pack --config-map' makes one of the files of an image. Its files are shown at
    /// their paths. Whether they are those of the image is not looked at: 'pack' and 'inspect' print the content identity of both.
    /// An init container runs 'pull --to' and needs nothing but the image.
    #[arg(long, value_enum, default_value_t = Asked::Image, value_name = "image|configmap|init|auto", hide_possible_values = true, conflicts_with = "remove")]
    delivery: Asked,
    /// Image that init containers run; its entry point is this program
    #[arg(long, default_value = PROGRAM_IMAGE, value_name = "IMAGE", value_parser = image)]
    init_image: String,
    /// Secret of type kubernetes.io/dockerconfigjson that init containers log in by; repeatable [default: the imagePullSecrets of the pod]
    #[arg(long, value_name = "NAME", value_parser = secret_name)]
    pull_secret: Vec<String>,
    /// Version of the oldest cluster that the manifests are for, such as 1.33; --delivery auto takes image volumes from 1.35 on
    #[arg(long, value_name = "VERSION", value_parser = kube_version)]
    kube_version: Option<(u32, u32)>,
}

/// `1.33`, `v1.33.2` and what else `kubectl version` prints.
fn kube_version(text: &str) -> Result<(u32, u32), String> {
    image_volume::version(text).ok_or_else(|| "write it as 1.33".to_owned())
}

/// Whether a version of Kubernetes has image volumes without anybody switching them on.
fn has_image_volumes((major, minor): (u32, u32)) -> bool {
    major > 1 || (major == 1 && Stage::of(minor).on_by_default())
}

/// A reference that a kubelet can pull.
fn image(text: &str) -> Result<String, String> {
    match image_reference::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => {
            Err("is no image reference; write it as registry/name:tag or registry/name@sha256:digest"
                .to_owned())
        }
    }
}

/// A name that a Secret can have.
fn secret_name(text: &str) -> Result<String, String> {
    if dns_subdomain(text) && text.len() <= 253 {
        Ok(text.to_owned())
    } else {
        Err("no Secret has such a name: lower-case letters, digits, - and . are allowed, 253 at most"
            .to_owned())
    }
}

impl DeliveryArgs {
    /// Says that the flag is about manifests, where a cluster is planned.
    pub fn not_live(&self) {
        if self.delivery != Asked::Image {
            notes::note("--delivery is about manifests: on a cluster skills are delivered by image volumes");
        }
    }

    /// Makes plans deliver so; the ConfigMaps are those of the input.
    pub fn prepare(&self, inputs: &Inputs, loaded: &mut Loaded<'_>) -> Result<(), Failure> {
        let options = &mut loaded.settings.options;
        let way = match self.delivery {
            Asked::Image => return Ok(()),
            _ if options.remove => return Ok(()),
            Asked::Configmap => Way::ConfigMap,
            Asked::Init => Way::Init,
            Asked::Auto => Way::Auto,
        };
        if options.exact {
            return Err(Failure::Usage(
                "--exact mounts images, as the operator does: leave --delivery out".into(),
            ));
        }
        if matches!(options.record, RecordMode::Off) {
            return Err(Failure::Usage(
                "without a record nothing says that the volume of a skill that is no image is ours: leave --no-record out, or --delivery"
                    .into(),
            ));
        }
        let (maps, unusable) = match way {
            Way::ConfigMap | Way::Auto => maps(inputs, &loaded.namespace)?,
            _ => Default::default(),
        };
        let has_images = self.kube_version.filter(|version| has_image_volumes(*version));
        let image_volumes =
            has_images.map(|(major, minor)| format!("Kubernetes {major}.{minor} has image volumes"));
        let init = Init { image: self.init_image.clone(), pull_secrets: self.pull_secret.clone() };
        options.delivery = Some(Arc::new(Delivery { way, maps, unusable, image_volumes, init }));
        Ok(())
    }

    /// Says how the skills of plans are delivered.
    pub fn tell_of(&self, planned: &Planned) {
        self.tell(planned.plans.iter().flat_map(|one| &one.plan.skills));
    }

    /// Says how skills are delivered, each once.
    pub fn tell<'p>(&self, skills: impl Iterator<Item = &'p PlannedSkill>) {
        let (mut counts, mut reasons) = (BTreeMap::<Delivered, usize>::new(), BTreeSet::new());
        for PlannedSkill { skill, delivered, why, .. } in skills {
            *counts.entry(*delivered).or_default() += 1;
            if !why.is_empty() {
                reasons.insert((skill.name.as_str(), *delivered, why.as_str()));
            }
        }
        for (name, delivered, why) in reasons {
            let by = match delivered {
                Delivered::Image => "as an image volume",
                Delivered::ConfigMap => "from a ConfigMap",
                Delivered::Init => "by an init container",
            };
            notes::note(&format!("skill {name} comes {by}: {why}"));
        }
        let count = |delivered: Delivered| counts.get(&delivered).copied().filter(|count| *count > 0);
        if let Some(count) = count(Delivered::ConfigMap) {
            notes::note(&format!(
                "{} mounted from ConfigMaps; whether their files are those of the images is not looked at",
                counted(count, "skill")
            ));
        }
        if let Some(count) = count(Delivered::Init) {
            let (skills, image) = (counted(count, "skill"), &self.init_image);
            notes::note(&format!("{skills} fetched by init containers that run {image}"));
        }
    }
}

/// The volumes of all ConfigMaps with a skill, and what keeps others from having one.
fn maps(
    inputs: &Inputs,
    default_namespace: &str,
) -> Result<(BySkill<Value>, BySkill<Vec<InputError>>), Failure> {
    let (mut out, mut unusable, mut twice) = (BySkill::new(), BySkill::new(), Vec::new());
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A word that the file takes and the flag does not is found by nobody who checks the file.
    #[test]
    fn the_configuration_file_takes_the_words_of_the_flag() {
        let words = Asked::value_variants().iter().filter_map(Asked::to_possible_value);
        let words: Vec<String> = words.map(|word| word.get_name().to_owned()).collect();
        assert_eq!(words, crate::config_file::deliveries());
    }

    #[test]
    fn versions_are_read_as_kubernetes_prints_them() {
        for (text, version) in [
            ("1.33", Some((1, 33))),
            ("v1.35.0", Some((1, 35))),
            ("1.34+", Some((1, 34))),
            ("v1.32.4-gke.1236000", Some((1, 32))),
            ("1", None),
            ("latest", None),
        ] {
            assert_eq!(kube_version(text).ok(), version, "{text}");
        }
        let with_images = [(1, 9), (1, 34), (1, 35), (1, 36), (2, 0)].map(has_image_volumes);
        assert_eq!(with_images, [false, false, true, true, true], "numbers, not text");
    }
}
