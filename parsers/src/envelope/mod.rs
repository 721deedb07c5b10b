//! Envelopes: what a transport writes around a message. RFC 5424 and RFC 3164 (BSD) with its many breaks, heads of network
//! devices, container runtimes, the journal, GELF.
//!
//! An envelope never rejects a record: what it cannot read belongs to the payload. It is opened before the payload's format
//! is known, so it must not claim the head of a line that merely begins with a date: without PRI a BSD or ISO stamp counts
//! only in the shapes that syslog daemons write to files.
//!
//! Relays put one envelope into another: at most [`NESTED_MAX`] are opened, and what the inner one says wins.

mod cisco;
mod container;
mod pri;
mod rfc3164;
mod rfc5424;

use event::{Event, RawRecord};

/// Envelopes inside envelopes that are opened.
const NESTED_MAX: usize = 3;

/// What an envelope leaves for the payload's parser.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'r> {
    pub payload: &'r str,
    /// Program that wrote the message (APP-NAME or tag), as written.
    pub program: Option<&'r str>,
    /// False when the record has no envelope: the payload is the whole text.
    pub is_some: bool,
}

/// Takes off what frames leave at the ends: line ends, NUL, byte order mark.
pub fn trim(text: &str) -> &str {
    text.trim_start_matches(['\u{feff}', '\n', '\r', '\0']).trim_end_matches(['\n', '\r', '\0', ' ', '\t'])
}

/// Opens the envelope, and those inside it, and sets their fields.
pub fn open<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) -> Envelope<'r> {
    let mut envelope = one(raw, event);
    for _ in 1..NESTED_MAX {
        if !envelope.is_some || !is_envelope(raw, envelope) {
            break;
        }
        let inner = one(raw.with_text(envelope.payload.trim_start_matches(' ')), event);
        if !inner.is_some {
            break;
        }
        envelope = Envelope { program: inner.program.or(envelope.program), ..inner };
    }
    envelope
}

/// Says whether a payload begins with another envelope: a PRI, or a second stamp in a message without a program.
fn is_envelope(raw: RawRecord<'_>, envelope: Envelope<'_>) -> bool {
    let text = envelope.payload.trim_start_matches(' ');
    match text.as_bytes().first() {
        Some(b'<') => pri::read(text).0.is_some(),
        Some(b'A'..=b'Z') => envelope.program.is_none() && rfc3164::stamp(raw, text).is_some(),
        _ => false,
    }
}

fn one<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) -> Envelope<'r> {
    let text = raw.text();
    let (pri, rest) = pri::read(text);
    if pri.is_none() {
        if let Some(envelope) = container::open(raw, event) {
            return envelope;
        }
        if text.starts_with(['{', '[']) {
            return Envelope { payload: text, program: None, is_some: false };
        }
    }
    if let Some(pri) = pri {
        pri::set(event, pri);
    }
    let (has_pri, rest) = match pri::skip_broken(rest) {
        Some(after) if pri.is_none() => {
            event.problem("the PRI is out of range");
            (true, after)
        }
        _ => (pri.is_some(), rest),
    };
    // `<13> 2026-…`, `<13>: …`: blanks and colons that belong to nothing.
    let rest = if has_pri { rest.trim_start_matches([' ', '\t']) } else { rest };
    rfc5424::open(raw, rest, has_pri, event)
        .or_else(|| cisco::open(raw, rest, event))
        .unwrap_or_else(|| rfc3164::open(raw, rest, has_pri, event))
}

/// Heads of formats that stand directly behind a stamp or a host: never a host or a tag themselves.
fn is_payload(text: &str) -> bool {
    let b = text.as_bytes();
    match b.first() {
        Some(b'{') => true,
        Some(b'%') => cisco::is_marker(b),
        Some(b'C') => text.starts_with("CEF:") || text.starts_with("CISE_"),
        Some(b'L') => text.starts_with("LEEF:"),
        Some(b'd' | b'l' | b't') => text.starts_with("date=") || text.starts_with("logver=") || text.starts_with("timestamp="),
        // Rows of comma-separated values (`1,2026/11/23 10:00:00,0123…,TRAFFIC,…`).
        Some(b'0'..=b'9') => crate::text::digits(text).1.starts_with(','),
        _ => false,
    }
}
