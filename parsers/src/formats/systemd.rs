//! systemd, systemd-logind and the small daemons around it.
//!
//! Reference: systemd source, `job.c` (job result texts), `logind-session.c`, `unit.c`, `timesyncd`, `networkd`, `resolved`.

use std::sync::LazyLock;

use crate::{
    linux::daemon::{Daemon, bare},
    pattern::Table,
};

pub static SYSTEMD: Daemon = Daemon {
    name: "systemd",
    programs: &[
        "systemd",
        "systemd-logind",
        "systemd-timesyncd",
        "systemd-networkd",
        "systemd-resolved",
        "systemd-udevd",
        "systemd-sysctl",
        "chronyd",
        "ntpd",
    ],
    dataset: "systemd.log",
    vendor: "Linux",
    product: "systemd",
    process: "systemd",
    protocol: "",
    category: "process",
    action: "system_message",
    table: &MESSAGES,
    is_sure: |_| false,
    strip: bare,
};

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "systemd.",
        &[
            ("New session {.session} of user {user}.", "session_opened", "session", "start", "success"),
            ("Removed session {.session}.", "session_closed", "session", "end", "success"),
            ("Session {.session} logged out. Waiting for processes to exit.", "session_closed", "session", "end", "success"),
            ("Started {service.name} - {.description*}.", "service_started", "process", "start", "success"),
            ("Started Session {.session} of ‹U›ser {user}.", "session_opened", "session", "start", "success"),
            ("Started {.description*}.", "service_started", "process", "start", "success"),
            ("Starting {.description*}...", "service_starting", "process", "start", ""),
            ("Stopped {service.name} - {.description*}.", "service_stopped", "process", "end", "success"),
            ("Stopped {.description*}.", "service_stopped", "process", "end", "success"),
            ("Stopping {.description*}...", "service_stopping", "process", "end", ""),
            ("Finished {.description*}.", "service_finished", "process", "end", "success"),
            ("Failed to start {.description*}.", "service_started", "process", "start error", "failure"),
            (
                "{service.name}: Main process exited, code={.code}, status={.status*}",
                "service_exited",
                "process",
                "end error",
                "failure",
            ),
            ("{service.name}: Failed with result '{event.reason*}'.", "service_failed", "process", "end error", "failure"),
            ("{service.name}: Deactivated successfully.", "service_stopped", "process", "end", "success"),
            ("{service.name}: Succeeded.", "service_stopped", "process", "end", "success"),
            ("{service.name}: Consumed {.consumed*}.", "service_consumed", "process", "info", ""),
            (
                "{service.name}: Scheduled restart job, restart counter is at {.restarts}.",
                "service_restart",
                "process",
                "change",
                "",
            ),
            ("Created slice {.description*}.", "slice_created", "process", "info", ""),
            ("Removed slice {.description*}.", "slice_removed", "process", "info", ""),
            ("Reached target {.description*}.", "target_reached", "process", "info", "success"),
            ("Reloading.", "reload", "configuration", "change", ""),
            ("System clock time unset or jumped backwards, {*}", "clock_changed", "configuration", "change", ""),
            ("Power key pressed.", "power_key", "host", "info", ""),
            ("System is powering down.", "shutdown", "host", "end", ""),
            ("System is rebooting.", "reboot", "host", "end", ""),
            // chronyd, ntpd
            ("Selected source {dst}‹ ({destination.domain})›", "time_source_selected", "configuration", "change", "success"),
            ("Source {dst}‹ ({destination.domain})› {event.reason*}", "time_source", "configuration", "info", ""),
            ("Can't synchronise: {event.reason*}", "time_unsynchronised", "configuration", "error", "failure"),
            ("System clock was stepped by {.step} seconds", "clock_stepped", "configuration", "change", "success"),
            ("System clock wrong by {.offset} seconds{*}", "clock_wrong", "configuration", "error", ""),
            ("synchronized to {dst}, stratum {.stratum}", "time_source_selected", "configuration", "change", "success"),
            ("time reset {.step} s", "clock_stepped", "configuration", "change", "success"),
        ],
    )
});
