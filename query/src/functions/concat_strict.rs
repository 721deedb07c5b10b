//! `concat_strict(a, b)`: what the rewrite makes of `a || b`; null when either is null, bounded in size.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array, StringViewBuilder},
        datatypes::DataType,
    },
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility},
    scalar::ScalarValue,
};

use super::{
    capped::{BATCH_BYTES_MAX, too_long},
    text::{Texts, invalid},
};

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ConcatStrict {
    signature: Signature,
}

impl ConcatStrict {
    pub fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ConcatStrict {
    fn name(&self) -> &'static str {
        "concat_strict"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        if args.iter().any(|arg| matches!(arg, DataType::List(_))) {
            return Err(invalid("|| joins text, not list fields; array_to_string(list, ', ') makes text of a list"));
        }
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let (Texts::One(left), Texts::One(right)) = (Texts::of(&args.args[0], rows)?, Texts::of(&args.args[1], rows)?) else {
            return Err(invalid("|| joins text, not list fields"));
        };
        let mut out = StringViewBuilder::with_capacity(rows);
        let (mut text, mut bytes) = (String::new(), 0);
        for row in 0..rows {
            if left.is_null(row) || right.is_null(row) {
                out.append_null();
                continue;
            }
            text.clear();
            text.push_str(left.value(row));
            text.push_str(right.value(row));
            bytes += text.len();
            if bytes > BATCH_BYTES_MAX {
                return Err(too_long("||"));
            }
            out.append_value(&text);
        }
        let array = out.finish();
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(array)))
    }
}
