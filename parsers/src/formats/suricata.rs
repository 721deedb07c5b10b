//! Suricata EVE: one JSON object an event, all event types.
//!
//! Reference: OISF, Suricata user guide, "EVE JSON format" (common section and a section per event type), versions 4 to 8.
//!
//! Every value is kept under `suricata.eve.`; what an event is follows from `event_type`, through one table.

mod meaning;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    formats::json,
    json as flat, text, time,
    vendor::{self, Notes},
    web,
};
use meaning::{KEYS, TYPES, note};

const PREFIX: &str = "suricata.eve.";

pub struct Suricata;

impl Parser for Suricata {
    fn name(&self) -> &'static str {
        "suricata"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["suricata"]
    }

    fn starts(&self) -> &'static [u8] {
        crate::OBJECT
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let Some(object) = json::object(raw.text()) else { return Sniff::No };
        let b = object.as_bytes();
        let has = |range: usize, word: &[u8]| crate::text::find(&b[..b.len().min(range)], word).is_some();
        Sniff::yes_if(
            has(2048, b"\"event_type\"")
                && (has(2048, b"\"flow_id\"")
                    || has(400, b"\"stats\"")
                    || has(600, b"\"pcap_cnt\"")
                    || has(600, b"\"in_iface\"")),
        )
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(object) = json::object(raw.text()) else {
            return Outcome::Unreadable("no JSON object");
        };
        let mut notes = Line::default();
        if !vendor::json(raw, event, object, PREFIX, &KEYS, &mut notes) {
            return Outcome::Unreadable("malformed JSON");
        }
        let kind = notes.get(note::TYPE);
        if kind.is_empty() {
            return Outcome::Unreadable("no event_type");
        }
        vendor::device(event, "OISF", "Suricata", "ids");
        classify(event, kind, &notes);
        flow(raw, event, &notes);
        request(event, &notes);
        names(event, &notes);
        vendor::conclude(event);
        Outcome::Parsed
    }
}

type Line<'r> = Notes<'r, { note::COUNT }>;

fn classify<'r>(event: &mut Event<'r>, kind: &'r str, notes: &Line<'r>) {
    let found = TYPES.iter().find(|known| known.name == kind);
    event.set_dataset(found.map_or("suricata.eve", |kind| kind.dataset));
    match found {
        Some(known) => {
            ecs::classify(event, known.categories, known.types);
            if !known.protocol.is_empty() && notes.get(note::APP_PROTOCOL).is_empty() {
                event.set(field::NETWORK_PROTOCOL, known.protocol);
            }
        }
        None => ecs::classify(event, &["network"], &["info"]),
    }
    let protocol = notes.get(note::APP_PROTOCOL);
    if !matches!(protocol, "" | "failed") {
        event.set(field::NETWORK_PROTOCOL, text::lower(event, protocol));
    }
    event.set(field::EVENT_ACTION, kind);
    match kind {
        "alert" | "drop" => {
            event.set(field::EVENT_KIND, if kind == "alert" { "alert" } else { "event" });
            let is_blocked = kind == "drop" || notes.get(note::VERDICT) == "blocked";
            event.set(field::EVENT_TYPE, if is_blocked { "denied" } else { "allowed" });
            event.set_present(field::MESSAGE, notes.get(note::SIGNATURE));
            event.set_present(field::EVENT_ACTION, notes.get(note::VERDICT));
            let cve = notes.get(note::CVE);
            if !cve.is_empty() {
                let copy = event.arena().alloc_str(cve);
                copy.make_ascii_uppercase();
                let name: &str = copy;
                event.set(field::VULNERABILITY_ID, replaced(event, name));
            }
        }
        "stats" => event.set(field::EVENT_KIND, "metric"),
        "http" => match notes.number(note::STATUS) {
            Some(status) if status < 400 => ecs::success(event),
            Some(_) => ecs::failure(event),
            None => {}
        },
        _ => {}
    }
}

/// `CVE_2021_41773` → `CVE-2021-41773`.
fn replaced<'r>(event: &Event<'r>, text: &str) -> &'r str {
    let mut out = bumpalo::collections::String::with_capacity_in(text.len(), event.arena());
    text.chars().for_each(|c| out.push(if c == '_' { '-' } else { c }));
    out.into_bump_str()
}

fn flow<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, notes: &Line<'r>) {
    let moment = |note: u8| time::any(notes.get(note), raw);
    let (start, end) = (moment(note::FLOW_START), moment(note::FLOW_END));
    if let Some(start) = start {
        event.set(field::EVENT_START, Value::Time(start));
    }
    let Some(end) = end else { return };
    event.set(field::EVENT_END, Value::Time(end));
    if let Some(start) = start.filter(|start| *start <= end) {
        event.set(field::EVENT_DURATION, (end - start).saturating_mul(1000));
    }
}

fn request<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    let (host, url) = (notes.get(note::HOST), notes.get(note::URL));
    if !host.is_empty() {
        web::authority(event, host);
        event.set(field::DESTINATION_DOMAIN, vendor::split_endpoint(host).0);
        event.set(field::RELATED_HOSTS, vendor::split_endpoint(host).0);
    }
    if !url.is_empty() {
        web::url(event, url);
    }
    let version = notes.get(note::HTTP_VERSION);
    event.set_present(field::HTTP_VERSION, version.strip_prefix("HTTP/").unwrap_or(version));
}

/// DNS questions and answers, TLS, files: names that several versions put in several places.
fn names<'r>(event: &mut Event<'r>, notes: &Line<'r>) {
    for list in [note::DNS_QUERIES, note::DNS_ANSWERS] {
        let text = notes.get(list);
        let is_answer = list == note::DNS_ANSWERS;
        let _ = flat::flatten(event.arena(), text, &mut |name, leaf| match name {
            "rrname" if !event.has(field::DNS_QUESTION_NAME) => event.set(field::DNS_QUESTION_NAME, leaf.text()),
            "rrtype" if !event.has(field::DNS_QUESTION_TYPE) => event.set(field::DNS_QUESTION_TYPE, leaf.text()),
            "rdata" if is_answer => event.set_named("dns.answers.data", leaf.text()),
            _ => {}
        });
    }
    let sni = notes.get(note::SNI);
    if !sni.is_empty() {
        event.set_named("tls.client.server_name", sni);
        event.set(field::DESTINATION_DOMAIN, sni);
        event.set(field::RELATED_HOSTS, sni);
    }
    let version = notes.get(note::TLS_VERSION);
    if !version.is_empty() && version != "UNDETERMINED" {
        let lower = text::lower(event, version);
        event.set(field::TLS_VERSION, lower.trim_start_matches("tlsv").trim_start_matches("tls ").trim_start_matches("sslv"));
    }
    let file = notes.get(note::FILE);
    if !file.is_empty() {
        vendor::file(event, file);
        event.set(field::FILE_PATH, file);
    }
}
