//! Account tools of shadow-utils: useradd, usermod, userdel, groupadd, groupmod, groupdel, gpasswd, passwd, chage, chsh, chfn.
//!
//! Reference: the `SYSLOG` calls of shadow-utils (`useradd.c`, `usermod.c` …), releases 4.1 to 4.17.

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    kv::{Pairs, Separator},
    linux::{self, act, pam, quoted_name},
    text,
};

pub struct Shadow;

impl Parser for Shadow {
    fn name(&self) -> &'static str {
        "shadow"
    }

    fn programs(&self) -> &'static [&'static str] {
        &[
            "useradd", "usermod", "userdel", "adduser", "deluser", "newusers", "groupadd", "groupmod", "groupdel", "addgroup",
            "delgroup", "gpasswd", "passwd", "chpasswd", "chage", "chsh", "chfn", "vipw",
        ]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        linux::starts_with_any(raw, &["new user: name=", "new group: name=", "delete user '", "group added to /etc/group: name="])
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let message = linux::begin(raw, event, "shadow");
        if !pam::read(event, message) && !account(event, message) && !group(event, message) {
            act(event, "account_message", &["iam"], &["info"], None);
        }
        Outcome::Parsed
    }
}

fn iam(event: &mut Event<'_>, action: &'static str, subject: &'static str, change: &'static str) {
    act(event, action, &["iam"], &[subject, change], Some("success"));
}

/// Messages about users.
fn account<'r>(event: &mut Event<'r>, message: &'r str) -> bool {
    if let Some(rest) = message.strip_prefix("new user: ") {
        iam(event, "added-user-account", "user", "creation");
        created(event, rest);
    } else if let Some((user, _)) = message.strip_prefix("delete user ").and_then(quoted_name) {
        iam(event, "deleted-user-account", "user", "deletion");
        ecs::user(event, field::USER_NAME, user);
    } else if let Some((user, rest)) = message.strip_prefix("add ").and_then(quoted_name) {
        membership(event, user, rest, "added-member-to-group");
    } else if let Some((user, rest)) = message.strip_prefix("delete ").and_then(quoted_name) {
        membership(event, user, rest, "removed-member-from-group");
    } else if let Some((user, rest)) = message.strip_prefix("change user name ").and_then(quoted_name) {
        iam(event, "renamed-user-account", "user", "change");
        ecs::user(event, field::USER_NAME, user);
        if let Some((new, _)) = rest.strip_prefix(" to ").and_then(quoted_name) {
            ecs::user(event, field::USER_TARGET_NAME, new);
        }
    } else if let Some((user, rest)) =
        message.strip_prefix("change user ").or_else(|| message.strip_prefix("changed user ")).and_then(quoted_name)
    {
        changed(event, user, rest.trim_start_matches(' '));
    } else if let Some((user, _)) = message.strip_prefix("lock user ").and_then(quoted_name) {
        iam(event, "disabled-user-account", "user", "change");
        ecs::user(event, field::USER_NAME, user);
    } else if let Some((user, _)) = message.strip_prefix("unlock user ").and_then(quoted_name) {
        iam(event, "enabled-user-account", "user", "change");
        ecs::user(event, field::USER_NAME, user);
    } else if let Some((user, rest)) = message.strip_prefix("password for ").and_then(quoted_name) {
        iam(event, "changed-password", "user", "change");
        ecs::user(event, field::USER_TARGET_NAME, user);
        if let Some((by, _)) = rest.strip_prefix(" changed by ").and_then(quoted_name) {
            ecs::user(event, field::USER_NAME, by);
        }
    } else if let Some((user, _)) = message.strip_prefix("failed adding user ").and_then(quoted_name) {
        act(event, "added-user-account", &["iam"], &["user", "creation"], Some("failure"));
        ecs::user(event, field::USER_NAME, user);
    } else if let Some(user) = message.strip_prefix("changed password expiry for ") {
        iam(event, "changed-password-expiry", "user", "change");
        ecs::user(event, field::USER_NAME, user);
    } else {
        return false;
    }
    true
}

/// `name=an, UID=1001, GID=1001, home=/home/an, shell=/bin/bash, from=/dev/pts/0`.
fn created<'r>(event: &mut Event<'r>, text: &'r str) {
    for pair in Pairs::new(text, Separator::Any) {
        let value = pair.raw();
        match pair.key {
            "name" => ecs::user(event, field::USER_NAME, value),
            "UID" => event.set(field::USER_ID, value),
            "GID" => event.set(field::GROUP_ID, value),
            key => event.set_extra("shadow.", key, value),
        }
    }
}

