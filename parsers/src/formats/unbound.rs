//! Unbound: query log, local zones, RPZ, validation messages.
//!
//! Reference: unbound.conf(5) (`log-queries`, `log-replies`, `log-local-actions`, `log-tag-queryreply`), release 1.6 to 1.23.

use std::sync::LazyLock;

use event::{Event, field};

use crate::{linux::daemon::Daemon, pattern::Table, text};

pub static UNBOUND: Daemon = Daemon {
    name: "unbound",
    programs: &["unbound"],
    dataset: "unbound.log",
    vendor: "NLnet Labs",
    product: "Unbound",
    process: "unbound",
    protocol: "dns",
    category: "network",
    action: "dns_message",
    table: &MESSAGES,
    is_sure: |message| thread(message).is_some(),
    strip,
};

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "unbound.log.",
        &[
            (
                "{src!} {dns.question.name} {dns.question.type} {dns.question.class}",
                "dns_query",
                "network",
                "protocol info",
                "success",
            ),
            (
                "{src!} {dns.question.name} {dns.question.type} {dns.question.class} {dns.response_code} {seconds} {.cached} {.bytes}",
                "dns_answer",
                "network",
                "protocol info",
                "success",
            ),
            (
                "{src!} {dns.question.name} {dns.question.type} {dns.question.class} {dns.response_code} {seconds} {.cached} {.bytes} {*}",
                "dns_answer",
                "network",
                "protocol info",
                "success",
            ),
            (
                "{.zone} {.action} {src>}@{source.port} {dns.question.name} {dns.question.type} {dns.question.class}",
                "dns_local_zone",
                "network",
                "protocol info",
                "success",
            ),
            (
                "{.action} {src>}@{source.port} {dns.question.name} {dns.question.type} {dns.question.class}",
                "dns_local_zone",
                "network",
                "protocol info",
                "success",
            ),
            (
                "rpz: applied [{rule.name*}] {.trigger} {.action} {src>}@{source.port} {dns.question.name} {dns.question.type} {dns.question.class}",
                "dns_rpz_rewrite",
                "network",
                "protocol info",
                "success",
            ),
            (
                "validation failure <{dns.question.name} {dns.question.type} {dns.question.class}>: {event.reason*}",
                "dns_validate",
                "network",
                "protocol error",
                "failure",
            ),
            ("error: {event.reason*}", "dns_message", "network", "error", "failure"),
        ],
    )
});

/// `[1678:6] info: `; since 1.20 also `query: ` and `reply: `.
fn thread(message: &str) -> Option<(&str, &str, &str)> {
    let (ids, rest) = text::split(message.strip_prefix('[')?, b']')?;
    let (pid, thread) = ids.split_once(':')?;
    let is = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit());
    let (level, rest) = rest.strip_prefix(' ')?.split_once(": ")?;
    let is_level = matches!(level, "info" | "debug" | "notice" | "warning" | "error" | "fatal error" | "query" | "reply");
    (is(pid) && is(thread) && is_level).then_some((pid, level, rest))
}

fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    let Some((pid, level, rest)) = thread(message) else { return message };
    event.set_int(field::PROCESS_PID, pid);
    event.set(field::LOG_LEVEL, level);
    if matches!(level, "error" | "fatal error") {
        event.set(field::EVENT_REASON, rest);
    }
    rest
}
