//! The command line: exit codes, what goes to which output, input that is none, and JSON as whole objects.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test runs programs and stops at the first surprise"
)]

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::executable;
use crate::program::{DEPLOYMENT, Folder, RENDERED, RUNTIME, fed, program, said, skills, stream};

const HASH: &str = "d50a0886c9021b691a96d108e71486db791abc7e2100bbc17375b04b3a9a0d44";
const HASH_INPUT: &str = "{\"type\":\"agent\",\"skills\":[{\"name\":\"pdf\",\"image\":\"quay.io/acme/pdf:1\",\"mountPath\":\"/skills/pdf\"}]}";

/// The summary over [`stream`], with what it says of changes.
fn summary(changes: &str) -> String {
    format!(
        "summary: 1 agent{changes}; profile pr332-merged because AgentRuntimes of group agent.kagenti.dev have spec.skills; hashes \
         use compiled defaults, for no operator ConfigMap is given (--config-from)\n"
    )
}

/// Every object is in it, also those that no plan is about, as `kubectl get -o json` would list them.
#[test]
fn render_to_json_lists_all_objects_in_order() {
    let list = format!("apiVersion: v1\nkind: List\nitems:\n- {{kind: Role, mode: 010}}\n---\n{}", stream());
    let said = fed(&["render", "-o", "json", "-f", "-"], list);
    let found = said.json();
    let kinds: Vec<&str> = found["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["kind"].as_str().expect("a kind"))
        .collect();
    assert_eq!(kinds, ["Role", "Deployment", "Service", "AgentRuntime"]);
    assert_eq!(
        found,
        json!({"apiVersion": "v1", "kind": "List", "items": [
            {"kind": "Role", "mode": 8},
            {
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {
                    "name": "weather", "namespace": "team1",
                    "labels": {"kagenti.io/type": "agent", "app.kubernetes.io/managed-by": "kagenti-operator"},
                    "annotations": {"kagenti.io/skills": "[\"pdf\"]"}
                },
                "spec": {"template": {
                    "metadata": {
                        "labels": {"app": "weather", "kagenti.io/type": "agent"},
                        "annotations": {"kagenti.io/config-hash": HASH}
                    },
                    "spec": {
                        "containers": [{
                            "name": "agent", "image": "quay.io/acme/weather:1",
                            "volumeMounts": [{"name": "skill-pdf", "mountPath": "/skills/pdf", "readOnly": true}]
                        }],
                        "volumes": [{"name": "skill-pdf", "image": {"reference": "quay.io/acme/pdf:1"}}]
                    }
                }}
            },
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "weather"}},
            runtime()
        ]})
    );
}

fn runtime() -> Value {
    json!({
        "apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime",
        "metadata": {"name": "weather", "namespace": "team1"},
        "spec": {
            "type": "agent",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "weather"},
            "skills": [{"name": "pdf", "image": "quay.io/acme/pdf:1", "mountPath": "/skills/pdf"}]
        }
    })
}

#[test]
fn diff_as_json_is_one_object() {
    let said = fed(&["diff", "-o", "json", "-f", "-"], stream());
    let add = |path: &str, to: Value| json!({"path": path, "op": "add", "from": null, "to": to});
    assert_eq!(said.code, 1);
    assert_eq!(
        said.json(),
        json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "Diff", "objects": [{
            "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "team1", "name": "weather",
            "changes": [
                add("metadata.annotations", json!({"kagenti.io/skills": "[\"pdf\"]"})),
                add("metadata.labels", json!({"app.kubernetes.io/managed-by": "kagenti-operator", "kagenti.io/type": "agent"})),
                add("spec.template.metadata.annotations", json!({"kagenti.io/config-hash": HASH})),
                add("spec.template.metadata.labels[kagenti.io/type]", json!("agent")),
                add("spec.template.spec.containers[0].volumeMounts",
                    json!([{"name": "skill-pdf", "mountPath": "/skills/pdf", "readOnly": true}])),
                add("spec.template.spec.volumes", json!([{"name": "skill-pdf", "image": {"reference": "quay.io/acme/pdf:1"}}])),
            ]
        }]})
    );
}

