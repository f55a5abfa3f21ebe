//! The ports of the scripted PSP: its connector, the calls to it, and the accounts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use oncharge_domain::{
    id::OperationId,
    money::Money,
    psp::{Instruction, PspAccount, PspReport},
};
use oncharge_ports::{
    Connector, Psp, PspRegistry,
    psp::{
        self, InvalidSignature, Notification, NotificationError, PreparedRequest, PspError,
        UnsupportedAmount, VerifiedNotification,
    },
};

use super::{
    Call, Fault, ScriptedPsp,
    notification::{SEPARATOR, event_key, read_notification},
    request::Request,
};

impl ScriptedPsp {
    /// The header that carries a notification's signature.
    pub const SIGNATURE_HEADER: &'static str = "X-Scripted-Signature";
    /// The only valid signature.
    pub const SIGNATURE: &'static str = "right";

    /// Yields to other tasks, and waits while the PSP is paused.
    async fn wait(&self) {
        tokio::task::yield_now().await;
        let _waiting = WaitingCall::enter(&self.waiting);
        let mut open = self.open.subscribe();
        // Cannot fail: the sender lives as long as this handle.
        let _ = open.wait_for(|open| *open).await;
    }
}

/// Counts a call as waiting until it continues or is dropped.
struct WaitingCall<'a>(&'a AtomicUsize);

impl<'a> WaitingCall<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for WaitingCall<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Connector for ScriptedPsp {
    fn is_live(&self) -> bool {
        false
    }

    fn key_lifetime(&self) -> Duration {
        let planned = self.state().key_lifetime;
        planned.unwrap_or(Duration::from_secs(24 * 3600))
    }

    fn is_payment_method(&self, text: &str) -> bool {
        text.starts_with("tok_") && text.len() <= 64
    }

    fn supports_amount(&self, amount: Money) -> bool {
        !self
            .state()
            .unsupported_currencies
            .contains(amount.currency().code())
    }

    fn fields_url(&self) -> String {
        "https://psp.example.com/fields".to_owned()
    }

    fn prepare(&self, call: &psp::PspRequest<'_>) -> Result<PreparedRequest, UnsupportedAmount> {
        let amount = match &call.instruction {
            Instruction::Authorize { amount, .. }
            | Instruction::Capture { amount, .. }
            | Instruction::Refund { amount, .. } => Some(*amount),
            Instruction::Cancel { .. } => None,
        };
        if amount.is_some_and(|amount| !self.supports_amount(amount)) {
            return Err(UnsupportedAmount);
        }
        Ok(PreparedRequest::new(Request::of(call).write()))
    }

    fn verify_notifications(
        &self,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> Result<Vec<VerifiedNotification>, InvalidSignature> {
        if header(Self::SIGNATURE_HEADER).as_deref() != Some(Self::SIGNATURE) {
            return Err(InvalidSignature);
        }
        let verified = |body: &[u8]| VerifiedNotification {
            event_key: event_key(body),
            body: body.to_vec(),
        };
        Ok(body
            .split(|byte| *byte == SEPARATOR)
            .map(verified)
            .collect())
    }

    fn read_notification(&self, body: &[u8]) -> Result<Notification, NotificationError> {
        let read = read_notification(body)?;
        let card = self.state().card_of(read.operation);
        Ok(Notification { card, ..read })
    }
}

#[async_trait]
impl Psp for ScriptedPsp {
    fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(self.clone())
    }

    fn is_available(&self) -> bool {
        self.state().unavailable_accounts.is_empty()
    }

    async fn send(&self, request: &PreparedRequest) -> Result<PspReport, PspError> {
        self.wait().await;
        let request = Request::read(request.expose()).expect("bytes of this connector");
        let (call, operation) = (request.call, request.operation);
        let mut state = self.state();
        let fault = state.next_fault(call);
        match fault {
            Some(Fault::NotSent) => return Err(PspError::NotSent("planned".into())),
            Some(Fault::UnknownBefore) => return Err(PspError::Unknown("planned, before".into())),
            Some(Fault::UnknownAfter) | None => {}
        }
        state.sent.push((call, operation));
        // Only a call with a new key consumes a planned reply.
        let known = state.ledger.current(operation).is_some();
        let reply = if known {
            super::Reply::Done
        } else {
            state.next_reply(call)
        };
        let response = state.ledger.call(request, reply);
        match fault {
            Some(_) => Err(PspError::Unknown("planned, after".into())),
            None => Ok(state.report(operation, response)),
        }
    }

    async fn look_up(&self, operation: OperationId) -> Result<Option<PspReport>, PspError> {
        self.wait().await;
        let mut state = self.state();
        match state.next_fault(Call::LookUp) {
            Some(Fault::NotSent) => Err(PspError::NotSent("planned".into())),
            Some(_) => Err(PspError::Unknown("planned".into())),
            None => {
                state.sent.push((Call::LookUp, operation));
                let current = state.ledger.current(operation);
                Ok(current.map(|response| state.report(operation, response)))
            }
        }
    }
}

impl PspRegistry for ScriptedPsp {
    fn account(&self, _account: &PspAccount) -> Option<Arc<dyn Psp>> {
        Some(Arc::new(self.clone()))
    }

    fn unavailable_accounts(&self) -> Vec<PspAccount> {
        self.state().unavailable_accounts.clone()
    }
}
