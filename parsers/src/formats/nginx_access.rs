//! nginx access log: `combined`, `common` and their extensions.
//!
//! Reference: nginx documentation, ngx_http_log_module (`log_format combined`), ngx_http_core_module (variables).
//!
//! After the user agent, sites add fields of their own: a quoted `X-Forwarded-For`, bare numbers, or `key=value`. Those with
//! a known name fill ECS, all are kept under `nginx.access.*`. Apache's combined format is the same text: a bare combined
//! line without a program name is read here, one with a virtual host or in the common format by `apache_access`.

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    kv::{Pairs, Separator},
    text,
    web::{self, Access},
};

const PREFIX: &str = "nginx.access.";

pub struct NginxAccess;

impl Parser for NginxAccess {
    fn name(&self) -> &'static str {
        "nginx_access"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["nginx", "nginx_access"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        match web::access(raw.text()) {
            Some(access) => {
                let is_traefik = super::traefik_access::tail(access.rest).is_some();
                Sniff::yes_if(access.virtual_host.is_none() && access.agent.is_some() && !is_traefik)
            }
            None => Sniff::No,
        }
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(access) = web::access(raw.text()) else {
            return Outcome::Unreadable("no access log line");
        };
        event.set_dataset("nginx.access");
        crate::linux::software(event, "F5", "nginx", "nginx");
        web::set_access(raw, event, &access);
        extensions(event, &access);
        Outcome::Parsed
    }
}

fn extensions<'r>(event: &mut Event<'r>, access: &Access<'r>) {
    let mut rest = access.rest.trim_start_matches(' ');
    if let Some((forwarded, after)) = web::quoted(rest) {
        if !ecs::is_nothing(forwarded) {
            event.set_extra(PREFIX, "http_x_forwarded_for", forwarded);
            for part in forwarded.split(',') {
                if let Some(address) = ecs::ip(part.trim()) {
                    event.set(field::RELATED_IP, address);
                }
            }
        }
        rest = after.trim_start_matches(' ');
    }
    if memchr::memchr(b'=', rest.as_bytes()).is_none() {
        if !rest.is_empty() {
            event.set_extra(PREFIX, "rest", rest);
        }
        return;
    }
    let mut pairs = Pairs::new(rest, Separator::Blank);
    for pair in pairs.by_ref() {
        let value = pair.value(event);
        event.set_extra(PREFIX, pair.key, value);
        if !ecs::is_nothing(value) {
            known(event, pair.key, value);
        }
    }
    if let Some(problem) = pairs.problem() {
        event.problem(problem);
    }
}

fn known<'r>(event: &mut Event<'r>, key: &str, value: &'r str) {
    match key {
        "rt" | "request_time" => {
            if let Some(nanos) = text::seconds_to_nanos(value) {
                event.set(field::EVENT_DURATION, nanos);
            }
        }
        "host" | "http_host" | "server_name" | "vhost" | "server" => web::authority(event, value),
        "request_id" | "req_id" | "rid" => event.set(field::HTTP_REQUEST_ID, value),
        "request_length" | "rl" => drop(event.set_int(field::HTTP_REQUEST_BODY_BYTES, value)),
        "bytes_sent" => drop(event.set_int(field::HTTP_RESPONSE_BYTES, value)),
        "scheme" => event.set(field::URL_SCHEME, value),
        "ssl_protocol" => event.set(field::TLS_VERSION, value.strip_prefix("TLSv").unwrap_or(value)),
        "ssl_cipher" => event.set(field::TLS_CIPHER, value),
        _ => {}
    }
}
