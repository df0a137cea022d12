//! Splits text into YAML documents: byte ranges of content. Nothing is copied or parsed.
//!
//! `---` and `...` at the start of a line, followed by a blank, a line break or the end, end a document wherever they
//! stand: libyaml lets them end even quoted and block scalars, so a scan of line starts is exact. Documents that hold
//! nothing but blank lines, comments and directives are no documents and get no slice: their bytes stay as they are,
//! because bytes outside of slices are never touched. Objects of a JSON stream, which no marker separates, get a slice
//! each.

use memchr::memmem;

use super::error::count_breaks;
use super::json;
use super::reader::is_ordinary;
use super::scalar::next_line;

/// Where the content of one document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentSlice {
    /// First byte: right after the marker `---` (or a byte-order mark on the line after it), or without a marker the start
    /// of the first line with content. Where a scalar, a property or (which is an error) a block collection stands on
    /// the marker's line, the marker itself; with directives, the first of them.
    pub start: usize,
    /// One after the last byte: the start of the next marker's line, or the end of the text.
    pub end: usize,
    /// Line of `start`, from 1.
    pub line: usize,
    /// Column of `start`, from 1; 4 right after a `---`.
    pub column: usize,
    /// A `---` announces it.
    pub explicit: bool,
}

impl DocumentSlice {
    /// The document's content.
    pub fn text<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start..self.end]
    }

    /// Turns a place in the slice (line and column from 1, as in [`super::SyntaxError`]) to the place in the whole text.
    pub fn place(&self, line: usize, column: usize) -> (usize, usize) {
        let column = if line == 1 { column + self.column - 1 } else { column };
        (self.line + line - 1, column)
    }
}

const BOM: &str = "\u{feff}";

/// Splits text into documents, in order. Slices never overlap.
///
/// Comments in front of `---` belong to no slice, `%YAML` and `%TAG` lines to that of the document they stand before.
/// Line breaks are LF, CRLF and lone CR.
pub fn split(text: &str) -> Vec<DocumentSlice> {
    Documents::of(text).collect()
}

/// The documents of a text, as [`split`] has them, one after the other.
pub(crate) struct Documents<'t> {
    text: &'t str,
    markers: Markers<'t>,
    lines: LineCounter<'t>,
    /// After the last marker.
    from: usize,
    /// Whether that was `---`.
    explicit: bool,
    /// The first directive in front of the next document.
    directives: Option<usize>,
    /// Objects of a JSON stream that are still to come.
    objects: std::vec::IntoIter<DocumentSlice>,
    ended: bool,
}

impl<'t> Documents<'t> {
    pub(crate) fn of(text: &'t str) -> Documents<'t> {
        Documents {
            text,
            markers: Markers::new(text),
            lines: LineCounter { text, at: 0, line: 1 },
            from: if text.starts_with(BOM) { BOM.len() } else { 0 },
            explicit: false,
            directives: None,
            objects: Vec::new().into_iter(),
            ended: false,
        }
    }

    /// What stands up to the next marker; `None` if that is no document.
    fn up_to_marker(&mut self) -> Option<DocumentSlice> {
        let (text, from, explicit) = (self.text, self.from, self.explicit);
        let marker = self.markers.next();
        let end = marker.as_ref().map_or(text.len(), |marker| marker.line_start);
        let before_dashes = marker.as_ref().is_some_and(|marker| marker.dashes);
        match marker {
            Some(marker) => (self.from, self.explicit) = (marker.end, marker.dashes),
            None => self.ended = true,
        }
        let directives = self.directives.take();
        let content = match first_content(text, from, end, explicit) {
            Ok(content) => content,
            // Directives that no `---` follows are refused where they are read.
            Err(Some(directive)) if !before_dashes => Content { at: directive, after_bom: None },
            Err(directive) => {
                self.directives = directive;
                return None;
            }
        };
        let beside = explicit && content.at == from && needs_marker(&text[from..end]);
        let (start, column) = match content.after_bom {
            _ if directives.is_some() => (directives.unwrap_or(from), 1),
            _ if beside => (from - 3, 1),
            // A byte-order mark is one only at the start: here it is a character like any other.
            _ if !explicit && text[content.at..end].starts_with(BOM) => {
                let first = from == 0 || (from == BOM.len() && text.starts_with(BOM));
                if first { (0, 1) } else { (from, 4) }
            }
            _ if !explicit => (content.at, 1),
            None => (from, 4),
            Some(after_bom) => (after_bom, 1),
        };
        let line = self.lines.line_at(start);
        Some(DocumentSlice { start, end, line, column, explicit })
    }

    fn objects(&mut self, slice: &DocumentSlice, objects: Vec<(usize, usize)>) -> Vec<DocumentSlice> {
        // Columns are counted on from one object to the next: a line may hold all of them.
        let (mut counted, mut column) = (slice.start, slice.column);
        let place = |(start, end): (usize, usize)| {
            let between = &self.text[counted..start];
            column = match between.rfind(['\n', '\r']) {
                Some(at) => between[at..].chars().count(),
                None => column + between.chars().count(),
            };
            counted = start;
            DocumentSlice { start, end, line: self.lines.line_at(start), column, explicit: false }
        };
        objects.into_iter().map(place).collect()
    }
}

impl Iterator for Documents<'_> {
    type Item = DocumentSlice;

