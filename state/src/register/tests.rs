//! Tests of the register: import, dates, attribution, adoption.

use std::net::IpAddr;

use event::{Scope, UNASSIGNED, seam::TableSource};

use super::*;
use crate::State;

const DAY: Micros = 86_400 * 1_000_000;

fn now() -> Micros {
    midnight("2026-11-23".parse().unwrap()) + 3_600_000_000
}

fn author(at: Micros) -> Author<'static> {
    Author { actor: "an.nguyen", at, reason: "hồ sơ đề xuất cấp độ" }
}

async fn state() -> (tempfile::TempDir, State) {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(&dir.path().join("state.sqlite")).await.unwrap();
    (dir, state)
}

async fn import(state: &State, kind: ImportKind, csv: &str) -> ImportReport {
    state.register_import(kind, csv.as_bytes(), &author(now()), false).await.unwrap()
}

/// Errors as `line:column english`.
fn errors(report: &ImportReport) -> Vec<String> {
    report.errors.iter().map(|e| format!("{}:{} {}", e.line, e.column, e.en)).collect()
}

const SYSTEMS: &str = "id,name,level,owner,operator,unit,decision_number,decision_date\n\
    dvc,Cổng DVC,3,UBND tỉnh,TT CNTT,stttt,12/QĐ,2024-03-01\n\
    noibo,Trang nội bộ,1,UBND tỉnh,TT CNTT,stttt,13/QĐ,2024-03-01\n\
    ttdl,Trung tâm dữ liệu,4,UBND tỉnh,TT CNTT,,14/QĐ,2024-03-01\n";

#[tokio::test]
async fn a_spreadsheet_as_people_save_it() {
    let (_dir, state) = state().await;
    let csv = "\u{feff}\"Mã hệ thống\";\"Tên hệ thống\";\"Cấp độ\";\"Chủ quản\";\"Đơn vị vận hành\";\"Số quyết định\";\"Ngày quyết định\";\"Giám sát\"\r\n\
        DVC;\"Cổng \"\"Dịch vụ công\"\";\nmột cửa\";Cấp độ 3;UBND tỉnh;TT CNTT;12/QĐ-UBND;01/03/2024;có\r\n\
        \r\n\
        noibo;Trang nội bộ;1;UBND tỉnh;TT CNTT;;;không\r\n";
    let report = import(&state, ImportKind::Systems, csv).await;
    // The quoted line break is a control character, which no screen should get.
    assert_eq!(errors(&report), ["2:2 column “Tên hệ thống”: holds a control character"]);
    assert_eq!(report.accepted, 1);
    let report = import(&state, ImportKind::Systems, &csv.replace("\nmột", " một")).await;
    assert_eq!((errors(&report), report.accepted, report.changed), (vec![], 2, 1));
    let register = state.register(&Scope::internal("test")).await.unwrap();
    let system = register.system("dvc", now()).unwrap();
    assert_eq!((system.name.as_str(), system.level, system.monitored), ("Cổng \"Dịch vụ công\"; một cửa", 3, true));
    assert_eq!(system.valid_from, midnight("2024-03-01".parse().unwrap()));
    assert_eq!((system.approval, register.system("noibo", now()).unwrap().approval), (Approval::Approved, Approval::Draft));
    assert!(register.system("dvc", midnight("2024-02-29".parse().unwrap())).is_none(), "not in force before its decision");
}

