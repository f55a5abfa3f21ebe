//! A circuit breaker: suspends calls to an account whose PSP does not respond.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use oncharge_domain::psp::PspAccount;
use oncharge_ports::psp::PspError;
use tokio::time::Instant;

use crate::call_metrics::set_breaker_gauge;

/// Number of consecutive failures that open the breaker.
const FAILURES_TO_OPEN: u32 = 10;
/// Interval between the calls that are let through while the breaker is open.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// Refuses calls as `NotSent` after too many consecutive calls without a response.
///
/// Counted are connection errors, time-outs, 5xx and malformed responses. Any response closes the
/// breaker, a refusal too, because the PSP is reachable. The only state of a probe is a time, so a
/// probe that is dropped blocks nothing.
pub(crate) struct CircuitBreaker {
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

impl CircuitBreaker {
    pub(crate) fn new(account: PspAccount) -> Self {
        set_breaker_gauge(&account, false);
        Self {
            account,
            state: Mutex::default(),
        }
    }

    /// Whether a call made now would be let through.
    pub(crate) fn allows_call(&self) -> bool {
        self.lock().allows_call(Instant::now())
    }

    /// Makes a call unless the breaker is open, and counts its result.
    pub(crate) async fn guard<T>(
        &self,
        call: impl Future<Output = Result<T, PspError>>,
    ) -> Result<T, PspError> {
        if !self.lock().admit(Instant::now()) {
            return Err(PspError::NotSent(Box::new(BreakerOpen)));
        }
        let result = call.await;
        let change = self.lock().record(result.is_ok(), Instant::now());
        if let Some(open) = change {
            set_breaker_gauge(&self.account, open);
            let (connector, account) = (self.account.connector(), self.account.account());
            if open {
                tracing::warn!(connector, account, "the circuit breaker has opened");
            } else {
                tracing::info!(connector, account, "the circuit breaker has closed");
            }
        }
        result
    }

    /// Nothing can panic while the lock is held, so the state behind a poisoned one is consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the next call may be sent.
    fn allows_call(&self, now: Instant) -> bool {
        self.next_probe.is_none_or(|at| at <= now)
    }

    /// As `allows_call`, and if the breaker is open, registers the call as its probe.
    fn admit(&mut self, now: Instant) -> bool {
        let admit = self.allows_call(now);
        if admit && let Some(next) = &mut self.next_probe {
            *next = now + PROBE_INTERVAL;
        }
        admit
    }

    /// Records a call's result; returns `Some(true)` if this opened the breaker, `Some(false)` if
    /// it closed it.
    fn record(&mut self, responded: bool, now: Instant) -> Option<bool> {
        if responded {
            self.failures = 0;
            return self.next_probe.take().map(|_| false);
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES_TO_OPEN || self.next_probe.is_some() {
            return None;
        }
        self.next_probe = Some(now + PROBE_INTERVAL);
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record_failures(state: &mut State, times: u32, now: Instant) -> Option<bool> {
        (0..times).fold(None, |_, _| state.record(false, now))
    }

    #[test]
    fn ten_consecutive_failures_open_the_breaker() {
        let now = Instant::now();
        let mut state = State::default();
        assert_eq!(record_failures(&mut state, 9, now), None);
        assert!(state.admit(now));
        assert_eq!(state.record(true, now), None, "a response resets the count");
        assert_eq!(record_failures(&mut state, 9, now), None);
        assert!(state.admit(now));
        assert_eq!(state.record(false, now), Some(true));
        assert!(!state.admit(now));
    }

    #[test]
    fn an_open_breaker_allows_one_probe_every_five_seconds() {
        let opened = Instant::now();
        let mut state = State::default();
        record_failures(&mut state, FAILURES_TO_OPEN, opened);
        let late = opened + PROBE_INTERVAL;
        let early = late.checked_sub(Duration::from_millis(1)).unwrap();
        assert!(!state.allows_call(early) && !state.admit(early));
        assert!(
            state.allows_call(late),
            "calls before the next probe are refused"
        );
        assert!(state.admit(late), "the probe");
        assert!(!state.admit(late), "only one");
        assert_eq!(state.record(false, late), None, "still open");
        assert!(!state.admit(late + PROBE_INTERVAL / 2));
        assert!(state.admit(late + PROBE_INTERVAL), "the next probe");
        assert_eq!(state.record(true, late + PROBE_INTERVAL), Some(false));
        assert!(state.admit(late + PROBE_INTERVAL) && state.admit(late + PROBE_INTERVAL));
    }
}
