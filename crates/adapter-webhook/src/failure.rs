//! Classifies failed attempts by the error's chain of causes.

use std::{
    error::Error,
    io::{self, ErrorKind},
    iter,
};

use oncharge_domain::webhook::SendError;

use crate::resolver::ResolveError;

/// The error that a merchant is shown for a failed request.
pub(crate) fn classify(error: &reqwest::Error) -> SendError {
    if error.is_timeout() {
        return SendError::Timeout;
    }
    for cause in error_chain(error) {
        match cause.downcast_ref::<ResolveError>() {
            Some(ResolveError::Unknown(_)) => return SendError::UnknownHost,
            Some(ResolveError::Forbidden) => return SendError::ForbiddenAddress,
            None => {}
        }
        // Also after the connection was established: in TLS 1.3 a server's last alert comes after
        // that.
        if cause.is::<rustls::Error>() {
            return SendError::Tls;
        }
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        if error.is_connect() && kind.is_some_and(interrupts_handshake) {
            return SendError::Tls;
        }
    }
    // A request that could not be built was for no possible server.
    if error.is_connect() || error.is_builder() {
        SendError::CannotConnect
    } else {
        SendError::BrokenAnswer
    }
}

/// Whether this error happens on an established connection; while connecting, that means during the
/// TLS handshake.
fn interrupts_handshake(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::InvalidData
    )
}

/// The error and its causes, including the one wrapped in an `io::Error`, which `source` skips.
fn error_chain<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let first: &'a (dyn Error + 'static) = error;
    iter::successors(Some(first), |&error| {
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|wrapped| wrapped as &(dyn Error + 'static));
        wrapped.or_else(|| error.source())
    })
}
