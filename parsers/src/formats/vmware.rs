//! VMware ESXi, vCenter and NSX.
//!
//! Reference: VMware, "ESXi log files" and "Log message format of vmware-syslog" (`level proc[pid] [Originator@6876 sub=… opID=…
//! sid=… user=…] text`), "vCenter event reference" (`Event [id] [part] [time] [type] [severity] [user] [datacentre] [chain]
//! [text]`), "vCenter Single Sign-On audit events" (JSON), "NSX distributed firewall packet log", "NSX log message format".
//!
//! The virtual machine's own words are kept; a sentence that is known (log-in, log-out, SSH, console) gives its account and peer.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs,
    formats::json,
    keys::KeyTable,
    kv::Separator,
    phrases::{self, COMMAND, CONFIGURED, Class, DEVICE, LOGIN, LOGIN_FAILED, LOGOUT, Phrase},
    text, time,
    vendor::{self, Means, Notes},
    web,
};

const PREFIX: &str = "vmware.";

pub struct Vmware;

const USER: Option<Means> = Some(Means::Account(field::USER_NAME));
const FROM: Option<Means> = Some(Means::Peer(field::SOURCE_IP, field::SOURCE_ADDRESS));
const PORT: Option<Means> = Some(Means::Int(field::SOURCE_PORT));
const AGENT: Option<Means> = Some(Means::Text(field::USER_AGENT_ORIGINAL));
const COMMAND_LINE: Option<Means> = Some(Means::Text(field::PROCESS_COMMAND_LINE));
const REASON: Option<Means> = Some(Means::Text(field::EVENT_REASON));
const PID: Option<Means> = Some(Means::Int(field::PROCESS_PID));
const FILE: Option<Means> = Some(Means::FilePath);
const ENDED: Class = Class::new(&["authentication", "session"], &["end"], "", "success");
const PEER: Option<Means> = Some(Means::Endpoint(field::DESTINATION_IP, field::DESTINATION_ADDRESS, field::DESTINATION_PORT));
const CONNECTION: Class = Class::new(&["network"], &["connection"], "", "");
const STARTED: Class = Class::new(&["process"], &["start"], "", "");
const LOADED: Class = Class::new(&["process", "file"], &["info"], "", "");

