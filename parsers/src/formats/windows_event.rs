//! Windows events of four shapes: the XML that Windows renders (`<Event xmlns=…>`, what a collector or a forwarder sends); an
//! EVTX record as the `evtx` crate renders it (`{"Event":{"System":{…},"EventData":{…}}}` with `#attributes` and `#text`); the
//! flat objects of agents such as NXLog (`{"EventID":4624,"Channel":"Security","Hostname":…,"TargetUserName":…}`); and the
//! tables of the Azure extension (`{"category":"WindowsEventLogsTable","properties":{"EventId":…,"Description":…}}`).
//!
//! Where a shape brings the text of the event but not its data, the data are read from the text ([`windows::message`]).
//!
//! The log source is decided by `System/Channel`, even where the data has a `Channel` of its own (event 104).

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff,
    formats::json::{self, object},
    json::Leaf,
    keys::KeyTable,
    windows::{self, Data, Header},
};

pub struct WindowsEvent;

impl Parser for WindowsEvent {
    fn name(&self) -> &'static str {
        "windows_event"
    }

    fn starts(&self) -> &'static [u8] {
        b"{@ \t<"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let is = match object(raw.text()) {
            Some(object) => is_rendered(object) || is_flat(object) || is_azure(object),
            None => raw.text().as_bytes().first() == Some(&b'<') && windows::xml::start(raw.text()).is_some(),
        };
        Sniff::yes_if(is)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let (mut header, mut data) = (Header::default(), Data::default());
        if object(raw.text()).is_none() {
            if !windows::xml::read(event, &mut header, &mut data, raw.text()) {
                return Outcome::Unreadable("no <Event>");
            }
            return finish(raw, event, &header, &mut data);
        }
        let is_rendered = object(raw.text()).is_some_and(is_rendered);
        let is_azure = object(raw.text()).is_some_and(is_azure);
        let mut is_flat = false;
        let outcome = json::read(raw, event, &mut |event, name, leaf| {
            if is_rendered {
                rendered(event, &mut header, &mut data, name, leaf);
            } else if is_azure {
                azure(event, &mut header, &mut data, name, leaf);
            } else {
                is_flat = true;
                flat(event, &mut header, &mut data, name, leaf);
            }
            true
        });
        if outcome != Outcome::Parsed {
            return outcome;
        }
        let outcome = finish(raw, event, &header, &mut data);
        if is_flat && !event.has(field::PROCESS_PID) {
            event.set_int(field::PROCESS_PID, header.process_id);
        }
        outcome
    }
}

fn finish<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, header: &Header<'r>, data: &mut Data<'r>) -> Outcome {
    if header.event_id.is_empty() {
        return Outcome::Unreadable("no EventID");
    }
    if data.is_empty()
        && let Some(text) = event.text(field::MESSAGE)
    {
        windows::message::read(event, data, header.event_id.parse().unwrap_or(0), text);
    }
    windows::finish(raw, event, header, data);
    if header.account.is_empty() {
        return Outcome::Parsed;
    }
    // NXLog resolves the SID of the record and tells the process that wrote it; the data know better where they say it.
    if !event.has(field::USER_NAME) {
        crate::ecs::user(event, field::USER_NAME, header.account);
        event.set_present(field::USER_DOMAIN, header.account_domain);
    }
    Outcome::Parsed
}

fn is_azure(object: &str) -> bool {
    let has = |word: &[u8]| crate::text::find(object.as_bytes(), word).is_some();
    has(b"WindowsEventLogsTable") && has(b"\"properties\"")
}

/// `properties` of the Azure diagnostics extension (table WADWindowsEventLogsTable).
static AZURE: LazyLock<KeyTable<Part>> = LazyLock::new(|| {
    use Part::*;
    KeyTable::new(&[
        ("ProviderName", Provider),
        ("ProviderGuid", ProviderGuid),
        ("EventId", EventId),
        ("Level", Level),
        ("Pid", ProcessId),
        ("Tid", ThreadId),
        ("Opcode", Opcode),
        ("Task", Task),
        ("Channel", Channel),
        ("Keywords", Keywords),
        ("Description", Message),
        ("RoleInstance", Computer),
        ("EventRecordID", RecordId),
        ("RawXml", Xml),
    ])
});

