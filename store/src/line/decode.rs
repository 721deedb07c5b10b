//! From physical rows back to logical ones: the reader's side of the line store.
//!
//! [`Layout`] says which physical columns a logical column needs and puts it together again. Whatever a file holds, decoding
//! ends with the value or with an error that names the place: shapes are parsed with bounds, residual variables are counted,
//! and the output of one batch is bounded.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, ListBuilder, StringArray, StringViewArray, StringViewBuilder, new_null_array},
    datatypes::{DataType, Field as ArrowField, Int32Type, Int64Type, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use event::field;
use serde::{Deserialize, Serialize};

use super::{
    COLUMN_INDEX, COLUMN_SEQUENCE, COLUMN_SHAPE, COLUMN_TIME,
    cells::Cells,
    derive::skew_of,
    part::{self, FORMAT_PARTS},
    search::Shapes,
    slot_name,
    template::{Derived, Element, Form, Names, Piece, SLOTS_MAX, Shape, UNIT, json_escaped},
    time::{Memo, TimeForm, push_number},
};
use crate::{Error, Result};

/// Version of files that hold shapes.
pub const FORMAT_LINES: u32 = 2;

/// Key of the layout in the metadata of a Parquet file.
pub const LAYOUT_KEY: &str = "chieng.layout";

/// Bytes that one decoded column of a batch may have: hostile shapes must not fill the memory.
const BATCH_BYTES_MAX: usize = 1 << 30;
/// Bytes of one decoded line.
const LINE_BYTES_MAX: usize = 64 << 20;

/// How the logical columns of a file are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    segment: String,
    stored: Stored,
    logical: SchemaRef,
}

/// The layout as the file's metadata has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub format: u32,
    /// Name of the server in `event.id`.
    pub node: String,
    /// Logical columns with the name of their type, in order.
    pub columns: Vec<(String, String)>,
    /// For each derived column the physical columns that it may need beside its own.
    pub derived: BTreeMap<String, Vec<String>>,
    /// True when lines copy from columns of addresses only texts of hexadecimal digits, dots and colons.
    #[serde(default)]
    pub addresses: bool,
}

impl Layout {
    /// Reads the layout of a file's metadata; `None` for files that keep every column as it is (format 1).
    pub fn read(segment: &str, metadata: &[(String, Option<String>)]) -> Result<Option<Self>> {
        let Some((_, text)) = metadata.iter().find(|(key, _)| key == LAYOUT_KEY) else { return Ok(None) };
        let failed = |what: String| Error::segment("read the layout of", segment)(what);
        let stored: Stored =
            serde_json::from_str(text.as_deref().unwrap_or_default()).map_err(|error| failed(error.to_string()))?;
        if ![FORMAT_LINES, FORMAT_PARTS].contains(&stored.format) {
            return Err(failed(format!("format {} found, {FORMAT_LINES} or {FORMAT_PARTS} expected", stored.format)));
        }
        let mut fields = Vec::with_capacity(stored.columns.len());
        for (name, kind) in &stored.columns {
            let kind = crate::sqlite::data_type(kind).ok_or_else(|| failed(format!("column {name} of unknown type {kind}")))?;
            fields.push(ArrowField::new(name, kind, true));
        }
        Ok(Some(Self { segment: segment.to_owned(), stored, logical: Arc::new(Schema::new(fields)) }))
    }

    /// Like [`Layout::read`], from a Parquet file's metadata.
    pub fn of_file(segment: &str, metadata: &parquet::file::metadata::ParquetMetaData) -> Result<Option<Self>> {
        let pairs = metadata.file_metadata().key_value_metadata().map(Vec::as_slice).unwrap_or_default();
        let pairs: Vec<_> = pairs.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect();
        Self::read(segment, &pairs)
    }

