//! Seals every value again that is not under the first master key.
//!
//! Each table is scanned once by its primary key, in pages of a limited number of rows, so that
//! statements are short and the scan ends whatever is written concurrently: values written after
//! the scan has begun are sealed under the first key of the process that writes them.

use diesel::{
    pg::Pg,
    prelude::*,
    query_builder::QueryFragment,
    sql_query,
    sql_types::{Array, Bytea, Nullable, Text},
};
use oncharge_ports::StoreError;
use oncharge_store_rows::{
    seal::{Column, SealedColumns},
    sealed_columns::{SEALED_COLUMNS, SealedColumn},
    sql_types::Id,
};
use uuid::Uuid;

use crate::{batch::Batch, error::conversion_error, store::PostgresStore};

/// Rows per read.
const PAGE: usize = 200;

/// Values per write: a write locks its rows and costs far more than a read.
const BATCH: usize = 50;

/// A row of a page: one whose value is sealed under another key, or the page's last row.
#[derive(QueryableByName)]
struct SealedRow {
    #[diesel(sql_type = Id)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    rest: String,
    #[diesel(sql_type = Nullable<Bytea>)]
    bytes: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Text>)]
    key_id: Option<String>,
}

/// A new value, and the value that it replaces.
struct Replacement {
    id: Uuid,
    rest: String,
    before: Vec<u8>,
    after: Vec<u8>,
}

/// Reads the page after the primary key ($1, $2): values not sealed under the key $3, and the
/// last row.
fn page_query(sealed: &SealedColumn) -> String {
    let Column { table, name } = sealed.column;
    let id = sealed.id;
    let (rest, key, after) = match sealed.rest {
        None => ("''", id.to_owned(), format!("{id} > $1")),
        Some(rest) => {
            let key = format!("{id}, {rest}");
            (rest, key.clone(), format!("({key}) > ($1, $2)"))
        }
    };
    format!(
        "SELECT id, rest, bytes, key_id FROM (\
         SELECT *, lead(id) OVER (ORDER BY id, rest) IS NULL AS is_last FROM (\
         SELECT {id} AS id, {rest} AS rest, {name} AS bytes, {name}_key_id AS key_id \
         FROM {table} WHERE {after} ORDER BY {key} LIMIT {PAGE}) AS page) AS numbered \
         WHERE is_last OR key_id <> $3 ORDER BY id, rest"
    )
}

/// Replaces the values that have not changed since they were read.
fn replace_query(sealed: &SealedColumn) -> String {
    let (Column { table, name }, id) = (sealed.column, sealed.id);
    let rest = sealed.rest.map_or_else(String::new, |rest| {
        format!(" AND {table}.{rest} = value.rest")
    });
    format!(
        "UPDATE {table} SET {name} = value.after, {name}_key_id = $1 \
         FROM unnest($2, $3, $4, $5) AS value (id, rest, before, after) \
         WHERE {table}.{id} = value.id{rest} AND {table}.{name} = value.before"
    )
}

/// Implements [`oncharge_ports::Maintenance::reseal`].
pub(crate) async fn reseal(store: &PostgresStore) -> Result<u64, StoreError> {
    let first = store.sealer.first()?.to_owned();
    let mut count = 0_u64;
    for sealed in &SEALED_COLUMNS {
        let query = page_query(sealed);
        let (mut id, mut rest) = (Uuid::nil(), String::new());
        loop {
            let page = sql_query(&query)
                .bind::<Id, _>(id)
                .bind::<Text, _>(rest.clone())
                .bind::<Text, _>(first.clone());
            let found: Vec<SealedRow> = store.read(page).await?;
            let Some(last) = found.last() else { break };
            (id, rest) = (last.id, last.rest.clone());
            let values = reseal_values(store, sealed, found)?;
            for batch in values.chunks(BATCH) {
                count = count.saturating_add(replace(store, sealed, batch, &first).await?);
            }
        }
    }
    Ok(count)
}

fn reseal_values(
    store: &PostgresStore,
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
        let Some(after) = store.sealer.reseal(sealed.column, &bound_to, columns)? else {
            continue;
        };
        values.push(Replacement {
            id: row.id,
            rest: row.rest,
            before: bytes,
            after: after.bytes,
        });
    }
    Ok(values)
}

/// Writes a batch at once, or value by value if a unit of work holds one of its rows.
async fn replace(
    store: &PostgresStore,
    sealed: &SealedColumn,
    values: &[Replacement],
    first: &str,
) -> Result<u64, StoreError> {
    let query = replace_query(sealed);
    let pooled = store.pool.get().await?;
    let mut batch = Batch::<()>::new(&pooled);
    // A unit of work may hold some rows of a batch and wait for another: this statement times out
    // before that becomes a deadlock, which could abort the unit.
    batch.add(sql_query("SET LOCAL lock_timeout = '100ms'"));
    batch.add(replacing(&query, values, first));
    if let Ok(replaced) = batch.commit_and_count().await {
        return u64::try_from(replaced).map_err(conversion_error);
    }
    drop(pooled);
    let mut replaced = 0;
    for value in values {
        let one = replacing(&query, std::slice::from_ref(value), first);
        replaced += store.write(one).await?;
    }
    u64::try_from(replaced).map_err(conversion_error)
}

fn replacing(
    query: &str,
    values: &[Replacement],
    first: &str,
) -> impl QueryFragment<Pg> + Send + use<> {
    let ids: Vec<Uuid> = values.iter().map(|value| value.id).collect();
    let rests: Vec<String> = values.iter().map(|value| value.rest.clone()).collect();
    let before: Vec<Vec<u8>> = values.iter().map(|value| value.before.clone()).collect();
    let after: Vec<Vec<u8>> = values.iter().map(|value| value.after.clone()).collect();
    sql_query(query)
        .bind::<Text, _>(first.to_owned())
        .bind::<Array<Id>, _>(ids)
        .bind::<Array<Text>, _>(rests)
        .bind::<Array<Bytea>, _>(before)
        .bind::<Array<Bytea>, _>(after)
}
