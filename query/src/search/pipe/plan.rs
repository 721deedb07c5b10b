//! Stages → one SQL statement.
//!
//! The stages fill one SELECT as long as SQL's order of clauses allows it; where it does not, what is there becomes a step
//! (`WITH step1 AS (…)`) and a new SELECT begins over it. So most searches stay one plain SELECT, and the longest reads
//! from top to bottom as it was typed.

use std::collections::BTreeSet;

use super::{
    BRACKETS_MAX, Expr, Named, Operator, Placed, Raw, STAGES_MAX, Span, Stage,
    columns::Columns,
    expr::Typing,
    functions::extracted,
    read,
    select::{Key, Select, keys_sql},
    shape::Type,
};
use crate::{
    dialect,
    error::ErrorKind,
    search::{
        Fields, Node, Problem, SearchError, Window,
        compile::{condition, name, window_conditions},
        parse,
    },
};

pub(super) type Result<T> = std::result::Result<T, SearchError>;

/// What the rows of an answer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Events, newest first, each as it was stored or with fields added: pages can follow.
    Events,
    /// Rows of their own, in the order of the last command.
    Table,
    /// Rows of spans of time, in milliseconds; a span without rows is not there.
    Chart { span_ms: i64 },
}

/// Stages as SQL.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piped {
    pub sql: String,
    pub shape: Shape,
    /// The columns of the answer, when they do not depend on the stored events.
    pub columns: Option<Vec<(String, Type)>>,
}

/// What a statement and the searches in its brackets share.
#[derive(Clone, Debug, Default)]
pub(super) struct Build {
    ctes: Vec<(String, String)>,
    stages: usize,
    pub(super) brackets: usize,
}

impl Build {
    pub(super) fn name(&self, what: &str) -> String {
        format!("{what}{}", self.ctes.len() + 1)
    }

    pub(super) fn add(&mut self, name: &str, sql: String) {
        self.ctes.push((name.to_owned(), sql));
    }
}

/// A search on its way to SQL.
pub(super) struct Query<'f> {
    pub fields: &'f dyn Fields,
    pub window: &'f Window,
    pub build: Build,
    pub select: Select,
    pub columns: Columns<'f>,
    pub order: Vec<Key>,
    /// Columns that are there for the order only.
    pub hidden: Vec<String>,
    /// Each row is one event of the beginning.
    pub is_rowwise: bool,
    pub chart_ms: Option<i64>,
    /// There is one row of each combination of these.
    pub unique: Option<Vec<String>>,
}

/// Makes SQL of a search with stages; `extra` is a condition on events besides the search's own.
pub(crate) fn plan(node: &Node, stages: &[Placed], fields: &dyn Fields, window: &Window, extra: Option<&str>) -> Result<Piped> {
    let mut query = Query::new(fields, window, Build::default(), node, extra);
    for placed in stages {
        query.stage(placed)?;
    }
    let piped = query.finish();
    match dialect::parse(&piped.sql) {
        Err(error) if error.kind == ErrorKind::Limit => {
            let span = stages.first().map_or(Span::default(), |first| first.span.to(stages[stages.len() - 1].span));
            Err(span.error(Problem::TooCostly, []))
        }
        _ => Ok(piped),
    }
}

/// The fields that a command behind these stages would see.
pub(crate) fn names_behind(stages: &[Placed], fields: &dyn Fields) -> Result<Vec<(String, Type)>> {
    let window = Window::default();
    let mut query = Query::new(fields, &window, Build::default(), &Node::All, None);
    for placed in stages {
        query.stage(placed)?;
    }
    Ok(query.columns.names())
}

impl<'f> Query<'f> {
    pub(super) fn new(fields: &'f dyn Fields, window: &'f Window, build: Build, node: &Node, extra: Option<&str>) -> Self {
        let mut select = Select::all_of("events");
        select.filter = window_conditions(window);
        select.filter.extend(extra.map(str::to_owned));
        if *node != Node::All {
            select.filter.push(in_conjunction(node));
        }
        let newest = |name: &str| Key { name: name.to_owned(), descends: true };
        Self {
            fields,
            window,
            build,
            select,
            columns: Columns::of_events(fields),
            order: vec![newest("timestamp"), newest("event.id")],
            hidden: vec![],
            is_rowwise: true,
            chart_ms: None,
            unique: None,
        }
    }

