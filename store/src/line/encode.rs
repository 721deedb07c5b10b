//! From logical rows to physical ones: lines become shapes and residual variables, columns that repeat others go away.
//!
//! The fast path walks the line along a shape that was met before and compares every byte; the slow path
//! ([`super::build`]) makes a new shape and is bounded per dataset. A row that no shape fits keeps its plain line. The walk is the proof:
//! it accepts a row only when the bytes that decoding puts out equal the line, piece by piece.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Int64Array, Int64Builder, StringViewBuilder, UInt32Array,
        builder::{ArrayBuilder as _, BooleanBufferBuilder},
    },
    datatypes::{DataType, Field as ArrowField, Schema},
    error::ArrowError,
    record_batch::RecordBatch,
};
use event::{Field, field};
use hashbrown::HashMap as FastMap;

use super::{
    COLUMN_INDEX, COLUMN_SEQUENCE, COLUMN_TIME, build,
    cells::Cells,
    derive::{Learned as LearnedColumns, Sets},
    search::is_of_address,
    slot_name,
    template::{Form, Names, Piece, SHAPE_BYTES_MAX, SLOTS_MAX, Shape, UNIT, json_escaped},
    time::{Memo, push_number},
};

/// Lines that one dataset may have shapes for; then only coarse ones are made, then none.
const LINES_MAX: usize = 192;
const LINES_COARSE_MAX: usize = 224;
/// Rows without a fitting shape after which none is tried any more, per batch: hostile lines must not cost time.
const BUILDS_MAX: usize = 128;

/// The code of a row without a shape.
pub(crate) const NO_SHAPE: u32 = u32::MAX;

/// Rows in their physical form.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    /// All physical columns but the shape; those without a value are left out.
    pub batch: RecordBatch,
    /// For each row the number of its shape ([`Encoder::shape`]), or [`NO_SHAPE`].
    pub shapes: Vec<u32>,
}

/// Learns the shapes of datasets and encodes rows.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// What precedes sequence and index in `event.id`.
    id_prefix: String,
    names: Names,
    datasets: HashMap<String, Dataset>,
    shapes: Vec<String>,
    codes: FastMap<(u32, u32, u32), u32>,
}

/// What is known of one dataset.
#[derive(Debug, Default)]
struct Dataset {
    number: u32,
    lines: Vec<Vec<Piece>>,
    /// Most recently used first.
    order: Vec<u32>,
    columns: LearnedColumns,
}

/// What a walk along a shape found out.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub slots: Vec<(u32, u32)>,
    pub time: Option<i64>,
    pub message: Option<(u32, u32)>,
    memo: Memo,
    scratch: Vec<u8>,
}

/// The columns of a batch by number, and the line to walk.
pub(super) struct Row<'a, 'c> {
    pub cells: &'c [Cells<'a>],
    pub row: usize,
    pub line: &'a str,
    pub message: Option<&'a str>,
    pub timestamp: Option<i64>,
}

impl Encoder {
    pub fn new(node: &str) -> Self {
        Self {
            id_prefix: format!("{node}-"),
            names: Names::default(),
            datasets: HashMap::new(),
            shapes: Vec::new(),
            codes: FastMap::new(),
        }
    }

    /// The text of a shape that was given out.
    pub fn shape(&self, code: u32) -> &str {
        &self.shapes[code as usize]
    }

    /// Encodes rows of one dataset.
    pub fn encode(&mut self, dataset: &str, batch: &RecordBatch) -> Result<Encoded, ArrowError> {
        let number = self.datasets.len() as u32;
        let known = self.datasets.entry(dataset.to_owned()).or_insert_with(|| Dataset { number, ..Dataset::default() });
        let numbers: Vec<u32> = batch.schema_ref().fields().iter().map(|column| self.names.number(column.name())).collect();
        let mut cells = vec![Cells::Other; self.names.len()];
        for (number, array) in numbers.iter().zip(batch.columns()) {
            cells[*number as usize] = Cells::of(array);
        }
        let sets = known.columns.derive(batch, &cells, &mut self.names);
        // Learning may have numbered further names.
        cells.resize(self.names.len(), Cells::Other);
        // A search leaves columns of addresses unread by what addresses are made of: lines take nothing else from them.
        for (number, column) in numbers.iter().zip(batch.schema_ref().fields()) {
            let is_ip = Field::by_name(column.name()).is_some_and(|field| field.definition().kind == event::Kind::Ip);
            if is_ip && !are_addresses(&cells[*number as usize]) {
                cells[*number as usize] = Cells::Other;
            }
        }
        let lines = encode_lines(known, &self.names, &numbers, batch, &cells);
        let mut shapes = Vec::with_capacity(batch.num_rows());
        let mut last = ((u32::MAX, u32::MAX), NO_SHAPE);
        for row in 0..batch.num_rows() {
            let key = (lines.codes[row], sets.row(row));
            if key != last.0 {
                last = (key, self.code(number_of(&self.datasets, dataset), key.0, key.1, dataset, &sets));
            }
            shapes.push(last.1);
        }
        let batch = physical(&self.id_prefix, batch, &sets, lines)?;
        Ok(Encoded { batch, shapes })
    }

