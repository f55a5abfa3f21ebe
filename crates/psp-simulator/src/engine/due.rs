//! Work whose time has come: accepted calls (asynchronous mode) and successes to be taken back.

use super::{Unit, modify, pay};
use crate::decide;
use crate::notifications::{self, Fact};
use crate::store::StoreError;
use crate::store::operations::{self, Operation};
use crate::store::payments;
use crate::words::{Kind, Outcome, Reason, Status};

/// Does the one piece of work that is due first. `false`: nothing is due.
pub(crate) fn do_next(unit: &mut Unit<'_>) -> Result<bool, StoreError> {
    if let Some(operation) = operations::next_due(unit.connection, unit.now)? {
        carry_out(unit, operation)?;
        return Ok(true);
    }
    if let Some(operation) = operations::next_late(unit.connection, unit.now)? {
        take_back(unit, operation)?;
        return Ok(true);
    }
    Ok(false)
}

fn carry_out(unit: &mut Unit<'_>, mut operation: Operation) -> Result<(), StoreError> {
    let mut payment = payments::find(unit.connection, &operation.payment_reference)?
        .ok_or(StoreError::Corrupt("payments"))?;
    if operation.kind == Kind::Authorise {
        pay::resolve(unit, &mut payment, &mut operation)?;
    } else {
        modify::carry_out(unit, &mut payment, &mut operation)?;
    }
    payments::update(unit.connection, &payment)?;
    Ok(operations::update(unit.connection, &operation)?)
}

fn take_back(unit: &mut Unit<'_>, mut operation: Operation) -> Result<(), StoreError> {
    let mut payment = payments::find(unit.connection, &operation.payment_reference)?
        .ok_or(StoreError::Corrupt("payments"))?;
    operation.late_at = None;
    if let Some(effect) = decide::take_back(&payment, operation.kind, operation.amount) {
        unit.apply(&mut payment, &operation, effect)?;
        let lapsed = payment.status == Status::Lapsed;
        let captured_at_once = operation.kind == Kind::Authorise && !lapsed;
        let kind = if captured_at_once {
            Kind::Capture
        } else {
            operation.kind
        };
        operation.result = Outcome::Refused;
        operation.reason = Some(if lapsed {
            Reason::AuthorisationExpired
        } else {
            Reason::FailedLate
        });
        let fact = Fact::of(&payment, &operation, kind);
        notifications::enqueue(unit, &payment, &fact)?;
        payments::update(unit.connection, &payment)?;
    }
    Ok(operations::update(unit.connection, &operation)?)
}