    pub(super) fn stage(&mut self, placed: &Placed) -> Result<()> {
        self.build.stages += 1;
        if self.build.stages > STAGES_MAX {
            return Err(placed.span.error(Problem::TooManyStages, [&STAGES_MAX]));
        }
        match &placed.stage {
            Stage::Where(expr) => self.keep_if(expr),
            Stage::Search(raw) => self.search(raw),
            Stage::Eval(list) => list.iter().try_for_each(|(to, expr)| self.eval(to, expr)),
            Stage::Extract { field, pattern } => self.extract(field.as_ref(), pattern, placed.span),
            Stage::Stats { aggregates, by } => self.stats(aggregates, by),
            Stage::Timechart { span, limit, aggregates, by } => {
                self.timechart(*span, *limit, aggregates, by.as_ref(), placed.span)
            }
            Stage::Top { count, fields, by, is_rare } => self.top(*count, fields, by, *is_rare),
            Stage::Dedup { count, keys } => self.dedup(*count, keys),
            Stage::Sort(keys) => self.sort(keys),
            Stage::Head(count) => {
                self.is_rowwise = false;
                self.select.limit = Some(self.select.limit.map_or(*count, |limit| limit.min(*count)));
                Ok(())
            }
            Stage::Keep(names) => self.keep(names),
            Stage::Remove(names) => self.remove(names),
            Stage::Rename(list) => list.iter().try_for_each(|(old, new)| self.rename(old, new)),
            Stage::Expand(field) => self.expand(field),
            Stage::Lookup { table, key, column, output } => self.lookup(table, key, column.as_ref(), output),
            Stage::Join { keeps_all, keys, search } => self.join(*keeps_all, keys, search),
            Stage::Sequence { keys, within, steps } => self.sequence(keys, *within, steps, placed.span),
        }
    }

    /// Makes what is there a step, and begins a new SELECT over it.
    pub(super) fn step(&mut self) {
        if self.select.is_pristine() {
            return;
        }
        for hidden in &self.hidden {
            self.select.excluded.retain(|excluded| excluded != hidden);
            if self.select.star.is_none() && !self.select.outputs.iter().any(|(output, _)| output == hidden) {
                self.select.outputs.push((hidden.clone(), name(hidden)));
            }
        }
        let step = self.build.name("step");
        let order = if self.select.limit.is_some() { self.order.as_slice() } else { &[] };
        self.build.add(&step, self.select.render(order));
        self.select = Select { excluded: self.hidden.clone(), ..Select::all_of(&step) };
    }

