//! Words whose meaning does not depend on the vendor, as one table for all formats without a vendor: JSON objects, `key=value`
//! lines, LEEF and CEF of unknown products.
//!
//! ```text
//! {"eventData":{"sourceIP":"192.0.2.7"}}     src_ip=192.0.2.7     srcIp=192.0.2.7
//!   `sourceip` ───────────────────────────── `srcip` ──────────── `srcip`          → source.ip
//! ```
//!
//! A word is compared without case, dots, dashes, underscores and blanks. Every target says what a value must look like
//! ([`Fits`]): an address is set only when it is one, a method only when HTTP knows it. Of several words of a target the
//! surest wins, of equal ones the shallowest; what the record says in ECS's own names is never touched.
//!
//! No guessing: words that mean different things to different vendors (`id`, `name`, `type`, `source`) are not in the table, or
//! only with a check that tells the meanings apart.

use std::sync::LazyLock;

use event::{Event, Field, RawRecord, Value, field};

use crate::{ecs, keys::KeyTable, net, text, time, vendor};

/// What a value must look like, and how it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fits {
    /// Any short text.
    Text,
    /// A name: letters first, no braces, not a number.
    Name,
    /// Any text, also long.
    Long,
    /// A whole number, not negative.
    Count,
    /// 1 to 65535.
    Port,
    /// An address, or an address and a port.
    Peer(Field),
    Ip,
    /// A machine's name, or its address.
    Host,
    /// A name with a dot that is no address.
    Domain,
    Mac,
    Time,
    /// A word of a log level.
    Level,
    Account,
    Mail,
    Url,
    /// A path of a URL.
    UrlPath,
    Method,
    /// 100 to 599.
    Status,
    Transport,
    Protocol,
    Direction,
    Outcome,
    /// A path with a slash or a drive.
    Path,
    /// A program: its path or its name.
    Program,
    /// A digest of this many hexadecimal digits.
    Digest(usize),
    /// A digest of any of the three lengths.
    AnyDigest,
    /// Milliseconds.
    Millis,
    Cve,
}

struct Target {
    /// The ECS field.
    name: &'static str,
    fits: Fits,
    /// Words that mean this below any name, the surest first.
    any: &'static str,
    /// Words that mean this where the names above say nothing ([`WRAPS`]).
    top: &'static str,
}

const fn t(name: &'static str, fits: Fits, any: &'static str, top: &'static str) -> Target {
    Target { name, fits, any, top }
}

