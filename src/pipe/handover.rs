//! Blocks on their way from the pipe to detection, bounded, and how far publication has come.
//!
//! Memory is the bound, not completeness: a block that finds no room in time is left out, and the follower reads its frames
//! from the log again. So a slow or broken alert database never holds up storage, and nothing goes unmatched.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use event::EventBatch;
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

/// Blocks that may wait for detection.
const BLOCKS_MAX: usize = 4;

/// How long the pipe waits for room: detection that is merely slower than parsing is waited for, one that stands still is not.
const PATIENCE: Duration = Duration::from_secs(2);

/// A published block.
#[derive(Clone)]
pub struct Handed {
    /// Last frame of the block before, and of this one.
    pub after: u64,
    pub through: u64,
    pub batches: Arc<Vec<EventBatch>>,
}

/// How far publication has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Last visible frame.
    pub through: u64,
    /// True when nothing follows.
    pub is_last: bool,
}

/// The meeting point of one pipe and one follower.
pub struct Handover {
    waiting: Mutex<VecDeque<Handed>>,
    room: Notify,
    patience: Duration,
    /// True once a block found no room: the follower stands still, and waiting for it each time would slow storage down.
    stands_still: AtomicBool,
    published: watch::Sender<Published>,
}

impl Handover {
    pub fn new(through: u64) -> Arc<Self> {
        Self::with_patience(through, PATIENCE)
    }

    fn with_patience(through: u64, patience: Duration) -> Arc<Self> {
        let published = watch::Sender::new(Published { through, is_last: false });
        Arc::new(Self {
            waiting: Mutex::default(),
            room: Notify::new(),
            patience,
            stands_still: AtomicBool::new(false),
            published,
        })
    }

    /// Hands a block over and says that it is visible.
    pub async fn push(&self, block: Handed) {
        let through = block.through;
        let mut block = Some(block);
        let placed = async {
            while !self.place(&mut block) {
                self.room.notified().await;
            }
        };
        // Without room in time the block is left out: a gap.
        let patience = if self.stands_still.load(Ordering::Relaxed) { Duration::ZERO } else { self.patience };
        let is_placed = timeout(patience, placed).await.is_ok();
        self.stands_still.store(!is_placed, Ordering::Relaxed);
        self.published.send_modify(|published| published.through = through);
    }

    fn place(&self, block: &mut Option<Handed>) -> bool {
        let mut waiting = self.lock();
        let has_room = waiting.len() < BLOCKS_MAX;
        if has_room {
            waiting.extend(block.take());
        }
        has_room
    }

    /// Says that nothing follows.
    pub fn close(&self) {
        self.published.send_modify(|published| published.is_last = true);
    }

    /// Follows publication.
    pub fn published(&self) -> watch::Receiver<Published> {
        self.published.subscribe()
    }

    /// Takes the block that comes right after this frame; `Err` names the last frame before the next block that is there.
    pub fn take(&self, after: u64) -> Result<Handed, Option<u64>> {
        let mut waiting = self.lock();
        while waiting.front().is_some_and(|block| block.through <= after) {
            waiting.pop_front();
            self.room.notify_one();
        }
        match waiting.front() {
            Some(block) if block.after <= after => {
                self.room.notify_one();
                Ok(waiting.pop_front().expect("it was just there"))
            }
            other => Err(other.map(|block| block.after)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Handed>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(after: u64, through: u64) -> Handed {
        Handed { after, through, batches: Arc::default() }
    }

    #[tokio::test]
    async fn what_finds_no_room_leaves_a_gap_that_the_follower_sees() {
        let handover = Handover::with_patience(0, Duration::ZERO);
        for at in 0..6 {
            handover.push(block(at * 10, at * 10 + 10)).await;
        }
        assert_eq!(handover.published().borrow().through, 60);
        assert!(handover.stands_still.load(Ordering::Relaxed), "the next block is not waited for");
        for at in 0..BLOCKS_MAX as u64 {
            assert_eq!(handover.take(at * 10).unwrap().through, at * 10 + 10);
        }
        assert!(matches!(handover.take(40), Err(None)), "the two that came last were left out");
        handover.push(block(60, 70)).await;
        assert!(!handover.stands_still.load(Ordering::Relaxed), "there was room again");
        assert!(matches!(handover.take(40), Err(Some(60))), "frames 41 to 60 are to be read from the log");
        assert_eq!(handover.take(60).unwrap().through, 70);
    }

    #[tokio::test]
    async fn a_block_that_was_read_from_the_log_meanwhile_is_not_taken_again() {
        let handover = Handover::new(0);
        handover.push(block(0, 10)).await;
        handover.push(block(10, 20)).await;
        assert!(matches!(handover.take(20), Err(None)));
    }
}
