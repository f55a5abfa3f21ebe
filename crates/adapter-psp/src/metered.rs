//! Metrics around any connector: how many calls of which kind ended how, and how long they took.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use oncharge_domain::{
    id::OperationId,
    psp::{Answer, PspAccount, PspReport},
};
use oncharge_ports::psp::{PreparedRequest, Psp, PspError};

use crate::forward::forward_what_sends_nothing;

const CALLS: &str = "oncharge_psp_calls_total";
const SECONDS: &str = "oncharge_psp_call_seconds";
const BREAKER: &str = "oncharge_psp_breaker_open";

/// Says to the installed recorder what this crate's metrics mean; call it once after installing.
pub fn describe_metrics() {
    describe_counter!(
        CALLS,
        "Calls to payment service providers, by kind and outcome."
    );
    describe_histogram!(SECONDS, Unit::Seconds, "How long calls to a provider took.");
    describe_gauge!(
        BREAKER,
        "1 while the circuit breaker of an account is open, else 0."
    );
}

/// What kind of call a connector's prepared bytes hold, for a label: `authorize`, `capture`, …
pub(crate) type KindOf = fn(&PreparedRequest) -> &'static str;

/// Counts and times every call, also those that an open breaker refuses.
pub(crate) struct Metered {
    inner: Arc<dyn Psp>,
    account: PspAccount,
    kind_of: KindOf,
}

impl Metered {
    pub(crate) fn new(inner: Arc<dyn Psp>, account: PspAccount, kind_of: KindOf) -> Self {
        note_breaker(&account, false);
        Self {
            inner,
            account,
            kind_of,
        }
    }

    fn note(&self, kind: &'static str, outcome: &'static str, begun: Instant) {
        let connector = self.account.connector().to_owned();
        let account = self.account.account().to_owned();
        counter!(CALLS, "connector" => connector.clone(), "account" => account.clone(),
            "kind" => kind, "outcome" => outcome)
        .increment(1);
        histogram!(SECONDS, "connector" => connector, "account" => account, "kind" => kind)
            .record(begun.elapsed());
    }
}

/// Shows whether the account's breaker is open.
pub(crate) fn note_breaker(account: &PspAccount, open: bool) {
    gauge!(BREAKER, "connector" => account.connector().to_owned(),
        "account" => account.account().to_owned())
    .set(if open { 1.0 } else { 0.0 });
}

/// The outcome's name as a label.
fn outcome(result: Result<Option<&PspReport>, &PspError>) -> &'static str {
    match result.map(|report| report.map(|report| &report.answer)) {
        Ok(Some(Answer::Done { .. })) => "done",
        Ok(Some(Answer::Accepted { .. })) => "accepted",
        Ok(Some(Answer::ActionRequired(_))) => "action_required",
        Ok(Some(Answer::Refused(_))) => "refused",
        Ok(None) => "not_found",
        Err(PspError::NotSent(_)) => "not_sent",
        Err(PspError::Unknown(_)) => "unknown",
    }
}

#[async_trait]
impl Psp for Metered {
    forward_what_sends_nothing!();

    fn is_available(&self) -> bool {
        self.inner.is_available()
    }

    async fn send(&self, request: &PreparedRequest) -> Result<PspReport, PspError> {
        let begun = Instant::now();
        let result = self.inner.send(request).await;
        self.note(
            (self.kind_of)(request),
            outcome(result.as_ref().map(Some)),
            begun,
        );
        result
    }

    async fn look_up(&self, operation: OperationId) -> Result<Option<PspReport>, PspError> {
        let begun = Instant::now();
        let result = self.inner.look_up(operation).await;
        self.note(
            "look_up",
            outcome(result.as_ref().map(Option::as_ref)),
            begun,
        );
        result
    }
}
