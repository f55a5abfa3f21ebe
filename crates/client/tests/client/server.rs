//! A server that verifies every signature, notes every request, and answers from a script.
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; what panics here fails the call that the test waits for"
)]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use oncharge_client::{Client, Retries};
use oncharge_domain::signing::{Signed, SigningKey};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

pub(crate) const KEY: &str = "oc_key_of_the_test";
pub(crate) const SECRET: &str = "oc_secret_of_the_test";

/// A request as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) body: String,
    /// Whether key, timestamp and signature were right.
    pub(crate) authentic: bool,
}

/// What to do with the next request.
pub(crate) enum Act {
    /// Answers so: status, further header lines (each with its line end), body.
    Answer(u16, &'static str, String),
    /// Closes the connection without a word.
    HangUp,
}

impl Act {
    pub(crate) fn answer(status: u16, body: impl Into<String>) -> Self {
        Self::Answer(status, "", body.into())
    }
}

/// The server; it ends with the test.
pub(crate) struct Server {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Act>,
    seen: Vec<Seen>,
}

impl Server {
    /// Started with a script; a request beyond it is hung up on.
    pub(crate) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            script: script.into_iter().collect(),
            seen: Vec::new(),
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

    /// A client of this server that waits only milliseconds between its attempts.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, KEY, SECRET)
            .unwrap()
            .with_retries(Retries {
                attempts: 4,
                first_wait: Duration::from_millis(2),
                longest_wait: Duration::from_secs(2),
            })
    }

    /// What has come in so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let act = {
            let mut state = state.lock().unwrap();
            state.seen.push(request);
            state.script.pop_front()
        };
        let Some(Act::Answer(status, headers, body)) = act else {
            return;
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} Whatever\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
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
    let signed = Signed {
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
    Some(Seen {
        idempotency_key: header("idempotency-key"),
        authentic,
        method,
        target,
        body: String::from_utf8(body).unwrap(),
    })
}
