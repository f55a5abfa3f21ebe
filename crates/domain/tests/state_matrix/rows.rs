//! Every state that a session can be in, reached by letting things happen, and the words of the PSP.

use oncharge_domain::{
    id::OperationId,
    psp::{Answer, Challenge, RefusalReason, TokenFingerprint, Word},
    session::Input,
};

use crate::book::{Book, LIFETIME, at, reference};

/// A state, and the book that is in it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) book: Book,
}

/// Builds books by letting things happen.
impl Book {
    pub(crate) fn then(mut self, input: &Input) -> Self {
        self.decide(input, at(0)).unwrap().unwrap();
        self
    }

    pub(crate) fn paying(self) -> Self {
        let operation = self.next_id();
        let token = TokenFingerprint::of(&operation.to_string());
        let banned = false;
        self.then(&Input::Pay {
            operation,
            token,
            banned,
        })
    }

    pub(crate) fn capturing(self) -> Self {
        let input = self.capture(None);
        self.then(&input)
    }

    pub(crate) fn cancelling(self) -> Self {
        let input = self.cancel();
        self.then(&input)
    }

    pub(crate) fn abandoning(self) -> Self {
        let operation = self.next_id();
        self.then(&Input::Abandon { operation })
    }

    pub(crate) fn refunding(self) -> Self {
        let input = self.refund(40);
        self.then(&input)
    }

    /// The newest operation.
    pub(crate) fn newest(&self) -> OperationId {
        *self.operations.keys().next_back().unwrap()
    }

    pub(crate) fn oldest(&self) -> OperationId {
        *self.operations.keys().next().unwrap()
    }

    pub(crate) fn hearing(self, operation: OperationId, word: &Word) -> Self {
        let heard = self.heard(operation, word, false);
        self.then(&Input::Heard(Box::new(heard)))
    }

    pub(crate) fn told(self, word: &Word) -> Self {
        let operation = self.newest();
        self.hearing(operation, word)
    }

    /// A minute after the authorization, which starts the automatic capture.
    pub(crate) fn capturing_by_itself(mut self) -> Self {
        let operation = self.next_id();
        self.decide(&Input::Deadline { operation }, at(60))
            .unwrap()
            .unwrap();
        self
    }

    pub(crate) fn late(mut self) -> Self {
        let operation = self.next_id();
        let input = Input::Deadline { operation };
        self.decide(&input, at(LIFETIME)).unwrap().unwrap();
        self
    }
}

pub(crate) fn done() -> Word {
    let reference = reference("psp_1");
    let captured = false;
    Word::Answer(Answer::Done {
        reference,
        captured,
    })
}

pub(crate) fn refused() -> Word {
    Word::Answer(Answer::Refused(RefusalReason::CardDeclined))
}

pub(crate) fn accepted() -> Word {
    Word::Answer(Answer::Accepted {
        reference: reference("psp_1"),
    })
}

pub(crate) fn challenge() -> Word {
    Word::Answer(Answer::ActionRequired(Challenge {
        reference: reference("psp_1"),
        url: "https://psp.example.com/challenge".to_owned(),
    }))
}

pub(crate) fn nothing_held() -> Word {
    Word::Answer(Answer::Refused(RefusalReason::NothingHeld))
}

pub(crate) fn captured_at_once() -> Word {
    Word::Answer(Answer::Done {
        reference: reference("psp_1"),
        captured: true,
    })
}

/// Every state that a session can be in.
pub(crate) fn rows() -> Vec<Row> {
    let new = || Book::new(None);
    let authorized = || new().paying().told(&done());
    let captured = || authorized().capturing().told(&done());
    let challenged = || new().paying().told(&challenge());
    let rows = [
        ("created", new()),
        ("asking", new().paying()),
        ("accepted", new().paying().told(&accepted())),
        ("challenge", challenged()),
        ("ending", challenged().abandoning()),
        ("ending+", {
            let book = challenged().abandoning();
            let attempt = book.oldest();
            book.hearing(attempt, &done())
        }),
        ("x-asking", new().paying().late()),
        ("x-ending", challenged().late()),
        ("authorized", authorized()),
        ("capturing", authorized().capturing()),
        ("cancelling", authorized().cancelling()),
        ("lapsed", {
            let book = authorized().capturing();
            let attempt = book.oldest();
            book.hearing(attempt, &refused())
        }),
        ("captured", captured()),
        ("cancelled", authorized().cancelling().told(&done())),
        ("refused", new().paying().told(&refused())),
        ("refused-final", {
            let twice = new().paying().told(&refused()).paying().told(&refused());
            twice.paying().told(&refused())
        }),
        ("error", new().paying().told(&Word::NotSent)),
        ("capture-failed", captured().told(&refused())),
        (
            "expired",
            new().paying().told(&refused()).then(&Input::Expire),
        ),
    ];
    rows.into_iter()
        .map(|(name, book)| Row { name, book })
        .collect()
}

/// The operations that a word can be about, in each state.
pub(crate) fn subjects() -> Vec<(String, Book, OperationId)> {
    let mut subjects = Vec::new();
    let mut add = |name: &str, book: Book, operation| {
        subjects.push((name.to_owned(), book, operation));
    };
    for Row { name, book } in rows() {
        for operation in book.operations.values() {
            let kind = operation.kind.name();
            if kind == "authorize" && operation.id != book.oldest() {
                continue;
            }
            add(&format!("{name}: {kind}"), book.clone(), operation.id);
        }
    }
    let captured = || {
        let book = Book::new(None).paying().told(&done());
        book.capturing().told(&done())
    };
    let add_newest = |add: &mut dyn FnMut(&str, Book, OperationId), name, book: Book| {
        let newest = book.newest();
        add(name, book, newest);
    };
    for (name, book, operation) in captures() {
        add(name, book, operation);
    }
    add_newest(&mut add, "captured: open refund", captured().refunding());
    add_newest(
        &mut add,
        "captured: paid refund",
        captured().refunding().told(&done()),
    );
    add_newest(
        &mut add,
        "captured: failed refund",
        captured().refunding().told(&refused()),
    );
    let book = captured().refunding();
    let (refund, capture) = (book.newest(), *book.operations.keys().nth(1).unwrap());
    let book = book.hearing(capture, &refused());
    add("capture-failed: open refund", book, refund);
    let sale = Book::new(Some(0)).paying().told(&captured_at_once());
    add_newest(&mut add, "captured: sale", sale);
    let unwanted = Book::new(None).paying().told(&refused()).told(&done());
    add_newest(&mut add, "refused: open compensation", unwanted.clone());
    add_newest(
        &mut add,
        "refused: done compensation",
        unwanted.told(&done()),
    );
    subjects
}

/// Automatic captures, and captures and cancels that failed.
fn captures() -> Vec<(&'static str, Book, OperationId)> {
    let authorized = |automatic| Book::new(automatic).paying().told(&done());
    let automatic = authorized(Some(60)).capturing_by_itself();
    let attempt = automatic.oldest();
    let lapsed = automatic.clone().hearing(attempt, &refused());
    [
        ("capturing: automatic capture", automatic),
        ("lapsed: automatic capture", lapsed),
        (
            "authorized: failed capture",
            authorized(None).capturing().told(&refused()),
        ),
        (
            "authorized: failed cancel",
            authorized(None).cancelling().told(&refused()),
        ),
    ]
    .map(|(name, book)| {
        let newest = book.newest();
        (name, book, newest)
    })
    .to_vec()
}
