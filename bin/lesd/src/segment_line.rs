//! The line that says that blocks were imported, as go-ethereum writes it.

use std::time::Duration;

use alloy_primitives::B256;
use tracing::info;

/// Time between two lines while there is more to come (go-ethereum's).
pub(crate) const INTERVAL: Duration = Duration::from_secs(8);

/// What was imported since the last line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SegmentLine {
    /// Blocks that were executed.
    pub(crate) blocks: u64,
    /// Blocks that were stored before.
    pub(crate) known: u64,
    /// Transactions of the executed blocks.
    pub(crate) transactions: u64,
    /// Gas used by them.
    pub(crate) gas: u64,
    /// Time it took.
    pub(crate) elapsed: Duration,
}

impl SegmentLine {
    /// Writes the line; the block is the last one.
    pub(crate) fn log(&self, number: u64, hash: &B256) {
        info!(
            number,
            %hash,
            blocks = self.blocks,
            known = self.known,
            txs = self.transactions,
            mgas = %format!("{:.3}", millions(self.gas)),
            elapsed = %format!("{:.3}s", self.elapsed.as_secs_f64()),
            mgasps = %format!("{:.3}", rate(self.gas, self.elapsed)),
            "Imported new chain segment"
        );
    }
}

/// Millions of gas, to three places.
fn millions(gas: u64) -> f64 {
    f64::from(u32::try_from(gas / 1000).unwrap_or(u32::MAX)) / 1000.0
}

fn rate(gas: u64, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 { millions(gas) / seconds } else { 0.0 }
}
