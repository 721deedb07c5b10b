//! `alerts`, `incidents` and `observations` as tables that `query` shows.
//!
//! Columns are text views, numbers and UTC timestamps; `system.id` is the scope column of each. Personal values stand in
//! columns that carry the name of their meaning (`entity.value`), so that `query` can mask them.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int64Array, StringViewArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
    record_batch::RecordBatch,
};
use event::{
    Micros, Scope,
    seam::{BoxFuture, SeamError, TableSource},
};

use crate::{
    Result, State, alerts,
    incidents::{self, Incident},
    observations::ObservationFilter,
};

impl State {
    /// The tables of this module's rows, for `query`.
    pub fn response_tables(&self) -> Vec<Arc<dyn TableSource>> {
        vec![Arc::new(Alerts(self.clone())), Arc::new(Incidents(self.clone())), Arc::new(Observations(self.clone()))]
    }
}

struct Alerts(State);
struct Incidents(State);
struct Observations(State);

enum Column {
    Text(Vec<Option<String>>),
    Number(Vec<Option<i64>>),
    Time(Vec<Option<Micros>>),
}

impl Column {
    fn data_type(&self) -> DataType {
        match self {
            Self::Text(_) => DataType::Utf8View,
            Self::Number(_) => DataType::Int64,
            Self::Time(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    fn array(self) -> ArrayRef {
        match self {
            Self::Text(values) => Arc::new(StringViewArray::from_iter(values)),
            Self::Number(values) => Arc::new(Int64Array::from(values)),
            Self::Time(values) => Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")),
        }
    }
}

/// The columns of a table, in order; the rows decide nothing about their types, so an empty list gives the schema.
type Columns = Vec<(&'static str, Column)>;

fn texts<T>(rows: &[T], value: impl Fn(&T) -> &str) -> Column {
    Column::Text(rows.iter().map(|row| Some(value(row).to_owned())).collect())
}

fn maybe_texts<T>(rows: &[T], value: impl Fn(&T) -> Option<String>) -> Column {
    Column::Text(rows.iter().map(value).collect())
}

fn numbers<T>(rows: &[T], value: impl Fn(&T) -> Option<i64>) -> Column {
    Column::Number(rows.iter().map(value).collect())
}

fn times<T>(rows: &[T], value: impl Fn(&T) -> Option<Micros>) -> Column {
    Column::Time(rows.iter().map(value).collect())
}

fn schema(columns: &Columns) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(name, column)| Field::new(*name, column.data_type(), true)).collect::<Vec<_>>()))
}

fn batches(columns: Columns) -> Result<Vec<RecordBatch>, SeamError> {
    let schema = schema(&columns);
    let arrays = columns.into_iter().map(|(_, column)| column.array()).collect();
    Ok(vec![RecordBatch::try_new(schema, arrays).map_err(|error| SeamError(error.to_string()))?])
}

fn failed(error: crate::Error) -> SeamError {
    SeamError(error.to_string())
}

fn alert_columns(rows: &[alerts::Alert]) -> Columns {
    vec![
        ("timestamp", times(rows, |alert| Some(alert.last_seen))),
        ("id", texts(rows, |alert| &alert.id)),
        ("incident", numbers(rows, |alert| Some(alert.incident))),
        ("rule.id", texts(rows, |alert| &alert.rule_id)),
        ("rule.name", texts(rows, |alert| &alert.title_en)),
        ("rule.name_vi", texts(rows, |alert| &alert.title_vi)),
        ("rule.level", texts(rows, |alert| alert.rule_level.name())),
        ("severity", texts(rows, |alert| alert.severity.name())),
        ("system.id", texts(rows, |alert| &alert.system)),
        ("system.level", numbers(rows, |alert| alert.system_level.map(i64::from))),
        ("entity.kind", texts(rows, |alert| &alert.entity.kind)),
        ("entity.value", texts(rows, |alert| &alert.entity.value)),
        ("family", texts(rows, |alert| &alert.family)),
        ("decision", texts(rows, |alert| &alert.decision)),
        ("window_start", times(rows, |alert| Some(alert.window_start))),
        ("first_seen", times(rows, |alert| Some(alert.first_seen))),
        ("last_seen", times(rows, |alert| Some(alert.last_seen))),
        ("count", numbers(rows, |alert| Some(alert.count as i64))),
    ]
}

