//! Check Point logs as Log Exporter writes them: `[action:"Drop"; src:"…"; …]` (syslog), `action=Drop|src=…|…` (Splunk and
//! generic), structured data of enterprise 2620, and the `|` separated lines of OPSEC LEA clients.
//!
//! Reference: Check Point sk122323 "Log Exporter", sk144192 "Log fields" (field names and their meaning per blade), R77 to R81;
//! FW1-LogGrabber's field names for LEA (`orig`, `i/f_dir`, `i/f_name`, `xlatesport`). CEF and LEEF exports are read by `cef`
//! and `leef`.
//!
//! Every field is kept as `checkpoint.<field>`. A field that stands several times (layers, rules) keeps its last value there.

use std::sync::LazyLock;

use event::{Event, Field, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, keys::KeyTable, net, text, time};

const PREFIX: &str = "checkpoint.";

/// Fields of one log that are looked at.
const FIELDS_MAX: usize = 512;

pub struct CheckPoint;

impl Parser for CheckPoint {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["CheckPoint", "CP-GW"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        let head = &text.as_bytes()[..text.len().min(600)];
        let has = |word: &[u8]| crate::text::find(head, word).is_some();
        let is = match form(text) {
            Some((Form::Colon, _)) => has(b"loguid:\"") || has(b"origin:\"") || has(b"product:\"") || has(b"action:\""),
            Some((Form::Equals, _)) => has(b"2620") || has(b"loguid="),
            Some((Form::Bars, _)) => {
                has(b"|loguid=") || has(b"|product=") || has(b"|i/f_dir=") || has(b"|origin=") || has(b"|orig=")
            }
            None => false,
        };
        Sniff::yes_if(is)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some((form, body)) = form(raw.text()) else {
            return Outcome::Unreadable("no Check Point fields");
        };
        let mut log = Log::default();
        let mut count = 0;
        let mut rest = body;
        while count < FIELDS_MAX
            && let Some((key, value, after)) = form.pair(event, rest)
        {
            rest = after;
            count += 1;
            if key.is_empty() || key.len() > ecs::NAME_BYTES_MAX {
                continue;
            }
            event.set_extra(PREFIX, key, value);
            if let Some(means) = KEYS.get(key).filter(|_| !ecs::is_nothing(value)) {
                log.set(event, means, value);
            }
        }
        if count < 2 {
            return Outcome::Unreadable("no Check Point fields");
        }
        if !rest.trim_matches([']', ';', '|', ' ']).is_empty() {
            event.problem("the end of the fields could not be read");
        }
        event.set_dataset("checkpoint.firewall");
        event.set(field::OBSERVER_VENDOR, "Checkpoint");
        event.set(field::OBSERVER_TYPE, "firewall");
        log.finish(raw, event);
        Outcome::Parsed
    }
}

/// How the fields are written.
#[derive(Clone, Copy)]
enum Form {
    /// `key:"value"; key:"value"`.
    Colon,
    /// `key="value" key="value"`.
    Equals,
    /// `key=value|key=value`.
    Bars,
}

fn form(text: &str) -> Option<(Form, &str)> {
    let text = text.trim();
    let text = text.strip_prefix("syslog").filter(|rest| rest.starts_with('[')).unwrap_or(text);
    if let Some(inside) = text.strip_prefix('[') {
        let inside = inside.trim_start_matches(' ');
        // The id of structured data, when there is one.
        if let Some((id, rest)) = inside.split_once(' ').filter(|(id, _)| id.contains('@') && !id.contains('"')) {
            return (id.ends_with("2620")).then_some((Form::Equals, rest));
        }
        let at = inside.find([':', '=', ' '])?;
        return match inside.as_bytes().get(at..at + 2)? {
            b":\"" => Some((Form::Colon, inside)),
            b"=\"" => Some((Form::Equals, inside)),
            _ => None,
        };
    }
    let bar = memchr::memchr(b'|', text.as_bytes())?;
    let (key, _) = text::split(&text[..bar], b'=')?;
    let is_key =
        !key.is_empty() && key.len() <= 40 && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'/' | b'-'));
    (is_key && text[bar + 1..].contains('=')).then_some((Form::Bars, text))
}

