//! Web servers: nginx (`combined`, and its error log) and Apache (`combined`), sent through the host's syslog.
//!
//! References: nginx `ngx_http_log_module` and `error_log … syslog:`; Apache HTTP Server, "Log Files".

use std::{fmt::Write as _, net::IpAddr};

use super::linux::{From, header};
use crate::demo::civil;

/// local7.info, nginx's default for `access_log syslog:`.
const ACCESS: u8 = 190;
/// local7.err.
const ERROR: u8 = 187;
/// local1.info, as httpd's `CustomLog "|/usr/bin/logger"` is usually set.
const APACHE: u8 = 142;

/// One request with its answer.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub client: IpAddr,
    pub method: &'a str,
    pub target: &'a str,
    pub status: u16,
    pub bytes: u64,
    pub referrer: &'a str,
    pub agent: &'a str,
}

pub fn nginx_access(out: &mut String, from: From<'_>, request: Request<'_>) {
    header_without_pid(out, from, ACCESS, "nginx");
    combined(out, from, request);
}

pub fn apache_access(out: &mut String, from: From<'_>, pid: u64, request: Request<'_>) {
    header(out, from, APACHE, "httpd", pid);
    combined(out, from, request);
}

fn combined(out: &mut String, from: From<'_>, r: Request<'_>) {
    let _ = write!(out, "{} - - [", r.client);
    civil::clf(out, from.at);
    let _ = write!(out, "] \"{} {} HTTP/1.1\" {} {} \"{}\" \"{}\"", r.method, r.target, r.status, r.bytes, r.referrer, r.agent);
}

pub fn nginx_error(out: &mut String, from: From<'_>, pid: u64, connection: u64, what: &str, request: Request<'_>) {
    header_without_pid(out, from, ERROR, "nginx");
    civil::nginx(out, from.at);
    let _ = write!(
        out,
        " [error] {pid}#{pid}: *{connection} {what}, client: {}, server: dichvucong.example.vn, request: \"{} {} HTTP/1.1\", host: \"dichvucong.example.vn\"",
        request.client, request.method, request.target
    );
}

/// nginx writes a tag without a process number.
fn header_without_pid(out: &mut String, from: From<'_>, priority: u8, tag: &str) {
    let _ = write!(out, "<{priority}>");
    civil::bsd(out, from.at);
    let _ = write!(out, " {} {tag}: ", from.host);
}
