//! Symantec Endpoint Protection: the logs that its manager sends by syslog or dumps to files.
//!
//! Reference: Broadcom, "External logging settings and log event severity levels for Endpoint Protection Manager": fields between
//! commas, most of them with a caption (`Local Host IP: 192.0.2.1`), some by their place; agent behaviour, packet, risk, scan,
//! security, system, traffic, and the manager's own logs. Captions differ a little between releases (`User`, `User Name`).

use event::{Event, Value, field};

use crate::{
    Sniff, csv, ecs,
    objects::{Noting, Objects, Product, To, Values, caption, classify},
    text, time,
};

pub static SYMANTEC: Objects = Objects::of_text(
    Product {
        name: "symantec_endpoint",
        dataset: "symantec_endpoint.log",
        prefix: "symantec_endpoint.",
        vendor: "Broadcom",
        product: "Symantec Endpoint Protection",
        observer: "",
        marks: &[],
        not: &[],
        rows: &[
            ("event_time", To::Time("@timestamp")),
            ("begin", To::Time("@timestamp")),
            ("begin_time", To::Time("@timestamp")),
            ("stamp", To::Time("@timestamp")),
            ("severity", To::Text("log.level")),
            ("site", To::Note),
            ("server_name", To::Note),
            ("server", To::Note),
            ("place_0", To::Note),
            ("place_1", To::Note),
            ("place_2", To::Note),
            ("place_3", To::Note),
            ("place_4", To::Note),
            ("place_5", To::Note),
            ("place_6", To::Note),
            ("place_7", To::Note),
            ("place_8", To::Note),
            ("computer_name", To::Host("host.name")),
            ("computer", To::Host("host.name")),
            ("ip_address", To::Ip("host.ip")),
            ("ip_address", To::Ip("source.ip")),
            ("scan_id", To::Note),
            ("duration_seconds", To::Seconds),
            ("user1", To::User("user.name")),
            ("user_name", To::User("user.name")),
            ("user", To::User("user.name")),
            ("domain_name", To::Text("user.domain")),
            ("domain", To::Text("user.domain")),
            ("event_description", To::Note),
            ("event_type", To::Note),
            ("category", To::Note),
            ("local_host_ip", To::Note),
            ("local_host", To::Note),
            ("local", To::Note),
            ("local_host_mac", To::Note),
            ("local_port", To::Note),
            ("remote_host_ip", To::Note),
            ("remote_host_name", To::Note),
            ("remote_host_mac", To::Note),
            ("remote_port", To::Note),
            ("direction", To::Note),
            ("protocol", To::Note),
            ("application", To::Program("process")),
            ("application_name", To::Note),
            ("application_hash", To::Hash("process.hash")),
            ("sha_256", To::Note),
            ("md_5", To::Note),
            ("rule", To::Text("rule.name")),
            ("rule_name", To::Text("rule.name")),
            ("action", To::Note),
            ("actual_action", To::Note),
            ("requested_action", To::Note),
            ("risk_name", To::Text("rule.name")),
            ("category_type", To::Text("rule.category")),
            ("file_path", To::File),
            ("file_size_bytes", To::Int("file.size")),
            ("size_bytes", To::Int("file.size")),
            ("intrusion_id", To::Text("rule.id")),
            ("cids_signature_id", To::Note),
            ("cids_signature_string", To::Text("rule.description")),
            ("intrusion_url", To::Url),
            ("source_computer_name", To::Text("source.domain")),
            ("source_computer_ip", To::Note),
            ("source", To::Note),
            ("group_name", To::Note),
            ("location", To::Note),
            ("occurrences", To::Note),
            ("risk_type", To::Note),
        ],
        open: &[],
        pairs: &[],
        wraps: &[],
        finish,
    },
    &["SymantecServer"],
    sniff,
    read,
);

fn sniff(payload: &str) -> Sniff {
    let head = &payload.as_bytes()[..payload.len().min(4096)];
    let has = |word: &str| crate::text::find(head, word.as_bytes()).is_some();
    let is = payload.starts_with("SymantecServer: ")
        || (payload.starts_with("Site: ") && (has(",Server Name: ") || has(",Server: ")))
        || (payload.starts_with("Scan ID: ") && has(",Begin: "))
        || (has(",Remote Host IP: ") && has(",Local Port: "))
        || (has(",CIDS Signature ID: ") && has("Event Description: "))
        || (has(",Risk name: ") && has(",Computer name: "))
        || (has(",Category: ") && has("Event Description: ") && has(",Event time: "))
        || (has(",File size (bytes): ") && has(",Device ID:") && has("Begin: "));
    Sniff::yes_if(is)
}

