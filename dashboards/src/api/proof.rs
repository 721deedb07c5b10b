//! The chain of proof: its state, a check in the background, the proof of one event, packets of evidence.

use std::io::{self, Write};

use axum::{
    Json,
    body::Body as Content,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Body, events};
use crate::{
    App,
    audit::{self, Action, Line},
    auth::Person,
    error::{ApiError, Result},
    proof::{self, Check, EventPlace, Packet},
    time::read,
};

/// Characters of pasted anchors: ten years of daily mails.
const ANCHORS_CHARS_MAX: usize = 1 << 20;
const REASON_CHARS_MAX: usize = 500;

pub async fn show(State(app): State<App>, person: Person) -> Result<Json<Value>> {
    Ok(Json(proof::page(&app, &person.scope).await?))
}

/// Whoever sees an event may see what proves it: hashes say nothing of other lines.
pub async fn of_event(State(app): State<App>, person: Person, Path(id): Path<String>) -> Result<Json<Value>> {
    let event = events::one(&app, &person.scope, &id).await?;
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let system = Some(text("system.id")).filter(|system| !system.is_empty()).unwrap_or_else(|| event::UNASSIGNED.to_owned());
    let place =
        EventPlace { ingested: read("event.ingested", &text("event.ingested"))?, dataset: text("event.dataset"), id, system };
    Ok(Json(app.proofs.of_event(place).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCheck {
    #[serde(default)]
    files_only: bool,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    anchors: Option<String>,
}

pub async fn check(State(app): State<App>, person: Person, Body(asked): Body<NewCheck>) -> Result<Json<Value>> {
    if !proof::may_check(&person.scope) {
        return Err(ApiError::forbidden("the proof is checked by auditors and administrators"));
    }
    let given = |value: Option<String>| value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let time = |name, value| given(value).map(|text| read(name, &text)).transpose();
    let received = match (time("from", asked.from)?, time("to", asked.to)?) {
        (None, None) => None,
        (from, to) => Some((from.unwrap_or(event::Micros::MIN), to.unwrap_or(event::Micros::MAX))),
    };
    if received.is_some_and(|(from, to)| from >= to) {
        return Err(ApiError::bad("invalid", "from must lie before to"));
    }
    let anchors = asked.anchors.unwrap_or_default();
    if anchors.len() > ANCHORS_CHARS_MAX {
        return Err(ApiError::bad("too_large", "the anchors are longer than a megabyte"));
    }
    proof::check(&app, &person.user.name, Check { received, files_only: asked.files_only, key: given(asked.key), anchors })?;
    Ok(Json(proof::page(&app, &person.scope).await?))
}

pub async fn stop(State(app): State<App>, person: Person) -> Result<StatusCode> {
    if !proof::may_check(&person.scope) {
        return Err(ApiError::forbidden("the proof is checked by auditors and administrators"));
    }
    app.proof_desk.stop();
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPacket {
    system: String,
    #[serde(default)]
    dataset: Option<String>,
    from: String,
    to: String,
    reason: String,
}

pub async fn pack(State(app): State<App>, person: Person, Body(asked): Body<NewPacket>) -> Result<Json<Value>> {
    need_packer(&person)?;
    let system = asked.system.trim().to_owned();
    if !person.scope.sees(&system) {
        return Err(ApiError::forbidden("a packet may hold only what you see"));
    }
    let reason = asked.reason.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(ApiError::bad("invalid", format!("a packet needs a reason of 1 to {REASON_CHARS_MAX} characters")));
    }
    let received = (read("from", &asked.from)?, read("to", &asked.to)?);
    if received.0 >= received.1 {
        return Err(ApiError::bad("invalid", "from must lie before to"));
    }
    let dataset = asked.dataset.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let told = format!("a packet of {system}, received {} to {}: {reason}", asked.from, asked.to);
    let line = Line::of(Action::EvidenceExport, &person, told);
    let id = proof::pack(&app, line, Packet { system, dataset, received, by: person.user.name.clone(), reason }).await?;
    Ok(Json(json!({ "id": id })))
}

pub async fn take(State(app): State<App>, person: Person, Path(id): Path<u64>) -> Result<Response> {
    need_packer(&person)?;
    let packet = app.proof_desk.packet(&person.scope, id).ok_or_else(|| ApiError::not_found("packet"))?;
    let told = format!("packet {id} of {}, {} rows: {}", packet.system, packet.rows, packet.reason);
    audit::record(&app, Line::of(Action::EvidenceTake, &person, told)).await;
    let name = format!("chieng-proof-{id}");
    let folder = app.proof_desk.files(id);
    let (sender, mut chunks) = mpsc::channel(2);
    let inside = name.clone();
    tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces(sender.clone());
        if let Err(error) = crate::tar::write(&folder, &inside, &mut pieces) {
            // The body breaks off, so that nobody takes the part for the whole.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let body = Content::from_stream(futures::stream::poll_fn(move |context| chunks.poll_recv(context)));
    let kind = [(header::CONTENT_TYPE, "application/x-tar".to_owned())];
    Ok((kind, [(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.tar\""))], body).into_response())
}

pub async fn remove(State(app): State<App>, person: Person, Path(id): Path<u64>) -> Result<StatusCode> {
    need_packer(&person)?;
    let packet = app.proof_desk.packet(&person.scope, id).ok_or_else(|| ApiError::not_found("packet"))?;
    app.proof_desk.remove(packet.id);
    let told = format!("packet {id} of {} was removed", packet.system);
    audit::record(&app, Line::of(Action::EvidenceRemove, &person, told)).await;
    Ok(StatusCode::NO_CONTENT)
}

fn need_packer(person: &Person) -> Result<()> {
    if proof::may_pack(&person.scope) {
        return Ok(());
    }
    Err(ApiError::forbidden("packets of evidence hold raw lines; they are for auditors and administrators"))
}

/// A writer that hands its pieces to the body at the reader's pace.
struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(piece)).map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the reader went away"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
