//! What detection hands over: a rule's card, an event in short, and why the rule matched.
//!
//! The card is a copy of what people need to read at 3 a.m.; this crate knows no rule engine.

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{DataType, TimestampMicrosecondType},
    record_batch::RecordBatch,
    util::display::array_value_to_string,
};
use event::{Micros, UNASSIGNED, severity::Severity};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

pub use state::alerts::Evidence;

/// Fields that name an entity, the best first, where a rule declares no grouping.
pub const ENTITY_FIELDS: [&str; 3] = ["source.ip", "host.name", "user.name"];

/// Longest summary and evidence value kept, in characters: event text is the attacker's.
const TEXT_MAX: usize = 300;

/// What an alert shows of its rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleCard {
    pub id: String,
    pub title: String,
    /// Falls back to `title` where empty.
    pub title_vi: String,
    pub level: Severity,
    /// Sigma `status`: stable, test, experimental …
    pub status: String,
    pub author: String,
    pub tags: Vec<String>,
    pub description: String,
    pub description_vi: String,
    pub falsepositives: Vec<String>,
    pub references: Vec<String>,
    pub response_vi: Vec<String>,
    pub response_en: Vec<String>,
    /// `category/product/service` of the log source, for the family of rules without ATT&CK tags.
    pub logsource: String,
    /// Fields whose values, together, make one alert.
    pub group_by: Vec<String>,
    /// See [`RuleCard::json`].
    #[serde(skip)]
    pub text: OnceLock<Arc<str>>,
}

impl RuleCard {
    /// The card as JSON text, made once.
    pub fn json(&self) -> Arc<str> {
        let text = || serde_json::to_string(self).expect("texts and lists of texts serialise").into();
        self.text.get_or_init(text).clone()
    }
}

/// One match.
#[derive(Clone, Debug)]
pub struct Found {
    pub rule: Arc<RuleCard>,
    pub event: EventSummary,
    pub evidence: Vec<Evidence>,
}

/// What respond needs of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventSummary {
    /// `event.id`.
    pub id: String,
    /// The log frame it came in; matches at or before the cursor were recorded already.
    pub sequence: u64,
    pub timestamp: Micros,
    pub ingested: Micros,
    pub system: String,
    pub system_level: Option<u8>,
    /// Entity fields and the rule's grouping fields, where they have a value.
    pub values: Vec<(String, String)>,
    /// The line in short.
    pub summary: String,
}

/// Reads rows of one batch; looks each column up once.
pub struct EventReader<'a> {
    columns: HashMap<&'a str, &'a ArrayRef>,
}

impl<'a> EventReader<'a> {
    pub fn new(batch: &'a RecordBatch) -> Self {
        let names = batch.schema_ref().fields().iter().map(|field| field.name().as_str());
        Self { columns: names.zip(batch.columns()).collect() }
    }

    /// Reads a row; `group_by` names the fields that the rule groups by.
    pub fn read(&self, row: usize, group_by: &[String]) -> EventSummary {
        let id = self.text(row, "event.id").unwrap_or_default();
        let ingested = self.time(row, "event.ingested").unwrap_or_default();
        let mut values: Vec<(String, String)> = Vec::new();
        for field in group_by.iter().map(String::as_str).chain(ENTITY_FIELDS) {
            if values.iter().all(|(known, _)| known != field)
                && let Some(value) = self.text(row, field)
            {
                values.push((field.to_owned(), value));
            }
        }
        let summary = self.text(row, "message").or_else(|| self.text(row, "event.original")).unwrap_or_default();
        EventSummary {
            sequence: sequence_of(&id).unwrap_or(0),
            timestamp: self.time(row, "timestamp").unwrap_or(ingested),
            ingested,
            system: self.text(row, "system.id").unwrap_or_else(|| UNASSIGNED.to_owned()),
            system_level: self.text(row, "system.level").and_then(|level| level.parse().ok()),
            values,
            summary: cut(&summary),
            id,
        }
    }

    fn text(&self, row: usize, name: &str) -> Option<String> {
        let column = *self.columns.get(name)?;
        if column.is_null(row) {
            return None;
        }
        let value = match column.data_type() {
            DataType::Utf8View => column.as_string_view().value(row).to_owned(),
            _ => array_value_to_string(column, row).ok()?,
        };
        (!value.is_empty()).then_some(value)
    }

    fn time(&self, row: usize, name: &str) -> Option<Micros> {
        let column = self.columns.get(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        (!column.is_null(row)).then(|| column.value(row))
    }
}

impl EventSummary {
    /// The value of one of [`EventSummary::values`].
    pub fn value(&self, field: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }
}

/// The frame sequence inside an `event.id` (`node-sequence-index`; a node may contain dashes).
pub fn sequence_of(event_id: &str) -> Option<u64> {
    event_id.rsplit('-').nth(1)?.parse().ok()
}

/// Cuts a text to what is kept of it.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, Int64Array, StringViewArray, TimestampMicrosecondArray},
        record_batch::RecordBatch,
    };

    use super::*;

    #[test]
    fn reads_a_row_of_a_batch() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("timestamp", Arc::new(TimestampMicrosecondArray::from(vec![7]).with_timezone("UTC"))),
            ("event.ingested", Arc::new(TimestampMicrosecondArray::from(vec![9]).with_timezone("UTC"))),
            ("event.id", Arc::new(StringViewArray::from(vec!["node-a-42-3"]))),
            ("system.id", Arc::new(StringViewArray::from(vec!["mot-cua"]))),
            ("system.level", Arc::new(Int64Array::from(vec![3]))),
            ("source.ip", Arc::new(StringViewArray::from(vec!["203.0.113.9"]))),
            ("url.path", Arc::new(StringViewArray::from(vec![None::<&str>]))),
            ("message", Arc::new(StringViewArray::from(vec!["đ".repeat(400)]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let event = EventReader::new(&batch).read(0, &["url.path".into(), "source.ip".into()]);
        assert_eq!((event.sequence, event.timestamp, event.ingested, event.system_level), (42, 7, 9, Some(3)));
        assert_eq!(event.values, [("source.ip".to_owned(), "203.0.113.9".to_owned())]);
        assert_eq!(event.summary.chars().count(), 301);
    }

    #[test]
    fn an_id_of_another_shape_has_no_sequence() {
        assert_eq!(sequence_of("x"), None);
        assert_eq!(sequence_of("n-x-1"), None);
        assert_eq!(sequence_of("a-b-7-0"), Some(7));
    }
}