const TARGETS: &[Target] = &[
    t(
        "@timestamp",
        Fits::Time,
        "eventtime eventtimestamp eventdatetime eventcreationtime",
        "timestamp datetime time ts timelocal timeiso8601 utctime detectiontimestamp occurredat detectedat detectiontime createdat \
         creationtime createdtime generatedtime alerttime logtime starttime date t",
    ),
    t("message", Fits::Long, "", "message msg log displaymessage rawmessage"),
    t("log.level", Fits::Level, "loglevel severitylevel", "level lvl severity sev pri"),
    t("event.severity", Fits::Count, "severitynumber", "severity sev"),
    t("host.name", Fits::Host, "computername machinename hostname devicehostname agenthostname endpointname", ""),
    t("host.name", Fits::Host, "", "host computer device devname"),
    t("host.ip", Fits::Ip, "hostip deviceip agentip computerip machineip endpointip hostipaddress agentipaddress", ""),
    t("host.mac", Fits::Mac, "hostmac devicemac devicemacaddress agentmac", "macaddress"),
    t(
        "source.ip",
        Fits::Peer(field::SOURCE_PORT),
        "sourceip srcip sourceipaddress sourceipv4address sourceaddress srcaddr srcaddress saddr ipsource ipsrc sourceipv4 \
         clientip clientipaddress clientaddress clientaddr ipv4srcaddr attackerip senderip remoteaddr remoteipaddress callerip \
         useripaddress userip loginip peerip requestip",
        "remoteip remotehost client src source rhost ip ipaddress",
    ),
    t(
        "destination.ip",
        Fits::Peer(field::DESTINATION_PORT),
        "destinationip dstip destip destinationipaddress destinationipv4address destinationaddress dstaddr dstaddress destaddress \
         daddr ipdestination ipdst destinationipv4 ipv4dstaddr serverip serveripaddress targetip targetipaddress dsthost",
        "dst dest destination target",
    ),
    t("source.port", Fits::Port, "sourceport srcport sourcetransportport l4srcport clientport portsrc portsource", "sport spt"),
    t(
        "destination.port",
        Fits::Port,
        "destinationport dstport destport destinationtransportport l4dstport portdst portdestination targetport",
        "dport dpt",
    ),
    t("source.domain", Fits::Domain, "sourcehost srchost sourcehostname srchostname clienthostname sourcedomain srcdomain", ""),
    t(
        "destination.domain",
        Fits::Domain,
        "destinationhost destinationhostname dsthostname desthost desthostname destinationdomain dstdomain destdomain targetdomain",
        "",
    ),
    t("source.mac", Fits::Mac, "sourcemac srcmac sourcemacaddress srcmacaddress clientmac clientmacaddress", ""),
    t("destination.mac", Fits::Mac, "destinationmac dstmac destmac destinationmacaddress dstmacaddress", ""),
    t("source.nat.ip", Fits::Ip, "sourcenatip srcnatip natsourceip natsrcip translatedsourceip xlatedsrcip nattedsrcip", ""),
    t("destination.nat.ip", Fits::Ip, "destinationnatip dstnatip natdestinationip natdstip xlateddstip", ""),
    t("source.nat.port", Fits::Port, "sourcenatport srcnatport natsourceport natsrcport", ""),
    t("destination.nat.port", Fits::Port, "destinationnatport dstnatport natdestinationport natdstport", ""),
    t("source.bytes", Fits::Count, "sourcebytes srcbytes sentbytes sentbyte uploadsize uploadbytes outboundbytes", ""),
    t(
        "destination.bytes",
        Fits::Count,
        "destinationbytes dstbytes rcvdbyte rcvdbytes receivedbytes bytesreceived downloadbytes",
        "",
    ),
    t("source.packets", Fits::Count, "sourcepackets srcpackets sentpackets sentpkt packetssent", ""),
    t(
        "destination.packets",
        Fits::Count,
        "destinationpackets dstpackets rcvdpackets rcvdpkt receivedpackets packetsreceived",
        "",
    ),
    t("network.bytes", Fits::Count, "totalbytes octetdeltacount networkbytes", ""),
    t("network.packets", Fits::Count, "totalpackets packetdeltacount networkpackets", ""),
    t(
        "network.transport",
        Fits::Transport,
        "transportprotocol ipprotocol ipproto protocolidentifier networkprotocol",
        "proto protocol transport",
    ),
    t("network.protocol", Fits::Protocol, "applicationprotocol appprotocol l7protocol appproto", "protocol proto"),
    t("network.direction", Fits::Direction, "trafficdirection networkdirection connectiondirection flowdirection", "direction"),
    t(
        "observer.ingress.interface.name",
        Fits::Text,
        "srcintf sourceinterface srcinterface ininterface inputinterface ingressinterface",
        "iniface",
    ),
    t(
        "observer.egress.interface.name",
        Fits::Text,
        "dstintf destinationinterface dstinterface outinterface outputinterface egressinterface",
        "outiface",
    ),
    t("observer.ingress.zone", Fits::Text, "srczone sourcezone fromzone inzone", ""),
    t("observer.egress.zone", Fits::Text, "dstzone destinationzone destzone tozone outzone", ""),
    t("observer.vendor", Fits::Name, "devicevendor vendorname productvendor", "vendor"),
    t("observer.product", Fits::Name, "deviceproduct productname", "product"),
    t("observer.serial_number", Fits::Text, "deviceserial deviceserialnumber", "serialnumber devid"),
    t(
        "user.name",
        Fits::Account,
        "username useraccount srcuser sourceuser sourceusername srcusername loginname accountname useraccountname \
        userlogin userdisplayname actorname actorusername clientusername subjectusername",
        "user usr uname suser login account",
    ),
    t("user.name", Fits::Account, "userprincipalname", "userid"),
    t("user.email", Fits::Mail, "useremail useremailaddress actoremail", "email mail"),
    t("user.domain", Fits::Text, "userdomain userdomainname accountdomain ntdomain subjectdomainname", ""),
    t(
        "user.target.name",
        Fits::Account,
        "targetuser targetusername destinationuser destinationusername dstuser dstusername duser",
        "",
    ),
    t("group.name", Fits::Name, "usergroup groupname", ""),
    t(
        "event.action",
        Fits::Name,
        "eventaction actiontaken appliedaction deviceaction actionname",
        "action act operation eventname disposition activity",
    ),
    t("event.outcome", Fits::Outcome, "eventoutcome eventresult resultstatus", "outcome result status success"),
    t("event.reason", Fits::Long, "failurereason failreason eventreason", "reason description"),
    t("event.code", Fits::Text, "eventcode", "eventid"),
    t("event.duration", Fits::Millis, "durationms elapsedms responsetimems latencyms", ""),
    t(
        "rule.name",
        Fits::Name,
        "rulename signaturename threatname alertname detectionname malwarename policyname",
        "rule signature alert policy",
    ),
    t("rule.id", Fits::Text, "ruleid signatureid policyid", ""),
    t("rule.category", Fits::Name, "rulecategory threatcategory attackcategory attackfamily", ""),
    t("vulnerability.id", Fits::Cve, "cveid cve vulnerabilityid", ""),
    t(
        "url.original",
        Fits::Url,
        "requesturl requesturi fullurl targeturl urlfull urloriginal httpurl requestfullurl",
        "url uri request",
    ),
    t("url.path", Fits::UrlPath, "requestpath urlpath uripath httppath", "path"),
    t("url.query", Fits::Long, "requestquery urlquery querystring uriquery", ""),
    t(
        "url.domain",
        Fits::Domain,
        "urldomain urlhost httphost requesthost requesthostname requestdomain headershost requestheadershost",
        "site",
    ),
    t("http.request.method", Fits::Method, "httpmethod requestmethod httprequestmethod httpverb", "method verb"),
    t(
        "http.response.status_code",
        Fits::Status,
        "httpstatuscode httpstatus statuscode responsecode responsestatuscode httpresponsecode \
        responsestatus httpcode",
        "status code",
    ),
    t(
        "http.request.referrer",
        Fits::Long,
        "httpreferer httpreferrer refererurl referrerurl headersreferer headersreferrer",
        "referer referrer",
    ),
    t("user_agent.original", Fits::Long, "useragent httpuseragent headersuseragent requestheadersuseragent clientuseragent", ""),
    t("dns.question.name", Fits::Domain, "dnsquery queryname dnsquestion dnsqueryname dnsrequest rrname questionname", "qname"),
    t("dns.question.type", Fits::Name, "querytype dnsquerytype qtypename rrtype questiontype", "qtype"),
    t("file.path", Fits::Path, "filepath filefullpath fullpath targetfilename fullfilepath", ""),
    t("file.name", Fits::Text, "filename attachmentname basename", ""),
    t("file.size", Fits::Count, "filesize", ""),
    t("file.hash.md5", Fits::Digest(32), "filemd5 filehashmd5 md5hash md5sum", "md5 hashmd5"),
    t("file.hash.sha1", Fits::Digest(40), "filesha1 filehashsha1 sha1hash", "sha1 hashsha1"),
    t("file.hash.sha256", Fits::Digest(64), "filesha256 filehashsha256 sha256hash", "sha256 hashsha256"),
    t("file.hash", Fits::AnyDigest, "filehash", "hash checksum"),
    t("process.hash.md5", Fits::Digest(32), "processmd5 processhashmd5 processimagemd5 actorprocessimagemd5", ""),
    t("process.hash.sha1", Fits::Digest(40), "processsha1 processhashsha1 processimagesha1", ""),
    t("process.hash.sha256", Fits::Digest(64), "processsha256 processhashsha256 processimagesha256 actorprocessimagesha256", ""),
    t(
        "process.name",
        Fits::Program,
        "processname procname processimagename actorprocessimagename executablebasename imagefilename",
        "process program",
    ),
    t(
        "process.executable",
        Fits::Path,
        "processpath processimagepath imagepath executablepath processexecutable actorprocessimagepath processimage \
        processfilepath exepath",
        "executable exe image imagename",
    ),
    t(
        "process.command_line",
        Fits::Long,
        "commandline cmdline processcommandline processcmdline actorprocesscommandline",
        "command cmd",
    ),
    t("process.pid", Fits::Count, "processid processpid actorprocessospid actorprocessimagepid", "pid"),
    t("process.parent.pid", Fits::Count, "ppid parentpid parentprocessid processparentpid processppid", ""),
    t("process.parent.name", Fits::Program, "parentprocessname parentname processparentname parentimagename", ""),
    t(
        "process.parent.executable",
        Fits::Path,
        "parentprocesspath parentimage parentimagepath parentpath parentexecutable processparentpath parentprocessimage",
        "",
    ),
    t("process.parent.command_line", Fits::Long, "parentcommandline parentcmdline parentprocesscommandline", ""),
    t("registry.path", Fits::Path, "registrypath registrykeypath registryfullkey", ""),
    t("service.name", Fits::Name, "servicename", ""),
    t(
        "email.from.address",
        Fits::Mail,
        "senderaddress fromaddress senderemail fromemail mailfrom emailfrom envelopefrom emailsender",
        "from sender",
    ),
    t(
        "email.to.address",
        Fits::Mail,
        "recipientaddress toaddress toaddresses recipientemail recipients emailto rcptto recipient emailrecipient",
        "to",
    ),
    t("email.subject", Fits::Long, "emailsubject mailsubject messagesubject headersubject", "subject"),
    t("email.message_id", Fits::Mail, "internetmessageid emailmessageid messageid headermessageid", ""),
    t("threat.technique.id", Fits::Name, "techniqueid mitretechniqueid attacktechniqueid", ""),
];

