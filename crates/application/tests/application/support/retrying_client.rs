//! Clients that do not give up: the same request under the same key until there is an answer, the
//! same card token until its fate is known, a new one where it was surely not sent.

use oncharge_application::{Error, checkout::ShopperState};
use oncharge_domain::{
    psp::PspResponse,
    session::{NextAction, RetryReason, StatusName},
};
use oncharge_testkit::psp::Finish;

use super::{Order, World};

/// Rounds before a test gives up on something that should have come to an end.
const ROUNDS: usize = 100;

impl World {
    /// Asks until there is an answer; time passes and the workers run in between.
    pub(crate) async fn retry_until_answered<T>(
        &self,
        ask: impl AsyncFn() -> Result<T, Error>,
    ) -> T {
        for _ in 0..ROUNDS {
            match ask().await {
                Ok(answer) => return answer,
                Err(
                    Error::Busy(_)
                    | Error::IdempotencyConflict
                    | Error::PspUnavailable
                    | Error::Internal(_),
                ) => {
                    self.clock.advance(5);
                    self.run_workers().await;
                }
                Err(error) => panic!("no client can do anything about {error:?}"),
            }
        }
        panic!("never answered");
    }

    /// Starts to pay with a card, with a new token wherever the try was surely not sent.
    pub(crate) async fn retry_starting_payment(&self, order: &Order, card: &str) -> ShopperState {
        for n in 0..ROUNDS {
            let token = format!("tok_{card}_{n}");
            let state = self
                .retry_until_answered(async || self.pay(order, &token).await)
                .await;
            match state.next {
                NextAction::Retry {
                    reason: RetryReason::Technical,
                    ..
                } => {}
                _ => return state,
            }
        }
        panic!("never sent");
    }

    /// Pays with a card until the PSP's word is known or the shopper has something to do.
    pub(crate) async fn retry_payment(&self, order: &Order, card: &str) -> ShopperState {
        for _ in 0..ROUNDS {
            let state = self.retry_starting_payment(order, card).await;
            let waits = (StatusName::Pending, NextAction::None);
            if (state.status, state.next.clone()) != waits {
                return state;
            }
            self.clock.advance(5);
            self.run_workers().await;
        }
        panic!("the payment comes to no end");
    }

    /// The PSP ends the open operation of this kind as soon as it has arrived, and tells so until
    /// it is heard. Where the session is over by then there is nothing to end.
    pub(crate) async fn finish_at_psp(&self, order: &Order, kind: &str, finish: &Finish) {
        for _ in 0..ROUNDS {
            let operations = self.operations(order);
            let of_kind = operations.iter().filter(|o| o.kind.name() == kind);
            for operation in of_kind {
                match self.psp.current_response(operation.id) {
                    Some(PspResponse::Accepted { .. } | PspResponse::ActionRequired(_)) => {
                        self.psp.finish(operation.id, finish.clone());
                    }
                    Some(_) => {}
                    None => continue,
                }
                self.retry_until_answered(async || self.notify(operation.id).await)
                    .await;
                return;
            }
            if self.status(order).await == StatusName::Expired {
                return;
            }
            self.clock.advance(2);
            self.run_workers().await;
        }
        panic!("no operation of kind {kind} has arrived");
    }

    /// Lets time pass in steps of so many seconds until the session has this status.
    pub(crate) async fn await_status(&self, order: &Order, status: StatusName, step: i64) {
        for _ in 0..ROUNDS {
            self.run_workers().await;
            if self.status(order).await == status {
                return;
            }
            self.clock.advance(step);
        }
        let found = self.session(order).await;
        panic!("never {}: {found:?}", status.name());
    }
}