const PHRASES: &[Phrase] = &[
    Phrase { text: "User * logged in as *", means: &[USER, AGENT], class: LOGIN },
    Phrase { text: "User * logged out *user agent: *)", means: &[USER, None, AGENT], class: LOGOUT },
    Phrase { text: "User * logged out", means: &[USER], class: LOGOUT },
    Phrase { text: "Cannot login user *@*: *", means: &[USER, FROM, REASON], class: LOGIN_FAILED },
    Phrase { text: "Cannot login *@*: *", means: &[USER, FROM, REASON], class: LOGIN_FAILED },
    Phrase { text: "Cannot login *@*", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "Accepted password for user * from * - ", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "Accepted password for user * from *", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "Rejected password for user * from *", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "Successful login * from * at ", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "Failed login * from * at ", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "User cannot logon since", means: &[], class: LOGIN_FAILED },
    Phrase { text: "SSH session was opened for '*@*'", means: &[USER, FROM], class: LOGIN },
    Phrase { text: "SSH session was closed for '*@*'", means: &[USER, FROM], class: LOGOUT },
    Phrase { text: "SSH login has failed for '*@*'", means: &[USER, FROM], class: LOGIN_FAILED },
    Phrase { text: "User local account '*' ", means: &[USER], class: phrases::USER_CHANGED },
    Phrase { text: "Account * was created", means: &[USER], class: phrases::USER_ADDED },
    Phrase { text: "Account * was removed", means: &[USER], class: phrases::USER_REMOVED },
    Phrase { text: "Account * was updated", means: &[USER], class: phrases::USER_CHANGED },
    Phrase { text: "Password was changed for account *", means: &[USER], class: phrases::USER_CHANGED },
    Phrase { text: "Remote access for ESXi local user account '*' has been locked", means: &[USER], class: LOGIN_FAILED },
    Phrase { text: "Connection closed by authenticating user * * port * ", means: &[USER, FROM, PORT], class: ENDED },
    Phrase { text: "Disconnected from authenticating user * * port * ", means: &[USER, FROM, PORT], class: ENDED },
    Phrase { text: "Disconnected from user * * port *", means: &[USER, FROM, PORT], class: ENDED },
    Phrase {
        text: "Connection from * port *",
        means: &[FROM, PORT],
        class: Class::new(&["network"], &["connection", "start"], "", ""),
    },
    Phrase { text: "pam_unix(*): session closed for user *", means: &[None, USER], class: LOGOUT },
    Phrase { text: "pam_unix(*): session opened for user *", means: &[None, USER], class: LOGIN },
    Phrase { text: "Util: ForkExec(*)", means: &[COMMAND_LINE], class: STARTED },
    Phrase { text: "ForkExec(*)", means: &[COMMAND_LINE], class: STARTED },
    Phrase { text: "Launching binary: *", means: &[COMMAND_LINE], class: STARTED },
    Phrase { text: "Terminating watchdog process with PID *", means: &[PID], class: Class::new(&["process"], &["end"], "", "") },
    Phrase { text: "Connected to * (*) over <", means: &[PEER, Some(Means::Path)], class: CONNECTION },
    Phrase {
        text: "Attempting connection; <resolver p:*, '*', next:*>, *",
        means: &[None, PEER, None, REASON],
        class: CONNECTION,
    },
    Phrase { text: "Processing file: *", means: &[FILE], class: LOADED },
    Phrase { text: "Processing defaultMappingFile: *", means: &[FILE], class: LOADED },
    Phrase { text: "PluginLdr_Load: Loaded plugin '*' from '*'", means: &[None, FILE], class: LOADED },
    Phrase {
        text: "GenerateFullReport: report file * generated, size * bytes",
        means: &[FILE, Some(Means::Int(field::FILE_SIZE))],
        class: LOADED,
    },
    Phrase { text: "PublishReport: file * published", means: &[FILE], class: LOADED },
    Phrase { text: "Report Path: *", means: &[FILE], class: LOADED },
    Phrase { text: "Firewall configuration has changed", means: &[], class: CONFIGURED },
    Phrase { text: "Lockdown mode", means: &[], class: CONFIGURED },
];

/// What stands in `[Originator@6876 …]` and `[nsx@6876 …]`.
static ORIGIN: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("sub", Text(field::EVENT_PROVIDER)),
        ("subcomp", Text(field::EVENT_PROVIDER)),
        ("user", Note(0)),
        ("username", Note(0)),
    ])
});

/// vCenter's Single Sign-On audit.
static AUDIT: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("user", Account(field::USER_NAME)),
        ("client", Peer(field::SOURCE_IP, field::SOURCE_ADDRESS)),
        ("description", Text(field::EVENT_REASON)),
        ("type", Both(field::EVENT_CODE, 1)),
    ])
});

const PROGRAMS: &[&str] = &[
    "hostd",
    "Hostd",
    "vpxa",
    "Vpxa",
    "vpxd",
    "rhttpproxy",
    "Rhttpproxy",
    "vobd",
    "Vobd",
    "vmkernel",
    "vmkwarning",
    "fdm",
    "Fdm",
    "vmauthd",
    "VMAuthd",
    "hostd-probe",
    "healthd",
    "vsanmgmtd",
    "sdrsInjector",
    "storageRM",
    "vmkeventd",
    "shell",
    "ESXShell",
    "DCUI",
    "dcui",
    "localcli",
    "esxcli",
    "vmsyslogd",
    "dfwpktlogs",
    "nsx-exporter",
    "NSX",
    "nsx-opsagent",
    "vpxd-svcs",
    "websso",
    "sso-identity-perf",
    "vcenter-server",
    "FIREWALL-PKTLOG",
    "vum",
    "applmgmt-audit",
    "envoy",
    "sps",
    "observability",
    "vmkdevmgr",
    "smartd",
    "backup.sh",
    "esxupdate",
    "vmafdd",
    "vmdird",
];

