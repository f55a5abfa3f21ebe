//! `PUT /v1/faults`, `GET`, `DELETE`: the simulator misbehaves as told.
//!
//! The settings outlive the process like everything else that was answered; only a closed door
//! (`refuse_connections_ms`) is an act of the moment and not repeated at a start.

pub(crate) mod inject;
pub(crate) mod rng;
pub(crate) mod settings;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::http::header::{CONNECTION, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use diesel::sqlite::SqliteConnection;

use crate::app::Simulator;
use crate::clock;
use crate::problem::Problem;
use crate::server::connections::Connection;
use crate::store::{self, StoreError};
use rng::FaultRng;
use settings::FaultSettings;

/// The faults in force and how far their dice have been rolled.
pub(crate) struct ActiveFaults {
    pub(crate) settings: FaultSettings,
    pub(crate) rng: FaultRng,
    requests: AtomicU64,
    notifications: AtomicU64,
}

impl ActiveFaults {
    fn new(settings: FaultSettings, seed: u64) -> Self {
        Self {
            rng: FaultRng::new(seed),
            settings,
            requests: AtomicU64::new(0),
            notifications: AtomicU64::new(0),
        }
    }

    /// The number of the next request that the faults touch, from 0.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the next notification, from 0.
    pub(crate) fn next_notification(&self) -> u64 {
        self.notifications.fetch_add(1, Ordering::Relaxed)
    }
}

/// The faults of a running simulator.
#[derive(Clone)]
pub(crate) struct Faults(Arc<RwLock<Arc<ActiveFaults>>>);

impl Faults {
    /// Takes up the faults that were in force when the file was last in use.
    pub(crate) fn load(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let settings = match store::faults::load(connection)? {
            Some(text) => FaultSettings::restore(&text)?,
            None => FaultSettings::default(),
        };
        let seed = settings.seed_or_random()?;
        Ok(Self(Arc::new(RwLock::new(Arc::new(ActiveFaults::new(
            settings, seed,
        ))))))
    }

    /// The faults in force now.
    pub(crate) fn active(&self) -> Arc<ActiveFaults> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces all faults within the writer's transaction, so that every piece of work is done
    /// wholly under the old or wholly under the new ones.
    fn replace(
        &self,
        connection: &mut SqliteConnection,
        settings: FaultSettings,
    ) -> Result<(), StoreError> {
        store::faults::save(connection, &settings.to_json()?)?;
        if !settings.delays_notifications() {
            store::notifications::release_held(connection, clock::now())?;
        }
        let seed = settings.seed_or_random()?;
        tracing::info!(seed, ?settings, "the faults were set");
        let active = Arc::new(ActiveFaults::new(settings, seed));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = active;
        Ok(())
    }
}

/// `PUT /v1/faults`: replaces all faults. Where the door is to be closed it is closed before the
/// answer is sent, over the one connection that is left: whoever has the answer is refused.
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

/// `GET /v1/faults`: the faults as they were put, `{}` where there are none.
pub(crate) async fn get(simulator: web::Data<Simulator>) -> HttpResponse {
    HttpResponse::Ok().json(&simulator.faults.active().settings)
}

/// `DELETE /v1/faults`: no faults any more; notifications that were held back go out at once.
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
