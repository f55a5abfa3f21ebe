//! Database traffic counters for tests and measurements; cheap enough to be always enabled.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use diesel::connection::{Instrumentation, InstrumentationEvent};

/// Traffic of a store since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Number of waits for the database. Pipelined statements count once.
    pub round_trips: u64,
    /// Number of statements sent, `BEGIN` and `COMMIT` included.
    pub statements: u64,
    /// Number of statements that had to be prepared first, which costs one more round trip: each
    /// once per connection.
    pub prepared: u64,
    /// Number of connections created.
    pub connections: u64,
}

/// The running counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    round_trips: AtomicU64,
    statements: AtomicU64,
    prepared: AtomicU64,
    connections: AtomicU64,
}

impl Counters {
    pub(crate) fn round_trip(&self) {
        self.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Statistics {
        Statistics {
            round_trips: self.round_trips.load(Ordering::Relaxed),
            statements: self.statements.load(Ordering::Relaxed),
            prepared: self.prepared.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
        }
    }
}

/// Counts the statements of one connection.
pub(crate) struct CountingInstrumentation(pub(crate) Arc<Counters>);

impl Instrumentation for CountingInstrumentation {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        let counter = match event {
            InstrumentationEvent::StartQuery { .. } => &self.0.statements,
            InstrumentationEvent::CacheQuery { .. } => &self.0.prepared,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
