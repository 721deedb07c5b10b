//! FortiGate: FortiOS 7.4 Log Reference, `key=value` as `config log syslogd setting` sends it.

use std::{fmt::Write as _, net::IpAddr};

use event::Micros;

use crate::demo::civil;

/// The firewall that writes.
#[derive(Clone, Copy, Debug)]
pub struct Firewall<'a> {
    pub at: Micros,
    pub name: &'a str,
}

/// local7, with the severity of the level.
fn head(out: &mut String, from: Firewall<'_>, severity: u8, id: &str, kind: &str, level: &str) {
    let _ = write!(out, "<{}>", 184 + u16::from(severity));
    civil::forti(out, from.at);
    let _ = write!(
        out,
        " devname=\"{}\" devid=\"FGT3HDTK2100{:04}\" eventtime={}000 tz=\"+0700\" logid=\"{id}\" {kind} level=\"{level}\" vd=\"root\"",
        from.name,
        from.name.len() * 37 + usize::from(*from.name.as_bytes().last().unwrap_or(&0)),
        from.at
    );
}

/// A session through the firewall.
#[derive(Clone, Copy, Debug)]
pub struct Traffic<'a> {
    pub source: IpAddr,
    pub source_port: u64,
    pub source_country: &'a str,
    pub target: IpAddr,
    pub target_port: u64,
    pub target_country: &'a str,
    pub service: &'a str,
    /// True from the Internet towards the province.
    pub is_inbound: bool,
    pub session: u64,
    pub sent: u64,
    pub received: u64,
    pub seconds: u64,
}

pub fn accepted(out: &mut String, from: Firewall<'_>, t: Traffic<'_>) {
    head(out, from, 5, "0000000013", "type=\"traffic\" subtype=\"forward\"", "notice");
    ends(out, t);
    let _ = write!(
        out,
        " action=\"close\" policyid={} policytype=\"policy\" service=\"{}\" trandisp=\"{}\" duration={} sentbyte={} rcvdbyte={} sentpkt={} rcvdpkt={} appcat=\"unscanned\"",
        if t.is_inbound { 5 } else { 12 },
        t.service,
        if t.is_inbound { "dnat" } else { "snat" },
        t.seconds,
        t.sent,
        t.received,
        t.sent / 700 + 1,
        t.received / 900 + 1
    );
}

pub fn denied(out: &mut String, from: Firewall<'_>, t: Traffic<'_>) {
    head(out, from, 4, "0000000013", "type=\"traffic\" subtype=\"forward\"", "warning");
    ends(out, t);
    let _ = write!(
        out,
        " action=\"deny\" policyid=0 policytype=\"policy\" service=\"{}\" trandisp=\"noop\" duration=0 sentbyte=0 rcvdbyte=0 sentpkt=0 rcvdpkt=0 appcat=\"unscanned\" crscore=30 craction=131072 crlevel=\"high\"",
        t.service
    );
}

fn ends(out: &mut String, t: Traffic<'_>) {
    let (entry, exit) = if t.is_inbound { ("wan1", "dmz") } else { ("internal", "wan1") };
    let _ = write!(
        out,
        " srcip={} srcport={} srcintf=\"{entry}\" srcintfrole=\"{}\" dstip={} dstport={} dstintf=\"{exit}\" dstintfrole=\"{}\" srccountry=\"{}\" dstcountry=\"{}\" sessionid={} proto=6",
        t.source,
        t.source_port,
        if t.is_inbound { "wan" } else { "lan" },
        t.target,
        t.target_port,
        if t.is_inbound { "dmz" } else { "wan" },
        t.source_country,
        t.target_country,
        t.session
    );
}

/// A signature of the intrusion prevention.
pub fn attack(out: &mut String, from: Firewall<'_>, t: Traffic<'_>, id: u32, name: &str, action: &str, url: &str) {
    head(out, from, 1, "0419016384", "type=\"utm\" subtype=\"ips\" eventtype=\"signature\"", "alert");
    let _ = write!(
        out,
        " severity=\"high\" srcip={} srccountry=\"{}\" dstip={} srcintf=\"wan1\" srcintfrole=\"wan\" dstintf=\"dmz\" dstintfrole=\"dmz\" sessionid={} action=\"{action}\" proto=6 service=\"{}\" policyid=5 attack=\"{name}\" srcport={} dstport={} hostname=\"dichvucong.example.vn\" url=\"{url}\" direction=\"outgoing\" attackid={id} profile=\"dmz-ips\" incidentserialno={} msg=\"web_app3: {name}\" crscore=30 craction=8192 crlevel=\"high\"",
        t.source,
        t.source_country,
        t.target,
        t.session,
        t.service,
        t.source_port,
        t.target_port,
        t.session + 7
    );
}

/// An SSL-VPN tunnel that came up or went down.
pub fn vpn(out: &mut String, from: Firewall<'_>, is_up: bool, user: &str, remote: IpAddr, inside: IpAddr, tunnel: u64) {
    let (id, what, action, reason, msg) = if is_up {
        ("0101039947", "SSL VPN tunnel up", "tunnel-up", "login successfully", "SSL tunnel established")
    } else {
        ("0101039948", "SSL VPN tunnel down", "tunnel-down", "User requested termination of service", "SSL tunnel shutdown")
    };
    head(out, from, 6, id, "type=\"event\" subtype=\"vpn\"", "information");
    let _ = write!(
        out,
        " logdesc=\"{what}\" action=\"{action}\" tunneltype=\"ssl-tunnel\" tunnelid={tunnel} remip={remote} tunnelip={inside} user=\"{user}\" group=\"VPN-CanBo\" dst_host=\"N/A\" reason=\"{reason}\" msg=\"{msg}\""
    );
}

pub fn vpn_failed(out: &mut String, from: Firewall<'_>, user: &str, remote: IpAddr) {
    head(out, from, 1, "0101039426", "type=\"event\" subtype=\"vpn\"", "alert");
    let _ = write!(
        out,
        " logdesc=\"SSL VPN login fail\" action=\"ssl-login-fail\" tunneltype=\"ssl-web\" tunnelid=0 remip={remote} user=\"{user}\" group=\"N/A\" dst_host=\"N/A\" reason=\"sslvpn_login_unknown_user\" msg=\"SSL user failed to logged in\""
    );
}

pub fn admin_login(out: &mut String, from: Firewall<'_>, user: &str, address: IpAddr, is_success: bool) {
    let (severity, id, what, level, status, reason, outcome) = if is_success {
        (6, "0100032001", "Admin login successful", "information", "success", "none", "logged in successfully")
    } else {
        (1, "0100032002", "Admin login failed", "alert", "failed", "passwd_invalid", "login failed")
    };
    head(out, from, severity, id, "type=\"event\" subtype=\"system\"", level);
    let _ = write!(
        out,
        " logdesc=\"{what}\" sn=\"{}\" user=\"{user}\" ui=\"https({address})\" method=\"https\" srcip={address} dstip=10.10.18.11 action=\"login\" status=\"{status}\" reason=\"{reason}\" profile=\"super_admin\" msg=\"Administrator {user} {outcome} from https({address})\"",
        from.at / 1_000_000
    );
}
