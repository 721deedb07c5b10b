//! Kaspersky Endpoint Security: the text of events as the application and Kaspersky Security Center send them by syslog.
//!
//! Reference: Kaspersky, "Exporting events to SIEM systems" (Syslog format: structured data `event@23668` with `et`, `etdn`, `hdn`,
//! `hip`, `gn`, `p1` … `p9`), "Kaspersky Endpoint Security: events". The text is lines of `Caption: value`, line ends as they are or
//! written out (`\r\n`). CEF from Security Center is read as CEF.

use event::{Event, Value, field};

use crate::{
    Sniff, ecs,
    objects::{Noting, Objects, Product, To, Values, caption, classify},
    text,
    windows::dates,
};

pub static KASPERSKY: Objects = Objects::of_text(
    Product {
        name: "kaspersky",
        dataset: "kaspersky.endpoint",
        prefix: "kaspersky.",
        vendor: "Kaspersky",
        product: "Kaspersky Endpoint Security",
        observer: "edr",
        marks: &[],
        not: &[],
        rows: &[
            ("event_type", To::Note),
            ("result_description", To::Text("event.action")),
            ("result", To::Text("event.action")),
            ("action", To::Text("event.action")),
            ("error", To::Text("error.message")),
            ("type", To::Note),
            ("result_type", To::Note),
            ("name", To::Note),
            ("result_name", To::Text("rule.name")),
            ("result_threat_level", To::Text("log.level")),
            ("threat_level", To::Text("log.level")),
            ("object_type", To::Note),
            ("object_name", To::Note),
            ("object_path", To::Note),
            ("path_to_object", To::Note),
            ("object", To::Note),
            ("object_additional", To::Note),
            ("user", To::Note),
            ("initiator", To::Note),
            ("release_date", To::Note),
            ("database_release_date", To::Note),
            ("application_path", To::Note),
            ("application", To::Note),
            ("application_name", To::Note),
            ("process_id", To::Int("process.pid")),
            ("application_process_id", To::Int("process.pid")),
            ("component", To::Text("service.name")),
            ("task", To::Note),
            ("reason", To::Note),
            ("computer", To::Host("host.name")),
            ("device", To::Host("host.name")),
            ("ip_address", To::Ip("host.ip")),
            ("sha256", To::Hash("file.hash")),
            ("object_sha256", To::Hash("file.hash")),
            ("md5", To::Hash("file.hash")),
            ("object_md5", To::Hash("file.hash")),
            ("hash", To::Hash("file.hash")),
            ("attacker_ip_address", To::Ip("source.ip")),
            ("source_address", To::Ip("source.ip")),
            ("remote_address", To::Ip("destination.ip")),
            ("remote_port", To::Int("destination.port")),
            ("local_port", To::Int("source.port")),
            ("protocol", To::Note),
            ("web_address", To::Url),
            ("rule_name", To::Text("rule.name")),
        ],
        open: &[],
        pairs: &[],
        wraps: &[],
        finish,
    },
    &["KES", "KSC", "KSWS", "KESL"],
    sniff,
    read,
);

fn sniff(payload: &str) -> Sniff {
    let head = &payload.as_bytes()[..payload.len().min(2048)];
    let has = |word: &str| crate::text::find(head, word.as_bytes()).is_some();
    let is = (payload.starts_with("Event type: ") || payload.starts_with("Result description: "))
        && (has("Result description: ") || has("Result\\Description: ") || has("User: ") || has("Component: "));
    Sniff::yes_if(is)
}

