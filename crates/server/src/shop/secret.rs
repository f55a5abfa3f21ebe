//! Where the shop keeps the signing secret of its webhook endpoint.

use std::{pin::Pin, sync::Arc};

use oncharge_client::WebhookVerifier;
use zeroize::Zeroizing;

/// A way to the present signing secret (`whsec_…`). A shop of your own has it in its settings; here the
/// sandbox looks it up.
#[derive(Clone)]
pub(crate) struct SigningSecret(Arc<Lookup>);

type Lookup = dyn Fn() -> Pin<Box<dyn Future<Output = LookupResult> + Send>> + Send + Sync;
type LookupResult = anyhow::Result<Zeroizing<String>>;

impl SigningSecret {
    /// The secret that `lookup` finds, at each use.
    pub(crate) fn new<F>(lookup: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = LookupResult> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(lookup())))
    }

    /// Verifies with the present secret.
    pub(super) async fn verifier(&self) -> anyhow::Result<WebhookVerifier> {
        let secret = (self.0)().await?;
        Ok(WebhookVerifier::new(&secret)?)
    }
}
