//! The HTTP server, bound to a listener that the caller has opened.

use std::{io, net::TcpListener};

use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web::Data};
use oncharge_http_server::time_limits;

use crate::{Api, connections::Connections, request_log::request_log, routes::routes};

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
            .configure(routes)
    };
    Ok(HttpServer::new(factory)
        .workers(workers)
        .on_connect(move |stream, extensions| connections.admit(stream, extensions))
        .client_request_timeout(time_limits::HEAD)
        .client_disconnect_timeout(time_limits::DISCONNECT)
        .keep_alive(limits.stall_timeout)
        .max_connections(limits.total.div_euclid(workers).max(1))
        .shutdown_timeout(time_limits::SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run())
}
