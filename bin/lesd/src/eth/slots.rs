//! Room for connections to full nodes.

use parking_lot::Mutex;
use std::sync::Arc;

/// Places for full nodes. Nodes that the operator named have theirs kept free: strangers get what
/// is left.
#[derive(Clone, Debug)]
pub(crate) struct Slots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    strangers: usize,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    is_stranger: bool,
}

impl Slots {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, taken: Mutex::default() }))
    }

    /// A place, while `named` nodes have theirs kept.
    pub(crate) fn take(&self, is_stranger: bool, named: usize) -> Option<Slot> {
        let mut taken = self.0.taken.lock();
        let room_for_strangers = self.0.most.saturating_sub(named);
        if taken.all >= self.0.most || (is_stranger && taken.strangers >= room_for_strangers) {
            return None;
        }
        taken.all = taken.all.saturating_add(1);
        taken.strangers = taken.strangers.saturating_add(usize::from(is_stranger));
        drop(taken);
        Some(Slot { slots: self.clone(), is_stranger })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.0.taken.lock().all
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.0.taken.lock();
        taken.all = taken.all.saturating_sub(1);
        taken.strangers = taken.strangers.saturating_sub(usize::from(self.is_stranger));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_leave_room_for_named_nodes() {
        let slots = Slots::new(3);
        let stranger = || slots.take(true, 2);
        let first = stranger().unwrap();
        assert!(stranger().is_none(), "two places are kept");
        let named = [slots.take(false, 2).unwrap(), slots.take(false, 2).unwrap()];
        assert!(slots.take(false, 2).is_none(), "but three are all");
        drop(first);
        drop(named);
        assert!(stranger().is_some());
        assert_eq!(slots.taken(), 0);
    }

    #[test]
    fn none_is_none() {
        assert!(Slots::new(0).take(false, 0).is_none());
        assert!(Slots::new(1).take(true, 5).is_none());
    }
}
