//! The way of docs/skills.md: a folder becomes an image in a registry, the image is looked into there, and a manifest that
//! names it is rendered and valid.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::{Arc, mpsc};

use serde_json::json;

use crate::model::Model;
use crate::server::{Answer, End};
use crate::{command, faulty, folder, healthy, noise, said, skills, text};

const SKILL: &str = "---\nname: pdf\ndescription: Reads PDF files. Use it for PDF.\n---\n# PDF\n\nRead it.\n";

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: weather, namespace: team1}
spec:
  selector: {matchLabels: {app: weather}}
  template:
    metadata:
      labels: {app: weather}
    spec:
      containers:
        - name: agent
          image: quay.io/acme/weather:1
";

/// Each step takes what the one before it printed.
#[test]
fn a_folder_becomes_a_skill_that_an_agent_has() {
    let model = Arc::new(Model::default());
    let server = healthy(&model);
    let work = folder();
    let skill = work.path().join("pdf");
    std::fs::create_dir_all(skill.join("scripts")).expect("a folder");
    std::fs::write(skill.join("SKILL.md"), SKILL).expect("a file");
    std::fs::write(skill.join("scripts/run.py"), "print(1)\n").expect("a file");

    let reference = format!("{}/acme/skills/pdf:1.2.0", server.host);
    let packed = skills(&["pack", &text(&skill), "--push", &reference, "-o", "json"]);
    assert_eq!(packed.code, 0, "{packed:?}");
    let packed = packed.json();
    let digest = packed["digest"].as_str().expect("a digest");
    let pinned = packed["pinned"].as_str().expect("a reference");
    assert_eq!(pinned, format!("{reference}@{digest}"));

    // By the tag and by the digest it is what was in the folder.
    let of_folder = skills(&["inspect", &text(&skill), "-o", "json"]).json();
    for name in [reference.as_str(), pinned] {
        let seen = skills(&["inspect", name, "-o", "json"]);
        assert_eq!(seen.code, 0, "{seen:?}");
        let mut seen = seen.json();
        assert_eq!(
            (&seen["image"]["digest"], &seen["image"]["format"]),
            (&json!(digest), &json!("skillimage"))
        );
        seen["reference"] = of_folder["reference"].clone();
        seen.as_object_mut().expect("an object").remove("image");
        assert_eq!(seen, of_folder);
    }

    // Packed to a layout and pushed from there it is the same image.
    let layout = text(&work.path().join("layout"));
    assert_eq!(skills(&["pack", &text(&skill), "--to", &layout, "-t", "1.2.0"]).code, 0);
    let other = format!("{}/acme/other:1", server.host);
    let pushed = skills(&["push", &format!("{layout}:1.2.0"), &other, "-o", "json"]);
    assert_eq!((pushed.code, pushed.json()["digest"].clone()), (0, json!(digest)));

    let binding = format!(
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: weather, namespace: team1}}\n\
         spec:\n  targetRef: {{apiVersion: apps/v1, kind: Deployment, name: weather}}\n  skills:\n  \
         - {{name: pdf, image: '{pinned}', mountPath: /skills/pdf}}\n"
    );
    let (binding_at, deployment_at) = (work.path().join("skills.yaml"), work.path().join("deployment.yaml"));
    std::fs::write(&binding_at, binding).expect("a file");
    std::fs::write(&deployment_at, DEPLOYMENT).expect("a file");
    let files = ["-f", &text(&binding_at), "-f", &text(&deployment_at)].map(str::to_owned);
    let run = |verb: &str| {
        let words: Vec<&str> = std::iter::once(verb).chain(files.iter().map(String::as_str)).collect();
        skills(&words)
    };
    let rendered = run("render");
    assert_eq!(rendered.code, 0, "{rendered:?}");
    assert!(rendered.stdout.contains(&format!("reference: \"{pinned}\"")), "{}", rendered.stdout);
    assert!(rendered.stdout.contains("mountPath: /skills/pdf"), "{}", rendered.stdout);
    let valid = run("validate");
    assert_eq!(valid.code, 0, "{valid:?}");
}

/// What the registry has may be anything.
#[test]
fn an_image_of_a_registry_is_checked_as_any_other() {
    let model = Arc::new(Model::default());
    model.image("acme/pdf", "1", b"no layer at all");
    let server = healthy(&model);
    let seen = skills(&["inspect", &format!("{}/acme/pdf:1", server.host)]);
    assert_eq!((seen.code, seen.stdout.as_str()), (3, ""));
    assert!(seen.stderr.contains("layer 1 (sha256:") && seen.stderr.contains("which is no tar"), "{seen:?}");
    let none = skills(&["inspect", &format!("{}/acme/pdf:2", server.host)]);
    assert_eq!((none.code, none.stdout.as_str()), (4, ""), "{none:?}");
}

/// A skill whose image has a layer of some size.
fn large(work: &std::path::Path) -> String {
    let skill = work.join("pdf");
    std::fs::create_dir_all(&skill).expect("a folder");
    std::fs::write(skill.join("SKILL.md"), SKILL).expect("a file");
    std::fs::write(skill.join("model.bin"), noise(300_000)).expect("a file");
    text(&skill)
}

