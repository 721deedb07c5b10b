//! The store's holds and forecast for the pages, and the watch over the disk: who is told before a legal minimum breaks.
//!
//! The watch writes an event of source `chieng.audit` with the action `storage.outlook` when the state gets worse, once a day
//! while it stays bad, and once when it is well again; rules make alerts of it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use dashboards::{
    Metric,
    keeping::{ClassSize, Hold, Keeping, Outlook, Refusal, SystemOutlook, date},
};
use event::{
    Micros, RawBatch,
    seam::{BoxFuture, Clock, Sink},
};
use serde_json::{Value, json};
use store::{NewHold, RetentionPolicy, SizesCache, Store};
use tokio_util::sync::CancellationToken;

use super::retention::Policy;
use crate::failure::Failure;

/// A forecast is made anew when it is so old: pages ask often, and it reads every segment's row.
const FRESH: Duration = Duration::from_secs(60);
/// How often the watch looks.
const WATCH: Duration = Duration::from_secs(600);
/// Files that are measured for sizes by class.
const SAMPLE_MAX: usize = 256;
/// How often it repeats what is still bad.
const REMIND: Micros = 86_400_000_000;
/// Days before the event at which it becomes critical.
const CRITICAL_DAYS: i64 = 7;

/// The store as [`Keeping`].
pub struct StoreKeeping {
    store: Arc<Store>,
    policy: Arc<Policy>,
    clock: Arc<dyn Clock>,
    disk_max: Option<u64>,
    warn_days: i64,
    sizes: SizesCache,
    last: Mutex<Option<(Instant, Outlook)>>,
    /// One forecast at a time; who waits takes the other's.
    making: tokio::sync::Mutex<()>,
}

impl StoreKeeping {
    pub fn new(store: Arc<Store>, policy: Arc<Policy>, clock: Arc<dyn Clock>, disk_max: Option<u64>, warn_days: u32) -> Self {
        Self {
            store,
            policy,
            clock,
            disk_max,
            warn_days: i64::from(warn_days),
            sizes: SizesCache::default(),
            last: Mutex::default(),
            making: tokio::sync::Mutex::default(),
        }
    }

    async fn forecast(&self) -> Result<Outlook, Refusal> {
        let _making = self.making.lock().await;
        if let Some((at, outlook)) = &*self.last.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < FRESH
        {
            return Ok(outlook.clone());
        }
        let now = self.clock.now();
        let budget = self.store.room(self.disk_max).await.map_err(refused)?;
        let policy: &dyn RetentionPolicy = &*self.policy;
        let found = self.store.outlook(policy, &self.sizes, budget, now).await.map_err(refused)?;
        let outlook = Outlook {
            at: now,
            today: found.today,
            budget_bytes: found.budget_bytes,
            stored_bytes: found.stored_bytes,
            bytes_per_day: found.bytes_per_day,
            full_on: found.full_on,
            systems: found.systems.into_iter().map(system).collect(),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), outlook.clone()));
        Ok(outlook)
    }

    /// The last forecast as numbers; nothing before the first.
    pub fn metrics(&self) -> Vec<Metric> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, outlook)) = &*last else { return Vec::new() };
        let gauge = |name, help, value| Metric { name, help, is_counter: false, labels: Vec::new(), value };
        let mut metrics = vec![
            gauge("store_room_bytes", "Bytes that segments may take in all.", outlook.budget_bytes as f64),
            gauge("store_growth_bytes_per_day", "Bytes of segments that come in a day.", outlook.bytes_per_day as f64),
        ];
        if let Some(day) = outlook.full_on {
            let help = "Days until the retention rules need more than there is room for; absent when never.";
            metrics.push(gauge("store_days_until_full", help, (day - outlook.today) as f64));
        }
        for system in &outlook.systems {
            if let Some(day) = system.breaks_on {
                metrics.push(Metric {
                    name: "retention_days_until_break",
                    help: "Days until a system would fall below its legal minimum of retention; absent when never.",
                    is_counter: false,
                    labels: vec![("system", system.system.clone())],
                    value: (day - outlook.today) as f64,
                });
            }
        }
        metrics
    }
}

fn system(found: store::SystemOutlook) -> SystemOutlook {
    SystemOutlook {
        system: found.system,
        stored_bytes: found.stored_bytes,
        bytes_per_day: found.bytes_per_day,
        keep_days: found.keep_days,
        minimum_days: found.minimum_days,
        is_rule_short: found.is_rule_short,
        oldest: found.oldest,
        breaks_on: found.breaks_on,
    }
}

fn refused(error: store::Error) -> Refusal {
    match error {
        error @ store::Error::Hold(_) => Refusal::Invalid(error.to_string()),
        store::Error::NoHold { .. } => Refusal::NotInForce,
        error => Refusal::Failed(error.chain()),
    }
}

