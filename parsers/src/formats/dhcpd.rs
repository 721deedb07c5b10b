//! ISC DHCP server `dhcpd` and ISC Kea.
//!
//! Reference: ISC DHCP source `server/dhcp.c` (`DHCPREQUEST for … from … via …`); Kea Messages Manual (`DHCP4_LEASE_ALLOC` …).

use std::sync::LazyLock;

use event::{Event, field};

use crate::{linux::daemon::Daemon, pattern::Table, text};

pub static DHCPD: Daemon = Daemon {
    name: "dhcpd",
    programs: &["dhcpd", "dhcpd3", "dhcpd6", "isc-dhcp-server", "kea-dhcp4", "kea-dhcp6", "kea-ctrl-agent", "dhclient"],
    dataset: "dhcpd.log",
    vendor: "ISC",
    product: "DHCP",
    process: "dhcpd",
    protocol: "dhcp",
    category: "network",
    action: "dhcp_message",
    table: &MESSAGES,
    is_sure,
    strip,
};

fn is_sure(message: &str) -> bool {
    const HEADS: [&str; 8] = [
        "DHCPDISCOVER from ",
        "DHCPREQUEST for ",
        "DHCPOFFER on ",
        "DHCPACK on ",
        "DHCPACK to ",
        "DHCPNAK on ",
        "DHCPRELEASE of ",
        "DHCPINFORM from ",
    ];
    HEADS.iter().any(|head| message.starts_with(head)) && message.contains(" via ") || kea(message).is_some()
}

const NET: &str = "network";

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "dhcpd.",
        &[
            (
                "DHCPDISCOVER from {source.mac} ‹({source.address}) ›via {dst}‹: {event.reason*}›",
                "dhcp_discover",
                NET,
                "connection protocol",
                "success",
            ),
            (
                "DHCPOFFER on {src!} to {source.mac} ‹({source.domain}) ›via {dst}",
                "dhcp_offer",
                NET,
                "connection protocol",
                "success",
            ),
            (
                "DHCPREQUEST for {src!} ({server.ip}) from {source.mac} ‹({source.domain}) ›via {dst}‹: {event.reason*}›",
                "dhcp_request",
                NET,
                "connection protocol",
                "success",
            ),
            (
                "DHCPREQUEST for {src!} from {source.mac} ‹({source.domain}) ›via {dst}‹: {event.reason*}›",
                "dhcp_request",
                NET,
                "connection protocol",
                "success",
            ),
            (
                "DHCPACK on {src!} to {source.mac} ‹({source.domain}) ›via {dst}",
                "dhcp_ack",
                NET,
                "connection protocol",
                "success",
            ),
            ("DHCPACK to {src!} ({source.mac}) via {dst}", "dhcp_ack", NET, "connection protocol", "success"),
            ("DHCPNAK on {src!} to {source.mac} via {dst}", "dhcp_nak", NET, "connection protocol denied", "failure"),
            (
                "DHCPRELEASE of {src!} from {source.mac} ‹({source.domain}) ›via {dst} ({event.reason*})",
                "dhcp_release",
                NET,
                "connection end",
                "success",
            ),
            (
                "DHCPDECLINE of {src!} from {source.mac} ‹({source.domain}) ›via {dst}{*}",
                "dhcp_decline",
                NET,
                "connection error",
                "failure",
            ),
            ("DHCPINFORM from {src!} via {dst}", "dhcp_inform", NET, "connection protocol", "success"),
            ("DHCPEXPIRE on {src!} to {source.mac}", "dhcp_expire", NET, "connection end", "success"),
            // dhclient
            (
                "DHCPREQUEST ‹for {client.ip} ›on {} to {dst} port {destination.port}‹ {*}›",
                "dhcp_request",
                NET,
                "connection protocol",
                "success",
            ),
            ("DHCPDISCOVER on {} to {dst} port {destination.port}‹ {*}›", "dhcp_discover", NET, "connection protocol", "success"),
            ("DHCPACK ‹of {client.ip} ›from {src}‹ {*}›", "dhcp_ack", NET, "connection protocol", "success"),
            ("bound to {client.ip} -- {*}", "dhcp_bound", NET, "connection info", "success"),
            ("uid lease {client.ip} for client {source.mac} is duplicate on {.subnet}", "dhcp_duplicate", NET, "info", ""),
            ("Wrote {.count} {*}", "dhcp_leases_written", "configuration", "info", ""),
            // Kea, behind the message id
            (
                "[hwtype={} {source.mac}], ‹cid=[{.cid}], ›tid={.tid}: lease {client.ip} {event.reason*}",
                "",
                NET,
                "connection protocol",
                "success",
            ),
            ("[hwtype={} {source.mac}], ‹cid=[{.cid}], ›tid={.tid}: {event.reason*}", "", NET, "connection protocol", ""),
        ],
    )
});

/// `INFO  [kea-dhcp4.leases/2217.140] DHCP4_LEASE_ALLOC …`.
fn kea(message: &str) -> Option<(&str, &str, &str)> {
    let (level, rest) = text::word(message);
    if !matches!(level, "INFO" | "WARN" | "ERROR" | "DEBUG" | "FATAL") {
        return None;
    }
    let (logger, rest) = text::split(rest.trim_start_matches(' ').strip_prefix('[')?, b']')?;
    let (id, rest) = text::word(rest.trim_start_matches(' '));
    let is = logger.starts_with("kea-") && id.contains('_');
    is.then_some((level, id, rest))
}

fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    let Some((level, id, rest)) = kea(message) else { return message };
    event.set(field::LOG_LEVEL, text::lower(event, level));
    event.set(field::EVENT_CODE, id);
    event.set(field::EVENT_ACTION, text::lower(event, id));
    rest
}
