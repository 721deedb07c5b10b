//! Logs of Exchange Server as comma-separated rows: message tracking, SMTP protocol, POP3 and IMAP4 protocol.
//!
//! Reference: Microsoft, "Message tracking" (fields and event types), "Protocol logging" (connector, session, `+ - > < *`),
//! "POP3 and IMAP4 protocol logging". Times are UTC. The row does not say which log it is of: the number of fields and the
//! words at known places do. Rows of the head (`#Software`, `#Fields`) are kept as they are.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, csv, ecs, time};

/// Fields of the longest row (message tracking), and a few to come.
const FIELDS_MAX: usize = 36;

pub struct Exchange;

impl Parser for Exchange {
    fn name(&self) -> &'static str {
        "exchange"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        if is_directive(raw.text()) {
            return Sniff::Yes;
        }
        let b = raw.text().as_bytes();
        // `2026-11-23T03:00:00.000Z,`
        let is_row = b.len() > 40 && b[4] == b'-' && b[10] == b'T' && b[19] == b'.' && b.get(23..25) == Some(b"Z,".as_slice());
        Sniff::yes_if(is_row && Row::new(raw.text()).kind().is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if is_directive(raw.text()) {
            event.set_dataset("exchange.directive");
            event.set(field::EVENT_KIND, "event");
            event.set(field::MESSAGE, raw.text());
            return Outcome::Parsed;
        }
        let row = Row::new(raw.text());
        let Some(kind) = row.kind() else {
            return Outcome::Unreadable("no row of an Exchange log");
        };
        let Some((stamp, _)) = time::iso(raw.text()) else {
            return Outcome::Unreadable("no time");
        };
        match kind {
            Kind::Tracking => tracking(event, &row),
            Kind::Smtp => smtp(event, &row),
            Kind::Mailbox => mailbox(event, &row),
        }
        event.set(field::EVENT_KIND, "event");
        event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        event.set(field::OBSERVER_VENDOR, "Microsoft");
        event.set(field::OBSERVER_PRODUCT, "Exchange");
        Outcome::Parsed
    }
}

fn is_directive(text: &str) -> bool {
    text.starts_with("#Software: Microsoft Exchange")
        || text.starts_with("#Fields: date-time,")
        || text.starts_with("#Log-type: Message Tracking Log")
        || text.starts_with("#Log-type: SMTP ")
}

#[derive(Clone, Copy)]
enum Kind {
    Tracking,
    Smtp,
    Mailbox,
}

struct Row<'r> {
    fields: [Option<csv::Field<'r>>; FIELDS_MAX],
    len: usize,
}

impl<'r> Row<'r> {
    fn new(text: &'r str) -> Self {
        let mut row = Self { fields: [None; FIELDS_MAX], len: 0 };
        for (slot, field) in row.fields.iter_mut().zip(csv::Fields::new(text, b',')) {
            *slot = Some(field);
            row.len += 1;
        }
        row
    }

    fn raw(&self, at: usize) -> &'r str {
        self.fields.get(at).copied().flatten().map_or("", csv::Field::raw)
    }

    fn value(&self, event: &Event<'r>, at: usize) -> &'r str {
        self.fields.get(at).copied().flatten().map_or("", |field| field.value(event))
    }

    fn kind(&self) -> Option<Kind> {
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        if self.len >= 20 && is_word(self.raw(7)) && is_word(self.raw(8)) {
            return Some(Kind::Tracking);
        }
        let is_count = |at| !self.raw(at).is_empty() && self.raw(at).bytes().all(|b| b.is_ascii_digit());
        if self.len >= 8 && is_count(3) && matches!(self.raw(6), "+" | "-" | ">" | "<" | "*") {
            return Some(Kind::Smtp);
        }
        let is_mailbox = self.len >= 11 && is_count(2) && (endpoint(self.raw(3)).is_some() || endpoint(self.raw(4)).is_some());
        is_mailbox.then_some(Kind::Mailbox)
    }
}

/// `192.0.2.1:25`, `[2001:db8::1]:25`.
fn endpoint(text: &str) -> Option<(&str, &str)> {
    let (address, port) = text.rsplit_once(':')?;
    let is = ecs::ip(address).is_some() && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    is.then_some((address, port))
}

fn peer<'r>(event: &mut Event<'r>, text: &'r str, is_source: bool) {
    let Some((address, port)) = endpoint(text) else { return };
    if is_source {
        ecs::source(event, address);
        event.set_int(field::SOURCE_PORT, port);
    } else {
        ecs::destination(event, address);
        event.set_int(field::DESTINATION_PORT, port);
    }
}

