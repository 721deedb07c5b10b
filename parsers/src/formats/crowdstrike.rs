//! CrowdStrike Falcon: sensor telemetry (Falcon Data Replicator) and the events of the streaming API (SIEM connector).
//!
//! Reference: CrowdStrike, "Events Data Dictionary" (event_simpleName and fields), "Streaming API event dictionary".

use event::{Event, field};

use crate::{
    ecs,
    objects::{Objects, Product, To, Values, classify},
    text,
};

pub static CROWDSTRIKE: Objects = Objects::new(Product {
    name: "crowdstrike",
    dataset: "crowdstrike.falcon",
    prefix: "crowdstrike.",
    vendor: "crowdstrike",
    product: "Falcon",
    observer: "",
    marks: &[
        &["\"event_simpleName\"", "\"aid\""],
        &["\"event_platform\"", "\"aid\"", "\"cid\""],
        &["\"metadata\"", "\"eventType\"", "\"customerIDString\""],
        &["\"aid\"", "\"cid\"", "\"AgentVersion\""],
        &["\"aid\"", "\"cid\"", "\"_time\""],
        &["\"UserSid_readable\"", "\"cid\""],
        &["\"Event_ExternalApiEvent\"", "\"SensorId\""],
    ],
    not: &[],
    rows: &[
        ("metadata.eventCreationTime", To::Time("@timestamp")),
        ("ContextTimeStamp", To::Time("@timestamp")),
        ("UTCTimestamp", To::Time("@timestamp")),
        ("timestamp", To::Time("@timestamp")),
        ("_time", To::Time("@timestamp")),
        ("event_simpleName", To::Note),
        ("metadata.eventType", To::Note),
        ("event.EventType", To::Text("event.code")),
        ("event.OperationName", To::Note),
        ("event.Success", To::Note),
        ("event.PatternDispositionDescription", To::Note),
        ("event.DetectName", To::Text("rule.name")),
        ("event.DetectDescription", To::Text("message")),
        ("event.RuleName", To::Text("rule.name")),
        ("event.RuleId", To::Text("rule.id")),
        ("event.RuleGroupName", To::Text("rule.ruleset")),
        ("event.RuleFamilyID", To::Text("rule.category")),
        ("event.RuleDescription", To::Text("rule.description")),
        ("event.RuleAction", To::Note),
        ("event.Severity", To::Int("event.severity")),
        ("event.Tactic", To::Text("threat.tactic.name")),
        ("event.Technique", To::Text("threat.technique.name")),
        ("event.Objective", To::Note),
        ("event.IncidentStartTime", To::Time("event.start")),
        ("event.IncidentEndTime", To::Time("event.end")),
        ("event.ProcessStartTime", To::Time("process.start")),
        ("event.UserIp", To::Ip("source.ip")),
        ("event.UserId", To::User("user.name")),
        ("event.UserId", To::Mail("user")),
        ("event.UserName", To::User("user.name")),
        ("event.UserName", To::Mail("user")),
        ("event.MachineDomain", To::Text("user.domain")),
        ("event.ComputerName", To::Host("host.name")),
        ("event.HostName", To::Host("host.name")),
        ("event.HostnameField", To::Host("host.name")),
        ("event.LocalIP", To::Ip("source.ip")),
        ("event.MACAddress", To::Mac("host.mac")),
        ("event.SensorId", To::Text("observer.serial_number")),
        ("event.FileName", To::Text("process.name")),
        ("event.FilePath", To::Text("file.path")),
        ("event.CommandLine", To::Command("process.command_line")),
        ("event.ImageFileName", To::Program("process")),
        ("event.ParentImageFileName", To::Program("process.parent")),
        ("event.ParentCommandLine", To::Text("process.parent.command_line")),
        ("event.SHA256String", To::Hash("file.hash")),
        ("event.MD5String", To::Hash("file.hash")),
        ("event.SHA1String", To::Hash("file.hash")),
        ("event.PID", To::Int("process.pid")),
        ("event.ProcessId", To::Int("process.pid")),
        ("event.ParentProcessId", To::Int("process.parent.pid")),
        ("event.LocalAddress", To::Note),
        ("event.LocalPort", To::Note),
        ("event.RemoteAddress", To::Note),
        ("event.RemotePort", To::Note),
        ("event.ConnectionDirection", To::Note),
        ("event.Protocol", To::Transport),
        ("event.Ipv", To::Lower("network.type")),
        ("event.DomainName", To::Text("dns.question.name")),
        ("event.AuditKeyValues.target_name", To::User("user.target.name")),
        ("aip", To::Ip("observer.ip")),
        ("aid", To::Text("observer.serial_number")),
        ("ConfigBuild", To::Text("observer.version")),
        ("ComputerName", To::Host("host.name")),
        ("ComputerName", To::Text("host.hostname")),
        ("MAC", To::Mac("source.mac")),
        ("PhysicalAddress", To::Mac("source.mac")),
        ("UserName", To::Account("user")),
        ("LogonDomain", To::Text("user.domain")),
        ("UserPrincipal", To::Mail("user")),
        ("UserSid", To::Text("user.id")),
        ("UID", To::Text("user.id")),
        ("RUID", To::Text("user.id")),
        ("ImageFileName", To::Program("process")),
        ("CommandLine", To::Command("process.command_line")),
        ("RawProcessId", To::Int("process.pid")),
        ("TargetProcessId", To::Text("process.entity_id")),
        ("ContextProcessId", To::Text("process.entity_id")),
        ("ParentBaseFileName", To::Text("process.parent.name")),
        ("ParentProcessId", To::Text("process.parent.entity_id")),
        ("SHA256HashData", To::Note),
        ("MD5HashData", To::Note),
        ("SHA1HashData", To::Note),
        ("TargetFileName", To::File),
        ("SourceFileName", To::Note),
        ("Size", To::Int("file.size")),
        ("LocalAddressIP4", To::Note),
        ("LocalAddressIP6", To::Note),
        ("RemoteAddressIP4", To::Note),
        ("RemoteAddressIP6", To::Note),
        ("LocalPort", To::Note),
        ("RemotePort", To::Note),
        ("LPort", To::Note),
        ("RPort", To::Note),
        ("ConnectionDirection", To::Note),
        ("Protocol", To::Transport),
        ("LocalIP", To::Ip("source.ip")),
        ("RemoteIP", To::Ip("source.ip")),
        ("DomainName", To::Text("dns.question.name")),
        ("RequestType", To::Note),
        ("IP4Records", To::Note),
        ("DownloadServer", To::Text("url.domain")),
        ("DownloadServer", To::Text("server.address")),
        ("DownloadPath", To::Note),
        ("DownloadPort", To::Int("url.port")),
        ("RegObjectName", To::Text("registry.path")),
        ("RegValueName", To::Text("registry.value")),
        ("RegStringValue", To::Text("registry.data.strings")),
        ("ServiceDisplayName", To::Text("service.name")),
        ("ErrorText", To::Text("error.message")),
        ("Status", To::Note),
    ],
    open: &[],
    pairs: &[("event.AuditKeyValues", "Key", "ValueString")],
    wraps: &[],
    finish,
});

