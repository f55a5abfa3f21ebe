//! The simulator's responses: each result, each reason, and repeated keys.

use oncharge_domain::{
    card::Card,
    money::Money,
    psp::{Instruction, PspReference, PspResponse, RefusalReason},
};
use oncharge_ports::psp::PspError;
use serde_json::json;

use crate::sandbox::{APPROVED_CARD, CHALLENGE_CARD, Sandbox, account, eur, reference};

fn entries(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    let owned = |(kind, amount): &(&str, i64)| ((*kind).to_owned(), *amount);
    expected.iter().map(owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_authorized_captured_in_part_and_refunded() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized().await;
    let captured = sandbox
        .execute(Instruction::Capture {
            payment: payment.clone(),
            amount: eur(3000),
        })
        .await
        .unwrap();
    assert!(matches!(captured, PspResponse::Done { .. }), "{captured:?}");
    let refunded = sandbox
        .execute(Instruction::Refund {
            payment,
            amount: eur(500),
        })
        .await
        .unwrap();
    assert!(matches!(refunded, PspResponse::Done { .. }), "{refunded:?}");
    let expected = [
        ("authorise", 4200),
        ("capture", 3000),
        ("void", 1200),
        ("refund", 500),
    ];
    assert_eq!(sandbox.ledger().await, entries(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immediate_capture_is_reported() {
    let sandbox = Sandbox::start().await;
    let operation = sandbox.operation();
    let request = sandbox.payment(operation, APPROVED_CARD, true).await;
    let response = sandbox.send(&request).await;
    assert!(
        matches!(response, PspResponse::Done { captured: true, .. }),
        "{response:?}"
    );
    assert_eq!(sandbox.look_up(operation).await, Some(response));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_reported_with_its_card_and_a_modification_is_not() {
    let sandbox = Sandbox::start().await;
    for (number, last4) in [(APPROVED_CARD, "4242"), (CHALLENGE_CARD, "3155")] {
        let operation = sandbox.operation();
        let request = sandbox.payment(operation, number, false).await;
        let report = sandbox.psp.send(&request).await.unwrap();
        assert_eq!(report.details.card, Card::new(Some("visa"), Some(last4)));
        let found = sandbox.psp.look_up(operation).await.unwrap().unwrap();
        assert_eq!(found.response, report.response);
        assert_eq!(found.details.reference, report.details.reference);
        assert_eq!(found.details.card, report.details.card);
        let amount = found.details.amount.map(Money::minor);
        assert_eq!(amount, Some(4200), "only look-ups name it");
    }
    let payment = sandbox.authorized().await;
    let operation = sandbox.operation();
    let cancel = sandbox.prepared(operation, Instruction::Cancel { payment }, None);
    assert_eq!(sandbox.psp.send(&cancel).await.unwrap().details.card, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_the_same_response() {
    let sandbox = Sandbox::start().await;
    let operation = sandbox.operation();
    let request = sandbox.payment(operation, APPROVED_CARD, false).await;
    let first = sandbox.send(&request).await;
    assert!(
        matches!(
            first,
            PspResponse::Done {
                captured: false,
                ..
            }
        ),
        "{first:?}"
    );
    assert_eq!(sandbox.send(&request).await, first);
    assert_eq!(sandbox.look_up(operation).await, Some(first));
    assert_eq!(sandbox.ledger().await, entries(&[("authorise", 4200)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_releases_the_money() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized().await;
    let response = sandbox
        .execute(Instruction::Cancel { payment })
        .await
        .unwrap();
    assert!(matches!(response, PspResponse::Done { .. }), "{response:?}");
    assert_eq!(
        sandbox.ledger().await,
        entries(&[("authorise", 4200), ("void", 4200)])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_reason() {
    let sandbox = Sandbox::start().await;
    let cards = [
        ("4000000000000002", RefusalReason::CardDeclined),
        ("4000000000009995", RefusalReason::InsufficientFunds),
        ("4000000000000069", RefusalReason::ExpiredCard),
    ];
    for (card, reason) in cards {
        let operation = sandbox.operation();
        let request = sandbox.payment(operation, card, false).await;
        let response = sandbox.send(&request).await;
        assert_eq!(response, PspResponse::Refused(reason), "{card}");
        assert_eq!(sandbox.look_up(operation).await, Some(response), "{card}");
    }
    assert!(sandbox.ledger().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_in_the_wrong_state_are_refused() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized().await;
    let refused = |name: &str| PspResponse::Refused(RefusalReason::parse(name));
    let cancel = || Instruction::Cancel {
        payment: payment.clone(),
    };
    let capture = |minor| Instruction::Capture {
        payment: payment.clone(),
        amount: eur(minor),
    };
    let refund = |minor| Instruction::Refund {
        payment: payment.clone(),
        amount: eur(minor),
    };
    let response = |instruction| async { sandbox.execute(instruction).await.unwrap() };
    assert_eq!(response(refund(1)).await, refused("wrong_state"));
    assert_eq!(response(capture(4201)).await, refused("amount_too_large"));
    assert!(matches!(
        response(capture(4200)).await,
        PspResponse::Done { .. }
    ));
    assert_eq!(
        response(cancel()).await,
        PspResponse::Refused(RefusalReason::AlreadyCaptured)
    );
    assert_eq!(response(capture(1)).await, refused("wrong_state"));
    assert_eq!(response(refund(4201)).await, refused("amount_too_large"));

    let other = sandbox.authorized().await;
    let cancel = || Instruction::Cancel {
        payment: other.clone(),
    };
    assert!(matches!(response(cancel()).await, PspResponse::Done { .. }));
    assert_eq!(
        response(cancel()).await,
        PspResponse::Refused(RefusalReason::NothingHeld)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_passed_failed_or_cancelled() {
    let sandbox = Sandbox::start().await;
    for outcome in ["pass", "fail", "cancel"] {
        let operation = sandbox.operation();
        let request = sandbox.payment(operation, CHALLENGE_CARD, false).await;
        let challenged = sandbox.send(&request).await;
        let PspResponse::ActionRequired(challenge) = challenged.clone() else {
            panic!("{challenged:?}");
        };
        assert!(
            challenge.url.starts_with(sandbox.url()),
            "{}",
            challenge.url
        );
        assert_eq!(sandbox.look_up(operation).await, Some(challenged.clone()));
        assert_eq!(
            sandbox.send(&request).await,
            challenged,
            "the URL of the same challenge"
        );

        let payment = challenge.reference.clone();
        if outcome == "cancel" {
            let ended = sandbox
                .execute(Instruction::Cancel { payment })
                .await
                .unwrap();
            assert!(matches!(ended, PspResponse::Done { .. }), "{ended:?}");
        } else {
            sandbox.end_challenge(&challenge.url, outcome).await;
        }
        let expected = match outcome {
            "pass" => PspResponse::Done {
                reference: challenge.reference,
                captured: false,
            },
            "fail" => PspResponse::Refused(RefusalReason::AuthenticationFailed),
            _ => PspResponse::Refused(RefusalReason::NothingHeld),
        };
        let found = sandbox.look_up(operation).await;
        assert_eq!(found, Some(expected), "{outcome}");
    }
    assert_eq!(sandbox.ledger().await, entries(&[("authorise", 4200)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_asynchronous_mode_every_call_is_accepted() {
    let sandbox = Sandbox::start().await;
    let held = sandbox.authorized().await;
    sandbox.set_faults(json!({"asynchronous": true})).await;
    let operation = sandbox.operation();
    let request = sandbox.payment(operation, APPROVED_CARD, true).await;
    let accepted = sandbox.send(&request).await;
    assert!(
        matches!(accepted, PspResponse::Accepted { .. }),
        "{accepted:?}"
    );
    let cancel = Instruction::Cancel { payment: held };
    let response = sandbox.execute(cancel).await.unwrap();
    assert!(
        matches!(response, PspResponse::Accepted { .. }),
        "{response:?}"
    );

    let done = PspResponse::Done {
        reference: reference(&accepted),
        captured: true,
    };
    for _ in 0..500 {
        let found = sandbox.look_up(operation).await;
        if found == Some(done.clone()) {
            return;
        }
        assert_eq!(found, Some(accepted.clone()));
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the accepted payment never got a result");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_of_an_unsent_operation_finds_nothing() {
    let sandbox = Sandbox::start().await;
    assert_eq!(sandbox.look_up(sandbox.operation()).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_payment_is_refused() {
    let sandbox = Sandbox::start().await;
    let payment = PspReference::parse("psp_of/another?simulator").unwrap();
    let response = sandbox
        .execute(Instruction::Cancel { payment })
        .await
        .unwrap();
    assert_eq!(
        response,
        PspResponse::Refused(RefusalReason::parse("not_found"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reused_key_has_an_unknown_outcome() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized().await;
    let operation = sandbox.operation();
    let requests = [eur(4200), eur(4100)].map(|amount| {
        let payment = payment.clone();
        sandbox.prepared(operation, Instruction::Capture { payment, amount }, None)
    });
    let done = sandbox.send(&requests[0]).await;
    let result = sandbox.psp.send(&requests[1]).await;
    assert!(matches!(result, Err(PspError::Unknown(_))), "{result:?}");
    assert_eq!(sandbox.look_up(operation).await, Some(done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_bearer_is_not_sent() {
    let sandbox = Sandbox::start().await;
    let mut settings = sandbox.settings();
    settings.bearer = oncharge_adapter_psp::Secret::new("wrong");
    let stranger = account("stranger", settings);
    let operation = sandbox.operation();
    let request = sandbox.payment(operation, APPROVED_CARD, false).await;
    let result = stranger.send(&request).await;
    assert!(matches!(result, Err(PspError::NotSent(_))), "{result:?}");
    assert_eq!(sandbox.look_up(operation).await, None);
}
