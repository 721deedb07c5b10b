//! IIS access logs in the W3C extended format, and the error log of HTTP.sys beside them.
//!
//! Reference: Microsoft, "W3C Logging" (fields and their order, blanks as `+`, `-` for nothing, times in UTC), "Error logging in
//! HTTP APIs". A parser sees one line and not the `#Fields:` line above it, so fields are told by their place around those that
//! have a shape of their own: IIS writes the fields that are switched on always in the same order.
//!
//! ```text
//! date time [s-sitename] [s-computername] s-ip METHOD stem query s-port cs-username c-ip [cs-version]
//!      [User-Agent] [Cookie] [Referer] [cs-host] STATUS [substatus win32 [sc-bytes cs-bytes] time-taken] [custom …]
//! date time c-ip c-port s-ip s-port cs-version METHOD uri [streamid] STATUS s-siteid s-reason s-queuename
//! ```

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, text, time, web};

const PREFIX: &str = "iis.";

/// Fields that a line may have.
const FIELDS_MAX: usize = 40;

pub struct Iis;

impl Parser for Iis {
    fn name(&self) -> &'static str {
        "iis"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        if raw.text().starts_with('#') {
            return Sniff::yes_if(directive(raw.text()));
        }
        if !has_stamp(raw.text()) {
            return Sniff::No;
        }
        let line = Line::new(raw.text());
        Sniff::yes_if(line.method().is_some() || line.is_error())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().starts_with('#') && directive(raw.text()) {
            event.set_dataset("iis.directive");
            event.set(field::EVENT_KIND, "event");
            event.set(field::MESSAGE, raw.text());
            return Outcome::Parsed;
        }
        let Some((stamp, _)) = time::iso(raw.text()) else {
            return Outcome::Unreadable("no date and time");
        };
        let line = Line::new(raw.text());
        // A fixed format may lack the sniffed certainty, never the method.
        if line.is_error() {
            error(event, &line);
        } else if let Some(method) = line.method() {
            access(event, &line, method);
        } else {
            return Outcome::Unreadable("neither an access line nor an error line of IIS");
        }
        event.set(field::TIMESTAMP, Value::Time(time::Stamp { offset: Some(0), ..stamp }.resolve(raw)));
        Outcome::Parsed
    }
}

fn directive(text: &str) -> bool {
    text.starts_with("#Software: Microsoft Internet Information Services")
        || text.starts_with("#Software: Microsoft HTTP API")
        || (text.starts_with("#Fields: ")
            && (text.contains(" cs-method") || text.contains(" cs-uri") || text.contains(" s-reason")))
}

fn has_stamp(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() > 30 && b[4] == b'-' && b[7] == b'-' && b[10] == b' ' && b[13] == b':' && b[16] == b':' && b[19] == b' '
}

struct Line<'r> {
    fields: [&'r str; FIELDS_MAX],
    len: usize,
}

impl<'r> Line<'r> {
    fn new(text: &'r str) -> Self {
        let mut line = Self { fields: [""; FIELDS_MAX], len: 0 };
        for (slot, field) in line.fields.iter_mut().zip(text.split(' ')) {
            *slot = field;
            line.len += 1;
        }
        line
    }

    fn get(&self, at: usize) -> &'r str {
        self.fields.get(at).copied().unwrap_or_default()
    }

    /// The place of the method of an access line: a word in capitals, then a path, and a port two further on.
    fn method(&self) -> Option<usize> {
        (2..=5).find(|at| {
            let (word, path, port) = (self.get(*at), self.get(at + 1), self.get(at + 3));
            (2..=20).contains(&word.len())
                && word.bytes().all(|b| b.is_ascii_uppercase() || matches!(b, b'_' | b'-'))
                && (path.starts_with(['/', '*', '-']) || path.contains("://"))
                && is_number(port, 5)
                && self.len > at + 5
        })
    }

    fn is_error(&self) -> bool {
        let is_address = |text: &str| text.contains(['.', ':']) && ecs::ip(text).is_some();
        self.len >= 11
            && is_address(self.get(2))
            && is_number(self.get(3), 5)
            && is_address(self.get(4))
            && is_number(self.get(5), 5)
            && (self.get(6).starts_with("HTTP/") || self.get(6) == "-")
    }
}

