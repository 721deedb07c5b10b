//! The meaning of every command, without SQL: rows are maps, stages are loops over vectors. Slow, and plain to read.

use std::{cmp::Ordering, collections::BTreeMap};

use crate::search::{
    Aggregate, Catalogue, Expr, Fields, Named, Node, Operator, Placed, Raw, Stage, Type, Window, compile, parse,
};
use event::Kind;

use super::{property::holds, world::Row};

#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    Null,
    Text(String),
    Int(i64),
    Num(f64),
    Bool(bool),
    Time(i64),
    List(Vec<String>),
}

impl Val {
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Num(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(text.clone()),
            Self::Int(number) => Some(number.to_string()),
            Self::Bool(flag) => Some(flag.to_string()),
            Self::Num(number) => Some(format!("{number:?}")),
            other => panic!("the oracle writes no text of {other:?}"),
        }
    }

    /// Nothing comes last, whatever the direction.
    fn order(&self, other: &Self, descends: bool) -> Ordering {
        let plain = match (self, other) {
            (Self::Null, Self::Null) => return Ordering::Equal,
            (Self::Null, _) => return Ordering::Greater,
            (_, Self::Null) => return Ordering::Less,
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            (a, b) => a.number().unwrap().total_cmp(&b.number().unwrap()),
        };
        if descends { plain.reverse() } else { plain }
    }
}

/// Columns in order.
pub type Map = Vec<(String, Val)>;

pub fn get<'m>(row: &'m Map, name: &str) -> &'m Val {
    row.iter().find(|(own, _)| own == name).map_or(&Val::Null, |(_, value)| value)
}

fn set(row: &mut Map, name: &str, value: Val) {
    row.retain(|(own, _)| own != name);
    row.push((name.to_owned(), value));
}

/// Every value of a field as text, as the search box sees it.
fn values(row: &Map, field: &str) -> Vec<String> {
    match get(row, field) {
        Val::Null => vec![],
        Val::List(items) => items.clone(),
        Val::Num(number) => vec![number.to_string()],
        other => vec![other.text().unwrap()],
    }
}

/// Fields outside the catalogue that the test's events have.
pub struct Known;

impl Fields for Known {
    fn kind(&self, name: &str) -> Option<(Kind, bool)> {
        let extra = ["fortinet.level", "rare.key"].contains(&name);
        Catalogue.kind(name).or_else(|| extra.then_some((Kind::Keyword, false)))
    }

    fn nearest(&self, name: &str) -> Option<String> {
        Catalogue.nearest(name)
    }

    fn names(&self) -> Vec<String> {
        Catalogue.names()
    }

    fn table(&self, name: &str) -> Option<Vec<(String, Type)>> {
        (name == "alerts").then(|| vec![("system".to_owned(), Type::Text), ("entity".to_owned(), Type::Text)])
    }
}

pub fn map_of(row: &Row) -> Map {
    let text = |value: &Option<String>| value.clone().map_or(Val::Null, Val::Text);
    let own = |value: &str| Val::Text(value.to_owned());
    vec![
        ("timestamp".into(), Val::Time(row.timestamp)),
        ("message".into(), text(&row.message)),
        ("event.id".into(), own(&row.id)),
        ("event.dataset".into(), own(row.dataset)),
        ("event.original".into(), own(&row.original)),
        ("system.id".into(), own(row.system)),
        ("user.name".into(), text(&row.user)),
        ("source.ip".into(), text(&row.ip)),
        ("source.port".into(), row.port.map_or(Val::Null, Val::Int)),
        ("related.ip".into(), if row.related.is_empty() { Val::Null } else { Val::List(row.related.clone()) }),
        ("process.command_line".into(), text(&row.command)),
        ("fortinet.level".into(), text(&row.vendor)),
        ("rare.key".into(), text(&row.rare)),
    ]
}

/// The rows that a search gives, in order.
pub fn answer(text: &str, rows: &[Row]) -> Vec<Map> {
    let compiled = compile(text, &Known, &Window::default()).unwrap();
    run(&compiled.node, &compiled.stages, rows)
}