/// Names (`*` for any rest) → kind, categories, types, outcome. The first that fits counts.
const NAMES: &[(&str, &str, &str, &str, &str)] = &[
    ("ProcessRollup2Stats", "state", "process", "info", "unknown"),
    ("CreateProcessArgs", "state", "process", "start", "success"),
    ("*ProcessRollup2", "event", "process", "start", "success"),
    ("ProcessBlocked", "alert", "process", "start denied", "failure"),
    ("EndOfProcess", "event", "process", "end", "success"),
    ("TerminateProcess", "event", "process", "end", "success"),
    ("CommandHistory", "event", "process", "info", "success"),
    ("ScriptControl*", "alert", "process", "info", "unknown"),
    ("CreateService", "event", "process configuration", "creation", "success"),
    ("ModifyServiceBinary", "event", "process configuration", "change", "success"),
    ("HostedServiceStarted", "event", "process", "start", "success"),
    ("HostedServiceStopped", "event", "process", "end", "success"),
    ("ServiceStarted", "event", "process", "start", "success"),
    ("ServiceStopped", "event", "process", "end", "success"),
    ("InjectedThread*", "event", "process", "change", "success"),
    ("ClassifiedModuleLoad", "event", "library", "start", "success"),
    ("ImageHash", "event", "library", "start", "success"),
    ("DriverLoad", "event", "driver", "start", "success"),
    ("KextLoad", "event", "driver", "start", "success"),
    ("KextUnload", "event", "driver", "end", "success"),
    ("DnsRequest", "event", "network", "connection protocol", "success"),
    ("SuspiciousDnsRequest", "alert", "network", "connection protocol", "success"),
    ("NetworkConnect*", "event", "network", "connection start", "unknown"),
    ("NetworkReceiveAccept*", "event", "network", "connection access allowed", "unknown"),
    ("NetworkClose*", "event", "network", "connection end", "unknown"),
    ("NetworkListen*", "event", "network", "start", "success"),
    ("RawBind*", "event", "network", "connection start", "success"),
    ("SmbClientShare*", "event", "network", "connection", "success"),
    ("FirewallRule*", "event", "network", "connection", "unknown"),
    ("FirewallMatchEvent", "event", "network", "connection start", "unknown"),
    ("AgentConnect", "event", "network session", "connection info", "success"),
    ("AgentOnline", "state", "host", "info", "success"),
    ("UserLogonFailed*", "event", "authentication", "start", "failure"),
    ("UserLogon", "event", "authentication", "start", "success"),
    ("UserLogoff", "event", "authentication", "end", "success"),
    ("UserIdentity", "event", "iam authentication", "user info", "success"),
    ("UserAccountCreated", "event", "iam", "user creation", "success"),
    ("UserAccountDeleted", "event", "iam", "user deletion", "success"),
    ("UserAccountAddedToGroup", "event", "iam", "group change", "success"),
    ("AsepFileChange", "event", "file", "change creation", "success"),
    ("AsepKeyUpdate", "event", "registry", "change", "success"),
    ("AsepValueUpdate", "event", "registry", "change", "success"),
    ("Reg*", "event", "registry", "change", "success"),
    ("RansomwareOpenFile", "alert", "file", "access", "success"),
    ("ExecutableDeleted", "event", "file", "deletion", "success"),
    ("FileDelete*", "event", "file", "deletion", "success"),
    ("NewExecutableRenamed", "event", "file", "change", "success"),
    ("FileRename*", "event", "file", "change", "success"),
    ("MachOFileWritten", "event", "file", "change", "success"),
    ("*FileWritten", "event", "file", "creation", "success"),
    ("*Written", "event", "file", "creation", "success"),
    ("DirectoryCreate", "event", "file", "creation", "success"),
    ("FsVolume*", "event", "host", "change", "success"),
    ("RemovableDisk*", "event", "host", "info", "success"),
    ("DcUsbDevice*", "event", "host", "info", "success"),
    ("LFODownloadConfirmation", "event", "file", "creation", "success"),
    ("LocalIpAddress*", "state", "host configuration", "change", "success"),
    ("ConfigStateUpdate", "event", "configuration", "change", "success"),
    ("SensorHeartbeat", "event", "package", "info", "success"),
    ("ErrorEvent", "alert", "package", "info", "failure"),
    ("CurrentSystemTags", "state", "host", "info", "success"),
    ("SystemCapacity", "state", "host", "info", "success"),
    ("FirmwareAnalysisStatus", "state", "host", "info", "success"),
    ("OsVersionInfo", "state", "host", "info", "success"),
    ("DetectionSummaryEvent", "alert", "malware", "info", "unknown"),
    ("EppDetectionSummaryEvent", "alert", "malware", "info", "unknown"),
    ("IdpDetectionSummaryEvent", "alert", "intrusion_detection", "info", "unknown"),
    ("IncidentSummaryEvent", "alert", "malware", "info", "unknown"),
    ("MobileDetectionSummaryEvent", "alert", "malware", "info", "unknown"),
    ("AuthActivityAuditEvent", "event", "authentication", "info", "unknown"),
    ("UserActivityAuditEvent", "event", "iam", "change", "unknown"),
    ("RemoteResponseSessionStartEvent", "event", "network session", "start", "unknown"),
    ("RemoteResponseSessionEndEvent", "event", "network session", "end", "unknown"),
    ("ReconNotificationSummaryEvent", "alert", "threat", "indicator", "unknown"),
    ("ScheduledReportNotificationEvent", "event", "host", "info", "unknown"),
];

