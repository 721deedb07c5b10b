//! PostgreSQL server log: stderr (any usual `log_line_prefix`), csvlog and syslog; pgAudit inside.
//!
//! Reference: PostgreSQL documentation, "Error Reporting and Logging" (`log_line_prefix`, csvlog columns, message severities),
//! releases 9 to 17; pgAudit README, "Format".
//!
//! The prefix is configured by escapes, so it is read by the shape of its words: `[pid]`, `user@db`, `key=value`, `host(port)`.
//! The severity and its colon with two blanks end it.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, facts, pattern::Table, stamps, text};

const PREFIX: &str = "postgresql.log.";

/// Where a severity is looked for.
const HEAD_BYTES: usize = 400;

pub struct PostgreSql;

impl Parser for PostgreSql {
    fn name(&self) -> &'static str {
        "postgresql"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["postgres", "postgresql", "postmaster"]
    }

    fn starts(&self) -> &'static [u8] {
        stamps::STARTS
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let Some((_, rest)) = stamps::leading(raw.text(), raw) else { return Sniff::No };
        let is = match rest.strip_prefix(',') {
            Some(columns) => csv_severity(columns),
            None => severity(rest).is_some(),
        };
        Sniff::yes_if(is && !raw.text().starts_with('['))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let line = syslog_counter(raw.text());
        let (stamp, rest) = match stamps::leading(line, raw) {
            Some((micros, rest)) => (Some(micros), rest),
            None => (None, line),
        };
        let is_csv = stamp.is_some() && rest.starts_with(',');
        let head = if is_csv { None } else { severity(rest) };
        if !is_csv && head.is_none() && stamp.is_none() && line.is_empty() {
            return Outcome::Unreadable("no PostgreSQL line");
        }
        if let Some(micros) = stamp {
            event.set(field::TIMESTAMP, Value::Time(micros));
        }
        event.set_dataset("postgresql.log");
        ecs::classify(event, &["database"], &["info"]);
        crate::linux::software(event, "PostgreSQL", "PostgreSQL", "postgres");
        if is_csv {
            columns(event, rest);
            return Outcome::Parsed;
        }
        match head {
            Some((prefix, level, message)) => {
                before(event, prefix);
                told(event, level, message);
            }
            // A later line of a message that the sender split.
            None => event.set_present(field::MESSAGE, rest),
        }
        Outcome::Parsed
    }
}

/// `[3-1] ` in front of messages by syslog.
fn syslog_counter(line: &str) -> &str {
    let Some((inside, rest)) = line.strip_prefix('[').and_then(|inside| text::split(inside, b']')) else { return line };
    let is_counter = inside.len() <= 24 && inside.contains('-') && inside.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if is_counter { rest.trim_start_matches(' ') } else { line }
}

const SEVERITIES: [&str; 19] = [
    "LOG",
    "ERROR",
    "FATAL",
    "PANIC",
    "WARNING",
    "NOTICE",
    "INFO",
    "DEBUG",
    "DEBUG1",
    "DEBUG2",
    "DEBUG3",
    "DEBUG4",
    "DEBUG5",
    "DETAIL",
    "HINT",
    "STATEMENT",
    "CONTEXT",
    "LOCATION",
    "QUERY",
];

/// Prefix, severity and message: the severity is the first word in capitals with a colon and two blanks.
fn severity(text: &str) -> Option<(&str, &str, &str)> {
    let bytes = &text.as_bytes()[..text.len().min(HEAD_BYTES)];
    memchr::memmem::find_iter(bytes, b":  ").find_map(|at| {
        let before = &text[..at];
        let start = before.rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
        let word = before.get(start..)?;
        SEVERITIES.contains(&word).then(|| (&before[..start], word, &text[at + 3..]))
    })
}

/// `[25143] an@shop `, `[4983-1]`, `app=psql,db=shop,user=an,client=192.0.2.7`, `192.0.2.7(42304):an@shop:[812]:`.
fn before<'r>(event: &mut Event<'r>, prefix: &'r str) {
    let mut rest = prefix;
    while !rest.is_empty() {
        let end = rest.find([' ', ':', ',']).unwrap_or(rest.len());
        // A bracket and an IPv6 address may hold what separates words.
        let end = if rest.starts_with('[') { rest.find(']').map_or(end, |at| at + 1) } else { end };
        let word = &rest[..end];
        rest = rest.get(end.max(1)..).unwrap_or_default();
        if let Some(inside) = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
            let (pid, after) = text::digits(inside);
            if after.is_empty() || after.starts_with('-') {
                event.set_int(field::PROCESS_PID, pid);
            } else if inside.contains("@") {
                account(event, inside);
            }
        } else if let Some((key, value)) = word.split_once('=') {
            named(event, key, value);
        } else if let Some((address, port)) = word.strip_suffix(')').and_then(|word| word.split_once('(')) {
            ecs::source(event, address);
            event.set_int(field::SOURCE_PORT, port);
        } else if word.contains('@') {
            account(event, word);
        } else if ecs::ip(word).is_some() {
            ecs::source(event, word);
        } else if !event.has(field::PROCESS_PID) && !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) {
            event.set_int(field::PROCESS_PID, word);
        }
    }
}

