//! Messages of PAM modules, which any program may log: `pam_unix(sshd:auth): authentication failure; … user=root`.
//!
//! Reference: the modules' manual pages in Linux-PAM (pam_unix, pam_faillock, pam_succeed_if, pam_listfile …) and
//! `pam_syslog(3)` for the head `module(service:type): `.

use event::{Event, Field, field};

use crate::{
    ecs,
    kv::{Pairs, Separator},
    linux::{act, name_and_id},
    text,
};

/// A PAM message taken apart.
struct Message<'r> {
    module: &'r str,
    service: &'r str,
    kind: &'r str,
    text: &'r str,
}

/// True when the text starts with the head that `pam_syslog` writes.
pub fn is_message(text: &str) -> bool {
    head(text).is_some()
}

/// True when a PAM message names this service, which reads it then.
pub fn is_of(text: &str, service: &str) -> bool {
    head(text).is_some_and(|message| message.service == service)
}

/// Reads a PAM message into the event; false when the text is none. Also takes the bare texts of old releases, whose module
/// stood in the tag (`sshd(pam_unix)[812]: session opened for user …`).
pub fn read<'r>(event: &mut Event<'r>, text: &'r str) -> bool {
    if let Some(message) = head(text) {
        event.set(field::EVENT_PROVIDER, message.module);
        event.set_present(field::SERVICE_NAME, message.service);
        body(event, message.kind, message.text);
        return true;
    }
    let is_bare = text.starts_with("authentication failure; logname=")
        || text.starts_with("session opened for user ")
        || text.starts_with("session closed for user ");
    if is_bare {
        body(event, "", text);
    }
    is_bare
}

fn head(text: &str) -> Option<Message<'_>> {
    let text = text.strip_prefix("error: PAM: ").unwrap_or(text);
    if let Some(rest) = text.strip_prefix("(pam_unix) ").or_else(|| text.strip_prefix("pam_unix: ")) {
        return Some(Message { module: "pam_unix", service: "", kind: "", text: rest.trim_end() });
    }
    if !text.starts_with("pam_") {
        return None;
    }
    let (module, rest) = text::split(text, b'(')?;
    let (inside, rest) = text::split(rest, b')')?;
    let (service, kind) = inside.rsplit_once(':').unwrap_or((inside, ""));
    let text = rest.strip_prefix(':')?.trim_start_matches(' ');
    (module.len() <= 32 && !module.contains(' ')).then_some(Message { module, service, kind, text })
}

fn body<'r>(event: &mut Event<'r>, kind: &'r str, text: &'r str) {
    if let Some(rest) = text.strip_prefix("session opened for user ") {
        let (user, by) = rest.split_once(" by ").unwrap_or((rest, ""));
        act(event, "session_opened", &["session"], &["start"], Some("success"));
        opened(event, user, by);
    } else if let Some(user) = text.strip_prefix("session closed for user ") {
        act(event, "session_closed", &["session"], &["end"], Some("success"));
        account(event, field::USER_NAME, field::USER_ID, user);
    } else if text.starts_with("authentication failure;") || text.starts_with("auth could not identify password") {
        act(event, "authentication_failure", &["authentication"], &["start"], Some("failure"));
        details(event, text);
    } else if text.starts_with("authentication success;") {
        act(event, "authentication_success", &["authentication"], &["start"], Some("success"));
        details(event, text);
    } else if let Some(user) = text.strip_prefix("password changed for ") {
        act(event, "password_changed", &["iam"], &["user", "change"], Some("success"));
        ecs::user(event, field::USER_NAME, user);
    } else if text.starts_with("check pass; user unknown") {
        act(event, "authentication_failure", &["authentication"], &["start"], Some("failure"));
        event.set(field::EVENT_REASON, "user unknown");
    } else if let Some(rest) = text.strip_prefix("Consecutive login failures for user ") {
        act(event, "account_locked", &["authentication", "iam"], &["user", "change"], Some("failure"));
        ecs::user(event, field::USER_NAME, text::word(rest).0);
    } else if let Some(rest) = text.strip_prefix("account ").filter(|rest| rest.contains("expired") || rest.contains("locked")) {
        act(event, "account_refused", &["authentication"], &["denied"], Some("failure"));
        ecs::user(event, field::USER_NAME, text::word(rest).0);
        event.set(field::EVENT_REASON, text);
    } else {
        other(event, kind, text);
    }
}

