//! QNAP NAS (QTS): connection and event log of `qulogd`.
//!
//! Reference: QNAP, "QuLog Center" (event log, access log, sending logs to a syslog server).
//!
//! `conn log: Users: an, Source IP: 192.0.2.5, Computer name: pc1, Connection type: Samba, Accessed resources: a/b, Action: Read`;
//! a value ends where the next known name begins, because paths hold commas.

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    phrases::{self, Class, Phrase},
    text,
    vendor::{self, Means},
};

const PREFIX: &str = "qnap.";

pub struct Qnap;

const TARGET: Option<Means> = Some(Means::User(field::USER_TARGET_NAME));
const GROUP: Option<Means> = Some(Means::Text(field::GROUP_NAME));
const PATH: Option<Means> = Some(Means::Text(field::FILE_PATH));

const fn iam(types: &'static [&'static str], action: &'static str, outcome: &'static str) -> Class {
    Class::new(&["iam"], types, action, outcome)
}

/// What `Content` says behind the name of its application.
const CONTENTS: &[Phrase] = &[
    Phrase {
        text: "Created shared folder \"*\"",
        means: &[PATH],
        class: Class::new(&["file"], &["creation"], "created-shared-folder", ""),
    },
    Phrase {
        text: "Deleted shared folder \"*\"",
        means: &[PATH],
        class: Class::new(&["file"], &["deletion"], "deleted-shared-folder", ""),
    },
    Phrase {
        text: "Edited shared folder \"*\"",
        means: &[PATH],
        class: Class::new(&["file"], &["change"], "edited-shared-folder", ""),
    },
    Phrase { text: "Created user group \"*\"", means: &[GROUP], class: iam(&["group", "creation"], "created-user-group", "") },
    Phrase { text: "Deleted user group \"*\"", means: &[GROUP], class: iam(&["group", "deletion"], "deleted-user-group", "") },
    Phrase { text: "Edited user group \"*\"", means: &[GROUP], class: iam(&["group", "change"], "edited-user-group", "") },
    Phrase { text: "Created user \"*\"", means: &[TARGET], class: iam(&["user", "creation"], "created-user", "") },
    Phrase { text: "Deleted user \"*\"", means: &[TARGET], class: iam(&["user", "deletion"], "deleted-user", "") },
    Phrase {
        text: "Changed the password of user \"*\"",
        means: &[TARGET],
        class: iam(&["user", "change"], "changed-password", "success"),
    },
    Phrase {
        text: "Edited the account profile of user \"*\"",
        means: &[TARGET],
        class: iam(&["user", "change"], "edited-account-profile", "success"),
    },
    Phrase {
        text: "Edited the * of user \"*\"",
        means: &[None, TARGET],
        class: iam(&["user", "change"], "edited-user", "success"),
    },
    Phrase {
        text: "Added user \"*\" to *group \"*\"",
        means: &[TARGET, None, GROUP],
        class: iam(&["group", "change"], "added-user-to-group", "success"),
    },
    Phrase {
        text: "Removed user \"*\" from *group \"*\"",
        means: &[TARGET, None, GROUP],
        class: iam(&["group", "change"], "removed-user-from-group", "success"),
    },
];

/// Actions of the connection log.
const ACTIONS: &[(&str, Class)] = &[
    ("Login OK", Class::new(&["authentication"], &["start"], "login-ok", "success")),
    ("Login Fail", Class::new(&["authentication"], &["info", "start"], "login-fail", "failure")),
    ("Logout", Class::new(&["authentication"], &["end"], "logout", "success")),
    ("Read", Class::new(&["file"], &["access"], "read", "")),
    ("Write", Class::new(&["file"], &["change"], "write", "")),
    ("Add", Class::new(&["file"], &["creation"], "add", "")),
    ("Create Directory", Class::new(&["file"], &["creation"], "create-directory", "")),
    ("Delete", Class::new(&["file"], &["deletion"], "delete", "")),
    ("Remove Directory", Class::new(&["file"], &["deletion"], "remove-directory", "")),
    ("Rename", Class::new(&["file"], &["change"], "rename", "")),
    ("Move", Class::new(&["file"], &["change"], "move", "")),
    ("Copy", Class::new(&["file"], &["creation"], "copy", "")),
    ("Mount", Class::new(&["file"], &["info"], "mount", "")),
];

const NAMES: [&str; 9] = [
    "Users",
    "Source IP",
    "Computer name",
    "Connection type",
    "Accessed resources",
    "Action",
    "Application",
    "Category",
    "Content",
];

impl Parser for Qnap {
    fn name(&self) -> &'static str {
        "qnap"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["qulogd", "qlogd"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(body(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some((is_access, text)) = body(raw.text()) else {
            return Outcome::Unreadable("no QNAP log");
        };
        event.set_dataset(if is_access { "qnap.access" } else { "qnap.event" });
        vendor::device(event, "QNAP", "NAS", "nas");
        event.set(field::MESSAGE, raw.text());
        let (mut action, mut content, mut application, mut path) = ("", "", "", "");
        let mut rest = text;
        while let Some((name, after)) = NAMES.iter().find_map(|name| Some((*name, rest.strip_prefix(name)?.strip_prefix(':')?))) {
            let end = if name == "Content" { after.len() } else { next_name(after).unwrap_or(after.len()) };
            let value = after[..end].trim();
            rest = after[end..].trim_start_matches([',', ' ']);
            if matches!(value, "" | "---") {
                continue;
            }
            event.set_extra(PREFIX, name, value);
            match name {
                "Users" => ecs::user(event, field::USER_NAME, value),
                // The device's own work is not somebody's.
                "Source IP" if value != "127.0.0.1" => ecs::source(event, value),
                "Computer name" => {
                    event.set(field::SOURCE_DOMAIN, value);
                    event.set(field::RELATED_HOSTS, value);
                }
                "Connection type" => event.set(field::NETWORK_APPLICATION, text::lower(event, value)),
                "Accessed resources" => path = value,
                "Action" => action = value,
                "Application" => application = value,
                "Content" => content = value,
                _ => {}
            }
        }
        if is_access {
            access(event, action, path);
        } else {
            let sentence = content.split_once("] ").map_or(content, |(_, sentence)| sentence);
            event.set_present(field::EVENT_PROVIDER, application);
            if !phrases::read(raw, event, CONTENTS, sentence) {
                ecs::classify(event, &["configuration"], &["change"]);
            }
        }
        Outcome::Parsed
    }
}

fn body(text: &str) -> Option<(bool, &str)> {
    let (is_access, rest) = match text.strip_prefix("conn log: ") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix("event log: ")?),
    };
    rest.starts_with("Users:").then_some((is_access, rest))
}

/// Where `, Name:` begins.
fn next_name(text: &str) -> Option<usize> {
    memchr::memmem::find_iter(text.as_bytes(), b", ")
        .find(|at| NAMES.iter().any(|name| text[at + 2..].strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))))
}

fn access<'r>(event: &mut Event<'r>, action: &'r str, path: &'r str) {
    match ACTIONS.iter().find(|(name, _)| *name == action) {
        Some((_, class)) => phrases::classify(event, class),
        None => {
            ecs::classify(event, &["file"], &["access"]);
            event.set_present(field::EVENT_ACTION, text::lower(event, action));
        }
    }
    if path.is_empty() {
        return;
    }
    event.set(field::FILE_PATH, path);
    let name = text::file_name(path);
    if let Some((stem, extension)) = name.rsplit_once('.')
        && !stem.is_empty()
        && extension.len() <= 10
    {
        event.set(field::FILE_NAME, name);
        event.set(field::FILE_EXTENSION, extension);
    }
}
