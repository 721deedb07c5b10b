//! Do the clocks of the sources agree with this server's?
//!
//! For each emitter the *smallest* |claimed − received| of the window is judged: queues and relays only ever add delay, so the
//! smallest difference is the nearest to the true drift, and losing events can only make it look worse, never better.

use std::collections::BTreeMap;

use super::{
    Finding, Memory, Sealed,
    emitters::{ByOwner, Dossier},
};
use crate::Verdict;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    pub dossier: Dossier,
    /// Smallest difference of each emitter, in milliseconds; `None` when it sends no time of its own.
    pub emitters: ByOwner<Option<u64>>,
    pub sealed: Sealed,
    pub limit_ms: u64,
}

pub fn judge(input: &Input) -> Finding {
    let none = BTreeMap::new();
    let is_right = |drift: &Option<u64>| drift.is_some_and(|ms| ms <= input.limit_ms);
    let (mut part, mut whole, mut wrong) = (0, 0, Vec::new());
    for owed in &input.dossier.owed {
        let emitters = input.emitters.get(&Some(owed.key.clone())).unwrap_or(&none);
        let right = emitters.values().filter(|drift| is_right(drift)).count() as u64;
        part += right;
        if owed.in_force {
            whole += owed.quantity.max(right);
        }
        wrong.extend(emitters.values().flatten().filter(|ms| **ms > input.limit_ms).map(|ms| (owed.name.clone(), *ms)));
    }
    // Machines outside the dossier are another line's business; their clocks are counted but not judged.
    let unlisted = input.emitters.get(&None).unwrap_or(&none).values().filter(|drift| !is_right(drift)).count();
    whole = whole.max(input.dossier.peak).max(input.sealed.denominator);
    part = part.min(whole);
    let worst = wrong.iter().map(|(_, ms)| *ms).max();
    let measured = input.emitters.values().flatten().any(|(_, drift)| drift.is_some());
    let verdict = if whole == 0 || !measured { Verdict::Blind } else { Verdict::from_share(part, whole) };
    wrong.sort_by_key(|(_, ms)| std::cmp::Reverse(*ms));
    let list = |unit: &str| {
        wrong.iter().take(5).map(|(name, ms)| format!("{name} ({} {unit})", ms / 1000)).collect::<Vec<_>>().join(", ")
    };
    let limit = input.limit_ms / 1000;
    let silent = whole - part - (wrong.len() as u64).min(whole - part);
    let (reason_vi, reason_en) = match verdict {
        Verdict::Blind => (
            "Chưa có sự kiện nào mang giờ riêng của thiết bị trong 24 giờ qua.".to_owned(),
            "No event of the last 24 hours carries its device's own time.".to_owned(),
        ),
        Verdict::Met => (
            format!("Đồng hồ của cả {whole} nguồn lệch không quá {limit} giây."),
            format!("The clocks of all {whole} sources are within {limit} seconds."),
        ),
        _ => (
            format!("{part}/{whole} nguồn đúng giờ; lệch: {}; không đo được: {silent}.", or_none(list("giây"), "không")),
            format!("{part}/{whole} sources are on time; off: {}; not measurable: {silent}.", or_none(list("s"), "none")),
        ),
    };
    Finding {
        value_vi: format!("{part}/{whole} nguồn đúng giờ"),
        value_en: format!("{part}/{whole} sources on time"),
        threshold_vi: format!("lệch ≤ {limit} giây"),
        threshold_en: format!("drift ≤ {limit} seconds"),
        reason_vi,
        reason_en,
        numbers: [
            ("on_time".to_owned(), part as i64),
            ("expected".to_owned(), whole as i64),
            ("limit_ms".to_owned(), input.limit_ms as i64),
            ("worst_ms".to_owned(), worst.unwrap_or(0) as i64),
            ("unlisted_wrong".to_owned(), unlisted as i64),
        ]
        .into(),
        memory: Memory { denominator: Some(whole), ..Memory::default() },
        verdict,
    }
}

fn or_none(list: String, none: &str) -> String {
    if list.is_empty() { none.to_owned() } else { list }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::emitters::Owed;

    fn input(drifts: &[(&str, Option<u64>)]) -> Input {
        let owed = |name: &str| Owed { key: name.to_owned(), name: name.to_owned(), quantity: 1, in_force: true };
        let mut emitters: ByOwner<Option<u64>> = BTreeMap::new();
        for (name, drift) in drifts {
            let owner = ["fw", "web"].contains(name).then(|| (*name).to_owned());
            emitters.entry(owner).or_default().insert((*name).to_owned(), *drift);
        }
        let dossier = Dossier { owed: vec![owed("fw"), owed("web")], peak: 2 };
        Input { dossier, emitters, sealed: Sealed::default(), limit_ms: 60_000 }
    }

    #[test]
    fn the_limit_is_allowed_and_beyond_it_is_not() {
        let finding = judge(&input(&[("fw", Some(60_000)), ("web", Some(0))]));
        assert_eq!(finding.verdict, Verdict::Met);
        let finding = judge(&input(&[("fw", Some(60_001)), ("web", Some(0))]));
        assert_eq!(finding.verdict.label_en(), "partly (1/2)");
        assert_eq!(finding.reason_en, "1/2 sources are on time; off: fw (60 s); not measurable: 0.");
    }

    #[test]
    fn a_source_without_time_is_not_on_time() {
        assert_eq!(judge(&input(&[("fw", Some(0)), ("web", None)])).verdict.label_en(), "partly (1/2)");
        assert_eq!(judge(&input(&[("fw", None)])).verdict, Verdict::Blind);
        assert_eq!(judge(&input(&[("fw", Some(7_200_000)), ("web", Some(7_200_000))])).verdict, Verdict::Breached);
    }

    #[test]
    fn an_unlisted_source_is_counted_and_not_judged() {
        let finding = judge(&input(&[("fw", Some(0)), ("web", Some(0)), ("x", Some(500_000))]));
        assert_eq!((finding.verdict, finding.numbers["unlisted_wrong"]), (Verdict::Met, 1));
    }
}
