//! Outgoing webhooks: endpoints, deliveries and their attempts.

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
    prepared::Prepared,
    rows::{
        attempt::AttemptRow,
        audit::AuditRow,
        delivery::DeliveryRow,
        endpoint::{EndpointRow, SecretColumns},
        event::{EventRow, EventSessionColumns},
        idempotency_key::KeyWrite,
        merchant::ApiKeyRow,
    },
    schema::{deliveries, delivery_attempts, events, sessions, webhook_endpoints},
    sql_types::{Id, Instant},
};

use crate::{audit, error, idempotency, returning::ids, store::SqliteStore, writer::Priority};

mod orphaned_deliveries;
mod record;

/// Inserts an event's delivery to the merchant's endpoint, if there is one that is enabled.
const INSERT_DELIVERY: &str = "INSERT INTO deliveries (event_id, session_id, merchant_id, sequence, \
     endpoint_id, url, state, attempts, failures, round, created_at, next_try_at) \
     SELECT events.id, events.session_id, events.merchant_id, events.sequence, endpoint.id, endpoint.url, \
     'pending', 0, 0, 0, events.created_at, events.created_at \
     FROM events JOIN webhook_endpoints AS endpoint ON endpoint.merchant_id = events.merchant_id \
     WHERE events.id = ? AND endpoint.disabled IS NULL RETURNING event_id AS id";

/// The same, due at another time. If a delivery exists already, its next round starts, and a lease
/// on it stays.
const REDELIVER: &str = "INSERT INTO deliveries (event_id, session_id, merchant_id, sequence, \
     endpoint_id, url, state, attempts, failures, round, created_at, next_try_at) \
     SELECT events.id, events.session_id, events.merchant_id, events.sequence, endpoint.id, endpoint.url, \
     'pending', 0, 0, 0, events.created_at, ? \
     FROM events JOIN webhook_endpoints AS endpoint ON endpoint.merchant_id = events.merchant_id \
     WHERE events.id = ? AND events.merchant_id = ? AND endpoint.disabled IS NULL \
     ON CONFLICT (event_id) DO UPDATE SET endpoint_id = excluded.endpoint_id, \
     url = excluded.url, state = 'pending', failures = 0, round = deliveries.round + 1, \
     next_try_at = excluded.next_try_at, ended_at = NULL RETURNING event_id AS id";

/// The active keys of merchant `?1`, and its endpoint's key if that is in its grace period at `?2`.
const SIGNING_KEYS: &str = "SELECT * FROM api_keys WHERE merchant_id = ?1 AND ends_at IS NULL \
     UNION ALL SELECT * FROM api_keys WHERE merchant_id = ?1 AND ends_at > ?2 \
     AND id = (SELECT key_id FROM webhook_endpoints WHERE merchant_id = ?1)";

/// Enqueues the delivery of an event that was just inserted, inside the same transaction.
pub(crate) fn enqueue_delivery(
    connection: &mut SqliteConnection,
    event: EventId,
) -> QueryResult<()> {
    let insert = sql_query(INSERT_DELIVERY).bind::<Id, _>(event);
    ids(connection, insert)?;
    Ok(())
}

/// Whether the merchant has an event with this id.
fn has_event(
    connection: &mut SqliteConnection,
    merchant: MerchantId,
    event: EventId,
) -> QueryResult<bool> {
    let row = events::table
        .find(Bind(event))
        .filter(events::merchant_id.eq(Bind(merchant)));
    diesel::select(diesel::dsl::exists(row)).get_result(connection)
}

#[async_trait]
impl WebhookRepository for SqliteStore {
    async fn endpoint(&self, merchant: MerchantId) -> Result<Option<WebhookEndpoint>, StoreError> {
        self.read(|connection| {
            webhook_endpoints::table
                .find(Bind(merchant))
                .select(EndpointRow::as_select())
                .get_result(connection)
                .optional()
                .map_err(error::store)?
                .map(|row: EndpointRow| row.open(self.sealer()))
                .transpose()
        })
    }

