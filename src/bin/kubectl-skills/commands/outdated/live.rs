//! `outdated` on a cluster: the skills that AgentRuntimes and SkillBindings want, resolved by their registries, against the
//! images that pods run.
//!
//! A node says which image it mounted only from Kubernetes 1.36 on, and only where its runtime does. Without that, a pod that is
//! older than the image is stale; of others it is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use kubectl_skills::api::names::SKILL_VOLUME_PREFIX;
use kubectl_skills::api::object::Object;
use kubectl_skills::api::pod_owner::{has_ended, owners};
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::oci::{Descriptor, Digest, Document, parse};
use kubectl_skills::skill::versions::Level;
use serde_json::{Value, json};

use super::super::image_versions::{Answer, How, Newer, Question, ask, at_once};
use super::{Args, summed_up};
use crate::args::{PlanningArgs, Report};
use crate::cluster::connect::Caller;
use crate::cluster::run::ClusterRun;
use crate::exit::{Failure, Outcome, RemoteError, Run};
use crate::net::block_on;
use crate::progress::Progress;
use crate::registry::error::{Kind, RegistryError, Result};
use crate::registry::interrupt::unless_interrupted;
use crate::registry::place::Place;
use crate::registry::reference::Reference;
use crate::registry::store::{Source, Stores};
use crate::table::Table;
use crate::{notes, sink};

/// The annotation with the moment at which an image was made.
const CREATED: &str = "org.opencontainers.image.created";
/// Manifests of an index that are looked at for the digest of their configuration.
const PLATFORMS: usize = 16;

/// A skill of a workload, or of a pod that nobody has made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    namespace: String,
    /// `Deployment/weather`.
    owner: String,
    skill: String,
}

/// A pod that has the skill.
#[derive(Debug, Clone)]
struct Pod {
    name: String,
    /// The reference in the pod.
    image: String,
    /// What its node says that it mounted.
    running: Option<String>,
    created: Option<Timestamp>,
}

/// A skill with the pods that have it.
#[derive(Debug, Default)]
struct Row {
    /// The reference that new pods get.
    image: String,
    pods: Vec<Pod>,
}

/// What a reference names now.
#[derive(Debug, Clone)]
struct Named {
    digest: Digest,
    /// By which a node may name it: of the index, of its manifests and of their configurations.
    digests: BTreeSet<String>,
    created: Option<Timestamp>,
}

/// What a pod runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Current,
    Stale,
    Unknown,
}

type Rows = BTreeMap<Key, Row>;

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if args.diff {
        return Err(Failure::Usage(
            "--diff compares images of manifests or of a lock: give -f or --lock-file".into(),
        ));
    }
    let planning = PlanningArgs { kinds: args.kinds.clone(), ..PlanningArgs::default() };
    let planning = PlanningArgs { profile: "auto".into(), ..planning }.resolve()?;
    let (rows, found) = block_on(async {
        let caller = Caller::or_files("outdated");
        let run =
            ClusterRun::open(caller, &args.live, args.namespace.as_deref(), &planning, false, true).await?;
        if let Some(missing) = run.snapshot.missing(&run.scope) {
            return Err(missing.into());
        }
        if let Some(why) = &run.snapshot.without_pods {
            notes::warning(&format!("what pods run is not known: {}", why.message));
        }
        let rows = rows(&run);
        let stores = Arc::new(Stores::new(&args.registry, "outdated")?);
        let images: Vec<String> =
            rows.values().map(|row| row.image.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        let work = async { Ok(look(args, &stores, images).await) };
        let progress = Progress::start("asking registries");
        let found = unless_interrupted(work).await?;
        drop(progress);
        Ok((rows, found))
    })?;
    said(args, &rows, &found)
}

