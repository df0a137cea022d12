//! Columns padded as kubectl pads them: three spaces between, nothing after the last, NAME first.

use std::fmt;

use crate::printable;

/// A table under construction.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a head.
    pub fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|&title| title.to_owned()).collect()] }
    }

    /// Adds a row. Line breaks and tabs in a cell become spaces, for a row is a line; what is not printable is escaped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let clean = |cell: String| {
            let words: Vec<&str> = cell.split(['\n', '\t', '\r']).map(str::trim_end).collect();
            printable::line(&words.join(" ")).into_owned()
        };
        self.rows.push(cells.into_iter().map(clean).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(column))
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for row in &self.rows {
            let last = row.len().saturating_sub(1);
            for (column, cell) in row.iter().enumerate() {
                if column == last {
                    write!(f, "{cell}")?;
                } else {
                    // A width in a format may not go beyond 65,535.
                    let blanks = widths[column].saturating_sub(cell.chars().count()) + 3;
                    write!(f, "{cell}{}", " ".repeat(blanks))?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `awk '{print $1}'` and people both read these tables.
    #[test]
    fn columns_line_up_and_rows_are_lines() {
        let mut table = Table::new(&["NAME", "SKILLS"]);
        table.row(["weather".into(), "a,b".into()]);
        table.row(["é".into(), "x\ny".into()]);
        assert_eq!(table.to_string(), "NAME      SKILLS\nweather   a,b\né         x y\n");
    }

    /// A name in somebody's file is as long as he wants.
    #[test]
    fn a_cell_may_be_of_any_length() {
        let long = "x".repeat(1 << 17);
        let mut table = Table::new(&["A", "B"]);
        table.row([long.clone(), "b".into()]);
        assert_eq!(table.to_string(), format!("A{}B\n{long}   b\n", " ".repeat(long.len() + 2)));
    }
}
