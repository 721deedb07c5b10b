//! What a scan leaves out, and what the hunt page gets.

use std::collections::BTreeSet;

use datafusion::arrow::record_batch::RecordBatch;

use super::world::{DAY, START, World, admin, first_column, rows, run};
use crate::{
    hunt::{FacetsRequest, HistogramRequest, HuntError, HuntRequest},
    search::{Window, fuzz_search},
};

#[test]
fn time_and_dataset_skip_segments() {
    let world = World::new(rows(600, 1));
    run(async {
        let sql = format!("SELECT count(*) FROM events WHERE timestamp < '{}'", crate::encode::rfc3339(START + DAY / 4));
        let answer = world.ask(&sql).await.unwrap();
        let expected = world.rows.iter().filter(|row| row.timestamp < START + DAY / 4).count();
        assert_eq!(first_column(&answer.batches), [expected.to_string()]);
        assert_eq!(answer.stats.segments, 18);
        assert!(answer.stats.segments_skipped >= 15, "{:?}", answer.stats);
        let answer = world.ask("SELECT count(*) FROM events WHERE event.dataset = 'sshd.auth'").await.unwrap();
        assert_eq!(answer.stats.segments_skipped, 12, "{:?}", answer.stats);
        let answer = world.ask("SELECT count(*) FROM events WHERE event.dataset IN ('x', 'y')").await.unwrap();
        assert_eq!(answer.stats.segments_skipped, 18, "{:?}", answer.stats);
    });
}

#[test]
fn pages_are_skipped_by_their_statistics() {
    let world = World::new(rows(3000, 2));
    run(async {
        let id = "n1-1234-0";
        let answer = world
            .ask(&format!("SELECT event.id FROM events WHERE timestamp = (SELECT timestamp FROM events WHERE event.id = '{id}')"))
            .await;
        assert!(first_column(&answer.unwrap().batches).contains(&id.to_owned()));
        let from = START + DAY;
        let sql = format!(
            "SELECT count(*) FROM events WHERE timestamp >= '{}' AND timestamp < '{}'",
            crate::encode::rfc3339(from),
            crate::encode::rfc3339(from + DAY / 100)
        );
        let answer = world.ask(&sql).await.unwrap();
        let expected = world.rows.iter().filter(|row| row.timestamp >= from && row.timestamp < from + DAY / 100).count();
        assert_eq!(first_column(&answer.batches), [expected.to_string()]);
        // Hot rows are all looked at; of the files only pages around the moment.
        assert!(answer.stats.rows < 300 + 200, "{:?}", answer.stats);
    });
}

