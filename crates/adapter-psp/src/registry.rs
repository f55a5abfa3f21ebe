//! The PSP accounts of this deployment, each with its connector.

use std::{collections::HashMap, fmt, sync::Arc};

use oncharge_domain::{psp::PspAccount, text::TextError};
use oncharge_ports::psp::{Psp, PspRegistry};

use crate::{
    http::{self, HttpClientError},
    http_psp::HttpPsp,
    simulator::{self, SettingsError, Simulator},
};

/// The configuration of one account at one PSP.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name within the connector (`default`): 1 to 64 of `a-z 0-9 - _`.
    pub name: String,
    /// The connector and its settings.
    pub connector: ConnectorSettings,
}

/// A connector and its settings.
#[derive(Clone, Debug)]
pub enum ConnectorSettings {
    /// The PSP simulator (`simulator`).
    Simulator(simulator::Settings),
}

impl ConnectorSettings {
    /// The connector's name, as in accounts and in the path of notifications.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Simulator(_) => simulator::NAME,
        }
    }
}

/// The configured accounts are invalid.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// An account's name is invalid.
    #[error("the PSP account {0:?} has an invalid name")]
    Name(String, #[source] TextError),
    /// Two accounts have the same name.
    #[error("the PSP account {0}/{1} is configured twice")]
    Duplicate(&'static str, String),
    /// A setting of an account is invalid.
    #[error("the settings of the PSP account {0}/{1} are invalid")]
    Settings(&'static str, String, #[source] SettingsError),
    /// The HTTP client could not be created.
    #[error("cannot create the HTTP client of the connectors")]
    Http(#[from] HttpClientError),
}

/// All configured accounts.
pub struct Registry {
    accounts: HashMap<PspAccount, Arc<dyn Psp>>,
}

impl Registry {
    /// Builds a connector for each account; errors name the first invalid account.
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Result<Self, RegistryError> {
        let http = http::client()?;
        let mut built = HashMap::new();
        for Account { name, connector } in accounts {
            let connector_name = connector.name();
            let account = PspAccount::new(connector_name, &name)
                .map_err(|problem| RegistryError::Name(name.clone(), problem))?;
            let psp = build(connector, &http, &account).map_err(|problem| {
                RegistryError::Settings(connector_name, name.clone(), problem)
            })?;
            if built.insert(account, psp).is_some() {
                return Err(RegistryError::Duplicate(connector_name, name));
            }
        }
        Ok(Self { accounts: built })
    }
}

fn build(
    settings: ConnectorSettings,
    http: &reqwest::Client,
    account: &PspAccount,
) -> Result<Arc<dyn Psp>, SettingsError> {
    match settings {
        ConnectorSettings::Simulator(settings) => {
            let connector = Simulator::new(settings)?;
            Ok(Arc::new(HttpPsp::new(
                connector,
                http.clone(),
                account.clone(),
            )))
        }
    }
}

impl PspRegistry for Registry {
    fn account(&self, account: &PspAccount) -> Option<Arc<dyn Psp>> {
        self.accounts.get(account).cloned()
    }

    fn unavailable_accounts(&self) -> Vec<PspAccount> {
        let accounts = self.accounts.iter();
        let unavailable_accounts = accounts.filter(|(_, psp)| !psp.is_available());
        unavailable_accounts
            .map(|(account, _)| account.clone())
            .collect()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.accounts.keys()).finish()
    }
}
