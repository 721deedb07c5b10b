//! Postfix: smtpd, postscreen, cleanup, qmgr, smtp/lmtp/local/pipe delivery, anvil, and the policy servers beside it (postgrey,
//! policyd-spf).
//!
//! Reference: Postfix source, `smtpd.c`, `postscreen*.c`, `log_adhoc.c`, `qmgr_active.c`, `cleanup_message.c`; documentation
//! "POSTSCREEN_README", "SASL_README", postconf(5) (`smtpd_client_connection_*`).
//!
//! The lines are regular: a queue id, a verb, a peer `name[address]:port`, `; from=<> to=<> proto= helo=<>` at the end, or pairs
//! with commas. So they are read by that structure, whatever the text between says.

use event::{Event, Field, Outcome, RawRecord, field};

use crate::{Parser, Sniff, ecs, linux, text};

const PREFIX: &str = "postfix.";

pub struct Postfix;

impl Parser for Postfix {
    fn name(&self) -> &'static str {
        "postfix"
    }

    fn programs(&self) -> &'static [&'static str] {
        &[
            "postfix",
            "smtpd",
            "smtp",
            "qmgr",
            "cleanup",
            "pickup",
            "bounce",
            "local",
            "virtual",
            "pipe",
            "lmtp",
            "postscreen",
            "anvil",
            "scache",
            "trivial-rewrite",
            "tlsproxy",
            "verify",
            "error",
            "discard",
            "postfix-script",
            "dnsblog",
            "master",
            "postgrey",
            "policyd-spf",
            "postsuper",
            "showq",
            "flush",
            "proxymap",
            "tlsmgr",
            "submission",
            "smtps",
            "postqueue",
            "sendmail-postfix",
        ]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let line = raw.text().trim_start();
        let (id, rest) = queue_id(line);
        const TAILS: [&str; 18] = [
            "host ",
            "enabling PIX ",
            "to=",
            "from=",
            "client=",
            "message-id=",
            "uid=",
            "reject: ",
            "milter-reject: ",
            "removed",
            "warning: header ",
            "filter: ",
            "hold: ",
            "prepend: ",
            "redirect: ",
            "proxy-reject: ",
            "proxy-accept: ",
            "Used TLS for ",
        ];
        let is = if id.is_empty() {
            line.starts_with("action=") && line.contains(", client_address=")
                || line.starts_with("warning: ") && line.contains("]: SASL ")
                || (line.starts_with("connect from ")
                    || line.starts_with("disconnect from ")
                    || line.starts_with("lost connection after "))
                    && peer_at(line).is_some()
                || line.starts_with("Pass; identity=")
                || line.starts_with("Fail; identity=")
                || line.starts_with("Permerror; identity=")
                || line.starts_with("prepend Received-SPF: ")
                || line.starts_with("Action: prepend Received-SPF: ")
                || line.starts_with("Action: prepend: Text: Received-SPF: ")
                || (line.starts_with("proxy-accept: ") || line.starts_with("proxy-reject: ")) && line.contains(" proto=")
                || line.starts_with("connect to ") && endpoint(text::word(&line["connect to ".len()..]).0).is_some()
                || is_tls(line)
        } else {
            TAILS.iter().any(|tail| rest.starts_with(tail)) || rest.starts_with("action=") && rest.contains(", client_address=")
        };
        Sniff::yes_if(is)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        // Only `postfix/…` and the names that nobody else has are surely its own.
        if let Some(program) = event.text(field::LOG_SYSLOG_APPNAME) {
            let is_shared = matches!(
                program,
                "local" | "pipe" | "error" | "master" | "verify" | "virtual" | "discard" | "smtp" | "flush" | "submission"
            );
            if is_shared && self.sniff(raw) == Sniff::No {
                return Outcome::Unreadable("no Postfix message");
            }
            if program.contains('/') {
                event.set(field::PROCESS_NAME, program);
            }
            event.set(field::SERVICE_NAME, program);
        }
        let message = linux::begin(raw, event, "postfix.log");
        linux::software(event, "Postfix", "Postfix", "postfix");
        event.set_extra("", "service.type", "postfix");
        event.set(field::EVENT_CATEGORY, "email");
        event.set(field::NETWORK_PROTOCOL, "smtp");
        read(event, message);
        Outcome::Parsed
    }
}

