//! What a vendor's word means in ECS, as data: a format lists its words with their [`Means`]; [`set`] does the rest.
//!
//! Formats keep what several words decide together (a verdict, a pair of counters) as notes: small numbers of their own that
//! [`Means::Note`] and [`Means::Both`] fill in a [`Notes`]. Nothing here knows a vendor.

use event::{Event, Field, RawRecord, Value, field};

use crate::{
    ecs,
    json::{self, Leaf},
    keys::KeyTable,
    kv::{Pairs, Separator},
    text, time, web,
};

/// What becomes of one value. Marks for "nothing" ([`ecs::is_nothing`]) never become a field.
#[derive(Clone, Copy, Debug)]
pub enum Means {
    /// Text as written.
    Text(Field),
    /// Text as written, under an ECS name that need not be in the catalogue.
    Name(&'static str),
    Lower(Field),
    LowerName(&'static str),
    Int(Field),
    IntName(&'static str),
    /// An address; text that is none is left out. Also `related.ip`.
    Ip(Field),
    IpName(&'static str),
    /// An address, else a name: the second field.
    Peer(Field, Field),
    /// `address`, `address:port`, `[address]:port` or `address(port)`.
    Endpoint(Field, Field, Field),
    /// An account, also `related.user`.
    User(Field),
    UserName(&'static str),
    /// `DOMAIN\user` or `user@domain`: the account's name, and its domain.
    Account(Field),
    /// The machine that the event is about.
    Host,
    /// The device that saw the event.
    Observer,
    /// A machine's name in another field, also `related.hosts`.
    Machine(Field),
    Mac(Field),
    MacName(&'static str),
    /// An IANA number or a transport's name.
    Protocol,
    Url,
    /// Only the path, or path and query, of a URL.
    Path,
    /// Text in which `%20` stands for a blank.
    Encoded(Field),
    Hash,
    FilePath,
    Time(Field),
    /// A length of time → `event.duration`.
    Seconds,
    Millis,
    Micros,
    /// `success` or `failure`, where the word says so.
    Outcome,
    Note(u8),
    Both(Field, u8),
}

/// Values that a format weighs against each other at the end of a record.
pub struct Notes<'r, const N: usize>([&'r str; N]);

impl<const N: usize> Default for Notes<'_, N> {
    fn default() -> Self {
        Self([""; N])
    }
}

impl<'r, const N: usize> Notes<'r, N> {
    /// The value, empty when it never came.
    pub fn get(&self, note: u8) -> &'r str {
        self.0.get(usize::from(note)).copied().unwrap_or_default()
    }

    pub fn put(&mut self, note: u8, value: &'r str) {
        if let Some(slot) = self.0.get_mut(usize::from(note)) {
            *slot = value;
        }
    }

    /// The first of the notes that has a value.
    pub fn first(&self, notes: &[u8]) -> &'r str {
        notes.iter().map(|note| self.get(*note)).find(|value| !value.is_empty()).unwrap_or_default()
    }

    pub fn number(&self, note: u8) -> Option<i64> {
        self.get(note).parse().ok()
    }
}

/// Reads all pairs of a text: each verbatim under `prefix`, and by its meaning. Returns how many there were.
pub fn pairs<'r, const N: usize>(
    raw: RawRecord<'r>,
    event: &mut Event<'r>,
    text: &'r str,
    separator: Separator,
    prefix: &'static str,
    table: &KeyTable<Means>,
    notes: &mut Notes<'r, N>,
) -> usize {
    let mut pairs = Pairs::new(text, separator);
    let mut count = 0;
    for pair in pairs.by_ref() {
        count += 1;
        let value = pair.value(event);
        if value.is_empty() {
            continue;
        }
        word(raw, event, prefix, pair.key, value, table, notes);
    }
    if let Some(problem) = pairs.problem() {
        event.problem(problem);
    }
    count
}

/// Reads `key=value` between separators, where keys and values may hold blanks and a value in double quotes the separator:
/// `Task=VTY0, Command="display a, b"`, `SrcIPAddr(1003)=192.0.2.1;User name=an`. Returns how many pairs there were.
pub fn listed<'r, const N: usize>(
    raw: RawRecord<'r>,
    event: &mut Event<'r>,
    text: &'r str,
    separator: u8,
    prefix: &'static str,
    table: &KeyTable<Means>,
    notes: &mut Notes<'r, N>,
) -> usize {
    let mut count = 0;
    for (key, value) in Listed::new(text, separator) {
        count += 1;
        if !value.is_empty() {
            word(raw, event, prefix, key, value, table, notes);
        }
    }
    count
}

