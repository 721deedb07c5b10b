//! Sangfor NGAF and IAM: `fwlog: [Log type]key: value, key: value`, in English and Chinese.
//!
//! Reference: Sangfor, "NGAF: syslog configuration and log format" (service control, application control, IPS, WAF, APT,
//! anti-virus, user and system logs). Names are compared by their letters, in lower case; both colons (`:` and `：`) part name and
//! value, both commas (`,` and `，`) part the pairs. A value that holds a comma is kept up to the next known name.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, ecs,
    keys::KeyTable,
    phrases::{self, LOGIN, LOGIN_FAILED, LOGOUT},
    text,
    vendor::{self, Means, Notes},
};

const PREFIX: &str = "sangfor.";

pub struct Sangfor;

mod note {
    pub const KIND: u8 = 0;
    pub const ACTION: u8 = 1;
    pub const URL: u8 = 2;
    pub const MESSAGE: u8 = 3;
    pub const COUNT: usize = 4;
}

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 40;

static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("logtype", Note(note::KIND)),
        ("日志类型", Note(note::KIND)),
        ("policyname", Text(field::RULE_NAME)),
        ("policy", Text(field::RULE_NAME)),
        ("策略名称", Text(field::RULE_NAME)),
        ("ruleid", Text(field::RULE_ID)),
        ("规则id", Text(field::RULE_ID)),
        ("vulnerabilityid", Text(field::RULE_ID)),
        ("漏洞id", Text(field::RULE_ID)),
        ("vulnerabilityname", Text(field::RULE_NAME)),
        ("漏洞名称", Text(field::RULE_NAME)),
        ("virusname", Text(field::RULE_NAME)),
        ("病毒名称", Text(field::RULE_NAME)),
        ("srcip", Ip(field::SOURCE_IP)),
        ("sourceip", Ip(field::SOURCE_IP)),
        ("源ip", Ip(field::SOURCE_IP)),
        ("ipaddress", Ip(field::SOURCE_IP)),
        ("loginip", Ip(field::SOURCE_IP)),
        ("ip", Ip(field::SOURCE_IP)),
        ("srcport", Int(field::SOURCE_PORT)),
        ("sourceport", Int(field::SOURCE_PORT)),
        ("源端口", Int(field::SOURCE_PORT)),
        ("dstip", Ip(field::DESTINATION_IP)),
        ("destinationip", Ip(field::DESTINATION_IP)),
        ("目的ip", Ip(field::DESTINATION_IP)),
        ("dstport", Int(field::DESTINATION_PORT)),
        ("destinationport", Int(field::DESTINATION_PORT)),
        ("目的端口", Int(field::DESTINATION_PORT)),
        ("protocol", Protocol),
        ("协议", Protocol),
        ("application", Lower(field::NETWORK_APPLICATION)),
        ("applicationname", Lower(field::NETWORK_APPLICATION)),
        ("应用名称", Lower(field::NETWORK_APPLICATION)),
        ("attacktype", Text(field::RULE_CATEGORY)),
        ("攻击类型", Text(field::RULE_CATEGORY)),
        ("threatlevel", Lower(field::LOG_LEVEL)),
        ("severity", Lower(field::LOG_LEVEL)),
        ("严重等级", Lower(field::LOG_LEVEL)),
        ("严重级别", Lower(field::LOG_LEVEL)),
        ("action", Note(note::ACTION)),
        ("动作", Note(note::ACTION)),
        ("系统动作", Note(note::ACTION)),
        ("user", Account(field::USER_NAME)),
        ("username", Account(field::USER_NAME)),
        ("用户", Account(field::USER_NAME)),
        ("用户名", Account(field::USER_NAME)),
        ("url", Note(note::URL)),
        ("urldirectory", Note(note::URL)),
        ("url目录", Note(note::URL)),
        ("domain", Machine(field::DESTINATION_DOMAIN)),
        ("域名", Machine(field::DESTINATION_DOMAIN)),
        ("filename", FilePath),
        ("文件名", FilePath),
        ("md5", Hash),
        ("srczone", Text(field::OBSERVER_INGRESS_ZONE)),
        ("sourcezone", Text(field::OBSERVER_INGRESS_ZONE)),
        ("dstzone", Text(field::OBSERVER_EGRESS_ZONE)),
        ("destinationzone", Text(field::OBSERVER_EGRESS_ZONE)),
        ("sentbytes", Int(field::SOURCE_BYTES)),
        ("receivedbytes", Int(field::DESTINATION_BYTES)),
        ("description", Note(note::MESSAGE)),
        ("描述", Note(note::MESSAGE)),
        ("operation", Note(note::MESSAGE)),
        ("operationtype", Note(note::MESSAGE)),
        ("操作", Note(note::MESSAGE)),
    ])
});

