//! Several reads from one consistent snapshot.

use diesel::{Connection, SqliteConnection};
use oncharge_ports::StoreError;

use crate::error;

/// Errors of a read-only transaction.
enum SnapshotError {
    Store(StoreError),
    Diesel(diesel::result::Error),
}

impl From<diesel::result::Error> for SnapshotError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Diesel(error)
    }
}

/// Reads everything from one consistent snapshot.
pub(super) fn in_snapshot<T>(
    connection: &mut SqliteConnection,
    read: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let done = connection.transaction(|connection| read(connection).map_err(SnapshotError::Store));
    done.map_err(|failed| match failed {
        SnapshotError::Store(error) => error,
        SnapshotError::Diesel(error) => error::store(error),
    })
}
