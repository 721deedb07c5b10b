//! Cisco Secure Email and Secure Web appliances (IronPort AsyncOS): text mail logs, GUI, AMP, status and system logs by syslog, and
//! the access log of the web appliance.
//!
//! Reference: "User Guide for AsyncOS for Cisco Secure Email", chapter "Logging" (log types, examples of mail logs with MID, ICID,
//! DCID and RID); "User Guide for AsyncOS for Cisco Secure Web Appliance", chapter "Monitor System Activity Through Logs" (access
//! log). Consolidated events in CEF are read by `cef`.
//!
//! The number of a message on the appliance (MID) is `email.local_id`; `email.message_id` is the mail's own.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, net, text, time, web};

const PREFIX: &str = "cisco.ironport.";

pub struct CiscoIronport;

impl Parser for CiscoIronport {
    fn name(&self) -> &'static str {
        "cisco_ironport"
    }

    fn programs(&self) -> &'static [&'static str] {
        &[
            "mail_logs",
            "gui_logs",
            "error_logs",
            "bounce_logs",
            "amp",
            "amp_logs",
            "content_scanner",
            "antispam",
            "antivirus",
            "status",
            "system",
            "system_logs",
            "authentication",
            "cli_logs",
            "graymail",
            "euq_logs",
            "encryption",
            "accesslogs",
            "updater_logs",
            "reportd_logs",
        ]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let Some((_, _, message)) = line(raw, raw.text()) else { return Sniff::No };
        let marks =
            ["MID ", "ICID ", "DCID ", "Status: CPULd", "SourceIP:", "file reputation", "File Analysis", "File analysis", "req:"];
        Sniff::yes_if(is_access(message) || marks.iter().any(|mark| message.contains(mark)))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some((stamp, level, message)) = line(raw, raw.text()) else {
            return Outcome::Unreadable("no level of an AsyncOS log");
        };
        if let Some(stamp) = stamp {
            event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        }
        event.set(field::OBSERVER_VENDOR, "Cisco");
        event.set(field::LOG_LEVEL, text::lower(event, level));
        event.set(field::MESSAGE, message);
        if is_access(message) {
            event.set_dataset("cisco.wsa");
            event.set(field::OBSERVER_PRODUCT, "Secure Web Appliance");
            event.set(field::OBSERVER_TYPE, "proxy");
            access(event, message);
            return Outcome::Parsed;
        }
        event.set_dataset("cisco.esa");
        event.set(field::OBSERVER_PRODUCT, "Secure Email Gateway");
        event.set(field::OBSERVER_TYPE, "mail");
        let program = event.text(field::LOG_SYSLOG_APPNAME).unwrap_or("");
        if !program.is_empty() {
            event.set_extra(PREFIX, "log_category", program);
        }
        mail(event, program, message);
        Outcome::Parsed
    }
}

/// `[Mon Nov 23 10:00:00 2026 ]Info: message`.
fn line<'r>(raw: RawRecord<'_>, text: &'r str) -> Option<(Option<time::Stamp>, &'r str, &'r str)> {
    let _ = raw;
    let (stamp, rest) = match time::ctime(text) {
        Some((stamp, rest)) => (Some(stamp), rest.trim_start_matches(' ')),
        None => (None, text),
    };
    let (level, message) = rest.split_once(": ")?;
    matches!(level, "Info" | "Warning" | "Critical" | "Debug" | "Trace" | "Alert" | "Error" | "INFO" | "WARNING" | "CRITICAL")
        .then_some((stamp, level, message.trim_start_matches(' ')))
}

/// `1795402800.352 7 10.0.0.5 TCP_MISS/302 …`.
fn is_access(message: &str) -> bool {
    let (epoch, rest) = text::word(message);
    let b = epoch.as_bytes();
    b.len() == 14
        && b[10] == b'.'
        && epoch.bytes().enumerate().all(|(at, b)| at == 10 || b.is_ascii_digit())
        && rest.contains("/")
}

