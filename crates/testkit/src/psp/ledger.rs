//! The scripted PSP's own books: payments, what it has answered to which key, and its rules.

use std::collections::HashMap;

use oncharge_domain::{
    id::{OperationId, SessionId},
    psp::{Answer, Challenge, PspReference, RefusalReason},
};

use super::{Call, Finish, Reply, reference_of, request::Request};

/// A payment as the PSP knows it; amounts in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The authorisation that made it.
    pub attempt: OperationId,
    /// The session that it was made for.
    pub session: SessionId,
    /// Its reference.
    pub reference: PspReference,
    /// Authorised; 0 while a challenge is open or where it was refused.
    pub authorized: i64,
    /// Captured.
    pub captured: i64,
    /// Given back.
    pub refunded: i64,
    /// Whether the authorisation was released or has lapsed.
    pub released: bool,
}

impl Payment {
    /// What is still held on the card.
    pub fn reserved(&self) -> i64 {
        if self.released || self.captured > 0 {
            0
        } else {
            self.authorized
        }
    }

    /// What was taken and not given back.
    pub fn taken(&self) -> i64 {
        self.captured - self.refunded
    }
}

/// What the PSP remembers of a key.
struct Remembered {
    request: Request,
    /// What was answered at first, and is answered to every repetition.
    first: Answer,
    /// What is true now.
    truth: Answer,
}

#[derive(Default)]
pub(super) struct Ledger {
    payments: Vec<Payment>,
    keys: HashMap<OperationId, Remembered>,
    pub(super) violations: Vec<String>,
}

fn refused(reason: RefusalReason) -> Answer {
    Answer::Refused(reason)
}

impl Ledger {
    /// The answer to a call: the first one again where the key is known.
    pub(super) fn call(&mut self, request: Request, reply: Reply) -> Answer {
        let id = request.operation;
        if let Some(known) = self.keys.get(&id) {
            if known.request != request {
                self.violations
                    .push(format!("{id}: other bytes under a known key"));
            }
            return known.first.clone();
        }
        let answer = self.carry_out(&request, reply);
        let remembered = Remembered {
            request,
            first: answer.clone(),
            truth: answer.clone(),
        };
        self.keys.insert(id, remembered);
        answer
    }

    pub(super) fn truth(&self, operation: OperationId) -> Option<Answer> {
        self.keys.get(&operation).map(|known| known.truth.clone())
    }

    pub(super) fn request_of(&self, operation: OperationId) -> Option<&Request> {
        self.keys.get(&operation).map(|known| &known.request)
    }

    /// The request that says how much an operation is about: its own, or for a cancel that of
    /// the payment.
    pub(super) fn amount_request<'a>(&'a self, request: &'a Request) -> &'a Request {
        if request.currency.is_some() {
            return request;
        }
        let is_it = |payment: &&Payment| Some(&payment.reference) == request.payment.as_ref();
        let payment = self.payments.iter().find(is_it);
        let attempt = payment.and_then(|payment| self.request_of(payment.attempt));
        attempt.unwrap_or(request)
    }

    pub(super) fn payments_of(&self, session: SessionId) -> Vec<Payment> {
        let of_session = |payment: &&Payment| payment.session == session;
        self.payments.iter().filter(of_session).cloned().collect()
    }

    pub(super) fn finish(&mut self, operation: OperationId, finish: Finish) {
        let known = self.keys.get(&operation).expect("the operation arrived");
        let open = matches!(
            known.truth,
            Answer::Accepted { .. } | Answer::ActionRequired(_)
        );
        assert!(open, "{operation} has ended: {:?}", known.truth);
        let request = known.request.clone();
        let truth = match finish {
            Finish::Done => self.settle(&request),
            Finish::Refused(reason) => refused(reason),
        };
        self.set_truth(operation, truth);
    }

