//! FortiGate (FortiOS) logs in their default form: `key=value` pairs, values in quotes where they are text.
//!
//! Reference: Fortinet, FortiOS Log Message Reference (5.0 to 7.6): "Log field format", "Log schema structure", the tables of
//! traffic, UTM and event fields. The comma-separated form (`set format csv`) is the same pairs.
//!
//! Every field is kept verbatim under `fortinet.firewall.<key>`, because rules are written in the vendor's words; ECS fields
//! are set beside. The time is `eventtime` (seconds, milli-, micro- or nanoseconds by release), else `date`, `time` and `tz`.

mod meaning;

use event::{Event, Field, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    kv::{Pairs, Separator},
    text, time,
};
use meaning::{KEYS, Means, Role};

const PREFIX: &str = "fortinet.firewall.";

pub struct FortiGate;

impl Parser for FortiGate {
    fn name(&self) -> &'static str {
        "fortigate"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let b = raw.text().trim_start().as_bytes();
        // The header fields come first, in an order that changed with the releases.
        let head = &b[..b.len().min(600)];
        let has = |word: &[u8]| crate::text::find(head, word).is_some();
        let starts = matches!(b.first(), Some(b'd' | b'l' | b't' | b'e' | b'v' | b'i'));
        let is = starts
            && memchr::memchr(b'=', &b[..b.len().min(16)]).is_some()
            && has(b"type=")
            && has(b"subtype=")
            && (has(b"logid=") || has(b"log_id=") || has(b"logdesc="))
            && (has(b"devid=") || has(b"vd=") || has(b"devname="))
            && !super::fortinet::is_other(raw.text());
        Sniff::yes_if(is)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let separator = if is_csv(raw.text()) { Separator::Any } else { Separator::Blank };
        let mut pairs = Pairs::new(raw.text(), separator);
        let mut line = Line::default();
        let mut count = 0;
        for pair in pairs.by_ref() {
            count += 1;
            let value = pair.value(event);
            event.set_extra(PREFIX, pair.key, value);
            if pair.key == "devid" {
                line.is_proxy = value.starts_with("FPX");
            }
            if value.is_empty() {
                continue;
            }
            if let Some(means) = KEYS.get(pair.key) {
                set(event, &mut line, means, value);
            }
        }
        if count < 3 || (line.kind.is_empty() && line.log_id.is_empty()) {
            return Outcome::Unreadable("no FortiGate fields");
        }
        if let Some(problem) = pairs.problem() {
            event.problem(problem);
        }
        event.set_dataset("fortinet.firewall");
        event.set(field::OBSERVER_VENDOR, "Fortinet");
        // Only a proxy logs the transactions of its clients.
        let is_proxy = line.subtype == "http-transaction" || line.is_proxy;
        event.set(field::OBSERVER_PRODUCT, if is_proxy { "FortiProxy" } else { "FortiGate" });
        event.set(field::OBSERVER_TYPE, if is_proxy { "proxy" } else { "firewall" });
        line.finish(raw, event);
        Outcome::Parsed
    }
}

fn is_csv(text: &str) -> bool {
    let end = text.bytes().take(64).position(|b| b == b',' || b == b' ');
    end.is_some_and(|at| text.as_bytes()[at] == b',')
}

/// What several keys decide together.
#[derive(Default)]
pub struct Line<'r> {
    date: &'r str,
    time: &'r str,
    zone: &'r str,
    event_time: &'r str,
    kind: &'r str,
    subtype: &'r str,
    action: &'r str,
    status: &'r str,
    log_id: &'r str,
    description: &'r str,
    message: &'r str,
    user: &'r str,
    ui: &'r str,
    attack: &'r str,
    attack_id: &'r str,
    policy_id: &'r str,
    policy_name: &'r str,
    remote_ip: &'r str,
    local_ip: &'r str,
    host: &'r str,
    url: &'r str,
    device: &'r str,
    nat: Option<bool>,
    sent: Option<i64>,
    received: Option<i64>,
    packets_sent: Option<i64>,
    packets_received: Option<i64>,
    sent_delta: Option<i64>,
    received_delta: Option<i64>,
    profile: &'r str,
    app_category: &'r str,
    event_type: &'r str,
    /// Seconds since 1970 when a collector took it in.
    stamp: &'r str,
    query_class: &'r str,
    query_id: &'r str,
    is_proxy: bool,
}

