//! The audit log, which no API exposes: read from the database.

use std::path::Path;

use super::database::query_file;

const ACTIONS: &str = "SELECT action AS line FROM audit_log ORDER BY number";

/// The actions so far, in order, from PostgreSQL at this URL or from the embedded file.
pub(crate) async fn actions(database_url: Option<&str>, file: &Path) -> Vec<String> {
    let Some(url) = database_url else {
        return query_file(file, ACTIONS);
    };
    let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
    let (client, connection) = connected.expect("PostgreSQL");
    tokio::spawn(connection);
    let rows = client.query(ACTIONS, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
