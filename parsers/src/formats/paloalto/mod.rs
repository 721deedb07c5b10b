//! Palo Alto Networks PAN-OS logs: comma-separated rows by position, and the JSON of Strata Logging Service.
//!
//! Reference: PAN-OS administrator's guide, "Syslog Field Descriptions", releases 4.1 to 11.2 (traffic, threat, URL, data,
//! WildFire, system, configuration, GlobalProtect, HIP match, User-ID, IP-tag, authentication, decryption, tunnel inspection,
//! GTP, SCTP, correlation); Strata Logging Service, "Log Forwarding Schema". CEF rows of the same device are read by `cef`.
//!
//! Each column is kept as `panw.panos.<variable name>`. The time is the generated one; a row that carries a high-resolution
//! stamp says by it in which zone its other stamps are.

mod columns;

use std::sync::LazyLock;

use event::{Event, Field, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, csv::Fields, ecs, json, net, template::Template, text, time};
use columns::{Means, NAMES, Role, layout};

const PREFIX: &str = "panw.panos.";

/// Columns before those of the log type.
const HEAD: usize = 7;

pub struct PaloAlto;

impl Parser for PaloAlto {
    fn name(&self) -> &'static str {
        "paloalto"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(is_row(raw.text()) || is_json(raw.text()))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let mut log = Log::default();
        if is_row(raw.text()) {
            row(raw, event, &mut log);
        } else if is_json(raw.text()) {
            let read = json::flatten(event.arena(), raw.text(), &mut |name, leaf| {
                if !name.is_empty() && name.len() <= ecs::NAME_BYTES_MAX {
                    let value = leaf.text();
                    event.set_extra(PREFIX, name, value);
                    if let Some(means) = NAMES.get(name).filter(|_| !ecs::is_nothing(value)) {
                        set(raw, event, &mut log, means, value);
                    }
                }
            });
            if read.is_err() {
                return Outcome::Unreadable("malformed JSON");
            }
        } else {
            return Outcome::Unreadable("no PAN-OS log");
        }
        event.set_dataset("panw.panos");
        event.set(field::OBSERVER_VENDOR, "Palo Alto Networks");
        event.set(field::OBSERVER_PRODUCT, "PAN-OS");
        event.set(field::OBSERVER_TYPE, "firewall");
        log.finish(raw, event);
        Outcome::Parsed
    }
}

/// `1,2026/11/23 10:00:00,0123…,TRAFFIC,`: the type is the fourth column.
fn is_row(text: &str) -> bool {
    let text = skip_colon(text);
    let b = text.as_bytes();
    if !b.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let mut parts = text.get(..text.len().min(160)).unwrap_or("").split(',');
    let (Some(first), Some(_), Some(_), Some(kind)) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    first.len() <= 12 && first.bytes().all(|b| b.is_ascii_digit()) && layout(kind).is_some()
}

fn is_json(text: &str) -> bool {
    let has = |word: &[u8]| crate::text::find(text.as_bytes(), word).is_some();
    text.starts_with('{') && has(b"\"LogType\"") && (has(b"\"DeviceSN\"") || has(b"\"LogSourceID\"") || has(b"\"DNSResolverIP\""))
}

fn skip_colon(text: &str) -> &str {
    text.trim_start_matches([':', ' '])
}

fn row<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, log: &mut Log<'r>) {
    let mut fields = Fields::new(skip_colon(raw.text()), b',');
    let mut head = [""; HEAD];
    for place in &mut head {
        *place = fields.next().map_or("", |field| field.raw()).trim();
    }
    (log.received, log.serial, log.kind, log.subtype, log.generated) = (head[1], head[2], head[3], head[4], head[6]);
    let is_short = log.kind == "CONFIG" && is_short_config(fields.clone());
    let Some(layout) = layout(if is_short { "CONFIG_SHORT" } else { log.kind }) else { return };
    for (column, (name, means)) in fields.by_ref().zip(&layout.columns) {
        let value = column.value(event);
        if *name == "_" || value.is_empty() {
            continue;
        }
        event.set_extra(PREFIX, name, value);
        if let Some(means) = means.filter(|_| !ecs::is_nothing(value)) {
            set(raw, event, log, means, value);
        }
    }
    if fields.is_broken() {
        event.problem("a quoted value is not closed");
    }
}

