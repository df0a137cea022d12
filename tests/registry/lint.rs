//! `lint --images`: what manifests do not say and images do.

use std::sync::Arc;

use crate::healthy;
use crate::lock::Work;
use crate::model::Model;

/// A skill in a folder of another name is refused by strict agents, and no manifest shows it.
#[test]
fn what_is_in_the_images_is_linted() {
    let model = Arc::new(Model::default());
    let server = healthy(&model);
    let work = Work::new(&server.host);
    let skill = work.folder.path().join("pdf");
    std::fs::create_dir_all(&skill).expect("a folder");
    std::fs::write(skill.join("a.pyc"), "x").expect("a file");
    work.pushed("1.0.0", "");
    work.names(&[work.image("1.0.0")]);
    let said = work.run(&["lint", "-f", "m", "--images", "-q"]);
    let image = work.image("1.0.0");
    let wanted = format!(
        "m/a.yaml:8:23: warning: AgentRuntime team1/weather: spec.skills[0].image: the image of skill s0 has a compiled file: a.pyc \
         (pack it without) [binary-file]\nm/a.yaml:8:{}: warning: AgentRuntime team1/weather: spec.skills[0].mountPath: ends with \
         \"0\", and the skill is called \"pdf\" (end it with pdf) [skill-name-folder]\n",
        23 + image.len() + "'', mountPath: ".len()
    );
    assert_eq!((said.code, said.stdout.as_str()), (1, &*wanted), "{said:?}");
    // Without a look at the image, nothing is known of it.
    let said = work.run(&["lint", "-f", "m", "-q"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{said:?}");
    // Anything that is not answered is no clean result.
    work.names(&[work.image("gone")]);
    assert_eq!(work.run(&["lint", "-f", "m", "--images", "-q"]).code, 4);
}

/// A registry that counts pulls is asked as often with `--fix` as without.
#[test]
fn a_second_look_after_fixes_asks_no_registry() {
    let model = Arc::new(Model::default());
    let server = healthy(&model);
    let work = Work::new(&server.host);
    work.pushed("1.0.0", "");
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: hand, annotations: {{kagenti.io/skills: '[]'}}}}\nspec: {{template: \
         {{spec: {{containers: [{{name: agent, image: a, volumeMounts: [{{name: skill-pdf, mountPath: /skills/pdf}}]}}], volumes: \
         [{{name: skill-pdf, image: {{reference: '{}'}}}}]}}}}}}\n",
        work.image("1.0.0")
    );
    std::fs::write(work.folder.path().join("m/b.yaml"), deployment).expect("a manifest");
    let asked = |args: &[&str], code: i32| {
        let before = server.requests().len();
        let said = work.run(&[&["lint", "-f", "m", "--images", "-q"], args].concat());
        assert_eq!(said.code, code, "{said:?}");
        server.requests().len() - before
    };
    let plain = asked(&[], 1);
    assert!(plain > 0);
    assert_eq!(asked(&["--fix"], 0), plain);
}
