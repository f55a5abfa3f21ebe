//! A proxy in front of PostgreSQL that reads the store's messages and closes connections on
//! request.
#![expect(
    clippy::disallowed_methods,
    reason = "the proxy's tasks end with the test's runtime"
)]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
};

/// The fault for the next message that starts with a given text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The message is dropped, and the connection closed.
    CloseBefore,
    /// The message is forwarded; its response is dropped, and the connection closed.
    CloseAfter,
    /// The message is held back, and the connection stays open.
    Hold,
}

/// A listening proxy; new connections use [`Proxy::url`].
pub(crate) struct Proxy {
    pub(crate) url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The statements that were sent to be parsed.
    parsed: Mutex<Vec<String>>,
    planned: Mutex<Option<(&'static str, Fault)>>,
    held: Notify,
    /// Number of statements that must arrive before a response is forwarded.
    awaited: AtomicUsize,
    statement_sent: Notify,
}

impl Proxy {
    /// A proxy in front of the server at this URL.
    pub(crate) async fn before(url: &str) -> Self {
        let config: tokio_postgres::Config = url.parse().unwrap();
        let [tokio_postgres::config::Host::Tcp(host)] = config.get_hosts() else {
            panic!("the proxy needs one TCP host");
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let target = format!("{host}:{port}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State::default());
        let url = url.replace(&target, &address);
        tokio::spawn(listen(listener, target, Arc::clone(&state)));
        Self { url, state }
    }

    /// Plans a fault for the next simple query that starts with this text.
    pub(crate) fn plan(&self, text: &'static str, fault: Fault) {
        *self.state.planned.lock().unwrap() = Some((text, fault));
    }

    /// Waits until a message is held back.
    pub(crate) async fn held(&self) {
        self.state.held.notified().await;
    }

    /// Holds back the server's responses until this many prepared statements have arrived: a store
    /// that waits for one response before it sends the next statement hangs.
    pub(crate) fn respond_after(&self, statements: usize) {
        self.state.awaited.store(statements, Ordering::SeqCst);
    }

    /// Returns and clears the statements that were sent to be parsed.
    pub(crate) fn parsed(&self) -> Vec<String> {
        std::mem::take(&mut self.state.parsed.lock().unwrap())
    }
}

impl State {
    fn fault_for(&self, message: &[u8]) -> Option<Fault> {
        match message.first() {
            Some(b'P') => {
                // The statement's name, then its text, each terminated by a zero byte.
                let mut texts = message.get(5..)?.split(|byte| *byte == 0).skip(1);
                let text = String::from_utf8_lossy(texts.next()?).into_owned();
                self.parsed.lock().unwrap().push(text);
                None
            }
            Some(b'Q') => {
                let text = message.get(5..).unwrap_or_default();
                let mut planned = self.planned.lock().unwrap();
                let (start, fault) = (*planned)?;
                if !text.starts_with(start.as_bytes()) {
                    return None;
                }
                *planned = None;
                Some(fault)
            }
            Some(b'B') => {
                let less = |awaited: usize| awaited.checked_sub(1);
                let awaited = &self.awaited;
                let counted = awaited.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
                if counted == Ok(1) {
                    self.statement_sent.notify_one();
                }
                None
            }
            _ => None,
        }
    }

    async fn wait_for_statements(&self) {
        while self.awaited.load(Ordering::SeqCst) > 0 {
            self.statement_sent.notified().await;
        }
    }
}

async fn listen(listener: TcpListener, target: String, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect(&target).await.unwrap();
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        tokio::spawn(forward(client, server, Arc::clone(&state)));
    }
}

/// Forwards one connection in both directions; closes both ends when it returns.
async fn forward(client: TcpStream, server: TcpStream, state: Arc<State>) {
    let ((mut from_client, to_client), (from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let drops_responses = Arc::new(AtomicBool::new(false));
    let back = tokio::spawn(forward_responses(
        from_server,
        to_client,
        Arc::clone(&drops_responses),
        Arc::clone(&state),
    ));
    let (mut started, mut bytes) = (false, Vec::new());
    'line: while from_client
        .read_buf(&mut bytes)
        .await
        .is_ok_and(|read| read > 0)
    {
        while let Some(length) = length_of(&bytes, started) {
            started = true;
            let message: Vec<u8> = bytes.drain(..length).collect();
            match state.fault_for(&message) {
                Some(Fault::CloseBefore) => break 'line,
                Some(Fault::Hold) => {
                    state.held.notify_one();
                    let mut rest = Vec::new();
                    let _until_closed = from_client.read_to_end(&mut rest).await;
                    break 'line;
                }
                Some(Fault::CloseAfter) => drops_responses.store(true, Ordering::SeqCst),
                None => {}
            }
            if to_server.write_all(&message).await.is_err() {
                break 'line;
            }
        }
        if drops_responses.load(Ordering::SeqCst) {
            let _answered = back.await;
            return;
        }
    }
    back.abort();
}

/// After this fault, the server's next message ends the connection.
async fn forward_responses(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    drops_responses: Arc<AtomicBool>,
    state: Arc<State>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        state.wait_for_statements().await;
        if drops_responses.load(Ordering::SeqCst) || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// The length of the first complete message; the start-up message has no type byte before its
/// length.
fn length_of(bytes: &[u8], started: bool) -> Option<usize> {
    let kind = usize::from(started);
    let length: [u8; 4] = bytes.get(kind..kind + 4)?.try_into().unwrap();
    let length = kind + usize::try_from(u32::from_be_bytes(length)).unwrap();
    (bytes.len() >= length).then_some(length)
}
