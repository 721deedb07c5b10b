//! Trellix (McAfee) ePolicy Orchestrator: events as XML, by syslog forwarding or from files.
//!
//! Reference: Trellix, "ePolicy Orchestrator: syslog forwarding" (`<EPOEvent>` and `<EPOevent>`, MachineInfo, SoftwareInfo with
//! CommonFields and CustomFields), the common event format of managed products.

use event::{Event, Value, field};

use crate::{
    Sniff, ecs,
    objects::{Noting, Objects, Product, To, Values, classify},
    time,
    xml::{self, Reader, Token},
};

pub static TRELLIX_EPO: Objects = Objects::of_text(
    Product {
        name: "trellix_epo",
        dataset: "trellix.epo_event",
        prefix: "trellix.epo.",
        vendor: "Trellix",
        product: "ePO",
        observer: "",
        marks: &[],
        not: &[],
        rows: &[
            ("GMTTime", To::Note),
            ("DetectedUTC", To::Note),
            ("EventID", To::Text("event.code")),
            ("Severity", To::Int("event.severity")),
            ("MachineName", To::Host("host.name")),
            ("RawMACAddress", To::Mac("host.mac")),
            ("IPAddress", To::Ip("host.ip")),
            ("OSName", To::Text("host.os.name")),
            ("UserName", To::Note),
            ("Analyzer", To::Text("observer.name")),
            ("AnalyzerName", To::Note),
            ("AnalyzerVersion", To::Text("observer.version")),
            ("AnalyzerHostName", To::Text("observer.hostname")),
            ("AnalyzerIPV4", To::Note),
            ("ThreatName", To::Text("threat.indicator.name")),
            ("ThreatName", To::Text("rule.name")),
            ("ThreatType", To::Note),
            ("ThreatCategory", To::Text("rule.category")),
            ("ThreatActionTaken", To::Text("event.action")),
            ("ThreatSeverity", To::Note),
            ("ThreatHandled", To::Note),
            ("SourceHostName", To::Text("source.domain")),
            ("SourceIPV4", To::Ip("source.ip")),
            ("SourceIPV6", To::Ip("source.ip")),
            ("SourcePort", To::Int("source.port")),
            ("SourceMAC", To::Mac("source.mac")),
            ("SourceUserName", To::Account("source.user")),
            ("SourceProcessName", To::Note),
            ("SourceURL", To::Url),
            ("TargetHostName", To::Text("destination.domain")),
            ("TargetIPV4", To::Ip("destination.ip")),
            ("TargetIPV6", To::Ip("destination.ip")),
            ("TargetPort", To::Int("destination.port")),
            ("TargetMAC", To::Mac("destination.mac")),
            ("TargetProtocol", To::Lower("network.protocol")),
            ("TargetUserName", To::User("user.target.name")),
            ("TargetFileName", To::File),
            ("TargetProcessName", To::Text("process.name")),
            ("TargetProcessName", To::Text("process.executable")),
            ("TargetHash", To::Hash("file.hash")),
            ("TargetFileSize", To::Int("file.size")),
            ("AttackVectorType", To::Note),
            ("RuleID", To::Text("rule.id")),
            ("RuleName", To::Text("rule.name")),
            ("SourceProcessHash", To::Hash("process.hash")),
            ("DurationBeforeDetection", To::Note),
            ("TaskName", To::Note),
            ("MSMEEvent", To::Note),
            ("NaturalLangDescription", To::Text("message")),
        ],
        open: &[],
        pairs: &[],
        wraps: &[],
        finish,
    },
    &["EPOEvents"],
    sniff,
    read,
);

fn sniff(payload: &str) -> Sniff {
    Sniff::yes_if(start(payload).is_some())
}

/// `<EPOEvent>` or `<EPOevent>` near the start, or another product's root; relays put words before it.
fn start(payload: &str) -> Option<&str> {
    let head = &payload.as_bytes()[..payload.len().min(512)];
    // Security for Microsoft Exchange and others have a root of their own around the same parts.
    let other = crate::text::find(head, b"Root><MachineInfo>").and_then(|at| payload[..at].rfind('<'));
    let at = crate::text::find(head, b"<EPO")
        .filter(|at| payload.get(at + 4..at + 9).is_some_and(|name| name.eq_ignore_ascii_case("event")));
    Some(&payload[at.or(other)?..])
}

fn read<'r>(noting: &mut Noting<'_, 'r, '_>, payload: &'r str) -> bool {
    let Some(text) = start(payload) else { return false };
    let mut value = "";
    let mut is_leaf = false;
    let mut count = 0;
    for token in Reader::new(text).take(4096) {
        match token {
            Token::Open { attributes, .. } => {
                value = "";
                is_leaf = true;
                for (key, attribute) in xml::attributes(attributes) {
                    let attribute = xml::text(noting.event(), attribute);
                    if !key.is_empty() && key != "target" {
                        noting.note(key, attribute);
                    }
                }
            }
            Token::Text(raw) => value = if value.trim().is_empty() { raw } else { value },
            Token::Verbatim(text) => value = text,
            Token::Close(name) => {
                if is_leaf && !value.trim().is_empty() && !name.is_empty() {
                    let value = xml::text(noting.event(), value);
                    noting.note(name, value.trim());
                    count += 1;
                }
                is_leaf = false;
            }
        }
    }
    count > 0
}

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    // Both are UTC whether they say so or not.
    let stamp = ["GMTTime", "DetectedUTC"].into_iter().filter_map(|path| values.get(path)).find_map(time::iso);
    if let Some((stamp, _)) = stamp {
        let time = time::Stamp { offset: stamp.offset.or(Some(0)), ..stamp }.resolve(values.raw());
        event.set(field::TIMESTAMP, Value::Time(time));
    }
    let category = values.text("ThreatCategory");
    let categories = if category.starts_with("av.") { "malware intrusion_detection" } else { "intrusion_detection" };
    let is_alert = values.get("ThreatName").is_some();
    classify(event, if is_alert { "alert" } else { "event" }, categories, "info");
    if let Some(account) = values.get("UserName") {
        let (name, domain) = crate::objects::split_account(account);
        ecs::user(event, field::USER_NAME, name);
        event.set_present(field::USER_DOMAIN, domain.unwrap_or_default());
    }
    if values.get("MSMEEvent").is_some() || event.text(field::OBSERVER_NAME) == Some("MSME") {
        event.set(field::OBSERVER_PRODUCT, "MSME");
    }
}
