//! A file lock that permits one server per embedded database.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};

/// Held while a server runs on a data directory; the operating system releases it even after `kill
/// -9`.
pub(crate) struct ServerLock(#[expect(dead_code, reason = "held, not read")] File);

/// Number of attempts and their interval: a command may hold the lock for a moment.
const ATTEMPTS: u32 = 10;
const RETRY_DELAY: Duration = Duration::from_millis(20);

impl ServerLock {
    /// Acquires the lock; errors if another server holds it.
    pub(crate) fn acquire(data_dir: &Path) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let path = path(data_dir);
        let file = options
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        for _ in 1..ATTEMPTS {
            if try_lock(&file, &path)? {
                return Ok(Self(file));
            }
            std::thread::sleep(RETRY_DELAY);
        }
        if try_lock(&file, &path)? {
            return Ok(Self(file));
        }
        bail!(
            "another server uses the data directory {}: stop it, or choose another with --data-dir",
            data_dir.display()
        )
    }

    /// Acquires the lock briefly if a server has used the directory and none is running.
    pub(crate) fn try_acquire(data_dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = path(data_dir);
        let file = match OpenOptions::new().write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot open {}", path.display()));
            }
        };
        Ok(try_lock(&file, &path)?.then_some(Self(file)))
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("server.lock")
}

fn try_lock(file: &File, path: &Path) -> anyhow::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
