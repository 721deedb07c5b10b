//! `lookup` and `join`: columns from another table or search, at most one of its rows to each row.

use super::{
    Named, Raw, Span,
    expr::check_pattern,
    plan::{Query, Result},
    select::{Key, Select, keys_sql},
    shape::Type,
};
use crate::search::{
    Problem,
    compile::{alias, name},
};

/// The named groups of a pattern, in order.
pub(super) fn groups(pattern: &str, span: Span) -> Result<Vec<String>> {
    let names: Vec<String> = check_pattern(pattern, span)?.capture_names().flatten().map(str::to_owned).collect();
    if names.is_empty() { Err(span.error(Problem::NoGroup, [])) } else { Ok(names) }
}

/// What a looked-up row is chosen by when several have the key: the one in force longest, then the newest.
const NEWEST: [(&str, &str); 3] =
    [("valid_to", " DESC NULLS FIRST"), ("valid_from", " DESC NULLS LAST"), ("timestamp", " DESC NULLS LAST")];

impl Query<'_> {
    pub(super) fn lookup(
        &mut self,
        table: &Named,
        key: &Named,
        column: Option<&Named>,
        output: &[(Named, Option<Named>)],
    ) -> Result<()> {
        let Some(has) = self.fields.table(&table.name) else {
            let known = self.fields.tables().join(", ");
            return Err(table.span.error(Problem::UnknownTable, [&table.name, &known]));
        };
        let list = || has.iter().map(|(own, _)| own.as_str()).collect::<Vec<_>>().join(", ");
        let find = |wanted: &Named| match has.iter().find(|(own, _)| *own == wanted.name) {
            Some((_, holds)) => Ok(*holds),
            None => Err(wanted.span.error(Problem::UnknownColumn, [&table.name, &wanted.name, &list()])),
        };
        let column = column.unwrap_or(key);
        self.same_type(key, self.columns.find(key)?, column, find(column)?)?;
        let mut added: Vec<(String, String, Type)> = Vec::new();
        for (from, to) in output {
            let to = to.as_ref().map_or_else(|| format!("{}.{}", table.name, from.name), |to| to.name.clone());
            added.push((from.name.clone(), to, find(from)?));
        }
        if output.is_empty() {
            let rest = has.iter().filter(|(own, _)| *own != column.name);
            added.extend(rest.map(|(own, holds)| (own.clone(), format!("{}.{own}", table.name), *holds)));
        }
        self.new_names(added.iter().map(|(_, to, _)| to.as_str()), table.span)?;
        self.step();
        let lookup = self.build.name("lookup");
        let source = name(&column.name);
        let mut columns = vec![format!("{source} AS {}", alias(KEY))];
        columns.extend(added.iter().map(|(from, to, _)| format!("{} AS {}", name(from), alias(to))));
        let newest = NEWEST.iter().filter(|(column, _)| has.iter().any(|(own, _)| own == column));
        let mut order: Vec<String> = newest.map(|(column, direction)| format!("{}{direction}", name(column))).collect();
        order.extend(has.iter().filter(|(own, holds)| !holds.is_list() && *own != column.name).map(|(own, _)| name(own)));
        let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
        self.build.add(
            &lookup,
            format!(
                "SELECT {}\nFROM {}\nWHERE {source} IS NOT NULL\nQUALIFY row_number() OVER (PARTITION BY {source}{order}) = 1",
                columns.join(", "),
                name(&table.name)
            ),
        );
        let on = format!("{lookup}.{} = {}", alias(KEY), qualified(&self.select.from, &key.name));
        self.attach("LEFT JOIN", &lookup, &on, added.into_iter().map(|(_, to, holds)| (to, holds)));
        Ok(())
    }

    pub(super) fn join(&mut self, keeps_all: bool, keys: &[Named], search: &Raw) -> Result<()> {
        let mut inner = self.inner(search)?;
        if inner.columns.is_open() {
            return Err(search.span.error(Problem::JoinNeedsColumns, []));
        }
        for key in keys {
            let (left, right) = (self.columns.find(key)?, inner.columns.find(key)?);
            self.same_type(key, left, key, right)?;
        }
        let is_key = |column: &str| keys.iter().any(|key| key.name == column);
        let added: Vec<(String, Type)> = inner.columns.own().iter().filter(|(own, _)| !is_key(own)).cloned().collect();
        self.new_names(added.iter().map(|(own, _)| own.as_str()), search.span)?;
        inner.step();
        // The inner rows, their keys under names of their own; one of each key.
        let keyed = |at: usize| format!("{KEY}{}", at + 1);
        let mut columns: Vec<String> =
            keys.iter().enumerate().map(|(at, key)| format!("{} AS {}", name(&key.name), alias(&keyed(at)))).collect();
        columns.extend(added.iter().map(|(own, _)| name(own)));
        let is_unique = inner.unique.as_ref().is_some_and(|unique| unique.iter().all(|column| is_key(column)));
        let mut sql = format!("SELECT {}\nFROM {}", columns.join(", "), inner.select.from);
        if !is_unique {
            let partition: Vec<String> = keys.iter().map(|key| name(&key.name)).collect();
            let order = if inner.order.is_empty() { String::new() } else { format!(" ORDER BY {}", keys_sql(&inner.order)) };
            sql += &format!("\nQUALIFY row_number() OVER (PARTITION BY {}{order}) = 1", partition.join(", "));
        }
        self.build = inner.build;
        self.build.brackets -= 1;
        let joined = self.build.name("join");
        self.build.add(&joined, sql);
        self.step();
        let on: Vec<String> = keys
            .iter()
            .enumerate()
            .map(|(at, key)| format!("{joined}.{} = {}", alias(&keyed(at)), qualified(&self.select.from, &key.name)))
            .collect();
        self.attach(if keeps_all { "LEFT JOIN" } else { "JOIN" }, &joined, &on.join(" AND "), added);
        self.is_rowwise = false;
        Ok(())
    }

    /// Puts the columns of a joined step beside those that are there.
    fn attach(&mut self, kind: &str, other: &str, on: &str, added: impl IntoIterator<Item = (String, Type)>) {
        let left = self.select.from.clone();
        let mut select = Select::all_of(&format!("{left} {kind} {other} ON {on}"));
        select.star = Some(format!("{left}.*"));
        select.excluded = std::mem::take(&mut self.select.excluded);
        select.is_join = true;
        for (column, holds) in added {
            select.outputs.push((column.clone(), name(&column)));
            self.columns.set(&column, holds);
        }
        self.select = select;
    }

    fn same_type(&self, left: &Named, a: Type, right: &Named, b: Type) -> Result<()> {
        let is_fine = !a.is_list() && !b.is_list() && a.with(b).is_some();
        if is_fine { Ok(()) } else { Err(left.span.error(Problem::KeyTypes, [&left.name, &a, &right.name, &b])) }
    }

    /// Columns that come in must not be there already, nor be columns that only carry the order.
    fn new_names<'n>(&self, names: impl Iterator<Item = &'n str>, span: Span) -> Result<()> {
        for column in names {
            if self.columns.get(column).is_some() || self.hidden.iter().any(|hidden| hidden == column) {
                return Err(span.error(Problem::AlreadyThere, [&column]));
            }
        }
        Ok(())
    }

    /// Leaves only named columns, in the order of some of them.
    pub(super) fn close(&mut self, columns: Vec<(String, Type)>, order: Vec<Key>) {
        self.columns = super::columns::Columns::closed(columns);
        self.order = order;
        self.hidden.clear();
        self.is_rowwise = false;
        self.unique = None;
        self.chart_ms = None;
    }
}

/// Name of a joined step's key: not one that a field has.
const KEY: &str = "join key";

/// A column of one side of a join.
fn qualified(step: &str, column: &str) -> String {
    format!("{step}.{}", name(column))
}
