//! What is written loads equal.

use oncharge_domain::{
    id::{OperationId, RefundId, SessionId},
    operation::{Operation, OperationKind, OperationStatus},
    refund::{Refund, RefundStatus},
    session::EventKind,
    text::Reference,
    time::Timestamp,
};
use oncharge_ports::{psp::PreparedRequest, unit_of_work::ChangedOperation};
use proptest::{option, prelude::any};

use crate::{
    TestedStore,
    fixture::Fixture,
    generate::{self, Draw},
};

/// Sessions in every status load equal, with extreme values, new and updated; and an event of each,
/// with its attempt.
pub async fn sessions_load_equal(store: &TestedStore) -> anyhow::Result<()> {
    let (fixture, mut draw) = (Fixture::new(store).await?, Draw::new());
    for _ in 0..120 {
        let new = generate::session(&mut draw, &fixture.build, &fixture.merchant);
        fixture.commit(fixture.build.unit(new.clone())).await?;
        ensure_eq!(fixture.load(new.id).await?, new, "a new session");
        let later = generate::later(&mut draw, &new);
        fixture.commit(fixture.build.unit(later.clone())).await?;
        ensure_eq!(fixture.load(new.id).await?, later, "the updated session");
        let last = generate::later(&mut draw, &later);
        let event = fixture.build.event(&last, 1, EventKind::PaymentRefused);
        let mut unit = fixture.build.unit(last.clone());
        unit.events = vec![event.clone()];
        fixture.commit(unit).await?;
        ensure_eq!(
            fixture.load(new.id).await?,
            last,
            "the session in its last status"
        );
        ensure_eq!(
            fixture.events(&last).await?[0].event,
            event.event,
            "its event"
        );
    }
    Ok(())
}

/// Timestamps keep their microseconds, from 1970 to the end of 9999.
pub async fn timestamps_keep_microseconds(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    for micros in [
        0,
        1,
        999_999,
        1_795_360_150_123_456,
        253_402_300_799_999_999,
    ] {
        let at = Timestamp::from_unix_micros(micros).unwrap();
        let (session, _) = fixture.session_with_attempt().await?;
        let mut unit = fixture.build.next_unit(&session);
        unit.session.updated_at = at;
        let mut event = fixture.build.event(&session, 1, EventKind::PaymentRefused);
        (event.event.at, event.event.retry_until) = (at, Some(at));
        unit.events = vec![event.clone()];
        fixture.commit(unit).await?;
        let loaded = fixture.load(session.id).await?;
        ensure_eq!(loaded.updated_at, at, "updated_at");
        let events = fixture.events(&session).await?;
        ensure_eq!(events[0].event, event.event, "the event");
    }
    Ok(())
}

/// Operations of every kind load equal, new and changed, and so do the bytes of their requests.
pub async fn operations_load_equal(store: &TestedStore) -> anyhow::Result<()> {
    let (fixture, mut draw) = (Fixture::new(store).await?, Draw::new());
    for round in 0..60 {
        let session = fixture.session().await?;
        let kind = generate::kind(&mut draw);
        let is_attempt = matches!(kind, OperationKind::Authorize { .. });
        let operation = Operation {
            payment: (!is_attempt).then(|| draw.one(generate::psp_reference())),
            sending: draw.one(generate::sending()),
            reference: draw.one(option::of(generate::psp_reference())),
            last_sent_at: draw.one(generate::instant()),
            not_before: draw.one(generate::instant()),
            ..fixture.build.operation(&session, kind)
        };
        let bytes = draw.one(generate::bytes());
        let mut unit = fixture.build.next_unit(&session);
        let mut intent = fixture.build.intent(operation.clone());
        intent.request = PreparedRequest::new(bytes.clone());
        unit.operations = vec![intent];
        let session = unit.session.clone();
        fixture.commit(unit).await?;
        let loaded = fixture.store.checkout.operation(operation.id).await?;
        ensure_eq!(loaded, Some(operation.clone()), "operation {round}");
        let request = fixture.store.checkout.request(operation.id).await?;
        ensure_eq!(
            request.map(|r| r.expose().to_vec()),
            Some(bytes),
            "request {round}"
        );

        let status = if draw.one(any::<bool>()) {
            OperationStatus::Failed
        } else {
            OperationStatus::Succeeded
        };
        let ended = Operation {
            status,
            failure: (status == OperationStatus::Failed).then(|| draw.one(generate::reason())),
            reference: draw.one(option::of(generate::psp_reference())),
            compensated: is_attempt && draw.one(any::<bool>()),
            contradiction: if status == OperationStatus::Failed {
                draw.one(generate::contradiction())
            } else {
                None
            },
            sending: draw.one(generate::sending()),
            ..operation
        };
        fixture.change(&session, ended.clone()).await?;
        let loaded = fixture.store.checkout.operation(ended.id).await?;
        ensure_eq!(loaded, Some(ended), "the changed operation {round}");
    }
    Ok(())
}

