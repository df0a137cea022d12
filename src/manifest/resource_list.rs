//! The ResourceList around the items of a KRM function: a parsed document in; its functionConfig, earlier results, and
//! the places where results go, out. Items are read by the stream and edited like all other manifests.
//!
//! Results are put into text that is already edited: their place is counted from the end that no edit of an item moves,
//! so that a list of megabytes is not parsed once more.

use serde_json::Value;

use crate::api::error::InputError;
use crate::api::object::Origin;
use crate::manifest::results::File;
use crate::yaml::emit::{BlockLayout, FlowLayout, Quotes, Scalars, block_entry, flow_entry};
use crate::yaml::node::{NodeId, NodeKind, ScalarStyle};
use crate::yaml::{Document, Editor, SyntaxError, apply};

/// Kind of the list.
pub const KIND: &str = "ResourceList";
/// API group of the list.
pub const GROUP: &str = "config.kubernetes.io";
/// Versions that are read.
pub const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// Annotation of kpt's alone. Paths kustomize gives too, to what has come out of a function.
const PACKAGE: &str = "internal.config.kubernetes.io/package-path";

/// Annotations by which an orchestrator says which file an item came from.
pub(super) const PATHS: [&str; 2] = ["internal.config.kubernetes.io/path", "config.kubernetes.io/path"];

const LAYOUT: BlockLayout<'static> = BlockLayout {
    step: 2,
    offset: 0,
    dash: 2,
    eol: "\n",
    scalars: Scalars { quotes: Quotes::Readable, always: false, keys: false },
};
const JSON: FlowLayout<'static> = FlowLayout {
    colon: ": ",
    comma: ", ",
    pad_map: false,
    pad_seq: false,
    scalars: Scalars::JSON,
    lines: None,
};

/// The list around the items.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceList {
    /// As written; the output has it too.
    pub api_version: String,
    /// Null when there is none.
    pub function_config: Value,
    /// How many items there are.
    pub items: usize,
    /// Kind of the first item; empty where there is none.
    pub first_kind: String,
    /// Whether there are items and all say which package they came from: then the orchestrator is kpt, not kustomize.
    pub from_kpt: bool,
    /// Whether there are items and all say which file they came from: what comes out is written into these.
    pub in_files: bool,
    /// Results of functions that ran before.
    pub results: Vec<Value>,
    place: Place,
}

/// Where results go. Items are all after `FromStart`, and all before `FromEnd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// There are results already; their node is found anew.
    Found,
    /// A line of its own at this column, so many bytes before the end.
    Block { from_end: usize, column: usize },
    /// The same, before `items`: the text ends inside of a block scalar, which a break would make longer.
    BlockBefore { from_start: usize, column: usize },
    /// After the last entry between braces.
    Flow { from_end: usize },
}

/// Where the fields of a list stand.
#[derive(Default)]
struct Fields {
    api_version: Option<NodeId>,
    kind: Option<NodeId>,
    function_config: Option<NodeId>,
    /// With their key.
    items: Option<(NodeId, NodeId)>,
    results: Option<NodeId>,
}

impl Fields {
    fn of(document: &Document<'_>) -> Result<Self, SyntaxError> {
        let mut fields = Self::default();
        for (key, value) in document.tree.entries(0) {
            if document.is_merge_key(key) || !matches!(document.tree.node(key).kind, NodeKind::Scalar(_)) {
                continue;
            }
            match &*document.key_text(key)? {
                "apiVersion" => fields.api_version = Some(value),
                "kind" => fields.kind = Some(value),
                "functionConfig" => fields.function_config = Some(value),
                "items" => fields.items = Some((key, value)),
                "results" => fields.results = Some(value),
                _ => {}
            }
        }
        Ok(fields)
    }
}

/// Whether each item has one of these annotations, and there is any item.
fn all_have(document: &Document<'_>, items: &[NodeId], keys: &[&str]) -> bool {
    let annotated = |node: NodeId, key: &str| {
        let way = ["metadata", "annotations", key].into_iter();
        way.map(Into::into).try_fold(node, |at, key| document.child(at, &key)).is_some()
    };
    !items.is_empty() && items.iter().all(|node| keys.iter().any(|key| annotated(*node, key)))
}

