//! What `update` and `outdated` must not do: pass over a lock, take over a tag that moved, write over what they read.

use serde_json::json;

use crate::model::Model;
use crate::server::Answer;
use crate::signatures::Key;
use crate::updates::{Bench, SKILL, binding, lock};
use crate::{faulty, skills, text};

fn other(word: &str) -> String {
    SKILL.replace("Read it", word)
}

/// `lock` and `render` go by the lock of the configuration file: an update that did not would skip the signer.
#[test]
fn the_lock_of_the_configuration_file_counts() {
    let bench = Bench::new();
    let before = bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    bench.push("acme/pdf:1.1.0", &[("SKILL.md", &other("Read all"))]);
    let pdf = bench.reference("acme/pdf:1.0.0");
    let manifest = binding(&[("pdf", &pdf)]);
    bench.write("m/skills.yaml", &manifest);
    bench.write("m/.kubectl-skills.yaml", "locked: ../locks/skills.lock\n");
    let signed = format!(
        "  signed:\n  - by: key\n    key: sha256:{0}\n    format: bundle\n    digest: {before}\n    of: manifest\n    log: false\n",
        "a".repeat(64)
    );
    bench.write("locks/skills.lock", &lock(&pdf, &before, &signed));
    let folder = text(&bench.work.path().join("m"));
    let stopped = skills(&["update", "-f", &folder, "-i"]);
    assert_eq!((stopped.code, stopped.stdout.as_str()), (3, ""), "{stopped:?}");
    assert!(stopped.stderr.contains("the lock says that key sha256:aaaaaaaaaaaa signed it"), "{stopped:?}");
    assert_eq!(bench.read("m/skills.yaml"), manifest);
    let tag = |words: &[&str]| {
        let found = skills(&[&["outdated", "-f", &folder, "-o", "json"], words].concat());
        assert_eq!(found.code, 0, "{found:?}");
        found.json()["images"][0]["tag"].clone()
    };
    assert_eq!(tag(&[]), json!("same"));
    // The command line decides.
    let empty = "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\nskills: []\n";
    let none = bench.write("none.lock", empty);
    assert_eq!(tag(&["--lock-file", &none]), json!("unknown"));
}

