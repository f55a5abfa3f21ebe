//! The scenarios of the crash matrix.

use futures_util::{FutureExt, future::LocalBoxFuture};
use oncharge_domain::{
    psp::{PspResponse, RefusalReason},
    session::StatusName,
};
use oncharge_testkit::{Call, Reply, ScriptedPsp, psp::Finish};

use super::Scenario;
use crate::support::{Order, World};

/// The clients' requests; may be run again from the start.
pub(super) type Script = for<'a> fn(&'a World) -> LocalBoxFuture<'a, Order>;

const DECLINED: Reply = Reply::Refused(RefusalReason::CardDeclined);

fn refusal() -> RefusalReason {
    RefusalReason::Other("no".into())
}

async fn open(world: &World) -> Order {
    world
        .retry_until_response(async || world.try_open("open").await)
        .await
}

async fn paid(world: &World) -> Order {
    let order = open(world).await;
    world.retry_payment(&order, "card").await;
    order
}

async fn captured(world: &World) -> Order {
    let order = paid(world).await;
    world
        .retry_until_response(async || world.capture(&order, "capture", None).await)
        .await;
    world.await_status(&order, StatusName::Captured, 20).await;
    order
}

fn nothing_planned(_: &ScriptedPsp) {}

/// Ends with an authorized session.
fn authorized(name: &'static str, plan: fn(&ScriptedPsp), script: Script) -> Scenario {
    Scenario {
        name,
        world: World::new,
        plan,
        script,
        status: StatusName::Authorized,
        reserved: 10_000,
        taken: 0,
        events: &[&["authorized"]],
    }
}

/// Ends with a captured session, with this amount captured and not refunded.
fn kept(name: &'static str, taken: i64, script: Script) -> Scenario {
    Scenario {
        status: StatusName::Captured,
        reserved: 0,
        taken,
        events: &[&["authorized", "captured"]],
        ..authorized(name, nothing_planned, script)
    }
}

/// Ends with an expired session without a hold.
fn expired(name: &'static str, plan: fn(&ScriptedPsp), script: Script) -> Scenario {
    Scenario {
        status: StatusName::Expired,
        reserved: 0,
        taken: 0,
        events: &[&["expired"]],
        ..authorized(name, plan, script)
    }
}

#[test]
fn pay() {
    authorized("pay", nothing_planned, |world| paid(world).boxed_local()).check();
}

#[test]
fn pay_and_capture_at_once() {
    let sale = kept("sale", 10_000, |world| paid(world).boxed_local());
    Scenario {
        world: || World::capturing_after(0),
        events: &[&["captured"]],
        ..sale
    }
    .check();
}

#[test]
fn declined_and_paid_with_another_card() {
    let declined = |psp: &ScriptedPsp| psp.reply(Call::Authorize, DECLINED);
    let scenario = authorized("declined", declined, |world| {
        async move {
            let order = paid(world).await;
            world.retry_payment(&order, "other").await;
            order
        }
        .boxed_local()
    });
    Scenario {
        events: &[&["refused", "authorized"]],
        ..scenario
    }
    .check();
}

#[test]
fn challenge_passed() {
    let challenge = |psp: &ScriptedPsp| psp.reply(Call::Authorize, Reply::ActionRequired);
    authorized("challenge", challenge, |world| {
        async move {
            let order = paid(world).await;
            world
                .finish_at_psp(&order, "authorize", &Finish::Done)
                .await;
            order
        }
        .boxed_local()
    })
    .check();
}

#[test]
fn challenge_abandoned_and_paid_with_another_card() {
    let challenge = |psp: &ScriptedPsp| psp.reply(Call::Authorize, Reply::ActionRequired);
    let scenario = authorized("abandon", challenge, |world| {
        async move {
            let order = paid(world).await;
            if world.status(&order).await == StatusName::Pending {
                world
                    .retry_until_response(async || world.abandon(&order).await)
                    .await;
                while world.status(&order).await == StatusName::Pending {
                    world.run_for(10).await;
                }
            }
            world.retry_payment(&order, "other").await;
            order
        }
        .boxed_local()
    });
    Scenario {
        events: &[&["refused", "authorized"]],
        ..scenario
    }
    .check();
}

