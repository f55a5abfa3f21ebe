//! The configured keys.

use std::fmt;

use oncharge_domain::keyring::{KeyFingerprint, Keyring};

/// A list of keys in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyList {
    /// Master keys.
    Master,
    /// The blocklist's peppers.
    Pepper,
}

impl fmt::Display for KeyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Master => "keys.master",
            Self::Pepper => "keys.pepper",
        })
    }
}

impl KeyList {
    pub(super) fn needed_by(self) -> &'static str {
        match self {
            Self::Master => "stored values are sealed under",
            Self::Pepper => "bans are hashed under",
        }
    }
}

/// The fingerprints of the configured keys, the first ones first.
#[derive(Debug, Clone)]
pub(crate) struct ConfiguredKeys {
    pub(crate) master: Vec<KeyFingerprint>,
    pub(crate) peppers: Vec<KeyFingerprint>,
}

impl ConfiguredKeys {
    pub(crate) fn of(master: &Keyring, peppers: &Keyring) -> Self {
        Self {
            master: master.fingerprints(),
            peppers: peppers.fingerprints(),
        }
    }

    pub(super) fn first(&self, list: KeyList) -> Option<&KeyFingerprint> {
        match list {
            KeyList::Master => self.master.first(),
            KeyList::Pepper => self.peppers.first(),
        }
    }
}
