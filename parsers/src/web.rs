//! What all web servers log: the access line (common and combined format, with or without virtual host), requests, URLs.

use event::{Event, RawRecord, Value, field};

use crate::{ecs, text, time};

/// The pieces of an access line, as written.
#[derive(Clone, Copy, Debug)]
pub struct Access<'r> {
    pub virtual_host: Option<&'r str>,
    pub client: &'r str,
    pub user: &'r str,
    pub stamp: time::Stamp,
    pub request: &'r str,
    pub status: &'r str,
    pub bytes: &'r str,
    /// Referrer and user agent; absent in the common format.
    pub referrer: Option<&'r str>,
    pub agent: Option<&'r str>,
    /// What follows.
    pub rest: &'r str,
}

/// Reads `[vhost ]client ident user [time] "request" status bytes[ "referrer" "agent"[ …]]`. The client may be a list, bare or in
/// quotes, as `$http_x_forwarded_for` gives it; Apache sites write a further quoted field before the request.
pub fn access(line: &str) -> Option<Access<'_>> {
    let bracket = crate::text::find(line.as_bytes(), b" [")?;
    let (virtual_host, client, user) = peers(&line[..bracket])?;
    let (stamp, rest) = time::clf(&line[bracket + 2..])?;
    let rest = rest.trim_start_matches(' ').strip_prefix("] ")?;
    let rest = rest.strip_prefix("\"-\" ").filter(|rest| rest.starts_with('"')).unwrap_or(rest);
    let (request, rest) = quoted(rest)?;
    let (status, rest) = text::word(rest.strip_prefix(' ')?);
    let (bytes, rest) = text::word(rest);
    if !(status == "-" || (status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit()))) {
        return None;
    }
    let (referrer, rest) = optional_quoted(rest);
    let (agent, rest) = optional_quoted(rest);
    Some(Access { virtual_host, client, user, stamp, request, status, bytes, referrer, agent, rest })
}

/// Virtual host, client (or list of clients) and user in front of the time.
fn peers(head: &str) -> Option<(Option<&str>, &str, &str)> {
    // A list in quotes, then the address that connected.
    if let Some((list, rest)) = head.strip_prefix('"').and_then(|inside| inside.split_once("\" ")) {
        let (_, user) = rest.split_once(" - ").or_else(|| rest.split_once(' '))?;
        return Some((None, list, user));
    }
    let (first, rest) = text::word(head);
    if rest.starts_with('"') && looks_like_host(first) {
        return peers(rest).map(|(_, client, user)| (Some(first), client, user));
    }
    // A bare list: `203.0.113.7, 198.51.100.2 - an`, perhaps behind a virtual host.
    if let Some((list, user)) = head.split_once(" - ").filter(|(list, _)| list.contains(", ")) {
        let (host, clients) = match text::word(list) {
            (host, clients) if !host.ends_with(',') => (Some(host), clients),
            _ => (None, list),
        };
        return Some((host, clients, user));
    }
    let (second, rest) = text::word(rest);
    let (third, rest) = text::word(rest);
    if third.is_empty() {
        return None;
    }
    if rest.is_empty() {
        return Some((None, first, third));
    }
    // `203.0.113.7 (-) - an` (`%h (%{X}i) %l %u`), `www.example.org 203.0.113.7 - an`; user names may hold blanks.
    if second == "(-)" || ecs::ip(first).is_some() && second == "-" && third == "-" && rest == "-" {
        return Some((None, first, rest));
    }
    if third == "-" && looks_like_host(first) && second != "-" {
        return Some((Some(first), second, rest));
    }
    Some((None, first, &head[first.len() + second.len() + 2..]))
}

fn looks_like_host(word: &str) -> bool {
    word == "-" || word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'_' | b'[' | b']'))
}

/// Takes a quoted text at the start; a backslash hides the quote behind it.
pub fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let b = inside.as_bytes();
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', b.get(from..)?)?;
        if b[at] == b'"' {
            return Some((&inside[..at], &inside[at + 1..]));
        }
        from = at + 2;
    }
}

/// A quoted field, a bare `-` before another quote, or what is left of a field whose quote was cut off.
fn optional_quoted(text: &str) -> (Option<&str>, &str) {
    let field = text.strip_prefix(' ').unwrap_or(text);
    match quoted(field) {
        Some((inside, rest)) => (Some(inside), rest),
        None if field.starts_with("- \"") => (Some("-"), &field[1..]),
        None if field.len() > 1 && field.starts_with('"') => (Some(&field[1..]), ""),
        None => (None, text),
    }
}

