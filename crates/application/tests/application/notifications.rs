//! What a PSP tells by itself: verified, in agreement, and never taken twice.

use oncharge_application::{Error, checkout::receive_notification::receive};
use oncharge_domain::{psp::RefusalReason, session::StatusName};
use oncharge_testkit::{Call, Reply, ScriptedPsp, psp::Finish};

use crate::support::{Order, World, books};

async fn waiting() -> (World, Order) {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::Accepted);
    world.pay(&order, "tok_1").await.unwrap();
    let attempt = world.operation(&order, "authorize").id;
    world.psp.finish(attempt, Finish::Done);
    (world, order)
}

fn body(world: &World, order: &Order) -> Vec<u8> {
    let attempt = world.operation(order, "authorize").id;
    world.psp.notification_body(attempt)
}

#[tokio::test(start_paused = true)]
async fn only_a_rightly_signed_word_for_a_known_account_counts() {
    let (world, order) = waiting().await;
    let body = body(&world, &order);
    let signed = |name: &str| {
        (name == ScriptedPsp::SIGNATURE_HEADER).then(|| ScriptedPsp::SIGNATURE.to_owned())
    };
    let forged = |name: &str| (name == ScriptedPsp::SIGNATURE_HEADER).then(|| "wrong".to_owned());
    let none = |_: &str| None;
    let ours = ("simulator", "default");
    let answer = receive(&world.app, ours, &forged, &body).await;
    assert!(matches!(answer, Err(Error::Unverified)), "{answer:?}");
    let answer = receive(&world.app, ours, &none, &body).await;
    assert!(matches!(answer, Err(Error::Unverified)), "{answer:?}");
    for account in [
        ("simulator", "other"),
        ("stripe", "default"),
        ("Not Good", ""),
    ] {
        let answer = receive(&world.app, account, &signed, &body).await;
        assert!(
            matches!(answer, Err(Error::NotFound)),
            "{account:?}: {answer:?}"
        );
    }
    assert_eq!(world.status(&order).await, StatusName::Pending);
    receive(&world.app, ours, &signed, &body).await.unwrap();
    assert_eq!(world.status(&order).await, StatusName::Authorized);
}

#[tokio::test(start_paused = true)]
async fn a_word_that_does_not_agree_with_its_operation_changes_nothing() {
    let (world, order) = waiting().await;
    let foreign = world.open().await;
    let text = String::from_utf8(body(&world, &order)).unwrap();
    for wrong in [
        text.replace("10000 EUR", "9999 EUR"),
        text.replace("10000 EUR", "10000 USD"),
        text.replace(&order.text(), &foreign.text()),
        "nonsense".to_owned(),
    ] {
        assert_ne!(wrong, text);
        world.deliver(wrong.as_bytes()).await.unwrap();
        assert_eq!(world.status(&order).await, StatusName::Pending, "{wrong}");
        assert_eq!(world.status(&foreign).await, StatusName::Created, "{wrong}");
    }
    let attempt = world.operation(&order, "authorize").id.to_string();
    let unknown: oncharge_domain::id::OperationId = world.build.id();
    let ahead = text.replace(&attempt, &unknown.to_string());
    let answer = world.deliver(ahead.as_bytes()).await;
    assert!(
        matches!(answer, Err(Error::NotFound)),
        "told again later: {answer:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn repeated_and_late_words_change_nothing() {
    let (world, order) = waiting().await;
    let attempt = world.operation(&order, "authorize").id;
    let first = body(&world, &order);
    let accepted = {
        let text = String::from_utf8(first.clone()).unwrap();
        text.replace("\ndone\n", "\naccepted\n").into_bytes()
    };
    world.deliver(&first).await.unwrap();
    world.deliver(&first).await.unwrap();
    world.notify(attempt).await.unwrap();
    world.deliver(&accepted).await.unwrap();
    assert_eq!(world.events(&order), ["authorized"]);
    world.capture(&order, "", None).await.unwrap();
    for told in [&first, &accepted] {
        world.deliver(told).await.unwrap();
    }
    assert_eq!(world.status(&order).await, StatusName::Captured);
    assert_eq!(
        books(&world, &order).await.events,
        ["authorized", "captured"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_word_that_there_is_news_is_asked_about() {
    let (world, order) = waiting().await;
    let text = String::from_utf8(body(&world, &order)).unwrap();
    let accepted = text.replace("\ndone\n", "\naccepted\n");
    world.deliver(accepted.as_bytes()).await.unwrap();
    assert_eq!(world.status(&order).await, StatusName::Authorized);
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_operation_is_ended_by_a_notification() {
    let world = World::new();
    for finish in [
        Finish::Done,
        Finish::Refused(RefusalReason::Other("no".into())),
    ] {
        let done = finish == Finish::Done;
        let (to_capture, to_cancel) = (world.authorized().await, world.authorized().await);
        let to_refund = world.captured().await;
        for call in [Call::Capture, Call::Cancel, Call::Refund] {
            world.psp.reply(call, Reply::Accepted);
        }
        world.capture(&to_capture, "", None).await.unwrap();
        world.cancel(&to_cancel, "").await.unwrap();
        world.refund(&to_refund, "", 10_000).await.unwrap();
        for (order, kind) in [
            (&to_capture, "capture"),
            (&to_cancel, "cancel"),
            (&to_refund, "refund"),
        ] {
            let operation = world.operation(order, kind).id;
            world.psp.finish(operation, finish.clone());
            world.notify(operation).await.unwrap();
        }
        let ends = if done {
            ["captured", "cancelled", "refund.succeeded"]
        } else {
            ["capture_failed", "cancel_failed", "refund.failed"]
        };
        for (order, end) in [&to_capture, &to_cancel, &to_refund].into_iter().zip(ends) {
            let audited = books(&world, order).await;
            assert_eq!(audited.events.last(), Some(&end), "{finish:?}");
        }
    }
}
