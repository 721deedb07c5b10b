//! Security events of Firepower Threat Defense (430001 to 430005) and what the Management Center writes of them (`SFIMS`):
//! `Key: value, Key: value`.
//!
//! Reference: "Cisco Secure Firewall Threat Defense Syslog Messages", chapter "Security Event Syslog Messages": the fields of
//! connection, intrusion, file and malware events.
//!
//! A value may hold `, ` and `: ` (a URL, a message of a signature): it ends only where a documented key follows.

use std::sync::LazyLock;

use event::{Event, Field, RawRecord, Value, field};

use crate::{ecs, keys::KeyTable, net, text, time};

pub const PREFIX: &str = "cisco.ftd.";

#[derive(Clone, Copy)]
enum Means {
    /// Kept under the vendor's name only.
    Keep,
    Text(Field),
    Int(Field),
    Lower(Field),
    Source,
    Destination,
    Client,
    Port(Field),
    Nat(Field),
    Protocol,
    User,
    Action,
    Time,
    Duration,
    SentBytes,
    ReceivedBytes,
    SentPackets,
    ReceivedPackets,
    Url,
    DnsType,
    DnsCode,
    Sha256,
    Message,
    Hosts,
    Inline,
}

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    let known: &[(&'static str, Means)] = &[
        ("SrcIP", Source),
        ("DstIP", Destination),
        ("InitiatorIP", Source),
        ("ResponderIP", Destination),
        ("OriginalClientIP", Client),
        ("SrcPort", Port(field::SOURCE_PORT)),
        ("DstPort", Port(field::DESTINATION_PORT)),
        ("NAT_InitiatorIP", Nat(field::SOURCE_NAT_IP)),
        ("NAT_ResponderIP", Nat(field::DESTINATION_NAT_IP)),
        ("NAT_InitiatorPort", Port(field::SOURCE_NAT_PORT)),
        ("NAT_ResponderPort", Port(field::DESTINATION_NAT_PORT)),
        ("Protocol", Protocol),
        ("User", User),
        ("UserName", User),
        ("AccessControlRuleAction", Action),
        ("FileAction", Keep),
        ("InlineResult", Inline),
        ("AccessControlRuleReason", Text(field::EVENT_REASON)),
        ("AccessControlRuleName", Text(field::RULE_NAME)),
        ("ACPolicy", Text(field::RULE_RULESET)),
        ("Policy", Text(field::RULE_RULESET)),
        ("FilePolicy", Text(field::RULE_RULESET)),
        ("SID", Text(field::RULE_ID)),
        ("Classification", Text(field::RULE_CATEGORY)),
        ("IngressInterface", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("EgressInterface", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("IngressZone", Text(field::OBSERVER_INGRESS_ZONE)),
        ("EgressZone", Text(field::OBSERVER_EGRESS_ZONE)),
        ("UserAgent", Text(field::USER_AGENT_ORIGINAL)),
        ("Client", Lower(field::NETWORK_APPLICATION)),
        ("ApplicationProtocol", Lower(field::NETWORK_PROTOCOL)),
        ("WebApplication", Keep),
        ("ConnectionDuration", Duration),
        ("FirstPacketSecond", Time),
        ("InitiatorBytes", SentBytes),
        ("ResponderBytes", ReceivedBytes),
        ("InitiatorPackets", SentPackets),
        ("ResponderPackets", ReceivedPackets),
        ("DNSQuery", Text(field::DNS_QUESTION_NAME)),
        ("DNSRecordType", DnsType),
        ("DNSResponseType", DnsCode),
        ("URL", Url),
        ("URI", Url),
        ("HTTPReferer", Text(field::HTTP_REQUEST_REFERRER)),
        ("HTTPResponse", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("HTTP_Hostname", Hosts),
        ("ReferencedHost", Hosts),
        ("SSLVersion", Text(field::TLS_VERSION)),
        ("SSLCipherSuite", Text(field::TLS_CIPHER)),
        ("FileName", Text(field::FILE_NAME)),
        ("FileSize", Int(field::FILE_SIZE)),
        ("FileSHA256", Sha256),
        ("Message", Message),
    ];
    let kept = [
        "EventPriority",
        "DeviceUUID",
        "InstanceID",
        "ConnectionID",
        "ICMPType",
        "ICMPCode",
        "IngressVRF",
        "EgressVRF",
        "Prefilter Policy",
        "ClientVersion",
        "NAPPolicy",
        "DNS_TTL",
        "DNSSICategory",
        "DNS_Sinkhole",
        "URLCategory",
        "URLReputation",
        "URLSICategory",
        "URL_SI_Category",
        "IPReputationSICategory",
        "SecIntMatchingIP",
        "NetBIOSDomain",
        "SSLPolicy",
        "SSLRuleName",
        "SSLFlowStatus",
        "SSLServerName",
        "SSLServerCertStatus",
        "SSLSessionID",
        "SSLTicketID",
        "SSLURLCategory",
        "SSLActualAction",
        "SSLExpectedAction",
        "SSLCertificate",
        "SSLCertFingerprint",
        "TLSFingerprint",
        "SHA_Disposition",
        "SperoDisposition",
        "ThreatName",
        "ThreatScore",
        "FileType",
        "FileDirection",
        "FileCount",
        "FileStorageStatus",
        "FileSandboxStatus",
        "FileStaticAnalysisStatus",
        "ArchiveDepth",
        "ArchiveFileName",
        "ArchiveFileStatus",
        "ArchiveSHA256",
        "Priority",
        "GID",
        "Revision",
        "Priority",
        "IntrusionPolicy",
        "IPSCount",
        "Endpoint Profile",
        "EndpointProfile",
        "TCPFlags",
        "VLAN_ID",
        "MPLS_Label",
        "Tunnel",
        "TunnelOrPrefilterRule",
        "ConnectType",
        "DE",
        "Impact",
        "NumIOC",
        "XFF",
        "EncryptPeerIP",
        "DecryptPeerIP",
        "VPN_Action",
        "ClientAppDetector",
        "HTTP_URI",
        "SourceSecurityGroup",
        "SourceSecurityGroupTag",
        "SourceSecurityGroupType",
        "DestinationSecurityGroup",
        "DestinationSecurityGroupTag",
        "DestinationSecurityGroupType",
        "DestinationIP_DynamicAttribute",
        "SourceIP_DynamicAttribute",
        "Sinkhole",
        "SrcHostName",
        "DstHostName",
        "EventId",
        "InitiatorCountry",
        "ResponderCountry",
        "MitreAttackGroups",
        "SnortRuleGroups",
        "EncryptedVisibilityProcessName",
        "EncryptedVisibilityFingerprint",
        "EncryptedVisibilityConfidenceScore",
        "EncryptedVisibilityThreatConfidence",
        "EncryptedVisibilityThreatConfidenceScore",
        "FirstPacketTime",
        "LastPacketSecond",
        "Rule Message",
        "URLReputationScore",
        "Context",
        "SIMatchingIP",
        "Original Client Country",
        "DnsQuery",
        "Security Group",
        "Device",
    ];
    let all: Vec<_> = known.iter().copied().chain(kept.iter().map(|name| (*name, Keep))).collect();
    KeyTable::new(&all)
});

/// The longest key.
const KEY_BYTES_MAX: usize = 44;

/// Iterates over `Key: value` pairs.
struct Pairs<'r> {
    rest: &'r str,
}

impl<'r> Iterator for Pairs<'r> {
    type Item = (&'r str, &'r str);

    fn next(&mut self) -> Option<(&'r str, &'r str)> {
        let (key, after) = key(self.rest)?;
        let b = after.as_bytes();
        let mut from = 0;
        while let Some(at) = memchr::memchr(b',', &b[from..]).map(|at| from + at) {
            let next = after[at + 1..].trim_start_matches(' ');
            if is_known(next) {
                self.rest = next;
                return Some((key, after[..at].trim()));
            }
            from = at + 1;
        }
        self.rest = "";
        Some((key, after.trim().trim_end_matches([',', ' '])))
    }
}

/// The key at the start, and what follows its colon.
fn key(text: &str) -> Option<(&str, &str)> {
    let head = &text.as_bytes()[..text.len().min(KEY_BYTES_MAX + 1)];
    let at = memchr::memchr(b':', head)?;
    let key = text[..at].trim();
    let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b' ' | b'-'));
    is_key.then(|| (key, &text[at + 1..]))
}

