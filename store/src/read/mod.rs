//! Reads rows of a segment's row group into Arrow batches: the columns that this store writes, as directly as they are written.
//!
//! ```text
//! rows wanted ▶ pages that hold them ▶ unpacked ▶ levels, codes, views into the page ▶ arrays
//! ```
//!
//! Flat texts and numbers in the encodings of [`crate::chunk`] and [`crate::compact`] are read here: only the pages that hold a wanted row, one
//! unpacker per thread, texts as views into their page, dictionaries as they are. Any other column (lists, flags, fractions, texts
//! with a common beginning, files without a page index) is read by the `parquet` crate beside it.
//!
//! Invariant: the batches are those that a reader of the `parquet` crate gives for the same rows. A damaged page is an error that
//! names column and page; nothing that a file holds leads further.

mod bits;
mod column;
mod header;
mod page;
#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatchOptions},
    datatypes::{Schema, SchemaRef},
    record_batch::{RecordBatch, RecordBatchReader as _},
};
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection},
};

use self::{column::Column, page::Source};
use crate::{Error, Result, SegmentFile};

/// Batches of some rows and columns of one row group.
pub struct Reader {
    source: Source,
    columns: Vec<Place>,
    /// Reads the columns that are not read here.
    rest: Option<ParquetRecordBatchReader>,
    schema: SchemaRef,
    /// The rows that are still to come, in ascending order.
    ranges: std::iter::Peekable<std::vec::IntoIter<Range<usize>>>,
    batch_rows: usize,
    segment: String,
}

enum Place {
    Here(Box<Column>),
    /// Number among the columns that `rest` reads.
    Rest(usize),
}

/// What is to be read.
#[derive(Debug)]
pub struct Wanted {
    pub group: usize,
    pub columns: ProjectionMask,
    pub rows: RowSelection,
    /// Rows of one batch.
    pub batch_rows: usize,
    /// Rows in all.
    pub limit: Option<usize>,
    /// Texts as codes into the row group's dictionary, where it has one of all of them.
    pub as_codes: bool,
}

impl Reader {
    /// `metadata` says as what a column comes out; what is to be codes and has no dictionary comes out as text.
    pub fn new(segment: &str, file: &SegmentFile, metadata: &ArrowReaderMetadata, wanted: Wanted) -> Result<Self> {
        let Wanted { group, columns: mask, rows, batch_rows, limit, as_codes } = wanted;
        let described = metadata.parquet_schema();
        let (mut columns, mut fields, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for leaf in (0..described.num_columns()).filter(|leaf| mask.leaf_included(*leaf)) {
            let root = described.get_column_root_idx(leaf);
            let field = metadata.schema().field(root);
            match Column::new(metadata, group, leaf, field.data_type(), as_codes) {
                Some(column) => {
                    fields.push(field.clone().with_data_type(column.data_type.clone()));
                    columns.push(Place::Here(Box::new(column)));
                }
                None if rest.last() == Some(&root) => {}
                None => {
                    columns.push(Place::Rest(rest.len()));
                    fields.push(field.clone());
                    rest.push(root);
                }
            }
        }
        let ranges = ranges(&rows, limit.unwrap_or(usize::MAX));
        let reader = match rest.is_empty() {
            true => None,
            false => {
                let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata.clone());
                let builder = builder.with_row_groups(vec![group]).with_projection(ProjectionMask::roots(described, rest));
                let builder = builder.with_batch_size(batch_rows).with_row_selection(rows);
                let builder = limit.into_iter().fold(builder, |builder, limit| builder.with_limit(limit));
                Some(builder.build().map_err(Error::segment("read", segment))?)
            }
        };
        // What the other reader gives is the truth about its columns' types.
        for (place, field) in columns.iter().zip(&mut fields) {
            if let (Place::Rest(at), Some(reader)) = (place, &reader) {
                *field = reader.schema().field(*at).clone();
            }
        }
        let source = Source { file: file.clone(), metadata: Arc::clone(metadata.metadata()), group };
        let schema = Arc::new(Schema::new(fields));
        let ranges = ranges.into_iter().peekable();
        Ok(Self { source, columns, rest: reader, schema, ranges, batch_rows: batch_rows.max(1), segment: segment.to_owned() })
    }

    /// Columns in the order of the file, as they come out.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    /// The next rows, at most so many.
    fn take(&mut self, mut rows: usize) -> Vec<Range<usize>> {
        let mut taken = Vec::new();
        while let Some(range) = self.ranges.peek_mut().filter(|_| rows > 0) {
            let len = range.len().min(rows);
            taken.push(range.start..range.start + len);
            range.start += len;
            rows -= len;
            if range.start >= range.end {
                self.ranges.next();
            }
        }
        taken
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let further = match &mut self.rest {
            Some(rest) => match rest.next() {
                Some(batch) => Some(batch.map_err(Error::segment("read", &self.segment))?),
                None => return Ok(None),
            },
            None => None,
        };
        let ranges = self.take(further.as_ref().map_or(self.batch_rows, RecordBatch::num_rows));
        let rows: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        if rows == 0 {
            return Ok(None);
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (place, field) in self.columns.iter_mut().zip(self.schema.fields()) {
            arrays.push(match (place, &further) {
                (Place::Here(column), _) => column.read(&self.source, &ranges).map_err(|what| {
                    let place = format!("row group {}, column {}: {what}", self.source.group, field.name());
                    Error::segment("read", &self.segment)(place)
                })?,
                (Place::Rest(at), Some(batch)) => Arc::clone(batch.column(*at)),
                (Place::Rest(_), None) => return Ok(None),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema(), arrays, &options);
        batch.map(Some).map_err(Error::segment("read", &self.segment))
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("segment", &self.segment).field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

/// The selected rows, at most so many.
fn ranges(selection: &RowSelection, mut limit: usize) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for selector in selection.iter() {
        if !selector.skip && limit > 0 && selector.row_count > 0 {
            let len = selector.row_count.min(limit);
            limit -= len;
            match ranges.last_mut().filter(|last| last.end == at) {
                Some(last) => last.end += len,
                None => ranges.push(at..at + len),
            }
        }
        at += selector.row_count;
    }
    ranges
}