/// Only some formats carry what a change was from and to: without, the sequence number follows the path.
fn is_short_config(mut fields: Fields<'_>) -> bool {
    let sequence = fields.nth(7).map_or("", |field| field.raw());
    let flags = fields.next().map_or("", |field| field.raw());
    sequence.bytes().all(|b| b.is_ascii_digit()) && !sequence.is_empty() && flags.starts_with("0x")
}

fn set<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, log: &mut Log<'r>, means: Means, value: &'r str) {
    match means {
        Means::Text(field) => event.set_present(field, value.trim()),
        Means::Int(field) => drop(event.set_int(field, value)),
        Means::Lower(field) => event.set(field, text::lower(event, value)),
        Means::Nat(field) => {
            if ecs::ip(value).is_some_and(|ip| !ip.is_unspecified()) {
                ecs::ip_only(event, field, value);
                log.is_translated = true;
            }
        }
        Means::NatPort(field) => log.nat_port(event, field, value),
        Means::Source => ecs::source(event, value),
        Means::Destination => ecs::destination(event, value),
        Means::SourceUser => {
            let (domain, name) = net::split_account(text::unescape(event, value, |c| c == '\\'));
            ecs::user(event, field::SOURCE_USER_NAME, name);
            ecs::user(event, field::USER_NAME, name);
            if !domain.is_empty() {
                event.set_extra("", "source.user.domain", domain);
                event.set(field::USER_DOMAIN, domain);
            }
        }
        Means::DestinationUser => {
            let (domain, name) = net::split_account(text::unescape(event, value, |c| c == '\\'));
            ecs::user(event, field::DESTINATION_USER_NAME, name);
            if !domain.is_empty() {
                event.set_extra("", "destination.user.domain", domain);
            }
        }
        // Of the address beside it: who it was mapped to, or who authenticates from there.
        Means::User => {
            let value = text::unescape(event, value, |c| c == '\\');
            net::account(event, value);
            let (domain, name) = net::split_account(value);
            ecs::user(event, field::SOURCE_USER_NAME, name);
            if !domain.is_empty() {
                event.set_extra("", "source.user.domain", domain);
            }
        }
        Means::Protocol => net::transport(event, value),
        Means::Rule => event.set(field::RULE_NAME, value),
        Means::Start => {
            if let Some((stamp, is_zoned)) = stamp(value) {
                log.start = Some((stamp, is_zoned));
            }
        }
        Means::Elapsed => {
            if let Some(nanos) = text::seconds_to_nanos(value) {
                event.set(field::EVENT_DURATION, nanos);
            }
        }
        Means::Hash => {
            event.set(field::RELATED_HASH, value);
            match value.len() {
                32 => event.set(field::FILE_HASH_MD5, value),
                64 => event.set(field::FILE_HASH_SHA256, value),
                _ => {}
            }
        }
        Means::Tls => event.set(field::TLS_VERSION, value.trim_start_matches("TLS")),
        Means::Resolution => log.offset = time::iso(value).and_then(|(stamp, _)| stamp.offset).or(log.offset),
        Means::Role(role) => log.take(event, role, value),
    }
    let _ = raw;
}

/// A stamp of a row, and whether it names its zone; `9/16/19 10:00` stands in rows that went through a spreadsheet.
fn stamp(text: &str) -> Option<(time::Stamp, bool)> {
    if let Some((stamp, _)) = time::iso(text) {
        return Some((stamp, stamp.offset.is_some()));
    }
    let (date, clock) = text.split_once(' ')?;
    let mut parts = date.split('/').map(|part| part.parse::<u32>().ok());
    let (month, day, year) = (parts.next()??, parts.next()??, parts.next()??);
    let (hour, minute) = clock.split_once(':')?;
    let (hour, minute) = (hour.parse::<i64>().ok().filter(|hour| *hour < 24)?, text::digits(minute).0.parse::<i64>().ok()?);
    let year = if year < 100 { 2000 + year } else { year };
    let days = time::days(i32::try_from(year).ok()?, month, day)?;
    let civil = (days * 86_400 + hour * 3600 + minute.min(59) * 60) * 1_000_000;
    Some((time::Stamp { civil, offset: None }, false))
}