impl Parser for Vmware {
    fn name(&self) -> &'static str {
        "vmware"
    }

    fn programs(&self) -> &'static [&'static str] {
        PROGRAMS
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let b = raw.text().as_bytes();
        let near = |range: usize, word: &[u8]| crate::text::find(&b[..b.len().min(range)], word);
        if is_kernel(raw.text())
            || near(120, b" match ").is_some() && (near(120, b" INET match ").is_some() || near(120, b" INET6 match ").is_some())
        {
            return Sniff::Yes;
        }
        // Everything else has a bracket near its start.
        let Some(bracket) = memchr::memchr(b'[', &b[..b.len().min(240)]) else { return Sniff::No };
        let after = |range: usize, word: &[u8]| crate::text::find(&b[bracket..b.len().min(range.max(bracket))], word).is_some();
        let is_event = || {
            near(200, b"Event [").is_some_and(|at| {
                crate::text::find(&b[at..b.len().min(at + 160)], b"] [vim.event.").is_some()
                    || event_parts(&raw.text()[at..]).is_some()
            })
        };
        Sniff::yes_if(
            after(240, b"[Originator@")
                || after(200, b" opId=") && after(200, b"] ")
                || after(200, b"[vob.") && near(200, b" [vob.").is_some()
                || after(200, b"[esx.")
                || after(200, b"[auditlogger] {")
                || after(120, b"[nsx@6876")
                || is_event(),
        )
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let rest = vendor::heading(raw, event, raw.text());
        if rest.is_empty() {
            return Outcome::Unreadable("an empty message");
        }
        event.set_dataset("vmware.vsphere");
        event.set(field::MESSAGE, rest);
        let product = product(event, raw.text());
        vendor::device(event, "VMware", product, "hypervisor");
        if let Some(at) = crate::text::find(rest.as_bytes(), b"Event [").filter(|at| *at < 60)
            && let Some(parts) = event_parts(&rest[at..])
        {
            vcenter_event(raw, event, &parts);
        } else if let Some((_, object)) = rest.split_once("[auditlogger] ") {
            audit(raw, event, object);
        } else if let Some((_, packet)) = rest.split_once(" match ").filter(|(head, _)| head.len() < 80 && !head.contains('.')) {
            packet_log(event, rest, packet);
        } else {
            message(raw, event, rest);
        }
        vendor::conclude(event);
        Outcome::Parsed
    }
}

/// `cpu7:2097868)text` of the kernel.
fn is_kernel(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("cpu") else { return false };
    let (number, rest) = text::digits(rest);
    let (world, rest) = text::digits(rest.strip_prefix(':').unwrap_or_default());
    !number.is_empty() && !world.is_empty() && rest.starts_with(')')
}

fn product(event: &Event<'_>, text: &str) -> &'static str {
    let program = event.text(field::PROCESS_NAME).unwrap_or_default();
    let has = |word: &str| crate::text::find(&text.as_bytes()[..text.len().min(300)], word.as_bytes()).is_some();
    if program.eq_ignore_ascii_case("nsx") || program == "dfwpktlogs" || program == "FIREWALL-PKTLOG" || has("nsx@6876") {
        "NSX"
    } else if program.starts_with("vpxd")
        || matches!(program, "websso" | "envoy" | "sps" | "vcenter-server" | "observability" | "vmdird" | "vmafdd")
        || has("[vim.event.")
        || has("com.vmware.")
    {
        "vCenter"
    } else {
        "ESXi"
    }
}

/// `Event [id] [1-1] [time] [type] [severity] [user] [datacentre] [chain] [text]`; releases put one more field before the text.
fn event_parts(text: &str) -> Option<[&str; 7]> {
    let mut rest = text.strip_prefix("Event ")?;
    let mut parts = [""; 7];
    for part in &mut parts {
        let inside = rest.trim_start().strip_prefix('[')?;
        let (value, after) = inside.split_once(']')?;
        (*part, rest) = (value, after);
    }
    time::iso(parts[2])?;
    Some(parts)
}

fn vcenter_event<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, parts: &[&'r str; 7]) {
    let [id, _, stamp, kind, severity, user, place] = *parts;
    event.set_extra(PREFIX, "event_id", id);
    if let Some((stamp, _)) = time::iso(stamp) {
        event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
    }
    event.set_present(field::EVENT_CODE, kind);
    event.set_present(field::LOG_LEVEL, text::lower(event, severity));
    let text = last_bracket(raw.text());
    let name = kind.rsplit('.').next().unwrap_or(kind);
    let is = |word: &str| name.contains(word);
    if phrases::read(raw, event, PHRASES, text) {
        whole_agent(event, text);
    } else {
        let class = if is("Login") || is("BadUsername") {
            &LOGIN_FAILED
        } else if is("Reconfigured") || is("Changed") || is("Updated") || is("Created") || is("Removed") || is("Added") {
            &CONFIGURED
        } else if is("Connected") {
            &Class::new(&["host"], &["start"], "", "")
        } else {
            &DEVICE
        };
        phrases::classify(event, &Class { action: "", ..*class });
    }
    event.set_present(field::EVENT_ACTION, name);
    event.set_present(field::EVENT_REASON, text);
    if !user.is_empty() {
        vendor::account(event, field::USER_NAME, user);
    }
    if !place.is_empty() {
        event.set_extra(PREFIX, "datacenter", place);
    }
    peer_of_account(event, text);
}

/// `User DOMAIN\an@192.0.2.9 logged in`: the address behind the account.
fn peer_of_account<'r>(event: &mut Event<'r>, text: &'r str) {
    if event.has(field::SOURCE_IP) {
        return;
    }
    for word in text.split(' ').take(12) {
        if let Some((_, address)) = word.rsplit_once('@')
            && ecs::ip_only(event, field::SOURCE_IP, address.trim_end_matches([',', '.', ']', '\'', ':']))
        {
            return;
        }
    }
}

