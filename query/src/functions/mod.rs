//! Functions that SQL may call: an explicit list, of the engine's own and ours.
//!
//! A name that is not here does not exist: the statement is checked against the list, and the registry that the planner
//! sees holds nothing else. Left out are functions that make much out of little (`repeat`, `range`, `generate_series`,
//! `lpad` …), that tell about the server (`version`), and all table functions. Text functions whose result can be longer
//! than their arguments run capped ([`capped`]).

mod allowed;
mod capped;
pub(crate) mod cidr;
mod concat_strict;
mod is_private;
mod list_any;
pub(crate) mod match_terms;
mod prefix;
mod regexp_group;
mod text;

use std::sync::Arc;

use datafusion::{execution::SessionStateDefaults, execution::session_state::SessionStateBuilder, logical_expr::ScalarUDF};

pub(crate) use allowed::{allowed_names, is_allowed, why_denied};
pub(crate) use cidr::network;
pub use match_terms::Question;
pub(crate) use prefix::like_escaped;

/// Our own functions, as the manual lists them: name, how it is called, what it does.
pub const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("match", "match([field, …] 'words \"a phrase\" begin*')", match_terms::DOC),
    ("cidr", "cidr(field, '10.0.0.0/8', …)", cidr::DOC),
    ("prefix", "prefix(field, 'text')", prefix::DOC),
    ("is_private", "is_private(field)", is_private::DOC),
    ("regexp_group", "regexp_group(field, 'user=(?<name>\\S+)', 'name')", regexp_group::DOC),
];

/// Puts exactly the allowed functions into a session.
pub(crate) fn register(builder: SessionStateBuilder) -> SessionStateBuilder {
    let mut scalar: Vec<Arc<ScalarUDF>> = SessionStateDefaults::default_scalar_functions()
        .into_iter()
        .filter(|function| allowed::is_scalar(function.name()) || function.aliases().iter().any(|name| allowed::is_scalar(name)))
        .map(capped::wrap)
        .collect();
    scalar.extend([
        Arc::new(ScalarUDF::from(match_terms::Match::new())),
        Arc::new(ScalarUDF::from(cidr::Cidr::new())),
        Arc::new(ScalarUDF::from(prefix::Prefix::new())),
        Arc::new(ScalarUDF::from(is_private::IsPrivate::new())),
        Arc::new(ScalarUDF::from(regexp_group::RegexpGroup::new())),
        Arc::new(ScalarUDF::from(list_any::ListAny::new())),
        Arc::new(ScalarUDF::from(concat_strict::ConcatStrict::new())),
    ]);
    let aggregate = SessionStateDefaults::default_aggregate_functions()
        .into_iter()
        .filter(|function| allowed::is_aggregate(function.name()))
        .collect();
    let window = SessionStateDefaults::default_window_functions()
        .into_iter()
        .filter(|function| allowed::is_window(function.name()))
        .collect();
    builder
        .with_scalar_functions(scalar)
        .with_aggregate_functions(aggregate)
        .with_window_functions(window)
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
}
