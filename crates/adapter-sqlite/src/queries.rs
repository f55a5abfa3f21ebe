//! Reads on the request path: each by an index, and all but one in a single statement.
//!
//! To load one row, use `get_result`, never `first`: the `LIMIT ?` that `first` adds makes SQLite
//! compile the statement anew at every run, because its plan may depend on the number.

use std::cmp::Reverse;

use diesel::{
    dsl::sql,
    expression::SqlLiteral,
    prelude::*,
    sql_types::{Binary, Bool, SingleValue, Text},
};
use oncharge_domain::{
    cursor::Position,
    id::{OperationId, RefundId, SessionId},
    idempotency::IdempotencyKey,
    operation::Operation,
    psp::TokenFingerprint,
    refund::Refund,
    session::{Session, StatusName},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError, UnitOfWork,
    psp::PreparedRequest,
    queries::{EventFilter, Page, RefundFilter, SessionFilter, StoredEvent},
    unit_of_work::{IdempotencyRecord, IdempotencyScope},
};

use crate::{
    error,
    rows::{
        RowReader,
        contact::ContactRow,
        event::{EventRow, EventSessionColumns},
        id_bytes,
        idempotency_key::{KeyRow, row_bytes},
        operation::{self, OperationRow},
        refund::RefundRow,
        session::SessionRow,
    },
    schema::{contacts, events, idempotency_keys, operations, refunds, session_changes, sessions},
    seal::{SealedColumns, Sealer},
};

type SessionAndContact = (SessionRow, Option<ContactRow>);

pub(crate) fn session(
    connection: &mut SqliteConnection,
    id: SessionId,
    sealer: &Sealer,
) -> Result<Option<Session>, StoreError> {
    sessions::table
        .find(id_bytes(id))
        .left_join(contacts::table)
        .select((SessionRow::as_select(), Option::<ContactRow>::as_select()))
        .get_result(connection)
        .optional()
        .map_err(error::store)?
        .map(|found| read_session(found, sealer))
        .transpose()
}

fn read_session((row, contact): SessionAndContact, sealer: &Sealer) -> Result<Session, StoreError> {
    let contact = contact.map(|contact| contact.open(sealer)).transpose()?;
    row.session(contact.unwrap_or_default())
}

pub(crate) fn operation(
    connection: &mut SqliteConnection,
    id: OperationId,
) -> Result<Option<Operation>, StoreError> {
    operations::table
        .find(id_bytes(id))
        .select(OperationRow::as_select())
        .get_result(connection)
        .optional()
        .map_err(error::store)?
        .map(OperationRow::operation)
        .transpose()
}

/// Oldest first; a page starts after the position of the last operation that was read.
pub(crate) fn operations(
    connection: &mut SqliteConnection,
    since: Timestamp,
    after: Option<Position>,
    limit: u32,
) -> Result<Vec<Operation>, StoreError> {
    let mut query = operations::table
        .order((operations::created_at, operations::id))
        .limit(limit.into())
        .select(OperationRow::as_select())
        .into_boxed();
    let mut since = since.unix_micros();
    if let Some(after) = after {
        let (at, id) = (after.created_at.unix_micros(), after.id.as_bytes().to_vec());
        if at >= since {
            since = at;
            query = query.filter(operations::created_at.gt(at).or(operations::id.gt(id)));
        }
    }
    let rows: Vec<OperationRow> = query
        .filter(operations::created_at.ge(since))
        .load(connection)
        .map_err(error::store)?;
    rows.into_iter().map(OperationRow::operation).collect()
}

pub(crate) fn request(
    connection: &mut SqliteConnection,
    id: OperationId,
    sealer: &Sealer,
) -> Result<Option<PreparedRequest>, StoreError> {
    let id = id_bytes(id);
    let found: Option<(Option<Vec<u8>>, Option<String>)> = operations::table
        .find(&id)
        .select((operations::request, operations::request_key_id))
        .get_result(connection)
        .optional()
        .map_err(error::store)?;
    match found {
        Some((Some(bytes), Some(key_id))) => {
            operation::request(sealer, &id, SealedColumns { bytes, key_id }).map(Some)
        }
        _ => Ok(None),
    }
}

