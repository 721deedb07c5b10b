//! Settings of everything that takes bytes in: plain data, safe defaults, units in the values.
//!
//! Reading them never touches the system: listeners are built from them in [`crate::listeners`], the table of sources in
//! [`crate::sources`].

use std::{collections::BTreeMap, fmt, fs, net::SocketAddr, path::PathBuf};

use ipnet::IpNet;
use serde::Deserialize;

use crate::{
    sources::Problem,
    units::{Bytes, Span},
};

/// Everything that takes bytes in. Each part may be left out.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub syslog: SyslogSettings,
    pub netflow: NetflowSettings,
    pub http: HttpSettings,
    pub elastic: ElasticSettings,
    pub files: FileSettings,
    /// Who speaks, by address range or name; see [`SourceSettings`].
    pub sources: Vec<SourceSettings>,
}

impl Settings {
    /// Everything that is wrong beyond the table of sources: TLS files that cannot be used, values that make no sense.
    /// Reads those files.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |key: String, message: String| problems.push(Problem { key, message });
        for (i, one) in self.syslog.tls.iter().enumerate() {
            check_files(&format!("syslog.tls[{i}]"), &one.files(), &mut add);
        }
        if let Some(files) = &self.elastic.tls {
            check_files("elastic.tls", files, &mut add);
        }
        if let Some(version) = &self.elastic.version
            && crate::elastic::version_of(&format!("elastic/{version}")) != Some(version.as_str())
        {
            add("elastic.version".into(), format!("`{version}` is no version like 8.19.0"));
        }
        problems
    }
}

/// Names the file that cannot be used, at its own key.
fn check_files(key: &str, files: &TlsFiles, add: &mut impl FnMut(String, String)) {
    if let Err(error) = crate::tls::check(files) {
        let part = match &error {
            crate::Error::Tls { path, .. } | crate::Error::Open { path, .. } if *path == files.key => "key",
            crate::Error::Tls { path, .. } | crate::Error::Open { path, .. } if Some(path) == files.client_ca.as_ref() => {
                "client_ca"
            }
            _ => "certificate",
        };
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        add(format!("{key}.{part}"), format!("{error}{cause}"));
    }
}

/// Syslog listeners, RFC 3164 and RFC 5424 alike. Without an address nothing listens.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SyslogSettings {
    /// UDP addresses, such as `"0.0.0.0:514"`.
    pub udp: Vec<SocketAddr>,
    /// TCP addresses. Octet counting, LF and NUL framing are told apart on each connection (RFC 6587).
    pub tcp: Vec<SocketAddr>,
    /// TLS addresses (RFC 5425), each with its certificate; framing as on plain TCP.
    pub tls: Vec<SyslogTls>,
    /// Sockets per UDP address. The kernel spreads senders over them; more sockets read on more cores.
    pub udp_sockets: usize,
    /// Kernel buffer of each UDP socket. It alone bridges a pause of this program, so it is large; the kernel caps it at
    /// `net.core.rmem_max`, which is reported at start.
    pub receive_buffer: Bytes,
    /// Longest message. What is longer is cut there and counted, not dropped.
    pub message_max: Bytes,
    /// A connection without a byte for this long is closed.
    pub idle_timeout: Span,
    /// A message that has begun must end within this time; else what came is kept and the connection closed.
    pub slow_timeout: Span,
    /// Connections at once, all together.
    pub connections_max: usize,
    /// Connections at once from one address.
    pub connections_per_address_max: usize,
}

impl Default for SyslogSettings {
    fn default() -> Self {
        Self {
            udp: Vec::new(),
            tcp: Vec::new(),
            tls: Vec::new(),
            udp_sockets: 2,
            receive_buffer: Bytes::mib(16),
            message_max: Bytes::kib(64),
            idle_timeout: Span::secs(3600),
            slow_timeout: Span::secs(30),
            connections_max: 10_000,
            connections_per_address_max: 256,
        }
    }
}

/// A syslog listener under TLS.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SyslogTls {
    /// Such as `"0.0.0.0:6514"`.
    pub listen: SocketAddr,
    /// In PEM: the server's certificate, followed by those between it and the root. All files are read again when they
    /// change.
    pub certificate: PathBuf,
    /// Its private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
    /// Senders must show a certificate that one of these signed; left out: anybody may connect.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// A handshake must end within this time.
    #[serde(default = "default_handshake_timeout")]
    pub handshake_timeout: Span,
}

fn default_handshake_timeout() -> Span {
    Span::secs(10)
}

impl SyslogTls {
    pub fn files(&self) -> TlsFiles {
        TlsFiles { certificate: self.certificate.clone(), key: self.key.clone(), client_ca: self.client_ca.clone() }
    }
}

