//! Never two writers: every version that a replica made lies within the tenure of its process, as the versions of the
//! Lease around it show. Versions are in one order for the whole cluster, so no clock is asked.

use std::time::Duration;

use serde_json::Value;

use crate::history::{History, Kind, Version};
use crate::replica::LEASE;

/// What was looked at.
#[derive(Debug, Default)]
pub struct Report {
    /// Writes of replicas, by what was written.
    pub workloads: usize,
    pub runtimes: usize,
    /// Of those, the finalizers taken off.
    pub ended: usize,
    pub events: usize,
    pub leases: usize,
    /// How often another process held the lease.
    pub tenures: usize,
    /// Versions whose author the server did not live to tell.
    pub unknown: usize,
    /// What is wrong.
    pub wrong: Vec<String>,
}

pub fn check(history: &History, replicas: &[&str]) -> Report {
    let mut report = Report::default();
    // Who holds the lease, and when the server took the last renewal in.
    let mut holder = String::new();
    let mut last = String::new();
    let mut renewed = None;
    for version in &history.versions {
        let author = history.author(version);
        if version.name.0 == Kind::Lease && version.name.2 == "kubectl-skills" {
            holder = holder_of(version);
            renewed = author.map(|author| author.received);
            report.leases += 1;
            if !holder.is_empty() && holder != last {
                report.tenures += 1;
                last.clone_from(&holder);
            }
            continue;
        }
        let Some(author) = author else {
            report.unknown +=
                usize::from(!matches!(version.name.0, Kind::Event | Kind::Lease) && version.object.is_some());
            continue;
        };
        if !replicas.contains(&author.user.as_str()) {
            continue;
        }
        match version.name.0 {
            Kind::Workload(_) => report.workloads += 1,
            Kind::Runtime => {
                report.runtimes += 1;
                report.ended += usize::from(version.object.is_none());
            }
            Kind::Event => report.events += 1,
            Kind::ConfigMap | Kind::Lease => {
                report.wrong.push(format!("{author:?} wrote {:?}", version.name))
            }
        }
        let reported = || format!("revision {}: {} wrote {:?}", version.revision, author.agent, version.name);
        if holder != author.agent {
            report.wrong.push(format!("{} while {holder:?} held the lease", reported()));
        }
        if let Some(renewed) = renewed {
            let late = Duration::try_from(author.received.duration_since(renewed)).unwrap_or_default();
            if late > LEASE {
                report.wrong.push(format!("{} {late:?} after the lease was renewed", reported()));
            }
        }
    }
    report
}

/// The process that holds a Lease: its host name, which no two processes share here.
fn holder_of(version: &Version) -> String {
    let holder = version.object.as_ref().and_then(|object| object.pointer("/spec/holderIdentity"));
    let holder = holder.and_then(Value::as_str).unwrap_or_default();
    holder.split('_').next().unwrap_or_default().to_owned()
}

#[test]
fn whoever_writes_without_the_lease_is_found() {
    use crate::history::Author;
    use serde_json::json;
    let at = |second: i64, agent: &str| Author {
        user: "writer".to_owned(),
        agent: agent.to_owned(),
        received: jiff::Timestamp::from_second(second).expect("a time"),
    };
    let name = |kind| (kind, "team0".to_owned(), "agent-0".to_owned());
    let lease = |second, agent: &str| {
        let object = json!({"spec": {"holderIdentity": format!("{agent}_17_5")}});
        let name = (Kind::Lease, "kagenti-system".to_owned(), "kubectl-skills".to_owned());
        (name, Some(object), at(second, agent))
    };
    let workload = |second, agent| (name(Kind::Workload("Deployment")), Some(json!({})), at(second, agent));
    let gone = |second, agent| (name(Kind::Runtime), None, at(second, agent));
    let wrong = |story| check(&History::reported(story), &["writer"]).wrong.len();
    assert_eq!(wrong(vec![lease(0, "a-1"), workload(1, "a-1"), gone(3, "a-1")]), 0);
    assert_eq!(wrong(vec![lease(0, "a-1"), workload(9, "a-1")]), 1, "too late");
    assert_eq!(
        wrong(vec![lease(0, "a-1"), lease(4, "b-1"), workload(4, "a-1"), gone(4, "a-1")]),
        2,
        "another leads"
    );
    assert_eq!(wrong(vec![lease(0, "a-1"), workload(1, "a-2")]), 1, "the process before it led");
    assert_eq!(wrong(vec![workload(1, "a-1")]), 1, "nobody leads");
}