/// Names that say nothing about what stands below them.
const WRAPS: &str = "event data eventdata fields payload log record details detail alert attributes properties context info \
     params parameters extra entry hash hashes file specificdata additionaldata summary";

/// Targets there may be.
const SLOTS: usize = 96;

/// Bytes of a word without its marks; longer ones are no words of the table.
const WORD_BYTES_MAX: usize = 48;

/// A word as one target knows it.
#[derive(Clone, Copy)]
struct Word {
    target: u8,
    rank: u16,
    is_top: bool,
}

struct Words {
    /// Where the meanings of a word begin and end in `meanings`.
    ranges: KeyTable<(u16, u16)>,
    meanings: Vec<Word>,
    wraps: KeyTable<()>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let mut all: Vec<(&'static str, Word)> = Vec::new();
    for (at, target) in TARGETS.iter().take(SLOTS).enumerate() {
        for (rank, word) in target.any.split_ascii_whitespace().enumerate() {
            all.push((word, Word { target: at as u8, rank: rank as u16, is_top: false }));
        }
        let known = target.any.split_ascii_whitespace().count();
        for (rank, word) in target.top.split_ascii_whitespace().enumerate() {
            all.push((word, Word { target: at as u8, rank: (known + rank) as u16, is_top: true }));
        }
    }
    all.sort_by_key(|(word, _)| *word);
    let mut ranges: Vec<(&'static str, (u16, u16))> = Vec::new();
    for (at, (word, _)) in all.iter().enumerate() {
        match ranges.last_mut() {
            Some((known, (_, end))) if known == word => *end = at as u16 + 1,
            _ => ranges.push((word, (at as u16, at as u16 + 1))),
        }
    }
    let wraps: Vec<(&'static str, ())> = WRAPS.split_ascii_whitespace().map(|word| (word, ())).collect();
    Words {
        ranges: KeyTable::new(&ranges),
        meanings: all.into_iter().map(|(_, word)| word).collect(),
        wraps: KeyTable::new(&wraps),
    }
});

/// The best value so far of a target.
#[derive(Clone, Copy)]
struct Best<'r> {
    value: &'r str,
    rank: u16,
    is_top: bool,
}

/// The values of one record that the table knows.
pub struct Found<'r> {
    best: [Option<Best<'r>>; SLOTS],
}

impl Default for Found<'_> {
    fn default() -> Self {
        Self { best: [None; SLOTS] }
    }
}

