//! SQL Server Audit: the text of event 33205 in the Security or Application log, and of the same text sent by itself.
//!
//! Reference: Microsoft, "SQL Server Audit records" and `sys.fn_get_audit_file` (columns), `sys.dm_audit_actions` (action ids).
//!
//! One `key:value` a line, in a fixed order. A statement may hold line ends, and lines that look like keys: so of the keys in
//! front of it the first counts, of those behind it the last.

use event::{Event, RawRecord, Value, field};

use crate::{ecs, keys::KeyTable, text, time};
use std::sync::LazyLock;

const PREFIX: &str = "mssql.audit.";

/// Keys in front of the statement, then those behind it.
const BEFORE: &str = "audit_schema_version event_time sequence_number action_id succeeded is_column_permission session_id \
     server_principal_id database_principal_id target_server_principal_id target_database_principal_id object_id \
     user_defined_event_id transaction_id class_type duration_milliseconds response_rows affected_rows client_ip \
     permission_bitmask sequence_group_id session_server_principal_name server_principal_name server_principal_sid \
     database_principal_name target_server_principal_name target_server_principal_sid target_database_principal_name \
     server_instance_name database_name schema_name object_name statement";
const BEHIND: &str = "additional_information user_defined_information application_name connection_id data_sensitivity_information \
     host_name client_tls_version database_transaction_id ledger_start_sequence_number session_context is_local_secondary_replica \
     external_policy_permissions_checked obo_middle_tier_app_id";

/// True when a key stands behind the statement.
static KEYS: LazyLock<KeyTable<bool>> = LazyLock::new(|| {
    let before = BEFORE.split_ascii_whitespace().map(|key| (key, false));
    let all: Vec<_> = before.chain(BEHIND.split_ascii_whitespace().map(|key| (key, true))).collect();
    KeyTable::new(&all)
});

/// Action, categories, types.
static ACTIONS: LazyLock<KeyTable<(&'static str, &'static str, &'static str)>> = LazyLock::new(|| {
    KeyTable::new(&[
        ("SL", ("select", "database", "access")),
        ("IN", ("insert", "database", "change")),
        ("UP", ("update", "database", "change")),
        ("DL", ("delete", "database", "change")),
        ("EX", ("execute", "database", "access")),
        ("RC", ("receive", "database", "access")),
        ("RF", ("references", "database", "access")),
        ("CR", ("create", "database configuration", "creation")),
        ("AL", ("alter", "database configuration", "change")),
        ("DR", ("drop", "database configuration", "deletion")),
        ("G", ("grant", "database iam", "change")),
        ("GWG", ("grant-with-grant", "database iam", "change")),
        ("R", ("revoke", "database iam", "change")),
        ("D", ("deny", "database iam", "change")),
        ("TO", ("take-ownership", "database iam", "change")),
        ("IMP", ("impersonate", "database iam", "access")),
        ("APRL", ("add-member", "database iam", "change")),
        ("DPRL", ("drop-member", "database iam", "change")),
        ("LGIS", ("login-succeeded", "database authentication session", "start")),
        ("LGIF", ("login-failed", "database authentication", "start")),
        ("LGO", ("logout", "database session authentication", "end")),
        ("DBAS", ("database-authentication-succeeded", "database authentication session", "start")),
        ("DBAF", ("database-authentication-failed", "database authentication", "start")),
        ("DBL", ("database-logout", "database session authentication", "end")),
        ("PWC", ("change-password", "database iam", "change")),
        ("PWCS", ("change-own-password", "database iam", "change")),
        ("PWR", ("reset-password", "database iam", "change")),
        ("PWRS", ("reset-own-password", "database iam", "change")),
        ("PWU", ("unlock-account", "database iam", "change")),
        ("LGEA", ("enable", "database iam", "change")),
        ("LGDA", ("disable", "database iam", "change")),
        ("AUSC", ("audit-session-changed", "database configuration", "change")),
        ("AUSF", ("audit-shutdown-on-failure", "database configuration", "change")),
        ("BA", ("backup", "database", "access")),
        ("BAL", ("backup-log", "database", "access")),
        ("RS", ("restore", "database", "change")),
        ("SVSR", ("server-started", "database", "start")),
        ("SVSD", ("server-shutdown", "database", "end")),
    ])
});

/// True when a text is one of the audit's.
pub fn is_audit(text: &str) -> bool {
    body(text).starts_with("audit_schema_version:") || body(text).starts_with("event_time:")
}

