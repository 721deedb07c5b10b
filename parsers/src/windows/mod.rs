//! Windows events, whichever way they come: EVTX records as JSON, Winlogbeat, NXLog-like flat objects. The formats find the
//! header and the data; what they mean is decided here, once.
//!
//! Data fields are stored verbatim under `winlog.event_data.<Name>` (blanks in names left out, as Sigma writes them), unnamed
//! data as the list `winlog.event_data.Data`. ECS fields are set beside them from the words of the log in question.
//!
//! Reference: Microsoft, "Security auditing" (event pages), Sysmon documentation, the providers' manifests.

mod aliases;
mod data;
pub mod dates;
mod events;
pub mod message;
pub mod sql_audit;
pub mod xml;

use event::{Event, RawRecord, Value, field};

use crate::{ecs, json::Leaf, text, time};

pub use aliases::arguments;
pub use data::{Data, Slot};

pub const EVENT_DATA: &str = "winlog.event_data.";

/// The `System` part of an event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Header<'r> {
    pub provider: &'r str,
    pub provider_guid: &'r str,
    pub channel: &'r str,
    pub event_id: &'r str,
    pub computer: &'r str,
    pub record_id: &'r str,
    pub level: &'r str,
    pub task: &'r str,
    pub opcode: &'r str,
    pub keywords: &'r str,
    pub version: &'r str,
    pub process_id: &'r str,
    pub thread_id: &'r str,
    pub user_sid: &'r str,
    pub activity_id: &'r str,
    pub time: &'r str,
    /// Names that a collector rendered for level, task and opcode.
    pub level_name: &'r str,
    pub task_name: &'r str,
    pub opcode_name: &'r str,
    /// The account and the domain that an agent resolved from the SID of the record.
    pub account: &'r str,
    pub account_domain: &'r str,
    /// Words of the audit result (`Audit Failure`, `AUDIT_SUCCESS`), where they come apart from the keywords.
    pub outcome: &'r str,
}

/// Which family of logs a channel belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    Security,
    Sysmon,
    PowerShell,
    Defender,
    System,
    TaskScheduler,
    TerminalServices,
    Firewall,
    DnsServer,
    AppLocker,
    Wmi,
    Adfs,
    Other,
}

/// Dataset and family of a channel; events without a channel are known by their provider.
fn log_of(channel: &str, provider: &str) -> (&'static str, Log) {
    match channel {
        "Security" if provider.starts_with("AD FS") => ("windows.adfs", Log::Adfs),
        "Security" => ("windows.security", Log::Security),
        "Microsoft-Windows-Sysmon/Operational" | "Linux-Sysmon/Operational" => ("windows.sysmon", Log::Sysmon),
        "Windows PowerShell" | "Microsoft-Windows-PowerShell/Operational" | "PowerShellCore/Operational" => {
            ("windows.powershell", Log::PowerShell)
        }
        "Microsoft-Windows-Windows Defender/Operational" => ("windows.defender", Log::Defender),
        "System" => ("windows.system", Log::System),
        "Application" if provider.starts_with("AD FS") => ("windows.adfs", Log::Adfs),
        "Application" => ("windows.application", Log::Other),
        "Setup" => ("windows.setup", Log::Other),
        "Microsoft-Windows-TaskScheduler/Operational" => ("windows.taskscheduler", Log::TaskScheduler),
        "Microsoft-Windows-WMI-Activity/Operational" => ("windows.wmi", Log::Wmi),
        "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall" => ("windows.firewall", Log::Firewall),
        "DNS Server" | "Microsoft-Windows-DNSServer/Audit" | "Microsoft-Windows-DNSServer/Analytical" => {
            ("windows.dnsserver", Log::DnsServer)
        }
        "AD FS/Admin" | "AD FS 2.0/Admin" => ("windows.adfs", Log::Adfs),
        "" => match provider {
            "Microsoft-Windows-Sysmon" | "Linux-Sysmon" => ("windows.sysmon", Log::Sysmon),
            "Microsoft-Windows-Security-Auditing" => ("windows.security", Log::Security),
            "Microsoft-Windows-PowerShell" | "PowerShell" => ("windows.powershell", Log::PowerShell),
            "Microsoft-Windows-Windows Defender" => ("windows.defender", Log::Defender),
            "AD FS" | "AD FS Auditing" => ("windows.adfs", Log::Adfs),
            "Service Control Manager" => ("windows.system", Log::System),
            _ => ("windows.other", Log::Other),
        },
        _ if channel.starts_with("Microsoft-Windows-TerminalServices-") => ("windows.terminalservices", Log::TerminalServices),
        _ if channel.starts_with("Microsoft-Windows-AppLocker/") => ("windows.applocker", Log::AppLocker),
        _ => ("windows.other", Log::Other),
    }
}

