//! The thread that seals the blocks of a development chain.
//!
//! It decides when, takes what the relay has, and hands each block to the chain's writer, as
//! whoever follows a network does: light clients, relay and others hear of it in the same way.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use alloy_consensus::Header;
use alloy_primitives::{Address, B256};
use alloy_rlp::Decodable as _;
use chain_backend::{
    Backend as _, BackendError, Block, BlockBuilder, BlockDecodeError, BuildError, Draft, Store,
    Transaction,
};
use tokio::{runtime::Handle, sync::watch};
use tracing::{debug, error, info, warn};

use super::{
    accounts::{self, DeriveError},
    schedule::{Period, Turn, turn},
};
use crate::{ChainWriter, WriteError, clock, data_directory::Chain};

/// Time until a block that could not be made is tried again: the disk may have room again then.
const RETRY: Duration = Duration::from_secs(1);
/// The clock is looked at this often: whoever corrects it need not wait longer for the next block.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(10);
/// A wait this much longer than the period is worth a warning: the clock was set back.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// Where the transactions of a block come from.
pub trait Transactions: Send + Sync + 'static {
    /// Those that may be in a block on the head with this gas limit and base fee (wei): each
    /// sender's in the order of their nonces, the best payer first.
    fn ready(&self, gas_limit: u64, base_fee: u64) -> Vec<Transaction>;

    /// Changes when there are more.
    fn arrivals(&self) -> watch::Receiver<u64>;
}

/// Seals blocks on a thread of its own. Dropping it ends the thread after the block under way.
#[derive(Debug)]
pub struct Sealer {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// A sealer that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SealerError {
    /// There is no signer.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// There is no thread to be had.
    #[error("cannot start the sealer: {0}")]
    Io(#[from] io::Error),
}

impl Sealer {
    /// Starts to seal. Must be called within a tokio runtime; end it before the writer.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn start(
        chain: &Chain,
        period: Period,
        transactions: Arc<dyn Transactions>,
        writer: ChainWriter,
    ) -> Result<Self, SealerError> {
        let maker = BlockMaker::new(chain)?;
        info!(signer = %maker.signer, %period, "Sealing blocks");
        let (stop, stopped) = watch::channel(false);
        let arrivals = transactions.arrivals();
        let worker = Worker { maker, period, transactions, arrivals, writer, warned: false };
        let runtime = Handle::current();
        let thread = thread::Builder::new()
            .name("sealer".to_owned())
            .spawn(move || runtime.block_on(worker.run(stopped)))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("The sealer had panicked");
        }
    }
}

/// Why a block was not made.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The head cannot be read.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// It cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// What was built is no block.
    #[error("a block of our own: {0}")]
    Decode(#[from] BlockDecodeError),
    /// It was not imported.
    #[error(transparent)]
    Write(#[from] WriteError),
}

struct Worker {
    maker: BlockMaker,
    period: Period,
    transactions: Arc<dyn Transactions>,
    arrivals: watch::Receiver<u64>,
    writer: ChainWriter,
    /// Whether it was said that the clock is behind.
    warned: bool,
}

impl Worker {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let pause = match self.step().await {
                Ok(pause) => pause,
                Err(SealError::Write(WriteError::Stopped)) => return,
                Err(error) => {
                    error!(%error, "Cannot seal a block");
                    Pause::For(RETRY)
                }
            };
            tokio::select! {
                _ = stop.changed() => {}
                () = self.pause(pause) => {}
            }
        }
    }

    /// Makes a block if one is due, and says what to wait for.
    async fn step(&mut self) -> Result<Pause, SealError> {
        let parent = self.maker.parent()?;
        let timestamp = match turn(self.period, parent.timestamp, clock::unix_time()) {
            Turn::Now(timestamp) => timestamp,
            Turn::Wait(wait) => {
                self.warn_of_clock(wait);
                return Ok(Pause::For(wait.min(LOOK_AT_CLOCK)));
            }
        };
        self.warned = false;
        // What comes from now on ends the next pause.
        self.arrivals.mark_unchanged();
        let base_fee = consensus::next_base_fee(&parent);
        let candidates = self.transactions.ready(parent.gas_limit, base_fee);
        let made = self.maker.make(self.period, &parent, timestamp, candidates)?;
        let Some(block) = made else { return Ok(Pause::UntilArrival) };
        self.writer.import(vec![block]).await?;
        Ok(Pause::None)
    }

    fn warn_of_clock(&mut self, wait: Duration) {
        let longest = match self.period {
            Period::OnDemand => CLOCK_TOLERANCE,
            Period::Seconds(seconds) => Duration::from_secs(seconds.get()) + CLOCK_TOLERANCE,
        };
        if wait > longest && !self.warned {
            let seconds = wait.as_secs();
            warn!(seconds, "The clock is behind the newest block; the next one waits for it");
            self.warned = true;
        }
    }

    async fn pause(&mut self, pause: Pause) {
        match pause {
            Pause::None => {}
            Pause::For(time) => tokio::time::sleep(time).await,
            Pause::UntilArrival => {
                if self.arrivals.changed().await.is_err() {
                    // Nobody will bring a transaction any more.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// What a sealer waits for.
#[derive(Clone, Copy, Debug)]
enum Pause {
    None,
    For(Duration),
    UntilArrival,
}

/// Makes blocks on the head of a development chain.
#[derive(Debug)]
pub struct BlockMaker {
    store: Arc<Store>,
    builder: BlockBuilder,
    signer: Address,
}

impl BlockMaker {
    /// A maker with the key of the development chain's signer.
    ///
    /// # Errors
    /// If the signer's key cannot be derived.
    pub fn new(chain: &Chain) -> Result<Self, DeriveError> {
        let signer = accounts::signer()?;
        let store = Arc::clone(&chain.store);
        let builder = BlockBuilder::new(Arc::clone(&store), Arc::clone(&chain.spec))
            .with_signer(signer.key, signer.address);
        Ok(Self { store, builder, signer: signer.address })
    }

    /// Header of the head.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn parent(&self) -> Result<Header, BackendError> {
        let snapshot = self.store.snapshot();
        let hash = snapshot.head().hash;
        let mut rlp = Vec::new();
        snapshot.append_header(&hash, &mut rlp)?;
        Header::decode(&mut rlp.as_slice())
            .map_err(|error| BackendError::Corrupt(format!("header {hash}: {error}")))
    }

    /// A block on `parent` with those candidates that can be executed. On demand there is none
    /// without a transaction.
    ///
    /// # Errors
    /// If the store fails. A candidate never fails a block.
    pub fn make(
        &mut self,
        period: Period,
        parent: &Header,
        timestamp: u64,
        candidates: Vec<Transaction>,
    ) -> Result<Option<Block>, SealError> {
        if period == Period::OnDemand && candidates.is_empty() {
            return Ok(None);
        }
        let hash: B256 = keccak::keccak256(&alloy_rlp::encode(parent)).into();
        let draft = Draft {
            timestamp,
            gas_limit: parent.gas_limit,
            beneficiary: Address::ZERO,
            transactions: candidates,
            withdrawals: Vec::new(),
        };
        let built = self.builder.build_from(&hash, draft)?;
        for left_out in &built.left_out {
            debug!(hash = %left_out.hash, reason = %left_out.reason, "Left a transaction out");
        }
        if period == Period::OnDemand && built.transactions == 0 {
            return Ok(None);
        }
        Ok(Some(Block::decode(&built.rlp)?))
    }
}
