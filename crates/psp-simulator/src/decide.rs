//! The effect of a call on a payment: pure decisions, without clock, database or randomness.

use crate::codes::{EntryKind, Kind, Reason, Status};
use crate::store::payments::Payment;

/// The effect of executing a call on a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) status: Status,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    /// Ledger entries, in order.
    pub(crate) movements: Vec<(EntryKind, i64)>,
}

impl Effect {
    /// The unchanged payment, without ledger entries.
    fn none(payment: &Payment) -> Self {
        Self {
            status: payment.status,
            captured: payment.captured,
            refunded: payment.refunded,
            movements: Vec::new(),
        }
    }
}

/// Authorizes the payment: holds the amount, and captures it at once if the payment requests that.
pub(crate) fn authorise(payment: &Payment) -> Effect {
    let held = Effect {
        status: Status::Authorised,
        movements: vec![(EntryKind::Authorise, payment.amount)],
        ..Effect::none(payment)
    };
    if !payment.capture {
        return held;
    }
    Effect {
        status: Status::Captured,
        captured: payment.amount,
        movements: [held.movements, vec![(EntryKind::Capture, payment.amount)]].concat(),
        ..held
    }
}

/// Captures `amount` of the held amount and voids the rest: a payment has a single capture.
pub(crate) fn capture(payment: &Payment, amount: i64) -> Result<Effect, Reason> {
    match payment.status {
        Status::Authorised => {}
        Status::Challenge | Status::Authenticated | Status::Pending | Status::Captured => {
            return Err(Reason::WrongState);
        }
        Status::Cancelled | Status::Refused | Status::Lapsed | Status::CaptureFailed => {
            return Err(Reason::NothingHeld);
        }
    }
    if amount > payment.amount {
        return Err(Reason::AmountTooLarge);
    }
    let rest = payment.amount - amount;
    let mut movements = vec![(EntryKind::Capture, amount)];
    if rest > 0 {
        movements.push((EntryKind::Void, rest));
    }
    Ok(Effect {
        status: Status::Captured,
        captured: amount,
        movements,
        ..Effect::none(payment)
    })
}

/// Cancels a payment before its capture: voids the held amount. A challenge and an undecided
/// payment hold nothing, so cancelling them moves no money.
pub(crate) fn cancel(payment: &Payment) -> Result<Effect, Reason> {
    let movements = match payment.status {
        Status::Authorised => vec![(EntryKind::Void, payment.amount)],
        Status::Challenge | Status::Authenticated | Status::Pending => Vec::new(),
        Status::Captured => return Err(Reason::AlreadyCaptured),
        Status::Cancelled | Status::Refused | Status::Lapsed | Status::CaptureFailed => {
            return Err(Reason::NothingHeld);
        }
    };
    Ok(Effect {
        status: Status::Cancelled,
        movements,
        ..Effect::none(payment)
    })
}

/// Refunds `amount` of the captured amount not refunded yet.
pub(crate) fn refund(payment: &Payment, amount: i64) -> Result<Effect, Reason> {
    if payment.status != Status::Captured {
        return Err(Reason::WrongState);
    }
    if amount > payment.captured - payment.refunded {
        return Err(Reason::AmountTooLarge);
    }
    Ok(Effect {
        refunded: payment.refunded + amount,
        movements: vec![(EntryKind::Refund, amount)],
        ..Effect::none(payment)
    })
}

