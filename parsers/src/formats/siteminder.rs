//! Broadcom (CA) SiteMinder policy server: its access log, `AuthAccept host [23/Nov/2026:10:00:00 +0700] "client user" "agent
//! METHOD resource" [session] [reason] …`.
//!
//! Reference: Broadcom, "SiteMinder: policy server log: access log format" (event names, reasons).

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, text, time, vendor, web};

pub struct SiteMinder;

const EVENTS: [&str; 13] = [
    "AuthAccept",
    "AuthReject",
    "AuthAttempt",
    "AuthChallenge",
    "AuthLogout",
    "AzAccept",
    "AzReject",
    "AdminLogin",
    "AdminLogout",
    "AdminReject",
    "ValidateAccept",
    "ValidateReject",
    "Visit",
];

/// Names of the reasons by their number; further ones keep the number.
const REASONS: [&str; 33] = [
    "None",
    "PwMustChange",
    "InvalidSession",
    "RevokedSession",
    "ExpiredSession",
    "AuthLevelTooLow",
    "UnknownUser",
    "UserDisabled",
    "InvalidSessionId",
    "InvalidSessionIp",
    "CertificateRevoked",
    "CRLOutOfDate",
    "CertRevokedKeyCompromised",
    "CertRevokedAffiliationChange",
    "CertOnHold",
    "TokenCardChallenge",
    "ImpersonatedUserNotInDir",
    "Anonymous",
    "PwWillExpire",
    "PwExpired",
    "ImmedPWChangeRequired",
    "PWChangeFailed",
    "BadPWChange",
    "PWChangeAccepted",
    "ExcessiveFailedLoginAttempts",
    "AccountInactivity",
    "NoRedirectConfigured",
    "ErrorMessageIsRedirect",
    "Next_Tokencode",
    "New_PIN_Select",
    "New_PIN_Sys_Tokencode",
    "New_User_PIN_Tokencode",
    "New_PIN_Accepted",
];

impl Parser for SiteMinder {
    fn name(&self) -> &'static str {
        "siteminder"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(head(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some((action, host, stamp, rest)) = head(raw.text()) else {
            return Outcome::Unreadable("no SiteMinder access record");
        };
        event.set_dataset("siteminder.access");
        event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        vendor::observer(event, "Broadcom", "Siteminder", "uam");
        event.set_named("observer.hostname", host);
        event.set(field::OBSERVER_NAME, host);
        event.set(field::EVENT_ACTION, action);
        let (who, rest) = web::quoted(rest.trim_start()).unwrap_or(("", rest));
        let (what, rest) = web::quoted(rest.trim_start()).unwrap_or(("", rest));
        set_client(event, who);
        let method = set_request(event, what);
        classify(event, action, method);
        // `[session] [reason] …`
        let reason = rest.split('[').nth(2).and_then(|rest| rest.split(']').next()).unwrap_or_default();
        match reason.parse::<usize>().ok().and_then(|number| REASONS.get(number)) {
            Some(name) => event.set(field::EVENT_REASON, text::concat(event.arena(), ["Sm_Api_Reason_", name])),
            None => event.set_present(field::EVENT_REASON, reason),
        }
        Outcome::Parsed
    }
}

fn head(text: &str) -> Option<(&str, &str, time::Stamp, &str)> {
    let (action, rest) = text::word(text);
    if !EVENTS.contains(&action) {
        return None;
    }
    let (host, rest) = text::word(rest);
    let (stamp, rest) = time::clf(rest.trim_start().strip_prefix('[')?)?;
    Some((action, host, stamp, rest.strip_prefix(']')?))
}

/// `192.0.2.10 uid=an,ou=People`: the client, and the account as a name or as its distinguished name.
fn set_client<'r>(event: &mut Event<'r>, text: &'r str) {
    let (address, user) = text::word(text);
    ecs::ip_only(event, field::CLIENT_IP, address);
    ecs::ip_only(event, field::SOURCE_IP, address);
    let first = user.split(',').next().unwrap_or_default();
    let name = first.split_once('=').map_or(first, |(_, name)| name).trim();
    if !name.is_empty() {
        ecs::user(event, field::USER_NAME, name);
        event.set_named("client.user.name", name);
    }
}

/// `agent METHOD /resource`.
fn set_request<'r>(event: &mut Event<'r>, text: &'r str) -> &'r str {
    let (agent, rest) = text::word(text);
    let (method, resource) = text::word(rest);
    if !agent.is_empty() {
        event.set_extra("siteminder.", "agent", agent);
    }
    event.set_present(field::HTTP_REQUEST_METHOD, method);
    if !resource.is_empty() {
        web::url(event, resource);
    }
    method
}

fn classify(event: &mut Event<'_>, action: &str, method: &str) {
    let is_refused = action.ends_with("Reject");
    if action.starts_with("Az") || action == "Visit" {
        let kind = match method {
            "PUT" | "PATCH" | "POST" => "change",
            "DELETE" => "deletion",
            _ => "access",
        };
        ecs::classify(event, &["web"], &[kind]);
    } else {
        ecs::classify(event, &["authentication"], &[if action.ends_with("Logout") { "end" } else { "start" }]);
    }
    event.set(field::EVENT_TYPE, if is_refused { "denied" } else { "allowed" });
    if is_refused {
        ecs::failure(event);
    } else if !matches!(action, "AuthAttempt" | "AuthChallenge") {
        ecs::success(event);
    }
}
