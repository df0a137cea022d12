//! Manifests and blobs that are not what they should be, come slowly, or break off.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::model::{MANIFEST, Model, digest};
use crate::server::{Answer, End, Server};
use crate::{faulty, folder, healthy, leftovers, noise, skills, text};

const SIZE: usize = 3_000_000;

fn model() -> (Arc<Model>, String) {
    let model = Arc::new(Model { referrers: true, ..Model::default() });
    let image = model.image("a/b", "1", &noise(SIZE));
    (model, image)
}

type Change = fn(&mut Vec<u8>);

/// Pulls into a new folder; gives what was said and the folder's layout.
fn pull(server: &Server, more: &[&str]) -> (crate::Said, tempfile::TempDir) {
    let out = folder();
    let (reference, layout) = (format!("{}/a/b:1", server.host), text(&out.path().join("l")));
    (skills(&[&["pull", &reference, &layout], more].concat()), out)
}

fn is_whole(out: &tempfile::TempDir, image: &str) {
    let layout = out.path().join("l");
    assert_eq!(leftovers(&layout), ["index.json", "oci-layout"]);
    let index: Value = serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["digest"], image);
    let layer = digest(&noise(SIZE)).replace("sha256:", "");
    assert!(layout.join("blobs/sha256").join(layer).exists());
}

