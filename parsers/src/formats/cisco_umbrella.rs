//! Cisco Umbrella logs as rows of comma-separated values (from its S3 bucket): DNS, proxy, cloud firewall, IP, DLP, audit.
//!
//! Reference: Cisco, "Umbrella: Log formats and versioning" (fields of each log by position). Times are UTC. A row does not say
//! which log it is of: the words at known places do.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, text, time, web};

const PREFIX: &str = "cisco.umbrella.";

const FIELDS_MAX: usize = 40;

pub struct CiscoUmbrella;

impl Parser for CiscoUmbrella {
    fn name(&self) -> &'static str {
        "cisco_umbrella"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let b = raw.text().as_bytes();
        let is_start =
            b.len() > 30 && (b[0] == b'"' || (b[0].is_ascii_digit() && b[4] == b'-' && b[10] == b' ' && b[19] == b','));
        Sniff::yes_if(is_start && Row::new(raw.text()).kind().is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let row = Row::new(raw.text());
        let Some(kind) = row.kind() else {
            return Outcome::Unreadable("no row of an Umbrella log");
        };
        event.set_dataset("cisco_umbrella.log");
        event.set(field::EVENT_KIND, "event");
        event.set(field::OBSERVER_VENDOR, "Cisco");
        event.set(field::OBSERVER_PRODUCT, "Umbrella");
        let stamp = row.get(if matches!(kind, Kind::Audit) { 1 } else { 0 });
        if let Some((stamp, _)) = time::iso(stamp) {
            event.set(field::TIMESTAMP, Value::Time(time::Stamp { offset: Some(0), ..stamp }.resolve(raw)));
        }
        match kind {
            Kind::Dns => dns(event, &row),
            Kind::Proxy => proxy(event, &row),
            Kind::Firewall => firewall(event, &row),
            Kind::Dlp => dlp(event, &row),
            Kind::Audit => audit(event, &row),
        }
        Outcome::Parsed
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Dns,
    Proxy,
    Firewall,
    Dlp,
    Audit,
}

struct Row<'r> {
    fields: [&'r str; FIELDS_MAX],
    len: usize,
}

impl<'r> Row<'r> {
    /// Cuts at commas; blanks may stand before a quote.
    fn new(text: &'r str) -> Self {
        let mut row = Self { fields: [""; FIELDS_MAX], len: 0 };
        let mut rest = text;
        while row.len < FIELDS_MAX {
            rest = rest.trim_start_matches(' ');
            let (field, after) = match rest.strip_prefix('"') {
                Some(inside) => {
                    let end = closing(inside);
                    let after = inside.get(end + 1..).unwrap_or_default();
                    (&inside[..end], after.find(',').map(|at| &after[at + 1..]))
                }
                None => match text::split(rest, b',') {
                    Some((field, after)) => (field, Some(after)),
                    None => (rest, None),
                },
            };
            row.fields[row.len] = field;
            row.len += 1;
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
        row
    }

    fn get(&self, at: usize) -> &'r str {
        self.fields.get(at).copied().unwrap_or_default()
    }

    fn kind(&self) -> Option<Kind> {
        let is_stamp = |text: &str| text.len() >= 19 && time::iso(text).is_some();
        let is_verdict = |text: &str| {
            ["ALLOW", "ALLOWED", "BLOCK", "BLOCKED", "PROXIED", "WARNED"].iter().any(|word| word.eq_ignore_ascii_case(text))
        };
        if !is_stamp(self.get(0)) {
            let is_audit = self.len >= 8 && is_stamp(self.get(1)) && self.get(0).bytes().all(|b| b.is_ascii_digit());
            return is_audit.then_some(Kind::Audit);
        }
        if self.len >= 9 && is_verdict(self.get(5)) && self.get(6).contains('(') && self.get(8).contains('.') {
            return Some(Kind::Dns);
        }
        if self.len >= 11 && is_verdict(self.get(6)) && self.get(7).contains("://") {
            return Some(Kind::Proxy);
        }
        if self.len >= 14 && self.get(1).starts_with('[') && is_verdict(self.get(13)) {
            return Some(Kind::Firewall);
        }
        (self.len >= 15 && is_verdict(self.get(9)) && matches!(self.get(1), "Real Time" | "SaaS API" | "Discovery"))
            .then_some(Kind::Dlp)
    }
}

/// The quote that closes a field: doubled ones do not.
fn closing(text: &str) -> usize {
    let b = text.as_bytes();
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'"', b.get(from..).unwrap_or_default()) {
        let end = from + at;
        if b.get(end + 1) == Some(&b'"') {
            from = end + 2;
            continue;
        }
        return end;
    }
    text.len()
}

