//! The system log of Okta as JSON objects.
//!
//! Reference: Okta, "System Log API: LogEvent object", "Event types".

use event::{Event, field};

use crate::{
    ecs,
    objects::{Objects, Product, To, Values, classify},
};

pub static OKTA: Objects = Objects::new(Product {
    name: "okta",
    dataset: "okta.system",
    prefix: "okta.",
    vendor: "Okta",
    product: "Okta",
    observer: "",
    marks: &[&["\"eventType\"", "\"published\"", "\"actor\"", "\"outcome\""]],
    not: &[],
    rows: &[
        ("published", To::Time("@timestamp")),
        ("eventType", To::Text("event.action")),
        ("displayMessage", To::Text("message")),
        ("severity", To::Lower("log.level")),
        ("outcome.result", To::Note),
        ("outcome.reason", To::Text("event.reason")),
        ("actor.alternateId", To::Note),
        ("actor.displayName", To::Note),
        ("actor.id", To::Text("user.id")),
        ("actor.detailEntry.ipAddress", To::Ip("source.ip")),
        ("client.ipAddress", To::Ip("source.ip")),
        ("client.ipAddress", To::Ip("client.ip")),
        ("client.userAgent.rawUserAgent", To::Text("user_agent.original")),
        ("client.device", To::Text("user_agent.device.name")),
        ("client.geographicalContext.country", To::Text("source.geo.country_name")),
        ("request.ipChain.ip", To::Ip("source.ip")),
        ("securityContext.domain", To::Text("source.domain")),
        ("securityContext.asOrg", To::Text("source.as.organization.name")),
        ("transaction.id", To::Note),
        ("debugContext.debugData.requestUri", To::Text("url.path")),
        ("debugContext.debugData.url", To::Note),
        ("target.alternateId", To::Note),
        ("target.displayName", To::Note),
        ("target.type", To::Note),
    ],
    open: &["target", "request.ipChain"],
    pairs: &[],
    wraps: &["json."],
    finish,
});

/// Starts of event types → categories, types.
const TYPES: &[(&str, &str, &str)] = &[
    ("user.session.start", "authentication session", "start user"),
    ("user.session.end", "authentication session", "end user"),
    ("user.session.", "authentication session", "info user"),
    ("user.authentication.sso", "authentication", "start user"),
    ("user.authentication.", "authentication", "start user"),
    ("policy.evaluate_sign_on", "authentication", "info"),
    ("user.account.lock", "iam", "user change"),
    ("user.account.", "iam", "user change"),
    ("user.lifecycle.create", "iam", "user creation"),
    ("user.lifecycle.delete", "iam", "user deletion"),
    ("user.lifecycle.", "iam", "user change"),
    ("user.mfa.", "iam", "user change"),
    ("group.user_membership.", "iam", "group change"),
    ("group.lifecycle.create", "iam", "group creation"),
    ("group.lifecycle.delete", "iam", "group deletion"),
    ("group.", "iam", "group change"),
    ("application.user_membership.", "iam", "user change"),
    ("application.lifecycle.", "configuration", "change"),
    ("app.user_management", "iam", "user change"),
    ("device.", "iam", "change"),
    ("policy.lifecycle.", "configuration", "change"),
    ("policy.rule.", "configuration", "change"),
    ("zone.", "configuration", "change"),
    ("system.api_token.", "configuration", "change"),
    ("security.threat.detected", "intrusion_detection threat", "info"),
    ("security.", "intrusion_detection", "info"),
];

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let action = values.text("eventType");
    let (_, categories, types) = TYPES.iter().find(|row| action.starts_with(row.0)).copied().unwrap_or(("", "", "info"));
    classify(event, "event", categories, types);
    match values.text("outcome.result") {
        "SUCCESS" | "ALLOW" => ecs::success(event),
        "FAILURE" | "DENY" => ecs::failure(event),
        "" => {}
        _ => event.set(field::EVENT_OUTCOME, "unknown"),
    }
    let id = values.text("actor.alternateId");
    if let Some((name, domain)) = id.split_once('@') {
        event.set(field::USER_EMAIL, id);
        actor(event, name);
        event.set(field::USER_DOMAIN, domain);
    } else if !id.is_empty() {
        actor(event, id);
    } else {
        actor(event, values.text("actor.displayName"));
    }
    if let Some(target) = values.get("target.alternateId").filter(|_| values.text("target.type") == "User") {
        ecs::user(event, field::USER_TARGET_NAME, target.split('@').next().unwrap_or(target));
    }
}

fn actor<'r>(event: &mut Event<'r>, name: &'r str) {
    if name.is_empty() {
        return;
    }
    ecs::user(event, field::USER_NAME, name);
    event.set(field::SOURCE_USER_NAME, name);
    event.set_named("client.user.name", name);
}