/// `epoch elapsed client code/status bytes method url user hierarchy/server type decision <verdicts> …`.
fn access<'r>(event: &mut Event<'r>, message: &'r str) {
    let mut words = message.split(' ').filter(|word| !word.is_empty());
    let mut next = || words.next().unwrap_or("");
    if let Some(time) = time::epoch(next()) {
        event.set(field::TIMESTAMP, Value::Time(time));
    }
    if let Ok(millis) = next().parse::<i64>() {
        event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
    }
    ecs::source(event, next());
    let (code, status) = next().split_once('/').unwrap_or(("", ""));
    event.set_int(field::HTTP_RESPONSE_STATUS_CODE, status);
    event.set_int(field::HTTP_RESPONSE_BODY_BYTES, next());
    event.set_present(field::HTTP_REQUEST_METHOD, next());
    let url = next();
    web::url(event, url);
    net::account(event, next());
    let (hierarchy, server) = next().split_once('/').unwrap_or(("", ""));
    event.set_extra(PREFIX, "hierarchy", hierarchy);
    ecs::destination(event, server);
    if ecs::ip(server).is_none() {
        event.set_present(field::DESTINATION_DOMAIN, server);
    }
    event.set_named("http.response.mime_type", next());
    // Marks of custom fields (`CMF:44`) may stand before the decision.
    let mut decision = next();
    while decision.contains(':') {
        decision = next();
    }
    if !decision.is_empty() {
        let (action, groups) = decision.split_once('-').unwrap_or((decision, ""));
        event.set(field::EVENT_ACTION, action);
        event.set(field::RULE_ID, action);
        event.set_extra(PREFIX, "decision", decision);
        event.set_present(field::RULE_NAME, groups.split('-').next().unwrap_or(""));
    }
    event.set_extra(PREFIX, "result_code", code);
    net::transport(event, "tcp");
    event.set(field::NETWORK_DIRECTION, "egress");
    let is_denied = decision.starts_with("BLOCK") || code.contains("DENIED");
    ecs::classify(event, &["web", "network"], &["access", if is_denied { "denied" } else { "allowed" }]);
    if is_denied { ecs::failure(event) } else { ecs::success(event) }
}

/// The value behind a mark: in quotes or angle brackets, else one word.
fn behind<'r>(message: &'r str, mark: &str) -> Option<&'r str> {
    let at = message.find(mark)?;
    // The mark must begin a word.
    if at > 0 && message.as_bytes()[at - 1].is_ascii_alphanumeric() {
        return None;
    }
    let rest = message[at + mark.len()..].trim_start_matches(' ');
    let close = match rest.as_bytes().first()? {
        b'<' => '>',
        b'\'' => '\'',
        b'"' => '"',
        b'[' => ']',
        _ => return Some(rest.split([' ', ',']).next().unwrap_or("").trim_end_matches(['.', ';'])),
    };
    let inside = &rest[1..];
    Some(inside.split(close).next().unwrap_or(inside))
}

fn mail<'r>(event: &mut Event<'r>, program: &str, message: &'r str) {
    for (mark, name) in [
        ("MID", "email.local_id"),
        ("From:", "email.from.address"),
        ("To:", "email.to.address"),
        ("Message-ID", "email.message_id"),
        ("alert was sent to", "email.to.address"),
        ("message to", "email.to.address"),
        ("alert to", "email.to.address"),
    ] {
        let found = match mark {
            "MID" => behind(message, "MID ").filter(|id| id.bytes().all(|b| b.is_ascii_digit())),
            mark => behind(message, mark),
        };
        if let Some(value) = found.filter(|value| !value.is_empty()) {
            event.set_named(name, value.trim_matches(['<', '>']));
        }
    }
    for (mark, name) in [("ICID ", "icid"), ("DCID ", "dcid"), ("RID ", "rid")] {
        if let Some(value) = behind(message, mark).filter(|value| !value.is_empty()) {
            event.set_extra(PREFIX, name, value);
        }
    }
    // The subject runs to the end of its quotes, whatever quotes stand in it.
    if let Some((_, rest)) = message.split_once("ubject ") {
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        if let Some(quote) = quote {
            let inside = &rest[1..];
            event.set_named("email.subject", inside.rfind(quote).map_or(inside, |end| &inside[..end]));
        }
    }
    let (mut categories, mut types, mut action): (&[&'static str], &[&'static str], &str) = (&["email"], &["info"], "");
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["New SMTP ICID", "New SMTP DCID"]) {
        event.set(field::NETWORK_PROTOCOL, "smtp");
        (categories, types, action) = (&["email", "network"], &["connection", "start"], "smtp-connection");
        if let Some(address) = behind(message, "address ") {
            let is_delivery = message.contains("DCID");
            if is_delivery { ecs::destination(event, address) } else { ecs::source(event, address) }
        }
        if let Some(host) = behind(message, "reverse dns host ") {
            event.set(field::SOURCE_DOMAIN, host);
        }
    } else if has(&[" ACCEPT "]) {
        (types, action) = (&["connection", "allowed"], "accept");
    } else if has(&[" REJECT ", "rejected", "Dropped", "dropped", "TCPREFUSE"]) {
        (types, action) = (&["connection", "denied"], "reject");
    } else if has(&["Message done", "Message finished", "queued for delivery"]) {
        (types, action) = (&["info", "end"], "delivered");
    } else if has(&["Bounced", "aborted", "quarantin"]) {
        (types, action) = (
            &["info", "denied"],
            if has(&["Bounced"]) {
                "bounced"
            } else if has(&["aborted"]) {
                "aborted"
            } else {
                "quarantined"
            },
        );
    }
    if matches!(program, "amp" | "amp_logs")
        || has(&["file reputation", "File Analysis", "File analysis", "Retrospective verdict"])
    {
        (categories, action) = (&["malware", "file", "email"], "file-analysis");
        files(event, message);
    }
    if program.starts_with("error") || has(&["Error while"]) {
        types = &["error"];
    }
    if has(&["definitions have changed", "Configuration changed", "has been changed"]) {
        (categories, types) = (&["configuration"], &["change"]);
    }
    if program.starts_with("gui")
        || program.starts_with("cli")
        || program.starts_with("authentication")
        || has(&["req:", "was authenticated", "authentication attempt"])
    {
        (categories, types, action) = session(event, message);
    }
    ecs::classify(event, categories, types);
    event.set_present(field::EVENT_ACTION, event.alloc(action));
    if has(&["spam positive", "virus positive", "antivirus positive", "MALICIOUS"])
        || (has(&[" alert "]) && has(&["sent to", "to "]))
    {
        event.set(field::EVENT_KIND, "alert");
    }
}

