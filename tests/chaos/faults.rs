//! The plan of faults: a seed in, what breaks when out; and its execution. The plan hangs on the seed alone. What it meets
//! hangs on the machine, and the verdict on neither.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::proxy::Storm;
use crate::replica::Replica;
use crate::seed::Seed;
use crate::server::Server;

pub const KILLS: u32 = 50;
pub const RESTARTS: u32 = 10;

#[derive(Debug, Clone)]
pub enum Fault {
    /// A replica is killed and started again after a while.
    Kill(usize, Duration),
    /// The API server ends, asked or killed, and starts again.
    Restart {
        killed: bool,
    },
    /// etcd stands still.
    Pause(Duration),
    /// A replica and the API server are parted.
    Part(usize, Duration),
    /// A replica stands still, for longer than its lease.
    Freeze(usize, Duration),
    CutWatches(usize, u64),
    CutAll(usize),
    /// Some watches of a replica lag behind the others.
    Hold(usize, u64, Duration),
    /// Both replicas: what, how many of a hundred requests, how long.
    Storm(Storm, u64, Duration),
}

#[derive(Debug, Clone)]
pub struct Due {
    pub at: Duration,
    pub fault: Fault,
    /// For chance during the fault.
    seed: u64,
}

/// What breaks, in tracks that go on at the same time, each in order.
pub fn plan(seed: u64, length: Duration) -> Vec<Vec<Due>> {
    let millis = Duration::from_millis;
    let track = |name: &str, number: u32, fault: &mut dyn FnMut(&mut Seed, u32) -> Fault| -> Vec<Due> {
        let mut seed = Seed::new(seed, name);
        let step = length / number.max(1);
        (0..number)
            .map(|index| {
                let at = step * index + seed.between(Duration::ZERO, step / 2);
                let fault = fault(&mut seed, index);
                Due { at, fault, seed: seed.next() }
            })
            .collect()
    };
    let which = |number: u64| usize::from(number == 1);
    vec![
        track("kills", KILLS, &mut |seed, _| {
            Fault::Kill(which(seed.below(2)), seed.between(millis(50), millis(1500)))
        }),
        track("server", RESTARTS * 2, &mut |seed, index| match index % 2 {
            0 => Fault::Restart { killed: index % 6 == 2 },
            _ => Fault::Pause(seed.between(millis(500), millis(5000))),
        }),
        track("parted", 8, &mut |seed, index| {
            Fault::Part(which(u64::from(index) % 2), seed.between(millis(2000), millis(7000)))
        }),
        track("frozen", 12, &mut |seed, index| {
            Fault::Freeze(which(u64::from(index) % 2), seed.between(millis(5000), millis(8000)))
        }),
        track("watches", 40, &mut |seed, index| {
            let replica = which(seed.below(2));
            match index % 4 {
                0 => Fault::CutAll(replica),
                1 | 2 => Fault::CutWatches(replica, 30 + seed.below(70)),
                _ => Fault::Hold(replica, 40, seed.between(millis(1000), millis(4000))),
            }
        }),
        track("storms", 16, &mut |seed, index| {
            let kinds = [Storm::Conflict, Storm::TooMany, Storm::LostAnswer, Storm::Unavailable];
            let kind = kinds[usize::try_from(index % 4).expect("a small number")];
            let percent = 20 + seed.below(60);
            Fault::Storm(kind, percent, seed.between(millis(1500), millis(4000)))
        }),
    ]
}

/// Carries a track out. Returns how often each fault was done.
pub fn carry_out(
    track: &[Due],
    started: Instant,
    server: &Server,
    replicas: &[Replica],
) -> BTreeMap<&'static str, usize> {
    let mut done = BTreeMap::new();
    for due in track {
        std::thread::sleep((started + due.at).saturating_duration_since(Instant::now()));
        *done.entry(one(due, server, replicas)).or_default() += 1;
    }
    done
}

fn one(due: &Due, server: &Server, replicas: &[Replica]) -> &'static str {
    let seed = Seed::new(due.seed, "victims");
    match &due.fault {
        Fault::Kill(which, down) => {
            replicas[*which].kill();
            std::thread::sleep(*down);
            replicas[*which].start(server);
            "controller killed"
        }
        Fault::Restart { killed } => {
            server.restart_api_server(if *killed { "KILL" } else { "TERM" });
            if *killed { "API server killed" } else { "API server restarted" }
        }
        Fault::Pause(length) => {
            let etcd = server.process("etcd");
            signal("STOP", &etcd);
            std::thread::sleep(*length);
            signal("CONT", &etcd);
            "etcd paused"
        }
        Fault::Part(which, length) => {
            replicas[*which].proxy.part(true);
            std::thread::sleep(*length);
            replicas[*which].proxy.part(false);
            "replica parted from the API server"
        }
        Fault::Freeze(which, length) => {
            replicas[*which].stand_still(*length);
            "controller stopped and continued"
        }
        Fault::CutWatches(which, percent) => {
            replicas[*which].proxy.cut_watches(*percent, &seed);
            "watches cut"
        }
        Fault::CutAll(which) => {
            replicas[*which].proxy.cut_all();
            "all connections cut"
        }
        Fault::Hold(which, percent, length) => {
            replicas[*which].proxy.hold_watches(*percent, &seed, *length);
            "watches held up"
        }
        Fault::Storm(kind, percent, length) => {
            for replica in replicas {
                replica.proxy.storm(Some((*kind, *percent, Seed::new(due.seed, replica.name))));
            }
            std::thread::sleep(*length);
            for replica in replicas {
                replica.proxy.storm(None);
            }
            match kind {
                Storm::TooMany => "storm of 429",
                Storm::Conflict => "storm of 409",
                Storm::Unavailable => "storm of 503",
                Storm::LostAnswer => "answers lost",
            }
        }
    }
}

fn signal(name: &str, id: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), id]).status().expect("kill");
    assert!(sent.success(), "kill -{name} {id}");
}

#[test]
fn a_plan_repeats_itself_and_is_whole() {
    let of = |seed| format!("{:?}", plan(seed, Duration::from_secs(170)));
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
    let all = plan(7, Duration::from_secs(170));
    let count = |is: fn(&Fault) -> bool| all.iter().flatten().filter(|due| is(&due.fault)).count();
    assert_eq!(count(|fault| matches!(fault, Fault::Kill(..))), 50);
    assert_eq!(count(|fault| matches!(fault, Fault::Restart { .. })), 10);
    assert_eq!(count(|fault| matches!(fault, Fault::Freeze(..))), 12);
    assert!(all.iter().all(|track| track.is_sorted_by_key(|due| due.at)));
}
