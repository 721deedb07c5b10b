//! Remote controllers of servers: Dell iDRAC (`Severity: …, Category: …, MessageID: …, Message: …`) and HPE iLO (`#ILO5 …`).
//!
//! Reference: Dell, "Event and error message reference" (message ids of the Lifecycle log), HPE, "iLO user guide: event log,
//! remote syslog".

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff,
    phrases::{self, Class, DEVICE, LOGIN, LOGIN_FAILED, LOGOUT, Phrase},
    text,
    vendor::{self, Means},
};

pub struct Bmc;

const USER: Option<Means> = Some(Means::Account(field::USER_NAME));
const FROM: Option<Means> = Some(Means::Peer(field::SOURCE_IP, field::SOURCE_ADDRESS));
const POWER: Class = Class::new(&["host"], &["change"], "power-changed", "");

const PHRASES: &[Phrase] = &[
    Phrase { text: "Successfully logged in using *, from * and *", means: &[USER, FROM, None], class: LOGIN },
    Phrase { text: "Unable to log in for * from * using *", means: &[USER, FROM, None], class: LOGIN_FAILED },
    Phrase { text: "Login attempt alert for * from * using *", means: &[USER, FROM, None], class: LOGIN_FAILED },
    Phrase { text: "The session for * from * using * is logged off", means: &[USER, FROM, None], class: LOGOUT },
    Phrase { text: "Browser login: * - *(", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "Browser logout: * - *(", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "SSH login: * - *(", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "SSH logout: * - *(", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "Browser login failure from: *(", means: &[FROM], class: LOGIN_FAILED },
    Phrase { text: "SSH login failure from: *(", means: &[FROM], class: LOGIN_FAILED },
    Phrase { text: "XML login: * - *(", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "XML logout: * - *(", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "Server reset", means: &[], class: POWER },
    Phrase { text: "Server power", means: &[], class: POWER },
    Phrase { text: "The server power action is initiated", means: &[], class: POWER },
];

impl Parser for Bmc {
    fn name(&self) -> &'static str {
        "bmc"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["Severity", "#ILO4", "#ILO5", "#ILO6"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(idrac(raw.text()).is_some() || ilo(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = raw.text();
        if let Some([severity, category, id, message]) = idrac(text) {
            event.set_dataset("dell.idrac");
            if event.text(field::PROCESS_NAME) == Some("Severity") {
                event.remove(field::PROCESS_NAME);
                event.remove(field::LOG_SYSLOG_APPNAME);
            }
            vendor::device(event, "Dell", "iDRAC", "management");
            event.set(field::LOG_LEVEL, text::lower(event, severity));
            event.set(field::EVENT_PROVIDER, category);
            event.set(field::EVENT_CODE, id);
            sentence(raw, event, message);
            return Outcome::Parsed;
        }
        let is_ilo = event.text(field::LOG_SYSLOG_APPNAME).is_some_and(|name| name.starts_with("#ILO"));
        match ilo(text).or(is_ilo.then_some(text)) {
            Some(message) => {
                event.set_dataset("hpe.ilo");
                vendor::device(event, "HPE", "iLO", "management");
                sentence(raw, event, message);
                Outcome::Parsed
            }
            None => Outcome::Unreadable("no iDRAC and no iLO message"),
        }
    }
}

fn idrac(text: &str) -> Option<[&str; 4]> {
    // The envelope takes the first word for a tag.
    let (severity, rest) = text.strip_prefix("Severity: ").unwrap_or(text).split_once(", Category: ")?;
    if severity.len() > 16 {
        return None;
    }
    let (category, rest) = rest.split_once(", MessageID: ")?;
    let (id, message) = rest.split_once(", Message: ")?;
    Some([severity, category, id, message])
}

/// `#ILO4 - - - Browser login: …`, what is left of an RFC 5424 head without its version.
fn ilo(text: &str) -> Option<&str> {
    let at = crate::text::find(&text.as_bytes()[..text.len().min(120)], b"#ILO")?;
    let (_, rest) = text[at..].split_once(' ')?;
    Some(rest.trim_start_matches(['-', ' ']))
}

fn sentence<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    event.set(field::MESSAGE, text);
    if !phrases::read(raw, event, PHRASES, text) {
        phrases::classify(event, &DEVICE);
    }
}
