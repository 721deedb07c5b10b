//! Synology NAS (DSM 6 and 7): connection log, file transfer log and account changes.
//!
//! Reference: Synology, DSM help, "Log Center" (log types, sending logs), "Auto block". The names of accounts, addresses and
//! services stand in brackets.

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    phrases::{self, Class, LOGIN, LOGIN_FAILED, LOGOUT, Phrase, USER_ADDED, USER_CHANGED, USER_REMOVED},
    text,
    vendor::{self, Means},
};

pub struct Synology;

const USER: Option<Means> = Some(Means::Account(field::USER_NAME));
const FROM: Option<Means> = Some(Means::Peer(field::SOURCE_IP, field::SOURCE_ADDRESS));
const SERVICE: Option<Means> = Some(Means::Text(field::SERVICE_NAME));
const REASON: Option<Means> = Some(Means::Text(field::EVENT_REASON));
const TARGET: Option<Means> = Some(Means::User(field::USER_TARGET_NAME));
const BLOCKED: Class = Class::new(&["intrusion_detection", "network"], &["denied"], "host-blocked", "success");

const PHRASES: &[Phrase] = &[
    Phrase {
        text: "User [*] from [*] failed to sign in to [*] via [*] due to *",
        means: &[USER, FROM, SERVICE, None, REASON],
        class: LOGIN_FAILED,
    },
    Phrase {
        text: "User [*] from [*] failed to log in via [*] due to *",
        means: &[USER, FROM, SERVICE, REASON],
        class: LOGIN_FAILED,
    },
    Phrase { text: "User [*] from [*] failed to sign in", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "User [*] from [*] signed in to [*] successfully", means: &[USER, FROM, SERVICE], class: LOGIN },
    Phrase { text: "User [*] from [*] logged in successfully via [*]", means: &[USER, FROM, SERVICE], class: LOGIN },
    Phrase {
        text: "User [*] from [*] via [*] accessed shared folder [*]",
        means: &[USER, FROM, SERVICE, Some(Means::Text(field::FILE_PATH))],
        class: Class::new(&["file"], &["access"], "accessed-shared-folder", "success"),
    },
    Phrase { text: "User [*] from [*] signed out", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "User [*] from [*] logged out", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "User [*] logged out from [*]", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "Host [*] was blocked via [*]", means: &[FROM, SERVICE], class: BLOCKED },
    Phrase { text: "IP address [*] * has been blocked", means: &[FROM, None], class: BLOCKED },
    Phrase { text: "User [*] was created", means: &[TARGET], class: USER_ADDED },
    Phrase { text: "User [*] was deleted", means: &[TARGET], class: USER_REMOVED },
    Phrase { text: "User [*]'s password was changed", means: &[TARGET], class: USER_CHANGED },
    Phrase { text: "System successfully added user [*]", means: &[TARGET], class: USER_ADDED },
];

impl Parser for Synology {
    fn name(&self) -> &'static str {
        "synology"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["Connection", "WinFileService", "FTP", "SYNOSyslog", "System", "FileStation", "WebDAV"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = sentence(raw.text());
        Sniff::yes_if(
            (text.starts_with("User [") && text.contains("] from ["))
                || text.starts_with("Host [") && text.contains("] was blocked via [")
                || transfer(text).is_some(),
        )
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = sentence(raw.text());
        event.set(field::MESSAGE, raw.text());
        if let Some(values) = transfer(text) {
            file(event, values);
        } else if !phrases::read(raw, event, PHRASES, text) {
            return Outcome::Unreadable("no Synology message");
        }
        event.set_dataset("synology.dsm");
        vendor::device(event, "Synology", "DSM", "nas");
        vendor::conclude(event);
        Outcome::Parsed
    }
}

/// `SYSTEM: `, `an: ` or the log's name may stand before the sentence.
fn sentence(text: &str) -> &str {
    let near = &text.as_bytes()[..text.len().min(76)];
    let marks = ["User [", "Host [", "IP address [", "Event: "];
    marks
        .iter()
        .filter_map(|mark| crate::text::find(near, mark.as_bytes()))
        .min()
        .filter(|at| *at <= 64)
        .map_or(text, |at| &text[at..])
}

/// `Event: read, Path: /share/a, File/Folder: File, Size: 1.2 KB, User: an, IP: 192.0.2.3`, read from behind: a path may hold
/// commas.
fn transfer(text: &str) -> Option<[&str; 5]> {
    let rest = text.strip_prefix("Event: ")?;
    let (event, rest) = rest.split_once(", Path: ")?;
    let (rest, ip) = rest.rsplit_once(", IP: ")?;
    let (rest, user) = rest.rsplit_once(", User: ")?;
    let (rest, size) = rest.rsplit_once(", Size: ").unwrap_or((rest, ""));
    let path = rest.rsplit_once(", File/Folder: ").map_or(rest, |(path, _)| path);
    Some([event, path, size, user, ip])
}

fn file<'r>(event: &mut Event<'r>, [action, path, size, user, ip]: [&'r str; 5]) {
    let kind = match action {
        "read" | "download" | "view" | "property" => "access",
        "create" | "write" | "upload" | "mkdir" | "copy" => "creation",
        "delete" | "rmdir" => "deletion",
        _ => "change",
    };
    ecs::classify(event, &["file"], &[kind]);
    event.set(field::EVENT_ACTION, action);
    vendor::file(event, path);
    vendor::account(event, field::USER_NAME, user);
    ecs::source(event, ip.trim_end_matches('.'));
    if let Some((number, unit)) = size.split_once(' ')
        && let Ok(number) = number.parse::<f64>()
    {
        let scale = match text::lower(event, unit) {
            "kb" => 1024.0,
            "mb" => 1_048_576.0,
            "gb" => 1_073_741_824.0,
            _ => 1.0,
        };
        event.set(field::FILE_SIZE, (number * scale) as i64);
    }
}
