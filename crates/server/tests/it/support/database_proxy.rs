//! A TCP proxy in front of a database; while it is closed, the database is unreachable.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A TCP proxy that starts closed.
pub(crate) struct DatabaseProxy {
    /// The URL of the database through this port.
    pub(crate) url: String,
    target: String,
    socket: Option<Socket>,
    open: watch::Sender<bool>,
}

impl DatabaseProxy {
    /// A closed proxy of the database at this URL: connections are refused.
    pub(crate) fn closed(database_url: &str) -> Self {
        let config: tokio_postgres::Config = database_url.parse().unwrap();
        let [tokio_postgres::config::Host::Tcp(host)] = config.get_hosts() else {
            panic!("the URL needs one TCP host");
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let target = format!("{host}:{port}");
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        let ours = socket.local_addr().unwrap().as_socket().unwrap();
        Self {
            url: database_url.replace(&target, &ours.to_string()),
            target,
            socket: Some(socket),
            open: watch::Sender::new(false),
        }
    }

    /// Lets connections through.
    pub(crate) fn open(&mut self) {
        self.open.send_replace(true);
        let Some(socket) = self.socket.take() else {
            return;
        };
        socket.listen(128).unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(socket.into()).unwrap();
        let (target, open) = (self.target.clone(), self.open.subscribe());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target.clone(), open.clone()));
            }
        });
    }

    /// Closes all connections, and each new one at once.
    pub(crate) fn close(&self) {
        self.open.send_replace(false);
    }
}

async fn pass(mut client: TcpStream, target: String, mut open: watch::Receiver<bool>) {
    if !*open.borrow_and_update() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = open.wait_for(|is_open| !is_open) => {}
    }
}