fn run(node: &Node, stages: &[Placed], events: &[Row]) -> Vec<Map> {
    let mut rows: Vec<Map> = events.iter().map(map_of).collect();
    rows.retain(|row| holds(node, &|field| values(row, field)));
    sort(&mut rows, &[("timestamp", true), ("event.id", true)]);
    stages.iter().fold(rows, |rows, placed| apply(&placed.stage, rows, events))
}

fn sort(rows: &mut [Map], keys: &[(&str, bool)]) {
    rows.sort_by(|a, b| {
        let compared = keys.iter().map(|(key, descends)| get(a, key).order(get(b, key), *descends));
        compared.fold(Ordering::Equal, Ordering::then)
    });
}

fn key_of(row: &Map, names: &[Named]) -> Vec<Val> {
    names.iter().map(|named| get(row, &named.name).clone()).collect()
}

/// Rows in groups of equal keys, each in its order; the first group is that of the first row.
fn groups(rows: Vec<Map>, key: impl Fn(&Map) -> Vec<Val>) -> Vec<(Vec<Val>, Vec<Map>)> {
    let mut out: Vec<(Vec<Val>, Vec<Map>)> = Vec::new();
    for row in rows {
        let own = key(&row);
        match out.iter_mut().find(|(key, _)| *key == own) {
            Some((_, group)) => group.push(row),
            None => out.push((own, vec![row])),
        }
    }
    out
}

fn apply(stage: &Stage, mut rows: Vec<Map>, events: &[Row]) -> Vec<Map> {
    match stage {
        Stage::Where(expr) => rows.retain(|row| is_true(expr, row)),
        Stage::Search(raw) => {
            let node = parse(&raw.text, &Known).unwrap();
            rows.retain(|row| holds(&node, &|field| values(row, field)));
        }
        Stage::Eval(list) => {
            for row in &mut rows {
                for (to, expr) in list {
                    let value = value(expr, row);
                    set(row, &to.name, value);
                }
            }
        }
        Stage::Extract { field, pattern } => {
            let regex = regex::Regex::new(&pattern.name).unwrap();
            let from = field.as_ref().map_or("event.original", |field| &field.name);
            for row in &mut rows {
                let text = get(row, from).text();
                let found = text.as_ref().and_then(|text| regex.captures(text));
                let group = |name: &str| Some(Val::Text(found.as_ref()?.name(name)?.as_str().to_owned()));
                let found: Vec<_> =
                    regex.capture_names().flatten().map(|name| (name, group(name).unwrap_or(Val::Null))).collect();
                found.into_iter().for_each(|(name, value)| set(row, name, value));
            }
        }
        Stage::Stats { aggregates, by } => {
            let is_whole = by.is_empty();
            let mut grouped = groups(rows, |row| by.iter().map(|one| value(&one.expr, row)).collect());
            if is_whole && grouped.is_empty() {
                grouped.push((vec![], vec![]));
            }
            rows = grouped
                .into_iter()
                .map(|(key, group)| {
                    let mut out: Map = by.iter().map(|one| one.name.name.clone()).zip(key).collect();
                    out.extend(aggregates.iter().map(|one| (one.name.name.clone(), aggregate(one, &group))));
                    out
                })
                .collect();
            let keys: Vec<_> = by.iter().map(|one| (one.name.name.as_str(), false)).collect();
            sort(&mut rows, &keys);
        }
        Stage::Timechart { span, limit, aggregates, by } => {
            return timechart(span.unwrap(), *limit, aggregates, by.as_ref(), rows);
        }
        Stage::Top { count, fields, by, is_rare } => return top(*count as usize, fields, by, *is_rare, rows),
        Stage::Dedup { count, keys } => {
            let mut seen: Vec<(Vec<Val>, u64)> = Vec::new();
            rows.retain(|row| {
                let own = key_of(row, keys);
                let at = seen.iter().position(|(key, _)| *key == own).unwrap_or_else(|| {
                    seen.push((own, 0));
                    seen.len() - 1
                });
                seen[at].1 += 1;
                seen[at].1 <= *count
            });
        }
        Stage::Sort(keys) => {
            let keys: Vec<_> = keys.iter().map(|(key, descends)| (key.name.as_str(), *descends)).collect();
            sort(&mut rows, &keys);
        }
        Stage::Head(count) => rows.truncate(*count as usize),
        Stage::Keep(names) => {
            rows = rows
                .iter()
                .map(|row| names.iter().map(|name| (name.name.clone(), get(row, &name.name).clone())).collect())
                .collect();
        }
        Stage::Remove(names) => {
            rows.iter_mut().for_each(|row| row.retain(|(own, _)| !names.iter().any(|name| name.name == *own)));
        }
        Stage::Rename(list) => {
            for (old, new) in list {
                for row in &mut rows {
                    row.iter_mut().filter(|(own, _)| *own == old.name).for_each(|(own, _)| own.clone_from(&new.name));
                }
            }
        }
        Stage::Expand(field) => {
            let mut out = Vec::new();
            for row in rows {
                let mut items = values(&row, &field.name);
                items.sort();
                for item in items {
                    let mut row = row.clone();
                    set(&mut row, &field.name, Val::Text(item));
                    out.push(row);
                }
            }
            rows = out;
        }
        Stage::Lookup { .. } => panic!("lookups have tests of their own"),
        Stage::Join { keeps_all, keys, search } => return join(*keeps_all, keys, search, rows, events),
        Stage::Sequence { keys, within, steps } => return sequence(keys, *within, steps, rows),
    }
    rows
}

