//! `migrate --from ConfigMap`: which image each ConfigMap is, from flags and a file; what moves is the library's.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use kubectl_skills::api::object::Origin;
use kubectl_skills::manifest::migrate::config_map::{Choice, Choices, to_images};
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::refused;

use super::Args;
use crate::args::KindsArgs;
use crate::exit::{Failure, Run};
use crate::notes;
use crate::source::read_text;

/// What becomes of which ConfigMap.
#[derive(Debug, ClapArgs)]
pub struct ImageArgs {
    /// With --from ConfigMap: the image with the files of a ConfigMap, such as pdf=ghcr.io/acme/skills/pdf:1.2.0; repeatable
    #[arg(long, value_name = "[NAMESPACE/]NAME=IMAGE", value_parser = pair)]
    image: Vec<(String, String)>,
    /// With --from ConfigMap: a file with such a pair in each line
    #[arg(long, value_name = "FILE")]
    images: Option<PathBuf>,
    /// With --from ConfigMap: leave a ConfigMap as it is; repeatable
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    keep: Vec<String>,
    #[command(flatten)]
    kinds: KindsArgs,
}

/// Name and image.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, image)) if !name.trim().is_empty() && !image.trim().is_empty() => {
            Ok((name.trim().to_owned(), image.trim().to_owned()))
        }
        _ => Err("write the name of the ConfigMap, = and the image".to_owned()),
    }
}

impl ImageArgs {
    /// Refuses flags that say nothing where lists move.
    pub(super) fn refuse(&self) -> Result<(), Failure> {
        if self.image.is_empty() && self.images.is_none() && self.keep.is_empty() {
            return Ok(());
        }
        Err(Failure::Usage(
            "--image, --images and --keep are about ConfigMaps: give --from ConfigMap as well".into(),
        ))
    }

    fn choices(&self) -> Result<Choices, Failure> {
        let mut pairs = Vec::new();
        if let Some(path) = &self.images {
            let lines = read_text(path)?;
            let mut errors = Vec::new();
            for (index, line) in lines.lines().enumerate() {
                let line = line.trim_start_matches('\u{feff}').trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                match pair(line) {
                    Ok((name, image)) => {
                        pairs.push((name, Choice::Image(image), format!("{}:{}", path.display(), index + 1)));
                    }
                    Err(why) => {
                        let mut error = refused(format!("{line:?} is no pair: {why}"), "");
                        error.origin =
                            Origin { file: path.display().to_string(), line: index + 1, ..Origin::default() };
                        errors.push(error);
                    }
                }
            }
            if !errors.is_empty() {
                return Err(Failure::Input(errors));
            }
        }
        let own = self
            .image
            .iter()
            .cloned()
            .map(|(name, image)| (name, Choice::Image(image), "--image".to_owned()));
        let kept = self.keep.iter().map(|name| (name.clone(), Choice::Keep, "--keep".to_owned()));
        let mut out = Choices::new();
        let mut by: BTreeMap<String, String> = BTreeMap::new();
        for (name, choice, whence) in own.chain(pairs).chain(kept) {
            let said = |choice: &Choice| match choice {
                Choice::Image(image) => format!("is {image}"),
                Choice::Keep => "stays".to_owned(),
            };
            if let Some(other) = out.get(&name).filter(|other| **other != choice) {
                let first = by.get(&name).map_or("", String::as_str);
                return Err(Failure::Usage(format!(
                    "ConfigMap {name} {} by {first} and {} by {whence}: take one of them out",
                    said(other),
                    said(&choice)
                )));
            }
            out.insert(name.clone(), choice);
            by.entry(name).or_insert(whence);
        }
        Ok(out)
    }
}

/// Runs it.
pub(super) fn run(args: &Args) -> Run {
    let choices = args.images.choices()?;
    let kinds = args.images.kinds.resolve()?;
    let inputs = args.input.read_with_patches()?;
    let stream = Stream::read_all(&inputs.sources, args.namespace(), kinds)?;
    let moved = to_images(&stream, args.namespace(), kinds, args.to(), &choices, &inputs.kustomize)?;
    for one in &moved.decide {
        notes::warning(&format!("to decide: {one}"));
    }
    for remark in &moved.remarks {
        notes::warning(&remark.to_string());
    }
    for name in &moved.unused {
        notes::warning(&format!("no workload of the input mounts ConfigMap {name}"));
    }
    for one in &moved.moves {
        args.line(&format!(
            "{}: ConfigMap {} becomes {} in {}",
            one.workload, one.config_map, one.image, one.to
        ))?;
    }
    args.put(&inputs, &moved.edited)?;
    let mut workloads: Vec<_> = moved.moves.iter().map(|one| &one.workload).collect();
    workloads.dedup();
    let what = if args.dry_run { "would move" } else { "moved" };
    notes::summary(&match moved.moves.len() {
        0 if !choices.is_empty() => "no ConfigMap to move".to_owned(),
        0 => "no ConfigMap to move: no workload mounts one with the label rossoctl.io/type: skill or kagenti.io/type: skill, or from \
              a volume skill-NAME at a folder of that NAME"
            .to_owned(),
        skills => format!(
            "{} of {} {what} from ConfigMaps to images; the ConfigMaps stay{}",
            counted(skills, "skill"),
            counted(workloads.len(), "workload"),
            super::to_decide(moved.decide.len())
        ),
    });
    Ok(crate::exit::Outcome::Done)
}
