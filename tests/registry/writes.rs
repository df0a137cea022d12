//! What is written into a registry, in which order, and what becomes of it when something breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::model::{INDEX, MANIFEST, Model, digest};
use crate::server::{Answer, End};
use crate::{faulty, folder, healthy, noise, skills, text};

/// A layout with an image of one layer, made by the program itself.
fn layout(layer: &[u8]) -> (TempDir, String, String) {
    let model = Arc::new(Model { referrers: true, ..Model::default() });
    let image = model.image("a/b", "1", layer);
    let server = healthy(&model);
    let out = folder();
    let path = text(&out.path().join("l"));
    let said = skills(&["pull", &format!("{}/a/b:1", server.host), &path]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    (out, path, image)
}

/// A tag that is there before its layers is an image that does not start.
#[test]
fn a_tag_comes_last() {
    let (_out, path, image) = layout(b"layer");
    let model = Arc::new(Model { referrers: true, ..Model::default() });
    let server = healthy(&model);
    let reference = format!("{}/c/d:1", server.host);
    let said = skills(&["push", &path, &reference]);
    assert_eq!((said.code, said.stdout), (0, format!("{reference}@{image}\n")), "{}", said.stderr);
    assert_eq!(
        said.stderr,
        "summary: 1 image: 1 manifest, 0 referrers among them; 2 blobs sent (7 bytes), 0 mounted, 0 there already\n"
    );
    let lines = server.lines();
    assert_eq!(lines.last().map(String::as_str), Some("PUT /v2/c/d/manifests/1"));
    assert_eq!(lines.iter().filter(|line| line.contains("/manifests/")).count(), 1);
    let again = skills(&["push", &path, &reference, "-o", "json"]);
    assert_eq!(again.json()["blobs"], json!({"sent": 0, "bytes": 0, "mounted": 0, "present": 2}));
}

#[test]
fn a_failure_leaves_the_tag_as_it_was() {
    let (_out, path, image) = layout(b"layer");
    for (what, code, wanted) in
        [("/blobs/uploads/", 500, 4), ("/manifests/", 400, 4), ("/blobs/sha256", 403, 4)]
    {
        let model = Arc::new(Model::default());
        let before = model.image("c/d", "1", b"before");
        let server = faulty(&model, move |request, _| {
            request.path.contains(what).then(|| {
                let errors = json!({"errors": [{"code": "DENIED", "message": "not today"}]});
                Answer::new(code, errors.to_string())
            })
        });
        let said = skills(&["push", &path, &format!("{}/c/d:1", server.host)]);
        assert_eq!((said.code, said.stdout.as_str()), (wanted, ""), "{what}");
        // An answer to HEAD has no words.
        let has_words = what == "/blobs/sha256" || said.stderr.contains("not today (DENIED)");
        assert!(has_words && said.stderr.contains(&format!("answered {code}")), "{}", said.stderr);
        assert_eq!(model.state.lock().unwrap().tags[&("c/d".into(), "1".into())], before);
    }
    let model = Arc::new(Model::default());
    let server = healthy(&model);
    let other = format!("{}/c/d:1@{}", server.host, digest(b"other"));
    let said = skills(&["push", &path, &other]);
    assert_eq!(said.code, 3);
    assert!(
        said.stderr.contains(&format!("is {image}, and {} is asked for", digest(b"other"))),
        "{}",
        said.stderr
    );
}

const LARGE: usize = 20_000_000;

/// The second chunk is cut in the middle; the registry has its half, and gets the rest.
#[test]
fn a_large_blob_goes_in_chunks_and_on_where_it_broke() {
    let (_out, path, image) = layout(&noise(LARGE));
    let model = Arc::new(Model { referrers: true, ..Model::default() });
    let count = AtomicUsize::new(0);
    let server = faulty(&model, move |request, model| {
        if request.method != "PATCH" {
            return None;
        }
        match count.fetch_add(1, Ordering::Relaxed) {
            1 => {
                let mut half = request.clone();
                half.body.truncate(3_000_000);
                model.answer(&half);
                Some(Answer::new(202, "").ending(End::Nothing))
            }
            3 => Some(Answer::new(503, "restarting")),
            _ => None,
        }
    });
    let said = skills(&["push", &path, &format!("{}/c/d:1", server.host), "-o", "json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.json()["blobs"], json!({"sent": 2, "bytes": LARGE + 2, "mounted": 0, "present": 0}));
    let state = model.state.lock().unwrap();
    assert_eq!(state.tags[&("c/d".into(), "1".into())], image);
    let layer = noise(LARGE);
    assert!(state.blobs[&("c/d".into(), digest(&layer))] == layer, "the registry has other bytes");
    let ranges: Vec<_> =
        server.requests().iter().filter_map(|one| one.header("content-range").map(str::to_owned)).collect();
    assert_eq!(ranges[..2], ["0-8388607", "8388608-16777215"]);
}

/// A registry that is slow may still write what we gave up, after the rest that it was then sent.
#[test]
fn a_blob_whose_parts_a_registry_mixes_up_is_sent_anew() {
    let (_out, path, image) = layout(&noise(LARGE));
    let model = Arc::new(Model { referrers: true, ..Model::default() });
    let count = AtomicUsize::new(0);
    let server = faulty(&model, move |request, model| {
        if request.method != "PATCH" {
            return None;
        }
        let mut part = request.clone();
        match count.fetch_add(1, Ordering::Relaxed) {
            0 => {
                part.body.truncate(3_000_000);
                model.answer(&part);
                Some(Answer::new(202, "").ending(End::Nothing))
            }
            1 => {
                let answer = model.answer(&part);
                for upload in model.state.lock().unwrap().uploads.values_mut() {
                    let late = upload[..1000].to_vec();
                    upload.splice(..1000, late.into_iter().rev());
                }
                Some(answer)
            }
            _ => None,
        }
    });
    let said = skills(&["push", &path, &format!("{}/c/d:1", server.host), "-o", "json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let state = model.state.lock().unwrap();
    assert_eq!(state.tags[&("c/d".into(), "1".into())], image);
    let layer = noise(LARGE);
    assert!(state.blobs[&("c/d".into(), digest(&layer))] == layer, "the registry has other bytes");
}

#[test]
fn a_small_blob_whose_connection_breaks_is_sent_again() {
    let (_out, path, image) = layout(b"layer");
    let model = Arc::new(Model { referrers: true, ..Model::default() });
    let count = AtomicUsize::new(0);
    let server = faulty(&model, move |request, _| {
        let is_blob = request.method == "PUT" && request.path.contains("/uploads/");
        (is_blob && count.fetch_add(1, Ordering::Relaxed) < 2)
            .then(|| Answer::new(201, "").ending(End::Nothing))
    });
    let said = skills(&["push", &path, &format!("{}/c/d:1", server.host)]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(model.state.lock().unwrap().tags[&("c/d".into(), "1".into())], image);
}

#[test]
fn a_damaged_layout_is_not_pushed() {
    let (out, path, _) = layout(&noise(LARGE));
    let file = out.path().join("l/blobs/sha256").join(digest(&noise(LARGE)).replace("sha256:", ""));
    let mut bytes = noise(LARGE);
    bytes[LARGE - 1] ^= 1;
    std::fs::write(file, bytes).unwrap();
    let model = Arc::new(Model::default());
    let server = healthy(&model);
    let said = skills(&["push", &path, &format!("{}/c/d:1", server.host)]);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""));
    assert!(said.stderr.contains("its digest is sha256:"), "{}", said.stderr);
    let state = model.state.lock().unwrap();
    assert!(state.tags.is_empty() && !state.blobs.values().any(|blob| blob.len() == LARGE));
}

/// Between two repositories of one registry no byte of a layer travels.
#[test]
fn blobs_are_mounted_from_the_same_registry() {
    let model = Arc::new(Model { referrers: true, ..Model::default() });
    let image = model.image("a/b", "1", b"layer");
    let server = healthy(&model);
    let said =
        skills(&["copy", &format!("{}/a/b:1", server.host), &format!("{}/c/d:2", server.host), "-o", "json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let wanted = json!({
        "source": format!("{}/a/b:1", server.host), "destination": format!("{}/c/d:2", server.host),
        "pinned": format!("{}/c/d:2@{image}", server.host), "digest": image, "mediaType": MANIFEST, "manifests": 1,
        "referrers": 0, "blobs": {"sent": 0, "bytes": 0, "mounted": 2, "present": 0},
    });
    assert_eq!(said.json(), wanted);
}

/// An index comes with both its images, and what signs it by cosign's tag.
#[test]
fn an_index_is_copied_whole_with_its_signatures() {
    let model = Arc::new(Model::default());
    let images = ["amd64", "arm64"].map(|machine| {
        let digest = model.image("a/b", machine, b"shared layer");
        let config = model.put_blob("a/b", format!("{{\"architecture\":\"{machine}\"}}").as_bytes());
        let layer = model.put_blob("a/b", b"shared layer");
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        let own = model.put_manifest("a/b", None, MANIFEST, &manifest);
        assert_ne!(own, digest);
        json!({"mediaType": MANIFEST, "digest": own, "size": manifest.to_string().len(), "platform": {"os": "linux", "architecture": machine}})
    });
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": images});
    let root = model.put_manifest("a/b", Some("1"), INDEX, &index);
    let signature = model.image("a/b", &format!("{}.sig", root.replace(':', "-")), b"signature");
    let server = healthy(&model);
    let out = folder();
    let tar = text(&out.path().join("x.tar"));
    let said = skills(&["pull", &format!("{}/a/b:1", server.host), &tar, "-o", "json"]);
    assert_eq!(
        (said.code, &said.json()["manifests"], &said.json()["referrers"]),
        (0, &json!(4), &json!(1)),
        "{}",
        said.stderr
    );
    let bytes = std::fs::read(&tar).unwrap();
    assert_eq!(skills(&["pull", &format!("{}/a/b:1", server.host), &tar]).code, 0);
    assert!(bytes == std::fs::read(&tar).unwrap(), "two tars of one image differ");

    let to = Arc::new(Model::default());
    let server = healthy(&to);
    let said = skills(&["copy", &format!("{tar}@{root}"), &format!("{}/c:1", server.host), "-o", "json"]);
    assert_eq!((said.code, &said.json()["manifests"]), (0, &json!(4)), "{}", said.stderr);
    let state = to.state.lock().unwrap();
    let tags: Vec<_> = state.tags.iter().map(|((_, tag), digest)| (tag.clone(), digest.clone())).collect();
    assert_eq!(
        tags,
        [("1".to_owned(), root.clone()), (format!("{}.sig", root.replace(':', "-")), signature)]
    );
    assert_eq!(state.manifests.len(), 4);
    drop(state);
    let order: Vec<String> =
        server.lines().into_iter().filter(|line| line.starts_with("PUT /v2/c/manifests/")).collect();
    assert_eq!(order.last().map(String::as_str), Some("PUT /v2/c/manifests/1"));
    let position = |name: &str| order.iter().position(|line| line.ends_with(name));
    assert!(position(images[0]["digest"].as_str().unwrap()) < position(&root), "{order:?}");
}

/// Two who sign at once: the list that came last must have both.
#[test]
fn a_list_that_somebody_else_writes_meanwhile_is_written_again() {
    let source = Arc::new(Model { referrers: true, ..Model::default() });
    let image = source.image("a/b", "1", b"layer");
    let ours = source.referrer("a/b", &image, "application/vnd.ours", 1);
    let from = healthy(&source);
    let model = Arc::new(Model::default());
    let tag = image.replace(':', "-");
    let theirs = json!({"mediaType": MANIFEST, "digest": digest(b"theirs"), "size": 6, "artifactType": "application/vnd.theirs", "x": 1});
    let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [theirs]});
    let (path, count, once) = (format!("/v2/c/manifests/{tag}"), AtomicUsize::new(0), list.clone());
    let wanted_tag = tag.clone();
    let to = faulty(&model, move |request, model| {
        if request.path == path && request.method == "PUT" && count.fetch_add(1, Ordering::Relaxed) == 0 {
            let answer = model.answer(request);
            // Anyone who read the empty list before us writes it now.
            model.put_manifest("c", Some(&wanted_tag), INDEX, &once);
            return Some(answer);
        }
        None
    });
    let said = skills(&["copy", &format!("{}/a/b:1", from.host), &format!("{}/c:1", to.host)]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let state = model.state.lock().unwrap();
    let after: Value =
        serde_json::from_slice(&state.manifests[&("c".into(), state.tags[&("c".into(), tag)].clone())].1)
            .unwrap();
    let size = state.manifests[&("c".into(), ours.clone())].1.len();
    let own = json!({"mediaType": MANIFEST, "digest": ours, "size": size, "artifactType": "application/vnd.ours", "annotations": {"number": "1"}});
    assert_eq!(after, json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [theirs, own]}));
}

#[test]
fn layouts_that_are_none_and_names_that_are_not_there_are_said() {
    let (out, path, _) = layout(b"layer");
    let cases = [
        (
            vec!["push", "/nonexistent", "127.0.0.1:9/a:1"],
            3,
            "OCI layout /nonexistent: No such file or directory",
        ),
        (vec!["push", &path, "A:1"], 2, "is no image reference"),
        (vec!["push", &path, "./x"], 2, "is an OCI layout, and a reference to a registry is wanted"),
        (vec!["pull", "127.0.0.1:9/a:1", "/proc"], 4, "the connection to 127.0.0.1:9 was refused"),
    ];
    for (args, code, wanted) in cases {
        let said = skills(&args);
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains(wanted), "{args:?}: {}", said.stderr);
    }
    let said = skills(&["push", &format!("{path}:2"), "127.0.0.1:9/a:1"]);
    assert_eq!(said.code, 3);
    assert!(
        said.stderr.contains("has no image 2 (name one: ") && said.stderr.contains("/a/b:1)\n"),
        "{}",
        said.stderr
    );
    let model = Arc::new(Model { referrers: true, ..Model::default() });
    model.image("a/b", "1", b"layer");
    let server = healthy(&model);
    std::fs::create_dir(out.path().join("full")).unwrap();
    std::fs::write(out.path().join("full/notes.txt"), "mine").unwrap();
    let said = skills(&["pull", &format!("{}/a/b:1", server.host), &text(&out.path().join("full"))]);
    assert_eq!(said.code, 3);
    assert!(said.stderr.contains("the folder is not empty, and no OCI layout"), "{}", said.stderr);
}

