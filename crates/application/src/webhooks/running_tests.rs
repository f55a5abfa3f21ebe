//! The tests of endpoints that are running.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use oncharge_domain::id::MerchantId;

/// The merchants whose test is running.
#[derive(Clone, Default)]
pub(crate) struct RunningTests(Arc<Mutex<HashSet<MerchantId>>>);

/// A merchant's running test; ends when it is dropped.
pub(super) struct RunningTest {
    running_tests: RunningTests,
    merchant: MerchantId,
}

impl RunningTests {
    /// Starts the merchant's test; `None` if one is running.
    pub(super) fn start(&self, merchant: MerchantId) -> Option<RunningTest> {
        let is_free = self.lock().insert(merchant);
        is_free.then(|| RunningTest {
            running_tests: self.clone(),
            merchant,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<MerchantId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningTest {
    fn drop(&mut self) {
        self.running_tests.lock().remove(&self.merchant);
    }
}
