//! Samba: authentication and share messages of smbd, nmbd, winbindd, and the `full_audit` module.
//!
//! Reference: Samba source `auth/auth_log.c` (human readable lines), vfs_full_audit(8) (`prefix|operation|result|…`).

use std::sync::LazyLock;

use event::{Event, field};

use crate::{linux::daemon::Daemon, pattern::Table};

pub static SAMBA: Daemon = Daemon {
    name: "samba",
    programs: &["smbd", "nmbd", "winbindd", "smbd_audit", "samba"],
    dataset: "samba.log",
    vendor: "Samba",
    product: "Samba",
    process: "smbd",
    protocol: "smb",
    category: "network",
    action: "smb_message",
    table: &MESSAGES,
    is_sure: |message| message.contains("Auth: [") && message.contains(" status ["),
    strip,
};

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "samba.",
        &[
            (
                "[{.service*}] user [{user.domain*}]\\[{user*}] at [{*}] with [{.method*}] status [NT_STATUS_OK] workstation [{source.domain*}] remote host [ipv{}:{src>}:{source.port}] {*}",
                "login",
                "authentication",
                "start",
                "success",
            ),
            (
                "[{.service*}] user [{user.domain*}]\\[{user*}] at [{*}] with [{.method*}] status [{event.reason}] workstation [{source.domain*}] remote host [ipv{}:{src>}:{source.port}] {*}",
                "login",
                "authentication",
                "start",
                "failure",
            ),
            (
                "authentication for user [{user*}] -> [{*}] FAILED with error {event.reason*}",
                "login",
                "authentication",
                "start",
                "failure",
            ),
            (
                "check_ntlm_password:  Authentication for user [{user*}] -> [{*}] FAILED with error {event.reason*}",
                "login",
                "authentication",
                "start",
                "failure",
            ),
            (
                "check_ntlm_password:  authentication for user [{user*}] -> [{*}] succeeded",
                "login",
                "authentication",
                "start",
                "success",
            ),
            (
                "{source.domain} ({src}) connect to service {.share} ‹initially ›as user {user} ({*}",
                "share_connect",
                "session file",
                "start",
                "success",
            ),
            (
                "{source.domain} ({src}) closed connection to service {.share}",
                "share_disconnect",
                "session file",
                "end",
                "success",
            ),
            (
                "{user}|{src}|{source.domain}|{.share}|{.operation}|ok|{.mode}|{file.path*}",
                "share_operation",
                "file",
                "access",
                "success",
            ),
            (
                "{user}|{src}|{source.domain}|{.share}|{.operation}|ok|{file.path*}",
                "share_operation",
                "file",
                "access",
                "success",
            ),
            (
                "{user}|{src}|{source.domain}|{.share}|{.operation}|fail ({event.reason*})|{file.path*}",
                "share_operation",
                "file",
                "access",
                "failure",
            ),
            ("{user}|{src}|{.operation}|ok|{file.path*}", "share_operation", "file", "access", "success"),
            ("{user}|{src}|{.operation}|fail ({event.reason*})|{file.path*}", "share_operation", "file", "access", "failure"),
        ],
    )
});

/// `[2026/11/23 10:00:00.123456,  3] ../source3/auth/auth.c:123(…)` is taken off as a stamp; `Auth: ` leads to the table.
fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    match crate::text::find(message.as_bytes(), b"Auth: [") {
        Some(at) => {
            event.set(field::NETWORK_APPLICATION, "smb");
            &message[at + "Auth: ".len()..]
        }
        None => message,
    }
}
