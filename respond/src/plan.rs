//! From a target to notifications: which people, through which of their channels, now or under a summary.
//!
//! Reads the state, writes nothing: what it plans is queued by the transaction that settles the change it came from.

use std::collections::BTreeMap;

use event::Micros;
use state::{
    State,
    channels::Channel,
    incidents::Incident,
    notify::{NewNotification, NotificationKind, Plan, Stage},
    oncall::{Escalation, Schedule, Target},
    users::User,
};

use crate::{
    escalate,
    policy::{self, Placement},
    schedule,
    settings::{HOUR, Settings},
};

/// Everything that decides who is told, read once per round.
pub(crate) struct Directory {
    users: BTreeMap<i64, User>,
    schedules: Vec<Schedule>,
    channels: Vec<Channel>,
    pub chain: Escalation,
}

/// A person, or a shared channel, with the ways to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipient {
    pub key: String,
    pub person: Option<i64>,
    pub channels: Vec<i64>,
}

impl Directory {
    pub async fn read(state: &State) -> state::Result<Self> {
        let schedules = state.schedules().await?;
        let chain = match state.escalation().await? {
            Some(chain) => chain,
            None => escalate::default_chain(&schedules),
        };
        let users = state.users().await?.into_iter().map(|user| (user.id, user)).collect();
        let channels = state.channels().await?.into_iter().filter(|channel| channel.enabled).collect();
        Ok(Self { users, schedules, channels, chain })
    }

    /// Who is meant by a target now, and a word for the log when it is not who was asked for.
    pub fn resolve(&self, target: Target, incident: &Incident, now: Micros) -> (Vec<Recipient>, Option<String>) {
        let (person, missing) = match target {
            Target::Everyone => return (self.everyone(incident), None),
            Target::User { id } => (Some(id), format!("user {id} cannot be told")),
            Target::Schedule { id } => match self.schedules.iter().find(|schedule| schedule.id == id) {
                Some(schedule) => (schedule::on_call(schedule, now).person, format!("nobody is on call in {}", schedule.name)),
                None => (None, format!("there is no schedule {id}")),
            },
        };
        match person.filter(|person| self.may_handle(*person, incident)) {
            Some(person) => (vec![self.recipient(person)], None),
            None => (self.everyone(incident), Some(format!("{missing}: everyone is told"))),
        }
    }

    /// Channels that belong to nobody and hear of every page.
    pub fn shared(&self) -> Vec<Recipient> {
        let shared = self.channels.iter().filter(|channel| channel.person.is_none());
        shared.map(|channel| Recipient { key: format!("c{}", channel.id), person: None, channels: vec![channel.id] }).collect()
    }

    pub fn recipient(&self, person: i64) -> Recipient {
        let own = self.channels.iter().filter(|channel| channel.person == Some(person));
        Recipient { key: format!("u{person}"), person: Some(person), channels: own.map(|channel| channel.id).collect() }
    }

    fn everyone(&self, incident: &Incident) -> Vec<Recipient> {
        self.users.keys().filter(|id| self.may_handle(**id, incident)).map(|id| self.recipient(*id)).collect()
    }

    fn may_handle(&self, person: i64, incident: &Incident) -> bool {
        let may = |user: &User| !user.disabled && user.role.may_handle_incidents() && user.scope().sees(&incident.system);
        self.users.get(&person).is_some_and(may)
    }
}

/// One stage of an escalation, about to be done.
pub(crate) struct Step<'a> {
    pub incident: &'a Incident,
    pub change: i64,
    pub stage: Stage,
    pub kind: NotificationKind,
}

/// Plans a stage: its notifications, its log lines and what follows.
pub(crate) async fn plan(
    state: &State,
    settings: &Settings,
    directory: &Directory,
    step: Step<'_>,
    now: Micros,
) -> state::Result<Plan> {
    let mut plan = Plan { next: escalate::next(&directory.chain, step.stage, now), ..Plan::default() };
    let Some(target) = escalate::target(&directory.chain, step.stage) else { return Ok(plan) };
    let (mut recipients, missing) = directory.resolve(target, step.incident, now);
    plan.log.extend(missing.map(|note| ("oncall_gap", note)));
    if recipients.iter().all(|recipient| recipient.channels.is_empty()) {
        plan.log.push(("nobody_reachable", "no person to be told has a channel".into()));
    }
    if step.stage == escalate::FIRST {
        recipients.extend(directory.shared());
    }
    let page = format!("c{}-s{}-r{}", step.change, step.stage.step, step.stage.round);
    for recipient in recipients {
        let held_under = hold(state, settings, &recipient, now, &mut plan).await?;
        let action = if held_under.is_some() { "page_held" } else { "paged" };
        plan.log.push((action, recipient_name(directory, &recipient)));
        let base = NewNotification {
            key: String::new(),
            page: page.clone(),
            recipient: recipient.key.clone(),
            kind: step.kind,
            incident: Some(step.incident.id),
            person: recipient.person,
            channel: None,
            due: now,
            expires: now + Micros::from(settings.retry_hours) * HOUR,
            held_under,
        };
        plan.notifications.extend(per_channel(&recipient, base));
    }
    Ok(plan)
}

/// One notification per channel; a person without one gets a dead letter, so that the hole is visible.
pub(crate) fn per_channel(recipient: &Recipient, base: NewNotification) -> Vec<NewNotification> {
    let key = |channel: &str| format!("{}-{}-{channel}", base.page, recipient.key);
    if recipient.channels.is_empty() {
        return vec![NewNotification { key: key("none"), held_under: None, ..base.clone() }];
    }
    let one = |channel: &i64| NewNotification { key: key(&channel.to_string()), channel: Some(*channel), ..base.clone() };
    recipient.channels.iter().map(one).collect()
}

/// Asks storm protection; plans the summary when a new one is needed.
async fn hold(
    state: &State,
    settings: &Settings,
    recipient: &Recipient,
    now: Micros,
    plan: &mut Plan,
) -> state::Result<Option<String>> {
    let window = Micros::from(settings.paging.storm_minutes) * crate::settings::MINUTE;
    let load = state.page_load(&recipient.key, now - window).await?;
    Ok(match policy::place(&load, &settings.paging, now) {
        Placement::Send => None,
        Placement::Join(summary) => Some(summary),
        Placement::Hold { due } => {
            let page = format!("summary-{due}");
            let base = NewNotification {
                key: String::new(),
                page: format!("{page}-{}", recipient.key),
                recipient: recipient.key.clone(),
                kind: NotificationKind::Summary,
                incident: None,
                person: recipient.person,
                channel: None,
                due,
                expires: due + Micros::from(settings.retry_hours) * HOUR,
                held_under: None,
            };
            let page = base.page.clone();
            plan.notifications.extend(per_channel(recipient, base));
            Some(page)
        }
    })
}

fn recipient_name(directory: &Directory, recipient: &Recipient) -> String {
    match recipient.person.and_then(|person| directory.users.get(&person)) {
        Some(user) => user.display_name.clone(),
        None => format!("shared channel {}", recipient.key),
    }
}
