//! What deserves a page, and how severe an alert is here. Pure: no clock, no state.
//!
//! The narrow rule: severity at least high × system level at least 3 × a stable or tested rule × evidence present, and not
//! late unless critical. Everything else is queue. Each verdict names its reason, so that "why was I not woken?" has an answer.

use event::{Micros, severity::Severity};
use serde::{Deserialize, Serialize};
use state::notify::Load;

use crate::{
    found::{Found, RuleCard},
    settings::{MINUTE, Paging},
};

/// One step on the way from the rule's level to the severity of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeverityStep {
    /// `rule_level`, `system_level_raises` or `system_level_lowers`.
    pub why: String,
    pub to: Severity,
}

/// Why an alert pages, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Pages,
    SeverityBelow,
    LevelUnknown,
    LevelBelow,
    RuleNotStable,
    NoEvidence,
    Late,
    /// A test alert never pages.
    Test,
}

impl Reason {
    pub const ALL: [Self; 8] = [
        Self::Pages,
        Self::SeverityBelow,
        Self::LevelUnknown,
        Self::LevelBelow,
        Self::RuleNotStable,
        Self::NoEvidence,
        Self::Late,
        Self::Test,
    ];

    /// The word that is stored.
    pub fn code(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::SeverityBelow => "severity_below",
            Self::LevelUnknown => "level_unknown",
            Self::LevelBelow => "level_below",
            Self::RuleNotStable => "rule_not_stable",
            Self::NoEvidence => "no_evidence",
            Self::Late => "late",
            Self::Test => "test",
        }
    }

    pub fn vi(self) -> &'static str {
        match self {
            Self::Pages => "gọi người trực",
            Self::SeverityBelow => "chưa đủ mức độ để gọi người trực",
            Self::LevelUnknown => "chưa biết hệ thống nào hoặc cấp độ nào",
            Self::LevelBelow => "cấp độ của hệ thống dưới ngưỡng gọi người trực",
            Self::RuleNotStable => "luật còn thử nghiệm",
            Self::NoEvidence => "chưa có bằng chứng kèm theo",
            Self::Late => "sự kiện cũ, đến muộn",
            Self::Test => "cảnh báo thử",
        }
    }

    pub fn en(self) -> &'static str {
        match self {
            Self::Pages => "pages the officer on call",
            Self::SeverityBelow => "not severe enough to page",
            Self::LevelUnknown => "the system or its level is unknown",
            Self::LevelBelow => "the level of the system is below the paging threshold",
            Self::RuleNotStable => "the rule is experimental",
            Self::NoEvidence => "no evidence is attached",
            Self::Late => "the events are old and arrived late",
            Self::Test => "a test alert",
        }
    }

    pub fn by_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// A match, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub severity: Severity,
    pub steps: Vec<SeverityStep>,
    pub reason: Reason,
    pub is_late: bool,
}

impl Judged {
    /// The severity at which it pages.
    pub fn pages_as(&self) -> Option<Severity> {
        (self.reason == Reason::Pages).then_some(self.severity)
    }
}

/// Judges one match.
pub fn judge(found: &Found, paging: &Paging) -> Judged {
    let (severity, steps) = severity(&found.rule, found.event.system_level);
    let late = found.event.ingested.saturating_sub(found.event.timestamp) > Micros::from(paging.late_minutes) * MINUTE;
    let reason = if severity < paging.severity_min {
        Reason::SeverityBelow
    } else if !paging.statuses.iter().any(|status| *status == found.rule.status) {
        Reason::RuleNotStable
    } else if found.evidence.is_empty() {
        Reason::NoEvidence
    } else if late && severity < Severity::Critical {
        Reason::Late
    } else {
        match found.event.system_level {
            None => Reason::LevelUnknown,
            Some(level) if level < paging.level_min => Reason::LevelBelow,
            Some(_) => Reason::Pages,
        }
    };
    Judged { severity, steps, reason, is_late: late }
}

/// The rule's level, adjusted: on level 4 and 5 systems what is high becomes critical, on level 1 everything is one lower.
/// A medium rule stays medium on any system: a level cannot turn a hint into a page.
pub fn severity(rule: &RuleCard, system_level: Option<u8>) -> (Severity, Vec<SeverityStep>) {
    let mut steps = vec![SeverityStep { why: "rule_level".into(), to: rule.level }];
    let adjusted = match system_level {
        Some(4..) if rule.level == Severity::High => Some(("system_level_raises", Severity::Critical)),
        Some(1) => lower(rule.level).map(|lower| ("system_level_lowers", lower)),
        _ => None,
    };
    steps.extend(adjusted.map(|(why, to)| SeverityStep { why: why.into(), to }));
    (adjusted.map_or(rule.level, |(_, to)| to), steps)
}

