//! One processing block: frames of the log → parsed, attributed events → one batch per dataset, and the ledger's deltas.
//!
//! Pure work on one thread: no I/O, no clock. The arena, the scratch and the builders are reused from block to block; nothing
//! is allocated per event but what the columns themselves need.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    net::IpAddr,
    sync::Arc,
};

use bumpalo::Bump;
use event::{BlockBuilder, Event, EventBatch, Micros, Outcome, RawRecord, Value, field};
use ingest::{Source, SourceTable};
use parsers::{
    Memory, Parser,
    encoding::{self, Encoding},
    flows::netflow_v5,
};
use state::register::{AttributionInput, Entity, Snapshot};
use store::{Frame, LedgerDelta};

use super::flows;

/// Claimed times further off than this are flagged (design §3.2).
const SKEW_FLAGGED: Micros = 24 * 3_600_000_000;

/// Senders whose format is remembered; beyond it everything is learned again.
const MEMORIES_MAX: usize = 65_536;

/// What a block became.
#[derive(Debug)]
pub struct Block {
    /// Sequence of its last frame.
    pub through: u64,
    pub batches: Vec<EventBatch>,
    pub ledger: Vec<LedgerDelta>,
}

/// The reused parts.
pub struct Processor {
    node: String,
    arena: Bump,
    builder: BlockBuilder,
    memories: HashMap<(Arc<str>, Option<IpAddr>), Memory>,
    names: HashMap<String, Arc<str>>,
}

/// What a block is read against; swapped as a whole between blocks.
pub struct Context<'a> {
    pub sources: &'a SourceTable,
    pub register: &'a Snapshot,
    pub formats: &'a parsers::Formats,
    /// Systems of ingest tokens, by source.
    pub token_systems: &'a HashMap<String, String>,
}

impl Processor {
    pub fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            arena: Bump::new(),
            builder: BlockBuilder::new(),
            memories: HashMap::new(),
            names: HashMap::new(),
        }
    }

    /// Processes frames in order.
    pub fn process(&mut self, frames: &[Frame], context: &Context<'_>) -> Block {
        if self.memories.len() > MEMORIES_MAX {
            self.memories.clear();
        }
        self.arena.reset();
        let mut ledger = Ledger::default();
        let mut event = Event::new(&self.arena);
        for frame in frames {
            let source_name = interned(&mut self.names, &frame.batch.source);
            let source = context.sources.by_name(&source_name);
            let memory = self.memories.entry((source_name.clone(), frame.batch.sender)).or_default();
            let reader = Reader::new(&self.node, frame, source.map(Arc::as_ref), context);
            let tally = ledger.of(&source_name, frame.ingested);
            for (at, record) in frame.batch.records().enumerate() {
                if frame.batch.source == ingest::sources::SOURCE_NETFLOW {
                    match netflow_v5::read(record) {
                        Ok((_, flows)) => {
                            tally.parsed += 1;
                            for (part, flow) in flows.enumerate() {
                                event.clear();
                                flows::fill(&flow, &mut event);
                                reader.finish(at, Some(part), &mut event);
                                tally.events += 1;
                                self.builder.append(&event);
                            }
                        }
                        Err(error) => {
                            tally.quarantined += 1;
                            tally.events += 1;
                            event.clear();
                            reader.quarantine(at, record, &error.to_string(), &mut event);
                            self.builder.append(&event);
                        }
                    }
                    continue;
                }
                event.clear();
                match reader.read(at, record, memory, &mut event) {
                    Outcome::Parsed => tally.parsed += 1,
                    Outcome::Unreadable(_) => tally.quarantined += 1,
                }
                tally.events += 1;
                self.builder.append(&event);
            }
        }
        drop(event);
        Block {
            through: frames.last().map_or(0, |frame| frame.sequence),
            batches: self.builder.finish(),
            ledger: ledger.finish(),
        }
    }
}

/// The parts of a frame that all its records share.
struct Reader<'a> {
    node: &'a str,
    frame: &'a Frame,
    context: &'a Context<'a>,
    zone: chrono_tz::Tz,
    parser: Option<&'static dyn Parser>,
    encoding: Option<Encoding>,
    is_relay: bool,
    source_system: Option<&'a str>,
    sender: String,
}

impl<'a> Reader<'a> {
    fn new(node: &'a str, frame: &'a Frame, source: Option<&'a Source>, context: &'a Context<'a>) -> Self {
        Self {
            node,
            frame,
            context,
            zone: source.map_or(ingest::sources::ZONE_DEFAULT, |source| source.zone),
            parser: source.and_then(|source| source.parser.as_deref()).and_then(|name| context.formats.by_name(name)),
            encoding: source.and_then(|source| source.encoding.as_deref()).and_then(encoding::by_name),
            is_relay: source.is_some_and(|source| source.relay),
            source_system: source
                .and_then(|source| source.system.as_deref())
                .or_else(|| context.token_systems.get(&frame.batch.source).map(String::as_str)),
            sender: frame.batch.sender.map(|address| address.to_string()).unwrap_or_default(),
        }
    }

    fn read<'r>(&self, at: usize, record: &'r [u8], memory: &mut Memory, event: &mut Event<'r>) -> Outcome
    where
        'a: 'r,
    {
        let batch = &self.frame.batch;
        // Nearly all records are UTF-8 without a zero among their first bytes, which UTF-16 has.
        let (text, is_text, has_lost) = match simdutf8::basic::from_utf8(record) {
            Ok(text) if self.encoding.is_none() && !record.iter().take(2).any(|b| *b == 0) => (text, true, false),
            _ => {
                let decoded = encoding::decode(event.arena(), record, self.encoding);
                (decoded.text, decoded.from.is_none() && !decoded.has_lost, decoded.has_lost)
            }
        };
        let raw = RawRecord::new(record, text, batch.received, self.zone);
        let (outcome, parser) = self.context.formats.parse(raw, self.parser, memory, event);
        event.set(field::CHIENG_PARSER, parser);
        if is_text {
            event.set(field::EVENT_ORIGINAL, text);
        } else {
            event.set(field::EVENT_ORIGINAL_BYTES, hexadecimal(event.arena(), record));
            if has_lost {
                event.problem("not UTF-8: unreadable bytes are shown as U+FFFD, the original is in event.original_bytes");
            }
        }
        self.finish(at, None, event);
        outcome
    }