fn is_number(text: &str, digits: usize) -> bool {
    (1..=digits).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_status(text: &str) -> bool {
    text.len() == 3 && is_number(text, 3) && matches!(text.as_bytes()[0], b'1'..=b'9')
}

fn access<'r>(event: &mut Event<'r>, line: &Line<'r>, method: usize) {
    begin(event, "iis.access");
    event.set(field::HTTP_REQUEST_METHOD, line.get(method));
    for at in 2..method {
        let word = line.get(at);
        if at + 1 == method {
            ecs::destination(event, word);
        } else if word.starts_with("W3SVC") || at + 2 < method {
            event.set_extra(PREFIX, "site", word);
        } else {
            ecs::host(event, word);
        }
    }
    let (stem, query) = (line.get(method + 1), line.get(method + 2));
    url(event, stem, query);
    event.set_int(field::DESTINATION_PORT, line.get(method + 3));
    // A user name that is empty leaves two blanks.
    account(event, line.get(method + 4));
    client(event, line.get(method + 5));
    let mut at = method + 6;
    if let Some(version) = line.get(at).strip_prefix("HTTP/") {
        event.set(field::HTTP_VERSION, version);
        at += 1;
    }
    let status = (at..line.len).find(|at| is_status(line.get(*at)) && (*at + 1 == line.len || is_number(line.get(at + 1), 10)));
    let Some(status) = status else {
        return event.problem("no status code");
    };
    headers(event, line, at, status);
    self::status(event, line.get(status));
    tail(event, line, status + 1);
}

fn begin(event: &mut Event<'_>, dataset: &'static str) {
    event.set_dataset(dataset);
    ecs::classify(event, &["web", "network"], &["access", "connection"]);
    event.set(field::OBSERVER_VENDOR, "Microsoft");
    event.set(field::OBSERVER_PRODUCT, "IIS");
}

fn url<'r>(event: &mut Event<'r>, stem: &'r str, query: &'r str) {
    if ecs::is_nothing(query) {
        web::url(event, stem);
    } else {
        let whole = text::join(event, stem, "?", query);
        web::url(event, whole);
    }
}

fn account<'r>(event: &mut Event<'r>, name: &'r str) {
    if let Some((domain, name)) = name.split_once('\\') {
        event.set_present(field::USER_DOMAIN, domain);
        ecs::user(event, field::USER_NAME, name);
    } else {
        ecs::user(event, field::USER_NAME, name);
    }
}

fn client<'r>(event: &mut Event<'r>, address: &'r str) {
    ecs::source(event, address);
}

fn status(event: &mut Event<'_>, status: &str) {
    if let Ok(status) = status.parse::<i64>() {
        event.set(field::HTTP_RESPONSE_STATUS_CODE, status);
        event.set(field::EVENT_OUTCOME, if status < 400 { "success" } else { "failure" });
    }
}

/// User agent, cookie, referrer and host stand in this order, those that are switched on.
fn headers<'r>(event: &mut Event<'r>, line: &Line<'r>, from: usize, to: usize) {
    let words = &line.fields[from..to];
    let is_referrer = |word: &str| word.contains("://");
    let (agent, cookie, referrer, host) = match words {
        [] => ("-", "-", "-", "-"),
        [agent] => (*agent, "-", "-", "-"),
        [agent, other] if !is_referrer(other) && other.contains('=') => (*agent, *other, "-", "-"),
        [agent, referrer] => (*agent, "-", *referrer, "-"),
        // With three the middle one tells: a referrer is a URL, a cookie has an equals sign.
        [agent, middle, last] if is_referrer(middle) || (!is_referrer(last) && *middle == "-" && *last != "-") => {
            (*agent, "-", *middle, *last)
        }
        [agent, cookie, referrer] => (*agent, *cookie, *referrer, "-"),
        [agent, cookie, referrer, host, ..] => (*agent, *cookie, *referrer, *host),
    };
    event.set_present(field::USER_AGENT_ORIGINAL, plus_to_blank(event, agent));
    event.set_present(field::HTTP_REQUEST_REFERRER, referrer);
    if cookie != "-" {
        event.set_extra(PREFIX, "cookie", cookie);
    }
    if !ecs::is_nothing(host) {
        web::authority(event, host);
        if let Some(domain) = event.text(field::URL_DOMAIN) {
            event.set(field::DESTINATION_DOMAIN, domain);
        }
    }
}

