//! What of an event goes into the text index: joins compaction and [`crate::index`].
//!
//! The line, the message where it says more than the line, and the values of columns that people ask for exactly. Questions
//! about any other column are not answered by the index: [`is_value`] and [`is_text`] tell which are.

use std::sync::LazyLock;

use arrow::{
    array::{Array, ArrayRef, AsArray, StringViewArray},
    record_batch::RecordBatch,
};
use bytes::Bytes;
use event::{
    Field,
    catalogue::{Index, Kind},
    field,
};

use crate::{BlockObserver, Error, Result, index::IndexWriter};

/// Columns beside addresses whose values are indexed whole.
const VALUES: [Field; 6] = [
    field::USER_NAME,
    field::HOST_NAME,
    field::LOG_SYSLOG_HOSTNAME,
    field::DNS_QUESTION_NAME,
    field::URL_DOMAIN,
    field::FILE_NAME,
];

/// Columns whose whole text is indexed.
const TEXTS: [Field; 2] = [field::EVENT_ORIGINAL, field::MESSAGE];

/// True for columns whose every value is in the index as a whole.
pub fn is_value(column: &str) -> bool {
    static ALL: LazyLock<Vec<&'static str>> = LazyLock::new(|| values().map(|field| field.name()).collect());
    ALL.contains(&column)
}

/// True for columns all of whose text is in the index.
pub fn is_text(column: &str) -> bool {
    TEXTS.iter().any(|field| field.name() == column)
}

fn values() -> impl Iterator<Item = Field> {
    let is_sought = |field: &Field| {
        let definition = field.definition();
        let is_hash = definition.name.contains(".hash.");
        definition.index == Index::Exact && (definition.kind == Kind::Ip || is_hash || VALUES.contains(field))
    };
    Field::all().filter(is_sought)
}

/// Builds the index of one segment while compaction writes it.
pub(crate) struct Indexer {
    segment: String,
    /// `None` when it could not be made: the segment is then scanned whole.
    writer: Option<IndexWriter>,
}

impl Indexer {
    pub fn new(segment: &str) -> Self {
        let writer = IndexWriter::new();
        let writer = writer.inspect_err(|error| tracing::error!(segment, %error, "failed to begin a text index; questions scan"));
        Self { segment: segment.to_owned(), writer: writer.ok() }
    }
}

impl BlockObserver for Indexer {
    fn columns(&self) -> Vec<String> {
        TEXTS.into_iter().chain(values()).map(|field| field.name().to_owned()).collect()
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let column = |field: Field| batch.column_by_name(field.name());
        let texts = TEXTS.map(|field| column(field).and_then(|array| array.as_string_view_opt()));
        let values: Vec<&ArrayRef> = values().filter_map(column).filter(|array| array.null_count() < array.len()).collect();
        for row in 0..batch.num_rows() {
            let [line, message] = texts.map(|array| array.filter(|array| array.is_valid(row)).map(|array| array.value(row)));
            if let Some(line) = line {
                writer.text(line);
            }
            if let Some(message) = message.filter(|message| line.is_none_or(|line| !stands_apart(line, message))) {
                writer.text(message);
            }
            values.iter().for_each(|array| add_values(writer, array, row));
            writer.end_row().map_err(Error::segment("index", &self.segment))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Option<Bytes>> {
        let Some(writer) = self.writer else { return Ok(None) };
        let bytes = writer.finish().map_err(Error::segment("index", &self.segment))?;
        Ok(Some(bytes.into()))
    }
}

fn add_values(writer: &mut IndexWriter, array: &ArrayRef, row: usize) {
    if array.is_null(row) {
        return;
    }
    if let Some(texts) = array.as_string_view_opt() {
        writer.value(texts.value(row));
    } else if let Some(lists) = array.as_list_opt::<i32>() {
        let items = lists.value(row);
        let items: Option<&StringViewArray> = items.as_string_view_opt();
        items.into_iter().flatten().flatten().for_each(|item| writer.value(item));
    }
}

/// True when the words of the part are words of the whole: it stands in it, and is cut off where words are.
fn stands_apart(whole: &str, part: &str) -> bool {
    let is_apart =
        |side: Option<&u8>| side.is_none_or(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"_.-@:".contains(byte));
    let at = if whole.ends_with(part) {
        Some(whole.len() - part.len())
    } else {
        memchr::memmem::find(whole.as_bytes(), part.as_bytes())
    };
    at.is_some_and(|at| {
        let bytes = whole.as_bytes();
        is_apart(at.checked_sub(1).and_then(|before| bytes.get(before))) && is_apart(bytes.get(at + part.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_stands_apart_only_between_boundaries() {
        assert!(stands_apart("<38>host sshd[1]: Failed password", "Failed password"));
        assert!(!stands_apart("xFailed password", "Failed password") && !stands_apart("a.b c", "b c"));
        assert!(stands_apart("\"message\": \"one two\", ", "one two") && !stands_apart("one twos", "one two"));
        assert!(!stands_apart("é1", "1"), "what is no ASCII may join");
        assert!(stands_apart("same", "same") && !stands_apart("", "x"));
    }

    #[test]
    fn addresses_users_and_hashes_are_values() {
        for name in ["source.ip", "destination.ip", "related.ip", "user.name", "host.name"] {
            assert!(is_value(name), "{name}");
        }
        assert!(!is_value("event.original") && is_text("event.original") && is_text("message"));
    }
}
