//! OpenSSH server messages, by syslog or journal.
//!
//! Reference: the log calls of OpenSSH portable (`auth.c: auth_log`, `auth2.c`, `packet.c`, `sshd.c`, `monitor.c`), releases
//! 3 to 10; since 9.8 the program is called `sshd-session`, since 10.0 also `sshd-auth`.
//!
//! A user name comes from the attacker and may read `root from 10.0.0.1 port 22`: so addresses are looked for from the right,
//! where the daemon writes them. A message that is not listed here is kept, with its address if it names one.

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    linux::{self, act, pam},
    text,
};

pub struct Sshd;

impl Parser for Sshd {
    fn name(&self) -> &'static str {
        "sshd"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["sshd", "sshd-session", "sshd-auth", "internal-sftp", "sftp-server"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        let is = match text.as_bytes().first() {
            Some(b'A') => text.starts_with("Accepted ") && peer(text).is_some(),
            Some(b'F') => text.starts_with("Failed ") && text.contains(" for ") && peer(text).is_some(),
            Some(b'I') => text.starts_with("Invalid user ") && text.contains(" from "),
            Some(b'C') => text.starts_with("Connection closed by ") && text.contains(" port "),
            Some(b'D') => text.starts_with("Disconnected from ") && text.contains(" port "),
            Some(b'R') => text.starts_with("Received disconnect from "),
            _ => false,
        };
        Sniff::yes_if(is)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let message = linux::begin(raw, event, "sshd.auth");
        event.set(field::NETWORK_PROTOCOL, "ssh");
        let message = unwrap_repeated(message, event);
        let message = message.strip_suffix(" [preauth]").unwrap_or(message);
        let (is_error, message) = match message.strip_prefix("error: ").or_else(|| message.strip_prefix("fatal: ")) {
            Some(rest) => (true, rest),
            None => (false, message),
        };
        if !pam::read(event, message) {
            dispatch(event, message, is_error);
        }
        Outcome::Parsed
    }
}

/// `message repeated 5 times: [ Failed password for …]` (rsyslog).
fn unwrap_repeated<'r>(message: &'r str, event: &mut Event<'r>) -> &'r str {
    let inner = message.strip_prefix("message repeated ").and_then(|rest| rest.split_once(" times: ["));
    match inner {
        Some((count, inner)) => {
            event.set_extra("sshd.", "repeated", count);
            inner.strip_suffix(']').unwrap_or(inner).trim_start_matches(' ')
        }
        None => message,
    }
}

fn dispatch<'r>(event: &mut Event<'r>, message: &'r str, is_error: bool) {
    let (first, rest) = text::word(message);
    let is_known = match first {
        "Accepted" | "Failed" | "Postponed" | "Partial" => login(event, first, rest),
        "Invalid" | "Illegal" => invalid_user(event, rest),
        "Connection" => connection(event, rest),
        "Disconnected" | "Disconnecting" | "Disconnecting:" => disconnected(event, message),
        "Received" => received(event, rest),
        "User" => user_refused(event, rest),
        "maximum" => too_many(event, rest),
        "Did" | "Bad" | "banner" | "Protocol" | "kex_exchange_identification:" => scan(event, message),
        "Unable" => negotiate(event, message),
        "Server" => listening(event, rest),
        "Starting" | "Close" => session(event, first, message),
        "PAM:" | "PAM" => pam_error(event, first, rest),
        "reverse" | "Address" | "Nasty" => suspicious_name(event, message),
        "refused" => refused(event, message),
        "subsystem" => subsystem(event, rest),
        "Timeout" => timeout(event, message),
        "drop" => dropped(event, message),
        "input_userauth_request:" => {
            rest.strip_prefix("invalid user ").is_some_and(|user| invalid_user(event, strip_prefix_word(user, "user")))
        }
        _ => false,
    };
    if !is_known {
        act(event, "ssh_message", &[], &[if is_error { "error" } else { "info" }], None);
        peer_fields(event, message);
    }
}

