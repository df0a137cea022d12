//! `outdated` and `update`: which versions there are, what changed in them, and what is written where.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::model::{MANIFEST, Model};
use crate::server::{Answer, Server};
use crate::signatures::{Key, SIGN, SLSA, attach, native};
use crate::{faulty, folder, healthy, skills, text};

pub const SKILL: &str =
    "---\nname: pdf\ndescription: Reads PDF files.\nallowed-tools: Read\n---\n# PDF\n\nRead it.\n";

/// A registry with a folder to work in.
pub struct Bench {
    pub model: Arc<Model>,
    pub server: Server,
    pub work: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Model::default())
    }

    fn with(model: Model) -> Self {
        Self::of(Arc::new(model))
    }

    pub fn of(model: Arc<Model>) -> Self {
        let server = healthy(&model);
        Self { model, server, work: folder() }
    }

    /// Packs files as an image; its digest.
    pub fn push(&self, name: &str, files: &[(&str, &str)]) -> String {
        let skill = tempfile::tempdir_in(self.work.path()).expect("a folder");
        for (path, content) in files {
            let at = skill.path().join(path);
            std::fs::create_dir_all(at.parent().expect("a folder")).expect("a folder");
            std::fs::write(at, content).expect("a file");
        }
        let reference = self.reference(name);
        let packed = skills(&["pack", &text(skill.path()), "--push", &reference, "-o", "json"]);
        assert_eq!(packed.code, 0, "{packed:?}");
        packed.json()["digest"].as_str().expect("a digest").to_owned()
    }

    /// The image of a tag under another one, with another annotation: what skillimage does when it promotes one.
    fn promote(&self, repository: &str, from: &str, to: &str) -> String {
        let manifest = {
            let state = self.model.state.lock().expect("it");
            let digest = &state.tags[&(repository.to_owned(), from.to_owned())];
            let (_, bytes) = &state.manifests[&(repository.to_owned(), digest.clone())];
            let index: Value = serde_json::from_slice(bytes).expect("a manifest");
            let only = index["manifests"][0]["digest"].as_str().unwrap_or(digest).to_owned();
            let (_, bytes) = &state.manifests[&(repository.to_owned(), only)];
            let mut manifest: Value = serde_json::from_slice(bytes).expect("a manifest");
            manifest["annotations"]["io.skillimage.status"] = json!("published");
            manifest
        };
        self.model.put_manifest(repository, Some(to), MANIFEST, &manifest)
    }

    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.server.host)
    }

    pub fn write(&self, name: &str, content: &str) -> String {
        let path = self.work.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        text(&path)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.work.path().join(name)).expect("a file")
    }

    /// Text without what differs from run to run.
    pub fn plain(&self, text: &str) -> String {
        text.replace(&self.server.host, "HOST")
    }
}

pub fn binding(images: &[(&str, &str)]) -> String {
    let skills: String = images
        .iter()
        .map(|(name, image)| {
            format!("  - {{name: {name}, image: '{image}', mountPath: /skills/{name}}}   # {name}\n")
        })
        .collect();
    format!(
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: weather, namespace: team1}}\nspec:\n  \
         targetRef: {{apiVersion: apps/v1, kind: Deployment, name: weather}}\n  skills:\n{skills}"
    )
}

/// Rows of a table, a list of cells each.
fn rows(table: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    table.lines().skip(1).map(cells).collect()
}

