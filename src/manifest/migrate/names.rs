//! Writes the names of one operator in place of the other's, in the text: files in, splices of their keys and values out, what
//! somebody must decide, and every word of the old name that is left. Which files there are is left to the binary.
//!
//! A name is known by its domain, or as a whole; a key or value is renamed wherever it stands, so that labels and what selects
//! by them stay in step. Patches that stand as text in a kustomization and expressions of CEL are renamed within; sentences, other
//! block scalars, texts in other formats and comments are somebody's words: they stay.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::api::error::InputError;
use crate::api::names::{
    BRANDS, KAGENTI, MADE_BY, Names, RENAMED_DOMAINS, RENAMED_MAKERS, RENAMED_NAMES, ROSSOCTL, SKILLS_GROUP,
};
use crate::api::object::Origin;
use crate::manifest::objects::syntax;
use crate::manifest::render::Edited;
use crate::manifest::stream::Source;
use crate::yaml::node::{NodeId, NodeKind, ScalarStyle};
use crate::yaml::{self, Document, DocumentSlice, Splice};

mod decide;
mod within;

/// Whose names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Before the rename.
    Kagenti,
    /// After it.
    Rossoctl,
}

impl Operator {
    /// Its name.
    pub fn name(self) -> &'static str {
        BRANDS[self.index()]
    }

    fn index(self) -> usize {
        self as usize
    }

    fn other(self) -> Self {
        match self {
            Self::Kagenti => Self::Rossoctl,
            Self::Rossoctl => Self::Kagenti,
        }
    }

    fn names(self) -> &'static Names {
        match self {
            Self::Kagenti => &KAGENTI,
            Self::Rossoctl => &ROSSOCTL,
        }
    }

    fn namespace(self) -> &'static str {
        self.names().system_namespace
    }
}

/// A word with the old name that is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The word.
    pub word: String,
    /// In how many places.
    pub places: usize,
    /// The first [`MOST_PLACES`] of them.
    pub at: Vec<Origin>,
}

/// Places of a word that are kept.
pub const MOST_PLACES: usize = 20;

/// One name that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub origin: Origin,
    /// What stands there.
    pub old: String,
    /// What is written.
    pub new: String,
}

/// What was renamed.
#[derive(Debug, Clone, Default)]
pub struct Renamed {
    /// The files.
    pub edited: Edited,
    /// Each name, in the order of the files.
    pub changes: Vec<Change>,
    /// What somebody must decide before it is applied.
    pub decide: Vec<InputError>,
    /// What is left, by word.
    pub left: Vec<Left>,
}

