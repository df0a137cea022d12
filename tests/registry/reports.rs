//! `report --diff`: how the files of images changed between two locks, of a registry or of an OCI layout.

use serde_json::json;

use crate::updates::{Bench, SKILL, binding};
use crate::{skills, text};

fn lock(image: &str, digest: &str, content: &str) -> String {
    format!(
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\nskills:\n- image: '{image}'\n  digest: {digest}\n  content: {content}\n"
    )
}

/// A reviewer of a new lock sees what it brings, and no text of a skill is markup.
#[test]
fn a_report_shows_the_lines_that_changed() {
    let bench = Bench::new();
    let hostile = "Read all.\n</pre><script>alert(1)</script>\u{202e}\n";
    let before = bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    let after = bench.push(
        "acme/pdf:1.1.0",
        &[("SKILL.md", &SKILL.replace("Read it.\n", hostile)), ("run.sh", "#!/bin/sh\n")],
    );
    let image = bench.reference("acme/pdf:1.1.0");
    let zeros = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let old = bench.write("old.lock", &lock(&bench.reference("acme/pdf:1.0.0"), &before, &zeros("1")));
    let new = bench.write("skills.lock", &lock(&image, &after, &zeros("2")));
    let file = bench.write("m/skills.yaml", &binding(&[("pdf", &image)]));
    let locked = format!("--locked={new}");
    let report = |more: &[&str]| {
        let said = skills(&[&["report", "-f", &file, &locked, "--against", &old], more].concat());
        assert_eq!(said.code, 0, "{said:?}");
        said
    };
    let asked = || bench.server.requests().len();
    let quiet = asked();
    assert!(!report(&[]).stdout.contains("<details class=\"diff\">"));
    assert_eq!(asked(), quiet, "nobody is asked unless that is asked for");

    let page = report(&["--diff"]).stdout;
    for wanted in [
        "<p class=\"bad\">new scripts and programs</p><ul><li>+ <code>run.sh</code> 10 B</li></ul>",
        "<details class=\"diff\"><summary><code>SKILL.md</code> +2 -1</summary><pre>",
        "<del>-Read it.</del>\n<ins>+Read all.</ins>\n<ins>+&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}</ins>\n",
    ] {
        assert!(page.contains(wanted), "{wanted}\n{page}");
    }
    assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    let json = report(&["--diff", "-o", "json"]).json();
    let files = &json["changes"][0]["files"];
    assert_eq!((&files["verdict"], &files["files"][0]["path"]), (&json!("content"), &json!("run.sh")));
    let markdown = report(&["--diff", "-o", "markdown"]).stdout;
    assert!(markdown.contains("```diff\n@@ ") && markdown.contains("- added `run.sh` 10 B"), "{markdown}");

    // A layout has both, and no registry is asked.
    let layout = text(&bench.work.path().join("layout"));
    for (tag, digest) in [("1.0.0", &before), ("1.1.0", &after)] {
        let from = bench.reference(&format!("acme/pdf@{digest}"));
        let copied = skills(&["copy", &from, &format!("{layout}:{tag}")]);
        assert_eq!(copied.code, 0, "{copied:?}");
    }
    let quiet = asked();
    assert_eq!(report(&["--diff", "--from-layout", &layout]).stdout, page);
    assert_eq!(asked(), quiet);

    // What cannot be had is said, and the rest of the report is there.
    bench.model.state.lock().expect("it").manifests.retain(|(_, digest), _| *digest != before);
    let lacking = report(&["--diff"]);
    assert!(lacking.stdout.contains("how its files changed is not known: "), "{lacking:?}");
    assert!(lacking.stderr.contains("how its files changed is not known: "), "{lacking:?}");
    let alone = skills(&["report", "-f", &file, &locked, "--diff"]);
    assert_eq!(alone.code, 2, "{alone:?}");
}
