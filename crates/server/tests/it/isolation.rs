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
use oncharge::{Components, Keys, OpenedStore, SystemClock};
use oncharge_adapter_webhook::HttpSender;
use oncharge_application::{Settings, workers::runner};
use oncharge_domain::{
    audit::AuditAction, keyring::Keyring, merchant::Merchant, session::EventKind, time::Timestamp,
};
use oncharge_ports::Store;
use oncharge_testkit::{Builder, ScriptedPsp, build::endpoint_url};

use crate::support::{
    Database, eventually,
    node::{MASTER, PEPPER},
    on_both,
};

on_both!(hanging_endpoints_do_not_delay_others);

/// Number of merchants whose servers respond at once, and the number of their events.
const QUICK: usize = 60;
const EVENTS: usize = 5;
/// Number of merchants whose servers never respond: more deliveries than there are fast slots.
const HANGING: usize = 40;
/// Tolerance beyond twice the time without hanging servers: an attempt counts as quick for its
/// first second, and the machine may be busy. A hanging delivery takes ten seconds.
const TOLERANCE: Duration = Duration::from_secs(3);

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
    let keys = Keys {
        master: Keyring::parse(MASTER).unwrap(),
        pepper: Keyring::parse(PEPPER).unwrap(),
    };
    let store = match database.fresh().await {
        None => OpenedStore::sqlite(&directory.path().join("oncharge.db"), &keys),
        Some(url) => OpenedStore::postgres(&url, 8, &keys).await,
    };
    let sender = HttpSender::new(Arc::new(SystemClock), true).unwrap();
    let Components { app, store, .. } = Components::new(
        store.unwrap(),
        &keys,
        Arc::new(ScriptedPsp::new()),
        Arc::new(sender),
        Settings::default(),
    );
    create_due_events(&store, app.now(), &base, hanging).await;
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

/// Stores merchants whose events are due now.
async fn create_due_events(store: &Store, now: Timestamp, base: &str, hanging: usize) {
    let build = Builder::new(7);
    build.advance(now.unix_seconds() - build.now().unix_seconds());
    for (path, count) in [("hanging", hanging), ("quick", QUICK)] {
        for number in 0..count {
            let merchant = build.merchant();
            let url = format!("{base}/{path}/{number}");
            create_merchant(store, &build, &merchant, &url).await;
            for _ in 0..EVENTS {
                let mut unit = build.unit(build.session(&merchant));
                unit.events = vec![build.event(&unit.session, 1, EventKind::PaymentAuthorized)];
                unit.session.next_sequence = 2;
                store.checkout.commit(unit).await.unwrap();
            }
        }
    }
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
