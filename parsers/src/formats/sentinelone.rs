//! SentinelOne: activities and threats of the management API, Cloud Funnel 2 telemetry, Singularity Identity alerts.
//!
//! Reference: SentinelOne, "Management API: activities, threats", "Cloud Funnel 2.0 schema", "Singularity Identity alerts".

use event::{Event, field};

use crate::{
    ecs,
    objects::{Objects, Product, To, Values, classify},
    text,
};

/// Activities and threats.
pub static SENTINELONE: Objects = Objects::new(Product {
    name: "sentinelone",
    dataset: "sentinel_one.activity",
    prefix: "sentinel_one.",
    vendor: "SentinelOne",
    product: "Singularity",
    observer: "",
    marks: &[
        &["\"activityType\"", "\"primaryDescription\""],
        &["\"threatInfo\"", "\"agentDetectionInfo\""],
        &["\"alertInfo\"", "\"agentRealtimeInfo\""],
        &["\"agentDetectionInfo\"", "\"agentRealtimeInfo\""],
    ],
    not: &[],
    rows: &[
        ("createdAt", To::Note),
        ("updatedAt", To::Note),
        ("threatInfo.updatedAt", To::Note),
        ("threatInfo.createdAt", To::Note),
        ("alertInfo.createdAt", To::Note),
        ("alertInfo.updatedAt", To::Note),
        ("activityType", To::Note),
        ("primaryDescription", To::Text("event.reason")),
        ("secondaryDescription", To::Note),
        ("accountId", To::Note),
        ("userId", To::Text("user.id")),
        ("groupId", To::Text("group.id")),
        ("groupName", To::Text("group.name")),
        ("data.username", To::User("user.name")),
        ("data.userName", To::User("user.name")),
        ("data.byUser", To::User("user.name")),
        ("data.fullScopeDetails", To::Note),
        ("data.computerName", To::Host("host.name")),
        ("data.origagentname", To::Host("host.name")),
        ("data.ipAddress", To::Ip("host.ip")),
        ("data.externalIp", To::Ip("host.ip")),
        ("data.recoveryEmail", To::Text("user.email")),
        ("data.fileDisplayName", To::Text("file.name")),
        ("data.filePath", To::Text("file.path")),
        ("data.fileContentHash", To::Hash("file.hash")),
        ("data.threatClassification", To::Note),
        ("data.ruleName", To::Text("rule.name")),
        ("data.rulename", To::Text("rule.name")),
        ("data.ruleId", To::Text("rule.id")),
        ("data.ruleid", To::Text("rule.id")),
        ("data.sourceprocessname", To::Text("process.name")),
        ("data.sourceprocessname", To::Text("file.name")),
        ("data.sourceprocessfilepath", To::Text("process.executable")),
        ("data.sourceprocesscommandline", To::Command("process.command_line")),
        ("data.sourceprocesspid", To::Int("process.pid")),
        ("data.sourceprocessmd5", To::Hash("process.hash")),
        ("data.sourceprocesssha1", To::Hash("process.hash")),
        ("data.sourceprocesssha256", To::Hash("process.hash")),
        ("data.sourceparentprocessname", To::Text("process.parent.name")),
        ("data.sourceparentprocesspath", To::Text("process.parent.executable")),
        ("data.sourceparentprocesscommandline", To::Text("process.parent.command_line")),
        ("data.sourceparentprocesspid", To::Int("process.parent.pid")),
        ("data.reportedRemoteHost", To::Peer("destination.ip", "destination.address")),
        ("data.remoteAddress", To::Peer("destination.ip", "destination.address")),
        ("data.reportedPort", To::Int("destination.port")),
        ("data.direction", To::Lower("network.direction")),
        ("data.reportedProtocol", To::Transport),
        ("data.srcip", To::Ip("source.ip")),
        ("data.srcport", To::Int("source.port")),
        ("data.dstip", To::Ip("destination.ip")),
        ("data.dstport", To::Int("destination.port")),
        ("agentRealtimeInfo.agentComputerName", To::Host("host.name")),
        ("agentRealtimeInfo.name", To::Host("host.name")),
        ("agentDetectionInfo.externalIp", To::Ip("host.ip")),
        ("agentDetectionInfo.agentIpV4", To::Note),
        ("agentRealtimeInfo.networkInterfaces.physical", To::Mac("host.mac")),
        ("agentRealtimeInfo.networkInterfaces.inet", To::Ip("host.ip")),
        ("agentRealtimeInfo.networkInterfaces.inet6", To::Ip("host.ip")),
        ("agentRealtimeInfo.agentOsName", To::Text("host.os.name")),
        ("agentDetectionInfo.agentLastLoggedInUserName", To::User("user.name")),
        ("agentDetectionInfo.agentDomain", To::Text("user.domain")),
        ("agentRealtimeInfo.agentDomain", To::Text("user.domain")),
        ("threatInfo.classification", To::Note),
        ("threatInfo.threatName", To::Text("file.name")),
        ("threatInfo.threatName", To::Text("rule.name")),
        ("threatInfo.filePath", To::Text("file.path")),
        ("threatInfo.fileSize", To::Int("file.size")),
        ("threatInfo.fileExtension", To::Text("file.extension")),
        ("threatInfo.sha1", To::Hash("file.hash")),
        ("threatInfo.sha256", To::Hash("file.hash")),
        ("threatInfo.md5", To::Hash("file.hash")),
        ("threatInfo.maliciousProcessArguments", To::Text("process.command_line")),
        ("threatInfo.originatorProcess", To::Text("process.parent.name")),
        ("threatInfo.originatorProcess", To::Text("process.name")),
        ("threatInfo.processUser", To::Account("user")),
        ("threatInfo.engines", To::Text("event.action")),
        ("threatInfo.mitigationStatus", To::Note),
        ("threatInfo.confidenceLevel", To::Note),
        ("alertInfo.dvEventId", To::Note),
        ("ruleInfo.name", To::Text("rule.name")),
        ("ruleInfo.id", To::Text("rule.id")),
    ],
    open: &["agentRealtimeInfo.networkInterfaces"],
    pairs: &[],
    wraps: &["json."],
    finish: activity,
});

