//! An event as Windows itself renders it: `<Event><System>…</System><EventData>…</EventData></Event>`.
//!
//! Reference: Microsoft, "Event Schema" (System, EventData, UserData, RenderingInfo, ProcessingErrorData). Data elements have
//! a `Name` or none; the elements of `UserData` are its names. What a collector adds (`RenderingInfo`) gives the message.

use event::{Event, field};

use super::{Data, Header, set_data, set_unnamed_one};
use crate::{
    json::Leaf,
    xml::{self, Reader, Token},
};

/// Elements nested deeper than this are passed over.
const DEPTH_MAX: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    System,
    EventData,
    UserData,
    Rendering,
}

/// Finds `<Event …>` near the start: a declaration may stand before it.
pub fn start(text: &str) -> Option<&str> {
    let head = &text.as_bytes()[..text.len().min(256)];
    let at = crate::text::find(head, b"<Event")?;
    let after = text.as_bytes().get(at + 6)?;
    let before = text[..at].trim_start();
    let is_first = before.is_empty() || before.starts_with("<?xml") || before.starts_with("<Events");
    (is_first && matches!(after, b' ' | b'>' | b'\n' | b'\r' | b'\t')).then(|| &text[at..])
}

/// Reads one event; false when the text is none.
pub fn read<'r>(event: &mut Event<'r>, header: &mut Header<'r>, data: &mut Data<'r>, text: &'r str) -> bool {
    let Some(text) = start(text) else { return false };
    let mut walk = Walk { section: Section::None, depth: 0, name: "", key: None, value: "", is_leaf: false };
    let mut reader = Reader::new(text);
    let mut is_closed = false;
    for token in reader.by_ref() {
        match token {
            Token::Open { name, attributes } => walk.open(event, header, name, attributes),
            Token::Text(raw) => walk.value = if walk.value.trim().is_empty() { raw } else { walk.value },
            Token::Verbatim(verbatim) => walk.value = verbatim,
            Token::Close(name) => {
                if walk.close(event, header, data, name) {
                    is_closed = true;
                    break;
                }
            }
        }
    }
    if !is_closed {
        event.problem("the XML of the event is cut");
    } else if !reader.rest().trim().is_empty() && reader.rest().trim() != "</Events>" {
        event.problem("text after the event was left out");
    }
    true
}

struct Walk<'r> {
    section: Section,
    depth: usize,
    name: &'r str,
    /// The `Name` of the data element.
    key: Option<&'r str>,
    value: &'r str,
    /// No element has been closed since the last one was opened.
    is_leaf: bool,
}

impl<'r> Walk<'r> {
    fn open(&mut self, event: &mut Event<'r>, header: &mut Header<'r>, name: &'r str, attributes: &'r str) {
        self.depth += 1;
        self.name = name;
        self.value = "";
        self.is_leaf = true;
        self.key = None;
        if self.depth == 2 {
            self.section = match name {
                "System" => Section::System,
                "EventData" | "ProcessingErrorData" | "DebugData" => Section::EventData,
                "UserData" => Section::UserData,
                "RenderingInfo" => Section::Rendering,
                _ => Section::None,
            };
            return;
        }
        match self.section {
            Section::System => system(event, header, name, attributes),
            Section::EventData => self.key = xml::attribute(attributes, "Name").map(|key| xml::text(event, key)),
            _ => {}
        }
    }

    /// Returns whether the event ended.
    fn close(&mut self, event: &mut Event<'r>, header: &mut Header<'r>, data: &mut Data<'r>, name: &'r str) -> bool {
        if self.is_leaf && self.depth <= DEPTH_MAX {
            let value = xml::text(event, self.value);
            self.leaf(event, header, data, name, value);
        }
        self.is_leaf = false;
        self.value = "";
        self.depth = self.depth.saturating_sub(1);
        if self.depth <= 1 {
            self.section = Section::None;
        }
        self.depth == 0
    }

    fn leaf(&self, event: &mut Event<'r>, header: &mut Header<'r>, data: &mut Data<'r>, name: &'r str, value: &'r str) {
        match self.section {
            Section::System => match name {
                "EventID" => header.event_id = value.trim(),
                "Version" => header.version = value,
                "Level" => header.level = value,
                "Task" => header.task = value,
                "Opcode" => header.opcode = value,
                "Keywords" => header.keywords = value,
                "EventRecordID" => header.record_id = value,
                "Channel" => header.channel = value,
                "Computer" => header.computer = value,
                _ => {}
            },
            Section::EventData if self.depth == 2 => {}
            Section::EventData => match (name, self.key) {
                (_, Some(key)) => set_data(event, data, key, Leaf::Str(value)),
                ("Data", None) => set_unnamed_one(event, data, value),
                ("Binary", None) if !value.is_empty() => event.set_extra(super::EVENT_DATA, "Binary", value),
                (name, None) if !value.is_empty() && !name.is_empty() => set_data(event, data, name, Leaf::Str(value)),
                _ => {}
            },
            // The first level below UserData names the structure; its elements are the fields.
            Section::UserData if self.depth > 2 && !value.trim().is_empty() && !name.is_empty() => {
                set_data(event, data, name, Leaf::Str(value));
            }
            Section::Rendering => match name {
                "Message" => event.set_present(field::MESSAGE, value.trim()),
                "Level" if !value.is_empty() => header.level_name = value,
                "Task" if !value.is_empty() => header.task_name = value,
                "Opcode" if !value.is_empty() => header.opcode_name = value,
                "Keyword" if value.contains("Audit") => header.outcome = value,
                _ => {}
            },
            _ => {}
        }
    }
}

fn system<'r>(event: &Event<'r>, header: &mut Header<'r>, name: &str, attributes: &'r str) {
    for (key, value) in xml::attributes(attributes) {
        let value = xml::text(event, value);
        match (name, key) {
            ("Provider", "Name") => header.provider = value,
            ("Provider", "EventSourceName") if header.provider.is_empty() => header.provider = value,
            ("Provider", "Guid") => header.provider_guid = value,
            ("TimeCreated", "SystemTime") => header.time = value,
            ("Correlation", "ActivityID") => header.activity_id = value,
            ("Execution", "ProcessID") => header.process_id = value,
            ("Execution", "ThreadID") => header.thread_id = value,
            ("Security", "UserID") => header.user_sid = value,
            _ => {}
        }
    }
}
