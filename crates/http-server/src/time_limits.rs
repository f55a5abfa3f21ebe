//! Time limits of connections, requests and the shutdown.

use std::time::Duration;

use socket2::SockRef;

/// Time limit for a request's head; a slower one gets a 408 without a body.
pub const HEAD: Duration = Duration::from_secs(10);
/// Time that a client gets to notice a disconnect.
pub const DISCONNECT: Duration = Duration::from_secs(2);
/// Default maximum time without progress in either direction.
pub const STALL: Duration = Duration::from_secs(30);
/// How long a shutdown waits for requests in progress, in seconds.
pub const SHUTDOWN_SECONDS: u64 = 10;

/// Requires that sent data is acknowledged in time. Reads have their own time limits: for a
/// request's head, its body and an idle connection. Has an effect on Linux only.
pub fn limit_stalls(socket: &SockRef<'_>, limit: Duration) {
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(limit));
    #[cfg(not(target_os = "linux"))]
    let _ = (socket, limit);
}
