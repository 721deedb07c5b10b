//! Paste-hunt: up to 10,000 indicators over all events and flows of a time range, in one pass.
//!
//! ```text
//! text ─refang─▶ indicators ─▶ one question to the index of each segment ─▶ rows of the blocks that may hold one
//!                          └─▶ matcher ◀─────────────────────────────────────────────┘ ─▶ count, first, last, systems
//! ```
//!
//! The range is read slice by slice, newest first. When time runs out, what was found stands, and the answer says from when
//! on it is whole: "none" is said only of a time that was looked at, with fields that the asker may read and that were kept.
//! Rows come through the scan of `events`, so scope and masking hold below the matcher.

mod matcher;
mod refang;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use event::{Field, Micros, Scope, field};
use futures::StreamExt;
use store::{Snapshot, index::Question};

use crate::{
    engine::{Engine, Given, out_of_time},
    error::{Error, ErrorKind, Result},
    limits::Limits,
    search::{Window, conditions, name},
    view::View,
};

use matcher::{Matcher, Tally};
pub use refang::{INDICATORS_MAX, Indicator, IndicatorKind, PASTE_BYTES_MAX, Pasted, read};

/// The whole pass takes no longer.
const TIME_MAX: Duration = Duration::from_secs(120);
/// Slices of the range, at most; the shortest is a day.
const SLICES_MAX: i64 = 24;
const DAY: Micros = 86_400_000_000;

/// A paste and where to look.
#[derive(Clone, Debug)]
pub struct PasteRequest {
    pub text: String,
    pub from: Micros,
    /// Up to and without this moment.
    pub to: Micros,
}

/// What a paste came to.
#[derive(Clone, Debug)]
pub struct PasteAnswer {
    /// In the order of the paste.
    pub findings: Vec<Finding>,
    pub pasted: Pasted,
    /// What can be searched at all, for each kind that was pasted.
    pub coverage: Vec<Coverage>,
    /// When the oldest event that the asker may see was stored; `None` when there is none.
    pub kept_since: Option<Micros>,
    /// The range was looked at from here on.
    pub searched_from: Micros,
    pub complete: bool,
    pub reason: Option<String>,
    pub took: Duration,
}

/// What is known of one indicator.
#[derive(Clone, Debug)]
pub struct Finding {
    pub indicator: Indicator,
    pub verdict: Verdict,
    pub count: u64,
    pub first: Option<Micros>,
    pub last: Option<Micros>,
    /// Systems with their numbers of events; the empty name stands for events of no system.
    pub systems: Vec<(String, u64)>,
    pub has_more_systems: bool,
    pub fields: Vec<Field>,
    /// The search text that shows its events.
    pub q: String,
}

/// Whether an indicator was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Hit,
    /// Not in the whole range.
    None,
    /// Not since this moment; before it, it cannot be said.
    NoneSince(Micros),
    /// It cannot be looked for: no field that may hold it was kept, or the asker may not read them.
    NotSearchable,
}

/// Where indicators of one kind may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    pub kind: IndicatorKind,
    /// Fields that were searched.
    pub fields: Vec<Field>,
    /// Fields that the asker's role may not read.
    pub hidden: Vec<Field>,
    /// When the oldest event with one of these fields was stored.
    pub since: Option<Micros>,
    /// The same without the line and the message: `None` says that no source gives this kind a field of its own.
    pub field_since: Option<Micros>,
}

impl Engine {
    /// Looks for all indicators of a text. Runs on the engine's threads; dropping the future ends it.
    pub async fn paste(self: &Arc<Self>, scope: &Scope, request: PasteRequest) -> Result<PasteAnswer> {
        if request.from >= request.to {
            return Err(Error::new(ErrorKind::Invalid, "the time range ends before it begins"));
        }
        if request.text.len() > PASTE_BYTES_MAX {
            return Err(Error::new(ErrorKind::Limit, format!("the paste is longer than {} MiB", PASTE_BYTES_MAX >> 20)));
        }
        let (engine, scope) = (self.clone(), scope.clone());
        self.work(async move { Pass::new(&engine, &scope, request)?.run().await }).await
    }
}

