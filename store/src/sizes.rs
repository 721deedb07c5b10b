//! How many bytes an event of each log class takes on disk: measured on the segments themselves, page by page.
//!
//! Rows of one class stand together in a row group, so nearly every page belongs to one class: a page's bytes are dealt out to
//! the classes by the rows it has of each. What belongs to no page (dictionaries, footer, the index beside the file) is dealt
//! out by rows. The sum over the classes is the size of the files, to the byte.
//!
//! Not exact for files of a few thousand rows, where one page holds several classes: a small event then seems bigger and a big
//! one smaller than it is.

use std::{collections::BTreeMap, ops::Range};

use arrow::{array::Array, array::AsArray};
use event::field;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    file::metadata::{PageIndexPolicy, ParquetMetaData},
};

use crate::{Error, Result, Segment, SegmentFile, line::Layout};

/// Events of one log class and the bytes they take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassSize {
    pub class: String,
    pub rows: u64,
    pub bytes: u64,
}

impl ClassSize {
    /// Bytes of one event; 0 where there is none.
    pub fn per_event(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.bytes as f64 / self.rows as f64 }
    }
}

/// Adds sizes up by class, in order of the class.
pub fn total(sizes: impl IntoIterator<Item = ClassSize>) -> Vec<ClassSize> {
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for size in sizes {
        let sum = sums.entry(size.class).or_default();
        *sum = (sum.0 + size.rows, sum.1 + size.bytes);
    }
    sums.into_iter().map(|(class, (rows, bytes))| ClassSize { class, rows, bytes }).collect()
}

/// Measures one segment. Blocking; reads the footer, the page index and one small column.
pub(crate) fn measure(segment: &Segment) -> Result<Vec<ClassSize>> {
    let file = segment.open()?;
    let bytes = segment.bytes + segment.index.as_ref().map_or(0, |index| index.bytes);
    let classes = classes(segment, file).map_err(Error::segment("measure", &segment.id))?;
    Ok(deal(&classes, bytes))
}

/// Rows of each class in one row group, in file order, and the pages of its columns.
struct Group {
    runs: Vec<(String, Range<u64>)>,
    /// Rows and compressed bytes of each page of each column.
    pages: Vec<(Range<u64>, u64)>,
}

fn classes(segment: &Segment, file: SegmentFile) -> Result<Vec<Group>, Box<dyn std::error::Error + Send + Sync>> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let metadata = ArrowReaderMetadata::load(&file, options)?;
    let layout = Layout::of_file(&segment.id, metadata.metadata())?;
    let name = field::EVENT_DATASET.name();
    let physical = layout.as_ref().map_or_else(|| vec![name.to_owned()], |layout| layout.physical(name));
    let columns: Vec<usize> = physical.iter().filter_map(|name| metadata.schema().index_of(name).ok()).collect();
    let mut groups = Vec::new();
    for group in 0..metadata.metadata().num_row_groups() {
        let mask = ProjectionMask::roots(metadata.parquet_schema(), columns.iter().copied());
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .build()?;
        let mut runs: Vec<(String, Range<u64>)> = Vec::new();
        let mut row = 0;
        for batch in reader {
            let batch = batch?;
            let column = match &layout {
                Some(layout) => Some(layout.decode(name, &batch)?),
                None => batch.column_by_name(name).cloned(),
            };
            let column = column.map(|column| arrow::compute::cast(&column, &arrow::datatypes::DataType::Utf8View)).transpose()?;
            let texts = column.as_ref().and_then(|column| column.as_string_view_opt());
            for at in 0..batch.num_rows() {
                let class = texts.filter(|texts| texts.is_valid(at)).map_or("", |texts| texts.value(at));
                match runs.last_mut().filter(|(last, _)| last == class) {
                    Some((_, range)) => range.end = row + 1,
                    None => runs.push((class.to_owned(), row..row + 1)),
                }
                row += 1;
            }
        }
        groups.push(Group { runs, pages: pages(metadata.metadata(), group) });
    }
    Ok(groups)
}

fn pages(metadata: &ParquetMetaData, group: usize) -> Vec<(Range<u64>, u64)> {
    let rows = metadata.row_group(group).num_rows().max(0) as u64;
    let Some(columns) = metadata.offset_index().and_then(|index| index.get(group)) else { return Vec::new() };
    let mut found = Vec::new();
    for column in columns {
        let pages = column.page_locations();
        for (at, page) in pages.iter().enumerate() {
            let end = pages.get(at + 1).map_or(rows, |next| next.first_row_index.max(0) as u64);
            found.push((page.first_row_index.max(0) as u64..end, page.compressed_page_size.max(0) as u64));
        }
    }
    found
}

/// Deals the bytes out; what rounding leaves goes to the last class.
fn deal(groups: &[Group], bytes: u64) -> Vec<ClassSize> {
    let mut shares: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
    let mut in_pages = 0;
    for group in groups {
        for (class, range) in &group.runs {
            shares.entry(class).or_default().0 += range.end - range.start;
        }
        for (page, size) in &group.pages {
            let first = group.runs.partition_point(|(_, run)| run.end <= page.start);
            for (class, run) in group.runs[first..].iter().take_while(|(_, run)| run.start < page.end) {
                let inside = run.end.min(page.end) - run.start.max(page.start);
                shares.entry(class).or_default().1 += *size as f64 * inside as f64 / (page.end - page.start) as f64;
            }
            in_pages += size;
        }
    }
    let rows: u64 = shares.values().map(|(rows, _)| rows).sum();
    let rest = bytes.saturating_sub(in_pages) as f64;
    let mut left = bytes;
    let count = shares.len();
    let one = |(at, (class, (of_class, of_pages))): (usize, (&str, (u64, f64)))| {
        let share = of_pages + rest * of_class as f64 / rows.max(1) as f64;
        let bytes = if at + 1 == count { left } else { (share.round() as u64).min(left) };
        left -= bytes;
        ClassSize { class: class.to_owned(), rows: of_class, bytes }
    };
    shares.into_iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_belongs_to_the_classes_that_have_rows_in_it() {
        let runs = vec![("big".to_owned(), 0..10), ("small".to_owned(), 10..40)];
        let pages = vec![(0..10, 1_000), (10..40, 300), (0..40, 400)];
        let sizes = deal(&[Group { runs, pages }], 2_100);
        // 1,000 + a quarter of 400 + a quarter of the 400 that belong to no page.
        assert_eq!((sizes[0].rows, sizes[0].bytes), (10, 1_200));
        assert_eq!((sizes[1].rows, sizes[1].bytes), (30, 900));
        assert_eq!((sizes[0].per_event(), ClassSize::default().per_event()), (120.0, 0.0));
    }

    #[test]
    fn nothing_is_lost_by_rounding() {
        let runs: Vec<_> = (0..7).map(|at| (format!("c{at}"), at..at + 1)).collect();
        let sizes = deal(&[Group { runs, pages: vec![] }], 100);
        assert_eq!(sizes.iter().map(|size| size.bytes).sum::<u64>(), 100);
        assert_eq!(total(sizes.clone().into_iter().chain(sizes)).iter().map(|size| size.bytes).sum::<u64>(), 200);
    }
}