impl ResourceList {
    /// Reads the list that a document is; none if it is another object. `end` is the number of bytes of the whole text
    /// that follow the document's.
    ///
    /// # Errors
    /// A version that is not known, parts of a wrong type, values that Kubernetes cannot read.
    pub fn read(document: &Document<'_>, origin: &Origin) -> Result<Option<Self>, Box<InputError>> {
        let refuse = |error: SyntaxError| {
            Box::new(InputError {
                origin: Origin { line: origin.line + error.line - 1, ..origin.clone() },
                column: error.column,
                message: error.message,
                ..InputError::default()
            })
        };
        let defect = |field: &str, message: String, help: &str| {
            Box::new(InputError {
                origin: origin.clone(),
                field: field.to_owned(),
                message,
                help: help.to_owned(),
                ..InputError::default()
            })
        };
        let NodeKind::Mapping { flow } = document.tree.node(0).kind else { return Ok(None) };
        let Fields { api_version, kind, function_config, items, results } =
            Fields::of(document).map_err(refuse)?;
        let text = |node: Option<NodeId>| match node.map(|node| document.node_value(node)) {
            Some(Ok(Value::String(text))) => text,
            _ => String::new(),
        };
        let api_version = text(api_version);
        let (group, version) = api_version.split_once('/').unwrap_or_default();
        if text(kind) != KIND || group != GROUP {
            return Ok(None);
        }
        if !VERSIONS.contains(&version) {
            let help = format!("write {GROUP}/{}", VERSIONS.join(" or "));
            return Err(defect("apiVersion", format!("{api_version:?} of a {KIND} is unknown"), &help));
        }
        let value = |node: Option<NodeId>| {
            node.map_or(Ok(Value::Null), |node| document.node_value(node)).map_err(refuse)
        };
        let results = match (results, value(results)?) {
            (_, Value::Array(values)) => values,
            (_, Value::Null) => Vec::new(),
            _ => return Err(defect("results", "must be an array".into(), "")),
        };
        let place = place(document, flow, items.map(|(key, _)| key), results_node(document).is_some());
        let count = match items.map(|(_, value)| (document.tree.node(value).kind, value)) {
            None => 0,
            Some((NodeKind::Sequence { .. }, value)) => document.tree.children(value).count(),
            Some((_, value)) => match document.node_value(value).map_err(refuse)? {
                Value::Null => 0,
                Value::Array(values) => values.len(),
                _ => return Err(defect("items", "must be an array".into(), "")),
            },
        };
        let nodes: Vec<NodeId> =
            items.map(|(_, value)| document.tree.children(value).collect()).unwrap_or_default();
        Ok(Some(Self {
            api_version,
            function_config: value(function_config)?,
            items: count,
            first_kind: text(nodes.first().and_then(|node| document.child(*node, &"kind".into()))),
            from_kpt: all_have(document, &nodes, &[PACKAGE]),
            in_files: all_have(document, &nodes, &PATHS),
            results,
            place,
        }))
    }

    /// Returns the text with these results, the earlier ones replaced. `edited` is the text of the document that
    /// [`ResourceList::read`] saw, with any edits of its items; without results it comes back as it is.
    ///
    /// # Errors
    /// A text that cannot take results; nothing can be written then.
    pub fn with_results(&self, mut edited: String, results: &[Value]) -> Result<String, String> {
        if results == self.results {
            return Ok(edited);
        }
        let results = Value::Array(results.to_vec());
        let (at, added) = match self.place {
            Place::Found => return replaced(&edited, &results),
            Place::Block { from_end, column } => {
                let at = edited.len() - from_end;
                let before = edited[..at].ends_with('\n');
                let after = at < edited.len();
                (at, block(&results, column, !before, before || after))
            }
            Place::BlockBefore { from_start, column } => (from_start, block(&results, column, false, true)),
            Place::Flow { from_end } => {
                let mut added = String::from(", ");
                flow_entry(&mut added, "results", &results, "", JSON);
                (edited.len() - from_end, added)
            }
        };
        edited.insert_str(at, &added);
        Ok(edited)
    }

    /// The list of a run that only validates.
    ///
    /// kustomize calls an echo of items, even byte for byte, a change by its validator, and ignores items that come or go
    /// there. Among transformers a list without items would delete the whole build and look like success; so there is one
    /// object that no cluster takes.
    pub fn validated(&self, results: &[Value]) -> String {
        let mut out = format!("apiVersion: {}\nkind: {KIND}\nitems:\n{VALIDATED}", self.api_version);
        if !results.is_empty() {
            out.push_str(&block(&Value::Array(results.to_vec()), 0, false, true));
        }
        out
    }
}

const VALIDATED: &str = "\
- apiVersion: skills.kagenti.dev/v1alpha1
  kind: ValidateBelongsUnderValidators
  metadata:
    name: this-function-only-validates
";

fn results_node(document: &Document<'_>) -> Option<NodeId> {
    document.child(0, &"results".into())
}