/// One paste on its way.
struct Pass {
    engine: Arc<Engine>,
    scope: Scope,
    request: PasteRequest,
    pasted: Pasted,
    matcher: Matcher,
    tallies: Vec<Tally>,
    coverage: Vec<Coverage>,
    kept_since: Option<Micros>,
    /// Earliest and latest claimed time of what the asker may see.
    span: Option<(Micros, Micros)>,
    question: Question,
    /// One instant for all slices.
    snapshot: Arc<Snapshot>,
    started: Instant,
}

/// Why a pass ended before its time.
struct Cut {
    searched_from: Micros,
    reason: String,
}

impl Pass {
    fn new(engine: &Arc<Engine>, scope: &Scope, request: PasteRequest) -> Result<Self> {
        let started = Instant::now();
        let pasted = read(&request.text);
        let snapshot = engine.snapshot();
        let view = engine.view_of(&snapshot, scope);
        let has = |kind: &IndicatorKind| pasted.indicators.iter().any(|one| one.kind == *kind);
        Ok(Self {
            engine: engine.clone(),
            scope: scope.clone(),
            matcher: Matcher::new(&pasted.indicators)?,
            tallies: vec![Tally::default(); pasted.indicators.len()],
            coverage: IndicatorKind::ALL.into_iter().filter(has).map(|kind| coverage(&view, kind)).collect(),
            kept_since: view.kept_since(|_| true),
            span: view.span(),
            question: matcher::question(&pasted.indicators),
            snapshot,
            pasted,
            request,
            started,
        })
    }

    async fn run(mut self) -> Result<PasteAnswer> {
        let cut = if self.pasted.indicators.is_empty() { None } else { self.read_all().await? };
        let searched_from = cut.as_ref().map_or(self.request.from, |cut| cut.searched_from);
        let findings = self.findings(searched_from);
        Ok(PasteAnswer {
            findings,
            coverage: self.coverage,
            kept_since: self.kept_since,
            searched_from,
            complete: cut.is_none(),
            reason: cut.map(|cut| cut.reason),
            took: self.started.elapsed(),
            pasted: self.pasted,
        })
    }

    /// Reads slice by slice, newest first. What a broken-off slice gave stays: hits are hits.
    async fn read_all(&mut self) -> Result<Option<Cut>> {
        let Some((oldest, newest)) = self.span else { return Ok(None) };
        let from = self.request.from.max(oldest);
        let mut to = self.request.to.min(newest.saturating_add(1));
        let width = ((to - from) / SLICES_MAX).max(DAY);
        while to > from {
            let start = to.saturating_sub(width).max(from);
            let left = TIME_MAX.saturating_sub(self.started.elapsed());
            if left.is_zero() {
                return Ok(Some(Cut {
                    searched_from: to,
                    reason: format!("the time limit of {} s was reached", TIME_MAX.as_secs()),
                }));
            }
            if let Err(error) = self.read_slice(start, to, left).await {
                let is_first = to == self.request.to.min(newest.saturating_add(1));
                return match error.kind {
                    ErrorKind::Limit | ErrorKind::Cancelled => Ok(Some(Cut { searched_from: to, reason: error.message })),
                    ErrorKind::Busy if !is_first => Ok(Some(Cut { searched_from: to, reason: error.message })),
                    _ => Err(error),
                };
            }
            to = start;
        }
        Ok(None)
    }

