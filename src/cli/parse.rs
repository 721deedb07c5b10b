//! `chieng parse`: standard input through the parsers, one compact JSON object with dotted ECS keys a record, in order.
//!
//! `null` where a record gives nothing. No enrichment: no ids, no systems, no receive time of ours in the output.

use std::{
    io::{self, BufRead as _, Read as _, Write as _},
    path::PathBuf,
};

use bumpalo::Bump;
use clap::{Args, ValueEnum};
use event::{Event, RawRecord, seam::Clock as _};
use parsers::Memory;

use crate::{
    clock::SystemClock,
    failure::{Failure, Result},
    formats,
};

#[derive(Args)]
pub struct Options {
    /// Form of the input: a record a line, or `{"raw": "…"}` a line for records with line breaks in them
    #[arg(long, value_enum, default_value_t = Input::Lines)]
    input: Input,
    /// Parser by name; without it each line is recognised
    #[arg(long, value_name = "NAME")]
    parser: Option<String>,
    /// Folder of mapping files to read with; without it the one beside the configuration file
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    #[command(flatten)]
    config: super::Config,
    /// Zone of stamps that name none
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Input {
    Lines,
    Ndjson,
    /// One Windows event log file: a line of output per record, in the file's order
    Evtx,
}

pub fn run(options: &Options) -> Result {
    let formats = match options.mappings.clone().or_else(|| formats::folder(options.config.config.as_deref())) {
        Some(dir) => formats::read(&dir).map_err(|problems| Failure::config(&problems))?,
        None => parsers::Formats::default(),
    };
    let fixed = match &options.parser {
        None => None,
        Some(name) => Some(formats.by_name(name).ok_or_else(|| {
            Failure::new(format!("there is no parser {name:?}")).hint(format!("parsers: {}", formats.names().join(", ")))
        })?),
    };
    let zone = options.timezone.parse().map_err(|_| {
        Failure::new(format!("there is no time zone {:?}", options.timezone)).hint("for example Asia/Ho_Chi_Minh")
    })?;
    let failed = |error: io::Error| Failure::of("failed to write to standard output", &error);
    let mut output = io::BufWriter::new(io::stdout().lock());
    let mut arena = Bump::new();
    let mut memory = Memory::default();
    let mut records = records(io::stdin().lock(), options.input)?;
    while let Some(record) = records.next().transpose()? {
        arena.reset();
        let mut event = Event::new(&arena);
        let text = parsers::encoding::decode(&arena, &record, None).text;
        let raw = RawRecord::new(&record, text, SystemClock.now(), zone);
        formats.parse(raw, fixed, &mut memory, &mut event);
        let shown = parsers::render::json(&event);
        drop(event);
        writeln!(output, "{shown}").map_err(failed)?;
    }
    output.flush().map_err(failed)
}

/// The records of the input, one after another. What cannot be read of a Windows log is an empty record: the order stays.
fn records(mut input: io::StdinLock<'static>, form: Input) -> Result<Box<dyn Iterator<Item = Result<Vec<u8>>>>> {
    let failed = |error: io::Error| Failure::of("failed to read standard input", &error);
    if matches!(form, Input::Evtx) {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).map_err(failed)?;
        let records = ingest::files::evtx_records(bytes).map_err(|error| Failure::of("failed to read records", &error))?;
        return Ok(Box::new(records.map(|record| Ok(record.map(String::into_bytes).unwrap_or_default()))));
    }
    Ok(Box::new(input.split(b'\n').map(move |line| {
        let line = line.map_err(failed)?;
        if matches!(form, Input::Ndjson) { unwrapped(&line) } else { Ok(line) }
    })))
}

fn unwrapped(line: &[u8]) -> Result<Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct Wrapped {
        raw: String,
    }
    let wrapped: Wrapped = serde_json::from_slice(line).map_err(|error| Failure::of("a line is not {\"raw\": \"…\"}", &error))?;
    Ok(wrapped.raw.into_bytes())
}
