//! Cisco ASA, its ancestors PIX and FWSM, and Firepower Threat Defense: `%ASA-6-302013: Built outbound TCP connection …`.
//!
//! Reference: "Cisco ASA Series Syslog Messages" (7.0 to 9.20) and "Cisco Secure Firewall Threat Defense Syslog Messages",
//! chapters by message number.
//!
//! The number decides what the rest of the line is, so the number is looked up in [`messages::MESSAGES`] and its templates are
//! tried. A message that is not listed, or not written as documented, still gives what such messages share: `Group = …, IP = …`
//! heads, `from … to …`, `src … dst …`, `for user …`.
//!
//! `event.action` uses the words that rules for these devices know: `firewall-rule`, `flow-creation`, `flow-expiration`.

mod ftd;
mod messages;

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    net::{self, DESTINATION, Endpoint, SOURCE, endpoint},
    template::{Captures, Template},
    text,
};
use messages::{MESSAGES, RANGES};

const PREFIX: &str = "cisco.asa.";

pub struct CiscoAsa;

impl Parser for CiscoAsa {
    fn name(&self) -> &'static str {
        "cisco_asa"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["SFIMS"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(header(raw.text()).is_some() || sfims(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(header) = header(raw.text()) else {
            let text = sfims(raw.text()).unwrap_or(raw.text());
            if !ftd::is_event(text) {
                return Outcome::Unreadable("no %ASA- header");
            }
            observer(event, "FTD");
            ftd::set(raw, event, text, 0);
            return Outcome::Parsed;
        };
        observer(event, header.product);
        event.set(field::EVENT_CODE, header.number);
        event.set(field::EVENT_SEVERITY, i64::from(header.severity));
        event.set(field::LOG_LEVEL, net::LEVELS[usize::from(header.severity)]);
        event.set_present(field::MESSAGE, header.message);
        let number = header.number.parse().unwrap_or(0);
        message(raw, event, number, header.message);
        Outcome::Parsed
    }
}

fn observer(event: &mut Event<'_>, product: &str) {
    let (dataset, name, kind) = match product {
        "FTD" | "NGIPS" | "FDT" => ("cisco.ftd", "ftd", "idps"),
        "PIX" => ("cisco.pix", "pix", "firewall"),
        "FWSM" => ("cisco.fwsm", "fwsm", "firewall"),
        _ => ("cisco.asa", "asa", "firewall"),
    };
    event.set_dataset(dataset);
    event.set(field::OBSERVER_VENDOR, "Cisco");
    event.set(field::OBSERVER_PRODUCT, name);
    event.set(field::OBSERVER_TYPE, kind);
}

struct Header<'r> {
    product: &'r str,
    severity: u8,
    number: &'r str,
    message: &'r str,
}

/// Reads `%ASA-6-302013: `; also `%ASA-session-6-302013`, `%ASA-6-111010 ` and a blank before the colon.
fn header(text: &str) -> Option<Header<'_>> {
    let at = if text.starts_with('%') { 0 } else { memchr::memchr(b'%', &text.as_bytes()[..text.len().min(64)])? };
    let rest = &text[at + 1..];
    let (product, rest) = rest.split_once('-')?;
    if !(2..=6).contains(&product.len()) || !product.bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    // A class may stand before the severity (`%ASA-auth-6-109005`).
    let rest = match rest.as_bytes() {
        [b'0'..=b'7', b'-', ..] => rest,
        _ => rest.split_once('-').filter(|(class, _)| class.len() <= 16)?.1,
    };
    let severity = rest.as_bytes().first()?.checked_sub(b'0').filter(|severity| *severity < 8)?;
    let (number, rest) = text::digits(rest.get(1..)?.strip_prefix('-')?);
    // Six digits are the mark of this family: other Cisco devices write a word, ACE seven digits at most.
    if number.len() != 6 {
        return None;
    }
    let message = rest.trim_start_matches(' ').strip_prefix(':').unwrap_or(rest).trim_start_matches(' ');
    Some(Header { product, severity, number, message })
}

