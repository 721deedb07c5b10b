//! Microsoft Defender XDR: advanced hunting tables as the streaming API sends them, incidents and alerts of its APIs, and the
//! alerts of Defender for Endpoint.
//!
//! Reference: Microsoft, "Advanced hunting schema tables", "Streaming API", "List incidents", "Alert resource type" (Microsoft
//! Graph security and Defender for Endpoint).

use event::{Event, Value, field};

use crate::{
    ecs,
    objects::{Objects, Product, Row, SEVERITIES, To, Values, classify},
};

/// Advanced hunting: `{"category":"AdvancedHunting-DeviceEvents","properties":{…}}`.
pub static DEFENDER_HUNTING: Objects = Objects::new(Product {
    name: "defender_hunting",
    dataset: "m365_defender.event",
    prefix: "m365_defender.event.",
    vendor: "Microsoft",
    product: "Defender XDR",
    observer: "",
    marks: &[&["\"AdvancedHunting-"]],
    not: &[],
    rows: HUNTING,
    open: &[
        "properties.AdditionalFields",
        "properties.AdditionalFields.ImageFile.FileHashes",
        "properties.LoggedOnUsers",
        "properties.IPAddresses",
    ],
    pairs: &[],
    wraps: &[],
    finish: hunting,
});

const HUNTING: &[Row] = &[
    ("category", To::Note),
    ("properties.Timestamp", To::Time("@timestamp")),
    ("time", To::Time("@timestamp")),
    ("properties.ActionType", To::Note),
    ("properties.Action", To::Text("event.action")),
    ("properties.DeliveryAction", To::Text("event.action")),
    ("properties.FailureReason", To::Text("event.reason")),
    ("properties.DeviceName", To::Host("host.name")),
    ("properties.DeviceId", To::Text("host.id")),
    ("properties.PublicIP", To::Ip("host.ip")),
    ("properties.MacAddress", To::Mac("host.mac")),
    ("properties.IPAddresses.IPAddress", To::Ip("host.ip")),
    ("properties.OSPlatform", To::Text("host.os.name")),
    ("properties.OSVersion", To::Text("host.os.version")),
    ("properties.AccountName", To::User("user.name")),
    ("properties.InitiatingProcessAccountName", To::User("user.name")),
    ("properties.AccountDisplayName", To::User("user.name")),
    ("properties.AccountDomain", To::Text("user.domain")),
    ("properties.InitiatingProcessAccountDomain", To::Text("user.domain")),
    ("properties.AccountSid", To::Text("user.id")),
    ("properties.AccountObjectId", To::Text("user.id")),
    ("properties.AccountId", To::Text("user.id")),
    ("properties.InitiatingProcessAccountSid", To::Text("user.id")),
    ("properties.AccountUpn", To::Text("user.email")),
    ("properties.InitiatingProcessAccountUpn", To::Text("user.email")),
    ("properties.InitiatingProcessAccountName", To::Text("source.user.name")),
    ("properties.InitiatingProcessAccountDomain", To::Text("source.user.domain")),
    ("properties.TargetAccountUpn", To::User("user.target.name")),
    ("properties.TargetAccountDisplayName", To::User("user.target.name")),
    ("properties.LoggedOnUsers.UserName", To::User("user.name")),
    ("properties.LoggedOnUsers.DomainName", To::Text("user.domain")),
    ("properties.LoggedOnUsers.Sid", To::Text("user.id")),
    ("properties.LogonType", To::Text("winlog.logon.type")),
    ("properties.LocalIP", To::Note),
    ("properties.LocalPort", To::Note),
    ("properties.RemoteIP", To::Note),
    ("properties.RemotePort", To::Note),
    ("properties.RemoteUrl", To::Note),
    ("properties.RemoteDeviceName", To::Note),
    ("properties.IPAddress", To::Ip("source.ip")),
    ("properties.Port", To::Int("source.port")),
    ("properties.RawEventData.ClientIPAddress", To::Peer("source.ip", "source.address")),
    ("properties.RawEventData.ClientIP", To::Peer("source.ip", "source.address")),
    ("properties.SenderIPv4", To::Ip("source.ip")),
    ("properties.SenderIPv6", To::Ip("source.ip")),
    ("properties.DestinationIPAddress", To::Ip("destination.ip")),
    ("properties.DestinationPort", To::Int("destination.port")),
    ("properties.DestinationDeviceName", To::Text("destination.domain")),
    ("properties.AdditionalFields.Source Mac", To::Mac("destination.mac")),
    ("properties.AdditionalFields.Destination Mac", To::Mac("source.mac")),
    ("properties.Protocol", To::Lower("network.protocol")),
    ("properties.RequestProtocol", To::Lower("network.protocol")),
    ("properties.ServiceSource", To::Text("service.name")),
    ("properties.DetectionSource", To::Text("service.type")),
    ("properties.FileName", To::Note),
    ("properties.FolderPath", To::Note),
    ("properties.MD5", To::Note),
    ("properties.SHA1", To::Note),
    ("properties.SHA256", To::Note),
    ("properties.FileSize", To::Note),
    ("properties.FileType", To::Text("file.extension")),
    ("properties.ProcessCommandLine", To::Note),
    ("properties.ProcessId", To::Note),
    ("properties.InitiatingProcessFileName", To::Note),
    ("properties.InitiatingProcessFolderPath", To::Note),
    ("properties.InitiatingProcessCommandLine", To::Note),
    ("properties.InitiatingProcessId", To::Note),
    ("properties.InitiatingProcessMD5", To::Note),
    ("properties.InitiatingProcessSHA1", To::Note),
    ("properties.InitiatingProcessSHA256", To::Note),
    ("properties.InitiatingProcessParentFileName", To::Note),
    ("properties.InitiatingProcessParentId", To::Note),
    ("properties.ParentProcessName", To::Text("process.parent.name")),
    ("properties.ParentProcessId", To::Int("process.parent.pid")),
    ("properties.ProcessName", To::Text("process.name")),
    ("properties.AdditionalFields.ProcessId", To::Int("process.pid")),
    ("properties.AdditionalFields.CommandLine", To::Command("process.command_line")),
    ("properties.AdditionalFields.ParentProcess.ProcessId", To::Int("process.parent.pid")),
    ("properties.AdditionalFields.ParentProcess.CommandLine", To::Text("process.parent.command_line")),
    ("properties.AdditionalFields.ImageFile.Name", To::Text("file.name")),
    ("properties.AdditionalFields.ImageFile.SizeInBytes", To::Int("file.size")),
    ("properties.AdditionalFields.Name", To::Note),
    ("properties.AdditionalFields.ImageFile.FileHashes.Value", To::Hash("file.hash")),
    ("properties.RegistryKey", To::Note),
    ("properties.RegistryValueName", To::Text("registry.value")),
    ("properties.PreviousRegistryValueName", To::Text("registry.value")),
    ("properties.RegistryValueData", To::Text("registry.data.strings")),
    ("properties.RegistryValueType", To::Text("registry.data.type")),
    ("properties.Url", To::Url),
    ("properties.UrlDomain", To::Text("url.domain")),
    ("properties.UserAgent", To::Text("user_agent.original")),
    ("properties.RawEventData.ClientInfoString", To::Text("user_agent.original")),
    ("properties.SenderFromAddress", To::Text("email.from.address")),
    ("properties.SenderMailFromAddress", To::Text("email.from.address")),
    ("properties.RecipientEmailAddress", To::Text("email.to.address")),
    ("properties.Subject", To::Text("email.subject")),
    ("properties.InternetMessageId", To::Note),
    ("properties.Title", To::Text("rule.name")),
    ("properties.Category", To::Text("rule.category")),
    ("properties.Severity", To::Numbers("event.severity", SEVERITIES)),
    ("properties.Query", To::Text("dns.question.name")),
    ("properties.QueryType", To::Note),
    ("properties.AlertId", To::Note),
];

