//! Traefik access log in its common format: the combined line, then `requests "router" "server" duration`.
//!
//! Reference: Traefik documentation, "Access Logs", `format = "common"`.

use event::{Event, Outcome, RawRecord, field};

use crate::{Parser, Sniff, ecs, text, web};

const PREFIX: &str = "traefik.access.";

pub struct TraefikAccess;

impl Parser for TraefikAccess {
    fn name(&self) -> &'static str {
        "traefik_access"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["traefik"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(web::access(raw.text()).is_some_and(|access| access.virtual_host.is_none() && tail(access.rest).is_some()))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(access) = web::access(raw.text()) else { return Outcome::Unreadable("no access log line") };
        let Some(tail) = tail(access.rest) else { return Outcome::Unreadable("no Traefik access line") };
        event.set_dataset("traefik.access");
        crate::linux::software(event, "Traefik Labs", "Traefik", "traefik");
        web::set_access(raw, event, &access);
        event.set_extra(PREFIX, "request_count", tail.count);
        if !ecs::is_nothing(tail.router) {
            event.set(field::RULE_NAME, tail.router);
        }
        event.set_extra(PREFIX, "backend_url", tail.server);
        if let Ok(millis) = tail.millis.parse::<i64>() {
            event.set(field::EVENT_DURATION, millis.saturating_mul(1_000_000));
        }
        Outcome::Parsed
    }
}

/// What Traefik writes behind the agent.
pub struct Tail<'r> {
    count: &'r str,
    router: &'r str,
    server: &'r str,
    millis: &'r str,
}

/// ` 623 "router@docker" "http://203.0.113.9:80" 13ms`.
pub fn tail(rest: &str) -> Option<Tail<'_>> {
    let (count, rest) = text::digits(rest.trim_start_matches(' '));
    let (router, rest) = web::quoted(rest.strip_prefix(' ')?)?;
    let (server, rest) = web::quoted(rest.strip_prefix(' ')?)?;
    let millis = rest.strip_prefix(' ')?.trim_end().strip_suffix("ms")?;
    (!count.is_empty()).then_some(Tail { count, router, server, millis })
}