    /// A datagram that could not be decoded: stored whole, with the reason.
    fn quarantine<'r>(&self, at: usize, record: &[u8], reason: &str, event: &mut Event<'r>)
    where
        'a: 'r,
    {
        event.set_dataset("unparsed");
        event.set(field::EVENT_KIND, "pipeline_error");
        event.set(field::ERROR_MESSAGE, event.alloc(reason));
        event.set(field::EVENT_ORIGINAL_BYTES, hexadecimal(event.arena(), record));
        self.finish(at, None, event);
    }

    /// What the pipe knows of every event, whoever read it.
    fn finish<'r>(&self, at: usize, part: Option<usize>, event: &mut Event<'r>)
    where
        'a: 'r,
    {
        event.set(field::CHIENG_SOURCE, event.alloc(&self.frame.batch.source));
        if !self.sender.is_empty() {
            event.set(field::LOG_SOURCE_ADDRESS, event.alloc(&self.sender));
        }
        self.set_identity(at, part, event);
        self.set_times(event);
        self.set_owner(event);
    }

    /// node-sequence-index: the record's place in the log; with a part where one record gives several events.
    fn set_identity<'r>(&self, at: usize, part: Option<usize>, event: &mut Event<'r>) {
        let mut id = bumpalo::collections::String::with_capacity_in(self.node.len() + 24, event.arena());
        let written = match part {
            None => write!(id, "{}-{}-{at}", self.node, self.frame.sequence),
            Some(part) => write!(id, "{}-{}-{at}.{part}", self.node, self.frame.sequence),
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
        event.set(field::EVENT_ID, id.into_bump_str());
        event.set(field::EVENT_DATASET, event.dataset());
    }

    /// A wrong clock never hides an event: claimed, received and written time are all kept, and the gap is flagged.
    fn set_times<'r>(&self, event: &mut Event<'r>) {
        let received = self.frame.batch.received;
        match event.get(field::TIMESTAMP) {
            Some(Value::Time(claimed)) => {
                let skew = claimed.saturating_sub(received);
                event.set(field::CHIENG_CLOCK_SKEW, skew / 1_000);
                if skew.abs() > SKEW_FLAGGED {
                    event.set(field::TAGS, "clock_skew");
                }
            }
            _ => {
                event.remove(field::TIMESTAMP);
                event.set(field::TIMESTAMP, Value::Time(received));
            }
        }
        event.set(field::EVENT_CREATED, Value::Time(received));
        event.set(field::EVENT_INGESTED, Value::Time(self.frame.ingested));
    }

    /// Whose event it is, and which other systems it touches.
    fn set_owner<'r>(&self, event: &mut Event<'r>)
    where
        'a: 'r,
    {
        let host = event.text(field::LOG_SYSLOG_HOSTNAME).or_else(|| event.text(field::HOST_NAME));
        let input =
            AttributionInput { source_system: self.source_system, sender: self.frame.batch.sender, host, relay: self.is_relay };
        let register: &'a Snapshot = self.context.register;
        let found = register.attribute(input);
        event.set(field::SYSTEM_ID, found.system);
        event.set(field::CHIENG_ATTRIBUTION, found.method);
        if let Some(level) = found.level {
            event.set(field::SYSTEM_LEVEL, i64::from(level));
        }
        if let Some(organization) = found.organization {
            event.set(field::ORGANIZATION_ID, organization);
        }
        let ends = [field::SOURCE_IP, field::DESTINATION_IP].map(|field| event.get(field).and_then(address));
        for ip in ends.into_iter().flatten() {
            for system in register.related(Entity::Ip(ip)) {
                event.set(field::RELATED_SYSTEM, system);
            }
        }
        if let Some(host) = host {
            for system in register.related(Entity::Host(host)) {
                event.set(field::RELATED_SYSTEM, system);
            }
        }
    }
}

fn address(value: Value<'_>) -> Option<IpAddr> {
    match value {
        Value::Ip(ip) => Some(ip),
        Value::Str(text) => text.parse().ok(),
        _ => None,
    }
}

fn hexadecimal<'r>(arena: &'r Bump, bytes: &[u8]) -> &'r str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = bumpalo::collections::String::with_capacity_in(bytes.len() * 2, arena);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.into_bump_str()
}

fn interned(names: &mut HashMap<String, Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = names.get(name) {
        return known.clone();
    }
    let shared: Arc<str> = name.into();
    names.insert(name.to_owned(), shared.clone());
    shared
}

/// Counts per source and minute of ingestion.
#[derive(Default)]
struct Ledger {
    rows: BTreeMap<(Arc<str>, Micros), LedgerDelta>,
}

impl Ledger {
    fn of(&mut self, source: &Arc<str>, ingested: Micros) -> &mut LedgerDelta {
        let minute = store::minute_of(ingested);
        self.rows.entry((source.clone(), minute)).or_insert_with(|| LedgerDelta {
            source: source.to_string(),
            minute,
            ..LedgerDelta::default()
        })
    }

    fn finish(self) -> Vec<LedgerDelta> {
        self.rows.into_values().collect()
    }
}