/// A security event as the Management Center sends it, without a message number.
fn sfims(text: &str) -> Option<&str> {
    let text = text.strip_prefix("SFIMS: ").unwrap_or(text);
    let is = (text.starts_with("Protocol: ")
        || text.starts_with("SrcIP: ")
        || text.starts_with("AccessControlRuleAction: ")
        || text.starts_with("EventPriority: ")
        || text.starts_with("DeviceUUID: "))
        && crate::text::find(text.as_bytes(), b"SrcIP: ").is_some()
        && crate::text::find(text.as_bytes(), b"DstIP: ").is_some();
    is.then_some(text)
}

/// What kind of event a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Says how the firewall dealt with traffic, or simply something.
    Rule,
    System,
    Denied,
    Drop,
    Discarded,
    Permitted,
    Requested,
    /// The verdict stands in the message.
    Access,
    Built,
    Teardown,
    StubEnd,
    IcmpBuilt,
    IcmpTeardown,
    HostBuilt,
    HostTeardown,
    Limit,
    Error,
    Ftp,
    Http,
    Url,
    UrlDenied,
    Botnet,
    Ips,
    Threat,
    Ftd,
    Login,
    LoginFailed,
    LoggedOut,
    AuthStart,
    AuthEnd,
    Authorized,
    Unauthorized,
    Locked,
    Unlocked,
    UserAdded,
    UserDeleted,
    UserChanged,
    Identity,
    Command,
    Config,
    Vpn,
    VpnOn,
    VpnOff,
    VpnError,
    VpnConnection,
    Assigned,
    Sa,
    SaDeleted,
    Ike,
    IkeDone,
    IkeError,
    IkeTwo,
    IkeTwoError,
    Tls,
    TlsFailed,
    Cert,
    CertError,
    Dhcp,
    Time,
}

