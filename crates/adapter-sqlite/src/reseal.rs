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
use oncharge_domain::keyring::SealContext;
use oncharge_ports::{CommitError, StoreError};

use crate::{
    error,
    rows::{RowReader, idempotency_key::row_bytes},
    seal::SealedColumns,
    store::SqliteStore,
    writer::Priority,
};

/// Rows per read, and maximum number of writes per transaction, so that requests are served in
/// between.
const PAGE: usize = 500;

/// A column that holds sealed values, and its table's primary key, to whose bytes each value is
/// bound.
struct SealedColumn {
    table: &'static str,
    /// The column; its key's id is in the column of the same name with `_key_id`.
    name: &'static str,
    /// The key's first column, of type BLOB.
    id: &'static str,
    /// The key's second column, of type TEXT, if there is one.
    rest: Option<&'static str>,
}

/// Every column that holds sealed values; a test compares this list with the schema.
const SEALED_COLUMNS: [SealedColumn; 8] = [
    SealedColumn::of("api_keys", "signing_key", "id"),
    SealedColumn::of("webhook_endpoints", "secret", "merchant_id"),
    SealedColumn::of("webhook_endpoints", "previous_secret", "merchant_id"),
    SealedColumn::of("contacts", "email", "session_id"),
    SealedColumn::of("contacts", "phone", "session_id"),
    SealedColumn::of("operations", "request", "id"),
    SealedColumn::with_composite_key("idempotency_keys", "body", "merchant_id", "key"),
    SealedColumn::of("psp_notifications", "body", "id"),
];

/// A row of a page: one whose value is sealed under another key, or the page's last row.
#[derive(QueryableByName)]
struct SealedRow {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
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

impl SealedColumn {
    const fn of(table: &'static str, name: &'static str, id: &'static str) -> Self {
        Self {
            table,
            name,
            id,
            rest: None,
        }
    }

    const fn with_composite_key(
        table: &'static str,
        name: &'static str,
        id: &'static str,
        rest: &'static str,
    ) -> Self {
        Self {
            table,
            name,
            id,
            rest: Some(rest),
        }
    }

    /// Reads the page after this rowid: values not sealed under the first key, and the last row.
    fn page(
        &self,
        connection: &mut SqliteConnection,
        after: i64,
        first: &str,
    ) -> QueryResult<Vec<SealedRow>> {
        let Self {
            table, name, id, ..
        } = self;
        let rest = self.rest.unwrap_or("''");
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
        &self,
        connection: &mut SqliteConnection,
        values: Vec<Replacement>,
    ) -> Result<u64, CommitError> {
        let Self { table, name, .. } = self;
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
}

/// Implements [`oncharge_ports::Maintenance::reseal`].
pub(crate) async fn reseal(store: &SqliteStore) -> Result<u64, StoreError> {
    let first = store.sealer().first()?.to_owned();
    let mut count = 0_u64;
    for sealed in &SEALED_COLUMNS {
        let mut after = i64::MIN;
        loop {
            let found = store.read(|connection| {
                let page = sealed.page(connection, after, &first);
                page.map_err(error::store)
            })?;
            let Some(last) = found.last() else { break };
            after = last.number;
            let values = reseal_values(store, sealed, found, &first)?;
            if values.is_empty() {
                // Reads block this thread: yield, so that other tasks can run.
                tokio::task::yield_now().await;
                continue;
            }
            let replaced = store.write(Priority::Worker, move |connection| {
                sealed.replace(connection, values)
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
    first: &str,
) -> Result<Vec<Replacement>, StoreError> {
    let mut values = Vec::new();
    for row in found {
        let (Some(bytes), Some(key_id)) = (row.bytes, row.key_id) else {
            continue;
        };
        if key_id == first {
            continue;
        }
        store.sealer().require(&key_id)?;
        let bound_to = row_bytes(&row.id, &row.rest);
        let place = SealContext {
            table: sealed.table,
            column: sealed.name,
            row: &bound_to,
        };
        let columns = SealedColumns {
            bytes: bytes.clone(),
            key_id,
        };
        let after = store.sealer().open(place, columns, |plain| {
            store.sealer().seal(place, plain).ok()
        });
        values.push(Replacement {
            number: row.number,
            before: bytes,
            after: RowReader::of(sealed.table, &bound_to).require(sealed.name, after)?,
        });
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::SEALED_COLUMNS;

    /// Every sealed column has its key's id in a column of the same name with `_key_id`.
    #[test]
    fn every_sealed_column_of_the_schema_is_resealed() {
        let schema = include_str!("../../../migrations/sqlite/0001_initial/up.sql");
        let (mut table, mut columns) = ("", BTreeSet::new());
        for line in schema.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["CREATE", "TABLE", name, ..] => table = name,
                [name, kind, ..] if ["TEXT", "BLOB"].contains(&kind.trim_end_matches(',')) => {
                    columns.insert((table, *name));
                }
                _ => {}
            }
        }
        let sealed: BTreeSet<_> = columns
            .iter()
            .filter_map(|(table, name)| Some((*table, name.strip_suffix("_key_id")?)))
            .filter(|column| columns.contains(column))
            .collect();
        let listed: BTreeSet<_> = SEALED_COLUMNS
            .iter()
            .map(|sealed| (sealed.table, sealed.name))
            .collect();
        assert!(sealed.len() >= 6, "{sealed:?}");
        assert_eq!(sealed, listed);
    }
}
