//! Snort 2 and 3: `alert_fast`, `alert_full`, `alert_syslog`, `alert_csv` and `alert_json`; Suricata's `fast.log` is the first of
//! them.
//!
//! Reference: Snort users manual, "Output modules" (the default fields of `alert_csv`), Snort 3 reference, `alert_json`; Netgate,
//! Snort package (CSV with year, classification and action).

use std::sync::LazyLock;

use event::{Event, Field, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff,
    csv::Fields,
    ecs,
    formats::json,
    keys::KeyTable,
    text, time,
    vendor::{self, Means, Notes},
};

const PREFIX: &str = "snort.";

pub struct Snort;

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("src_addr", Ip(field::SOURCE_IP)),
        ("src_port", Int(field::SOURCE_PORT)),
        ("dst_addr", Ip(field::DESTINATION_IP)),
        ("dst_port", Int(field::DESTINATION_PORT)),
        ("proto", Protocol),
        ("service", Note(3)),
        ("sid", Text(field::RULE_ID)),
        ("msg", Text(field::RULE_NAME)),
        ("class", Text(field::RULE_CATEGORY)),
        ("priority", Int(field::EVENT_SEVERITY)),
        ("action", Note(0)),
        ("iface", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("eth_src", Mac(field::SOURCE_MAC)),
        ("eth_dst", Mac(field::DESTINATION_MAC)),
        ("vlan", Name("network.vlan.id")),
        ("pkt_len", Int(field::NETWORK_BYTES)),
        ("timestamp", Note(1)),
        ("seconds", Note(2)),
    ])
});

impl Parser for Snort {
    fn name(&self) -> &'static str {
        "snort"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["snort", "barnyard2"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        let b = text.as_bytes();
        let has = |range: usize, word: &[u8]| crate::text::find(&b[..b.len().min(range)], word).is_some();
        let is_json = b.first() == Some(&b'{') && has(8192, b"\"src_ap\"") && has(8192, b"\"sid\"");
        let is_text = has(80, b"[**] [") && signature(text).is_some();
        Sniff::yes_if(is_json || is_text || is_csv(text))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = raw.text();
        let is_read = if text.starts_with('{') {
            alert_json(raw, event, text)
        } else if is_csv(text) {
            csv(raw, event, text);
            true
        } else {
            alert(raw, event, text)
        };
        if !is_read {
            return Outcome::Unreadable("no Snort alert");
        }
        event.set_dataset("snort.alert");
        if event.text(field::OBSERVER_PRODUCT).is_none() {
            vendor::device(event, "snort", "ids", "ids");
        }
        event.set(field::EVENT_KIND, "alert");
        event.set(field::EVENT_CATEGORY, "intrusion_detection");
        event.set(field::EVENT_CATEGORY, "network");
        if let Some(name) = event.text(field::RULE_NAME) {
            event.set(field::MESSAGE, name);
        }
        vendor::conclude(event);
        Outcome::Parsed
    }
}

/// `[1:1917:6] text`: generator, signature, revision.
fn signature(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find('[').map(|at| if text[at..].starts_with("[**] [") { at + 5 } else { at })?;
    let (inside, rest) = text[start..].strip_prefix('[')?.split_once(']')?;
    let mut numbers = inside.split(':');
    let is_number = |word: &str| !word.is_empty() && word.len() <= 10 && word.bytes().all(|b| b.is_ascii_digit());
    let (generator, id, revision) = (numbers.next()?, numbers.next()?, numbers.next()?);
    (is_number(generator) && is_number(id) && is_number(revision) && numbers.next().is_none()).then_some((inside, id, rest))
}

