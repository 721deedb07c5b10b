//! What may stand where the caret is: the place is read from the text before it, however unfinished that is.
//!
//! Pure: names come from [`Fields`], values of a field are the caller's to find ([`Wanted::Values`]), because only it
//! knows who asks.

use super::{
    Fields, Type, VERBS,
    parse::canonical,
    parse_conditions,
    pipe::{AGGREGATES, FUNCTIONS, Function, names_behind, read, verb},
};

/// What a suggestion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuggestionKind {
    Command,
    Field,
    Function,
    Aggregate,
    Keyword,
    Table,
    Value,
}

impl SuggestionKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Field => "field",
            Self::Function => "function",
            Self::Aggregate => "aggregate",
            Self::Keyword => "keyword",
            Self::Table => "table",
            Self::Value => "value",
        }
    }
}

/// One thing that may stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    pub kind: SuggestionKind,
    /// What to put in.
    pub text: String,
    /// Type, or how it is written.
    pub detail: String,
    pub en: String,
    pub vi: String,
}

/// What the caret's place asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wanted {
    Nothing,
    These(Vec<Suggestion>),
    /// Values of a field that begin like the typed word; `quoted` where text stands between quotation marks.
    Values {
        field: String,
        quoted: bool,
    },
}

/// The caret's place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// Where the typed word begins, in bytes.
    pub start: usize,
    pub typed: String,
    pub wanted: Wanted,
}

/// Suggestions at one place.
pub const SUGGESTIONS_MAX: usize = 20;

/// Reads the place of the caret, in bytes.
pub(crate) fn place(text: &str, caret: usize, fields: &dyn Fields) -> Place {
    let mut caret = caret.min(text.len());
    while !text.is_char_boundary(caret) {
        caret -= 1;
    }
    let head = &text[..caret];
    let nothing = Place { start: caret, typed: String::new(), wanted: Wanted::Nothing };
    let Some(level) = level(head) else { return nothing };
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '#');
    let start = head.char_indices().rev().take_while(|(_, c)| is_part(*c)).last().map_or(caret, |(at, _)| at);
    let typed = head[start..].to_owned();
    let wanted = match level.pipe {
        None => in_conditions(&head[level.begin..start], &typed, fields),
        Some(pipe) => in_stage(&head[level.begin..pipe], &head[pipe + 1..start], &typed, fields),
    };
    Place { start, typed, wanted }
}

/// The innermost search around the end of a text: where it begins, and its last `|`.
struct Level {
    begin: usize,
    pipe: Option<usize>,
}

/// `None` inside quotation marks.
fn level(head: &str) -> Option<Level> {
    let mut levels = vec![Level { begin: 0, pipe: None }];
    let mut chars = head.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => loop {
                match chars.next()?.1 {
                    '"' => break,
                    '\\' => _ = chars.next(),
                    _ => {}
                }
            },
            // Brackets are brackets behind a command only.
            '[' if levels.last().is_some_and(|level| level.pipe.is_some()) => levels.push(Level { begin: at + 1, pipe: None }),
            ']' if levels.len() > 1 => _ = levels.pop(),
            '|' => levels.last_mut()?.pipe = Some(at),
            _ => {}
        }
    }
    levels.pop()
}

fn in_conditions(before: &str, typed: &str, fields: &dyn Fields) -> Wanted {
    if let Some(field) = field_before(before.trim_end_matches('(').trim_end(), &[':', '='], fields) {
        return Wanted::Values { field, quoted: false };
    }
    if typed.is_empty() {
        return Wanted::Nothing;
    }
    best(typed, all_fields(&with_types(fields.names(), fields)))
}

/// The field that an operator at the end of the text is about.
fn field_before(before: &str, operators: &[char], fields: &dyn Fields) -> Option<String> {
    let name = before.strip_suffix(operators)?.trim_end_matches(['!', '=']).trim_end();
    let from = name.rfind(|c: char| c.is_whitespace() || matches!(c, '(' | ',' | '-')).map_or(0, |at| at + 1);
    let name = canonical(&name[from..]);
    fields.kind(name).map(|_| name.to_owned())
}

