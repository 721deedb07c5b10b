//! How much of foreign samples is read, by product. A report with modest floors, not an accuracy score.
//!
//! The samples lie in the folder that `CHIENG_SHARED` names (default: `shared` beside the workspace) and are no part of the
//! project; without them the test says so and passes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bumpalo::Bump;
use chrono_tz::Tz;
use event::{Event, RawRecord};

use crate::{Memory, testing};

fn shared() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let data = std::env::var_os("CHIENG_SHARED").map_or_else(default, PathBuf::from).join("data");
    data.is_dir().then_some(data)
}

/// The records of a sample file: lines, or the `raw` member of NDJSON.
fn records(path: &Path) -> Vec<String> {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let is_wrapped = path.extension().is_some_and(|extension| extension == "ndjson");
    let unwrap = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(value.get("raw")?.as_str()?.to_owned())
    };
    if is_wrapped { text.lines().filter_map(unwrap).collect() } else { text.lines().map(str::to_owned).collect() }
}

/// Whatever reads a record, as long as one does.
const ANY: &[&str] = &["any"];

/// Share of records read by one of the parsers named.
fn share(folder: &Path, parsers: &[&str]) -> Option<(usize, usize)> {
    let mut all = 0;
    let mut read = 0;
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        let name = path.to_string_lossy().into_owned();
        if !(name.ends_with(".log") || name.ends_with(".ndjson")) || name.ends_with("-expected.json") {
            continue;
        }
        for record in records(&path).iter().filter(|record| !record.trim().is_empty()) {
            let arena = Bump::new();
            let mut event = Event::new(&arena);
            let raw = RawRecord::new(record.as_bytes(), record, testing::RECEIVED, Tz::UTC);
            let (_, name) = crate::parse(raw, None, &mut Memory::default(), &mut event);
            all += 1;
            read += usize::from(if parsers == ANY { name != "none" } else { parsers.contains(&name) });
        }
    }
    (all > 0).then_some((read, all))
}

#[test]
fn real_data() {
    let Some(data) = shared() else {
        eprintln!("skipped: no shared/data (set CHIENG_SHARED)");
        return;
    };
    let floors: [(&str, &[&str], f64); 10] = [
        ("logs/sshd", &["sshd"], 0.5),
        ("loghub/OpenSSH", &["sshd"], 0.9),
        ("logs/nginx", &["nginx_access", "nginx_error"], 0.5),
        ("logs/fortinet_fortigate", &["fortigate"], 0.5),
        ("logs/apache", &["apache_access", "apache_error", "nginx_access"], 0.5),
        ("loghub/Apache", &["apache_error"], 0.9),
        ("loghub/Linux", ANY, 0.9),
        ("loghub/Mac", ANY, 0.9),
        ("logs/cef", &["cef"], 0.5),
        ("logs/linux_auth", ANY, 0.9),
    ];
    for (folder, parsers, floor) in floors {
        match share(&data.join(folder), parsers) {
            Some((read, all)) => {
                let part = read as f64 / all as f64;
                eprintln!("{folder:28} {read:6} of {all:6}  {:6.2} %", part * 100.0);
                assert!(part >= floor, "{folder}: {part:.3} is below {floor}");
            }
            None => eprintln!("{folder:28} skipped: no such samples"),
        }
    }
}
