//! Reads: one round trip each (two for expired sessions), every one served by an index.

use async_trait::async_trait;
use diesel::{
    dsl::{exists, select},
    pg::Pg,
    prelude::*,
    sql_query,
};
use oncharge_domain::{
    cursor::Position,
    id::{MerchantId, OperationId, RefundId, SessionId},
    operation::Operation,
    psp::TokenFingerprint,
    refund::Refund,
    session::Session,
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
        idempotency_key::{KeyRow, scope_of},
        operation::{self, OperationRow},
        refund::RefundRow,
        session::SessionRow,
    },
    schema::{contacts, events, idempotency_keys, operations, refunds, session_changes, sessions},
    seal::SealedColumns,
    session_ranges::{StatusRange, newest},
};

use crate::{
    batch::{Batch, BatchError},
    commit, idempotency,
    precondition::commit_error,
    store::PostgresStore,
};

#[async_trait]
impl CheckoutRepository for PostgresStore {
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let query = sessions::table
            .left_join(contacts::table)
            .filter(sessions::id.eq(Bind(id)))
            .select((SessionRow::as_select(), Option::<ContactRow>::as_select()));
        let found = self.read(query).await?;
        let open = |(row, contact): (SessionRow, _)| row.open(contact, &self.sealer);
        found.into_iter().next().map(open).transpose()
    }

    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        let query = operations::table
            .find(Bind(id))
            .select(OperationRow::as_select());
        let found: Vec<OperationRow> = self.read(query).await?;
        found
            .into_iter()
            .next()
            .map(Operation::try_from)
            .transpose()
    }

    async fn request(&self, id: OperationId) -> Result<Option<PreparedRequest>, StoreError> {
        let query = operations::table
            .find(Bind(id))
            .filter(operations::request.is_not_null())
            .select((
                operations::request.assume_not_null(),
                operations::request_key_id.assume_not_null(),
            ));
        let found: Vec<(Vec<u8>, String)> = self.read(query).await?;
        let open = |(bytes, key_id)| {
            operation::open_request(id, SealedColumns { bytes, key_id }, &self.sealer)
        };
        found.into_iter().next().map(open).transpose()
    }

    async fn has_attempt(
        &self,
        session: SessionId,
        token: TokenFingerprint,
    ) -> Result<bool, StoreError> {
        let attempts = operations::table
            .filter(operations::session_id.eq(Bind(session)))
            .filter(operations::token.eq(token.bytes().to_vec()));
        let found: Vec<bool> = self.read(select(exists(attempts))).await?;
        Ok(found == [true])
    }

    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError> {
        let query = refunds::table.find(Bind(id)).select(RefundRow::as_select());
        let found: Vec<RefundRow> = self.read(query).await?;
        found.into_iter().next().map(Refund::try_from).transpose()
    }

    async fn unsent_refunds(
        &self,
        session: SessionId,
    ) -> Result<Vec<(Refund, Operation)>, StoreError> {
        let query = refunds::table
            .inner_join(operations::table)
            .filter(refunds::session_id.eq(Bind(session)))
            .filter(refunds::status.eq("refund_requested"))
            .filter(operations::status.eq("requested"))
            .filter(operations::sending.eq("not_sent"))
            .order((refunds::created_at, refunds::id))
            .select((RefundRow::as_select(), OperationRow::as_select()));
        let found: Vec<(RefundRow, OperationRow)> = self.read(query).await?;
        let rows = found.into_iter();
        rows.map(|(refund, operation)| Ok((refund.try_into()?, operation.try_into()?)))
            .collect()
    }

    async fn key(&self, scope: &IdempotencyScope) -> Result<Option<IdempotencyRecord>, StoreError> {
        let query = idempotency_keys::table
            .find((Bind(scope.merchant), scope.key.as_str().to_owned()))
            .select(KeyRow::as_select());
        let found: Vec<KeyRow> = self.read(query).await?;
        let open = |row: KeyRow| row.open(scope, &self.sealer);
        found.into_iter().next().map(open).transpose()
    }

    async fn reserved_key(
        &self,
        operation: OperationId,
    ) -> Result<Option<IdempotencyScope>, StoreError> {
        let query = idempotency_keys::table
            .filter(idempotency_keys::operation_id.eq(Bind(operation)))
            .filter(idempotency_keys::responded_at.is_null())
            .select((idempotency_keys::merchant_id, idempotency_keys::key))
            .limit(1);
        let found: Vec<(ColumnValue<MerchantId>, String)> = self.read(query).await?;
        let scope = found.into_iter().next();
        scope
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
        for part in StatusRange::of(filter.status) {
            let rows: Vec<(SessionRow, Option<ContactRow>)> =
                self.read(sessions_query(filter, part, page)).await?;
            for (row, contact) in rows {
                found.push(row.open(contact, &self.sealer)?);
            }
        }
        Ok(newest(found, page))
    }

    async fn refunds(&self, filter: &RefundFilter, page: Page) -> Result<Vec<Refund>, StoreError> {
        let found: Vec<RefundRow> = self.read(refunds_query(filter, page)).await?;
        found.into_iter().map(Refund::try_from).collect()
    }

    async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let found: Vec<(EventRow, EventSessionColumns)> =
            self.read(events_query(filter, page)).await?;
        let rows = found.into_iter();
        rows.map(|(row, columns)| row.stored_event(&columns))
            .collect()
    }

    async fn operations(
        &self,
        since: Timestamp,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Operation>, StoreError> {
        let found: Vec<OperationRow> = self.read(operations_query(since, after, limit)).await?;
        found.into_iter().map(Operation::try_from).collect()
    }

    async fn write_idempotency_record(&self, key: IdempotencyWrite) -> Result<(), CommitError> {
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        idempotency::write(&mut batch, &self.sealer, &key)?;
        batch.commit().await.map_err(commit_error)
    }

    async fn commit(&self, unit: UnitOfWork) -> Result<(), CommitError> {
        commit::commit(self, &unit).await
    }

    /// A plain read is not enough: after a crash of the primary it shows transactions that no
    /// standby has, and a failover loses them. This transaction writes a WAL record, so its commit
    /// waits for the same standbys; when it succeeds, they have received everything that it has
    /// read.
    async fn is_committed(&self, unit: &UnitOfWork) -> Result<bool, StoreError> {
        let (session, id) = (unit.session.id, unit.id);
        let pooled = self.pool.get().await?;
        let mut batch: Batch<'_, ()> = Batch::new(&pooled);
        batch.add(sql_query(
            "SELECT pg_logical_emit_message(true, 'oncharge', '')",
        ));
        if unit.session.version == 1 {
            let created = sessions::table
                .find(Bind(session))
                .filter(sessions::unit_id.eq(Bind(id)));
            batch.add(created.select(sessions::id));
        } else {
            let changed = session_changes::table
                .find(Bind(id))
                .filter(session_changes::session_id.eq(Bind(session)));
            batch.add(changed.select(session_changes::session_id));
        }
        match batch.commit_and_count().await {
            Ok(found) => Ok(found == 1),
            Err(BatchError::OutcomeUnknown(failure)) => Err(failure.into()),
            Err(error) => Err(error.into()),
        }
    }
}

