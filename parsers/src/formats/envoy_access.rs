//! Envoy access log in its default text format (also Istio, Contour, Envoy Gateway).
//!
//! Reference: Envoy documentation, "Access logging", default format string:
//! `[%START_TIME%] "%METHOD% %PATH% %PROTOCOL%" %CODE% %FLAGS% … "%X-FORWARDED-FOR%" "%USER-AGENT%" "%X-REQUEST-ID%" "%:AUTHORITY%" "%UPSTREAM%"`;
//! Istio writes more words between the flags and the byte counts.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, text, time, web};

const PREFIX: &str = "envoy.access.";

pub struct EnvoyAccess;

impl Parser for EnvoyAccess {
    fn name(&self) -> &'static str {
        "envoy_access"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["envoy", "istio-proxy"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(entry(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(entry) = entry(raw.text()) else { return Outcome::Unreadable("no Envoy access line") };
        event.set_dataset("envoy.access");
        crate::linux::software(event, "Envoy", "Envoy", "envoy");
        ecs::classify(event, &["web"], &["access"]);
        event.set(field::TIMESTAMP, Value::Time(entry.stamp.resolve(raw)));
        web::request(event, entry.request);
        if let Ok(status) = entry.status.parse::<i64>() {
            event.set(field::HTTP_RESPONSE_STATUS_CODE, status);
            event.set(field::EVENT_OUTCOME, if (1..400).contains(&status) { "success" } else { "failure" });
        }
        event.set_extra(PREFIX, "response_flags", entry.flags);
        if let Some([received, sent, duration]) = entry.numbers {
            event.set_int(field::HTTP_REQUEST_BODY_BYTES, received);
            event.set_int(field::HTTP_RESPONSE_BODY_BYTES, sent);
            if let Ok(millis) = duration.parse::<i64>() {
                event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
            }
        }
        let [forwarded, agent, id, authority, upstream] = entry.quoted;
        web::client(event, address(forwarded));
        event.set_present(field::USER_AGENT_ORIGINAL, agent);
        event.set_present(field::HTTP_REQUEST_ID, id);
        web::authority(event, authority);
        if let Some((host, port)) = upstream.rsplit("://").next().and_then(|upstream| upstream.rsplit_once(':')) {
            ecs::destination(event, host);
            event.set_int(field::DESTINATION_PORT, port);
        }
        Outcome::Parsed
    }
}

/// The first of a list; `[address]:port` loses its port.
fn address(list: &str) -> &str {
    let first = list.split(',').next().unwrap_or(list).trim();
    match first.rsplit_once("]:") {
        Some((address, _)) => address.trim_start_matches('['),
        None => first,
    }
}

struct Entry<'r> {
    stamp: time::Stamp,
    request: &'r str,
    status: &'r str,
    flags: &'r str,
    /// Bytes received, bytes sent, duration in milliseconds.
    numbers: Option<[&'r str; 3]>,
    quoted: [&'r str; 5],
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let (stamp, rest) = time::iso(line.strip_prefix('[')?)?;
    let (request, rest) = web::quoted(rest.strip_prefix("] ")?)?;
    let (status, rest) = text::word(rest.strip_prefix(' ')?);
    if status.len() > 3 || !status.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (flags, rest) = text::word(rest);
    let mut quoted = [""; 5];
    let mut numbers = None;
    let mut rest = rest;
    let mut count = 0;
    // Words of Istio stand before the numbers; the five quoted fields come in this order behind them.
    while !rest.is_empty() && count < 5 {
        if let Some((inside, after)) = web::quoted(rest) {
            if numbers.is_some() {
                quoted[count] = inside;
                count += 1;
            }
            rest = after.trim_start_matches(' ');
            continue;
        }
        let mut words = rest.split(' ');
        let three = [words.next()?, words.next().unwrap_or_default(), words.next().unwrap_or_default()];
        if numbers.is_none() && three.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())) {
            numbers = Some(three);
        }
        rest = text::word(rest).1;
    }
    (count >= 4).then_some(Entry { stamp, request, status, flags, numbers, quoted })
}
