//! Every line of the incident log becomes an audit event: one JSON record of source `chieng.audit`.
//!
//! The log is the outbox. A cursor moves after the record is durable, and each record carries a key by which the store
//! recognises a repetition, so a crash in between neither loses nor doubles one.

use event::{
    Micros, RawBatch,
    seam::{Refused, Sink},
};
use serde_json::{Value, json};
use state::{
    State, cursors,
    incidents::{Incident, LogEntry},
};

use crate::message::rfc3339;

/// The source that audit events come from.
pub const SOURCE: &str = "chieng.audit";

/// Lines per round: a burst is spread over rounds.
const LINES_MAX: u32 = 200;

/// Sends what is new; stops at the first refusal and returns it, the rest follows next time.
pub(crate) async fn follow(state: &State, sink: &dyn Sink, now: Micros) -> crate::Result<usize> {
    let mut sent = 0;
    loop {
        let after = state.cursor(cursors::AUDIT).await?;
        let lines = state.log_after(after, LINES_MAX).await?;
        let Some((last, _)) = lines.last() else { return Ok(sent) };
        let last = last.id as u64;
        for (line, incident) in &lines {
            match sink.submit(batch(line, incident.as_ref(), now)).await {
                Ok(_) => sent += 1,
                Err(refused) => {
                    state.advance_cursor(cursors::AUDIT, line.id as u64 - 1).await?;
                    return Err(crate::Error::Audit(refused));
                }
            }
        }
        state.advance_cursor(cursors::AUDIT, last).await?;
    }
}

fn batch(line: &LogEntry, incident: Option<&Incident>, now: Micros) -> RawBatch {
    let mut batch = RawBatch::new(SOURCE, None, now);
    batch.key = Some(format!("incident-log-{}", line.id));
    batch.push(record(line, incident).to_string().as_bytes());
    batch
}

/// The record in ECS keys.
fn record(line: &LogEntry, incident: Option<&Incident>) -> Value {
    let mut record = json!({
        "@timestamp": rfc3339(line.at),
        "event.kind": "event",
        "event.category": ["configuration"],
        "event.type": ["change"],
        "event.module": "chieng",
        "event.dataset": SOURCE,
        "event.provider": "respond",
        "event.action": format!("incident.{}", line.action),
        "user.name": line.actor,
        "message": line.note,
        "chieng.audit.id": line.id,
    });
    if let Some(incident) = incident {
        record["chieng.incident.number"] = json!(incident.id);
        record["chieng.incident.severity"] = json!(incident.severity.name());
        record["chieng.incident.status"] = json!(incident.status.name());
        record["related.system"] = json!([incident.system]);
    }
    if let Some(Value::Object(detail)) = &line.detail {
        for (key, value) in detail {
            record[format!("chieng.incident.{key}")] = value.clone();
        }
    }
    record
}

/// Says whether to try again soon.
pub(crate) fn is_passing(refused: &Refused) -> bool {
    !matches!(refused, Refused::Closing)
}
