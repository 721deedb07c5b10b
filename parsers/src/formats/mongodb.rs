//! MongoDB server log: structured JSON since 4.4, text before (`2018-02-05T13:44:56.657+0100 I ACCESS   [conn1] …`).
//!
//! Reference: MongoDB manual, "Log Messages" (structured fields t, s, c, id, ctx, msg, attr; severities, components).

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, facts, formats::json, pattern::Table, stamps, text, time};

const PREFIX: &str = "mongodb.";

pub struct MongoDb;

impl Parser for MongoDb {
    fn name(&self) -> &'static str {
        "mongodb"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["mongod", "mongos", "mongodb"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let line = raw.text();
        Sniff::yes_if(line.starts_with("{\"t\":{\"$date\"") || line.starts_with("{\"t\": {\"$date\"") || old(raw).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().starts_with('{') {
            return structured(raw, event);
        }
        let Some(old) = old(raw) else { return Outcome::Unreadable("no MongoDB line") };
        event.set(field::TIMESTAMP, Value::Time(old.stamp));
        begin(event);
        leveled(event, old.level);
        event.set_extra(PREFIX, "component", old.component);
        event.set_extra(PREFIX, "context", old.context);
        event.set_present(field::MESSAGE, old.message);
        if !MESSAGES.read(event, old.message) {
            facts::read(event, old.message);
        }
        Outcome::Parsed
    }
}

fn begin(event: &mut Event<'_>) {
    event.set_dataset("mongodb.log");
    ecs::classify(event, &["database"], &["info"]);
    crate::linux::software(event, "MongoDB", "MongoDB", "mongod");
}

fn leveled<'r>(event: &mut Event<'r>, level: &'r str) {
    event.set_present(field::LOG_LEVEL, level);
    if matches!(level, "E" | "F") {
        event.set(field::EVENT_TYPE, "error");
    }
}

struct Old<'r> {
    stamp: i64,
    level: &'r str,
    component: &'r str,
    context: &'r str,
    message: &'r str,
}

/// `stamp S COMPONENT [context] message`; before 3.0 without level and component.
fn old(raw: RawRecord<'_>) -> Option<Old<'_>> {
    let line = raw.text();
    if !line.as_bytes().first()?.is_ascii_alphanumeric() {
        return None;
    }
    let (stamp, rest) = stamps::leading(line, raw)?;
    let rest = rest.trim_start_matches(' ');
    let (level, component, rest) = match rest.split_once(' ') {
        Some((level @ ("F" | "E" | "W" | "I" | "D" | "D1" | "D2" | "D3" | "D4" | "D5"), rest)) => {
            let (component, rest) = rest.split_once(' ')?;
            let is = component == "-" || component.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            if !is {
                return None;
            }
            (level, component, rest.trim_start_matches(' '))
        }
        _ => ("", "", rest),
    };
    let (context, message) = text::split(rest.strip_prefix('[')?, b']')?;
    let is_own = !level.is_empty()
        || context.starts_with("conn") && context.len() > 4 && context[4..].bytes().all(|b| b.is_ascii_digit())
        || matches!(context, "initandlisten" | "mongosMain" | "signalProcessingThread" | "TTLMonitor");
    is_own.then(|| Old { stamp, level, component, context, message: message.trim_start_matches(' ') })
}

fn structured<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
    begin(event);
    json::read(raw, event, &mut |event, name, leaf| {
        let value = leaf.text();
        match name {
            "t.$date" => {
                if let Some(micros) = time::any(value, raw) {
                    event.set(field::TIMESTAMP, Value::Time(micros));
                }
            }
            "s" => leveled(event, value),
            "c" => event.set_extra(PREFIX, "component", value),
            "id" => event.set(field::EVENT_CODE, value),
            "ctx" => event.set_extra(PREFIX, "context", value),
            "msg" => {
                event.set(field::MESSAGE, value);
                MESSAGES.read(event, value);
            }
            "attr.remote" | "attr.client" => endpoint(event, value),
            "attr.principalName" | "attr.user" | "attr.principal" => {
                // `{"user":"an","db":"admin"}` since 5.0 is a value of its own.
                ecs::user(event, field::USER_NAME, value);
            }
            "attr.user.user" | "attr.principalName.user" => ecs::user(event, field::USER_NAME, value),
            "attr.error" | "attr.error.errmsg" => event.set(field::EVENT_REASON, value),
            "attr.durationMillis" => {
                if let Ok(millis) = value.parse::<i64>() {
                    event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
                }
            }
            "" => event.problem("a value without a name was left out"),
            _ => event.set_extra(PREFIX, name, value),
        }
        true
    })
}

fn endpoint<'r>(event: &mut Event<'r>, value: &'r str) {
    let (address, port) = value.rsplit_once(':').unwrap_or((value, ""));
    ecs::source(event, address);
    event.set_int(field::SOURCE_PORT, port);
}

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        PREFIX,
        &[
            ("Authentication failed", "login", "authentication", "start", "failure"),
            ("Failed to authenticate", "login", "authentication", "start", "failure"),
            ("Successful authentication", "login", "authentication", "start", "success"),
            ("Authentication succeeded", "login", "authentication", "start", "success"),
            ("Successfully authenticated", "login", "authentication", "start", "success"),
            ("Checking authorization failed", "access", "", "denied", "failure"),
            ("Connection accepted", "connection_accepted", "network", "connection start", "success"),
            ("Connection ended", "connection_ended", "network", "connection end", "success"),
            (
                "connection accepted from {src>}:{source.port} #{.connection} ({*}",
                "connection_accepted",
                "network",
                "connection start",
                "success",
            ),
            ("end connection {src>}:{source.port} ({*}", "connection_ended", "network", "connection end", "success"),
            ("received client metadata from {src>}:{source.port} {*}", "client_metadata", "network", "info", ""),
            (
                "{.method} {.mechanism} authentication failed for {user*} on {.database} from client {src>}:{source.port}‹ ›; {event.reason*}",
                "login",
                "authentication",
                "start",
                "failure",
            ),
            (
                "{.method} {.mechanism} authentication failed for {user*} on {.database} from client {src!} ; {event.reason*}",
                "login",
                "authentication",
                "start",
                "failure",
            ),
            (
                "Failed to authenticate {user*>}@{.database} with mechanism {.mechanism}: {event.reason*}",
                "login",
                "authentication",
                "start",
                "failure",
            ),
            (
                "Failed to authenticate {user*>}@{.database} from client {src>}:{source.port}{*}",
                "login",
                "authentication",
                "start",
                "failure",
            ),
            (
                "Supported SASL mechanisms requested for unknown user '{user*}'",
                "login",
                "authentication",
                "info",
                "failure: unknown user",
            ),
            (
                "Successfully authenticated as principal {user} on {.database}‹ from client {src>}:{source.port}›",
                "login",
                "authentication",
                "start",
                "success",
            ),
            (
                "Unauthorized: not authorized on {.database} to execute command {.query*}",
                "access",
                "",
                "denied",
                "failure: not authorized",
            ),
            ("build index on: {.namespace} {*}", "index", "", "change", ""),
            ("dropDatabase {.database} {*}", "drop_database", "", "deletion", ""),
        ],
    )
});
