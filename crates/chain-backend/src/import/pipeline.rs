//! Import of a file: while one block executes, the senders of the next ones are recovered.

use std::{
    cell::OnceCell,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use alloy_primitives::{Address, B256};
use consensus::ChainSpec;

use super::{
    Block, FileError, ImportError, Imported, Importer, SegmentError, file::BlockReader, rules_at,
    segment::ImportedSegment,
};
use crate::{Backend as _, ExecutionRules, SenderError, Store, recover_senders};

/// Blocks that are prepared ahead of the one that executes. Recovery takes longer than execution,
/// so a longer queue would only be empty; each block is at most
/// [`MAX_BLOCK_BYTES`](super::MAX_BLOCK_BYTES).
const LOOK_AHEAD: usize = 4;

/// How far an import is. Counts are those of this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Number of the block imported last.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Blocks that were executed.
    pub blocks: u64,
    /// Blocks that were stored before.
    pub known: u64,
    /// Transactions of the executed blocks.
    pub transactions: u64,
    /// Gas used by them.
    pub gas: u64,
    /// Bytes of the file that were read.
    pub read: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
}

impl Progress {
    const fn none(file_bytes: u64) -> Self {
        let hash = B256::ZERO;
        Self { number: 0, hash, blocks: 0, known: 0, transactions: 0, gas: 0, read: 0, file_bytes }
    }
}

/// How an import of a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportSummary {
    /// The last state of affairs; `None` if the file holds no block, or nothing was done.
    pub last: Option<Progress>,
    /// Whether the stop flag ended it before the end of the file.
    pub stopped: bool,
}

/// A block with everything that can be computed before its parent is known.
pub(super) struct Prepared {
    pub(super) block: Block,
    pub(super) rules: ExecutionRules,
    senders: OnceCell<Senders>,
}

type Senders = Result<Vec<Address>, (usize, SenderError)>;

impl Prepared {
    pub(super) fn new(spec: &ChainSpec, block: Block) -> Self {
        let rules = rules_at(spec, &block.header);
        Self { block, rules, senders: OnceCell::new() }
    }

    /// Recovers the senders the first time it is called.
    pub(super) fn senders(&self) -> &Senders {
        self.senders.get_or_init(|| recover_senders(&self.rules, &self.block.transactions))
    }
}

/// A prepared block, and how much of the file was read by then.
type Step = Result<(Prepared, u64), FileError>;

impl Importer {
    /// Imports a file of blocks; see [`Progress`] for what `report` is told after each block.
    /// Between two blocks `stop` is looked at: once it is set, the call ends.
    pub fn import_file(
        &mut self,
        path: &Path,
        stop: &AtomicBool,
        report: &mut dyn FnMut(&Progress),
    ) -> Result<ImportSummary, ImportError> {
        let reader = BlockReader::open(path)?;
        let (spec, store) = (Arc::clone(&self.spec), Arc::clone(&self.store));
        let mut progress = Progress::none(reader.file_bytes);
        let result = thread::scope(|scope| {
            let (sender, prepared) = sync_channel(LOOK_AHEAD);
            scope.spawn(move || prepare_all(reader, &spec, &store, &sender));
            self.consume(prepared, stop, &mut progress, report)
        });
        let seen = progress.blocks + progress.known > 0;
        if seen {
            self.choose_last(&progress.hash)?;
            self.store.flush()?;
        }
        let stopped = result?;
        Ok(ImportSummary { last: seen.then_some(progress), stopped })
    }

    /// Imports blocks that stand on each other. Between two blocks `stop` is looked at: once it is
    /// set, the call ends and leaves the rest.
    pub fn import_segment(
        &mut self,
        blocks: Vec<Block>,
        stop: &AtomicBool,
    ) -> Result<ImportedSegment, Box<SegmentError>> {
        let old_head = self.store.head();
        let (spec, store) = (Arc::clone(&self.spec), Arc::clone(&self.store));
        let mut progress = Progress::none(0);
        let mut result = thread::scope(|scope| {
            let (sender, prepared) = sync_channel(LOOK_AHEAD);
            // A short segment fits into the queue: no thread is needed to fill it.
            if blocks.len() <= 1 {
                prepare_segment(blocks, &spec, &store, &sender);
                drop(sender);
            } else {
                scope.spawn(move || prepare_segment(blocks, &spec, &store, &sender));
            }
            self.consume(prepared, stop, &mut progress, &mut |_| ())
        });
        if progress.blocks + progress.known > 0 {
            let chosen = self.choose_last(&progress.hash);
            result = result.and_then(|stopped| Ok(chosen.map(|()| stopped)?));
        }
        let segment = ImportedSegment {
            old_head,
            new_head: self.store.head(),
            blocks: progress.blocks,
            known: progress.known,
            transactions: progress.transactions,
            gas: progress.gas,
            stopped: matches!(result, Ok(true)),
        };
        match result {
            Ok(_) => Ok(segment),
            Err(error) => Err(Box::new(SegmentError { before: segment, error })),
        }
    }

    /// Imports prepared blocks until there are no more; says whether it was stopped.
    #[expect(clippy::needless_pass_by_value, reason = "dropping it ends the preparing thread")]
    fn consume(
        &mut self,
        prepared: Receiver<Step>,
        stop: &AtomicBool,
        progress: &mut Progress,
        report: &mut dyn FnMut(&Progress),
    ) -> Result<bool, ImportError> {
        for step in &prepared {
            if stop.load(Ordering::Relaxed) {
                return Ok(true);
            }
            let (block, read) = step?;
            let header = &block.block.header;
            let (number, hash, gas) = (header.number, block.block.hash, header.gas_used);
            let transactions = block.block.transactions.len() as u64;
            // Block 0 is what the store was made with; exports begin with it.
            if number == 0 && hash == self.store.genesis_hash() {
                continue;
            }
            match self.process(block)? {
                Imported::New => {
                    progress.blocks += 1;
                    progress.transactions += transactions;
                    progress.gas = progress.gas.saturating_add(gas);
                }
                Imported::Known => progress.known += 1,
            }
            (progress.number, progress.hash, progress.read) = (number, hash, read);
            report(progress);
        }
        Ok(false)
    }
}

/// Reads, decodes and prepares blocks until the file ends, a block is bad, or nobody listens. The
/// senders of blocks that are stored already are not needed.
fn prepare_all(mut reader: BlockReader, spec: &ChainSpec, store: &Store, out: &SyncSender<Step>) {
    loop {
        let offset = reader.offset();
        let step = match reader.next() {
            Ok(None) => return,
            Ok(Some(bytes)) => Block::decode(&bytes)
                .map(|block| (prepare(block, spec, store), reader.consumed()))
                .map_err(|error| FileError::Malformed { offset, error }),
            Err(error) => Err(error),
        };
        let failed = step.is_err();
        if out.send(step).is_err() || failed {
            return;
        }
    }
}

/// The same with blocks that are in memory.
fn prepare_segment(blocks: Vec<Block>, spec: &ChainSpec, store: &Store, out: &SyncSender<Step>) {
    for block in blocks {
        if out.send(Ok((prepare(block, spec, store), 0))).is_err() {
            return;
        }
    }
}

fn prepare(block: Block, spec: &ChainSpec, store: &Store) -> Prepared {
    let prepared = Prepared::new(spec, block);
    let known = store.snapshot().block_number(&prepared.block.hash);
    // A failing read is met again, and reported, when the block's turn comes.
    if !matches!(known, Ok(Some(_))) {
        prepared.senders();
    }
    prepared
}
