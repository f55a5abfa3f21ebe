//! Queries of the embedded file and of PostgreSQL databases.

use std::path::Path;

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text,
};
use tokio_postgres::{NoTls, SimpleQueryMessage};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    line: String,
}

/// The column `line` of a query's rows, from a SQLite file that another process may have open.
pub(crate) async fn query_file(file: &Path, sql: &str) -> Vec<String> {
    let (file, sql) = (file.to_str().unwrap().to_owned(), sql.to_owned());
    let rows = tokio::task::spawn_blocking(move || {
        let mut connection = SqliteConnection::establish(&file).unwrap();
        sql_query("PRAGMA busy_timeout = 5000")
            .execute(&mut connection)
            .unwrap();
        sql_query(sql).load::<Row>(&mut connection).unwrap()
    });
    let rows = rows.await.unwrap();
    rows.into_iter().map(|row| row.line).collect()
}

/// The first column of a query's rows, from the PostgreSQL database at this URL.
pub(crate) async fn query_postgres(url: &str, sql: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("PostgreSQL");
    tokio::spawn(connection);
    let found = client.simple_query(sql).await.expect(sql);
    let text = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    };
    found.iter().filter_map(text).collect()
}

/// The URL of the PostgreSQL server's maintenance database.
pub(crate) fn postgres_url() -> String {
    std::env::var("ONCHARGE_TEST_POSTGRES_URL").expect(
        "ONCHARGE_TEST_POSTGRES_URL is not set: run scripts/test, or `just postgres` and export \
         what it prints",
    )
}

/// Creates an empty PostgreSQL database; returns its URL.
pub(crate) async fn create_postgres(name: &str) -> String {
    let admin = postgres_url();
    // An earlier process with the same id may have left one.
    query_postgres(&admin, &format!("DROP DATABASE IF EXISTS {name}")).await;
    query_postgres(&admin, &format!("CREATE DATABASE {name}")).await;
    let (server, _) = admin.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{name}")
}
