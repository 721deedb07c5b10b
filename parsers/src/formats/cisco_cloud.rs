//! Cloud products of Cisco that send JSON: Secure Endpoint (AMP) events, Duo logs.
//!
//! Reference: Cisco, "Secure Endpoint API: GET /v1/events" (event types and fields), "Duo Admin API: Logs" (authentication,
//! administrator, telephony, offline enrolment, account summary).

use event::{Event, Value, field};

use crate::{
    ecs,
    objects::{Objects, Product, To, Values, classify},
};

pub static CISCO_SECURE_ENDPOINT: Objects = Objects::new(Product {
    name: "cisco_secure_endpoint",
    dataset: "cisco_secure_endpoint.event",
    prefix: "cisco.secure_endpoint.",
    vendor: "Cisco",
    product: "Secure Endpoint",
    observer: "",
    marks: &[
        &["\"connector_guid\"", "\"event_type_id\""],
        &["api.eu.amp.cisco.com/"],
        &["api.amp.cisco.com/"],
        &["api.apjc.amp.cisco.com/"],
    ],
    not: &[],
    rows: &[
        ("timestamp", To::Note),
        ("timestamp_nanoseconds", To::Note),
        ("date", To::Time("@timestamp")),
        ("event_type", To::Text("event.action")),
        ("event_type_id", To::Text("event.code")),
        ("detection", To::Text("rule.name")),
        ("detection_id", To::Text("rule.id")),
        ("severity", To::Note),
        ("start_date", To::Time("event.start")),
        ("error.error_code", To::Text("error.code")),
        ("error.description", To::Text("error.message")),
        ("computer.hostname", To::Host("host.name")),
        ("computer.hostname", To::Text("host.hostname")),
        ("computer.user", To::Account("user")),
        ("computer.network_addresses.ip", To::Ip("host.ip")),
        ("computer.network_addresses.mac", To::Mac("host.mac")),
        ("computer.external_ip", To::Note),
        ("group_guids", To::Text("group.id")),
        ("file.file_name", To::Text("file.name")),
        ("file.file_path", To::Text("file.path")),
        ("file.identity.sha256", To::Hash("file.hash")),
        ("file.identity.sha1", To::Hash("file.hash")),
        ("file.identity.md5", To::Hash("file.hash")),
        ("file.parent.process_id", To::Int("process.pid")),
        ("file.parent.file_name", To::Text("process.name")),
        ("file.parent.identity.sha256", To::Hash("process.hash")),
        ("file.parent.identity.sha1", To::Hash("process.hash")),
        ("file.parent.identity.md5", To::Hash("process.hash")),
        ("network_info.local_ip", To::Ip("source.ip")),
        ("network_info.local_port", To::Int("source.port")),
        ("network_info.remote_ip", To::Ip("destination.ip")),
        ("network_info.remote_port", To::Int("destination.port")),
        ("network_info.dirty_url", To::Url),
        ("network_info.nfm.protocol", To::Transport),
        ("network_info.nfm.direction", To::Note),
        ("network_info.parent.process_id", To::Int("process.pid")),
        ("network_info.parent.file_name", To::Text("process.name")),
        ("network_info.parent.identity.sha256", To::Hash("process.hash")),
        ("network_info.parent.identity.sha1", To::Hash("process.hash")),
        ("network_info.parent.identity.md5", To::Hash("process.hash")),
        ("command_line.arguments", To::Command("process.command_line")),
        ("cloud_ioc.short_description", To::Text("rule.name")),
        ("cloud_ioc.description", To::Text("message")),
        ("tactics", To::Text("threat.tactic.id")),
        ("techniques", To::Text("threat.technique.id")),
        ("threat_hunting.incident_title", To::Text("rule.name")),
        ("threat_hunting.severity", To::Note),
    ],
    open: &["computer.network_addresses"],
    pairs: &[],
    wraps: &["data."],
    finish: endpoint,
});

