//! The program against an API server that misbehaves: storms of 429, silence in mid-list, broken connections, expired
//! continue tokens, a conflict on every write. Each time: success or a clear error, the right exit code, nothing half done.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "tests run programs and stop at the first surprise"
)]

mod bounds;
mod cluster;
#[path = "../executable.rs"]
mod executable;
mod login;
mod looks;
mod said;
mod server;
mod set;
mod watch;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cluster::Cluster;
use said::{Said, said};
use serde_json::json;
use server::{Answer, Request, Server};

fn skills(server: &Server, args: &[&str]) -> Said {
    run(&server.address, args)
}

fn run(address: &str, args: &[&str]) -> Said {
    said(command(address, args).output().expect("a run"))
}

fn command(address: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-skills"));
    command.args(args).args(["--server", address]);
    command.env_clear().env("HOME", "/nonexistent").env("NO_COLOR", "1");
    command
}

/// A server of the healthy cluster where `fault` answers first.
fn faulty(fault: impl Fn(&Request, &Cluster) -> Option<Answer> + Send + Sync + 'static) -> Server {
    let cluster = Cluster::default();
    Server::start(move |request| fault(request, &cluster).unwrap_or_else(|| cluster.answer(request)))
}

const APPLIED: &str = "deployment.apps/a0 serverside-applied\ndeployment.apps/a1 serverside-applied\ndeployment.apps/a2 serverside-applied\n\
deployment.apps/a3 serverside-applied\ndeployment.apps/a4 serverside-applied\n";
const UNCHANGED: &str = "deployment.apps/a0 unchanged\ndeployment.apps/a1 unchanged\ndeployment.apps/a2 unchanged\n\
deployment.apps/a3 unchanged\ndeployment.apps/a4 unchanged\n";

#[test]
fn a_healthy_server_is_written_once() {
    let server = faulty(|_, _| None);
    let said = skills(&server, &["apply", "-n", "team1"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, APPLIED), "{}", said.stderr);
    assert_eq!(server.writes(), 5);
    let said = skills(&server, &["apply", "-n", "team1"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, UNCHANGED), "{}", said.stderr);
    assert_eq!(server.writes(), 5);
    let secrets: Vec<_> =
        server.requests().into_iter().filter(|request| request.path.contains("secret")).collect();
    assert!(secrets.is_empty(), "{secrets:?}");
}

#[test]
fn a_storm_of_429_is_sat_out() {
    let turned_away: Mutex<BTreeMap<String, usize>> = Mutex::default();
    // Every request is turned away twice, writes among them.
    let server = faulty(move |request, _| {
        let mut counts = turned_away.lock().expect("the counts");
        let count =
            counts.entry(format!("{} {}?{}", request.method, request.path, request.query)).or_default();
        *count += 1;
        (!count.is_multiple_of(3)).then_some(Answer::Later(429, 0))
    });
    let said = skills(&server, &["apply", "-n", "team1"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, APPLIED), "{}", said.stderr);
}

