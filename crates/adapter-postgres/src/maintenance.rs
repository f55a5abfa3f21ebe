//! Care for the store: whether it answers, cleaning up.

use async_trait::async_trait;
use diesel::{dsl::select, prelude::*, sql_types::Integer};
use oncharge_ports::{Maintenance, StoreError, maintenance::Old};

use crate::{clean_up, reseal, store::PostgresStore};

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

    async fn reseal(&self) -> Result<u64, StoreError> {
        reseal::reseal(self).await
    }

    async fn clean_up(&self, old: &Old, limit: u32) -> Result<u64, StoreError> {
        clean_up::clean_up(self, old, limit).await
    }
}
