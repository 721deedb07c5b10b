//! MySQL and MariaDB: error log (5.5 to 9), slow query log, general query log, MariaDB audit plugin.
//!
//! Reference: MySQL Reference Manual, "The Error Log" (traditional sink), "The Slow Query Log", "The General Query Log";
//! MariaDB documentation, "Error Log", "Audit Plugin: Log Format".

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, facts, pattern::Table, stamps, text, time};

const PREFIX: &str = "mysql.";

pub struct MySql;

impl Parser for MySql {
    fn name(&self) -> &'static str {
        "mysql"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["mysqld", "mysql", "mariadbd", "mariadb", "mysqld_safe", "mysql-server"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let line = raw.text();
        Sniff::yes_if(is_slow(line) || stamped(raw, line).is_some_and(|(_, rest)| kind(rest).is_some()))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let line = raw.text();
        if is_slow(line) {
            slow(raw, event, line);
            return Outcome::Parsed;
        }
        let (micros, rest) = match stamped(raw, line) {
            Some((micros, rest)) => (Some(micros), rest),
            None => (None, line),
        };
        if let Some(micros) = micros {
            event.set(field::TIMESTAMP, Value::Time(micros));
        }
        let Some(kind) = kind(rest) else {
            if micros.is_none() && !event.has(field::LOG_SYSLOG_APPNAME) {
                return Outcome::Unreadable("no MySQL line");
            }
            begin(event, "mysql.error");
            said(event, rest.trim_start());
            return Outcome::Parsed;
        };
        match kind {
            Kind::Error { thread, level, rest } => {
                begin(event, "mysql.error");
                error(event, thread, level, rest);
            }
            Kind::General { thread, command, argument } => {
                begin(event, "mysql.general");
                general(event, thread, command, argument);
            }
            Kind::Audit(columns) => {
                begin(event, "mysql.audit");
                audit(event, columns);
            }
            Kind::Plain(message) => {
                begin(event, "mysql.error");
                said(event, message);
            }
        }
        Outcome::Parsed
    }
}

fn begin(event: &mut Event<'_>, dataset: &'static str) {
    event.set_dataset(dataset);
    ecs::classify(event, &["database"], &["info"]);
    crate::linux::software(event, "Oracle", "MySQL", "mysqld");
}

/// The stamps of all releases; the hour may have one digit behind two blanks.
fn stamped<'t>(raw: RawRecord<'_>, line: &'t str) -> Option<(i64, &'t str)> {
    if !line.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    if let Some(read) = stamps::leading(line, raw) {
        return Some(read);
    }
    // `2021-11-09  5:13:12`
    let (date, rest) = line.split_at_checked(10)?;
    let (clock, rest) = stamps::loose_clock(rest.strip_prefix(' ')?.trim_start_matches(' '))?;
    let b = date.as_bytes();
    if b[4] != b'-' || b[7] != b'-' {
        return None;
    }
    let days = time::days(date[..4].parse().ok()?, date[5..7].parse().ok()?, date[8..].parse().ok()?)?;
    let stamp = time::Stamp { civil: days * time::DAY + clock, offset: None };
    Some((stamp.resolve(raw), rest))
}

