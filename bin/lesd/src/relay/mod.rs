//! The relay set in a running server: its lock, the accounts it asks about, and its file.
//!
//! Under the lock nothing is read, hashed or recovered: chain and signatures are looked at before,
//! and what is to be written is encoded after.

mod chain;
mod file;

use std::{
    net::{IpAddr, Ipv6Addr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alloy_primitives::{Address, B256, Bytes};
use chain_backend::{
    Backend, BackendError, ExecutionRules, Snapshot, Transaction, TransactionLookup,
    recover_senders,
};
use consensus::{ChainSpec, Fork};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tracing::{debug, warn};
use tx_relay::{
    AccountFacts, Client, MAX_TRANSACTION_BYTES, Offer, Position, Refusal, RelaySet,
    RelayTransaction, Rules, Standing, UnixSeconds, decode_transaction,
};

use crate::{clock::unix_seconds, dev::Transactions, replace::replace};

/// A crash loses no more than this: clients send theirs again at every head anyway.
const SAVE_INTERVAL: Duration = Duration::from_secs(30);
/// Times that a new head may come while a sender is looked up before the lookup counts as it is.
const MAX_TRIES: usize = 8;
/// What who sends a waiting transaction once more is told, where that is an error: not in LES.
pub const ALREADY_KNOWN: &str = "already known";

/// Where a transaction came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A light client at this address.
    Client(IpAddr),
    /// The operator of this server, or a program on its machine.
    Operator,
    /// A full node.
    Network,
}

impl Origin {
    /// Whose share it goes into: one of an IPv4 address or of an IPv6 network of 64 bits, which
    /// one customer gets as a whole.
    fn client(self) -> Client {
        match self {
            Self::Client(address) => Client(match address.to_canonical() {
                IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
                IpAddr::V6(address) => u128::from(address) >> 64 << 64,
            }),
            // Addresses that no peer has.
            Self::Operator => Client(u128::from(Ipv6Addr::LOCALHOST)),
            Self::Network => Client(u128::from(Ipv6Addr::UNSPECIFIED)),
        }
    }
}

/// What became of a transaction that was sent to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It waits now.
    Taken(Position),
    /// It waited already.
    Known(Position),
    /// The chain has it.
    Included(TransactionLookup),
    /// It is not relayed.
    Refused(Refusal),
}

struct Inner {
    set: Mutex<RelaySet>,
    backend: Arc<dyn Backend>,
    spec: Arc<ChainSpec>,
    offers: watch::Sender<u64>,
    file: Option<PathBuf>,
    /// Held while the file is written.
    writing: Mutex<()>,
    min_tip: u64,
    /// The state of the set that was written last, as [`RelaySet::changes`] counts.
    written: AtomicU64,
}

/// The transactions that wait, shared by everybody who sends, reads or mines them.
#[derive(Clone)]
pub struct TransactionRelay {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for TransactionRelay {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("TransactionRelay").finish_non_exhaustive()
    }
}

impl TransactionRelay {
    /// A relay over this chain. What `file` holds is taken up again; if that is damaged, it is set
    /// aside, named in the log, and the relay starts empty. Without a file nothing is kept. Who
    /// offers the miner less than `min_tip`, wei per gas, is refused.
    ///
    /// # Errors
    /// If the chain cannot be read.
    pub fn open(
        backend: Arc<dyn Backend>,
        spec: Arc<ChainSpec>,
        file: Option<PathBuf>,
        min_tip: u64,
    ) -> Result<Self, BackendError> {
        let saved = file.as_deref().map(file::read).unwrap_or_default();
        let inner = Inner {
            set: Mutex::new(RelaySet::default()),
            backend,
            spec,
            offers: watch::Sender::new(0),
            file,
            writing: Mutex::new(()),
            min_tip,
            written: AtomicU64::new(0),
        };
        let relay = Self { inner: Arc::new(inner) };
        if !saved.is_empty() {
            relay.restore(saved)?;
        }
        Ok(relay)
    }

