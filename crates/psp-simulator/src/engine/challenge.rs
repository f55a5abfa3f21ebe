//! The end of a 3-D Secure challenge, as the shopper chose it.

use super::{Unit, pay};
use crate::store::StoreError;
use crate::store::operations;
use crate::store::payments::{self, Payment};
use crate::words::{Reason, Status};

/// Ends the challenge with this id, if it is still open, and says how the payment stands then.
/// `None`: there is no such challenge.
pub(crate) fn end(
    unit: &mut Unit<'_>,
    challenge_id: &str,
    passed: bool,
) -> Result<Option<Payment>, StoreError> {
    let Some(mut payment) = payments::find_by_challenge(unit.connection, challenge_id)? else {
        return Ok(None);
    };
    if payment.status != Status::Challenge {
        return Ok(Some(payment));
    }
    let mut call = operations::find(unit.connection, &payment.idempotency_key)?
        .ok_or(StoreError::Corrupt("operations"))?;
    if passed {
        pay::approve(unit, &mut payment, &mut call)?;
    } else {
        pay::refuse(unit, &mut payment, &mut call, Reason::AuthenticationFailed)?;
    }
    payments::update(unit.connection, &payment)?;
    operations::update(unit.connection, &call)?;
    Ok(Some(payment))
}
