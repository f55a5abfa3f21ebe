//! A signed request that tests can make invalid in every way.

use oncharge_domain::signing::{SignedRequest, SigningKey};
use oncharge_testkit::http::{self, Response};

use super::{Pair, TestApp};

/// A request under construction.
#[derive(Clone)]
pub(crate) struct Request<'a> {
    app: &'a TestApp,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
    pair: Option<Pair>,
    timestamp: String,
    edits: Vec<Edit>,
}

/// The text of a timestamp.
pub(crate) struct Timestamp(String);

impl From<i64> for Timestamp {
    fn from(seconds: i64) -> Self {
        Self(seconds.to_string())
    }
}

impl From<&str> for Timestamp {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[derive(Clone)]
enum Edit {
    Set(String, Vec<u8>),
    Add(String, Vec<u8>),
    Drop(String),
}

impl<'a> Request<'a> {
    pub(super) fn new(app: &'a TestApp, method: &str, target: &str, body: Vec<u8>) -> Self {
        Self {
            app,
            method: method.to_owned(),
            target: target.to_owned(),
            body,
            pair: Some(app.pair.clone()),
            timestamp: app.now().to_string(),
            edits: Vec::new(),
        }
    }

    /// Removes the three signing headers.
    pub(crate) fn unsigned(mut self) -> Self {
        self.pair = None;
        self
    }

    /// Signs with this pair.
    pub(crate) fn by(mut self, pair: &Pair) -> Self {
        self.pair = Some(pair.clone());
        self
    }

    /// Signs with this timestamp.
    pub(crate) fn at(mut self, timestamp: impl Into<Timestamp>) -> Self {
        self.timestamp = timestamp.into().0;
        self
    }

    /// Replaces this header, after signing.
    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        self.edit(Edit::Set(name.to_owned(), value.into()))
    }

    /// Adds this header, after signing.
    pub(crate) fn add(self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.edit(Edit::Add(name.to_owned(), value.into()))
    }

    /// Removes this header, after signing.
    pub(crate) fn without(self, name: &str) -> Self {
        self.edit(Edit::Drop(name.to_owned()))
    }

    fn edit(mut self, edit: Edit) -> Self {
        self.edits.push(edit);
        self
    }

    /// Head and body as sent.
    pub(crate) fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let mut headers: Vec<(String, Vec<u8>)> = vec![
            ("Host".to_owned(), self.app.address.to_string().into()),
            ("Connection".to_owned(), "close".into()),
            (
                "Content-Length".to_owned(),
                self.body.len().to_string().into(),
            ),
        ];
        if let Some(pair) = &self.pair {
            let signed = SignedRequest {
                timestamp: &self.timestamp,
                method: &self.method,
                target: &self.target,
                body: &self.body,
            };
            let signature = SigningKey::of_secret(&pair.secret).sign(&signed);
            headers.push(("X-Oncharge-Key".to_owned(), pair.key.clone().into()));
            headers.push((
                "X-Oncharge-Timestamp".to_owned(),
                self.timestamp.clone().into(),
            ));
            headers.push(("X-Oncharge-Signature".to_owned(), signature.into()));
        }
        for edit in &self.edits {
            match edit {
                Edit::Set(name, value) => {
                    headers.retain(|(one, _)| !one.eq_ignore_ascii_case(name));
                    headers.push((name.clone(), value.clone()));
                }
                Edit::Add(name, value) => headers.push((name.clone(), value.clone())),
                Edit::Drop(name) => headers.retain(|(one, _)| !one.eq_ignore_ascii_case(name)),
            }
        }
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(&value);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        (head, self.body.clone())
    }

    /// Sends it.
    pub(crate) async fn send(self) -> Response {
        let (head, body) = self.bytes();
        let whole = [head, body].concat();
        http::send(self.app.address, &whole).await
    }

    /// Sends the head and only this many bytes of the body, and waits.
    pub(crate) async fn send_part(self, length: usize) -> Response {
        let (head, body) = self.bytes();
        let part = [head, body[..length].to_vec()].concat();
        http::send(self.app.address, &part).await
    }

    /// Sends the body in chunks of this size, without a `Content-Length`.
    pub(crate) async fn send_chunked(self, size: usize) -> Response {
        let body = self.body.clone();
        let request = self
            .without("Content-Length")
            .set("Transfer-Encoding", "chunked");
        let (mut whole, _) = request.bytes();
        for chunk in body.chunks(size) {
            whole.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            whole.extend_from_slice(chunk);
            whole.extend_from_slice(b"\r\n");
        }
        whole.extend_from_slice(b"0\r\n\r\n");
        http::send(request.app.address, &whole).await
    }

    /// Sends it unchanged, with this request line.
    pub(crate) async fn send_with_line(self, line: &str) -> Response {
        let (head, body) = self.bytes();
        let end = head
            .windows(2)
            .position(|window| window == b"\r\n")
            .unwrap();
        let whole = [line.as_bytes(), &head[end..], &body].concat();
        http::send(self.app.address, &whole).await
    }
}
