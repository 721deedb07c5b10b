//! Where events come from: health of each source, unknown senders and their adoption, the ledger, the quarantine.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State};
use event::{Scope, UNASSIGNED};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use state::register::{Adoption, Author};

use super::Body;
use crate::{
    App, ask,
    ask::Row,
    audit::{self, Action, Line},
    auth::Person,
    error::{ApiError, Result},
    time::rfc3339,
};

/// A source that sent something within a day but nothing for so long is silent.
const SILENT_MINUTES: i64 = 60;

/// A median clock further off than this is shown as skewed.
const SKEW_MS: i64 = 5 * 60 * 1000;

pub async fn show(State(app): State<App>, person: Person) -> Result<Json<Value>> {
    if !person.scope.sees_all() {
        return Err(ApiError::forbidden(
            "sources and unknown senders belong to no single system; people who see all systems see them",
        ));
    }
    let ledger = ledger(&app, &person.scope).await?;
    Ok(Json(json!({
        "sources": health(&app, &person.scope, &ledger).await?,
        "unknown_senders": unknown_senders(&app, &person.scope).await?,
        "quarantine": quarantine(&app, &person.scope).await?,
        "ledger": ledger,
    })))
}

async fn health(app: &App, scope: &Scope, ledger: &[Value]) -> Result<Vec<Value>> {
    let sql = format!(
        "SELECT chieng.source AS name, count(*) AS events, count(DISTINCT log.source.address) AS senders, max(event.created) AS last_event, \
         max(event.created) < now() - INTERVAL '{SILENT_MINUTES} minutes' AS silent, \
         approx_percentile_cont(chieng.clock_skew, 0.5) AS skew_ms \
         FROM events WHERE event.ingested > now() - INTERVAL '24 hours' GROUP BY chieng.source"
    );
    let mut heard: BTreeMap<String, Row> = BTreeMap::new();
    for row in ask::rows(app, scope, &sql).await? {
        heard.insert(text(&row, "name"), row);
    }
    let sql = "SELECT chieng.source AS name, chieng.parser AS parser FROM events WHERE event.ingested > now() - INTERVAL '24 hours' \
               AND chieng.parser IS NOT NULL GROUP BY chieng.source, chieng.parser ORDER BY name, parser";
    let mut parsers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in ask::rows(app, scope, sql).await? {
        parsers.entry(text(&row, "name")).or_default().push(text(&row, "parser"));
    }
    let facts = app.facts.sources();
    let names: BTreeSet<String> =
        facts.iter().map(|fact| fact.name.clone()).chain(heard.keys().cloned()).filter(|name| !name.is_empty()).collect();
    let one = |name: String| {
        let fact = facts.iter().find(|fact| fact.name == name);
        let row = heard.get(&name);
        let number = |key: &str| row.and_then(|row| row.get(key)).and_then(Value::as_i64);
        let booked = ledger.iter().find(|row| row["source"] == name.as_str());
        let is_silent = row.is_none_or(|row| row.get("silent").and_then(Value::as_bool).unwrap_or(false));
        let skew = number("skew_ms");
        let status = match (row, is_silent) {
            (None, _) => "idle",
            (Some(_), true) => "silent",
            (Some(_), false) if skew.is_some_and(|skew| skew.abs() > SKEW_MS) => "skewed",
            _ => "ok",
        };
        json!({
            "name": name,
            "kind": fact.map_or("internal", |fact| fact.kind.as_str()),
            "address": fact.and_then(|fact| fact.address.clone()),
            "senders": number("senders").unwrap_or(0),
            "events_24h": number("events").unwrap_or(0),
            "last_event": row.and_then(|row| row.get("last_event")),
            "silent": row.is_some() && is_silent,
            "parsers": parsers.get(&name).cloned().unwrap_or_default(),
            "quarantined": booked.map_or(json!(0), |row| row["quarantined"].clone()),
            "refused": booked.and_then(|row| row["refused"].as_object()).map_or(0, |by| by.values().filter_map(Value::as_i64).sum::<i64>()),
            "skew_ms": skew,
            "status": status,
        })
    };
    Ok(names.into_iter().map(one).collect())
}

