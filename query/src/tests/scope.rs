//! A system owner sees its own systems, whatever the statement; hidden values are tokens everywhere.

use std::sync::Arc;

use datafusion::arrow::{
    array::{ArrayRef, StringViewArray},
    datatypes::{DataType, Field as ArrowField, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use event::{
    Role,
    seam::{BoxFuture, SeamError, TableSource},
};

use super::world::{SYSTEMS, World, admin, lines, only, rows, run};
use crate::{Limits, hunt::FacetsRequest, hunt::HistogramRequest, hunt::HuntRequest};

/// Statements of every shape; each is a way somebody might look around the filter.
const SHAPES: [&str; 30] = [
    "SELECT * FROM events",
    "SELECT count(*) FROM events",
    "SELECT count(system.id), min(timestamp), max(timestamp), count(DISTINCT system.id) FROM events",
    "SELECT system.id, count(*) FROM events GROUP BY system.id",
    "SELECT DISTINCT user.name FROM events",
    "SELECT * FROM events WHERE system.id = 'finance'",
    "SELECT * FROM events WHERE system.id <> 'portal' OR system.id IS NULL OR true",
    "SELECT event.id FROM events WHERE NOT (system.id = 'portal')",
    "SELECT a.event.id FROM events a JOIN events b ON a.user.name = b.user.name WHERE b.system.id = 'finance'",
    "SELECT a.event.id FROM events a LEFT JOIN events b ON a.event.id = b.event.id AND b.system.id = 'mail' WHERE b.event.id IS NOT NULL",
    "SELECT count(*) FROM events a FULL OUTER JOIN events b ON a.event.id = b.event.id",
    "SELECT event.id FROM events WHERE user.name IN (SELECT user.name FROM events WHERE system.id = 'finance')",
    "SELECT event.id FROM events e WHERE EXISTS (SELECT 1 FROM events i WHERE i.system.id = 'mail' AND i.source.ip = e.source.ip)",
    "SELECT (SELECT count(*) FROM events WHERE system.id = 'finance') AS n",
    "SELECT (SELECT max(event.id) FROM events) AS n",
    "SELECT event.id FROM events UNION ALL SELECT event.id FROM events WHERE system.id = 'mail'",
    "SELECT event.id FROM events EXCEPT SELECT event.id FROM events WHERE system.id = 'portal'",
    "WITH t AS (SELECT * FROM events) SELECT system.id, count(*) FROM t GROUP BY 1",
    "SELECT event.id, count(*) OVER () AS n FROM events",
    "SELECT system.id, rank() OVER (ORDER BY system.id) AS r FROM events",
    "SELECT event.id FROM events ORDER BY timestamp DESC, event.id LIMIT 7",
    "SELECT event.id FROM events ORDER BY event.id LIMIT 7",
    "SELECT array_agg(DISTINCT system.id ORDER BY system.id) FROM events",
    "SELECT string_agg(event.id, ',' ORDER BY event.id) FROM events",
    "SELECT count(*) FROM events WHERE match('failed')",
    "SELECT related.ip, count(*) FROM events GROUP BY 1",
    "SELECT count(*) FROM events WHERE rare.key = '7'",
    "SELECT name FROM fields",
    "SELECT * FROM tables",
    "SELECT system, count(*) FROM alerts GROUP BY system",
];

struct Alerts(Vec<&'static str>);

impl TableSource for Alerts {
    fn name(&self) -> &'static str {
        "alerts"
    }

    fn schema(&self) -> SchemaRef {
        let entity = ArrowField::new("entity", DataType::Utf8View, true);
        let entity = entity.with_metadata([(crate::PRIVACY_METADATA.to_owned(), "personal".to_owned())].into());
        Arc::new(Schema::new(vec![ArrowField::new("system", DataType::Utf8View, true), entity]))
    }

    fn scope_column(&self) -> Option<&'static str> {
        Some("system")
    }

    fn scan(&self) -> BoxFuture<'_, Result<Vec<RecordBatch>, SeamError>> {
        let systems: ArrayRef = Arc::new(self.0.iter().map(|system| Some(*system)).chain([None]).collect::<StringViewArray>());
        let entities: ArrayRef = Arc::new(self.0.iter().map(|_| Some("an")).chain([None]).collect::<StringViewArray>());
        Box::pin(async move { Ok(vec![RecordBatch::try_new(self.schema(), vec![systems, entities]).unwrap()]) })
    }
}

