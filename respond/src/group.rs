//! From matches to alerts: which matches are one alert, and which incident it looks for. Pure.
//!
//! An alert is (rule, system, group values, window of event time); its id is a hash of these, so any node and any replay gives
//! the same one. The entity and family are what an incident joins by.

use std::collections::BTreeMap;

use event::Micros;
use state::{
    alerts::{AlertEvent, Evidence},
    incidents::Entity,
    matches::AlertUpsert,
};

use crate::{
    found::{ENTITY_FIELDS, EventSummary, Found, RuleCard, cut},
    policy::{Judged, judge},
    settings::{HOUR, Settings},
};

/// Groups the matches of one block into alerts, in the order in which they first appear.
pub fn group<'a>(found: impl IntoIterator<Item = &'a Found>, settings: &Settings) -> Vec<AlertUpsert> {
    let mut alerts: Vec<AlertUpsert> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for one in found {
        let judged = judge(one, &settings.paging);
        let window = Micros::from(settings.window_hours.max(1)) * HOUR;
        let start = one.event.timestamp.div_euclid(window) * window;
        let group = group_values(&one.rule, &one.event);
        let id = alert_id(&one.rule.id, &one.event.system, &group, start);
        match places.get(&id) {
            Some(&place) => add(&mut alerts[place], one, &judged, settings.samples_max),
            None => {
                places.insert(id.clone(), alerts.len());
                alerts.push(begin(id, one, &judged, group, (start, start + window)));
            }
        }
    }
    alerts
}

/// Counts matches by rule: id, how many, event time of the newest.
pub fn counts<'a>(found: impl IntoIterator<Item = &'a Found>) -> Vec<(String, u64, Micros)> {
    let mut counts: BTreeMap<&str, (u64, Micros)> = BTreeMap::new();
    for one in found {
        let (count, last) = counts.entry(&one.rule.id).or_default();
        *count += 1;
        *last = (*last).max(one.event.timestamp);
    }
    counts.into_iter().map(|(rule, (count, last))| (rule.to_owned(), count, last)).collect()
}

