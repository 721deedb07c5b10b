//! fail2ban: what it found, banned and released.
//!
//! Reference: fail2ban `server/actions.py`, `filter.py`, `observer.py`; log format `%(asctime)s %(name)-24s[%(process)d]: %(levelname)-7s`.

use std::sync::LazyLock;

use event::{Event, field};

use crate::{linux::daemon::Daemon, pattern::Table, text};

pub static FAIL2BAN: Daemon = Daemon {
    name: "fail2ban",
    programs: &[
        "fail2ban",
        "fail2ban.actions",
        "fail2ban.filter",
        "fail2ban-server",
        "fail2ban.observer",
        "fail2ban.jail",
        "fail2ban.server",
    ],
    dataset: "fail2ban.log",
    vendor: "fail2ban",
    product: "fail2ban",
    process: "fail2ban-server",
    protocol: "",
    category: "intrusion_detection",
    action: "fail2ban_message",
    table: &MESSAGES,
    is_sure: |message| message.starts_with("fail2ban."),
    strip,
};

const IDS: &str = "intrusion_detection network";

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "fail2ban.",
        &[
            ("[{rule.name}] Found {src}‹ - {*}›", "found", "intrusion_detection", "info", "failure"),
            ("[{rule.name}] Ban {src}", "ban", IDS, "denied", "success"),
            ("[{rule.name}] Restore Ban {src}", "ban", IDS, "denied", "success"),
            ("[{rule.name}] Increase Ban {src} ({*}", "ban", IDS, "denied", "success"),
            ("[{rule.name}] Unban {src}", "unban", IDS, "allowed", "success"),
            ("[{rule.name}] {src!} already banned", "ban", IDS, "denied", "success"),
            ("[{rule.name}] Ignore {src}‹ {*}›", "ignore", "intrusion_detection", "allowed", "success"),
            ("Jail '{rule.name}' {event.reason*}", "jail", "configuration", "change", "success"),
        ],
    )
});

/// `fail2ban.actions        [812]: NOTICE  `.
fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    let rest = match message.strip_prefix("fail2ban.").and_then(|rest| rest.split_once("]: ")) {
        Some((head, rest)) => {
            if let Some((_, pid)) = head.split_once('[') {
                event.set_int(field::PROCESS_PID, pid);
            }
            rest
        }
        None => message,
    };
    let (level, after) = text::word(rest);
    if matches!(level, "INFO" | "NOTICE" | "WARNING" | "ERROR" | "DEBUG" | "CRITICAL") {
        event.set(field::LOG_LEVEL, text::lower(event, level));
        return after.trim_start();
    }
    rest
}
