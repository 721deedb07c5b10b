//! The demo is what it says it is: the same bytes for the same seed, the estate of the article, and the four odd systems.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use event::{
    Micros, RawBatch, Receipt,
    seam::{BoxFuture, Refused, Sink},
};

use super::{
    civil::{self, DAY, HOUR, MINUTE},
    estate::{self, Estate},
    generate::{History, Live, Options},
    load::{Loaded, batches, load},
};

/// Monday, 23 November 2026, 09:00 UTC.
const NOW: Micros = 1_795_424_400_000_000;

fn lines(options: Options) -> impl Iterator<Item = super::Line> {
    History::new(options).flat_map(|window| window.lines)
}

/// FNV-1a over everything a line is.
fn hash(options: Options) -> u64 {
    lines(options).fold(0xcbf2_9ce4_8422_2325, |hash, line| {
        let whole = format!("{}|{}|{}|{}\n", line.received, line.source, line.sender, line.text);
        whole.bytes().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    })
}

fn short() -> Options {
    Options { days: 2, dense: 5_000, ..Options::at(NOW) }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    assert_eq!(hash(short()), hash(short()));
    assert_ne!(hash(short()), hash(Options { seed: 1_754, ..short() }));
    assert_ne!(hash(short()), hash(Options { now: NOW + DAY, ..short() }));
}

#[test]
fn the_estate_is_the_articles() {
    let estate = Estate::new();
    assert_eq!(estate.systems.len(), 35);
    assert_eq!(estate.units.len(), 134);
    assert_eq!(estate.units.iter().map(|unit| unit.pcs).sum::<u64>(), 5_528);
    let organisations = Estate::organisations_csv();
    let tier = |name: &str| organisations.lines().filter(|line| line.contains(&format!(",{name},"))).count();
    assert_eq!((tier("so_nganh"), tier("huyen"), tier("xa")), (22, 10, 102));
    let systems = Estate::systems_csv(NOW);
    for said in ["1.753 thủ tục: 495 toàn trình, 196 một phần, 1.062 còn lại", "5.553 tài khoản", "6.968 hộp thư"]
    {
        assert!(systems.contains(said), "{said}");
    }
    assert!(!systems.contains('{') && !Estate::assets_csv(NOW).contains('{'), "every date is filled in");
    let level = |n| estate.systems.iter().filter(|system| system.level == n).count();
    assert_eq!((level(1), level(2), level(3)), (2, 18, 15));
    let hosts: Vec<_> = estate.systems.iter().flat_map(|system| &system.hosts).map(|host| host.address).collect();
    assert_eq!(hosts.iter().collect::<HashSet<_>>().len(), hosts.len(), "no address twice");
    assert!(estate.systems.iter().all(|system| !system.hosts.is_empty()));
}

#[test]
fn counts_and_order() {
    let options = Options::at(NOW);
    let (mut thin, mut dense, mut last) = (0u64, 0u64, 0);
    let (mut hours, mut days) = ([0u64; 24], HashMap::<(String, i64), u64>::new());
    let systems: HashMap<_, _> = Estate::new()
        .systems
        .iter()
        .flat_map(|system| system.hosts.iter().map(|host| (host.address, system.id.clone())).collect::<Vec<_>>())
        .collect();
    for window in History::new(options) {
        for line in &window.lines {
            assert!(line.received >= last && line.received < window.end, "in order of time");
            last = line.received;
            assert!(!line.text.contains(['\n', '\r']) && line.text.len() < 2_000, "{}", line.text);
            let system = systems.get(&line.sender).expect("every sender is an asset");
            let day = (NOW - line.received).div_euclid(DAY);
            *days.entry((system.clone(), day)).or_default() += 1;
            if day == 0 {
                dense += 1;
                hours[civil::Civil::local(line.received).hour as usize] += 1;
            } else {
                thin += 1;
            }
        }
    }
    assert!(dense >= 300_000, "{dense} lines in the last 24 hours");
    assert!((150_000..600_000).contains(&thin), "{thin} thin lines");
    assert!(hours[9] > 5 * hours[3], "offices keep hours: {hours:?}");
    let spoke = |system: &str, day: i64| days.get(&(system.to_owned(), day)).copied().unwrap_or(0);
    // Silent for nine days; a hole of twelve days two months ago; watched since forty days.
    assert_eq!((0..9).map(|day| spoke("khcn", day)).sum::<u64>(), 0);
    assert!(spoke("khcn", 9) > 0);
    assert_eq!((56..68).map(|day| spoke("tnmt", day)).sum::<u64>(), 0);
    assert!(spoke("tnmt", 55) > 0 && spoke("tnmt", 68) > 0 && spoke("tnmt", 0) > 0);
    assert!(spoke("ioc", 39) > 0 && spoke("ioc", 40) == 0);
    // Everybody else spoke every day, a little on thin ones.
    for system in Estate::new().systems.iter().filter(|system| !["khcn", "tnmt", "ioc"].contains(&system.id.as_str())) {
        for day in 1..=120 {
            let n = spoke(&system.id, day);
            assert!((10..=400).contains(&n), "{} spoke {n} times {day} days ago", system.id);
        }
    }
}