/// A pair of a PAN-OS CEF line: `PanOSRuleUUID` is the long name behind its prefix.
pub fn cef<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, log: &mut Log<'r>, key: &'r str, value: &'r str) {
    if ecs::is_nothing(value) {
        return;
    }
    match key {
        "act" => log.action = value,
        "cs1" => event.set(field::RULE_NAME, value),
        "cs4" => event.set(field::OBSERVER_INGRESS_ZONE, value),
        "cs5" => event.set(field::OBSERVER_EGRESS_ZONE, value),
        "app" => event.set(field::NETWORK_APPLICATION, text::lower(event, value)),
        "deviceExternalId" => log.serial = value,
        _ => {
            let name = key.strip_prefix("PanOS").unwrap_or("");
            let means = match name {
                "AuthenticatedUserName" | "DestinationUserName" => Some(Means::DestinationUser),
                "EndpointDeviceName" => Some(Means::Role(Role::Machine)),
                "PublicIPv4" | "PublicIPv6" => Some(Means::Role(Role::PublicIp)),
                "PrivateIPv4" | "PrivateIPv6" => Some(Means::Role(Role::PrivateIp)),
                "EventStatus" => Some(Means::Role(Role::Status)),
                "EventIDValue" => Some(Means::Role(Role::EventId)),
                "ConnectionError" => Some(Means::Text(field::EVENT_REASON)),
                // Other words of the line say these already.
                "VendorSeverity" => return event.set(field::LOG_LEVEL, text::lower(event, value)),
                "ConfigVersion" | "LogType" | "Subtype" | "TimeGenerated" | "TimeReceived" | "DeviceSN" => None,
                name => NAMES.get(name),
            };
            if let Some(means) = means {
                set(raw, event, log, means, value);
            }
        }
    }
}

/// What several columns decide together.
#[derive(Default)]
pub struct Log<'r> {
    kind: &'r str,
    subtype: &'r str,
    serial: &'r str,
    received: &'r str,
    generated: &'r str,
    offset: Option<i32>,
    start: Option<(time::Stamp, bool)>,
    action: &'r str,
    misc: &'r str,
    file: &'r str,
    threat: &'r str,
    threat_name: &'r str,
    direction: &'r str,
    event_id: &'r str,
    description: &'r str,
    result: &'r str,
    command: &'r str,
    status: &'r str,
    public: &'r str,
    private: &'r str,
    is_translated: bool,
}

impl<'r> Log<'r> {
    /// The log that a CEF header names.
    pub fn of(kind: &'r str, subtype: &'r str) -> Self {
        Self { kind, subtype, ..Self::default() }
    }

    /// What a CEF line of PAN-OS means; its time is CEF's.
    pub fn finish_cef(&mut self, raw: RawRecord<'r>, event: &mut Event<'r>) {
        event.set(field::OBSERVER_PRODUCT, "PAN-OS");
        event.set(field::OBSERVER_TYPE, "firewall");
        self.finish(raw, event);
    }