/// Says whether a pair of a documented key, or of one that looks like them, begins here.
fn is_known(text: &str) -> bool {
    let Some((key, after)) = key(text) else { return false };
    (after.is_empty() || after.starts_with(' '))
        && (KEYS.get(key).is_some()
            || (!key.contains(' ') && key.len() > 5 && key.bytes().filter(u8::is_ascii_uppercase).count() > 1))
}

/// Says whether a text is such an event.
pub fn is_event(text: &str) -> bool {
    is_known(text)
}

#[derive(Default)]
struct Line<'r> {
    action: &'r str,
    inline: &'r str,
    start: Option<i64>,
    sent: [Option<i64>; 2],
    received: [Option<i64>; 2],
}

/// Sets the fields of a security event; `number` is its message number, 0 where the Management Center writes it.
pub fn set<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str, number: u32) {
    let mut line = Line::default();
    for (key, value) in (Pairs { rest: text }) {
        let means = KEYS.get(key);
        event.set_extra(PREFIX, snake(event, key), value);
        if let Some(means) = means.filter(|_| !ecs::is_nothing(value)) {
            field_of(raw, event, &mut line, means, value);
        }
    }
    line.finish(event, number);
}

/// `AccessControlRuleName` → `access_control_rule_name`, `Prefilter Policy` → `prefilter_policy`.
fn snake<'r>(event: &Event<'r>, key: &str) -> &'r str {
    let mut out = bumpalo::collections::String::with_capacity_in(key.len() + 8, event.arena());
    let b = key.as_bytes();
    for (at, byte) in b.iter().enumerate() {
        let is_start = byte.is_ascii_uppercase()
            && at > 0
            && (b[at - 1].is_ascii_lowercase()
                || (b[at - 1].is_ascii_uppercase() && b.get(at + 1).is_some_and(u8::is_ascii_lowercase)));
        if is_start {
            out.push('_');
        }
        out.push(match byte {
            b' ' | b'-' => '_',
            byte => char::from(byte.to_ascii_lowercase()),
        });
    }
    out.into_bump_str()
}

