//! The scripted PSP with planned faults.

use std::sync::Arc;

use async_trait::async_trait;
use oncharge_domain::{
    id::OperationId,
    psp::{PspAccount, PspReport},
};
use oncharge_ports::{
    Connector, Psp, PspRegistry,
    psp::{PreparedRequest, PspError},
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
    fn connector(&self) -> Arc<dyn Connector> {
        self.inner.connector()
    }

    fn is_available(&self) -> bool {
        self.inner.is_available()
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