/// `<method> for [invalid user ]<user> from <address> port <port>[ ssh2][: <key>]`.
fn login<'r>(event: &mut Event<'r>, verb: &'r str, rest: &'r str) -> bool {
    let rest = if verb == "Partial" { strip_prefix_word(rest, "success") } else { rest };
    let Some((method, rest)) = rest.split_once(" for ") else { return false };
    let Some(found) = peer(rest) else { return false };
    let (types, outcome): (&[&'static str], _) = match verb {
        "Accepted" => (&["info", "start"], Some("success")),
        "Failed" => (&["info"], Some("failure")),
        _ => (&["info"], None),
    };
    let categories: &[&'static str] = if verb == "Accepted" { &["authentication", "session"] } else { &["authentication"] };
    act(event, "ssh_login", categories, types, outcome);
    event.set_extra("sshd.", "method", method);
    let (user, is_invalid) = known_user(&rest[..found.before]);
    if is_invalid {
        event.set(field::EVENT_REASON, "invalid user");
    }
    ecs::user(event, field::USER_NAME, user);
    set_peer(event, &found);
    signature(event, found.after);
    true
}

/// ` ssh2: ED25519 SHA256:…` after a login by key.
fn signature<'r>(event: &mut Event<'r>, after: &'r str) {
    if let Some((_, key)) = after.split_once(": ") {
        let (kind, print) = text::word(key);
        event.set_extra("sshd.", "key_type", kind);
        if !print.is_empty() {
            event.set_extra("sshd.", "signature", print);
        }
    }
}

fn invalid_user<'r>(event: &mut Event<'r>, rest: &'r str) -> bool {
    let rest = strip_prefix_word(rest, "user");
    act(event, "ssh_login", &["authentication"], &["info"], Some("failure"));
    event.set(field::EVENT_REASON, "invalid user");
    match peer(rest) {
        Some(found) => {
            ecs::user(event, field::USER_NAME, rest[..found.before].trim_end());
            set_peer(event, &found);
        }
        None => ecs::user(event, field::USER_NAME, rest),
    }
    true
}

/// `Connection closed by …`, `… reset by …`, `… from … on …`.
fn connection<'r>(event: &mut Event<'r>, rest: &'r str) -> bool {
    if let Some(rest) = rest.strip_prefix("from ") {
        act(event, "ssh_connection", &["network"], &["connection", "start"], Some("success"));
        let (peer, local) = rest.split_once(" on ").unwrap_or((rest, ""));
        address_port(event, peer, true);
        address_port(event, local, false);
        return true;
    }
    let Some((how, rest)) = rest.split_once(" by ") else { return false };
    let action = match how {
        "closed" => "ssh_connection_closed",
        "reset" => "ssh_connection_reset",
        _ => return false,
    };
    act(event, action, &["network"], &["connection", "end"], None);
    left(event, rest);
    true
}

/// `[from ][user |authenticating user |invalid user ]<user> <address> port <port>[: reason]`.
fn disconnected<'r>(event: &mut Event<'r>, message: &'r str) -> bool {
    act(event, "ssh_disconnected", &["network"], &["connection", "end"], None);
    let rest = match message.strip_prefix("Disconnected from ").or_else(|| message.strip_prefix("Disconnecting from ")) {
        Some(rest) => rest,
        None => match message.strip_prefix("Disconnecting: ") {
            Some(reason) => {
                event.set(field::EVENT_REASON, reason);
                peer_fields(event, message);
                return true;
            }
            None => text::word(message).1,
        },
    };
    left(event, rest);
    true
}

/// A peer that went, with or without the user it had named.
fn left<'r>(event: &mut Event<'r>, text: &'r str) {
    let Some(at) = memchr::memmem::rfind(text.as_bytes(), b" port ") else {
        ecs::source(event, text::word(text).0);
        return;
    };
    let (before, after) = (&text[..at], &text[at + " port ".len()..]);
    let (user, address) = before.rsplit_once(' ').unwrap_or(("", before));
    ecs::source(event, address);
    let (port, reason) = text::digits(after);
    event.set_int(field::SOURCE_PORT, port);
    if let Some(reason) = reason.strip_prefix(": ") {
        event.set(field::EVENT_REASON, reason);
    }
    if user.is_empty() {
        return;
    }
    let (name, is_invalid) = known_user(user);
    if is_invalid {
        event.set(field::EVENT_REASON, "invalid user");
    }
    let name = strip_prefix_word(strip_prefix_word(name, "authenticating"), "user");
    ecs::user(event, field::USER_NAME, name);
}

