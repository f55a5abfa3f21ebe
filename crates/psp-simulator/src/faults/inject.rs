//! Middleware that injects faults into requests and responses, and checks the bearer token.

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use super::rng::Purpose;
use crate::app::Simulator;
use crate::problem::Problem;
use crate::server::connections::Connection;

/// Latency, then possibly a bare 503, then the bearer token, then the work, then possibly no
/// response.
pub(crate) async fn inject_and_authorize(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    inject_with(request, next, authorize).await
}

/// The same for requests that are authorized already.
pub(crate) async fn inject(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    inject_with(request, next, |_, _| Ok(())).await
}

async fn inject_with(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    check: impl Fn(&ServiceRequest, &Simulator) -> Result<(), Problem>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(simulator) = request.app_data::<web::Data<Simulator>>().cloned() else {
        return Err(Problem::Internal.into());
    };
    let active = simulator.faults.active();
    let number = active.next_request();
    if let Some([min, max]) = active.settings.latency_ms {
        let millis = active.rng.in_range(Purpose::Latency, number, min, max);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    let occurs = |purpose, rate: Option<f64>| {
        rate.is_some_and(|rate| active.rng.occurs(purpose, number, rate))
    };
    if occurs(Purpose::Error, active.settings.error_rate) {
        let empty = HttpResponse::ServiceUnavailable().finish();
        return Ok(request.into_response(empty));
    }
    if let Err(problem) = check(&request, &simulator) {
        return Ok(request.error_response(problem));
    }
    let response = next.call(request).await?;
    if occurs(Purpose::Drop, active.settings.drop_after_work_rate)
        && let Some(connection) = response.request().conn_data::<Connection>()
    {
        connection.abort();
    }
    Ok(response.map_into_boxed_body())
}

fn authorize(request: &ServiceRequest, simulator: &Simulator) -> Result<(), Problem> {
    let is_authorized = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .is_some_and(|(_, token)| simulator.bearer.matches(token.trim()));
    if is_authorized {
        Ok(())
    } else {
        Err(Problem::Unauthorized)
    }
}
