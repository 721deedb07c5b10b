//! Apache httpd access log: `common`, `combined`, and both with a virtual host in front (`vhost_combined`).
//!
//! Reference: Apache HTTP Server documentation, mod_log_config (format strings) and "Log Files".
//!
//! The common format is read here whoever wrote it; the combined format without a virtual host only where the program is
//! named or configured, because nginx writes the same text.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, text, time, web};

pub struct ApacheAccess;

impl Parser for ApacheAccess {
    fn name(&self) -> &'static str {
        "apache_access"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["apache", "apache2", "httpd", "apache_access", "apache-access"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        match web::access(raw.text()) {
            Some(access) => Sniff::yes_if(access.virtual_host.is_some() || access.agent.is_none()),
            None => Sniff::yes_if(ssl_request(raw.text()).is_some()),
        }
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if let Some(entry) = ssl_request(raw.text()) {
            event.set_dataset("apache.access");
            crate::linux::software(event, "Apache", "HTTP Server", "apache2");
            ecs::classify(event, &["web"], &["access"]);
            event.set(field::TIMESTAMP, Value::Time(entry.stamp.resolve(raw)));
            web::client(event, entry.client);
            event.set(field::TLS_VERSION, entry.version);
            event.set(field::TLS_CIPHER, entry.cipher);
            web::request(event, entry.request);
            event.set_int(field::HTTP_RESPONSE_BODY_BYTES, entry.bytes);
            return Outcome::Parsed;
        }
        let Some(access) = web::access(raw.text()) else {
            return Outcome::Unreadable("no access log line");
        };
        event.set_dataset("apache.access");
        crate::linux::software(event, "Apache", "HTTP Server", "apache2");
        web::set_access(raw, event, &access);
        // `%D` (µs), `%I %O` (mod_logio) and the like carry no names: kept as they stand.
        let rest = access.rest.trim_matches(' ');
        if !rest.is_empty() {
            event.set_extra("apache.access.", "rest", rest);
        }
        if let Some(port) = access.virtual_host.and_then(|host| host.rsplit_once(':')).map(|(_, port)| port) {
            event.set_int(field::DESTINATION_PORT, port);
        }
        Outcome::Parsed
    }
}

struct SslRequest<'r> {
    stamp: time::Stamp,
    client: &'r str,
    version: &'r str,
    cipher: &'r str,
    request: &'r str,
    bytes: &'r str,
}

/// `[time] client TLSv1.2 cipher "request" bytes` (`ssl_request_log` of mod_ssl's example).
fn ssl_request(line: &str) -> Option<SslRequest<'_>> {
    let (stamp, rest) = time::clf(line.strip_prefix('[')?)?;
    let (client, rest) = text::word(rest.strip_prefix("] ")?);
    let (version, rest) = text::word(rest);
    let version = version.strip_prefix("TLSv").or_else(|| version.strip_prefix("SSLv"))?;
    let (cipher, rest) = text::word(rest);
    let (request, rest) = web::quoted(rest)?;
    Some(SslRequest { stamp, client, version, cipher, request, bytes: rest.trim() })
}
