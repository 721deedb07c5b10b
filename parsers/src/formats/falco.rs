//! Falco alerts as JSON objects (`json_output: true`).
//!
//! Reference: The Falco Project, "Formatting alerts", "Supported fields for conditions and outputs".

use event::{Event, field};

use crate::objects::{Objects, Product, To, Values, classify};

pub static FALCO: Objects = Objects::new(Product {
    name: "falco",
    dataset: "falco.alert",
    prefix: "falco.",
    vendor: "Sysdig",
    product: "Falco",
    observer: "",
    marks: &[&["\"output_fields\"", "\"rule\"", "\"priority\""]],
    not: &[],
    rows: &[
        ("time", To::Time("@timestamp")),
        ("rule", To::Text("rule.name")),
        ("priority", To::Lower("log.level")),
        ("priority", To::Numbers("event.severity", PRIORITIES)),
        ("output", To::Text("message")),
        ("hostname", To::Host("host.name")),
        ("source", To::Text("event.provider")),
        ("tags", To::Note),
        ("output_fields.evt.type", To::Text("event.action")),
        ("output_fields.user.name", To::User("user.name")),
        ("output_fields.user.uid", To::Text("user.id")),
        ("output_fields.ka.user.name", To::User("user.name")),
        ("output_fields.ka.verb", To::Text("event.action")),
        ("output_fields.proc.name", To::Text("process.name")),
        ("output_fields.proc.exepath", To::Text("process.executable")),
        ("output_fields.proc.exe", To::Text("process.executable")),
        ("output_fields.proc.cmdline", To::Command("process.command_line")),
        ("output_fields.proc.pid", To::Int("process.pid")),
        ("output_fields.proc.pname", To::Text("process.parent.name")),
        ("output_fields.proc.ppid", To::Int("process.parent.pid")),
        ("output_fields.proc.pcmdline", To::Text("process.parent.command_line")),
        ("output_fields.proc.cwd", To::Text("process.working_directory")),
        ("output_fields.fd.name", To::Note),
        ("output_fields.fd.cip", To::Ip("source.ip")),
        ("output_fields.fd.cport", To::Int("source.port")),
        ("output_fields.fd.sip", To::Ip("destination.ip")),
        ("output_fields.fd.sport", To::Int("destination.port")),
        ("output_fields.fd.l4proto", To::Transport),
        ("output_fields.container.id", To::Text("container.id")),
        ("output_fields.container.name", To::Text("container.name")),
        ("output_fields.container.image.repository", To::Text("container.image.name")),
        ("output_fields.k8s.ns.name", To::Text("orchestrator.namespace")),
        ("output_fields.k8s.pod.name", To::Text("orchestrator.resource.name")),
    ],
    open: &[],
    pairs: &[],
    wraps: &[],
    finish,
});

const PRIORITIES: &[(&str, i64)] = &[
    ("emergency", 0),
    ("alert", 1),
    ("critical", 2),
    ("error", 3),
    ("warning", 4),
    ("notice", 5),
    ("informational", 6),
    ("debug", 7),
];

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let name = values.text("output_fields.fd.name");
    let category = if values.get("output_fields.fd.sip").is_some() {
        "intrusion_detection network"
    } else if name.starts_with('/') {
        event.set(field::FILE_PATH, name);
        event.set(field::FILE_NAME, crate::text::file_name(name));
        "intrusion_detection file"
    } else if values.get("output_fields.proc.name").is_some() {
        "intrusion_detection process"
    } else {
        "intrusion_detection"
    };
    classify(event, "alert", category, "info");
}