impl<'r> Found<'r> {
    /// Looks at one value under its name; dots separate the names of objects.
    pub fn note(&mut self, raw: RawRecord<'_>, name: &str, value: &'r str) {
        let value = value.trim();
        if ecs::is_nothing(value) || name.len() > ecs::NAME_BYTES_MAX {
            return;
        }
        let (parents, last) = name.rsplit_once('.').unwrap_or(("", name));
        let (above, parent) = parents.rsplit_once('.').unwrap_or(("", parents));
        let depth = name.bytes().filter(|b| *b == b'.').count().min(15) as u16;
        let mut buffer = [0u8; WORD_BYTES_MAX];
        if !parent.is_empty()
            && let Some(word) = squeeze(&mut buffer, &[parent, last])
        {
            self.word(raw, word, above, depth.saturating_sub(1), value);
        }
        if let Some(word) = squeeze(&mut buffer, &[last]) {
            self.word(raw, word, parents, depth, value);
        }
    }

    fn word(&mut self, raw: RawRecord<'_>, word: &str, parents: &str, depth: u16, value: &'r str) {
        let words = &*WORDS;
        let Some((from, to)) = words.ranges.get(word) else { return };
        for meaning in &words.meanings[usize::from(from)..usize::from(to)] {
            if meaning.is_top && !is_wrapped(words, parents) {
                continue;
            }
            let rank = meaning.rank + depth * 64;
            let slot = &mut self.best[usize::from(meaning.target)];
            if slot.is_none_or(|known| rank < known.rank) && fits(TARGETS[usize::from(meaning.target)].fits, value, raw) {
                *slot = Some(Best { value, rank, is_top: meaning.is_top });
            }
        }
    }