/// `disconnect from <address> port <port>:11: Bye Bye`, `signal 15; terminating.`.
fn received<'r>(event: &mut Event<'r>, rest: &'r str) -> bool {
    if rest.starts_with("signal ") {
        act(event, "ssh_server_stopped", &["process"], &["end"], None);
        return true;
    }
    let Some(rest) = rest.strip_prefix("disconnect from ") else { return false };
    act(event, "ssh_disconnect_received", &["network"], &["connection", "end"], None);
    let (address, rest) = match rest.split_once(" port ") {
        Some((address, rest)) => {
            let (port, rest) = text::digits(rest);
            event.set_int(field::SOURCE_PORT, port);
            (address, rest)
        }
        None => rest.split_once(": ").unwrap_or((rest, "")),
    };
    ecs::source(event, address);
    let (_, reason) = text::digits(rest.trim_start_matches([':', ' ']));
    event.set_present(field::EVENT_REASON, reason.trim_start_matches([':', ' ']));
    true
}

/// `User <user> from <host> not allowed because …`.
fn user_refused<'r>(event: &mut Event<'r>, rest: &'r str) -> bool {
    let Some((who, reason)) = rest.rsplit_once(" not allowed because ") else { return false };
    act(event, "ssh_login", &["authentication"], &["info", "denied"], Some("failure"));
    event.set(field::EVENT_REASON, reason);
    let (user, host) = who.rsplit_once(" from ").unwrap_or((who, ""));
    ecs::user(event, field::USER_NAME, user);
    ecs::source(event, host);
    true
}

/// `authentication attempts exceeded for [invalid user ]<user> from …`.
fn too_many<'r>(event: &mut Event<'r>, rest: &'r str) -> bool {
    let Some(rest) = rest.strip_prefix("authentication attempts exceeded for ") else { return false };
    act(event, "ssh_login", &["authentication"], &["info", "denied"], Some("failure"));
    event.set(field::EVENT_REASON, "maximum authentication attempts exceeded");
    if let Some(found) = peer(rest) {
        ecs::user(event, field::USER_NAME, known_user(&rest[..found.before]).0);
        set_peer(event, &found);
    }
    true
}

/// Peers that speak no SSH, or hang up before they do.
fn scan<'r>(event: &mut Event<'r>, message: &'r str) -> bool {
    act(event, "ssh_no_identification", &["network"], &["connection", "error"], Some("failure"));
    event.set(field::EVENT_REASON, message);
    peer_fields(event, message);
    true
}

/// `Unable to negotiate with <address> port <port>: no matching … Their offer: …`.
fn negotiate<'r>(event: &mut Event<'r>, message: &'r str) -> bool {
    act(event, "ssh_negotiation_failed", &["network"], &["connection", "error"], Some("failure"));
    let Some(rest) = message.strip_prefix("Unable to negotiate with ") else { return true };
    let (who, reason) = rest.split_once(": ").unwrap_or((rest, ""));
    address_port(event, who, true);
    event.set_present(field::EVENT_REASON, reason);
    true
}

fn listening<'r>(event: &mut Event<'r>, rest: &'r str) -> bool {
    let Some(rest) = rest.strip_prefix("listening on ") else { return false };
    act(event, "ssh_server_started", &["process"], &["start"], None);
    address_port(event, rest.trim_end_matches('.'), false);
    true
}

/// `Starting session: shell on pts/0 for an from … port … id 0`, `Close session: user an from … port … id 0`.
fn session<'r>(event: &mut Event<'r>, verb: &'r str, message: &'r str) -> bool {
    let Some(rest) = message.strip_prefix("Starting session: ").or_else(|| message.strip_prefix("Close session: ")) else {
        return false;
    };
    let Some(found) = peer(rest) else { return false };
    let (action, kind) = if verb == "Starting" { ("ssh_session_started", "start") } else { ("ssh_session_closed", "end") };
    act(event, action, &["session"], &[kind], None);
    let head = &rest[..found.before];
    let user = head.rsplit_once(" for ").map(|(_, user)| user).or_else(|| head.strip_prefix("user "));
    if let Some(user) = user {
        ecs::user(event, field::USER_NAME, user);
    }
    if let Some((_, tty)) = head.split_once(" on ") {
        event.set(field::PROCESS_TTY_NAME, text::word(tty).0);
    }
    set_peer(event, &found);
    true
}

