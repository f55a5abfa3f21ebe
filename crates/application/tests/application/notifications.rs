//! Notifications of a PSP: verified, stored, checked against the operation, and applied once.

use std::net::IpAddr;

use oncharge_application::{
    Error,
    checkout::receive_notification::receive,
    operator_queries::{self, Dismissible},
    workers::psp_inbox,
};
use oncharge_domain::{
    id::OperationId,
    operation::Contradiction,
    psp::{RefusalReason, TokenFingerprint},
    session::{Input, StatusName},
};
use oncharge_ports::{CheckoutRepository, inbox::NotificationStatus};
use oncharge_testkit::{Call, Reply, ScriptedPsp, psp::Finish};

use crate::support::{FaultPoint, Order, PlannedFault, World, audit};

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
async fn only_a_correctly_signed_notification_for_a_known_account_is_accepted() {
    let (world, order) = waiting().await;
    let body = body(&world, &order);
    let signed = |name: &str| {
        (name == ScriptedPsp::SIGNATURE_HEADER).then(|| ScriptedPsp::SIGNATURE.to_owned())
    };
    let forged = |name: &str| (name == ScriptedPsp::SIGNATURE_HEADER).then(|| "wrong".to_owned());
    let none = |_: &str| None;
    let response = receive(&world.app, "simulator", "default", None, &forged, &body).await;
    assert!(matches!(response, Err(Error::Unverified)), "{response:?}");
    let response = receive(&world.app, "simulator", "default", None, &none, &body).await;
    assert!(matches!(response, Err(Error::Unverified)), "{response:?}");
    for (connector, account) in [
        ("simulator", "other"),
        ("stripe", "default"),
        ("Not Good", ""),
    ] {
        let response = receive(&world.app, connector, account, None, &signed, &body).await;
        assert!(
            matches!(response, Err(Error::NotFound)),
            "{connector}/{account}: {response:?}"
        );
    }
    assert_eq!(world.status(&order).await, StatusName::Pending);
    receive(&world.app, "simulator", "default", None, &signed, &body)
        .await
        .unwrap();
    assert_eq!(
        world.status(&order).await,
        StatusName::Pending,
        "stored, not applied yet"
    );
    world.run_workers().await;
    assert_eq!(world.status(&order).await, StatusName::Authorized);
    assert_eq!(statuses(&world), ["unverified", "unverified", "handled"]);
}

/// The status of every notification, in order of receipt.
fn statuses(world: &World) -> Vec<&'static str> {
    let all = world.store.notifications();
    all.iter().map(|stored| stored.status.name()).collect()
}

/// The stuck items of the operators' list: kind and detail.
async fn stuck(world: &World) -> Vec<String> {
    let found = operator_queries::stuck(&world.app, 100).await.unwrap();
    let shown = found
        .iter()
        .map(|item| format!("{} {}", item.kind.name(), item.detail));
    shown.collect()
}

#[tokio::test(start_paused = true)]
async fn unverified_notifications_are_stored_up_to_a_limit() {
    let (world, order) = waiting().await;
    let body = body(&world, &order);
    let none = |_: &str| None;
    let source = |number: u16| {
        let [upper, lower] = number.to_be_bytes();
        Some(IpAddr::from([192, 0, upper, lower]))
    };
    let send = async |number: u16, times: usize| {
        let before = statuses(&world).len();
        for _ in 0..times {
            let response = receive(
                &world.app,
                "simulator",
                "default",
                source(number),
                &none,
                &body,
            )
            .await;
            assert!(matches!(response, Err(Error::Unverified)));
        }
        statuses(&world).len() - before
    };
    assert_eq!(send(1, 100).await, 12, "stored from one source");
    assert_eq!(send(2, 3).await, 3, "stored from another source");
    for number in 10..1008 {
        assert!(
            send(number, 2).await >= 1,
            "nothing stored from source {number}"
        );
    }
    assert_eq!(
        send(1008, 1).await,
        0,
        "stored from a source beyond the limit"
    );
    assert_eq!(send(2, 1).await, 0, "stored beyond the total limit");
    world.run_workers().await;
    assert_eq!(world.status(&order).await, StatusName::Pending);
    let huge = vec![b'x'; 200_000];
    world.clock.advance(3600);
    let response = receive(&world.app, "simulator", "default", source(2), &none, &huge).await;
    assert!(matches!(response, Err(Error::Unverified)));
    let kept = world.store.notifications();
    assert_eq!(kept.last().unwrap().new.body.len(), 16 * 1024);
}

