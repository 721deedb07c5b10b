//! Dovecot: logins by IMAP, POP3, submission and ManageSieve, authentication workers, sessions, LMTP delivery and Sieve.
//!
//! Reference: Dovecot documentation, "Logging" (`login_log_format_elements`, `mail_log_prefix`), `client-common.c`,
//! `auth-request.c`, 2.0 to 2.4.
//!
//! `imap-login: Info: Disconnected (auth failed, 1 attempts in 6 secs): user=<an>, method=PLAIN, rip=192.0.2.7, lip=…`

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, facts, linux, stamps, text};

const PREFIX: &str = "dovecot.";

pub struct Dovecot;

impl Parser for Dovecot {
    fn name(&self) -> &'static str {
        "dovecot"
    }

    fn programs(&self) -> &'static [&'static str] {
        &[
            "dovecot",
            "dovecot-auth",
            "dovecot-lda",
            "imap-login",
            "pop3-login",
            "managesieve-login",
            "submission-login",
            "auth-worker",
        ]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(service(unstamped(raw).1).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let (stamp, text) = unstamped(raw);
        if let Some(micros) = stamp {
            event.set(field::TIMESTAMP, Value::Time(micros));
        }
        let message = linux::begin(raw.with_text(text), event, "dovecot.log");
        linux::software(event, "Dovecot", "Dovecot", "dovecot");
        if linux::pam::read(event, message) {
            return Outcome::Parsed;
        }
        read(event, message);
        Outcome::Parsed
    }
}

fn unstamped(raw: RawRecord<'_>) -> (Option<i64>, &str) {
    match stamps::leading(raw.text(), raw) {
        Some((micros, rest)) => (Some(micros), rest.trim_start_matches(' ')),
        None => (None, raw.text()),
    }
}

/// `imap-login: `, `auth-worker(812): `, `imap(an)<812><session>: `, `lmtp(812, an): `.
fn service(message: &str) -> Option<(&str, &str, &str)> {
    let message = message.strip_prefix("dovecot: ").unwrap_or(message);
    let end = message.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'-').count();
    let (name, rest) = message.split_at(end);
    const SERVICES: [&str; 18] = [
        "imap-login",
        "pop3-login",
        "managesieve-login",
        "submission-login",
        "auth-worker",
        "auth",
        "imap",
        "pop3",
        "lmtp",
        "lda",
        "managesieve",
        "submission",
        "master",
        "indexer-worker",
        "anvil",
        "doveadm",
        "config",
        "quota-status",
    ];
    if !SERVICES.contains(&name) {
        return None;
    }
    let (inside, rest) = rest.split_once(": ").filter(|(inside, _)| inside.len() <= 256)?;
    // What stands between is in brackets: `auth: Error: …` has nothing.
    let is_plain = inside.is_empty() || inside.starts_with(['(', '<']);
    is_plain.then_some((name, inside, rest))
}

fn read<'r>(event: &mut Event<'r>, message: &'r str) {
    let (service, inside, rest) = service(message).unwrap_or(("", "", message));
    let mut rest = rest;
    for level in ["Info", "Error", "Warning", "Fatal", "Panic", "Debug"] {
        if let Some(after) = rest.strip_prefix(level).and_then(|after| after.strip_prefix(": ")) {
            event.set(field::LOG_LEVEL, text::lower(event, level));
            rest = after;
        }
    }
    if !service.is_empty() {
        event.set(field::SERVICE_NAME, service);
        let protocol = service.strip_suffix("-login").unwrap_or(service);
        if matches!(protocol, "imap" | "pop3" | "managesieve" | "submission" | "lmtp") {
            event.set(field::NETWORK_PROTOCOL, protocol);
        }
    }
    if service.ends_with("-login") {
        return login(event, rest);
    }
    if service.starts_with("auth") {
        return auth(event, rest);
    }
    // A session: `imap(an)<812><session>: Logged out in=10 out=20`, `lmtp(812, an): …`.
    let user = inside.strip_prefix('(').and_then(|inside| inside.split_once(')')).map_or("", |(user, _)| user);
    let user = user.rsplit(", ").next().unwrap_or(user);
    if !user.bytes().all(|b| b.is_ascii_digit()) {
        ecs::user(event, field::USER_NAME, user);
    }
    event.set(field::EVENT_CATEGORY, "email");
    if rest.starts_with("Logged out") || rest.starts_with("Disconnected") || rest.starts_with("Connection closed") {
        linux::act(event, "logged_out", &["session"], &["end"], Some("success"));
    } else if rest.contains("stored mail into mailbox") || rest.contains("saved mail to ") {
        linux::act(event, "mail_stored", &[], &["info"], Some("success"));
        if let Some((_, id)) = rest.split_once("msgid=<") {
            event.set_extra("", "email.message_id", id.split('>').next().unwrap_or(id));
        }
    } else {
        linux::act(event, "mail_message", &[], &["info"], None);
    }
    pairs(event, rest);
}

