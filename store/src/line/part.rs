//! Format 3, what a flush writes: `message` is left out where it is a part of the line, and two numbers say which part.
//!
//! Nothing else is derived. Whatever a file holds, decoding ends with the text or with an error that names the row.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray, StringViewBuilder},
    datatypes::{DataType, Field as ArrowField, FieldRef, Schema},
    record_batch::RecordBatch,
};
use event::field;

use super::{Layout, cells::Cells, decode::Stored};
use crate::{Error, Result, sqlite::type_name};

/// Version of files whose `message` lies in the line.
pub const FORMAT_PARTS: u32 = 3;

/// First byte of `message` in `event.original`; null where `message` stands for itself.
pub(crate) const COLUMN_START: &str = "_message.start";
/// Bytes of `message` in `event.original`.
pub(crate) const COLUMN_LENGTH: &str = "_message.length";

/// Searches in one batch before their yield is looked at.
const SEARCHES: usize = 32;

/// Where the messages of a batch are.
pub(crate) struct Parts {
    /// Messages that are not in the line; `None` when there are none.
    pub own: Option<ArrayRef>,
    pub starts: ArrayRef,
    pub lengths: ArrayRef,
}

/// Looks for each message in its line; `None` when none is there.
pub(crate) fn parts(lines: &ArrayRef, messages: &ArrayRef) -> Option<Parts> {
    let (lines, messages) = (lines.as_string_view_opt()?, messages.as_string_view_opt()?);
    let rows = lines.len();
    let (mut starts, mut lengths) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let (mut searches, mut hits, mut found) = (0, 0, 0);
    for row in 0..rows {
        let both = (lines.is_valid(row) && messages.is_valid(row)).then(|| (lines.value(row), messages.value(row)));
        let start = both.and_then(|(line, message)| {
            if line.ends_with(message) {
                return Some(line.len() - message.len());
            }
            if searches >= SEARCHES && hits * 4 < searches {
                return None;
            }
            searches += 1;
            let at = memchr::memmem::find(line.as_bytes(), message.as_bytes());
            hits += usize::from(at.is_some());
            at
        });
        found += usize::from(start.is_some());
        starts.push(start.map(|at| at as i64));
        lengths.push(start.and(both).map(|(_, message)| message.len() as i64));
    }
    if found == 0 {
        return None;
    }
    let left = (0..rows).map(|row| (messages.is_valid(row) && starts[row].is_none()).then(|| messages.value(row)));
    let has_left = left.clone().any(|text| text.is_some());
    Some(Parts {
        own: has_left.then(|| Arc::new(left.collect::<StringViewArray>()) as ArrayRef),
        starts: Arc::new(Int64Array::from(starts)),
        lengths: Arc::new(Int64Array::from(lengths)),
    })
}

/// The layout of a file with these logical columns.
pub(crate) fn stored(logical: &Schema) -> Stored {
    let needs = [COLUMN_START, COLUMN_LENGTH, field::EVENT_ORIGINAL.name()].map(str::to_owned).to_vec();
    Stored {
        format: FORMAT_PARTS,
        node: String::new(),
        columns: logical
            .fields()
            .iter()
            .map(|column| (column.name().clone(), type_name(column.data_type()).to_owned()))
            .collect(),
        derived: BTreeMap::from([(field::MESSAGE.name().to_owned(), needs)]),
        addresses: false,
    }
}

/// A batch of physical columns, with `message` instead of what it is made of.
pub(crate) fn whole(batch: &RecordBatch, layout: &Layout) -> Result<RecordBatch> {
    if batch.column_by_name(COLUMN_START).is_none() {
        return Ok(batch.clone());
    }
    let is_other = |name: &str| ![COLUMN_START, COLUMN_LENGTH, field::MESSAGE.name()].contains(&name);
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    let mut kept: Vec<(FieldRef, ArrayRef)> = columns
        .filter(|(column, _)| is_other(column.name()))
        .map(|(column, array)| (Arc::clone(column), Arc::clone(array)))
        .collect();
    let message = layout.decode(field::MESSAGE.name(), batch)?;
    kept.push((Arc::new(ArrowField::new(field::MESSAGE.name(), DataType::Utf8View, true)), message));
    let (fields, columns): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::segment("decode", "a segment"))
}

