//! A pasted text → indicators: addresses, networks, domains, URLs, hashes, mail addresses, however they were made harmless.
//!
//! ```text
//! hxxps://cdn[.]evil(dot)example/a.php   203.0.113[.]9:443   an[at]evil[.]example   198.51.100.0/24   sha256:ab12…
//! ```
//!
//! Total: what is no indicator is listed, never an error. One that stands twice counts once. Not here: looking anything up.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
};

use ipnet::IpNet;

/// Indicators of one paste.
pub const INDICATORS_MAX: usize = 10_000;
/// Longest text of a paste, in bytes.
pub const PASTE_BYTES_MAX: usize = 4 << 20;
/// Longest indicator, in bytes; what is longer is no indicator.
const INDICATOR_BYTES_MAX: usize = 2_048;
/// Pieces that are no indicator and are shown.
const UNREADABLE_MAX: usize = 100;
/// Longest name of a domain, in bytes (RFC 1035 §2.3.4).
const DOMAIN_BYTES_MAX: usize = 253;

/// What an indicator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IndicatorKind {
    Address,
    Network,
    Domain,
    Url,
    Hash,
    Mail,
}

impl IndicatorKind {
    pub const ALL: [Self; 6] = [Self::Address, Self::Network, Self::Domain, Self::Url, Self::Hash, Self::Mail];

    /// The word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Network => "network",
            Self::Domain => "domain",
            Self::Url => "url",
            Self::Hash => "hash",
            Self::Mail => "mail",
        }
    }
}

/// One thing to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indicator {
    pub kind: IndicatorKind,
    /// In the one form that is looked for: lower case, no scheme, no port behind an address.
    pub value: String,
    /// As it was pasted.
    pub text: String,
}

/// What a paste holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pasted {
    /// Distinct, in the order of the paste, at most [`INDICATORS_MAX`].
    pub indicators: Vec<Indicator>,
    /// How many stood there again.
    pub duplicates: usize,
    /// How many came after the first [`INDICATORS_MAX`].
    pub dropped: usize,
    /// The first pieces that are no indicator, each cut to a line's length.
    pub unreadable: Vec<String>,
    pub unreadable_total: usize,
}

/// Reads a paste.
pub fn read(text: &str) -> Pasted {
    let mut pasted = Pasted::default();
    let mut seen: HashSet<(IndicatorKind, String)> = HashSet::new();
    for line in text.lines() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        let line = refang(line);
        for piece in line.split(|c: char| c.is_whitespace() || SEPARATORS.contains(&c)).flat_map(pieces) {
            let piece = trimmed(&piece);
            if piece.is_empty() {
                continue;
            }
            match classify(piece) {
                None => pasted.refuse(piece),
                Some((kind, value)) if seen.contains(&(kind, value.clone())) => pasted.duplicates += 1,
                Some(_) if pasted.indicators.len() == INDICATORS_MAX => pasted.dropped += 1,
                Some((kind, value)) => {
                    seen.insert((kind, value.clone()));
                    pasted.indicators.push(Indicator { kind, value, text: piece.to_owned() });
                }
            }
        }
    }
    pasted
}

impl Pasted {
    fn refuse(&mut self, piece: &str) {
        self.unreadable_total += 1;
        if self.unreadable.len() < UNREADABLE_MAX {
            self.unreadable.push(piece.chars().take(120).collect());
        }
    }
}

const SEPARATORS: [char; 10] = ['"', '\'', '`', '<', '>', '|', '“', '”', '‘', '’'];

/// Undoes what makes an indicator harmless to click on.
fn refang(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some((meant, len)) = bracketed(rest) {
            // "evil [dot] example": the blanks belong to the disguise.
            out.truncate(out.trim_end_matches([' ', '\t']).len());
            out.push_str(meant);
            rest = rest[len..].trim_start_matches([' ', '\t']);
            continue;
        }
        let after = &rest[c.len_utf8()..];
        match c {
            '\\' if after.starts_with(['.', '/', ':', '@']) => {}
            '．' | '。' | '｡' => out.push('.'),
            '＠' => out.push('@'),
            '：' => out.push(':'),
            '／' => out.push('/'),
            // "203.0.113[.9": a bracket that was never closed.
            '[' | '(' | '{' if after.starts_with('.') && after[1..].starts_with(char::is_alphanumeric) => {}
            ']' | ')' | '}' if out.ends_with('.') && after.starts_with(char::is_alphanumeric) => {}
            c => out.push(c),
        }
        rest = after;
    }
    out
}

/// A disguise in brackets at the beginning of the text: what it means, and its length in bytes.
fn bracketed(text: &str) -> Option<(&'static str, usize)> {
    let open = text.chars().next()?;
    let close = match open {
        '[' => ']',
        '(' => ')',
        '{' => '}',
        _ => return None,
    };
    let end = text.char_indices().skip(1).take(9).find(|(_, c)| *c == close)?.0;
    let inner = text[1..end].trim().to_ascii_lowercase();
    let meant = match inner.as_str() {
        "." | "dot" | "d0t" | "chấm" => ".",
        "@" | "at" | "a còng" => "@",
        ":" | "colon" => ":",
        "/" | "slash" => "/",
        "://" => "://",
        "//" => "//",
        "-" | "dash" => "-",
        _ => return None,
    };
    Some((meant, end + 1))
}

