//! `SELECT column, count(*) … GROUP BY column` from the codes of dictionaries: the counting of facets, `top` and `stats count by`.
//!
//! Where the first half of such an aggregation stands directly over the scan of events, the scan counts by itself: each row group
//! gives its distinct values with their numbers instead of its rows, and the second half adds them up as before. Rows of hot
//! batches and of columns without dictionary count one each.

use std::{hash::BuildHasher as _, sync::Arc};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, Int64Array, StringViewBuilder, UInt32Array},
        compute::{cast, take},
        datatypes::{DataType, Int32Type, Int64Type, SchemaRef},
        record_batch::RecordBatch,
    },
    common::{
        Result,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult as _, TreeNode as _},
    },
    physical_expr::expressions::{Column, Literal},
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        aggregates::{AggregateExec, AggregateMode},
    },
};

use hashbrown::hash_table::Entry;

use crate::scan::EventsExec;

/// Lets the scan count.
#[derive(Debug)]
pub(crate) struct CountInScan;

impl PhysicalOptimizerRule for CountInScan {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            Ok(match counting(&node) {
                Some(scan) => Transformed::yes(scan),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "count_in_scan"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The scan that does the work of this node too; `None` when it is not the first half of `count(*)` by one text column.
fn counting(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let aggregate = (node.as_ref() as &dyn std::any::Any).downcast_ref::<AggregateExec>()?;
    let ([(group, _)], [count]) = (aggregate.group_expr().expr(), aggregate.aggr_expr()) else { return None };
    let is_literal = |value: &Arc<dyn datafusion::physical_expr::PhysicalExpr>| {
        (value.as_ref() as &dyn std::any::Any).downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null())
    };
    let is_plain = *aggregate.mode() == AggregateMode::Partial
        && aggregate.group_expr().is_single()
        && aggregate.limit_options().is_none()
        && aggregate.filter_expr().iter().all(Option::is_none)
        && count.fun().name() == "count"
        && !count.is_distinct()
        && count.expressions().iter().all(is_literal);
    let column = (group.as_ref() as &dyn std::any::Any).downcast_ref::<Column>()?;
    let mut input = aggregate.input();
    while input.name() == "CooperativeExec" {
        input = input.children().into_iter().next()?;
    }
    let scan = (input.as_ref() as &dyn std::any::Any).downcast_ref::<EventsExec>()?;
    let schema = node.schema();
    let is_text = *schema.field(0).data_type() == DataType::Utf8View && *schema.field(1).data_type() == DataType::Int64;
    (is_plain && is_text && schema.fields().len() == 2).then(|| scan.counting(column.index(), schema))?
}

/// Counts of one column's values while the dictionary stays the same.
#[derive(Default)]
pub(crate) struct Counts {
    values: Option<ArrayRef>,
    counts: Vec<i64>,
    nulls: i64,
}

impl Counts {
    /// Counts the rows of a column; what an earlier dictionary counted comes out, as values and their counts.
    pub fn add(&mut self, column: &ArrayRef) -> Result<Option<(ArrayRef, Int64Array)>> {
        let Some(coded) = column.as_dictionary_opt::<Int32Type>() else {
            let values = cast(column, &DataType::Utf8View)?;
            let ones = Int64Array::from(vec![1; values.len()]);
            return Ok(Some((values, ones)));
        };
        let is_same = self.values.as_ref().is_some_and(|known| same(known, coded.values()));
        let before = if is_same { None } else { self.take()? };
        if !is_same {
            self.values = Some(coded.values().clone());
            self.counts = vec![0; coded.values().len()];
        }
        let keys = coded.keys();
        if keys.null_count() == 0 {
            keys.values().iter().for_each(|key| self.one(*key));
        } else {
            keys.iter().for_each(|key| match key {
                Some(key) => self.one(key),
                None => self.nulls += 1,
            });
        }
        Ok(before)
    }

    #[inline]
    fn one(&mut self, key: i32) {
        if let Some(count) = self.counts.get_mut(key as usize) {
            *count += 1;
        }
    }

    /// Gives what is counted so far.
    pub fn take(&mut self) -> Result<Option<(ArrayRef, Int64Array)>> {
        let Some(values) = self.values.take() else { return Ok(None) };
        let used: Vec<u32> = (0..self.counts.len()).filter(|at| self.counts[*at] > 0).map(|at| at as u32).collect();
        let mut counts: Vec<i64> = used.iter().map(|at| self.counts[*at as usize]).collect();
        let mut at: Vec<Option<u32>> = used.into_iter().map(Some).collect();
        if self.nulls > 0 {
            counts.push(std::mem::take(&mut self.nulls));
            at.push(None);
        }
        let values = take(&cast(&values, &DataType::Utf8View)?, &UInt32Array::from(at), None)?;
        Ok(Some((values, Int64Array::from(counts))))
    }
}

fn same(one: &ArrayRef, other: &ArrayRef) -> bool {
    Arc::ptr_eq(one, other) || one.to_data().ptr_eq(&other.to_data())
}

/// Bytes and number of values that one partition adds up before it gives them.
const TALLY_BYTES: usize = 32 << 20;
const TALLY_VALUES: usize = 1 << 20;

/// Bytes of the longest text that is its own key.
const SHORT_MAX: usize = 15;

/// Adds up what row groups counted, so that a partition gives each value once instead of once a row or row group.
///
/// Gives all it has when it is full; where values hardly repeat it steps aside, since adding up saves nothing then.
#[derive(Default)]
pub(crate) struct Tally {
    hasher: hashbrown::DefaultHashBuilder,
    /// Short texts: their bytes, and their length in the last one.
    short: hashbrown::HashTable<(u128, i64)>,
    /// Number of each longer text.
    long: hashbrown::HashTable<u32>,
    bytes: Vec<u8>,
    /// End of each long value in `bytes`.
    ends: Vec<usize>,
    counts: Vec<i64>,
    nulls: i64,
    /// Entries that came in since the last giving.
    entries: usize,
    is_aside: bool,
}

impl Tally {
    /// Takes values with their counts, as the scan gives them; what comes back is to be given on.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        if self.is_aside {
            return Ok(Some(batch.clone()));
        }
        let values = batch.column(0).as_string_view();
        let counts = batch.column(1).as_primitive::<Int64Type>();
        for (row, (view, count)) in values.views().iter().zip(counts.values()).enumerate() {
            if values.is_null(row) {
                self.nulls += count;
                continue;
            }
            let len = *view as u32 as usize;
            if len > SHORT_MAX {
                self.long(values.value(row).as_bytes(), *count);
                continue;
            }
            // A view of up to twelve bytes is length and text; a longer one says where the text is.
            let text = if len <= 12 {
                view >> 32
            } else {
                let mut sixteen = [0; 16];
                sixteen[..len].copy_from_slice(values.value(row).as_bytes());
                u128::from_le_bytes(sixteen)
            };
            self.short(text | (len as u128) << 120, *count);
        }
        self.entries += batch.num_rows();
        let (bytes, values) = (self.bytes.len() + self.short.len() * SHORT_MAX, self.ends.len() + self.short.len());
        if bytes < TALLY_BYTES && values < TALLY_VALUES {
            return Ok(None);
        }
        self.is_aside = self.entries < 2 * values;
        self.take(&batch.schema())
    }