#[test]
fn a_registry_that_names_no_digest_is_asked_for_the_bytes() {
    let (model, image) = model();
    let server = faulty(&model, |request, model| {
        request.path.contains("/manifests/").then(|| model.answer(request).without("Docker-Content-Digest"))
    });
    let (said, out) = pull(&server, &[]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    is_whole(&out, &image);
    let manifests: Vec<String> =
        server.lines().into_iter().filter(|line| line.contains("/manifests/1")).collect();
    assert_eq!(manifests, ["HEAD /v2/a/b/manifests/1", "GET /v2/a/b/manifests/1"]);
}

#[test]
fn a_healthy_registry_is_asked_by_head_first() {
    let (model, image) = model();
    let server = healthy(&model);
    let (said, out) = pull(&server, &["--no-referrers"]);
    assert_eq!(
        (said.code, said.stdout),
        (0, format!("{}@{image}\n", text(&out.path().join("l")))),
        "{}",
        said.stderr
    );
    is_whole(&out, &image);
    let mut lines = server.lines();
    lines[2..].sort();
    let blobs = [digest(&noise(SIZE)), digest(b"{}")];
    let mut wanted = vec!["HEAD /v2/a/b/manifests/1".to_owned(), format!("GET /v2/a/b/manifests/{image}")];
    let mut blobs = blobs.map(|blob| format!("GET /v2/a/b/blobs/{blob}"));
    blobs.sort();
    wanted.extend(blobs);
    assert_eq!(lines, wanted);
    let accepts: Vec<_> =
        server.requests().iter().filter_map(|one| one.header("accept").map(str::to_owned)).collect();
    assert!(
        accepts.iter().all(|accept| accept.contains("docker.distribution.manifest.list.v2+json")),
        "{accepts:?}"
    );
}

#[test]
fn throttling_is_sat_out_and_a_long_wish_is_passed_on() {
    let (model, image) = model();
    let count = AtomicUsize::new(0);
    let server = faulty(&model, move |_, _| {
        let turned_away = !count.fetch_add(1, Ordering::Relaxed).is_multiple_of(3);
        turned_away.then(|| Answer::new(429, "slow down").with("Retry-After", 0))
    });
    let (said, out) = pull(&server, &[]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    is_whole(&out, &image);

    let server = faulty(&model, |_, _| {
        let said = json!({"errors": [{"code": "TOOMANYREQUESTS", "message": "pull rate limit"}]});
        Some(Answer::new(429, said.to_string()).with("Retry-After", 3600))
    });
    let (said, _) = pull(&server, &[]);
    assert_eq!(said.code, 4);
    let wanted = format!(
        "error: read the manifest of {0}/a/b:1: {0} answered 429 Too Many Requests; it asks to come again in 3600 s\n  run again \
         then; what is complete is not fetched again\n",
        server.host
    );
    assert_eq!(said.stderr, wanted);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_cut_connection_is_taken_up_where_it_broke() {
    for ignores_ranges in [false, true] {
        let (model, image) = model();
        let layer = digest(&noise(SIZE));
        let count = AtomicUsize::new(0);
        let server = faulty(&model, move |request, model| {
            if !(request.method == "GET" && request.path.ends_with(&layer)) {
                return None;
            }
            let mut request = request.clone();
            if ignores_ranges {
                request.headers.retain(|(name, _)| name != "range");
            }
            let answer = model.answer(&request);
            // Whoever always sends it from the start gets a little further each time.
            let cut = 1_000_000 * if ignores_ranges { count.fetch_add(1, Ordering::Relaxed) + 1 } else { 1 };
            Some(if answer.body.len() > cut { answer.ending(End::Cut(cut)) } else { answer })
        });
        let (said, out) = pull(&server, &[]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        is_whole(&out, &image);
        let ranges: Vec<_> =
            server.requests().iter().filter_map(|one| one.header("range").map(str::to_owned)).collect();
        assert_eq!(ranges, ["bytes=1000000-2999999", "bytes=2000000-2999999"]);
    }
}

#[test]
fn silence_is_noticed_and_a_registry_that_stays_silent_is_given_up() {
    let (model, image) = model();
    let layer = digest(&noise(SIZE));
    let once = AtomicUsize::new(0);
    let server = faulty(&model, move |request, model| {
        let first = request.path.ends_with(&layer) && once.fetch_add(1, Ordering::Relaxed) == 0;
        first.then(|| model.answer(request).ending(End::Silent(5000)))
    });
    let (said, out) = pull(&server, &["--registry-timeout", "1s"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    is_whole(&out, &image);

    let server = faulty(&model, move |request, model| {
        request.path.contains("/blobs/").then(|| model.answer(request).ending(End::Silent(0)))
    });
    let (said, out) = pull(&server, &["--registry-timeout", "200ms"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""));
    assert!(said.stderr.contains("was silent for 0.2 s (after 7 attempts)"), "{}", said.stderr);
    assert_eq!(leftovers(&out.path().join("l")), ["oci-layout"]);
}

#[test]
fn a_manifest_over_four_mebibytes_is_refused_before_it_is_read() {
    let large = json!({"schemaVersion": 2, "config": {}, "x": "y".repeat(4 << 20)}).to_string().into_bytes();
    let name = digest(&large);
    for announced in [true, false] {
        let (large, name) = (large.clone(), name.clone());
        let server = Server::start(move |request| {
            let answer = Answer::new(200, large.clone()).with("Content-Type", MANIFEST);
            if request.method == "HEAD" && !announced {
                let small = Answer::new(200, "").with("Content-Type", MANIFEST).with("Content-Length", 100);
                return small.with("Docker-Content-Digest", &name);
            }
            answer.with("Docker-Content-Digest", &name)
        });
        let (said, out) = pull(&server, &[]);
        assert_eq!(said.code, 4, "{}", said.stderr);
        assert!(said.stderr.contains("4194304"), "{}", said.stderr);
        assert_eq!(server.requests().len(), if announced { 1 } else { 2 });
        assert!(!out.path().join("l/index.json").exists());
    }
}

#[test]
fn bytes_that_are_not_what_their_digest_names_are_refused() {
    let (model, image) = model();
    let layer = digest(&noise(SIZE));
    let liar = |what: &'static str, change: Change| {
        let (image, layer) = (image.clone(), layer.clone());
        faulty(&model, move |request, model| {
            let is = match what {
                "manifest" => request.path.ends_with(&image),
                _ => request.path.ends_with(&layer),
            };
            (is && request.method == "GET").then(|| {
                let mut answer = model.answer(request).without("Docker-Content-Digest");
                change(&mut answer.body);
                answer
            })
        })
    };
    let cases: [(&str, Change, &str); 5] = [
        ("manifest", |bytes| bytes[10] ^= 1, "its digest is sha256:"),
        ("manifest", |bytes| bytes.push(b' '), "bytes, and"),
        ("layer", |bytes| bytes[0] ^= 1, "its digest is sha256:"),
        ("layer", |bytes| bytes.push(0), "it is longer than the 3000000 bytes"),
        ("layer", |bytes| bytes.truncate(10), "it ends after 70 of 3000000 bytes (after 7 attempts)"),
    ];
    for (what, change, wanted) in cases {
        let server = liar(what, change);
        let (said, out) = pull(&server, &[]);
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{what}");
        assert!(said.stderr.contains(wanted), "{what}: {}", said.stderr);
        let left = leftovers(&out.path().join("l"));
        assert!(left == ["oci-layout"] || left.is_empty(), "{what}: {left:?}");
    }
    // The header names another digest than the bytes have, or than was asked for.
    let server = faulty(&model, |request, model| {
        let answer = model.answer(request).without("Docker-Content-Digest");
        request.path.contains("/manifests/").then(|| answer.with("Docker-Content-Digest", digest(b"other")))
    });
    let (said, _) = pull(&server, &[]);
    assert_eq!(said.code, 4, "{}", said.stderr);
    let out = folder();
    let pinned = format!("{}/a/b@{image}", server.host);
    let said = skills(&["pull", &pinned, &text(&out.path().join("l"))]);
    assert_eq!(said.code, 4);
    assert!(
        said.stderr.contains(&format!("the registry has {} under that digest", digest(b"other"))),
        "{}",
        said.stderr
    );
}

/// A content network that saw our login could use it.
#[test]
fn a_redirect_to_another_host_carries_no_login() {
    let (model, image) = model();
    let store = healthy(&model);
    let target = store.host.clone();
    let server = faulty(&model, move |request, _| {
        if request.header("authorization").is_none() {
            return Some(Answer::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""));
        }
        let is_blob = request.method == "GET" && request.path.contains("/blobs/");
        is_blob.then(|| Answer::new(307, "").with("Location", format!("http://{target}{}", request.path)))
    });
    let out = folder();
    let config = out.path().join("auth.json");
    let auths = json!({"auths": {&server.host: {"auth": "dXNlcjpzM2NyZXQ="}}});
    std::fs::write(&config, auths.to_string()).unwrap();
    let (said, layout) = pull(&server, &["--registry-config", &text(&config)]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    is_whole(&layout, &image);
    let at_store = store.requests();
    assert_eq!(at_store.len(), 2);
    assert!(at_store.iter().all(|one| one.header("authorization").is_none()), "{at_store:?}");

    let server = Server::start(|_| Answer::new(302, "").with("Location", "/round"));
    let (said, _) = pull(&server, &[]);
    assert!(said.stderr.contains("more than 5 redirects"), "{}", said.stderr);
}

#[test]
fn a_mirror_is_asked_first_and_what_it_lacks_is_said() {
    let (model, image) = model();
    let origin = healthy(&model);
    let mirrored = Arc::new(Model::default());
    mirrored.image("hub/a/b", "1", &noise(SIZE));
    let layer = digest(&noise(SIZE));
    let mirror = faulty(&mirrored, move |request, _| {
        request.path.ends_with(&layer).then(|| crate::model::unknown("BLOB_UNKNOWN"))
    });
    let flag = format!("{}={}/hub", origin.host, mirror.host);
    let (said, out) = pull(&origin, &["--mirror", &flag]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    is_whole(&out, &image);
    assert!(
        said.stderr.contains(&format!("note: mirror {}/hub/a/b: read blob", mirror.host)),
        "{}",
        said.stderr
    );
    let at_origin: Vec<String> =
        origin.lines().into_iter().filter(|line| !line.contains("sha256-")).collect();
    let mut at_origin: Vec<String> =
        at_origin.into_iter().filter(|line| !line.contains("referrers")).collect();
    at_origin.sort();
    assert_eq!(at_origin, [format!("GET /v2/a/b/blobs/{}", digest(&noise(SIZE)))]);
}

/// Companies reach registries through a proxy alone; one on loopback is never asked through it.
#[test]
fn a_proxy_of_the_environment_is_asked() {
    let (model, image) = model();
    let proxied = Arc::clone(&model);
    let proxy = Server::start(move |request| {
        let path = request.path.strip_prefix("http://reg.example").unwrap_or("/none").to_owned();
        proxied.answer(&crate::server::Request { path, ..request.clone() })
    });
    let out = folder();
    let layout = text(&out.path().join("l"));
    let run = |reference: &str, no_proxy: &str| {
        let mut command = crate::command(&["pull", reference, &layout, "--insecure-registry", "reg.example"]);
        command.env("HTTP_PROXY", format!("http://me:pw@{}", proxy.host)).env("NO_PROXY", no_proxy);
        crate::said(command.output().unwrap())
    };
    let said = run("reg.example/a/b:1", "");
    assert_eq!(said.code, 0, "{}", said.stderr);
    is_whole(&out, &image);
    let asked = proxy.requests();
    assert!(asked.iter().all(|one| one.header("proxy-authorization") == Some("Basic bWU6cHc=")), "{asked:?}");
    let server = healthy(&model);
    assert_eq!(run(&format!("{}/a/b:1", server.host), "").code, 0);
    assert_eq!(proxy.requests().len(), asked.len());
    let said = run("reg.example/a/b:1", "reg.example");
    assert_eq!((said.code, proxy.requests().len()), (4, asked.len()), "{}", said.stderr);
}

#[test]
fn a_run_that_is_stopped_leaves_no_image_and_the_next_one_goes_on() {
    let (model, image) = model();
    let layer = digest(&noise(SIZE));
    let slow = layer.clone();
    let server = faulty(&model, move |request, model| {
        request.path.ends_with(&slow).then(|| model.answer(request).ending(End::Silent(1_000_000)))
    });
    let out = folder();
    let layout = text(&out.path().join("l"));
    let child = crate::command(&["pull", &format!("{}/a/b:1", server.host), &layout])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !server.lines().iter().any(|line| line.ends_with(&layer)) {
        assert!(std::time::Instant::now() < give_up, "the layer was not asked for");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let killed =
        std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let said = crate::said(child.wait_with_output().unwrap());
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (
            4,
            "error: stopped by SIGTERM: no tag and no index.json was written\n  run again to go on: what is complete is not fetched \
             or sent again\n"
        )
    );
    assert_eq!(leftovers(&out.path().join("l")), ["oci-layout"]);
    let server = healthy(&model);
    let said = skills(&["pull", &format!("{}/a/b:1", server.host), &layout, "-o", "json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    is_whole(&out, &image);
    let again = skills(&["pull", &format!("{}/a/b:1", server.host), &layout, "-o", "json"]);
    assert_eq!(again.json()["blobs"], json!({"sent": 0, "bytes": 0, "mounted": 0, "present": 2}));
}

/// `script` of util-linux gives a pseudo-terminal.
#[test]
fn progress_is_for_a_terminal_and_neither_for_scripts_nor_for_ci() {
    let (model, image) = model();
    let server = healthy(&model);
    let out = folder();
    let shown = |number: u32, flag: &str, ci: &str| {
        let layout = text(&out.path().join(number.to_string()));
        let program = env!("CARGO_BIN_EXE_kubectl-skills");
        let line = format!("{program} pull {}/a/b:1 {layout} {flag}", server.host);
        let mut command = std::process::Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TERM", "xterm")
            .env("CI", ci);
        let output = command.stdin(std::process::Stdio::null()).output().expect("script of util-linux");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && shown.contains(&format!("{layout}@{image}")), "{shown}");
        shown.contains("B/s")
    };
    assert_eq!([shown(1, "", ""), shown(2, "-q", ""), shown(3, "", "true")], [true, false, false]);
    let (said, _out) = pull(&server, &[]);
    assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
}
