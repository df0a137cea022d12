//! Reads a document in JSON into the position tree. Kubernetes tries JSON before YAML, which refuses some of it: tabs as
//! indentation, keys beyond 1024 characters, `\/` and surrogate pairs.

use super::error::MAX_DEPTH;
use super::node::{NONE, NodeId, NodeKind, ScalarStyle, Stored, Tree};

/// Whether a text begins like a JSON object, for which Kubernetes looks (k8s.io/apimachinery `util/yaml/decoder.go`,
/// `GuessJSONStream`).
pub(super) fn looks_like_json(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{')
}

/// Reads one document into `tree`. Returns false if it is not a JSON object, or nests deeper than 255;
/// `tree` then holds nothing of use.
pub(super) fn parse(text: &str, tree: &mut Tree) -> bool {
    tree.nodes.clear();
    let mut reader = Reader { text: text.as_bytes(), at: 0, nodes: &mut tree.nodes };
    reader.blank();
    reader.peek() == Some(b'{') && reader.value(0).is_some() && {
        reader.blank();
        reader.peek().is_none()
    }
}

/// Where the JSON object that begins at `from` ends; `None` if none begins there.
pub(super) fn object_end(text: &str, from: usize) -> Option<usize> {
    let mut nodes = Vec::new();
    let mut reader = Reader { text: text.as_bytes(), at: from, nodes: &mut nodes };
    (reader.peek() == Some(b'{')).then(|| reader.value(0))??;
    Some(reader.at)
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    nodes: &'t mut Vec<Stored>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    fn push(&mut self, kind: NodeKind, start: usize) -> NodeId {
        let id = self.nodes.len() as NodeId;
        let (start, end) = (start as u32, self.at as u32);
        self.nodes.push(Stored::new(kind, start, end));
        id
    }

    fn link(&mut self, parent: NodeId, last: &mut NodeId, child: NodeId) {
        match *last {
            NONE => {
                debug_assert_eq!(child, parent + 1, "the first child stands after its parent");
                self.nodes[parent as usize].fill();
            }
            last => self.nodes[last as usize].next = child,
        }
        *last = child;
    }

    fn value(&mut self, depth: usize) -> Option<NodeId> {
        match self.peek()? {
            b'{' => self.collection(true, depth),
            b'[' => self.collection(false, depth),
            b'"' => self.string(),
            _ => self.word(),
        }
    }

    fn collection(&mut self, mapping: bool, depth: usize) -> Option<NodeId> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let start = self.at;
        self.at += 1;
        let (kind, close) = match mapping {
            true => (NodeKind::Mapping { flow: true }, b'}'),
            false => (NodeKind::Sequence { flow: true }, b']'),
        };
        let id = self.push(kind, start);
        let mut last = NONE;
        self.blank();
        if self.take(close).is_none() {
            loop {
                if mapping {
                    if self.peek() != Some(b'"') {
                        return None;
                    }
                    let key = self.string()?;
                    self.link(id, &mut last, key);
                    self.blank();
                    self.take(b':')?;
                    self.blank();
                }
                let child = self.value(depth + 1)?;
                self.link(id, &mut last, child);
                self.blank();
                if self.take(close).is_some() {
                    break;
                }
                self.take(b',')?;
                self.blank();
            }
        }
        self.nodes[id as usize].end = self.at as u32;
        Some(id)
    }

    fn string(&mut self) -> Option<NodeId> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    match self.peek()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            let digits = self.text.get(self.at + 1..self.at + 5)?;
                            if !digits.iter().all(u8::is_ascii_hexdigit) {
                                return None;
                            }
                            self.at += 5;
                        }
                        _ => return None,
                    }
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(self.push(NodeKind::Scalar(ScalarStyle::DoubleQuoted), start))
    }

    /// `true`, `false`, `null` or a number.
    fn word(&mut self) -> Option<NodeId> {
        let start = self.at;
        while let Some(b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.' | b'E') = self.peek() {
            self.at += 1;
        }
        let word = &self.text[start..self.at];
        (matches!(word, b"true" | b"false" | b"null") || is_number(word))
            .then(|| self.push(NodeKind::Scalar(ScalarStyle::Plain), start))
    }
}

fn is_number(word: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut rest = word.strip_prefix(b"-").unwrap_or(word);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(part) = rest.strip_prefix(b".") {
        let count = digits(part);
        if count == 0 {
            return false;
        }
        rest = &part[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        };
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}
