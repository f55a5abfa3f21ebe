//! Runs statements with `RETURNING` as prepared ones; Diesel would parse them each time.
//!
//! By `load`: `execute` passes Diesel a reference to the statement, and a reference does not pass
//! on that the statement may be cached.

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, SqliteConnection, query_dsl::methods::LoadQuery,
};
use oncharge_ports::CommitError;
use oncharge_store_rows::{prepared::Prepared, sql_types::Id};
use uuid::Uuid;

use crate::error;

/// A row of [`ids`].
#[derive(QueryableByName)]
pub(crate) struct IdRow {
    #[diesel(sql_type = Id)]
    id: Uuid,
}

/// Runs a statement that ends in `RETURNING` a column of ids; returns the number of touched rows.
pub(crate) fn touched<'a, Q>(connection: &mut SqliteConnection, statement: Q) -> QueryResult<usize>
where
    Prepared<Q>: LoadQuery<'a, SqliteConnection, Uuid>,
{
    let rows: Vec<Uuid> = Prepared(statement).load(connection)?;
    Ok(rows.len())
}

/// Runs a statement given as text that returns a column of ids named `id`.
pub(crate) fn ids<'a, Q>(connection: &mut SqliteConnection, statement: Q) -> QueryResult<Vec<Uuid>>
where
    Prepared<Q>: LoadQuery<'a, SqliteConnection, IdRow>,
{
    let rows: Vec<IdRow> = Prepared(statement).load(connection)?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Expects exactly one touched row; any other number violates this rule.
pub(crate) fn expect_one(
    written: QueryResult<usize>,
    rule: &'static str,
) -> Result<(), CommitError> {
    match written.map_err(error::commit)? {
        1 => Ok(()),
        _ => Err(error::rule_violation(rule).into()),
    }
}

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
        use oncharge_store_rows::sql_types::{BigInt, Id};

        t (id) {
            id -> Id,
            number -> BigInt,
        }
    }

    #[test]
    fn an_update_is_prepared_once_and_counts_the_rows_it_touched() {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        let setup = "CREATE TABLE t (id BLOB, number INTEGER);
             INSERT INTO t VALUES (zeroblob(16), 1), (randomblob(16), 1)";
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
            touched(&mut connection, update.returning(t::id)).unwrap()
        };
        assert_eq!((update(1, 2), update(1, 2), update(2, 3)), (2, 0, 2));
        assert_eq!(kept.load(Ordering::Relaxed), 1);
    }
}
