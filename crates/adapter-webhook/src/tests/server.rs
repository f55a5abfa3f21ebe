//! A merchant's server, well-behaved or not.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader,
    },
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// A port that refuses connections as long as the socket is kept.
pub(super) fn closed_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// The server's response to each request.
#[derive(Clone, Debug)]
pub(super) enum Behavior {
    /// Writes this and waits for the next request.
    Respond(String),
    /// Writes this and closes the connection.
    RespondAndClose(String),
    /// Closes each connection before reading anything.
    CloseImmediately,
    /// Neither reads nor writes anything.
    Hang,
    /// Writes the first text, then the second repeatedly, with pauses.
    Drip(&'static str, &'static str),
    /// Writes the first text, then as much as the client accepts.
    Flood(&'static str),
}

/// One request as received.
#[derive(Debug)]
pub(super) struct Request {
    /// The request line and the headers, with their line ends.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// The value of a header, whose name is case-insensitive.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    pub(super) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }
}

/// A server that ends with the test.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Request>,
    counts: Arc<Counts>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    bytes_written: AtomicUsize,
}

impl Server {
    pub(super) async fn start(behavior: Behavior) -> Self {
        Self::start_on("127.0.0.1:0", behavior, None).await
    }

    pub(super) async fn start_tls(behavior: Behavior, tls: rustls::ServerConfig) -> Self {
        Self::start_on("127.0.0.1:0", behavior, Some(Arc::new(tls).into())).await
    }

    pub(super) async fn start_on(
        address: &str,
        behavior: Behavior,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        let counts = Arc::new(Counts::default());
        let mut tasks = JoinSet::new();
        let counted = Arc::clone(&counts);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.connections.fetch_add(1, Ordering::Relaxed);
                let (behavior, tls) = (behavior.clone(), tls.clone());
                let (sender, counted) = (sender.clone(), Arc::clone(&counted));
                connections.spawn(accept(stream, tls, behavior, (sender, counted)));
            }
        });
        Self {
            address,
            requests,
            counts,
            _tasks: tasks,
        }
    }

    /// The server's URL with this path and query.
    pub(super) fn url(&self, rest: &str) -> String {
        format!("http://{}{rest}", self.address)
    }

    /// The server's URL with this scheme and host name.
    pub(super) fn url_of(&self, scheme: &str, name: &str) -> String {
        format!("{scheme}://{name}:{}/", self.address.port())
    }

    /// The next request; panics if none arrives within ten seconds.
    pub(super) async fn next(&mut self) -> Request {
        let next = tokio::time::timeout(Duration::from_secs(10), self.requests.recv());
        next.await.unwrap().unwrap()
    }

    /// Number of accepted connections.
    pub(super) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Number of bytes written in a flood.
    pub(super) fn bytes_written(&self) -> usize {
        self.counts.bytes_written.load(Ordering::Relaxed)
    }
}

type Recorder = (mpsc::UnboundedSender<Request>, Arc<Counts>);

async fn accept(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    behavior: Behavior,
    recorder: Recorder,
) {
    match behavior {
        Behavior::CloseImmediately => return,
        Behavior::Hang => std::future::pending().await,
        _ => {}
    }
    match tls {
        None => serve(stream, behavior, recorder).await,
        // A client that does not trust the certificate ends the handshake.
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, behavior, recorder).await;
            }
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    behavior: Behavior,
    (sender, counts): Recorder,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let _ = sender.send(request);
        let stream = stream.get_mut();
        match &behavior {
            Behavior::Respond(text) => write(stream, text).await,
            Behavior::RespondAndClose(text) => {
                write(stream, text).await;
                let _ = stream.shutdown().await;
                return;
            }
            Behavior::CloseImmediately | Behavior::Hang => return,
            Behavior::Drip(first, repeated) => {
                write(stream, first).await;
                while stream.write_all(repeated.as_bytes()).await.is_ok() {
                    let _ = stream.flush().await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Behavior::Flood(first) => {
                write(stream, first).await;
                while let Ok(count) = stream.write(&[b'x'; 8192]).await {
                    counts.bytes_written.fetch_add(count, Ordering::Relaxed);
                }
            }
        }
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.flush().await;
}

/// Reads the next request on a connection; `None` if it was closed.
async fn read<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<Request> {
    let mut request = Request {
        head: String::new(),
        body: Vec::new(),
    };
    while !request.head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut request.head).await.ok()? == 0 {
            return None;
        }
    }
    let length = request.header("content-length")?.parse().ok()?;
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}