/// Refunds in every status load equal.
pub async fn refunds_load_equal(store: &TestedStore) -> anyhow::Result<()> {
    let (fixture, mut draw) = (Fixture::new(store).await?, Draw::new());
    let session = fixture.session().await?;
    let mut current = session.clone();
    for round in 0..30 {
        let (refund, operation) = fixture.build.refund(&session, draw.one(1..=10_000_i64));
        let refund = Refund {
            reference: Reference::parse(&draw.one(generate::text(255))).unwrap(),
            psp_reference: draw.one(option::of(generate::psp_reference())),
            updated_at: draw.one(generate::instant()),
            ..refund
        };
        let mut unit = fixture.build.next_unit(&current);
        unit.operations = vec![fixture.build.intent(operation.clone())];
        unit.refund = Some(refund.clone());
        current = unit.session.clone();
        fixture.commit(unit).await?;
        let loaded = fixture.store.checkout.refund(refund.id).await?;
        ensure_eq!(loaded, Some(refund.clone()), "refund {round}");

        let status = match draw.one(0..3_u32) {
            0 => RefundStatus::Requested,
            1 => RefundStatus::Succeeded,
            _ => RefundStatus::Failed(draw.one(generate::reason())),
        };
        let changed = Refund {
            status,
            psp_reference: draw.one(option::of(generate::psp_reference())),
            updated_at: draw.one(generate::instant()),
            ..refund
        };
        let mut unit = fixture.build.next_unit(&current);
        unit.changed_refunds = vec![changed.clone()];
        unit.changed_operations = vec![ChangedOperation {
            operation: crate::fixture::failed(&operation),
            next_try_at: None,
        }];
        current = unit.session.clone();
        fixture.commit(unit).await?;
        let loaded = fixture.store.checkout.refund(changed.id).await?;
        ensure_eq!(loaded, Some(changed), "the changed refund {round}");
    }
    Ok(())
}

/// Events of every kind load equal, with the values that their payload takes from the session.
pub async fn events_load_equal(store: &TestedStore) -> anyhow::Result<()> {
    let (fixture, mut draw) = (Fixture::new(store).await?, Draw::new());
    for kind in EventKind::ALL {
        let new = generate::session(&mut draw, &fixture.build, &fixture.merchant);
        fixture.commit(fixture.build.unit(new.clone())).await?;
        let later = generate::later(&mut draw, &new);
        let mut event = fixture.build.event(&later, 1, *kind);
        event.event.failure = draw.one(generate::event_failure());
        event.event.refund = draw.one(any::<bool>()).then(|| fixture.build.id());
        event.event.at = draw.one(generate::instant());
        let mut unit = fixture.build.unit(later);
        unit.events = vec![event.clone()];
        fixture.commit(unit).await?;
        let stored = fixture.events(&new).await?;
        ensure_eq!(stored.len(), 1, "events of {}", kind.name());
        ensure_eq!(stored[0].id, event.id, "the id");
        ensure_eq!(stored[0].event, event.event, "the event");
        ensure_eq!(stored[0].merchant_reference, new.reference, "the reference");
        ensure_eq!(
            stored[0].metadata.pairs(),
            new.metadata.pairs(),
            "the metadata"
        );
    }
    Ok(())
}

/// Unknown ids load nothing, in an empty store and in one with rows.
pub async fn missing_rows_load_as_none(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.session_with_attempt().await?;
    let checkout = &fixture.store.checkout;
    let session: SessionId = fixture.build.id();
    let operation: OperationId = fixture.build.id();
    let refund: RefundId = fixture.build.id();
    let scope = fixture.build.scope(&fixture.merchant, "nobody");
    ensure_eq!(checkout.session(session).await?, None, "a session");
    ensure_eq!(checkout.operation(operation).await?, None, "an operation");
    ensure_eq!(checkout.request(operation).await?, None, "a request");
    ensure_eq!(checkout.refund(refund).await?, None, "a refund");
    ensure_eq!(
        checkout.reserved_key(operation).await?,
        None,
        "the reserved key"
    );
    ensure_eq!(
        checkout.unsent_refunds(session).await?,
        Vec::new(),
        "refunds"
    );
    anyhow::ensure!(checkout.key(&scope).await?.is_none(), "a key");
    Ok(())
}
