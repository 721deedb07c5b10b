//! Events as columns: [`BlockBuilder`] takes scratches and gives one [`EventBatch`] per dataset.
//!
//! ```text
//! Event, Event, Event ──append──▶ { "sshd.auth": columns, "nginx.access": columns } ──finish──▶ EventBatch × datasets
//! ```
//!
//! Text columns are views; columns with few distinct values are interned while they are built, which spares memory and
//! gives `detect` a side array of codes: each distinct value needs testing once.

use std::{fmt::Write as _, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, StringViewArray, TimestampMicrosecondArray, make_view},
    buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{DataType, Field as ArrowField, Schema},
    record_batch::RecordBatch,
};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use std::hash::BuildHasher;

use crate::{Event, Field, Kind, Value, catalogue::field, scratch::ExtraName};

/// Columns outside the catalogue that one batch may have; further names go to the `residual` column.
pub const EXTRA_COLUMNS_MAX: usize = 512;

/// The code of a row without a value.
pub const CODE_NULL: u32 = u32::MAX;

/// The events of one processing block that share a dataset.
#[derive(Clone, Debug)]
pub struct EventBatch {
    pub dataset: String,
    /// Catalogue columns in the order of the catalogue, then columns outside it by name. Absent columns are all null.
    pub batch: RecordBatch,
    /// For each column of `batch`: its codes, where it was interned.
    pub codes: Vec<Option<Codes>>,
}

/// A text column as numbers: row `i` holds `distinct[codes[i]]`, or nothing where the code is [`CODE_NULL`].
#[derive(Clone, Debug)]
pub struct Codes {
    pub codes: Arc<[u32]>,
    pub distinct: StringViewArray,
}

/// Builds the batches of one processing block. Reused from block to block.
#[derive(Default)]
pub struct BlockBuilder {
    datasets: Vec<(&'static str, BatchBuilder)>,
    last: usize,
    /// Rows that each dataset had in the block before: so much room is made at once.
    rows: Vec<(&'static str, usize)>,
}

impl BlockBuilder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one event to the batch of its dataset.
    pub fn append(&mut self, event: &Event<'_>) {
        let dataset = event.dataset();
        if self.datasets.get(self.last).is_none_or(|(name, _)| *name != dataset) {
            self.last = match self.datasets.iter().position(|(name, _)| *name == dataset) {
                Some(at) => at,
                None => {
                    let expected = self.rows.iter().find(|(name, _)| *name == dataset).map_or(0, |(_, rows)| *rows);
                    self.datasets.push((dataset, BatchBuilder { expected, ..BatchBuilder::default() }));
                    self.datasets.len() - 1
                }
            };
        }
        self.datasets[self.last].1.append(event);
    }

    /// Returns the batches in order of first appearance and starts anew.
    pub fn finish(&mut self) -> Vec<EventBatch> {
        self.last = 0;
        self.rows.clear();
        self.rows.extend(self.datasets.iter().map(|(name, builder)| (*name, builder.rows)));
        self.datasets.drain(..).map(|(name, builder)| builder.finish(name)).collect()
    }
}

#[derive(Default)]
struct BatchBuilder {
    rows: usize,
    /// Rows to make room for.
    expected: usize,
    /// Indexed by `Field`; `None` until the first value.
    catalogue: Vec<Option<Column>>,
    extra: Extras,
    residual: String,
    name: String,
    text: String,
}

impl BatchBuilder {
    fn append(&mut self, event: &Event<'_>) {
        if self.catalogue.is_empty() {
            self.catalogue.resize_with(Field::COUNT, || None);
        }
        let row = self.rows;
        for (field, value) in event.fields() {
            self.set(row, *field, *value);
        }
        self.residual.clear();
        for (place, (name, value)) in event.extra().iter().enumerate() {
            if let Some(column) = self.extra.expected(place, name) {
                column.set(row, as_text(*value, &mut self.text));
                continue;
            }
            self.name.clear();
            self.name.push_str(name.prefix);
            self.name.push_str(name.key);
            if let Some(at) = self.set_extra(row, *value) {
                self.extra.expect(place, at);
            }
        }
        if !self.residual.is_empty() {
            self.residual.push('}');
            let column =
                self.catalogue[field::RESIDUAL.index()].get_or_insert_with(|| Column::new(field::RESIDUAL, self.expected));
            column.set_text(row, &self.residual);
        }
        if !event.problems().is_empty() || event.extra_lost() > 0 {
            self.set_problems(row, event);
        }
        self.rows += 1;
    }

