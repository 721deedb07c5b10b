//! ProFTPD and Pure-FTPd.
//!
//! Reference: ProFTPD `pr_log_pri` calls of `mod_auth.c`, `mod_xfer.c`, `main.c` (`host (client[192.0.2.7]) - USER an: …`); Pure-FTPd
//! `ftpd.c`, `messages_en.h` (`(an@192.0.2.7) [INFO] an is now logged in`).

use std::sync::LazyLock;

use event::{Event, field};

use crate::{ecs, linux::daemon::Daemon, pattern::Table, text};

pub static FTPD: Daemon = Daemon {
    name: "ftpd",
    programs: &["proftpd", "pure-ftpd", "pureftpd", "ftpd", "in.ftpd", "wu-ftpd"],
    dataset: "ftpd.log",
    vendor: "ProFTPD",
    product: "FTP server",
    process: "ftpd",
    protocol: "ftp",
    category: "network",
    action: "ftp_message",
    table: &MESSAGES,
    is_sure: |message| session(message).is_some() || pure(message).is_some_and(|(_, _, rest)| rest.starts_with('[')),
    strip,
};

const AUTH: &str = "authentication";

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "ftpd.",
        &[
            (
                "USER {user*>}: no such user found from {source.domain} [{src!}] to {dst>}:{destination.port}",
                "ftp_login",
                AUTH,
                "start",
                "failure: no such user",
            ),
            (
                "USER {user*>}: no such user found from {source.domain} [{src!}] to {*}",
                "ftp_login",
                AUTH,
                "start",
                "failure: no such user",
            ),
            ("USER {user*>}: Login successful‹.›", "ftp_login", "authentication session", "start", "success"),
            ("USER {user*>} (Login failed): {event.reason*}", "ftp_login", AUTH, "start", "failure"),
            ("USER {user*>}: Login failed‹.›", "ftp_login", AUTH, "start", "failure"),
            ("ANON {user*>}: Login successful.", "ftp_login", "authentication session", "start", "success"),
            ("SECURITY VIOLATION: {user*>} login attempted‹.›", "ftp_login", AUTH, "start denied", "failure: security violation"),
            (
                "Maximum login attempts ({.attempts}) exceeded‹, {event.reason*}›",
                "ftp_login",
                AUTH,
                "start denied",
                "failure: maximum login attempts",
            ),
            ("FTP session opened.", "ftp_connect", "network session", "connection start", "success"),
            ("FTP session closed.", "ftp_disconnect", "network session", "connection end", "success"),
            ("FTP login timed out, disconnected‹.›", "ftp_login", AUTH, "start", "failure: login timed out"),
            // Pure-FTPd
            ("New connection from {src}", "ftp_connect", "network", "connection start", "success"),
            ("{user} is now logged in", "ftp_login", "authentication session", "start", "success"),
            ("Authentication failed for user [{user*>}]", "ftp_login", AUTH, "start", "failure"),
            ("Logout.‹ {*}›", "ftp_logout", "session", "end", "success"),
            ("Timeout - {event.reason*}", "ftp_timeout", "session", "end", "failure"),
            ("{file.path*} uploaded  ({file.size} bytes, {*}", "ftp_upload", "file", "creation", "success"),
            ("{file.path*} downloaded  ({file.size} bytes, {*}", "ftp_download", "file", "access", "success"),
            ("Deleted {file.path*}", "ftp_delete", "file", "deletion", "success"),
            // others
            ("failed login from {source.domain} [{src!}]", "ftp_login", AUTH, "start", "failure"),
            ("failed login from {src}", "ftp_login", AUTH, "start", "failure"),
            ("FTP LOGIN FROM {source.domain} [{src!}], {user*}", "ftp_login", "authentication session", "start", "success"),
            ("FTP LOGIN FAILED FROM {src}, {user*}", "ftp_login", AUTH, "start", "failure"),
        ],
    )
});

/// `host (client[192.0.2.7]) - …`, `192.0.2.1 (client[192.0.2.7]:51000) - …`: what ProFTPD writes before a message.
fn session(message: &str) -> Option<(&str, &str, &str)> {
    let (head, rest) = message.split_once(") - ").or_else(|| message.split_once("): "))?;
    let (_, inside) = head.rsplit_once(" (")?;
    let (name, address) = inside.split_once('[')?;
    let address = address.split(']').next()?;
    ecs::ip(address).map(|_| (name, address, rest.trim_start()))
}

/// `(an@192.0.2.7) `.
fn pure(message: &str) -> Option<(&str, &str, &str)> {
    let (inside, rest) = message.strip_prefix('(')?.split_once(") ")?;
    let (user, host) = inside.rsplit_once('@')?;
    Some((user, host, rest))
}

fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    if let Some((name, address, rest)) = session(message) {
        event.set(field::OBSERVER_PRODUCT, "ProFTPD");
        ecs::source(event, address);
        if ecs::ip(name).is_none() {
            event.set_present(field::SOURCE_DOMAIN, name);
        }
        return rest;
    }
    if let Some((user, host, rest)) = pure(message) {
        event.set(field::OBSERVER_VENDOR, "Pure-FTPd");
        event.set(field::OBSERVER_PRODUCT, "Pure-FTPd");
        ecs::user(event, field::USER_NAME, user);
        ecs::source(event, host);
        if let Some((level, rest)) = rest.strip_prefix('[').and_then(|inside| text::split(inside, b']')) {
            event.set(field::LOG_LEVEL, text::lower(event, level));
            return rest.trim_start();
        }
        return rest;
    }
    message
}
