//! Live tail over server-sent events. A GET, so that the browser's `EventSource` can open it with the session's cookie alone.
//!
//! ```text
//! event: rows   data: { rows, missed }         some rows, and how many were left out before them
//! event: end    data: { code, message }        no more will come
//! : alive                                      nothing to tell, every 15 s
//! ```
//!
//! A tail ends with its session, when the account's role or systems change, when the server stops, when nobody reads.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::stream;
use query::{Step, Tail, encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Params,
    hunt::{misread, with_plain_timestamp},
};
use crate::{
    App,
    auth::Person,
    error::{ApiError, Result},
};

const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// How often it is looked whether the session still stands, and whether the server is stopping.
const SESSION_EVERY: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    #[serde(default)]
    q: String,
    /// End after so many seconds.
    #[serde(default)]
    seconds: Option<u64>,
}

pub async fn show(State(app): State<App>, person: Person, Params(wanted): Params<Wanted>) -> Result<Response> {
    let tail = app.engine.tail(&person.scope, &wanted.q).map_err(|error| misread(error, &wanted.q))?;
    let watching = Watching {
        app,
        person,
        tail,
        until: wanted.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds.min(86_400))),
        checked: Instant::now(),
        has_ended: false,
    };
    let events = stream::unfold(watching, |mut watching| async move {
        let event = watching.next().await?;
        Some((Ok::<_, Infallible>(event), watching))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE_EVERY).text("alive")).into_response())
}

struct Watching {
    app: App,
    person: Person,
    tail: Tail,
    until: Option<Instant>,
    /// When the session was last seen to stand.
    checked: Instant,
    has_ended: bool,
}

impl Watching {
    async fn next(&mut self) -> Option<Event> {
        while !self.has_ended {
            if self.until.is_some_and(|until| Instant::now() >= until) {
                return None;
            }
            if let Some(end) = self.reason_to_end().await {
                return self.end(&end);
            }
            match tokio::time::timeout(LOOK_EVERY, self.tail.next()).await {
                Err(_) => {}
                Ok(None) => return None,
                Ok(Some(Ok(step))) => return Some(told(&step).unwrap_or_default()),
                Ok(Some(Err(error))) => return self.end(&crate::ask::refused(error)),
            }
        }
        None
    }

    async fn reason_to_end(&mut self) -> Option<ApiError> {
        if !self.app.facts.is_ready() {
            return Some(ApiError::bad("closing", "the server is stopping"));
        }
        if self.checked.elapsed() < SESSION_EVERY {
            return None;
        }
        self.checked = Instant::now();
        // Watching is no use of a session: it must not keep an idle one open.
        match self.app.state.session_stands(&self.person.session, self.app.clock.now()).await {
            Ok(Some(user)) if user.scope() == self.person.scope => None,
            Ok(Some(_)) => Some(ApiError::bad("changed", "the rights of this account have changed; open the tail again")),
            Ok(None) => Some(ApiError::bad("unauthenticated", "the session has ended; log in again")),
            Err(error) => Some(error.into()),
        }
    }

    fn end(&mut self, why: &ApiError) -> Option<Event> {
        self.has_ended = true;
        Event::default().event("end").json_data(json!({ "code": why.code, "message": why.message })).ok()
    }
}

fn told(step: &Step) -> Option<Event> {
    let rows = encode::json_rows(&step.rows, encode::Nulls::Omit).ok()?;
    let rows: Vec<Value> = rows.into_iter().map(|row| Value::Object(with_plain_timestamp(row))).collect();
    Event::default().event("rows").json_data(json!({ "rows": rows, "missed": step.missed })).ok()
}
