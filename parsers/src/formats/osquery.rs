//! Results of osquery: the differential and snapshot lines of `osqueryd.results.log`.
//!
//! Reference: osquery, "Logging" (event, batch and snapshot format), "Schema" (columns of the tables).

use event::{Event, field};

use crate::objects::{Objects, Product, To, Values, classify};

pub static OSQUERY: Objects = Objects::new(Product {
    name: "osquery",
    dataset: "osquery.result",
    prefix: "osquery.result.",
    vendor: "",
    product: "osquery",
    observer: "",
    marks: &[&["\"hostIdentifier\"", "\"unixTime\"", "\"name\""]],
    not: &[],
    rows: &[
        ("unixTime", To::Time("@timestamp")),
        ("name", To::Text("rule.name")),
        ("action", To::Text("event.action")),
        ("hostIdentifier", To::Host("host.name")),
        ("hostIdentifier", To::Text("host.hostname")),
        ("decorations.hostname", To::Note),
        ("decorations.username", To::User("user.name")),
        ("columns.username", To::User("user.name")),
        ("columns.uid", To::Text("user.id")),
        ("columns.path", To::Note),
        ("columns.filename", To::Text("file.name")),
        ("columns.size", To::Int("file.size")),
        ("columns.md5", To::Hash("file.hash")),
        ("columns.sha1", To::Hash("file.hash")),
        ("columns.sha256", To::Hash("file.hash")),
        ("columns.cmdline", To::Command("process.command_line")),
        ("columns.process", To::Text("process.name")),
        ("columns.process_name", To::Text("process.name")),
        ("columns.pid", To::Int("process.pid")),
        ("columns.parent", To::Int("process.parent.pid")),
        ("columns.local_address", To::Ip("source.ip")),
        ("columns.local_port", To::Int("source.port")),
        ("columns.remote_address", To::Ip("destination.ip")),
        ("columns.remote_port", To::Int("destination.port")),
        ("columns.source_url", To::Url),
        ("columns.address", To::Note),
        ("columns.mac", To::Note),
    ],
    open: &["snapshot"],
    pairs: &[],
    wraps: &["osquery.", "json."],
    finish,
});

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    classify(event, "event", "", "info");
    if let Some(path) = values.get("columns.path") {
        event.set(field::FILE_PATH, path);
    }
    if let Some(url) = values.get("columns.source_url") {
        event.set(field::URL_FULL, url);
    }
}