#[test]
fn the_newest_rows_stop_the_scan_early() {
    let world = World::new(rows(3000, 3));
    run(async {
        let answer = world.ask("SELECT * FROM events ORDER BY timestamp DESC LIMIT 10").await.unwrap();
        let mut times: Vec<_> = world.rows.iter().map(|row| row.timestamp).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        let expected: Vec<String> = times[..10].iter().map(|time| crate::encode::rfc3339(*time)).collect();
        let found = crate::encode::json_rows(&answer.batches, crate::encode::Nulls::Omit).unwrap();
        let found: Vec<_> = found.iter().map(|row| row["@timestamp"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found, expected);
        assert!(answer.stats.segments_skipped > 10, "{:?}", answer.stats);
    });
}

#[test]
fn pages_of_a_hunt_tile() {
    let world = World::new(rows(500, 4));
    run(async {
        let (mut seen, mut before, mut last) = (BTreeSet::new(), None, i64::MAX);
        loop {
            let request = HuntRequest { limit: 70, before: before.clone(), ..HuntRequest::default() };
            let page = world.engine.hunt(&admin(), request).await.unwrap();
            for row in crate::encode::json_rows(&page.rows, crate::encode::Nulls::Omit).unwrap() {
                assert!(seen.insert(row["event.id"].as_str().unwrap().to_owned()));
                let time = chrono::DateTime::parse_from_rfc3339(row["@timestamp"].as_str().unwrap()).unwrap().timestamp_micros();
                assert!(time <= last);
                last = time;
            }
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 500);
    });
}

#[test]
fn a_hunt_shows_its_sql_and_its_columns() {
    let world = World::new(rows(300, 5));
    run(async {
        let request = HuntRequest { q: "failed source.port:22".to_owned(), limit: 5, ..HuntRequest::default() };
        let hunt = world.engine.hunt(&admin(), request).await.unwrap();
        assert_eq!(
            hunt.sql,
            "SELECT * FROM events WHERE match('failed') AND source.port = 22 ORDER BY timestamp DESC, event.id DESC LIMIT 5"
        );
        let names: Vec<_> = hunt.columns.iter().map(|column| column.name.as_str()).collect();
        assert!(names.contains(&"source.port") && !names.contains(&"dns.question.name"), "{names:?}");
        let request = HuntRequest { q: "fortinet.level>7 rare.key:*".to_owned(), limit: 500, ..HuntRequest::default() };
        let hunt = world.engine.hunt(&admin(), request).await.unwrap();
        let expected = |row: &&super::world::Row| {
            row.rare.is_some() && row.vendor.as_ref().is_some_and(|level| level.parse::<f64>().is_ok_and(|level| level > 7.0))
        };
        let expected = world.rows.iter().filter(expected).count();
        assert!(expected > 0);
        assert_eq!(hunt.rows.iter().map(RecordBatch::num_rows).sum::<usize>(), expected);
        let error =
            world.engine.hunt(&admin(), HuntRequest { q: "a fortinet.levl:5".to_owned(), ..HuntRequest::default() }).await;
        let Err(HuntError::Search(error)) = error else { panic!("{error:?}") };
        assert_eq!((error.offset, error.len), (2, 13));
        assert!(error.message.contains("fortinet.level"), "{error}");
    });
}

#[test]
fn histogram_and_facets_count_every_row_once() {
    let world = World::new(rows(800, 6));
    run(async {
        let request = HistogramRequest {
            from: START,
            to: START + 4 * DAY,
            buckets: 60,
            by: Some("system.id".to_owned()),
            ..Default::default()
        };
        let histogram = world.engine.histogram(&admin(), request).await.unwrap();
        assert_eq!(histogram.total, 800);
        assert_eq!(histogram.buckets.iter().map(|bucket| bucket.n).sum::<u64>(), 800);
        assert!(histogram.buckets.iter().all(|bucket| bucket.parts.iter().map(|(_, n)| n).sum::<u64>() == bucket.n));
        assert!(histogram.buckets.len() >= 40 && histogram.buckets.len() <= 110, "{}", histogram.buckets.len());
        let request = FacetsRequest {
            q: "source.port:22".to_owned(),
            fields: vec!["user.name".to_owned(), "related.ip".to_owned(), "rare.key".to_owned()],
            values: 2,
            ..Default::default()
        };
        let facets = world.engine.facets(&admin(), request).await.unwrap();
        for facet in facets {
            let values: Vec<String> =
                world.rows.iter().filter(|row| row.port == Some(22)).flat_map(|row| row.values(&facet.field.name)).collect();
            assert_eq!(facet.values.iter().map(|(_, n)| n).sum::<u64>() + facet.other, values.len() as u64, "{facet:?}");
            for (value, n) in &facet.values {
                assert_eq!(values.iter().filter(|found| *found == value).count() as u64, *n);
            }
        }
    });
}

#[test]
fn fields_are_listed_with_their_labels() {
    let world = World::new(rows(100, 7));
    let fields = world.engine.fields(&admin());
    let level = fields.iter().find(|field| field.column.name == "fortinet.level").unwrap();
    assert_eq!(level.column.r#type, "text");
    let ip = fields.iter().find(|field| field.column.name == "source.ip").unwrap();
    assert!(ip.column.r#type == "ip" && !ip.column.label_vi.is_empty() && !ip.doc.is_empty());
    assert!(world.engine.compile(&admin(), "rare.key:7", &Window::default()).is_ok());
    fuzz_search(b"a or (b");
}

#[test]
fn an_explanation_says_what_was_left_out_and_why() {
    let world = World::new(rows(600, 8));
    run(async {
        let day = crate::encode::rfc3339(START + DAY / 4);
        let told = async |scope: &event::Scope, sql: &str| {
            let explanation = world.engine.explain(scope, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert!(explanation.complete);
            assert!(explanation.sentences.iter().all(|one| !one.en.contains('{') && !one.vi.contains('{')), "{explanation:?}");
            explanation.sentences
        };
        let figure = |told: &[crate::Sentence], code: &str| {
            told.iter().find(|one| one.code == code).unwrap_or_else(|| panic!("{code}: {told:?}")).figures.clone()
        };
        let sql = format!(
            "SELECT event.id FROM events WHERE timestamp < '{day}' AND event.dataset = 'sshd.auth' AND length(user.name) = 4"
        );
        let found = told(&admin(), &sql).await;
        assert_eq!(figure(&found, "segments"), [18]);
        assert!(figure(&found, "skipped_time")[0] >= 15, "{found:?}");
        assert!(figure(&found, "skipped_dataset")[0] >= 2, "{found:?}");
        let wanted = world.rows.iter().filter(|row| {
            row.timestamp < START + DAY / 4
                && row.dataset == "sshd.auth"
                && row.user.as_ref().is_some_and(|user| user.chars().count() == 4)
        });
        assert_eq!(figure(&found, "rows")[1], wanted.count() as u64);
        let of = |code: &str| found.iter().filter(|one| one.code == code).filter_map(|one| one.about.clone()).collect::<Vec<_>>();
        assert_eq!(of("by_catalogue").len(), 2, "{found:?}");
        assert!(of("computed").iter().any(|about| about.contains("length") || about.contains("char")), "{found:?}");
        let found = told(&admin(), "SELECT count(*) FROM events").await;
        assert!(found.iter().any(|one| one.code == "no_condition"));
        let found = told(&admin(), "SELECT * FROM events WHERE match('failed') AND source.port > 70000").await;
        assert!(
            found.iter().any(|one| one.code == "by_index") && found.iter().any(|one| one.code == "by_statistics"),
            "{found:?}"
        );
        assert!(figure(&found, "row_groups")[0] > 0);
        // An auditor sees names masked, and an owner no figure that mixes systems.
        let auditor = event::Scope { systems: event::Systems::All, ..super::world::only(event::Role::Auditor, &[]) };
        let found = told(&auditor, "SELECT count(*) FROM events WHERE user.name = 'root'").await;
        assert!(found.iter().any(|one| one.code == "masked"), "{found:?}");
        let owner = super::world::only(event::Role::Owner, &["portal"]);
        let found = told(&owner, "SELECT count(*) FROM events WHERE source.port = 22").await;
        assert!(!found.iter().any(|one| matches!(one.code, "hot" | "row_groups" | "index_rows")), "{found:?}");
        let mine = world.rows.iter().filter(|row| row.system == "portal").count() as u64;
        assert!(figure(&found, "rows")[0] <= mine);
        assert!(world.engine.explain(&admin(), "DROP TABLE events").await.is_err());
    });
}
