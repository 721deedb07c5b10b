//! From one check and one system to a finding: fills the SQL, sorts the rows, hands counts to the measure.

use std::{collections::BTreeMap, net::IpAddr};

use chrono::Months;
use event::Micros;
use state::register::{Asset, Register};

use crate::{
    Check,
    check::{MeasureKind, Threshold},
    measure::{
        Finding, LOOK_BACK_DAYS, Sealed, classes, coverage, drift,
        emitters::{self, ByOwner, Dossier, Seen},
        endpoints, span,
    },
    rows::Rows,
    sql::{Parameter, Parameters},
};

pub(crate) const DAY: Micros = 86_400 * 1_000_000;

/// Whole days since 1970, UTC.
pub(crate) fn day_of(at: Micros) -> i64 {
    at.div_euclid(DAY)
}

/// Parameters of a check's SQL for these systems.
pub(crate) fn parameters(check: &Check, systems: &[String], at: Micros) -> Parameters {
    let window = check.window_days.unwrap_or(LOOK_BACK_DAYS);
    // Whole days: the first day of the window is asked for from its midnight on.
    let from = (day_of(at) - window) * DAY;
    let age = check.parameters.get("age_days").copied().unwrap_or(window);
    let fresh_day = chrono::DateTime::from_timestamp_micros(at - age * DAY).unwrap_or_default().date_naive().to_string();
    [
        ("systems", Parameter::Texts(systems.to_vec())),
        ("at", Parameter::Time(at)),
        ("from", Parameter::Time(from)),
        ("last_day", Parameter::Time(at - DAY)),
        ("window_days", Parameter::Integer(window)),
        ("fresh_from", Parameter::Time(at - age * DAY)),
        // For dates kept as text.
        ("fresh_day", Parameter::Text(fresh_day)),
    ]
    .into()
}

/// Who asks, when, and what is known beforehand.
pub(crate) struct Asked<'a> {
    pub check: &'a Check,
    pub threshold: &'a Threshold,
    pub register: &'a Register,
    pub system: &'a str,
    pub sealed: &'a Sealed,
    pub at: Micros,
}

pub(crate) fn find(asked: &Asked<'_>, rows: &Rows) -> Finding {
    match asked.check.measure {
        MeasureKind::Coverage => coverage::judge(&coverage_input(asked, rows)),
        MeasureKind::Span => span::judge(&span_input(asked, rows)),
        MeasureKind::Drift => drift::judge(&drift_input(asked, rows)),
        MeasureKind::Classes => classes::judge(&classes_input(asked, rows)),
        MeasureKind::Endpoints => endpoints::judge(&endpoints_input(asked, rows)),
    }
}

impl Asked<'_> {
    fn assets(&self) -> Vec<&Asset> {
        self.register.assets_between(self.system, self.at - LOOK_BACK_DAYS * DAY, self.at).collect()
    }

    fn dossier(&self, owes: impl Fn(&Asset) -> bool) -> Dossier {
        Dossier::new(self.assets().into_iter(), self.at - LOOK_BACK_DAYS * DAY, self.at, owes)
    }

    fn parameter(&self, name: &str, default: i64) -> i64 {
        self.check.parameters.get(name).copied().unwrap_or(default)
    }
}

fn seen(rows: &Rows, row: usize) -> Seen {
    Seen {
        sender: rows.text("sender", row).and_then(|sender| sender.parse::<IpAddr>().ok()),
        host: rows.text("host", row).map(str::to_owned),
        relayed: rows.text("found_by", row) == Some("relay_host"),
    }
}

