//! The calls to a PSP over HTTP, for any connector.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use oncharge_domain::{
    id::OperationId,
    psp::{PspAccount, PspReport},
};
use oncharge_ports::psp::{Connector, PreparedRequest, Psp, PspError};

use crate::{
    breaker::CircuitBreaker,
    call_metrics::record_call,
    connector::{BuildError, HttpConnector},
    http::{self, HttpResponse},
};

/// Time limit for a call, from the connect to the last byte of the response.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends what a connector builds, with a time limit, a circuit breaker and metrics.
pub(crate) struct HttpPsp<C> {
    connector: Arc<C>,
    http: reqwest::Client,
    breaker: CircuitBreaker,
    account: PspAccount,
}

/// No response in time.
#[derive(Debug, thiserror::Error)]
#[error("no response within {} seconds", CALL_TIMEOUT.as_secs())]
struct TimedOut;

impl<C: HttpConnector> HttpPsp<C> {
    pub(crate) fn new(connector: C, http: reqwest::Client, account: PspAccount) -> Self {
        Self {
            connector: Arc::new(connector),
            http,
            breaker: CircuitBreaker::new(account.clone()),
            account,
        }
    }

    /// Sends a request and reads the response. The breaker counts as a failure what ends without a
    /// definite response: not sent, too slow, or unclear.
    async fn call<T>(
        &self,
        request: Result<reqwest::Request, BuildError>,
        read: impl FnOnce(&HttpResponse) -> Result<T, PspError>,
    ) -> Result<T, PspError> {
        let call = async {
            let request = request.map_err(PspError::NotSent)?;
            let response = with_timeout(http::send(&self.http, request)).await?;
            read(&response)
        };
        self.breaker.guard(call).await
    }
}

/// Ends a call after [`CALL_TIMEOUT`] as `Unknown`, because it may have been sent.
async fn with_timeout<T>(call: impl Future<Output = Result<T, PspError>>) -> Result<T, PspError> {
    tokio::time::timeout(CALL_TIMEOUT, call)
        .await
        .unwrap_or_else(|_| Err(PspError::Unknown(Box::new(TimedOut))))
}

#[async_trait]
impl<C: HttpConnector> Psp for HttpPsp<C> {
    fn connector(&self) -> Arc<dyn Connector> {
        self.connector.clone()
    }

    fn is_available(&self) -> bool {
        self.breaker.allows_call()
    }

    async fn send(&self, request: &PreparedRequest) -> Result<PspReport, PspError> {
        let started = Instant::now();
        let built = self.connector.build_request(request);
        let read = |response: &HttpResponse| self.connector.read_response(response);
        let result = self.call(built, read).await;
        let kind = self.connector.request_kind(request);
        record_call(&self.account, kind, result.as_ref().map(Some), started);
        result
    }

    async fn look_up(&self, operation: OperationId) -> Result<Option<PspReport>, PspError> {
        let started = Instant::now();
        let built = self.connector.build_look_up(operation);
        let read = |response: &HttpResponse| self.connector.read_look_up(operation, response);
        let result = self.call(built, read).await;
        let report = result.as_ref().map(Option::as_ref);
        record_call(&self.account, "look_up", report, started);
        result
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
