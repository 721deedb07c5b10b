//! One YAML document → one rule: metadata, boolean expression, and the items that later explain a match.

use event::severity::Severity;

use crate::{
    condition::{self, Condition},
    mapping::{LogSource, Mapping},
    modifier::{self, ItemTest, Lists},
    predicate::{FieldColumns, Fields, Predicate, PredicateId, Predicates, Test, WHOLE_EVENT},
    program::Expr,
    rule::{Needs, Related, Rule, Status},
    yaml::{Node, Value},
};

/// From this many values on, an item asks one common question instead of one per value.
const GROUP_VALUES_MIN: usize = 8;

/// Keys that Sigma 2.1 and this program know at the top of a rule.
pub const KEYS: &[&str] = &[
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "references",
    "date",
    "modified",
    "logsource",
    "detection",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "chieng",
];

/// A rule ready to join a set.
pub struct Compiled {
    pub rule: Rule,
    pub expr: Expr,
    pub items: Vec<EvidenceItem>,
    pub identifiers: Vec<IdentifierUse>,
}

/// A `field|modifiers` item of the rule, kept so that an alert can be explained in the rule's own words.
#[derive(Clone, Debug)]
pub struct EvidenceItem {
    pub identifier: Box<str>,
    /// Empty for keywords.
    pub field: Box<str>,
    pub modifiers: Box<str>,
    /// Items with the same number stand in one map of the file: they hold together or not at all.
    pub map: u32,
    pub all: bool,
    pub negated: bool,
    pub predicates: Box<[PredicateId]>,
}

/// For lints: an identifier and whether the condition mentions it.
pub struct IdentifierUse {
    pub name: String,
    pub line: u32,
    pub is_used: bool,
    /// Used outside of any `not`: what it finds is a reason for the match.
    pub is_reason: bool,
}

/// Why a document is no rule; the line is that of the culprit.
#[derive(Debug)]
pub struct Refusal {
    pub line: u32,
    pub reason: String,
}

/// Everything a document is compiled against.
pub struct Compiler<'a> {
    pub mapping: &'a Mapping,
    pub lists: &'a Lists,
    pub predicates: &'a mut Predicates,
    pub fields: &'a mut Fields,
}

fn refuse<T>(line: u32, reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { line, reason: reason.into() })
}

/// Compiles one document; `path` and its number in the file stand in for a missing id.
pub fn compile(document: &Node, path: &str, number: usize, with: &mut Compiler<'_>) -> Result<Compiled, Refusal> {
    if !matches!(document.value, Value::Map(_)) {
        return refuse(document.line, "a rule must be a map of keys");
    }
    for (key, kind) in [("correlation", "correlation"), ("filter", "filter")] {
        if let Some(node) = document.get(key) {
            return refuse(node.line, format!("not supported yet ({kind})"));
        }
    }
    if document.get("action").is_some() && document.get("detection").is_none() {
        return refuse(document.line, "`action: global` is obsolete, write whole rules");
    }
    let Some(detection) = document.get("detection") else { return refuse(document.line, "`detection` is missing") };
    let Some(source) = document.get("logsource") else { return refuse(document.line, "`logsource` is missing") };
    let logsource = LogSource::read(source);
    if logsource.is_empty() {
        return refuse(source.line, "`logsource` names no product, category or service");
    }
    let mut reader = Reader { with, source: &logsource, items: Vec::new(), maps: 0, columns: Vec::new(), has_keywords: false };
    let (expr, identifiers) = reader.detection(detection)?;
    let Reader { mut items, columns, has_keywords, .. } = reader;
    items.retain(|item| identifiers.iter().any(|used| used.is_reason && *used.name == *item.identifier));
    let needs = needs(with.mapping, &logsource, columns, has_keywords);
    let rule = metadata(document, logsource, needs, path, number)?;
    Ok(Compiled { rule, expr, items, identifiers })
}

/// Id or title of a document, for messages.
pub fn name_of(document: &Node) -> String {
    ["id", "title", "name"].into_iter().find_map(|key| document.text_at(key)).unwrap_or_default()
}

struct Reader<'a, 'b> {
    with: &'a mut Compiler<'b>,
    source: &'a LogSource,
    items: Vec<EvidenceItem>,
    maps: u32,
    columns: Vec<FieldColumns>,
    has_keywords: bool,
}