    fn set(&mut self, row: usize, field: Field, value: Value<'_>) {
        let column = self.catalogue[field.index()].get_or_insert_with(|| Column::new(field, self.expected));
        if !column.set(row, value, &mut self.text) {
            // The value does not fit the column's type: it is kept as text beside it, never refused.
            self.name.clear();
            self.name.push_str(field.name());
            self.name.push_str("#str");
            let _ = self.set_extra(row, value);
        }
    }

    /// Sets the column that `self.name` names and returns its place, or adds to the residual when there are too many columns.
    fn set_extra(&mut self, row: usize, value: Value<'_>) -> Option<u32> {
        let text = as_text(value, &mut self.text);
        let at = self.extra.place(&self.name, self.expected);
        match at {
            Some(at) => self.extra.columns[at as usize].1.set(row, text),
            None => {
                self.residual.push(if self.residual.is_empty() { '{' } else { ',' });
                push_json(&mut self.residual, &self.name);
                self.residual.push(':');
                push_json(&mut self.residual, text);
            }
        }
        at
    }

    fn set_problems(&mut self, row: usize, event: &Event<'_>) {
        let mut text = event.problems().join("; ");
        if event.extra_lost() > 0 {
            let _ = write!(
                text,
                "{}{} fields beyond the limit left out",
                if text.is_empty() { "" } else { "; " },
                event.extra_lost()
            );
        }
        let column =
            self.catalogue[field::ERROR_MESSAGE.index()].get_or_insert_with(|| Column::new(field::ERROR_MESSAGE, self.expected));
        column.set_text(row, &text);
    }

    fn finish(self, dataset: &str) -> EventBatch {
        let rows = self.rows;
        let mut fields = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        let mut codes = Vec::new();
        for (field, column) in Field::all().zip(self.catalogue) {
            let Some(column) = column else { continue };
            let (array, code) = column.finish(rows);
            fields.push(ArrowField::new(field.name(), field.definition().data_type(), true));
            columns.push(array);
            codes.push(code);
        }
        let mut extra = self.extra.columns;
        extra.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (name, column) in extra {
            let (array, code) = column.finish(rows);
            fields.push(ArrowField::new(name.into_string(), DataType::Utf8View, true));
            columns.push(Arc::new(array));
            codes.push(code);
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("every column was filled to `rows`");
        EventBatch { dataset: dataset.to_owned(), batch, codes }
    }
}

/// Columns outside the catalogue. Events of one dataset mostly name the same fields in the same order, so that the place of a
/// name in the event before says its column, and nothing is hashed.
#[derive(Default)]
struct Extras {
    columns: Vec<(Box<str>, TextColumn)>,
    by_name: HashMap<Box<str>, u32>,
    /// Column of each place in the last events.
    order: Vec<u32>,
}

impl Extras {
    fn expected(&mut self, place: usize, name: &ExtraName<'_>) -> Option<&mut TextColumn> {
        let (known, column) = self.columns.get_mut(*self.order.get(place)? as usize)?;
        let key = known.as_bytes().strip_prefix(name.prefix.as_bytes())?;
        (key == name.key.as_bytes()).then_some(column)
    }

    fn expect(&mut self, place: usize, column: u32) {
        match self.order.get_mut(place) {
            Some(known) => *known = column,
            // Places before this one may be names that went to the residual.
            None => self.order.resize(place + 1, column),
        }
    }

    /// The column of a name, made when there is room.
    fn place(&mut self, name: &str, expected: usize) -> Option<u32> {
        if let Some(at) = self.by_name.get(name) {
            return Some(*at);
        }
        if self.columns.len() >= EXTRA_COLUMNS_MAX {
            return None;
        }
        let at = self.columns.len() as u32;
        self.columns.push((name.into(), TextColumn::new(true, expected)));
        self.by_name.insert(name.into(), at);
        Some(at)
    }
}

/// One catalogue column in the making.
enum Column {
    Text(TextColumn),
    List(ListColumn),
    Long(Numbers<i64>),
    Double(Numbers<f64>),
    Boolean(Numbers<bool>),
    Date(Numbers<i64>),
}

impl Column {
    fn new(field: Field, expected: usize) -> Self {
        let definition = field.definition();
        match definition.kind {
            Kind::Keyword | Kind::Text | Kind::Ip if definition.list => Self::List(ListColumn::new(expected)),
            Kind::Keyword | Kind::Text | Kind::Ip => Self::Text(TextColumn::new(definition.intern, expected)),
            Kind::Long => Self::Long(Numbers::new(expected)),
            Kind::Double => Self::Double(Numbers::new(expected)),
            Kind::Boolean => Self::Boolean(Numbers::new(expected)),
            Kind::Date => Self::Date(Numbers::new(expected)),
        }
    }

