//! What was done to the stage: kills, breaks, faults.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::plan::Break;

/// What was done to the stage in a round.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) kills: AtomicU32,
    pub(crate) faults: AtomicU32,
    cuts: AtomicU32,
    mutes: AtomicU32,
    absences: AtomicU32,
}

impl Done {
    /// How often the line to a database broke like this.
    pub(crate) fn broken(&self, how: Break) -> &AtomicU32 {
        match how {
            Break::Cut => &self.cuts,
            Break::Mute => &self.mutes,
            Break::Absent => &self.absences,
        }
    }

    /// Everything by its name.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 5] {
        let count = |count: &AtomicU32| u64::from(count.load(Ordering::Relaxed));
        [
            ("kills", count(&self.kills)),
            ("times the database cut off", count(&self.cuts)),
            ("times the database mute", count(&self.mutes)),
            (
                "times the database absent at a start",
                count(&self.absences),
            ),
            ("sets of PSP faults", count(&self.faults)),
        ]
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self.counts().map(|(what, count)| format!("{count} {what}"));
        f.write_str(&each.join(", "))
    }
}
