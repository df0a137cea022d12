//! The way of docs/skills.md: a folder becomes an image in a registry, the image is looked into there, and a manifest that
//! names it is rendered and valid.

use std::sync::Arc;

use serde_json::json;

use crate::model::Model;
use crate::{folder, healthy, skills, text};

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