/// Texts that differ from module to module; the type of the PAM call tells the category, words tell the outcome.
fn other<'r>(event: &mut Event<'r>, kind: &'r str, text: &'r str) {
    let category = match kind {
        "session" => "session",
        "chauthtok" => "iam",
        _ => "authentication",
    };
    const FAILURES: [&str; 7] = ["not met by user", "refused", "denied", "failed", "failure", "locked", "tally"];
    let outcome = FAILURES.iter().any(|word| text.contains(word)).then_some("failure");
    act(event, "pam_message", &[category], &["info"], outcome);
    if let Some(user) = text.split_once("not met by user ").map(|(_, user)| user) {
        ecs::user(event, field::USER_NAME, text::strip_pair(user, '"', '"'));
    } else if let Some((_, rest)) = text.split_once("user ") {
        let name = text::word(rest).0.trim_end_matches([',', ';', ':', '.']);
        ecs::user(event, field::USER_NAME, name_and_id(text::strip_pair(text::strip_pair(name, '\'', '\''), '"', '"')).0);
    }
    if outcome.is_some() {
        event.set(field::EVENT_REASON, text);
    }
}

/// `logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7  user=root`: keys without a value are common, blanks double.
///
/// `ruser` and `user` are the attacker's text and may hold ` rhost=…`: the host is the last one before the user, and the
/// remote user all that stands between.
fn details<'r>(event: &mut Event<'r>, text: &'r str) {
    let (before, host) = text.rsplit_once("rhost=").unwrap_or((text, ""));
    let (host, after) = text::word(host);
    let user = after.trim_start().strip_prefix("user=").map_or("", str::trim);
    let (pairs, remote_user) = before.split_once(" ruser=").unwrap_or((before, ""));
    let remote_user = remote_user.trim();
    for pair in Pairs::new(pairs, Separator::Blank) {
        let value = pair.raw();
        match pair.key {
            "tty" => event.set_present(field::PROCESS_TTY_NAME, value),
            "uid" => event.set_extra("pam.", "uid", value),
            "euid" => event.set_extra("pam.", "euid", value),
            "logname" if !value.is_empty() => event.set_extra("pam.", "logname", value),
            _ => {}
        }
    }
    ecs::source(event, host);
    if !remote_user.is_empty() {
        event.set(field::SOURCE_USER_NAME, remote_user);
    }
    // Services without accounts of their own name the login only here.
    ecs::user(event, field::USER_NAME, if user.is_empty() { remote_user } else { user });
}

/// Who became whom. A session that a daemon opens (`by (uid=0)`) is its user's own.
fn opened<'r>(event: &mut Event<'r>, user: &'r str, by: &'r str) {
    let (by_name, by_id) = name_and_id(by);
    if by_name.is_empty() {
        account(event, field::USER_NAME, field::USER_ID, user);
        ecs::user(event, field::USER_EFFECTIVE_NAME, name_and_id(user).0);
        if let Some(id) = by_id {
            event.set_extra("pam.by.", "uid", id);
        }
        return;
    }
    account(event, field::USER_NAME, field::USER_ID, by);
    account(event, field::USER_EFFECTIVE_NAME, field::USER_EFFECTIVE_ID, user);
}

fn account<'r>(event: &mut Event<'r>, name_field: Field, id_field: Field, text: &'r str) {
    let (name, id) = name_and_id(text);
    ecs::user(event, name_field, name);
    if let Some(id) = id {
        event.set(id_field, id);
    }
}