fn read<'r>(event: &mut Event<'r>, message: &'r str) {
    let (id, rest) = queue_id(message);
    if !id.is_empty() {
        event.set_extra(PREFIX, "queue_id", id);
    }
    let rest = leveled(event, rest);
    event.set(field::EVENT_TYPE, "info");
    if rest == "removed" {
        return event.set(field::EVENT_ACTION, "removed");
    }
    if let Some((verb, rest)) = rest.split_once(": ").filter(|(verb, _)| VERBS.contains(verb)) {
        return verdict(event, verb, rest);
    }
    if is_pairs(rest) {
        return pairs(event, rest);
    }
    if let Some((_, received)) = rest.split_once("Received-SPF: ") {
        return spf(event, received);
    }
    if rest.contains("; identity=") && rest.contains("; client-ip=") {
        return spf(event, rest);
    }
    if let Some((host, said)) = rest.strip_prefix("host ").and_then(|rest| rest.split_once(" said: ")) {
        event.set(field::EVENT_ACTION, "remote_said");
        ecs::failure(event);
        event.set_present(field::EVENT_REASON, said);
        return relay(event, host);
    }
    if rest.starts_with("header ") || rest.starts_with("mime-header ") || rest.starts_with("body ") {
        event.set(field::EVENT_ACTION, "header_check");
        if let Some((_, name)) = rest.split_once("filename=") {
            event.set_present(field::FILE_NAME, name.trim_start_matches('"').split(['"', ';']).next().unwrap_or_default());
        }
        if let Some((_, size)) = rest.split_once("; size=") {
            event.set_int(field::FILE_SIZE, text::digits(size).0);
        }
        return ending(event, rest);
    }
    if let Some(rest) = rest.strip_prefix("hostname ") {
        // `hostname bad.example.com does not resolve to address 192.0.2.44: …`
        event.set(field::EVENT_ACTION, "hostname_check");
        ecs::failure(event);
        event.set_present(field::SOURCE_DOMAIN, text::word(rest).0);
        if let Some((_, address)) = rest.split_once(" address ") {
            ecs::source(event, address.split([':', ' ']).next().unwrap_or(address).trim_end_matches(':'));
        }
        return;
    }
    session(event, rest);
}

const VERBS: [&str; 18] = [
    "proxy-reject",
    "proxy-accept",
    "milter-header-redirect",
    "milter-redirect",
    "reject",
    "milter-reject",
    "filter",
    "hold",
    "discard",
    "warn",
    "redirect",
    "reject_warning",
    "info",
    "bcc",
    "prepend",
    "delay",
    "milter-hold",
    "milter-discard",
];

/// `Untrusted TLS connection established to mx.example.org[192.0.2.7]:25: TLSv1.3 with cipher …`.
fn is_tls(line: &str) -> bool {
    let Some((trust, rest)) = line.split_once(" TLS connection established ") else { return false };
    matches!(trust, "Anonymous" | "Untrusted" | "Trusted" | "Verified") && (rest.starts_with("to ") || rest.starts_with("from "))
}

/// `NOQUEUE: `, `96887C0006: `, `4WkQzX1abcz9rxp: `.
fn queue_id(message: &str) -> (&str, &str) {
    let Some((id, rest)) = message.split_once(": ") else { return ("", message) };
    let is_id = id == "NOQUEUE"
        || (5..=20).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric())
            && id.bytes().any(|b| b.is_ascii_digit())
            && (id.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'A'..=b'F')) || id.len() >= 10);
    if is_id { (id, rest) } else { ("", message) }
}