    /// Whether a word held a time.
    pub fn has_time(&self) -> bool {
        self.best[0].is_some()
    }

    /// Sets what was found into fields that are still free; a time only where `is_time_free`.
    pub fn apply(&self, raw: RawRecord<'r>, event: &mut Event<'r>, is_time_free: bool) {
        for (target, best) in TARGETS.iter().zip(&self.best) {
            let Some(best) = best else { continue };
            let is_free = if target.fits == Fits::Time { is_time_free } else { !has(event, target.name) };
            // `status` and `code` are HTTP's only where a request is; `subject` is a mail's where a sender is.
            let is_meant = !best.is_top
                || match target.name {
                    "http.response.status_code" => event.has(field::HTTP_REQUEST_METHOD),
                    "email.subject" => has(event, "email.from.address") || has(event, "email.to.address"),
                    _ => true,
                };
            if is_free && is_meant {
                set(raw, event, target, best.value);
            }
        }
    }
}

/// What an event without a category is about, told by its fields.
pub fn conclude(event: &mut Event<'_>) {
    if let Some(action) = event.text(field::EVENT_ACTION)
        && !event.has(field::EVENT_TYPE)
        && event.has(field::SOURCE_IP)
        && (event.has(field::DESTINATION_IP) || event.has(field::URL_ORIGINAL))
    {
        if vendor::is_denied(action) {
            event.set(field::EVENT_TYPE, "denied");
        } else if matches_any(action, &["allow", "allowed", "accept", "accepted", "permit", "permitted", "pass", "passed"]) {
            event.set(field::EVENT_TYPE, "allowed");
        }
    }
    if event.has(field::EVENT_CATEGORY) {
        return;
    }
    if event.has(field::HTTP_REQUEST_METHOD) && event.has(field::URL_ORIGINAL) && !event.has(field::RULE_NAME) {
        event.set(field::EVENT_CATEGORY, "web");
        if !event.has(field::EVENT_TYPE) {
            event.set(field::EVENT_TYPE, "access");
        }
    } else if event.has(field::SOURCE_IP)
        && event.has(field::DESTINATION_IP)
        // A finding names peers too: what it found is not told by them.
        && ![field::RULE_NAME, field::RULE_CATEGORY, field::PROCESS_NAME, field::PROCESS_EXECUTABLE, field::USER_NAME]
            .iter()
            .any(|field| event.has(*field))
    {
        event.set(field::EVENT_CATEGORY, "network");
        if !event.has(field::EVENT_TYPE) {
            event.set(field::EVENT_TYPE, "connection");
        }
    }
}

