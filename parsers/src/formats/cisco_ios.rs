//! Cisco IOS, IOS XE, IOS XR, NX-OS and AireOS messages: `%SEC-6-IPACCESSLOGP: list 101 denied tcp …`.
//!
//! Reference: "Cisco IOS System Message Guide" and "System Message Guide for Cisco IOS XE", the NX-OS and IOS XR system message
//! references, the wireless controller's message log guide: `%FACILITY-SEVERITY-MNEMONIC: message`.
//!
//! The mnemonic decides what the text says ([`MESSAGES`]). Of other messages the parts that all of them share are read: `[user:
//! x] [Source: a]`, a host behind `from`, a user in quotes, hardware addresses. What stands before the `%` is the envelope's.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    net::{self, DESTINATION, Endpoint, SOURCE, endpoint},
    template::Template,
    text,
};

const PREFIX: &str = "cisco.ios.";

pub struct CiscoIos;

impl Parser for CiscoIos {
    fn name(&self) -> &'static str {
        "cisco_ios"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(header(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(header) = header(raw.text()) else {
            return Outcome::Unreadable("no %FACILITY-SEVERITY-MNEMONIC");
        };
        event.set_dataset("cisco.ios");
        event.set(field::OBSERVER_VENDOR, "Cisco");
        event.set(field::OBSERVER_PRODUCT, "IOS");
        event.set(field::OBSERVER_TYPE, "firewall");
        event.set(field::EVENT_PROVIDER, header.facility);
        event.set(field::EVENT_CODE, header.mnemonic);
        event.set(field::EVENT_SEVERITY, i64::from(header.severity));
        event.set(field::LOG_LEVEL, net::LEVELS[usize::from(header.severity)]);
        event.set_present(field::MESSAGE, header.message);
        read(event, &header);
        Outcome::Parsed
    }
}

struct Header<'r> {
    facility: &'r str,
    severity: u8,
    mnemonic: &'r str,
    message: &'r str,
}

/// Splits the head; six digits for a mnemonic are the mark of ASA and its relatives.
fn header(text: &str) -> Option<Header<'_>> {
    let rest = text.strip_prefix('%').filter(|rest| !rest.starts_with('%'))?;
    let len = rest.bytes().take(96).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'/')).count();
    let (head, rest) = rest.split_at(len);
    let b = head.as_bytes();
    // The last `-5-`: facilities may hold a number of a slot.
    let at = (1..b.len().saturating_sub(2))
        .rev()
        .find(|at| b[*at] == b'-' && matches!(b[at + 1], b'0'..=b'7') && b[at + 2] == b'-')?;
    let (facility, mnemonic) = (&head[..at], &head[at + 3..]);
    let is_asa = mnemonic.len() == 6 && mnemonic.bytes().all(|b| b.is_ascii_digit());
    if mnemonic.is_empty() || is_asa || !facility.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let message = rest.trim_start_matches(' ').strip_prefix(':')?.trim_start_matches(' ');
    Some(Header { facility, severity: b[at + 1] - b'0', mnemonic, message })
}

/// What kind of event a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Device,
    Access,
    Login,
    LoginFailed,
    LoggedOut,
    Session,
    Config,
    Command,
    Link,
    Denied,
    Error,
}

use Class::*;

