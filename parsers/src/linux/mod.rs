//! What the Linux programs' parsers share: PAM messages, quoted names, sessions.

pub mod daemon;
pub mod pam;

use event::{Event, RawRecord, field};

use crate::{Sniff, text};

/// Sets the message, the kind and the module of a message of a Linux program.
pub fn begin<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, dataset: &'static str) -> &'r str {
    event.set_dataset(dataset);
    event.set(field::EVENT_KIND, "event");
    let message = raw.text().trim_start_matches(' ');
    // Solaris and illumos: `[ID 800047 auth.info] …`.
    let message = match message.strip_prefix("[ID ").and_then(|rest| rest.split_once("] ")) {
        Some((id, message)) if id.len() <= 40 => message,
        _ => message,
    };
    event.set_present(field::MESSAGE, message);
    message
}

/// Names the software that wrote a message, and the process where the envelope did not.
pub fn software(event: &mut Event<'_>, vendor: &'static str, product: &'static str, process: &'static str) {
    event.set(field::OBSERVER_VENDOR, vendor);
    event.set(field::OBSERVER_PRODUCT, product);
    event.set(field::OBSERVER_TYPE, "server");
    if !event.has(field::PROCESS_NAME) {
        event.set(field::PROCESS_NAME, process);
    }
}

/// Sniffs by the heads of messages: sure enough even without a program name.
pub fn starts_with_any(raw: RawRecord<'_>, heads: &[&str]) -> Sniff {
    Sniff::yes_if(heads.iter().any(|head| raw.text().starts_with(head)))
}

/// Splits `name(uid=0)` as newer PAM modules write users.
pub fn name_and_id(text: &str) -> (&str, Option<&str>) {
    match text.strip_suffix(')').and_then(|text| text.rsplit_once("(uid=")) {
        Some((name, id)) => (name, Some(id)),
        None => (text, None),
    }
}

/// Takes a name in single quotes at the start.
pub fn quoted_name(text: &str) -> Option<(&str, &str)> {
    text::split(text.strip_prefix(['\'', '`'])?, b'\'')
}

/// Sets the action, types and outcome of an event about authentication or sessions.
pub fn act(
    event: &mut Event<'_>,
    action: &'static str,
    categories: &[&'static str],
    types: &[&'static str],
    outcome: Option<&'static str>,
) {
    event.set(field::EVENT_ACTION, action);
    categories.iter().for_each(|category| event.set(field::EVENT_CATEGORY, *category));
    types.iter().for_each(|kind| event.set(field::EVENT_TYPE, *kind));
    if let Some(outcome) = outcome {
        event.set(field::EVENT_OUTCOME, outcome);
    }
}