/// `add 'an' to group 'sudo'`, `add 'an' to shadow group 'sudo'`, `delete 'an' from group 'sudo'`.
fn membership<'r>(event: &mut Event<'r>, user: &'r str, rest: &'r str, action: &'static str) {
    act(event, action, &["iam"], &["group", "change"], Some("success"));
    ecs::user(event, field::USER_NAME, user);
    if let Some((_, group)) = rest.split_once("group ") {
        event.set_present(field::GROUP_NAME, quoted_name(group).map_or(group, |(name, _)| name));
    }
}

/// `change user 'an' shell from '/bin/sh' to '/bin/bash'`, `… password`, `… UID from '1001' to '0'`.
fn changed<'r>(event: &mut Event<'r>, user: &'r str, what: &'r str) {
    let action = if what.starts_with("password") { "changed-password" } else { "modified-user-account" };
    iam(event, action, "user", "change");
    ecs::user(event, field::USER_NAME, user);
    let (attribute, rest) = text::word(what);
    event.set_extra("shadow.", "attribute", attribute);
    if let Some((old, rest)) = rest.strip_prefix("from ").and_then(quoted_name) {
        event.set_extra("shadow.", "old", old);
        if let Some((new, _)) = rest.strip_prefix(" to ").and_then(quoted_name) {
            event.set_extra("shadow.", "new", new);
        }
    } else if let Some((new, _)) = rest.strip_prefix("to ").and_then(quoted_name) {
        event.set_extra("shadow.", "new", new);
    }
}

/// Messages about groups.
fn group<'r>(event: &mut Event<'r>, message: &'r str) -> bool {
    let named = |event: &mut Event<'r>, text: &'r str| {
        for pair in Pairs::new(text, Separator::Any) {
            match pair.key {
                "name" => event.set(field::GROUP_NAME, pair.raw()),
                "GID" => event.set(field::GROUP_ID, pair.raw()),
                _ => {}
            }
        }
    };
    if let Some(rest) = message.strip_prefix("new group: ") {
        iam(event, "added-group-account", "group", "creation");
        named(event, rest);
    } else if let Some((_, rest)) = message.strip_prefix("group added to ").and_then(|rest| rest.split_once(": ")) {
        iam(event, "added-group-account", "group", "creation");
        named(event, rest);
    } else if let Some((group, _)) =
        message.strip_prefix("removed group ").or_else(|| message.strip_prefix("removed shadow group ")).and_then(quoted_name)
    {
        iam(event, "deleted-group-account", "group", "deletion");
        event.set(field::GROUP_NAME, group);
    } else if let Some((group, rest)) =
        message.strip_prefix("group ").and_then(quoted_name).filter(|(_, rest)| rest.starts_with(" removed"))
    {
        iam(event, "deleted-group-account", "group", "deletion");
        event.set(field::GROUP_NAME, group);
        debug_assert!(!rest.is_empty());
    } else if message.starts_with("group changed in ") {
        iam(event, "modified-group-account", "group", "change");
        if let Some((_, inside)) = message.split_once("(group ") {
            let (name, rest) = inside.split_once('/').unwrap_or((inside, ""));
            event.set(field::GROUP_NAME, name);
            event.set_present(field::GROUP_ID, text::digits(rest).0);
        }
    } else if let Some(rest) = message.strip_prefix("user ") {
        return by_gpasswd(event, rest);
    } else {
        return false;
    }
    true
}

/// `user an added by root to group sudo`, `user an removed by root from group sudo`.
fn by_gpasswd<'r>(event: &mut Event<'r>, rest: &'r str) -> bool {
    let (user, rest) = text::word(rest);
    let (verb, rest) = text::word(rest);
    let action = match verb {
        "added" => "added-member-to-group",
        "removed" => "removed-member-from-group",
        _ => return false,
    };
    let Some((by, group)) = rest.strip_prefix("by ").and_then(|rest| rest.split_once(" group ")) else { return false };
    act(event, action, &["iam"], &["group", "change"], Some("success"));
    ecs::user(event, field::USER_TARGET_NAME, user);
    ecs::user(event, field::USER_NAME, text::word(by).0);
    event.set(field::GROUP_NAME, group);
    true
}