fn keep<'r>(event: &mut Event<'r>, names: &[&'static str], row: &Row<'r>, from: usize) {
    for (at, name) in names.iter().enumerate() {
        let value = row.get(from + at);
        if !value.is_empty() && !name.is_empty() {
            event.set_extra(PREFIX, name, value);
        }
    }
}

fn verdict<'r>(event: &mut Event<'r>, prefix: &'static str, word: &'r str) {
    if !prefix.is_empty() {
        let action = text::join(event, prefix, "-", word);
        event.set(field::EVENT_ACTION, action);
    }
    let is_blocked = word.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("block"));
    event.set(field::EVENT_TYPE, if is_blocked { "denied" } else { "allowed" });
    event.set(field::EVENT_TYPE, "connection");
    event.set(field::EVENT_OUTCOME, if is_blocked { "failure" } else { "success" });
}

fn dns<'r>(event: &mut Event<'r>, row: &Row<'r>) {
    event.set(field::OBSERVER_TYPE, "dns");
    event.set(field::EVENT_CATEGORY, "network");
    event.set(field::NETWORK_PROTOCOL, "dns");
    keep(event, &["identity", "identities"], row, 1);
    // An identity is a network, a machine or an account: `An Nguyen (an@tinh.example)`.
    if let Some((_, mail)) = row.get(1).split_once(" (")
        && let Some((name, domain)) = mail.trim_end_matches(')').split_once('@')
    {
        event.set(field::USER_EMAIL, mail.trim_end_matches(')'));
        event.set(field::USER_ID, mail.trim_end_matches(')'));
        ecs::user(event, field::USER_NAME, name);
        event.set(field::USER_DOMAIN, domain);
    }
    ecs::source(event, row.get(3));
    ecs::ip_only(event, field::SOURCE_NAT_IP, row.get(4));
    verdict(event, "dns-request", row.get(5));
    event.set_present(field::DNS_QUESTION_TYPE, row.get(6));
    event.set_present(field::DNS_RESPONSE_CODE, row.get(7));
    event.set_present(field::DNS_QUESTION_NAME, row.get(8).trim_end_matches('.'));
    keep(event, &["categories", "policy_identity_type", "identity_types", "blocked_categories"], row, 9);
}

fn proxy<'r>(event: &mut Event<'r>, row: &Row<'r>) {
    event.set(field::OBSERVER_TYPE, "proxy");
    event.set(field::EVENT_CATEGORY, "network");
    event.set(field::EVENT_CATEGORY, "web");
    keep(event, &["identity"], row, 1);
    ecs::source(event, row.get(2));
    ecs::ip_only(event, field::SOURCE_NAT_IP, row.get(3));
    ecs::ip_only(event, field::DESTINATION_IP, row.get(4));
    verdict(event, "proxy-request", row.get(6));
    web::url(event, row.get(7));
    event.set_present(field::HTTP_REQUEST_REFERRER, row.get(8));
    event.set_present(field::USER_AGENT_ORIGINAL, row.get(9));
    event.set_int(field::HTTP_RESPONSE_STATUS_CODE, row.get(10));
    event.set_int(field::HTTP_REQUEST_BODY_BYTES, row.get(11));
    event.set_int(field::HTTP_RESPONSE_BODY_BYTES, row.get(12));
    let digest = row.get(14);
    if digest.len() == 64 {
        event.set(field::FILE_HASH_SHA256, digest);
        event.set(field::RELATED_HASH, digest);
    }
    keep(
        event,
        &[
            "categories",
            "av_detections",
            "puas",
            "amp_disposition",
            "amp_malware_name",
            "amp_score",
            "policy_identity_type",
            "blocked_categories",
        ],
        row,
        15,
    );
    // Versions from 5 on tell the method, and the file.
    let method = row.get(25);
    if (3..=10).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_uppercase()) {
        event.set(field::HTTP_REQUEST_METHOD, method);
        event.set_present(field::FILE_NAME, row.get(28));
        event.set_present(field::RULE_ID, row.get(30));
    }
}

