//! The table of sources: which configured source an address, a name or a token belongs to. Built whole from the settings,
//! with all problems at once; replaced whole on reload.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use chrono_tz::Tz;

use crate::settings::{Settings, SourceSettings};
use crate::tls::Identity;
use crate::tokens::TokenHash;

/// Source of syslog senders that no configured range covers.
pub const SOURCE_SYSLOG: &str = "syslog";
/// Source of every flow datagram.
pub const SOURCE_NETFLOW: &str = "netflow";
/// Zone of sources that configure none.
pub const ZONE_DEFAULT: Tz = Tz::Asia__Ho_Chi_Minh;

const NAME_BYTES_MAX: usize = 64;

/// Names of encodings that a source may set; the program's parsers know the same.
pub const ENCODINGS: [&str; 5] = ["utf-16le", "utf-16be", "windows-1258", "tcvn3", "vni"];

/// A configured source, ready for use.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: String,
    pub zone: Tz,
    /// `None` means found by sniffing.
    pub parser: Option<String>,
    /// One of [`ENCODINGS`], for records that are not UTF-8.
    pub encoding: Option<String>,
    pub relay: bool,
    pub labels: BTreeMap<String, String>,
    pub system: Option<String>,
    pub files: Vec<String>,
    /// True when the configuration names it; false for the built-in defaults.
    pub is_configured: bool,
    pub(crate) token: Option<TokenHash>,
}

impl Source {
    fn built_in(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            zone: ZONE_DEFAULT,
            parser: None,
            encoding: None,
            relay: false,
            labels: BTreeMap::new(),
            system: None,
            files: Vec::new(),
            is_configured: false,
            token: None,
        }
    }

    /// True when HTTP senders of this source must present a token of the configuration.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }
}

/// One thing wrong with the settings, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key, such as `sources[2].timezone`.
    pub key: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// Sources by name and by address.
#[derive(Debug)]
pub struct SourceTable {
    by_name: HashMap<String, Arc<Source>>,
    /// Prefix length and masked address → source. IPv4 sits in its own map, so that 0.0.0.0/0 never covers IPv6.
    v4: Prefixes,
    v6: Prefixes,
    /// `sha256:` and 64 digits, or a name, in lower case → source.
    by_certificate: HashMap<String, Arc<Source>>,
    syslog: Arc<Source>,
}

#[derive(Debug, Default)]
struct Prefixes {
    /// Lengths in use, longest first.
    lengths: Vec<u8>,
    map: HashMap<(u8, u128), Arc<Source>>,
}

impl Prefixes {
    /// Returns the source that had the range already.
    fn insert(&mut self, length: u8, bits: u128, source: Arc<Source>) -> Option<Arc<Source>> {
        if let Err(at) = self.lengths.binary_search_by(|have| length.cmp(have)) {
            self.lengths.insert(at, length);
        }
        self.map.insert((length, bits), source)
    }

    fn find(&self, bits: u128, width: u8) -> Option<&Arc<Source>> {
        self.lengths.iter().find_map(|&length| self.map.get(&(length, masked(bits, length, width))))
    }
}

fn masked(bits: u128, length: u8, width: u8) -> u128 {
    if length == 0 { 0 } else { bits & (u128::MAX << (width - length)) }
}

fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

impl SourceTable {
    /// Builds the table, or returns everything that is wrong. `knows_parser` answers whether a parser of that name exists.
    pub fn new(settings: &[SourceSettings], knows_parser: impl Fn(&str) -> bool) -> Result<Self, Vec<Problem>> {
        let mut table = Self {
            by_name: HashMap::new(),
            v4: Prefixes::default(),
            v6: Prefixes::default(),
            by_certificate: HashMap::new(),
            syslog: Arc::new(Source::built_in(SOURCE_SYSLOG)),
        };
        for name in [SOURCE_SYSLOG, SOURCE_NETFLOW] {
            table.by_name.insert(name.to_owned(), Arc::new(Source::built_in(name)));
        }
        let mut problems = Vec::new();
        for (i, one) in settings.iter().enumerate() {
            table.add(i, one, &knows_parser, &mut problems);
        }
        table.syslog = Arc::clone(&table.by_name[SOURCE_SYSLOG]);
        if problems.is_empty() { Ok(table) } else { Err(problems) }
    }

    /// The table of a program without configuration.
    pub fn empty() -> Self {
        Self::new(&[], |_| true).unwrap_or_else(|_| unreachable!("no settings, no problems"))
    }

