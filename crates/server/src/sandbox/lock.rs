//! One server per embedded database, held by a lock on a file.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};

/// Held while a server runs on a data directory; the system lets go of it even after `kill -9`.
pub(crate) struct ServerLock(#[expect(dead_code, reason = "held, not read")] File);

/// How often a taken lock is tried again, and how long apart: a command may hold it for a moment.
const ATTEMPTS: u32 = 10;
const RETRY_DELAY: Duration = Duration::from_millis(20);

impl ServerLock {
    /// Takes the lock, or says that another server has it.
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
        bail!("another server runs on {}", data_dir.display())
    }

    /// Takes the lock for a moment, where a server was here and none is running.
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