    /// Returns false when the value cannot be read as the column's type.
    fn set(&mut self, row: usize, value: Value<'_>, scratch: &mut String) -> bool {
        match self {
            Self::Text(column) => column.set(row, as_text(value, scratch)),
            Self::List(column) => column.push(row, as_text(value, scratch)),
            Self::Long(column) => match value {
                Value::Int(number) | Value::Time(number) => column.set(row, number),
                Value::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => column.set(row, number as i64),
                Value::Bool(flag) => column.set(row, i64::from(flag)),
                Value::Str(text) => match text.parse() {
                    Ok(number) => column.set(row, number),
                    Err(_) => return false,
                },
                _ => return false,
            },
            Self::Double(column) => match value {
                Value::Float(number) => column.set(row, number),
                Value::Int(number) => column.set(row, number as f64),
                Value::Str(text) => match text.parse() {
                    Ok(number) => column.set(row, number),
                    Err(_) => return false,
                },
                _ => return false,
            },
            Self::Boolean(column) => match value {
                Value::Bool(flag) => column.set(row, flag),
                Value::Str("true" | "1") => column.set(row, true),
                Value::Str("false" | "0") => column.set(row, false),
                _ => return false,
            },
            Self::Date(column) => match value {
                Value::Time(micros) | Value::Int(micros) => column.set(row, micros),
                _ => return false,
            },
        }
        true
    }

    fn set_text(&mut self, row: usize, text: &str) {
        match self {
            Self::Text(column) => column.set(row, text),
            Self::List(column) => column.push(row, text),
            _ => debug_assert!(false, "set_text on a number column"),
        }
    }

    fn finish(self, rows: usize) -> (ArrayRef, Option<Codes>) {
        match self {
            Self::Text(column) => {
                let (array, codes) = column.finish(rows);
                (Arc::new(array), codes)
            }
            Self::List(column) => (Arc::new(column.finish(rows)), None),
            Self::Long(column) => {
                let (values, nulls) = column.finish(rows);
                (Arc::new(Int64Array::new(values.into(), nulls)), None)
            }
            Self::Double(column) => {
                let (values, nulls) = column.finish(rows);
                (Arc::new(Float64Array::new(values.into(), nulls)), None)
            }
            Self::Boolean(column) => {
                let (values, nulls) = column.finish(rows);
                (Arc::new(BooleanArray::new(values.into(), nulls)), None)
            }
            Self::Date(column) => {
                let (values, nulls) = column.finish(rows);
                (Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC")), None)
            }
        }
    }
}

struct Numbers<T> {
    values: Vec<T>,
    valid: Vec<bool>,
}

impl<T: Copy + Default> Numbers<T> {
    fn new(expected: usize) -> Self {
        Self { values: Vec::with_capacity(expected), valid: Vec::with_capacity(expected) }
    }

    fn set(&mut self, row: usize, value: T) {
        self.fill(row + 1);
        self.values[row] = value;
        self.valid[row] = true;
    }

    fn fill(&mut self, rows: usize) {
        if self.values.len() < rows {
            self.values.resize(rows, T::default());
            self.valid.resize(rows, false);
        }
    }

    fn finish(mut self, rows: usize) -> (Vec<T>, Option<NullBuffer>) {
        self.fill(rows);
        (self.values, nulls(self.valid))
    }
}

/// Views over one growing buffer; interned while that pays.
struct TextColumn {
    views: Vec<u128>,
    valid: Vec<bool>,
    bytes: Vec<u8>,
    interner: Option<Interner>,
}

#[derive(Default)]
struct Interner {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    distinct: Vec<u128>,
    codes: Vec<u32>,
    /// Code of the value before: neighbours are often alike.
    last: u32,
}

impl TextColumn {
    fn new(intern: bool, expected: usize) -> Self {
        let interner = intern.then(|| Interner { codes: Vec::with_capacity(expected), ..Interner::default() });
        Self { views: Vec::with_capacity(expected), valid: Vec::with_capacity(expected), bytes: Vec::new(), interner }
    }

