//! `lint` by its table: testdata/lint has a folder for each rule, with manifests in which it is found (`bad.yaml`, and what is
//! said of it in `found.txt`), some in which it is not (`near.yaml`) and, where it can be mended, what they become
//! (`fixed.yaml`). Then the verb itself: outputs, exit codes, ignores, baselines.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test may read files and stops at the first surprise"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use kubectl_skills::api::image_reference;
use kubectl_skills::lint::rule::{self, Level, Rule};
use kubectl_skills::lint::{Finding, Known, fixed, ignore, lint};
use kubectl_skills::manifest::render::{Settings, choose_profile};
use kubectl_skills::manifest::stream::{Source, Stream};
use kubectl_skills::skill::facts::Facts;
use kubectl_skills::skill::format::{FORMATS, Mounts};
use kubectl_skills::skill::inspect::{self, Inspected, OnRuntime};
use kubectl_skills::skill::lock::Lock;
use kubectl_skills::skill::tree::{Content, File, Tree};
use serde_json::{Value, json};

use crate::program::{Folder, fed, skills};

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/lint");
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(root).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    all.sort();
    all
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

pub(crate) fn found_in(name: &str, text: &str, lock: Option<&Lock>) -> (Vec<Finding>, Source) {
    found_with(name, text, &Known { lock, ..Known::default() })
}

fn found_with(name: &str, text: &str, known: &Known<'_>) -> (Vec<Finding>, Source) {
    let source = Source { name: name.to_owned(), text: text.to_owned() };
    let sources = [source];
    let stream = Stream::read_all(&sources, "team1", Default::default()).expect("manifests");
    let (profile, _) = choose_profile(&stream, "auto").expect("a profile");
    let all = lint(&stream, &Settings::new(profile), "team1", known);
    let (all, _) = ignore::take(&sources, "team1", all);
    let [source] = sources;
    (all, source)
}

/// What was seen in the image of the example: the files below a folder, or an image of the format that a file names.
fn seen(folder: &Path, name: &str) -> HashMap<String, Inspected> {
    let image = "ghcr.io/acme/forecast:1";
    let mut tree = Tree::default();
    let root = folder.join(name);
    if let Some(skill) = read(&root.join("forecast/SKILL.md")) {
        let facts = Facts {
            size: skill.len() as u64,
            executable: false,
            sha256: [0; 32],
            text: true,
            program: false,
            content: Some(skill.into_bytes()),
        };
        let content = Content::File(facts);
        tree.files.push(File { path: "forecast/SKILL.md".into(), content, closed: false });
    }
    let format = read(&root.with_extension("txt"));
    if tree.files.is_empty() && format.is_none() {
        return HashMap::new();
    }
    let mut found = inspect::folder(image, &tree);
    if let Some(row) = format.and_then(|format| FORMATS.iter().find(|row| row.name == format.trim())) {
        let mounts = if row.containerd.mounts == Mounts::Folder { "folder" } else { "no" };
        found.image = Some(inspect::Image {
            digest: String::new(),
            manifest: String::new(),
            platform: None,
            platforms: Vec::new(),
            different: Vec::new(),
            format: row.name,
            runtimes: vec![OnRuntime { runtime: "containerd", mounts, sees: "", since: "" }],
            how: row.how,
            config_media_type: String::new(),
            artifact_type: None,
            annotations: Default::default(),
            layers: Vec::new(),
        });
    }
    HashMap::from([(image_reference::key(image).expect("a reference"), found)])
}

fn of_rule(all: &[Finding], rule: &Rule) -> Vec<Finding> {
    all.iter().filter(|one| one.rule.id == rule.id).cloned().collect()
}

pub(crate) fn shown(all: &[Finding]) -> String {
    let line = |one: &Finding| {
        format!("{}:{}:{}: {}: {one}\n", one.origin.file, one.origin.line, one.column, one.level.name())
    };
    all.iter().map(line).collect()
}

