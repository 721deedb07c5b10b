//! "What is different here?": two selections of events, compared over all fields; the values whose shares differ most.
//!
//! Each selection is read once. A value's score is the difference of its shares in the two selections times the logarithm of
//! their ratio (its part of the Jeffreys divergence), smoothed by half an event: large where much has changed, small where
//! a few events make a large ratio. Fields that differ for every event (ids, times, the line itself) are left out, and so is
//! what a field has beyond [`VALUES_MAX`] values; the answer says for which fields that was so.

use std::{collections::HashMap, sync::Arc};

use datafusion::arrow::{
    array::{Array, ArrayRef, AsArray},
    compute::cast,
    datatypes::DataType,
};
use event::{Field, Kind, Micros, Scope, field};
use futures::StreamExt;

use crate::{
    engine::{Engine, Given},
    error::{Error, ErrorKind, Result},
    export::columns_of,
    hunt::{ColumnInfo, HuntError, column_info},
    limits::Limits,
    search::{Window, conditions, name},
};

/// Distinct values held for one field of one selection.
const VALUES_MAX: usize = 5_000;
/// Longest value that is compared; longer ones are texts, not values.
const VALUE_BYTES_MAX: usize = 256;
/// Differences that are told, and of one field.
const TOLD_MAX: usize = 200;
const TOLD_PER_FIELD_MAX: usize = 12;
/// What differs for every event, or says the same as another field.
const LEFT_OUT: [Field; 8] = [
    field::EVENT_ID,
    field::EVENT_ORIGINAL,
    field::EVENT_ORIGINAL_BYTES,
    field::MESSAGE,
    field::EVENT_SEQUENCE,
    field::RESIDUAL,
    field::RELATED_IP,
    field::RELATED_USER,
];

/// Events of a search in a range.
#[derive(Clone, Debug)]
pub struct Selection {
    pub q: String,
    pub from: Micros,
    /// Up to and without this moment.
    pub to: Micros,
}

#[derive(Clone, Debug)]
pub struct Comparison {
    /// The largest first.
    pub differences: Vec<Difference>,
    /// Events of each selection.
    pub events: (u64, u64),
    /// Fields compared.
    pub fields: usize,
    /// Fields with too many values to compare them all.
    pub crowded: Vec<String>,
    pub complete: bool,
    pub reason: Option<String>,
}

/// A value that is more frequent on one side.
#[derive(Clone, Debug)]
pub struct Difference {
    pub field: ColumnInfo,
    /// `None`: events without the field.
    pub value: Option<String>,
    /// Events with it, in each selection.
    pub counts: (u64, u64),
    pub score: f64,
}

impl Engine {
    /// Compares two selections over all fields that have values in one of them.
    pub async fn compare(
        self: &Arc<Self>,
        scope: &Scope,
        here: Selection,
        there: Selection,
    ) -> std::result::Result<Comparison, HuntError> {
        let snapshot = self.snapshot();
        let view = self.view_of(&snapshot, scope);
        let mut columns = Vec::new();
        for side in [&here, &there] {
            if side.from >= side.to {
                return Err(Error::new(ErrorKind::Invalid, "the time range ends before it begins").into());
            }
            columns.extend(columns_of(&view, side.from, side.to)?);
        }
        columns.retain(|column| is_compared(column));
        columns.sort_unstable();
        columns.dedup();
        let select: Vec<String> = columns.iter().map(|column| name(column)).collect();
        let select = if select.is_empty() { "1 AS one".to_owned() } else { select.join(", ") };
        let mut questions = Vec::new();
        for side in [&here, &there] {
            let window = Window { from: Some(side.from), to: Some(side.to), limit: None };
            let filter = conditions(&self.compile(scope, &side.q, &window)?.where_sql, &window);
            questions.push(format!("SELECT {select} FROM events WHERE {filter}"));
        }
        let (engine, scope) = (self.clone(), scope.clone());
        let work = async move {
            let mut sides = Vec::new();
            for sql in questions {
                let given = Given { snapshot: Some(snapshot.clone()), ..Given::default() };
                sides.push(Side::read(&engine, &scope, &sql, given, columns.len()).await?);
            }
            Ok(compared(&columns, &sides[0], &sides[1]))
        };
        Ok(self.work(work).await?)
    }
}

fn is_compared(column: &str) -> bool {
    Field::by_name(column).is_none_or(|field| {
        !LEFT_OUT.contains(&field) && !matches!(field.definition().kind, Kind::Date | Kind::Text | Kind::Double)
    })
}