/// (mnemonic, class, template); several templates of a mnemonic are tried in their order.
static MESSAGES: &[(&str, Class, &str)] = &[
    ("IPACCESSLOGP", Access, "list <rule> <verdict:w> <proto:w> <source:w> (<in>) -> <destination:w>, <packets:n> packet"),
    ("IPACCESSLOGP", Access, "list <rule> <verdict:w> <proto:w> <source:w> -> <destination:w>, <packets:n> packet"),
    ("IPACCESSLOGP", Access, "access-list <rule> (<_>) <verdict:w> <proto:w> <source:w> -> <destination:w>, <packets:n> packet"),
    (
        "IPACCESSLOGDP",
        Access,
        "list <rule> <verdict:w> <proto:w> <source:w> (<in>) -> <destination:w> (<icmp>), <packets:n> packet",
    ),
    ("IPACCESSLOGDP", Access, "list <rule> <verdict:w> <proto:w> <source:w> -> <destination:w> (<icmp>), <packets:n> packet"),
    (
        "IPACCESSLOGDP",
        Access,
        "access-list <rule> (<_>) <verdict:w> <proto:w> <source:w> -> <destination:w> (<icmp>), <packets:n> packet",
    ),
    ("IPACCESSLOGRP", Access, "list <rule> <verdict:w> <proto:w> <source:w> -> <destination:w>, <packets:n> packet"),
    ("IPACCESSLOGSP", Access, "list <rule> <verdict:w> <proto:w> <source:w> -> <destination:w> (<icmp>), <packets:n> packet"),
    ("IPACCESSLOGNP", Access, "list <rule> <verdict:w> <proto:w> <source:w> -> <destination:w>, <packets:n> packet"),
    ("IPACCESSLOGNP", Access, "access-list <rule> (<_>) <verdict:w> <proto:w> <source:w> -> <destination:w>, <packets:n> packet"),
    ("IPACCESSLOGS", Access, "list <rule> <verdict:w> <source:w> <packets:n> packet"),
    ("ACCESSLOGP", Access, "list <rule> <verdict:w> <proto:w> <source:w> -> <destination:w>, <packets:n> packet"),
    ("ACCESSLOGDP", Access, "list <rule> <verdict:w> <proto:w> <source:w> -> <destination:w> (<icmp>), <packets:n> packet"),
    ("ACCESSLOGSP", Access, "list <rule> <verdict:w> <proto:w> <source:w> -> <destination:w>, <packets:n> packet"),
    ("ACCESSLOGNP", Access, "list <rule> <verdict:w> <proto:w> <source:w> -> <destination:w>, <packets:n> packet"),
    (
        "ACLLOG_FLOW_INTERVAL",
        Access,
        "[Source IP: ][Src IP: ]<source>, [Destination IP: ][Dst IP: ]<destination>, [Source Port: ][Src Port: ]<source_port:n>, [Destination Port: ][Dst Port: ]<destination_port:n>, [Source Interface: ][Src Intf: ]<in>, Protocol: \"<proto>\"(<_>), [ACL Name: <rule>, ACE Action: <verdict:w>, ]",
    ),
    (
        "DROP_PKT",
        Denied,
        "Dropping <proto:w> session <source:w> <destination:w> on zone-pair <rule> class <_> due to <reason> with ip ident",
    ),
    ("DROP_PKT", Denied, "Dropping <proto:w> session <source:w> <destination:w> <reason>"),
    ("SESS_AUDIT_TRAIL_START", Session, "<_>Start <protocol:w> session: initiator (<source>) -- responder (<destination>)"),
    (
        "SESS_AUDIT_TRAIL",
        Session,
        "<_>Stop <protocol:w> session: initiator (<source>) sent <source_bytes:n> bytes -- responder (<destination>) sent <destination_bytes:n> bytes",
    ),
    ("SIGNATURE", Denied, "Sig:<rule_id:n> Subsig:<_> Sev:<_> <rule> \\[<source> -> <destination>\\]"),
    ("LOGIN_SUCCESS", Login, ""),
    ("LOGIN_FAILED", LoginFailed, ""),
    ("QUIET_MODE_ON", LoginFailed, ""),
    ("WEBLOGIN_SUCCESS", Login, "Login Success from host <source> by user '<user>'"),
    ("LOGIN_AUTHENTICATION_FAILED", LoginFailed, ""),
    ("AUTHENTICATION_FAILED", LoginFailed, "[<_>: ][<process>: ]Authentication failure from <source> for <protocol>."),
    (
        "AUTH_PASSED",
        Login,
        "[<_>: ][<process>: ]User '<user>' authenticated successfully from <source>[ and was authorized for <_>] for <protocol>.",
    ),
    ("AUTH_PASSED", Login, "[<_>: ][<process>: ]User '<user>' authenticated successfully from <source>"),
    ("AUTHORIZATION_FAILED", LoginFailed, "User '<user>' from <source> was not authorized for <protocol>"),
    ("PRIV_AUTH_FAIL", LoginFailed, "Authentication to privilege level <privilege:n> failed by <user> on <_> (<source>)"),
    ("PRIV_AUTH_PASS", Login, "Privilege level set to <privilege:n> by <user> on <_> (<source>)"),
    ("AAA_AUTH_ADMIN_USER", Login, "[<_> ]Authentication succeeded for admin user '<user>' on <source>"),
    ("SSH2_USERAUTH", Login, "User '<user>' authentication for SSH2 Session from <source> (tty = <_>) using <_>' <result:w>"),
    ("SSH2_SESSION", Session, "SSH2 Session request from <source> (tty = <_>) using <_>' <result:w>"),
    ("SSH2_CLOSE", LoggedOut, "SSH2 Session from <source> (tty = <_>) for user '<user>' using <_> closed"),
    ("SSH_USERAUTH", Login, "User '<user>' authentication for SSH Session from <source> (tty = <_>) using <_>' <result:w>"),
    ("SSH_CLOSE", LoggedOut, "SSH Session from <source> (tty = <_>) for user '<user>' using <_> closed"),
    ("LOGOUT", LoggedOut, "User <user> has exited tty session <_>(<source>)"),
    ("TTY_EXPIRE_TIMER", LoggedOut, "(exec timer expired, tty <_> (<source>)), user <user>"),
    ("AUTHFAIL", LoginFailed, "Authentication failure for SNMP req from host <source>"),
    ("CONFIG_I", Config, "Configured from <_> by <user:w> on <_> (<source>)"),
    ("CONFIG_I", Config, "Configured from <_> by <user:w> on <_>"),
    ("CONFIG_I", Config, "Configured from <_> by <_:w> (<source>)"),
    ("CONFIG_I", Config, "Configured from <_> by <user:w>"),
    ("CONFIG_P", Config, "Configured programmatically by process <process:w> from <_> as <user:w> on <_>"),
    ("VSHD_SYSLOG_CONFIG_I", Config, "Configured from <_> by <user:w> on <source>@<_>"),
    ("VSHD_SYSLOG_CONFIG_I", Config, "Configured from <_> by <user:w> on <_>"),
    ("CFGLOG_LOGGEDCMD", Command, "User:<user> logged command:<command>"),
    ("CFGLOG_LOGGEDCMD", Command, "User:<user>[@<_>] logged command:<command>"),
    ("ACCTLOCAL", Command, "Username: <user> Privilege level: <privilege:n> Command: <command>"),
    ("CONFIG_RESOLVE_FAILURE", Error, "System config parse from (<url>) failed"),
    ("LOGGINGHOST_STARTSTOP", Device, "Logging to host <destination:w> port <destination_port:n> <_>"),
    ("LOGGINGHOST_STARTSTOP", Device, "Logging to host <destination:w> <_>"),
    ("LOGGINGHOST_FAIL", Error, "Logging to host <destination:w> port <destination_port:n> failed"),
    ("LOGGINGHOST_FAIL", Error, "Logging to host <destination:w> failed"),
    ("UPDOWN", Link, "Line protocol on Interface <in:w>, changed state to <action:w>"),
    ("UPDOWN", Link, "Interface <in:w>, changed state to <action:w>"),
    ("CHANGED", Link, "Interface <in:w>, changed state to <action>"),
    ("IF_UP", Link, "Interface <in:w> is up"),
    ("IF_DOWN", Link, "Interface <in:w> is down"),
    ("ADJCHANGE", Link, "neighbor <source:w> <action:w>[ <reason>]"),
    ("ADJCHG", Link, "Process <_>, Nbr <source:w> on <in:w> from <_> to <action:w>, <reason>"),
    ("NBRCHANGE", Link, "<_>: Neighbor <source:w> (<in>) is <action:w>: <reason>"),
    ("PSECURE_VIOLATION", Denied, "Security violation occurred, caused by MAC address <source_mac:w> on port <in>."),
    ("PSECURE_VIOLATION_VLAN", Denied, "Security violation on port <in:w> due to MAC address <source_mac:w> on VLAN <vlan:n>"),
    ("ERR_DISABLE", Denied, "<reason> error detected on <in:w>, putting <_> in err-disable state"),
    ("MACFLAP_NOTIF", Device, "Host <source_mac:w> in vlan <vlan:n> is flapping between port <in:w> and port <out:w>"),
    ("DUPADDR", Denied, "Duplicate address <source:w> on <in:w>, sourced by <source_mac>"),
    ("STCKYARPOVR", Denied, "Attempt to overwrite Sticky ARP entry: <source>, hw: <source_mac:w> by hw: <_>"),
    ("BLOCK_BPDUGUARD", Denied, "Received BPDU from bridge <source_mac:w> on port <in:w> with"),
    ("BLOCK_BPDUGUARD", Denied, "Received BPDU on port <in:w> with"),
    ("LOOPGUARD_BLOCK", Denied, "Loop guard blocking port <in:w> on VLAN<vlan:n>"),
    ("DHCP_SNOOPING_UNTRUSTED_PORT", Denied, "<_> message type: <_>, MAC sa: <source_mac>"),
    ("DHCP_SNOOPING_MATCH_MAC_FAIL", Denied, "<_> message type: <_>, chaddr: <_>, MAC sa: <source_mac>"),
    (
        "INVALID_ARP",
        Denied,
        "<_> Invalid ARPs (<_>) on <in:w>, vlan <vlan:n>.(\\[<source_mac>/<source>/<_>/<destination>/<_>\\])",
    ),
    (
        "DHCP_SNOOPING_DENY",
        Denied,
        "<_> Invalid ARPs (<_>) on <in:w>, vlan <vlan:n>.(\\[<source_mac>/<source>/<_>/<destination>/<_>\\])",
    ),
    ("FAIL", LoginFailed, "Authentication failed for client (<source_mac>) on Interface <in:w>"),
    ("FAIL", LoginFailed, "Authorization failed or unapplied for client (<source_mac>) on Interface <in:w>"),
    ("SUCCESS", Login, "Authentication successful for client (<source_mac>) on Interface <in:w>"),
    ("SUCCESS", Login, "Authorization succeeded for client (<source_mac>) on Interface <in:w>"),
    ("START", Device, "Starting '<protocol>' for client (<source_mac>) on Interface <in:w>"),
    ("INVALID_RP_JOIN", Denied, "Received (<_>) Join from <source:w> for invalid RP <destination:w>"),
    (
        "ARP_ORPHANPKT_DETECTED",
        Denied,
        "<_>(Target MAC Address) \\[<source_mac>, <_>\\] <reason>(Source IP Address) <source>/TPA(Destination IP Address) <destination:w>",
    ),
    ("ENTRY_CREATED", Device, "[<_> ]Entry created A=<source:w> V=<vlan:w> I=<in:w> P=<_:w> M=<source_mac:w>"),
    ("ENTRY_CREATED", Device, "[<_> ]Entry created A=<source:w> V=<vlan:w> I=<in:w>"),
    ("ENTRY_DELETED", Device, "[<_> ]Entry deleted A=<source:w> V=<vlan:w> I=<in:w> P=<_:w> M=<source_mac:w>"),
    ("ENTRY_DELETED", Device, "[<_> ]Entry deleted A=<source:w> V=<vlan:w> I=<in:w>"),
    ("ENTRY_CHANGED", Device, "[<_> ]Entry changed A=<source:w> V=<vlan:w> I=<in:w> P=<_:w> M=<source_mac:w>"),
    ("USER_NAME_DELETED", Device, "[<_> ]Username entry (<user>) is deleted for mobile <source_mac:w>"),
    ("USER_NAME_CREATED", Device, "[<_> ]Username entry (<user>) with length (<_>) created for mobile <source_mac:w>"),
    ("Q_IND", Device, "[<_> ]Username entry (<user>) with length (<_>) created for mobile <source_mac:w>"),
    ("Q_IND", Device, "[<_> ]Username entry (<user>) is deleted for mobile <source_mac:w>"),
    ("ABORT_AUTH", LoginFailed, "[<_> ]Authentication Aborted for client <source_mac:w> Abort Reason:<reason>"),
    ("IKMP_MODE_FAILURE", Error, "Processing of <_> failed with peer at <source>"),
    (
        "RECVD_PKT_INV_SPI",
        Error,
        "decaps: rec'd IPSEC packet has invalid spi for destaddr=<destination>, prot=<_>, spi=<_>, srcaddr=<source>",
    ),
    (
        "RECVD_PKT_NOT_IPSEC",
        Error,
        "Rec'd packet not an IPSEC packet. (ip) vrf/dest_addr= /<destination>, src_addr= <source>, prot= <_>",
    ),
    ("SESSION_STATUS", Link, "Crypto tunnel is <action:w>. Peer <source>:<_>"),
];

