//! The demo shop: an ordinary merchant, on an origin of its own.
//!
//! Read `integration` as an example: it is all that a merchant needs of OnCharge, and says in which
//! order to read it. The rest is what every shop has: a catalogue, a cart, a book of orders, pages;
//! and what this one has to show how it works: `timeline`, what it knows and from where; `calls`,
//! what its server sent and was answered.

mod action_error;
mod assets;
mod buttons;
mod calls;
mod catalog;
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
mod status_cache;
mod status_history;
mod status_label;
mod timeline;
mod view;

use std::{net::TcpListener, path::Path, time::Duration};

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
pub(crate) use self::{integration::webhooks::PATH as WEBHOOK_PATH, secret::SigningSecret};
use crate::sandbox::{Credentials, Urls};

/// How many threads serve the shop: it has one visitor.
const THREADS: usize = 1;
/// How long a stop waits for requests under way, in seconds.
const SHUTDOWN_TIMEOUT_SECONDS: u64 = 2;
/// A page waits for these calls, so they give up soon; the visitor can try again.
const RETRIES: RetryPolicy = RetryPolicy {
    attempts: 3,
    initial_delay: Duration::from_millis(200),
    max_delay: Duration::from_secs(2),
};

/// What the shop's pages work with.
struct Shop {
    /// Calls OnCharge in the merchant's name.
    oncharge: Client,
    /// Knows OnCharge's webhooks from others.
    signing_secret: SigningSecret,
    order_store: OrderStore,
    calls: Calls,
    inbox: Inbox,
    status_cache: StatusCache,
    refresh_queue: RefreshQueue,
    /// Where OnCharge is, for browsers.
    api: String,
    /// Where its operators look.
    ops: String,
    /// Where the shop is, as browsers write it: without a port that goes without saying.
    origin: String,
    /// The content security policy of all pages.
    policy: String,
}

impl Shop {
    /// The shop with the orders and webhooks that the data directory holds, and the hints that its
    /// webhooks give.
    fn open(
        urls: &Urls,
        credentials: &Credentials,
        signing_secret: SigningSecret,
        data_dir: &Path,
    ) -> anyhow::Result<(Self, RefreshWorker)> {
        let oncharge = Client::new(
            &urls.api,
            &credentials.api_key,
            credentials.api_secret.expose(),
        )?;
        let (refresh_queue, refresh_worker) = refresh::channel();
        let shop = Self {
            oncharge: oncharge.with_retries(RETRIES),
            signing_secret,
            order_store: OrderStore::open(data_dir)?,
            calls: Calls::default(),
            inbox: Inbox::open(data_dir)?,
            status_cache: StatusCache::default(),
            refresh_queue,
            policy: guard::content_security_policy(&urls.api),
            api: urls.api.clone(),
            ops: urls.ops.clone(),
            origin: Url::parse(&urls.shop)?.origin().ascii_serialization(),
        };
        Ok((shop, refresh_worker))
    }

    /// Calls OnCharge about this order: the order's page shows the calls.
    fn oncharge_for(&self, number: u64) -> Client {
        let client = self.oncharge.clone();
        client.with_observer(self.calls.observer(number))
    }
}

/// A running shop.
pub(crate) struct Running {
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
    refresh_task: JoinHandle<()>,
}

/// Starts the shop on this listener, with the orders that the data directory holds.
///
/// Errors where the orders cannot be read or the pair is none.
pub(crate) fn start(
    listener: TcpListener,
    urls: &Urls,
    credentials: &Credentials,
    signing_secret: SigningSecret,
    data_dir: &Path,
) -> anyhow::Result<Running> {
    let (shop, refresh_worker) = Shop::open(urls, credentials, signing_secret, data_dir)?;
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

/// All pages on one screen.
fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(assets::routes)
        .route("/", web::get().to(pages::goods))
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
    /// Refuses the new and finishes what is in hand.
    pub(crate) async fn stop(self) {
        self.handle.stop(true).await;
        // What it would still look at is looked at again by whoever opens the page.
        self.refresh_task.abort();
        if let Ok(Err(error)) = self.task.await {
            tracing::warn!(%error, "the demo shop ended badly");
        }
    }
}