enum Kind<'r> {
    Error { thread: &'r str, level: &'r str, rest: &'r str },
    General { thread: &'r str, command: &'r str, argument: &'r str },
    Audit(&'r str),
    Plain(&'r str),
}

/// What stands behind the stamp.
fn kind(text: &str) -> Option<Kind<'_>> {
    if let Some(columns) = text.strip_prefix(',') {
        // serverhost,username,host,connectionid,queryid,operation,…
        let operation = columns.split(',').nth(5)?;
        const OPERATIONS: [&str; 10] =
            ["CONNECT", "DISCONNECT", "FAILED_CONNECT", "QUERY", "TABLE", "READ", "WRITE", "CREATE", "ALTER", "DROP"];
        return OPERATIONS.contains(&operation).then_some(Kind::Audit(columns));
    }
    let rest = text.trim_start_matches([' ', '\t']);
    let end = rest.bytes().take_while(|b| b.is_ascii_hexdigit() || *b == b'x').count();
    let (thread, after) = rest.split_at(end);
    let after = after.trim_start_matches(' ');
    if let Some((level, rest)) = after.strip_prefix('[').and_then(|inside| text::split(inside, b']')) {
        const LEVELS: [&str; 7] = ["Note", "Warning", "ERROR", "System", "Error", "Info", "Debug"];
        return LEVELS.contains(&level).then_some(Kind::Error { thread, level, rest });
    }
    if !thread.is_empty()
        && thread.bytes().all(|b| b.is_ascii_digit())
        && let Some((command, argument)) = after.split_once('\t').or(Some((after, "")))
    {
        const COMMANDS: [&str; 14] = [
            "Query",
            "Connect",
            "Quit",
            "Init DB",
            "Prepare",
            "Execute",
            "Close stmt",
            "Field List",
            "Statistics",
            "Ping",
            "Change user",
            "Reset stmt",
            "Binlog Dump",
            "Shutdown",
        ];
        if COMMANDS.contains(&command.trim_end()) {
            return Some(Kind::General { thread, command: command.trim_end(), argument });
        }
    }
    let is_own = after.starts_with("mysqld_safe ") || after.starts_with("InnoDB: ") || after.starts_with("mariadbd-safe ");
    is_own.then_some(Kind::Plain(after))
}

fn error<'r>(event: &mut Event<'r>, thread: &'r str, level: &'r str, rest: &'r str) {
    event.set(field::LOG_LEVEL, level);
    if level.eq_ignore_ascii_case("error") {
        event.set(field::EVENT_TYPE, "error");
    }
    event.set_int(field::PROCESS_THREAD_ID, thread);
    let mut rest = rest.trim_start_matches(' ');
    // `[MY-013169] [Server] …` since 8.0
    if let Some((code, after)) = rest.strip_prefix("[MY-").and_then(|_| text::split(&rest[1..], b']')) {
        event.set(field::EVENT_CODE, code);
        rest = after.trim_start_matches(' ');
        if let Some((subsystem, after)) = rest.strip_prefix('[').and_then(|inside| text::split(inside, b']')) {
            event.set_extra(PREFIX, "subsystem", subsystem);
            rest = after.trim_start_matches(' ');
        }
    }
    said(event, rest);
}

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        PREFIX,
        &[
            (
                "Access denied for user '{user*>}'@'{src}' (using password: {.using_password})",
                "login",
                "authentication",
                "start",
                "failure: access denied",
            ),
            (
                "Access denied for user '{user*>}'@'{src}' to database '{.database*>}'",
                "login",
                "authentication",
                "start denied",
                "failure: access denied",
            ),
            ("Access denied for user '{user*>}'@'{src}'{*}", "login", "authentication", "start", "failure: access denied"),
            (
                "Aborted connection {.connection} to db: '{.database*}' user: '{user*>}' host: '{src}' ({event.reason*>})",
                "connection_aborted",
                "network session",
                "end",
                "failure",
            ),
            (
                "Host '{source.domain}' ‹{*} ›is not allowed to connect to this {*}",
                "login",
                "network",
                "denied",
                "failure: host is not allowed",
            ),
            ("IP address '{src!}' could not be resolved: {event.reason*}", "resolve", "network", "info", "failure"),
            (
                "IP address '{src!}' has been resolved to the host name '{source.domain}', {event.reason*}",
                "resolve",
                "network",
                "info",
                "failure",
            ),
            ("Hostname '{source.domain}' does not resolve to '{src!}'{*}", "resolve", "network", "info", "failure"),
            ("User '{user*>}' has been granted {*}", "granted", "iam", "change", "success"),
        ],
    )
});

fn said<'r>(event: &mut Event<'r>, message: &'r str) {
    event.set_present(field::MESSAGE, message);
    if !MESSAGES.read(event, message) && message.contains("user") {
        facts::read(event, message);
    }
}

fn general<'r>(event: &mut Event<'r>, thread: &'r str, command: &'r str, argument: &'r str) {
    event.set_int(field::PROCESS_THREAD_ID, thread);
    event.set(field::EVENT_ACTION, text::lower(event, command));
    event.set_present(field::MESSAGE, argument);
    if command != "Connect" {
        return event.set_extra(PREFIX, "query", argument);
    }
    // `an@192.0.2.7 on shop using TCP/IP`, `Access denied for user 'an'@'192.0.2.7' (using password: YES)`
    if MESSAGES.read(event, argument) {
        return;
    }
    event.set(field::EVENT_CATEGORY, "session");
    event.set(field::EVENT_TYPE, "start");
    let (account, rest) = text::word(argument);
    let (user, host) = account.rsplit_once('@').unwrap_or((account, ""));
    ecs::user(event, field::USER_NAME, user);
    ecs::source(event, host);
    if let Some(rest) = rest.strip_prefix("on ") {
        event.set_extra(PREFIX, "database", text::word(rest).0);
    }
}