    async fn set_endpoint(
        &self,
        endpoint: &WebhookEndpoint,
        audit: &AuditEntry,
    ) -> Result<EndpointWrite, StoreError> {
        use webhook_endpoints::{id, merchant_id, table, version};
        let (merchant, own_id) = (endpoint.merchant, endpoint.id);
        let own_version = endpoint.version;
        let row = EndpointRow::seal(endpoint, self.sealer())?;
        let audit = AuditRow::from(audit);
        let set = self.write(Priority::Request, move |connection| {
            if orphaned_deliveries::any_exist(connection, merchant).map_err(error::commit)? {
                return Ok(EndpointWrite::OrphanedDeliveries);
            }
            let written = if own_version == 1 {
                let insert = diesel::insert_into(table).values(row);
                let insert = insert.on_conflict(merchant_id).do_nothing();
                insert.execute(connection)
            } else {
                let before = table
                    .find(Bind(merchant))
                    .filter(id.eq(Bind(own_id)))
                    .filter(version.eq(i64::from(own_version) - 1));
                let update = diesel::update(before).set(row.settings);
                update.execute(connection)
            };
            if written.map_err(error::commit)? == 0 {
                return Ok(EndpointWrite::Stale);
            }
            audit::write(connection, [audit])?;
            Ok(EndpointWrite::Written)
        });
        set.await.map_err(error::into_store_error)
    }

    async fn change_key(
        &self,
        read: &WebhookEndpoint,
        key: ApiKeyId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        use webhook_endpoints::{disabled, failing_since, id, key_id, table, updated_at, version};
        let (merchant, own_id, read_version) = (read.merchant, read.id, i64::from(read.version));
        let audit_row = AuditRow::from(audit);
        let now = audit.at;
        let changed = self.write(Priority::Request, move |connection| {
            let as_read = table
                .find(Bind(merchant))
                .filter(disabled.is_null())
                .filter(id.eq(Bind(own_id)))
                .filter(version.eq(read_version));
            let change = (
                version.eq(read_version + 1),
                key_id.eq(Bind(key)),
                failing_since.eq(None::<Bind<Timestamp>>),
                updated_at.eq(Bind(now)),
            );
            let touched = diesel::update(as_read).set(change).execute(connection);
            if touched.map_err(error::commit)? == 0 {
                return Ok(false);
            }
            audit::write(connection, [audit_row])?;
            Ok(true)
        });
        changed.await.map_err(error::into_store_error)
    }

