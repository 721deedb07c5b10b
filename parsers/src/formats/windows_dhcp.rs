//! Audit logs of the Windows DHCP server, `DhcpSrvLog-*.log` and `DhcpV6SrvLog-*.log`.
//!
//! Reference: Microsoft, "DHCP server audit logging" and the head of the files themselves, which lists the event ids and the
//! fields: `ID,Date,Time,Description,IP Address,Host Name,MAC Address,User Name,TransactionID,QResult,Probationtime,
//! CorrelationID,Dhcid,VendorClass(Hex),VendorClass(ASCII),UserClass(Hex),UserClass(ASCII),RelayAgentInformation,DnsRegError`;
//! for IPv6 `ID,Date,Time,Description,IPv6 Address,Host Name,Error Code,Duid Length,Duid Bytes(Hex),User Name,Dhcid,Subnet Prefix`.
//! Dates are month first, in the server's zone.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, csv, ecs, text, windows::dates};

const PREFIX: &str = "microsoft.dhcp.";

pub struct WindowsDhcp;

impl Parser for WindowsDhcp {
    fn name(&self) -> &'static str {
        "windows_dhcp"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(start(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some((id, rest)) = start(raw.text()) else {
            return Outcome::Unreadable("no event id and date");
        };
        let Some((stamp, rest)) = dates::read(rest, true) else {
            return Outcome::Unreadable("the date could not be read");
        };
        event.set_dataset("windows.dhcp");
        event.set(field::EVENT_KIND, "event");
        event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        event.set(field::EVENT_CODE, id);
        event.set(field::OBSERVER_VENDOR, "Microsoft");
        event.set(field::OBSERVER_PRODUCT, "DHCP Server");
        event.set(field::NETWORK_PROTOCOL, "dhcp");
        let number = id.parse().unwrap_or(0);
        classify(event, number);
        let mut fields = csv::Fields::new(rest.strip_prefix(',').unwrap_or(rest), b',').map(|field| field.raw().trim());
        let mut next = || fields.next().unwrap_or_default();
        event.set_present(field::MESSAGE, next());
        lease(event, next(), next());
        if number >= 11_000 {
            for key in ["error_code", "duid.length", "duid.hex"] {
                keep(event, key, next());
            }
            ecs::user(event, field::USER_NAME, next());
            keep(event, "dhcp_id", next());
            keep(event, "subnet_prefix", next());
        } else {
            mac(event, next());
            ecs::user(event, field::USER_NAME, next());
            for key in [
                "transaction_id",
                "result",
                "probation_time",
                "correlation_id",
                "dhc_id",
                "vendor.hex",
                "vendor.string",
                "user.hex",
                "user.string",
                "relay_agent_info",
                "dns_error_code",
            ] {
                keep(event, key, next());
            }
        }
        Outcome::Parsed
    }
}

/// `ID,MM/DD/YY,`: the id and the text from the date on.
fn start(text: &str) -> Option<(&str, &str)> {
    let (id, rest) = text::digits(text);
    let rest = rest.strip_prefix(',')?;
    let b = rest.as_bytes();
    let is = (1..=5).contains(&id.len())
        && b.len() > 18
        && b[2] == b'/'
        && b[5] == b'/'
        && b[8] == b','
        && b[11] == b':'
        && b[14] == b':'
        && b[17] == b',';
    is.then_some((id, rest))
}

fn keep<'r>(event: &mut Event<'r>, key: &'static str, value: &'r str) {
    if !value.is_empty() {
        event.set_extra(PREFIX, key, value);
    }
}

fn lease<'r>(event: &mut Event<'r>, address: &'r str, name: &'r str) {
    if let Some(ip) = ecs::ip(address) {
        event.set(field::HOST_IP, ip);
        event.set(field::RELATED_IP, ip);
        event.set(field::CLIENT_IP, ip);
    }
    if !ecs::is_nothing(name) {
        event.set(field::HOST_NAME, name);
        event.set(field::RELATED_HOSTS, name);
        if let Some((_, domain)) = name.split_once('.').filter(|(_, domain)| !domain.is_empty()) {
            event.set_named("host.domain", domain);
        }
    }
}

/// `76691ED45C90` as ECS writes it: `76-69-1E-D4-5C-90`.
fn mac<'r>(event: &mut Event<'r>, digits: &'r str) {
    if digits.len() != 12 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return keep(event, "client_id", digits);
    }
    let mut out = bumpalo::collections::String::with_capacity_in(17, event.arena());
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && at % 2 == 0 {
            out.push('-');
        }
        out.push(c.to_ascii_uppercase());
    }
    event.set(field::HOST_MAC, out.into_bump_str());
}

/// Ids up to which the row counts, action, category, types, outcome.
type Row = (u16, u16, &'static str, &'static str, &'static [&'static str], &'static str);

