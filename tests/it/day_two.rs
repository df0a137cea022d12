//! `set` on files: what is written, byte for byte, and that nothing is where one part of it cannot be.

use crate::program::Folder;

const AGENT: &str = include_str!("../../docs/examples/quickstart/weather.yaml");

/// A diff of more than one line is not read, and a second run is no change.
#[test]
fn set_in_place_changes_one_reference_and_no_other_byte() {
    let folder = Folder::with(&[("agent.yaml", AGENT)]);
    let image = "forecast=ghcr.io/acme/skills/forecast:1.5.0";
    let words = ["set", "deployment/weather", image, "-f", "agent.yaml", "-i"];
    let said = folder.skills(&words);
    let wanted = AGENT.replace("forecast:1.4.0", "forecast:1.5.0");
    assert_eq!(folder.read("agent.yaml"), wanted, "{said:?}");
    assert_eq!(
        said.parts(),
        (
            0,
            "agentruntime team1/weather (agent.yaml:27): forecast ghcr.io/acme/skills/forecast:1.4.0 -> \
             ghcr.io/acme/skills/forecast:1.5.0\n",
            "note: agent.yaml rewritten\n\
             note: 'kubectl skills render -i' on the files brings it into the workloads, where they are rendered\n\
             summary: 1 skill set in 1 list\n"
        )
    );
    assert_eq!(folder.skills(&words).code, 0);
    assert_eq!(folder.read("agent.yaml"), wanted);
}

/// A lock that cannot be read was found out after the file was written: an error, and half of what was meant done.
#[test]
fn set_reads_the_lock_before_it_writes() {
    let folder = Folder::with(&[("agent.yaml", AGENT), ("skills.lock", "version: [\n")]);
    let said = folder.skills(&["set", "weather", "forecast=x/f:2", "-f", "agent.yaml", "-i"]);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
    assert!(said.stderr.contains("skills.lock"), "{said:?}");
    assert_eq!(folder.read("agent.yaml"), AGENT);
}

/// Two skills are meant together: a slip in the second leaves the first as it is.
#[test]
fn set_writes_all_or_nothing() {
    let folder = Folder::with(&[("agent.yaml", AGENT)]);
    let said = folder.skills(&["set", "weather", "forecast=x/f:2", "alert=x/a:2", "-f", "agent.yaml", "-i"]);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
    assert!(said.stderr.contains("alert is no skill of weather"), "{said:?}");
    assert_eq!(folder.read("agent.yaml"), AGENT);
    let said = folder.skills(&["set", "weather", "forecast=x/f:2", "alerts-", "-f", "agent.yaml", "-i"]);
    let (before, _) = AGENT.split_once("    - name: alerts\n").unwrap_or_default();
    assert_eq!(
        folder.read("agent.yaml"),
        before.replace("ghcr.io/acme/skills/forecast:1.4.0", "x/f:2"),
        "{said:?}"
    );
}

const RENDERED: &str = include_str!("../cmd/set.in/rendered.yaml");

/// What a message says to run is run: a list in a file is no object of a cluster, and the workload has its skills from it.
#[test]
fn the_last_skill_goes_as_the_message_says() {
    let folder = Folder::with(&[("web.yaml", RENDERED)]);
    let said = folder.skills(&["set", "web", "pdf-", "-f", "web.yaml", "-i"]);
    assert_eq!((said.code, folder.read("web.yaml").as_str()), (3, RENDERED), "{said:?}");
    let command = said.stderr.split('\'').nth(1).and_then(|text| text.strip_prefix("kubectl skills "));
    let words: Vec<&str> = command.unwrap_or_default().split(' ').collect();
    assert_eq!(words, ["render", "-i", "--remove", "-f", "web.yaml"]);
    assert_eq!(folder.skills(&words).code, 0);
    let after = folder.read("web.yaml");
    let (workload, list) = after.split_once("---\n").unwrap_or_default();
    assert!(!workload.contains("pdf") && list.contains("kind: SkillBinding"), "{after}");
    assert!(said.stderr.contains("then delete the document of skillbinding/web in web.yaml"), "{said:?}");
}

/// In the files the name is another one than in the build, and the tag of an overlay is not the base's.
#[test]
fn what_a_build_is_made_of_is_set_as_the_message_says() {
    let base = include_str!("../cmd/set.in/overlaid/base/list.yaml");
    let folder = Folder::with(&[
        ("base/deploy.yaml", include_str!("../cmd/set.in/overlaid/base/deploy.yaml")),
        ("base/list.yaml", base),
        ("base/kustomization.yaml", include_str!("../cmd/set.in/overlaid/base/kustomization.yaml")),
        ("prod/kustomization.yaml", "resources: [../base]\nnamePrefix: prod-\n"),
    ]);
    let image = "pdf=ghcr.io/acme/pdf:1.1.0";
    let said = folder.skills(&["set", "prod-triage", image, "-k", "prod", "-i"]);
    assert_eq!((said.code, folder.read("base/list.yaml").as_str()), (2, base), "{said:?}");
    let command = said.stderr.split_once(": kubectl skills ").map(|(_, command)| command.trim());
    let words: Vec<&str> = command.unwrap_or_default().split(' ').collect();
    assert_eq!(words, ["set", "triage", image, "-f", "base/deploy.yaml", "-f", "base/list.yaml", "-i"]);
    assert_eq!(folder.skills(&words).code, 0);
    assert_eq!(folder.read("base/list.yaml"), base.replace("1.0.0", "1.1.0"));
}

/// A version is what `update` takes: written as an image, no node finds it.
#[test]
fn a_version_is_no_image_and_the_message_has_the_one_that_is_meant() {
    let folder = Folder::with(&[("agent.yaml", AGENT)]);
    let said = folder.skills(&["set", "weather", "forecast=1.5.0", "-f", "agent.yaml", "-i"]);
    assert_eq!((said.code, folder.read("agent.yaml").as_str()), (2, AGENT), "{said:?}");
    let meant = said.stderr.split_once("did you mean ").and_then(|(_, rest)| rest.split_once('?'));
    let image = format!("forecast={}", meant.unwrap_or_default().0);
    assert_eq!(folder.skills(&["set", "weather", &image, "-f", "agent.yaml", "-i"]).code, 0);
    assert_eq!(folder.read("agent.yaml"), AGENT.replace("forecast:1.4.0", "forecast:1.5.0"));
}
