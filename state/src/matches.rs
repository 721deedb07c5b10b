//! One processing block's matches become alerts and incidents in one transaction, together with the detect cursor.
//!
//! ```text
//! MatchBlock ──▶ read what it touches ([`book`]) ──▶ decide in memory: join, open, raise, re-open ──▶ write ([`write`]) ──▶ COMMIT
//! ```
//!
//! A block takes a handful of statements, however many alerts it has: while an attack floods in, statements were a quarter of
//! all the work.
//!
//! Invariants: a block at or before the cursor changes nothing, so replays after a crash are harmless. Whatever must be paged is
//! in the outbox (`incident_change`) before the cursor moves, so no crash can lose a page; the outbox row is deleted in the
//! transaction that queues the notifications, so none is queued twice. Which alert deserves a page was decided by the caller.

mod book;
mod write;

use std::{collections::BTreeMap, sync::Arc};

use event::{Micros, severity::Severity};
use serde_json::Value;

use crate::{
    Error, Result, State,
    alerts::AlertEvent,
    cursors,
    incidents::{Entity, Incident, SELF, Status, Verdict},
    matches::book::{Book, LogLine},
    rule_health,
};

/// The matches of one block, grouped into alerts.
#[derive(Clone, Debug)]
pub struct MatchBlock {
    /// Where the cursor stood when the alerts were counted, and where it stands after; `None` for what comes from no block
    /// (a test alert).
    pub cursor: Option<(u64, u64)>,
    pub alerts: Vec<AlertUpsert>,
    /// Matches that make no alert: rule id, how many, event time of the newest. They count in the rule's health.
    pub counted: Vec<(String, u64, Micros)>,
    pub join: Join,
}

/// How alerts find their incident, and how much is kept of them.
#[derive(Clone, Copy, Debug)]
pub struct Join {
    /// An alert joins an incident of its entity and family that was active within so long.
    pub lookback: Micros,
    /// A closed incident may open again within so long.
    pub reopen: Micros,
    /// Samples kept of one alert.
    pub samples_max: u32,
}

/// What one block adds to one alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertUpsert {
    pub id: String,
    pub rule_id: String,
    /// The rule's card as JSON text; shared, since every alert of the rule has the same.
    pub rule: Arc<str>,
    pub title_vi: String,
    pub title_en: String,
    pub rule_level: Severity,
    pub severity: Severity,
    pub steps: Value,
    /// The severity at which it deserves a page; `None` = queue only.
    pub pages_as: Option<Severity>,
    /// Why it pages, or why not.
    pub decision: String,
    /// False when all events of this block are late: they never re-open a closed incident.
    pub is_fresh: bool,
    pub system: String,
    pub system_level: Option<u8>,
    pub entity: Entity,
    pub family: String,
    pub group: Vec<(String, String)>,
    pub window_start: Micros,
    pub window_end: Micros,
    pub first_seen: Micros,
    pub last_seen: Micros,
    /// Exact number of events in this block.
    pub count: u64,
    pub samples: Vec<AlertEvent>,
}

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Opened,
    Raised,
    Reopened,
}

impl ChangeKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Raised => "severity_raised",
            Self::Reopened => "reopened",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Opened, Self::Raised, Self::Reopened].into_iter().find(|kind| kind.name() == name)
    }
}

/// A state change of an incident, as [`State::record_matches`] reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentChange {
    pub incident: i64,
    pub kind: ChangeKind,
    pub severity: Severity,
    /// True when it waits in the outbox for people to be told.
    pub pages: bool,
}

impl State {
    /// Records a block. Returns the state changes; empty when the block was recorded before.
    pub async fn record_matches(&self, block: &MatchBlock, now: Micros) -> Result<Vec<IncidentChange>> {
        let mut tx = self.write().await?;
        if let Some((after, through)) = block.cursor {
            let stored = cursors::get(&mut tx, cursors::DETECT).await?;
            if through <= stored {
                return Ok(Vec::new());
            }
            if after != stored {
                return Err(Error::Invalid(format!("matches were counted after block {after}, but {stored} is recorded")));
            }
            cursors::advance(&mut tx, cursors::DETECT, through).await?;
        }
        let mut book = Book::open(&mut tx, &block.alerts, block.join, now).await?;
        for alert in &block.alerts {
            enter(&mut book, alert, block.join, now);
        }
        let changes = book.changes();
        book.write(&mut tx, block.join.samples_max, now).await?;
        for (rule, (count, last)) in health(block) {
            rule_health::count(&mut tx, rule, count, last).await?;
        }
        tx.commit().await?;
        Ok(changes)
    }
}

/// Matches and newest match per rule, alerts and counted matches alike.
fn health(block: &MatchBlock) -> BTreeMap<&str, (u64, Micros)> {
    let mut rules: BTreeMap<&str, (u64, Micros)> = BTreeMap::new();
    let alerts = block.alerts.iter().map(|alert| (alert.rule_id.as_str(), alert.count, alert.last_seen));
    for (rule, count, last) in alerts.chain(block.counted.iter().map(|(rule, count, last)| (rule.as_str(), *count, *last))) {
        let (sum, newest) = rules.entry(rule).or_insert((0, last));
        *sum += count;
        *newest = (*newest).max(last);
    }
    rules
}

