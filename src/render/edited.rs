//! Plans become bytes: desired objects in, the smallest splices of each file out, proven by `yaml::edit`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::error::InputError;
use crate::stream::{Item, Stream};
use crate::yaml::{EditError, Editor, Splice};

/// Splices of all files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edited {
    /// By source, in order, not overlapping.
    splices: Vec<Vec<Splice>>,
}

impl Edited {
    /// Whether anything changes in any file.
    pub fn is_changed(&self) -> bool {
        self.splices.iter().any(|splices| !splices.is_empty())
    }

    /// The text of a file after the edits; none where nothing changes in it.
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

/// Collects the edits of a stream. Documents of one object are edited at once; lists wait for all of their items, since a
/// list is proven as a whole.
pub(super) struct Collector<'p, 's> {
    stream: &'p Stream<'s>,
    edited: Edited,
    /// By document: node and desired value.
    lists: BTreeMap<usize, Vec<(&'p Item, Cow<'p, Value>)>>,
    /// Documents edited so far.
    done: HashSet<usize>,
    errors: Vec<InputError>,
}

impl<'p, 's> Collector<'p, 's> {
    pub(super) fn new(stream: &'p Stream<'s>) -> Self {
        let edited = Edited { splices: vec![Vec::new(); stream.sources().len()] };
        Self { stream, edited, lists: BTreeMap::new(), done: HashSet::new(), errors: Vec::new() }
    }

    /// Adds the edits that make a workload, by its index, mean what is wanted.
    pub(super) fn workload(&mut self, index: Option<usize>, desired: Option<Cow<'p, Value>>) {
        if let (Some(index), Some(desired)) = (index, desired) {
            self.object(&self.stream.workloads[index], desired);
        }
    }

    /// The same for an AgentRuntime.
    pub(super) fn runtime(&mut self, index: usize, desired: Option<Cow<'p, Value>>) {
        if let Some(desired) = desired {
            self.object(&self.stream.runtimes[index], desired);
        }
    }

    fn object(&mut self, item: &'p Item, desired: Cow<'p, Value>) {
        if item.is_in_list() {
            let items = self.lists.entry(item.document()).or_default();
            // With `exact` a later runtime writes the same workload again.
            items.retain(|(other, _)| other.node() != item.node());
            items.push((item, desired));
            return;
        }
        self.document(item.document(), &[(item, desired)]);
    }

    fn document(&mut self, index: usize, items: &[(&Item, Cow<'_, Value>)]) {
        let mut editor = Editor::new(self.stream.document(index));
        let mut failed = None;
        for (item, desired) in items {
            if let Err(error) = editor.set(item.node(), desired) {
                failed = Some((Some(*item), error));
                break;
            }
        }
        let result = match failed {
            None => editor
                .finish()
                .map_err(|error| (items.first().map(|(item, _)| *item).filter(|_| items.len() == 1), error)),
            Some(error) => Err(error),
        };
        match result {
            Ok(splices) => {
                let (source, start) = self.stream.place(index);
                let all = &mut self.edited.splices[source];
                if !self.done.insert(index) {
                    // With `exact` a later runtime writes the same workload again: the last one counts.
                    let end = self.stream.end(index);
                    all.retain(|splice| splice.start < start || splice.start >= end);
                }
                all.extend(splices.into_iter().map(|splice| Splice {
                    start: splice.start + start,
                    end: splice.end + start,
                    text: splice.text,
                }));
            }
            Err((item, error)) => self.failed(index, item, &error),
        }
    }

    fn failed(&mut self, index: usize, item: Option<&Item>, error: &EditError) {
        let told = self.stream.error_at(index, error.line, error.column, item.map(|item| &item.id));
        self.errors.push(InputError {
            field: error.path.clone(),
            message: error.message.clone(),
            help: error.help.clone(),
            ..told
        });
    }

    pub(super) fn finish(mut self) -> Result<Edited, Vec<InputError>> {
        for (index, items) in std::mem::take(&mut self.lists) {
            self.document(index, &items);
        }
        for splices in &mut self.edited.splices {
            splices.sort_by_key(|splice| splice.start);
        }
        if self.errors.is_empty() { Ok(self.edited) } else { Err(self.errors) }
    }
}
