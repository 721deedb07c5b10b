//! Blue Coat ProxySG, Symantec Edge SWG and Cloud SWG: ELFF fields as pairs, as JSON, and in the order of the reporter's format.
//!
//! Reference: Broadcom, "ProxySG log fields and substitutions" (ELFF names), access log format `bcreportermain_v1`, "Cloud SWG:
//! access log fields".

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    formats::json,
    keys::KeyTable,
    kv::Separator,
    text, time,
    vendor::{self, Means, Notes},
    web,
};

const PREFIX: &str = "bluecoat.";

pub struct ProxySg;

mod note {
    pub const DATE: u8 = 0;
    pub const TIME: u8 = 1;
    pub const TAKEN: u8 = 2;
    pub const USER: u8 = 3;
    pub const HOST: u8 = 4;
    pub const PORT: u8 = 5;
    pub const PATH: u8 = 6;
    pub const QUERY: u8 = 7;
    pub const SCHEME: u8 = 8;
    pub const RESULT: u8 = 9;
    pub const ACTION: u8 = 10;
    pub const URL: u8 = 11;
    pub const CLOUD: u8 = 12;
    pub const APPLIANCE: u8 = 13;
    pub const VERDICT: u8 = 14;
    pub const APPLICATION: u8 = 15;
    pub const CLOUD_APPLICATION: u8 = 16;
    pub const COUNT: usize = 17;
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("date", Note(note::DATE)),
        ("time", Note(note::TIME)),
        ("time-taken", Note(note::TAKEN)),
        ("c-ip", Ip(field::CLIENT_IP)),
        ("s-ip", Ip(field::SERVER_IP)),
        ("r-ip", Ip(field::DESTINATION_IP)),
        ("cs-ip", Name("bluecoat.proxy_ip")),
        ("cs-username", Note(note::USER)),
        ("cs-userdn", Note(note::USER)),
        ("cs-user", Note(note::USER)),
        ("cs-host", Note(note::HOST)),
        ("cs-uri-port", Note(note::PORT)),
        ("cs-uri-path", Note(note::PATH)),
        ("cs-uri-query", Note(note::QUERY)),
        ("cs-uri-scheme", Note(note::SCHEME)),
        ("cs-uri", Note(note::URL)),
        ("c-url", Note(note::URL)),
        ("cs-method", Text(field::HTTP_REQUEST_METHOD)),
        ("cs(User-Agent)", Text(field::USER_AGENT_ORIGINAL)),
        ("cs-User-Agent", Text(field::USER_AGENT_ORIGINAL)),
        ("cs-user-agent", Text(field::USER_AGENT_ORIGINAL)),
        ("cs(Referer)", Text(field::HTTP_REQUEST_REFERRER)),
        ("cs(referer)", Text(field::HTTP_REQUEST_REFERRER)),
        ("cs-Referer", Text(field::HTTP_REQUEST_REFERRER)),
        ("sc-status", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("sc-bytes", Int(field::HTTP_RESPONSE_BYTES)),
        ("cs-bytes", Int(field::SOURCE_BYTES)),
        ("rs(Content-Type)", Name("http.response.mime_type")),
        ("rs-Content-Type", Name("http.response.mime_type")),
        ("s-action", Note(note::ACTION)),
        ("sc-filter-result", Note(note::RESULT)),
        ("cs-categories", Text(field::RULE_CATEGORY)),
        ("x-virus-id", Text(field::RULE_NAME)),
        ("x-exception-id", Text(field::EVENT_REASON)),
        ("x-bluecoat-appliance-name", Note(note::APPLIANCE)),
        ("s-computername", Note(note::APPLIANCE)),
        ("x-bluecoat-request-tenant-id", Note(note::CLOUD)),
        ("x-bluecoat-application-name", Note(note::CLOUD_APPLICATION)),
        ("application-name", Note(note::APPLICATION)),
        ("verdict", Note(note::VERDICT)),
        ("x-dns-cs-dns", Text(field::DNS_QUESTION_NAME)),
        ("x-dns-cs-qtype", Text(field::DNS_QUESTION_TYPE)),
        ("x-dns-cs-qclass", Name("dns.question.class")),
        ("x-dns-rs-rcode", Text(field::DNS_RESPONSE_CODE)),
        ("x-dns-rs-a-records", Name("dns.answers.data")),
    ])
});

/// `bcreportermain_v1`.
const REPORTER: [&str; 25] = [
    "date",
    "time",
    "time-taken",
    "c-ip",
    "cs-username",
    "cs-auth-group",
    "x-exception-id",
    "sc-filter-result",
    "cs-categories",
    "cs(Referer)",
    "sc-status",
    "s-action",
    "cs-method",
    "rs(Content-Type)",
    "cs-uri-scheme",
    "cs-host",
    "cs-uri-port",
    "cs-uri-path",
    "cs-uri-query",
    "cs-uri-extension",
    "cs(User-Agent)",
    "s-ip",
    "sc-bytes",
    "cs-bytes",
    "x-virus-id",
];

