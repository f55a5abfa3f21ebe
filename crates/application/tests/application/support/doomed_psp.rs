//! The scripted PSP, with a fate at each call.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use oncharge_domain::{
    id::{OperationId, SessionId},
    money::Money,
    psp::{PspAccount, PspReport},
};
use oncharge_ports::{
    Psp, Psps,
    psp::{
        Call, CannotCarry, Notification, NotificationError, PreparedRequest, PspError, Unverified,
        VerifiedNotification,
    },
};
use oncharge_testkit::ScriptedPsp;

use super::fate::{Fate, Harm};

#[derive(Clone)]
pub(super) struct DoomedPsp {
    pub(super) inner: ScriptedPsp,
    /// The PSP of the account `second`.
    pub(super) other: ScriptedPsp,
    pub(super) fate: Arc<Fate>,
}

impl DoomedPsp {
    /// Does the work with what was planned for this call.
    async fn fatefully<T>(
        &self,
        work: impl Future<Output = Result<T, PspError>> + Send,
    ) -> Result<T, PspError> {
        let harm = self.fate.at_call();
        match harm {
            Some(Harm::Before) => return Err(PspError::NotSent("planned".into())),
            Some(Harm::Between) => return Err(PspError::Unknown("planned, before".into())),
            Some(Harm::DieBefore) => self.fate.die().await,
            Some(Harm::After | Harm::DieAfter) | None => {}
        }
        let answer = work.await;
        match harm {
            Some(Harm::After) => Err(PspError::Unknown("planned, after".into())),
            Some(Harm::DieAfter) => self.fate.die().await,
            _ => answer,
        }
    }
}

#[async_trait]
impl Psp for DoomedPsp {
    fn is_live(&self) -> bool {
        self.inner.is_live()
    }

    fn is_available(&self) -> bool {
        self.inner.is_available()
    }

    fn key_lifetime(&self) -> Duration {
        self.inner.key_lifetime()
    }

    fn is_payment_method(&self, text: &str) -> bool {
        self.inner.is_payment_method(text)
    }

    fn carries(&self, amount: Money) -> bool {
        self.inner.carries(amount)
    }

    fn fields_url(&self, session: SessionId, parent_origin: &str, language: &str) -> String {
        self.inner.fields_url(session, parent_origin, language)
    }

    fn origin(&self) -> &str {
        self.inner.origin()
    }

    fn prepare(&self, call: &Call<'_>) -> Result<PreparedRequest, CannotCarry> {
        self.inner.prepare(call)
    }

    async fn send(&self, request: &PreparedRequest) -> Result<PspReport, PspError> {
        let sending = async {
            let answer = self.inner.send(request).await;
            self.fate.answer_arrives().await;
            answer
        };
        self.fatefully(sending).await
    }

    async fn look_up(&self, operation: OperationId) -> Result<Option<PspReport>, PspError> {
        self.fatefully(self.inner.look_up(operation)).await
    }

    fn verify_notifications(
        &self,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> Result<Vec<VerifiedNotification>, Unverified> {
        self.inner.verify_notifications(header, body)
    }

    fn read_notification(&self, body: &[u8]) -> Result<Notification, NotificationError> {
        self.inner.read_notification(body)
    }
}

impl Psps for DoomedPsp {
    fn unavailable(&self) -> Vec<PspAccount> {
        let mut accounts = self.inner.unavailable();
        accounts.extend(self.other.unavailable());
        accounts
    }

    /// Only these accounts are configured.
    fn account(&self, account: &PspAccount) -> Option<Arc<dyn Psp>> {
        match (account.connector(), account.account()) {
            ("simulator", "default") => Some(Arc::new(self.clone())),
            ("simulator", "second") => Some(Arc::new(self.other.clone())),
            _ => None,
        }
    }
}
