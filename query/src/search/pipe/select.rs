//! One SELECT in the making: stages fill its clauses, in the order in which SQL evaluates them.

use crate::search::compile::{alias, name};

/// A field that rows are in order by.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub name: String,
    pub descends: bool,
}

impl Key {
    pub(super) fn ascending(name: &str) -> Self {
        Self { name: name.to_owned(), descends: false }
    }

    fn sql(&self) -> String {
        format!("{}{}", name(&self.name), if self.descends { " DESC" } else { "" })
    }
}

pub(super) fn keys_sql(keys: &[Key]) -> String {
    keys.iter().map(Key::sql).collect::<Vec<_>>().join(", ")
}

#[derive(Clone, Debug, Default)]
pub(super) struct Select {
    /// A table, a step, or a join of steps.
    pub from: String,
    /// `*`, or `step1.*` in a join.
    pub star: Option<String>,
    /// Columns that the star leaves out.
    pub excluded: Vec<String>,
    /// Name and SQL of columns that are written out.
    pub outputs: Vec<(String, String)>,
    /// Conditions, all of which must hold.
    pub filter: Vec<String>,
    pub group_by: Vec<String>,
    pub is_aggregate: bool,
    pub is_join: bool,
    pub qualify: Option<String>,
    pub limit: Option<u64>,
}

impl Select {
    /// Everything of a table or step.
    pub(super) fn all_of(from: &str) -> Self {
        Self { from: from.to_owned(), star: Some("*".to_owned()), ..Self::default() }
    }

    /// True when nothing was asked yet: its rows are those of `from`.
    pub(super) fn is_pristine(&self) -> bool {
        self.star.as_deref() == Some("*")
            && self.excluded.is_empty()
            && self.outputs.is_empty()
            && self.filter.is_empty()
            && !self.is_aggregate
            && !self.is_join
            && self.qualify.is_none()
            && self.limit.is_none()
    }

    /// The SQL of a column as other clauses of this SELECT must write it.
    pub(super) fn sql_of(&self, column: &str) -> String {
        self.outputs.iter().find(|(output, _)| output == column).map_or_else(|| name(column), |(_, sql)| sql.clone())
    }

    /// True when the column is made in this SELECT, so that its other clauses cannot see it.
    pub(super) fn computes(&self, column: &str) -> bool {
        self.outputs.iter().any(|(output, sql)| output == column && *sql != name(output))
    }

    pub(super) fn render(&self, order: &[Key]) -> String {
        let mut columns: Vec<String> = Vec::new();
        if let Some(star) = &self.star {
            let excluded: Vec<String> = self.excluded.iter().map(|column| alias(column)).collect();
            columns.push(if excluded.is_empty() { star.clone() } else { format!("{star} EXCLUDE ({})", excluded.join(", ")) });
        }
        columns.extend(
            self.outputs.iter().map(
                |(output, sql)| {
                    if *sql == name(output) { sql.clone() } else { format!("{sql} AS {}", alias(output)) }
                },
            ),
        );
        let mut sql = format!("SELECT {}\nFROM {}", columns.join(", "), self.from);
        if !self.filter.is_empty() {
            sql += "\nWHERE ";
            sql += &self.filter.join(" AND ");
        }
        if !self.group_by.is_empty() {
            sql += "\nGROUP BY ";
            sql += &self.group_by.join(", ");
        }
        if let Some(qualify) = &self.qualify {
            sql += "\nQUALIFY ";
            sql += qualify;
        }
        if !order.is_empty() {
            sql += "\nORDER BY ";
            sql += &keys_sql(order);
        }
        if let Some(limit) = self.limit {
            sql += &format!("\nLIMIT {limit}");
        }
        sql
    }
}
