//! The tools by which owners deploy: kubectl in four ways, and Helm in two versions.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use kubectl_skills::editor::Document;
use serde_json::{Value, json};

use super::cases::{Case, Lane, Way};
use super::fields::{self, Fields};
use crate::server::{Said, Server, fed};

/// As Flux applies.
const FLUX: [&str; 3] = ["--server-side", "--force-conflicts", "--field-manager=kustomize-controller"];

/// Whoever deploys a lane's workloads, always the same manifests.
pub(super) struct Owner<'s> {
    server: &'s Server,
    lane: Lane,
    helm: Option<PathBuf>,
    dir: tempfile::TempDir,
    has_deployed: Cell<bool>,
}

impl<'s> Owner<'s> {
    pub(super) fn new(server: &'s Server, lane: Lane) -> Self {
        let helm = match lane {
            Lane::Helm3 => Some(tool("helm3")),
            Lane::Helm4 => Some(tool("helm")),
            _ => None,
        };
        let dir = tempfile::tempdir().expect("a directory");
        Self { server, lane, helm, dir, has_deployed: Cell::new(false) }
    }

    /// Deploys; what the tool could not, and for which fields.
    pub(super) fn deploy(&self, cases: &[Case]) -> BTreeMap<String, Fields> {
        let again = self.has_deployed.replace(true);
        match self.lane {
            Lane::Client => self.kubectl(&["apply"], cases),
            Lane::Flux => {
                if again {
                    self.take_over(cases);
                }
                self.kubectl(&[&["apply"][..], &FLUX].concat(), cases)
            }
            Lane::Replace => self.kubectl(&[if again { "replace" } else { "create" }], cases),
            Lane::Helm3 | Lane::Helm4 => return self.helm(cases, again),
        }
        BTreeMap::new()
    }

    fn kubectl(&self, args: &[&str], cases: &[Case]) {
        self.server.kubectl(&[args, &["-f", "-"]].concat(), &list(cases).to_string());
    }

    /// What Flux does before it applies: fields of whoever is called `kubectl...` become its own, so that what its manifest
    /// does not state goes (fluxcd/pkg, ssa/patch.go; kustomize-controller, `Undo changes made with kubectl`).
    fn take_over(&self, cases: &[Case]) {
        let of_flux =
            |entry: &Value| entry["manager"] == "kustomize-controller" && entry["operation"] == "Apply";
        let of_kubectl = |entry: &Value| {
            let name = entry["manager"].as_str().unwrap_or_default();
            name.starts_with("kubectl") && entry.get("subresource").is_none()
        };
        for case in cases {
            let live = self.server.get(&case.path());
            let entries = live["metadata"]["managedFields"].as_array().expect("field managers").clone();
            let (taken, mut left): (Vec<Value>, Vec<Value>) = entries.into_iter().partition(of_kubectl);
            if taken.is_empty() {
                continue;
            }
            let own = left.iter_mut().find(|entry| of_flux(entry)).expect("Flux's own fields");
            for entry in &taken {
                merge(&mut own["fieldsV1"], &entry["fieldsV1"]);
            }
            let patch = json!([{"op": "replace", "path": "/metadata/managedFields", "value": left}]);
            let path = format!("{}?fieldManager=kustomize-controller", case.path());
            let (code, answer) =
                self.server.send("PATCH", &path, "application/json-patch+json", Some(&patch));
            assert_eq!(code, 200, "{answer}");
        }
    }