fn azure<'r>(event: &mut Event<'r>, header: &mut Header<'r>, data: &mut Data<'r>, name: &'r str, leaf: Leaf<'r>) {
    if name == "time" {
        header.time = leaf.text();
        return;
    }
    let Some(key) = name.strip_prefix("properties.") else {
        if !name.is_empty() {
            event.set_extra("azure.", name, leaf.text());
        }
        return;
    };
    match AZURE.get(key) {
        Some(Part::Xml) => drop(windows::xml::read(event, header, data, leaf.text())),
        Some(part) => set_header(event, header, part, leaf.text().strip_prefix('_').unwrap_or(leaf.text())),
        None if key.is_empty() => {}
        None => event.set_extra("azure.properties.", key, leaf.text()),
    }
}

fn is_rendered(object: &str) -> bool {
    let inside = object[1..].trim_start();
    inside.strip_prefix("\"Event\"").is_some_and(|rest| rest.trim_start().starts_with(':'))
        && crate::text::find(object.as_bytes(), b"\"System\"").is_some()
}

fn is_flat(object: &str) -> bool {
    let has = |word: &[u8]| crate::text::find(object.as_bytes(), word).is_some();
    has(b"\"EventID\"") && (has(b"\"Channel\"") || has(b"\"SourceName\"")) && !has(b"\"winlog\":")
}

/// Where a value of the header goes.
#[derive(Clone, Copy)]
enum Part {
    Provider,
    ProviderGuid,
    EventId,
    Version,
    Level,
    Task,
    Opcode,
    Keywords,
    Time,
    RecordId,
    ActivityId,
    ProcessId,
    ThreadId,
    Channel,
    Computer,
    UserSid,
    Message,
    Outcome,
    TaskName,
    OpcodeName,
    LevelName,
    Xml,
    Ignored,
}

fn set_header<'r>(event: &mut Event<'r>, header: &mut Header<'r>, part: Part, text: &'r str) {
    match part {
        Part::Provider => header.provider = text,
        Part::ProviderGuid => header.provider_guid = text,
        Part::EventId => header.event_id = text,
        Part::Version => header.version = text,
        Part::Level => header.level = text,
        Part::Task => header.task = text,
        Part::Opcode => header.opcode = text,
        Part::Keywords => header.keywords = text,
        Part::Time => header.time = text,
        Part::RecordId => header.record_id = text,
        Part::ActivityId => header.activity_id = text,
        Part::ProcessId => header.process_id = text,
        Part::ThreadId => header.thread_id = text,
        Part::Channel => header.channel = text,
        Part::Computer => header.computer = text,
        Part::UserSid => header.user_sid = text,
        Part::Message => event.set_present(field::MESSAGE, text),
        Part::Outcome => header.outcome = text,
        Part::TaskName => header.task_name = text,
        Part::OpcodeName => header.opcode_name = text,
        Part::LevelName => header.level_name = text,
        Part::Xml | Part::Ignored => {}
    }
}

/// Names below `Event.System.`, attributes with either spelling of the renderer.
static SYSTEM: LazyLock<KeyTable<Part>> = LazyLock::new(|| {
    use Part::*;
    KeyTable::new(&[
        ("Provider.#attributes.Name", Provider),
        ("Provider_attributes.Name", Provider),
        ("Provider.#attributes.Guid", ProviderGuid),
        ("Provider_attributes.Guid", ProviderGuid),
        ("EventID", EventId),
        ("EventID.#text", EventId),
        ("EventID.#attributes.Qualifiers", Ignored),
        ("EventID_attributes.Qualifiers", Ignored),
        ("Version", Version),
        ("Level", Level),
        ("Task", Task),
        ("Opcode", Opcode),
        ("Keywords", Keywords),
        ("TimeCreated.#attributes.SystemTime", Time),
        ("TimeCreated_attributes.SystemTime", Time),
        ("EventRecordID", RecordId),
        ("Correlation.#attributes.ActivityID", ActivityId),
        ("Correlation_attributes.ActivityID", ActivityId),
        ("Execution.#attributes.ProcessID", ProcessId),
        ("Execution_attributes.ProcessID", ProcessId),
        ("Execution.#attributes.ThreadID", ThreadId),
        ("Execution_attributes.ThreadID", ThreadId),
        ("Channel", Channel),
        ("Computer", Computer),
        ("Security.#attributes.UserID", UserSid),
        ("Security_attributes.UserID", UserSid),
    ])
});

