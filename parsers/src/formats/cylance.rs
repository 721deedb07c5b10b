//! CylancePROTECT events by syslog: `Event Type: …, Event Name: …, Device Name: …`.
//!
//! Reference: BlackBerry, "Cylance Endpoint Security Syslog Guide" (threats, exploit attempts, application and device control,
//! script control, audit log).

use event::{Event, field};

use crate::{
    Sniff,
    objects::{Noting, Objects, Product, To, Values, caption, classify},
};

pub static CYLANCE: Objects = Objects::of_text(
    Product {
        name: "cylance",
        dataset: "cylance.protect",
        prefix: "cylance.",
        vendor: "Cylance",
        product: "Protect",
        observer: "Anti-Virus",
        marks: &[],
        not: &[],
        rows: &[
            ("event_type", To::Note),
            ("event_name", To::Text("event.action")),
            ("device_name", To::Host("host.name")),
            ("ip_address", To::Ip("host.ip")),
            ("ip_address", To::Ip("source.ip")),
            ("mac_address", To::Mac("host.mac")),
            ("logged_on_users", To::Account("user")),
            ("user_name", To::Account("user")),
            ("user", To::Account("user")),
            ("file_name", To::Text("file.name")),
            ("path", To::Text("file.path")),
            ("file_path", To::File),
            ("sha256", To::Hash("file.hash")),
            ("md5", To::Hash("file.hash")),
            ("process_id", To::Int("process.pid")),
            ("process_name", To::Program("process")),
            ("violation_type", To::Text("rule.name")),
            ("threat_class", To::Text("rule.category")),
            ("threat_classification", To::Text("rule.category")),
            ("detected_by", To::Note),
            ("status", To::Note),
            ("os", To::Text("host.os.name")),
            ("message", To::Text("message")),
            ("action", To::Note),
        ],
        open: &[],
        pairs: &[],
        wraps: &[],
        finish,
    },
    &["CylancePROTECT"],
    sniff,
    read,
);

fn start(payload: &str) -> Option<&str> {
    let head = &payload.as_bytes()[..payload.len().min(512)];
    let is_cylance = crate::text::find(head, b"CylancePROTECT").is_some();
    let at = ["Event Type: ", "Event Name:"].iter().filter_map(|word| crate::text::find(head, word.as_bytes())).min()?;
    (is_cylance || (payload.starts_with("Event Type: ") && payload.contains(", Event Name: "))).then(|| &payload[at..])
}

fn sniff(payload: &str) -> Sniff {
    Sniff::yes_if(start(payload).is_some())
}

fn read<'r>(noting: &mut Noting<'_, 'r, '_>, payload: &'r str) -> bool {
    let Some(text) = start(payload) else { return false };
    let mut count = 0;
    let mut rest = text;
    while !rest.is_empty() && count < 128 {
        // Values in brackets are lists: `(192.0.2.1, 192.0.2.2)`.
        let is_list = rest.find(": (").is_some_and(|at| !rest[..at].contains(", "));
        let end = if is_list { rest.find(')').map_or(rest.len(), |at| at + 1) } else { rest.find(", ").unwrap_or(rest.len()) };
        let (part, after) = rest.split_at(end);
        rest = after.trim_start_matches([',', ' ']);
        let Some((label, value)) = part.split_once(':') else { continue };
        let name = caption(noting.event(), label);
        let value = value.trim();
        let value = value.strip_prefix('(').and_then(|value| value.strip_suffix(')')).unwrap_or(value);
        let value = value.split(", ").next().unwrap_or(value);
        if !name.is_empty() && label.len() <= 40 {
            noting.note(name, value);
            count += 1;
        }
    }
    count > 0
}

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let kind = values.text("event_type");
    let (word, categories) = match kind {
        "Threat" | "ThreatClassification" => ("alert", "malware"),
        "ExploitAttempt" | "ScriptControl" => ("alert", "intrusion_detection process"),
        "AppControl" => ("alert", "process"),
        "DeviceControl" | "Device" => ("event", "host"),
        "AuditLog" => ("event", "iam configuration"),
        _ => ("event", "host"),
    };
    classify(event, word, categories, "info");
    event.set(field::EVENT_CODE, if kind.is_empty() { "CylancePROTECT" } else { kind });
}
