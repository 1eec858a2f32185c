//! The one thread that changes the chain.
//!
//! Whoever has blocks hands them to a [`ChainWriter`]; they are imported in the order in which
//! they come. After a segment that moved the head, listeners hear of it on this thread, in the
//! order in which they were given: what a later one does may rely on what an earlier one did.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use chain_backend::{
    Block, Head, ImportError, ImportedSegment, Importer, Refusal, SealCaches, SegmentError,
};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::error;

use crate::{
    clock::Clock,
    data_directory::Chain,
    segment_line::{INTERVAL, SegmentLine},
};

/// Segments that wait while one is imported: one from whoever follows the network and one from
/// whoever seals, and a little room, so that neither waits for the other to be handed over.
const QUEUED_SEGMENTS: usize = 4;

/// The chain has another head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewHead {
    /// The head before. If it is not canonical any more, blocks were exchanged: those from it
    /// down to its newest canonical ancestor left the chain.
    pub old: Head,
    /// The head now.
    pub new: Head,
}

/// Called on the writer's thread, which imports nothing meanwhile: be short.
pub type HeadListener = Box<dyn Fn(&NewHead) + Send>;

/// Why a segment was not imported, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The writer was told to stop.
    #[error("the chain is closed for writing")]
    Stopped,
    /// A block was refused, or the store failed.
    #[error(transparent)]
    Segment(#[from] Box<SegmentError>),
}

/// Why nothing is written any more although nobody asked the writer to stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriterFailure {
    /// The store refuses every write until it is opened again; its words.
    #[error("the chain cannot be written any more: {0}")]
    Store(String),
    /// A bug of ours.
    #[error("the chain cannot be written any more: its writer panicked")]
    Panicked,
}

impl WriterFailure {
    /// What ends the writer, if this does: after any other error the next segment may be imported.
    fn of(error: &WriteError) -> Option<Self> {
        let WriteError::Segment(error) = error else { return None };
        let error = if let ImportError::Refused(refused) = &error.error {
            let Refusal::Backend(error) = &refused.reason else { return None };
            error
        } else {
            let ImportError::Backend(error) = &error.error else { return None };
            error
        };
        error.ends_writing().then(|| Self::Store(error.to_string()))
    }
}

type Outcome = Result<ImportedSegment, WriteError>;

enum Command {
    Import { blocks: Vec<Block>, answer: oneshot::Sender<Outcome> },
    Stop,
}

/// What was executed and stored since the start.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    pub(crate) blocks: AtomicU64,
    pub(crate) transactions: AtomicU64,
    pub(crate) gas: AtomicU64,
}

/// Where blocks are handed in. Cheap to clone.
#[derive(Clone)]
pub struct ChainWriter {
    commands: mpsc::Sender<Command>,
    imported: Arc<Imported>,
}

impl std::fmt::Debug for ChainWriter {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ChainWriter").finish_non_exhaustive()
    }
}

impl ChainWriter {
    /// Starts the thread. With `fake_pow` ethash seals are not looked at.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn start(
        chain: &Chain,
        fake_pow: bool,
        listeners: Vec<HeadListener>,
    ) -> io::Result<(Self, WriterThread)> {
        let (commands, received) = mpsc::channel(QUEUED_SEGMENTS);
        let stop = Arc::new(AtomicBool::new(false));
        let store = Arc::clone(&chain.store);
        let writer = Writer {
            importer: Importer::new(store, Arc::clone(&chain.spec), SealCaches::new(fake_pow)),
            listeners,
            stop: Arc::clone(&stop),
            line: Line::new(),
            imported: Arc::default(),
        };
        let imported = Arc::clone(&writer.imported);
        let (failure, failed) = watch::channel(None);
        let thread = thread::Builder::new()
            .name("chain-writer".to_owned())
            .spawn(move || writer.run(received, &failure))?;
        let commands_of_thread = commands.clone();
        let handle =
            WriterThread { commands: commands_of_thread, stop, failed, thread: Some(thread) };
        Ok((Self { commands, imported }, handle))
    }

    /// Whether the thread has ended: nothing is imported any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.commands.is_closed()
    }

    /// What was imported so far.
    pub(crate) fn imported(&self) -> &Imported {
        &self.imported
    }

    /// Imports blocks that stand on each other, the first on a stored one.
    ///
    /// # Errors
    /// If a block is refused, the store fails, or the writer stops. What was imported before
    /// stays.
    pub async fn import(&self, blocks: Vec<Block>) -> Result<ImportedSegment, WriteError> {
        let (answer, outcome) = oneshot::channel();
        let sent = self.commands.send(Command::Import { blocks, answer }).await;
        sent.map_err(|_| WriteError::Stopped)?;
        outcome.await.unwrap_or(Err(WriteError::Stopped))
    }

    /// As [`ChainWriter::import`], for a thread that belongs to no async runtime.
    ///
    /// # Errors
    /// As [`ChainWriter::import`].
    pub fn import_blocking(&self, blocks: Vec<Block>) -> Result<ImportedSegment, WriteError> {
        let (answer, outcome) = oneshot::channel();
        let sent = self.commands.blocking_send(Command::Import { blocks, answer });
        sent.map_err(|_| WriteError::Stopped)?;
        outcome.blocking_recv().unwrap_or(Err(WriteError::Stopped))
    }
}