fn account<'r>(event: &mut Event<'r>, word: &'r str) {
    let (user, database) = word.split_once('@').unwrap_or((word, ""));
    ecs::user(event, field::USER_NAME, text::strip_pair(user, '[', ']'));
    if !database.is_empty() {
        event.set_extra(PREFIX, "database", database);
    }
}

fn named<'r>(event: &mut Event<'r>, key: &'r str, value: &'r str) {
    match key {
        "user" | "u" => ecs::user(event, field::USER_NAME, value),
        "db" | "d" | "database" => event.set_extra(PREFIX, "database", value),
        "client" | "host" | "h" | "r" => match value.split_once('(') {
            Some((address, port)) => {
                ecs::source(event, address);
                event.set_int(field::SOURCE_PORT, port.trim_end_matches(')'));
            }
            None => ecs::source(event, value),
        },
        "pid" | "p" => drop(event.set_int(field::PROCESS_PID, value)),
        "" => {}
        key => event.set_extra(PREFIX, key, value),
    }
}

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        PREFIX,
        &[
            ("duration: {millis} ms", "", "", "", ""),
            ("duration: {millis} ms  {.query_step*}: {.query*}", "", "", "", ""),
            ("statement: {.query*}", "statement", "", "access", ""),
            ("execute {.query_name}: {.query*}", "statement", "", "access", ""),
            ("connection received: host={src}‹ port={source.port}›", "connection_received", "session", "start", "success"),
            (
                "connection authenticated: identity=\"{user*>}\" method={.method}{*}",
                "connection_authenticated",
                "authentication",
                "start",
                "success",
            ),
            (
                "connection authenticated: user=\"{user*>}\" method={.method}{*}",
                "connection_authenticated",
                "authentication",
                "start",
                "success",
            ),
            (
                "connection authorized: user={user} database={.database}",
                "connection_authorized",
                "authentication session",
                "start",
                "success",
            ),
            (
                "connection authorized: user={user} database={.database} {*}",
                "connection_authorized",
                "authentication session",
                "start",
                "success",
            ),
            (
                "replication connection authorized: user={user}‹ {*}›",
                "connection_authorized",
                "authentication session",
                "start",
                "success",
            ),
            (
                "disconnection: session time: {.session_time} user={user} database={.database} host={src}‹ port={source.port}›",
                "disconnection",
                "session",
                "end",
                "success",
            ),
            (
                "password authentication failed for user \"{user*>}\"",
                "login",
                "authentication",
                "start",
                "failure: password authentication failed",
            ),
            (
                "{.method} authentication failed for user \"{user*>}\"{*}",
                "login",
                "authentication",
                "start",
                "failure: authentication failed",
            ),
            (
                "{.method} {} authentication failed for user \"{user*>}\"{*}",
                "login",
                "authentication",
                "start",
                "failure: authentication failed",
            ),
            (
                "no pg_hba.conf entry for ‹replication connection from ›host \"{src}\", user \"{user*>}\"‹, database \"{.database*>}\"›{*}",
                "login",
                "authentication",
                "start denied",
                "failure: no pg_hba.conf entry",
            ),
            (
                "pg_hba.conf rejects connection for host \"{src}\", user \"{user*>}\"‹, database \"{.database*>}\"›{*}",
                "login",
                "authentication",
                "start denied",
                "failure: rejected by pg_hba.conf",
            ),
            ("role \"{user*>}\" does not exist", "login", "authentication", "start", "failure: role does not exist"),
            (
                "role \"{user*>}\" is not permitted to log in",
                "login",
                "authentication",
                "start denied",
                "failure: role is not permitted to log in",
            ),
            ("database \"{.database*>}\" does not exist", "login", "session", "error", "failure: database does not exist"),
            ("permission denied for {.object_type} {.object*}", "access", "", "denied", "failure: permission denied"),
            ("remaining connection slots are reserved for {*}", "login", "session", "denied", "failure: no connection slots"),
            ("too many connections for {*}", "login", "session", "denied", "failure: too many connections"),
            ("sorry, too many clients already", "login", "session", "denied", "failure: too many clients"),
            ("listening on IPv{} address \"{dst}\", port {destination.port}", "listening", "", "start", ""),
            ("parameter \"{.parameter}\" changed to \"{.value*>}\"", "parameter_changed", "configuration", "change", "success"),
            ("temporary file: path \"{file.path*>}\", size {file.size}", "temporary_file", "", "creation", ""),
            ("received {.signal} shutdown request", "shutdown", "", "end", ""),
            ("unexpected EOF on client connection{*}", "disconnection", "session", "end", "failure: unexpected EOF"),
        ],
    )
});

fn told<'r>(event: &mut Event<'r>, level: &'r str, message: &'r str) {
    event.set(field::LOG_LEVEL, level);
    let message = match message.split_once(": ") {
        Some((code, rest)) if is_sql_state(code) => {
            event.set(field::EVENT_CODE, code);
            rest
        }
        _ => message,
    };
    say(event, level, message);
}

