//! Merchants with hanging servers do not delay other merchants: the real worker, sender and stores,
//! in-process because it takes a hundred merchants.

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
use oncharge_ports::Store;
use oncharge_testkit::{Builder, FakeClock, ScriptedPsp, SeededEntropy, build::endpoint_url};

use crate::support::{Database, eventually, on_both};

on_both!(hanging_endpoints_do_not_delay_others);

/// Number of merchants whose servers respond at once, and the number of their events.
const QUICK: usize = 60;
const EVENTS: usize = 5;
/// Number of merchants whose servers never respond: more deliveries than there are fast slots.
const HANGING: usize = 40;
/// Tolerance beyond twice the time without hanging servers: an attempt counts as quick for its
/// first second, and the machine may be busy. A hanging delivery takes ten seconds.
const TOLERANCE: Duration = Duration::from_secs(3);

const MASTER: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const PEPPER: &str = "p1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

async fn hanging_endpoints_do_not_delay_others(database: Database) {
    let (alone, _) = time_to_deliver_to_quick_merchants(database, 0).await;
    let (with_hanging, servers) = time_to_deliver_to_quick_merchants(database, HANGING).await;
    eventually(1, "an attempt to each hanging server", || async {
        let waiting_count = servers.waiting_count.load(Ordering::Relaxed);
        (waiting_count >= HANGING)
            .then_some(())
            .ok_or(waiting_count.to_string())
    })
    .await;
    assert!(
        with_hanging < 2 * alone + TOLERANCE,
        "{QUICK} merchants took {alone:?} alone, and {with_hanging:?} with {HANGING} that hang"
    );
}

/// Time from the worker's start until all quick merchants have their events; everything is due, the
/// hanging merchants' events first.
async fn time_to_deliver_to_quick_merchants(
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
            with_due_events(Store::new(Arc::new(store)), &base, hanging).await
        }
        Some(url) => {
            let store = PostgresStore::connect(&url, keyring(MASTER), entropy(), 8);
            with_due_events(Store::new(Arc::new(store.await.unwrap())), &base, hanging).await
        }
    };
    let started = Instant::now();
    let workers = runner::start(&app);
    eventually(60, "all events at the quick servers", || async {
        let event_ids = servers.event_ids.lock().unwrap().len();
        (event_ids == QUICK * EVENTS)
            .then_some(())
            .ok_or(event_ids.to_string())
    })
    .await;
    let elapsed = started.elapsed();
    // Does not wait for the hanging attempts: that they still hang is part of the test.
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        handle.stop(false).await;
        workers.stop().await;
        drop(directory);
    });
    (elapsed, servers)
}

/// An application over this store, with merchants whose events are due.
async fn with_due_events(store: Store, base: &str, hanging: usize) -> App {
    let build = Builder::new(7);
    for (path, count) in [("hanging", hanging), ("quick", QUICK)] {
        for number in 0..count {
            let merchant = build.merchant();
            let url = format!("{base}/{path}/{number}");
            create_merchant(&store, &build, &merchant, &url).await;
            for _ in 0..EVENTS {
                let mut session = build.session(&merchant);
                // PostgreSQL uses its own clock, by which the lease must not expire during the
                // test.
                session.expires_at = session.expires_at.plus_seconds(100 * 365 * 86_400);
                let mut unit = build.unit(session.clone());
                unit.events = vec![build.event(&session, 1, EventKind::PaymentAuthorized)];
                unit.session.next_sequence = 2;
                store.checkout.commit(unit).await.unwrap();
            }
        }
    }
    let clock = Arc::new(FakeClock::new());
    App::new(Dependencies {
        store,
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

/// Stores the merchant, its key and its endpoint.
async fn create_merchant(store: &Store, build: &Builder, merchant: &Merchant, url: &str) {
    let (key, hash) = build.api_key(merchant);
    let made = build.audit(AuditAction::MerchantCreated);
    let created = store.merchants.create(merchant, &key, &hash, &made);
    created.await.unwrap();
    let mut endpoint = build.endpoint(merchant, &key);
    endpoint.url = endpoint_url(url);
    let set = build.audit(AuditAction::EndpointSet);
    store.webhooks.set_endpoint(&endpoint, &set).await.unwrap();
}

fn keyring(text: &str) -> Keyring {
    Keyring::parse(text).unwrap()
}

fn entropy() -> Arc<SeededEntropy> {
    static SEED: AtomicUsize = AtomicUsize::new(100);
    let seed = SEED.fetch_add(1, Ordering::Relaxed);
    Arc::new(SeededEntropy::new(seed as u64))
}

/// The server of all merchants: records responded deliveries, and counts the pending ones.
#[derive(Default)]
struct Servers {
    event_ids: Mutex<HashSet<String>>,
    waiting_count: AtomicUsize,
}

/// A hanging delivery; dropped when its client disconnects.
struct HangingDelivery(Arc<Servers>);

impl HangingDelivery {
    fn new(servers: Arc<Servers>) -> Self {
        servers.waiting_count.fetch_add(1, Ordering::Relaxed);
        Self(servers)
    }
}

impl Drop for HangingDelivery {
    fn drop(&mut self) {
        self.0.waiting_count.fetch_sub(1, Ordering::Relaxed);
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
        let _hanging = HangingDelivery::new(servers);
        return std::future::pending().await;
    }
    let event = request
        .headers()
        .get("webhook-id")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    servers.event_ids.lock().unwrap().insert(event);
    HttpResponse::Ok().finish()
}