/// Anyone who promotes an image changes nothing that an agent sees, and must not be asked to restart pods; one changed line is
/// another content.
#[test]
fn newer_versions_are_told_by_what_changed_in_them() {
    let bench = Bench::with(Model { page: 2, ..Model::default() });
    bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    bench.push("acme/pdf:1.1.0", &[("SKILL.md", &SKILL.replace("Read it.", "Read all of it."))]);
    bench.push("acme/pdf:2.0.0", &[("SKILL.md", SKILL), ("scripts/run.sh", "#!/bin/sh\n")]);
    for unpublished in
        ["acme/pdf:1.2.0-draft", "acme/pdf:3.0.0-testing", "acme/pdf:2.1.0-rc.1", "acme/pdf:latest"]
    {
        bench.push(unpublished, &[("SKILL.md", SKILL)]);
    }
    bench.push("acme/csv:1.0.0", &[("SKILL.md", SKILL)]);
    bench.promote("acme/csv", "1.0.0", "1.0.1");
    bench.push("acme/zip:latest", &[("SKILL.md", SKILL)]);
    let names = ["pdf", "csv", "zip"];
    let images =
        [bench.reference("acme/pdf:1.0.0"), bench.reference("acme/csv:1.0.0"), bench.reference("acme/zip")];
    let images: Vec<(&str, &str)> = names.into_iter().zip(images.iter().map(String::as_str)).collect();
    let file = bench.write("skills.yaml", &binding(&images));

    let found = skills(&["outdated", "-f", &file, "--content", "--exit-code"]);
    assert_eq!(found.code, 1, "{found:?}");
    assert_eq!(
        rows(&bench.plain(&found.stdout)),
        [
            ["HOST/acme/pdf:1.0.0", "1.0.0", "-", "1.1.0 (content)", "2.0.0 (content)"],
            ["HOST/acme/csv:1.0.0", "1.0.0", "-", "1.0.1 (metadata only)", "1.0.1 (metadata only)"],
            ["HOST/acme/zip", "-", "-", "-", "-"],
        ]
    );
    // Without --content only what manifests and configurations say.
    let found = skills(&["outdated", "-f", &file, "--pre"]);
    assert_eq!(found.code, 0, "{found:?}");
    assert_eq!(
        rows(&bench.plain(&found.stdout))[..2],
        [
            ["HOST/acme/pdf:1.0.0", "1.0.0", "-", "1.1.0 (layers)", "2.1.0-rc.1 (same)"],
            ["HOST/acme/csv:1.0.0", "1.0.0", "-", "1.0.1 (metadata only)", "1.0.1 (metadata only)"],
        ]
    );
    // Only metadata: nothing is outdated.
    let promoted = bench.write("csv.yaml", &binding(&images[1..2]));
    assert_eq!(skills(&["outdated", "-f", &promoted, "--exit-code"]).code, 0);
}

/// The nodes of another platform mount what nobody has asked about.
#[test]
fn what_changed_for_one_platform_is_no_metadata() {
    let bench = Bench::new();
    bench.push("acme/pdf:one", &[("SKILL.md", SKILL)]);
    bench.push("acme/pdf:evil", &[("SKILL.md", SKILL), ("run.sh", "#!/bin/sh\n")]);
    bench.push("acme/pdf:more", &[("SKILL.md", &SKILL.replace("Read it.", "Read all."))]);
    for (tag, amd, arm) in [
        ("1.0.0", "one", "one"),
        ("1.1.0", "one", "evil"),
        ("1.2.0", "more", "evil"),
        ("1.3.0", "more", "more"),
    ] {
        bench.model.index("acme/pdf", tag, &[("amd64", amd), ("arm64", arm)]);
    }
    let file = bench.write("skills.yaml", &binding(&[("pdf", &bench.reference("acme/pdf:1.0.0"))]));
    let change = |version: &str| {
        let word = format!("pdf={version}");
        let name = bench.reference("acme/pdf");
        let word = word.replacen("pdf", &name, 1);
        let said = skills(&["update", &word, "-f", &file, "--dry-run", "-o", "json"]);
        assert_eq!(said.code, 0, "{said:?}");
        said.json()["updates"][0]["new"]["change"].clone()
    };
    let of = |change: &Value| {
        let files = change["files"].as_array().into_iter().flatten();
        let paths: Vec<Value> = files.map(|file| file["path"].clone()).collect();
        json!([change["verdict"], change["platform"], change["otherwise"], paths])
    };
    assert_eq!(of(&change("1.1.0")), json!(["content", "linux/arm64", null, ["run.sh"]]));
    assert_eq!(of(&change("1.2.0")), json!(["content", null, ["linux/arm64"], ["SKILL.md"]]));
    assert_eq!(of(&change("1.3.0")), json!(["content", null, null, ["SKILL.md"]]));
    // Without a look at files it is no "metadata only" either.
    let image = bench.write("arm.yaml", &binding(&[("pdf", &bench.reference("acme/pdf:1.0.0"))]));
    bench.model.state.lock().expect("it").tags.retain(|(_, tag), _| tag != "1.2.0" && tag != "1.3.0");
    let found = skills(&["outdated", "-f", &image]);
    assert_eq!(rows(&bench.plain(&found.stdout))[0][3], "1.1.0 (layers)", "{found:?}");
    let found = skills(&["outdated", "-f", &image, "--diff"]);
    let words = "platforms that differ:\n  ~ linux/arm64  is shown; the platform asked about has the same files\n\
                 new scripts and programs:\n  + run.sh";
    assert!(found.stdout.contains(words), "{found:?}");
    // Nor by 'inspect', nor where of the image in use only the identity of its files is left.
    let [one, other] = ["1.0.0", "1.1.0"].map(|tag| bench.reference(&format!("acme/pdf:{tag}")));
    let said = skills(&["inspect", &other, "--against", &one]);
    let words = format!("warning: {other}: other files are in it for linux/arm64: --platform shows them");
    assert!(said.code == 1 && said.stderr.contains(&words), "{said:?}");
    assert_eq!(skills(&["inspect", &one, "--against", &one]).code, 0);
    let inspected = skills(&["inspect", &one, "-o", "json"]).json();
    let digest = inspected["image"]["digest"].as_str().expect("a digest").to_owned();
    let content = format!("  content: {}\n", inspected["contentIdentity"].as_str().expect("an identity"));
    let locked = bench.write("gone.lock", &lock(&one, &digest, &content));
    bench.model.state.lock().expect("it").manifests.retain(|(_, own), _| *own != digest);
    let found = skills(&["outdated", "-f", &image, "--lock-file", &locked, "--content", "-o", "json"]).json();
    let change = &found["images"][0]["newest"]["change"];
    assert_eq!(
        (&change["verdict"], &change["otherwise"]),
        (&json!("content"), &json!(["linux/arm64"])),
        "{found:#}"
    );
}

