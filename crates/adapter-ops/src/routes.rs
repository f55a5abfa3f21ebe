//! All routes.

use actix_web::{middleware::from_fn, web};
use oncharge_http_server::{AllowedHosts, get_or_head};

use crate::{
    guard::{probe_guard, view_guard},
    health, metrics,
    ops::Ops,
    view,
};

/// The routes of the operators' server.
pub(crate) fn routes(config: &mut web::ServiceConfig, ops: Ops, hosts: AllowedHosts) {
    config
        .app_data(web::Data::new(ops))
        .app_data(web::Data::new(hosts))
        .service(
            web::scope("/ops")
                .wrap(from_fn(view_guard))
                .route("", web::to(view::home))
                .route("/", web::to(view::overview))
                .route("/sessions", web::to(view::sessions))
                .route("/sessions/{id}", web::to(view::session_history))
                .route("/style.css", web::to(view::style))
                .default_service(web::to(view::unknown)),
        )
        .service(
            web::scope("")
                .wrap(from_fn(probe_guard))
                .route("/", get_or_head().to(view::home))
                .route("/healthz", get_or_head().to(health::healthz))
                .route("/readyz", get_or_head().to(health::readyz))
                .route("/metrics", get_or_head().to(metrics::metrics)),
        );
}