    fn set(&mut self, row: usize, text: &str) {
        self.fill(row + 1);
        self.valid[row] = true;
        let Some(interner) = &mut self.interner else {
            self.views[row] = push_view(&mut self.bytes, text);
            return;
        };
        if interner.distinct.get(interner.last as usize).is_some_and(|last| view_text(last, &self.bytes) == text.as_bytes()) {
            self.views[row] = interner.distinct[interner.last as usize];
            interner.codes[row] = interner.last;
            return;
        }
        let hash = interner.hasher.hash_one(text);
        let (distinct, bytes) = (&interner.distinct, &self.bytes);
        let found = interner.table.find(hash, |&code| view_text(&distinct[code as usize], bytes) == text.as_bytes()).copied();
        let code = found.unwrap_or_else(|| {
            let code = interner.distinct.len() as u32;
            interner.distinct.push(push_view(&mut self.bytes, text));
            let (distinct, bytes, hasher) = (&interner.distinct, &self.bytes, &interner.hasher);
            interner.table.insert_unique(hash, code, |&code| {
                let text = view_text(&distinct[code as usize], bytes);
                hasher.hash_one(std::str::from_utf8(text).expect("the buffer holds whole strings"))
            });
            code
        });
        self.views[row] = interner.distinct[code as usize];
        interner.codes[row] = code;
        interner.last = code;
        // Interning must earn its hash: with most values distinct it does not.
        if interner.distinct.len() > 128 && interner.distinct.len() * 2 > row {
            self.interner = None;
        }
    }

    fn fill(&mut self, rows: usize) {
        if self.views.len() < rows {
            self.views.resize(rows, 0);
            self.valid.resize(rows, false);
            if let Some(interner) = &mut self.interner {
                interner.codes.resize(rows, CODE_NULL);
            }
        }
    }

    fn finish(mut self, rows: usize) -> (StringViewArray, Option<Codes>) {
        self.fill(rows);
        let buffers: Vec<Buffer> = if self.bytes.is_empty() { vec![] } else { vec![self.bytes.into()] };
        let codes = self.interner.map(|interner| Codes {
            codes: interner.codes.into(),
            distinct: string_views(interner.distinct, buffers.clone(), None),
        });
        (string_views(self.views, buffers, nulls(self.valid)), codes)
    }
}

struct ListColumn {
    /// End of each row's elements.
    ends: Vec<i32>,
    valid: Vec<bool>,
    items: TextColumn,
}

impl ListColumn {
    fn new(expected: usize) -> Self {
        let (ends, valid) = (Vec::with_capacity(expected), Vec::with_capacity(expected));
        Self { ends, valid, items: TextColumn::new(false, expected) }
    }

    /// Appends an element to a row's list; an element that the row already has is not repeated.
    fn push(&mut self, row: usize, text: &str) {
        self.fill(row + 1);
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        let items = &self.items;
        if items.views[start..].iter().any(|view| view_text(view, &items.bytes) == text.as_bytes()) {
            return;
        }
        let at = self.items.views.len();
        self.items.set(at, text);
        self.ends[row] = at as i32 + 1;
        self.valid[row] = true;
    }

    fn fill(&mut self, rows: usize) {
        if self.ends.len() < rows {
            let end = self.ends.last().copied().unwrap_or(0);
            self.ends.resize(rows, end);
            self.valid.resize(rows, false);
        }
    }

    fn finish(mut self, rows: usize) -> ListArray {
        self.fill(rows);
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        offsets.extend(self.ends);
        let count = self.items.views.len();
        let (items, _) = self.items.finish(count);
        let item = Arc::new(ArrowField::new_list_field(DataType::Utf8View, true));
        ListArray::new(item, OffsetBuffer::new(offsets.into()), Arc::new(items), nulls(self.valid))
    }
}

fn string_views(views: Vec<u128>, buffers: Vec<Buffer>, nulls: Option<NullBuffer>) -> StringViewArray {
    // SAFETY: each view is either all zero (the empty string) or was made by `push_view` from a whole `str` that lies in
    // buffer 0 at the view's offset; the buffer only grew since.
    unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), buffers, nulls) }
}

fn push_view(bytes: &mut Vec<u8>, text: &str) -> u128 {
    let offset = bytes.len() as u32;
    if text.len() > 12 {
        bytes.extend_from_slice(text.as_bytes());
    }
    make_view(text.as_bytes(), 0, offset)
}

fn view_text<'a>(view: &'a u128, bytes: &'a [u8]) -> &'a [u8] {
    let len = (*view as u32) as usize;
    if len <= 12 {
        // Arrow's inline view: length in the first four bytes, text in the next twelve (little-endian layout).
        let raw: &[u8; 16] = zerocopy_view(view);
        &raw[4..4 + len]
    } else {
        let offset = (*view >> 96) as u32 as usize;
        &bytes[offset..offset + len]
    }
}