/// Tables → categories, types.
const TABLES: &[(&str, &str, &str)] = &[
    ("AlertInfo", "threat", "indicator"),
    ("AlertEvidence", "threat", "indicator"),
    ("CloudAppEvents", "network", "info"),
    ("CloudProcessEvents", "process", "info"),
    ("CloudStorageAggregatedEvents", "network", "info"),
    ("DeviceEvents", "host", "info"),
    ("DeviceFileCertificateInfo", "file", "info"),
    ("DeviceFileEvents", "file", "info"),
    ("DeviceImageLoadEvents", "library process", "info"),
    ("DeviceInfo", "host", "info"),
    ("DeviceLogonEvents", "authentication session", "info"),
    ("DeviceNetworkEvents", "network", "info"),
    ("DeviceNetworkInfo", "network host", "info"),
    ("DeviceProcessEvents", "process", "info"),
    ("DeviceRegistryEvents", "registry process", "change info"),
    ("EmailAttachmentInfo", "email file", "info"),
    ("EmailEvents", "email", "info"),
    ("EmailPostDeliveryEvents", "email", "info"),
    ("EmailUrlInfo", "email", "info"),
    ("MessageEvents", "email", "info"),
    ("MessagePostDeliveryEvents", "email", "info"),
    ("IdentityDirectoryEvents", "iam", "info"),
    ("IdentityLogonEvents", "authentication", "info"),
    ("IdentityQueryEvents", "iam", "info"),
    ("UrlClickEvents", "web", "info"),
];