fn field_of<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, line: &mut Line<'r>, means: Means, value: &'r str) {
    let number = || value.parse::<i64>().ok();
    match means {
        Means::Keep => {}
        Means::Text(field) => event.set(field, value),
        Means::Int(field) | Means::Port(field) => drop(event.set_int(field, value)),
        Means::Lower(field) => event.set(field, text::lower(event, value)),
        Means::Source => ecs::source(event, value),
        Means::Destination => ecs::destination(event, value),
        Means::Client => {
            if ecs::ip(value).is_some_and(|ip| !ip.is_unspecified()) {
                ecs::ip_only(event, field::CLIENT_IP, value);
            }
        }
        Means::Nat(field) => {
            if ecs::ip(value).is_some_and(|ip| !ip.is_unspecified()) {
                ecs::ip_only(event, field, value);
            }
        }
        Means::Protocol => net::transport(event, value),
        Means::User => {
            if !matches!(value, "No Authentication Required" | "Unknown" | "No Authentication" | "Not Applicable") {
                event.set(field::USER_ID, value);
                net::account(event, value);
            }
        }
        Means::Action => line.action = value,
        Means::Inline => line.inline = value,
        Means::Time => {
            if let Some(time) = time::any(value, raw) {
                line.start = Some(time);
                event.set(field::EVENT_START, Value::Time(time));
                // Lines without an envelope say no other time.
                if !event.has(field::TIMESTAMP) {
                    event.set(field::TIMESTAMP, Value::Time(time));
                }
            }
        }
        Means::Duration => {
            if let Some(nanos) = text::seconds_to_nanos(value) {
                event.set(field::EVENT_DURATION, nanos);
            }
        }
        Means::SentBytes => line.sent[0] = number(),
        Means::SentPackets => line.sent[1] = number(),
        Means::ReceivedBytes => line.received[0] = number(),
        Means::ReceivedPackets => line.received[1] = number(),
        Means::Url => crate::web::url(event, value),
        Means::DnsType => event.set(field::DNS_QUESTION_TYPE, dns_type(value)),
        Means::DnsCode => event.set(field::DNS_RESPONSE_CODE, dns_code(value)),
        Means::Sha256 => {
            event.set(field::FILE_HASH_SHA256, value);
            event.set(field::RELATED_HASH, value);
        }
        Means::Message => event.set(field::MESSAGE, value.trim_matches('"')),
        Means::Hosts => event.set(field::RELATED_HOSTS, value),
    }
}

