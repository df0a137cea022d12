//! A policy about skills: the same verdict from every verb, the function, live objects and the webhook; and what 'policy -f' and
//! 'report' print.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test writes files and stops at bad data"
)]

use std::path::PathBuf;
use std::sync::Arc;

use kubectl_skills::api::profile::Profile;
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::live::{self, Inventory};
use kubectl_skills::plan::Options;
use kubectl_skills::plan::demands::reviewed;
use kubectl_skills::plan::session::Session;
use kubectl_skills::skill::lock::Lock;
use kubectl_skills::skill::policy::{self, Enforced};
use kubectl_skills::validate::admission_review::{Extra, Review};
use kubectl_skills::validate::webhook::Rivals;
use serde_json::{Value, json};

use crate::program::{Said, fed, skills};

const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

const MANIFEST: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: weather, namespace: team1}
spec:
  selector: {matchLabels: {app: weather}}
  template:
    metadata: {labels: {app: weather}}
    spec: {containers: [{name: agent, image: 'acme/weather:1'}]}
---
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {name: weather, namespace: team1}
spec:
  type: agent
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
  skills:
  - {name: pdf, image: 'ghcr.io/acme/pdf:1', mountPath: /skills/pdf}
  - {name: csv, image: 'ghcr.io/stranger/csv:1', mountPath: /skills/csv}
";

const POLICY: &str = "\
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillPolicy
spec:
  registries: [ghcr.io/acme]
  pinned: true
  licenses: [Apache-2.0]
  allowedTools: [Read]
  perAgent: {tokens: 100}
";

fn lock() -> String {
    format!(
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\nskills:\n\
         - {{image: 'ghcr.io/acme/pdf:1', digest: '{ONE}', content: '{TWO}', name: pdf, version: 1.0.0, license: Apache-2.0, \
         allowedTools: [Read], files: 3, bytes: 30, tokens: 90, descriptionTokens: 9}}\n\
         - {{image: 'ghcr.io/stranger/csv:1', digest: '{TWO}', name: '<b>csv</b>', license: GPL-3.0-only, allowedTools: ['Bash(*)', Read], \
         tokens: 20}}\n"
    )
}

/// What every face has to say, without its field.
const BROKEN: [&str; 4] = [
    "ghcr.io/stranger/csv:1@sha256:2222222222222222222222222222222222222222222222222222222222222222 is in none of the registries that the \
     policy allows",
    "has the licence GPL-3.0-only, which is not allowed",
    "asks for tools that the policy does not allow: Bash(*)",
    "the agent has 110 tokens of SKILL.md in all; the policy allows 100",
];

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().expect("a folder") };
        files.write("agent.yaml", MANIFEST);
        files.write("policy.yaml", POLICY);
        files.write("skills.lock", &lock());
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    /// A verb over the manifest, with lock and policy.
    fn run(&self, verb: &[&str]) -> Said {
        let (manifest, policy) = (self.path("agent.yaml"), self.path("policy.yaml"));
        let locked = format!("--locked={}", self.path("skills.lock").display());
        let text = |path: &PathBuf| path.to_str().expect("a path").to_owned();
        let (manifest, policy) = (text(&manifest), text(&policy));
        let more = ["-f", &manifest, &locked, "--policy", &policy];
        skills(&[verb, &more[..]].concat())
    }
}

fn enforced() -> Arc<Enforced> {
    let policy = policy::read("policy.yaml", POLICY, &mut |_| Err("none".to_owned())).expect("a policy");
    let lock = Lock::read(&lock(), "skills.lock").expect("a lock");
    Arc::new(Enforced::new(policy.into(), lock.into(), "2026-11-27".parse().expect("a day")))
}

fn says_all(face: &str, text: &str) {
    for wanted in BROKEN {
        assert!(text.contains(wanted), "{face}: {wanted}\n{text}");
    }
}