#[test]
fn a_new_script_comes_first_and_each_changed_line_is_shown() {
    let bench = Bench::new();
    bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL), ("a.md", "a\n")]);
    let new = SKILL
        .replace("Read it.", "Read all of it.\u{200b}")
        .replace("allowed-tools: Read", "allowed-tools: Read Bash(rm *)");
    bench.push("acme/pdf:1.1.0", &[("SKILL.md", &new), ("a.md", "b\n"), ("z/run.py", "print(1)\n")]);
    let file = bench.write("skills.yaml", &binding(&[("pdf", &bench.reference("acme/pdf:1.0.0"))]));
    let found = skills(&["outdated", "-f", &file, "--diff"]);
    assert_eq!(found.code, 0, "{found:?}");
    let (_, shown) = found.stdout.split_once("\n\n").expect("a table and a change");
    assert_eq!(
        bench.plain(shown),
        "HOST/acme/pdf:1.0.0 -> 1.1.0\nnew scripts and programs:\n  + z/run.py  9 B\nwider allowed-tools:\n  + Bash(rm *)\n\
         files:\n  ~ SKILL.md  +2 -2 lines\n  ~ a.md  +1 -1 lines\n\
         annotations of the manifest:\n  ~ io.skillimage.wordcount  \"4\" -> \"6\"\n\
         --- /dev/null\n+++ z/run.py\n@@ -0,0 +1 @@\n+print(1)\n\
         --- SKILL.md\n+++ SKILL.md\n@@ -1,8 +1,8 @@\n ---\n name: pdf\n description: Reads PDF files.\n-allowed-tools: Read\n\
         +allowed-tools: Read Bash(rm *)\n ---\n # PDF\n \n-Read it.\n+Read all of it.\\u{200b}\n\
         --- a.md\n+++ a.md\n@@ -1 +1 @@\n-a\n+b\n"
    );
    // The same for two images, no matter who names them.
    let (one, other) = (bench.reference("acme/pdf:1.0.0"), bench.reference("acme/pdf:1.1.0"));
    let inspected = skills(&["inspect", &other, "--against", &one]);
    assert_eq!(inspected.code, 1, "{inspected:?}");
    let files =
        shown.replace("annotations of the manifest:\n  ~ io.skillimage.wordcount  \"4\" -> \"6\"\n", "");
    assert!(files.ends_with(&inspected.stdout), "{inspected:?}");
    let same = skills(&["inspect", &one, "--against", &one, "-o", "json"]);
    assert_eq!((same.code, same.json()["verdict"].clone()), (0, json!("same")));
}

pub fn lock(image: &str, digest: &str, more: &str) -> String {
    format!(
        "# our skills\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\nskills:\n# reviewed by ann\n- image: {image}\n  \
         digest: {digest}\n  team: search   # ours\n{more}"
    )
}