/// Two folders with one lock: what one of them leaves, the other still names.
#[test]
fn an_update_leaves_the_lock_of_others_alone() {
    for pinned in [false, true] {
        let bench = Bench::new();
        let before = bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
        let after = bench.push("acme/pdf:1.1.0", &[("SKILL.md", &other("Read all"))]);
        let (old, new) = if pinned {
            (bench.reference(&format!("acme/pdf@{before}")), bench.reference(&format!("acme/pdf@{after}")))
        } else {
            (bench.reference("acme/pdf:1.0.0"), bench.reference("acme/pdf:1.1.0"))
        };
        let one = bench.write("one.yaml", &binding(&[("pdf", &old)]));
        let two = bench.write("two.yaml", &binding(&[("pdf", &old)]));
        let locked = lock(&format!("{old}   # pilot"), &before, "  version: 1.0.0\n");
        let lock_at = bench.write("skills.lock", &locked);
        let done = skills(&["update", "-f", &one, "--lock-file", &lock_at, "-i"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(bench.read("one.yaml"), binding(&[("pdf", &new)]));
        let now = bench.read("skills.lock");
        assert!(now.starts_with(&locked), "{now}");
        assert!(
            now[locked.len()..].starts_with(&format!("- image: \"{new}\"\n  digest: {after}\n")),
            "{now}"
        );
        for file in [&one, &two] {
            let checked = skills(&["validate", &format!("--locked={lock_at}"), "-f", file]);
            assert_eq!(checked.code, 0, "{checked:?}");
        }
    }
}

/// Anyone who can push an image can move a tag: a version that is the same is no newer one.
#[test]
fn a_tag_that_moved_is_taken_over_only_by_its_name() {
    let bench = Bench::new();
    let before = bench.push("acme/web:1.0.0", &[("SKILL.md", SKILL)]);
    let web = bench.reference("acme/web:1.0.0");
    let manifest = binding(&[("web", &web)]);
    let file = bench.write("skills.yaml", &manifest);
    let locked = lock(&web, &before, "");
    let lock_at = bench.write("skills.lock", &locked);
    let after = bench.push("acme/web:1.0.0", &[("SKILL.md", &other("Delete it"))]);
    let run =
        |words: &[&str]| skills(&[&["update", "-f", &file, "--lock-file", &lock_at, "-i"], words].concat());
    for words in [&[][..], &["web"]] {
        let done = run(words);
        assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{done:?}");
        let note =
            format!("{web} stays: its tag has moved, to {after} (content); {web}=1.0.0 takes that over");
        assert!(done.stderr.contains(&note), "{done:?}");
        assert_eq!(bench.read("skills.lock"), locked);
    }
    let meant = run(&[&format!("{web}=1.0.0")]);
    assert_eq!((meant.code, meant.stdout), (0, format!("{web} -> {web} (the tag has moved: content)\n")));
    assert!(bench.read("skills.lock").contains(&after) && !bench.read("skills.lock").contains(&before));
    assert_eq!(bench.read("skills.yaml"), manifest);
}

/// The newer tag may be in the lock already, for others: then it is not another image than theirs.
#[test]
fn a_newer_tag_is_what_the_lock_has_for_it() {
    let bench = Bench::new();
    let before = bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    let known = bench.push("acme/pdf:1.1.0", &[("SKILL.md", &other("Read all"))]);
    let (old, new) = (bench.reference("acme/pdf:1.0.0"), bench.reference("acme/pdf:1.1.0"));
    let file = bench.write("skills.yaml", &binding(&[("pdf", &old)]));
    let decided = "  unsigned: {by: ann@acme.com, at: 2026-11-27T20:00:00Z, reason: pilot}\n";
    let locked = lock(&old, &before, &format!("- image: {new}\n  digest: {known}\n{decided}"));
    let lock_at = bench.write("skills.lock", &locked);
    let moved = bench.push("acme/pdf:1.1.0", &[("SKILL.md", &other("Delete all"))]);
    let run = || skills(&["update", "-f", &file, "--lock-file", &lock_at, "-i", "--allow-signer-change"]);
    let stopped = run();
    assert_eq!(stopped.code, 3, "{stopped:?}");
    let words = format!("the lock has {known} for {new}, and the tag names {moved} now; nothing is written");
    assert!(stopped.stderr.contains(&words), "{stopped:?}");
    bench.push("acme/pdf:1.1.0", &[("SKILL.md", &other("Read all"))]);
    assert_eq!(run().code, 0);
    assert_eq!((bench.read("skills.lock"), bench.read("skills.yaml")), (locked, binding(&[("pdf", &new)])));
}

/// A page that cannot be written leaves no half of an update, and is never written over what was read.
#[test]
fn a_page_is_no_reason_to_lose_anything() {
    let bench = Bench::new();
    let before = bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    bench.push("acme/pdf:1.1.0", &[("SKILL.md", &other("Read all"))]);
    let pdf = bench.reference("acme/pdf:1.0.0");
    let manifest = binding(&[("pdf", &pdf)]);
    let file = bench.write("m/skills.yaml", &manifest);
    let locked = lock(&pdf, &before, "");
    let lock_at = bench.write("skills.lock", &locked);
    let kustomization = bench.write("m/Kustomization", "resources: [skills.yaml]\n");
    let elsewhere = bench.write("other.yml", "a: b\n");
    let folder = text(&bench.work.path().join("m"));
    let run = |page: &str, word: &str| {
        skills(&["update", "-f", &folder, "--lock-file", &lock_at, "--pr-body", page, word])
    };
    for page in [&file, &lock_at, &kustomization, &elsewhere] {
        let refused = run(page, "--dry-run");
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
    }
    let nowhere = run(&text(&bench.work.path().join("none/body.md")), "-i");
    assert_eq!((nowhere.code, nowhere.stdout.as_str()), (3, ""), "{nowhere:?}");
    assert_eq!((bench.read("m/skills.yaml"), bench.read("skills.lock")), (manifest, locked));
    assert_eq!(bench.read("m/Kustomization"), "resources: [skills.yaml]\n");
    let page = bench.write("body.md", &"old ".repeat(5_000));
    let done = run(&page, "-i");
    assert_eq!(done.code, 0, "{done:?}");
    let written = bench.read("body.md");
    assert!(written.starts_with("## Updates of skills\n") && !written.contains("old old"), "{written}");
}

/// A tag that is gone is no digest that is gone: who is pinned still gets it.
#[test]
fn a_tag_that_is_gone_leaves_its_digest() {
    let bench = Bench::new();
    let digest = bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    let pdf = bench.reference("acme/pdf:1.0.0");
    let plain = bench.write("plain.yaml", &binding(&[("pdf", &pdf)]));
    let pinned = bench.write("pinned.yaml", &binding(&[("pdf", &format!("{pdf}@{digest}"))]));
    let lock_at = bench.write("skills.lock", &lock(&pdf, &digest, ""));
    bench.model.state.lock().expect("it").tags.clear();
    let said = |file: &str, words: &str| {
        let words = format!("there is no such tag any more; {words}");
        for verb in [&["outdated"][..], &["update", "-i"]] {
            let found = skills(&[verb, &["-f", file, "--lock-file", &lock_at]].concat());
            assert_eq!(found.code, 0, "{found:?}");
            assert!(found.stderr.contains(&words), "{found:?}, and not {words:?}");
        }
    };
    said(&plain, &format!("its digest {digest} is still there, and only pods that are pinned to it get it"));
    said(&pinned, "its digest is still there, and pods get it");
    bench.model.state.lock().expect("it").manifests.clear();
    said(&plain, "no new pod can get it");
    said(&pinned, "no new pod can get it");
}

/// The tag is written in an overlay, and which images are skills in its base.
#[test]
fn an_overlay_is_updated_with_its_base() {
    let bench = Bench::new();
    bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    bench.push("acme/pdf:1.1.0", &[("SKILL.md", &other("Read all"))]);
    let manifest = binding(&[("pdf", &bench.reference("acme/pdf:1.1.0"))]);
    bench.write("base/skills.yaml", &manifest);
    bench.write("base/kustomization.yaml", "resources: [skills.yaml]\n");
    let name = bench.reference("acme/pdf");
    let overlay = format!("resources: [../base]\nimages:\n- name: {name}\n  newTag: 1.0.0   # pilot\n");
    bench.write("ov/kustomization.yaml", &overlay);
    let at = |folder: &str| text(&bench.work.path().join(folder));
    let alone = skills(&["update", "-f", &at("ov"), "-i"]);
    assert_eq!(alone.code, 3, "{alone:?}");
    let advice = format!("-f {} -f {}", at("ov/../base"), at("ov"));
    assert!(alone.stderr.contains(&advice), "{alone:?}");
    let done = skills(&[&["update", "-i"][..], &advice.split(' ').collect::<Vec<_>>()].concat());
    assert_eq!(done.code, 0, "{done:?}");
    assert!(!done.stderr.contains("skipped files"), "{done:?}");
    assert_eq!(
        (bench.read("ov/kustomization.yaml"), bench.read("base/skills.yaml")),
        (overlay.replace("1.0.0", "1.1.0"), manifest)
    );
    // Who renders is still sent to kustomize.
    let render = skills(&["render", "-f", &at("ov")]);
    assert!(render.code == 3 && render.stderr.contains("-k "), "{render:?}");
}

/// A registry whose word about a digest is false has said nothing: neither "unsigned" nor "the same".
#[test]
fn a_false_digest_is_an_error_of_the_registry() {
    let bench = Bench::of(std::sync::Arc::new(Model { referrers: true, ..Model::default() }));
    bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    bench.push("acme/pdf:1.1.0", &[("SKILL.md", &other("Read all"))]);
    let lying = faulty(&bench.model, |request, model| {
        let is_named = request.method == "HEAD" && request.path.contains("/manifests/1.");
        is_named.then(|| {
            let said = model.answer(request).without("Docker-Content-Digest");
            said.with("Docker-Content-Digest", format!("sha256:{}", "0".repeat(64)))
        })
    });
    let image = format!("{}/acme/pdf:1.0.0", lying.host);
    let signer = Key::new();
    let key = signer.file();
    let file = bench.write("skills.yaml", &binding(&[("pdf", &image)]));
    for words in
        [&["verify", "--key", &key, &image][..], &["outdated", "-f", &file], &["update", "-f", &file]]
    {
        let found = skills(words);
        assert_eq!(found.code, 4, "{found:?}");
        assert!(found.stderr.contains("the registry names sha256:0000"), "{found:?}");
    }
    // One that refuses the proof is no registry without the image.
    let refusing = faulty(&bench.model, |request, _| {
        let is_read = request.method == "GET" && request.path.contains("/manifests/sha256:");
        is_read.then(|| Answer::new(403, "{}"))
    });
    let found = skills(&["verify", "--key", &key, &format!("{}/acme/pdf:1.0.0", refusing.host)]);
    assert_eq!(found.code, 4, "{found:?}");
}

/// A folder that is there is no image of Docker Hub, to any verb.
#[test]
fn verify_does_not_ask_docker_hub_for_a_folder() {
    let bench = Bench::new();
    bench.write("s/pdf/SKILL.md", SKILL);
    let signer = Key::new();
    let key = signer.file();
    let mut command = crate::command(&["verify", "--key", &key, "s/pdf"]);
    let found = crate::said::said(command.current_dir(bench.work.path()).output().expect("a run"));
    assert_eq!((found.code, found.stdout.as_str()), (3, ""), "{found:?}");
    assert!(found.stderr.contains("s/pdf: is there, and no OCI layout"), "{found:?}");
}
