//! The quick reader of what most manifests consist of. In: one document's text; out: nodes, or word that the
//! thorough reader (`reader`) must decide.
//!
//! One pass, no memory but the nodes. It reads block mappings and sequences, plain and quoted scalars of one line,
//! block scalars, flow collections, comments, anchors, aliases and tags in front of values. Whatever it is not sure of
//! it leaves alone: scalars over several lines, `?` keys, tabs between tokens, odd indentation, and every error.
//! It accepts nothing that Go refuses, and builds the same tree.

mod scan;

use super::node::{NONE, NodeId, NodeKind, ScalarStyle, Stored, Tree};
use super::scalar::block_scalar;

/// Deeper nesting is left to the thorough reader, which knows the limit.
const MAX_DEPTH: usize = 100;

/// Keys are looked for on one line and within 1024 characters; what comes near that is left to the thorough reader.
const MAX_KEY: usize = 1000;

/// Not sure: the thorough reader decides.
struct Unsure;

type Sure<T> = Result<T, Unsure>;

/// Reads one document into `tree`. Returns false where it is not sure; `tree` then holds nothing of use.
pub(super) fn parse(text: &str, tree: &mut Tree) -> bool {
    Reader::new(text, tree).document().is_ok()
}

/// Reads the lines of one item of a block sequence, the first of which begins with its dash. Returns false where it is
/// not sure.
///
/// Within its document it reads these lines in the same way: what it does depends on the column of the line, on how deep
/// it stands, and on the lines up to the next one that is not indented more than the dash; and it goes on from there, as
/// it ends here.
pub(super) fn parse_item(text: &str, tree: &mut Tree) -> bool {
    Reader::new(text, tree).only_item().is_ok()
}

/// The column when there is no further line.
const END: isize = -1;

struct Reader<'t> {
    text: &'t [u8],
    /// In between nodes: the first byte of the next line with content.
    at: usize,
    /// Its column, or [`END`].
    column: isize,
    depth: usize,
    nodes: &'t mut Vec<Stored>,
    /// There is no tab and no carriage return in the text.
    plain: bool,
    /// Names of the anchors whose nodes are complete.
    anchors: Vec<&'t [u8]>,
}

/// The children of one collection so far.
struct Chain {
    parent: NodeId,
    last: NodeId,
}

/// A scalar that has been scanned but not yet made a node.
struct Scanned {
    style: ScalarStyle,
    start: usize,
    end: usize,
    /// After the `:` that makes it a key.
    colon: Option<usize>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, tree: &'t mut Tree) -> Reader<'t> {
        tree.nodes.clear();
        Reader {
            text: text.as_bytes(),
            at: 0,
            column: END,
            depth: 0,
            nodes: &mut tree.nodes,
            plain: memchr::memchr2(b'\t', b'\r', text.as_bytes()).is_none(),
            anchors: Vec::new(),
        }
    }

    fn only_item(&mut self) -> Sure<()> {
        self.lines()?;
        if self.column == END || !self.is_dash()? {
            return Err(Unsure);
        }
        self.sequence(self.column, None)?;
        let second = self.nodes.get(1).is_none_or(|item| item.next != NONE);
        if self.column == END && !second { Ok(()) } else { Err(Unsure) }
    }

    fn document(&mut self) -> Sure<()> {
        // Content on the first line may stand after `---`, where less is allowed than on a line of its own.
        if self.text.first() == Some(&b' ') {
            let first = self.text.iter().position(|b| *b != b' ');
            if first.is_some_and(|at| !matches!(self.text[at], b'\n' | b'\r' | b'#')) {
                return Err(Unsure);
            }
        }
        self.lines()?;
        if self.column == END {
            return Err(Unsure);
        }
        self.block_node()?;
        if self.column == END { Ok(()) } else { Err(Unsure) }
    }

    fn byte(&self, at: usize) -> u8 {
        // After the end is like the end of a line.
        self.text.get(at).copied().unwrap_or(b'\n')
    }