#[derive(Clone, Copy)]
enum Slot {
    Source,
    Destination,
    SourcePort,
    DestinationPort,
    SourceMac,
    SourceBytes,
    DestinationBytes,
    User,
    Rule,
    RuleId,
    Verdict,
    Proto,
    Protocol,
    In,
    Out,
    Packets,
    Icmp,
    Reason,
    Action,
    Result,
    Command,
    Process,
    Url,
    Vlan,
    Privilege,
}

fn slot(name: &str) -> Option<Slot> {
    Some(match name {
        "source" => Slot::Source,
        "destination" => Slot::Destination,
        "source_port" => Slot::SourcePort,
        "destination_port" => Slot::DestinationPort,
        "source_mac" => Slot::SourceMac,
        "source_bytes" => Slot::SourceBytes,
        "destination_bytes" => Slot::DestinationBytes,
        "user" => Slot::User,
        "rule" => Slot::Rule,
        "rule_id" => Slot::RuleId,
        "verdict" => Slot::Verdict,
        "proto" => Slot::Proto,
        "protocol" => Slot::Protocol,
        "in" => Slot::In,
        "out" => Slot::Out,
        "packets" => Slot::Packets,
        "icmp" => Slot::Icmp,
        "reason" => Slot::Reason,
        "action" => Slot::Action,
        "result" => Slot::Result,
        "command" => Slot::Command,
        "process" => Slot::Process,
        "url" => Slot::Url,
        "vlan" => Slot::Vlan,
        "privilege" => Slot::Privilege,
        _ => return None,
    })
}