#[test]
fn result_by_notification() {
    let accepted = |psp: &ScriptedPsp| psp.reply(Call::Authorize, Reply::Accepted);
    authorized("async", accepted, |world| {
        async move {
            let order = open(world).await;
            world.retry_starting_payment(&order, "card").await;
            world
                .finish_at_psp(&order, "authorize", &Finish::Done)
                .await;
            order
        }
        .boxed_local()
    })
    .check();
}

#[test]
fn capture_a_part() {
    kept("capture", 4_000, |world| {
        async move {
            let order = paid(world).await;
            world
                .retry_until_response(async || world.capture(&order, "part", Some(4_000)).await)
                .await;
            world.await_status(&order, StatusName::Captured, 20).await;
            order
        }
        .boxed_local()
    })
    .check();
}

#[test]
fn capture_accepted_without_notification() {
    let scenario = kept("capture accepted", 10_000, |world| {
        async move {
            let order = paid(world).await;
            world
                .retry_until_response(async || world.capture(&order, "capture", None).await)
                .await;
            while world.status(&order).await != StatusName::Captured {
                for operation in world.operations(&order) {
                    let known = world.psp.current_response(operation.id);
                    if let Some(PspResponse::Accepted { .. }) = known {
                        world.psp.finish(operation.id, Finish::Done);
                    }
                }
                world.run_for(20).await;
            }
            order
        }
        .boxed_local()
    });
    Scenario {
        plan: |psp| psp.reply(Call::Capture, Reply::Accepted),
        ..scenario
    }
    .check();
}

#[test]
fn capture_refused() {
    let refused = |psp: &ScriptedPsp| psp.reply(Call::Capture, Reply::Refused(refusal()));
    let scenario = authorized("capture refused", refused, |world| {
        async move {
            let order = paid(world).await;
            world
                .retry_until_response(async || world.capture(&order, "capture", None).await)
                .await;
            order
        }
        .boxed_local()
    });
    Scenario {
        // Reported by an event if the response did not report it.
        events: &[&["authorized"], &["authorized", "capture_failed"]],
        ..scenario
    }
    .check();
}

/// The authorization is voided at the PSP, which sends no notification.
async fn voided(world: &World) -> Order {
    let order = paid(world).await;
    // If the script runs again, the authorization is already voided.
    let kept = world.session(&order).await.snapshot().attempt;
    if let Some(attempt) = kept
        && let Some(PspResponse::Done { .. }) = world.psp.current_response(attempt)
    {
        world.psp.reverse(attempt, refusal());
    }
    order
}

/// The hold is gone, whichever of the two operations the merchant requests.
fn nothing_held(name: &'static str, script: Script) -> Scenario {
    Scenario {
        status: StatusName::Cancelled,
        reserved: 0,
        events: &[&["authorized", "cancelled"]],
        ..authorized(name, nothing_planned, script)
    }
}

#[test]
fn capture_of_a_voided_authorization() {
    nothing_held("capture of a voided authorization", |world| {
        async move {
            let order = voided(world).await;
            world
                .retry_until_response(async || world.capture(&order, "capture", None).await)
                .await;
            world.await_status(&order, StatusName::Cancelled, 20).await;
            order
        }
        .boxed_local()
    })
    .check();
}

#[test]
fn cancel_of_a_voided_authorization() {
    nothing_held("cancel of a voided authorization", |world| {
        async move {
            let order = voided(world).await;
            world
                .retry_until_response(async || world.cancel(&order, "cancel").await)
                .await;
            world.await_status(&order, StatusName::Cancelled, 20).await;
            order
        }
        .boxed_local()
    })
    .check();
}

#[test]
fn cancel() {
    let scenario = authorized("cancel", nothing_planned, |world| {
        async move {
            let order = paid(world).await;
            world
                .retry_until_response(async || world.cancel(&order, "cancel").await)
                .await;
            order
        }
        .boxed_local()
    });
    Scenario {
        status: StatusName::Cancelled,
        reserved: 0,
        events: &[&["authorized", "cancelled"]],
        ..scenario
    }
    .check();
}

