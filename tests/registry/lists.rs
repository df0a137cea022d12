//! Lists that come in pages: tags, and what refers to an image.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::{INDEX, MANIFEST, Model};
use crate::server::{Answer, Server};
use crate::{faulty, folder, healthy, skills, text};

fn tagged(page: usize, count: usize) -> Arc<Model> {
    let model = Arc::new(Model { page, ..Model::default() });
    for number in 0..count {
        model.put_manifest("a/b", Some(&format!("v{number:04}")), MANIFEST, &json!({"n": number}));
    }
    model
}

fn tags(count: usize) -> String {
    (0..count).map(|number| format!("v{number:04}\n")).collect()
}

/// Whoever stops at the first page misses the newest version.
#[test]
fn all_pages_of_tags_are_read() {
    let server = healthy(&tagged(100, 250));
    let said = skills(&["tags", &format!("{}/a/b", server.host)]);
    assert_eq!((said.code, said.stdout, said.stderr), (0, tags(250), String::new()));
    let lines =
        ["GET /v2/a/b/tags/list?n=1000", "GET /v2/a/b/tags/list?at=100", "GET /v2/a/b/tags/list?at=200"];
    assert_eq!(server.lines(), lines);
    let said = skills(&["tags", &format!("{}/a/b", server.host), "-o", "json"]);
    assert_eq!(said.json()["tags"].as_array().map(Vec::len), Some(250));
    assert_eq!(said.json()["repository"], format!("{}/a/b", server.host));
}

#[test]
fn an_absolute_link_of_the_same_server_is_followed_and_no_other() {
    let page = |tags: &[&str]| Answer::new(200, json!({"name": "a/b", "tags": tags}).to_string());
    let server = Server::start(move |request| {
        let host = request.header("host").unwrap_or_default().to_owned();
        match request.parameter("p") {
            None => {
                page(&["one"]).with("Link", format!("<http://{host}/v2/a/b/tags/list?p=2>; rel=\"next\""))
            }
            _ => page(&["two"]),
        }
    });
    let said = skills(&["tags", &format!("{}/a/b", server.host)]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "one\ntwo\n"), "{}", said.stderr);

    let other = Server::start(|_| Answer::new(200, json!({"tags": ["evil"]}).to_string()));
    let link = format!("<http://{}/v2/a/b/tags/list>; rel=\"next\"", other.host);
    let server = Server::start(move |_| page(&["one"]).with("Link", &link));
    let said = skills(&["tags", &format!("{}/a/b", server.host)]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert_eq!(
        said.stderr,
        format!(
            "error: list the tags of {}/a/b: the next page is at http://{}/v2/a/b/tags/list, on another server\n  the list would \
             not be whole; nothing of it was used\n",
            server.host, other.host
        )
    );
    assert!(other.requests().is_empty());
}

