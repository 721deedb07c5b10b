//! What a page says: Vietnamese first, English second; as mail and as JSON.
//!
//! A message that leaves the province carries number, system code, severity, clock and link: no name, no address, no log text,
//! for the networks it crosses are not ours. [`Details`] may be added for mailboxes inside, by a setting.

use chrono::DateTime;
use chrono_tz::Tz;
use event::{Micros, severity::Severity};
use serde_json::{Value, json};
use state::{incidents::Incident, notify::NotificationKind};

/// What a message is about.
#[derive(Clone, Debug)]
pub enum About {
    Incident {
        facts: Facts,
        details: Option<Details>,
    },
    /// Pages that storm protection held back.
    Summary {
        incidents: Vec<Facts>,
    },
    /// Somebody tests a channel.
    Test {
        at: Micros,
    },
}

/// What may leave the province.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub number: i64,
    pub system: String,
    pub severity: Severity,
    pub at: Micros,
}

/// What stays inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    pub title_vi: String,
    pub title_en: String,
    pub entity: String,
    pub events: u64,
}

impl Facts {
    /// The clock is this server's, at which the incident was opened.
    pub fn of(incident: &Incident) -> Self {
        Self { number: incident.id, system: incident.system.clone(), severity: incident.severity, at: incident.opened }
    }
}

impl Details {
    pub fn of(incident: &Incident) -> Self {
        Self {
            title_vi: incident.title_vi.clone(),
            title_en: incident.title_en.clone(),
            entity: format!("{} = {}", incident.entity.kind, incident.entity.value),
            events: incident.events,
        }
    }
}

/// A message as mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Writes the mail.
pub fn mail(about: &About, kind: NotificationKind, link: &str, zone: Tz) -> Text {
    let (subject, vi, en) = match about {
        About::Incident { facts, details } => incident(facts, details.as_ref(), kind, zone),
        About::Summary { incidents } => summary(incidents, zone),
        About::Test { at } => (
            "[Chiêng] Trang thử / test page".to_owned(),
            vec![format!("Đây là trang thử, gửi lúc {}. Không cần làm gì.", clock(*at, zone))],
            vec![format!("This is a test page, sent at {}. Nothing needs to be done.", clock(*at, zone))],
        ),
    };
    let (open_vi, open_en) = match kind {
        NotificationKind::Page | NotificationKind::Escalation => ("Mở trang xác nhận", "Open the page to acknowledge"),
        NotificationKind::Summary | NotificationKind::Test => ("Mở Chiêng", "Open Chiêng"),
    };
    let text = format!("{}\n{open_vi}: {link}\n\n* * *\n{}\n{open_en}: {link}\n", vi.join("\n"), en.join("\n"));
    let html = format!(
        "<!doctype html><html lang=\"vi\"><body>{}<p><a href=\"{link}\">{open_vi}</a></p><hr>{}<p><a href=\"{link}\">{open_en}</a></p></body></html>",
        paragraphs(&vi),
        paragraphs(&en),
        link = escape(link),
    );
    Text { subject, text, html }
}

/// Writes the webhook body. `key` is the idempotency key.
pub fn json(about: &About, kind: NotificationKind, link: &str, key: &str) -> Value {
    let one = |facts: &Facts| json!({ "incident": facts.number, "system": facts.system, "severity": facts.severity.name(), "at": rfc3339(facts.at) });
    let mut body = match about {
        About::Incident { facts, .. } => one(facts),
        About::Summary { incidents } => json!({ "incidents": incidents.iter().map(one).collect::<Vec<_>>() }),
        About::Test { at } => json!({ "at": rfc3339(*at) }),
    };
    body["version"] = json!(1);
    body["kind"] = json!(kind.name());
    body["link"] = json!(link);
    body["id"] = json!(key);
    body
}

/// RFC 3339 in UTC.
pub fn rfc3339(at: Micros) -> String {
    DateTime::from_timestamp_micros(at).unwrap_or_default().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// `dd/mm/yyyy hh:mm:ss` with the offset of the zone.
fn clock(at: Micros, zone: Tz) -> String {
    DateTime::from_timestamp_micros(at).unwrap_or_default().with_timezone(&zone).format("%d/%m/%Y %H:%M:%S (%:z)").to_string()
}

pub(crate) fn severity_vi(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "Thông tin",
        Severity::Low => "Thấp",
        Severity::Medium => "Trung bình",
        Severity::High => "Cao",
        Severity::Critical => "Nghiêm trọng",
    }
}

fn incident(facts: &Facts, details: Option<&Details>, kind: NotificationKind, zone: Tz) -> (String, Vec<String>, Vec<String>) {
    let Facts { number, system, severity, at } = facts;
    let (level, clock) = (severity_vi(*severity), clock(*at, zone));
    let again = kind == NotificationKind::Escalation;
    let subject = format!("[Chiêng] Sự cố #{number} · {level} · {system}{}", if again { " · chưa ai xác nhận" } else { "" });
    let mut vi =
        vec![format!("Sự cố số {number}"), format!("Mức độ: {level}"), format!("Hệ thống: {system}"), format!("Lúc: {clock}")];
    let mut en = vec![
        format!("Incident {number}"),
        format!("Severity: {}", severity.name()),
        format!("System: {system}"),
        format!("At: {clock}"),
    ];
    if again {
        vi.push("Chưa có ai xác nhận.".into());
        en.push("Nobody has acknowledged it yet.".into());
    }
    if let Some(details) = details {
        vi.extend([
            format!("Nội dung: {}", details.title_vi),
            format!("Đối tượng: {}", details.entity),
            format!("Số sự kiện: {}", details.events),
        ]);
        en.extend([
            format!("What: {}", details.title_en),
            format!("Entity: {}", details.entity),
            format!("Events: {}", details.events),
        ]);
    }
    let clean = |lines: Vec<String>| lines.iter().map(|line| one_line(line)).collect();
    (subject, clean(vi), clean(en))
}