    /// Takes a transaction in its canonical form, or says why not.
    ///
    /// # Errors
    /// If the chain cannot be read; whether the transaction is good is not known then.
    pub fn submit(&self, canonical: &[u8], origin: Origin) -> Result<Outcome, BackendError> {
        self.submit_at(self.inner.backend.snapshot().as_ref(), canonical, origin)
    }

    /// The same for a caller that looks for included ones on a snapshot of his own.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub fn submit_at(
        &self,
        snapshot: &dyn Snapshot,
        canonical: &[u8],
        origin: Origin,
    ) -> Result<Outcome, BackendError> {
        // Before the hash, whose cost is that of a transaction's most bytes.
        if canonical.len() > MAX_TRANSACTION_BYTES {
            return Ok(Outcome::Refused(Refusal::Oversized));
        }
        let hash = keccak::keccak256(canonical).into();
        if let Some(lookup) = snapshot.transaction(&hash)? {
            return Ok(Outcome::Included(lookup));
        }
        let client = origin.client();
        if let Some(position) = self.known(&hash, client) {
            return Ok(Outcome::Known(position));
        }
        let decoded = decode_transaction(canonical);
        let transaction = match decoded.and_then(|transaction| self.signed(transaction)) {
            Ok(transaction) => Arc::new(transaction),
            Err(refusal) => return Ok(Outcome::Refused(refusal)),
        };
        let sender = transaction.sender();
        let (mut set, facts, rules) = self.at_the_head(&sender)?;
        let now = UnixSeconds(unix_seconds());
        let taken = set.submit(transaction, client, facts, &rules, now);
        let last = set.last_offer();
        drop(set);
        self.publish(last);
        Ok(match taken {
            Ok(position) => {
                debug!(%hash, %sender, ?position, "Took transaction");
                Outcome::Taken(position)
            }
            Err(refusal) => Outcome::Refused(refusal),
        })
    }

    /// The set, with what is known of a sender at the head that the set follows: an older nonce
    /// would queue what the sender has pending.
    fn at_the_head(
        &self,
        sender: &Address,
    ) -> Result<(MutexGuard<'_, RelaySet>, AccountFacts, Rules), BackendError> {
        let mut tries = 0;
        loop {
            let snapshot = self.inner.backend.snapshot();
            let facts = chain::account(snapshot.as_ref(), sender)?;
            let rules = self.rules(snapshot.as_ref())?;
            let set = self.inner.set.lock();
            // Whoever follows a head that comes now waits for the set, and then checks the sender.
            if self.inner.backend.snapshot().head() == snapshot.head() || tries == MAX_TRIES {
                return Ok((set, facts, rules));
            }
            tries += 1;
        }
    }

    /// One that waits, or was included in a block newer than the caller's snapshot.
    fn known(&self, hash: &B256, client: Client) -> Option<Position> {
        let mut set = self.inner.set.lock();
        match set.standing(hash)? {
            Standing::Waiting(_) => set.renew(hash, client, UnixSeconds(unix_seconds())),
            Standing::Included => Some(Position::Pending),
        }
    }

    fn signed(&self, transaction: Transaction) -> Result<RelayTransaction, Refusal> {
        // Whether the type is known yet is for the set to say.
        let rules = ExecutionRules {
            fork: Fork::Prague,
            chain_id: self.inner.spec.chain_id(),
            dao_drain: false,
            block_reward: 0,
            blobs: None,
            deposit_contract: None,
        };
        let senders = recover_senders(&rules, std::slice::from_ref(&transaction));
        let sender = senders.ok().and_then(|senders| senders.first().copied());
        sender
            .map(|sender| RelayTransaction::new(transaction, sender))
            .ok_or(Refusal::InvalidSender)
    }

    /// What is known of a transaction that the caller's snapshot of the chain does not have.
    #[must_use]
    pub fn status(&self, hash: &B256) -> Option<Position> {
        match self.inner.set.lock().standing(hash)? {
            Standing::Waiting(position) => Some(position),
            Standing::Included => Some(Position::Pending),
        }
    }

    /// The canonical form of a transaction that waits.
    #[must_use]
    pub fn get(&self, hash: &B256) -> Option<Bytes> {
        self.transaction(hash).map(|transaction| transaction.canonical().clone())
    }

    /// A transaction that waits, with its sender.
    #[must_use]
    pub fn transaction(&self, hash: &B256) -> Option<Arc<RelayTransaction>> {
        self.inner.set.lock().get(hash).map(Arc::clone)
    }

    /// The nonce behind the last pending transaction of this sender, if one waits.
    #[must_use]
    pub fn next_nonce(&self, sender: &Address) -> Option<u64> {
        self.inner.set.lock().next_nonce(sender)
    }

    /// How many transactions are pending, and how many queued.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        self.inner.set.lock().counts()
    }

    /// What a block on the head can take: best tip first, each sender's in the order of his
    /// nonces. The block may have room for fewer.
    #[must_use]
    pub fn pending_for_block(&self, gas_limit: u64, base_fee: u64) -> Vec<Transaction> {
        let chosen = self.inner.set.lock().executable(gas_limit, base_fee);
        chosen.iter().map(|transaction| transaction.transaction().clone()).collect()
    }

    /// Wakes at every new pending transaction, with the number of the newest offer.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.offers.subscribe()
    }

    /// Pending transactions to be announced to full nodes: those with a higher number than
    /// `after`, oldest first, at most `limit`. A transaction gets a new number when it is to be
    /// announced again.
    #[must_use]
    pub fn hashes(&self, after: u64, limit: usize) -> Vec<Offer> {
        self.inner.set.lock().offers_since(after, limit)
    }

    fn publish(&self, last: u64) {
        self.inner.offers.send_if_modified(|known| {
            let newer = last > *known;
            *known = last.max(*known);
            newer
        });
    }

    /// Forgets what expired and offers again what was offered long ago, also while no block comes.
    pub fn age(&self) {
        let mut set = self.inner.set.lock();
        set.age(UnixSeconds(unix_seconds()));
        let last = set.last_offer();
        drop(set);
        self.publish(last);
    }

    /// Writes the set to its file, if it changed since. Blocks.
    ///
    /// # Errors
    /// If the file cannot be written; it then is what it was.
    pub fn save(&self) -> std::io::Result<()> {
        let Some(path) = &self.inner.file else { return Ok(()) };
        let _writing = self.inner.writing.lock();
        let set = self.inner.set.lock();
        let changes = set.changes();
        if changes == self.inner.written.load(Ordering::Acquire) {
            return Ok(());
        }
        let saved = set.saved();
        drop(set);
        replace(path, &tx_relay::encode_saved(&saved))?;
        self.inner.written.store(changes, Ordering::Release);
        Ok(())
    }

    /// Forgets, offers again and writes at intervals; runs until it is dropped.
    pub(crate) async fn keep(self) {
        loop {
            tokio::time::sleep(SAVE_INTERVAL).await;
            self.age();
            self.keep_now().await;
        }
    }

    /// Writes the set to its file without holding up the caller's thread.
    pub(crate) async fn keep_now(&self) {
        let relay = self.clone();
        let saved = tokio::task::spawn_blocking(move || relay.save()).await;
        if let Ok(Err(error)) = saved {
            warn!(%error, "Cannot write the file of waiting transactions");
        }
    }
}

/// On a development chain the next block takes what waits.
impl Transactions for TransactionRelay {
    fn ready(&self, gas_limit: u64, base_fee: u64) -> Vec<Transaction> {
        self.pending_for_block(gas_limit, base_fee)
    }

    fn arrivals(&self) -> watch::Receiver<u64> {
        self.subscribe()
    }
}
