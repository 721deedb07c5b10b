//! Juniper Junos and SRX messages, structured (`RT_FLOW_SESSION_CREATE [junos@2636.… source-address="…"]`) and as text.
//!
//! Reference: Juniper "System Log Explorer" (tags, their fields and text), "Structured-Data Syslog Messages", and for firewall
//! filters "Stateless Firewall Filter Log Messages" (`FW: ge-0/0/0.0 D tcp …`).
//!
//! Fields are kept as `juniper.srx.<name>` (dashes as underscores). The text form has the same values by position, which
//! changed between releases: it is read by what the values look like.

use std::sync::LazyLock;

use event::{Event, Field, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    kv::{Pairs, Separator},
    net::{self, DESTINATION, SOURCE, endpoint},
    template::Template,
    text,
};

const PREFIX: &str = "juniper.srx.";

pub struct JuniperJunos;

impl Parser for JuniperJunos {
    fn name(&self) -> &'static str {
        "juniper_junos"
    }

    fn programs(&self) -> &'static [&'static str] {
        &[
            "RT_FLOW",
            "RT_IDP",
            "RT_UTM",
            "RT_IDS",
            "RT_AAMW",
            "RT_SECINTEL",
            "RT_SYSTEM",
            "RT_APPQOS",
            "RT_NAT",
            "RT_ALG",
            "RT_SCREEN",
            "PFE_FW_SYSLOG_IP",
            "PFE_FW_SYSLOG_ETH_IP",
            "mgd",
            "kmd",
            "rpd",
            "l2ald",
            "l2cpd",
            "eswd",
            "chassisd",
            "dcd",
            "mib2d",
            "jsrpd",
            "utmd",
            "idpd",
            "appidd",
            "useridd",
            "pfed",
            "cosd",
            "alarmd",
            "craftd",
            "lacpd",
            "lldpd",
            "vccpd",
            "bfdd",
            "dot1xd",
            "jdhcpd",
            "smihelperd",
        ]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        Sniff::yes_if(text.starts_with("[junos@") || tag(text).is_some_and(|(tag, _)| is_known(tag)) || filter(text).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = raw.text();
        let mut log = Log::default();
        if let Some(inside) = text.strip_prefix('[').filter(|inside| inside.contains("=\"")) {
            log.tag = event.text(field::LOG_SYSLOG_MSGID).unwrap_or("");
            let rest = structured(event, &mut log, inside);
            event.set_present(field::MESSAGE, rest.trim());
        } else if let Some(rest) = filter(text) {
            log.tag = "PFE_FW_SYSLOG_IP";
            if !filter_log(event, rest) {
                return Outcome::Unreadable("no firewall filter log");
            }
            event.set(field::MESSAGE, text);
        } else if let Some((tag, rest)) = tag(text) {
            log.tag = tag;
            event.set(field::MESSAGE, rest);
            log.text(event, rest);
        } else if text.is_empty() {
            return Outcome::Unreadable("no message");
        } else {
            log.tag = event.text(field::LOG_SYSLOG_MSGID).unwrap_or("");
            event.set(field::MESSAGE, text);
            log.text(event, text);
        }
        event.set_dataset("juniper.srx");
        event.set(field::OBSERVER_VENDOR, "Juniper");
        event.set(field::OBSERVER_PRODUCT, "SRX");
        event.set(field::OBSERVER_TYPE, "firewall");
        if let Some(host) = event.text(field::LOG_SYSLOG_HOSTNAME) {
            event.set(field::OBSERVER_NAME, host);
        }
        log.finish(event);
        Outcome::Parsed
    }
}

