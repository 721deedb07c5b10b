//! Information systems: the matrix, one system whole, and why a line of its score is as it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::{
    Json,
    extract::{Path, State},
};
use comply::{Assessment, Binding, RequirementVerdict, Upcoming, Verdict};
use event::{Micros, Scope};
use serde_json::{Map, Value, json};
use state::register::{Asset, AssetKind, Register, System};

use super::scores;
use crate::{
    App, ask,
    auth::Person,
    error::{ApiError, Result},
    time::rfc3339,
};

/// Nothing heard for so long is silence on this page; the check behind the score learns each source's own rhythm.
const SILENT_HOURS: i64 = 24;

/// What was heard of a system.
#[derive(Clone, Debug, Default)]
pub struct Voice {
    pub events_24h: u64,
    pub last_event: Option<String>,
    /// Expected assets, and those of them that spoke within a day.
    pub expected: usize,
    pub speaking: usize,
}

impl Voice {
    pub fn is_silent(&self) -> bool {
        self.expected > 0 && self.speaking == 0
    }

    fn status(&self) -> &'static str {
        match (self.expected, self.speaking) {
            (0, _) => "unknown",
            (_, 0) => "silent",
            (expected, speaking) if speaking < expected => "partly",
            _ => "speaking",
        }
    }
}

/// What was heard from each sender and host of a day: (system, address or host in lower case) → events, last time.
struct Heard {
    by_system: HashMap<String, (u64, String)>,
    by_name: HashMap<(String, String), (u64, String)>,
}

async fn heard(app: &App, scope: &Scope) -> Result<Heard> {
    let mut heard = Heard { by_system: HashMap::new(), by_name: HashMap::new() };
    let sql = format!(
        "SELECT system.id AS system, log.source.address AS address, host.name AS host, count(*) AS n, max(event.created) AS last FROM events \
         WHERE event.ingested > now() - INTERVAL '{SILENT_HOURS} hours' GROUP BY system.id, log.source.address, host.name"
    );
    for row in ask::rows(app, scope, &sql).await? {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let (system, n, last) = (
            text("system"),
            row.get("n").and_then(Value::as_u64).unwrap_or(0),
            row.get("last").and_then(Value::as_str).unwrap_or_default(),
        );
        let add = |entry: &mut (u64, String)| {
            entry.0 += n;
            if entry.1.as_str() < last {
                entry.1 = last.to_owned();
            }
        };
        add(heard.by_system.entry(system.clone()).or_default());
        for name in [text("address"), text("host")].into_iter().filter(|name| !name.is_empty()) {
            add(heard.by_name.entry((system.clone(), name)).or_default());
        }
    }
    Ok(heard)
}

/// Newest event of systems that said nothing today.
async fn last_words(app: &App, scope: &Scope) -> Result<HashMap<String, String>> {
    let sql = "SELECT system.id AS system, max(event.created) AS last FROM events GROUP BY system.id";
    let text = |row: &ask::Row, key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(ask::rows(app, scope, sql).await?.iter().filter_map(|row| Some((text(row, "system")?, text(row, "last")?))).collect())
}

/// What was heard of every system in the register.
pub async fn voices(app: &App, scope: &Scope, register: &Register, now: Micros) -> Result<BTreeMap<String, Voice>> {
    let (heard, last) = (heard(app, scope).await?, last_words(app, scope).await?);
    let one = |system: &System| {
        let key = system.id.to_lowercase();
        let assets: Vec<&Asset> = register.assets_at(&system.id, now).filter(|asset| asset.expected_source).collect();
        let speaking = assets.iter().filter(|asset| voice_of(&heard, &key, asset).is_some()).count();
        let voice = Voice {
            events_24h: heard.by_system.get(&key).map_or(0, |(n, _)| *n),
            last_event: last.get(&system.id).cloned(),
            expected: assets.len(),
            speaking,
        };
        (system.id.clone(), voice)
    };
    Ok(register.systems_at(now).into_iter().filter(|system| scope.sees(&system.id)).map(one).collect())
}