/// Splits at commas and semicolons, but not those inside of a URL.
fn pieces(word: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut start = 0;
    let ends = word.char_indices().filter(|(_, c)| matches!(c, ',' | ';')).map(|(at, _)| at).chain([word.len()]);
    for end in ends {
        let part = &word[start..end];
        match out.last_mut() {
            Some(url) if !part.is_empty() && is_url(url) && classify(trimmed(part)).is_none() => {
                url.push_str(&word[start - 1..end]);
            }
            _ => out.push(part.to_owned()),
        }
        start = end + 1;
    }
    out
}

fn is_url(piece: &str) -> bool {
    piece.contains("://") || matches!(classify(trimmed(piece)), Some((IndicatorKind::Url, _)))
}

/// What stands before a word in a list or a sentence.
const BEFORE_WORDS: [char; 9] = ['(', '{', ',', ';', '=', '*', '•', '–', '-'];

/// Without the punctuation around a word in a sentence.
fn trimmed(mut piece: &str) -> &str {
    loop {
        let before = piece;
        piece = piece.trim_start_matches(BEFORE_WORDS);
        piece = piece.trim_end_matches(['.', ',', ';', '!', '?', ')', '}', '*']);
        if !piece.ends_with("::") {
            piece = piece.trim_end_matches(':');
        }
        // A bracket around the whole: `[2001:db8::1]`, `[evil.example]`.
        piece = match piece.strip_prefix('[') {
            Some(inner) if !inner.contains(']') => inner,
            Some(inner) => inner.strip_suffix(']').filter(|inner| !inner.contains(']')).unwrap_or(piece),
            None if !piece.contains('[') => piece.trim_end_matches(']'),
            None => piece,
        };
        if piece.len() == before.len() {
            return piece;
        }
    }
}

/// What a piece is; `None` when it is no indicator.
fn classify(piece: &str) -> Option<(IndicatorKind, String)> {
    if piece.len() > INDICATOR_BYTES_MAX {
        return None;
    }
    if let Some((scheme, rest)) = piece.split_once("://") {
        return is_scheme(scheme).then(|| url(rest)).flatten();
    }
    if let Some(rest) = piece.strip_prefix("mailto:") {
        return mail(rest);
    }
    if let Some(address) = address(piece) {
        return Some((IndicatorKind::Address, address.to_string()));
    }
    if let Some((number, _)) = piece.split_once('/')
        && number.parse::<IpAddr>().is_ok()
        && let Ok(net) = piece.parse::<IpNet>()
    {
        return Some(network(net));
    }
    hash(piece).or_else(|| mail(piece)).or_else(|| if piece.contains('/') { url(piece) } else { host(piece) })
}

/// `hxxps` and its like; every scheme of letters counts, the paste is about hosts and paths.
fn is_scheme(scheme: &str) -> bool {
    (2..=12).contains(&scheme.len()) && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | '+' | '-' | '.'))
}

/// An address, perhaps with a port.
fn address(piece: &str) -> Option<IpAddr> {
    let inner = piece.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(piece);
    let found = inner.parse::<IpAddr>().ok().or_else(|| piece.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(found.to_canonical())
}

fn network(net: IpNet) -> (IndicatorKind, String) {
    let net = net.trunc();
    if net.prefix_len() == net.max_prefix_len() {
        (IndicatorKind::Address, net.addr().to_canonical().to_string())
    } else {
        (IndicatorKind::Network, net.to_string())
    }
}

/// MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512 by their lengths; a name before it (`sha256:…`) may stand.
fn hash(piece: &str) -> Option<(IndicatorKind, String)> {
    let digits = match piece.split_once([':', '=']) {
        Some((name, digits)) if name.to_ascii_lowercase().starts_with("md5") || name.to_ascii_lowercase().starts_with("sha") => {
            digits
        }
        _ => piece,
    };
    let is_hash = matches!(digits.len(), 32 | 40 | 56 | 64 | 96 | 128) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| (IndicatorKind::Hash, digits.to_ascii_lowercase()))
}

fn mail(piece: &str) -> Option<(IndicatorKind, String)> {
    let (person, of) = piece.trim_start_matches(BEFORE_WORDS).split_once('@')?;
    let is_person = !person.is_empty()
        && person.len() <= 64
        && person.chars().all(|c| c.is_alphanumeric() || "!#$%&*+/=?^_{}~.-".contains(c));
    (is_person && is_domain(of)).then(|| (IndicatorKind::Mail, format!("{person}@{of}").to_lowercase()))
}