    /// The columns that a reader sees, with the types of the field catalogue.
    pub fn logical_schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.logical)
    }

    /// Names of the physical columns that may be needed to decode a logical column; not every file has all of them.
    pub fn physical(&self, logical: &str) -> Vec<String> {
        let mut names = vec![logical.to_owned()];
        if logical == field::EVENT_ID.name() && self.stored.format == FORMAT_LINES {
            names.extend([COLUMN_SEQUENCE, COLUMN_INDEX].map(str::to_owned));
        }
        if let Some(further) = self.stored.derived.get(logical) {
            if self.stored.format == FORMAT_LINES {
                names.push(COLUMN_SHAPE.to_owned());
            }
            names.extend(further.iter().cloned());
        }
        names
    }

    /// True when the column is kept as it is: its statistics and pages tell the truth.
    pub fn is_plain(&self, logical: &str) -> bool {
        let is_id = logical == field::EVENT_ID.name() && self.stored.format == FORMAT_LINES;
        !is_id && !self.stored.derived.contains_key(logical)
    }

    /// Decodes a logical column of a batch that has (at least) its physical columns.
    pub fn decode(&self, logical: &str, batch: &RecordBatch) -> Result<ArrayRef> {
        let failed = |what: String| Error::segment("decode", &self.segment)(format!("column {logical}: {what}"));
        let data_type = match self.logical.field_with_name(logical) {
            Ok(column) => column.data_type().clone(),
            Err(_) => return Err(failed("not a column of this segment".into())),
        };
        if self.is_plain(logical) {
            return match batch.column_by_name(logical) {
                Some(array) if *array.data_type() == data_type => Ok(Arc::clone(array)),
                Some(array) => arrow::compute::cast(array, &data_type).map_err(|error| failed(error.to_string())),
                None => Ok(new_null_array(&data_type, batch.num_rows())),
            };
        }
        if self.stored.format == FORMAT_PARTS {
            return match logical == field::MESSAGE.name() {
                true => part::decode(batch).map_err(failed),
                false => Err(failed("only message can be derived in this format".into())),
            };
        }
        if logical == field::EVENT_ID.name() {
            return ids(&self.stored.node, batch).map_err(failed);
        }
        let rows = Rows::new(batch).map_err(&failed)?;
        let decoded = match data_type {
            DataType::List(_) => rows.lists(logical),
            DataType::Int64 => rows.longs(logical),
            _ if logical == field::EVENT_ORIGINAL.name() => rows.lines(false),
            _ if logical == field::MESSAGE.name() => rows.lines(true),
            _ => rows.texts(logical),
        };
        decoded.map_err(failed)
    }

    /// Decodes all columns of a batch that has all physical columns.
    pub fn decode_all(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.logical.fields().iter().map(|column| self.decode(column.name(), batch)).collect::<Result<_>>()?;
        let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.logical_schema(), columns, &options)
            .map_err(Error::segment("decode", &self.segment))
    }

    /// Decodes the columns that have a value in this batch of all physical columns. Columns that are kept as they are stay as
    /// they were read, dictionaries too.
    pub(crate) fn decode_filled(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for column in self.logical.fields() {
            let array = match self.is_plain(column.name()) {
                true => batch.column_by_name(column.name()).cloned(),
                false => Some(self.decode(column.name(), batch)?),
            };
            if let Some(array) = array.filter(|array| array.null_count() < array.len()) {
                fields.push(ArrowField::new(column.name(), array.data_type().clone(), true));
                columns.push(array);
            }
        }
        let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(Error::segment("decode", &self.segment))
    }

    /// The shapes of a batch that has the column [`COLUMN_SHAPE`].
    pub fn shapes(&self, batch: &RecordBatch) -> Result<Shapes> {
        let failed = |what: String| Error::segment("decode", &self.segment)(what);
        let array = batch.column_by_name(COLUMN_SHAPE).ok_or_else(|| failed(format!("no column {COLUMN_SHAPE}")))?;
        Shapes::read(array, self.stored.addresses).map_err(failed)
    }

    /// What rows of some of the shapes need; `of` says of which.
    pub fn needs(&self, shapes: &Shapes, of: &dyn Fn(u32) -> bool) -> Needs<'_> {
        let mut uses = Uses::default();
        shapes.note(of, &mut uses);
        Needs { layout: self, uses }
    }
}

/// The physical columns of rows with certain shapes: far fewer than [`Layout::physical`] names for any row.
#[derive(Debug)]
pub struct Needs<'l> {
    layout: &'l Layout,
    uses: Uses,
}

impl Needs<'_> {
    /// Names of the physical columns to decode a logical one; not every file has all of them.
    pub fn physical(&self, logical: &str) -> Vec<String> {
        let layout = self.layout;
        if layout.stored.format != FORMAT_LINES || !layout.stored.derived.contains_key(logical) {
            return layout.physical(logical);
        }
        let further = self.uses.derived.get(logical).into_iter().flatten().cloned();
        [logical.to_owned(), COLUMN_SHAPE.to_owned()].into_iter().chain(further).collect()
    }
}