/// The last word of a log-out names the client, which may have brackets of its own: `user agent: pyvmomi (VMkernel; 8.0.3))`.
fn whole_agent<'r>(event: &mut Event<'r>, text: &'r str) {
    if let Some((_, agent)) = text.trim_end().rsplit_once(", user agent: ") {
        event.set_present(field::USER_AGENT_ORIGINAL, agent.strip_suffix(')').unwrap_or(agent));
    }
}

/// The account that a method which failed was called with: `Arg userName:⏎--> "an"`, the line break escaped or not.
fn argument<'r>(event: &mut Event<'r>, text: &'r str) {
    let Some((_, rest)) = text.split_once("Arg userName:") else { return };
    let Some((between, rest)) = rest.split_once('"').filter(|(between, _)| between.len() <= 12) else { return };
    let name = rest.split('"').next().unwrap_or_default();
    vendor::account(event, field::USER_NAME, if between.ends_with('\\') { name.trim_end_matches('\\') } else { name });
}

/// The text of an event: its last field in brackets, which may hold brackets.
fn last_bracket(text: &str) -> &str {
    let text = text.trim_end().strip_suffix(']').unwrap_or(text);
    text.rsplit_once("] [").map_or(text, |(_, last)| last)
}

fn audit<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    let mut notes = Notes::<2>::default();
    let object = text.find('{').map_or(text, |at| &text[at..]);
    // A collector that took the record for a string once escaped its quotes.
    let object = if object.starts_with("{\\\"") { text::unescape(event, object, |c| matches!(c, '"' | '\\')) } else { object };
    if json::object(object).is_none() || !vendor::json(raw, event, object, "vmware.sso.", &AUDIT, &mut notes) {
        event.problem("malformed JSON");
    }
    let kind = notes.get(1);
    let class = match kind {
        kind if kind.ends_with("LoginSuccess") => &LOGIN,
        kind if kind.ends_with("LoginFailure") => &LOGIN_FAILED,
        kind if kind.ends_with("Logout") => &LOGOUT,
        kind if kind.contains("PrincipalManagement") => &phrases::USER_CHANGED,
        _ => &Class::new(&["authentication"], &["info"], "", ""),
    };
    phrases::classify(event, class);
    if let Some((_, status)) = event.text(field::EVENT_REASON).and_then(|reason| reason.split_once("response code ")) {
        event.set_int(field::HTTP_RESPONSE_STATUS_CODE, text::digits(status).0);
    }
    if let Some(text) = event.text(field::EVENT_REASON) {
        peer_of_account(event, text);
    }
}

