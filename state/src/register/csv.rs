//! Reading of CSV as people's spreadsheets write it: BOM, `;` or `,` or tab, quotes, CRLF, quoted line breaks.
//!
//! Not a general CSV library: the first row must be a header, known column names may be Vietnamese or English, and every
//! problem has the line and the column where a person finds it. A broken row never hides the rows after it.

use std::collections::HashMap;

use serde::Serialize;

/// One refused row or cell. `line` counts lines of the file from 1 (a quoted field may span several; the row's first one is
/// meant), `column` counts fields from 1 as a spreadsheet does; 0 means the whole row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RowError {
    pub line: usize,
    pub column: usize,
    pub vi: String,
    pub en: String,
}

impl RowError {
    pub fn new(line: usize, column: usize, vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { line, column, vi: vi.into(), en: en.into() }
    }
}

/// A column that an import knows: its key, whether it must be there, and the names people give it (folded).
pub(crate) struct Column {
    pub key: &'static str,
    pub required: bool,
    pub names: &'static [&'static str],
}

/// Rows under known columns.
pub(crate) struct Table {
    positions: HashMap<&'static str, usize>,
    titles: Vec<String>,
    pub rows: Vec<Row>,
}

pub(crate) struct Row {
    pub line: usize,
    fields: Vec<String>,
}

/// A cell with its place, so that whoever refuses it can say where.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub line: usize,
    pub column: usize,
    pub title: &'a str,
    pub text: &'a str,
}

impl Cell<'_> {
    pub fn refuse(&self, vi: impl AsRef<str>, en: impl AsRef<str>) -> RowError {
        RowError::new(
            self.line,
            self.column,
            format!("cột “{}”: {}", self.title, vi.as_ref()),
            format!("column “{}”: {}", self.title, en.as_ref()),
        )
    }
}

impl Table {
    /// The trimmed cell under a known column; empty text when the file has no such column.
    pub fn cell<'a>(&'a self, row: &'a Row, key: &str) -> Cell<'a> {
        match self.positions.get(key) {
            Some(&at) => Cell {
                line: row.line,
                column: at + 1,
                title: &self.titles[at],
                text: row.fields.get(at).map_or("", |field| field.trim()),
            },
            None => Cell { line: row.line, column: 0, title: "", text: "" },
        }
    }

    pub fn has(&self, key: &str) -> bool {
        self.positions.contains_key(key)
    }
}

/// Reads the file. The error list holds unknown columns and malformed rows; a missing required column leaves no rows.
pub(crate) fn read(bytes: &[u8], columns: &[Column]) -> (Table, Vec<RowError>) {
    let mut errors = Vec::new();
    let mut table = Table { positions: HashMap::new(), titles: Vec::new(), rows: Vec::new() };
    let text = match std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)) {
        Ok(text) => text,
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to().min(bytes.len())].iter().filter(|b| **b == b'\n').count();
            errors.push(RowError::new(
                line,
                0,
                "tệp không phải UTF-8; trong Excel hãy lưu dạng “CSV UTF-8”",
                "the file is not UTF-8; in Excel save it as “CSV UTF-8”",
            ));
            return (table, errors);
        }
    };
    let separator = separator(text);
    let mut records = split(text, separator, &mut errors).into_iter();
    let Some(header) = records.by_ref().find(|record| !record.is_blank()) else {
        errors.push(RowError::new(1, 0, "tệp trống", "the file is empty"));
        return (table, errors);
    };
    read_header(&header, columns, &mut table, &mut errors);
    let missing: Vec<_> = columns.iter().filter(|c| c.required && !table.has(c.key)).map(|c| c.key).collect();
    if !missing.is_empty() {
        let list = missing.join(", ");
        errors.push(RowError::new(
            header.line,
            0,
            format!("thiếu cột bắt buộc: {list}"),
            format!("required columns are missing: {list}"),
        ));
        return (table, errors);
    }
    let width = table.titles.len();
    for record in records.filter(|record| !record.is_blank()) {
        if record.fields[width.min(record.fields.len())..].iter().any(|field| !field.trim().is_empty()) {
            errors.push(RowError::new(
                record.line,
                width + 1,
                format!("dòng có {} ô, tiêu đề chỉ có {width}", record.fields.len()),
                format!("the row has {} fields, the header only {width}", record.fields.len()),
            ));
            continue;
        }
        table.rows.push(record);
    }
    (table, errors)
}

/// Folds a header name: no case, no accents, no punctuation.
pub(crate) fn fold(name: &str) -> String {
    event::fold::plain(name).chars().filter(|c| c.is_alphanumeric()).collect()
}

