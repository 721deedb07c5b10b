//! The promises of design §9 over thousands of random histories. The measures are pure, so a history here is counts, days and
//! a dossier; what earlier days sealed is computed from the untouched history and then held fixed, as the chain does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::{
    Binding, Cause, EvidenceKind, ScoreRow, Scores, SealedInputs, Verdict, explain,
    measure::{
        Finding, Memory, Sealed, classes, coverage, drift,
        emitters::{ByOwner, Dossier, Owed},
        endpoints, span,
    },
    score,
    seal::SealedCheck,
    verdict::Share,
};

const TODAY: i64 = 20_000;
const DAYS: i64 = 14;

/// One emitter: whose it is (an asset, or nobody's), its daily counts, today's count, its clock.
#[derive(Clone, Debug)]
struct Emitter {
    owner: Option<usize>,
    daily: Vec<u64>,
    today: u64,
    drift_ms: Option<u64>,
}

/// Everything that the six checks look at.
#[derive(Clone, Debug)]
struct World {
    assets: Vec<u64>,
    ended: Vec<bool>,
    emitters: Vec<Option<Emitter>>,
    received: Vec<i64>,
    classes: BTreeMap<String, u64>,
    machines: BTreeMap<String, bool>,
}

fn world() -> impl Strategy<Value = World> {
    let emitter = (
        proptest::option::weighted(0.8, 0..4usize),
        proptest::collection::vec(0..60u64, DAYS as usize),
        0..60u64,
        proptest::option::of(0..120_000u64),
    )
        .prop_map(|(owner, daily, today, drift_ms)| Some(Emitter { owner, daily, today, drift_ms }));
    let days = proptest::collection::vec(any::<bool>(), 60).prop_map(|present| {
        let days = present.iter().enumerate().filter(|(at, present)| **present || at % 7 != 0).map(|(at, _)| TODAY - at as i64);
        days.collect::<Vec<_>>()
    });
    let classes = proptest::collection::btree_map(
        proptest::sample::select(vec!["access", "application", "alert", "process"]).prop_map(str::to_owned),
        0..9u64,
        0..5,
    );
    let machines = proptest::collection::btree_map("m[0-9]", any::<bool>(), 0..8);
    (proptest::collection::vec(1..3u64, 1..5), proptest::collection::vec(emitter, 0..8), days, classes, machines).prop_map(
        |(assets, emitters, received, classes, machines)| World {
            ended: vec![false; assets.len()],
            assets,
            emitters,
            received,
            classes,
            machines,
        },
    )
}

impl World {
    fn dossier(&self) -> Dossier {
        let owed = self.assets.iter().zip(&self.ended).enumerate();
        Dossier {
            owed: owed
                .map(|(at, (quantity, ended))| Owed {
                    key: at.to_string(),
                    name: at.to_string(),
                    quantity: *quantity,
                    in_force: !ended,
                })
                .collect(),
            peak: self.assets.iter().sum(),
        }
    }

    fn by_owner<T>(&self, value: impl Fn(&Emitter) -> T) -> ByOwner<T> {
        let mut map: ByOwner<T> = BTreeMap::new();
        for (at, emitter) in self.emitters.iter().enumerate() {
            if let Some(emitter) = emitter {
                let owner = emitter.owner.filter(|owner| *owner < self.assets.len()).map(|owner| owner.to_string());
                map.entry(owner).or_default().insert(format!("e{at}"), value(emitter));
            }
        }
        map
    }

    fn findings(&self, sealed: &[Sealed; 5]) -> [Finding; 5] {
        let volume = |emitter: &Emitter| coverage::Volume {
            last_day: emitter.today,
            days_before: emitter.daily.iter().enumerate().map(|(at, n)| (TODAY - 2 - at as i64, *n)).collect(),
        };
        let sources = coverage::judge(&coverage::Input {
            dossier: self.dossier(),
            emitters: self.by_owner(volume),
            sealed: sealed[0].clone(),
            days: DAYS as usize,
            floor_percent: 10,
        });
        let days = self.received.iter().copied().collect();
        let span = span::judge(&span::Input {
            days,
            today: TODAY,
            required: 30,
            required_months: 1,
            owed_since: None,
            sealed: sealed[1].clone(),
        });
        let clock = drift::judge(&drift::Input {
            dossier: self.dossier(),
            emitters: self.by_owner(|e| e.drift_ms),
            sealed: sealed[2].clone(),
            limit_ms: 60_000,
        });
        let needed = ["access", "application", "alert"].map(str::to_owned).into();
        let types = classes::judge(&classes::Input { needed, seen: self.classes.clone(), days: 7, ..classes::Input::default() });
        let machines = self.machines.clone();
        let agents = endpoints::judge(&endpoints::Input {
            dossier: self.dossier(),
            machines,
            sealed: sealed[4].clone(),
            ..Default::default()
        });
        [sources, span, clock, types, agents]
    }

