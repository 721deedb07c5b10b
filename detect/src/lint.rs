//! Checks on rules that load: probably not what their author wanted.

use hashbrown::{HashMap, HashSet};

use crate::{
    compile::Compiled,
    modifier,
    predicate::{Predicates, Test},
    program::Expr,
    rule::Lint,
    yaml::{Node, Value},
};

/// Gathers what the checks find, over all rules.
#[derive(Default)]
pub struct Lints {
    found: Vec<Lint>,
    /// Lower-cased field name → the spellings met, each with one rule.
    spellings: HashMap<String, HashMap<String, (String, u32, String)>>,
}

impl Lints {
    /// Checks one rule.
    pub fn check(&mut self, document: &Node, compiled: &Compiled, predicates: &Predicates) {
        let rule = &compiled.rule;
        let mut add = |line: u32, check, message: String| {
            self.found.push(Lint { file: rule.path.clone(), line, rule: rule.id.clone(), check, message });
        };
        for key in ["id", "level"] {
            if document.get(key).is_none() {
                add(rule.line, "missing_metadata", format!("`{key}` is missing"));
            }
        }
        if document.get("id").is_some() && !is_uuid(&rule.id) {
            add(rule.line, "id_format", format!("`{}` is no UUID", rule.id));
        }
        if !rule.needs.is_log_source_known {
            add(rule.line, "unknown_log_source", format!("no event is known to be of {}: the rule is blind", rule.logsource));
        }
        for name in &rule.other_keys {
            add(rule.line, "unknown_key", format!("`{name}` is not a key of Sigma"));
        }
        for used in compiled.identifiers.iter().filter(|used| !used.is_used) {
            add(used.line, "unused_identifier", format!("the condition does not mention `{}`", used.name));
        }
        if let Some(detection) = document.get("detection") {
            check_items(detection, &mut add);
        }
        if let Some(why) = contradiction(&compiled.expr, predicates) {
            add(rule.line, "never_matches", why);
        }
        for item in compiled.items.iter().filter(|item| !item.field.is_empty()) {
            let spellings = self.spellings.entry(item.field.to_lowercase()).or_default();
            spellings.entry(item.field.to_string()).or_insert_with(|| (rule.path.clone(), rule.line, rule.id.clone()));
        }
    }