fn body(text: &str) -> &str {
    let text = text.trim_start();
    text.strip_prefix("Audit event:").unwrap_or(text).trim_start()
}

/// What the lines said that several fields need.
#[derive(Default)]
struct Found<'r> {
    action: &'r str,
    principal: &'r str,
    session: &'r str,
    statement: &'r str,
}

/// Reads the text into the event: what the audit says wins over what the event's number says.
pub fn read<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    let mut found = Found::default();
    let mut is_behind = false;
    let mut rest = body(text);
    while let Some((key, value, after)) = next(rest) {
        rest = after;
        let is_key_behind = KEYS.get(key).unwrap_or_default();
        // A key in front of the statement, met behind it, is the statement's text.
        if is_behind && !is_key_behind {
            continue;
        }
        is_behind |= is_key_behind || key == "statement";
        let value = value.trim().trim_end_matches("\n.").trim_end();
        if !value.is_empty() {
            event.set_extra(PREFIX, key, value);
            set(raw, event, &mut found, key, value);
        }
    }
    finish(event, &found);
}

/// The next key, its value up to the next line that begins with a key, and what follows.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (key, value) = text.split_once(':').filter(|(key, _)| KEYS.get(key).is_some())?;
    let end = memchr::memchr_iter(b'\n', value.as_bytes())
        .find(|at| value[at + 1..].split_once(':').is_some_and(|(key, _)| key.len() <= 40 && KEYS.get(key).is_some()));
    Some(match end {
        Some(at) => (key, &value[..at], &value[at + 1..]),
        None => (key, value, ""),
    })
}

fn set<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, found: &mut Found<'r>, key: &str, value: &'r str) {
    match key {
        // UTC, as the documentation of the column says.
        "event_time" => match time::iso(value) {
            Some((stamp, _)) => {
                let stamp = time::Stamp { offset: stamp.offset.or(Some(0)), ..stamp };
                event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
            }
            None => event.problem("event_time could not be read"),
        },
        "action_id" => found.action = value,
        "succeeded" => match value {
            "true" | "True" | "1" => ecs::success(event),
            "false" | "False" | "0" => ecs::failure(event),
            _ => {}
        },
        "duration_milliseconds" => {
            if let Ok(millis) = value.parse::<i64>() {
                event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
            }
        }
        "client_ip" => drop(ecs::ip_only(event, field::SOURCE_IP, value)),
        "server_principal_name" => found.principal = value,
        "session_server_principal_name" => found.session = value,
        "server_principal_sid" => event.set(field::USER_ID, value),
        "target_server_principal_name" => account(event, "user.target.name", value),
        "statement" => found.statement = value,
        "server_instance_name" if !event.has(field::HOST_NAME) => ecs::host(event, value.split('\\').next().unwrap_or(value)),
        _ => {}
    }
}

fn finish<'r>(event: &mut Event<'r>, found: &Found<'r>) {
    crate::linux::software(event, "Microsoft", "SQL Server", "sqlservr");
    event.set(field::EVENT_KIND, "event");
    let (action, categories, types) = ACTIONS.get(found.action).unwrap_or(("database_audit", "database", "info"));
    event.set(field::EVENT_ACTION, action);
    crate::pattern::words(event, field::EVENT_CATEGORY, categories);
    crate::pattern::words(event, field::EVENT_TYPE, types);
    let name = if found.principal.is_empty() { found.session } else { found.principal };
    account(event, "user.name", name);
    if found.action.ends_with("IF") || found.action == "DBAF" {
        event.set_present(field::EVENT_REASON, found.statement);
        // `Login failed for user 'an'. Reason: … [CLIENT: 192.0.2.7]`
        if let Some((_, client)) = found.statement.rsplit_once("[CLIENT: ") {
            ecs::ip_only(event, field::SOURCE_IP, client.split(']').next().unwrap_or(client));
        }
    }
}

fn account<'r>(event: &mut Event<'r>, name: &'static str, value: &'r str) {
    let (domain, user) = value.split_once('\\').unwrap_or(("", value));
    if user.is_empty() {
        return;
    }
    event.set_named(name, user);
    event.set(field::RELATED_USER, user);
    if name == "user.name" && !domain.is_empty() {
        event.set(field::USER_DOMAIN, text::strip_pair(domain, '[', ']'));
    }
}
