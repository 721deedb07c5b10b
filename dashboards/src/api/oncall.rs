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

use super::{
    Body,
    incidents::{done, user_names},
};
use crate::{
    App,
    auth::Person,
    error::{ApiError, Result},
    time::{read, rfc3339},
};

pub async fn show(State(app): State<App>, _person: Person) -> Result<Json<Value>> {
    let users = app.state.users().await?;
    let now = app.now();
    let schedules: Vec<Value> = app.state.schedules().await?.iter().map(|schedule| shown(schedule, &users, now)).collect();
    let names = user_names(&users);
    let stored = app.state.schedules().await?;
    let escalation = app.state.escalation().await?.unwrap_or_else(|| respond::escalate::default_chain(&stored));
    let steps: Vec<Value> = escalation
        .steps
        .iter()
        .map(|step| json!({ "wait_minutes": step.wait_minutes, "target": word(step.target, &names) }))
        .collect();
    Ok(Json(json!({ "schedules": schedules, "escalation": { "steps": steps, "repeat": escalation.repeat } })))
}

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
pub struct Document {
    schedules: Vec<ScheduleIn>,
    escalation: EscalationIn,
}

#[derive(Deserialize)]
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
struct OverrideIn {
    from: String,
    to: String,
    user: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct EscalationIn {
    steps: Vec<StepIn>,
    #[serde(default)]
    repeat: Option<u32>,
}

#[derive(Deserialize)]
struct StepIn {
    wait_minutes: u32,
    target: String,
}

/// Replaces the whole document; nothing is changed when any part of it is wrong.
pub async fn replace(State(app): State<App>, person: Person, Body(document): Body<Document>) -> Result<Json<Value>> {
    person.need_admin()?;
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
    let known: Vec<i64> = app.state.schedules().await?.iter().map(|schedule| schedule.id).collect();
    let kept: Vec<i64> = wanted.iter().filter_map(|(id, ..)| *id).filter(|id| known.contains(id)).collect();
    let steps = document.escalation.steps.iter().map(|step| new_step(step, &users, &known)).collect::<Result<Vec<Step>>>()?;
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
        let stored =
            app.state.schedules().await?.into_iter().find(|schedule| schedule.id == id).map(|schedule| schedule.overrides);
        for old in stored.unwrap_or_default() {
            app.state.remove_override(old.id).await?;
        }
        for over in overrides {
            app.state.add_override(id, over).await?;
        }
    }
    let repeat = document.escalation.repeat.unwrap_or_else(|| respond::escalate::default_chain(&[]).repeat);
    app.state.set_escalation(&Escalation { steps, repeat }).await?;
    show(State(app), person).await
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
    Ok(NewSchedule {
        name: schedule.name.clone(),
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
    })
}

fn overrides(schedule: &ScheduleIn, users: &[User], person: &Person, now: i64) -> Result<Vec<Override>> {
    let one = |over: &OverrideIn| {
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

fn new_step(step: &StepIn, users: &[User], schedules: &[i64]) -> Result<Step> {
    let target = match step.target.split_once(':') {
        None if step.target == "everyone" => Target::Everyone,
        Some(("user", name)) => Target::User { id: user_id(name, users)? },
        Some(("oncall", id)) => match id.parse().ok().filter(|id| schedules.contains(id)) {
            Some(id) => Target::Schedule { id },
            None => return Err(ApiError::bad("invalid", format!("step: there is no schedule {id:?}"))),
        },
        _ => {
            return Err(ApiError::bad(
                "invalid",
                format!("step: target {:?} is none of everyone, user:NAME, oncall:ID", step.target),
            ));
        }
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
        let is_over = !of_test.is_empty() && of_test.iter().all(|(line, ..)| line.finished.is_some() || line.tries > 0);
        if is_over || tokio::time::Instant::now() > deadline {
            let attempts: Vec<Value> = of_test.iter().map(|sent| super::incidents::notification_row(sent, &names)).collect();
            return Ok(Json(json!({ "attempts": attempts })));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Gives an account its mail address, replacing an older one.
pub async fn set_email(app: &App, name: &str, email: &str) -> Result<()> {
    let user = app.state.user_by_name(name).await?.ok_or_else(|| ApiError::not_found("account"))?;
    for old in app.state.channels().await? {
        if old.person == Some(user.id) && old.kind == ChannelKind::Email && old.enabled {
            app.state.enable_channel(old.id, false).await?;
        }
    }
    done(app.responder.add_channel(Some(user.id), ChannelKind::Email, email).await)?;
    Ok(())
}