    fn next(&mut self) -> Option<DocumentSlice> {
        loop {
            if let Some(object) = self.objects.next() {
                return Some(object);
            }
            if self.ended {
                return None;
            }
            let Some(slice) = self.up_to_marker() else { continue };
            match json_stream(self.text, &slice) {
                Some(objects) => self.objects = self.objects(&slice, objects).into_iter(),
                None => return Some(slice),
            }
        }
    }
}

/// Whether what stands after `---` on its line means something else on a line of its own: no block collection may
/// begin there.
fn needs_marker(after: &str) -> bool {
    let first = after.trim_start_matches([' ', '\t']).chars().next();
    !matches!(first, None | Some('{' | '[' | '|' | '>' | '#' | '\n' | '\r'))
}

/// The objects of a JSON stream: two or more of them with nothing but white space in between. Kubernetes reads such
/// files; to YAML they would be one broken document.
fn json_stream(text: &str, slice: &DocumentSlice) -> Option<Vec<(usize, usize)>> {
    let blank = |text: &str| text.len() - text.trim_ascii_start().len();
    let content = slice.text(text);
    let first = blank(content);
    if !content[first..].starts_with('{') {
        return None;
    }
    // Cheaper than reading all that looks like JSON: where one object follows another there is one of these.
    let seams = ["\n{", "\r{", "}{", "} {", "\t{"];
    if !seams.iter().any(|seam| memmem::find(&content.as_bytes()[first..], seam.as_bytes()).is_some()) {
        return None;
    }
    let mut objects = Vec::new();
    let mut at = slice.start + first;
    while at < slice.end {
        let end = json::object_end(&text[..slice.end], at)?;
        objects.push((at, end));
        at = end + blank(&text[end..slice.end]);
    }
    (objects.len() > 1).then_some(objects)
}

struct Content {
    /// Start of the first line with content, or of the directives before it when they lack a `---`.
    at: usize,
    /// After a byte-order mark that begins the line after the marker.
    after_bom: Option<usize>,
}

/// Finds the first line between `from` and `end` that is neither blank nor comment nor a directive. Without one, the first
/// directive is the error.
fn first_content(text: &str, from: usize, end: usize, explicit: bool) -> Result<Content, Option<usize>> {
    let bytes = text.as_bytes();
    let mut after_bom = None;
    let mut directive = None;
    let mut at = from;
    // What follows `---` on its line is never at the start of a line: no directive, no byte-order mark.
    let mut line_start = !explicit;
    while at < end {
        let mut first = at;
        // Go takes no tab where a line begins.
        while first < end && (bytes[first] == b' ' || (bytes[first] == b'\t' && !line_start)) {
            first += 1;
        }
        let line_end = memchr::memchr2(b'\n', b'\r', &bytes[first..end]).map_or(end, |found| first + found);
        let blank = first == line_end || (bytes[first] == b'#' && is_ordinary(&text[first..line_end]));
        let is_directive = line_start && first < end && bytes[at] == b'%';
        if !blank && !is_directive {
            return Ok(Content { at: directive.unwrap_or(at), after_bom });
        }
        if is_directive && directive.is_none() {
            directive = Some(at);
        }
        at = next_line(bytes, line_end).min(end);
        if explicit && !line_start && text[at..end].starts_with(BOM) {
            at += BOM.len();
            after_bom = Some(at);
        }
        line_start = true;
    }
    Err(directive)
}

struct Marker {
    line_start: usize,
    end: usize,
    dashes: bool,
}

/// Finds `---` and `...` at line starts. Both are searched as substrings: far faster than a walk over all lines.
struct Markers<'t> {
    text: &'t [u8],
    dashes: Option<usize>,
    dots: Option<usize>,
}

impl<'t> Markers<'t> {
    fn new(text: &'t str) -> Self {
        let text = text.as_bytes();
        Self { text, dashes: find_marker(text, b"---", 0), dots: find_marker(text, b"...", 0) }
    }