fn leveled<'r>(event: &mut Event<'r>, rest: &'r str) -> &'r str {
    for level in ["warning", "error", "fatal", "panic"] {
        if let Some(rest) = rest.strip_prefix(level).and_then(|rest| rest.strip_prefix(": ")) {
            event.set(field::LOG_LEVEL, level);
            return rest;
        }
    }
    rest
}

/// `RCPT from name[192.0.2.7]:51000: 554 5.7.1 <…>: Relay access denied; from=<…> to=<…> proto=ESMTP helo=<…>`.
fn verdict<'r>(event: &mut Event<'r>, verb: &'r str, rest: &'r str) {
    event.set(field::EVENT_ACTION, verb);
    if verb == "proxy-accept" {
        ecs::success(event);
    }
    if verb.contains("reject") && verb != "reject_warning" {
        event.set(field::EVENT_TYPE, "denied");
        ecs::failure(event);
    }
    let (stage, after) = rest.split_once(" from ").unwrap_or(("", rest));
    if !stage.is_empty() && !stage.contains(' ') {
        event.set_extra(PREFIX, "stage", stage);
    }
    let body = after.split("; from=<").next().and_then(|body| body.split("; to=<").next()).unwrap_or(after);
    if let Some((peer, reason)) = body.split_once(": ") {
        set_peer(event, peer);
        event.set_present(field::EVENT_REASON, reason.trim_end_matches(';'));
        let code = text::digits(reason).0;
        if code.len() == 3 {
            event.set(field::EVENT_CODE, code);
        }
    } else {
        set_peer(event, body.trim_end_matches(';'));
    }
    ending(event, rest);
}

/// `; from=<a> to=<b> proto=ESMTP helo=<c>`: the last one, since what stands before is the peer's text.
fn ending<'r>(event: &mut Event<'r>, text: &'r str) {
    if !event.has(field::SOURCE_IP)
        && let Some((_, peer)) = text.split("; from=<").next().and_then(|head| head.rsplit_once(" from "))
    {
        set_peer(event, peer.trim_end_matches([';', ':']));
    }
    let tail_at = |head: &[u8]| memchr::memmem::rfind(text.as_bytes(), head);
    let Some(at) = tail_at(b"; from=<").or_else(|| tail_at(b"; to=<")) else { return };
    let tail = &text[at + 2..];
    for key in ["from=<", "to=<", "helo=<", "sasl_username=<"] {
        if let Some((_, value)) = tail.split_once(key)
            && let Some((value, _)) = value.split_once('>')
        {
            pair(event, key.trim_end_matches("=<"), value);
        }
    }
    if let Some((_, proto)) = tail.split_once(" proto=") {
        event.set_extra(PREFIX, "protocol", text::word(proto).0);
    }
    // A peer without a name in DNS is called what it calls itself, rather than after its mail.
    if !event.has(field::SOURCE_DOMAIN)
        && let Some((_, helo)) = tail.split_once("helo=<")
        && let Some((helo, _)) = helo.split_once('>')
        && helo.contains('.')
        && ecs::ip(helo).is_none()
        && !helo.starts_with('[')
    {
        event.set(field::SOURCE_DOMAIN, helo);
    }
    domains(event);
}

fn is_pairs(text: &str) -> bool {
    let key = text.split(['=', ' ']).next().unwrap_or_default();
    matches!(key, "to" | "from" | "client" | "message-id" | "uid" | "action" | "resent-message-id" | "sender" | "orig_client")
        && text.contains('=')
}

/// `to=<a@b>, relay=x[192.0.2.7]:25, delay=0.3, …, status=sent (250 ok)`, `client=x[192.0.2.7], sasl_username=an`.
fn pairs<'r>(event: &mut Event<'r>, text: &'r str) {
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_start_matches([',', ' ']);
        if key.contains(' ') && !key.starts_with("orig_") {
            break;
        }
        let (value, next) = if let Some(inside) = after.strip_prefix('<') {
            inside.split_once('>').unwrap_or((inside, ""))
        } else if key == "status" {
            (after, "")
        } else {
            after.split_at(crate::text::find(after.as_bytes(), b", ").unwrap_or(after.len()))
        };
        pair(event, key, value);
        rest = next;
    }
    domains(event);
}

