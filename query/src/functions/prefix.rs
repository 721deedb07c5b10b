//! `prefix(field, 'text')`: does the value begin so?

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::DataType,
    common::ScalarValue,
    error::Result,
    logical_expr::{
        ColumnarValue, Expr, Like, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
        simplify::{ExprSimplifyResult, SimplifyContext},
    },
};

use super::text::{Texts, constant, invalid, null_answer};

pub const DOC: &str = "True when the value begins with the text, case included; a list field when some element does. \
                       On a scalar field it is LIKE 'text%', so whole segments and pages are skipped by their smallest and largest value.";

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    signature: Signature,
}

impl Prefix {
    pub fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Prefix {
    fn name(&self) -> &'static str {
        "prefix"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        if args.len() != 2 {
            return Err(invalid("prefix needs a field and a text: prefix(url.path, '/admin')"));
        }
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(start) = constant("prefix", &args.args[1])? else { return Ok(null_answer(args.number_rows)) };
        let texts = Texts::of(&args.args[0], args.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(texts.test(|text| text.starts_with(start)))))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let is_text = args.first().map(|field| info.get_data_type(field)).transpose()?;
        let is_text = matches!(is_text, Some(DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8));
        let [field, Expr::Literal(ScalarValue::Utf8(Some(start)) | ScalarValue::Utf8View(Some(start)), _)] = args.as_slice()
        else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        if !is_text {
            return Ok(ExprSimplifyResult::Original(args));
        }
        let pattern = Expr::Literal(ScalarValue::Utf8View(Some(like_escaped(start) + "%")), None);
        let like = Like::new(false, Box::new(field.clone()), Box::new(pattern), None, false);
        Ok(ExprSimplifyResult::Simplified(Expr::Like(like)))
    }
}

/// A text as the LIKE pattern that only it matches.
pub(crate) fn like_escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