/// Actions that say more of the type than their table.
const ACTIONS: &[(&str, &str)] = &[
    ("ProcessCreated", "start"),
    ("FileCreated", "creation"),
    ("FileModified", "change"),
    ("FileDeleted", "deletion"),
    ("FileRenamed", "change"),
    ("ConnectionSuccess", "connection"),
    ("ConnectionFailed", "connection"),
    ("ConnectionAttempt", "connection"),
    ("ConnectionRequest", "connection"),
    ("InboundConnectionAccepted", "connection"),
    ("LogonSuccess", "start"),
    ("LogonFailed", "start"),
    ("ClickAllowed", "allowed"),
    ("ClickBlocked", "denied"),
];

fn hunting<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let table = values.text("category").strip_prefix("AdvancedHunting-").unwrap_or_default();
    let action = values.text("properties.ActionType");
    let (_, categories, types) = TABLES.iter().find(|row| row.0 == table).copied().unwrap_or(("", "", "info"));
    let kind = if table == "AlertInfo" { "alert" } else { "event" };
    classify(event, kind, categories, types);
    if let Some((_, kind)) = ACTIONS.iter().find(|row| row.0 == action) {
        event.set(field::EVENT_TYPE, *kind);
    }
    if !values.has(event, field::EVENT_ACTION) && !action.is_empty() {
        let mut word = bumpalo::collections::String::with_capacity_in(action.len(), event.arena());
        word.extend(action.chars().map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }));
        event.set(field::EVENT_ACTION, word.into_bump_str());
    }
    let lower = action.to_ascii_lowercase();
    if lower.ends_with("success") || lower.ends_with("succeeded") {
        ecs::success(event);
    } else if lower.ends_with("failed") || values.get("properties.FailureReason").is_some() {
        ecs::failure(event);
    }
    processes(values, event, table);
    peers(values, event, action);
    if let Some(id) = values.get("properties.InternetMessageId") {
        event.set_named("email.message_id", id);
    }
    if let Some(key) = values.get("properties.RegistryKey") {
        let path = match values.get("properties.RegistryValueName") {
            Some(value) => crate::text::join(event, key, "\\", value),
            None => key,
        };
        event.set(field::REGISTRY_PATH, path);
        event.set_named("registry.key", key);
    }
}

