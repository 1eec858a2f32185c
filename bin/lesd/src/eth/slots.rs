//! Room for connections to full nodes.

use parking_lot::Mutex;
use std::sync::Arc;

/// Who asks for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody in particular.
    Stranger,
    /// A node to which the operator wants a connection.
    Named,
    /// A node that the operator marked as trusted; [`crate::peer_table`] bounds how many there are.
    Trusted,
}

/// Places for full nodes. Nodes that the operator named have theirs kept free: strangers get what
/// is left. A trusted node gets one beyond the limit if that is reached, as in go-ethereum.
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
    standing: Standing,
}

impl Standing {
    /// Strangers that it is: one, or none.
    const fn strangers(self) -> usize {
        match self {
            Self::Stranger => 1,
            Self::Named | Self::Trusted => 0,
        }
    }
}

impl Slots {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, taken: Mutex::default() }))
    }

    /// A place, while `named` nodes have theirs kept.
    pub(crate) fn take(&self, standing: Standing, named: usize) -> Option<Slot> {
        let mut taken = self.0.taken.lock();
        let has_room = taken.all < self.0.most;
        let has_place = match standing {
            Standing::Trusted => true,
            Standing::Named => has_room,
            Standing::Stranger => has_room && taken.strangers < self.0.most.saturating_sub(named),
        };
        if !has_place {
            return None;
        }
        taken.all = taken.all.saturating_add(1);
        taken.strangers = taken.strangers.saturating_add(standing.strangers());
        drop(taken);
        Some(Slot { slots: self.clone(), standing })
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
        taken.strangers = taken.strangers.saturating_sub(self.standing.strangers());
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Standing::{Named, Stranger, Trusted},
        *,
    };

    #[test]
    fn strangers_leave_room_for_named_nodes() {
        let slots = Slots::new(3);
        let stranger = || slots.take(Stranger, 2);
        let first = stranger().unwrap();
        assert!(stranger().is_none(), "two places are kept");
        let named = [slots.take(Named, 2).unwrap(), slots.take(Named, 2).unwrap()];
        assert!(slots.take(Named, 2).is_none(), "but three are all");
        drop(first);
        drop(named);
        assert!(stranger().is_some());
        assert_eq!(slots.taken(), 0);
    }

    #[test]
    fn trusted_nodes_need_no_room_and_take_some() {
        let slots = Slots::new(1);
        let trusted = [(); 3].map(|()| slots.take(Trusted, 0).unwrap());
        assert_eq!(slots.taken(), 3);
        for slot in trusted {
            assert!(slots.take(Named, 0).is_none() && slots.take(Stranger, 0).is_none());
            drop(slot);
        }
        assert!(slots.take(Stranger, 0).is_some());
    }

    #[test]
    fn none_is_none() {
        assert!(Slots::new(0).take(Named, 0).is_none());
        assert!(Slots::new(1).take(Stranger, 5).is_none());
    }
}
