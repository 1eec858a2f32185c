//! What an operator can set, checked before it gets here.

use flow_control::Cost;
use service_model::Tariff;

/// Other servers that may stay connected. They are kept idle: none of them asks us anything, and
/// a connection that does not count as a client must not be a way around the client limits.
pub const SERVER_PEERS: u32 = 16;

/// Limits and prices of one server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The announced cost table.
    pub tariff: Tariff,
    /// Connections in total.
    pub connections: u32,
    /// Connections from one address prefix: an IPv4 address, or a /64 of IPv6.
    pub connections_per_prefix: u32,
    /// Loopback addresses are not limited by prefix: whoever is on this machine is not stopped
    /// by an address, and tests and sidecars all come from there.
    pub loopback_unlimited: bool,
    /// Reads from memory that may run at once, each on the thread of its request.
    pub inline_slots: u32,
    /// Reads by reader threads that may run at once.
    pub reader_slots: u32,
    /// Of the slots of each kind, so many are left to paid clients. Must be fewer than either,
    /// or free clients are never served.
    pub paid_slots: u32,
    /// How much may wait.
    pub queue: QueueLimits,
    /// Seed of everything that is left to chance.
    pub seed: u64,
}

impl Config {
    /// The default limits for a machine that runs this many inline reads and reader threads.
    #[must_use]
    pub fn new(inline_slots: u32, reader_slots: u32, seed: u64) -> Self {
        Self {
            tariff: Tariff::default(),
            connections: 10_000,
            connections_per_prefix: 64,
            loopback_unlimited: true,
            inline_slots,
            reader_slots,
            paid_slots: 0,
            queue: QueueLimits::for_slots(inline_slots.saturating_add(reader_slots)),
            seed,
        }
    }
}

/// Bounds of the queue. Above any of them, the clients with the emptiest buffers are frozen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueLimits {
    /// Requests.
    pub items: usize,
    /// Bytes of their payloads, which the shell keeps.
    pub bytes: u64,
    /// Their expected cost: who joins the queue waits about this long, divided by the slots.
    pub work: Cost,
}

impl QueueLimits {
    /// 16,384 requests (a thousand clients with all their jobs open), 64 MiB, and 6 s of every
    /// slot: the time in which a buffer refills, as in go-ethereum.
    #[must_use]
    pub fn for_slots(slots: u32) -> Self {
        const SIX_SECONDS: Cost = Cost(6_000_000_000);
        Self { items: 16_384, bytes: 64 << 20, work: SIX_SECONDS.times(u64::from(slots.max(1))) }
    }
}