/// In process events the object is the new process and the initiator its parent; in all others the initiator is the process.
fn processes<'r>(values: &Values<'r, '_>, event: &mut Event<'r>, table: &str) {
    let get = |path: &str| values.get(path);
    let number = |event: &mut Event<'r>, field, path: &str| {
        if let Some(text) = values.get(path).filter(|text| *text != "0") {
            event.set_int(field, text);
        }
    };
    let is_process = matches!(table, "DeviceProcessEvents" | "CloudProcessEvents") && get("properties.FileName").is_some();
    let initiator = get("properties.InitiatingProcessFileName");
    let path = get("properties.InitiatingProcessFolderPath");
    if is_process {
        put(event, "process.name", get("properties.FileName"));
        put(event, "process.executable", get("properties.FolderPath"));
        command(event, get("properties.ProcessCommandLine"));
        number(event, field::PROCESS_PID, "properties.ProcessId");
        put(event, "process.parent.name", initiator);
        put(event, "process.parent.executable", path);
        put(event, "process.parent.command_line", get("properties.InitiatingProcessCommandLine"));
        number(event, field::PROCESS_PARENT_PID, "properties.InitiatingProcessId");
    } else {
        put(event, "process.name", initiator.or(get("properties.ProcessName")));
        put(event, "process.executable", path);
        command(event, get("properties.InitiatingProcessCommandLine").or(get("properties.ProcessCommandLine")));
        number(event, field::PROCESS_PID, "properties.InitiatingProcessId");
        put(event, "process.parent.name", get("properties.InitiatingProcessParentFileName"));
        number(event, field::PROCESS_PARENT_PID, "properties.InitiatingProcessParentId");
        put(event, "process.hash.md5", get("properties.InitiatingProcessMD5"));
        put(event, "process.hash.sha1", get("properties.InitiatingProcessSHA1"));
        put(event, "process.hash.sha256", get("properties.InitiatingProcessSHA256"));
    }
    put(event, "file.name", get("properties.FileName"));
    put(event, "file.path", get("properties.FolderPath"));
    for (path, set) in
        [("properties.MD5", "file.hash.md5"), ("properties.SHA1", "file.hash.sha1"), ("properties.SHA256", "file.hash.sha256")]
    {
        if let Some(hash) = get(path) {
            put(event, set, Some(hash));
            event.set(field::RELATED_HASH, hash);
        }
    }
    number(event, field::FILE_SIZE, "properties.FileSize");
}

/// Sets a field by its ECS name; the last one wins.
fn put<'r>(event: &mut Event<'r>, name: &'static str, value: Option<&'r str>) {
    if let Some(value) = value {
        event.set_named(name, value);
    }
}

fn command<'r>(event: &mut Event<'r>, line: Option<&'r str>) {
    if let Some(line) = line {
        event.remove(field::PROCESS_ARGS);
        event.set(field::PROCESS_COMMAND_LINE, line);
        crate::windows::arguments(event, field::PROCESS_ARGS, line);
    }
}

/// The device's own address is the source, unless the connection came in.
fn peers<'r>(values: &Values<'r, '_>, event: &mut Event<'r>, action: &str) {
    let is_inbound = action.starts_with("Inbound");
    let ip = |event: &mut Event<'r>, field, path: &str| {
        if let Some(text) = values.get(path) {
            ecs::ip_only(event, field, text.strip_prefix("::ffff:").unwrap_or(text));
        }
    };
    let port = |event: &mut Event<'r>, field, path: &str| {
        if let Some(text) = values.get(path) {
            event.set_int(field, text);
        }
    };
    let (local, local_port, remote, remote_port) = if is_inbound {
        (field::DESTINATION_IP, field::DESTINATION_PORT, field::SOURCE_IP, field::SOURCE_PORT)
    } else {
        (field::SOURCE_IP, field::SOURCE_PORT, field::DESTINATION_IP, field::DESTINATION_PORT)
    };
    ip(event, local, "properties.LocalIP");
    port(event, local_port, "properties.LocalPort");
    ip(event, remote, "properties.RemoteIP");
    port(event, remote_port, "properties.RemotePort");
    if let Some(name) = values.get("properties.RemoteDeviceName") {
        event.set(if is_inbound { field::SOURCE_DOMAIN } else { field::DESTINATION_DOMAIN }, name);
    }
    if let Some(url) = values.get("properties.RemoteUrl")
        && !values.has(event, field::URL_ORIGINAL)
    {
        crate::web::url(event, url);
    }
    if is_inbound {
        event.set(field::NETWORK_DIRECTION, "inbound");
    }
}

