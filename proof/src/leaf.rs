//! Leaves: what of a row is hashed, in which order, read from the logical columns of a batch.
//!
//! A row goes into its leaf as `event.id`, `event.ingested`, `event.created`, `log.source.address` and the record as it came
//! (`event.original`, or `event.original_bytes` where it was not text). A row that has neither (a flow: one datagram became
//! many) goes in with all its fields by name. Columns that were parsed out of the record are not hashed: they follow from it.
//!
//! Not here: which rows make a block ([`crate::block`]), and where rows come from.

use std::collections::BTreeMap;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, StringArray, StringViewArray,
        TimestampMicrosecondArray,
    },
    datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType},
    record_batch::RecordBatch,
};

use crate::Hash;

pub const EVENT_ID: &str = "event.id";
pub const EVENT_INGESTED: &str = "event.ingested";
pub const EVENT_CREATED: &str = "event.created";
pub const EVENT_DATASET: &str = "event.dataset";
pub const EVENT_ORIGINAL: &str = "event.original";
pub const EVENT_ORIGINAL_BYTES: &str = "event.original_bytes";
pub const SENDER: &str = "log.source.address";
pub const SYSTEM_ID: &str = "system.id";
pub const TIMESTAMP: &str = "timestamp";
pub const RESIDUAL: &str = "residual";

/// Columns that a leaf needs where rows have their record.
pub const COLUMNS: [&str; 9] =
    [EVENT_ID, EVENT_INGESTED, EVENT_CREATED, EVENT_DATASET, EVENT_ORIGINAL, EVENT_ORIGINAL_BYTES, SENDER, SYSTEM_ID, TIMESTAMP];

/// `system.id` of rows without one.
pub const UNASSIGNED: &str = "unassigned";

/// Claimed times further off than this make a row skewed: such rows live in files of their own, and in leaves of their own.
pub const SKEW_MAX: i64 = 24 * crate::HOUR;

const CONTENT: &str = "chieng.proof 1 leaf content";
const LEAF: &str = "chieng.proof 1 leaf";
/// Bytes that are hashed at a time: enough for BLAKE3 to use the whole width of the processor.
const CHUNK_BYTES: usize = 64 << 10;

/// The place of a record in the log: the numbers of `event.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub sequence: u64,
    pub index: u32,
    /// 0: the whole record; n + 1: its part n.
    pub part: u32,
}

impl Place {
    /// Reads `node-7-3` or, where one record became several events, `node-7-3.2`.
    pub fn parse(id: &str) -> Option<Self> {
        let (rest, tail) = id.rsplit_once('-')?;
        let (_, sequence) = rest.rsplit_once('-')?;
        let (index, part) = match tail.split_once('.') {
            Some((index, part)) => (index, u32::try_from(number(part)?).ok()?.checked_add(1)?),
            None => (tail, 0),
        };
        Some(Self { sequence: number(sequence)?, index: u32::try_from(number(index)?).ok()?, part })
    }
}

fn number(digits: &str) -> Option<u64> {
    let is_plain = !digits.is_empty() && digits.len() <= 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { digits.parse().ok() } else { None }
}

/// Whose rows a leaf holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    pub system: String,
    /// The log class: `event.dataset`.
    pub dataset: String,
    pub skewed: bool,
}

/// The rows of one class in one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub class: Class,
    pub rows: u64,
    /// Hash of the rows, in the order of their places.
    pub content: Hash,
}

impl Leaf {
    /// The hash that goes into the block: it binds the rows to their class without showing either.
    pub fn hash(&self) -> Hash {
        let class = &self.class;
        let lengths = [class.system.len() as u64, class.dataset.len() as u64, u64::from(class.skewed), self.rows];
        let lengths: Vec<u8> = lengths.iter().flat_map(|number| number.to_le_bytes()).collect();
        crate::hash(LEAF, &[&lengths, class.system.as_bytes(), class.dataset.as_bytes(), &self.content])
    }
}

