//! ESET PROTECT: events as JSON objects by syslog (its CEF and LEEF forms are read as CEF and LEEF).
//!
//! Reference: ESET, "ESET PROTECT: Events exported to JSON format" (Threat_Event, FirewallAggregated_Event, HIPSAggregated_Event,
//! Audit_Event, FilteredWebsites_Event, EnterpriseInspectorAlert_Event, BlockedFiles_Event). Times are UTC.

use event::{Event, Value, field};

use crate::{
    ecs,
    objects::{Objects, Product, To, Values, classify},
    text, time,
};

pub static ESET: Objects = Objects::new(Product {
    name: "eset",
    dataset: "eset.protect",
    prefix: "eset.",
    vendor: "ESET",
    product: "PROTECT",
    observer: "",
    marks: &[&["\"event_type\"", "_Event\"", "\"source_uuid\""], &["\"event_type\"", "_Event\"", "\"occured\""]],
    not: &[],
    rows: &[
        ("event_type", To::Note),
        ("occured", To::Note),
        ("occurred", To::Note),
        ("hostname", To::Host("host.name")),
        ("ipv4", To::Ip("host.ip")),
        ("ipv6", To::Ip("host.ip")),
        ("group_name", To::Note),
        ("os_name", To::Text("host.os.full")),
        ("severity", To::Lower("log.level")),
        ("threat_type", To::Text("rule.category")),
        ("threat_name", To::Text("rule.name")),
        ("rulename", To::Text("rule.name")),
        ("rule_name", To::Text("rule.name")),
        ("event", To::Text("rule.name")),
        ("rule_id", To::Text("rule.id")),
        ("action_taken", To::Lower("event.action")),
        ("action", To::Lower("event.action")),
        ("threat_handled", To::Note),
        ("handled", To::Note),
        ("object_type", To::Note),
        ("object_uri", To::Note),
        ("username", To::Account("user")),
        ("account", To::Account("user")),
        ("user", To::Account("user")),
        ("processname", To::Program("process")),
        ("process_name", To::Program("process")),
        ("application", To::Program("process")),
        ("hash", To::Hash("file.hash")),
        ("source_address", To::Ip("source.ip")),
        ("source_port", To::Int("source.port")),
        ("target_address", To::Ip("destination.ip")),
        ("target_port", To::Int("destination.port")),
        ("protocol", To::Transport),
        ("inbound", To::Note),
        ("operation", To::Note),
        ("target", To::Note),
        ("detail", To::Text("message")),
        ("circumstances", To::Text("event.reason")),
        ("result", To::Note),
        ("domain", To::Note),
        ("cause", To::Text("event.reason")),
        ("description", To::Text("message")),
    ],
    open: &[],
    pairs: &[],
    wraps: &[],
    finish,
});

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let target = values.text("target");
    match values.text("event_type") {
        "Threat_Event" => classify(event, "alert", "malware", "info"),
        "FirewallAggregated_Event" => classify(event, "alert", "network intrusion_detection", "connection"),
        "HIPSAggregated_Event" | "HipsAggregated_Event" => classify(event, "alert", "process intrusion_detection", "info"),
        "FilteredWebsites_Event" => classify(event, "event", "web network", "access"),
        "EnterpriseInspectorAlert_Event" | "InspectAlert_Event" => classify(event, "alert", "intrusion_detection", "info"),
        "BlockedFiles_Event" => classify(event, "alert", "file", "denied"),
        "Audit_Event" => {
            let is_login = values.text("action").to_ascii_lowercase().contains("login");
            classify(
                event,
                "event",
                if is_login { "authentication" } else { "iam configuration" },
                if is_login { "start" } else { "change" },
            );
            ecs::user(event, field::USER_TARGET_NAME, target);
        }
        _ => classify(event, "event", "host", "info"),
    }
    event.set_present(field::EVENT_CODE, values.text("event_type"));
    // `23-Nov-2026 03:00:00`
    let stamp = ["occured", "occurred"].into_iter().find_map(|path| values.get(path)).unwrap_or_default();
    let mut parts = stamp.splitn(3, ['-']);
    if let (Some(day), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) {
        let stamp = text::concat(event.arena(), [month, " ", day, " ", rest]);
        match time::bsd(stamp, values.raw()) {
            Some((stamp, _)) => {
                let stamp = time::Stamp { offset: stamp.offset.or(Some(0)), ..stamp };
                event.set(field::TIMESTAMP, Value::Time(stamp.resolve(values.raw())));
            }
            None => event.problem("the time could not be read"),
        }
    }
    let action = event.text(field::EVENT_ACTION).unwrap_or_default();
    if action.contains("block") || action.contains("denied") {
        event.set(field::EVENT_TYPE, "denied");
    }
    match values.get("result").map(|word| word.to_ascii_lowercase()).as_deref() {
        Some("success") => ecs::success(event),
        Some(_) => ecs::failure(event),
        None => {}
    }
    match values.get("inbound") {
        Some("true") => event.set(field::NETWORK_DIRECTION, "inbound"),
        Some("false") => event.set(field::NETWORK_DIRECTION, "outbound"),
        _ => {}
    }
    let uri = values.text("object_uri");
    if let Some(path) = uri.strip_prefix("file:///") {
        event.set(field::FILE_PATH, path);
        event.set(field::FILE_NAME, text::file_name(path));
    } else if uri.contains("://") {
        crate::web::url(event, uri);
    }
}