/// `MM/DD-hh:mm:ss.ffffff`, with `/YY` or `/YYYY` after the day where the site asked for the year.
fn stamp<'t>(text: &'t str, raw: RawRecord<'_>) -> Option<(Value<'t>, bool, &'t str)> {
    let b = text.as_bytes();
    let pair = |at: usize| -> Option<u32> {
        let (a, b) = (b.get(at)?.wrapping_sub(b'0'), b.get(at + 1)?.wrapping_sub(b'0'));
        (a < 10 && b < 10).then_some(u32::from(a) * 10 + u32::from(b))
    };
    let (month, day) = (pair(0)?, pair(3)?);
    if b.get(2) != Some(&b'/') {
        return None;
    }
    let (year, at, is_long) = match b.get(5)? {
        b'-' => (None, 6, false),
        b'/' if b.get(8) == Some(&b'-') => (Some(2000 + pair(6)?), 9, false),
        b'/' if b.get(10) == Some(&b'-') => (Some(pair(6)? * 100 + pair(8)?), 11, true),
        _ => return None,
    };
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let clock_len = text.get(at..)?.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b':' | b'.')).count();
    let clock = text.get(at..at + clock_len)?;
    let rest = text.get(at + clock_len..)?;
    let moment = match year {
        Some(year) => {
            let days = time::days(year as i32, month, day)?;
            let (clock, _) = time::iso(text_of(&mut [0; 40], clock)?)?;
            time::Stamp { civil: days * 86_400_000_000 + clock.civil, offset: None }.resolve(raw)
        }
        None => {
            let mut buffer = [0u8; 48];
            let head = format_head(&mut buffer, NAMES.get(month as usize - 1)?, day, clock)?;
            time::bsd(head, raw)?.0.resolve(raw)
        }
    };
    Some((Value::Time(moment), is_long, rest))
}

/// `1970-01-01T` and the clock, so that the clock alone can be read as a stamp.
fn text_of<'b>(buffer: &'b mut [u8; 40], clock: &str) -> Option<&'b str> {
    let len = 11 + clock.len();
    let out = buffer.get_mut(..len)?;
    out[..11].copy_from_slice(b"1970-01-01T");
    out[11..].copy_from_slice(clock.as_bytes());
    std::str::from_utf8(&buffer[..len]).ok()
}

fn format_head<'b>(buffer: &'b mut [u8; 48], month: &str, day: u32, clock: &str) -> Option<&'b str> {
    let len = 7 + clock.len();
    let out = buffer.get_mut(..len)?;
    out[..3].copy_from_slice(month.as_bytes());
    out[3] = b' ';
    out[4] = b'0' + (day / 10) as u8;
    out[5] = b'0' + (day % 10) as u8;
    out[6] = b' ';
    out[7..].copy_from_slice(clock.as_bytes());
    std::str::from_utf8(&buffer[..len]).ok()
}

/// The line and the block form: signature, classification, priority, and then the packet on the same line or the next ones.
fn alert<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) -> bool {
    if let Some((time, is_long, _)) = stamp(text, raw) {
        event.set(field::TIMESTAMP, time);
        // Suricata writes the whole year, Snort never does.
        if is_long {
            vendor::device(event, "OISF", "Suricata", "ids");
        }
    }
    let Some((ids, id, rest)) = signature(text) else { return false };
    event.set(field::RULE_ID, id);
    event.set_extra(PREFIX, "gid_sid_rev", ids);
    let name_end = ["[**]", " [Classification:", " [Priority:", " {", "\n"]
        .iter()
        .filter_map(|mark| rest.find(mark))
        .min()
        .unwrap_or(rest.len());
    let name = rest[..name_end].trim().trim_matches('"');
    event.set_present(field::RULE_NAME, name);
    let bracket = |key: &str| rest.split_once(key).and_then(|(_, value)| value.split_once(']')).map(|(value, _)| value.trim());
    if let Some(class) = bracket("[Classification:") {
        event.set_present(field::RULE_CATEGORY, class);
    }
    if let Some(priority) = bracket("[Priority:") {
        event.set_int(field::EVENT_SEVERITY, priority);
    }
    if rest.contains("[Drop]") || rest.contains("[wDrop]") {
        event.set(field::EVENT_TYPE, "denied");
        event.set(field::EVENT_ACTION, "drop");
    } else {
        event.set(field::EVENT_ACTION, "alert");
    }
    if let Some((protocol, _)) = rest.split_once('{').and_then(|(_, rest)| rest.split_once('}')) {
        vendor::protocol(event, protocol);
    }
    // The block form: a stamp begins the line of the ends, the protocol the next one.
    for line in rest.lines().skip(1) {
        if let Some((time, _, _)) = stamp(line.trim_start(), raw) {
            event.set(field::TIMESTAMP, time);
        } else if let Some((protocol, _)) = line.split_once(" TTL:") {
            vendor::protocol(event, protocol.trim());
        }
    }
    if let Some((before, after)) = rest.split_once(" -> ") {
        let from = before.rsplit([' ', '\n']).next().unwrap_or_default();
        let to = after.split([' ', '\n', '\r']).next().unwrap_or_default();
        vendor::source(event, from);
        vendor::destination(event, to);
    }
    true
}

