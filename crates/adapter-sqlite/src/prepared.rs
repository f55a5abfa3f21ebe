//! Caches prepared statements that Diesel would parse each time.

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, SqliteConnection,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    query_dsl::methods::LoadQuery,
    sql_types::Binary,
    sqlite::Sqlite,
};

/// A row of [`Prepared::ids`].
#[derive(QueryableByName)]
pub(crate) struct IdRow {
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
}

/// A statement whose SQL text has few forms, cached as prepared under that text.
///
/// Diesel never caches an `UPDATE`, a literal or `sql_query`, because the number of their texts
/// could be unbounded. Those wrapped here have one text each (or one per list length), and
/// preparing them again costs more than running them. Use `load`: `execute` passes Diesel a
/// reference to the statement, and a reference does not pass on that the statement may be cached.
pub(crate) struct Prepared<Q>(pub(crate) Q);

impl<Q> Prepared<Q> {
    /// Runs a statement that ends in `RETURNING` a column of bytes; returns the number of touched
    /// rows.
    pub(crate) fn touched<'a>(self, connection: &mut SqliteConnection) -> QueryResult<usize>
    where
        Self: LoadQuery<'a, SqliteConnection, Vec<u8>>,
    {
        let rows: Vec<Vec<u8>> = self.load(connection)?;
        Ok(rows.len())
    }

    /// Runs a statement given as text that returns a column of bytes named `id`.
    pub(crate) fn ids<'a>(self, connection: &mut SqliteConnection) -> QueryResult<Vec<Vec<u8>>>
    where
        Self: LoadQuery<'a, SqliteConnection, IdRow>,
    {
        let rows: Vec<IdRow> = self.load(connection)?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }
}

impl<Q: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, _: &Sqlite) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();
    // No static id: the cache key is the text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Prepared<Q> {
    type SqlType = Q::SqlType;
}

impl<Q, C> RunQueryDsl<C> for Prepared<Q> {}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use diesel::{
        connection::{Connection, InstrumentationEvent, SimpleConnection},
        prelude::*,
    };

    use super::*;

    diesel::table! {
        t (id) {
            id -> Binary,
            number -> BigInt,
        }
    }

    #[test]
    fn an_update_is_prepared_once_and_counts_the_rows_it_touched() {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        let setup = "CREATE TABLE t (id BLOB, number INTEGER);
             INSERT INTO t VALUES (x'01', 1), (x'02', 1)";
        connection.batch_execute(setup).unwrap();
        let kept = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&kept);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::CacheQuery { .. }) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut update = |from: i64, to: i64| {
            let rows = t::table.filter(t::number.eq(from));
            let update = diesel::update(rows).set(t::number.eq(to));
            Prepared(update.returning(t::id))
                .touched(&mut connection)
                .unwrap()
        };
        assert_eq!((update(1, 2), update(1, 2), update(2, 3)), (2, 0, 2));
        assert_eq!(kept.load(Ordering::Relaxed), 1);
    }
}