impl Form {
    /// Takes one pair off; returns the rest.
    fn pair<'r>(self, event: &Event<'r>, text: &'r str) -> Option<(&'r str, &'r str, &'r str)> {
        let text = text.trim_start_matches([' ', ';', '|']);
        let sign = match self {
            Self::Colon => b':',
            _ => b'=',
        };
        let (key, after) = text::split(text, sign)?;
        if let Self::Bars = self {
            let end = bar(after);
            let value = text::unescape(event, &after[..end], |c| matches!(c, '=' | '|' | '\\'));
            return Some((key.trim(), value, &after[end..]));
        }
        let inside = after.strip_prefix('"')?;
        let end = quote(inside).unwrap_or(inside.len());
        let value = text::unescape(event, &inside[..end], |c| matches!(c, '"' | '\\' | ']'));
        Some((key.trim(), value, inside.get(end + 1..).unwrap_or("")))
    }
}

/// The next bar that no backslash hides.
fn bar(text: &str) -> usize {
    let b = text.as_bytes();
    let mut from = 0;
    while let Some(at) = b.get(from..).and_then(|rest| memchr::memchr2(b'|', b'\\', rest)).map(|at| from + at) {
        if b[at] == b'|' {
            return at;
        }
        from = at + 2;
    }
    text.len()
}

fn quote(text: &str) -> Option<usize> {
    let b = text.as_bytes();
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', b.get(from..)?)?;
        if b[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
    }
}

