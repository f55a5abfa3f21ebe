//! Counts what goes over the wire, for tests and measurements: cheap enough to be always on.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use diesel::connection::{Instrumentation, InstrumentationEvent};

/// What a store has said to its database since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// How often it waited for the database. Statements that went out together count once.
    pub round_trips: u64,
    /// How many statements it sent, `BEGIN` and `COMMIT` included.
    pub statements: u64,
    /// How many of them had to be prepared first, which costs one round trip more: each once on
    /// each connection.
    pub prepared: u64,
    /// How many connections were made.
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

/// Listens to one connection.
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