/// Incidents and alerts of Defender XDR and alerts of Defender for Endpoint.
pub static DEFENDER_ALERT: Objects = Objects::new(Product {
    name: "defender_alert",
    dataset: "m365_defender.alert",
    prefix: "m365_defender.alert.",
    vendor: "Microsoft",
    product: "",
    observer: "",
    marks: &[
        &["\"detectionSource\"", "\"investigationState\""],
        &["\"detectionSource\"", "\"serviceSource\"", "\"alert"],
        &["\"incidentName\"", "\"redirectIncidentId\""],
        &["\"incidentWebUrl\"", "\"redirectIncidentId\""],
    ],
    not: &[],
    rows: &[
        ("lastUpdateTime", To::Time("@timestamp")),
        ("lastUpdateDateTime", To::Time("@timestamp")),
        ("alertCreationTime", To::Time("@timestamp")),
        ("createdDateTime", To::Time("@timestamp")),
        ("createdTime", To::Time("@timestamp")),
        ("incidentId", To::Note),
        ("incidentName", To::Note),
        ("displayName", To::Note),
        ("title", To::Text("rule.name")),
        ("alerts.title", To::Text("rule.name")),
        ("description", To::Text("message")),
        ("alerts.description", To::Text("message")),
        ("severity", To::Numbers("event.severity", ALERT_SEVERITIES)),
        ("alerts.severity", To::Numbers("event.severity", ALERT_SEVERITIES)),
        ("status", To::Note),
        ("investigationState", To::Note),
        ("category", To::Text("event.action")),
        ("alerts.category", To::Text("event.action")),
        ("category", To::Text("rule.category")),
        ("alerts.category", To::Text("rule.category")),
        ("threatFamilyName", To::Text("threat.software.name")),
        ("threatName", To::Text("threat.software.name")),
        ("mitreTechniques", To::Text("threat.technique.id")),
        ("alerts.mitreTechniques", To::Text("threat.technique.id")),
        ("detectionSource", To::Note),
        ("serviceSource", To::Note),
        ("alerts.serviceSource", To::Text("observer.name")),
        ("alerts.detectionSource", To::Note),
        ("firstEventTime", To::Time("event.start")),
        ("alerts.firstActivity", To::Time("event.start")),
        ("alerts.firstActivityDateTime", To::Time("event.start")),
        ("lastEventTime", To::Time("event.end")),
        ("alerts.lastActivity", To::Time("event.end")),
        ("alerts.lastActivityDateTime", To::Time("event.end")),
        ("assignedTo", To::Text("source.user.name")),
        ("computerDnsName", To::Host("host.name")),
        ("computerDnsName", To::Text("host.hostname")),
        ("machineId", To::Text("host.id")),
        ("alerts.devices.deviceDnsName", To::Host("host.name")),
        ("alerts.evidence.deviceDnsName", To::Host("host.name")),
        ("alerts.evidence.detectionStatus", To::Text("event.action")),
        ("relatedUser.userName", To::User("user.name")),
        ("relatedUser.domainName", To::Text("user.domain")),
        ("evidence.accountName", To::User("user.name")),
        ("evidence.domainName", To::Text("user.domain")),
        ("evidence.userSid", To::Text("user.id")),
        ("evidence.userPrincipalName", To::Text("user.email")),
        ("evidence.entityType", To::Note),
        ("evidence.fileName", To::Text("file.name")),
        ("evidence.filePath", To::Text("file.path")),
        ("evidence.sha1", To::Hash("file.hash")),
        ("evidence.sha256", To::Hash("file.hash")),
        ("evidence.processCommandLine", To::Command("process.command_line")),
        ("evidence.processId", To::Int("process.pid")),
        ("evidence.parentProcessId", To::Int("process.parent.pid")),
        ("evidence.ipAddress", To::Ip("source.ip")),
        ("evidence.url", To::Url),
        ("evidence.registryKey", To::Text("registry.path")),
        ("alerts.entities.entityType", To::Note),
        ("alerts.entities.accountName", To::User("user.name")),
        ("alerts.entities.domainName", To::Text("user.domain")),
        ("alerts.entities.userPrincipalName", To::Text("user.email")),
        ("alerts.entities.fileName", To::Text("file.name")),
        ("alerts.entities.filePath", To::Text("file.path")),
        ("alerts.entities.sha1", To::Hash("file.hash")),
        ("alerts.entities.sha256", To::Hash("file.hash")),
        ("alerts.entities.processCommandLine", To::Command("process.command_line")),
        ("alerts.entities.processId", To::Int("process.pid")),
        ("alerts.entities.parentProcessId", To::Int("process.parent.pid")),
        ("alerts.entities.ipAddress", To::Ip("source.ip")),
        ("alerts.entities.url", To::Url),
        ("alerts.evidence.fileDetails.fileName", To::Text("file.name")),
        ("alerts.evidence.fileDetails.filePath", To::Text("file.path")),
        ("alerts.evidence.fileDetails.fileSize", To::Int("file.size")),
        ("alerts.evidence.fileDetails.sha1", To::Hash("file.hash")),
        ("alerts.evidence.fileDetails.sha256", To::Hash("file.hash")),
        ("alerts.evidence.imageFile.fileName", To::Text("file.name")),
        ("alerts.evidence.imageFile.filePath", To::Text("file.path")),
        ("alerts.evidence.imageFile.fileSize", To::Int("file.size")),
        ("alerts.evidence.imageFile.sha1", To::Hash("file.hash")),
        ("alerts.evidence.imageFile.sha256", To::Hash("file.hash")),
        ("alerts.evidence.processCommandLine", To::Command("process.command_line")),
        ("alerts.evidence.processId", To::Int("process.pid")),
        ("alerts.evidence.parentProcessId", To::Int("process.parent.pid")),
        ("alerts.evidence.ipAddress", To::Ip("source.ip")),
        ("alerts.evidence.ipAddress", To::Ip("host.ip")),
        ("alerts.evidence.url", To::Url),
        ("alerts.evidence.userAccount.accountName", To::User("user.name")),
        ("alerts.evidence.userAccount.domainName", To::Text("user.domain")),
        ("alerts.evidence.userAccount.userSid", To::Text("user.id")),
    ],
    open: &["alerts", "alerts.devices", "alerts.entities", "alerts.evidence", "evidence"],
    pairs: &[],
    wraps: &["json."],
    finish: alert,
});