/// A batch with its shapes read.
struct Rows<'a> {
    batch: &'a RecordBatch,
    names: Names,
    cells: Vec<Cells<'a>>,
    shapes: Vec<Shape>,
    codes: Vec<Option<u32>>,
    slots: Vec<Cells<'a>>,
    time: Cells<'a>,
    timestamp: Cells<'a>,
    received: Cells<'a>,
}

/// How a column is found for a row.
enum Origin {
    Own,
    Column(u32),
    Time(TimeForm),
    Skew,
}

impl<'a> Rows<'a> {
    fn new(batch: &'a RecordBatch) -> Result<Self, String> {
        let mut names = Names::default();
        let (shapes, codes) = match batch.column_by_name(COLUMN_SHAPE) {
            Some(array) => shapes_of(array, &mut names)?,
            None => (Vec::new(), vec![None; batch.num_rows()]),
        };
        let cells = (0..names.len() as u32).map(|number| Cells::by_name(batch, names.name(number))).collect();
        Ok(Self {
            batch,
            cells,
            shapes,
            codes,
            slots: (0..SLOTS_MAX).map(|at| Cells::by_name(batch, &slot_name(at))).collect(),
            time: Cells::by_name(batch, COLUMN_TIME),
            timestamp: Cells::by_name(batch, field::TIMESTAMP.name()),
            received: Cells::by_name(batch, field::EVENT_CREATED.name()),
            names,
        })
    }

    fn shape(&self, row: usize) -> Option<&Shape> {
        self.codes[row].map(|code| &self.shapes[code as usize])
    }

    /// Where a column's value is in the rows of one shape.
    fn origin(&self, shape: Option<&Shape>, name: &str) -> Origin {
        let derived = shape.and_then(|shape| shape.derived.iter().find(|(column, _)| self.names.name(*column) == name));
        match derived {
            Some((_, Derived::Same(other))) => Origin::Column(*other),
            Some((_, Derived::Time(form))) => Origin::Time(*form),
            Some((_, Derived::Skew)) => Origin::Skew,
            _ => Origin::Own,
        }
    }

    /// For each shape, and for rows without one (last), where the column is.
    fn origins(&self, name: &str) -> Vec<Origin> {
        self.shapes.iter().map(Some).chain([None]).map(|shape| self.origin(shape, name)).collect()
    }

