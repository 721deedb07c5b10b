//! What stands between an MTA and its mailboxes: amavis, ClamAV, SpamAssassin, OpenDKIM/OpenDMARC.
//!
//! Reference: amavisd-new `log_templ` (default template), clamd(8) and freshclam(1) messages, spamd `--syslog`, OpenDKIM log calls.

use std::sync::LazyLock;

use event::{Event, field};

use crate::{linux::daemon::Daemon, pattern::Table, text};

pub static MAILFILTER: Daemon = Daemon {
    name: "mailfilter",
    programs: &[
        "amavis",
        "amavisd",
        "amavisd-new",
        "clamd",
        "clamav",
        "clamav-milter",
        "freshclam",
        "spamd",
        "spamassassin",
        "opendkim",
        "opendmarc",
    ],
    dataset: "mailfilter.log",
    vendor: "",
    product: "mail filter",
    process: "mailfilter",
    protocol: "smtp",
    category: "email",
    action: "mail_filter_message",
    table: &MESSAGES,
    is_sure: |message| message.starts_with("spamd: ") || message.ends_with(" FOUND") && message.starts_with('/'),
    strip,
};

const MAIL: &str = "email";

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "mailfilter.",
        &[
            (
                "Passed {.verdict*} {*} [{src!}]:{source.port} ‹[{}] ›<{email.from.address}> -> <{email.to.address}>, {*}",
                "passed",
                MAIL,
                "allowed",
                "success",
            ),
            (
                "Blocked {.verdict*} {*} [{src!}]:{source.port} ‹[{}] ›<{email.from.address}> -> <{email.to.address}>, {*}",
                "blocked",
                "email malware",
                "denied",
                "success",
            ),
            ("Passed {.verdict*}, ‹{*} ›[{src!}]‹:{source.port}› {*}", "passed", MAIL, "allowed", "success"),
            ("Blocked {.verdict*}, ‹{*} ›[{src!}]‹:{source.port}› {*}", "blocked", "email malware", "denied", "success"),
            ("{file.path*}: {rule.name} FOUND", "malware_found", "malware file", "info", "success"),
            ("{file.path*}: OK", "clean", "file", "info", "success"),
            (
                "Database updated ({.signatures} signatures) from {destination.domain} (IP: {destination.ip})",
                "database_updated",
                "configuration",
                "change",
                "success",
            ),
            (
                "Database updated ({.signatures} signatures) from {destination.domain}",
                "database_updated",
                "configuration",
                "change",
                "success",
            ),
            ("spamd: processing message <{email.message_id*>}> for {user}:{user.id}", "processing", MAIL, "info", ""),
            (
                "spamd: identified spam ({.score}/{.threshold}) for {user}:{user.id} in {seconds} seconds, {.bytes} bytes.",
                "spam",
                MAIL,
                "info",
                "success",
            ),
            (
                "spamd: clean message ({.score}/{.threshold}) for {user}:{user.id} in {seconds} seconds, {.bytes} bytes.",
                "clean",
                MAIL,
                "info",
                "success",
            ),
            (
                "spamd: connection from {source.domain} [{src!}]:{source.port} to port {destination.port}, fd {}",
                "connect",
                "network",
                "connection start",
                "success",
            ),
            (
                "spamd: result: {.result} {.score} - {.tests} scantime={seconds},size={.bytes},user={user},uid={user.id},required_score={.threshold},rhost={source.domain},raddr={src},rport={source.port},mid=<{email.message_id*>}>,{*}",
                "result",
                MAIL,
                "info",
                "",
            ),
            ("spamd: result: {.result} {.score} - {.tests} {*}", "result", MAIL, "info", ""),
            ("spamd: {event.reason*}", "spamd_message", MAIL, "info", ""),
            ("{.queue_id}: DKIM verification successful‹ {*}›", "dkim_verified", MAIL, "info", "success"),
            ("{.queue_id}: {source.domain} [{src!}] not internal", "dkim_not_internal", MAIL, "info", ""),
        ],
    )
});

/// `(01234-05) ` of amavis.
fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    match message.strip_prefix('(').and_then(|inside| text::split(inside, b')')) {
        Some((id, rest)) if id.len() <= 24 && id.bytes().all(|b| b.is_ascii_digit() || b == b'-') => {
            event.set_extra("mailfilter.", "id", id);
            event.set(field::OBSERVER_PRODUCT, "amavis");
            rest.trim_start_matches(' ')
        }
        _ => message,
    }
}