pub(crate) fn has_attempt(
    connection: &mut SqliteConnection,
    session: SessionId,
    token: TokenFingerprint,
) -> Result<bool, StoreError> {
    let tries = operations::table
        .filter(operations::session_id.eq(id_bytes(session)))
        .filter(operations::token.eq(token.bytes().as_slice()));
    diesel::select(diesel::dsl::exists(tries))
        .get_result(connection)
        .map_err(error::store)
}

pub(crate) fn refund(
    connection: &mut SqliteConnection,
    id: RefundId,
) -> Result<Option<Refund>, StoreError> {
    refunds::table
        .find(id_bytes(id))
        .select(RefundRow::as_select())
        .get_result(connection)
        .optional()
        .map_err(error::store)?
        .map(RefundRow::refund)
        .transpose()
}

pub(crate) fn unsent_refunds(
    connection: &mut SqliteConnection,
    session: SessionId,
) -> Result<Vec<(Refund, Operation)>, StoreError> {
    let rows: Vec<(RefundRow, OperationRow)> = refunds::table
        .inner_join(operations::table)
        .filter(refunds::session_id.eq(id_bytes(session)))
        .filter(operations::status.eq("requested"))
        .filter(operations::sending.eq("not_sent"))
        .order((refunds::created_at, refunds::id))
        .select((RefundRow::as_select(), OperationRow::as_select()))
        .load(connection)
        .map_err(error::store)?;
    rows.into_iter()
        .map(|(refund, operation)| Ok((refund.refund()?, operation.operation()?)))
        .collect()
}

pub(crate) fn key(
    connection: &mut SqliteConnection,
    scope: &IdempotencyScope,
    sealer: &Sealer,
) -> Result<Option<IdempotencyRecord>, StoreError> {
    idempotency_keys::table
        .find((id_bytes(scope.merchant), scope.key.as_str()))
        .select(KeyRow::as_select())
        .get_result(connection)
        .optional()
        .map_err(error::store)?
        .map(|row| row.open(scope, sealer))
        .transpose()
}

pub(crate) fn reserved_key(
    connection: &mut SqliteConnection,
    operation: OperationId,
) -> Result<Option<IdempotencyScope>, StoreError> {
    let found: Option<(Vec<u8>, String)> = idempotency_keys::table
        .filter(idempotency_keys::operation_id.eq(id_bytes(operation)))
        .filter(idempotency_keys::answered_at.is_null())
        .select((idempotency_keys::merchant_id, idempotency_keys::key))
        .get_result(connection)
        .optional()
        .map_err(error::store)?;
    let read = |(merchant, key): (Vec<u8>, String)| {
        let row = row_bytes(&merchant, &key);
        let reader = RowReader::of("idempotency_keys", &row);
        // Parsing strips one pair of quotes: the added pair keeps the text unchanged.
        let key = IdempotencyKey::parse(&format!("\"{key}\""));
        Ok(IdempotencyScope {
            merchant: reader.id("merchant_id", &merchant)?,
            key: reader.require("key", key)?,
        })
    };
    found.map(read).transpose()
}

/// The sessions of a merchant as one range of an index.
#[derive(Clone, Copy)]
enum StatusRange {
    All,
    InStatus(StatusName),
    /// `created`, and not past its deadline.
    Payable,
    /// `created`, but read as `expired` because its deadline has passed.
    Overdue,
}

