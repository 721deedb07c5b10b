//! Jobs: one's own, within an allowance, in the scope of the asking, interrupted by a restart.

use event::{Role, Scope, Systems};
use state::jobs::{Allowance, Ending, NewJob, Status};

use crate::{Db, accounts::person};

const ALLOWED: Allowance = Allowance { jobs: 3, under_way: 2, bytes: 1_000, keep: 100 };

fn job() -> NewJob {
    let systems = Systems::Only(["mot".to_owned()].into());
    let scope = Scope { actor: "lan".into(), role: Role::Analyst, systems };
    NewJob { q: "user.name:root".into(), mode: "search", from: 5, to: 9, columns: vec!["user.name".into()], scope }
}

#[tokio::test]
async fn a_job_is_its_owners_and_remembers_the_scope_of_the_asking() {
    let db = Db::new().await;
    let lan = db.state.create_user(person("lan", Role::Analyst), 1).await.unwrap().id;
    let minh = db.state.create_user(person("minh", Role::Admin), 1).await.unwrap().id;
    let made = db.state.create_job(lan, &job(), ALLOWED, 10).await.unwrap();
    assert_eq!((made.status, made.scope.clone(), made.expires), (Status::Waiting, job().scope, 110));
    assert_eq!(db.state.job(made.id, lan).await.unwrap().as_ref(), Some(&made));
    assert_eq!(db.state.job(made.id, minh).await.unwrap(), None);
    assert!(db.state.jobs(minh).await.unwrap().is_empty() && !db.state.remove_job(made.id, minh).await.unwrap());
    assert_eq!(db.state.start_job(made.id, 11).await.unwrap(), Some(0));
    let ending = Ending { rows: 7, bytes: 400, is_table: true, reason: Some("x".repeat(9_000)) };
    assert!(db.state.end_job(made.id, Status::Done, &ending, 100, 20).await.unwrap());
    assert!(!db.state.end_job(made.id, Status::Failed, &ending, 100, 21).await.unwrap(), "an end is final");
    let done = db.state.job(made.id, lan).await.unwrap().unwrap();
    assert_eq!((done.status, done.ending.rows, done.ended, done.expires), (Status::Done, 7, Some(20), 120));
    assert_eq!(done.ending.reason.map(|reason| reason.len()), Some(500));
    assert_eq!(db.state.expire_jobs(119).await.unwrap(), 0);
    assert_eq!(db.state.expire_jobs(120).await.unwrap(), 1);
    assert!(db.state.jobs(lan).await.unwrap().is_empty());
}

#[tokio::test]
async fn nobody_has_more_than_the_allowance() {
    let db = Db::new().await;
    let lan = db.state.create_user(person("lan", Role::Analyst), 1).await.unwrap().id;
    let take = async || db.state.create_job(lan, &job(), ALLOWED, 10).await;
    let (one, two) = (take().await.unwrap().id, take().await.unwrap().id);
    assert!(take().await.unwrap_err().to_string().contains("wait or run"));
    let end = async |id, bytes| {
        let ending = Ending { bytes, ..Ending::default() };
        assert!(db.state.end_job(id, Status::Done, &ending, 100, 20).await.unwrap());
    };
    end(one, 400).await;
    assert_eq!(db.state.start_job(two, 12).await.unwrap(), Some(400), "what the other answers take");
    end(two, 600).await;
    assert!(take().await.unwrap_err().to_string().contains("fill"));
    assert!(db.state.remove_job(two, lan).await.unwrap());
    let (three, four) = (take().await.unwrap().id, take().await.unwrap().id);
    end(three, 0).await;
    assert!(take().await.unwrap_err().to_string().contains("at most 3"));
    assert_eq!(db.state.start_job(9_999, 1).await.unwrap(), None);
    let mut files = db.state.jobs_with_files().await.unwrap();
    files.sort_unstable();
    assert_eq!(files, [one, three, four]);
}

#[tokio::test]
async fn what_ran_is_interrupted_and_what_was_done_stays() {
    let db = Db::new().await;
    let lan = db.state.create_user(person("lan", Role::Analyst), 1).await.unwrap().id;
    let done = db.state.create_job(lan, &job(), ALLOWED, 10).await.unwrap().id;
    db.state.end_job(done, Status::Done, &Ending::default(), 100, 20).await.unwrap();
    let running = db.state.create_job(lan, &job(), ALLOWED, 10).await.unwrap().id;
    db.state.start_job(running, 11).await.unwrap();
    let db = db.reopened().await;
    assert_eq!(db.state.interrupt_jobs(30).await.unwrap(), 1);
    let seen: Vec<(i64, Status)> = db.state.jobs(lan).await.unwrap().iter().map(|job| (job.id, job.status)).collect();
    assert_eq!(seen, [(running, Status::Interrupted), (done, Status::Done)]);
    assert_eq!(db.state.jobs_with_files().await.unwrap(), [done]);
}