#[tokio::test(start_paused = true)]
async fn a_notification_that_does_not_match_its_operation_changes_nothing() {
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
    let all = statuses(&world);
    assert_eq!(
        all.len(),
        2,
        "notifications with one id of the PSP are stored once: {all:?}"
    );
}

/// The same notification with another id of the PSP.
fn renamed(text: &str, id: &str) -> String {
    let (_, rest) = text.split_once('\n').unwrap();
    format!("{id}\n{rest}")
}

#[tokio::test(start_paused = true)]
async fn mismatched_notifications_are_listed_until_dismissed() {
    let (world, order) = waiting().await;
    let foreign = world.open().await;
    let text = String::from_utf8(body(&world, &order)).unwrap();
    let lower = renamed(&text.replace("10000 EUR", "9999 EUR"), "ntf_lower");
    let other = renamed(&text.replace(&order.text(), &foreign.text()), "ntf_other");
    let payment = renamed(&text.replace("\npsp_", "\npsp_other_"), "ntf_payment");
    for wrong in [&lower, &other, &payment, "nonsense"] {
        world.deliver(wrong.as_bytes()).await.unwrap();
        world.clock.advance(1);
    }
    let before = world.fault_plan.reached().commits;
    let mismatched = ["mismatched", "mismatched", "mismatched", "malformed"];
    assert_eq!(statuses(&world), mismatched);
    assert_eq!(world.audit_actions(&order), ["notification_mismatched"; 3]);
    assert_eq!(world.status(&order).await, StatusName::Pending);
    assert_eq!(
        world.fault_plan.reached().commits,
        before,
        "the session was changed"
    );
    let listed = stuck(&world).await;
    assert_eq!(listed.len(), 4, "{listed:?}");
    for stored in world.store.notifications() {
        assert!(
            operator_queries::dismiss(&world.app, Dismissible::Notification(stored.new.id))
                .await
                .unwrap()
        );
        assert!(
            !operator_queries::dismiss(&world.app, Dismissible::Notification(stored.new.id))
                .await
                .unwrap()
        );
    }
    assert_eq!(stuck(&world).await, Vec::<String>::new());
    world.deliver(text.as_bytes()).await.unwrap();
    assert_eq!(world.status(&order).await, StatusName::Authorized);
}