/// A rule that one way to the cluster does not ask is no rule.
#[test]
fn every_face_says_the_same() {
    let files = Files::new();
    let before = std::fs::read_to_string(files.path("agent.yaml")).expect("it");
    for (verb, code) in [
        (&["render"][..], 3),
        (&["render", "-i"], 3),
        (&["render", "--check"], 3),
        (&["diff"], 3),
        (&["plan"], 3),
        (&["validate"], 1),
    ] {
        let said = files.run(verb);
        assert_eq!(said.code, code, "{verb:?}: {said:?}");
        says_all(&format!("{verb:?}"), &format!("{}{}", said.stdout, said.stderr));
        assert!(!said.stdout.contains("volumeMounts"), "{verb:?} prints a manifest: {}", said.stdout);
    }
    assert_eq!(std::fs::read_to_string(files.path("agent.yaml")).expect("it"), before, "nothing is written");
    assert_eq!(files.run(&["render", "--remove"]).code, 0, "taking skills out breaks nothing");

    // The function, whose configuration holds the texts.
    let items: Vec<Value> = MANIFEST
        .split("---\n")
        .map(|text| kubectl_skills::yaml::resolve::first_document(text).expect("an object"))
        .collect();
    let config = json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillsFunction", "metadata": {"name": "skills"},
        "spec": {"policy": POLICY, "lock": lock()}});
    let list = json!({"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": items, "functionConfig": config});
    let said = fed(&["fn"], list.to_string());
    assert_eq!(said.code, 1, "{said:?}");
    says_all("fn", &said.stderr);
    assert!(!said.stdout.contains("volumeMounts"), "{}", said.stdout);

    // Live objects, as 'apply' and the controller judge them.
    let profile = Profile::by_name("pr332-merged").expect("a profile");
    let lock = Lock::read(&lock(), "skills.lock").expect("a lock");
    let options = Options {
        policy: Some(enforced()),
        pins: Some(Arc::new(lock.pins("skills.lock"))),
        ..Options::new(profile)
    };
    let session = Session::new(options, ConfigView::default(), Vec::new());
    let inventory = Inventory {
        runtimes: &items[1..],
        selected: &[("team1".to_owned(), "weather".to_owned())].into(),
        bindings: &[],
        selected_bindings: &[].into(),
        workloads: &[(("Deployment".to_owned(), "team1".to_owned(), "weather".to_owned()), items[0].clone())]
            .into(),
        pods: &[],
    };
    let plans = live::plan(&inventory, &session);
    let said: String = plans[0].errors.iter().map(|error| format!("{error}\n")).collect();
    says_all("live", &said);
    assert!(plans[0].plan.as_ref().is_none_or(|plan| plan.desired().is_none()));

    // The webhook, which sees what is written before the controller pins it.
    let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "operation": "CREATE",
        "kind": {"group": "agent.kagenti.dev", "version": "v1alpha1", "kind": "AgentRuntime"}, "namespace": "team1", "name": "weather",
        "object": items[1]}});
    let review = Review::read(profile, body.to_string().as_bytes()).expect("a review");
    let pins = lock.pins("skills.lock");
    let options = Options { policy: Some(enforced()), pins: Some(Arc::new(pins)), ..Options::new(profile) };
    let judge = |review: &Review| {
        reviewed(review, review.judge(profile, Rivals::Unknown, Extra::default()), &options)
    };
    let answer = judge(&review);
    assert_eq!((answer.allowed, answer.code), (false, 403));
    says_all("webhook", &answer.message);
    // What is being deleted keeps no finalizer for a policy, and gets no skill by one.
    let going = |before: &Value| {
        let mut object = items[1].clone();
        object["metadata"]["deletionTimestamp"] = "2026-11-27T00:00:00Z".into();
        let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u",
            "operation": "UPDATE", "kind": {"group": "agent.kagenti.dev", "version": "v1alpha1", "kind": "AgentRuntime"},
            "namespace": "team1", "name": "weather", "object": object, "oldObject": before}});
        judge(&Review::read(profile, body.to_string().as_bytes()).expect("a review"))
    };
    assert!(going(&items[1]).allowed);
    let mut fewer = items[1].clone();
    fewer["spec"]["skills"].as_array_mut().expect("skills").pop();
    for before in [fewer, json!(null)] {
        let answer = going(&before);
        assert_eq!((answer.allowed, answer.code), (false, 403), "{before}");
        says_all("webhook", &answer.message);
    }
}