fn coverage_input(asked: &Asked<'_>, rows: &Rows) -> coverage::Input {
    let sources = asked.assets().into_iter().filter(|asset| asset.expected_source).collect::<Vec<_>>();
    let last_whole_day = day_of(asked.at - DAY);
    let mut emitters: ByOwner<coverage::Volume> = BTreeMap::new();
    let mut first = last_whole_day;
    for row in rows.of_system(asked.system) {
        let volume = emitters::entry(&mut emitters, &seen(rows, row), &sources);
        volume.last_day += rows.count("events_24h", row);
        if let Some(day) = rows.time("day", row).map(day_of).filter(|day| *day < last_whole_day) {
            first = first.min(day);
            *volume.days_before.entry(day).or_default() += rows.count("events", row);
        }
    }
    // A system that began to send a week ago is learned from that week.
    let days = (last_whole_day - first).max(0) as usize;
    coverage::Input {
        dossier: asked.dossier(|asset| asset.expected_source),
        emitters,
        sealed: asked.sealed.clone(),
        days,
        floor_percent: asked.parameter("floor_percent", 10).clamp(1, 100) as u64,
    }
}

fn span_input(asked: &Asked<'_>, rows: &Rows) -> span::Input {
    let today = day_of(asked.at);
    let system = asked.register.system(asked.system, asked.at);
    // The owner may ask for longer than the level does, never for less.
    let months = asked.threshold.months.unwrap_or(0).max(system.and_then(|s| s.retention_months).map_or(0, i64::from));
    let begin = span::date(today).checked_sub_months(Months::new(months as u32)).unwrap_or_default();
    let required = (span::date(today) - begin).num_days();
    span::Input {
        days: rows
            .of_system(asked.system)
            .filter(|row| rows.count("events", *row) > 0)
            .filter_map(|row| rows.time("day", row).map(day_of))
            .collect(),
        today,
        required,
        required_months: months,
        owed_since: system.and_then(|s| s.monitored_from).map(|from| day_of(from + DAY - 1)),
        sealed: asked.sealed.clone(),
    }
}

fn drift_input(asked: &Asked<'_>, rows: &Rows) -> drift::Input {
    let sources = asked.assets().into_iter().filter(|asset| asset.expected_source).collect::<Vec<_>>();
    let mut emitters: ByOwner<Option<u64>> = BTreeMap::new();
    for row in rows.of_system(asked.system) {
        let drift = rows.integer("drift_ms", row).map(i64::unsigned_abs);
        let best = emitters::entry(&mut emitters, &seen(rows, row), &sources);
        *best = [*best, drift].into_iter().flatten().min();
    }
    drift::Input {
        dossier: asked.dossier(|asset| asset.expected_source),
        emitters,
        sealed: asked.sealed.clone(),
        limit_ms: asked.threshold.seconds.unwrap_or(60).max(0) as u64 * 1_000,
    }
}

fn classes_input(asked: &Asked<'_>, rows: &Rows) -> classes::Input {
    let mut seen = BTreeMap::new();
    for row in rows.of_system(asked.system) {
        if let Some(class) = rows.text("class", row) {
            *seen.entry(class.to_owned()).or_insert(0) += rows.count("events", row);
            continue;
        }
        for class in &asked.threshold.classes {
            *seen.entry(class.clone()).or_insert(0) += rows.count(class, row);
        }
    }
    let labels = asked.check.class_labels.iter().map(|(class, label)| (class.clone(), (label.vi.clone(), label.en.clone())));
    classes::Input {
        needed: asked.threshold.classes.clone(),
        seen,
        days: asked.check.window_days.unwrap_or(7),
        labels: labels.collect(),
    }
}

fn endpoints_input(asked: &Asked<'_>, rows: &Rows) -> endpoints::Input {
    let mut machines: BTreeMap<String, bool> = BTreeMap::new();
    for row in rows.of_system(asked.system) {
        if let Some(machine) = rows.text("machine", row) {
            // One bad line about a machine is enough.
            let passes = machines.entry(machine.to_owned()).or_insert(true);
            *passes &= rows.count("passes", row) > 0;
        }
    }
    let passing = asked.check.passing.clone().unwrap_or_else(|| asked.check.title.clone());
    endpoints::Input {
        dossier: asked.dossier(emitters::is_endpoint),
        machines,
        sealed: asked.sealed.clone(),
        what_vi: passing.vi,
        what_en: passing.en,
    }
}