/// NetFlow listeners. Without an address nothing listens.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct NetflowSettings {
    /// UDP addresses, such as `"0.0.0.0:2055"`.
    pub udp: Vec<SocketAddr>,
    pub udp_sockets: usize,
    pub receive_buffer: Bytes,
}

impl Default for NetflowSettings {
    fn default() -> Self {
        Self { udp: Vec::new(), udp_sockets: 1, receive_buffer: Bytes::mib(16) }
    }
}

/// Limits of `POST /ingest/v1/{source}`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// Longest body as sent (compressed).
    pub body_max: Bytes,
    /// Longest body once decompressed.
    pub unpacked_max: Bytes,
    /// A compressed body may grow by this factor at most; beyond it, it is taken for a bomb.
    pub ratio_max: u64,
    /// Longest record. A longer text line is cut; a longer JSON record is refused by itself and counted.
    pub record_max: Bytes,
    /// The whole body must arrive within this time.
    pub body_timeout: Span,
    /// Between two pieces of a body at most this time may pass.
    pub idle_timeout: Span,
    /// Memory of all bodies being read at once; beyond it requests are answered 429.
    pub memory_max: Bytes,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            body_max: Bytes::mib(16),
            unpacked_max: Bytes::mib(64),
            ratio_max: 200,
            record_max: Bytes::mib(1),
            body_timeout: Span::secs(60),
            idle_timeout: Span::secs(10),
            memory_max: Bytes::mib(256),
        }
    }
}

/// The Elasticsearch-compatible door. It is always open under `/elastic` of the main address, for senders with a token.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ElasticSettings {
    /// Addresses of its own, such as `"0.0.0.0:9200"`, for senders that know no prefix.
    pub listen: Vec<SocketAddr>,
    /// TLS on those addresses; left out: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Version to claim, such as `"8.19.0"`; left out: the sender's own, so that none thinks this server too old.
    pub version: Option<String>,
    /// Refuse a document that is no JSON object (item status 400) instead of keeping it in quarantine (201).
    pub strict: bool,
    /// Actions in one request.
    pub items_max: usize,
    /// A document with an `_id` that came again within this time is not stored again.
    pub duplicate_window: Span,
    /// Ids remembered, over all sources; the oldest are forgotten first.
    pub duplicates_max: usize,
    /// Connections at once on each address of its own, all together …
    pub connections_max: usize,
    /// … and from one address.
    pub connections_per_address_max: usize,
}

impl Default for ElasticSettings {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            tls: None,
            version: None,
            strict: false,
            items_max: 100_000,
            duplicate_window: Span::secs(600),
            duplicates_max: 200_000,
            connections_max: 2_000,
            connections_per_address_max: 256,
        }
    }
}

/// The files of a TLS listener, in PEM. They are read again when they change.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The server's certificate, followed by those between it and the root.
    pub certificate: PathBuf,
    /// Its private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
    /// Senders must show a certificate that one of these signed; left out: anybody may connect.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}

/// Limits of files, whether tailed or ingested once.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct FileSettings {
    /// How often tailed files are looked at.
    pub poll_interval: Span,
    /// How often the globs are walked for new files.
    pub scan_interval: Span,
    /// Longest line; what is longer is cut there and counted.
    pub line_max: Bytes,
    /// Tailed files at once, over all sources.
    pub files_max: usize,
    /// A compressed file may unpack to this much in all.
    pub unpacked_max: Bytes,
    /// A compressed file may grow by this factor at most (text logs reach 30, a bomb 1,000).
    pub ratio_max: u64,
    /// Compression inside compression, at most this deep.
    pub nesting_max: u32,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self {
            poll_interval: Span::millis(250),
            scan_interval: Span::secs(5),
            line_max: Bytes::mib(1),
            files_max: 1_000,
            unpacked_max: Bytes::mib(64 << 10),
            ratio_max: 500,
            nesting_max: 2,
        }
    }
}

/// One source: who it is and how its bytes are read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// 1–64 characters of `a-z`, `0-9`, `_`, `.`, `-`. It names the source in every page and query.
    pub name: String,
    /// Senders, as addresses or ranges (`"10.1.0.0/24"`). The longest prefix wins.
    #[serde(default)]
    pub from: Vec<AddressRange>,
    /// Senders by their TLS certificate, before any address: `"sha256:…"` or a DNS or common name in it.
    #[serde(default)]
    pub from_certificate: Vec<String>,
    /// Zone of stamps that name none, such as `"Asia/Ho_Chi_Minh"`.
    #[serde(default = "default_timezone")]
    pub timezone: String,
    /// Parser by name, or `"auto"`: found by looking at the line.
    #[serde(default = "default_parser")]
    pub parser: String,
    /// What records are written in that are not UTF-8: `"windows-1258"`, `"tcvn3"` (ABC), `"vni"`, `"utf-16le"`, `"utf-16be"`.
    /// Unset: UTF-8, and UTF-16 where a record obviously is that. The stored bytes are the same whatever is set.
    #[serde(default)]
    pub encoding: Option<String>,
    /// True when the sender passes on what others wrote: then the host name inside the line counts for attribution.
    #[serde(default)]
    pub relay: bool,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What HTTP senders present as `Authorization: Bearer …`.
    #[serde(default)]
    pub token: Option<Secret>,
    /// Files to tail, as paths with `*` and `?`.
    #[serde(default)]
    pub files: Vec<String>,
    /// The register's id of the system that speaks here, when the whole source belongs to one.
    #[serde(default)]
    pub system: Option<String>,
}