const EVENTS: &[Row] = &[
    (0, 0, "log-start", "process", &["start"], "success"),
    (1, 1, "log-end", "process", &["end"], "success"),
    (2, 2, "log-pause", "process", &["change"], "failure"),
    (10, 10, "dhcp-new", "network", &["connection", "start", "allowed"], "success"),
    (11, 11, "dhcp-renew", "network", &["connection", "allowed"], "success"),
    (12, 12, "dhcp-release", "network", &["connection", "end"], "success"),
    (13, 13, "dhcp-ip-in-use", "network", &["connection", "denied"], "failure"),
    (14, 14, "dhcp-pool-exhausted", "network", &["connection", "denied"], "failure"),
    (15, 15, "dhcp-deny", "network", &["connection", "denied"], "failure"),
    (16, 16, "dhcp-delete", "network", &["connection", "end"], "success"),
    (17, 18, "dhcp-expire", "network", &["connection", "end"], "success"),
    (20, 21, "bootp-new", "network", &["connection", "start", "allowed"], "success"),
    (22, 22, "bootp-pool-exhausted", "network", &["connection", "denied"], "failure"),
    (23, 23, "bootp-delete", "network", &["connection", "end"], "success"),
    (24, 24, "ip-cleanup-start", "process", &["start"], "success"),
    (25, 25, "ip-cleanup-end", "process", &["end"], "success"),
    (30, 30, "dhcp-dns-update", "network", &["connection", "start"], "unknown"),
    (31, 31, "dhcp-dns-update", "network", &["connection"], "failure"),
    (32, 32, "dhcp-dns-update", "network", &["connection", "end"], "success"),
    (33, 33, "dhcp-nap-drop", "network", &["connection", "denied"], "failure"),
    (34, 35, "dhcp-dns-update", "network", &["connection", "denied"], "failure"),
    (36, 36, "dhcp-drop", "network", &["connection", "denied"], "failure"),
    (50, 50, "rogue-unreachable-domain", "network", &["info"], "failure"),
    (51, 51, "rogue-authorized", "process", &["start", "allowed"], "success"),
    (52, 52, "rogue-upgraded", "process", &["change"], "success"),
    (53, 53, "rogue-cached-authorization", "process", &["start", "allowed"], "success"),
    (54, 54, "rogue-authorization-failed", "process", &["denied"], "failure"),
    (55, 55, "rogue-authorization-succeeded", "process", &["start", "allowed"], "success"),
    (56, 56, "rogue-authorization-failed", "process", &["denied", "end"], "failure"),
    (57, 57, "rogue-server-found", "network", &["info"], "failure"),
    (58, 61, "rogue-domain-not-found", "network", &["info"], "failure"),
    (62, 62, "rogue-server-found", "network", &["info"], "failure"),
    (63, 64, "rogue-detection", "network", &["info"], "unknown"),
    (11_000, 11_000, "dhcpv6-solicit", "network", &["connection", "protocol"], "success"),
    (11_001, 11_001, "dhcpv6-advertise", "network", &["connection", "protocol"], "success"),
    (11_002, 11_002, "dhcpv6-request", "network", &["connection", "protocol"], "success"),
    (11_003, 11_003, "dhcpv6-confirm", "network", &["connection", "protocol"], "success"),
    (11_004, 11_004, "dhcpv6-renew", "network", &["connection", "protocol"], "success"),
    (11_005, 11_005, "dhcpv6-rebind", "network", &["connection", "protocol"], "success"),
    (11_006, 11_006, "dhcpv6-decline", "network", &["connection", "protocol", "denied"], "failure"),
    (11_007, 11_007, "dhcpv6-release", "network", &["connection", "protocol", "end"], "success"),
    (11_008, 11_008, "dhcpv6-info-request", "network", &["connection", "protocol"], "success"),
    (11_009, 11_009, "dhcpv6-scope-full", "network", &["connection", "denied"], "failure"),
    (11_010, 11_010, "dhcpv6-started", "process", &["start"], "success"),
    (11_011, 11_011, "dhcpv6-stopped", "process", &["end"], "success"),
    (11_012, 11_012, "audit-log-paused", "process", &["change"], "failure"),
    (11_013, 11_013, "dhcpv6-log-file", "process", &["info"], "unknown"),
    (11_014, 11_014, "dhcpv6-bad-address", "network", &["connection", "denied"], "failure"),
    (11_015, 11_015, "dhcpv6-address-in-use", "network", &["connection", "denied"], "failure"),
    (11_016, 11_016, "dhcpv6-client-deleted", "network", &["connection", "end"], "success"),
    (11_017, 11_017, "dhcpv6-dns-record-not-deleted", "network", &["connection"], "failure"),
    (11_018, 11_018, "dhcpv6-expired", "network", &["connection", "end"], "success"),
    (11_019, 11_019, "dhcpv6-expired-deleted", "network", &["connection", "end"], "success"),
    (11_020, 11_020, "ip-cleanup-start", "process", &["start"], "success"),
    (11_021, 11_021, "ip-cleanup-end", "process", &["end"], "success"),
    (11_022, 11_022, "dns-update-request", "network", &["connection", "protocol"], "unknown"),
    (11_023, 11_023, "dns-update-failed", "network", &["connection", "protocol"], "failure"),
    (11_024, 11_024, "dns-update-successful", "network", &["connection", "protocol"], "success"),
    (11_028, 11_029, "dns-update-request-failed", "network", &["connection", "protocol"], "failure"),
    (11_030, 11_032, "dhcpv6-stateless-client", "network", &["connection", "protocol"], "success"),
];

fn classify(event: &mut Event<'_>, number: u16) {
    let Some((_, _, action, category, types, outcome)) = EVENTS.iter().find(|row| (row.0..=row.1).contains(&number)) else {
        return;
    };
    event.set(field::EVENT_ACTION, *action);
    event.set(field::EVENT_CATEGORY, *category);
    types.iter().for_each(|kind| event.set(field::EVENT_TYPE, *kind));
    event.set(field::EVENT_OUTCOME, *outcome);
}
