//! The way of docs/delivery.md for clusters without image volumes: a manifest is rendered, and what its init container would run is
//! run, as often as a container is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tempfile::TempDir;

use crate::model::Model;
use crate::server::Answer;
use crate::{Said, command, faulty, folder, healthy, noise, said, skills, text};

const SKILL: &str = "---\nname: pdf\ndescription: Reads PDF files. Use it for PDF.\n---\n# PDF\n";

/// A skill with what no ConfigMap takes: two megabytes of no text, a program, a link.
fn skill(root: &Path) {
    for part in ["scripts", "assets/deep"] {
        std::fs::create_dir_all(root.join(part)).expect("a folder");
    }
    let write = |name: &str, bytes: &[u8]| std::fs::write(root.join(name), bytes).expect("a file");
    write("SKILL.md", SKILL.as_bytes());
    write("scripts/run.sh", b"#!/bin/sh\necho 1\n");
    write("assets/deep/model.bin", &noise(2 << 20));
    write("assets/same.bin", &noise(2 << 20));
    executable(&root.join("scripts/run.sh"));
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}

/// Each file with its mode and bytes.
fn files(root: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut out = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at).expect("a folder").flatten() {
            let (path, metadata) = (entry.path(), entry.metadata().expect("there"));
            if metadata.is_dir() {
                folders.push(path);
                continue;
            }
            let below = path.strip_prefix(root).expect("below").display().to_string();
            out.insert(below, (metadata.permissions().mode() & 0o111, std::fs::read(&path).expect("bytes")));
        }
    }
    out
}

fn manifests(image: &str, more: &str) -> String {
    format!(
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: weather, namespace: team1}}\nspec:\n  \
         targetRef: {{apiVersion: apps/v1, kind: Deployment, name: weather}}\n  skills:\n  - {{name: pdf, image: '{image}', \
         mountPath: /skills/pdf{more}}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: weather, namespace: \
         team1}}\nspec:\n  selector: {{matchLabels: {{app: weather}}}}\n  template:\n    metadata: {{labels: {{app: \
         weather}}}}\n    spec:\n      imagePullSecrets: [{{name: regcred}}]\n      containers: [{{name: agent, image: i}}]\n"
    )
}

/// The arguments of the init container of a render, with its folders where they are on this machine.
fn init_command(work: &Path, image: &str, more: &str) -> Vec<String> {
    let at = work.join("manifests.yaml");
    std::fs::write(&at, manifests(image, more)).expect("a file");
    let rendered = skills(&["render", "-f", &text(&at), "--delivery", "init", "-o", "json", "-q"]);
    assert_eq!(rendered.code, 0, "{rendered:?}");
    let pod = rendered.json()["items"][1]["spec"]["template"]["spec"].clone();
    let container = &pod["initContainers"][0];
    let args = container["args"].as_array().expect("arguments").iter();
    args.map(|one| match one.as_str().expect("text") {
        "/skill" => text(&work.join("volume")),
        "/login" => text(&work.join("login")),
        other => other.to_owned(),
    })
    .collect()
}

/// The folder of a skill, and where one that is to get it would be.
fn skill_and_volume(work: &TempDir) -> (PathBuf, PathBuf) {
    let (source, volume) = (work.path().join("pdf"), work.path().join("volume"));
    skill(&source);
    (source, volume)
}

/// As a kubelet starts it: nothing of a user's is there, not even a home.
fn start(args: &[String]) -> Said {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = command(&args);
    command.env_clear();
    said(command.output().expect("a run"))
}

#[test]
fn what_an_init_container_runs_gives_the_files_of_the_skill() {
    let model = Arc::new(Model::default());
    let server = healthy(&model);
    let work = folder();
    let (source, volume) = skill_and_volume(&work);
    let image = format!("{}/acme/skills/pdf:1.2.0", server.host);
    let packed = skills(&["pack", &text(&source), "--push", &image, "-o", "json"]);
    assert_eq!(packed.code, 0, "{packed:?}");
    std::fs::create_dir(&volume).expect("an empty folder, as the kubelet makes it");
    let args = init_command(work.path(), &image, "");
    let first = start(&args);
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(files(&volume), files(&source));
    let seen = skills(&["inspect", &text(&volume), "-o", "json"]).json();
    assert!(first.stdout.contains(seen["contentIdentity"].as_str().expect("an identity")), "{first:?}");
    // The node has restarted: the container runs again, on what is there.
    let second = start(&args);
    assert_eq!((second.code, &second.stdout), (0, &first.stdout), "{second:?}");
    assert_eq!(files(&volume), files(&source));
    // It was ended amid its work, and files of another version are there.
    std::fs::remove_dir_all(volume.join("scripts")).expect("a folder");
    std::fs::write(volume.join("SKILL.md"), "---\nna").expect("half a file");
    std::fs::write(volume.join("old.md"), "old").expect("a file");
    std::fs::create_dir_all(volume.join(".kubectl-skills-pull/blobs")).expect("a folder");
    std::fs::write(volume.join(".kubectl-skills-pull/file"), "half").expect("a file");
    assert_eq!(start(&args).code, 0);
    assert_eq!(files(&volume), files(&source));
}

