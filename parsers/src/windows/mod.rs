//! Windows events, whichever way they come: EVTX records as JSON, Winlogbeat, NXLog-like flat objects. The formats find the
//! header and the data; what they mean is decided here, once.
//!
//! Data fields are stored verbatim under `winlog.event_data.<Name>` (blanks in names left out, as Sigma writes them), unnamed
//! data as the list `winlog.event_data.Data`. ECS fields are set beside them from the words of the log in question.
//!
//! Reference: Microsoft, "Security auditing" (event pages), Sysmon documentation, the providers' manifests.

mod aliases;
mod data;
mod events;

use event::{Event, RawRecord, Value, field};

use crate::{ecs, json::Leaf, text, time};

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
}

/// Which family of logs a channel belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    Security,
    Sysmon,
    PowerShell,
    Defender,
    System,
    Other,
}

/// Dataset and family of a channel.
fn log_of(channel: &str, provider: &str) -> (&'static str, Log) {
    match channel {
        "Security" => ("windows.security", Log::Security),
        "Microsoft-Windows-Sysmon/Operational" => ("windows.sysmon", Log::Sysmon),
        "Windows PowerShell" | "Microsoft-Windows-PowerShell/Operational" | "PowerShellCore/Operational" => {
            ("windows.powershell", Log::PowerShell)
        }
        "Microsoft-Windows-Windows Defender/Operational" => ("windows.defender", Log::Defender),
        "System" => ("windows.system", Log::System),
        "Application" => ("windows.application", Log::Other),
        "Setup" => ("windows.setup", Log::Other),
        "Microsoft-Windows-TaskScheduler/Operational" => ("windows.taskscheduler", Log::Other),
        "Microsoft-Windows-WMI-Activity/Operational" => ("windows.wmi", Log::Other),
        "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall" => ("windows.firewall", Log::Other),
        "" if provider == "Microsoft-Windows-Sysmon" => ("windows.sysmon", Log::Sysmon),
        "" if provider == "Microsoft-Windows-Security-Auditing" => ("windows.security", Log::Security),
        _ if channel.starts_with("Microsoft-Windows-TerminalServices-") => ("windows.terminalservices", Log::Other),
        _ if channel.starts_with("Microsoft-Windows-AppLocker/") => ("windows.applocker", Log::Other),
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
    let Leaf::List(list) = leaf else {
        data.note("Data", leaf.text());
        return event.set(field::WINLOG_EVENT_DATA_DATA, leaf.text());
    };
    let arena = event.arena();
    crate::json::elements(arena, list, &mut |leaf| {
        event.set(field::WINLOG_EVENT_DATA_DATA, leaf.text());
        if leaf.text().contains("HostApplication=") {
            data.note("Data", leaf.text());
        }
    });
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
    events::classify(event, log, id);
    aliases::set(event, log, id, data);
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
    set(field::LOG_LEVEL, level_name(header.level));
    set(field::HOST_OS_TYPE, "windows");
    set(field::EVENT_KIND, "event");
    for (key, value) in [
        ("provider_guid", header.provider_guid),
        ("task", header.task),
        ("opcode", header.opcode),
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