/// Puts an alert into the incident it belongs to: its own, one to join, or a new one.
fn enter<'a>(book: &mut Book<'a>, alert: &'a AlertUpsert, join: Join, now: Micros) {
    let known = book.incident_of(&alert.id);
    let change = match known.or_else(|| book.find(alert, join, now)) {
        None => open(book, alert, now),
        Some(place) => add(book, place, alert, known.is_none(), join, now),
    };
    if let Some(change) = change {
        book.change(change);
    }
}

fn open<'a>(book: &mut Book<'a>, alert: &'a AlertUpsert, now: Micros) -> Option<IncidentChange> {
    let incident = book.new_id();
    let place = book.put(Incident {
        id: incident,
        status: Status::Open,
        severity: alert.severity,
        steps: alert.steps.clone(),
        system: alert.system.clone(),
        system_level: alert.system_level,
        entity: alert.entity.clone(),
        family: alert.family.clone(),
        title_vi: alert.title_vi.clone(),
        title_en: alert.title_en.clone(),
        first_seen: alert.first_seen,
        last_seen: alert.last_seen,
        opened: now,
        updated: now,
        alerts: 1,
        events: alert.count,
        reopened: 0,
        page_severity: alert.pages_as,
        paged: None,
        owner: None,
        acknowledged_at: None,
        acknowledged_by: None,
        closed_at: None,
        verdict: None,
    });
    book.count(alert, place);
    book.log(log_line(incident, ChangeKind::Opened, alert));
    let severity = alert.pages_as.unwrap_or(alert.severity);
    Some(IncidentChange { incident, kind: ChangeKind::Opened, severity, pages: alert.pages_as.is_some() })
}

/// Adds to an incident that exists; says whether that changed its state.
fn add<'a>(
    book: &mut Book<'a>,
    place: usize,
    alert: &'a AlertUpsert,
    is_new: bool,
    join: Join,
    now: Micros,
) -> Option<IncidentChange> {
    let incident = book.incident_mut(place);
    let id = incident.id;
    let reopens = reopens(incident, alert, is_new, join, now);
    let is_active = incident.status != Status::Closed;
    let page_raised = alert.pages_as > incident.page_severity;
    let raised = is_active && (alert.severity > incident.severity || page_raised);
    let kind = if reopens {
        Some(ChangeKind::Reopened)
    } else if raised {
        Some(ChangeKind::Raised)
    } else {
        None
    };
    // A page asks for an answer of its own: what was acknowledged at a lower severity is open again.
    let pages = match kind {
        Some(ChangeKind::Reopened) => alert.pages_as.is_some() && deserves_again(incident, alert),
        Some(_) => page_raised,
        None => false,
    };
    let severity = if pages { alert.pages_as.unwrap_or(alert.severity) } else { alert.severity.max(incident.severity) };
    if reopens || (pages && is_active) {
        open_again(incident);
    }
    incident.page_severity = if reopens { alert.pages_as } else { incident.page_severity.max(alert.pages_as) };
    if alert.severity > incident.severity {
        incident.severity = alert.severity;
        incident.steps = alert.steps.clone();
        incident.title_vi.clone_from(&alert.title_vi);
        incident.title_en.clone_from(&alert.title_en);
    }
    incident.system_level = alert.system_level.or(incident.system_level);
    incident.first_seen = incident.first_seen.min(alert.first_seen);
    incident.last_seen = incident.last_seen.max(alert.last_seen);
    incident.updated = now;
    incident.alerts += u64::from(is_new);
    incident.events += alert.count;
    incident.reopened += u32::from(reopens);
    book.count(alert, place);
    let kind = kind?;
    book.log(log_line(id, kind, alert));
    Some(IncidentChange { incident: id, kind, severity, pages })
}

/// What was answered before is no answer to what comes now.
fn open_again(incident: &mut Incident) {
    if incident.status != Status::Open {
        incident.acknowledged_at = None;
        incident.acknowledged_by = None;
        incident.closed_at = None;
        incident.verdict = None;
    }
    incident.status = Status::Open;
}

/// A confirmed attack that goes on opens its incident again at once. What people called harmless counts on in silence for the
/// same alert, and opens again with the next one.
fn reopens(incident: &Incident, alert: &AlertUpsert, is_new: bool, join: Join, now: Micros) -> bool {
    let Some(closed_at) = incident.closed_at.filter(|_| incident.status == Status::Closed) else { return false };
    if !alert.is_fresh || closed_at < now - join.reopen {
        return false;
    }
    is_new || matches!(incident.verdict, None | Some(Verdict::TruePositive))
}

/// What people called harmless pages again only when it is worse than before.
fn deserves_again(incident: &Incident, alert: &AlertUpsert) -> bool {
    matches!(incident.verdict, None | Some(Verdict::TruePositive)) || alert.pages_as > incident.page_severity
}

fn log_line(incident: i64, kind: ChangeKind, alert: &AlertUpsert) -> LogLine {
    let detail = serde_json::json!({
        "alert": alert.id, "rule": alert.rule_id, "severity": alert.severity.name(), "steps": alert.steps,
        "pages": alert.pages_as.is_some(),
    });
    LogLine { incident, actor: SELF, action: kind.name(), note: alert.decision.clone(), detail: detail.to_string() }
}
