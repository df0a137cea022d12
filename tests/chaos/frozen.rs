//! A leader that stands still for longer than its lease, again and again in the middle of its writes, as a process on a
//! node without memory does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kubectl_skills::api::profile::Profile;

use crate::api::{Place, User};
use crate::history::History;
use crate::inputs::{Action, SYSTEM};
use crate::replica::{LEASE, Replica};
use crate::{USERS, cluster, fencing, hashes, inputs};

const TIMES: usize = 5;
const CHANGED: usize = 40;

/// It wakes up with requests that it was about to send, and knows nothing of the leader that came after it.
#[test]
fn a_leader_that_stands_still_writes_nothing_after_another_came() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let audit = dir.path().join("audit.log");
    let server = cluster::start(&audit);
    let profile = Profile::by_name("pr332-merged").expect("a profile");
    cluster::prepare(&server, profile, &USERS);
    let place = Place::of(&server);
    let replicas = [("a", USERS[0]), ("b", USERS[1])]
        .map(|(name, user)| Replica::new(name, user, &server, &place, dir.path()));
    for replica in &replicas {
        replica.start(&server);
    }
    let agents = &inputs::agents()[..CHANGED];
    let mut user = User::new(&place, server.token());
    for agent in agents {
        agent.act(Action::Workload(0), 1, &mut user);
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut user = User::new(&place, server.token());
            for version in 0.. {
                for agent in agents {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    agent.act(Action::Runtime(version), 1, &mut user);
                }
            }
        });
        let lease = format!("/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/kubectl-skills");
        for _ in 0..TIMES {
            std::thread::sleep(Duration::from_millis(1500));
            let holder = user.get(&lease).map(|lease| lease["spec"]["holderIdentity"].to_string());
            let leads = |replica: &&Replica| {
                holder.as_ref().is_some_and(|holder| holder.starts_with(&format!("\"{}-", replica.name)))
            };
            let leader = replicas.iter().find(leads).expect("a leader");
            leader.stand_still(LEASE + Duration::from_millis(1500));
        }
        over.store(true, Ordering::Relaxed);
    });
    std::thread::sleep(Duration::from_secs(2));
    for replica in &replicas {
        assert_eq!(replica.end(), Some(0));
    }
    let history = History::read(&server, &audit);
    let report = fencing::check(&history, &USERS);
    println!(
        "chaos: a leader stood still {TIMES} times; {} workloads, {} AgentRuntimes, {} events written in {} tenures",
        report.workloads, report.runtimes, report.events, report.tenures
    );
    assert_eq!(report.wrong, [""; 0]);
    assert_eq!(hashes::check(&history, profile).wrong, [""; 0]);
    assert!(report.tenures > TIMES, "the lease did not change hands");
}