fn in_stage(earlier: &str, stage: &str, typed: &str, fields: &dyn Fields) -> Wanted {
    let Some((word, rest)) = stage.trim_start().split_once(char::is_whitespace) else {
        return if stage.trim().is_empty() { best(typed, commands()) } else { Wanted::Nothing };
    };
    let Some(verb) = verb(word) else { return Wanted::Nothing };
    let names = columns(earlier, fields);
    let before = rest.trim_end();
    let last = before.rsplit(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')')).next().unwrap_or_default();
    let last = last.to_ascii_lowercase();
    let mut options: Vec<Suggestion> = Vec::new();
    match verb.name {
        "search" => {
            if let Some(field) = field_before(before.trim_end_matches('('), &[':', '='], fields) {
                return Wanted::Values { field, quoted: false };
            }
            options.extend(all_fields(&names));
        }
        "where" | "eval" => {
            let opened = before.trim_end_matches('(').trim_end();
            let list =
                opened.strip_suffix("in").filter(|name| name.ends_with(char::is_whitespace)).map(|name| format!("{name}="));
            let is_value = verb.name == "where" || !matches!(before.matches('=').count(), 0 | 1);
            let asked = list.as_deref().unwrap_or(before);
            if let Some(field) = field_before(asked, &['='], fields).filter(|field| is_value && has(&names, field)) {
                return Wanted::Values { field, quoted: true };
            }
            options.extend(all_fields(&names));
            options.extend(functions(FUNCTIONS, SuggestionKind::Function));
            options.extend(keywords(&["and", "or", "not", "in", "like", "is null"]));
        }
        "stats" | "timechart" => {
            let is_by = before.split(|c: char| !c.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case("by"));
            let is_inside = before.matches('(').count() > before.matches(')').count();
            if is_by || is_inside || last == "where" {
                options.extend(all_fields(&names));
                options.extend(functions(FUNCTIONS, SuggestionKind::Function));
            } else {
                options.extend(functions(AGGREGATES, SuggestionKind::Aggregate));
                options.extend(keywords(if verb.name == "stats" {
                    &["by", "as", "where"]
                } else {
                    &["by", "as", "where", "span=", "limit="]
                }));
            }
        }
        "lookup" => {
            let mut words = rest.split_whitespace();
            let table = words.next().filter(|_| !before.is_empty());
            match table.and_then(|table| fields.table(table)) {
                None => options.extend(fields.tables().into_iter().map(|table| plain(SuggestionKind::Table, &table, ""))),
                Some(columns) if before.contains("output") || before.ends_with('=') => options.extend(all_fields(&columns)),
                Some(_) => {
                    options.extend(all_fields(&names));
                    options.extend(keywords(&["on", "output", "as"]));
                }
            }
        }
        "head" => {}
        name => {
            options.extend(all_fields(&names));
            options.extend(keywords(match name {
                "top" | "rare" => &["by"],
                "rename" => &["as"],
                "join" => &["left"],
                "sequence" => &["by", "within"],
                _ => &[],
            }));
        }
    }
    best(typed, options)
}

/// The fields at a stage; all of them when what comes before is not finished.
fn columns(earlier: &str, fields: &dyn Fields) -> Vec<(String, Type)> {
    let known = parse_conditions(earlier, fields).and_then(|(_, pipe)| {
        let stages = pipe.map_or(Ok(vec![]), |at| read(earlier, at))?;
        names_behind(&stages, fields)
    });
    known.unwrap_or_else(|_| with_types(fields.names(), fields))
}

fn with_types(names: Vec<String>, fields: &dyn Fields) -> Vec<(String, Type)> {
    let typed = names.into_iter().filter_map(|name| {
        let (kind, is_list) = fields.kind(&name)?;
        Some((name, Type::of(kind, is_list)))
    });
    typed.collect()
}

fn has(names: &[(String, Type)], wanted: &str) -> bool {
    names.iter().any(|(name, _)| name == wanted)
}

fn plain(kind: SuggestionKind, text: &str, detail: &str) -> Suggestion {
    Suggestion { kind, text: text.to_owned(), detail: detail.to_owned(), en: String::new(), vi: String::new() }
}

fn all_fields(names: &[(String, Type)]) -> Vec<Suggestion> {
    let describe = |(name, holds): &(String, Type)| {
        let definition = event::Field::by_name(name).map(event::Field::definition);
        let is_bare = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '#'));
        Suggestion {
            kind: SuggestionKind::Field,
            text: if is_bare { name.clone() } else { format!("`{name}`") },
            detail: holds.to_string(),
            en: definition.map_or_else(String::new, |definition| definition.doc.to_owned()),
            vi: definition.map_or_else(String::new, |definition| definition.label_vi.to_owned()),
        }
    };
    names.iter().map(describe).collect()
}