/// The name at the start of a text when an equals sign follows it: letters, digits, `.`, `-`, `_`, at most 64 bytes.
pub fn name_before_equals(text: &str) -> Option<&str> {
    let b = text.as_bytes();
    let len = b.iter().take(65).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')).count();
    (len > 0 && len <= 64 && b.get(len) == Some(&b'=')).then(|| &text[..len])
}

/// Iterates over the pairs of such a list; pieces without `=` are left out.
#[derive(Clone, Debug)]
pub struct Listed<'r> {
    rest: &'r str,
    separator: u8,
}

impl<'r> Listed<'r> {
    pub fn new(text: &'r str, separator: u8) -> Self {
        Self { rest: text, separator }
    }
}

impl<'r> Iterator for Listed<'r> {
    type Item = (&'r str, &'r str);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (piece, after) = piece(self.rest, self.separator);
            self.rest = after;
            let Some((key, value)) = text::split(piece, b'=') else { continue };
            // A number in brackets after the key is the field's id (Comware).
            let key = key.trim();
            let key = key.split_once('(').filter(|(_, id)| id.ends_with(')')).map_or(key, |(key, _)| key.trim_end());
            let value = value.trim();
            let value = value.strip_prefix('"').map_or(value, |value| value.strip_suffix('"').unwrap_or(value));
            return Some((key, value));
        }
        None
    }
}

/// Cuts at the next separator outside double quotes; an unclosed quote does not hide the separators behind it.
fn piece(text: &str, separator: u8) -> (&str, &str) {
    let b = text.as_bytes();
    let mut from = 0;
    while let Some(at) = memchr::memchr2(separator, b'"', &b[from..]) {
        let at = from + at;
        if b[at] == separator {
            return (&text[..at], &text[at + 1..]);
        }
        match memchr::memchr(b'"', &b[at + 1..]) {
            Some(close) => from = at + close + 2,
            None => from = at + 1,
        }
    }
    (text, "")
}

/// Keeps one word verbatim under `prefix` and sets what it means.
pub fn word<'r, const N: usize>(
    raw: RawRecord<'r>,
    event: &mut Event<'r>,
    prefix: &'static str,
    key: &'r str,
    value: &'r str,
    table: &KeyTable<Means>,
    notes: &mut Notes<'r, N>,
) {
    if key.is_empty() || key.len() > ecs::NAME_BYTES_MAX {
        event.problem("a field without a name, or with one that is too long, was left out");
        return;
    }
    event.set_extra(prefix, key, value);
    if let Some(means) = table.get(key) {
        set(raw, event, means, value, notes);
    }
}

/// Sets what one value means.
pub fn set<'r, const N: usize>(
    raw: RawRecord<'r>,
    event: &mut Event<'r>,
    means: Means,
    value: &'r str,
    notes: &mut Notes<'r, N>,
) {
    let value = value.trim();
    if ecs::is_nothing(value) {
        return;
    }
    match means {
        Means::Note(note) => notes.put(note, value),
        Means::Both(field, note) => {
            notes.put(note, value);
            event.set(field, value);
        }
        other => plain(raw, event, other, value),
    }
}

fn plain<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, means: Means, value: &'r str) {
    match means {
        Means::Text(field) => event.set(field, value),
        Means::Name(name) => event.set_named(name, value),
        Means::Lower(field) => event.set(field, text::lower(event, value)),
        Means::LowerName(name) => event.set_named(name, text::lower(event, value)),
        Means::Int(field) => drop(event.set_int(field, value)),
        Means::IntName(name) => {
            if let Ok(number) = value.parse::<i64>() {
                event.set_named(name, number);
            }
        }
        Means::Ip(field) => drop(ecs::ip_only(event, field, value)),
        Means::IpName(name) => ip_named(event, name, value),
        Means::Peer(ip, name) => ecs::address(event, ip, name, value),
        Means::Endpoint(ip, name, port) => endpoint(event, ip, name, port, value),
        Means::User(field) => ecs::user(event, field, value),
        Means::UserName(name) => {
            event.set_named(name, value);
            event.set(field::RELATED_USER, value);
        }
        Means::Account(field) => account(event, field, value),
        Means::Host => ecs::host(event, value),
        Means::Observer => {
            event.set(field::OBSERVER_NAME, value);
            event.set(field::RELATED_HOSTS, value);
        }
        Means::Machine(field) => {
            event.set(field, value);
            event.set(field::RELATED_HOSTS, value);
        }
        Means::Mac(field) => event.set(field, mac(event, value)),
        Means::MacName(name) => event.set_named(name, mac(event, value)),
        Means::Protocol => protocol(event, value),
        Means::Url => url(event, value),
        Means::Path => path(event, value),
        Means::Encoded(field) => event.set(field, percent_decoded(event, value)),
        Means::Hash => hash(event, value),
        Means::FilePath => file(event, value),
        Means::Time(field) => match time::any(value, raw) {
            Some(time) => event.set(field, Value::Time(time)),
            None => event.problem("a time could not be read"),
        },
        Means::Seconds => duration(event, text::seconds_to_nanos(value)),
        Means::Millis => duration(event, text::seconds_to_nanos(value).map(|nanos| nanos / 1000)),
        Means::Micros => duration(event, text::seconds_to_nanos(value).map(|nanos| nanos / 1_000_000)),
        Means::Outcome => {
            if let Some(outcome) = ecs::outcome_word(value) {
                event.set(field::EVENT_OUTCOME, outcome);
            }
        }
        Means::Note(_) | Means::Both(..) => {}
    }
}

