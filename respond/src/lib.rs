//! Matches become alerts, alerts incidents, incidents pages; people answer.
//!
//! ```text
//! Found ─judge, group─▶ state (alerts, incidents, outbox, cursor: one transaction)
//!                          └─▶ plan: who is on call ─▶ notification ─▶ SMTP, webhook ─▶ attempt stored, retried
//!                                  └─▶ escalation until acknowledged        every transition ─▶ audit event
//! ```
//!
//! What is deliberately absent: a rule engine (a [`RuleCard`] is handed in), HTTP pages (they are in `dashboards`), and timers
//! in memory: everything that is due has a row, so a restart neither loses a page nor sends one twice. Decisions are pure
//! functions ([`policy`], [`group`], [`schedule`], [`escalate`], [`retry`], [`guard`]); time comes from the injected clock.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod audit;
pub mod email;
pub mod escalate;
pub mod found;
pub mod group;
pub mod guard;
pub mod message;
pub mod policy;
pub mod retry;
pub mod schedule;
pub mod settings;
pub mod storm;
pub mod webhook;

mod deliver;
mod plan;
mod responder;

pub use found::{EventReader, EventSummary, Evidence, Found, RuleCard};
pub use responder::{Responder, Worked};
pub use settings::Settings;

/// What went wrong, already worded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Settings(String),
    #[error("the state refused")]
    State(#[from] state::Error),
    #[error("failed to write an audit event")]
    Audit(#[source] event::seam::Refused),
    /// The caller asked for something that cannot be; the text is for people.
    #[error("{0}")]
    Invalid(String),
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A delivery that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Trying again would bring the same answer.
    pub is_permanent: bool,
    pub detail: String,
}

impl Failure {
    /// A failure that may pass, with the whole chain of its causes.
    fn passing(error: &dyn std::error::Error) -> Self {
        let mut detail = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            detail.push_str(": ");
            detail.push_str(&cause.to_string());
            source = cause.source();
        }
        Self { is_permanent: false, detail: detail.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect() }
    }
}