    /// Makes a step when these names, or a clause that comes before where they are needed, stand in the way.
    pub(super) fn ready<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let select = &self.select;
        let is_late = select.is_aggregate || select.is_join || select.qualify.is_some() || select.limit.is_some();
        if is_late || names.into_iter().any(|column| select.computes(column)) {
            self.step();
        }
    }

    pub(super) fn typing(&self) -> Typing<'_> {
        Typing { columns: &self.columns }
    }

    fn keep_if(&mut self, expr: &Expr) -> Result<()> {
        let sql = self.typing().condition(expr)?;
        self.ready(names_in([expr]));
        let is_or = matches!(expr, Expr::Binary { operator: Operator::Or, .. });
        self.select.filter.push(if is_or { format!("({sql})") } else { sql });
        Ok(())
    }

    fn search(&mut self, raw: &Raw) -> Result<()> {
        let node = self.node(raw)?;
        if node == Node::All {
            return Ok(());
        }
        self.ready(names_of(&node));
        self.select.filter.push(in_conjunction(&node));
        Ok(())
    }

    /// Reads text of the search box over the fields of this stage.
    pub(super) fn node(&self, raw: &Raw) -> Result<Node> {
        let node = parse(&raw.text, &self.columns).map_err(|error| error.behind(raw.span.offset))?;
        let has_lines = ["event.original", "message"].iter().all(|field| self.columns.get(field) == Some(Type::Text));
        if !has_lines && names_of(&node).contains("event.original") {
            return Err(raw.span.error(Problem::NoTextHere, []));
        }
        Ok(node)
    }

    fn eval(&mut self, to: &Named, expr: &Expr) -> Result<()> {
        let typed = self.typing().value(expr)?;
        if typed.holds == Type::Nothing || typed.holds == Type::Span {
            return Err(expr.span().error(Problem::TwoTypes, [&typed.holds, &typed.holds]));
        }
        self.ready(names_in([expr]).chain([to.name.as_str()]));
        self.assign(&to.name, typed.sql, typed.holds);
        Ok(())
    }

    fn extract(&mut self, field: Option<&Named>, pattern: &Named, span: Span) -> Result<()> {
        let original = Named { name: "event.original".to_owned(), span };
        let from = Expr::Name(field.unwrap_or(&original).clone());
        let text = self.typing().scalar_text(&from, "extract")?.sql;
        let groups = super::tables::groups(&pattern.name, pattern.span)?;
        self.ready(names_in([&from]).chain(groups.iter().map(String::as_str)));
        for group in &groups {
            self.assign(group, extracted(&text, &pattern.name, group), Type::Text);
        }
        Ok(())
    }

    /// Adds a column to the rows as they are.
    pub(super) fn assign(&mut self, to: &str, sql: String, holds: Type) {
        self.keep_order_of(to);
        if self.unique.as_ref().is_some_and(|keys| keys.iter().any(|key| key == to)) {
            self.unique = None;
        }
        let select = &mut self.select;
        let is_there = self.columns.get(to).is_some();
        match select.outputs.iter_mut().find(|(output, _)| output == to) {
            Some(output) => output.1 = sql,
            None => {
                if select.star.is_some() && is_there && !select.excluded.iter().any(|excluded| excluded == to) {
                    select.excluded.push(to.to_owned());
                }
                select.outputs.push((to.to_owned(), sql));
            }
        }
        self.columns.set(to, holds);
    }

    /// A column gets another meaning: rows stay in their order, so what it meant is kept beside it.
    fn keep_order_of(&mut self, column: &str) {
        let Some(at) = self.order.iter().position(|key| key.name == column) else { return };
        let kept = format!("_order{}_{at}", self.build.stages);
        self.select.outputs.push((kept.clone(), self.select.sql_of(column)));
        self.order[at].name.clone_from(&kept);
        self.hidden.retain(|hidden| hidden != column);
        self.hidden.push(kept);
        self.is_rowwise = false;
    }

    fn dedup(&mut self, count: u64, keys: &[Named]) -> Result<()> {
        for key in keys {
            self.columns.find(key)?;
        }
        let order = self.order.clone();
        self.ready(keys.iter().map(|key| key.name.as_str()).chain(order.iter().map(|key| key.name.as_str())));
        let partition: Vec<String> = keys.iter().map(|key| name(&key.name)).collect();
        let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", keys_sql(&order)) };
        self.select.qualify = Some(format!("row_number() OVER (PARTITION BY {}{order}) <= {count}", partition.join(", ")));
        self.is_rowwise = false;
        Ok(())
    }

    fn sort(&mut self, keys: &[(Named, bool)]) -> Result<()> {
        let mut order: Vec<Key> = Vec::new();
        for (key, descends) in keys {
            if self.columns.find(key)?.is_list() {
                return Err(key.span.error(Problem::ListNotHere, [&key.name]));
            }
            if !order.iter().any(|other| other.name == key.name) {
                order.push(Key { name: key.name.clone(), descends: *descends });
            }
        }
        if self.select.limit.is_some() {
            self.step();
        }
        // Rows that are equal in these keys stay in the order they had.
        let rest = std::mem::take(&mut self.order).into_iter().filter(|key| !keys.iter().any(|(own, _)| own.name == key.name));
        order.extend(rest.collect::<Vec<_>>());
        self.order = order;
        self.is_rowwise = false;
        Ok(())
    }

    fn keep(&mut self, names: &[Named]) -> Result<()> {
        let mut kept = Vec::new();
        for column in names {
            kept.push((column.name.clone(), self.columns.find(column)?));
        }
        let is_kept = |key: &Key| names.iter().any(|column| column.name == key.name);
        if self.select.is_join || self.select.qualify.is_some() || self.select.is_aggregate && !self.order.iter().all(is_kept) {
            self.step();
        }
        let mut outputs: Vec<(String, String)> =
            names.iter().map(|column| (column.name.clone(), self.select.sql_of(&column.name))).collect();
        for key in self.order.iter().filter(|key| !is_kept(key)) {
            if self.select.computes(&key.name) {
                outputs.push((key.name.clone(), self.select.sql_of(&key.name)));
            }
            if !self.hidden.contains(&key.name) {
                self.hidden.push(key.name.clone());
            }
        }
        self.select.star = None;
        self.select.excluded.clear();
        self.select.outputs = outputs;
        let expanded = std::mem::take(&mut self.columns.expanded);
        self.columns = Columns::closed(kept);
        self.columns.expanded = expanded;
        self.unique = self.unique.take().filter(|keys| keys.iter().all(|key| names.iter().any(|column| column.name == *key)));
        Ok(())
    }

    fn remove(&mut self, names: &[Named]) -> Result<()> {
        for column in names {
            self.columns.find(column)?;
        }
        if !self.columns.is_open() {
            let is_gone = |own: &str| names.iter().any(|column| column.name == own);
            let left = self.columns.own().iter().filter(|(own, _)| !is_gone(own));
            let left: Vec<Named> = left.map(|(own, _)| Named { name: own.clone(), span: names[0].span }).collect();
            if left.is_empty() {
                return Err(names[0].span.error(Problem::Expected, [&"a field name"]));
            }
            return self.keep(&left);
        }
        let is_in_order = names.iter().any(|column| self.order.iter().any(|key| key.name == column.name));
        if self.select.is_join || self.select.qualify.is_some() || is_in_order && !self.select.outputs.is_empty() {
            self.step();
        }
        for column in names {
            let column = &column.name;
            self.columns.remove(column);
            if self.order.iter().any(|key| key.name == *column) {
                self.hidden.push(column.clone());
                self.is_rowwise = false;
            }
            let before = self.select.outputs.len();
            self.select.outputs.retain(|(output, _)| output != column);
            // What is made here is gone with its making; where it took the place of a column, that is left out already.
            let was_made = self.select.outputs.len() < before;
            if !was_made && !self.select.excluded.contains(column) {
                self.select.excluded.push(column.clone());
            }
        }
        Ok(())
    }

    fn rename(&mut self, old: &Named, new: &Named) -> Result<()> {
        let holds = self.columns.find(old)?;
        if old.name == new.name {
            return Ok(());
        }
        if self.columns.get(&new.name).is_some() {
            return Err(new.span.error(Problem::AlreadyThere, [&new.name]));
        }
        if self.select.is_join || self.select.qualify.is_some() || self.hidden.contains(&new.name) {
            self.step();
        }
        self.keep_order_of(&new.name);
        let sql = self.select.sql_of(&old.name);
        let is_own = self.select.outputs.iter().any(|(output, _)| *output == old.name);
        if is_own {
            for (output, _) in &mut self.select.outputs {
                if *output == old.name {
                    output.clone_from(&new.name);
                }
            }
        } else {
            self.select.excluded.push(old.name.clone());
            self.select.outputs.push((new.name.clone(), sql));
        }
        for key in &mut self.order {
            if key.name == old.name {
                key.name.clone_from(&new.name);
                self.is_rowwise = false;
            }
        }
        self.unique = None;
        self.columns.rename(&old.name, &new.name, holds);
        Ok(())
    }

    fn expand(&mut self, field: &Named) -> Result<()> {
        let holds = self.columns.find(field)?;
        // Lists that `values` made have their rows already.
        if holds != Type::List {
            return Err(field.span.error(Problem::ExpandStored, [&field.name]));
        }
        self.ready([field.name.as_str()]);
        let element = match self.fields.kind(&field.name) {
            Some((event::Kind::Ip, true)) => Type::Ip,
            _ => Type::Text,
        };
        self.assign(&field.name, format!("unnest({})", name(&field.name)), element);
        self.order.push(Key::ascending(&field.name));
        self.columns.expanded.push(field.name.clone());
        self.is_rowwise = false;
        self.unique = None;
        self.step();
        Ok(())
    }

    /// A search inside brackets, as a query of its own that shares the steps.
    pub(super) fn inner(&mut self, raw: &Raw) -> Result<Query<'f>> {
        let place = |error: SearchError| error.behind(raw.span.offset);
        self.build.brackets += 1;
        if self.build.brackets > BRACKETS_MAX {
            return Err(raw.span.error(Problem::TooDeep, []));
        }
        let (node, pipe) = crate::search::parse_conditions(&raw.text, self.fields).map_err(place)?;
        let stages = pipe.map_or(Ok(vec![]), |at| read(&raw.text, at)).map_err(place)?;
        let mut inner = Query::new(self.fields, self.window, std::mem::take(&mut self.build), &node, None);
        for placed in &stages {
            inner.stage(placed).map_err(place)?;
        }
        Ok(inner)
    }

    fn finish(mut self) -> Piped {
        let has_hidden_output = |select: &Select, hidden: &String| select.outputs.iter().any(|(output, _)| output == hidden);
        if self.hidden.iter().any(|hidden| has_hidden_output(&self.select, hidden)) {
            self.step();
        }
        if let Some(limit) = self.window.limit {
            let limit = limit as u64;
            self.select.limit = Some(self.select.limit.map_or(limit, |own| own.min(limit)));
        }
        let has_time = self.columns.get("timestamp") == Some(Type::Date) && self.columns.get("event.id").is_some();
        let shape = match self.chart_ms {
            Some(span_ms) if self.columns.get("timestamp") == Some(Type::Date) => Shape::Chart { span_ms },
            _ if self.is_rowwise && self.columns.is_open() && has_time => Shape::Events,
            _ => Shape::Table,
        };
        let mut sql = String::new();
        for (at, (step, body)) in self.build.ctes.iter().enumerate() {
            sql += if at == 0 { "WITH " } else { ",\n" };
            sql += &format!("{step} AS (\n  {}\n)", body.replace('\n', "\n  "));
        }
        if !sql.is_empty() {
            sql.push('\n');
        }
        sql += &self.select.render(&self.order);
        let columns = (!self.columns.is_open()).then(|| self.columns.own().to_vec());
        Piped { sql, shape, columns }
    }
}

/// A condition as one of several that must hold.
pub(super) fn in_conjunction(node: &Node) -> String {
    let sql = condition(node);
    if matches!(node, Node::Or(_)) && sql.contains(" OR ") { format!("({sql})") } else { sql }
}

pub(super) fn names_in<'e>(exprs: impl IntoIterator<Item = &'e Expr>) -> std::vec::IntoIter<&'e str> {
    let mut names = Vec::new();
    exprs.into_iter().for_each(|expr| expr.names(&mut names));
    names.into_iter()
}

/// The fields that a condition is about; words are about both texts.
pub(super) fn names_of(node: &Node) -> BTreeSet<&str> {
    match node {
        Node::All => BTreeSet::new(),
        Node::And(list) | Node::Or(list) => list.iter().flat_map(names_of).collect(),
        Node::Not(inner) => names_of(inner),
        Node::Text(_) => BTreeSet::from(["event.original", "message"]),
        Node::Exists(field) | Node::Is { field, .. } | Node::Compare { field, .. } => BTreeSet::from([field.as_str()]),
    }
}