/// Verdicts on files: name, hash, malware.
fn files<'r>(event: &mut Event<'r>, message: &'r str) {
    for mark in ["FileName = ", "File Name: ", "filename ", "attachment "] {
        if let Some(name) = behind(message, mark).filter(|name| !name.is_empty()) {
            event.set(field::FILE_NAME, name);
            event.set_named("email.attachments.file.name", name);
            break;
        }
    }
    for mark in ["SHA256: ", "SHA256[", "sha256 =", "sha256 = "] {
        let hash =
            message.split_once(mark).map(|(_, rest)| rest.trim_start_matches(' ').split([',', ']', ' ']).next().unwrap_or(""));
        if let Some(hash) = hash.filter(|hash| hash.len() == 64) {
            event.set(field::FILE_HASH_SHA256, hash);
            event.set(field::RELATED_HASH, hash);
            event.set_named("email.attachments.file.hash.sha256", hash);
            break;
        }
    }
    for mark in ["Malware = ", "Spyname: "] {
        if let Some(name) = behind(message, mark) {
            event.set(field::RULE_NAME, name);
        }
    }
    if let Some(verdict) = behind(message, "Disposition = ").or_else(|| behind(message, "Verdict: ")) {
        event.set_extra(PREFIX, "verdict", verdict);
    }
}

type Meaning = (&'static [&'static str], &'static [&'static str], &'static str);

/// Administrators and the pages they asked for.
fn session<'r>(event: &mut Event<'r>, message: &'r str) -> Meaning {
    for mark in ["Username:", "user:", "for user ", "by the user ", "User "] {
        if let Some(user) = behind(message, mark).filter(|user| !user.is_empty() && *user != "-") {
            net::account(event, user);
            break;
        }
    }
    for mark in ["SourceIP:", "req:", " from "] {
        let address =
            message.split_once(mark).map_or("", |(_, rest)| rest.split([' ', ',']).next().unwrap_or("").trim_end_matches('.'));
        if ecs::ip_only(event, field::SOURCE_IP, address) {
            ecs::ip_only(event, field::HOST_IP, address);
            break;
        }
    }
    // `… id:x 200 GET /a HTTP/1.1 agent`.
    if let Some(at) = message.find(" HTTP/") {
        let mut words = message[..at].rsplitn(4, ' ');
        let (path, method, status) = (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
        web::url(event, path);
        event.set_present(field::HTTP_REQUEST_METHOD, method);
        event.set_int(field::HTTP_RESPONSE_STATUS_CODE, status);
        let (version, agent) = text::word(&message[at + " HTTP/".len()..]);
        event.set(field::HTTP_VERSION, version);
        event.set_present(field::USER_AGENT_ORIGINAL, agent.trim());
        return (&["web", "session"], &["access"], "page-request");
    }
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["fail", "Fail"]) {
        ecs::failure(event);
        return (&["authentication", "session"], &["start", "denied"], "login");
    }
    if has(&["authenticated successfully", "succeeded"]) {
        ecs::success(event);
        return (&["authentication", "session"], &["start"], "login");
    }
    if has(&["expired", "logged out", "closed", "timed out"]) {
        return (&["session"], &["end"], "session-ended");
    }
    if has(&["established"]) {
        ecs::success(event);
        return (&["session"], &["start"], "session-started");
    }
    if has(&["changed"]) {
        return (&["configuration", "iam"], &["change"], "changed");
    }
    (&["session"], &["info"], "")
}
