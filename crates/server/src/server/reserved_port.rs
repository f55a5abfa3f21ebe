//! A port that is bound but not listening yet.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Maximum number of connections waiting to be accepted.
const BACKLOG: i32 = 1024;

/// A bound port that refuses connections until [`ReservedPort::listen`]. So a port conflict is
/// detected at once, and no client hangs while the process waits for its database.
pub(crate) struct ReservedPort(Socket);

impl ReservedPort {
    /// Binds the port; port 0 is any free one.
    ///
    /// Errors if another process listens on it, or without permission.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        // Like the standard library: lingering connections of an ended process do not prevent
        // binding.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(Self(socket))
    }

    /// The address, with the assigned port if port 0 was requested.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        let address = self.0.local_addr()?.as_socket();
        address.ok_or_else(|| io::Error::other("the socket has no IP address"))
    }

    /// Starts listening.
    ///
    /// Errors if another process that had bound the same port was faster.
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
        assert!(
            ReservedPort::bind(address).is_err(),
            "the port was bound twice"
        );
        drop(listener);
    }
}