#[test]
fn the_wrong_clock_runs_seven_hours_ahead() {
    let address = Estate::new().system(estate::WRONG_CLOCK).unwrap().hosts[0].address;
    let line = lines(short()).find(|line| line.sender == address && line.text.contains("Z nong-nghiep-app01")).unwrap();
    let stamp = line.text.split_once(">1 ").unwrap().1.split(' ').next().unwrap();
    let mut claimed = String::new();
    civil::iso_utc(&mut claimed, line.received + 7 * HOUR);
    assert_eq!(stamp, claimed);
}

#[test]
fn attackers_come_from_documentation_ranges_only() {
    let mut story = 0;
    for line in lines(short()) {
        for word in line.text.split(|c: char| !(c.is_ascii_digit() || c == '.')) {
            let Ok(address) = word.parse::<std::net::Ipv4Addr>() else { continue };
            let [a, b, c, _] = address.octets();
            let is_reserved = matches!((a, b, c), (192, 0, 2) | (198, 51, 100) | (203, 0, 113));
            story += u64::from(is_reserved);
            // Versions such as 142.0.0.0 and 14.2.0.26967 are no addresses.
            let is_known = a == 10
                || a == 127
                || (a == 198 && (b & 0xfe) == 18)
                || is_reserved
                || (b, c) == (0, 0)
                || address.octets() == [20, 0, 1, 94];
            assert!(is_known, "{address} in {}", line.text);
        }
    }
    assert!(story > 1_000, "{story}");
}

#[test]
fn the_story_has_its_turns() {
    let all: Vec<_> = lines(short()).map(|line| line.text).collect();
    for (what, at_least) in [
        ("action=\"deny\"", 400),
        ("Failed password", 300),
        ("Accepted password for deploy from 203.0.113.45", 1),
        ("UNION%20SELECT", 20),
        ("anh-the.php?cmd=", 6),
        ("new user: name=svc_backup", 1),
        ("\"event_id\":\"4625\"", 44),
        ("remip=192.0.2.88", 1),
        ("\"event_id\":\"4720\"", 1),
        ("\"event_id\":\"1102\"", 1),
        ("Trojan-Ransom", 14),
        ("dstip=203.0.113.99", 6),
        ("\"signature_date\"", 5_000),
    ] {
        let n = all.iter().filter(|text| text.contains(what)).count();
        assert!(n >= at_least, "{what}: {n}");
    }
}

#[test]
fn json_lines_are_json() {
    let mut n = 0;
    for line in lines(short()).filter(|line| line.text.starts_with('{')) {
        let value: serde_json::Value = serde_json::from_str(&line.text).unwrap_or_else(|error| panic!("{error}: {}", line.text));
        assert!(value["@timestamp"].is_string());
        n += 1;
    }
    assert!(n > 5_000);
}

#[test]
fn live_goes_on() {
    let mut live = Live::new(short());
    let mut senders = HashSet::new();
    for i in 0..2_000 {
        let line = live.line(NOW + i * MINUTE);
        assert_eq!(line.received, NOW + i * MINUTE);
        assert!(live.pause().as_millis() < 1_000);
        senders.insert(line.sender);
    }
    assert!(senders.len() > 40);
}

#[test]
fn a_batch_holds_one_sender_and_one_moment() {
    let window = History::new(short()).last().unwrap();
    let made = batches(&window.lines);
    assert_eq!(made.iter().map(RawBatch::len).sum::<usize>(), window.lines.len());
    assert!(made.len() < window.lines.len());
    let last: HashMap<_, _> = window.lines.iter().map(|line| (line.text.as_bytes(), line.received)).collect();
    for batch in &made {
        for record in batch.records() {
            assert!((0..MINUTE).contains(&(batch.received - last[record])), "received within the minute");
        }
    }
}

/// Keeps what it is given together with the time on the clock.
#[derive(Default)]
struct Kept {
    clock: Mutex<Micros>,
    batches: Mutex<Vec<(Micros, RawBatch)>>,
    refusals: Mutex<u32>,
}

impl Sink for Kept {
    fn submit(&self, batch: RawBatch) -> BoxFuture<'_, Result<Receipt, Refused>> {
        Box::pin(async move {
            let mut refusals = self.refusals.lock().unwrap();
            if *refusals > 0 {
                *refusals -= 1;
                return Err(Refused::Pressure { retry_after_ms: 1 });
            }
            let receipt = Receipt { sequence: 1, records: batch.len() as u32, duplicate: false };
            self.batches.lock().unwrap().push((*self.clock.lock().unwrap(), batch));
            Ok(receipt)
        })
    }

    fn file_offset(&self, _: &str, _: &str) -> u64 {
        0
    }
}

#[tokio::test]
async fn loading_moves_the_clock_through_the_past() {
    let kept = Arc::new(Kept { refusals: Mutex::new(3), ..Kept::default() });
    let (clock, mut seen) = (Arc::clone(&kept), Vec::new());
    let set = move |at| *clock.clock.lock().unwrap() = at;
    let loaded = load(History::new(short()), Arc::clone(&kept) as Arc<dyn Sink>, set, |at| seen.push(at)).await.unwrap();
    assert_eq!(loaded.lines, lines(short()).count() as u64);
    assert_eq!((loaded.done, seen.last().copied()), (1.0, Some(loaded)));
    assert!(seen.windows(2).all(|two: &[Loaded]| two[0].done < two[1].done));
    let batches = kept.batches.lock().unwrap();
    assert_eq!(batches.len() as u64, loaded.batches);
    for (clock, batch) in batches.iter() {
        assert!((1..=6 * HOUR).contains(&(clock - batch.received)), "the clock stands just behind what it stamps");
    }
}