    /// Which fields `kubectl diff` shows, as the owner would ask it.
    pub(super) fn diff(&self, cases: &[Case]) -> BTreeMap<String, Fields> {
        let how: &[&str] = match self.lane {
            Lane::Client => &[],
            Lane::Flux => &FLUX,
            _ => return BTreeMap::new(),
        };
        // In place of diff: the objects themselves.
        let script = self.dir.path().join("keep");
        crate::executable::write(
            &script,
            "#!/bin/sh\nrm -rf \"$KEPT\" && mkdir \"$KEPT\" && cp -r \"$1\" \"$KEPT/live\" && cp -r \"$2\" \"$KEPT/merged\"\n",
        );
        let kept = self.dir.path().join("kept");
        let mut command = Command::new(self.server.kubectl_path());
        command.arg("diff").args(how).args(["-f", "-"]);
        command
            .env("KUBECONFIG", self.server.kubeconfig())
            .env("KUBECTL_EXTERNAL_DIFF", script)
            .env("KEPT", &kept);
        let said = fed(&mut command, &list(cases).to_string());
        assert_eq!(said.code, 0, "{}", said.stderr);
        let mut out = BTreeMap::new();
        for case in cases {
            let file = format!(
                "{}.{:?}.{}.{}",
                case.api_version().replace('/', "."),
                case.kind,
                case.namespace(),
                case.name()
            );
            let [live, merged] = ["live", "merged"].map(|side| parsed(&kept.join(side).join(&file)));
            let differing = fields::differing(&live, &merged);
            if !differing.is_empty() {
                out.insert(case.name(), differing);
            }
        }
        out
    }

    /// A release of what may be refused and one of the rest; Helm names each object that it could not apply.
    fn helm(&self, cases: &[Case], again: bool) -> BTreeMap<String, Fields> {
        let (forced, free): (Vec<Case>, Vec<Case>) =
            cases.iter().partition(|case| matches!(case.way, Way::Forced | Way::Put));
        let mut failed = BTreeMap::new();
        for (name, cases) in [("forced", forced), ("free", free)] {
            let said = self.release(name, &cases, again);
            if said.code == 0 {
                continue;
            }
            assert!(again, "helm install: {}", said.stderr);
            let before = failed.len();
            for part in said.stderr.split("applying object ").skip(1) {
                let words = part.split_whitespace();
                let paths = words.filter(|word| word.starts_with(".spec") || word.starts_with(".metadata"));
                let fields: Fields = paths.map(fields::named).collect();
                let object = part.split_whitespace().next().and_then(|name| name.split('/').nth(1));
                assert!(!fields.is_empty(), "helm upgrade: {}", said.stderr);
                failed.insert(object.expect("a name").to_owned(), fields);
            }
            assert!(failed.len() > before, "helm upgrade: {}", said.stderr);
        }
        failed
    }

    fn release(&self, name: &str, cases: &[Case], again: bool) -> Said {
        let chart = self.dir.path().join(name);
        std::fs::create_dir_all(chart.join("templates")).expect("a folder");
        std::fs::write(chart.join("Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"))
            .expect("a chart");
        for case in cases {
            let file = chart.join("templates").join(format!("{}.yaml", case.name()));
            std::fs::write(file, kubectl_skills::yaml::emit::document(&case.manifest())).expect("a template");
        }
        let mut command = Command::new(self.helm.as_ref().expect("helm"));
        command.args([if again { "upgrade" } else { "install" }, name]).arg(&chart);
        command.args(["-n", &cases[0].namespace()]);
        command.env("KUBECONFIG", self.server.kubeconfig()).env("HOME", self.dir.path());
        fed(&mut command, "")
    }
}

fn merge(into: &mut Value, from: &Value) {
    for (key, value) in from.as_object().into_iter().flatten() {
        match into.get_mut(key) {
            Some(there) => merge(there, value),
            None => into[key] = value.clone(),
        }
    }
}

fn list(cases: &[Case]) -> Value {
    let items: Vec<Value> = cases.iter().map(Case::manifest).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn parsed(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    Document::parse(&text).expect("YAML").to_value().expect("a value")
}

/// A program of hack/tools.sh, which builds it where it is not there yet.
fn tool(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/tools.sh");
    let said = fed(Command::new(script).arg(name), "");
    assert_eq!(said.code, 0, "{}", said.stderr);
    PathBuf::from(said.stdout.trim())
}
