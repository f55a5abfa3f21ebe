//! TCP connections without TLS, on which only SCRAM password authentication is allowed.
//!
//! tokio-postgres answers whatever the server asks for. A server that asks for the password in
//! clear text, or for its MD5 digest (as good as the password for brute force), gets no response
//! here: the request is detected before tokio-postgres reads it, and the read fails.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    Socket,
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};

/// Takes the place of a TLS connector and adds no encryption.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlainConnector;

/// The server requests an authentication method that is safe only over TLS.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server requests the password without SCRAM, which is refused over a connection without \
     TLS: set sslmode=require in the database URL, or scram-sha-256 in pg_hba.conf"
)]
pub(super) struct UnprotectedPassword;

/// A stream that checks the server's authentication requests.
pub(super) struct PlainStream {
    socket: Socket,
    check: AuthenticationCheck,
}

impl MakeTlsConnect<Socket> for PlainConnector {
    type Stream = PlainStream;
    type TlsConnect = Self;
    type Error = Infallible;

    fn make_tls_connect(&mut self, _: &str) -> Result<Self, Infallible> {
        Ok(*self)
    }
}

impl TlsConnect<Socket> for PlainConnector {
    type Stream = PlainStream;
    type Error = Infallible;
    type Future = Ready<Result<PlainStream, Infallible>>;

    fn connect(self, socket: Socket) -> Self::Future {
        ready(Ok(PlainStream {
            socket,
            check: AuthenticationCheck::default(),
        }))
    }
}

impl TlsStream for PlainStream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for PlainStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        let received = buffer.filled().get(before..).unwrap_or_default();
        let checked = self.check.receive(received);
        Poll::Ready(checked.map_err(|error| io::Error::new(io::ErrorKind::PermissionDenied, error)))
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// Length in bytes of a message's type and length fields.
const HEADER: usize = 5;
/// [`HEADER`] and the code of an authentication message.
const AUTHENTICATION: usize = 9;

/// Parses the server's messages until the connection is authenticated.
///
/// A message is a type byte and a length in four bytes that counts itself; `R` asks for
/// authentication, by a code in four bytes more (PostgreSQL documentation, *Message Formats*).
#[derive(Debug, Default)]
struct AuthenticationCheck {
    is_authenticated: bool,
    /// Bytes of the next message's header received so far.
    header: Vec<u8>,
    /// Bytes of the current message still to be received.
    remaining: usize,
}

impl AuthenticationCheck {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), UnprotectedPassword> {
        for &byte in bytes {
            if self.is_authenticated {
                break;
            }
            if self.remaining > 0 {
                self.remaining -= 1;
                continue;
            }
            self.header.push(byte);
            self.check_header()?;
        }
        Ok(())
    }

    fn check_header(&mut self) -> Result<(), UnprotectedPassword> {
        let number = |bytes: &[u8]| {
            let joined = |number: usize, byte: &u8| (number << 8) | usize::from(*byte);
            bytes.iter().fold(0, joined)
        };
        let (is_request, read) = (self.header.first() == Some(&b'R'), self.header.len());
        if read < HEADER || (is_request && read < AUTHENTICATION) {
            return Ok(());
        }
        let length = number(self.header.get(1..HEADER).unwrap_or_default());
        if is_request {
            match number(self.header.get(HEADER..).unwrap_or_default()) {
                0 => self.is_authenticated = true,
                // The three messages of SASL (SCRAM).
                10..=12 => {}
                _ => return Err(UnprotectedPassword),
            }
        }
        self.remaining = (length + 1).saturating_sub(read);
        self.header.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds a message of the server; its first four bytes may be a code.
    fn message(kind: u8, code: u32, rest: &[u8]) -> Vec<u8> {
        let length = u32::try_from(8 + rest.len()).unwrap();
        let mut bytes = vec![kind];
        bytes.extend(length.to_be_bytes());
        bytes.extend(code.to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn only_scram_is_accepted_however_the_bytes_are_split() {
        let scram = [
            message(b'N', 3, b"a notice"),
            message(b'R', 10, b"SCRAM-SHA-256\0\0"),
            message(b'R', 11, b"r=..."),
            message(b'R', 12, b"v=..."),
            message(b'R', 0, b""),
            // Data rows may contain any bytes.
            message(b'R', 3, b""),
        ]
        .concat();
        for piece in 1..scram.len() {
            let mut check = AuthenticationCheck::default();
            for bytes in scram.chunks(piece) {
                check.receive(bytes).unwrap();
            }
            assert!(check.is_authenticated);
        }
        // Clear text, MD5, and a code that is not assigned yet.
        for code in [3, 5, 13] {
            let asked = [message(b'N', 0, b"x"), message(b'R', code, b"salt")].concat();
            for piece in 1..asked.len() {
                let mut check = AuthenticationCheck::default();
                let mut pieces = asked.chunks(piece);
                assert!(pieces.any(|bytes| check.receive(bytes).is_err()), "{code}");
            }
        }
    }
}