/// An agent that started on half a skill would not know.
#[test]
fn an_image_that_cannot_be_read_leaves_what_was_there() {
    let model = Arc::new(Model::default());
    let server = faulty(&model, |request, model| {
        let is_blob = request.method == "GET" && request.path.contains("/blobs/");
        let mut answer = model.answer(request);
        let last = answer.body.len().checked_sub(1).filter(|_| is_blob && answer.body.len() > 1024)?;
        answer.body[last / 2] ^= 1;
        Some(answer)
    });
    let work = folder();
    let (source, volume) = skill_and_volume(&work);
    let sound = format!("{}/acme/skills/pdf:1.2.0", healthy(&model).host);
    assert_eq!(skills(&["pack", &text(&source), "--push", &sound]).code, 0);
    let image = format!("{}/acme/skills/pdf:1.2.0", server.host);
    std::fs::create_dir(&volume).expect("a folder");
    std::fs::write(volume.join("SKILL.md"), "of the version before").expect("a file");
    let before = files(&volume);
    let refused = start(&init_command(work.path(), &image, ""));
    assert!(refused.code != 0 && refused.stderr.contains("error: "), "{refused:?}");
    assert_eq!(files(&volume), before);
}

/// An image volume with a subPath that its image has not fails to mount; an empty folder would be an agent without its skill.
#[test]
fn a_path_within_the_image_is_what_is_fetched() {
    let model = Arc::new(Model::default());
    let server = healthy(&model);
    let work = folder();
    let (source, volume) = skill_and_volume(&work);
    let image = format!("{}/acme/skills/pdf:1.2.0", server.host);
    assert_eq!(skills(&["pack", &text(&source), "--push", &image]).code, 0);
    let fetched = start(&init_command(work.path(), &image, ", subPath: assets"));
    assert_eq!(fetched.code, 0, "{fetched:?}");
    assert_eq!(files(&volume.join("assets")), files(&source.join("assets")));
    assert_eq!(files(&volume).len(), 2, "and nothing else");
    let refused = start(&init_command(work.path(), &image, ", subPath: asset"));
    assert!(refused.code == 3 && refused.stderr.contains("nothing is at or below asset"), "{refused:?}");
    assert_eq!(files(&volume).len(), 2);
}

/// The kubelet's login is not the container's: the pod's pull secrets are there as files, of which one may be missing.
#[test]
fn the_pull_secrets_of_the_pod_log_in() {
    let model = Arc::new(Model::default());
    let wanted = format!("Basic {}", STANDARD.encode("robot:secret"));
    let server = faulty(&model, move |request, _| {
        let is_read = ["GET", "HEAD"].contains(&request.method.as_str());
        let comes = request.header("authorization") == Some(wanted.as_str());
        (is_read && !comes).then(|| Answer::new(401, "").with("WWW-Authenticate", "Basic realm=\"registry\""))
    });
    let work = folder();
    let (source, login) = (work.path().join("pdf"), work.path().join("login"));
    skill(&source);
    let image = format!("{}/acme/skills/pdf:1.2.0", server.host);
    std::fs::create_dir_all(&login).expect("a folder");
    let config = json!({"auths": {&server.host: {"auth": STANDARD.encode("robot:secret")}}}).to_string();
    std::fs::write(login.join("regcred.json"), &config).expect("a file");
    let pushed = skills(&[
        "pack",
        &text(&source),
        "--push",
        &image,
        "--registry-config",
        &text(&login.join("regcred.json")),
    ]);
    assert_eq!(pushed.code, 0, "{pushed:?}");
    let args = init_command(work.path(), &image, "");
    assert_eq!(start(&args).code, 0);
    assert_eq!(files(&work.path().join("volume")), files(&source));
    std::fs::remove_file(login.join("regcred.json")).expect("a file");
    let refused = start(&args);
    assert_eq!(refused.code, 4, "{refused:?}");
}

/// Whoever names a folder by mistake does not lose it.
#[test]
fn a_folder_that_is_not_empty_is_left() {
    let model = Arc::new(Model::default());
    let server = healthy(&model);
    let work = folder();
    let source = work.path().join("pdf");
    skill(&source);
    let image = format!("{}/acme/skills/pdf:1.2.0", server.host);
    assert_eq!(skills(&["pack", &text(&source), "--push", &image]).code, 0);
    let before = files(&source);
    let refused = skills(&["pull", &image, "--to", &text(&source)]);
    assert!(
        refused.code == 3 && refused.stderr.contains("is not empty, and nothing was written"),
        "{refused:?}"
    );
    assert_eq!(files(&source), before);
    let other = work.path().join("new/pdf");
    let pulled = skills(&["pull", &image, "--to", &text(&other), "-o", "json"]);
    assert_eq!((pulled.code, pulled.json()["files"].clone()), (0, json!(4)), "{pulled:?}");
    assert_eq!(files(&other), before);
    assert_eq!(skills(&["pull", &image]).code, 2);
    assert_eq!(skills(&["pull", &image, "layout", "--to", "x"]).code, 2);
}