fn matches_any(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Joins names without their marks, in lower case; `None` when that is too long or empty.
fn squeeze<'b>(buffer: &'b mut [u8; WORD_BYTES_MAX], names: &[&str]) -> Option<&'b str> {
    let mut len = 0;
    for b in names.iter().flat_map(|name| name.bytes()) {
        if b.is_ascii_alphanumeric() {
            *buffer.get_mut(len)? = b.to_ascii_lowercase();
            len += 1;
        } else if !matches!(b, b'_' | b'-' | b' ' | b'.' | b'@' | b'$' | b':') {
            return None;
        }
    }
    std::str::from_utf8(&buffer[..len]).ok().filter(|word| !word.is_empty())
}

/// True when all names above a word say nothing about it.
fn is_wrapped(words: &Words, parents: &str) -> bool {
    let mut buffer = [0u8; WORD_BYTES_MAX];
    parents.is_empty()
        || parents.split('.').all(|name| squeeze(&mut buffer, &[name]).is_some_and(|name| words.wraps.get(name).is_some()))
}

fn has(event: &Event<'_>, name: &'static str) -> bool {
    match Field::by_name(name) {
        Some(field) => event.has(field),
        None => event.extra().iter().any(|(known, _)| known.prefix.is_empty() && known.key == name),
    }
}

const METHODS: [&str; 9] = ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"];

const LEVELS: [&str; 26] = [
    "trace",
    "debug",
    "verbose",
    "info",
    "information",
    "informational",
    "notice",
    "warn",
    "warning",
    "error",
    "err",
    "severe",
    "critical",
    "crit",
    "alert",
    "emergency",
    "emerg",
    "fatal",
    "panic",
    "low",
    "medium",
    "high",
    "very-high",
    "minor",
    "major",
    "moderate",
];

const TRANSPORTS: [&str; 10] = ["tcp", "udp", "icmp", "sctp", "ipv6-icmp", "icmpv6", "icmp6", "gre", "esp", "igmp"];

const PROTOCOLS: [&str; 32] = [
    "http", "https", "dns", "ssh", "smtp", "smtps", "imap", "imaps", "pop3", "pop3s", "ftp", "ftps", "sftp", "tftp", "rdp",
    "smb", "tls", "ssl", "ldap", "ldaps", "ntp", "snmp", "telnet", "vnc", "sip", "rtsp", "kerberos", "radius", "mysql", "dhcp",
    "quic", "ipsec",
];

