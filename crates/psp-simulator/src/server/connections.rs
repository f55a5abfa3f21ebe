//! The open connections of a server, so that a fault can cut one or all of them without a response.

use std::any::Any;
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::dev::Extensions;

/// All open connections of one server instance.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<OpenConnections>>);

#[derive(Default)]
struct OpenConnections {
    /// A duplicate handle of each connection's socket; shutting it down cuts the connection.
    sockets: HashMap<u64, TcpStream>,
    last_id: u64,
    /// The listener is closed: connections accepted in the meantime are cut at once.
    closed: bool,
}

impl Connections {
    /// Registers a new connection; its entry is stored in the extensions, which actix drops with
    /// the connection.
    pub(crate) fn register(&self, stream: &dyn Any, extensions: &mut Extensions) {
        let Some(stream) = stream.downcast_ref::<actix_web::rt::net::TcpStream>() else {
            return;
        };
        let Ok(handle) = stream.as_fd().try_clone_to_owned() else {
            return;
        };
        let socket = TcpStream::from(handle);
        let mut open = self.lock();
        if open.closed {
            let _ = socket.shutdown(Shutdown::Both);
            return;
        }
        open.last_id += 1;
        let id = open.last_id;
        open.sockets.insert(id, socket);
        extensions.insert(Connection {
            id,
            connections: self.clone(),
        });
    }

    /// Cuts all connections except `except`, and every new one from now on.
    pub(crate) fn close(&self, except: Option<u64>) {
        let mut open = self.lock();
        open.closed = true;
        for (id, socket) in &open.sockets {
            if Some(*id) != except {
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection of a request.
pub(crate) struct Connection {
    id: u64,
    connections: Connections,
}

impl Connection {
    /// Its number within this server instance.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// Shuts the connection down in both directions. Later writes to it are lost.
    pub(crate) fn abort(&self) {
        if let Some(socket) = self.connections.lock().sockets.get(&self.id) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.lock().sockets.remove(&self.id);
    }
}