    /// Whether a line (or the text) ends here. A carriage return alone is left to the thorough reader.
    fn ends_line(&self, at: usize) -> Sure<bool> {
        match self.byte(at) {
            b'\n' => Ok(true),
            b'\r' if self.byte(at + 1) == b'\n' && at + 1 < self.text.len() => Ok(true),
            b'\r' => Err(Unsure),
            _ => Ok(false),
        }
    }

    fn skip_spaces(&self, from: usize) -> usize {
        let mut at = from;
        while self.byte(at) == b' ' {
            at += 1;
        }
        at
    }

    fn line_end(&self, from: usize) -> usize {
        memchr::memchr(b'\n', &self.text[from..]).map_or(self.text.len(), |found| from + found)
    }

    /// Whether a comment or the end of the line stands here; blanks have been skipped.
    fn ends_content(&self, at: usize) -> Sure<bool> {
        Ok(self.ends_line(at)?
            || (self.byte(at) == b'#' && at > 0 && matches!(self.text[at - 1], b' ' | b'\n')))
    }

    /// From after a node to the next line with content.
    fn finish_line(&mut self) -> Sure<()> {
        let at = self.skip_spaces(self.at);
        if !self.ends_content(at)? {
            return Err(Unsure);
        }
        self.at = self.behind_line(at)?;
        self.lines()
    }

    /// From the end of a line or a comment to the next line.
    fn behind_line(&self, at: usize) -> Sure<usize> {
        match self.byte(at) {
            b'\n' => Ok(at + 1),
            b'\r' => Ok(at + 2),
            _ => {
                self.check_returns(at)?;
                Ok(self.line_end(at) + 1)
            }
        }
    }

    /// From the start of a line to the first that is neither blank nor comment.
    fn lines(&mut self) -> Sure<()> {
        loop {
            if self.at >= self.text.len() {
                self.column = END;
                return Ok(());
            }
            let first = self.skip_spaces(self.at);
            match self.byte(first) {
                b'#' => {
                    self.check_returns(first)?;
                    self.at = self.line_end(first) + 1;
                }
                b'\n' => self.at = first + 1,
                b'\r' if self.ends_line(first)? => self.at = first + 2,
                b'\t' => return Err(Unsure),
                byte => {
                    if first == self.at
                        && (byte == b'%'
                            || self.text[first..].starts_with(b"---")
                            || self.text[first..].starts_with(b"..."))
                    {
                        return Err(Unsure);
                    }
                    self.column = (first - self.at) as isize;
                    self.at = first;
                    return Ok(());
                }
            }
        }
    }

    /// A carriage return inside of a comment ends it.
    fn check_returns(&self, from: usize) -> Sure<()> {
        let end = self.line_end(from);
        match memchr::memchr(b'\r', &self.text[from..end]) {
            Some(found) if from + found + 1 != end || end == self.text.len() => Err(Unsure),
            _ => Ok(()),
        }
    }

    fn push(&mut self, kind: NodeKind, start: usize, end: usize, chain: Option<&mut Chain>) -> NodeId {
        let id = self.nodes.len() as NodeId;
        let (start, end) = (start as u32, end as u32);
        self.nodes.push(Stored::new(kind, start, end));
        if let Some(chain) = chain {
            match chain.last {
                NONE => {
                    debug_assert_eq!(id, chain.parent + 1, "the first child stands after its parent");
                    self.nodes[chain.parent as usize].fill();
                }
                last => self.nodes[last as usize].next = id,
            }
            chain.last = id;
        }
        id
    }

