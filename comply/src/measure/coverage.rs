//! Do the log sources of the dossier speak, at the volume one has learned to expect of them? One heartbeat is not speech.

use std::collections::BTreeMap;

use super::{
    Finding, Memory, Sealed,
    emitters::{ByOwner, Dossier},
    median,
};
use crate::Verdict;

/// Events of one emitter: in the last 24 hours, and on each whole day before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    pub last_day: u64,
    pub days_before: BTreeMap<i64, u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    pub dossier: Dossier,
    pub emitters: ByOwner<Volume>,
    pub sealed: Sealed,
    /// Whole days in the window before the last 24 hours.
    pub days: usize,
    /// A source speaks when it sends at least this share of its usual day.
    pub floor_percent: u64,
}

/// Counts that decide; `part` of `whole` speak.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    part: u64,
    whole: u64,
    /// The dossier's part of `whole`; sealed.
    listed: u64,
    /// Silent or muttering emitters and assets, for the reason.
    missing: Vec<String>,
    unlisted: u64,
}

pub fn judge(input: &Input) -> Finding {
    let tally = tally(input);
    let heard: u64 = volumes(input).map(|(_, volume)| volume.last_day + volume.days_before.values().sum::<u64>()).sum();
    let verdict = match () {
        () if input.dossier.owed.is_empty() || heard == 0 => Verdict::Blind,
        () => Verdict::from_share(tally.part, tally.whole),
    };
    let names = tally.missing.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let more = if tally.missing.len() > 5 { format!(" (+{})", tally.missing.len() - 5) } else { String::new() };
    let (reason_vi, reason_en) = match verdict {
        Verdict::Blind if input.dossier.owed.is_empty() => (
            "Hồ sơ chưa kê khai nguồn nhật ký nào cho hệ thống này, nên không biết đã đủ hay chưa.".to_owned(),
            "The dossier lists no log source for this system, so nobody can say whether all speak.".to_owned(),
        ),
        Verdict::Blind => (
            format!("Không nhận được sự kiện nào trong {} ngày qua.", input.days + 1),
            format!("Not one event was received in the last {} days.", input.days + 1),
        ),
        Verdict::Met => (
            format!("Cả {} nguồn trong hồ sơ đều gửi nhật ký đúng mức thường ngày.", tally.whole),
            format!("All {} sources of the dossier send at their usual volume.", tally.whole),
        ),
        _ => (
            format!("{} trên {} nguồn gửi nhật ký đúng mức; im lặng hoặc quá ít: {names}{more}.", tally.part, tally.whole),
            format!(
                "{} of {} sources send at their usual volume; silent or far below it: {names}{more}.",
                tally.part, tally.whole
            ),
        ),
    };
    Finding {
        value_vi: format!("{}/{} nguồn", tally.part, tally.whole),
        value_en: format!("{}/{} sources", tally.part, tally.whole),
        threshold_vi: format!("mọi nguồn, mỗi nguồn ≥ {} % lượng thường ngày", input.floor_percent),
        threshold_en: format!("all sources, each ≥ {} % of its usual day", input.floor_percent),
        reason_vi,
        reason_en,
        numbers: [
            ("speaking".to_owned(), tally.part as i64),
            ("expected".to_owned(), tally.whole as i64),
            ("dossier".to_owned(), input.dossier.now() as i64),
            ("dossier_peak".to_owned(), input.dossier.peak as i64),
            ("unlisted".to_owned(), tally.unlisted as i64),
        ]
        .into(),
        memory: Memory {
            counts: volumes(input).map(|(key, volume)| (key, volume.last_day)).collect(),
            denominator: Some(tally.listed),
            first_day: None,
        },
        verdict,
    }
}

/// The key by which sealed days remember an emitter: its owner (empty: unlisted) and itself.
fn memory_key(owner: Option<&str>, key: &str) -> String {
    format!("{}>{key}", owner.unwrap_or_default())
}

fn volumes(input: &Input) -> impl Iterator<Item = (String, &Volume)> {
    let owners = input.emitters.iter();
    owners.flat_map(|(owner, emitters)| emitters.iter().map(move |(key, volume)| (memory_key(owner.as_deref(), key), volume)))
}

/// Emitters of one owner: how many speak, and the names of those that used to and do not.
fn hear(input: &Input, owner: Option<&str>) -> (u64, Vec<String>) {
    let none = BTreeMap::new();
    let emitters = input.emitters.get(&owner.map(str::to_owned)).unwrap_or(&none);
    let (mut speaking, mut silent) = (0, Vec::new());
    for (key, volume) in emitters {
        let usual = match &input.sealed.learned {
            Some(learned) => learned.get(&memory_key(owner, key)).copied().unwrap_or(0),
            None => median(&volume.days_before.values().copied().collect::<Vec<_>>(), input.days),
        };
        match volume.last_day >= (usual * input.floor_percent).div_ceil(100).max(1) {
            true => speaking += 1,
            false if usual > 0 => silent.push(key.clone()),
            false => {}
        }
    }
    // Emitters that sealed days know and the rows no longer do.
    let prefix = memory_key(owner, "");
    for (key, usual) in input.sealed.learned.iter().flat_map(|learned| learned.range(prefix.clone()..)) {
        let Some(key) = key.strip_prefix(&prefix) else { break };
        if *usual > 0 && !emitters.contains_key(key) {
            silent.push(key.to_owned());
        }
    }
    (speaking, silent)
}