#[test]
fn pages_in_a_circle_end() {
    let server = Server::start(|request| {
        let next = if request.parameter("p") == Some("1") { 2 } else { 1 };
        Answer::new(200, json!({"tags": ["t"]}).to_string())
            .with("Link", format!("<?p={next}>; rel=\"next\""))
    });
    let said = skills(&["tags", &format!("{}/a/b", server.host)]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(said.stderr.contains("/v2/a/b/tags/list?p=1 comes after itself"), "{}", said.stderr);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn pages_without_end_end() {
    let server = Server::start(|request| {
        let at: usize = request.parameter("p").and_then(|at| at.parse().ok()).unwrap_or(0);
        Answer::new(200, json!({"tags": ["t"]}).to_string())
            .with("Link", format!("<?p={}>; rel=\"next\"", at + 1))
    });
    let said = skills(&["tags", &format!("{}/a/b", server.host)]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(said.stderr.contains("more than 1000 pages"), "{}", said.stderr);
}

/// go-containerregistry's registry gives as many as were asked for, and no link to the rest.
#[test]
fn a_full_page_without_a_link_is_not_taken_for_the_end() {
    let full = |from: usize, to: usize| (from..to).map(|number| format!("v{number:04}")).collect::<Vec<_>>();
    let page = |tags: Vec<String>| Answer::new(200, json!({"name": "a/b", "tags": tags}).to_string());
    let server = Server::start(move |request| match request.parameter("last") {
        None => page(full(0, 1000)),
        Some("v0999") => page(full(1000, 1200)),
        Some(other) => panic!("asked for what comes after {other}"),
    });
    let said = skills(&["tags", &format!("{}/a/b", server.host)]);
    assert_eq!((said.code, said.stdout), (0, tags(1200)), "{}", said.stderr);
    // One that does not know `last` begins again.
    let server = Server::start(move |_| page(full(0, 1500)));
    let said = skills(&["tags", &format!("{}/a/b", server.host)]);
    assert_eq!((said.code, said.stdout), (0, tags(1500)), "{}", said.stderr);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn no_tags_are_none_and_a_web_page_is_an_error() {
    let server = Server::start(|_| Answer::new(200, json!({"name": "a/b", "tags": null}).to_string()));
    let said = skills(&["tags", &format!("{}/a/b", server.host)]);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{}", said.stderr);
    let server = Server::start(|_| Answer::new(200, "<html>log in</html>"));
    let said = skills(&["tags", &format!("{}/a/b", server.host)]);
    assert_eq!(said.code, 4);
    assert!(said.stderr.contains("answered no list of tags"), "{}", said.stderr);
    let said = skills(&["tags", &format!("{}/a/b:1", server.host)]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{}", said.stderr);
}

/// A signature on the second page that is missed makes a signed image an unsigned one.
#[test]
fn all_pages_of_referrers_are_copied() {
    let model = Arc::new(Model { page: 7, referrers: true, ..Model::default() });
    let image = model.image("a/b", "1", b"layer");
    for number in 0..20 {
        model.referrer("a/b", &image, "application/vnd.example", number);
    }
    let server = healthy(&model);
    let out = folder();
    let layout = text(&out.path().join("l"));
    let said = skills(&["pull", &format!("{}/a/b:1", server.host), &layout, "-o", "json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let wanted = json!({
        "source": format!("{}/a/b:1", server.host), "destination": format!("{layout}:{}/a/b:1", server.host),
        "pinned": format!("{layout}@{image}"), "digest": image, "mediaType": MANIFEST, "manifests": 21, "referrers": 20,
        "blobs": {"sent": 2, "bytes": 7, "mounted": 0, "present": 0},
    });
    assert_eq!(said.json(), wanted);
    let index: Value =
        serde_json::from_slice(&std::fs::read(out.path().join("l/index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(21));

    // From the layout into a registry without the referrers API: its list is ours to write.
    let fallback = Arc::new(Model::default());
    let server = healthy(&fallback);
    let said = skills(&["push", &format!("{layout}@{image}"), &format!("{}/c:1", server.host), "-o", "json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let tag = image.replace(':', "-");
    let state = fallback.state.lock().unwrap();
    let (kind, bytes) = &state.manifests[&("c".into(), state.tags[&("c".into(), tag)].clone())];
    let index: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!((kind.as_str(), index["manifests"].as_array().map(Vec::len)), (INDEX, Some(20)));
    for entry in index["manifests"].as_array().unwrap() {
        assert_eq!(entry["artifactType"], "application/vnd.example");
        let key = ("c".to_owned(), entry["digest"].as_str().unwrap().to_owned());
        let size = state.manifests[&key].1.len();
        let number = &entry["annotations"]["number"];
        let whole = json!({"mediaType": MANIFEST, "digest": key.1, "size": size, "artifactType": "application/vnd.example",
            "annotations": {"number": number}});
        assert_eq!(*entry, whole);
    }
    drop(state);

    // And from there, by the fallback tag, into one that has it.
    let native = Arc::new(Model { referrers: true, ..Model::default() });
    let to = healthy(&native);
    let said = skills(&["copy", &format!("{}/c:1", server.host), &format!("{}/d:1", to.host), "-o", "json"]);
    assert_eq!((said.code, &said.json()["referrers"]), (0, &json!(20)), "{}", said.stderr);
    assert!(
        native.state.lock().unwrap().tags.keys().all(|(_, tag)| tag == "1"),
        "a list that the registry keeps itself"
    );
}

/// "None" is an answer only where the registry says so: an image whose signatures could not be read is not unsigned.
#[test]
fn a_failure_on_the_fallback_tag_is_one() {
    for code in [401, 403, 500] {
        let model = Arc::new(Model::default());
        model.image("a/b", "1", b"layer");
        let server = faulty(&model, move |request, _| {
            request.path.contains("/manifests/sha256-").then(|| Answer::new(code, "no"))
        });
        let out = folder();
        let said = skills(&["pull", &format!("{}/a/b:1", server.host), &text(&out.path().join("l"))]);
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{code}: {}", said.stderr);
        assert!(said.stderr.contains(&format!("answered {code}")), "{code}: {}", said.stderr);
        assert!(!out.path().join("l/index.json").exists());
        let said = skills(&[
            "pull",
            &format!("{}/a/b:1", server.host),
            &text(&out.path().join("l")),
            "--no-referrers",
        ]);
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
}