fn aggregate(one: &Aggregate, group: &[Map]) -> Val {
    let rows: Vec<&Map> = group.iter().filter(|row| one.condition.as_ref().is_none_or(|expr| is_true(expr, row))).collect();
    let Some(arg) = one.args.first() else { return Val::Int(rows.len() as i64) };
    let mut found: Vec<Val> = rows.iter().map(|row| value(arg, row)).filter(|value| *value != Val::Null).collect();
    let numbers: Vec<f64> = found.iter().filter_map(Val::number).collect();
    let sum: f64 = numbers.iter().sum();
    match one.function.name.as_str() {
        "count" => Val::Int(found.len() as i64),
        "dc" => {
            found.sort_by(|a, b| a.order(b, false));
            found.dedup();
            Val::Int(found.len() as i64)
        }
        "sum" | "avg" if numbers.is_empty() => Val::Null,
        "sum" => Val::Num(sum),
        "avg" => Val::Num(sum / numbers.len() as f64),
        "min" => found.into_iter().min_by(|a, b| a.order(b, false)).unwrap_or(Val::Null),
        "max" => found.into_iter().max_by(|a, b| a.order(b, false)).unwrap_or(Val::Null),
        "values" if found.is_empty() => Val::Null,
        "values" => {
            let mut texts: Vec<String> = found.iter().filter_map(Val::text).collect();
            texts.sort();
            texts.dedup();
            Val::List(texts)
        }
        name @ ("earliest" | "latest") => {
            let mut timed: Vec<Map> = rows.into_iter().filter(|row| value(arg, row) != Val::Null).cloned().collect();
            let descends = name == "latest";
            sort(&mut timed, &[("timestamp", descends), ("event.id", descends)]);
            timed.first().map_or(Val::Null, |row| value(arg, row))
        }
        "median" | "p90" if numbers.is_empty() => Val::Null,
        name @ ("median" | "p90") => {
            let mut sorted = numbers;
            sorted.sort_by(f64::total_cmp);
            let at = if name == "median" { 0.5 } else { 0.9 } * (sorted.len() - 1) as f64;
            let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
            Val::Num(low + (high - low) * at.fract())
        }
        other => panic!("the oracle does not know {other}"),
    }
}

fn bin(time: i64, span: i64) -> i64 {
    let zone = 7 * 3_600_000_000;
    let monday = if span % (7 * 86_400_000_000) == 0 { 4 * 86_400_000_000 } else { 0 };
    (time + zone - monday).div_euclid(span) * span - zone + monday
}