impl SourceSettings {
    /// A source with nothing but its name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            from: Vec::new(),
            from_certificate: Vec::new(),
            timezone: default_timezone(),
            parser: default_parser(),
            encoding: None,
            relay: false,
            labels: BTreeMap::new(),
            token: None,
            files: Vec::new(),
            system: None,
        }
    }
}

fn default_timezone() -> String {
    "Asia/Ho_Chi_Minh".into()
}

fn default_parser() -> String {
    "auto".into()
}

/// An address or a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange(pub IpNet);

impl<'de> Deserialize<'de> for AddressRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl std::str::FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<std::net::IpAddr>() {
            return Ok(Self(IpNet::from(address)));
        }
        let range = text.parse::<IpNet>().map_err(|_| format!("`{text}` is neither an address nor a range like 10.1.0.0/24"))?;
        if range.trunc() != range {
            return Err(format!("`{text}` has bits behind its prefix; did you mean `{}`?", range.trunc()));
        }
        Ok(Self(range))
    }
}

/// A secret by reference: `{ env = "NAME" }` or `{ file = "/path" }`. It never stands in the configuration itself.
#[derive(Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Secret {
    Env(String),
    File(PathBuf),
}

impl Secret {
    /// Fetches the secret; surrounding white space is not part of it.
    pub fn resolve(&self) -> Result<String, String> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| format!("environment variable {name} is not set"))?,
            Self::File(path) => {
                fs::read_to_string(path).map_err(|error| format!("failed to read secret from {}: {error}", path.display()))?
            }
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(format!("the secret in {self:?} is empty"));
        }
        Ok(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_reads() {
        let settings: Settings = toml::from_str(
            r#"
            [syslog]
            udp = ["0.0.0.0:514"]
            tcp = ["[::]:514"]
            receive_buffer = "8 MiB"
            slow_timeout = "5 s"

            [http]
            body_max = "1 MiB"

            [[sources]]
            name = "fw"
            from = ["10.1.0.1", "10.2.0.0/16"]
            timezone = "Asia/Ho_Chi_Minh"
            parser = "fortigate"
            relay = true
            labels = { site = "ttdl" }
            token = { env = "FW_TOKEN" }
            files = ["/var/log/fw/*.log"]
            system = "tsl-01"
            "#,
        )
        .unwrap();
        assert_eq!(settings.syslog.receive_buffer, Bytes::mib(8));
        assert_eq!(settings.syslog.message_max, Bytes::kib(64));
        assert_eq!(settings.sources[0].from[0].0.prefix_len(), 32);
        assert_eq!(settings.sources[0].token, Some(Secret::Env("FW_TOKEN".into())));
        assert_eq!(settings.files, FileSettings::default());
    }

    #[test]
    fn what_cannot_be_used_is_named_at_its_key() {
        let settings: Settings = toml::from_str(
            r#"
            [[syslog.tls]]
            listen = "0.0.0.0:6514"
            certificate = "/nonexistent/server.pem"
            key = "/nonexistent/server.key"

            [elastic]
            listen = ["0.0.0.0:9200"]
            version = "8"
            tls = { certificate = "/nonexistent/a.pem", key = "/nonexistent/a.key", client_ca = "/nonexistent/ca.pem" }
            "#,
        )
        .unwrap();
        let problems = settings.check();
        let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["syslog.tls[0].certificate", "elastic.tls.client_ca", "elastic.version"]);
        assert!(problems[0].message.contains("/nonexistent/server.pem: No such file"), "{}", problems[0].message);
        assert_eq!(settings.syslog.tls[0].handshake_timeout, Span::secs(10));
        assert_eq!(Settings::default().check(), []);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| toml::from_str::<Settings>(text).unwrap_err().to_string();
        assert!(error("[syslog]\nupd = []").contains("unknown field `upd`"));
        assert!(error("[syslog]\nmessage_max = 65536").contains("invalid type: integer"));
        assert!(error("[[sources]]\nname = 'a'\nfrom = ['10.1.0.9/24']").contains("did you mean `10.1.0.0/24`"));
        assert!(error("[[sources]]\nname = 'a'\ntoken = 'geheim'").contains("token"));
    }
}
