//! Notifications as a real simulator sends them: verified, read, and told from forgeries.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use oncharge_adapter_psp::Secret;
use oncharge_domain::{
    card::Card,
    psp::{Answer, Instruction, RefusalReason},
};
use oncharge_ports::psp::{Notification, Psp, Unverified, VerifiedNotification};
use serde_json::json;

use crate::{
    receiver::{Received, Receiver},
    sandbox::{APPROVES, Sandbox, account, eur, reference},
};

fn verified(psp: &dyn Psp, received: &Received) -> Result<Vec<VerifiedNotification>, Unverified> {
    psp.verify_notifications(&|name| received.header(name), &received.body)
}

/// The one notification in what was received, verified.
fn only(psp: &dyn Psp, received: &Received) -> VerifiedNotification {
    let mut found = verified(psp, received).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn read(psp: &dyn Psp, received: &Received) -> Notification {
    psp.read_notification(&only(psp, received).body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_final_result_is_told_of_its_operation() {
    let mut notified = Receiver::start().await;
    let sandbox = Sandbox::notifying(&notified.url).await;
    let attempt = sandbox.operation();
    let request = sandbox.payment(attempt, APPROVES, false).await;
    let payment = reference(&sandbox.send(&request).await);
    let told = read(&*sandbox.psp, &notified.next().await);
    assert_eq!((told.operation, told.session), (attempt, sandbox.session));
    assert_eq!(told.amount, eur(4200));
    assert_eq!(told.card, Card::new(Some("visa"), Some("4242")));
    // It does not say whether it was captured: the look-up does.
    let accepted = Answer::Accepted {
        reference: payment.clone(),
    };
    assert_eq!(told.answer, accepted);

    let capture = Instruction::Capture {
        payment: payment.clone(),
        amount: eur(3000),
    };
    let refund = Instruction::Refund {
        payment: payment.clone(),
        amount: eur(100),
    };
    for (instruction, amount) in [(capture, 3000), (refund, 100)] {
        let operation = sandbox.operation();
        let request = sandbox.prepared(operation, instruction, None);
        let answer = sandbox.send(&request).await;
        let told = read(&*sandbox.psp, &notified.next().await);
        assert_eq!((told.operation, told.answer), (operation, answer));
        assert_eq!((told.session, told.amount), (sandbox.session, eur(amount)));
    }

    let operation = sandbox.operation();
    let cancel = sandbox.prepared(operation, Instruction::Cancel { payment }, None);
    let answer = sandbox.send(&cancel).await;
    let told = read(&*sandbox.psp, &notified.next().await);
    assert_eq!((told.operation, &told.answer), (operation, &answer));
    assert_eq!(answer, Answer::Refused(RefusalReason::AlreadyCaptured));
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_have_one_event_key_and_others_have_others() {
    let mut notified = Receiver::start().await;
    let sandbox = Sandbox::notifying(&notified.url).await;
    sandbox.faults(json!({"duplicate_notifications": 1})).await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        sandbox.authorized().await;
        for _ in 0..2 {
            keys.push(only(&*sandbox.psp, &notified.next().await).event_key);
        }
    }
    assert_eq!(keys[0], keys[1]);
    assert_eq!(keys[2], keys[3]);
    assert_ne!(keys[0], keys[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorisation_that_lapses_is_told_as_such() {
    let mut notified = Receiver::start().await;
    let sandbox = Sandbox::notifying(&notified.url).await;
    sandbox.faults(json!({"fail_late": ["authorise"]})).await;
    sandbox.authorized().await;
    read(&*sandbox.psp, &notified.next().await);
    let told = read(&*sandbox.psp, &notified.next().await);
    assert_eq!(
        told.answer,
        Answer::Refused(RefusalReason::AuthorizationExpired)
    );
    let found = sandbox.look_up(told.operation).await;
    assert_eq!(found, Some(told.answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_was_changed_or_signed_by_another_is_not_verified() {
    let mut notified = Receiver::start().await;
    let sandbox = Sandbox::notifying(&notified.url).await;
    sandbox.authorized().await;
    let mut received = notified.next().await;

    let mut settings = sandbox.settings();
    settings.notification_key = Secret::new("key-of-another-account");
    let other = account("other", settings);
    let unverified = Err(Unverified);
    assert_eq!(
        verified(&*other, &received),
        unverified,
        "another account's key"
    );
    let nameless = sandbox.psp.verify_notifications(&|_| None, &received.body);
    assert_eq!(nameless, unverified, "no signature");
    received.body.push(b' ');
    assert_eq!(
        verified(&*sandbox.psp, &received),
        unverified,
        "another body"
    );
}