type SessionsQuery<'a> = diesel::dsl::IntoBoxed<
    'a,
    diesel::dsl::Select<
        diesel::dsl::LeftJoin<sessions::table, contacts::table>,
        (
            diesel::dsl::AsSelect<SessionRow, Pg>,
            diesel::dsl::AsSelect<Option<ContactRow>, Pg>,
        ),
    >,
    Pg,
>;

fn sessions_query(filter: &SessionFilter, part: StatusRange, page: Page) -> SessionsQuery<'static> {
    let mut query = sessions::table
        .left_join(contacts::table)
        .select((SessionRow::as_select(), Option::<ContactRow>::as_select()))
        .into_boxed::<Pg>()
        .filter(sessions::merchant_id.eq(Bind(filter.merchant)));
    let now = filter.now;
    query = match part {
        StatusRange::All => query,
        StatusRange::InStatus(status) => query.filter(sessions::status.eq(status.name())),
        StatusRange::Payable => query
            .filter(sessions::status.eq("created"))
            .filter(sessions::expires_at.gt(Bind(now))),
        StatusRange::Overdue => query
            .filter(sessions::status.eq("created"))
            .filter(sessions::expires_at.le(Bind(now))),
    };
    if let Some(reference) = &filter.reference {
        query = query.filter(sessions::reference.eq(reference.as_str().to_owned()));
    }
    if let Some(order_id) = &filter.order_id {
        query = query.filter(sessions::order_id.eq(order_id.as_str().to_owned()));
    }
    if let Some(reference) = &filter.psp_reference {
        let known_as = operations::table
            .filter(operations::psp_reference.eq(reference.as_str().to_owned()))
            .filter(operations::merchant_id.eq(Bind(filter.merchant)))
            .select(operations::session_id);
        query = query.filter(sessions::id.eq_any(known_as));
    }
    if let Some(after) = filter.created_after {
        query = query.filter(sessions::created_at.ge(Bind(after)));
    }
    if let Some(before) = filter.created_before {
        query = query.filter(sessions::created_at.lt(Bind(before)));
    }
    page_of!(query, sessions, page)
}