#[tokio::test]
async fn bad_rows_are_named_and_good_rows_work() {
    let (_dir, state) = state().await;
    let csv = "id,name,level,owner,operator,levle,decision_number,decision_date\n\
        a,Một,6,X,Y,,,\n\
        b,Hai,3,X,Y,,,\n\
        c d,Ba,3,X,Y,,,\n\
        e,,3,X,Y,,,\n\
        f,Sáu,3,X; Z,Y,,,\n\
        g,Bảy,3,X,Y,,1/QĐ,31/02/2024\n\
        h,Tám,3,X,Y,,1/QĐ,2027-01-01\n\
        i,Chín,3,X,Y,,1/QĐ,\n\
        j,\"Mười,3,X,Y,,,\n\
        k,Mười một,3,X,Y,,,,thừa\n\
        unassigned,Mười hai,3,X,Y,,,\n";
    let report = import(&state, ImportKind::Systems, csv).await;
    assert_eq!(report.accepted, 1);
    assert_eq!(
        errors(&report),
        [
            "1:6 unknown column “levle” is ignored; did you mean “level”?",
            "2:3 column “level”: there is no level “6”; Law 116/2025/QH15 art. 8.1 knows 1 to 5",
            "4:1 column “id”: code “c d” may hold only a–z, 0–9 and . _ - (at most 64)",
            "5:2 column “name”: must not be empty",
            "6:4 column “owner”: a system has exactly one owner (ND 331/2026/NĐ-CP art. 8.1.a)",
            "7:8 column “decision_date”: “31/02/2024” is not a date; write dd/mm/yyyy or yyyy-mm-dd",
            "8:8 column “decision_date”: the decision is dated in the future",
            "9:8 column “decision_date”: decision number and date belong together",
            "10:2 a quote is never closed",
            "11:9 the row has 9 fields, the header only 8",
            "12:1 column “id”: this code is reserved for unknown senders",
        ]
    );
    assert!(report.errors[1].vi.contains("Luật 116/2025/QH15 điều 8.1"));
}

#[tokio::test]
async fn a_file_without_its_columns_or_not_utf8_is_one_error() {
    let (_dir, state) = state().await;
    let report = import(&state, ImportKind::Systems, "id,level\na,3\n").await;
    assert_eq!(errors(&report), ["1:0 required columns are missing: name, owner, operator"]);
    let report = state.register_import(ImportKind::Systems, b"id,name\na,\xff\n", &author(now()), false).await.unwrap();
    assert_eq!(errors(&report), ["2:0 the file is not UTF-8; in Excel save it as “CSV UTF-8”"]);
    assert_eq!(errors(&import(&state, ImportKind::Assets, "").await), ["1:0 the file is empty"]);
}

#[tokio::test]
async fn two_owners_and_a_level_without_a_decision_are_refused() {
    let (_dir, state) = state().await;
    import(&state, ImportKind::Systems, SYSTEMS).await;
    let head = SYSTEMS.lines().next().unwrap();
    let report =
        import(&state, ImportKind::Systems, &format!("{head}\ndvc,Cổng DVC,3,Sở X,TT CNTT,stttt,12/QĐ,2024-03-01\n")).await;
    assert!(
        errors(&report)[0].contains("already has the owner “UBND tỉnh”; a system has exactly one (ND 331/2026/NĐ-CP art. 8.1.a)")
    );
    let report =
        import(&state, ImportKind::Systems, &format!("{head}\ndvc,Cổng DVC,2,UBND tỉnh,TT CNTT,stttt,12/QĐ,2024-03-01\n")).await;
    assert!(errors(&report)[0].contains("a new level needs a new decision (ND 331/2026/NĐ-CP art. 25)"), "{:?}", errors(&report));
    // A new decision is a new version; the old one keeps its days.
    let report =
        import(&state, ImportKind::Systems, &format!("{head}\ndvc,Cổng DVC,2,Sở X,TT CNTT,stttt,99/QĐ,2026-08-20\n")).await;
    assert_eq!(errors(&report), Vec::<String>::new());
    let register = state.register(&Scope::internal("test")).await.unwrap();
    let level = |day: &str| register.system("dvc", midnight(day.parse().unwrap())).map(|s| s.level);
    assert_eq!((level("2026-08-19"), level("2026-08-20"), level("2023-01-01")), (Some(3), Some(2), None));
    let change = &state.register_changes(&Scope::internal("test"), 1).await.unwrap()[0];
    assert!(change.shrinks, "a lower level asks for less and is listed as such");
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    let (_dir, state) = state().await;
    let dry = state.register_import(ImportKind::Systems, SYSTEMS.as_bytes(), &author(now()), true).await.unwrap();
    assert_eq!(state.register_revision().await.unwrap(), 0);
    assert_eq!(import(&state, ImportKind::Systems, SYSTEMS).await, dry);
    let again = import(&state, ImportKind::Systems, SYSTEMS).await;
    assert_eq!((again.accepted, again.changed), (3, 0), "the same file again changes nothing");
    assert_eq!(state.register_revision().await.unwrap(), 3);
}