    fn take(&mut self, event: &mut Event<'r>, role: Role, value: &'r str) {
        match role {
            Role::Kind => self.kind = value,
            Role::Subtype => self.subtype = value,
            Role::Serial => self.serial = value,
            Role::Received => self.received = value,
            Role::Generated => self.generated = value,
            Role::Action => self.action = value,
            Role::Severity => severity(event, value),
            Role::Misc => self.misc = value,
            Role::FileName => self.file = value,
            Role::ThreatId => self.threat = value,
            Role::ThreatName => self.threat_name = value,
            Role::Direction => self.direction = value,
            Role::EventId => self.event_id = value,
            Role::Description => self.description = value,
            Role::Result => self.result = value,
            Role::Command => self.command = value,
            Role::Status => self.status = value,
            Role::PublicIp => known(&mut self.public, value),
            Role::PrivateIp => known(&mut self.private, value),
            Role::Machine => ecs::host(event, value),
            Role::Host => {
                if ecs::ip(value).is_some() {
                    ecs::source(event, value);
                    ecs::ip_only(event, field::HOST_IP, value);
                }
            }
            Role::SentBytes => drop(event.set_int(field::SOURCE_BYTES, value)),
            Role::ReceivedBytes => drop(event.set_int(field::DESTINATION_BYTES, value)),
            Role::Device => {
                event.set(field::OBSERVER_NAME, value);
                event.set(field::RELATED_HOSTS, value);
            }
            Role::Domain => {
                event.set(field::DESTINATION_DOMAIN, value);
                event.set_extra("", "tls.client.server_name", value);
            }
        }
    }

    fn nat_port(&mut self, event: &mut Event<'r>, field: Field, value: &'r str) {
        if value != "0" || self.is_translated {
            event.set_int(field, value);
        }
    }

    fn finish(&mut self, raw: RawRecord<'r>, event: &mut Event<'r>) {
        self.set_times(raw, event);
        event.set_present(field::OBSERVER_SERIAL_NUMBER, self.serial);
        event.set_extra(PREFIX, "type", self.kind);
        if !self.subtype.is_empty() {
            event.set_extra(PREFIX, "sub_type", self.subtype);
        }
        if !event.has(field::OBSERVER_NAME)
            && let Some(host) = event.text(field::LOG_SYSLOG_HOSTNAME)
        {
            event.set(field::OBSERVER_NAME, host);
        }
        net::set_type(event);
        event.set_present(field::EVENT_CODE, self.event_id);
        event.set_present(field::MESSAGE, self.description);
        match self.kind {
            "TRAFFIC" | "START" | "END" | "TUNNEL" => self.traffic(event),
            "THREAT" => self.threat(event),
            "GLOBALPROTECT" => self.globalprotect(event),
            "SYSTEM" => self.system(event),
            "CONFIG" => self.config(event),
            "AUTHENTICATION" | "AUTH" => {
                ecs::classify(event, &["authentication"], &["info"]);
                self.by_words(event, self.description);
            }
            "USERID" => {
                ecs::classify(event, &["network", "iam"], &["user"]);
                event.set(field::EVENT_TYPE, if self.subtype == "logout" { "end" } else { "start" });
                event.set_present(field::EVENT_ACTION, self.subtype);
            }
            "DECRYPTION" => {
                ecs::classify(event, &["network"], &["info"]);
                self.verdict(event);
                event.set_present(field::EVENT_ACTION, self.action);
            }
            "CORRELATION" => {
                ecs::classify(event, &["threat", "network"], &["indicator"]);
                event.set(field::EVENT_KIND, "alert");
            }
            _ => {
                ecs::classify(event, &["network"], &["info"]);
                event.set_present(field::EVENT_ACTION, if self.action.is_empty() { self.subtype } else { self.action });
                self.verdict(event);
            }
        }
    }

    fn set_times(&self, raw: RawRecord<'r>, event: &mut Event<'r>) {
        let zoned = |stamp: time::Stamp| time::Stamp { offset: stamp.offset.or(self.offset), ..stamp };
        match stamp(self.generated).or_else(|| stamp(self.received)) {
            Some((stamp, _)) => event.set(field::TIMESTAMP, Value::Time(zoned(stamp).resolve(raw))),
            None if event.has(field::TIMESTAMP) => {}
            None => event.problem("no time"),
        }
        if let Some((start, _)) = self.start {
            event.set(field::EVENT_START, Value::Time(zoned(start).resolve(raw)));
        }
    }

    /// Allowed or denied, and the outcome that goes with it.
    fn verdict(&self, event: &mut Event<'r>) {
        match verdict(self.action) {
            Some(true) => {
                event.set(field::EVENT_TYPE, "allowed");
                ecs::success(event);
            }
            Some(false) => {
                event.set(field::EVENT_TYPE, "denied");
                ecs::failure(event);
            }
            None => {}
        }
    }

