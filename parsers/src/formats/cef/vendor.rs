//! What vendors put into CEF beside its dictionary, and what a line means that no vendor explains.
//!
//! References: Fortinet, FortiOS Log Message Reference, "CEF support" (`FTNTFGT…` keys are FortiOS keys); Palo Alto Networks,
//! Strata Logging Service, "CEF field mapping" (`PanOS…` keys are its field names). Other vendors' keys stay under
//! `cef.extensions.`.

use event::{Event, RawRecord, field};

use crate::{
    ecs,
    formats::{fortigate, paloalto},
    text,
};

use super::Header;

/// The vendors whose own parser knows their keys.
#[expect(clippy::large_enum_variant, reason = "one of them lies on the stack while a line is read")]
pub enum Vendor<'r> {
    Fortinet(fortigate::Line<'r>),
    PaloAlto(paloalto::Log<'r>),
    /// Cisco Secure Email: the parties of a mail stand where users do.
    CiscoEmail,
    Other,
}

impl<'r> Vendor<'r> {
    pub fn of(header: &Header<'r>) -> Self {
        let is = |part: &str, word: &str| part.trim().eq_ignore_ascii_case(word);
        if is(header[0], "Fortinet") && header[1].trim().to_ascii_lowercase().starts_with("fortigate") {
            Self::Fortinet(fortigate::Line::default())
        } else if header[0].trim().starts_with("Palo Alto Networks") && !header[1].contains("Cortex") {
            Self::PaloAlto(paloalto::Log::of(header[3].trim(), header[4].trim()))
        } else if is(header[0], "Cisco") && header[1].contains("Email") {
            Self::CiscoEmail
        } else {
            Self::Other
        }
    }

    pub fn take(&mut self, raw: RawRecord<'r>, event: &mut Event<'r>, key: &'r str, value: &'r str) {
        match self {
            Self::Fortinet(line) => fortigate::cef(event, line, key, value),
            Self::PaloAlto(log) => paloalto::cef(raw, event, log, key, value),
            Self::CiscoEmail => email(event, key, value),
            Self::Other => {}
        }
    }

    pub fn finish(&mut self, raw: RawRecord<'r>, event: &mut Event<'r>, header: &Header<'r>) {
        match self {
            Self::Fortinet(line) => line.finish_cef(raw, event),
            Self::PaloAlto(log) => log.finish_cef(raw, event),
            Self::CiscoEmail => {
                ecs::classify(event, &["email"], &["info"]);
                event.set(field::OBSERVER_TYPE, "mail");
            }
            Self::Other => guess(event, header),
        }
    }
}

/// A pair of Cisco's consolidated mail event (AsyncOS user guide, "Consolidated Event Logs").
fn email<'r>(event: &mut Event<'r>, key: &str, value: &'r str) {
    let value = value.trim_matches(['\'', '"', ' ']);
    if ecs::is_nothing(value) {
        return;
    }
    let name = match key {
        "dvc" => {
            ecs::ip_only(event, field::SERVER_IP, value);
            return;
        }
        "ESATLSInCipher" | "ESATLSOutCipher" => return event.set(field::TLS_CIPHER, value),
        "ESATLSInProtocol" | "ESATLSOutProtocol" => return event.set(field::TLS_VERSION, value.trim_start_matches("TLSv")),
        "ESAMID" => "email.local_id",
        "suser" => "email.from.address",
        "duser" => "email.to.address",
        "msg" => "email.subject",
        "ESAReplyTo" => "email.reply_to.address",
        "ESAHeloDomain" => "source.domain",
        _ => return,
    };
    event.set_named(name, value);
}

/// Categories, types and outcome by what the event has and by the words of its action.
fn guess<'r>(event: &mut Event<'r>, header: &Header<'r>) {
    let product = text::lower(event, header[1].trim());
    let kind = match product {
        _ if product.contains("web application firewall") || product.contains("waf") || product.contains("asm") => "firewall",
        _ if product.contains("firewall") || product.contains("vpn-1") => "firewall",
        _ if product.contains("ips") || product.contains("intrusion") => "ids",
        _ if product.contains("proxy") => "proxy",
        _ => "",
    };
    event.set_present(field::OBSERVER_TYPE, kind);
    let name = text::lower(event, header[4].trim());
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let category = match () {
        () if has(&["malware", "virus", "trojan", "ransom"]) => "malware",
        () if has(&["login", "logon", "logoff", "logout", "authentication"]) => "authentication",
        () if event.has(field::URL_ORIGINAL) || event.has(field::HTTP_REQUEST_METHOD) => "web",
        () if event.has(field::SOURCE_IP) && event.has(field::DESTINATION_IP) => "network",
        () if event.has(field::FILE_NAME) || event.has(field::FILE_PATH) => "file",
        () if event.has(field::PROCESS_NAME) || event.has(field::PROCESS_PID) => "process",
        () if event.has(field::SOURCE_IP) => "network",
        () => "",
    };
    if !category.is_empty() {
        event.set(field::EVENT_CATEGORY, category);
        if category == "web" {
            event.set(field::EVENT_CATEGORY, "network");
        }
    }
    event.set(field::EVENT_TYPE, if has(&["logout", "logoff"]) { "end" } else { "info" });
    if category == "authentication" && !event.has(field::EVENT_OUTCOME) && has(&["fail", "denied", "invalid"]) {
        ecs::failure(event);
    }
    let action = event.text(field::EVENT_ACTION).map_or("", |action| text::lower(event, action));
    let starts = |words: &[&str]| words.iter().any(|word| action.starts_with(word));
    if starts(&["accept", "allow", "permit", "pass", "bypass"]) {
        event.set(field::EVENT_TYPE, "allowed");
    } else if starts(&["block", "deny", "denied", "drop", "reject", "prevent", "reset", "quarantine", "discard"]) {
        event.set(field::EVENT_TYPE, "denied");
    } else {
        return;
    }
    if !event.has(field::EVENT_OUTCOME) {
        ecs::success(event);
    }
}
