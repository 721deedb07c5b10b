//! What the hunt page asks: rows, histogram, facets, one event, the list of fields. Each is SQL that can be shown.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use datafusion::arrow::{
    array::{Array, AsArray},
    compute::cast,
    datatypes::{DataType, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType},
    record_batch::RecordBatch,
};
use event::{Field, Kind, Micros, Scope, field};
use futures::StreamExt;

use crate::{
    engine::Engine,
    error::{Error, ErrorKind, Result, nearest},
    limits::Limits,
    rows::{Collected, Stats},
    search::{Fields, SearchError, Shape, Type, Window, compile, compile_with, conditions, name, sql_text, sql_time},
    tables::type_name,
};

/// A question of the search box.
#[derive(Clone, Debug, Default)]
pub struct HuntRequest {
    /// Search text.
    pub q: String,
    pub from: Option<Micros>,
    pub to: Option<Micros>,
    /// Rows wanted; at least 1 is given.
    pub limit: usize,
    /// Continue behind this row of the page before.
    pub before: Option<Before>,
}

/// The last row of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    pub timestamp: Micros,
    pub id: String,
}

/// A page of events, newest first, or the table that commands made of them.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The question as SQL.
    pub sql: String,
    /// What the rows are.
    pub shape: Shape,
    /// Of events: columns that have a value in some row, in the order of the catalogue. Of a table: all, in its order.
    pub columns: Vec<ColumnInfo>,
    pub rows: Vec<RecordBatch>,
    pub complete: bool,
    pub reason: Option<String>,
    pub stats: Stats,
    /// Where the next page begins, when there may be one.
    pub next: Option<Before>,
}

/// A column for a table head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnInfo {
    pub name: String,
    pub r#type: String,
    pub label_vi: String,
    pub label_en: String,
}

/// A field of events, for completion and reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    pub column: ColumnInfo,
    pub doc: String,
}

#[derive(Clone, Debug, Default)]
pub struct HistogramRequest {
    pub q: String,
    pub from: Micros,
    pub to: Micros,
    /// Bars wanted; the interval is rounded up to one that people know.
    pub buckets: usize,
    /// Split each bar by this field.
    pub by: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    pub interval_ms: i64,
    /// Without gaps, from `from` to `to`.
    pub buckets: Vec<Bucket>,
    pub total: u64,
    pub sql: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Beginning of the bucket.
    pub t: Micros,
    pub n: u64,
    /// With `by`: how many events of each value; events without one are in `n` only.
    pub parts: Vec<(String, u64)>,
}

#[derive(Clone, Debug, Default)]
pub struct FacetsRequest {
    pub q: String,
    pub from: Option<Micros>,
    pub to: Option<Micros>,
    /// Empty: the usual ones.
    pub fields: Vec<String>,
    /// Values per field; 0 means 10.
    pub values: usize,
}

/// The most frequent values of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    pub field: ColumnInfo,
    pub values: Vec<(String, u64)>,
    /// Values (list elements counted one by one) that are not in `values`.
    pub other: u64,
}

/// Facets that the page shows unasked.
const FACETS: [Field; 10] = [
    field::EVENT_DATASET,
    field::EVENT_ACTION,
    field::EVENT_OUTCOME,
    field::SYSTEM_ID,
    field::HOST_NAME,
    field::SOURCE_IP,
    field::DESTINATION_IP,
    field::DESTINATION_PORT,
    field::USER_NAME,
    field::CHIENG_SOURCE,
];

/// Facets in one request.
const FACETS_MAX: usize = 40;

/// Distinct values held per field while counting; what comes later is counted as other.
const FACET_VALUES_MAX: usize = 100_000;

/// Intervals of histograms, in seconds.
const INTERVALS: [i64; 20] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000];

const HISTOGRAM_PARTS_MAX: usize = 8;

/// Fields that one asker can name, for the search language.
pub(crate) struct Seen {
    names: BTreeSet<String>,
    tables: Vec<(String, SchemaRef)>,
}

impl Fields for Seen {
    fn kind(&self, name: &str) -> Option<(Kind, bool)> {
        if let Some(field) = Field::by_name(name) {
            return Some((field.definition().kind, field.definition().list));
        }
        self.names.contains(name).then_some((Kind::Keyword, false))
    }

    fn nearest(&self, name: &str) -> Option<String> {
        nearest(name, Field::all().map(|field| -> &str { field.name() }).chain(self.names.iter().map(String::as_str)))
            .map(str::to_owned)
    }

    fn names(&self) -> Vec<String> {
        Field::all().map(|field| field.name().to_owned()).chain(self.names.iter().cloned()).collect()
    }