/// `PAM: Authentication failure for [illegal user ]<user> from <host>`, `PAM 2 more authentication failures; …`.
fn pam_error<'r>(event: &mut Event<'r>, first: &'r str, rest: &'r str) -> bool {
    act(event, "ssh_login", &["authentication"], &["info"], Some("failure"));
    if first == "PAM" {
        let (before, user) = rest.rsplit_once(" user=").unwrap_or((rest, ""));
        ecs::user(event, field::USER_NAME, user.trim());
        if let Some((_, host)) = before.split_once("rhost=") {
            ecs::source(event, text::word(host).0);
        }
        return true;
    }
    let (reason, who) = rest.split_once(" for ").unwrap_or((rest, ""));
    event.set(field::EVENT_REASON, reason);
    let (user, host) = who.rsplit_once(" from ").unwrap_or((who, ""));
    ecs::user(event, field::USER_NAME, known_user(user).0);
    ecs::source(event, host);
    true
}

/// Names that do not resolve back: `reverse mapping checking getaddrinfo for <host> [<ip>] failed …`, `Address <ip> maps to …`.
fn suspicious_name<'r>(event: &mut Event<'r>, message: &'r str) -> bool {
    act(event, "ssh_reverse_mapping_failed", &["network"], &["info"], Some("failure"));
    if let Some(rest) = message.strip_prefix("Address ") {
        let (address, rest) = text::word(rest);
        ecs::source(event, address);
        if let Some(name) = rest.strip_prefix("maps to ") {
            event.set_present(field::SOURCE_DOMAIN, text::word(name).0.trim_end_matches(','));
        }
        return true;
    }
    if let Some((head, inside)) = message.split_once('[') {
        ecs::source(event, inside.split(']').next().unwrap_or(inside));
        if let Some((_, name)) = head.trim_end().rsplit_once(' ') {
            event.set_present(field::SOURCE_DOMAIN, name);
        }
    }
    true
}

/// `refused connect from <host> (<ip>)` (TCP wrappers).
fn refused<'r>(event: &mut Event<'r>, message: &'r str) -> bool {
    let Some(rest) = message.strip_prefix("refused connect from ") else { return false };
    act(event, "ssh_connection_refused", &["network"], &["connection", "denied"], Some("failure"));
    match rest.split_once(" (") {
        Some((name, address)) => {
            ecs::source(event, address.trim_end_matches(')'));
            if ecs::ip(name).is_none() {
                event.set(field::SOURCE_DOMAIN, name);
            }
        }
        None => ecs::source(event, rest),
    }
    true
}

/// `subsystem request for sftp by user an`.
fn subsystem<'r>(event: &mut Event<'r>, rest: &'r str) -> bool {
    let Some(rest) = rest.strip_prefix("request for ") else { return false };
    act(event, "ssh_subsystem_requested", &["session"], &["info"], None);
    let (name, user) = rest.split_once(" by user ").unwrap_or((rest, ""));
    event.set_extra("sshd.", "subsystem", name);
    ecs::user(event, field::USER_NAME, text::word(user).0);
    true
}

/// `Timeout before authentication for <address>[ port <port>]`, `… for connection from <address> to <address>, pid = …`.
fn timeout<'r>(event: &mut Event<'r>, message: &'r str) -> bool {
    act(event, "ssh_login_timeout", &["authentication"], &["info"], Some("failure"));
    if let Some((_, who)) = message.rsplit_once(" for ") {
        address_port(event, who.strip_prefix("connection from ").unwrap_or(who), true);
    }
    true
}

/// `drop connection #10 from [<address>]:<port> on [<address>]:22 past MaxStartups`.
fn dropped<'r>(event: &mut Event<'r>, message: &'r str) -> bool {
    let Some((_, rest)) = message.split_once(" from ") else { return false };
    act(event, "ssh_connection_dropped", &["network"], &["connection", "denied"], Some("failure"));
    let (peer, local) = rest.split_once(" on ").unwrap_or((rest, ""));
    for (text, ip_field, port_field) in
        [(peer, field::SOURCE_IP, field::SOURCE_PORT), (local, field::DESTINATION_IP, field::DESTINATION_PORT)]
    {
        let (address, port) = text::word(text).0.rsplit_once(':').unwrap_or((text, ""));
        ecs::ip_only(event, ip_field, address);
        event.set_int(port_field, port);
    }
    true
}

