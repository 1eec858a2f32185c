//! The server's account of one client's credit.

use crate::capacity::{Capacity, Schedule};
use crate::units::{Cost, Millis, NANOS_PER_MILLI, Time};

/// Shortest pause after Stop (go-ethereum `les/peer.go`, `clientPeer.freeze`).
pub const THAW_PAUSE: Millis = Millis(700);

/// Most that is added to [`THAW_PAUSE`], at random, so that frozen clients do not come back all
/// at once.
pub const THAW_RANDOM_PAUSE: Millis = Millis(600);

/// A frozen client is resumed when its buffer holds more than this part of its limit.
pub const THAW_DIVISOR: u64 = 8;

/// The credit of one client.
///
/// `value` may run into an overdraft of one buffer limit before a request is refused. The
/// client's estimate counts its recharge from when it *sent* a request, we count from when that
/// *arrived*: a request that was delayed by `d` more than the one behind it leaves us up to
/// `d * recharge` below the estimate of an honest client. One buffer limit covers differences of
/// [`BUFFER_MILLIS`](crate::BUFFER_MILLIS); go-ethereum's client gives up after ten seconds. The
/// overdraft is a burst, not a rate: what is taken has to flow in again.
#[derive(Debug)]
pub struct ClientBuffer {
    schedule: Schedule,
    /// Credit in whole cost units, `-limit ..= limit`.
    value: i64,
    /// Millionths of a cost unit on top of `value`, below one million.
    fraction: u64,
    /// Up to when recharge is counted.
    counted: Time,
    /// Costs held since the start, wrapping: differences are what counts.
    held_total: u64,
}

impl ClientBuffer {
    /// A full buffer.
    #[must_use]
    pub fn new(capacity: Capacity, now: Time) -> Self {
        let schedule = Schedule::new(capacity);
        Self { schedule, value: signed(capacity.limit), fraction: 0, counted: now, held_total: 0 }
    }

    /// Holds the worst-case cost of a request, or refuses it and changes nothing.
    ///
    /// A cost above the limit is charged as the limit: go-ethereum's client caps its own
    /// estimate there, and would otherwise be frozen for a request it was told it can afford.
    ///
    /// # Errors
    ///
    /// [`Shortfall`] if the buffer and its overdraft cannot pay for it: the client has broken
    /// flow control.
    pub fn admit(&mut self, max_cost: Cost, now: Time) -> Result<Hold, Shortfall> {
        self.recharge(now);
        let limit = signed(self.schedule.enforced().limit);
        let cost = signed(max_cost).min(limit);
        let rest = self.value.saturating_sub(cost);
        let below = limit.saturating_neg().saturating_sub(rest);
        if below > 0 {
            return Err(Shortfall(unsigned(below)));
        }
        self.add(cost.saturating_neg());
        let held = unsigned(cost);
        self.held_total = self.held_total.wrapping_add(held.0);
        Ok(Hold { held, total: self.held_total })
    }

    /// Gives back what a served request did not cost, and returns the buffer value to report.
    ///
    /// The value is the one that the client would have if it had sent nothing after this
    /// request: it subtracts the cost of what it sent since (`flowControl`, `BV` of a reply).
    pub fn settle(&mut self, hold: Hold, real_cost: Cost, now: Time) -> Cost {
        self.recharge(now);
        self.add(signed(hold.held.saturating_sub(real_cost)));
        let later = signed(Cost(self.held_total.wrapping_sub(hold.total)));
        unsigned(self.value.saturating_add(later))
    }

    /// Takes a cost without asking: for messages that are ignored. The overdraft is its bound.
    pub fn charge(&mut self, cost: Cost, now: Time) {
        self.recharge(now);
        self.add(signed(cost).saturating_neg());
    }

    /// Notes that the client is told a new capacity at `now`.
    ///
    /// An increase counts at once and brings its difference as credit, as the client's estimate
    /// does; a decrease counts after [`DECREASE_DELAY`](crate::DECREASE_DELAY).
    pub fn announce(&mut self, capacity: Capacity, now: Time) {
        self.recharge(now);
        let gain = capacity.limit.saturating_sub(self.schedule.announced().limit);
        self.schedule.announce(capacity, now);
        self.add(signed(gain));
    }

    /// Credit at `now`, zero at least.
    pub fn value(&mut self, now: Time) -> Cost {
        self.recharge(now);
        unsigned(self.value)
    }

