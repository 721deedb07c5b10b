//! What need not be read: segments by the catalogue, row groups and pages by the file's own statistics.
//!
//! Only conditions on columns that the asker sees plainly take part: a hidden column's statistics are of other values than
//! those the question is about. Pruning never decides about a row; the scan evaluates the whole filter.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use datafusion::{
    arrow::{
        array::{ArrayRef, BooleanArray, StringViewArray, TimestampMicrosecondArray, UInt64Array},
        datatypes::SchemaRef,
    },
    common::{Column, ScalarValue, pruning::PruningStatistics},
    physical_expr::{PhysicalExpr, conjunction_opt, split_conjunction, utils::collect_columns},
    physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder},
};
use event::{Micros, field};
use store::Segment;

use crate::{amend::Amendments, view::View};

/// The part of a filter that statistics may be asked about.
pub(crate) fn prunable(view: &View, filter: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
    let is_plain = |part: &Arc<dyn PhysicalExpr>| {
        collect_columns(part).iter().all(|column| view.schema.index_of(column.name()).is_ok_and(|at| view.hidden[at].is_none()))
    };
    conjunction_opt(split_conjunction(filter).into_iter().filter(|part| is_plain(part)).cloned())
}

/// A predicate over statistics; `None` when the filter says nothing about them.
pub(crate) fn pruning_predicate(filter: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Option<Arc<PruningPredicate>> {
    PruningPredicateBuilder::new().with_file_schema(schema.clone()).build(filter.clone())
}

/// For each segment: may it hold a row that passes?
pub(crate) fn keep(segments: &[Arc<Segment>], amendments: &Amendments, predicate: &PruningPredicate) -> Vec<bool> {
    predicate.prune(&Statistics(segments, amendments)).unwrap_or_else(|_| vec![true; segments.len()])
}

/// The catalogue rows of segments, as the engine's pruning asks for them.
struct Statistics<'a>(&'a [Arc<Segment>], &'a Amendments);

impl Statistics<'_> {
    fn times(&self, of: impl Fn(&Segment) -> Option<Micros>) -> ArrayRef {
        let values: TimestampMicrosecondArray = self.0.iter().map(|segment| of(segment)).collect();
        Arc::new(values.with_timezone("UTC"))
    }

    /// The systems that rows of a segment may show.
    fn systems<'s>(&'s self, segment: &'s Segment) -> impl Iterator<Item = &'s str> {
        let amended = self.1.concern(&segment.systems).then(|| self.1.systems());
        segment.systems.iter().map(|entry| entry.system.as_str()).chain(amended.into_iter().flatten())
    }

    fn words<'s>(&'s self, of: impl Fn(&'s Segment) -> Option<&'s str>) -> ArrayRef {
        Arc::new(self.0.iter().map(|segment| of(segment)).collect::<StringViewArray>())
    }

    fn bound(&self, column: &Column, is_max: bool) -> Option<ArrayRef> {
        let pick = move |(min, max): (Micros, Micros)| if is_max { max } else { min };
        let name = column.name.as_str();
        if name == field::TIMESTAMP.name() {
            return Some(self.times(|segment| segment.timestamp.map(pick)));
        }
        if name == field::EVENT_INGESTED.name() {
            return Some(self.times(|segment| Some(pick(segment.ingested))));
        }
        if name == field::EVENT_DATASET.name() {
            let end = |set: &'_ BTreeSet<String>| if is_max { set.last().cloned() } else { set.first().cloned() };
            let words: StringViewArray = self.0.iter().map(|segment| end(&segment.datasets)).collect();
            return Some(Arc::new(words));
        }
        if name == field::SYSTEM_ID.name() {
            return Some(self.words(|segment| {
                let systems = self.systems(segment);
                if is_max { systems.max() } else { systems.min() }
            }));
        }
        None
    }
}

impl PruningStatistics for Statistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bound(column, false)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bound(column, true)
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, _column: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.0.iter().map(|segment| Some(segment.rows)).collect::<UInt64Array>()))
    }

    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        let wanted: Vec<&str> = values
            .iter()
            .map(|value| match value {
                ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) | ScalarValue::LargeUtf8(Some(text)) => {
                    Some(text.as_str())
                }
                _ => None,
            })
            .collect::<Option<_>>()?;
        let judge = |has: &dyn Fn(&str) -> bool| if wanted.iter().any(|text| has(text)) { None } else { Some(false) };
        if column.name == field::EVENT_DATASET.name() {
            return Some(self.0.iter().map(|segment| judge(&|text| segment.datasets.contains(text))).collect());
        }
        if column.name == field::SYSTEM_ID.name() {
            let has = |segment: &Segment, text: &str| self.systems(segment).any(|system| system == text);
            return Some(self.0.iter().map(|segment| judge(&|text| has(segment, text))).collect());
        }
        None
    }
}