type Entry = (&'static str, Class, Option<Template<Slot>>);

static TEMPLATES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut entries: Vec<Entry> = MESSAGES
        .iter()
        .map(|(mnemonic, class, text)| {
            (*mnemonic, *class, Some(*text).filter(|text| !text.is_empty()).and_then(|text| Template::new(text, &slot).ok()))
        })
        .collect();
    entries.sort_by_key(|(mnemonic, _, _)| *mnemonic);
    entries
});

fn entries(mnemonic: &str) -> &'static [Entry] {
    let start = TEMPLATES.partition_point(|(known, _, _)| *known < mnemonic);
    let len = TEMPLATES[start..].partition_point(|(known, _, _)| *known == mnemonic);
    &TEMPLATES[start..start + len]
}

#[derive(Default)]
struct Facts<'r> {
    verdict: &'r str,
    action: &'r str,
    failed: bool,
}

fn read<'r>(event: &mut Event<'r>, header: &Header<'r>) {
    let entries = entries(header.mnemonic);
    let mut facts = Facts::default();
    let found = entries.iter().find_map(|(_, class, template)| Some((*class, template.as_ref()?.read(header.message)?)));
    let class = match found {
        Some((class, captures)) => {
            captures.iter().for_each(|(slot, value)| facts.set(event, slot, value));
            class
        }
        None => {
            facts.guess(event, header.message);
            entries.first().map_or_else(|| class_of(header), |(_, class, _)| *class)
        }
    };
    net::set_type(event);
    facts.classify(event, class, header);
}

