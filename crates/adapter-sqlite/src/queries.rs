//! Reads on the request path: each by an index, and all but one in a single statement.
//!
//! To load one row, use `get_result`, never `first`: the `LIMIT ?` that `first` adds makes SQLite
//! compile the statement anew at every run, because its plan may depend on the number.

use async_trait::async_trait;
use diesel::{
    dsl::{exists, select, sql},
    expression::SqlLiteral,
    prelude::*,
    sql_types::{Bool, SingleValue, Text},
};
use oncharge_domain::{
    cursor::Position,
    id::{MerchantId, OperationId, RefundId, SessionId, UnitId},
    operation::Operation,
    psp::TokenFingerprint,
    refund::Refund,
    session::{Session, StatusName},
    time::Timestamp,
};
use oncharge_ports::{
    CheckoutRepository, CommitError, StoreError, UnitOfWork,
    psp::PreparedRequest,
    queries::{EventFilter, Page, RefundFilter, SessionFilter, StoredEvent},
    unit_of_work::{IdempotencyRecord, IdempotencyScope, IdempotencyWrite},
};
use oncharge_store_rows::{
    Bind, ColumnValue, page_of,
    rows::{
        contact::ContactRow,
        event::{EventRow, EventSessionColumns},
        idempotency_key::{KeyRow, KeyWrite, scope_of},
        operation::{self, OperationRow},
        refund::RefundRow,
        session::SessionRow,
    },
    schema::{contacts, events, idempotency_keys, operations, refunds, session_changes, sessions},
    seal::SealedColumns,
    session_ranges::{StatusRange, newest},
    sql_types::Id,
};

use crate::{commit, error, idempotency, store::SqliteStore, writer::Priority};

type SessionAndContact = (SessionRow, Option<ContactRow>);