#[test]
fn a_storm_without_end_is_given_up() {
    let server = faulty(|_, _| Some(Answer::Later(429, 0)));
    let said = skills(&server, &["apply", "-n", "team1"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(
        said.stderr.contains("(after 7 attempts)") && said.stderr.contains("overloaded"),
        "{}",
        said.stderr
    );
    assert_eq!(server.writes(), 0);
}

/// Half a list taken for the whole would strip the other half of the agents.
#[test]
fn silence_in_the_middle_of_a_list_ends_the_run() {
    let server = faulty(|request, _| (request.query.contains("continue=")).then_some(Answer::Silence));
    let said = skills(&server, &["apply", "-n", "team1", "--request-timeout=1s"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(
        said.stderr.contains("list agentruntimes in namespace \"team1\": no answer within 1s"),
        "{}",
        said.stderr
    );
    assert_eq!(server.writes(), 0);
}

#[test]
fn a_page_that_breaks_off_is_asked_for_again() {
    let count = AtomicUsize::new(0);
    let server = faulty(move |request, cluster| {
        let first = request.query.contains("continue=") && count.fetch_add(1, Ordering::Relaxed) == 0;
        first.then(|| match cluster.answer(request) {
            Answer::Json(_, value) => Answer::BreakOff(value),
            other => other,
        })
    });
    let said = skills(&server, &["apply", "-n", "team1"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, APPLIED), "{}", said.stderr);
    let server = faulty(|request, cluster| match cluster.answer(request) {
        Answer::Json(200, value) if request.path.ends_with("/agentruntimes") => Some(Answer::BreakOff(value)),
        _ => None,
    });
    let said = skills(&server, &["apply", "-n", "team1"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(said.stderr.contains("list agentruntimes"), "{}", said.stderr);
    assert_eq!(server.writes(), 0);
}

#[test]
fn a_list_whose_token_expired_is_begun_again() {
    let count = AtomicUsize::new(0);
    let server = faulty(move |request, _| {
        let expired = request.query.contains("continue=") && count.fetch_add(1, Ordering::Relaxed) == 0;
        expired.then(|| {
            Answer::Json(
                410,
                json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}),
            )
        })
    });
    let said = skills(&server, &["apply", "-n", "team1"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, APPLIED), "{}", said.stderr);
}

#[test]
fn somebody_who_was_faster_is_planned_around() {
    let count = AtomicUsize::new(0);
    let server = faulty(move |request, cluster| {
        let write = request.method == "PATCH" && !request.query.contains("dryRun=All");
        // A status update between reading and writing, as controllers make them all the time.
        if write && count.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            cluster.touch(&request.path);
        }
        None
    });
    let said = skills(&server, &["apply", "-n", "team1"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, APPLIED), "{}", said.stderr);
}

#[test]
fn a_conflict_on_every_write_is_given_up() {
    let server = faulty(|request, cluster| {
        if request.method == "PATCH" && !request.query.contains("dryRun=All") {
            cluster.touch(&request.path);
        }
        None
    });
    let said = skills(&server, &["apply", "-n", "team1"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(
        said.stderr.contains("it was changed or deleted meanwhile (after 6 attempts)"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("run again"), "{}", said.stderr);
}

/// A proxy's login page, an empty object, a list that is none: nothing is planned from it.
#[test]
fn answers_that_are_none_are_errors() {
    for answer in [
        Answer::Text(200, "<html>please log in</html>"),
        Answer::Json(200, json!({})),
        Answer::Json(200, json!({"items": {"a": 1}})),
        Answer::Text(403, "<html>blocked by policy</html>"),
        Answer::Text(501, "not implemented"),
    ] {
        let given = answer.clone();
        let server = faulty(move |request, _| request.path.ends_with("/configmaps").then(|| given.clone()));
        let said = skills(&server, &["apply", "-n", "team1"]);
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{answer:?}: {}", said.stderr);
        assert!(said.stderr.contains("list configmaps"), "{answer:?}: {}", said.stderr);
        assert_eq!(server.writes(), 0, "{answer:?}");
    }
}

/// A gateway that refuses everything is not reported as trouble with SkillBindings, which hardly any cluster has.
#[test]
fn a_server_that_refuses_everything_is_reported_by_what_was_asked_for() {
    for answer in [Answer::Text(403, "blocked"), Answer::Text(501, "not implemented")] {
        for profile in ["auto", "head"] {
            for verb in ["status", "plan", "diff", "hash"] {
                let given = answer.clone();
                let server = faulty(move |_, _| Some(given.clone()));
                let said = skills(&server, &[verb, "-n", "team1", "--profile", profile]);
                assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{verb}: {}", said.stderr);
                assert!(
                    !said.stderr.contains("skills.kagenti.dev/v1alpha1")
                        && (said.stderr.contains("agent.") || said.stderr.contains("agentruntimes")),
                    "{verb} {profile}: {}",
                    said.stderr
                );
            }
        }
    }
}

/// A CRD is served some seconds before the server describes it: anyone who installs it and goes on must not fail.
#[test]
fn a_crd_that_was_just_installed_is_waited_for() {
    let asked = AtomicUsize::new(0);
    let server = faulty(move |request, _| match request.path.as_str() {
        "/apis/agent.kagenti.dev/v1alpha1" => Some(Answer::Json(200, json!({"kind": "APIResourceList"}))),
        "/openapi/v3/apis/agent.kagenti.dev/v1alpha1" if asked.fetch_add(1, Ordering::Relaxed) < 2 => {
            Some(Answer::Json(404, json!({"kind": "Status", "code": 404, "reason": "NotFound"})))
        }
        _ => None,
    });
    let said = skills(&server, &["plan", "-n", "team1"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
}

/// Anyone who acts as somebody else and is not heard acts as himself.
#[test]
fn impersonation_and_token_go_with_every_request() {
    let server = faulty(|_, _| None);
    let args =
        ["--as", "jane", "--as-group", "dev", "--as-group", "ops", "--as-uid", "7", "--token", "s3cret"];
    let said = skills(&server, &[&["apply", "-n", "team1"][..], &args].concat());
    assert_eq!(said.code, 0, "{}", said.stderr);
    for request in server.requests() {
        let mut sent: Vec<(&str, &str)> = request
            .headers
            .iter()
            .filter(|(name, _)| name.starts_with("impersonate") || name == "authorization")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        sent.sort_unstable();
        assert_eq!(
            sent,
            [
                ("authorization", "Bearer s3cret"),
                ("impersonate-group", "dev"),
                ("impersonate-group", "ops"),
                ("impersonate-uid", "7"),
                ("impersonate-user", "jane"),
            ],
            "{} {}",
            request.method,
            request.path
        );
    }
}

#[test]
fn a_server_that_is_not_there_is_reported() {
    let said = run("http://127.0.0.1:9", &["status", "-n", "team1"]);
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert_eq!(
        said.stderr,
        "error: the connection to the server 127.0.0.1:9 was refused - did you specify the right host or port?\n  \
         check the server's address in the kubeconfig or in --server, and any proxy\n"
    );
}

/// A mutating webhook with an old client drops what it does not know, at the write and not at the dry run.
#[test]
fn what_the_server_drops_at_the_write_is_told() {
    let server = faulty(|request, cluster| {
        let write = request.method == "PATCH" && !request.query.contains("dryRun=All");
        write.then(|| match cluster.answer(request) {
            Answer::Json(200, mut value) => {
                value["spec"]["template"]["spec"].as_object_mut().expect("a pod").remove("volumes");
                Answer::Json(200, value)
            }
            other => other,
        })
    });
    let said = skills(&server, &["apply", "-n", "team1", "a0"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(said.stderr.contains("the server drops image volumes: skill-pdf"), "{}", said.stderr);
}

/// A run with Ctrl-C pressed once so many writes have come, and again after each of `more`.
fn interrupted(server: &Server, after: usize, more: &[Duration]) -> (Said, Duration) {
    let child = command(&server.address, &["apply", "-n", "team1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a start");
    let give_up = Instant::now() + Duration::from_secs(60);
    while server.writes() < after {
        assert!(Instant::now() < give_up, "there were no writes");
        std::thread::sleep(Duration::from_millis(5));
    }
    let started = Instant::now();
    let press = || {
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        assert!(killed.success());
    };
    press();
    for pause in more {
        std::thread::sleep(*pause);
        press();
    }
    (said(child.wait_with_output().expect("an end")), started.elapsed())
}

/// Ctrl-C in the middle of a rollout: nothing new is begun, what was begun is reported, and the next run does the rest.
#[test]
fn ctrl_c_ends_between_two_workloads() {
    let cluster = Cluster::of(24);
    let server = Server::start(move |request| {
        if request.method == "PATCH" && !request.query.contains("dryRun=All") {
            std::thread::sleep(Duration::from_millis(400));
        }
        cluster.answer(request)
    });
    let (said, _) = interrupted(&server, 8, &[]);
    let applied = said.stdout.lines().count();
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!((8..24).contains(&applied), "{}", said.stdout);
    assert_eq!(server.writes(), applied, "a write that is not reported");
    assert!(said.stderr.contains(&format!("interrupted after {applied} of 24 workloads")), "{}", said.stderr);
    assert!(said.stderr.contains("run again to finish"), "{}", said.stderr);
    let again = skills(&server, &["apply", "-n", "team1"]);
    assert_eq!((again.code, server.writes()), (0, 24), "{}", again.stderr);
}

#[test]
fn ctrl_c_again_does_not_wait_for_a_server_that_is_silent() {
    let server = faulty(|request, _| {
        let write = request.method == "PATCH" && !request.query.contains("dryRun=All");
        write.then_some(Answer::Silence)
    });
    let (said, took) = interrupted(&server, 5, &[Duration::from_millis(500)]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(said.stderr.contains("interrupted after 0 of 5 workloads"), "{}", said.stderr);
    // The server is silent for 600 s.
    assert!(took < Duration::from_secs(300), "it waited for the server: {took:?}");
}
