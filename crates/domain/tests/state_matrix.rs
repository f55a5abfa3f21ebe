//! The transitions for every status and every input, as two tables.
//!
//! A cell shows the next status: `=` the same status with changes, `.` nothing changed, `!`
//! refused; `>` names the operations that were started.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "state_matrix/attempts.rs"]
mod attempts;
#[path = "state_matrix/captures.rs"]
mod captures;
#[path = "state_matrix/challenges.rs"]
mod challenges;
#[path = "state_matrix/mismatches.rs"]
mod mismatches;
#[path = "state_matrix/rows.rs"]
mod rows;
#[path = "support/session_records.rs"]
mod session_records;

use oncharge_domain::{
    id::OperationId,
    psp::{PspResult, TokenFingerprint},
    session::{InFlightKind, Input, Session, Status, Step},
};
use rows::{
    Row, accepted, captured_at_once, challenge, done, nothing_held, operations_by_state, refused,
    rows,
};
use session_records::{AMOUNT, LIFETIME, SessionRecords, at};

/// The inputs of merchants, shoppers and the clock.
const COMMANDS: &str = "
               pay              abandon       capture           cancel            expire  refund   deadline past challenge past expiry
created        asking>authorize !             !                 !                 expired !        .        .              expired
asking         !                !             !                 !                 !       !        .        .              x-asking
accepted       !                !             !                 !                 !       !        .        .              x-ending>cancel
challenge      !                ending>cancel !                 !                 !       !        .        ending>cancel  x-ending>cancel
ending         !                !             !                 !                 !       !        .        .              x-ending
ending+        !                !             !                 !                 !       !        .        .              x-ending+
x-asking       !                !             !                 !                 !       !        .        .              .
x-ending       !                !             !                 !                 !       !        .        .              .
authorized     !                !             capturing>capture cancelling>cancel !       !        .        .              .
capturing      !                !             !                 !                 !       !        .        .              .
cancelling     !                !             !                 !                 !       !        .        .              .
lapsed         !                !             !                 !                 !       !        .        .              .
captured       !                !             !                 !                 !       =>refund .        .              .
cancelled      !                !             !                 !                 !       !        .        .              .
refused        asking>authorize !             !                 !                 expired !        .        .              .
refused-final  !                !             !                 !                 !       !        .        .              .
error          asking>authorize !             !                 !                 expired !        .        .              .
capture-failed !                !             !                 !                 !       !        .        .              .
expired        !                !             !                 !                 !       !        .        .              .
";

/// The PSP results for an operation, while the session is in this state.
const RESULTS: &str = "
                             done           captured       accepted        challenge       refused        nothing held   not sent   unknown not found
asking: authorize            authorized     captured       accepted        challenge       refused        refused        error      =       .
accepted: authorize          authorized     captured       .               challenge       refused        refused        .          .       .
challenge: authorize         authorized     captured       accepted        .               refused        refused        .          .       .
ending: authorize            ending+        ending+        .               .               ending+        ending+        .          .       .
ending: cancel               refused                       =                               asking         refused        =          =       .
ending+: authorize           .              .              .               .               =              =              .          .       .
ending+: cancel              refused                       =                               authorized     authorized     =          =       .
x-asking: authorize          authorized     captured       x-ending>cancel x-ending>cancel expired        expired        expired    =       .
x-ending: authorize          x-ending+      x-ending+      .               .               x-ending+      x-ending+      .          .       .
x-ending: cancel             expired                       =                               x-asking       expired        =          =       .
authorized: authorize        .              .              .               .               cancelled      cancelled      .          .       .
capturing: authorize         .              .              .               .               lapsed         lapsed         .          .       .
capturing: capture           captured                      =                               authorized     cancelled      authorized =       .
cancelling: authorize        .              .              .               .               lapsed         lapsed         .          .       .
cancelling: cancel           cancelled                     =                               authorized     cancelled      authorized =       .
lapsed: authorize            .              .              .               .               .              .              .          .       .
lapsed: capture              captured                      =                               cancelled      cancelled      cancelled  =       .
captured: authorize          .              .              .               .               =              =              .          .       .
captured: capture            .                             .                               capture-failed capture-failed .          .       .
cancelled: authorize         .              .              .               .               .              .              .          .       .
cancelled: cancel            .                             .                               =>compensation =>compensation .          .       .
refused: authorize           =>compensation =>compensation =>compensation  =>compensation  .              .              .          .       .
refused-final: authorize     =>compensation =>compensation =>compensation  =>compensation  .              .              .          .       .
error: authorize             =>compensation =>compensation =>compensation  =>compensation  .              .              .          .       .
capture-failed: authorize    .              .              .               .               .              .              .          .       .
capture-failed: capture      .                             .                               .              .              .          .       .
expired: authorize           =>compensation =>compensation =>compensation  =>compensation  .              .              .          .       .
capturing: automatic capture captured                      =                               authorized     cancelled      =          =       .
lapsed: automatic capture    captured                      =                               cancelled      cancelled      cancelled  =       .
authorized: failed capture   =                             .                               .              .              .          .       .
authorized: failed cancel    =                             .                               .              .              .          .       .
captured: open refund        =                             =                               =              =              =          =       .
captured: paid refund        .                             .                               =              =              .          .       .
captured: failed refund      =                             .                               .              .              .          .       .
capture-failed: open refund  =                             =                               =              =              =          =       .
captured: sale               .              .              .               .               capture-failed capture-failed .          .       .
refused: open compensation   =                             =                               =>compensation =              =          =       .
refused: done compensation   .                             .                               =>compensation .              .          .       .
";