    /// What yesterday sealed, from this world: volumes as learned, denominators, first day.
    fn sealed(&self) -> [Sealed; 5] {
        let found = self.findings(&Default::default());
        let learned = |emitter: &Emitter| crate::measure::median(&emitter.daily, DAYS as usize);
        let by_owner = self.by_owner(learned).into_iter();
        let flat = by_owner.flat_map(|(owner, all)| {
            all.into_iter().map(move |(key, n)| (format!("{}>{key}", owner.as_deref().unwrap_or("")), n))
        });
        let volumes: BTreeMap<String, u64> = flat.collect();
        found.map(|finding| Sealed {
            learned: Some(volumes.clone()),
            denominator: finding.memory.denominator.unwrap_or(0),
            first_day: finding.memory.first_day,
        })
    }

    fn score(&self, sealed: &[Sealed; 5]) -> Scores {
        score(&rows(self.findings(sealed).map(|finding| finding.verdict).into()))
    }
}

fn rows(verdicts: Vec<Verdict>) -> Vec<ScoreRow> {
    let row = |(at, measured): (usize, Verdict)| ScoreRow {
        requirement: at.to_string(),
        weight: 1 + at as u32 * 3,
        binding: Binding::Mandatory,
        kind: EvidenceKind::Measured,
        measured,
        attested: Verdict::NotEvaluated,
    };
    verdicts.into_iter().enumerate().map(row).collect()
}

/// A number never rises from nothing: no number counts as the lowest.
fn points(scores: Scores) -> i64 {
    scores.measured.value.map_or(-1, |value| value as i64)
}

#[derive(Clone, Debug)]
enum Loss {
    EventsToday(usize, u64),
    EventsBefore(usize, usize, u64),
    Source(usize),
    ClockSamples(usize, u64),
    Day(usize),
    Class(usize),
    Machine(usize),
    Asset(usize),
}

fn loss() -> impl Strategy<Value = Loss> {
    prop_oneof![
        (0..8usize, 1..60u64).prop_map(|(e, n)| Loss::EventsToday(e, n)),
        (0..8usize, 0..DAYS as usize, 1..60u64).prop_map(|(e, d, n)| Loss::EventsBefore(e, d, n)),
        (0..8usize).prop_map(Loss::Source),
        (0..8usize, 1..100_000u64).prop_map(|(e, ms)| Loss::ClockSamples(e, ms)),
        (0..60usize).prop_map(Loss::Day),
        (0..4usize).prop_map(Loss::Class),
        (0..8usize).prop_map(Loss::Machine),
        (0..4usize).prop_map(Loss::Asset),
    ]
}

impl Loss {
    fn apply(&self, world: &mut World) {
        match self {
            Self::EventsToday(e, n) => {
                if let Some(Some(emitter)) = world.emitters.get_mut(*e) {
                    emitter.today = emitter.today.saturating_sub(*n);
                }
            }
            Self::EventsBefore(e, day, n) => {
                if let Some(Some(emitter)) = world.emitters.get_mut(*e) {
                    emitter.daily[*day] = emitter.daily[*day].saturating_sub(*n);
                }
            }
            Self::Source(e) => {
                if let Some(emitter) = world.emitters.get_mut(*e) {
                    *emitter = None;
                }
            }
            // Fewer samples can only raise the smallest difference.
            Self::ClockSamples(e, ms) => {
                if let Some(Some(emitter)) = world.emitters.get_mut(*e) {
                    emitter.drift_ms = emitter.drift_ms.map(|drift| drift + ms);
                }
            }
            Self::Day(at) => {
                let keep = world.received.get(*at).copied();
                world.received.retain(|day| Some(*day) != keep);
            }
            Self::Class(at) => {
                if let Some(key) = world.classes.keys().nth(*at).cloned() {
                    world.classes.remove(&key);
                }
            }
            Self::Machine(at) => {
                if let Some(key) = world.machines.keys().nth(*at).cloned() {
                    world.machines.remove(&key);
                }
            }
            Self::Asset(at) => {
                if let Some(ended) = world.ended.get_mut(*at) {
                    *ended = true;
                }
            }
        }
    }
}