    fn traffic(&self, event: &mut Event<'r>) {
        ecs::classify(event, &["network"], &["connection"]);
        let (action, kind): (_, Option<&'static str>) = match self.subtype {
            "start" => ("flow_started", Some("start")),
            "end" => ("flow_terminated", Some("end")),
            "drop" => ("flow_dropped", Some("denied")),
            "deny" => ("flow_denied", Some("denied")),
            _ => ("flow", None),
        };
        event.set(field::EVENT_ACTION, action);
        if let Some(kind) = kind {
            event.set(field::EVENT_TYPE, kind);
        }
        self.verdict(event);
        if matches!(self.subtype, "drop" | "deny") {
            ecs::failure(event);
        }
    }

    fn threat(&self, event: &mut Event<'r>) {
        let (action, categories): (_, &[&'static str]) = match self.subtype {
            "url" => ("url_filtering", &["intrusion_detection", "threat", "network", "web"]),
            "virus" | "ml-virus" | "wildfire-virus" => {
                ("virus_detected", &["intrusion_detection", "threat", "network", "malware"])
            }
            "spyware" => ("spyware_detected", &["intrusion_detection", "threat", "network", "malware"]),
            "vulnerability" => ("exploit_detected", &["intrusion_detection", "threat", "network", "vulnerability"]),
            "file" => ("file_match", &["intrusion_detection", "threat", "network", "file"]),
            "data" | "dlp" => ("data_match", &["intrusion_detection", "threat", "network", "file"]),
            "wildfire" => ("wildfire_verdict", &["intrusion_detection", "threat", "network", "malware"]),
            "flood" => ("flood_detected", &["intrusion_detection", "threat", "network"]),
            "scan" => ("scan_detected", &["intrusion_detection", "threat", "network"]),
            "packet" => ("packet_attack", &["intrusion_detection", "threat", "network"]),
            _ => ("threat_detected", &["intrusion_detection", "threat", "network"]),
        };
        ecs::classify(event, categories, &["info"]);
        event.set(field::EVENT_KIND, "alert");
        event.set(field::EVENT_ACTION, action);
        self.verdict(event);
        match self.direction {
            "client-to-server" | "client to server" | "0" => event.set(field::NETWORK_DIRECTION, "inbound"),
            "server-to-client" | "server to client" | "1" => event.set(field::NETWORK_DIRECTION, "outbound"),
            _ => {}
        }
        self.threat_name(event);
        self.target(event);
    }

    /// `LDAP: User Login Brute Force Attempt(40005)`: name and number of the signature.
    fn threat_name(&self, event: &mut Event<'r>) {
        let (name, id) = match self.threat.strip_suffix(')').and_then(|text| text.rsplit_once('(')) {
            Some((name, id)) => (name.trim(), id),
            None if self.threat.bytes().all(|b| b.is_ascii_digit()) => (self.threat_name, self.threat),
            None => (self.threat, ""),
        };
        event.set_present(field::EVENT_CODE, id);
        event.set_present(field::RULE_ID, id);
        if !ecs::is_nothing(name) {
            event.set_extra(PREFIX, "threat_name", name);
            event.set(field::MESSAGE, name);
        }
    }

    /// What was asked for or sent: a URL without its scheme, or a file.
    fn target(&self, event: &mut Event<'r>) {
        let is_url = self.subtype == "url" || (self.misc.contains('/') && self.misc.contains('.') && !self.misc.contains(' '));
        let name = if self.file.is_empty() { self.misc } else { self.file };
        if is_url && !self.misc.is_empty() {
            url(event, self.misc);
        } else if matches!(self.subtype, "virus" | "file" | "data" | "wildfire" | "wildfire-virus" | "ml-virus" | "dlp") {
            event.set_present(field::FILE_NAME, name);
            if let Some((_, extension)) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) {
                event.set(field::FILE_EXTENSION, extension);
            }
        } else if self.misc.contains('.') && !self.misc.contains(' ') {
            event.set(field::DESTINATION_DOMAIN, self.misc);
            event.set(field::RELATED_HOSTS, self.misc);
        }
    }