#[test]
fn a_moved_tag_is_told_by_the_lock() {
    let bench = Bench::new();
    let image = bench.reference("acme/pdf:1.0.0");
    let before = bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    let locked = bench.write("skills.lock", &lock(&image, &before, ""));
    let file = bench.write("skills.yaml", &binding(&[("pdf", &image)]));
    let run = |words: &[&str]| {
        let all = [&["outdated", "--lock-file", &locked, "--content", "-o", "json"], words].concat();
        let found = skills(&all);
        assert_eq!(found.code, 0, "{found:?}");
        found.json()["images"][0].clone()
    };
    for words in [&["-f", file.as_str()][..], &[]] {
        assert_eq!((&run(words)["tag"], &run(words)["outdated"]), (&json!("same"), &json!(false)));
    }
    let after = bench.push("acme/pdf:1.0.0", &[("SKILL.md", &SKILL.replace("Read it", "Delete it"))]);
    let found = run(&["-f", &file]);
    assert_eq!(
        (&found["tag"], &found["digest"], &found["moved"]["digest"], &found["moved"]["change"]["verdict"]),
        (&json!("moved"), &json!(before), &json!(after), &json!("content"))
    );
    assert_eq!(
        (&found["outdated"], &found["namedBy"]),
        (&json!(true), &json!(["SkillBinding team1/weather"]))
    );
    // The registry has removed what nothing names any more: the lock still knows what was in it.
    bench.model.state.lock().expect("it").manifests.retain(|(_, digest), _| *digest != before);
    let found = run(&["-f", &file]);
    assert_eq!(found["moved"]["change"]["verdict"], json!("unknown"));
}

