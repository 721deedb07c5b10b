//! ISC DHCP server `dhcpd` and ISC Kea.
//!
//! Reference: ISC DHCP source `server/dhcp.c` (`DHCPREQUEST for … from … via …`); Kea Messages Manual (`DHCP4_LEASE_ALLOC` …);
//! `server/dhcpv6.c` (`Solicit message from …`, `Sending Reply to …`); WIDE-DHCPv6 `dhcp6c` (`add an address …`).

use std::sync::LazyLock;

use event::{Event, field};

use crate::{ecs, linux::daemon::Daemon, pattern::Table, text};

pub static DHCPD: Daemon = Daemon {
    name: "dhcpd",
    programs: &["dhcpd", "dhcpd3", "dhcpd6", "isc-dhcp-server", "kea-dhcp4", "kea-dhcp6", "kea-ctrl-agent", "dhclient", "dhcp6c"],
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
                "DHCPDISCOVER from {source.mac} ‹({source.address}) ›via {.via}‹: {event.reason*}›",
                "dhcp_discover",
                NET,
                "connection protocol",
                "success",
            ),
            (
                "DHCPOFFER on {src!} to {source.mac} ‹({source.domain}) ›via {.via}",
                "dhcp_offer",
                NET,
                "connection protocol",
                "success",
            ),
            (
                "DHCPREQUEST for {src!} ({server.ip}) from {source.mac} ‹({source.domain}) ›via {.via}‹: {event.reason*}›",
                "dhcp_request",
                NET,
                "connection protocol",
                "success",
            ),
            (
                "DHCPREQUEST for {src!} from {source.mac} ‹({source.domain}) ›via {.via}‹: {event.reason*}›",
                "dhcp_request",
                NET,
                "connection protocol",
                "success",
            ),
            (
                "DHCPACK on {src!} to {source.mac} ‹({source.domain}) ›via {.via}",
                "dhcp_ack",
                NET,
                "connection protocol",
                "success",
            ),
            ("DHCPACK to {src!} ({source.mac}) via {.via}", "dhcp_ack", NET, "connection protocol", "success"),
            ("DHCPNAK on {src!} to {source.mac} via {.via}", "dhcp_nak", NET, "connection protocol denied", "failure"),
            (
                "DHCPRELEASE of {src!} from {source.mac} ‹({source.domain}) ›via {.via} ({event.reason*})",
                "dhcp_release",
                NET,
                "connection end",
                "success",
            ),
            (
                "DHCPDECLINE of {src!} from {source.mac} ‹({source.domain}) ›via {.via}{*}",
                "dhcp_decline",
                NET,
                "connection error",
                "failure",
            ),
            ("DHCPINFORM from {src!} via {.via}", "dhcp_inform", NET, "connection protocol", "success"),
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
            // DHCPv6
            (
                "Solicit message from {src} port {source.port}, transaction ID {.tid}‹, {event.reason*}›",
                "solicit_message",
                NET,
                "connection protocol",
                "",
            ),
            (
                "Request message from {src} port {source.port}, transaction ID {.tid}‹, {event.reason*}›",
                "request_message",
                NET,
                "connection protocol",
                "",
            ),
            (
                "Confirm message from {src} port {source.port}, transaction ID {.tid}‹, {event.reason*}›",
                "confirm_message",
                NET,
                "connection protocol",
                "",
            ),
            (
                "Renew message from {src} port {source.port}, transaction ID {.tid}‹, {event.reason*}›",
                "renew_message",
                NET,
                "connection protocol",
                "",
            ),
            (
                "Rebind message from {src} port {source.port}, transaction ID {.tid}‹, {event.reason*}›",
                "rebind_message",
                NET,
                "connection protocol",
                "",
            ),
            (
                "Release message from {src} port {source.port}, transaction ID {.tid}‹, {event.reason*}›",
                "release_message",
                NET,
                "connection protocol",
                "",
            ),
            (
                "Decline message from {src} port {source.port}, transaction ID {.tid}‹, {event.reason*}›",
                "decline_message",
                NET,
                "connection protocol",
                "",
            ),
            (
                "Information-request message from {src} port {source.port}, transaction ID {.tid}‹, {event.reason*}›",
                "information_request_message",
                NET,
                "connection protocol",
                "",
            ),
            ("Sending Reply to {dst} port {destination.port}", "sending_reply", NET, "connection protocol", "success"),
            ("Sending Advertise to {dst} port {destination.port}", "sending_advertise", NET, "connection protocol", "success"),
            (
                "Advertise NA: address {client.ip} to client with duid {.duid} iaid = {.iaid} valid for {.valid} seconds",
                "advertise_na",
                NET,
                "connection protocol",
                "success",
            ),
            (
                "Reply NA: address {client.ip} to client with duid {.duid} iaid = {.iaid} valid for {.valid} seconds",
                "reply_na",
                NET,
                "connection protocol",
                "success",
            ),
            ("Picking pool address {client.ip}", "picking_pool_address", NET, "info", ""),
            ("Unable to pick client address: {event.reason*}", "unable_to_pick_client_address", NET, "error", "failure"),
            ("Client {.duid} releases address {client.ip}", "release_address", NET, "connection end", "success"),
            ("add an address {host.ip}/{} on {observer.ingress.interface.name}", "add_an_address", NET, "info", "success"),
            ("remove an address {host.ip}/{} on {observer.ingress.interface.name}", "remove_an_address", NET, "info", "success"),
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

/// Words by which a message is one of DHCPv6.
fn is_v6(message: &str) -> bool {
    const HEADS: [&str; 9] = [
        "Sending ",
        "Advertise NA: ",
        "Reply NA: ",
        "Picking pool address ",
        "add an address ",
        "remove an address ",
        "Start address release",
        "status code: ",
        "Received ",
    ];
    HEADS.iter().any(|head| message.starts_with(head)) || message.contains(" message from ") && message.contains(" port 546")
}

fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    let is_kea6 = kea(message).is_some_and(|(_, id, _)| id.starts_with("DHCP6"));
    if is_kea6 || is_v6(message) {
        event.set(field::NETWORK_PROTOCOL, "dhcpv6");
        event.set(field::NETWORK_TRANSPORT, "udp");
        event.set_named("network.type", "ipv6");
    } else if message.starts_with("DHCP") || kea(message).is_some_and(|(_, id, _)| id.starts_with("DHCP4")) {
        event.set(field::NETWORK_TRANSPORT, "udp");
        event.set_named("network.type", "ipv4");
    }
    // `via eth0`, `via eth0.60: …`; an address is the relay.
    if let Some((_, via)) = message.rsplit_once(" via ") {
        let via = via.split([' ', ':', ',']).next().unwrap_or(via);
        let is_relay = ecs::ip_only(event, field::DESTINATION_IP, via);
        if !is_relay && !via.is_empty() && via.len() <= 32 {
            event.set_named("observer.ingress.interface.name", via);
        }
    }
    let Some((level, id, rest)) = kea(message) else { return message };
    event.set(field::LOG_LEVEL, text::lower(event, level));
    event.set(field::EVENT_CODE, id);
    event.set(field::EVENT_ACTION, text::lower(event, id));
    rest
}
