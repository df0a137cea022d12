//! All skill images of manifests, into another registry or over an air gap.

use std::sync::Arc;

use serde_json::json;

use crate::model::Model;
use crate::{command, folder, healthy, said, skills, text};

fn manifests(host: &str, digest: &str) -> String {
    format!(
        "\
# agents
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {{name: weather}}
spec:
  type: agent
  targetRef: {{apiVersion: apps/v1, kind: Deployment, name: weather}}
  skills:
  - {{name: pdf, image: '{host}/acme/pdf:1', mountPath: /s/pdf}}   # reads
  - name: csv   # pinned
    image: '{host}/acme/csv@{digest}'
    mountPath: /s/csv
---
kind: Service
"
    )
}

#[test]
fn all_skill_images_go_over_an_air_gap_and_their_references_follow() {
    let model = Arc::new(Model { referrers: true, ..Model::default() });
    let pdf = model.image("acme/pdf", "1", b"pdf");
    let csv = model.image("acme/csv", "2", b"csv");
    model.referrer("acme/csv", &csv, "application/vnd.example", 1);
    let server = healthy(&model);
    let out = folder();
    let file = out.path().join("a.yaml");
    let before = manifests(&server.host, &csv);
    std::fs::write(&file, &before).unwrap();
    let (file, tar) = (text(&file), text(&out.path().join("skills.tar")));

    let said = skills(&["copy", "-f", &file, "--to-layout", &tar]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.stdout, format!("{tar}@{pdf}\n{tar}@{csv}\n"));
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        before,
        "nothing is renamed where nothing was asked to be"
    );

    let inner = Arc::new(Model { referrers: true, ..Model::default() });
    let to = healthy(&inner);
    let target = format!("{}/mirror", to.host);
    let dry = skills(&["copy", "-f", &file, "--from-layout", &tar, "--to-registry", &target, "--dry-run"]);
    let (host, inside) = (&server.host, &to.host);
    let wanted = format!(
        "{host}/acme/pdf:1 -> {inside}/mirror/acme/pdf:1\n{host}/acme/csv@{csv} -> {inside}/mirror/acme/csv@{csv}\n"
    );
    assert_eq!((dry.code, dry.stdout), (0, wanted), "{}", dry.stderr);
    assert!(to.requests().is_empty());

    let asked = server.requests().len();
    let after = before.replace(host.as_str(), &target);
    let printed = skills(&["copy", "-f", &file, "--from-layout", &tar, "--to-registry", &target]);
    assert_eq!((printed.code, printed.stdout.as_str()), (0, after.as_str()), "{}", printed.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    let written =
        skills(&["copy", "-f", &file, "--from-layout", &tar, "--to-registry", &target, "-i", "-o", "json"]);
    assert_eq!(written.code, 0, "{}", written.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), after);
    let digests: Vec<_> =
        written.json()["images"].as_array().unwrap().iter().map(|one| one["digest"].clone()).collect();
    assert_eq!(digests, [json!(pdf), json!(csv)]);
    assert_eq!(server.requests().len(), asked, "the layout was to be read, not the registry");
    let state = inner.state.lock().unwrap();
    assert_eq!(state.tags.len(), 1);
    assert_eq!(state.tags[&("mirror/acme/pdf".into(), "1".into())], pdf);
    assert!(state.manifests.contains_key(&("mirror/acme/csv".into(), csv)));
    assert_eq!(state.manifests.len(), 3);
}

#[test]
fn a_copy_that_fails_writes_no_manifest() {
    let model = Arc::new(Model { referrers: true, ..Model::default() });
    model.image("acme/pdf", "1", b"pdf");
    let server = healthy(&model);
    let out = folder();
    let file = out.path().join("a.yaml");
    let before = manifests(&server.host, &crate::model::digest(b"not there"));
    std::fs::write(&file, &before).unwrap();
    let said = skills(&["copy", "-f", &text(&file), "--to-registry", &format!("{}/m", server.host), "-i"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(said.stderr.contains("it is unknown (MANIFEST_UNKNOWN)"), "{}", said.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    let tar = out.path().join("x.tar");
    let said = skills(&["copy", "-f", &text(&file), "--to-layout", &text(&tar)]);
    assert_eq!((said.code, tar.exists()), (4, false), "{}", said.stderr);
    let left: Vec<_> =
        std::fs::read_dir(out.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["a.yaml"], "a temporary folder stays");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_asked() {
    let out = folder();
    let file = out.path().join("a.yaml");
    std::fs::write(&file, manifests("one.example", &crate::model::digest(b"x"))).unwrap();
    let file = text(&file);
    for args in [
        &["copy"][..],
        &["copy", "a"],
        &["copy", "-f", &file],
        &["copy", "-f", &file, "--to-registry", "reg.lan/Upper"],
        &["copy", "-f", &file, "--to-registry", "folder"],
        &["copy", "a", "b", "-f", &file],
        &["copy", "--to-registry", "x.y", "a.b/c", "d.e/f"],
        &["copy", "-f", "-", "--to-registry", "x.y", "-i"],
        &["copy", "-f", &file, "--to-layout", "x", "--to-registry", "x.y"],
    ] {
        let mut command = command(args);
        let said = said(command.stdin(std::process::Stdio::null()).output().unwrap());
        assert!(matches!(said.code, 2 | 3), "{args:?}: {} {}", said.code, said.stderr);
    }
}
