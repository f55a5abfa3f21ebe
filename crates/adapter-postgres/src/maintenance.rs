//! Care for the store: whether it answers, whether the keys fit, sealing under a new key, cleaning
//! up.

use async_trait::async_trait;
use diesel::{
    dsl::select,
    prelude::*,
    sql_query,
    sql_types::{Bytea, Integer, Text},
};
use oncharge_ports::{Maintenance, StoreError, maintenance::Old};

use crate::{
    clean_up,
    seal::{
        BODY, CONTACT_EMAIL, CONTACT_PHONE, Column, NOTIFICATION, REQUEST, SIGNING_KEY,
        SealedColumns,
    },
    store::PostgresStore,
};

/// How many values are read at once while sealing again.
const PAGE: usize = 200;

/// Every column that holds sealed values, and what a value's row is bound to, as SQL.
const SEALED: [(Column, &str); 6] = [
    (SIGNING_KEY, "uuid_send(id)"),
    (CONTACT_EMAIL, "uuid_send(session_id)"),
    (CONTACT_PHONE, "uuid_send(session_id)"),
    (REQUEST, "uuid_send(id)"),
    (BODY, "uuid_send(merchant_id) || convert_to(key, 'UTF8')"),
    (NOTIFICATION, "uuid_send(id)"),
];

/// The physical place before the first row.
const BEGINNING: &str = "(0,0)";

#[derive(QueryableByName)]
struct Value {
    /// Where the row lies: the quickest way back to it, for as long as nobody changes it.
    #[diesel(sql_type = Text)]
    place: String,
    #[diesel(sql_type = Bytea)]
    bound_to: Vec<u8>,
    #[diesel(sql_type = Bytea)]
    bytes: Vec<u8>,
    #[diesel(sql_type = Text)]
    key_id: String,
}

impl Value {
    fn columns(&self) -> SealedColumns {
        SealedColumns {
            bytes: self.bytes.clone(),
            key_id: self.key_id.clone(),
        }
    }
}

#[async_trait]
impl Maintenance for PostgresStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let answer: Vec<i32> = self.read(select(1.into_sql::<Integer>())).await?;
        if answer == [1] {
            Ok(())
        } else {
            Err(StoreError::Failed("the database does not count".into()))
        }
    }

    async fn keys_fit(&self) -> Result<bool, StoreError> {
        for (column, row) in SEALED {
            // No key is named "", so these are any values.
            let values = self.values((column, row), "", BEGINNING, 1).await?;
            let opens = |value: &Value| {
                let opened = self.sealer.open(column, &value.bound_to, value.columns());
                opened.is_ok()
            };
            if !values.iter().all(opens) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn reseal(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        for (column, row) in SEALED {
            // Until one pass finds nothing: rows move while they are changed.
            loop {
                let passed = self.reseal_pass(column, row).await?;
                if passed == 0 {
                    break;
                }
                count += passed;
            }
        }
        Ok(count)
    }

    async fn clean_up(&self, old: &Old, limit: u32) -> Result<u64, StoreError> {
        clean_up::clean_up(self, old, limit).await
    }
}

impl PostgresStore {
    /// Some values of a column that are not under this key, in the order in which they lie.
    async fn values(
        &self,
        (column, row): (Column, &str),
        not_under: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Value>, StoreError> {
        let Column { table, name } = column;
        let query = format!(
            "SELECT ctid::text AS place, {row} AS bound_to, {name} AS bytes, {name}_key_id AS key_id \
             FROM {table} WHERE {name}_key_id <> $1 AND ctid > $2::tid LIMIT {limit}"
        );
        let query = sql_query(query)
            .bind::<Text, _>(not_under.to_owned())
            .bind::<Text, _>(after.to_owned());
        self.read(query).await
    }

    /// Goes once through a column's values: how many were sealed again.
    async fn reseal_pass(&self, column: Column, row: &str) -> Result<u64, StoreError> {
        let first = self.sealer.first()?.to_owned();
        let (mut count, mut after) = (0, BEGINNING.to_owned());
        loop {
            let values = self.values((column, row), &first, &after, PAGE).await?;
            let Some(last) = values.last() else {
                return Ok(count);
            };
            after.clone_from(&last.place);
            for value in values {
                count += u64::from(self.reseal_value(column, value).await?);
            }
        }
    }

    /// Seals one value again, unless somebody has changed or deleted it meanwhile.
    async fn reseal_value(&self, column: Column, value: Value) -> Result<bool, StoreError> {
        let plain = self.sealer.open(column, &value.bound_to, value.columns())?;
        let sealed = self.sealer.seal(column, &value.bound_to, &plain)?;
        let Column { table, name } = column;
        let statement = format!(
            "UPDATE {table} SET {name} = $1, {name}_key_id = $2 \
             WHERE ctid = $3::tid AND {name} = $4"
        );
        let statement = sql_query(statement)
            .bind::<Bytea, _>(sealed.bytes)
            .bind::<Text, _>(sealed.key_id)
            .bind::<Text, _>(value.place)
            .bind::<Bytea, _>(value.bytes);
        Ok(self.write(statement).await? == 1)
    }
}
