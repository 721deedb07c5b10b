//! Apache httpd access log: `common`, `combined`, and both with a virtual host in front (`vhost_combined`).
//!
//! Reference: Apache HTTP Server documentation, mod_log_config (format strings) and "Log Files".
//!
//! The common format is read here whoever wrote it; the combined format without a virtual host only where the program is
//! named or configured, because nginx writes the same text.

use event::{Event, Outcome, RawRecord, field};

use crate::{Parser, Sniff, web};

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
            None => Sniff::No,
        }
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(access) = web::access(raw.text()) else {
            return Outcome::Unreadable("no access log line");
        };
        event.set_dataset("apache.access");
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