fn fits(fits: Fits, value: &str, raw: RawRecord<'_>) -> bool {
    let has_letter = || value.bytes().any(|b| b.is_ascii_alphabetic() || b >= 0x80);
    let is_word = |max: usize| value.len() <= max && !value.starts_with(['{', '[']) && !value.bytes().any(|b| b < b' ');
    let is_hex = |len: usize| value.len() == len && value.bytes().all(|b| b.is_ascii_hexdigit());
    match fits {
        Fits::Text => is_word(256),
        Fits::Name => is_word(160) && has_letter() && !matches!(value, "true" | "false"),
        Fits::Long => value.len() <= 16 * 1024 && !value.starts_with(['{', '[']) && !matches!(value, "true" | "false"),
        Fits::Count => value.parse::<i64>().is_ok_and(|number| number >= 0),
        Fits::Port => value.parse::<u16>().is_ok_and(|port| port > 0),
        Fits::Peer(_) => ecs::ip(value).is_some() || ecs::ip(vendor::split_endpoint(value).0).is_some(),
        Fits::Ip => ecs::ip(value).is_some(),
        Fits::Host => {
            is_word(255) && (ecs::ip(value).is_some() || has_letter() && !value.contains([' ', '/', ':', '@', '=', ',']))
        }
        Fits::Domain => {
            is_word(255)
                && value.contains('.')
                && has_letter()
                && !value.contains([' ', '/', ':', '@'])
                && ecs::ip(value).is_none()
        }
        Fits::Mac => {
            (12..=17).contains(&value.len())
                && value.bytes().filter(u8::is_ascii_hexdigit).count() == 12
                && value.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'-' | b'.'))
        }
        Fits::Time => time::any(value, raw).is_some(),
        Fits::Level => matches_any(value, &LEVELS),
        Fits::Account => {
            is_word(128)
                && has_letter()
                && !matches!(value, "true" | "false")
                && !value.contains("://")
                && !value.starts_with("S-1-")
        }
        Fits::Mail => is_word(320) && value.contains('@') && !value.contains(' '),
        Fits::Url => {
            value.len() <= 16 * 1024
                && !value.contains(' ')
                && (value.contains("://") || value.starts_with('/') || is_bare_url(value))
        }
        Fits::UrlPath => value.starts_with('/') && !value.contains(' '),
        Fits::Method => METHODS.contains(&value),
        Fits::Status => value.len() == 3 && value.parse::<u16>().is_ok_and(|status| (100..600).contains(&status)),
        Fits::Transport => value.parse::<u8>().is_ok() || matches_any(value, &TRANSPORTS),
        Fits::Protocol => matches_any(value, &PROTOCOLS),
        Fits::Direction => direction(value).is_some(),
        Fits::Outcome => ecs::outcome_word(value).is_some(),
        Fits::Path => is_word(4096) && !value.contains("://") && value.contains(['/', '\\']),
        Fits::Program => is_word(512) && has_letter() && !value.contains("://"),
        Fits::Digest(len) => is_hex(len),
        Fits::AnyDigest => [32, 40, 64].into_iter().any(is_hex),
        Fits::Millis => value.len() <= 15 && text::seconds_to_nanos(value).is_some(),
        Fits::Cve => value.starts_with("CVE-") && is_word(32),
    }
}

/// `www.example.com/path`: a name with a dot before the first slash.
fn is_bare_url(value: &str) -> bool {
    value
        .split_once('/')
        .is_some_and(|(host, _)| host.contains('.') && !host.starts_with('.') && !host.contains(['\\', ',', ';']))
}

fn direction(value: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 14] = [
        ("in", "inbound"),
        ("inbound", "inbound"),
        ("incoming", "inbound"),
        ("out", "outbound"),
        ("outbound", "outbound"),
        ("outgoing", "outbound"),
        ("ingress", "ingress"),
        ("egress", "egress"),
        ("internal", "internal"),
        ("external", "external"),
        ("local", "internal"),
        ("lateral", "internal"),
        ("received", "inbound"),
        ("sent", "outbound"),
    ];
    WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(value)).map(|(_, direction)| *direction)
}

