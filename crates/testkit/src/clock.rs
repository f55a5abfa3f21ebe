//! A clock whose time is set by the test.

use std::sync::atomic::{AtomicI64, Ordering};

use oncharge_domain::time::Timestamp;
use oncharge_ports::Clock;

/// The initial time of test clocks: 2026-11-22T17:09:10Z.
pub const START_SECONDS: i64 = 1_795_367_350;

/// A clock under the test's control; share it in an `Arc`.
#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl FakeClock {
    /// A clock at [`START_SECONDS`].
    pub fn new() -> Self {
        Self(AtomicI64::new(START_SECONDS * 1_000_000))
    }

    /// Sets the time; it may be earlier than before.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.unix_micros(), Ordering::SeqCst);
    }

    /// Advances by this many seconds and returns the new time.
    pub fn advance(&self, seconds: i64) -> Timestamp {
        self.advance_micros(seconds * 1_000_000)
    }

    /// Advances by this many microseconds and returns the new time.
    pub fn advance_micros(&self, micros: i64) -> Timestamp {
        let before = self.0.fetch_add(micros, Ordering::SeqCst);
        Timestamp::from_unix_micros(before + micros).expect("a time within the calendar")
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.load(Ordering::SeqCst))
            .expect("a time within the calendar")
    }
}