/// The operator mounts what the AgentRuntime says: what a lock makes of the tag is nothing to it.
#[test]
fn what_an_operator_mounts_is_judged_as_written() {
    let mounting = Profile::by_name("pr332-merged").expect("a profile");
    let looking_on = Profile::by_name("head").expect("a profile");
    assert!(mounting.mounts() && !looking_on.mounts());
    let answer = |profile: &'static Profile, spec: &str, image: &str| {
        let text = format!("apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillPolicy\nspec: {spec}\n");
        let policy = policy::read("policy.yaml", &text, &mut |_| Err("none".to_owned())).expect("a policy");
        let lock = Arc::new(Lock::read(&lock(), "skills.lock").expect("a lock"));
        let enforced = Enforced::new(policy.into(), Arc::clone(&lock), "2026-11-27".parse().expect("a day"));
        let options = Options {
            policy: Some(Arc::new(enforced)),
            pins: Some(Arc::new(lock.pins("skills.lock"))),
            ..Options::new(profile)
        };
        let mut object =
            kubectl_skills::yaml::resolve::first_document(MANIFEST.split("---\n").nth(1).expect("an object"))
                .expect("an object");
        object["spec"]["skills"] = json!([{"name": "pdf", "image": image, "mountPath": "/skills/pdf"}]);
        let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u",
            "operation": "CREATE", "kind": {"group": profile.names.group, "version": "v1alpha1", "kind": "AgentRuntime"},
            "namespace": "team1", "name": "weather", "object": object}});
        let review = Review::read(profile, body.to_string().as_bytes()).expect("a review");
        reviewed(&review, review.judge(profile, Rivals::Unknown, Extra::default()), &options).message
    };
    let (tag, digest) = ("ghcr.io/acme/pdf:1", format!("ghcr.io/acme/pdf:1@{ONE}"));
    let words = "is not named by digest, and the operator mounts what its tag names when a pod starts";
    let facts =
        ["{pinned: true}", "{licenses: [Apache-2.0]}", "{allowedTools: [Read]}", "{limits: {files: 9}}"];
    for spec in facts {
        let said = answer(mounting, spec, tag);
        assert!(said.contains(words), "{spec}: {said}");
        assert_eq!(answer(mounting, spec, &digest), "", "{spec}");
        assert_eq!(answer(looking_on, spec, tag), "", "{spec}: what mounts it pins it by the lock");
    }
    assert_eq!(answer(mounting, "{registries: [ghcr.io/acme]}", tag), "", "which is no word about content");
}

/// What one binding may add depends on what the agent has.
#[test]
fn skills_of_a_binding_count_with_those_of_the_agent() {
    let files = Files::new();
    files.write(
        "agent.yaml",
        &format!(
            "{}---\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: more, namespace: team1}}\nspec:\n  \
             targetRef: {{apiVersion: apps/v1, kind: Deployment, name: weather}}\n  skills:\n  \
             - {{name: csv, image: 'ghcr.io/stranger/csv:1', mountPath: /skills/csv}}\n",
            MANIFEST.replace("  - {name: csv, image: 'ghcr.io/stranger/csv:1', mountPath: /skills/csv}\n", "")
        ),
    );
    let said = files.run(&["plan"]);
    assert_eq!(said.code, 3, "{said:?}");
    says_all("plan", &said.stderr);
    assert!(said.stderr.contains("SkillBinding team1/more: spec.skills[0].image: "), "{}", said.stderr);
}

#[test]
fn a_policy_that_is_kept_changes_no_byte() {
    let files = Files::new();
    let sound =
        MANIFEST.replace("  - {name: csv, image: 'ghcr.io/stranger/csv:1', mountPath: /skills/csv}\n", "");
    files.write("agent.yaml", &sound);
    let manifest = files.path("agent.yaml");
    let locked = format!("--locked={}", files.path("skills.lock").display());
    let without = skills(&["render", "-f", manifest.to_str().expect("a path"), &locked]);
    let with = files.run(&["render"]);
    assert_eq!((with.code, &with.stdout), (0, &without.stdout), "{with:?}");
    assert!(with.stdout.contains(&format!("reference: 'ghcr.io/acme/pdf:1@{ONE}'")), "{}", with.stdout);
    assert_eq!(files.run(&["validate"]).code, 0);
}

