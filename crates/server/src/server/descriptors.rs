//! The process's limit of open files, and the share for the API's connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Number of descriptors reserved for the store, the operators' port, and calls to PSPs and
/// merchants.
const RESERVED: u64 = 1024;

/// Raises the limit of open files as far as permitted, and returns how many connections the API can
/// hold beside the reserved ones. Of a small limit at most half is reserved.
pub(super) fn available_for_connections() -> usize {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limits.maximum,
        maximum: limits.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limits.maximum,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            limits.current
        }
    };
    // Unlimited.
    let Some(current) = current else {
        return usize::MAX;
    };
    let reserved = RESERVED.min(current.div_euclid(2));
    usize::try_from(current.saturating_sub(reserved)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_and_half_of_it_is_available() {
        let available = available_for_connections();
        let limits = getrlimit(Resource::Nofile);
        assert_eq!(limits.current, limits.maximum);
        let min = limits.current.unwrap_or(u64::MAX).div_euclid(2);
        assert!(u64::try_from(available).unwrap() >= min);
    }
}