/// `[id ]INET match PASS domain-c7/1001 OUT 60 TCP 192.0.2.1/39123->198.51.100.2/443 S`; NSX-T leaves the domain out.
fn packet_log<'r>(event: &mut Event<'r>, head: &'r str, packet: &'r str) {
    let mut words = packet.split(' ').filter(|word| !word.is_empty());
    let mut next = || words.next().unwrap_or_default();
    let action = next();
    let rule = next();
    let direction = next();
    vendor::verdict(event, matches!(action, "PASS" | "ALLOW" | "REDIRECT"));
    event.set_present(field::EVENT_ACTION, action);
    event.set_present(field::RULE_ID, rule.rsplit('/').next().unwrap_or(rule));
    event.set(field::NETWORK_DIRECTION, if direction == "OUT" { "outbound" } else { "inbound" });
    if head.contains("TERM") {
        event.set(field::EVENT_TYPE, "end");
    }
    let mut word = next();
    if event.set_int(field::NETWORK_BYTES, word) {
        word = next();
    }
    vendor::protocol(event, word);
    for word in words {
        if let Some((from, to)) = word.split_once("->") {
            vendor::source(event, from);
            vendor::destination(event, to);
            return;
        }
    }
}

fn message<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    let mut rest = text;
    phrases::classify(event, &Class::new(&["process"], &["info"], "", ""));
    if let Some((_, inside)) =
        rest.split_once("[Originator@").or_else(|| rest.split_once("[nsx@")).filter(|(head, _)| head.len() < 60)
        && let Some((inside, after)) = inside.split_once(']')
    {
        origin(raw, event, inside);
        rest = after.trim_start();
    }
    // `[GenericCorrelator] 3087878379676us: [vob.user.ssh.session.closed] text`
    if let Some((head, after)) = rest.split_once("us: [")
        && head.len() < 80
        && let Some((code, after)) = after.split_once("] ")
    {
        event.set(field::EVENT_ACTION, code);
        event.set(field::EVENT_CODE, code);
        rest = after;
    } else if let Some((head, after)) = rest.split_once(" : ").filter(|(head, _)| head.starts_with("Event ") && head.len() < 40) {
        event.set_extra(PREFIX, "event_id", head[6..].trim());
        rest = after;
    } else if rest.starts_with("cpu")
        && let Some((_, after)) = rest.split_once(')')
    {
        // vmkernel: `cpu7:2097868)WARNING: text`
        rest = after.trim_start();
        let (word, after) = text::split(rest, b':').unwrap_or((rest, ""));
        if vendor::severity(word).is_some() {
            event.set(field::LOG_LEVEL, text::lower(event, word));
            rest = after.trim_start();
        }
    }
    rest = service(event, rest);
    reason(event, rest);
    link(event, rest);
    // The shell's history: `[root]: command`.
    if matches!(event.text(field::PROCESS_NAME), Some("shell" | "ESXShell"))
        && let Some((user, command)) = rest.strip_prefix('[').and_then(|rest| rest.split_once("]: "))
    {
        ecs::user(event, field::USER_NAME, user);
        event.set(field::PROCESS_COMMAND_LINE, command);
        return phrases::classify(event, &COMMAND);
    }
    if let Some((_, code)) = rest.split_once("vim.fault.") {
        let name = code.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        event.set(field::EVENT_CODE, text::join(event, "vim.fault", ".", name));
        if name == "InvalidLogin" {
            phrases::classify(event, &LOGIN_FAILED);
            argument(event, code);
        }
    }
    let code = event.text(field::EVENT_ACTION);
    if phrases::read(raw, event, PHRASES, rest) {
        peer_of_account(event, rest);
        whole_agent(event, rest);
        if rest.contains("<TCP '") {
            sockets(event, rest);
        }
        if let Some(code) = code {
            event.set(field::EVENT_ACTION, code);
        }
        return;
    }
    sockets(event, rest);
    access(event, rest);
}

/// vCenter's Java services: `[thread] LEVEL opId=… class - text` and `[thread [] LEVEL class opId=…] text`.
fn service<'r>(event: &mut Event<'r>, text: &'r str) -> &'r str {
    let Some(inside) = text.strip_prefix('[') else { return text };
    let (head, rest) = match inside.split_once(" - ") {
        Some((head, rest)) if head.contains("] ") && head.len() < 300 && head.contains("opId=") => (head, rest),
        _ => match inside.split_once("] ").filter(|(head, _)| head.contains(" opId=") && head.len() < 400) {
            Some((head, rest)) => (head, rest),
            None => match inside.rsplit_once("] ").filter(|(head, _)| head.contains(" opId=") && head.len() < 400) {
                Some((head, rest)) => (head, rest),
                None => return text,
            },
        },
    };
    for word in head.split(' ') {
        if vendor::severity(word).is_some() {
            event.set(field::LOG_LEVEL, text::lower(event, word));
        } else if word.starts_with("com.") || word.starts_with("org.") {
            event.set(field::PROCESS_NAME, word);
        }
    }
    if let Some((_, account)) = rest.split_once("for user ").map(|(_, rest)| rest.split_once(": ").unwrap_or(("", rest))) {
        vendor::account(event, field::USER_NAME, text::word(account).0);
    }
    rest
}

