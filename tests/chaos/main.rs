//! Two replicas of the controller on a real API server while everything breaks: `make chaos`. A seed makes the plan of what
//! breaks and of what users do meanwhile; the verdict is about everything that was stored from the first to the last
//! revision. It takes minutes and is no part of `make e2e`.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "tests run programs and stop at the first surprise"
)]

mod api;
#[path = "../webhook/certificates.rs"]
mod certificates;
mod cluster;
mod defaults;
mod end;
mod faults;
mod fencing;
mod fields;
mod frozen;
mod hashes;
mod history;
#[path = "../e2e/http.rs"]
#[allow(dead_code, reason = "shared with the other tests against a real API server")]
mod http;
mod injection;
mod inputs;
mod lagging;
#[path = "../e2e/objects.rs"]
#[allow(dead_code, reason = "shared with the other tests against a real API server")]
mod objects;
#[path = "../webhook/program.rs"]
#[allow(dead_code, reason = "shared with the tests of the webhook, which need more of it")]
mod program;
mod proxy;
mod replica;
mod seed;
#[path = "../e2e/server.rs"]
#[allow(dead_code, reason = "shared with the other tests against a real API server")]
mod server;
#[path = "../webhook/tls.rs"]
mod tls;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kubectl_skills::api::profile::Profile;

use crate::api::{Place, User};
use crate::history::History;
use crate::inputs::{Agent, End};
use crate::replica::Replica;
use crate::server::Server;

/// Seed of the plan, unless CHAOS_SEED names another.
const SEED: u64 = 20_260_525;
/// How long things break, unless CHAOS_SECONDS says otherwise.
const SECONDS: u64 = 190;
/// How long it may take after that until all is as planned: the longest wait before a run that failed is made again is a
/// minute.
const SETTLES: Duration = Duration::from_secs(100);
/// How long a watch lags behind when two ConfigMaps change at once.
const LAGS: Duration = Duration::from_secs(2);
/// Users that replicas are to the API server.
const USERS: [&str; 2] = ["writer", "viewer"];
/// Threads of users of the cluster.
const TEAMS: usize = 4;

fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text}: must be a number")),
        Err(_) => otherwise,
    }
}

