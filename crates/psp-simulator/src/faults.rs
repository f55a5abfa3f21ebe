//! Fault injection on request.
//!
//! The settings are persistent; only `refuse_connections_ms` is a one-time action that is not
//! repeated after a restart.

pub(crate) mod api;
pub(crate) mod inject;
pub(crate) mod rng;
pub(crate) mod settings;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use diesel::sqlite::SqliteConnection;

use crate::clock;
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
