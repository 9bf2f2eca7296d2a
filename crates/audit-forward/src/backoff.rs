//! The pauses between attempts.

use std::time::Duration;

/// Pauses that double, up to a bound, each made shorter by chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// Returns the pause after this many failures in a row, at least one.
    pub(crate) fn pause(self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(doubled.max(1)).min(self.longest);
        let mut random = [0; 2];
        // Without randomness the pause is only less spread.
        let _ = getrandom::fill(&mut random);
        whole.mul_f64(1.0 - 0.5 * f64::from(u16::from_le_bytes(random)) / 65_536.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_cut_by_a_half_at_most() {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
        let wholes = [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (32, 60), (33, 60), (u32::MAX, 60)];
        for (failures, seconds) in wholes {
            for _ in 0..50 {
                let pause = backoff.pause(failures).as_secs_f64();
                assert!(pause <= f64::from(seconds) && pause >= f64::from(seconds) / 2.0);
            }
        }
    }
}
