//! The cluster's side of `version`: which Kubernetes, which kinds in which versions, and which images of ours run. A connection
//! in, what it says out.

use kubectl_skills::api::names::{KAGENTI, ROSSOCTL, SKILLS_GROUP};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use serde_json::{Value, json};

use crate::cluster::args::ClusterArgs;
use crate::cluster::connect::{Caller, connect};
use crate::cluster::discovery::dialect;
use crate::cluster::error::{ClusterError, Failure as Cause};
use crate::cluster::paths::{DEPLOYMENTS, of_program};
use crate::cluster::requests::Requests;
use crate::cluster::snapshot::{SERVED, or_without_operator};
use crate::exit::Failure;
use crate::net::block_on;
use crate::notes;
use crate::table::Table;

/// What a cluster runs.
#[derive(Debug, Default)]
pub struct ClusterVersions {
    /// Of Kubernetes.
    server: String,
    /// Groups of ours and the operator's that are served, with their versions.
    groups: Vec<(String, Vec<String>)>,
    /// Whose rules its AgentRuntimes follow.
    profile: Option<&'static str>,
    /// Which profile the verbs over the cluster take, and why; none where they can do nothing.
    pub chosen: Option<(&'static Profile, String)>,
    /// Deployments of ours: namespace, name, images.
    running: Vec<(String, String, Vec<String>)>,
    /// What may not be read.
    unread: Vec<String>,
}

/// Asks the cluster.
pub fn read(args: &ClusterArgs) -> Result<ClusterVersions, Failure> {
    block_on(async {
        let connection = connect(args, Caller::of("version"), notes::lists_requests()).await?;
        Ok(ask(&connection.requests).await?)
    })
}

async fn ask(requests: &Requests) -> Result<ClusterVersions, ClusterError> {
    let (version, groups, running, dialect) = tokio::join!(
        requests.get("/version", "read the version of the server"),
        groups(requests),
        running(requests),
        dialect(requests, None),
    );
    let version = version?.unwrap_or_default();
    let groups = groups?;
    let profile = dialect.as_ref().ok().map(|dialect| dialect.profile.name);
    let serves_bindings = groups.iter().any(|(group, _)| group == SKILLS_GROUP);
    let chosen = match or_without_operator(dialect, serves_bindings.then_some(SERVED)) {
        Ok(dialect) => Some((dialect.profile, dialect.reason)),
        Err(error) if error.failure == Cause::NotFound => None,
        Err(error) => return Err(error),
    };
    let mut out = ClusterVersions {
        server: Object(&version).str("/gitVersion").to_owned(),
        groups,
        profile,
        chosen,
        ..ClusterVersions::default()
    };
    match running {
        Ok(found) => out.running = found,
        Err(error) if error.failure == Cause::Forbidden => out.unread.push(error.message),
        Err(error) => return Err(error),
    }
    Ok(out)
}

/// Which groups are served is open to all, also to who may read no CRD.
async fn groups(requests: &Requests) -> Result<Vec<(String, Vec<String>)>, ClusterError> {
    let mut out = Vec::new();
    for group in [SKILLS_GROUP, KAGENTI.group, ROSSOCTL.group] {
        let what = format!("read the versions of {group}");
        let Some(found) = requests.get(&format!("/apis/{group}"), &what).await? else { continue };
        let versions = found.get("versions").and_then(Value::as_array).into_iter().flatten();
        let versions = versions.filter_map(|one| Some(one.get("version")?.as_str()?.to_owned()));
        out.push((group.to_owned(), versions.collect()));
    }
    Ok(out)
}

async fn running(requests: &Requests) -> Result<Vec<(String, String, Vec<String>)>, ClusterError> {
    let list = requests.list(&DEPLOYMENTS.list(None), &of_program(), "list deployments").await?;
    let read = |item: Value| {
        let (namespace, name) = Object(&item).key();
        let containers = item.pointer("/spec/template/spec/containers").and_then(Value::as_array);
        let images = containers.into_iter().flatten().map(|one| Object(one).str("/image").to_owned());
        (namespace, name, images.collect())
    };
    Ok(list.into_iter().flat_map(|list| list.items).map(read).collect())
}

impl ClusterVersions {
    /// For people.
    pub fn text(&self) -> String {
        let mut table = Table::new(&["IN-CLUSTER", "VERSION"]);
        table.row(["kubernetes".to_owned(), self.server.clone()]);
        for (group, versions) in &self.groups {
            table.row([group.clone(), versions.join(", ")]);
        }
        for (namespace, name, images) in &self.running {
            table.row([format!("deployment {namespace}/{name}"), images.join(", ")]);
        }
        let profile = self.profile.map_or_else(
            || "no AgentRuntime is served".to_owned(),
            |profile| format!("AgentRuntimes follow profile {profile}"),
        );
        let unread: String = self.unread.iter().map(|why| format!("not known: {why}\n")).collect();
        format!("\n{}{profile}\n{unread}", table.fitted())
    }

    /// For machines.
    pub fn value(&self) -> Value {
        let groups =
            self.groups.iter().map(|(group, versions)| json!({"group": group, "versions": versions}));
        let running = self
            .running
            .iter()
            .map(|(namespace, name, images)| json!({"namespace": namespace, "name": name, "images": images}));
        json!({
            "kubernetes": self.server, "groups": groups.collect::<Vec<_>>(), "profile": self.profile,
            "deployments": running.collect::<Vec<_>>(), "unread": self.unread,
        })
    }
}