/// Activity types: number, name, categories, types.
const ACTIVITIES: &[(&str, &str, &str, &str)] = &[
    ("17", "Agent Subscribed", "host configuration", "creation info"),
    ("18", "Threat Mitigated", "malware", "info"),
    ("19", "New Malicious Threat Not Mitigated", "malware", "info"),
    ("23", "User Added", "iam", "user creation info"),
    ("24", "User Modified", "iam", "user change info"),
    ("25", "User Deleted", "iam intrusion_detection", "user deletion info"),
    ("27", "User Logged In", "authentication", "start info"),
    ("33", "User Logged Out", "authentication", "end info"),
    ("47", "Agent Decommissioned", "host intrusion_detection", "info"),
    ("51", "Agent Uninstalled", "host package", "deletion info"),
    ("71", "Scan Initiated", "malware intrusion_detection", "start info"),
    ("90", "Scan Started", "malware", "start info"),
    ("91", "Scan Aborted", "malware", "end info"),
    ("92", "Scan Completed", "malware", "end info"),
    ("133", "Existing User Login Failure", "authentication", "start info"),
    ("2001", "Threat Killed", "malware", "info"),
    ("2004", "Threat Quarantined", "malware", "info"),
    ("3608", "Custom Rules - New Alert", "intrusion_detection", "info"),
    ("4001", "Suspicious Threat Resolved", "malware", "info"),
    ("4003", "New Suspicious Threat Not Mitigated", "malware intrusion_detection", "info"),
    ("5009", "Agent Moved To A Different Group", "host intrusion_detection", "change info"),
    ("5125", "Device Control Approved Event", "host", "allowed info"),
    ("5126", "Device Control Blocked Event", "host", "denied info"),
    ("5232", "Firewall Control Blocked Event", "network intrusion_detection", "denied info"),
];

