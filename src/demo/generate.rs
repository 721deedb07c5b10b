//! The calendar: thin days, the dense day with its rhythm and its story, then a trickle for ever.

use std::{collections::VecDeque, time::Duration};

use event::Micros;

use super::{
    Estate, Line,
    civil::{Civil, DAY, HOUR, MINUTE},
    estate::HISTORY_DAYS,
    habits::{self, Habit},
    random::Random,
    story,
};

/// Share of the day's lines by local hour, in thousandths: offices open at 7:30 and close at 17:00.
const RHYTHM: [u64; 24] = [8, 6, 5, 5, 6, 10, 25, 62, 90, 96, 92, 74, 34, 52, 88, 92, 84, 56, 30, 24, 22, 18, 13, 8];
/// On Saturdays and Sundays many desks are empty: percent of a working day.
const WEEKEND: u64 = 70;

/// What the demo is made of. The same options give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub seed: u64,
    /// End of the history: everything lies before it.
    pub now: Micros,
    /// Thin days before the dense one.
    pub days: i64,
    /// Ordinary lines of the dense day; the story comes on top.
    pub dense: u64,
}

impl Options {
    pub fn at(now: Micros) -> Self {
        Self { seed: 1_753, now, days: HISTORY_DAYS, dense: 312_000 }
    }
}

/// A stretch of the calendar, with all lines that arrive in it in order of time.
#[derive(Clone, Debug)]
pub struct Window {
    /// Where the clock stands when the lines are durable: just behind them.
    pub end: Micros,
    pub lines: Vec<Line>,
}

/// The past, window by window: quarters of thin days, then ten minutes each of the last 24 hours.
pub struct History {
    options: Options,
    estate: Estate,
    story: VecDeque<Line>,
    /// The next window begins here.
    at: Micros,
    once: VecDeque<Line>,
    total_weight: u64,
}

const THIN_WINDOW: Micros = 6 * HOUR;
const DENSE_WINDOW: Micros = 10 * MINUTE;

impl History {
    pub fn new(options: Options) -> Self {
        let estate = Estate::new();
        let story = story::lines(&estate, options.seed, options.now).into();
        let total_weight = estate.systems.iter().map(|system| system.weight).sum();
        Self { at: options.now - (options.days + 1) * DAY, options, estate, story, once: VecDeque::new(), total_weight }
    }

    /// How much of the calendar is done, from 0 to 1.
    pub fn done(&self) -> f64 {
        let whole = (self.options.days + 1) * DAY;
        1.0 - (self.options.now - self.at) as f64 / whole as f64
    }

    fn is_dense(&self) -> bool {
        self.at >= self.options.now - DAY
    }

    fn window(&mut self) -> Window {
        let end = self.at + if self.is_dense() { DENSE_WINDOW } else { THIN_WINDOW };
        if (self.options.now - self.at) % DAY == 0 {
            self.begin_day();
        }
        let mut lines = Vec::new();
        if self.is_dense() {
            self.dense(&mut lines)
        } else {
            self.thin(&mut lines)
        }
        for queue in [&mut self.once, &mut self.story] {
            while queue.front().is_some_and(|line| line.received < end) {
                lines.extend(queue.pop_front());
            }
        }
        // Stable: lines of the same moment stay in the order in which they were made.
        lines.sort_by_key(|line| line.received);
        self.at = end;
        Window { end, lines }
    }

    fn begin_day(&mut self) {
        let mut random = Random::of(&[self.options.seed, 0xda1, self.day_number()]);
        let mut lines = Vec::new();
        let (now, is_last) = (self.options.now, self.is_dense());
        habits::once_a_day(&self.estate, self.at, now, is_last, &mut random, &mut lines);
        lines.sort_by_key(|line| line.received);
        self.once = lines.into();
    }

    fn day_number(&self) -> u64 {
        (self.at - (self.options.now - (self.options.days + 1) * DAY)).div_euclid(DAY) as u64
    }

