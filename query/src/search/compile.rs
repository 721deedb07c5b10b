//! Tree → SQL text. Every value is quoted here and nowhere else.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat};
use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;
use event::{Field, Kind, Micros};

use super::{
    Fields, Node, SearchError, Value,
    parse::conditions as read_conditions,
    pipe::{self, Placed, Shape, Type},
};
use crate::functions::like_escaped;

/// A search as SQL.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// The condition before the first `|` alone; `true` when there is none.
    pub where_sql: String,
    /// The whole statement, time range and order included, as the page shows it.
    pub sql: String,
    pub node: Node,
    /// The commands.
    pub stages: Vec<Placed>,
    /// What the rows are.
    pub shape: Shape,
    /// The columns, where commands named them.
    pub columns: Option<Vec<(String, Type)>>,
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
    compile_with(text, fields, window, None)
}

/// Compiles a search text with one more condition on the events that go in.
pub(crate) fn compile_with(
    text: &str,
    fields: &dyn Fields,
    window: &Window,
    extra: Option<&str>,
) -> Result<Compiled, SearchError> {
    let (node, pipe) = read_conditions(text, fields)?;
    let where_sql = condition(&node);
    if let Some(pipe) = pipe {
        let stages = pipe::read(text, pipe)?;
        let piped = pipe::plan(&node, &stages, fields, window, extra)?;
        return Ok(Compiled { where_sql, sql: piped.sql, node, stages, shape: piped.shape, columns: piped.columns });
    }
    let mut conditions = conditions(&where_sql, window);
    if let Some(extra) = extra {
        conditions = if conditions.is_empty() { extra.to_owned() } else { format!("{conditions} AND {extra}") };
    }
    let mut sql = String::from("SELECT * FROM events");
    if !conditions.is_empty() {
        sql += " WHERE ";
        sql += &conditions;
    }
    sql += " ORDER BY timestamp DESC, event.id DESC";
    if let Some(limit) = window.limit {
        sql += &format!(" LIMIT {limit}");
    }
    Ok(Compiled { where_sql, sql, node, stages: vec![], shape: Shape::Events, columns: None })
}

/// A condition within a window, ready to stand after WHERE; empty when there is none.
pub(crate) fn conditions(where_sql: &str, window: &Window) -> String {
    let mut parts = window_conditions(window);
    if where_sql != "true" {
        parts.push(if parts.is_empty() { where_sql.to_owned() } else { format!("({where_sql})") });
    }
    parts.join(" AND ")
}

/// The time range as conditions.
pub(super) fn window_conditions(window: &Window) -> Vec<String> {
    let from = window.from.map(|from| format!("timestamp >= {}", time(from)));
    let to = window.to.map(|to| format!("timestamp < {}", time(to)));
    from.into_iter().chain(to).collect()
}

/// A tree as a condition.
pub(super) fn condition(node: &Node) -> String {
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

/// A field as SQL: plain words and dotted names as they are, others between quotes.
pub(crate) fn name(field: &str) -> String {
    let is_dotted = field.contains('.') && !field.starts_with("step") && field.split('.').all(is_word);
    if Field::by_name(field).is_some() || is_dotted || is_plain(field) { field.to_owned() } else { between_quotes(field) }
}

/// A column's name as SQL where dots would divide it: behind AS, in a list of columns.
pub(crate) fn alias(field: &str) -> String {
    if is_plain(field) { field.to_owned() } else { between_quotes(field) }
}

fn is_word(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_lowercase()) && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// One word without a meaning in SQL.
fn is_plain(field: &str) -> bool {
    is_word(field) && ALL_KEYWORDS.binary_search(&field.to_ascii_uppercase().as_str()).is_err()
}

fn between_quotes(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
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
