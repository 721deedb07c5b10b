//! Legal holds: what must not be deleted, whatever the rules say, until somebody releases it.
//!
//! A hold names a system (or all), a log class (or all) and a span of `event.ingested`. It is a row of the catalogue that is
//! never removed: a released hold says who released it and why. Placing, releasing and retention take turns in the store, so
//! once [`crate::Store::place_hold`] has returned, nothing that it covers goes any more.
//!
//! Segments go whole, so one held row keeps its whole segment. A hold of a system also covers rows of unknown senders: a sender
//! that is adopted later belongs to the system from then on, and its rows must still be there.
//!
//! Not here: who may place one (that is the caller's), and the audit event about it.

use event::{Micros, UNASSIGNED};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, SystemClass};

/// Characters of a reason, a name or a system.
const TEXT_MAX: usize = 1_000;
/// Holds in force at once: each is compared with every part of every segment.
pub(crate) const HOLDS_MAX: usize = 10_000;

/// What is to be held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewHold {
    /// `None` is every system.
    pub system: Option<String>,
    /// `None` is every log class.
    pub class: Option<String>,
    /// First `event.ingested`, in microseconds; `None` is the beginning.
    pub from: Option<Micros>,
    /// Last `event.ingested`; `None` covers what is still to come.
    pub to: Option<Micros>,
    pub reason: String,
    /// Who places it.
    pub placed_by: String,
}

/// A hold as the catalogue keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub id: u64,
    pub system: Option<String>,
    pub class: Option<String>,
    pub from: Option<Micros>,
    pub to: Option<Micros>,
    pub reason: String,
    pub placed_by: String,
    pub placed_at: Micros,
    /// `None` while it is in force.
    pub released: Option<Release>,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    pub at: Micros,
    pub by: String,
    pub reason: String,
}

impl NewHold {
    /// Trims the texts and refuses what says nothing or too much.
    pub(crate) fn checked(self) -> Result<Self> {
        let part = |name, value: Option<String>| value.map(|value| text(name, &value)).transpose();
        let checked = Self {
            system: part("system", self.system)?,
            class: part("class", self.class)?,
            reason: text("reason", &self.reason)?,
            placed_by: text("name of who places it", &self.placed_by)?,
            ..self
        };
        if checked.from.zip(checked.to).is_some_and(|(from, to)| from > to) {
            return Err(Error::Hold("the span ends before it begins".into()));
        }
        Ok(checked)
    }
}

impl Release {
    pub(crate) fn checked(self) -> Result<Self> {
        Ok(Self { by: text("name of who releases it", &self.by)?, reason: text("reason", &self.reason)?, ..self })
    }
}

impl Hold {
    pub fn is_in_force(&self) -> bool {
        self.released.is_none()
    }

    /// True when some row of the part is, or may be, under this hold.
    pub fn covers(&self, part: &SystemClass) -> bool {
        let (first, last) = part.ingested;
        self.system.as_deref().is_none_or(|system| system == part.system || part.system == UNASSIGNED)
            && self.class.as_deref().is_none_or(|class| class == part.class)
            && self.from.is_none_or(|from| last >= from)
            && self.to.is_none_or(|to| first <= to)
    }
}

fn text(what: &str, value: &str) -> Result<String> {
    let value = value.trim();
    let length = value.chars().count();
    match length {
        0 => Err(Error::Hold(format!("the {what} is empty"))),
        1..=TEXT_MAX if !value.chars().any(|char| char.is_control() && char != '\n') => Ok(value.to_owned()),
        1..=TEXT_MAX => Err(Error::Hold(format!("the {what} has control characters"))),
        _ => Err(Error::Hold(format!("the {what} has {length} characters, at most {TEXT_MAX} are kept"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(system: Option<&str>, class: Option<&str>, from: Option<Micros>, to: Option<Micros>) -> Hold {
        let (system, class) = (system.map(str::to_owned), class.map(str::to_owned));
        Hold { id: 1, system, class, from, to, reason: "r".into(), placed_by: "p".into(), placed_at: 0, released: None }
    }

    fn part(system: &str, class: &str, ingested: (Micros, Micros)) -> SystemClass {
        SystemClass { system: system.into(), class: class.into(), rows: 1, ingested }
    }

    #[test]
    fn a_part_is_covered_when_one_row_may_be() {
        let inside = part("dvc", "sshd.auth", (10, 20));
        assert!(hold(None, None, None, None).covers(&inside));
        assert!(hold(Some("dvc"), Some("sshd.auth"), Some(20), Some(30)).covers(&inside), "the last row is the first held");
        assert!(hold(Some("dvc"), None, None, Some(10)).covers(&inside), "the first row is the last held");
        assert!(!hold(None, None, Some(21), None).covers(&inside) && !hold(None, None, None, Some(9)).covers(&inside));
        assert!(!hold(Some("mail"), None, None, None).covers(&inside) && !hold(None, Some("other"), None, None).covers(&inside));
    }

    #[test]
    fn rows_of_unknown_senders_may_be_the_systems_tomorrow() {
        assert!(hold(Some("dvc"), None, None, None).covers(&part(UNASSIGNED, "sshd.auth", (0, 1))));
        assert!(!hold(Some("dvc"), Some("x"), None, None).covers(&part(UNASSIGNED, "sshd.auth", (0, 1))));
    }

    #[test]
    fn a_hold_without_a_reason_or_with_a_span_turned_round_is_refused() {
        let good = NewHold { reason: " case 12 ".into(), placed_by: "lan".into(), ..NewHold::default() };
        assert_eq!(good.clone().checked().unwrap().reason, "case 12");
        let bad = |hold: NewHold| hold.checked().unwrap_err().to_string();
        assert_eq!(bad(NewHold { reason: "  ".into(), ..good.clone() }), "the hold is not valid: the reason is empty");
        assert_eq!(
            bad(NewHold { from: Some(2), to: Some(1), ..good.clone() }),
            "the hold is not valid: the span ends before it begins"
        );
        assert!(bad(NewHold { system: Some("x".repeat(1_001)), ..good.clone() }).contains("1001 characters"));
        assert!(bad(NewHold { reason: "a\u{1b}[2J".into(), ..good }).contains("control characters"));
    }
}
