//! Reads a `_bulk` body: action lines and document lines by turns. A document is not parsed here; only what an action says
//! is. What cannot be divided is an error with its line, as Elasticsearch gives it, for nobody knows then which line is what.

use std::sync::Arc;

use axum::http::StatusCode;
use event::{RawBatch, raw::RefusedReason};
use serde_json::Value;

use crate::{body::Failure, framing::trim, json_split};

/// Longest action line: index, id and a few options.
const ACTION_BYTES_MAX: usize = 8 << 10;
/// Longest `_id`, as in Elasticsearch.
const ID_BYTES_MAX: usize = 512;
/// Longest name of an index, as in Elasticsearch.
const INDEX_BYTES_MAX: usize = 255;
/// Index of a sender that names none.
const INDEX: &str = "logs";

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub record_max: usize,
    pub items_max: usize,
    /// Refuse what is no JSON object.
    pub strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Index,
    Update,
    Delete,
}

impl Verb {
    pub const ALL: [Self; 4] = [Self::Create, Self::Index, Self::Update, Self::Delete];

    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Index => "index",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stored,
    /// The same `_id` was stored before.
    Duplicate,
    /// Nothing is ever deleted.
    NotFound,
    Refused {
        status: u16,
        kind: &'static str,
        reason: String,
    },
}

/// One action, in the order of the body.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub verb: Verb,
    pub index: Arc<str>,
    pub id: Option<String>,
    pub fate: Fate,
    /// Which record of the batch it is.
    pub record: Option<u32>,
    /// Who it is and what it says, when it has an id.
    pub mark: Option<(u128, u128)>,
}

/// What an action line says.
#[derive(Clone)]
struct Action {
    verb: Verb,
    index: Arc<str>,
    id: Option<String>,
}

/// Divides a body into the records of a batch and one item an action.
pub(super) fn divide(
    mut batch: RawBatch,
    body: &[u8],
    index: Option<&str>,
    limits: Limits,
) -> Result<(RawBatch, Vec<Item>), Failure> {
    let index: Arc<str> = index.unwrap_or(INDEX).into();
    let mut lines = body.split(|&byte| byte == b'\n').map(trim).enumerate();
    let mut items: Vec<Item> = Vec::new();
    // Senders repeat the same action line for a whole request.
    let mut last: Option<(&[u8], Action)> = None;
    while let Some((at, line)) = lines.next() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if items.len() >= limits.items_max {
            return Err(Failure::too_large(format!("a request may have {} actions at most", limits.items_max)));
        }
        let action = match &last {
            Some((text, action)) if *text == line => action.clone(),
            _ => {
                let malformed = |reason| malformed(at, reason);
                let action = action(line, &index).map_err(malformed)?;
                last = Some((line, action.clone()));
                action
            }
        };
        let document = match action.verb {
            Verb::Delete => None,
            _ => Some(lines.next().ok_or_else(|| malformed(at, "the document of this action is missing".into()))?.1),
        };
        items.push(take(&mut batch, action, document, limits));
    }
    if items.is_empty() {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "parse_exception", "request body is required"));
    }
    Ok((batch, items))
}

fn malformed(at: usize, reason: String) -> Failure {
    let message = format!("Malformed action/metadata line [{}], {reason}", at + 1);
    Failure::new(StatusCode::BAD_REQUEST, "illegal_argument_exception", message)
}

fn action(line: &[u8], index: &Arc<str>) -> Result<Action, String> {
    if line.len() > ACTION_BYTES_MAX {
        return Err(format!("it may have {ACTION_BYTES_MAX} bytes at most"));
    }
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("it is no JSON: {error}"))?;
    let Some(object) = value.as_object().filter(|object| object.len() == 1) else {
        return Err("expected an object with one of create, index, update, delete".into());
    };
    let (name, meta) = object.iter().next().ok_or("it is empty")?;
    let Some(verb) = Verb::ALL.into_iter().find(|verb| verb.name() == name) else {
        return Err("expected one of create, index, update, delete".into());
    };
    let text = |key: &str| match &meta[key] {
        Value::String(text) => Some(text.clone()),
        // Elasticsearch reads a number as its text.
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let named = text("_index").filter(|name| !name.is_empty());
    let id = text("_id").filter(|id| !id.is_empty());
    if !meta.is_object() {
        return Err("expected an object behind the action".into());
    }
    if named.as_ref().is_some_and(|name| name.len() > INDEX_BYTES_MAX) || index.len() > INDEX_BYTES_MAX {
        return Err(format!("the name of an index may have {INDEX_BYTES_MAX} bytes at most"));
    }
    Ok(Action { verb, index: named.map_or_else(|| Arc::clone(index), Into::into), id })
}

/// Books one action; its record is pushed when it is to be stored.
fn take(batch: &mut RawBatch, action: Action, document: Option<&[u8]>, limits: Limits) -> Item {
    let Action { verb, index, id } = action;
    let item = |id, fate, record| Item { verb, index, id, fate, record, mark: None };
    let Some(line) = document else { return item(id, Fate::NotFound, None) };
    let refused = |batch: &mut RawBatch, reason, status, kind, text: String| {
        count(batch, reason);
        Fate::Refused { status, kind, reason: text }
    };
    if id.as_ref().is_some_and(|id| id.len() > ID_BYTES_MAX) {
        let text = format!("an _id may have {ID_BYTES_MAX} bytes at most");
        let fate = refused(batch, RefusedReason::Limit, 400, "illegal_argument_exception", text);
        return item(None, fate, None);
    }
    // A body that is no object is kept as it came: half an understanding is worse than none.
    let record = match verb {
        Verb::Update => json_split::member(line, "doc").or_else(|| json_split::member(line, "upsert")),
        _ => Some(line),
    };
    let record = match record {
        Some(record) => record,
        None if is_object(line) => {
            let text = "an update without doc: scripts are not run here".to_owned();
            let fate = refused(batch, RefusedReason::Malformed, 400, "action_request_validation_exception", text);
            return item(id, fate, None);
        }
        None => line,
    };
    let fate = if record.len() > limits.record_max {
        let text = format!("a document may have {} bytes at most", limits.record_max);
        refused(batch, RefusedReason::Limit, 413, "document_too_large", text)
    } else if record.trim_ascii().is_empty() {
        refused(batch, RefusedReason::Malformed, 400, "document_parsing_exception", "the document is empty".into())
    } else if limits.strict && !is_object(record) {
        refused(batch, RefusedReason::Malformed, 400, "document_parsing_exception", "the document is no JSON object".into())
    } else {
        let at = batch.len() as u32;
        batch.push(record);
        return item(id, Fate::Stored, Some(at));
    };
    item(id, fate, None)
}

fn is_object(text: &[u8]) -> bool {
    text.trim_ascii().starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

fn count(batch: &mut RawBatch, reason: RefusedReason) {
    match batch.refused.iter_mut().find(|(have, _)| *have == reason) {
        Some((_, n)) => *n += 1,
        None => batch.refused.push((reason, 1)),
    }
}
