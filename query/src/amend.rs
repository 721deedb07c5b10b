//! Dated amendments of attribution: whose an event is, when its sender was adopted only after it was stored.
//!
//! Stored rows keep what was true when they came (`unassigned`); a question sees them as amended. This lies below scope, so the
//! owner of the adopting system sees the rows and everybody's `system.id` agrees. Only rows without a system are ever changed:
//! an amendment cannot take an event from anybody.

use std::{collections::HashMap, sync::Arc};

use datafusion::arrow::{
    array::{Array, ArrayRef, AsArray, Int64Builder, StringViewArray, StringViewBuilder, new_null_array},
    compute::cast,
    datatypes::{DataType, Field as ArrowField, Int64Type, Schema, TimestampMicrosecondType},
    error::ArrowError,
    record_batch::RecordBatch,
};
use event::{Field, Micros, UNASSIGNED, field};
use store::SystemClass;

/// What `chieng.attribution` says of an amended event.
pub const AMENDED: &str = "amendment";

/// The columns that an amendment changes.
const CHANGED: [Field; 4] = [field::SYSTEM_ID, field::SYSTEM_LEVEL, field::ORGANIZATION_ID, field::CHIENG_ATTRIBUTION];

/// The columns that decide whether it does.
const DECIDING: [Field; 3] = [field::SYSTEM_ID, field::LOG_SOURCE_ADDRESS, field::EVENT_INGESTED];

/// Events of this sender that had no system, ingested since then, belong to this system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// Sender address in canonical form, as `log.source.address` has it.
    pub address: String,
    /// Earliest `event.ingested` that it is about.
    pub since: Micros,
    pub system: String,
    pub level: Option<i64>,
    pub organization: Option<String>,
}

/// All amendments in force.
#[derive(Debug, Default)]
pub struct Amendments {
    /// By sender, latest first.
    by_address: HashMap<String, Vec<Amendment>>,
}

impl Amendments {
    pub fn new(list: impl IntoIterator<Item = Amendment>) -> Self {
        let mut by_address: HashMap<String, Vec<Amendment>> = HashMap::new();
        for amendment in list {
            by_address.entry(amendment.address.clone()).or_default().push(amendment);
        }
        // Stable: of two that begin at one instant the one made later counts.
        by_address.values_mut().for_each(|list| {
            list.reverse();
            list.sort_by_key(|amendment| std::cmp::Reverse(amendment.since));
        });
        Self { by_address }
    }

    /// Systems that got events by amendment.
    pub(crate) fn systems(&self) -> impl Iterator<Item = &str> {
        self.by_address.values().flatten().map(|amendment| amendment.system.as_str())
    }

    /// True when rows of these systems may read otherwise than they are stored.
    pub(crate) fn concern(&self, systems: &[SystemClass]) -> bool {
        !self.by_address.is_empty() && systems.iter().any(|entry| entry.system == UNASSIGNED)
    }

    /// True for a column whose stored statistics may not be believed where amendments apply.
    pub(crate) fn changes(name: &str) -> bool {
        CHANGED.iter().any(|field| field.name() == name)
    }

    /// Names of the columns that [`Amendments::apply`] must be given, as far as they exist.
    pub(crate) fn reads() -> impl Iterator<Item = &'static str> {
        DECIDING.iter().map(|field| field.name())
    }

    fn find(&self, address: &str, ingested: Micros) -> Option<&Amendment> {
        self.by_address.get(address)?.iter().find(|amendment| amendment.since <= ingested)
    }

    /// The batch as amended: changed columns are replaced, those among `wanted` that it lacks are added.
    pub(crate) fn apply(&self, batch: &RecordBatch, wanted: &dyn Fn(&str) -> bool) -> Result<RecordBatch, ArrowError> {
        let found = self.by_row(batch)?;
        if found.iter().all(Option::is_none) {
            return Ok(batch.clone());
        }
        let mut fields: Vec<Arc<ArrowField>> = batch.schema().fields().iter().cloned().collect();
        let mut columns = batch.columns().to_vec();
        for field in CHANGED {
            let at = match batch.schema().index_of(field.name()) {
                Ok(at) => at,
                Err(_) if wanted(field.name()) => {
                    fields.push(Arc::new(ArrowField::new(field.name(), field.definition().data_type(), true)));
                    columns.push(new_null_array(&field.definition().data_type(), batch.num_rows()));
                    columns.len() - 1
                }
                Err(_) => continue,
            };
            columns[at] = amended(field, &columns[at], &found)?;
            fields[at] = Arc::new(ArrowField::new(field.name(), columns[at].data_type().clone(), true));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }

    fn by_row(&self, batch: &RecordBatch) -> Result<Vec<Option<&Amendment>>, ArrowError> {
        let text = |field: Field| -> Result<Option<StringViewArray>, ArrowError> {
            let Some(column) = batch.column_by_name(field.name()) else { return Ok(None) };
            Ok(Some(cast(column, &DataType::Utf8View)?.as_string_view().clone()))
        };
        let Some(addresses) = text(field::LOG_SOURCE_ADDRESS)? else { return Ok(vec![None; batch.num_rows()]) };
        let systems = text(field::SYSTEM_ID)?;
        let times = batch.column_by_name(field::EVENT_INGESTED.name());
        let times = times.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        let of = |row: usize| {
            let is_open = systems.as_ref().is_none_or(|systems| systems.is_null(row) || systems.value(row) == UNASSIGNED);
            let time = times.filter(|times| times.is_valid(row)).map(|times| times.value(row));
            (is_open && addresses.is_valid(row)).then(|| self.find(addresses.value(row), time?)).flatten()
        };
        let mut answer = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            answer.push(of(row));
        }
        Ok(answer)
    }
}

fn amended(changed: Field, stored: &ArrayRef, found: &[Option<&Amendment>]) -> Result<ArrayRef, ArrowError> {
    if changed == field::SYSTEM_LEVEL {
        let stored = cast(stored, &DataType::Int64)?;
        let stored = stored.as_primitive::<Int64Type>();
        let mut builder = Int64Builder::with_capacity(found.len());
        for (row, found) in found.iter().enumerate() {
            builder.append_option(match found {
                Some(amendment) => amendment.level,
                None => stored.is_valid(row).then(|| stored.value(row)),
            });
        }
        return Ok(Arc::new(builder.finish()));
    }
    let stored = cast(stored, &DataType::Utf8View)?;
    let stored = stored.as_string_view();
    let mut builder = StringViewBuilder::with_capacity(found.len());
    for (row, found) in found.iter().enumerate() {
        builder.append_option(match found {
            Some(amendment) if changed == field::SYSTEM_ID => Some(amendment.system.as_str()),
            Some(amendment) if changed == field::ORGANIZATION_ID => amendment.organization.as_deref(),
            Some(_) => Some(AMENDED),
            None => stored.is_valid(row).then(|| stored.value(row)),
        });
    }
    Ok(Arc::new(builder.finish()))
}
