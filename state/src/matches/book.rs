//! The incidents and alerts that one block touches: read in three statements, changed in memory.
//!
//! Not here: what an alert does to an incident (the parent decides) and the statements that write ([`super::write`]).
//!
//! Invariant: within the transaction the book is the truth of what it holds; nothing reads those rows from the database again.

use std::collections::{HashMap, HashSet};

use event::Micros;
use sqlx::{Row, Sqlite, Transaction};

use super::{AlertUpsert, IncidentChange, Join};
use crate::{
    Result,
    incidents::{self, Incident, Status},
    rows::to_json,
};

/// System, entity kind, entity value, family: what incidents are joined by.
type Key<'a> = (&'a str, &'a str, &'a str, &'a str);

pub(super) struct Book<'a> {
    pub(super) incidents: Vec<Held>,
    by_id: HashMap<i64, usize>,
    /// Places of the incidents with this hash key, as it is written by [`key_text`].
    by_key: HashMap<String, Vec<usize>>,
    pub(super) alerts: HashMap<&'a str, Known>,
    /// What to write for each alert, in order.
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) logs: Vec<LogLine>,
    pub(super) changes: Vec<IncidentChange>,
    last_id: i64,
}

/// An incident in memory.
pub(super) struct Held {
    pub incident: Incident,
    /// True once it differs from what is stored.
    pub is_touched: bool,
}

/// An alert that has a row, or will have one.
pub(super) struct Known {
    place: usize,
    /// Samples stored so far.
    pub samples: u32,
}

/// One alert of the block on its way into the database.
pub(super) struct Entry<'a> {
    pub alert: &'a AlertUpsert,
    /// Id of its incident.
    pub incident: i64,
    pub is_new: bool,
}

/// A line for the incident log.
pub(super) struct LogLine {
    pub incident: i64,
    pub actor: &'static str,
    pub action: &'static str,
    pub note: String,
    /// JSON text.
    pub detail: String,
}

impl<'a> Book<'a> {
    /// Reads the alerts of the block that exist, their incidents, and those that its new alerts may join.
    pub async fn open(tx: &mut Transaction<'static, Sqlite>, alerts: &'a [AlertUpsert], join: Join, now: Micros) -> Result<Self> {
        let mut book = Self {
            incidents: Vec::new(),
            by_id: HashMap::new(),
            by_key: HashMap::new(),
            alerts: HashMap::new(),
            entries: Vec::with_capacity(alerts.len()),
            logs: Vec::new(),
            changes: Vec::new(),
            last_id: 0,
        };
        if alerts.is_empty() {
            return Ok(book);
        }
        let known = book.read_known(tx, alerts).await?;
        book.read_candidates(tx, alerts.iter().filter(|alert| !known.contains(alert.id.as_str())), join, now).await?;
        let last: Option<(i64,)> =
            sqlx::query_as("SELECT seq FROM sqlite_sequence WHERE name = 'incident'").fetch_optional(&mut **tx).await?;
        book.last_id = last.map_or(0, |(id,)| id);
        Ok(book)
    }

