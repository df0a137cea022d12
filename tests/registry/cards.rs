//! The card of an agent: what its images say of their skills, in the list that others are shown.

use std::sync::Arc;

use serde_json::json;

use crate::model::Model;
use crate::{folder, healthy, skills, text};

/// Tags and examples stand in SKILL.md and skill.yaml alone; an image with two skills is asked for the folder that is mounted.
#[test]
fn a_card_says_what_the_images_say() {
    let server = healthy(&Arc::new(Model::default()));
    let work = folder();
    let pdf = work.path().join("pdf");
    let both = work.path().join("both");
    for (folder, name, extra) in [
        (pdf.clone(), "pdf", "metadata:\n  tags: documents, pdf\n"),
        (both.join("rain"), "rain", ""),
        (both.join("sun"), "sun", ""),
    ] {
        std::fs::create_dir_all(&folder).expect("a folder");
        let skill = format!(
            "---\nname: {name}\ndescription: Does {name}. Use it for {name}.\n{extra}---\n# {name}\n"
        );
        std::fs::write(folder.join("SKILL.md"), skill).expect("a file");
    }
    for (folder, repository) in [(&pdf, "pdf"), (&both, "both")] {
        let reference = format!("{}/acme/{repository}:1.0.0", server.host);
        let packed = skills(&["pack", &text(folder), "--push", &reference]);
        assert_eq!(packed.code, 0, "{packed:?}");
    }
    let manifest = work.path().join("m.yaml");
    let binding = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: weather, namespace: team1}}\nspec: {{template: {{spec: \
         {{containers: [{{name: agent, image: a}}]}}}}}}\n---\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\n\
         metadata: {{name: weather, namespace: team1}}\nspec:\n  targetRef: {{apiVersion: apps/v1, kind: Deployment, name: weather}}\n  \
         skills:\n  - {{name: reader, image: '{host}/acme/pdf:1.0.0', mountPath: /skills/pdf}}\n  - {{name: sun, image: \
         '{host}/acme/both:1.0.0', subPath: sun, mountPath: /skills/sun}}\n",
        host = server.host
    );
    std::fs::write(&manifest, binding).expect("a file");
    let seen = skills(&["card", "-f", &text(&manifest), "--images", "-o", "skills"]);
    assert_eq!(seen.code, 0, "{seen:?}");
    assert_eq!(
        seen.json(),
        json!([
            {"id": "reader", "name": "pdf", "description": "Does pdf. Use it for pdf.", "tags": ["documents", "pdf"]},
            {"id": "sun", "name": "sun", "description": "Does sun. Use it for sun.", "tags": ["skill"]},
        ])
    );
    assert!(seen.stderr.contains("sun (tags); write them into SKILL.md"), "{}", seen.stderr);
}