/// The values of one selection, by column.
struct Side {
    values: Vec<Values>,
    rows: u64,
    reason: Option<String>,
}

#[derive(Default)]
struct Values {
    counts: HashMap<String, u64>,
    absent: u64,
    is_crowded: bool,
}

impl Side {
    async fn read(engine: &Arc<Engine>, scope: &Scope, sql: &str, given: Given, columns: usize) -> Result<Self> {
        let limits: Limits = engine.limits().clone();
        let mut rows = engine.sql_given(scope, sql, Some(limits), given).await?;
        let mut side = Self { values: (0..columns).map(|_| Values::default()).collect(), rows: 0, reason: None };
        while let Some(batch) = rows.next().await {
            match batch {
                Ok(batch) => {
                    side.rows += batch.num_rows() as u64;
                    for (values, array) in side.values.iter_mut().zip(batch.columns()) {
                        values.add(array)?;
                    }
                }
                // What was counted is right; it is not all.
                Err(error) if error.kind == ErrorKind::Limit && side.rows > 0 => {
                    side.reason = Some(error.message);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(side)
    }
}

impl Values {
    fn add(&mut self, array: &ArrayRef) -> Result<()> {
        self.absent += array.null_count() as u64;
        if array.null_count() == array.len() {
            return Ok(());
        }
        let items = match array.as_list_opt::<i32>() {
            Some(lists) => {
                let (first, last) = (lists.value_offsets()[0] as usize, lists.value_offsets()[lists.len()] as usize);
                lists.values().slice(first, last - first)
            }
            None => array.clone(),
        };
        let texts = cast(&items, &DataType::Utf8View).map_err(|error| Error::failed(error.to_string()))?;
        for text in texts.as_string_view().iter().flatten().filter(|text| text.len() <= VALUE_BYTES_MAX) {
            if let Some(count) = self.counts.get_mut(text) {
                *count += 1;
            } else if self.counts.len() < VALUES_MAX {
                self.counts.insert(text.to_owned(), 1);
            } else {
                self.is_crowded = true;
            }
        }
        Ok(())
    }

    fn count(&self, value: &str) -> u64 {
        self.counts.get(value).copied().unwrap_or(0)
    }
}

fn compared(columns: &[String], here: &Side, there: &Side) -> Comparison {
    let mut differences = Vec::new();
    let mut crowded = Vec::new();
    for ((column, mine), other) in columns.iter().zip(&here.values).zip(&there.values) {
        if mine.is_crowded || other.is_crowded {
            crowded.push(column.clone());
        }
        differences.extend(of_field(column, mine, other, (here.rows, there.rows)));
    }
    differences.sort_by(|one, other| {
        let by_name = || (&one.field.name, &one.value).cmp(&(&other.field.name, &other.value));
        other.score.total_cmp(&one.score).then_with(by_name)
    });
    differences.truncate(TOLD_MAX);
    let reason = here.reason.clone().or_else(|| there.reason.clone());
    Comparison {
        differences,
        events: (here.rows, there.rows),
        fields: columns.len(),
        crowded,
        complete: reason.is_none(),
        reason,
    }
}

/// The largest differences of one field. In a crowded field a value that one side does not have may have been left out there,
/// so only values that both sides counted are compared.
fn of_field(column: &str, mine: &Values, other: &Values, rows: (u64, u64)) -> Vec<Difference> {
    let is_crowded = mine.is_crowded || other.is_crowded;
    let mut all: Vec<&String> =
        mine.counts.keys().chain(other.counts.keys().filter(|value| !mine.counts.contains_key(*value))).collect();
    all.sort_unstable();
    let values = all.into_iter().map(|value| (Some(value.clone()), (mine.count(value), other.count(value))));
    let values = values.filter(|(_, counts)| !is_crowded || counts.0 > 0 && counts.1 > 0);
    let values = values.chain([(None, (mine.absent, other.absent))]);
    let mut found: Vec<Difference> = values
        .map(|(value, counts)| Difference { field: column_info(column), value, counts, score: score(counts, rows) })
        .filter(|difference| difference.score > 0.0)
        .collect();
    found.sort_by(|one, other| other.score.total_cmp(&one.score).then_with(|| one.value.cmp(&other.value)));
    found.truncate(TOLD_PER_FIELD_MAX);
    found
}

fn score(counts: (u64, u64), rows: (u64, u64)) -> f64 {
    let share = |count: u64, rows: u64| (count as f64 + 0.5) / (rows as f64 + 1.0);
    let (mine, other) = (share(counts.0, rows.0), share(counts.1, rows.1));
    let score = (mine - other) * (mine / other).ln();
    if score < 1e-9 { 0.0 } else { score }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::tests::world::{DAY, Row, START, World, admin, only, rows, run};

    fn day(at: i64, q: &str) -> Selection {
        Selection { q: q.to_owned(), from: START + at * DAY, to: START + (at + 1) * DAY }
    }

    /// Shares by hand: values of a field on one day.
    fn by_hand(rows: &[&Row], field: &str) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        rows.iter().flat_map(|row| row.values(field)).for_each(|value| *counts.entry(value).or_default() += 1);
        counts
    }

    fn of_day<'r>(rows: &'r [Row], at: i64, system: Option<&str>) -> Vec<&'r Row> {
        let is_in = |row: &&Row| (START + at * DAY..START + (at + 1) * DAY).contains(&row.timestamp);
        rows.iter().filter(is_in).filter(|row| system.is_none_or(|system| row.system == system)).collect()
    }

