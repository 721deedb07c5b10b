//! The two clocks of the program: the system's, and one that the demo sets while it replays past days.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use event::{Micros, seam::Clock};

/// The wall clock of the machine.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        system_now()
    }
}

/// A clock that stands where it was set, until it is released to run with the system's.
#[derive(Debug)]
pub struct SettableClock {
    /// Microseconds, or [`RUNNING`].
    standing_at: AtomicI64,
}

const RUNNING: i64 = i64::MIN;

impl SettableClock {
    /// A clock that runs with the system's.
    pub fn running() -> Self {
        Self { standing_at: AtomicI64::new(RUNNING) }
    }

    /// Makes the clock stand at a time.
    pub fn set(&self, now: Micros) {
        self.standing_at.store(now, Ordering::Release);
    }

    /// Lets the clock run with the system's again.
    pub fn release(&self) {
        self.standing_at.store(RUNNING, Ordering::Release);
    }
}

impl Clock for SettableClock {
    fn now(&self) -> Micros {
        match self.standing_at.load(Ordering::Acquire) {
            RUNNING => system_now(),
            standing => standing,
        }
    }
}

fn system_now() -> Micros {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_micros() as Micros,
        // A machine whose clock stands before 1970: negative time, which every column can hold.
        Err(before) => -(before.duration().as_micros() as Micros),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stands_until_released() {
        let clock = SettableClock::running();
        let real = clock.now();
        clock.set(1_000);
        assert_eq!(clock.now(), 1_000);
        clock.release();
        assert!(clock.now() >= real);
    }
}