fn read<'r>(noting: &mut Noting<'_, 'r, '_>, payload: &'r str) -> bool {
    let mut count = 0;
    let lines = payload.split("\\r\\n").flat_map(str::lines);
    for line in lines.take(128) {
        let Some((label, value)) = line.split_once(": ") else { continue };
        if label.len() > 48 || !label.starts_with(|c: char| c.is_ascii_uppercase()) {
            continue;
        }
        let name = caption(noting.event(), label);
        if !name.is_empty() {
            noting.note(name, value.trim());
            count += 1;
        }
    }
    count > 0
}

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    structured(event);
    let kind = values.text("event_type");
    let class = ["type", "result_type"].into_iter().find_map(|path| values.get(path)).unwrap_or_default();
    let has = |words: &[&str]| words.iter().any(|word| kind.contains(word) || class.contains(word));
    let (kind_word, categories, types) =
        if has(&["Virus", "Trojan", "Worm", "alware", "Malicious", "infected", "adware", "riskware", "Adware"]) {
            ("alert", "malware", "info")
        } else if has(&["Network attack", "ntrusion", "exploit"]) {
            ("alert", "intrusion_detection network", "info")
        } else if has(&["Web resource", "web page", "link"]) {
            ("event", "web network", "info")
        } else if has(&["Device", "device"]) {
            ("event", "host", "info")
        } else {
            ("event", "process", "info")
        };
    classify(event, kind_word, categories, types);
    match (kind, values.get("reason")) {
        ("", Some(reason)) => event.set(field::EVENT_REASON, reason),
        ("", None) => {}
        (kind, Some(reason)) => {
            let text = text::join(event, kind, " because of ", reason);
            event.set(field::EVENT_REASON, text);
        }
        (kind, None) => event.set(field::EVENT_REASON, kind),
    }
    if let Some(stamp) = values.get("release_date")
        && let Some((stamp, _)) = dates::read(stamp, false)
    {
        event.set(field::TIMESTAMP, Value::Time(stamp.resolve(values.raw())));
    }
    if let Some(account) = ["user", "initiator"].into_iter().find_map(|path| values.get(path)) {
        // `TINH\an (Active user)`
        let account = account.split(" (").next().unwrap_or(account);
        let (name, domain) = crate::objects::split_account(account);
        ecs::user(event, field::USER_NAME, name.strip_suffix('$').unwrap_or(name));
        event.set_present(field::USER_DOMAIN, domain.unwrap_or_default());
    }
    objects(values, event);
}

fn objects<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let object = values.text("object");
    if object.contains(['\\', '/']) && !object.contains("://") {
        event.set(field::FILE_PATH, object);
        event.set(field::FILE_NAME, text::file_name(object));
    } else if object.contains("://") {
        crate::web::url(event, object);
    }
    let name = values.text("object_name");
    match values.text("object_type") {
        "Web page" => event.set_present(field::URL_PATH, name),
        _ if !name.is_empty() => {
            event.set(field::FILE_NAME, name);
            if let Some(path) = ["path_to_object", "object_path"].into_iter().find_map(|path| values.get(path)) {
                event.set(field::FILE_PATH, text::join(event, path, "\\", name));
            }
        }
        _ => {}
    }
    let program = ["name", "application_name"].into_iter().find_map(|path| values.get(path));
    if let (Some(folder), Some(program)) = (values.get("application_path"), program) {
        event.set(field::PROCESS_EXECUTABLE, text::join(event, folder, "\\", program));
        event.set(field::PROCESS_NAME, program);
    } else if let Some(name) = values.get("name")
        && !values.has(event, field::RULE_NAME)
    {
        event.set(field::RULE_NAME, name);
    }
}

/// The structured data that Security Center adds.
fn structured(event: &mut Event<'_>) {
    for (key, field) in [("et", field::EVENT_CODE), ("hdn", field::HOST_NAME)] {
        let value = event
            .extra()
            .iter()
            .find(|(name, _)| name.prefix == "log.syslog.structured_data." && name.key.strip_prefix("event@23668.") == Some(key))
            .map(|(_, value)| *value);
        if let Some(value @ Value::Str(_)) = value {
            event.set(field, value);
        }
    }
    let address = event
        .extra()
        .iter()
        .find(|(name, _)| name.prefix == "log.syslog.structured_data." && name.key == "event@23668.hip")
        .map(|(_, value)| *value);
    if let Some(Value::Str(address)) = address {
        ecs::ip_only(event, field::HOST_IP, address);
    }
}