fn pair<'r>(event: &mut Event<'r>, key: &'r str, value: &'r str) {
    match key {
        "from" | "sender" => {
            if !value.is_empty() {
                event.set_extra("", "email.from.address", value);
            }
        }
        "to" | "recipient" | "orig_to" => {
            if !value.is_empty() {
                let name =
                    if key == "orig_to" && has_extra(event, "email.to.address") { "postfix.orig_to" } else { "email.to.address" };
                event.set_extra("", name, value);
            }
        }
        "message-id" | "resent-message-id" => {
            event.set(field::EVENT_ACTION, "message_id");
            if !value.is_empty() {
                event.set_extra("", "email.message_id", value);
            }
        }
        "client" | "orig_client" => set_peer(event, value),
        "client_name" => {
            if value != "unknown" {
                event.set_present(field::SOURCE_DOMAIN, value);
            }
        }
        "client_address" => ecs::source(event, value.split('/').next().unwrap_or(value)),
        "relay" => {
            event.set_extra(PREFIX, "relay", value);
            if let Some((address, port)) = value.rsplit_once(':').filter(|(address, _)| ecs::ip(address).is_some()) {
                ecs::ip_only(event, field::DESTINATION_IP, address);
                event.set_int(field::DESTINATION_PORT, port);
            }
            relay(event, value);
        }
        "status" => {
            let (status, reason) = value.split_once(" (").unwrap_or((value, ""));
            event.set(field::EVENT_ACTION, status);
            event.set_present(field::EVENT_REASON, reason.strip_suffix(')').unwrap_or(reason));
            match status {
                "sent" | "delivered" | "deliverable" => ecs::success(event),
                "bounced" | "deferred" | "expired" | "undeliverable" => ecs::failure(event),
                _ => {}
            }
        }
        "action" => {
            event.set(field::EVENT_ACTION, value);
            if value == "pass" {
                ecs::success(event);
            }
        }
        "reason" => event.set(field::EVENT_REASON, value),
        "helo" => event.set_extra(PREFIX, "helo", value),
        "sasl_username" => ecs::user(event, field::USER_NAME, value),
        "uid" => event.set(field::USER_ID, text::word(value).0),
        "size" => {
            event.set_int(field::SOURCE_BYTES, value);
            event.set(field::EVENT_ACTION, "queued");
        }
        "delay" => {
            if let Some(nanos) = text::seconds_to_nanos(value) {
                event.set(field::EVENT_DURATION, nanos);
            }
        }
        "" => {}
        _ => event.set_extra(PREFIX, key, value),
    }
}

fn has_extra(event: &Event<'_>, name: &str) -> bool {
    event.extra().iter().any(|(extra, _)| extra.prefix.is_empty() && extra.key == name)
}

/// The domains of sender and recipient stand in for peers that the line does not name.
fn domains(event: &mut Event<'_>) {
    for (name, taken, target) in [
        ("email.from.address", field::SOURCE_IP, field::SOURCE_DOMAIN),
        ("email.to.address", field::DESTINATION_IP, field::DESTINATION_DOMAIN),
    ] {
        if event.has(target) || event.has(taken) && target == field::DESTINATION_DOMAIN {
            continue;
        }
        let address =
            event.extra().iter().find(|(extra, _)| extra.prefix.is_empty() && extra.key == name).map(|(_, value)| *value);
        if let Some(event::Value::Str(address)) = address
            && let Some((_, domain)) = address.rsplit_once('@').filter(|(_, domain)| !domain.is_empty())
        {
            event.set(target, domain);
        }
    }
}