/// The messages of a batch with the physical columns.
pub(crate) fn decode(batch: &RecordBatch) -> std::result::Result<ArrayRef, String> {
    let lines = Cells::by_name(batch, field::EVENT_ORIGINAL.name());
    let own = Cells::by_name(batch, field::MESSAGE.name());
    let (starts, lengths) = (Cells::by_name(batch, COLUMN_START), Cells::by_name(batch, COLUMN_LENGTH));
    let mut builder = StringViewBuilder::with_capacity(batch.num_rows());
    // The line's own bytes are referred to, not copied. A batch over several pages has several buffers.
    let mut blocks: Option<u32> = None;
    if let Cells::Text(texts) = lines {
        for buffer in texts.data_buffers().iter() {
            let block = builder.append_block(buffer.clone());
            blocks.get_or_insert(block);
        }
    }
    for row in 0..batch.num_rows() {
        let Some(start) = starts.long(row) else {
            builder.append_option(own.text(row));
            continue;
        };
        let line = lines.text(row).ok_or_else(|| format!("row {row}: a part of a line that is null"))?;
        let length = lengths.long(row).unwrap_or(-1);
        let end = start.checked_add(length).filter(|_| length >= 0);
        let range = usize::try_from(start).ok().zip(end.and_then(|end| usize::try_from(end).ok()));
        let part = range.and_then(|(from, to)| line.get(from..to)).ok_or_else(|| {
            format!("row {row}: bytes {start} + {length} found, a part of a line of {} bytes expected", line.len())
        })?;
        match (blocks, &lines) {
            (Some(first), Cells::Text(texts)) if line.len() > 12 => {
                // The view of a line of more than 12 bytes: length, beginning, buffer, offset, 32 bits each.
                let view = texts.views()[row];
                let (buffer, offset) = ((view >> 64) as u32, (view >> 96) as u32);
                let added = builder.try_append_view(first + buffer, offset + start as u32, length as u32);
                added.map_err(|error| format!("row {row}: {error}"))?;
            }
            _ => builder.append_value(part),
        }
    }
    Ok(Arc::new(builder.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines in two buffers, as a batch over two pages has them.
    fn lines(texts: &[&str]) -> ArrayRef {
        let half = |texts: &[&str]| Arc::new(StringViewArray::from_iter_values(texts)) as ArrayRef;
        let (first, second) = texts.split_at(texts.len() / 2);
        arrow::compute::concat(&[half(first).as_ref(), half(second).as_ref()]).unwrap()
    }

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    #[test]
    fn messages_come_back_from_lines_in_several_buffers() {
        let lines =
            lines(&["<1>host app: the first message", "short: ab", "<2>host app: ünd noch eine Nachricht", "none of it, long"]);
        let texts = [Some("the first message"), Some("ab"), Some("ünd noch eine"), Some("not in the line")];
        let messages: ArrayRef = Arc::new(StringViewArray::from_iter(texts));
        let found = parts(&lines, &messages).unwrap();
        let own = found.own.unwrap();
        assert_eq!(own.null_count(), 3, "only the last message stands for itself");
        let columns =
            vec![("event.original", lines), ("message", own), (COLUMN_START, found.starts), (COLUMN_LENGTH, found.lengths)];
        let back = decode(&batch(columns)).unwrap();
        assert_eq!(back.as_string_view().iter().collect::<Vec<_>>(), texts);
    }

    #[test]
    fn parts_outside_the_line_are_named() {
        for (start, length) in [(0, 100), (-1, 2), (5, -1), (i64::MAX, 1), (1, 1)] {
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("event.original", Arc::new(StringViewArray::from_iter_values(["üü and more than twelve"]))),
                (COLUMN_START, Arc::new(Int64Array::from(vec![start]))),
                (COLUMN_LENGTH, Arc::new(Int64Array::from(vec![length]))),
            ];
            assert!(decode(&batch(columns)).unwrap_err().starts_with("row 0:"), "{start} + {length}");
        }
    }
}
