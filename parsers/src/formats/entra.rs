//! Microsoft Entra ID (Azure AD) sign-in and audit logs, as Azure Monitor streams them.
//!
//! Reference: Microsoft, "Interpret the sign-in log schema in Azure Monitor", "Interpret the audit log schema", "Risk detections",
//! "Microsoft Graph activity logs".

use event::{Event, field};

use crate::{
    ecs,
    objects::{Objects, Product, To, Values, classify},
};

pub static ENTRA: Objects = Objects::new(Product {
    name: "entra",
    dataset: "azure.entra",
    prefix: "azure.",
    vendor: "Microsoft",
    product: "Entra ID",
    observer: "",
    marks: &[
        &["\"category\"", "\"operationName\"", "SignInLogs\""],
        &["\"category\"", "\"operationName\"", "\"AuditLogs\""],
        &["\"category\"", "\"operationName\"", "\"UserRiskEvents\""],
        &["\"category\"", "\"operationName\"", "\"RiskyUsers\""],
        &["\"category\"", "\"operationName\"", "\"ProvisioningLogs\""],
        &["\"category\"", "\"operationName\"", "\"MicrosoftGraphActivityLogs\""],
        &["\"userPrincipalName\"", "\"conditionalAccessStatus\"", "\"createdDateTime\""],
    ],
    not: &[],
    rows: &[
        ("time", To::Time("@timestamp")),
        ("properties.activityDateTime", To::Time("@timestamp")),
        ("properties.createdDateTime", To::Time("@timestamp")),
        ("createdDateTime", To::Time("@timestamp")),
        ("category", To::Note),
        ("operationName", To::Text("event.action")),
        ("Level", To::Text("log.level")),
        ("level", To::Text("log.level")),
        ("durationMs", To::Millis),
        ("resultType", To::Note),
        ("resultSignature", To::Note),
        ("resultDescription", To::Note),
        ("properties.result", To::Note),
        ("properties.resultReason", To::Text("event.reason")),
        ("properties.status.errorCode", To::Note),
        ("status.errorCode", To::Note),
        ("properties.status.failureReason", To::Note),
        ("status.failureReason", To::Note),
        ("properties.status.additionalDetails", To::Note),
        ("properties.riskEventType", To::Text("event.reason")),
        ("properties.riskType", To::Text("event.reason")),
        ("callerIpAddress", To::Ip("source.ip")),
        ("properties.ipAddress", To::Ip("source.ip")),
        ("ipAddress", To::Ip("source.ip")),
        ("properties.initiatedBy.user.ipAddress", To::Ip("source.ip")),
        ("properties.userId", To::Text("user.id")),
        ("properties.initiatedBy.user.id", To::Text("user.id")),
        ("properties.initiatedBy.app.servicePrincipalId", To::Text("user.id")),
        ("userId", To::Text("user.id")),
        ("properties.userPrincipalName", To::Note),
        ("userPrincipalName", To::Note),
        ("properties.initiatedBy.user.userPrincipalName", To::User("user.name")),
        ("properties.initiatedBy.user.displayName", To::User("user.full_name")),
        ("identity", To::Note),
        ("properties.targetResources.userPrincipalName", To::User("user.target.name")),
        ("properties.targetResources.id", To::Text("user.target.id")),
        ("properties.targetResources.displayName", To::Note),
        ("properties.targetResources.type", To::Note),
        ("properties.userAgent", To::Text("user_agent.original")),
        ("userAgent", To::Text("user_agent.original")),
        ("properties.additionalInfo.userAgent", To::Text("user_agent.original")),
        ("properties.additionalDetails.User-Agent", To::Text("user_agent.original")),
        ("properties.deviceDetail.displayName", To::Host("host.name")),
        ("properties.deviceDetail.displayName", To::Text("host.hostname")),
        ("deviceDetail.displayName", To::Host("host.name")),
        ("properties.deviceDetail.operatingSystem", To::Text("host.os.name")),
        ("properties.resourceDisplayName", To::Text("service.name")),
        ("properties.appDisplayName", To::Text("azure.app_display_name")),
        ("properties.location.countryOrRegion", To::Text("source.geo.country_iso_code")),
        ("properties.location.city", To::Text("source.geo.city_name")),
        ("properties.requestMethod", To::Text("http.request.method")),
        ("properties.requestUri", To::Url),
        ("properties.responseStatusCode", To::Int("http.response.status_code")),
        ("properties.riskLevelDuringSignIn", To::Note),
    ],
    open: &["properties.targetResources"],
    pairs: &[("properties.additionalInfo", "Key", "Value"), ("properties.additionalDetails", "key", "value")],
    wraps: &[],
    finish,
});

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let category = values.text("category");
    let is_sign_in = category.ends_with("SignInLogs") || category.is_empty();
    if is_sign_in {
        classify(event, "event", "authentication", "start");
    } else if category.contains("Risk") {
        classify(event, "alert", "iam", "connection info");
    } else {
        classify(event, "event", "iam", kind(event.text(field::EVENT_ACTION).unwrap_or_default()));
    }
    event.set_named("service.type", "ldap");
    if event.text(field::SERVICE_NAME).is_none() {
        event.set(field::SERVICE_NAME, "Azure Active Directory");
    }
    let code = ["properties.status.errorCode", "status.errorCode", "resultType"].into_iter().find_map(|path| values.get(path));
    if is_sign_in && let Some(code) = code {
        if code == "0" {
            ecs::success(event);
        } else {
            ecs::failure(event);
        }
        event.set_named("error.code", code);
    }
    match values.text("properties.result").to_ascii_lowercase().as_str() {
        "success" => ecs::success(event),
        "failure" | "timeout" => ecs::failure(event),
        _ => {}
    }
    let first = |paths: &[&str]| paths.iter().find_map(|path| values.get(path));
    if is_sign_in {
        if let Some(text) = first(&[
            "properties.status.additionalDetails",
            "resultDescription",
            "properties.status.failureReason",
            "status.failureReason",
        ]) {
            event.set(field::ERROR_MESSAGE, text);
        }
        if let Some(text) = first(&["resultDescription", "properties.status.failureReason", "status.failureReason"])
            && event.text(field::EVENT_REASON).is_none()
        {
            event.set(field::EVENT_REASON, text);
        }
    }
    if let Some(mail) = first(&["properties.userPrincipalName", "userPrincipalName"]) {
        event.set(field::USER_EMAIL, mail);
        if event.text(field::USER_NAME).is_none() {
            ecs::user(event, field::USER_NAME, mail);
        }
    }
}

/// The type of an audited operation by its first word.
fn kind(operation: &str) -> &'static str {
    let subject = if operation.contains("group") { "group" } else { "user" };
    match (operation.split(' ').next().unwrap_or_default(), subject) {
        ("Add" | "Create" | "Invite" | "Register", "group") => "group creation",
        ("Add" | "Create" | "Invite" | "Register", _) => "user creation",
        ("Delete" | "Remove" | "Unregister" | "Hard", "group") => "group deletion",
        ("Delete" | "Remove" | "Unregister" | "Hard", _) => "user deletion",
        (_, "group") => "group change",
        _ => "user change",
    }
}
