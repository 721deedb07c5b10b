//! Whom to wake next. Pure: a chain and a stage in, the next stage and its time out; the rows in `state` are the timers.
//!
//! ```text
//! change ─▶ step 0 ─wait─▶ step 1 ─wait─▶ … last step ─pause─▶ step 0 of the next round …   until acknowledged
//! ```

use event::Micros;
use state::{
    notify::Stage,
    oncall::{Escalation, Schedule, Step, Target},
};

use crate::settings::MINUTE;

/// Shortest pause before a chain starts over.
const ROUND_PAUSE_MINUTES: u32 = 5;

/// Where every chain begins.
pub const FIRST: Stage = Stage { step: 0, round: 0 };

/// The chain where nobody set one: whoever is on call at once, everyone after ten minutes, both twice more.
pub fn default_chain(schedules: &[Schedule]) -> Escalation {
    let first = schedules.first().map_or(Target::Everyone, |schedule| Target::Schedule { id: schedule.id });
    let steps = vec![Step { wait_minutes: 0, target: first }, Step { wait_minutes: 10, target: Target::Everyone }];
    Escalation { steps, repeat: 2 }
}

/// Whom this stage tells; `None` when the chain was shortened since.
pub fn target(chain: &Escalation, stage: Stage) -> Option<Target> {
    Some(chain.steps.get(stage.step as usize)?.target)
}

/// How long after the change the first step is due.
pub fn first_wait(chain: &Escalation) -> Micros {
    chain.steps.first().map_or(0, |step| minutes(step.wait_minutes))
}

/// What follows a stage that was done at `done`; `None` when the chain is at its end.
pub fn next(chain: &Escalation, stage: Stage, done: Micros) -> Option<(Stage, Micros)> {
    if let Some(step) = chain.steps.get(stage.step as usize + 1) {
        return Some((Stage { step: stage.step + 1, ..stage }, done + minutes(step.wait_minutes)));
    }
    let (first, last) = (chain.steps.first()?, chain.steps.last()?);
    let pause = first.wait_minutes.max(last.wait_minutes).max(ROUND_PAUSE_MINUTES);
    (stage.round < chain.repeat.min(9)).then(|| (Stage { step: 0, round: stage.round + 1 }, done + minutes(pause)))
}

fn minutes(minutes: u32) -> Micros {
    Micros::from(minutes) * MINUTE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(waits: &[u32], repeat: u32) -> Escalation {
        Escalation { steps: waits.iter().map(|&wait_minutes| Step { wait_minutes, target: Target::Everyone }).collect(), repeat }
    }

    /// All stages with the minute at which they are done, when nobody answers.
    fn walk(chain: &Escalation) -> Vec<(u32, u32, i64)> {
        let mut stages = Vec::new();
        let mut at = Some((FIRST, first_wait(chain)));
        while let Some((stage, due)) = at {
            stages.push((stage.round, stage.step, due / MINUTE));
            at = next(chain, stage, due);
        }
        stages
    }

    #[test]
    fn the_default_chain_tells_everyone_in_the_end() {
        let chain = default_chain(&[]);
        assert_eq!(walk(&chain), [(0, 0, 0), (0, 1, 10), (1, 0, 20), (1, 1, 30), (2, 0, 40), (2, 1, 50)]);
        assert_eq!(target(&chain, Stage { step: 1, round: 0 }), Some(Target::Everyone));
    }

    #[test]
    fn a_chain_without_waits_still_pauses_between_rounds_and_ends() {
        assert_eq!(walk(&chain(&[0], 1)), [(0, 0, 0), (1, 0, 5)]);
        assert_eq!(walk(&chain(&[0, 0], 99)).len(), 20, "at most nine repeats");
        assert_eq!(walk(&chain(&[3], 0)), [(0, 0, 3)]);
    }
}
