//! Closes the listening socket for a while, so that connecting is refused, and reopens it on the
//! same port.
//!
//! Actix cannot close its socket and continue, so each opening starts a new server instance over
//! the same [`Simulator`].

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use tokio::net::TcpSocket;
use tokio::sync::{mpsc, watch};

use super::connections::Connections;
use super::listener_control::Outage;
use super::spawn;
use crate::app::Simulator;
use crate::routes;

/// Maximum number of connections waiting to be accepted.
const BACKLOG: u32 = 1_024;
const WORKERS: usize = 2;
/// How long a response in progress may take after the listener is closed, in seconds.
const SHUTDOWN_SECONDS: u64 = 5;
/// Interval between attempts to bind a port that is taken.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Opens a listening socket on `address`; port 0 selects a free one.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // Connections of a previous socket may linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// The task that owns the listener.
pub(crate) struct ListenerTask {
    address: SocketAddr,
    simulator: web::Data<Simulator>,
    instance: ServerInstance,
}

impl ListenerTask {
    /// Opens the listener for the first time.
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

    /// Closes and reopens the listener on request, until the simulator stops.
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
            tracing::info!(?outage.period, "the port is closed by the fault refuse_connections_ms");
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

/// Reopens the listener; retries while another process has the port.
async fn reopen(address: SocketAddr, simulator: &web::Data<Simulator>) -> ServerInstance {
    loop {
        let result =
            bind(address).and_then(|listener| ServerInstance::new(listener, simulator.clone()));
        match result {
            Ok(instance) => return instance,
            Err(error) => tracing::warn!(%error, %address, "cannot reopen the port, retrying"),
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

/// One actix server, from opening the listener to closing it.
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
                .wrap(from_fn(routes::host_guard))
                .wrap(routes::default_headers())
                .configure(routes::routes)
        })
        .on_connect(move |stream, extensions| registry.register(stream, extensions))
        .workers(WORKERS)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run();
        let handle = server.handle();
        // The server runs until it is stopped through its handle.
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

    /// Closes the socket and cuts all connections except `except`, whose response is still sent.
    /// Returns once connecting is refused.
    async fn close(&self, address: SocketAddr, except: Option<u64>) {
        // This call only initiates the stop. It completes after the last response is sent, which in
        // turn waits for this function.
        drop(self.server.stop(true));
        self.connections.close(except);
        let address = super::local_address(address);
        while TcpStream::connect_timeout(&address, RETRY_INTERVAL).is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Closes the socket and all connections at once.
    async fn stop(&self) {
        self.connections.close(None);
        self.server.stop(false).await;
    }
}