    fn add(&mut self, i: usize, settings: &SourceSettings, knows_parser: impl Fn(&str) -> bool, problems: &mut Vec<Problem>) {
        let mut problem = |key: &str, message: String| problems.push(Problem { key: format!("sources[{i}].{key}"), message });
        if !is_source_name(&settings.name) {
            problem("name", format!("`{}` must be 1 to 64 characters of a-z, 0-9, `_`, `.` or `-`", settings.name));
        }
        if self.by_name.get(&settings.name).is_some_and(|have| have.is_configured) {
            problem("name", format!("`{}` names two sources", settings.name));
        }
        let zone = settings.timezone.parse::<Tz>().unwrap_or_else(|_| {
            problem("timezone", format!("`{}` is no zone of the IANA list, such as Asia/Ho_Chi_Minh", settings.timezone));
            ZONE_DEFAULT
        });
        let parser = (settings.parser != "auto").then(|| settings.parser.clone());
        if let Some(name) = &parser
            && !knows_parser(name)
        {
            problem("parser", format!("there is no parser `{name}`; `auto` finds one by looking at the line"));
        }
        if let Some(name) = &settings.encoding
            && !ENCODINGS.contains(&name.as_str())
        {
            problem("encoding", format!("there is no encoding `{name}`; there are {}", ENCODINGS.join(", ")));
        }
        let token = settings.token.as_ref().and_then(|secret| match secret.resolve() {
            Ok(token) => Some(TokenHash::of(&token)),
            Err(message) => {
                problem("token", message);
                None
            }
        });
        for (f, file) in settings.files.iter().enumerate() {
            if !file.starts_with('/') {
                problem(&format!("files[{f}]"), format!("`{file}` must be an absolute path"));
            }
        }
        let source = Arc::new(Source {
            name: settings.name.clone(),
            zone,
            parser,
            encoding: settings.encoding.clone(),
            relay: settings.relay,
            labels: settings.labels.clone(),
            system: settings.system.clone(),
            files: settings.files.clone(),
            is_configured: true,
            token,
        });
        for (f, range) in settings.from.iter().enumerate() {
            let net = range.0.trunc();
            let (bits, width) = bits(net.addr());
            let prefixes = if width == 32 { &mut self.v4 } else { &mut self.v6 };
            if let Some(other) = prefixes.insert(net.prefix_len(), bits, Arc::clone(&source)) {
                problem(&format!("from[{f}]"), format!("{net} belongs to source `{}` already", other.name));
            }
        }
        for (c, text) in settings.from_certificate.iter().enumerate() {
            let Some(certificate) = certificate_key(text) else {
                let message = format!("`{text}` is neither sha256: with 64 hexadecimal digits nor a name");
                problem(&format!("from_certificate[{c}]"), message);
                continue;
            };
            if let Some(other) = self.by_certificate.insert(certificate, Arc::clone(&source)) {
                problem(&format!("from_certificate[{c}]"), format!("`{text}` belongs to source `{}` already", other.name));
            }
        }
        self.by_name.insert(settings.name.clone(), source);
    }

    /// The source of a sender that showed a certificate: by its fingerprint, else by the first name that a source claims.
    pub fn of_certificate(&self, identity: &Identity) -> Option<&Arc<Source>> {
        let by_fingerprint = self.by_certificate.get(&format!("sha256:{}", identity.fingerprint));
        by_fingerprint.or_else(|| identity.names.iter().find_map(|name| self.by_certificate.get(name)))
    }

    /// The source of a syslog sender: longest prefix, else the default source `syslog`.
    pub fn of_sender(&self, sender: IpAddr) -> &Arc<Source> {
        let (bits, width) = bits(sender.to_canonical());
        let prefixes = if width == 32 { &self.v4 } else { &self.v6 };
        prefixes.find(bits, width).unwrap_or(&self.syslog)
    }

    pub fn by_name(&self, name: &str) -> Option<&Arc<Source>> {
        self.by_name.get(name)
    }

    /// Every source, by name.
    pub fn all(&self) -> Vec<&Arc<Source>> {
        let mut all: Vec<_> = self.by_name.values().collect();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

/// How a certificate of the configuration is looked up: colons and case do not count.
fn certificate_key(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let Some(digits) = text.strip_prefix("sha256:") else { return (!text.is_empty()).then_some(text) };
    let digits = digits.replace(':', "");
    (digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| format!("sha256:{digits}"))
}

/// True for 1 to 64 characters of `[a-z0-9_.-]`.
pub fn is_source_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-'))
}

/// The table in force. Readers take it per batch, so a reload never stops a listener.
#[derive(Debug)]
pub struct Sources(RwLock<Arc<SourceTable>>);

impl Sources {
    pub fn new(table: SourceTable) -> Self {
        Self(RwLock::new(Arc::new(table)))
    }

