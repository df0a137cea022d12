//! Columns padded as kubectl pads them: three spaces between, nothing after the last, NAME first. On a terminal they know
//! its width: the last column wraps under itself, findings stand under their row, and states have marks and colours.

use owo_colors::OwoColorize as _;

use crate::look::{Look, Mood, coloured};
use crate::printable;
use crate::wrap::{longest_part, width, wrap};

/// Blanks between columns; where they are short of room, one less.
const GAP: usize = 3;
const NARROW: usize = 2;
/// Narrower than this the last column is hard to read, and goes under its row.
const READABLE: usize = 28;
/// How far that which stands under a row is indented.
const INDENT: usize = 4;

/// A table under construction.
pub struct Table {
    head: Vec<String>,
    rows: Vec<Row>,
    /// The column of states.
    states: Option<usize>,
}

struct Row {
    cells: Vec<String>,
    mood: Option<Mood>,
    /// On a terminal instead of the last cell.
    findings: Option<Vec<String>>,
}

impl Table {
    /// A table with a head.
    pub fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&title| title.to_owned()).collect(), rows: Vec::new(), states: None }
    }

    /// The same with a column of states, which [`Table::mood`] gives marks and colours on a terminal.
    pub fn with_states(mut self, column: usize) -> Self {
        self.states = Some(column);
        self
    }

    /// Adds a row. Line breaks and tabs in a cell become spaces, for a row is a line; what is not printable is escaped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| clean(&cell)).collect();
        self.rows.push(Row { cells, mood: None, findings: None });
    }

    /// How good the state of the last row is.
    pub fn mood(&mut self, mood: Mood) {
        if let Some(row) = self.rows.last_mut() {
            row.mood = Some(mood);
        }
    }

    /// What is wrong with the last row: on a terminal on lines of its own under it, instead of its last cell, which has
    /// it in short for programs. Once any row has findings, even none, no row shows its last cell on a terminal.
    #[cfg(any(test, feature = "cluster"))]
    pub fn findings(&mut self, findings: &[String]) {
        if let Some(row) = self.rows.last_mut() {
            row.findings = Some(findings.iter().map(|finding| clean(finding)).collect());
        }
    }

    /// The table as wide as stdout is, without colours: to go into other text.
    pub fn fitted(&self) -> String {
        anstream::adapter::strip_str(&self.painted()).to_string()
    }

    /// The table as wide as stdout is, with colours, for `sink::styled`.
    pub fn painted(&self) -> String {
        self.laid_out(Look::stdout(), true)
    }

    /// The rows of [`Table::painted`] that go under a head that is on the screen already.
    #[cfg(feature = "cluster")]
    pub fn painted_rows(&self) -> String {
        self.laid_out(Look::stdout(), false)
    }

    fn laid_out(&self, look: Look, with_head: bool) -> String {
        let grid = self.grid(look);
        let columns = grid.iter().map(|line| line.cells.len()).max().unwrap_or(0);
        let natural: Vec<usize> = (0..columns).map(|column| widest(&grid, column, width)).collect();
        let layout = match look.width {
            Some(room) if line_width(&natural, GAP) > room => fit(&grid, &natural, room, self.states),
            _ => Layout::of(natural),
        };
        match look.width.filter(|_| layout.last == Last::Apart) {
            Some(room) => {
                let records = grid.iter().skip(1).map(|line| record(&grid[0], line, room));
                records.collect::<Vec<_>>().join("\n")
            }
            None => {
                let lines = grid.iter().enumerate().skip(usize::from(!with_head));
                lines.map(|(at, line)| self.line(line, at == 0, &layout, look)).collect()
            }
        }
    }

    /// The lines of the table, the head first, with marks in front of states.
    fn grid(&self, look: Look) -> Vec<Line> {
        // Without findings anywhere the last column is one as others are.
        let below = look.is_terminal() && self.rows.iter().any(|row| row.findings.is_some());
        let cut = |cells: &[String]| cells[..cells.len() - usize::from(below && !cells.is_empty())].to_vec();
        let head = Line { cells: cut(&self.head), mood: None, below: Vec::new() };
        let lines = self.rows.iter().map(|row| {
            let mut cells = cut(&row.cells);
            if let (Some(mood), Some(cell)) = (row.mood, self.states.and_then(|column| cells.get_mut(column)))
            {
                cell.insert_str(0, look.mark(mood));
            }
            let below = row.findings.clone().filter(|_| below).unwrap_or_default();
            Line { cells, mood: row.mood, below }
        });
        std::iter::once(head).chain(lines).collect()
    }

    /// One line of the table, which may wrap.
    fn line(&self, line: &Line, is_head: bool, layout: &Layout, look: Look) -> String {
        let Layout { widths, gap, last } = layout;
        let (gap, last) = (*gap, *last);
        let in_row = match last {
            Last::Below => &line.cells[..line.cells.len().min(widths.len() - 1)],
            _ => &line.cells,
        };
        let wrapped: Vec<Vec<String>> =
            in_row.iter().zip(widths).map(|(cell, columns)| cell_lines(cell, *columns, look)).collect();
        let mut out = String::new();
        for number in 0..wrapped.iter().map(Vec::len).max().unwrap_or(0) {
            let mut text = String::new();
            let mut owed = 0;
            for (column, cell) in wrapped.iter().enumerate() {
                let piece = cell.get(number).map_or("", String::as_str);
                // As kubectl: a last cell that is empty still has the blanks before it.
                if !piece.is_empty() || (look.width.is_none() && column + 1 == wrapped.len()) {
                    text.push_str(&" ".repeat(std::mem::take(&mut owed)));
                    text.push_str(&self.paint(piece, column, is_head, line.mood));
                }
                owed += widths[column].saturating_sub(width(piece)) + gap;
            }
            // What belongs to the row before has nothing but its last cell.
            if last != Last::Below || !text.is_empty() {
                out.push_str(&text);
                out.push('\n');
            }
        }
        let moved =
            line.cells.last().filter(|_| last == Last::Below && !is_head && line.cells.len() == widths.len());
        let said =
            moved.into_iter().filter(|cell| !["", "<none>", "-"].contains(&cell.as_str())).chain(&line.below);
        for finding in said {
            out.push_str(&under(finding, look.width));
        }
        out
    }

    fn paint(&self, text: &str, column: usize, is_head: bool, mood: Option<Mood>) -> String {
        match mood {
            _ if is_head => text.bold().to_string(),
            Some(mood) if self.states == Some(column) => coloured(mood, text),
            _ => text.to_owned(),
        }
    }
}

