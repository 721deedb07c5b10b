//! Alerts of Wazuh and OSSEC: Wazuh's `alerts.json`, OSSEC's syslog output in its default form, and `alerts.log` blocks.
//!
//! Reference: Wazuh documentation, "Alert structure" and "Syslog output"; OSSEC, "Sending alerts via syslog".
//!
//! The rule that fired, the agent it fired on, and what the manager decoded; the original line stays in the alert's fields.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    formats::json,
    keys::KeyTable,
    time,
    vendor::{self, Means, Notes},
};

const PREFIX: &str = "wazuh.";

pub struct Wazuh;

mod note {
    pub const GROUPS: u8 = 0;
    pub const STATUS: u8 = 1;
    pub const SOURCE_USER: u8 = 2;
    pub const TARGET_USER: u8 = 3;
    pub const COUNT: usize = 4;
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("timestamp", Time(field::TIMESTAMP)),
        ("rule.id", Text(field::RULE_ID)),
        ("rule.description", Text(field::RULE_NAME)),
        ("rule.level", Int(field::EVENT_SEVERITY)),
        ("rule.groups", Note(note::GROUPS)),
        ("rule.mitre.id", Name("threat.technique.id")),
        ("rule.mitre.technique", Name("threat.technique.name")),
        ("rule.mitre.tactic", Name("threat.tactic.name")),
        ("agent.name", Host),
        ("agent.ip", Ip(field::HOST_IP)),
        ("manager.name", Observer),
        ("predecoder.program_name", Text(field::PROCESS_NAME)),
        ("decoder.name", Text(field::EVENT_PROVIDER)),
        ("location", Text(field::LOG_FILE_PATH)),
        ("full_log", Text(field::MESSAGE)),
        ("data.srcip", Ip(field::SOURCE_IP)),
        ("data.src_ip", Ip(field::SOURCE_IP)),
        ("data.srcport", Int(field::SOURCE_PORT)),
        ("data.src_port", Int(field::SOURCE_PORT)),
        ("data.dstip", Ip(field::DESTINATION_IP)),
        ("data.dest_ip", Ip(field::DESTINATION_IP)),
        ("data.dstport", Int(field::DESTINATION_PORT)),
        ("data.dest_port", Int(field::DESTINATION_PORT)),
        ("data.protocol", Protocol),
        ("data.proto", Protocol),
        ("data.srcuser", Note(note::SOURCE_USER)),
        ("data.dstuser", Note(note::TARGET_USER)),
        ("data.url", Url),
        ("data.id", Name("wazuh.decoded_id")),
        ("data.status", Note(note::STATUS)),
        ("data.action", Text(field::EVENT_ACTION)),
        ("data.command", Text(field::PROCESS_COMMAND_LINE)),
        ("data.win.system.eventID", Text(field::EVENT_CODE)),
        ("data.win.system.computer", Host),
        ("data.win.system.channel", Text(field::WINLOG_CHANNEL)),
        ("data.win.system.providerName", Text(field::WINLOG_PROVIDER_NAME)),
        ("data.win.eventdata.targetUserName", Note(note::TARGET_USER)),
        ("data.win.eventdata.subjectUserName", Note(note::SOURCE_USER)),
        ("data.win.eventdata.ipAddress", Ip(field::SOURCE_IP)),
        ("data.win.eventdata.image", Text(field::PROCESS_EXECUTABLE)),
        ("data.win.eventdata.commandLine", Text(field::PROCESS_COMMAND_LINE)),
        ("data.vulnerability.cve", Text(field::VULNERABILITY_ID)),
        ("syscheck.path", FilePath),
        ("syscheck.event", Text(field::EVENT_ACTION)),
        ("syscheck.md5_after", Hash),
        ("syscheck.sha1_after", Hash),
        ("syscheck.sha256_after", Hash),
        ("syscheck.size_after", Int(field::FILE_SIZE)),
        // OSSEC's JSON by syslog.
        ("crit", Int(field::EVENT_SEVERITY)),
        ("description", Text(field::RULE_NAME)),
        ("message", Text(field::MESSAGE)),
        ("src_ip", Ip(field::SOURCE_IP)),
        ("acct", User(field::USER_NAME)),
        ("classification", Note(note::GROUPS)),
    ])
});

