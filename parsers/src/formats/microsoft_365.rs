//! The unified audit log of Microsoft 365 (Office 365 Management Activity API) as JSON objects.
//!
//! Reference: Microsoft, "Office 365 Management Activity API schema" (common schema, AuditLogRecordType, the schemas by
//! workload: Exchange, SharePoint, Azure AD, DLP, security and compliance alerts, Teams).

use event::{Event, field};

use crate::{
    ecs,
    objects::{Objects, Product, To, Values, classify},
};

pub static MICROSOFT_365: Objects = Objects::new(Product {
    name: "microsoft_365",
    dataset: "o365.audit",
    prefix: "o365.audit.",
    vendor: "Microsoft",
    product: "Microsoft 365",
    observer: "",
    marks: &[
        &["\"RecordType\"", "\"Operation\"", "\"CreationTime\""],
        &["\"RecordType\"", "\"OrganizationId\"", "\"UserType\""],
        &["\"o365audit\""],
        &["\"ClientIP\"", "\"CreationTime\"", "\"RecordType\""],
        &["\"ClientIPAddress\"", "\"CreationTime\"", "\"RecordType\""],
    ],
    not: &["\"AdvancedHunting-"],
    rows: &[
        ("CreationTime", To::Utc("@timestamp")),
        ("RecordType", To::Note),
        ("Workload", To::Text("service.name")),
        ("Operation", To::Text("event.action")),
        ("ResultStatus", To::Note),
        ("ExtendedProperties.ResultStatusDetail", To::Note),
        ("ClientIPAddress", To::Note),
        ("ClientIP", To::Note),
        ("ActorIpAddress", To::Note),
        ("OriginatingServer", To::Note),
        ("UserId", To::Text("user.id")),
        ("UserId", To::Mail("user")),
        ("MailboxOwnerUPN", To::Mail("user")),
        ("UserKey", To::Note),
        ("UserType", To::Note),
        ("TargetUserOrGroupName", To::User("user.target.name")),
        ("GroupName", To::Text("group.name")),
        ("OrganizationName", To::Text("organization.name")),
        ("DeviceProperties.DisplayName", To::Host("host.name")),
        ("DeviceProperties.OS", To::Text("user_agent.os.full")),
        ("ExtendedProperties.UserAgent", To::Text("user_agent.original")),
        ("ExtendedProperties.extendedAuditEventCategory", To::Note),
        ("UserAgent", To::Text("user_agent.original")),
        ("ClientInfoString", To::Text("user_agent.original")),
        ("ObjectId", To::Note),
        ("SiteUrl", To::Note),
        ("EventDeepLink", To::Url),
        ("Url", To::Url),
        ("SourceFileName", To::Text("file.name")),
        ("SourceFileExtension", To::Text("file.extension")),
        ("FileData.FileName", To::Text("file.name")),
        ("FileData.SHA256", To::Hash("file.hash")),
        ("FileData.FilePath", To::Url),
        ("SharePointMetaData.FileName", To::Text("file.name")),
        ("FileSizeBytes", To::Int("file.size")),
        ("PolicyDetails.Rules.RuleId", To::Text("rule.id")),
        ("PolicyDetails.Rules.RuleName", To::Text("rule.name")),
        ("PolicyId", To::Text("rule.id")),
        ("Name", To::Text("rule.name")),
        ("Category", To::Text("rule.category")),
        ("AlertEntityId", To::Note),
        ("EntityType", To::Text("rule.ruleset")),
        ("Severity", To::Lower("log.level")),
        ("Data.an", To::Text("rule.name")),
        ("Data.cid", To::Text("rule.id")),
        ("Data.mat", To::Text("rule.category")),
        ("Data.etype", To::Text("rule.ruleset")),
        ("Data.Severity", To::Lower("log.level")),
        ("Data.ad", To::Text("event.reason")),
        ("Data.tsd", To::Text("email.from.address")),
        ("Data.trc", To::Text("email.to.address")),
        ("Data.ms", To::Text("email.subject")),
        ("Data.Entities.Sender", To::Text("email.from.address")),
        ("Data.Entities.Recipient", To::Text("email.to.address")),
        ("Data.Entities.Subject", To::Text("email.subject")),
        ("Data.Entities.InternetMessageId", To::Note),
        ("P1Sender", To::Text("email.from.address")),
        ("P2Sender", To::Text("email.from.address")),
        ("Recipients", To::Text("email.to.address")),
        ("Subject", To::Text("email.subject")),
        ("Item.Subject", To::Text("email.subject")),
        ("InternetMessageId", To::Note),
        ("Item.InternetMessageId", To::Note),
        ("LogonError", To::Text("event.reason")),
        ("Actor.ID", To::Note),
        ("Id", To::Note),
    ],
    open: &["PolicyDetails", "PolicyDetails.Rules", "Data", "Data.Entities", "Actor"],
    pairs: &[("ExtendedProperties", "Name", "Value"), ("DeviceProperties", "Name", "Value"), ("Parameters", "Name", "Value")],
    wraps: &["o365audit.", "o365.audit."],
    finish,
});

