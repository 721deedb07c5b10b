//! VMware Carbon Black EDR, events of the event forwarder as JSON objects.
//!
//! Reference: VMware, "Carbon Black EDR Event Forwarder: events" (type, the fields by type, alerts and watchlists).

use event::{Event, field};

use crate::{
    ecs,
    objects::{Objects, Product, To, Values, classify},
};

pub static CARBON_BLACK: Objects = Objects::new(Product {
    name: "carbon_black",
    dataset: "carbonblack.edr",
    prefix: "carbonblack.edr.",
    vendor: "VMWare",
    product: "Carbon Black EDR",
    observer: "edr",
    marks: &[
        &["\"cb_server\"", "\"type\""],
        &["\"server_name\"", "\"watchlist_id\""],
        &["\"cb_version\"", "\"docs\""],
        &["\"cb_server\"", "\"sensor_id\""],
    ],
    not: &[],
    rows: &[
        ("timestamp", To::Time("@timestamp")),
        ("event_timestamp", To::Time("@timestamp")),
        ("type", To::Text("event.action")),
        ("cb_server", To::Text("observer.name")),
        ("server_name", To::Text("observer.name")),
        ("hostname", To::Host("host.name")),
        ("docs.hostname", To::Host("host.name")),
        ("computer_name", To::Host("host.name")),
        ("host", To::Note),
        ("username", To::Account("user")),
        ("docs.username", To::Account("user")),
        ("pid", To::Note),
        ("docs.process_pid", To::Int("process.pid")),
        ("docs.process_name", To::Text("process.name")),
        ("docs.path", To::Text("process.executable")),
        ("docs.cmdline", To::Command("process.command_line")),
        ("docs.process_md5", To::Hash("process.hash")),
        ("docs.parent_name", To::Text("process.parent.name")),
        ("docs.parent_pid", To::Int("process.parent.pid")),
        ("docs.observed_filename", To::Text("file.path")),
        ("docs.orig_mod_len", To::Int("file.size")),
        ("docs.md5", To::Hash("file.hash")),
        ("size", To::Int("file.size")),
        ("md5", To::Note),
        ("sha256", To::Note),
        ("ioc_value", To::Note),
        ("ioc_type", To::Note),
        ("path", To::Note),
        ("process_path", To::Program("process")),
        ("command_line", To::Command("process.command_line")),
        ("parent_path", To::Program("process.parent")),
        ("parent_pid", To::Int("process.parent.pid")),
        ("process_guid", To::Text("process.entity_id")),
        ("protocol", To::Transport),
        ("local_ip", To::Note),
        ("local_port", To::Note),
        ("remote_ip", To::Note),
        ("remote_port", To::Note),
        ("domain", To::Note),
        ("direction", To::Note),
        ("ipv4", To::Note),
        ("port", To::Note),
        ("watchlist_id", To::Text("rule.id")),
        ("watchlist_name", To::Text("rule.name")),
        ("feed_name", To::Text("rule.ruleset")),
        ("report_score", To::Note),
        ("alert_severity", To::Note),
    ],
    open: &["docs"],
    pairs: &[],
    wraps: &["json."],
    finish,
});

/// Types → kind, categories, types; by their start.
const TYPES: &[(&str, &str, &str, &str)] = &[
    ("ingress.event.childproc", "event", "process", "start info"),
    ("ingress.event.procstart", "event", "process", "start info"),
    ("ingress.event.process", "event", "process", "start info"),
    ("ingress.event.procend", "event", "process", "end info"),
    ("ingress.event.moduleload", "event", "library", "start info"),
    ("ingress.event.module", "event", "process library", "start info"),
    ("ingress.event.netconn", "event", "network", "connection start"),
    ("ingress.event.regmod", "event", "registry", "change"),
    ("ingress.event.filemod", "event", "file", "change"),
    ("ingress.event.remotethread", "event", "process", "info"),
    ("ingress.event.crossproc", "event", "process", "info"),
    ("ingress.event.tamper", "event", "driver process", "info"),
    ("ingress.event.emetmitigation", "event", "process", "info"),
    ("ingress.event.processblock", "event", "process", "denied info"),
    ("binaryinfo.host.", "event", "host", "info"),
    ("binaryinfo.", "event", "file", "info"),
    ("binarystore.", "event", "file", "info"),
    ("alert.watchlist.", "alert", "intrusion_detection", "info"),
    ("watchlist.hit.", "alert", "intrusion_detection", "info"),
    ("watchlist.storage.", "alert", "intrusion_detection", "info"),
    ("feed.", "alert", "intrusion_detection", "info"),
];

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let kind = values.text("type");
    if kind.is_empty() {
        event.set(field::EVENT_ACTION, "unknown");
    }
    let known = TYPES.iter().find(|row| kind.starts_with(row.0));
    if let Some((_, kind, categories, types)) = known {
        classify(event, kind, categories, types);
    }
    if let Some(pid) = values.get("pid") {
        event.set_int(field::PROCESS_PID, pid);
    }
    let path = values.text("path");
    if let Some(rest) = path.strip_prefix("\\registry\\") {
        event.set(field::REGISTRY_PATH, rest);
    } else if kind.ends_with("filemod") || kind.contains("module") {
        event.set_present(field::FILE_PATH, path);
    } else if kind.ends_with("childproc") || kind.ends_with("procstart") {
        event.set_present(field::PROCESS_EXECUTABLE, path);
    }
    for digest in ["md5", "sha256"] {
        if let Some(digest) = values.get(digest) {
            event.set(field::RELATED_HASH, crate::text::lower(event, digest));
        }
    }
    if kind.starts_with("binary") || kind.contains("watchlist") {
        if let Some(md5) = values.get("md5") {
            event.set(field::FILE_HASH_MD5, md5);
        }
        if let Some(sha256) = values.get("sha256") {
            event.set(field::FILE_HASH_SHA256, sha256);
        }
    }
    if values.text("ioc_type") == "md5"
        && let Some(value) = values.get("ioc_value")
    {
        event.set_named("threat.indicator.file.hash.md5", value);
    }
    let is_inbound = values.text("direction") == "inbound";
    event.set_present(field::NETWORK_DIRECTION, values.text("direction"));
    let (source, destination) = if is_inbound { ("remote", "local") } else { ("local", "remote") };
    let get = |end: &str, what: &str| match (end, what) {
        ("local", "ip") => values.get("local_ip"),
        ("local", _) => values.get("local_port"),
        (_, "ip") => values.get("remote_ip").or_else(|| values.get("ipv4")),
        _ => values.get("remote_port").or_else(|| values.get("port")),
    };
    if let Some(ip) = get(source, "ip") {
        ecs::ip_only(event, field::SOURCE_IP, ip);
    }
    if let Some(port) = get(source, "port") {
        event.set_int(field::SOURCE_PORT, port);
    }
    if let Some(ip) = get(destination, "ip") {
        ecs::ip_only(event, field::DESTINATION_IP, ip);
    }
    if let Some(port) = get(destination, "port") {
        event.set_int(field::DESTINATION_PORT, port);
    }
    if let Some(name) = values.get("domain") {
        event.set(if is_inbound { field::SOURCE_DOMAIN } else { field::DESTINATION_DOMAIN }, name);
    }
}
