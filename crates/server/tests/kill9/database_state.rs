//! Checks on the databases: open work, gaps in numbers, inbox and outbox.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use futures_util::TryStreamExt;
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::shared::database::{create_postgres, postgres_url, query_file, query_postgres};

/// The database and data directory of a test.
pub(crate) struct DatabaseState {
    /// The directory of all files of the test.
    pub(crate) dir: TempDir,
    postgres: Option<Postgres>,
}

struct Postgres {
    name: String,
    /// The database of this test.
    url: String,
}

impl DatabaseState {
    /// An embedded file in a directory of its own.
    pub(crate) fn embedded() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            postgres: None,
        }
    }

    /// A new database on the cluster of the tests.
    pub(crate) async fn postgres() -> Self {
        let name = format!("oncharge_kill9_{}", std::process::id());
        let url = create_postgres(&name).await;
        Self {
            dir: TempDir::new().unwrap(),
            postgres: Some(Postgres { name, url }),
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
        if let Some(Postgres { name, .. }) = &self.postgres {
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            query_postgres(&postgres_url(), &drop).await;
        }
    }

    /// The simulator's file.
    pub(crate) fn simulator_file(&self) -> PathBuf {
        self.dir.path().join("simulator.db")
    }

    /// The tested `oncharge`: a copy, so that a rebuild during the test has no effect.
    pub(crate) fn program(&self) -> PathBuf {
        let program = self.dir.path().join("oncharge");
        if !program.exists() {
            let built = Path::new(env!("CARGO_BIN_EXE_oncharge"));
            let linked = std::fs::hard_link(built, &program);
            linked
                .or_else(|_| std::fs::copy(built, &program).map(drop))
                .unwrap();
        }
        program
    }

    /// The working directory of a node.
    pub(crate) fn node_dir(&self, number: usize) -> PathBuf {
        self.dir.path().join(format!("node-{number}"))
    }

    /// The text column `line` of a query's rows, in the SQL of either database.
    async fn query_column(&self, sql: &str) -> Vec<String> {
        if let Some(Postgres { url, .. }) = &self.postgres {
            return query_postgres(url, sql).await;
        }
        query_file(&self.node_dir(0).join(".oncharge/oncharge.db"), sql).await
    }

    /// SQL for the id in this column as the API writes it, without its prefix.
    fn id(&self, column: &str) -> String {
        if self.is_postgres() {
            format!("replace({column}::text, '-', '')")
        } else {
            format!("lower(hex({column}))")
        }
    }

    /// All open work: operations, reversals and notifications that the PSP has still to execute or
    /// send, notifications in the inbox, operations, sessions waiting for the clock or the shopper,
    /// requests without a response, deliveries. Ordered by cause and effect, so that no item moves
    /// from a later query to an earlier one unseen.
    pub(crate) async fn open_work(&self) -> Vec<String> {
        let at_the_psp = "
            SELECT 'PSP ' || kind || ' ' || idempotency_key || ' is not over' AS line
            FROM operations WHERE due_at IS NOT NULL OR late_at IS NOT NULL
            UNION ALL SELECT 'PSP notification, ' || tries || ' tries: ' || body
            FROM notifications WHERE delivered_at IS NULL";
        let mut open_work = query_file(&self.simulator_file(), at_the_psp).await;
        let (id, session, event) = (self.id("id"), self.id("session_id"), self.id("event_id"));
        let ours = format!(
            "SELECT 'notification ntf_' || {id} || ' waits, ' || tries || ' tries' AS line
             FROM psp_notifications WHERE status = 'waiting'
             UNION ALL SELECT 'operation op_' || {id} || ': ' || kind || ', ' || sending || ', '
                 || tries || ' tries, of cs_' || {session}
             FROM operations WHERE status = 'requested'
             UNION ALL SELECT 'session cs_' || {id} || ' waits, ' || status
             FROM sessions WHERE due_at IS NOT NULL OR status = 'pending'
             UNION ALL SELECT 'the key ' || key || ' has no response'
             FROM idempotency_keys WHERE responded_at IS NULL
             UNION ALL SELECT 'delivery evt_' || {event} || ' waits, ' || failures || ' failures'
             FROM deliveries WHERE state = 'pending'"
        );
        open_work.extend(self.query_column(&ours).await);
        open_work
    }

    /// The sessions that these ids belong to, as ids without prefix.
    pub(crate) async fn sessions_of(&self, ids: &BTreeSet<&str>) -> BTreeSet<String> {
        let (id, session) = (self.id("id"), self.id("session_id"));
        let quoted: Vec<String> = ids
            .iter()
            .filter_map(|id| Some(format!("'{}'", id.split_once('_')?.1)))
            .collect();
        let wanted = format!("{id} IN ({})", quoted.join(","));
        let tables = ["operations", "refunds", "events", "psp_notifications"];
        let mut queries = vec![format!("SELECT {id} AS line FROM sessions WHERE {wanted}")];
        queries.extend(tables.map(|table| {
            format!("SELECT {session} FROM {table} WHERE {wanted} AND session_id IS NOT NULL")
        }));
        let found = self.query_column(&queries.join(" UNION ")).await;
        found.into_iter().collect()
    }

    /// The history of a session, here and at the PSP, in order of time.
    pub(crate) async fn history(&self, session: &str) -> Vec<String> {
        let id = self.id("id");
        let of_it = format!("WHERE {} = '{session}'", self.id("session_id"));
        let (created, received) = (self.time("created_at"), self.time("received_at"));
        let ours = format!(
            "SELECT {created} || ' session ' || status || ', version ' || version AS line
             FROM sessions WHERE {id} = '{session}'
             UNION ALL SELECT {created} || ' operation op_' || {id} || ' ' || kind || ' ' || amount
                 || ': ' || status || ', ' || sending || ', ' || coalesce(failure, 'no failure')
                 || ', last sent ' || {} || ', ' || tries || ' tries' FROM operations {of_it}
             UNION ALL SELECT {created} || ' event evt_' || {id} || ' ' || sequence || ' ' || kind
                 || ', ' || status FROM events {of_it}
             UNION ALL SELECT {received} || ' notification ntf_' || {id} || ' '
                 || coalesce(event_key, '') || ': ' || status FROM psp_notifications {of_it}
             UNION ALL SELECT {created} || ' audit ' || action || ' ' || detail
                 FROM audit_log {of_it}",
            self.time("last_sent_at"),
        );
        let at = sqlite_time("at");
        let created = sqlite_time("created_at");
        let theirs = format!(
            "SELECT {at} || ' PSP ledger ' || kind || ' ' || amount || ' by ' || idempotency_key
                 AS line FROM ledger WHERE reference = 'cs_{session}'
             UNION ALL SELECT coalesce({}, 'undelivered') || ' PSP notification ' || body
                 FROM notifications WHERE body LIKE '%cs_{session}%'
             UNION ALL SELECT {created} || ' PSP operation ' || kind || ' ' || o.idempotency_key
                 || ': answered ' || response || ', now ' || result || ' '
                 || coalesce(o.reason, '')
                 FROM operations o WHERE o.psp_reference IN (SELECT psp_reference FROM ledger
                     WHERE reference = 'cs_{session}')",
            sqlite_time("delivered_at"),
        );
        let mut lines = self.query_column(&ours).await;
        lines.extend(query_file(&self.simulator_file(), &theirs).await);
        lines.sort();
        lines
    }

    /// SQL for a time as text in UTC, for either database.
    fn time(&self, column: &str) -> String {
        if self.is_postgres() {
            format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')")
        } else {
            sqlite_time(column)
        }
    }

    /// Writes each table of a PostgreSQL database as a CSV file, because the cluster ends with the
    /// test.
    pub(crate) async fn export_tables(&self, directory: &Path) {
        let Some(url) = self.url() else { return };
        let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        for table in query_postgres(url, tables).await {
            let copy = format!("COPY {table} TO STDOUT (FORMAT csv, HEADER)");
            let rows = client.copy_out(&copy).await.unwrap();
            let rows: Vec<_> = rows.try_collect().await.unwrap();
            std::fs::write(directory.join(format!("{table}.csv")), rows.concat()).unwrap();
        }
    }

    /// Problems of the inbox: notifications that were not handled, or that the PSP has sent and
    /// that are not stored exactly once.
    pub(crate) async fn inbox_problems(&self) -> Vec<String> {
        let id = self.id("id");
        let unhandled = format!(
            "SELECT 'notification ntf_' || {id} || ' is ' || status AS line
             FROM psp_notifications WHERE status <> 'handled'"
        );
        let mut problems = self.query_column(&unhandled).await;
        let kept = self.number("SELECT count(*) FROM psp_notifications").await;
        let sent =
            "SELECT CAST(count(DISTINCT notification_id) AS TEXT) AS line FROM notifications";
        let sent = query_file(&self.simulator_file(), sent).await;
        if sent != [kept.to_string()] {
            problems.push(format!(
                "the PSP sent {sent:?} notifications, and {kept} are stored"
            ));
        }
        problems
    }

    /// Number of notifications sent more than once so far.
    async fn duplicate_notifications(&self) -> u64 {
        let duplicate_notifications =
            "SELECT CAST(count(*) - count(DISTINCT notification_id) AS TEXT) AS line
                      FROM notifications";
        let found = query_file(&self.simulator_file(), duplicate_notifications).await;
        found[0].parse().unwrap()
    }

    /// Dead deliveries: event and merchant, without their prefixes.
    pub(crate) async fn dead(&self) -> Vec<(String, String)> {
        let (event, merchant) = (self.id("event_id"), self.id("merchant_id"));
        let query = format!(
            "SELECT {event} || ' ' || {merchant} AS line FROM deliveries WHERE state = 'dead'"
        );
        let dead = self.query_column(&query).await.into_iter();
        let pairs = dead.map(|line| line.split_once(' ').map(|(e, m)| (e.into(), m.into())));
        pairs.map(Option::unwrap).collect()
    }

    /// Events without a delivery, although the endpoint was never removed.
    pub(crate) async fn without_delivery(&self) -> Vec<String> {
        let id = self.id("id");
        let query = format!(
            "SELECT 'the event evt_' || {id} || ' has no delivery' AS line FROM events
             WHERE id NOT IN (SELECT event_id FROM deliveries)"
        );
        self.query_column(&query).await
    }

    /// The throughput of inbox and outbox so far, as text.
    pub(crate) async fn statistics(&self) -> String {
        let kept = self.number("SELECT count(*) FROM psp_notifications").await;
        let events = self.number("SELECT count(*) FROM events").await;
        let delivered = "SELECT count(*) FROM deliveries WHERE state = 'delivered'";
        let delivered = self.number(delivered).await;
        let attempts = self.number("SELECT count(*) FROM delivery_attempts").await;
        format!(
            "{kept} notifications stored, {} sent again by the PSP; {events} events, {delivered} \
             delivered in {attempts} attempts",
            self.duplicate_notifications().await
        )
    }

    async fn number(&self, sql: &str) -> u64 {
        let query = format!("SELECT CAST(({sql}) AS TEXT) AS line");
        self.query_column(&query).await[0].parse().unwrap()
    }

    /// Sessions whose events are not numbered from 1 without gaps.
    pub(crate) async fn sequence_gaps(&self) -> Vec<String> {
        let session = self.id("id");
        let of = "FROM events WHERE events.session_id = sessions.id";
        let query = format!(
            "SELECT 'the events of cs_' || {session} || ' have a gap before '
                 || next_sequence AS line
             FROM sessions WHERE next_sequence - 1 <> (SELECT count(*) {of})
                 OR next_sequence - 1 <> (SELECT coalesce(max(sequence), 0) {of})"
        );
        self.query_column(&query).await
    }

    /// Sessions that appear in the PSP's ledger.
    pub(crate) async fn paid_sessions(&self) -> Vec<String> {
        let query = "SELECT DISTINCT reference AS line FROM ledger";
        query_file(&self.simulator_file(), query).await
    }

    /// The ids of all sessions.
    pub(crate) async fn sessions(&self) -> Vec<String> {
        let session = self.id("id");
        let query = format!("SELECT 'cs_' || {session} AS line FROM sessions");
        self.query_column(&query).await
    }

    /// Number of operations by kind and status.
    pub(crate) async fn operations(&self) -> String {
        let query = "SELECT kind || ' ' || status || ' ' || count(*) AS line
                     FROM operations GROUP BY kind, status ORDER BY kind, status";
        let counts = self.query_column(query).await;
        format!("operations: {}", counts.join(", "))
    }
}

/// SQL for a time that SQLite stores in microseconds, as text.
fn sqlite_time(column: &str) -> String {
    format!(
        "strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000000, 'unixepoch')
         || printf('.%06d', {column} % 1000000)"
    )
}