/// `name[192.0.2.7]:25`, `local`, `none`, `private/dovecot-lmtp`.
fn relay<'r>(event: &mut Event<'r>, relay: &'r str) {
    if let Some((name, address, port)) = endpoint(relay) {
        event.set_present(field::DESTINATION_DOMAIN, name);
        ecs::ip_only(event, field::DESTINATION_IP, address);
        event.set_int(field::DESTINATION_PORT, port);
    }
}

/// `name[address]` and perhaps `:port`.
fn endpoint(text: &str) -> Option<(&str, &str, &str)> {
    let (name, inside) = text.split_once('[')?;
    let (address, after) = inside.split_once(']')?;
    let port = after.strip_prefix(':').map_or("", |port| text::digits(port).0);
    (!name.contains(' ')).then_some((name, address, port))
}

fn set_peer<'r>(event: &mut Event<'r>, peer: &'r str) {
    let Some((name, address, port)) = endpoint(peer) else {
        if peer == "localhost" || peer == "local" {
            event.set(field::SOURCE_DOMAIN, peer);
        }
        return;
    };
    if name != "unknown" {
        event.set_present(field::SOURCE_DOMAIN, name);
    }
    match ecs::ip(address) {
        Some(ip) => {
            ecs::ip_only(event, field::SOURCE_IP, address);
            event.set_extra("", "network.type", if ip.is_ipv4() { "ipv4" } else { "ipv6" });
        }
        None => event.set_present(field::SOURCE_ADDRESS, address),
    }
    event.set_int(field::SOURCE_PORT, port);
}

/// Where the first ` from name[` of a line is.
fn peer_at(line: &str) -> Option<&str> {
    memchr::memmem::find_iter(line.as_bytes(), b" from ")
        .map(|at| &line[at + 6..])
        .find(|rest| endpoint(text::word(rest).0).is_some())
}

/// Sessions: connect, TLS, SASL, postscreen's tests.
fn session<'r>(event: &mut Event<'r>, rest: &'r str) {
    let action = ACTIONS.iter().find(|(head, ..)| rest.starts_with(head));
    if let Some((_, action, is_failure)) = action {
        event.set(field::EVENT_ACTION, *action);
        if *is_failure {
            ecs::failure(event);
        }
    }
    let to = [&b" to "[..], b" for "]
        .into_iter()
        .flat_map(|word| memchr::memmem::find_iter(rest.as_bytes(), word).map(move |at| at + word.len()))
        .map(|at| text::word(&rest[at..]).0)
        .find(|word| endpoint(word).is_some());
    if let Some(to) = to.filter(|to| !to.starts_with('[')) {
        relay(event, to.trim_end_matches([':', ',']));
    } else if let Some(peer) = peer_at(rest) {
        set_peer(event, text::word(peer).0.trim_end_matches([':', ',', ';']));
    } else if let Some(word) =
        rest.split(' ').find(|word| endpoint(word).is_some_and(|(_, address, _)| ecs::ip(address).is_some()))
    {
        set_peer(event, word.trim_end_matches([':', ',', ';']));
    }
    if rest.starts_with("connect to ")
        && let Some((_, reason)) = rest.split_once("]:").and_then(|(_, rest)| rest.split_once(": "))
    {
        event.set(field::EVENT_REASON, reason);
    }
    if let Some((_, reason)) = rest.split_once("]: SASL ") {
        event.set(field::EVENT_ACTION, "sasl_login");
        event.set(field::EVENT_CATEGORY, "authentication");
        event.set(field::EVENT_TYPE, "start");
        ecs::failure(event);
        event.set(field::EVENT_REASON, &rest[rest.len() - reason.len() - "SASL ".len()..]);
        if let Some((_, user)) = reason.split_once("sasl_username=") {
            ecs::user(event, field::USER_NAME, text::strip_pair(user.split(", ").next().unwrap_or(user), '<', '>'));
        }
    }
    if let Some((_, tls)) = rest.split_once("]: TLSv").or_else(|| rest.split_once(": TLSv")) {
        event.set(field::TLS_VERSION, text::word(tls).0);
        if let Some((_, cipher)) = tls.split_once("with cipher ") {
            event.set(field::TLS_CIPHER, text::word(cipher).0);
        }
    }
    if let Some((_, to)) = rest.split_once(" to [").filter(|_| rest.starts_with("CONNECT from ")) {
        let (address, port) = to.split_once("]:").unwrap_or((to, ""));
        ecs::ip_only(event, field::DESTINATION_IP, address);
        event.set_int(field::DESTINATION_PORT, port);
    }
}