    #[inline]
    fn short(&mut self, key: u128, count: i64) {
        let hasher = &self.hasher;
        match self.short.entry(hasher.hash_one(key), |(known, _)| *known == key, |(known, _)| hasher.hash_one(known)) {
            Entry::Occupied(mut known) => known.get_mut().1 += count,
            Entry::Vacant(free) => {
                free.insert((key, count));
            }
        }
    }

    fn long(&mut self, value: &[u8], count: i64) {
        let Self { hasher, long, bytes, ends, .. } = self;
        let text = |at: u32| {
            let at = at as usize;
            &bytes[at.checked_sub(1).map_or(0, |before| ends[before])..ends[at]]
        };
        let hash = hasher.hash_one(value);
        match long.entry(hash, |at| text(*at) == value, |at| hasher.hash_one(text(*at))) {
            Entry::Occupied(known) => self.counts[*known.get() as usize] += count,
            Entry::Vacant(free) => {
                free.insert(ends.len() as u32);
                self.bytes.extend_from_slice(value);
                self.ends.push(self.bytes.len());
                self.counts.push(count);
            }
        }
    }

    /// Gives what is added up; `None` when that is nothing.
    pub fn take(&mut self, schema: &SchemaRef) -> Result<Option<RecordBatch>> {
        let mut counts = std::mem::take(&mut self.counts);
        if counts.is_empty() && self.short.is_empty() && self.nulls == 0 {
            return Ok(None);
        }
        let (bytes, ends) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.ends));
        self.long.clear();
        self.entries = 0;
        let mut values = StringViewBuilder::with_capacity(ends.len() + self.short.len() + 1);
        let block = values.append_block(bytes.into());
        let mut from = 0;
        for end in ends {
            values.try_append_view(block, from as u32, (end - from) as u32)?;
            from = end;
        }
        counts.reserve(self.short.len() + 1);
        for (key, count) in self.short.drain() {
            let text = key.to_le_bytes();
            let len = usize::from(text[SHORT_MAX]).min(SHORT_MAX);
            values.append_value(std::str::from_utf8(&text[..len]).unwrap_or_default());
            counts.push(count);
        }
        if self.nulls > 0 {
            values.append_null();
            counts.push(std::mem::take(&mut self.nulls));
        }
        Ok(Some(RecordBatch::try_new(schema.clone(), vec![Arc::new(values.finish()), Arc::new(Int64Array::from(counts))])?))
    }
}

