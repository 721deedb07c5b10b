//! A field of a batch as a dictionary: distinct texts, and for each row the code of its text.
//!
//! Columns that the builder interned are taken as they are; others are interned here, so that each distinct value is
//! tested once. Where a field has several columns, the first one with a value counts, row by row.

use std::{borrow::Cow, hash::BuildHasher};

use arrow::{
    array::{Array, ArrayRef, AsArray, StringViewArray},
    datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType},
};
use event::{EventBatch, batch::CODE_NULL};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::time;

/// The batch's columns by name, with those of the `residual` column beside them.
pub struct Columns<'a> {
    batch: &'a EventBatch,
    index: HashMap<Cow<'a, str>, usize>,
    residual: HashMap<String, Vec<(u32, String)>>,
}

/// The values of one field.
pub struct Column<'a> {
    pub rows: Rows<'a>,
    pub distinct: Distinct<'a>,
}

pub enum Rows<'a> {
    One(Cow<'a, [u32]>),
    /// Row `i` has the codes `codes[ends[i-1]..ends[i]]`.
    Many {
        ends: Vec<u32>,
        codes: Vec<u32>,
    },
}

pub enum Distinct<'a> {
    Array(&'a StringViewArray),
    Texts(Vec<Cow<'a, str>>),
}

impl Distinct<'_> {
    pub fn len(&self) -> usize {
        match self {
            Self::Array(array) => array.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    pub fn text(&self, code: u32) -> &str {
        match self {
            Self::Array(array) => array.value(code as usize),
            Self::Texts(texts) => &texts[code as usize],
        }
    }
}

impl Column<'_> {
    /// The codes of one row; none where the field is absent.
    pub fn codes(&self, row: usize) -> &[u32] {
        match &self.rows {
            Rows::One(codes) => match codes[row] {
                CODE_NULL => &[],
                _ => &codes[row..=row],
            },
            Rows::Many { ends, codes } => {
                let start = if row == 0 { 0 } else { ends[row - 1] };
                &codes[start as usize..ends[row] as usize]
            }
        }
    }

    /// The texts of one row.
    pub fn texts(&self, row: usize) -> impl Iterator<Item = &str> {
        self.codes(row).iter().map(|code| self.distinct.text(*code))
    }
}

impl<'a> Columns<'a> {
    pub fn new(batch: &'a EventBatch) -> Self {
        let schema = batch.batch.schema_ref();
        let mut index = HashMap::with_capacity(schema.fields().len());
        for (at, field) in schema.fields().iter().enumerate() {
            let name: &'a str = field.name();
            index.insert(Cow::Borrowed(name), at);
            // Windows writes `Threat Name` where Sigma writes `ThreatName`.
            if name.contains(' ') {
                index.entry(Cow::Owned(name.replace(' ', ""))).or_insert(at);
            }
        }
        let mut columns = Self { batch, index, residual: HashMap::new() };
        columns.read_residual();
        columns
    }

    fn read_residual(&mut self) {
        let Some(&at) = self.index.get("residual") else { return };
        let Some(array) = self.batch.batch.column(at).as_string_view_opt() else { return };
        for (row, text) in array.iter().enumerate() {
            let Some(text) = text else { continue };
            let Ok(fields) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) else { continue };
            for (name, value) in fields {
                let text = match value {
                    serde_json::Value::String(text) => text,
                    other => other.to_string(),
                };
                self.residual.entry(name).or_default().push((row as u32, text));
            }
        }
    }

    pub fn rows(&self) -> usize {
        self.batch.batch.num_rows()
    }

    /// Names of all columns, the residual ones too.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let schema = self.batch.batch.schema_ref();
        schema.fields().iter().map(|field| field.name().as_str()).chain(self.residual.keys().map(String::as_str))
    }

    /// The field made of these columns; `None` where the batch has none of them.
    pub fn field<'s, N: AsRef<str>>(&'s self, names: &[N]) -> Option<Column<'s>> {
        let mut parts = names.iter().filter_map(|name| self.column(name.as_ref()));
        let first = parts.next()?;
        match parts.next() {
            None => Some(first),
            Some(second) => Some(coalesce(self.rows(), [first, second].into_iter().chain(parts).collect())),
        }
    }

    fn column<'s>(&'s self, name: &str) -> Option<Column<'s>> {
        let in_residual = self.residual.get(name).map(|values| sparse(self.rows(), values));
        let Some(&at) = self.index.get(name) else { return in_residual };
        let array = self.batch.batch.column(at);
        let column = match self.batch.codes.get(at).and_then(Option::as_ref) {
            Some(codes) => Column { rows: Rows::One(Cow::Borrowed(&codes.codes)), distinct: Distinct::Array(&codes.distinct) },
            None => read(array)?,
        };
        Some(match in_residual {
            Some(residual) => coalesce(self.rows(), vec![column, residual]),
            None => column,
        })
    }
}

