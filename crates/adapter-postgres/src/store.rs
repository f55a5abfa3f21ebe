//! The store on PostgreSQL: a connection pool and the keys that seal data.

use std::{fmt, sync::Arc};

use diesel::{
    deserialize::FromSqlRow,
    expression::QueryMetadata,
    pg::Pg,
    query_builder::{AsQuery, QueryFragment, QueryId},
    query_dsl::CompatibleType,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use oncharge_domain::keyring::Keyring;
use oncharge_ports::{Entropy, StoreError};
use oncharge_store_rows::{prepared::Prepared, seal::Sealer};

use crate::{
    address::Address,
    error::Failure,
    migrations,
    pool::Pool,
    statistics::{Counters, Statistics},
};

/// The store on PostgreSQL 15 or newer; cheap to clone, every clone shares the pool.
///
/// Implements every port of [`oncharge_ports::Store`]. Any number of processes may share one
/// database.
#[derive(Clone)]
pub struct PostgresStore {
    pub(crate) pool: Pool,
    pub(crate) sealer: Sealer,
    pub(crate) entropy: Arc<dyn Entropy>,
    counters: Arc<Counters>,
}

impl PostgresStore {
    /// Connects to the database of this URL and migrates its schema (see [`crate::migrate`]).
    ///
    /// The pool has at most `pool_size` connections (at least 1).
    ///
    /// `sslmode` in the URL is `disable`, `require`, `verify-ca` or `verify-full`; without it TLS
    /// is required unless every host is this machine. The server's certificate is always verified,
    /// against the file in `sslrootcert`, else the machine's root certificates.
    ///
    /// `keys` seal contact data, signing keys, requests, stored responses and notifications;
    /// `entropy` provides nonces and lease tokens. Errors with [`StoreError::Unreachable`] if no
    /// server answers or it is not ready yet; with another error if the URL is invalid, the server
    /// refuses the connection or a migration fails. Must be called within a Tokio runtime.
    pub async fn connect(
        url: &str,
        keys: Keyring,
        entropy: Arc<dyn Entropy>,
        pool_size: usize,
    ) -> Result<Self, StoreError> {
        migrations::migrate(url).await?;
        Self::connect_without_migrating(url, keys, entropy, pool_size)
    }

    /// As [`PostgresStore::connect`], but leaves the schema unchanged and connects at the first
    /// use.
    pub fn connect_without_migrating(
        url: &str,
        keys: Keyring,
        entropy: Arc<dyn Entropy>,
        pool_size: usize,
    ) -> Result<Self, StoreError> {
        let address = Address::parse(url).map_err(|error| StoreError::Failed(Box::new(error)))?;
        let counters = Arc::new(Counters::default());
        Ok(Self {
            pool: Pool::new(address, pool_size, Arc::clone(&counters))?,
            sealer: Sealer::new(keys, Arc::clone(&entropy)),
            entropy,
            counters,
        })
    }

    /// Whether the database of this URL has our schema.
    ///
    /// Connects as [`PostgresStore::connect`] does, with the same errors, and changes nothing.
    pub async fn has_schema(url: &str) -> Result<bool, StoreError> {
        let address = Address::parse(url).map_err(|error| StoreError::Failed(Box::new(error)))?;
        let driven = address.connect().await.map_err(migrations::not_connected)?;
        let mut connection: &AsyncPgConnection = &driven.diesel;
        let found: Option<u32> = diesel::select(to_regclass("keys_in_use"))
            .get_result(&mut connection)
            .await
            .map_err(Failure::of)?;
        Ok(found.is_some())
    }

    /// Reads rows, in one round trip.
    pub(crate) async fn read<Q, R, ST>(&self, query: Q) -> Result<Vec<R>, StoreError>
    where
        Q: AsQuery + Send,
        Q::Query: QueryFragment<Pg> + QueryId + Send,
        Q::SqlType: CompatibleType<R, Pg, SqlType = ST>,
        R: FromSqlRow<ST, Pg> + Send + 'static,
        ST: 'static,
        Pg: QueryMetadata<Q::SqlType>,
    {
        let pooled = self.pool.get().await?;
        let mut connection: &AsyncPgConnection = pooled.connection();
        let rows = pooled.round_trip(query.load(&mut connection)).await?;
        Ok(rows)
    }

    /// Executes one writing statement, a transaction in itself; returns the number of touched rows.
    pub(crate) async fn write<T>(&self, statement: T) -> Result<usize, StoreError>
    where
        T: QueryFragment<Pg> + Send,
    {
        let pooled = self.pool.get().await?;
        let mut connection: &AsyncPgConnection = pooled.connection();
        let touched = pooled
            .commit_round_trip(Prepared(statement).execute(&mut connection))
            .await?;
        Ok(touched)
    }

    /// Executes one writing statement, a transaction in itself; returns its rows.
    pub(crate) async fn write_returning<Q, R, ST>(&self, statement: Q) -> Result<Vec<R>, StoreError>
    where
        Q: AsQuery + Send,
        Q::Query: QueryFragment<Pg> + QueryId + Send,
        Q::SqlType: CompatibleType<R, Pg, SqlType = ST>,
        R: FromSqlRow<ST, Pg> + Send + 'static,
        ST: 'static,
        Pg: QueryMetadata<Q::SqlType>,
    {
        let pooled = self.pool.get().await?;
        let mut connection: &AsyncPgConnection = pooled.connection();
        let rows = pooled
            .commit_round_trip(statement.load(&mut connection))
            .await?;
        Ok(rows)
    }

    /// Traffic since the store was opened, for tests and measurements.
    pub fn statistics(&self) -> Statistics {
        self.counters.read()
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}

diesel::define_sql_function! {
    /// The object id of the table with this name, if it exists.
    fn to_regclass(name: diesel::sql_types::Text) -> diesel::sql_types::Nullable<diesel::sql_types::Oid>;
}
