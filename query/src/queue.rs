//! The work of one scan, shared by its partitions: hot batches, files to open, row groups of files that are open.
//!
//! Work is taken in the order of the units, the newest first; the row groups of a file come before the next unit, so a question that
//! ends early leaves the oldest unread. A partition that finds nothing waits while another one still opens a file.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use store::{HotBatch, Segment};

use crate::{scan::Unit, segment::Reading};

/// A piece of work.
pub(crate) enum Work<'q> {
    Hot(Arc<HotBatch>),
    /// Open it and tell what is to be read.
    Open(Arc<Segment>, Opening<'q>),
    Group(Arc<Reading>, usize),
}

#[derive(Default)]
struct State {
    units: VecDeque<Unit>,
    groups: VecDeque<(Arc<Reading>, usize)>,
    opening: usize,
}

pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

impl Queue {
    pub fn new(units: &[Unit]) -> Self {
        let state = State { units: units.iter().cloned().collect(), ..State::default() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Takes the next piece; `None` when there is none and will be none.
    pub fn next(&self) -> Option<Work<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some((reading, group)) = state.groups.pop_front() {
                return Some(Work::Group(reading, group));
            }
            match state.units.pop_front() {
                Some(Unit::Hot(hot)) => return Some(Work::Hot(hot)),
                Some(Unit::Segment(segment)) => {
                    state.opening += 1;
                    return Some(Work::Open(segment, Opening(self)));
                }
                None if state.opening == 0 => return None,
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Held while a file is opened; others wait for it or for its end.
pub(crate) struct Opening<'q>(&'q Queue);

impl Opening<'_> {
    /// Adds the row groups to read.
    pub fn found(self, groups: impl Iterator<Item = (Arc<Reading>, usize)>) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.groups.extend(groups);
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.opening -= 1;
        drop(state);
        self.0.changed.notify_all();
    }
}
