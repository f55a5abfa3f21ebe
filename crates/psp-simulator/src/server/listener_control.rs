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
const SHUTDOWN_SECONDS: u64 = 5;
/// How often a port that is taken is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// A wish to have the door closed for a while.
pub(crate) struct Outage {
    period: Duration,
    /// The connection over which the wish came and its answer goes.
    except: Option<u64>,
    closed: oneshot::Sender<()>,
}

/// Where handlers ask for the door to be closed.
pub(crate) struct ListenerControl(mpsc::Sender<Outage>);

impl ListenerControl {
    /// A door and what its keeper listens to.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Outage>) {
        let (sender, outages) = mpsc::channel(1);
        (Self(sender), outages)
    }

    /// Closes the door for `period` and cuts all connections but `except`. Returns as soon as a
    /// connect is refused; the door opens by itself.
    pub(crate) async fn close_for(&self, period: Duration, except: Option<u64>) {
        let (closed, closed_receiver) = oneshot::channel();
        if self
            .0
            .send(Outage {
                period,
                except,
                closed,
            })
            .await
            .is_ok()
        {
            let _ = closed_receiver.await;
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
pub(crate) struct ListenerTask {
    address: SocketAddr,
    simulator: web::Data<Simulator>,
    instance: ServerInstance,
}

impl ListenerTask {
    /// Opens the door for the first time.
    pub(crate) fn open(
        listener: TcpListener,
        address: SocketAddr,
        simulator: web::Data<Simulator>,
    ) -> std::io::Result<Self> {
        let instance = ServerInstance::new(listener, simulator.clone())?;
        Ok(Self {
            address,
            simulator,
            instance,
        })
    }

    /// Closes and opens the door as wished, until the simulator stops.
    pub(crate) async fn run(
        mut self,
        mut outages: mpsc::Receiver<Outage>,
        mut stopped: watch::Receiver<bool>,
    ) {
        loop {
            let outage = tokio::select! {
                Some(outage) = outages.recv() => outage,
                _ = stopped.changed() => return self.instance.stop().await,
            };
            self.instance.close(self.address, outage.except).await;
            let _ = outage.closed.send(());
            tracing::info!(?outage.period, "the door is closed by a fault");
            tokio::select! {
                () = tokio::time::sleep(outage.period) => {}
                _ = stopped.changed() => return,
            }
            tokio::select! {
                instance = reopen(self.address, &self.simulator) => self.instance = instance,
                _ = stopped.changed() => return,
            }
        }
    }
}

/// Opens the door again; a port that somebody else took meanwhile is waited for.
async fn reopen(address: SocketAddr, simulator: &web::Data<Simulator>) -> ServerInstance {
    loop {
        let result =
            bind(address).and_then(|listener| ServerInstance::new(listener, simulator.clone()));
        match result {
            Ok(instance) => return instance,
            Err(error) => tracing::warn!(%error, %address, "the door cannot be opened yet"),
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

/// One server, from an opening of the door to its closing.
struct ServerInstance {
    server: ServerHandle,
    connections: Connections,
}

impl ServerInstance {
    fn new(listener: TcpListener, simulator: web::Data<Simulator>) -> std::io::Result<Self> {
        let connections = Connections::default();
        let registry = connections.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(simulator.clone())
                .wrap(from_fn(app::host_guard))
                .wrap(app::default_headers())
                .configure(app::routes)
        })
        .on_connect(move |stream, extensions| registry.register(stream, extensions))
        .workers(WORKERS)
        .shutdown_timeout(SHUTDOWN_SECONDS)
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

    /// Closes the socket and cuts all connections but `except`, whose answer is still sent. Returns
    /// once a connect is refused.
    async fn close(&self, address: SocketAddr, except: Option<u64>) {
        // The request to stop is made here; it is complete only when the last answer is sent, which
        // in turn waits for this function.
        drop(self.server.stop(true));
        self.connections.close(except);
        let address = super::local_address(address);
        while TcpStream::connect_timeout(&address, RETRY_INTERVAL).is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Closes everything at once.
    async fn stop(&self) {
        self.connections.close(None);
        self.server.stop(false).await;
    }
}