    /// The number of (line, derived columns) as one shape.
    fn code(&mut self, number: u32, line: u32, set: u32, dataset: &str, sets: &Sets) -> u32 {
        if line == NO_SHAPE && sets.is_empty(set) {
            return NO_SHAPE;
        }
        if let Some(code) = self.codes.get(&(number, line, set)) {
            return *code;
        }
        let pieces = (line != NO_SHAPE).then(|| self.datasets[dataset].lines[line as usize].clone());
        let shape = Shape { line: pieces, derived: sets.derived(set).to_vec() };
        let code = self.shapes.len() as u32;
        self.shapes.push(shape.to_text(&self.names));
        self.codes.insert((number, line, set), code);
        code
    }
}

/// True when all texts of a column are made of what addresses are made of.
fn are_addresses(cells: &Cells<'_>) -> bool {
    let is_one = |text: Option<&str>| text.is_none_or(|text| text.as_bytes().iter().all(is_of_address));
    match cells {
        Cells::Coded { values, .. } => values.value_data().iter().all(is_of_address),
        Cells::Text(texts) => texts.iter().all(is_one),
        _ => true,
    }
}

fn number_of(datasets: &HashMap<String, Dataset>, dataset: &str) -> u32 {
    datasets[dataset].number
}

/// The line part of a batch.
struct Lines {
    /// Number of the dataset's line for each row.
    codes: Vec<u32>,
    slots: Vec<StringViewBuilder>,
    slots_used: usize,
    time: Int64Builder,
    has_time: bool,
    /// Rows whose message lies in the line.
    has_message: BooleanBufferBuilder,
}

