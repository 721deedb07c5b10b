//! The language of the search box: words, `"phrases"`, `field:value`, comparisons, `and`, `or`, `not`, parentheses.
//!
//! ```text
//! failed ssh source.ip:10.0.0.0/8 -user.name:(root or admin) destination.port>=1024
//!   → SELECT * FROM events WHERE match('failed') AND match('ssh') AND cidr(source.ip, '10.0.0.0/8') AND …
//! ```
//!
//! A text becomes a tree ([`parse`]), the tree becomes SQL ([`compile`]) that the page shows and the analyst may take over.
//! Every condition is two-valued: an event without the field does not match `field:x` and does match `-field:x`.
//!
//! After the conditions come commands, each behind a `|` ([`pipe`]); the fields that they name depend on those before.

mod compile;
pub(crate) mod complete;
mod lexer;
mod parse;
pub(crate) mod pipe;
mod problem;

pub use compile::{Compiled, Window, compile};
pub(crate) use compile::{compile_with, conditions, name, quoted as sql_text, time as sql_time};
pub use complete::{SUGGESTIONS_MAX, Suggestion, SuggestionKind};
use parse::conditions as parse_conditions;
pub use parse::{Comparison, Node, Value, parse};
pub use pipe::{
    AGGREGATES, Aggregate, By, Expr, FUNCTIONS, Function, Named, Operator, Placed, Raw, Shape, Span, Stage, Type, VERBS, Verb,
};
pub use problem::{Problem, SearchError};

/// Longest search text in bytes.
pub const SEARCH_BYTES_MAX: usize = 64 * 1024;

/// Conditions in one search; the values of one `field:(a or b …)` count once.
pub const SEARCH_TERMS_MAX: usize = 100;

/// Nested parentheses.
pub const SEARCH_DEPTH_MAX: usize = 30;

/// Which fields a search may name.
pub trait Fields {
    /// The field's kind and whether it is a list; `None` when there is no such field.
    fn kind(&self, name: &str) -> Option<(event::Kind, bool)>;

    /// The name that was probably meant.
    fn nearest(&self, name: &str) -> Option<String>;

    /// All names, for completion.
    fn names(&self) -> Vec<String>;

    /// The columns of a table that may be looked up in; `None` when there is no such table.
    fn table(&self, name: &str) -> Option<Vec<(String, Type)>> {
        let _ = name;
        None
    }

    /// The tables that may be looked up in.
    fn tables(&self) -> Vec<String> {
        vec![]
    }
}

/// The catalogue alone, without the fields that only stored events know.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue;

impl Fields for Catalogue {
    fn kind(&self, name: &str) -> Option<(event::Kind, bool)> {
        let definition = event::Field::by_name(name)?.definition();
        Some((definition.kind, definition.list))
    }

    fn nearest(&self, name: &str) -> Option<String> {
        crate::error::nearest(name, event::Field::all().map(event::Field::name)).map(str::to_owned)
    }

    fn names(&self) -> Vec<String> {
        event::Field::all().map(|field| field.name().to_owned()).collect()
    }
}

/// Entry for fuzzing: whatever the bytes are, compiling ends, and what it makes parses as SQL.
pub fn fuzz_search(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match compile(&text, &Catalogue, &Window::default()) {
        Ok(compiled) => {
            let parsed = crate::dialect::parse(&compiled.sql);
            assert!(parsed.is_ok(), "{text:?} became {:?}: {parsed:?}", compiled.sql);
        }
        Err(error) => {
            assert!(
                text.is_char_boundary(error.offset) && text.is_char_boundary(error.offset + error.len),
                "{text:?}: {error:?}"
            );
        }
    }
}

#[cfg(test)]
mod tests;