    async fn read_known(&mut self, tx: &mut Transaction<'static, Sqlite>, alerts: &'a [AlertUpsert]) -> Result<HashSet<&'a str>> {
        let ids: HashMap<&str, &'a str> = alerts.iter().map(|alert| (alert.id.as_str(), alert.id.as_str())).collect();
        let rows = sqlx::query(
            "SELECT incident.*, alert.id AS alert_id, (SELECT count(*) FROM alert_event WHERE alert_event.alert = alert.id) AS samples
             FROM json_each(?) AS wanted CROSS JOIN alert ON alert.id = wanted.value JOIN incident ON incident.id = alert.incident",
        )
        .bind(to_json(&ids.keys().collect::<Vec<_>>()))
        .fetch_all(&mut **tx)
        .await?;
        let mut known = HashSet::new();
        for row in &rows {
            let place = self.hold(incidents::read(row)?);
            let id: &str = row.try_get("alert_id")?;
            if let Some(id) = ids.get(id) {
                self.alerts.insert(id, Known { place, samples: row.try_get("samples")? });
                known.insert(*id);
            }
        }
        Ok(known)
    }

    async fn read_candidates(
        &mut self,
        tx: &mut Transaction<'static, Sqlite>,
        new: impl Iterator<Item = &'a AlertUpsert>,
        join: Join,
        now: Micros,
    ) -> Result<()> {
        let mut keys: HashSet<Key<'a>> = HashSet::new();
        let mut since = Micros::MAX;
        for alert in new {
            keys.insert(key(alert));
            since = since.min(alert.first_seen);
        }
        if keys.is_empty() {
            return Ok(());
        }
        let rows = sqlx::query(
            "SELECT incident.* FROM json_each(?) AS wanted CROSS JOIN incident
             ON system_id = wanted.value ->> 0 AND entity_kind = wanted.value ->> 1 AND entity_value = wanted.value ->> 2
               AND family = wanted.value ->> 3 AND last_seen >= ?
             WHERE status <> 'closed' OR closed_at >= ?",
        )
        .bind(to_json(&keys.iter().collect::<Vec<_>>()))
        .bind(since.saturating_sub(join.lookback))
        .bind(now - join.reopen)
        .fetch_all(&mut **tx)
        .await?;
        for row in &rows {
            self.hold(incidents::read(row)?);
        }
        Ok(())
    }

    /// The incident of an alert that exists.
    pub fn incident_of(&self, alert: &str) -> Option<usize> {
        self.alerts.get(alert).map(|known| known.place)
    }

    /// The incident that a new alert belongs to: an active one first, else a closed one that may still open again; of several
    /// the one that was active last.
    pub fn find(&self, alert: &AlertUpsert, join: Join, now: Micros) -> Option<usize> {
        let places = self.by_key.get(&key_text(key(alert)))?;
        let (until, since) = (alert.last_seen.saturating_add(join.lookback), alert.first_seen.saturating_sub(join.lookback));
        let may_join = |incident: &Incident| {
            incident.first_seen <= until
                && incident.last_seen >= since
                && (incident.status != Status::Closed || incident.closed_at.is_some_and(|at| at >= now - join.reopen))
        };
        let rank = |incident: &Incident| (incident.status != Status::Closed, incident.last_seen, -incident.id);
        places
            .iter()
            .copied()
            .filter(|&at| may_join(&self.incidents[at].incident))
            .max_by_key(|&at| rank(&self.incidents[at].incident))
    }

    /// Number of an incident that is about to open.
    pub fn new_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// Takes a new incident in.
    pub fn put(&mut self, incident: Incident) -> usize {
        let place = self.hold(incident);
        self.incidents[place].is_touched = true;
        place
    }

    /// An incident that is about to change.
    pub fn incident_mut(&mut self, place: usize) -> &mut Incident {
        let held = &mut self.incidents[place];
        held.is_touched = true;
        &mut held.incident
    }

    /// Notes what the block adds to an alert.
    pub fn count(&mut self, alert: &'a AlertUpsert, place: usize) {
        let is_new = !self.alerts.contains_key(alert.id.as_str());
        if is_new {
            self.alerts.insert(&alert.id, Known { place, samples: 0 });
        }
        self.entries.push(Entry { alert, incident: self.incidents[place].incident.id, is_new });
    }

    pub fn log(&mut self, line: LogLine) {
        self.logs.push(line);
    }

    pub fn change(&mut self, change: IncidentChange) {
        self.changes.push(change);
    }

    pub fn changes(&self) -> Vec<IncidentChange> {
        self.changes.clone()
    }

    fn hold(&mut self, incident: Incident) -> usize {
        if let Some(&place) = self.by_id.get(&incident.id) {
            return place;
        }
        let place = self.incidents.len();
        let Incident { system, entity, family, .. } = &incident;
        self.by_key.entry(key_text((system, &entity.kind, &entity.value, family))).or_default().push(place);
        self.by_id.insert(incident.id, place);
        self.incidents.push(Held { incident, is_touched: false });
        place
    }
}

fn key(alert: &AlertUpsert) -> Key<'_> {
    (&alert.system, &alert.entity.kind, &alert.entity.value, &alert.family)
}

/// The key as one text; JSON, so that parts cannot run into each other.
fn key_text(key: Key<'_>) -> String {
    to_json(&key)
}
