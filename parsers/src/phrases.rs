//! Sentences that devices write, as data: `user * logged in from * via *` with what its blanks mean and what the event is.
//!
//! A blank (`*`) takes the shortest text up to the words behind it; the last one takes the rest. The full stop of the sentence
//! is left out of names and addresses. A sentence that is in no table stays what it is: the message. Matching allocates nothing.

use event::{Event, RawRecord, field};

use crate::{
    ecs,
    vendor::{self, Means, Notes},
};

/// What kind of event a sentence tells of.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    pub categories: &'static [&'static str],
    pub types: &'static [&'static str],
    /// Empty when the sentence does not decide it.
    pub action: &'static str,
    pub outcome: &'static str,
}

impl Class {
    pub const fn new(
        categories: &'static [&'static str],
        types: &'static [&'static str],
        action: &'static str,
        outcome: &'static str,
    ) -> Self {
        Self { categories, types, action, outcome }
    }
}

pub const LOGIN: Class = Class::new(&["authentication", "session"], &["start"], "login", "success");
pub const LOGIN_FAILED: Class = Class::new(&["authentication"], &["start"], "login", "failure");
pub const LOGOUT: Class = Class::new(&["authentication", "session"], &["end"], "logout", "success");
pub const CONFIGURED: Class = Class::new(&["configuration"], &["change"], "configuration-changed", "success");
pub const COMMAND: Class = Class::new(&["process", "configuration"], &["start"], "command", "");
pub const CONNECTED: Class = Class::new(&["network"], &["connection", "start"], "connected", "success");
pub const DISCONNECTED: Class = Class::new(&["network"], &["connection", "end"], "disconnected", "");
pub const NETWORK: Class = Class::new(&["network"], &["info"], "", "");
pub const DEVICE: Class = Class::new(&["host"], &["info"], "", "");
pub const USER_ADDED: Class = Class::new(&["iam"], &["user", "creation"], "user-added", "success");
pub const USER_REMOVED: Class = Class::new(&["iam"], &["user", "deletion"], "user-removed", "success");
pub const USER_CHANGED: Class = Class::new(&["iam"], &["user", "change"], "user-changed", "success");

/// One sentence.
#[derive(Clone, Copy, Debug)]
pub struct Phrase {
    /// Words and blanks; at most [`BLANKS_MAX`] blanks.
    pub text: &'static str,
    /// One meaning for each blank; `None` for a blank that says nothing.
    pub means: &'static [Option<Means>],
    pub class: Class,
}

/// Blanks that one phrase may have.
pub const BLANKS_MAX: usize = 12;

/// Sets the fields of the first phrase that the message is; returns false when it is none of them.
pub fn read<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, table: &[Phrase], message: &'r str) -> bool {
    let mut blanks = [""; BLANKS_MAX];
    for phrase in table {
        let Some(count) = fill(phrase.text, message, &mut blanks) else { continue };
        let mut notes = Notes::<0>::default();
        for (means, value) in phrase.means.iter().zip(&blanks[..count]) {
            if let Some(means) = means {
                vendor::set(raw, event, *means, unquoted(ended(*means, value)), &mut notes);
            }
        }
        classify(event, &phrase.class);
        return true;
    }
    false
}

/// Sets kind, categories, types, action and outcome.
pub fn classify(event: &mut Event<'_>, class: &Class) {
    ecs::classify(event, class.categories, class.types);
    if !class.action.is_empty() {
        event.set(field::EVENT_ACTION, class.action);
    }
    if !class.outcome.is_empty() {
        event.set(field::EVENT_OUTCOME, class.outcome);
    }
}

/// The full stop of the sentence belongs to no name and no address.
fn ended(means: Means, value: &str) -> &str {
    match means {
        Means::Text(_) | Means::Name(_) => value,
        _ => value.trim_end().strip_suffix(['.', ',', ';']).unwrap_or(value),
    }
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let inside = |quote: char| value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
    inside('\'').or_else(|| inside('"')).unwrap_or(value)
}

/// Fills the blanks of a pattern from a text; `None` when the text is not of that pattern. Returns the number of blanks.
pub fn fill<'r>(pattern: &str, text: &'r str, blanks: &mut [&'r str]) -> Option<usize> {
    let mut parts = pattern.split('*');
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut count = 0;
    let mut part = parts.next();
    while let Some(words) = part {
        part = parts.next();
        let slot = blanks.get_mut(count)?;
        count += 1;
        if words.is_empty() && part.is_none() {
            *slot = rest;
            break;
        }
        let at = crate::text::find(rest.as_bytes(), words.as_bytes())?;
        *slot = &rest[..at];
        rest = &rest[at + words.len()..];
    }
    // What follows the last words may be anything: devices append codes and counters.
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled<'t>(pattern: &str, text: &'t str) -> Option<Vec<&'t str>> {
        let mut blanks = [""; BLANKS_MAX];
        let count = fill(pattern, text, &mut blanks)?;
        Some(blanks[..count].to_vec())
    }

    #[test]
    fn blanks() {
        assert_eq!(filled("user * from * via *", "user an from 192.0.2.1 via ssh."), Some(vec!["an", "192.0.2.1", "ssh."]));
        assert_eq!(filled("user * out", "user an out, 3 s"), Some(vec!["an"]));
        assert_eq!(filled("* out", "an out"), Some(vec!["an"]));
        assert_eq!(filled("all", "all of it"), Some(vec![]));
        assert_eq!(filled("user * from *", "user an"), None);
        assert_eq!(filled("user *", "users"), None);
        assert_eq!(filled("*", "é"), Some(vec!["é"]));
    }
}
