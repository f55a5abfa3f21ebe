//! Health check and clean-up of the store.

use async_trait::async_trait;
use diesel::prelude::*;
use oncharge_ports::{
    Maintenance, StoreError,
    maintenance::{DeletedRows, ExpiringRows, TimeRange},
};

use crate::{clean_up, error, reseal, store::SqliteStore};

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