/// `serverhost,username,host,connectionid,queryid,operation,database,object,retcode`; the object is quoted SQL with commas.
fn audit<'r>(event: &mut Event<'r>, columns: &'r str) {
    let mut parts = columns.splitn(8, ',');
    let mut next = || parts.next().unwrap_or_default();
    ecs::host(event, next());
    ecs::user(event, field::USER_NAME, next());
    ecs::source(event, next());
    event.set_extra(PREFIX, "connection_id", next());
    event.set_extra(PREFIX, "query_id", next());
    let operation = next();
    event.set(field::EVENT_ACTION, text::lower(event, operation));
    event.set_extra(PREFIX, "database", next());
    let (object, code) = next().rsplit_once(',').unwrap_or_default();
    if !object.is_empty() {
        event.set_extra(PREFIX, "query", text::strip_pair(object, '\'', '\''));
    }
    event.set_present(field::EVENT_CODE, code);
    match operation {
        "CONNECT" | "FAILED_CONNECT" => crate::pattern::words(event, field::EVENT_CATEGORY, "authentication session"),
        "DISCONNECT" => event.set(field::EVENT_CATEGORY, "session"),
        _ => {}
    }
    event.set(field::EVENT_OUTCOME, if code == "0" && operation != "FAILED_CONNECT" { "success" } else { "failure" });
}

fn is_slow(line: &str) -> bool {
    line.starts_with("# User@Host: ") || line.starts_with("# Time: ")
}

/// The head of comments of one slow query, then the statement.
fn slow<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, record: &'r str) {
    begin(event, "mysql.slowlog");
    event.set(field::EVENT_ACTION, "slow_query");
    let mut stamp = None;
    let mut query = record.len();
    let mut is_in_head = true;
    for line in record.split_inclusive('\n') {
        let at = line.as_ptr() as usize - record.as_ptr() as usize;
        let line = line.trim_end_matches(['\r', '\n']);
        if let Some(comment) = line.strip_prefix("# ").filter(|_| is_in_head) {
            slow_comment(raw, event, comment, &mut stamp);
        } else if let Some(seconds) = line.strip_prefix("SET timestamp=").filter(|_| is_in_head) {
            stamp = time::epoch(seconds.trim_end_matches(';')).or(stamp);
        } else if is_in_head && line.starts_with("use ") {
            event.set_extra(PREFIX, "database", line[4..].trim_end_matches(';'));
        } else if is_in_head && !line.is_empty() {
            is_in_head = false;
            query = at;
        }
    }
    let query = record[query..].split("\n# Time: ").next().unwrap_or_default().trim_end();
    if !query.is_empty() {
        event.set_extra(PREFIX, "query", query);
    }
    event.set_present(field::MESSAGE, query);
    if let Some(micros) = stamp {
        event.set(field::TIMESTAMP, Value::Time(micros));
    }
}

fn slow_comment<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, comment: &'r str, stamp: &mut Option<i64>) {
    if let Some(account) = comment.strip_prefix("User@Host: ") {
        // `an[an] @ web1 [192.0.2.7]  Id: 14`
        let (user, rest) = account.split_once(" @ ").unwrap_or((account, ""));
        ecs::user(event, field::USER_NAME, user.split('[').next().unwrap_or(user));
        let (host, rest) = rest.split_once('[').unwrap_or((rest, ""));
        event.set_present(field::SOURCE_DOMAIN, host.trim());
        let (address, rest) = rest.split_once(']').unwrap_or((rest, ""));
        ecs::ip_only(event, field::SOURCE_IP, address);
        if let Some((_, id)) = rest.split_once("Id:") {
            event.set_int(field::PROCESS_THREAD_ID, id.trim());
        }
        return;
    }
    if let Some(text) = comment.strip_prefix("Time: ") {
        *stamp = stamp.or_else(|| stamped(raw, text).map(|(micros, _)| micros));
        return;
    }
    // `Query_time: 2.000652  Lock_time: 0.000000 Rows_sent: 1  Rows_examined: 0`
    let mut words = comment.split_ascii_whitespace().peekable();
    while let Some(word) = words.next() {
        let Some(key) = word.strip_suffix(':') else { continue };
        let Some(value) = words.peek().filter(|value| !value.ends_with(':')).copied() else { continue };
        match key {
            "Query_time" => {
                if let Some(nanos) = text::seconds_to_nanos(value) {
                    event.set(field::EVENT_DURATION, nanos);
                }
            }
            "Schema" => event.set_extra(PREFIX, "database", value),
            "Thread_id" | "Id" => drop(event.set_int(field::PROCESS_THREAD_ID, value)),
            "" => {}
            key => event.set_extra("mysql.slowlog.", key, value),
        }
    }
}
