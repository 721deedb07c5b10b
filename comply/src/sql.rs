//! Filling a check's SQL template: `:name` becomes a literal, and only ever a literal.
//!
//! Text is quoted, so a system code cannot become SQL; names inside quotes and after `::` are left alone. The result is
//! complete SQL that runs as it stands in the hunt page.

use std::collections::BTreeMap;

use event::Micros;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    Integer(i64),
    Text(String),
    /// `('a', 'b')`, for `IN :name`; never empty.
    Texts(Vec<String>),
    Time(Micros),
}

pub type Parameters = BTreeMap<&'static str, Parameter>;

impl Parameter {
    fn literal(&self) -> String {
        match self {
            Self::Integer(number) => number.to_string(),
            Self::Text(text) => quoted(text),
            Self::Texts(texts) if texts.is_empty() => "('')".to_owned(),
            Self::Texts(texts) => format!("({})", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")),
            Self::Time(at) => {
                let time = chrono::DateTime::from_timestamp_micros(*at).unwrap_or_default();
                format!("TIMESTAMP '{}'", time.format("%Y-%m-%dT%H:%M:%S%.6fZ"))
            }
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Replaces every `:name`; an unknown name is an error that says which.
pub fn fill(template: &str, parameters: &Parameters) -> Result<String, String> {
    let mut sql = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some(at) = rest.find([':', '\'', '"', '-']) {
        sql.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut chars = rest.chars();
        match chars.next() {
            Some(quote @ ('\'' | '"')) => {
                let end = rest[1..].find(quote).map_or(rest.len(), |n| n + 2);
                sql.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            Some('-') if rest.starts_with("--") => {
                let end = rest.find('\n').unwrap_or(rest.len());
                sql.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            Some(':') if rest.starts_with("::") => {
                sql.push_str("::");
                rest = &rest[2..];
            }
            Some(':') if rest[1..].starts_with(|c: char| c.is_ascii_lowercase()) => {
                let end = rest[1..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map_or(rest.len(), |n| n + 1);
                let name = &rest[1..end];
                let value = parameters.get(name).ok_or_else(|| format!("unknown parameter :{name}"))?;
                sql.push_str(&value.literal());
                rest = &rest[end..];
            }
            Some(other) => {
                sql.push(other);
                rest = chars.as_str();
            }
            None => break,
        }
    }
    sql.push_str(rest);
    Ok(sql.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        [
            ("systems", Parameter::Texts(vec!["cong-dvc".into(), "x' OR 'a'='a".into()])),
            ("at", Parameter::Time(1_795_392_000_000_000)),
            ("days", Parameter::Integer(14)),
            ("name", Parameter::Text("ngô".into())),
        ]
        .into()
    }

    #[test]
    fn fills_literals_only() {
        let sql = fill(
            "SELECT ':at', x::text FROM t -- :nobody\nWHERE system.id IN :systems AND d > :days - 1 AND n = :name AND t < :at",
            &parameters(),
        );
        assert_eq!(
            sql.unwrap(),
            "SELECT ':at', x::text FROM t -- :nobody\nWHERE system.id IN ('cong-dvc', 'x'' OR ''a''=''a') AND d > 14 - 1 AND n = 'ngô' \
             AND t < TIMESTAMP '2026-11-23T00:00:00.000000Z'"
        );
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        assert_eq!(fill("SELECT :nobody", &parameters()), Err("unknown parameter :nobody".to_owned()));
    }
}