#[async_trait]
impl CheckoutRepository for SqliteStore {
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.read(|connection| {
            sessions::table
                .find(Bind(id))
                .left_join(contacts::table)
                .select((SessionRow::as_select(), Option::<ContactRow>::as_select()))
                .get_result(connection)
                .optional()
                .map_err(error::store)?
                .map(|(row, contact): SessionAndContact| row.open(contact, self.sealer()))
                .transpose()
        })
    }

    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        self.read(|connection| {
            operations::table
                .find(Bind(id))
                .select(OperationRow::as_select())
                .get_result(connection)
                .optional()
                .map_err(error::store)?
                .map(Operation::try_from)
                .transpose()
        })
    }

    async fn request(&self, id: OperationId) -> Result<Option<PreparedRequest>, StoreError> {
        let found: Option<(Option<Vec<u8>>, Option<String>)> = self.read(|connection| {
            operations::table
                .find(Bind(id))
                .select((operations::request, operations::request_key_id))
                .get_result(connection)
                .optional()
                .map_err(error::store)
        })?;
        match found {
            Some((Some(bytes), Some(key_id))) => {
                let columns = SealedColumns { bytes, key_id };
                operation::open_request(id, columns, self.sealer()).map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn has_attempt(
        &self,
        session: SessionId,
        token: TokenFingerprint,
    ) -> Result<bool, StoreError> {
        let attempts = operations::table
            .filter(operations::session_id.eq(Bind(session)))
            .filter(operations::token.eq(token.bytes().as_slice()));
        self.read(|connection| {
            select(exists(attempts))
                .get_result(connection)
                .map_err(error::store)
        })
    }

    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError> {
        self.read(|connection| {
            refunds::table
                .find(Bind(id))
                .select(RefundRow::as_select())
                .get_result(connection)
                .optional()
                .map_err(error::store)?
                .map(Refund::try_from)
                .transpose()
        })
    }

    async fn unsent_refunds(
        &self,
        session: SessionId,
    ) -> Result<Vec<(Refund, Operation)>, StoreError> {
        let rows: Vec<(RefundRow, OperationRow)> = self.read(|connection| {
            refunds::table
                .inner_join(operations::table)
                .filter(refunds::session_id.eq(Bind(session)))
                .filter(operations::status.eq("requested"))
                .filter(operations::sending.eq("not_sent"))
                .order((refunds::created_at, refunds::id))
                .select((RefundRow::as_select(), OperationRow::as_select()))
                .load(connection)
                .map_err(error::store)
        })?;
        let both = |(refund, operation): (RefundRow, OperationRow)| {
            Ok((refund.try_into()?, operation.try_into()?))
        };
        rows.into_iter().map(both).collect()
    }

    async fn key(&self, scope: &IdempotencyScope) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.read(|connection| {
            idempotency_keys::table
                .find((Bind(scope.merchant), scope.key.as_str()))
                .select(KeyRow::as_select())
                .get_result(connection)
                .optional()
                .map_err(error::store)?
                .map(|row: KeyRow| row.open(scope, self.sealer()))
                .transpose()
        })
    }

    async fn reserved_key(
        &self,
        operation: OperationId,
    ) -> Result<Option<IdempotencyScope>, StoreError> {
        let found: Option<(ColumnValue<MerchantId>, String)> = self.read(|connection| {
            idempotency_keys::table
                .filter(idempotency_keys::operation_id.eq(Bind(operation)))
                .filter(idempotency_keys::responded_at.is_null())
                .select((idempotency_keys::merchant_id, idempotency_keys::key))
                .get_result(connection)
                .optional()
                .map_err(error::store)
        })?;
        found
            .map(|(merchant, key)| scope_of(merchant, &key))
            .transpose()
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        page: Page,
    ) -> Result<Vec<Session>, StoreError> {
        let mut found = Vec::new();
        // An overdue session can become expired between these reads, and is then in both results.
        for range in StatusRange::of(filter.status) {
            let rows = self.read(|connection| {
                session_page(connection, filter, page, range).map_err(error::store)
            })?;
            for (row, contact) in rows {
                found.push(row.open(contact, self.sealer())?);
            }
        }
        Ok(newest(found, page))
    }

    async fn refunds(&self, filter: &RefundFilter, page: Page) -> Result<Vec<Refund>, StoreError> {
        self.read(|connection| refunds(connection, filter, page))
    }

    async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(|connection| events(connection, filter, page))
    }

    async fn operations(
        &self,
        since: Timestamp,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Operation>, StoreError> {
        self.read(|connection| operations(connection, since, after, limit))
    }

    async fn write_idempotency_record(&self, key: IdempotencyWrite) -> Result<(), CommitError> {
        let key = KeyWrite::seal(&key, self.sealer())?;
        let write = |connection: &mut SqliteConnection| idempotency::write(connection, key);
        self.write(Priority::Request, write).await
    }

    async fn commit(&self, unit: UnitOfWork) -> Result<(), CommitError> {
        commit::commit(self, &unit).await
    }

    async fn is_committed(&self, unit: &UnitOfWork) -> Result<bool, StoreError> {
        self.read(|connection| is_committed(connection, unit))
    }
}

/// Oldest first; a page starts after the position of the last operation that was read.
fn operations(
    connection: &mut SqliteConnection,
    mut since: Timestamp,
    after: Option<Position>,
    limit: u32,
) -> Result<Vec<Operation>, StoreError> {
    let mut query = operations::table
        .order((operations::created_at, operations::id))
        .limit(limit.into())
        .select(OperationRow::as_select())
        .into_boxed();
    if let Some(after) = after {
        let (at, id) = (after.created_at, after.id);
        if at >= since {
            since = at;
            query = query.filter(
                operations::created_at
                    .gt(Bind(at))
                    .or(operations::id.gt(Bind(id))),
            );
        }
    }
    let rows: Vec<OperationRow> = query
        .filter(operations::created_at.ge(Bind(since)))
        .load(connection)
        .map_err(error::store)?;
    rows.into_iter().map(Operation::try_from).collect()
}

/// A column of `sessions`. SQLite has no statistics to choose the index of the most selective
/// filter, so the statement chooses: a unary plus excludes a column from index use.
fn column<T: SingleValue>(name: &str, may_use_index: bool) -> SqlLiteral<T> {
    let plus = if may_use_index { "" } else { "+" };
    sql(&format!("{plus}sessions.{name}"))
}

fn session_page(
    connection: &mut SqliteConnection,
    filter: &SessionFilter,
    page: Page,
    range: StatusRange,
) -> QueryResult<Vec<SessionAndContact>> {
    let by_psp_reference = filter.psp_reference.is_some();
    let by_name = by_psp_reference || filter.order_id.is_some() || filter.reference.is_some();
    // An identifier is selective, whatever the other filters are.
    let name_is = |name: &str, value: &str| {
        let plus = if by_psp_reference { "+" } else { "" };
        sql::<Bool>(&format!("likelihood({plus}sessions.{name} = "))
            .bind::<Text, _>(value.to_owned())
            .sql(", 0.000001)")
    };
    let merchant = filter.merchant;
    let mut query = sessions::table
        .left_join(contacts::table)
        .filter(column::<Id>("merchant_id", !by_psp_reference).eq(Bind(merchant)))
        .select((SessionRow::as_select(), Option::<ContactRow>::as_select()))
        .into_boxed();
    let now = filter.now;
    let status = match range {
        StatusRange::All => None,
        StatusRange::InStatus(name) => Some(name),
        StatusRange::Payable | StatusRange::Overdue => Some(StatusName::Created),
    };
    if let Some(status) = status {
        query = query.filter(column::<Text>("status", !by_name).eq(status.name()));
    }
    query = match range {
        StatusRange::All | StatusRange::InStatus(_) => query,
        StatusRange::Payable => query.filter(sessions::expires_at.gt(Bind(now))),
        StatusRange::Overdue => query.filter(sessions::expires_at.le(Bind(now))),
    };
    if let Some(reference) = &filter.reference {
        query = query.filter(name_is("reference", reference.as_str()));
    }
    if let Some(order_id) = &filter.order_id {
        query = query.filter(name_is("order_id", order_id.as_str()));
    }
    if let Some(reference) = &filter.psp_reference {
        let known_as = operations::table
            .filter(operations::psp_reference.eq(reference.as_str()))
            .filter(operations::merchant_id.eq(Bind(merchant)))
            .select(operations::session_id);
        query = query.filter(sessions::id.eq_any(known_as));
    }
    if let Some(at) = filter.created_after {
        query = query.filter(sessions::created_at.ge(Bind(at)));
    }
    if let Some(at) = filter.created_before {
        query = query.filter(sessions::created_at.lt(Bind(at)));
    }
    page_of!(query, sessions, page).load(connection)
}

fn refunds(
    connection: &mut SqliteConnection,
    filter: &RefundFilter,
    page: Page,
) -> Result<Vec<Refund>, StoreError> {
    let mut query = refunds::table.select(RefundRow::as_select()).into_boxed();
    // The index by session is the selective one; the merchant is checked on the rows below.
    query = match filter.session {
        Some(session) => query.filter(refunds::session_id.eq(Bind(session))),
        None => query.filter(refunds::merchant_id.eq(Bind(filter.merchant))),
    };
    let query = page_of!(query, refunds, page);
    let rows: Vec<RefundRow> = query.load(connection).map_err(error::store)?;
    let read: Result<Vec<Refund>, _> = rows.into_iter().map(Refund::try_from).collect();
    let mut found = read?;
    found.retain(|refund| refund.merchant == filter.merchant);
    Ok(found)
}

fn events(
    connection: &mut SqliteConnection,
    filter: &EventFilter,
    page: Page,
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut query = events::table
        .inner_join(sessions::table)
        .select((EventRow::as_select(), EventSessionColumns::as_select()))
        .into_boxed();
    query = match filter.session {
        Some(session) => query.filter(events::session_id.eq(Bind(session))),
        None => query.filter(events::merchant_id.eq(Bind(filter.merchant))),
    };
    if let Some(kind) = filter.kind {
        query = query.filter(events::kind.eq(kind.name()));
    }
    let query = page_of!(query, events, page);
    let rows: Vec<(EventRow, EventSessionColumns)> =
        query.load(connection).map_err(error::store)?;
    let rows = rows.into_iter();
    let read: Result<Vec<StoredEvent>, _> = rows
        .map(|(row, columns)| row.stored_event(&columns))
        .collect();
    let mut found = read?;
    found.retain(|stored| stored.event.merchant == filter.merchant);
    Ok(found)
}

/// A created session stores the id of the unit that created it; each later version has a row with
/// its unit's id.
fn is_committed(connection: &mut SqliteConnection, unit: &UnitOfWork) -> Result<bool, StoreError> {
    let session = unit.session.id;
    let written_by: Option<UnitId> = if unit.session.version == 1 {
        sessions::table
            .find(Bind(session))
            .select(sessions::unit_id)
            .get_result(connection)
            .optional()
    } else {
        session_changes::table
            .find(Bind(unit.id))
            .filter(session_changes::session_id.eq(Bind(session)))
            .select(session_changes::unit_id)
            .get_result(connection)
            .optional()
    }
    .map_err(error::store)?;
    Ok(written_by.is_some_and(|unit_id| unit_id == unit.id))
}