/// A rule that finds what it should not is switched off, and then finds nothing; one that misses is worth nothing.
#[test]
fn every_rule_finds_its_example_and_not_its_near_miss() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for folder in folders() {
        let id = folder.file_name().and_then(|name| name.to_str()).expect("a name");
        let rule = rule::find(id).unwrap_or_else(|| panic!("{id} is no rule"));
        let lock = read(&folder.join("skills.lock"));
        let lock = lock
            .map(|text| Lock::read(&text, "skills.lock").unwrap_or_else(|errors| panic!("{id}: {errors:?}")));
        let bad = read(&folder.join("bad.yaml")).expect("an example");
        let known =
            |image| Known { lock: lock.as_ref(), inspected: seen(&folder, image), ..Known::default() };
        let (all, source) = found_with("bad.yaml", &bad, &known("image"));
        let found = of_rule(&all, rule);
        assert!(!found.is_empty(), "{id} is not found: {}", shown(&all));
        let golden = folder.join("found.txt");
        if update {
            std::fs::write(&golden, shown(&found)).expect("a file");
        } else if read(&golden).as_deref() != Some(&*shown(&found)) {
            wrong.push(format!("{id}:\n{}", shown(&found)));
        }
        let near = read(&folder.join("near.yaml")).expect("a near miss");
        let (all, _) = found_with("near.yaml", &near, &known("near-image"));
        assert_eq!(shown(&of_rule(&all, rule)), "", "{id} finds its near miss");
        assert_eq!(rule.fix, folder.join("fixed.yaml").exists(), "{id}: an example of its fix");
        let after = fixed(0, &source, &found).map(|(text, _)| text);
        assert_eq!(after, read(&folder.join("fixed.yaml")), "{id}: its fix");
        if let Some(after) = after {
            let (all, _) = found_with("fixed.yaml", &after, &known("image"));
            let left: Vec<Finding> =
                of_rule(&all, rule).into_iter().filter(|one| one.fix.is_some()).collect();
            assert_eq!(shown(&left), "", "{id} is found again after its fix");
        }
    }
    assert!(wrong.is_empty(), "UPDATE_GOLDEN=1 writes these anew:\n{}", wrong.join("\n"));
}

/// Rules without an example here: what asks a cluster has its own in tests/e2e/lint.rs, what takes several files in
/// tests/cmd/kustomize.trycmd.
const ELSEWHERE: [&str; 3] = ["cluster-check", "kustomize-image-missed", "kustomize-image-unmatched"];

/// A rule without an example nobody trusts, without a page nobody understands, and one that neither mends nor says why not leaves its
/// reader alone.
#[test]
fn every_rule_has_an_example_a_near_miss_a_page_and_a_fix_or_a_reason() {
    let mut with: Vec<String> =
        folders().iter().filter_map(|folder| Some(folder.file_name()?.to_str()?.to_owned())).collect();
    with.extend(crate::lint_verdicts::examples().iter().map(|one| one.id.to_owned()));
    with.extend(ELSEWHERE.into_iter().chain(crate::lint_verdicts::ELSEWHERE).map(str::to_owned));
    let mut wrong = Vec::new();
    for rule in rule::all() {
        let page = rule.page();
        let leaves = page.contains("`--fix` leaves it: ");
        let fixes = page.contains("; `--fix` mends it: ");
        if !with.iter().any(|id| id == rule.id) {
            wrong.push(format!("{}: no example", rule.id));
        }
        if !page.contains("**Why:**") || !page.contains("**Mend:**") || fixes == leaves || fixes != rule.fix {
            wrong.push(format!("{}: {page}", rule.id));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let twice: Vec<&String> =
        with.iter().enumerate().filter(|(index, id)| with[..*index].contains(id)).map(|(_, id)| id).collect();
    assert_eq!(twice, Vec::<&String>::new(), "an exception or a second table for nothing");
}

/// The page is what `explain` prints.
#[test]
fn the_page_of_rules_is_made_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lint-rules.md");
    let made = rule::pages();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).expect("the page");
    }
    assert!(read(&path).as_deref() == Some(&*made), "UPDATE_DOCS=1 cargo test --test it lint");
    assert_eq!(skills(&["explain", "--all"]).parts(), (0, &*made, ""));
    let one = skills(&["explain", "image-moves"]);
    assert!(one.stdout.starts_with("## image-moves\n\nwarning: ") && one.code == 0, "{one:?}");
    let none = skills(&["explain", "image-move"]);
    assert_eq!(
        none.parts(),
        (
            2,
            "",
            "error: explain image-move: there is no such rule (did you mean image-moves?); 'lint --list-rules' lists them\n"
        )
    );
    for (word, meant) in [
        ("type-label", "type-label-at-create"),
        ("TYPE_LABEL", "type-label-at-create"),
        (
            "skill_folders",
            "skill-folders-miss, skill-folders-extra, skill-folders-path or skill-folders-source",
        ),
        ("nested", "mount-nested"),
        ("mount-nestd", "mount-nested"),
    ] {
        let none = skills(&["explain", word]);
        assert!(none.stderr.contains(&format!("(did you mean {meant}?)")), "{word}: {none:?}");
    }
}