impl Parser for ProxySg {
    fn name(&self) -> &'static str {
        "proxysg"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["bluecoat", "ProxySG"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        let b = text.as_bytes();
        let has = |range: usize, word: &[u8]| crate::text::find(&b[..b.len().min(range)], word).is_some();
        let is_pairs = has(300, b"c-ip=") && has(2048, b" cs-method=");
        let is_json = json::object(text).is_some()
            && has(16_384, b"\"c-ip\"")
            && (has(16_384, b"\"cs-method\"") || has(16_384, b"\"sc-status\""));
        Sniff::yes_if(is_pairs || is_json || is_reporter(text))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = raw.text();
        let mut notes = Line::default();
        if let Some(object) = json::object(text) {
            if !vendor::json(raw, event, object, PREFIX, &KEYS, &mut notes) {
                return Outcome::Unreadable("malformed JSON");
            }
        } else if is_reporter(text) {
            for (name, value) in REPORTER.iter().zip(Quoted { rest: text }) {
                if !matches!(value, "-" | "") {
                    vendor::word(raw, event, PREFIX, name, value, &KEYS, &mut notes);
                }
            }
        } else if let Some(at) = crate::text::find(text.as_bytes(), b"c-ip=") {
            lead(raw, event, &text[..at]);
            vendor::pairs(raw, event, &text[at..], Separator::Blank, PREFIX, &KEYS, &mut notes);
        } else {
            // What the appliance says of itself.
            event.set_dataset("bluecoat.proxysg");
            ecs::classify(event, &["host"], &["info"]);
            event.set(field::MESSAGE, text);
            vendor::device(event, "Broadcom", "ProxySG", "proxy");
            return Outcome::Parsed;
        }
        event.set_dataset("bluecoat.proxysg");
        let is_cloud = !notes.get(note::CLOUD).is_empty() || json::object(text).is_some();
        vendor::device(event, "Broadcom", if is_cloud { "Cloud Secure Web Gateway" } else { "Edge Secure Web Gateway" }, "proxy");
        event.set_present(field::OBSERVER_NAME, notes.get(note::APPLIANCE));
        finish(raw, event, &notes);
        vendor::conclude(event);
        Outcome::Parsed
    }
}

type Line<'r> = Notes<'r, { note::COUNT }>;

/// `2026-11-23T10:00:00PROXY01 bluecoat - access_log - `: the appliance writes its name right behind the stamp.
fn lead<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    let Some((stamp, rest)) = time::iso(text) else { return };
    event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
    let (host, _) = text::word(rest.trim_start());
    if !host.is_empty() && host != "bluecoat" {
        ecs::host(event, host);
    }
}

fn is_reporter(text: &str) -> bool {
    let Some((_, rest)) = time::iso(text) else { return false };
    let mut words = Quoted { rest };
    let is_number = |word: Option<&str>| word.is_some_and(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()));
    is_number(words.next())
        && words.next().is_some_and(|word| ecs::ip(word).is_some())
        && words.nth(7).is_some_and(|action| action.starts_with("TCP_") || action.starts_with("TUNNEL"))
}

/// Words between blanks; quotes hold blanks.
struct Quoted<'r> {
    rest: &'r str,
}

impl<'r> Iterator for Quoted<'r> {
    type Item = &'r str;

    fn next(&mut self) -> Option<&'r str> {
        let rest = self.rest.trim_start_matches(' ');
        if rest.is_empty() {
            return None;
        }
        let (word, after) = web::quoted(rest).unwrap_or_else(|| text::word(rest));
        self.rest = after;
        Some(word)
    }
}

fn finish<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, notes: &Line<'r>) {
    let (date, clock) = (notes.get(note::DATE), notes.get(note::TIME));
    if !date.is_empty() {
        let joined = text::join(event, date, " ", clock);
        if let Some((stamp, _)) = time::iso(joined) {
            // ELFF: "time is in GMT".
            event.set(field::TIMESTAMP, Value::Time(time::Stamp { offset: stamp.offset.or(Some(0)), ..stamp }.resolve(raw)));
        }
    }
    ecs::classify(event, &["web"], &["access"]);
    event.set_present(field::EVENT_ACTION, notes.first(&[note::ACTION, note::VERDICT]));
    event.set_present(field::NETWORK_APPLICATION, notes.first(&[note::APPLICATION, note::CLOUD_APPLICATION]));
    if matches!(notes.get(note::RESULT), "DENIED") || notes.get(note::ACTION).contains("DENIED") {
        event.set(field::EVENT_TYPE, "denied");
    }
    if let Ok(millis) = notes.get(note::TAKEN).parse::<i64>() {
        event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
    }
    let user = notes.get(note::USER);
    if !user.is_empty() {
        event.set_named("client.user.name", user);
        event.set(field::RELATED_USER, user);
    }
    let url = notes.get(note::URL);
    if !url.is_empty() {
        web::url(event, url);
    }
    event.set_present(field::URL_SCHEME, notes.get(note::SCHEME));
    event.set_present(field::URL_DOMAIN, notes.get(note::HOST));
    event.set_int(field::URL_PORT, notes.get(note::PORT));
    event.set_present(field::URL_PATH, notes.get(note::PATH));
    event.set_present(field::URL_QUERY, notes.get(note::QUERY).trim_start_matches('?'));
}
