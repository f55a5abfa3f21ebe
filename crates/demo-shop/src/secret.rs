//! The signing secret of the shop's webhook endpoint.

use std::{pin::Pin, sync::Arc};

use oncharge_client::WebhookVerifier;
use zeroize::Zeroizing;

/// Looks up the current signing secret (`whsec_…`). A real shop has it in its settings; here it is
/// read from the sandbox.
#[derive(Clone)]
pub struct SigningSecret(Arc<Lookup>);

type Lookup = dyn Fn() -> Pin<Box<dyn Future<Output = LookupResult> + Send>> + Send + Sync;
type LookupResult = anyhow::Result<Zeroizing<String>>;

impl SigningSecret {
    /// Calls `lookup` at each use.
    pub fn new<F>(lookup: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = LookupResult> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(lookup())))
    }

    /// A verifier with the current secret.
    pub(crate) async fn verifier(&self) -> anyhow::Result<WebhookVerifier> {
        let secret = (self.0)().await?;
        Ok(WebhookVerifier::new(&secret)?)
    }
}
