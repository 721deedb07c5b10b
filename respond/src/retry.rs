//! When to try again. Pure: doubling pauses with jitter, until the message expires.

use event::Micros;

use crate::settings::{HOUR, SECOND};

const FIRST: Micros = 10 * SECOND;
const LONGEST: Micros = HOUR;

/// When the attempt after `tries` failed ones is due; `None` when that is after `expires`.
///
/// The jitter (± 20 %) is a function of the key and the number of tries: messages that failed together do not return together,
/// and a test sees the same times each run.
pub fn next(key: &str, tries: u32, now: Micros, expires: Micros) -> Option<Micros> {
    let pause = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(LONGEST);
    let hash = blake3::hash(format!("{key}:{tries}").as_bytes());
    let dice = Micros::from(u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]));
    let jitter = pause / 5 * (2 * dice - 65_535) / 65_535;
    let due = now + pause + jitter;
    (due <= expires).then_some(due)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::DAY;

    #[test]
    fn pauses_grow_to_an_hour_and_end_after_a_day() {
        let (mut now, mut tries, mut pauses) = (0, 0, Vec::new());
        loop {
            tries += 1;
            let Some(due) = next("c1", tries, now, DAY) else { break };
            pauses.push(due - now);
            now = due;
        }
        assert!((8 * SECOND..=12 * SECOND).contains(&pauses[0]));
        assert!((16 * SECOND..=24 * SECOND).contains(&pauses[1]));
        assert!(pauses.iter().all(|pause| *pause <= LONGEST + LONGEST / 5));
        assert!((28..=38).contains(&pauses.len()), "{} tries in a day", pauses.len());
        assert!(now <= DAY && now > DAY - 2 * HOUR);
    }

    #[test]
    fn two_messages_do_not_return_together() {
        assert_ne!(next("c1", 1, 0, DAY), next("c2", 1, 0, DAY));
        assert_eq!(next("c1", 1, 0, DAY), next("c1", 1, 0, DAY));
    }
}