fn verdict() -> impl Strategy<Value = Verdict> {
    let date = (0..900i64).prop_map(|days| span::date(TODAY + days));
    prop_oneof![
        Just(Verdict::Met),
        (1..9u64, 9..20u64).prop_map(|(part, whole)| Verdict::Partly(Share { part, whole })),
        Just(Verdict::Breached),
        Just(Verdict::Blind),
        Just(Verdict::Expired),
        date.clone().prop_map(|enough_on| Verdict::Accumulating { enough_on }),
        date.prop_map(|due| Verdict::NotYetDue { due }),
        Just(Verdict::NotApplicable { reason: "r".into(), second_person: "b".into() }),
    ]
}

fn sealed_day() -> impl Strategy<Value = SealedInputs> {
    let row = (0..12usize, 1..30u32, verdict(), any::<bool>(), 0..3u32, 0..3i64, any::<bool>());
    (proptest::collection::vec(row, 0..10), 1..=5u8, any::<bool>()).prop_map(|(rows, level, framework)| {
        let rows: BTreeMap<usize, _> = rows.into_iter().map(|row| (row.0, row)).collect();
        let mut inputs = SealedInputs {
            v: 1,
            system: "s".into(),
            level,
            framework: if framework { "old".into() } else { "new".into() },
            register_revision: 0,
            at: 0,
            rows: Vec::new(),
            unanswered: Vec::new(),
            checks: Vec::new(),
            behind: BTreeMap::new(),
            scores: Scores::default(),
        };
        for (key, weight, verdict, mandatory, version, dossier, outage) in rows.into_values() {
            let (requirement, binding) = (key.to_string(), if mandatory { Binding::Mandatory } else { Binding::Advised });
            inputs.behind.insert(requirement.clone(), vec![requirement.clone()]);
            inputs.checks.push(SealedCheck {
                id: requirement.clone(),
                version,
                numbers: [("dossier".into(), dossier)].into(),
                outage,
                memory: Memory::default(),
            });
            inputs.rows.push(ScoreRow {
                requirement,
                weight,
                binding,
                kind: EvidenceKind::Measured,
                measured: verdict,
                attested: Verdict::NotEvaluated,
            });
        }
        inputs.scores = inputs.recompute();
        inputs
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn dropping_events_sources_or_assets_never_raises_the_score(world in world(), losses in proptest::collection::vec(loss(), 1..12)) {
        let sealed = world.sealed();
        let mut poorer = world.clone();
        let mut last = points(world.score(&sealed));
        for loss in &losses {
            loss.apply(&mut poorer);
            let now = points(poorer.score(&sealed));
            prop_assert!(now <= last, "{loss:?} raised {last} to {now}");
            last = now;
        }
    }

    #[test]
    fn revealing_a_breach_never_costs_more_than_being_blind(verdicts in proptest::collection::vec(verdict(), 1..12), at in any::<prop::sample::Index>(), shown in verdict()) {
        let at = at.index(verdicts.len());
        let with = |verdict: Verdict| {
            let mut verdicts = verdicts.clone();
            verdicts[at] = verdict;
            points(score(&rows(verdicts)))
        };
        let blind = with(Verdict::Blind);
        prop_assert_eq!(with(Verdict::Breached), blind);
        // Whatever telemetry can find out is worth at least as much as not looking.
        if shown.worth().is_some() {
            prop_assert!(with(shown) >= blind);
        }
    }

    #[test]
    fn parts_of_a_difference_sum_to_it(before in sealed_day(), after in sealed_day()) {
        let delta = explain(&before, &after, EvidenceKind::Measured);
        if let Some(total) = delta.total {
            prop_assert_eq!(delta.parts.iter().map(|(_, part)| part).sum::<i64>(), total);
        }
        prop_assert_eq!(delta.parts.iter().map(|(cause, _)| *cause).collect::<Vec<_>>(), Cause::ALL);
    }

    #[test]
    fn a_sealed_day_is_recomputed_bit_for_bit(day in sealed_day()) {
        let text = day.to_json();
        let read = SealedInputs::from_json(&text).unwrap();
        prop_assert_eq!(&read, &day);
        prop_assert_eq!(read.recompute(), day.scores);
        prop_assert_eq!(read.to_json(), text);
    }
}