fn hold(hold: store::Hold) -> Hold {
    Hold {
        id: hold.id,
        system: hold.system,
        class: hold.class,
        from: hold.from,
        to: hold.to,
        reason: hold.reason,
        placed_by: hold.placed_by,
        placed_at: hold.placed_at,
        released: hold.released.map(|release| (release.at, release.by, release.reason)),
    }
}

impl Keeping for StoreKeeping {
    fn holds(&self) -> BoxFuture<'_, Result<Vec<Hold>, Refusal>> {
        Box::pin(async move { Ok(self.store.holds().await.map_err(refused)?.into_iter().map(hold).collect()) })
    }

    fn place(&self, asked: Hold) -> BoxFuture<'_, Result<Hold, Refusal>> {
        Box::pin(async move {
            let Hold { system, class, from, to, reason, placed_by, .. } = asked;
            let asked = NewHold { system, class, from, to, reason, placed_by };
            self.store.place_hold(asked).await.map(hold).map_err(refused)
        })
    }

    fn release<'a>(&'a self, id: u64, by: &'a str, reason: &'a str) -> BoxFuture<'a, Result<Hold, Refusal>> {
        Box::pin(async move { self.store.release_hold(id, by, reason).await.map(hold).map_err(refused) })
    }

    fn outlook(&self) -> BoxFuture<'_, Result<Outlook, Refusal>> {
        Box::pin(self.forecast())
    }

    fn class_sizes(&self) -> BoxFuture<'_, Result<Vec<ClassSize>, Refusal>> {
        let one = |size: store::ClassSize| ClassSize { class: size.class, rows: size.rows, bytes: size.bytes };
        Box::pin(async move { Ok(self.store.class_sizes(SAMPLE_MAX).await.map_err(refused)?.into_iter().map(one).collect()) })
    }

    fn warn_days(&self) -> i64 {
        self.warn_days
    }
}

/// The cold store of the configuration, its secrets fetched.
pub fn cold_options(settings: &crate::config::Cold) -> Result<store::ColdOptions, Failure> {
    let mut options = Vec::new();
    let mut push = |name: &str, value: String| options.push((name.to_owned(), value));
    for (name, secret) in [("access_key_id", &settings.access_key), ("secret_access_key", &settings.secret_key)] {
        if let Some(secret) = secret {
            let value = secret.resolve().map_err(|why| Failure::new(format!("[store.cold] {name}: {why}")))?;
            push(name, value);
        }
    }
    if let Some(endpoint) = &settings.endpoint {
        push("endpoint", endpoint.clone());
        push("allow_http", endpoint.starts_with("http://").to_string());
    }
    if let Some(region) = &settings.region {
        push("region", region.clone());
    }
    Ok(store::ColdOptions {
        url: settings.url.clone(),
        after: i64::try_from(settings.after.0.as_micros()).unwrap_or(i64::MAX),
        bytes_per_second_max: settings.bandwidth_max.0,
        options,
    })
}

/// How bad it is, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    Well,
    /// The disk will be full, but no minimum breaks within the same time.
    Full,
    /// A minimum breaks within the days to warn, or a rule is shorter than the law.
    Break,
    /// Within a week.
    Critical,
}

impl Alarm {
    fn of(outlook: &Outlook, warn_days: i64) -> Self {
        let left = |day: Option<i64>| day.map_or(i64::MAX, |day| day - outlook.today);
        let first = left(outlook.systems.iter().filter_map(|system| system.breaks_on).min());
        if first <= CRITICAL_DAYS.min(warn_days) {
            Self::Critical
        } else if first <= warn_days || outlook.systems.iter().any(|system| system.is_rule_short) {
            Self::Break
        } else if left(outlook.full_on) <= warn_days {
            Self::Full
        } else {
            Self::Well
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Full => "disk_full",
            Self::Break => "minimum_breaks",
            Self::Critical => "minimum_breaks_soon",
        }
    }
}

/// Decides when to speak.
struct Watch {
    said: Alarm,
    said_at: Micros,
}

impl Watch {
    fn new() -> Self {
        Self { said: Alarm::Well, said_at: Micros::MIN }
    }

    /// True when this state has to be said now.
    fn must_say(&mut self, alarm: Alarm, now: Micros) -> bool {
        let is_news = alarm > self.said || alarm == Alarm::Well && self.said != Alarm::Well;
        let is_due = alarm != Alarm::Well && now.saturating_sub(self.said_at) >= REMIND;
        if is_news || is_due {
            (self.said, self.said_at) = (alarm, now);
            return true;
        }
        // Better, but not well: said with the next reminder.
        false
    }
}