/// Events and last time of an asset: by its address, its range, or its host name.
fn voice_of(heard: &Heard, system: &str, asset: &Asset) -> Option<(u64, String)> {
    let wanted = asset.value.to_lowercase();
    match asset.kind {
        AssetKind::Address | AssetKind::Host => heard.by_name.get(&(system.to_owned(), wanted)).cloned(),
        AssetKind::Range => {
            let range: ipnet::IpNet = wanted.parse().ok()?;
            let inside = |name: &str| name.parse::<std::net::IpAddr>().is_ok_and(|ip| range.contains(&ip));
            let all = heard.by_name.iter().filter(|((of, name), _)| of == system && inside(name)).map(|(_, voice)| voice);
            all.fold(None, |sum: Option<(u64, String)>, (n, last)| {
                let (count, newest) = sum.unwrap_or_default();
                Some((count + n, newest.max(last.clone())))
            })
        }
    }
}

pub async fn list(State(app): State<App>, person: Person) -> Result<Json<Value>> {
    let register = app.state.register(&person.scope).await?;
    let now = app.clock.now();
    let voices = voices(&app, &person.scope, &register, now).await?;
    let visible = register.systems_at(now).into_iter().filter(|system| person.scope.sees(&system.id));
    Ok(Json(visible.map(|system| row(&app, &register, system, voices.get(&system.id), now)).collect()))
}

fn row(app: &App, register: &Register, system: &System, voice: Option<&Voice>, now: Micros) -> Value {
    let silence = Voice::default();
    let voice = voice.unwrap_or(&silence);
    let unit = system.unit.as_deref().unwrap_or_default();
    let unit_name = register.organisation(unit, now).map_or(unit, |organisation| organisation.name.as_str());
    let assessment = app.scores.of(&system.id);
    let decision = system.decision.number.as_ref().map(|number| {
        json!({ "number": number, "date": system.decision.date.map(|date| date.to_string()), "body": system.decision.body })
    });
    json!({
        "id": system.id,
        "name": system.name,
        "level": system.level,
        "unit": { "id": unit, "name": unit_name },
        "owner": system.owner,
        "operator": system.operator,
        "decision": decision,
        "status": voice.status(),
        "sources": { "expected": voice.expected, "speaking": voice.speaking, "silent": voice.expected - voice.speaking },
        "last_event": voice.last_event,
        "events_24h": voice.events_24h,
        "score": scores::shown(app, &system.id),
        "groups": assessment.as_deref().map(groups).unwrap_or_default(),
        "worst": assessment.as_deref().map(worst).unwrap_or_default(),
        "framework": assessment.as_deref().map_or_else(
            || json!({ "id": "", "name_vi": "", "name_en": "" }),
            |assessment| json!({ "id": assessment.framework, "name_vi": assessment.framework_name, "name_en": assessment.framework_name }),
        ),
    })
}

/// The worst verdict of each group of requirements, over the lines that have an answer.
fn groups(assessment: &Assessment) -> Vec<Value> {
    let mut order: Vec<&str> = Vec::new();
    let mut by_group: BTreeMap<&str, Vec<&RequirementVerdict>> = BTreeMap::new();
    for verdict in &assessment.verdicts {
        let group = verdict.group.en.as_str();
        if !order.contains(&group) {
            order.push(group);
        }
        by_group.entry(group).or_default().push(verdict);
    }
    let one = |group: &&str| {
        let lines = &by_group[group];
        let answered: Vec<Verdict> =
            lines.iter().map(|line| line.verdict.clone()).filter(|verdict| *verdict != Verdict::NotEvaluated).collect();
        let evaluated = answered.len();
        json!({
            "group": group, "group_vi": lines[0].group.vi, "group_en": group,
            "verdict": Verdict::weakest(answered).name(), "evaluated": evaluated, "of": lines.len(),
        })
    };
    order.iter().map(one).collect()
}