/// Action, categories, types and outcome (empty: none).
type Meaning = (&'static str, &'static [&'static str], &'static [&'static str], &'static str);

impl Class {
    fn meaning(self) -> Meaning {
        use Class::*;
        const NET: &[&str] = &["network"];
        const AUTH: &[&str] = &["authentication", "network"];
        match self {
            Rule | System | Requested | Access | Http | Identity | Time | Ftd => ("firewall-rule", NET, &["info"], ""),
            Denied | Limit | UrlDenied => ("firewall-rule", NET, &["connection", "denied"], "success"),
            Discarded => ("firewall-rule", NET, &["connection", "denied"], "success"),
            Drop => ("drop", NET, &["connection", "denied"], "success"),
            Permitted | Url => ("firewall-rule", NET, &["connection", "allowed"], "success"),
            Built => ("firewall-rule", NET, &["info", "connection", "start"], ""),
            Teardown => ("flow-expiration", NET, &["connection", "end"], ""),
            StubEnd => ("firewall-rule", NET, &["info", "connection", "end"], ""),
            IcmpBuilt | HostBuilt => ("flow-creation", NET, &["connection", "start"], ""),
            IcmpTeardown | HostTeardown => ("flow-expiration", NET, &["connection", "end"], ""),
            Error => ("error", NET, &["error", "info"], "failure"),
            Ftp => ("firewall-rule", &["network", "file"], &["info", "access"], ""),
            Botnet => ("firewall-rule", &["network", "malware"], &["connection"], "success"),
            Ips => ("intrusion-detected", &["network", "intrusion_detection"], &["info"], ""),
            Threat => ("firewall-rule", &["network", "threat"], &["info", "indicator"], ""),
            Login => ("logged-in", AUTH, &["allowed", "info", "start"], "success"),
            LoginFailed => ("logon-failed", AUTH, &["denied", "info", "start"], "failure"),
            LoggedOut => ("logged-out", AUTH, &["end"], "success"),
            AuthStart => ("authentication-started", AUTH, &["start", "info"], ""),
            AuthEnd => ("session-ended", AUTH, &["end", "info"], ""),
            Authorized => ("authorized", AUTH, &["allowed", "info"], "success"),
            Unauthorized => ("authorization-denied", AUTH, &["denied", "info"], "failure"),
            Locked => ("user-locked", &["iam", "authentication"], &["user", "change"], "success"),
            Unlocked => ("user-unlocked", &["iam"], &["user", "change"], "success"),
            UserAdded => ("user-added", &["iam"], &["user", "creation"], "success"),
            UserDeleted => ("user-deleted", &["iam"], &["user", "deletion"], "success"),
            UserChanged => ("user-changed", &["iam"], &["user", "change"], "success"),
            Command => ("command-executed", &["configuration", "network"], &["change", "info"], "success"),
            Config => ("configuration-changed", &["configuration", "network"], &["change", "info"], "success"),
            Vpn => ("firewall-rule", &["network", "session"], &["info", "connection", "end"], ""),
            VpnOn => ("client-vpn-connected", &["network", "session"], &["connection", "start"], "success"),
            VpnOff => ("client-vpn-disconnected", &["network", "session"], &["connection", "end"], ""),
            VpnError => ("client-vpn-error", NET, &["connection", "error", "denied"], "failure"),
            VpnConnection => ("firewall-rule", NET, &["info", "connection"], ""),
            Assigned => ("client-vpn-address-assigned", NET, &["info", "connection"], "success"),
            Sa => ("created", NET, &["info", "connection", "start"], "success"),
            SaDeleted => ("deleted", NET, &["info", "deletion", "connection", "end"], "success"),
            Ike => ("firewall-rule", NET, &["info"], ""),
            IkeDone => ("firewall-rule", NET, &["info", "connection", "start"], "success"),
            IkeError => ("error", NET, &["error"], "failure"),
            IkeTwo => ("firewall-rule", NET, &["info", "connection"], ""),
            IkeTwoError => ("connection-error", NET, &["connection", "error"], "failure"),
            Tls => ("tls-session", NET, &["connection", "info"], ""),
            TlsFailed => ("tls-session", NET, &["connection", "error"], "failure"),
            Cert => ("certificate-validated", AUTH, &["info"], "success"),
            CertError => ("certificate-validation-failed", AUTH, &["info", "denied"], "failure"),
            Dhcp => ("dhcp", NET, &["info", "protocol"], ""),
        }
    }
}

/// What a template may capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Source,
    Destination,
    SourceNat,
    DestinationNat,
    SourceUser,
    DestinationUser,
    SourceMac,
    ClientNat,
    Foreign,
    Global,
    Local,
    In,
    Out,
    User,
    UserTarget,
    By,
    Group,
    Proto,
    Direction,
    Verdict,
    Rule,
    RuleId,
    Reason,
    Duration,
    Bytes,
    Sent,
    Received,
    Action,
    File,
    Url,
    DestinationUrl,
    Protocol,
    Service,
    Command,
    Program,
    Agent,
    TlsVersion,
    Cipher,
    Result,
    Domain,
    Subject,
    What,
    /// Kept under the vendor's prefix.
    Extra(&'static str),
}

fn slot(name: &str) -> Option<Slot> {
    use Slot::*;
    Some(match name {
        "source" => Source,
        "destination" => Destination,
        "source_nat" => SourceNat,
        "destination_nat" => DestinationNat,
        "source_user" => SourceUser,
        "destination_user" => DestinationUser,
        "source_mac" => SourceMac,
        "client_nat" | "client_nat6" => ClientNat,
        "foreign" => Foreign,
        "global" => Global,
        "local" => Local,
        "in" => In,
        "out" => Out,
        "user" => User,
        "user_target" => UserTarget,
        "by" => By,
        "group" => Group,
        "proto" => Proto,
        "direction" => Direction,
        "verdict" => Verdict,
        "rule" => Rule,
        "rule_id" => RuleId,
        "reason" => Reason,
        "duration" => Duration,
        "bytes" => Bytes,
        "sent" => Sent,
        "received" => Received,
        "action" => Action,
        "file" => File,
        "url" => Url,
        "destination_url" => DestinationUrl,
        "protocol" => Protocol,
        "service" => Service,
        "command" => Command,
        "program" => Program,
        "user_agent" => Agent,
        "tls" => TlsVersion,
        "cipher" => Cipher,
        "result" | "status" => Result,
        "domain" => Domain,
        "subject" => Subject,
        "what" => What,
        "connection" => Extra("connection_id"),
        "icmp_type" => Extra("icmp_type"),
        "icmp_code" => Extra("icmp_code"),
        "flags" => Extra("tcp_flags"),
        "hits" => Extra("hit_count"),
        "count" => Extra("count"),
        "session" => Extra("session_id"),
        "session_type" => Extra("session_type"),
        "connection_type" => Extra("connection_type"),
        "threat_level" => Extra("threat_level"),
        "category" => Extra("threat_category"),
        "privilege" => Extra("privilege"),
        "serial" => Extra("certificate_serial"),
        "spi" => Extra("spi"),
        "peer" => Extra("tls_peer"),
        "object" => Extra("burst_object"),
        _ => return None,
    })
}

/// A message's class and compiled template; `None` where the class alone is known.
type Entry = (u32, Class, Option<Template<Slot>>);

/// [`MESSAGES`], compiled, in the order of their numbers.
static TEMPLATES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut entries: Vec<Entry> = MESSAGES
        .iter()
        .map(|(number, class, text)| {
            // A text that does not compile is caught by the test below.
            (*number, *class, Some(*text).filter(|text| !text.is_empty()).and_then(|text| Template::new(text, &slot).ok()))
        })
        .collect();
    entries.sort_by_key(|(number, _, _)| *number);
    entries
});