#[test]
fn whatever_breaks_two_replicas_leave_everything_as_planned() {
    let (seed, length) = (number("CHAOS_SEED", SEED), Duration::from_secs(number("CHAOS_SECONDS", SECONDS)));
    println!("chaos: seed {seed}, {} s", length.as_secs());
    let began = Instant::now();
    let dir =
        tempfile::Builder::new().prefix("kubectl-skills-chaos-").tempdir().expect("a temporary directory");
    let audit = dir.path().join("audit.log");
    let server = cluster::start(&audit);
    let profile = Profile::by_name("pr332-merged").expect("a profile");
    cluster::prepare(&server, profile, &USERS);
    let place = Place::of(&server);
    let replicas = [
        Replica::new("a", USERS[0], &server, &place, dir.path()),
        Replica::new("b", USERS[1], &server, &place, dir.path()),
    ];
    for replica in &replicas {
        replica.start(&server);
    }
    let ready = began.elapsed();

    let agents = inputs::agents();
    let plans: Vec<(Vec<inputs::Due>, End)> =
        (0..agents.len()).map(|agent| inputs::plan(seed, agent, length)).collect();
    let ends: Vec<End> = plans.iter().map(|(_, end)| *end).collect();
    let (done, acts) = break_everything(seed, length, &server, &place, &replicas, &agents, &plans);

    let mut user = User::new(&place, server.token());
    let healed = Instant::now();
    println!("chaos: nothing breaks any more after {} s", began.elapsed().as_secs());
    let settled = loop {
        let left = end::differences(&mut user, &agents, &ends, seed, profile);
        if left.is_empty() {
            break healed.elapsed();
        }
        if healed.elapsed() > SETTLES {
            let kept = dir.keep();
            panic!(
                "{} things are not as planned, logs in {}:\n{}",
                left.len(),
                kept.display(),
                left.join("\n")
            );
        }
        std::thread::sleep(Duration::from_secs(1));
    };
    let said = server.skills(&["diff", "-A", "--config-view", "full", "--profile", "pr332-merged"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{}", said.stderr);
    let at_rest = Instant::now();
    let before = revision(&mut user);
    std::thread::sleep(Duration::from_secs(4));
    for replica in &replicas {
        assert_eq!(replica.end(), Some(0), "replica {} does not end well", replica.name);
    }

    let history = History::read(&server, &audit);
    let fencing = fencing::check(&history, &USERS);
    let hashes = hashes::check(&history, profile);
    let fields = fields::check(&history, &USERS);
    let mut wrong: Vec<String> = [fencing.wrong.clone(), hashes.wrong.clone(), fields.wrong.clone()].concat();
    let late = history.versions.iter().filter(|version| {
        let is_ours = matches!(version.name.0, history::Kind::Runtime | history::Kind::Workload(_));
        version.revision > before && is_ours
    });
    wrong.extend(late.map(|version| format!("at rest: revision {} of {:?}", version.revision, version.name)));
    for replica in &replicas {
        let log = replica.log();
        wrong.extend(log.lines().filter(|line| line.contains("panicked at")).map(str::to_owned));
    }

    println!("chaos: what was done:");
    for (fault, times) in &done {
        println!("  {times:5}  {fault}");
    }
    for replica in &replicas {
        let counts = replica.proxy.counts();
        let of = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        println!(
            "  replica {}: killed {} times; {} requests through, answered in the server's place {} with 409, {} with 429, {} \
             with 503, {} answers lost; {} watches cut, {} held up, {} connections cut",
            replica.name,
            replica.kills(),
            of(&counts.forwarded),
            of(&counts.answered_409),
            of(&counts.answered_429),
            of(&counts.answered_503),
            of(&counts.lost_answers),
            of(&counts.cut_watches),
            of(&counts.held_watches),
            of(&counts.cut_connections),
        );
    }
    println!("  users of {} agents did {acts} things", agents.len());
    println!(
        "chaos: {} versions read. Written by replicas: {} workloads, {} AgentRuntimes ({} let go), {} events, in {} tenures over \
         {} versions of the lease; \
         {} versions without an author (the API server was killed)",
        history.versions.len(),
        fencing.workloads,
        fencing.runtimes,
        fencing.ended,
        fencing.events,
        fencing.tenures,
        fencing.leases,
        fencing.unknown
    );
    println!(
        "chaos: {} hashes written, {} different, over {} states of the configuration; {} of spec and ConfigMaps of two \
         moments; {} versions compared field by field",
        hashes.written, hashes.distinct, hashes.states, hashes.apart, fields.compared
    );
    println!(
        "chaos: ready after {} s, all as planned {:.1} s after the last fault, verdict {:.1} s, in all {} s",
        ready.as_secs(),
        settled.as_secs_f64(),
        at_rest.elapsed().as_secs_f64(),
        began.elapsed().as_secs()
    );
    let [kills, restarts] =
        [done["controller killed"], done["API server restarted"] + done["API server killed"]];
    assert_eq!((kills, restarts), (faults::KILLS as usize, faults::RESTARTS as usize));
    assert!(fencing.workloads > agents.len(), "nothing was written in the middle of it");
    if std::env::var_os("CHAOS_KEEP").is_some() {
        println!("chaos: logs in {}", dir.keep().display());
        return assert_eq!(wrong, [""; 0]);
    }
    if !wrong.is_empty() {
        let kept = dir.keep();
        panic!("{} things are wrong, logs in {}:\n{}", wrong.len(), kept.display(), wrong.join("\n"));
    }
}

/// Carries all plans out at the same time; everything is whole again afterwards. What was done, and how many things users
/// did.
fn break_everything(
    seed: u64,
    length: Duration,
    server: &Server,
    place: &Place,
    replicas: &[Replica],
    agents: &[Agent],
    plans: &[(Vec<inputs::Due>, End)],
) -> (BTreeMap<&'static str, usize>, usize) {
    let started = Instant::now();
    let until = |at: Duration| std::thread::sleep((started + at).saturating_duration_since(Instant::now()));
    let mut done = BTreeMap::new();
    let mut acts = 0;
    std::thread::scope(|scope| {
        let tracks: Vec<_> = faults::plan(seed, length)
            .into_iter()
            .map(|track| scope.spawn(move || faults::carry_out(&track, started, server, replicas)))
            .collect();
        let teams: Vec<_> = (0..TEAMS)
            .map(|team| {
                let mut plan: Vec<&inputs::Due> =
                    plans.iter().flat_map(|(plan, _)| plan).filter(|due| due.agent % TEAMS == team).collect();
                plan.sort_by_key(|due| due.at);
                let mut user = User::new(place, server.token());
                scope.spawn(move || {
                    for due in &plan {
                        until(due.at);
                        agents[due.agent].act(due.action, seed, &mut user);
                    }
                    plan.len()
                })
            })
            .collect();
        let administrator = scope.spawn(move || {
            let mut user = User::new(place, server.token());
            let plan = defaults::plan(seed, length);
            for due in &plan {
                until(due.at);
                for replica in replicas.iter().filter(|_| !due.lags.is_empty()) {
                    replica.proxy.hold_watches_of(due.lags, LAGS);
                }
                due.change.make(&mut user);
            }
            plan.len()
        });
        for track in tracks {
            done.extend(track.join().expect("a track of faults"));
        }
        acts = administrator.join().expect("the administrator");
        acts += teams.into_iter().map(|team| team.join().expect("a team")).sum::<usize>();
    });
    (done, acts)
}

fn revision(user: &mut User) -> u64 {
    let list = user.get("/api/v1/configmaps?limit=1").expect("a list");
    list["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).expect("a revision")
}