const BAD: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: weather
spec:
  template:
    spec:
      containers:
      - name: agent
        image: acme/weather:1
        volumeMounts:
        - {name: skill-forecast, mountPath: /etc}
        - {name: skill-alerts, mountPath: /app/skills/alerts}
      volumes:
      - name: skill-forecast
        image: {reference: 'ghcr.io/acme/forecast:1'}
      - name: skill-alerts
        # kubectl-skills:ignore image-moves a demo that follows its image
        image: {reference: ghcr.io/acme/alerts}
";

/// Pipelines act on the code, machines on the text.
#[test]
fn findings_are_printed_for_people_and_machines() {
    let folder = Folder::with(&[("a b.yaml", BAD)]);
    let file = folder.path("a b.yaml");
    let run = |more: &[&str]| skills(&[&["lint", "-q", "-f", &file], more].concat());
    let message = "Deployment default/weather: spec.template.spec.containers[0].volumeMounts[0].mountPath: the mountPath \"/etc\" \
                   of skill forecast hides what the container's image has there, and is read-only; give it a folder of its own, \
                   such as /skills/forecast";
    let text = format!("{file}:12:45: warning: {message} [mount-path-system]\n");
    assert_eq!(run(&[]).parts(), (1, &*text, ""));
    assert_eq!(run(&["--severity", "error"]).parts(), (0, "", ""));
    assert_eq!(run(&["--exclude-rule", "mount-path-system"]).parts(), (0, "", ""));
    let github = format!(
        "::warning file={},line=12,col=45,title=mount-path-system::{message}\n",
        file.replace(':', "%3A").replace(',', "%2C")
    );
    assert_eq!(run(&["-o", "github"]).parts(), (1, &*github, ""));
    let found = json!({
        "rule": "mount-path-system", "severity": "warning", "file": file, "document": 1, "line": 12, "column": 45,
        "object": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": "weather"},
        "field": "spec.template.spec.containers[0].volumeMounts[0].mountPath",
        "message": message.split_once("mountPath: ").expect("the field").1, "fixable": false,
    });
    let ignored = json!({
        "rule": "image-moves", "severity": "warning", "file": file, "document": 1, "line": 19, "column": 28,
        "object": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": "weather"},
        "field": "spec.template.spec.volumes[1].image.reference",
        "message": "the image ghcr.io/acme/alerts of skill alerts has no tag and so the tag latest, which moves: pods that \
                    start later may get another skill, and the config hash does not change; name a version or a digest",
        "fixable": false, "reason": "a demo that follows its image",
    });
    let report = run(&["-o", "json"]).json();
    let wanted = json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "LintReport", "profile": "pr332-merged",
        "findings": [found], "ignored": [ignored], "known": [],
    });
    assert_eq!(report, wanted);
    let junit = run(&["-o", "junit"]).stdout;
    assert!(
        junit.contains("<testsuites tests=\"1\" failures=\"1\">") && junit.contains("&quot;/etc&quot;"),
        "{junit}"
    );
    let said = skills(&["lint", "-f", &file]).stderr;
    assert_eq!(
        said,
        "summary: 1 warning in 1 object of 1 file; 1 ignored; profile pr332-merged because there is no AgentRuntime in the input\n"
    );
}

