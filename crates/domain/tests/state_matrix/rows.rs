//! Every state of a session, built by a sequence of inputs, and the PSP results for it.

use oncharge_domain::{
    id::OperationId,
    psp::{Challenge, PspResponse, PspResult, RefusalReason, TokenFingerprint},
    session::Input,
};

use crate::session_records::{LIFETIME, SessionRecords, at, reference};

/// A state's name, and records in that state.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) records: SessionRecords,
}

/// Builds records by a sequence of inputs.
impl SessionRecords {
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

    pub(crate) fn with_result_for(self, operation: OperationId, result: &PspResult) -> Self {
        let psp_update = self.psp_update(operation, result, false);
        self.then(&Input::PspUpdate(Box::new(psp_update)))
    }

    pub(crate) fn with_result(self, result: &PspResult) -> Self {
        let operation = self.newest();
        self.with_result_for(operation, result)
    }

    /// A minute after the authorization, which starts the automatic capture.
    pub(crate) fn capturing_automatically(mut self) -> Self {
        let operation = self.next_id();
        self.decide(&Input::Deadline { operation }, at(60))
            .unwrap()
            .unwrap();
        self
    }

    pub(crate) fn past_expiry(mut self) -> Self {
        let operation = self.next_id();
        let input = Input::Deadline { operation };
        self.decide(&input, at(LIFETIME)).unwrap().unwrap();
        self
    }
}

pub(crate) fn done() -> PspResult {
    let reference = reference("psp_1");
    let captured = false;
    PspResult::Response(PspResponse::Done {
        reference,
        captured,
    })
}

pub(crate) fn refused() -> PspResult {
    PspResult::Response(PspResponse::Refused(RefusalReason::CardDeclined))
}

pub(crate) fn accepted() -> PspResult {
    PspResult::Response(PspResponse::Accepted {
        reference: reference("psp_1"),
    })
}

pub(crate) fn challenge() -> PspResult {
    PspResult::Response(PspResponse::ActionRequired(Challenge {
        reference: reference("psp_1"),
        url: "https://psp.example.com/challenge".to_owned(),
    }))
}

pub(crate) fn nothing_held() -> PspResult {
    PspResult::Response(PspResponse::Refused(RefusalReason::NothingHeld))
}

pub(crate) fn captured_at_once() -> PspResult {
    PspResult::Response(PspResponse::Done {
        reference: reference("psp_1"),
        captured: true,
    })
}

/// Every state that a session can be in.
pub(crate) fn rows() -> Vec<Row> {
    let new = || SessionRecords::new(None);
    let authorized = || new().paying().with_result(&done());
    let captured = || authorized().capturing().with_result(&done());
    let challenged = || new().paying().with_result(&challenge());
    let rows = [
        ("created", new()),
        ("asking", new().paying()),
        ("accepted", new().paying().with_result(&accepted())),
        ("challenge", challenged()),
        ("ending", challenged().abandoning()),
        ("ending+", {
            let records = challenged().abandoning();
            let attempt = records.oldest();
            records.with_result_for(attempt, &done())
        }),
        ("x-asking", new().paying().past_expiry()),
        ("x-ending", challenged().past_expiry()),
        ("authorized", authorized()),
        ("capturing", authorized().capturing()),
        ("cancelling", authorized().cancelling()),
        ("lapsed", {
            let records = authorized().capturing();
            let attempt = records.oldest();
            records.with_result_for(attempt, &refused())
        }),
        ("captured", captured()),
        ("cancelled", authorized().cancelling().with_result(&done())),
        ("refused", new().paying().with_result(&refused())),
        ("refused-final", {
            let twice = new()
                .paying()
                .with_result(&refused())
                .paying()
                .with_result(&refused());
            twice.paying().with_result(&refused())
        }),
        ("error", new().paying().with_result(&PspResult::NotSent)),
        ("capture-failed", captured().with_result(&refused())),
        (
            "expired",
            new().paying().with_result(&refused()).then(&Input::Expire),
        ),
    ];
    rows.into_iter()
        .map(|(name, records)| Row { name, records })
        .collect()
}

/// The operations that a PSP result can refer to, in each state.
pub(crate) fn operations_by_state() -> Vec<(String, SessionRecords, OperationId)> {
    let mut operations_by_state = Vec::new();
    let mut add = |name: &str, records: SessionRecords, operation| {
        operations_by_state.push((name.to_owned(), records, operation));
    };
    for Row { name, records } in rows() {
        for operation in records.operations.values() {
            let kind = operation.kind.name();
            if kind == "authorize" && operation.id != records.oldest() {
                continue;
            }
            add(&format!("{name}: {kind}"), records.clone(), operation.id);
        }
    }
    let captured = || {
        let records = SessionRecords::new(None).paying().with_result(&done());
        records.capturing().with_result(&done())
    };
    let add_newest =
        |add: &mut dyn FnMut(&str, SessionRecords, OperationId), name, records: SessionRecords| {
            let newest = records.newest();
            add(name, records, newest);
        };
    for (name, records, operation) in captures() {
        add(name, records, operation);
    }
    add_newest(&mut add, "captured: open refund", captured().refunding());
    add_newest(
        &mut add,
        "captured: paid refund",
        captured().refunding().with_result(&done()),
    );
    add_newest(
        &mut add,
        "captured: failed refund",
        captured().refunding().with_result(&refused()),
    );
    let records = captured().refunding();
    let (refund, capture) = (records.newest(), *records.operations.keys().nth(1).unwrap());
    let records = records.with_result_for(capture, &refused());
    add("capture-failed: open refund", records, refund);
    let sale = SessionRecords::new(Some(0))
        .paying()
        .with_result(&captured_at_once());
    add_newest(&mut add, "captured: sale", sale);
    let unwanted = SessionRecords::new(None)
        .paying()
        .with_result(&refused())
        .with_result(&done());
    add_newest(&mut add, "refused: open compensation", unwanted.clone());
    add_newest(
        &mut add,
        "refused: done compensation",
        unwanted.with_result(&done()),
    );
    operations_by_state
}

/// Automatic captures, and captures and cancels that failed.
fn captures() -> Vec<(&'static str, SessionRecords, OperationId)> {
    let authorized = |automatic| SessionRecords::new(automatic).paying().with_result(&done());
    let automatic = authorized(Some(60)).capturing_automatically();
    let attempt = automatic.oldest();
    let lapsed = automatic.clone().with_result_for(attempt, &refused());
    [
        ("capturing: automatic capture", automatic),
        ("lapsed: automatic capture", lapsed),
        (
            "authorized: failed capture",
            authorized(None).capturing().with_result(&refused()),
        ),
        (
            "authorized: failed cancel",
            authorized(None).cancelling().with_result(&refused()),
        ),
    ]
    .map(|(name, records)| {
        let newest = records.newest();
        (name, records, newest)
    })
    .to_vec()
}
