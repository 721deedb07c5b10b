//! A cap around text functions whose result can be longer than their arguments.
//!
//! `replace(replace(message, 'a', '…1000…'), …)` multiplies at every step, inside one kernel call that no memory pool and no
//! time limit sees. So such a function runs over slices of rows whose *worst* result is small, and stops when what it
//! really made is too much.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray},
        compute::concat,
        datatypes::{DataType, FieldRef},
    },
    error::{DataFusionError, Result},
    logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature},
};

/// Text that one call may make for one batch of rows.
pub(crate) const BATCH_BYTES_MAX: usize = 128 << 20;

/// Worst result of one slice.
const SLICE_BYTES_MAX: usize = 32 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Growth {
    /// As long as all arguments together, times a separator.
    Sum,
    /// Each character of the first argument may become the third.
    Product,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Capped {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

/// Wraps the functions that need it.
pub(crate) fn wrap(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    let growth = match function.name() {
        "concat" | "concat_ws" | "array_to_string" => Growth::Sum,
        "replace" | "regexp_replace" | "translate" => Growth::Product,
        _ => return function,
    };
    Arc::new(ScalarUDF::from(Capped { inner: function, growth }))
}

pub(crate) fn too_long(function: &str) -> DataFusionError {
    crate::Error::new(crate::ErrorKind::Limit, format!("the text that {function} makes grew too long")).into()
}

impl ScalarUDFImpl for Capped {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        self.inner.return_type(args)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let bounds = self.bounds(&args.args, rows)?;
        if bounds.iter().sum::<usize>() <= SLICE_BYTES_MAX {
            return self.inner.invoke_with_args(args);
        }
        let (mut parts, mut made, mut from): (Vec<ArrayRef>, usize, usize) = (vec![], 0, 0);
        while from < rows {
            if bounds[from] > BATCH_BYTES_MAX {
                return Err(too_long(self.name()));
            }
            let mut to = from + 1;
            let mut bound = bounds[from];
            while to < rows && bound + bounds[to] <= SLICE_BYTES_MAX {
                bound += bounds[to];
                to += 1;
            }
            let part = self.inner.invoke_with_args(slice(&args, from, to))?.to_array(to - from)?;
            made += part.get_array_memory_size();
            if made > BATCH_BYTES_MAX {
                return Err(too_long(self.name()));
            }
            parts.push(part);
            from = to;
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(concat(&parts)?))
    }
}

impl Capped {
    /// The longest that each row's result can be.
    fn bounds(&self, args: &[ColumnarValue], rows: usize) -> Result<Vec<usize>> {
        let lengths = args.iter().map(|arg| lengths(arg, rows)).collect::<Result<Vec<_>>>()?;
        let at = |arg: usize, row: usize| lengths.get(arg).map_or(0, |lengths| lengths[if lengths.len() == 1 { 0 } else { row }]);
        Ok((0..rows)
            .map(|row| match self.growth {
                Growth::Sum => (0..lengths.len()).map(|arg| at(arg, row)).fold(64, usize::saturating_add),
                Growth::Product => (at(0, row) + 1).saturating_mul(at(2, row).saturating_mul(2)).saturating_add(at(0, row) + 64),
            })
            .collect())
    }
}

/// Bytes of each row's text; one entry for a constant.
fn lengths(value: &ColumnarValue, rows: usize) -> Result<Vec<usize>> {
    let array = match value {
        ColumnarValue::Scalar(scalar) => scalar.to_array_of_size(1)?,
        ColumnarValue::Array(array) => array.clone(),
    };
    let of =
        |length: &dyn Fn(usize) -> usize| (0..array.len()).map(|row| if array.is_null(row) { 0 } else { length(row) }).collect();
    Ok(match array.data_type() {
        DataType::Utf8View => of(&|row| array.as_string_view().value(row).len()),
        DataType::Utf8 => of(&|row| array.as_string::<i32>().value_length(row) as usize),
        DataType::LargeUtf8 => of(&|row| array.as_string::<i64>().value_length(row) as usize),
        DataType::List(_) => of(&|row| array.as_list::<i32>().value(row).get_array_memory_size()),
        _ => vec![40; rows.max(1)],
    })
}

fn slice(args: &ScalarFunctionArgs, from: usize, to: usize) -> ScalarFunctionArgs {
    let slice = |value: &ColumnarValue| match value {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(from, to - from)),
        scalar => scalar.clone(),
    };
    ScalarFunctionArgs {
        args: args.args.iter().map(slice).collect(),
        arg_fields: args.arg_fields.clone(),
        number_rows: to - from,
        return_field: args.return_field.clone(),
        config_options: args.config_options.clone(),
    }
}