#[test]
fn a_policy_is_printed_for_those_that_ask_at_admission() {
    let files = Files::new();
    let path = files.path("policy.yaml");
    let path = path.to_str().expect("a path");
    let vap = skills(&["policy", "-f", path, "-o", "json"]);
    let kinds: Vec<Value> =
        vap.json()["items"].as_array().expect("items").iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(kinds, ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]);
    let refused = skills(&["policy", "-f", path, "--print", "sigstore"]);
    assert_eq!(
        refused.parts(),
        (3, "", format!("error: {path} asks for no signature: it has no signedBy\n").as_str())
    );
    files.write("cosign.pub", "-----BEGIN PUBLIC KEY-----\nMFkwEwYH\n-----END PUBLIC KEY-----\n");
    files.write(
        "policy.yaml",
        &format!(
            "{POLICY}  signedBy:\n  - {{keyFile: cosign.pub}}\n  - {{key: '{ONE}'}}\n  \
             - {{identityRegexp: 'https://github.com/acme/.*', issuer: 'https://token.actions.githubusercontent.com', images: ['ghcr.io/acme/ci/*']}}\n"
        ),
    );
    let sigstore = skills(&["policy", "-f", path, "--print", "sigstore", "-o", "json"]).json();
    let key = json!({"data": "-----BEGIN PUBLIC KEY-----\nMFkwEwYH\n-----END PUBLIC KEY-----\n", "hashAlgorithm": "sha256"});
    let identity = json!({"subjectRegExp": "^(?:https://github.com/acme/.*)$", "issuer": "https://token.actions.githubusercontent.com"});
    let keyless = json!({"url": "https://fulcio.sigstore.dev", "identities": [identity]});
    let by_key =
        |format: &str| json!({"name": format!("signer-1-{format}"), "key": key, "signatureFormat": format});
    let by_person = |format: &str| json!({"name": format!("signer-3-{format}"), "keyless": keyless, "ctlog": {"url": "https://rekor.sigstore.dev"}, "signatureFormat": format});
    let object = |number: usize, globs: Value, authorities: Vec<Value>| {
        json!({"apiVersion": "policy.sigstore.dev/v1beta1", "kind": "ClusterImagePolicy", "metadata": {"name": format!("skill-images-{number}")},
            "spec": {"images": globs, "mode": "enforce", "authorities": authorities}})
    };
    assert_eq!(
        sigstore["items"],
        json!([
            object(1, json!([{"glob": "ghcr.io/acme/**"}]), vec![by_key("bundle"), by_key("legacy")]),
            object(
                2,
                json!([{"glob": "ghcr.io/acme/ci/**"}]),
                vec![by_key("bundle"), by_key("legacy"), by_person("bundle"), by_person("legacy")]
            ),
        ])
    );
    let kyverno = skills(&["policy", "-f", path, "--print", "kyverno"]);
    for wanted in [
        "# Left out: signedBy[1] names a key by fingerprint, and its text is needed here; write keyFile.\n",
        "kind: ImageValidatingPolicy\n",
        "expression: \"object.spec.?volumes.orValue([]).filter(v, has(v.image) && has(v.image.reference)).map(v, v.image.reference)\"\n",
        "expression: \"images.skills.all(image, verifyImageSignatures(image, [attestors.signer1]) > 0 || ((image.matches('^ghcr\\\\\\\\.io/acme/ci/.*(:[^/@]+)?(@.+)?$')) && verifyImageSignatures(image, [attestors.signer3]) > 0))\"\n",
    ] {
        assert!(kyverno.stdout.contains(wanted), "{wanted}\n{}", kyverno.stdout);
    }
}

