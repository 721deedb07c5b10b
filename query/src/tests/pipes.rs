//! Commands after `|`: what they answer, and that every one of them keeps scope and masking.

use std::sync::{LazyLock, Mutex, PoisonError};

use event::{Role, Scope, Systems};
use proptest::{prelude::*, test_runner::Config};
use serde_json::Value;

use super::{
    oracle::{self, Map, Val},
    world::{SYSTEMS, World, admin, lines, only, rows, run},
};
use crate::{
    Collected, HuntRequest,
    encode::{Nulls, json_rows, rfc3339},
    search::{Shape, Window},
};

/// Searches of every command and of most ways to put them together.
pub const SEARCHES: [&str; 48] = [
    "failed | where source.port = 22",
    "| where source.port != 22 or not user.name = \"root\"",
    "| where fortinet.level > 7 and rare.key is not null",
    "| where source.ip = 10.0.0.0/8 and related.ip in (10.0.0.1, 203.0.113.7)",
    "| where user.name ~ \"^r\" or user.name like \"*o*\"",
    "| search failed -user.name:root | head 5",
    "| eval p = source.port / 1000, half = p / 2 | where half > 0.1 | table p, half, event.id",
    "| eval user.name = lower(user.name) | stats count() by user.name",
    "| eval late = hour(timestamp) >= 18 or weekday(timestamp) > 5 | stats count() by late",
    "| extract \"(?<first>\\\\w+) (?<second>\\\\w+)$\" | stats count() by first, second",
    "| extract message \"user=(?<account>\\\\w+)\" | where account is not null | table account",
    "failed | stats count() as n, dc(user.name) by source.ip | where n > 1 | sort -n | head 20",
    "| stats count, sum(source.port), avg(source.port), min(timestamp), max(user.name)",
    "| stats median(source.port), p95(source.port), percentile(source.port, 10), stdev(source.port) by system.id",
    "| stats values(user.name), earliest(user.name), latest(source.ip) by event.dataset",
    "| stats count() where source.port = 22 as ssh, count(user.name) as named by bin(timestamp, 1d) as day",
    "| stats values(user.name) as users by source.ip | where users = \"root\" | eval n = len(users)",
    "| timechart span=6h count()",
    "| timechart span=1d limit=2 count() as n, dc(user.name) by source.ip",
    "| timechart count() by source.port",
    "| top 3 user.name",
    "| top user.name by system.id",
    "| rare 2 source.ip, user.name",
    "| rare 1 user.name by event.dataset | where count > 1",
    "| dedup user.name | table user.name, timestamp",
    "| dedup 2 user.name, source.ip | head 7",
    "| dedup user.name | where source.port = 22 | stats count()",
    "| sort user.name, -source.port | head 9 | table user.name, source.port",
    "| head 50 | stats count() by user.name",
    "| head 20 | sort user.name | head 3 | fields user.name",
    "| table user.name, source.ip | where user.name = \"root\" | head 4",
    "| table user.name | rename user.name as who | stats count() by who | sort -count",
    "| fields - event.original, message | where user.name = \"Root\"",
    "| fields - timestamp | head 3 | table event.id",
    "| rename source.ip as attacker, timestamp as seen | sort seen | head 5 | table seen, attacker",
    "| expand related.ip | stats count() by related.ip",
    "| expand related.ip | where related.ip = 10.0.0.0/8 | dedup related.ip | table related.ip, event.id",
    "| lookup alerts on system.id = system output entity | stats count() by alerts.entity",
    "| lookup alerts system.id = system | where alerts.entity is null | head 3",
    "| join user.name [failed | stats count() as failures by user.name] | where failures > 3 | head 5",
    "| join left user.name, source.ip [| table user.name, source.ip, message | rename message as other] | stats count() by other",
    "| stats count() as n by user.name | join user.name [| top 2 user.name | rename count as all] | sort -n",
    "| sequence by user.name within 6h [source.port:22] [source.port:443]",
    "| sequence within 1h [failed]*3 | head 5",
    "| sequence by source.ip, system.id within 1d [user.name:root] [failed] [-source.port:*] | stats count() by system.id",
    "| eval kind = case(source.port = 22, \"ssh\", source.port in (80, 443), \"web\", \"other\") | stats count() by kind | sort kind",
    "| eval gap = now() - timestamp, text = concat(user.name, \"@\", source.port) | stats max(text), count(gap)",
    "| where match(message, \"failed password\") and startswith(event.dataset, \"ssh\") and cidr(source.ip, \"10.0.0.0/8\")",
];

