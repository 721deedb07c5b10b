//! Search box ≡ SQL ≡ a naive filter over plain rows.

use std::{
    net::IpAddr,
    sync::{LazyLock, Mutex},
};

use event::Kind;
use ipnet::IpNet;
use proptest::{prelude::*, test_runner::Config};

use super::world::{IPS, USERS, World, admin, first_column, rows, run};
use crate::{
    functions::Question,
    search::{Comparison, Node, Value, Window},
};

/// Two provinces with different seeds; an engine is too dear to start for each case.
static WORLDS: LazyLock<Mutex<Vec<World>>> =
    LazyLock::new(|| Mutex::new(vec![World::new(rows(250, 11)), World::new(rows(250, 12))]));

/// The meaning of a search, without SQL, columns or pruning. `values` gives every value of a field, as text.
pub fn holds(node: &Node, values: &dyn Fn(&str) -> Vec<String>) -> bool {
    match node {
        Node::All => true,
        Node::And(list) => list.iter().all(|node| holds(node, values)),
        Node::Or(list) => list.iter().any(|node| holds(node, values)),
        Node::Not(node) => !holds(node, values),
        Node::Text(value) => {
            ["event.original", "message"].iter().flat_map(|field| values(field)).any(|text| stands_in(value, &text))
        }
        Node::Exists(field) => !values(field).is_empty(),
        Node::Is { field, kind, value } => values(field).iter().any(|text| is(*kind, value, text)),
        Node::Compare { field, comparison, value, .. } => values(field).iter().any(|text| {
            let order = match value.parse::<f64>() {
                Ok(number) => match text.parse::<f64>() {
                    Ok(own) => own.total_cmp(&number),
                    Err(_) => return false,
                },
                Err(_) => text.as_str().cmp(value.as_str()),
            };
            match comparison {
                Comparison::Greater => order.is_gt(),
                Comparison::GreaterOrEqual => order.is_ge(),
                Comparison::Less => order.is_lt(),
                Comparison::LessOrEqual => order.is_le(),
            }
        }),
    }
}

fn is(kind: Kind, value: &Value, text: &str) -> bool {
    match value {
        value if kind == Kind::Text => stands_in(value, text),
        Value::Exact(wanted) | Value::Phrase(wanted) => text == wanted,
        Value::Prefix(start) => text.starts_with(start.as_str()),
        Value::Network(network) => {
            let (Ok(network), Ok(ip)) = (network.parse::<IpNet>(), text.parse::<IpAddr>()) else { return false };
            network.contains(&ip)
        }
        Value::Wildcard(pattern) => {
            let parts: Vec<&str> = pattern.split('*').collect();
            glob(&parts, text)
        }
    }
}

/// `parts` in order, the first at the start and the last at the end.
pub fn glob(parts: &[&str], text: &str) -> bool {
    let [first, rest @ ..] = parts else { return text.is_empty() };
    let Some(text) = text.strip_prefix(first) else { return false };
    if rest.is_empty() {
        return text.is_empty();
    }
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| glob(rest, &text[at..]))
}

fn stands_in(value: &Value, text: &str) -> bool {
    let quoted = |word: &str| format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""));
    let question = match value {
        Value::Prefix(start) => quoted(start) + "*",
        Value::Exact(word) | Value::Phrase(word) | Value::Wildcard(word) | Value::Network(word) => quoted(word),
    };
    Question::new(&question).stands_in(text)
}

fn word() -> impl Strategy<Value = String> {
    let words = [
        "failed",
        "PASSWORD",
        "fail*",
        "dang",
        "đăng",
        "nguyen",
        "\"for user\"",
        "203.0.113.7",
        "203.0*",
        "root",
        "user=root",
        "\"\\\"quoted\"",
        "temp",
        "\"C:\\\\Temp\"",
    ];
    proptest::sample::select(words.to_vec()).prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = String> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let users: Vec<String> = USERS
        .iter()
        .map(|user| quoted(user))
        .chain(["ro*".to_owned(), "*o*".to_owned(), "a%*".to_owned(), "r*t".to_owned()])
        .collect();
    let ips: Vec<String> = IPS
        .iter()
        .map(|ip| (*ip).to_owned())
        .chain(["10.0.0.0/8".to_owned(), "2001:db8::/32".to_owned(), "203*".to_owned(), "*.7".to_owned()])
        .collect();
    let user = proptest::sample::select(users);
    let ip = proptest::sample::select(ips);
    prop_oneof![
        word(),
        user.clone().prop_map(|value| format!("user.name:{value}")),
        (user.clone(), user).prop_map(|(a, b)| format!("user.name:({a} or {b})")),
        ip.clone().prop_map(|value| format!("source.ip:{value}")),
        ip.clone().prop_map(|value| format!("related.ip:{value}")),
        (ip.clone(), ip).prop_map(|(a, b)| format!("related.ip:({a} -{b})")),
        proptest::sample::select(vec![":22", ">80", ">=80", "<1024", "<=443", "!=22", ":(22 80)", ":*"])
            .prop_map(|rest| format!("source.port{rest}")),
        proptest::sample::select(vec![":5", ">7", "<=9", ":high", ":*", "!=5", ">h"])
            .prop_map(|rest| format!("fortinet.level{rest}")),
        proptest::sample::select(vec![":7", ":sel*", ":*", ">6"]).prop_map(|rest| format!("rare.key{rest}")),
        word().prop_map(|value| format!("message:{value}")),
        proptest::sample::select(vec![
            "user.name:*",
            "related.ip:*",
            "system.id:portal",
            "system.id!=mail",
            "event.dataset:ssh*"
        ])
        .prop_map(str::to_owned),
    ]
}

fn question() -> impl Strategy<Value = String> {
    condition().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} {b})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

proptest! {
    #![proptest_config(Config { cases: 300, ..Config::default() })]

    #[test]
    fn search_box_is_sql_is_naive_filter(text in question(), which in 0_usize..2) {
        let worlds = WORLDS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let world = &worlds[which];
        let compiled = world.engine.compile(&admin(), &text, &Window::default()).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let sql = format!("SELECT event.id FROM events WHERE {} ORDER BY event.id", compiled.where_sql);
        let answer = run(world.ask(&sql)).map_err(|error| TestCaseError::fail(format!("{sql}: {error}")))?;
        let mut expected: Vec<String> = world.rows.iter().filter(|row| holds(&compiled.node, &|field| row.values(field))).map(|row| row.id.clone()).collect();
        expected.sort();
        prop_assert_eq!(first_column(&answer.batches), expected, "{} → {}", text, sql);
    }
}