    async fn rotate_secret(&self, rotation: &SecretRotation) -> Result<bool, CommitError> {
        use webhook_endpoints::{id, table, updated_at, version};
        let read = &rotation.read;
        let (merchant, own_id) = (read.merchant, read.id);
        let read_version = i64::from(read.version);
        let secrets = SecretColumns::seal(merchant, &rotation.secrets, self.sealer())?;
        let remembered = rotation.remembered.as_ref();
        let remembered = remembered.map(|write| KeyWrite::seal(write, self.sealer()));
        let remembered = remembered.transpose()?;
        let (now, audit) = (rotation.audit.at, AuditRow::from(&rotation.audit));
        let rotated = self.write(Priority::Request, move |connection| {
            if let Some(remembered) = remembered {
                idempotency::write(connection, remembered)?;
            }
            let as_read = table
                .find(Bind(merchant))
                .filter(id.eq(Bind(own_id)))
                .filter(version.eq(read_version));
            let change = (
                version.eq(read_version + 1),
                updated_at.eq(Bind(now)),
                secrets,
            );
            let touched = diesel::update(as_read).set(change).execute(connection);
            if touched.map_err(error::commit)? == 0 {
                // Rolls the record back.
                return Err(CommitError::Conflict);
            }
            audit::write(connection, [audit])
        });
        match rotated.await {
            Ok(()) => Ok(true),
            Err(CommitError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn remove_endpoint(
        &self,
        merchant: MerchantId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let audit = AuditRow::from(audit);
        let removed = self.write(Priority::Request, move |connection| {
            let row = webhook_endpoints::table.find(Bind(merchant));
            let removed = diesel::delete(row).execute(connection);
            if removed.map_err(error::commit)? == 0 {
                return Ok(false);
            }
            orphaned_deliveries::end(connection, merchant).map_err(error::commit)?;
            audit::write(connection, [audit])?;
            Ok(true)
        });
        removed.await.map_err(error::into_store_error)
    }

    async fn end_orphaned_deliveries(&self, of: Option<MerchantId>) -> Result<u64, StoreError> {
        orphaned_deliveries::end_batch(self, of).await
    }

    async fn signing_keys(
        &self,
        merchant: MerchantId,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let query = sql_query(SIGNING_KEYS)
            .bind::<Id, _>(merchant)
            .bind::<Instant, _>(now);
        let rows: Vec<ApiKeyRow> =
            self.read(|connection| Prepared(query).load(connection).map_err(error::store))?;
        let keys = rows.into_iter().map(|row| row.open(self.sealer()));
        keys.collect()
    }

    async fn event(
        &self,
        merchant: MerchantId,
        id: EventId,
    ) -> Result<Option<StoredEvent>, StoreError> {
        let found: Option<(EventRow, EventSessionColumns)> = self.read(|connection| {
            events::table
                .inner_join(sessions::table)
                .filter(events::id.eq(Bind(id)))
                .filter(events::merchant_id.eq(Bind(merchant)))
                .select((EventRow::as_select(), EventSessionColumns::as_select()))
                .get_result(connection)
                .optional()
                .map_err(error::store)
        })?;
        found
            .map(|(event, session)| event.stored_event(&session))
            .transpose()
    }

    async fn attempts(&self, event: EventId) -> Result<Vec<DeliveryAttempt>, StoreError> {
        let rows: Vec<AttemptRow> = self.read(|connection| {
            delivery_attempts::table
                .filter(delivery_attempts::event_id.eq(Bind(event)))
                .order(delivery_attempts::number)
                .select(AttemptRow::as_select())
                .load(connection)
                .map_err(error::store)
        })?;
        rows.into_iter().map(DeliveryAttempt::try_from).collect()
    }

    async fn outgoing(&self, events: &[EventId]) -> Result<Vec<OutgoingDelivery>, StoreError> {
        let same_merchant = webhook_endpoints::merchant_id.eq(deliveries::merchant_id);
        let query = events::table
            .inner_join(sessions::table)
            .inner_join(deliveries::table)
            .left_join(webhook_endpoints::table.on(same_merchant))
            .filter(events::id.eq_any(events.iter().copied().map(Bind)))
            .select((
                EventRow::as_select(),
                EventSessionColumns::as_select(),
                DeliveryRow::as_select(),
                Option::<EndpointRow>::as_select(),
            ));
        let rows: Vec<(
            EventRow,
            EventSessionColumns,
            DeliveryRow,
            Option<EndpointRow>,
        )> = self.read(|connection| Prepared(query).load(connection).map_err(error::store))?;
        rows.into_iter()
            .map(|(event, session, delivery, endpoint)| {
                Ok(OutgoingDelivery {
                    event: event.stored_event(&session)?,
                    delivery: delivery.try_into()?,
                    endpoint: endpoint.map(|row| row.open(self.sealer())).transpose()?,
                })
            })
            .collect()
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
        let redelivered = self.write(Priority::Request, move |connection| {
            let again = sql_query(REDELIVER)
                .bind::<Instant, _>(now)
                .bind::<Id, _>(event)
                .bind::<Id, _>(merchant);
            let due = ids(connection, again).map_err(error::commit)?;
            if !due.is_empty() {
                return Ok(Redelivery::Due);
            }
            if has_event(connection, merchant, event).map_err(error::commit)? {
                Ok(Redelivery::NoEndpoint)
            } else {
                Ok(Redelivery::NotFound)
            }
        });
        redelivered.await.map_err(error::into_store_error)
    }
}
