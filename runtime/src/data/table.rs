//! CSV files: columns of numbers by their names.

use std::path::Path;
use std::string::{String, ToString};
use std::vec::Vec;

use ::csv::{ErrorKind, Position, ReaderBuilder, StringRecord, Trim};

use crate::io::atomic;
use crate::{Error, Result, Tensor, format_error, misuse};

/// The rows of a CSV file and the names of its columns.
///
/// ```
/// use gradling::data::Table;
/// let table = Table::parse(b"x1,x2,label\n0.5,1,3\n-2,1e-3,4\n", true)?;
/// assert_eq!(table.numbers(&["x2", "x1"])?.as_f32()?, [1.0, 0.5, 1e-3, -2.0]);
/// assert_eq!(table.integers("label")?.as_i32()?, [3, 4]);
/// let wrong = table.integers("x1").unwrap_err();
/// assert_eq!(wrong.to_string(), "line 2, column x1: expected a whole number, got \"0.5\"");
/// # Ok::<(), gradling::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    /// Where the rows come from, for errors.
    source: Option<String>,
    names: Vec<String>,
    rows: Vec<StringRecord>,
    /// The line where each row begins.
    lines: Vec<usize>,
}

impl Table {
    /// Reads the CSV file at `path`, whose first line holds the names of the columns if `header`; else columns are
    /// named `0`, `1`, ….
    ///
    /// **Errors**: as [`parse`](Table::parse), and a file that cannot be read. Errors, here and of the methods,
    /// name the file.
    pub fn read(path: impl AsRef<Path>, header: bool) -> Result<Table> {
        let path = path.as_ref();
        let mut table = Table::parse(&atomic::read(path)?, header)
            .map_err(|error| error.within(&path.to_string_lossy()))?;
        table.source = Some(path.to_string_lossy().into_owned());
        Ok(table)
    }

    /// Reads the bytes of a CSV file: commas between cells, quotes around those that need them, UTF-8. Blanks
    /// around cells are dropped.
    ///
    /// **Errors**: no row, lines of different length, text that is not UTF-8.
    pub fn parse(bytes: &[u8], header: bool) -> Result<Table> {
        let mut reader = ReaderBuilder::new().has_headers(header).trim(Trim::All).from_reader(bytes);
        let mut lines = Lines { bytes, at: 0, line: 1 };
        let names = if header {
            strings(reader.headers().map_err(|error| explain(error, &mut lines))?)
        } else {
            Vec::new()
        };
        let (mut rows, mut starts) = (Vec::new(), Vec::new());
        for row in reader.records() {
            let row = row.map_err(|error| explain(error, &mut lines))?;
            starts.push(lines.line_of(row.position()));
            rows.push(row);
        }
        let Some(first) = rows.first() else {
            return Err(format_error!("expected rows of a CSV file, got none"));
        };
        let names = if header { names } else { (0..first.len()).map(|i| i.to_string()).collect() };
        Ok(Table { source: None, names, rows, lines: starts })
    }

    /// The number of rows, without the header.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The names of the columns in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The cells of a column as they are written.
    ///
    /// **Errors** when there is no such column.
    pub fn text(&self, column: &str) -> Result<Vec<&str>> {
        let at = self.find(column)?;
        Ok(self.rows.iter().map(|row| row.get(at).unwrap_or_default()).collect())
    }

    /// Columns of numbers, in the order asked for.
    ///
    /// **Shape**: `F32 [rows, columns]`.
    ///
    /// **Errors**: a column that is not there, a cell that is empty or no finite number.
    pub fn numbers(&self, columns: &[&str]) -> Result<Tensor> {
        let places: Vec<usize> = columns.iter().map(|name| self.find(name)).collect::<Result<_>>()?;
        let mut values = Vec::with_capacity(self.rows.len() * places.len());
        for row in 0..self.rows.len() {
            for &at in &places {
                let number = |cell: &str| cell.parse::<f32>().ok().filter(|value| value.is_finite());
                values.push(self.cell(row, at, "a number", number)?);
            }
        }
        Tensor::new(&[self.rows.len(), places.len()], values)
    }

    /// A column of whole numbers, such as labels.
    ///
    /// **Shape**: `I32 [rows]`.
    ///
    /// **Errors**: a column that is not there, a cell that is empty or no whole number of 32 bits.
    pub fn integers(&self, column: &str) -> Result<Tensor> {
        let at = self.find(column)?;
        let whole = |cell: &str| cell.parse::<i32>().ok();
        let values: Vec<i32> = (0..self.rows.len())
            .map(|row| self.cell(row, at, "a whole number", whole))
            .collect::<Result<_>>()?;
        Tensor::new(&[values.len()], values)
    }

    fn find(&self, column: &str) -> Result<usize> {
        self.names.iter().position(|name| name == column).ok_or_else(|| {
            self.named(misuse!("no column {column:?}; the columns are {}", self.names.join(", ")))
        })
    }

    fn cell<T>(&self, row: usize, at: usize, what: &str, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        let cell = self.rows[row].get(at).unwrap_or_default();
        read(cell).ok_or_else(|| {
            self.named(format_error!(
                "line {}, column {}: expected {what}, got {cell:?}",
                self.lines[row],
                self.names.get(at).map_or("?", String::as_str)
            ))
        })
    }

    fn named(&self, error: Error) -> Error {
        match &self.source {
            Some(source) => error.within(source),
            None => error,
        }
    }
}

fn strings(record: &StringRecord) -> Vec<String> {
    record.iter().map(ToString::to_string).collect()
}

/// Where lines begin. The reader's own count is one behind after `\r\n` and does not know of the empty lines that it
/// passes over.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of what begins at `position`, which is nowhere before the last one asked for.
    fn line_of(&mut self, position: Option<&Position>) -> usize {
        let start = position.map_or(self.at, |p| p.byte() as usize).min(self.bytes.len());
        let ends = self.bytes[start..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let start = (start + ends).max(self.at);
        self.line += self.bytes[self.at..start].iter().filter(|&&b| b == b'\n').count();
        self.at = start;
        self.line
    }
}

fn explain(error: ::csv::Error, lines: &mut Lines) -> Error {
    let line = lines.line_of(error.position());
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format_error!("line {line}: expected {expected_len} cells, got {len}")
        }
        ErrorKind::Utf8 { .. } => format_error!("line {line}: expected UTF-8 text"),
        _ => format_error!("{error}"),
    }
}