fn entries(number: u32) -> &'static [Entry] {
    let number = RANGES.iter().find(|(first, last, _)| (*first..=*last).contains(&number)).map_or(number, |(_, _, to)| *to);
    let start = TEMPLATES.partition_point(|(at, _, _)| *at < number);
    let len = TEMPLATES[start..].partition_point(|(at, _, _)| *at == number);
    &TEMPLATES[start..start + len]
}

fn message<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, number: u32, message: &'r str) {
    let entries = entries(number);
    if (430_001..=430_005).contains(&number) {
        return ftd::set(raw, event, message, number);
    }
    let mut class = entries.first().map_or_else(|| class_of(number, message), |(_, class, _)| *class);
    let found = entries.iter().find_map(|(_, class, template)| Some((*class, template.as_ref()?.read(message)?)));
    let mut facts = Facts::default();
    match found {
        Some((its, captures)) => {
            class = its;
            facts.take(event, &captures);
        }
        None => facts.guess(event, message),
    }
    facts.set(event, class);
    classify(event, class, &facts);
}

/// What an unlisted number's kind is, by its hundred thousands and words.
fn class_of(number: u32, message: &str) -> Class {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match number / 1000 {
        106 | 313 => Class::Denied,
        109 | 113 if has(&["ailed", "ejected", "enied"]) => Class::LoginFailed,
        111 | 112 | 502 => Class::Config,
        713..=715 if has(&["rror", "ailed", "ailure"]) => Class::IkeError,
        713..=715 => Class::Ike,
        716 | 722 => Class::VpnConnection,
        _ if message.starts_with("Den") || message.starts_with("Drop") => Class::Denied,
        _ => Class::Rule,
    }
}

fn classify(event: &mut Event<'_>, class: Class, facts: &Facts<'_>) {
    let (action, categories, types, outcome) = class.meaning();
    ecs::classify(event, categories, types);
    match class {
        Class::Sa | Class::SaDeleted if !facts.action.is_empty() => {
            let action = facts.action.trim_end_matches('.');
            event.set(field::EVENT_ACTION, event.alloc(action));
        }
        _ => event.set(field::EVENT_ACTION, action),
    }
    if matches!(class, Class::Sa | Class::SaDeleted) {
        event.set_extra("", "network.type", "ipsec");
    }
    if matches!(class, Class::Ips | Class::Botnet) {
        event.set(field::EVENT_KIND, "alert");
    }
    match (class, facts.verdict) {
        (Class::Access, "permitted" | "est-allowed") => {
            event.set(field::EVENT_TYPE, "connection");
            event.set(field::EVENT_TYPE, "allowed");
            ecs::success(event);
        }
        (Class::Access, "denied") => {
            event.set(field::EVENT_TYPE, "connection");
            event.set(field::EVENT_TYPE, "denied");
            ecs::success(event);
        }
        (Class::Botnet, "dropped") => event.set(field::EVENT_TYPE, "denied"),
        (Class::Botnet, _) => event.set(field::EVENT_TYPE, "allowed"),
        _ => {}
    }
    if class == Class::Identity {
        if let Some(outcome) = ecs::outcome_word(facts.result) {
            event.set(field::EVENT_OUTCOME, outcome);
        }
    } else if !outcome.is_empty() {
        event.set(field::EVENT_OUTCOME, outcome);
    }
}

