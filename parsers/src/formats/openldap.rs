//! OpenLDAP `slapd`, statistics log: `conn=11 op=1 BIND dn="uid=an,ou=people,dc=example,dc=org" method=128`.
//!
//! Reference: slapd.conf(5) `loglevel stats`; the `Statslog` calls of `connection.c`, `bind.c`, `search.c`, `modify.c`, `result.c`.

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    kv::{Pairs, Separator},
    linux, text,
};

const PREFIX: &str = "openldap.";

pub struct OpenLdap;

impl Parser for OpenLdap {
    fn name(&self) -> &'static str {
        "openldap"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["slapd", "openldap"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(head(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let message = linux::begin(raw, event, "openldap.log");
        linux::software(event, "OpenLDAP", "OpenLDAP", "slapd");
        event.set(field::NETWORK_PROTOCOL, "ldap");
        let Some((verb, _)) = head(message) else {
            linux::act(event, "ldap_message", &["iam"], &["info"], None);
            return Outcome::Parsed;
        };
        let (categories, types): (&'static str, &'static str) = match verb {
            "BIND" => ("authentication", "start"),
            "UNBIND" => ("authentication", "end"),
            "MOD" | "MODRDN" | "PASSMOD" => ("configuration iam", "change"),
            "ADD" => ("configuration iam", "creation"),
            "DEL" => ("configuration iam", "deletion"),
            "SRCH" | "CMP" => ("database", "access"),
            "ACCEPT" => ("network", "connection start"),
            "closed" => ("network", "connection end"),
            _ => ("iam", "info"),
        };
        event.set(field::EVENT_ACTION, text::lower(event, verb));
        crate::pattern::words(event, field::EVENT_CATEGORY, categories);
        crate::pattern::words(event, field::EVENT_TYPE, types);
        for pair in Pairs::new(message, Separator::Blank) {
            set(event, pair.key, pair.value(event));
        }
        Outcome::Parsed
    }
}

/// `conn=11 op=1 VERB …`, `conn=11 fd=21 ACCEPT from IP=192.0.2.7:51000 (IP=0.0.0.0:389)`.
fn head(message: &str) -> Option<(&str, &str)> {
    let rest = message.trim_start_matches([' ', '"']).strip_prefix("conn=")?;
    let (number, rest) = text::digits(rest);
    let (scope, rest) = text::word(rest.strip_prefix(' ')?);
    let is = !number.is_empty() && (scope.starts_with("op=") || scope.starts_with("fd="));
    is.then_some(text::word(rest))
}

fn set<'r>(event: &mut Event<'r>, key: &'r str, value: &'r str) {
    match key {
        "dn" => {
            event.set_extra(PREFIX, "dn", value);
            account(event, value);
        }
        "IP" => {
            let (address, port) = value.rsplit_once(':').unwrap_or((value, ""));
            ecs::source(event, address);
            event.set_int(field::SOURCE_PORT, port);
        }
        "err" => {
            event.set(field::EVENT_CODE, value);
            event.set(field::EVENT_OUTCOME, if value == "0" { "success" } else { "failure" });
        }
        "text" => event.set_present(field::EVENT_REASON, value),
        "tls_ssf" | "conn" | "op" | "fd" | "method" | "mech" | "ssf" | "base" | "scope" | "filter" | "attr" | "tag"
        | "nentries" | "etime" | "qtime" | "id" | "authzid" => {
            event.set_extra(PREFIX, key, value);
        }
        _ => {}
    }
}

/// The account of a distinguished name: its first part; its domain is what the other parts say.
fn account<'r>(event: &mut Event<'r>, dn: &'r str) {
    let first = dn.split(',').next().unwrap_or(dn);
    if let Some((_, name)) = first.split_once('=') {
        ecs::user(event, field::USER_NAME, name);
    }
    let mut domain = bumpalo::collections::String::new_in(event.arena());
    for part in dn.split(',').skip(1).take(16) {
        if let Some((_, value)) = part.split_once('=') {
            if !domain.is_empty() {
                domain.push('.');
            }
            domain.push_str(value.trim());
        }
    }
    let domain = domain.into_bump_str();
    event.set_present(field::USER_DOMAIN, domain);
}