#[tokio::test]
async fn a_change_needs_a_person_and_a_reason() {
    let (_dir, state) = state().await;
    let nameless = Author { actor: "an", at: now(), reason: " " };
    let refused = state.register_import(ImportKind::Systems, SYSTEMS.as_bytes(), &nameless, false).await.unwrap_err();
    assert_eq!(refused.to_string(), "a change of the register needs a person and a reason");
}

#[tokio::test]
async fn address_plans_may_nest_but_not_cross() {
    let (_dir, state) = state().await;
    import(&state, ImportKind::Systems, SYSTEMS).await;
    let csv = "system,value,expected_source,shared\n\
        ttdl,10.1.0.0/16,,\n\
        dvc,10.1.2.0/24,,\n\
        dvc,10.1.2.9,x,\n\
        noibo,10.1.2.0/24,,\n\
        noibo,10.1.1.200-10.1.2.50,,\n\
        noibo,10.1.2.9,,x\n\
        ttdl,10.9.9.9,,x\n\
        dvc,10.9.9.9,,x\n\
        dvc,10.1.2.3/24,,\n\
        dvc,10.1.2.300,,\n\
        khong-co,10.1.2.4,,\n\
        dvc,::/0,,\n\
        ttdl,WEB-01,,\n\
        dvc,web-01,,\n";
    let report = import(&state, ImportKind::Assets, csv).await;
    let found = errors(&report);
    assert_eq!(report.accepted, 7, "{found:?}");
    assert!(found[0].starts_with("5:0 “10.1.2.0/24” overlaps “10.1.2.0/24” of system dvc; the address plan"), "{}", found[0]);
    assert!(found[0].contains("ND 331/2026/NĐ-CP art. 22.3.d"));
    assert!(found[1].starts_with("6:0 “10.1.1.200-10.1.2.50” overlaps “10.1.2.0/24”"), "{}", found[1]);
    assert!(found[2].starts_with("7:0 “10.1.2.9” overlaps “10.1.2.9” of system dvc"), "shared on one side only: {}", found[2]);
    assert!(found[3].ends_with("did you mean “10.1.2.0/24”?"), "{}", found[3]);
    assert_eq!(found[4], "12:0 system “khong-co” is not in the register; import systems first");
    assert_eq!(found[5], "13:2 column “value”: range “::/0” is too wide to be one system's");
    assert!(found[6].starts_with("15:0 “web-01” overlaps “web-01” of system ttdl"), "{}", found[6]);
    let register = state.register(&Scope::internal("test")).await.unwrap();
    assert!(
        register.assets.iter().any(|asset| asset.kind == AssetKind::Host && asset.value == "10.1.2.300"),
        "not an address, so a name"
    );
}

fn attribute<'a>(snapshot: &'a Snapshot, sender: &str, host: Option<&str>, relay: bool) -> (&'a str, &'static str) {
    let sender = sender.parse::<IpAddr>().ok();
    let found = snapshot.attribute(AttributionInput { source_system: None, sender, host, relay });
    (found.system, found.method)
}

