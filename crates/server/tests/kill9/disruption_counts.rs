//! Counts of kills, connection faults and PSP faults.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::shared::proxy::Fault;

/// The faults of a round.
#[derive(Default)]
pub(crate) struct DisruptionCounts {
    pub(crate) kills: AtomicU32,
    pub(crate) faults: AtomicU32,
    cut_faults: AtomicU32,
    mute_faults: AtomicU32,
    absent_faults: AtomicU32,
}

impl DisruptionCounts {
    /// The count of this kind of connection fault.
    pub(crate) fn link_faults(&self, kind: Fault) -> &AtomicU32 {
        match kind {
            Fault::Cut => &self.cut_faults,
            Fault::Mute => &self.mute_faults,
            Fault::Absent => &self.absent_faults,
        }
    }

    /// All counts by name.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 5] {
        let count = |count: &AtomicU32| u64::from(count.load(Ordering::Relaxed));
        [
            ("kills", count(&self.kills)),
            ("times the database cut off", count(&self.cut_faults)),
            ("times the database mute", count(&self.mute_faults)),
            (
                "times the database absent at a start",
                count(&self.absent_faults),
            ),
            ("sets of PSP faults", count(&self.faults)),
        ]
    }
}

impl fmt::Display for DisruptionCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self.counts().map(|(what, count)| format!("{count} {what}"));
        f.write_str(&each.join(", "))
    }
}