/// Stores one data field and remembers it when ECS wants it.
pub fn set_data<'r>(event: &mut Event<'r>, data: &mut Data<'r>, key: &'r str, leaf: Leaf<'r>) {
    let key = without_blanks(event, key);
    if key.is_empty() {
        return event.problem("a data field without a name was left out");
    }
    if key == "Data" {
        return set_unnamed(event, data, leaf);
    }
    let text = leaf.text();
    event.set_extra(EVENT_DATA, key, Value::Str(text));
    data.note(key, text);
}

/// Unnamed data: a list, or one value.
fn set_unnamed<'r>(event: &mut Event<'r>, data: &mut Data<'r>, leaf: Leaf<'r>) {
    let Leaf::List(list) = leaf else { return set_unnamed_one(event, data, leaf.text()) };
    let arena = event.arena();
    crate::json::elements(arena, list, &mut |leaf| set_unnamed_one(event, data, leaf.text()));
}

/// One value of the unnamed data; the classic PowerShell log holds lines of `name=value` in it.
fn set_unnamed_one<'r>(event: &mut Event<'r>, data: &mut Data<'r>, text: &'r str) {
    event.set(field::WINLOG_EVENT_DATA_DATA, text);
    if data.get(Slot::Data).is_none() || crate::text::find(text.as_bytes(), b"HostApplication=").is_some() {
        data.note("Data", text);
    }
    data.note_unnamed(text);
}

fn without_blanks<'r>(event: &Event<'r>, key: &'r str) -> &'r str {
    if memchr::memchr(b' ', key.as_bytes()).is_none() {
        return key;
    }
    let mut name = bumpalo::collections::String::with_capacity_in(key.len(), event.arena());
    name.extend(key.chars().filter(|c| *c != ' '));
    name.into_bump_str()
}

/// Sets everything that header and data say together. Fields that the record brought under their ECS names stay.
pub fn finish<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, header: &Header<'r>, data: &Data<'r>) {
    let (dataset, log) = log_of(header.channel, header.provider);
    event.set_dataset(dataset);
    if event.has(field::LOG_SYSLOG_APPNAME) {
        // The envelope named the agent; the process is the one that the event is about.
        event.remove(field::PROCESS_NAME);
        event.remove(field::PROCESS_PID);
    }
    set_header(raw, event, header);
    let id = header.event_id.parse().unwrap_or(0);
    // The audit says how it went; only where it does not, the number of the event does.
    if !event.has(field::EVENT_OUTCOME)
        && let Some(outcome) = audit_outcome(header)
    {
        event.set(field::EVENT_OUTCOME, outcome);
    }
    if id == 33205 && header.provider.ends_with("$AUDIT") {
        let text = event.extra().iter().find_map(|(name, value)| match value {
            Value::Str(text) if name.prefix.starts_with("winlog.") && sql_audit::is_audit(text) => Some(*text),
            _ => None,
        });
        if let Some(text) = text.or_else(|| data.get(Slot::Data).filter(|text| sql_audit::is_audit(text))) {
            sql_audit::read(raw, event, text);
        }
    }
    events::classify(event, log, id, data);
    aliases::set(raw, event, log, id, data);
    if !event.has(field::USER_ID) && !ecs::is_nothing(header.user_sid) {
        event.set(field::USER_ID, header.user_sid);
    }
}

