//! Typed access to the values of a batch's columns, row by row, without a look-up per value.

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Int32Array, Int64Array, ListArray, StringArray, StringViewArray, TimestampMicrosecondArray,
    },
    datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType},
    record_batch::RecordBatch,
};

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cells<'a> {
    Text(&'a StringViewArray),
    Coded {
        keys: &'a Int32Array,
        values: &'a StringArray,
    },
    Long(&'a Int64Array),
    Date(&'a TimestampMicrosecondArray),
    List {
        rows: &'a ListArray,
        items: &'a StringViewArray,
    },
    /// No values, or values that lines are not made of.
    Other,
}

impl<'a> Cells<'a> {
    #[inline]
    pub fn of(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Utf8View => Self::Text(array.as_string_view()),
            DataType::Dictionary(..) => match array.as_dictionary_opt::<Int32Type>() {
                Some(coded) => match coded.values().as_string_opt::<i32>() {
                    Some(values) => Self::Coded { keys: coded.keys(), values },
                    None => Self::Other,
                },
                None => Self::Other,
            },
            DataType::Int64 => Self::Long(array.as_primitive::<Int64Type>()),
            DataType::Timestamp(..) => array.as_primitive_opt::<TimestampMicrosecondType>().map_or(Self::Other, Self::Date),
            DataType::List(_) => {
                let rows = array.as_list::<i32>();
                rows.values().as_string_view_opt().map_or(Self::Other, |items| Self::List { rows, items })
            }
            _ => Self::Other,
        }
    }

    pub fn by_name(batch: &'a RecordBatch, name: &str) -> Self {
        batch.column_by_name(name).map_or(Self::Other, Self::of)
    }

    /// The text of a text column.
    #[inline]
    pub fn text(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Text(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Coded { keys, values } => keys.is_valid(row).then(|| values.value(keys.value(row) as usize)),
            _ => None,
        }
    }

    #[inline]
    pub fn long(&self, row: usize) -> Option<i64> {
        match self {
            Self::Long(array) => array.is_valid(row).then(|| array.value(row)),
            _ => None,
        }
    }

    #[inline]
    pub fn date(&self, row: usize) -> Option<i64> {
        match self {
            Self::Date(array) => array.is_valid(row).then(|| array.value(row)),
            _ => None,
        }
    }

    /// The elements of a list column; none of them null.
    #[inline]
    pub fn list(&self, row: usize) -> Option<impl ExactSizeIterator<Item = &'a str> + use<'a>> {
        let Self::List { rows, items } = self else { return None };
        let (rows, items): (&'a ListArray, &'a StringViewArray) = (rows, items);
        if rows.is_null(row) {
            return None;
        }
        let (from, to) = (rows.value_offsets()[row] as usize, rows.value_offsets()[row + 1] as usize);
        Some((from..to).map(move |at| items.value(at)))
    }
}
