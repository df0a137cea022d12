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
    let none = ["copy", "-f", &file, "--from-layout", "./none", "--to-registry", &target, "--dry-run"];
    let none = skills(&none);
    assert!(none.code != 0 && none.stderr.contains("OCI layout ./none"), "{none:?}");
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

/// Skills are mounted into nine kinds of workload; one that is left out keeps its reference, and fails over an air gap.
#[test]
fn rendered_workloads_of_every_kind_are_read_and_written() {
    let model = Arc::new(Model::default());
    let server = healthy(&model);
    let host = &server.host;
    let kinds = [
        ("apps/v1", "Deployment", "template"),
        ("apps/v1", "StatefulSet", "template"),
        ("agents.x-k8s.io/v1alpha1", "Sandbox", "podTemplate"),
        ("apps/v1", "DaemonSet", "template"),
        ("apps/v1", "ReplicaSet", "template"),
        ("batch/v1", "Job", "template"),
        ("batch/v1", "CronJob", "jobTemplate: {spec: {template"),
        ("argoproj.io/v1alpha1", "Rollout", "template"),
        ("serving.knative.dev/v1", "Service", "template"),
    ];
    let (mut manifests, mut wanted) = (String::new(), String::new());
    for (api_version, kind, template) in kinds {
        let name = if api_version.contains("knative") { "knative".to_owned() } else { kind.to_lowercase() };
        model.image(&format!("acme/{name}"), "1", kind.as_bytes());
        let image = format!("{host}/acme/{name}:1");
        let end = if kind == "CronJob" { "}}" } else { "" };
        manifests += &format!(
            "---\napiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{{template}: {{spec: {{volumes: \
             [{{name: skill-a, image: {{reference: '{image}'}}}}]}}}}}}{end}\n"
        );
        wanted += &format!("{image} -> {host}/m/acme/{name}:1\n");
    }
    let out = folder();
    let file = out.path().join("a.yaml");
    std::fs::write(&file, &manifests).unwrap();
    let copy = ["copy", "-f", &text(&file), "--to-registry", &format!("{host}/m")];
    let said = skills(&[&copy[..], &["--dry-run"]].concat());
    assert_eq!((said.code, said.stdout), (0, wanted), "{}", said.stderr);
    let said = skills(&[&copy[..], &["-i"]].concat());
    assert_eq!(said.code, 0, "{}", said.stderr);
    let after = manifests.replace(&format!("{host}/acme/"), &format!("{host}/m/acme/"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), after);
    assert_eq!(model.state.lock().unwrap().tags.len(), 2 * kinds.len());
}

/// `pdf` is `docker.io/library/pdf:latest`: one image, that two objects write otherwise.
#[test]
fn one_image_may_be_written_in_two_ways() {
    let out = folder();
    let file = out.path().join("a.yaml");
    let binding = "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {name: a}\nspec:\n  \
        targetRef: {apiVersion: apps/v1, kind: Deployment, name: a}\n  skills:\n  \
        - {name: a, image: pdf, mountPath: /a}\n  - {name: b, image: 'docker.io/library/pdf:latest', mountPath: /b}\n";
    std::fs::write(&file, binding).unwrap();
    let said = skills(&["copy", "-f", &text(&file), "--to-registry", "reg.lan/m", "--dry-run"]);
    let to = "reg.lan/m/library/pdf:latest";
    let wanted = format!("pdf -> {to}\ndocker.io/library/pdf:latest -> {to}\n");
    assert_eq!((said.code, said.stdout), (0, wanted), "{}", said.stderr);
}

/// What a flag asks for is done or refused, never passed over.
#[test]
fn flags_that_would_be_passed_over_are_usage_errors() {
    for more in [
        &["copy", "-f", "a.yaml", "--to-layout", "x.tar", "-i"][..],
        &["copy", "-f", "a.yaml", "--to-registry", "x.y", "--dry-run", "-i"],
        &["copy", "-f", "a.yaml", "--to-layout", "x.tar", "--from-layout", "y.tar"],
        &["pack", "a", "--push", "x.y/a:1", "-t", "5"],
    ] {
        let said = skills(more);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{more:?}: {}", said.stderr);
    }
}

/// A tar of the user's is not ours to replace, and the images of a layout stay.
#[test]
fn a_tar_that_is_there_is_kept_or_added_to() {
    let model = Arc::new(Model::default());
    let (pdf, csv) = (model.image("acme/pdf", "1", b"pdf"), model.image("acme/csv", "1", b"csv"));
    let server = healthy(&model);
    let out = folder();
    let tar = text(&out.path().join("x.tar"));
    std::fs::write(&tar, "mine").unwrap();
    let [one, two] = ["pdf", "csv"].map(|name| format!("{}/acme/{name}:1", server.host));
    let refused = skills(&["pull", &one, &tar]);
    assert_eq!(
        (refused.code, std::fs::read_to_string(&tar).unwrap().as_str()),
        (3, "mine"),
        "{}",
        refused.stderr
    );
    std::fs::remove_file(&tar).unwrap();
    let mut bytes = Vec::new();
    for reference in [&one, &two, &two] {
        let said = skills(&["pull", reference, &tar]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        bytes.push(std::fs::read(&tar).unwrap());
    }
    assert_eq!(bytes[1], bytes[2]);
    for (name, digest) in [(&one, &pdf), (&two, &csv)] {
        let to = format!("{}/copy/of:1", server.host);
        let said = skills(&["push", &format!("{tar}:{name}"), &to, "-o", "json"]);
        assert_eq!((said.code, &said.json()["digest"]), (0, &json!(digest)), "{}", said.stderr);
    }
    assert_eq!(crate::leftovers(out.path()), ["x.tar"]);
}