fn keep<'r>(event: &mut Event<'r>, prefix: &'static str, key: &'static str, value: &'r str) {
    if !value.is_empty() {
        event.set_extra(prefix, key, value);
    }
}

/// Names of the tracking log's fields, as its head gives them.
const TRACKING: [&str; 30] = [
    "date-time",
    "client-ip",
    "client-hostname",
    "server-ip",
    "server-hostname",
    "source-context",
    "connector-id",
    "source",
    "event-id",
    "internal-message-id",
    "message-id",
    "network-message-id",
    "recipient-address",
    "recipient-status",
    "total-bytes",
    "recipient-count",
    "related-recipient-address",
    "reference",
    "message-subject",
    "sender-address",
    "return-path",
    "message-info",
    "directionality",
    "tenant-id",
    "original-client-ip",
    "original-server-ip",
    "custom-data",
    "transport-traffic-type",
    "log-id",
    "schema-version",
];

fn tracking<'r>(event: &mut Event<'r>, row: &Row<'r>) {
    const PREFIX: &str = "exchange.tracking.";
    event.set_dataset("exchange.tracking");
    event.set(field::EVENT_CATEGORY, "email");
    // Exchange 2010 has no network-message-id and nothing behind the direction; 2013 and later have both.
    let is_old = row.len < 26 && !row.raw(11).contains('-');
    for (at, name) in TRACKING.iter().enumerate().skip(1) {
        let place = if is_old && at > 11 { at - 1 } else { at };
        if place >= row.len || (is_old && at == 11) {
            continue;
        }
        let value = row.value(event, place);
        if value.is_empty() {
            continue;
        }
        event.set_extra(PREFIX, name, value);
        match *name {
            "client-ip" => ecs::source(event, value),
            "client-hostname" => event.set(field::SOURCE_DOMAIN, value),
            "server-ip" => ecs::destination(event, value),
            "server-hostname" => {
                event.set(field::DESTINATION_DOMAIN, value);
                ecs::host(event, value);
            }
            "event-id" => event.set(field::EVENT_ACTION, value),
            "message-id" => event.set_named("email.message_id", value.trim_matches(['<', '>'])),
            "recipient-address" => {
                let first = value.split(';').next().unwrap_or(value);
                event.set_named("email.to.address", first);
                value.split(';').take(100).for_each(|name| event.set(field::RELATED_USER, name));
            }
            "message-subject" => event.set_named("email.subject", value),
            "sender-address" => {
                event.set_named("email.from.address", value);
                ecs::user(event, field::USER_EMAIL, value);
            }
            "directionality" => {
                let direction = match value {
                    "Incoming" => "inbound",
                    "Originating" => "outbound",
                    _ => "unknown",
                };
                event.set(field::NETWORK_DIRECTION, direction);
                event.set_named("email.direction", direction);
            }
            "original-client-ip" if !event.has(field::SOURCE_IP) => ecs::source(event, value),
            "recipient-status" => event.set(field::EVENT_REASON, value),
            _ => {}
        }
    }
    let (kind, outcome) = match row.raw(8) {
        "DELIVER" | "SEND" | "SENDEXTERNAL" | "RECEIVE" | "SUBMIT" | "RESUBMIT" | "HAREDIRECT" | "HARECEIVE"
        | "DUPLICATEDELIVER" => ("info", "success"),
        "FAIL" | "BADMAIL" | "POISONMESSAGE" | "SUBMITFAIL" | "MODERATIONFAIL" | "DSN" => ("error", "failure"),
        "DEFER" | "SUBMITDEFER" => ("info", "failure"),
        _ => ("info", ""),
    };
    event.set(field::EVENT_TYPE, kind);
    event.set_present(field::EVENT_OUTCOME, outcome);
}

