//! Per-session locks within the process, so that conflicts come only from other nodes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use oncharge_domain::id::SessionId;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Keyed async locks, held for load, decide and commit, and never across a call to a PSP.
#[derive(Default)]
pub(crate) struct SessionLocks(Mutex<HashMap<SessionId, Weak<AsyncMutex<()>>>>);

impl SessionLocks {
    /// Acquires the session's lock.
    pub(crate) async fn lock(&self, session: SessionId) -> OwnedMutexGuard<()> {
        let lock = self.lock_for(session);
        lock.lock_owned().await
    }

    fn lock_for(&self, session: SessionId) -> Arc<AsyncMutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(&session).and_then(Weak::upgrade) {
            return lock;
        }
        if locks.len() >= locks.capacity() {
            // Before the table grows, unused locks are removed.
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(AsyncMutex::new(()));
        locks.insert(session, Arc::downgrade(&lock));
        lock
    }
}