impl Parser for Wazuh {
    fn name(&self) -> &'static str {
        "wazuh"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["ossec", "wazuh"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        let b = text.as_bytes();
        let has = |range: usize, word: &[u8]| crate::text::find(&b[..b.len().min(range)], word).is_some();
        let is_json = b.first() == Some(&b'{')
            && (has(4096, b"\"rule\":{") && has(8192, b"\"manager\":{") && has(8192, b"\"agent\":{")
                || has(200, b"\"crit\":") && has(400, b"\"component\":"));
        let is_text = text.starts_with("Alert Level: ") && has(80, b"; Rule: ");
        Sniff::yes_if(is_json || is_text || (text.starts_with("** Alert ") && has(2048, b"\nRule: ")))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = raw.text();
        let mut notes = Notes::<{ note::COUNT }>::default();
        if let Some(object) = json::object(text) {
            if !vendor::json(raw, event, object, PREFIX, &KEYS, &mut notes) {
                return Outcome::Unreadable("malformed JSON");
            }
            if !event.has(field::RULE_NAME) {
                return Outcome::Unreadable("no rule in the object");
            }
            vendor::observer(event, "Wazuh", "Wazuh", "ids");
            event.set_dataset("wazuh.alerts");
        } else if text.starts_with("Alert Level: ") {
            // The manager sends; the agent is the host.
            vendor::device(event, "OSSEC", "OSSEC", "ids");
            syslog(event, text, &mut notes);
            event.set_dataset("ossec.alerts");
        } else if text.starts_with("** Alert ") {
            block(event, text, &mut notes);
            vendor::observer(event, "OSSEC", "OSSEC", "ids");
            event.set_dataset("ossec.alerts");
        } else {
            return Outcome::Unreadable("no Wazuh or OSSEC alert");
        }
        let user =
            if notes.get(note::TARGET_USER).is_empty() { notes.get(note::SOURCE_USER) } else { notes.get(note::TARGET_USER) };
        ecs::user(event, field::USER_NAME, user);
        if !notes.get(note::TARGET_USER).is_empty() {
            ecs::user(event, field::SOURCE_USER_NAME, notes.get(note::SOURCE_USER));
        }
        classify(event, &notes);
        vendor::conclude(event);
        Outcome::Parsed
    }
}

/// The manager's groups say what the alert is about.
fn classify<'r>(event: &mut Event<'r>, notes: &Notes<'r, { note::COUNT }>) {
    let groups =
        event.extra().iter().find(|(name, _)| matches!(name.key, "rule.groups" | "classification")).map(|(_, value)| *value);
    let groups = match groups {
        Some(Value::Str(groups)) => groups,
        _ => notes.get(note::GROUPS),
    };
    let has = |word: &str| crate::text::find(groups.as_bytes(), word.as_bytes()).is_some();
    let (category, kind): (&'static str, &'static str) = if has("authentication") || has("login") {
        ("authentication", "info")
    } else if has("syscheck") {
        ("file", "change")
    } else if has("web") {
        ("web", "access")
    } else if has("rootcheck") || has("malware") || has("virus") {
        ("malware", "info")
    } else if has("adduser") || has("account") {
        ("iam", "user")
    } else if has("policy") || has("sca") || has("configuration") {
        ("configuration", "info")
    } else {
        ("intrusion_detection", "info")
    };
    ecs::classify(event, &[category], &[kind]);
    event.set(field::EVENT_KIND, "alert");
    if has("authentication_fail") || has("invalid_login") || has("login_denied") {
        ecs::failure(event);
    } else if has("authentication_success") {
        ecs::success(event);
    }
}