/// `RT_FLOW_SESSION_CREATE: session created …`, also after the program's name.
fn tag(text: &str) -> Option<(&str, &str)> {
    let is_tag = |word: &str| {
        word.len() >= 4
            && word.len() <= 64
            && word.contains('_')
            && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    // `RT_SCREEN_ICMP [attack-name=…]`.
    if let Some((word, rest)) = text.split_once(" [").filter(|(word, _)| is_tag(word) && is_known(word)) {
        return Some((word, rest));
    }
    let (first, rest) = text.split_once(": ").filter(|(first, _)| is_tag(first))?;
    match rest.split_once(": ") {
        Some((second, after)) if is_tag(second) => Some((second, after)),
        _ => Some((first, rest)),
    }
}

/// Families of tags that no other vendor writes.
fn is_known(tag: &str) -> bool {
    const FAMILIES: [&str; 22] = [
        "RT_",
        "APPTRACK_",
        "IDP_",
        "AAMW_",
        "SECINTEL_",
        "WEBFILTER_",
        "AV_",
        "ANTISPAM_",
        "CONTENT_FILTERING_",
        "PFE_",
        "UI_",
        "KMD_",
        "RPD_",
        "SNMPD_",
        "CHASSISD_",
        "JSRPD_",
        "LOGIN_INFORMATION",
        "SSHD_LOGIN_",
        "L2ALD_",
        "LIBJNX_",
        "SNMP_TRAP_",
        "RTLOG_",
    ];
    FAMILIES.iter().any(|family| tag.starts_with(family))
}

/// The log of a stateless filter: `FW: ge-0/0/0.0 A tcp …`.
fn filter(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("FW: ") {
        return Some(rest);
    }
    crate::text::find(&text.as_bytes()[..text.len().min(120)], b"PFE_FW_SYSLOG")?;
    text.split_once(" FW: ").map(|(_, rest)| rest)
}

fn filter_log<'r>(event: &mut Event<'r>, text: &'r str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let (Some(interface), Some(verdict)) = (words.next(), words.next()) else { return false };
    let kind = match verdict {
        "A" => "allowed",
        "D" | "R" => "denied",
        _ => return false,
    };
    event.set(field::OBSERVER_INGRESS_INTERFACE_NAME, interface);
    event.set(field::EVENT_TYPE, kind);
    event.set(field::EVENT_ACTION, if kind == "allowed" { "accept" } else { "discard" });
    // Hardware addresses and their types may stand before the protocol.
    let words: [&str; 16] = std::array::from_fn(|_| words.next().unwrap_or(""));
    let mut has_mac = false;
    for (at, protocol) in words.iter().enumerate().take(12) {
        if protocol.len() == 17 && protocol.bytes().filter(|b| *b == b':').count() == 5 {
            event.set(if has_mac { field::DESTINATION_MAC } else { field::SOURCE_MAC }, *protocol);
            has_mac = true;
        }
        if ecs::ip(words[at + 1]).is_some() && ecs::ip(words[at + 2]).is_some() && ecs::ip(protocol).is_none() {
            net::transport(event, protocol);
            ecs::source(event, words[at + 1]);
            ecs::destination(event, words[at + 2]);
            event.set_int(field::SOURCE_PORT, words[at + 3]);
            event.set_int(field::DESTINATION_PORT, words.get(at + 4).unwrap_or(&""));
            break;
        }
    }
    if let Some((count, _)) = text.rsplit_once('(').and_then(|(_, inside)| inside.split_once(" packet")) {
        event.set_int(field::SOURCE_PACKETS, count);
    }
    true
}

