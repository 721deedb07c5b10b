//! Every catalogue name, unquoted, in every place.

use event::Field;

use super::world::{World, admin, rows, run};

#[test]
fn every_catalogue_name_can_be_written_everywhere() {
    let world = World::new(rows(40, 1));
    run(async {
        for field in Field::all() {
            let name = field.name();
            for sql in [
                format!("SELECT {name}, e.{name} AS x FROM events e WHERE e.{name} IS NULL OR {name} IS NOT NULL LIMIT 1"),
                format!("SELECT {name}, count(*) FROM events GROUP BY {name} ORDER BY {name} LIMIT 1"),
                format!("SELECT t.{name} FROM (SELECT {name} FROM events) AS t WHERE t.{name} IS NOT NULL LIMIT 1"),
            ] {
                let answer = world.engine.sql(&admin(), &sql, None).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                assert_eq!(answer.schema().field(0).name(), name, "{sql}");
                answer.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
        }
    });
}

#[test]
fn an_alias_hides_no_field() {
    let world = World::new(rows(40, 2));
    run(async {
        let plain = world.column("SELECT count(source.ip) FROM events").await;
        assert_eq!(world.column("SELECT count(source.ip) FROM events source").await, plain);
        assert_eq!(world.column("SELECT count(source.source.ip) FROM events AS source").await, plain);
        assert_eq!(world.column("SELECT count(\"source.ip\") FROM events").await, plain);
        assert_eq!(world.column("SELECT count(source.\"ip\") FROM events").await, plain);
        assert_eq!(world.column("WITH t AS (SELECT source.ip FROM events) SELECT count(t.source.ip) FROM t").await, plain);
        let nested = "SELECT count(*) FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE b.event.id = a.event.id AND b.source.ip IS NOT NULL)";
        assert_eq!(world.column(nested).await, plain);
    });
}

#[test]
fn unknown_names_get_a_place_and_a_suggestion() {
    let world = World::new(rows(40, 3));
    run(async {
        for (sql, message) in [
            ("SELECT sourc.ip FROM events", "unknown field sourc.ip (line 1, column 8); hint: did you mean source.ip?"),
            ("SELECT e.user.nam FROM events e", "unknown field e.user.nam (line 1, column 8); hint: did you mean user.name?"),
            ("SELECT 1 FROM event", "unknown table event (line 1, column 15); hint: did you mean events?"),
            ("SELECT\n  cont(*) FROM events", "unknown function cont (line 2, column 3); hint: did you mean count?"),
            ("SELECT source.ip FRM events", "expected end of statement, found: events (line 1, column 22)"),
            (
                "SELECT 1 FROM events WHERE user.name = \"root\"",
                "unknown field root (line 1, column 40); hint: text goes between single quotes; double quotes are for names",
            ),
        ] {
            let error = world.ask(sql).await.unwrap_err().to_string();
            let message = message.replace("expected end of statement", "Expected: end of statement");
            let error = error.replace("expected end of statement", "Expected: end of statement");
            assert_eq!(error, message, "{sql}");
        }
    });
}
