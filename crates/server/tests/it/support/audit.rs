//! The audit log, which no API exposes: read from the database.

use std::path::Path;

use crate::shared::database::{query_file, query_postgres};

const ACTIONS: &str = "SELECT action AS line FROM audit_log ORDER BY number";

/// The actions so far, in order, from PostgreSQL at this URL or from the embedded file.
pub(crate) async fn actions(database_url: Option<&str>, file: &Path) -> Vec<String> {
    match database_url {
        Some(url) => query_postgres(url, ACTIONS).await,
        None => query_file(file, ACTIONS).await,
    }
}
