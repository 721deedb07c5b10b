//! Tree → SQL text. Every value is quoted here and nowhere else.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat};
use event::{Field, Kind, Micros};

use super::{Fields, Node, SearchError, Value, parse::parse};
use crate::functions::like_escaped;

/// A search as SQL.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// The condition alone; `true` for the empty search.
    pub where_sql: String,
    /// The whole statement, time range and order included, as the page shows it.
    pub sql: String,
    pub node: Node,
}

/// Which part of time a search looks at, and how many rows of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// From this moment on.
    pub from: Option<Micros>,
    /// Up to and without this moment.
    pub to: Option<Micros>,
    pub limit: Option<usize>,
}

/// Compiles a search text.
pub fn compile(text: &str, fields: &dyn Fields, window: &Window) -> Result<Compiled, SearchError> {
    let node = parse(text, fields)?;
    let where_sql = condition(&node);
    let conditions = conditions(&where_sql, window);
    let mut sql = String::from("SELECT * FROM events");
    if !conditions.is_empty() {
        sql += " WHERE ";
        sql += &conditions;
    }
    sql += " ORDER BY timestamp DESC";
    if let Some(limit) = window.limit {
        sql += &format!(" LIMIT {limit}");
    }
    Ok(Compiled { where_sql, sql, node })
}

/// A condition within a window, ready to stand after WHERE; empty when there is none.
pub(crate) fn conditions(where_sql: &str, window: &Window) -> String {
    let mut parts = Vec::new();
    parts.extend(window.from.map(|from| format!("timestamp >= {}", time(from))));
    parts.extend(window.to.map(|to| format!("timestamp < {}", time(to))));
    if where_sql != "true" {
        parts.push(if parts.is_empty() { where_sql.to_owned() } else { format!("({where_sql})") });
    }
    parts.join(" AND ")
}

fn condition(node: &Node) -> String {
    match node {
        Node::All => "true".to_owned(),
        Node::And(list) => joined(list, " AND "),
        Node::Or(list) => in_list(list).unwrap_or_else(|| joined(list, " OR ")),
        // Two-valued: without the field the inner condition is unknown, and its negation holds.
        Node::Not(inner) => format!("({}) IS NOT TRUE", condition(inner)),
        Node::Text(value) => format!("match({})", quoted(&question(value))),
        Node::Exists(field) => format!("{} IS NOT NULL", name(field)),
        Node::Is { field, kind, value } => is(&name(field), *kind, value),
        Node::Compare { field, kind, comparison, value } => {
            let (field, symbol) = (name(field), comparison.symbol());
            match kind {
                Kind::Long | Kind::Double => format!("{field} {symbol} {}", number(value)),
                Kind::Date => format!("{field} {symbol} {}", moment(value).map_or_else(|| quoted(value), time)),
                // Outside the catalogue everything is text; a number is compared as a number.
                _ if value.parse::<f64>().is_ok_and(f64::is_finite) => {
                    format!("TRY_CAST({field} AS DOUBLE) {symbol} {}", number(value))
                }
                _ => format!("{field} {symbol} {}", quoted(value)),
            }
        }
    }
}

/// `field:(a or b)` of whole values as `field IN ('a', 'b')`.
fn in_list(list: &[Node]) -> Option<String> {
    let mut values = Vec::with_capacity(list.len());
    let mut common = None;
    for node in list {
        let Node::Is { field, kind, value: Value::Exact(text) | Value::Phrase(text) } = node else { return None };
        if !node.joins_a_list() || *common.get_or_insert(field) != field {
            return None;
        }
        values.push(if *kind == Kind::Long { number(text) } else { quoted(text) });
    }
    Some(format!("{} IN ({})", name(common?), values.join(", ")))
}

fn joined(list: &[Node], with: &str) -> String {
    let parts: Vec<String> = list
        .iter()
        .map(|node| match node {
            Node::And(_) | Node::Or(_) => format!("({})", condition(node)),
            _ => condition(node),
        })
        .collect();
    parts.join(with)
}

fn is(field: &str, kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Long | Kind::Double, Value::Exact(text) | Value::Phrase(text)) => format!("{field} = {}", number(text)),
        (Kind::Boolean, Value::Exact(text) | Value::Phrase(text)) => format!("{field} = {text}"),
        (Kind::Date, Value::Exact(text) | Value::Phrase(text)) => {
            format!("{field} = {}", moment(text).map_or_else(|| quoted(text), time))
        }
        (Kind::Text, value) => format!("match({field}, {})", quoted(&question(value))),
        (_, Value::Network(text)) => format!("cidr({field}, {})", quoted(text)),
        (_, Value::Prefix(text)) => format!("prefix({field}, {})", quoted(text)),
        (_, Value::Wildcard(text)) => format!("{field} LIKE {}", quoted(&like_escaped(text).replace('*', "%"))),
        (_, Value::Exact(text) | Value::Phrase(text)) => format!("{field} = {}", quoted(text)),
    }
}

/// A value as `match` reads it: always between double quotes, so that nothing in it has a meaning.
fn question(value: &Value) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    match value {
        Value::Prefix(text) => format!("\"{}\"*", escaped(text)),
        Value::Exact(text) | Value::Phrase(text) | Value::Wildcard(text) | Value::Network(text) => {
            if is_plain_word(text) {
                text.clone()
            } else {
                format!("\"{}\"", escaped(text))
            }
        }
    }
}

/// Words that need no quotes in a question, so that the SQL stays readable.
fn is_plain_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '*'))
}

fn number(text: &str) -> String {
    match text.parse::<i64>() {
        Ok(number) => number.to_string(),
        Err(_) => format!("CAST({} AS DOUBLE)", quoted(text)),
    }
}

/// A text as SQL.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A field as SQL: dotted names of plain words as they are, others between quotes.
pub(crate) fn name(field: &str) -> String {
    let is_plain = Field::by_name(field).is_some()
        || field.split('.').all(|part| {
            part.starts_with(|c: char| c.is_ascii_lowercase())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && field.contains('.')
        });
    if is_plain { field.to_owned() } else { format!("\"{}\"", field.replace('"', "\"\"")) }
}

/// A moment as SQL.
pub(crate) fn time(micros: Micros) -> String {
    let moment = DateTime::from_timestamp_micros(micros.clamp(MOMENT_MIN, MOMENT_MAX)).unwrap_or_default();
    format!("'{}'", moment.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// Years 0 and 9999: what can be written with four digits.
const MOMENT_MIN: Micros = -62_167_219_200_000_000;
const MOMENT_MAX: Micros = 253_402_300_799_999_999;

/// Reads a moment as people write it; without a zone it is UTC.
pub(crate) fn moment(text: &str) -> Option<Micros> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.timestamp_micros());
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
        if let Ok(moment) = NaiveDateTime::parse_from_str(text, format) {
            return Some(moment.and_utc().timestamp_micros());
        }
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let micros = day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros();
    (MOMENT_MIN..=MOMENT_MAX).contains(&micros).then_some(micros)
}
