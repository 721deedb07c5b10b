//! What products mean beyond the dictionary: custom extensions of web application firewalls, proxies and firewalls that log in
//! CEF or LEEF, and what an event of theirs is.
//!
//! Reference: Imperva, "Cloud WAF: log file structure" (CEF), Citrix, "Web App Firewall: common event format", F5, "ASM: ArcSight
//! CEF remote logging", Forcepoint, "Web Security SIEM integration" and "NGFW: log fields exported in CEF and LEEF", Ubiquiti,
//! "UniFi: SIEM server".
//!
//! The dictionary was applied before; nothing here allocates more than a joined URL.

use event::{Event, RawRecord, Value, field};

use crate::{ecs, text, time, vendor};

/// A key and its value as a product wrote it, under the prefix of its format.
fn value<'r>(event: &Event<'r>, key: &str) -> &'r str {
    let found =
        event.extra().iter().rev().find(|(name, _)| matches!(name.prefix, "cef.extensions." | "leef.") && name.key == key);
    match found.map(|(_, value)| *value) {
        Some(Value::Str(text)) => text,
        _ => "",
    }
}

/// Sets what the product's own words mean. `id` and `name` are the header's.
pub fn finish<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, vendor: &str, product: &str, id: &'r str, name: &'r str) {
    match (vendor, product) {
        ("Incapsula" | "Imperva", "SIEMintegration") => incapsula(raw, event),
        ("Imperva Inc." | "Imperva", _) => secure_sphere(event),
        ("Citrix", "NetScaler") => netscaler(event),
        ("F5", _) => big_ip(event),
        ("Forcepoint" | "FORCEPOINT" | "Websense", "Security") => web_security(event, id),
        ("Forcepoint" | "FORCEPOINT", _) => engine(event, id, name),
        ("Ubiquiti", _) => unifi(raw, event),
        _ => return,
    }
    vendor::conclude(event);
}

fn web<'r>(event: &mut Event<'r>, kind: &'static str) {
    for category in ["web", "network"] {
        event.set(field::EVENT_CATEGORY, category);
    }
    event.set(field::EVENT_TYPE, "access");
    event.set(field::EVENT_TYPE, kind);
}

/// The result of a request is a word of `act`: what it begins with says whether the request went through.
fn incapsula<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) {
    vendor::observer(event, "Imperva", "Web Application Firewall", "firewall");
    let action = value(event, "act");
    let starts = |words: &[&str]| words.iter().any(|word| action.starts_with(word));
    let kind = if starts(&["REQ_PASSED", "REQ_CACHED", "alert"]) {
        "allowed"
    } else if starts(&["REQ_BLOCKED", "REQ_CHALLENGE", "REQ_DOMAIN", "block", "captcha", "js_challenge"]) {
        "denied"
    } else {
        "error"
    };
    web(event, kind);
    event.set(field::EVENT_TYPE, "connection");
    if let Some(moment) = time::epoch(value(event, "start")) {
        event.set(field::TIMESTAMP, Value::Time(moment));
        if let Some(end) = time::epoch(value(event, "end")).or_else(|| time::any(value(event, "end"), raw))
            && end >= moment
        {
            event.set(field::EVENT_DURATION, (end - moment).saturating_mul(1000));
        }
    }
    event.set_int(field::SOURCE_PORT, value(event, "cpt"));
    event.set_int(field::HTTP_RESPONSE_STATUS_CODE, value(event, "cn1"));
    let site = value(event, "sourceServiceName");
    if !site.is_empty() {
        event.set(field::DESTINATION_DOMAIN, site);
        event.set(field::RELATED_HOSTS, site);
    }
    let request = value(event, "request");
    if !request.is_empty() {
        vendor::url(event, request);
    }
    // `TLSv1.3 TLS_AES_128_GCM_SHA256`
    if let Some((version, cipher)) = value(event, "ver").split_once(' ') {
        event.set(field::TLS_VERSION, version.trim_start_matches("TLSv"));
        event.set(field::TLS_CIPHER, cipher);
    }
}

fn secure_sphere(event: &mut Event<'_>) {
    vendor::observer(event, "Imperva", "SecureSphere", "waf");
    event.set(field::EVENT_CATEGORY, "intrusion_detection");
    event.set(field::EVENT_KIND, "alert");
    let is_blocked = value(event, "act").eq_ignore_ascii_case("block");
    event.set(field::EVENT_TYPE, if is_blocked { "denied" } else { "info" });
}

fn netscaler(event: &mut Event<'_>) {
    event.set(field::OBSERVER_TYPE, "waf");
    event.set(field::EVENT_CATEGORY, "intrusion_detection");
    event.set(field::EVENT_CATEGORY, "web");
    event.set(field::EVENT_KIND, "alert");
    event.set_present(field::HTTP_REQUEST_METHOD, value(event, "method"));
    let is_blocked = value(event, "act") == "blocked";
    event.set(field::EVENT_TYPE, if is_blocked { "denied" } else { "allowed" });
}

fn big_ip(event: &mut Event<'_>) {
    event.set(field::OBSERVER_TYPE, "firewall");
    vendor::ip_named(event, "observer.ip", value(event, "dvc"));
    let action = value(event, "act");
    web(event, if matches!(action, "blocked") { "denied" } else { "allowed" });
    event.set(field::EVENT_TYPE, "info");
    if value(event, "cs1Label") == "policy_name" {
        event.set_present(field::RULE_RULESET, value(event, "cs1"));
    }
    if value(event, "cn1Label") == "response_code" {
        event.set_int(field::HTTP_RESPONSE_STATUS_CODE, value(event, "cn1"));
    }
    event.set_int(field::HTTP_RESPONSE_STATUS_CODE, value(event, "http_code"));
    if value(event, "cs3Label") == "violation_details" {
        event.set_present(field::EVENT_REASON, value(event, "cs3"));
    }
    ecs::success(event);
}