/// A pair of a FortiGate's CEF line: the key behind its vendor prefix, or one of CEF's own that means a FortiOS key.
pub fn cef<'r>(event: &mut Event<'r>, line: &mut Line<'r>, key: &str, value: &'r str) {
    let key = match key {
        "act" => "action",
        "out" => "sentbyte",
        "in" => "rcvdbyte",
        "duser" | "suser" => "user",
        "cat" => {
            let (kind, subtype) = value.split_once(':').unwrap_or((value, ""));
            line.kind = kind;
            if line.subtype.is_empty() {
                line.subtype = subtype;
            }
            return;
        }
        "reason" | "msg" | "src" | "dst" | "spt" | "dpt" => return,
        key => match key.strip_prefix("FTNTFGT").or_else(|| key.strip_prefix("FortinetFortiGate")) {
            Some(key) => key,
            None => return,
        },
    };
    if let Some(means) = KEYS.get(key).filter(|_| !value.is_empty()) {
        set(event, line, means, value);
    }
}

impl<'r> Line<'r> {
    /// What a CEF line of a FortiGate means; its own time and names stay where the line says none.
    pub fn finish_cef(&self, raw: RawRecord<'r>, event: &mut Event<'r>) {
        event.set(field::OBSERVER_TYPE, "firewall");
        self.finish(raw, event);
    }
}

fn set<'r>(event: &mut Event<'r>, line: &mut Line<'r>, means: Means, value: &'r str) {
    match means {
        Means::Text(field) => event.set_present(field, value),
        Means::Int(field) => drop(event.set_int(field, value)),
        Means::Lower(field) if !ecs::is_nothing(value) => {
            let value = text::lower(event, value);
            event.set(field, value);
        }
        Means::Lower(_) => {}
        Means::Ip(field) => drop(ecs::ip_only(event, field, value)),
        Means::User(field) => ecs::user(event, field, value),
        Means::Country(field) => {
            if value != "Reserved" {
                event.set(field, value);
            }
        }
        Means::Protocol => {
            if let Ok(number) = value.parse() {
                ecs::protocol(event, number);
            }
        }
        Means::Role(role) => line.note(event, role, value),
    }
}

impl<'r> Line<'r> {
    fn note(&mut self, event: &mut Event<'r>, role: Role, value: &'r str) {
        match role {
            Role::Date => self.date = value,
            Role::Time => self.time = value,
            Role::Zone => self.zone = value,
            Role::EventTime => self.event_time = value,
            Role::Kind => self.kind = value,
            Role::Subtype => self.subtype = value,
            Role::Action => self.action = value,
            Role::Status => self.status = value,
            Role::LogId => self.log_id = value,
            Role::Description => self.description = value,
            Role::Message => self.message = value,
            Role::User => self.user = value,
            Role::Ui => self.ui = value,
            Role::Attack => self.attack = value,
            Role::AttackId => self.attack_id = value,
            Role::PolicyId => self.policy_id = value,
            Role::PolicyName => self.policy_name = value,
            Role::RemoteIp => self.remote_ip = value,
            Role::LocalIp => self.local_ip = value,
            Role::Host => self.host = value,
            Role::Url => self.url = value,
            Role::Device => self.device = value,
            Role::NatSource => {
                if ecs::ip(value).is_some_and(|ip| !ip.is_unspecified()) {
                    self.nat = Some(true);
                    ecs::ip_only(event, field::SOURCE_NAT_IP, value);
                }
            }
            Role::NatDestination => {
                if ecs::ip(value).is_some_and(|ip| !ip.is_unspecified()) {
                    self.nat = Some(true);
                    ecs::ip_only(event, field::DESTINATION_NAT_IP, value);
                }
            }
            Role::Sent => self.sent = value.parse().ok(),
            Role::Received => self.received = value.parse().ok(),
            Role::PacketsSent => self.packets_sent = value.parse().ok(),
            Role::PacketsReceived => self.packets_received = value.parse().ok(),
            Role::SentDelta => self.sent_delta = value.parse().ok(),
            Role::ReceivedDelta => self.received_delta = value.parse().ok(),
            Role::Profile => self.profile = value,
            Role::AppCategory => self.app_category = value,
            Role::EventType => self.event_type = value,
            Role::Stamp => self.stamp = value,
            Role::QueryClass => self.query_class = value,
            Role::QueryId => self.query_id = value,
            Role::Duration => {
                if let Some(nanos) = text::seconds_to_nanos(value) {
                    event.set(field::EVENT_DURATION, nanos);
                }
            }
            Role::Direction => event.set(
                field::NETWORK_DIRECTION,
                match value {
                    "outgoing" | "outbound" => "outbound",
                    "incoming" | "inbound" => "inbound",
                    _ => "unknown",
                },
            ),
        }
    }