    #[test]
    fn what_was_planted_comes_first() {
        run(async {
            let mut made = rows(1_200, 3);
            // On the second day somebody new is at work.
            for row in made.iter_mut().filter(|row| (START + DAY..START + 2 * DAY).contains(&row.timestamp)).step_by(2) {
                row.user = Some("ke_la".to_owned());
            }
            let world = World::new(made);
            let found = world.engine.compare(&admin(), day(1, ""), day(0, "")).await.unwrap();
            let first = &found.differences[0];
            assert_eq!((first.field.name.as_str(), first.value.as_deref(), first.counts.1), ("user.name", Some("ke_la"), 0));
            let (here, there) = (of_day(&world.rows, 1, None), of_day(&world.rows, 0, None));
            assert_eq!(found.events, (here.len() as u64, there.len() as u64));
            for difference in &found.differences {
                let known = ["user.name", "source.ip", "system.id", "event.dataset", "fortinet.level", "rare.key"];
                if let (Some(field), Some(value)) = (known.iter().find(|name| **name == difference.field.name), &difference.value)
                {
                    let count = |rows: &[&Row]| by_hand(rows, field).get(value).copied().unwrap_or(0);
                    assert_eq!(difference.counts, (count(&here), count(&there)), "{field} {value}");
                }
            }
            assert!(!found.differences.iter().any(|one| one.field.name == "event.id" || one.field.name == "message"));
        });
    }

    #[test]
    fn equal_selections_differ_in_nothing_and_scope_holds() {
        run(async {
            let world = World::new(rows(600, 3));
            let same = world.engine.compare(&admin(), day(1, ""), day(1, "")).await.unwrap();
            assert!(same.differences.is_empty() && same.complete && same.fields > 5);
            let owner = only(event::Role::Owner, &["portal"]);
            let found = world.engine.compare(&owner, day(1, "user.name:root"), day(0, "user.name:root")).await.unwrap();
            let count = |at| {
                of_day(&world.rows, at, Some("portal")).iter().filter(|row| row.user.as_deref() == Some("root")).count() as u64
            };
            assert_eq!(found.events, (count(1), count(0)));
            assert!(!found.differences.iter().any(|one| one.value.as_deref() == Some("finance")));
        });
    }

    #[test]
    fn scores_grow_with_change_and_not_with_chance() {
        assert_eq!(score((5, 5), (10, 10)), 0.0);
        assert!(score((50, 0), (100, 100)) > score((10, 0), (100, 100)));
        assert!(score((50, 10), (100, 100)) > score((1, 0), (100, 100)));
        assert!(
            (score((50, 10), (100, 100)) - score((10, 50), (100, 100))).abs() < 1e-12,
            "it does not matter which side is first"
        );
    }

    #[test]
    fn a_crowded_field_says_so() {
        let mut values = Values::default();
        let texts = |from: usize| -> ArrayRef {
            let texts = (from..from + VALUES_MAX).map(|n| Some(n.to_string()));
            Arc::new(texts.collect::<datafusion::arrow::array::StringViewArray>())
        };
        values.add(&texts(0)).unwrap();
        assert!(!values.is_crowded);
        values.add(&texts(1)).unwrap();
        assert!(values.is_crowded && values.counts.len() == VALUES_MAX);
    }
}