#[test]
fn an_update_is_written_everywhere_and_nowhere_else() {
    let bench = Bench::new();
    let before = bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    let after = bench.push("acme/pdf:1.2.0", &[("SKILL.md", &SKILL.replace("Read it", "Read all"))]);
    bench.push("acme/pdf:2.0.0", &[("SKILL.md", &SKILL.replace("Read it", "Read everything"))]);
    bench.push("acme/csv:1.0.0", &[("SKILL.md", SKILL)]);
    bench.promote("acme/csv", "1.0.0", "1.0.1");
    let (pdf, csv) = (bench.reference("acme/pdf:1.0.0"), bench.reference("acme/csv:1.0.0"));
    let manifest = binding(&[("pdf", &pdf), ("csv", &csv)]);
    bench.write("m/skills.yaml", &manifest);
    let name = bench.reference("acme/pdf");
    let kustomization = format!(
        "resources: [skills.yaml]\nimages:   # pins\n- name: {name}\n  newTag: 1.0.0\n  digest: {before}\n- name: nginx\n  newTag: 1.0.0\n"
    );
    bench.write("m/kustomization.yaml", &kustomization);
    let locked = lock(&pdf, &before, "");
    let lock_at = bench.write("skills.lock", &locked);
    let folder = text(&bench.work.path().join("m"));
    let update =
        |words: &[&str]| skills(&[&["update", "-f", &folder, "--lock-file", &lock_at], words].concat());

    let dry = update(&["--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert_eq!(
        bench.plain(&dry.stdout),
        format!(
            "HOST/acme/pdf:1.0.0 -> HOST/acme/pdf:1.2.0 (content)\n\
             HOST/acme/pdf:1.0.0@{before} -> HOST/acme/pdf:1.2.0@{after} (content)\n"
        )
    );
    assert_eq!((bench.read("m/skills.yaml"), bench.read("skills.lock")), (manifest.clone(), locked.clone()));

    let done = update(&["-i"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        bench.plain(&done.stderr).contains("HOST/acme/csv:1.0.0 stays: 1.0.1: metadata only"),
        "{done:?}"
    );
    assert_eq!(bench.read("m/skills.yaml"), manifest.replace("acme/pdf:1.0.0", "acme/pdf:1.2.0"));
    let pinned = kustomization.replacen("newTag: 1.0.0", "newTag: 1.2.0", 1).replace(&before, &after);
    assert_eq!(bench.read("m/kustomization.yaml"), pinned);
    let now = bench.read("skills.lock");
    let new = format!("- image: \"{}\"\n  digest: {after}\n", bench.reference("acme/pdf:1.2.0"));
    assert!(now.starts_with(&format!("{locked}{new}")), "{now}");
    // There is nothing more to do, but for what was not asked for.
    let again = update(&["-i"]);
    assert_eq!((again.code, again.stdout.as_str()), (0, ""), "{again:?}");
    assert_eq!(bench.read("skills.lock"), now);
    let metadata = update(&["-i", "--metadata", "csv"]);
    assert_eq!(metadata.code, 0, "{metadata:?}");
    assert!(bench.read("m/skills.yaml").contains("acme/csv:1.0.1'"));
    let explicit = update(&["-i", "pdf=2.0.0"]);
    assert_eq!(explicit.code, 0, "{explicit:?}");
    assert!(bench.read("m/skills.yaml").contains("acme/pdf:2.0.0'"));
    let none = update(&["-i", "pdf=7.0.0"]);
    assert_eq!(none.code, 4);
    assert!(none.stderr.contains("its newest versions are 2.0.0, 1.2.0, 1.0.0"), "{none:?}");
}

/// Anyone who can push an image cannot sign it: nobody is to get it because nobody looked.
#[test]
fn a_signer_that_cannot_be_verified_stops_all_of_an_update() {
    let bench = Bench::new();
    let before = bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    bench.push("acme/pdf:1.1.0", &[("SKILL.md", &SKILL.replace("Read it", "Read all"))]);
    bench.push("acme/csv:1.0.0", &[("SKILL.md", SKILL)]);
    bench.push("acme/csv:1.1.0", &[("SKILL.md", &SKILL.replace("Read it", "Read all"))]);
    let (pdf, csv) = (bench.reference("acme/pdf:1.0.0"), bench.reference("acme/csv:1.0.0"));
    let manifest = binding(&[("csv", &csv), ("pdf", &pdf)]);
    let file = bench.write("skills.yaml", &manifest);
    let signed = format!(
        "  signed:\n  - by: key\n    key: sha256:{0}\n    format: bundle\n    digest: {before}\n    of: manifest\n    log: false\n",
        "a".repeat(64)
    );
    let locked = lock(&pdf, &before, &signed);
    let lock_at = bench.write("skills.lock", &locked);
    let run =
        |words: &[&str]| skills(&[&["update", "-f", &file, "--lock-file", &lock_at, "-i"], words].concat());
    let stopped = run(&[]);
    assert_eq!((stopped.code, stopped.stdout.as_str()), (3, ""), "{stopped:?}");
    assert!(stopped.stderr.contains("the lock says that key sha256:aaaaaaaaaaaa signed it"), "{stopped:?}");
    assert_eq!((bench.read("skills.yaml"), bench.read("skills.lock")), (manifest.clone(), locked));
    let meant = run(&["--allow-signer-change"]);
    assert_eq!(meant.code, 0, "{meant:?}");
    assert!(
        meant.stderr.contains("warning: ") && meant.stderr.contains("(--allow-signer-change)"),
        "{meant:?}"
    );
    assert_eq!(bench.read("skills.yaml"), manifest.replace("1.0.0", "1.1.0"));
    // What was said of signatures was about the other image.
    let (before, new) = bench.read("skills.lock").split_once("acme/pdf:1.1.0").map_or_else(
        || panic!("{}", bench.read("skills.lock")),
        |(before, new)| (before.to_owned(), new.to_owned()),
    );
    assert!(before.contains("signed:") && !new.contains("signed:"), "{before}{new}");
}

/// The same key goes, another one stops: by what was verified, not by what an image says of itself.
#[test]
fn a_signer_that_is_verified_must_be_one_of_those_before() {
    let (alice, mallory) = (Key::new(), Key::new());
    let bench = Bench::of(native());
    let before = bench.push("a/b:1.0.0", &[("SKILL.md", SKILL)]);
    let after = bench.push("a/b:1.1.0", &[("SKILL.md", &SKILL.replace("Read it", "Read all"))]);
    attach(&bench.model, &before, &alice.bundle(&before, SIGN));
    attach(&bench.model, &after, &mallory.bundle(&after, SIGN));
    let image = bench.reference("a/b:1.0.0");
    let manifest = binding(&[("pdf", &image)]);
    let file = bench.write("skills.yaml", &manifest);
    let lock_at = text(&bench.work.path().join("skills.lock"));
    let key = alice.file();
    let locked = skills(&["lock", "-f", &file, "--lock-file", &lock_at, "--key", &key]);
    assert_eq!(locked.code, 0, "{locked:?}");
    let before_update = bench.read("skills.lock");
    let run = |key: &str| skills(&["update", "-f", &file, "--lock-file", &lock_at, "-i", "--key", key]);
    for (key, words) in [
        (key.as_str(), "no trusted signature is on the new image"),
        (&mallory.file(), " now; nothing is written"),
    ] {
        let stopped = run(key);
        assert_eq!(stopped.code, 3, "{stopped:?}");
        assert!(stopped.stderr.contains(words), "{stopped:?}");
        assert_eq!(
            (bench.read("skills.yaml"), bench.read("skills.lock")),
            (manifest.clone(), before_update.clone())
        );
    }
    attach(&bench.model, &after, &alice.bundle(&after, SIGN));
    attach(&bench.model, &after, &alice.bundle(&after, SLSA));
    let done = run(&key);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(bench.read("skills.yaml"), manifest.replace("1.0.0", "1.1.0"));
    let found = skills(&["lock", "-f", &file, "--lock-file", &lock_at, "-o", "json"]).json();
    let entry = &found["skills"][0];
    assert_eq!(
        (&entry["digest"], &entry["signed"], &entry["attestations"]),
        (
            &json!(after),
            &json!([{"by": "key", "key": alice.fingerprint, "format": "bundle", "digest": after, "of": "index", "log": false}]),
            &json!([{"type": SLSA, "by": "key", "key": alice.fingerprint, "format": "bundle", "digest": after, "of": "index",
                "log": false}])
        )
    );
}

/// A registry that refuses one image must not hide the others, nor have half of them written.
#[test]
fn a_registry_that_fails_is_no_image_that_is_current() {
    let bench = Bench::new();
    bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    bench.push("acme/pdf:1.1.0", &[("SKILL.md", &SKILL.replace("Read it", "Read all"))]);
    bench.push("acme/csv:1.0.0", &[("SKILL.md", SKILL)]);
    let broken = faulty(&bench.model, |request, _| {
        request.path.starts_with("/v2/acme/csv/tags/").then(|| Answer::new(403, "{}"))
    });
    let images = ["acme/pdf:1.0.0", "acme/csv:1.0.0"].map(|name| format!("{}/{name}", broken.host));
    let manifest = binding(&[("pdf", &images[0]), ("csv", &images[1])]);
    let file = bench.write("skills.yaml", &manifest);
    let found = skills(&["outdated", "-f", &file]);
    assert_eq!(found.code, 4, "{found:?}");
    assert_eq!(
        rows(&found.stdout.replace(&broken.host, "HOST")),
        [
            ["HOST/acme/pdf:1.0.0", "1.0.0", "-", "1.1.0 (layers)", "1.1.0 (layers)"],
            ["HOST/acme/csv:1.0.0", "1.0.0", "failed", "failed", "failed"],
        ]
    );
    assert!(found.stderr.contains("2 images, 1 outdated, 1 not known"), "{found:?}");
    let update = skills(&["update", "-f", &file, "-i"]);
    assert_eq!((update.code, update.stdout.as_str()), (4, ""), "{update:?}");
    assert_eq!(bench.read("skills.yaml"), manifest);
}

#[test]
fn a_pull_request_says_what_changed() {
    let bench = Bench::new();
    bench.push("acme/pdf:1.0.0", &[("SKILL.md", SKILL)]);
    let after = bench.push(
        "acme/pdf:1.1.0",
        &[("SKILL.md", &SKILL.replace("Read it.", "Read <all>.\n```")), ("run.sh", "#!/bin/sh\n")],
    );
    let file = bench.write("skills.yaml", &binding(&[("pdf", &bench.reference("acme/pdf:1.0.0"))]));
    let page = text(&bench.work.path().join("body.md"));
    let done = skills(&["update", "-f", &file, "-i", "--pr-body", &page]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        bench.plain(&bench.read("body.md")),
        format!(
            "## Updates of skills\n\n> **Look at this first:** 1 new script, 0 skills with wider `allowed-tools`.\n\n\
             | image | from | to | changed | signature |\n|---|---|---|---|---|\n\
             | `HOST/acme/pdf` | `1.0.0` | `1.1.0` | content | `no lock was read that says who signed it before` |\n\n\
             ### `HOST/acme/pdf:1.0.0` -> `HOST/acme/pdf:1.1.0`\n\nDigest `{after}`; named by:\n\n- `SkillBinding team1/weather`\n\n\
             **New scripts and programs**\n\n- added `run.sh` 10 B\n\n**Files**\n\n- `SKILL.md` +2 -1 lines\n\n\
             **Annotations of the manifest**\n\n- `io.skillimage.wordcount` `\"4\" -> \"5\"`\n\n\
             <details><summary><code>run.sh</code> +1 -0</summary>\n\n```diff\n@@ -0,0 +1 @@\n+#!/bin/sh\n```\n\n</details>\n\n\
             <details><summary><code>SKILL.md</code> +2 -1</summary>\n\n````diff\n@@ -5,4 +5,5 @@\n ---\n # PDF\n \n-Read it.\n+Read <all>.\n+```\n````\n\n\
             </details>\n"
        )
    );
    assert!(Path::new(&page).is_file());
}