/// Rows of one column as the first half of the aggregation gives them: one each.
pub(crate) fn ones(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let ones = Int64Array::from(vec![1; batch.num_rows()]);
    Ok(RecordBatch::try_new(schema.clone(), vec![batch.column(0).clone(), Arc::new(ones)])?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use datafusion::arrow::{
        array::{DictionaryArray, Int32Array, StringArray, StringViewArray},
        datatypes::{Field, Schema},
    };

    use super::*;

    fn coded(values: &ArrayRef, keys: Vec<Option<i32>>) -> ArrayRef {
        Arc::new(DictionaryArray::<Int32Type>::new(Int32Array::from(keys), values.clone()))
    }

    #[test]
    fn codes_are_counted_until_the_dictionary_changes() {
        let one: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "never"]));
        let other: ArrayRef = Arc::new(StringArray::from(vec!["b"]));
        let mut counts = Counts::default();
        assert!(counts.add(&coded(&one, vec![Some(0), Some(1), None, Some(0)])).unwrap().is_none());
        assert!(counts.add(&coded(&one, vec![Some(1), None])).unwrap().is_none());
        let (values, numbers) = counts.add(&coded(&other, vec![Some(0)])).unwrap().unwrap();
        assert_eq!(values.as_string_view(), &StringViewArray::from(vec![Some("a"), Some("b"), None]));
        assert_eq!(numbers.values(), &[2, 2, 2]);
        let (values, numbers) = counts.take().unwrap().unwrap();
        assert_eq!((values.as_string_view().value(0), &numbers.values()[..]), ("b", &[1_i64][..]));
        assert!(counts.take().unwrap().is_none());
    }

    #[test]
    fn plain_text_counts_one_each() {
        let plain: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None, Some("a")]));
        let (values, numbers) = Counts::default().add(&plain).unwrap().unwrap();
        assert_eq!((values.len(), &numbers.values()[..]), (3, &[1_i64, 1, 1][..]));
    }

    fn counted(values: &[(Option<&str>, i64)]) -> RecordBatch {
        let schema = Schema::new(vec![Field::new("v", DataType::Utf8View, true), Field::new("n", DataType::Int64, true)]);
        let texts = StringViewArray::from_iter(values.iter().map(|(value, _)| *value));
        let numbers = Int64Array::from_iter_values(values.iter().map(|(_, count)| *count));
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(texts), Arc::new(numbers)]).unwrap()
    }

    fn read(batch: &RecordBatch) -> BTreeMap<Option<String>, i64> {
        let (texts, numbers) = (batch.column(0).as_string_view(), batch.column(1).as_primitive::<Int64Type>());
        texts.iter().map(|text| text.map(str::to_owned)).zip(numbers.values().iter().copied()).collect()
    }

    #[test]
    fn a_tally_gives_each_value_once() {
        let mut tally = Tally::default();
        let long = "a text that is longer than a view holds";
        let one = counted(&[(Some("x"), 2), (None, 1), (Some(long), 1), (Some(""), 4)]);
        assert!(tally.add(&one).unwrap().is_none());
        assert!(tally.add(&counted(&[(Some(long), 5), (Some("x"), 1), (None, 2)])).unwrap().is_none());
        let all = tally.take(&one.schema()).unwrap().unwrap();
        assert_eq!(all.num_rows(), 4);
        let wanted = [(Some("x".to_owned()), 3), (None, 3), (Some(long.to_owned()), 6), (Some(String::new()), 4)];
        assert_eq!(read(&all), BTreeMap::from(wanted));
        assert!(tally.take(&one.schema()).unwrap().is_none(), "given once");
        assert!(tally.add(&one).unwrap().is_none(), "and it begins anew");
        assert_eq!(read(&tally.take(&one.schema()).unwrap().unwrap())[&Some("x".to_owned())], 2);
    }

    #[test]
    fn a_tally_is_bounded_and_steps_aside_for_values_that_do_not_repeat() {
        let mut tally = Tally::default();
        let texts: Vec<String> = (0..TALLY_VALUES).map(|at| at.to_string()).collect();
        let all = counted(&texts.iter().map(|text| (Some(text.as_str()), 1)).collect::<Vec<_>>());
        assert_eq!(tally.add(&all).unwrap().unwrap().num_rows(), TALLY_VALUES);
        let one = counted(&[(Some("x"), 2), (Some("x"), 2)]);
        assert_eq!(tally.add(&one).unwrap().unwrap().num_rows(), 2, "as it came");
        assert!(tally.take(&one.schema()).unwrap().is_none());
    }
}
