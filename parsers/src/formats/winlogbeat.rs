//! Winlogbeat and Elastic Agent: JSON with ECS names and `winlog.*`.
//!
//! Reference: Elastic, Winlogbeat exported fields. What the agent already put under ECS names stays; what it left to an
//! ingest pipeline (categories, accounts, peers) is filled from the event data, as for any Windows event.

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff,
    formats::json::{self, object},
    json::Leaf,
    windows::{self, Data, EVENT_DATA, Header},
};

pub struct Winlogbeat;

impl Parser for Winlogbeat {
    fn name(&self) -> &'static str {
        "winlogbeat"
    }

    fn starts(&self) -> &'static [u8] {
        crate::OBJECT
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let has = |word: &[u8]| crate::text::find(raw.text().as_bytes(), word).is_some();
        Sniff::yes_if(
            object(raw.text()).is_some() && (has(b"\"winlog\":") || has(b"\"winlog.channel\"") || has(b"\"winlog.event_id\"")),
        )
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let (mut header, mut data) = (Header::default(), Data::default());
        let outcome = json::read(raw, event, &mut |event, name, leaf| claim(event, &mut header, &mut data, name, leaf));
        if outcome != Outcome::Parsed {
            return outcome;
        }
        if header.event_id.is_empty() && header.channel.is_empty() {
            return Outcome::Unreadable("no winlog.event_id and no winlog.channel");
        }
        windows::finish(raw, event, &header, &data);
        if !event.has(field::EVENT_ACTION) {
            event.set_present(field::EVENT_ACTION, header.task_name);
        }
        Outcome::Parsed
    }
}

/// Takes what the mapping sets again; everything else goes under its own name.
fn claim<'r>(event: &mut Event<'r>, header: &mut Header<'r>, data: &mut Data<'r>, name: &'r str, leaf: Leaf<'r>) -> bool {
    if let Some(key) = name.strip_prefix(EVENT_DATA).or_else(|| name.strip_prefix("winlog.user_data.")) {
        windows::set_data(event, data, key, leaf);
        return true;
    }
    let text = leaf.text();
    match name {
        "winlog.channel" => header.channel = text,
        "winlog.event_id" => header.event_id = text,
        "winlog.provider_name" => header.provider = text,
        "winlog.provider_guid" => header.provider_guid = text,
        "winlog.computer_name" => header.computer = text,
        "winlog.record_id" => header.record_id = text,
        "winlog.task" => header.task = text,
        "winlog.opcode" => header.opcode = text,
        "winlog.version" => header.version = text,
        "winlog.process.pid" => header.process_id = text,
        "winlog.process.thread.id" => header.thread_id = text,
        "winlog.user.identifier" => header.user_sid = text,
        "winlog.activity_id" => header.activity_id = text,
        "winlog.time_created" => header.time = text,
        "winlog.keywords" => header.keywords = text,
        "winlog.level" => header.level_name = text,
        // The agent puts the name of the task there; the number of the event says more.
        "event.action" => header.task_name = text,
        // `event.code` comes as a number from some versions; the mapping writes it as text.
        "event.code" => {}
        // The agent's name of its own outcome ("failure" in the keywords) stays as ECS.
        _ => return false,
    }
    true
}