#[test]
fn every_command_is_answered() {
    let world = super::scope::world(rows(300, 21), &SYSTEMS);
    run(async {
        let mut wrong = String::new();
        for text in SEARCHES {
            let compiled = world.engine.compile(&admin(), text, &Window::default());
            let sql = compiled.unwrap_or_else(|error| panic!("{text}: {error}")).sql;
            match world.ask(&sql).await {
                Ok(answer) if answer.complete => {}
                Ok(answer) => wrong += &format!("{text}: {:?}\n", answer.reason),
                Err(error) => wrong += &format!("{text}:\n{sql}\n{error}\n\n"),
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    });
}

/// One province; an engine is too dear to start for each case.
static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::new(rows(220, 31))));

fn conditions() -> impl Strategy<Value = String> {
    let list = [
        "",
        "failed",
        "user.name:(root or Root)",
        "-source.port:22",
        "source.ip:10.0.0.0/8 or related.ip:203*",
        "event.dataset:ssh* fortinet.level>4",
    ];
    proptest::sample::select(list.to_vec()).prop_map(str::to_owned)
}

/// A command; whether its fields are there depends on those before it.
fn command() -> impl Strategy<Value = String> {
    let fields = || {
        proptest::sample::select(vec![
            "user.name",
            "source.ip",
            "source.port",
            "event.dataset",
            "fortinet.level",
            "who",
            "n",
            "x",
        ])
    };
    let expressions = vec![
        "source.port > 80",
        "source.port != 22",
        "not source.port >= 443",
        "user.name = \"root\" or source.ip = 10.0.0.0/8",
        "user.name in (\"root\", \"o'hara\") and not source.port in (22, 80)",
        "user.name not in (\"root\") and related.ip = 10.0.0.1",
        "related.ip != 10.0.0.1",
        "not (user.name is null or source.port is null)",
        "user.name like \"*o*\" or fortinet.level = 5",
        "user.name !~ \"^[rR]\"",
        "fortinet.level > 7",
        "n > 2",
        "n % 2 = 1 or n is null",
        "x * 2 > 100 and x / 3 < 1000",
        "len(user.name) + 1 > 5",
        "hour(timestamp) < 12 or weekday(timestamp) > 3",
        "contains(event.original, \"Failed\") = false",
        "len(related.ip) >= 2",
        "timestamp >= \"2026-01-02\" and timestamp < \"2026-01-03T00:00:00+07:00\"",
        "who > \"m\"",
        "count > 1",
    ];
    let values = vec![
        "x = source.port / 7",
        "x = coalesce(source.port, 0) - 100",
        "x = if(source.port > 100, source.port % 7, -1)",
        "who = concat(user.name, \"@\", source.ip)",
        "who = lower(user.name)",
        "who = if(user.name is null, \"nobody\", user.name)",
        "x = tonumber(fortinet.level), y = x > 6",
        "y = not source.port = 22",
        "x = n * 1.5",
        "day = bin(timestamp, 1d)",
    ];
    let aggregates = vec![
        "count() as n",
        "count(user.name) as n, dc(source.ip) as x",
        "sum(source.port) as x, avg(source.port), count() as n",
        "min(timestamp), max(user.name) as who",
        "values(user.name) as names, count() where source.port = 22 as n",
        "earliest(user.name) as who, latest(source.ip)",
        "median(source.port) as x, p90(source.port)",
    ];
    let select = |list: Vec<&'static str>| proptest::sample::select(list);
    prop_oneof![
        4 => select(expressions).prop_map(|condition| format!("where {condition}")),
        1 => conditions().prop_map(|text| format!("search {text}")),
        2 => select(values).prop_map(|value| format!("eval {value}")),
        1 => select(vec!["extract \"(?<x>\\\\w+) (?<who>\\\\S+)$\"", "extract message \"user=(?<who>\\\\w+)\""]).prop_map(str::to_owned),
        2 => (select(aggregates.clone()), fields()).prop_map(|(list, by)| format!("stats {list} by {by}")),
        1 => (select(aggregates.clone()), fields()).prop_map(|(list, by)| format!("stats {list} by bin(timestamp, 1d) as day, {by}")),
        1 => select(aggregates.clone()).prop_map(|list| format!("stats {list}")),
        1 => (select(aggregates), fields()).prop_map(|(list, by)| format!("timechart span=12h limit=2 {list} by {by}")),
        1 => (0_u8..4, fields(), fields()).prop_map(|(n, a, b)| match n {
            0 => format!("top 2 {a}"),
            1 => format!("rare {a}"),
            2 => format!("top 3 {a}, {b}"),
            _ => format!("rare 1 {a} by {b}"),
        }),
        1 => (1_u8..3, fields(), fields()).prop_map(|(n, a, b)| if a == b { format!("dedup {a}") } else { format!("dedup {n} {a}, {b}") }),
        2 => (fields(), fields(), any::<bool>()).prop_map(|(a, b, down)| format!("sort {}{a}, {b}", if down { "-" } else { "" })),
        2 => (1_u8..40).prop_map(|n| format!("head {n}")),
        1 => (fields(), fields()).prop_map(|(a, b)| if a == b { format!("table {a}") } else { format!("table {a}, {b}, event.id") }),
        1 => (fields(), fields()).prop_map(|(a, b)| if a == b { format!("fields - {a}") } else { format!("fields - {a}, timestamp, {b}") }),
        1 => fields().prop_map(|a| format!("rename {a} as who")),
        1 => Just("expand related.ip".to_owned()),
        1 => fields().prop_map(|a| format!("join {a} [failed | stats count() as failures by {a}]")),
        1 => fields().prop_map(|a| format!("join left {a} [| table {a}, message | rename message as said | sort said]")),
        1 => (fields(), 1_u8..30).prop_map(|(a, h)| format!("sequence by {a} within {h}h [failed] [source.port:22] [-user.name:root]")),
        1 => fields().prop_map(|a| format!("sequence by {a} within 2d [failed]*2")),
    ]
}