fn fits(pattern: &str, name: &str) -> bool {
    if let Some(end) = pattern.strip_prefix('*') {
        name.ends_with(end)
    } else if let Some(start) = pattern.strip_suffix('*') {
        name.starts_with(start)
    } else {
        name == pattern
    }
}

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let sensor = values.text("event_simpleName");
    let stream = values.text("metadata.eventType");
    let name = if sensor.is_empty() { stream } else { sensor };
    let known = NAMES.iter().find(|row| fits(row.0, name));
    if let Some((_, kind, categories, types, outcome)) = known {
        classify(event, kind, categories, types);
        event.set(field::EVENT_OUTCOME, *outcome);
    }
    match values.get("event.Success") {
        Some("true") => ecs::success(event),
        Some("false") => ecs::failure(event),
        _ => {}
    }
    if stream.is_empty() {
        event.set(field::OBSERVER_TYPE, "agent");
        event.set_present(field::EVENT_ACTION, sensor);
    } else {
        let action = match stream {
            "DetectionSummaryEvent" | "EppDetectionSummaryEvent" => values.get("event.PatternDispositionDescription"),
            "AuthActivityAuditEvent" => values.get("event.OperationName"),
            "IncidentSummaryEvent" => Some("incident"),
            _ => None,
        };
        match action.filter(|action| !action.contains(' ')) {
            Some(action) => event.set(field::EVENT_ACTION, snake(event, action)),
            None => event.set(field::EVENT_ACTION, action.unwrap_or_else(|| snake(event, stream))),
        }
        if stream == "IncidentSummaryEvent" {
            event.set(field::EVENT_ACTION, "incident");
        }
    }
    digests(values, event);
    peers(values, event);
    download(values, event);
    if let Some(path) = values.get("SourceFileName")
        && !values.has(event, field::FILE_PATH)
    {
        event.set(field::FILE_PATH, path);
        event.set(field::FILE_NAME, text::file_name(path));
    }
}

