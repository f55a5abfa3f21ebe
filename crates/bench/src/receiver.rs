//! Merchants' servers: one listener with a path for each, where some hang. And a way to them that
//! leaves HTTP out.

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
    webhook_sender::{Sent, Webhook},
};
use tokio::sync::Notify;

/// The first part of the path of merchants that accept a delivery and never answer.
const HANGING: &str = "/hanging/";
/// The header that names the event.
const EVENT_ID: &str = "webhook-id";
/// How long everything may take to arrive.
const PATIENCE: Duration = Duration::from_secs(180);

/// Counts the events that have arrived where they are answered, each once.
#[derive(Default)]
pub(crate) struct Arrivals {
    seen: Mutex<HashSet<String>>,
    one_more: Notify,
}

impl Arrivals {
    fn note(&self, event: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(event.to_owned());
        drop(seen);
        self.one_more.notify_one();
    }

    pub(crate) fn count(&self) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.len()
    }

    /// Waits until so many have arrived.
    pub(crate) async fn wait(&self, many: usize) -> anyhow::Result<()> {
        let all = async {
            while self.count() < many {
                self.one_more.notified().await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            bail!("{} events of {many} have arrived", self.count());
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
    /// Listens on a free port of this machine.
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

    /// The URLs of so many merchants.
    pub(crate) fn urls(&self, many: usize, hang: bool) -> Vec<String> {
        let path = if hang { HANGING } else { "/quick/" };
        let url = |number| format!("http://{}{path}{number}", self.address);
        (0..many).map(url).collect()
    }

    /// Ends it, answers that are still waited for included.
    pub(crate) async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn receive(arrivals: Data<Arrivals>, request: HttpRequest, _body: Bytes) -> HttpResponse {
    if request.path().starts_with(HANGING) {
        return std::future::pending().await;
    }
    let event = request.headers().get(EVENT_ID);
    let Some(event) = event.and_then(|value| value.to_str().ok()) else {
        return HttpResponse::BadRequest().finish();
    };
    arrivals.note(event);
    HttpResponse::Ok().finish()
}

/// Answers 200 without sending anything: what is left is the service's own work.
pub(crate) struct Nowhere(pub(crate) Arc<Arrivals>);

#[async_trait]
impl WebhookSender for Nowhere {
    async fn send(&self, webhook: &Webhook) -> Sent {
        let event = webhook.headers.iter().find(|(name, _)| *name == EVENT_ID);
        if let Some((_, event)) = event {
            self.0.note(event);
        }
        Sent {
            answer: Ok(200),
            response: String::new(),
            retry_after: None,
            latency: Duration::ZERO,
        }
    }
}
