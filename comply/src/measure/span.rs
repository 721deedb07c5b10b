//! How far back can one search without a hole? Continuity of *received* time, day by day, against the level's minimum.
//!
//! Days are UTC days of `event.ingested`, the time at which this server wrote the record: no sender can fake it. The day in
//! progress is not judged.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::{Finding, Memory, Sealed};
use crate::Verdict;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// Days with at least one searchable record; days since 1970.
    pub days: BTreeSet<i64>,
    pub today: i64,
    /// The level's minimum, in days.
    pub required: i64,
    pub required_months: i64,
    /// First day for which the register says that logs are owed.
    pub owed_since: Option<i64>,
    pub sealed: Sealed,
}

/// The measured facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Whole days without a hole up to yesterday.
    pub continuous: i64,
    /// Days with records among those judged.
    pub covered: i64,
    pub judged: i64,
    /// Holes, first and last day.
    pub gaps: Vec<(i64, i64)>,
    /// The day from which logs are owed.
    pub since: i64,
}

pub fn date(day: i64) -> NaiveDate {
    NaiveDate::default() + chrono::Days::new(day.max(0) as u64)
}

pub fn measure(input: &Input) -> Option<Span> {
    let first = *input.days.first()?;
    let known = [Some(first), input.sealed.first_day, input.owed_since];
    let since = known.into_iter().flatten().min().unwrap_or(first);
    let yesterday = input.today - 1;
    let start = since.max(input.today - input.required);
    let mut gaps: Vec<(i64, i64)> = Vec::new();
    for day in (start..=yesterday).filter(|day| !input.days.contains(day)) {
        match gaps.last_mut() {
            Some((_, last)) if *last == day - 1 => *last = day,
            _ => gaps.push((day, day)),
        }
    }
    let mut oldest = input.today;
    while input.days.contains(&(oldest - 1)) {
        oldest -= 1;
    }
    let judged = (yesterday - start + 1).max(0);
    let missing: i64 = gaps.iter().map(|(first, last)| last - first + 1).sum();
    Some(Span { continuous: input.today - oldest, covered: judged - missing, judged, gaps, since })
}

pub fn judge(input: &Input) -> Finding {
    let span = measure(input);
    let verdict = match &span {
        None => Verdict::Blind,
        Some(span) if !span.gaps.is_empty() => Verdict::Breached,
        Some(span) if span.since <= input.today - input.required => Verdict::Met,
        Some(span) => Verdict::Accumulating { enough_on: date(span.since + input.required) },
    };
    let (reason_vi, reason_en) = reason(input, span.as_ref(), &verdict);
    let continuous = span.as_ref().map_or(0, |span| span.continuous);
    let mut numbers: std::collections::BTreeMap<String, i64> =
        [("continuous_days".to_owned(), continuous), ("required_days".to_owned(), input.required)].into();
    if let Some(span) = &span {
        numbers.extend([
            ("covered_days".to_owned(), span.covered),
            ("judged_days".to_owned(), span.judged),
            ("gaps".to_owned(), span.gaps.len() as i64),
            ("since_day".to_owned(), span.since),
        ]);
        // The newest hole, for the page's bar.
        if let Some((first, last)) = span.gaps.last() {
            numbers.extend([("gap_from_day".to_owned(), *first), ("gap_to_day".to_owned(), *last + 1)]);
        }
    }
    Finding {
        value_vi: format!("{continuous} ngày liên tục"),
        value_en: format!("{continuous} days without a hole"),
        threshold_vi: format!("≥ {} tháng ({} ngày)", input.required_months, input.required),
        threshold_en: format!("≥ {} months ({} days)", input.required_months, input.required),
        reason_vi,
        reason_en,
        numbers,
        memory: Memory { first_day: span.as_ref().map(|span| span.since), ..Memory::default() },
        verdict,
    }
}

fn reason(input: &Input, span: Option<&Span>, verdict: &Verdict) -> (String, String) {
    let vi = |day: i64| date(day).format("%d/%m/%Y").to_string();
    match (span, verdict) {
        (Some(span), Verdict::Breached) => {
            let list: Vec<_> = span
                .gaps
                .iter()
                .rev()
                .take(3)
                .map(|(a, b)| if a == b { vi(*a) } else { format!("{}–{}", vi(*a), vi(*b)) })
                .collect();
            let (list, count) = (list.join(", "), span.gaps.len());
            (
                format!(
                    "Nhật ký chỉ liên tục {} ngày, cần {}; có {count} khoảng trống: {list}.",
                    span.continuous, input.required
                ),
                format!("Logs are continuous for {} days of {}; {count} hole(s): {list}.", span.continuous, input.required),
            )
        }
        (Some(span), Verdict::Accumulating { enough_on }) => (
            format!(
                "Không có khoảng trống từ {}; đủ {} ngày vào {}.",
                vi(span.since),
                input.required,
                enough_on.format("%d/%m/%Y")
            ),
            format!(
                "No hole since {}; {} days will be reached on {}.",
                vi(span.since),
                input.required,
                enough_on.format("%d/%m/%Y")
            ),
        ),
        (Some(span), _) => (
            format!("Tra cứu được liên tục {} ngày, tối thiểu {}.", span.continuous, input.required),
            format!("Searchable without a hole for {} days, the minimum is {}.", span.continuous, input.required),
        ),
        (None, _) => ("Không có bản ghi nào tra cứu được.".to_owned(), "There is no searchable record.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: i64 = 20_000;

    fn input(days: impl IntoIterator<Item = i64>) -> Input {
        Input { days: days.into_iter().collect(), today: TODAY, required: 90, required_months: 3, ..Input::default() }
    }

    #[test]
    fn a_long_history_without_a_hole_is_met() {
        let finding = judge(&input(TODAY - 120..=TODAY));
        assert_eq!((finding.verdict, finding.numbers["continuous_days"]), (Verdict::Met, 120));
        assert_eq!(judge(&input(TODAY - 120..TODAY)).verdict, Verdict::Met, "the day in progress is not judged");
    }

    #[test]
    fn a_young_history_accumulates_and_says_until_when() {
        let finding = judge(&input(TODAY - 30..=TODAY));
        assert_eq!(finding.verdict, Verdict::Accumulating { enough_on: date(TODAY + 60) });
    }

    #[test]
    fn a_hole_is_a_breach_even_in_a_young_history() {
        let holed = |ago: i64| input((TODAY - 120..=TODAY).filter(move |day| *day != TODAY - ago));
        assert_eq!(judge(&holed(10)).verdict, Verdict::Breached);
        assert_eq!(measure(&holed(10)).unwrap().gaps, [(TODAY - 10, TODAY - 10)]);
        assert_eq!(judge(&holed(100)).verdict, Verdict::Met, "a hole before the window no longer counts");
        assert_eq!(judge(&input([TODAY - 30, TODAY - 1])).verdict, Verdict::Breached);
    }

    #[test]
    fn deleting_the_past_does_not_make_a_history_young() {
        let mut cut = input(TODAY - 20..=TODAY);
        cut.sealed.first_day = Some(TODAY - 120);
        assert_eq!(judge(&cut).verdict, Verdict::Breached);
        cut.sealed.first_day = None;
        cut.owed_since = Some(TODAY - 40);
        assert_eq!(judge(&cut).verdict, Verdict::Breached, "logs were owed before the first one came");
    }

    #[test]
    fn silence_since_yesterday_is_a_hole() {
        assert_eq!(judge(&input(TODAY - 120..TODAY - 1)).verdict, Verdict::Breached);
        assert_eq!(judge(&input([])).verdict, Verdict::Blind);
    }
}