#[tokio::test]
async fn attribution_follows_the_order_of_trust() {
    let (_dir, state) = state().await;
    import(&state, ImportKind::Systems, SYSTEMS).await;
    let csv = "system,value,shared\nttdl,10.1.0.0/16,\ndvc,10.1.2.0/24,\nnoibo,10.1.2.7,\ndvc,2001:db8:1::/48,\nttdl,fw-01,x\nnoibo,fw-01,x\n\
        dvc,10.2.0.10-10.2.0.20,\ndvc,máy-chủ,\n";
    assert_eq!(errors(&import(&state, ImportKind::Assets, csv).await), Vec::<String>::new());
    let snapshot = state.register_snapshot(now()).await.unwrap();
    let at = |sender: &str| attribute(&snapshot, sender, None, false);
    assert_eq!((at("10.1.9.9"), at("10.1.2.8"), at("10.1.2.7")), (("ttdl", "sender"), ("dvc", "sender"), ("noibo", "sender")));
    assert_eq!((at("::ffff:10.1.2.7"), at("2001:db8:1:ffff::1")), (("noibo", "sender"), ("dvc", "sender")));
    assert_eq!((at("10.2.0.10"), at("10.2.0.20"), at("10.2.0.21")), (("dvc", "sender"), ("dvc", "sender"), (UNASSIGNED, "none")));
    assert_eq!(
        (at("10.0.255.255"), at("10.2.0.0"), at("2001:db8:2::1")),
        ((UNASSIGNED, "none"), (UNASSIGNED, "none"), (UNASSIGNED, "none"))
    );
    // The host in the line is the attacker's text, unless the source is a relay.
    assert_eq!(attribute(&snapshot, "203.0.113.1", Some("fw-01"), false), (UNASSIGNED, "none"));
    assert_eq!(
        attribute(&snapshot, "203.0.113.1", Some("FW-01.tinh.example."), true),
        ("ttdl", "relay_host"),
        "a shared device takes the highest level"
    );
    assert_eq!(attribute(&snapshot, "10.1.9.9", Some("10.1.2.7"), true), ("noibo", "relay_host"));
    assert_eq!(attribute(&snapshot, "10.1.9.9", Some("nobody"), true), ("ttdl", "sender"));
    assert_eq!(attribute(&snapshot, "10.1.9.9", Some("MÁY-CHỦ"), true), ("dvc", "relay_host"));
    let token =
        AttributionInput { source_system: Some("noibo"), sender: "10.1.9.9".parse().ok(), host: Some("fw-01"), relay: true };
    let found = snapshot.attribute(token);
    assert_eq!((found.system, found.level, found.organization, found.method), ("noibo", Some(1), Some("stttt"), "token"));
    let gone = AttributionInput { source_system: Some("gone"), sender: "10.1.9.9".parse().ok(), ..AttributionInput::default() };
    assert_eq!(snapshot.attribute(gone).system, "ttdl", "a token bound to a system that no longer exists proves nothing");
    let related: Vec<_> = snapshot.related(Entity::Host("fw-01")).collect();
    assert_eq!(related, ["ttdl", "noibo"]);
    assert_eq!(snapshot.related(Entity::Ip("198.51.100.1".parse().unwrap())).count(), 0);
}

/// The compiled segments answer as a plain search for the narrowest range would.
#[test]
fn segments_answer_as_a_naive_search_does() {
    let mut seed = 7u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..200 {
        let mut register = Register::default();
        for system in 0..6u8 {
            register.systems.push(System {
                id: format!("s{system}"),
                name: String::new(),
                level: 1 + system % 5,
                decision: Decision::default(),
                approval: Approval::Draft,
                owner: String::new(),
                operator: String::new(),
                unit: None,
                retention_months: None,
                monitored: true,
                monitored_from: None,
                valid_from: 0,
                valid_to: None,
            });
        }
        for id in 0..12 {
            let (length, base) = (24 + next(9) as u32, next(512) as u32);
            let network = (0x0a00_0000 + base) & !(u32::MAX.checked_shr(length).unwrap_or(0));
            register.assets.push(Asset {
                id,
                system: format!("s{}", next(6)),
                kind: AssetKind::Range,
                value: format!("{}/{length}", std::net::Ipv4Addr::from(network)),
                name: String::new(),
                role: AssetRole::Other,
                quantity: 1,
                expected_source: false,
                classes: Vec::new(),
                shared: true,
                valid_from: 0,
                valid_to: None,
            });
        }
        let snapshot = register.snapshot(1);
        for offset in 0..600u32 {
            let ip: IpAddr = std::net::Ipv4Addr::from(0x0a00_0000 + offset).into();
            let narrowest = register.assets.iter().filter(|asset| asset.covers(ip)).map(Asset::width).min();
            let level = |asset: &Asset| register.system(&asset.system, 1).map(|s| s.level);
            let expected =
                register.assets.iter().filter(|a| a.covers(ip) && Some(a.width()) == narrowest).filter_map(level).max();
            let found = snapshot.attribute(AttributionInput { sender: Some(ip), ..AttributionInput::default() });
            assert_eq!(found.level, expected, "{ip} in {:?}", register.assets);
        }
    }
}

