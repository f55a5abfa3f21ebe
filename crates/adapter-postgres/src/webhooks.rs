//! Outgoing webhooks: endpoints, deliveries and their attempts.

mod orphaned_deliveries;
mod record;

use async_trait::async_trait;
use diesel::{prelude::*, sql_query};
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, EventId, MerchantId},
    merchant::ApiKey,
    time::Timestamp,
    webhook::{DeliveryAttempt, WebhookEndpoint},
};
use oncharge_ports::{
    CommitError, StoreError, WebhookRepository,
    queries::StoredEvent,
    webhook_repository::{
        AttemptRecord, EndpointWrite, OutgoingDelivery, Redelivery, SecretRotation,
    },
};
use oncharge_store_rows::{
    Bind,
    rows::{
        attempt::AttemptRow,
        delivery::DeliveryRow,
        endpoint::{EndpointRow, SecretColumns},
        event::{EventRow, EventSessionColumns},
        merchant::ApiKeyRow,
    },
    schema::{api_keys, deliveries, delivery_attempts, events, sessions, webhook_endpoints},
    sql_types::{Id, Instant},
};

use crate::{
    audit,
    batch::{Batch, BatchError, unknown_outcome_error},
    idempotency,
    merchants::merchant_lock,
    precondition::{Precondition, commit_error_outside_session},
    store::PostgresStore,
};

/// Inserts a delivery for an event that has none; otherwise starts the delivery's next round, due
/// at once and without failures. The number of attempts and a lease are kept.
const REDELIVER: &str = "
INSERT INTO deliveries (event_id, session_id, merchant_id, sequence, endpoint_id, url, state,
    attempts, failures, round, created_at, next_try_at)
SELECT events.id, session_id, merchant_id, sequence, webhook_endpoints.id, url, 'pending', 0, 0, 0,
    events.created_at, $3
FROM events JOIN webhook_endpoints USING (merchant_id)
WHERE events.id = $1 AND merchant_id = $2 AND disabled IS NULL
ON CONFLICT (event_id) DO UPDATE SET endpoint_id = excluded.endpoint_id, url = excluded.url,
    state = excluded.state, failures = excluded.failures, round = deliveries.round + 1,
    next_try_at = excluded.next_try_at, ended_at = NULL";

#[async_trait]
impl WebhookRepository for PostgresStore {
    async fn endpoint(&self, merchant: MerchantId) -> Result<Option<WebhookEndpoint>, StoreError> {
        let query = webhook_endpoints::table
            .find(Bind(merchant))
            .select(EndpointRow::as_select());
        let found: Vec<EndpointRow> = self.read(query).await?;
        let open = |row: EndpointRow| row.open(&self.sealer);
        found.into_iter().next().map(open).transpose()
    }

    async fn set_endpoint(
        &self,
        endpoint: &WebhookEndpoint,
        audit: &AuditEntry,
    ) -> Result<EndpointWrite, StoreError> {
        use webhook_endpoints::{id, merchant_id, table, version};
        let row = EndpointRow::seal(endpoint, &self.sealer)?;
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        batch.add(merchant_lock(endpoint.merchant));
        let none_exist = orphaned_deliveries::none_exist(endpoint.merchant);
        batch.require(none_exist, EndpointWrite::OrphanedDeliveries);
        if endpoint.version == 1 {
            let insert = diesel::insert_into(table).values(row);
            let insert = insert.on_conflict(merchant_id).do_nothing();
            batch.require(insert, EndpointWrite::Stale);
        } else {
            let before = table
                .find(Bind(endpoint.merchant))
                .filter(id.eq(Bind(endpoint.id)))
                .filter(version.eq(i64::from(endpoint.version) - 1));
            let update = diesel::update(before).set(row.settings);
            batch.require(update, EndpointWrite::Stale);
        }
        audit::write(&mut batch, audit);
        match batch.commit().await {
            Ok(()) => Ok(EndpointWrite::Written),
            Err(BatchError::PreconditionFailed(why)) => Ok(why),
            Err(BatchError::Failed(failure)) => Err(failure.into()),
            Err(BatchError::OutcomeUnknown(failure)) => Err(unknown_outcome_error(&failure)),
        }
    }

    async fn change_key(
        &self,
        read: &WebhookEndpoint,
        key: ApiKeyId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        use webhook_endpoints::{disabled, failing_since, id, key_id, table, updated_at, version};
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        let as_read = table
            .find(Bind(read.merchant))
            .filter(disabled.is_null())
            .filter(id.eq(Bind(read.id)))
            .filter(version.eq(i64::from(read.version)));
        let changed = (
            version.eq(version + 1),
            key_id.eq(Bind(key)),
            failing_since.eq(None::<Bind<Timestamp>>),
            updated_at.eq(Bind(audit.at)),
        );
        batch.require(diesel::update(as_read).set(changed), ());
        audit::write(&mut batch, audit);
        batch.try_commit().await
    }

