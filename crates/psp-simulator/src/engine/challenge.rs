//! Ends a 3-D Secure challenge with the shopper's choice.

use super::pay;
use crate::codes::{Reason, Status};
use crate::store::StoreError;
use crate::store::operations;
use crate::store::payments::{self, Payment};
use crate::transaction::Transaction;

/// Ends the challenge with this id if it is still open, and returns the payment. `None` if there is
/// no such challenge. A payment that another call is to authorize only becomes authenticated.
pub(crate) fn end(
    transaction: &mut Transaction<'_>,
    challenge_id: &str,
    passed: bool,
) -> Result<Option<Payment>, StoreError> {
    let Some(mut payment) = payments::find_by_challenge(transaction.connection, challenge_id)?
    else {
        return Ok(None);
    };
    if payment.status != Status::Challenge {
        return Ok(Some(payment));
    }
    let mut call = operations::find(transaction.connection, &payment.idempotency_key)?
        .ok_or(StoreError::Corrupt("operations"))?;
    if passed && payment.confirm_after_challenge {
        payment.status = Status::Authenticated;
        payment.updated_at = transaction.now;
    } else if passed {
        pay::approve(transaction, &mut payment, &mut call)?;
    } else {
        pay::refuse(
            transaction,
            &mut payment,
            &mut call,
            Reason::AuthenticationFailed,
        )?;
    }
    payments::update(transaction.connection, &payment)?;
    operations::update(transaction.connection, &call)?;
    Ok(Some(payment))
}
