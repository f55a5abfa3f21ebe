//! The audit: compares sessions with the PSP's ledger, to the minor unit.

use std::collections::HashSet;

use oncharge_domain::{
    operation::OperationKind,
    refund::RefundStatus,
    session::{Status, StatusName},
    webhook::DeliveryState,
};
use oncharge_testkit::build::ENDPOINT;

use super::{Order, World};

/// The state of a session after its work has ended, as tests compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditedState {
    pub(crate) status: StatusName,
    pub(crate) events: Vec<&'static str>,
    /// Reserved at the PSP, minor units.
    pub(crate) reserved: i64,
    /// Captured and not refunded at the PSP, minor units.
    pub(crate) taken: i64,
}

/// Audits a session without open work and returns its state; panics on inconsistencies.
pub(crate) async fn audit(world: &World, order: &Order) -> AuditedState {
    let session = world.session(order).await;
    let audited = AuditedState {
        status: session.status_name(),
        events: world.events(order),
        reserved: world.psp.reserved(order.id),
        taken: world.psp.taken(order.id),
    };
    assert_eq!(world.psp.violations(), Vec::<String>::new());
    assert_eq!(world.store.ids_outside_their_slot(), Vec::<String>::new());
    no_operation_is_open(world, order);
    let refunds = session.refunds();
    assert_eq!(
        refunds.requested.minor(),
        0,
        "a refund is open: {session:?}"
    );
    let paid_out: i64 = world
        .store
        .refunds_of(order.id)
        .iter()
        .filter(|refund| refund.status == RefundStatus::Succeeded)
        .map(|refund| refund.amount.minor())
        .sum();
    assert_eq!(refunds.succeeded.minor(), paid_out, "totals of refunds");
    let (reserved, taken) = match &session.status {
        Status::Authorized(authorized) => {
            assert_eq!(authorized.in_flight, None, "in flight without an operation");
            (authorized.payment.authorized.minor(), 0)
        }
        Status::Captured(captured) => (0, captured.captured.minor() - paid_out),
        // A refund of a failed capture is a loss, which is reported for review.
        Status::CaptureFailed(_) => (0, audited.taken),
        Status::Pending(_) => panic!("still pending: {session:?}"),
        _ => (0, 0),
    };
    assert_eq!(
        audited.reserved, reserved,
        "reserved at the PSP for {session:?}"
    );
    assert_eq!(audited.taken, taken, "taken by the PSP for {session:?}");
    events_are_numbered(world, order, session.next_sequence);
    audited
}

fn no_operation_is_open(world: &World, order: &Order) {
    let operations = world.operations(order);
    let open: Vec<_> = operations.iter().filter(|o| o.is_open()).collect();
    assert!(open.is_empty(), "open operations: {open:#?}");
    let mut tokens = HashSet::new();
    for operation in &operations {
        if let OperationKind::Authorize { token, .. } = operation.kind {
            assert!(
                tokens.insert(token),
                "two attempts with one token: {operations:#?}"
            );
        }
    }
}

/// Each at least once, with first deliveries in the order of their numbers. An attempt that is
/// recorded as failed may not have arrived; then it was repeated.
pub(crate) fn events_are_delivered(world: &World, order: &Order) {
    let arrived = world.merchant_server.bodies(ENDPOINT);
    let mut first_times = Vec::new();
    for stored in world.store.events_of(order.id) {
        let marker = format!(" {} ", stored.id);
        let place = arrived.iter().position(|body| body.contains(&marker));
        let kind = stored.event.kind.name();
        first_times.push(place.unwrap_or_else(|| panic!("{kind} was never delivered")));
    }
    let deliveries = world.store.deliveries_of(order.id);
    let taken = deliveries
        .iter()
        .all(|delivery| delivery.state == DeliveryState::Delivered);
    assert!(
        taken,
        "the last delivery of an event was refused: {deliveries:#?}"
    );
    let retried = deliveries.iter().any(|delivery| delivery.failures > 0);
    assert!(
        retried || first_times.is_sorted(),
        "out of order: {arrived:#?}"
    );
}

/// Numbered from 1 without gaps, and each change reported once.
fn events_are_numbered(world: &World, order: &Order, next: u32) {
    let events = world.store.events_of(order.id);
    let numbers: Vec<u32> = events.iter().map(|stored| stored.event.sequence).collect();
    assert_eq!(numbers, (1..next).collect::<Vec<_>>(), "numbers of events");
    let once = [
        "payment.authorized",
        "payment.captured",
        "payment.cancelled",
        "payment.expired",
    ];
    for name in once {
        let count = events
            .iter()
            .filter(|e| e.event.kind.name() == name)
            .count();
        assert!(count <= 1, "{name} was emitted {count} times");
    }
    let mut about_refunds = HashSet::new();
    for stored in &events {
        if let Some(refund) = stored.event.refund {
            let new = about_refunds.insert((refund, stored.event.kind));
            assert!(new, "{} was emitted twice", stored.event.kind.name());
        }
    }
}
