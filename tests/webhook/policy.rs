//! A policy and a lock as files of the running webhook: AgentRuntimes and pods are judged by them, by what they say now, and without
//! asking a registry.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::client::Client;
use crate::protocol::{JSON, allowed, running, runtime};

const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

fn write(folder: &Path, registries: &str, image: &str) {
    let policy = format!(
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillPolicy\nspec:\n  registries: [{registries}]\n  pinned: true\n"
    );
    let lock = format!(
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\nskills:\n- {{image: '{image}', digest: '{ONE}'}}\n"
    );
    // As a mounted ConfigMap does it: at once.
    for (name, text) in [("policy.yaml", policy), ("skills.lock", lock)] {
        let next = folder.join("next");
        std::fs::write(&next, text).expect("a file");
        std::fs::rename(&next, folder.join(name)).expect("a file");
    }
}

fn flags(folder: &Path) -> [String; 4] {
    let path = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
    ["--policy".to_owned(), path("policy.yaml"), "--locked".to_owned(), path("skills.lock")]
}

fn message(response: &Value) -> &str {
    response["status"]["message"].as_str().unwrap_or_default()
}

/// A policy that only counts until the next restart, or that a broken file switches off, holds nothing.
#[test]
fn agent_runtimes_are_judged_by_what_the_files_say_now() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "ghcr.io/acme", "ghcr.io/acme/pdf:1");
    let flags = flags(folder.path());
    let running = running(&flags.each_ref().map(String::as_str), false);
    running.program.until("/readyz", 200);
    let mut client = Client::connect(&running.program.address, &running.authority.der);
    let object = |image: &str| {
        let mut object = runtime("w", "/skills/pdf");
        object["spec"]["skills"][0]["image"] = json!(image);
        object
    };
    let pinned = |image: &str| object(&format!("{image}@{ONE}"));
    assert_eq!(allowed(&mut client, &pinned("ghcr.io/acme/pdf:1")), json!({"uid": "5e9a", "allowed": true}));
    // The operator of this profile mounts what the object says: what the lock makes of a tag is nothing to it.
    let tagged = allowed(&mut client, &object("ghcr.io/acme/pdf:1"));
    assert!(
        message(&tagged).contains("ghcr.io/acme/pdf:1 is not named by digest, and the operator mounts"),
        "{tagged}"
    );
    let refused = allowed(&mut client, &object("ghcr.io/stranger/pdf:1"));
    let said = message(&refused);
    for wanted in [
        "spec.skills[0].image: ghcr.io/stranger/pdf:1 is not in ",
        "spec.skills[0].image: ghcr.io/stranger/pdf:1 is in none of the registries that the policy allows",
        "(copy it with 'kubectl skills copy' to one of: ghcr.io/acme",
    ] {
        assert!(said.contains(wanted), "{wanted}: {refused}");
    }
    // A file that cannot be read changes nothing.
    std::fs::write(folder.path().join("policy.yaml"), "spec: [\n").expect("a file");
    running.program.logged("the policy or the lock cannot be read");
    assert_eq!(allowed(&mut client, &object("ghcr.io/stranger/pdf:1"))["allowed"], false);
    write(folder.path(), "ghcr.io/stranger", "ghcr.io/stranger/pdf:1");
    // The two files are not replaced at one moment.
    let end = Instant::now() + Duration::from_secs(60);
    while allowed(&mut client, &pinned("ghcr.io/stranger/pdf:1"))["allowed"] == false {
        assert!(Instant::now() < end, "waited for the files");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(allowed(&mut client, &pinned("ghcr.io/acme/pdf:1"))["allowed"], false);
}

#[test]
fn pods_get_what_the_lock_pins_or_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "ghcr.io/acme", "ghcr.io/acme/pdf:1");
    let lock = std::fs::read_to_string(folder.path().join("skills.lock")).expect("it");
    std::fs::write(
        folder.path().join("skills.lock"),
        format!("{lock}- {{image: 'ghcr.io/acme/ocr:1', digest: '{ONE}'}}\n"),
    )
    .expect("a file");
    let flags = flags(folder.path());
    let flags = flags.each_ref().map(String::as_str);
    let running = crate::injection::running((0..3).map(crate::injection::binding).collect(), false, &flags);
    running.program.until("/readyz", 200);
    let mut client = Client::connect(&running.program.address, &running.authority.der);
    let ask = |client: &mut Client| {
        client.request("POST", "/inject-pods", JSON, &crate::injection::review(1)).json()["response"].take()
    };
    let patch = ask(&mut client)["patch"].as_str().unwrap_or_default().to_owned();
    let patch = base64::engine::general_purpose::STANDARD.decode(patch).expect("base64");
    let patch = String::from_utf8(patch).expect("text");
    assert!(patch.contains(&format!("ghcr.io/acme/pdf:1@{ONE}")), "{patch}");
    write(folder.path(), "ghcr.io/acme", "ghcr.io/acme/pdf:1");
    running.program.logged("the policy or the lock changed");
    let refused = ask(&mut client);
    assert!(message(&refused).starts_with("SkillBinding b1: ghcr.io/acme/ocr:1 is not in "), "{refused}");
}