fn plus_to_blank<'r>(event: &Event<'r>, text: &'r str) -> &'r str {
    if memchr::memchr(b'+', text.as_bytes()).is_none() {
        return text;
    }
    let mut out = bumpalo::collections::String::with_capacity_in(text.len(), event.arena());
    out.extend(text.chars().map(|c| if c == '+' { ' ' } else { c }));
    out.into_bump_str()
}

/// Numbers behind the status, then what an administrator added (`X-Forwarded-For`).
fn tail<'r>(event: &mut Event<'r>, line: &Line<'r>, from: usize) {
    let count = (from..line.len).take_while(|at| is_number(line.get(*at), 20)).count().min(5);
    let numbers = &line.fields[from..from + count];
    for (key, value) in ["sub_status", "win32_status"].into_iter().zip(numbers) {
        event.set_extra(PREFIX, key, *value);
    }
    let (sent, received, taken) = match numbers {
        [_, _, taken] => (None, None, Some(taken)),
        [_, _, sent, received] => (Some(sent), Some(received), None),
        [_, _, sent, received, taken] => (Some(sent), Some(received), Some(taken)),
        _ => (None, None, None),
    };
    if let Some(sent) = sent {
        event.set_int(field::HTTP_RESPONSE_BODY_BYTES, sent);
    }
    if let Some(received) = received {
        event.set_int(field::HTTP_REQUEST_BODY_BYTES, received);
    }
    if let Some(millis) = taken.and_then(|taken| taken.parse::<i64>().ok()) {
        event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
    }
    for at in from + count..line.len {
        let word = line.get(at);
        if ecs::is_nothing(word) {
            continue;
        }
        // A proxy in front tells the client's address; the address of the connection stays in `source.ip`.
        for address in word.split([',', '+']).filter_map(ecs::ip) {
            event.set(field::RELATED_IP, address);
        }
        event.set_extra(PREFIX, "forwarded_for", word);
    }
}

fn error<'r>(event: &mut Event<'r>, line: &Line<'r>) {
    begin(event, "iis.error");
    client(event, line.get(2));
    event.set_int(field::SOURCE_PORT, line.get(3));
    ecs::destination(event, line.get(4));
    event.set_int(field::DESTINATION_PORT, line.get(5));
    if let Some(version) = line.get(6).strip_prefix("HTTP/") {
        event.set(field::HTTP_VERSION, version);
    }
    event.set_present(field::HTTP_REQUEST_METHOD, line.get(7));
    let uri = line.get(8);
    if !ecs::is_nothing(uri) {
        web::url(event, uri);
        if !event.has(field::URL_PATH) {
            event.set(field::URL_PATH, uri);
        }
    }
    // Newer systems write a stream id before the status.
    let status = if line.len >= 14 || (line.len == 13 && !is_status(line.get(9)) && line.get(9) == "-" && is_status(line.get(10)))
    {
        10
    } else {
        9
    };
    self::status(event, line.get(status));
    if !event.has(field::EVENT_OUTCOME) {
        ecs::failure(event);
    }
    for (key, at) in [("site_id", status + 1), ("reason", status + 2), ("queue_name", status + 3)] {
        if !ecs::is_nothing(line.get(at)) {
            event.set_extra(PREFIX, key, line.get(at));
        }
    }
    event.set_present(field::EVENT_REASON, line.get(status + 2));
}