/// What an unlisted mnemonic is by its facility and words.
fn class_of(header: &Header<'_>) -> Class {
    let has = |word: &str| header.message.contains(word);
    match header.facility {
        "AUTHPRIV" | "AAA" | "SEC_LOGIN" | "DAEMON" | "DMI" if has("uthentication fail") || has("ailed") => LoginFailed,
        "AUTHPRIV" | "SEC_LOGIN" if has("ccepted") || has("uccess") => Login,
        "PARSER" => Command,
        "UC_AUDITLOG" => Config,
        _ => Device,
    }
}

impl<'r> Facts<'r> {
    fn set(&mut self, event: &mut Event<'r>, slot: Slot, value: &'r str) {
        match slot {
            Slot::Source => SOURCE.set(event, plain(endpoint(value))),
            Slot::Destination => DESTINATION.set(event, plain(endpoint(value))),
            Slot::SourcePort => drop(event.set_int(field::SOURCE_PORT, value)),
            Slot::DestinationPort => drop(event.set_int(field::DESTINATION_PORT, value)),
            Slot::SourceMac => mac(event, value),
            Slot::SourceBytes => drop(event.set_int(field::SOURCE_BYTES, value)),
            Slot::DestinationBytes => drop(event.set_int(field::DESTINATION_BYTES, value)),
            Slot::User => net::account(event, value),
            Slot::Rule => event.set(field::RULE_NAME, value),
            Slot::RuleId => event.set(field::RULE_ID, value),
            Slot::Verdict => self.verdict = value,
            Slot::Proto => net::transport(event, text::lower(event, value)),
            Slot::Protocol => event.set(field::NETWORK_PROTOCOL, text::lower(event, value)),
            // An interface, and with some options the hardware address behind it.
            Slot::In => {
                let (interface, rest) = text::word(value);
                event.set(field::OBSERVER_INGRESS_INTERFACE_NAME, interface.trim_end_matches(['.', ',']));
                if !rest.is_empty() {
                    mac(event, rest);
                }
            }
            Slot::Out => event.set(field::OBSERVER_EGRESS_INTERFACE_NAME, value.trim_end_matches('.')),
            Slot::Packets => {
                event.set_int(field::NETWORK_PACKETS, value);
                event.set_int(field::SOURCE_PACKETS, value);
            }
            Slot::Icmp => {
                let (kind, code) = value.split_once('/').unwrap_or((value, ""));
                event.set_extra("", "icmp.type", kind);
                if !code.is_empty() {
                    event.set_extra("", "icmp.code", code);
                }
            }
            Slot::Reason => event.set(field::EVENT_REASON, value.trim_end_matches('.')),
            Slot::Action => self.action = value.trim_end_matches(['.', ',']),
            Slot::Result => self.failed = value.starts_with("Fail"),
            Slot::Command => event.set(field::PROCESS_COMMAND_LINE, value),
            Slot::Process => event.set(field::PROCESS_NAME, value),
            Slot::Url => crate::web::url(event, value),
            Slot::Vlan => event.set_extra("", "network.vlan.id", value),
            Slot::Privilege => event.set_extra(PREFIX, "privilege", value),
        }
    }

