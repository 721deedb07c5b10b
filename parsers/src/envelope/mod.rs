//! Envelopes: what a transport writes around a message. RFC 5424 and RFC 3164 (BSD) with its many breaks.
//!
//! An envelope never rejects a record: what it cannot read belongs to the payload. It is opened before the payload's format
//! is known, so it must not claim the head of a line that merely begins with a date: without PRI a BSD or ISO stamp counts
//! only in the shapes that syslog daemons write to files.

mod pri;
mod rfc3164;
mod rfc5424;

use event::{Event, RawRecord};

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

/// Opens the envelope, if there is one, and sets its fields.
pub fn open<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) -> Envelope<'r> {
    let text = raw.text();
    let (pri, rest) = pri::read(text);
    if pri.is_none() && text.starts_with(['{', '[']) {
        return Envelope { payload: text, program: None, is_some: false };
    }
    if let Some(pri) = pri {
        pri::set(event, pri);
        if let Some(envelope) = rfc5424::open(raw, rest, event) {
            return envelope;
        }
    }
    let (has_pri, rest) = match pri::skip_broken(rest) {
        Some(after) if pri.is_none() => {
            event.problem("the PRI is out of range");
            (true, after)
        }
        _ => (pri.is_some(), rest),
    };
    rfc3164::open(raw, rest, has_pri, event)
}