fn timechart(span: i64, limit: u64, aggregates: &[Aggregate], by: Option<&Named>, mut rows: Vec<Map>) -> Vec<Map> {
    rows.retain(|row| *get(row, "timestamp") != Val::Null);
    let label = |row: &Map| by.map_or(Val::Null, |by| get(row, &by.name).text().map_or(Val::Null, Val::Text));
    let mut series = groups(rows.clone(), |row| vec![label(row)]);
    series.retain(|(key, _)| key[0] != Val::Null);
    series.sort_by(|(a, few), (b, many)| many.len().cmp(&few.len()).then_with(|| a[0].order(&b[0], false)));
    series.truncate(limit as usize);
    let shown = |row: &Map| match label(row) {
        own if own == Val::Null || series.iter().any(|(key, _)| key[0] == own) => own,
        _ => Val::Text("OTHER".to_owned()),
    };
    let time = |row: &Map| match get(row, "timestamp") {
        Val::Time(time) => Val::Time(bin(*time, span)),
        other => other.clone(),
    };
    let grouped = groups(rows, |row| vec![time(row), shown(row)]);
    let mut out: Vec<Map> = grouped
        .into_iter()
        .map(|(key, group)| {
            let mut out: Map = vec![("timestamp".to_owned(), key[0].clone())];
            out.extend(by.map(|by| (by.name.clone(), key[1].clone())));
            out.extend(aggregates.iter().map(|one| (one.name.name.clone(), aggregate(one, &group))));
            out
        })
        .collect();
    let mut keys = vec![("timestamp", false)];
    keys.extend(by.map(|by| (by.name.as_str(), false)));
    sort(&mut out, &keys);
    out
}

fn top(count: usize, fields: &[Named], by: &[Named], is_rare: bool, mut rows: Vec<Map>) -> Vec<Map> {
    rows.retain(|row| fields.iter().all(|field| *get(row, &field.name) != Val::Null));
    let mut out = Vec::new();
    for (key, group) in groups(rows, |row| key_of(row, by)) {
        let total = group.len();
        let mut counted: Vec<Map> = groups(group, |row| key_of(row, fields))
            .into_iter()
            .map(|(own, group)| {
                let names = by.iter().chain(fields).map(|field| field.name.clone());
                let mut out: Map = names.zip(key.iter().cloned().chain(own)).collect();
                out.push(("count".to_owned(), Val::Int(group.len() as i64)));
                out.push(("percent".to_owned(), Val::Num(100.0 * group.len() as f64 / total as f64)));
                out
            })
            .collect();
        let mut keys = vec![("count", !is_rare)];
        keys.extend(fields.iter().map(|field| (field.name.as_str(), false)));
        sort(&mut counted, &keys);
        counted.truncate(count);
        out.extend(counted);
    }
    let keys: Vec<_> = by.iter().map(|field| (field.name.as_str(), false)).collect();
    sort(&mut out, &keys);
    out
}

fn join(keeps_all: bool, keys: &[Named], search: &Raw, rows: Vec<Map>, events: &[Row]) -> Vec<Map> {
    let right = answer(&search.text, events);
    let compiled = compile(&search.text, &Known, &Window::default()).unwrap();
    let columns: Vec<String> = compiled.columns.unwrap().into_iter().map(|(name, _)| name).collect();
    let mut out = Vec::new();
    for mut row in rows {
        let own = key_of(&row, keys);
        let found = right.iter().find(|other| !own.contains(&Val::Null) && key_of(other, keys) == own);
        if found.is_none() && !keeps_all {
            continue;
        }
        for column in columns.iter().filter(|column| !keys.iter().any(|key| key.name == **column)) {
            let value = found.map_or(Val::Null, |found| get(found, column).clone());
            row.push((column.clone(), value));
        }
        out.push(row);
    }
    out
}