type OperationsQuery<'a> = diesel::dsl::IntoBoxed<
    'a,
    diesel::dsl::Select<operations::table, diesel::dsl::AsSelect<OperationRow, Pg>>,
    Pg,
>;

fn operations_query(
    since: Timestamp,
    after: Option<Position>,
    limit: u32,
) -> OperationsQuery<'static> {
    use operations::{created_at, id};
    let mut query = operations::table
        .select(OperationRow::as_select())
        .into_boxed::<Pg>()
        .filter(created_at.ge(Bind(since)))
        .order((created_at, id))
        .limit(limit.into());
    if let Some((at, after)) = after.map(|after| (after.created_at, after.id)) {
        query = query
            .filter(created_at.ge(Bind(at)))
            .filter(created_at.gt(Bind(at)).or(id.gt(Bind(after))));
    }
    query
}

type RefundsQuery<'a> = diesel::dsl::IntoBoxed<
    'a,
    diesel::dsl::Select<refunds::table, diesel::dsl::AsSelect<RefundRow, Pg>>,
    Pg,
>;

fn refunds_query(filter: &RefundFilter, page: Page) -> RefundsQuery<'static> {
    let mut query = refunds::table
        .select(RefundRow::as_select())
        .into_boxed::<Pg>()
        .filter(refunds::merchant_id.eq(Bind(filter.merchant)));
    if let Some(session) = filter.session {
        query = query.filter(refunds::session_id.eq(Bind(session)));
    }
    page_of!(query, refunds, page)
}

type EventsQuery<'a> = diesel::dsl::IntoBoxed<
    'a,
    diesel::dsl::Select<
        diesel::dsl::InnerJoin<events::table, sessions::table>,
        (
            diesel::dsl::AsSelect<EventRow, Pg>,
            diesel::dsl::AsSelect<EventSessionColumns, Pg>,
        ),
    >,
    Pg,
>;

fn events_query(filter: &EventFilter, page: Page) -> EventsQuery<'static> {
    let mut query = events::table
        .inner_join(sessions::table)
        .select((EventRow::as_select(), EventSessionColumns::as_select()))
        .into_boxed::<Pg>()
        .filter(events::merchant_id.eq(Bind(filter.merchant)));
    if let Some(session) = filter.session {
        query = query.filter(events::session_id.eq(Bind(session)));
    }
    if let Some(kind) = filter.kind {
        query = query.filter(events::kind.eq(kind.name()));
    }
    page_of!(query, events, page)
}