const ACTIONS: &[(&str, &str, bool)] = &[
    ("connect from ", "connect", false),
    ("connect to ", "connect_failed", true),
    ("disconnect from ", "disconnect", false),
    ("lost connection after ", "lost_connection", true),
    ("timeout after ", "timeout", true),
    ("too many errors after ", "too_many_errors", true),
    ("improper command pipelining after ", "improper_pipelining", true),
    ("SSL_accept error from ", "tls_error", true),
    ("TLS library problem", "tls_error", true),
    ("non-SMTP command from ", "non_smtp_command", true),
    ("Illegal address syntax from ", "illegal_address", true),
    ("Anonymous TLS connection established ", "tls_established", false),
    ("Untrusted TLS connection established ", "tls_established", false),
    ("Trusted TLS connection established ", "tls_established", false),
    ("Verified TLS connection established ", "tls_established", false),
    ("CONNECT from ", "postscreen_connect", false),
    ("DISCONNECT ", "postscreen_disconnect", false),
    ("PASS NEW ", "postscreen_pass", false),
    ("PASS OLD ", "postscreen_pass", false),
    ("WHITELISTED ", "postscreen_allowed", false),
    ("ALLOWLISTED ", "postscreen_allowed", false),
    ("BLACKLISTED ", "postscreen_denied", true),
    ("DENYLISTED ", "postscreen_denied", true),
    ("DNSBL rank ", "postscreen_dnsbl", true),
    ("PREGREET ", "postscreen_pregreet", true),
    ("HANGUP ", "postscreen_hangup", true),
    ("COMMAND COUNT LIMIT ", "postscreen_limit", true),
    ("COMMAND TIME LIMIT ", "postscreen_limit", true),
    ("COMMAND PIPELINING ", "postscreen_pipelining", true),
    ("NON-SMTP COMMAND ", "non_smtp_command", true),
    ("BARE NEWLINE ", "postscreen_bare_newline", true),
    ("statistics: ", "statistics", false),
    ("reload ", "reload", false),
    ("daemon started ", "started", false),
];

/// `Pass (mailfrom) identity=mailfrom; client-ip=192.0.2.7; helo=mx; envelope-from=a@b; receiver=<UNKNOWN>`.
fn spf<'r>(event: &mut Event<'r>, received: &'r str) {
    event.set(field::EVENT_ACTION, "spf_check");
    let (result, rest) = text::word(received);
    let result = result.trim_end_matches(';');
    event.set_extra(PREFIX, "spf", result);
    match result {
        "Pass" => ecs::success(event),
        "Fail" => ecs::failure(event),
        _ => {}
    }
    for part in rest.split(';') {
        let Some((key, value)) = part.trim().split_once('=') else { continue };
        let key = key.rsplit(' ').next().unwrap_or(key);
        match key {
            "client-ip" => ecs::source(event, value),
            "helo" => set_domain(event, field::SOURCE_DOMAIN, value),
            "envelope-from" if !value.is_empty() => event.set_extra("", "email.from.address", text::strip_pair(value, '"', '"')),
            _ => {}
        }
    }
}

fn set_domain<'r>(event: &mut Event<'r>, field: Field, value: &'r str) {
    event.set_present(field, value);
}