/// Every chain of rows, one by one.
fn sequence(keys: &[Named], within: i64, steps: &[Raw], mut rows: Vec<Map>) -> Vec<Map> {
    let steps: Vec<Node> = steps.iter().map(|step| parse(&step.text, &Known).unwrap()).collect();
    rows.retain(|row| !key_of(row, keys).contains(&Val::Null));
    sort(&mut rows, &[("timestamp", false), ("event.id", false)]);
    let time = |row: &Map| match get(row, "timestamp") {
        Val::Time(time) => *time,
        other => panic!("{other:?}"),
    };
    let mut out = Vec::new();
    for (key, group) in groups(rows, |row| key_of(row, keys)) {
        let hits = |step: usize, row: &Map| holds(&steps[step], &|field| values(row, field));
        let mut begun: Vec<(usize, usize, i64)> = Vec::new();
        let mut found: BTreeMap<usize, i64> = BTreeMap::new();
        for (at, row) in group.iter().enumerate() {
            // Chains that a row goes on with are extended from the longest, so that it stands for one step of each.
            for chain in begun.clone() {
                let (step, _, start) = chain;
                if hits(step + 1, row) {
                    match step + 2 == steps.len() {
                        true => _ = found.entry(at).and_modify(|best| *best = (*best).max(start)).or_insert(start),
                        false => begun.push((step + 1, at, start)),
                    }
                }
            }
            if hits(0, row) {
                begun.push((0, at, time(row)));
            }
        }
        for (at, start) in found {
            let row = &group[at];
            if time(row) > start + within {
                continue;
            }
            let mut one: Map = keys.iter().map(|key| key.name.clone()).zip(key.iter().cloned()).collect();
            one.push(("start".into(), Val::Time(start)));
            one.push(("timestamp".into(), Val::Time(time(row))));
            one.push(("seconds".into(), Val::Num((time(row) - start) as f64 / 1e6)));
            one.push(("event.id".into(), get(row, "event.id").clone()));
            out.push(one);
        }
    }
    sort(&mut out, &[("timestamp", true), ("event.id", true)]);
    out
}

fn is_true(expr: &Expr, row: &Map) -> bool {
    value(expr, row) == Val::Bool(true)
}

fn value(expr: &Expr, row: &Map) -> Val {
    match expr {
        Expr::Name(name) => get(row, &name.name).clone(),
        Expr::Text { text, .. } => Val::Text(text.clone()),
        Expr::Number { text, .. } => text.parse().map_or_else(|_| Val::Num(text.parse().unwrap()), Val::Int),
        Expr::Boolean { is_true, .. } => Val::Bool(*is_true),
        Expr::Null { .. } => Val::Null,
        Expr::Duration { .. } => panic!("a span alone"),
        Expr::Not { inner, .. } => Val::Bool(!is_true(inner, row)),
        Expr::Negative { inner, .. } => match value(inner, row) {
            Val::Int(number) => Val::Int(-number),
            other => other.number().map_or(Val::Null, |number| Val::Num(-number)),
        },
        Expr::IsNull { inner, .. } => Val::Bool(value(inner, row) == Val::Null),
        Expr::In { inner, list, .. } => {
            let equal = |item: &Expr| compare(Operator::Equal, &value(inner, row), &value(item, row));
            Val::Bool(list.iter().any(equal))
        }
        Expr::Binary { operator: Operator::And, left, right, .. } => Val::Bool(is_true(left, row) && is_true(right, row)),
        Expr::Binary { operator: Operator::Or, left, right, .. } => Val::Bool(is_true(left, row) || is_true(right, row)),
        Expr::Binary { operator, left, right, .. } => {
            let (a, b) = (value(left, row), value(right, row));
            match operator {
                Operator::Plus | Operator::Minus | Operator::Times | Operator::Divide | Operator::Modulo => {
                    arithmetic(*operator, &a, &b)
                }
                _ => Val::Bool(compare(*operator, &a, &b)),
            }
        }
        Expr::Call { function, args, written, .. } => match row.iter().find(|(own, _)| own == written) {
            Some((_, found)) => found.clone(),
            None => call(&function.name, args, row),
        },
    }
}

