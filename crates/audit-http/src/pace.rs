//! The least rate at which a client must send or read.

use std::time::Duration;

/// The time that a client has made the service wait, less the time that the bytes it moved pay for
/// at the least rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The longest unpaid wait.
    patience: Duration,
    /// Bytes a second. With 0, bytes pay for any wait.
    least_rate: u32,
    unpaid: Duration,
}

impl Pace {
    pub(crate) fn new(patience: Duration, least_rate: u32) -> Self {
        Self { patience, least_rate, unpaid: Duration::ZERO }
    }

    /// Returns how long the client may wait now before it is too slow.
    pub(crate) fn left(&self) -> Duration {
        self.patience.saturating_sub(self.unpaid)
    }

    /// Counts a wait of the service at whose end `bytes` were moved.
    pub(crate) fn moved(&mut self, waited: Duration, bytes: usize) {
        let paid = match self.least_rate {
            0 => Duration::MAX,
            rate => {
                Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / u64::from(rate))
            }
        };
        self.unpaid = (self.unpaid + waited).saturating_sub(paid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pay_for_waits_at_the_least_rate() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(5 * second, 1_000);
        for _ in 0..100 {
            pace.moved(second, 1_000);
        }
        assert_eq!(pace.left(), 5 * second, "at the rate for ever");
        pace.moved(Duration::ZERO, 1 << 30);
        assert_eq!(pace.left(), 5 * second, "nothing is paid in advance");
        for _ in 0..5 {
            pace.moved(second, 1);
        }
        assert_eq!(pace.left(), Duration::from_millis(5), "a byte a second");
        pace.moved(10 * second, 0);
        assert_eq!(pace.left(), Duration::ZERO);
        let mut any = Pace::new(5 * second, 0);
        any.moved(4 * second, 1);
        assert_eq!(any.left(), 5 * second);
    }
}