/// kubectl drops arguments with a dot or a slash in them without a word; and a broken program is no difference.
#[cfg(unix)]
#[test]
fn an_external_diff_gets_all_its_arguments_and_decides() {
    let folder = Folder::with(&[("in.yaml", &stream())]);
    let path = folder.path("differ");
    executable::write(path.as_ref(), "#!/bin/sh\nls \"$1\" \"$2\"\nshift 2\necho \"$@\"\nexit $RC\n");
    let run = |code: &str| {
        let mut command = program(&["diff", "-f", "in.yaml"]);
        command.current_dir(folder.root()).env("PATH", "/usr/bin:/bin").env("RC", code);
        said(command.env("KUBECTL_EXTERNAL_DIFF", format!("{path} --ignore=spec.x/y --color")))
    };
    let found = run("1");
    assert_eq!(found.code, 1, "{found:?}");
    assert_eq!(found.stdout.matches("apps.v1.Deployment.team1.weather").count(), 2, "{found:?}");
    assert!(found.stdout.ends_with("--ignore=spec.x/y --color\n"), "{found:?}");
    assert_eq!(run("0").code, 0);
    assert_eq!(run("2").code, 3);
}

#[test]
fn plan_as_json_is_one_object() {
    let mut found = fed(&["plan", "-o", "json", "-f", "-"], stream()).json();
    let changes = found["runtimes"][0]["changes"].take();
    assert_eq!(changes.as_array().map(Vec::len), Some(6), "{changes}");
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message});
    assert_eq!(
        found,
        json!({
            "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "Plan", "profile": "pr332-merged", "warnings": [],
            "runtimes": [{
                "kind": "AgentRuntime", "namespace": "team1", "name": "weather", "added": [],
                "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "weather"},
                "action": "configured", "reason": "1 skill is to be mounted",
                "configHash": HASH, "hashInput": HASH_INPUT,
                "skills": [{"name": "pdf", "image": "quay.io/acme/pdf:1", "mountPath": "/skills/pdf", "pullPolicy": "", "subPath": "", "volume": "skill-pdf", "delivery": "image"}],
                "container": "agent", "conditions": [
                    condition("ConfigResolved", "ConfigResolved", "Configuration resolved successfully"),
                    condition("Ready", "Configured", "Workload weather configured with config-hash d50a0886c902"),
                    condition("SkillsMounted", "SkillsApplied", "1 skill image(s) mounted"),
                    condition("TargetResolved", "TargetFound", "Deployment weather resolved"),
                ],
                "events": [{"type": "Normal", "reason": "Configured", "message": "Applied config to Deployment weather"}],
                "requeueAfterSeconds": 0, "changes": null, "warnings": [],
            }],
        })
    );
}

#[test]
fn hash_as_json_is_one_object() {
    let found = fed(&["hash", "-o", "json", "-f", "-"], stream()).json();
    let item = json!({"namespace": "team1", "name": "weather", "configHash": HASH, "hashInput": HASH_INPUT});
    assert_eq!(
        found,
        json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "HashList", "items": [item]})
    );
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: team\n  namespace: team1\n  labels: {kagenti.io/defaults: \"true\"}\n\
                  data: {log: debug}\n";
    let folder = Folder::with(&[("agent.yaml", RUNTIME), ("config.yaml", config)]);
    let against = ["hash", "-f", "agent.yaml", "--config-from", "config.yaml", "--against", HASH];
    let found = folder.skills(&[&against[..], &["-o", "json"]].concat()).json();
    assert_eq!(found["items"][0]["against"][0]["hashInput"], HASH_INPUT, "{found}");
}

/// The words are the API server's and the webhook's; the places are the author's.
#[test]
fn validate_as_json_is_one_object() {
    let alone = "\
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {name: a, namespace: team1}
spec:
  type: agent
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  nonsense: 1
  skills:
    - {name: x, image: i:1, mountPath: /x}
    - name: x
      image: i:2
      mountPath: /y
";
    let said = fed(&["validate", "-o", "json", "-f", "-"], alone);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.json(),
        json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "ValidationReport", "profile": "pr332-merged", "objects": [{
            "file": "-", "namespace": "team1", "name": "a", "allowed": false,
            "findings": [{"by": "webhook", "rule": "webhook-skill-name", "line": 10, "column": 13, "message":
                "admission webhook \"vagentruntime.kb.io\" denied the request: spec.skills[1]: duplicate skill name \"x\""}],
            "warnings": [{"by": "schema", "rule": "unknown-field", "line": 7, "column": 13, "message":
                "unknown field \"spec.nonsense\": the API server drops it"}],
        }]})
    );
}

