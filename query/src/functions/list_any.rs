//! `list_any('=', list, value, …)`: what the rewrite makes of a comparison with a list field.
//!
//! True when some element stands in that relation to one of the values (`between`: to both); false when none does, an
//! empty list included; null for a null list or only null values.

use std::{collections::HashSet, sync::Arc};

use datafusion::{
    arrow::{
        array::{Array, AsArray, BooleanArray, ListArray, StringViewArray},
        buffer::{BooleanBuffer, NullBuffer},
        compute::{
            cast,
            kernels::comparison::{ilike, like},
        },
        datatypes::DataType,
    },
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility},
    scalar::ScalarValue,
};
use regex::RegexBuilder;

use super::text::{Texts, any_element, constant, invalid, null_answer};

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ListAny {
    signature: Signature,
}

impl ListAny {
    pub fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ListAny {
    fn name(&self) -> &'static str {
        "list_any"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        if args.len() < 3 {
            return Err(invalid("list_any needs an operator, a list field and a value"));
        }
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let operator = constant("list_any", &args.args[0])?.unwrap_or_default().to_owned();
        let Texts::Many(lists) = Texts::of(&args.args[1], args.number_rows)? else {
            return Err(invalid("list_any: the field is no list"));
        };
        let values = &args.args[2..];
        if values.iter().all(|value| matches!(value, ColumnarValue::Scalar(_))) {
            return constants(&operator, &lists, values, args.number_rows);
        }
        per_row(&operator, &lists, values, args.number_rows)
    }
}

/// The usual case: every value is a constant, the elements are tested in one go.
fn constants(operator: &str, lists: &ListArray, values: &[ColumnarValue], rows: usize) -> Result<ColumnarValue> {
    let mut texts: Vec<String> = Vec::with_capacity(values.len());
    for value in values {
        let ColumnarValue::Scalar(value) = value else { continue };
        texts.extend(scalar_texts(value)?);
    }
    if texts.is_empty() || (operator == "between" && texts.len() != 2) {
        return Ok(null_answer(rows));
    }
    let items = lists.values().as_string_view();
    let passed = test_items(operator, items, &texts)?;
    Ok(ColumnarValue::Array(Arc::new(any_element(lists, &passed))))
}

fn test_items(operator: &str, items: &StringViewArray, texts: &[String]) -> Result<BooleanBuffer> {
    let collect = |passes: &dyn Fn(&str) -> bool| {
        BooleanBuffer::collect_bool(items.len(), |at| items.is_valid(at) && passes(items.value(at)))
    };
    let first = texts[0].as_str();
    Ok(match operator {
        "=" if texts.len() == 1 => collect(&|item| item == first),
        "=" => {
            let set: HashSet<&str> = texts.iter().map(String::as_str).collect();
            collect(&|item| set.contains(item))
        }
        "<" => collect(&|item| item < first),
        "<=" => collect(&|item| item <= first),
        ">" => collect(&|item| item > first),
        ">=" => collect(&|item| item >= first),
        "between" => collect(&|item| first <= item && item <= texts[1].as_str()),
        "like" | "ilike" => {
            let pattern = StringViewArray::new_scalar(first);
            let passed = if operator == "like" { like(items, &pattern)? } else { ilike(items, &pattern)? };
            is_true(&passed)
        }
        "~" | "~*" => {
            let regex = RegexBuilder::new(first)
                .case_insensitive(operator == "~*")
                .size_limit(1 << 20)
                .build()
                .map_err(|error| invalid(format!("the pattern {first:?} is no regular expression: {error}")))?;
            collect(&|item| regex.is_match(item))
        }
        other => return Err(invalid(format!("list_any: unknown operator {other:?}"))),
    })
}

fn is_true(array: &BooleanArray) -> BooleanBuffer {
    match array.nulls() {
        Some(nulls) => array.values() & nulls.inner(),
        None => array.values().clone(),
    }
}

/// Values that differ from row to row: slower, and rare.
fn per_row(operator: &str, lists: &ListArray, values: &[ColumnarValue], rows: usize) -> Result<ColumnarValue> {
    let columns = values.iter().map(|value| value.to_array(rows)).collect::<Result<Vec<_>>>()?;
    let mut answers = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut texts = Vec::new();
        for column in &columns {
            texts.extend(scalar_texts(&ScalarValue::try_from_array(column, row)?)?);
        }
        answers.push(match lists.is_null(row) || texts.is_empty() || (operator == "between" && texts.len() != 2) {
            true => None,
            false => Some(test_items(operator, lists.value(row).as_string_view(), &texts)?.count_set_bits() > 0),
        });
    }
    let valid: Vec<bool> = answers.iter().map(Option::is_some).collect();
    let values = BooleanBuffer::collect_bool(rows, |row| answers[row] == Some(true));
    Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(values, Some(NullBuffer::from(valid))))))
}

/// A constant as text, a list of constants as its elements; nulls are left out.
fn scalar_texts(value: &ScalarValue) -> Result<Vec<String>> {
    if value.is_null() {
        return Ok(vec![]);
    }
    if let ScalarValue::List(list) = value {
        let items = cast(&list.value(0), &DataType::Utf8View)?;
        return Ok(items.as_string_view().iter().flatten().map(str::to_owned).collect());
    }
    match value.cast_to(&DataType::Utf8)? {
        ScalarValue::Utf8(Some(text)) => Ok(vec![text]),
        _ => Ok(vec![]),
    }
}
