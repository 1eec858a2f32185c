//! The client's own estimate of its buffer, as go-ethereum's client keeps it
//! (`les/flowcontrol`, `ServerNode`).

use std::collections::BTreeMap;

use crate::capacity::Capacity;
use crate::units::{Cost, NANOS_PER_MILLI, Rate, Time};

/// A request needs this much recharge time more than its cost before it is sent.
const SAFETY_MARGIN_MILLIS: u64 = 1;

/// What a client believes to have left at one server. It is never above what the server has.
///
/// It starts full. While it is full it does not recharge: when the next request will reach the
/// server is not known, so recharge begins with the first reply after it. A reply can only raise
/// it. It rounds down at every step, where the server counts exactly.
#[derive(Debug)]
pub struct Mirror {
    capacity: Capacity,
    estimate: Cost,
    recharging: bool,
    counted: Time,
    sent_total: u64,
    /// Request id to the total of sent costs up to and including it. One entry per request
    /// without a reply; who sends bounds those.
    pending: BTreeMap<u64, u64>,
}

impl Mirror {
    /// A full buffer with the capacity of the server's Status.
    #[must_use]
    pub const fn new(capacity: Capacity, now: Time) -> Self {
        Self {
            capacity,
            estimate: capacity.limit,
            recharging: false,
            counted: now,
            sent_total: 0,
            pending: BTreeMap::new(),
        }
    }

    /// Nanoseconds to wait before a request of this cost may be sent, zero if it may go now;
    /// `None` if waiting does not help until a reply or an update comes.
    pub fn wait(&mut self, max_cost: Cost, now: Time) -> Option<u64> {
        self.recharge(now);
        if self.capacity.limit == Cost(0) {
            return None;
        }
        let margin = Cost(self.capacity.recharge.0).times(SAFETY_MARGIN_MILLIS);
        let needed = max_cost.saturating_add(margin).min(self.capacity.limit);
        let missing = needed.saturating_sub(self.estimate);
        if missing == Cost(0) {
            return Some(0);
        }
        let fine = u128::from(missing.0).saturating_mul(u128::from(NANOS_PER_MILLI));
        let rate = if self.recharging { self.capacity.recharge } else { Rate(0) };
        rate.nanos_for(fine)
    }

    /// Notes that a request was sent. A cost above the limit counts as the limit.
    pub fn sent(&mut self, request_id: u64, max_cost: Cost, now: Time) {
        self.recharge(now);
        let cost = max_cost.min(self.capacity.limit);
        self.estimate = self.estimate.saturating_sub(cost);
        self.sent_total = self.sent_total.wrapping_add(cost.0);
        self.pending.insert(request_id, self.sent_total);
    }

    /// Takes the buffer value of a reply. The reply to an unknown request changes nothing.
    pub fn received(&mut self, request_id: u64, buffer_value: Cost, now: Time) {
        self.recharge(now);
        let Some(total) = self.pending.remove(&request_id) else { return };
        let later = Cost(self.sent_total.wrapping_sub(total));
        let reported = buffer_value.min(self.capacity.limit).saturating_sub(later);
        self.set(self.estimate.max(reported));
    }

    /// Takes the buffer value of Resume: what was asked before is forgotten.
    pub fn resumed(&mut self, buffer_value: Cost, now: Time) {
        self.recharge(now);
        self.pending.clear();
        self.set(buffer_value);
    }

    /// Takes new parameters from an Announce.
    pub fn update(&mut self, capacity: Capacity, now: Time) {
        self.recharge(now);
        let gain = capacity.limit.saturating_sub(self.capacity.limit);
        self.capacity = capacity;
        self.estimate = self.estimate.saturating_add(gain).min(capacity.limit);
    }

    /// What is left by the client's own estimate.
    pub fn estimate(&mut self, now: Time) -> Cost {
        self.recharge(now);
        self.estimate
    }

    /// Requests that were sent and have no reply yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    fn set(&mut self, estimate: Cost) {
        self.estimate = estimate.min(self.capacity.limit);
        self.recharging = self.estimate < self.capacity.limit;
    }

    fn recharge(&mut self, now: Time) {
        let nanos = now.nanos_since(self.counted);
        self.counted = self.counted.max(now);
        if !self.recharging {
            return;
        }
        let fine = self.capacity.recharge.fine_over(nanos);
        let whole = fine.checked_div(u128::from(NANOS_PER_MILLI)).unwrap_or_default();
        let gain = Cost(u64::try_from(whole).unwrap_or(u64::MAX));
        self.estimate = self.estimate.saturating_add(gain).min(self.capacity.limit);
        self.recharging = self.estimate < self.capacity.limit;
    }
}