/// What GitHub's code scanning takes, by the schema of OASIS.
#[test]
fn sarif_is_valid_by_its_schema() {
    let folder = Folder::with(&[("a b.yaml", BAD)]);
    let file = folder.path("a b.yaml");
    let log = skills(&["lint", "-q", "-f", &file, "-o", "sarif"]).json();
    let schema = include_str!("../../testdata/sarif/sarif-schema-2.1.0.json");
    // The pattern of languages has a bracket too many, which no reader of patterns takes.
    let schema: Value = serde_json::from_str(&schema.replace("{2}]?$", "{2}$")).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    let mut broken = log.clone();
    broken["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!validator.is_valid(&broken), "the schema checks nothing");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), rule::all().count());
    for (result, suppressed) in run["results"].as_array().expect("results").iter().zip([false, true]) {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("an index");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_eq!(result.get("suppressions").is_some(), suppressed, "{result}");
        let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        assert_eq!(*uri, format!("file://{}", file.replace(' ', "%20")));
    }
}

/// A repository with a hundred old findings can be linted from today on.
#[test]
fn a_baseline_leaves_only_what_is_new() {
    let folder = Folder::with(&[("a.yaml", BAD)]);
    let path = |name: &str| folder.path(name);
    let (file, baseline) = (path("a.yaml"), path("baseline.yaml"));
    let said = skills(&["lint", "-f", &file, "--write-baseline", &baseline]);
    assert_eq!(
        said.parts(),
        (0, "", &*format!("note: {baseline} written\nsummary: 1 finding written to {baseline}\n"))
    );
    let text = std::fs::read_to_string(&baseline).expect("the baseline");
    assert_eq!(
        text,
        format!(
            "apiVersion: skills.kagenti.dev/v1alpha1\nkind: LintBaseline\nfindings:\n- rule: mount-path-system\n  file: {file}\n  \
             object: Deployment default/weather\n  field: \"spec.template.spec.containers[0].volumeMounts[0].mountPath\"\n"
        )
    );
    // Lines in front change nothing; a second finding is new; one that is gone is said.
    folder.write("a.yaml", format!("# Weather\n\n{BAD}"));
    let run = || skills(&["lint", "-f", &file, "--baseline", &baseline]);
    let said = run();
    assert_eq!((said.code, said.stdout.as_str()), (0, ""));
    assert!(said.stderr.contains("; 1 ignored; 1 known to the baseline; "), "{}", said.stderr);
    folder.write("a.yaml", BAD.replace("/app/skills/alerts", "/opt"));
    let said = run();
    assert_eq!((said.code, said.stdout.lines().count()), (1, 1), "{said:?}");
    folder.write("a.yaml", BAD.replace("/etc", "/app/skills/forecast"));
    let said = run();
    assert!(said.code == 0 && said.stderr.contains("; 1 of the baseline gone: write it anew; "), "{said:?}");
    folder.write("baseline.yaml", "kind: SkillLock\n");
    let said = run();
    let message = format!("error: {baseline}: is no LintBaseline (write it anew with --write-baseline)\n");
    assert_eq!(said.parts(), (3, "", &*message));
}

/// What `--fix` writes is what a person would have, and only where it is safe.
#[test]
fn fix_writes_into_the_files_and_prints_the_rest() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/lint/annotation-misses");
    let (bad, fixed) = (root.join("bad.yaml"), root.join("fixed.yaml"));
    let folder = Folder::with(&[("a.yaml", &read(&bad).expect("an example"))]);
    let file = PathBuf::from(folder.path("a.yaml"));
    let said =
        skills(&["lint", "-f", &file.display().to_string(), "--fix", "--exclude-rule", "annotation-extra"]);
    let wanted = format!(
        "note: {} rewritten\nnote: 2 findings mended in 1 file\nsummary: nothing found in 2 objects of 1 file; profile \
         pr332-merged because there is no AgentRuntime in the input\n",
        file.display()
    );
    assert_eq!(said.parts(), (0, "", &*wanted));
    assert_eq!(read(&file), read(&fixed));
    let said = fed(&["lint", "-f", "-", "--fix"], BAD);
    assert_eq!(said.code, 2, "{said:?}");
}

