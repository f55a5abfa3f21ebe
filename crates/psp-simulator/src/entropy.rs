//! The only source of randomness: random ids and seeds from the operating system.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};

/// The operating system provided no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system provides no randomness")]
pub(crate) struct NoEntropy;

/// `prefix` followed by 144 random bits in base64url (24 characters of `A-Za-z0-9_-`).
pub(crate) fn random_id(prefix: &str) -> Result<String, NoEntropy> {
    let mut bytes = [0_u8; 18];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| NoEntropy)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// `prefix` followed by 96 random bits in hexadecimal (24 characters of `0-9a-f`).
pub(crate) fn hex_id(prefix: &str) -> Result<String, NoEntropy> {
    let mut bytes = [0_u8; 12];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| NoEntropy)?;
    Ok(format!("{prefix}{}", hex::encode(bytes)))
}

/// A random seed for faults put without one.
pub(crate) fn seed() -> Result<u64, NoEntropy> {
    let mut bytes = [0_u8; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| NoEntropy)?;
    Ok(u64::from_le_bytes(bytes))
}