/// Hashes the rows of a leaf as they come.
#[derive(Clone, Debug)]
pub struct LeafHasher {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    rows: u64,
}

impl Default for LeafHasher {
    fn default() -> Self {
        Self { hasher: blake3::Hasher::new_derive_key(CONTENT), buffer: Vec::new(), rows: 0 }
    }
}

impl LeafHasher {
    /// Adds a row by what `encode` writes; rows come in the order of their places.
    pub fn row(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.buffer);
        self.rows += 1;
        if self.buffer.len() >= CHUNK_BYTES {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
    }

    pub fn finish(mut self, class: Class) -> Leaf {
        self.hasher.update(&self.buffer);
        Leaf { class, rows: self.rows, content: *self.hasher.finalize().as_bytes() }
    }
}

/// A batch's columns, as far as leaves need them.
#[derive(Debug)]
pub struct Rows<'b> {
    batch: &'b RecordBatch,
    id: Text<'b>,
    dataset: Text<'b>,
    system: Text<'b>,
    sender: Text<'b>,
    original: Text<'b>,
    original_bytes: Text<'b>,
    ingested: Option<&'b TimestampMicrosecondArray>,
    created: Option<&'b TimestampMicrosecondArray>,
    timestamp: Option<&'b TimestampMicrosecondArray>,
}

impl<'b> Rows<'b> {
    pub fn new(batch: &'b RecordBatch) -> Self {
        let text = |name| batch.column_by_name(name).map_or(Text::None, Text::of);
        let time = |name| batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        Self {
            batch,
            id: text(EVENT_ID),
            dataset: text(EVENT_DATASET),
            system: text(SYSTEM_ID),
            sender: text(SENDER),
            original: text(EVENT_ORIGINAL),
            original_bytes: text(EVENT_ORIGINAL_BYTES),
            ingested: time(EVENT_INGESTED),
            created: time(EVENT_CREATED),
            timestamp: time(TIMESTAMP),
        }
    }

    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn id(&self, row: usize) -> Option<&'b str> {
        self.id.get(row)
    }

    pub fn place(&self, row: usize) -> Option<Place> {
        self.id(row).and_then(Place::parse)
    }

    pub fn system(&self, row: usize) -> &'b str {
        self.system.get(row).unwrap_or(UNASSIGNED)
    }

    pub fn dataset(&self, row: usize) -> &'b str {
        self.dataset.get(row).unwrap_or_default()
    }

    pub fn ingested(&self, row: usize) -> Option<i64> {
        time(self.ingested, row)
    }

    /// True when the claimed time is more than [`SKEW_MAX`] off.
    pub fn is_skewed(&self, row: usize) -> bool {
        let (claimed, ingested) = (time(self.timestamp, row), self.ingested(row));
        claimed.zip(ingested).is_some_and(|(claimed, ingested)| claimed.abs_diff(ingested) > SKEW_MAX.unsigned_abs())
    }

    /// True when the row is hashed by its fields: all columns must be in the batch then.
    pub fn needs_fields(&self, row: usize) -> bool {
        self.original.get(row).is_none() && self.original_bytes.get(row).is_none()
    }

    /// Appends what of a row is hashed.
    pub fn encode(&self, row: usize, out: &mut Vec<u8>) {
        put(out, self.id(row));
        for column in [self.ingested, self.created] {
            out.extend_from_slice(&time(column, row).unwrap_or(i64::MIN).to_le_bytes());
        }
        put(out, self.sender.get(row));
        put(out, self.original.get(row));
        put(out, self.original_bytes.get(row));
        if self.needs_fields(row) {
            let fields = self.fields(row);
            out.extend_from_slice(&(fields.len() as u32).to_le_bytes());
            for (name, value) in fields {
                put(out, Some(&name));
                out.extend_from_slice(&(value.len() as u32).to_le_bytes());
                out.extend_from_slice(&value);
            }
        }
    }

    /// Every field that has a value, with its type and bytes. A name outside the catalogue may be a column or stand inside
    /// `residual`: both give the same.
    fn fields(&self, row: usize) -> BTreeMap<String, Vec<u8>> {
        let mut fields = BTreeMap::new();
        let mut residual = None;
        for (column, array) in self.batch.schema_ref().fields().iter().zip(self.batch.columns()) {
            if column.name() == RESIDUAL {
                residual = Text::of(array).get(row);
            } else if let Some(value) = value(array, row) {
                fields.insert(column.name().clone(), value);
            }
        }
        let object = residual.and_then(|text| serde_json::from_str::<serde_json::Map<_, _>>(text).ok());
        for (name, value) in object.into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            fields.entry(name).or_insert_with(|| tagged(b't', text.as_bytes()));
        }
        fields
    }
}

