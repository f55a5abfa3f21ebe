//! The demo shop: an ordinary merchant, on an origin of its own.
//!
//! Read `integration` as an example: it is all that a merchant needs of OnCharge, and says in which
//! order to read it. The rest is what every shop has: a catalogue, a cart, a book of orders, pages;
//! and what this one has to show how it works: `timeline`, what it knows and from where; `calls`,
//! what its server sent and was answered.

mod assets;
mod book;
mod buttons;
mod calls;
mod catalogue;
mod dollars;
#[cfg(test)]
mod examples;
mod fault;
mod forms;
mod guard;
mod inbox;
mod integration;
mod looks;
mod moment;
mod order;
mod outcome;
mod pages;
mod parts;
mod pretty;
mod secret;
mod sightings;
mod standing;
mod timeline;
mod trouble;
mod view;

use std::{net::TcpListener, path::Path, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::ServerHandle,
    middleware::from_fn,
    web::{self, Data},
};
use oncharge_client::{Client, Retries};
use tokio::task::JoinHandle;
use url::Url;

use self::{
    book::Book,
    calls::Calls,
    fault::Fault,
    inbox::Inbox,
    integration::{
        follow::{self, Follower, Hints},
        webhooks,
    },
    looks::Looks,
};
pub(crate) use self::{integration::webhooks::PATH as WEBHOOK_PATH, secret::SigningSecret};
use crate::sandbox::{Pair, Urls};

/// How many threads serve the shop: it has one visitor.
const THREADS: usize = 1;
/// How long a stop waits for requests under way, in seconds.
const STOP_SECONDS: u64 = 2;
/// A page waits for these calls, so they give up soon; the visitor can try again.
const RETRIES: Retries = Retries {
    attempts: 3,
    first_wait: Duration::from_millis(200),
    longest_wait: Duration::from_secs(2),
};

/// What the shop's pages work with.
struct Shop {
    /// Calls OnCharge in the merchant's name.
    oncharge: Client,
    /// Knows OnCharge's webhooks from others.
    signing_secret: SigningSecret,
    book: Book,
    calls: Calls,
    inbox: Inbox,
    looks: Looks,
    follower: Follower,
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
        pair: &Pair,
        signing_secret: SigningSecret,
        data_dir: &Path,
    ) -> anyhow::Result<(Self, Hints)> {
        let oncharge = Client::new(&urls.api, &pair.api_key, pair.api_secret.expose())?;
        let (follower, hints) = follow::pair();
        let shop = Self {
            oncharge: oncharge.with_retries(RETRIES),
            signing_secret,
            book: Book::open(data_dir)?,
            calls: Calls::default(),
            inbox: Inbox::open(data_dir)?,
            looks: Looks::default(),
            follower,
            policy: guard::content_security_policy(&urls.api),
            api: urls.api.clone(),
            ops: urls.ops.clone(),
            origin: Url::parse(&urls.shop)?.origin().ascii_serialization(),
        };
        Ok((shop, hints))
    }

    /// Calls OnCharge about this order: the order's page shows the calls.
    fn oncharge_for(&self, number: u64) -> Client {
        let client = self.oncharge.clone();
        client.observed_by(self.calls.observer(number))
    }
}

/// A running shop.
pub(crate) struct Running {
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
    following: JoinHandle<()>,
}

/// Starts the shop on this listener, with the orders that the data directory holds.
///
/// Errors where the orders cannot be read or the pair is none.
pub(crate) fn start(
    listener: TcpListener,
    urls: &Urls,
    pair: &Pair,
    signing_secret: SigningSecret,
    data_dir: &Path,
) -> anyhow::Result<Running> {
    let (shop, hints) = Shop::open(urls, pair, signing_secret, data_dir)?;
    let shop = Data::new(shop);
    let following = hints.start(shop.clone());
    let factory = move || {
        App::new()
            .app_data(shop.clone())
            .wrap(from_fn(guard::guard))
            .configure(routes)
    };
    let server = HttpServer::new(factory)
        .workers(THREADS)
        .shutdown_timeout(STOP_SECONDS)
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
        following,
    })
}

/// All pages on one screen.
fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(assets::routes)
        .route("/", web::get().to(pages::goods))
        .route("/orders", web::get().to(pages::orders))
        .route("/orders", web::post().to(forms::place))
        .route("/orders/{number:[0-9]{1,18}}", web::get().to(pages::order))
        .route(
            "/orders/{number:[0-9]{1,18}}/state",
            web::get().to(pages::state),
        )
        .route(
            "/orders/{number:[0-9]{1,18}}/{act}",
            web::post().to(forms::act),
        )
        .route(webhooks::PATH, web::post().to(webhooks::receive))
        .route("/webhooks/received", web::get().to(pages::received))
        .default_service(web::to(missing));
}

async fn missing() -> Result<HttpResponse, Fault> {
    Err(Fault::Missing)
}

impl Running {
    /// Refuses the new and finishes what is in hand.
    pub(crate) async fn stop(self) {
        self.handle.stop(true).await;
        // What it would still look at is looked at again by whoever opens the page.
        self.following.abort();
        if let Ok(Err(error)) = self.task.await {
            tracing::warn!(%error, "the demo shop ended badly");
        }
    }
}