/// What follows the scheme: host, port, path. Without a path it is its host.
fn url(rest: &str) -> Option<(IndicatorKind, String)> {
    let rest = rest.trim_start_matches('/');
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = trimmed(path.split('#').next().unwrap_or_default());
    let (kind, value) = host(authority)?;
    if path.is_empty() || path == "/" {
        return Some((kind, value));
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let shown = if value.contains(':') { format!("[{value}]") } else { value };
    let port = port(authority).map(|port| format!(":{port}")).unwrap_or_default();
    Some((IndicatorKind::Url, format!("{shown}{port}{}", path.to_lowercase())))
}

/// A name or address, perhaps with a port.
fn host(authority: &str) -> Option<(IndicatorKind, String)> {
    if let Some(address) = address(authority) {
        return Some((IndicatorKind::Address, address.to_string()));
    }
    let name = match port(authority) {
        Some(port) => authority.strip_suffix(port)?.strip_suffix(':')?,
        None => authority,
    };
    let name = name.strip_prefix("*.").unwrap_or(name).trim_matches('.');
    is_domain(name).then(|| (IndicatorKind::Domain, name.to_lowercase()))
}

fn port(authority: &str) -> Option<&str> {
    let (_, port) = authority.rsplit_once(':')?;
    (port.parse::<u16>().is_ok() && !authority.ends_with(']')).then_some(port)
}

/// True for a name of two labels or more whose last one is no number.
fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let Some((_, last)) = name.rsplit_once('.') else { return false };
    name.len() <= DOMAIN_BYTES_MAX && name.split('.').all(is_label) && last.chars().filter(|c| c.is_alphabetic()).count() >= 2
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, wanted: Expect) {
        let pasted = read(text);
        let mut lines: Vec<String> = pasted.indicators.iter().map(|one| format!("{} {}", one.kind.name(), one.value)).collect();
        lines.extend(pasted.unreadable.iter().map(|piece| format!("? {piece}")));
        wanted.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn disguises_of_threat_reports() {
        check(
            "hxxps://cdn[.]evil(dot)example/A.php?x=1 hXXp://203.0.113[.]9:8080/ 203[.]0[.]113[.9\n\
             evil [dot] example, an[at]evil{.}example; http[:]//evil[.]example[/]b\n\
             198.51.100.0/24 10.0.0.1/32 2001[:]db8::1 [2001:DB8::2]:443 evil\\.example h**p://x.example/c",
            expect![[r#"
                url cdn.evil.example/a.php?x=1
                address 203.0.113.9
                domain evil.example
                mail an@evil.example
                url evil.example/b
                network 198.51.100.0/24
                address 10.0.0.1
                address 2001:db8::1
                address 2001:db8::2
                url x.example/c"#]],
        );
    }

    #[test]
    fn sentences_tables_and_hashes() {
        check(
            "# a comment with 192.0.2.1\n\
             See (http://evil.example/a,b;c), then <an@evil.example>. \"d41d8cd98f00b204e9800998ecf8427e\",SHA256=E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855\n\
             *.evil.example  mailto:x@evil.example evil.example:443 user:pw@host ::ffff:192.0.2.7",
            expect![[r#"
                url evil.example/a,b;c
                mail an@evil.example
                hash d41d8cd98f00b204e9800998ecf8427e
                hash e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
                domain evil.example
                mail x@evil.example
                address 192.0.2.7
                ? See
                ? then
                ? user:pw@host"#]],
        );
    }

    #[test]
    fn vietnamese_names_stay() {
        check("https://đăng-nhập.vn/Tài_khoản?a", expect!["url đăng-nhập.vn/tài_khoản?a"]);
    }

    #[test]
    fn what_stands_twice_counts_once_and_too_many_are_counted() {
        let mut text: String =
            (0..INDICATORS_MAX + 5).map(|n| format!("10.{}.{}.{}\n", n >> 16, n >> 8 & 255, n & 255)).collect();
        text.push_str("10[.]0.0.1\n");
        let pasted = read(&text);
        assert_eq!((pasted.indicators.len(), pasted.duplicates, pasted.dropped), (INDICATORS_MAX, 1, 5));
    }

    #[test]
    fn what_is_no_indicator_is_shown_but_not_all_of_it() {
        let pasted = read(&"chữ ".repeat(1_000));
        assert_eq!((pasted.indicators.len(), pasted.unreadable.len(), pasted.unreadable_total), (0, UNREADABLE_MAX, 1_000));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,200}|[\\[\\](){}.:/@a-f0-9hxtp ,;-]{0,120}") {
            let pasted = read(&text);
            for one in &pasted.indicators {
                // Its one form is itself again; brackets left in a path may be read as another disguise.
                if one.value.split_once('/').is_some_and(|(_, path)| path.contains(['(', ')', '[', ']', '{', '}'])) {
                    continue;
                }
                let again = read(&one.value);
                prop_assert_eq!(again.indicators.iter().map(|one| &one.value).collect::<Vec<_>>(), [&one.value], "{:?}", one);
            }
        }
    }
}
