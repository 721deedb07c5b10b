//! Bitdefender GravityZone push events as JSON objects (the CEF form of the same events is read as CEF).
//!
//! Reference: Bitdefender, "GravityZone Control Center API: Push event service, event types".

use event::{Event, field};

use crate::{
    ecs,
    objects::{Objects, Product, To, Values, classify},
};

pub static BITDEFENDER: Objects = Objects::new(Product {
    name: "bitdefender",
    dataset: "bitdefender.gravityzone",
    prefix: "bitdefender.event.",
    vendor: "Bitdefender",
    product: "GravityZone",
    observer: "",
    marks: &[
        &["\"module\"", "\"computer_name\"", "\"companyId\""],
        &["\"module\"", "\"product_installed\""],
        &["\"module\"", "\"_testEvent_\""],
        &["\"module\"", "\"computer_fqdn\""],
    ],
    not: &[],
    rows: &[
        ("timestamp", To::Time("@timestamp")),
        ("created", To::Time("@timestamp")),
        ("last_blocked", To::Time("@timestamp")),
        ("detectionTime", To::Time("@timestamp")),
        ("module", To::Note),
        ("computer_name", To::Host("host.name")),
        ("computer_fqdn", To::Text("host.hostname")),
        ("computer_ip", To::Note),
        ("computer_id", To::Text("host.id")),
        ("endpointId", To::Note),
        ("targetName", To::Host("host.name")),
        ("user.name", To::Account("user")),
        ("userName", To::Account("user")),
        ("username", To::Account("user")),
        ("user.sid", To::Text("user.id")),
        ("user.userSid", To::Text("user.id")),
        ("user.id", To::Text("user.id")),
        ("userId", To::Text("user.id")),
        ("malware_name", To::Text("rule.name")),
        ("malware_type", To::Text("rule.category")),
        ("detection_name", To::Text("rule.name")),
        ("exploit_type", To::Text("rule.name")),
        ("exploit_path", To::Note),
        ("attack_type", To::Note),
        ("file_path", To::Text("file.path")),
        ("filePath", To::Text("file.path")),
        ("detection_path", To::Text("process.executable")),
        ("process_path", To::Text("process.executable")),
        ("detection_pid", To::Int("process.pid")),
        ("detection_cve", To::Text("vulnerability.id")),
        ("detection_parentPid", To::Int("process.parent.pid")),
        ("detection_parentPath", To::Text("process.parent.executable")),
        ("parent_process_path", To::Text("process.parent.executable")),
        ("parent_process_pid", To::Int("process.parent.pid")),
        ("hash", To::Hash("file.hash")),
        ("fileHash", To::Hash("file.hash")),
        ("file_hash_md5", To::Hash("file.hash")),
        ("file_hash_sha256", To::Hash("file.hash")),
        ("final_status", To::Text("event.action")),
        ("status", To::Text("event.action")),
        ("actionTaken", To::Text("event.action")),
        ("main_action", To::Text("event.action")),
        ("detection_action", To::Text("event.action")),
        ("source_ip", To::Ip("source.ip")),
        ("attack_source", To::Ip("source.ip")),
        ("victim_ip", To::Ip("destination.nat.ip")),
        ("local_port", To::Int("destination.port")),
        ("url", To::Url),
        ("severity_score", To::Int("event.severity")),
        ("block_type", To::Note),
        ("application_path", To::Program("process")),
        ("att_ck_id", To::Text("threat.technique.id")),
    ],
    open: &[],
    pairs: &[],
    wraps: &["json."],
    finish,
});

/// Modules → kind, categories, types.
const MODULES: &[(&str, &str, &str, &str)] = &[
    ("av", "alert", "malware threat", "info"),
    ("aph", "alert", "network threat", "denied info"),
    ("avc", "alert", "malware threat intrusion_detection", "info"),
    ("fw", "alert", "network intrusion_detection", "denied info"),
    ("dp", "alert", "file", "denied info"),
    ("hd", "alert", "intrusion_detection malware threat", "info"),
    ("antiexploit", "alert", "intrusion_detection threat", "info"),
    ("network-monitor", "alert", "network intrusion_detection threat", "info"),
    ("network-sandboxing", "alert", "malware threat", "info"),
    ("ransomware-mitigation", "alert", "intrusion_detection threat", "denied info"),
    ("new-incident", "alert", "intrusion_detection threat", "info"),
    ("new-extended-incident", "alert", "intrusion_detection threat", "info"),
    ("uc", "event", "web network", "denied info"),
    ("exchange-malware", "alert", "malware threat email", "info"),
    ("exchange-user-credentials", "alert", "configuration host package", "info"),
    ("hwid-change", "event", "configuration host", "info"),
    ("sva", "event", "configuration host", "info"),
    ("sva-load", "event", "configuration host", "info"),
    ("task-status", "event", "configuration host process", "info"),
    ("modules", "event", "configuration package", "info"),
    ("install", "event", "configuration package", "info"),
    ("uninstall", "event", "configuration package", "info"),
    ("registration", "event", "configuration package", "info"),
    ("supa-update-status", "event", "configuration package", "info"),
    ("endpoint-moved-in", "event", "configuration host", "info"),
    ("endpoint-moved-out", "event", "configuration host", "info"),
    ("troubleshooting-activity", "event", "host", "info"),
];

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let module = values.text("module");
    match MODULES.iter().find(|row| row.0 == module) {
        Some((_, kind, categories, types)) => classify(event, kind, categories, types),
        None => classify(event, "event", "host", "info"),
    }
    event.set_present(field::EVENT_CODE, module);
    if !values.has(event, field::EVENT_SEVERITY) {
        event.set(field::EVENT_SEVERITY, 0i64);
    }
    let address = values.get("computer_ip").and_then(|list| list.split(',').next());
    if let Some(ip) = address.and_then(|address| ecs::ip(address.trim())) {
        event.set(field::HOST_IP, ip);
        event.set(field::RELATED_IP, ip);
        event.set(field::DESTINATION_IP, ip);
    }
}
