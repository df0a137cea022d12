//! `status -w` against the scripted server: lists, then watches from their version; bookmarks move it on, an expired version
//! means a new list, and nobody is asked while nothing happens.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{Cluster, runtime};
use crate::command;
use crate::server::{Answer, Request, Server};

const RUNTIMES: &str = "/apis/agent.kagenti.dev/v1alpha1/namespaces/team1/agentruntimes";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/team1/deployments";

/// A `status -w` under way.
struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn start(server: &Server) -> Self {
        let mut child = command(&server.address, &["status", "-n", "team1", "-w"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a start");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> String {
        self.lines.next().expect("a line").expect("text")
    }

    /// Ends it with Ctrl-C; what it noted.
    fn end(self) -> String {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        let output = self.child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).expect("text")
    }
}

fn is_watch(request: &Request) -> bool {
    request.query.contains("watch=true")
}

fn event(kind: &str, object: Value) -> Value {
    json!({"type": kind, "object": object})
}

/// An AgentRuntime with another skill, in a version.
fn renamed(number: usize, skill: &str, version: &str) -> Value {
    let mut object = runtime(number);
    object["metadata"]["resourceVersion"] = version.into();
    object["spec"]["skills"][0]["name"] = skill.into();
    object
}

/// Waits until so many watches of a path were opened; their queries.
fn watches(server: &Server, path: &str, count: usize) -> Vec<String> {
    let give_up = Instant::now() + Duration::from_secs(20);
    loop {
        let seen: Vec<String> = server
            .requests()
            .into_iter()
            .filter(|request| request.path == path && is_watch(request))
            .map(|request| request.query)
            .collect();
        if seen.len() >= count {
            return seen;
        }
        assert!(Instant::now() < give_up, "{seen:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Servers before 1.34 do not stream lists: pages, and a watch from the version of the list.
fn not_streamed(request: &Request) -> Option<Answer> {
    let asked = is_watch(request) && request.query.contains("sendInitialEvents");
    asked.then(|| {
        Answer::Json(
            422,
            json!({"kind": "Status", "code": 422, "reason": "Invalid", "message": "sendInitialEvents is forbidden"}),
        )
    })
}

#[test]
fn a_watch_goes_on_from_its_bookmark_and_lists_again_when_that_is_too_old() {
    let cluster = Cluster::default();
    let step = Mutex::new(0);
    let server = Server::start(move |request| {
        if let Some(answer) = not_streamed(request) {
            return answer;
        }
        let mut step = step.lock().expect("a step");
        match (is_watch(request), request.path.as_str()) {
            (true, RUNTIMES) => {
                *step += 1;
                match *step {
                    // A change and a bookmark; then the time of this watch is over.
                    1 => Answer::Watch(
                        vec![
                            event("MODIFIED", renamed(1, "web", "12")),
                            event("BOOKMARK", json!({"metadata": {"resourceVersion": "50"}})),
                        ],
                        false,
                    ),
                    2 => Answer::Watch(
                        vec![event(
                            "ERROR",
                            json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}),
                        )],
                        false,
                    ),
                    _ => Answer::Watch(vec![], true),
                }
            }
            (true, _) => Answer::Watch(vec![], true),
            // The list of after: one has gone, one is another's, the change of before holds.
            (false, RUNTIMES) if *step >= 2 => {
                let items = [runtime(0), renamed(1, "web", "12"), renamed(2, "search", "60"), runtime(3)];
                Answer::Json(
                    200,
                    json!({"kind": "AgentRuntimeList", "apiVersion": "agent.kagenti.dev/v1alpha1",
                        "metadata": {"resourceVersion": "70"}, "items": items}),
                )
            }
            _ => cluster.answer(request),
        }
    });
    let mut watching = Watching::start(&server);
    let first: Vec<String> = (0..6).map(|_| watching.next()).collect();
    assert!(first[0].starts_with("NAME") && first[5].starts_with("a4 "), "{first:?}");
    let changed = watching.next();
    assert_eq!(changed.split_whitespace().take(3).collect::<Vec<_>>(), ["a1", "Deployment/a1", "web"]);
    // The list tells of a2, and not of a1 again.
    let changed = watching.next();
    assert_eq!(changed.split_whitespace().take(3).collect::<Vec<_>>(), ["a2", "Deployment/a2", "search"]);
    let queries = watches(&server, RUNTIMES, 4);
    assert!(queries[0].contains("sendInitialEvents=true"), "{queries:?}");
    let versions: Vec<&str> =
        queries[1..].iter().map(|query| query.split("resourceVersion=").nth(1).expect("a version")).collect();
    assert_eq!(versions, ["10", "50", "70"], "{queries:?}");
    assert!(queries.iter().all(|query| query.contains("allowWatchBookmarks=true")), "{queries:?}");
    // At rest nobody is asked.
    let before = server.requests().len();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(server.requests().len(), before, "{:#?}", server.requests());
    assert_eq!(watching.end(), "");
}

/// From 1.34 on a watch begins with the objects that are there.
#[test]
fn lists_are_streamed_where_the_server_does() {
    let cluster = Cluster::default();
    let server = Server::start(move |request| match (is_watch(request), request.path.as_str()) {
        (true, RUNTIMES) => {
            let mut events: Vec<Value> =
                (0..5).map(|number| event("ADDED", renamed(number, "pdf", "9"))).collect();
            let end = json!({"metadata": {"resourceVersion": "10",
                "annotations": {"k8s.io/initial-events-end": "true"}}});
            events.push(event("BOOKMARK", end));
            events.push(event("DELETED", runtime(4)));
            events.push(event("ADDED", renamed(7, "pdf", "20")));
            Answer::Watch(events, true)
        }
        (true, DEPLOYMENTS) => {
            let end = json!({"metadata": {"resourceVersion": "10",
                "annotations": {"k8s.io/initial-events-end": "true"}}});
            Answer::Watch(vec![event("BOOKMARK", end)], true)
        }
        _ => cluster.answer(request),
    });
    let mut watching = Watching::start(&server);
    let first: Vec<String> = (0..6).map(|_| watching.next()).collect();
    assert!(first[5].starts_with("a4 "), "{first:?}");
    // The watch of the Deployments says that there are none (any more).
    let changed: Vec<String> = (0..5).map(|_| watching.next()).collect();
    let names: Vec<&str> = changed.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["a0", "a1", "a2", "a3", "a7"], "{changed:#?}");
    assert!(changed.iter().all(|line| line.ends_with(" does not exist")), "{changed:#?}");
    assert_eq!(watching.end(), "");
}

/// Roles that grant `list` and not `watch` were enough before.
#[test]
fn who_may_not_watch_is_told_and_sees_changes_all_the_same() {
    let cluster = Cluster::default();
    let server = Server::start(move |request| match (is_watch(request), request.path.as_str()) {
        (true, _) => Answer::Json(
            403,
            json!({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "cannot watch resource"}),
        ),
        _ => cluster.answer(request),
    });
    let watching = Watching::start(&server);
    let lists = || {
        let requests = server.requests();
        requests.iter().filter(|request| request.path == RUNTIMES && !is_watch(request)).count()
    };
    let give_up = Instant::now() + Duration::from_secs(20);
    while lists() < 9 {
        assert!(Instant::now() < give_up, "it does not look again");
        std::thread::sleep(Duration::from_millis(50));
    }
    let noted = watching.end();
    assert!(noted.contains("; looking again every 2 s instead") && noted.lines().count() == 1, "{noted}");
}
