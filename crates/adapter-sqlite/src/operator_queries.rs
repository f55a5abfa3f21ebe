//! Operator queries: searches across merchants, and the history of a session.

mod find;
mod session_history;
mod snapshot;

use async_trait::async_trait;
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use oncharge_domain::{id::SessionId, session::StatusName, time::Timestamp};
use oncharge_ports::{
    OperatorQueries, StoreError,
    operator_queries::{FoundSession, SessionHistory, SessionSearch},
    queries::Page,
};
use oncharge_store_rows::{prepared::Prepared, sql_types::Instant};

use self::snapshot::in_snapshot;
use crate::{error, store::SqliteStore};

#[async_trait]
impl OperatorQueries for SqliteStore {
    async fn find_sessions(
        &self,
        search: &SessionSearch,
        page: Page,
    ) -> Result<Vec<FoundSession>, StoreError> {
        // One transaction, so that a session that changes concurrently is found only once.
        self.read(|connection| {
            in_snapshot(connection, |connection| {
                find::find(connection, search, page)
            })
        })
    }

    async fn session_history(
        &self,
        session: SessionId,
    ) -> Result<Option<SessionHistory>, StoreError> {
        self.read(|connection| {
            in_snapshot(connection, |connection| {
                session_history::session_history(connection, session)
            })
        })
    }

    async fn count_sessions(
        &self,
        since: Timestamp,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<(StatusName, u64)>, StoreError> {
        self.read(|connection| {
            in_snapshot(connection, |connection| {
                StatusName::ALL
                    .iter()
                    .map(|name| Ok((*name, count(connection, *name, since, now, most)?)))
                    .collect()
            })
        })
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Counts the sessions in a status as it is read at `now`, each part of it up to `most`.
fn count(
    connection: &mut SqliteConnection,
    name: StatusName,
    since: Timestamp,
    now: Timestamp,
    most: u32,
) -> Result<u64, StoreError> {
    let ranges: &[(StatusName, &str)] = match name {
        StatusName::Created => &[(StatusName::Created, "AND expires_at > ?3")],
        StatusName::Expired => &[
            (StatusName::Expired, "AND ?3 = ?3"),
            (StatusName::Created, "AND expires_at <= ?3"),
        ],
        _ => &[(name, "AND ?3 = ?3")],
    };
    let mut sum = 0_u64;
    for (status, more) in ranges {
        let text = format!(
            "SELECT count(*) AS number FROM (SELECT 1 FROM sessions \
             WHERE status = ?1 AND created_at >= ?2 {more} LIMIT ?4 + 0)"
        );
        let query = sql_query(text)
            .bind::<Text, _>(status.name())
            .bind::<Instant, _>(since)
            .bind::<Instant, _>(now)
            .bind::<BigInt, _>(i64::from(most));
        let counted: Vec<Count> = Prepared(query).load(connection).map_err(error::store)?;
        let number = counted.first().map_or(0, |count| count.number);
        sum = sum.saturating_add(number.try_into().unwrap_or(0));
    }
    Ok(sum.min(most.into()))
}
