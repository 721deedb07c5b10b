//! What a sentence of an unknown program says about peers and accounts: the address after `from`, `rhost=`, `client`; the
//! account after `user`, `for`, `login=`; whether a login failed.
//!
//! Only for messages that no table knows: a guess must be rare and likely. A field that is already set is left alone, words
//! are taken only where a key or a quote says what they are, and an address only when it parses as one.

use event::{Event, field};

use crate::{ecs, text};

/// Text that is looked at; what follows is not read for facts.
const BYTES_MAX: usize = 4096;

/// Keys whose value is the peer that began.
const PEER_KEYS: [&str; 27] = [
    "rhost",
    "rip",
    "client_ip",
    "clientip",
    "client-ip",
    "clientaddress",
    "client_address",
    "remote_ip",
    "remote_addr",
    "remoteaddr",
    "remoteip",
    "remote",
    "src",
    "srcip",
    "src_ip",
    "source",
    "ip",
    "ipaddress",
    "ip_address",
    "addr",
    "address",
    "client",
    "peer",
    "host",
    "from",
    "oip",
    "caddr",
];

/// Keys whose value is the account.
const USER_KEYS: [&str; 15] = [
    "user",
    "username",
    "user_name",
    "userid",
    "login",
    "account",
    "acct",
    "sasl_username",
    "uname",
    "usr",
    "loginname",
    "login_name",
    "auth_user",
    "authid",
    "email",
];

/// Words before a bare address, nearest first in the text.
const PEER_WORDS: [&str; 13] =
    ["from", "by", "client", "host", "ip", "address", "peer", "remote", "connection", "via", "addr", "source", "with"];

/// Reads what can be known of a message into fields that are still free.
pub fn read<'r>(event: &mut Event<'r>, message: &'r str) {
    let message = head(message);
    let has_source = event.has(field::SOURCE_IP) || event.has(field::SOURCE_ADDRESS);
    if !has_source {
        peer(event, message);
    }
    if !event.has(field::USER_NAME)
        && let Some(name) = user(message)
    {
        ecs::user(event, field::USER_NAME, name);
    }
    if !event.has(field::EVENT_OUTCOME)
        && let Some(outcome) = login(message)
    {
        event.set(field::EVENT_OUTCOME, outcome);
        if !event.has(field::EVENT_CATEGORY) {
            event.set(field::EVENT_CATEGORY, "authentication");
            event.set(field::EVENT_TYPE, "start");
        }
    }
}

fn head(message: &str) -> &str {
    let mut end = message.len().min(BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

/// The peer: an address under a key, else the first after a word that announces one, else the first there is.
fn peer<'r>(event: &mut Event<'r>, message: &'r str) {
    let mut best: Option<(u8, &'r str, &'r str)> = None;
    for found in addresses(message) {
        let rank = rank(&message[..found.at]);
        if best.is_none_or(|(known, ..)| rank > known) {
            best = Some((rank, found.address, found.port));
        }
        if rank == 3 {
            break;
        }
    }
    if let Some((_, address, port)) = best {
        ecs::source(event, address);
        event.set_int(field::SOURCE_PORT, port);
    }
}

/// How surely an address after this text is the peer.
fn rank(before: &str) -> u8 {
    let before = before.trim_end_matches(['[', '(', '<', '"', '\'', '/', ' ']);
    if let Some(key) = before.strip_suffix(['=', ':']) {
        let key = last_word(key.trim_end_matches(['"', '\'', ' ']));
        return if PEER_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key)) { 3 } else { 1 };
    }
    let word = last_word(before);
    if word.eq_ignore_ascii_case("from") || word.eq_ignore_ascii_case("client") {
        return 3;
    }
    // `mail.example.com[192.0.2.1]`, `from mail.example.com (192.0.2.1)`.
    let name = before.rsplit(' ').next().unwrap_or(before);
    if name.len() < before.len() && last_word(before[..before.len() - name.len()].trim_end()).eq_ignore_ascii_case("from") {
        return 3;
    }
    if PEER_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) { 2 } else { 1 }
}

fn last_word(text: &str) -> &str {
    text.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).next().unwrap_or(text)
}

struct Address<'r> {
    at: usize,
    address: &'r str,
    port: &'r str,
}

/// All addresses of a text, with the port behind them.
fn addresses(text: &str) -> impl Iterator<Item = Address<'_>> {
    let b = text.as_bytes();
    let is_part = |b: u8| b.is_ascii_hexdigit() || b == b':' || b == b'.';
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < b.len() {
            if !is_part(b[at]) {
                at += 1;
                continue;
            }
            let start = at;
            while at < b.len() && is_part(b[at]) {
                at += 1;
            }
            let is_word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
            let is_inside = start > 0 && is_word(&b[start - 1]);
            let is_followed = b.get(at).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
            if is_inside || is_followed || at - start < 3 {
                continue;
            }
            if let Some((address, port)) = split_port(text[start..at].trim_end_matches(['.', ':'])) {
                return Some(Address { at: start, address, port: if port.is_empty() { port_behind(&text[at..]) } else { port } });
            }
        }
        None
    })
}

/// `192.0.2.1`, `192.0.2.1:22`, `2001:db8::1`; not a time, a MAC or a version.
fn split_port(run: &str) -> Option<(&str, &str)> {
    let is_real = |address: &str| ecs::ip(address).is_some_and(|ip| !ip.is_unspecified());
    let run = run.trim_start_matches('.');
    if run.contains('.') && !run.contains("::") {
        let (address, port) = run.split_once(':').unwrap_or((run, ""));
        let is_port = port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
        return (address.len() >= 7 && is_port && is_real(address)).then_some((address, port));
    }
    // Eight groups of two digits are a client id, not an address.
    let is_v6 =
        run.len() >= 3 && run.matches(':').count() >= 2 && (run.contains("::") || run.split(':').any(|group| group.len() > 2));
    (is_v6 && is_real(run)).then_some((run, ""))
}