/// The name of the session's state.
fn place(session: &Session) -> String {
    match &session.status {
        Status::Pending(pending) => {
            let step = match &pending.step {
                Step::AwaitingResult => "asking",
                Step::Accepted(_) => "accepted",
                Step::Challenge(_) => "challenge",
                Step::Cancelling(attempt_cancel) if attempt_cancel.outcome.is_some() => "ending+",
                Step::Cancelling(_) => "ending",
            };
            let expiring = if pending.expiring { "x-" } else { "" };
            format!("{expiring}{step}")
        }
        Status::Authorized(authorized) => match (authorized.in_flight, authorized.lapsed) {
            (Some(_), Some(_)) => "lapsed".to_owned(),
            (Some(flight), _) if flight.kind == InFlightKind::Capture => "capturing".to_owned(),
            (Some(_), _) => "cancelling".to_owned(),
            (None, _) => "authorized".to_owned(),
        },
        Status::Refused(unpaid) if !unpaid.retry => "refused-final".to_owned(),
        Status::CaptureFailed(_) => "capture-failed".to_owned(),
        other => other.name().name().to_owned(),
    }
}

/// Applies an input and describes the result.
fn cell(records: &SessionRecords, input: &Input, seconds: i64) -> String {
    let mut after = records.clone();
    match after.decide(input, at(seconds)) {
        Err(broken) => panic!("{broken}"),
        Ok(Err(_)) => "!".to_owned(),
        Ok(Ok(decision)) if decision.is_empty(&records.session) => ".".to_owned(),
        Ok(Ok(decision)) => {
            let (old, new) = (place(&records.session), place(&after.session));
            let moved = if old == new { "=".to_owned() } else { new };
            let started = decision.operations.iter().map(|new| new.kind.name());
            started.fold(moved, |cell, kind| format!("{cell}>{kind}"))
        }
    }
}

fn render(columns: &[&str], rows: &[(String, Vec<String>)]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|(_, cells)| cells[column].chars().count());
        cells
            .chain([columns[column].chars().count()])
            .max()
            .unwrap()
    };
    let first = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap();
    let line = |name: &str, cells: &[String]| {
        let mut line = vec![format!("{name:first$}")];
        for (column, cell) in cells.iter().enumerate() {
            let width = width(column);
            line.push(format!("{cell:width$}"));
        }
        line.join(" ").trim_end().to_owned()
    };
    let header: Vec<String> = columns.iter().map(|&text| text.to_owned()).collect();
    let mut lines = vec![line("", &header)];
    lines.extend(rows.iter().map(|(name, cells)| line(name, cells)));
    format!("\n{}\n", lines.join("\n"))
}

fn check(table: &str, expected: &str) {
    assert_eq!(table, expected, "\nthe actual table is:\n{table}");
}

