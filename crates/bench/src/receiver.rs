//! Merchants' servers: one listener with a path per merchant, some of which hang. Also a sender
//! that bypasses HTTP.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    web::{self, Bytes, Data},
};
use anyhow::{Context, bail};
use async_trait::async_trait;
use oncharge_ports::{
    WebhookSender,
    webhook_sender::{SendOutcome, Webhook},
};
use tokio::sync::Notify;

/// Path prefix of merchants that accept a delivery and never respond.
const HANGING_PATH: &str = "/hanging/";
/// The header with the event id.
const EVENT_ID: &str = "webhook-id";
/// Time limit for all events to arrive.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Counts the distinct events that got a response.
#[derive(Default)]
pub(crate) struct Arrivals {
    event_ids: Mutex<HashSet<String>>,
    arrived: Notify,
}

impl Arrivals {
    fn record(&self, event: &str) {
        let mut event_ids = self
            .event_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        event_ids.insert(event.to_owned());
        drop(event_ids);
        self.arrived.notify_one();
    }

    pub(crate) fn count(&self) -> usize {
        let event_ids = self
            .event_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        event_ids.len()
    }

    /// Waits until this many events have arrived.
    pub(crate) async fn wait_for(&self, count: usize) -> anyhow::Result<()> {
        let all = async {
            while self.count() < count {
                self.arrived.notified().await;
            }
        };
        if tokio::time::timeout(TIMEOUT, all).await.is_err() {
            bail!("{} events of {count} have arrived", self.count());
        }
        Ok(())
    }
}

/// The running servers.
pub(crate) struct Receiver {
    address: SocketAddr,
    pub(crate) arrivals: Arc<Arrivals>,
    handle: ServerHandle,
}

impl Receiver {
    /// Listens on a free local port.
    #[expect(clippy::disallowed_methods, reason = "ended by `stop`")]
    pub(crate) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr().context("no address")?;
        let arrivals = Arc::new(Arrivals::default());
        let data = Data::from(arrivals.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .default_service(web::to(receive))
        });
        let server = server.workers(1).disable_signals().listen(listener)?.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self {
            address,
            arrivals,
            handle,
        })
    }

    /// The URLs of this many merchants.
    pub(crate) fn urls(&self, count: usize, is_hanging: bool) -> Vec<String> {
        let path = if is_hanging { HANGING_PATH } else { "/quick/" };
        let url = |number| format!("http://{}{path}{number}", self.address);
        (0..count).map(url).collect()
    }

    /// Stops the server, including pending responses.
    pub(crate) async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn receive(arrivals: Data<Arrivals>, request: HttpRequest, _body: Bytes) -> HttpResponse {
    if request.path().starts_with(HANGING_PATH) {
        return std::future::pending().await;
    }
    let event = request.headers().get(EVENT_ID);
    let Some(event) = event.and_then(|value| value.to_str().ok()) else {
        return HttpResponse::BadRequest().finish();
    };
    arrivals.record(event);
    HttpResponse::Ok().finish()
}

/// Responds with 200 without sending anything: what remains is the service's own work.
pub(crate) struct NullSender(pub(crate) Arc<Arrivals>);

#[async_trait]
impl WebhookSender for NullSender {
    async fn send(&self, webhook: &Webhook) -> SendOutcome {
        let event = webhook.headers.iter().find(|(name, _)| *name == EVENT_ID);
        if let Some((_, event)) = event {
            self.0.record(event);
        }
        SendOutcome {
            status: Ok(200),
            response: String::new(),
            retry_after: None,
            latency: Duration::ZERO,
        }
    }
}
