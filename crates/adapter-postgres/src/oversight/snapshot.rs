//! Several reads of the database as it is at one moment.

use diesel::{
    deserialize::FromSqlRow,
    expression::QueryMetadata,
    pg::Pg,
    query_builder::{AsQuery, QueryFragment, QueryId},
    query_dsl::CompatibleType,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use oncharge_ports::StoreError;

use crate::{pool::Lent, store::PostgresStore};

/// A transaction that only reads. Where it is not closed, its connection is thrown away.
pub(super) struct Snapshot(Lent);

impl Snapshot {
    pub(super) async fn open(store: &PostgresStore) -> Result<Self, StoreError> {
        let lent = store.pool.get().await?;
        lent.opened();
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut line: &AsyncPgConnection = lent.line();
        lent.trip(line.batch_execute(begin)).await?;
        Ok(Self(lent))
    }

    /// Reads rows: one round trip.
    pub(super) async fn read<Q, R, ST>(&self, query: Q) -> Result<Vec<R>, StoreError>
    where
        Q: AsQuery + Send,
        Q::Query: QueryFragment<Pg> + QueryId + Send,
        Q::SqlType: CompatibleType<R, Pg, SqlType = ST>,
        R: FromSqlRow<ST, Pg> + Send + 'static,
        ST: 'static,
        Pg: QueryMetadata<Q::SqlType>,
    {
        let mut line: &AsyncPgConnection = self.0.line();
        Ok(self.0.trip(query.load(&mut line)).await?)
    }

    pub(super) async fn close(self) -> Result<(), StoreError> {
        let mut line: &AsyncPgConnection = self.0.line();
        self.0.trip(line.batch_execute("COMMIT")).await?;
        self.0.closed();
        Ok(())
    }
}
