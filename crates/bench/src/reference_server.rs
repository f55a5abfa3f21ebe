//! The reference for acknowledging a notification: a server that checks the same signature, inserts
//! the same bytes as one row, and responds.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    web::{self, Bytes, Data},
};
use anyhow::Context;
use diesel::{
    Connection as _, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _,
    sql_query, sql_types::Binary,
};
use ring::hmac;
use tokio::sync::oneshot;
use tokio_postgres::{Client, NoTls, Statement};

use crate::{
    app::{NOTIFICATION_KEY, POOL},
    database::Database,
};

/// The header with the hex HMAC-SHA256 of the body.
pub(crate) const SIGNATURE: &str = "x-psp-signature";

/// Time limit for acquiring SQLite's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The running server.
pub(crate) struct ReferenceServer {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
}

impl ReferenceServer {
    /// Serves on a free port; its rows are in a separate table of this database.
    #[expect(clippy::disallowed_methods, reason = "ended by `stop`")]
    pub(crate) async fn start(database: &Database, threads: usize) -> anyhow::Result<Self> {
        let rows = Data::new(match database {
            Database::Sqlite(file) => Rows::Sqlite(writer(file.to_str().context("a path")?)?),
            Database::Postgres(url) => Rows::Postgres(Clients::connect(url).await?),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let server = HttpServer::new(move || {
            App::new()
                .app_data(rows.clone())
                .app_data(Data::new(key()))
                .default_service(web::to(insert))
        });
        let server = server.workers(threads).disable_signals();
        let server = server.listen(listener)?.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { address, handle })
    }

    pub(crate) async fn stop(self) {
        self.handle.stop(false).await;
    }
}

/// The key that signs notifications.
pub(crate) fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, NOTIFICATION_KEY.as_bytes())
}

async fn insert(
    key: Data<hmac::Key>,
    rows: Data<Rows>,
    request: HttpRequest,
    body: Bytes,
) -> HttpResponse {
    let signature = request.headers().get(SIGNATURE);
    let tag = signature.and_then(|value| hex::decode(value.as_bytes()).ok());
    if tag.is_none_or(|tag| hmac::verify(&key, &body, &tag).is_err()) {
        return HttpResponse::Unauthorized().finish();
    }
    match rows.insert(body).await {
        Ok(()) => HttpResponse::Ok().body("[accepted]"),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

/// The storage of the rows.
enum Rows {
    /// A single writer thread, as in the service's store: SQLite permits one writer at a time
    /// anyway.
    Sqlite(mpsc::Sender<Insert>),
    Postgres(Clients),
}

/// A row, and the channel for its result once it is durable.
struct Insert {
    body: Bytes,
    reply: oneshot::Sender<Result<usize, diesel::result::Error>>,
}

impl Rows {
    async fn insert(&self, body: Bytes) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(writer) => {
                let (reply, done) = oneshot::channel();
                writer.send(Insert { body, reply })?;
                done.await??;
            }
            Self::Postgres(clients) => clients.insert(&body).await?,
        }
        Ok(())
    }
}

fn writer(file: &str) -> anyhow::Result<mpsc::Sender<Insert>> {
    let mut connection = SqliteConnection::establish(file)?;
    connection.batch_execute(&format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE bench_rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
        BUSY_TIMEOUT.as_millis()
    ))?;
    let (writer, rows) = mpsc::channel::<Insert>();
    thread::Builder::new()
        .name("reference-writer".to_owned())
        .spawn(move || {
            while let Ok(Insert { body, reply }) = rows.recv() {
                let row = sql_query("INSERT INTO bench_rows (body) VALUES (?)");
                let row = row.bind::<Binary, _>(body.as_ref());
                // The receiver is gone when a load has ended.
                let _ = reply.send(row.execute(&mut connection));
            }
        })?;
    Ok(writer)
}

/// As many connections as the service's store has.
struct Clients {
    clients: Vec<(Client, Statement)>,
    next: AtomicUsize,
}

impl Clients {
    #[expect(clippy::disallowed_methods, reason = "ends with its client")]
    async fn connect(url: &str) -> anyhow::Result<Self> {
        let mut clients = Vec::with_capacity(POOL);
        for _ in 0..POOL {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            client
                .batch_execute(
                    "CREATE TABLE IF NOT EXISTS bench_rows (
                         id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)",
                )
                .await?;
            let statement = client.prepare("INSERT INTO bench_rows (body) VALUES ($1)");
            let statement = statement.await?;
            clients.push((client, statement));
        }
        Ok(Self {
            clients,
            next: AtomicUsize::new(0),
        })
    }

    async fn insert(&self, body: &[u8]) -> anyhow::Result<()> {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.clients.len();
        let (client, statement) = self.clients.get(at).context("a client")?;
        client.execute(statement, &[&body]).await?;
        Ok(())
    }
}