/// Senders of the last week that no register entry covers.
pub async fn unknown_senders(app: &App, scope: &Scope) -> Result<Vec<Value>> {
    let sql = format!(
        "SELECT log.source.address AS address, chieng.source AS source, min(event.created) AS first_seen, max(event.created) AS last_seen, \
         count(*) AS events, max(event.original) AS sample FROM events \
         WHERE system.id = {} AND log.source.address IS NOT NULL AND event.ingested > now() - INTERVAL '7 days' \
         GROUP BY log.source.address, chieng.source ORDER BY events DESC LIMIT 100",
        ask::literal(UNASSIGNED)
    );
    Ok(ask::rows(app, scope, &sql).await?.into_iter().map(Value::Object).collect())
}

async fn quarantine(app: &App, scope: &Scope) -> Result<Vec<Value>> {
    let sql = "SELECT event.id AS id, event.created AS time, chieng.source AS source, error.message AS reason, \
               coalesce(event.original, event.original_bytes) AS line FROM events \
               WHERE event.kind = 'pipeline_error' AND event.ingested > now() - INTERVAL '7 days' ORDER BY event.created DESC LIMIT 50";
    Ok(ask::rows(app, scope, sql).await?.into_iter().map(Value::Object).collect())
}

/// The last 24 hours of the ledger, a row a source.
pub async fn ledger(app: &App, scope: &Scope) -> Result<Vec<Value>> {
    let sql = "SELECT source, sum(received) AS received, sum(pending) AS pending, sum(parsed) AS parsed, sum(quarantined) AS quarantined, \
               sum(merged) AS merged, sum(events) AS events, sum(unaccounted) AS unaccounted, \
               sum(refused_kernel_drop) AS kernel_drop, sum(refused_pressure) AS pressure, sum(refused_limit) AS over_limit, \
               sum(refused_malformed) AS malformed FROM ledger WHERE minute > now() - INTERVAL '24 hours' GROUP BY source ORDER BY source";
    let reasons = [("kernel_drop", "kernel_drop"), ("pressure", "pressure"), ("over_limit", "limit"), ("malformed", "malformed")];
    let shown = |mut row: Row| {
        let refused: Map<String, Value> = reasons
            .iter()
            .filter_map(|(column, reason)| Some(((*reason).to_owned(), row.remove(*column)?)))
            .filter(|(_, count)| count.as_i64() != Some(0))
            .collect();
        row.insert("refused".into(), refused.into());
        Value::Object(row)
    };
    Ok(ask::rows(app, scope, sql).await?.into_iter().map(shown).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adopt {
    address: String,
    system: String,
    #[serde(default)]
    asset_name: Option<String>,
    reason: String,
}

/// Answers with the number of stored events that move with the sender.
pub async fn adopt(State(app): State<App>, person: Person, Body(adopt): Body<Adopt>) -> Result<Json<Value>> {
    person.need_admin()?;
    let author = Author { actor: &person.user.name, at: app.clock.now(), reason: &adopt.reason };
    let address: std::net::IpAddr =
        adopt.address.parse().map_err(|_| ApiError::bad("invalid", format!("{:?} is no IP address", adopt.address)))?;
    let asset_name = adopt.asset_name.as_deref().filter(|name| !name.trim().is_empty());
    let (moved, since) = orphans(&app, &person.scope, address).await?;
    let since = since.map_or(author.at, |since| since.min(author.at));
    let adoption = Adoption { address, system: &adopt.system, asset_name, expected_source: true, since };
    app.state.adopt_sender(&adoption, &author).await?;
    app.facts.register_changed();
    app.scores_wanted.notify_one();
    audit::record(&app, Line::of(Action::SenderAdopt, &person, format!("{address} to {}", adopt.system))).await;
    Ok(Json(json!({ "moved": moved, "since": rfc3339(since) })))
}

/// Number of stored events of a sender that belong to no system, and when the first of them was ingested.
async fn orphans(app: &App, scope: &Scope, address: std::net::IpAddr) -> Result<(i64, Option<event::Micros>)> {
    let sql = format!(
        "SELECT count(*) AS events, CAST(min(event.ingested) AS BIGINT) AS since FROM events WHERE system.id = {} AND log.source.address = {}",
        ask::literal(UNASSIGNED),
        ask::literal(&address.to_canonical().to_string())
    );
    let rows = ask::rows(app, scope, &sql).await?;
    let number = |key: &str| rows.first().and_then(|row| row.get(key)).and_then(Value::as_i64);
    Ok((number("events").unwrap_or(0), number("since")))
}

fn text(row: &Row, key: &str) -> String {
    row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
