//! The audit log, which no API shows: read where it is kept.

use std::path::Path;

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text,
};

const ACTIONS: &str = "SELECT action FROM audit_log ORDER BY number";

#[derive(QueryableByName)]
struct Entry {
    #[diesel(sql_type = Text)]
    action: String,
}

/// What was entered so far, in order: on the PostgreSQL of this URL, or in the embedded file.
pub(crate) async fn actions(database_url: Option<&str>, file: &Path) -> Vec<String> {
    let Some(url) = database_url else {
        let mut connection = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
        sql_query("PRAGMA busy_timeout = 5000")
            .execute(&mut connection)
            .unwrap();
        let entries: Vec<Entry> = sql_query(ACTIONS).load(&mut connection).unwrap();
        return entries.into_iter().map(|entry| entry.action).collect();
    };
    let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
    let (client, connection) = connected.expect("PostgreSQL");
    tokio::spawn(connection);
    let rows = client.query(ACTIONS, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