/// Equal, numbers up to the last digits.
fn is_same(value: &Value, wanted: &Val) -> bool {
    match (value, wanted) {
        (Value::Null, Val::Null) => true,
        (Value::String(text), Val::Text(wanted)) => text == wanted,
        (Value::String(text), Val::Time(wanted)) => *text == rfc3339(*wanted),
        (Value::Bool(flag), Val::Bool(wanted)) => flag == wanted,
        (Value::Number(number), Val::Int(_) | Val::Num(_)) => {
            let (own, wanted) = (
                number.as_f64().unwrap(),
                match wanted {
                    Val::Int(wanted) => *wanted as f64,
                    Val::Num(wanted) => *wanted,
                    _ => f64::NAN,
                },
            );
            (own - wanted).abs() <= 1e-9 * wanted.abs().max(1.0)
        }
        (Value::Array(items), Val::List(wanted)) => {
            items.len() == wanted.len() && items.iter().zip(wanted).all(|(item, wanted)| item.as_str() == Some(wanted))
        }
        _ => false,
    }
}

fn compare(text: &str, sql: &str, answer: &Collected, wanted: &[Map]) -> Result<(), TestCaseError> {
    let found = json_rows(&answer.batches, Nulls::Keep).unwrap();
    prop_assert_eq!(found.len(), wanted.len(), "{}\n{}", text, sql);
    for (at, (row, wanted)) in found.iter().zip(wanted).enumerate() {
        for (name, value) in wanted {
            let own = row.get(crate::encode::json_name(name)).unwrap_or(&Value::Null);
            // The engine interpolates percentiles with six digits.
            let is_near = name.starts_with("p90") && own.as_f64().zip(value.number()).is_some_and(|(a, b)| (a - b).abs() < 1.0);
            prop_assert!(is_near || is_same(own, value), "{text}\n{sql}\nrow {at}, {name}: {own} is not {value:?}\n{row:?}");
        }
    }
    Ok(())
}

