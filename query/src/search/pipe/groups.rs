//! `stats`, `timechart`, `top` and `rare`: rows become groups.

use super::{
    Aggregate, By, Expr, Named, Span,
    columns::Columns,
    functions::binned,
    plan::{Query, Result, names_in},
    select::Key,
    shape::Type,
};
use crate::search::{Problem, Window, compile::name};

impl Query<'_> {
    pub(super) fn stats(&mut self, aggregates: &[Aggregate], by: &[By]) -> Result<()> {
        let mut outputs: Vec<(Named, String, Type)> = Vec::new();
        let mut group_by = Vec::new();
        for one in by {
            let typed = self.typing().value(&one.expr)?;
            let is_plain = matches!(one.expr, Expr::Name(_));
            group_by.push(if is_plain { typed.sql.clone() } else { (outputs.len() + 1).to_string() });
            outputs.push((one.name.clone(), typed.sql, typed.holds));
        }
        let order = outputs.iter().filter(|(.., holds)| !holds.is_list()).map(|(key, ..)| Key::ascending(&key.name)).collect();
        for one in aggregates {
            let typed = self.typing().aggregate(one)?;
            outputs.push((one.name.clone(), typed.sql, typed.holds));
        }
        self.ready(names_in(by.iter().map(|one| &one.expr)).chain(names_of_aggregates(aggregates)));
        self.unique = Some(by.iter().map(|one| one.name.name.clone()).collect());
        self.aggregate(outputs, group_by, order)
    }

    /// Replaces the columns by groups and their aggregates.
    fn aggregate(&mut self, outputs: Vec<(Named, String, Type)>, group_by: Vec<String>, order: Vec<Key>) -> Result<()> {
        for (at, (column, ..)) in outputs.iter().enumerate() {
            if outputs[..at].iter().any(|(other, ..)| other.name == column.name) {
                return Err(column.span.error(Problem::Twice, [&column.name]));
            }
        }
        self.columns = Columns::closed(outputs.iter().map(|(column, _, holds)| (column.name.clone(), *holds)).collect());
        self.select.star = None;
        self.select.excluded.clear();
        self.select.outputs = outputs.into_iter().map(|(column, sql, _)| (column.name, sql)).collect();
        self.select.group_by = group_by;
        self.select.is_aggregate = true;
        self.order = order;
        self.hidden.clear();
        self.is_rowwise = false;
        self.chart_ms = None;
        Ok(())
    }

    pub(super) fn timechart(
        &mut self,
        span: Option<i64>,
        limit: u64,
        list: &[Aggregate],
        by: Option<&Named>,
        at: Span,
    ) -> Result<()> {
        let time = Named { name: "timestamp".to_owned(), span: at };
        if self.columns.get("timestamp") != Some(Type::Date) {
            return Err(at.error(Problem::NoTime, [&"timechart"]));
        }
        let micros = span.unwrap_or_else(|| span_of(self.window));
        let series = by.map(|by| self.typing().scalar_text(&Expr::Name(by.clone()), "timechart")).transpose()?;
        let mut outputs = vec![(time.clone(), binned("timestamp", micros), Type::Date)];
        self.ready(names_of_aggregates(list).chain(["timestamp"]).chain(by.map(|by| by.name.as_str())));
        if let (Some(by), Some(series)) = (by, &series) {
            self.step();
            let left = self.select.from.clone();
            let top = self.build.name("series");
            let column = &series.sql;
            self.build.add(
                &top,
                format!("SELECT {column} AS charted\nFROM {left}\nWHERE {column} IS NOT NULL\nGROUP BY 1\nORDER BY count(*) DESC, 1\nLIMIT {limit}"),
            );
            self.select.from = format!("{left} LEFT JOIN {top} ON {top}.charted = {column}");
            let label = format!("CASE WHEN {column} IS NULL THEN NULL WHEN charted IS NULL THEN 'OTHER' ELSE {column} END");
            outputs.push((by.clone(), label, Type::Text));
        }
        let group_by = (1..=outputs.len()).map(|at| at.to_string()).collect();
        let order = outputs.iter().map(|(key, ..)| Key::ascending(&key.name)).collect();
        for one in list {
            let typed = self.typing().aggregate(one)?;
            outputs.push((one.name.clone(), typed.sql, typed.holds));
        }
        self.select.filter.push("timestamp IS NOT NULL".to_owned());
        self.unique = None;
        self.aggregate(outputs, group_by, order)?;
        self.chart_ms = Some(micros / 1_000);
        Ok(())
    }

    pub(super) fn top(&mut self, count: u64, fields: &[Named], by: &[Named], is_rare: bool) -> Result<()> {
        let mut outputs = Vec::new();
        for field in by.iter().chain(fields) {
            let holds = self.columns.find(field)?;
            if holds.is_list() {
                return Err(field.span.error(Problem::ListNotHere, [&field.name]));
            }
            outputs.push((field.clone(), name(&field.name), holds));
        }
        self.ready(by.iter().chain(fields).map(|field| field.name.as_str()));
        let sql_names = |list: &[Named]| list.iter().map(|field| name(&field.name)).collect::<Vec<_>>();
        let group_by = sql_names(by).into_iter().chain(sql_names(fields)).collect();
        let partition = if by.is_empty() { String::new() } else { format!("PARTITION BY {}", sql_names(by).join(", ")) };
        let span = fields[0].span;
        let named = |name: &str| Named { name: name.to_owned(), span };
        outputs.push((named("count"), "count(*)".to_owned(), Type::Long));
        let percent = format!("100 * CAST(count(*) AS DOUBLE) / sum(count(*)) OVER ({partition})");
        outputs.push((named("percent"), percent, Type::Double));
        self.select.filter.extend(fields.iter().map(|field| format!("{} IS NOT NULL", name(&field.name))));
        let mut order: Vec<Key> = by.iter().map(|field| Key::ascending(&field.name)).collect();
        order.push(Key { name: "count".to_owned(), descends: !is_rare });
        order.extend(fields.iter().map(|field| Key::ascending(&field.name)));
        self.unique = by.is_empty().then(|| fields.iter().map(|field| field.name.clone()).collect());
        self.aggregate(outputs, group_by, order)?;
        if by.is_empty() {
            self.select.limit = Some(count);
        } else {
            let direction = if is_rare { "" } else { " DESC" };
            let keys = sql_names(fields).join(", ");
            self.step();
            let kept = format!("row_number() OVER ({partition} ORDER BY \"count\"{direction}, {keys}) <= {count}");
            self.select.qualify = Some(kept);
        }
        Ok(())
    }
}

fn names_of_aggregates(list: &[Aggregate]) -> impl Iterator<Item = &str> {
    let exprs = list.iter().flat_map(|one| one.args.iter().chain(&one.condition));
    // `earliest` and `latest` go by time.
    names_in(exprs).chain(["timestamp", "event.id"])
}

/// The span of a chart that nobody chose: about a hundred of them.
fn span_of(window: &Window) -> i64 {
    match (window.from, window.to) {
        (Some(from), Some(to)) if from < to => crate::hunt::interval(to.saturating_sub(from), 100) * 1_000_000,
        _ => 3_600_000_000,
    }
}