fn endpoint<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    if let Some(seconds) = values.get("timestamp").and_then(|text| text.parse::<i64>().ok()) {
        let nanos: i64 = values.get("timestamp_nanoseconds").and_then(|text| text.parse().ok()).unwrap_or(0);
        event.set(field::TIMESTAMP, Value::Time(seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000)));
    }
    let action = event.text(field::EVENT_ACTION).unwrap_or_default();
    let has_file = values.get("file.identity.sha256").is_some();
    let is_malware = action.contains("Threat Detected") && !action.starts_with("DFC")
        || ["Quarantine", "Retrospective", "Executed malware", "File Fetch", "Threat Quarantined"]
            .iter()
            .any(|word| action.contains(word));
    let category = match (is_malware, has_file) {
        (true, true) => "malware file",
        (true, false) => "malware",
        (false, true) => "file",
        (false, false) if values.get("network_info.remote_ip").is_some() => "network",
        (false, false) => "",
    };
    classify(event, "alert", category, "info");
    let severity = match values.text("severity") {
        "Low" => 1,
        "Medium" => 2,
        "High" => 3,
        "Critical" => 4,
        _ => 0,
    };
    event.set(field::EVENT_SEVERITY, severity);
    if action.contains("Fail") {
        ecs::failure(event);
    }
    let direction = values.text("network_info.nfm.direction");
    if direction.starts_with("Outgoing") {
        event.set(field::NETWORK_DIRECTION, "egress");
    } else if direction.starts_with("Incoming") {
        event.set(field::NETWORK_DIRECTION, "ingress");
    }
    if let Some(line) = values.get("command_line.arguments") {
        let program = line.trim_start_matches('"').split(['"', ' ']).next().unwrap_or(line);
        if program.contains('\\') {
            event.set(field::PROCESS_EXECUTABLE, program);
        }
    }
}

pub static CISCO_DUO: Objects = Objects::new(Product {
    name: "cisco_duo",
    dataset: "cisco_duo.log",
    prefix: "cisco.duo.",
    vendor: "Cisco",
    product: "Duo",
    observer: "",
    marks: &[
        &["\"access_device\"", "\"auth_device\""],
        &["\"isotimestamp\"", "\"username\"", "\"description\""],
        &["\"isotimestamp\"", "\"telephony_id\""],
        &["\"isotimestamp\"", "\"credits\"", "\"context\""],
        &["\"isotimestamp\"", "\"txid\"", "\"factor\""],
    ],
    not: &[],
    rows: &[
        ("isotimestamp", To::Time("@timestamp")),
        ("timestamp", To::Time("@timestamp")),
        ("ts", To::Time("@timestamp")),
        ("event_type", To::Note),
        ("action", To::Text("event.action")),
        ("result", To::Note),
        ("reason", To::Text("event.reason")),
        ("user.name", To::User("user.name")),
        ("user.name", To::Text("source.user.name")),
        ("user.key", To::Text("user.id")),
        ("user.groups", To::Text("user.group.name")),
        ("email", To::Text("user.email")),
        ("username", To::User("user.name")),
        ("object", To::User("user.target.name")),
        ("access_device.ip", To::Endpoint("source.ip", "source.port")),
        ("access_device.port", To::Int("source.port")),
        ("access_device.hostname", To::Text("source.domain")),
        ("access_device.os", To::Text("user_agent.os.name")),
        ("access_device.browser", To::Text("user_agent.name")),
        ("auth_device.ip", To::Note),
        ("auth_device.name", To::Note),
        ("application.name", To::Text("service.name")),
        ("factor", To::Note),
        ("txid", To::Note),
        ("description", To::Note),
        ("host", To::Host("host.name")),
        ("phone", To::Note),
        ("type", To::Note),
    ],
    open: &["description"],
    pairs: &[],
    wraps: &[],
    finish: duo,
});

fn duo<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let action = values.text("action");
    if values.get("event_type") == Some("authentication") || values.get("factor").is_some() {
        classify(event, "event", "authentication", "start info");
    } else if action.starts_with("admin") {
        classify(event, "event", "iam", "admin");
    } else if action.contains("user") || action.contains("phone") || action.contains("bypass") {
        let kind = if action.ends_with("create") {
            "user creation"
        } else if action.ends_with("delete") {
            "user deletion"
        } else {
            "user change"
        };
        classify(event, "event", "iam", kind);
    } else if action.contains("group") {
        classify(event, "event", "iam", "group change");
    } else {
        classify(event, "event", "", "info");
    }
    match values.text("result").to_ascii_lowercase().as_str() {
        "success" => ecs::success(event),
        "denied" | "failure" | "fraud" | "error" => ecs::failure(event),
        _ if !action.is_empty() && !action.contains("error") => ecs::success(event),
        _ if !action.is_empty() => ecs::failure(event),
        _ => {}
    }
    if let Some(address) = values.get("auth_device.ip") {
        if values.has(event, field::SOURCE_IP) {
            if let Some(ip) = ecs::ip(address) {
                event.set(field::RELATED_IP, ip);
            }
        } else {
            ecs::ip_only(event, field::SOURCE_IP, address);
        }
    }
}
