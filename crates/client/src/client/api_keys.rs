//! The calls about API keys.

use reqwest::Method;

use super::{Client, check_id};
use crate::{
    api_key::{ApiKeyDetails, ApiKeyList, OldCredentials, RotatedPair},
    error::Error,
    key::IdempotencyKey,
};

impl Client {
    /// Lists your API keys that have not ended, newest first.
    pub async fn api_keys(&self) -> Result<Vec<ApiKeyDetails>, Error> {
        let list: ApiKeyList = self.get("/v1/api_keys", "").await?;
        Ok(list.data)
    }

    /// Creates a new key pair that replaces this client's, which remains valid for 14 more days or
    /// is revoked at once. Create a new client with the new pair; this one keeps using the old one.
    /// If you pass a `key`, repeating the call within 10 minutes returns the same pair, in case the
    /// response was lost.
    pub async fn rotate_api_key(
        &self,
        old: OldCredentials,
        key: Option<&IdempotencyKey>,
    ) -> Result<RotatedPair, Error> {
        self.post("/v1/api_keys/rotate", Some(&old.body()), key)
            .await
    }

    /// Revokes one of your API keys at once; the last active one cannot be revoked.
    pub async fn end_api_key(&self, key_id: &str) -> Result<(), Error> {
        let path = format!("/v1/api_keys/{}", check_id(key_id)?);
        self.call(Method::DELETE, path.as_str(), "", String::new(), None)
            .await
    }
}
