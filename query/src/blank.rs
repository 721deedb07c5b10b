//! Columns that hold nothing in the rows to read, by the page index: they are not read, and come out as nulls.
//!
//! A file has a column for every field that any of its sources fills; the rows of one host fill a few of them. Opening a column
//! costs the same whether its pages hold values or not.
//!
//! Invariant: [`Reader`] gives the batches that a reader of all columns would give. Lists are always read: `[]` is not null.

use std::{ops::Range, sync::Arc};

use datafusion::{
    arrow::{
        array::{ArrayRef, RecordBatchOptions, new_null_array},
        datatypes::{DataType, Schema, SchemaRef},
        error::ArrowError,
        record_batch::RecordBatch,
    },
    parquet::{
        arrow::{ProjectionMask, arrow_reader::RowSelection},
        file::{metadata::ParquetMetaData, page_index::column_index::ColumnIndexMetaData},
    },
};

/// Which columns of a mask are read, and which are null.
pub(crate) struct Plan {
    /// The columns to read.
    pub mask: ProjectionMask,
    fill: Option<Fill>,
}

struct Fill {
    schema: SchemaRef,
    /// For each column of the schema its place among those that are read.
    read: Vec<Option<usize>>,
}

impl Plan {
    /// `schema` has the file's columns as they are to come out.
    pub fn new(
        metadata: &ParquetMetaData,
        group: usize,
        schema: &SchemaRef,
        mask: ProjectionMask,
        selection: &RowSelection,
    ) -> Self {
        let (Some(columns), Some(pages)) = (metadata.column_index(), metadata.offset_index()) else {
            return Self { mask, fill: None };
        };
        let (Some(columns), Some(pages)) = (columns.get(group), pages.get(group)) else { return Self { mask, fill: None } };
        let described = metadata.file_metadata().schema_descr();
        let ranges = ranges(selection);
        let rows = metadata.row_group(group).num_rows() as usize;
        let is_blank = |leaf: usize| {
            let (Some(column), Some(pages)) = (columns.get(leaf), pages.get(leaf)) else { return false };
            let is_flat = described.column(leaf).max_rep_level() == 0 && described.column(leaf).max_def_level() == 1;
            let starts: Vec<usize> = pages.page_locations().iter().map(|page| page.first_row_index as usize).collect();
            is_flat && !matches!(column, ColumnIndexMetaData::NONE) && {
                let nulls = (0..starts.len()).map(|page| column.is_null_page(page));
                is_blank(&starts, nulls, rows, &ranges)
            }
        };
        // A flat file: leaf and column have the same number.
        let wanted: Vec<usize> = (0..described.num_columns()).filter(|&leaf| mask.leaf_included(leaf)).collect();
        let (blank, kept): (Vec<usize>, Vec<usize>) = wanted.iter().partition(|&&leaf| is_blank(leaf));
        if blank.is_empty() {
            return Self { mask, fill: None };
        }
        let roots = |leaves: &[usize]| {
            let mut roots: Vec<usize> = leaves.iter().map(|&leaf| described.get_column_root_idx(leaf)).collect();
            roots.dedup();
            roots
        };
        let kept = roots(&kept);
        let all = roots(&wanted);
        let columns: Vec<_> = all.iter().filter_map(|&root| schema.fields().get(root).cloned()).collect();
        let read = all.iter().map(|root| kept.iter().position(|other| other == root)).collect();
        let fill = Fill { schema: Arc::new(Schema::new(columns)), read };
        Self { mask: ProjectionMask::roots(described, kept), fill: Some(fill) }
    }

    /// What a reader of [`Plan::mask`] gives, with all columns.
    pub fn reader(mut self, inner: store::read::Reader) -> Reader {
        if let Some(fill) = &mut self.fill {
            fill.types(&inner.schema());
        }
        Reader { inner, fill: self.fill }
    }
}

/// Gives the columns that were not read as nulls.
pub(crate) struct Reader {
    inner: store::read::Reader,
    fill: Option<Fill>,
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.inner.next()?.map_err(|error| {
            let error = crate::Error::failed(error.chain());
            ArrowError::from_external_error(Box::new(error))
        });
        let Some(fill) = &self.fill else { return Some(batch) };
        Some(batch.and_then(|batch| fill.apply(&batch)))
    }
}

impl Fill {
    /// Columns that are read have the type in which they come out.
    fn types(&mut self, inner: &Schema) {
        let fields = self.schema.fields().iter().zip(&self.read).map(|(column, read)| match read {
            Some(at) => Arc::new(inner.field(*at).clone()),
            None => column.clone(),
        });
        self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let rows = batch.num_rows();
        // One array of nulls serves all columns of a type.
        let mut nulls: Vec<(&DataType, ArrayRef)> = Vec::new();
        let mut columns = Vec::with_capacity(self.read.len());
        for (column, read) in self.schema.fields().iter().zip(&self.read) {
            let of = column.data_type();
            columns.push(match (read, nulls.iter().find(|(known, _)| *known == of)) {
                (Some(at), _) => batch.column(*at).clone(),
                (None, Some((_, array))) => array.clone(),
                (None, None) => {
                    let array = new_null_array(of, rows);
                    nulls.push((of, array.clone()));
                    array
                }
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }
}

/// The rows that are selected, as ranges in ascending order.
fn ranges(selection: &RowSelection) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut ranges = Vec::new();
    for selector in selection.iter() {
        if !selector.skip && selector.row_count > 0 {
            ranges.push(at..at + selector.row_count);
        }
        at += selector.row_count;
    }
    ranges
}

/// True when all pages that hold a row of the ranges are null. `starts` are the first rows of the pages.
fn is_blank(starts: &[usize], nulls: impl Iterator<Item = bool>, rows: usize, mut ranges: &[Range<usize>]) -> bool {
    for (page, is_null) in nulls.enumerate() {
        let end = starts.get(page + 1).copied().unwrap_or(rows);
        ranges = &ranges[ranges.partition_point(|range| range.end <= starts[page])..];
        match ranges.first() {
            None => return true,
            Some(first) if first.start < end && !is_null => return false,
            Some(_) => {}
        }
    }
    !starts.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_blank_where_all_pages_of_the_rows_are_null() {
        let blank = |ranges: &[(usize, usize)]| {
            let ranges: Vec<_> = ranges.iter().map(|&(start, end)| start..end).collect();
            is_blank(&[0, 10, 20], [true, false, true].into_iter(), 30, &ranges)
        };
        assert!(blank(&[]) && blank(&[(0, 10)]) && blank(&[(3, 5), (20, 30)]) && blank(&[(25, 26)]));
        assert!(!blank(&[(0, 11)]) && !blank(&[(10, 11)]) && !blank(&[(0, 1), (19, 21)]) && !blank(&[(0, 30)]));
        assert!(
            !is_blank(&[], std::iter::empty(), 30, std::slice::from_ref(&(0..1))),
            "nothing is said of a column without pages"
        );
    }
}
