//! Operator queries: searches across merchants, and the history of a session.

mod session_history;

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use async_trait::async_trait;
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use oncharge_domain::{
    id::SessionId,
    session::StatusName,
    text::{Contact, MerchantName},
    time::Timestamp,
};
use oncharge_ports::{
    OperatorQueries, StoreError,
    operator_queries::{FoundSession, SessionHistory, SessionIdentifier, SessionSearch},
    queries::Page,
};

use crate::{
    error,
    prepared::Prepared,
    rows::{RowReader, id_bytes, session::SessionRow},
    schema::{merchants, operations, sessions},
    store::SqliteStore,
};

#[async_trait]
impl OperatorQueries for SqliteStore {
    async fn find_sessions(
        &self,
        search: &SessionSearch,
        page: Page,
    ) -> Result<Vec<FoundSession>, StoreError> {
        // One transaction, so that a session that changes concurrently is found only once.
        self.read(|connection| in_snapshot(connection, |connection| find(connection, search, page)))
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

/// Errors of a read-only transaction.
enum SnapshotError {
    Store(StoreError),
    Diesel(diesel::result::Error),
}

impl From<diesel::result::Error> for SnapshotError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Diesel(error)
    }
}

/// Reads everything from one consistent snapshot.
fn in_snapshot<T>(
    connection: &mut SqliteConnection,
    read: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let done = connection.transaction(|connection| read(connection).map_err(SnapshotError::Store));
    done.map_err(|failed| match failed {
        SnapshotError::Store(error) => error,
        SnapshotError::Diesel(error) => error::store(error),
    })
}

/// A status in a form that one index can find.
#[derive(Clone, Copy)]
enum StatusRange {
    /// Any status, of one merchant.
    All,
    InStatus(StatusName),
    /// `created`, and not past its deadline.
    Payable,
    /// `created`, but read as `expired` because its deadline has passed.
    Overdue,
}

/// An identifier of a session in a form that one index can find.
#[derive(Clone, Copy)]
enum NameFilter<'a> {
    Any,
    Id(SessionId),
    Reference(&'a str),
    Order(&'a str),
    Psp(&'a str),
}

fn find(
    connection: &mut SqliteConnection,
    search: &SessionSearch,
    page: Page,
) -> Result<Vec<FoundSession>, StoreError> {
    let names = match &search.identifier {
        None => vec![NameFilter::Any],
        Some(SessionIdentifier::Session(id)) => vec![NameFilter::Id(*id)],
        Some(SessionIdentifier::Text(text)) => vec![
            NameFilter::Reference(text),
            NameFilter::Order(text),
            NameFilter::Psp(text),
        ],
    };
    // An identifier or a merchant is selective by itself; otherwise the newest of each status
    // together contain the newest of all.
    let is_by_status = search.identifier.is_none() && search.merchant.is_none();
    let ranges = match search.status {
        None if is_by_status => StatusName::ALL
            .iter()
            .copied()
            .map(StatusRange::InStatus)
            .collect(),
        None => vec![StatusRange::All],
        Some(StatusName::Created) => vec![StatusRange::Payable],
        Some(StatusName::Expired) => vec![
            StatusRange::InStatus(StatusName::Expired),
            StatusRange::Overdue,
        ],
        Some(name) => vec![StatusRange::InStatus(name)],
    };
    let mut rows: Vec<SessionRow> = Vec::new();
    for by in names {
        for range in &ranges {
            let found = search_page(connection, search, page, by, *range).map_err(error::store)?;
            rows.extend(found);
        }
    }
    rows.sort_by_cached_key(|row| Reverse((row.created_at, row.id.clone())));
    rows.dedup_by(|one, other| one.id == other.id);
    rows.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    with_merchants(connection, rows)
}

fn search_page(
    connection: &mut SqliteConnection,
    search: &SessionSearch,
    page: Page,
    by: NameFilter<'_>,
    range: StatusRange,
) -> QueryResult<Vec<SessionRow>> {
    let mut query = sessions::table
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .limit(page.limit.into())
        .select(SessionRow::as_select())
        .into_boxed();
    query = match by {
        NameFilter::Any => query,
        NameFilter::Id(id) => query.filter(sessions::id.eq(id_bytes(id))),
        NameFilter::Reference(text) => query.filter(sessions::reference.eq(text)),
        NameFilter::Order(text) => query.filter(sessions::order_id.eq(text)),
        NameFilter::Psp(text) => {
            let operations = operations::table
                .filter(operations::psp_reference.eq(text))
                .select(operations::session_id);
            query.filter(sessions::id.eq_any(operations))
        }
    };
    let now = search.now.unix_micros();
    query = match range {
        StatusRange::All => query,
        StatusRange::InStatus(name) => query.filter(sessions::status.eq(name.name())),
        StatusRange::Payable => query
            .filter(sessions::status.eq(StatusName::Created.name()))
            .filter(sessions::expires_at.gt(now)),
        StatusRange::Overdue => query
            .filter(sessions::status.eq(StatusName::Created.name()))
            .filter(sessions::expires_at.le(now)),
    };
    if let Some(merchant) = search.merchant {
        query = query.filter(sessions::merchant_id.eq(id_bytes(merchant)));
    }
    if let Some(at) = search.created_after {
        query = query.filter(sessions::created_at.ge(at.unix_micros()));
    }
    if let Some(at) = search.created_before {
        query = query.filter(sessions::created_at.lt(at.unix_micros()));
    }
    if let Some(after) = page.after {
        let at = after.created_at.unix_micros();
        // Written so that the index range ends at the time and only ties are compared by id.
        let beyond = sessions::created_at
            .lt(at)
            .or(sessions::id.lt(after.id.as_bytes().to_vec()));
        query = query.filter(sessions::created_at.le(at)).filter(beyond);
    }
    query.load(connection)
}

/// Adds the merchants' names to the sessions.
fn with_merchants(
    connection: &mut SqliteConnection,
    rows: Vec<SessionRow>,
) -> Result<Vec<FoundSession>, StoreError> {
    let rows: Result<Vec<_>, _> = rows
        .into_iter()
        .map(|row| row.session(Contact::default()))
        .collect();
    let rows = rows?;
    let ids: HashSet<_> = rows.iter().map(|session| session.merchant).collect();
    let mut names = HashMap::new();
    for id in ids {
        let bytes = id_bytes(id);
        let name: String = merchants::table
            .find(&bytes)
            .select(merchants::name)
            .get_result(connection)
            .map_err(error::store)?;
        let reader = RowReader::of("merchants", &bytes);
        names.insert(id, reader.parse("name", MerchantName::parse(&name))?);
    }
    let found = rows.into_iter().filter_map(|session| {
        let merchant_name = names.get(&session.merchant)?.clone();
        Some(FoundSession {
            session,
            merchant_name,
        })
    });
    Ok(found.collect())
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
            .bind::<BigInt, _>(since.unix_micros())
            .bind::<BigInt, _>(now.unix_micros())
            .bind::<BigInt, _>(i64::from(most));
        let counted: Vec<Count> = Prepared(query).load(connection).map_err(error::store)?;
        let number = counted.first().map_or(0, |count| count.number);
        sum = sum.saturating_add(number.try_into().unwrap_or(0));
    }
    Ok(sum.min(most.into()))
}