    pub fn from_settings(settings: &Settings, knows_parser: impl Fn(&str) -> bool) -> Result<Self, Vec<Problem>> {
        SourceTable::new(&settings.sources, knows_parser).map(Self::new)
    }

    pub fn load(&self) -> Arc<SourceTable> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn replace(&self, table: SourceTable) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, from: &[&str]) -> SourceSettings {
        SourceSettings { from: from.iter().map(|r| r.parse().unwrap()).collect(), ..SourceSettings::named(name) }
    }

    #[test]
    fn the_longest_prefix_wins() {
        let table = SourceTable::new(
            &[source("province", &["10.0.0.0/8"]), source("fw", &["10.1.2.3"]), source("v6", &["2001:db8::/32"])],
            |_| true,
        )
        .unwrap();
        let name = |address: &str| table.of_sender(address.parse().unwrap()).name.clone();
        assert_eq!(name("10.1.2.3"), "fw");
        assert_eq!(name("::ffff:10.1.2.3"), "fw");
        assert_eq!(name("10.1.2.4"), "province");
        assert_eq!(name("192.0.2.1"), "syslog");
        assert_eq!(name("2001:db8::7"), "v6");
        assert_eq!(name("2001:db9::7"), "syslog");
    }

    #[test]
    fn everything_is_zero_bits() {
        let table = SourceTable::new(&[source("all", &["0.0.0.0/0"])], |_| true).unwrap();
        assert_eq!(table.of_sender("203.0.113.9".parse().unwrap()).name, "all");
        assert_eq!(table.of_sender("2001:db8::1".parse().unwrap()).name, "syslog");
    }

    #[test]
    fn all_problems_come_at_once() {
        let broken = SourceSettings {
            name: "Tường lửa".into(),
            timezone: "Hanoi".into(),
            parser: "fortigat".into(),
            files: vec!["log/*.log".into()],
            token: Some(crate::settings::Secret::File("/nonexistent/secret".into())),
            ..source("x", &["10.1.0.0/24"])
        };
        let problems = SourceTable::new(&[source("a", &["10.1.0.0/24"]), broken], |name| name == "fortigate").unwrap_err();
        let keys: Vec<_> = problems.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "sources[1].name",
                "sources[1].timezone",
                "sources[1].parser",
                "sources[1].token",
                "sources[1].files[0]",
                "sources[1].from[0]"
            ]
        );
    }

    #[test]
    fn a_certificate_names_its_source() {
        let print = "ab".repeat(32);
        let colons = format!("SHA256:{}", ["AB"; 32].join(":"));
        let settings = |name: &str, from: &[&str]| SourceSettings {
            from_certificate: from.iter().map(|text| (*text).to_owned()).collect(),
            ..SourceSettings::named(name)
        };
        let table = SourceTable::new(&[settings("fw", &[&colons]), settings("web", &["Web01.tinh.gov.vn"])], |_| true).unwrap();
        let name = |fingerprint: &str, names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            table.of_certificate(&Identity { fingerprint: fingerprint.into(), names }).map(|source| source.name.clone())
        };
        assert_eq!(name(&print, &["web01.tinh.gov.vn"]), Some("fw".into()));
        assert_eq!(name("00", &["x", "web01.tinh.gov.vn"]), Some("web".into()));
        assert_eq!(name("00", &["web02.tinh.gov.vn"]), None);
        let wrong = [settings("a", &["sha256:12", "", "x"]), settings("b", &["X"])];
        let problems = SourceTable::new(&wrong, |_| true).unwrap_err();
        let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["sources[0].from_certificate[0]", "sources[0].from_certificate[1]", "sources[1].from_certificate[0]"]);
    }

    #[test]
    fn the_default_source_can_be_configured() {
        let settings = SourceSettings { timezone: "UTC".into(), ..SourceSettings::named("syslog") };
        let table = SourceTable::new(&[settings], |_| true).unwrap();
        assert_eq!(table.of_sender("192.0.2.1".parse().unwrap()).zone, Tz::UTC);
    }
}
