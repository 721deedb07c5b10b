//! What people do at this program's own door and to its settings, as audit events: one JSON record of source `chieng.audit`.
//!
//! Incidents have a log of their own, which `respond` follows; here are logins, lock-outs, passwords, accounts, duty, the
//! register. The record is durable before the answer leaves. When the store refuses it (full disk), the same record goes to
//! the program's log instead and the request goes on: who cannot log in cannot make room.

use std::net::IpAddr;

use event::{RawBatch, seam::Sink};
use serde_json::{Value, json};

use crate::{App, auth::Person, time::rfc3339};

/// The source of audit events; `respond::audit` writes to the same.
const SOURCE: &str = respond::audit::SOURCE;

/// What happened. Detection rules and searches name these words: they are never reused for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Login,
    Logout,
    /// Guessing shut an account or an address for a while.
    LoginLock,
    /// A person changed their own password.
    PasswordChange,
    /// An administrator gave an account a new password.
    PasswordReset,
    UserCreate,
    UserChange,
    UserDisable,
    UserEnable,
    OncallChange,
    ChannelCreate,
    TokenCreate,
    RegisterImport,
    SenderAdopt,
    /// Events left as a file.
    Export,
    /// A question in the background was asked, ended, was removed with its answer.
    JobCreate,
    JobEnd,
    JobRemove,
    /// A legal hold: from here on nothing that it covers is deleted.
    HoldPlace,
    HoldRelease,
    /// The proof was checked; a packet of evidence was made, left as a file, was removed.
    ProofCheck,
    EvidenceExport,
    EvidenceTake,
    EvidenceRemove,
}

impl Action {
    /// `event.action`, then the ECS category and type.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Login => ("login", "authentication", "start"),
            Self::Logout => ("logout", "authentication", "end"),
            Self::LoginLock => ("login.lock", "authentication", "denied"),
            Self::PasswordChange => ("password.change", "iam", "change"),
            Self::PasswordReset => ("password.reset", "iam", "change"),
            Self::UserCreate => ("user.create", "iam", "creation"),
            Self::UserChange => ("user.change", "iam", "change"),
            Self::UserDisable => ("user.disable", "iam", "change"),
            Self::UserEnable => ("user.enable", "iam", "change"),
            Self::OncallChange => ("oncall.change", "configuration", "change"),
            Self::ChannelCreate => ("channel.create", "configuration", "creation"),
            Self::TokenCreate => ("token.create", "configuration", "creation"),
            Self::RegisterImport => ("register.import", "configuration", "change"),
            Self::SenderAdopt => ("sender.adopt", "configuration", "change"),
            Self::Export => ("event.export", "database", "access"),
            Self::JobCreate => ("job.create", "database", "creation"),
            Self::JobEnd => ("job.end", "database", "end"),
            Self::JobRemove => ("job.remove", "database", "deletion"),
            Self::HoldPlace => ("hold.place", "configuration", "creation"),
            Self::HoldRelease => ("hold.release", "configuration", "deletion"),
            Self::ProofCheck => ("proof.check", "database", "info"),
            Self::EvidenceExport => ("evidence.export", "database", "access"),
            Self::EvidenceTake => ("evidence.take", "database", "access"),
            Self::EvidenceRemove => ("evidence.remove", "database", "deletion"),
        }
    }
}

/// One audit event in the making.
#[derive(Clone, Debug)]
pub struct Line {
    action: Action,
    actor: String,
    is_success: bool,
    address: Option<IpAddr>,
    target: Option<String>,
    message: String,
}

impl Line {
    /// A success of this person; what is not so is said by the methods below.
    pub fn new(action: Action, actor: &str, message: impl Into<String>) -> Self {
        Self { action, actor: actor.into(), is_success: true, address: None, target: None, message: message.into() }
    }

    pub fn of(action: Action, person: &Person, message: impl Into<String>) -> Self {
        Self::new(action, &person.user.name, message).from(person.address)
    }

    pub fn failed(self) -> Self {
        Self { is_success: false, ..self }
    }

    pub fn from(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// The account that was acted on.
    pub fn on(self, target: &str) -> Self {
        Self { target: Some(target.into()), ..self }
    }

    /// The record in ECS keys.
    fn record(&self, at: event::Micros) -> Value {
        let (action, category, kind) = self.action.words();
        let mut record = json!({
            "@timestamp": rfc3339(at),
            "event.kind": "event",
            "event.category": [category],
            "event.type": [kind],
            "event.module": "chieng",
            "event.dataset": SOURCE,
            "event.provider": "dashboards",
            "event.action": action,
            "event.outcome": if self.is_success { "success" } else { "failure" },
            "user.name": self.actor,
            "message": self.message,
        });
        if let Some(address) = self.address {
            record["source.ip"] = json!(address.to_canonical().to_string());
        }
        if let Some(target) = &self.target {
            record["user.target.name"] = json!(target);
        }
        record
    }
}

/// Writes an audit event; resolves when it is durable or was refused.
pub async fn record(app: &App, line: Line) {
    submit(&*app.sink, app.clock.now(), line).await;
}

/// The same without a server.
pub async fn submit(sink: &dyn Sink, now: event::Micros, line: Line) {
    let record = line.record(now).to_string();
    let mut batch = RawBatch::new(SOURCE, None, now);
    batch.push(record.as_bytes());
    if let Err(refused) = sink.submit(batch).await {
        tracing::error!(error = %refused, record, "an audit event could not be stored");
    }
}

/// An account name as it was typed by somebody unknown. What cannot be a name is left out: people type passwords there.
pub fn typed_name(name: &str) -> String {
    state::users::normalise_name(name).unwrap_or_else(|_| "(no account name)".into())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_failed_login_says_who_tried_and_from_where() {
        let line = Line::new(Action::Login, "lan", "wrong password").failed().from(Some("::ffff:10.1.2.3".parse().unwrap()));
        expect![[r#"{"@timestamp":"1970-01-01T00:00:00Z","event.kind":"event","event.category":["authentication"],"event.type":["start"],"event.module":"chieng","event.dataset":"chieng.audit","event.provider":"dashboards","event.action":"login","event.outcome":"failure","user.name":"lan","message":"wrong password","source.ip":"10.1.2.3"}"#]]
            .assert_eq(&line.record(0).to_string());
    }

    #[test]
    fn a_password_typed_as_a_name_is_not_kept() {
        assert_eq!(typed_name("lan.tran"), "lan.tran");
        assert_eq!(typed_name("mật khẩu rất dài 1!"), "(no account name)");
    }
}