    fn next(&mut self) -> Option<Marker> {
        let at = match (self.dashes, self.dots) {
            (Some(dashes), Some(dots)) => dashes.min(dots),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => return None,
        };
        let dashes = self.dashes == Some(at);
        if dashes {
            self.dashes = find_marker(self.text, b"---", at + 3);
        } else {
            self.dots = find_marker(self.text, b"...", at + 3);
        }
        Some(Marker { line_start: at, end: at + 3, dashes })
    }
}

fn find_marker(text: &[u8], marker: &[u8], from: usize) -> Option<usize> {
    // Building the searcher costs little against a file; building it once per marker would show with tiny documents.
    let mut at = from;
    while let Some(found) = memmem::find(&text[at..], marker) {
        at += found;
        let starts_line =
            matches!(text[..at].last(), None | Some(b'\n' | b'\r')) || &text[..at] == BOM.as_bytes();
        let ends_word = matches!(text.get(at + 3), None | Some(b' ' | b'\t' | b'\n' | b'\r'));
        if starts_line && ends_word {
            return Some(at);
        }
        // A run of dashes such as `-----BEGIN` has a marker nowhere but at its start.
        let run = marker[0];
        while text.get(at) == Some(&run) {
            at += 1;
        }
    }
    None
}

/// Counts lines from where it last stood.
struct LineCounter<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl LineCounter<'_> {
    fn line_at(&mut self, offset: usize) -> usize {
        self.line += count_breaks(&self.text.as_bytes()[self.at..offset]);
        self.at = offset;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(text: &str) -> Vec<(&str, usize)> {
        split(text).iter().map(|slice| (slice.text(text), slice.line)).collect()
    }

    #[test]
    fn documents_are_what_stands_between_the_markers() {
        for (text, expected) in [
            ("", vec![]),
            ("a: 1", vec![("a: 1", 1)]),
            ("a: 1\n---\nb: 2\n", vec![("a: 1\n", 1), ("\nb: 2\n", 2)]),
            ("---\na: 1\n...\n---\nb: 2", vec![("\na: 1\n", 1), ("\nb: 2", 4)]),
            ("a: 1\r\n---\r\nb: 2\r\n", vec![("a: 1\r\n", 1), ("\r\nb: 2\r\n", 2)]),
            ("a: 1\r---\rb: 2\r", vec![("a: 1\r", 1), ("\rb: 2\r", 2)]),
            (
                "--- {a: b}\n--- # c\nd: e\n--- |\n x\n",
                vec![(" {a: b}\n", 1), (" # c\nd: e\n", 2), (" |\n x\n", 4)],
            ),
            ("a\n...\nb\n...\n", vec![("a\n", 1), ("b\n", 3)]),
            ("---\ta\n---", vec![("---\ta\n", 1)]),
            ("--- &x\na: 1\n--- 'a'", vec![("--- &x\na: 1\n", 1), ("--- 'a'", 3)]),
        ] {
            assert_eq!(contents(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_document_without_content_gets_no_slice_so_that_its_comments_are_never_touched() {
        for text in [
            "# only\n",
            "\n\n",
            "---\n# c\n---\n   \n",
            "%YAML 1.1\n---\n",
            "--- # c\n...\n# d\n",
            "\u{feff}# c",
        ] {
            assert_eq!(split(text), vec![], "{text:?}");
        }
        assert_eq!(contents("# head\n\na: 1\n# tail\n"), vec![("a: 1\n# tail\n", 3)]);
        assert_eq!(contents("---\n# head\na: 1\n"), vec![("\n# head\na: 1\n", 1)]);
    }

    #[test]
    fn directives_are_part_of_their_document() {
        let text = "%YAML 1.1\n%TAG ! x:\n# c\n---\na: 1\n";
        assert_eq!(contents(text), vec![(text, 1)]);
        assert_eq!(
            contents("a: 1\n...\n%YAML 1.1\n---\nb: 2\n"),
            vec![("a: 1\n", 1), ("%YAML 1.1\n---\nb: 2\n", 3)]
        );
        assert_eq!(contents("%YAML 1.1\n---\n# c\n---\nb: 2\n"), vec![("\nb: 2\n", 4)]);
        assert_eq!(contents("%YAML 1.1\na: 1\n"), vec![("%YAML 1.1\na: 1\n", 1)]);
        // Text, not a directive.
        assert_eq!(contents("a: |\n %x\n"), vec![("a: |\n %x\n", 1)]);
    }

    #[test]
    fn markers_end_documents_even_inside_of_scalars_as_in_libyaml() {
        assert_eq!(contents("a: \"x\n---\ny\"\n"), vec![("a: \"x\n", 1), ("\ny\"\n", 2)]);
        assert_eq!(contents("a: |\n x\n---\nb: 1\n"), vec![("a: |\n x\n", 1), ("\nb: 1\n", 3)]);
    }

    #[test]
    fn what_only_looks_like_a_marker_splits_nothing() {
        for text in [
            "a: |\n  ---\n  ...\n",
            "k: |\n  -----BEGIN CERTIFICATE-----\n  -----END CERTIFICATE-----\n",
            "---x: 1\n",
            "----\n",
            "a: ---\nb: ...\n",
            "....\n",
            "- --- \n",
            "# see ...\na: 1...\n",
        ] {
            assert_eq!(split(text).len(), 1, "{text:?}");
            assert!(!split(text)[0].explicit, "{text:?}");
        }
        assert_eq!(contents("-----BEGIN\n---\na\n"), vec![("-----BEGIN\n", 1), ("\na\n", 2)]);
    }

    #[test]
    fn byte_order_marks_are_no_content_where_kubernetes_begins_to_read() {
        assert_eq!(contents("\u{feff}a: 1\n"), vec![("a: 1\n", 1)]);
        assert_eq!(contents("\u{feff}---\na: 1\n"), vec![("\na: 1\n", 1)]);
        assert_eq!(contents("a: 1\n---\n\u{feff}b: 2\n"), vec![("a: 1\n", 1), ("b: 2\n", 3)]);
        // Anywhere else they are content.
        assert_eq!(contents("a: 1\n...\n\u{feff}b: 2\n"), vec![("a: 1\n", 1), ("\n\u{feff}b: 2\n", 2)]);
        for text in ["a: 1\n\u{feff}---\nb: 2\n", "\u{feff}\u{feff}a: 1\n", "# c\n\u{feff}a: 1\n"] {
            assert_eq!(contents(text), vec![(text, 1)]);
        }
        assert_eq!(contents("---\n# c\n\u{feff}b: 2\n"), vec![("\n# c\n\u{feff}b: 2\n", 1)]);
    }

    #[test]
    fn objects_of_a_json_stream_are_documents_as_kubectl_reads_them() {
        assert_eq!(
            contents("{\"a\":1}\n{\"b\":[{}]} {\"c\":\"}{\"}\n"),
            vec![("{\"a\":1}", 1), ("{\"b\":[{}]}", 2), ("{\"c\":\"}{\"}", 2),]
        );
        assert_eq!(split("--- {} {}\n")[1].place(1, 1), (1, 8));
        // One object is a document like any other, and what is no JSON is left to be refused in one piece.
        for text in ["{\n\t{", "{\"a\":\n{}}\n", "{} {} x\n", "{a: 1} {b: 2}\n", "{}\n{}\n[]\n"] {
            assert_eq!(contents(text), vec![(text, 1)], "{text:?}");
        }
    }

    /// Breaks if a document that Kubernetes refuses is edited as if it were fine.
    #[test]
    fn block_collections_cannot_stand_beside_the_marker() {
        for text in ["--- a: b\n", "--- - a\n", "--- 'a': b\n", "--- ? a\n", "--- &x a: b\n", "---\ta: b\n"] {
            let slices = split(text);
            assert!(crate::yaml::Document::parse(slices[0].text(text)).is_err(), "{text:?}");
        }
        for text in [
            "--- &x\na: b\n",
            "--- {a: b}\n",
            "--- a\n",
            "--- |\n a\n",
            "--- !!map\na: b\n",
            "--- # c\na: b\n",
        ] {
            let slices = split(text);
            assert!(crate::yaml::Document::parse(slices[0].text(text)).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn places_in_a_slice_become_places_in_the_file() {
        let text = "a: 1\n--- {b: 2}\n---\nc: 3\n";
        let slices = split(text);
        assert_eq!(slices[0].place(1, 4), (1, 4));
        // `{` is the second character after `---`.
        assert_eq!(slices[1].place(1, 2), (2, 5));
        assert_eq!(slices[2].place(2, 1), (4, 1));
    }

    #[test]
    fn slices_are_ordered_disjoint_and_hold_all_but_markers_and_prefixes() {
        for text in
            ["a\n---\nb\n...\nc", "---\n---\n---\nx", "...\n...\n# c\n%d\n--- y", "\r---\r\n---\n\r..."]
        {
            let mut at = 0;
            for slice in split(text) {
                assert!(at <= slice.start && slice.start < slice.end && slice.end <= text.len(), "{text:?}");
                at = slice.end;
            }
        }
    }
}
