//! Scores in memory: computed in the background, read by pages. A page never waits for a check.
//!
//! Today's value is provisional ("tạm tính"); after the late window the day is closed and sealed in `state`.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::{Days, NaiveDate};
use comply::{Assessment, Score, SealedInputs, Verdict};
use event::{Micros, Scope};
use serde_json::{Value, json};
use state::register::{System, local_day, midnight};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::App;

/// Late events of a day may still come in for so long after its end.
const LATE_WINDOW: Micros = 2 * 3_600_000_000;

/// Days that are closed behind time at most, for example after a long stop.
const CLOSE_BACK_DAYS: u64 = 14;

/// The latest assessment of each system.
#[derive(Default)]
pub struct Cache {
    latest: RwLock<HashMap<String, Arc<Assessment>>>,
}

impl Cache {
    pub fn of(&self, system: &str) -> Option<Arc<Assessment>> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).get(system).cloned()
    }

    fn replace(&self, assessments: Vec<Assessment>) {
        let fresh = assessments.into_iter().map(|assessment| (assessment.system.clone(), Arc::new(assessment))).collect();
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}

/// Computes scores now and then, and closes days.
pub async fn run(app: App, every: Duration, stop: CancellationToken) {
    loop {
        refresh(&app).await;
        close_days(&app, &stop).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.scores_wanted.notified() => {}
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// Evaluates every system as of now.
pub async fn refresh(app: &App) {
    match comply::evaluate_all(&app.catalogue, app.engine.as_ref(), &app.state, app.clock.now()).await {
        Ok(assessments) => app.scores.replace(assessments),
        Err(error) => error!(error = %crate::error::chain(&error), "failed to evaluate the systems"),
    }
}

/// Closes the days whose late window is over and that are not sealed yet, oldest first.
async fn close_days(app: &App, stop: &CancellationToken) {
    let scope = Scope::internal("scores");
    let last = local_day(app.clock.now() - LATE_WINDOW) - Days::new(1);
    for back in (0..CLOSE_BACK_DAYS).rev() {
        let day = last - Days::new(back);
        if stop.is_cancelled() || is_closed(app, &scope, day).await {
            continue;
        }
        match comply::close_day(&app.catalogue, app.engine.as_ref(), &app.state, day, app.clock.now()).await {
            Ok(sealed) if sealed.is_empty() => {}
            Ok(sealed) => info!(%day, systems = sealed.len(), "closed a day"),
            Err(error) => {
                error!(%day, error = %crate::error::chain(&error), "failed to close a day");
                return;
            }
        }
    }
}

/// A day is closed when any system in force on it has a sealed value: all are sealed together.
async fn is_closed(app: &App, scope: &Scope, day: NaiveDate) -> bool {
    let Ok(register) = app.state.register(scope).await else { return true };
    let systems = register.systems_at(midnight(day + Days::new(1)));
    let Some(first) = systems.first() else { return true };
    app.state.sealed_days(scope, &first.id, day, day).await.map_or(true, |sealed| !sealed.is_empty())
}

/// Basis points as a percentage with one decimal, rounded down: 99.96 is not 100.
pub fn percent(basis_points: u64) -> f64 {
    (basis_points / 10) as f64 / 10.0
}

/// One of the two numbers, or why there is none.
pub fn number(score: &Score, what_vi: &str, what_en: &str) -> Value {
    match score.value {
        Some(value) => json!({ "value": percent(value) }),
        None => json!({
            "value": null,
            "reason_vi": format!("Mới {what_vi} {} trên {} trọng số", score.weight_evaluated, score.weight_due),
            "reason_en": format!("Only {} of {} weight {what_en}", score.weight_evaluated, score.weight_due),
        }),
    }
}

/// The score of a system as pages show it; without an assessment yet there is none.
pub fn shown(app: &App, system: &str) -> Value {
    let Some(assessment) = app.scores.of(system) else {
        let none = json!({ "value": null, "reason_vi": "Đang tính", "reason_en": "Being computed" });
        return json!({ "measured": none, "attested": none, "evaluated": 0, "of": 0, "provisional": true });
    };
    let scores = &assessment.scores;
    json!({
        "measured": number(&scores.measured, "đo được", "measured"),
        "attested": number(&scores.attested, "có văn bản cho", "attested"),
        "evaluated": scores.evaluated,
        "of": scores.of,
        "provisional": true,
        "at": crate::time::rfc3339(assessment.at),
    })
}

/// The closed days of a system, oldest first, and today's provisional value last.
pub async fn history(app: &App, scope: &Scope, system: &str) -> crate::error::Result<Vec<Value>> {
    let today = local_day(app.clock.now());
    let mut history = Vec::new();
    for day in app.state.sealed_days(scope, system, today - Days::new(365), today).await? {
        if let Ok(inputs) = SealedInputs::from_json(&day.inputs) {
            history.push(json!({
                "date": day.day.to_string(),
                "measured": inputs.scores.measured.value.map(percent),
                "attested": inputs.scores.attested.value.map(percent),
            }));
        }
    }
    if let Some(assessment) = app.scores.of(system) {
        let scores = &assessment.scores;
        history.push(json!({
            "date": today.to_string(), "measured": scores.measured.value.map(percent), "attested": scores.attested.value.map(percent), "provisional": true,
        }));
    }
    Ok(history)
}

/// The province in one line: means over the systems that have a number.
pub struct Province {
    pub scored: usize,
    pub shown: Value,
}

pub fn province(app: &App, systems: &[&str]) -> Province {
    let assessments: Vec<_> = systems.iter().filter_map(|id| app.scores.of(id)).collect();
    let mean = |pick: fn(&Assessment) -> Option<u64>| {
        let values: Vec<u64> = assessments.iter().filter_map(|assessment| pick(assessment)).collect();
        match values.len() as u64 {
            0 => {
                json!({ "value": null, "reason_vi": "Chưa hệ thống nào đủ căn cứ", "reason_en": "No system has enough grounds yet" })
            }
            count => json!({ "value": percent(values.iter().sum::<u64>() / count) }),
        }
    };
    let scored = assessments.iter().filter(|assessment| assessment.scores.measured.value.is_some()).count();
    let shown = json!({
        "measured": mean(|assessment| assessment.scores.measured.value),
        "attested": mean(|assessment| assessment.scores.attested.value),
        "provisional": true,
        "evaluated": assessments.iter().map(|assessment| assessment.scores.evaluated).sum::<usize>(),
        "of": assessments.iter().map(|assessment| assessment.scores.of).sum::<usize>(),
    });
    Province { scored, shown }
}

/// Breaches that the wall board names: systems of level 3 and above whose retention or clocks are not in order.
pub fn attention(app: &App, systems: &[&System]) -> Vec<Value> {
    let mut lines = Vec::new();
    for system in systems.iter().filter(|system| system.level >= 3) {
        let Some(assessment) = app.scores.of(&system.id) else { continue };
        for check in &assessment.checks {
            let severity = match (check.verdict.clone(), check.id.as_str()) {
                (Verdict::Breached, "log_retention_span") => "high",
                (Verdict::Breached | Verdict::Partly(_), "clock_drift" | "log_retention_span") => "medium",
                _ => continue,
            };
            lines.push(json!({
                "kind": if check.id == "clock_drift" { "clock" } else { "retention" },
                "severity": severity,
                "text_vi": format!("{} (cấp độ {}): {}", system.name, system.level, check.reason_vi),
                "text_en": format!("{} (level {}): {}", system.name, system.level, check.reason_en),
                "link": format!("/systems/{}", system.id),
            }));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_percentage_never_rounds_up_to_the_whole() {
        assert_eq!(super::percent(9_999), 99.9);
        assert_eq!(super::percent(10_000), 100.0);
        assert_eq!(super::percent(5_055), 50.5);
    }
}
