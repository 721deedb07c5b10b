//! Linux hosts: sshd, sudo, cron, PAM, useradd, systemd, by RFC 3164 (rsyslog's traditional format) or RFC 5424.

use std::{fmt::Write as _, net::IpAddr};

use event::Micros;

use crate::demo::civil;

/// How a host writes its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// `<38>Nov 23 10:00:01 host tag[pid]: `
    Bsd,
    /// `<38>1 2026-11-23T10:00:01.123456+07:00 host tag pid - - `
    Modern,
    /// As `Modern`, but the local time is called UTC: a clock set wrong.
    CalledUtc,
}

/// Facility × 8 + severity (RFC 5424 §6.2.1).
pub const AUTH_INFO: u8 = 38;
pub const AUTHPRIV_INFO: u8 = 86;
pub const AUTHPRIV_NOTICE: u8 = 85;
pub const CRON_INFO: u8 = 78;
pub const DAEMON_INFO: u8 = 30;

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub struct From<'a> {
    pub at: Micros,
    pub host: &'a str,
    pub header: Header,
}

pub fn header(out: &mut String, from: From<'_>, priority: u8, tag: &str, pid: u64) {
    let _ = write!(out, "<{priority}>");
    match from.header {
        Header::Bsd => {
            civil::bsd(out, from.at);
            let _ = write!(out, " {} {tag}[{pid}]: ", from.host);
        }
        Header::Modern => {
            out.push_str("1 ");
            civil::iso_local(out, from.at);
            let _ = write!(out, " {} {tag} {pid} - - ", from.host);
        }
        Header::CalledUtc => {
            out.push_str("1 ");
            civil::iso_utc(out, from.at + civil::ZONE);
            let _ = write!(out, " {} {tag} {pid} - - ", from.host);
        }
    }
}

/// How somebody proves who they are to sshd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Password,
    Key,
}

pub fn ssh_accepted(out: &mut String, from: From<'_>, pid: u64, user: &str, address: IpAddr, port: u64, proof: Proof) {
    header(out, from, AUTH_INFO, "sshd", pid);
    let _ = match proof {
        Proof::Password => write!(out, "Accepted password for {user} from {address} port {port} ssh2"),
        Proof::Key => write!(
            out,
            "Accepted publickey for {user} from {address} port {port} ssh2: ED25519 SHA256:q7Xk1nZr0Wc3TjYb5uHsLd9EoVfGmAi2PpRtSxKyB4M"
        ),
    };
}

pub fn ssh_failed(out: &mut String, from: From<'_>, pid: u64, user: &str, is_known: bool, address: IpAddr, port: u64) {
    header(out, from, AUTH_INFO, "sshd", pid);
    let invalid = if is_known { "" } else { "invalid user " };
    let _ = write!(out, "Failed password for {invalid}{user} from {address} port {port} ssh2");
}

pub fn ssh_disconnected(out: &mut String, from: From<'_>, pid: u64, user: &str, address: IpAddr, port: u64) {
    header(out, from, AUTH_INFO, "sshd", pid);
    let _ = write!(out, "Disconnected from user {user} {address} port {port}");
}

/// Somebody who went away before saying who they are.
pub fn ssh_closed(out: &mut String, from: From<'_>, pid: u64, address: IpAddr, port: u64) {
    header(out, from, AUTH_INFO, "sshd", pid);
    let _ = write!(out, "Connection closed by {address} port {port} [preauth]");
}

/// `service` is the tag as well as PAM's service name.
pub fn session(out: &mut String, from: From<'_>, pid: u64, service: &str, user: &str, is_opened: bool) {
    header(out, from, AUTHPRIV_INFO, service, pid);
    let service = if service == "CRON" { "cron" } else { service };
    let _ = if is_opened {
        write!(out, "pam_unix({service}:session): session opened for user {user}(uid=1000) by (uid=0)")
    } else {
        write!(out, "pam_unix({service}:session): session closed for user {user}")
    };
}

pub fn sudo(out: &mut String, from: From<'_>, pid: u64, user: &str, directory: &str, command: &str) {
    header(out, from, AUTHPRIV_NOTICE, "sudo", pid);
    let _ = write!(out, "{user:>8} : TTY=pts/0 ; PWD={directory} ; USER=root ; COMMAND={command}");
}

pub fn cron(out: &mut String, from: From<'_>, pid: u64, user: &str, command: &str) {
    header(out, from, CRON_INFO, "CRON", pid);
    let _ = write!(out, "({user}) CMD ({command})");
}

pub fn useradd(out: &mut String, from: From<'_>, pid: u64, name: &str, uid: u64) {
    header(out, from, AUTHPRIV_INFO, "useradd", pid);
    let _ = write!(out, "new user: name={name}, UID={uid}, GID={uid}, home=/home/{name}, shell=/bin/bash, from=/dev/pts/0");
}

pub fn usermod_group(out: &mut String, from: From<'_>, pid: u64, name: &str, group: &str) {
    header(out, from, AUTHPRIV_INFO, "usermod", pid);
    let _ = write!(out, "add '{name}' to group '{group}'");
}

pub fn systemd(out: &mut String, from: From<'_>, message: &str) {
    header(out, from, DAEMON_INFO, "systemd", 1);
    out.push_str(message);
}

/// Whatever another daemon says.
pub fn daemon(out: &mut String, from: From<'_>, tag: &str, pid: u64, message: &str) {
    header(out, from, DAEMON_INFO, tag, pid);
    out.push_str(message);
}