/// What the program itself writes is right in all four places, whatever the style of the manifest.
#[test]
fn what_is_rendered_is_clean() {
    let places = [
        "annotation-misses",
        "annotation-extra",
        "annotation-malformed",
        "annotation-other-group",
        "skill-folders-miss",
        "skill-folders-extra",
        "skill-twice",
        "mount-nested",
        "advice",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden/styles");
    let (mut seen, mut found) = (0, Vec::new());
    for entry in std::fs::read_dir(root).expect("styles") {
        let path = entry.expect("an entry").path().join("rendered.yaml");
        let Some(text) = read(&path) else { continue };
        let (all, _) = found_in(&path.display().to_string(), &text, None);
        found.extend(all.into_iter().filter(|one| places.contains(&one.rule.id)));
        seen += 1;
    }
    assert_eq!(shown(&found), "");
    assert!(seen > 30, "{seen}");
}

/// A slip in kind or group mounts nothing, and every verb says so in its way.
#[test]
fn a_slip_is_found() {
    let text = "apiVersion: agent.kagenti.dev/v1alpha1\nkind: AgentRuntme\nmetadata: {name: weather}\n";
    let said = fed(&["lint", "-q", "-f", "-"], text);
    assert_eq!(
        said.parts(),
        (
            1,
            "-:2:7: warning: AgentRuntme default/weather: kind \"AgentRuntme\" is not read: did you mean AgentRuntime? [near-miss]\n",
            ""
        )
    );
}

/// What a plan says with its place is said once.
#[test]
fn a_finding_is_said_once() {
    let text = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: weather}
spec: {template: {spec: {containers: [{name: agent, image: a}]}}}
---
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {name: weather}
spec:
  type: agent
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
  skills:
  - {name: forecast, image: 'r/a', mountPath: /etc}
";
    let (all, _) = found_in("a.yaml", text, None);
    let found: Vec<(usize, &str)> = all.iter().map(|one| (one.origin.line, one.rule.id)).collect();
    assert_eq!(found, [(13, "image-moves"), (13, "mount-path-system")]);
}

/// An AgentRuntime with this skill, and its Deployment with these containers.
pub(crate) fn agent(skill: &str, containers: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: weather}}\nspec: {{template: {{spec: {{containers: \
         [{containers}]}}}}}}\n---\napiVersion: agent.kagenti.dev/v1alpha1\nkind: AgentRuntime\nmetadata: {{name: weather}}\n\
         spec:\n  type: agent\n  targetRef: {{apiVersion: apps/v1, kind: Deployment, name: weather}}\n  skills: [{{{skill}}}]\n"
    )
}

