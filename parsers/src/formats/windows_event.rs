//! Windows events as JSON of two shapes: an EVTX record as the `evtx` crate renders it
//! (`{"Event":{"System":{…},"EventData":{…}}}` with `#attributes` and `#text`), and the flat objects of agents such as NXLog
//! (`{"EventID":4624,"Channel":"Security","Hostname":…,"TargetUserName":…}`).
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

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(object(raw.text()).is_some_and(|object| is_rendered(object) || is_flat(object)))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let (mut header, mut data) = (Header::default(), Data::default());
        let is_rendered = object(raw.text()).is_some_and(is_rendered);
        let outcome = json::read(raw, event, &mut |event, name, leaf| {
            if is_rendered {
                rendered(event, &mut header, &mut data, name, leaf);
            } else {
                flat(event, &mut header, &mut data, name, leaf);
            }
            true
        });
        if outcome != Outcome::Parsed {
            return outcome;
        }
        if header.event_id.is_empty() {
            return Outcome::Unreadable("no EventID");
        }
        windows::finish(raw, event, &header, &data);
        Outcome::Parsed
    }
}

fn is_rendered(object: &str) -> bool {
    let inside = object[1..].trim_start();
    inside.strip_prefix("\"Event\"").is_some_and(|rest| rest.trim_start().starts_with(':'))
        && memchr::memmem::find(object.as_bytes(), b"\"System\"").is_some()
}

fn is_flat(object: &str) -> bool {
    let has = |word: &[u8]| memchr::memmem::find(object.as_bytes(), word).is_some();
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
        Part::Ignored => {}
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
        ("Severity", Ignored),
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
        ("Message", Message),
        ("message", Message),
        ("EventReceivedTime", Ignored),
        ("SourceModuleName", Ignored),
        ("SourceModuleType", Ignored),
        ("@version", Ignored),
    ])
});

fn flat<'r>(event: &mut Event<'r>, header: &mut Header<'r>, data: &mut Data<'r>, name: &'r str, leaf: Leaf<'r>) {
    match FLAT.get(name) {
        Some(Part::Time) if !header.time.is_empty() && name != "EventTime" => {}
        Some(part) => set_header(event, header, part, leaf.text()),
        None if name == "host" && header.computer.is_empty() => header.computer = leaf.text(),
        None => windows::set_data(event, data, name, leaf),
    }
}