fn summary(incidents: &[Facts], zone: Tz) -> (String, Vec<String>, Vec<String>) {
    /// A phone shows so many lines.
    const LISTED_MAX: usize = 30;
    let count = incidents.len();
    let line = |facts: &Facts, level: &str| {
        one_line(&format!("#{} · {level} · {} · {}", facts.number, facts.system, clock(facts.at, zone)))
    };
    let subject = format!("[Chiêng] {count} sự cố chưa xác nhận (gộp)");
    let mut vi = vec![format!("Nhiều sự cố cùng lúc: {count} sự cố chưa xác nhận được gộp vào một trang.")];
    let mut en = vec![format!("Many incidents at once: {count} unacknowledged ones in one page.")];
    vi.extend(incidents.iter().take(LISTED_MAX).map(|facts| line(facts, severity_vi(facts.severity))));
    en.extend(incidents.iter().take(LISTED_MAX).map(|facts| line(facts, facts.severity.name())));
    if count > LISTED_MAX {
        vi.push(format!("… và {} sự cố khác", count - LISTED_MAX));
        en.push(format!("… and {} more", count - LISTED_MAX));
    }
    (subject, vi, en)
}

/// One line, whatever an attacker wrote: no control characters, no marks that turn the direction of the text.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') { ' ' } else { c })
        .collect()
}

fn paragraphs(lines: &[String]) -> String {
    lines.iter().map(|line| format!("<p>{}</p>", escape(line))).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts { number: 12, system: "mot-cua".into(), severity: Severity::Critical, at: 1_795_378_325_000_000 }
    }

    fn details() -> Details {
        Details {
            title_vi: "Dò mật khẩu <b>SSH</b>".into(),
            title_en: "SSH guessing".into(),
            entity: "user.name = Nguyễn\r\nBcc: x".into(),
            events: 9,
        }
    }

    const ZONE: Tz = chrono_tz::Asia::Ho_Chi_Minh;

    #[test]
    fn what_leaves_the_province_is_number_code_severity_clock_and_link() {
        let about = About::Incident { facts: facts(), details: None };
        let mail = mail(&about, NotificationKind::Page, "https://chieng.example/ack/T", ZONE);
        assert_eq!(mail.subject, "[Chiêng] Sự cố #12 · Nghiêm trọng · mot-cua");
        let expected = "Sự cố số 12\nMức độ: Nghiêm trọng\nHệ thống: mot-cua\nLúc: 23/11/2026 03:12:05 (+07:00)\n\
            Mở trang xác nhận: https://chieng.example/ack/T\n\n* * *\nIncident 12\nSeverity: critical\nSystem: mot-cua\n\
            At: 23/11/2026 03:12:05 (+07:00)\nOpen the page to acknowledge: https://chieng.example/ack/T\n";
        assert_eq!(mail.text, expected);
    }

    #[test]
    fn a_webhook_never_carries_details() {
        let about = About::Incident { facts: facts(), details: Some(details()) };
        let body = json(&about, NotificationKind::Page, "https://chieng.example/incidents/12", "c1").to_string();
        let expected = r#"{"incident":12,"system":"mot-cua","severity":"critical","at":"2026-11-22T20:12:05.000000Z","version":1,"kind":"page","link":"https://chieng.example/incidents/12","id":"c1"}"#;
        assert_eq!(body, expected);
    }

    #[test]
    fn hostile_text_stays_one_line_of_text() {
        let about = About::Incident { facts: facts(), details: Some(details()) };
        let mail = mail(&about, NotificationKind::Escalation, "https://chieng.example/ack/T?a=1&b=\"", ZONE);
        assert!(mail.text.contains("Đối tượng: user.name = Nguyễn  Bcc: x\n"), "{}", mail.text);
        assert!(mail.html.contains("Dò mật khẩu &lt;b&gt;SSH&lt;/b&gt;"), "{}", mail.html);
        assert!(mail.html.contains("href=\"https://chieng.example/ack/T?a=1&amp;b=&quot;\""), "{}", mail.html);
        assert!(mail.subject.ends_with("chưa ai xác nhận"));
    }

    #[test]
    fn a_summary_counts_all_and_lists_some() {
        let incidents: Vec<Facts> = (1..=40).map(|number| Facts { number, ..facts() }).collect();
        let mail = mail(&About::Summary { incidents }, NotificationKind::Summary, "https://chieng.example/alerts", ZONE);
        assert!(mail.subject.contains("40 sự cố"));
        assert!(mail.text.contains("… và 10 sự cố khác"));
    }
}
