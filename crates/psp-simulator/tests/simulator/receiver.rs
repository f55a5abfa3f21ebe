//! A receiver of notifications that can refuse the first ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use ring::hmac;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::sandbox::NOTIFICATION_KEY;
use crate::stripe::client::WEBHOOK_SECRET;

/// One received delivery.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

impl Delivery {
    /// `type success reason`, such as `capture true null`.
    pub(crate) fn summary(&self) -> String {
        let text = |member: &str| match &self.body[member] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        format!("{} {} {}", text("type"), text("success"), text("reason"))
    }

    pub(crate) fn text(&self, member: &str) -> &str {
        self.body[member]
            .as_str()
            .unwrap_or_else(|| panic!("no {member} in {self:?}"))
    }
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    deliveries: UnboundedReceiver<Delivery>,
    refusals: Arc<AtomicUsize>,
    server: ServerHandle,
}

#[derive(Clone)]
struct ReceiverState {
    deliveries: UnboundedSender<Delivery>,
    refusals: Arc<AtomicUsize>,
}

impl Receiver {
    /// Starts on a free port; the first `refusals` deliveries get status 500.
    pub(crate) fn start(refusals: usize) -> Self {
        let (sender, deliveries) = unbounded_channel();
        let refusals = Arc::new(AtomicUsize::new(refusals));
        let state = ReceiverState {
            deliveries: sender,
            refusals: Arc::clone(&refusals),
        };
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(state.clone()))
                .route("/in", web::post().to(receive))
        })
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
        let url = format!("http://{}/in", server.addrs().first().unwrap());
        let server = server.run();
        let handle = server.handle();
        #[expect(
            clippy::disallowed_methods,
            reason = "stopped when the receiver is dropped"
        )]
        drop(tokio::spawn(server));
        Self {
            url,
            deliveries,
            refusals,
            server: handle,
        }
    }

    /// The next delivery, accepted or refused.
    pub(crate) async fn next(&mut self) -> Delivery {
        let next = tokio::time::timeout(Duration::from_secs(15), self.deliveries.recv()).await;
        next.unwrap_or_else(|_| panic!("no notification arrived"))
            .unwrap()
    }

    /// Checks that nothing arrives for `quiet`.
    pub(crate) async fn expect_nothing(&mut self, quiet: Duration) {
        if let Ok(delivery) = tokio::time::timeout(quiet, self.deliveries.recv()).await {
            panic!("unexpected {delivery:?}");
        }
    }

    pub(crate) fn set_refusals(&self, refusals: usize) {
        self.refusals.store(refusals, Ordering::SeqCst);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

/// Verifies the signature of the simulator's own API, or of the Stripe face.
fn verify(request: &HttpRequest, body: &[u8]) {
    let header = |name: &str| request.headers().get(name).map(|it| it.to_str().unwrap());
    if let Some(signature) = header("X-Psp-Signature") {
        let key = hmac::Key::new(hmac::HMAC_SHA256, NOTIFICATION_KEY.as_bytes());
        hmac::verify(&key, body, &hex::decode(signature).unwrap()).unwrap();
        return;
    }
    let (time, signature) = header("Stripe-Signature").unwrap().split_once(',').unwrap();
    let time = time.strip_prefix("t=").unwrap();
    #[expect(clippy::disallowed_methods, reason = "signatures carry the real time")]
    let now = std::time::SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap();
    assert!(now.as_secs().abs_diff(time.parse().unwrap()) < 30, "{time}");
    let signed = [time.as_bytes(), b".", body].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, WEBHOOK_SECRET.as_bytes());
    let signature = hex::decode(signature.strip_prefix("v1=").unwrap()).unwrap();
    hmac::verify(&key, &signed, &signature).unwrap();
}

async fn receive(
    request: HttpRequest,
    bytes: web::Bytes,
    state: web::Data<ReceiverState>,
) -> HttpResponse {
    verify(&request, &bytes);
    let body = serde_json::from_slice(&bytes).unwrap();
    state
        .deliveries
        .send(Delivery {
            body,
            at: Instant::now(),
        })
        .unwrap();
    let refused = state
        .refusals
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        })
        .is_ok();
    if refused {
        HttpResponse::InternalServerError().finish()
    } else {
        HttpResponse::Ok().finish()
    }
}
