//! Aruba: controllers and Instant (`<501093> <NOTI> AP:… text`), CX switches (`Event|403|LOG_INFO|AMM|1/1|text`), ProVision
//! switches (`00179 mgr:  SME SSH from …`) and ClearPass (`… 1 0 Common.Username=an,…`).
//!
//! Reference: HPE Aruba, "ArubaOS syslog reference guide" (message ids, categories, levels), "AOS-CX event log message reference",
//! "ArubaOS-Switch event log message reference", "ClearPass: syslog export filters".

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    phrases::{self, Class, LOGIN, LOGIN_FAILED, LOGOUT, Phrase},
    text, time,
    vendor::{self, Means, Notes},
};

const PREFIX: &str = "aruba.";

pub struct Aruba;

const USER: Option<Means> = Some(Means::Account(field::USER_NAME));
const MAIL: Option<Means> = Some(Means::Account(field::USER_NAME));
const FROM: Option<Means> = Some(Means::Endpoint(field::SOURCE_IP, field::SOURCE_ADDRESS, field::SOURCE_PORT));
const TO: Option<Means> = Some(Means::Endpoint(field::DESTINATION_IP, field::DESTINATION_ADDRESS, field::DESTINATION_PORT));
const CLIENT: Option<Means> = Some(Means::Ip(field::CLIENT_IP));
const MAC: Option<Means> = Some(Means::Mac(field::SOURCE_MAC));
const RADIO: Option<Means> = Some(Means::Mac(field::DESTINATION_MAC));
const PORT: Option<Means> = Some(Means::Text(field::OBSERVER_INGRESS_INTERFACE_NAME));
const METHOD: Option<Means> = Some(Means::Name("aruba.method"));

const INFO: Class = Class::new(&["network"], &["info"], "", "");
const ROGUE: Class = Class::new(&["intrusion_detection", "network"], &["info"], "", "");

const PHRASES: &[Phrase] = &[
    Phrase {
        text: "User authenticated, mac-*, username-*, IP-*, method-*, role-*",
        means: &[MAC, MAIL, CLIENT, METHOD, None],
        class: INFO,
    },
    Phrase { text: "Auth success: *: AP *-*-*", means: &[MAC, None, RADIO, None], class: INFO },
    Phrase {
        text: "Auth failure: *: AP *-*-*",
        means: &[MAC, None, RADIO, None],
        class: Class::new(&["authentication"], &["info"], "", "failure"),
    },
    Phrase { text: "Assoc success @ *: *: AP *-*-*", means: &[None, MAC, None, RADIO, None], class: INFO },
    Phrase { text: "Deauth from sta: *: AP *-*-*", means: &[MAC, None, RADIO, None], class: INFO },
    Phrase { text: "Deauth to sta: *: AP *-*-*", means: &[MAC, None, RADIO, None], class: INFO },
    Phrase { text: "User * Failed Authentication", means: &[USER], class: Class { types: &["info", "start"], ..LOGIN_FAILED } },
    Phrase { text: "User * Successfully Authenticated", means: &[USER], class: LOGIN },
    Phrase {
        text: "USER:*@* COMMAND:<*>",
        means: &[USER, FROM, Some(Means::Text(field::PROCESS_COMMAND_LINE))],
        class: phrases::COMMAND,
    },
    Phrase { text: "User * logged in from *", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "User * logged out from *", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "make_response: Sending * to * with ", means: &[None, TO], class: INFO },
    Phrase { text: "LLDP neighbor * updated on *", means: &[MAC, PORT], class: INFO },
    Phrase { text: "LLDP neighbor * added on *", means: &[MAC, PORT], class: INFO },
    Phrase { text: "Link status for interface * is ", means: &[PORT], class: INFO },
    Phrase {
        text: "SME SSH from * - ",
        means: &[FROM],
        class: Class::new(&["session", "authentication"], &["start"], "login", "success"),
    },
    Phrase {
        text: "SME TELNET from * - ",
        means: &[FROM],
        class: Class::new(&["session", "authentication"], &["start"], "login", "success"),
    },
    Phrase { text: "User '*' logged in from * to", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "User '*' is trying to login from *", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase {
        text: "Invalid user name/password on * session User '*' is trying to login from *",
        means: &[None, USER, FROM],
        class: LOGIN_FAILED,
    },
    Phrase {
        text: "User *:TLS connection failed for * session from *. (",
        means: &[USER, None, FROM],
        class: Class::new(&["session"], &["info"], "", ""),
    },
    Phrase {
        text: "Updated time by * from server at *. Previous",
        means: &[None, FROM],
        class: Class::new(&["network"], &["connection"], "", ""),
    },
];

/// ClearPass's names.
static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("Common.Username", Account(field::USER_NAME)),
        ("User", User(field::USER_NAME)),
        ("Common.Host-MAC-Address", Mac(field::SOURCE_MAC)),
        ("Common.Service", Text(field::SERVICE_NAME)),
        ("Common.Login-Status", Note(0)),
        ("Common.Request-Timestamp", Note(1)),
        ("timestamp", Note(1)),
        ("Timestamp", Note(1)),
        ("Common.NAS-IP-Address", IpName("observer.ip")),
        ("RADIUS.Acct-NAS-IP-Address", IpName("observer.ip")),
        ("RADIUS.Acct-Framed-IP-Address", Ip(field::SOURCE_IP)),
        ("RADIUS.Acct-Username", User(field::USER_NAME)),
        ("WEBAUTH.Host-IP-Address", Ip(field::SOURCE_IP)),
        ("Common.Alerts", Text(field::EVENT_REASON)),
        ("description", Text(field::MESSAGE)),
        ("Description", Text(field::MESSAGE)),
        ("level", Lower(field::LOG_LEVEL)),
        ("Level", Lower(field::LOG_LEVEL)),
        ("action_key", Note(2)),
        ("Action", Note(2)),
        ("category", Note(3)),
        ("Category", Note(3)),
        ("event_source", Text(field::EVENT_PROVIDER)),
        ("Source", Text(field::EVENT_PROVIDER)),
    ])
});

