//! A port that is taken, but not answered yet.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A port of ours on which nobody is answered yet: clients are refused, as if the process were not
/// there, until [`ReservedPort::listen`]. So a port that another has is found at once, and no client
/// hangs on a process that still waits for its database.
pub(crate) struct ReservedPort(Socket);

impl ReservedPort {
    /// Takes the port; port 0 is any free one.
    ///
    /// Errors where another process listens on it, or where we may not.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        // As the standard library does: old connections of a process that is gone are no obstacle.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(Self(socket))
    }

    /// The address, with the port that was given where any was asked for.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        let address = self.0.local_addr()?.as_socket();
        address.ok_or_else(|| io::Error::other("a TCP socket without a TCP address"))
    }

    /// Lets clients in.
    ///
    /// Errors where another process that had reserved the same port was faster.
    pub(crate) fn listen(self) -> io::Result<TcpListener> {
        self.0.listen(BACKLOG)?;
        Ok(self.0.into())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    #[test]
    fn clients_are_refused_until_it_listens() {
        let reserved = ReservedPort::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = reserved.address().unwrap();
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let listener = reserved.listen().unwrap();
        assert!(TcpStream::connect(address).is_ok());
        assert!(ReservedPort::bind(address).is_err(), "it is taken");
        drop(listener);
    }
}
