//! Writes the answer to `_bulk`: key order and lack of white space are part of the protocol, because Fluent Bit looks for
//! `"errors":false,"items":[` in what fits its buffer. Also what `filter_path` leaves of it.

use super::bulk::{Fate, Item, Verb};

const FIELDS: [&[&str]; 5] = [&["_index"], &["_id"], &["status"], &["error", "type"], &["error", "reason"]];
const INDEX: usize = 0;
const ID: usize = 1;
const STATUS: usize = 2;
const TYPE: usize = 3;
const REASON: usize = 4;

/// Which parts of the answer a sender wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keep {
    took: bool,
    errors: bool,
    /// By verb and field.
    items: [[bool; FIELDS.len()]; Verb::ALL.len()],
}

impl Keep {
    /// Reads `filter_path`: comma-separated paths; `*` stands for one name or a part of it, `**` for any names, a `-` in
    /// front takes away.
    pub fn by(filter: Option<&str>) -> Self {
        let all = filter.unwrap_or("").split(',').map(str::trim).filter(|path| !path.is_empty());
        let (less, more): (Vec<&str>, Vec<&str>) = all.partition(|path| path.starts_with('-'));
        let keeps = |path: &[&str]| {
            let hit = |pattern: &&str| matches(&pattern.trim_start_matches('-').split('.').collect::<Vec<_>>(), path);
            (more.is_empty() || more.iter().any(hit)) && !less.iter().any(hit)
        };
        let items = Verb::ALL.map(|verb| FIELDS.map(|field| keeps(&[&["items", verb.name()], field].concat())));
        Self { took: keeps(&["took"]), errors: keeps(&["errors"]), items }
    }
}

/// True when the pattern covers the path or something above it.
fn matches(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], _) => true,
        (["**", rest @ ..], _) => (0..=path.len()).any(|skipped| matches(rest, &path[skipped..])),
        (_, []) => false,
        ([name, rest @ ..], [have, below @ ..]) => covers(name, have) && matches(rest, below),
    }
}

/// True when a name with `*` in it covers another.
fn covers(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name
            .strip_prefix(head)
            .is_some_and(|rest| (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| covers(tail, rest)))),
    }
}

/// Writes the answer; `sequence` is the stored block's, of which documents without an id get theirs.
pub(super) fn write(items: &[Item], sequence: u64, took_ms: i64, keep: &Keep) -> String {
    let mut out = String::with_capacity(64 + items.len() * 64);
    let has_errors = items.iter().any(|item| match item.fate {
        Fate::Stored | Fate::NotFound => false,
        Fate::Duplicate => item.verb == Verb::Create,
        Fate::Refused { .. } => true,
    });
    let mut parts: Vec<String> = Vec::new();
    if keep.took {
        parts.push(format!("\"took\":{took_ms}"));
    }
    if keep.errors {
        parts.push(format!("\"errors\":{has_errors}"));
    }
    out.push('{');
    out.push_str(&parts.join(","));
    let before = out.len();
    for item in items {
        let start = out.len();
        out.push_str(if start == before && !parts.is_empty() {
            ",\"items\":["
        } else if start == before {
            "\"items\":["
        } else {
            ","
        });
        if !write_item(&mut out, item, sequence, keep) {
            out.truncate(start);
        }
    }
    out.push_str(if out.len() > before { "]}" } else { "}" });
    out
}

/// False when nothing of the item is wanted.
fn write_item(out: &mut String, item: &Item, sequence: u64, keep: &Keep) -> bool {
    let wanted = &keep.items[item.verb as usize];
    let id = item.id.clone().unwrap_or_else(|| item.record.map(|at| format!("{sequence}-{at}")).unwrap_or_default());
    let conflict = ("version_conflict_engine_exception", "this document was stored before");
    let (status, error) = match &item.fate {
        Fate::Stored => (201, None),
        Fate::Duplicate if item.verb == Verb::Create => (409, Some(conflict)),
        Fate::Duplicate => (200, None),
        Fate::NotFound => (404, None),
        Fate::Refused { status, kind, reason } => (*status, Some((*kind, reason.as_str()))),
    };
    let error: Vec<String> = [(TYPE, error.map(|error| error.0)), (REASON, error.map(|error| error.1))]
        .into_iter()
        .filter_map(|(field, text)| Some(format!("\"{}\":{}", FIELDS[field][1], quoted(text.filter(|_| wanted[field])?))))
        .collect();
    let mut fields = Vec::with_capacity(4);
    if wanted[INDEX] {
        fields.push(format!("\"_index\":{}", quoted(&item.index)));
    }
    if wanted[ID] {
        fields.push(format!("\"_id\":{}", if id.is_empty() { "null".to_owned() } else { quoted(&id) }));
    }
    if wanted[STATUS] {
        fields.push(format!("\"status\":{status}"));
    }
    if !error.is_empty() {
        fields.push(format!("\"error\":{{{}}}", error.join(",")));
    }
    if fields.is_empty() {
        return false;
    }
    out.push_str(&format!("{{\"{}\":{{{}}}}}", item.verb.name(), fields.join(",")));
    true
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<Item> {
        let item = |verb, id: Option<&str>, fate, record| Item {
            verb,
            index: "logs-\"x".into(),
            id: id.map(str::to_owned),
            fate,
            record,
            mark: None,
        };
        let refused = Fate::Refused { status: 400, kind: "document_parsing_exception", reason: "no".into() };
        vec![
            item(Verb::Create, Some("a"), Fate::Stored, Some(0)),
            item(Verb::Index, None, Fate::Stored, Some(1)),
            item(Verb::Create, None, refused, None),
        ]
    }

    #[test]
    fn the_answer_has_one_item_an_action_in_order() {
        let all = Keep::by(None);
        assert_eq!(
            write(&items()[..2], 7, 3, &all),
            r#"{"took":3,"errors":false,"items":[{"create":{"_index":"logs-\"x","_id":"a","status":201}},{"index":{"_index":"logs-\"x","_id":"7-1","status":201}}]}"#
        );
        assert!(write(&items(), 7, 3, &all).ends_with(
            r#",{"create":{"_index":"logs-\"x","_id":null,"status":400,"error":{"type":"document_parsing_exception","reason":"no"}}}]}"#
        ));
    }

    #[test]
    fn a_filter_leaves_what_it_names() {
        let filtered = |filter| write(&items(), 7, 3, &Keep::by(Some(filter)));
        assert_eq!(
            filtered("errors,items.*.error,items.*.status"),
            r#"{"errors":true,"items":[{"create":{"status":201}},{"index":{"status":201}},{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"no"}}}]}"#
        );
        assert_eq!(filtered("items.*.error.type"), r#"{"items":[{"create":{"error":{"type":"document_parsing_exception"}}}]}"#);
        assert_eq!(filtered("items.index._*"), r#"{"items":[{"index":{"_index":"logs-\"x","_id":"7-1"}}]}"#);
        assert_eq!(filtered("**.status,-items.create"), r#"{"items":[{"index":{"status":201}}]}"#);
        assert_eq!(filtered("-items"), r#"{"took":3,"errors":true}"#);
        assert_eq!(filtered("nothing"), "{}");
    }
}