impl Parser for Sangfor {
    fn name(&self) -> &'static str {
        "sangfor"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["fwlog", "nfdlog", "ngaf", "aflog"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text();
        let head: &str = text.get(..80).unwrap_or(text.get(..text.len().min(60)).unwrap_or_default());
        let has = |word: &str| crate::text::find(head.as_bytes(), word.as_bytes()).is_some();
        Sniff::yes_if(has("fwlog: ") || has("Log type:") && has(",") || has("日志类型:") || has("日志类型："))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let text = raw.text();
        let text = text.split_once("fwlog: ").map_or(text, |(_, rest)| rest);
        let mut notes = Notes::<{ note::COUNT }>::default();
        if pairs(raw, event, text, &mut notes) < 2 {
            return Outcome::Unreadable("no Sangfor pairs");
        }
        event.set_dataset("sangfor.ngaf");
        vendor::device(event, "Sangfor", "NGAF", "firewall");
        event.set(field::MESSAGE, text);
        let url = notes.get(note::URL);
        if !url.is_empty() {
            vendor::url(event, url);
        }
        classify(event, &notes);
        vendor::conclude(event);
        Outcome::Parsed
    }
}

/// The next comma, Latin or Chinese: where it begins and ends.
fn comma(text: &str) -> Option<(usize, usize)> {
    text.char_indices().find(|(_, c)| matches!(c, ',' | '，')).map(|(at, c)| (at, at + c.len_utf8()))
}

/// Splits at the first colon, Latin or Chinese.
fn colon(text: &str) -> Option<(&str, &str)> {
    let (at, c) = text.char_indices().find(|(_, c)| matches!(c, ':' | '：'))?;
    Some((&text[..at], &text[at + c.len_utf8()..]))
}

fn means(name: &str) -> Option<Means> {
    let mut plain = [0u8; NAME_BYTES_MAX];
    let mut len = 0;
    for b in name.bytes().filter(|b| b.is_ascii_alphanumeric() || !b.is_ascii()) {
        *plain.get_mut(len)? = b.to_ascii_lowercase();
        len += 1;
    }
    KEYS.get(std::str::from_utf8(&plain[..len]).ok()?)
}

fn pairs<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, text: &'r str, notes: &mut Notes<'r, { note::COUNT }>) -> usize {
    let mut rest = text.trim_start_matches(['[', ' ']);
    let mut count = 0;
    while let Some((name, after)) = colon(rest) {
        // The pair ends at the comma before the next name that is known.
        let mut end = after.len();
        let mut next = after.len();
        let mut from = 0;
        while let Some((at, behind)) = comma(&after[from..]) {
            let (at, behind) = (from + at, from + behind);
            let ahead = after[behind..]
                .char_indices()
                .take(NAME_BYTES_MAX)
                .last()
                .map_or("", |(len, c)| &after[behind..behind + len + c.len_utf8()]);
            if colon(ahead).is_some_and(|(name, _)| means(name).is_some()) {
                (end, next) = (at, behind);
                break;
            }
            from = behind;
        }
        let (name, value) = (name.trim().trim_start_matches('['), after[..end].trim());
        let value = text::strip_pair(value, '(', ')');
        if !name.is_empty() && name.len() <= ecs::NAME_BYTES_MAX && !matches!(value, "" | "null") {
            count += 1;
            event.set_extra(PREFIX, name, value);
            if let Some(means) = means(name) {
                vendor::set(raw, event, means, value, notes);
            }
        }
        rest = after[next..].trim_start();
    }
    count
}

fn classify<'r>(event: &mut Event<'r>, notes: &Notes<'r, { note::COUNT }>) {
    let (kind, action) = (notes.get(note::KIND), notes.get(note::ACTION));
    let lower = text::lower(event, kind);
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let is_denied = vendor::is_denied(action) || ["拒绝", "阻断", "拦截"].iter().any(|word| action.contains(word));
    event.set_present(field::EVENT_ACTION, action);
    event.set_present(field::EVENT_PROVIDER, kind);
    let verdict = if is_denied { "denied" } else { "allowed" };
    if has(&["ips", "waf", "apt", "ddos", "dos", "attack", "vulnerab", "botnet", "入侵", "漏洞", "应用防护", "僵尸", "攻击"])
    {
        ecs::classify(event, &["intrusion_detection", "network"], &[verdict]);
        event.set(field::EVENT_KIND, "alert");
    } else if has(&["virus", "malware", "病毒", "文件"]) {
        ecs::classify(event, &["malware", "network"], &[verdict]);
        event.set(field::EVENT_KIND, "alert");
    } else if has(&["url", "website", "网站"]) {
        ecs::classify(event, &["web", "network"], &[verdict]);
    } else if has(&["login", "user", "authentication", "登录", "认证", "用户"]) {
        let told = text::lower(event, notes.get(note::MESSAGE));
        let class = if told.contains("fail") || told.contains("失败") {
            &LOGIN_FAILED
        } else if told.contains("logout") || told.contains("注销") {
            &LOGOUT
        } else {
            &LOGIN
        };
        phrases::classify(event, class);
    } else if has(&["system", "operation", "系统", "操作"]) {
        ecs::classify(event, &["configuration"], &["info"]);
        event.set_present(field::EVENT_ACTION, notes.get(note::MESSAGE));
    } else {
        vendor::verdict(event, !is_denied);
    }
}
