//! What all methods share.

use std::sync::Arc;

use alloy_primitives::U256;
use chain_backend::Backend;
use consensus::ChainSpec;
use parking_lot::Mutex;

use crate::{Node, Transactions, chain::View, fees::LastTip, filters::Filters};

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unix(pub u64);

/// Answers requests from a chain, a node and the transactions that wait.
pub struct Service {
    backend: Arc<dyn Backend>,
    pub(crate) spec: Arc<ChainSpec>,
    pub(crate) node: Arc<dyn Node>,
    pub(crate) transactions: Arc<dyn Transactions>,
    pub(crate) filters: Mutex<Filters>,
    pub(crate) last_tip: Mutex<LastTip>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    /// Joins the parts. `seed` must be random: it keeps names of filters from being guessed.
    pub fn new(
        backend: Arc<dyn Backend>,
        spec: Arc<ChainSpec>,
        node: Arc<dyn Node>,
        transactions: Arc<dyn Transactions>,
        seed: U256,
    ) -> Self {
        Self {
            backend,
            spec,
            node,
            transactions,
            filters: Mutex::new(Filters::new(seed)),
            last_tip: Mutex::default(),
        }
    }

    /// The chain as it is now: all reads of one request go to one view.
    pub(crate) fn view(&self) -> View<'_> {
        View { snapshot: self.backend.snapshot(), spec: &self.spec }
    }
}
