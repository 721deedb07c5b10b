//! `sequence by user.name within 10m [failed] [accepted]`: steps one after the other, for the same key.
//!
//! Meaning: a row that matches the last step is found when rows that match the steps before it stand before it, in this
//! order and with the same key, the first of them no longer ago than `within`. Rows are in order of (timestamp, event.id);
//! one row stands for one step only. The latest possible beginning is shown.
//!
//! As SQL: each row that matches step *n* carries the latest beginning of steps 1 … *n*, which is the largest one that
//! any earlier row of step *n − 1* carries. So one running maximum per step is exact, and the rows are sorted once.

use super::{
    Named, Raw, Span,
    expr::interval,
    functions::time_order,
    plan::{Query, Result},
    select::{Key, Select},
    shape::Type,
};
use crate::search::{
    Problem,
    compile::{alias, condition, name},
};

impl Query<'_> {
    pub(super) fn sequence(&mut self, keys: &[Named], within: i64, steps: &[Raw], span: Span) -> Result<()> {
        let asked_by = Named { name: "sequence".to_owned(), span };
        time_order(&self.columns, &asked_by)?;
        let id = Named { name: "event.id".to_owned(), span };
        if self.columns.get(&id.name).is_none() {
            return Err(span.error(Problem::NoEventId, [&"sequence"]));
        }
        if !self.columns.expanded.is_empty() {
            return Err(span.error(Problem::SequenceOfParts, []));
        }
        let mut columns = Vec::new();
        for key in keys {
            let holds = self.columns.find(key)?;
            if holds.is_list() {
                return Err(key.span.error(Problem::ListNotHere, [&key.name]));
            }
            if ["start", "timestamp", "seconds", "event.id"].contains(&key.name.as_str()) {
                return Err(key.span.error(Problem::AlreadyThere, [&key.name]));
            }
            columns.push((key.name.clone(), holds));
        }
        let mut hits = Vec::new();
        for step in steps {
            hits.push(condition(&self.node(step)?));
        }
        self.step();
        self.matching_rows(keys, &hits);
        self.beginnings(keys, hits.len());
        self.found(keys, hits.len(), within);
        columns.extend([
            ("start".to_owned(), Type::Date),
            ("timestamp".to_owned(), Type::Date),
            ("seconds".to_owned(), Type::Double),
            ("event.id".to_owned(), Type::Text),
        ]);
        let newest = |name: &str| Key { name: name.to_owned(), descends: true };
        self.close(columns, vec![newest("timestamp"), newest("event.id")]);
        Ok(())
    }

    /// Only the rows that match some step, only the columns that are needed.
    fn matching_rows(&mut self, keys: &[Named], hits: &[String]) {
        let plain = |column: &str| (column.to_owned(), name(column));
        let mut select = Select { star: None, ..Select::all_of(&self.select.from) };
        select.outputs = keys.iter().map(|key| plain(&key.name)).chain([plain("timestamp"), plain("event.id")]).collect();
        let mut different: Vec<&String> = Vec::new();
        for (at, hit) in hits.iter().enumerate() {
            select.outputs.push((hit_name(at), format!("CASE WHEN {hit} THEN true ELSE false END")));
            if !different.contains(&hit) {
                different.push(hit);
            }
        }
        select.filter.push("timestamp IS NOT NULL".to_owned());
        select.filter.extend(keys.iter().map(|key| format!("{} IS NOT NULL", name(&key.name))));
        select.filter.push(match different.as_slice() {
            [one] => format!("({one})"),
            some => format!("({})", some.iter().map(|hit| format!("({hit})")).collect::<Vec<_>>().join(" OR ")),
        });
        let step = self.build.name("step");
        self.build.add(&step, select.render(&[]));
        self.select = Select::all_of(&step);
    }

    /// One more column per step: the latest beginning that a row carries.
    fn beginnings(&mut self, keys: &[Named], steps: usize) {
        let partition: Vec<String> = keys.iter().map(|key| name(&key.name)).collect();
        let partition = if partition.is_empty() { String::new() } else { format!("PARTITION BY {} ", partition.join(", ")) };
        let window = format!("{partition}ORDER BY timestamp, event.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING");
        for at in 0..steps {
            let carried = match at {
                0 => "timestamp".to_owned(),
                _ => format!("max({}) OVER ({window})", alias(&start_name(at - 1))),
            };
            let sql = format!("CASE WHEN {} THEN {carried} END", alias(&hit_name(at)));
            self.select.outputs.push((start_name(at), sql));
            self.step();
        }
    }

    fn found(&mut self, keys: &[Named], steps: usize, within: i64) {
        let start = alias(&start_name(steps - 1));
        self.select.star = None;
        self.select.outputs = keys.iter().map(|key| (key.name.clone(), name(&key.name))).collect();
        self.select.outputs.extend([
            ("start".to_owned(), start.clone()),
            ("timestamp".to_owned(), name("timestamp")),
            ("seconds".to_owned(), format!("date_part('epoch', timestamp) - date_part('epoch', {start})")),
            ("event.id".to_owned(), name("event.id")),
        ]);
        self.select.filter = vec![format!("timestamp <= {start} + {}", interval(within))];
    }
}

/// True where a row matches a step; spaces keep it apart from fields.
fn hit_name(at: usize) -> String {
    format!("is step {}", at + 1)
}

fn start_name(at: usize) -> String {
    format!("start {}", at + 1)
}
