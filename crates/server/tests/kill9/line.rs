//! The line between a node and its database, which can break.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};

use crate::plan::Break;

const BACKLOG: u32 = 256;
/// How often it is looked whether the line has become what it should be.
const LOOK: Duration = Duration::from_millis(5);

/// Forwards to a database until it is told to break.
pub(crate) struct Line {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: watch::Sender<Option<Break>>,
}

impl Line {
    /// Starts forwarding to this address.
    pub(crate) fn to(target: String) -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (state, watched) = watch::channel(None);
        tokio::spawn(keep(listener, target, watched));
        Self { address, state }
    }

    /// Breaks, or is whole again. Connections that were mute are closed then. Returns once a
    /// connect is refused, or answered again, where that is what was asked for.
    pub(crate) async fn set(&self, state: Option<Break>) {
        let before = self.state.send_replace(state);
        let refused = state == Some(Break::Absent);
        if before == Some(Break::Absent) || refused {
            while TcpStream::connect(self.address).await.is_err() != refused {
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Connections of before may linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Holds the port, except while the database is absent.
async fn keep(
    mut listener: TcpListener,
    target: String,
    mut state: watch::Receiver<Option<Break>>,
) {
    let address = listener.local_addr().unwrap();
    loop {
        let now = *state.borrow_and_update();
        if now == Some(Break::Absent) {
            drop(listener);
            if state
                .wait_for(|now| *now != Some(Break::Absent))
                .await
                .is_err()
            {
                return;
            }
            listener = loop {
                match listen(address) {
                    Ok(listener) => break listener,
                    Err(_) => tokio::time::sleep(LOOK).await,
                }
            };
            continue;
        }
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                if now == Some(Break::Cut) {
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

async fn forward(client: TcpStream, server: TcpStream, mut state: watch::Receiver<Option<Break>>) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    });
    let mut bytes = vec![0; 32 * 1024];
    let mut has_lost_words = false;
    loop {
        tokio::select! {
            read = from_server.read(&mut bytes) => {
                let Ok(count @ 1..) = read else { break };
                if *state.borrow() == Some(Break::Mute) {
                    has_lost_words = true;
                } else if has_lost_words || to_client.write_all(&bytes[..count]).await.is_err() {
                    break;
                }
            }
            changed = state.changed() => {
                let now = *state.borrow_and_update();
                let is_over = matches!(now, Some(Break::Cut | Break::Absent));
                if changed.is_err() || is_over || (now.is_none() && has_lost_words) {
                    break;
                }
            }
        }
    }
    up.abort();
}
