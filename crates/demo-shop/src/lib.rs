//! The demo shop: an ordinary merchant, on its own origin.
//!
//! Read `integration` as an example: it contains everything that a merchant needs for OnCharge, and
//! names its reading order. The rest is what every shop has: catalog, cart, orders, pages; and two
//! displays of how this one works: `timeline`, what it knows and from which source; `calls`, the
//! requests and responses of its server.

mod action_error;
mod assets;
mod buttons;
mod calls;
mod catalog;
mod data_dir;
mod dollars;
#[cfg(test)]
mod fixtures;
mod forms;
mod guard;
mod inbox;
mod integration;
mod moment;
mod order;
mod order_store;
mod outcome;
mod page_error;
mod pages;
mod parts;
mod pretty;
mod secret;
mod settings;
mod status_cache;
mod status_history;
mod status_label;
mod timeline;
mod view;

use std::{net::TcpListener, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::ServerHandle,
    middleware::from_fn,
    web::{self, Data},
};
use oncharge_client::{Client, RetryPolicy};
use tokio::task::JoinHandle;
use url::Url;

use self::{
    calls::Calls,
    inbox::Inbox,
    integration::{
        refresh::{self, RefreshQueue, RefreshWorker},
        webhooks,
    },
    order_store::OrderStore,
    page_error::PageError,
    status_cache::StatusCache,
};
pub use self::{
    data_dir::{DataDir, WritePrivate},
    integration::webhooks::PATH as WEBHOOK_PATH,
    secret::SigningSecret,
    settings::Settings,
};

/// The shop's logo, for the branding of its checkout.
pub const LOGO: &[u8] = include_bytes!("../assets/logo.svg");

/// Number of threads: the shop has a single visitor.
const THREADS: usize = 1;
/// How long a shutdown waits for requests in progress, in seconds.
const SHUTDOWN_TIMEOUT_SECONDS: u64 = 2;
/// A page waits for these calls, so they give up early; the visitor can try again.
const RETRIES: RetryPolicy = RetryPolicy {
    attempts: 3,
    initial_delay: Duration::from_millis(200),
    max_delay: Duration::from_secs(2),
};

/// State shared by the shop's pages.
struct Shop {
    /// The client of OnCharge's merchant API.
    oncharge: Client,
    /// Verifies OnCharge's webhooks.
    signing_secret: SigningSecret,
    order_store: OrderStore,
    calls: Calls,
    inbox: Inbox,
    status_cache: StatusCache,
    refresh_queue: RefreshQueue,
    /// OnCharge's URL for browsers.
    api: String,
    /// URL of OnCharge's operators' view.
    ops: String,
    /// The shop's origin as browsers serialize it: without a default port.
    origin: String,
    /// The Content-Security-Policy of all pages.
    policy: String,
}

impl Shop {
    /// Opens the shop with the orders and webhooks of the data directory; also returns the worker
    /// of its refresh queue.
    fn open(settings: Settings<'_>) -> anyhow::Result<(Self, RefreshWorker)> {
        let oncharge = Client::new(settings.api_url, settings.api_key, settings.api_secret)?;
        let (refresh_queue, refresh_worker) = refresh::channel();
        let shop = Self {
            oncharge: oncharge.with_retries(RETRIES),
            signing_secret: settings.signing_secret,
            order_store: OrderStore::open(settings.data_dir.clone())?,
            calls: Calls::default(),
            inbox: Inbox::open(settings.data_dir)?,
            status_cache: StatusCache::default(),
            refresh_queue,
            policy: guard::content_security_policy(settings.api_url),
            api: settings.api_url.to_owned(),
            ops: settings.ops_url.to_owned(),
            origin: Url::parse(settings.url)?.origin().ascii_serialization(),
        };
        Ok((shop, refresh_worker))
    }

    /// A client for calls about this order, which appear on the order's page.
    fn oncharge_for(&self, number: u64) -> Client {
        let client = self.oncharge.clone();
        client.with_observer(self.calls.observer(number))
    }
}

/// A running shop.
pub struct Running {
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
    refresh_task: JoinHandle<()>,
}

/// Starts the shop on this listener, with the orders of the data directory.
///
/// Errors if the orders cannot be read or the key pair is invalid.
pub fn start(listener: TcpListener, settings: Settings<'_>) -> anyhow::Result<Running> {
    let (shop, refresh_worker) = Shop::open(settings)?;
    let shop = Data::new(shop);
    let refresh_task = refresh_worker.start(shop.clone());
    let factory = move || {
        App::new()
            .app_data(shop.clone())
            .wrap(from_fn(guard::guard))
            .configure(routes)
    };
    let server = HttpServer::new(factory)
        .workers(THREADS)
        .shutdown_timeout(SHUTDOWN_TIMEOUT_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run();
    let handle = server.handle();
    #[expect(
        clippy::disallowed_methods,
        reason = "the server's task is owned by `Running`"
    )]
    let task = tokio::spawn(server);
    Ok(Running {
        handle,
        task,
        refresh_task,
    })
}

/// All routes.
fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(assets::routes)
        .route("/", web::get().to(pages::products))
        .route("/orders", web::get().to(pages::orders))
        .route("/orders", web::post().to(forms::place_order))
        .route("/orders/{number:[0-9]{1,18}}", web::get().to(pages::order))
        .route(
            "/orders/{number:[0-9]{1,18}}/state",
            web::get().to(pages::state),
        )
        .route(
            "/orders/{number:[0-9]{1,18}}/{action}",
            web::post().to(forms::action),
        )
        .route(webhooks::PATH, web::post().to(webhooks::receive))
        .route("/webhooks/received", web::get().to(pages::received))
        .default_service(web::to(not_found));
}

async fn not_found() -> Result<HttpResponse, PageError> {
    Err(PageError::NotFound)
}

impl Running {
    /// Stops accepting requests and completes those in progress.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        // Pending refreshes are repeated when a page is opened.
        self.refresh_task.abort();
        if let Ok(Err(error)) = self.task.await {
            tracing::warn!(%error, "the demo shop ended with an error");
        }
    }
}