    async fn read_slice(&mut self, from: Micros, to: Micros, left: Duration) -> Result<()> {
        let mut columns = vec![field::TIMESTAMP, field::SYSTEM_ID];
        let is_hidden = |field: &Field| self.coverage.iter().any(|coverage| coverage.hidden.contains(field));
        columns.extend(matcher::columns(&self.pasted.indicators).into_iter().filter(|field| !is_hidden(field)));
        let columns: Vec<String> = columns.iter().map(|field| name(field.name())).collect();
        let window = conditions("true", &Window { from: Some(from), to: Some(to), limit: None });
        let sql = format!("SELECT {} FROM events WHERE {window}", columns.join(", "));
        let limits = self.engine.limits();
        let limits = Limits { time: limits.time.min(left), ..limits.clone() };
        if limits.time.is_zero() {
            return Err(out_of_time(&limits));
        }
        let given = Given { snapshot: Some(self.snapshot.clone()), narrow: Some(self.question.clone()), ..Given::default() };
        let mut rows = self.engine.sql_given(&self.scope, &sql, Some(limits), given).await?;
        while let Some(batch) = rows.next().await {
            self.matcher.look(&batch?, &mut self.tallies)?;
        }
        Ok(())
    }

    fn findings(&mut self, searched_from: Micros) -> Vec<Finding> {
        let tallies = std::mem::take(&mut self.tallies);
        let one = |(indicator, tally): (&Indicator, Tally)| {
            let fields: Vec<Field> = tally.fields().collect();
            let mut systems: Vec<(String, u64)> = tally.systems.into_iter().collect();
            systems.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
            Finding {
                verdict: self.verdict(indicator.kind, tally.count, searched_from),
                q: search_text(indicator, &fields),
                indicator: indicator.clone(),
                count: tally.count,
                first: tally.first,
                last: tally.last,
                systems,
                has_more_systems: tally.has_more_systems,
                fields,
            }
        };
        self.pasted.indicators.iter().zip(tallies).map(one).collect()
    }

    fn verdict(&self, kind: IndicatorKind, count: u64, searched_from: Micros) -> Verdict {
        let since = self.coverage.iter().find(|coverage| coverage.kind == kind).and_then(|coverage| coverage.since);
        match since {
            _ if count > 0 => Verdict::Hit,
            None => Verdict::NotSearchable,
            Some(_) if searched_from >= self.request.to => Verdict::NotSearchable,
            Some(since) => match since.max(searched_from) {
                since if since > self.request.from => Verdict::NoneSince(since),
                _ => Verdict::None,
            },
        }
    }
}

fn coverage(view: &View, kind: IndicatorKind) -> Coverage {
    let is_hidden = |field: &Field| view.schema.index_of(field.name()).is_ok_and(|at| view.hidden[at].is_some());
    let (hidden, fields): (Vec<Field>, Vec<Field>) = matcher::fields_of(kind).partition(is_hidden);
    let is_own = |field: &Field| !store::indexing::is_text(field.name());
    Coverage {
        kind,
        since: view.kept_since(|name| fields.iter().any(|field| field.name() == name)),
        field_since: view.kept_since(|name| fields.iter().any(|field| field.name() == name && is_own(field))),
        fields,
        hidden,
    }
}

/// The search that shows the events of an indicator: by the fields it stood in, else by what people would type.
fn search_text(indicator: &Indicator, fields: &[Field]) -> String {
    let value = &indicator.value;
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let own = fields.iter().filter(|field| !store::indexing::is_text(field.name())).map(|field| match indicator.kind {
        IndicatorKind::Network => format!("{}:{value}", field.name()),
        IndicatorKind::Url => {
            let (host, path) = matcher::split_url(value);
            let path = path.split('?').next().unwrap_or(path);
            format!("(url.domain:{} and url.path:{})", quoted(host), quoted(path))
        }
        _ => format!("{}:{}", field.name(), quoted(value)),
    });
    let mut parts: Vec<String> = own.collect();
    if fields.iter().any(|field| store::indexing::is_text(field.name())) {
        parts.push(quoted(value));
    }
    match (parts.is_empty(), indicator.kind) {
        (false, _) => parts.join(" or "),
        (true, IndicatorKind::Network) => format!("related.ip:{value}"),
        (true, _) => quoted(value),
    }
}
