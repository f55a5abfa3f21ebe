//! A merchant's server that takes webhooks, and behaves as a test wants it to.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Instant,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::StatusCode, web};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::eventually;

/// Remembers everything that comes.
pub(crate) struct Receiver {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    gate: watch::Sender<bool>,
}

/// How a delivery is answered.
pub(crate) enum Reaction {
    /// With this status.
    Status(u16),
    /// "It is over there."
    Redirect(String),
    /// Not before [`Receiver::open`]; then with 200.
    Held,
}

/// One delivery as it came.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
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

/// What a GET shows of an endpoint as a PUT has answered: the hint in place of the secret.
pub(crate) fn as_read(set: &Value) -> Value {
    let mut endpoint = set.clone();
    let members = endpoint.as_object_mut().unwrap();
    let secret = members.remove("signing_secret").unwrap();
    let secret = secret.as_str().unwrap();
    members.insert("secret_hint".to_owned(), secret[secret.len() - 4..].into());
    endpoint
}

impl Receiver {
    /// One that takes everything; it ends with the test.
    pub(crate) fn start() -> Self {
        Self::failing(0)
    }

    /// One that answers 500 to so many deliveries first.
    pub(crate) fn failing(failures: usize) -> Self {
        Self::answering(move |nth| Reaction::Status(if nth < failures { 500 } else { 200 }))
    }

    /// One that answers the nth delivery (from 0) like this.
    pub(crate) fn answering(
        react: impl Fn(usize) -> Reaction + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?shop=1", listener.local_addr().unwrap());
        let (seen, gate) = (Arc::new(Mutex::new(Vec::new())), watch::Sender::new(false));
        let (theirs, opened) = (seen.clone(), gate.subscribe());
        let server = HttpServer::new(move || {
            let (seen, opened, react) = (theirs.clone(), opened.clone(), react.clone());
            App::new().default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
                let nth = remember(&seen, of(&request, &body));
                answer(react(nth), opened.clone())
            }))
        });
        let server = server.workers(1).disable_signals().listen(listener);
        tokio::spawn(server.unwrap().run());
        Self { url, seen, gate }
    }

    /// Lets the answers go that were held.
    pub(crate) fn open(&self) {
        self.gate.send_replace(true);
    }

    /// Waits until so many have come.
    pub(crate) async fn come(&self, many: usize) -> Vec<Seen> {
        self.come_within(20, many).await
    }

    /// Waits for so many seconds until so many have come.
    pub(crate) async fn come_within(&self, seconds: u64, many: usize) -> Vec<Seen> {
        eventually(seconds, &format!("{many} deliveries"), || async {
            let seen = self.seen();
            if seen.len() >= many {
                Ok(seen)
            } else {
                Err(seen.len().to_string())
            }
        })
        .await
    }

    /// What has come so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The events so far, by name.
    pub(crate) fn events(&self) -> Vec<String> {
        let names = self
            .seen()
            .into_iter()
            .map(|seen| seen.json()["event"].clone());
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }
}

/// Its number among all, from 0.
fn remember(all: &Mutex<Vec<Seen>>, one: Seen) -> usize {
    let mut all = all.lock().unwrap();
    all.push(one);
    all.len() - 1
}

async fn answer(reaction: Reaction, mut opened: watch::Receiver<bool>) -> HttpResponse {
    let (status, to) = match reaction {
        Reaction::Status(status) => (status, None),
        Reaction::Redirect(to) => (307, Some(to)),
        Reaction::Held => {
            let _ = opened.wait_for(|is_open| *is_open).await;
            (200, None)
        }
    };
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
    if let Some(to) = to {
        response.insert_header(("Location", to));
    }
    response.body("as planned")
}

fn of(request: &HttpRequest, body: &[u8]) -> Seen {
    assert_eq!(
        request.uri().to_string(),
        "/hook?shop=1",
        "its query is kept"
    );
    let headers = request.headers().iter();
    let text = |value: &actix_web::http::header::HeaderValue| value.to_str().unwrap().to_owned();
    Seen {
        at: Instant::now(),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: body.to_vec(),
    }
}
