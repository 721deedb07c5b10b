//! The register as SQL tables: `systems`, `assets`, `organisations`, all versions with their dates.
//!
//! A question about a moment filters `valid_from <= t AND (valid_to IS NULL OR valid_to > t)`.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, BooleanArray, Date32Array, Int64Array, StringViewArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use chrono::NaiveDate;
use event::{
    Micros, Scope,
    catalogue::timestamp_type,
    seam::{BoxFuture, SeamError, TableSource},
};

use super::{Asset, Organisation, Register, System};
use crate::State;

/// Table `systems`.
#[derive(Clone, Debug)]
pub struct SystemsTable(pub State);

/// Table `assets`.
#[derive(Clone, Debug)]
pub struct AssetsTable(pub State);

/// Table `organisations`: for people who see all systems.
#[derive(Clone, Debug)]
pub struct OrganisationsTable(pub State);

static SYSTEMS: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("system.id", DataType::Utf8View),
        ("name", DataType::Utf8View),
        ("system.level", DataType::Int64),
        ("organization.id", DataType::Utf8View),
        ("owner", DataType::Utf8View),
        ("operator", DataType::Utf8View),
        ("approval", DataType::Utf8View),
        ("decision_number", DataType::Utf8View),
        ("decision_date", DataType::Date32),
        ("decision_body", DataType::Utf8View),
        ("retention_months", DataType::Int64),
        ("monitored", DataType::Boolean),
        ("monitored_from", timestamp_type()),
        ("valid_from", timestamp_type()),
        ("valid_to", timestamp_type()),
    ])
});

static ASSETS: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("system.id", DataType::Utf8View),
        ("kind", DataType::Utf8View),
        ("value", DataType::Utf8View),
        ("name", DataType::Utf8View),
        ("role", DataType::Utf8View),
        ("quantity", DataType::Int64),
        ("expected_source", DataType::Boolean),
        ("classes", DataType::Utf8View),
        ("shared", DataType::Boolean),
        ("valid_from", timestamp_type()),
        ("valid_to", timestamp_type()),
    ])
});

static ORGANISATIONS: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("organization.id", DataType::Utf8View),
        ("name", DataType::Utf8View),
        ("tier", DataType::Utf8View),
        ("parent", DataType::Utf8View),
        ("valid_from", timestamp_type()),
        ("valid_to", timestamp_type()),
    ])
});

fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>()))
}

fn text<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringViewArray>())
}

fn time(values: impl Iterator<Item = Option<Micros>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn flag(values: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<BooleanArray>())
}

fn long(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

fn day(values: impl Iterator<Item = Option<NaiveDate>>) -> ArrayRef {
    let epoch = NaiveDate::default();
    Arc::new(values.map(|day| day.map(|day| (day - epoch).num_days() as i32)).collect::<Date32Array>())
}

fn systems(rows: &[System]) -> Vec<ArrayRef> {
    vec![
        text(rows.iter().map(|s| Some(s.id.as_str()))),
        text(rows.iter().map(|s| Some(s.name.as_str()))),
        long(rows.iter().map(|s| Some(s.level.into()))),
        text(rows.iter().map(|s| s.unit.as_deref())),
        text(rows.iter().map(|s| Some(s.owner.as_str()))),
        text(rows.iter().map(|s| Some(s.operator.as_str()))),
        text(rows.iter().map(|s| Some(s.approval.name()))),
        text(rows.iter().map(|s| s.decision.number.as_deref())),
        day(rows.iter().map(|s| s.decision.date)),
        text(rows.iter().map(|s| s.decision.body.as_deref())),
        long(rows.iter().map(|s| s.retention_months.map(i64::from))),
        flag(rows.iter().map(|s| s.monitored)),
        time(rows.iter().map(|s| s.monitored_from)),
        time(rows.iter().map(|s| Some(s.valid_from))),
        time(rows.iter().map(|s| s.valid_to)),
    ]
}

fn assets(rows: &[Asset]) -> Vec<ArrayRef> {
    let classes: Vec<String> = rows.iter().map(|a| a.classes.join(",")).collect();
    vec![
        text(rows.iter().map(|a| Some(a.system.as_str()))),
        text(rows.iter().map(|a| Some(a.kind.name()))),
        text(rows.iter().map(|a| Some(a.value.as_str()))),
        text(rows.iter().map(|a| Some(a.name.as_str()))),
        text(rows.iter().map(|a| Some(a.role.name()))),
        long(rows.iter().map(|a| Some(a.quantity.into()))),
        flag(rows.iter().map(|a| a.expected_source)),
        text(classes.iter().map(|classes| Some(classes.as_str()))),
        flag(rows.iter().map(|a| a.shared)),
        time(rows.iter().map(|a| Some(a.valid_from))),
        time(rows.iter().map(|a| a.valid_to)),
    ]
}

fn organisations(rows: &[Organisation]) -> Vec<ArrayRef> {
    vec![
        text(rows.iter().map(|o| Some(o.id.as_str()))),
        text(rows.iter().map(|o| Some(o.name.as_str()))),
        text(rows.iter().map(|o| Some(o.tier.name()))),
        text(rows.iter().map(|o| o.parent.as_deref())),
        time(rows.iter().map(|o| Some(o.valid_from))),
        time(rows.iter().map(|o| o.valid_to)),
    ]
}

/// Reads the whole register (scope is applied by `query` on the scope column) and shows one part of it.
fn scan<'a>(
    state: &'a State,
    schema: &SchemaRef,
    columns: fn(&Register) -> Vec<ArrayRef>,
) -> BoxFuture<'a, Result<Vec<RecordBatch>, SeamError>> {
    let schema = schema.clone();
    Box::pin(async move {
        let failed = |error: &dyn std::fmt::Display| SeamError(format!("failed to read the register: {error}"));
        let register = state.register(&Scope::internal("tables")).await.map_err(|error| failed(&error))?;
        let batch = RecordBatch::try_new(schema, columns(&register)).map_err(|error| failed(&error))?;
        Ok(vec![batch])
    })
}

impl TableSource for SystemsTable {
    fn name(&self) -> &'static str {
        "systems"
    }

    fn schema(&self) -> SchemaRef {
        SYSTEMS.clone()
    }

    fn scope_column(&self) -> Option<&'static str> {
        Some("system.id")
    }

    fn scan(&self) -> BoxFuture<'_, Result<Vec<RecordBatch>, SeamError>> {
        scan(&self.0, &SYSTEMS, |register| systems(&register.systems))
    }
}

impl TableSource for AssetsTable {
    fn name(&self) -> &'static str {
        "assets"
    }

    fn schema(&self) -> SchemaRef {
        ASSETS.clone()
    }

    fn scope_column(&self) -> Option<&'static str> {
        Some("system.id")
    }

    fn scan(&self) -> BoxFuture<'_, Result<Vec<RecordBatch>, SeamError>> {
        scan(&self.0, &ASSETS, |register| assets(&register.assets))
    }
}

impl TableSource for OrganisationsTable {
    fn name(&self) -> &'static str {
        "organisations"
    }

    fn schema(&self) -> SchemaRef {
        ORGANISATIONS.clone()
    }

    fn scope_column(&self) -> Option<&'static str> {
        None
    }

    fn scan(&self) -> BoxFuture<'_, Result<Vec<RecordBatch>, SeamError>> {
        scan(&self.0, &ORGANISATIONS, |register| organisations(&register.organisations))
    }
}