/// The identity of an alert: stable across restarts and nodes.
pub fn alert_id(rule: &str, system: &str, group: &[(String, String)], window_start: Micros) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("chieng respond 2026-11 alert id");
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    part(rule);
    part(system);
    for (field, value) in group {
        part(field);
        part(value);
    }
    hasher.update(&window_start.to_le_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The first field of the rule's grouping that has a value, else the best entity field, else the system itself.
pub fn entity(rule: &RuleCard, event: &EventSummary) -> Entity {
    let fields = rule.group_by.iter().map(String::as_str).chain(ENTITY_FIELDS);
    for field in fields {
        if let Some(value) = event.value(field) {
            return Entity { kind: field.to_owned(), value: normalise(field, value) };
        }
    }
    Entity { kind: "system.id".into(), value: event.system.clone() }
}

/// The ATT&CK tactic of a rule, else its log source: what kind of thing is going on.
pub fn family(rule: &RuleCard) -> String {
    let tactic = rule.tags.iter().filter_map(|tag| tag.strip_prefix("attack.")).find(|name| is_tactic(name));
    match tactic {
        Some(name) => name.replace('_', "-"),
        None => rule.logsource.clone(),
    }
}

/// Techniques, software and groups are a letter and digits; tactics are words.
fn is_tactic(name: &str) -> bool {
    !name.bytes().any(|byte| byte.is_ascii_digit())
}

fn group_values(rule: &RuleCard, event: &EventSummary) -> Vec<(String, String)> {
    if rule.group_by.is_empty() {
        let Entity { kind, value } = entity(rule, event);
        return vec![(kind, value)];
    }
    let value = |field: &String| normalise(field, event.value(field).unwrap_or(""));
    rule.group_by.iter().map(|field| (field.clone(), value(field))).collect()
}

/// Host names have no case and no final dot.
fn normalise(field: &str, value: &str) -> String {
    if field.starts_with("host.") { value.trim_end_matches('.').to_lowercase() } else { value.to_owned() }
}

fn begin(id: String, one: &Found, judged: &Judged, group: Vec<(String, String)>, window: (Micros, Micros)) -> AlertUpsert {
    let rule = &one.rule;
    let title_vi = if rule.title_vi.is_empty() { &rule.title } else { &rule.title_vi };
    AlertUpsert {
        id,
        rule_id: rule.id.clone(),
        rule: rule.json(),
        title_vi: title_vi.clone(),
        title_en: rule.title.clone(),
        rule_level: rule.level,
        severity: judged.severity,
        steps: serde_json::to_value(&judged.steps).unwrap_or_default(),
        pages_as: judged.pages_as(),
        decision: judged.reason.code().to_owned(),
        is_fresh: !judged.is_late,
        system: one.event.system.clone(),
        system_level: one.event.system_level,
        entity: entity(rule, &one.event),
        family: family(rule),
        group,
        window_start: window.0,
        window_end: window.1,
        first_seen: one.event.timestamp,
        last_seen: one.event.timestamp,
        count: 1,
        samples: vec![sample(one)],
    }
}

fn add(alert: &mut AlertUpsert, one: &Found, judged: &Judged, samples_max: u32) {
    if judged.pages_as() > alert.pages_as {
        alert.pages_as = judged.pages_as();
        alert.decision = judged.reason.code().to_owned();
    }
    if judged.severity > alert.severity {
        alert.severity = judged.severity;
        alert.steps = serde_json::to_value(&judged.steps).unwrap_or_default();
    }
    alert.is_fresh |= !judged.is_late;
    alert.system_level = alert.system_level.max(one.event.system_level);
    alert.first_seen = alert.first_seen.min(one.event.timestamp);
    alert.last_seen = alert.last_seen.max(one.event.timestamp);
    alert.count += 1;
    if alert.samples.len() < samples_max as usize {
        alert.samples.push(sample(one));
    }
}

fn sample(one: &Found) -> AlertEvent {
    let cut_evidence = |evidence: &Evidence| Evidence { value: cut(&evidence.value), ..evidence.clone() };
    AlertEvent {
        id: one.event.id.clone(),
        timestamp: one.event.timestamp,
        summary: cut(&one.event.summary),
        evidence: one.evidence.iter().map(cut_evidence).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::settings::DAY;

    fn rule(tags: &[&str], group_by: &[&str]) -> RuleCard {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        RuleCard {
            id: "r1".into(),
            tags: texts(tags),
            group_by: texts(group_by),
            logsource: "web//nginx".into(),
            ..RuleCard::default()
        }
    }

    fn event(timestamp: Micros, values: &[(&str, &str)]) -> EventSummary {
        let values = values.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect();
        EventSummary { id: format!("n-1-{timestamp}"), timestamp, system: "s".into(), values, ..EventSummary::default() }
    }

    #[test]
    fn equal_group_and_window_are_one_alert() {
        let rule = Arc::new(rule(&[], &["source.ip", "url.path"]));
        let found = |timestamp, ip| Found {
            rule: rule.clone(),
            event: event(timestamp, &[("source.ip", ip), ("url.path", "/admin")]),
            evidence: vec![],
        };
        let block = [found(5, "192.0.2.1"), found(3, "192.0.2.1"), found(5, "192.0.2.2"), found(DAY + 1, "192.0.2.1")];
        let alerts = group(&block, &Settings::default());
        assert_eq!(alerts.iter().map(|alert| alert.count).collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!((alerts[0].first_seen, alerts[0].last_seen), (3, 5));
        assert_eq!(alerts[2].window_start, DAY);
        assert_eq!(alerts, group(&block, &Settings::default()), "grouping is a function of the block");
    }

    #[test]
    fn samples_are_capped_and_the_count_is_not() {
        let rule = Arc::new(rule(&[], &[]));
        let found =
            |timestamp| Found { rule: rule.clone(), event: event(timestamp, &[("host.name", "WEB-1.")]), evidence: vec![] };
        let block: Vec<Found> = (0..100).map(found).collect();
        let alerts = group(&block, &Settings::default());
        assert_eq!((alerts.len(), alerts[0].count, alerts[0].samples.len()), (1, 100, 20));
        assert_eq!(alerts[0].entity, Entity { kind: "host.name".into(), value: "web-1".into() });
    }

    #[test]
    fn parts_of_the_identity_cannot_run_into_each_other() {
        let pair = |field: &str, value: &str| (field.to_owned(), value.to_owned());
        assert_ne!(alert_id("r", "s", &[pair("ab", "c")], 0), alert_id("r", "s", &[pair("a", "bc")], 0));
        assert_ne!(alert_id("r", "s", &[], 0), alert_id("r", "s", &[], 1));
        assert_ne!(alert_id("r", "s", &[], 0), alert_id("r", "t", &[], 0));
    }

    #[test]
    fn a_tactic_is_the_family() {
        assert_eq!(family(&rule(&["attack.t1110.001", "attack.credential_access"], &[])), "credential-access");
        assert_eq!(family(&rule(&["attack.credential-access"], &[])), "credential-access");
        assert_eq!(family(&rule(&["attack.t1110", "cve.2024-1"], &[])), "web//nginx");
    }

    #[test]
    fn the_entity_follows_the_rule_then_the_event() {
        let at = event(0, &[("source.ip", "192.0.2.1"), ("user.name", "lan")]);
        assert_eq!(entity(&rule(&[], &["user.name"]), &at).value, "lan");
        assert_eq!(entity(&rule(&[], &[]), &at).value, "192.0.2.1");
        assert_eq!(entity(&rule(&[], &["x"]), &event(0, &[])), Entity { kind: "system.id".into(), value: "s".into() });
    }
}