    fn open(&mut self, kind: NodeKind, start: usize, chain: Option<&mut Chain>) -> Sure<Chain> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Unsure);
        }
        Ok(Chain { parent: self.push(kind, start, start, chain), last: NONE })
    }

    /// Ends a block collection where its last child ends.
    fn close(&mut self, chain: &Chain) {
        self.depth -= 1;
        if chain.last != NONE {
            self.nodes[chain.parent as usize].end = self.nodes[chain.last as usize].end;
        }
    }

    fn is_dash(&self) -> Sure<bool> {
        Ok(self.byte(self.at) == b'-' && (self.byte(self.at + 1) == b' ' || self.ends_line(self.at + 1)?))
    }

    /// A node on a line of its own.
    fn block_node(&mut self) -> Sure<()> {
        self.block_node_in(None)
    }

    fn block_node_in(&mut self, chain: Option<&mut Chain>) -> Sure<()> {
        if self.is_dash()? {
            return self.sequence(self.column, chain);
        }
        match self.byte(self.at) {
            b'{' | b'[' => {
                self.flow(self.column - 1, chain)?;
                self.finish_line()
            }
            _ => {
                let key = self.scan_scalar()?;
                self.mapping(self.column, key, chain)
            }
        }
    }

    fn mapping(&mut self, column: isize, first: Scanned, chain: Option<&mut Chain>) -> Sure<()> {
        let mut chain = self.open(NodeKind::Mapping { flow: false }, first.start, chain)?;
        let mut key = first;
        loop {
            let colon = key.colon.ok_or(Unsure)?;
            self.push(NodeKind::Scalar(key.style), key.start, key.end, Some(&mut chain));
            self.at = colon;
            self.mapping_value(column, &mut chain)?;
            if self.column != column {
                break;
            }
            if self.is_dash()? {
                return Err(Unsure);
            }
            key = self.scan_scalar()?;
        }
        if self.column > column {
            return Err(Unsure);
        }
        self.close(&chain);
        Ok(())
    }

    /// From after the colon of a key.
    fn mapping_value(&mut self, column: isize, chain: &mut Chain) -> Sure<()> {
        let colon = self.at;
        self.at = self.skip_spaces(colon);
        if !self.ends_content(self.at)? {
            return self.inline(column, chain, true);
        }
        self.finish_line()?;
        if self.column > column {
            self.block_node_in(Some(chain))
        } else if self.column == column && column != END && self.is_dash()? {
            self.sequence(column, Some(chain))
        } else {
            self.push(NodeKind::Scalar(ScalarStyle::Plain), colon, colon, Some(chain));
            Ok(())
        }
    }

    fn sequence(&mut self, column: isize, chain: Option<&mut Chain>) -> Sure<()> {
        let mut chain = self.open(NodeKind::Sequence { flow: false }, self.at, chain)?;
        loop {
            let dash = self.at + 1;
            self.at = self.skip_spaces(dash);
            if self.ends_content(self.at)? {
                self.finish_line()?;
                if self.column > column {
                    self.block_node_in(Some(&mut chain))?;
                } else {
                    self.push(NodeKind::Scalar(ScalarStyle::Plain), dash, dash, Some(&mut chain));
                }
            } else {
                let inner = column + (self.at - dash) as isize + 1;
                self.item(column, inner, &mut chain)?;
            }
            if self.column != column || !self.is_dash()? {
                break;
            }
        }
        if self.column > column {
            return Err(Unsure);
        }
        self.close(&chain);
        Ok(())
    }

    /// What stands after a dash on its line; a collection there begins at column `inner`.
    fn item(&mut self, column: isize, inner: isize, chain: &mut Chain) -> Sure<()> {
        if self.is_dash()? {
            return self.sequence(inner, Some(chain));
        }
        match self.byte(self.at) {
            b'{' | b'[' | b'*' | b'&' | b'!' | b'|' | b'>' => self.inline(column, chain, false),
            _ => {
                let scanned = self.scan_scalar()?;
                if scanned.colon.is_some() {
                    return self.mapping(inner, scanned, Some(chain));
                }
                self.scalar(scanned, chain)
            }
        }
    }

    fn scalar(&mut self, scanned: Scanned, chain: &mut Chain) -> Sure<()> {
        self.push(NodeKind::Scalar(scanned.style), scanned.start, scanned.end, Some(chain));
        self.at = scanned.end;
        self.finish_line()
    }

    /// A value on the line of its key or dash. `column` is that of the collection it belongs to.
    fn inline(&mut self, column: isize, chain: &mut Chain, in_mapping: bool) -> Sure<()> {
        let props = self.at;
        let mut anchor = None;
        let mut tag = false;
        let mut props_end = props;
        loop {
            match self.byte(self.at) {
                b'&' if anchor.is_none() => anchor = Some(self.name()?),
                b'!' if !tag => {
                    tag = true;
                    self.tag()?;
                }
                b'&' | b'!' => return Err(Unsure),
                _ => break,
            }
            props_end = self.at;
            self.at = self.skip_spaces(self.at);
            if self.ends_content(self.at)? {
                break;
            }
            if self.at == props_end {
                return Err(Unsure);
            }
        }
        let has_props = props_end > props;
        let id = self.nodes.len();
        if has_props && self.ends_content(self.at)? {
            self.finish_line()?;
            if self.column > column {
                self.block_node_in(Some(chain))?;
            } else {
                // Here YAML has a sequence at its key's column; libyaml and others differ.
                if self.column == column && in_mapping && self.is_dash()? {
                    return Err(Unsure);
                }
                self.push(NodeKind::Scalar(ScalarStyle::Plain), props_end, props_end, Some(chain));
            }
        } else {
            self.inline_content(column, chain, has_props)?;
        }
        if has_props && !self.nodes[id].set_props(props as u32) {
            return Err(Unsure);
        }
        self.anchors.extend(anchor);
        Ok(())
    }

    fn inline_content(&mut self, column: isize, chain: &mut Chain, has_props: bool) -> Sure<()> {
        match self.byte(self.at) {
            b'{' | b'[' => {
                self.flow(column, Some(chain))?;
                self.finish_line()
            }
            b'|' | b'>' => self.block_scalar(column, chain),
            b'*' if !has_props => {
                self.alias(chain)?;
                self.finish_line()
            }
            b'-' if self.is_dash()? => Err(Unsure),
            _ => {
                let scanned = self.scan_scalar()?;
                if scanned.colon.is_some() {
                    return Err(Unsure);
                }
                self.scalar(scanned, chain)
            }
        }
    }

    /// The name after `&` or `*`.
    fn name(&mut self) -> Sure<&'t [u8]> {
        let start = self.at + 1;
        let mut end = start;
        while self.byte(end).is_ascii_alphanumeric() || matches!(self.byte(end), b'_' | b'-') {
            end += 1;
        }
        if end == start || !(matches!(self.byte(end), b' ' | b',' | b']' | b'}') || self.ends_line(end)?) {
            return Err(Unsure);
        }
        self.at = end;
        Ok(&self.text[start..end])
    }

    /// `!name` or `!!name`.
    fn tag(&mut self) -> Sure<()> {
        let mut end = self.at + 1;
        if self.byte(end) == b'!' {
            end += 1;
        }
        let start = end;
        while self.byte(end).is_ascii_alphanumeric() {
            end += 1;
        }
        if end == start || !(self.byte(end) == b' ' || self.ends_line(end)?) {
            return Err(Unsure);
        }
        self.at = end;
        Ok(())
    }

    fn alias(&mut self, chain: &mut Chain) -> Sure<()> {
        let start = self.at;
        let name = self.name()?;
        // Few documents have any; with many of them this search would be slow.
        if self.anchors.len() > 64 || !self.anchors.contains(&name) {
            return Err(Unsure);
        }
        self.push(NodeKind::Alias, start, self.at, Some(chain));
        Ok(())
    }

    fn block_scalar(&mut self, column: isize, chain: &mut Chain) -> Sure<()> {
        let start = self.at;
        let style = if self.byte(start) == b'|' { ScalarStyle::Literal } else { ScalarStyle::Folded };
        let mut header = start + 1;
        if matches!(self.byte(header), b'-' | b'+') {
            header += 1;
        }
        header = self.skip_spaces(header);
        if !self.ends_content(header)? || column < 0 {
            return Err(Unsure);
        }
        self.check_returns(header)?;
        let shape = block_scalar(self.text, start, Some(column as usize));
        if shape.tab(self.text).is_some() {
            return Err(Unsure);
        }
        // Blank lines in front that are indented more than the text are an error; in an empty scalar they may be text.
        let mut line = shape.body;
        let most = if shape.content_end == shape.body { 0 } else { shape.indent };
        let lead_end = if shape.content_end == shape.body { shape.blank_end } else { shape.content_end };
        while line < lead_end {
            let first = self.skip_spaces(line);
            if first < self.text.len() && !self.ends_line(first)? {
                if self.byte(first) == b'\t' {
                    return Err(Unsure);
                }
                break;
            }
            if first - line > most || first >= self.text.len() {
                return Err(Unsure);
            }
            line = self.line_end(first) + 1;
        }
        if memchr::memchr(b'\r', &self.text[shape.body..shape.blank_end]).is_some() {
            self.check_all_returns(shape.body, shape.blank_end)?;
        }
        self.push(NodeKind::Scalar(style), start, shape.end(), Some(chain));
        self.at = shape.blank_end;
        self.lines()
    }

    fn check_all_returns(&self, from: usize, to: usize) -> Sure<()> {
        for found in memchr::memchr_iter(b'\r', &self.text[from..to]) {
            self.ends_line(from + found)?;
        }
        Ok(())
    }

    /// A flow collection; `column` is that of the block collection around it, which its further lines must exceed.
    fn flow(&mut self, column: isize, chain: Option<&mut Chain>) -> Sure<()> {
        let (mapping, close) = if self.byte(self.at) == b'{' { (true, b'}') } else { (false, b']') };
        let kind = if mapping { NodeKind::Mapping { flow: true } } else { NodeKind::Sequence { flow: true } };
        let mut chain = self.open(kind, self.at, chain)?;
        self.at += 1;
        self.flow_blank(column)?;
        while self.byte(self.at) != close {
            if mapping {
                let key = self.flow_scalar(true)?;
                self.push(NodeKind::Scalar(key.style), key.start, key.end, Some(&mut chain));
                self.at = key.colon.ok_or(Unsure)?;
                self.flow_blank(column)?;
            }
            match self.byte(self.at) {
                b'{' | b'[' => self.flow(column, Some(&mut chain))?,
                b'*' => self.alias(&mut chain)?,
                _ => {
                    let scanned = self.flow_scalar(false)?;
                    self.push(NodeKind::Scalar(scanned.style), scanned.start, scanned.end, Some(&mut chain));
                    self.at = scanned.end;
                }
            }
            self.flow_blank(column)?;
            match self.byte(self.at) {
                b',' => self.at += 1,
                byte if byte == close => break,
                _ => return Err(Unsure),
            }
            self.flow_blank(column)?;
        }
        if self.at >= self.text.len() {
            return Err(Unsure);
        }
        self.at += 1;
        self.depth -= 1;
        self.nodes[chain.parent as usize].end = self.at as u32;
        Ok(())
    }

    /// Skips spaces, comments and line breaks inside of a flow collection.
    fn flow_blank(&mut self, column: isize) -> Sure<()> {
        let at = self.skip_spaces(self.at);
        if !self.ends_content(at)? {
            self.at = at;
            return Ok(());
        }
        if at >= self.text.len() {
            return Err(Unsure);
        }
        self.at = self.behind_line(at)?;
        self.lines()?;
        if self.column <= column { Err(Unsure) } else { Ok(()) }
    }
}
