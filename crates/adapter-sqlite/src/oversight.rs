//! What operators see: searches across merchants, and one session's whole story.

mod story;

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
    Oversight, StoreError,
    oversight::{FoundSession, Named, Search, Story},
    queries::Page,
};

use crate::{
    error,
    hot::Hot,
    rows::{Cells, id_bytes, session::SessionRow},
    schema::{merchants, operations, sessions},
    store::SqliteStore,
};

#[async_trait]
impl Oversight for SqliteStore {
    async fn find_sessions(
        &self,
        search: &Search,
        page: Page,
    ) -> Result<Vec<FoundSession>, StoreError> {
        // One transaction, so that a session that changes meanwhile is seen in one place.
        self.read(|connection| reading(connection, |connection| find(connection, search, page)))
    }

    async fn story(&self, session: SessionId) -> Result<Option<Story>, StoreError> {
        self.read(|connection| reading(connection, |connection| story::story(connection, session)))
    }

    async fn count_sessions(
        &self,
        since: Timestamp,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<(StatusName, u64)>, StoreError> {
        self.read(|connection| {
            reading(connection, |connection| {
                StatusName::ALL
                    .iter()
                    .map(|name| Ok((*name, count(connection, (*name, since, now), most)?)))
                    .collect()
            })
        })
    }
}

/// What a transaction that only reads may fail with.
enum Failed {
    Store(StoreError),
    Diesel(diesel::result::Error),
}

impl From<diesel::result::Error> for Failed {
    fn from(error: diesel::result::Error) -> Self {
        Self::Diesel(error)
    }
}

/// Reads everything as it is at one moment.
fn reading<T>(
    connection: &mut SqliteConnection,
    read: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let done = connection.transaction(|connection| read(connection).map_err(Failed::Store));
    done.map_err(|failed| match failed {
        Failed::Store(error) => error,
        Failed::Diesel(error) => error::store(error),
    })
}

/// A status as one index can tell it.
#[derive(Clone, Copy)]
enum Part {
    /// Whatever the status, of one merchant.
    All,
    InStatus(StatusName),
    /// `created`, and time is left.
    Payable,
    /// `created`, but read as `expired` because its time is over.
    Overdue,
}

/// How a session is named, as one index can tell it.
#[derive(Clone, Copy)]
enum By<'a> {
    Nothing,
    Id(SessionId),
    Reference(&'a str),
    Order(&'a str),
    Psp(&'a str),
}

fn find(
    connection: &mut SqliteConnection,
    search: &Search,
    page: Page,
) -> Result<Vec<FoundSession>, StoreError> {
    let names = match &search.named {
        None => vec![By::Nothing],
        Some(Named::Session(id)) => vec![By::Id(*id)],
        Some(Named::Text(text)) => vec![By::Reference(text), By::Order(text), By::Psp(text)],
    };
    // A name is narrow by itself; without one, the newest of each status are all the newest.
    let in_parts = search.named.is_none() && search.merchant.is_none();
    let parts = match search.status {
        None if in_parts => StatusName::ALL
            .iter()
            .copied()
            .map(Part::InStatus)
            .collect(),
        None => vec![Part::All],
        Some(StatusName::Created) => vec![Part::Payable],
        Some(StatusName::Expired) => vec![Part::InStatus(StatusName::Expired), Part::Overdue],
        Some(name) => vec![Part::InStatus(name)],
    };
    let mut rows: Vec<SessionRow> = Vec::new();
    for by in names {
        for part in &parts {
            let found = branch(connection, search, page, (by, *part)).map_err(error::store)?;
            rows.extend(found);
        }
    }
    rows.sort_by_cached_key(|row| Reverse((row.created_at, row.id.clone())));
    rows.dedup_by(|one, other| one.id == other.id);
    rows.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    with_merchants(connection, rows)
}

fn branch(
    connection: &mut SqliteConnection,
    search: &Search,
    page: Page,
    (by, part): (By<'_>, Part),
) -> QueryResult<Vec<SessionRow>> {
    let mut query = sessions::table
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .limit(page.limit.into())
        .select(SessionRow::as_select())
        .into_boxed();
    query = match by {
        By::Nothing => query,
        By::Id(id) => query.filter(sessions::id.eq(id_bytes(id))),
        By::Reference(text) => query.filter(sessions::reference.eq(text)),
        By::Order(text) => query.filter(sessions::order_id.eq(text)),
        By::Psp(text) => {
            let operations = operations::table
                .filter(operations::psp_reference.eq(text))
                .select(operations::session_id);
            query.filter(sessions::id.eq_any(operations))
        }
    };
    let now = search.now.unix_micros();
    query = match part {
        Part::All => query,
        Part::InStatus(name) => query.filter(sessions::status.eq(name.name())),
        Part::Payable => query
            .filter(sessions::status.eq(StatusName::Created.name()))
            .filter(sessions::expires_at.gt(now)),
        Part::Overdue => query
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
        // Written so that the index's range ends at the time and only its ties are compared by id.
        let beyond = sessions::created_at
            .lt(at)
            .or(sessions::id.lt(after.id.as_bytes().to_vec()));
        query = query.filter(sessions::created_at.le(at)).filter(beyond);
    }
    query.load(connection)
}

/// The sessions with their merchants' names.
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
        let cells = Cells::of("merchants", &bytes);
        names.insert(id, cells.read("name", MerchantName::parse(&name))?);
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

/// How many are in a status as it is read at `now`, each part of it counted up to `most`.
fn count(
    connection: &mut SqliteConnection,
    (name, since, now): (StatusName, Timestamp, Timestamp),
    most: u32,
) -> Result<u64, StoreError> {
    let parts: &[(StatusName, &str)] = match name {
        StatusName::Created => &[(StatusName::Created, "AND expires_at > ?3")],
        StatusName::Expired => &[
            (StatusName::Expired, "AND ?3 = ?3"),
            (StatusName::Created, "AND expires_at <= ?3"),
        ],
        _ => &[(name, "AND ?3 = ?3")],
    };
    let mut sum = 0_u64;
    for (status, more) in parts {
        let text = format!(
            "SELECT count(*) AS number FROM (SELECT 1 FROM sessions \
             WHERE status = ?1 AND created_at >= ?2 {more} LIMIT ?4 + 0)"
        );
        let query = sql_query(text)
            .bind::<Text, _>(status.name())
            .bind::<BigInt, _>(since.unix_micros())
            .bind::<BigInt, _>(now.unix_micros())
            .bind::<BigInt, _>(i64::from(most));
        let counted: Vec<Count> = Hot(query).load(connection).map_err(error::store)?;
        let number = counted.first().map_or(0, |count| count.number);
        sum = sum.saturating_add(number.try_into().unwrap_or(0));
    }
    Ok(sum.min(most.into()))
}