fn set_header<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, header: &Header<'r>) {
    let mut set = |field, text: &'r str| {
        if !text.is_empty() && !event.has(field) {
            event.set(field, text);
        }
    };
    set(field::WINLOG_CHANNEL, header.channel);
    set(field::WINLOG_PROVIDER_NAME, header.provider);
    set(field::WINLOG_EVENT_ID, header.event_id);
    set(field::EVENT_CODE, header.event_id);
    set(field::WINLOG_COMPUTER_NAME, header.computer);
    set(field::WINLOG_RECORD_ID, header.record_id);
    set(field::EVENT_PROVIDER, header.provider);
    set(field::LOG_LEVEL, if header.level_name.is_empty() { level_name(header.level) } else { header.level_name });
    set(field::HOST_OS_TYPE, "windows");
    set(field::EVENT_KIND, "event");
    for (key, value) in [
        ("provider_guid", header.provider_guid),
        ("task", if header.task_name.is_empty() { header.task } else { header.task_name }),
        ("opcode", if header.opcode_name.is_empty() { header.opcode } else { header.opcode_name }),
        ("keywords", header.keywords),
        ("version", header.version),
        ("process.pid", header.process_id),
        ("process.thread.id", header.thread_id),
        ("user.identifier", header.user_sid),
        ("activity_id", header.activity_id),
    ] {
        if !value.is_empty() {
            event.set_extra("winlog.", key, value);
        }
    }
    if !event.has(field::HOST_NAME) {
        ecs::host(event, header.computer);
    }
    // The event's own time wins over the envelope's.
    if !header.time.is_empty() {
        match time::any(header.time, raw) {
            Some(time) => event.set(field::TIMESTAMP, Value::Time(time)),
            None => event.problem("TimeCreated could not be read"),
        }
    }
}

/// The result of an audit: bits 52 and 53 of the keywords (failure, success), or words.
fn audit_outcome(header: &Header<'_>) -> Option<&'static str> {
    let word = |text: &str| {
        let has = |word: &[u8]| text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
        match (has(b"audit"), has(b"succe"), has(b"fail")) {
            (true, true, _) => Some("success"),
            (true, _, true) => Some("failure"),
            _ => None,
        }
    };
    let keywords = header.keywords;
    let bits = match keywords.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => keywords.parse::<i64>().map(i64::cast_unsigned).or_else(|_| keywords.parse()).ok(),
    };
    match bits {
        Some(bits) if bits & 1 << 52 != 0 => Some("failure"),
        Some(bits) if bits & 1 << 53 != 0 => Some("success"),
        _ => word(header.outcome).or_else(|| word(keywords)),
    }
}

/// `Level` of an event by name; agents that write a name keep it.
fn level_name(level: &str) -> &str {
    match level {
        "0" | "4" => "information",
        "1" => "critical",
        "2" => "error",
        "3" => "warning",
        "5" => "verbose",
        other => other,
    }
}

/// `DOMAIN\user` or `user@domain`: the name and the domain.
fn split_account(account: &str) -> (&str, Option<&str>) {
    match account.split_once('\\') {
        Some((domain, name)) => (name, Some(domain)),
        None => (account, None),
    }
}

/// A process id: decimal (Sysmon) or hexadecimal (Security).
fn process_id(text: &str) -> Option<i64> {
    text::integer(text)
}

/// Names of the commonest DNS record types (IANA, "DNS Parameters").
pub fn dns_type(number: u16) -> Option<&'static str> {
    Some(match number {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        35 => "NAPTR",
        43 => "DS",
        46 => "RRSIG",
        48 => "DNSKEY",
        64 => "SVCB",
        65 => "HTTPS",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        _ => return None,
    })
}

/// The name of a DNS response code; others stay as they are.
pub fn dns_response(code: &str) -> &str {
    match code {
        "0" => "NOERROR",
        "1" => "FORMERR",
        "2" => "SERVFAIL",
        "3" => "NXDOMAIN",
        "4" => "NOTIMP",
        "5" => "REFUSED",
        "6" => "YXDOMAIN",
        "7" => "YXRRSET",
        "8" => "NXRRSET",
        "9" => "NOTAUTH",
        "10" => "NOTZONE",
        other => other,
    }
}
