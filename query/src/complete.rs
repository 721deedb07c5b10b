//! Completion of the search box: the place is read from the text ([`crate::search`]), values are counted here.
//!
//! Values are asked of the engine like any question, in the asker's scope and through its masks, over the newest rows only and
//! under a short time limit: a field that the asker may not read has none, and a busy server gives none rather than wait.

use std::{sync::Arc, time::Duration};

use event::{Field, Kind, Scope};

use crate::{
    engine::Engine,
    limits::Limits,
    mask::hidden,
    search::{
        SUGGESTIONS_MAX, Suggestion, SuggestionKind,
        complete::{Wanted, place},
        name,
    },
};

/// Rows that values are counted in.
const ROWS_MAX: usize = 20_000;

/// Different values that are looked at.
const VALUES_MAX: usize = 500;

const TIME: Duration = Duration::from_millis(800);

/// What may stand at the caret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// In bytes: what is taken goes from here to the caret.
    pub start: usize,
    pub suggestions: Vec<Suggestion>,
}

impl Engine {
    /// Suggestions for a caret (in bytes) in a search text, best first.
    pub async fn complete(self: &Arc<Self>, scope: &Scope, text: &str, caret: usize) -> Completion {
        let place = place(text, caret, &self.seen(scope));
        let suggestions = match place.wanted {
            Wanted::Nothing => vec![],
            Wanted::These(list) => list,
            Wanted::Values { field, quoted } => self.values(scope, &field, &place.typed, quoted).await,
        };
        Completion { start: place.start, suggestions }
    }

    /// The most frequent values among the newest rows, of a field that has few of them.
    async fn values(self: &Arc<Self>, scope: &Scope, field: &str, typed: &str, quoted: bool) -> Vec<Suggestion> {
        let Some(definition) = Field::by_name(field).map(Field::definition) else { return vec![] };
        let value = |text: &str, detail: String| Suggestion {
            kind: SuggestionKind::Value,
            text: text.to_owned(),
            detail,
            en: String::new(),
            vi: String::new(),
        };
        if definition.kind == Kind::Boolean {
            return ["true", "false"]
                .iter()
                .filter(|text| text.starts_with(typed))
                .map(|text| value(text, String::new()))
                .collect();
        }
        let is_few = definition.kind == Kind::Keyword && (definition.intern || definition.list);
        if !is_few || hidden(scope, field).is_some() {
            return vec![];
        }
        let column = if definition.list { format!("unnest({})", name(field)) } else { name(field) };
        let sql = format!(
            "SELECT value, count(*) AS n FROM (SELECT {column} AS value FROM events WHERE {} IS NOT NULL LIMIT {ROWS_MAX}) AS t GROUP BY value ORDER BY n DESC, value LIMIT {VALUES_MAX}",
            name(field)
        );
        let limits = Limits { time: TIME, wait: TIME / 4, rows_max: VALUES_MAX, ..self.limits().clone() };
        let answer = match self.sql(scope, &sql, Some(limits)).await {
            Ok(rows) => rows.collect().await,
            Err(_) => return vec![],
        };
        let Ok(rows) = answer.and_then(|answer| crate::encode::json_rows(&answer.batches, crate::encode::Nulls::Omit)) else {
            return vec![];
        };
        let wanted = event::fold::like("", typed).to_lowercase();
        let mut out = Vec::new();
        for row in rows {
            let (Some(text), Some(n)) = (row.get("value").and_then(|value| value.as_str()), row.get("n")) else { continue };
            if event::fold::like("", text).to_lowercase().starts_with(&wanted) && out.len() < SUGGESTIONS_MAX {
                out.push(value(&written(text, quoted), n.to_string()));
            }
        }
        out
    }
}

/// A value as it is written in a search: between quotation marks where it must be.
fn written(text: &str, quoted: bool) -> String {
    let is_plain = !quoted && !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if is_plain { text.to_owned() } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) }
}