/// Looks every ten minutes and writes events, until stopped.
pub async fn watch(keeping: Arc<StoreKeeping>, sink: Arc<dyn Sink>, stop: CancellationToken) {
    let mut state = Watch::new();
    loop {
        match keeping.forecast().await {
            Ok(outlook) => {
                let alarm = Alarm::of(&outlook, keeping.warn_days);
                if state.must_say(alarm, outlook.at) {
                    let mut batch = RawBatch::new(respond::audit::SOURCE, None, outlook.at);
                    batch.push(record(&outlook, alarm).to_string().as_bytes());
                    if let Err(error) = sink.submit(batch).await {
                        tracing::error!(%error, alarm = alarm.name(), "a forecast of the disk could not be stored as an event");
                        state = Watch::new();
                    }
                }
            }
            Err(error) => tracing::error!(%error, "failed to forecast the disk"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(WATCH) => {}
        }
    }
}

/// The event in ECS keys.
fn record(outlook: &Outlook, alarm: Alarm) -> Value {
    let breaks = |system: &&SystemOutlook| system.breaks_on.is_some() || system.is_rule_short;
    let mut systems: Vec<&SystemOutlook> = outlook.systems.iter().filter(breaks).collect();
    systems.sort_by_key(|system| (system.breaks_on.unwrap_or(i64::MAX), system.system.clone()));
    let said: Vec<String> = systems
        .iter()
        .take(20)
        .map(|system| match system.breaks_on {
            Some(day) => format!("{} on {}", system.system, date(day)),
            None => format!("{} (its rule is shorter than the minimum)", system.system),
        })
        .collect();
    let full = outlook.full_on.map_or_else(|| "the disk suffices".to_owned(), |day| format!("the disk is full on {}", date(day)));
    let message = match (alarm, said.is_empty()) {
        (Alarm::Well, _) => "retention is safe again: no minimum breaks within the days to warn".to_owned(),
        (_, true) => full,
        (_, false) => format!("{full}; legal minimum of retention breaks: {}", said.join(", ")),
    };
    let at = chrono::DateTime::from_timestamp_micros(outlook.at).unwrap_or_default();
    json!({
        "@timestamp": at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        "event.kind": if alarm == Alarm::Well { "event" } else { "alert" },
        "event.category": ["configuration"],
        "event.type": ["info"],
        "event.module": "chieng",
        "event.dataset": respond::audit::SOURCE,
        "event.provider": "store",
        "event.action": "storage.outlook",
        "event.reason": alarm.name(),
        "event.outcome": if alarm == Alarm::Well { "success" } else { "failure" },
        "message": message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlook(full_on: Option<i64>, breaks_on: Option<i64>) -> Outlook {
        let system = SystemOutlook { system: "dvc".into(), breaks_on, ..SystemOutlook::default() };
        Outlook { today: 20_000, full_on, systems: vec![system], ..Outlook::default() }
    }

    #[test]
    fn the_worse_of_break_and_full_disk_is_the_state() {
        let alarm = |full, breaks| Alarm::of(&outlook(full, breaks), 60);
        assert_eq!(alarm(None, None), Alarm::Well);
        assert_eq!(alarm(Some(20_061), Some(20_061)), Alarm::Well);
        assert_eq!(alarm(Some(20_060), Some(20_100)), Alarm::Full);
        assert_eq!(alarm(Some(20_008), Some(20_060)), Alarm::Break);
        assert_eq!(alarm(Some(20_007), Some(20_007)), Alarm::Critical);
        let mut short = outlook(None, None);
        short.systems[0].is_rule_short = true;
        assert_eq!(Alarm::of(&short, 60), Alarm::Break);
    }

    #[test]
    fn it_speaks_when_it_gets_worse_once_a_day_and_when_it_is_well_again() {
        let mut watch = Watch::new();
        assert!(!watch.must_say(Alarm::Well, 0));
        assert!(watch.must_say(Alarm::Full, 1) && !watch.must_say(Alarm::Full, 2));
        assert!(watch.must_say(Alarm::Critical, 3), "worse");
        assert!(!watch.must_say(Alarm::Break, 4), "better is no news");
        assert!(watch.must_say(Alarm::Break, 3 + REMIND), "a day later");
        assert!(watch.must_say(Alarm::Well, 4 + REMIND) && !watch.must_say(Alarm::Well, 5 + REMIND));
    }

    #[test]
    fn the_event_names_systems_and_days() {
        let found = record(&outlook(Some(20_010), Some(20_012)), Alarm::Break);
        assert_eq!(found["message"], "the disk is full on 2024-10-14; legal minimum of retention breaks: dvc on 2024-10-16");
        assert_eq!((&found["event.kind"], &found["event.reason"]), (&json!("alert"), &json!("minimum_breaks")));
        assert!(record(&outlook(None, None), Alarm::Well)["message"].as_str().unwrap().contains("safe again"));
    }
}
