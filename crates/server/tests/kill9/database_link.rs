//! The connection between a node and its database, which can fail.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};

use crate::plan::LinkFault;

const BACKLOG: u32 = 256;
/// Poll interval for the state of the link.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Forwards to a database, with faults on request.
pub(crate) struct DatabaseLink {
    /// The listening address.
    pub(crate) address: SocketAddr,
    state: watch::Sender<Option<LinkFault>>,
}

impl DatabaseLink {
    /// Starts forwarding to this address.
    pub(crate) fn start(target: String) -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (state, faults) = watch::channel(None);
        tokio::spawn(serve(listener, target, faults));
        Self { address, state }
    }

    /// Sets or removes a fault. Removing the mute fault closes its connections. Returns once new
    /// connections are refused, or accepted again, as requested.
    pub(crate) async fn set(&self, state: Option<LinkFault>) {
        let previous = self.state.send_replace(state);
        let refused = state == Some(LinkFault::Absent);
        if previous == Some(LinkFault::Absent) || refused {
            while TcpStream::connect(self.address).await.is_err() != refused {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Earlier connections may linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Binds the port, except while the database is absent.
async fn serve(
    mut listener: TcpListener,
    target: String,
    mut state: watch::Receiver<Option<LinkFault>>,
) {
    let address = listener.local_addr().unwrap();
    loop {
        let fault = *state.borrow_and_update();
        if fault == Some(LinkFault::Absent) {
            drop(listener);
            if state
                .wait_for(|fault| *fault != Some(LinkFault::Absent))
                .await
                .is_err()
            {
                return;
            }
            listener = loop {
                match listen(address) {
                    Ok(listener) => break listener,
                    Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
                }
            };
            continue;
        }
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                if fault == Some(LinkFault::Cut) {
                    continue;
                }
                let (target, state) = (target.clone(), state.clone());
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(target).await {
                        forward(client, server, state).await;
                    }
                });
            }
            changed = state.changed() => if changed.is_err() { return },
        }
    }
}

async fn forward(
    client: TcpStream,
    server: TcpStream,
    mut state: watch::Receiver<Option<LinkFault>>,
) {
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
                if *state.borrow() == Some(LinkFault::Mute) {
                    has_dropped_bytes = true;
                } else if has_dropped_bytes || to_client.write_all(&bytes[..count]).await.is_err() {
                    break;
                }
            }
            changed = state.changed() => {
                let fault = *state.borrow_and_update();
                let is_over = matches!(fault, Some(LinkFault::Cut | LinkFault::Absent));
                if changed.is_err() || is_over || (fault.is_none() && has_dropped_bytes) {
                    break;
                }
            }
        }
    }
    up.abort();
}
