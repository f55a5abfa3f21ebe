//! Health check and clean-up of the store.

use async_trait::async_trait;
use diesel::{dsl::select, prelude::*, sql_types::Integer};
use oncharge_ports::{
    Maintenance, StoreError,
    maintenance::{DeletedRows, ExpiringRows, TimeRange},
};

use crate::{clean_up, reseal, store::PostgresStore};

#[async_trait]
impl Maintenance for PostgresStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let response: Vec<i32> = self.read(select(1.into_sql::<Integer>())).await?;
        if response == [1] {
            Ok(())
        } else {
            Err(StoreError::Failed("the database returned no count".into()))
        }
    }

    async fn reseal(&self) -> Result<u64, StoreError> {
        reseal::reseal(self).await
    }

    async fn delete_expired(
        &self,
        rows: ExpiringRows,
        range: TimeRange,
        limit: u32,
    ) -> Result<DeletedRows, StoreError> {
        clean_up::delete_expired(self, rows, range, limit).await
    }
}
