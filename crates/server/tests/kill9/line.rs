//! The line between a node and its database, which can break.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::plan::Break;

/// Forwards to a database until it is told to break.
pub(crate) struct Line {
    /// Where it listens: `host:port`.
    pub(crate) address: String,
    state: watch::Sender<Option<Break>>,
}

impl Line {
    /// Starts forwarding to this address.
    pub(crate) async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (state, watched) = watch::channel(None);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watched.borrow() == Some(Break::Cut) {
                    continue;
                }
                if let Ok(server) = TcpStream::connect(&target).await {
                    tokio::spawn(forward(client, server, watched.clone()));
                }
            }
        });
        Self { address, state }
    }

    /// Breaks, or is whole again. Connections that were mute are closed then.
    pub(crate) fn set(&self, state: Option<Break>) {
        self.state.send_replace(state);
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
                if changed.is_err() || now == Some(Break::Cut) || (now.is_none() && has_lost_words) {
                    break;
                }
            }
        }
    }
    up.abort();
}
