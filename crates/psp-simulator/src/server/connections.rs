//! The open connections of a server, so that a fault can cut one or all of them without a byte.

use std::any::Any;
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::dev::Extensions;

/// All open connections of one opening of the door.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<OpenConnections>>);

#[derive(Default)]
struct OpenConnections {
    /// A second handle on each connection's socket; closing it cuts the connection.
    sockets: HashMap<u64, TcpStream>,
    last_id: u64,
    /// The door is closed: connections that were accepted meanwhile are cut at once.
    closed: bool,
}

impl Connections {
    /// Notes a new connection; actix keeps the note beside the connection and drops it with it.
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

    /// Cuts all connections but `except`, and from now on every new one.
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

/// The connection that a request came in on.
pub(crate) struct Connection {
    id: u64,
    connections: Connections,
}

impl Connection {
    /// Its number among the connections of this opening.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// Closes the connection in both directions. Whatever is written to it afterwards is lost.
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