/// Modules of ProVision switches whose names no other daemon has.
const MODULES: &[&str] = &[
    "FFI",
    "SNTP",
    "mgr",
    "ports",
    "dhcp-snoop",
    "dhcp-server",
    "dhcp-relay",
    "loop-protect",
    "lacp",
    "auth",
    "ssl",
    "chassis",
    "stack",
    "vsf",
    "macauth",
    "arp-protect",
    "connfilt",
    "fault-finder",
    "ip-lockdown",
    "tunneled-node",
    "PoE",
    "STP",
    "VLAN",
    "lldp",
    "snmp",
    "ssh",
    "system",
    "update",
    "ip",
    "crypto",
    "tacacs",
    "radius",
    "802.1x",
    "telnet",
    "tftp",
    "licensing",
    "udld",
    "garp",
    "igmp",
    "console",
    "hpesp",
    "timep",
    "vrrp",
    "ospf",
    "usb",
];

impl Parser for Aruba {
    fn name(&self) -> &'static str {
        "aruba"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["stm", "authmgr", "sapd", "wms", "dhcp-snoop", "FFI", "SNTP", "CPPM_System_Events"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        Sniff::yes_if(
            controller(text).is_some()
                || text.starts_with("Event|") && cx(text).is_some()
                || provision(text).is_some()
                || clearpass(text).is_some(),
        )
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = raw.text();
        if let Some(line) = controller(text) {
            vendor::heading(raw, event, &text[..line.at]);
            set_controller(raw, event, &line);
        } else if let Some([code, level, slot, message]) = cx(text) {
            event.set_dataset("aruba.cx");
            vendor::device(event, "Aruba", "AOS-CX", "switch");
            event.set(field::EVENT_CODE, code);
            event.set(field::LOG_LEVEL, text::lower(event, level.trim_start_matches("LOG_")));
            event.set_extra(PREFIX, "slot", slot);
            sentence(raw, event, message, &INFO);
        } else if let Some((module, message)) = provision(text) {
            event.set_dataset("aruba.switch");
            vendor::device(event, "Aruba", "AOS-S", "switch");
            event.set(field::EVENT_PROVIDER, module);
            sentence(raw, event, message, &Class::new(&["network"], &["connection", "info"], "", ""));
        } else if let Some(list) = clearpass(text) {
            event.set_dataset("aruba.clearpass");
            vendor::device(event, "Aruba", "ClearPass", "authentication");
            set_clearpass(raw, event, list);
        } else if event.text(field::LOG_SYSLOG_APPNAME).is_some() && !text.is_empty() {
            event.set_dataset("aruba.switch");
            vendor::device(event, "Aruba", "AOS-S", "switch");
            sentence(raw, event, text.split_once("ST1-CMDR: ").map_or(text, |(_, rest)| rest), &INFO);
        } else {
            return Outcome::Unreadable("no Aruba message");
        }
        vendor::conclude(event);
        Outcome::Parsed
    }
}

