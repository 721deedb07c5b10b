//! Trellix (McAfee) as JSON objects: ePO cloud events and devices (MVISION API), EDR threats and detections.
//!
//! Reference: Trellix, "ePolicy Orchestrator SaaS: Events API, Devices API", "Trellix EDR: threats and detections API".

use event::{Event, field};

use crate::objects::{Objects, Product, To, Values, classify};

pub static TRELLIX_EPO_CLOUD: Objects = Objects::new(Product {
    name: "trellix_epo_cloud",
    dataset: "trellix.epo_cloud",
    prefix: "trellix.epo.",
    vendor: "Trellix",
    product: "ePO",
    observer: "",
    marks: &[
        &["\"MVEvents\"", "\"attributes\""],
        &["\"attributes\"", "\"agentGuid\"", "\"nodePath\""],
        &["\"attributes\"", "\"nodeTextPath\""],
        &["manage.trellix.com/"],
        &["\"autoguid\"", "\"analyzername\""],
    ],
    not: &[],
    rows: &[
        ("timestamp", To::Time("@timestamp")),
        ("receivedutc", To::Time("@timestamp")),
        ("detectedutc", To::Time("event.start")),
        ("type", To::Note),
        ("id", To::Note),
        ("threateventid", To::Text("event.code")),
        ("threatname", To::Text("rule.name")),
        ("threattype", To::Text("rule.category")),
        ("threatcategory", To::Note),
        ("threatseverity", To::Int("event.severity")),
        ("threatactiontaken", To::Text("event.action")),
        ("threathandled", To::Note),
        ("analyzerhostname", To::Host("host.name")),
        ("sourcehostname", To::Text("source.domain")),
        ("sourceipv4", To::Ip("source.ip")),
        ("sourceipv6", To::Ip("source.ip")),
        ("sourcemac", To::Mac("source.mac")),
        ("sourceurl", To::Text("source.domain")),
        ("sourceusername", To::User("source.user.name")),
        ("sourceusername", To::User("user.name")),
        ("sourceprocessname", To::Text("process.name")),
        ("targethostname", To::Text("destination.domain")),
        ("targetipv4", To::Ip("destination.ip")),
        ("targetipv6", To::Ip("destination.ip")),
        ("targetmac", To::Mac("destination.mac")),
        ("targetport", To::Int("destination.port")),
        ("targetprotocol", To::Lower("network.protocol")),
        ("targetusername", To::User("destination.user.name")),
        ("targetusername", To::User("user.target.name")),
        ("targetfilename", To::Text("file.name")),
        ("targetprocessname", To::Note),
        ("autoguid", To::Note),
        ("name", To::Note),
        ("computerName", To::Host("host.name")),
        ("ipAddress", To::Ip("host.ip")),
        ("macAddress", To::Mac("host.mac")),
        ("userName", To::User("user.name")),
    ],
    open: &[],
    pairs: &[],
    wraps: &["attributes.", "json.attributes.", "json."],
    finish: cloud,
});

fn cloud<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    match values.text("type") {
        _ if values.get("autoguid").is_some() && values.get("type") != Some("MVEvents") => {
            let is_blocked = event.text(field::EVENT_ACTION).is_some_and(|action| action.to_ascii_lowercase().contains("block"));
            classify(event, "alert", "intrusion_detection threat malware", if is_blocked { "denied" } else { "info" });
        }
        "MVEvents" => classify(event, "alert", "threat malware", "indicator info"),
        "devices" => classify(event, "event", "host", "info"),
        "groups" => {
            classify(event, "event", "iam", "group");
            event.set_present(field::GROUP_ID, values.text("id"));
            event.set_present(field::GROUP_NAME, values.text("name"));
        }
        _ => classify(event, "event", "", "info"),
    }
}

pub static TRELLIX_EDR: Objects = Objects::new(Product {
    name: "trellix_edr",
    dataset: "trellix.edr",
    prefix: "trellix.edr.",
    vendor: "Trellix",
    product: "EDR",
    observer: "",
    marks: &[
        &["\"attributes\"", "\"aGuid\""],
        &["\"attributes\"", "\"detectionsCount\""],
        &["\"attributes\"", "\"detectionTags\""],
        &["\"threatId\"", "\"attributes\""],
        &["\"attributes\"", "\"firstDetected\"", "\"hashes\""],
    ],
    not: &[],
    rows: &[
        ("attributes.eventDate", To::Note),
        ("attributes.detectionDate", To::Note),
        ("attributes.firstDetected", To::Time("event.start")),
        ("attributes.lastDetected", To::Time("@timestamp")),
        ("type", To::Note),
        ("attributes.name", To::Text("rule.name")),
        ("attributes.eventType", To::Text("event.action")),
        ("attributes.type", To::Note),
        ("attributes.ruleId", To::Text("rule.id")),
        ("attributes.hostName", To::Host("host.name")),
        ("attributes.host.hostname", To::Host("host.name")),
        ("attributes.host.netInterfaces.ip", To::Ip("host.ip")),
        ("attributes.host.netInterfaces.macAddress", To::Mac("host.mac")),
        ("attributes.user", To::Account("user")),
        ("attributes.processName", To::Text("process.name")),
        ("attributes.pid", To::Int("process.pid")),
        ("attributes.cmdLine", To::Command("process.command_line")),
        ("attributes.hashes.md5", To::Hash("file.hash")),
        ("attributes.hashes.sha1", To::Hash("file.hash")),
        ("attributes.hashes.sha256", To::Hash("file.hash")),
    ],
    open: &["attributes.host.netInterfaces"],
    pairs: &[],
    wraps: &[],
    finish: edr,
});

fn edr<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let category = match values.text("type") {
        "threats" => "malware",
        "affected-hosts" | "affectedhosts" => "host",
        _ => "intrusion_detection",
    };
    classify(event, "alert", category, "info");
    // Dates without a time of day are midnight, UTC.
    if let Some(date) = ["attributes.eventDate", "attributes.detectionDate"].into_iter().find_map(|path| values.get(path)) {
        let stamp = if date.len() == 10 { crate::text::concat(event.arena(), [date, "T00:00:00Z"]) } else { date };
        if let Some(time) = crate::time::any(stamp, values.raw()) {
            event.set(field::TIMESTAMP, event::Value::Time(time));
        }
    }
}