fn origin<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str) {
    let mut notes = Notes::<2>::default();
    vendor::pairs(raw, event, text, Separator::Blank, PREFIX, &ORIGIN, &mut notes);
    let user = notes.get(0);
    // `user=an:domain` or `user=DOMAIN\an`, sometimes with two backslashes.
    match user.split_once(':') {
        Some((name, domain)) => {
            ecs::user(event, field::USER_NAME, name);
            event.set_present(field::USER_DOMAIN, domain);
        }
        None => vendor::account(event, field::USER_NAME, user),
    }
}

/// What a service says happened: the system's error where there is one, else the sentence without the objects behind it and
/// without the function that speaks.
fn reason<'r>(event: &mut Event<'r>, text: &'r str) {
    if let Some((_, why)) = text.rsplit_once(" failed with ") {
        event.set(field::EVENT_REASON, why);
        return ecs::failure(event);
    }
    if let Some(at) = text.find(">, e: ").or_else(|| text.find(">, last e: ")) {
        return event.set(field::EVENT_REASON, &text[at + 3..]);
    }
    let text = text.strip_prefix("[VpxLRO] ").map_or(text, |rest| rest.trim_start_matches(['-', ' ']));
    let text = match text.split_once(": ") {
        Some((function, rest))
            if function.len() <= 48 && function.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !rest.is_empty() =>
        {
            event.set_named("log.origin.function", function);
            rest
        }
        _ => text,
    };
    event.set(field::EVENT_REASON, text.split_once("; <<").map_or(text, |(sentence, _)| sentence));
}

/// The first link in a sentence.
fn link<'r>(event: &mut Event<'r>, text: &'r str) {
    if let Some(at) = text.find("https://").or_else(|| text.find("http://")) {
        let word = text[at..].split([' ', '\'', '"', ',', ')', '>']).next().unwrap_or_default();
        web::url(event, word);
    }
}

/// `<TCP '127.0.0.1 : 55911'>, <TCP '127.0.0.1 : 9096'>`: the two ends of a stream.
fn sockets<'r>(event: &mut Event<'r>, text: &'r str) {
    let mut ends = text.split("<TCP '").skip(1).filter_map(|end| end.split('\'').next()?.split_once(" : "));
    if let (Some((from, from_port)), Some((to, to_port))) = (ends.next(), ends.next()) {
        ecs::source(event, from);
        event.set_int(field::SOURCE_PORT, from_port.trim());
        ecs::destination(event, to);
        event.set_int(field::DESTINATION_PORT, to_port.trim());
        event.set(field::EVENT_CATEGORY, "network");
        event.set(field::EVENT_TYPE, "connection");
    }
}

/// Envoy's access line: `2026-…Z POST /sdk HTTP/1.1 200 via_upstream - 1670 11032 1 0 0 client:port here:443 …`.
fn access<'r>(event: &mut Event<'r>, text: &'r str) {
    let Some((_, rest)) = time::iso(text) else { return };
    let mut words = rest.trim_start().split(' ');
    let (Some(method), Some(target), Some(version), Some(status)) = (words.next(), words.next(), words.next(), words.next())
    else {
        return;
    };
    let Some(version) = version.strip_prefix("HTTP/") else { return };
    event.set(field::HTTP_REQUEST_METHOD, method);
    event.set(field::HTTP_VERSION, version);
    event.set_int(field::HTTP_RESPONSE_STATUS_CODE, status);
    web::url(event, target);
    let mut ends = words.filter(|word| word.contains(':') && ecs::ip(vendor::split_endpoint(word).0).is_some());
    if let Some(client) = ends.next() {
        vendor::source(event, client);
    }
    if let Some(here) = ends.next() {
        vendor::destination(event, here);
    }
    ecs::classify(event, &["web", "network"], &["access", "connection"]);
}