fn lower(severity: Severity) -> Option<Severity> {
    (severity as usize).checked_sub(1).map(|index| Severity::ALL[index])
}

/// Where a page to one recipient goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    Send,
    /// Storm: it waits under the summary that is queued already.
    Join(String),
    /// Storm: a new summary, due then, stands for it.
    Hold {
        due: Micros,
    },
}

/// How long a summary collects before it is sent.
const SUMMARY_DELAY: Micros = MINUTE;

/// Protects a person from a storm: at most so many pages per window, then one summary per window.
pub fn place(load: &Load, paging: &Paging, now: Micros) -> Placement {
    if load.pages < paging.storm_pages.max(1) {
        return Placement::Send;
    }
    if let Some(summary) = &load.open_summary {
        return Placement::Join(summary.clone());
    }
    let window = Micros::from(paging.storm_minutes) * MINUTE;
    let free = load.last_summary.map_or(now, |last| last + window);
    Placement::Hold { due: free.max(now + SUMMARY_DELAY) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        found::{EventSummary, Evidence},
        settings::HOUR,
    };

    fn found(level: Severity, status: &str, system_level: Option<u8>) -> Found {
        let rule = RuleCard { level, status: status.into(), ..RuleCard::default() };
        let event = EventSummary { system_level, ..EventSummary::default() };
        let evidence = vec![Evidence { identifier: "selection".into(), field: "url.path".into(), value: "x".into() }];
        Found { rule: Arc::new(rule), event, evidence }
    }

    fn check(found: &Found, severity: Severity, reason: Reason) {
        let judged = judge(found, &Paging::default());
        assert_eq!((judged.severity, judged.reason), (severity, reason));
        assert_eq!(judged.pages_as().is_some(), reason == Reason::Pages);
        assert_eq!(judged.steps.last().unwrap().to, severity, "the last step is the result");
    }

    #[test]
    fn the_narrow_rule() {
        use Severity::*;
        check(&found(High, "stable", Some(3)), High, Reason::Pages);
        check(&found(High, "test", Some(3)), High, Reason::Pages);
        check(&found(Critical, "stable", Some(3)), Critical, Reason::Pages);
        check(&found(High, "experimental", Some(3)), High, Reason::RuleNotStable);
        check(&found(High, "stable", Some(2)), High, Reason::LevelBelow);
        check(&found(Critical, "stable", None), Critical, Reason::LevelUnknown);
        check(&found(Medium, "stable", Some(5)), Medium, Reason::SeverityBelow);
        check(&found(High, "stable", Some(4)), Critical, Reason::Pages);
        check(&found(Critical, "stable", Some(1)), High, Reason::LevelBelow);
        check(&found(Informational, "stable", Some(1)), Informational, Reason::SeverityBelow);
    }

    #[test]
    fn late_events_page_only_when_critical() {
        let mut late = found(Severity::High, "stable", Some(3));
        late.event.timestamp = 0;
        late.event.ingested = HOUR;
        check(&late, Severity::High, Reason::Pages);
        late.event.ingested = HOUR + 1;
        check(&late, Severity::High, Reason::Late);
        late.event.system_level = Some(4);
        check(&late, Severity::Critical, Reason::Pages);
    }

    #[test]
    fn without_evidence_nobody_is_woken() {
        let mut bare = found(Severity::Critical, "stable", Some(5));
        bare.evidence.clear();
        check(&bare, Severity::Critical, Reason::NoEvidence);
    }

    #[test]
    fn a_storm_becomes_one_summary() {
        let paging = Paging::default();
        let now = 100 * HOUR;
        let mut load = Load { pages: 4, ..Load::default() };
        assert_eq!(place(&load, &paging, now), Placement::Send);
        load.pages = 5;
        assert_eq!(place(&load, &paging, now), Placement::Hold { due: now + MINUTE });
        load.open_summary = Some("s".into());
        assert_eq!(place(&load, &paging, now), Placement::Join("s".into()));
        load.open_summary = None;
        load.last_summary = Some(now - 2 * MINUTE);
        assert_eq!(place(&load, &paging, now), Placement::Hold { due: now + 8 * MINUTE });
    }
}
