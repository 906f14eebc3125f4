//! Columns for people. Korean letters are twice as wide as Latin ones.

use ratatui::text::Span;

/// Rows under headings.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new<const N: usize>(headings: [String; N]) -> Self {
        Self { rows: vec![headings.to_vec()] }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Adds a column on the right.
    pub(super) fn column(&mut self, heading: String, cells: impl IntoIterator<Item = String>) {
        for (row, cell) in self.rows.iter_mut().zip(std::iter::once(heading).chain(cells)) {
            row.push(cell);
        }
    }

    /// Each line ends in a line feed and not in spaces.
    pub(super) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let widest =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|c| width(c)).max();
        let widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or_default()).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| pad(cell, *width + 2));
            let line: String = cells.collect();
            format!("{}\n", line.trim_end())
        };
        self.rows.iter().map(line).collect()
    }
}

/// Cells of a terminal that a text takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The text, and spaces up to a width.
pub(super) fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_in_both_scripts() {
        let mut table = Table::new(["지역".to_owned(), "상태".to_owned()]);
        table.row(vec!["daejeon".to_owned(), "정상".to_owned()]);
        assert_eq!(table.text(), "지역     상태\ndaejeon  정상\n");
    }
}
