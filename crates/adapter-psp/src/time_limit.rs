//! A limit to the time that one call may take, around any connector.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use oncharge_domain::{id::OperationId, psp::PspReport};
use oncharge_ports::psp::{PreparedRequest, Psp, PspError};

use crate::forward::forward_what_sends_nothing;

/// How long a call may take, from the connect to the last byte of the answer. Source: payments.md
/// of the product ("no answer in 10 s").
pub(crate) const LONGEST_CALL: Duration = Duration::from_secs(10);

/// Gives a call up after [`LONGEST_CALL`]. How far it had come is not known, so that is `Unknown`.
pub(crate) struct TimeLimit {
    inner: Arc<dyn Psp>,
}

impl TimeLimit {
    pub(crate) fn new(inner: Arc<dyn Psp>) -> Self {
        Self { inner }
    }
}

/// No answer in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} seconds", LONGEST_CALL.as_secs())]
pub(crate) struct TimedOut;

async fn limited<T>(call: impl Future<Output = Result<T, PspError>>) -> Result<T, PspError> {
    tokio::time::timeout(LONGEST_CALL, call)
        .await
        .unwrap_or_else(|_| Err(PspError::Unknown(Box::new(TimedOut))))
}

#[async_trait]
impl Psp for TimeLimit {
    forward_what_sends_nothing!();

    fn is_available(&self) -> bool {
        self.inner.is_available()
    }

    async fn send(&self, request: &PreparedRequest) -> Result<PspReport, PspError> {
        limited(self.inner.send(request)).await
    }

    async fn look_up(&self, operation: OperationId) -> Result<Option<PspReport>, PspError> {
        limited(self.inner.look_up(operation)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_is_unknown_after_ten_seconds() {
        let begun = tokio::time::Instant::now();
        let never = std::future::pending::<Result<(), PspError>>();
        let error = limited(never).await.unwrap_err();
        assert!(matches!(error, PspError::Unknown(_)), "{error:?}");
        assert_eq!(begun.elapsed(), LONGEST_CALL);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_time_is_passed_on() {
        let slow = async {
            tokio::time::sleep(LONGEST_CALL / 2).await;
            Ok(7)
        };
        assert_eq!(limited(slow).await.unwrap(), 7);
    }
}
