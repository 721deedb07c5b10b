//! Rule files → a [`RuleSet`], with everything that was refused or looks wrong listed beside it.
//!
//! Reading folders is the caller's: this crate sees paths only as names.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::{
    compile::{self, Compiler},
    engine::{Part, RuleSet},
    lint,
    mapping::MAPPING,
    modifier::Lists,
    predicate::{Fields, Predicates},
    rule::{Lint, Rejected},
    yaml,
};

/// A rule file, already read; one file may hold several documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSource {
    pub path: String,
    pub text: String,
}

/// What loading may be told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Values for `%name%` placeholders (`expand`). A rule whose list is missing is refused with the list's name.
    pub lists: Lists,
}

/// What became of the files.
#[derive(Clone)]
pub struct Loaded {
    pub set: Arc<RuleSet>,
    pub rejected: Vec<Rejected>,
    pub lints: Vec<Lint>,
}

/// Largest rule file; SigmaHQ's largest is under 1 MB.
pub const FILE_BYTES_MAX: usize = 8 << 20;

/// Compiles all files into one set. The good rules work whatever the others are like.
pub fn load(sources: Vec<RuleSource>, options: &Options) -> Loaded {
    let (mut predicates, mut fields) = (Predicates::default(), Fields::default());
    let mut parts: Vec<Part> = Vec::new();
    let (mut rejected, mut lints) = (Vec::new(), lint::Lints::default());
    let mut ids: HashMap<String, String> = HashMap::new();
    for source in sources {
        let mut reject = |line, rule, reason| rejected.push(Rejected { file: source.path.clone(), line, rule, reason });
        if source.text.len() > FILE_BYTES_MAX {
            reject(0, String::new(), format!("the file has more than {FILE_BYTES_MAX} bytes"));
            continue;
        }
        let documents = match yaml::documents(&source.text) {
            Ok(documents) => documents,
            Err(error) => {
                reject(error.line, String::new(), error.message);
                continue;
            }
        };
        if documents.is_empty() {
            reject(0, String::new(), "the file holds no rule".to_owned());
        }
        for (number, document) in documents.iter().enumerate() {
            let mut with =
                Compiler { mapping: &MAPPING, lists: &options.lists, predicates: &mut predicates, fields: &mut fields };
            let compiled = match compile::compile(document, &source.path, number, &mut with) {
                Ok(compiled) => compiled,
                Err(refusal) => {
                    reject(refusal.line, compile::name_of(document), refusal.reason);
                    continue;
                }
            };
            if let Some(first) = ids.get(&compiled.rule.id) {
                reject(document.line, compiled.rule.id, format!("the id is already taken by a rule in {first}"));
                continue;
            }
            ids.insert(compiled.rule.id.clone(), source.path.clone());
            lints.check(document, &compiled, &predicates);
            parts.push(Part { rule: compiled.rule, expr: compiled.expr, items: compiled.items });
        }
    }
    Loaded { set: Arc::new(RuleSet::new(parts, predicates, fields)), rejected, lints: lints.finish() }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn one(text: &str) -> Loaded {
        load(vec![RuleSource { path: "a.yml".into(), text: text.into() }], &Options::default())
    }

    fn refusal(text: &str) -> Rejected {
        let mut loaded = one(text);
        assert!(loaded.set.rules().is_empty(), "loaded: {text}");
        loaded.rejected.remove(0)
    }

    const HEAD: &str = "title: T\nid: 11111111-0000-4000-8000-000000000001\nlogsource: {product: linux}\n";

    #[test]
    fn refusals_name_file_line_rule_field_and_modifier() {
        let refused = refusal(&format!("{HEAD}detection:\n  sel:\n    CommandLine|contians: x\n  condition: sel\n"));
        assert_eq!((refused.file.as_str(), refused.line), ("a.yml", 6));
        assert_eq!(refused.rule, "11111111-0000-4000-8000-000000000001");
        assert_eq!(refused.reason, "`sel`, field `CommandLine`: modifier `contians`: no such modifier");
    }

    #[test]
    fn what_is_not_supported_is_listed_with_its_reason() {
        let correlation = "title: C\ncorrelation:\n  type: event_count\n  rules: [x]\n";
        assert_eq!(refusal(correlation).reason, "not supported yet (correlation)");
        assert_eq!(refusal("title: F\nfilter:\n  rules: any\n").reason, "not supported yet (filter)");
        assert!(refusal(&format!("{HEAD}detection:\n  a: [x]\n  condition: a | count() > 5\n")).reason.contains("obsolete"));
        assert!(refusal(&format!("{HEAD}detection:\n  a: [x]\n  condition: b\n")).reason.contains("`b`"));
        assert!(refusal("a: 1\na: 2\n").reason.contains("duplicate"));
    }

    #[test]
    fn one_bad_document_does_not_stop_the_next() {
        let good = format!("{HEAD}detection:\n  a: [x]\n  condition: a\n");
        let loaded = one(&format!("title: bad\n---\n{good}---\n{good}"));
        assert_eq!(loaded.set.rules().len(), 1);
        assert_eq!(loaded.rejected.len(), 2);
        assert!(loaded.rejected[1].reason.contains("already taken"));
    }
}