    /// Everything found; what can only be seen over all rules comes last.
    pub fn finish(mut self) -> Vec<Lint> {
        let mut spelled: Vec<_> = self.spellings.into_values().filter(|spellings| spellings.len() > 1).collect();
        spelled.sort_by_cached_key(|spellings| spellings.keys().min().cloned());
        for spellings in spelled {
            let mut names: Vec<_> = spellings.into_iter().collect();
            names.sort();
            let shown: Vec<_> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
            let message = format!("field names are case-sensitive; in use are {}", shown.join(", "));
            for (_, (file, line, rule)) in names {
                self.found.push(Lint { file, line, rule, check: "field_case", message: message.clone() });
            }
        }
        self.found
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(i, byte)| if matches!(i, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}

fn check_items(detection: &Node, add: &mut impl FnMut(u32, &'static str, String)) {
    for (key, node) in detection.entries() {
        if key.name == "condition" {
            continue;
        }
        for element in node.elements() {
            match &element.value {
                Value::Int(number) => keyword_integer(element.line, *number, add),
                Value::Map(entries) => {
                    for (name, values) in entries {
                        let keyword = name.name.starts_with('|');
                        for value in values.elements().iter().filter(|_| keyword) {
                            if let Value::Int(number) = value.value {
                                keyword_integer(value.line, number, add);
                            }
                        }
                        if name.name.split('|').any(|modifier| modifier == "all") && values.elements().len() < 2 {
                            add(name.line, "all_of_one", format!("`{}`: `all` says nothing about a single value", name.name));
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn keyword_integer(line: u32, number: i64, add: &mut impl FnMut(u32, &'static str, String)) {
    add(line, "keyword_integer", format!("the keyword {number} is found inside any longer number or text too"));
}

/// Finds a field that must equal one text and at the same time be what that text is not.
fn contradiction(expr: &Expr, predicates: &Predicates) -> Option<String> {
    let Expr::And(parts) = expr else {
        return match expr {
            Expr::Or(parts) if parts.iter().all(|part| contradiction(part, predicates).is_some()) => {
                contradiction(&parts[0], predicates)
            }
            _ => None,
        };
    };
    let mut required = Vec::new();
    flatten(parts, &mut required);
    let mut seen = HashSet::new();
    for part in &required {
        let Some((field, texts)) = equals_only(part, predicates) else { continue };
        for other in required.iter().filter(|other| !std::ptr::eq(**other, *part)) {
            let possible = texts.iter().any(|text| may_hold(other, field, text, predicates));
            if !possible && seen.insert(field) {
                return Some(format!("one field must be {:?} and fulfil a condition that this text does not", texts[0]));
            }
        }
    }
    parts.iter().find_map(|part| contradiction(part, predicates))
}

fn flatten<'e>(parts: &'e [Expr], out: &mut Vec<&'e Expr>) {
    for part in parts {
        match part {
            Expr::And(inner) => flatten(inner, out),
            other => out.push(other),
        }
    }
}

/// The texts that an expression allows for one field, when it is nothing but equalities.
fn equals_only<'p>(expr: &Expr, predicates: &'p Predicates) -> Option<(u32, Vec<&'p str>)> {
    match expr {
        Expr::Test(id) => {
            let predicate = &predicates.list[*id as usize];
            let Test::Text(patterns) = &predicate.test else { return None };
            let texts: Option<Vec<_>> = patterns
                .iter()
                .map(|pattern| match pattern.shape() {
                    crate::pattern::Shape::Equals(text) => Some(text),
                    _ => None,
                })
                .collect();
            (predicate.field != crate::predicate::WHOLE_EVENT).then_some((predicate.field, texts?))
        }
        Expr::Or(parts) => {
            let mut all: Option<(u32, Vec<&str>)> = None;
            for part in parts {
                let (field, texts) = equals_only(part, predicates)?;
                match &mut all {
                    None => all = Some((field, texts)),
                    Some((known, more)) if *known == field => more.extend(texts),
                    Some(_) => return None,
                }
            }
            all
        }
        _ => None,
    }
}

/// False only when the expression is certainly false of a field with this (lower-cased) text.
fn may_hold(expr: &Expr, field: u32, text: &str, predicates: &Predicates) -> bool {
    match expr {
        Expr::Test(id) => {
            let predicate = &predicates.list[*id as usize];
            if predicate.field != field {
                return true;
            }
            match &predicate.test {
                Test::Text(patterns) => patterns.iter().any(|pattern| pattern.is_cased() || pattern.matches(text)),
                // The rule's text has lost its case: ask the expression without it.
                Test::Regex(expression) => {
                    modifier::compile_regex(&format!("(?i){}", expression.0)).map_or(true, |regex| regex.is_match(text))
                }
                _ => true,
            }
        }
        Expr::And(parts) => parts.iter().all(|part| may_hold(part, field, text, predicates)),
        Expr::Or(parts) => parts.iter().any(|part| may_hold(part, field, text, predicates)),
        Expr::Not(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use crate::{Options, RuleSource, load};

    fn checks(detection: &str) -> Vec<&'static str> {
        let text = format!(
            "title: T\nid: 11111111-0000-4000-8000-000000000001\nlevel: low\nlogsource: {{product: windows}}\ndetection:\n{detection}"
        );
        let loaded = load(vec![RuleSource { path: "a.yml".into(), text }], &Options::default());
        assert_eq!(loaded.rejected, []);
        loaded.lints.iter().map(|lint| lint.check).collect()
    }

    #[test]
    fn a_good_rule_has_no_lint() {
        assert!(checks("  a:\n    Image|endswith: '\\x.exe'\n    User: [a, b]\n  condition: a\n").is_empty());
    }

    #[test]
    fn each_check_finds_its_fault() {
        assert_eq!(checks("  a: [4624, x]\n  condition: a\n"), ["keyword_integer"]);
        assert_eq!(checks("  a: {Image: x}\n  b: {Image: y}\n  condition: a\n"), ["unused_identifier"]);
        assert_eq!(checks("  a: {'Image|contains|all': x}\n  condition: a\n"), ["all_of_one"]);
        assert_eq!(checks("  a: {Image: x}\n  b: {image: y}\n  condition: a or b\n"), ["field_case", "field_case"]);
    }

    #[test]
    fn a_rule_that_cannot_match_is_noticed() {
        assert_eq!(
            checks("  a: {CommandLine: RunWizard}\n  b: {'CommandLine|re': '\\{[0-9a-f]{8}\\}'}\n  condition: a and b\n"),
            ["never_matches"]
        );
        assert_eq!(
            checks("  a: {CommandLine: x}\n  b: {'CommandLine|contains': [y, z]}\n  condition: a and b\n"),
            ["never_matches"]
        );
        assert!(checks("  a: {CommandLine: [x, yy]}\n  b: {'CommandLine|contains': [y, z]}\n  condition: a and b\n").is_empty());
    }
}
