//! A TCP proxy in front of a database or PSP, with faults on request.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Notify, watch},
};
use url::Url;

const BACKLOG: u32 = 256;
const POSTGRES_PORT: u16 = 5432;
/// Poll interval for the state of the port.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A fault of the connection to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Existing connections are closed, and new ones at once.
    Cut,
    /// Requests are forwarded, but no responses: the outcome is unknown.
    Mute,
    /// Connections are refused.
    Absent,
}

/// Forwards connections to a target.
pub(crate) struct Proxy {
    /// The target's URL with the address of the proxy.
    pub(crate) url: String,
    pub(crate) state: Arc<State>,
    address: SocketAddr,
}

/// The state of a proxy's connections.
pub(crate) struct State {
    /// Notified when the mute fault has dropped a response.
    pub(crate) dropped_response: Notify,
    fault: watch::Sender<Option<Fault>>,
}

impl Proxy {
    /// Starts a proxy of this URL's host and port, with a fault from the beginning or without.
    pub(crate) fn start(target: &str, fault: Option<Fault>) -> Self {
        let mut url: Url = target.parse().unwrap();
        let port = url.port_or_known_default().unwrap_or(POSTGRES_PORT);
        let target = format!("{}:{port}", url.host_str().unwrap());
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(address.port())).unwrap();
        let state = Arc::new(State {
            fault: watch::Sender::new(fault),
            dropped_response: Notify::new(),
        });
        tokio::spawn(state.clone().serve(socket, target));
        Self {
            url: url.as_str().trim_end_matches('/').to_owned(),
            address,
            state,
        }
    }

    /// Sets or removes a fault. Removing the mute fault closes its connections. Returns once new
    /// connections are refused, or accepted again, as requested.
    pub(crate) async fn set(&self, fault: Option<Fault>) {
        let previous = self.state.fault.send_replace(fault);
        let refused = fault == Some(Fault::Absent);
        if previous == Some(Fault::Absent) || refused {
            while TcpStream::connect(self.address).await.is_err() != refused {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
    }
}

/// Reserves the port; connections are refused until the socket listens.
fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Earlier connections may linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl State {
    async fn serve(self: Arc<Self>, mut socket: TcpSocket, target: String) {
        let address = socket.local_addr().unwrap();
        let mut fault = self.fault.subscribe();
        loop {
            let _ = fault.wait_for(|it| *it != Some(Fault::Absent)).await;
            let listener = socket.listen(BACKLOG).unwrap();
            tokio::select! {
                () = self.clone().accept(&listener, &target) => {}
                _ = fault.wait_for(|it| *it == Some(Fault::Absent)) => {}
            }
            drop(listener);
            socket = loop {
                match bind(address) {
                    Ok(socket) => break socket,
                    Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
                }
            };
        }
    }

    async fn accept(self: Arc<Self>, listener: &TcpListener, target: &str) {
        loop {
            let Ok((client, _)) = listener.accept().await else {
                continue;
            };
            if *self.fault.borrow() == Some(Fault::Cut) {
                continue;
            }
            let (state, target) = (self.clone(), target.to_owned());
            tokio::spawn(async move {
                if let Ok(server) = TcpStream::connect(target).await {
                    state.forward(client, server).await;
                }
            });
        }
    }

    async fn forward(&self, client: TcpStream, server: TcpStream) {
        let mut state = self.fault.subscribe();
        // It may have changed since the connection was accepted.
        state.mark_changed();
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let up = tokio::spawn(async move {
            let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        });
        let mut bytes = vec![0; 32 * 1024];
        let mut has_dropped_bytes = false;
        loop {
            tokio::select! {
                read = from_server.read(&mut bytes) => {
                    let Ok(count @ 1..) = read else { break };
                    if *state.borrow() == Some(Fault::Mute) {
                        has_dropped_bytes = true;
                        self.dropped_response.notify_one();
                    } else if has_dropped_bytes
                        || to_client.write_all(&bytes[..count]).await.is_err()
                    {
                        break;
                    }
                }
                _ = state.changed() => {
                    let fault = *state.borrow_and_update();
                    let is_over = matches!(fault, Some(Fault::Cut | Fault::Absent));
                    if is_over || (fault.is_none() && has_dropped_bytes) {
                        break;
                    }
                }
            }
        }
        up.abort();
    }
}
