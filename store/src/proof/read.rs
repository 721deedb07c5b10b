//! Reads the logical rows of a segment for checking and packing, wherever its file lies, a row group at a time.
//!
//! Files may be damaged or hostile here: whatever the decoder does, panics included, becomes an error that names the segment.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow::{
    array::RecordBatchOptions,
    datatypes::{Schema, SchemaRef},
    record_batch::RecordBatch,
};
use event::Micros;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    file::statistics::Statistics,
};
use proof::leaf::EVENT_INGESTED;

use crate::{Error, Result, Segment, line::Layout};

const BATCH_ROWS: usize = 8_192;

/// A segment's file, opened.
pub(super) struct SegmentFile<'s> {
    segment: &'s Segment,
    file: crate::SegmentFile,
    metadata: ArrowReaderMetadata,
    layout: Option<Layout>,
}

/// A row group: its number and the span of its `event.ingested`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub at: usize,
    pub ingested: (Micros, Micros),
}

impl<'s> SegmentFile<'s> {
    pub fn open(segment: &'s Segment) -> Result<Self> {
        let file = segment.open()?;
        guarded(segment, || {
            let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(failed(segment))?;
            let layout = Layout::of_file(&segment.id, metadata.metadata())?;
            Ok((metadata, layout))
        })
        .map(|(metadata, layout)| Self { segment, file, metadata, layout })
    }

    /// The columns that rows have.
    pub fn schema(&self) -> SchemaRef {
        self.layout.as_ref().map_or_else(|| SchemaRef::clone(self.metadata.schema()), Layout::logical_schema)
    }

    pub fn groups(&self) -> Vec<Group> {
        let is_plain = self.layout.as_ref().is_none_or(|layout| layout.is_plain(EVENT_INGESTED));
        let groups = self.metadata.metadata().row_groups().iter().enumerate();
        let span = |group: &parquet::file::metadata::RowGroupMetaData| {
            let column = group.columns().iter().find(|column| column.column_path().parts() == [EVENT_INGESTED])?;
            match column.statistics()? {
                Statistics::Int64(values) if values.null_count_opt() == Some(0) => Some((*values.min_opt()?, *values.max_opt()?)),
                _ => None,
            }
        };
        let group = |(at, group)| Group { at, ingested: span(group).filter(|_| is_plain).unwrap_or(self.segment.ingested) };
        groups.map(group).collect()
    }

    /// Gives the rows of a group, in file order, with these columns (where they occur) or all.
    pub fn read(&self, group: usize, columns: Option<&[&str]>, each: &mut dyn FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        let segment = self.segment;
        let logical = self.schema();
        let wanted: Vec<usize> = match columns {
            Some(names) => names.iter().filter_map(|name| logical.index_of(name).ok()).collect(),
            None => (0..logical.fields().len()).collect(),
        };
        let wanted = Arc::new(logical.project(&wanted).map_err(Error::segment("read", &segment.id))?);
        let mut reader = guarded(segment, || {
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
                .with_row_groups(vec![group])
                .with_projection(self.mask(&wanted))
                .with_batch_size(BATCH_ROWS)
                .build()
                .map_err(failed(segment))
        })?;
        loop {
            let batch = guarded(segment, || match reader.next() {
                None => Ok(None),
                Some(batch) => {
                    let batch = batch.map_err(failed(segment))?;
                    self.decode(&batch, &wanted).map(Some)
                }
            })?;
            match batch {
                Some(batch) => each(&batch)?,
                None => return Ok(()),
            }
        }
    }

    fn mask(&self, wanted: &Schema) -> ProjectionMask {
        let physical = self.metadata.schema();
        let names = wanted.fields().iter().flat_map(|column| match &self.layout {
            Some(layout) => layout.physical(column.name()),
            None => vec![column.name().clone()],
        });
        let columns: std::collections::BTreeSet<usize> = names.filter_map(|name| physical.index_of(&name).ok()).collect();
        ProjectionMask::roots(self.metadata.parquet_schema(), columns)
    }

    fn decode(&self, batch: &RecordBatch, wanted: &SchemaRef) -> Result<RecordBatch> {
        let column = |name: &str| match &self.layout {
            Some(layout) => layout.decode(name, batch),
            None => batch.column_by_name(name).cloned().ok_or_else(|| failed(self.segment)("a column is not there")),
        };
        let columns = wanted.fields().iter().map(|field| column(field.name())).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(SchemaRef::clone(wanted), columns, &options).map_err(failed(self.segment))
    }
}

fn failed<E>(segment: &Segment) -> impl FnOnce(E) -> Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Error::segment("read", &segment.id)
}

/// Runs a decoder: some panic on damaged files.
fn guarded<T>(segment: &Segment, run: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            Err(failed(segment)(format!("the decoder gave up: {}", text.unwrap_or("no reason given"))))
        }
    }
}
