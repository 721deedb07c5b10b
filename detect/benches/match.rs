//! Events per second with all rules that are at hand (own ones, and SigmaHQ's when the shared folder is there) over a mixed
//! synthetic batch; evidence is built, every event is tested, columns are interned as the block builder does it.

#![allow(clippy::unwrap_used)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use bumpalo::Bump;
use detect::{Loaded, Options, RuleSource, load, own};
use divan::{Bencher, counter::ItemsCount};
use event::{BlockBuilder, Event, EventBatch, field};

fn main() {
    divan::main();
}

const ROWS: usize = 8192;

fn walk(dir: &Path, out: &mut Vec<RuleSource>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            out.push(RuleSource { path: path.display().to_string(), text: fs::read_to_string(&path).unwrap() });
        }
    }
}

fn sources() -> Vec<RuleSource> {
    let root =
        env::var_os("CHIENG_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let mut sources = own::sources();
    walk(&root.join("data/sigma"), &mut sources);
    sources
}

static LOADED: LazyLock<Loaded> = LazyLock::new(|| {
    let loaded = load(sources(), &Options::default());
    eprintln!("{} rules", loaded.set.rules().len());
    loaded
});

/// Which kinds of event a batch holds.
#[derive(Clone, Copy)]
enum Mix {
    Linux,
    Web,
    Firewall,
    Process,
    All,
}

fn batches(mix: Mix) -> Vec<EventBatch> {
    let arena = Bump::new();
    let mut builder = BlockBuilder::new();
    let mut event = Event::new(&arena);
    for i in 0..ROWS {
        let kind = match mix {
            Mix::Linux => 0,
            Mix::Web => 1,
            Mix::Firewall => 2,
            Mix::Process => 3,
            // About what a province sends: half firewall, a quarter web, the rest servers.
            Mix::All => [2, 1, 2, 0, 2, 1, 2, 3][i % 8],
        };
        event.clear();
        fill(&mut event, kind, i);
        builder.append(&event);
    }
    builder.finish()
}

fn fill<'r>(event: &mut Event<'r>, kind: usize, i: usize) {
    let address = event.alloc(&format!("198.51.100.{}", i * 7 % 250));
    event.set_ip(field::SOURCE_IP, address);
    event.set(field::HOST_NAME, ["srv-01", "srv-02", "dc-01"][i % 3]);
    match kind {
        0 => {
            event.set_dataset("sshd.auth");
            event.set(field::EVENT_ACTION, "ssh_login");
            event.set(field::EVENT_OUTCOME, if i.is_multiple_of(9) { "success" } else { "failure" });
            event.set(field::USER_NAME, ["an", "binh", "oracle", "test"][i % 4]);
            event.set(field::SOURCE_PORT, (i % 60_000) as i64);
            let line = event.alloc(&format!("Failed password for an from {address} port {i} ssh2"));
            event.set(field::EVENT_ORIGINAL, line);
            event.set(field::MESSAGE, line);
        }
        1 => {
            event.set_dataset("nginx.access");
            let path = event.alloc(&format!("/thu-tuc/{}/chi-tiet", i % 1753));
            let query = event.alloc(&format!("ma={i}&trang={}", i % 40));
            let original = event.alloc(&format!("{path}?{query}"));
            event.set(field::HTTP_REQUEST_METHOD, if i.is_multiple_of(10) { "POST" } else { "GET" });
            event.set(field::URL_PATH, path);
            event.set(field::URL_QUERY, query);
            event.set(field::URL_ORIGINAL, original);
            event.set(field::HTTP_RESPONSE_STATUS_CODE, [200_i64, 200, 304, 404, 502][i % 5]);
            event.set(field::USER_AGENT_ORIGINAL, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36");
        }
        2 => {
            event.set_dataset("fortinet.firewall");
            for (key, value) in [("type", "traffic"), ("subtype", "forward"), ("action", "close"), ("service", "HTTPS")] {
                event.set_extra("fortinet.firewall.", key, value);
            }
            event.set_extra("fortinet.firewall.", "srcip", address);
            event.set_extra("fortinet.firewall.", "dstport", "443");
        }
        _ => {
            event.set_dataset("windows.sysmon");
            event.set(field::WINLOG_CHANNEL, "Microsoft-Windows-Sysmon/Operational");
            event.set(field::WINLOG_PROVIDER_NAME, "Microsoft-Windows-Sysmon");
            event.set(field::EVENT_CODE, "1");
            let image = ["svchost.exe", "cmd.exe", "powershell.exe", "chrome.exe", "conhost.exe"][i % 5];
            let image_path = event.alloc(&format!("C:\\Windows\\System32\\{image}"));
            let command = event.alloc(&format!("{image} -k netsvcs -p -s Schedule{i} /c dir C:\\Users\\an\\Documents\\{i}.docx"));
            for (key, value) in [
                ("Image", image_path),
                ("CommandLine", command),
                ("ParentImage", "C:\\Windows\\explorer.exe"),
                ("ParentCommandLine", "C:\\Windows\\Explorer.EXE"),
                ("OriginalFileName", image),
                ("User", "TINH\\an"),
                ("IntegrityLevel", "Medium"),
                ("CurrentDirectory", "C:\\Users\\an\\"),
                ("Company", "Microsoft Corporation"),
            ] {
                event.set_extra("winlog.event_data.", key, value);
            }
        }
    }
}

fn run(bencher: Bencher, mix: Mix) {
    let batches = batches(mix);
    let set = &LOADED.set;
    bencher.counter(ItemsCount::new(ROWS)).bench(|| batches.iter().map(|batch| set.match_batch(batch).len()).sum::<usize>());
}

#[divan::bench]
fn mixed(bencher: Bencher) {
    run(bencher, Mix::All);
}

#[divan::bench]
fn linux(bencher: Bencher) {
    run(bencher, Mix::Linux);
}

#[divan::bench]
fn web(bencher: Bencher) {
    run(bencher, Mix::Web);
}

#[divan::bench]
fn firewall(bencher: Bencher) {
    run(bencher, Mix::Firewall);
}

#[divan::bench]
fn process_creation(bencher: Bencher) {
    run(bencher, Mix::Process);
}

#[divan::bench(sample_count = 5)]
fn load_all(bencher: Bencher) {
    let sources = sources();
    bencher.bench(|| load(sources.clone(), &Options::default()).set.rules().len());
}
