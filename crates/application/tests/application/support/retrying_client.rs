//! Clients that retry: the same request under the same key until there is a response, the same card
//! token until its outcome is known, a new token if the attempt was definitely not sent.

use oncharge_application::{Error, checkout::ShopperState};
use oncharge_domain::{
    psp::PspResponse,
    session::{NextAction, RetryReason, StatusName},
};
use oncharge_testkit::psp::Finish;

use super::{Order, World};

/// Number of rounds before a test fails because its work does not end.
const ROUNDS: usize = 100;

impl World {
    /// Retries until there is a response; time passes and the workers run in between.
    pub(crate) async fn retry_until_response<T>(
        &self,
        ask: impl AsyncFn() -> Result<T, Error>,
    ) -> T {
        for _ in 0..ROUNDS {
            match ask().await {
                Ok(response) => return response,
                Err(
                    Error::Busy(_)
                    | Error::IdempotencyConflict
                    | Error::PspUnavailable
                    | Error::Internal(_),
                ) => {
                    self.clock.advance(5);
                    self.run_workers().await;
                }
                Err(error) => panic!("an error that no client can retry: {error:?}"),
            }
        }
        panic!("never answered");
    }

    /// Starts to pay with a card, with a new token after each attempt that was definitely not sent.
    pub(crate) async fn retry_starting_payment(&self, order: &Order, card: &str) -> ShopperState {
        for n in 0..ROUNDS {
            let token = format!("tok_{card}_{n}");
            let state = self
                .retry_until_response(async || self.pay(order, &token).await)
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

    /// Pays with a card until the outcome is known or the shopper must act.
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
        panic!("the payment does not end");
    }

    /// The PSP ends the open operation of this kind once it has arrived, and sends notifications
    /// until one is accepted. If the session has already ended, there is nothing to end.
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
                self.retry_until_response(async || self.notify(operation.id).await)
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

    /// Advances time in steps of this many seconds until the session has this status.
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