fn is_csv(text: &str) -> bool {
    let b = text.as_bytes();
    if b.len() < 30 || b[2] != b'/' || !b[0].is_ascii_digit() {
        return false;
    }
    let mut fields = Fields::new(text, b',').map(|field| field.raw());
    let stamp = fields.next().unwrap_or_default();
    let is_number = |word: Option<&str>| word.is_some_and(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()));
    stamp.contains('-') && stamp.len() < 32 && is_number(fields.next()) && is_number(fields.next()) && is_number(fields.next())
}

/// The default fields of Snort 2; the Netgate package ends in id, classification, priority, event type, disposition.
fn csv<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    let mut fields = Fields::new(text, b',').map(|field| field.raw().trim());
    let mut next = || fields.next().unwrap_or_default();
    if let Some((time, ..)) = stamp(next(), raw) {
        event.set(field::TIMESTAMP, time);
    }
    let set_extra = |event: &mut Event<'r>, name: &'static str, value: &'r str| {
        if !value.is_empty() {
            event.set_extra(PREFIX, name, value);
        }
    };
    set_extra(event, "gid", next());
    event.set_present(field::RULE_ID, next());
    set_extra(event, "rev", next());
    event.set_present(field::RULE_NAME, next());
    vendor::protocol(event, next());
    let port = |event: &mut Event<'r>, field: Field, value: &str| event.set_int(field, value);
    ecs::source(event, next());
    let _ = port(event, field::SOURCE_PORT, next());
    ecs::destination(event, next());
    let _ = port(event, field::DESTINATION_PORT, next());
    let first = next();
    if !first.contains(':') {
        set_extra(event, "id", first);
        event.set_present(field::RULE_CATEGORY, next());
        event.set_int(field::EVENT_SEVERITY, next());
        set_extra(event, "event_type", next());
        let verdict = next();
        event.set_present(field::EVENT_ACTION, verdict);
        event.set(field::EVENT_TYPE, if vendor::is_allowed(verdict) { "allowed" } else { "denied" });
        return;
    }
    event.set(field::SOURCE_MAC, vendor::mac(event, first));
    event.set(field::DESTINATION_MAC, vendor::mac(event, next()));
    for name in [
        "eth_len",
        "tcp_flags",
        "tcp_seq",
        "tcp_ack",
        "tcp_len",
        "tcp_window",
        "ttl",
        "tos",
        "id",
        "dgm_len",
        "ip_len",
        "icmp_type",
        "icmp_code",
        "icmp_id",
        "icmp_seq",
    ] {
        set_extra(event, name, next());
    }
    event.set(field::EVENT_ACTION, "alert");
}

fn alert_json<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) -> bool {
    let mut notes = Notes::<4>::default();
    if json::object(text).is_none() || !vendor::json(raw, event, text, PREFIX, &KEYS, &mut notes) {
        return false;
    }
    match (stamp(notes.get(1), raw), time::epoch(notes.get(2))) {
        (Some((time, ..)), None) => event.set(field::TIMESTAMP, time),
        (read, Some(seconds)) => {
            // `seconds` has the year, `timestamp` the fraction.
            let fraction = match read {
                Some((Value::Time(moment), ..)) => moment.rem_euclid(1_000_000),
                _ => 0,
            };
            event.set(field::TIMESTAMP, Value::Time(seconds + fraction));
        }
        _ => {}
    }
    let service = notes.get(3);
    if !matches!(service, "" | "unknown") {
        event.set(field::NETWORK_PROTOCOL, text::lower(event, service));
    }
    let action = notes.get(0);
    event.set_present(field::EVENT_ACTION, action);
    event.set(field::EVENT_TYPE, if action.is_empty() || vendor::is_allowed(action) { "allowed" } else { "denied" });
    true
}