#[test]
fn two_refunds() {
    let scenario = kept("refunds", 5_500, |world| {
        async move {
            let order = captured(world).await;
            for (key, minor) in [("one", 1_500), ("two", 3_000)] {
                world
                    .retry_until_response(async || world.refund(&order, key, minor).await)
                    .await;
            }
            order
        }
        .boxed_local()
    });
    Scenario {
        events: &[
            &[
                "authorized",
                "captured",
                "refund.requested",
                "refund.succeeded",
                "refund.requested",
                "refund.succeeded",
            ],
            &[
                "authorized",
                "captured",
                "refund.requested",
                "refund.requested",
                "refund.succeeded",
                "refund.succeeded",
            ],
        ],
        ..scenario
    }
    .check();
}

#[test]
fn refund_refused_by_notification() {
    let accepted = |psp: &ScriptedPsp| psp.reply(Call::Refund, Reply::Accepted);
    let scenario = kept("refund refused", 10_000, |world| {
        async move {
            let order = captured(world).await;
            world
                .retry_until_response(async || world.refund(&order, "one", 1_500).await)
                .await;
            world
                .finish_at_psp(&order, "refund", &Finish::Refused(refusal()))
                .await;
            order
        }
        .boxed_local()
    });
    Scenario {
        plan: accepted,
        events: &[&[
            "authorized",
            "captured",
            "refund.requested",
            "refund.failed",
        ]],
        ..scenario
    }
    .check();
}

#[test]
fn automatic_capture() {
    let scenario = kept("automatic capture", 10_000, |world| {
        async move {
            let order = paid(world).await;
            world.await_status(&order, StatusName::Captured, 20).await;
            order
        }
        .boxed_local()
    });
    Scenario {
        world: || World::capturing_after(60),
        ..scenario
    }
    .check();
}

#[test]
fn expiry_of_an_unpaid_session() {
    expired("unpaid", nothing_planned, |world| {
        async move {
            let order = open(world).await;
            world.wait_past_expiry(&order, 0).await;
            while world.session(&order).await.status_name() != StatusName::Expired {
                world.run_for(20).await;
            }
            order
        }
        .boxed_local()
    })
    .check();
}

#[test]
fn expiry_by_the_merchant() {
    expired("withdrawn", nothing_planned, |world| {
        async move {
            let order = open(world).await;
            world
                .retry_until_response(async || world.expire(&order, "expire").await)
                .await;
            order
        }
        .boxed_local()
    })
    .check();
}

#[test]
fn expiry_with_an_open_challenge() {
    let challenge = |psp: &ScriptedPsp| psp.reply(Call::Authorize, Reply::ActionRequired);
    expired("expiry", challenge, |world| {
        async move {
            let order = paid(world).await;
            world.wait_past_expiry(&order, 0).await;
            world.await_status(&order, StatusName::Expired, 20).await;
            order
        }
        .boxed_local()
    })
    .check();
}

#[test]
fn challenge_passed_after_the_expiry() {
    let challenge = |psp: &ScriptedPsp| psp.reply(Call::Authorize, Reply::ActionRequired);
    authorized("late challenge", challenge, |world| {
        async move {
            let order = open(world).await;
            world.wait_past_expiry(&order, -300).await;
            world.retry_payment(&order, "card").await;
            world.wait_past_expiry(&order, 60).await;
            world
                .finish_at_psp(&order, "authorize", &Finish::Done)
                .await;
            order
        }
        .boxed_local()
    })
    .check();
}

#[test]
fn compensation_of_a_late_authorization() {
    let accepted = |psp: &ScriptedPsp| psp.reply(Call::Authorize, Reply::Accepted);
    expired("compensation", accepted, |world| {
        late_payment(world).boxed_local()
    })
    .check();
}

#[test]
fn compensation_of_a_late_sale() {
    let accepted = |psp: &ScriptedPsp| psp.reply(Call::Authorize, Reply::Accepted);
    let scenario = expired("compensation of a sale", accepted, |world| {
        late_payment(world).boxed_local()
    });
    Scenario {
        world: || World::capturing_after(0),
        ..scenario
    }
    .check();
}

/// The notification arrives more than fifteen minutes after the expiry, and no worker has run
/// since.
async fn late_payment(world: &World) -> Order {
    let order = open(world).await;
    world.retry_starting_payment(&order, "card").await;
    world.wait_past_expiry(&order, 901).await;
    world
        .finish_at_psp(&order, "authorize", &Finish::Done)
        .await;
    world.await_status(&order, StatusName::Expired, 20).await;
    order
}
