//! `copy`: an image from one place to another, or all skill images of manifests into another registry or an OCI layout.

use std::collections::BTreeMap;

use clap::Args as ClapArgs;
use kubectl_skills::api::object::ObjectRef;
use kubectl_skills::manifest::render::Edited;
use kubectl_skills::manifest::skill_images::{rename, skill_images};
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::manifest::summary::counted;
use serde_json::json;

use super::files::left_out;
use super::render::{joined, write};
use super::transfer::{self, Moved, TransferArgs, summed_up, usual_name};
use crate::args::{KindsArgs, Report};
use crate::exit::{Failure, Outcome, Run};
use crate::net::block_on;
use crate::notes;
use crate::planning::DEFAULT_NAMESPACE;
use crate::registry::copy::{Copied, copy};
use crate::registry::error::Result;
use crate::registry::interrupt::unless_interrupted;
use crate::registry::place::Place;
use crate::registry::progress::Progress;
use crate::registry::reference::Reference;
use crate::registry::store::{Source, Stores};
use crate::sink;
use crate::skill_files;
use crate::source::{Input, Inputs};

/// Copy skill images between registries and OCI layouts: one, or all that manifests name
#[derive(Debug, ClapArgs)]
#[command(
    visible_alias = "mirror",
    after_help = "\
Examples:
  # One image with its signatures, from one registry to another
  kubectl skills copy quay.io/acme/skills/pdf:1.0.0 registry.lan/skills/pdf:1.0.0

  # All skill images of manifests; the manifests then name them in the other registry
  kubectl skills copy -f manifests -R --to-registry registry.lan/skills -i

  # Over an air gap: into a tar, and on the other side into the registry there
  kubectl skills copy -f manifests -R --to-layout skills.tar
  kubectl skills copy -f manifests -R --from-layout skills.tar --to-registry registry.lan/skills -i

Exit codes: 0 done; 2 usage; 3 bad input; 4 a registry refused or failed, and no manifest is written"
)]
pub struct Args {
    /// What: a reference to a registry, or an OCI layout (./PATH, FILE.tar, oci:PATH) with [:NAME|@DIGEST]
    #[arg(value_name = "SOURCE", conflicts_with = "files", requires = "destination")]
    source: Option<String>,
    /// Where to: a reference with a tag, or an OCI layout
    #[arg(value_name = "DESTINATION")]
    destination: Option<String>,
    /// With -f: the registry, and the path in front of each repository there
    #[arg(long, value_name = "HOST[/PATH]", requires = "Input")]
    to_registry: Option<String>,
    /// With -f: a folder or tar that all images go into
    #[arg(long, value_name = "DIR|TAR", requires = "Input", conflicts_with = "to_registry")]
    to_layout: Option<String>,
    /// With -f: the OCI layout that --to-layout wrote, in the place of the registries
    #[arg(long, value_name = "DIR|TAR", requires = "to_registry", conflicts_with = "to_layout")]
    from_layout: Option<String>,
    /// With --to-registry: write the new references into the files; without, the manifests are printed
    #[arg(short = 'i', long, requires = "to_registry", conflicts_with_all = ["to_layout", "dry_run"])]
    in_place: bool,
    /// With -f: print which images would go where, and copy nothing
    #[arg(long, requires = "Input")]
    dry_run: bool,
    #[command(flatten)]
    transfer: TransferArgs,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    kinds: KindsArgs,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    match (&args.source, &args.destination) {
        (Some(source), Some(destination)) => {
            let source = Place::existing(source)?;
            let destination = Place::new(destination).map_err(Failure::Usage)?;
            transfer::run("copy", source, destination, &args.transfer)
        }
        _ if !args.input.given() => {
            Err(Failure::Usage("give a SOURCE and a DESTINATION, or manifests with -f or -k".into()))
        }
        _ => manifests(args),
    }
}

/// An image of manifests, and where it goes.
struct Order {
    /// As it is written.
    image: String,
    reference: Reference,
    destination: Place,
    /// What the manifests then name.
    renamed: Option<String>,
    named_by: Vec<ObjectRef>,
}

