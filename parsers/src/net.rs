//! What network devices write about a peer: `inside:192.0.2.1/51234(LAN\binh)`, protocols by name or number, durations.

use event::{Event, Field, Value, field};

use crate::{ecs, text};

/// One end of a connection, as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endpoint<'r> {
    pub interface: &'r str,
    pub address: &'r str,
    pub port: &'r str,
    /// What stands in brackets behind: a user, or a name.
    pub note: &'r str,
}

/// Reads `if:addr/port`, `if/addr(port)`, `addr/port`, `addr:port`, `addr(port)`, each with `(user)` behind.
pub fn endpoint(text: &str) -> Endpoint<'_> {
    let text = text.trim().trim_matches(|c| matches!(c, '\'' | '"' | ','));
    let text = match text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        Some(inside) => inside,
        None => text,
    };
    let (head, mut note) = match text.find('(') {
        Some(at) => (text[..at].trim_end(), &text[at..]),
        None => (text, ""),
    };
    let mut end = Endpoint::default();
    // The interface ends at the first colon or slash that is not the address's own.
    let mut rest = head;
    if !starts_with_address(rest)
        && let Some(at) = rest.find([':', '/'])
        && rest[at + 1..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':' || c == '<')
        && !is_port(&rest[at + 1..])
    {
        (end.interface, rest) = (&rest[..at], &rest[at + 1..]);
    }
    (end.address, end.port) = match rest.rsplit_once('/') {
        Some((address, port)) if is_port(port) => (address, port),
        _ => match rest.rsplit_once(':') {
            Some((address, port)) if is_port(port) && (!address.contains(':') || address.ends_with(']')) => (address, port),
            _ => (rest, ""),
        },
    };
    // `addr(port)`.
    if end.port.is_empty()
        && let Some((port, after)) = note.strip_prefix('(').and_then(|note| note.split_once(')'))
        && is_port(port)
    {
        (end.port, note) = (port, after.trim_start());
    }
    end.note = note.strip_prefix('(').unwrap_or(note).trim_end_matches(')').trim();
    // `binh@192.0.2.1`.
    if let Some((user, address)) = end.address.rsplit_once('@') {
        end.address = address;
        if end.note.is_empty() {
            end.note = user;
        }
    }
    end
}

fn starts_with_address(text: &str) -> bool {
    let end = text.find(['/', '(', ' ']).unwrap_or(text.len());
    let word = &text[..end];
    ecs::ip(word).is_some() || word.rsplit_once(':').is_some_and(|(address, port)| is_port(port) && ecs::ip(address).is_some())
}

fn is_port(text: &str) -> bool {
    (1..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// The fields that one end fills.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    pub ip: Field,
    pub address: Field,
    pub port: Field,
    pub nat_ip: Field,
    pub nat_port: Field,
    pub user: Field,
    pub domain: Field,
    pub interface: Field,
    /// Not in the catalogue.
    pub user_domain: &'static str,
}

pub const SOURCE: Side = Side {
    ip: field::SOURCE_IP,
    address: field::SOURCE_ADDRESS,
    port: field::SOURCE_PORT,
    nat_ip: field::SOURCE_NAT_IP,
    nat_port: field::SOURCE_NAT_PORT,
    user: field::SOURCE_USER_NAME,
    domain: field::SOURCE_DOMAIN,
    interface: field::OBSERVER_INGRESS_INTERFACE_NAME,
    user_domain: "source.user.domain",
};

pub const DESTINATION: Side = Side {
    ip: field::DESTINATION_IP,
    address: field::DESTINATION_ADDRESS,
    port: field::DESTINATION_PORT,
    nat_ip: field::DESTINATION_NAT_IP,
    nat_port: field::DESTINATION_NAT_PORT,
    user: field::DESTINATION_USER_NAME,
    domain: field::DESTINATION_DOMAIN,
    interface: field::OBSERVER_EGRESS_INTERFACE_NAME,
    user_domain: "destination.user.domain",
};

impl Side {
    /// Sets an end's fields; a note is a user where it has a backslash, an at sign or no dot, else the end's name.
    pub fn set<'r>(&self, event: &mut Event<'r>, end: Endpoint<'r>) {
        ecs::address(event, self.ip, self.address, end.address);
        if ecs::ip(end.address).is_none() && !ecs::is_nothing(end.address) {
            event.set(self.domain, end.address);
        }
        event.set_int(self.port, end.port);
        event.set_present(self.interface, end.interface);
        self.note(event, end.note);
    }

    /// Sets what stood in brackets.
    pub fn note<'r>(&self, event: &mut Event<'r>, note: &'r str) {
        // `LOCAL\binh, 123`: a security group tag follows.
        let note = note.split(',').next().unwrap_or(note).trim();
        if note.is_empty() {
            return;
        }
        if note.contains('.') && !note.contains(['\\', '@']) {
            event.set(self.domain, note);
            event.set(field::RELATED_HOSTS, note);
        } else {
            let (domain, name) = split_account(note);
            ecs::user(event, self.user, name);
            if !domain.is_empty() {
                event.set_extra("", self.user_domain, domain);
            }
        }
    }

    /// Sets the translated end where it differs from the real one.
    pub fn nat<'r>(&self, event: &mut Event<'r>, real: Endpoint<'r>, mapped: Endpoint<'r>) {
        if mapped.address != real.address && ecs::ip(mapped.address).is_some() {
            ecs::ip_only(event, self.nat_ip, mapped.address);
        }
        if mapped.port != real.port && !mapped.port.is_empty() {
            event.set_int(self.nat_port, mapped.port);
        }
    }
}

