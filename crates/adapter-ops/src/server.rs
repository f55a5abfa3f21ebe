//! The HTTP server, bound to a listener that the caller has opened.

use std::{any::Any, io, net::TcpListener, time::Duration};

use actix_web::{
    App, HttpServer,
    dev::{Extensions, Server},
    rt::net::TcpStream,
    web,
};
use oncharge_host_guard::AllowedHosts;
use socket2::SockRef;

use crate::{metrics, ops::Ops, routes::routes};

/// Time limit for a request's head; a slower one is answered 408 without a body.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time that a client gets to notice a disconnect.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum time without progress in either direction.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of open connections: low, so that a flood of this port does not exhaust the
/// API's file descriptors.
const MAX_CONNECTIONS: usize = 128;
/// How long a shutdown waits for requests in progress, in seconds.
const SHUTDOWN_SECONDS: u64 = 10;

/// Serves `/healthz`, `/readyz`, `/metrics` and the operators' view `/ops/`. The server runs while
/// the returned future is polled; `handle().stop(true)` ends it after the requests in progress. It
/// handles no signals.
///
/// The view has no password: anyone who can reach the listener may use it. Requests must name as
/// their host loopback, the listener's own address or one of `hosts`.
pub fn serve(ops: Ops, hosts: &[String], listener: TcpListener) -> io::Result<Server> {
    metrics::describe();
    let hosts = AllowedHosts::new(listener.local_addr()?.ip(), hosts);
    let factory = move || {
        let (ops, hosts) = (ops.clone(), hosts.clone());
        App::new().configure(move |config: &mut web::ServiceConfig| routes(config, ops, hosts))
    };
    Ok(HttpServer::new(factory)
        .workers(1)
        .on_connect(limit_stalls)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .keep_alive(STALL_TIMEOUT)
        .max_connections(MAX_CONNECTIONS)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run())
}

/// Sent data must be acknowledged in time. Reads have their own time limits.
fn limit_stalls(stream: &dyn Any, _: &mut Extensions) {
    #[cfg(target_os = "linux")]
    if let Some(stream) = stream.downcast_ref::<TcpStream>() {
        let _ = SockRef::from(stream).set_tcp_user_timeout(Some(STALL_TIMEOUT));
    }
}