/// Where the last column goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Where it belongs.
    InRow,
    /// Under its row, for there is no room at its end.
    Below,
    /// Each cell on a line of its own: not even the other columns have room side by side.
    Apart,
}

/// How lines are laid out.
struct Layout {
    widths: Vec<usize>,
    gap: usize,
    last: Last,
}

impl Layout {
    /// Columns that fit as they are.
    fn of(widths: Vec<usize>) -> Self {
        Self { widths, gap: GAP, last: Last::InRow }
    }
}

struct Line {
    cells: Vec<String>,
    mood: Option<Mood>,
    below: Vec<String>,
}

fn widest(grid: &[Line], column: usize, measure: fn(&str) -> usize) -> usize {
    grid.iter().filter_map(|line| line.cells.get(column)).map(|cell| measure(cell)).max().unwrap_or(0)
}

/// A layout that fits into the room. The last column gives first, then the widest of the others, none below its longest
/// part, so that no word is broken; blanks between columns give before a column goes elsewhere. Names, which people copy,
/// are the last to wrap.
fn fit(grid: &[Line], natural: &[usize], room: usize, states: Option<usize>) -> Layout {
    // A state is one word with its mark.
    let measure = |column| if states == Some(column) { width } else { longest_part };
    let parts: Vec<usize> = (0..natural.len()).map(|column| widest(grid, column, measure(column))).collect();
    let Some((&last, others)) = natural.split_last() else { return Layout::of(Vec::new()) };
    let Some(&names) = others.first() else { return Layout::of(vec![room]) };
    let wanted = last.min(READABLE).max(parts[others.len()]);
    let mut whole = parts.clone();
    whole[0] = names;
    for least in [&whole, &parts] {
        for gap in [GAP, NARROW] {
            if let Some(mut widths) = shrunk(others, least, gap, room.saturating_sub(wanted + gap)) {
                let taken = line_width(&widths, gap) + gap;
                widths.push((room - taken).min(last));
                return Layout { widths, gap, last: Last::InRow };
            }
        }
        for gap in [GAP, NARROW] {
            if let Some(mut widths) = shrunk(others, least, gap, room) {
                widths.push(room.saturating_sub(INDENT));
                return Layout { widths, gap, last: Last::Below };
            }
        }
    }
    Layout { widths: natural.to_vec(), gap: GAP, last: Last::Apart }
}

/// The columns made narrower, the widest first, until a line of them fits; none if it cannot.
fn shrunk(widths: &[usize], least: &[usize], gap: usize, room: usize) -> Option<Vec<usize>> {
    let mut widths = widths.to_vec();
    while line_width(&widths, gap) > room {
        let can = |column: &usize| widths[*column] > least[*column];
        let widest = (0..widths.len()).filter(can).max_by_key(|column| widths[*column])?;
        widths[widest] -= 1;
    }
    Some(widths)
}

/// Columns of a line of such columns.
fn line_width(widths: &[usize], gap: usize) -> usize {
    widths.iter().sum::<usize>() + gap * widths.len().saturating_sub(1)
}

fn cell_lines(cell: &str, columns: usize, look: Look) -> Vec<String> {
    if look.width.is_none() { vec![cell.to_owned()] } else { wrap(cell, columns, columns) }
}

/// What stands under a row.
fn under(text: &str, room: Option<usize>) -> String {
    let columns = room.map_or(usize::MAX, |room| room.saturating_sub(INDENT));
    let indent = " ".repeat(INDENT);
    wrap(text, columns, columns).iter().map(|line| format!("{indent}{line}\n")).collect()
}

/// A row as a list: the first cell, and under it each other with its title.
fn record(head: &Line, line: &Line, room: usize) -> String {
    let titles = head.cells.iter().map(|title| width(title)).max().unwrap_or(0);
    let mut out = String::new();
    // The other titles are indented; what they say stands in one column with the first.
    let begin = 2 + titles + GAP;
    let columns = room.saturating_sub(begin);
    for (number, (title, cell)) in head.cells.iter().zip(&line.cells).enumerate() {
        let indent = if number == 0 { 0 } else { 2 };
        let blanks = " ".repeat(begin - indent - width(title));
        let text = wrap(cell, columns, columns).join(&format!("\n{}", " ".repeat(begin)));
        out.push_str(&format!("{}{}{blanks}{text}\n", " ".repeat(indent), title.bold()));
    }
    line.below.iter().for_each(|finding| out.push_str(&under(finding, Some(room))));
    out
}

fn clean(cell: &str) -> String {
    let words: Vec<&str> = cell.split(['\n', '\t', '\r']).map(str::trim_end).collect();
    printable::line(&words.join(" ")).into_owned()
}

/// As programs read it, whatever stdout is.
#[cfg(test)]
impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&anstream::adapter::strip_str(&self.laid_out(Look::PLAIN, true)).to_string())
    }
}

#[cfg(test)]
mod tests;