fn worst(assessment: &Assessment) -> Vec<Value> {
    let is_bad = |line: &&RequirementVerdict| {
        matches!(line.verdict, Verdict::Breached | Verdict::Blind | Verdict::Expired | Verdict::Partly(_))
    };
    let bad = assessment.verdicts.iter().filter(is_bad).take(5);
    bad.map(|line| json!({ "requirement": line.key, "clause": line.clause, "title_vi": line.title.vi, "title_en": line.title.en, "verdict": line.verdict.name() })).collect()
}

pub async fn show(State(app): State<App>, person: Person, Path(id): Path<String>) -> Result<Json<Value>> {
    let register = app.state.register(&person.scope).await?;
    let now = app.clock.now();
    let system = register.system(&id, now).filter(|_| person.scope.sees(&id)).ok_or_else(|| ApiError::not_found("system"))?;
    let voices = voices(&app, &person.scope, &register, now).await?;
    let heard = heard(&app, &person.scope).await?;
    let assessment = app.scores.of(&id);
    let key = id.to_lowercase();
    let assets: Vec<Value> = register
        .assets_at(&id, now)
        .map(|asset| {
            let voice = voice_of(&heard, &key, asset);
            let status = match (asset.expected_source, &voice) {
                (_, Some(_)) => "speaking",
                (true, None) => "silent",
                (false, None) => "not_expected",
            };
            json!({
                "id": asset.id.to_string(), "name": asset.name, "kind": asset.kind.name(), "addresses": [asset.value],
                "expected": asset.expected_source, "status": status,
                "last_event": voice.as_ref().map(|(_, last)| last.clone()), "events_24h": voice.map_or(0, |(n, _)| n),
            })
        })
        .collect();
    let mut page = row(&app, &register, system, voices.get(&id), now);
    page["assets"] = assets.into();
    let lines =
        |assessment: &Assessment| assessment.verdicts.iter().map(|line| requirement_row(assessment, line)).collect::<Vec<_>>();
    page["requirements"] = assessment.as_deref().map(lines).unwrap_or_default().into();
    page["history"] = scores::history(&app, &person.scope, &id).await?.into();
    page["retention"] = retention(assessment.as_deref());
    let notes = assessment.iter().flat_map(|assessment| &assessment.notes);
    page["notes"] = notes.map(|note| json!({ "at": rfc3339(note.at), "vi": note.vi, "en": note.en })).collect();
    let next = assessment.as_deref().and_then(|assessment| Some((assessment, assessment.upcoming.as_ref()?)));
    page["upcoming"] = next.map(|(assessment, next)| gap(assessment, next)).unwrap_or_default();
    Ok(Json(page))
}

fn requirement_row(assessment: &Assessment, line: &RequirementVerdict) -> Value {
    let check = line.checks.first().and_then(|id| assessment.check(id));
    let share = match &line.verdict {
        Verdict::Partly(share) => Some(scores::percent(share.basis_points())),
        _ => None,
    };
    let enough_on = match &line.verdict {
        Verdict::Accumulating { enough_on } => Some(enough_on.to_string()),
        _ => None,
    };
    let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "key": line.key, "clause": line.clause,
        "title_vi": line.title.vi, "title_en": line.title.en,
        "group": line.group.en, "group_vi": line.group.vi, "group_en": line.group.en,
        "binding": line.binding, "due": line.due.map(|due| due.to_string()),
        "verdict": line.verdict.name(), "kind": line.kind, "share": share, "weight": line.weight,
        "value": present(&line.value_vi), "value_en": present(&line.value_en),
        "threshold": present(&line.threshold_vi).or_else(|| line.asks.clone()), "threshold_en": present(&line.threshold_en),
        "reason_vi": line.reason_vi, "reason_en": line.reason_en,
        "check": line.checks.first(), "checks": line.checks, "sql": check.map(|check| check.sql.clone()),
        "evaluated_at": rfc3339(assessment.at), "enough_on": enough_on,
    })
}

