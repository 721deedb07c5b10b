//! dnsmasq: DNS queries and answers, DHCP.
//!
//! Reference: dnsmasq(8), `log-queries`, `log-queries=extra`, `log-dhcp`; the log calls of `cache.c`, `rfc2131.c`.

use std::sync::LazyLock;

use event::Event;

use crate::{ecs, linux::daemon::Daemon, pattern::Table, text};

pub static DNSMASQ: Daemon = Daemon {
    name: "dnsmasq",
    programs: &["dnsmasq", "dnsmasq-dhcp", "dnsmasq-tftp", "pihole-FTL"],
    dataset: "dnsmasq.log",
    vendor: "Simon Kelley",
    product: "dnsmasq",
    process: "dnsmasq",
    protocol: "",
    category: "network",
    action: "dns_message",
    table: &MESSAGES,
    is_sure: |message| message.starts_with("query[") && message.contains(" from "),
    strip,
};

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "dnsmasq.",
        &[
            ("query[{dns.question.type}] {dns.question.name} from {src}", "dns_query", "network", "protocol info", "success"),
            ("forwarded {dns.question.name} to {dst}", "dns_forward", "network", "protocol info", "success"),
            ("reply {dns.question.name} is {.answer*}", "dns_answer", "network", "protocol info", "success"),
            ("cached {dns.question.name} is {.answer*}", "dns_answer", "network", "protocol info", "success"),
            ("cached-stale {dns.question.name} is {.answer*}", "dns_answer", "network", "protocol info", "success"),
            ("config {dns.question.name} is {.answer*}", "dns_answer", "network", "protocol info", "success"),
            ("validation {dns.question.name} is {.answer*}", "dns_validate", "network", "protocol info", ""),
            ("gravity blocked {dns.question.name} is {.answer*}", "dns_blocked", "network", "protocol denied", "success"),
            ("{.list} {dns.question.name} is {.answer*}", "dns_answer", "network", "protocol info", "success"),
            (
                "possible DNS-rebind attack detected: {dns.question.name}",
                "dns_rebind",
                "network intrusion_detection",
                "denied",
                "failure",
            ),
            (
                "DHCPDISCOVER({observer.ingress.interface.name}) ‹{client.ip} ›{source.mac}",
                "dhcp_discover",
                "network",
                "protocol start",
                "success",
            ),
            (
                "DHCPOFFER({observer.ingress.interface.name}) {client.ip} {source.mac}",
                "dhcp_offer",
                "network",
                "protocol info",
                "success",
            ),
            (
                "DHCPREQUEST({observer.ingress.interface.name}) {client.ip} {source.mac}",
                "dhcp_request",
                "network",
                "protocol info",
                "success",
            ),
            (
                "DHCPACK({observer.ingress.interface.name}) {client.ip} {source.mac}‹ {source.domain}›",
                "dhcp_ack",
                "network",
                "protocol info",
                "success",
            ),
            (
                "DHCPNAK({observer.ingress.interface.name}) {client.ip} {source.mac} {event.reason*}",
                "dhcp_nak",
                "network",
                "protocol denied",
                "failure",
            ),
            (
                "DHCPRELEASE({observer.ingress.interface.name}) {client.ip} {source.mac}",
                "dhcp_release",
                "network",
                "protocol end",
                "success",
            ),
            (
                "DHCPINFORM({observer.ingress.interface.name}) {client.ip} {source.mac}",
                "dhcp_inform",
                "network",
                "protocol info",
                "success",
            ),
            (
                "DHCPDECLINE({observer.ingress.interface.name}) {client.ip} {source.mac}",
                "dhcp_decline",
                "network",
                "protocol error",
                "failure",
            ),
        ],
    )
});

/// `12 192.0.2.7/51000 query[A] …` of `log-queries=extra`, `2418 client provides name: …` of `log-dhcp`.
fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    let (number, rest) = text::word(message);
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return message;
    }
    let (peer, after) = text::word(rest);
    let Some((address, port)) = peer.split_once('/').filter(|(address, _)| ecs::ip(address).is_some()) else { return rest };
    ecs::source(event, address);
    event.set_int(event::field::SOURCE_PORT, port);
    after
}
