//! The two HTTP servers, bound to listeners that the caller has opened.

use std::{io, net::TcpListener, time::Duration};

use actix_web::{
    App, HttpServer,
    dev::Server,
    middleware::from_fn,
    web::{self, Data},
};

use oncharge_host_guard::AllowedHosts;

use crate::{
    Api, ConnectionLimits, Ops, connections::Connections, request_log::request_log, routes,
};

/// Time limit for a request's head; a slower one is answered 408 without a body.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time that a client gets to notice a disconnect.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Connection limits of the operators' server: low, so that a flood of its port does not exhaust
/// the API's file descriptors.
const OPS_LIMITS: ConnectionLimits = ConnectionLimits {
    total: 128,
    ..ConnectionLimits::new()
};
/// How long a shutdown waits for requests in progress, in seconds.
const SHUTDOWN_SECONDS: u64 = 10;

/// Serves the merchant API, the hosted checkout and PSP notifications with this many worker
/// threads. The server runs while the returned future is polled; `handle().stop(true)` ends it
/// after the requests in progress. It handles no signals.
pub fn serve_api(api: Api, listener: TcpListener, workers: usize) -> io::Result<Server> {
    let limits = api.settings().connections;
    let connections = Connections::new(limits, &api.settings().trusted_proxies);
    let workers = workers.max(1);
    let data = Data::new(api);
    let factory = move || {
        App::new()
            .app_data(data.clone())
            .wrap(from_fn(request_log))
            .configure(routes::api_routes)
    };
    Ok(HttpServer::new(factory)
        .workers(workers)
        .on_connect(move |stream, extensions| connections.admit(stream, extensions))
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .keep_alive(limits.stall_timeout)
        .max_connections(limits.total.div_euclid(workers).max(1))
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run())
}

/// Serves `/healthz`, `/readyz`, `/metrics` and the operators' view `/ops/`, as [`serve_api`] does.
/// The view has no password: anyone who can reach the listener may use it. Requests must name as
/// their host loopback, the listener's own address or one of `ops.hosts`.
pub fn serve_ops(ops: Ops, listener: TcpListener) -> io::Result<Server> {
    let hosts = AllowedHosts::new(listener.local_addr()?.ip(), &ops.hosts);
    let factory = move || {
        let (ops, hosts) = (ops.clone(), hosts.clone());
        App::new().configure(move |config: &mut web::ServiceConfig| {
            routes::ops_routes(config, ops, hosts);
        })
    };
    let connections = Connections::new(OPS_LIMITS, &[]);
    Ok(HttpServer::new(factory)
        .workers(1)
        .on_connect(move |stream, extensions| connections.admit(stream, extensions))
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .keep_alive(OPS_LIMITS.stall_timeout)
        .max_connections(OPS_LIMITS.total)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run())
}
