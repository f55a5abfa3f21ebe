//! The scripted PSP's ledger: payments, idempotency keys with their responses, and rules.

use std::collections::HashMap;

use oncharge_domain::{
    id::{OperationId, SessionId},
    psp::{Challenge, PspReference, PspResponse, RefusalReason},
};

use super::{Call, Finish, Reply, reference_of, request::Request};

/// A payment in the PSP's ledger; amounts in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The authorization that created it.
    pub attempt: OperationId,
    /// The session that it was created for.
    pub session: SessionId,
    /// The PSP's reference.
    pub reference: PspReference,
    /// Authorized; 0 while a challenge is open or if it was refused.
    pub authorized: i64,
    /// Captured.
    pub captured: i64,
    /// Refunded.
    pub refunded: i64,
    /// Whether the authorization was released or has lapsed.
    pub released: bool,
}

impl Payment {
    /// The amount still reserved on the card.
    pub fn reserved(&self) -> i64 {
        if self.released || self.captured > 0 {
            0
        } else {
            self.authorized
        }
    }

    /// The amount captured and not refunded.
    pub fn taken(&self) -> i64 {
        self.captured - self.refunded
    }
}

/// What the PSP stores for an idempotency key.
struct KnownCall {
    request: Request,
    /// The first response, repeated for every repetition.
    first: PspResponse,
    /// The response that is true now.
    current: PspResponse,
}

#[derive(Default)]
pub(super) struct Ledger {
    payments: Vec<Payment>,
    keys: HashMap<OperationId, KnownCall>,
    pub(super) violations: Vec<String>,
}

fn refused(reason: RefusalReason) -> PspResponse {
    PspResponse::Refused(reason)
}

impl Ledger {
    /// Processes a call; for a known key, repeats the first response.
    pub(super) fn call(&mut self, request: Request, reply: Reply) -> PspResponse {
        let id = request.operation;
        if let Some(known) = self.keys.get(&id) {
            if known.request != request {
                self.violations
                    .push(format!("{id}: other bytes under a known key"));
            }
            return known.first.clone();
        }
        let response = self.execute(&request, reply);
        let remembered = KnownCall {
            request,
            first: response.clone(),
            current: response.clone(),
        };
        self.keys.insert(id, remembered);
        response
    }

    pub(super) fn current(&self, operation: OperationId) -> Option<PspResponse> {
        self.keys.get(&operation).map(|known| known.current.clone())
    }

    pub(super) fn request_of(&self, operation: OperationId) -> Option<&Request> {
        self.keys.get(&operation).map(|known| &known.request)
    }

    /// The request that contains the amount of an operation: its own, or for a cancel that of the
    /// payment's authorization.
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
            known.current,
            PspResponse::Accepted { .. } | PspResponse::ActionRequired(_)
        );
        assert!(open, "{operation} has ended: {:?}", known.current);
        let request = known.request.clone();
        let current = match finish {
            Finish::Done => self.move_money(&request),
            Finish::Refused(reason) => refused(reason),
        };
        self.set_current(operation, current);
    }

    pub(super) fn reverse(&mut self, operation: OperationId, reason: RefusalReason) {
        let known = self.keys.get(&operation).expect("the operation arrived");
        let done = matches!(known.current, PspResponse::Done { .. });
        assert!(done, "{operation} is not done: {:?}", known.current);
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
        self.set_current(operation, refused(reason));
    }

    pub(super) fn complete_refused(&mut self, operation: OperationId) {
        let known = self.keys.get(&operation).expect("the operation arrived");
        let is_refused = matches!(known.current, PspResponse::Refused(_));
        assert!(
            is_refused,
            "{operation} was not refused: {:?}",
            known.current
        );
        let request = known.request.clone();
        let current = self.move_money(&request);
        self.set_current(operation, current);
    }

    fn set_current(&mut self, operation: OperationId, current: PspResponse) {
        if let Some(known) = self.keys.get_mut(&operation) {
            known.current = current;
        }
    }

    fn execute(&mut self, request: &Request, reply: Reply) -> PspResponse {
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
            Reply::Done => self.move_money(request),
            Reply::Accepted => PspResponse::Accepted { reference },
            Reply::ActionRequired => PspResponse::ActionRequired(Challenge {
                url: format!("https://psp.example.com/challenge/{}", reference.as_str()),
                reference,
            }),
            Reply::Refused(reason) => refused(reason),
        }
    }

    /// Moves the money, as far as the payment's state allows.
    fn move_money(&mut self, request: &Request) -> PspResponse {
        let done = |captured| PspResponse::Done {
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

    /// Ends an open challenge or an accepted authorization; `false` if there is none.
    fn end_open(&mut self, attempt: OperationId) -> bool {
        let open = self.keys.get(&attempt).is_some_and(|known| {
            let current = &known.current;
            matches!(
                current,
                PspResponse::Accepted { .. } | PspResponse::ActionRequired(_)
            )
        });
        if open {
            self.set_current(attempt, refused(RefusalReason::Other("cancelled".into())));
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
