//! Sophos Central: events and alerts of the SIEM integration API as JSON objects, in the script's words or the API's.
//!
//! Reference: Sophos, "SIEM API: GET /siem/v1/events, /siem/v1/alerts", "Sophos Central SIEM integration: event types".

use event::{Event, field};

use crate::{
    ecs,
    objects::{Objects, Product, To, Values, classify},
};

pub static SOPHOS_CENTRAL: Objects = Objects::new(Product {
    name: "sophos_central",
    dataset: "sophos_central.event",
    prefix: "sophos.central.",
    vendor: "Sophos",
    product: "Central",
    observer: "",
    marks: &[
        &["\"Event::Endpoint::"],
        &["\"customer_id\"", "\"endpoint_type\""],
        &["\"Event::"],
        &["\"event_service_event_id\"", "\"threat_cleanable\""],
    ],
    not: &[],
    rows: &[
        ("when", To::Time("@timestamp")),
        ("rt", To::Time("@timestamp")),
        ("created_at", To::Time("@timestamp")),
        ("end", To::Time("event.end")),
        ("type", To::Text("event.code")),
        ("name", To::Note),
        ("description", To::Text("message")),
        ("severity", To::Lower("log.level")),
        ("location", To::Host("host.name")),
        ("dhost", To::Host("host.name")),
        ("dhost", To::Text("host.hostname")),
        ("source", To::Note),
        ("suser", To::Note),
        ("duid", To::Text("user.id")),
        ("user_id", To::Text("user.id")),
        ("group", To::Note),
        ("threat", To::Text("rule.name")),
        ("source_info.ip", To::Ip("source.ip")),
        ("source_info.ip", To::Ip("observer.ip")),
        ("data.source_info.ip", To::Ip("source.ip")),
        ("appSha256", To::Hash("process.hash")),
        ("appSha256", To::Hash("file.hash")),
        ("filePath", To::File),
        ("file_path", To::File),
        ("data.core_remedy_items.items.descriptor", To::Note),
        ("core_remedy_items.items.descriptor", To::Note),
        ("data.hmpa_exploit.process_name", To::Text("process.name")),
        ("data.hmpa_exploit.process_pid", To::Int("process.pid")),
        ("data.ips_threat.executable_name", To::Text("process.executable")),
        ("data.ips_threat.remote_ip", To::Ip("destination.ip")),
        ("data.ips_threat.remote_port", To::Int("destination.port")),
        ("data.ips_threat.local_port", To::Int("source.port")),
        ("ips_threat_data.executablePath", To::Text("process.executable")),
        ("ips_threat_data.executablePid", To::Int("process.pid")),
        ("ips_threat_data.remoteIp", To::Ip("destination.ip")),
        ("ips_threat_data.remotePort", To::Int("destination.port")),
        ("ips_threat_data.localPort", To::Int("source.port")),
        ("amsi_threat_data.processName", To::Text("process.name")),
        ("amsi_threat_data.processId", To::Int("process.pid")),
        ("amsi_threat_data.parentProcessPath", To::Text("process.parent.executable")),
        ("amsi_threat_data.processPath", To::Text("process.executable")),
    ],
    open: &["data.core_remedy_items.items", "core_remedy_items.items"],
    pairs: &[],
    wraps: &["json."],
    finish,
});

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let kind = values.text("type");
    let last = kind.rsplit("::").next().unwrap_or(kind);
    let name = values.text("name");
    let has = |words: &[&str]| words.iter().any(|word| last.contains(word));
    let (categories, types) = if has(&["Threat", "Pua", "Malware", "Virus", "Exploit", "Ransom", "Detection", "Cleanup"]) {
        ("malware file host", "info")
    } else if has(&["WebFiltering", "WebControl"]) {
        ("network web", if last.contains("Blocked") { "denied" } else { "info" })
    } else if has(&["Firewall", "Ips", "Network"]) {
        ("network host", "info")
    } else if has(&["Registered", "User", "Login"]) {
        ("iam host", "info")
    } else if has(&["Update", "Policy", "Service"]) {
        ("configuration host", "info")
    } else if kind.contains("Enc") {
        ("file process host", "info")
    } else {
        ("host", "info")
    };
    let is_alert = has(&["Threat", "Pua", "Exploit", "Malware"]) || values.get("threat").is_some();
    classify(event, if is_alert { "alert" } else { "event" }, categories, types);
    event.set_present(field::EVENT_REASON, name);
    if last.contains("Detection") || last.contains("Detected") {
        event.set(field::EVENT_ACTION, "detected");
    } else if last.contains("Blocked") {
        event.set(field::EVENT_ACTION, "blocked");
    } else {
        event.set_present(field::EVENT_ACTION, name);
    }
    let account = ["suser", "source"].into_iter().find_map(|path| values.get(path));
    if let Some(account) = account {
        let (name, domain) = crate::objects::split_account(account);
        ecs::user(event, field::USER_NAME, name);
        event.set_present(field::USER_DOMAIN, domain.unwrap_or_default());
    }
    // `PUA detected: 'Generic PUA XX' at 'C:\…\x.exe'`; `'https://example.com' blocked due to category …`.
    if let Some((_, rest)) = name.split_once(" at '") {
        let path = rest.split('\'').next().unwrap_or(rest);
        event.set(field::FILE_PATH, path);
        event.set(field::FILE_NAME, crate::text::file_name(path));
    }
    if let Some(threat) = quoted(name).filter(|_| name.contains("detected: '") || name.contains("cleaned up: '"))
        && !values.has(event, field::RULE_NAME)
    {
        event.set(field::RULE_NAME, threat);
    }
    if last.starts_with("WebFiltering")
        && let Some(url) = quoted(name)
    {
        crate::web::url(event, url);
    }
}

fn quoted(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('\'')?;
    rest.split_once('\'').map(|(inside, _)| inside)
}