/// A layout that was copied from a registry without the referrers API, tag by tag: its signatures stand in the list under the
/// fallback tag alone.
#[test]
fn signatures_of_a_layout_are_found_by_the_fallback_tag() {
    let out = folder();
    let blobs = out.path().join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let put = |value: &Value, kind: &str, name: Option<&str>| {
        let bytes = value.to_string().into_bytes();
        let own = digest(&bytes);
        std::fs::write(blobs.join(own.replace("sha256:", "")), &bytes).unwrap();
        let mut entry = json!({"mediaType": kind, "digest": own, "size": bytes.len()});
        if let Some(name) = name {
            entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        }
        entry
    };
    let config = put(&json!({}), "application/vnd.oci.empty.v1+json", None);
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []});
    let image = put(&manifest, MANIFEST, Some("skills/pdf:1"));
    let bundle = json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "bundle", "config": config, "layers": [],
        "subject": {"mediaType": MANIFEST, "digest": image["digest"], "size": image["size"]}});
    let bundle = put(&bundle, MANIFEST, None);
    let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [bundle]});
    let tag = image["digest"].as_str().unwrap().replace(':', "-");
    let list = put(&list, INDEX, Some(&format!("skills/pdf:{tag}")));
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [image, list]});
    std::fs::write(out.path().join("index.json"), index.to_string()).unwrap();
    std::fs::write(out.path().join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").unwrap();

    let model = Arc::new(Model { referrers: true, ..Model::default() });
    let server = healthy(&model);
    let reference = format!("{}/c:1", server.host);
    let said = skills(&["push", &text(out.path()), &reference, "-o", "json"]);
    assert_eq!((said.code, &said.json()["referrers"]), (0, &json!(1)), "{}", said.stderr);
    let state = model.state.lock().unwrap();
    assert!(state.manifests.contains_key(&("c".into(), bundle["digest"].as_str().unwrap().into())));
    assert_eq!(state.tags.keys().map(|(_, tag)| tag.as_str()).collect::<Vec<_>>(), ["1"]);
}