#[test]
fn the_report_says_who_has_what() {
    let files = Files::new();
    let report = files.run(&["report", "-o", "json"]);
    assert_eq!(report.code, 0, "{report:?}");
    let report = report.json();
    let agent = json!({"kind": "AgentRuntime", "namespace": "team1", "name": "weather"});
    assert_eq!(
        report["agents"][0]["skills"][0],
        json!({"name": "pdf", "image": "ghcr.io/acme/pdf:1", "mountPath": "/skills/pdf"})
    );
    assert!(
        report["agents"][0]["skillSet"].as_str().is_some_and(|set| set.starts_with("sha256:")),
        "{report}"
    );
    assert_eq!(report["skills"][1]["agents"], json!([agent]));
    let rules: Vec<&str> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(|one| one["rule"].as_str())
        .collect();
    assert_eq!(rules, ["policy-registry", "policy-license", "policy-tools", "policy-agent"]);

    let bom = files.run(&["report", "-o", "cyclonedx"]).json();
    assert_eq!(
        bom["components"][0],
        json!({
            "type": "container", "bom-ref": "skill-0", "name": "pdf", "version": "1.0.0",
            "hashes": [{"alg": "SHA-256", "content": &ONE["sha256:".len()..]}],
            "licenses": [{"license": {"id": "Apache-2.0"}}],
            "purl": format!("pkg:oci/pdf@sha256%3A{}?repository_url=ghcr.io/acme/pdf&tag=1", &ONE["sha256:".len()..]),
            "properties": [
                {"name": "kagenti:image", "value": "ghcr.io/acme/pdf:1"},
                {"name": "kagenti:skill:content", "value": TWO},
                {"name": "kagenti:skill:allowed-tool", "value": "Read"},
                {"name": "kagenti:skill:files", "value": "3"},
                {"name": "kagenti:skill:bytes", "value": "30"},
                {"name": "kagenti:skill:tokens", "value": "90"},
            ],
        })
    );
    assert_eq!(bom["dependencies"], json!([{"ref": "agent-0", "dependsOn": ["skill-0", "skill-1"]}]));

    let page = files.run(&["report", "--title", "</title><script>alert(1)</script>"]).stdout;
    assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    assert!(page.contains("&lt;b&gt;csv&lt;/b&gt;"), "{page}");
    assert!(!page.contains("<b>"), "{page}");

    files.write(
        "old.lock",
        &lock().replace(TWO, &format!("sha256:{}", "3".repeat(64))).replace("['Bash(*)', Read]", "[Read]"),
    );
    let old = files.path("old.lock");
    let against = ["report", "-o", "markdown", "--against", old.to_str().expect("a path")];
    let text = files.run(&against).stdout;
    for wanted in [
        "| `ghcr.io/stranger/csv:1` | content changed | **more tools**: `Bash(*)`<br>",
        "| policy-registry | `team1/weather` | `ghcr.io/stranger/csv:1` | `is in none of the registries that the policy allows`",
        "| `<b>csv</b>` | `ghcr.io/stranger/csv:1` |",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
}

/// Who is refused has to know what to name in an exception, and a program which rule it was.
#[test]
fn a_finding_names_the_rule_that_is_broken() {
    let files = Files::new();
    let report = files.run(&["validate", "-o", "json"]).json();
    let rules: Vec<&str> = report["objects"][0]["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|one| one["rule"].as_str().expect("a rule"))
        .collect();
    assert_eq!(rules, ["policy-registry", "policy-license", "policy-tools", "policy-agent"]);
    let policy = files.path("policy.yaml");
    let text = files.run(&["validate"]).stdout;
    for rule in ["policy-registry", "policy-license", "policy-tools"] {
        let help = format!("; or {} gets an exception of {rule})", policy.display());
        assert_eq!(text.matches(&help).count(), 1, "{help}\n{text}");
    }
    assert!(!text.contains("exception of policy-agent"), "none is about it: {text}");
}

/// A report by a lock that lacks an image must not look as if all were well.
#[test]
fn a_report_says_what_a_lock_lacks() {
    let files = Files::new();
    let first = lock().lines().take(4).map(|line| format!("{line}\n")).collect::<String>();
    files.write("skills.lock", &first);
    files.write(
        "policy.yaml",
        "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillPolicy\nspec: {registries: [ghcr.io]}\n",
    );
    let said = files.run(&["report", "-o", "json"]);
    let lock = files.path("skills.lock");
    assert_eq!(
        said.json()["findings"],
        json!([{
            "rule": "lock-missing", "agent": said.json()["findings"][0]["agent"], "image": "ghcr.io/stranger/csv:1",
            "message": format!("is not in {}", lock.display()), "help": "run 'kubectl skills lock -f' on the manifests",
        }])
    );
    assert!(said.stderr.contains("1 agent, 2 skills, 1 finding"), "{said:?}");
    let (manifest, lock) = (files.path("agent.yaml"), lock.display().to_string());
    let alone = skills(&["report", "-f", manifest.to_str().expect("a path"), "--against", &lock]);
    assert_eq!(alone.code, 2, "{alone:?}");
}

/// Anyone who may create an AgentRuntime could keep it from going by a finalizer, and have any skill by a SkillBinding.
#[test]
fn what_stays_is_judged_while_its_agent_goes() {
    let files = Files::new();
    let going = MANIFEST.replace(
        "kind: AgentRuntime\nmetadata: {",
        "kind: AgentRuntime\nmetadata: {deletionTimestamp: '2026-11-27T00:00:00Z', finalizers: [example.com/hold], ",
    );
    let binding = "---\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {name: more, namespace: team1}\nspec:\n  \
                   targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}\n  skills:\n  \
                   - {name: csv, image: 'ghcr.io/stranger/csv:1', mountPath: /skills/csv}\n";
    files.write("agent.yaml", &format!("{going}{binding}"));
    let said = files.run(&["render"]);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
    assert!(said.stderr.contains("is in none of the registries that the policy allows"), "{said:?}");
    // What goes is no reason to refuse.
    files.write("agent.yaml", &going);
    let said = files.run(&["render"]);
    assert_eq!(said.code, 0, "{said:?}");
}