/// Splits `LAN\binh`, `LOCAL\LAN\binh` and `binh@lan.example` into domain and name.
pub fn split_account(account: &str) -> (&str, &str) {
    let account = account.strip_prefix("LOCAL\\").filter(|rest| !rest.is_empty()).map_or(account, |rest| {
        // `LOCAL` is a domain only where no other is named.
        if rest.contains(['\\', '@']) { rest } else { account }
    });
    if let Some((domain, name)) = account.rsplit_once('\\') {
        return if name.is_empty() { ("", account) } else { (domain, name) };
    }
    match account.split_once('@') {
        Some((name, domain)) if !name.is_empty() && domain.contains('.') => (domain, name),
        _ => ("", account),
    }
}

/// Sets an account, its domain and its mail address if it is one.
pub fn account<'r>(event: &mut Event<'r>, account: &'r str) {
    let account = account.trim_matches(['\'', '"', '<', '>', ' ']);
    if ecs::is_nothing(account) || account.bytes().all(|b| b == b'*') {
        return;
    }
    let (domain, name) = split_account(account);
    ecs::user(event, field::USER_NAME, name);
    if !domain.is_empty() {
        event.set(field::USER_DOMAIN, domain);
    }
    if account.strip_prefix(name).is_some_and(|rest| rest.starts_with('@')) {
        event.set(field::USER_EMAIL, account);
    }
}

/// Sets the transport by name or number, and the other beside it.
pub fn transport<'r>(event: &mut Event<'r>, name: &'r str) {
    if let Ok(number) = name.parse::<u8>() {
        return ecs::protocol(event, i64::from(number));
    }
    let name = text::lower(event, name);
    let name = match name {
        "icmp6" | "icmpv6" | "ipv6-icmp" => "ipv6-icmp",
        name => name,
    };
    if name.is_empty() || name == "ip" {
        return;
    }
    event.set(field::NETWORK_TRANSPORT, name);
    if let Some(number) = (0..=255).find(|number| ecs::transport_name(*number) == Some(name)) {
        event.set(field::NETWORK_IANA_NUMBER, number);
    }
}

/// The severities by number, in the words of network vendors' manuals.
pub const LEVELS: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notification", "informational", "debug"];

/// Sets `log.level` by the severity of the envelope, unless the message said its own.
pub fn set_level(event: &mut Event<'_>) {
    if let Some(Value::Int(code)) = event.get(field::LOG_SYSLOG_SEVERITY_CODE)
        && !event.has(field::LOG_LEVEL)
        && let Some(level) = usize::try_from(code).ok().and_then(|code| LEVELS.get(code))
    {
        event.set(field::LOG_LEVEL, *level);
    }
}

/// Sets what both ways sum up to, unless the message said it.
pub fn set_totals(event: &mut Event<'_>) {
    for (sent, received, total) in [
        (field::SOURCE_BYTES, field::DESTINATION_BYTES, field::NETWORK_BYTES),
        (field::SOURCE_PACKETS, field::DESTINATION_PACKETS, field::NETWORK_PACKETS),
    ] {
        if let (Some(Value::Int(a)), Some(Value::Int(b))) = (event.get(sent), event.get(received))
            && !event.has(total)
        {
            event.set(total, a.saturating_add(b));
        }
    }
}