struct Secrets;

impl TableSource for Secrets {
    fn name(&self) -> &'static str {
        "secrets"
    }

    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::empty())
    }

    fn scope_column(&self) -> Option<&'static str> {
        None
    }

    fn scan(&self) -> BoxFuture<'_, Result<Vec<RecordBatch>, SeamError>> {
        Box::pin(async { Ok(vec![]) })
    }
}

pub fn world(rows: Vec<super::world::Row>, alerts: &[&'static str]) -> World {
    World::with(rows, Limits::default(), vec![Arc::new(Alerts(alerts.to_vec())), Arc::new(Secrets)])
}

/// The answer over the whole province, asked by an owner, is the answer over a province in which nothing else exists.
#[test]
fn a_restricted_asker_lives_in_a_smaller_province() {
    run(async {
        for seed in 1..=3 {
            let all = rows(300, seed);
            let mine: Vec<_> = all.iter().filter(|row| row.system == "portal").cloned().collect();
            let (whole, small) = (world(all, &SYSTEMS), world(mine, &["portal"]));
            for role in [Role::Owner, Role::Auditor, Role::Analyst] {
                let scope = only(role, &["portal", event::UNASSIGNED]);
                for sql in SHAPES {
                    let seen = whole.ask_as(&scope, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                    let expected = small.ask_as(&scope, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                    assert_eq!(lines(&seen), lines(&expected), "seed {seed}, {role:?}: {sql}");
                }
            }
            let nobody = only(Role::Owner, &[]);
            let answer = whole.ask_as(&nobody, "SELECT count(*) AS n FROM events").await.unwrap();
            assert_eq!(lines(&answer), [r#"{"n":0}"#]);
        }
    });
}

#[test]
fn plans_and_numbers_tell_nothing_of_the_rest() {
    let all = rows(300, 9);
    let mine = all.iter().filter(|row| row.system == "portal").count() as u64;
    let whole = world(all, &SYSTEMS);
    let scope = only(Role::Owner, &["portal"]);
    run(async {
        for sql in SHAPES {
            for explain in ["EXPLAIN", "EXPLAIN VERBOSE", "EXPLAIN ANALYZE"] {
                let text = lines(&whole.ask_as(&scope, &format!("{explain} {sql}")).await.unwrap()).join("\n");
                assert!(!text.contains("segments=") && !text.contains("hot batches"), "{explain} {sql}: {text}");
                let foreign =
                    ["'mail'", "finance", "unassigned"].iter().any(|system| text.contains(system) && !sql.contains(system));
                assert!(!foreign, "{explain} {sql}: {text}");
            }
        }
        let answer = whole.ask_as(&scope, "SELECT user.name FROM events WHERE user.name = 'nobody'").await.unwrap();
        assert!(answer.stats.rows <= mine, "{:?}", answer.stats);
        // An expression that fails on rows out of scope must not show that they exist.
        let trap = "SELECT 1 / (CASE WHEN system.id = 'portal' THEN 1 ELSE 0 END) FROM events WHERE 1 / (CASE WHEN system.id = 'portal' THEN 1 ELSE 0 END) = 1";
        assert_eq!(whole.ask_as(&scope, trap).await.unwrap().num_rows() as u64, mine);
        assert!(whole.ask(trap).await.is_err());
        assert!(whole.ask_as(&scope, "SELECT * FROM secrets").await.is_err());
        assert!(whole.ask("SELECT count(*) FROM secrets").await.is_ok());
    });
}

#[test]
fn the_hunt_page_is_scoped_too() {
    let all = rows(300, 5);
    let mine = all.iter().filter(|row| row.system == "portal").count();
    let foreign = all.iter().find(|row| row.system == "mail").unwrap().id.clone();
    let whole = world(all, &SYSTEMS);
    let scope = only(Role::Owner, &["portal"]);
    run(async {
        let hunt = whole.engine.hunt(&scope, HuntRequest { limit: 1000, ..HuntRequest::default() }).await.unwrap();
        assert_eq!(hunt.rows.iter().map(RecordBatch::num_rows).sum::<usize>(), mine);
        let (from, to) = (super::world::START, super::world::START + 4 * super::world::DAY);
        let request = HistogramRequest { from, to, buckets: 10, by: Some("system.id".to_owned()), ..Default::default() };
        let histogram = whole.engine.histogram(&scope, request).await.unwrap();
        assert_eq!(histogram.total as usize, mine);
        assert!(histogram.buckets.iter().flat_map(|bucket| &bucket.parts).all(|(part, _)| part == "portal"));
        let request = FacetsRequest { fields: vec!["system.id".to_owned()], ..Default::default() };
        let facets = whole.engine.facets(&scope, request).await.unwrap();
        assert_eq!(facets[0].values, [("portal".to_owned(), mine as u64)]);
        assert!(whole.engine.event_by_id(&scope, &foreign).await.unwrap().is_none());
        assert!(whole.engine.event_by_id(&admin(), &foreign).await.unwrap().is_some());
    });
}

#[test]
fn hidden_values_are_tokens_in_every_use() {
    let whole = world(rows(300, 6), &SYSTEMS);
    let auditor = event::Scope { systems: event::Systems::All, ..only(Role::Auditor, &[]) };
    let owner = event::Scope { systems: event::Systems::All, ..only(Role::Owner, &[]) };
    run(async {
        let text = lines(&whole.ask_as(&auditor, "SELECT * FROM events").await.unwrap()).join("\n");
        for plain in ["203.0.113", "nguyễn", "Failed", "root", "rm -rf", "seldom"] {
            assert!(!text.contains(plain), "{plain}");
        }
        // The same groups, under other names.
        let sql = "SELECT user.name, count(*) AS n FROM events GROUP BY 1 ORDER BY n, 1";
        let (masked, plain) = (whole.ask_as(&auditor, sql).await.unwrap(), whole.ask(sql).await.unwrap());
        let counts = |answer: &crate::Collected| {
            let mut counts: Vec<String> = lines(answer).iter().map(|line| line.rsplit(':').next().unwrap().to_owned()).collect();
            counts.sort();
            counts
        };
        assert_eq!(counts(&masked), counts(&plain));
        // A guess is no oracle: neither filter nor function sees the plain value.
        for condition in [
            "user.name = 'root'",
            "user.name LIKE 'r%'",
            "related.ip = '10.0.0.1'",
            "cidr(source.ip, '0.0.0.0/0')",
            "match('failed')",
            "event.original ~ 'Failed'",
            "fortinet.level = '5'",
            "rare.key = '7'",
            "length(user.name) = 4",
        ] {
            let answer = whole.ask_as(&auditor, &format!("SELECT count(*) AS n FROM events WHERE {condition}")).await.unwrap();
            assert_eq!(lines(&answer), [r#"{"n":0}"#], "{condition}");
        }
        // But the token can be asked for.
        let token = super::world::first_column(
            &whole.ask_as(&auditor, "SELECT max(user.name) FROM events WHERE user.name IS NOT NULL").await.unwrap().batches,
        );
        let sql = format!("SELECT DISTINCT user.name FROM events WHERE user.name = '{}'", token[0]);
        assert_eq!(whole.ask_as(&auditor, &sql).await.unwrap().num_rows(), 1);
        assert!(token[0].starts_with("p:"));
        // ORDER BY a hidden field orders tokens, and finds the same smallest ones as a full sort.
        let top = whole
            .ask_as(&auditor, "SELECT user.name FROM events WHERE user.name IS NOT NULL ORDER BY user.name LIMIT 3")
            .await
            .unwrap();
        let min = whole.ask_as(&auditor, "SELECT min(user.name) FROM events").await.unwrap();
        assert_eq!(super::world::first_column(&top.batches)[0], super::world::first_column(&min.batches)[0]);
        // An owner reads names, but not command lines.
        let row =
            lines(&whole.ask_as(&owner, "SELECT DISTINCT user.name, process.command_line FROM events").await.unwrap()).join("\n");
        assert!(row.contains("root") && row.contains("s:") && !row.contains("rm -rf"));
        let alerts = lines(&whole.ask_as(&auditor, "SELECT DISTINCT entity FROM alerts").await.unwrap()).join("");
        assert!(alerts.contains("p:") && !alerts.contains("\"an\""));
    });
}
