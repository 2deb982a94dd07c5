//! Columns two blanks apart, each as wide as its widest cell; escape codes have no width.

/// Rows of cells.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

/// Blanks between columns.
const PADDING: usize = 2;

impl Table {
    /// Adds a row; every row has the same number of cells.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Adds a row of any number of cells.
    pub fn push(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The rows as lines; the last column is not padded.
    pub fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| visible(cell))
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        self.rows.iter().map(|row| line(row, &widths)).collect()
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (column, cell) in row.iter().enumerate() {
        line.push_str(cell);
        if column + 1 < row.len() {
            let padding = widths[column] + PADDING - visible(cell);
            line.extend(std::iter::repeat_n(' ', padding));
        }
    }
    line
}

/// Characters that are seen.
fn visible(cell: &str) -> usize {
    let mut count = 0;
    let mut in_escape = false;
    for letter in cell.chars() {
        match (in_escape, letter) {
            (false, '\u{1b}') => in_escape = true,
            (true, 'm') => in_escape = false,
            (true, _) => {}
            (false, _) => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_their_colour() {
        let mut table = Table::default();
        table.row(["NAME".to_owned(), "KIND".to_owned(), "INFO".to_owned()]);
        table.row(["\u{1b}[32mlonger-name\u{1b}[0m".to_owned(), "Pod".to_owned(), String::new()]);
        let lines = table.lines();
        assert_eq!(lines[0], "NAME         KIND  INFO");
        assert_eq!(lines[1], "\u{1b}[32mlonger-name\u{1b}[0m  Pod   ");
    }
}
