//! `GET /healthz` and `GET /readyz`: liveness and readiness.

use actix_web::{HttpResponse, web};
use oncharge_application::{Error, operator_queries};

use crate::ops::{Ops, STORE_TIMEOUT};

/// Why the process cannot do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    #[error("the server is stopping")]
    Stopping,
    #[error("waiting for the database")]
    StoreNotOpen,
    #[error("this node's clock differs from the database's by more than 10 seconds")]
    ClockSkew,
    #[error("the database did not respond in time")]
    Timeout,
    #[error(transparent)]
    Store(#[from] Error),
}

impl NotReady {
    /// The code in the response; causes are only logged.
    fn code(&self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::StoreNotOpen => "waiting_for_database",
            Self::ClockSkew => "clock_skew",
            Self::Timeout => "database_timeout",
            Self::Store(_) => "database_error",
        }
    }
}

/// `GET /healthz`: liveness.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "ok"}))
}

/// `GET /readyz`: readiness.
pub(crate) async fn readyz(ops: web::Data<Ops>) -> HttpResponse {
    match check_readiness(&ops).await {
        Ok(()) => HttpResponse::Ok().json(serde_json::json!({"status": "ready"})),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
            HttpResponse::ServiceUnavailable()
                .json(serde_json::json!({"status": "not_ready", "reason": error.code()}))
        }
    }
}

/// Checks whether the process can do its work: the store responds, and the process neither stops
/// nor has a wrong clock.
pub(crate) async fn check_readiness(ops: &Ops) -> Result<(), NotReady> {
    if ops.is_stopping() {
        return Err(NotReady::Stopping);
    }
    let app = ops.app().ok_or(NotReady::StoreNotOpen)?;
    if app.is_clock_too_far_off() {
        return Err(NotReady::ClockSkew);
    }
    match tokio::time::timeout(STORE_TIMEOUT, operator_queries::ping(app)).await {
        Ok(result) => Ok(result.map(|_latency| ())?),
        Err(_) => Err(NotReady::Timeout),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use oncharge_application::{App, Dependencies, Settings};
    use oncharge_domain::keyring::{KeyId, Keyring};
    use oncharge_ports::{
        Maintenance, Store, StoreError,
        maintenance::{DeletedRows, ExpiringRows, TimeRange},
    };
    use oncharge_testkit::{
        FakeClock, MemoryStore, PlainPresenter, ScriptedPsp, ScriptedSender, SeededEntropy,
    };

    use super::*;

    /// A store that never responds.
    struct Unresponsive;

    #[async_trait]
    impl Maintenance for Unresponsive {
        async fn ping(&self) -> Result<(), StoreError> {
            std::future::pending().await
        }

        async fn reseal(&self) -> Result<u64, StoreError> {
            std::future::pending().await
        }

        async fn delete_expired(
            &self,
            _rows: ExpiringRows,
            _range: TimeRange,
            _limit: u32,
        ) -> Result<DeletedRows, StoreError> {
            std::future::pending().await
        }
    }

    fn unresponsive_app() -> App {
        let clock = Arc::new(FakeClock::new());
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as _));
        let keys = Keyring::parse(&Keyring::entry(&KeyId::parse("k1").unwrap(), &[7; 32])).unwrap();
        App::new(Dependencies {
            store: Store {
                maintenance: Arc::new(Unresponsive),
                ..Store::new(store)
            },
            sender: Arc::new(ScriptedSender::new()),
            psps: Arc::new(ScriptedPsp::new()),
            presenter: Arc::new(PlainPresenter),
            clock,
            entropy: Arc::new(SeededEntropy::new(1)),
            keys: keys.clone(),
            peppers: keys,
            settings: Settings::default(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn an_unresponsive_store_times_out() {
        let ops = web::Data::new(Ops::new(String::new));
        ops.attach_store(unresponsive_app(), None);
        let result = check_readiness(&ops).await;
        assert!(matches!(result, Err(NotReady::Timeout)), "{result:?}");
        assert_eq!(readyz(ops).await.status(), 503);
    }
}
