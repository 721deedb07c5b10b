//! cron daemons (Vixie cron, cronie, anacron) and crontab: `(root) CMD (run-parts /etc/cron.hourly)`.
//!
//! Reference: the `log_it` calls of Vixie cron and cronie: `(user) WHAT (detail)`; anacron writes sentences.

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    linux::{self, act, pam},
    text,
};

pub struct Cron;

impl Parser for Cron {
    fn name(&self) -> &'static str {
        "cron"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["cron", "CRON", "crond", "CROND", "crontab", "anacron", "run-parts"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(
            entry(raw.text()).is_some_and(|(_, what, _)| matches!(what, "CMD" | "CMDEND" | "CMDOUT" | "BEGIN EDIT" | "END EDIT")),
        )
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let message = linux::begin(raw, event, "cron");
        if pam::read(event, message) {
            return Outcome::Parsed;
        }
        match entry(message) {
            Some((user, what, detail)) => set(event, user, what, detail),
            None => act(event, "cron_message", &[], &["info"], None),
        }
        Outcome::Parsed
    }
}

/// `(user) WHAT (detail)`.
fn entry(message: &str) -> Option<(&str, &str, &str)> {
    let (user, rest) = text::split(message.strip_prefix('(')?, b')')?;
    let (what, detail) = rest.strip_prefix(' ')?.split_once(" (")?;
    Some((user, what, detail.strip_suffix(')').unwrap_or(detail)))
}

fn set<'r>(event: &mut Event<'r>, user: &'r str, what: &'r str, detail: &'r str) {
    // `(CRON)` and `(*system*)` are the daemon's own names.
    if !matches!(user, "CRON" | "cron" | "*system*" | "system") {
        ecs::user(event, field::USER_NAME, user);
    }
    match what {
        "CMD" => {
            act(event, "cron_command", &["process"], &["start"], Some("success"));
            command(event, detail);
        }
        "CMDEND" => {
            act(event, "cron_command_ended", &["process"], &["end"], None);
            command(event, detail);
        }
        "BEGIN EDIT" | "END EDIT" | "REPLACE" | "DELETE" => {
            act(event, crontab_action(what), &["configuration"], &["change"], Some("success"));
            ecs::user(event, field::USER_TARGET_NAME, detail);
        }
        "LIST" => {
            act(event, "crontab_listed", &["configuration"], &["access"], Some("success"));
            ecs::user(event, field::USER_TARGET_NAME, detail);
        }
        "AUTH" => {
            act(event, "crontab_refused", &["configuration"], &["denied"], Some("failure"));
            event.set(field::EVENT_REASON, detail);
        }
        "RELOAD" => {
            act(event, "cron_reload", &["configuration"], &["info"], None);
            event.set(field::FILE_PATH, detail);
        }
        _ => act(event, "cron_message", &[], &["info"], None),
    }
    event.set_extra("cron.", "what", what);
}

fn crontab_action(what: &str) -> &'static str {
    match what {
        "BEGIN EDIT" => "crontab_edit_begun",
        "END EDIT" => "crontab_edit_ended",
        "REPLACE" => "crontab_replaced",
        _ => "crontab_deleted",
    }
}

/// The command line; cronie and Vixie cron put blanks around some of them.
fn command<'r>(event: &mut Event<'r>, detail: &'r str) {
    let command = detail.trim();
    event.set_present(field::PROCESS_COMMAND_LINE, command);
    let (program, _) = text::word(command);
    if program.starts_with('/') {
        event.set(field::PROCESS_EXECUTABLE, program);
    }
}
