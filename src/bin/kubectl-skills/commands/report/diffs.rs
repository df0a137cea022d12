//! How the files of images changed from one lock to another: asked of their registries, or of an OCI layout, and only where that is
//! asked for.

use kubectl_skills::skill::changes::{self, SkillChange, TEXT_BYTES};
use kubectl_skills::skill::limits::Limits;

use super::DiffArgs;
use super::changes::Change;
use crate::exit::Failure;
use crate::notes;
use crate::registry::blocking::Blocking;
use crate::registry::place::Place;
use crate::registry::reference::Reference;

/// Looks at the files of each image that is another one. What cannot be read is said, and shown as not known.
pub fn read(args: &DiffArgs, all: &mut [Change]) {
    for one in all {
        let Some((before, after)) = &one.digests else { continue };
        let found = between(args, &one.image, before.as_str(), after.as_str());
        if let Err(why) = &found {
            notes::warning(&format!("{}: how its files changed is not known: {why}", one.image));
        }
        one.files = Some(found);
    }
}

fn between(args: &DiffArgs, image: &str, before: &str, after: &str) -> Result<SkillChange, String> {
    let place = |digest: &str| match &args.from_layout {
        Some(path) => Ok(Place::Layout(path.clone(), Some(digest.to_owned()))),
        None => {
            let name = Reference::parse(image)?.name();
            Reference::parse(&format!("{name}@{digest}")).map(Place::Registry)
        }
    };
    let said = |failure: Failure| in_a_line(&failure);
    let (mut content, before) = Blocking::open(&place(before)?, &args.registry, "report").map_err(said)?;
    let after = content.resolve(&place(after)?).map_err(said)?;
    let limits = Limits { kept_bytes: TEXT_BYTES as u64, ..args.limits.limits() };
    changes::images(&mut content, (&before, &after), None, Some(&limits)).map_err(|error| error.to_string())
}

fn in_a_line(failure: &Failure) -> String {
    match failure {
        Failure::Remote(errors) => {
            errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ")
        }
        Failure::Input(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        Failure::Io(what, error) => format!("{what}: {error}"),
        Failure::Usage(why) => why.clone(),
        Failure::CommandLine(_) => "it cannot be asked for".to_owned(),
    }
}
