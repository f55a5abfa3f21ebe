//! The connection pool: connections are checked out for one task and discarded when in doubt.
//!
//! No test query runs at checkout: a dead connection is detected by its ended driver. A connection
//! that is abandoned in the middle of a transaction never returns to the pool, so that its locks
//! end with it. A connection whose caller stopped waiting for a statement outside a transaction
//! returns to the pool once the server has finished that statement.
//!
//! Connections are opened and driven on the runtime in which the pool was created. Their callers may
//! run on others: each worker of the HTTP server has a runtime of its own, which ends at shutdown as
//! soon as that worker is idle, while other tasks still use the connections that it opened.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
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
use tokio::{runtime::Handle, task::JoinError};

use crate::{
    address::{Address, DrivenConnection},
    error::Failure,
    statistics::{Counters, CountingInstrumentation},
};

/// How long to wait for a free connection before the store counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Time limit for one round trip; above the server's `statement_timeout`, for the case that the
/// server or the network fails silently.
const ROUND_TRIP_TIMEOUT: Duration = Duration::from_secs(8);

/// Server-side safety limits. JIT compilation takes longer than any of our statements. Warnings
/// must be delivered, because a commit that was not replicated is reported by one.
///
/// The message at the end makes these statements a transaction that writes, so that its commit
/// waits for synchronous standbys as every commit does. After a crash of the primary, a transaction
/// that no standby has is visible. A connection made then is usable only once everything visible to
/// it is replicated, so that no response is based on data that a failover would lose.
const SESSION_SETTINGS: &str = "SET statement_timeout = '5s'; SET lock_timeout = '4s'; \
     SET idle_in_transaction_session_timeout = '10s'; SET application_name = 'oncharge'; SET jit = off; \
     SET client_min_messages = 'warning'; SELECT pg_logical_emit_message(true, 'oncharge', '')";
/// A few errors can be identified only by their English text. A role without the right to set this
/// keeps the server's language; such errors are then reported as internal failures.
const SET_ENGLISH_MESSAGES: &str = "SET lc_messages = 'C'";

/// A pool of connections.
#[derive(Clone)]
pub(crate) struct Pool(managed::Pool<Manager>);

/// Creates connections, and checks those that are returned.
struct Manager {
    address: Arc<Address>,
    counters: Arc<Counters>,
    runtime: Handle,
}

/// A connection in the pool.
struct Connection {
    driven: DrivenConnection,
    discarded: AtomicBool,
    /// Drives the connection.
    runtime: Handle,
}

/// A checked-out connection.
pub(crate) struct PooledConnection {
    /// Shared with the task that waits for an abandoned statement.
    connection: Arc<managed::Object<Manager>>,
    counters: Arc<Counters>,
    /// Whether a transaction is open: if it still is when this is dropped, the connection is
    /// closed.
    in_transaction: AtomicBool,
    /// Number of round trips whose result has not been received.
    in_flight: AtomicUsize,
}

impl Pool {
    /// Creates a pool with this maximum size; connections are created on demand. Errors outside a
    /// Tokio runtime.
    pub(crate) fn new(
        address: Address,
        size: usize,
        counters: Arc<Counters>,
    ) -> Result<Self, StoreError> {
        let timeouts = Timeouts {
            wait: Some(ACQUIRE_TIMEOUT),
            // `Address` limits the time for each host.
            create: None,
            recycle: None,
        };
        let manager = Manager {
            address: Arc::new(address),
            counters,
            runtime: Handle::try_current().map_err(|error| StoreError::Failed(Box::new(error)))?,
        };
        managed::Pool::builder(manager)
            .max_size(size.max(1))
            .timeouts(timeouts)
            // The connection used last has the warmest caches on both sides.
            .queue_mode(managed::QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .map(Self)
            .map_err(|error| StoreError::Failed(Box::new(error)))
    }

    /// Checks out a connection, creating one if none is idle.
    pub(crate) async fn get(&self) -> Result<PooledConnection, StoreError> {
        let connection = self.0.get().await;
        Ok(PooledConnection {
            connection: connection
                .map(Arc::new)
                .map_err(|error| StoreError::Unavailable(Box::new(error)))?,
            counters: Arc::clone(&self.0.manager().counters),
            in_transaction: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
        })
    }
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = ConnectionError;

    async fn create(&self) -> Result<Connection, ConnectionError> {
        let (address, counters) = (Arc::clone(&self.address), Arc::clone(&self.counters));
        let opening = self.runtime.spawn(async move {
            let driven = address.connect().await?;
            Connection::set_up(driven, counters).await
        });
        let failed = |error: JoinError| ConnectionError::BadConnection(error.to_string());
        opening.await.map_err(failed)?
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        _: &Metrics,
    ) -> RecycleResult<ConnectionError> {
        if connection.is_closed() {
            return Err(RecycleError::message("the connection is closed"));
        }
        Ok(())
    }
}

impl Connection {
    /// Applies our settings to a new connection.
    async fn set_up(
        mut driven: DrivenConnection,
        counters: Arc<Counters>,
    ) -> Result<Self, ConnectionError> {
        let diesel = &mut driven.diesel;
        let failed = ConnectionError::CouldntSetupConfiguration;
        let setting =
            tokio::time::timeout(ROUND_TRIP_TIMEOUT, diesel.batch_execute(SESSION_SETTINGS)).await;
        let late = |_| ConnectionError::BadConnection("timed out".to_owned());
        setting.map_err(late)?.map_err(failed)?;
        if driven.has_warning.load(Ordering::Acquire) {
            let text = "a transaction on a new connection was not replicated";
            return Err(ConnectionError::BadConnection(text.to_owned()));
        }
        if diesel.batch_execute(SET_ENGLISH_MESSAGES).await.is_err() {
            tracing::debug!("cannot set lc_messages: permission denied");
        }
        counters.connection();
        diesel.set_instrumentation(CountingInstrumentation(counters));
        Ok(Self {
            driven,
            discarded: AtomicBool::new(false),
            runtime: Handle::current(),
        })
    }