struct Controller<'r> {
    at: usize,
    code: &'r str,
    pid: &'r str,
    level: &'r str,
    /// `host ip` or `ip mac`.
    place: &'r str,
    point: &'r str,
    text: &'r str,
}

/// `[prog[pid]: ]<501093> [<6069> ]<NOTI> [AP:name ][<host 192.0.2.1>] text`.
fn controller(text: &str) -> Option<Controller<'_>> {
    let b = text.as_bytes();
    let at = memchr::memchr(b'<', &b[..b.len().min(60)])?;
    let (first, mut rest) = text.get(at + 1..)?.split_once("> ")?;
    let is_number = |word: &str| (1..=6).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
    if !is_number(first) {
        return None;
    }
    // Without a tag in front the code may have been taken for a broken PRI: then only the process id is left.
    let (code, mut pid) = if first.len() == 6 { (first, "") } else { ("", first) };
    if let Some((number, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once("> "))
        && is_number(number)
    {
        (pid, rest) = (number, after);
    }
    let (level, rest) = rest.strip_prefix('<')?.split_once('>')?;
    if !matches!(level, "EMRG" | "ALRT" | "CRIT" | "ERRS" | "WARN" | "NOTI" | "INFO" | "DBUG") {
        return None;
    }
    let mut rest = rest.trim_start();
    let mut point = "";
    if let Some((name, after)) = rest.strip_prefix("AP:").and_then(|rest| rest.split_once(' ')) {
        (point, rest) = (name, after.trim_start());
    }
    let mut place = "";
    if let Some((inside, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        (place, rest) = (inside, after);
    }
    // `|AP name@192.0.2.1 sapd| |ids-ap| `: where inside an access point it was written.
    let mut text = rest.trim_start();
    while let Some((inside, after)) = text.strip_prefix('|').and_then(|rest| rest.split_once('|')) {
        if let Some(name) = inside.strip_prefix("AP ") {
            point = name;
        }
        text = after.trim_start();
    }
    Some(Controller { at, code, pid, level, place, point, text })
}

fn set_controller<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, line: &Controller<'r>) {
    event.set_dataset("aruba.controller");
    vendor::device(event, "Aruba", "ArubaOS", "wireless");
    event.set_present(field::EVENT_CODE, line.code);
    event.set_int(field::PROCESS_PID, line.pid);
    event.set(field::LOG_LEVEL, text::lower(event, line.level));
    let (first, second) = text::word(line.place);
    if ecs::ip(first).is_some() {
        // The access point that speaks: its address and its hardware address.
        vendor::ip_named(event, "observer.ip", first);
        event.set_named("observer.mac", vendor::mac(event, second));
        ecs::source(event, first);
        event.set_present(field::SOURCE_MAC, vendor::mac(event, second));
    } else if !first.is_empty() {
        ecs::host(event, first);
        event.set(field::OBSERVER_NAME, first);
        vendor::ip_named(event, "observer.ip", second);
        ecs::source(event, second);
    }
    if !line.point.is_empty() {
        event.set_extra(PREFIX, "access_point", line.point);
    }
    let class = if line.text.contains("ogue")
        || line.text.contains("nterfering AP")
        || line.code.starts_with("126")
        || line.code.starts_with("127")
    {
        &ROGUE
    } else {
        &INFO
    };
    sentence(raw, event, line.text, class);
}

