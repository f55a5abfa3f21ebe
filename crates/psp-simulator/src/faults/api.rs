//! `PUT /v1/faults`, `GET`, `DELETE`.

use std::time::Duration;

use actix_web::http::header::{CONNECTION, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::settings::FaultSettings;
use crate::app::Simulator;
use crate::problem::Problem;
use crate::server::connections::Connection;

/// `PUT /v1/faults`: replaces all faults. If connections are to be refused, the listener is closed
/// before the response is sent on the remaining connection: a client that has the response is
/// refused from then on.
pub(crate) async fn put(
    request: HttpRequest,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, Problem> {
    let settings = FaultSettings::read(&bytes)?;
    let closed_for = settings.refuse_connections_ms.filter(|millis| *millis > 0);
    set(&simulator, settings.clone()).await?;
    let mut response = HttpResponse::Ok().json(settings);
    if let Some(millis) = closed_for {
        let except = request.conn_data::<Connection>().map(Connection::id);
        simulator
            .listener_control
            .close_for(Duration::from_millis(millis), except)
            .await;
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// `GET /v1/faults`: the faults as they were put, `{}` if there are none.
pub(crate) async fn get(simulator: web::Data<Simulator>) -> HttpResponse {
    HttpResponse::Ok().json(&simulator.faults.active().settings)
}

/// `DELETE /v1/faults`: removes all faults and releases delayed notifications at once.
pub(crate) async fn delete(simulator: web::Data<Simulator>) -> Result<HttpResponse, Problem> {
    let settings = FaultSettings::default();
    set(&simulator, settings.clone()).await?;
    Ok(HttpResponse::Ok().json(settings))
}

async fn set(simulator: &Simulator, settings: FaultSettings) -> Result<(), Problem> {
    let faults = simulator.faults.clone();
    simulator
        .store
        .write(move |connection| faults.replace(connection, settings))
        .await?;
    simulator.notifiers.notify_all();
    Ok(())
}