    /// What messages share, for those that are not listed.
    fn guess(&mut self, event: &mut Event<'r>, message: &'r str) {
        let mut rest = message;
        while let Some((_, after)) = rest.split_once('[') {
            let Some((inside, next)) = after.split_once(']') else { break };
            rest = next;
            let Some((key, value)) = inside.split_once([':', '=']).map(|(key, value)| (key.trim(), value.trim())) else {
                continue;
            };
            match key {
                "user" | "UserID" => net::account(event, value),
                "Source" | "ClientAddress" => drop(ecs::ip_only(event, field::SOURCE_IP, value)),
                "localport" => drop(event.set_int(field::DESTINATION_PORT, value)),
                "Reason" => event.set_present(field::EVENT_REASON, value),
                "EventType" => self.action = value,
                "EventStatus" => self.failed = value.starts_with("Fail"),
                _ => {}
            }
        }
        if !event.has(field::SOURCE_IP) {
            let peer = ["from host ", " from ", "peer at ", "peer ", "Peer ", " on "]
                .iter()
                .filter_map(|mark| message.split_once(mark))
                .map(|(_, after)| endpoint(after.split([' ', ',']).next().unwrap_or("").trim_end_matches(['.', ':'])))
                .find(|end| ecs::ip(end.address).is_some());
            if let Some(end) = peer {
                SOURCE.set(event, plain(end));
            }
        }
        if !event.has(field::USER_NAME) {
            for mark in ["user '", "User '", "username ", "user "] {
                if let Some((_, after)) = message.split_once(mark) {
                    let end = after.find(['\'', ' ', ',']).unwrap_or(after.len());
                    if mark.ends_with('\'') || after[end..].starts_with(" from") {
                        net::account(event, &after[..end]);
                        break;
                    }
                }
            }
        }
        for mark in ["client ", "mobile ", "Client not found: ", "station ", "MAC address "] {
            if let Some((_, after)) = message.split_once(mark) {
                mac(event, after.trim_start_matches(['(', ' ']).split([' ', ',', ')']).next().unwrap_or(""));
            }
        }
    }

