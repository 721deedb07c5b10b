//! CoreDNS: the `log` plugin's lines and the `errors` plugin's.
//!
//! Reference: CoreDNS manual, plugin "log" (common and combined format), plugin "errors":
//! `[INFO] {remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}`.

use event::{Event, Outcome, RawRecord, field};

use crate::{Parser, Sniff, ecs, text, web};

const PREFIX: &str = "coredns.";

pub struct CoreDns;

impl Parser for CoreDns {
    fn name(&self) -> &'static str {
        "coredns"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["coredns"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(query(raw.text()).is_some() || failure(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let line = raw.text();
        event.set_dataset("coredns.log");
        if let Some(query) = query(line) {
            begin(event, line, query.level);
            event.set(field::EVENT_ACTION, "dns_query");
            answered(event, &query);
            return Outcome::Parsed;
        }
        let Some((number, rest)) = failure(line) else { return Outcome::Unreadable("no CoreDNS line") };
        begin(event, line, "ERROR");
        event.set(field::EVENT_ACTION, "dns_query");
        event.set(field::EVENT_TYPE, "error");
        ecs::failure(event);
        event.set_extra(PREFIX, "plugin_errors", number);
        let (name, rest) = text::word(rest);
        event.set(field::DNS_QUESTION_NAME, name.strip_suffix('.').filter(|name| !name.is_empty()).unwrap_or(name));
        let (kind, reason) = rest.split_once(": ").unwrap_or((rest, ""));
        event.set(field::DNS_QUESTION_TYPE, kind);
        event.set_present(field::EVENT_REASON, reason);
        Outcome::Parsed
    }
}

fn begin<'r>(event: &mut Event<'r>, line: &'r str, level: &'r str) {
    ecs::classify(event, &["network"], &["protocol"]);
    crate::linux::software(event, "CNCF", "CoreDNS", "coredns");
    event.set(field::LOG_LEVEL, text::lower(event, level));
    event.set(field::NETWORK_PROTOCOL, "dns");
    event.set(field::MESSAGE, line);
}

struct Query<'r> {
    level: &'r str,
    remote: &'r str,
    id: &'r str,
    /// Type, class, name, transport, size, DO bit, buffer size.
    question: &'r str,
    rest: &'r str,
}

fn query(line: &str) -> Option<Query<'_>> {
    let (level, rest) = text::split(line.strip_prefix('[')?, b']')?;
    if !matches!(level, "INFO" | "DEBUG" | "WARNING" | "ERROR") {
        return None;
    }
    let (remote, rest) = text::word(rest.strip_prefix(' ')?);
    let (id, rest) = text::word(rest.strip_prefix("- ")?);
    let (question, rest) = web::quoted(rest)?;
    let is = remote.contains(':') && id.bytes().all(|b| b.is_ascii_digit()) && question.split(' ').count() >= 4;
    is.then_some(Query { level, remote, id, question, rest })
}

/// `[ERROR] plugin/errors: 2 www.example.org. A: read udp …: i/o timeout`.
fn failure(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("[ERROR] plugin/errors: ")?;
    let (number, rest) = text::word(rest);
    number.bytes().all(|b| b.is_ascii_digit()).then_some((number, rest))
}

fn answered<'r>(event: &mut Event<'r>, query: &Query<'r>) {
    let (address, port) = query.remote.rsplit_once(':').unwrap_or((query.remote, ""));
    ecs::source(event, address);
    event.set_int(field::SOURCE_PORT, port);
    event.set_extra("", "dns.id", query.id);
    let mut words = query.question.split(' ');
    let mut next = || words.next().unwrap_or_default();
    event.set(field::DNS_QUESTION_TYPE, next());
    event.set_extra("", "dns.question.class", next());
    let name = next();
    event.set(field::DNS_QUESTION_NAME, name.strip_suffix('.').filter(|name| !name.is_empty()).unwrap_or(name));
    let transport = next();
    event.set(field::NETWORK_TRANSPORT, transport);
    match transport {
        "udp" => ecs::protocol(event, 17),
        "tcp" => ecs::protocol(event, 6),
        _ => {}
    }
    event.set_int(field::SOURCE_BYTES, next());
    let mut words = query.rest.trim_start().split(' ');
    let mut next = || words.next().unwrap_or_default();
    let code = next();
    event.set_present(field::DNS_RESPONSE_CODE, code);
    event.set(field::EVENT_OUTCOME, if code == "NOERROR" { "success" } else { "failure" });
    event.set_extra(PREFIX, "flags", next());
    event.set_int(field::DESTINATION_BYTES, next());
    if let Some(nanos) = next().strip_suffix('s').and_then(text::seconds_to_nanos) {
        event.set(field::EVENT_DURATION, nanos);
    }
}
