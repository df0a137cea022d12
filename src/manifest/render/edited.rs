//! Plans become bytes: desired objects in, the smallest splices of each file out, proven by `yaml::edit`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use foldhash::{HashSet, HashSetExt as _};

use serde_json::Value;

use super::spelling;
use crate::api::error::InputError;
use crate::manifest::stream::{Item, Lead, Stream};
use crate::manifest::typed_list::ItemType;
use crate::yaml::edit::Buffers;
use crate::yaml::node::NodeId;
use crate::yaml::{EditError, Editor, Place, Splice};

/// Splices of all files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edited {
    /// By source, in order, not overlapping.
    splices: Vec<Vec<Splice>>,
}

impl Edited {
    /// Splices of all files, by source, in order and not overlapping.
    pub(in crate::manifest) fn of(splices: Vec<Vec<Splice>>) -> Self {
        Self { splices }
    }

    /// Adds a splice to a file; it overlaps none that is there.
    #[cfg(feature = "skill")]
    pub(in crate::manifest) fn add(&mut self, source: usize, splice: Splice) {
        if let Some(splices) = self.splices.get_mut(source) {
            // One that inserts where another ends comes after it.
            let at = splices.partition_point(|other| other.start <= splice.start);
            splices.insert(at, splice);
        }
    }

    /// Whether anything changes in a file.
    pub fn is_changed(&self, source: usize) -> bool {
        self.splices.get(source).is_some_and(|splices| !splices.is_empty())
    }

    /// The text of a file after the edits; `None` if nothing changes in it.
    pub fn text(&self, source: usize, original: &str) -> Option<String> {
        let splices = self.splices.get(source).filter(|splices| !splices.is_empty())?;
        Some(crate::yaml::apply(original, splices))
    }

    /// The text of a file after the edits in pieces, so that none of it is copied.
    pub fn chunks<'a>(&'a self, source: usize, original: &'a str) -> impl Iterator<Item = &'a str> {
        let splices = self.splices.get(source).map_or(&[][..], Vec::as_slice);
        let mut at = 0;
        let pieces = splices.iter().flat_map(move |splice| {
            let kept = original.get(at..splice.start).unwrap_or_default();
            at = splice.end;
            [kept, splice.text.as_str()]
        });
        let rest = splices.last().map_or(0, |splice| splice.end);
        pieces
            .chain(std::iter::once(original.get(rest..).unwrap_or_default()))
            .filter(|piece| !piece.is_empty())
    }
}

/// What an object is to mean.
pub(in crate::manifest) struct Desired<'p> {
    value: Cow<'p, Value>,
    /// Where it differs from what it means; none: anywhere.
    places: Option<Vec<Vec<Place<'static>>>>,
    /// Where its plan says that it differs, though the editor looks everywhere.
    touched: Option<&'p [Vec<Place<'static>>]>,
    /// A value that is written as its author spelled it.
    spelling: Option<(Value, String)>,
}

impl<'p> Desired<'p> {
    /// It may differ anywhere.
    pub(in crate::manifest) fn anywhere(value: Cow<'p, Value>) -> Self {
        Self { value, places: None, touched: None, spelling: None }
    }

