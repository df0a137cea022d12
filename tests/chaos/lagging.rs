//! A watch of ConfigMaps that lags behind the others, as one lost packet on its connection makes it.

use std::time::{Duration, Instant};

use kubectl_skills::api::profile::Profile;

use crate::api::{Place, User};
use crate::fields::hash_of;
use crate::history::History;
use crate::inputs::Action;
use crate::replica::Replica;
use crate::{cluster, defaults, hashes, inputs};

/// Of two ConfigMaps that changed one after the other the second is seen first: a hash of the new one and the old other
/// would roll every pod of the namespace for a configuration that never was.
#[test]
fn a_watch_that_lags_makes_no_configuration_that_never_was() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let audit = dir.path().join("audit.log");
    let server = cluster::start(&audit);
    let profile = Profile::by_name("pr332-merged").expect("a profile");
    cluster::prepare(&server, profile, &["writer"]);
    let place = Place::of(&server);
    let replica = Replica::new("a", "writer", &server, &place, dir.path());
    replica.start(&server);
    let mut user = User::new(&place, server.token());
    let agent = &inputs::agents()[0];
    for action in [Action::Workload(0), Action::Runtime(0)] {
        agent.act(action, 1, &mut user);
    }
    let until_stamped = |user: &mut User, before: &str| {
        let started = Instant::now();
        loop {
            let hash =
                user.get(&agent.workload_path()).map(|workload| hash_of(&workload)).unwrap_or_default();
            if hash != before {
                return hash;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "no other hash comes");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let mut hash = until_stamped(&mut user, "");
    for round in 1..3 {
        replica.proxy.hold_watches_of("authbridge", Duration::from_secs(3));
        for map in [defaults::authbridge("team0", round), defaults::defaults("team0", "defaults", round)] {
            defaults::Change::Put(vec![map]).make(&mut user);
        }
        until_stamped(&mut user, &hash);
        std::thread::sleep(Duration::from_secs(4));
        hash = hash_of(&user.get(&agent.workload_path()).expect("a workload"));
    }
    assert_eq!(replica.end(), Some(0));
    let report = hashes::check(&History::read(&server, &audit), profile);
    assert_eq!(report.wrong, [""; 0]);
    // The first, and one for each round: nobody was rolled twice for one change.
    assert_eq!((report.written, report.distinct), (3, 3));
}
