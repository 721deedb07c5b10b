//! Zimbra: `mailbox.log` and `audit.log`, from the files or by syslog.
//!
//! Reference: Zimbra Collaboration Administrator Guide, "Monitoring: log files"; log4j pattern
//! `%d %-5p [%t] [%X{…}] %c - %m` with the context `name=…;mid=…;oip=…;ua=…;`.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, facts, linux, stamps, text};

const PREFIX: &str = "zimbra.";

pub struct Zimbra;

impl Parser for Zimbra {
    fn name(&self) -> &'static str {
        "zimbra"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["zimbra", "mailboxd", "zmmailboxd", "zimbramon"]
    }

    fn starts(&self) -> &'static [u8] {
        stamps::STARTS
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(stamps::leading(raw.text(), raw).is_some_and(|(_, rest)| head(rest).is_some()))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let (stamp, rest) = match stamps::leading(raw.text(), raw) {
            Some((micros, rest)) => (Some(micros), rest),
            None => (None, raw.text()),
        };
        if let Some(micros) = stamp {
            event.set(field::TIMESTAMP, Value::Time(micros));
        }
        let Some(head) = head(rest) else {
            let message = linux::begin(raw.with_text(rest), event, "zimbra.log");
            linux::software(event, "Synacor", "Zimbra", "zimbra");
            linux::act(event, "mail_message", &["email"], &["info"], None);
            facts::read(event, message);
            return Outcome::Parsed;
        };
        event.set_dataset("zimbra.log");
        event.set(field::EVENT_KIND, "event");
        linux::software(event, "Synacor", "Zimbra", "zimbra");
        event.set(field::LOG_LEVEL, text::lower(event, head.level));
        event.set_extra(PREFIX, "logger", head.logger);
        event.set_present(field::MESSAGE, head.message);
        context(event, head.context);
        security(event, head.logger, head.message);
        facts::read(event, head.message);
        Outcome::Parsed
    }
}

struct Head<'r> {
    level: &'r str,
    context: &'r str,
    logger: &'r str,
    message: &'r str,
}

/// ` INFO  [thread] [context] logger - message`.
fn head(text: &str) -> Option<Head<'_>> {
    let (level, rest) = text::word(text.trim_start());
    if !matches!(level, "INFO" | "WARN" | "ERROR" | "FATAL" | "DEBUG") {
        return None;
    }
    let (_, rest) = rest.trim_start().strip_prefix('[')?.split_once("] [")?;
    let (context, rest) = rest.split_once("] ")?;
    let (logger, message) = rest.split_once(" - ")?;
    (logger.len() <= 40 && !logger.contains(' ') && (context.is_empty() || context.contains('='))).then_some(Head {
        level,
        context,
        logger,
        message,
    })
}

fn context<'r>(event: &mut Event<'r>, context: &'r str) {
    let mut address = "";
    for part in context.split(';') {
        let Some((key, value)) = part.split_once('=') else { continue };
        match key {
            "name" => ecs::user(event, field::USER_NAME, value),
            // The address that a proxy passes on names the client; `ip` is the proxy then.
            "oip" => address = value.split(',').next().unwrap_or(value).trim(),
            "ip" if address.is_empty() => address = value,
            "ua" => event.set_present(field::USER_AGENT_ORIGINAL, value),
            "" => {}
            key => event.set_extra(PREFIX, key, value),
        }
    }
    ecs::source(event, address);
}

/// `cmd=Auth; account=an@example.org; protocol=soap; error=authentication failed for [an], invalid password;`.
fn security<'r>(event: &mut Event<'r>, logger: &str, message: &'r str) {
    let Some(start) = message.find("cmd=").filter(|_| logger == "security") else {
        // `handler exception: authentication failed for [an@example.org], invalid password`, by any logger.
        const REFUSED: &str = "authentication failed for [";
        if let Some(at) = message.find(REFUSED)
            && let Some((account, reason)) = message[at + REFUSED.len()..].split_once(']')
        {
            if !event.has(field::USER_NAME) {
                ecs::user(event, field::USER_NAME, account);
            }
            event.set_present(field::EVENT_REASON, reason.trim_start_matches([',', ' ']));
            return linux::act(event, "login", &["authentication"], &["start"], Some("failure"));
        }
        return linux::act(event, "mail_message", &["email"], &["info"], None);
    };
    let mut failed = false;
    for part in message[start..].split(';') {
        let Some((key, value)) = part.trim().split_once('=') else { continue };
        match key {
            "cmd" => event.set(field::EVENT_ACTION, text::lower(event, value)),
            "account" => ecs::user(event, field::USER_NAME, value),
            "error" => {
                failed = true;
                event.set(field::EVENT_REASON, value);
            }
            "protocol" => event.set(field::NETWORK_PROTOCOL, value),
            _ => {}
        }
    }
    event.set(field::EVENT_CATEGORY, "authentication");
    event.set(field::EVENT_TYPE, "start");
    event.set(field::EVENT_OUTCOME, if failed { "failure" } else { "success" });
}