fn set<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, target: &Target, value: &'r str) {
    let lower = |event: &Event<'r>| text::lower(event, value);
    match target.fits {
        Fits::Text | Fits::Name | Fits::Long | Fits::Cve | Fits::Method => event.set_named(target.name, value),
        Fits::Level | Fits::Protocol => event.set_named(target.name, lower(event)),
        Fits::Count | Fits::Port | Fits::Status => {
            if let Ok(number) = value.parse::<i64>() {
                event.set_named(target.name, number);
            }
        }
        Fits::Peer(port) => {
            let (address, number) = match ecs::ip(value) {
                Some(_) => (value, ""),
                None => vendor::split_endpoint(value),
            };
            vendor::ip_named(event, target.name, address);
            if !number.is_empty() && !event.has(port) {
                event.set_int(port, number);
            }
        }
        Fits::Ip => vendor::ip_named(event, target.name, value),
        Fits::Host => ecs::host(event, value),
        Fits::Domain => {
            event.set_named(target.name, value);
            event.set(field::RELATED_HOSTS, value);
        }
        Fits::Mac => event.set_named(target.name, vendor::mac(event, value)),
        Fits::Time => {
            if let Some(time) = time::any(value, raw) {
                event.set(field::TIMESTAMP, Value::Time(time));
            }
        }
        Fits::Account => account(event, target.name, value),
        Fits::Mail => event.set_named(target.name, value.trim_matches(['<', '>', '"', '\''])),
        Fits::Url if value.contains(',') && !value.contains("://") => {}
        Fits::Url => vendor::url(event, value),
        Fits::UrlPath => event.set_named(target.name, value),
        Fits::Transport => net::transport(event, value),
        Fits::Direction => {
            if let Some(word) = direction(value) {
                event.set_named(target.name, word);
            }
        }
        Fits::Outcome => {
            if let Some(word) = ecs::outcome_word(value) {
                event.set(field::EVENT_OUTCOME, word);
            }
        }
        Fits::Path if target.name == "file.path" => vendor::file(event, value),
        Fits::Path => event.set_named(target.name, value),
        Fits::Program => event.set_named(target.name, text::file_name(value)),
        Fits::Digest(_) => {
            let digest = lower(event);
            event.set_named(target.name, digest);
            event.set(field::RELATED_HASH, digest);
        }
        Fits::AnyDigest => {
            if !event.has(field::FILE_HASH_MD5) && !event.has(field::FILE_HASH_SHA1) && !event.has(field::FILE_HASH_SHA256) {
                vendor::hash(event, value);
            }
        }
        Fits::Millis => {
            if let Some(nanos) = text::seconds_to_nanos(value) {
                event.set_named(target.name, nanos / 1000);
            }
        }
    }
}

/// `DOMAIN\an` is the account `an` of a domain.
fn account<'r>(event: &mut Event<'r>, name: &'static str, value: &'r str) {
    let (domain, user) = match value.split_once('\\') {
        Some((domain, user)) if !user.is_empty() && !user.contains('\\') => (domain, user),
        _ => ("", value),
    };
    event.set_named(name, user);
    event.set(field::RELATED_USER, user);
    if name == "user.name" && !domain.is_empty() && !event.has(field::USER_DOMAIN) {
        event.set(field::USER_DOMAIN, domain);
    }
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;

    fn read(pairs: &[(&'static str, &'static str)]) -> String {
        let arena = Bump::new();
        let mut event = Event::new(&arena);
        let raw = RawRecord::new(b"", "", 1_795_402_800_000_000, chrono_tz::Tz::UTC);
        let mut found = Found::default();
        for (name, value) in pairs {
            found.note(raw, name, value);
        }
        found.apply(raw, &mut event, true);
        conclude(&mut event);
        crate::render::json(&event).to_string()
    }

    #[test]
    fn the_table_is_sound() {
        assert!(TARGETS.len() <= SLOTS);
        for target in TARGETS {
            for word in target.any.split_ascii_whitespace().chain(target.top.split_ascii_whitespace()) {
                assert!(word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{word}");
                assert!(word.len() <= WORD_BYTES_MAX, "{word}");
            }
        }
    }

    #[test]
    fn one_word_in_any_dress() {
        for name in ["src_ip", "srcIp", "SRC-IP", "src.ip", "eventData.sourceIP", "fields.source.ip", "a.b.c.source_ip"] {
            assert!(read(&[(name, "192.0.2.7")]).contains(r#""source.ip":"192.0.2.7""#), "{name}");
        }
    }

    #[test]
    fn a_value_of_another_kind_is_no_field() {
        for (name, value) in [
            ("src", "a word"),
            ("source_ip", "10.0.0"),
            ("dport", "99999"),
            ("method", "password"),
            ("status", "200"),
            ("md5", "abc"),
            ("hostname", "no host"),
            ("other.user", "binh"),
            ("level", "seventh"),
        ] {
            assert_eq!(read(&[(name, value)]), "{}", "{name}={value}");
        }
    }

    #[test]
    fn the_surest_word_wins_then_the_shallowest() {
        assert!(read(&[("src", "192.0.2.1"), ("src_ip", "192.0.2.2")]).contains(r#""source.ip":"192.0.2.2""#));
        assert!(read(&[("a.b.src_ip", "192.0.2.1"), ("src", "192.0.2.2")]).contains(r#""source.ip":"192.0.2.2""#));
    }
}
