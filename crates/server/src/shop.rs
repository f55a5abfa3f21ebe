//! The demo shop: an ordinary merchant, on an origin of its own.
//!
//! Read it as an example of an integration. `payments` holds all its calls of OnCharge, `acts`
//! what it does about an order, `webhooks` how it is told that something happened, `view` how it
//! finds out where a payment stands; the page embeds the checkout with `oncharge.js`
//! (`assets/shop/order.js`). The rest is what every shop has.

mod acts;
mod assets;
mod book;
mod buttons;
mod catalogue;
mod dollars;
#[cfg(test)]
mod examples;
mod fault;
mod follow;
mod guard;
mod inbox;
mod looks;
mod moment;
mod order;
mod outcome;
mod pages;
mod parts;
mod payments;
mod sightings;
mod timeline;
mod tone;
mod view;
mod webhooks;

use std::{net::TcpListener, path::Path, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::ServerHandle,
    middleware::from_fn,
    web::{self, Data},
};
use oncharge_client::{Client, Retries, WebhookVerifier};
use tokio::task::JoinHandle;
use url::Url;

pub(crate) use self::webhooks::PATH as WEBHOOK_PATH;
use self::{book::Book, fault::Fault, follow::Follower, inbox::Inbox, looks::Looks};
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
    verifier: WebhookVerifier,
    book: Book,
    inbox: Inbox,
    looks: Looks,
    follower: Follower,
    /// Where OnCharge is, for browsers.
    api: String,
    /// Where the shop is, as browsers write it: without a port that goes without saying.
    origin: String,
    /// The content security policy of all pages.
    policy: String,
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
    data_dir: &Path,
) -> anyhow::Result<Running> {
    let oncharge = Client::new(&urls.api, &pair.api_key, pair.api_secret.expose())?;
    let (follower, hints) = follow::pair();
    let shop = Data::new(Shop {
        oncharge: oncharge.with_retries(RETRIES),
        verifier: WebhookVerifier::new(pair.api_secret.expose()),
        book: Book::open(data_dir)?,
        inbox: Inbox::open(data_dir)?,
        looks: Looks::default(),
        follower,
        policy: guard::content_security_policy(&urls.api),
        api: urls.api.clone(),
        origin: Url::parse(&urls.shop)?.origin().ascii_serialization(),
    });
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
        .route("/orders", web::post().to(acts::place))
        .route("/orders/{number:[0-9]{1,18}}", web::get().to(pages::order))
        .route(
            "/orders/{number:[0-9]{1,18}}/state",
            web::get().to(pages::state),
        )
        .route(
            "/orders/{number:[0-9]{1,18}}/{act}",
            web::post().to(acts::act),
        )
        .route(webhooks::PATH, web::post().to(webhooks::receive))
        .route("/webhooks/received", web::get().to(webhooks::received))
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
