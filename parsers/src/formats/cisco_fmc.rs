//! Audit log of the Cisco Firewall Management Center: `fmc1: an@192.0.2.7, System > Configuration, Page View`.
//!
//! Reference: "Cisco Secure Firewall Management Center Administration Guide", chapter "Auditing the System": date, host, sender,
//! `User_Name@User_IP, Subsystem, Action`. Some releases leave the line end in it as `x0a x00`.

use event::{Event, Outcome, RawRecord, field};

use crate::{Parser, Sniff, ecs, net};

const PREFIX: &str = "cisco.fmc.";

pub struct CiscoFmc;

impl Parser for CiscoFmc {
    fn name(&self) -> &'static str {
        "cisco_fmc"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::maybe_if(audit(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(audit) = audit(raw.text()) else {
            return Outcome::Unreadable("no audit record of the management center");
        };
        event.set_dataset("cisco.fmc");
        event.set(field::OBSERVER_VENDOR, "Cisco");
        event.set(field::OBSERVER_PRODUCT, "Firewall Management Center");
        event.set(field::OBSERVER_TYPE, "management");
        ecs::host(event, audit.host);
        net::account(event, audit.user);
        if ecs::ip(audit.address).is_some() {
            ecs::source(event, audit.address);
        }
        event.set_extra(PREFIX, "subsystem", audit.subsystem);
        event.set(field::MESSAGE, raw.text());
        let is = |words: &[&str]| words.iter().any(|word| audit.action.contains(word));
        let (category, kind): (_, &'static str) = match audit.subsystem {
            "Login" | "Logout" => ("authentication", if is(&["Logout", "logged out"]) { "end" } else { "start" }),
            "Task Queue" => ("process", "info"),
            _ if is(&["Page View", "View "]) => ("configuration", "access"),
            _ if is(&["Save", "Modif", "Create", "Delete", "Deploy", "Appl", "Import", "Add"]) => ("configuration", "change"),
            _ => ("configuration", "info"),
        };
        ecs::classify(event, &[category], &[kind]);
        event.set_present(field::EVENT_ACTION, audit.action);
        if is(&["Success", "success", "SUCCESS"]) {
            ecs::success(event);
        } else if is(&["Fail", "fail", "FAIL", "Denied"]) {
            ecs::failure(event);
        }
        Outcome::Parsed
    }
}

struct Audit<'r> {
    host: &'r str,
    user: &'r str,
    address: &'r str,
    subsystem: &'r str,
    action: &'r str,
}

fn audit(text: &str) -> Option<Audit<'_>> {
    let text = text.trim_end_matches([' ', '\n']);
    let text = text.strip_suffix("x00").map_or(text, str::trim_end);
    let text = text.strip_suffix("x0a").map_or(text, str::trim_end);
    let (host, rest) = text.split_once(": ")?;
    let (who, rest) = rest.split_once(", ")?;
    let (user, address) = who.rsplit_once('@')?;
    let (subsystem, action) = rest.rsplit_once(", ")?;
    let is_host = !host.is_empty() && host.len() <= 64 && !host.contains([' ', '@', '=', '"']);
    let is_user = !user.is_empty() && user.len() <= 64 && !user.contains([' ', ':', '=', '"']);
    let is_from = ecs::ip(address).is_some() || matches!(address, "localhost" | "Default User IP");
    (is_host && is_user && is_from && !subsystem.is_empty()).then_some(Audit { host, user, address, subsystem, action })
}