fn duration(event: &mut Event<'_>, nanos: Option<i64>) {
    if let Some(nanos) = nanos {
        event.set(field::EVENT_DURATION, nanos);
    }
}

/// Reads what stands before a payload where no envelope took it off: `Nov 16 10:00:00 gate `. A stamp and a host that are
/// known already stay.
pub fn lead<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, head: &'r str) {
    let head = head.trim();
    if head.is_empty() {
        return;
    }
    let rest = match time::iso(head).or_else(|| time::bsd(head, raw)) {
        Some((stamp, rest)) => {
            if !event.has(field::TIMESTAMP) {
                event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
            }
            rest
        }
        None => head,
    };
    let (host, _) = text::word(rest.trim_start());
    let host = host.trim_end_matches(':');
    let is_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    if !host.is_empty() && !event.has(field::HOST_NAME) && host.len() <= 255 && host.bytes().all(is_host) {
        ecs::host(event, host);
    }
}

/// Takes off, and sets, what a daemon writes before its message where the envelope left it: `[stamp host] [level] prog[pid]: `.
pub fn heading<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) -> &'r str {
    let mut rest = text.trim_start();
    let mut may_be_host = false;
    // `2026-11-23T10:00:00Z info vpxd[1] …`: the envelope took the level for a host.
    if let Some(level) = event.text(field::HOST_NAME).filter(|host| severity(host).is_some()) {
        for field in [field::HOST_NAME, field::LOG_SYSLOG_HOSTNAME, field::RELATED_HOSTS] {
            event.remove(field);
        }
        event.set(field::LOG_LEVEL, text::lower(event, level));
    }
    if let Some((stamp, after)) = time::iso(rest).or_else(|| time::bsd(rest, raw)) {
        event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        rest = after.trim_start();
        may_be_host = !event.has(field::HOST_NAME);
    }
    for _ in 0..3 {
        let (word, after) = text::word(rest);
        if let Some((program, pid)) = tag(word) {
            event.set(field::PROCESS_NAME, text::file_name(program));
            event.set_int(field::PROCESS_PID, text::digits(pid).0);
            return after.trim_start();
        }
        if severity(word).is_some() {
            event.set(field::LOG_LEVEL, text::lower(event, word));
        } else if may_be_host
            && !after.is_empty()
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        {
            ecs::host(event, word);
            may_be_host = false;
        } else {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

/// `prog[pid]:`, `prog[pid]`, `prog:`.
fn tag(word: &str) -> Option<(&str, &str)> {
    let (inner, has_colon) = word.strip_suffix(':').map_or((word, false), |inner| (inner, true));
    let (program, pid) = match inner.strip_suffix(']').and_then(|inner| inner.split_once('[')) {
        Some((program, pid)) => (program, pid),
        None if has_colon => (inner, ""),
        None => return None,
    };
    let is_program = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b'(' | b')');
    let starts = program.as_bytes().first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'/');
    (starts && program.len() <= 64 && program.bytes().all(is_program)).then_some((program, pid))
}