#[tokio::test(start_paused = true)]
async fn a_notification_for_an_unknown_operation_waits_and_is_then_listed() {
    let (world, order) = waiting().await;
    let text = String::from_utf8(body(&world, &order)).unwrap();
    let attempt = world.operation(&order, "authorize").id.to_string();
    let unknown: oncharge_domain::id::OperationId = world.build.id();
    let ahead = text.replace(&attempt, &unknown.to_string());
    world.deliver(ahead.as_bytes()).await.unwrap();
    world.run_for(3000).await;
    assert_eq!(statuses(&world), ["waiting"]);
    assert!(
        stuck(&world)
            .await
            .iter()
            .any(|item| item.starts_with("waiting_notification"))
    );
    world.run_for(700).await;
    assert_eq!(statuses(&world), ["unmatched"]);
    assert_eq!(stuck(&world).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_notification_before_our_own_commit_is_not_dropped() {
    let world = World::new();
    let order = world.open().await;
    let operation = world.build.id();
    let token = TokenFingerprint::of("tok_1");
    let reported = format!(
        "ntf_early\n{operation}\n{}\n10000 EUR\npsp_1\ndone\npsp_1\n",
        order.id
    );
    world.receive(reported.as_bytes()).await.unwrap();
    world.run_workers().await;
    assert_eq!(statuses(&world), ["waiting"]);
    // The commit of the intent, which was in progress.
    let pay = Input::Pay {
        operation,
        token,
        banned: false,
    };
    let paying = world
        .session(&order)
        .await
        .decide(pay, world.now())
        .unwrap();
    let mut unit = world.build.unit(paying.session.clone());
    unit.operations = vec![world.build.intent(paying.operations[0].clone())];
    world.store.commit(unit).await.unwrap();
    world.clock.advance(5);
    world.run_workers().await;
    assert_eq!(statuses(&world), ["handled"]);
    assert_eq!(world.status(&order).await, StatusName::Authorized);
}

/// The PSP reports a failed refund as done while its own look-up still reports it as in progress.
#[tokio::test(start_paused = true)]
async fn a_contradiction_waits_until_a_look_up_is_final() {
    let world = World::new();
    let order = world.captured().await;
    world.psp.reply(Call::Refund, Reply::Accepted);
    world.refund(&order, "", 500).await.unwrap();
    let refund = world.operation(&order, "refund");
    let (id, reference) = (refund.id, refund.reference.unwrap());
    let report = |number: u8, result: &str| {
        let about = format!("{id}\n{}\n500 EUR\n{}", order.id, reference.as_str());
        format!("ntf_{number}\n{about}\n{result}\n")
    };
    let refused = report(1, "refused\nno");
    world.deliver(refused.as_bytes()).await.unwrap();
    let done = report(2, &format!("done\n{}", reference.as_str()));
    world.deliver(done.as_bytes()).await.unwrap();
    let mut found = statuses(&world);
    found.sort_unstable();
    assert_eq!(found, ["handled", "waiting"]);
    assert_eq!(world.operation(&order, "refund").contradiction, None);
    world.psp.finish(id, Finish::Done);
    world.run_for(60).await;
    assert_eq!(statuses(&world), ["handled", "handled"]);
    let listed = Some(Contradiction::Listed);
    assert_eq!(world.operation(&order, "refund").contradiction, listed);
}

#[tokio::test(start_paused = true)]
async fn a_notification_that_cannot_be_stored_is_refused() {
    let (world, order) = waiting().await;
    let body = body(&world, &order);
    for fault in [PlannedFault::Before, PlannedFault::After] {
        world.fault_plan.plan(FaultPoint::Write(1), fault);
        let response = world.receive(&body).await;
        assert!(
            matches!(response, Err(Error::Busy(_))),
            "{fault:?}: {response:?}"
        );
    }
    world.receive(&body).await.unwrap();
    world.run_workers().await;
    assert_eq!(statuses(&world), ["handled"]);
    assert_eq!(world.events(&order), ["authorized"]);
}

#[tokio::test(start_paused = true)]
async fn two_workers_apply_a_notification_once() {
    let (world, order) = waiting().await;
    let other = world.restarted();
    world.receive(&body(&world, &order)).await.unwrap();
    let both = futures_util::future::join(
        psp_inbox::run_once(&world.app),
        psp_inbox::run_once(&other.app),
    );
    let (one, two) = both.await;
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    assert_eq!(world.events(&order), ["authorized"]);
    let handled = NotificationStatus::Handled;
    assert_eq!(world.store.notifications()[0].status, handled);
}

#[tokio::test(start_paused = true)]
async fn repeated_and_late_notifications_change_nothing() {
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
    for reported in [&first, &accepted] {
        world.deliver(reported).await.unwrap();
    }
    assert_eq!(world.status(&order).await, StatusName::Captured);
    assert_eq!(
        audit(&world, &order).await.events,
        ["authorized", "captured"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_notification_without_a_result_is_looked_up() {
    let (world, order) = waiting().await;
    let text = String::from_utf8(body(&world, &order)).unwrap();
    let accepted = text.replace("\ndone\n", "\naccepted\n");
    world.deliver(accepted.as_bytes()).await.unwrap();
    assert_eq!(world.status(&order).await, StatusName::Authorized);
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_operation_is_completed_by_a_notification() {
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
            let audited = audit(&world, order).await;
            assert_eq!(audited.events.last(), Some(&end), "{finish:?}");
        }
    }
}

/// More than several claims return.
const FLOOD: usize = 320;

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_notifications_does_not_delay_others() {
    let (world, order) = waiting().await;
    let attempt = world.operation(&order, "authorize").id;
    let right = String::from_utf8(body(&world, &order)).unwrap();
    let (_, rest) = right.split_once('\n').unwrap();
    for number in 0..FLOOD {
        let unknown: OperationId = world.build.id();
        let reported = rest.replace(&attempt.to_string(), &unknown.to_string());
        let junk = format!("ntf_junk{number}\n{reported}");
        world.receive(junk.as_bytes()).await.unwrap();
    }
    // A quarter of an hour, at the poll interval.
    let mut looks = 0;
    for _ in 0..900 {
        world.clock.advance(1);
        looks += psp_inbox::run_once(&world.app).await.unwrap();
    }
    let each = looks / FLOOD;
    assert!(each <= 12, "each was claimed {each} times");
    world.receive(right.as_bytes()).await.unwrap();
    while psp_inbox::run_once(&world.app).await.unwrap() > 0 {}
    assert_eq!(world.status(&order).await, StatusName::Authorized);
}
