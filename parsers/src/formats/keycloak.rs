//! Keycloak server log: user and administrator events (`[org.keycloak.events] (…) type=LOGIN_ERROR, realmId=…, …`) and the rest.
//!
//! Reference: Keycloak Server Administration Guide, "Auditing and events"; `JBossLoggingEventListenerProvider`.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, keys::KeyTable, linux, stamps, text, web};

const PREFIX: &str = "keycloak.";

pub struct Keycloak;

impl Parser for Keycloak {
    fn name(&self) -> &'static str {
        "keycloak"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["keycloak"]
    }

    fn starts(&self) -> &'static [u8] {
        stamps::STARTS
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(
            stamps::leading(raw.text(), raw).is_some_and(|(_, rest)| head(rest).is_some_and(|head| is_own(head.logger))),
        )
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let (stamp, rest) = match stamps::leading(raw.text(), raw) {
            Some((micros, rest)) => (Some(micros), rest),
            None => (None, raw.text()),
        };
        let Some(head) = head(rest) else { return Outcome::Unreadable("no Keycloak line") };
        if let Some(micros) = stamp {
            event.set(field::TIMESTAMP, Value::Time(micros));
        }
        event.set_dataset("keycloak.log");
        event.set(field::EVENT_KIND, "event");
        linux::software(event, "Keycloak", "Keycloak", "keycloak");
        event.set(field::LOG_LEVEL, head.level);
        event.set_extra(PREFIX, "logger", head.logger);
        event.set_present(field::MESSAGE, head.message);
        if head.message.starts_with("type=") || head.message.starts_with("operationType=") {
            events(event, head.message);
        } else {
            event.set(field::EVENT_TYPE, "info");
        }
        Outcome::Parsed
    }
}

fn is_own(logger: &str) -> bool {
    ["org.keycloak", "org.key.", "org.wildfly", "org.jboss", "io.quarkus", "org.infinispan"]
        .iter()
        .any(|head| logger.starts_with(head))
}

struct Head<'r> {
    level: &'r str,
    logger: &'r str,
    message: &'r str,
}

/// ` WARN  [org.keycloak.events] (executor-thread-1) message`.
fn head(text: &str) -> Option<Head<'_>> {
    let (level, rest) = text::word(text.trim_start());
    if !matches!(level, "INFO" | "WARN" | "ERROR" | "FATAL" | "DEBUG" | "TRACE" | "WARNING" | "SEVERE") {
        return None;
    }
    let (logger, rest) = text::split(rest.trim_start().strip_prefix('[')?, b']')?;
    let (_, message) = rest.trim_start().strip_prefix('(')?.split_once(") ")?;
    Some(Head { level, logger, message })
}

/// What types of events are about, where the name does not say it itself.
static TYPES: LazyLock<KeyTable<(&'static str, &'static str)>> = LazyLock::new(|| {
    KeyTable::new(&[
        ("LOGIN", ("authentication", "start")),
        ("LOGOUT", ("authentication", "end")),
        ("REGISTER", ("iam", "user creation")),
        ("REGISTER_ERROR", ("iam", "user creation denied")),
        ("UPDATE_PASSWORD", ("iam", "user change")),
        ("UPDATE_EMAIL", ("iam", "user change")),
        ("UPDATE_PROFILE", ("iam", "user change")),
        ("UPDATE_TOTP", ("iam", "user change")),
        ("REMOVE_TOTP", ("iam", "user change")),
        ("DELETE_ACCOUNT", ("iam", "user deletion")),
        ("CREATE", ("iam configuration", "creation")),
        ("UPDATE", ("iam configuration", "change")),
        ("DELETE", ("iam configuration", "deletion")),
        ("ACTION", ("iam configuration", "change")),
    ])
});

/// `type=LOGIN_ERROR, realmId=…, ipAddress=192.0.2.7, error=user_not_found, username=an`; newer releases quote the values.
pub fn events<'r>(event: &mut Event<'r>, text: &'r str) {
    let mut rest = text;
    let mut failed = false;
    let (mut kind, mut resource) = ("", "");
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_start_matches([',', ' ']);
        let (value, next) = match web::quoted(after) {
            Some(parts) => parts,
            None => after.split_at(after.find(", ").unwrap_or(after.len())),
        };
        rest = next;
        if key.is_empty() || key.contains(' ') {
            continue;
        }
        event.set_extra(PREFIX, key, value);
        if ecs::is_nothing(value) {
            continue;
        }
        match key {
            "type" | "operationType" => {
                kind = value;
                failed |= value.ends_with("_ERROR");
            }
            "resourceType" => resource = value,
            "resourcePath" => {
                // Of an admin's event: what was changed.
                if let Some(id) = value.strip_prefix("groups/") {
                    event.set(field::GROUP_ID, id.split('/').next().unwrap_or(id));
                } else if let Some(id) = value.strip_prefix("users/") {
                    event.set_named("user.target.id", id.split('/').next().unwrap_or(id));
                }
            }
            "error" => {
                failed = true;
                event.set_named("error.code", value);
                event.set(field::EVENT_REASON, value);
            }
            "ipAddress" => ecs::source(event, value),
            "username" => ecs::user(event, field::USER_NAME, value),
            "userId" => event.set(field::USER_ID, value),
            "redirect_uri" => web::url(event, value),
            _ => {}
        }
    }
    // The kind of an admin's event says little without what it was done to: `CREATE-USER`.
    let code = if resource.is_empty() { kind } else { text::join(event, kind, "-", resource) };
    event.set_present(field::EVENT_ACTION, code);
    event.set_present(field::EVENT_CODE, code);
    let (categories, types) = TYPES.get(kind).unwrap_or(("authentication", "info"));
    crate::pattern::words(event, field::EVENT_CATEGORY, categories);
    crate::pattern::words(event, field::EVENT_TYPE, types);
    if failed {
        event.set(field::EVENT_TYPE, "denied");
    }
    event.set(field::EVENT_OUTCOME, if failed { "failure" } else { "success" });
}