    fn table(&self, name: &str) -> Option<Vec<(String, Type)>> {
        let (_, schema) = self.tables.iter().find(|(table, _)| table == name)?;
        Some(schema.fields().iter().filter_map(|column| Some((column.name().clone(), type_of(column.data_type())?))).collect())
    }

    fn tables(&self) -> Vec<String> {
        self.tables.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// The type of a small table's column, as the search language knows it; `None` for what it does not.
fn type_of(data_type: &DataType) -> Option<Type> {
    Some(match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => Type::Text,
        DataType::Boolean => Type::Boolean,
        DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) => Type::Double,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Type::Date,
        DataType::List(_) => Type::List,
        data_type if data_type.is_integer() => Type::Long,
        _ => return None,
    })
}

/// Why a question of the hunt page has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HuntError {
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error(transparent)]
    Query(#[from] Error),
}

type HuntResult<T> = std::result::Result<T, HuntError>;

impl Engine {
    /// Compiles a search text with the fields that this asker can name.
    pub fn compile(&self, scope: &Scope, q: &str, window: &Window) -> std::result::Result<crate::search::Compiled, SearchError> {
        compile(q, &self.seen(scope), window)
    }

    pub(crate) fn seen(&self, scope: &Scope) -> Seen {
        let view = self.view(scope);
        let extra = view.schema.fields().iter().skip(Field::COUNT).map(|column| column.name().clone());
        Seen { names: extra.collect(), tables: self.small_tables(scope) }
    }

    /// Events that match, newest first; or, with commands, what these make of them.
    pub async fn hunt(self: &Arc<Self>, scope: &Scope, request: HuntRequest) -> HuntResult<Hunt> {
        let limit = request.limit.clamp(1, self.limits().rows_max);
        let window = Window { from: request.from, to: request.to, limit: None };
        let behind = request.before.as_ref().map(|before| {
            let (time, id) = (sql_time(before.timestamp), sql_text(&before.id));
            format!("(timestamp < {time} OR (timestamp = {time} AND event.id < {id}))")
        });
        let seen = self.seen(scope);
        let mut compiled = compile_with(&request.q, &seen, &window, behind.as_deref())?;
        let is_page = compiled.shape == Shape::Events;
        if is_page {
            let window = Window { limit: Some(limit), ..window };
            compiled = compile_with(&request.q, &seen, &window, behind.as_deref())?;
        }
        let answer = self.sql(scope, &compiled.sql, None).await?.collect().await?;
        let next = if is_page && answer.num_rows() == limit { last_row(&answer) } else { None };
        Ok(Hunt {
            sql: compiled.sql,
            shape: compiled.shape,
            columns: if is_page { columns(&answer) } else { table_columns(&answer) },
            rows: answer.batches,
            complete: answer.complete,
            reason: answer.reason,
            stats: answer.stats,
            next,
        })
    }

    /// How many events match, over time.
    pub async fn histogram(self: &Arc<Self>, scope: &Scope, request: HistogramRequest) -> HuntResult<Histogram> {
        let (from, to) = (request.from, request.to);
        if from >= to {
            return Err(Error::new(ErrorKind::Invalid, "the time range ends before it begins").into());
        }
        let window = Window { from: Some(from), to: Some(to), limit: None };
        let compiled = self.compile(scope, &request.q, &window)?;
        let seconds = interval(to.saturating_sub(from), request.buckets);
        let filter = conditions(&compiled.where_sql, &window);
        let bin = format!("date_bin(INTERVAL '{seconds} seconds', timestamp, '1970-01-01T00:00:00Z')");
        let by = request.by.as_deref().map(|by| self.scalar_field(scope, by)).transpose()?;
        let sql = match &by {
            None => format!("SELECT {bin} AS t, count(*) AS n FROM events WHERE {filter} GROUP BY 1 ORDER BY 1"),
            Some(by) => {
                format!("SELECT {bin} AS t, count(*) AS n, {by} AS part FROM events WHERE {filter} GROUP BY 1, 3 ORDER BY 1")
            }
        };
        let limits = Limits { rows_max: 1_000_000, ..self.limits().clone() };
        let answer = self.sql(scope, &sql, Some(limits)).await?.collect().await?;
        Ok(histogram(&answer, from, to, seconds, sql)?)
    }