#[tokio::test]
async fn an_unknown_sender_is_adopted_by_a_dated_amendment() {
    let (_dir, state) = state().await;
    import(&state, ImportKind::Systems, SYSTEMS).await;
    import(&state, ImportKind::Assets, "system,value\nttdl,10.1.0.0/16\n").await;
    let adoption = |address: &'static str, system| Adoption {
        address: address.parse().unwrap(),
        system,
        asset_name: Some("tường lửa mới"),
        expected_source: true,
        since: now() - 3 * DAY,
    };
    state.adopt_sender(&adoption("192.0.2.7", "dvc"), &author(now())).await.unwrap();
    let scope = Scope::internal("test");
    let amendment = &state.amendments(&scope).await.unwrap()[0];
    assert_eq!((amendment.address.as_str(), amendment.system.as_str(), amendment.since), ("192.0.2.7", "dvc", now() - 3 * DAY));
    let change = &state.register_changes(&scope, 1).await.unwrap()[0];
    assert_eq!(
        (change.action.as_str(), change.actor.as_str(), change.reason.as_str()),
        ("adopt", "an.nguyen", "hồ sơ đề xuất cấp độ")
    );
    let snapshot = state.register_snapshot(now()).await.unwrap();
    assert_eq!(attribute(&snapshot, "192.0.2.7", None, false), ("dvc", "sender"));
    let refused = state.adopt_sender(&adoption("192.0.2.7", "ttdl"), &author(now())).await.unwrap_err();
    assert_eq!(refused.to_string(), "address 192.0.2.7 already belongs to system dvc");
    let refused = state.adopt_sender(&adoption("192.0.2.8", "khong-co"), &author(now())).await.unwrap_err();
    assert_eq!(refused.to_string(), "system khong-co is not in the register");
    state.adopt_sender(&adoption("10.1.2.3", "dvc"), &author(now())).await.unwrap();
    let snapshot = state.register_snapshot(now()).await.unwrap();
    assert_eq!(
        attribute(&snapshot, "10.1.2.3", None, false),
        ("dvc", "sender"),
        "an address inside another's range is more specific"
    );
}

#[tokio::test]
async fn districts_end_and_their_history_stays() {
    let (_dir, state) = state().await;
    let csv = "mã;tên;cấp;cấp trên;từ ngày;đến ngày\nh-dakto;UBND huyện Đăk Tô;huyện;;01/01/2010;01/07/2025\nx-dakto;UBND xã Đăk Tô;xã;;01/07/2025;\nx-x;X;thôn;;;\n";
    let report = import(&state, ImportKind::Organisations, csv).await;
    assert_eq!(errors(&report), ["4:3 column “cấp”: unknown tier “thôn”; use tinh, so_nganh, huyen, xa"]);
    let register = state.register(&Scope::internal("test")).await.unwrap();
    let tier = |id: &str, day: &str| register.organisation(id, midnight(day.parse().unwrap())).map(|o| o.tier);
    assert_eq!((tier("h-dakto", "2025-06-30"), tier("h-dakto", "2025-07-01")), (Some(Tier::Huyen), None));
    assert_eq!(tier("x-dakto", "2026-01-01"), Some(Tier::Xa));
}

#[tokio::test]
async fn tables_show_the_register_and_scope_hides_what_is_not_ones_own() {
    let (_dir, state) = state().await;
    import(&state, ImportKind::Systems, SYSTEMS).await;
    import(
        &state,
        ImportKind::Assets,
        "system,value,classes\ndvc,10.1.2.0/24,truy cập\n".replace("truy cập", "access process").as_str(),
    )
    .await;
    let tables: [&dyn TableSource; 3] =
        [&SystemsTable(state.clone()), &AssetsTable(state.clone()), &OrganisationsTable(state.clone())];
    let mut rows = Vec::new();
    for table in tables {
        let batches = table.scan().await.unwrap();
        assert!(batches.iter().all(|batch| batch.schema() == table.schema()));
        rows.push((table.name(), table.scope_column(), batches.iter().map(|batch| batch.num_rows()).sum::<usize>()));
    }
    assert_eq!(rows, [("systems", Some("system.id"), 3), ("assets", Some("system.id"), 1), ("organisations", None, 0)]);
    let owner = Scope { actor: "b".into(), role: event::Role::Owner, systems: event::Systems::Only(["noibo".to_owned()].into()) };
    let register = state.register(&owner).await.unwrap();
    assert_eq!((register.systems.len(), register.assets.len()), (1, 0));
    assert!(state.register_changes(&owner, 100).await.unwrap().iter().all(|change| change.key == "noibo"));
}