/// Flattens a JSON object: each value verbatim under `prefix` and by its meaning. A list gives each of its elements.
pub fn json<'r, const N: usize>(
    raw: RawRecord<'r>,
    event: &mut Event<'r>,
    text: &'r str,
    prefix: &'static str,
    table: &KeyTable<Means>,
    notes: &mut Notes<'r, N>,
) -> bool {
    let report = json::flatten(event.arena(), text, &mut |name, leaf| {
        if name.is_empty() || name.len() > ecs::NAME_BYTES_MAX {
            event.problem("a field without a name, or with one that is too long, was left out");
            return;
        }
        let value = match leaf {
            Leaf::Bool(flag) => Value::Bool(flag),
            other => Value::Str(other.text()),
        };
        event.set_extra(prefix, name, value);
        let Some(means) = table.get(name) else { return };
        match leaf {
            Leaf::List(list) if list.starts_with('[') => {
                json::elements(event.arena(), list, &mut |leaf| set(raw, event, means, leaf.text(), notes));
            }
            leaf => set(raw, event, means, leaf.text(), notes),
        }
    });
    match report {
        Ok(report) => {
            if report.has_rest {
                event.problem("text after the JSON object was left out");
            }
            if report.lost > 0 {
                event.problem("more values than a record may have: the rest was left out");
            }
            true
        }
        Err(_) => false,
    }
}

/// Sets who saw the event, and names it after the host of the envelope.
pub fn device(event: &mut Event<'_>, vendor: &'static str, product: &'static str, kind: &'static str) {
    observer(event, vendor, product, kind);
    if let Some(host) = event.text(field::HOST_NAME) {
        event.set(field::OBSERVER_NAME, host);
    }
}

/// Sets who saw the event.
pub fn observer(event: &mut Event<'_>, vendor: &'static str, product: &'static str, kind: &'static str) {
    event.set(field::OBSERVER_VENDOR, vendor);
    event.set(field::OBSERVER_PRODUCT, product);
    event.set(field::OBSERVER_TYPE, kind);
}

/// Sets an ECS address by name, and `related.ip`.
pub fn ip_named(event: &mut Event<'_>, name: &'static str, value: &str) {
    if let Some(address) = ecs::ip(value) {
        event.set_named(name, address);
        if !address.is_unspecified() {
            event.set(field::RELATED_IP, address);
        }
    }
}

/// Splits `address:port`, `[address]:port`, `address(port)`, `address/port`; the port is empty where there is none.
pub fn split_endpoint(value: &str) -> (&str, &str) {
    let is_port = |port: &str| !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    if let Some((address, port)) = value.strip_suffix(')').and_then(|value| value.rsplit_once('('))
        && is_port(port)
    {
        return (address.trim_end(), port);
    }
    if let Some((address, port)) = value.rsplit_once(['/', '#'])
        && is_port(port)
    {
        return (address, port);
    }
    match value.rsplit_once(':') {
        // Without brackets `fe80::1:80` is all address.
        Some((address, port)) if is_port(port) && (address.ends_with(']') || !address.contains(':')) => {
            (text::strip_pair(address, '[', ']'), port)
        }
        _ => (text::strip_pair(value, '[', ']'), ""),
    }
}

/// Sets an address (or name) and its port.
pub fn endpoint<'r>(event: &mut Event<'r>, ip: Field, name: Field, port_field: Field, value: &'r str) {
    let (address, port) = split_endpoint(value);
    ecs::address(event, ip, name, address);
    event.set_int(port_field, port);
}

/// Sets where the traffic came from, address and port.
pub fn source<'r>(event: &mut Event<'r>, value: &'r str) {
    endpoint(event, field::SOURCE_IP, field::SOURCE_ADDRESS, field::SOURCE_PORT, value);
}

/// Sets where the traffic went, address and port.
pub fn destination<'r>(event: &mut Event<'r>, value: &'r str) {
    endpoint(event, field::DESTINATION_IP, field::DESTINATION_ADDRESS, field::DESTINATION_PORT, value);
}

/// Sets an account written `DOMAIN\user`, `user@domain` or `user@address`: the name, and the domain or the peer.
pub fn account<'r>(event: &mut Event<'r>, field: Field, value: &'r str) {
    if let Some((domain, rest)) = value.split_once('\\') {
        // JSON inside a message leaves two backslashes.
        let rest = rest.trim_start_matches('\\');
        let (name, address) = rest.rsplit_once('@').unwrap_or((rest, ""));
        ecs::user(event, field, name);
        event.set_present(field::USER_DOMAIN, domain);
        ecs::ip_only(event, field::SOURCE_IP, address);
        return;
    }
    let Some((name, domain)) = value.rsplit_once('@').filter(|(name, domain)| !name.is_empty() && !domain.is_empty()) else {
        return ecs::user(event, field, value);
    };
    if ecs::ip(domain).is_some() {
        ecs::ip_only(event, field::SOURCE_IP, domain);
        return account(event, field, name);
    }
    ecs::user(event, field, name);
    event.set(field::USER_DOMAIN, domain);
    if domain.contains('.') && field == field::USER_NAME {
        event.set(field::USER_EMAIL, value);
    }
}