    /// The most frequent values of several fields, in one pass over the events.
    pub async fn facets(self: &Arc<Self>, scope: &Scope, request: FacetsRequest) -> HuntResult<Vec<Facet>> {
        let window = Window { from: request.from, to: request.to, limit: None };
        let compiled = self.compile(scope, &request.q, &window)?;
        let mut fields = request.fields;
        if fields.is_empty() {
            fields = FACETS.iter().map(|field| field.name().to_owned()).collect();
        }
        if fields.len() > FACETS_MAX {
            return Err(Error::new(ErrorKind::Limit, format!("at most {FACETS_MAX} facets at once")).into());
        }
        let known = self.seen(scope);
        let mut names = Vec::new();
        for field in &fields {
            known.kind(field).ok_or_else(|| unknown_field(field, &known))?;
            names.push(name(field));
        }
        let condition = conditions(&compiled.where_sql, &window);
        let filter = if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") };
        let sql = format!("SELECT {} FROM events{filter}", names.join(", "));
        let mut counts: Vec<Counts> = fields.iter().map(|_| Counts::default()).collect();
        let mut rows = self.sql(scope, &sql, None).await?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            for (counts, array) in counts.iter_mut().zip(batch.columns()) {
                counts.add(array)?;
            }
        }
        let wanted = if request.values == 0 { 10 } else { request.values };
        Ok(fields.iter().zip(counts).map(|(field, counts)| counts.finish(field, wanted)).collect())
    }

    /// One event with all its columns; `None` when there is none of that id in scope.
    pub async fn event_by_id(self: &Arc<Self>, scope: &Scope, id: &str) -> Result<Option<RecordBatch>> {
        let sql = format!("SELECT * FROM events WHERE event.id = {} LIMIT 1", sql_text(id));
        let answer = self.sql(scope, &sql, None).await?.collect().await?;
        Ok(answer.batches.into_iter().find(|batch| batch.num_rows() > 0))
    }

    /// Every field that this asker can name: the catalogue, then names that stored events brought.
    pub fn fields(&self, scope: &Scope) -> Vec<FieldInfo> {
        let view = self.view(scope);
        let describe = |name: &str| FieldInfo {
            column: column_info(name),
            doc: Field::by_name(name).map_or_else(String::new, |field| field.definition().doc.to_owned()),
        };
        view.schema.fields().iter().map(|column| describe(column.name())).collect()
    }

    /// The same names, if this asker can name them all.
    pub(crate) fn known(&self, scope: &Scope, names: Vec<String>) -> Result<Vec<String>> {
        let known = self.seen(scope);
        match names.iter().find(|name| known.kind(name).is_none()) {
            Some(unknown) => Err(unknown_field(unknown, &known)),
            None => Ok(names),
        }
    }

    /// A field as SQL that can be grouped by: lists cannot.
    fn scalar_field(&self, scope: &Scope, field: &str) -> Result<String> {
        let known = self.seen(scope);
        match known.kind(field) {
            Some((_, false)) => Ok(name(field)),
            Some((_, true)) => Err(Error::new(ErrorKind::Invalid, format!("{field} is a list and cannot split a histogram"))),
            None => Err(unknown_field(field, &known)),
        }
    }
}

fn unknown_field(field: &str, known: &Seen) -> Error {
    let error = Error::new(ErrorKind::Unknown, format!("unknown field {field}"));
    match known.nearest(field) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error,
    }
}

/// Name, type and labels of a column; outside the catalogue the name is its own label.
pub(crate) fn column_info(name: &str) -> ColumnInfo {
    let definition = Field::by_name(name).map(Field::definition);
    ColumnInfo {
        name: name.to_owned(),
        r#type: type_name(name).to_owned(),
        label_vi: definition.map_or(name, |definition| definition.label_vi).to_owned(),
        label_en: definition.map_or(name, |definition| definition.label_en).to_owned(),
    }
}

pub(crate) fn columns(answer: &Collected) -> Vec<ColumnInfo> {
    let has_value = |at: usize| answer.batches.iter().any(|batch| batch.column(at).null_count() < batch.num_rows());
    let fields = answer.schema.fields().iter().enumerate().filter(|(at, _)| has_value(*at));
    fields.map(|(_, column)| column_info(column.name())).collect()
}

/// All columns in their order; what is computed has the type that came out.
pub(crate) fn table_columns(answer: &Collected) -> Vec<ColumnInfo> {
    let describe = |column: &Arc<datafusion::arrow::datatypes::Field>| {
        let mut info = column_info(column.name());
        if Field::by_name(column.name()).is_none() {
            info.r#type = match type_of(column.data_type()) {
                Some(Type::Long) => "long",
                Some(Type::Double) => "double",
                Some(Type::Boolean) => "boolean",
                Some(Type::Date) => "date",
                Some(Type::List) => "text list",
                _ => "text",
            }
            .to_owned();
        }
        info
    };
    answer.schema.fields().iter().map(describe).collect()
}

