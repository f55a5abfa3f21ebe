//! A minimal keep-alive HTTP/1.1 client: the measurement is of the server, not of the client.

use std::{net::SocketAddr, pin::pin};

use anyhow::{Context, bail, ensure};
use futures_util::future::{Either, select};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A request with its whole body.
pub(crate) type OutgoingRequest = Request<Full<Bytes>>;
/// The sending half of a connection.
pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// Opens a connection and runs `work` on it; both run in the caller's task, so that no request
/// waits for another thread to wake up.
pub(crate) async fn with_connection<T>(
    address: SocketAddr,
    work: impl AsyncFnOnce(Sender) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("no {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    match select(pin!(work(sender)), pin!(connection)).await {
        Either::Left((result, _)) => result,
        Either::Right((connection_result, work)) => {
            // The work may still have to process its last response.
            match work.await {
                Ok(result) => Ok(result),
                Err(error) => Err(connection_result.err().map_or(error, anyhow::Error::from)),
            }
        }
    }
}

/// Sends a request; returns status and body of the response.
pub(crate) async fn send(
    sender: &mut Sender,
    request: OutgoingRequest,
) -> anyhow::Result<(StatusCode, Bytes)> {
    sender.ready().await?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok((head.status, body.collect().await?.to_bytes()))
}

/// Sends a request on a new connection; returns the response body as text.
pub(crate) async fn fetch(address: SocketAddr, request: OutgoingRequest) -> anyhow::Result<String> {
    let target = request.uri().clone();
    let response = with_connection(address, async |mut sender| send(&mut sender, request).await);
    let (status, body) = response.await?;
    ensure!(status.is_success(), "{target} returned {status}");
    Ok(String::from_utf8(body.to_vec())?)
}

/// Sends a request that must be answered with this status and a JSON body.
pub(crate) async fn expect_json(
    sender: &mut Sender,
    request: OutgoingRequest,
    expected: StatusCode,
) -> anyhow::Result<Value> {
    let target = request.uri().clone();
    let (status, body) = send(sender, request).await?;
    if status != expected {
        bail!(
            "{target} returned {status}: {}",
            String::from_utf8_lossy(&body)
        );
    }
    Ok(serde_json::from_slice(&body)?)
}

/// The address in a URL of the form `http://127.0.0.1:PORT`.
pub(crate) fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let address = url
        .strip_prefix("http://")
        .and_then(|rest| rest.parse().ok());
    address.with_context(|| format!("{url} is not http://ADDRESS:PORT"))
}
