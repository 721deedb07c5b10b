//! One segment's file as the reader sees it: parsed footer, page index, and how logical columns are kept in it.
//!
//! Format 1 keeps every column as it is; in format 2 some are derived from others ([`store::line`]). Everything above this file
//! knows logical columns only; [`Open::mask`] and [`Open::decode`] are the way down and back up.

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    sync::{Arc, Mutex},
};

use datafusion::{
    arrow::{
        array::RecordBatchOptions,
        datatypes::{DataType, Field as ArrowField, Schema, SchemaRef},
        record_batch::RecordBatch,
    },
    common::{DataFusionError, Result},
    parquet::{
        arrow::{
            ProjectionMask,
            arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
        },
        file::metadata::PageIndexPolicy,
    },
};
use store::{
    Segment, SegmentFile,
    index::{FileSource, Index},
    line::{COLUMN_SHAPE, Layout, Needs},
};
use tracing::warn;

/// Bytes of file metadata kept for the next question.
const CACHE_BYTES_MAX: usize = 64 << 20;

/// An opened footer.
#[derive(Clone)]
pub(crate) struct Open {
    pub metadata: ArrowReaderMetadata,
    layout: Option<Arc<Layout>>,
    /// Says where words are not; `None` when the segment has no index, or a damaged one.
    pub index: Option<Arc<Index>>,
    /// The columns that a question may name.
    pub schema: SchemaRef,
}

impl Open {
    fn load(segment: &Segment, file: &SegmentFile) -> Result<Self> {
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(file, options.clone())?;
        let layout = Layout::of_file(&segment.id, metadata.metadata()).map_err(external)?;
        let metadata = match &layout {
            // Shapes are read as numbers into their dictionary, every other text as views, which is what questions compare.
            Some(_) => {
                ArrowReaderMetadata::try_new(metadata.metadata().clone(), options.with_schema(as_views(metadata.schema())))?
            }
            None => metadata,
        };
        let schema = layout.as_ref().map_or_else(|| metadata.schema().clone(), Layout::logical_schema);
        Ok(Self { metadata, layout: layout.map(Arc::new), index: index(segment), schema })
    }

    /// True when a column is stored as it is: its statistics and pages are about the values that questions see.
    pub fn is_plain(&self, name: &str) -> bool {
        self.layout.as_ref().is_none_or(|layout| layout.is_plain(name))
    }

    /// The columns to read for some logical ones, by their number in `schema`.
    pub fn mask(&self, reads: &[usize]) -> ProjectionMask {
        let Some(layout) = &self.layout else {
            return ProjectionMask::roots(self.metadata.parquet_schema(), reads.iter().copied());
        };
        let physical = self.metadata.schema();
        let names = reads.iter().flat_map(|&at| layout.physical(self.schema.field(at).name()));
        let columns: BTreeSet<usize> = names.filter_map(|name| physical.index_of(&name).ok()).collect();
        ProjectionMask::roots(self.metadata.parquet_schema(), columns)
    }

    /// How lines are put together; `None` for a file whose rows have no shapes.
    pub fn shaped(&self) -> Option<&Layout> {
        self.layout.as_deref().filter(|_| self.metadata.schema().index_of(COLUMN_SHAPE).is_ok())
    }

    /// The physical columns of these names, as far as the file has them.
    pub fn named<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> ProjectionMask {
        let physical = self.metadata.schema();
        let columns: BTreeSet<usize> = names.into_iter().filter_map(|name| physical.index_of(name).ok()).collect();
        ProjectionMask::roots(self.metadata.parquet_schema(), columns)
    }

    /// Like [`Open::mask`], for rows of which it is known what they need.
    pub fn mask_for(&self, reads: &[usize], needs: Option<&Needs<'_>>) -> ProjectionMask {
        let Some(needs) = needs else { return self.mask(reads) };
        let names: BTreeSet<String> = reads.iter().flat_map(|&at| needs.physical(self.schema.field(at).name())).collect();
        self.named(names.iter().map(String::as_str))
    }

    /// Makes logical columns of a batch that was read with [`Open::mask`] of the same numbers.
    pub fn decode(&self, batch: RecordBatch, reads: &[usize]) -> Result<RecordBatch> {
        let Some(layout) = &self.layout else { return Ok(batch) };
        let mut columns = Vec::with_capacity(reads.len());
        for &at in reads {
            columns.push(layout.decode(self.schema.field(at).name(), &batch).map_err(external)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(self.schema.project(reads)?), columns, &options)?)
    }
}

fn index(segment: &Segment) -> Option<Arc<Index>> {
    let source = File::open(segment.index_path()?).and_then(FileSource::new);
    let index = source
        .map_err(|error| error.to_string())
        .and_then(|source| Index::open(Arc::new(source)).map_err(|error| error.to_string()));
    let index =
        index.inspect_err(|error| warn!(segment = segment.id, error, "failed to open a text index; its segment is scanned"));
    index.ok().filter(|index| index.rows() == segment.rows).map(Arc::new)
}

fn as_views(schema: &SchemaRef) -> SchemaRef {
    let one = |column: &Arc<ArrowField>| match column.data_type() {
        DataType::Dictionary(..) if column.name() != COLUMN_SHAPE => {
            Arc::new(column.as_ref().clone().with_data_type(DataType::Utf8View))
        }
        _ => column.clone(),
    };
    Arc::new(Schema::new(schema.fields().iter().map(one).collect::<Vec<_>>()))
}

fn external(error: store::Error) -> DataFusionError {
    DataFusionError::from(crate::Error::failed(error.chain()))
}

/// Footers and page indexes of segments that were read lately.
#[derive(Default)]
pub(crate) struct MetadataCache(Mutex<Cached>);

#[derive(Default)]
struct Cached {
    entries: HashMap<String, (Open, usize, u64)>,
    bytes: usize,
    clock: u64,
}

impl MetadataCache {
    pub(crate) fn get(&self, segment: &Segment, file: &SegmentFile) -> Result<Open> {
        if let Ok(mut cached) = self.0.lock() {
            cached.clock += 1;
            let now = cached.clock;
            if let Some((open, _, used)) = cached.entries.get_mut(&segment.id) {
                *used = now;
                return Ok(open.clone());
            }
        }
        let open = Open::load(segment, file)?;
        let bytes = open.metadata.metadata().memory_size();
        if let Ok(mut cached) = self.0.lock() {
            let now = cached.clock;
            if cached.entries.insert(segment.id.clone(), (open.clone(), bytes, now)).is_none() {
                cached.bytes += bytes;
            }
            cached.shrink();
        }
        Ok(open)
    }
}

impl Cached {
    fn shrink(&mut self) {
        while self.bytes > CACHE_BYTES_MAX {
            let Some(oldest) = self.entries.iter().min_by_key(|(_, (_, _, used))| *used).map(|(id, _)| id.clone()) else {
                return;
            };
            if let Some((_, bytes, _)) = self.entries.remove(&oldest) {
                self.bytes -= bytes;
            }
        }
    }
}
