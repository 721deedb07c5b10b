//! What the newest event says of an entity: the follower that feeds `observations`.
//!
//! Only what events list and a check asks for: the state of PCs and anti-malware as consoles report it. It reads columns,
//! not lines, and its writes are idempotent by event id.

use arrow::array::{Array, AsArray, StringViewArray};
use arrow::datatypes::TimestampMicrosecondType;
use event::EventBatch;
use state::observations::Observation;

/// Fields outside the catalogue whose newest value is kept: column, key of the observation.
const KEPT: &[(&str, &str)] = &[
    ("antimalware.state", "antimalware.state"),
    ("antimalware.signature_date", "antimalware.signature_date"),
    ("endpoint.managed", "endpoint.managed"),
    ("endpoint.expected", "endpoint.expected"),
    ("endpoint.protected", "endpoint.protected"),
    ("endpoint.outdated", "endpoint.outdated"),
    ("endpoint.signature_age_days", "endpoint.signature_age_days"),
];

/// Reads the observations of a block.
pub fn read(batches: &[EventBatch]) -> Vec<Observation> {
    let mut found = Vec::new();
    for batch in batches {
        for (column, key) in KEPT {
            if let Some(values) = text(batch, column) {
                add(batch, values, key, &mut found);
            }
        }
    }
    found
}

fn add(batch: &EventBatch, values: &StringViewArray, key: &str, found: &mut Vec<Observation>) {
    let time = batch.batch.column_by_name("timestamp").and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    let (Some(time), Some(id)) = (time, text(batch, "event.id")) else { return };
    let (system, unit, host) = (text(batch, "system.id"), text(batch, "organization.id"), text(batch, "host.name"));
    let at = |column: Option<&StringViewArray>, row: usize| {
        column.filter(|column| column.is_valid(row)).map(|column| column.value(row).to_owned())
    };
    for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
        found.push(Observation {
            entity: entity(key, at(host, row), at(unit, row)),
            key: key.to_owned(),
            value: values.value(row).to_owned(),
            system: at(system, row).unwrap_or_else(|| event::UNASSIGNED.to_owned()),
            last_seen: time.value(row),
            event_id: id.value(row).to_owned(),
        });
    }
}

/// A machine's own state belongs to the machine, a console's sum to the unit it counts.
fn entity(key: &str, host: Option<String>, unit: Option<String>) -> String {
    match (key.starts_with("antimalware."), host, unit) {
        (true, Some(host), _) | (false, Some(host), None) => format!("host:{host}"),
        (_, _, Some(unit)) => format!("unit:{unit}"),
        (_, None, None) => String::new(),
    }
}

fn text<'a>(batch: &'a EventBatch, name: &str) -> Option<&'a StringViewArray> {
    batch.batch.column_by_name(name)?.as_string_view_opt()
}