/// Renames in all files.
///
/// # Errors
/// Documents with a name that cannot be read; names that are written in a way that is not edited; keys of which both names are
/// there; lists that would be lost. Nothing is renamed then.
pub fn rename(sources: &[Source], to: Operator) -> Result<Renamed, Vec<InputError>> {
    let (mut out, mut errors) = (Renamed::default(), Vec::new());
    let mut all = Vec::new();
    let old = BRANDS[to.other().index()];
    for source in sources {
        let mut splices = Vec::new();
        if source.text.contains(old) {
            for (index, slice) in yaml::split(&source.text).iter().enumerate() {
                if slice.text(&source.text).contains(old) {
                    match document(source, index + 1, slice, to) {
                        Ok(found) => splices.extend(found),
                        Err(found) => errors.extend(found),
                    }
                }
            }
            if errors.is_empty() {
                decide::objects_of(source, to, &mut out.decide, &mut errors);
            }
        }
        changes(source, &splices, &mut out.changes);
        all.push(splices);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    out.edited = Edited::of(all);
    let mut left: BTreeMap<String, Left> = BTreeMap::new();
    for (index, source) in sources.iter().enumerate() {
        let text = out.edited.text(index, &source.text).map_or(Cow::Borrowed(&*source.text), Cow::Owned);
        words(source, &text, old, &mut left);
    }
    out.left = left.into_values().collect();
    out.left.sort_by(|a, b| b.places.cmp(&a.places).then_with(|| a.word.cmp(&b.word)));
    Ok(out)
}

/// What splices of a file change, with the lines; they are in order.
fn changes(source: &Source, splices: &[Splice], out: &mut Vec<Change>) {
    let (mut line, mut at) = (1, 0);
    for splice in splices {
        line += source.text[at..splice.start].matches('\n').count();
        at = splice.start;
        out.push(Change {
            origin: Origin { file: source.name.clone(), document: 1, line },
            old: source.text[splice.start..splice.end].to_owned(),
            new: splice.text.clone(),
        });
    }
}

/// The splices of one document, proven: what is not renamed stays as it is.
fn document(
    source: &Source,
    number: usize,
    slice: &DocumentSlice,
    to: Operator,
) -> Result<Vec<Splice>, Vec<InputError>> {
    let origin = Origin { file: source.name.clone(), document: number, line: slice.line };
    let text = slice.text(&source.text);
    let fail = |error| {
        let mut error = syntax(origin.clone(), slice, error);
        if text.contains("{{") {
            error.help = left_out(&source.name);
        }
        vec![error]
    };
    let document = Document::parse(text).map_err(fail)?;
    let Scan { splices, wanted, errors, .. } = Scan::of(&document, to);
    if !errors.is_empty() {
        let placed = |(node, message, help): (NodeId, String, String)| {
            let (line, column) = document.position(node);
            let (line, column) = slice.place(line, column);
            InputError {
                origin: Origin { line, ..origin.clone() },
                column,
                message,
                help,
                ..InputError::default()
            }
        };
        return Err(errors.into_iter().map(placed).collect());
    }
    let after = yaml::apply(text, &splices);
    if !is_proven(&document, &after, &wanted) {
        let message = "renaming would change more than names; nothing is written".to_owned();
        return Err(vec![InputError { origin, message, ..InputError::default() }]);
    }
    Ok(splices.into_iter().map(|splice| splice.moved(slice.start)).collect())
}

/// How a template, which is no manifest, is left out.
fn left_out(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    format!(
        "a template is no manifest: leave it out with --exclude {name}, or its folder with --exclude FOLDER/, and rename by hand in it"
    )
}

/// Whether a text has the same nodes, those that were to change as they should be and all others by their bytes.
fn is_proven(before: &Document<'_>, after: &str, wanted: &BTreeMap<NodeId, String>) -> bool {
    let Ok(read) = Document::parse(after) else { return false };
    let (ours, theirs) = (before.tree.nodes(), read.tree.nodes());
    ours.len() == theirs.len()
        && ours.zip(theirs).zip(0..).all(|((one, other), id)| {
            let is_scalar = matches!(one.kind, NodeKind::Scalar(_) | NodeKind::Alias);
            one.kind == other.kind
                && match wanted.get(&id) {
                    Some(text) => read.key_text(id).is_ok_and(|found| found == **text),
                    None => !is_scalar || before.source(id) == read.source(id),
                }
        })
}

struct Scan<'d, 't> {
    document: &'d Document<'t>,
    to: Operator,
    splices: Vec<Splice>,
    /// What scalars that change are to say.
    wanted: BTreeMap<NodeId, String>,
    errors: Vec<(NodeId, String, String)>,
}

impl<'d, 't> Scan<'d, 't> {
    /// Looks through a document; the splices are in order.
    fn of(document: &'d Document<'t>, to: Operator) -> Self {
        let mut scan =
            Self { document, to, splices: Vec::new(), wanted: BTreeMap::new(), errors: Vec::new() };
        scan.node(0, "", "");
        scan.splices.sort_by_key(|splice| splice.start);
        scan
    }

    /// `key`: the one that a value has, or that its list has. `around`: the one above it.
    fn node(&mut self, id: NodeId, key: &str, around: &str) {
        let tree = &self.document.tree;
        match tree.node(id).kind {
            NodeKind::Scalar(style) => self.scalar(id, style, key, around),
            NodeKind::Sequence { .. } => {
                let items: Vec<NodeId> = tree.children(id).collect();
                items.into_iter().for_each(|item| self.node(item, key, around));
            }
            NodeKind::Mapping { .. } => {
                let entries: Vec<(NodeId, NodeId)> = tree.entries(id).collect();
                let text = |id: NodeId| match tree.node(id).kind {
                    NodeKind::Scalar(_) => {
                        self.document.key_text(id).map(Cow::into_owned).unwrap_or_default()
                    }
                    _ => String::new(),
                };
                let keys: Vec<String> = entries.iter().map(|(key, _)| text(*key)).collect();
                let selects = |key: &str| {
                    let found = entries.iter().zip(&keys).find(|(_, own)| *own == key);
                    found.is_some_and(|((_, value), _)| is_of_namespaces(&text(*value)))
                };
                // An item of matchExpressions, and an operation of a JSON patch.
                let values = if selects("key") { "values" } else { "value" };
                let is_selected = selects("key") || selects("path");
                let is_namespace = entries.iter().zip(&keys).any(|((_, value), key)| {
                    key == "kind" && self.document.word(*value) == Some("Namespace")
                });
                for ((id, value), own) in entries.iter().zip(&keys) {
                    if let Some(new) = renamed(own, "", "", self.to)
                        && keys.contains(&new)
                    {
                        let message = format!("{own} and {new} are both here, and would be one key");
                        self.errors.push((*id, message, "take out the one that does not count".to_owned()));
                        continue;
                    }
                    self.node(*id, "", "");
                    let key_of_value = match own.as_str() {
                        "metadata" if is_namespace => NAMESPACE_NAME,
                        own if is_selected && own == values => "namespace",
                        own => own,
                    };
                    self.node(*value, key_of_value, key);
                }
            }
            NodeKind::Alias => {}
        }
    }

    fn scalar(&mut self, id: NodeId, style: ScalarStyle, key: &str, around: &str) {
        let source = self.document.source(id);
        if !source.contains(BRANDS[self.to.other().index()]) {
            return;
        }
        if within::is_patch(key, around) && self.patch(id, style) {
            return;
        }
        if within::is_expression(key, around) {
            return self.expression(id);
        }
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            return;
        }
        let Ok(text) = self.document.key_text(id) else { return };
        let Some(new) = renamed(&text, key, around, self.to) else { return };
        let quotes = usize::from(style != ScalarStyle::Plain);
        let Some(inner) = source.get(quotes..source.len() - quotes).filter(|inner| *inner == text) else {
            let message = format!("{text} is written with escapes or over several lines");
            self.errors.push((id, message, "write it in one line as it is".to_owned()));
            return;
        };
        let start = self.document.tree.node(id).start as usize + quotes;
        self.splices.push(Splice { start, end: start + inner.len(), text: new.clone() });
        self.wanted.insert(id, new);
    }
}

