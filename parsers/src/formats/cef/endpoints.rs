//! What endpoint and detection products put into CEF beside its dictionary, and what kind of event their ids and names are.
//!
//! References: Kaspersky, "Exporting events to SIEM systems" (event ids `GNRL_EV_…`); Trend Micro, "Deep Security: Syslog message
//! formats", "Apex Central: CEF syslog types"; Bitdefender, "GravityZone: CEF events"; Trellix (FireEye), "Notifications: CEF";
//! ESET, "Events exported to CEF"; SentinelOne, Cybereason and CyberArk, their syslog guides. One table a product: adding one
//! is a line in [`PRODUCTS`].

use event::{Event, Value, field};

use crate::{ecs, text, time};

/// What becomes of an extension or a labelled field.
#[derive(Clone, Copy)]
enum To {
    Text(&'static str),
    Ip(&'static str),
    Int(&'static str),
    Hash(&'static str),
    Account,
    File,
    Program(&'static str),
    Time,
}

/// A word of the event's id or name, kind, categories, types; the first that fits counts, an empty word always does.
type Class = (&'static str, &'static str, &'static str, &'static str);

struct Product {
    /// Words of vendor and product, in small letters.
    vendor: &'static str,
    product: &'static str,
    rows: &'static [(&'static str, To)],
    classes: &'static [Class],
}

const PRODUCTS: &[Product] = &[
    Product {
        vendor: "kaspersky",
        product: "",
        rows: &[
            ("VirusName", To::Text("rule.name")),
            ("Virus name", To::Text("rule.name")),
            ("dhost", To::Text("host.name")),
            ("dst", To::Ip("host.ip")),
            ("dvc", To::Ip("host.ip")),
            ("filePath", To::File),
            ("duser", To::Account),
        ],
        classes: &[
            ("GNRL_EV_VIRUS", "alert", "malware", "info"),
            ("GNRL_EV_OBJECT", "alert", "malware", "info"),
            ("GNRL_EV_SUSPICIOUS", "alert", "malware", "info"),
            ("GNRL_EV_ATTACK", "alert", "intrusion_detection network", "info"),
            ("GNRL_EV_WEB_URL_BLOCKED", "event", "web network", "denied"),
            ("GNRL_EV_WEB", "event", "web network", "access"),
            ("GNRL_EV_APPLICATION_LAUNCH_DENIED", "event", "process", "denied"),
            ("GNRL_EV_DEVCTRL", "event", "host", "info"),
            ("KLAUD_EV", "event", "iam configuration", "change"),
            ("KLPRCI", "event", "process", "info"),
            ("KLSRV", "event", "host configuration", "info"),
            ("", "event", "host", "info"),
        ],
    },
    Product {
        vendor: "trend micro",
        product: "deep security",
        rows: &[
            ("TrendMicroDsFileMD5", To::Hash("file")),
            ("TrendMicroDsFileSHA1", To::Hash("file")),
            ("TrendMicroDsFileSHA256", To::Hash("file")),
            ("TrendMicroDsFileMd5", To::Hash("file")),
            ("TrendMicroDsMalwareTarget", To::Text("file.path")),
            ("TrendMicroDsTags", To::Text("trendmicro.tags")),
            ("filePath", To::File),
            ("dvc", To::Ip("host.ip")),
            ("dvchost", To::Text("host.name")),
            ("suser", To::Account),
        ],
        classes: &[
            ("User Signed In", "event", "authentication", "start"),
            ("User Signed Out", "event", "authentication", "end"),
            ("AppControl", "event", "process", "info"),
            ("", "event", "host", "info"),
        ],
    },
    Product {
        vendor: "trend micro",
        product: "",
        rows: &[
            ("fileHash", To::Hash("file")),
            ("filePath", To::Text("file.path")),
            ("fname", To::Text("file.name")),
            ("duser", To::Account),
            ("dhost", To::Text("host.name")),
            ("dst", To::Ip("host.ip")),
            ("VLF_FirstAction", To::Text("event.action")),
            ("deviceProcessName", To::Program("process")),
            ("sproc", To::Program("process")),
        ],
        classes: &[
            ("AV:", "alert", "malware", "info"),
            ("Virus", "alert", "malware", "info"),
            ("Spyware", "alert", "malware", "info"),
            ("CnC", "alert", "intrusion_detection network", "info"),
            ("WB:", "event", "web network", "access"),
            ("Web", "event", "web network", "access"),
            ("Behavior", "alert", "process intrusion_detection", "info"),
            ("Intrusion", "alert", "intrusion_detection network", "info"),
            ("Device Access", "event", "host", "info"),
            ("Data Loss", "alert", "file", "info"),
            ("Attack Discovery", "alert", "intrusion_detection", "info"),
            ("Audit", "event", "iam configuration", "change"),
            ("", "event", "host", "info"),
        ],
    },
    Product {
        vendor: "bitdefender",
        product: "gravityzone",
        rows: &[
            ("BitdefenderGZComputerFQDN", To::Text("host.name")),
            ("dvc", To::Ip("host.ip")),
            ("BitdefenderGZMalwareName", To::Text("rule.name")),
            ("BitdefenderGZDetectionName", To::Text("rule.name")),
            ("BitdefenderGZMalwareHash", To::Hash("threat.indicator.file")),
            ("BitdefenderGZFileHashSha256", To::Hash("file")),
            ("BitdefenderGZFileHashMd5", To::Hash("file")),
            ("BitdefenderGZDetectionTime", To::Time),
            ("BitdefenderGZParentPid", To::Int("process.parent.pid")),
            ("BitdefenderGZParentPath", To::Program("process.parent")),
            ("BitdefenderGZProcessCommandLine", To::Text("process.command_line")),
            ("end", To::Time),
            ("suser", To::Account),
            ("suid", To::Text("user.id")),
        ],
        classes: &[
            ("AntiMalware", "alert", "malware", "info"),
            ("Antiphishing", "alert", "web", "info"),
            ("Web Control", "event", "web", "info"),
            ("Firewall", "event", "network", "info"),
            ("Network Attack", "alert", "intrusion_detection network", "info"),
            ("Exchange", "alert", "malware email", "info"),
            ("Login", "event", "authentication", "start"),
            ("New Incident", "alert", "process intrusion_detection", "info"),
            ("Exploit", "alert", "process intrusion_detection", "info"),
            ("AVC", "alert", "process malware", "info"),
            ("HyperDetect", "alert", "malware process", "info"),
            ("", "event", "host", "info"),
        ],
    },
    Product { vendor: "trellix", product: "mps", rows: FIREEYE, classes: FIREEYE_CLASSES },
    Product { vendor: "fireeye", product: "", rows: FIREEYE, classes: FIREEYE_CLASSES },
    Product {
        vendor: "eset",
        product: "",
        rows: &[
            ("Threat Name", To::Text("rule.name")),
            ("Threat name", To::Text("rule.name")),
            ("Rule Name", To::Text("rule.name")),
            ("Rule ID", To::Text("rule.id")),
            ("dvc", To::Ip("host.ip")),
            ("dvchost", To::Text("host.name")),
            ("filePath", To::File),
            ("sproc", To::Program("process")),
            ("deviceProcessName", To::Program("process")),
            ("suser", To::Account),
            ("fileHash", To::Hash("file")),
        ],
        classes: &[
            ("Threat", "alert", "malware", "info"),
            ("Firewall", "alert", "network intrusion_detection", "connection"),
            ("HIPS", "alert", "process intrusion_detection", "info"),
            ("website", "event", "web network", "access"),
            ("Website", "event", "web network", "access"),
            ("login", "event", "authentication", "start"),
            ("Inspect", "alert", "intrusion_detection", "info"),
            ("", "event", "host", "info"),
        ],
    },
    Product {
        vendor: "sentinelone",
        product: "",
        rows: &[
            ("fileHash", To::Hash("file")),
            ("filePath", To::File),
            ("suser", To::Account),
            ("dvchost", To::Text("host.name")),
            ("sourceHostName", To::Text("host.name")),
        ],
        classes: &[
            ("hreat", "alert", "malware", "info"),
            ("logged in", "event", "authentication", "start"),
            ("logged out", "event", "authentication", "end"),
            ("", "event", "host", "info"),
        ],
    },
    Product {
        vendor: "cybereason",
        product: "",
        rows: &[("fileHash", To::Hash("file")), ("filePath", To::File), ("suser", To::Account), ("duser", To::Account)],
        classes: &[
            ("Malop", "alert", "malware intrusion_detection", "info"),
            ("alware", "alert", "malware", "info"),
            ("ogin", "event", "authentication", "start"),
            ("", "event", "process", "info"),
        ],
    },
];

const FIREEYE: &[(&str, To)] = &[
    ("dvc", To::Ip("observer.ip")),
    ("sname", To::Text("rule.name")),
    ("sid", To::Text("rule.id")),
    ("fname", To::Text("file.name")),
    ("fileType", To::Text("file.extension")),
    ("fileHash", To::Hash("file")),
    ("sha256sum", To::Hash("file")),
    ("start", To::Time),
    ("duser", To::Account),
];

const FIREEYE_CLASSES: &[Class] = &[
    ("malware-callback", "alert", "intrusion_detection network", "info"),
    ("malware-object", "alert", "malware", "info"),
    ("malware", "alert", "malware", "info"),
    ("infection", "alert", "malware", "info"),
    ("domain-match", "alert", "intrusion_detection network", "info"),
    ("web-infection", "alert", "malware web", "info"),
    ("ips-event", "alert", "intrusion_detection network", "info"),
    ("riskware-object", "alert", "malware", "info"),
    ("riskware-callback", "alert", "intrusion_detection", "info"),
    ("IOC Hit", "alert", "intrusion_detection", "info"),
    ("ETP", "alert", "email malware", "info"),
    ("", "alert", "intrusion_detection", "info"),
];

/// Sets what a known product means; false, and nothing set, for others. The header is vendor, product, version, id, name, severity.
pub fn finish<'r>(event: &mut Event<'r>, header: &[&'r str; 6], raw: event::RawRecord<'r>) -> bool {
    let has = |part: &str, word: &str| word.is_empty() || contains(part, word);
    let known = PRODUCTS.iter().find(|known| has(header[0], known.vendor) && has(header[1], known.product));
    let Some(known) = known else { return false };
    for (key, to) in known.rows {
        let value = event
            .extra()
            .iter()
            .find(|(name, _)| (name.prefix == super::EXTENSIONS || name.prefix == super::LABEL) && name.key == *key)
            .map(|(_, value)| *value);
        if let Some(Value::Str(value)) = value
            && !ecs::is_nothing(value)
        {
            set(event, *to, value.trim(), raw);
        }
    }
    let (id, name) = (header[3].trim(), header[4].trim());
    let by_number = if known.product == "deep security" { deep_security(id) } else { None };
    let class =
        by_number.as_ref().or_else(|| known.classes.iter().find(|class| id.starts_with(class.0) || name.contains(class.0)));
    if let Some((_, kind, categories, types)) = class {
        crate::objects::classify(event, kind, categories, types);
    }
    if !event.has(field::EVENT_REASON) {
        let message = event.text(field::MESSAGE).unwrap_or_default();
        event.set_present(field::EVENT_REASON, message);
    }
    true
}

/// The ranges of Deep Security's numbers.
fn deep_security(id: &str) -> Option<Class> {
    Some(match id.parse::<u32>().ok()? {
        20..=199 => ("", "event", "network", "connection denied"),
        1_000_000..=1_999_999 => ("", "alert", "intrusion_detection network", "info"),
        2_000_000..=2_999_999 => ("", "alert", "file configuration", "change"),
        3_000_000..=3_999_999 => ("", "alert", "intrusion_detection", "info"),
        4_000_000..=4_999_999 => ("", "alert", "malware", "info"),
        5_000_000..=5_999_999 => ("", "alert", "web network", "denied"),
        6_000_000..=6_999_999 => ("", "event", "process", "info"),
        7_000_000..=7_999_999 => ("", "event", "host", "info"),
        _ => return None,
    })
}

/// Words in any case.
fn contains(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

fn set<'r>(event: &mut Event<'r>, to: To, value: &'r str, raw: event::RawRecord<'r>) {
    match to {
        To::Text(name) => event.set_named(name, value),
        To::Ip(name) => {
            for part in value.split(',').take(16) {
                if let Some(ip) = ecs::ip(part.trim()) {
                    event.set_named(name, ip);
                    event.set(field::RELATED_IP, ip);
                }
            }
        }
        To::Int(name) => {
            if let Ok(number) = value.parse::<i64>() {
                event.set_named(name, number);
            }
        }
        To::Hash(set) => {
            let value = text::lower(event, value);
            let name = match (set, value.len()) {
                ("file", 32) => "file.hash.md5",
                ("file", 40) => "file.hash.sha1",
                ("file", 64) => "file.hash.sha256",
                (_, 32) => "threat.indicator.file.hash.md5",
                (_, 40) => "threat.indicator.file.hash.sha1",
                (_, 64) => "threat.indicator.file.hash.sha256",
                _ => return,
            };
            event.set_named(name, value);
            event.set(field::RELATED_HASH, value);
        }
        To::Account => {
            let (name, domain) = crate::objects::split_account(value);
            ecs::user(event, field::USER_NAME, name);
            if let Some(domain) = domain {
                event.set(field::USER_DOMAIN, domain);
            }
        }
        To::File => {
            event.set(field::FILE_PATH, value);
            let name = text::file_name(value);
            event.set(field::FILE_NAME, name);
            if let Some((stem, extension)) = name.rsplit_once('.')
                && !stem.is_empty()
                && extension.len() <= 8
            {
                event.set(field::FILE_EXTENSION, extension);
            }
        }
        To::Program(set) => {
            let (path, name) = if set == "process" {
                (field::PROCESS_EXECUTABLE, field::PROCESS_NAME)
            } else {
                (field::PROCESS_PARENT_EXECUTABLE, field::PROCESS_PARENT_NAME)
            };
            if value.contains(['\\', '/']) {
                event.set(path, value);
            }
            event.set(name, text::file_name(value));
        }
        To::Time => {
            if let Some(time) = time::any(value, raw) {
                event.set(field::TIMESTAMP, Value::Time(time));
            }
        }
    }
}
