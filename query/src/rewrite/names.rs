//! Which names a place in a statement can see, and the longest-suffix rule that finds them.
//!
//! A dotted name is tried as *table alias, then field* first (`e.source.ip` → field `source.ip` of `e`), then as a field
//! as a whole (`source.ip`), then the same in the enclosing query. So an alias called `source` does not hide `source.ip`,
//! unless the aliased table itself has a field `ip`.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use datafusion::{arrow::datatypes::DataType, arrow::datatypes::SchemaRef, sql::sqlparser::ast::Ident};

use crate::error::{Error, ErrorKind, Result, nearest};

/// Names in order, each with the claim "is a list of text".
#[derive(Debug, Default)]
pub(crate) struct Columns {
    order: Vec<(String, bool)>,
    by_name: HashMap<String, bool>,
}

impl Columns {
    pub(crate) fn new(columns: impl IntoIterator<Item = (String, bool)>) -> Self {
        let order: Vec<_> = columns.into_iter().collect();
        let by_name = order.iter().cloned().collect();
        Self { order, by_name }
    }

    pub(crate) fn of_schema(schema: &SchemaRef) -> Self {
        Self::new(schema.fields().iter().map(|field| (field.name().clone(), matches!(field.data_type(), DataType::List(_)))))
    }

    pub(crate) fn is_list(&self, name: &str) -> Option<bool> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, bool)> {
        self.order.iter().map(|(name, is_list)| (name.as_str(), *is_list))
    }

    pub(crate) fn to_vec(&self) -> Vec<(String, bool)> {
        self.order.clone()
    }
}

/// The tables that exist for one scope.
#[derive(Debug, Default)]
pub(crate) struct Tables(BTreeMap<String, Arc<Columns>>);

impl Tables {
    pub(crate) fn insert(&mut self, name: &str, schema: &SchemaRef) {
        self.0.insert(name.to_owned(), Arc::new(Columns::of_schema(schema)));
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Columns>> {
        self.0.get(name).cloned()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// A table, subquery or WITH name after FROM.
pub(crate) struct Relation {
    pub alias: String,
    pub columns: Arc<Columns>,
}

/// What one SELECT can see; its parent is the query around it.
pub(crate) struct Frame<'p> {
    pub relations: Vec<Relation>,
    pub aliases: HashSet<String>,
    parent: Option<&'p Frame<'p>>,
}

/// A name that was found.
pub(crate) struct Found {
    pub qualifier: Option<String>,
    pub name: String,
    pub is_list: bool,
}

impl<'p> Frame<'p> {
    pub(crate) fn new(relations: Vec<Relation>, parent: Option<&'p Frame<'p>>) -> Self {
        Self { relations, aliases: HashSet::new(), parent }
    }

    pub(crate) fn relation(&self, alias: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.alias == alias)
    }

    pub(crate) fn aliases(&self) -> Vec<String> {
        self.relations.iter().map(|relation| relation.alias.clone()).collect()
    }

    /// Finds a name of one or more parts, or says which one was probably meant.
    pub(crate) fn resolve(&self, parts: &[Ident]) -> Result<Found> {
        let mut frame = Some(self);
        while let Some(current) = frame {
            if let Some(found) = current.find(parts) {
                return Ok(found);
            }
            frame = current.parent;
        }
        Err(self.unknown(parts))
    }

    fn find(&self, parts: &[Ident]) -> Option<Found> {
        if let [alias, rest @ ..] = parts
            && !rest.is_empty()
            && let Some(relation) = self.relation(&alias.value)
        {
            let name = flat(rest);
            if let Some(is_list) = relation.columns.is_list(&name) {
                return Some(Found { qualifier: Some(relation.alias.clone()), name, is_list });
            }
        }
        let name = flat(parts);
        if let Some(is_list) = self.relations.iter().find_map(|relation| relation.columns.is_list(&name)) {
            return Some(Found { qualifier: None, name, is_list });
        }
        let raw = joined(parts);
        self.aliases.contains(&raw).then_some(Found { qualifier: None, name: raw, is_list: false })
    }

    fn unknown(&self, parts: &[Ident]) -> Error {
        let name = joined(parts);
        let error = Error::new(ErrorKind::Unknown, format!("unknown field {name}"));
        let error = match parts.first().map(|part| part.span.start) {
            Some(place) => error.at(place.line, place.column),
            None => error,
        };
        let rest = parts.get(1..).filter(|_| parts.first().is_some_and(|first| self.relation(&first.value).is_some()));
        let wanted = rest.filter(|rest| !rest.is_empty()).map_or(name.clone(), joined);
        let mut known: Vec<&str> = Vec::new();
        let mut frame = Some(self);
        while let Some(current) = frame {
            known.extend(current.relations.iter().flat_map(|relation| relation.columns.iter().map(|(name, _)| name)));
            frame = current.parent;
        }
        match nearest(&wanted, known.iter().copied()) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None if known.is_empty() => error.hint("add a table: FROM events; text goes between single quotes"),
            None if parts.iter().any(|part| part.quote_style == Some('"')) && parts.len() == 1 => {
                error.hint("text goes between single quotes; double quotes are for names")
            }
            None => error.hint("the table `fields` lists the fields of events"),
        }
    }
}

/// One dotted name; `@timestamp` is the column `timestamp`.
pub(crate) fn flat(parts: &[Ident]) -> String {
    let name = joined(parts);
    if name == "@timestamp" { "timestamp".to_owned() } else { name }
}

fn joined(parts: &[Ident]) -> String {
    parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".")
}