/// What lies between a system and the framework that will bind it: how its lines would stand today, and those that telemetry
/// already answers with less than met.
fn gap(assessment: &Assessment, next: &Upcoming) -> Value {
    let owed: Vec<_> = next.verdicts.iter().filter(|line| line.binding == Binding::Mandatory).collect();
    let evaluated: Vec<_> = owed.iter().filter(|line| line.measured != Verdict::NotEvaluated).collect();
    let open = evaluated.iter().filter(|line| line.measured != Verdict::Met);
    let lines: Vec<Value> = open
        .map(|line| {
            json!({
                "key": line.key, "clause": line.clause, "title_vi": line.title.vi, "title_en": line.title.en,
                "verdict": line.measured.name(), "reason_vi": line.reason_vi, "reason_en": line.reason_en,
                "checks": line.checks, "sql": line.checks.first().and_then(|id| assessment.check(id)).map(|check| check.sql.clone()),
            })
        })
        .collect();
    json!({
        "framework": next.framework, "name": next.name, "due": next.due.to_string(), "days_left": next.days_left,
        "of": owed.len(), "evaluated": evaluated.len(), "met": evaluated.len() - lines.len(), "lines": lines,
    })
}

/// The span of received time, as the retention check measured it.
fn retention(assessment: Option<&Assessment>) -> Value {
    let check = assessment.and_then(|assessment| assessment.check("log_retention_span"));
    let number = |key: &str| check.and_then(|check| check.numbers.get(key).copied());
    let day = |key: &str| number(key).map(|day| rfc3339(day * 86_400_000_000));
    let gaps = match (day("gap_from_day"), day("gap_to_day")) {
        (Some(from), Some(to)) => json!([{ "from": from, "to": to }]),
        _ => json!([]),
    };
    json!({ "days": number("continuous_days").unwrap_or(0), "minimum_days": number("required_days"), "since": day("since_day"), "gaps": gaps })
}

pub async fn requirement(State(app): State<App>, person: Person, Path((id, key)): Path<(String, String)>) -> Result<Json<Value>> {
    if !person.scope.sees(&id) {
        return Err(ApiError::not_found("system"));
    }
    let assessment = app.scores.of(&id).ok_or_else(|| ApiError::not_found("assessment"))?;
    let line = assessment.requirement(&key).ok_or_else(|| ApiError::not_found("requirement"))?;
    let mut page = requirement_row(&assessment, line);
    let check = line.checks.first().and_then(|id| assessment.check(id));
    let rows: Vec<Map<String, Value>> = check.map(|check| check.rows.clone()).unwrap_or_default();
    let names: BTreeSet<&String> = rows.iter().flat_map(Map::keys).collect();
    let columns: Vec<Value> = names.iter().map(|name| json!({ "name": name, "type": "keyword" })).collect();
    page["rows"] =
        json!({ "columns": columns, "rows": rows, "truncated": check.is_some_and(|check| check.rows_total > check.rows.len()) });
    page["numbers"] = json!(check.map(|check| &check.numbers));
    page["evidence"] = json!([]);
    Ok(Json(page))
}

/// Silent systems of level 2 and above, for the wall board.
pub fn attention(systems: &[&System], voices: &BTreeMap<String, Voice>) -> Vec<Value> {
    let silent = systems.iter().filter(|system| system.level >= 2 && voices.get(&system.id).is_some_and(Voice::is_silent));
    silent
        .map(|system| {
            json!({
                "kind": "silent_system",
                "severity": if system.level >= 3 { "high" } else { "medium" },
                "text_vi": format!("{} (cấp độ {}) im lặng quá 24 giờ", system.name, system.level),
                "text_en": format!("{} (level {}) has been silent for over 24 hours", system.name, system.level),
                "link": format!("/systems/{}", system.id),
                "at": voices.get(&system.id).and_then(|voice| voice.last_event.clone()),
            })
        })
        .collect()
}
