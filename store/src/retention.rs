//! What may go, by `event.ingested`: whole segments in which every (system, log class) has outlived its rule.
//!
//! The rules are the caller's ([`RetentionPolicy`]); levels change, so expiry is computed anew each time from the systems in
//! the catalogue row. The longest rule wins because a segment goes only when all its parts may. Rows in hot batches never go.

use event::Micros;

use crate::{Segment, Snapshot, SystemClass, catalogue::Tombstone};

/// Says how long events are kept.
pub trait RetentionPolicy: Send + Sync {
    /// Returns how long events of this system and log class are kept, counted from `event.ingested`; `None` is for ever.
    /// [`event::UNASSIGNED`] asks as well.
    fn keep(&self, system: &str, class: &str) -> Option<Micros>;

    /// Who decided on these rules, for the tombstone.
    fn actor(&self) -> String;

    /// Why segments that outlived the rules go, for the tombstone.
    fn reason(&self) -> String;
}

/// Returns the segments in which every part has expired, with their tombstones.
pub(crate) fn expired(snapshot: &Snapshot, policy: &dyn RetentionPolicy, now: Micros) -> Vec<Tombstone> {
    let (actor, reason) = (policy.actor(), policy.reason());
    let is_expired = |part: &SystemClass| {
        policy.keep(&part.system, &part.class).is_some_and(|keep| part.ingested.1.saturating_add(keep) < now)
    };
    let gone = snapshot.segments.iter().filter(|segment| segment.systems.iter().all(is_expired));
    gone.map(|segment| tombstone(segment, now, &actor, &reason)).collect()
}

fn tombstone(segment: &Segment, now: Micros, actor: &str, reason: &str) -> Tombstone {
    Tombstone {
        segment: segment.id.clone(),
        rows: segment.rows,
        bytes: segment.bytes,
        checksum: segment.checksum.iter().map(|byte| format!("{byte:02x}")).collect(),
        sequences: segment.sequences,
        ingested: segment.ingested,
        systems: segment.systems.iter().map(Into::into).collect(),
        dropped_at: now,
        actor: actor.to_owned(),
        reason: reason.to_owned(),
    }
}