/// Firepower writes the sentences of the DNS standards; ECS wants the mnemonics.
fn dns_type(value: &str) -> &str {
    match value {
        "a host address" => "A",
        "ip6 address" | "IP6 Address" => "AAAA",
        "text strings" => "TXT",
        "a domain name pointer" => "PTR",
        "an authoritative name server" => "NS",
        "the canonical name for an alias" => "CNAME",
        "marks the start of a zone of authority" => "SOA",
        "mail exchange" => "MX",
        "server selection" | "Server Selection" => "SRV",
        "a request for all records the server/cache has available"
        | "A request for some or all records the server has available" => "ANY",
        value => value,
    }
}

fn dns_code(value: &str) -> &str {
    match value {
        "No error" | "No Error" => "NOERROR",
        "Format Error" => "FORMERR",
        "Server Failure" => "SERVFAIL",
        "Non-Existent Domain" => "NXDOMAIN",
        "Not Implemented" => "NOTIMP",
        "Query Refused" => "REFUSED",
        value => value,
    }
}

impl<'r> Line<'r> {
    fn finish(&self, event: &mut Event<'r>, number: u32) {
        let sides = [
            (0, field::SOURCE_BYTES, field::DESTINATION_BYTES, field::NETWORK_BYTES),
            (1, field::SOURCE_PACKETS, field::DESTINATION_PACKETS, field::NETWORK_PACKETS),
        ];
        for (at, sent, received, total) in sides {
            if let Some(count) = self.sent[at] {
                event.set(sent, count);
            }
            if let Some(count) = self.received[at] {
                event.set(received, count);
            }
            if let (Some(a), Some(b)) = (self.sent[at], self.received[at]) {
                event.set(total, a.saturating_add(b));
            }
        }
        // A name was asked and nothing is said of an error.
        if event.has(field::DNS_QUESTION_NAME) && !event.has(field::DNS_RESPONSE_CODE) {
            event.set(field::DNS_RESPONSE_CODE, "NOERROR");
        }
        let (kind, action, categories, types): (_, _, &[&'static str], &[&'static str]) = match number {
            430001 => ("alert", "intrusion-detected", &["intrusion_detection"], &["info"]),
            430004 => ("event", "file-detected", &["file"], &["info"]),
            430005 => ("alert", "malware-detected", &["malware", "file"], &["info"]),
            430002 => ("event", "connection-started", &["network"], &["connection", "start"]),
            _ => ("event", "connection-finished", &["network"], &["connection", "end"]),
        };
        ecs::classify(event, categories, types);
        event.set(field::EVENT_KIND, kind);
        event.set(field::EVENT_ACTION, action);
        let word = |text: &str, words: &[&str]| words.iter().any(|word| text.starts_with(word));
        if word(self.action, &["Allow", "Trust", "Fastpath", "Monitor"]) {
            event.set(field::EVENT_TYPE, "allowed");
            ecs::success(event);
        } else if word(self.action, &["Block", "Deny", "Reset", "Sinkhole", "Interactive Block"])
            || word(self.inline, &["Blocked", "Dropped"])
        {
            event.set(field::EVENT_TYPE, "denied");
            ecs::success(event);
        }
    }
}