fn zerocopy_view(view: &u128) -> &[u8; 16] {
    // SAFETY: a u128 is sixteen initialised bytes, and u8 has no alignment or validity demands.
    unsafe { &*std::ptr::from_ref(view).cast::<[u8; 16]>() }
}

fn nulls(valid: Vec<bool>) -> Option<NullBuffer> {
    if valid.iter().all(|is_valid| *is_valid) { None } else { Some(NullBuffer::from(valid)) }
}

/// Writes a value as the text that columns outside the catalogue hold.
fn as_text<'a>(value: Value<'a>, scratch: &'a mut String) -> &'a str {
    scratch.clear();
    let written = match value {
        Value::Str(text) => return text,
        Value::Bool(flag) => return if flag { "true" } else { "false" },
        Value::Int(number) | Value::Time(number) => write!(scratch, "{number}"),
        Value::Float(number) => write!(scratch, "{number}"),
        Value::Ip(address) => write!(scratch, "{address}"),
    };
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
    scratch
}

fn push_json(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).expect("text is always valid JSON"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use bumpalo::Bump;

    fn column<'a>(batch: &'a EventBatch, name: &str) -> &'a ArrayRef {
        batch.batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"))
    }

    #[test]
    fn rows_line_up_over_late_and_missing_columns() {
        let arena = Bump::new();
        let mut event = Event::new(&arena);
        let mut builder = BlockBuilder::new();
        for i in 0..3_i64 {
            event.clear();
            event.set_dataset("a");
            if i == 1 {
                event.set(field::USER_NAME, "a user name longer than twelve bytes");
                event.set_ip(field::RELATED_IP, "10.0.0.1");
                event.set_ip(field::RELATED_IP, "10.0.0.1");
                event.set_ip(field::RELATED_IP, "::1");
            }
            event.set(field::SOURCE_PORT, i);
            event.set(field::SOURCE_PORT, i + 100);
            event.set_extra("v.", "k", "x");
            builder.append(&event);
        }
        let batches = builder.finish();
        assert_eq!(batches.len(), 1);
        let ports = column(&batches[0], "source.port").as_primitive::<arrow::datatypes::Int64Type>();
        assert_eq!(ports.values(), &[100, 101, 102]);
        let users = column(&batches[0], "user.name").as_string_view();
        assert_eq!(users.iter().collect::<Vec<_>>(), [None, Some("a user name longer than twelve bytes"), None]);
        let ips = column(&batches[0], "related.ip").as_list::<i32>();
        assert_eq!(ips.value(1).as_string_view().iter().flatten().collect::<Vec<_>>(), ["10.0.0.1", "::1"]);
        assert_eq!(column(&batches[0], "v.k").as_string_view().value(2), "x");
    }

    #[test]
    fn codes_name_each_distinct_value_once() {
        let arena = Bump::new();
        let mut event = Event::new(&arena);
        let mut builder = BlockBuilder::new();
        let words = ["a value of more than twelve", "b", "a value of more than twelve", "c", "b"];
        for word in words {
            event.clear();
            event.set(field::EVENT_ACTION, word);
            builder.append(&event);
        }
        let batch = builder.finish().remove(0);
        let at = batch.batch.schema().index_of("event.action").expect("column");
        let codes = batch.codes[at].as_ref().expect("interned");
        assert_eq!(&codes.codes[..], &[0, 1, 0, 2, 1]);
        let back: Vec<_> = codes.codes.iter().map(|code| codes.distinct.value(*code as usize)).collect();
        assert_eq!(back, words);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_kept_beside_the_column() {
        let arena = Bump::new();
        let mut event = Event::new(&arena);
        let mut builder = BlockBuilder::new();
        event.set(field::SOURCE_PORT, "ssh");
        builder.append(&event);
        let batch = builder.finish().remove(0);
        assert_eq!(column(&batch, "source.port#str").as_string_view().value(0), "ssh");
    }

    #[test]
    fn too_many_names_go_to_the_residual() {
        let arena = Bump::new();
        let names: Vec<String> = (0..EXTRA_COLUMNS_MAX + 2).map(|i| format!("n{i}")).collect();
        let mut event = Event::new(&arena);
        for name in &names {
            event.set_extra("", name, "v");
        }
        let mut builder = BlockBuilder::new();
        builder.append(&event);
        let batch = builder.finish().remove(0);
        assert_eq!(column(&batch, "residual").as_string_view().value(0), r#"{"n512":"v","n513":"v"}"#);
    }
}