fn activity<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let stamp = ["createdAt", "threatInfo.updatedAt", "alertInfo.createdAt", "threatInfo.createdAt", "updatedAt"];
    if let Some(time) = stamp.iter().find_map(|path| values.get(path)).and_then(|text| crate::time::any(text, values.raw())) {
        event.set(field::TIMESTAMP, event::Value::Time(time));
    }
    let is_threat = values.get("threatInfo.classification").is_some() || values.get("threatInfo.threatName").is_some();
    if is_threat {
        let class = values.text("threatInfo.classification");
        let category = if class.is_empty() || class.eq_ignore_ascii_case("malware") { "malware" } else { "malware threat" };
        classify(event, "alert", category, "info indicator");
        return;
    }
    let number = values.text("activityType");
    let known = ACTIVITIES.iter().find(|row| row.0 == number);
    if let Some((_, name, categories, types)) = known {
        event.set(field::EVENT_ACTION, *name);
        classify(event, "event", categories, types);
        match *number.as_bytes() {
            [b'2', b'7'] => ecs::success(event),
            [b'1', b'3', b'3'] => ecs::failure(event),
            _ => {}
        }
        return;
    }
    let text = values.text("primaryDescription");
    let has = |word: &str| text.contains(word);
    let (category, kind) = if values.get("data.threatClassification").is_some() || has("hreat") || has("alware") {
        ("malware", "info")
    } else if has("logged in") {
        ecs::success(event);
        ("authentication", "start info")
    } else if has("created") || has("added") {
        ("configuration", "creation change info")
    } else if has("deleted") || has("removed") {
        ("configuration", "deletion info")
    } else {
        ("configuration", "change info")
    };
    classify(event, "event", category, kind);
    event.set_present(field::EVENT_CODE, number);
}

