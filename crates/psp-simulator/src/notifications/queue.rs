//! Puts messages into the outgoing queue, with the copies and delays that the faults require.

use crate::codes::Face;
use crate::faults::rng::Purpose;
use crate::store::StoreError;
use crate::store::notifications::{self, NewNotification};
use crate::transaction::Transaction;

/// Maximum random delay by `reorder_notifications`, in milliseconds.
const MAX_REORDER_MILLIS: u64 = 1_000;

/// A message to a caller.
pub(crate) struct Message<'a> {
    pub(crate) id: &'a str,
    pub(crate) face: Face,
    /// Messages about the same payment are sent one at a time.
    pub(crate) psp_reference: &'a str,
    pub(crate) url: &'a str,
    pub(crate) body: &'a str,
}

/// Enqueues the message.
pub(crate) fn enqueue(
    transaction: &mut Transaction<'_>,
    message: &Message<'_>,
) -> Result<(), StoreError> {
    let copies = transaction
        .faults
        .settings
        .duplicate_notifications
        .unwrap_or(0)
        + 1;
    for _ in 0..copies {
        let delay = delay_micros(transaction);
        let notification = NewNotification {
            notification_id: message.id.to_owned(),
            psp_reference: message.psp_reference.to_owned(),
            face: message.face,
            url: message.url.to_owned(),
            body: message.body.to_owned(),
            tries: 0,
            next_try_at: transaction.now.saturating_add(delay),
            held: delay > 0,
        };
        notifications::insert(transaction.connection, &notification)?;
    }
    Ok(())
}

/// The delay that the faults impose on the next notification, in microseconds.
fn delay_micros(transaction: &Transaction<'_>) -> i64 {
    let settings = &transaction.faults.settings;
    let mut millis = settings.delay_notifications_ms.unwrap_or(0);
    if settings.reorder_notifications == Some(true) {
        let number = transaction.faults.next_notification();
        millis += transaction
            .faults
            .rng
            .in_range(Purpose::Reorder, number, 0, MAX_REORDER_MILLIS);
    }
    i64::try_from(millis)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000)
}