#[derive(Clone, Copy)]
enum Means {
    Text(Field),
    Int(Field),
    Lower(Field),
    Source,
    Destination,
    Nat(Field),
    NatPort(Field),
    Protocol,
    User,
    Url,
    Duration,
    Action,
    Attack,
    Hash,
    Message,
    Rulebase,
    Named(&'static str),
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("source-address", Source),
        ("src-ip", Source),
        ("client-ip", Source),
        ("remote-host", Source),
        ("local-address", Source),
        ("destination-address", Destination),
        ("dst-ip", Destination),
        ("remote-address", Destination),
        ("source-port", Int(field::SOURCE_PORT)),
        ("destination-port", Int(field::DESTINATION_PORT)),
        ("nat-source-address", Nat(field::SOURCE_NAT_IP)),
        ("nat-destination-address", Nat(field::DESTINATION_NAT_IP)),
        ("nat-source-port", NatPort(field::SOURCE_NAT_PORT)),
        ("nat-destination-port", NatPort(field::DESTINATION_NAT_PORT)),
        ("protocol-id", Protocol),
        ("protocol-name", Protocol),
        ("protocol", Lower(field::NETWORK_PROTOCOL)),
        ("service-name", Named("service.name")),
        ("application", Lower(field::NETWORK_APPLICATION)),
        ("nested-application", Lower(field::NETWORK_APPLICATION)),
        ("application-name", Lower(field::NETWORK_APPLICATION)),
        ("source-zone-name", Text(field::OBSERVER_INGRESS_ZONE)),
        ("source-zone", Text(field::OBSERVER_INGRESS_ZONE)),
        ("destination-zone-name", Text(field::OBSERVER_EGRESS_ZONE)),
        ("destination-zone", Text(field::OBSERVER_EGRESS_ZONE)),
        ("packet-incoming-interface", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("source-interface-name", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("interface-name", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("destination-interface-name", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("policy-name", Text(field::RULE_NAME)),
        ("rulebase-name", Rulebase),
        ("rule-name", Text(field::RULE_ID)),
        ("profile-name", Named("rule.ruleset")),
        ("username", User),
        ("user", User),
        ("roles", Named("user.roles")),
        ("bytes-from-client", Int(field::SOURCE_BYTES)),
        ("inbound-bytes", Int(field::SOURCE_BYTES)),
        ("packets-from-client", Int(field::SOURCE_PACKETS)),
        ("inbound-packets", Int(field::SOURCE_PACKETS)),
        ("bytes-from-server", Int(field::DESTINATION_BYTES)),
        ("outbound-bytes", Int(field::DESTINATION_BYTES)),
        ("packets-from-server", Int(field::DESTINATION_PACKETS)),
        ("outbound-packets", Int(field::DESTINATION_PACKETS)),
        ("elapsed-time", Duration),
        ("action", Action),
        ("attack-name", Attack),
        ("reason", Text(field::EVENT_REASON)),
        ("url", Url),
        ("filename", Text(field::FILE_NAME)),
        ("file-name", Text(field::FILE_NAME)),
        ("sha256", Hash),
        ("sample-sha256", Hash),
        ("file-hash", Hash),
        ("http-host", Text(field::URL_DOMAIN)),
        ("hostname", Text(field::SOURCE_DOMAIN)),
        ("error-message", Message),
        ("message", Message),
        ("category", Text(field::RULE_CATEGORY)),
        ("command", Text(field::PROCESS_COMMAND_LINE)),
    ])
});

/// What several values decide together.
#[derive(Default)]
struct Log<'r> {
    tag: &'r str,
    action: &'r str,
    attack: &'r str,
    rulebase: &'r str,
}

/// Reads `junos@2636.… name="value" …]`; returns what follows. The id is no pair and is skipped.
fn structured<'r>(event: &mut Event<'r>, log: &mut Log<'r>, inside: &'r str) -> &'r str {
    let body = inside;
    let end = body.rfind(']').unwrap_or(body.len());
    let mut pairs = Pairs::new(&body[..end], Separator::Blank);
    for pair in pairs.by_ref() {
        let value = pair.value(event);
        log.pair(event, pair.key, value);
    }
    if let Some(problem) = pairs.problem() {
        event.problem(problem);
    }
    body.get(end + 1..).unwrap_or("")
}