/// Where a text names its peer: ` from <address> port <port>` or ` from <address>` at its end.
struct Peer<'r> {
    /// End of what stands before ` from `.
    before: usize,
    address: &'r str,
    port: Option<&'r str>,
    after: &'r str,
}

/// Finds the last ` from ` that is followed by an address: user names before it may hold anything.
fn peer(text: &str) -> Option<Peer<'_>> {
    let mut end = text.len();
    while let Some(before) = memchr::memmem::rfind(&text.as_bytes()[..end], b" from ") {
        let (address, rest) = text::word(&text[before + " from ".len()..]);
        if let Some(after) = rest.strip_prefix("port ") {
            let (port, after) = text::digits(after);
            return Some(Peer { before, address, port: Some(port), after });
        }
        if ecs::ip(address).is_some() || rest.is_empty() {
            return Some(Peer { before, address, port: None, after: rest });
        }
        end = before;
    }
    None
}

fn set_peer<'r>(event: &mut Event<'r>, peer: &Peer<'r>) {
    ecs::source(event, peer.address);
    if let Some(port) = peer.port {
        event.set_int(field::SOURCE_PORT, port);
    }
}

/// Sets the peer of a message of which nothing else is known.
fn peer_fields<'r>(event: &mut Event<'r>, message: &'r str) {
    if let Some(found) = peer(message) {
        if ecs::ip(found.address.trim_end_matches([':', ','])).is_some() {
            ecs::source(event, found.address.trim_end_matches([':', ',']));
            if let Some(port) = found.port {
                event.set_int(field::SOURCE_PORT, port);
            }
        }
    } else if let Some((before, after)) = message.rsplit_once(" port ")
        && let Some(address) = before.rsplit(' ').next()
        && ecs::ip_only(event, field::SOURCE_IP, address)
    {
        event.set_int(field::SOURCE_PORT, text::digits(after).0);
    }
}

/// `<address>[ port <port>]`.
fn address_port<'r>(event: &mut Event<'r>, text: &'r str, is_source: bool) {
    let (address, rest) = text::word(text);
    let port = rest.strip_prefix("port ").map_or("", |port| text::digits(port).0);
    if is_source {
        ecs::source(event, address);
        event.set_int(field::SOURCE_PORT, port);
    } else {
        ecs::destination(event, address);
        event.set_int(field::DESTINATION_PORT, port);
    }
}

/// Takes `invalid user ` off a name.
fn known_user(text: &str) -> (&str, bool) {
    match text.strip_prefix("invalid user").or_else(|| text.strip_prefix("illegal user")) {
        Some(name) => (name.strip_prefix(' ').unwrap_or(name), true),
        None => (text, false),
    }
}

fn strip_prefix_word<'t>(text: &'t str, word: &str) -> &'t str {
    text.strip_prefix(word).and_then(|rest| rest.strip_prefix(' ')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn a_user_name_that_looks_like_a_peer() {
        check(
            &super::Sshd,
            "Failed password for invalid user x from 10.0.0.1 port 22 ssh2 from 198.51.100.9 port 40002 ssh2",
            expect![[
                r#"{"chieng.parser":"sshd","event.action":"ssh_login","event.category":["authentication"],"event.dataset":"sshd.auth","event.kind":"event","event.outcome":"failure","event.reason":"invalid user","event.type":["info"],"message":"Failed password for invalid user x from 10.0.0.1 port 22 ssh2 from 198.51.100.9 port 40002 ssh2","network.protocol":"ssh","related.ip":["198.51.100.9"],"related.user":["x from 10.0.0.1 port 22 ssh2"],"source.ip":"198.51.100.9","source.port":40002,"sshd.method":"password","user.name":"x from 10.0.0.1 port 22 ssh2"}"#
            ]],
        );
    }

    #[test]
    fn a_message_of_a_later_release() {
        check(
            &super::Sshd,
            "penalty: something new about 198.51.100.9 port 40002",
            expect![[
                r#"{"chieng.parser":"sshd","event.action":"ssh_message","event.dataset":"sshd.auth","event.kind":"event","event.type":["info"],"message":"penalty: something new about 198.51.100.9 port 40002","network.protocol":"ssh","related.ip":["198.51.100.9"],"source.ip":"198.51.100.9","source.port":40002}"#
            ]],
        );
    }
}
