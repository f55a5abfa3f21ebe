//! Seals every value again that is not under the first master key.
//!
//! Each table is scanned once by its rowid, in pages of a limited number of rows, so that
//! statements are short and the scan ends whatever is written concurrently: values written after
//! the scan has begun are sealed under the first key of the process that writes them.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Binary, Nullable, Text},
};
use oncharge_ports::{CommitError, StoreError};
use oncharge_store_rows::{
    seal::{Column, SealedColumns},
    sealed_columns::{SEALED_COLUMNS, SealedColumn},
    sql_types::Id,
};
use uuid::Uuid;

use crate::{error, store::SqliteStore, writer::Priority};

/// Rows per read, and maximum number of writes per transaction, so that requests are served in
/// between.
const PAGE: usize = 500;

/// A row of a page: one whose value is sealed under another key, or the page's last row.
#[derive(QueryableByName)]
struct SealedRow {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = Id)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    rest: String,
    #[diesel(sql_type = Nullable<Binary>)]
    bytes: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Text>)]
    key_id: Option<String>,
}

/// A new value, and the value that it replaces.
struct Replacement {
    number: i64,
    before: Vec<u8>,
    after: SealedColumns,
}

/// Reads the page after this rowid: values not sealed under the first key, and the last row.
fn page(
    connection: &mut SqliteConnection,
    sealed: &SealedColumn,
    after: i64,
    first: &str,
) -> QueryResult<Vec<SealedRow>> {
    let (Column { table, name }, id) = (sealed.column, sealed.id);
    let rest = sealed.rest.unwrap_or("''");
    sql_query(format!(
        "SELECT number, id, rest, bytes, key_id FROM (\
         SELECT *, lead(number) OVER (ORDER BY number) IS NULL AS is_last FROM (\
         SELECT rowid AS number, {id} AS id, {rest} AS rest, {name} AS bytes, \
         {name}_key_id AS key_id FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT {PAGE})) \
         WHERE is_last OR key_id <> ? ORDER BY number"
    ))
    .bind::<BigInt, _>(after)
    .bind::<Text, _>(first)
    .load(connection)
}

/// Replaces the values that have not changed since they were read.
fn replace(
    connection: &mut SqliteConnection,
    column: Column,
    values: Vec<Replacement>,
) -> Result<u64, CommitError> {
    let Column { table, name } = column;
    let mut replaced = 0_u64;
    for value in values {
        let written = sql_query(format!(
            "UPDATE {table} SET {name} = ?, {name}_key_id = ? WHERE rowid = ? AND {name} = ?"
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

/// Implements [`oncharge_ports::Maintenance::reseal`].
pub(crate) async fn reseal(store: &SqliteStore) -> Result<u64, StoreError> {
    let first = store.sealer().first()?.to_owned();
    let mut count = 0_u64;
    for sealed in &SEALED_COLUMNS {
        let mut after = i64::MIN;
        loop {
            let found = store.read(|connection| {
                let page = page(connection, sealed, after, &first);
                page.map_err(error::store)
            })?;
            let Some(last) = found.last() else { break };
            after = last.number;
            let values = reseal_values(store, sealed, found)?;
            if values.is_empty() {
                // Reads block this thread: yield, so that other tasks can run.
                tokio::task::yield_now().await;
                continue;
            }
            let replaced = store.write(Priority::Worker, move |connection| {
                replace(connection, sealed.column, values)
            });
            count = count.saturating_add(replaced.await.map_err(error::into_store_error)?);
        }
    }
    Ok(count)
}

fn reseal_values(
    store: &SqliteStore,
    sealed: &SealedColumn,
    found: Vec<SealedRow>,
) -> Result<Vec<Replacement>, StoreError> {
    let mut values = Vec::new();
    for row in found {
        let (Some(bytes), Some(key_id)) = (row.bytes, row.key_id) else {
            continue;
        };
        let bound_to = [row.id.as_bytes(), row.rest.as_bytes()].concat();
        let columns = SealedColumns {
            bytes: bytes.clone(),
            key_id,
        };
        let resealed = store.sealer().reseal(sealed.column, &bound_to, columns)?;
        let Some(after) = resealed else { continue };
        values.push(Replacement {
            number: row.number,
            before: bytes,
            after,
        });
    }
    Ok(values)
}