const ALERT_SEVERITIES: &[(&str, i64)] = &[("unspecified", 0), ("informational", 1), ("low", 2), ("medium", 3), ("high", 4)];

fn alert<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let is_incident = values.get("incidentName").is_some() || values.get("displayName").is_some();
    event.set(field::OBSERVER_PRODUCT, if is_incident { "365 Defender" } else { "Defender for Endpoint" });
    if !is_incident {
        event.set_present(field::OBSERVER_NAME, values.text("detectionSource"));
    }
    let category = ["category", "alerts.category"].into_iter().find_map(|path| values.get(path)).unwrap_or_default();
    let entity = ["evidence.entityType", "alerts.entities.entityType"].into_iter().find_map(|path| values.get(path));
    let kind = match category.to_ascii_lowercase().as_str() {
        "malware" | "ransomware" => "malware host",
        _ => match entity {
            Some("Process") => "process host",
            Some("File") => "file host",
            _ => "host",
        },
    };
    let is_over = values.text("status").eq_ignore_ascii_case("resolved");
    classify(event, "alert", kind, if is_over { "end" } else { "start creation" });
    if let Some(user) = entity.filter(|entity| *entity == "User") {
        debug_assert!(!user.is_empty());
        event.set(field::EVENT_TYPE, "user");
    }
    if let (Some(Value::Time(start)), Some(Value::Time(end))) = (event.get(field::EVENT_START), event.get(field::EVENT_END))
        && end >= start
    {
        event.set(field::EVENT_DURATION, (end - start).saturating_mul(1000));
    }
}