/// `date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context`.
fn smtp<'r>(event: &mut Event<'r>, row: &Row<'r>) {
    const PREFIX: &str = "exchange.smtp.";
    event.set_dataset("exchange.smtp");
    event.set(field::NETWORK_PROTOCOL, "smtp");
    event.set(field::EVENT_CATEGORY, "email");
    event.set(field::EVENT_CATEGORY, "network");
    let (connector, data, context) = (row.value(event, 1), row.value(event, 7), row.value(event, 8));
    keep(event, PREFIX, "connector", connector);
    keep(event, PREFIX, "session", row.raw(2));
    keep(event, PREFIX, "context", context);
    keep(event, PREFIX, "data", data);
    event.set_int(field::EVENT_SEQUENCE, row.raw(3));
    // A receive connector is reached by the peer: its own end has a port below those of clients.
    let is_server = endpoint(row.raw(4)).is_some_and(|(_, port)| matches!(port, "25" | "587" | "465" | "475" | "717" | "2525"));
    peer(event, row.raw(5), is_server);
    peer(event, row.raw(4), !is_server);
    if let Some((host, _)) = connector.split_once('\\') {
        ecs::host(event, host);
    }
    event.set_present(field::MESSAGE, data);
    let (action, kind) = match row.raw(6) {
        "+" => ("connect", "start"),
        "-" => ("disconnect", "end"),
        ">" => ("send", "protocol"),
        "<" => ("receive", "protocol"),
        _ => ("information", "info"),
    };
    event.set(field::EVENT_ACTION, action);
    event.set(field::EVENT_TYPE, kind);
    if row.raw(6) == ">" && is_server {
        reply(event, data);
    }
    for (command, name) in [("MAIL FROM:", "email.from.address"), ("RCPT TO:", "email.to.address")] {
        if data.get(..command.len()).is_some_and(|start| start.eq_ignore_ascii_case(command)) {
            let address = data[command.len()..].trim_start().trim_start_matches('<');
            let address = address.split(['>', ' ']).next().unwrap_or(address);
            if !address.is_empty() {
                event.set_named(name, address);
            }
        }
    }
}

/// A status line of the server: `535 5.7.3 Authentication unsuccessful`, `235 2.7.0 Authentication successful`.
fn reply<'r>(event: &mut Event<'r>, data: &'r str) {
    let code = data.get(..3).unwrap_or_default();
    if !code.bytes().all(|b| b.is_ascii_digit()) || code.is_empty() {
        return;
    }
    event.set(field::EVENT_CODE, code);
    match code.as_bytes()[0] {
        b'2' => ecs::success(event),
        b'4' | b'5' => {
            ecs::failure(event);
            event.set_present(field::EVENT_REASON, data.get(4..).unwrap_or_default());
        }
        _ => {}
    }
    if matches!(code, "235" | "535" | "534" | "538" | "454") {
        event.set(field::EVENT_CATEGORY, "authentication");
    }
}

/// `dateTime,sessionId,seqNumber,sIp,cIp,user,duration,rqsize,rpsize,command,parameters,context[,puid]`.
fn mailbox<'r>(event: &mut Event<'r>, row: &Row<'r>) {
    const PREFIX: &str = "exchange.mailbox.";
    event.set_dataset("exchange.mailbox");
    event.set(field::EVENT_CATEGORY, "email");
    let port = endpoint(row.raw(3)).map_or("", |(_, port)| port);
    event.set(field::NETWORK_PROTOCOL, if matches!(port, "143" | "993") { "imap" } else { "pop3" });
    peer(event, row.raw(4), true);
    peer(event, row.raw(3), false);
    let (user, command, parameters, context) =
        (row.value(event, 5), row.value(event, 9), row.value(event, 10), row.value(event, 11));
    ecs::user(event, field::USER_NAME, user);
    keep(event, PREFIX, "session", row.raw(1));
    keep(event, PREFIX, "parameters", parameters);
    keep(event, PREFIX, "context", context);
    event.set_int(field::EVENT_SEQUENCE, row.raw(2));
    event.set_present(field::EVENT_ACTION, command);
    event.set_present(field::MESSAGE, context);
    if let Ok(millis) = row.raw(6).parse::<i64>() {
        event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
    }
    event.set_int(field::SOURCE_BYTES, row.raw(7));
    event.set_int(field::DESTINATION_BYTES, row.raw(8));
    let has = |word: &str| context.contains(word);
    if matches!(command, "auth" | "login" | "pass" | "authenticate" | "user") {
        event.set(field::EVENT_CATEGORY, "authentication");
        event.set(field::EVENT_TYPE, "start");
    } else {
        event.set(field::EVENT_TYPE, "access");
    }
    if has("-ERR") || has("AuthFailed") || has("LogonFailed") || has(" NO ") || has("ErrMsg=") {
        ecs::failure(event);
    } else if has("+OK") || has(" OK ") || has("R=ok") {
        ecs::success(event);
    }
    if let Some((_, error)) = context.split_once("ErrMsg=") {
        event.set_present(field::EVENT_REASON, error.split([';', ',', '"']).next().unwrap_or(error));
    }
}