    fn origin_at<'o>(&self, origins: &'o [Origin], row: usize) -> &'o Origin {
        &origins[self.codes[row].map_or(self.shapes.len(), |code| code as usize)]
    }

    fn texts(&self, name: &str) -> Result<ArrayRef, String> {
        let own = Cells::by_name(self.batch, name);
        let origins = self.origins(name);
        let mut builder = StringViewBuilder::with_capacity(self.batch.num_rows());
        let (mut number, mut memo) = (Vec::new(), Memo::default());
        for row in 0..self.batch.num_rows() {
            let cell = match self.origin_at(&origins, row) {
                Origin::Time(form) => {
                    number.clear();
                    let micros = self.timestamp.date(row).ok_or_else(|| format!("row {row}: the timestamp is null"))?;
                    if !form.render(micros, &mut memo, &mut number) {
                        return Err(format!("row {row}: time {micros} cannot be written as {}", form.name()));
                    }
                    builder.append_value(std::str::from_utf8(&number).unwrap_or_default());
                    continue;
                }
                Origin::Own => &own,
                Origin::Column(other) => &self.cells[*other as usize],
                Origin::Skew => return Err(format!("row {row}: a text cannot be a clock skew")),
            };
            match (cell.text(row), cell.long(row)) {
                (Some(text), _) => builder.append_value(text),
                (None, Some(value)) => {
                    number.clear();
                    push_number(&mut number, value);
                    builder.append_value(std::str::from_utf8(&number).unwrap_or_default());
                }
                (None, None) => builder.append_null(),
            }
        }
        Ok(Arc::new(builder.finish()))
    }

    fn longs(&self, name: &str) -> Result<ArrayRef, String> {
        let own = Cells::by_name(self.batch, name);
        let origins = self.origins(name);
        let mut values = Vec::with_capacity(self.batch.num_rows());
        for row in 0..self.batch.num_rows() {
            values.push(match self.origin_at(&origins, row) {
                Origin::Own => own.long(row),
                Origin::Time(_) => return Err(format!("row {row}: a number cannot be a form of time")),
                Origin::Skew => skew_of(self.timestamp.date(row), self.received.date(row)),
                Origin::Column(other) => match self.cells[*other as usize].text(row) {
                    Some(text) => Some(
                        text.parse()
                            .map_err(|_| format!("row {row}: {:?} found, a number expected", &text[..text.len().min(40)]))?,
                    ),
                    None => self.cells[*other as usize].long(row),
                },
            });
        }
        Ok(Arc::new(Int64Array::from(values)))
    }

    fn lists(&self, name: &str) -> Result<ArrayRef, String> {
        let mut builder = ListBuilder::new(StringViewBuilder::new());
        let own_array = self.batch.column_by_name(name).and_then(|array| array.as_list_opt::<i32>());
        for row in 0..self.batch.num_rows() {
            let derived = self.shape(row).and_then(|shape| {
                shape.derived.iter().find_map(|(column, derived)| match derived {
                    Derived::List(elements) if self.names.name(*column) == name => Some(elements),
                    _ => None,
                })
            });
            let Some(elements) = derived else {
                match own_array.filter(|array| array.is_valid(row)) {
                    Some(array) => {
                        let items = array.value(row);
                        let items = items.as_string_view_opt().ok_or("a list of text expected")?;
                        items.iter().for_each(|item| builder.values().append_option(item));
                        builder.append(true);
                    }
                    None => builder.append(false),
                }
                continue;
            };
            for element in elements {
                let text = match element {
                    Element::Text(text) => &**text,
                    Element::Copy(column) => self
                        .copied(*column, row)
                        .ok_or_else(|| format!("row {row}: column {} is null, an element expected", self.names.name(*column)))?,
                };
                builder.values().append_value(text);
            }
            builder.append(true);
        }
        Ok(Arc::new(builder.finish()))
    }

    /// The text of a column that a shape refers to; one step of derivation is followed.
    fn copied(&self, column: u32, row: usize) -> Option<&'a str> {
        if let Some(text) = self.cells[column as usize].text(row) {
            return Some(text);
        }
        match self.shape(row)?.derived.iter().find(|(derived, _)| *derived == column)? {
            (_, Derived::Same(other)) => self.cells[*other as usize].text(row),
            _ => None,
        }
    }

    /// A number, also through one step of derivation.
    fn copied_long(&self, column: u32, row: usize) -> Option<i64> {
        if let Some(number) = self.cells[column as usize].long(row) {
            return Some(number);
        }
        match self.shape(row)?.derived.iter().find(|(derived, _)| *derived == column)? {
            (_, Derived::Same(other)) => self.cells[*other as usize].long(row),
            (_, Derived::Skew) => skew_of(self.timestamp.date(row), self.received.date(row)),
            _ => None,
        }
    }

    /// The lines, or the messages.
    fn lines(&self, of_message: bool) -> Result<ArrayRef, String> {
        let name = if of_message { field::MESSAGE.name() } else { field::EVENT_ORIGINAL.name() };
        let own = Cells::by_name(self.batch, name);
        let mut builder = StringViewBuilder::with_capacity(self.batch.num_rows()).with_fixed_block_size(1 << 20);
        let mut line = Vec::new();
        let mut memo = Memo::default();
        let mut total = 0;
        for row in 0..self.batch.num_rows() {
            let pieces = self.shape(row).and_then(|shape| shape.line.as_deref());
            let Some(pieces) = pieces else {
                builder.append_option(own.text(row));
                continue;
            };
            if of_message && !pieces.contains(&Piece::Begin) {
                builder.append_option(own.text(row));
                continue;
            }
            let place = self.line(pieces, row, &mut line, &mut memo).map_err(|what| format!("row {row}: {what}"))?;
            total += line.len();
            if total > BATCH_BYTES_MAX {
                return Err(format!("row {row}: more than {BATCH_BYTES_MAX} bytes in one batch"));
            }
            let bytes = if of_message { place.and_then(|(from, to)| line.get(from..to)).unwrap_or_default() } else { &line };
            builder.append_value(std::str::from_utf8(bytes).map_err(|error| format!("row {row}: {error}"))?);
        }
        Ok(Arc::new(builder.finish()))
    }

    /// Writes one line; returns where the message lies in it.
    fn line(&self, pieces: &[Piece], row: usize, line: &mut Vec<u8>, memo: &mut Memo) -> Result<Option<(usize, usize)>, String> {
        line.clear();
        let (mut begin, mut place) = (None, None);
        let mut slot = 0;
        for piece in pieces {
            match piece {
                Piece::Text(text) => line.extend_from_slice(text.as_bytes()),
                Piece::Copy(column, form) => {
                    let missing = || format!("column {} is null, a value expected in the line", self.names.name(*column));
                    match form {
                        Form::Verbatim => match self.copied(*column, row) {
                            Some(text) => line.extend_from_slice(text.as_bytes()),
                            None => push_number(line, self.copied_long(*column, row).ok_or_else(missing)?),
                        },
                        Form::Json => {
                            let text = self.copied(*column, row).ok_or_else(missing)?;
                            json_escaped(text, |part| {
                                line.extend_from_slice(part);
                                true
                            });
                        }
                        Form::Time(form) => {
                            let micros = self.cells[*column as usize].date(row).ok_or_else(missing)?;
                            if !form.render(micros, memo, line) {
                                return Err(format!("time {micros} cannot be written as {}", form.name()));
                            }
                        }
                    }
                }
                Piece::Slot => {
                    let text = self.slot(row, slot).ok_or_else(|| format!("residual variable {slot} is missing"))?;
                    line.extend_from_slice(text.as_bytes());
                    slot += 1;
                }
                Piece::Time(form) => {
                    let base = self.timestamp.date(row).unwrap_or(0);
                    let micros = self.time.long(row).and_then(|value| value.checked_add(base));
                    let micros = micros.ok_or("the residual time is missing or out of range")?;
                    if !form.render(micros, memo, line) {
                        return Err(format!("residual time {micros} cannot be written as {}", form.name()));
                    }
                }
                Piece::Begin => begin = Some(line.len()),
                Piece::End => place = begin.map(|begin| (begin, line.len())),
            }
            if line.len() > LINE_BYTES_MAX {
                return Err(format!("a line of more than {LINE_BYTES_MAX} bytes"));
            }
        }
        let given = self.slots.iter().filter(|cell| cell.text(row).is_some()).count();
        if given != slot.min(SLOTS_MAX) {
            return Err(format!("{given} residual variables found, {} expected", slot.min(SLOTS_MAX)));
        }
        Ok(place)
    }

    fn slot(&self, row: usize, slot: usize) -> Option<&'a str> {
        if slot + 1 < SLOTS_MAX {
            return self.slots[slot].text(row);
        }
        self.slots[SLOTS_MAX - 1].text(row)?.split(UNIT).nth(slot + 1 - SLOTS_MAX)
    }
}

