//! The scripted PSP with planned faults.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use oncharge_domain::{
    id::{OperationId, SessionId},
    money::Money,
    psp::{PspAccount, PspReport},
};
use oncharge_ports::{
    Psp, PspRegistry,
    psp::{
        InvalidSignature, Notification, NotificationError, PreparedRequest, PspError, PspRequest,
        UnsupportedAmount, VerifiedNotification,
    },
};
use oncharge_testkit::ScriptedPsp;

use super::fault_plan::{FaultPlan, PlannedFault};

#[derive(Clone)]
pub(super) struct FaultyPsp {
    pub(super) inner: ScriptedPsp,
    /// The PSP of the account `second`.
    pub(super) other: ScriptedPsp,
    pub(super) fault_plan: Arc<FaultPlan>,
}

impl FaultyPsp {
    /// Executes the call with the fault planned for it.
    async fn with_planned_fault<T>(
        &self,
        work: impl Future<Output = Result<T, PspError>> + Send,
    ) -> Result<T, PspError> {
        let fault = self.fault_plan.at_call();
        match fault {
            Some(PlannedFault::Before) => return Err(PspError::NotSent("planned".into())),
            Some(PlannedFault::Between) => return Err(PspError::Unknown("planned, before".into())),
            Some(PlannedFault::CrashBefore) => self.fault_plan.crash().await,
            Some(PlannedFault::After | PlannedFault::CrashAfter) | None => {}
        }
        let response = work.await;
        match fault {
            Some(PlannedFault::After) => Err(PspError::Unknown("planned, after".into())),
            Some(PlannedFault::CrashAfter) => self.fault_plan.crash().await,
            _ => response,
        }
    }
}

#[async_trait]
impl Psp for FaultyPsp {
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

    fn supports_amount(&self, amount: Money) -> bool {
        self.inner.supports_amount(amount)
    }

    fn fields_url(&self, session: SessionId, parent_origin: &str, language: &str) -> String {
        self.inner.fields_url(session, parent_origin, language)
    }

    fn origin(&self) -> &str {
        self.inner.origin()
    }

    fn prepare(&self, call: &PspRequest<'_>) -> Result<PreparedRequest, UnsupportedAmount> {
        self.inner.prepare(call)
    }

    async fn send(&self, request: &PreparedRequest) -> Result<PspReport, PspError> {
        let sending = async {
            let response = self.inner.send(request).await;
            self.fault_plan.wait_for_release().await;
            response
        };
        self.with_planned_fault(sending).await
    }

    async fn look_up(&self, operation: OperationId) -> Result<Option<PspReport>, PspError> {
        self.with_planned_fault(self.inner.look_up(operation)).await
    }

    fn verify_notifications(
        &self,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> Result<Vec<VerifiedNotification>, InvalidSignature> {
        self.inner.verify_notifications(header, body)
    }

    fn read_notification(&self, body: &[u8]) -> Result<Notification, NotificationError> {
        self.inner.read_notification(body)
    }
}

impl PspRegistry for FaultyPsp {
    fn unavailable_accounts(&self) -> Vec<PspAccount> {
        let mut accounts = self.inner.unavailable_accounts();
        accounts.extend(self.other.unavailable_accounts());
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
