//! Other Fortinet appliances: FortiWeb, FortiMail, FortiManager, FortiAnalyzer, FortiADC, FortiAuthenticator, FortiSandbox.
//!
//! Reference: FortiWeb, FortiMail, FortiManager & FortiAnalyzer, FortiAuthenticator "Log Message Reference": header fields, traffic,
//! attack, event, mail (statistics, virus, spam, history) logs. FortiGate's are read by `fortigate`.
//!
//! Every field is kept as `fortinet.<product>.<key>`. Which product it is the serial number says, else the fields that only it has.

use std::sync::LazyLock;

use event::{Event, Field, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    kv::{Pairs, Separator},
    net, text, time,
};

pub struct Fortinet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Product {
    Web,
    Mail,
    Manager,
    Analyzer,
    Adc,
    Authenticator,
    Sandbox,
}

impl Product {
    /// Name, dataset, prefix of its fields, kind of observer.
    fn names(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Web => ("FortiWeb", "fortinet.fortiweb", "fortinet.fortiweb.", "waf"),
            Self::Mail => ("FortiMail", "fortinet.fortimail", "fortinet.fortimail.", "mail"),
            Self::Manager => ("FortiManager", "fortinet.fortimanager", "fortinet.fortimanager.", "management"),
            Self::Analyzer => ("FortiAnalyzer", "fortinet.fortianalyzer", "fortinet.fortianalyzer.", "management"),
            Self::Adc => ("FortiADC", "fortinet.fortiadc", "fortinet.fortiadc.", "load-balancer"),
            Self::Authenticator => {
                ("FortiAuthenticator", "fortinet.fortiauthenticator", "fortinet.fortiauthenticator.", "authentication")
            }
            Self::Sandbox => ("FortiSandbox", "fortinet.fortisandbox", "fortinet.fortisandbox.", "sandbox"),
        }
    }
}

impl Parser for Fortinet {
    fn name(&self) -> &'static str {
        "fortinet"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(product(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(product) = product(raw.text()) else {
            return Outcome::Unreadable("no log of a Fortinet appliance");
        };
        let (name, dataset, prefix, kind) = product.names();
        // Some releases separate the pairs by commas.
        let is_csv = raw.text().bytes().take(64).find(|b| matches!(b, b',' | b' ')) == Some(b',');
        let mut pairs = Pairs::new(raw.text(), if is_csv { Separator::Any } else { Separator::Blank });
        let mut line = Line::default();
        for pair in pairs.by_ref() {
            let value = pair.value(event);
            if pair.key.len() > ecs::NAME_BYTES_MAX {
                continue;
            }
            event.set_extra(prefix, pair.key, value);
            if let Some(means) = KEYS.get(pair.key).filter(|_| !ecs::is_nothing(value)) {
                line.set(event, means, value);
            }
        }
        if let Some(problem) = pairs.problem() {
            event.problem(problem);
        }
        event.set_dataset(dataset);
        event.set(field::OBSERVER_VENDOR, "Fortinet");
        event.set(field::OBSERVER_PRODUCT, name);
        event.set(field::OBSERVER_TYPE, kind);
        line.finish(raw, event, product);
        Outcome::Parsed
    }
}

/// Says whether a line of Fortinet pairs is of another product than a FortiGate.
pub fn is_other(text: &str) -> bool {
    product(text).is_some()
}

fn product(text: &str) -> Option<Product> {
    let head = &text.as_bytes()[..text.len().min(700)];
    let at = |word: &[u8]| crate::text::find(head, word);
    let has = |word: &[u8]| at(word).is_some();
    if !has(b"type=") || !has(b"log_id=") || !text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) {
        return None;
    }
    let serial = at(b"device_id=")
        .map(|at| at + 10)
        .or_else(|| at(b"devid=").map(|at| at + 6))
        .map_or("", |from| text.get(from..).unwrap_or("").trim_start_matches('"'));
    let starts = |words: &[&str]| words.iter().any(|word| serial.starts_with(word));
    match () {
        () if starts(&["FV"]) => Some(Product::Web),
        () if starts(&["FE"]) => Some(Product::Mail),
        () if starts(&["FMG", "FMV"]) => Some(Product::Manager),
        () if starts(&["FAZ", "FL"]) => Some(Product::Analyzer),
        () if starts(&["FAD"]) => Some(Product::Adc),
        () if starts(&["FAC"]) => Some(Product::Authenticator),
        () if starts(&["FSA"]) => Some(Product::Sandbox),
        () if starts(&["FG", "FW"]) => None,
        () if has(b"msg_id=") && has(b"pri=") && (has(b"trigger_policy=") || has(b"http_method=")) => Some(Product::Web),
        () if has(b"client_name=") && has(b"session_id=") && has(b"classifier=") => Some(Product::Mail),
        () if (has(b"userfrom=") || has(b"adom=")) && has(b"desc=") => Some(Product::Manager),
        () => None,
    }
}

