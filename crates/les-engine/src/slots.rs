//! How many reads run at once.

use service_model::Tier;

use crate::config::Config;
use crate::job::Lane;

/// Free slots of each lane.
#[derive(Debug)]
pub(crate) struct Slots {
    inline: u32,
    reader: u32,
    /// Of each lane, so many are left to paid clients.
    for_paid: u32,
    occupied: u32,
}

impl Slots {
    pub(crate) const fn new(config: &Config) -> Self {
        Self {
            inline: config.inline_slots,
            reader: config.reader_slots,
            for_paid: config.paid_slots,
            occupied: 0,
        }
    }

    pub(crate) const fn is_open_to(&self, lane: Lane, tier: Tier) -> bool {
        match tier {
            Tier::Paid => self.free(lane) > 0,
            Tier::Free => self.free(lane) > self.for_paid,
        }
    }

    /// True if what is free in this lane is left to paid clients.
    pub(crate) const fn only_paid(&self, lane: Lane) -> bool {
        !self.is_open_to(lane, Tier::Free)
    }

    pub(crate) const fn occupied(&self) -> u32 {
        self.occupied
    }

    pub(crate) fn occupy(&mut self, lane: Lane) {
        let free = self.free_mut(lane);
        debug_assert!(*free > 0, "a job was started without a slot");
        *free = free.saturating_sub(1);
        self.occupied = self.occupied.saturating_add(1);
    }

    pub(crate) fn release(&mut self, lane: Lane) {
        let free = self.free_mut(lane);
        *free = free.saturating_add(1);
        self.occupied = self.occupied.saturating_sub(1);
    }

    const fn free(&self, lane: Lane) -> u32 {
        match lane {
            Lane::Inline => self.inline,
            Lane::Reader => self.reader,
        }
    }

    const fn free_mut(&mut self, lane: Lane) -> &mut u32 {
        match lane {
            Lane::Inline => &mut self.inline,
            Lane::Reader => &mut self.reader,
        }
    }
}
