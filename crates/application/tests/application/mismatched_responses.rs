//! Responses and look-ups that name another reference or amount than the operation's.

use oncharge_domain::{
    currency::Currency,
    money::Money,
    operation::SendState,
    psp::{PspDetails, PspReference, RefusalReason},
    session::StatusName,
};
use oncharge_testkit::{Call, Reply};

use crate::support::{World, audit};

fn mismatches(actions: &[&str]) -> usize {
    let is_mismatch = |action: &&&str| **action == "response_mismatched";
    actions.iter().filter(is_mismatch).count()
}

fn of_amount(minor: i64) -> PspDetails {
    let currency = Currency::parse("EUR").unwrap();
    PspDetails {
        amount: Some(Money::new(minor, currency).unwrap()),
        ..PspDetails::default()
    }
}

fn of_another_payment() -> PspDetails {
    PspDetails {
        reference: Some(PspReference::parse("psp_of_another_payment").unwrap()),
        ..PspDetails::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_with_another_amount_captures_nothing_until_a_look_up_matches() {
    let world = World::new();
    let order = world.authorized().await;
    world.psp.state_details(Some(of_amount(9_999)));
    let reply = world.capture(&order, "k", None).await.unwrap();
    assert_eq!(reply.response.status, 202, "the outcome is unknown");
    world.run_for(7200).await;
    assert_eq!(world.status(&order).await, StatusName::Authorized);
    let capture = world.operation(&order, "capture");
    assert_eq!(capture.sending, SendState::Mismatched);
    let sent = world.psp.received_calls();
    let look_ups = sent.iter().filter(|(call, _)| *call == Call::LookUp);
    assert!(look_ups.count() > 5, "recovery goes on");
    assert_eq!(mismatches(&world.audit_actions(&order)), 1);

    world.psp.state_details(None);
    world.run_for(1800).await;
    assert_eq!(audit(&world, &order).await.taken, 10_000);
    assert_eq!(mismatches(&world.audit_actions(&order)), 1);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_with_another_reference_changes_nothing() {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::Accepted);
    world.pay(&order, "tok_1").await.unwrap();
    let attempt = world.operation(&order, "authorize").id;
    world
        .psp
        .finish(attempt, oncharge_testkit::psp::Finish::Done);
    world.psp.state_details(Some(of_another_payment()));
    world.run_for(600).await;
    assert_eq!(world.status(&order).await, StatusName::Pending);
    assert_eq!(mismatches(&world.audit_actions(&order)), 1);
    world.psp.state_details(None);
    world.run_for(600).await;
    assert_eq!(world.status(&order).await, StatusName::Authorized);
    audit(&world, &order).await;
}

#[tokio::test(start_paused = true)]
async fn a_contradiction_is_not_confirmed_by_a_look_up_of_another_payment() {
    let world = World::new();
    let order = world.captured().await;
    let no = RefusalReason::Other("no".into());
    world.psp.reply(Call::Refund, Reply::Refused(no));
    world.refund(&order, "", 500).await.unwrap();
    let refund = world.operation(&order, "refund").id;
    world.psp.complete_refused(refund);
    let body = world.psp.notification_body(refund);
    world.psp.state_details(Some(of_amount(1)));
    world.deliver(&body).await.unwrap();
    world.run_for(60).await;
    assert_eq!(world.operation(&order, "refund").contradiction, None);
    world.psp.state_details(None);
    world.run_for(60).await;
    let contradiction = world.operation(&order, "refund").contradiction;
    assert!(contradiction.is_some(), "the notification was kept");
}

/// The look-up that follows a notification of an attempt that is no longer open.
#[tokio::test(start_paused = true)]
async fn a_notification_whose_look_up_does_not_match_is_listed() {
    let world = World::new();
    let order = world.open().await;
    world
        .psp
        .reply(Call::Authorize, Reply::Refused(RefusalReason::CardDeclined));
    world.pay(&order, "tok_1").await.unwrap();
    let attempt = world.operation(&order, "authorize").id;
    world.psp.complete_refused(attempt);
    world.psp.state_details(Some(of_amount(9_999)));
    let body = world.psp.notification_body(attempt);
    let news = String::from_utf8(body)
        .unwrap()
        .replace("\ndone\n", "\naccepted\n");
    world.deliver(news.as_bytes()).await.unwrap();
    assert_eq!(world.status(&order).await, StatusName::Refused);
    let audited = world.audit_actions(&order);
    assert!(audited.contains(&"notification_mismatched"), "{audited:?}");
}