impl<'r> Log<'r> {
    fn pair(&mut self, event: &mut Event<'r>, key: &'r str, value: &'r str) {
        if key.len() > ecs::NAME_BYTES_MAX {
            return;
        }
        let name: &'r str = {
            let copy = event.arena().alloc_str(key);
            copy.make_ascii_lowercase();
            // Only ASCII bytes are exchanged.
            let name: &'r str = copy;
            if name.contains('-') { event.alloc(&name.replace('-', "_")) } else { name }
        };
        event.set_extra(PREFIX, name, value);
        let Some(means) = KEYS.get(key).filter(|_| !ecs::is_nothing(value) && !matches!(value, "UNKNOWN" | "None")) else {
            return;
        };
        match means {
            Means::Text(field) => event.set_present(field, value.trim()),
            Means::Int(field) => drop(event.set_int(field, value)),
            Means::Lower(field) => event.set(field, text::lower(event, value)),
            Means::Source => ecs::source(event, value),
            Means::Destination => ecs::destination(event, value),
            Means::Nat(field) => {
                if ecs::ip(value).is_some_and(|ip| !ip.is_unspecified()) {
                    ecs::ip_only(event, field, value);
                }
            }
            Means::NatPort(field) => drop(event.set_int(field, value)),
            Means::Protocol => net::transport(event, value),
            Means::User => {
                ecs::user(event, field::SOURCE_USER_NAME, value);
                net::account(event, value);
            }
            Means::Url => crate::web::url(event, value),
            Means::Duration => {
                if let Some(nanos) = text::seconds_to_nanos(value) {
                    event.set(field::EVENT_DURATION, nanos);
                }
            }
            Means::Action => self.action = value,
            Means::Attack => self.attack = value,
            Means::Hash => {
                event.set(field::FILE_HASH_SHA256, value);
                event.set(field::RELATED_HASH, value);
            }
            Means::Message => event.set(field::MESSAGE, value),
            Means::Rulebase => self.rulebase = value,
            Means::Named(name) => event.set_named(name, value),
        }
    }

    /// The text form.
    fn text(&mut self, event: &mut Event<'r>, text: &'r str) {
        if text.contains("=\"") && !text.starts_with("WebFilter") {
            for pair in Pairs::new(text.trim_end_matches(']'), Separator::Blank) {
                let value = pair.value(event);
                self.pair(event, pair.key, value);
            }
            return;
        }
        if let Some(rest) =
            ["session created ", "session closed ", "session denied "].iter().find_map(|head| text.strip_prefix(head))
        {
            return self.session(event, rest);
        }
        static SENTENCES: LazyLock<Vec<Template<&'static str>>> = LazyLock::new(|| {
            let name = |name: &str| {
                [
                    "user",
                    "source-address",
                    "destination-address",
                    "command",
                    "end",
                    "attack-name",
                    "zone",
                    "interface",
                    "action",
                    "url",
                    "reason",
                    "protocol",
                    "category",
                    "profile",
                ]
                .into_iter()
                .find(|known| *known == name)
            };
            [
                "User '<user>' login, class '<_>' \\[<_>\\], ssh-connection '<source-address:w> <_>'",
                "User '<user>'[,] command '<command>'",
                "User '<user>' requested '<command>' operation",
                "User '<user>' logout",
                "Authenticated user '<user>'",
                "Authenticated user '<user>' at permission level",
                "Login failed for user '<user>' from host '<source-address>'",
                "Login failed for user <user:w> from host <source-address:w>",
                "User <user:w> logged in from host <source-address:w>",
                "<attack-name> source: <source-address>, destination: <destination-address>, [protocol-id: <protocol>, ]zone name: <zone>, interface name: <interface>, action: <action:w>",
                "<attack-name> destination: <destination-address>, zone name: <zone>, interface name: <interface>, action: <action:w>",
                "IDP: at <_>, <_> Attack log \\<<end>\\> for <protocol:w> protocol",
                "WebFilter: ACTION=\"<action>\" <end:w> CATEGORY=\"<category>\" REASON=\"<reason>\" PROFILE=\"<profile>\" URL=<url:w>",
                "<_> ACTION=\"<action>\" <end:w> CATEGORY=\"<category>\"",
                "BGP peer <destination-address:w> (<_>) changed state <reason>",
            ]
            .iter()
            .filter_map(|text| Template::new(text, &name).ok())
            .collect()
        });
        let Some(found) = SENTENCES.iter().find_map(|sentence| sentence.read(text)) else { return };
        for (name, value) in found.iter() {
            match name {
                "user" => net::account(event, value),
                "source-address" => SOURCE.set(event, endpoint(value)),
                "destination-address" => DESTINATION.set(event, endpoint(value)),
                "command" => event.set(field::PROCESS_COMMAND_LINE, value),
                "end" => ends(event, value),
                "attack-name" => self.attack = value,
                "zone" => event.set(field::OBSERVER_INGRESS_ZONE, value),
                "interface" => event.set(field::OBSERVER_INGRESS_INTERFACE_NAME, value),
                "action" => self.action = value,
                "url" => {
                    crate::web::authority(event, value);
                    event.set(field::URL_ORIGINAL, value);
                }
                "reason" => event.set(field::EVENT_REASON, value),
                "protocol" => net::transport(event, value),
                "category" => event.set(field::RULE_CATEGORY, value),
                _ => event.set_named("rule.ruleset", value),
            }
        }
    }

    /// `[reason: ]source->destination [flags] service nat->nat [flags] rules protocol policy from to id …`.
    fn session(&mut self, event: &mut Event<'r>, text: &'r str) {
        let Some(arrow) = text.find("->") else { return };
        let start = text[..arrow].rfind(' ').map_or(0, |at| at + 1);
        event.set_present(field::EVENT_REASON, text[..start].trim_end_matches([':', ' ']));
        let mut words = text[start..].split(' ').filter(|word| !word.is_empty() && !word.starts_with("0x")).peekable();
        ends(event, words.next().unwrap_or(""));
        let service = words.next().unwrap_or("");
        if !ecs::is_nothing(service) && service != "None" {
            event.set_named("service.name", service);
        }
        if let Some((source, destination)) = words.peek().and_then(|word| word.split_once("->")) {
            words.next();
            let (source, destination) = (endpoint(source), endpoint(destination));
            for (end, ip, port) in [
                (source, field::SOURCE_NAT_IP, field::SOURCE_NAT_PORT),
                (destination, field::DESTINATION_NAT_IP, field::DESTINATION_NAT_PORT),
            ] {
                ecs::ip_only(event, ip, end.address);
                event.set_int(port, end.port);
            }
        }
        // Names of translation rules, of one or several words, up to the protocol.
        let protocol = words
            .by_ref()
            .take(12)
            .map(text::digits)
            .find(|(digits, rest)| !digits.is_empty() && digits.len() <= 3 && (rest.is_empty() || rest.starts_with('(')));
        let Some((protocol, _)) = protocol else { return };
        net::transport(event, protocol);
        event.set_present(field::RULE_NAME, words.next().unwrap_or(""));
        event.set_present(field::OBSERVER_INGRESS_ZONE, words.next().unwrap_or(""));
        event.set_present(field::OBSERVER_EGRESS_ZONE, words.next().unwrap_or(""));
        let mut counts = 0;
        let mut previous = "";
        for word in words {
            let (first, rest) = text::digits(word);
            if let Some(bytes) =
                rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).filter(|_| !first.is_empty() && counts < 2)
            {
                let (packets, size) = match counts {
                    0 => (field::SOURCE_PACKETS, field::SOURCE_BYTES),
                    _ => (field::DESTINATION_PACKETS, field::DESTINATION_BYTES),
                };
                event.set_int(packets, first);
                event.set_int(size, bytes);
                counts += 1;
            } else if counts == 2 {
                if let Some(nanos) = text::seconds_to_nanos(word) {
                    event.set(field::EVENT_DURATION, nanos);
                }
                counts = 3;
            } else if previous.ends_with(')') && previous.contains('(') && !previous.starts_with(|c: char| c.is_ascii_digit()) {
                // The interface stands behind `user(roles)`.
                let user = previous.split('(').next().unwrap_or("");
                ecs::user(event, field::SOURCE_USER_NAME, user);
                event.set_present(field::OBSERVER_INGRESS_INTERFACE_NAME, word);
                break;
            }
            previous = word;
        }
    }

    fn finish(&self, event: &mut Event<'r>) {
        let tag = self.tag;
        event.set_present(field::EVENT_CODE, tag);
        event.set_present(field::RULE_NAME, self.rulebase);
        net::set_totals(event);
        net::set_level(event);
        let starts = |words: &[&str]| words.iter().any(|word| tag.starts_with(word));
        type Meaning<'t> = (&'static str, &'static [&'static str], &'static [&'static str], &'t str);
        let (kind, categories, types, action): Meaning<'r> = match tag {
            _ if tag.contains("SESSION_CREATE") => {
                ("event", &["network", "session"], &["start", "allowed", "connection"], "flow_started")
            }
            _ if tag.contains("SESSION_CLOSE") => {
                ("event", &["network", "session"], &["end", "allowed", "connection"], "flow_close")
            }
            _ if tag.contains("SESSION_DENY") => ("event", &["network", "session"], &["denied", "connection"], "flow_deny"),
            _ if starts(&["APPTRACK_"]) => ("event", &["network"], &["allowed", "connection"], "flow_started"),
            _ if starts(&["RT_SCREEN"]) => {
                ("alert", &["network", "intrusion_detection"], &["info", "connection"], screen(self.attack))
            }
            _ if starts(&["IDP_APPDDOS"]) => {
                ("alert", &["network", "intrusion_detection"], &["info", "connection"], "application_ddos")
            }
            _ if starts(&["IDP_"]) => ("alert", &["network", "intrusion_detection"], &["info", "connection"], "security_threat"),
            _ if starts(&["AAMW_", "SECINTEL_"]) => {
                ("alert", &["network", "malware"], &["info", "connection"], "malware_detected")
            }
            _ if starts(&["AV_VIRUS", "AV_"]) && tag.contains("VIRUS") => {
                ("alert", &["network", "malware"], &["info", "connection"], "virus_detected")
            }
            _ if starts(&["WEBFILTER_"]) => ("event", &["network", "web"], &["info", "connection"], "web_filter"),
            _ if starts(&["ANTISPAM_"]) => ("event", &["network", "email"], &["info", "connection"], "antispam_filter"),
            _ if starts(&["CONTENT_FILTERING_"]) => ("event", &["network"], &["info", "connection"], "content_filter"),
            _ if starts(&["PFE_FW"]) => ("event", &["network"], &["connection"], ""),
            _ if tag.contains("LOGIN_FAILED") || tag.contains("AUTH_FAIL") => {
                ("event", &["authentication", "network"], &["info", "start"], tag)
            }
            _ if tag.contains("LOGIN") || tag.contains("AUTH_EVENT") => {
                ("event", &["authentication", "network"], &["info", "start"], tag)
            }
            _ if tag.contains("LOGOUT") => ("event", &["authentication", "network"], &["info", "end"], tag),
            _ if starts(&["UI_COMMIT", "UI_CMDLINE", "UI_CFG", "UI_DBASE", "UI_LOAD", "UI_CHILD"]) => {
                ("event", &["configuration", "network"], &["info", "change"], tag)
            }
            _ if !event.has(field::SOURCE_IP) || starts(&["KMD_", "RPD_"]) => ("event", &["network"], &["info"], tag),
            _ => ("event", &["network"], &["allowed", "connection"], tag),
        };
        ecs::classify(event, categories, types);
        event.set(field::EVENT_KIND, kind);
        event.set_present(field::EVENT_ACTION, action);
        self.verdict(event);
    }

    fn verdict(&self, event: &mut Event<'r>) {
        let action = text::lower(event, self.action);
        let tag = self.tag;
        let has = |words: &[&str]| words.iter().any(|word| action.contains(word));
        if tag.contains("LOGIN_FAILED") || tag.contains("AUTH_FAIL") {
            return ecs::failure(event);
        }
        let is_denied = has(&["drop", "block", "deny", "close", "reset"])
            || tag.contains("_BLOCKED")
            || tag.contains("_DROPPED")
            || tag.contains("DENY");
        if has(&["alarm-without-drop"]) {
            event.set(field::EVENT_TYPE, "allowed");
        } else if is_denied {
            event.set(field::EVENT_TYPE, "denied");
        } else if has(&["permit", "none", "log", "allow"]) || tag.contains("_PERMITTED") {
            event.set(field::EVENT_TYPE, "allowed");
        }
        if event.has(field::SOURCE_IP) || event.has(field::DESTINATION_IP) || tag.contains("LOGIN") {
            ecs::success(event);
        }
    }
}