#[derive(Clone, Copy)]
enum Means {
    Text(Field),
    Int(Field),
    Lower(Field),
    Source,
    Original,
    Destination,
    Protocol,
    User,
    Named(&'static str),
    Date,
    Time,
    Zone,
    Kind,
    Subtype,
    Action,
    Status,
    Ui,
    Url,
    Host,
    Device,
    Severity,
    Disposition,
    Cve,
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("date", Date),
        ("time", Time),
        ("tz", Zone),
        ("timezone", Zone),
        ("type", Kind),
        ("subtype", Subtype),
        ("action", Action),
        ("status", Status),
        ("log_id", Text(field::EVENT_CODE)),
        ("pri", Text(field::LOG_LEVEL)),
        ("level", Text(field::LOG_LEVEL)),
        ("msg", Text(field::MESSAGE)),
        ("reason", Text(field::EVENT_REASON)),
        ("device_id", Text(field::OBSERVER_SERIAL_NUMBER)),
        ("devid", Text(field::OBSERVER_SERIAL_NUMBER)),
        ("devname", Device),
        ("src", Source),
        ("srcip", Source),
        ("client_ip", Source),
        ("original_src", Original),
        ("remote_ip", Source),
        ("src_port", Int(field::SOURCE_PORT)),
        ("dst", Destination),
        ("dst_ip", Destination),
        ("dstip", Destination),
        ("dst_port", Int(field::DESTINATION_PORT)),
        ("client_name", Text(field::SOURCE_DOMAIN)),
        ("proto", Protocol),
        ("service", Lower(field::NETWORK_PROTOCOL)),
        ("srccountry", Text(field::SOURCE_GEO_COUNTRY_NAME)),
        ("client_cc", Text(field::SOURCE_GEO_COUNTRY_NAME)),
        ("user", User),
        ("user_name", User),
        ("username", User),
        ("ui", Ui),
        ("userfrom", Ui),
        ("http_url", Url),
        ("http_host", Host),
        ("http_method", Text(field::HTTP_REQUEST_METHOD)),
        ("http_agent", Text(field::USER_AGENT_ORIGINAL)),
        ("http_refer", Text(field::HTTP_REQUEST_REFERRER)),
        ("http_retcode", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("http_request_bytes", Int(field::HTTP_REQUEST_BODY_BYTES)),
        ("http_response_bytes", Int(field::HTTP_RESPONSE_BODY_BYTES)),
        ("http_version", Text(field::HTTP_VERSION)),
        ("cipher_suite", Text(field::TLS_CIPHER)),
        ("policy", Text(field::RULE_RULESET)),
        ("policy_id", Text(field::RULE_RULESET)),
        ("signature_id", Text(field::RULE_ID)),
        ("signature_subclass", Text(field::RULE_CATEGORY)),
        ("main_type", Text(field::RULE_CATEGORY)),
        ("sub_type", Text(field::RULE_NAME)),
        ("signature_cve_id", Cve),
        ("severity_level", Severity),
        ("threat_level", Severity),
        ("from", Named("email.from.address")),
        ("to", Named("email.to.address")),
        ("subject", Named("email.subject")),
        ("message_id", Named("email.message_id")),
        ("hfrom", Named("email.sender.address")),
        ("direction", Named("network.direction")),
        ("disposition", Disposition),
        ("classifier", Text(field::RULE_CATEGORY)),
        ("virus", Text(field::RULE_NAME)),
        ("attachment", Text(field::FILE_NAME)),
        ("message_length", Named("email.size")),
        ("desc", Named("event.description")),
    ])
});

#[derive(Default)]
struct Line<'r> {
    date: &'r str,
    time: &'r str,
    zone: &'r str,
    kind: &'r str,
    subtype: &'r str,
    action: &'r str,
    status: &'r str,
    ui: &'r str,
    url: &'r str,
    host: &'r str,
    disposition: &'r str,
    original: &'r str,
}

impl<'r> Line<'r> {
    fn set(&mut self, event: &mut Event<'r>, means: Means, value: &'r str) {
        match means {
            Means::Text(field) => event.set(field, value),
            Means::Int(field) => drop(event.set_int(field, value)),
            Means::Lower(field) => event.set(field, text::lower(event, value)),
            Means::Source => ecs::source(event, value),
            Means::Original => self.original = value,
            Means::Destination => ecs::destination(event, value),
            Means::Protocol => net::transport(event, value),
            Means::User => {
                if value != "Unknown" {
                    net::account(event, value);
                }
            }
            Means::Named(name) => event.set_named(name, value),
            Means::Date => self.date = value,
            Means::Time => self.time = value,
            Means::Zone => self.zone = value,
            Means::Kind => self.kind = value,
            Means::Subtype => self.subtype = value,
            Means::Action => self.action = value,
            Means::Status => self.status = value,
            Means::Ui => self.ui = value,
            Means::Url => self.url = value,
            Means::Host => self.host = value,
            Means::Device => {
                event.set(field::OBSERVER_NAME, value);
                ecs::host(event, value);
            }
            Means::Severity => {
                let number = match text::lower(event, value) {
                    "informative" | "info" => 1,
                    "low" => 2,
                    "medium" | "moderate" => 3,
                    "high" | "substantial" => 4,
                    "severe" | "critical" => 5,
                    _ => return,
                };
                event.set(field::EVENT_SEVERITY, number);
            }
            Means::Disposition => self.disposition = value,
            Means::Cve => {
                value.split([',', ' ']).filter(|id| id.starts_with("CVE-")).for_each(|id| event.set(field::VULNERABILITY_ID, id))
            }
        }
    }