impl Reader<'_, '_> {
    fn detection(&mut self, detection: &Node) -> Result<(Expr, Vec<IdentifierUse>), Refusal> {
        let Some(conditions) = detection.get("condition") else {
            return refuse(detection.line, "`condition` is missing");
        };
        let mut identifiers = Vec::new();
        for (key, node) in detection.entries() {
            if key.name == "condition" || key.name == "timeframe" {
                continue;
            }
            let expr = self.identifier(&key.name, node)?;
            identifiers.push((IdentifierUse { name: key.name.clone(), line: key.line, is_used: false, is_reason: false }, expr));
        }
        if detection.get("timeframe").is_some() {
            return refuse(detection.line, "`timeframe` is obsolete, Sigma 2 has correlation rules for it");
        }
        let mut parts = Vec::new();
        for text in conditions.elements() {
            let Some(shown) = text.text() else { return refuse(text.line, "a condition must be text") };
            let parsed = condition::parse(&shown).map_err(|reason| Refusal { line: text.line, reason })?;
            parts.push(resolve(&parsed, true, &mut identifiers).map_err(|reason| Refusal { line: text.line, reason })?);
        }
        if parts.is_empty() {
            return refuse(conditions.line, "the condition is empty");
        }
        Ok((join(parts, Expr::Or), identifiers.into_iter().map(|(used, _)| used).collect()))
    }

    fn identifier(&mut self, name: &str, node: &Node) -> Result<Expr, Refusal> {
        match &node.value {
            Value::Map(entries) if entries.is_empty() => refuse(node.line, format!("`{name}` is empty")),
            Value::Map(entries) => {
                let mut parts = Vec::new();
                self.maps += 1;
                for (key, values) in entries {
                    parts.push(self.item(name, &key.name, key.line, values)?);
                }
                Ok(join(parts, Expr::And))
            }
            Value::List(elements) if elements.is_empty() => refuse(node.line, format!("`{name}` is empty")),
            Value::List(elements) if elements.iter().all(is_scalar) => {
                self.maps += 1;
                self.item(name, "", node.line, node)
            }
            Value::List(elements) => {
                let mut parts = Vec::new();
                for element in elements {
                    parts.push(self.identifier(name, element)?);
                }
                Ok(join(parts, Expr::Or))
            }
            Value::Null => refuse(node.line, format!("`{name}` has no content")),
            _ => {
                self.maps += 1;
                self.item(name, "", node.line, node)
            }
        }
    }

    fn item(&mut self, identifier: &str, key: &str, line: u32, values: &Node) -> Result<Expr, Refusal> {
        let mut words = key.split('|');
        let field = words.next().unwrap_or_default();
        let modifiers: Vec<&str> = words.collect();
        let keyword = field.is_empty();
        let place = |reason: String| {
            let shown = if keyword { "keywords".to_owned() } else { format!("field `{field}`") };
            Refusal { line, reason: format!("`{identifier}`, {shown}: {reason}") }
        };
        if let Value::Map(_) = values.value {
            return Err(place("a value must be text, a number, true, false or null, not a map".to_owned()));
        }
        let item = modifier::item(&modifiers, values, keyword, self.with.lists).map_err(place)?;
        let id = if keyword {
            self.has_keywords = true;
            WHOLE_EVENT
        } else {
            self.field(field)
        };
        let mut tests: Vec<Test> = Vec::with_capacity(item.values.len());
        for value in item.values {
            tests.push(match value {
                ItemTest::Test(test) => test,
                ItemTest::Field(relation, other) => Test::Field(relation, self.field(&other)),
            });
        }
        if !item.all {
            tests = group(tests);
        }
        let predicates: Vec<PredicateId> =
            tests.into_iter().map(|test| self.with.predicates.intern(Predicate { field: id, test })).collect();
        self.items.push(EvidenceItem {
            identifier: identifier.into(),
            field: field.into(),
            modifiers: modifiers.join("|").into(),
            map: self.maps,
            all: item.all,
            negated: item.negated,
            predicates: predicates.as_slice().into(),
        });
        let parts = predicates.into_iter().map(Expr::Test).collect();
        let expr = join(parts, if item.all { Expr::And } else { Expr::Or });
        Ok(if item.negated { Expr::Not(Box::new(expr)) } else { expr })
    }

    fn field(&mut self, name: &str) -> u32 {
        let columns = self.with.mapping.columns(self.source, name);
        if !self.columns.contains(&columns) {
            self.columns.push(columns.clone());
        }
        self.with.fields.intern(columns)
    }
}

fn is_scalar(node: &Node) -> bool {
    !matches!(node.value, Value::Map(_) | Value::List(_))
}

/// Joins many alternatives of one kind into one test, so that long lists cost one predicate.
fn group(tests: Vec<Test>) -> Vec<Test> {
    if tests.len() < GROUP_VALUES_MIN {
        return tests;
    }
    let (mut patterns, mut numbers, mut networks, mut rest) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for test in tests {
        match test {
            Test::Text(more) => patterns.extend(more),
            Test::Numbers(more) => numbers.extend(more),
            Test::Networks(more) => networks.extend(more),
            other => rest.push(other),
        }
    }
    patterns.sort_unstable();
    patterns.dedup();
    if !patterns.is_empty() {
        rest.push(Test::Text(patterns));
    }
    if !numbers.is_empty() {
        rest.push(Test::Numbers(numbers));
    }
    if !networks.is_empty() {
        rest.push(Test::Networks(networks));
    }
    rest
}

fn join(mut parts: Vec<Expr>, link: fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1 { parts.remove(0) } else { link(parts) }
}

