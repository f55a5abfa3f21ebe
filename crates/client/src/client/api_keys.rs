//! The calls about API keys.

use reqwest::Method;

use super::{Client, check_id};
use crate::{
    api_key::{ApiKeyDetails, ApiKeyList, OldCredentials, RotatedPair},
    error::Error,
    key::IdempotencyKey,
};

impl Client {
    /// Your API keys that have not ended, newest first.
    pub async fn api_keys(&self) -> Result<Vec<ApiKeyDetails>, Error> {
        let list: ApiKeyList = self.get("/v1/api_keys", "").await?;
        Ok(list.data)
    }

    /// Makes a new pair in place of this client's, which works for 14 more days or ends at once. Make
    /// a client of the new pair; this one stays with the old one. Give a `key` of your own, and the
    /// same call brings the same pair for 10 minutes, should the answer be lost.
    pub async fn rotate_api_key(
        &self,
        old: OldCredentials,
        key: Option<&IdempotencyKey>,
    ) -> Result<RotatedPair, Error> {
        self.post("/v1/api_keys/rotate", Some(&old.body()), key)
            .await
    }

    /// Ends one of your API keys at once; the last active one cannot be ended.
    pub async fn end_api_key(&self, key_id: &str) -> Result<(), Error> {
        let path = format!("/v1/api_keys/{}", check_id(key_id)?);
        let no_body = (String::new(), None);
        self.call(Method::DELETE, (path.as_str(), ""), no_body)
            .await
    }
}