/// A key or value with the other names; `None` if it has none of them.
fn renamed(text: &str, key: &str, around: &str, to: Operator) -> Option<String> {
    let pick = |pairs: &[[&'static str; 2]]| {
        pairs.iter().find(|pair| pair[to.other().index()] == text).map(|pair| pair[to.index()].to_owned())
    };
    if let Some(name) = pick(&RENAMED_NAMES) {
        return Some(name);
    }
    if MADE_BY.contains(&key)
        && let Some(name) = pick(&RENAMED_MAKERS)
    {
        return Some(name);
    }
    let is_namespace = matches!(key, "namespace" | "namespaces" | "matchNames" | NAMESPACE_LABEL);
    if text == to.other().namespace() && (is_namespace || (key == "name" && around == NAMESPACE_NAME)) {
        return Some(to.namespace().to_owned());
    }
    // Sentences, JSON and templates are not looked into.
    if text.contains(char::is_whitespace) || text.starts_with(['{', '[']) {
        return None;
    }
    let found = domains(text, to);
    (!found.is_empty()).then(|| replaced(text, &found))
}

/// Where domains of the old names stand by themselves in a text, and what each becomes; in order.
fn domains(text: &str, to: Operator) -> Vec<(Range<usize>, &'static str)> {
    let mut out = Vec::new();
    for pair in RENAMED_DOMAINS {
        let (old, new) = (pair[to.other().index()], pair[to.index()]);
        for (at, _) in text.match_indices(old) {
            let (before, after) = (&text[..at], &text[at + old.len()..]);
            if is_whole(before, after) || is_of_group(old, before, after) {
                out.push((at..at + old.len(), new));
            }
        }
    }
    out.sort_by_key(|(range, _)| range.start);
    out
}

/// A text with other words in these places, which are in order.
fn replaced(text: &str, places: &[(Range<usize>, &'static str)]) -> String {
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (range, new) in places {
        out += &text[at..range.start];
        out += new;
        at = range.end;
    }
    out + &text[at..]
}

/// The label of namespaces with their name.
const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";

/// Whether a key, or the path of a JSON patch, is about the names of namespaces.
fn is_of_namespaces(text: &str) -> bool {
    text == NAMESPACE_LABEL || text.starts_with('/') && text.ends_with("/namespace")
}

/// Stands for `metadata` around the name of a Namespace.
const NAMESPACE_NAME: &str = "metadata of a Namespace";

/// Whether a domain stands by itself: neither a part of another one, nor of an address.
fn is_whole(before: &str, after: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    let ends = !after.starts_with(|c: char| is_part(c) && c != '_');
    let begins = match before.chars().next_back() {
        // A JSON pointer, in which the slash of a key is `~1`.
        Some('/') => after.starts_with("~1"),
        Some(c) => !is_part(c),
        None => true,
    };
    begins && ends
}

/// Whether a group stands after the plural of one of its kinds, as in the name of a definition.
fn is_of_group(name: &str, before: &str, after: &str) -> bool {
    let plural = before.strip_suffix('.').unwrap_or_default();
    !name.ends_with(".io")
        && after.is_empty()
        && !plural.is_empty()
        && plural.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Words in which the old name is left, comments included; our own group is no such word.
fn words(source: &Source, text: &str, old: &str, left: &mut BTreeMap<String, Left>) {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || "._/:@~-".contains(c);
    for (index, line) in text.lines().enumerate() {
        let lower = line.to_ascii_lowercase();
        let mut from = 0;
        while let Some(at) = lower[from..].find(old).map(|at| from + at) {
            let start = line[..at]
                .rfind(|c| !is_of_word(c))
                .map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
            let end = line[at..].find(|c| !is_of_word(c)).map_or(line.len(), |end| at + end);
            let word = line[start..end].trim_end_matches([':', '.']);
            from = end;
            if word.contains(SKILLS_GROUP) {
                continue;
            }
            let entry = left.entry(word.to_owned());
            let found = entry.or_insert_with(|| Left { word: word.to_owned(), places: 0, at: Vec::new() });
            found.places += 1;
            let origin = Origin { file: source.name.clone(), document: 1, line: index + 1 };
            if found.at.len() < MOST_PLACES && found.at.last() != Some(&origin) {
                found.at.push(origin);
            }
        }
    }
}
