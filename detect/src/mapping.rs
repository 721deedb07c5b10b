//! Log sources and field names as data: which events a rule's `logsource` means, which columns its fields mean.
//!
//! The files are `mapping/*.yml`. Two directions:
//!
//! ```text
//! rule   (product, category, service) ──fields:──▶ prefixes + names ──▶ columns of each Sigma field
//! event  (dataset, winlog.channel, event.code …) ──events:──▶ class = all products, categories, services it belongs to
//! ```
//!
//! A rule meets an event when each part that the rule names is in the event's class. An event that no entry names and
//! whose dataset is `a.b` belongs to product `a`, service `b`.

use std::{collections::BTreeSet, sync::LazyLock};

use crate::{predicate::FieldColumns, yaml, yaml::Node};

static FILES: &[(&str, &str)] = &[
    ("mapping/columns.yml", include_str!("../mapping/columns.yml")),
    ("mapping/windows.yml", include_str!("../mapping/windows.yml")),
    ("mapping/linux.yml", include_str!("../mapping/linux.yml")),
    ("mapping/web.yml", include_str!("../mapping/web.yml")),
    ("mapping/network.yml", include_str!("../mapping/network.yml")),
    ("mapping/chieng.yml", include_str!("../mapping/chieng.yml")),
];

/// The mapping that is built in.
pub static MAPPING: LazyLock<Mapping> =
    LazyLock::new(|| Mapping::read(FILES).unwrap_or_else(|error| panic!("built-in mapping: {error}")));

/// A rule's `logsource`; a part that is absent means any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogSource {
    pub product: Option<String>,
    pub category: Option<String>,
    pub service: Option<String>,
}

/// Everything that an event is, in the words of log sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventClass {
    pub products: BTreeSet<String>,
    pub categories: BTreeSet<String>,
    pub services: BTreeSet<String>,
}

/// One entry of `events:`.
#[derive(Debug)]
pub struct EventEntry {
    /// Dataset names, `x.*` for all below x; empty = any dataset.
    pub datasets: Vec<String>,
    /// (index into [`Mapping::keys`], accepted values in lower case; `*` = any value).
    pub when: Vec<(usize, Vec<String>)>,
    pub unless: Vec<(usize, Vec<String>)>,
    pub class: EventClass,
}

#[derive(Debug)]
struct FieldEntry {
    source: LogSource,
    prefixes: Vec<String>,
    /// Whether names of the field catalogue are tried last; true unless the file says otherwise.
    catalogue: bool,
    names: Vec<(String, Vec<String>)>,
}

/// The mapping files, read.
#[derive(Debug, Default)]
pub struct Mapping {
    /// Columns that decide an event's class.
    pub keys: Vec<FieldColumns>,
    key_names: Vec<String>,
    pub events: Vec<EventEntry>,
    fields: Vec<FieldEntry>,
    /// Columns (or `prefix.*`) that keywords do not look into: the pipe wrote them, not the device.
    keyword_skip: Vec<String>,
}

impl Mapping {
    fn read(files: &[(&str, &str)]) -> Result<Self, String> {
        let mut mapping = Self::default();
        for (path, text) in files {
            for document in yaml::documents(text).map_err(|error| format!("{path}:{}: {error}", error.line))? {
                mapping.read_document(&document).map_err(|error| format!("{path}: {error}"))?;
            }
        }
        Ok(mapping)
    }