fn tally(input: &Input) -> Tally {
    let mut tally = Tally::default();
    for owed in &input.dossier.owed {
        let (speaking, silent) = hear(input, Some(&owed.key));
        let of = owed.quantity.max(speaking + silent.len() as u64);
        tally.part += speaking;
        if owed.in_force {
            tally.whole += of;
            if speaking < of {
                tally.missing.push(owed.name.clone());
            }
        }
    }
    // An unlisted emitter that speaks is neither owed nor praised; one that used to speak and stopped is a loss.
    let (_, silent) = hear(input, None);
    tally.unlisted = input.emitters.get(&None).map_or(0, |emitters| emitters.len() as u64);
    tally.listed = tally.whole.max(input.dossier.peak).max(input.sealed.denominator);
    // Added after the maximum: ending an asset must not make room for a silent stranger.
    tally.whole = tally.listed + silent.len() as u64;
    tally.missing.extend(silent);
    tally.part = tally.part.min(tally.whole);
    tally
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::emitters::Owed;

    fn owed(name: &str, quantity: u64) -> Owed {
        Owed { key: format!("host:{name}"), name: name.to_owned(), quantity, in_force: true }
    }

    fn volume(last_day: u64, usual: u64) -> Volume {
        Volume { last_day, days_before: (0..14).map(|day| (day, usual)).collect() }
    }

    fn input(owed: Vec<Owed>, emitters: &[(&str, &str, Volume)]) -> Input {
        let mut by_owner: ByOwner<Volume> = BTreeMap::new();
        for (owner, key, volume) in emitters {
            let owner = (!owner.is_empty()).then(|| format!("host:{owner}"));
            by_owner.entry(owner).or_default().insert((*key).to_owned(), volume.clone());
        }
        let peak = owed.iter().map(|o| o.quantity).sum();
        Input { dossier: Dossier { owed, peak }, emitters: by_owner, sealed: Sealed::default(), days: 14, floor_percent: 10 }
    }

    fn verdict(input: &Input) -> String {
        judge(input).verdict.label_en()
    }

    #[test]
    fn one_heartbeat_is_not_speech() {
        let sources = || vec![owed("fw", 1), owed("web", 1)];
        assert_eq!(verdict(&input(sources(), &[("fw", "fw", volume(900, 1000)), ("web", "web", volume(40, 50))])), "met");
        assert_eq!(verdict(&input(sources(), &[("fw", "fw", volume(1, 1000)), ("web", "web", volume(40, 50))])), "partly (1/2)");
        assert_eq!(verdict(&input(sources(), &[("fw", "fw", volume(0, 1000))])), "breached");
    }

    #[test]
    fn nothing_heard_and_nothing_listed_are_blind() {
        assert_eq!(verdict(&input(vec![owed("fw", 1)], &[])), "blind");
        assert_eq!(verdict(&input(vec![], &[("", "address:10.0.0.1", volume(9, 9))])), "blind");
    }

    #[test]
    fn a_range_of_machines_owes_each_of_them() {
        let pcs = [("pcs", "a", volume(5, 5)), ("pcs", "b", volume(5, 5)), ("pcs", "c", volume(0, 5))];
        assert_eq!(verdict(&input(vec![owed("pcs", 4)], &pcs)), "partly (2/4)");
        assert_eq!(verdict(&input(vec![owed("pcs", 2)], &pcs)), "partly (2/3)", "traffic shows more than the dossier");
    }

    #[test]
    fn an_unlisted_source_that_stops_counts_and_one_that_speaks_does_not_help() {
        let fw = || vec![owed("fw", 1), owed("dead", 1)];
        assert_eq!(verdict(&input(fw(), &[("fw", "fw", volume(9, 9)), ("", "x", volume(9, 9))])), "partly (1/2)");
        assert_eq!(verdict(&input(fw(), &[("fw", "fw", volume(9, 9)), ("", "x", volume(0, 9))])), "partly (1/3)");
    }

    #[test]
    fn an_ended_asset_stays_in_the_denominator() {
        let mut ended = input(vec![owed("fw", 1), owed("dead", 1)], &[("fw", "fw", volume(9, 9))]);
        ended.dossier.owed[1].in_force = false;
        assert_eq!(verdict(&ended), "partly (1/2)");
        ended.dossier.peak = 1;
        assert_eq!(verdict(&ended), "met", "after the look-back window");
    }
}