/// Telemetry of Cloud Funnel 2.
pub static SENTINELONE_FUNNEL: Objects = Objects::new(Product {
    name: "sentinelone_funnel",
    dataset: "sentinel_one.telemetry",
    prefix: "deepvisibility.",
    vendor: "SentinelOne",
    product: "Cloud Funnel",
    observer: "",
    marks: &[&["\"src.process.", "\"event.category\""], &["\"dataSource.vendor\"", "\"event.category\"", "\"endpoint.name\""]],
    not: &[],
    rows: &[
        ("event.time", To::Time("@timestamp")),
        ("timestamp", To::Time("@timestamp")),
        ("event.type", To::Text("event.action")),
        ("event.category", To::Note),
        ("event.dns.request", To::Text("dns.question.name")),
        ("event.dns.response", To::Note),
        ("event.login.userName", To::User("user.target.name")),
        ("event.login.accountName", To::Note),
        ("event.login.accountDomain", To::Text("user.domain")),
        ("event.login.accountSid", To::Text("user.id")),
        ("event.login.loginIsSuccessful", To::Note),
        ("event.login.failureReason", To::Text("event.reason")),
        ("event.login.type", To::Text("winlog.logon.type")),
        ("event.network.direction", To::Note),
        ("event.network.protocolName", To::Lower("network.protocol")),
        ("event.url.action", To::Text("http.request.method")),
        ("endpoint.name", To::Host("host.name")),
        ("endpoint.os", To::Text("host.os.type")),
        ("src.ip.address", To::Ip("source.ip")),
        ("src.endpoint.ip.address", To::Ip("source.ip")),
        ("src.port.number", To::Int("source.port")),
        ("dst.ip.address", To::Ip("destination.ip")),
        ("dst.port.number", To::Int("destination.port")),
        ("src.process.user", To::Note),
        ("src.process.parent.eUserName", To::Note),
        ("src.process.eUserName", To::Note),
        ("src.process.rUserName", To::Note),
        ("tgt.process.user", To::Note),
        ("osSrc.process.user", To::Note),
        ("osSrc.process.name", To::Text("process.name")),
        ("osSrc.process.pid", To::Int("process.pid")),
        ("osSrc.process.cmdline", To::Command("process.command_line")),
        ("osSrc.process.image.path", To::Text("process.executable")),
        ("osSrc.process.image.md5", To::Hash("process.hash")),
        ("osSrc.process.image.sha1", To::Hash("process.hash")),
        ("osSrc.process.image.sha256", To::Hash("process.hash")),
        ("tgt.process.name", To::Text("process.name")),
        ("tgt.process.pid", To::Int("process.pid")),
        ("tgt.process.cmdline", To::Command("process.command_line")),
        ("tgt.process.image.path", To::Text("process.executable")),
        ("tgt.process.image.md5", To::Hash("process.hash")),
        ("tgt.process.image.sha1", To::Hash("process.hash")),
        ("tgt.process.image.sha256", To::Hash("process.hash")),
        ("src.process.name", To::Text("process.name")),
        ("src.process.pid", To::Int("process.pid")),
        ("src.process.cmdline", To::Command("process.command_line")),
        ("src.process.image.path", To::Text("process.executable")),
        ("src.process.image.md5", To::Hash("process.hash")),
        ("src.process.image.sha1", To::Hash("process.hash")),
        ("src.process.image.sha256", To::Hash("process.hash")),
        ("src.process.parent.name", To::Note),
        ("src.process.parent.pid", To::Note),
        ("src.process.parent.cmdline", To::Note),
        ("src.process.parent.image.path", To::Note),
        ("tgt.file.path", To::File),
        ("tgt.file.size", To::Int("file.size")),
        ("tgt.file.md5", To::Hash("file.hash")),
        ("tgt.file.sha1", To::Hash("file.hash")),
        ("tgt.file.sha256", To::Hash("file.hash")),
        ("cmdScript.sha256", To::Hash("file.hash")),
        ("cmdScript.originalSize", To::Int("file.size")),
        ("task.path", To::Note),
        ("task.name", To::Note),
        ("registry.keyPath", To::Text("registry.path")),
        ("registry.value", To::Text("registry.data.strings")),
        ("url.address", To::Url),
        ("indicator.name", To::Text("rule.name")),
        ("indicator.category", To::Text("rule.category")),
    ],
    open: &[],
    pairs: &[],
    wraps: &[],
    finish: funnel,
});

