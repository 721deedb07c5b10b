//! Rule storms: a rule that makes more than so many different alerts within an hour is one alert a system from then on, with
//! the exact count. Nothing is dropped unseen, and the database is not flooded by whoever floods the logs.

use std::collections::{HashMap, HashSet};

use event::Micros;
use state::{incidents::Entity, matches::AlertUpsert};

use crate::{group::alert_id, settings::HOUR};

/// Different alerts of one rule within an hour; what comes beyond joins the storm alert.
pub const ALERTS_MAX: usize = 200;

/// Counts the running hour. In memory: after a restart the count begins anew.
#[derive(Debug, Default)]
pub struct Storms {
    hour: Micros,
    seen: HashMap<String, HashSet<String>>,
}

impl Storms {
    /// Passes alerts on as they are while their rule is calm, merged by system where it storms.
    pub fn calm(&mut self, alerts: Vec<AlertUpsert>, samples_max: u32, now: Micros) -> Vec<AlertUpsert> {
        let hour = now.div_euclid(HOUR) * HOUR;
        if hour != self.hour {
            *self = Self { hour, seen: HashMap::new() };
        }
        let mut passed: Vec<AlertUpsert> = Vec::with_capacity(alerts.len().min(1_024));
        let mut places: HashMap<String, usize> = HashMap::new();
        for alert in alerts {
            let seen = self.seen.entry(alert.rule_id.clone()).or_default();
            if seen.contains(&alert.id) || seen.len() < ALERTS_MAX {
                seen.insert(alert.id.clone());
                passed.push(alert);
                continue;
            }
            let alert = as_storm(alert, hour);
            match places.get(&alert.id) {
                Some(&place) => merge(&mut passed[place], alert, samples_max),
                None => {
                    places.insert(alert.id.clone(), passed.len());
                    passed.push(alert);
                }
            }
        }
        passed
    }
}

/// The storm alert that an alert of a storming rule becomes part of.
fn as_storm(mut alert: AlertUpsert, hour: Micros) -> AlertUpsert {
    alert.group = vec![("rule.id".into(), alert.rule_id.clone())];
    alert.id = alert_id(&format!("storm:{}", alert.rule_id), &alert.system, &alert.group, hour);
    alert.entity = Entity { kind: "rule.id".into(), value: alert.rule_id.clone() };
    alert.family = format!("storm:{}", alert.rule_id);
    alert.title_vi = format!("Bão cảnh báo: {}", alert.title_vi);
    alert.title_en = format!("Rule storm: {}", alert.title_en);
    alert
}

fn merge(into: &mut AlertUpsert, alert: AlertUpsert, samples_max: u32) {
    into.count += alert.count;
    into.first_seen = into.first_seen.min(alert.first_seen);
    into.last_seen = into.last_seen.max(alert.last_seen);
    into.is_fresh |= alert.is_fresh;
    if alert.pages_as > into.pages_as {
        into.pages_as = alert.pages_as;
        into.decision = alert.decision;
    }
    if alert.severity > into.severity {
        into.severity = alert.severity;
        into.steps = alert.steps;
    }
    let room = (samples_max as usize).saturating_sub(into.samples.len());
    into.samples.extend(alert.samples.into_iter().take(room));
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::severity::Severity;

    fn alert(n: usize) -> AlertUpsert {
        AlertUpsert {
            id: format!("a{n}"),
            rule_id: "r".into(),
            rule: "{}".into(),
            title_vi: "Luật".into(),
            title_en: "Rule".into(),
            rule_level: Severity::High,
            severity: Severity::High,
            steps: serde_json::json!([]),
            pages_as: None,
            decision: String::new(),
            is_fresh: true,
            system: "dvc".into(),
            system_level: Some(3),
            entity: Entity { kind: "source.ip".into(), value: n.to_string() },
            family: "f".into(),
            group: vec![("source.ip".into(), n.to_string())],
            window_start: 0,
            window_end: 1,
            first_seen: n as Micros,
            last_seen: n as Micros,
            count: 2,
            samples: Vec::new(),
        }
    }

    #[test]
    fn beyond_the_cap_there_is_one_alert_with_the_exact_count() {
        let mut storms = Storms::default();
        let passed = storms.calm((0..ALERTS_MAX + 50).map(alert).collect(), 5, HOUR);
        assert_eq!(passed.len(), ALERTS_MAX + 1);
        let storm = &passed[ALERTS_MAX];
        assert_eq!((storm.count, storm.entity.kind.as_str()), (100, "rule.id"));
        assert_eq!((storm.first_seen, storm.last_seen), (ALERTS_MAX as Micros, ALERTS_MAX as Micros + 49));
        // A known alert goes on by itself, a new one joins the same storm alert, and the next hour is calm again.
        let again = storms.calm(vec![alert(0), alert(9_999)], 5, HOUR + 1);
        assert_eq!((again[0].id.as_str(), again[1].id == storm.id), ("a0", true));
        assert_eq!(storms.calm(vec![alert(9_999)], 5, 2 * HOUR)[0].id, "a9999");
    }
}