#[test]
fn commands_and_deadlines() {
    let columns = [
        "pay",
        "abandon",
        "capture",
        "cancel",
        "expire",
        "refund",
        "deadline",
        "past challenge",
        "past expiry",
    ];
    let inputs = |records: &SessionRecords| {
        let operation = records.next_id();
        let token = TokenFingerprint::of("tok_new");
        [
            Input::Pay {
                operation,
                token,
                banned: false,
            },
            Input::Abandon { operation },
            records.capture(Some(AMOUNT)),
            records.cancel(),
            Input::Expire,
            records.refund(AMOUNT),
        ]
    };
    let row = |Row { name, records }: Row| {
        assert_eq!(place(&records.session), name, "the name of the row's state");
        let operation = records.next_id();
        let mut cells: Vec<String> = Vec::new();
        cells.extend(
            inputs(&records)
                .into_iter()
                .map(|input| cell(&records, &input, 0)),
        );
        for seconds in [0, 600, LIFETIME] {
            cells.push(cell(&records, &Input::Deadline { operation }, seconds));
        }
        (name.to_owned(), cells)
    };
    let rows: Vec<_> = rows().into_iter().map(row).collect();
    check(&render(&columns, &rows), COMMANDS);
}

/// After the expiry nothing can be started; an authorized session continues.
#[test]
fn commands_past_expiry() {
    for Row { name, records } in rows() {
        let operation = records.next_id();
        let token = TokenFingerprint::of("tok_new");
        let banned = false;
        let pay = Input::Pay {
            operation,
            token,
            banned,
        };
        for seconds in [LIFETIME, LIFETIME + 1] {
            assert_eq!(cell(&records, &pay, seconds), "!", "pay in {name}");
            assert_eq!(
                cell(&records, &Input::Expire, seconds),
                "!",
                "expire in {name}"
            );
        }
        let capture = records.capture(None);
        let wanted = if name == "authorized" {
            "capturing>capture"
        } else {
            "!"
        };
        assert_eq!(
            cell(&records, &capture, LIFETIME + 1),
            wanted,
            "capture in {name}"
        );
    }
}

#[test]
fn psp_results() {
    let results = [
        ("done", done()),
        ("captured", captured_at_once()),
        ("accepted", accepted()),
        ("challenge", challenge()),
        ("refused", refused()),
        ("nothing held", nothing_held()),
        ("not sent", PspResult::NotSent),
        ("unknown", PspResult::Unknown),
        ("not found", PspResult::NotFound),
    ];
    let row = |(name, records, operation): (String, SessionRecords, OperationId)| {
        let attempt = records.operations[&operation].kind.name() == "authorize";
        let apply_result = |(name, result): &(&str, PspResult)| {
            // Only an attempt can be challenged or captured at once.
            if !attempt && matches!(*name, "captured" | "challenge") {
                return String::new();
            }
            let psp_update = records.psp_update(operation, result, false);
            cell(&records, &Input::PspUpdate(Box::new(psp_update)), 0)
        };
        (name, results.iter().map(apply_result).collect())
    };
    let rows: Vec<_> = operations_by_state().into_iter().map(row).collect();
    let columns: Vec<&str> = results.iter().map(|(name, _)| *name).collect();
    check(&render(&columns, &rows), RESULTS);
}

/// An authorization is kept until fifteen minutes after the expiry.
#[test]
fn late_authorizations() {
    let records = SessionRecords::new(None).paying().past_expiry();
    for (seconds, wanted) in [
        (LIFETIME, "authorized"),
        (LIFETIME + 900, "authorized"),
        (LIFETIME + 901, "expired>compensation"),
    ] {
        let psp_update = records.psp_update(records.newest(), &done(), false);
        let cell = cell(&records, &Input::PspUpdate(Box::new(psp_update)), seconds);
        assert_eq!(cell, wanted, "{seconds} s after the creation");
    }
    // Sent at 0: "not found" counts after the expiry and a minute without a call.
    let psp_update = records.psp_update(records.newest(), &PspResult::NotFound, false);
    let psp_update = Input::PspUpdate(Box::new(psp_update));
    assert_eq!(cell(&records, &psp_update, LIFETIME), "expired");
    let early = SessionRecords::new(None).paying();
    assert_eq!(
        cell(&early, &psp_update, LIFETIME - 1),
        ".",
        "not found before the expiry"
    );
}
