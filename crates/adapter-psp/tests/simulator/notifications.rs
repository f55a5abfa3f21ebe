//! Notifications of a real simulator: verified, parsed, and forgeries rejected.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use oncharge_adapter_psp::Secret;
use oncharge_domain::{
    card::Card,
    psp::{Instruction, PspResponse, RefusalReason},
};
use oncharge_ports::psp::{InvalidSignature, Notification, Psp, VerifiedNotification};
use serde_json::json;

use crate::{
    receiver::{Received, Receiver},
    sandbox::{APPROVED_CARD, Sandbox, account, eur, reference},
};

fn verified(
    psp: &dyn Psp,
    received: &Received,
) -> Result<Vec<VerifiedNotification>, InvalidSignature> {
    psp.connector()
        .verify_notifications(&|name| received.header(name), &received.body)
}

/// The one verified notification of a request.
fn single(psp: &dyn Psp, received: &Received) -> VerifiedNotification {
    let mut found = verified(psp, received).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn read(psp: &dyn Psp, received: &Received) -> Notification {
    let body = single(psp, received).body;
    psp.connector().read_notification(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_final_result_is_notified() {
    let mut receiver = Receiver::start().await;
    let sandbox = Sandbox::start_with_notifications(&receiver.url).await;
    let attempt = sandbox.operation();
    let request = sandbox.payment(attempt, APPROVED_CARD, false).await;
    let payment = reference(&sandbox.send(&request).await);
    let notification = read(&*sandbox.psp, &receiver.next().await);
    assert_eq!(
        (notification.operation, notification.session),
        (attempt, sandbox.session)
    );
    assert_eq!(notification.amount, eur(4200));
    assert_eq!(notification.card, Card::new(Some("visa"), Some("4242")));
    // The notification does not contain whether it was captured; the look-up does.
    let accepted = PspResponse::Accepted {
        reference: payment.clone(),
    };
    assert_eq!(notification.response, accepted);

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
        let response = sandbox.send(&request).await;
        let notification = read(&*sandbox.psp, &receiver.next().await);
        assert_eq!(
            (notification.operation, notification.response),
            (operation, response)
        );
        assert_eq!(
            (notification.session, notification.amount),
            (sandbox.session, eur(amount))
        );
    }

    let operation = sandbox.operation();
    let cancel = sandbox.prepared(operation, Instruction::Cancel { payment }, None);
    let response = sandbox.send(&cancel).await;
    let notification = read(&*sandbox.psp, &receiver.next().await);
    assert_eq!(
        (notification.operation, &notification.response),
        (operation, &response)
    );
    assert_eq!(
        response,
        PspResponse::Refused(RefusalReason::AlreadyCaptured)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_share_an_event_key() {
    let mut receiver = Receiver::start().await;
    let sandbox = Sandbox::start_with_notifications(&receiver.url).await;
    sandbox
        .set_faults(json!({"duplicate_notifications": 1}))
        .await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        sandbox.authorized().await;
        for _ in 0..2 {
            keys.push(single(&*sandbox.psp, &receiver.next().await).event_key);
        }
    }
    assert_eq!(keys[0], keys[1]);
    assert_eq!(keys[2], keys[3]);
    assert_ne!(keys[0], keys[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lapsed_authorization_is_notified() {
    let mut receiver = Receiver::start().await;
    let sandbox = Sandbox::start_with_notifications(&receiver.url).await;
    sandbox
        .set_faults(json!({"fail_late": ["authorise"]}))
        .await;
    sandbox.authorized().await;
    read(&*sandbox.psp, &receiver.next().await);
    let notification = read(&*sandbox.psp, &receiver.next().await);
    assert_eq!(
        notification.response,
        PspResponse::Refused(RefusalReason::AuthorizationExpired)
    );
    let found = sandbox.look_up(notification.operation).await;
    assert_eq!(found, Some(notification.response));
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_notifications_are_not_verified() {
    let mut receiver = Receiver::start().await;
    let sandbox = Sandbox::start_with_notifications(&receiver.url).await;
    sandbox.authorized().await;
    let mut message = receiver.next().await;

    let mut settings = sandbox.settings();
    settings.notification_key = Secret::new("key-of-another-account");
    let other = account("other", settings);
    let unverified = Err(InvalidSignature);
    assert_eq!(
        verified(&*other, &message),
        unverified,
        "another account's key"
    );
    let unsigned = sandbox
        .psp
        .connector()
        .verify_notifications(&|_| None, &message.body);
    assert_eq!(unsigned, unverified, "no signature");
    message.body.push(b' ');
    assert_eq!(
        verified(&*sandbox.psp, &message),
        unverified,
        "another body"
    );
}