fn place(document: &Document<'_>, flow: bool, items: Option<NodeId>, found: bool) -> Place {
    let (text, tree) = (document.text, &document.tree);
    if found {
        return Place::Found;
    }
    if flow {
        let last = tree.entries(0).last().map_or(1, |(_, value)| tree.node(value).end as usize);
        return Place::Flow { from_end: text.len() - last };
    }
    let column = document.position(0).1 - 1;
    // Nodes stand in the order of the text.
    let ends_in_block = tree.nodes().next_back().is_some_and(|node| {
        matches!(node.kind, NodeKind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded))
    });
    match items {
        Some(items) if ends_in_block && !text.ends_with('\n') => {
            Place::BlockBefore { from_start: tree.node(items).props as usize - column, column }
        }
        _ => Place::Block { from_end: 0, column },
    }
}

fn block(results: &Value, column: usize, break_before: bool, break_after: bool) -> String {
    let mut out = String::new();
    if break_before {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n(' ', column));
    block_entry(&mut out, "results", results, column, LAYOUT);
    if break_after {
        out.push('\n');
    }
    out
}

fn replaced(edited: &str, results: &Value) -> Result<String, String> {
    let document = Document::parse(edited).map_err(|error| error.to_string())?;
    let node = results_node(&document).ok_or("results are gone")?;
    let mut editor = Editor::new(&document);
    editor.set(node, results).map_err(|error| error.to_string())?;
    let splices = editor.finish().map_err(|error| error.to_string())?;
    Ok(apply(edited, &splices))
}