/// What a message says, before it is known which end is which.
#[derive(Default)]
struct Facts<'r> {
    source: Endpoint<'r>,
    destination: Endpoint<'r>,
    source_nat: Endpoint<'r>,
    destination_nat: Endpoint<'r>,
    source_user: &'r str,
    destination_user: &'r str,
    foreign: Option<Endpoint<'r>>,
    global: Endpoint<'r>,
    direction: &'r str,
    verdict: &'r str,
    action: &'r str,
    result: &'r str,
    ingress: &'r str,
    egress: &'r str,
    sent: &'r str,
    received: &'r str,
}

impl<'r> Facts<'r> {
    fn take(&mut self, event: &mut Event<'r>, captures: &Captures<'r, Slot>) {
        for (slot, value) in captures.iter() {
            self.one(event, slot, value);
        }
    }

    fn one(&mut self, event: &mut Event<'r>, slot: Slot, value: &'r str) {
        match slot {
            Slot::Source => self.source = endpoint(value.trim_matches(['<', '>', '.'])),
            Slot::Destination => self.destination = endpoint(value.trim_matches(['<', '>', '.', ';'])),
            Slot::SourceNat => self.source_nat = endpoint(value),
            Slot::DestinationNat => self.destination_nat = endpoint(value),
            Slot::SourceUser => self.source_user = value,
            Slot::DestinationUser => self.destination_user = value,
            Slot::SourceMac => event.set(field::SOURCE_MAC, value),
            Slot::ClientNat => {
                let value = value.trim_matches(['<', '>', ' ']);
                if ecs::ip(value).is_some_and(|ip| !ip.is_unspecified()) {
                    ecs::ip_only(event, field::SOURCE_NAT_IP, value);
                }
            }
            Slot::Foreign => self.foreign = Some(endpoint(value)),
            Slot::Global => self.global = endpoint(value),
            // A user may stand in brackets behind the last address.
            Slot::Local => self.source = endpoint(value),
            Slot::In => self.ingress = value.trim_end_matches('.'),
            Slot::Out => self.egress = value,
            Slot::User => net::account(event, value),
            Slot::UserTarget => ecs::user(event, field::USER_TARGET_NAME, value),
            Slot::By => net::account(event, value),
            Slot::Group => event.set_present(field::USER_GROUP_NAME, value.trim_matches(['<', '>', '"'])),
            Slot::Proto => net::transport(event, value),
            Slot::Direction => self.direction = value,
            Slot::Verdict => self.verdict = value,
            Slot::Rule => event.set(field::RULE_NAME, value.trim_matches('"')),
            Slot::RuleId => event.set(field::RULE_ID, value),
            Slot::Reason => self.reason(event, value),
            Slot::Duration => {
                if let Some(nanos) = net::duration(value) {
                    event.set(field::EVENT_DURATION, nanos);
                }
            }
            Slot::Bytes => drop(event.set_int(field::NETWORK_BYTES, value)),
            Slot::Sent => self.sent = value,
            Slot::Received => self.received = value,
            Slot::Action => self.action = value,
            Slot::File => event.set(field::FILE_PATH, value.trim_end_matches('.')),
            Slot::Url => crate::web::url(event, value),
            Slot::DestinationUrl => self.accessed(event, value),
            Slot::Protocol | Slot::Service => event.set(field::NETWORK_PROTOCOL, text::lower(event, value)),
            Slot::Command => event.set(field::PROCESS_COMMAND_LINE, value.trim_end_matches(['\'', '.'])),
            Slot::Program => event.set_extra(PREFIX, "program", value),
            Slot::Agent => event.set(field::USER_AGENT_ORIGINAL, value),
            Slot::TlsVersion => event.set(field::TLS_VERSION, value.trim_start_matches("TLSv").trim_end_matches('.')),
            Slot::Cipher => event.set(field::TLS_CIPHER, value.trim_matches([':', '.'])),
            Slot::Result => self.result = value.trim_end_matches('.'),
            Slot::Domain => {
                event.set(field::DESTINATION_DOMAIN, value);
                event.set(field::RELATED_HOSTS, value);
            }
            Slot::Subject => {
                event.set_extra(PREFIX, "certificate_subject", value);
                let name = value.split(',').find_map(|part| part.trim().strip_prefix("CN="));
                if let Some(name) = name.filter(|name| !name.contains('.')) {
                    net::account(event, name);
                }
            }
            Slot::What => {
                if let Some((_, reason)) = value.split_once("Reason: ").or_else(|| value.split_once("reason: ")) {
                    self.reason(event, reason);
                }
            }
            Slot::Extra(name) => event.set_extra(PREFIX, name, value),
        }
    }

