//! Deterministic entropy: the same bytes for the same seed.

use std::sync::atomic::{AtomicU64, Ordering};

use oncharge_ports::Entropy;

/// Bytes from a counter through splitmix64: equal seeds and equal orders of calls give equal bytes,
/// different seeds never the same stream. Not suitable for secrets.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

/// The counter's step in splitmix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl SeededEntropy {
    /// Creates the stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed.wrapping_mul(0xd1b5_4a32_d192_ed03)))
    }

    /// The next 64 bits.
    pub fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(bytes) {
                *to = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64) -> [u8; 20] {
        let mut bytes = [0; 20];
        SeededEntropy::new(seed).fill(&mut bytes);
        bytes
    }

    #[test]
    fn a_seed_decides_the_stream() {
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_ne!(draw(1)[..8], draw(1)[8..16]);
    }
}