/// What pods have and should have.
fn rows(run: &ClusterRun) -> Rows {
    let wanted = wanted(run);
    let mut rows = Rows::new();
    for (key, image) in &wanted {
        rows.entry(key.clone()).or_default().image.clone_from(image);
    }
    for pod in run.snapshot.pods.iter().flatten() {
        if has_ended(pod) || Object(pod).is_being_deleted() {
            continue;
        }
        let (namespace, name) = Object(pod).key();
        let candidates: Vec<String> =
            owners(pod).iter().map(|owner| format!("{}/{}", owner.kind, owner.name)).collect();
        let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
        for volume in volumes.into_iter().flatten() {
            let volume_name = Object(volume).str("/name");
            let image = Object(volume).str("/image/reference");
            let Some(skill) = volume_name.strip_prefix(SKILL_VOLUME_PREFIX).filter(|_| !image.is_empty())
            else {
                continue;
            };
            let key = |owner: &str| Key {
                namespace: namespace.clone(),
                owner: owner.to_owned(),
                skill: skill.to_owned(),
            };
            let known = candidates.iter().map(|owner| key(owner)).find(|key| wanted.contains_key(key));
            let own = format!("Pod/{name}");
            let at = known.unwrap_or_else(|| key(candidates.last().unwrap_or(&own)));
            let row = rows.entry(at).or_default();
            if row.image.is_empty() {
                image.clone_into(&mut row.image);
            }
            row.pods.push(Pod {
                name: name.clone(),
                image: image.to_owned(),
                running: running(pod, volume_name),
                created: Object(pod).str("/metadata/creationTimestamp").parse().ok(),
            });
        }
    }
    rows
}

/// The reference of each skill that new pods of a workload get.
fn wanted(run: &ClusterRun) -> BTreeMap<Key, String> {
    let mut out = BTreeMap::new();
    for live in run.plan() {
        let Some(workload) = live.workload else { continue };
        let (namespace, name) = Object(workload).key();
        let owner = format!("{}/{name}", Object(workload).kind());
        let added = live.plan.iter().flat_map(|plan| &plan.added).filter_map(|name| {
            run.snapshot
                .bindings
                .iter()
                .find(|binding| Object(binding).key() == (namespace.clone(), name.clone()))
        });
        let lists = std::iter::once(live.runtime).chain(added);
        let skills = lists.filter_map(|object| object.pointer("/spec/skills")?.as_array()).flatten();
        for skill in skills {
            let (skill, image) =
                (Object(skill).str("/name").to_owned(), Object(skill).str("/image").to_owned());
            let key = Key { namespace: namespace.clone(), owner: owner.clone(), skill };
            out.entry(key).or_insert(image);
        }
    }
    out.retain(|_, image| !image.is_empty());
    out
}

/// What the node of a pod says that it mounted as a volume.
fn running(pod: &Value, volume: &str) -> Option<String> {
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    let mounts = statuses.into_iter().flatten().filter_map(|status| status.get("volumeMounts")?.as_array());
    let mount = mounts.flatten().find(|mount| {
        Object(mount).str("/name") == volume && mount.pointer("/volumeStatus/image/imageRef").is_some()
    })?;
    Some(Object(mount).str("/volumeStatus/image/imageRef").to_owned()).filter(|image| !image.is_empty())
}

/// What registries say of a reference.
type Looked = (Result<Named>, Result<Answer>);

async fn look(args: &Args, stores: &Arc<Stores>, images: Vec<String>) -> BTreeMap<String, Looked> {
    let how = How {
        pre: args.pre,
        platform: args.platform.clone(),
        content: args.content.then(|| args.limits.limits()),
        level: Level::Minor,
    };
    let mut out = BTreeMap::new();
    let mut references = Vec::new();
    for image in images {
        match Reference::parse(&image) {
            Ok(reference) => references.push((image, reference)),
            Err(why) => {
                let error = RegistryError::new(Kind::Refused, why).help("correct the reference");
                out.insert(image, (Err(error.clone()), Err(error)));
            }
        }
    }
    let questions = references.iter().map(|(_, reference)| Question {
        reference: reference.clone(),
        digest: None,
        content: None,
        version: None,
        wanted: None,
    });
    let answers = ask(stores, questions.collect(), &how).await;
    let named = at_once(references.clone(), |(_, reference)| {
        let stores = Arc::clone(stores);
        async move { named(&stores, &reference).await }
    });
    let named = named.await;
    out.extend(references.into_iter().map(|(image, _)| image).zip(named.into_iter().zip(answers)));
    out
}

