//! The two databases: the embedded file, and a PostgreSQL database per test.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    line: String,
}

/// The column `line` of a query's rows, from a SQLite file that another process may have open.
pub(crate) fn query_file(file: &Path, sql: &str) -> Vec<String> {
    let mut connection = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    sql_query("PRAGMA busy_timeout = 5000")
        .execute(&mut connection)
        .unwrap();
    let rows: Vec<Row> = sql_query(sql).load(&mut connection).unwrap();
    rows.into_iter().map(|row| row.line).collect()
}

/// The database of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// Defines two tests: on the embedded file and on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(crate::support::Database::Sqlite).await }
        )* }
        mod on_postgres { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(crate::support::Database::Postgres).await }
        )* }
    };
}
pub(crate) use on_both;

impl Database {
    /// The URL of a new, empty database; `None` for the embedded file.
    pub(crate) async fn fresh(self) -> Option<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if self == Self::Sqlite {
            return None;
        }
        let admin = std::env::var("ONCHARGE_TEST_POSTGRES_URL").expect(
            "ONCHARGE_TEST_POSTGRES_URL is not set: run scripts/test, or `just postgres` and \
             export what it prints",
        );
        let (client, connection) = tokio_postgres::connect(&admin, tokio_postgres::NoTls)
            .await
            .expect("PostgreSQL");
        tokio::spawn(connection);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oncharge_it_{}_{count}", std::process::id());
        client
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .expect("a new database");
        let (server, _) = admin.rsplit_once('/').expect("a URL with a database");
        Some(format!("{server}/{name}"))
    }
}