/// Names of fields without a caption, by their place.
const PLACES: [&str; 16] = [
    "place_0", "place_1", "place_2", "place_3", "place_4", "place_5", "place_6", "place_7", "place_8", "place_9", "place_10",
    "place_11", "place_12", "place_13", "place_14", "place_15",
];

fn read<'r>(noting: &mut Noting<'_, 'r, '_>, payload: &'r str) -> bool {
    let payload = payload.strip_prefix("SymantecServer: ").unwrap_or(payload);
    // Dumps to files begin with a stamp and a severity.
    let payload = match time::iso(payload) {
        Some((_, rest)) if rest.starts_with(',') => {
            noting.note("stamp", &payload[..payload.len() - rest.len()]);
            let (severity, rest) = text::split(&rest[1..], b',').unwrap_or((&rest[1..], ""));
            noting.note("severity", severity);
            rest
        }
        _ => payload,
    };
    let mut place = 0;
    let mut count = 0;
    for field in csv::Fields::new(payload, b',').take(128) {
        let field = field.raw().trim();
        count += 1;
        match field.split_once(':') {
            Some((label, value)) if is_caption(label) && (value.is_empty() || value.starts_with(' ')) => {
                let name = caption(noting.event(), label);
                if !name.is_empty() {
                    noting.note(name, value.trim());
                }
            }
            _ => {
                if let Some(name) = PLACES.get(place) {
                    noting.note(name, field);
                }
                place += 1;
            }
        }
    }
    count >= 2
}

fn is_caption(label: &str) -> bool {
    (2..=40).contains(&label.len())
        && label.starts_with(|c: char| c.is_ascii_uppercase())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b" -()/&".contains(&b))
        && label.bytes().filter(|b| *b == b' ').count() <= 4
        && label != "Scan Complete"
}

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let first = |paths: &[&str]| paths.iter().find_map(|path| values.get(path));
    let has_site = values.get("site").is_some();
    let is_behaviour =
        values.get("place_4").is_some() && first(&["begin", "begin_time"]).is_some() && ecs::ip(values.text("place_1")).is_some();
    let has_remote = first(&["remote_host_ip"]).is_some() || first(&["remote_port"]).is_some();
    host(values, event, has_site);
    let description = first(&["event_description"]).or_else(|| match (has_site, is_behaviour) {
        (true, _) => values.get("place_0"),
        (false, true) => values.get("place_3"),
        _ => None,
    });
    if let Some(description) = description {
        event.set(field::EVENT_REASON, description);
        event.set(field::MESSAGE, description);
    }
    if values.get("risk_name").is_some() {
        event.set_present(field::EVENT_REASON, values.text("place_0"));
        classify(event, "alert", "malware process", "info");
    } else if is_behaviour {
        behaviour(values, event);
    } else if has_remote {
        classify(event, "alert", "intrusion_detection network process", "connection info");
    } else if values.get("scan_id").is_some() {
        classify(event, "event", "malware process", "info");
        event.set_present(field::EVENT_ACTION, text::lower(event, values.text("place_0")));
    } else {
        classify(event, "event", "process network", "info");
    }
    let action = first(&["requested_action", "action", "actual_action"])
        .filter(|action| *action != "N/A")
        .or_else(|| is_behaviour.then(|| values.text("place_2")));
    if let Some(action) = action {
        event.set(field::EVENT_ACTION, text::lower(event, action));
    }
    let text = description.unwrap_or_default();
    let action = action.unwrap_or_default();
    if action.eq_ignore_ascii_case("blocked") || text.contains("attack blocked") || text.contains("has been blocked") {
        event.set(field::EVENT_TYPE, "denied");
    } else if text.contains("not blocked") || action.eq_ignore_ascii_case("allowed") {
        event.set(field::EVENT_TYPE, "allowed");
    }
    if has_remote {
        peers(values, event);
    }
    for (path, name) in [("sha_256", "process.hash.sha256"), ("md_5", "process.hash.md5")] {
        if let Some(digest) = values.get(path) {
            let digest = text::lower(event, digest);
            event.set_named(name, digest);
            event.set(field::RELATED_HASH, digest);
        }
    }
}

fn host<'r>(values: &Values<'r, '_>, event: &mut Event<'r>, has_site: bool) {
    if !values.has(event, field::HOST_NAME) {
        // The manager's log of an agent: message, computer, account, domain.
        let name = if has_site { values.get("place_1") } else { values.get("place_0") };
        if let Some(name) = name.filter(|name| !name.contains(' ') || name.len() <= 64) {
            ecs::host(event, name);
        }
        if has_site {
            event.set_present(field::SOURCE_DOMAIN, values.text("place_1"));
            ecs::user(event, field::USER_NAME, values.text("place_2"));
            event.set_present(field::USER_DOMAIN, values.text("place_3"));
        }
    }
    if let Some(Value::Str(name)) = event.get(field::HOST_NAME) {
        event.set(field::HOST_HOSTNAME, name);
    }
}

