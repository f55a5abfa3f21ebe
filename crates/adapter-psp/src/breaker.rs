//! A circuit breaker around any connector: an account whose PSP does not answer is left alone.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use oncharge_domain::{
    id::OperationId,
    psp::{PspAccount, PspReport},
};
use oncharge_ports::psp::{PreparedRequest, Psp, PspError};
use tokio::time::Instant;

use crate::{forward::forward_what_sends_nothing, metered::note_breaker};

/// After so many failures in a row the breaker opens.
const FAILURES_TO_OPEN: u32 = 10;
/// While it is open, one call is let through each time this long has passed.
const BETWEEN_PROBES: Duration = Duration::from_secs(5);

/// Counts calls that brought no answer (connection errors, time-outs, 5xx and answers that cannot
/// be read) and refuses further ones as `NotSent` while there were too many in a row.
///
/// Any answer closes it, a refusal too: the PSP is there. Times are all it remembers of a probe,
/// so a probe whose caller went away blocks nothing.
pub(crate) struct Breaker {
    inner: Arc<dyn Psp>,
    account: PspAccount,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// When the next call is let through; `None` while the breaker is closed.
    next_probe: Option<Instant>,
}

/// The breaker is open: nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("the circuit breaker is open")]
pub(crate) struct BreakerOpen;

impl Breaker {
    pub(crate) fn new(inner: Arc<dyn Psp>, account: PspAccount) -> Self {
        Self {
            inner,
            account,
            state: Mutex::default(),
        }
    }

    async fn guarded<T>(
        &self,
        call: impl Future<Output = Result<T, PspError>>,
    ) -> Result<T, PspError> {
        if !self.lock().admits(Instant::now()) {
            return Err(PspError::NotSent(Box::new(BreakerOpen)));
        }
        let result = call.await;
        let change = self.lock().note(result.is_ok(), Instant::now());
        if let Some(open) = change {
            note_breaker(&self.account, open);
            let (connector, account) = (self.account.connector(), self.account.account());
            if open {
                tracing::warn!(connector, account, "the circuit breaker has opened");
            } else {
                tracing::info!(connector, account, "the circuit breaker has closed");
            }
        }
        result
    }

    /// Nothing can panic while the lock is held, so a poisoned one holds a whole state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the next call is let through.
    fn would_admit(&self, now: Instant) -> bool {
        self.next_probe.is_none_or(|at| at <= now)
    }

    /// As `would_admit`, for a call that follows: it is the probe where the breaker is open.
    fn admits(&mut self, now: Instant) -> bool {
        let admits = self.would_admit(now);
        if admits && let Some(next) = &mut self.next_probe {
            *next = now + BETWEEN_PROBES;
        }
        admits
    }

    /// Counts how a call ended; says whether the breaker has opened (`true`) or closed by it.
    fn note(&mut self, answered: bool, now: Instant) -> Option<bool> {
        if answered {
            self.failures = 0;
            return self.next_probe.take().map(|_| false);
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES_TO_OPEN || self.next_probe.is_some() {
            return None;
        }
        self.next_probe = Some(now + BETWEEN_PROBES);
        Some(true)
    }
}

#[async_trait]
impl Psp for Breaker {
    forward_what_sends_nothing!();

    fn is_available(&self) -> bool {
        self.lock().would_admit(Instant::now()) && self.inner.is_available()
    }

    async fn send(&self, request: &PreparedRequest) -> Result<PspReport, PspError> {
        self.guarded(self.inner.send(request)).await
    }

    async fn look_up(&self, operation: OperationId) -> Result<Option<PspReport>, PspError> {
        self.guarded(self.inner.look_up(operation)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed_times(state: &mut State, times: u32, now: Instant) -> Option<bool> {
        (0..times).fold(None, |_, _| state.note(false, now))
    }

    #[test]
    fn ten_failures_in_a_row_open_it_and_fewer_do_not() {
        let now = Instant::now();
        let mut state = State::default();
        assert_eq!(failed_times(&mut state, 9, now), None);
        assert!(state.admits(now));
        assert_eq!(state.note(true, now), None, "an answer breaks the row");
        assert_eq!(failed_times(&mut state, 9, now), None);
        assert!(state.admits(now));
        assert_eq!(state.note(false, now), Some(true));
        assert!(!state.admits(now));
    }

    #[test]
    fn while_open_one_call_is_let_through_every_five_seconds() {
        let opened = Instant::now();
        let mut state = State::default();
        failed_times(&mut state, FAILURES_TO_OPEN, opened);
        let late = opened + BETWEEN_PROBES;
        let early = late.checked_sub(Duration::from_millis(1)).unwrap();
        assert!(!state.would_admit(early) && !state.admits(early));
        assert!(state.would_admit(late), "which is not the probe yet");
        assert!(state.admits(late), "the probe");
        assert!(!state.admits(late), "only one");
        assert_eq!(state.note(false, late), None, "still open");
        assert!(!state.admits(late + BETWEEN_PROBES / 2));
        assert!(state.admits(late + BETWEEN_PROBES), "the next probe");
        assert_eq!(state.note(true, late + BETWEEN_PROBES), Some(false));
        assert!(state.admits(late + BETWEEN_PROBES) && state.admits(late + BETWEEN_PROBES));
    }
}
