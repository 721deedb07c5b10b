//! Paste-hunt: a list of indicators as people paste it, and what is known of each.

use axum::{Json, extract::State};
use event::Field;
use query::paste::{Coverage, Finding, INDICATORS_MAX, PasteRequest, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Body;
use crate::{
    App,
    ask::refused,
    auth::Person,
    error::{ApiError, Result},
    rows::Names,
    time::{read, rfc3339},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paste {
    text: String,
    from: String,
    to: String,
}

pub async fn run(State(app): State<App>, person: Person, Body(paste): Body<Paste>) -> Result<Json<Value>> {
    let request = PasteRequest { text: paste.text, from: read("from", &paste.from)?, to: read("to", &paste.to)? };
    let answer = app.engine.paste(&person.scope, request).await.map_err(refused)?;
    if answer.findings.is_empty() {
        return Err(ApiError::bad(
            "invalid",
            "there is no indicator in the text: no address, network, domain, URL, hash or mail address",
        ));
    }
    let names = Names::load(&app).await?;
    let time = |at: Option<event::Micros>| at.map(rfc3339);
    Ok(Json(json!({
        "indicators": answer.findings.iter().map(|found| finding(found, &names)).collect::<Vec<_>>(),
        "unreadable": answer.pasted.unreadable,
        "unreadable_total": answer.pasted.unreadable_total,
        "duplicates": answer.pasted.duplicates,
        "dropped": answer.pasted.dropped,
        "most": INDICATORS_MAX,
        "coverage": answer.coverage.iter().map(coverage).collect::<Vec<_>>(),
        "kept_since": time(answer.kept_since),
        "searched_from": rfc3339(answer.searched_from),
        "complete": answer.complete,
        "reason": answer.reason,
        "took_ms": answer.took.as_millis() as u64,
    })))
}

fn finding(found: &Finding, names: &Names) -> Value {
    let (status, since) = match found.verdict {
        Verdict::Hit => ("hit", None),
        Verdict::None => ("none", None),
        Verdict::NoneSince(since) => ("none_since", Some(rfc3339(since))),
        Verdict::NotSearchable => ("not_searchable", None),
    };
    let systems: Vec<Value> = found.systems.iter().map(|(id, n)| json!({ "system": names.system(id, None), "n": n })).collect();
    json!({
        "text": found.indicator.text, "value": found.indicator.value, "kind": found.indicator.kind.name(),
        "status": status, "since": since, "count": found.count,
        "first": found.first.map(rfc3339), "last": found.last.map(rfc3339),
        "systems": systems, "more_systems": found.has_more_systems, "fields": fields(&found.fields), "q": found.q,
    })
}

fn coverage(coverage: &Coverage) -> Value {
    json!({
        "kind": coverage.kind.name(), "fields": fields(&coverage.fields), "hidden": fields(&coverage.hidden),
        "since": coverage.since.map(rfc3339), "field_since": coverage.field_since.map(rfc3339),
    })
}

fn fields(fields: &[Field]) -> Vec<&'static str> {
    fields.iter().map(|field| field.name()).collect()
}
