//! The transaction in which a call is executed.

use std::sync::Arc;

use diesel::sqlite::SqliteConnection;

use crate::clock;
use crate::faults::{ActiveFaults, Faults};
use crate::stripe::account::Account;

/// A transaction: its connection, its instant and the faults active throughout.
pub(crate) struct Transaction<'a> {
    pub(crate) connection: &'a mut SqliteConnection,
    pub(crate) now: i64,
    pub(crate) faults: Arc<ActiveFaults>,
    /// The account of the Stripe face; `None` if the face is off.
    pub(crate) stripe: Option<Arc<Account>>,
}

impl<'a> Transaction<'a> {
    /// Wraps a connection that is inside a transaction.
    pub(crate) fn new(
        connection: &'a mut SqliteConnection,
        faults: &Faults,
        stripe: Option<Arc<Account>>,
    ) -> Self {
        Self {
            connection,
            now: clock::now(),
            faults: faults.active(),
            stripe,
        }
    }
}