    /// It may differ anywhere; where it does, as its plan says.
    pub(super) fn planned(value: &'p Value, touched: Option<&'p [Vec<Place<'static>>]>) -> Self {
        Self { touched, ..Self::anywhere(Cow::Borrowed(value)) }
    }

    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    pub(super) fn value_mut(&mut self) -> &mut Value {
        self.value.to_mut()
    }

    pub(super) fn touched(&self) -> Option<&[Vec<Place<'static>>]> {
        self.places.as_deref().or(self.touched)
    }

    /// It differs at these places at most.
    pub(in crate::manifest) fn at(value: Value, places: Option<Vec<Vec<Place<'static>>>>) -> Self {
        Self { value: Cow::Owned(value), places, touched: None, spelling: None }
    }

    /// It differs at these places at most, and elsewhere the value may lack what is no part of it. What an edit there will not
    /// look at goes at once: of a large object it is nearly all.
    pub(in crate::manifest) fn in_part(mut value: Value, places: Vec<Vec<Place<'static>>>) -> Self {
        let paths: Vec<&[Place<'static>]> = places.iter().map(Vec::as_slice).collect();
        shed(&mut value, &paths);
        Self::at(value, Some(places))
    }
}

/// Empties the items of lists to which no path leads.
fn shed(value: &mut Value, paths: &[&[Place<'static>]]) {
    if paths.iter().any(|path| path.is_empty()) {
        return;
    }
    let below = |step: Place<'_>| -> Vec<&[Place<'static>]> {
        let led = paths.iter().filter_map(|path| path.split_first().filter(|(first, _)| **first == step));
        led.map(|(_, rest)| rest).collect()
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let below = below(Place::Key(key));
                if !below.is_empty() {
                    shed(value, &below);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let below = below(Place::Index(index));
                if below.is_empty() {
                    *item = Value::Null;
                } else {
                    shed(item, &below);
                }
            }
        }
        _ => {}
    }
}

/// Edits of one list.
struct List<'p, 's> {
    editor: Editor<'p, 's>,
    /// By node: the splices of an item that is proven by itself.
    proven: BTreeMap<NodeId, Vec<Splice>>,
    /// By node: what is proven with the list as a whole, in the end.
    rest: BTreeMap<NodeId, (&'p Item, Desired<'p>)>,
}

/// Collects the edits of a stream. A document of one object is edited at once, and so is an item of a list that can be
/// proven by itself; others wait, since a list is then proven as a whole.
pub(in crate::manifest) struct Collector<'p, 's> {
    stream: &'p Stream<'s>,
    edited: Edited,
    /// By document.
    lists: BTreeMap<usize, List<'p, 's>>,
    /// Documents edited so far.
    done: HashSet<usize>,
    errors: Vec<InputError>,
    buffers: Buffers,
}

impl<'p, 's> Collector<'p, 's> {
    pub(in crate::manifest) fn new(stream: &'p Stream<'s>) -> Self {
        Self {
            stream,
            edited: Edited { splices: vec![Vec::new(); stream.sources().len()] },
            lists: BTreeMap::new(),
            done: HashSet::new(),
            errors: Vec::new(),
            buffers: Buffers::default(),
        }
    }

    /// Adds the edits that make a workload, by its index, mean what is wanted.
    pub(in crate::manifest) fn workload(&mut self, index: Option<usize>, desired: Option<Desired<'p>>) {
        if let (Some(index), Some(desired)) = (index, desired) {
            self.object(&self.stream.workloads[index], desired);
        }
    }

    /// The same for who leads a plan.
    pub(in crate::manifest) fn lead(&mut self, lead: Lead, desired: Option<Desired<'p>>) {
        if let Some(desired) = desired {
            self.object(self.stream.lead(lead), desired);
        }
    }

    /// The same for an object of the stream.
    pub(in crate::manifest) fn object(&mut self, item: &'p Item, mut desired: Desired<'p>) {
        let document = self.stream.document(item.document());
        desired.spelling = spelling::of(document, item.node(), &mut desired);
        if item.is_in_list() {
            return self.item(item, desired);
        }
        let mut editor = Editor::new(document);
        editor.spell(desired.spelling.clone());
        let result = editor.set_at(item.node(), &desired.value, desired.places.as_deref());
        match result.and_then(|()| editor.finish_in(&mut self.buffers)) {
            Ok(splices) => self.write(item.document(), splices),
            Err(error) => self.failed(item.document(), Some(item), &error),
        }
    }

    fn item(&mut self, item: &'p Item, mut desired: Desired<'p>) {
        if item.type_of_list().is_some() {
            ItemType::take_from(desired.value.to_mut());
        }
        let (index, node) = (item.document(), item.node());
        let stream = self.stream;
        let list = self.lists.entry(index).or_insert_with(|| List {
            editor: Editor::new(stream.document(index)),
            proven: BTreeMap::new(),
            rest: BTreeMap::new(),
        });
        // With `exact` a later runtime writes the same workload again: the last one counts.
        list.proven.remove(&node);
        list.rest.remove(&node);
        list.editor.spell(desired.spelling.clone());
        match list.editor.item(node, &desired.value, desired.places.as_deref(), &mut self.buffers) {
            Ok(Some(splices)) => drop(list.proven.insert(node, splices)),
            Ok(None) => drop(list.rest.insert(node, (item, desired))),
            Err(error) => self.failed(index, Some(item), &error),
        }
    }

    /// Splices of a document; they count from its start.
    fn write(&mut self, index: usize, splices: Vec<Splice>) {
        let (source, start) = self.stream.place(index);
        let all = &mut self.edited.splices[source];
        if !self.done.insert(index) {
            // With `exact` a later runtime writes the same workload again: the last one counts.
            let end = self.stream.end(index);
            all.retain(|splice| splice.start < start || splice.start >= end);
        }
        all.extend(splices.into_iter().map(|splice| splice.moved(start)));
    }

    fn failed(&mut self, index: usize, item: Option<&Item>, error: &EditError) {
        let reported = self.stream.error_at(index, error.line, error.column, item.map(|item| &item.id));
        self.errors.push(InputError {
            field: error.path.clone(),
            message: error.message.clone(),
            help: error.help.clone(),
            ..reported
        });
    }

    pub(in crate::manifest) fn finish(mut self) -> Result<Edited, Vec<InputError>> {
        for (index, list) in std::mem::take(&mut self.lists) {
            let List { editor, proven, rest } = list;
            if rest.is_empty() {
                self.write(index, proven.into_values().flatten().collect());
                continue;
            }
            let items: Vec<(&Item, Desired<'_>)> = rest.into_values().collect();
            match whole(editor, proven, &items, &mut self.buffers) {
                Ok(splices) => self.write(index, splices),
                Err((item, error)) => self.failed(index, item, &error),
            }
        }
        for splices in &mut self.edited.splices {
            splices.sort_by_key(|splice| splice.start);
        }
        if self.errors.is_empty() { Ok(self.edited) } else { Err(self.errors) }
    }

    /// The same, where something else was refused on the way.
    pub(in crate::manifest) fn finish_with(self, others: Vec<InputError>) -> Result<Edited, Vec<InputError>> {
        match self.finish() {
            Ok(edited) if others.is_empty() => Ok(edited),
            Ok(_) => Err(others),
            Err(mut errors) => {
                errors.extend(others);
                Err(errors)
            }
        }
    }
}

/// Edits what is left of a list, and proves the list. An error tells which item it is about, if that is known.
fn whole<'i>(
    mut editor: Editor<'i, '_>,
    proven: BTreeMap<NodeId, Vec<Splice>>,
    items: &'i [(&'i Item, Desired<'i>)],
    buffers: &mut Buffers,
) -> Result<Vec<Splice>, (Option<&'i Item>, EditError)> {
    for (node, splices) in proven {
        editor.take(node, splices);
    }
    for (item, desired) in items {
        editor.spell(desired.spelling.clone());
        let result = editor.set_at(item.node(), &desired.value, desired.places.as_deref());
        result.map_err(|error| (Some(*item), error))?;
    }
    let only = items.first().map(|(item, _)| *item).filter(|_| items.len() == 1);
    editor.finish_in(buffers).map_err(|error| (only, error))
}
