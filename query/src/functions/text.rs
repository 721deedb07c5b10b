//! Arguments as text: one view of columns, lists and constants for all functions here.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, StringViewArray},
        buffer::{BooleanBuffer, NullBuffer},
        compute::cast,
        datatypes::{DataType, Field},
    },
    error::{DataFusionError, Result},
    logical_expr::ColumnarValue,
    scalar::ScalarValue,
};

/// A text column, or a column of lists of text.
pub(crate) enum Texts {
    One(StringViewArray),
    Many(ListArray),
}

impl Texts {
    pub(crate) fn new(array: &ArrayRef) -> Result<Self> {
        match array.data_type() {
            DataType::List(item) if item.data_type() == &DataType::Utf8View => Ok(Self::Many(array.as_list::<i32>().clone())),
            DataType::List(_) | DataType::LargeList(_) | DataType::ListView(_) => {
                let wanted = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true)));
                Ok(Self::Many(cast(array, &wanted)?.as_list::<i32>().clone()))
            }
            DataType::Utf8View => Ok(Self::One(array.as_string_view().clone())),
            _ => Ok(Self::One(cast(array, &DataType::Utf8View)?.as_string_view().clone())),
        }
    }

    pub(crate) fn of(value: &ColumnarValue, rows: usize) -> Result<Self> {
        Self::new(&value.to_array(rows)?)
    }

    /// Tests each row: null where there is no value, true where some element passes.
    pub(crate) fn test(&self, mut passes: impl FnMut(&str) -> bool) -> BooleanArray {
        match self {
            Self::One(texts) => {
                let values = BooleanBuffer::collect_bool(texts.len(), |row| texts.is_valid(row) && passes(texts.value(row)));
                BooleanArray::new(values, texts.nulls().cloned())
            }
            Self::Many(lists) => {
                let items = lists.values().as_string_view();
                let passed = BooleanBuffer::collect_bool(items.len(), |at| items.is_valid(at) && passes(items.value(at)));
                any_element(lists, &passed)
            }
        }
    }
}

/// True for each list that holds a true element; null for a null list.
pub(crate) fn any_element(lists: &ListArray, passed: &BooleanBuffer) -> BooleanArray {
    let offsets = lists.value_offsets();
    let values = BooleanBuffer::collect_bool(lists.len(), |row| {
        (offsets[row] as usize..offsets[row + 1] as usize).any(|at| passed.value(at))
    });
    BooleanArray::new(values, lists.nulls().cloned())
}

/// A constant text argument; `None` for a null.
pub(crate) fn constant<'a>(function: &str, value: &'a ColumnarValue) -> Result<Option<&'a str>> {
    match value {
        ColumnarValue::Scalar(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text)) => {
            Ok(text.as_deref())
        }
        ColumnarValue::Scalar(ScalarValue::Null) => Ok(None),
        _ => Err(invalid(format!("{function}: the last argument must be a text constant, such as 'words'"))),
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> DataFusionError {
    crate::Error::new(crate::ErrorKind::Invalid, message).into()
}

/// A column of `rows` nulls, the answer to a null question.
pub(crate) fn null_answer(rows: usize) -> ColumnarValue {
    ColumnarValue::Array(Arc::new(BooleanArray::new(BooleanBuffer::new_unset(rows), Some(NullBuffer::new_null(rows)))))
}