fn call(name: &str, args: &[Expr], row: &Map) -> Val {
    let arg = |at: usize| value(&args[at], row);
    let text = |at: usize| arg(at).text();
    match name {
        "if" => arg(if is_true(&args[0], row) { 1 } else { 2 }),
        "coalesce" => args.iter().map(|arg| value(arg, row)).find(|value| *value != Val::Null).unwrap_or(Val::Null),
        "isnull" => Val::Bool(arg(0) == Val::Null),
        "lower" => text(0).map_or(Val::Null, |text| Val::Text(text.to_lowercase())),
        "len" => match arg(0) {
            Val::List(items) => Val::Int(items.len() as i64),
            other => other.text().map_or(Val::Null, |text| Val::Int(text.chars().count() as i64)),
        },
        "concat" => {
            let parts: Option<Vec<String>> = (0..args.len()).map(text).collect();
            parts.map_or(Val::Null, |parts| Val::Text(parts.concat()))
        }
        "tonumber" => arg(0).number().map_or(Val::Null, Val::Num),
        "contains" => text(0).map_or(Val::Null, |own| Val::Bool(own.contains(&text(1).unwrap()))),
        "bin" => match (arg(0), &args[1]) {
            (Val::Time(time), Expr::Duration { micros, .. }) => Val::Time(bin(time, *micros)),
            other => panic!("{other:?}"),
        },
        "hour" => match arg(0) {
            Val::Time(time) => Val::Int((time / 3_600_000_000 + 7) % 24),
            other => panic!("{other:?}"),
        },
        // The first of January 1970 was a Thursday.
        "weekday" => match arg(0) {
            Val::Time(time) => Val::Int((time / 3_600_000_000 + 7) / 24 % 7 + 4).map_int(|day| (day - 1) % 7 + 1),
            other => panic!("{other:?}"),
        },
        other => panic!("the oracle does not know {other}"),
    }
}

impl Val {
    fn map_int(self, f: impl Fn(i64) -> i64) -> Self {
        match self {
            Self::Int(number) => Self::Int(f(number)),
            other => other,
        }
    }
}

fn arithmetic(operator: Operator, a: &Val, b: &Val) -> Val {
    let (Some(x), Some(y)) = (a.number(), b.number()) else { return Val::Null };
    let both_whole = matches!((a, b), (Val::Int(_), Val::Int(_)));
    let out = match operator {
        Operator::Plus => x + y,
        Operator::Minus => x - y,
        Operator::Times => x * y,
        _ if y == 0.0 => return Val::Null,
        Operator::Divide => return Val::Num(x / y),
        _ => x % y,
    };
    if both_whole { Val::Int(out as i64) } else { Val::Num(out) }
}

/// A day of UTC, or a moment with its zone.
fn moment(text: &str) -> i64 {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    chrono::DateTime::parse_from_rfc3339(&whole).unwrap().timestamp_micros()
}

fn compare(operator: Operator, a: &Val, b: &Val) -> bool {
    if let Val::List(items) = a {
        return items.iter().any(|item| compare(operator, &Val::Text(item.clone()), b));
    }
    if *a == Val::Null || *b == Val::Null {
        return false;
    }
    let order = match (operator, a, b) {
        (_, Val::Time(time), Val::Text(text)) => time.cmp(&moment(text)),
        (Operator::Matches, Val::Text(a), Val::Text(b)) => return regex::Regex::new(b).unwrap().is_match(a),
        (Operator::Like, Val::Text(a), Val::Text(b)) => {
            return super::property::glob(&b.split('*').collect::<Vec<_>>(), a);
        }
        (Operator::Equal, Val::Text(a), Val::Text(b)) if b.contains('/') => {
            let network: Option<ipnet::IpNet> = b.parse().ok();
            return network.is_some_and(|network| a.parse::<std::net::IpAddr>().is_ok_and(|ip| network.contains(&ip)));
        }
        // Text equals a number when it is written so.
        (Operator::Equal, Val::Text(a), b @ (Val::Int(_) | Val::Num(_))) => return Some(a.clone()) == b.text(),
        (_, Val::Text(_), Val::Text(_)) | (_, Val::Time(_), _) | (_, Val::Bool(_), _) => a.order(b, false),
        _ => match (a.number(), b.number()) {
            (Some(x), Some(y)) => x.total_cmp(&y),
            _ => return false,
        },
    };
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        _ => order.is_ge(),
    }
}
