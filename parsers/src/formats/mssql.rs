//! Microsoft SQL Server error log: `2026-11-23 10:00:00.12 Logon       Login failed for user 'an'. … [CLIENT: 192.0.2.7]`; and the
//! text of SQL Server Audit ([`sql_audit`]) where a shipper sends it by itself.
//!
//! Reference: SQL Server documentation, "View the SQL Server error log"; the text of messages 18453 to 18456, 17830, 18264,
//! 15457 as `sys.messages` has them.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, pattern::Table, stamps, windows::sql_audit};

pub struct MsSql;

impl Parser for MsSql {
    fn name(&self) -> &'static str {
        "mssql"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["sqlservr", "mssql", "mssql-server"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(head(raw).is_some() || sql_audit::is_audit(raw.text()))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if sql_audit::is_audit(raw.text()) {
            event.set_dataset("mssql.audit");
            sql_audit::read(raw, event, raw.text());
            return Outcome::Parsed;
        }
        let Some((micros, origin, message)) = head(raw) else {
            return Outcome::Unreadable("no SQL Server line");
        };
        event.set_dataset("mssql.log");
        event.set(field::TIMESTAMP, Value::Time(micros));
        ecs::classify(event, &["database"], &["info"]);
        crate::linux::software(event, "Microsoft", "SQL Server", "sqlservr");
        event.set_extra("mssql.", "origin", origin);
        event.set_present(field::MESSAGE, message);
        MESSAGES.read(event, message);
        Outcome::Parsed
    }
}

/// Hundredths of a second, then who says it, padded.
fn head(raw: RawRecord<'_>) -> Option<(i64, &str, &str)> {
    let line = raw.text();
    let b = line.as_bytes();
    if b.len() < 24 || b[10] != b' ' || b[19] != b'.' || !b[20].is_ascii_digit() || !b[21].is_ascii_digit() || b[22] != b' ' {
        return None;
    }
    let (micros, rest) = stamps::leading(line, raw)?;
    let (origin, message) = rest.strip_prefix(' ')?.split_once(' ')?;
    let is_origin = matches!(origin, "Logon" | "Server" | "Backup" | "spid" | "Error" | "Restore" | "DBMIRROR")
        || origin.strip_prefix("spid").is_some_and(|id| id.trim_end_matches('s').bytes().all(|b| b.is_ascii_digit()));
    is_origin.then(|| (micros, origin, message.trim_start()))
}

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "mssql.",
        &[
            (
                "Login failed for user '{user*>}'. Reason: {event.reason*} [CLIENT: {src}]",
                "login",
                "authentication",
                "start",
                "failure",
            ),
            ("Login failed for user '{user*>}'. [CLIENT: {src}]", "login", "authentication", "start", "failure"),
            ("Login failed for user '{user*>}'. {event.reason*} [CLIENT: {src}]", "login", "authentication", "start", "failure"),
            ("Login failed. {event.reason*} [CLIENT: {src}]", "login", "authentication", "start", "failure"),
            (
                "Login succeeded for user '{user*>}'. {event.reason*} [CLIENT: {src}]",
                "login",
                "authentication",
                "start",
                "success",
            ),
            ("Login succeeded for user '{user*>}'.{*}", "login", "authentication", "start", "success"),
            ("Error: {event.code}, Severity: {event.severity}, State: {.state}‹.›", "error", "", "error", "failure"),
            (
                "SSPI handshake failed with error code {event.code}, state {.state} while establishing a connection with integrated security; {event.reason*} [CLIENT: {src}]",
                "login",
                "authentication",
                "start",
                "failure",
            ),
            ("{event.reason*} [CLIENT: {src!}]", "connection", "network", "error", "failure"),
            ("Database backed up. Database: {.database}, {*}", "backup", "", "access", "success"),
            ("Log was backed up. Database: {.database}, {*}", "backup", "", "access", "success"),
            ("Database was restored: Database: {.database}, {*}", "restore", "", "change", "success"),
            (
                "Configuration option '{.option*}' changed from {.old} to {.new}. {*}",
                "configuration_changed",
                "configuration",
                "change",
                "success",
            ),
            ("Starting up database '{.database*}'.", "database_started", "", "start", ""),
            (
                "Setting database option {.option} to {.value} for database '{.database*}'.",
                "configuration_changed",
                "configuration",
                "change",
                "success",
            ),
            ("SQL Server is terminating {*}", "server_stopped", "", "end", ""),
            ("Attempting to load library '{file.path*}' into memory. {*}", "library_loaded", "", "start", ""),
        ],
    )
});
