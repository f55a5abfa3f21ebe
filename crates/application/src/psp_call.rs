//! Calls to a PSP, made only for a committed intent.

use oncharge_domain::{
    operation::Operation,
    psp::{PspDetails, PspReport, PspResult},
};
use oncharge_ports::psp::{PreparedRequest, PspError};
use time::Duration;
use tracing::warn;

use crate::{App, commit::RECOVERY_DELAY_SECONDS};

/// The result of a PSP call, with what else the PSP states.
#[derive(Clone)]
pub(crate) struct CallResult {
    pub(crate) psp_result: PspResult,
    pub(crate) details: PspDetails,
}

impl From<PspReport> for CallResult {
    fn from(report: PspReport) -> Self {
        Self {
            psp_result: PspResult::Response(report.response),
            details: report.details,
        }
    }
}

impl From<PspResult> for CallResult {
    fn from(psp_result: PspResult) -> Self {
        Self {
            psp_result,
            details: PspDetails::default(),
        }
    }
}

/// Sends an operation's request and returns the result. Nothing is sent once the operation belongs
/// to recovery, since this process may have been suspended after committing the intent: another
/// process may have finished the operation, and the PSP may have forgotten its key.
pub(crate) async fn send(
    app: &App,
    operation: &Operation,
    request: &PreparedRequest,
) -> CallResult {
    let age = app.now().since(operation.last_sent_at);
    if age > Duration::seconds(RECOVERY_DELAY_SECONDS) {
        warn!(operation = %operation.id, seconds = age.whole_seconds(),
            "the send deadline has passed; recovery handles the operation");
        return PspResult::NotSent.into();
    }
    let Some(psp) = app.inner().psps.account(&operation.account) else {
        warn!(operation = %operation.id, "the operation's PSP account is not configured");
        return PspResult::NotSent.into();
    };
    let result = match psp.send(request).await {
        Ok(report) => CallResult::from(report),
        Err(error) => {
            warn!(operation = %operation.id, kind = operation.kind.name(),
                error = &error as &dyn std::error::Error,
                "no conclusive response from the PSP");
            match error {
                PspError::NotSent(_) => PspResult::NotSent.into(),
                PspError::Unknown(_) => PspResult::Unknown.into(),
            }
        }
    };
    metrics::counter!("oncharge_psp_results_total",
        "kind" => operation.kind.name(), "result" => result_name(&result.psp_result))
    .increment(1);
    result
}

fn result_name(result: &PspResult) -> &'static str {
    use oncharge_domain::psp::PspResponse;
    match result {
        PspResult::Response(PspResponse::Done { .. }) => "done",
        PspResult::Response(PspResponse::Accepted { .. }) => "accepted",
        PspResult::Response(PspResponse::ActionRequired(_)) => "action_required",
        PspResult::Response(PspResponse::Refused(_)) => "refused",
        PspResult::NotSent => "not_sent",
        PspResult::Unknown => "unknown",
        PspResult::NotFound => "not_found",
    }
}
