//! Several reads from one consistent snapshot.

use diesel::{
    deserialize::FromSqlRow,
    expression::QueryMetadata,
    pg::Pg,
    query_builder::{AsQuery, QueryFragment, QueryId},
    query_dsl::CompatibleType,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use oncharge_ports::StoreError;

use crate::{pool::PooledConnection, store::PostgresStore};

/// A read-only transaction. If it is not closed, its connection is discarded.
pub(super) struct Snapshot(PooledConnection);

impl Snapshot {
    pub(super) async fn open(store: &PostgresStore) -> Result<Self, StoreError> {
        let pooled = store.pool.get().await?;
        pooled.transaction_opened();
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut connection: &AsyncPgConnection = pooled.connection();
        pooled.round_trip(connection.batch_execute(begin)).await?;
        Ok(Self(pooled))
    }

    /// Reads rows, in one round trip.
    pub(super) async fn read<Q, R, ST>(&self, query: Q) -> Result<Vec<R>, StoreError>
    where
        Q: AsQuery + Send,
        Q::Query: QueryFragment<Pg> + QueryId + Send,
        Q::SqlType: CompatibleType<R, Pg, SqlType = ST>,
        R: FromSqlRow<ST, Pg> + Send + 'static,
        ST: 'static,
        Pg: QueryMetadata<Q::SqlType>,
    {
        let mut connection: &AsyncPgConnection = self.0.connection();
        Ok(self.0.round_trip(query.load(&mut connection)).await?)
    }

    pub(super) async fn close(self) -> Result<(), StoreError> {
        let mut connection: &AsyncPgConnection = self.0.connection();
        self.0
            .round_trip(connection.batch_execute("COMMIT"))
            .await?;
        self.0.transaction_closed();
        Ok(())
    }
}
