//! The disk's limit: how many small sequential writes per second can be made durable.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

/// A database page, the minimum that a small commit appends to a log.
const PAGE: [u8; 4096] = [0x5a; 4096];

/// Appends pages, each made durable before the next; returns the number per second.
pub(crate) fn syncs_per_second(directory: &Path, duration: Duration) -> anyhow::Result<f64> {
    let mut file = File::create(directory.join("sync"))?;
    let (started, mut times) = (Instant::now(), 0_u32);
    while started.elapsed() < duration {
        file.write_all(&PAGE)?;
        file.sync_data()?;
        times = times.saturating_add(1);
    }
    Ok(f64::from(times) / started.elapsed().as_secs_f64())
}
