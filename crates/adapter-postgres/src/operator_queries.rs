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

use self::snapshot::Snapshot;

use crate::{error::conversion_error, store::PostgresStore};

#[async_trait]
impl OperatorQueries for PostgresStore {
    async fn find_sessions(
        &self,
        search: &SessionSearch,
        page: Page,
    ) -> Result<Vec<FoundSession>, StoreError> {
        let snapshot = Snapshot::open(self).await?;
        let found = find::find(&snapshot, search, page).await?;
        snapshot.close().await?;
        Ok(found)
    }

    async fn session_history(
        &self,
        session: SessionId,
    ) -> Result<Option<SessionHistory>, StoreError> {
        let snapshot = Snapshot::open(self).await?;
        let session_history = session_history::session_history(&snapshot, session).await?;
        snapshot.close().await?;
        Ok(session_history)
    }

    async fn count_sessions(
        &self,
        since: Timestamp,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<(StatusName, u64)>, StoreError> {
        let query = sql_query(counts())
            .bind::<Instant, _>(since)
            .bind::<Instant, _>(now)
            .bind::<BigInt, _>(i64::from(most));
        let rows: Vec<Count> = self.read(Prepared(query)).await?;
        let of = |name: &StatusName| {
            let mine = rows.iter().filter(|row| row.status == name.name());
            let sum: i64 = mine.map(|row| row.number).sum();
            let sum: u64 = sum.try_into().map_err(conversion_error)?;
            Ok((*name, sum.min(most.into())))
        };
        StatusName::ALL.iter().map(of).collect()
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Counts each status separately, and within `created` the part that is read as `expired`; `$1` is
/// the start of the period, `$2` the current time, `$3` the maximum count of each.
fn counts() -> String {
    let part = |shown: &str, kept: &str, more: &str| {
        format!(
            "SELECT '{shown}' AS status, count(*) AS number FROM (SELECT FROM sessions \
             WHERE status = '{kept}' AND created_at >= $1 {more} LIMIT $3) AS recent"
        )
    };
    let each = StatusName::ALL.iter().map(|name| match name {
        StatusName::Created => part("created", "created", "AND expires_at > $2"),
        name => part(name.name(), name.name(), ""),
    });
    let overdue = part("expired", "created", "AND expires_at <= $2");
    let parts: Vec<String> = each.chain([overdue]).collect();
    parts.join(" UNION ALL ")
}