/// Takes `%XX` for the byte it stands for; what would not be UTF-8 stays as it is.
pub fn percent_decoded<'r>(event: &Event<'r>, value: &'r str) -> &'r str {
    if memchr::memchr(b'%', value.as_bytes()).is_none() {
        return value;
    }
    let b = value.as_bytes();
    let mut out = bumpalo::collections::Vec::with_capacity_in(b.len(), event.arena());
    let mut at = 0;
    while at < b.len() {
        let byte = (b[at] == b'%').then(|| u8::from_str_radix(value.get(at + 1..at + 3)?, 16).ok()).flatten();
        out.push(byte.unwrap_or(b[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    std::str::from_utf8(out.into_bump_slice()).unwrap_or(value)
}

/// Sets a URL that may lack its scheme (`host.example/path?query`).
pub fn url<'r>(event: &mut Event<'r>, value: &'r str) {
    let end = value.find(['/', '?']).unwrap_or(value.len());
    if end == 0 || end == value.len() || value[..end].ends_with(':') || !value[..end].contains('.') {
        return web::url(event, value);
    }
    event.set(field::URL_ORIGINAL, value);
    web::authority(event, &value[..end]);
    let (path, query) = text::split(&value[end..], b'?').unwrap_or((&value[end..], ""));
    event.set_present(field::URL_PATH, path);
    event.set_present(field::URL_QUERY, query);
}

/// A hardware address in ECS's form (`00-00-5E-00-53-23`); text that is none stays as it is.
pub fn mac<'r>(event: &Event<'r>, value: &'r str) -> &'r str {
    let mut digits = [0u8; 12];
    let mut len = 0;
    for b in value.bytes() {
        match b {
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' if len < 12 => {
                digits[len] = b.to_ascii_uppercase();
                len += 1;
            }
            b':' | b'-' | b'.' => {}
            _ => return value,
        }
    }
    if len != 12 {
        return value;
    }
    let mut out = [b'-'; 17];
    for (at, pair) in digits.chunks_exact(2).enumerate() {
        out[at * 3..at * 3 + 2].copy_from_slice(pair);
    }
    std::str::from_utf8(&out).map_or(value, |text| event.alloc(text))
}

/// Sets `network.transport` and, where it is known, the number.
pub fn protocol<'r>(event: &mut Event<'r>, value: &'r str) {
    if ecs::is_nothing(value) {
        return;
    }
    if let Ok(number) = value.parse::<u8>() {
        return ecs::protocol(event, i64::from(number));
    }
    let name = text::lower(event, value);
    let name = if matches!(name, "icmpv6" | "icmp6") { "ipv6-icmp" } else { name };
    event.set(field::NETWORK_TRANSPORT, name);
    const KNOWN: [i64; 13] = [1, 2, 6, 17, 47, 50, 51, 58, 89, 103, 112, 115, 132];
    if let Some(number) = KNOWN.iter().find(|number| ecs::transport_name(**number) == Some(name)) {
        event.set(field::NETWORK_IANA_NUMBER, *number);
    }
}

fn path<'r>(event: &mut Event<'r>, value: &'r str) {
    if value.starts_with('/') {
        return web::url(event, value);
    }
    event.set(field::URL_PATH, value);
}

/// Sets a hash of a file by its length, and `related.hash`.
pub fn hash<'r>(event: &mut Event<'r>, value: &'r str) {
    if !value.bytes().all(|b| b.is_ascii_hexdigit()) {
        return;
    }
    let value = text::lower(event, value);
    let field = match value.len() {
        32 => field::FILE_HASH_MD5,
        40 => field::FILE_HASH_SHA1,
        64 => field::FILE_HASH_SHA256,
        _ => return,
    };
    event.set(field, value);
    event.set(field::RELATED_HASH, value);
}

/// Sets `file.path` and its name and extension; a bare name is only a name.
pub fn file<'r>(event: &mut Event<'r>, value: &'r str) {
    let name = text::file_name(value);
    if name.len() != value.len() {
        event.set(field::FILE_PATH, value);
    }
    event.set_present(field::FILE_NAME, name);
    if let Some((stem, extension)) = name.rsplit_once('.')
        && !stem.is_empty()
        && (1..=10).contains(&extension.len())
        && extension.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        event.set(field::FILE_EXTENSION, extension);
    }
}