    fn finish(&self, raw: RawRecord<'r>, event: &mut Event<'r>, product: Product) {
        self.set_time(raw, event);
        if !self.url.is_empty() {
            crate::web::url(event, self.url);
        }
        if !self.host.is_empty() {
            crate::web::authority(event, self.host);
            event.set(field::RELATED_HOSTS, self.host);
        }
        // Behind a proxy the first sender is the client.
        if ecs::ip(self.original).is_some() {
            ecs::ip_only(event, field::CLIENT_IP, self.original);
        }
        // `GUI(10.0.0.9)`, `ssh(10.0.0.9)`, `10.0.0.9`.
        let inside = self.ui.split_once('(').map_or(self.ui, |(_, inside)| inside.trim_end_matches(')'));
        if !event.has(field::SOURCE_IP) {
            ecs::ip_only(event, field::SOURCE_IP, inside);
        }
        let action = if self.action.is_empty() { self.disposition } else { self.action };
        event.set_present(field::EVENT_ACTION, if action.is_empty() { self.subtype } else { action });
        self.classify(event, product);
    }

    fn set_time(&self, raw: RawRecord<'r>, event: &mut Event<'r>) {
        // `+0700`, or `(GMT+7:00)Bangkok,Hanoi,Jakarta`.
        let zone = match self.zone.strip_prefix("(GMT") {
            Some(rest) => gmt(rest.split(')').next().unwrap_or("")),
            None => time::numeric_zone(self.zone).map(|(seconds, _)| seconds),
        };
        if self.date.is_empty() {
            return;
        }
        let joined = text::join(event, self.date, " ", self.time);
        match time::iso(joined) {
            Some((stamp, _)) => {
                let stamp = time::Stamp { offset: stamp.offset.or(zone), ..stamp };
                event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
            }
            None => event.problem("the time could not be read"),
        }
    }

    fn classify(&self, event: &mut Event<'r>, product: Product) {
        let action = text::lower(event, self.action);
        let is_denied = ["deny", "block", "drop", "reset", "redirect", "period", "reject", "quarantine", "discard"]
            .iter()
            .any(|word| action.contains(word))
            || ["Reject", "Discard", "Quarantine", "Delay"].iter().any(|word| self.disposition.contains(word));
        let (kind, categories): (_, &[&'static str]) = match (product, self.kind) {
            (_, "attack") => ("alert", &["intrusion_detection", "network", "web"]),
            (Product::Web | Product::Adc, "traffic") => ("event", &["network", "web"]),
            (Product::Mail, "virus") => ("alert", &["malware", "email"]),
            (Product::Mail, "spam" | "statistics" | "encrypt") => ("event", &["email"]),
            (_, "event" | "kevent") if action.contains("login") || action.contains("logout") || self.subtype.contains("auth") => {
                ("event", &["authentication"])
            }
            (_, "event" | "kevent") if self.subtype.contains("config") || matches!(action, "edit" | "add" | "delete" | "set") => {
                ("event", &["configuration"])
            }
            (_, "event" | "kevent") => ("event", &["host"]),
            _ => ("event", &["network"]),
        };
        ecs::classify(event, categories, &["info"]);
        event.set(field::EVENT_KIND, kind);
        if categories.contains(&"network") || categories.contains(&"email") {
            event.set(field::EVENT_TYPE, if is_denied { "denied" } else { "allowed" });
        }
        if categories.contains(&"authentication") {
            event.set(field::EVENT_TYPE, if action.contains("logout") { "end" } else { "start" });
        }
        if categories.contains(&"configuration") {
            event.set(field::EVENT_TYPE, "change");
        }
        if let Some(outcome) = ecs::outcome_word(self.status) {
            event.set(field::EVENT_OUTCOME, outcome);
        } else if self.kind == "attack" {
            ecs::success(event);
        }
    }
}

/// `+7:00`, `-03:30`, `+0000` as seconds.
fn gmt(text: &str) -> Option<i32> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let text = text.trim_start_matches(['+', '-']);
    let (hours, minutes) = match text.split_once(':') {
        Some(parts) => parts,
        None if text.len() == 4 => text.split_at_checked(2)?,
        None => (text, "0"),
    };
    let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
    (hours <= 14 && minutes < 60).then(|| sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60))
}

#[cfg(test)]
mod tests {
    use super::gmt;

    #[test]
    fn zones() {
        assert_eq!(gmt("+7:00"), Some(25_200));
        assert_eq!(gmt("-03:30"), Some(-12_600));
        assert_eq!(gmt("+0000"), Some(0));
        assert_eq!(gmt("+99:00"), None);
        assert_eq!(gmt("é"), None);
    }
}