/// Five letters and digits, at least one of them a digit: `42P01`, not `AUDIT`.
fn is_sql_state(code: &str) -> bool {
    code.len() == 5
        && code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        && code.bytes().any(|b| b.is_ascii_digit())
}

fn say<'r>(event: &mut Event<'r>, level: &str, message: &'r str) {
    event.set_present(field::MESSAGE, message);
    if matches!(level, "ERROR" | "FATAL" | "PANIC") {
        event.set(field::EVENT_TYPE, "error");
        ecs::failure(event);
    }
    match level {
        "STATEMENT" | "QUERY" => return event.set_extra(PREFIX, "query", message),
        "CONTEXT" | "LOCATION" => return,
        _ => {}
    }
    if let Some(audit) = message.strip_prefix("AUDIT: ") {
        return audited(event, audit);
    }
    if !MESSAGES.read(event, message) && matches!(level, "FATAL" | "DETAIL") {
        facts::read(event, message);
    }
}

/// pgAudit: `SESSION,1,1,READ,SELECT,TABLE,public.account,"select …",<none>`.
fn audited<'r>(event: &mut Event<'r>, audit: &'r str) {
    const NAMES: [&str; 9] =
        ["audit_type", "statement_id", "substatement_id", "class", "command", "object_type", "object", "query", "parameter"];
    let mut rest = audit;
    for name in NAMES {
        let (value, after) = csv(event, rest);
        if !ecs::is_nothing(value) {
            match name {
                "command" => event.set(field::EVENT_ACTION, text::lower(event, value)),
                name => event.set_extra(PREFIX, name, value),
            }
        }
        let Some(after) = after.strip_prefix(',') else { break };
        rest = after;
    }
    event.set(field::EVENT_TYPE, "access");
}

/// One CSV field and what follows it; quotes are doubled inside.
fn csv<'r>(event: &Event<'r>, text: &'r str) -> (&'r str, &'r str) {
    let Some(inside) = text.strip_prefix('"') else {
        return text.split_at(memchr::memchr(b',', text.as_bytes()).unwrap_or(text.len()));
    };
    let b = inside.as_bytes();
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'"', &b[from..]).map(|at| from + at) {
        if b.get(at + 1) != Some(&b'"') {
            let value = &inside[..at];
            return (undouble(event, value), &inside[at + 1..]);
        }
        from = at + 2;
    }
    (inside, "")
}

fn undouble<'r>(event: &Event<'r>, value: &'r str) -> &'r str {
    if !value.contains("\"\"") {
        return value;
    }
    let mut out = bumpalo::collections::String::with_capacity_in(value.len(), event.arena());
    value.split("\"\"").enumerate().for_each(|(at, part)| {
        if at > 0 {
            out.push('"');
        }
        out.push_str(part);
    });
    out.into_bump_str()
}

/// True when the twelfth column is a severity; cells before it hold no comma outside quotes.
fn csv_severity(columns: &str) -> bool {
    let mut rest = columns;
    for _ in 0..10 {
        let Some(after) = skip(rest).strip_prefix(',') else { return false };
        rest = after;
    }
    SEVERITIES.contains(&rest.split(',').next().unwrap_or(rest))
}

fn skip(text: &str) -> &str {
    let Some(inside) = text.strip_prefix('"') else {
        return &text[memchr::memchr(b',', text.as_bytes()).unwrap_or(text.len())..];
    };
    let b = inside.as_bytes();
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'"', &b[from..]).map(|at| from + at) {
        if b.get(at + 1) != Some(&b'"') {
            return &inside[at + 1..];
        }
        from = at + 2;
    }
    ""
}

/// Columns of csvlog after the time.
fn columns<'r>(event: &mut Event<'r>, text: &'r str) {
    const NAMES: [&str; 25] = [
        "user",
        "database",
        "pid",
        "client_addr",
        "session_id",
        "session_line_number",
        "command_tag",
        "session_start_time",
        "virtual_transaction_id",
        "transaction_id",
        "severity",
        "sql_state_code",
        "message",
        "detail",
        "hint",
        "internal_query",
        "internal_query_pos",
        "context",
        "query",
        "query_pos",
        "location",
        "application_name",
        "backend_type",
        "leader_pid",
        "query_id",
    ];
    let mut rest = text;
    let mut level = "";
    for name in NAMES {
        let Some(after) = rest.strip_prefix(',') else { break };
        let (value, after) = csv(event, after);
        rest = after;
        if value.is_empty() {
            continue;
        }
        match name {
            "user" => ecs::user(event, field::USER_NAME, value),
            "pid" => drop(event.set_int(field::PROCESS_PID, value)),
            "client_addr" => match value.rsplit_once(':') {
                Some((address, port)) => {
                    ecs::source(event, address);
                    event.set_int(field::SOURCE_PORT, port);
                }
                None => ecs::source(event, value),
            },
            "severity" => {
                level = value;
                event.set(field::LOG_LEVEL, value);
            }
            "sql_state_code" => event.set(field::EVENT_CODE, value),
            "message" => say(event, level, value),
            name => event.set_extra(PREFIX, name, value),
        }
    }
}
