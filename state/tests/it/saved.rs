//! Saved searches, and sessions that are looked at without being used.

use event::Role;
use state::{
    saved::{NewSearch, SEARCHES_MAX},
    secret::hash,
    sessions::NewSession,
};

use crate::{Db, accounts::person};

fn search(name: &str, shared: bool) -> NewSearch {
    NewSearch {
        name: name.into(),
        q: "user.name:root".into(),
        mode: "search",
        from: "-24h".into(),
        to: "now".into(),
        columns: vec!["user.name".into()],
        shared,
    }
}

#[tokio::test]
async fn a_search_is_its_owners_until_it_is_shared() {
    let db = Db::new().await;
    let lan = db.state.create_user(person("lan", Role::Analyst), 1).await.unwrap().id;
    let minh = db.state.create_user(person("minh", Role::Analyst), 1).await.unwrap().id;
    let own = db.state.save_search(lan, &search(" riêng ", false), 2).await.unwrap();
    assert_eq!((own.name.as_str(), own.owner_name.as_str(), &own.columns[..]), ("riêng", "lan", &["user.name".to_owned()][..]));
    let shared = db.state.save_search(lan, &search("chung", true), 2).await.unwrap();
    let names = async |person| -> Vec<String> {
        db.state.saved_searches(person).await.unwrap().into_iter().map(|one| one.name).collect()
    };
    assert_eq!(names(lan).await, ["chung", "riêng"]);
    assert_eq!(names(minh).await, ["chung"]);
    // Of the same name: replaced, not doubled; for another person it is another search.
    let again = db.state.save_search(lan, &NewSearch { q: "x".into(), ..search("riêng", true) }, 3).await.unwrap();
    assert_eq!((again.id, again.q.as_str(), again.changed), (own.id, "x", 3));
    db.state.save_search(minh, &search("riêng", false), 3).await.unwrap();
    assert_eq!(names(minh).await, ["chung", "riêng", "riêng"]);
    assert!(!db.state.remove_search(shared.id, minh, false).await.unwrap(), "somebody else's");
    assert!(db.state.remove_search(shared.id, minh, true).await.unwrap(), "an administrator takes back what is shared");
    assert!(!db.state.remove_search(shared.id, lan, false).await.unwrap());
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    let db = Db::new().await;
    let lan = db.state.create_user(person("lan", Role::Analyst), 1).await.unwrap().id;
    for wrong in [
        search("  ", false),
        search("a\u{0}b", false),
        search(&"x".repeat(101), false),
        NewSearch { q: "x".repeat((64 << 10) + 1), ..search("a", false) },
        NewSearch { columns: vec![String::new(); 51], ..search("a", false) },
        NewSearch { from: String::new(), ..search("a", false) },
    ] {
        assert!(db.state.save_search(lan, &wrong, 1).await.is_err(), "{}", wrong.name);
    }
    for n in 0..SEARCHES_MAX {
        db.state.save_search(lan, &search(&format!("s{n}"), false), 1).await.unwrap();
    }
    assert!(db.state.save_search(lan, &search("one more", false), 1).await.is_err());
    assert!(db.state.save_search(lan, &search("s0", true), 1).await.is_ok(), "replacing is not one more");
    assert_eq!(db.state.saved_searches(lan).await.unwrap().len() as i64, SEARCHES_MAX);
}

/// A live tail looks whether the session stands; that must not keep an idle session open.
#[tokio::test]
async fn looking_at_a_session_is_no_use_of_it() {
    let db = Db::new().await;
    let user = db.state.create_user(person("lan", Role::Analyst), 1).await.unwrap();
    let minute = 60_000_000;
    let session =
        NewSession { hash: hash("c"), user: user.id, csrf: "x".into(), expires: 600 * minute, idle: 60 * minute, address: None };
    db.state.open_session(session, 0).await.unwrap();
    assert_eq!(db.state.session_stands(&hash("c"), 59 * minute).await.unwrap(), Some(user));
    assert_eq!(db.state.session_stands(&hash("c"), 61 * minute).await.unwrap(), None);
    assert_eq!(db.state.session_stands(&hash("d"), minute).await.unwrap(), None);
}
