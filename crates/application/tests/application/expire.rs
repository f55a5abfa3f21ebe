//! Expiring an unpaid session.

use oncharge_application::Error;
use oncharge_domain::{psp::RefusalReason, session::StatusName};
use oncharge_testkit::{Call, Fault, Reply};

use crate::support::{PspBehavior, World, describe};

#[tokio::test(start_paused = true)]
async fn unpaid_sessions_are_expired_without_a_psp_call() {
    let declined = PspBehavior::Replies(Reply::Refused(RefusalReason::CardDeclined));
    for (psp, events) in [
        (None, &["expired"][..]),
        (Some(declined), &["refused", "expired"]),
        (
            Some(PspBehavior::Fails(Fault::NotSent)),
            &["error", "expired"],
        ),
    ] {
        let world = World::new();
        let order = world.open().await;
        if let Some(psp) = &psp {
            psp.plan(&world.psp, Call::Authorize);
            world.pay(&order, "tok_1").await.unwrap();
        }
        let calls = world.psp.calls();
        let first = world.expire(&order, "k").await;
        assert_eq!(describe(&first), "200 done expired", "{psp:?}");
        assert_eq!(world.psp.calls(), calls, "{psp:?}");
        assert_eq!(world.events(&order), events, "{psp:?}");
        let again = world.expire(&order, "k").await.unwrap();
        assert!(again.replayed);
        assert_eq!(again.response, first.unwrap().response);
        let other_key = world.expire(&order, "other").await;
        assert!(matches!(
            other_key,
            Err(Error::InvalidState(StatusName::Expired))
        ));
        let paid = world.pay(&order, "tok_2").await;
        assert!(matches!(
            paid,
            Err(Error::InvalidState(StatusName::Expired))
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn other_sessions_cannot_be_expired() {
    let world = World::new();
    let waiting = world.open().await;
    world.psp.reply(Call::Authorize, Reply::Accepted);
    world.pay(&waiting, "tok_1").await.unwrap();
    let used_up = world.open().await;
    for n in 0..3 {
        let declined = Reply::Refused(RefusalReason::CardDeclined);
        world.psp.reply(Call::Authorize, declined);
        world.pay(&used_up, &format!("tok_{n}")).await.unwrap();
    }
    for order in [
        waiting,
        used_up,
        world.authorized().await,
        world.captured().await,
    ] {
        let events = world.events(&order);
        let response = world.expire(&order, "").await;
        assert!(
            matches!(response, Err(Error::InvalidState(_) | Error::InProgress(_))),
            "{response:?}"
        );
        assert_eq!(world.events(&order), events);
    }
}