fn sentence<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str, class: &Class) {
    event.set(field::MESSAGE, text);
    let reason = text.strip_prefix("make_response: ").unwrap_or(text);
    event.set(field::EVENT_REASON, reason);
    // A module's name may stand before the sentence.
    let plain = text.strip_prefix("authmgr: ").unwrap_or(text);
    if !phrases::read(raw, event, PHRASES, plain) {
        phrases::classify(event, class);
    }
}

/// `Event|code|level|card|slot|text`.
fn cx(text: &str) -> Option<[&str; 4]> {
    let mut parts = text.strip_prefix("Event|")?.splitn(5, '|');
    let (code, level, _card, slot, message) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (level.starts_with("LOG_") && !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit()))
        .then_some([code, level, slot, message])
}

/// `[00179 ]module:  [ST1-CMDR: ]text`: two blanks follow the module.
fn provision(text: &str) -> Option<(&str, &str)> {
    let (number, rest) = text::digits(text);
    let text = if number.len() == 5 { rest.strip_prefix(' ')? } else { text };
    let (module, rest) =
        text.get(..24.min(text.len()))?.split_once(":  ").map(|(module, _)| (module, &text[module.len() + 3..]))?;
    if !MODULES.contains(&module) {
        return None;
    }
    let message = match rest.split_once(": ") {
        Some((member, message)) if member.starts_with("ST") && member.len() <= 10 => message,
        _ => rest,
    };
    Some((module, message))
}

/// `filter name 973 1 0 key=value,key=value`: the filter, a counter, and two numbers of the message's parts.
fn clearpass(text: &str) -> Option<&str> {
    let b = text.as_bytes();
    let at = crate::text::find(&b[..b.len().min(120)], b" 1 0 ")?;
    let head = &text[..at];
    let counter = head.rsplit(' ').next()?;
    let list = &text[at + 5..];
    let is = !counter.is_empty()
        && counter.bytes().all(|b| b.is_ascii_digit())
        && (list.starts_with("Common.")
            || list.starts_with("event_source=")
            || list.starts_with("Timestamp=")
            || list.starts_with("RADIUS.")
            || list.starts_with("TACACS.")
            || list.starts_with("WEBAUTH."));
    is.then_some(list)
}

fn set_clearpass<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, list: &'r str) {
    let mut notes = Notes::<4>::default();
    let mut rest = list;
    // Values hold commas: a value ends where a comma comes before the next `Name=`.
    while let Some((key, after)) = rest.split_once('=') {
        let next = memchr::memchr_iter(b',', after.as_bytes())
            .find(|at| vendor::name_before_equals(&after[at + 1..]).is_some_and(|name| name.as_bytes()[0].is_ascii_alphabetic()));
        let (value, tail) = next.map_or((after, ""), |at| (&after[..at], &after[at + 1..]));
        if !value.is_empty() {
            vendor::word(raw, event, PREFIX, key.trim(), value, &KEYS, &mut notes);
        }
        rest = tail;
    }
    let login = notes.get(0);
    if let Some(moment) = time::any(notes.get(1), raw) {
        event.set(field::TIMESTAMP, Value::Time(moment));
    }
    if !login.is_empty() {
        phrases::classify(event, if login == "ACCEPT" { &LOGIN } else { &LOGIN_FAILED });
        return;
    }
    event.set_present(field::EVENT_ACTION, notes.get(2));
    match notes.get(2) {
        "ADD" | "MODIFY" | "REMOVE" => ecs::classify(event, &["configuration"], &["change"]),
        "Failed" => {
            ecs::classify(event, &["host"], &["error"]);
            ecs::failure(event);
        }
        _ => ecs::classify(event, &["host"], &["info"]),
    }
}