/// What the API server takes and no pod lives with: bad references, moving tags, mounts over the system, a proxy as the agent.
#[test]
fn what_lists_ask_for_is_judged_as_what_stands_in_workloads() {
    let one = "{name: agent, image: a}";
    let digest = "a".repeat(64);
    for (image, path, containers, wanted) in [
        ("oci://Reg.Example/s:1:2", "/skills/a", one, "error image-reference"),
        ("r/s@sha256:abc", "/skills/a", one, "error image-reference"),
        ("r/s:", "/skills/a", one, "error image-reference"),
        ("r/s:latest", "/skills/a", one, "warning image-moves"),
        ("r/s", "/skills/a", one, "warning image-moves"),
        ("r/s:1", "/usr/bin", one, "warning mount-path-system"),
        ("r/s:1", "/etc", one, "warning mount-path-system"),
        ("r/s:1", "/", one, "error mount-path-root"),
        (
            "r/s:1",
            "/skills/a",
            "{name: oauth2-proxy, image: p}, {name: agent, image: a}",
            "warning container-guessed",
        ),
        (&format!("r/s:1@sha256:{digest}"), "/usr/share/skills/a", one, ""),
    ] {
        let text = agent(&format!("name: a, image: '{image}', mountPath: {path}"), containers);
        let (all, _) = found_in("a.yaml", &text, None);
        let found: Vec<String> =
            all.iter().map(|one| format!("{} {}", one.level.name(), one.rule.id)).collect();
        assert_eq!(found.join(", "), wanted, "{image} {path}");
    }
}

/// Two environments in one folder: a duplicate that no AgentRuntime is about is nobody's finding.
#[test]
fn a_bystander_that_is_there_twice_is_not_found() {
    let other = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other}\nspec: {}\n";
    let text = agent("name: a, image: r/a:1, mountPath: /skills/a", "{name: agent, image: a}");
    let (all, _) = found_in("a.yaml", &format!("{text}{other}{other}"), None);
    assert_eq!(shown(&all), "");
}

/// Levels have an order that the threshold goes by.
#[test]
fn levels_are_ordered() {
    assert!(Level::ALL.is_sorted());
}

/// Two workloads with one list each: what is wrong in one list is not said of the other.
#[test]
fn a_finding_is_at_the_list_of_its_own_workload() {
    let binding = |name: &str, spec: &str, image: &str| {
        format!(
            "---\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: {name}}}\nspec:\n  {spec}\n  skills:\n  - \
             {{name: forecast, image: '{image}', mountPath: /app/skills/forecast, pullPolicy: IfNotPresent}}\n"
        )
    };
    let target = |name: &str| format!("targetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}");
    let deployment = |name: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{template: {{metadata: {{labels: {{app: \
             {name}}}}}, spec: {{containers: [{{name: agent, image: a}}]}}}}}}\n"
        )
    };
    for delivery in ["", "delivery: Pod\n  "] {
        let one = binding("one", &format!("{delivery}{}", target("weather")), "r/a:latest");
        let two = binding("two", &format!("{delivery}selector: {{matchLabels: {{app: news}}}}"), "r/a:1");
        for text in [
            [&*one, &two, &deployment("weather"), &deployment("news")],
            [&two, &one, &deployment("news"), &deployment("weather")],
        ] {
            let (all, _) = found_in("a.yaml", &text.concat(), None);
            let found: Vec<String> = all
                .iter()
                .filter(|one| one.rule.id == "pull-policy-stale")
                .map(|one| format!("{}: {}", one.object.as_ref().expect("an object"), one.field))
                .collect();
            assert_eq!(found, ["SkillBinding team1/one: spec.skills[0].pullPolicy"], "{}", text.concat());
        }
    }
}

/// The API server refuses it; lint ended with a panic.
#[test]
fn a_template_whose_metadata_is_no_object_is_a_finding() {
    for metadata in ["\"x\"", "[a]", "1"] {
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec:\n  template:\n    metadata: {metadata}\n    spec: \
             {{containers: [{{name: c, image: i}}]}}\n---\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: \
             {{name: a}}\nspec:\n  targetRef: {{apiVersion: apps/v1, kind: Deployment, name: a}}\n  delivery: Pod\n  skills: [{{name: p, \
             image: 'i:1', mountPath: /p}}]\n"
        );
        let said = crate::program::fed(&["lint", "-f", "-"], &text);
        let words = "spec.template.metadata: is no object, and the API server refuses it";
        assert!(said.code == 1 && said.stdout.contains(words), "{metadata}: {said:?}");
    }
}
