//! FreeRADIUS: authentications, unknown clients, by syslog or `radius.log` (`… : Auth: (812) Login OK: [an] (from client …)`).
//!
//! Reference: FreeRADIUS source `auth.c: rad_authlog`, `process.c`, `listen.c`; radiusd.conf `log { auth = yes }`.

use std::sync::LazyLock;

use event::{Event, field};

use crate::{ecs, linux::daemon::Daemon, pattern::Table, text};

pub static FREERADIUS: Daemon = Daemon {
    name: "freeradius",
    programs: &["radiusd", "freeradius"],
    dataset: "freeradius.log",
    vendor: "FreeRADIUS",
    product: "FreeRADIUS",
    process: "radiusd",
    protocol: "radius",
    category: "authentication",
    action: "radius_message",
    table: &MESSAGES,
    is_sure: |message| {
        let rest = body(message).1;
        rest.starts_with("Login OK: [")
            || rest.starts_with("Login incorrect") && rest.contains(": [")
            || rest.starts_with("Ignoring request to ") && rest.contains(" from unknown client ")
    },
    strip,
};

const AUTH: &str = "authentication";

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "freeradius.",
        &[
            (
                "Login OK: [{.account*>}] (from client {.client} port {source.port}‹ cli {source.mac}›‹ via TLS tunnel›)‹{*}›",
                "radius_login",
                AUTH,
                "start info",
                "success",
            ),
            (
                "Login incorrect: [{.account*>}] (from client {.client} port {source.port}‹ cli {source.mac}›‹ via TLS tunnel›)‹{*}›",
                "radius_login",
                AUTH,
                "start info",
                "failure",
            ),
            (
                "Login incorrect ({event.reason*}): [{.account*>}] (from client {.client} port {source.port}‹ cli {source.mac}›‹ via TLS tunnel›)‹{*}›",
                "radius_login",
                AUTH,
                "start info",
                "failure",
            ),
            (
                "Ignoring request to {.service} address {} port {destination.port} bound to server {.server} from unknown client {src} port {source.port} proto {network.transport}",
                "radius_unknown_client",
                AUTH,
                "info denied",
                "failure: unknown client",
            ),
            (
                "Ignoring request to {.service} address {} port {destination.port} from unknown client {src} port {source.port}‹ proto {network.transport}›",
                "radius_unknown_client",
                AUTH,
                "info denied",
                "failure: unknown client",
            ),
            (
                "Dropping packet without response because of error: {event.reason*} from client {.client}{*}",
                "radius_dropped",
                AUTH,
                "info error",
                "failure",
            ),
            (
                "Received packet from {src} with invalid Message-Authenticator!  (Shared secret {*}",
                "radius_dropped",
                AUTH,
                "info error",
                "failure: invalid Message-Authenticator",
            ),
            (
                "Invalid user‹ ({event.reason*})›: [{.account*>}] (from client {.client} port {source.port}‹ cli {source.mac}›)",
                "radius_login",
                AUTH,
                "start info",
                "failure",
            ),
        ],
    )
});

/// `: Auth: (812) `, `(812) `: what stands before the sentence.
fn body(message: &str) -> (&str, &str) {
    let rest = message.trim_start_matches([':', ' ']);
    let (level, rest) = match rest.split_once(": ") {
        Some((level @ ("Auth" | "Info" | "Error" | "Proxy" | "Warning" | "Debug"), rest)) => (level, rest),
        _ => ("", rest),
    };
    let rest = match rest.strip_prefix('(').and_then(|inside| text::split(inside, b')')) {
        Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => rest.trim_start(),
        _ => rest,
    };
    (level, rest)
}

fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    let (level, rest) = body(message);
    event.set_present(field::LOG_LEVEL, level);
    // `[DOMAIN\an/password]`: domain and a logged password are no part of the name.
    if let Some((_, inside)) = rest.rsplit_once(": [").filter(|_| rest.starts_with("Login ")) {
        let account = inside.split("] (from client").next().unwrap_or(inside);
        // `an/password` where the server logs passwords.
        if let Some((domain, user)) = account.split_once('\\') {
            event.set(field::USER_DOMAIN, domain);
            ecs::user(event, field::USER_NAME, user);
        } else if let Some(host) = account.strip_prefix("host/") {
            ecs::source(event, host);
            event.set(field::SOURCE_DOMAIN, host);
        } else {
            ecs::user(event, field::USER_NAME, account.split('/').next().unwrap_or(account));
        }
    }
    rest
}