/// Sets `network.type` by the family of the source, else of the destination.
pub fn set_type(event: &mut Event<'_>) {
    let family = event.get(field::SOURCE_IP).or_else(|| event.get(field::DESTINATION_IP));
    if let Some(Value::Ip(address)) = family {
        event.set_extra("", "network.type", if address.is_ipv4() { "ipv4" } else { "ipv6" });
    }
}

/// `0:01:07`, `0h:01m:52s`, `1d 02:03:04`, `1d2h3m4s`, `67` as nanoseconds.
pub fn duration(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.bytes().any(|b| b.is_ascii_alphabetic()) {
        let (mut total, mut number) = (0i64, 0i64);
        for c in text.bytes() {
            let unit = match c {
                b'0'..=b'9' => {
                    number = number.checked_mul(10)?.checked_add(i64::from(c - b'0'))?;
                    continue;
                }
                b'y' => 365 * 86_400,
                b'w' => 7 * 86_400,
                b'd' => 86_400,
                b'h' => 3600,
                b'm' => 60,
                b's' => 1,
                b':' | b' ' => continue,
                _ => return None,
            };
            total = total.checked_add(number.checked_mul(unit)?)?;
            number = 0;
        }
        return total.checked_mul(1_000_000_000);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut total = 0i64;
    for part in whole.split(':') {
        total = total.checked_mul(60)?.checked_add(part.parse::<u32>().ok()?.into())?;
    }
    let nanos = if fraction.is_empty() { 0 } else { text::seconds_to_nanos(&text[whole.len()..])? };
    total.checked_mul(1_000_000_000)?.checked_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (text, expected) in [
            ("inside:192.0.2.1/51234", ["inside", "192.0.2.1", "51234", ""]),
            ("dmz2/192.0.2.1(51234)", ["dmz2", "192.0.2.1", "51234", ""]),
            ("192.0.2.1/80(LOCAL\\binh)", ["", "192.0.2.1", "80", "LOCAL\\binh"]),
            ("inside/192.0.2.1(64321)(LAN\\an)", ["inside", "192.0.2.1", "64321", "LAN\\an"]),
            ("out:192.0.2.1/34 (LOCAL\\an, 123)", ["out", "192.0.2.1", "34", "LOCAL\\an, 123"]),
            ("srv:host1/51635(name.example)", ["srv", "host1", "51635", "name.example"]),
            ("2001:db8::1/443", ["", "2001:db8::1", "443", ""]),
            ("in:2001:db8::1/443", ["in", "2001:db8::1", "443", ""]),
            ("192.0.2.1:443", ["", "192.0.2.1", "443", ""]),
            ("(0.0.0.0)", ["", "0.0.0.0", "", ""]),
            ("gw.example", ["", "gw.example", "", ""]),
            ("gw:500", ["", "gw", "500", ""]),
            ("dmz/host-1(27218)", ["dmz", "host-1", "27218", ""]),
            ("binh@192.0.2.1", ["", "192.0.2.1", "", "binh"]),
            ("", ["", "", "", ""]),
        ] {
            let end = endpoint(text);
            assert_eq!([end.interface, end.address, end.port, end.note], expected, "{text}");
        }
    }

    #[test]
    fn accounts() {
        assert_eq!(split_account("LAN\\binh"), ("LAN", "binh"));
        assert_eq!(split_account("LOCAL\\LAN\\binh"), ("LAN", "binh"));
        assert_eq!(split_account("LOCAL\\binh"), ("LOCAL", "binh"));
        assert_eq!(split_account("binh@lan.example"), ("lan.example", "binh"));
        assert_eq!(split_account("binh@x"), ("", "binh@x"));
        assert_eq!(split_account("LAN\\"), ("", "LAN\\"));
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("0:01:07", 67), ("0h:01m:52s", 112), ("1d2h", 93_600), ("67", 67), ("1:00:00", 3600)] {
            assert_eq!(duration(text), Some(seconds * 1_000_000_000), "{text}");
        }
        assert_eq!(duration("0:00:01.5"), Some(1_500_000_000));
        assert_eq!(duration("x"), None);
        assert_eq!(duration("99999999999999999999h"), None);
    }
}
