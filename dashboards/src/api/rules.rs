//! The rules in force: what each looks for, how often it matched, and whether it can see; and the files that were refused.

use std::collections::HashSet;

use axum::{Json, extract::State};
use detect::Rule;
use event::Scope;
use serde_json::{Value, json};

use crate::{App, ask, auth::Person, error::Result, time::rfc3339};

pub async fn list(State(app): State<App>, _person: Person) -> Result<Json<Value>> {
    let book = app.facts.rules();
    let health = app.state.rule_health().await?;
    let seen = datasets_seen(&app).await?;
    let rules: Vec<Value> = book
        .set
        .rules()
        .iter()
        .map(|rule| {
            let of_rule = health.get(&rule.id);
            let mut shown = card(rule);
            shown["status"] = json!(rule.status.name());
            shown["logsource"] = json!({
                "category": rule.logsource.category, "product": rule.logsource.product, "service": rule.logsource.service,
            });
            shown["path"] = json!(rule.path);
            shown["matches"] = json!(of_rule.map_or(0, |health| health.matches));
            shown["last_match"] = json!(of_rule.map(|health| rfc3339(health.last_match)));
            shown["blind"] = json!(blind(rule, &seen));
            shown
        })
        .collect();
    let rejected: Vec<Value> = book
        .rejected
        .iter()
        .map(|rejected| {
            let line = (rejected.line > 0).then_some(rejected.line);
            let rule = (!rejected.rule.is_empty()).then_some(&rejected.rule);
            json!({ "file": rejected.file, "line": line, "rule": rule, "reason": rejected.reason })
        })
        .collect();
    Ok(Json(json!({ "rules": rules, "rejected": rejected })))
}

/// Datasets that any event of the last 30 days has: from the catalogue, without reading events.
async fn datasets_seen(app: &App) -> Result<HashSet<String>> {
    let scope = Scope::internal("rules");
    let rows =
        ask::rows(app, &scope, "SELECT DISTINCT event.dataset FROM events WHERE event.ingested > now() - INTERVAL '30 days'")
            .await?;
    Ok(rows.into_iter().filter_map(|mut row| row.remove("event.dataset")?.as_str().map(str::to_owned)).collect())
}

/// What a rule needs and nothing delivers; `null` when it can see.
fn blind(rule: &Rule, seen: &HashSet<String>) -> Option<Vec<String>> {
    if !rule.needs.is_log_source_known {
        return Some(vec!["log source".into()]);
    }
    if rule.needs.datasets.is_empty() || rule.needs.datasets.iter().any(|wanted| seen.iter().any(|seen| is_of(wanted, seen))) {
        return None;
    }
    Some(rule.needs.datasets.clone())
}

/// `windows.*` stands for every dataset of the family.
fn is_of(wanted: &str, seen: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(family) => seen.starts_with(family),
        None => wanted == seen,
    }
}

fn card(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "title_vi": rule.title_vi.as_ref().unwrap_or(&rule.title),
        "title_en": rule.title,
        "level": rule.level.name(),
        "author": rule.author,
        "tags": rule.tags,
        "description_vi": rule.description_vi.as_ref().unwrap_or(&rule.description),
        "description_en": rule.description,
        "falsepositives": rule.falsepositives,
        "references": rule.references,
        "response_vi": rule.response_vi,
        "response_en": rule.response,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_family_of_datasets_is_named_by_a_star() {
        assert!(super::is_of("windows.*", "windows.security"));
        assert!(super::is_of("sshd.auth", "sshd.auth"));
        assert!(!super::is_of("sshd.auth", "sshd.auth2"));
    }
}