/// `Alert Level: 3; Rule: 5502 - Login session closed.; Location: (agent) 192.0.2.5->/var/log/secure; srcip: …; user: …; line`.
fn syslog<'r>(event: &mut Event<'r>, text: &'r str, notes: &mut Notes<'r, { note::COUNT }>) {
    let mut rest = text;
    while let Some((piece, after)) = rest.split_once("; ") {
        let Some((key, value)) = piece.split_once(": ") else { break };
        let value = value.trim();
        match key {
            "Alert Level" => drop(event.set_int(field::EVENT_SEVERITY, value)),
            "Rule" => {
                let (id, name) = value.split_once(" - ").unwrap_or((value, ""));
                event.set(field::RULE_ID, id);
                event.set_present(field::RULE_NAME, name);
            }
            "Location" => location(event, value),
            "classification" => notes.put(note::GROUPS, value),
            "srcip" => drop(ecs::ip_only(event, field::SOURCE_IP, value)),
            "dstip" => drop(ecs::ip_only(event, field::DESTINATION_IP, value)),
            "srcport" => drop(event.set_int(field::SOURCE_PORT, value)),
            "dstport" => drop(event.set_int(field::DESTINATION_PORT, value)),
            "user" => notes.put(note::TARGET_USER, value),
            "Current MD5" | "Current SHA1" => vendor::hash(event, value.trim_matches('\'')),
            "Previous MD5" | "Previous SHA1" | "Size changed" | "Permissions changed" | "Ownership was" => {}
            _ => break,
        }
        event.set_extra(PREFIX, key, value);
        rest = after;
    }
    if let Some(path) = rest.strip_prefix("Integrity checksum changed for: ") {
        vendor::file(event, path.trim_matches('\''));
    }
    event.set_present(field::MESSAGE, rest);
}

/// `(agent) 192.0.2.5->/var/log/secure` or `manager->/var/log/secure`.
fn location<'r>(event: &mut Event<'r>, value: &'r str) {
    let (place, file) = value.split_once("->").unwrap_or((value, ""));
    event.set_present(field::LOG_FILE_PATH, file);
    match place.strip_prefix('(').and_then(|place| place.split_once(") ")) {
        Some((agent, address)) => {
            ecs::host(event, agent);
            ecs::ip_only(event, field::HOST_IP, address);
        }
        None => ecs::host(event, place),
    }
}

/// A block of `alerts.log`: `** Alert 1795402800.123: - groups`, stamp and place, rule, addresses, then the line.
fn block<'r>(event: &mut Event<'r>, text: &'r str, notes: &mut Notes<'r, { note::COUNT }>) {
    let mut lines = text.lines();
    if let Some((head, groups)) = lines.next().and_then(|line| line.strip_prefix("** Alert ")?.split_once(':')) {
        if let Some(moment) = time::epoch(head.split('.').next().unwrap_or_default()) {
            event.set(field::TIMESTAMP, Value::Time(moment));
        }
        notes.put(note::GROUPS, groups.trim_start_matches([' ', '-']).trim_start_matches("mail").trim());
    }
    for line in lines {
        match line.split_once(": ") {
            Some(("Rule", rule)) => {
                let (id, rest) = rule.split_once(" (level ").unwrap_or((rule, ""));
                event.set(field::RULE_ID, id);
                let (level, name) = rest.split_once(") -> ").unwrap_or((rest, ""));
                event.set_int(field::EVENT_SEVERITY, level);
                event.set_present(field::RULE_NAME, name.trim_matches('\''));
            }
            Some(("Src IP", ip)) => drop(ecs::ip_only(event, field::SOURCE_IP, ip)),
            Some(("Dst IP", ip)) => drop(ecs::ip_only(event, field::DESTINATION_IP, ip)),
            Some(("Src Port", port)) => drop(event.set_int(field::SOURCE_PORT, port)),
            Some(("Dst Port", port)) => drop(event.set_int(field::DESTINATION_PORT, port)),
            Some(("User", user)) => notes.put(note::TARGET_USER, user),
            _ if !event.has(field::LOG_FILE_PATH) && line.contains("->") => {
                location(event, line.splitn(5, ' ').last().unwrap_or(line));
            }
            _ if !line.is_empty() => event.set(field::MESSAGE, line),
            _ => {}
        }
    }
}
