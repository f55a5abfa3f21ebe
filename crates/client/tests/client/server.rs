//! A server that verifies every signature, records every request, and responds by a script.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; what panics here fails the call that the test waits for"
)]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use oncharge_client::{Client, RetryPolicy};
use oncharge_domain::signing::{SignedRequest, SigningKey};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

pub(crate) const KEY: &str = "oc_key_of_the_test";
pub(crate) const SECRET: &str = "oc_secret_of_the_test";

/// A received request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordedRequest {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) body: String,
    /// Whether key, timestamp and signature were correct.
    pub(crate) authentic: bool,
}

/// The reaction to the next request.
pub(crate) enum Behavior {
    /// Responds with a status, further header lines (each with its line end), and a body.
    Respond(u16, &'static str, String),
    /// Closes the connection without a response.
    HangUp,
}

impl Behavior {
    pub(crate) fn response(status: u16, body: impl Into<String>) -> Self {
        Self::Respond(status, "", body.into())
    }
}

/// The server; stops with the test.
pub(crate) struct Server {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Behavior>,
    requests: Vec<RecordedRequest>,
}

impl Server {
    /// Starts with a script; the connection of any further request is closed.
    pub(crate) async fn start(script: impl IntoIterator<Item = Behavior>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            script: script.into_iter().collect(),
            requests: Vec::new(),
        }));
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self {
            url,
            state,
            _tasks: tasks,
        }
    }

    /// A client of this server with delays of milliseconds between its attempts.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, KEY, SECRET)
            .unwrap()
            .with_retries(RetryPolicy {
                attempts: 4,
                initial_delay: Duration::from_millis(2),
                max_delay: Duration::from_secs(2),
            })
    }

    /// The requests received so far.
    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.state.lock().unwrap().requests.clone()
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let behavior = {
            let mut state = state.lock().unwrap();
            state.requests.push(request);
            state.script.pop_front()
        };
        let Some(Behavior::Respond(status, headers, body)) = behavior else {
            return;
        };
        let length = body.len();
        let response = format!(
            "HTTP/1.1 {status} Whatever\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        stream
            .get_mut()
            .write_all(response.as_bytes())
            .await
            .unwrap();
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<RecordedRequest> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let mut parts = line.split(' ').map(str::to_owned);
    let (method, target) = (parts.next()?, parts.next()?);
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let header = |name: &str| {
        let found = headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    };
    let length = header("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let timestamp = header("x-oncharge-timestamp")?;
    let signed = SignedRequest {
        timestamp: &timestamp,
        method: &method,
        target: &target,
        body: &body,
    };
    let authentic = header("x-oncharge-key").as_deref() == Some(KEY)
        && SigningKey::of_secret(SECRET).verify(&signed, &header("x-oncharge-signature")?)
        && timestamp
            .parse::<i64>()
            .is_ok_and(|seconds| seconds > 1_700_000_000)
        && (body.is_empty() || header("content-type").as_deref() == Some("application/json"));
    Some(RecordedRequest {
        idempotency_key: header("idempotency-key"),
        authentic,
        method,
        target,
        body: String::from_utf8(body).unwrap(),
    })
}
