//! Who is on duty, who is told next, by which channel; and the test page that proves it.
//!
//! Outside, people are account names and targets are words (`oncall:3`, `user:lan`, `everyone`); inside they are ids.

use std::{collections::HashMap, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use chrono::{NaiveDate, NaiveTime};
use respond::schedule;
use serde::Deserialize;
use serde_json::{Value, json};
use state::{
    channels::ChannelKind,
    oncall::{Escalation, NewSchedule, Override, Rotation, Schedule, Step, Target, Turn},
    users::User,
};
use tokio::sync::Mutex;

use super::{
    Body,
    incidents::{done, user_names},
};
use crate::{
    App,
    audit::{self, Action, Line},
    auth::Person,
    error::{ApiError, Result},
    time::{read, rfc3339},
};

pub async fn show(State(app): State<App>, _person: Person) -> Result<Json<Value>> {
    let users = app.state.users().await?;
    let now = app.now();
    let Plan { schedules: stored, escalation, revision } = plan(&app).await?;
    let schedules: Vec<Value> = stored.iter().map(|schedule| shown(schedule, &users, now)).collect();
    let names = user_names(&users);
    let steps: Vec<Value> = escalation
        .steps
        .iter()
        .map(|step| json!({ "wait_minutes": step.wait_minutes, "target": word(step.target, &names) }))
        .collect();
    let escalation = json!({ "steps": steps, "repeat": escalation.repeat });
    Ok(Json(json!({ "schedules": schedules, "escalation": escalation, "revision": revision })))
}

/// The document as it is stored.
struct Plan {
    schedules: Vec<Schedule>,
    escalation: Escalation,
    /// Changes with every change of the rest.
    revision: String,
}

async fn plan(app: &App) -> Result<Plan> {
    let schedules = app.state.schedules().await?;
    let escalation = app.state.escalation().await?.unwrap_or_else(|| respond::escalate::default_chain(&schedules));
    let revision = blake3::hash(format!("{schedules:?} {escalation:?}").as_bytes()).to_hex()[..16].to_owned();
    Ok(Plan { schedules, escalation, revision })
}

/// One replacement at a time, so that the revision it was made from is still the stored one when it is written.
static REPLACING: Mutex<()> = Mutex::const_new(());

fn shown(schedule: &Schedule, users: &[User], now: i64) -> Value {
    let names = user_names(users);
    let name = |id: &i64| names.get(id).cloned().unwrap_or_else(|| format!("#{id}"));
    let display = |id: i64| users.iter().find(|user| user.id == id).map(|user| user.display_name.clone());
    let turns = turns(schedule, now);
    let turn = |(person, from, until): &(i64, i64, Option<i64>)| json!({ "user": name(person), "display_name": display(*person), "from": rfc3339(*from), "until": until.map(rfc3339) });
    json!({
        "id": schedule.id.to_string(),
        "name": schedule.name,
        "timezone": schedule.timezone,
        "members": schedule.members.iter().map(name).collect::<Vec<_>>(),
        "rotation": {
            "kind": match schedule.rotation.turn { Turn::Day => "daily", Turn::Week => "weekly" },
            "every": schedule.rotation.every,
            "handover": schedule.rotation.hand_over.format("%H:%M").to_string(),
            "start": schedule.rotation.start.to_string(),
        },
        "overrides": schedule.overrides.iter().map(|over| json!({
            "from": rfc3339(over.starts), "to": rfc3339(over.ends), "user": name(&over.person), "reason": over.reason,
        })).collect::<Vec<_>>(),
        "now": turns.first().map(turn),
        "next": turns.iter().skip(1).map(turn).collect::<Vec<_>>(),
    })
}

/// Who is on duty now, and the two turns after it.
fn turns(schedule: &Schedule, now: i64) -> Vec<(i64, i64, Option<i64>)> {
    let (mut turns, mut at) = (Vec::new(), now);
    // A gap has no person: it is stepped over, but not for ever.
    for _ in 0..8 {
        let duty = schedule::on_call(schedule, at);
        turns.extend(duty.person.map(|person| (person, at, duty.until)));
        match duty.until {
            Some(until) if turns.len() < 3 => at = until,
            _ => break,
        }
    }
    turns
}

fn word(target: Target, names: &HashMap<i64, String>) -> String {
    match target {
        Target::Schedule { id } => format!("oncall:{id}"),
        Target::User { id } => format!("user:{}", names.get(&id).cloned().unwrap_or_default()),
        Target::Everyone => "everyone".into(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    schedules: Vec<ScheduleIn>,
    escalation: EscalationIn,
    /// The revision this was made from; refused when the plan has changed since.
    #[serde(default)]
    revision: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduleIn {
    #[serde(default)]
    id: String,
    name: String,
    timezone: String,
    members: Vec<String>,
    rotation: RotationIn,
    #[serde(default)]
    overrides: Vec<OverrideIn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RotationIn {
    kind: String,
    #[serde(default = "one")]
    every: u32,
    handover: String,
    start: String,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverrideIn {
    from: String,
    to: String,
    user: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EscalationIn {
    steps: Vec<StepIn>,
    #[serde(default)]
    repeat: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepIn {
    wait_minutes: u32,
    target: String,
}

/// The longest wait between two steps of the escalation.
const WAIT_MINUTES_MAX: u32 = 24 * 60;

/// What is wrong with one step of the escalation; steps are counted from 1, as the page shows them.
fn wrong_step(at: usize, what: impl std::fmt::Display) -> ApiError {
    ApiError { field: Some("escalation"), ..ApiError::bad("invalid", format!("escalation, step {}: {what}", at + 1)) }
}

/// Replaces the whole document; nothing is changed when any part of it is wrong.
pub async fn replace(State(app): State<App>, person: Person, Body(document): Body<Document>) -> Result<Json<Value>> {
    person.need_admin()?;
    let _one_at_a_time = REPLACING.lock().await;
    let Plan { schedules: stored, revision: stored_revision, .. } = plan(&app).await?;
    if document.revision.is_some_and(|revision| revision != stored_revision) {
        let message = "somebody else has changed the on-call plan meanwhile; nothing was saved";
        return Err(ApiError::new(StatusCode::CONFLICT, "changed_meanwhile", message));
    }
    let users = app.state.users().await?;
    let now = app.now();
    let mut wanted = Vec::new();
    for schedule in &document.schedules {
        wanted.push((
            schedule.id.parse::<i64>().ok(),
            new_schedule(schedule, &users)?,
            overrides(schedule, &users, &person, now)?,
        ));
    }
    let known: Vec<i64> = stored.iter().map(|schedule| schedule.id).collect();
    let kept: Vec<i64> = wanted.iter().filter_map(|(id, ..)| *id).filter(|id| known.contains(id)).collect();
    if let Some(twice) = (1..wanted.len()).find(|&at| wanted[..at].iter().any(|(_, other, _)| other.name == wanted[at].1.name)) {
        return Err(ApiError::bad("invalid", format!("two schedules are named {:?}", wanted[twice].1.name)));
    }
    let escalation = read_escalation(&document.escalation, &users, &kept)?;
    for gone in known.iter().filter(|id| !kept.contains(id)) {
        app.state.delete_schedule(*gone).await?;
    }
    for (id, schedule, overrides) in &wanted {
        let id = match id.filter(|id| known.contains(id)) {
            Some(id) => {
                app.state.update_schedule(id, schedule).await?;
                id
            }
            None => app.state.create_schedule(schedule).await?,
        };
        for old in stored.iter().filter(|schedule| schedule.id == id).flat_map(|schedule| &schedule.overrides) {
            app.state.remove_override(old.id).await?;
        }
        for over in overrides {
            app.state.add_override(id, over).await?;
        }
    }
    // A page that only edits schedules sends the default chain back: it stays the default, which follows the schedules.
    let is_untouched = app.state.escalation().await?.is_none() && escalation == respond::escalate::default_chain(&stored);
    if !is_untouched {
        app.state.set_escalation(&escalation).await?;
    }
    let what =
        format!("{} schedules, {} escalation steps, repeated {} times", wanted.len(), escalation.steps.len(), escalation.repeat);
    audit::record(&app, Line::of(Action::OncallChange, &person, what)).await;
    show(State(app), person).await
}

/// Reads the chain; a step names a person who can answer, or a schedule that stays.
fn read_escalation(wanted: &EscalationIn, users: &[User], schedules: &[i64]) -> Result<Escalation> {
    let repeat = wanted.repeat.unwrap_or_else(|| respond::escalate::default_chain(&[]).repeat);
    if !(1..=20).contains(&wanted.steps.len()) {
        return Err(ApiError { field: Some("escalation"), ..ApiError::bad("invalid", "an escalation has 1 to 20 steps") });
    }
    if repeat > 9 {
        return Err(ApiError { field: Some("repeat"), ..ApiError::bad("invalid", "an escalation repeats at most 9 times") });
    }
    let step = |(at, step): (usize, &StepIn)| new_step(at, step, users, schedules);
    Ok(Escalation { steps: wanted.steps.iter().enumerate().map(step).collect::<Result<Vec<Step>>>()?, repeat })
}

fn new_schedule(schedule: &ScheduleIn, users: &[User]) -> Result<NewSchedule> {
    let wrong = |what: String| ApiError::bad("invalid", format!("schedule {:?}: {what}", schedule.name));
    let rotation = &schedule.rotation;
    let turn = match rotation.kind.as_str() {
        "daily" => Turn::Day,
        "weekly" => Turn::Week,
        kind => return Err(wrong(format!("rotation {kind:?} is neither daily nor weekly"))),
    };
    let members = schedule.members.iter().map(|name| user_id(name, users)).collect::<Result<Vec<i64>>>()?;
    if schedule.name.trim().is_empty() || rotation.every == 0 {
        return Err(wrong("a schedule needs a name, and a turn lasts at least one day".into()));
    }
    let new = NewSchedule {
        name: schedule.name.trim().to_owned(),
        timezone: schedule.timezone.clone(),
        members,
        rotation: Rotation {
            turn,
            every: rotation.every,
            start: rotation
                .start
                .parse::<NaiveDate>()
                .map_err(|_| wrong(format!("{:?} is no date yyyy-mm-dd", rotation.start)))?,
            hand_over: NaiveTime::parse_from_str(&rotation.handover, "%H:%M")
                .map_err(|_| wrong(format!("{:?} is no time HH:mm", rotation.handover)))?,
        },
    };
    schedule::validate(&new).map_err(wrong)?;
    Ok(new)
}

fn overrides(schedule: &ScheduleIn, users: &[User], person: &Person, now: i64) -> Result<Vec<Override>> {
    let one = |over: &OverrideIn| {
        if read("to", &over.to)? <= read("from", &over.from)? {
            return Err(ApiError::bad("invalid", format!("schedule {:?}: an override ends after it starts", schedule.name)));
        }
        Ok(Override {
            id: 0,
            person: user_id(&over.user, users)?,
            starts: read("from", &over.from)?,
            ends: read("to", &over.to)?,
            reason: over.reason.clone(),
            created_by: person.user.name.clone(),
            created: now,
        })
    };
    schedule.overrides.iter().map(one).collect()
}

fn new_step(at: usize, step: &StepIn, users: &[User], schedules: &[i64]) -> Result<Step> {
    if step.wait_minutes > WAIT_MINUTES_MAX {
        return Err(wrong_step(at, format!("a wait is at most {WAIT_MINUTES_MAX} minutes, this one is {}", step.wait_minutes)));
    }
    let target = match step.target.split_once(':') {
        None if step.target == "everyone" => Target::Everyone,
        Some(("user", name)) => {
            let user = users.iter().find(|user| user.name.eq_ignore_ascii_case(name));
            let user = user.ok_or_else(|| wrong_step(at, format!("there is no account {name:?}")))?;
            if user.disabled || !user.role.may_handle_incidents() {
                return Err(wrong_step(
                    at,
                    format!("{:?} cannot handle incidents: the account is closed or its role only reads", user.name),
                ));
            }
            Target::User { id: user.id }
        }
        Some(("oncall", id)) => match id.parse().ok().filter(|id| schedules.contains(id)) {
            Some(id) => Target::Schedule { id },
            None => return Err(wrong_step(at, format!("there is no schedule {id:?}"))),
        },
        _ => return Err(wrong_step(at, format!("target {:?} is none of everyone, user:NAME, oncall:ID", step.target))),
    };
    Ok(Step { wait_minutes: step.wait_minutes, target })
}

fn user_id(name: &str, users: &[User]) -> Result<i64> {
    let found = users.iter().find(|user| user.name.eq_ignore_ascii_case(name));
    found.map(|user| user.id).ok_or_else(|| ApiError::bad("invalid", format!("there is no account {name:?}")))
}

pub async fn channels(State(app): State<App>, _person: Person) -> Result<Json<Value>> {
    let names = user_names(&app.state.users().await?);
    let recent = app.state.recent_deliveries(200).await?;
    let channels = app.state.channels().await?;
    let shown = channels.iter().map(|channel| {
        let last = recent
            .iter()
            .find(|(_, of, _)| of.as_ref().is_some_and(|of| of.id == channel.id))
            .map(|(notification, ..)| notification);
        json!({
            "id": channel.id.to_string(),
            "kind": channel.kind.name(),
            "name": channel.person.and_then(|id| names.get(&id).cloned()).unwrap_or_else(|| "webhook".into()),
            "enabled": channel.enabled,
            "last_result": last.map(|last| last.status.clone()),
            "last_at": last.and_then(|last| last.finished).map(rfc3339),
        })
    });
    Ok(Json(shown.collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    kind: String,
    address: String,
}

/// Adds a mail address of the person who asks, or a webhook that hears of every page.
pub async fn add_channel(State(app): State<App>, person: Person, Body(new): Body<NewChannel>) -> Result<StatusCode> {
    person.need_admin()?;
    let kind = ChannelKind::by_name(&new.kind)
        .ok_or_else(|| ApiError::bad("invalid", format!("kind {:?} is neither email nor webhook", new.kind)))?;
    let of = (kind == ChannelKind::Email).then_some(person.user.id);
    done(app.responder.add_channel(of, kind, &new.address).await)?;
    audit::record(&app, Line::of(Action::ChannelCreate, &person, kind.name())).await;
    Ok(StatusCode::NO_CONTENT)
}

/// How long the test page's answer is waited for.
const TEST_WAIT: Duration = Duration::from_secs(8);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    #[serde(default)]
    channel: Option<String>,
}

/// Sends a page to the person who asks, or to one channel, and answers with what became of it within a few seconds.
pub async fn test_page(State(app): State<App>, person: Person, Body(test): Body<Test>) -> Result<Json<Value>> {
    person.need_admin()?;
    let begun = app.clock.now();
    match test.channel.as_deref().filter(|channel| !channel.is_empty()) {
        Some(id) => {
            let id = id.parse().map_err(|_| ApiError::not_found("channel"))?;
            done(app.responder.test_channel(id).await)?;
        }
        None => {
            done(app.responder.test_page(person.user.id).await)?;
        }
    }
    let names = user_names(&app.state.users().await?);
    let deadline = tokio::time::Instant::now() + TEST_WAIT;
    loop {
        let recent = app.state.recent_deliveries(50).await?;
        let of_test: Vec<_> =
            recent.iter().filter(|(line, ..)| line.created >= begun && line.page.starts_with("test-")).collect();
        // An attempt that has only begun says nothing yet.
        let is_over = !of_test.is_empty()
            && of_test
                .iter()
                .all(|(line, _, attempts)| line.finished.is_some() || attempts.iter().any(|attempt| attempt.finished.is_some()));
        if is_over || tokio::time::Instant::now() > deadline {
            let attempts: Vec<Value> = of_test.iter().map(|sent| super::incidents::notification_row(sent, &names)).collect();
            return Ok(Json(json!({ "attempts": attempts })));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Gives an account its mail address in place of an older one; an empty one only takes the older away.
pub async fn set_email(app: &App, user: &User, email: &str) -> Result<()> {
    for old in app.state.channels().await? {
        if old.person == Some(user.id) && old.kind == ChannelKind::Email && old.enabled {
            app.state.enable_channel(old.id, false).await?;
        }
    }
    if !email.is_empty() {
        done(app.responder.add_channel(Some(user.id), ChannelKind::Email, email).await)?;
    }
    Ok(())
}