    fn globalprotect(&self, event: &mut Event<'r>) {
        let word = self.event_id;
        let has = |part: &str| word.contains(part);
        let (categories, kind): (&[&'static str], _) = match word {
            _ if has("auth") || has("login") || has("prelogin") => (&["network", "session", "authentication"], "start"),
            _ if has("logout") || has("disconnect") => (&["network", "session"], "end"),
            _ if has("connected") || has("register") => (&["network", "session"], "start"),
            _ => (&["network", "session"], "info"),
        };
        ecs::classify(event, categories, &[kind]);
        event.set_present(field::EVENT_ACTION, word);
        if let Some(outcome) = ecs::outcome_word(self.status) {
            event.set(field::EVENT_OUTCOME, outcome);
        }
        // The client has its own address in the tunnel; without one it is known by the address it came from.
        let source = if self.private.is_empty() { self.public } else { self.private };
        if !source.is_empty() {
            ecs::source(event, source);
            ecs::ip_only(event, field::HOST_IP, source);
        }
        if source != self.public {
            ecs::ip_only(event, field::SOURCE_NAT_IP, self.public);
        }
    }

    fn system(&self, event: &mut Event<'r>) {
        let category = match self.subtype {
            "auth" => "authentication",
            "globalprotect" => "session",
            "vpn" | "routing" | "dhcp" | "port" | "url-filtering" | "dnsproxy" | "ntpd" | "fb" | "bfd" | "lacp" | "lldp" => {
                "network"
            }
            "hw" | "ha" | "upgrade" | "crypto" => "host",
            _ if self.event_id.starts_with("auth") => "authentication",
            _ => "configuration",
        };
        let kind = if category == "authentication" { "start" } else { "info" };
        ecs::classify(event, &[category], &[kind, "info"]);
        if category != "configuration" && category != "authentication" {
            event.set(field::EVENT_CATEGORY, "configuration");
        }
        event.set_present(field::EVENT_ACTION, self.event_id);
        event.set_present(field::EVENT_REASON, self.description);
        if category == "authentication" || self.subtype == "globalprotect" || self.subtype == "general" {
            self.by_words(event, self.description);
        }
    }

    /// Who and from where, in the sentences of system and authentication logs.
    fn by_words(&self, event: &mut Event<'r>, message: &'r str) {
        static SENTENCES: LazyLock<Vec<Template<Word>>> = LazyLock::new(|| {
            let word = |name: &str| {
                Some(match name {
                    "user" => Word::User,
                    "from" => Word::From,
                    "server" => Word::Server,
                    "reason" => Word::Reason,
                    _ => return None,
                })
            };
            [
                "failed authentication for user '<user>'. Reason: <reason> auth profile '<_>', vsys '<_>', server profile '<_>', server address '<server>'",
                "failed authentication for user '<user>'. Reason: <reason> auth profile",
                "failed authentication for user '<user>'. Reason: <reason> From: <_>",
                "failed authentication for user '<user>'. Reason: <reason>.",
                "authenticated for user '<user>'. auth profile '<_>', vsys '<_>', server profile '<_>', server address '<server>'",
                "authenticated for user '<user>'.",
                "User <user> failed authentication. Reason: <reason> From: <from>.",
                "User <user> logged in via <_> from <from> using <_>",
                "User <user> logged out via <_> from <from>",
                "User '<user>' failed authentication. Reason: <reason> From: <from>.",
                "GlobalProtect <_> Login from: <from>, Source region: <_>, User name: <user>, ",
                "GlobalProtect <_> User name: <user>, ",
                "When authenticating user '<user>' from '<from>', a less secure authentication method",
            ]
            .iter()
            .filter_map(|text| Template::new(text, &word).ok())
            .collect()
        });
        if let Some(found) = SENTENCES.iter().find_map(|sentence| sentence.read(message)) {
            for (word, value) in found.iter() {
                match word {
                    Word::User => net::account(event, value),
                    Word::From => drop(ecs::ip_only(event, field::SOURCE_IP, value)),
                    Word::Server => ecs::destination(event, value),
                    Word::Reason => event.set_present(field::EVENT_REASON, value),
                }
            }
        }
        if let Some((_, from)) = message.rsplit_once("From: ") {
            ecs::ip_only(event, field::SOURCE_IP, from.trim_end_matches(['.', ' ']));
        }
        let has = |part: &str| message.contains(part) || self.event_id.contains(part);
        if has("fail") || has("Invalid") || has("denied") {
            ecs::failure(event);
        } else if has("auth-success") || has("authenticated for") || has("succeeded") || has("success") || has("logged in") {
            ecs::success(event);
        }
    }

    fn config(&self, event: &mut Event<'r>) {
        ecs::classify(event, &["configuration"], &["change"]);
        if !self.command.is_empty() {
            event.set(field::EVENT_ACTION, text::join(event, "cmd", "-", self.command));
        }
        match self.result {
            "Succeeded" => ecs::success(event),
            "Failed" | "Unauthorized" => ecs::failure(event),
            "" => {}
            _ => event.set(field::EVENT_OUTCOME, "unknown"),
        }
    }
}

#[derive(Clone, Copy)]
enum Word {
    User,
    From,
    Server,
    Reason,
}

fn known<'r>(place: &mut &'r str, value: &'r str) {
    if place.is_empty() && ecs::ip(value).is_some_and(|ip| !ip.is_unspecified()) {
        *place = value;
    }
}

