//! `chieng.toml`: plain settings, read whole, with every problem at once.
//!
//! Every key has a safe default: a start without a file works (loopback, `./data`, a one-time set-up token). Secrets stand
//! here by reference only (`{ env = "…" }`, `{ file = "…" }`).

pub mod problems;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ingest::units::{Bytes, Span};
use serde::Deserialize;

pub use problems::Problem;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub server: Server,
    pub ingest: ingest::Settings,
    pub store: Store,
    pub query: Query,
    pub detect: Detect,
    pub respond: respond::Settings,
    pub retention: Retention,
}

/// Where the program lives and listens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Pages, API and HTTP ingest. Loopback unless said otherwise; put a TLS proxy in front to serve others.
    pub listen: SocketAddr,
    /// Log, segments and databases. One process owns it.
    pub data_dir: PathBuf,
    /// Name of this node in event ids; never change it on a data directory that has events.
    pub node: String,
    /// Address that people type, for links in messages and snippets; empty = `http://` and `listen`.
    pub public_url: String,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8443)),
            data_dir: "data".into(),
            node: "n1".into(),
            public_url: String::new(),
        }
    }
}

/// The store's budgets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// The write-ahead log may grow to this before senders are asked to wait.
    pub wal_max: Bytes,
    /// Events are written to a file when so many bytes of them are in memory …
    pub flush_size: Bytes,
    /// … or when the oldest of them is so old.
    pub flush_interval: Span,
}

impl Default for Store {
    fn default() -> Self {
        Self { wal_max: Bytes::mib(8 << 10), flush_size: Bytes::mib(128), flush_interval: Span::secs(30) }
    }
}

/// Limits of one query.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Query {
    pub time_max: Span,
    pub memory_max: Bytes,
    /// Queries at once; further ones wait.
    pub concurrent_max: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self { time_max: Span::secs(60), memory_max: Bytes::mib(1024), concurrent_max: 4 }
    }
}

/// Where rules come from, beside the ones in the program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Detect {
    /// Use the rules that come with the program.
    pub own_rules: bool,
    /// Folders with Sigma rules, for example a checkout of SigmaHQ.
    pub rules: Vec<PathBuf>,
}

impl Default for Detect {
    fn default() -> Self {
        Self { own_rules: true, rules: Vec::new() }
    }
}

/// How long events are kept where no system says more. Months of 31 days, so that a legal minimum is never cut short.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// By approved level 1 to 5; TCVN 14423:2026 x.8.2.1 a asks 1, 3, 6 and 12 months of levels 2 to 5 and is silent on 1.
    pub months_by_level: [u32; 5],
    /// Never delete anything.
    pub keep_all: bool,
}

impl Default for Retention {
    fn default() -> Self {
        Self { months_by_level: [1, 1, 3, 6, 12], keep_all: false }
    }
}

impl Settings {
    /// Reads a file; `None` gives the defaults. Checks what the types cannot.
    pub fn load(path: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = fs::read_to_string(path).map_err(|error| {
            vec![Problem {
                file: path.display().to_string(),
                line: 0,
                message: format!("failed to read the configuration: {error}"),
                hint: Some("name the file with --config, or leave it out to start with defaults".into()),
            }]
        })?;
        let settings: Self = problems::read(path, &text)?;
        let problems = settings.check(path, &text);
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    fn check(&self, path: &Path, text: &str) -> Vec<Problem> {
        let file = path.display().to_string();
        let problem = |key: &str, message: String, hint: Option<String>| Problem {
            file: file.clone(),
            line: line_of(text, key),
            message,
            hint,
        };
        let mut problems = Vec::new();
        let parsers: Vec<&str> = parsers::PARSERS.iter().map(|parser| parser.name()).collect();
        if let Err(found) = ingest::SourceTable::new(&self.ingest.sources, |name| parsers.contains(&name)) {
            for ingest::sources::Problem { key, message } in found {
                let hint = message.contains("parser").then(|| format!("parsers: auto, {}", parsers.join(", ")));
                problems.push(problem(&key, format!("{key}: {message}"), hint));
            }
        }
        let is_plain = |name: &str| {
            !name.is_empty() && name.len() <= 16 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if !is_plain(&self.server.node) {
            problems.push(problem("node", format!("server.node {:?} is not 1 to 16 of a–z and 0–9", self.server.node), None));
        }
        for folder in self.detect.rules.iter().filter(|folder| !folder.exists()) {
            let hint = Some("detect.rules names folders of Sigma rules on this machine".to_owned());
            problems.push(problem("rules", format!("detect.rules: {} does not exist", folder.display()), hint));
        }
        problems
    }
}

/// The line that sets a key such as `sources[2].timezone`: the last part, in the right repetition of its table.
fn line_of(text: &str, key: &str) -> usize {
    let name = key.rsplit('.').next().unwrap_or(key);
    let index =
        key.split_once('[').and_then(|(_, rest)| rest.split_once(']')).and_then(|(number, _)| number.parse::<usize>().ok());
    let mut tables = 0;
    let mut table_line = 0;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.starts_with("[[") {
            tables += 1;
            if index.is_some_and(|index| tables == index + 1) {
                table_line = at + 1;
            }
        }
        let in_table = index.is_none_or(|index| tables == index + 1);
        if in_table && line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('=')) {
            return at + 1;
        }
    }
    table_line
}
