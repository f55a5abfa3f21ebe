//! Merchants whose servers hang hold nobody else's events up: the real worker, the real sender and
//! the real stores, in this very process, since it takes a hundred merchants.

use std::{
    collections::HashSet,
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use oncharge_adapter_http::JsonPresenter;
use oncharge_adapter_postgres::PostgresStore;
use oncharge_adapter_sqlite::SqliteStore;
use oncharge_adapter_webhook::HttpSender;
use oncharge_application::{App, Dependencies, Settings, workers::runner};
use oncharge_domain::{
    audit::AuditAction, keyring::Keyring, merchant::Merchant, session::EventKind,
};
use oncharge_ports::{
    BlocklistRepository, CheckoutRepository, Inbox, KeyRegistry, Maintenance, MerchantRepository,
    Oversight, WebhookRepository, WorkQueue,
};
use oncharge_testkit::{Builder, FakeClock, ScriptedPsp, SeededEntropy, build::endpoint_url};

use crate::support::{Database, eventually, on_both};

on_both!(the_others_have_theirs_while_some_hang);

/// Merchants that answer at once, and what each is told.
const QUICK: usize = 60;
const EVENTS: usize = 5;
/// Merchants that accept and never answer: more deliveries than the fast lane holds.
const HANGING: usize = 40;
/// What the others may wait beyond twice their time: for a second hanging attempts count as quick,
/// and this machine may be busy. A delivery that hangs lasts ten.
const SLACK: Duration = Duration::from_secs(3);

const MASTER: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const PEPPER: &str = "p1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

async fn the_others_have_theirs_while_some_hang(database: Database) {
    let (alone, _) = until_the_quick_have_theirs(database, 0).await;
    let (beside, servers) = until_the_quick_have_theirs(database, HANGING).await;
    eventually(1, "each hanging server is waited for", || async {
        let waiting = servers.waiting.load(Ordering::Relaxed);
        (waiting >= HANGING)
            .then_some(())
            .ok_or(waiting.to_string())
    })
    .await;
    assert!(
        beside < 2 * alone + SLACK,
        "{QUICK} merchants took {alone:?} alone, and {beside:?} beside {HANGING} that hang"
    );
}

/// How long it takes from the worker's start, when everything is due, the hanging ones' first.
async fn until_the_quick_have_theirs(
    database: Database,
    hanging: usize,
) -> (Duration, Arc<Servers>) {
    let servers = Arc::<Servers>::default();
    let (base, handle) = serve(&servers);
    let directory = tempfile::TempDir::new().unwrap();
    let app = match database.fresh().await {
        None => {
            let file = directory.path().join("oncharge.db");
            let store =
                SqliteStore::open(file, keyring(MASTER), entropy(), Arc::new(FakeClock::new()))
                    .unwrap();
            with_due_events(Arc::new(store), (&base, hanging)).await
        }
        Some(url) => {
            let store = PostgresStore::connect(&url, keyring(MASTER), entropy(), 8);
            with_due_events(Arc::new(store.await.unwrap()), (&base, hanging)).await
        }
    };
    let started = Instant::now();
    let workers = runner::start(&app);
    eventually(60, "every quick server has all of its events", || async {
        let seen = servers.seen.lock().unwrap().len();
        (seen == QUICK * EVENTS)
            .then_some(())
            .ok_or(seen.to_string())
    })
    .await;
    let lasted = started.elapsed();
    // Without waiting for the attempts that hang: that they still do is part of the test.
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        handle.stop(false).await;
        workers.stop().await;
        drop(directory);
    });
    (lasted, servers)
}