/// A search that makes sense: commands whose fields are not there are left out.
fn search() -> impl Strategy<Value = String> {
    (conditions(), proptest::collection::vec(command(), 1..6)).prop_map(|(start, commands)| {
        let mut text = start;
        for command in commands {
            let longer = format!("{text} | {command}");
            if crate::search::compile(&longer, &oracle::Known, &Window::default()).is_ok() {
                text = longer;
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(Config { cases: 400, ..Config::default() })]

    #[test]
    fn commands_mean_what_the_oracle_says(text in search()) {
        let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = world.engine.compile(&admin(), &text, &Window::default());
        let compiled = compiled.map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let answer = run(world.ask(&compiled.sql));
        let answer = answer.map_err(|error| TestCaseError::fail(format!("{text}\n{}\n{error}", compiled.sql)))?;
        compare(&text, &compiled.sql, &answer, &oracle::answer(&text, &world.rows))?;
    }
}

/// Rows whose fractions have twelve digits: partitions add up in any order.
fn rounded(lines: &[String]) -> Vec<serde_json::Value> {
    let round = |value: serde_json::Value| match value.as_f64().filter(|_| value.is_f64()) {
        Some(number) => serde_json::Value::String(format!("{number:.11e}")),
        None => value,
    };
    let row = |line: &String| match serde_json::from_str(line).unwrap() {
        serde_json::Value::Object(row) => row.into_iter().map(|(name, value)| (name, round(value))).collect(),
        value => value,
    };
    lines.iter().map(row).collect()
}

/// What an owner gets through any command is what there would be in a province without the other systems.
#[test]
fn scope_holds_through_every_command() {
    run(async {
        let all = rows(150, 41);
        let mine: Vec<_> = all.iter().filter(|row| row.system == "portal").cloned().collect();
        let (whole, small) = (super::scope::world(all, &SYSTEMS), super::scope::world(mine, &["portal"]));
        for role in [Role::Owner, Role::Auditor] {
            let scope = only(role, &["portal", event::UNASSIGNED]);
            for text in SEARCHES.iter().filter(|text| !text.contains("now()")) {
                let sql = |world: &World| world.engine.compile(&scope, text, &Window::default()).unwrap().sql;
                assert_eq!(sql(&whole), sql(&small), "{text}");
                let seen = whole.ask_as(&scope, &sql(&whole)).await.unwrap_or_else(|error| panic!("{text}: {error}"));
                let expected = small.ask_as(&scope, &sql(&small)).await.unwrap();
                assert_eq!(rounded(&lines(&seen)), rounded(&lines(&expected)), "{role:?}: {text}");
            }
        }
    });
}

/// Whoever may not read personal fields finds none of their values behind any command.
#[test]
fn hidden_values_stay_hidden_through_every_command() {
    let whole = super::scope::world(rows(260, 42), &SYSTEMS);
    let auditor = Scope { systems: Systems::All, ..only(Role::Auditor, &[]) };
    run(async {
        let mut with_rows = 0;
        for text in SEARCHES {
            let sql = whole.engine.compile(&auditor, text, &Window::default()).unwrap().sql;
            let answer = whole.ask_as(&auditor, &sql).await.unwrap_or_else(|error| panic!("{text}: {error}"));
            let found = lines(&answer).join("\n");
            with_rows += usize::from(answer.num_rows() > 0);
            for plain in ["203.0.113", "nguyễn", "Failed", "o'hara", "svc_backup", "rm -rf", "seldom", "\"root\"", "\"an\""] {
                assert!(!found.contains(plain), "{text}: {plain}");
            }
        }
        assert!(with_rows > 20, "{with_rows}");
    });
}

#[test]
fn the_hunt_page_shows_tables_and_pages_of_events() {
    let world = super::scope::world(rows(300, 43), &SYSTEMS);
    run(async {
        let ask = |q: &str, limit| HuntRequest { q: q.to_owned(), limit, ..HuntRequest::default() };
        let table = world
            .engine
            .hunt(&admin(), ask("| stats count() as n, max(timestamp) as seen by source.ip | sort -n", 2))
            .await
            .unwrap();
        assert_eq!(table.shape, Shape::Table);
        let columns: Vec<_> = table.columns.iter().map(|column| (column.name.as_str(), column.r#type.as_str())).collect();
        assert_eq!(columns, [("source.ip", "ip"), ("n", "long"), ("seen", "date")]);
        let counted: usize = table.rows.iter().map(datafusion::arrow::array::RecordBatch::num_rows).sum();
        assert_eq!(counted, 7, "a table is not cut to the page's rows");
        let chart = world.engine.hunt(&admin(), ask("| timechart span=6h count()", 5)).await.unwrap();
        assert_eq!(chart.shape, Shape::Chart { span_ms: 6 * 3_600_000 });
        // Pages follow while each row is an event.
        let (mut seen, mut before) = (0, None);
        loop {
            let q = "| eval p = source.port * 2 | where p > 100 | fields - message";
            let page = world.engine.hunt(&admin(), HuntRequest { before: before.clone(), ..ask(q, 30) }).await.unwrap();
            assert_eq!(page.shape, Shape::Events);
            seen += page.rows.iter().map(datafusion::arrow::array::RecordBatch::num_rows).sum::<usize>();
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, world.rows.iter().filter(|row| row.port.is_some_and(|port| port > 50)).count());
        let dedup = world.engine.hunt(&admin(), ask("| dedup user.name", 3)).await.unwrap();
        assert!(dedup.shape == Shape::Table && dedup.next.is_none());
    });
}

#[test]
fn a_lookup_adds_one_row_to_each() {
    let world = super::scope::world(rows(200, 44), &["portal", "portal", "mail"]);
    run(async {
        let text =
            "| lookup alerts on system.id = system output entity as who | stats count() as n, count(who) as known by system.id";
        let sql = world.engine.compile(&admin(), text, &Window::default()).unwrap().sql;
        let found = lines(&world.ask(&sql).await.unwrap());
        let count = |system: &str| world.rows.iter().filter(|row| row.system == system).count();
        let line = |system: &str, known: usize| format!(r#"{{"system.id":"{system}","n":{},"known":{known}}}"#, count(system));
        let wanted = [line("finance", 0), line("mail", count("mail")), line("portal", count("portal")), line("unassigned", 0)];
        assert_eq!(found, wanted);
        // A table that the asker may not know of does not exist.
        let owner = only(Role::Owner, &["portal"]);
        let error = world.engine.compile(&owner, "| lookup secrets on system.id", &Window::default()).unwrap_err();
        assert!(!error.message.contains("secrets,") && error.problem.code() == "unknown_table", "{error}");
    });
}

#[test]
fn statements_and_searches_are_bounded() {
    let compile = |text: &str| crate::search::compile(text, &oracle::Known, &Window::default());
    assert_eq!(compile(&"| head 1 ".repeat(31)).unwrap_err().problem.code(), "too_many_stages");
    let nested = (0..5).fold("| stats count() by user.name".to_owned(), |inner, at| {
        format!("| stats count() as n{at} by user.name | join user.name [{inner}]")
    });
    assert!(matches!(compile(&nested).unwrap_err().problem.code(), "too_deep" | "already_there"));
    let long = format!("| where {}", vec!["source.port != 1"; 120].join(" and "));
    assert_eq!(compile(&long).unwrap_err().problem.code(), "too_costly");
    assert_eq!(compile("| sequence by user.name within 1h [a]*11").unwrap_err().problem.code(), "out_of_range");
    assert_eq!(compile(&format!("| where {}1", "-".repeat(500))).unwrap_err().problem.code(), "too_deep");
}

#[test]
fn completion_tells_only_what_the_asker_may_see() {
    let world = super::scope::world(rows(300, 45), &SYSTEMS);
    run(async {
        let texts = |list: Vec<crate::search::Suggestion>| list.into_iter().map(|one| one.text).collect::<Vec<_>>();
        let values = async |scope: &Scope, text: &str| texts(world.engine.complete(scope, text, text.len()).await.suggestions);
        let mut all = values(&admin(), "system.id:").await;
        all.sort();
        assert_eq!(all, ["finance", "mail", "portal", "unassigned"]);
        assert_eq!(values(&admin(), "event.dataset:ng").await, ["nginx.access"]);
        assert_eq!(values(&admin(), "| where event.dataset = ng").await, ["\"nginx.access\""]);
        let owner = only(Role::Owner, &["portal"]);
        assert_eq!(values(&owner, "system.id:").await, ["portal"]);
        // Fields with personal values, or many, have none.
        for field in ["user.name:", "source.ip:", "message:", "fortinet.level:"] {
            assert!(values(&admin(), field).await.is_empty(), "{field}");
        }
        // Sender addresses are few, but an auditor sees no personal field at all.
        let auditor = Scope { systems: Systems::All, ..only(Role::Auditor, &[]) };
        for field in event::Field::all().filter(|field| field.definition().privacy != event::Privacy::None) {
            assert!(values(&auditor, &format!("{}:", field.name())).await.is_empty(), "{}", field.name());
        }
        assert_eq!(values(&admin(), "failed | lookup al").await, ["alerts"]);
        assert!(values(&owner, "failed | lookup sec").await.is_empty());
        assert!(values(&admin(), "failed | lookup sec").await.contains(&"secrets".to_owned()));
        let place = world.engine.complete(&admin(), "đăng | sta", "đăng | sta".len()).await;
        assert_eq!((place.start, place.suggestions[0].text.as_str()), ("đăng | ".len(), "stats"));
    });
}
