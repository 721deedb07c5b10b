//! The mail service: Postfix and Dovecot, in the formats of their manuals, by syslog (facility mail).

use std::{fmt::Write as _, net::IpAddr};

use super::linux::{From, header};

const MAIL_INFO: u8 = 22;

pub fn received(out: &mut String, from: From<'_>, pid: u64, queue: u64, client: &str, address: IpAddr) {
    header(out, from, MAIL_INFO, "postfix/smtpd", pid);
    let _ = write!(out, "{queue:010X}: client={client}[{address}]");
}

pub fn queued(out: &mut String, from: From<'_>, pid: u64, queue: u64, sender: &str, size: u64, recipients: u64) {
    header(out, from, MAIL_INFO, "postfix/qmgr", pid);
    let _ = write!(out, "{queue:010X}: from=<{sender}>, size={size}, nrcpt={recipients} (queue active)");
}

pub fn delivered(out: &mut String, from: From<'_>, pid: u64, queue: u64, recipient: &str, delay_ms: u64) {
    header(out, from, MAIL_INFO, "postfix/lmtp", pid);
    let seconds = delay_ms as f64 / 1000.0;
    let _ = write!(
        out,
        "{queue:010X}: to=<{recipient}>, relay=127.0.0.1[127.0.0.1]:24, delay={seconds:.2}, delays=0.05/0/0.01/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok)"
    );
}

pub fn imap_login(out: &mut String, from: From<'_>, pid: u64, user: &str, address: IpAddr, inside: IpAddr) {
    header(out, from, MAIL_INFO, "dovecot", pid);
    let _ = write!(
        out,
        "imap-login: Login: user=<{user}>, method=PLAIN, rip={address}, lip={inside}, mpid={}, TLS, session=<{pid:x}Qa7Lk2>",
        pid + 3
    );
}

pub fn imap_failed(out: &mut String, from: From<'_>, pid: u64, user: &str, address: IpAddr, inside: IpAddr) {
    header(out, from, MAIL_INFO, "dovecot", pid);
    let _ = write!(
        out,
        "imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<{user}>, method=PLAIN, rip={address}, lip={inside}, TLS, session=<{pid:x}Zk3Tn8>"
    );
}