    fn is_closed(&self) -> bool {
        self.discarded.load(Ordering::Relaxed) || self.driven.driver.is_finished()
    }

    /// Closes the connection at once: the server rolls back the open transaction and releases its
    /// locks.
    fn close(&self) {
        self.discarded.store(true, Ordering::Relaxed);
        self.driven.driver.abort();
    }

    /// Waits until the server has finished all earlier statements, or closes the connection.
    async fn drain(&self) {
        // Results arrive in order, so this one comes after those of all abandoned statements.
        let mut connection: &AsyncPgConnection = &self.driven.diesel;
        let drained = tokio::time::timeout(ROUND_TRIP_TIMEOUT, connection.batch_execute("")).await;
        if !matches!(drained, Ok(Ok(()))) {
            self.close();
        }
    }
}

impl PooledConnection {
    /// The connection for statements; those whose futures are polled together are pipelined.
    pub(crate) fn connection(&self) -> &AsyncPgConnection {
        &self.connection.driven.diesel
    }

    /// Waits for the results of the statements that were sent: one round trip.
    pub(crate) async fn round_trip<T>(
        &self,
        response: impl Future<Output = QueryResult<T>>,
    ) -> Result<T, Failure> {
        self.counters.round_trip();
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let response = tokio::time::timeout(ROUND_TRIP_TIMEOUT, response).await;
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let Ok(response) = response else {
            self.discard();
            return Err(Failure::Unavailable("timed out".into()));
        };
        response.map_err(|error| {
            let failure = Failure::of(error);
            if matches!(failure, Failure::Unavailable(_)) {
                self.discard();
            }
            failure
        })
    }

    /// As [`PooledConnection::round_trip`], for a statement that commits.
    ///
    /// Returns `Unavailable` also if the server ended its wait for synchronous standbys early,
    /// which it reports by a warning: the transaction is visible, but a failover may lose it.
    /// Warnings differ only in their text, which may be translated, so any warning counts.
    pub(crate) async fn commit_round_trip<T>(
        &self,
        response: impl Future<Output = QueryResult<T>>,
    ) -> Result<T, Failure> {
        let has_warning = &self.connection.driven.has_warning;
        has_warning.store(false, Ordering::Release);
        let done = self.round_trip(response).await?;
        if has_warning.load(Ordering::Acquire) {
            return Err(Failure::Unavailable("the commit was not replicated".into()));
        }
        Ok(done)
    }

    /// Until [`PooledConnection::transaction_closed`], dropping this closes the connection.
    pub(crate) fn transaction_opened(&self) {
        self.in_transaction.store(true, Ordering::Relaxed);
    }

    /// Records that the transaction has certainly ended.
    pub(crate) fn transaction_closed(&self) {
        self.in_transaction.store(false, Ordering::Relaxed);
    }

    fn discard(&self) {
        self.connection.close();
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if self.in_transaction.load(Ordering::Relaxed) {
            self.discard();
        } else if self.in_flight.load(Ordering::Relaxed) > 0 {
            drain_in_background(Arc::clone(&self.connection));
        }
    }
}

/// Keeps a connection out of the pool until its abandoned statement has finished. The caller is
/// gone, so a background task waits, for one round trip at most.
fn drain_in_background(connection: Arc<managed::Object<Manager>>) {
    let runtime = connection.runtime.clone();
    runtime.spawn(async move { connection.drain().await });
}
