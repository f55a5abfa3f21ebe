//! The task that drives a connection, and the warnings that it records.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use diesel::ConnectionResult;
use diesel_async::AsyncPgConnection;
use tokio::task::AbortHandle;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket, error::Severity, tls::TlsStream};

/// An established connection and the task that drives it.
pub(crate) struct DrivenConnection {
    pub(crate) diesel: AsyncPgConnection,
    /// Aborting it closes the connection at once, whatever is in progress.
    pub(crate) driver: AbortHandle,
    /// Set when the server sends a warning. The driver handles messages in order, so a statement's
    /// warnings are recorded here before its result reaches the caller.
    pub(crate) has_warning: Arc<AtomicBool>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a connection is driven by a task of its own, which ends with the pool's connection"
)]
pub(super) async fn drive<S>(
    client: Client,
    mut connection: Connection<Socket, S>,
) -> ConnectionResult<DrivenConnection>
where
    S: TlsStream + Unpin + Send + 'static,
{
    let has_warning = Arc::new(AtomicBool::new(false));
    let warned = Arc::clone(&has_warning);
    let driver = tokio::spawn(async move {
        loop {
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notice(notice))) => {
                    if notice.parsed_severity() == Some(Severity::Warning) {
                        tracing::warn!(message = notice.message(), "PostgreSQL sent a warning");
                        warned.store(true, Ordering::Release);
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    // A caller that waits for a result also gets an error; this log line covers
                    // idle connections.
                    tracing::debug!(%error, "a connection to PostgreSQL ended");
                    return;
                }
                None => return,
            }
        }
    });
    let diesel = AsyncPgConnection::try_from(client).await?;
    Ok(DrivenConnection {
        diesel,
        driver: driver.abort_handle(),
        has_warning,
    })
}