fn commands() -> Vec<Suggestion> {
    let describe = |verb: &super::Verb| Suggestion {
        kind: SuggestionKind::Command,
        text: verb.name.to_owned(),
        detail: verb.usage.to_owned(),
        en: verb.en.to_owned(),
        vi: verb.vi.to_owned(),
    };
    VERBS.iter().map(describe).collect()
}

fn functions(list: &[Function], kind: SuggestionKind) -> Vec<Suggestion> {
    let describe = |function: &Function| Suggestion {
        kind,
        text: format!("{}(", function.name),
        detail: function.usage.to_owned(),
        en: function.en.to_owned(),
        vi: function.vi.to_owned(),
    };
    list.iter().map(describe).collect()
}

fn keywords(list: &[&str]) -> Vec<Suggestion> {
    list.iter().map(|word| plain(SuggestionKind::Keyword, word, "")).collect()
}

/// Those that fit the typed word, best first.
fn best(typed: &str, options: Vec<Suggestion>) -> Wanted {
    let wanted = event::fold::like("", typed);
    let mut ranked: Vec<(usize, Suggestion)> =
        options.into_iter().filter_map(|option| Some((rank(&wanted, &option)?, option))).collect();
    if !typed.is_empty() {
        ranked.sort_by_key(|(rank, option)| (*rank, option.text.len()));
    }
    ranked.truncate(SUGGESTIONS_MAX);
    Wanted::These(ranked.into_iter().map(|(_, option)| option).collect())
}

/// The beginning of the name, of one of its parts, or of its label; what is there already is no suggestion.
fn rank(wanted: &str, option: &Suggestion) -> Option<usize> {
    let name = option.text.trim_matches('`').trim_end_matches('(').to_lowercase();
    if name == wanted && option.kind != SuggestionKind::Function && option.kind != SuggestionKind::Aggregate {
        return None;
    }
    if name.starts_with(wanted) {
        return Some(0);
    }
    if name.split(['.', '_']).any(|part| part.starts_with(wanted)) {
        return Some(1);
    }
    let is_field = option.kind == SuggestionKind::Field;
    (is_field && event::fold::like("", &option.vi).starts_with(wanted)).then_some(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Catalogue;

    /// `^` is the caret; the answer is the first few suggestions, or what values are asked for.
    fn check(marked: &str, wanted: &str) {
        let caret = marked.find('^').unwrap();
        let text = marked.replacen('^', "", 1);
        let place = place(&text, caret, &Catalogue);
        let found = match place.wanted {
            Wanted::Nothing => "nothing".to_owned(),
            Wanted::Values { field, quoted } => {
                format!("values of {field}{}: {}", if quoted { ", quoted" } else { "" }, place.typed)
            }
            Wanted::These(list) => list.iter().take(3).map(|one| one.text.as_str()).collect::<Vec<_>>().join(" "),
        };
        assert_eq!(found, wanted, "{marked}");
    }

    #[test]
    fn conditions() {
        check("failed source.i^", "source.ip");
        check("nguoi dung^", "");
        check("user.na^ x", "user.name");
        check("a \"source.i^", "nothing");
        check("event.outcome:fa^", "values of event.outcome: fa");
        check("event.outcome:(success or ^", "nothing");
        check("event.dataset!=^", "values of event.dataset: ");
        check("^", "nothing");
    }

    #[test]
    fn commands_and_their_parts() {
        check("a | st^", "stats");
        check("a | ^", "where search eval");
        check("a | stats co^", "count(");
        check("a | stats count() by user.na^", "user.name");
        check("a | stats dc(source.i^", "source.ip");
        check("a | stats count() as hits by user.name | where hi^", "hits");
        check("a | stats count() as hits by user.name | where source.i^", "");
        check("a | where event.outcome = ^", "values of event.outcome, quoted: ");
        check("a | where event.outcome in (^", "values of event.outcome, quoted: ");
        check("a | eval x = low^", "lower(");
        check("a | head ^", "");
        check("a | search event.outcome:s^", "values of event.outcome: s");
        check("a | sequence by user.name within 5m [event.outcome:f^", "values of event.outcome: f");
        check("a | join user.name [b | sta^", "stats");
        check("a | blubb x^", "nothing");
    }

    #[test]
    fn any_place_of_any_text_is_read() {
        let texts = ["a | stats count() by b | where \"x\\", "đ [ | ] \" | [ [", "|||", "a:(|b[", "`a | where x in ("];
        for text in texts {
            for caret in 0..=text.len() + 3 {
                let found = place(text, caret, &Catalogue);
                assert!(text.is_char_boundary(found.start), "{text} {caret}");
            }
        }
    }
}