/// The word, and the number that the vendor gives it: 1 is the worst.
fn severity<'r>(event: &mut Event<'r>, value: &'r str) {
    let word = text::lower(event, value);
    event.set(field::LOG_LEVEL, word);
    let number = match word {
        "critical" => 1,
        "high" => 2,
        "medium" => 3,
        "low" => 4,
        "informational" => 5,
        _ => return,
    };
    event.set(field::EVENT_SEVERITY, number);
}

/// Whether an action let the traffic through.
fn verdict(action: &str) -> Option<bool> {
    let starts =
        |words: &[&str]| words.iter().any(|word| action.len() >= word.len() && action[..word.len()].eq_ignore_ascii_case(word));
    if !action.is_ascii() {
        None
    } else if starts(&["allow", "alert", "continue", "override", "wildfire-upload", "forward"]) {
        Some(true)
    } else if starts(&["deny", "drop", "reset", "block", "sinkhole", "random-drop", "syncookie"]) {
        Some(false)
    } else {
        None
    }
}

/// `host[:port]/path`, as PAN-OS writes URLs: without scheme.
fn url<'r>(event: &mut Event<'r>, target: &'r str) {
    if target.contains("://") {
        return crate::web::url(event, target);
    }
    let end = target.find(['/', '?']).unwrap_or(target.len());
    crate::web::url(event, &target[end..]);
    crate::web::authority(event, &target[..end]);
    event.set(field::URL_ORIGINAL, target);
    if let Some(domain) = event.text(field::URL_DOMAIN) {
        event.set(field::DESTINATION_DOMAIN, domain);
        event.set(field::RELATED_HOSTS, domain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_where_the_manual_says() {
        let at = |kind: &str, name: &str| {
            layout(kind).unwrap().columns.iter().position(|(known, _)| *known == name).map(|at| at + HEAD)
        };
        for (kind, name, place) in [
            ("TRAFFIC", "action", 30),
            ("TRAFFIC", "session_end_reason", 46),
            ("TRAFFIC", "device_name", 52),
            ("TRAFFIC", "rule_uuid", 65),
            ("TRAFFIC", "high_res_timestamp", 102),
            ("THREAT", "severity", 34),
            ("THREAT", "user_agent", 46),
            ("THREAT", "device_name", 59),
            ("THREAT", "rule_uuid", 76),
            ("THREAT", "high_res_timestamp", 107),
            ("SYSTEM", "device_name", 22),
            ("GLOBALPROTECT", "portal", 33),
            ("DECRYPTION", "tls_version", 39),
            ("USERID", "userbysource", 31),
        ] {
            assert_eq!(at(kind, name), Some(place), "{kind} {name}");
        }
    }
}
