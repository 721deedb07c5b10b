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

use crate::formats;

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
    pub proof: Proof,
    /// The folder of the installation's own formats, beside the file; not a key of it.
    #[serde(skip)]
    pub mappings: Option<PathBuf>,
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
    /// Events are written to a file when so many bytes of them are in memory (at least 16 MiB; other buffers grow and shrink with it) …
    pub flush_size: Bytes,
    /// … or when the oldest of them is so old.
    pub flush_interval: Span,
    /// What the files of events may take in all, for the forecast; left out: what the disk has free.
    pub disk_max: Option<Bytes>,
    /// Where old files go; left out: they stay here.
    pub cold: Option<Cold>,
}

/// The cold store: a folder on another disk, or a bucket.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cold {
    /// `file:///folder`, or `s3://bucket/prefix` in a build with the feature `s3`.
    pub url: String,
    /// Files go when their newest event was received so long ago.
    #[serde(default = "Cold::after")]
    pub after: Span,
    /// Bytes a second at most, to there and back.
    #[serde(default = "Cold::bandwidth_max")]
    pub bandwidth_max: Bytes,
    /// Of a bucket: address of the server, where it is not Amazon's; `http://` is for a test only.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    /// By reference: `{ env = "…" }` or `{ file = "…" }`.
    pub access_key: Option<ingest::settings::Secret>,
    pub secret_key: Option<ingest::settings::Secret>,
}

impl Cold {
    fn after() -> Span {
        Span::secs(30 * 86_400)
    }

    fn bandwidth_max() -> Bytes {
        Bytes::mib(20)
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            wal_max: Bytes::mib(8 << 10),
            flush_size: Bytes::mib(128),
            flush_interval: Span::secs(30),
            disk_max: None,
            cold: None,
        }
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
    /// A question in the background may run so long …
    pub job_time_max: Span,
    /// … and keep so much; so many run at once.
    pub job_size_max: Bytes,
    pub jobs_at_once: usize,
    /// Kept answers of one person.
    pub jobs_size_max: Bytes,
    /// How long an answer is kept.
    pub jobs_keep: Span,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            time_max: Span::secs(60),
            memory_max: Bytes::mib(1024),
            concurrent_max: 4,
            job_time_max: Span::secs(3_600),
            job_size_max: Bytes::mib(256),
            jobs_at_once: 1,
            jobs_size_max: Bytes::mib(1024),
            jobs_keep: Span::secs(7 * 86_400),
        }
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
    /// Days before a legal minimum breaks, or the disk is full, at which it is told.
    pub warn_days: u32,
    /// Longer rules for log classes; the longest rule that fits wins.
    pub classes: Vec<ClassRule>,
}

/// One log class that is kept longer than the level asks, for example the logins of citizen services.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRule {
    /// `event.dataset` of the events.
    pub class: String,
    pub months: u32,
    /// System codes; empty = all.
    #[serde(default)]
    pub systems: Vec<String>,
    /// Which law or decision asks for it.
    pub reason: String,
}

impl Default for Retention {
    fn default() -> Self {
        Self { months_by_level: [1, 1, 3, 6, 12], keep_all: false, warn_days: 60, classes: Vec::new() }
    }
}

/// Where roots of the proof go, so that whoever owns this server cannot take them back. Two places or more.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proof {
    /// Syslog servers of others (RFC 5424): they get the newest root …
    pub syslog: Vec<SyslogAnchor>,
    /// … so often.
    pub syslog_interval: Span,
    /// Mail addresses of auditors; needs `[respond.smtp]`. They get the newest root …
    pub mail: Vec<String>,
    /// … so often.
    pub mail_interval: Span,
}

impl Default for Proof {
    fn default() -> Self {
        Self { syslog: Vec::new(), syslog_interval: Span::secs(3_600), mail: Vec::new(), mail_interval: Span::secs(24 * 3_600) }
    }
}

/// One syslog server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyslogAnchor {
    /// `host:port`.
    pub address: String,
    #[serde(default)]
    pub protocol: SyslogProtocol,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyslogProtocol {
    /// Octet-counted messages over TCP (RFC 6587): at least the connection is known to stand.
    #[default]
    Tcp,
    Udp,
}

impl SyslogProtocol {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
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
        let mut settings: Self = problems::read(path, &text)?;
        settings.mappings = formats::folder(Some(path));
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
        let formats = self.mappings.as_deref().map(formats::read_good).unwrap_or_default();
        let parsers = formats.names();
        if let Err(found) = ingest::SourceTable::new(&self.ingest.sources, |name| parsers.contains(&name)) {
            for ingest::sources::Problem { key, message } in found {
                let hint = message.contains("parser").then(|| format!("parsers: auto, {}", parsers.join(", ")));
                problems.push(problem(&key, format!("{key}: {message}"), hint));
            }
        }
        for ingest::sources::Problem { key, message } in self.ingest.check() {
            problems.push(problem(&key, format!("ingest.{key}: {message}"), None));
        }
        let is_plain = |name: &str| {
            !name.is_empty() && name.len() <= 16 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if !is_plain(&self.server.node) {
            problems.push(problem("node", format!("server.node {:?} is not 1 to 16 of a–z and 0–9", self.server.node), None));
        }
        for rule in self.retention.classes.iter().filter(|rule| rule.months == 0 || rule.reason.trim().is_empty()) {
            let message = format!("retention.classes: the rule of {:?} needs months above 0 and a reason", rule.class);
            problems.push(problem("class", message, Some("name the law or decision that asks for it".into())));
        }
        let has_port = |address: &str| {
            address
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
        };
        for to in self.proof.syslog.iter().filter(|to| !has_port(&to.address)) {
            let hint = Some("for example \"192.0.2.1:514\"".to_owned());
            problems.push(problem("proof.address", format!("proof.syslog: {:?} is not host:port", to.address), hint));
        }
        for to in &self.proof.mail {
            if let Err(message) = respond::email::check_address(to) {
                problems.push(problem("proof.mail", format!("proof.mail: {message}"), None));
            }
        }
        if !self.proof.mail.is_empty() && self.respond.smtp.is_none() {
            let hint = Some("add [respond.smtp] with the mail server".to_owned());
            problems.push(problem("proof.mail", "proof.mail needs a mail server".to_owned(), hint));
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
