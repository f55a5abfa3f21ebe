//! A minimal HTTP client that sends exactly the given bytes.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// A response.
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The value of a header; panics if the header occurs twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(one, _)| one == name);
        let (_, value) = values.next()?;
        assert!(values.next().is_none(), "{name} came twice");
        Some(value)
    }

    /// The names of all headers, in lower case.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Status and error code.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let code = self.json()["error"].as_str().unwrap_or_default().to_owned();
        (self.status, code)
    }

    /// The fields in `details`.
    pub(crate) fn fields(&self) -> Vec<String> {
        let json = self.json();
        let details = json["details"].as_array().cloned().unwrap_or_default();
        details
            .iter()
            .map(|one| one["field"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} {:?}", self.status, self.headers)?;
        f.write_str(&String::from_utf8_lossy(&self.body))
    }
}

/// Sends these pieces with a pause after each, and reads until the server closes the connection.
pub(crate) async fn exchange(address: SocketAddr, chunks: &[&[u8]], pause: Duration) -> Response {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let send = async {
        for (number, part) in chunks.iter().enumerate() {
            if number > 0 {
                tokio::time::sleep(pause).await;
            }
            // A server may refuse before it has read everything.
            if to.write_all(part).await.is_err() {
                return;
            }
        }
        // The connection stays open while the client waits for the response.
        std::future::pending::<()>().await;
    };
    let mut bytes = Vec::new();
    let read = async {
        // A reset after the response counts as a close.
        let mut chunk = vec![0; 8192];
        while let Ok(length @ 1..) = from.read(&mut chunk).await {
            bytes.extend_from_slice(&chunk[..length]);
            if is_complete(&bytes) {
                break;
            }
        }
    };
    let both = async {
        tokio::select! { () = send => {}, () = read => {} }
    };
    timeout(Duration::from_secs(30), both)
        .await
        .expect("a response within 30 s");
    parse(&bytes).unwrap_or_else(|| panic!("no response: {}", String::from_utf8_lossy(&bytes)))
}

fn is_complete(bytes: &[u8]) -> bool {
    let Some(response) = parse(bytes) else {
        return false;
    };
    let length = response
        .header("content-length")
        .and_then(|text| text.parse::<usize>().ok());
    length.is_some_and(|length| response.body.len() >= length)
}

fn parse(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let (line, rest) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let headers = rest
        .split("\r\n")
        .filter(|line| !line.is_empty())
        .map(header)
        .collect();
    Some(Response {
        status,
        headers,
        body: bytes[end + 4..].to_vec(),
    })
}