async fn named(stores: &Stores, reference: &Reference) -> Result<Named> {
    let place = Place::Registry(reference.clone());
    let source = stores.source(&place)?;
    let root = source.resolve(&place).await?;
    let mut digests = BTreeSet::from([root.digest.to_string()]);
    let mut created = None;
    match read(&source, &root).await? {
        Document::Image(manifest) => {
            created = manifest.annotations.get(CREATED).cloned();
            digests.insert(manifest.config.digest.to_string());
        }
        Document::Index(index) => {
            created = index.annotations.get(CREATED).cloned().or(created);
            for one in index.manifests.iter().take(PLATFORMS) {
                digests.insert(one.digest.to_string());
                if let Document::Image(manifest) = read(&source, one).await? {
                    digests.insert(manifest.config.digest.to_string());
                    created = created.or_else(|| manifest.annotations.get(CREATED).cloned());
                }
            }
        }
    }
    let created = created.and_then(|text| text.parse().ok());
    Ok(Named { digest: root.digest, digests, created })
}

async fn read(source: &Source, descriptor: &Descriptor) -> Result<Document> {
    let bytes = source.manifest(descriptor).await?;
    parse(&bytes, Some(&descriptor.media_type))
        .map_err(|why| RegistryError::new(Kind::Refused, format!("manifest {}: {why}", descriptor.digest)))
}

/// What a pod runs, against what its reference should be and names now.
fn state(pod: &Pod, image: &str, named: &Named) -> State {
    let digest = |text: &str| text.rsplit_once("sha256:").map(|(_, hex)| format!("sha256:{hex}"));
    if pod.image != image && digest(&pod.image).is_none_or(|pinned| !named.digests.contains(&pinned)) {
        return State::Stale;
    }
    // A reference with a digest names one image for ever; else the node knows.
    if let Some(running) = digest(&pod.image).or_else(|| digest(pod.running.as_deref()?)) {
        return if named.digests.contains(&running) { State::Current } else { State::Stale };
    }
    match (pod.created, named.created) {
        (Some(pod), Some(image)) if pod < image => State::Stale,
        _ => State::Unknown,
    }
}

fn states<'r>(row: &'r Row, named: &Named) -> Vec<(&'r Pod, State)> {
    row.pods.iter().map(|pod| (pod, state(pod, &row.image, named))).collect()
}