/// The use cases on this store, with merchants whose events are due.
async fn with_due_events<S>(store: Arc<S>, (base, hanging): (&str, usize)) -> App
where
    S: CheckoutRepository
        + MerchantRepository
        + BlocklistRepository
        + WorkQueue
        + Oversight
        + Inbox
        + WebhookRepository
        + KeyRegistry
        + Maintenance
        + 'static,
{
    let build = Builder::new(7);
    for (path, many) in [("hanging", hanging), ("quick", QUICK)] {
        for number in 0..many {
            let merchant = build.merchant();
            let url = format!("{base}/{path}/{number}");
            open(&*store, &build, (&merchant, &url)).await;
            for _ in 0..EVENTS {
                let mut session = build.session(&merchant);
                // PostgreSQL judges by its own clock: it must not expire meanwhile.
                session.expires_at = session.expires_at.plus_seconds(100 * 365 * 86_400);
                let mut unit = build.unit(session.clone());
                unit.events = vec![build.event(&session, 1, EventKind::PaymentAuthorized)];
                unit.session.next_sequence = 2;
                store.commit(unit).await.unwrap();
            }
        }
    }
    let clock = Arc::new(FakeClock::new());
    App::new(Dependencies {
        checkout: store.clone(),
        merchants: store.clone(),
        blocklist: store.clone(),
        inbox: store.clone(),
        webhooks: store.clone(),
        work: store.clone(),
        oversight: store.clone(),
        key_registry: store.clone(),
        maintenance: store,
        psps: Arc::new(ScriptedPsp::new()),
        sender: Arc::new(HttpSender::new(clock.clone(), true).unwrap()),
        presenter: Arc::new(JsonPresenter),
        clock,
        entropy: entropy(),
        keys: keyring(MASTER),
        peppers: keyring(PEPPER),
        settings: Settings::default(),
    })
}

/// Adds the merchant, its key and its endpoint.
async fn open(
    store: &(impl MerchantRepository + WebhookRepository),
    build: &Builder,
    (merchant, url): (&Merchant, &str),
) {
    let (key, hash) = build.api_key(merchant);
    let made = build.audit(AuditAction::MerchantCreated);
    store.create(merchant, &key, &hash, &made).await.unwrap();
    let mut endpoint = build.endpoint(merchant, &key);
    endpoint.url = endpoint_url(url);
    let set = build.audit(AuditAction::EndpointSet);
    store.set_endpoint(&endpoint, &set).await.unwrap();
}

fn keyring(text: &str) -> Keyring {
    Keyring::parse(text).unwrap()
}

fn entropy() -> Arc<SeededEntropy> {
    static SEED: AtomicUsize = AtomicUsize::new(100);
    let seed = SEED.fetch_add(1, Ordering::Relaxed);
    Arc::new(SeededEntropy::new(seed as u64))
}

/// Every merchant's server: what came where it is answered, and how many wait for an answer.
#[derive(Default)]
struct Servers {
    seen: Mutex<HashSet<String>>,
    waiting: AtomicUsize,
}

/// A delivery that hangs; dropped when nobody waits for its answer any more.
struct Hangs(Arc<Servers>);

impl Hangs {
    fn at(servers: Arc<Servers>) -> Self {
        servers.waiting.fetch_add(1, Ordering::Relaxed);
        Self(servers)
    }
}

impl Drop for Hangs {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

fn serve(servers: &Arc<Servers>) -> (String, ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let servers = servers.clone();
    let server = HttpServer::new(move || {
        let servers = servers.clone();
        let receive = move |request: HttpRequest, _: web::Bytes| receive(servers.clone(), request);
        actix_web::App::new().default_service(web::to(receive))
    });
    let server = server.workers(1).disable_signals().listen(listener);
    let server = server.unwrap().run();
    let handle = server.handle();
    tokio::spawn(server);
    (base, handle)
}

async fn receive(servers: Arc<Servers>, request: HttpRequest) -> HttpResponse {
    if request.path().starts_with("/hanging/") {
        let _hangs = Hangs::at(servers);
        return std::future::pending().await;
    }
    let event = request
        .headers()
        .get("webhook-id")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    servers.seen.lock().unwrap().insert(event);
    HttpResponse::Ok().finish()
}
