//! Exports without a ceiling on rows, as a download. A GET: it changes nothing, and a browser writes it straight to disk.
//!
//! Who took what, how many rows, and whether the file is whole is an audit event, written when the export ends, however it ends.

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use query::export::{Export, Format, Wanted};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{
    Params,
    hunt::{Mode, misread},
};
use crate::{
    App,
    audit::{self, Action, Line},
    auth::Person,
    error::{ApiError, Result},
    time::{read, rfc3339},
};

/// Characters of a question that an audit event holds.
pub const TOLD_CHARS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    #[serde(default)]
    q: String,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    format: String,
    #[serde(default)]
    columns: String,
}

pub async fn show(State(app): State<App>, person: Person, Params(asked): Params<Question>) -> Result<Response> {
    let format = Format::by_name(&asked.format)
        .ok_or_else(|| ApiError::bad("invalid", format!("format {:?} is none of csv, ndjson, parquet", asked.format)))?;
    let wanted = if asked.mode == Mode::Sql {
        if !person.scope.role.may_write_sql() {
            return Err(ApiError::forbidden("your role may search, not write SQL"));
        }
        Wanted::Sql(asked.q.clone())
    } else {
        let columns = asked.columns.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Wanted::Search { q: asked.q.clone(), from: read("from", &asked.from)?, to: read("to", &asked.to)?, columns }
    };
    let export = app.engine.export(&person.scope, wanted, format).await.map_err(|error| misread(error, &asked.q))?;
    let what = if asked.mode == Mode::Sql { "SQL".to_owned() } else { format!("search from {} to {}", asked.from, asked.to) };
    let told: String = asked.q.chars().take(TOLD_CHARS_MAX).collect();
    Ok(download(app, person, what, told, format, export))
}

/// An export as an answer; `what` and `told` are for the audit event.
pub fn download(app: App, person: Person, what: String, told: String, format: Format, export: Export) -> Response {
    let name = format!("chieng-{}.{}", rfc3339(app.clock.now()).replace([':', '-', '.'], ""), format.name());
    let (sender, mut chunks) = mpsc::channel(1);
    tokio::spawn(hand_over(app, person, (what, told), format, export, sender));
    let body = Body::from_stream(futures::stream::poll_fn(move |context| chunks.poll_recv(context)));
    let kind = [(header::CONTENT_TYPE, format.media_type().to_owned())];
    (kind, [(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))], body).into_response()
}

/// Passes the pieces on at the reader's pace, then writes down what came of it.
async fn hand_over(
    app: App,
    person: Person,
    (what, told): (String, String),
    format: Format,
    mut export: Export,
    sender: mpsc::Sender<std::result::Result<Bytes, query::Error>>,
) {
    let outcome = loop {
        match export.next().await {
            None => break Ok(()),
            Some(Ok(chunk)) => {
                if sender.send(Ok(chunk.into())).await.is_err() {
                    break Err("the reader went away".to_owned());
                }
            }
            Some(Err(error)) => {
                let why = error.to_string();
                // The body breaks off, so that nobody takes the part for the whole.
                let _ = sender.send(Err(error)).await;
                break Err(why);
            }
        }
    };
    let ending = outcome.as_ref().err().map(|why| format!(", broken off: {why}")).unwrap_or_default();
    let message = format!("{} rows as {}, {what}{ending}: {told}", export.rows(), format.name());
    let line = Line::of(Action::Export, &person, message);
    audit::record(&app, if outcome.is_ok() { line } else { line.failed() }).await;
}