fn incident_columns(rows: &[Incident]) -> Columns {
    vec![
        ("timestamp", times(rows, |incident| Some(incident.last_seen))),
        ("number", numbers(rows, |incident| Some(incident.id))),
        ("status", texts(rows, |incident| incident.status.name())),
        ("severity", texts(rows, |incident| incident.severity.name())),
        ("system.id", texts(rows, |incident| &incident.system)),
        ("system.level", numbers(rows, |incident| incident.system_level.map(i64::from))),
        ("entity.kind", texts(rows, |incident| &incident.entity.kind)),
        ("entity.value", texts(rows, |incident| &incident.entity.value)),
        ("family", texts(rows, |incident| &incident.family)),
        ("title", texts(rows, |incident| &incident.title_en)),
        ("title_vi", texts(rows, |incident| &incident.title_vi)),
        ("first_seen", times(rows, |incident| Some(incident.first_seen))),
        ("last_seen", times(rows, |incident| Some(incident.last_seen))),
        ("opened", times(rows, |incident| Some(incident.opened))),
        ("paged", times(rows, |incident| incident.paged)),
        ("acknowledged", times(rows, |incident| incident.acknowledged_at)),
        ("acknowledged_by", maybe_texts(rows, |incident| incident.acknowledged_by.clone())),
        ("closed", times(rows, |incident| incident.closed_at)),
        ("verdict", maybe_texts(rows, |incident| incident.verdict.map(|verdict| verdict.name().to_owned()))),
        ("alerts", numbers(rows, |incident| Some(incident.alerts as i64))),
        ("events", numbers(rows, |incident| Some(incident.events as i64))),
        ("reopened", numbers(rows, |incident| Some(i64::from(incident.reopened)))),
    ]
}

fn observation_columns(rows: &[crate::observations::Observation]) -> Columns {
    vec![
        ("timestamp", times(rows, |seen| Some(seen.last_seen))),
        ("entity", texts(rows, |seen| &seen.entity)),
        ("key", texts(rows, |seen| &seen.key)),
        ("value", texts(rows, |seen| &seen.value)),
        ("system.id", texts(rows, |seen| &seen.system)),
        ("event.id", texts(rows, |seen| &seen.event_id)),
    ]
}

impl TableSource for Alerts {
    fn name(&self) -> &'static str {
        "alerts"
    }

    fn schema(&self) -> SchemaRef {
        schema(&alert_columns(&[]))
    }

    fn scope_column(&self) -> Option<&'static str> {
        Some("system.id")
    }

    fn scan(&self) -> BoxFuture<'_, Result<Vec<RecordBatch>, SeamError>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT * FROM alert ORDER BY last_seen").fetch_all(self.0.pool()).await;
            let rows = rows.map_err(|error| failed(error.into()))?;
            let alerts = rows.iter().map(alerts::read).collect::<Result<Vec<_>>>().map_err(failed)?;
            batches(alert_columns(&alerts))
        })
    }
}

impl TableSource for Incidents {
    fn name(&self) -> &'static str {
        "incidents"
    }

    fn schema(&self) -> SchemaRef {
        schema(&incident_columns(&[]))
    }

    fn scope_column(&self) -> Option<&'static str> {
        Some("system.id")
    }

    fn scan(&self) -> BoxFuture<'_, Result<Vec<RecordBatch>, SeamError>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT * FROM incident ORDER BY id").fetch_all(self.0.pool()).await;
            let rows = rows.map_err(|error| failed(error.into()))?;
            let incidents = rows.iter().map(incidents::read).collect::<Result<Vec<_>>>().map_err(failed)?;
            batches(incident_columns(&incidents))
        })
    }
}

impl TableSource for Observations {
    fn name(&self) -> &'static str {
        "observations"
    }

    fn schema(&self) -> SchemaRef {
        schema(&observation_columns(&[]))
    }

    fn scope_column(&self) -> Option<&'static str> {
        Some("system.id")
    }

    fn scan(&self) -> BoxFuture<'_, Result<Vec<RecordBatch>, SeamError>> {
        Box::pin(async move {
            let seen = self.0.observations(&Scope::internal("query"), &ObservationFilter::default()).await.map_err(failed)?;
            batches(observation_columns(&seen))
        })
    }
}
