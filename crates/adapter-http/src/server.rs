//! The two HTTP servers, bound to listeners that the caller has opened.

use std::{io, net::TcpListener, time::Duration};

use actix_web::{
    App, HttpServer,
    dev::Server,
    middleware::from_fn,
    web::{self, Data},
};

use crate::{Api, Ops, app, observe::observe, ops::door::Hosts};

/// Within which time a request's head must have come; a slower one is answered 408, status only.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle between two requests.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client that we part with may take to notice.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How many connections a worker thread holds at most.
const CONNECTIONS: usize = 8192;
/// How long a stop waits for requests under way, in seconds.
const STOP_SECONDS: u64 = 10;

/// Serves the merchant API, the hosted checkout and PSP notifications with so many worker
/// threads. The server runs while the returned future is polled; `handle().stop(true)` ends it
/// after the requests under way. It listens to no signals.
pub fn serve_api(api: Api, listener: TcpListener, workers: usize) -> io::Result<Server> {
    let data = Data::new(api);
    let factory = move || {
        App::new()
            .app_data(data.clone())
            .wrap(from_fn(observe))
            .configure(app::api)
    };
    Ok(HttpServer::new(factory)
        .workers(workers.max(1))
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .max_connections(CONNECTIONS)
        .shutdown_timeout(STOP_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run())
}

/// Serves `/healthz`, `/readyz`, `/metrics` and the operators' view `/ops/`, as [`serve_api`] does.
/// The view has no password: it is for those who may reach the listener, and it answers only
/// requests that name as their host loopback, the listener's own address or one of `ops.hosts`.
pub fn serve_ops(ops: Ops, listener: TcpListener) -> io::Result<Server> {
    let hosts = Hosts::new(listener.local_addr()?.ip(), &ops.hosts);
    let factory = move || {
        let (ops, hosts) = (ops.clone(), hosts.clone());
        App::new().configure(move |config: &mut web::ServiceConfig| app::ops(config, ops, hosts))
    };
    Ok(HttpServer::new(factory)
        .workers(1)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .shutdown_timeout(STOP_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run())
}
