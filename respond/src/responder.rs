//! The one object that the program holds: records matches, wakes people, takes their answers.
//!
//! [`Responder::work`] does everything that is due and returns; [`Responder::run`] calls it when something was recorded or is due.
//! Two locks keep rounds apart: one around recording (the cursor moves in order), one around planning (storm protection
//! counts what was queued before).

use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use event::{
    Micros, Scope,
    seam::{Clock, Sink},
    severity::Severity,
};
use state::{
    State,
    ack::{AckToken, Acked},
    attempts::Ended,
    channels::{Channel, ChannelKind},
    cursors,
    incidents::{Actor, Entity, Incident, Verdict},
    matches::{AlertUpsert, IncidentChange, Join, MatchBlock},
    notify::{NewNotification, Notification, NotificationKind, Plan},
    oncall::Schedule,
};
use tokio::{
    sync::{Mutex, Notify},
    task::JoinSet,
};

use crate::{
    Error, Found, Result, Settings, audit, deliver, email, escalate, group,
    guard::{self, Resolve, SystemResolver},
    plan::{self, Directory, Step},
    policy::Reason,
    schedule::{self, Duty},
    settings::{DAY, HOUR, MINUTE},
    storm::Storms,
    webhook::Webhooks,
};

/// Deliveries under way at once: a slow mail server must not hold up the webhooks.
const SENDS_MAX: usize = 8;
/// Rows taken from the outbox and the timers in one round.
const ROUND_MAX: u32 = 100;
/// The loop looks at the clock at least so often: wall clocks jump.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// Low incidents close by themselves after a quiet day: nobody is waiting for them, and the queue stays readable.
const IDLE_LOW: Micros = 24 * 3_600_000_000;
const TIDY_EVERY: Micros = 10 * 60_000_000;

/// Matches in, pages out. See the crate's page.
pub struct Responder {
    pub(crate) state: State,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    sink: Arc<dyn Sink>,
    pub(crate) mailer: Option<email::Mailer>,
    pub(crate) webhooks: Webhooks,
    recording: Mutex<()>,
    planning: Mutex<()>,
    pub(crate) unrecorded: Mutex<HashMap<i64, (Notification, i64, Ended)>>,
    wake: Notify,
    /// When idle incidents were last closed.
    tidied: AtomicI64,
    storms: std::sync::Mutex<Storms>,
}

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worked {
    pub changes: usize,
    pub escalations: usize,
    pub attempts: usize,
    pub delivered: usize,
    pub audited: usize,
}

impl Responder {
    /// Builds it from settings; says what is wrong with them. Connects to nothing.
    pub fn new(state: State, settings: Settings, clock: Arc<dyn Clock>, sink: Arc<dyn Sink>) -> Result<Arc<Self>> {
        Self::with_resolver(state, settings, clock, sink, Arc::new(SystemResolver))
    }

