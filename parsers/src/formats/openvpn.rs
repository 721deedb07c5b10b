//! OpenVPN server: connections, TLS, authentication, address assignment.
//!
//! Reference: OpenVPN 2.x source, `ssl.c`, `multi.c`, `socket.c`, `forward.c`, `push.c`; manual, `--log`, `--status`.
//!
//! A message about a client begins with `common-name/address:port ` or `address:port `.

use std::sync::LazyLock;

use event::{Event, field};

use crate::{ecs, linux::daemon::Daemon, pattern::Table};

pub static OPENVPN: Daemon = Daemon {
    name: "openvpn",
    programs: &["openvpn", "ovpn-server", "ovpn-client", "openvpnas", "openvpn-server", "openvpn_server"],
    dataset: "openvpn.log",
    vendor: "OpenVPN",
    product: "OpenVPN",
    process: "openvpn",
    protocol: "",
    category: "network",
    action: "vpn_message",
    table: &MESSAGES,
    is_sure,
    strip,
};

fn is_sure(message: &str) -> bool {
    const HEADS: [&str; 21] = [
        "TLS Error: ",
        "TLS Auth Error: ",
        "TLS: ",
        "VERIFY ",
        "MULTI: ",
        "MULTI_sva: ",
        "PUSH: ",
        "SENT CONTROL ",
        "peer info: ",
        "Peer Connection Initiated",
        "Control Channel: ",
        "Outgoing Data Channel",
        "Incoming Data Channel",
        "Data Channel",
        "SIGTERM[",
        "SIGUSR1[",
        "AUTH",
        "OpenVPN ",
        "Connection reset",
        "WARNING: ",
        "CC-EEN",
    ];
    match peer(message) {
        Some((_, _, _, rest)) => {
            HEADS.iter().any(|head| rest.starts_with(head))
                || rest.starts_with('[')
                    && (rest.contains("] Peer Connection Initiated") || rest.contains("] Inactivity timeout"))
        }
        None => {
            const OWN: [&str; 19] = [
                "SENT CONTROL [",
                "net_addr_ptp_v4_add: ",
                "net_route_v4_best_gw ",
                "ldap_bind with ",
                "Incorrect password supplied for LDAP DN ",
                "TLS Error: ",
                "TLS Auth Error: ",
                "MULTI: ",
                "IFCONFIG POOL ",
                "Initialization Sequence Completed",
                "net_route_v4_add: ",
                "net_addr_v4_add: ",
                "net_iface_",
                "Could not determine IPv4/IPv6 protocol",
                "UDPv4 link ",
                "TCPv4_SERVER link ",
                "TUN/TAP device ",
                "Listening for incoming TCP connection on [AF_INET",
                "TCP connection established with [AF_INET",
            ];
            OWN.iter().any(|head| message.starts_with(head)) || message.starts_with("OpenVPN 2.")
        }
    }
}