fn resolve(condition: &Condition, is_reason: bool, identifiers: &mut [(IdentifierUse, Expr)]) -> Result<Expr, String> {
    let mut all =
        |parts: &[Condition]| parts.iter().map(|part| resolve(part, is_reason, identifiers)).collect::<Result<Vec<_>, _>>();
    Ok(match condition {
        Condition::And(parts) => join(all(parts)?, Expr::And),
        Condition::Or(parts) => join(all(parts)?, Expr::Or),
        Condition::Not(inner) => Expr::Not(Box::new(resolve(inner, !is_reason, identifiers)?)),
        Condition::Identifier(name) => {
            let found = identifiers.iter_mut().find(|(used, _)| used.name == *name);
            let Some((used, expr)) = found else { return Err(format!("the condition names `{name}`, which is not defined")) };
            used.is_used = true;
            used.is_reason |= is_reason;
            expr.clone()
        }
        Condition::Of { all, pattern } => {
            let names: Vec<String> = {
                let known = identifiers.iter().map(|(used, _)| used.name.as_str());
                condition::select(pattern, known).into_iter().map(str::to_owned).collect()
            };
            if names.is_empty() {
                return Err(format!("no identifier fits `{pattern}`"));
            }
            let mut parts = Vec::new();
            for (used, expr) in identifiers.iter_mut().filter(|(used, _)| names.contains(&used.name)) {
                used.is_used = true;
                used.is_reason |= is_reason;
                parts.push(expr.clone());
            }
            join(parts, if *all { Expr::And } else { Expr::Or })
        }
    })
}

fn needs(mapping: &Mapping, source: &LogSource, columns: Vec<FieldColumns>, has_keywords: bool) -> Needs {
    let mut needs = Needs {
        is_log_source_known: mapping.knows(source),
        columns: columns.into_iter().map(|columns| columns.0).collect(),
        has_keywords,
        ..Needs::default()
    };
    for entry in mapping.entries_for(source) {
        needs.datasets.extend(entry.datasets.iter().filter(|name| !needs.datasets.contains(name)).cloned().collect::<Vec<_>>());
        if !entry.when.is_empty() {
            let shown = entry.when.iter().map(|(key, values)| (mapping.keys[*key].0[0].clone(), values.clone()));
            needs.when.push(shown.collect());
        }
    }
    needs
}

fn metadata(document: &Node, logsource: LogSource, needs: Needs, path: &str, number: usize) -> Result<Rule, Refusal> {
    let Some(title) = document.text_at("title") else { return refuse(document.line, "`title` is missing") };
    let level = match document.get("level") {
        None => Severity::Medium,
        Some(node) => {
            let name = node.text().unwrap_or_default().to_lowercase();
            match Severity::by_name(&name) {
                Some(level) => level,
                None => {
                    return refuse(
                        node.line,
                        format!("`level: {name}` is not one of informational, low, medium, high, critical"),
                    );
                }
            }
        }
    };
    let status = match document.get("status") {
        None => Status::default(),
        Some(node) => {
            let name = node.text().unwrap_or_default().to_lowercase();
            match Status::by_name(&name) {
                Some(status) => status,
                None => return refuse(node.line, format!("`status: {name}` is not a status of Sigma")),
            }
        }
    };
    let related = document
        .get("related")
        .map(Node::elements)
        .unwrap_or_default()
        .iter()
        .map(|node| Related { id: node.text_at("id").unwrap_or_default(), kind: node.text_at("type").unwrap_or_default() });
    let nothing = Node { line: 0, value: Value::Null };
    let own = document.get("chieng").unwrap_or(&nothing);
    let fallback_id = if number == 0 { path.to_owned() } else { format!("{path}#{number}") };
    Ok(Rule {
        id: document.text_at("id").filter(|id| !id.is_empty()).unwrap_or(fallback_id),
        title,
        title_vi: own.text_at("title_vi"),
        name: document.text_at("name"),
        status,
        level,
        tags: document.texts_at("tags"),
        author: document.text_at("author"),
        license: document.text_at("license"),
        date: document.text_at("date"),
        modified: document.text_at("modified"),
        description: document.text_at("description").unwrap_or_default().trim().to_owned(),
        description_vi: own.text_at("description_vi").map(|text| text.trim().to_owned()),
        falsepositives: document.texts_at("falsepositives"),
        falsepositives_vi: own.texts_at("falsepositives_vi"),
        references: document.texts_at("references"),
        related: related.collect(),
        fields: document.texts_at("fields"),
        scope: document.texts_at("scope"),
        response: own.texts_at("response_en"),
        response_vi: own.texts_at("response_vi"),
        logsource,
        group_by: own.texts_at("group_by"),
        family: own.text_at("family"),
        path: path.to_owned(),
        line: document.line,
        needs,
        other_keys: document
            .entries()
            .iter()
            .map(|(key, _)| &key.name)
            .filter(|name| !KEYS.contains(&name.as_str()))
            .cloned()
            .collect(),
    })
}
