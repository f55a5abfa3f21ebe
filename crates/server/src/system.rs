//! The system clock and the operating system's randomness.

use oncharge_domain::time::Timestamp;
use oncharge_ports::{Clock, Entropy};
use ring::rand::{SecureRandom, SystemRandom};

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the clock is read"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::new(time::OffsetDateTime::now_utc())
    }
}

/// The operating system's randomness.
pub(crate) struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    pub(crate) fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        // Continuing without randomness is unsafe: ids, nonces and secrets would repeat.
        if self.0.fill(buffer).is_err() {
            tracing::error!("the operating system provides no randomness");
            std::process::abort();
        }
    }
}

/// The name of this process for operators: host and process id.
pub(crate) fn process_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "localhost",
        name => name,
    };
    format!("{host}:{}", std::process::id())
}