/// Adds what follows from the peers: totals of bytes and packets, the family of the addresses.
pub fn conclude(event: &mut Event<'_>) {
    for (left, right, sum) in [
        (field::SOURCE_BYTES, field::DESTINATION_BYTES, field::NETWORK_BYTES),
        (field::SOURCE_PACKETS, field::DESTINATION_PACKETS, field::NETWORK_PACKETS),
    ] {
        if let (Some(Value::Int(a)), Some(Value::Int(b)), None) = (event.get(left), event.get(right), event.get(sum)) {
            event.set(sum, a.saturating_add(b));
        }
    }
    let address = event.get(field::SOURCE_IP).or_else(|| event.get(field::DESTINATION_IP));
    if let Some(Value::Ip(address)) = address {
        event.set_named("network.type", if address.is_ipv4() { "ipv4" } else { "ipv6" });
    }
}

/// Sets kind, category, types and action of a packet filter's verdict. The outcome is the device's: it did what its rule says.
pub fn verdict(event: &mut Event<'_>, is_allowed: bool) {
    ecs::classify(event, &["network"], &["connection", if is_allowed { "allowed" } else { "denied" }]);
    ecs::success(event);
}

/// True for the words by which devices say that they let something through.
pub fn is_allowed(word: &str) -> bool {
    const ALLOWED: [&str; 17] = [
        "accept",
        "accepted",
        "allow",
        "allowed",
        "pass",
        "passed",
        "permit",
        "permitted",
        "forward",
        "forwarded",
        "open",
        "detect",
        "detected",
        "monitor",
        "log",
        "alert",
        "warned",
    ];
    ALLOWED.iter().any(|allowed| allowed.eq_ignore_ascii_case(word))
}

/// True for the words by which devices say that they stopped something.
pub fn is_denied(word: &str) -> bool {
    const DENIED: [&str; 22] = [
        "deny",
        "denied",
        "drop",
        "dropped",
        "block",
        "blocked",
        "reject",
        "rejected",
        "reset",
        "refuse",
        "refused",
        "discard",
        "discarded",
        "quarantine",
        "quarantined",
        "prevent",
        "prevented",
        "terminate",
        "terminated",
        "kill",
        "violation",
        "cleaned",
    ];
    DENIED.iter().any(|denied| denied.eq_ignore_ascii_case(word))
}

/// The syslog number of a severity word; devices write it long, short, in any case.
pub fn severity(word: &str) -> Option<i64> {
    const WORDS: [(&str, i64); 22] = [
        ("emergency", 0),
        ("emerg", 0),
        ("panic", 0),
        ("alert", 1),
        ("critical", 2),
        ("crit", 2),
        ("fatal", 2),
        ("error", 3),
        ("err", 3),
        ("errs", 3),
        ("warning", 4),
        ("warn", 4),
        ("notice", 5),
        ("noti", 5),
        ("notification", 5),
        ("note", 5),
        ("informational", 6),
        ("information", 6),
        ("info", 6),
        ("debug", 7),
        ("dbug", 7),
        ("verbose", 7),
    ];
    WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;

    #[test]
    fn endpoints() {
        for (text, address, port) in [
            ("192.0.2.1:80", "192.0.2.1", "80"),
            ("[2001:db8::1]:443", "2001:db8::1", "443"),
            ("2001:db8::1", "2001:db8::1", ""),
            ("192.0.2.1(22)", "192.0.2.1", "22"),
            ("192.0.2.1/161", "192.0.2.1", "161"),
            ("192.0.2.1", "192.0.2.1", ""),
            ("host:x", "host:x", ""),
            ("", "", ""),
        ] {
            assert_eq!(split_endpoint(text), (address, port), "{text}");
        }
    }

    #[test]
    fn hardware_addresses() {
        let arena = Bump::new();
        let event = Event::new(&arena);
        for (text, expected) in [
            ("00:00:5e:00:53:23", "00-00-5E-00-53-23"),
            ("0000.5e00.5323", "00-00-5E-00-53-23"),
            ("00005e005323", "00-00-5E-00-53-23"),
            ("00:00:5e", "00:00:5e"),
            ("router", "router"),
        ] {
            assert_eq!(mac(&event, arena.alloc_str(text)), expected, "{text}");
        }
    }
}
