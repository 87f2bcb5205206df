//! Plain text in aligned columns: the first to the left, the others to the right. Cells may hold anything: what a terminal would
//! obey is written out.

use std::fmt;

use common::name::printable;

/// A text table with a header and rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column titles; long ones take several lines, broken where a part of a name ends.
    pub fn new(header: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let titles: Vec<Vec<String>> =
            header.into_iter().map(|title| wrapped(&printable(&title.into()))).collect();
        let lines = titles.iter().map(Vec::len).max().unwrap_or(0);
        // The last line of each title stands right above its column.
        let line = |number: usize| {
            let part = |title: &Vec<String>| {
                (number + title.len())
                    .checked_sub(lines)
                    .map(|place| title[place].clone())
                    .unwrap_or_default()
            };
            titles.iter().map(part).collect()
        };
        Table { rows: (0..lines).map(line).collect() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(|cell| printable(&cell.into())).collect());
    }
}

/// Width at which a title is broken.
const TITLE_WIDTH: usize = 20;

/// The title in lines no wider than [`TITLE_WIDTH`] where `+`, `_`, `/` and blanks allow it.
fn wrapped(title: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in title.split_inclusive(['+', '_', '/', ' ']) {
        let last = lines.len() - 1;
        let long = lines[last].chars().count() + part.chars().count() > TITLE_WIDTH;
        if long && !lines[last].is_empty() {
            lines.push(part.to_owned());
        } else {
            lines[last].push_str(part);
        }
    }
    lines
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                if column == 0 {
                    line.push_str(&format!("{cell:<width$}"));
                } else {
                    line.push_str(&format!("  {cell:>width$}"));
                }
            }
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["name", "x"]);
        table.row(["a long one", "1.00 ± 0.2"]);
        table.row(["b", "2"]);
        assert_eq!(
            table.to_string(),
            "name                 x\na long one  1.00 ± 0.2\nb                    2\n"
        );
    }

    #[test]
    fn cells_command_no_terminal_and_break_no_line() {
        let mut table = Table::new(["na\u{1b}[2Jme", "x"]);
        table.row(["a\nb\t\u{202e}", "1"]);
        let text = table.to_string();
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("na\\u{1b}[2Jme") && text.contains("a\\nb\\t\\u{202e}"), "{text}");
    }

    #[test]
    fn long_titles_take_several_lines() {
        let mut table = Table::new(["metric", "srpt+default+hiku+hybrid-histogram", "sjf"]);
        table.row(["slowdown", "1.00", "2.00"]);
        let lines = [
            "          srpt+default+hiku+",
            "metric      hybrid-histogram   sjf",
            "slowdown                1.00  2.00",
        ];
        assert_eq!(table.to_string().lines().collect::<Vec<_>>(), lines);
    }
}