fn manifests(args: &Args) -> Run {
    if args.in_place {
        args.input.check_in_place()?;
    }
    let inputs = args.input.read()?;
    let kinds = args.kinds.resolve()?;
    let stream = Stream::read_all(&inputs.sources, DEFAULT_NAMESPACE, kinds)?;
    let orders = orders(args, &skill_images(&stream, kinds)?)?;
    left_out(&stream, kinds);
    if orders.is_empty() {
        notes::warning("no skill image is named in the manifests");
    }
    if args.dry_run {
        if args.from_layout.is_some() {
            block_on(async { Ok(are_there(args, &orders).await?) })?;
        }
        return would(args, &orders);
    }
    // What cannot be written is said before an image is copied.
    let names = orders.iter().filter_map(|order| Some((order.image.clone(), order.renamed.clone()?)));
    let edited = rename(&stream, kinds, &names.collect::<BTreeMap<_, _>>())?;
    let progress = Progress::start("copy");
    let moved = block_on(async {
        let stores = Stores::new(&args.transfer.registry, "copy")?;
        Ok(unless_interrupted(all(&stores, args, &orders, &progress)).await?)
    });
    progress.end();
    let moved = moved?;
    let mut sum = Copied::default();
    moved.iter().for_each(|one| sum.add(&one.copied));
    notes::summary(&summed_up(moved.len(), &sum));
    said(args, &inputs, &edited, &moved, !stream.workloads.is_empty())
}

/// Prints what became of the manifests and images.
fn said(args: &Args, inputs: &Inputs, edited: &Edited, moved: &[Moved], workloads: bool) -> Run {
    if args.in_place {
        write(inputs, edited)?;
        if workloads {
            notes::note(
                "run 'kubectl skills render -i' on the files again: the config hash of workloads counts references",
            );
        }
    }
    match args.transfer.output {
        Report::Text if args.to_registry.is_some() && !args.in_place => {
            sink::pieces(joined(&inputs.sources, edited))?;
        }
        Report::Text => {
            sink::text(&moved.iter().map(|one| format!("{}\n", one.pinned())).collect::<String>())?
        }
        format => {
            let images: Vec<_> = moved.iter().map(Moved::value).collect();
            sink::object(format, &json!({"images": images}))?;
        }
    }
    Ok(Outcome::Done)
}