fn time(column: Option<&TimestampMicrosecondArray>, row: usize) -> Option<i64> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

/// Length and bytes of a text; null and '' stay apart.
fn put(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => {
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        None => out.extend_from_slice(&u32::MAX.to_le_bytes()),
    }
}

fn tagged(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(bytes.len() + 1);
    value.push(tag);
    value.extend_from_slice(bytes);
    value
}

/// A value as bytes; `None` where there is none. An empty list is none: files do not tell it from null everywhere.
fn value(array: &ArrayRef, row: usize) -> Option<Vec<u8>> {
    if array.is_null(row) {
        return None;
    }
    let array: &dyn Array = array.as_ref();
    Some(match array.data_type() {
        DataType::Int64 => {
            let array: &Int64Array = array.as_primitive_opt::<Int64Type>()?;
            tagged(b'i', &array.value(row).to_le_bytes())
        }
        DataType::Float64 => {
            let array: &Float64Array = array.as_primitive_opt::<Float64Type>()?;
            tagged(b'f', &array.value(row).to_bits().to_le_bytes())
        }
        DataType::Boolean => {
            let array: &BooleanArray = array.as_boolean_opt()?;
            tagged(b'b', &[u8::from(array.value(row))])
        }
        DataType::Timestamp(..) => tagged(b'd', &array.as_primitive_opt::<TimestampMicrosecondType>()?.value(row).to_le_bytes()),
        DataType::List(_) => {
            let list: &ListArray = array.as_list_opt()?;
            let items = list.value(row);
            if items.is_empty() {
                return None;
            }
            let texts = Text::of(&items);
            let mut bytes = vec![b'l'];
            (0..items.len()).for_each(|at| put(&mut bytes, texts.get(at)));
            bytes
        }
        _ => tagged(b't', Text::of_array(array).get(row)?.as_bytes()),
    })
}

/// A text column in one of the forms in which it is read.
#[derive(Clone, Copy, Debug)]
enum Text<'a> {
    None,
    View(&'a StringViewArray),
    Plain(&'a StringArray),
    Coded { keys: &'a Int32Array, values: &'a StringArray },
}

impl<'a> Text<'a> {
    fn of(array: &'a ArrayRef) -> Self {
        Self::of_array(array.as_ref())
    }

    fn of_array(array: &'a dyn Array) -> Self {
        if let Some(view) = array.as_string_view_opt() {
            return Self::View(view);
        }
        if let Some(plain) = array.as_string_opt::<i32>() {
            return Self::Plain(plain);
        }
        let coded = array.as_dictionary_opt::<Int32Type>();
        match coded.and_then(|coded| Some((coded.keys(), coded.values().as_string_opt::<i32>()?))) {
            Some((keys, values)) => Self::Coded { keys, values },
            None => Self::None,
        }
    }

    fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::View(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Plain(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Coded { keys, values } => keys.is_valid(row).then(|| values.value(keys.value(row) as usize)),
        }
    }
}
