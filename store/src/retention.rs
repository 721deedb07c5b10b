//! What may go, by `event.ingested`: whole segments in which every (system, log class) has outlived its rule and none is held.
//!
//! The rules are the caller's ([`RetentionPolicy`]); levels change, so expiry is computed anew each time from the systems in
//! the catalogue row. The longest rule wins because a segment goes only when all its parts may. Rows in hot batches never go.

use event::Micros;

use crate::{Hold, Segment, Snapshot, SystemClass, catalogue::Tombstone};

/// Says how long events are kept.
pub trait RetentionPolicy: Send + Sync {
    /// Returns how long events of this system and log class are kept, counted from `event.ingested`; `None` is for ever.
    /// [`event::UNASSIGNED`] asks as well.
    fn keep(&self, system: &str, class: &str) -> Option<Micros>;

    /// Returns how long the law asks to keep them, for forecasts; `None` where it is silent. Deletion goes by
    /// [`RetentionPolicy::keep`] alone.
    fn minimum(&self, _system: &str, _class: &str) -> Option<Micros> {
        None
    }

    /// Who decided on these rules, for the tombstone.
    fn actor(&self) -> String;

    /// Why segments that outlived the rules go, for the tombstone.
    fn reason(&self) -> String;
}

/// Returns the segments in which every part has expired and none is under a hold, with their tombstones. `holds` are all that
/// ever were: the tombstone names released ones that had kept the segment.
pub(crate) fn expired(snapshot: &Snapshot, policy: &dyn RetentionPolicy, holds: &[Hold], now: Micros) -> Vec<Tombstone> {
    let (actor, reason) = (policy.actor(), policy.reason());
    let (in_force, released): (Vec<&Hold>, Vec<&Hold>) = holds.iter().partition(|hold| hold.is_in_force());
    let is_expired = |part: &SystemClass| {
        policy.keep(&part.system, &part.class).is_some_and(|keep| part.ingested.1.saturating_add(keep) < now)
    };
    let may_go = |segment: &&std::sync::Arc<Segment>| {
        segment.systems.iter().all(is_expired) && !in_force.iter().any(|hold| holds_segment(hold, segment))
    };
    let gone = snapshot.segments.iter().filter(may_go);
    gone.map(|segment| tombstone(segment, now, &actor, &with_holds(&reason, &released, segment))).collect()
}

/// True when the hold, in force or not, covers a part of the segment.
pub(crate) fn holds_segment(hold: &Hold, segment: &Segment) -> bool {
    segment.systems.iter().any(|part| hold.covers(part))
}

/// The reason, and which holds had kept the segment before.
fn with_holds(reason: &str, released: &[&Hold], segment: &Segment) -> String {
    let mut text = reason.to_owned();
    for hold in released.iter().filter(|hold| holds_segment(hold, segment)) {
        let Some(release) = &hold.released else { continue };
        let at = chrono::DateTime::from_timestamp_micros(release.at).unwrap_or_default();
        text = format!(
            "{text}; was under hold {} until {}, released by {}: {}",
            hold.id,
            at.format("%Y-%m-%dT%H:%M:%SZ"),
            release.by,
            release.reason
        );
    }
    text
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
