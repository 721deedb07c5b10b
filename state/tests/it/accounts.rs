//! Accounts, sessions, tokens, lock-out.

use std::collections::BTreeSet;

use event::{Role, Systems};
use state::{
    guard::LockPolicy,
    secret::hash,
    sessions::NewSession,
    users::{NewUser, UserChange},
};

use crate::Db;

const SECOND: i64 = 1_000_000;

pub fn person(name: &str, role: Role) -> NewUser {
    NewUser {
        name: name.into(),
        display_name: name.into(),
        role,
        systems: Systems::All,
        language: "vi".into(),
        password_hash: "$argon2id$x".into(),
    }
}

#[tokio::test]
async fn one_account_however_its_name_is_typed() {
    let db = Db::new().await;
    let composed = "Nguyễn.Lan";
    let decomposed: String = unicode_normalization::UnicodeNormalization::nfd(composed).collect();
    assert_ne!(composed, decomposed);
    let lan = db.state.create_user(person(&decomposed, Role::Admin), 1).await.unwrap();
    assert_eq!(lan.name, composed, "stored composed");
    let again = db.state.create_user(person("NGUYỄN.LAN", Role::Admin), 1).await.unwrap_err();
    assert!(again.to_string().contains("already an account"), "{again}");
    assert_eq!(db.state.user_by_name(&decomposed.to_lowercase()).await.unwrap().unwrap(), lan);
    for name in ["", "  ", "a b", "a\u{0}", "a<b>", "a\u{202e}b"] {
        assert!(db.state.create_user(person(name, Role::Owner), 1).await.is_err(), "{name:?}");
    }
    assert!(!format!("{lan:?}").contains("argon2"), "a log line must not carry the hash");
}

#[tokio::test]
async fn the_set_up_token_makes_one_administrator() {
    let db = Db::new().await;
    assert!(db.state.setup_needed().await.unwrap());
    db.state.set_setup_token(&hash("old"), 100, 0).await.unwrap();
    db.state.set_setup_token(&hash("new"), 100, 0).await.unwrap();
    for (token, now) in [("old", 1), ("wrong", 1), ("new", 100)] {
        assert!(db.state.create_first_admin(&hash(token), person("a", Role::Owner), now).await.is_err(), "{token} at {now}");
    }
    let admin = db.state.create_first_admin(&hash("new"), person("a", Role::Owner), 1).await.unwrap();
    assert_eq!(admin.role, Role::Admin);
    assert!(!db.state.setup_needed().await.unwrap());
    db.state.set_setup_token(&hash("more"), 100, 0).await.unwrap();
    assert!(db.state.create_first_admin(&hash("more"), person("b", Role::Admin), 1).await.is_err(), "somebody exists");
}

#[tokio::test]
async fn sessions_end_by_age_by_idleness_and_with_their_account() {
    let db = Db::new().await;
    let lan = db.state.create_user(person("lan", Role::Admin), 0).await.unwrap();
    let minh = db.state.create_user(person("minh", Role::Analyst), 0).await.unwrap();
    let open = async |cookie: &str, user| {
        let new =
            NewSession { hash: hash(cookie), user, csrf: "c".into(), expires: 1000 * SECOND, idle: 100 * SECOND, address: None };
        db.state.open_session(new, 0).await.unwrap();
    };
    let alive = async |cookie: &str, now: i64| db.state.session(&hash(cookie), now * SECOND).await.unwrap().is_some();
    open("lan", lan.id).await;
    open("minh", minh.id).await;
    let (session, user) = db.state.session(&hash("lan"), 61 * SECOND).await.unwrap().unwrap();
    assert_eq!((session.csrf.as_str(), user.name.as_str(), user.id), ("c", "lan", lan.id));
    assert!(!alive("minh", 100).await, "idle for its limit");
    assert!(alive("lan", 160).await, "used at 61");
    for now in (200..1000).step_by(60) {
        assert!(alive("lan", now).await, "{now}");
    }
    assert!(!alive("lan", 1000).await, "its end");
    assert!(!alive("other", 1).await);
    open("minh2", minh.id).await;
    let only = Systems::Only(BTreeSet::from(["mot-cua".to_owned()]));
    db.state.update_user(minh.id, UserChange { systems: Some(only), ..UserChange::default() }).await.unwrap();
    assert!(!alive("minh2", 1).await, "a new scope needs a new session");
    open("minh3", minh.id).await;
    open("minh4", minh.id).await;
    db.state.set_password(minh.id, "new", Some(&hash("minh3")), 1).await.unwrap();
    assert!(alive("minh3", 1).await && !alive("minh4", 1).await, "a new password ends the other sessions");
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let db = Db::new().await;
    let lan = db.state.create_user(person("lan", Role::Admin), 0).await.unwrap();
    let minh = db.state.create_user(person("minh", Role::Admin), 0).await.unwrap();
    let disable = UserChange { disabled: Some(true), ..UserChange::default() };
    db.state.update_user(minh.id, disable.clone()).await.unwrap();
    assert!(db.state.update_user(lan.id, disable).await.is_err());
    assert!(db.state.update_user(lan.id, UserChange { role: Some(Role::Owner), ..UserChange::default() }).await.is_err());
    assert!(!db.state.user(lan.id).await.unwrap().unwrap().disabled, "nothing of a refused change is kept");
}

#[tokio::test]
async fn guessing_is_shut_out_longer_and_longer() {
    let db = Db::new().await;
    let policy = LockPolicy { free: 2, base: 10, max: 35, forget: 1000 };
    let fail = async |now| db.state.login_failed("name:lan", policy, now).await.unwrap();
    assert_eq!(
        (fail(0).await, fail(0).await, fail(0).await, fail(0).await, fail(0).await),
        (None, None, Some(10), Some(20), Some(35))
    );
    assert_eq!(db.state.login_locked("name:lan", 34).await.unwrap(), Some(35));
    assert_eq!(db.state.login_locked("name:lan", 35).await.unwrap(), None);
    assert_eq!(db.state.login_locked("name:minh", 0).await.unwrap(), None);
    assert_eq!(fail(5000).await, None, "forgotten");
    db.state.login_succeeded("name:lan").await.unwrap();
    assert_eq!(fail(5001).await, None);
}

#[tokio::test]
async fn ingest_tokens_and_settings_survive_a_restart() {
    let db = Db::new().await;
    let token = db.state.create_ingest_token(&hash("t"), "cổng", "edge", Some("mot-cua"), "lan", 5).await.unwrap();
    db.state.set_setting("x.y", &vec!["a".to_owned()]).await.unwrap();
    let db = db.reopened().await;
    assert_eq!(db.state.ingest_token(&hash("t")).await.unwrap().unwrap(), token);
    assert_eq!(db.state.ingest_token("t").await.unwrap(), None, "the token itself is not stored");
    assert_eq!(db.state.setting::<Vec<String>>("x.y").await.unwrap().unwrap(), ["a"]);
    assert!(db.state.setting::<u32>("x.y").await.is_err(), "a setting of another shape is named, not guessed");
    db.state.revoke_ingest_token(token.id, 6).await.unwrap();
    assert_eq!(db.state.ingest_token(&hash("t")).await.unwrap(), None);
    assert!(db.state.revoke_ingest_token(token.id, 7).await.is_err());
}
