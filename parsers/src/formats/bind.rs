//! ISC BIND `named`: query log, security, transfers, RPZ, resolver messages; by syslog or its own log files.
//!
//! Reference: BIND 9 Administrator Reference Manual, "logging" (categories, print-time, print-category, print-severity), "Query
//! log format"; the log calls of `client.c`, `query.c`, `xfrout.c`, `rpz.c`.

use std::sync::LazyLock;

use event::{Event, field};

use crate::{ecs, linux::daemon::Daemon, pattern::Table, text};

pub static BIND: Daemon = Daemon {
    name: "bind",
    programs: &["named", "bind9", "named-sdb", "named-pkcs11"],
    dataset: "bind.log",
    vendor: "ISC",
    product: "BIND",
    process: "named",
    protocol: "dns",
    category: "network",
    action: "dns_message",
    table: &MESSAGES,
    is_sure,
    strip,
};

fn is_sure(message: &str) -> bool {
    let message = without_category(message).0;
    client(message).is_some()
        || message.starts_with("validating ") && message.contains(": ")
        || message.contains("resolving '") && message.contains('/')
        || message.starts_with("rpz: ")
        || message.starts_with("view ") && message.contains("validating ")
        || message.starts_with("lame server resolving '")
        || message.starts_with("transfer of '") && message.contains(" from ") && message.contains('#')
        || message.starts_with("zone ") && message.contains("/IN: ")
}

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "bind.log.",
        &[
            (
                "lame server resolving '{dns.question.name}' (in '{*}'{}): {src>}#{source.port}",
                "dns_resolve",
                "network",
                "protocol error",
                "failure: lame server",
            ),
            (
                "transfer of '{dns.question.name*>}/{dns.question.class}' from {src>}#{source.port}: {event.reason*}",
                "dns_zone_transfer",
                "network",
                "protocol info",
                "",
            ),
            ("zone {}/{}: {dns.question.name}/{dns.question.type}: {event.reason*}", "dns_zone", "configuration", "info", ""),
            (
                "rpz {.rpz_type} {.rpz_policy} rewrite {dns.question.name}/{dns.question.type}/{dns.question.class} via {rule.name} ({*}",
                "dns_rpz_rewrite",
                "network",
                "protocol info",
                "success",
            ),
            (
                "rpz {.rpz_type} {.rpz_policy} rewrite {dns.question.name} via {rule.name} ({*}",
                "dns_rpz_rewrite",
                "network",
                "protocol info",
                "success",
            ),
            // after `client @0x… 192.0.2.7#53 (name): `
            (
                "query: {dns.question.name} {dns.question.class} {dns.question.type} {.flags} ({destination.ip})",
                "dns_query",
                "network",
                "protocol info",
                "success",
            ),
            (
                "query: {dns.question.name} {dns.question.class} {dns.question.type}‹ {.flags*}›",
                "dns_query",
                "network",
                "protocol info",
                "success",
            ),
            (
                "answer: {dns.question.name} {dns.question.class} {dns.question.type} {.flags} ({destination.ip}) -> {dns.response_code}‹ {.answer*}›",
                "dns_answer",
                "network",
                "protocol info",
                "success",
            ),
            (
                "response: {dns.question.name} {dns.question.class} {dns.question.type} {dns.response_code} {.flags*}",
                "dns_answer",
                "network",
                "protocol info",
                "success",
            ),
            (
                "query (cache) '{dns.question.name*>}/{dns.question.type}/{dns.question.class}' denied‹ ({event.reason*})›",
                "dns_query",
                "network",
                "protocol denied",
                "failure",
            ),
            (
                "query '{dns.question.name*>}/{dns.question.type}/{dns.question.class}' denied‹ ({event.reason*})›",
                "dns_query",
                "network",
                "protocol denied",
                "failure",
            ),
            (
                "query failed ({dns.response_code}) for {dns.question.name}/{dns.question.class}/{dns.question.type} at {.place}",
                "dns_query",
                "network",
                "protocol error",
                "failure",
            ),
            (
                "query failed ({dns.response_code}) for {dns.question.name}/{dns.question.class}/{dns.question.type}",
                "dns_query",
                "network",
                "protocol error",
                "failure",
            ),
            (
                "zone transfer '{dns.question.name*>}/{dns.question.type}/{dns.question.class}' denied",
                "dns_zone_transfer",
                "network",
                "protocol denied",
                "failure",
            ),
            (
                "bad zone transfer request: '{dns.question.name*>}/{dns.question.class}': {event.reason*}",
                "dns_zone_transfer",
                "network",
                "protocol error",
                "failure",
            ),
            (
                "transfer of '{dns.question.name*>}/{dns.question.class}': {.type} started‹ {*}›",
                "dns_zone_transfer",
                "network",
                "protocol start",
                "success",
            ),
            (
                "transfer of '{dns.question.name*>}/{dns.question.class}': {event.reason*}",
                "dns_zone_transfer",
                "network",
                "protocol info",
                "",
            ),
            (
                "update '{dns.question.name*>}/{dns.question.class}' denied‹{*}›",
                "dns_update",
                "network",
                "protocol denied",
                "failure",
            ),
            (
                "updating zone '{dns.question.name*>}/{dns.question.class}': {event.reason*}",
                "dns_update",
                "network",
                "protocol change",
                "success",
            ),
            ("update failed: {event.reason*}", "dns_update", "network", "protocol error", "failure"),
            ("notify '{dns.question.name*>}/{dns.question.class}' denied", "dns_notify", "network", "protocol denied", "failure"),
            ("received notify for zone '{dns.question.name*>}'{*}", "dns_notify", "network", "protocol info", "success"),
            (
                "rpz {.rpz_type} {.rpz_policy} rewrite {dns.question.name}/{dns.question.type}/{dns.question.class} via {rule.name}",
                "dns_rpz_rewrite",
                "network",
                "protocol info",
                "success",
            ),
            (
                "disabled rpz {.rpz_type} {.rpz_policy} rewrite {dns.question.name}/{dns.question.type}/{dns.question.class} via {rule.name}",
                "dns_rpz_rewrite",
                "network",
                "protocol info",
                "",
            ),
            (
                "rate limit drop {.kind} response to {}‹ for {dns.question.name} {dns.question.class} {dns.question.type}›‹ ({*})›",
                "dns_rate_limit",
                "network",
                "protocol denied",
                "failure: rate limit",
            ),
            (
                "rate limit slip {.kind} response to {}‹ for {dns.question.name} {dns.question.class} {dns.question.type}›‹ ({*})›",
                "dns_rate_limit",
                "network",
                "protocol denied",
                "failure: rate limit",
            ),
            ("request has invalid signature: {event.reason*}", "dns_query", "network", "protocol denied", "failure"),
            ("error sending response: {event.reason*}", "dns_answer", "network", "protocol error", "failure"),
            ("no more recursive clients: {event.reason*}", "dns_query", "network", "protocol error", "failure"),
            ("received control channel command '{.command*}'", "dns_control", "configuration", "change", "success"),
            // resolver, dnssec, lame servers
            (
                "success resolving '{dns.question.name}/{dns.question.type}' ‹(in '{*}'{}) ›after {event.reason*}",
                "dns_resolve",
                "network",
                "protocol info",
                "success",
            ),
            (
                "validating {dns.question.name}/{dns.question.type}: {event.reason*}",
                "dns_validate",
                "network",
                "protocol error",
                "failure",
            ),
            (
                "  validating {dns.question.name}/{dns.question.type}: {event.reason*}",
                "dns_validate",
                "network",
                "protocol error",
                "failure",
            ),
            (
                "{event.reason*} resolving '{dns.question.name}/{dns.question.type}/{dns.question.class}': {dst>}#{destination.port}",
                "dns_resolve",
                "network",
                "protocol error",
                "failure",
            ),
            (
                "DNS format error from {dst>}#{destination.port} resolving {dns.question.name}/{dns.question.type}‹ for {*}›: {event.reason*}",
                "dns_resolve",
                "network",
                "protocol error",
                "failure",
            ),
            ("rpz: {rule.name}: {event.reason*}", "dns_rpz", "configuration", "info", ""),
            ("zone {dns.question.name}/{dns.question.class}: {event.reason*}", "dns_zone", "configuration", "info", ""),
        ],
    )
});

