//! What a requirement's answer may be, and what each answer is worth. Pure; integers only.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Whole of a point scale: 10,000 basis points are 100 %.
pub const FULL: u64 = 10_000;

/// A measured share, kept as the two counts behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub part: u64,
    pub whole: u64,
}

impl Share {
    /// Rounded down, so that a share short of the whole is never full.
    pub fn basis_points(self) -> u64 {
        if self.whole == 0 {
            0
        } else {
            (u128::from(self.part.min(self.whole)) * u128::from(FULL) / u128::from(self.whole)) as u64
        }
    }
}

/// The answer to one requirement for one system at one time (design §9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    Met,
    /// Met for a share of what is owed.
    Partly(Share),
    Breached,
    /// The telemetry that would answer does not arrive. Never green.
    Blind,
    /// The attesting document is past its cycle.
    Expired,
    /// Nothing is missing, but the history is younger than what is asked.
    Accumulating {
        enough_on: NaiveDate,
    },
    NotYetDue {
        due: NaiveDate,
    },
    NotApplicable {
        reason: String,
        second_person: String,
    },
    NotEvaluated,
}

impl Verdict {
    /// From counts: all is met, none is breached, else the share.
    pub fn from_share(part: u64, whole: u64) -> Self {
        match part {
            _ if part >= whole => Self::Met,
            0 => Self::Breached,
            _ => Self::Partly(Share { part, whole }),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Partly(_) => "partly",
            Self::Breached => "breached",
            Self::Blind => "blind",
            Self::Expired => "expired",
            Self::Accumulating { .. } => "accumulating",
            Self::NotYetDue { .. } => "not_yet_due",
            Self::NotApplicable { .. } => "not_applicable",
            Self::NotEvaluated => "not_evaluated",
        }
    }

    /// The word on the screen, with its share or date.
    pub fn label_vi(&self) -> String {
        match self {
            Self::Met => "đạt".to_owned(),
            Self::Partly(share) => format!("đạt một phần ({}/{})", share.part, share.whole),
            Self::Breached => "không đạt".to_owned(),
            Self::Blind => "chưa nhìn thấy".to_owned(),
            Self::Expired => "hết hạn".to_owned(),
            Self::Accumulating { enough_on } => format!("đang tích lũy (đủ vào {})", enough_on.format("%d/%m/%Y")),
            Self::NotYetDue { due } => format!("chưa đến hạn ({})", due.format("%d/%m/%Y")),
            Self::NotApplicable { .. } => "không áp dụng".to_owned(),
            Self::NotEvaluated => "chưa đánh giá".to_owned(),
        }
    }

    pub fn label_en(&self) -> String {
        match self {
            Self::Partly(share) => format!("partly ({}/{})", share.part, share.whole),
            Self::Accumulating { enough_on } => format!("accumulating (enough on {})", enough_on.format("%d/%m/%Y")),
            Self::NotYetDue { due } => format!("not yet due ({})", due.format("%d/%m/%Y")),
            other => other.name().replace('_', " "),
        }
    }

    /// Worth in basis points; `None` stands outside the sum.
    pub fn worth(&self) -> Option<u64> {
        match self {
            Self::Met => Some(FULL),
            Self::Partly(share) => Some(share.basis_points()),
            Self::Breached | Self::Blind | Self::Expired => Some(0),
            Self::Accumulating { .. } | Self::NotYetDue { .. } | Self::NotApplicable { .. } | Self::NotEvaluated => None,
        }
    }

    /// Several checks behind one requirement: the weakest answer is the requirement's. An answer that is still accumulating
    /// holds back a met one, because "met" would promise what is not there yet.
    pub fn weakest(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().min_by_key(Self::rank).unwrap_or(Self::NotEvaluated)
    }

    fn rank(&self) -> (u8, u64) {
        match self {
            Self::Breached => (0, 0),
            Self::Expired => (0, 1),
            Self::Blind => (0, 2),
            Self::Partly(share) => (1, share.basis_points()),
            Self::NotEvaluated => (2, 0),
            Self::Accumulating { enough_on } => (3, u64::MAX - (*enough_on - NaiveDate::MIN).num_days() as u64),
            Self::NotYetDue { .. } => (4, 0),
            Self::NotApplicable { .. } => (4, 1),
            Self::Met => (5, 0),
        }
    }
}

/// How an answer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    Measured,
    Attested,
    Both,
}

impl EvidenceKind {
    pub fn is_measured(self) -> bool {
        self != Self::Attested
    }

    pub fn is_attested(self) -> bool {
        self != Self::Measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_short_of_the_whole_is_never_full() {
        assert_eq!(Share { part: 99_999, whole: 100_000 }.basis_points(), 9_999);
        assert_eq!(Verdict::from_share(99_999, 100_000), Verdict::Partly(Share { part: 99_999, whole: 100_000 }));
        assert_eq!(Verdict::from_share(0, 3), Verdict::Breached);
    }

    #[test]
    fn blind_breached_and_expired_are_worth_the_same() {
        for verdict in [Verdict::Breached, Verdict::Blind, Verdict::Expired] {
            assert_eq!(verdict.worth(), Some(0));
        }
    }

    #[test]
    fn the_weakest_answer_wins() {
        let half = Verdict::Partly(Share { part: 1, whole: 2 });
        let young = Verdict::Accumulating { enough_on: NaiveDate::from_ymd_opt(2026, 12, 1).unwrap() };
        assert_eq!(Verdict::weakest([Verdict::Met, half.clone(), young.clone()]), half);
        assert_eq!(Verdict::weakest([Verdict::Met, young.clone()]), young);
        assert_eq!(Verdict::weakest([half, Verdict::Blind]), Verdict::Blind);
        assert_eq!(Verdict::weakest([]), Verdict::NotEvaluated);
    }
}
