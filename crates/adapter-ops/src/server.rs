//! The HTTP server, bound to a listener that the caller has opened.

use std::{any::Any, io, net::TcpListener};

use actix_web::{
    App, HttpServer,
    dev::{Extensions, Server},
    rt::net::TcpStream,
    web,
};
use oncharge_http_server::{AllowedHosts, time_limits};
use socket2::SockRef;

use crate::{metrics, ops::Ops, routes::routes};

/// Maximum number of open connections: low, so that a flood of this port does not exhaust the
/// API's file descriptors.
const MAX_CONNECTIONS: usize = 128;

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
        .client_request_timeout(time_limits::HEAD)
        .client_disconnect_timeout(time_limits::DISCONNECT)
        .keep_alive(time_limits::STALL)
        .max_connections(MAX_CONNECTIONS)
        .shutdown_timeout(time_limits::SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run())
}

fn limit_stalls(stream: &dyn Any, _: &mut Extensions) {
    if let Some(stream) = stream.downcast_ref::<TcpStream>() {
        time_limits::limit_stalls(&SockRef::from(stream), time_limits::STALL);
    }
}
