//! Care for the file: does it answer, do the keys fit, seal everything under the first key, delete
//! what is old.

use async_trait::async_trait;
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Binary, Text},
};
use oncharge_domain::keyring::Place;
use oncharge_ports::{CommitError, Maintenance, StoreError, maintenance::Old};

use crate::{
    clean_up, error,
    rows::{Cells, key::row_bytes},
    seal::{SealedColumns, Sealer},
    store::SqliteStore,
    writer::Lane,
};

/// How many values are sealed again in one transaction, so that requests get their turn between.
const BATCH: i64 = 200;

/// Where sealed values are kept: all that follows is the same for each of them.
struct SealedColumn {
    table: &'static str,
    column: &'static str,
    /// The column that holds the key's name.
    key_id: &'static str,
    /// The column of the row's id, which a value is bound to.
    row: &'static str,
    /// The rest of the row's id, as an SQL expression of type text; empty for most.
    rest: &'static str,
}

/// Every sealed column, the one that each installation has filled first.
const SEALED: [SealedColumn; 6] = [
    SealedColumn {
        table: "api_keys",
        column: "signing_key",
        key_id: "signing_key_key_id",
        row: "id",
        rest: "''",
    },
    SealedColumn {
        table: "contacts",
        column: "email",
        key_id: "email_key_id",
        row: "session_id",
        rest: "''",
    },
    SealedColumn {
        table: "contacts",
        column: "phone",
        key_id: "phone_key_id",
        row: "session_id",
        rest: "''",
    },
    SealedColumn {
        table: "operations",
        column: "request",
        key_id: "request_key_id",
        row: "id",
        rest: "''",
    },
    SealedColumn {
        table: "idempotency_keys",
        column: "body",
        key_id: "body_key_id",
        row: "merchant_id",
        rest: "key",
    },
    SealedColumn {
        table: "psp_notifications",
        column: "body",
        key_id: "body_key_id",
        row: "id",
        rest: "''",
    },
];

/// A sealed value as it is found.
#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
    #[diesel(sql_type = Text)]
    rest: String,
    #[diesel(sql_type = Binary)]
    bytes: Vec<u8>,
    #[diesel(sql_type = Text)]
    key_id: String,
}

/// A value to be written in place of one that was found.
struct Resealed {
    number: i64,
    before: Vec<u8>,
    after: SealedColumns,
}

impl SealedColumn {
    /// Values after this row number that are not under the key of this name (any, for "").
    fn find(
        &self,
        connection: &mut SqliteConnection,
        after: i64,
        not_under: &str,
        limit: i64,
    ) -> QueryResult<Vec<Found>> {
        let Self {
            table,
            column,
            key_id,
            row,
            rest,
        } = self;
        sql_query(format!(
            "SELECT rowid AS number, {row} AS id, {rest} AS rest, {column} AS bytes, \
             {key_id} AS key_id FROM {table} \
             WHERE rowid > ? AND {key_id} <> ? ORDER BY rowid LIMIT ?"
        ))
        .bind::<BigInt, _>(after)
        .bind::<Text, _>(not_under)
        .bind::<BigInt, _>(limit)
        .load(connection)
    }

    /// Opens a value and hands it to `read`.
    fn open<T>(
        &self,
        found: Found,
        sealer: &Sealer,
        read: impl FnOnce(Place<'_>, &[u8]) -> Option<T>,
    ) -> Result<T, StoreError> {
        let row = row_bytes(&found.id, &found.rest);
        let place = Place {
            table: self.table,
            column: self.column,
            row: &row,
        };
        let columns = SealedColumns {
            bytes: found.bytes,
            key_id: found.key_id,
        };
        let opened = sealer.open(place, columns, |plain| read(place, plain));
        Cells::of(self.table, &row).found(self.column, opened)
    }

    /// Writes values in place of those that were found, unless they have changed since.
    fn replace(
        &self,
        connection: &mut SqliteConnection,
        values: Vec<Resealed>,
    ) -> Result<u64, CommitError> {
        let Self {
            table,
            column,
            key_id,
            ..
        } = self;
        let mut replaced: u64 = 0;
        for value in values {
            let written = sql_query(format!(
                "UPDATE {table} SET {column} = ?, {key_id} = ? WHERE rowid = ? AND {column} = ?"
            ))
            .bind::<Binary, _>(value.after.bytes)
            .bind::<Text, _>(value.after.key_id)
            .bind::<BigInt, _>(value.number)
            .bind::<Binary, _>(value.before)
            .execute(connection)
            .map_err(error::commit)?;
            replaced = replaced.saturating_add(written.try_into().unwrap_or(u64::MAX));
        }
        Ok(replaced)
    }
}

impl SqliteStore {
    /// Seals one column's values again, batch by batch.
    async fn reseal_column(
        &self,
        column: &'static SealedColumn,
        first: &str,
    ) -> Result<u64, StoreError> {
        let (mut after, mut count) = (i64::MIN, 0_u64);
        loop {
            let found = self.read(|connection| {
                column
                    .find(connection, after, first, BATCH)
                    .map_err(error::store)
            })?;
            let Some(last) = found.last() else {
                return Ok(count);
            };
            after = last.number;
            let mut values = Vec::with_capacity(found.len());
            for value in found {
                let (number, before) = (value.number, value.bytes.clone());
                let after = column.open(value, self.sealer(), |place, plain| {
                    self.sealer().seal(place, plain).ok()
                })?;
                values.push(Resealed {
                    number,
                    before,
                    after,
                });
            }
            let replaced = self.write(Lane::Worker, move |connection| {
                column.replace(connection, values)
            });
            count = count.saturating_add(replaced.await.map_err(error::outside_a_unit)?);
        }
    }
}

#[async_trait]
impl Maintenance for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.read(|connection| {
            let one: QueryResult<i32> =
                diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>("1"))
                    .get_result(connection);
            one.map(|_| ()).map_err(error::store)
        })
    }

    async fn keys_fit(&self) -> Result<bool, StoreError> {
        for column in &SEALED {
            let mut found = self.read(|connection| {
                column
                    .find(connection, i64::MIN, "", 1)
                    .map_err(error::store)
            })?;
            if let Some(first) = found.pop() {
                return Ok(column.open(first, self.sealer(), |_, _| Some(())).is_ok());
            }
        }
        Ok(true)
    }

    async fn reseal(&self) -> Result<u64, StoreError> {
        let Some(first) = self.sealer().first_key().map(str::to_owned) else {
            return Ok(0);
        };
        let mut count: u64 = 0;
        for column in &SEALED {
            count = count.saturating_add(self.reseal_column(column, &first).await?);
        }
        Ok(count)
    }
    async fn clean_up(&self, old: &Old, limit: u32) -> Result<u64, StoreError> {
        clean_up::clean_up(self, old, limit).await
    }
}