/// The file that an item came from, if its orchestrator said so.
pub fn file_of(item: &Value) -> Option<File> {
    let annotation = |name: &str| {
        let annotations = item.pointer("/metadata/annotations")?;
        ["internal.config.kubernetes.io", GROUP]
            .into_iter()
            .find_map(|group| annotations.get(format!("{group}/{name}"))?.as_str())
    };
    let path = annotation("path").filter(|path| !path.is_empty())?;
    let index = annotation("index").and_then(|index| index.parse().ok()).unwrap_or_default();
    Some(File { path: path.to_owned(), index })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::results::{ResultItem, Severity};
    use serde_json::json;

    fn read(text: &str) -> Result<Option<ResourceList>, String> {
        let document = Document::parse(text).unwrap();
        ResourceList::read(&document, &Origin::default()).map_err(|error| error.to_string())
    }

    fn list(text: &str) -> ResourceList {
        read(text).unwrap().unwrap()
    }

    fn result() -> Value {
        ResultItem::new(Severity::Warning, "yes: \"a\"\nb").to_value()
    }

    const HEAD: &str = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n";

    /// Places differ by style; the list must mean the same but for its results.
    #[test]
    fn results_go_into_every_style_of_list() {
        let item = "- kind: ConfigMap # kept\n  data:\n    a: |";
        for text in [
            format!("{HEAD}items: []\n"),
            format!("{HEAD}items: []"),
            format!("{HEAD}items: []\n# the end"),
            format!("{HEAD}items:\n{item}\n      x\n"),
            format!("{HEAD}items:\n{item}\n      x"),
            format!("{HEAD}items:\n{item}+\n      x\n\n\n"),
            format!("{HEAD}items:\n{item}+\n      x"),
            format!("{HEAD}items:\n{item}-\n      x\nfunctionConfig:\n  kind: ConfigMap\n"),
            "  apiVersion: config.kubernetes.io/v1\n  kind: ResourceList\n  items:\n  - a: |\n      x".into(),
            "  apiVersion: config.kubernetes.io/v1\n  kind: ResourceList\n  items:\n  - a: 1\n".into(),
            format!("{HEAD}results: []\nitems: []\n"),
            format!("{HEAD}results:\nitems: []\n"),
            format!("{HEAD}items: []\nresults: # theirs\n- message: old # why\n  severity: info\n"),
            r#"{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": [{"a": 1}]}"#.into(),
            "{\n  \"kind\": \"ResourceList\",\n  \"items\": [],\n  \"apiVersion\": \"config.kubernetes.io/v1beta1\"\n}\n".into(),
            "{kind: ResourceList, apiVersion: config.kubernetes.io/v1, items: [], # end\n}".into(),
            "{kind: ResourceList, apiVersion: config.kubernetes.io/v1, results: [], items: []}".into(),
            format!("{HEAD}items: []\n").replace('\n', "\r\n"),
        ] {
            let list = list(&text);
            let results = [list.results.clone(), vec![result()]].concat();
            let out = list.with_results(text.clone(), &results).unwrap();
            let mut wanted = Document::parse(&text).unwrap().to_value().unwrap();
            wanted["results"] = json!(results);
            assert_eq!(Document::parse(&out).unwrap().to_value().unwrap(), wanted, "{text}\n---\n{out}");
            for comment in ["# kept", "# the end", "# theirs", "# why", "# end"] {
                assert_eq!(out.contains(comment), text.contains(comment), "{out}");
            }
            // Nothing to say: not a byte changes.
            assert_eq!(list.with_results(text.clone(), &list.results).unwrap(), text);
        }
    }

    /// Items are edited before results go in; the place must not have moved.
    #[test]
    fn the_place_holds_after_items_were_edited() {
        for text in [
            format!("{HEAD}items:\n- a: 1\nfunctionConfig: {{}}\n"),
            format!("{HEAD}items:\n- a: 1"),
            format!("{HEAD}items:\n- a: 1\n  b: |\n    x"),
            r#"{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": [{"a": 1}]}"#
                .into(),
        ] {
            let edited = text
                .replacen('1', "123456789", 1)
                .replacen("v123456789", "v1", 1)
                .replace("a: 1\n", "a: 123456789\n");
            let out = list(&text).with_results(edited.clone(), &[result()]).unwrap();
            let mut wanted = Document::parse(&edited).unwrap().to_value().unwrap();
            wanted["results"] = json!([result()]);
            assert_eq!(Document::parse(&out).unwrap().to_value().unwrap(), wanted, "{out}");
        }
    }

    #[test]
    fn what_the_list_says_is_read() {
        let text = format!(
            "{HEAD}items:\n- a: 1\n- b: 2\nfunctionConfig:\n  kind: ConfigMap\nresults:\n- message: m\n"
        );
        let read = list(&text);
        assert_eq!(read.api_version, "config.kubernetes.io/v1");
        assert_eq!(read.function_config, json!({"kind": "ConfigMap"}));
        assert_eq!((read.items, read.results), (2, vec![json!({"message": "m"})]));
        for empty in ["", "items:\n", "items: null\n", "functionConfig: null\nresults: null\nitems: []\n"] {
            let read = list(&format!("{HEAD}{empty}"));
            assert_eq!((read.items, read.results, read.function_config), (0, vec![], Value::Null), "{empty}");
        }
    }

    #[test]
    fn other_documents_are_no_lists_and_unknown_lists_are_refused() {
        for other in [
            "apiVersion: v1\nkind: List\nitems: []\n",
            "apiVersion: example.com/v1\nkind: ResourceList\n",
            "kind: ResourceList\n",
            "- 1\n",
            "text\n",
            "apiVersion: [config.kubernetes.io/v1]\nkind: ResourceList\n",
        ] {
            assert_eq!(read(other), Ok(None), "{other}");
        }
        for (text, expected) in [
            (
                "apiVersion: config.kubernetes.io/v2\nkind: ResourceList\n",
                "apiVersion: \"config.kubernetes.io/v2\" of a ResourceList is unknown (write config.kubernetes.io/v1 or v1beta1)",
            ),
            (
                "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: {}\n",
                "items: must be an array",
            ),
            (
                "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: x\n",
                "items: must be an array",
            ),
            (
                "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nresults: {}\n",
                "results: must be an array",
            ),
        ] {
            assert_eq!(read(text), Err(expected.to_owned()));
        }
    }

    /// kustomize fails a build whose validator prints its items.
    #[test]
    fn a_list_that_was_only_validated_has_none_of_its_items() {
        let read = list(&format!("{}items:\n- a: 1\n", HEAD.replace("v1", "v1beta1")));
        let head = "apiVersion: config.kubernetes.io/v1beta1\nkind: ResourceList\nitems:\n";
        assert_eq!(read.validated(&[]), format!("{head}{VALIDATED}"));
        let value = Document::parse(&read.validated(&[result()])).unwrap().to_value().unwrap();
        assert_eq!(value["items"].as_array().unwrap().len(), 1);
        assert_eq!(value["results"], json!([result()]));
    }

    #[test]
    fn an_item_names_its_file() {
        let of = |annotations: Value| file_of(&json!({"metadata": {"annotations": annotations}}));
        let file = |path: &str, index| Some(File { path: path.into(), index });
        assert_eq!(of(json!({"config.kubernetes.io/path": "a.yaml"})), file("a.yaml", 0));
        assert_eq!(
            of(json!({"internal.config.kubernetes.io/path": "b.yaml", "config.kubernetes.io/path": "a.yaml",
                      "config.kubernetes.io/index": "3"})),
            file("b.yaml", 3)
        );
        // kustomize gives an index without a path.
        assert_eq!(of(json!({"config.kubernetes.io/index": "1"})), None);
        assert_eq!(file_of(&json!({})), None);
    }
}
