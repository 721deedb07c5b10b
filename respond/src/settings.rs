//! How respond behaves: plain data with safe defaults. A secret stands here by reference and is fetched when it is needed.

use std::{fmt, path::PathBuf};

use event::{Micros, severity::Severity};
use serde::Deserialize;

pub(crate) const SECOND: Micros = 1_000_000;
pub(crate) const MINUTE: Micros = 60 * SECOND;
pub(crate) const HOUR: Micros = 60 * MINUTE;
pub(crate) const DAY: Micros = 24 * HOUR;

/// Section `[respond]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address of this server as people reach it; links in messages begin with it.
    pub public_url: String,
    /// Time zone of the clock times in messages.
    pub timezone: String,
    /// Mail server; without it mail pages become dead letters that say so.
    pub smtp: Option<Smtp>,
    pub webhook: Webhook,
    pub paging: Paging,
    /// Mail domains that stay inside the province, for example `tinh.gov.vn`.
    pub inside_domains: Vec<String>,
    /// Lets mail to those domains carry title, entity and counts. Everything else carries number, system code, severity, clock
    /// and link only.
    pub inside_details: bool,
    /// How long a link in a message can acknowledge.
    pub ack_hours: u32,
    /// Length of an alert's window, in event time.
    pub window_hours: u32,
    /// An alert joins an incident that was active within so long.
    pub lookback_hours: u32,
    /// A closed incident may open again within so long.
    pub reopen_days: u32,
    /// Events kept as samples of one alert.
    pub samples_max: u32,
    /// A message that cannot be delivered is given up after so long.
    pub retry_hours: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".into(),
            timezone: "Asia/Ho_Chi_Minh".into(),
            smtp: None,
            webhook: Webhook::default(),
            paging: Paging::default(),
            inside_domains: Vec::new(),
            inside_details: false,
            ack_hours: 24,
            window_hours: 24,
            lookback_hours: 24,
            reopen_days: 7,
            samples_max: 20,
            retry_hours: 24,
        }
    }
}

/// Section `[respond.paging]`: which state changes deserve a page.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paging {
    /// Lowest severity that pages.
    pub severity_min: Severity,
    /// Lowest level of a system whose incidents page.
    pub level_min: u8,
    /// Sigma statuses of rules that page.
    pub statuses: Vec<String>,
    /// Events older than this when they arrive page only when critical.
    pub late_minutes: u32,
    /// Pages that one person gets within the window; the rest is told in one summary.
    pub storm_pages: u32,
    pub storm_minutes: u32,
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            severity_min: Severity::High,
            level_min: 3,
            statuses: vec!["stable".into(), "test".into()],
            late_minutes: 60,
            storm_pages: 5,
            storm_minutes: 10,
        }
    }
}

/// Section `[respond.smtp]`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    pub host: String,
    /// Default by `tls`: 465, 587 or 25.
    pub port: Option<u16>,
    #[serde(default)]
    pub tls: SmtpTls,
    /// Sender, for example `Chiêng <chieng@tinh.gov.vn>`.
    pub from: String,
    pub user: Option<String>,
    /// By reference: `{ file = "/etc/chieng/smtp.password" }` or `{ env = "SMTP_PASSWORD" }`.
    pub password: Option<Secret>,
    /// PEM file with the authority that signed the mail server's certificate, beside the system's.
    pub ca_file: Option<PathBuf>,
    #[serde(default = "ten")]
    pub timeout_seconds: u32,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("host", &self.host).field("port", &self.port).field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// A secret by reference; it never stands in the configuration itself.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Secret {
    Env(String),
    File(PathBuf),
}

impl Secret {
    /// Fetches the secret; surrounding white space is not part of it.
    pub fn fetch(&self) -> Result<String, String> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| format!("environment variable {name} is not set"))?,
            Self::File(path) => {
                std::fs::read_to_string(path).map_err(|error| format!("failed to read {}: {error}", path.display()))?
            }
        };
        Ok(text.trim().to_owned())
    }
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Plain connection that must be upgraded; port 587.
    #[default]
    Starttls,
    /// TLS from the first byte; port 465.
    Tls,
    /// No protection: for a relay on the same machine. Port 25.
    None,
}

/// Section `[respond.webhook]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    /// Host names and CIDR ranges that may be called although they are private, or by plain http.
    pub allow: Vec<String>,
    pub timeout_seconds: u32,
}

impl Default for Webhook {
    fn default() -> Self {
        Self { allow: Vec::new(), timeout_seconds: 10 }
    }
}

fn ten() -> u32 {
    10
}
