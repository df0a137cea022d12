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
