//! Every status × everything that can happen to it, as two tables to be read.
//!
//! A cell says where the session is afterwards: `=` the same with something changed, `.` nothing
//! changed, `!` refused; `>` names the operations that were started.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "state_matrix/attempts.rs"]
mod attempts;
#[path = "support/book.rs"]
mod book;
#[path = "state_matrix/captures.rs"]
mod captures;
#[path = "state_matrix/challenges.rs"]
mod challenges;
#[path = "state_matrix/rows.rs"]
mod rows;

use book::{AMOUNT, Book, LIFETIME, at};
use oncharge_domain::{
    id::OperationId,
    psp::{TokenFingerprint, Word},
    session::{InFlightKind, Input, Session, Status, Step},
};
use rows::{
    Row, accepted, captured_at_once, challenge, done, nothing_held, refused, rows, subjects,
};

/// What merchants, shoppers and the clock can do.
const COMMANDS: &str = "
               pay              abandon       capture           cancel            expire  refund   deadline past patience past expiry
created        asking>authorize !             !                 !                 expired !        .        .             expired
asking         !                !             !                 !                 !       !        .        .             x-asking
accepted       !                !             !                 !                 !       !        .        .             x-ending>cancel
challenge      !                ending>cancel !                 !                 !       !        .        ending>cancel x-ending>cancel
ending         !                !             !                 !                 !       !        .        .             x-ending
ending+        !                !             !                 !                 !       !        .        .             x-ending+
x-asking       !                !             !                 !                 !       !        .        .             .
x-ending       !                !             !                 !                 !       !        .        .             .
authorized     !                !             capturing>capture cancelling>cancel !       !        .        .             .
capturing      !                !             !                 !                 !       !        .        .             .
cancelling     !                !             !                 !                 !       !        .        .             .
lapsed         !                !             !                 !                 !       !        .        .             .
captured       !                !             !                 !                 !       =>refund .        .             .
cancelled      !                !             !                 !                 !       !        .        .             .
refused        asking>authorize !             !                 !                 expired !        .        .             .
refused-final  !                !             !                 !                 !       !        .        .             .
error          asking>authorize !             !                 !                 expired !        .        .             .
capture-failed !                !             !                 !                 !       !        .        .             .
expired        !                !             !                 !                 !       !        .        .             .
";

/// What the PSP can say of an operation, while the session is in this state.
const WORDS: &str = "
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

/// Where a session is, in one word.
fn place(session: &Session) -> String {
    match &session.status {
        Status::Pending(pending) => {
            let step = match &pending.step {
                Step::Asking => "asking",
                Step::Accepted(_) => "accepted",
                Step::Challenge(_) => "challenge",
                Step::Ending(ending) if ending.outcome.is_some() => "ending+",
                Step::Ending(_) => "ending",
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

/// Applies an input and says what came of it.
fn cell(book: &Book, input: &Input, seconds: i64) -> String {
    let mut after = book.clone();
    match after.decide(input, at(seconds)) {
        Err(broken) => panic!("{broken}"),
        Ok(Err(_)) => "!".to_owned(),
        Ok(Ok(decision)) if decision.is_empty(&book.session) => ".".to_owned(),
        Ok(Ok(decision)) => {
            let (old, new) = (place(&book.session), place(&after.session));
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
    assert_eq!(table, expected, "\nthe table now reads:\n{table}");
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
        "past patience",
        "past expiry",
    ];
    let inputs = |book: &Book| {
        let operation = book.next_id();
        let token = TokenFingerprint::of("tok_new");
        [
            Input::Pay {
                operation,
                token,
                banned: false,
            },
            Input::Abandon { operation },
            book.capture(Some(AMOUNT)),
            book.cancel(),
            Input::Expire,
            book.refund(AMOUNT),
        ]
    };
    let row = |Row { name, book }: Row| {
        assert_eq!(place(&book.session), name, "the row is what it is called");
        let operation = book.next_id();
        let mut cells: Vec<String> = Vec::new();
        cells.extend(
            inputs(&book)
                .into_iter()
                .map(|input| cell(&book, &input, 0)),
        );
        for seconds in [0, 600, LIFETIME] {
            cells.push(cell(&book, &Input::Deadline { operation }, seconds));
        }
        (name.to_owned(), cells)
    };
    let rows: Vec<_> = rows().into_iter().map(row).collect();
    check(&render(&columns, &rows), COMMANDS);
}

/// Past its expiry nothing can be begun; what has been authorised goes on.
#[test]
fn commands_past_expiry() {
    for Row { name, book } in rows() {
        let operation = book.next_id();
        let token = TokenFingerprint::of("tok_new");
        let banned = false;
        let pay = Input::Pay {
            operation,
            token,
            banned,
        };
        for seconds in [LIFETIME, LIFETIME + 1] {
            assert_eq!(cell(&book, &pay, seconds), "!", "pay in {name}");
            assert_eq!(
                cell(&book, &Input::Expire, seconds),
                "!",
                "expire in {name}"
            );
        }
        let capture = book.capture(None);
        let wanted = if name == "authorized" {
            "capturing>capture"
        } else {
            "!"
        };
        assert_eq!(
            cell(&book, &capture, LIFETIME + 1),
            wanted,
            "capture in {name}"
        );
    }
}

#[test]
fn words_of_the_psp() {
    let words = [
        ("done", done()),
        ("captured", captured_at_once()),
        ("accepted", accepted()),
        ("challenge", challenge()),
        ("refused", refused()),
        ("nothing held", nothing_held()),
        ("not sent", Word::NotSent),
        ("unknown", Word::Unknown),
        ("not found", Word::NotFound),
    ];
    let row = |(name, book, operation): (String, Book, OperationId)| {
        let attempt = book.operations[&operation].kind.name() == "authorize";
        let say = |(name, word): &(&str, Word)| {
            // Only an attempt can be challenged or captured at once.
            if !attempt && matches!(*name, "captured" | "challenge") {
                return String::new();
            }
            let heard = book.heard(operation, word, false);
            cell(&book, &Input::Heard(Box::new(heard)), 0)
        };
        (name, words.iter().map(say).collect())
    };
    let rows: Vec<_> = subjects().into_iter().map(row).collect();
    let columns: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    check(&render(&columns, &rows), WORDS);
}

/// An authorization is kept until fifteen minutes past the expiry, no longer.
#[test]
fn late_words() {
    let book = Book::new(None).paying().late();
    for (seconds, wanted) in [
        (LIFETIME, "authorized"),
        (LIFETIME + 900, "authorized"),
        (LIFETIME + 901, "expired>compensation"),
    ] {
        let heard = book.heard(book.newest(), &done(), false);
        let cell = cell(&book, &Input::Heard(Box::new(heard)), seconds);
        assert_eq!(cell, wanted, "{seconds} s after the creation");
    }
    // Sent at 0: what a look-up does not find is believed after the expiry and a quiet minute.
    let heard = book.heard(book.newest(), &Word::NotFound, false);
    let heard = Input::Heard(Box::new(heard));
    assert_eq!(cell(&book, &heard, LIFETIME), "expired");
    let early = Book::new(None).paying();
    assert_eq!(
        cell(&early, &heard, LIFETIME - 1),
        ".",
        "before the expiry it proves nothing"
    );
}
