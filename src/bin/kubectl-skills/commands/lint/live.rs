//! `lint --live`: the objects of a cluster as if they were manifests, and what `doctor` asks of the cluster. Nothing is written,
//! and Secrets are never read.

use kubectl_skills::lint::Finding;
use kubectl_skills::manifest::stream::Source;
use serde_json::json;

use super::Args;
use crate::cluster::connect::{Caller, connect};
use crate::cluster::discovery::dialect;
use crate::cluster::doctor::{Cluster, Row, examine};
use crate::cluster::error::ClusterError;
use crate::cluster::every_object;
use crate::exit::Failure;
use crate::net::block_on;
use crate::notes;
use crate::planning::Planning;
use crate::source::Inputs;

/// The manifests, or without any the objects of the cluster; and what is found of the cluster itself. Objects of a cluster are
/// planned by the dialect that it serves.
pub fn inputs(args: &Args, planning: &mut Planning) -> Result<(Inputs, Vec<Finding>), Failure> {
    let given = args.input.given().then(|| args.input.read_alongside_kustomize()).transpose()?;
    block_on(async {
        let connection = connect(&args.cluster, Caller::or_files("lint"), notes::lists_requests()).await?;
        let namespace = args.namespace.as_deref().unwrap_or(&connection.namespace);
        let cluster = Cluster {
            requests: &connection.requests,
            namespace,
            chosen: planning.profile,
            operator_namespace: None,
            dialect: Some(dialect(&connection.requests, planning.profile).await),
        };
        let mut rows = Vec::new();
        let examined = examine(&cluster, |section| {
            rows.extend(section.rows);
            Ok::<(), ClusterError>(())
        });
        let scope = (!args.all_namespaces).then_some(namespace);
        let objects = match (&given, &cluster.dialect) {
            (None, Some(known)) => {
                let objects = every_object::read(&connection.requests, scope, known.clone());
                let ((), objects) = tokio::try_join!(examined, objects)?;
                Some(objects)
            }
            _ => {
                examined.await?;
                None
            }
        };
        let inputs = match (given, objects) {
            (Some(inputs), _) => inputs,
            (None, None) => Inputs::default(),
            (None, Some(found)) => {
                planning.profile = planning.profile.or(found.profile);
                for kind in &found.unread {
                    notes::warning(kind);
                }
                let list = json!({"apiVersion": "v1", "kind": "List", "items": found.objects});
                Inputs {
                    sources: vec![Source { name: String::new(), text: list.to_string() }],
                    paths: vec![None],
                    ..Inputs::default()
                }
            }
        };
        Ok((inputs, rows.iter().filter_map(finding).collect()))
    })
}

fn finding(row: &Row) -> Option<Finding> {
    let level = row.state.level()?;
    Some(Finding::of_cluster(level, format!("{}: {}", row.check, row.found), row.mend.clone()))
}