/// Reverses a call of this kind (`fail_late`). `None` if there is nothing left to reverse, such as
/// an authorization that has been captured since.
pub(crate) fn reverse(payment: &Payment, kind: Kind, amount: i64) -> Option<Effect> {
    let after = Effect::none(payment);
    match (kind, payment.status) {
        (Kind::Authorise, Status::Authorised) => Some(Effect {
            status: Status::Lapsed,
            movements: vec![(EntryKind::Authorise, -amount)],
            ..after
        }),
        // A payment call with immediate capture is reversed as a capture.
        (Kind::Authorise | Kind::Capture, Status::Captured)
            if kind == Kind::Capture || payment.capture =>
        {
            Some(Effect {
                status: Status::CaptureFailed,
                captured: 0,
                movements: vec![(EntryKind::Capture, -amount)],
                ..after
            })
        }
        (Kind::Cancel, Status::Cancelled) => Some(Effect {
            status: Status::Authorised,
            movements: vec![(EntryKind::Void, -amount)],
            ..after
        }),
        (Kind::Refund, Status::Captured | Status::CaptureFailed) => Some(Effect {
            refunded: payment.refunded - amount,
            movements: vec![(EntryKind::Refund, -amount)],
            ..after
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Behavior;

    const STATUSES: [Status; 9] = [
        Status::Pending,
        Status::Challenge,
        Status::Authenticated,
        Status::Authorised,
        Status::Captured,
        Status::Cancelled,
        Status::Refused,
        Status::Lapsed,
        Status::CaptureFailed,
    ];

    fn payment(status: Status) -> Payment {
        Payment {
            psp_reference: "psp_1".to_owned(),
            idempotency_key: "key".to_owned(),
            reference: "order".to_owned(),
            amount: 100,
            currency: "EUR".to_owned(),
            capture: false,
            notification_url: None,
            behavior: Behavior::Approve,
            brand: None,
            last4: None,
            status,
            captured: if status == Status::Captured { 100 } else { 0 },
            refunded: 0,
            challenge_id: None,
            intent_id: None,
            confirm_after_challenge: false,
            created_at: 0,
            updated_at: 0,
        }
    }

    #[test]
    fn cancel_is_decided_for_every_status() {
        let expected = |status| match status {
            Status::Pending | Status::Challenge | Status::Authenticated => Ok(vec![]),
            Status::Authorised => Ok(vec![(EntryKind::Void, 100)]),
            Status::Captured => Err(Reason::AlreadyCaptured),
            _ => Err(Reason::NothingHeld),
        };
        for status in STATUSES {
            let movements = cancel(&payment(status)).map(|effect| effect.movements);
            assert_eq!(movements, expected(status), "{status:?}");
        }
    }

    #[test]
    fn only_an_authorisation_is_captured_and_only_a_capture_refunded() {
        for status in STATUSES {
            let captured = capture(&payment(status), 1).is_ok();
            assert_eq!(captured, status == Status::Authorised, "{status:?}");
            let refunded = refund(&payment(status), 1).is_ok();
            assert_eq!(refunded, status == Status::Captured, "{status:?}");
        }
    }

    #[test]
    fn a_partial_capture_voids_the_rest_and_a_whole_one_does_not() {
        let held = payment(Status::Authorised);
        let part = capture(&held, 30).unwrap();
        assert_eq!(
            part.movements,
            [(EntryKind::Capture, 30), (EntryKind::Void, 70)]
        );
        assert_eq!(
            capture(&held, 100).unwrap().movements,
            [(EntryKind::Capture, 100)]
        );
        assert_eq!(capture(&held, 101), Err(Reason::AmountTooLarge));
    }

    #[test]
    fn refunds_never_exceed_what_was_captured() {
        let part = Payment {
            captured: 60,
            refunded: 40,
            ..payment(Status::Captured)
        };
        assert_eq!(refund(&part, 20).unwrap().refunded, 60);
        assert_eq!(refund(&part, 21), Err(Reason::AmountTooLarge));
    }

    #[test]
    fn reversal_undoes_only_what_was_done() {
        let lapsed = reverse(&payment(Status::Authorised), Kind::Authorise, 100).unwrap();
        assert_eq!(
            (lapsed.status, lapsed.movements),
            (Status::Lapsed, vec![(EntryKind::Authorise, -100)])
        );
        assert_eq!(
            reverse(&payment(Status::Captured), Kind::Authorise, 100),
            None
        );
        assert_eq!(
            reverse(&payment(Status::Cancelled), Kind::Authorise, 100),
            None
        );
        let failed = reverse(&payment(Status::Captured), Kind::Capture, 100).unwrap();
        assert_eq!((failed.status, failed.captured), (Status::CaptureFailed, 0));
        let restored = reverse(&payment(Status::Cancelled), Kind::Cancel, 100).unwrap();
        assert_eq!(restored.status, Status::Authorised);
        let refunded = Payment {
            refunded: 40,
            ..payment(Status::Captured)
        };
        assert_eq!(reverse(&refunded, Kind::Refund, 40).unwrap().refunded, 0);
    }
}
