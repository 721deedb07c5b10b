//! Brocade and Ruckus FastIron switches: `Security: SSH login by an from src IP 192.0.2.9 …`, `System: Interface ethernet 1/1/1,
//! state up`.
//!
//! Reference: Ruckus, "FastIron Monitoring Configuration Guide": "Syslog messages".

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff,
    phrases::{self, Class, LOGIN, LOGIN_FAILED, LOGOUT, NETWORK, Phrase},
    vendor::{self, Means},
};

pub struct FastIron;

const USER: Option<Means> = Some(Means::User(field::USER_NAME));
const FROM: Option<Means> = Some(Means::Ip(field::SOURCE_IP));
const MAC: Option<Means> = Some(Means::Mac(field::SOURCE_MAC));
const PORT: Option<Means> = Some(Means::Text(field::OBSERVER_INGRESS_INTERFACE_NAME));
const CHANGED: Class = phrases::CONFIGURED;

const PHRASES: &[Phrase] = &[
    Phrase { text: "* login by * from src IP * from src MAC * to", means: &[None, USER, FROM, MAC], class: LOGIN },
    Phrase { text: "* login by * from src IP *,", means: &[None, USER, FROM], class: LOGIN },
    Phrase { text: "* login by * from src IP * ", means: &[None, USER, FROM], class: LOGIN },
    Phrase { text: "* logout by * from src IP * from src MAC * from", means: &[None, USER, FROM, MAC], class: LOGOUT },
    Phrase { text: "* logout by * from src IP * ", means: &[None, USER, FROM], class: LOGOUT },
    Phrase { text: "* terminated by * from src IP * from src MAC * from", means: &[None, USER, FROM, MAC], class: LOGOUT },
    Phrase { text: "* access by * from src IP * from src MAC * , ", means: &[None, USER, FROM, MAC], class: LOGIN },
    Phrase { text: "* access denied from src IP * ", means: &[None, FROM], class: LOGIN_FAILED },
    Phrase { text: "startup-config was changed by * from * client *", means: &[USER, None, FROM], class: CHANGED },
    Phrase { text: "running-config was changed by * from * client *", means: &[USER, None, FROM], class: CHANGED },
    Phrase { text: "running-config was changed by *", means: &[USER], class: CHANGED },
    Phrase { text: "Interface ethernet *, state *", means: &[PORT, None], class: NETWORK },
    Phrase { text: "VLAN * Port * STP State -> ", means: &[None, PORT], class: NETWORK },
];

const HEADS: [&str; 3] = ["Security: ", "System: ", "STP: "];

impl Parser for FastIron {
    fn name(&self) -> &'static str {
        "fastiron"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["Security", "STP", "System", "PORT", "CHASSIS_TRAP", "dot1x"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        Sniff::yes_if(
            HEADS.iter().any(|head| text.starts_with(head))
                && (text.contains(" from src IP ") || text.contains("-config was changed by ") || text.contains("STP State ->")),
        )
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = HEADS.iter().find_map(|head| raw.text().strip_prefix(head)).unwrap_or(raw.text());
        let program = event.text(field::LOG_SYSLOG_APPNAME).unwrap_or_default();
        let is_own = text.starts_with("PoE: ")
            || text.starts_with("Interface ethernet ")
            || text.starts_with("Stack unit ")
            || matches!(program, "STP" | "CHASSIS_TRAP");
        if !phrases::read(raw, event, PHRASES, text) {
            if !is_own {
                return Outcome::Unreadable("no FastIron message");
            }
            phrases::classify(event, &NETWORK);
        }
        event.set_dataset("ruckus.fastiron");
        vendor::device(event, "Brocade", "FastIron", "switch");
        event.set(field::MESSAGE, raw.text());
        vendor::conclude(event);
        Outcome::Parsed
    }
}