/// Sets the fields of an access line.
pub fn set_access<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, access: &Access<'r>) {
    ecs::classify(event, &["web"], &["access"]);
    event.set(field::TIMESTAMP, Value::Time(access.stamp.resolve(raw)));
    client(event, access.client);
    ecs::user(event, field::USER_NAME, access.user);
    if let Some(host) = access.virtual_host {
        authority(event, host);
        server(event, host);
    }
    request(event, access.request);
    match access.status.parse::<i64>() {
        Ok(status) => {
            event.set(field::HTTP_RESPONSE_STATUS_CODE, status);
            event.set(field::EVENT_OUTCOME, if status < 400 { "success" } else { "failure" });
        }
        Err(_) => event.problem("no status code"),
    }
    event.set_int(field::HTTP_RESPONSE_BODY_BYTES, access.bytes);
    if let Some(referrer) = access.referrer {
        event.set_present(field::HTTP_REQUEST_REFERRER, unescaped(event, referrer));
    }
    if let Some(agent) = access.agent {
        event.set_present(field::USER_AGENT_ORIGINAL, unescaped(event, agent));
    }
}

/// The client; of a list the first that is public, else the first: what proxies add comes behind.
pub fn client<'r>(event: &mut Event<'r>, client: &'r str) {
    let list = client.split(',').map(|part| part.trim().trim_matches('"')).filter(|part| !part.is_empty());
    let address =
        list.clone().find(|part| ecs::ip(part).is_some_and(is_public)).or_else(|| list.clone().next()).unwrap_or(client);
    ecs::source(event, address);
    if ecs::ip(address).is_none() && !ecs::is_nothing(address) {
        event.set(field::SOURCE_DOMAIN, address);
    }
    if client.contains(',') {
        list.filter_map(ecs::ip).for_each(|ip| event.set(field::RELATED_IP, ip));
    }
}

fn is_public(address: std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_link_local()),
        std::net::IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
    }
}

/// The machine that a virtual host names.
fn server<'r>(event: &mut Event<'r>, host: &'r str) {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => (name, port),
        _ => (host, ""),
    };
    if !ecs::ip_only(event, field::DESTINATION_IP, name) && !ecs::is_nothing(name) && name != "_" {
        event.set(field::DESTINATION_DOMAIN, name);
    }
    event.set_int(field::DESTINATION_PORT, port);
}

/// Apache writes `\"`; nginx writes `\x22`. Both mean the quote; other escapes stay as they stand in the log.
fn unescaped<'r>(event: &Event<'r>, text: &'r str) -> &'r str {
    text::unescape(event, text, |c| c == '"' || c == '\\')
}

/// Sets method, URL and version of `GET /a?b HTTP/1.1`; a request that is none is kept as the URL that was asked for.
pub fn request<'r>(event: &mut Event<'r>, request: &'r str) {
    if ecs::is_nothing(request) {
        return;
    }
    let (first, rest) = text::word(request);
    let (target, version) = match rest.rsplit_once(" HTTP/") {
        Some((target, version)) => (target, Some(version)),
        None => (rest, None),
    };
    if target.is_empty() || !is_method(first) {
        event.set(field::URL_ORIGINAL, request);
        event.problem("the request is not HTTP");
        return;
    }
    event.set(field::HTTP_REQUEST_METHOD, first);
    if let Some(version) = version {
        event.set(field::HTTP_VERSION, version);
    }
    url(event, target);
}

fn is_method(word: &str) -> bool {
    (2..=20).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_' || b == b'-')
}

/// Sets `url.original` and its parts; understands paths, absolute URLs and the `host:port` of CONNECT.
pub fn url<'r>(event: &mut Event<'r>, original: &'r str) {
    event.set(field::URL_ORIGINAL, original);
    if original.starts_with('/') {
        return path(event, original);
    }
    if let Some((scheme, rest)) = original.split_once("://")
        && !scheme.is_empty()
        && scheme.len() <= 16
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'-' || b == b'.')
    {
        event.set(field::URL_SCHEME, text::lower(event, scheme));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        authority(event, &rest[..end]);
        return path(event, &rest[end..]);
    }
    if original == "*" || original.starts_with('?') {
        return path(event, original);
    }
    authority(event, original);
}

/// Sets `url.path`, `url.query` and `url.extension`.
fn path<'r>(event: &mut Event<'r>, target: &'r str) {
    let (path, query) = match text::split(target, b'?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    if !path.is_empty() {
        event.set(field::URL_PATH, path);
    }
    if let Some(query) = query {
        event.set(field::URL_QUERY, query);
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    if let Some((stem, extension)) = name.rsplit_once('.')
        && !stem.is_empty()
        && (1..=8).contains(&extension.len())
        && extension.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        event.set(field::URL_EXTENSION, extension);
    }
}

/// Sets `url.domain` and `url.port` from `[user@]host[:port]`.
pub fn authority<'r>(event: &mut Event<'r>, authority: &'r str) {
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port))
            if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']')) =>
        {
            (host, Some(port))
        }
        _ => (authority, None),
    };
    let host = text::strip_pair(host, '[', ']');
    if ecs::is_nothing(host) || host == "_" || host.contains([' ', '/']) {
        return;
    }
    event.set(field::URL_DOMAIN, host);
    if let Some(port) = port {
        event.set_int(field::URL_PORT, port);
    }
}