fn last_row(answer: &Collected) -> Option<Before> {
    let batch = answer.batches.iter().rev().find(|batch| batch.num_rows() > 0)?;
    let row = batch.num_rows() - 1;
    let times = batch.column_by_name(field::TIMESTAMP.name())?.as_primitive_opt::<TimestampMicrosecondType>()?;
    let ids = batch.column_by_name(field::EVENT_ID.name())?.as_string_view_opt()?;
    (times.is_valid(row) && ids.is_valid(row)).then(|| Before { timestamp: times.value(row), id: ids.value(row).to_owned() })
}

/// Seconds of a bucket, so that there are about as many as wanted.
pub(crate) fn interval(span: Micros, buckets: usize) -> i64 {
    let wanted = (span / 1_000_000) / (buckets.clamp(1, 1000) as i64);
    INTERVALS.into_iter().find(|seconds| *seconds >= wanted).unwrap_or_else(|| (wanted / 2_592_000 + 1) * 2_592_000)
}

fn histogram(answer: &Collected, from: Micros, to: Micros, seconds: i64, sql: String) -> Result<Histogram> {
    let width = seconds * 1_000_000;
    let first = from.div_euclid(width) * width;
    let count = ((to - first) as u64).div_ceil(width as u64) as usize;
    let mut buckets: Vec<Bucket> = (0..count).map(|at| Bucket { t: first + at as i64 * width, ..Bucket::default() }).collect();
    let mut totals: HashMap<String, u64> = HashMap::new();
    let mut total = 0;
    for batch in &answer.batches {
        let times = cast(batch.column(0), &DataType::Timestamp(TimeUnit::Microsecond, None)).map_err(failed)?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let counts = batch.column(1).as_primitive::<Int64Type>();
        let parts = batch.columns().get(2).map(|parts| cast(parts, &DataType::Utf8View)).transpose().map_err(failed)?;
        for row in 0..batch.num_rows() {
            let n = counts.value(row).unsigned_abs();
            let Some(bucket) = buckets.get_mut((times.value(row) - first).div_euclid(width) as usize) else { continue };
            bucket.n += n;
            total += n;
            if let Some(parts) = &parts
                && parts.is_valid(row)
            {
                let part = parts.as_string_view().value(row);
                *totals.entry(part.to_owned()).or_default() += n;
                bucket.parts.push((part.to_owned(), n));
            }
        }
    }
    keep_largest_parts(&mut buckets, totals);
    Ok(Histogram { interval_ms: seconds * 1000, buckets, total, sql })
}

/// Keeps the values that are largest over the whole range; the rest is in `n` only.
fn keep_largest_parts(buckets: &mut [Bucket], totals: HashMap<String, u64>) {
    let mut order: Vec<(String, u64)> = totals.into_iter().collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    order.truncate(HISTOGRAM_PARTS_MAX);
    for bucket in buckets {
        bucket.parts.retain(|(part, _)| order.iter().any(|(kept, _)| kept == part));
        bucket.parts.sort_by_key(|(part, _)| order.iter().position(|(kept, _)| kept == part));
    }
}

fn failed(error: datafusion::arrow::error::ArrowError) -> Error {
    Error::failed(error.to_string())
}

/// Counts of one facet.
#[derive(Default)]
struct Counts {
    values: HashMap<String, u64>,
    uncounted: u64,
}

impl Counts {
    fn add(&mut self, array: &datafusion::arrow::array::ArrayRef) -> Result<()> {
        let items = match array.as_list_opt::<i32>() {
            // Elements outside the lists' own range belong to other slices.
            Some(lists) => {
                let (first, last) = (lists.value_offsets()[0] as usize, lists.value_offsets()[lists.len()] as usize);
                lists.values().slice(first, last - first)
            }
            None => array.clone(),
        };
        let texts = cast(&items, &DataType::Utf8View).map_err(failed)?;
        for text in texts.as_string_view().iter().flatten() {
            if let Some(count) = self.values.get_mut(text) {
                *count += 1;
            } else if self.values.len() < FACET_VALUES_MAX {
                self.values.insert(text.to_owned(), 1);
            } else {
                self.uncounted += 1;
            }
        }
        Ok(())
    }

    fn finish(self, field: &str, wanted: usize) -> Facet {
        let mut values: Vec<(String, u64)> = self.values.into_iter().collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let other = values.iter().skip(wanted).map(|(_, count)| count).sum::<u64>() + self.uncounted;
        values.truncate(wanted);
        Facet { field: column_info(field), values, other }
    }
}
