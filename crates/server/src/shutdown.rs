//! Shutdown signals.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Receives SIGTERM and SIGINT from its creation on.
pub(crate) struct Shutdown {
    term: Signal,
    int: Signal,
}

impl Shutdown {
    /// Installs the handlers: signals no longer end the process by themselves.
    ///
    /// Errors if the operating system refuses signal handlers.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a signal and logs it.
    pub(crate) async fn requested(&mut self) {
        let signal = tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        };
        tracing::info!(signal, "stop requested");
    }

    /// Runs a future until it completes or a signal arrives; returns `None` after a signal, which
    /// cancels the future.
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