/// The header's id is the number of the site's category; the account is a path in the directory.
fn web_security<'r>(event: &mut Event<'r>, category: &'r str) {
    vendor::observer(event, "Forcepoint", "Secure Web Gateway", "proxy");
    let action = value(event, "act");
    web(event, if action == "blocked" { "denied" } else { "allowed" });
    event.set_present(field::RULE_ID, category);
    if value(event, "cn1Label") == "DispositionCode" {
        event.set_present(field::EVENT_CODE, value(event, "cn1"));
    }
    if value(event, "cs1Label") == "Policy" {
        event.set_present(field::RULE_NAME, value(event, "cs1"));
    }
    ecs::ip_only(event, field::HOST_IP, value(event, "dvc"));
    event.set_int(field::DESTINATION_NAT_PORT, value(event, "destinationTranslatedPort"));
    event.set_present(field::USER_ID, value(event, "loginID"));
    // `LDAP://dc.tinh.example OU=CBCC,DC=tinh/Nguyễn An`
    let user = value(event, "suser");
    if let Some((_, name)) = user.rsplit_once('/').filter(|_| user.starts_with("LDAP://")) {
        ecs::user(event, field::USER_NAME, name);
    }
}

/// Next Generation Firewall: the id says what happened.
fn engine<'r>(event: &mut Event<'r>, id: &'r str, name: &'r str) {
    event.set(field::OBSERVER_TYPE, "firewall");
    let sender = value(event, "sender");
    if !sender.is_empty() {
        event.set(field::OBSERVER_NAME, sender);
        ecs::host(event, sender);
    }
    vendor::ip_named(event, "observer.ip", value(event, "dvc"));
    // LEEF names the situation by its id, CEF by its name.
    let what = if id.bytes().all(|b| b.is_ascii_digit()) { name } else { id };
    event.set_present(field::EVENT_ACTION, what);
    let action = if value(event, "act").is_empty() { value(event, "action") } else { value(event, "act") };
    let has = |word: &str| what.contains(word);
    let (category, kind): (&'static str, &'static str) = if has("User_Command") {
        ("process", "info")
    } else if has("File") || has("Sandbox") {
        ("file", "info")
    } else if has("Closed") {
        ("network", "end")
    } else if has("Discarded") || has("Refused") || vendor::is_denied(action) {
        ("network", "denied")
    } else if has("Allowed") {
        ("network", "connection")
    } else {
        ("network", "info")
    };
    ecs::classify(event, &[category], &[kind]);
    let outcome = if action.is_empty() {
        "unknown"
    } else if vendor::is_allowed(action) {
        "success"
    } else {
        "failure"
    };
    event.set(field::EVENT_OUTCOME, outcome);
    // `HISTORY: PID=18072 UID=0 USER=root command`
    if let Some((_, rest)) = event.text(field::MESSAGE).and_then(|message| message.split_once("HISTORY: ")) {
        let (words, command) = rest.split_once("USER").map_or(("", rest), |(head, rest)| (head, text::word(rest).1));
        if let Some((_, pid)) = words.split_once("PID") {
            event.set_int(field::PROCESS_PID, text::digits(pid.trim_start_matches(['\\', '='])).0);
        }
        event.set_present(field::PROCESS_COMMAND_LINE, command);
    }
}

fn unifi<'r>(raw: RawRecord<'r>, event: &mut Event<'r>) {
    if let Some(moment) = time::any(value(event, "UNIFIutcTime"), raw) {
        event.set(field::TIMESTAMP, Value::Time(moment));
    }
    let admin = value(event, "UNIFIadmin");
    ecs::user(event, field::USER_NAME, admin);
    event.set_present(field::RULE_NAME, value(event, "UNIFIipsSignature"));
    event.set_present(field::RULE_ID, value(event, "UNIFIipsSignatureId"));
    if value(event, "UNIFIipsSignature").is_empty() {
        event.set_present(field::RULE_NAME, value(event, "UNIFIpolicyName"));
    }
    event.set_present(field::OBSERVER_INGRESS_ZONE, value(event, "UNIFIsrcZone"));
    event.set_present(field::OBSERVER_EGRESS_ZONE, value(event, "UNIFIdstZone"));
    event.set_present(field::OBSERVER_NAME, value(event, "UNIFIdeviceName"));
    vendor::ip_named(event, "observer.ip", value(event, "UNIFIdeviceIp"));
    event.set(field::OBSERVER_TYPE, "firewall");
    match value(event, "UNIFIcategory") {
        "Security" => {
            event.set(field::EVENT_CATEGORY, "intrusion_detection");
            event.set(field::EVENT_CATEGORY, "network");
            event.set(field::EVENT_KIND, "alert");
            let is_blocked =
                value(event, "act") == "blocked" || event.text(field::MESSAGE).is_some_and(|message| message.contains("blocked"));
            event.set(field::EVENT_TYPE, if is_blocked { "denied" } else { "info" });
        }
        _ if !admin.is_empty() => {
            event.set(field::EVENT_CATEGORY, "authentication");
            event.set(field::EVENT_TYPE, "start");
        }
        "" => {}
        _ => {
            event.set(field::EVENT_CATEGORY, "network");
            event.set(field::EVENT_TYPE, "info");
        }
    }
}