/// Reads an array that was not interned.
fn read(array: &ArrayRef) -> Option<Column<'_>> {
    if let Some(list) = array.as_list_opt::<i32>() {
        let values = list.values().as_string_view_opt()?;
        let mut interner = Interner::default();
        let (mut ends, mut codes) = (Vec::with_capacity(list.len()), Vec::new());
        for row in 0..list.len() {
            if list.is_valid(row) {
                let offsets = list.value_offsets();
                for at in offsets[row] as usize..offsets[row + 1] as usize {
                    if values.is_valid(at) {
                        codes.push(interner.code(values.value(at)));
                    }
                }
            }
            ends.push(codes.len() as u32);
        }
        return Some(Column { rows: Rows::Many { ends, codes }, distinct: interner.distinct() });
    }
    match array.data_type() {
        DataType::Utf8View => Some(texts(array.as_string_view().iter())),
        DataType::Utf8 => Some(texts(array.as_string::<i32>().iter())),
        DataType::LargeUtf8 => Some(texts(array.as_string::<i64>().iter())),
        DataType::Int64 => Some(numbers(array.as_primitive::<Int64Type>().iter(), |number| number.to_string())),
        DataType::Float64 => {
            let bits = array.as_primitive::<Float64Type>().iter().map(|value| value.map(|value| value.to_bits() as i64));
            Some(numbers(bits, |bits| f64::from_bits(bits as u64).to_string()))
        }
        DataType::Boolean => {
            Some(numbers(array.as_boolean().iter().map(|flag| flag.map(i64::from)), |flag| (flag == 1).to_string()))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Some(numbers(array.as_primitive::<TimestampMicrosecondType>().iter(), time::text))
        }
        _ => None,
    }
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Column<'a> {
    let mut interner = Interner::default();
    let codes: Vec<u32> = values.map(|value| value.map_or(CODE_NULL, |text| interner.code(text))).collect();
    Column { rows: Rows::One(codes.into()), distinct: interner.distinct() }
}

fn numbers<'a>(values: impl Iterator<Item = Option<i64>>, show: impl Fn(i64) -> String) -> Column<'a> {
    let mut index: HashMap<i64, u32> = HashMap::new();
    let mut distinct = Vec::new();
    let codes: Vec<u32> = values
        .map(|value| match value {
            None => CODE_NULL,
            Some(value) => *index.entry(value).or_insert_with(|| {
                distinct.push(Cow::Owned(show(value)));
                distinct.len() as u32 - 1
            }),
        })
        .collect();
    Column { rows: Rows::One(codes.into()), distinct: Distinct::Texts(distinct) }
}

fn sparse(rows: usize, values: &[(u32, String)]) -> Column<'_> {
    let mut interner = Interner::default();
    let mut codes = vec![CODE_NULL; rows];
    for (row, text) in values {
        codes[*row as usize] = interner.code(text);
    }
    Column { rows: Rows::One(codes.into()), distinct: interner.distinct() }
}

/// Joins columns of one field: each row takes the first column that has something for it.
fn coalesce<'a>(rows: usize, parts: Vec<Column<'a>>) -> Column<'a> {
    let mut bases = Vec::with_capacity(parts.len());
    let mut len = 0;
    for part in &parts {
        bases.push(len);
        len += part.distinct.len() as u32;
    }
    let is_many = parts.iter().any(|part| matches!(part.rows, Rows::Many { .. }));
    let (mut ends, mut codes) = (Vec::new(), Vec::with_capacity(rows));
    for row in 0..rows {
        let found = parts.iter().zip(&bases).map(|(part, base)| (part.codes(row), base)).find(|(codes, _)| !codes.is_empty());
        match found {
            Some((found, base)) => codes.extend(found.iter().map(|code| base + code)),
            None if !is_many => codes.push(CODE_NULL),
            None => {}
        }
        if is_many {
            ends.push(codes.len() as u32);
        }
    }
    // Values that occur in two columns are tested twice; the codes stay right.
    let mut distinct = Vec::with_capacity(len as usize);
    for part in parts {
        match part.distinct {
            Distinct::Array(array) => distinct.extend((0..array.len()).map(|at| Cow::Borrowed(array.value(at)))),
            Distinct::Texts(texts) => distinct.extend(texts),
        }
    }
    let rows = if is_many { Rows::Many { ends, codes } } else { Rows::One(codes.into()) };
    Column { rows, distinct: Distinct::Texts(distinct) }
}

#[derive(Default)]
struct Interner<'a> {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    texts: Vec<&'a str>,
}

impl<'a> Interner<'a> {
    fn code(&mut self, text: &'a str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let texts = &self.texts;
        if let Some(code) = self.table.find(hash, |&code| texts[code as usize] == text) {
            return *code;
        }
        let code = self.texts.len() as u32;
        self.texts.push(text);
        let (texts, hasher) = (&self.texts, &self.hasher);
        self.table.insert_unique(hash, code, |&code| hasher.hash_one(texts[code as usize]));
        code
    }

    fn distinct(self) -> Distinct<'a> {
        Distinct::Texts(self.texts.into_iter().map(Cow::Borrowed).collect())
    }
}