    fn classify(&self, event: &mut Event<'r>, class: Class, header: &Header<'r>) {
        type Meaning = (&'static [&'static str], &'static [&'static str], Option<&'static str>);
        let (categories, types, outcome): Meaning = match class {
            Device | Link => (&["network", "host"], &["info"], None),
            Access => (&["network"], &["info", "connection"], None),
            Denied => (&["network", "host"], &["info", "denied"], Some("failure")),
            Error => (&["network", "configuration", "host"], &["info", "error"], Some("failure")),
            Login => (&["authentication", "network"], &["info", "start"], Some("success")),
            LoginFailed => (&["authentication", "network"], &["info", "start"], Some("failure")),
            LoggedOut => (&["authentication", "session", "network"], &["info", "end"], None),
            Session => (&["network", "session"], &["info", "connection"], None),
            Config => (&["configuration", "network"], &["info", "change"], None),
            Command => (&["configuration", "process", "network"], &["info", "change"], None),
        };
        ecs::classify(event, categories, types);
        let action = match self.verdict {
            "denied" | "deny" | "Deny" => {
                event.set(field::EVENT_TYPE, "denied");
                "deny"
            }
            "permitted" | "permit" | "Permit" => {
                event.set(field::EVENT_TYPE, "allowed");
                "permit"
            }
            _ if !self.action.is_empty() => text::lower(event, self.action),
            _ => header.mnemonic,
        };
        event.set(field::EVENT_ACTION, action);
        let outcome = if self.failed { Some("failure") } else { outcome };
        if let Some(outcome) = outcome {
            event.set(field::EVENT_OUTCOME, outcome);
        }
    }
}

/// An end without the interface that a name with a colon would seem to be.
fn plain(end: Endpoint<'_>) -> Endpoint<'_> {
    Endpoint { interface: "", note: "", ..end }
}

/// Sets a hardware address, written with dots, colons or dashes, as `aa:bb:cc:dd:ee:ff`.
fn mac<'r>(event: &mut Event<'r>, value: &'r str) {
    let value = value.trim_matches(['(', ')', '.', ',']);
    let mut out = bumpalo::collections::String::with_capacity_in(17, event.arena());
    let mut count = 0;
    for b in value.bytes() {
        match b {
            b'.' | b':' | b'-' => continue,
            b if b.is_ascii_hexdigit() && count < 12 => {
                if count > 0 && count % 2 == 0 {
                    out.push(':');
                }
                out.push(char::from(b.to_ascii_lowercase()));
                count += 1;
            }
            _ => return,
        }
    }
    if count == 12 {
        event.set(field::SOURCE_MAC, out.into_bump_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_templates_compile() {
        for (mnemonic, _, text) in MESSAGES {
            if let Err(error) = Template::new(text, &slot) {
                panic!("{mnemonic}: {error}");
            }
        }
    }

    #[test]
    fn headers() {
        fn is(text: &str) -> Option<(&str, u8, &str)> {
            header(text).map(|header| (header.facility, header.severity, header.mnemonic))
        }
        assert_eq!(is("%SYS-5-CONFIG_I: x"), Some(("SYS", 5, "CONFIG_I")));
        assert_eq!(is("%PIM-SW1-6-INVALID_RP_JOIN: x"), Some(("PIM-SW1", 6, "INVALID_RP_JOIN")));
        assert_eq!(is("%MGBL-NETFLOW-6-INFO_X : x"), Some(("MGBL-NETFLOW", 6, "INFO_X")));
        assert_eq!(is("%ASA-6-302013: x"), None);
        assert_eq!(is("%%01SSH/4/F(l)[1]: x"), None);
        assert_eq!(is("%SYS-5-: x"), None);
        assert_eq!(is("%-5-A: x"), None);
        assert_eq!(is("%"), None);
    }
}