#[derive(Clone, Copy)]
enum Means {
    Text(Field),
    Int(Field),
    Lower(Field),
    Host,
    Nat(Field),
    NatPort(Field),
    Source,
    Destination,
    Protocol,
    User,
    Url,
    Hash,
    Time,
    Action,
    Direction,
    Interface,
    Service,
    Origin,
    Message,
    Status,
    AuthStatus,
    Severity,
    Layer,
    Vulnerability,
    Duration,
    Start,
    End,
    Named(&'static str),
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("src", Source),
        ("client_ip", Source),
        ("src_ip", Source),
        ("dst", Destination),
        ("dst_ip", Destination),
        ("s_port", Int(field::SOURCE_PORT)),
        ("sport_svc", Int(field::SOURCE_PORT)),
        ("service", Service),
        ("d_port", Int(field::DESTINATION_PORT)),
        ("service_id", Lower(field::NETWORK_APPLICATION)),
        ("service_name", Lower(field::NETWORK_APPLICATION)),
        ("appi_name", Lower(field::NETWORK_APPLICATION)),
        ("app_name", Lower(field::NETWORK_APPLICATION)),
        ("proto", Protocol),
        ("xlatesrc", Nat(field::SOURCE_NAT_IP)),
        ("xlatedst", Nat(field::DESTINATION_NAT_IP)),
        ("xlatesport", NatPort(field::SOURCE_NAT_PORT)),
        ("xlatedport", NatPort(field::DESTINATION_NAT_PORT)),
        ("action", Action),
        ("act", Action),
        ("ifdir", Direction),
        ("i/f_dir", Direction),
        ("ifname", Interface),
        ("i/f_name", Interface),
        ("inzone", Text(field::OBSERVER_INGRESS_ZONE)),
        ("outzone", Text(field::OBSERVER_EGRESS_ZONE)),
        ("client_inbound_interface", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("server_outbound_interface", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("client_outbound_interface", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("rule", Text(field::RULE_ID)),
        ("rule_name", Text(field::RULE_NAME)),
        ("malware_rule_name", Text(field::RULE_NAME)),
        ("dlp_rule_name", Text(field::RULE_NAME)),
        ("app_rule_name", Text(field::RULE_NAME)),
        ("policy_name", Text(field::RULE_RULESET)),
        ("rule_uid", Text(field::RULE_UUID)),
        ("malware_rule_id", Text(field::RULE_ID)),
        ("app_rule_id", Text(field::RULE_ID)),
        ("dlp_rule_uid", Text(field::RULE_UUID)),
        ("matched_category", Text(field::RULE_CATEGORY)),
        ("app_category", Text(field::RULE_CATEGORY)),
        ("layer_name", Layer),
        ("product", Text(field::OBSERVER_PRODUCT)),
        ("origin", Origin),
        ("orig", Origin),
        ("sequencenum", Int(field::EVENT_SEQUENCE)),
        ("severity", Severity),
        ("time", Time),
        ("start_time", Start),
        ("segment_time", Start),
        ("lastupdatetime", End),
        ("elapsed", Duration),
        ("duration", Duration),
        ("user", User),
        ("src_user_name", User),
        ("src_user", User),
        ("administrator", User),
        ("src_user_group", Named("source.user.group.name")),
        ("dst_user_name", Text(field::DESTINATION_USER_NAME)),
        ("src_machine_name", Text(field::SOURCE_DOMAIN)),
        ("dst_machine_name", Text(field::DESTINATION_DOMAIN)),
        ("dst_domain_name", Text(field::DESTINATION_DOMAIN)),
        ("dst_dns_hostname", Text(field::DESTINATION_DOMAIN)),
        ("mac_source_address", Text(field::SOURCE_MAC)),
        ("mac_destination_address", Text(field::DESTINATION_MAC)),
        ("src_mac", Text(field::SOURCE_MAC)),
        ("endpoint_ip", Named("observer.ip")),
        ("src_country", Text(field::SOURCE_GEO_COUNTRY_NAME)),
        ("dst_country", Text(field::DESTINATION_GEO_COUNTRY_NAME)),
        ("bytes", Int(field::NETWORK_BYTES)),
        ("packets", Int(field::NETWORK_PACKETS)),
        ("client_outbound_bytes", Int(field::SOURCE_BYTES)),
        ("client_outbound_packets", Int(field::SOURCE_PACKETS)),
        ("server_outbound_bytes", Int(field::DESTINATION_BYTES)),
        ("server_outbound_packets", Int(field::DESTINATION_PACKETS)),
        ("sent_bytes", Int(field::SOURCE_BYTES)),
        ("received_bytes", Int(field::DESTINATION_BYTES)),
        ("resource", Url),
        ("method", Text(field::HTTP_REQUEST_METHOD)),
        ("user_agent", Text(field::USER_AGENT_ORIGINAL)),
        ("referrer", Text(field::HTTP_REQUEST_REFERRER)),
        ("response_code", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("domain_name", Text(field::DNS_QUESTION_NAME)),
        ("dns_query", Text(field::DNS_QUESTION_NAME)),
        ("dns_type", Text(field::DNS_QUESTION_TYPE)),
        ("dns_message_type", Named("dns.type")),
        ("tls_server_host_name", Named("tls.client.server_name")),
        ("file_name", Text(field::FILE_NAME)),
        ("file_size", Int(field::FILE_SIZE)),
        ("file_md5", Hash),
        ("file_sha1", Hash),
        ("file_sha256", Hash),
        ("process_name", Text(field::PROCESS_NAME)),
        ("process_md5", Named("process.hash.md5")),
        ("parent_process_name", Text(field::PROCESS_PARENT_NAME)),
        ("parent_process_md5", Named("process.parent.hash.md5")),
        ("os_name", Named("host.os.name")),
        ("os_version", Named("host.os.version")),
        ("from", Named("email.from.address")),
        ("to", Named("email.to.address")),
        ("email_subject", Named("email.subject")),
        ("mime_from", Named("email.from.address")),
        ("email_message_id", Named("email.message_id")),
        ("industry_reference", Vulnerability),
        ("cve", Vulnerability),
        ("reason", Message),
        ("description", Message),
        ("information", Message),
        ("sys_message:", Message),
        ("sys_message", Message),
        ("message_info", Message),
        ("message", Message),
        ("action_reason", Text(field::EVENT_REASON)),
        ("drop_reason", Text(field::EVENT_REASON)),
        ("failure_reason", Text(field::EVENT_REASON)),
        ("failure_impact", Text(field::EVENT_REASON)),
        ("status", Status),
        ("auth_status", AuthStatus),
        ("hostname", Host),
    ])
});

/// What several fields decide together.
#[derive(Default)]
struct Log<'r> {
    action: &'r str,
    direction: &'r str,
    interface: &'r str,
    time: &'r str,
    status: &'r str,
    auth_status: &'r str,
    has_ends: bool,
    is_translated: bool,
    has_source: bool,
    start: &'r str,
    end: &'r str,
}

impl<'r> Log<'r> {
    fn set(&mut self, event: &mut Event<'r>, means: Means, value: &'r str) {
        match means {
            Means::Text(field) => event.set_present(field, value),
            Means::Int(field) => drop(event.set_int(field, value)),
            Means::Lower(field) => event.set(field, text::lower(event, value)),
            Means::Host => ecs::host(event, value),
            Means::Nat(field) => {
                if ecs::ip(value).is_some_and(|ip| !ip.is_unspecified()) {
                    self.is_translated = true;
                    ecs::ip_only(event, field, value);
                }
            }
            Means::NatPort(field) => {
                if value != "0" {
                    event.set_int(field, value);
                }
            }
            // `src` is the end itself; other fields name it where it is missing.
            Means::Source if self.has_source => {}
            Means::Source => {
                self.has_source = true;
                self.has_ends = true;
                ecs::source(event, value);
            }
            Means::Destination => {
                self.has_ends = true;
                ecs::destination(event, value);
            }
            Means::Protocol => net::transport(event, value),
            Means::User => {
                ecs::user(event, field::SOURCE_USER_NAME, value);
                ecs::user(event, field::USER_NAME, value);
            }
            Means::Url => crate::web::url(event, value),
            Means::Hash => {
                let value = text::lower(event, value);
                event.set(field::RELATED_HASH, value);
                match value.len() {
                    32 => event.set(field::FILE_HASH_MD5, value),
                    40 => event.set(field::FILE_HASH_SHA1, value),
                    64 => event.set(field::FILE_HASH_SHA256, value),
                    _ => {}
                }
            }
            Means::Time => self.time = value,
            Means::Action => self.action = value,
            Means::Direction => self.direction = value,
            Means::Interface => self.interface = value,
            Means::Service => {
                if !event.set_int(field::DESTINATION_PORT, value) {
                    event.set(field::NETWORK_PROTOCOL, text::lower(event, value));
                }
            }
            Means::Origin => {
                event.set(field::OBSERVER_NAME, value);
                if ecs::ip(value).is_some() {
                    ecs::ip_only(event, field::HOST_IP, value);
                } else {
                    event.set(field::RELATED_HOSTS, value);
                }
            }
            Means::Message => event.set(field::MESSAGE, value),
            Means::Status => self.status = value,
            Means::AuthStatus => self.auth_status = value,
            Means::Severity => {
                let number = match text::lower(event, value) {
                    "informational" => 0,
                    "low" => 1,
                    "medium" => 2,
                    "high" => 3,
                    "critical" => 4,
                    word => match word.parse() {
                        Ok(number) => number,
                        Err(_) => return event.set_present(field::LOG_LEVEL, value),
                    },
                };
                event.set(field::EVENT_SEVERITY, number);
            }
            Means::Layer => event.set(field::NETWORK_NAME, value),
            Means::Vulnerability => {
                value
                    .split([',', ';', ' '])
                    .filter(|id| id.starts_with("CVE-"))
                    .for_each(|id| event.set(field::VULNERABILITY_ID, id));
            }
            Means::Duration => {
                if let Some(nanos) = net::duration(value) {
                    event.set(field::EVENT_DURATION, nanos);
                }
            }
            Means::Start => self.start = value,
            Means::End => self.end = value,
            Means::Named(name) => event.set_named(name, value),
        }
    }