/// `streamStarted` → `stream_started`.
fn snake<'r>(event: &Event<'r>, name: &'r str) -> &'r str {
    let mut out = bumpalo::collections::String::with_capacity_in(name.len() + 8, event.arena());
    let mut last = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && last.is_ascii_lowercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
        last = c;
    }
    out.into_bump_str()
}

/// The digests are the image's where the event names one, else the written file's.
fn digests<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let of_file = values.get("TargetFileName").is_some() && values.get("ImageFileName").is_none();
    for (path, file, process) in [
        ("SHA256HashData", "file.hash.sha256", "process.hash.sha256"),
        ("SHA1HashData", "file.hash.sha1", "process.hash.sha1"),
        ("MD5HashData", "file.hash.md5", "process.hash.md5"),
    ] {
        let Some(digest) = values.get(path).filter(|digest| digest.bytes().any(|b| b != b'0')) else { continue };
        event.set_named(if of_file { file } else { process }, digest);
        event.set(field::RELATED_HASH, digest);
    }
}

fn peers<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let first = |paths: &[&str]| paths.iter().find_map(|path| values.get(path));
    let local = first(&["LocalAddressIP4", "LocalAddressIP6", "event.LocalAddress"]);
    let remote = first(&["RemoteAddressIP4", "RemoteAddressIP6", "event.RemoteAddress"]);
    if local.is_none() && remote.is_none() {
        return;
    }
    let local_port = first(&["LocalPort", "LPort", "event.LocalPort"]);
    let remote_port = first(&["RemotePort", "RPort", "event.RemotePort"]);
    // 0 outbound, 1 inbound, 2 neither (FDR); 1 in, 2 out (firewall of the streaming API).
    let direction = match (values.get("ConnectionDirection"), values.get("event.ConnectionDirection")) {
        (Some("0"), _) => "outbound",
        (Some("1"), _) => "inbound",
        (Some(_), _) => "unknown",
        (None, Some("1")) => "ingress",
        (None, Some("2")) => "egress",
        _ => "",
    };
    event.set_present(field::NETWORK_DIRECTION, direction);
    let is_inbound = matches!(direction, "inbound" | "ingress");
    let (source, source_port, destination, destination_port) =
        if is_inbound { (remote, remote_port, local, local_port) } else { (local, local_port, remote, remote_port) };
    if let Some(address) = source {
        ecs::ip_only(event, field::SOURCE_IP, address);
    }
    if let Some(address) = destination {
        ecs::ip_only(event, field::DESTINATION_IP, address);
    }
    if let Some(port) = source_port {
        event.set_int(field::SOURCE_PORT, port);
    }
    if let Some(port) = destination_port {
        event.set_int(field::DESTINATION_PORT, port);
    }
}

fn download<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    if let (Some(server), Some(path)) = (values.get("DownloadServer"), values.get("DownloadPath")) {
        let url = text::concat(event.arena(), ["https://", server, path]);
        crate::web::url(event, url);
    }
}
