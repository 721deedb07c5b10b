//! Adopting a sender moves its past events: by question, not by rewriting, and for nobody else's rows.

use event::{Role, Scope, UNASSIGNED};

use super::world::{DAY, Row, START, SYSTEMS, World, admin, first_column, only, rows, run};
use crate::{AMENDED, Amendment, Amendments};

const SINCE: event::Micros = START + DAY;

fn amendment(address: &str, since: event::Micros, system: &str) -> Amendment {
    let (level, organization) = (Some(3), Some("so-khcn".to_owned()));
    Amendment { address: address.to_owned(), since, system: system.to_owned(), level, organization }
}

fn moves(row: &Row) -> bool {
    row.system == UNASSIGNED && row.sender() == "192.0.2.2" && row.timestamp >= SINCE
}

/// What the row's system reads as.
fn system(row: &Row) -> &'static str {
    if moves(row) { "mail" } else { row.system }
}

fn world() -> World {
    let world = World::new(rows(2_000, 5));
    world.engine.amend(Amendments::new([amendment("192.0.2.2", SINCE, "mail"), amendment("192.0.2.9", START, "portal")]));
    world
}

async fn count(world: &World, scope: &Scope, condition: &str) -> usize {
    let answer = world.ask_as(scope, &format!("SELECT count(*) FROM events WHERE {condition}")).await.unwrap();
    first_column(&answer.batches)[0].parse().unwrap()
}

#[test]
fn past_events_of_an_adopted_sender_read_as_its_systems() {
    let world = world();
    run(async {
        let expect = |test: &dyn Fn(&Row) -> bool| world.rows.iter().filter(|row| test(row)).count();
        assert!(expect(&moves) > 50, "the sample is worth its name");
        let scope = admin();
        for id in SYSTEMS {
            assert_eq!(count(&world, &scope, &format!("system.id = '{id}'")).await, expect(&|row| system(row) == id), "{id}");
        }
        assert_eq!(count(&world, &scope, "system.level = 3").await, expect(&moves));
        assert_eq!(count(&world, &scope, "organization.id = 'so-khcn'").await, expect(&moves));
        assert_eq!(count(&world, &scope, &format!("chieng.attribution = '{AMENDED}'")).await, expect(&moves));
        assert_eq!(count(&world, &scope, "system.id LIKE 'ma%' AND user.name = 'root'").await, {
            expect(&|row| system(row) == "mail" && row.user.as_deref() == Some("root"))
        });
        assert_eq!(count(&world, &scope, "true").await, world.rows.len(), "no row is lost or doubled");
        let sql = "SELECT event.id FROM events WHERE system.id = 'mail' ORDER BY timestamp DESC, event.id LIMIT 5";
        let mut newest: Vec<&Row> = world.rows.iter().filter(|row| system(row) == "mail").collect();
        newest.sort_by_key(|row| (std::cmp::Reverse(row.timestamp), row.id.clone()));
        assert_eq!(world.column(sql).await, newest[..5].iter().map(|row| row.id.clone()).collect::<Vec<_>>());
    });
}

#[test]
fn the_owner_of_the_adopting_system_sees_them_and_nobody_else_does() {
    let world = world();
    run(async {
        for id in ["mail", "finance", "portal"] {
            let scope = only(Role::Owner, &[id]);
            let seen = world.rows.iter().filter(|row| system(row) == id).count();
            assert_eq!(count(&world, &scope, "true").await, seen, "{id}");
            assert_eq!(count(&world, &scope, &format!("system.id <> '{id}'")).await, 0, "{id}");
        }
    });
}

#[test]
fn of_two_amendments_the_one_in_force_when_the_event_came_counts() {
    let world = World::new(rows(600, 6));
    let later = START + 2 * DAY;
    world.engine.amend(Amendments::new([amendment("192.0.2.2", START, "mail"), amendment("192.0.2.2", later, "portal")]));
    run(async {
        let of = |row: &&Row| row.system == UNASSIGNED && row.sender() == "192.0.2.2";
        let (new, old): (Vec<&Row>, Vec<&Row>) = world.rows.iter().filter(of).partition(|row| row.timestamp >= later);
        let amended = format!("chieng.attribution = '{AMENDED}'");
        assert_eq!(count(&world, &admin(), &format!("{amended} AND system.id = 'portal'")).await, new.len());
        assert_eq!(count(&world, &admin(), &format!("{amended} AND system.id = 'mail'")).await, old.len());
    });
}