#[test]
fn version_and_crd_follow_the_profile() {
    let found =
        fed(&["version", "-o", "json", "-f", "-"], RUNTIME.replace("kagenti.dev", "rossoctl.dev")).json();
    assert_eq!(
        (&found["profile"], &found["version"]),
        (&json!("rossoctl"), &json!(env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(found["profiles"].as_array().map(Vec::len), Some(9));
    let text = skills(&["version", "--profile", "head"]).stdout;
    assert!(text.contains("\nprofile head: "), "{text}");
    let crd = skills(&["crd", "-o", "json"]).json();
    assert_eq!(crd["metadata"]["name"], "agentruntimes.agent.kagenti.dev");
    let crd = skills(&["crd", "--profile", "rossoctl"]).stdout;
    assert!(crd.contains("  name: agentruntimes.agent.rossoctl.dev\n"), "{crd}");
}

/// A pipeline whose first part failed must not look like success: Argo CD would then delete everything.
#[test]
fn input_without_objects_is_refused() {
    let empty = "error: standard input is empty (see whether the command before the pipe failed; bash's 'set -o pipefail' \
                 would have reported it)\n";
    for verb in ["render", "diff", "plan", "hash", "validate"] {
        assert_eq!(fed(&[verb, "-f", "-"], "").parts(), (3, "", empty), "{verb}");
        assert_eq!(fed(&[verb, "-f", "-"], "\n\n").parts(), (3, "", empty), "{verb}");
        let said = fed(&[verb, "-f", "-"], "# nothing\n---\n");
        assert_eq!(said.parts(), (3, "", "error: -: there is no object in it\n"), "{verb}");
    }
    let said = skills(&["render"]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert!(said.stderr.contains("'-f -' to read standard input"), "{said:?}");
}

/// All defects are reported, each with file and place; nothing is printed of the rest.
#[test]
fn input_that_cannot_be_read_is_told_with_its_place() {
    let folder = Folder::with(&[
        ("good.yaml", &stream()),
        ("broken.yaml", "a: b\n---\na: [1\nkind: Deployment\n"),
        ("none/a.txt", ""),
    ]);
    folder.write("latin.yaml", b"kind: Deployment\nname: caf\xe9\n");
    folder.write("wide.yaml", b"\xff\xfek\x00");
    let args = [
        "render",
        "-f",
        "good.yaml",
        "-f",
        "latin.yaml",
        "-f",
        "wide.yaml",
        "-f",
        "missing.yaml",
        "-f",
        "none",
    ];
    assert_eq!(
        folder.skills(&args).parts(),
        (
            3,
            "",
            "error: latin.yaml:2:10: the byte 0xe9 is not UTF-8 (save the file as UTF-8; iconv -t UTF-8 converts it)\n\
             error: wide.yaml: the text is UTF-16, and YAML for Kubernetes is UTF-8 (convert it: iconv -f UTF-16 -t UTF-8)\n\
             error: missing.yaml: cannot be read: No such file or directory (os error 2) (check the name)\n\
             error: none: no .yaml, .yml or .json file in this folder (name another folder, or -R to look into folders in it)\n"
        )
    );
    let said = folder.skills(&["render", "-f", "broken.yaml"]);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
    assert!(said.stderr.starts_with("error: broken.yaml:") && said.stderr.contains("document 2"), "{said:?}");
    let said = fed(&["render", "-f", "-"], b"kind: Deployment\n\xff");
    assert_eq!((said.code, said.stderr.starts_with("error: -:2:1: the byte 0xff")), (3, true), "{said:?}");
}

/// clap's and our own refusals are both usage: 2.
#[test]
fn wrong_usage_is_two() {
    for args in [
        &["no-such-verb"][..],
        &["render", "--no-such-flag"],
        &["render", "-f", "a", "-k", "b"],
        &["render", "-R"],
        &["render", "-i", "-o", "json", "-f", "a"],
        &["render", "-i", "--check", "-f", "a"],
        &["render", "--skill-folders=perhaps", "-f", "a"],
        &["hash", "-f", "a", "--against", "ABC"],
        &["crd", "--profile", "nobody"],
        &["plan", "-f", "a", "weather"],
        &["diff", "-f", "a", "-A"],
        &["render", "-f", "https://example.com/a.yaml"],
        &["render", "-f", "-", "-f", "-"],
        &[],
    ] {
        let said = fed(args, RUNTIME);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{args:?}: {said:?}");
        assert!(!said.stderr.is_empty(), "{args:?}");
    }
    let said = fed(&["render", "-i", "-f", "-"], stream());
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
    let said = fed(&["render", "--profile", "nobody", "-f", "-"], stream());
    assert_eq!(said.code, 2, "{said:?}");
}

/// Verbs that need a cluster and find none fail as the cluster's: 4.
#[cfg(feature = "cluster")]
#[test]
fn without_a_cluster_is_four() {
    for args in [
        &["diff"][..],
        &["plan"],
        &["hash"],
        &["apply"],
        &["status"],
        &["restart", "b"],
        &["doctor"],
        &["render", "-f", "-", "--config-from", "cluster"],
    ] {
        let said = fed(args, stream());
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{args:?}: {said:?}");
        assert!(said.stderr.contains("no cluster is configured"), "{args:?}: {said:?}");
    }
}

/// A build with files alone says how to get the rest.
#[cfg(not(feature = "cluster"))]
#[test]
fn without_the_feature_the_way_to_it_is_told() {
    for verb in ["diff", "plan", "hash", "apply", "status", "restart", "doctor", "completion"] {
        let said = skills(&[verb]);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{verb}: {said:?}");
        assert!(said.stderr.contains("cargo install kubectl-skills --features cluster"), "{verb}: {said:?}");
    }
}

/// `kubectl skills render ... | head -1` is no error, and neither is help that nobody reads to its end.
#[test]
fn a_closed_pipe_ends_quietly() {
    let large: String = (0..2000).map(|number| format!("---\nkind: Service\nname: s{number}\n")).collect();
    let folder = Folder::with(&[("in.yaml", &format!("{}{large}", stream()))]);
    for args in [
        &["render", "-f", "in.yaml"][..],
        &["render", "-o", "json", "-f", "in.yaml"],
        &["--help"],
        &["diff", "-f", "in.yaml"],
    ] {
        let mut command = program(args);
        command.current_dir(folder.root()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("a run");
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
        let code = child.wait().expect("an end").code();
        assert_eq!(code, Some(i32::from(args[0] == "diff")), "{args:?}: {stderr}");
        assert!(!stderr.contains("error") && !stderr.contains("panic"), "{args:?}: {stderr}");
    }
}

/// A full disk is not a closed pipe.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let folder = Folder::with(&[("in.yaml", &stream())]);
    for args in [&["render", "-f", "in.yaml"][..], &["--help"], &["render", "--help"], &["--version"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
        let said = said(program(args).current_dir(folder.root()).stdout(full));
        assert_eq!(said.code, 3, "{args:?}: {said:?}");
        assert!(
            said.stderr.contains("error: standard output: No space left on device"),
            "{args:?}: {said:?}"
        );
    }
}

/// Colours are for terminals, and for who asks; NO_COLOR and `--color` decide as everywhere. Manifests are never coloured.
#[test]
fn colours_are_for_who_asks() {
    let folder = Folder::with(&[("in.yaml", &stream())]);
    let coloured = |args: &[&str], env: &[(&str, &str)]| {
        let mut command = program(args);
        command.current_dir(folder.root()).envs(env.iter().copied());
        let said = said(&mut command);
        (said.stdout.contains('\u{1b}'), said.stderr.contains('\u{1b}'))
    };
    let diff = ["diff", "-f", "in.yaml"];
    assert_eq!(coloured(&diff, &[]), (false, false));
    assert_eq!(coloured(&diff, &[("CLICOLOR_FORCE", "1")]), (true, true));
    assert_eq!(coloured(&["diff", "-f", "in.yaml", "--color", "always"], &[("NO_COLOR", "1")]), (true, true));
    assert_eq!(
        coloured(&["diff", "-f", "in.yaml", "--color=never"], &[("CLICOLOR_FORCE", "1")]),
        (false, false)
    );
    assert_eq!(coloured(&["render", "-f", "in.yaml", "--color=always"], &[]), (false, true));
}

/// What is quadratic in the documents would take minutes here.
#[test]
fn a_stream_of_ten_thousand_documents_goes_through() {
    let mut text = String::new();
    for number in 0..2000 {
        let name = format!("weather-{number}");
        text.push_str(&stream().replace("weather", &name).replace(&format!("acme/{name}"), "acme/weather"));
        text.push_str("---\nkind: ConfigMap\ndata: {a: b}\n---\nkind: Role\n---\n");
    }
    let said = fed(&["render", "-f", "-"], &text);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.stdout.matches("kagenti.io/config-hash").count(), 2000);
}

/// `-k` is what the installed kustomize makes of a folder; where it fails or is missing, so do we.
#[cfg(unix)]
#[test]
fn a_kustomization_is_built_by_the_installed_program() {
    let run_with = |kustomization: &str, script: Option<&str>| {
        let folder = Folder::with(&[("in.yaml", &stream()), ("app/kustomization.yaml", kustomization)]);
        let bin = Folder::with(&[]);
        if let Some(script) = script {
            executable::write(bin.path("kustomize").as_ref(), format!("#!/bin/sh\n{script}\n"));
        }
        let mut command = program(&["render", "-k", "app"]);
        said(command.current_dir(folder.root()).env("PATH", bin.root()))
    };
    let run = |script: Option<&str>| run_with("", script);
    let said = run(Some("[ \"$*\" = 'build app' ] && exec /bin/cat in.yaml"));
    assert_eq!((said.code, said.stdout.starts_with(RENDERED)), (0, true), "{said:?}");
    let said = run(Some("echo 'no such resource' >&2; exit 1"));
    assert_eq!((said.code, said.stdout.as_str()), (3, ""));
    assert!(said.stderr.contains("no such resource\nerror: kustomize build app: it failed"), "{said:?}");
    // kustomize's own words name a plugin, and no way out.
    let said = run_with("transformers:\n- skills.yaml\n", Some("exit 1"));
    assert!(
        said.code == 3 && said.stderr.contains("the folder lists transformers, and -k runs none"),
        "{said:?}"
    );
    assert_eq!(run(Some("exit 0")).code, 3);
    let said = run(None);
    assert!(said.code == 3 && said.stderr.contains("neither is on the PATH"), "{said:?}");
}

/// A reader that never comes must not be waited for: a writer that dies leaves an input that ends.
#[test]
fn half_a_document_is_refused() {
    let mut command = program(&["render", "-f", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a run");
    let half = &stream()[..stream().len() - 60];
    child.stdin.take().expect("a pipe").write_all(half.as_bytes()).expect("a write");
    let output = child.wait_with_output().expect("an end");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0));
}

/// Where nothing was done, a green result without a word is how a misspelt kind reaches production.
#[test]
fn nothing_found_is_said_and_fails_a_check() {
    let stream = stream();
    for (from, to, warning) in [
        (
            "kind: AgentRuntime",
            "kind: Agentruntime",
            "kind \"Agentruntime\" is not read: did you mean AgentRuntime?",
        ),
        (
            "kind: AgentRuntime",
            "kind: AgentRutime",
            "kind \"AgentRutime\" is not read: did you mean AgentRuntime?",
        ),
        (
            "agent.kagenti.dev/v1alpha1",
            "agents.kagenti.dev/v1alpha1",
            "AgentRuntime of apiVersion \"agents.kagenti.dev/v1alpha1\" is not read: did you mean agent.kagenti.dev/v1alpha1?",
        ),
    ] {
        let input = stream.replace(from, to);
        let expected = format!(
            "warning: -:18: {warning}\nsummary: no AgentRuntime or SkillBinding in 3 objects: nothing to do\n"
        );
        for (args, code) in [
            (&["render", "--check", "-f", "-"][..], 1),
            (&["render", "--check", "--allow-none", "-f", "-"], 0),
            (&["render", "-f", "-"], 0),
            (&["diff", "-f", "-"], 0),
            (&["plan", "-f", "-"], 0),
            (&["hash", "-f", "-"], 0),
        ] {
            let said = fed(args, &input);
            assert_eq!((said.code, said.stderr.as_str()), (code, expected.as_str()), "{args:?}: {said:?}");
        }
        assert_eq!(fed(&["validate", "-f", "-"], &input).code, 1, "{to}");
        assert_eq!(fed(&["fn", "--validate"], &input).code, 1, "{to}");
        assert_eq!(fed(&["fn", "--validate", "--allow-none"], &input).code, 0, "{to}");
    }
    // One of two is misspelt: the other is found, and that one is not passed over.
    let two = format!("{stream}---\n{}", RUNTIME.replace("kind: AgentRuntime", "kind: Agentruntime"));
    let said = fed(&["plan", "-f", "-"], &two);
    assert!(said.stderr.contains("did you mean AgentRuntime?"), "{said:?}");
}

/// `-q` leaves the result and errors; `-v` says what became of each object.
#[test]
fn as_much_is_said_as_is_asked_for() {
    let quiet = fed(&["render", "-q", "-f", "-"], stream());
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    assert!(fed(&["plan", "-q", "-f", "-"], RUNTIME).stderr.starts_with("error: "));
    let said = fed(&["render", "-v", "-f", "-"], stream());
    assert_eq!(
        said.stderr,
        "object: deployment team1/weather: 1 skill mounted\n\
         object: service default/weather: untouched\n\
         object: agentruntime team1/weather: untouched\n"
            .to_owned()
            + &summary(", 1 skill: 1 workload changed, 2 objects untouched")
    );
}

/// Labels and a hash without skills restart pods for nothing; who reads the plan must see why.
#[test]
fn a_gate_that_is_off_is_said_by_every_verb() {
    for args in [
        &["plan", "-f", "-"][..],
        &["render", "-f", "-"],
        &["render", "--check", "-f", "-"],
        &["diff", "-f", "-"],
    ] {
        let said = fed(&[args, &["--feature-gates", "skillImageVolumes=false"]].concat(), stream());
        assert!(
            said.stderr.contains("; no skills are mounted: the feature gate skillImageVolumes is off;"),
            "{args:?}: {said:?}"
        );
    }
    let table = fed(&["plan", "-f", "-", "--feature-gates", "skillImageVolumes=false"], stream()).stdout;
    assert!(table.contains("the gate skillImageVolumes is off: no skill is to be mounted"), "{table}");
}

/// Text of others neither steers the terminal nor begins a line that we did not write, on either stream, in any format.
#[test]
fn text_of_others_is_shown_and_not_obeyed() {
    let hostile = RUNTIME
        .replace("name: pdf", "name: \"pdf\\e]0;title\\a\\n::error::forged\\u202egnp\"")
        .replace("quay.io/acme/pdf:1", "\"quay.io/acme/pdf:1\\nnote: forged\\x9b2J\\u200b\"")
        .replace("{name: weather, namespace", "{name: \"weather\\e[2J\\nerror: forged\\u2066\", namespace");
    let input = format!("{DEPLOYMENT}---\n{hostile}");
    for args in [
        &["plan"][..],
        &["plan", "-o", "json"],
        &["hash"],
        &["hash", "--explain"],
        &["hash", "-o", "json"],
        &["validate"],
        &["validate", "-o", "json"],
        &["diff"],
        &["diff", "-o", "json"],
        &["render"],
        &["render", "--check"],
        &["fn"],
    ] {
        let fn_args = args == ["fn"];
        let args = if fn_args { args.to_vec() } else { [args, &["-f", "-"]].concat() };
        let said = fed(&args, &input);
        for text in [&said.stdout, &said.stderr] {
            let hostile = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{200b}\u{2066}".contains(c));
            assert!(!text.contains(hostile), "{args:?}: {text:?}");
            let forged = |line: &str| {
                ["note: forged", "error: forged", "::error::"].iter().any(|f| line.starts_with(f))
            };
            assert!(!text.lines().any(forged), "{args:?}: {text}");
        }
    }
}

/// F1: new items stand where the author's items do, also where a dash stands alone or before a comment; the same bytes with
/// CRLF and through `fn`.
#[test]
fn a_dash_alone_or_before_a_comment_sets_no_indentation() {
    for dash in ["-", "- # the agent"] {
        let author = DEPLOYMENT
            .replace("        - name: agent\n", &format!("        {dash}\n          name: agent\n"));
        let input = format!("{author}---\n{RUNTIME}");
        let said = fed(&["render", "-f", "-"], &input);
        let rendered =
            RENDERED.replace("        - name: agent\n", &format!("        {dash}\n          name: agent\n"));
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (0, format!("{rendered}---\n{RUNTIME}").as_str()),
            "{said:?}"
        );
        assert_eq!(fed(&["fn"], &input).stdout, said.stdout);
        let crlf = fed(&["render", "-f", "-"], input.replace('\n', "\r\n"));
        assert_eq!(crlf.stdout, said.stdout.replace('\n', "\r\n"));
        assert_eq!(fed(&["render", "--remove", "-f", "-"], &said.stdout).stdout, input);
    }
}

/// E3: the CRD takes 20 skills, and more are refused with its words before anything is planned with them.
#[test]
fn too_many_skills_are_refused() {
    let skills: String = (0..10_000)
        .map(|at| format!("    - {{name: s{at}, image: 'r.io/s:{at}', mountPath: /skills/s{at}}}\n"))
        .collect();
    let (head, _) = RUNTIME.split_once("    - name: pdf").expect("the skill");
    let said = fed(&["render", "-f", "-"], format!("{DEPLOYMENT}---\n{head}{skills}"));
    assert_eq!((said.code, said.stdout.as_str()), (3, ""));
    assert!(said.stderr.contains("spec.skills: Too many: 10000: must have at most 20 items"), "{said:?}");
}

/// kustomize's legacy plugins give the function's configuration as a word: it is no configuration file of the program.
#[test]
fn the_function_takes_its_configuration_as_a_word() {
    let config = "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillsFunction\nmetadata: {name: x}\nspec: {profile: head}\n";
    let folder = Folder::with(&[("skills.yaml", config)]);
    let said = fed(&["fn", &folder.path("skills.yaml")], stream());
    let summary = said.stderr.lines().last().unwrap_or_default();
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(summary.contains("; profile head because "), "{}", said.stderr);
}

/// An error page or an unrendered template in front of a pipe would be applied, or look like success.
#[test]
fn text_without_an_object_is_refused() {
    let help = "(see whether the program before this one failed)";
    for (text, what) in [
        ("{{{{\n<html>", "-:2:7: there is no object in the input: it is a template that was not rendered"),
        ("<html>502</html>\n", "-:1:1: there is no object in the input: it is HTML or XML"),
        (
            "Error: release not found\n",
            "-:1:1: there is no object in the input: nothing in it has an apiVersion or a kind",
        ),
        ("{}\n", "-:1:1: there is no object in the input: nothing in it has an apiVersion or a kind"),
        ("- a\n", "-:1:1: there is no object in the input: nothing in it has an apiVersion or a kind"),
    ] {
        for words in [
            &["fn"][..],
            &["render", "-f", "-"],
            &["plan", "-f", "-"],
            &["validate", "-f", "-"],
            &["diff", "-f", "-"],
            &["hash", "-f", "-"],
        ] {
            assert_eq!(
                fed(words, text).parts(),
                (3, "", format!("error: {what} {help}\n").as_str()),
                "{words:?}"
            );
        }
    }
}

/// The function says what the verbs say of typed lists, arrays and unknown fields.
#[test]
fn the_function_reads_lists_and_fields_as_the_verbs_do() {
    let page = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/input.in").join(name);
        std::fs::read_to_string(path).expect("an input")
    };
    for name in ["typed-list.yaml", "array.json", "field-misspelt.yaml", "namespace-missing.yaml"] {
        let (by_fn, by_render) = (fed(&["fn"], page(name)), fed(&["render", "-f", "-"], page(name)));
        assert_eq!((by_fn.code, &by_fn.stdout), (by_render.code, &by_render.stdout), "{name}");
        for line in by_render.stderr.lines().filter(|line| line.starts_with("warning")) {
            assert!(by_fn.stderr.lines().any(|said| said == line), "{name}: {line}: {by_fn:?}");
        }
    }
}