/// Shapes and, for each row, its number.
pub(super) fn shapes_of(array: &ArrayRef, names: &mut Names) -> Result<(Vec<Shape>, Vec<Option<u32>>), String> {
    let parse = |text: &str, names: &mut Names| {
        Shape::parse(text, names).map_err(|(at, what)| format!("{COLUMN_SHAPE}: byte {at}: {what}"))
    };
    if let Some(coded) = array.as_dictionary_opt::<Int32Type>()
        && let Some(values) = coded.values().as_string_opt::<i32>()
    {
        return coded_shapes(coded.keys().iter(), values, |text| parse(text, names));
    }
    let texts = arrow::compute::cast(array, &DataType::Utf8View).map_err(|error| error.to_string())?;
    let texts: &StringViewArray = texts.as_string_view();
    let mut known: std::collections::HashMap<&str, u32> = std::collections::HashMap::new();
    let mut shapes = Vec::new();
    let mut codes = Vec::with_capacity(texts.len());
    for text in texts {
        let Some(text) = text else {
            codes.push(None);
            continue;
        };
        let code = match known.get(text) {
            Some(code) => *code,
            None => {
                shapes.push(parse(text, names)?);
                known.insert(text, shapes.len() as u32 - 1);
                shapes.len() as u32 - 1
            }
        };
        codes.push(Some(code));
    }
    Ok((shapes, codes))
}