fn encode_lines(known: &mut Dataset, names: &Names, numbers: &[u32], batch: &RecordBatch, cells: &[Cells<'_>]) -> Lines {
    let rows = batch.num_rows();
    let original = Cells::by_name(batch, field::EVENT_ORIGINAL.name());
    let messages = Cells::by_name(batch, field::MESSAGE.name());
    let timestamps = Cells::by_name(batch, field::TIMESTAMP.name());
    let mut lines = Lines {
        codes: Vec::with_capacity(rows),
        slots: Vec::new(),
        slots_used: 0,
        time: Int64Builder::with_capacity(rows),
        has_time: false,
        has_message: BooleanBufferBuilder::new(rows),
    };
    let mut found = Found::default();
    let mut builds = 0;
    let mut joined = String::new();
    for row in 0..rows {
        let line = original.text(row);
        let matched = line.and_then(|line| {
            let row = Row { cells, row, line, message: messages.text(row), timestamp: timestamps.date(row) };
            known.find(&row, &mut found).or_else(|| {
                builds += 1;
                if builds > BUILDS_MAX {
                    return None;
                }
                known.learn(&row, names, numbers, &mut found)
            })
        });
        let Some((code, line)) = matched.zip(line) else {
            lines.codes.push(NO_SHAPE);
            lines.time.append_null();
            lines.has_message.append(false);
            continue;
        };
        lines.codes.push(code);
        lines.has_message.append(found.message.is_some());
        lines.has_time |= found.time.is_some();
        lines.time.append_option(found.time);
        lines.push_slots(row, line, &found.slots, &mut joined);
    }
    lines
}

impl Lines {
    fn push_slots(&mut self, row: usize, line: &str, slots: &[(u32, u32)], joined: &mut String) {
        while self.slots.len() < slots.len().min(SLOTS_MAX) {
            self.slots.push(StringViewBuilder::new());
        }
        let text = |slot: &(u32, u32)| &line[slot.0 as usize..slot.1 as usize];
        for (at, slot) in slots.iter().take(SLOTS_MAX).enumerate() {
            let builder = &mut self.slots[at];
            while builder.len() < row {
                builder.append_null();
            }
            if at + 1 == SLOTS_MAX && slots.len() > SLOTS_MAX {
                joined.clear();
                for (at, slot) in slots[at..].iter().enumerate() {
                    if at > 0 {
                        joined.push(UNIT);
                    }
                    joined.push_str(text(slot));
                }
                builder.append_value(&*joined);
            } else {
                builder.append_value(text(slot));
            }
        }
        self.slots_used = self.slots_used.max(slots.len().min(SLOTS_MAX));
    }
}

impl Dataset {
    /// Finds the line shape that the row fits, the most recently used first.
    fn find(&mut self, row: &Row<'_, '_>, found: &mut Found) -> Option<u32> {
        for at in 0..self.order.len() {
            let code = self.order[at];
            if walk(&self.lines[code as usize], row, found) {
                if at > 0 {
                    self.order[..=at].rotate_right(1);
                }
                return Some(code);
            }
        }
        None
    }

    fn learn(&mut self, row: &Row<'_, '_>, names: &Names, numbers: &[u32], found: &mut Found) -> Option<u32> {
        if row.line.len() > SHAPE_BYTES_MAX / 2 {
            return None;
        }
        for coarse in [false, true] {
            if self.lines.len() >= if coarse { LINES_COARSE_MAX } else { LINES_MAX } {
                continue;
            }
            let Some(pieces) = build::line(row, names, numbers, &self.columns, coarse) else { continue };
            // What is built is only trusted when the row fits it and it can be read back.
            let text = Shape { line: Some(pieces.clone()), derived: Vec::new() }.to_text(names);
            let is_readable = Shape::parse(&text, &mut names.clone()).is_ok_and(|shape| shape.line.as_ref() == Some(&pieces));
            if is_readable && walk(&pieces, row, found) {
                let code = self.lines.len() as u32;
                self.lines.push(pieces);
                self.order.insert(0, code);
                return Some(code);
            }
        }
        None
    }
}

/// Compares a line with a shape; true when they agree on every byte.
pub(super) fn walk(pieces: &[Piece], row: &Row<'_, '_>, found: &mut Found) -> bool {
    let line = row.line.as_bytes();
    found.slots.clear();
    found.time = None;
    found.message = None;
    let mut begin = None;
    let mut at = 0;
    for (index, piece) in pieces.iter().enumerate() {
        let rest = &line[at..];
        match piece {
            Piece::Text(text) => {
                if !rest.starts_with(text.as_bytes()) {
                    return false;
                }
                at += text.len();
            }
            Piece::Copy(column, form) => match copy_len(rest, row, *column, *form, found) {
                Some(len) => at += len,
                None => return false,
            },
            Piece::Slot => {
                let Some(len) = slot_len(rest, &pieces[index + 1..], row) else { return false };
                if rest[..len].contains(&(UNIT as u8)) || !row.line.is_char_boundary(at + len) {
                    return false;
                }
                found.slots.push((at as u32, (at + len) as u32));
                at += len;
            }
            Piece::Time(wanted) => {
                let Some((form, micros, len)) = super::time::TimeForm::read(rest) else { return false };
                let Some(value) = micros.checked_sub(row.timestamp.unwrap_or(0)) else { return false };
                if form != *wanted {
                    return false;
                }
                found.time = Some(value);
                at += len;
            }
            Piece::Begin => begin = Some(at),
            Piece::End => {
                let Some((begin, message)) = begin.zip(row.message) else { return false };
                if line[begin..at] != *message.as_bytes() {
                    return false;
                }
                found.message = Some((begin as u32, at as u32));
            }
        }
    }
    at == line.len()
        && (found.message.is_some() || row.message.is_none_or(|message| memchr::memmem::find(line, message.as_bytes()).is_none()))
}

/// Bytes of a column's value at the start of `rest`, if it is there.
#[inline]
fn copy_len(rest: &[u8], row: &Row<'_, '_>, column: u32, form: Form, found: &mut Found) -> Option<usize> {
    let cells = &row.cells[column as usize];
    match form {
        Form::Verbatim => {
            if let Some(text) = cells.text(row.row) {
                return rest.starts_with(text.as_bytes()).then_some(text.len());
            }
            let number = cells.long(row.row)?;
            found.scratch.clear();
            push_number(&mut found.scratch, number);
        }
        Form::Json => {
            let mut at = 0;
            let is_there = json_escaped(cells.text(row.row)?, |part| {
                let is_next = rest[at..].starts_with(part);
                at += part.len();
                is_next
            });
            return is_there.then_some(at);
        }
        Form::Time(form) => {
            let micros = cells.date(row.row)?;
            found.scratch.clear();
            if !form.render(micros, &mut found.memo, &mut found.scratch) {
                return None;
            }
        }
    }
    rest.starts_with(&found.scratch).then_some(found.scratch.len())
}

/// Where a residual variable ends: before the next piece's first occurrence.
fn slot_len(rest: &[u8], next: &[Piece], row: &Row<'_, '_>) -> Option<usize> {
    match next.iter().find(|piece| !matches!(piece, Piece::Begin | Piece::End)) {
        None => Some(rest.len()),
        Some(Piece::Text(text)) => {
            let (text, first) = (text.as_bytes(), *text.as_bytes().first()?);
            memchr::memchr_iter(first, rest).find(|at| rest[*at..].starts_with(text))
        }
        Some(Piece::Copy(column, Form::Verbatim)) => {
            memchr::memmem::find(rest, row.cells[*column as usize].text(row.row)?.as_bytes())
        }
        _ => None,
    }
}

/// Puts the physical columns together.
fn physical(id_prefix: &str, batch: &RecordBatch, sets: &Sets, lines: Lines) -> Result<RecordBatch, ArrowError> {
    let rows = batch.num_rows();
    let mut fields = Vec::with_capacity(batch.num_columns() + 4);
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns() + 4);
    let mut push = |name: &str, array: ArrayRef| {
        if array.null_count() < array.len() {
            fields.push(ArrowField::new(name, array.data_type().clone(), true));
            columns.push(array);
        }
    };
    for (column, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let name = column.name().as_str();
        if name == field::EVENT_ORIGINAL.name() {
            let plain = lines.codes.iter().map(|code| *code == NO_SHAPE);
            push(name, keep(array, plain)?);
        } else if name == field::MESSAGE.name() {
            push(name, keep(array, (0..rows).map(|row| !lines.has_message.get_bit(row)))?);
        } else if name == field::EVENT_ID.name() {
            let (sequence, index, rest) = split_ids(id_prefix, array)?;
            push(COLUMN_SEQUENCE, Arc::new(sequence));
            push(COLUMN_INDEX, Arc::new(index));
            push(name, rest);
        } else if let Some(derived) = sets.mask(name) {
            push(name, keep(array, (0..rows).map(|row| !derived[row]))?);
        } else {
            push(name, Arc::clone(array));
        }
    }
    let Lines { slots, mut time, has_time, .. } = lines;
    for (at, mut builder) in slots.into_iter().enumerate() {
        while builder.len() < rows {
            builder.append_null();
        }
        push(&slot_name(at), Arc::new(builder.finish()));
    }
    if has_time {
        push(COLUMN_TIME, Arc::new(time.finish()));
    }
    let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

/// The column with null in every row that is not kept.
fn keep(array: &ArrayRef, kept: impl Iterator<Item = bool>) -> Result<ArrayRef, ArrowError> {
    let gone: BooleanArray = kept.map(|kept| Some(!kept)).collect();
    if gone.true_count() == array.len() {
        return Ok(arrow::array::new_null_array(array.data_type(), array.len()));
    }
    if gone.true_count() == 0 {
        return Ok(Arc::clone(array));
    }
    let array = match array.data_type() {
        // `nullif` leaves the text of what is now null in place; a gather does not.
        DataType::Utf8View | DataType::List(_) => {
            let rows: UInt32Array = (0..array.len()).map(|row| (!gone.value(row)).then_some(row as u32)).collect();
            return arrow::compute::take(array, &rows, None);
        }
        _ => array,
    };
    arrow::compute::nullif(array, &gone)
}

/// `event.id` as two numbers, and the text of those that are of another form.
fn split_ids(prefix: &str, array: &ArrayRef) -> Result<(Int64Array, Int64Array, ArrayRef), ArrowError> {
    let Some(ids) = array.as_string_view_opt() else {
        let text = arrow::compute::cast(array, &DataType::Utf8View)?;
        return if text.data_type() == array.data_type() {
            Ok((Int64Array::new_null(array.len()), Int64Array::new_null(array.len()), text))
        } else {
            split_ids(prefix, &text)
        };
    };
    let (mut sequences, mut indexes) = (Int64Builder::with_capacity(ids.len()), Int64Builder::with_capacity(ids.len()));
    let mut kept = Vec::with_capacity(ids.len());
    for id in ids {
        let numbers = id.and_then(|id| id.strip_prefix(prefix)).and_then(|rest| rest.split_once('-'));
        let numbers = numbers.and_then(|(sequence, index)| canonical(sequence).zip(canonical(index)));
        sequences.append_option(numbers.map(|numbers| numbers.0));
        indexes.append_option(numbers.map(|numbers| numbers.1));
        kept.push(numbers.is_none());
    }
    Ok((sequences.finish(), indexes.finish(), keep(array, kept.into_iter())?))
}

/// A number of at most 18 digits, written without sign and leading zeros.
pub(super) fn canonical(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > 18 || (bytes[0] == b'0' && bytes.len() > 1) {
        return None;
    }
    bytes.iter().try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}
