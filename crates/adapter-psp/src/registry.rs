//! All PSP accounts of this deployment, each with its connector and the decorators around it.

use std::{collections::HashMap, fmt, sync::Arc};

use oncharge_domain::{psp::PspAccount, text::TextProblem};
use oncharge_ports::psp::{Psp, Psps};

use crate::{
    breaker::Breaker,
    http::{self, HttpClientError},
    metered::{KindOf, Metered},
    simulator::{self, SettingsError, Simulator},
    time_limit::TimeLimit,
};

/// One account at one PSP, as it is configured.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name within the connector (`default`): 1 to 64 of `a-z 0-9 - _`.
    pub name: String,
    /// The connector and its settings.
    pub connector: Connector,
}

/// Which connector, and what it needs.
#[derive(Clone, Debug)]
pub enum Connector {
    /// The PSP simulator (`simulator`).
    Simulator(simulator::Settings),
}

impl Connector {
    /// The connector's name, as accounts and the path of notifications have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Simulator(_) => simulator::NAME,
        }
    }
}

/// The accounts cannot be used as they are configured.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// An account's name breaks its rule.
    #[error("the PSP account {0:?} has no valid name")]
    Name(String, #[source] TextProblem),
    /// Two accounts have one name.
    #[error("the PSP account {0}/{1} is configured twice")]
    Twice(&'static str, String),
    /// A setting of an account breaks its rule.
    #[error("the settings of the PSP account {0}/{1} cannot be used")]
    Settings(&'static str, String, #[source] SettingsError),
    /// No HTTP client could be made.
    #[error("the connectors have no HTTP client")]
    Http(#[from] HttpClientError),
}

/// All accounts that this deployment can reach.
pub struct Registry {
    accounts: HashMap<PspAccount, Arc<dyn Psp>>,
}

impl Registry {
    /// Builds a connector for each account; errors name the first account that cannot be used.
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Result<Self, RegistryError> {
        let http = http::client()?;
        let mut built = HashMap::new();
        for Account { name, connector } in accounts {
            let connector_name = connector.name();
            let account = PspAccount::new(connector_name, &name)
                .map_err(|problem| RegistryError::Name(name.clone(), problem))?;
            let (psp, kind_of) = connect(connector, &http).map_err(|problem| {
                RegistryError::Settings(connector_name, name.clone(), problem)
            })?;
            let psp = decorate(psp, &account, kind_of);
            if built.insert(account, psp).is_some() {
                return Err(RegistryError::Twice(connector_name, name));
            }
        }
        Ok(Self { accounts: built })
    }
}

fn connect(
    connector: Connector,
    http: &reqwest::Client,
) -> Result<(Arc<dyn Psp>, KindOf), SettingsError> {
    match connector {
        Connector::Simulator(settings) => {
            let psp = Simulator::new(settings, http.clone())?;
            Ok((Arc::new(psp), simulator::kind_of))
        }
    }
}

/// From the inside out: the time limit ends what takes too long, the breaker counts that, the
/// metrics show what callers see.
fn decorate(psp: Arc<dyn Psp>, account: &PspAccount, kind_of: KindOf) -> Arc<dyn Psp> {
    let limited = Arc::new(TimeLimit::new(psp));
    let guarded = Arc::new(Breaker::new(limited, account.clone()));
    Arc::new(Metered::new(guarded, account.clone(), kind_of))
}

impl Psps for Registry {
    fn account(&self, account: &PspAccount) -> Option<Arc<dyn Psp>> {
        self.accounts.get(account).cloned()
    }

    fn unavailable(&self) -> Vec<PspAccount> {
        let accounts = self.accounts.iter();
        let unavailable = accounts.filter(|(_, psp)| !psp.is_available());
        unavailable.map(|(account, _)| account.clone()).collect()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.accounts.keys()).finish()
    }
}
