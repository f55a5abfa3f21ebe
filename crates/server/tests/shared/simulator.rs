//! The PSP simulator, in the process of the test.

use std::path::PathBuf;

use oncharge_psp_simulator::{Config, Running, Secret};

pub(crate) const BEARER: &str = "bearer-of-the-test";
pub(crate) const NOTIFICATION_KEY: &str = "key-of-the-test";

/// Starts a simulator that stores its data in this file.
pub(crate) async fn start(file: PathBuf) -> Running {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::new(file, Secret::new(BEARER), Secret::new(NOTIFICATION_KEY));
    oncharge_psp_simulator::start(config).await.unwrap()
}