fn coded_shapes(
    keys: impl Iterator<Item = Option<i32>>,
    values: &StringArray,
    mut parse: impl FnMut(&str) -> Result<Shape, String>,
) -> Result<(Vec<Shape>, Vec<Option<u32>>), String> {
    let mut shapes = Vec::new();
    // A dictionary holds the shapes of a whole row group, a batch has few of them.
    let mut local: Vec<u32> = vec![u32::MAX; values.len()];
    let mut codes = Vec::with_capacity(keys.size_hint().0);
    for key in keys {
        let Some(key) = key else {
            codes.push(None);
            continue;
        };
        let known = usize::try_from(key).ok().and_then(|key| local.get_mut(key));
        let known = known.ok_or_else(|| format!("{COLUMN_SHAPE}: key {key} out of range"))?;
        if *known == u32::MAX {
            shapes.push(parse(values.value(key as usize))?);
            *known = shapes.len() as u32 - 1;
        }
        codes.push(Some(*known));
    }
    Ok((shapes, codes))
}

fn ids(node: &str, batch: &RecordBatch) -> Result<ArrayRef, String> {
    let long = |name: &str| batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<Int64Type>());
    let (sequences, indexes) = (long(COLUMN_SEQUENCE), long(COLUMN_INDEX));
    let own = Cells::by_name(batch, field::EVENT_ID.name());
    let mut builder = StringViewBuilder::with_capacity(batch.num_rows());
    let mut text = Vec::new();
    for row in 0..batch.num_rows() {
        let number = |array: Option<&Int64Array>| array.filter(|array| array.is_valid(row)).map(|array| array.value(row));
        match number(sequences).zip(number(indexes)) {
            Some((sequence, index)) => {
                text.clear();
                text.extend_from_slice(node.as_bytes());
                text.push(b'-');
                push_number(&mut text, sequence);
                text.push(b'-');
                push_number(&mut text, index);
                builder.append_value(std::str::from_utf8(&text).map_err(|error| error.to_string())?);
            }
            None => builder.append_option(own.text(row)),
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// Collects what the metadata must say about the shapes that a file has.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    derived: BTreeMap<String, std::collections::BTreeSet<String>>,
}

impl Uses {
    /// Notes the columns of a shape.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let mut names = Names::default();
        let shape = Shape::parse(text, &mut names).map_err(|(at, what)| format!("shape, byte {at}: {what}"))?;
        self.note(&shape, &names);
        Ok(())
    }

    pub(super) fn note(&mut self, shape: &Shape, names: &Names) {
        let mut note = |column: &str, further: Vec<String>| self.derived.entry(column.to_owned()).or_default().extend(further);
        let resolve = |column: u32| {
            let mut found = vec![names.name(column).to_owned()];
            match shape.derived.iter().find(|(derived, _)| *derived == column) {
                Some((_, Derived::Same(other))) => found.push(names.name(*other).to_owned()),
                Some((_, Derived::Skew)) => {
                    found.extend([field::TIMESTAMP, field::EVENT_CREATED].map(|field| field.name().to_owned()))
                }
                _ => {}
            }
            found
        };
        if let Some(pieces) = &shape.line {
            let mut needed = Vec::new();
            let mut slots = 0;
            for piece in pieces {
                match piece {
                    Piece::Copy(column, _) => needed.extend(resolve(*column)),
                    Piece::Slot => slots += 1,
                    Piece::Time(_) => needed.extend([COLUMN_TIME.to_owned(), field::TIMESTAMP.name().to_owned()]),
                    _ => {}
                }
            }
            needed.extend((0..slots.min(SLOTS_MAX)).map(slot_name));
            if pieces.contains(&Piece::Begin) {
                note(field::MESSAGE.name(), needed.clone());
            }
            note(field::EVENT_ORIGINAL.name(), needed);
        }
        for (column, derived) in &shape.derived {
            let further = match derived {
                Derived::Same(other) => vec![names.name(*other).to_owned()],
                Derived::Time(_) => vec![field::TIMESTAMP.name().to_owned()],
                Derived::Skew => [field::TIMESTAMP, field::EVENT_CREATED].map(|field| field.name().to_owned()).to_vec(),
                Derived::List(elements) => elements
                    .iter()
                    .filter_map(|element| match element {
                        Element::Copy(column) => Some(resolve(*column)),
                        Element::Text(_) => None,
                    })
                    .flatten()
                    .collect(),
            };
            note(names.name(*column), further);
        }
    }

    pub fn finish(&self) -> BTreeMap<String, Vec<String>> {
        self.derived.iter().map(|(column, further)| (column.clone(), further.iter().cloned().collect())).collect()
    }
}
