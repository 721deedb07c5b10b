//! Every line of the incident log becomes an audit event: one JSON record of source `chieng.audit`.
//!
//! The log is the outbox. A cursor moves after the record is durable, and each record carries a key by which the store
//! recognises a repetition, so a crash in between neither loses nor doubles one.

use std::{future::poll_fn, task::Poll};

use event::{
    Micros, RawBatch, Receipt,
    seam::{BoxFuture, Refused, Sink},
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
        // All at once: one commit group of the log takes them. Those that were taken before a refusal are known by their keys.
        let submitted: Vec<_> = lines.iter().map(|(line, incident)| sink.submit(batch(line, incident.as_ref(), now))).collect();
        let mut refusal = None;
        for ((line, _), submitted) in lines.iter().zip(joined(submitted).await) {
            match submitted {
                Ok(_) if refusal.is_none() => sent += 1,
                Ok(_) => {}
                Err(refused) => refusal = refusal.or(Some((line.id, refused))),
            }
        }
        if let Some((line, refused)) = refusal {
            state.advance_cursor(cursors::AUDIT, line as u64 - 1).await?;
            return Err(crate::Error::Audit(refused));
        }
        state.advance_cursor(cursors::AUDIT, last).await?;
    }
}

type Submitted = Result<Receipt, Refused>;

/// Drives all submissions at once and returns their answers in order.
async fn joined(mut waiting: Vec<BoxFuture<'_, Submitted>>) -> Vec<Submitted> {
    let mut answers: Vec<Option<Submitted>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, answer) in waiting.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *answer = Some(ready);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
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