fn firewall<'r>(event: &mut Event<'r>, row: &Row<'r>) {
    event.set(field::OBSERVER_TYPE, "firewall");
    event.set(field::EVENT_CATEGORY, "network");
    keep(event, &["origin_id", "identity", "identity_type"], row, 1);
    event.set_present(field::NETWORK_DIRECTION, text::lower(event, row.get(4)));
    match row.get(5).parse::<u8>() {
        Ok(number) => ecs::protocol(event, i64::from(number)),
        Err(_) => event.set_present(field::NETWORK_TRANSPORT, text::lower(event, row.get(5))),
    }
    event.set_int(field::SOURCE_BYTES, row.get(6));
    ecs::source(event, row.get(7));
    event.set_int(field::SOURCE_PORT, row.get(8));
    ecs::destination(event, row.get(9));
    event.set_int(field::DESTINATION_PORT, row.get(10));
    keep(event, &["datacenter"], row, 11);
    event.set_present(field::RULE_ID, row.get(12));
    verdict(event, "fw-connection", row.get(13));
    keep(event, &["fqdns", "destination_lists_id"], row, 14);
}

fn dlp<'r>(event: &mut Event<'r>, row: &Row<'r>) {
    event.set(field::OBSERVER_TYPE, "dlp");
    event.set(field::EVENT_CATEGORY, "network");
    event.set(field::EVENT_CATEGORY, "file");
    event.set(field::EVENT_TYPE, "info");
    keep(event, &["event_type", "event_id", "severity", "identity", "owner"], row, 1);
    let severity = match row.get(3) {
        "INFO" => 0,
        "LOW" => 1,
        "MEDIUM" => 2,
        "HIGH" => 3,
        "CRITICAL" => 4,
        _ => -1,
    };
    if severity >= 0 {
        event.set(field::EVENT_SEVERITY, severity);
    }
    event.set_present(field::FILE_NAME, row.get(6));
    event.set_present(field::NETWORK_APPLICATION, row.get(7));
    if !row.get(8).is_empty() {
        web::url(event, row.get(8));
    }
    verdict(event, "dlp", row.get(9));
    event.set_present(field::RULE_NAME, row.get(10));
    keep(event, &["data_classification", "data_identifier", "content_type"], row, 11);
    event.set_int(field::FILE_SIZE, row.get(14));
    let digest = row.get(15);
    if digest.len() == 64 {
        event.set(field::FILE_HASH_SHA256, digest);
        event.set(field::RELATED_HASH, digest);
    }
}

fn audit<'r>(event: &mut Event<'r>, row: &Row<'r>) {
    event.set(field::EVENT_CATEGORY, "configuration");
    keep(event, &["email", "user", "type", "", "logged_in_from", "before", "after"], row, 2);
    if row.get(2) != "null" {
        event.set_present(field::USER_EMAIL, row.get(2));
    }
    if row.get(3) != "null" {
        ecs::user(event, field::USER_NAME, row.get(3));
    }
    event.set_present(field::EVENT_ACTION, row.get(5));
    let kind = match row.get(5) {
        "create" => "creation",
        "delete" => "deletion",
        "login" => "start",
        _ => "change",
    };
    event.set(field::EVENT_TYPE, kind);
    if row.get(5) == "login" {
        event.set(field::EVENT_CATEGORY, "authentication");
    }
    ecs::source(event, row.get(6));
}