fn said(args: &Args, rows: &Rows, found: &BTreeMap<String, Looked>) -> Run {
    let mut table =
        Table::new(&["NAMESPACE", "WORKLOAD", "SKILL", "IMAGE", "CURRENT", "STALE", "UNKNOWN", "NEWEST"]);
    let (mut items, mut outdated, mut unknown, mut errors) = (Vec::new(), 0, 0, BTreeMap::new());
    for (key, row) in rows {
        let Some((named, answer)) = found.get(&row.image) else { continue };
        let pods = named.as_ref().map(|named| states(row, named)).unwrap_or_default();
        let count = |wanted: State| pods.iter().filter(|(_, state)| *state == wanted).count();
        let newest = answer.as_ref().ok().and_then(|answer| answer.newest.as_ref());
        for error in [named.as_ref().err(), answer.as_ref().err()].into_iter().flatten() {
            errors.entry(row.image.clone()).or_insert_with(|| error.clone());
        }
        unknown += usize::from(named.is_err() || answer.is_err());
        outdated += usize::from(count(State::Stale) > 0 || newest.is_some_and(Newer::is_another));
        let cells = if named.is_ok() {
            [State::Current, State::Stale, State::Unknown].map(|state| count(state).to_string())
        } else {
            ["-".to_owned(), "-".to_owned(), row.pods.len().to_string()]
        };
        let shown = match (answer, newest) {
            (Err(_), _) => "failed".to_owned(),
            (_, Some(newest)) => format!("{} ({})", newest.tag, newest.verdict()),
            _ => "-".to_owned(),
        };
        let Key { namespace, owner, skill } = key;
        let fixed = [namespace.clone(), owner.clone(), skill.clone(), row.image.clone()];
        table.row(fixed.into_iter().chain(cells).chain([shown]));
        let names = |wanted: State| -> Vec<&str> {
            pods.iter().filter(|(_, state)| *state == wanted).map(|(pod, _)| pod.name.as_str()).collect()
        };
        items.push(json!({
            "namespace": namespace, "workload": owner, "skill": skill, "image": row.image,
            "digest": named.as_ref().ok().map(|named| named.digest.as_str()),
            "pods": {"current": names(State::Current), "stale": names(State::Stale), "unknown": names(State::Unknown)},
            "newest": newest.map(Newer::value),
            "error": named.as_ref().err().or(answer.as_ref().err()).map(RegistryError::one_line),
        }));
        let stale = names(State::Stale);
        if !stale.is_empty() {
            notes::object(&format!("{namespace}/{owner}: {skill} is stale in {}", stale.join(", ")));
        }
    }
    match args.output {
        None | Some(Report::Text) => sink::table(&table)?,
        Some(format) => sink::object(
            format,
            &json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "OutdatedList", "workloads": items}),
        )?,
    }
    notes::summary(&summed_up(&counted(rows.len(), "skill"), outdated, unknown));
    if !errors.is_empty() {
        let error = |(image, error): (String, RegistryError)| RemoteError {
            message: format!("{image}: {}", error.message),
            help: error.help,
        };
        return Err(Failure::Remote(errors.into_iter().map(error).collect()));
    }
    Ok(if args.exit_code && outdated > 0 { Outcome::Found } else { Outcome::Done })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
    const NEW: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
    const CONFIG: &str = "sha256:3333333333333333333333333333333333333333333333333333333333333333";

    /// A pod that runs the image of last week under a tag that moved must not pass for one that runs the new one; nor must a
    /// node that says nothing make all pods stale.
    #[test]
    fn a_pod_is_stale_by_what_it_runs() {
        let named = Named {
            digest: Digest::parse(NEW).expect("a digest"),
            digests: BTreeSet::from([NEW.to_owned(), CONFIG.to_owned()]),
            created: "2026-11-20T00:00:00Z".parse().ok(),
        };
        let image = "quay.io/acme/pdf:1";
        for (in_pod, running, created, wanted) in [
            (image, Some(format!("quay.io/acme/pdf@{NEW}")), "2026-11-01T00:00:00Z", State::Current),
            (image, Some(CONFIG.to_owned()), "2026-11-01T00:00:00Z", State::Current),
            (image, Some(format!("quay.io/acme/pdf@{OLD}")), "2026-11-25T00:00:00Z", State::Stale),
            (image, None, "2026-11-01T00:00:00Z", State::Stale),
            (image, None, "2026-11-25T00:00:00Z", State::Unknown),
            (image, None, "", State::Unknown),
            (
                "quay.io/acme/pdf:0",
                Some(format!("quay.io/acme/pdf@{NEW}")),
                "2026-11-25T00:00:00Z",
                State::Stale,
            ),
            (&format!("{image}@{NEW}"), None, "2026-11-01T00:00:00Z", State::Current),
            (&format!("{image}@{OLD}"), None, "2026-11-25T00:00:00Z", State::Stale),
        ] {
            let pod = Pod {
                name: "a".into(),
                image: in_pod.to_owned(),
                running: running.clone(),
                created: created.parse().ok(),
            };
            assert_eq!(state(&pod, image, &named), wanted, "{in_pod} {running:?} {created}");
        }
    }
}