/// Computer, address, action, description, class of the call, begin, end, rule, process id, process, caller, module, target …
fn behaviour<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    classify(event, "alert", "intrusion_detection process", "info");
    if let Some(ip) = ecs::ip(values.text("place_1")) {
        event.set(field::HOST_IP, ip);
        event.set(field::SOURCE_IP, ip);
        event.set(field::RELATED_IP, ip);
        event.set_named("network.type", if ip.is_ipv4() { "ipv4" } else { "ipv6" });
    }
    event.set_int(field::PROCESS_PID, values.text("place_5"));
    let path = values.text("place_6");
    if !ecs::is_nothing(path) {
        event.set(field::PROCESS_EXECUTABLE, path);
        event.set(field::PROCESS_NAME, text::file_name(path));
    }
    let target = values.text("place_8").trim_end_matches('"');
    if target.starts_with("/REGISTRY/") {
        event.set(field::REGISTRY_PATH, target);
    } else if target.contains(['/', '\\']) {
        event.set(field::FILE_PATH, target);
        event.set(field::FILE_NAME, text::file_name(target));
    }
    if let Some((_, digest)) = values.text("place_3").split_once("MD5=") {
        let digest = digest.split([' ', ',']).next().unwrap_or(digest);
        if digest.len() == 32 {
            event.set_named("process.hash.md5", digest);
            event.set(field::RELATED_HASH, digest);
        }
    }
}

/// Direction and protocol stand without a caption, in either order.
fn peers<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let word = |is: fn(&str) -> bool| {
        ["place_0", "place_1", "place_2", "place_3", "direction", "protocol"]
            .iter()
            .filter_map(|path| values.get(path))
            .find(|text| is(text))
    };
    let direction = word(|text| matches!(text, "Inbound" | "Outbound" | "Unknown"));
    let protocol = word(|text| matches!(text, "TCP" | "UDP" | "ICMP" | "OTHERS" | "ICMPv6" | "ETHERNET"));
    if let Some(protocol) = protocol {
        event.set(field::NETWORK_TRANSPORT, text::lower(event, protocol));
    }
    let is_inbound = direction == Some("Inbound");
    match direction {
        Some("Inbound") => event.set(field::NETWORK_DIRECTION, "ingress"),
        Some("Outbound") => event.set(field::NETWORK_DIRECTION, "egress"),
        _ => {}
    }
    let local = ["local_host_ip", "local_host", "local"].iter().find_map(|path| values.get(path));
    let remote = values.get("remote_host_ip").map(|text| text.trim_end_matches('.'));
    if let Some(ip) = local.and_then(ecs::ip).filter(|ip| !ip.is_unspecified()) {
        event.set(field::HOST_IP, ip);
        event.set_named("network.type", if ip.is_ipv4() { "ipv4" } else { "ipv6" });
    }
    let (source, destination) = if is_inbound { (remote, local) } else { (local, remote) };
    let set = |event: &mut Event<'r>, field, text: Option<&'r str>| {
        if let Some(ip) = text.and_then(ecs::ip).filter(|ip| !ip.is_unspecified()) {
            event.set(field, ip);
            event.set(field::RELATED_IP, ip);
        }
    };
    set(event, field::SOURCE_IP, source);
    set(event, field::DESTINATION_IP, destination);
    let (source_port, destination_port) = if is_inbound { ("remote_port", "local_port") } else { ("local_port", "remote_port") };
    for (path, field) in [(source_port, field::SOURCE_PORT), (destination_port, field::DESTINATION_PORT)] {
        if let Some(port) = values.get(path).filter(|port| *port != "0") {
            event.set_int(field, port);
        }
    }
    let (source_mac, destination_mac) =
        if is_inbound { ("remote_host_mac", "local_host_mac") } else { ("local_host_mac", "remote_host_mac") };
    for (path, field) in
        [(source_mac, field::SOURCE_MAC), (destination_mac, field::DESTINATION_MAC), ("local_host_mac", field::HOST_MAC)]
    {
        if let Some(mac) = values.get(path).filter(|mac| mac.bytes().any(|b| b.is_ascii_alphanumeric() && b != b'0')) {
            event.set(field, mac);
        }
    }
    event.set_present(if is_inbound { field::SOURCE_DOMAIN } else { field::DESTINATION_DOMAIN }, values.text("remote_host_name"));
}