/// `security: error: `, `queries: info: `: the categories and severities that the channel prints.
fn without_category(message: &str) -> (&str, &str, &str) {
    const LEVELS: [&str; 7] = ["critical", "error", "warning", "notice", "info", "dynamic", "debug"];
    let (mut rest, mut category, mut level) = (message, "", "");
    for _ in 0..2 {
        let Some((word, after)) = rest.split_once(": ") else { break };
        let name = word.split(' ').next().unwrap_or(word);
        if LEVELS.contains(&name) && level.is_empty() {
            level = name;
        } else if category.is_empty() && level.is_empty() && CATEGORIES.contains(&word) {
            category = word;
        } else {
            break;
        }
        rest = after;
    }
    (rest, category, level)
}

const CATEGORIES: [&str; 24] = [
    "client",
    "cname",
    "config",
    "database",
    "default",
    "delegation-only",
    "dispatch",
    "dnssec",
    "dnstap",
    "edns-disabled",
    "general",
    "lame-servers",
    "network",
    "notify",
    "queries",
    "query-errors",
    "rate-limit",
    "resolver",
    "rpz",
    "security",
    "update",
    "update-security",
    "xfer-in",
    "xfer-out",
];

/// `client @0x7f… 192.0.2.7#53[/key name] (example.com): `.
fn client(message: &str) -> Option<(&str, &str, &str, &str)> {
    let rest = message.strip_prefix("client ")?;
    let rest = match rest.strip_prefix('@') {
        Some(rest) => text::word(rest).1,
        None => rest,
    };
    let (address, rest) = text::split(rest, b'#')?;
    let (port, rest) = text::digits(rest);
    if port.is_empty() || address.contains(' ') {
        return None;
    }
    let (between, rest) = rest.split_once(": ")?;
    let name = between.split_once('(').and_then(|(_, name)| name.split_once(')')).map_or("", |(name, _)| name);
    Some((address, port, name, rest))
}

fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    // A channel that prints its time writes it behind the syslog head as well.
    let (rest, category, level) = without_category(message);
    event.set_present(field::LOG_LEVEL, level);
    if !category.is_empty() {
        event.set_extra("bind.log.", "category", category);
    }
    let rest = match rest.strip_prefix("view ").and_then(|rest| rest.split_once(": ")) {
        Some((view, after)) => {
            event.set_extra("bind.log.", "view", view);
            after.trim_start_matches(' ')
        }
        None => rest,
    };
    let Some((address, port, name, rest)) = client(rest) else { return rest };
    ecs::source(event, address);
    event.set_int(field::SOURCE_PORT, port);
    event.set_present(field::DNS_QUESTION_NAME, name);
    // `view internal: query: …`
    match rest.strip_prefix("view ").and_then(|rest| rest.split_once(": ")) {
        Some((view, rest)) => {
            event.set_extra("bind.log.", "view", view);
            rest
        }
        None => rest,
    }
}
