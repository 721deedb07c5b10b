//! sudo: `an : TTY=pts/0 ; PWD=/home/an ; USER=root ; COMMAND=/usr/bin/id`.
//!
//! Reference: sudoers(5), "LOG FORMAT": accepted commands, denied ones with their reason before `TTY=`, and parse errors.

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    linux::{self, act, pam},
    text,
};

pub struct Sudo;

impl Parser for Sudo {
    fn name(&self) -> &'static str {
        "sudo"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["sudo", "sudoedit"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        let has = |word: &[u8]| crate::text::find(text.as_bytes(), word).is_some();
        Sniff::yes_if(has(b" ; COMMAND=") && has(b" : ") && (has(b"TTY=") || has(b"PWD=")))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let message = linux::begin(raw, event, "sudo");
        if !pam::read(event, message) && !command(event, message) {
            act(event, "sudo_message", &[], &["info"], None);
        }
        Outcome::Parsed
    }
}

fn command<'r>(event: &mut Event<'r>, message: &'r str) -> bool {
    let Some((user, rest)) = message.split_once(" : ") else { return false };
    let user = user.trim();
    if user.is_empty() || user.contains(' ') {
        return false;
    }
    ecs::user(event, field::USER_NAME, user);
    let reason = settings(event, rest);
    match reason {
        None => act(event, "sudo_command", &["process"], &["start"], Some("success")),
        Some(reason) => {
            event.set(field::EVENT_REASON, reason);
            act(event, "sudo_denied", &["process", "authentication"], &["denied"], Some("failure"));
        }
    }
    true
}

/// Reads `KEY=value ; …`; what has no key is the reason of a refusal. COMMAND comes last and may hold ` ; ` itself.
fn settings<'r>(event: &mut Event<'r>, text: &'r str) -> Option<&'r str> {
    let mut rest = text;
    let mut reason = None;
    while !rest.is_empty() {
        if let Some(command) = rest.strip_prefix("COMMAND=") {
            set_command(event, command);
            break;
        }
        let (part, after) = rest.split_once(" ; ").unwrap_or((rest, ""));
        rest = after.trim_start_matches(' ');
        match part.split_once('=') {
            Some(("TTY", tty)) => event.set(field::PROCESS_TTY_NAME, tty),
            Some(("PWD", directory)) => event.set(field::PROCESS_WORKING_DIRECTORY, directory),
            Some(("USER", user)) => {
                ecs::user(event, field::USER_EFFECTIVE_NAME, user.trim_start_matches('#'));
            }
            Some(("GROUP", group)) => event.set(field::GROUP_NAME, group),
            Some((key @ ("HOST" | "CHROOT" | "TSID" | "ENV" | "EXIT" | "SIGNAL"), value)) => {
                event.set_extra("sudo.", key, value);
            }
            _ if reason.is_none() => reason = Some(part),
            _ => {}
        }
    }
    reason
}

fn set_command<'r>(event: &mut Event<'r>, command: &'r str) {
    if command == "list" || command.starts_with("list ") {
        event.set(field::PROCESS_COMMAND_LINE, command);
        return;
    }
    event.set(field::PROCESS_COMMAND_LINE, command);
    let (program, _) = text::word(command);
    if program.starts_with('/') {
        event.set(field::PROCESS_EXECUTABLE, program);
        // The tag named sudo itself; the process that this event is about is the command.
        event.set(field::PROCESS_NAME, text::file_name(program));
    }
}