pub(crate) fn sessions(
    connection: &mut SqliteConnection,
    filter: &SessionFilter,
    page: Page,
    sealer: &Sealer,
) -> Result<Vec<Session>, StoreError> {
    let rows = match filter.status {
        None => session_page(connection, filter, page, StatusRange::All),
        Some(StatusName::Created) => session_page(connection, filter, page, StatusRange::Payable),
        // Two ranges of the index, in one transaction, so that a session is found in only one of
        // them.
        Some(StatusName::Expired) => connection.transaction(|connection| {
            let mut rows = session_page(
                connection,
                filter,
                page,
                StatusRange::InStatus(StatusName::Expired),
            )?;
            rows.extend(session_page(
                connection,
                filter,
                page,
                StatusRange::Overdue,
            )?);
            rows.sort_by_cached_key(|(row, _)| Reverse((row.created_at, row.id.clone())));
            rows.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
            Ok(rows)
        }),
        Some(name) => session_page(connection, filter, page, StatusRange::InStatus(name)),
    };
    let rows = rows.map_err(error::store)?;
    rows.into_iter()
        .map(|found| read_session(found, sealer))
        .collect()
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
    let merchant = id_bytes(filter.merchant);
    let mut query = sessions::table
        .left_join(contacts::table)
        .filter(column::<Binary>("merchant_id", !by_psp_reference).eq(merchant.clone()))
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .limit(page.limit.into())
        .select((SessionRow::as_select(), Option::<ContactRow>::as_select()))
        .into_boxed();
    let now = filter.now.unix_micros();
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
        StatusRange::Payable => query.filter(sessions::expires_at.gt(now)),
        StatusRange::Overdue => query.filter(sessions::expires_at.le(now)),
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
            .filter(operations::merchant_id.eq(merchant))
            .select(operations::session_id);
        query = query.filter(sessions::id.eq_any(known_as));
    }
    if let Some(at) = filter.created_after {
        query = query.filter(sessions::created_at.ge(at.unix_micros()));
    }
    if let Some(at) = filter.created_before {
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

pub(crate) fn refunds(
    connection: &mut SqliteConnection,
    filter: &RefundFilter,
    page: Page,
) -> Result<Vec<Refund>, StoreError> {
    let mut query = refunds::table
        .order((refunds::created_at.desc(), refunds::id.desc()))
        .limit(page.limit.into())
        .select(RefundRow::as_select())
        .into_boxed();
    // The index by session is the selective one; the merchant is checked on the rows below.
    query = match filter.session {
        Some(session) => query.filter(refunds::session_id.eq(id_bytes(session))),
        None => query.filter(refunds::merchant_id.eq(id_bytes(filter.merchant))),
    };
    if let Some(after) = page.after {
        let at = after.created_at.unix_micros();
        let beyond = refunds::created_at
            .lt(at)
            .or(refunds::id.lt(after.id.as_bytes().to_vec()));
        query = query.filter(refunds::created_at.le(at)).filter(beyond);
    }
    let rows: Vec<RefundRow> = query.load(connection).map_err(error::store)?;
    let read: Result<Vec<Refund>, _> = rows.into_iter().map(RefundRow::refund).collect();
    let mut found = read?;
    found.retain(|refund| refund.merchant == filter.merchant);
    Ok(found)
}

pub(crate) fn events(
    connection: &mut SqliteConnection,
    filter: &EventFilter,
    page: Page,
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut query = events::table
        .inner_join(sessions::table)
        .order((events::created_at.desc(), events::id.desc()))
        .limit(page.limit.into())
        .select((EventRow::as_select(), EventSessionColumns::as_select()))
        .into_boxed();
    query = match filter.session {
        Some(session) => query.filter(events::session_id.eq(id_bytes(session))),
        None => query.filter(events::merchant_id.eq(id_bytes(filter.merchant))),
    };
    if let Some(kind) = filter.kind {
        query = query.filter(events::kind.eq(kind.name()));
    }
    if let Some(after) = page.after {
        let at = after.created_at.unix_micros();
        let beyond = events::created_at
            .lt(at)
            .or(events::id.lt(after.id.as_bytes().to_vec()));
        query = query.filter(events::created_at.le(at)).filter(beyond);
    }
    let rows: Vec<(EventRow, EventSessionColumns)> =
        query.load(connection).map_err(error::store)?;
    let read = |(event, session): (EventRow, EventSessionColumns)| event.stored_event(&session);
    let read: Result<Vec<StoredEvent>, _> = rows.into_iter().map(read).collect();
    let mut found = read?;
    found.retain(|stored| stored.event.merchant == filter.merchant);
    Ok(found)
}

/// A created session stores the id of the unit that created it; each later version has a row with
/// its unit's id.
pub(crate) fn is_committed(
    connection: &mut SqliteConnection,
    unit: &UnitOfWork,
) -> Result<bool, StoreError> {
    let session = id_bytes(unit.session.id);
    let written_by: Option<Vec<u8>> = if unit.session.version == 1 {
        sessions::table
            .find(session)
            .select(sessions::unit_id)
            .get_result(connection)
            .optional()
    } else {
        session_changes::table
            .find(id_bytes(unit.id))
            .filter(session_changes::session_id.eq(session))
            .select(session_changes::unit_id)
            .get_result(connection)
            .optional()
    }
    .map_err(error::store)?;
    Ok(written_by.is_some_and(|unit_id| unit_id == id_bytes(unit.id)))
}