fn read_header(header: &Row, columns: &[Column], table: &mut Table, errors: &mut Vec<RowError>) {
    for (at, title) in header.fields.iter().enumerate() {
        let folded = fold(title);
        table.titles.push(title.trim().to_owned());
        let known = columns.iter().find(|c| fold(c.key) == folded || c.names.iter().any(|name| fold(name) == folded));
        match known {
            Some(column) if table.positions.contains_key(column.key) => errors.push(RowError::new(
                header.line,
                at + 1,
                format!("cột “{}” lặp lại", title.trim()),
                format!("column “{}” appears twice", title.trim()),
            )),
            Some(column) => {
                table.positions.insert(column.key, at);
            }
            None if folded.is_empty() => {}
            None => errors.push(RowError::new(
                header.line,
                at + 1,
                format!("không biết cột “{}”, bỏ qua{}", title.trim(), suggestion(&folded, columns, "; có phải là")),
                format!("unknown column “{}” is ignored{}", title.trim(), suggestion(&folded, columns, "; did you mean")),
            )),
        }
    }
}

/// The column whose key is nearest, when it is near at all.
fn suggestion(folded: &str, columns: &[Column], lead: &str) -> String {
    let nearest = columns.iter().map(|c| (distance(folded, &fold(c.key)), c.key)).min();
    match nearest {
        Some((steps, key)) if steps <= 2 => format!("{lead} “{key}”?"),
        _ => String::new(),
    }
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = if x == *y { diagonal } else { 1 + diagonal.min(row[j]).min(row[j + 1]) };
            diagonal = row[j + 1];
            row[j + 1] = cost;
        }
    }
    row[b.len()]
}

/// The separator that the header line uses most, outside quotes.
fn separator(text: &str) -> char {
    let mut counts = [(0usize, ';'), (0, ','), (0, '\t')];
    let mut quoted = false;
    for c in text.trim_start_matches(['\r', '\n']).chars() {
        match c {
            '"' => quoted = !quoted,
            '\n' if !quoted => break,
            _ if !quoted => counts.iter_mut().filter(|(_, sep)| *sep == c).for_each(|(n, _)| *n += 1),
            _ => {}
        }
    }
    counts.into_iter().max_by_key(|(n, sep)| (*n, *sep == ',')).map_or(',', |(_, sep)| sep)
}

impl Row {
    fn is_blank(&self) -> bool {
        self.fields.iter().all(|field| field.trim().is_empty())
    }
}

/// RFC 4180 with any line end. Text after a closing quote, or a quote never closed, refuses that row only.
fn split(text: &str, separator: char, errors: &mut Vec<RowError>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let start = line;
        match record(rest, separator) {
            Ok((fields, used)) => {
                line += lines(&rest[..used]);
                rest = &rest[used..];
                rows.push(Row { line: start, fields });
            }
            Err((column, vi, en)) => {
                errors.push(RowError::new(start, column, vi, en));
                let used = rest.find('\n').map_or(rest.len(), |at| at + 1);
                line += 1;
                rest = &rest[used..];
            }
        }
    }
    rows
}

fn lines(text: &str) -> usize {
    text.bytes().filter(|b| *b == b'\n').count()
}

type Malformed = (usize, &'static str, &'static str);

/// Reads one record; returns its fields and the bytes used, line end included.
fn record(text: &str, separator: char) -> Result<(Vec<String>, usize), Malformed> {
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let column = fields.len() + 1;
        if text[at..].starts_with('"') {
            let (field, used) = quoted(&text[at..]).ok_or((column, "dấu ngoặc kép không đóng", "a quote is never closed"))?;
            fields.push(field);
            at += used;
        } else {
            let end = text[at..].find([separator, '\n']).map_or(text.len(), |n| at + n);
            fields.push(text[at..end].trim_end_matches('\r').to_owned());
            at = end;
        }
        let tail = text[at..].strip_prefix('\r').unwrap_or(&text[at..]);
        match tail.chars().next() {
            None => return Ok((fields, text.len())),
            Some('\n') => return Ok((fields, text.len() - tail.len() + 1)),
            Some(c) if c == separator => at = text.len() - tail.len() + c.len_utf8(),
            Some(_) => return Err((column, "có chữ sau dấu ngoặc kép đóng", "text follows a closing quote")),
        }
    }
}

/// Reads a quoted field; returns it and the bytes used, both quotes included.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut field = String::new();
    let mut at = 1;
    loop {
        let end = at + text[at..].find('"')?;
        field.push_str(&text[at..end]);
        if !text[end + 1..].starts_with('"') {
            return Some((field, end + 1));
        }
        field.push('"');
        at = end + 2;
    }
}
