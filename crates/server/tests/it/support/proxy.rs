//! A TCP proxy in front of the PSP that can hold back replies, to crash a server between the call
//! to the PSP and the storage of its response.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
};

/// Forwards to a target; while it holds, it reads replies from the target and keeps them.
pub(crate) struct Proxy {
    pub(crate) url: String,
    hold: watch::Sender<bool>,
    held: Arc<Notify>,
}

impl Proxy {
    /// Starts forwarding to this URL's host and port.
    pub(crate) async fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (hold, is_holding) = watch::channel(false);
        let kept_back = Arc::new(Notify::new());
        let target = target.trim_start_matches("http://").to_owned();
        let notify = kept_back.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(
                    client,
                    target.clone(),
                    is_holding.clone(),
                    notify.clone(),
                ));
            }
        });
        Self {
            url,
            hold,
            held: kept_back,
        }
    }

    /// Holds back replies from now on.
    pub(crate) fn hold(&self) {
        self.hold.send(true).unwrap();
    }

    /// Waits until a reply is held back: the PSP has executed the request.
    pub(crate) async fn wait_until_reply_is_held(&self) {
        self.held.notified().await;
    }

    /// Forwards again; held replies are dropped with their connections.
    pub(crate) fn release(&self) {
        self.hold.send(false).unwrap();
    }
}

async fn forward(
    client: TcpStream,
    target: String,
    mut holding: watch::Receiver<bool>,
    held: Arc<Notify>,
) {
    let Ok(server) = TcpStream::connect(&target).await else {
        return;
    };
    let (mut client_in, mut client_out) = client.into_split();
    let (mut server_in, mut server_out) = server.into_split();
    let up = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut client_in, &mut server_out).await;
    });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count) = server_in.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        if *holding.borrow() {
            held.notify_one();
            let _ = holding.wait_for(|hold| !*hold).await;
            break;
        }
        if client_out.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    up.abort();
}