fn would(args: &Args, orders: &[Order]) -> Run {
    let row = |order: &Order| {
        json!({
            "source": order.image, "destination": order.destination.to_string(),
            "namedBy": order.named_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    match args.transfer.output {
        Report::Text => {
            let lines = orders.iter().map(|order| format!("{} -> {}\n", order.image, order.destination));
            sink::text(&lines.collect::<String>())?;
        }
        format => sink::object(format, &json!({"images": orders.iter().map(row).collect::<Vec<_>>()}))?,
    }
    Ok(Outcome::Done)
}

/// Which images go where; each once.
fn orders(
    args: &Args,
    found: &[kubectl_skills::manifest::skill_images::SkillImage],
) -> std::result::Result<Vec<Order>, Failure> {
    let registry = args.to_registry.as_deref().map(prefix).transpose()?;
    let layout = args.to_layout.as_deref().map(|path| path.strip_prefix("oci:").unwrap_or(path));
    if let Some((path, Some(_))) = layout.map(skill_files::layout) {
        return Err(Failure::Usage(format!(
            "--to-layout {}: images go in under their own names: write {path}",
            layout.unwrap_or_default()
        )));
    }
    let (mut orders, mut taken): (Vec<Order>, BTreeMap<String, String>) = (Vec::new(), BTreeMap::new());
    for one in found {
        if let Some(order) = orders.iter_mut().find(|order| order.image == one.image) {
            order.named_by.push(one.object.clone());
            continue;
        }
        let wrong = |why: String| {
            Failure::input(format!("{}: {}: {why}", one.object, one.field), "correct the reference")
        };
        let reference = Reference::parse(&one.image).map_err(wrong)?;
        let (destination, renamed) = match (&registry, layout) {
            (Some((host, prefix)), _) => {
                let mut to = reference.clone();
                host.clone_into(&mut to.registry);
                to.repository = format!("{prefix}{}", reference.repository);
                // As it is written: a tag that was left out stays so.
                let whole = to.to_string();
                let renamed = if reference.tag.is_none() && reference.digest.is_none() {
                    to.name()
                } else {
                    whole.clone()
                };
                if let Some(other) = taken.insert(whole.clone(), one.image.clone())
                    && !Reference::parse(&other).is_ok_and(|other| same(&other, &reference))
                {
                    let help = "copy one of the registries to another path";
                    return Err(Failure::input(
                        format!("{other} and {} would both become {whole}", one.image),
                        help,
                    ));
                }
                (Place::Registry(to), Some(renamed))
            }
            (None, Some(path)) => {
                (Place::Layout(path.into(), usual_name(&Place::Registry(reference.clone()))), None)
            }
            (None, None) => {
                return Err(Failure::Usage(
                    "say where to: --to-registry HOST/PATH or --to-layout DIR|TAR".into(),
                ));
            }
        };
        let named_by = vec![one.object.clone()];
        orders.push(Order { image: one.image.clone(), reference, destination, renamed, named_by });
    }
    Ok(orders)
}

/// Whether two references name one image: a tag that is left out is `latest`.
fn same(one: &Reference, other: &Reference) -> bool {
    let parts = |of: &Reference| (of.name(), of.tag_or_latest().map(str::to_owned), of.digest.clone());
    parts(one) == parts(other)
}

/// Host and path of `--to-registry`, the path with its slash.
fn prefix(text: &str) -> std::result::Result<(String, String), Failure> {
    let (host, path) = text.trim_end_matches('/').split_once('/').unwrap_or((text.trim_end_matches('/'), ""));
    let path = if path.is_empty() { String::new() } else { format!("{path}/") };
    // Docker's grammar takes a first part without dot, colon or upper case for a folder of Docker Hub.
    match Reference::parse(&format!("{host}/{path}x")) {
        Ok(reference) if reference.registry == host => Ok((host.to_owned(), path)),
        _ => Err(Failure::Usage(format!(
            "--to-registry {text}: write HOST[:PORT][/PATH], the path in lower case"
        ))),
    }
}

/// The layout of `--from-layout`.
fn layout(stores: &Stores, args: &Args) -> Result<Option<Source>> {
    let path = args.from_layout.as_deref();
    let place = path.map(|path| Place::Layout(path.strip_prefix("oci:").unwrap_or(path).into(), None));
    place.as_ref().map(|place| stores.source(place)).transpose()
}

/// In a layout an image is found by its digest, or under the name that --to-layout gave it.
fn in_layout(reference: &Reference) -> Place {
    let name = match &reference.digest {
        Some(digest) => Some(digest.to_string()),
        None => usual_name(&Place::Registry(reference.clone())),
    };
    Place::Layout(Default::default(), name)
}

/// Whether the layout has them all; its files are here, so a dry run can look.
async fn are_there(args: &Args, orders: &[Order]) -> Result<()> {
    let stores = Stores::new(&args.transfer.registry, "copy")?;
    let Some(from) = layout(&stores, args)? else { return Ok(()) };
    for order in orders {
        from.resolve(&in_layout(&order.reference)).await?;
    }
    Ok(())
}

async fn all(stores: &Stores, args: &Args, orders: &[Order], progress: &Progress) -> Result<Vec<Moved>> {
    let from = layout(stores, args)?;
    let to = match (&args.to_layout, orders.first()) {
        (Some(_), Some(first)) => Some(stores.sink(&first.destination)?),
        _ => None,
    };
    let mut moved: Vec<Moved> = Vec::new();
    for order in orders {
        let place = Place::Registry(order.reference.clone());
        let source = match &from {
            Some(layout) => layout.clone(),
            None => stores.source(&place)?,
        };
        let wanted = if from.is_some() { in_layout(&order.reference) } else { place.clone() };
        let root = source.resolve(&wanted).await?;
        let (sink, name) = match &to {
            Some(sink) => (sink.clone(), usual_name(&place)),
            None => (stores.sink(&order.destination)?, order.reference.tag_or_latest().map(str::to_owned)),
        };
        let copied =
            copy(&source, &sink, &root, name.as_deref(), !args.transfer.no_referrers, progress).await?;
        notes::object(&format!(
            "{} is in {}, named by {}",
            order.image,
            order.destination,
            counted(order.named_by.len(), "object")
        ));
        moved.push(Moved { source: place, destination: order.destination.clone(), root, copied });
    }
    if let Some(sink) = to {
        sink.finish()?;
    }
    Ok(moved)
}
