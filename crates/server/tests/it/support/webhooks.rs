//! A merchant's server that receives webhooks and responds as the test requires.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Instant,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::StatusCode, web};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::eventually;

/// Records all deliveries.
pub(crate) struct Receiver {
    pub(crate) url: String,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
    is_open: watch::Sender<bool>,
}

/// The response to a delivery.
pub(crate) enum Reply {
    /// This status.
    Status(u16),
    /// A redirect to this URL.
    Redirect(String),
    /// Hangs until [`Receiver::open`], then 200.
    Held,
}

/// A received delivery.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) at: Instant,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Delivery {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        &found.unwrap_or_else(|| panic!("no {name}")).1
    }

    /// All headers, as a JSON object.
    pub(crate) fn headers(&self) -> Map<String, Value> {
        let pairs = self.headers.iter().cloned();
        pairs.map(|(name, value)| (name, value.into())).collect()
    }
}

/// The endpoint as GET returns it, from the response to PUT: the hint in place of the secret.
pub(crate) fn as_get_response(set: &Value) -> Value {
    let mut endpoint = set.clone();
    let members = endpoint.as_object_mut().unwrap();
    let secret = members.remove("signing_secret").unwrap();
    let secret = secret.as_str().unwrap();
    members.insert("secret_hint".to_owned(), secret[secret.len() - 4..].into());
    endpoint
}

impl Receiver {
    /// A server that accepts everything; stops with the test.
    pub(crate) fn start() -> Self {
        Self::failing(0)
    }

    /// A server that responds 500 to this many deliveries first.
    pub(crate) fn failing(failures: usize) -> Self {
        Self::replying(move |nth| Reply::Status(if nth < failures { 500 } else { 200 }))
    }

    /// A server that responds to the nth delivery (from 0) like this.
    pub(crate) fn replying(
        reply_to: impl Fn(usize) -> Reply + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?shop=1", listener.local_addr().unwrap());
        let (deliveries, is_open) = (Arc::new(Mutex::new(Vec::new())), watch::Sender::new(false));
        let (server_deliveries, open_receiver) = (deliveries.clone(), is_open.subscribe());
        let server = HttpServer::new(move || {
            let (deliveries, open_receiver, reply_to) = (
                server_deliveries.clone(),
                open_receiver.clone(),
                reply_to.clone(),
            );
            App::new().default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
                let nth = record(&deliveries, delivery_from(&request, &body));
                reply(reply_to(nth), open_receiver.clone())
            }))
        });
        let server = server.workers(1).disable_signals().listen(listener);
        tokio::spawn(server.unwrap().run());
        Self {
            url,
            deliveries,
            is_open,
        }
    }

    /// Releases the held responses.
    pub(crate) fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// Waits for this many deliveries.
    pub(crate) async fn wait_for(&self, many: usize) -> Vec<Delivery> {
        self.wait_for_within(20, many).await
    }

    /// Waits up to this many seconds for this many deliveries.
    pub(crate) async fn wait_for_within(&self, seconds: u64, many: usize) -> Vec<Delivery> {
        eventually(seconds, &format!("{many} deliveries"), || async {
            let deliveries = self.deliveries();
            if deliveries.len() >= many {
                Ok(deliveries)
            } else {
                Err(deliveries.len().to_string())
            }
        })
        .await
    }

    /// The deliveries so far.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.lock().unwrap().clone()
    }

    /// The names of the events so far.
    pub(crate) fn events(&self) -> Vec<String> {
        let names = self
            .deliveries()
            .into_iter()
            .map(|delivery| delivery.json()["event"].clone());
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }
}

/// Its index among all deliveries, from 0.
fn record(all: &Mutex<Vec<Delivery>>, one: Delivery) -> usize {
    let mut all = all.lock().unwrap();
    all.push(one);
    all.len() - 1
}

async fn reply(planned: Reply, mut open_receiver: watch::Receiver<bool>) -> HttpResponse {
    let (status, to) = match planned {
        Reply::Status(status) => (status, None),
        Reply::Redirect(to) => (307, Some(to)),
        Reply::Held => {
            let _ = open_receiver.wait_for(|is_open| *is_open).await;
            (200, None)
        }
    };
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
    if let Some(to) = to {
        response.insert_header(("Location", to));
    }
    response.body("as planned")
}

fn delivery_from(request: &HttpRequest, body: &[u8]) -> Delivery {
    assert_eq!(
        request.uri().to_string(),
        "/hook?shop=1",
        "the query was removed"
    );
    let headers = request.headers().iter();
    let text = |value: &actix_web::http::header::HeaderValue| value.to_str().unwrap().to_owned();
    Delivery {
        at: Instant::now(),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: body.to_vec(),
    }
}