/// `]:22`, ` port 22`, `, port 22`, `#22`.
fn port_behind(rest: &str) -> &str {
    let rest = rest.trim_start_matches([']', ')', ',', '>']);
    [":", " port ", " port=", "#", " port: "].iter().find_map(|mark| rest.strip_prefix(mark)).map_or("", |port| {
        let digits = text::digits(port).0;
        if digits.len() <= 5 { digits } else { "" }
    })
}

/// The account: under a key, in quotes or brackets after `user`, or as the word after `for user`.
pub fn user(message: &str) -> Option<&str> {
    let mut rest = message;
    while let Some(at) = memchr::memchr2(b'=', b':', rest.as_bytes()) {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        rest = after;
        let key = last_word(before.trim_end_matches(['"', '\'', ' ']));
        if key.is_empty() || !USER_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key)) {
            continue;
        }
        if let Some(name) = value(after.trim_start_matches(' ')) {
            return Some(name);
        }
    }
    for head in ["user ", "User ", "username ", "account ", "login "] {
        if let Some(name) = message.find(head).and_then(|at| quoted(&message[at + head.len()..])) {
            return Some(name);
        }
    }
    if let Some((_, rest)) = message
        .split_once("ogin failed for ")
        .or_else(|| message.split_once("ogin for "))
        .or_else(|| message.split_once("attempt for "))
    {
        return plain(text::word(rest).0);
    }
    for head in ["for user ", "for invalid user ", "by user ", "of user "] {
        if let Some(at) = message.find(head) {
            return plain(text::word(&message[at + head.len()..]).0);
        }
    }
    None
}

/// `<an>`, `'an'`, `"an"`, `[an]`, `an`.
fn value(text: &str) -> Option<&str> {
    match quoted(text) {
        Some(name) => Some(name),
        None if text.starts_with(['<', '\'', '"', '[', '(']) => None,
        None => plain(text.split([' ', ',', ';', ')', ']', '&', '\t']).next().unwrap_or(text)),
    }
}

fn quoted(text: &str) -> Option<&str> {
    let close = match text.as_bytes().first()? {
        b'<' => '>',
        b'\'' | b'`' => '\'',
        b'"' => '"',
        b'[' => ']',
        b'\\' if text.starts_with("\\\"") => return text[2..].split_once("\\\"").map(|(name, _)| name),
        _ => return None,
    };
    let (name, _) = text[1..].split_once(close)?;
    (!name.is_empty() && name.len() <= 256).then_some(name)
}

fn plain(word: &str) -> Option<&str> {
    let word = word.trim_end_matches([',', '.', ';', ':', '!']);
    let word = text::strip_pair(text::strip_pair(word, '\'', '\''), '"', '"');
    let is_name = !word.is_empty()
        && word.len() <= 128
        && !word.contains(['=', '{', '(', '/'])
        && !ecs::is_nothing(word)
        && !matches!(word, "unknown" | "from" | "not" | "is" | "was" | "none");
    is_name.then_some(word)
}

/// Whether a message is about a login, and how it ended.
pub fn login(message: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|word| contains_ignore_case(message, word));
    if !has(&["login", "logon", "log in", "logged", "auth", "password", "credential", "user"]) {
        return None;
    }
    if has(&[
        "fail",
        "invalid",
        "incorrect",
        "denied",
        "refused",
        "wrong",
        "bad password",
        "rejected",
        "unauthorized",
        "unknown user",
        "not allowed",
        "mismatch",
    ]) {
        return Some("failure");
    }
    has(&[
        "logged in",
        "login succe",
        "successful login",
        "authentication succe",
        "authenticated",
        "login ok",
        "log in success",
        "logged on",
    ])
    .then_some("success")
}

fn contains_ignore_case(text: &str, lower: &str) -> bool {
    let (first, len) = (lower.as_bytes()[0], lower.len());
    let b = text.as_bytes();
    memchr::memchr2_iter(first, first.to_ascii_uppercase(), b)
        .any(|at| b.get(at..at + len).is_some_and(|part| part.eq_ignore_ascii_case(lower.as_bytes())))
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;

    fn facts(message: &str) -> (Option<String>, Option<String>, Option<String>) {
        let arena = Bump::new();
        let mut event = Event::new(&arena);
        let message = arena.alloc_str(message);
        read(&mut event, message);
        let text = |field| event.get(field).map(|value| crate::render::value_text(value).trim_matches('"').to_owned());
        (text(field::SOURCE_IP), text(field::USER_NAME), text(field::EVENT_OUTCOME))
    }

    #[test]
    fn sentences() {
        for (message, ip, user, outcome) in [
            ("Login failed for user 'an' from 192.0.2.7 port 22", "192.0.2.7", "an", "failure"),
            ("authentication failure; ip=192.0.2.8, user=<an@example.org>", "192.0.2.8", "an@example.org", "failure"),
            ("listening on 192.0.2.1, connection from mail.example.org[2001:db8::7]:4022", "2001:db8::7", "", ""),
            ("at 10:00:00 aa:bb:cc:dd:ee:ff moved v1.2.3", "", "", ""),
            ("ids 01:02:03:04:05:06:07:08", "", "", ""),
            ("password updated successfully", "", "", ""),
            ("User an logged in (login successful), remote: 192.0.2.9:51000", "192.0.2.9", "", "success"),
        ] {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            assert_eq!(facts(message), (some(ip), some(user), some(outcome)), "{message}");
        }
    }
}
