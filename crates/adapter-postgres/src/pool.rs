//! Connections to PostgreSQL: lent out for one piece of work, thrown away when in doubt.
//!
//! No test query runs before the work: a dead connection is known by its ended driver, and one
//! that was given up in the middle of a transaction never comes back into the pool, so that its
//! locks end with it.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{self, Metrics, RecycleError, RecycleResult, Timeouts},
};
use diesel::{ConnectionError, QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use oncharge_ports::StoreError;
use tokio::task::AbortHandle;

use crate::{
    address::Address,
    error::Failure,
    traffic::{Counters, Listener},
};

/// How long a piece of work waits for a free connection before the store counts as unavailable.
const WAIT: Duration = Duration::from_secs(3);
/// How long one round trip may take; above the server's own `statement_timeout`, for the case
/// that the server or the way to it is gone without a word.
const ROUND_TRIP: Duration = Duration::from_secs(8);

/// The safety net on the server's side. Compiling a statement takes longer than any of ours runs.
const SETTINGS: &str = "SET statement_timeout = '5s'; SET lock_timeout = '4s'; \
     SET idle_in_transaction_session_timeout = '10s'; SET application_name = 'oncharge'; SET jit = off";
/// A few errors are known only by their English text. An account without the right to set this
/// keeps the server's language; such errors are then reported as faults.
const ENGLISH: &str = "SET lc_messages = 'C'";

/// A pool of connections.
#[derive(Clone)]
pub(crate) struct Pool(managed::Pool<Manager>);

/// Makes connections, and looks at those that come back.
struct Manager {
    address: Address,
    counters: Arc<Counters>,
}

/// A connection in the pool.
struct Connection {
    diesel: AsyncPgConnection,
    driver: AbortHandle,
    spoiled: AtomicBool,
}

/// A connection on loan.
pub(crate) struct Lent {
    connection: managed::Object<Manager>,
    counters: Arc<Counters>,
    /// Whether a transaction is open: a loan that ends like this ends the connection.
    open: AtomicBool,
}

impl Pool {
    /// A pool of at most so many connections; none is made before it is needed.
    pub(crate) fn new(
        address: Address,
        size: usize,
        counters: Arc<Counters>,
    ) -> Result<Self, StoreError> {
        let timeouts = Timeouts {
            wait: Some(WAIT),
            // `Address` limits the time for each host.
            create: None,
            recycle: None,
        };
        managed::Pool::builder(Manager { address, counters })
            .max_size(size.max(1))
            .timeouts(timeouts)
            // The connection used last has the warmest caches on both sides.
            .queue_mode(managed::QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .map(Self)
            .map_err(|error| StoreError::Failed(Box::new(error)))
    }

    /// A connection, made anew where none is idle.
    pub(crate) async fn get(&self) -> Result<Lent, StoreError> {
        let connection = self.0.get().await;
        Ok(Lent {
            connection: connection.map_err(|error| StoreError::Unavailable(Box::new(error)))?,
            counters: Arc::clone(&self.0.manager().counters),
            open: AtomicBool::new(false),
        })
    }
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = ConnectionError;

    async fn create(&self) -> Result<Connection, ConnectionError> {
        let (mut diesel, driver) = self.address.connect().await?;
        let failed = ConnectionError::CouldntSetupConfiguration;
        diesel.batch_execute(SETTINGS).await.map_err(failed)?;
        if diesel.batch_execute(ENGLISH).await.is_err() {
            tracing::debug!("no right to set lc_messages; the server's language stays");
        }
        diesel.set_instrumentation(Listener(Arc::clone(&self.counters)));
        self.counters.connection();
        Ok(Connection {
            diesel,
            driver,
            spoiled: AtomicBool::new(false),
        })
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        _: &Metrics,
    ) -> RecycleResult<ConnectionError> {
        if connection.spoiled.load(Ordering::Relaxed) || connection.driver.is_finished() {
            return Err(RecycleError::message("the connection is closed"));
        }
        Ok(())
    }
}

impl Lent {
    /// Where statements go; those whose futures are polled together travel together.
    pub(crate) fn line(&self) -> &AsyncPgConnection {
        &self.connection.diesel
    }

    /// Waits for the answer to what was put on the line: one round trip.
    pub(crate) async fn trip<T>(
        &self,
        answer: impl Future<Output = QueryResult<T>>,
    ) -> Result<T, Failure> {
        self.counters.round_trip();
        let Ok(answer) = tokio::time::timeout(ROUND_TRIP, answer).await else {
            self.spoil();
            return Err(Failure::Unavailable("no answer in time".into()));
        };
        answer.map_err(|error| {
            let failure = Failure::of(error);
            if matches!(failure, Failure::Unavailable(_)) {
                self.spoil();
            }
            failure
        })
    }

    /// From here on until [`Lent::closed`], a loan that ends takes the connection with it.
    pub(crate) fn opened(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    /// The transaction is over for sure.
    pub(crate) fn closed(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// Ends the connection at once: the server rolls back what is open and frees its locks.
    fn spoil(&self) {
        self.connection.spoiled.store(true, Ordering::Relaxed);
        self.connection.driver.abort();
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.open.load(Ordering::Relaxed) {
            self.spoil();
        }
    }
}
