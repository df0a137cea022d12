//! What `hash` prints: plans and the ConfigMaps that they were hashed over in; a table, explanations or JSON out. The same
//! for manifests and for a cluster.

use std::collections::BTreeSet;
use std::path::PathBuf;

use kubectl_skills::api::agent_runtime::AgentRuntimeSpec;
use kubectl_skills::api::object::ConfigMap;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::config::explain::{Against, Inputs, Row, against, explain};
use kubectl_skills::config::hash::HashPrefix;
use kubectl_skills::config::layers::{ConfigLayers, ConfigView};
use kubectl_skills::live::status_report::Stamp;
use kubectl_skills::plan::RuntimePlan;
use serde_json::{Value, json};

use crate::args::Report;
use crate::exit::Failure;
use crate::notes;
use crate::printable;
use crate::sink;
use crate::table::Table;

/// The flags of `hash`.
#[derive(Debug, Clone)]
pub struct HashOptions {
    /// Each layer and value that went in, with its source.
    pub explain: bool,
    /// A hash to be explained by other inputs.
    pub against: Option<Foreign>,
    /// Output format.
    pub output: Report,
}

/// Where a hash that is to be explained comes from.
#[derive(Debug, Clone)]
pub enum Foreign {
    /// The command line.
    Given(HashPrefix),
    /// The workload of each AgentRuntime, in this file.
    File(PathBuf),
    /// The same in the cluster.
    Live,
}

/// The output under construction.
pub struct HashReport<'a> {
    options: &'a HashOptions,
    profile: &'static Profile,
    maps: &'a [ConfigMap],
    view: ConfigView,
    layers: ConfigLayers,
    warned: BTreeSet<String>,
    items: Vec<Value>,
    table: Table,
    reported: String,
}

impl<'a> HashReport<'a> {
    /// An empty report over the operator's ConfigMaps.
    pub fn new(
        options: &'a HashOptions,
        profile: &'static Profile,
        maps: &'a [ConfigMap],
        view: ConfigView,
    ) -> Self {
        Self {
            options,
            profile,
            maps,
            view,
            layers: ConfigLayers::new(profile, maps, view),
            warned: BTreeSet::new(),
            items: Vec::new(),
            table: Table::new(&["NAMESPACE", "NAME", "HASH"]),
            reported: String::new(),
        }
    }

    /// Adds an AgentRuntime; warnings about its namespace's configuration are reported at once, each once.
    /// `workload`: the one whose hash is to be explained, or whose images may be older.
    pub fn add(&mut self, plan: &RuntimePlan, spec: Option<&AgentRuntimeSpec>, workload: Option<&Value>) {
        let id = &plan.id;
        let config = self.layers.for_namespace(&id.namespace);
        for warning in config.warnings() {
            if self.warned.insert(warning.clone()) {
                notes::warning(warning);
            }
        }
        self.table.row([id.namespace.clone(), id.name.clone(), plan.config_hash.clone()]);
        let mut item = json!({"namespace": id.namespace, "name": id.name, "configHash": plan.config_hash,
                              "hashInput": plan.hash_input});
        if self.options.explain {
            let rows = explain(self.profile, spec, config);
            self.reported.push_str(&format!(
                "\n{} {}\n{}",
                printable::line(&id.to_string()),
                plan.config_hash,
                explained(&rows)
            ));
            item["inputs"] = rows.iter().map(row_json).collect();
        }
        let stamp = workload.map(|workload| Stamp::of(workload, self.profile.names)).unwrap_or_default();
        let foreign = match &self.options.against {
            None => None,
            Some(Foreign::Given(prefix)) => Some(prefix.clone()),
            Some(Foreign::File(_) | Foreign::Live) => {
                let found = HashPrefix::parse(&stamp.hash);
                if found.is_none() {
                    let target = format!("{} {}", plan.target.kind, plan.target.name);
                    let which = if workload.is_some() { "has no config hash" } else { "is not there" };
                    notes::warning(&format!("{id}: nothing to explain: {target} {which}"));
                }
                found
            }
        };
        if let Some(foreign) = foreign {
            let inputs = Inputs {
                profile: self.profile,
                spec,
                maps: self.maps,
                namespace: &id.namespace,
                view: self.view,
                mounted: &stamp.images,
            };
            let found = against(&inputs, &foreign);
            let foreign = foreign.as_str();
            item["againstHash"] = foreign.into();
            self.reported.push_str(&format!(
                "\n{} against {foreign}\n{}",
                printable::line(&id.to_string()),
                explanations(&found)
            ));
            item["against"] = found
                .explanations
                .iter()
                .map(|one| json!({"differs": one.differs, "profile": one.profile, "hashInput": one.input}))
                .collect();
        }
        self.items.push(item);
    }

    /// Prints all of it.
    pub fn print(self) -> Result<(), Failure> {
        match self.options.output {
            format @ (Report::Json | Report::Yaml) => {
                let list = json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "HashList",
                                  "items": self.items});
                sink::object(format, &list)
            }
            Report::Text if self.reported.is_empty() => sink::table(&self.table),
            Report::Text => sink::text(self.reported.trim_start_matches('\n')),
        }
    }
}

/// Reads `--against`.
pub fn parse_against(text: &str) -> Result<Foreign, String> {
    match text {
        "live" => Ok(Foreign::Live),
        text => HashPrefix::parse(text).map(Foreign::Given).ok_or_else(|| {
            format!(
                "a config hash has 64 lower-case hex digits, of which the first {} are enough; 'live' takes that of the \
                 workload in the cluster, and --against-file that of a manifest",
                HashPrefix::SHORTEST
            )
        }),
    }
}

fn explained(rows: &[Row]) -> String {
    let mut table = Table::new(&["FIELD", "HASHED", "SOURCE", "VALUE"]);
    for row in rows {
        let value = match (row.value.as_str(), row.note.as_str()) {
            (value, "") => value.to_owned(),
            ("", note) => format!("({note})"),
            (value, note) => format!("{value} ({note})"),
        };
        let hashed = if row.hashed { "yes" } else { "no" };
        table.row([row.field.clone(), hashed.to_owned(), row.source.to_string(), value]);
    }
    table.fitted()
}

fn row_json(row: &Row) -> Value {
    json!({"field": row.field, "value": row.value, "source": row.source.to_string(), "hashed": row.hashed, "note": row.note})
}

fn explanations(found: &Against) -> String {
    let mut out = String::new();
    for one in &found.explanations {
        let what = if one.differs.is_empty() {
            "the inputs as they are".to_owned()
        } else {
            printable::line(&one.differs.join(", and ")).into_owned()
        };
        out.push_str(&format!("  explained by: {what} (profile {})\n", one.profile));
    }
    if out.is_empty() {
        let bound = if found.complete { "" } else { "; not all pairs were tried" };
        out = format!("  no change of one or two inputs explains it ({} tried{bound})\n", found.tried);
    }
    out
}
