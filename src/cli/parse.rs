//! `chieng parse`: standard input through the parsers, one compact JSON object with dotted ECS keys a record, in order.
//!
//! `null` where a record gives nothing. No enrichment: no ids, no systems, no receive time of ours in the output.

use std::{
    io::{self, BufRead as _, Write as _},
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
    let failed = |error: io::Error| Failure::of("failed to copy from standard input to standard output", &error);
    let (mut input, mut output) = (io::stdin().lock(), io::BufWriter::new(io::stdout().lock()));
    let mut arena = Bump::new();
    let mut memory = Memory::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        let record = match options.input {
            Input::Lines => line.strip_suffix(b"\n").unwrap_or(&line).to_vec(),
            Input::Ndjson => unwrapped(&line)?,
        };
        arena.reset();
        let mut event = Event::new(&arena);
        let text = String::from_utf8_lossy(&record);
        let raw = RawRecord::new(&record, &text, SystemClock.now(), zone);
        formats.parse(raw, fixed, &mut memory, &mut event);
        let shown = parsers::render::json(&event);
        drop(event);
        writeln!(output, "{shown}").map_err(failed)?;
    }
    output.flush().map_err(failed)
}

fn unwrapped(line: &[u8]) -> Result<Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct Wrapped {
        raw: String,
    }
    let wrapped: Wrapped = serde_json::from_slice(line).map_err(|error| Failure::of("a line is not {\"raw\": \"…\"}", &error))?;
    Ok(wrapped.raw.into_bytes())
}
