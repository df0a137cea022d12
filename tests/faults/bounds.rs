//! Servers that never come to an end: lists, waits and answers. Each run ends within ten times its request timeout, names
//! the server, and writes nothing.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::{Answer, Request};
use crate::{Said, faulty, skills};

/// A run with a request timeout of a second against a server that answers lists of AgentRuntimes so.
fn bounded(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Said {
    let server = faulty(move |request, _| request.path.ends_with("/agentruntimes").then(|| answer(request)));
    let started = Instant::now();
    let said = skills(&server, &["apply", "-n", "team1", "--request-timeout=1s"]);
    let took = started.elapsed();
    // Nothing here ends by itself: this tells a run that was bounded from one that was cut off by something else.
    assert!(took < Duration::from_secs(60), "it took {took:?}: {}", said.stderr);
    assert_eq!((said.code, said.stdout.as_str(), server.writes()), (4, "", 0), "{}", said.stderr);
    let host = server.address.trim_start_matches("http://");
    assert!(said.stderr.contains(host), "the server is not named: {}", said.stderr);
    said
}

fn page(token: &str, items: usize) -> Answer {
    let items: Vec<_> = (0..items).map(crate::cluster::runtime).collect();
    Answer::Json(
        200,
        json!({"kind": "AgentRuntimeList", "apiVersion": "agent.kagenti.dev/v1alpha1",
            "metadata": {"continue": token}, "items": items}),
    )
}

/// A proxy that caches by path gives the same page for ever, and memory goes with it.
#[test]
fn a_continue_token_that_comes_again_ends_the_list() {
    let said = bounded(|_| page("again", 2));
    assert!(said.stderr.contains("the server gives the same page again"), "{}", said.stderr);
}

#[test]
fn empty_pages_without_end_end_the_list() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let said = bounded(move |_| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        page(&format!("t{number}"), 0)
    });
    assert!(
        said.stderr.contains("empty pages without end") || said.stderr.contains("no answer within"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_wish_to_come_again_in_three_years_is_no_reason_to_wait() {
    let said = bounded(|_| Answer::Later(429, 99_999_999));
    assert!(
        said.stderr.contains("overloaded") && said.stderr.contains("(after 1 attempt)"),
        "{}",
        said.stderr
    );
}

#[test]
fn an_answer_without_end_is_cut_off_by_time_or_by_size() {
    let said = bounded(|_| Answer::Endless("          "));
    assert!(
        said.stderr.contains("no answer within 1s") || said.stderr.contains("longer than 256 MiB"),
        "{}",
        said.stderr
    );
}

/// A webhook that is down and a schema that does not fit answer 500 as often as they are asked.
#[test]
fn an_error_that_will_come_again_is_not_asked_for_again() {
    for message in [
        "Internal error occurred: failed calling webhook \"a.b.c\": connection refused",
        "failed to create typed patch object: .spec.x: field not declared in schema",
    ] {
        let server = faulty(move |request, _| {
            (request.method == "PATCH").then(|| {
                Answer::Json(
                    500,
                    json!({"kind": "Status", "code": 500, "reason": "InternalError", "message": message}),
                )
            })
        });
        let said = skills(&server, &["apply", "-n", "team1", "a0"]);
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
        assert!(said.stderr.contains(message) && !said.stderr.contains("in trouble"), "{}", said.stderr);
        let tries = server.requests().iter().filter(|request| request.method == "PATCH").count();
        assert_eq!(tries, 1, "{message}");
    }
}

/// Who reads audit logs or rate limits by client has nothing else to go by.
#[test]
fn every_request_says_who_sends_it() {
    for (args, verb) in [
        (&["apply", "-n", "team1"][..], "apply"),
        (&["status", "-n", "team1"], "status"),
        (&["doctor"], "doctor"),
    ] {
        let server = faulty(|_, _| None);
        skills(&server, args);
        let requests = server.requests();
        assert!(!requests.is_empty());
        for request in requests {
            let agent = request
                .headers
                .iter()
                .find(|(name, _)| name == "user-agent")
                .map(|(_, value)| value.as_str());
            let expected = format!("kubectl-skills/{} (linux/", env!("CARGO_PKG_VERSION"));
            let said = agent.unwrap_or_default();
            assert!(said.starts_with(&expected) && said.ends_with(&format!(") {verb}")), "{said:?}");
        }
    }
}
