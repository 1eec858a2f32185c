//! One direction of a connection: slow, lossy, in order.

use crate::random::Random;

const MILLI: u64 = 1_000_000;

/// TCP keeps order: a lost packet delays itself and everything behind it.
#[derive(Debug)]
pub(crate) struct Link {
    /// Nanoseconds on the way.
    latency: u64,
    /// Nanoseconds to send one byte.
    nanos_per_byte: u64,
    /// One message in so many is lost; zero for none.
    loss: u64,
    /// When the line is free again.
    free: u64,
    last_arrival: u64,
}

impl Link {
    /// A random link that carries at least `slowest` bytes per second.
    pub(crate) fn new(random: &mut Random, slowest: u64) -> Self {
        let fastest = slowest * 64;
        Self {
            latency: random.between(MILLI, 400 * MILLI),
            nanos_per_byte: 1_000_000_000 / random.between(slowest, fastest),
            loss: random.pick(&[0, 1_000, 200, 20]),
            free: 0,
            last_arrival: 0,
        }
    }

    /// When a message that is sent now arrives.
    pub(crate) fn send(&mut self, bytes: u64, now: u64, random: &mut Random) -> u64 {
        self.free = self.free.max(now) + bytes * self.nanos_per_byte;
        let mut arrival = self.free + self.latency;
        // The pause doubles with each loss of the same packet; four in a row are the most.
        let mut pause = 250 * MILLI;
        for _ in 0..4 {
            if self.loss == 0 || !random.once_in(self.loss) {
                break;
            }
            arrival += pause;
            pause *= 2;
        }
        self.last_arrival = self.last_arrival.max(arrival);
        self.last_arrival
    }
}