    /// `TCP FINs (binh)`: who ended it stands behind.
    fn reason(&self, event: &mut Event<'r>, value: &'r str) {
        let value = value.trim_end_matches(['.', ' ']);
        let (reason, user) = match value.strip_suffix(')').and_then(|value| value.rsplit_once('(')) {
            Some((reason, user)) if reason.is_empty() || (reason.ends_with(' ') && !user.contains([' ', '='])) => {
                (reason.trim_end(), user)
            }
            _ => (value, ""),
        };
        event.set_present(field::EVENT_REASON, reason);
        if reason.starts_with("DNS ") {
            event.set(field::NETWORK_PROTOCOL, "dns");
        }
        if !user.is_empty() {
            event.set_extra(PREFIX, "termination_user", user);
            event.set(field::RELATED_USER, net::split_account(user).1);
        }
    }

    /// `203.0.113.9:http://portal.example/`, with a user before an at sign.
    fn accessed(&mut self, event: &mut Event<'r>, value: &'r str) {
        let scheme = value.find("://").and_then(|at| value[..at].rfind(':'));
        let at = scheme.or_else(|| value.find(":/")).or_else(|| value.rfind(':'));
        let Some((address, url)) = at.map(|at| (&value[..at], &value[at + 1..])) else { return };
        let (user, address) = address.rsplit_once('@').unwrap_or(("", address));
        net::account(event, user);
        self.destination = endpoint(address);
        crate::web::url(event, url);
    }

    /// What messages share, for those that are not in the table.
    fn guess(&mut self, event: &mut Event<'r>, message: &'r str) {
        let rest = self.heads(event, message);
        let between = |from: &str, to: &str| {
            let (_, after) = message.split_once(from)?;
            let (source, after) = after.split_once(to)?;
            (source.len() <= 200).then(|| (source, first_words(after)))
        };
        let ends = between(" src ", " dst ").or_else(|| between(" from ", " to ")).or_else(|| between(" faddr ", " laddr "));
        let looks = |end: &Endpoint<'_>| ecs::ip(end.address).is_some();
        if let Some((source, destination)) = ends {
            let (source, destination) = (endpoint(source), endpoint(destination));
            if looks(&source) || looks(&destination) {
                (self.source, self.destination) = (source, destination);
            }
        } else if self.source.address.is_empty()
            && let Some((_, after)) = message.split_once(" from ")
        {
            self.source = Some(endpoint(first_words(after))).filter(looks).unwrap_or_default();
        }
        if rest.len() < message.len() {
            self.reason(event, rest);
        }
        if let Some((_, after)) = message.split_once(" on interface ") {
            self.ingress = text::word(after).0.trim_end_matches(['.', ',']);
        }
        if !event.has(field::USER_NAME) {
            for mark in ["user '", "user \"", "User '", "Username: ", "Username:", "Uname: ", "user = ", "User = ", "for user "] {
                if let Some((_, after)) = message.split_once(mark) {
                    let end = after.find(['\'', '"', ',', ' ']).unwrap_or(after.len());
                    net::account(event, after[..end].trim_end_matches(['.', ':']));
                    break;
                }
            }
        }
    }