fn login<'r>(event: &mut Event<'r>, rest: &'r str) {
    if rest.starts_with("Login: ") || rest.starts_with("Logged in") {
        linux::act(event, "login", &["authentication", "session"], &["start"], Some("success"));
    } else {
        let is_auth = rest.contains("auth fail")
            || rest.contains("authentication fail")
            || rest.contains("auth_failed")
            || rest.contains("disallowed");
        if is_auth {
            linux::act(event, "login", &["authentication"], &["start"], Some("failure"));
        } else {
            linux::act(event, "disconnected", &["network"], &["connection", "end"], None);
        }
        let reason = rest.split(": user=<").next().unwrap_or(rest).split(": rip=").next().unwrap_or(rest);
        event.set_present(field::EVENT_REASON, reason);
    }
    pairs(event, rest);
}

/// `user=<an>, method=PLAIN, rip=192.0.2.7, lip=203.0.113.25, TLS, session=<…>`.
fn pairs<'r>(event: &mut Event<'r>, text: &'r str) {
    let start = ["user=<", "rip=", "in="].iter().filter_map(|key| crate::text::find(text.as_bytes(), key.as_bytes())).min();
    let Some(start) = start else { return };
    let mut rest = &text[start..];
    while !rest.is_empty() {
        let end = match rest.split_once("=<") {
            // A name in brackets is the client's and may hold `, rip=`.
            Some((key, inside)) if !key.contains([',', ' ']) => {
                key.len() + 2 + crate::text::find(inside.as_bytes(), b">, ").map_or(inside.len(), |at| at + 1)
            }
            _ => crate::text::find(rest.as_bytes(), b", ").unwrap_or(rest.len()),
        };
        let part = &rest[..end.min(rest.len())];
        rest = rest.get(end + 2..).unwrap_or_default();
        let Some((key, value)) = part.split_once('=') else {
            if part.starts_with("TLS") {
                event.set_extra(PREFIX, "tls", true);
            }
            continue;
        };
        let value = text::strip_pair(value, '<', '>');
        match key {
            "user" => ecs::user(event, field::USER_NAME, value),
            "rip" => ecs::source(event, value),
            "rport" => drop(event.set_int(field::SOURCE_PORT, value)),
            "lip" => ecs::destination(event, value),
            "lport" => drop(event.set_int(field::DESTINATION_PORT, value)),
            "method" | "session" | "mpid" if !value.is_empty() => event.set_extra(PREFIX, key, value),
            _ => {}
        }
    }
}

/// `conn unix:auth-worker (pid=1,uid=2): auth-worker<3>: pam(an,192.0.2.7[,<session>]): unknown user`.
fn auth<'r>(event: &mut Event<'r>, rest: &'r str) {
    let driver = rest.match_indices('(').find(|(at, _)| {
        const DRIVERS: [&str; 15] = [
            "pam",
            "sql",
            "ldap",
            "passwd-file",
            "passwd",
            "shadow",
            "bsdauth",
            "checkpassword",
            "vpopmail",
            "static",
            "lua",
            "oauth2",
            "imap",
            "cram-md5",
            "plain",
        ];
        let before = &rest[..*at];
        DRIVERS
            .iter()
            .any(|driver| before.strip_suffix(driver).is_some_and(|head| head.is_empty() || head.ends_with([' ', ':', '('])))
    });
    let Some((open, _)) = driver else {
        linux::act(event, "auth_message", &["authentication"], &["info"], None);
        return facts::read(event, rest);
    };
    let (inside, reason) = match rest[open + 1..].split_once("): ") {
        Some(parts) => parts,
        None => (&rest[open + 1..], ""),
    };
    let is_failure =
        ["unknown user", "failed", "mismatch", "invalid", "denied", "not match"].iter().any(|word| reason.contains(word));
    linux::act(event, "login", &["authentication"], &["start"], is_failure.then_some("failure"));
    event.set_extra(PREFIX, "driver", rest[..open].rsplit([' ', ':', '(']).next().unwrap_or_default());
    // `an,192.0.2.7,<session>`: the address is the last part that is one.
    let mut parts = inside.rsplitn(3, ',');
    let (last, second, third) = (parts.next(), parts.next(), parts.next());
    let (user, address) = match (last, second, third) {
        (Some(last), Some(second), third) if ecs::ip(last).is_none() && ecs::ip(second).is_some() => {
            (third.unwrap_or_default(), second)
        }
        (Some(last), Some(_), _) => (&inside[..inside.len() - last.len() - 1], last),
        _ => (inside, ""),
    };
    ecs::user(event, field::USER_NAME, user);
    ecs::ip_only(event, field::SOURCE_IP, address);
    event.set_present(field::EVENT_REASON, reason);
}
