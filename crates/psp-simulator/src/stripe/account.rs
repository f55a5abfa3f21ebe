//! The account of the face: its keys, where its events go, and the idempotency keys in use.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::hmac;

use crate::config::{Secret, StripeAccount};

/// What an API key allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everything: the key of servers.
    Secret,
    /// What a browser may do.
    Publishable,
}

/// The account of a running simulator.
pub(crate) struct Account {
    secret_key: Secret,
    publishable_key: String,
    pub(crate) webhook_url: Option<String>,
    signing_key: hmac::Key,
    /// The metadata key whose value is the reference in the ledger.
    pub(crate) reference_metadata: Option<String>,
    /// The origin of challenge URLs.
    public_url: String,
    keys_in_use: Arc<Mutex<HashSet<String>>>,
}

impl Account {
    /// The configured account of a simulator that browsers reach at `public_url`.
    pub(crate) fn new(config: StripeAccount, public_url: &str) -> Self {
        Self {
            secret_key: config.secret_key,
            publishable_key: config.publishable_key,
            webhook_url: config.webhook_url,
            signing_key: hmac::Key::new(hmac::HMAC_SHA256, config.webhook_secret.bytes()),
            reference_metadata: config.reference_metadata,
            public_url: public_url.to_owned(),
            keys_in_use: Arc::default(),
        }
    }

    /// What this API key allows; `None` if it is not a key of the account.
    pub(crate) fn access(&self, api_key: &str) -> Option<Access> {
        if self.secret_key.matches(api_key) {
            Some(Access::Secret)
        } else if self.publishable_key == api_key {
            Some(Access::Publishable)
        } else {
            None
        }
    }

    /// The value of `Stripe-Signature` for an event sent at this second.
    pub(crate) fn sign(&self, seconds: i64, body: &str) -> String {
        let signature = hmac::sign(&self.signing_key, format!("{seconds}.{body}").as_bytes());
        format!("t={seconds},v1={}", hex::encode(signature))
    }

    /// The page of a challenge.
    pub(crate) fn challenge_url(&self, challenge_id: &str) -> String {
        format!("{}/challenge/{challenge_id}", self.public_url)
    }

    /// Reserves an idempotency key for a request in progress; `None` if another request has it.
    pub(crate) fn use_key(&self, key: &str) -> Option<KeyInUse> {
        lock(&self.keys_in_use)
            .insert(key.to_owned())
            .then(|| KeyInUse {
                key: key.to_owned(),
                keys_in_use: Arc::clone(&self.keys_in_use),
            })
    }
}

/// An idempotency key reserved for a request; dropping it releases the key.
pub(crate) struct KeyInUse {
    key: String,
    keys_in_use: Arc<Mutex<HashSet<String>>>,
}

impl Drop for KeyInUse {
    fn drop(&mut self) {
        lock(&self.keys_in_use).remove(&self.key);
    }
}

fn lock(keys: &Mutex<HashSet<String>>) -> MutexGuard<'_, HashSet<String>> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::{Access, Account};
    use crate::config::{Secret, StripeAccount};

    fn account(webhook_secret: &str) -> Account {
        let config = StripeAccount {
            secret_key: Secret::new("sk_test_1"),
            publishable_key: "pk_test_1".to_owned(),
            webhook_url: None,
            webhook_secret: Secret::new(webhook_secret),
            reference_metadata: None,
        };
        Account::new(config, "http://127.0.0.1:1")
    }

    #[test]
    fn api_keys_have_their_access() {
        let account = account("whsec_1");
        assert_eq!(account.access("sk_test_1"), Some(Access::Secret));
        assert_eq!(account.access("pk_test_1"), Some(Access::Publishable));
        assert_eq!(account.access("sk_test_2"), None);
        assert_eq!(account.access(""), None);
    }

    #[test]
    fn events_are_signed_over_time_and_body() {
        // HMAC-SHA256 with the whole secret text, computed with OpenSSL.
        let header = account("whsec_test").sign(1_700_000_000, r#"{"id":"evt_1"}"#);
        assert_eq!(
            header,
            "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925"
        );
    }

    #[test]
    fn signatures_match_the_published_vectors() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/vectors/stripe_webhook.json");
        let Ok(text) = std::fs::read_to_string(&file) else {
            println!("skipped: {} does not exist", file.display());
            return;
        };
        let vectors: Value = serde_json::from_str(&text).unwrap();
        for vector in vectors.as_array().unwrap() {
            let text = |member: &str| vector[member].as_str().unwrap();
            let seconds = vector["timestamp"].as_i64().unwrap();
            let header = account(text("secret")).sign(seconds, text("body_utf8"));
            assert_eq!(header, format!("t={seconds},v1={}", text("v1")));
        }
    }

    #[test]
    fn a_key_is_free_again_after_its_request() {
        let account = account("whsec_1");
        let first = account.use_key("k");
        assert!(first.is_some() && account.use_key("k").is_none());
        assert!(account.use_key("other").is_some());
        drop(first);
        assert!(account.use_key("k").is_some());
    }
}