    fn read_document(&mut self, document: &Node) -> Result<(), String> {
        for (key, columns) in document.get("keys").map(Node::entries).unwrap_or_default() {
            self.key_names.push(key.name.clone());
            self.keys.push(FieldColumns(columns.texts()));
        }
        self.keyword_skip.extend(document.texts_at("keyword_skip"));
        for entry in document.get("fields").map(Node::elements).unwrap_or_default() {
            let names = entry.get("names").map(Node::entries).unwrap_or_default();
            self.fields.push(FieldEntry {
                source: LogSource::read(entry),
                prefixes: entry.texts_at("prefixes"),
                catalogue: entry.text_at("catalogue").as_deref() != Some("false"),
                names: names.iter().map(|(key, columns)| (key.name.clone(), columns.texts())).collect(),
            });
        }
        for entry in document.get("events").map(Node::elements).unwrap_or_default() {
            let class = EventClass {
                products: entry.texts_at("product").into_iter().collect(),
                categories: entry.texts_at("category").into_iter().collect(),
                services: entry.texts_at("service").into_iter().collect(),
            };
            let (when, unless) = (self.conditions(entry, "when")?, self.conditions(entry, "unless")?);
            self.events.push(EventEntry { datasets: entry.texts_at("dataset"), when, unless, class });
        }
        Ok(())
    }

    fn conditions(&self, entry: &Node, name: &str) -> Result<Vec<(usize, Vec<String>)>, String> {
        let entries = entry.get(name).map(Node::entries).unwrap_or_default();
        let read = entries.iter().map(|(key, values)| {
            let at = self.key_names.iter().position(|known| *known == key.name);
            let at = at.ok_or_else(|| format!("line {}: `{}` is not among `keys`", key.line, key.name))?;
            Ok((at, values.texts().iter().map(|value| value.to_lowercase()).collect()))
        });
        read.collect()
    }

    /// The columns that may hold a Sigma field of a rule with this log source, best first.
    pub fn columns(&self, source: &LogSource, field: &str) -> FieldColumns {
        let mut columns: Vec<String> = Vec::new();
        let mut push = |name: String| {
            if !columns.contains(&name) {
                columns.push(name);
            }
        };
        let entries: Vec<_> = self.fields.iter().filter(|entry| entry.source.covers(source)).collect();
        let prefixes = entries.iter().rev().map(|entry| &entry.prefixes).find(|prefixes| !prefixes.is_empty());
        match prefixes {
            Some(prefixes) => prefixes.iter().for_each(|prefix| push(format!("{prefix}{field}"))),
            None => push(field.to_owned()),
        }
        for entry in &entries {
            for (_, named) in entry.names.iter().filter(|(name, _)| name == field) {
                named.iter().for_each(|name| push(name.clone()));
            }
        }
        if entries.iter().all(|entry| entry.catalogue) {
            let known = event::Field::all().filter(|known| known.definition().sigma.contains(&field));
            known.for_each(|known| push(known.name().to_owned()));
        }
        // A value that did not fit a number column stands beside it (see `event::batch`).
        let is_number = |name: &str| event::Field::by_name(name).is_some_and(|field| !is_text(field));
        let beside: Vec<_> = columns.iter().filter(|name| is_number(name)).map(|name| format!("{name}#str")).collect();
        columns.extend(beside);
        FieldColumns(columns)
    }

    /// The entries by which events of this log source would be known; empty when none could be.
    pub fn entries_for<'a>(&'a self, source: &'a LogSource) -> impl Iterator<Item = &'a EventEntry> {
        self.events.iter().filter(|entry| source.names_part_of(&entry.class))
    }

    /// True when some entry could give an event each part that the log source names.
    pub fn knows(&self, source: &LogSource) -> bool {
        let has = |part: &Option<String>, set: fn(&EventClass) -> &BTreeSet<String>| {
            part.as_ref().is_none_or(|name| self.events.iter().any(|entry| set(&entry.class).contains(name)))
        };
        has(&source.product, |class| &class.products)
            && has(&source.category, |class| &class.categories)
            && has(&source.service, |class| &class.services)
    }

    /// True when keywords look into this column.
    pub fn is_searched_by_keywords(&self, column: &str) -> bool {
        !self.keyword_skip.iter().any(|skip| covers_name(skip, column))
    }

    /// The class of an event that no entry names.
    pub fn fallback(dataset: &str) -> EventClass {
        let one = |name: &str| BTreeSet::from([name.to_owned()]);
        match dataset.split_once('.') {
            Some((product, service)) => {
                EventClass { products: one(product), categories: BTreeSet::new(), services: one(service) }
            }
            None => EventClass::default(),
        }
    }
}

