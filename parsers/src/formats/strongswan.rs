//! strongSwan `charon` (and libreswan's `pluto` in part): IKE negotiations.
//!
//! Reference: strongSwan documentation, "Logger configuration" (thread, group, `<connection|id>`), the log calls of
//! `ike_sa.c`, `ike_auth.c`, `task_manager_v2.c`, `receiver.c`, `sender.c`.

use std::sync::LazyLock;

use event::Event;

use crate::{linux::daemon::Daemon, pattern::Table, text};

pub static STRONGSWAN: Daemon = Daemon {
    name: "strongswan",
    programs: &["charon", "charon-systemd", "ipsec", "strongswan", "charon-nm", "pluto"],
    dataset: "strongswan.log",
    vendor: "strongSwan",
    product: "strongSwan",
    process: "charon",
    protocol: "ipsec",
    category: "network",
    action: "ike_message",
    table: &MESSAGES,
    is_sure: |message| thread(message).is_some(),
    strip,
};

const NET: &str = "network";
const AUTH: &str = "authentication";

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "strongswan.",
        &[
            (
                "received packet: from {src}[{source.port}] to {dst}[{destination.port}] ({source.bytes} bytes)",
                "ike_packet_received",
                NET,
                "protocol",
                "",
            ),
            (
                "sending packet: from {src}[{source.port}] to {dst}[{destination.port}] ({source.bytes} bytes)",
                "ike_packet_sent",
                NET,
                "protocol",
                "",
            ),
            ("{src!} is initiating an IKE_SA", "ike_initiated", NET, "connection start", ""),
            ("{src!} is initiating a {.mode} Mode IKE_SA", "ike_initiated", NET, "connection start", ""),
            ("initiating IKE_SA {.connection} to {dst!}", "ike_initiated", NET, "connection start", ""),
            (
                "IKE_SA {.connection} established between {dst>}[{.local_id*}]...{src>}[{.remote_id*}]",
                "ike_established",
                "network session",
                "connection start",
                "success",
            ),
            (
                "CHILD_SA {.connection} established with SPIs {*}",
                "ike_child_established",
                "network session",
                "connection start",
                "success",
            ),
            (
                "deleting IKE_SA {.connection} between {dst>}[{.local_id*}]...{src>}[{.remote_id*}]",
                "ike_deleted",
                "network session",
                "connection end",
                "",
            ),
            ("received DELETE for IKE_SA {.connection}", "ike_deleted", "network session", "connection end", ""),
            ("closing CHILD_SA {.connection} {*}", "ike_child_closed", "network session", "connection end", ""),
            ("authentication of '{user*}' with {.method*} successful", "ike_authentication", AUTH, "start", "success"),
            ("authentication of '{user*}' (myself) with {*}", "ike_authentication", AUTH, "info", ""),
            ("authentication of '{user*}' with {.method*} failed", "ike_authentication", AUTH, "start", "failure"),
            ("EAP method {.method} failed for peer {user}", "ike_authentication", AUTH, "start", "failure"),
            ("EAP method {.method} succeeded, {*}", "ike_authentication", AUTH, "start", "success"),
            ("XAuth authentication of '{user*}' (myself) successful", "ike_authentication", AUTH, "info", "success"),
            ("XAuth authentication of '{user*}' successful", "ike_authentication", AUTH, "start", "success"),
            ("XAuth authentication of '{user*}' failed", "ike_authentication", AUTH, "start", "failure"),
            ("no matching peer config found", "ike_authentication", AUTH, "start", "failure: no matching peer config found"),
            ("looking for peer configs matching {dst>}[{.local_id*}]...{src>}[{.remote_id*}]", "ike_lookup", NET, "info", ""),
            (
                "no IKE config found for {dst}...{src}, sending {event.reason*}",
                "ike_refused",
                NET,
                "connection denied",
                "failure",
            ),
            (
                "no shared key found for '{.local_id*}' - '{user*}'",
                "ike_authentication",
                AUTH,
                "start",
                "failure: no shared key found",
            ),
            (
                "tried {.count} shared key‹s› for '{.local_id*}' - '{user*}', but MAC mismatched",
                "ike_authentication",
                AUTH,
                "start",
                "failure: MAC mismatched",
            ),
            ("received {.notify} notify error", "ike_error", NET, "connection error", "failure"),
            ("received AUTHENTICATION_FAILED notify error", "ike_authentication", AUTH, "start", "failure"),
            ("assigning virtual IP {client.ip} to peer '{user*}'", "ike_address_assigned", NET, "info", "success"),
            ("peer requested virtual IP {client.ip}", "ike_address_requested", NET, "info", ""),
            ("received EAP identity '{user*}'", "ike_identity", AUTH, "info", ""),
            ("giving up after {} retransmits", "ike_timeout", NET, "connection end", "failure: no answer"),
        ],
    )
});

/// `06[NET] <con1|83> `.
fn thread(message: &str) -> Option<(&str, &str, &str)> {
    let (number, rest) = text::digits(message);
    let (group, rest) = text::split(rest.strip_prefix('[')?, b']')?;
    let is = !number.is_empty()
        && number.len() <= 2
        && group.len() == 3
        && group.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let rest = rest.strip_prefix(' ')?;
    let (connection, rest) = match rest.strip_prefix('<').and_then(|inside| inside.split_once("> ")) {
        Some((connection, rest)) => (connection, rest),
        None => ("", rest),
    };
    is.then_some((group, connection, rest))
}

fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    let Some((group, connection, rest)) = thread(message) else { return message };
    event.set_extra("strongswan.", "group", group);
    if !connection.is_empty() {
        event.set_extra("strongswan.", "connection_id", connection);
    }
    rest
}
