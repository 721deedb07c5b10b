//! Sigma rules over batches of events: from YAML to matches with their evidence.
//!
//! ```text
//! files ──load──▶ RuleSet (shared predicates, one automaton per field) ──match_batch──▶ Match { rule, row, evidence }
//! ```
//!
//! What is deliberately absent: no clock, no async runtime, no SQL, no files (the caller reads folders), no memory between
//! batches. Correlations, filters and our own rule types are not supported yet; documents of those kinds are listed in
//! [`Loaded::rejected`] with that reason.
//!
//! Semantics are those of the Sigma specification 2.1, two-valued: a predicate on an absent field is false and its
//! negation true. Text is compared by Unicode lower case on both sides; accents are never folded.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod fuzzing;

mod base64;
mod column;
mod compile;
mod condition;
mod engine;
pub mod flat;
mod gate;
mod lint;
mod load;
mod mapping;
mod matcher;
mod modifier;
pub mod own;
mod pattern;
mod predicate;
mod program;
mod route;
mod rule;
pub mod rule_tests;
mod time;
mod yaml;

pub use engine::{Evidence, Health, Match, Route, RuleSet};
pub use load::{Loaded, Options, RuleSource, load};
pub use mapping::{EventClass, LogSource};
pub use modifier::Lists;
pub use rule::{Lint, Needs, Rejected, Related, Rule, Status};