/// Ends the thread when dropped, after the block under way, and waits for it.
#[derive(Debug)]
pub struct WriterThread {
    commands: mpsc::Sender<Command>,
    stop: Arc<AtomicBool>,
    failed: watch::Receiver<Option<WriterFailure>>,
    thread: Option<JoinHandle<()>>,
}

impl WriterThread {
    /// Done when nothing is written any more, with the reason. A server that went on would serve an
    /// older and older head: it should end and be started again.
    pub async fn failed(&self) -> WriterFailure {
        let mut failed = self.failed.clone();
        let failure = failed.wait_for(Option::is_some).await;
        // A thread that has gone without a word has panicked.
        failure.ok().and_then(|failure| failure.clone()).unwrap_or(WriterFailure::Panicked)
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Import { blocks, .. } => write!(out, "Import({} blocks)", blocks.len()),
            Self::Stop => out.write_str("Stop"),
        }
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes a writer that waits. One whose queue is full looks at the flag before it waits.
        let _full = self.commands.try_send(Command::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("The chain writer had panicked");
        }
    }
}

struct Writer {
    importer: Importer,
    listeners: Vec<HeadListener>,
    stop: Arc<AtomicBool>,
    line: Line,
    imported: Arc<Imported>,
}

impl Writer {
    fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        failed: &watch::Sender<Option<WriterFailure>>,
    ) {
        while let Some(Command::Import { blocks, answer }) = commands.blocking_recv() {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let outcome = self.import(blocks, commands.is_empty());
            let failure = outcome.as_ref().err().and_then(WriterFailure::of);
            // Whoever asked may have gone away.
            let _gone = answer.send(outcome);
            if failure.is_some() {
                failed.send_replace(failure);
                return;
            }
        }
    }

    fn import(&mut self, blocks: Vec<Block>, is_last: bool) -> Outcome {
        let begun = self.line.now();
        let result = self.importer.import_segment(blocks, &self.stop);
        let segment = match &result {
            Ok(segment) => segment,
            Err(error) => &error.before,
        };
        self.line.add(segment, begun, is_last);
        self.imported.blocks.fetch_add(segment.blocks, Ordering::Relaxed);
        self.imported.transactions.fetch_add(segment.transactions, Ordering::Relaxed);
        self.imported.gas.fetch_add(segment.gas, Ordering::Relaxed);
        let head = NewHead { old: segment.old_head, new: segment.new_head };
        if head.old != head.new {
            self.listeners.iter().for_each(|listener| listener(&head));
        }
        match result {
            Ok(segment) if segment.stopped => Err(WriteError::Stopped),
            result => Ok(result?),
        }
    }
}

/// Gathers what was imported until the next log line.
struct Line {
    clock: Clock,
    logged: Duration,
    gathered: SegmentLine,
}

impl Line {
    fn new() -> Self {
        Self { clock: Clock::start(), logged: Duration::ZERO, gathered: SegmentLine::default() }
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.now().0)
    }

    /// Adds a segment whose import began at `begun`. A line is written when nothing waits, and
    /// every [`INTERVAL`] otherwise.
    fn add(&mut self, segment: &ImportedSegment, begun: Duration, is_last: bool) {
        let now = self.now();
        let gathered = &mut self.gathered;
        gathered.blocks += segment.blocks;
        gathered.known += segment.known;
        gathered.transactions += segment.transactions;
        gathered.gas = gathered.gas.saturating_add(segment.gas);
        gathered.elapsed += now.saturating_sub(begun);
        let due = is_last || now.saturating_sub(self.logged) >= INTERVAL;
        if due && gathered.blocks > 0 {
            gathered.log(segment.new_head.number, &segment.new_head.hash);
            self.gathered = SegmentLine::default();
            self.logged = now;
        }
    }
}