const AUTH: &str = "authentication";
const NET: &str = "network";

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openvpn.",
        &[
            (
                "TCP connection established with [AF_INET{}]{src>}:{source.port}",
                "vpn_connection",
                NET,
                "connection start",
                "success",
            ),
            ("UDPv4 link remote: [AF_INET{}]{dst>}:{destination.port}", "vpn_link", NET, "info", ""),
            (
                "[{user}] Peer Connection Initiated with [AF_INET{}]{src>}:{source.port}‹ {*}›",
                "vpn_connected",
                "network session",
                "connection start",
                "success",
            ),
            (
                "Peer Connection Initiated with [AF_INET{}]{src>}:{source.port}‹ {*}›",
                "vpn_connected",
                "network session",
                "connection start",
                "success",
            ),
            ("TLS: Username/Password authentication succeeded for username '{user*>}'{*}", "login", AUTH, "start", "success"),
            ("TLS: Username/Password authentication deferred for username '{user*>}'{*}", "login", AUTH, "start", "unknown"),
            (
                "TLS Auth Error: Auth Username/Password verification failed for peer",
                "login",
                AUTH,
                "start",
                "failure: Auth Username/Password verification failed for peer",
            ),
            ("TLS Auth Error: {event.reason*}", "login", AUTH, "start", "failure"),
            ("AUTH: Received control message: AUTH_FAILED{*}", "login", AUTH, "start", "failure: AUTH_FAILED"),
            ("SENT CONTROL [{user}]: 'AUTH_FAILED{*}", "login", AUTH, "start", "failure: AUTH_FAILED"),
            (
                "PLUGIN AUTH-PAM: BACKGROUND: user '{user*>}' failed to authenticate: {event.reason*}",
                "login",
                AUTH,
                "start",
                "failure",
            ),
            ("WARNING: Failed running command (--auth-user-pass-verify): {event.reason*}", "login", AUTH, "start", "failure"),
            ("LDAP bind failed: {event.reason*}", "login", AUTH, "start", "failure"),
            ("Unable to bind as {user*}", "login", AUTH, "start", "failure"),
            ("Incorrect password supplied for LDAP DN \"{user*}\".", "login", AUTH, "start", "failure: incorrect password"),
            ("LDAP user \"{user*}\" was not found.", "login", AUTH, "start", "failure: user not found"),
            ("ldap_bind with zero-length password is forbidden.", "login", AUTH, "start", "failure: zero-length password"),
            (
                "TLS Error: cannot locate HMAC in incoming packet from [AF_INET{}]{src>}:{source.port}",
                "tls_error",
                NET,
                "connection error",
                "failure: cannot locate HMAC in incoming packet",
            ),
            (
                "TLS Error: {event.reason*} from [AF_INET{}]{src>}:{source.port}{*}",
                "tls_error",
                NET,
                "connection error",
                "failure",
            ),
            ("TLS Error: {event.reason*}", "tls_error", NET, "connection error", "failure"),
            ("VERIFY ERROR: {event.reason*}", "certificate_verify", AUTH, "start", "failure"),
            ("VERIFY OK: depth={.depth}, {.subject*}", "certificate_verify", NET, "info", "success"),
            ("MULTI: Learn: {client.ip} -> {*}", "vpn_address_assigned", NET, "info", "success"),
            ("MULTI_sva: pool returned IPv4={client.ip}, {*}", "vpn_address_assigned", NET, "info", "success"),
            ("MULTI: primary virtual IP for {.client}: {client.ip}", "vpn_address_assigned", NET, "info", "success"),
            (
                "MULTI: new connection by client '{user*>}' will cause previous active sessions by this client to be dropped.{*}",
                "vpn_connected",
                "session",
                "start",
                "",
            ),
            (
                "MULTI: bad source address from client [{src!}], packet dropped",
                "packet_dropped",
                NET,
                "denied",
                "failure: bad source address from client",
            ),
            ("PUSH: Received control message: 'PUSH_REQUEST'", "vpn_push_request", NET, "info", ""),
            ("SENT CONTROL [{user}]: 'PUSH_REPLY,{.pushed*}' (status=1)", "vpn_push_reply", NET, "info", "success"),
            ("Connection reset, restarting [{}]", "vpn_disconnected", NET, "connection end", "failure: Connection reset"),
            (
                "[{user}] Inactivity timeout (--ping-restart), restarting",
                "vpn_disconnected",
                "network session",
                "connection end",
                "failure: inactivity timeout",
            ),
            ("SIGTERM[{}] received, client-instance exiting", "vpn_disconnected", "network session", "connection end", "success"),
            ("SIGUSR1[{}] received, client-instance restarting", "vpn_disconnected", "network session", "connection end", ""),
            ("net_iface_mtu_set: mtu {.mtu} for {observer.ingress.interface.name}", "vpn_interface", NET, "info", ""),
            (
                "net_addr_ptp_v4_add: {observer.ip} peer {.peer} dev {observer.ingress.interface.name}",
                "vpn_interface",
                NET,
                "info",
                "",
            ),
            ("net_iface_up: set {observer.ingress.interface.name} up", "vpn_interface", NET, "info", ""),
            ("Initialization Sequence Completed", "vpn_started", "process", "start", "success"),
            ("IFCONFIG POOL IPv4: base={client.ip} size={.size}", "vpn_pool", NET, "info", ""),
            (
                "Bad encapsulated packet length from peer ({.length}), {event.reason*}",
                "tls_error",
                NET,
                "connection error",
                "failure",
            ),
            (
                "WARNING: Bad encapsulated packet length from peer ({.length}), {event.reason*}",
                "tls_error",
                NET,
                "connection error",
                "failure",
            ),
        ],
    )
});

/// `an/192.0.2.7:51000 `, `192.0.2.7:51000/an `, `192.0.2.7:51000 `: common name, address, port, what follows.
fn peer(message: &str) -> Option<(&str, &str, &str, &str)> {
    // A common name may hold blanks, so the first word that ends in an endpoint is looked for.
    let mut at = 0;
    for _ in 0..6 {
        let end = message[at..].find(' ').map(|end| at + end)?;
        let head = &message[..end];
        let (name, endpoint) = head.rsplit_once('/').unwrap_or(("", head));
        let rest = &message[end + 1..];
        if let Some((address, port)) = endpoint.rsplit_once(':').filter(|(address, port)| is_endpoint(address, port)) {
            return Some((name, address, port, rest));
        }
        if let Some((address, port)) = name.rsplit_once(':').filter(|(address, port)| is_endpoint(address, port)) {
            return Some((endpoint, address, port, rest));
        }
        at = end + 1;
    }
    None
}

fn is_endpoint(address: &str, port: &str) -> bool {
    !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()) && ecs::ip(address).is_some()
}

fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    event.set_present(field::EVENT_REASON, message);
    let Some((name, address, port, rest)) = peer(message) else { return message };
    event.set_present(field::EVENT_REASON, rest);
    ecs::user(event, field::USER_NAME, name);
    ecs::source(event, address);
    event.set_int(field::SOURCE_PORT, port);
    if let Some(address) = ecs::ip(address) {
        event.set(field::CLIENT_IP, address);
    }
    rest
}