fn rendered<'r>(event: &mut Event<'r>, header: &mut Header<'r>, data: &mut Data<'r>, name: &'r str, leaf: Leaf<'r>) {
    let Some(name) = name.strip_prefix("Event.") else { return };
    if let Some(name) = name.strip_prefix("System.") {
        if let Some(part) = SYSTEM.get(name) {
            set_header(event, header, part, leaf.text());
        }
    } else if let Some(name) = name.strip_prefix("EventData.") {
        if is_attribute(name) {
            return;
        }
        windows::set_data(event, data, name.strip_suffix(".#text").unwrap_or(name), leaf);
    } else if let Some(name) = name.strip_prefix("UserData.") {
        // `UserData.<wrapper>.<leaf>`: the leaf's own name counts.
        if is_attribute(name) {
            return;
        }
        let name = name.strip_suffix(".#text").unwrap_or(name);
        windows::set_data(event, data, name.rsplit('.').next().unwrap_or(name), leaf);
    } else if name == "RenderingInfo.Message" {
        event.set_present(field::MESSAGE, leaf.text());
    }
}

fn is_attribute(name: &str) -> bool {
    name.contains("#attributes.") || name.contains("_attributes.")
}

/// Header names of flat objects (NXLog im_msvistalog, and tools that flatten EVTX); every other key is event data.
static FLAT: LazyLock<KeyTable<Part>> = LazyLock::new(|| {
    use Part::*;
    KeyTable::new(&[
        ("EventID", EventId),
        ("Channel", Channel),
        ("Hostname", Computer),
        ("Computer", Computer),
        ("SourceName", Provider),
        ("Provider_Name", Provider),
        ("ProviderGuid", ProviderGuid),
        ("Version", Version),
        ("SeverityValue", Ignored),
        ("Severity", LevelName),
        ("EventType", Outcome),
        ("Category", TaskName),
        ("Opcode", OpcodeName),
        ("Level", Level),
        ("LevelValue", Level),
        ("Task", Task),
        ("OpcodeValue", Opcode),
        ("Keywords", Keywords),
        ("RecordNumber", RecordId),
        ("EventRecordID", RecordId),
        ("ActivityID", ActivityId),
        ("ExecutionProcessID", ProcessId),
        ("ThreadID", ThreadId),
        ("EventTime", Time),
        ("TimeCreated", Time),
        ("SystemTime", Time),
        ("@timestamp", Time),
        ("UserID", UserSid),
        ("ProcessID", ProcessId),
        ("Message", Message),
        ("message", Message),
        ("EventReceivedTime", Ignored),
        ("SourceModuleName", Ignored),
        ("SourceModuleType", Ignored),
        ("@version", Ignored),
    ])
});

fn flat<'r>(event: &mut Event<'r>, header: &mut Header<'r>, data: &mut Data<'r>, name: &'r str, leaf: Leaf<'r>) {
    match name {
        // Told of the record, not data of the event.
        "AccountName" => {
            header.account = leaf.text();
            return event.set_extra(windows::EVENT_DATA, name, leaf.text());
        }
        "Domain" => {
            header.account_domain = leaf.text();
            return event.set_extra(windows::EVENT_DATA, name, leaf.text());
        }
        _ => {}
    }
    match FLAT.get(name) {
        Some(Part::Time) if !header.time.is_empty() && name != "EventTime" => {}
        Some(part) => set_header(event, header, part, leaf.text()),
        None if name == "host" && header.computer.is_empty() => header.computer = leaf.text(),
        None => windows::set_data(event, data, name, leaf),
    }
}
