//! su of shadow-utils and util-linux.
//!
//! Reference: the log calls of shadow `su.c` (`+ pts/0 an:root`, `FAILED su for root by an`) and util-linux `su-common.c`
//! (`(to root) an on pts/0`).

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    linux::{self, act, pam},
};

pub struct Su;

impl Parser for Su {
    fn name(&self) -> &'static str {
        "su"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["su", "su-l", "runuser", "runuser-l"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        linux::starts_with_any(raw, &["Successful su for ", "FAILED su for ", "FAILED SU (to "])
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let message = linux::begin(raw, event, "su");
        if !pam::read(event, message) && !switch(event, message) {
            act(event, "su_message", &[], &["info"], None);
        }
        Outcome::Parsed
    }
}

fn switch<'r>(event: &mut Event<'r>, message: &'r str) -> bool {
    if let Some(rest) = message.strip_prefix("Successful su for ") {
        by(event, rest);
        switched(event, true);
    } else if let Some(rest) = message.strip_prefix("FAILED su for ") {
        by(event, rest);
        switched(event, false);
    } else if let Some(rest) = message.strip_prefix("FAILED SU (to ") {
        to_on(event, rest);
        switched(event, false);
    } else if let Some(rest) = message.strip_prefix("(to ") {
        to_on(event, rest);
        switched(event, true);
    } else if let Some(rest) = message.strip_prefix("+ ") {
        tty_pair(event, rest);
        switched(event, true);
    } else if let Some(rest) = message.strip_prefix("- ") {
        tty_pair(event, rest);
        switched(event, false);
    } else {
        return false;
    }
    true
}

fn switched(event: &mut Event<'_>, is_success: bool) {
    let outcome = if is_success { "success" } else { "failure" };
    act(event, "su", &["authentication", "session"], if is_success { &["start"] } else { &["info"] }, Some(outcome));
}

/// `root by an`.
fn by<'r>(event: &mut Event<'r>, text: &'r str) {
    let (target, user) = text.split_once(" by ").unwrap_or((text, ""));
    ecs::user(event, field::USER_NAME, user);
    ecs::user(event, field::USER_EFFECTIVE_NAME, target);
}

/// `root) an on pts/0`.
fn to_on<'r>(event: &mut Event<'r>, text: &'r str) {
    let (target, rest) = text.split_once(") ").unwrap_or((text, ""));
    let (user, tty) = rest.rsplit_once(" on ").unwrap_or((rest, ""));
    ecs::user(event, field::USER_NAME, user);
    ecs::user(event, field::USER_EFFECTIVE_NAME, target);
    event.set_present(field::PROCESS_TTY_NAME, tty);
}

/// `/dev/pts/0 an:root`, `??? an-root` (older releases write a minus).
fn tty_pair<'r>(event: &mut Event<'r>, text: &'r str) {
    let (tty, users) = text.rsplit_once(' ').unwrap_or(("", text));
    let (user, target) = users.split_once(':').or_else(|| users.split_once('-')).unwrap_or((users, ""));
    event.set_present(field::PROCESS_TTY_NAME, tty);
    ecs::user(event, field::USER_NAME, user);
    ecs::user(event, field::USER_EFFECTIVE_NAME, target);
}
