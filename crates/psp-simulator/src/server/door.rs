//! The listening socket: it can be closed for a while, so that a connect is refused, and opens again
//! by itself on the same port.
//!
//! Actix cannot close its socket and go on, so each opening of the door is a server of its own over
//! the same [`Simulator`].

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use tokio::net::TcpSocket;
use tokio::sync::{mpsc, oneshot, watch};

use super::connections::Connections;
use super::spawn;
use crate::app::{self, Simulator};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;
const WORKERS: usize = 2;
/// How long an answer that is being sent may still take once the door is closed, in seconds.
const LAST_ANSWER: u64 = 5;
/// How often a port that is taken is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// A wish to have the door closed for a while.
pub(crate) struct Outage {
    period: Duration,
    /// The connection over which the wish came and its answer goes.
    spared: Option<u64>,
    closed: oneshot::Sender<()>,
}

/// Where handlers ask for the door to be closed.
pub(crate) struct Door(mpsc::Sender<Outage>);

impl Door {
    /// A door and what its keeper listens to.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Outage>) {
        let (wishes, outages) = mpsc::channel(1);
        (Self(wishes), outages)
    }

    /// Closes the door for `period` and cuts all connections but `spared`. Returns as soon as a
    /// connect is refused; the door opens by itself.
    pub(crate) async fn close_for(&self, period: Duration, spared: Option<u64>) {
        let (closed, has_closed) = oneshot::channel();
        if self
            .0
            .send(Outage {
                period,
                spared,
                closed,
            })
            .await
            .is_ok()
        {
            let _ = has_closed.await;
        }
    }
}

/// Opens a listening socket on `address`; port 0 takes a free one.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // The port may have been in use a moment ago, by connections that linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// The task that holds the door.
pub(crate) struct Keeper {
    address: SocketAddr,
    simulator: web::Data<Simulator>,
    opening: Opening,
}

impl Keeper {
    /// Opens the door for the first time.
    pub(crate) fn open(
        listener: TcpListener,
        address: SocketAddr,
        simulator: web::Data<Simulator>,
    ) -> std::io::Result<Self> {
        let opening = Opening::new(listener, simulator.clone())?;
        Ok(Self {
            address,
            simulator,
            opening,
        })
    }

    /// Closes and opens the door as wished, until the simulator stops.
    pub(crate) async fn keep(
        mut self,
        mut outages: mpsc::Receiver<Outage>,
        mut stopped: watch::Receiver<bool>,
    ) {
        loop {
            let outage = tokio::select! {
                Some(outage) = outages.recv() => outage,
                _ = stopped.changed() => return self.opening.stop().await,
            };
            self.opening.close(self.address, outage.spared).await;
            let _ = outage.closed.send(());
            tracing::info!(?outage.period, "the door is closed by a fault");
            tokio::select! {
                () = tokio::time::sleep(outage.period) => {}
                _ = stopped.changed() => return,
            }
            tokio::select! {
                opening = reopen(self.address, &self.simulator) => self.opening = opening,
                _ = stopped.changed() => return,
            }
        }
    }
}

/// Opens the door again; a port that somebody else took meanwhile is waited for.
async fn reopen(address: SocketAddr, simulator: &web::Data<Simulator>) -> Opening {
    loop {
        let opened = bind(address).and_then(|listener| Opening::new(listener, simulator.clone()));
        match opened {
            Ok(opening) => return opening,
            Err(error) => tracing::warn!(%error, %address, "the door cannot be opened yet"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// One server, from an opening of the door to its closing.
struct Opening {
    server: ServerHandle,
    connections: Connections,
}

impl Opening {
    fn new(listener: TcpListener, simulator: web::Data<Simulator>) -> std::io::Result<Self> {
        let connections = Connections::default();
        let noted = connections.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(simulator.clone())
                .wrap(from_fn(app::guard))
                .wrap(app::headers())
                .configure(app::routes)
        })
        .on_connect(move |stream, extensions| noted.note(stream, extensions))
        .workers(WORKERS)
        .shutdown_timeout(LAST_ANSWER)
        .disable_signals()
        .listen(listener)?
        .run();
        let handle = server.handle();
        // The server ends when its handle stops it, which its keeper does.
        drop(spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the HTTP server failed");
            }
        }));
        Ok(Self {
            server: handle,
            connections,
        })
    }

    /// Closes the socket and cuts all connections but `spared`, whose answer is still sent. Returns
    /// once a connect is refused.
    async fn close(&self, address: SocketAddr, spared: Option<u64>) {
        // The request to stop is made here; it is complete only when the last answer is sent, which
        // in turn waits for this function.
        drop(self.server.stop(true));
        self.connections.close(spared);
        let address = super::reachable(address);
        while TcpStream::connect_timeout(&address, RETRY).is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Closes everything at once.
    async fn stop(&self) {
        self.connections.close(None);
        self.server.stop(false).await;
    }
}