    pub(super) fn take_back(&mut self, operation: OperationId, reason: RefusalReason) {
        let known = self.keys.get(&operation).expect("the operation arrived");
        let done = matches!(known.truth, Answer::Done { .. });
        assert!(done, "{operation} is not done: {:?}", known.truth);
        let request = known.request.clone();
        if let Some(payment) = self.payment_mut(&request) {
            match request.call {
                Call::Authorize | Call::Capture => {
                    payment.captured = 0;
                    payment.released = true;
                }
                Call::Cancel => payment.released = false,
                Call::Refund => payment.refunded -= request.minor,
                Call::LookUp => {}
            }
        }
        self.set_truth(operation, refused(reason));
    }

    pub(super) fn contradict(&mut self, operation: OperationId) {
        let known = self.keys.get(&operation).expect("the operation arrived");
        let is_refused = matches!(known.truth, Answer::Refused(_));
        assert!(is_refused, "{operation} was not refused: {:?}", known.truth);
        let request = known.request.clone();
        let truth = self.settle(&request);
        self.set_truth(operation, truth);
    }

    fn set_truth(&mut self, operation: OperationId, truth: Answer) {
        if let Some(known) = self.keys.get_mut(&operation) {
            known.truth = truth;
        }
    }

    fn carry_out(&mut self, request: &Request, reply: Reply) -> Answer {
        let reference = reference_of(request.operation);
        if request.call == Call::Authorize {
            self.payments.push(Payment {
                attempt: request.operation,
                session: request.session,
                reference: reference.clone(),
                authorized: 0,
                captured: 0,
                refunded: 0,
                released: false,
            });
        }
        match reply {
            Reply::Done => self.settle(request),
            Reply::Accepted => Answer::Accepted { reference },
            Reply::ActionRequired => Answer::ActionRequired(Challenge {
                url: format!("https://psp.example.com/challenge/{}", reference.as_str()),
                reference,
            }),
            Reply::Refused(reason) => refused(reason),
        }
    }

    /// Moves the money, as far as the payment's state allows.
    fn settle(&mut self, request: &Request) -> Answer {
        let done = |captured| Answer::Done {
            reference: reference_of(request.operation),
            captured,
        };
        let Some(payment) = self.payment_mut(request) else {
            return refused(RefusalReason::NothingHeld);
        };
        if payment.session != request.session {
            let violation = format!("{}: a payment of another session", request.operation);
            self.violations.push(violation);
            return refused(RefusalReason::NothingHeld);
        }
        let ended = match request.call {
            Call::Authorize => {
                payment.authorized = request.minor;
                payment.captured = if request.capture { request.minor } else { 0 };
                return done(request.capture);
            }
            Call::Capture if payment.reserved() >= request.minor => {
                payment.captured = request.minor;
                None
            }
            Call::Cancel if payment.reserved() > 0 => {
                payment.released = true;
                None
            }
            Call::Cancel if payment.captured > 0 => {
                return refused(RefusalReason::AlreadyCaptured);
            }
            Call::Cancel => Some(payment.attempt),
            Call::Refund if payment.taken() >= request.minor => {
                payment.refunded += request.minor;
                None
            }
            _ => return refused(RefusalReason::NothingHeld),
        };
        match ended.map(|attempt| self.end_open(attempt)) {
            None | Some(true) => done(false),
            Some(false) => refused(RefusalReason::NothingHeld),
        }
    }

    /// Ends an open challenge or an accepted authorisation; `false` where there is none.
    fn end_open(&mut self, attempt: OperationId) -> bool {
        let open = self.keys.get(&attempt).is_some_and(|known| {
            let truth = &known.truth;
            matches!(truth, Answer::Accepted { .. } | Answer::ActionRequired(_))
        });
        if open {
            self.set_truth(attempt, refused(RefusalReason::Other("cancelled".into())));
        }
        open
    }

    fn payment_mut(&mut self, request: &Request) -> Option<&mut Payment> {
        let reference = match &request.payment {
            Some(reference) => reference.clone(),
            None => reference_of(request.operation),
        };
        let mut payments = self.payments.iter_mut();
        payments.find(|payment| payment.reference == reference)
    }
}