    /// Four to a day: each host speaks in short bursts, as hosts with little to do are heard.
    fn thin(&self, lines: &mut Vec<Line>) {
        let share = if Civil::local(self.at).weekday >= 5 { WEEKEND } else { 100 };
        for (s, system) in self.estate.systems.iter().enumerate() {
            let mut random = Random::of(&[self.options.seed, 1, self.at.unsigned_abs(), s as u64]);
            let mut left = (system.thin / 4 + random.below(system.thin / 8 + 1)) * share / 100;
            let bursts = (system.hosts.len() as u64).max(3);
            let size = left.div_ceil(bursts);
            for burst in 0..bursts {
                let host = &system.hosts[burst as usize % system.hosts.len()];
                let begin = self.at + random.below((THIN_WINDOW - MINUTE) as u64) as Micros;
                let n = size.min(left);
                left -= n;
                for i in 0..n {
                    let at = begin + i as Micros * 900_000;
                    if Estate::speaks(&system.id, at, self.options.now) {
                        habits::line(&Habit { system, host, at }, &mut random, lines);
                    }
                }
            }
        }
    }

    fn dense(&self, lines: &mut Vec<Line>) {
        let local = Civil::local(self.at);
        let share = RHYTHM[local.hour as usize] * 1_000_000 / RHYTHM.iter().sum::<u64>();
        // Ten minutes are a sixth of an hour. Machines talk at night as well: a fifth is spread evenly.
        let day = self.options.dense;
        let busy = day * 4 / 5 * share / 6 / 1_000_000;
        let window = busy + day / 5 / 144;
        for (s, system) in self.estate.systems.iter().enumerate() {
            let mut random = Random::of(&[self.options.seed, 2, self.at.unsigned_abs(), s as u64]);
            let exact = window * system.weight;
            // What division leaves over falls by chance, so that small systems are heard too.
            let n = exact / self.total_weight + u64::from(random.below(self.total_weight) < exact % self.total_weight);
            for _ in 0..n {
                let at = self.at + random.below(DENSE_WINDOW as u64) as Micros;
                let host = &system.hosts[random.below(system.hosts.len() as u64) as usize];
                if Estate::speaks(&system.id, at, self.options.now) {
                    habits::line(&Habit { system, host, at }, &mut random, lines);
                }
            }
        }
    }
}

impl Iterator for History {
    type Item = Window;

    fn next(&mut self) -> Option<Window> {
        (self.at < self.options.now).then(|| self.window())
    }
}

/// The present: a few ordinary lines a second, for ever.
pub struct Live {
    estate: Estate,
    random: Random,
    total_weight: u64,
    count: u64,
}

impl Live {
    pub fn new(options: Options) -> Self {
        let estate = Estate::new();
        let total_weight = estate.systems.iter().map(|system| system.weight).sum();
        Self { estate, random: Random::of(&[options.seed, 3]), total_weight, count: 0 }
    }

    /// How long to wait before the next line.
    pub fn pause(&mut self) -> Duration {
        Duration::from_millis(self.random.between(60, 500))
    }

    /// A line that arrives now.
    pub fn line(&mut self, now: Micros) -> Line {
        self.count += 1;
        let mut lines = Vec::with_capacity(1);
        while lines.is_empty() {
            let mut at = self.random.below(self.total_weight);
            let heavy = |system: &&super::estate::System| {
                let is_it = at < system.weight;
                at = at.saturating_sub(system.weight);
                is_it
            };
            let Some(system) = self.estate.systems.iter().find(heavy) else { continue };
            let host = &system.hosts[(self.count % system.hosts.len() as u64) as usize];
            if Estate::speaks(&system.id, now, now) {
                habits::line(&Habit { system, host, at: now }, &mut self.random, &mut lines);
            }
        }
        lines.swap_remove(0)
    }
}

/// The minute of a moment: what one sender says within it travels in one batch.
pub(crate) fn slot(at: Micros) -> Micros {
    at.div_euclid(MINUTE)
}
