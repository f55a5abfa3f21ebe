//! The work queue: what is due, handed out under leases that the database's own clock times.

use std::time::Duration;

use async_trait::async_trait;
use diesel::{
    dsl::{count_star, min, sql},
    prelude::*,
    sql_types::BigInt,
};
use oncharge_domain::{
    id::{Id, Kind, OperationId, SessionId, UnitId},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError, WorkQueue,
    unit_of_work::{Lease, LeasedItem},
    work_queue::{ClaimedOperation, ClaimedSession, QueueDepth},
};

use crate::{
    error,
    hot::Hot,
    rows::{Cells, id_bytes},
    schema::{operations, sessions},
    store::SqliteStore,
    writer::Lane,
};

/// The database's clock, in microseconds since 1970: all processes on the file agree on it.
fn clock(connection: &mut SqliteConnection) -> QueryResult<i64> {
    let now = sql::<BigInt>("CAST(unixepoch('subsec') * 1000000 AS INTEGER)");
    Hot(diesel::select(now)).get_result(connection)
}

/// Whether a lease still holds; inside a unit's transaction.
pub(crate) fn holds(connection: &mut SqliteConnection, lease: Lease) -> QueryResult<bool> {
    let now = clock(connection)?;
    let token = id_bytes(lease.token);
    let held: Option<i64> = match lease.item {
        LeasedItem::Operation(id) => operations::table
            .find(id_bytes(id))
            .filter(operations::lease_token.eq(token))
            .select(operations::leased_until.assume_not_null())
            .get_result(connection)
            .optional()?,
        LeasedItem::Session(id) => sessions::table
            .find(id_bytes(id))
            .filter(sessions::lease_token.eq(token))
            .select(sessions::leased_until.assume_not_null())
            .get_result(connection)
            .optional()?,
    };
    Ok(held.is_some_and(|until| now < until))
}

/// Operations that are due and that nobody holds, oldest first, with the tries so far.
fn due_operations(
    connection: &mut SqliteConnection,
    now: i64,
    limit: i64,
) -> QueryResult<Vec<(Vec<u8>, i64)>> {
    let clock = clock(connection)?;
    operations::table
        .filter(operations::next_try_at.le(now))
        .filter(
            operations::leased_until
                .is_null()
                .or(operations::leased_until.le(clock)),
        )
        .order((operations::next_try_at, operations::id))
        .limit(limit)
        .select((operations::id, operations::tries))
        .load(connection)
}

/// Sessions that are due and that nobody holds, oldest first.
fn due_sessions(
    connection: &mut SqliteConnection,
    now: i64,
    limit: i64,
) -> QueryResult<Vec<Vec<u8>>> {
    let clock = clock(connection)?;
    sessions::table
        .filter(sessions::due_at.le(now))
        .filter(
            sessions::leased_until
                .is_null()
                .or(sessions::leased_until.le(clock)),
        )
        .order((sessions::due_at, sessions::id))
        .limit(limit)
        .select(sessions::id)
        .load(connection)
}

/// A claim that is about to be written: tokens for as many items, and how long they hold.
#[derive(Clone)]
struct Claim {
    now: i64,
    limit: i64,
    length: i64,
    tokens: Vec<UnitId>,
}

impl Claim {
    /// `found` items were seen to be due; each gets a token of its own.
    fn new(store: &SqliteStore, now: Timestamp, found: usize, lease: Duration) -> Self {
        let entropy = store.sealer().entropy();
        Self {
            now: now.unix_micros(),
            limit: i64::try_from(found).unwrap_or(i64::MAX),
            length: micros(lease),
            tokens: std::iter::repeat_with(|| entropy.id(now))
                .take(found)
                .collect(),
        }
    }

    fn operations(
        self,
        connection: &mut SqliteConnection,
    ) -> QueryResult<Vec<(Vec<u8>, UnitId, i64)>> {
        let due = due_operations(connection, self.now, self.limit)?;
        let until = clock(connection)?.saturating_add(self.length);
        let mut claimed = Vec::with_capacity(due.len());
        for ((id, tries), token) in due.into_iter().zip(self.tokens) {
            let tries = tries.saturating_add(1);
            let update = diesel::update(operations::table.find(&id)).set((
                operations::leased_until.eq(until),
                operations::lease_token.eq(id_bytes(token)),
                operations::tries.eq(tries),
            ));
            Hot(update.returning(operations::id)).touched(connection)?;
            claimed.push((id, token, tries));
        }
        Ok(claimed)
    }

    fn sessions(self, connection: &mut SqliteConnection) -> QueryResult<Vec<(Vec<u8>, UnitId)>> {
        let due = due_sessions(connection, self.now, self.limit)?;
        let until = clock(connection)?.saturating_add(self.length);
        let mut claimed = Vec::with_capacity(due.len());
        for (id, token) in due.into_iter().zip(self.tokens) {
            let update = diesel::update(sessions::table.find(&id)).set((
                sessions::leased_until.eq(until),
                sessions::lease_token.eq(id_bytes(token)),
            ));
            Hot(update.returning(sessions::id)).touched(connection)?;
            claimed.push((id, token));
        }
        Ok(claimed)
    }
}

fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