    async fn rotate_secret(&self, rotation: &SecretRotation) -> Result<bool, CommitError> {
        use webhook_endpoints::{id, table, updated_at, version};
        let (read, audit) = (&rotation.read, &rotation.audit);
        let secrets = SecretColumns::seal(read.merchant, &rotation.secrets, &self.sealer)?;
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        if let Some(remembered) = &rotation.remembered {
            idempotency::write(&mut batch, &self.sealer, remembered)?;
        }
        let as_read = table
            .find(Bind(read.merchant))
            .filter(id.eq(Bind(read.id)))
            .filter(version.eq(i64::from(read.version)));
        let changed = (
            version.eq(version + 1),
            updated_at.eq(Bind(audit.at)),
            secrets,
        );
        let update = diesel::update(as_read).set(changed);
        batch.require(
            update,
            Precondition::RowExists("the endpoint as it was read"),
        );
        audit::write(&mut batch, audit);
        match batch.commit().await {
            Ok(()) => Ok(true),
            Err(BatchError::PreconditionFailed(Precondition::RowExists(_))) => Ok(false),
            Err(error) => Err(commit_error_outside_session(error)),
        }
    }

    async fn remove_endpoint(
        &self,
        merchant: MerchantId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        let row = webhook_endpoints::table.find(Bind(merchant));
        batch.add(merchant_lock(merchant));
        batch.require(diesel::delete(row), ());
        batch.add(orphaned_deliveries::end(merchant));
        audit::write(&mut batch, audit);
        batch.try_commit().await
    }

    async fn end_orphaned_deliveries(&self, of: Option<MerchantId>) -> Result<u64, StoreError> {
        orphaned_deliveries::end_batch(self, of).await
    }

    async fn signing_keys(
        &self,
        merchant: MerchantId,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StoreError> {
        use api_keys::{ends_at, id, merchant_id, table};
        let of_endpoint = webhook_endpoints::table
            .find(Bind(merchant))
            .select(webhook_endpoints::key_id);
        let in_grace = ends_at.gt(Bind(now)).and(id.eq_any(of_endpoint));
        let query = table
            .filter(merchant_id.eq(Bind(merchant)))
            .filter(ends_at.is_null().or(in_grace))
            .select(ApiKeyRow::as_select());
        let found: Vec<ApiKeyRow> = self.read(query).await?;
        let open = |row: ApiKeyRow| row.open(&self.sealer);
        found.into_iter().map(open).collect()
    }

    async fn event(
        &self,
        merchant: MerchantId,
        id: EventId,
    ) -> Result<Option<StoredEvent>, StoreError> {
        let query = events::table
            .inner_join(sessions::table)
            .filter(events::id.eq(Bind(id)))
            .filter(events::merchant_id.eq(Bind(merchant)))
            .select((EventRow::as_select(), EventSessionColumns::as_select()));
        let found: Vec<(EventRow, EventSessionColumns)> = self.read(query).await?;
        let row = found.into_iter().next();
        row.map(|(row, columns)| row.stored_event(&columns))
            .transpose()
    }

    async fn attempts(&self, event: EventId) -> Result<Vec<DeliveryAttempt>, StoreError> {
        let query = delivery_attempts::table
            .filter(delivery_attempts::event_id.eq(Bind(event)))
            .order(delivery_attempts::number)
            .select(AttemptRow::as_select());
        let found: Vec<AttemptRow> = self.read(query).await?;
        found.into_iter().map(DeliveryAttempt::try_from).collect()
    }

    async fn outgoing(&self, wanted: &[EventId]) -> Result<Vec<OutgoingDelivery>, StoreError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let of_merchant = webhook_endpoints::merchant_id.eq(deliveries::merchant_id);
        let query = deliveries::table
            .inner_join(events::table.inner_join(sessions::table))
            .left_join(webhook_endpoints::table.on(of_merchant))
            .filter(deliveries::event_id.eq_any(wanted.iter().copied().map(Bind)))
            .select((
                EventRow::as_select(),
                EventSessionColumns::as_select(),
                DeliveryRow::as_select(),
                Option::<EndpointRow>::as_select(),
            ));
        let found: Vec<OutgoingRows> = self.read(query).await?;
        let read = |(event, columns, delivery, endpoint): OutgoingRows| {
            Ok(OutgoingDelivery {
                event: event.stored_event(&columns)?,
                delivery: delivery.try_into()?,
                endpoint: endpoint.map(|row| row.open(&self.sealer)).transpose()?,
            })
        };
        found.into_iter().map(read).collect()
    }

    async fn record(&self, attempt_record: &AttemptRecord) -> Result<(), CommitError> {
        record::record(self, attempt_record).await
    }

    async fn redeliver(
        &self,
        merchant: MerchantId,
        event: EventId,
        now: Timestamp,
    ) -> Result<Redelivery, StoreError> {
        let write = sql_query(REDELIVER)
            .bind::<Id, _>(event)
            .bind::<Id, _>(merchant)
            .bind::<Instant, _>(now);
        if self.write(write).await? == 1 {
            return Ok(Redelivery::Due);
        }
        let found = self.event(merchant, event).await?;
        Ok(found.map_or(Redelivery::NotFound, |_| Redelivery::NoEndpoint))
    }
}

type OutgoingRows = (
    EventRow,
    EventSessionColumns,
    DeliveryRow,
    Option<EndpointRow>,
);