    fn finish(&self, raw: RawRecord<'r>, event: &mut Event<'r>) {
        for (text, field) in [(self.time, field::TIMESTAMP), (self.start, field::EVENT_START), (self.end, field::EVENT_END)] {
            if let Some(time) = Some(text).filter(|text| !text.is_empty()).and_then(|text| time::any(text, raw)) {
                event.set(field, Value::Time(time));
            }
        }
        let is_outbound = self.direction.starts_with("out");
        match self.direction {
            "inbound" | "outbound" => event.set(field::NETWORK_DIRECTION, self.direction),
            _ => {}
        }
        let interface = if is_outbound { field::OBSERVER_EGRESS_INTERFACE_NAME } else { field::OBSERVER_INGRESS_INTERFACE_NAME };
        event.set_present(interface, self.interface);
        if !event.has(field::OBSERVER_PRODUCT) {
            event.set_extra(PREFIX, "form", "gateway");
        }
        ecs::classify(event, &["network"], &[]);
        self.blade(event);
        self.act(event);
    }

    /// The categories that the software blade stands for.
    fn blade(&self, event: &mut Event<'r>) {
        let product = event.text(field::OBSERVER_PRODUCT).unwrap_or("");
        let (kind, category) = match product {
            "Anti-Virus" | "Anti Malware" | "Anti-Malware" | "Anti-Bot" | "New Anti Virus" | "Threat Emulation"
            | "Threat Extraction" => ("alert", "malware"),
            "IPS" | "SmartDefense" => ("alert", "intrusion_detection"),
            "URL Filtering" | "Application Control" if event.has(field::URL_ORIGINAL) => ("event", "web"),
            "Anti-Spam and Email Security" | "MTA" => ("event", "email"),
            "WEB_API" | "SmartConsole" | "Smart Console" | "SmartDashboard" => ("event", "configuration"),
            _ => return,
        };
        event.set(field::EVENT_KIND, kind);
        event.set(field::EVENT_CATEGORY, category);
    }

