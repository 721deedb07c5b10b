//! What the law asks of a system at its level, and whether it is so: frameworks → requirements → checks → verdicts → score.
//!
//! ```text
//! frameworks/*.yml (dated law) ─▶ requirement ─▶ check (checks/*.yml: question, SQL) ─▶ Search ─▶ rows
//!                                                                                                  ▼
//!      score ◀─ verdict ◀─ measure (pure: counts in, verdict out) ◀─ register (who owes) + sealed days (what was learned)
//! ```
//!
//! What is absent: no clock (time comes in as `at`), no runtime, no SQL engine (only [`event::seam::Search`]), no floating
//! point number in anything that is sealed. A check knows no law; a framework knows no SQL.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod catalogue;
pub mod check;
pub mod delta;
pub mod evaluate;
pub mod framework;
pub mod measure;
pub mod rows;
pub mod score;
pub mod seal;
pub mod sql;
pub mod verdict;

mod question;

pub use catalogue::{Catalogue, Problem, SourceFile};
pub use check::Check;
pub use delta::{Cause, Delta, explain};
pub use evaluate::{
    Assessment, Attestation, CheckResult, Facts, RequirementVerdict, Upcoming, close_day, evaluate, evaluate_all, evaluate_facts,
};
pub use framework::{Bilingual, Binding, Framework, Reach, Requirement};
pub use score::{Score, ScoreRow, Scores, score};
pub use seal::SealedInputs;
pub use verdict::{EvidenceKind, Share, Verdict};

#[cfg(test)]
mod properties;