fn id_of<K: Kind>(table: &'static str, bytes: &[u8]) -> Result<Id<K>, StoreError> {
    Cells::of(table, bytes).id("id", bytes)
}

#[async_trait]
impl WorkQueue for SqliteStore {
    async fn claim_operations(
        &self,
        now: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<ClaimedOperation>, StoreError> {
        // Most looks find nothing, and a reader's look holds nobody up.
        let found = self.read(|connection| {
            due_operations(connection, now.unix_micros(), limit.into()).map_err(error::store)
        })?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let claim = Claim::new(self, now, found.len(), lease);
        let claimed = self
            .write(Lane::Worker, move |connection| {
                claim.operations(connection).map_err(error::commit)
            })
            .await
            .map_err(error::outside_a_unit)?;
        let read = |(id, token, tries): (Vec<u8>, UnitId, i64)| {
            let operation: OperationId = id_of("operations", &id)?;
            Ok(ClaimedOperation {
                operation,
                lease: Lease {
                    item: LeasedItem::Operation(operation),
                    token,
                },
                tries: Cells::of("operations", &id).count("tries", tries)?,
            })
        };
        claimed.into_iter().map(read).collect()
    }

    async fn claim_sessions(
        &self,
        now: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<ClaimedSession>, StoreError> {
        let found = self.read(|connection| {
            due_sessions(connection, now.unix_micros(), limit.into()).map_err(error::store)
        })?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let claim = Claim::new(self, now, found.len(), lease);
        let claimed = self
            .write(Lane::Worker, move |connection| {
                claim.sessions(connection).map_err(error::commit)
            })
            .await
            .map_err(error::outside_a_unit)?;
        let read = |(id, token): (Vec<u8>, UnitId)| {
            let session: SessionId = id_of("sessions", &id)?;
            Ok(ClaimedSession {
                session,
                lease: Lease {
                    item: LeasedItem::Session(session),
                    token,
                },
            })
        };
        claimed.into_iter().map(read).collect()
    }

    async fn renew(&self, lease: Lease, length: Duration) -> Result<bool, StoreError> {
        let renewed = self.write(Lane::Worker, move |connection| {
            if !holds(connection, lease).map_err(error::commit)? {
                return Ok(false);
            }
            let until = clock(connection)
                .map_err(error::commit)?
                .saturating_add(micros(length));
            set_lease(connection, lease, Some(until)).map_err(error::commit)?;
            Ok(true)
        });
        renewed.await.map_err(error::outside_a_unit)
    }

    async fn release(&self, lease: Lease, next_try_at: Timestamp) -> Result<(), StoreError> {
        let released = self.write(Lane::Worker, move |connection| {
            if !holds(connection, lease).map_err(error::commit)? {
                return Ok(());
            }
            set_lease(connection, lease, None).map_err(error::commit)?;
            if let LeasedItem::Operation(id) = lease.item {
                // A final operation is in the queue no more.
                let open = operations::table
                    .find(id_bytes(id))
                    .filter(operations::next_try_at.is_not_null());
                let at = operations::next_try_at.eq(next_try_at.unix_micros());
                let update = diesel::update(open).set(at).returning(operations::id);
                Hot(update).touched(connection).map_err(error::commit)?;
            }
            Ok(())
        });
        released.await.map_err(error::outside_a_unit)
    }

    async fn wake_all(&self, now: Timestamp) -> Result<(), StoreError> {
        let now = now.unix_micros();
        let woken = self.write(Lane::Worker, move |connection| {
            let clock = clock(connection).map_err(error::commit)?;
            let later = operations::table
                .filter(operations::next_try_at.gt(now))
                .filter(
                    operations::leased_until
                        .is_null()
                        .or(operations::leased_until.le(clock)),
                );
            let update = diesel::update(later).set(operations::next_try_at.eq(now));
            update.execute(connection).map_err(error::commit)?;
            Ok(())
        });
        woken.await.map_err(error::outside_a_unit)
    }

    async fn depth(&self) -> Result<QueueDepth, StoreError> {
        let (open, oldest) = self.read(|connection| {
            operations::table
                .filter(operations::next_try_at.is_not_null())
                .select((count_star(), min(operations::created_at)))
                .get_result::<(i64, Option<i64>)>(connection)
                .map_err(error::store)
        })?;
        let cells = Cells::of("operations", b"all");
        Ok(QueueDepth {
            open_operations: open.unsigned_abs(),
            oldest: cells.optional_time("created_at", oldest)?,
        })
    }
}

/// Sets a lease's end, or gives the item back.
fn set_lease(
    connection: &mut SqliteConnection,
    lease: Lease,
    until: Option<i64>,
) -> QueryResult<usize> {
    let token = until.map(|_| id_bytes(lease.token));
    match lease.item {
        LeasedItem::Operation(id) => {
            let update = diesel::update(operations::table.find(id_bytes(id))).set((
                operations::leased_until.eq(until),
                operations::lease_token.eq(token),
            ));
            Hot(update.returning(operations::id)).touched(connection)
        }
        LeasedItem::Session(id) => {
            let update = diesel::update(sessions::table.find(id_bytes(id))).set((
                sessions::leased_until.eq(until),
                sessions::lease_token.eq(token),
            ));
            Hot(update.returning(sessions::id)).touched(connection)
        }
    }
}
