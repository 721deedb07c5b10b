//! Importing the register of systems, assets and organisations from CSV, with line-exact errors; a dry run changes nothing.

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::{Value, json};
use state::register::{Author, ImportKind};

use super::Body;
use crate::{
    App,
    audit::{self, Action, Line},
    auth::Person,
    error::{ApiError, Result},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    kind: String,
    csv: String,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    reason: Option<String>,
}

pub async fn import(State(app): State<App>, person: Person, Body(import): Body<Import>) -> Result<Json<Value>> {
    person.need_admin()?;
    let kind = ImportKind::by_name(&import.kind)
        .ok_or_else(|| ApiError::bad("invalid", format!("kind {:?} is none of systems, assets, organisations", import.kind)))?;
    let reason = import.reason.unwrap_or_else(|| "CSV".into());
    let author = Author { actor: &person.user.name, at: app.clock.now(), reason: &reason };
    let report = app.state.register_import(kind, import.csv.as_bytes(), &author, import.dry_run).await?;
    if !import.dry_run {
        app.facts.register_changed();
        app.scores_wanted.notify_one();
        let what = format!(
            "{}: {} lines accepted, {} entries changed, {} refused",
            import.kind,
            report.accepted,
            report.changed,
            report.errors.len()
        );
        audit::record(&app, Line::of(Action::RegisterImport, &person, what)).await;
    }
    let is_vi = person.user.language == "vi";
    let errors: Vec<Value> = report
        .errors
        .iter()
        .map(|error| {
            let column = (error.column > 0).then(|| error.column.to_string());
            json!({ "line": error.line, "column": column, "message": if is_vi { &error.vi } else { &error.en } })
        })
        .collect();
    Ok(Json(json!({ "accepted": report.accepted, "changed": report.changed, "errors": errors })))
}