impl EventEntry {
    /// True when the entry speaks of this dataset.
    pub fn covers_dataset(&self, dataset: &str) -> bool {
        self.datasets.is_empty() || self.datasets.iter().any(|name| covers_name(name, dataset))
    }
}

impl EventClass {
    pub fn add(&mut self, other: &Self) {
        self.products.extend(other.products.iter().cloned());
        self.categories.extend(other.categories.iter().cloned());
        self.services.extend(other.services.iter().cloned());
    }
}

impl LogSource {
    /// Reads `product`, `category`, `service` of a map.
    pub fn read(node: &Node) -> Self {
        let part = |name| node.text_at(name).filter(|text| !text.is_empty()).map(|text| text.to_lowercase());
        Self { product: part("product"), category: part("category"), service: part("service") }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// True when a rule with this log source applies to events of that class.
    pub fn accepts(&self, class: &EventClass) -> bool {
        let fits = |part: &Option<String>, set: &BTreeSet<String>| part.as_ref().is_none_or(|name| set.contains(name));
        !self.is_empty()
            && fits(&self.product, &class.products)
            && fits(&self.category, &class.categories)
            && fits(&self.service, &class.services)
    }

    fn names_part_of(&self, class: &EventClass) -> bool {
        let shares = |part: &Option<String>, set: &BTreeSet<String>| part.as_ref().is_some_and(|name| set.contains(name));
        match (&self.category, &self.service) {
            (None, None) => shares(&self.product, &class.products),
            _ => shares(&self.category, &class.categories) || shares(&self.service, &class.services),
        }
    }

    /// True when every part that `self` names is the same in `other`.
    fn covers(&self, other: &Self) -> bool {
        let same = |mine: &Option<String>, theirs: &Option<String>| mine.is_none() || mine == theirs;
        same(&self.product, &other.product) && same(&self.category, &other.category) && same(&self.service, &other.service)
    }
}

impl std::fmt::Display for LogSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [("product", &self.product), ("category", &self.category), ("service", &self.service)];
        let shown: Vec<_> = parts.iter().filter_map(|(name, part)| part.as_ref().map(|part| format!("{name}={part}"))).collect();
        f.write_str(&shown.join(" "))
    }
}

fn covers_name(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

fn is_text(field: event::Field) -> bool {
    matches!(field.definition().kind, event::Kind::Keyword | event::Kind::Text | event::Kind::Ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(product: &str, category: &str, service: &str) -> LogSource {
        let part = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        LogSource { product: part(product), category: part(category), service: part(service) }
    }

    #[test]
    fn w3c_names_find_ecs_columns() {
        let web = source("", "webserver", "");
        for (name, column) in [
            ("cs-method", "http.request.method"),
            ("cs-uri-stem", "url.path"),
            ("cs-uri-query", "url.query"),
            ("c-uri", "url.original"),
            ("sc-status", "http.response.status_code"),
            ("cs-user-agent", "user_agent.original"),
            ("cs-referer", "http.request.referrer"),
            ("cs-host", "url.domain"),
            ("c-ip", "source.ip"),
        ] {
            assert!(MAPPING.columns(&web, name).0.iter().any(|known| known == column), "{name}");
        }
    }

    #[test]
    fn a_new_process_is_an_image_only_for_process_creation() {
        let image = |service: &LogSource| MAPPING.columns(service, "Image").0;
        let renamed = "winlog.event_data.NewProcessName".to_owned();
        assert!(image(&source("windows", "process_creation", "")).contains(&renamed));
        assert!(!image(&source("windows", "image_load", "")).contains(&renamed));
    }

    #[test]
    fn an_unknown_dataset_is_product_and_service() {
        assert!(source("aws", "", "cloudtrail").accepts(&Mapping::fallback("aws.cloudtrail")));
        assert!(!MAPPING.knows(&source("aws", "", "cloudtrail")));
        assert!(MAPPING.knows(&source("windows", "process_creation", "")));
    }
}
