//! `regexp_group(field, 'pattern', 'name')`: what a named group of the first match holds.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array, StringViewBuilder},
        datatypes::DataType,
    },
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility},
};
use regex::RegexBuilder;

use super::text::{Texts, constant, invalid};

pub const DOC: &str = "The text that the named group (?<name>…) of the pattern holds at its first match, case included; null where \
                       the pattern does not match or the group has no part in it.";

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RegexpGroup {
    signature: Signature,
}

impl RegexpGroup {
    pub fn new() -> Self {
        Self { signature: Signature::any(3, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for RegexpGroup {
    fn name(&self) -> &'static str {
        "regexp_group"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match args.first() {
            Some(DataType::List(_)) => Err(invalid("regexp_group reads one text, not a list field")),
            _ => Ok(DataType::Utf8View),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let (pattern, group) = (constant("regexp_group", &args.args[1])?, constant("regexp_group", &args.args[2])?);
        let (pattern, group) = (pattern.unwrap_or_default(), group.unwrap_or_default());
        let regex = RegexBuilder::new(pattern)
            .size_limit(1 << 20)
            .build()
            .map_err(|error| invalid(format!("the pattern {pattern:?} is no regular expression: {error}")))?;
        if !regex.capture_names().flatten().any(|name| name == group) {
            return Err(invalid(format!("regexp_group: the pattern names no group {group:?}")));
        }
        let Texts::One(texts) = Texts::of(&args.args[0], rows)? else {
            return Err(invalid("regexp_group reads one text, not a list field"));
        };
        let mut out = StringViewBuilder::with_capacity(rows);
        for row in 0..texts.len() {
            let found = texts.is_valid(row).then(|| regex.captures(texts.value(row))).flatten();
            out.append_option(found.as_ref().and_then(|found| found.name(group)).map(|found| found.as_str()));
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}
