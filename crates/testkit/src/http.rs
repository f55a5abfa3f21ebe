//! A minimal HTTP client that sends exactly the given bytes.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// Maximum duration of an exchange.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A response.
pub struct Response {
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body; the chunks of a chunked one are not joined.
    pub body: Vec<u8>,
}

impl Response {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let (head, body) = bytes.split_at_checked(end)?;
        let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Some(Self {
            status,
            headers: lines.map(header).collect(),
            body: body.get(4..)?.to_vec(),
        })
    }

    /// The value of a header; panics if the header occurs twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(one, _)| one == name);
        let (_, value) = values.next()?;
        assert!(values.next().is_none(), "{name} occurs twice");
        Some(value)
    }

    /// The names of all headers, in lower case.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Status and error code.
    pub fn refusal(&self) -> (u16, String) {
        let json = self.json();
        let code = json.get("error").and_then(Value::as_str);
        (self.status, code.unwrap_or_default().to_owned())
    }

    /// The fields in the `details` of an error.
    pub fn fields(&self) -> Vec<String> {
        let json = self.json();
        let details = json.get("details").and_then(Value::as_array);
        let field = |one: &Value| one.get("field").and_then(Value::as_str).unwrap().to_owned();
        details.into_iter().flatten().map(field).collect()
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} {:?}", self.status, self.headers)?;
        f.write_str(&String::from_utf8_lossy(&self.body))
    }
}

/// Sends a request without a body: this head, without its last line break, and
/// `Connection: close`.
pub async fn send_head(address: SocketAddr, head: &str) -> Response {
    let head = format!("{head}\r\nConnection: close\r\n\r\n");
    send(address, head.as_bytes()).await
}

/// Sends these bytes, and reads until the response is complete or the server closes the connection.
pub async fn send(address: SocketAddr, bytes: &[u8]) -> Response {
    let (mut from, mut to) = TcpStream::connect(address).await.unwrap().into_split();
    let write = async {
        // A server may refuse before it has read everything.
        let _ = to.write_all(bytes).await;
        // The connection stays open while the client waits for the response.
        std::future::pending::<()>().await;
    };
    let mut received = Vec::new();
    let read = async {
        // A reset after the response counts as a close.
        let mut chunk = Vec::with_capacity(8192);
        while let Ok(1..) = from.read_buf(&mut chunk).await {
            received.append(&mut chunk);
            if is_complete(&received) {
                break;
            }
        }
    };
    let exchange = async {
        tokio::select! { () = write => {}, () = read => {} }
    };
    let in_time = timeout(TIMEOUT, exchange).await;
    in_time.expect("a response within 30 s");
    Response::parse(&received)
        .unwrap_or_else(|| panic!("no response: {}", String::from_utf8_lossy(&received)))
}

fn is_complete(received: &[u8]) -> bool {
    let Some(response) = Response::parse(received) else {
        return false;
    };
    let length = response
        .header("content-length")
        .and_then(|text| text.parse::<usize>().ok());
    length.is_some_and(|length| response.body.len() >= length)
}
