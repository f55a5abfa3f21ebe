//! When to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, received from the moment this is made.
pub(crate) struct Shutdown {
    term: Signal,
    int: Signal,
}

impl Shutdown {
    /// From here on a signal ends nothing by itself.
    ///
    /// Errors where the system gives no signal handlers.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a signal, and logs it.
    pub(crate) async fn requested(&mut self) {
        let signal = tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        };
        tracing::info!(signal, "stop requested");
    }

    /// Works until it is done or a signal comes; `None` for the signal, which ends the work where
    /// it stands.
    pub(crate) async fn run_until_requested<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<Option<T>> {
        tokio::select! {
            done = work => done.map(Some),
            () = self.requested() => Ok(None),
        }
    }
}
