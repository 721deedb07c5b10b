//! Observations: the newest event wins, in whatever order and how often it is applied; and the tables `query` shows.

use event::{Role, Scope, Systems};
use proptest::prelude::*;
use state::observations::{Observation, ObservationFilter};

use crate::Db;

fn seen(entity: u8, at: i64, id: u8) -> Observation {
    Observation {
        entity: format!("host:pc-{entity}"),
        key: "antimalware.signature_date".into(),
        value: format!("{at}-{id}"),
        system: if entity == 0 { "a".into() } else { "b".into() },
        last_seen: at,
        event_id: format!("n-{id:03}-0"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn order_and_repetition_do_not_matter(events in prop::collection::vec((0u8..3, 0i64..5, 0u8..5), 1..20), seed in 0usize..1000) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let all: Vec<Observation> = events.iter().map(|(entity, at, id)| seen(*entity, *at, *id)).collect();
        let mut other = all.clone();
        other.rotate_left(seed % all.len());
        other.reverse();
        other.extend(all[..seed % all.len()].to_vec());
        let (one, two) = runtime.block_on(async {
            let (one, two) = (Db::new().await, Db::new().await);
            one.state.observe(&all).await.unwrap();
            two.state.observe(&other).await.unwrap();
            prop_assert_eq!(two.state.observe(&all).await.unwrap(), 0, "applying again changes nothing");
            let scope = Scope::internal("test");
            let read = async |db: &Db| db.state.observations(&scope, &ObservationFilter::default()).await.unwrap();
            Ok((read(&one).await, read(&two).await))
        })?;
        prop_assert_eq!(one, two);
    }
}

#[tokio::test]
async fn a_system_owner_sees_own_systems_only() {
    let db = Db::new().await;
    db.state.observe(&[seen(0, 1, 1), seen(1, 1, 1)]).await.unwrap();
    let owner = Scope { actor: "x".into(), role: Role::Owner, systems: Systems::Only(["b".to_owned()].into()) };
    let visible = db.state.observations(&owner, &ObservationFilter::default()).await.unwrap();
    assert_eq!(visible.len(), 1);
    assert_eq!(visible[0].system, "b");
}

#[tokio::test]
async fn tables_give_what_their_schema_says() {
    let db = Db::new().await;
    db.state.observe(&[seen(0, 1, 1)]).await.unwrap();
    crate::matches::record(&db, 1, vec![crate::matches::alert("a", 1)]).await;
    let tables = db.state.response_tables();
    assert_eq!(tables.iter().map(|table| table.name()).collect::<Vec<_>>(), ["alerts", "incidents", "observations"]);
    for table in tables {
        let batches = table.scan().await.unwrap();
        assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 1, "{}", table.name());
        assert_eq!(batches[0].schema(), table.schema(), "{}", table.name());
        assert!(table.schema().field_with_name(table.scope_column().unwrap()).is_ok());
    }
}