    /// As [`Responder::new`], with another way to look host names up.
    pub fn with_resolver(
        state: State,
        settings: Settings,
        clock: Arc<dyn Clock>,
        sink: Arc<dyn Sink>,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Arc<Self>> {
        if settings.timezone.parse::<chrono_tz::Tz>().is_err() {
            return Err(Error::Settings(format!("[respond].timezone: {:?} is not a time zone", settings.timezone)));
        }
        let mailer = settings.smtp.as_ref().map(email::Mailer::new).transpose().map_err(Error::Settings)?;
        let webhooks = Webhooks::new(&settings.webhook, resolver).map_err(Error::Settings)?;
        Ok(Arc::new(Self {
            state,
            settings,
            clock,
            sink,
            mailer,
            webhooks,
            recording: Mutex::default(),
            planning: Mutex::default(),
            unrecorded: Mutex::default(),
            wake: Notify::new(),
            tidied: AtomicI64::new(0),
            storms: std::sync::Mutex::default(),
        }))
    }

    /// Records the matches of a block that ends with frame `through`. Recording a block again changes nothing, and of a block
    /// that reaches back behind the cursor only what lies after it counts.
    pub async fn record(&self, through: u64, found: &[Found]) -> Result<Vec<IncidentChange>> {
        let _one_at_a_time = self.recording.lock().await;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let after = self.state.cursor(cursors::DETECT).await?;
        let found = found.iter().filter(|found| found.event.sequence > after);
        // An informational rule is a building block: it is counted, and makes no alert by itself.
        let (counted, found): (Vec<&Found>, Vec<&Found>) = found.partition(|one| one.rule.level == Severity::Informational);
        if counted.is_empty() && found.is_empty() {
            return Ok(Vec::new());
        }
        let block = MatchBlock {
            cursor: Some((after, through)),
            alerts: self.calm(group::group(found, &self.settings)),
            counted: group::counts(counted),
            join: self.join(),
        };
        let changes = self.state.record_matches(&block, self.clock.now()).await?;
        if !changes.is_empty() {
            self.wake.notify_one();
        }
        Ok(changes)
    }

    /// Holds a storming rule down to one alert a system.
    fn calm(&self, alerts: Vec<AlertUpsert>) -> Vec<AlertUpsert> {
        let mut storms = self.storms.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        storms.calm(alerts, self.settings.samples_max, self.clock.now())
    }

    /// Does everything that is due now, deliveries included, and returns when it is done.
    pub async fn work(self: &Arc<Self>) -> Result<Worked> {
        let mut worked = self.prepare().await?;
        let mut sends = JoinSet::new();
        let mut started = BTreeSet::new();
        loop {
            let due = self.state.due_notifications(self.clock.now(), ROUND_MAX).await?;
            let new: Vec<Notification> = due.into_iter().filter(|due| started.insert(due.id)).collect();
            if new.is_empty() {
                break;
            }
            for notification in new {
                if sends.len() >= SENDS_MAX {
                    tally(&mut worked, sends.join_next().await);
                }
                let this = self.clone();
                sends.spawn(async move { this.attempt(&notification).await });
            }
            while let Some(done) = sends.join_next().await {
                tally(&mut worked, Some(done));
            }
        }
        worked.audited += audit::follow(&self.state, &*self.sink, self.clock.now()).await?;
        Ok(worked)
    }

    /// Works until `shutdown` resolves; deliveries under way get a few seconds to end.
    pub async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()> + Send) {
        let mut shutdown = pin!(shutdown);
        match self.state.interrupt_attempts(self.clock.now()).await {
            Ok(0) => {}
            Ok(attempts) => tracing::info!(attempts, "deliveries were cut off by the last stop and will be tried again"),
            Err(error) => tracing::warn!(%error, "failed to look for interrupted deliveries"),
        }
        let mut sends: JoinSet<(i64, Result<bool>)> = JoinSet::new();
        let mut under_way = BTreeSet::new();
        loop {
            // A round may have much to do after a burst; a stop does not wait for it. What it drops is in the database still.
            let round = tokio::select! {
                biased;
                () = &mut shutdown => break,
                round = self.round(&mut sends, &mut under_way) => round,
            };
            let wait = match round {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "failed to work on notifications");
                    Duration::from_secs(5)
                }
            };
            tokio::select! {
                () = &mut shutdown => break,
                () = self.wake.notified() => {}
                Some(done) = sends.join_next() => finished(&mut under_way, done),
                () = tokio::time::sleep(wait) => {}
            }
        }
        let end = async { while sends.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(5), end).await.is_err() {
            tracing::warn!("deliveries were still under way at the stop; they will be tried again");
        }
    }

    /// One turn of the loop: plans, starts what is due, returns how long there is nothing to do.
    async fn round(
        self: &Arc<Self>,
        sends: &mut JoinSet<(i64, Result<bool>)>,
        under_way: &mut BTreeSet<i64>,
    ) -> Result<Duration> {
        self.prepare().await?;
        for notification in self.state.due_notifications(self.clock.now(), ROUND_MAX).await? {
            if sends.len() < SENDS_MAX && under_way.insert(notification.id) {
                let this = self.clone();
                sends.spawn(async move { (notification.id, this.attempt(&notification).await) });
            }
        }
        if let Err(error) = audit::follow(&self.state, &*self.sink, self.clock.now()).await {
            match &error {
                Error::Audit(refused) if !audit::is_passing(refused) => {}
                _ => tracing::warn!(error = &error as &dyn std::error::Error, "audit events wait"),
            }
        }
        let now = self.clock.now();
        if now - self.tidied.load(Ordering::Relaxed) >= TIDY_EVERY {
            self.tidied.store(now, Ordering::Relaxed);
            self.state.close_idle_incidents(Severity::Low, now - IDLE_LOW, now).await?;
        }
        let due = self.state.next_due().await?.map_or(i64::MAX, |due| due.saturating_sub(now));
        // What is due but under way ends by itself and wakes the loop.
        let wait =
            if due <= 0 && !sends.is_empty() { Duration::from_secs(1) } else { Duration::from_micros(due.max(20_000) as u64) };
        Ok(wait.min(LOOK_AGAIN))
    }

    /// Turns state changes and escalation steps that are due into queued notifications.
    async fn prepare(&self) -> Result<Worked> {
        let _one_at_a_time = self.planning.lock().await;
        self.record_ended().await?;
        let mut worked = Worked::default();
        loop {
            let now = self.clock.now();
            let changes = self.state.pending_changes(ROUND_MAX).await?;
            let due = self.state.due_escalations(now, ROUND_MAX).await?;
            if changes.is_empty() && due.is_empty() {
                return Ok(worked);
            }
            let directory = Directory::read(&self.state).await?;
            for change in &changes {
                let wait = escalate::first_wait(&directory.chain);
                let plan = if wait == 0 {
                    let step = Step {
                        incident: &change.incident,
                        change: change.id,
                        stage: escalate::FIRST,
                        kind: NotificationKind::Page,
                    };
                    plan::plan(&self.state, &self.settings, &directory, step, now).await?
                } else {
                    Plan { next: Some((escalate::FIRST, now + wait)), ..Plan::default() }
                };
                worked.changes += usize::from(self.state.settle_change(change, &plan, now).await?);
            }
            for due in &due {
                let is_first = due.stage == escalate::FIRST;
                let kind = if is_first { NotificationKind::Page } else { NotificationKind::Escalation };
                let step = Step { incident: &due.incident, change: due.change, stage: due.stage, kind };
                let mut plan = plan::plan(&self.state, &self.settings, &directory, step, now).await?;
                if plan.next.is_none() {
                    plan.log.push(("escalation_exhausted", "nobody answered; the chain is at its end".into()));
                }
                worked.escalations += usize::from(self.state.settle_escalation(due, &plan, now).await?);
            }
        }
    }

    /// Queues a test page to every channel of a person; returns through how many.
    pub async fn test_page(&self, person: i64) -> Result<usize> {
        let directory = Directory::read(&self.state).await?;
        let recipient = directory.recipient(person);
        if recipient.channels.is_empty() {
            return Err(Error::Invalid("this person has no channel to test".into()));
        }
        self.queue_test(&recipient).await
    }

    /// Queues a test page to one channel.
    pub async fn test_channel(&self, channel: i64) -> Result<()> {
        let channel =
            self.state.channel(channel).await?.ok_or_else(|| Error::Invalid(format!("there is no channel {channel}")))?;
        let key = channel.person.map_or_else(|| format!("c{}", channel.id), |person| format!("u{person}"));
        self.queue_test(&plan::Recipient { key, person: channel.person, channels: vec![channel.id] }).await?;
        Ok(())
    }

    async fn queue_test(&self, recipient: &plan::Recipient) -> Result<usize> {
        let now = self.clock.now();
        let base = NewNotification {
            key: String::new(),
            page: format!("test-{}", deliver::token()?),
            recipient: recipient.key.clone(),
            kind: NotificationKind::Test,
            incident: None,
            person: recipient.person,
            channel: None,
            due: now,
            // Whoever tests waits in front of the screen; a test that arrives tomorrow confuses.
            expires: now + 5 * MINUTE,
            held_under: None,
        };
        let notifications = plan::per_channel(recipient, base);
        let count = notifications.len();
        self.state.queue_notifications(&Plan { notifications, ..Plan::default() }, now).await?;
        self.wake.notify_one();
        Ok(count)
    }

    /// Makes an informational incident that pages nobody, to see the screen with something on it.
    pub async fn test_alert(&self, system: &str, actor: &str) -> Result<i64> {
        let now = self.clock.now();
        let mut alert = test_alert(system, actor, now);
        alert.id = deliver::token()?;
        let block =
            MatchBlock { cursor: None, alerts: vec![alert], counted: Vec::new(), join: Join { lookback: 0, ..self.join() } };
        let changes = self.state.record_matches(&block, now).await?;
        self.wake.notify_one();
        changes.first().map(|change| change.incident).ok_or_else(|| Error::Invalid("the test alert joined an incident".into()))
    }

    /// Adds a way to reach somebody; `None` = a webhook that hears of every page. Webhooks get a secret to sign with.
    pub async fn add_channel(&self, person: Option<i64>, kind: ChannelKind, address: &str) -> Result<Channel> {
        let address = address.trim();
        let secret = match kind {
            ChannelKind::Email => {
                email::check_address(address).map_err(Error::Invalid)?;
                None
            }
            ChannelKind::Webhook => {
                guard::check_url(address, self.webhooks.allowed()).map_err(|refusal| Error::Invalid(refusal.to_string()))?;
                Some(deliver::token()?)
            }
        };
        Ok(self.state.create_channel(person, kind, address, secret.as_deref(), self.clock.now()).await?)
    }

    /// Who is on call now, per schedule.
    pub async fn on_call(&self) -> Result<Vec<(Schedule, Duty)>> {
        let now = self.clock.now();
        let schedules = self.state.schedules().await?;
        Ok(schedules
            .into_iter()
            .map(|schedule| (schedule::on_call(&schedule, now), schedule))
            .map(|(duty, schedule)| (schedule, duty))
            .collect())
    }

    /// Says what the link with this token would do; for GET, changes nothing.
    pub async fn peek_ack(&self, token: &str) -> Result<Option<AckToken>> {
        Ok(self.state.peek_ack(&state::secret::hash(token), self.clock.now()).await?)
    }

    /// Spends the token of a link: for POST.
    pub async fn use_ack(&self, token: &str) -> Result<Acked> {
        let acked = self.state.use_ack(&state::secret::hash(token), self.clock.now()).await?;
        self.wake.notify_one();
        Ok(acked)
    }

    pub async fn acknowledge(&self, scope: &Scope, incident: i64, by: &Actor, note: &str) -> Result<Incident> {
        let done = self.state.acknowledge_incident(scope, incident, by, note, self.clock.now()).await?;
        self.wake.notify_one();
        Ok(done)
    }

    pub async fn close(&self, scope: &Scope, incident: i64, by: &Actor, verdict: Verdict, note: &str) -> Result<Incident> {
        let done = self.state.close_incident(scope, incident, by, verdict, note, self.clock.now()).await?;
        self.wake.notify_one();
        Ok(done)
    }

    pub async fn note(&self, scope: &Scope, incident: i64, by: &Actor, text: &str) -> Result<()> {
        self.state.note_incident(scope, incident, by, text, self.clock.now()).await?;
        self.wake.notify_one();
        Ok(())
    }

    pub async fn assign(&self, scope: &Scope, incident: i64, by: &Actor, owner: i64) -> Result<Incident> {
        let done = self.state.assign_incident(scope, incident, by, owner, self.clock.now()).await?;
        self.wake.notify_one();
        Ok(done)
    }

    fn join(&self) -> Join {
        Join {
            lookback: Micros::from(self.settings.lookback_hours) * HOUR,
            reopen: Micros::from(self.settings.reopen_days) * DAY,
            samples_max: self.settings.samples_max,
        }
    }
}

