//! A merchant's server that receives webhooks and responds as the test requires.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::watch;

use super::eventually;
pub(crate) use crate::shared::webhook_server::Delivery;
use crate::shared::webhook_server::{self, Response};

/// The path and query of the endpoint.
const TARGET: &str = "/hook?shop=1";

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
    pub(crate) fn replying(reply_to: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let (deliveries, is_open) = (Arc::new(Mutex::new(Vec::new())), watch::Sender::new(false));
        let (recorded, opened) = (deliveries.clone(), is_open.subscribe());
        let origin = webhook_server::start(move |delivery: Delivery| {
            let line = format!("POST {TARGET} HTTP/1.1");
            assert_eq!(delivery.request_line(), line, "the query was removed");
            let planned = reply_to(record(&recorded, delivery));
            reply(planned, opened.clone())
        });
        Self {
            url: format!("{origin}{TARGET}"),
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

async fn reply(planned: Reply, mut opened: watch::Receiver<bool>) -> Option<Response> {
    let (status, location) = match planned {
        Reply::Status(status) => (status, String::new()),
        Reply::Redirect(to) => (307, to),
        Reply::Held => {
            let _ = opened.wait_for(|is_open| *is_open).await;
            (200, String::new())
        }
    };
    Some(Response {
        status,
        header: ("Location", location),
    })
}
