//! `oncharge reconcile`: compares every operation of a period with the PSP's state.

use anyhow::bail;
use clap::Args;
use oncharge_application::{
    Error,
    reconcile::{self, Difference, Progress, Range, ReconcileSummary},
};
use oncharge_domain::{id::OperationId, time::Timestamp};
use oncharge_ports::Clock;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Target, print_json, usage_error::OrUsageError};
use crate::{system::SystemClock, telemetry::print_note};

/// Number of compared operations between two progress notes.
const PROGRESS_INTERVAL: u64 = 10_000;

/// Prints each difference on one line. The exit code is 1 if there are differences or if a
/// processor could not be queried.
#[derive(Debug, Args)]
pub(super) struct Reconcile {
    /// Start of the period: a time (RFC 3339) or an age such as 90m, 24h or 7d.
    #[arg(long)]
    since: String,
    /// Continues after this operation (`op_…`), which an interrupted run prints.
    #[arg(long, value_name = "OPERATION_ID")]
    after: Option<String>,
    #[command(flatten)]
    target: Target,
}

impl Reconcile {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let since = parse_since(&self.since, SystemClock.now());
        let since = since.or_usage_error(
            "--since must be a past time (RFC 3339) or an age such as 90m, 24h or 7d",
        )?;
        let after = match &self.after {
            Some(text) => {
                let id: Option<OperationId> = text.parse().ok();
                Some(id.or_usage_error("--after must be an operation id: `op_` and 32 hex digits")?)
            }
            None => None,
        };
        let settings = self.target.settings()?;
        let accounts = self.target.psp_accounts(&settings)?;
        if accounts.is_empty() {
            bail!(
                "no PSP account is configured: add [psp.<account>] to the configuration, or pass \
                 the sandbox's directory with --data-dir"
            );
        }
        let components = self.target.open_with(&accounts).await?;
        let mut cursor = Cursor::default();
        let mut report = |progress: Progress<'_>| match progress {
            Progress::Different(difference) => print_json(&difference_json(difference)),
            Progress::ComparedUpTo(id, summary) => cursor.advance(id, summary),
        };
        let done = reconcile::run(&components.app, Range { since, after }, &mut report).await;
        let done = match (done, cursor.last) {
            (Err(Error::NotFound), None) => {
                return None.or_usage_error("--after: no operation has this id");
            }
            (Err(error), Some(last)) => {
                let how = format!("interrupted; continue with `--after {last}`");
                return Err(anyhow::Error::from(error).context(how));
            }
            (done, _) => done?,
        };
        let summary = format!(
            "{} operations compared, {} differences, {} could not be looked up",
            done.compared, done.differences, done.unreachable
        );
        if done.differences > 0 || done.unreachable > 0 {
            bail!(summary);
        }
        print_note(summary);
        Ok(())
    }
}

/// The position of the comparison.
#[derive(Default)]
struct Cursor {
    last: Option<OperationId>,
    reported: u64,
}

impl Cursor {
    fn advance(&mut self, up_to: OperationId, summary: ReconcileSummary) {
        self.last = Some(up_to);
        let done = summary.compared.saturating_add(summary.unreachable);
        if done >= self.reported.saturating_add(PROGRESS_INTERVAL) {
            self.reported = done;
            print_note(format!("{done} operations compared, up to {up_to}"));
        }
    }
}

fn difference_json(difference: &Difference) -> Value {
    let operation = &difference.operation;
    let account = &operation.account;
    json!({
        "operation_id": operation.id.to_string(),
        "kind": operation.kind.name(),
        "session_id": operation.session.to_string(),
        "account": format!("{}/{}", account.connector(), account.account()),
        "ours": difference.ours,
        "theirs": difference.theirs,
        "amount": {
            "value": operation.amount.minor(),
            "currency": operation.amount.currency().code(),
        },
    })
}

/// Parses a point in time; `None` if it is invalid or not in the past.
pub(super) fn parse_since(text: &str, now: Timestamp) -> Option<Timestamp> {
    let now = now.as_offset_date_time();
    let at = match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(at) => at,
        Err(_) => now.checked_sub(parse_age(text)?)?,
    };
    (at <= now).then(|| Timestamp::new(at))
}

fn parse_age(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let number: i64 = number.parse().ok()?;
    Some(Duration::seconds(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_accepts_a_timestamp_or_an_age() {
        let now = Timestamp::from_unix_seconds(1_795_360_150).unwrap();
        let back = |text: &str| parse_since(text, now).map(|at| now.since(at).whole_seconds());
        assert_eq!(back("90m"), Some(5400));
        assert_eq!(back("24h"), Some(86_400));
        assert_eq!(back("7d"), Some(604_800));
        assert_eq!(back("0h"), Some(0));
        assert_eq!(
            parse_since("2026-01-02T03:04:05+01:00", now)
                .map(|at| at.as_offset_date_time().unix_timestamp()),
            Some(1_767_319_445)
        );
        for bad in [
            "",
            "h",
            "7",
            "7w",
            "-7d",
            "+7d",
            "yesterday",
            "2026-01-02",
            "99999999999999999d",
            "9223372036854775807h",
            "2999-01-01T00:00:00Z",
            "\u{e9}",
        ] {
            assert_eq!(back(bad), None, "{bad}");
        }
    }
}