    fn act(&self, event: &mut Event<'r>) {
        let (action, category, kinds, outcome): (&str, Option<&'static str>, &[&'static str], Option<&'static str>) =
            match self.action {
                "Accept" | "Allow" | "accept" | "allow" => (self.action, None, &["allowed", "connection"], Some("success")),
                "Drop" | "Reject" | "Block" | "Prevent" | "drop" | "reject" | "block" | "prevent" | "Deny" | "Quarantine" => {
                    (self.action, None, &["denied", "connection"], Some("success"))
                }
                "Log In" | "login" | "Login" => ("logged-in", Some("authentication"), &["start", "allowed"], Some("success")),
                "Failed Log In" => ("logon-failed", Some("authentication"), &["start", "denied"], Some("failure")),
                "Log Out" | "logout" | "Logout" => ("logged-out", Some("authentication"), &["end"], Some("success")),
                "Encrypt" | "Decrypt" | "encrypt" | "decrypt" | "Key Install" => {
                    (self.action, None, &["connection", "info"], Some("success"))
                }
                "Detect" | "Monitor" | "detect" | "monitor" => (self.action, None, &["allowed", "info"], Some("success")),
                action => (action, None, &["info"], None),
            };
        event.set_present(field::EVENT_ACTION, action);
        if let Some(category) = category {
            event.set(field::EVENT_CATEGORY, category);
        }
        kinds.iter().for_each(|kind| event.set(field::EVENT_TYPE, *kind));
        let status = if self.auth_status.is_empty() { self.status } else { self.auth_status };
        let by_status = match status {
            _ if status.contains("ail") => Some("failure"),
            _ if status.contains("uccess") => Some("success"),
            _ => None,
        };
        // A log of the gateway itself has no ends: its action says nothing of traffic.
        if let Some(outcome) = by_status.or(outcome.filter(|_| self.has_ends)) {
            event.set(field::EVENT_OUTCOME, outcome);
        }
    }
}
