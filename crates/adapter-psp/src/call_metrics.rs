//! Metrics of the calls to PSPs: number, kind, outcome and duration; state of the breakers.

use std::time::Instant;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use oncharge_domain::psp::{PspAccount, PspReport, PspResponse};
use oncharge_ports::psp::PspError;

const CALLS_TOTAL: &str = "oncharge_psp_calls_total";
const CALL_SECONDS: &str = "oncharge_psp_call_seconds";
const BREAKER_OPEN: &str = "oncharge_psp_breaker_open";

/// Describes this crate's metrics to the installed recorder; call once after installing it.
pub fn describe_metrics() {
    describe_counter!(
        CALLS_TOTAL,
        "Calls to payment service providers, by kind and outcome."
    );
    describe_histogram!(
        CALL_SECONDS,
        Unit::Seconds,
        "Duration of calls to payment service providers."
    );
    describe_gauge!(
        BREAKER_OPEN,
        "1 while the circuit breaker of an account is open, otherwise 0."
    );
}

/// Counts and times a call of this kind, also one that an open breaker refused.
pub(crate) fn record_call(
    account: &PspAccount,
    kind: &'static str,
    result: Result<Option<&PspReport>, &PspError>,
    started: Instant,
) {
    let connector = account.connector().to_owned();
    let account = account.account().to_owned();
    counter!(CALLS_TOTAL, "connector" => connector.clone(), "account" => account.clone(),
        "kind" => kind, "outcome" => outcome_label(result))
    .increment(1);
    histogram!(CALL_SECONDS, "connector" => connector, "account" => account, "kind" => kind)
        .record(started.elapsed());
}

/// Sets the gauge that shows whether the account's breaker is open.
pub(crate) fn set_breaker_gauge(account: &PspAccount, open: bool) {
    gauge!(BREAKER_OPEN, "connector" => account.connector().to_owned(),
        "account" => account.account().to_owned())
    .set(if open { 1.0 } else { 0.0 });
}

/// The metrics label of an outcome.
fn outcome_label(result: Result<Option<&PspReport>, &PspError>) -> &'static str {
    match result.map(|report| report.map(|report| &report.response)) {
        Ok(Some(PspResponse::Done { .. })) => "done",
        Ok(Some(PspResponse::Accepted { .. })) => "accepted",
        Ok(Some(PspResponse::ActionRequired(_))) => "action_required",
        Ok(Some(PspResponse::Refused(_))) => "refused",
        Ok(None) => "not_found",
        Err(PspError::NotSent(_)) => "not_sent",
        Err(PspError::Unknown(_)) => "unknown",
    }
}
