//! `<name>.test.yml`: events that a rule must match and events that it must not.
//!
//! ```yaml
//! match:
//!   - name: root from a public address
//!     dataset: sshd.auth
//!     event: { event.outcome: success, user.name: root, source.ip: 203.0.113.7 }
//! no_match:
//!   - …
//! ```
//!
//! An event is a map of columns, as a parser would fill them; it goes through log-source routing like any other.

use serde_json::Value as Json;

use crate::{
    Options, Route, RuleSource, flat, load,
    yaml::{self, Node, Value},
};

/// One case of a test file.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub line: u32,
    pub dataset: String,
    pub event: flat::FlatEvent,
    pub must_match: bool,
}

/// A case that went wrong, or a file that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub line: u32,
    pub message: String,
}

/// Reads a test file.
pub fn read(text: &str) -> Result<Vec<Case>, Failure> {
    let documents = yaml::documents(text).map_err(|error| Failure { line: error.line, message: error.message })?;
    let mut cases = Vec::new();
    for document in &documents {
        for (key, list) in document.entries() {
            let must_match = match key.name.as_str() {
                "match" => true,
                "no_match" => false,
                name => return Err(Failure { line: key.line, message: format!("`{name}`: want match or no_match") }),
            };
            for node in list.elements() {
                cases.push(case(node, must_match)?);
            }
        }
    }
    Ok(cases)
}

fn case(node: &Node, must_match: bool) -> Result<Case, Failure> {
    let Some(event) = node.get("event") else {
        return Err(Failure { line: node.line, message: "a case wants `event`".to_owned() });
    };
    let event = event.entries().iter().map(|(key, value)| (key.name.clone(), json(value))).collect();
    let name = node.text_at("name").unwrap_or_default();
    Ok(Case { name, line: node.line, dataset: node.text_at("dataset").unwrap_or_default(), event, must_match })
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null | Value::Map(_) => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Text(text) => Json::from(text.as_str()),
        Value::List(elements) => Json::Array(elements.iter().map(json).collect()),
    }
}

/// Runs the tests of one rule file; empty = all is well. Both kinds of case must be there.
pub fn run(rule: &RuleSource, tests: &str) -> Vec<Failure> {
    let cases = match read(tests) {
        Ok(cases) => cases,
        Err(failure) => return vec![failure],
    };
    let loaded = load(vec![rule.clone()], &Options::default());
    let mut failures: Vec<Failure> = loaded
        .rejected
        .iter()
        .map(|rejected| Failure { line: rejected.line, message: format!("the rule does not load: {}", rejected.reason) })
        .collect();
    for (kind, must_match) in [("match", true), ("no_match", false)] {
        if cases.iter().all(|case| case.must_match != must_match) {
            failures.push(Failure { line: 0, message: format!("there is no case under `{kind}`") });
        }
    }
    for case in cases {
        let batch = flat::batch(&case.dataset, std::slice::from_ref(&case.event));
        let matched = !loaded.set.match_batch_by(&batch, Route::Mapped).is_empty();
        if matched != case.must_match {
            let verb = if matched { "matches" } else { "does not match" };
            failures.push(Failure { line: case.line, message: format!("`{}` {verb}", case.name) });
        }
    }
    failures
}
