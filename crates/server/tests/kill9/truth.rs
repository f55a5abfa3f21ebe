//! What the databases themselves say: of work that is open, of gaps, of notifications on their way.

use std::path::{Path, PathBuf};

use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types};
use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// Where a test keeps its data, and the way to look into it.
pub(crate) struct Truth {
    /// The directory of everything that is written.
    pub(crate) dir: TempDir,
    postgres: Option<Postgres>,
}

struct Postgres {
    admin: String,
    name: String,
    /// The database of this test.
    url: String,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Text)]
    line: String,
}

impl Truth {
    /// An embedded file in a directory of its own.
    pub(crate) fn embedded() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            postgres: None,
        }
    }

    /// A new database on the cluster of the tests.
    pub(crate) async fn postgres() -> Self {
        let admin = std::env::var("ONCHARGE_TEST_POSTGRES_URL").expect(
            "ONCHARGE_TEST_POSTGRES_URL is not set: run scripts/test, or `just postgres` and \
             export what it prints",
        );
        let name = format!("oncharge_kill9_{}", std::process::id());
        let (server, _) = admin.rsplit_once('/').expect("a URL with a database");
        let url = format!("{server}/{name}");
        execute(&admin, &format!("CREATE DATABASE {name}")).await;
        Self {
            dir: TempDir::new().unwrap(),
            postgres: Some(Postgres { admin, name, url }),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.postgres.is_some()
    }

    /// The URL of the PostgreSQL database, if it is one.
    pub(crate) fn url(&self) -> Option<&str> {
        self.postgres.as_ref().map(|postgres| postgres.url.as_str())
    }

    /// Drops the PostgreSQL database.
    pub(crate) async fn drop_database(&self) {
        if let Some(Postgres { admin, name, .. }) = &self.postgres {
            execute(admin, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    /// The simulator's file.
    pub(crate) fn simulator_file(&self) -> PathBuf {
        self.dir.path().join("simulator.db")
    }

    /// The directory of the embedded file.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The one text column of what a query finds, in either database's words.
    async fn ask(&self, sql: &str) -> Vec<String> {
        if let Some(Postgres { url, .. }) = &self.postgres {
            return execute(url, sql).await;
        }
        ask_file(&self.data_dir().join("oncharge.db"), sql).await
    }

    /// The id in this column as the API writes it, without its prefix.
    fn id(&self, column: &str) -> String {
        if self.is_postgres() {
            format!("replace({column}::text, '-', '')")
        } else {
            format!("lower(hex({column}))")
        }
    }

    /// Everything that has not come to its end: operations, sessions that wait for the clock or the
    /// shopper, requests without an answer, and notifications that nobody has taken yet.
    pub(crate) async fn open(&self) -> Vec<String> {
        let (operation, session) = (self.id("id"), self.id("session_id"));
        let mut open = self
            .ask(&format!(
                "SELECT 'operation op_' || {operation} || ': ' || kind || ', ' || sending || ', '
                     || tries || ' tries, of cs_' || {session} AS line
                 FROM operations WHERE status = 'requested'"
            ))
            .await;
        let waiting = format!(
            "SELECT 'session cs_' || {operation} || ' waits, ' || status AS line
             FROM sessions WHERE due_at IS NOT NULL OR status = 'pending'"
        );
        open.extend(self.ask(&waiting).await);
        let unanswered = "SELECT 'the key ' || key || ' has no answer' AS line
                          FROM idempotency_keys WHERE answered_at IS NULL";
        open.extend(self.ask(unanswered).await);
        let undelivered = "SELECT 'notification, ' || tries || ' tries: ' || body AS line
                           FROM notifications WHERE delivered_at IS NULL";
        open.extend(ask_file(&self.simulator_file(), undelivered).await);
        open
    }

    /// Sessions whose events are not numbered from 1 without gaps.
    pub(crate) async fn gaps(&self) -> Vec<String> {
        let session = self.id("id");
        let of = "FROM events WHERE events.session_id = sessions.id";
        let query = format!(
            "SELECT 'the events of cs_' || {session} || ' have a gap before '
                 || next_sequence AS line
             FROM sessions WHERE next_sequence - 1 <> (SELECT count(*) {of})
                 OR next_sequence - 1 <> (SELECT coalesce(max(sequence), 0) {of})"
        );
        self.ask(&query).await
    }

    /// Sessions under whose id the PSP has moved money.
    pub(crate) async fn paid_sessions(&self) -> Vec<String> {
        let query = "SELECT DISTINCT reference AS line FROM ledger";
        ask_file(&self.simulator_file(), query).await
    }

    /// The ids of all sessions.
    pub(crate) async fn sessions(&self) -> Vec<String> {
        let session = self.id("id");
        let query = format!("SELECT 'cs_' || {session} AS line FROM sessions");
        self.ask(&query).await
    }

    /// How many operations of each kind came to which end.
    pub(crate) async fn operations(&self) -> String {
        let query = "SELECT kind || ' ' || status || ' ' || count(*) AS line
                     FROM operations GROUP BY kind, status ORDER BY kind, status";
        let counts = self.ask(query).await;
        format!("operations: {}", counts.join(", "))
    }
}

async fn ask_file(file: &Path, sql: &str) -> Vec<String> {
    let (file, sql) = (file.to_str().unwrap().to_owned(), sql.to_owned());
    let asked = tokio::task::spawn_blocking(move || {
        let mut connection = SqliteConnection::establish(&file).unwrap();
        sql_query("PRAGMA busy_timeout = 5000")
            .execute(&mut connection)
            .unwrap();
        sql_query(sql).load::<Row>(&mut connection).unwrap()
    });
    let rows = asked.await.unwrap();
    rows.into_iter().map(|row| row.line).collect()
}

async fn execute(url: &str, sql: &str) -> Vec<String> {
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