/// Numbers of record types (AuditLogRecordType) that a province meets.
const RECORD_TYPES: &[(&str, &str)] = &[
    ("1", "ExchangeAdmin"),
    ("2", "ExchangeItem"),
    ("3", "ExchangeItemGroup"),
    ("4", "SharePoint"),
    ("6", "SharePointFileOperation"),
    ("7", "OneDrive"),
    ("8", "AzureActiveDirectory"),
    ("9", "AzureActiveDirectoryAccountLogon"),
    ("10", "DataCenterSecurityCmdlet"),
    ("11", "ComplianceDLPSharePoint"),
    ("13", "ComplianceDLPExchange"),
    ("14", "SharePointSharingOperation"),
    ("15", "AzureActiveDirectoryStsLogon"),
    ("16", "SkypeForBusinessPSTNUsage"),
    ("17", "SkypeForBusinessUsersBlocked"),
    ("18", "SecurityComplianceCenterEOPCmdlet"),
    ("19", "ExchangeAggregatedOperation"),
    ("20", "PowerBIAudit"),
    ("21", "CRM"),
    ("22", "Yammer"),
    ("23", "SkypeForBusinessCmdlets"),
    ("24", "Discovery"),
    ("25", "MicrosoftTeams"),
    ("28", "ThreatIntelligence"),
    ("29", "MailSubmission"),
    ("30", "MicrosoftFlow"),
    ("31", "AeD"),
    ("32", "MicrosoftStream"),
    ("33", "ComplianceDLPSharePointClassification"),
    ("34", "ThreatFinder"),
    ("35", "Project"),
    ("36", "SharePointListOperation"),
    ("37", "SharePointCommentOperation"),
    ("38", "DataGovernance"),
    ("39", "Kaizala"),
    ("40", "SecurityComplianceAlerts"),
    ("41", "ThreatIntelligenceUrl"),
    ("42", "SecurityComplianceInsights"),
    ("43", "MIPLabel"),
    ("44", "WorkplaceAnalytics"),
    ("45", "PowerAppsApp"),
    ("46", "PowerAppsPlan"),
    ("47", "ThreatIntelligenceAtpContent"),
    ("48", "LabelContentExplorer"),
    ("49", "TeamsHealthcare"),
    ("50", "ExchangeItemAggregated"),
    ("51", "HygieneEvent"),
    ("52", "DataInsightsRestApiAudit"),
    ("53", "InformationBarrierPolicyApplication"),
    ("54", "SharePointListItemOperation"),
    ("55", "SharePointContentTypeOperation"),
    ("56", "SharePointFieldOperation"),
    ("57", "MicrosoftTeamsAdmin"),
    ("58", "HRSignal"),
    ("59", "MicrosoftTeamsDevice"),
    ("60", "MicrosoftTeamsAnalytics"),
    ("61", "InformationWorkerProtection"),
    ("62", "Campaign"),
    ("63", "DLPEndpoint"),
    ("64", "AirInvestigation"),
    ("65", "Quarantine"),
    ("66", "MicrosoftForms"),
    ("68", "ComplianceSupervisionExchange"),
];

