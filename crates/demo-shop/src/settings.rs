//! The settings of the shop.

use crate::{DataDir, SigningSecret};

/// What the shop needs to know of itself and of OnCharge.
pub struct Settings<'a> {
    /// The shop's URL.
    pub url: &'a str,
    /// The URL of OnCharge, for the shop's server and for browsers.
    pub api_url: &'a str,
    /// The URL of OnCharge's operators' view.
    pub ops_url: &'a str,
    /// The merchant's API key.
    pub api_key: &'a str,
    /// The API secret of the key.
    pub api_secret: &'a str,
    /// Verifies OnCharge's webhooks.
    pub signing_secret: SigningSecret,
    /// Contains the shop's orders and webhooks.
    pub data_dir: DataDir,
}