    fn finish(&self, raw: RawRecord<'r>, event: &mut Event<'r>) {
        self.set_time(raw, event);
        self.set_rule(event);
        self.set_counts(event);
        self.set_peers(event);
        if !self.device.is_empty() {
            event.set(field::OBSERVER_NAME, self.device);
            if !event.has(field::HOST_NAME) {
                ecs::host(event, self.device);
            }
        }
        event.set_present(field::EVENT_CODE, self.log_id);
        event.set_present(field::MESSAGE, if self.message.is_empty() { self.description } else { self.message });
        // What the device says of it is its reason, where it names no other.
        let has_reason = event.text(field::EVENT_REASON).is_some_and(|reason| !ecs::is_nothing(reason));
        if !has_reason {
            event.set_present(field::EVENT_REASON, self.message);
        }
        self.classify(event);
    }

    fn set_time(&self, raw: RawRecord<'r>, event: &mut Event<'r>) {
        let zone = time::numeric_zone(self.zone).map(|(seconds, _)| seconds);
        let stamp = || {
            // `date=2026-11-23 time=10:00:00`: read as one stamp; the two values need not be neighbours.
            let mut text = [0u8; 40];
            let len = self.date.len() + 1 + self.time.len();
            let buffer = text.get_mut(..len)?;
            buffer[..self.date.len()].copy_from_slice(self.date.as_bytes());
            buffer[self.date.len()] = b' ';
            buffer[self.date.len() + 1..].copy_from_slice(self.time.as_bytes());
            let (stamp, _) = time::iso(std::str::from_utf8(buffer).ok()?)?;
            Some(time::Stamp { offset: stamp.offset.or(zone), ..stamp })
        };
        let event_time = if self.event_time.is_empty() && self.date.is_empty() { self.stamp } else { self.event_time };
        match time::epoch(event_time) {
            Some(micros) => event.set(field::TIMESTAMP, Value::Time(micros)),
            None => match stamp() {
                Some(stamp) => event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw))),
                None if event.has(field::TIMESTAMP) => {}
                None => event.problem("no time"),
            },
        }
        event.set_present(field::EVENT_TIMEZONE, self.zone);
    }

    /// The rule that took effect: the signature of an IPS log, else the policy.
    fn set_rule(&self, event: &mut Event<'r>) {
        let (id, name) = if self.attack.is_empty() { (self.policy_id, self.policy_name) } else { (self.attack_id, self.attack) };
        event.set_present(field::RULE_ID, id);
        event.set_present(field::RULE_NAME, name);
        if self.kind != "event" {
            event.set_present(field::RULE_RULESET, self.profile);
        }
        if !event.has(field::RULE_CATEGORY) {
            event.set_present(field::RULE_CATEGORY, self.app_category);
        }
    }

    fn set_counts(&self, event: &mut Event<'r>) {
        // A long session is logged several times: the delta is what passed since the last one.
        let (sent, received) = (self.sent_delta.or(self.sent), self.received_delta.or(self.received));
        if let (Some(sent), Some(received)) = (sent, received) {
            event.set(field::NETWORK_BYTES, sent.saturating_add(received));
        }
        if let (Some(sent), Some(received)) = (self.packets_sent, self.packets_received) {
            event.set(field::NETWORK_PACKETS, sent.saturating_add(received));
        }
        let mut set = |field: Field, count: Option<i64>| {
            if let Some(count) = count {
                event.set(field, count);
            }
        };
        set(field::SOURCE_BYTES, sent);
        set(field::DESTINATION_BYTES, received);
        set(field::SOURCE_PACKETS, self.packets_sent);
        set(field::DESTINATION_PACKETS, self.packets_received);
    }

    fn set_peers(&self, event: &mut Event<'r>) {
        ecs::user(event, if self.kind == "event" { field::USER_NAME } else { field::SOURCE_USER_NAME }, self.user);
        if !event.has(field::SOURCE_IP) {
            // VPN logs name the far end `remip`; administrators' log-ins name theirs inside `ui="https(10.0.0.9)"`.
            if !ecs::ip_only(event, field::SOURCE_IP, self.remote_ip)
                && let Some((way, inside)) = self.ui.split_once('(')
                && ecs::ip_only(event, field::SOURCE_IP, inside.trim_end_matches(')'))
                && matches!(way, "http" | "https" | "ssh" | "telnet")
            {
                event.set(field::NETWORK_PROTOCOL, way);
            }
        }
        if !event.has(field::DESTINATION_IP) {
            ecs::ip_only(event, field::DESTINATION_IP, self.local_ip);
        }
        if !self.url.is_empty() {
            crate::web::url(event, self.url);
        }
        if !self.query_class.is_empty() {
            event.set_named("dns.question.class", self.query_class);
        }
        if !self.query_id.is_empty() {
            event.set_named("dns.id", self.query_id);
        }
        if !ecs::is_nothing(self.host) && !self.url.is_empty() {
            // A path whose scheme is the service and whose port is the one that was reached.
            if let Some(scheme @ ("http" | "https")) = event.text(field::NETWORK_PROTOCOL)
                && !event.has(field::URL_SCHEME)
            {
                event.set(field::URL_SCHEME, scheme);
                if let Some(port) = event.get(field::DESTINATION_PORT) {
                    event.set(field::URL_PORT, port);
                }
            }
        }
        if !ecs::is_nothing(self.host) {
            crate::web::authority(event, self.host);
            event.set(field::DESTINATION_DOMAIN, self.host);
            event.set(field::RELATED_HOSTS, self.host);
        }
    }

    fn classify(&self, event: &mut Event<'r>) {
        let action = match (self.action, self.event_type) {
            // What a query or an answer was is said beside; `pass` is not it.
            ("pass", kind) if self.subtype == "dns" && !kind.is_empty() => kind,
            ("", "") => self.subtype,
            ("", kind) => kind,
            (action, _) => action,
        };
        event.set_present(field::EVENT_ACTION, action);
        let is_blocked = meaning::is_blocked(self.action);
        let verdict = if is_blocked { "denied" } else { "allowed" };
        match self.kind {
            "traffic" => self.traffic(event, verdict),
            "utm" | "virus" | "ips" | "webfilter" | "app-ctrl" | "dlp" | "emailfilter" | "anomaly" | "dns" | "waf" => {
                self.utm(event, verdict);
            }
            _ => self.device_event(event),
        }
    }

    fn traffic(&self, event: &mut Event<'r>, verdict: &'static str) {
        ecs::classify(event, &["network"], &["connection"]);
        event.set(field::EVENT_TYPE, verdict);
        match self.action {
            "start" => event.set(field::EVENT_TYPE, "start"),
            "close" | "timeout" | "client-rst" | "server-rst" => event.set(field::EVENT_TYPE, "end"),
            _ => {}
        }
        // The outcome is the firewall's: it did what its policy says (ECS, categorisation examples).
        ecs::success(event);
    }

    fn utm(&self, event: &mut Event<'r>, verdict: &'static str) {
        let subtype = if self.kind == "utm" { self.subtype } else { self.kind };
        let (kind, category): (_, &'static str) = match subtype {
            "virus" => ("alert", "malware"),
            "ips" | "anomaly" | "waf" => ("alert", "intrusion_detection"),
            "webfilter" => ("event", "web"),
            "emailfilter" => ("event", "email"),
            _ => ("event", "network"),
        };
        event.set(field::EVENT_KIND, kind);
        event.set(field::EVENT_CATEGORY, category);
        if category != "network" {
            event.set(field::EVENT_CATEGORY, "network");
        }
        event.set(field::EVENT_TYPE, verdict);
        ecs::success(event);
    }

    /// Logs about the device itself, its users and its tunnels.
    fn device_event(&self, event: &mut Event<'r>) {
        let is_login = matches!(
            self.action,
            "login"
                | "logout"
                | "authentication"
                | "auth-logon"
                | "auth-logout"
                | "FSSO-logon"
                | "FSSO-logoff"
                | "ssl-login-fail"
        );
        let (category, kind): (&'static str, &'static str) = match (self.subtype, self.action) {
            (_, "login" | "auth-logon" | "authentication" | "FSSO-logon") => ("authentication", "start"),
            (_, "logout" | "auth-logout" | "FSSO-logoff") => ("authentication", "end"),
            (_, "ssl-login-fail") => ("authentication", "start"),
            ("vpn", "tunnel-up") => ("network", "start"),
            ("vpn", "tunnel-down") => ("network", "end"),
            ("user", _) => ("authentication", "info"),
            (_, "Edit" | "edit" | "Add" | "add" | "Delete" | "delete" | "Move") => ("configuration", "change"),
            ("vpn", _) => ("network", "info"),
            ("ha" | "system", _) => ("host", "info"),
            _ => ("network", "info"),
        };
        ecs::classify(event, &[category], &[kind]);
        let word = if self.status.is_empty() && is_login { self.description } else { self.status };
        let outcome = match word {
            "" => None,
            _ if self.action.ends_with("fail") || word.contains("fail") => Some("failure"),
            _ => ecs::outcome_word(word).or((is_login && word.contains("success")).then_some("success")),
        };
        // A change that is logged was made.
        let is_change = matches!(self.action, "Edit" | "edit" | "Add" | "add" | "Delete" | "delete" | "Move" | "move");
        if let Some(outcome) = outcome.or(is_change.then_some("success")) {
            event.set(field::EVENT_OUTCOME, outcome);
        }
    }
}
