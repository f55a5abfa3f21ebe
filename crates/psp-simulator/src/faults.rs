//! `PUT /v1/faults`, `GET`, `DELETE`: fault injection on request.
//!
//! The settings are persistent; only `refuse_connections_ms` is a one-time action that is not
//! repeated after a restart.

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

/// The active faults with the state of their random sequences.
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

    /// The number of the next request that faults apply to, from 0.
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
    /// Loads the faults that were active when the database was last in use.
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

    /// The active faults.
    pub(crate) fn active(&self) -> Arc<ActiveFaults> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces all faults within the writer's transaction, so that every piece of work runs
    /// entirely under the old or entirely under the new ones.
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
        tracing::info!(seed, ?settings, "faults set");
        let active = Arc::new(ActiveFaults::new(settings, seed));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = active;
        Ok(())
    }
}

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
