//! A time limit for each call to a connector.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use oncharge_domain::{id::OperationId, psp::PspReport};
use oncharge_ports::psp::{PreparedRequest, Psp, PspError};

use crate::delegate::delegate_local_methods;

/// Time limit for a call, from the connect to the last byte of the response.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Ends a call after [`CALL_TIMEOUT`] as `Unknown`, because it may have been sent.
pub(crate) struct CallTimeout {
    inner: Arc<dyn Psp>,
}

impl CallTimeout {
    pub(crate) fn new(inner: Arc<dyn Psp>) -> Self {
        Self { inner }
    }
}

/// No response in time.
#[derive(Debug, thiserror::Error)]
#[error("no response within {} seconds", CALL_TIMEOUT.as_secs())]
pub(crate) struct TimedOut;

async fn with_timeout<T>(call: impl Future<Output = Result<T, PspError>>) -> Result<T, PspError> {
    tokio::time::timeout(CALL_TIMEOUT, call)
        .await
        .unwrap_or_else(|_| Err(PspError::Unknown(Box::new(TimedOut))))
}

#[async_trait]
impl Psp for CallTimeout {
    delegate_local_methods!();

    fn is_available(&self) -> bool {
        self.inner.is_available()
    }

    async fn send(&self, request: &PreparedRequest) -> Result<PspReport, PspError> {
        with_timeout(self.inner.send(request)).await
    }

    async fn look_up(&self, operation: OperationId) -> Result<Option<PspReport>, PspError> {
        with_timeout(self.inner.look_up(operation)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_times_out_as_unknown_after_ten_seconds() {
        let started = tokio::time::Instant::now();
        let never = std::future::pending::<Result<(), PspError>>();
        let error = with_timeout(never).await.unwrap_err();
        assert!(matches!(error, PspError::Unknown(_)), "{error:?}");
        assert_eq!(started.elapsed(), CALL_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_in_time_is_passed_on() {
        let slow = async {
            tokio::time::sleep(CALL_TIMEOUT / 2).await;
            Ok(7)
        };
        assert_eq!(with_timeout(slow).await.unwrap(), 7);
    }
}