/// Operations → categories and types; `*` at the end stands for any rest.
const OPERATIONS: &[(&str, &str, &str)] = &[
    ("UserLoggedIn", "authentication web", "start access info"),
    ("UserLoginFailed", "authentication web", "start access info"),
    ("UserLoggedOff", "authentication", "end info"),
    ("MailboxLogin", "authentication web", "start info"),
    ("FileAccessed*", "file web", "access info"),
    ("FilePreviewed", "file web", "access info"),
    ("FileDownloaded", "file web", "access info"),
    ("FileSyncDownloaded*", "file web", "access info"),
    ("FileUploaded*", "file web", "creation info"),
    ("FileSyncUploaded*", "file web", "creation info"),
    ("FileCopied", "file web", "creation info"),
    ("FileModified*", "file web", "change info"),
    ("FileMoved", "file web", "change info"),
    ("FileRenamed", "file web", "change info"),
    ("FileRestored", "file web", "change info"),
    ("FileDeleted*", "file web", "deletion info"),
    ("FileRecycled", "file web", "deletion info"),
    ("Folder*", "file web", "change info"),
    ("AddedToSecureLink", "file web", "access info"),
    ("ManagedSyncClientAllowed", "file web", "access info"),
    ("ComplianceSettingChanged", "file web", "change info"),
    ("DLPRuleMatch", "file web", "access info"),
    ("DlpRuleMatch", "file web", "access info"),
    ("DLPRuleUndo", "file web", "access info"),
    ("GroupCreation", "iam web", "group creation info"),
    ("GroupDeletion", "iam web", "group deletion info"),
    ("Add user*", "iam web", "user creation info"),
    ("Delete user*", "iam web", "user deletion info"),
    ("Update user*", "iam web", "user change info"),
    ("Disable account*", "iam web", "user change info"),
    ("Enable account*", "iam web", "user change info"),
    ("Change user password*", "iam web", "user change info"),
    ("Reset user password*", "iam web", "user change info"),
    ("Add group*", "iam web", "group creation info"),
    ("Delete group*", "iam web", "group deletion info"),
    ("Update group*", "iam web", "group change info"),
    ("Add member to *", "iam web", "group change info"),
    ("Remove member from *", "iam web", "group change info"),
    ("Consent to application*", "iam web", "change info"),
    ("Add *", "iam web", "creation info"),
    ("Remove *", "iam web", "deletion info"),
    ("Update *", "iam web", "change info"),
    ("Set *", "iam web", "change info"),
    ("Add-MailboxPermission", "iam web", "change info"),
    ("New-*", "configuration web", "creation info"),
    ("Set-*", "configuration web", "change info"),
    ("Remove-*", "configuration web", "deletion info"),
    ("Add-*", "configuration web", "creation info"),
    ("AlertTriggered", "intrusion_detection web", "info"),
    ("AlertEntityGenerated", "intrusion_detection web", "info"),
    ("AlertUpdated", "intrusion_detection web", "info"),
];

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let record = values.text("RecordType");
    let name = RECORD_TYPES.iter().find(|(number, _)| *number == record).map_or(record, |(_, name)| name);
    event.set_present(field::EVENT_CODE, name);
    let operation = values.text("Operation");
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => operation.starts_with(start),
        None => operation == pattern,
    };
    let is_alert = operation.starts_with("Alert")
        || operation.eq_ignore_ascii_case("DlpRuleMatch")
        || matches!(record, "11" | "13" | "28" | "41" | "47" | "64");
    let kind = if is_alert { "alert" } else { "event" };
    let known = OPERATIONS.iter().find(|(pattern, _, _)| matches(pattern));
    let (categories, types) = match (known, record) {
        (Some((_, categories, types)), _) => (*categories, *types),
        (None, "2" | "3" | "50") => ("email file web", "info"),
        (None, "25" | "57") => ("network web", "info"),
        (None, _) => ("web", "info"),
    };
    classify(event, kind, categories, types);
    // An audit record is written of what was done; only a failure says so.
    let status = values.text("ResultStatus");
    let is_failure = status.eq_ignore_ascii_case("false")
        || status.to_ascii_lowercase().starts_with("fail")
        || matches!(operation, "UserLoginFailed")
        || status == "PartiallySucceeded";
    event.set(field::EVENT_OUTCOME, if is_failure { "failure" } else { "success" });
    client(values, event);
    for id in ["Data.Entities.InternetMessageId", "InternetMessageId", "Item.InternetMessageId"] {
        if let Some(id) = values.get(id) {
            event.set_named("email.message_id", id.trim_matches(['<', '>']));
            break;
        }
    }
    let object = values.text("ObjectId");
    let url = [object, values.text("SiteUrl")].into_iter().find(|text| text.starts_with("http"));
    if let Some(url) = url
        && !values.has(event, field::URL_ORIGINAL)
    {
        crate::web::url(event, url);
    }
}

/// The client's address: `192.0.2.1`, `192.0.2.1:123`, `[2001:db8::1]:123`, `[NAME (192.0.2.1)]`.
fn client<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let text = ["ClientIPAddress", "ClientIP", "ActorIpAddress"]
        .into_iter()
        .filter_map(|path| values.get(path))
        .find_map(|text| address(text).map(|found| (found.0, found.1)));
    if let Some((ip, port)) = text {
        let ip = ip.strip_prefix("::ffff:").unwrap_or(ip);
        ecs::ip_only(event, field::SOURCE_IP, ip);
        event.set_ip(field::CLIENT_IP, ip);
        if let Some(port) = port {
            event.set_int(field::SOURCE_PORT, port);
        }
        event.set_named("network.type", if ip.contains(':') { "ipv6" } else { "ipv4" });
    }
    // `NAME (192.0.2.1)`; the brackets may hold a version instead.
    if let Some((name, inside)) = values.get("OriginatingServer").and_then(|server| server.split_once(" (")) {
        let inside = inside.split(')').next().unwrap_or(inside);
        if inside.split('.').all(|part| part.parse::<u8>().is_ok()) && ecs::ip_only(event, field::DESTINATION_IP, inside) {
            event.set_ip(field::SERVER_IP, inside);
        }
        event.set_named("server.domain", name);
    }
}

fn address(text: &str) -> Option<(&str, Option<&str>)> {
    let inner = match text.rsplit_once('(') {
        Some((_, inside)) => inside.split(')').next().unwrap_or(inside),
        None => text,
    };
    if ecs::ip(inner).is_some() {
        return Some((inner.trim_matches(['[', ']']), None));
    }
    let (host, port) = inner.rsplit_once(':')?;
    ecs::ip(host).map(|_| (host.trim_matches(['[', ']']), Some(port)))
}