fn funnel<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    let action = values.text("event.type");
    let (category, kind) = match values.text("event.category") {
        "process" | "command_script" | "cross_process" => ("process", "info"),
        "dns" | "ip" => ("network", "info"),
        "url" => ("network web", "info"),
        "file" => match action {
            "File Creation" => ("file", "creation"),
            "File Deletion" => ("file", "deletion"),
            "File Rename" | "File Modification" => ("file", "change"),
            _ => ("file", "info"),
        },
        "registry" => ("registry", "change"),
        "logins" => match (action, values.get("event.login.loginIsSuccessful")) {
            ("Logout", _) => ("authentication", "end"),
            (_, Some("false")) => ("authentication", "start error"),
            _ => ("authentication", "start"),
        },
        "scheduled_task" => ("configuration", "change"),
        "module" => ("library", "start"),
        "driver" => ("driver", "start"),
        "indicators" => ("intrusion_detection", "info"),
        _ => ("", "info"),
    };
    classify(event, if category == "intrusion_detection" { "alert" } else { "event" }, category, kind);
    match values.get("event.login.loginIsSuccessful") {
        Some("true") => ecs::success(event),
        Some("false") => ecs::failure(event),
        _ if action == "Logout" => ecs::success(event),
        _ => {}
    }
    match values.text("event.network.direction") {
        "INCOMING" => event.set(field::NETWORK_DIRECTION, "inbound"),
        "OUTGOING" => event.set(field::NETWORK_DIRECTION, "outbound"),
        _ => {}
    }
    let account = [
        "src.process.user",
        "osSrc.process.user",
        "tgt.process.user",
        "src.process.eUserName",
        "src.process.rUserName",
        "src.process.parent.eUserName",
        "event.login.userName",
    ]
    .into_iter()
    .find_map(|path| values.get(path));
    if let Some(account) = account {
        let (name, domain) = crate::objects::split_account(account);
        ecs::user(event, field::USER_NAME, name);
        if let Some(domain) = domain
            && !values.has(event, field::USER_DOMAIN)
        {
            event.set(field::USER_DOMAIN, domain);
        }
    }
    // A process that began is the child of the one that began it.
    let is_child = values.get("tgt.process.name").is_some() || values.get("osSrc.process.name").is_some();
    let parent = if is_child && values.get("src.process.parent.name").is_none() { "src.process." } else { "src.process.parent." };
    let get = |key: &str| {
        let mut path = [0u8; 64];
        let len = parent.len() + key.len();
        path[..parent.len()].copy_from_slice(parent.as_bytes());
        path[parent.len()..len].copy_from_slice(key.as_bytes());
        std::str::from_utf8(&path[..len]).ok().and_then(|path| values.get(path))
    };
    for (key, name) in [
        ("name", field::PROCESS_PARENT_NAME),
        ("cmdline", field::PROCESS_PARENT_COMMAND_LINE),
        ("image.path", field::PROCESS_PARENT_EXECUTABLE),
    ] {
        if let Some(value) = get(key) {
            event.set(name, value);
        }
    }
    if let Some(pid) = get("pid") {
        event.set_int(field::PROCESS_PARENT_PID, pid);
    }
    if let Some(path) = values.get("registry.keyPath") {
        event.set_named("registry.value", text::file_name(path));
    }
}

/// Alerts of Singularity Identity and of the unified alert API.
pub static SENTINELONE_IDENTITY: Objects = Objects::new(Product {
    name: "sentinelone_identity",
    dataset: "sentinel_one.identity",
    prefix: "sentinel_one.identity.",
    vendor: "SentinelOne",
    product: "Singularity Identity",
    observer: "",
    marks: &[&["\"detectedAt\"", "\"firstSeenAt\"", "\"lastSeenAt\""]],
    not: &[],
    rows: &[
        ("detectedAt", To::Time("@timestamp")),
        ("firstSeenAt", To::Time("event.start")),
        ("lastSeenAt", To::Time("event.end")),
        ("name", To::Text("rule.name")),
        ("description", To::Text("event.reason")),
        ("severity", To::Lower("log.level")),
        ("asset.name", To::Note),
        ("rawData.resources.name", To::Host("host.name")),
        ("process.cmdLine", To::Command("process.command_line")),
        ("process.file.path", To::Program("process")),
        ("process.file.sha256", To::Hash("process.hash")),
        ("process.file.sha1", To::Hash("process.hash")),
        ("process.username", To::Account("user")),
        ("rawData.evidences.actor.user.name", To::User("user.name")),
        ("rawData.evidences.actor.user.domain", To::Text("user.domain")),
        ("rawData.evidences.src_endpoint.ip", To::Ip("source.ip")),
        ("rawData.evidences.src_endpoint.hostname", To::Text("source.domain")),
        ("rawData.evidences.dst_endpoint.ip", To::Ip("destination.ip")),
        ("rawData.evidences.dst_endpoint.hostname", To::Text("destination.domain")),
    ],
    open: &["rawData.resources", "rawData.evidences"],
    pairs: &[],
    wraps: &[],
    finish: |values, event| {
        classify(event, "alert", "intrusion_detection", "info");
        if let Some(name) = values.get("asset.name")
            && !values.has(event, field::HOST_NAME)
        {
            ecs::host(event, name);
        }
    },
});