    /// `Group = g, Username = u, IP = a, …` and `Group <g> User <u> IP <a> …`: returns what follows.
    fn heads(&mut self, event: &mut Event<'r>, message: &'r str) -> &'r str {
        static ANGLES: LazyLock<Option<Template<Slot>>> =
            LazyLock::new(|| Template::new("Group <group> User <user> IP <source:w>", &slot).ok());
        if let Some(captures) = ANGLES.as_ref().and_then(|template| template.read(message)) {
            self.take(event, &captures);
            let end = message.find(" IP ").map_or(0, |at| at + 4);
            return text::word(&message[end..]).1;
        }
        let mut rest = message;
        loop {
            let Some((key, after)) = rest.split_once(" = ") else { return rest };
            let slot = match key.trim() {
                "Group" => Slot::Group,
                "Username" | "User" => Slot::User,
                "IP" => Slot::Source,
                _ => return rest,
            };
            let Some((value, next)) = after.split_once(", ") else { return rest };
            self.one(event, slot, value);
            rest = next;
        }
    }

    fn set(&mut self, event: &mut Event<'r>, class: Class) {
        if let Some(foreign) = self.foreign {
            self.icmp(event, foreign);
        } else {
            let is_outbound = self.direction.eq_ignore_ascii_case("outbound") && class == Class::Built;
            let (mut source, mut destination) = (self.source, self.destination);
            let (mut source_nat, mut destination_nat) = (self.source_nat, self.destination_nat);
            let (mut source_user, mut destination_user) = (self.source_user, self.destination_user);
            // The far end is always named first: of an outbound connection it is the one that was reached.
            if is_outbound {
                std::mem::swap(&mut source, &mut destination);
                std::mem::swap(&mut source_nat, &mut destination_nat);
                std::mem::swap(&mut source_user, &mut destination_user);
            }
            SOURCE.set(event, source);
            DESTINATION.set(event, destination);
            SOURCE.note(event, source_user);
            DESTINATION.note(event, destination_user);
            SOURCE.nat(event, source, source_nat);
            DESTINATION.nat(event, destination, destination_nat);
        }
        event.set_present(field::OBSERVER_INGRESS_INTERFACE_NAME, self.ingress);
        event.set_present(field::OBSERVER_EGRESS_INTERFACE_NAME, self.egress);
        match text::lower(event, self.direction) {
            "inbound" => event.set(field::NETWORK_DIRECTION, "inbound"),
            "outbound" => event.set(field::NETWORK_DIRECTION, "outbound"),
            _ => {}
        }
        // The appliance counts what it sent to and received from the client.
        event.set_int(field::SOURCE_BYTES, self.received);
        event.set_int(field::DESTINATION_BYTES, self.sent);
        if class == Class::Ftp && !self.action.is_empty() {
            event.set_extra(PREFIX, "file_action", self.action);
        }
    }

    /// Foreign, global (translated) and local address; the foreign end began what is inbound.
    fn icmp(&self, event: &mut Event<'r>, foreign: Endpoint<'r>) {
        let local = self.source;
        let (source, destination) = if self.direction == "inbound" { (foreign, local) } else { (local, foreign) };
        SOURCE.set(event, source);
        DESTINATION.set(event, destination);
        let side = if self.direction == "inbound" { DESTINATION } else { SOURCE };
        side.nat(event, local, Endpoint { port: local.port, ..self.global });
    }
}

/// The words at the start that can be an end of a connection.
fn first_words(text: &str) -> &str {
    let end = text.find([' ', ';', ',']).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_templates_compile_and_the_table_is_in_order() {
        for (number, _, text) in MESSAGES {
            if let Err(error) = Template::new(text, &slot) {
                panic!("{number}: {error}");
            }
        }
        assert!(RANGES.iter().all(|(_, _, to)| MESSAGES.iter().any(|(number, _, _)| number == to)));
    }

    /// Each template reads a line made of itself: every name filled with a word that fits.
    #[test]
    fn every_template_matches_its_own_text() {
        for (number, _, text) in MESSAGES.iter().filter(|(_, _, text)| !text.is_empty()) {
            let mut line = String::new();
            let mut rest = *text;
            while let Some(c) = rest.chars().next() {
                rest = &rest[c.len_utf8()..];
                match c {
                    '<' => {
                        let (name, after) = rest.split_once('>').unwrap();
                        rest = after;
                        line.push_str(if name.ends_with(":n") { "7" } else { "word" });
                    }
                    '[' | ']' => {}
                    '\\' => {
                        line.extend(rest.chars().next());
                        rest = &rest[1..];
                    }
                    c => line.push(c),
                }
            }
            let template = Template::new(text, &slot).unwrap();
            // `[f][F]ilter` made both: such a line is not one.
            assert!(template.read(&line).is_some() || text.contains("]["), "{number}: {line}");
        }
    }
}