/// What a screen detected, by the name of the attack.
fn screen(attack: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| attack.contains(word));
    match attack {
        _ if has(&["flood", "Flood"]) => "flood_detected",
        _ if has(&["sweep", "Sweep"]) => "sweep_detected",
        _ if has(&["scan", "Scan"]) => "scan_detected",
        _ if has(&["spoof", "Spoof"]) => "spoofing_detected",
        _ if has(&["tunnel", "Tunnel"]) => "tunneling_screen",
        _ if has(&["fragment", "Fragment"]) => "fragment_detected",
        _ if has(&["land", "Land"]) => "land_attack_detected",
        _ if has(&["winnuke", "WinNuke"]) => "winnuke_detected",
        _ if has(&["teardrop", "Teardrop"]) => "teardrop_detected",
        _ if has(&["Ping of death", "ping of death"]) => "ping_of_death_detected",
        _ if has(&["SYN", "FIN", "TCP", "flag"]) => "illegal_tcp_flag_detected",
        _ => "attack_detected",
    }
}

/// `192.0.2.1/51234->198.51.100.2/80`, with `(port)` in other messages.
fn ends<'r>(event: &mut Event<'r>, text: &'r str) {
    if let Some((source, destination)) = text.split_once("->") {
        SOURCE.set(event, endpoint(source));
        DESTINATION.set(event, endpoint(destination));
    }
}