/// A registry that turns us away in the middle of a layer is no defect of the image.
#[test]
fn a_registry_that_fails_amid_a_layer_is_to_blame() {
    let model = Arc::new(Model::default());
    let server = healthy(&model);
    let work = folder();
    let name = "acme/pdf:1";
    let packed =
        skills(&["pack", &large(work.path()), "--push", &format!("{}/{name}", server.host), "-o", "json"]);
    assert_eq!(packed.code, 0, "{packed:?}");
    let broken = faulty(&model, |request, model| {
        let answer = model.answer(request);
        let is_layer =
            request.method == "GET" && request.path.contains("/blobs/") && answer.body.len() > 100_000;
        is_layer.then(|| match request.header("range") {
            Some(_) => Answer::new(403, r#"{"errors":[{"code":"DENIED","message":"not today"}]}"#),
            None => answer.ending(End::Cut(50_000)),
        })
    });
    let reference = format!("{}/{name}", broken.host);
    for args in [&["inspect", &reference][..], &["inspect", &reference, "-o", "json"]] {
        let seen = skills(args);
        assert_eq!((seen.code, seen.stdout.as_str()), (4, ""), "{seen:?}");
        let layer = packed.json()["layer"]["digest"].as_str().expect("a digest").to_owned();
        assert!(
            seen.stderr
                .starts_with(&format!("error: {reference}, layer 1 ({layer}), entry \"model.bin\": read ")),
            "{}",
            seen.stderr
        );
        assert!(seen.stderr.contains("not today (DENIED)"), "{}", seen.stderr);
    }
    // The same bytes, damaged on this machine, are bad input.
    let layout = work.path().join("l");
    assert_eq!(skills(&["pull", &format!("{}/{name}", server.host), &text(&layout)]).code, 0);
    let layer = packed.json()["layer"]["digest"].as_str().expect("a digest").replace("sha256:", "");
    let blob = layout.join("blobs/sha256").join(layer);
    let mut bytes = std::fs::read(&blob).expect("a layer");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&blob, bytes).expect("damage");
    assert_eq!(skills(&["inspect", &text(&layout)]).code, 3);
}

/// Docker Hub has an image of somebody under many a mistyped name, and would learn of it.
#[test]
fn a_mistyped_path_is_asked_of_nobody() {
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
    proxy.set_nonblocking(true).expect("no waiting");
    let at = format!("http://{}", proxy.local_addr().expect("an address"));
    let work = folder();
    std::fs::create_dir_all(work.path().join("skills/pdf")).expect("a folder");
    std::fs::write(work.path().join("skills/notes.md"), "x").expect("a file");
    let run = |args: &[&str]| {
        let mut command = command(args);
        said(command.current_dir(work.path()).env("HTTPS_PROXY", &at).output().expect("a run"))
    };
    let hub = "an image of Docker Hub is named docker.io/";
    for (word, message) in [
        (
            "skils/pdf",
            format!("skils/pdf: no such folder or file (did you mean skills/pdf? {hub}skils/pdf:latest)"),
        ),
        (
            "skills/pfd",
            format!("skills/pfd: no such folder or file (did you mean skills/pdf? {hub}skills/pfd:latest)"),
        ),
        ("pdf", format!("pdf: no such folder or file ({hub}library/pdf:latest)")),
        (
            "skills/notes.md",
            format!(
                "skills/notes.md: is there, and no OCI layout ('pack' makes images of folders and zips; {hub}skills/notes.md:latest)"
            ),
        ),
        (
            "skills/pdf:1",
            format!(
                "skills/pdf: is there, and no OCI layout ('pack' makes images of folders and zips; {hub}skills/pdf:1)"
            ),
        ),
        ("./x.tar", "OCI layout ./x.tar: No such file or directory (os error 2)".to_owned()),
    ] {
        for verb in [&["inspect", word][..], &["convert", word, "--to", "out"], &["copy", word, "./out"]] {
            let seen = run(verb);
            let wanted = format!("error: {message}\n");
            assert_eq!((seen.code, seen.stdout.as_str(), seen.stderr), (3, "", wanted), "{verb:?}");
        }
    }
    let seen = run(&["copy", "quay.io/acme/pdf:1", "out"]);
    assert_eq!(seen.code, 2, "{seen:?}");
    assert!(seen.stderr.contains("write ./out or docker.io/library/out:TAG"), "{}", seen.stderr);
    let asked = proxy.accept().map_err(|error| error.kind());
    assert_eq!(asked.map(drop), Err(ErrorKind::WouldBlock), "somebody was asked");
    // What is meant for Docker Hub goes there.
    drop(proxy);
    let seen = run(&["inspect", "nginx:1"]);
    assert_eq!(seen.code, 4, "{seen:?}");
    assert!(seen.stderr.contains("docker.io/library/nginx:1"), "{}", seen.stderr);
}

/// What a killed run leaves in the system's folder for temporary files goes with the next one.
#[test]
fn a_push_that_is_killed_is_cleaned_up_after() {
    let model = Arc::new(Model::default());
    let work = folder();
    let temporary = folder();
    let skill = large(work.path());
    let (asked, came) = mpsc::channel();
    let silent = faulty(&model, move |_, _| {
        let _ = asked.send(());
        Some(Answer::new(200, "").ending(End::Silent(0)))
    });
    let mut killed = command(&["pack", &skill, "--push", &format!("{}/a/b:1", silent.host)])
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a run");
    came.recv().expect("a request");
    killed.kill().expect("a running process");
    killed.wait().expect("its end");
    let left = || std::fs::read_dir(temporary.path()).expect("a folder").count();
    assert_eq!(left(), 1);
    let server = healthy(&model);
    let mut again = command(&["pack", &skill, "--push", &format!("{}/a/b:1", server.host)]);
    let again = said(again.env("TMPDIR", temporary.path()).output().expect("a run"));
    assert_eq!((again.code, left()), (0, 0), "{again:?}");
}