    /// How full the buffer is, in millionths of its limit; an overdraft is negative.
    pub fn fullness(&mut self, now: Time) -> i64 {
        self.recharge(now);
        let limit = i128::from(signed(self.schedule.enforced().limit).max(1));
        let ratio = i128::from(self.value).saturating_mul(1_000_000).checked_div(limit);
        ratio.and_then(|ratio| i64::try_from(ratio).ok()).unwrap_or_default()
    }

    /// Nanoseconds from when the buffer was last touched until it is full; the largest number if
    /// it never will be.
    #[must_use]
    pub fn nanos_until_full(&self) -> u64 {
        let capacity = self.schedule.enforced();
        let missing = signed(capacity.limit).saturating_sub(self.value);
        let fine = u128::from(unsigned(missing).0).saturating_mul(u128::from(NANOS_PER_MILLI));
        capacity.recharge.nanos_for(fine).unwrap_or(u64::MAX)
    }

    /// The earliest time at which a client that was stopped at `stopped` may be resumed: after
    /// [`THAW_PAUSE`] and `random` (cut to [`THAW_RANDOM_PAUSE`]), with more than an eighth of
    /// the limit in its buffer. `None` if it does not recharge. What is charged after `now` puts
    /// it off: it is to be asked again when that time has come.
    pub fn thaw_time(&mut self, stopped: Time, random: Millis, now: Time) -> Option<Time> {
        self.recharge(now);
        let pause = Millis(THAW_PAUSE.0.saturating_add(random.min(THAW_RANDOM_PAUSE).0));
        let capacity = self.schedule.announced();
        let eighth = capacity.limit.0.checked_div(THAW_DIVISOR)?;
        let wanted = i128::from(eighth).saturating_add(1).saturating_sub(i128::from(self.value));
        let missing = u128::try_from(wanted).unwrap_or_default();
        let fine = missing
            .saturating_mul(u128::from(NANOS_PER_MILLI))
            .saturating_sub(u128::from(self.fraction));
        let filled = self.counted.after_nanos(capacity.recharge.nanos_for(fine)?);
        Some(filled.max(stopped.after(pause)))
    }

    /// The capacity that the client was last told.
    #[must_use]
    pub const fn announced(&self) -> Capacity {
        self.schedule.announced()
    }

    /// When a smaller capacity that was announced begins to count.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.schedule.due()
    }

    /// Counts the recharge up to `now`, over the end of an earlier promise if there is one.
    fn recharge(&mut self, now: Time) {
        let due = self.schedule.due().filter(|&due| due <= now);
        if let Some(due) = due {
            self.flow_in(due);
            self.schedule.expire(due);
            self.add(0);
        }
        self.flow_in(now);
    }

    fn flow_in(&mut self, until: Time) {
        let nanos = until.nanos_since(self.counted);
        self.counted = self.counted.max(until);
        let rate = self.schedule.enforced().recharge;
        let fine = rate.fine_over(nanos).saturating_add(u128::from(self.fraction));
        let million = u128::from(NANOS_PER_MILLI);
        let whole = fine.checked_div(million).unwrap_or_default();
        let rest = fine.checked_rem(million).unwrap_or_default();
        self.fraction = u64::try_from(rest).unwrap_or_default();
        self.add(i64::try_from(whole).unwrap_or(i64::MAX));
    }

    /// The one line that changes the credit.
    fn add(&mut self, change: i64) {
        let limit = signed(self.schedule.enforced().limit);
        let wanted = self.value.saturating_add(change);
        self.value = wanted.clamp(limit.saturating_neg(), limit);
        if self.value == limit || self.value != wanted {
            self.fraction = 0;
        }
    }
}

/// The held cost of one admitted request. It must come back to [`ClientBuffer::settle`]; a hold
/// that is dropped charges the client the worst case.
#[derive(Debug)]
#[must_use = "a hold that is not settled charges the client the worst case"]
pub struct Hold {
    held: Cost,
    /// The buffer's total of held costs including this one.
    total: u64,
}

impl Hold {
    /// The worst-case cost that was taken.
    #[must_use]
    pub const fn held(&self) -> Cost {
        self.held
    }
}

/// The credit that was missing, in cost units.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shortfall(pub Cost);

fn signed(cost: Cost) -> i64 {
    i64::try_from(cost.0).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> Cost {
    Cost(u64::try_from(value).unwrap_or_default())
}