fn test_alert(system: &str, actor: &str, now: Micros) -> AlertUpsert {
    AlertUpsert {
        id: String::new(),
        rule_id: "chieng-test".into(),
        rule: serde_json::json!({ "id": "chieng-test", "title": "Test alert", "title_vi": "Cảnh báo thử", "level": "informational" }).to_string().into(),
        title_vi: "Cảnh báo thử".into(),
        title_en: "Test alert".into(),
        rule_level: Severity::Informational,
        severity: Severity::Informational,
        steps: serde_json::json!([]),
        pages_as: None,
        decision: Reason::Test.code().into(),
        is_fresh: true,
        system: system.into(),
        system_level: None,
        entity: Entity { kind: "user.name".into(), value: actor.into() },
        family: format!("chieng-test-{now}"),
        group: Vec::new(),
        window_start: now,
        window_end: now,
        first_seen: now,
        last_seen: now,
        count: 1,
        samples: Vec::new(),
    }
}

fn tally(worked: &mut Worked, done: Option<Result<Result<bool>, tokio::task::JoinError>>) {
    let Some(done) = done else { return };
    worked.attempts += 1;
    match done {
        Ok(Ok(delivered)) => worked.delivered += usize::from(delivered),
        Ok(Err(error)) => tracing::warn!(error = &error as &dyn std::error::Error, "failed to record a delivery"),
        Err(error) => tracing::error!(%error, "a delivery broke off"),
    }
}

fn finished(under_way: &mut BTreeSet<i64>, done: Result<(i64, Result<bool>), tokio::task::JoinError>) {
    match done {
        Ok((id, result)) => {
            under_way.remove(&id);
            if let Err(error) = result {
                tracing::warn!(error = &error as &dyn std::error::Error, notification = id, "failed to record a delivery");
            }
        }
        // A panic leaves its id behind: that notification waits for the next start instead of going round in circles.
        Err(error) => tracing::error!(%error, "a delivery broke off"),
    }
}
