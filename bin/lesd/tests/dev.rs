//! A development chain goes on, whatever is sent to it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use std::{
    num::NonZeroU32,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    time::Duration,
};

use alloy_consensus::{Transaction as _, TxLegacy};
use alloy_primitives::{U256, b256};
use chain_backend::{Backend, Block, Transaction};
use lesd::{
    ChainWriter, HeadListener, TransactionRelay, WriterThread,
    dev::{self, BlockMaker, DevAccount, DevChain, DevConfig, Period, Sealer, Transactions},
    relay::{Origin, Outcome},
};
use parking_lot::Mutex;
use tokio::sync::watch;

const TRANSFER_GAS: u64 = 21_000;
/// Gas limit of every block.
const BLOCK_GAS: u64 = 30_000_000;
/// An event of the sealer's thread comes within this, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(accounts: Option<u32>) -> DevConfig {
    DevConfig { period: Period::new(5), accounts: accounts.and_then(NonZeroU32::new) }
}

fn open(directory: &Path, accounts: Option<u32>) -> DevChain {
    dev::open(directory, &config(accounts), false, 64 << 20).unwrap()
}

struct Transfer {
    nonce: u64,
    ether: u64,
    gas: u64,
}

fn transfer(from: &DevAccount, transfer: &Transfer) -> Transaction {
    let value = U256::from(transfer.ether) * U256::from(1_000_000_000_000_000_000_u64);
    let plain = les_tests::transfer::transfer(from, transfer.nonce, 2_000_000_000);
    les_tests::transfer::sign(from, TxLegacy { value, gas_limit: transfer.gas, ..plain })
}

/// A chain whose blocks a test makes itself.
struct Bench {
    dev: DevChain,
    maker: BlockMaker,
    writer: ChainWriter,
    _thread: WriterThread,
}

impl Bench {
    fn new(directory: &Path, accounts: Option<u32>) -> Self {
        let dev = open(directory, accounts);
        let maker = BlockMaker::new(&dev.chain).unwrap();
        let (writer, thread) = ChainWriter::start(&dev.chain, false, Vec::new()).unwrap();
        Self { dev, maker, writer, _thread: thread }
    }

    /// Makes a block at this time and imports it, if there is one. Gives the nonces in it.
    fn block(&mut self, period: u64, now: u64, candidates: Vec<Transaction>) -> Option<Vec<u64>> {
        let parent = self.maker.parent().unwrap();
        let made = self.maker.make(Period::new(period), &parent, now, candidates).unwrap();
        made.map(|block: Block| {
            let nonces = block.transactions.iter().map(|taken| taken.nonce()).collect();
            self.writer.import_blocking(vec![block]).unwrap();
            nonces
        })
    }

    fn height(&self) -> u64 {
        self.dev.chain.store.head().number
    }
}

#[test]
fn the_genesis_is_the_one_that_go_ethereum_makes_of_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let dev = open(directory.path(), None);
    // go-ethereum 1.10.26 on the output of `lesd genesis --dev`.
    let expected = b256!("4b596895a689fb5545103783632695e1bd608080b7be26cc9553c7faf2e3a204");
    assert_eq!(dev.chain.store.genesis_hash(), expected);
    let written = std::fs::read_to_string(dev.files.genesis()).unwrap();
    assert_eq!(written, dev::genesis_file(10).unwrap());
}

#[test]
fn a_chain_with_a_period_grows_with_empty_blocks_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(directory.path(), None);
    for round in 0..40 {
        assert_eq!(bench.block(5, 1000 + 5 * round, Vec::new()), Some(Vec::new()));
    }
    assert_eq!(bench.height(), 40);
    assert_eq!(bench.maker.parent().unwrap().timestamp, 1195);
}

#[test]
fn a_restart_goes_on_with_the_same_chain_and_accounts() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(directory.path(), Some(3));
    let accounts = bench.dev.accounts.clone();
    let sent = transfer(&accounts[2], &Transfer { nonce: 0, ether: 1, gas: TRANSFER_GAS });
    assert_eq!(bench.block(0, 1000, vec![sent]), Some(vec![0]));
    drop(bench);
    let mut bench = Bench::new(directory.path(), None);
    assert_eq!((bench.height(), &bench.dev.accounts), (1, &accounts));
    let next = transfer(&accounts[2], &Transfer { nonce: 1, ether: 1, gas: TRANSFER_GAS });
    assert_eq!(bench.block(0, 1000, vec![next]), Some(vec![1]));
    drop(bench);
    let refused = dev::open(directory.path(), &config(Some(4)), false, 64 << 20).unwrap_err();
    assert!(refused.to_string().contains("with 3 accounts"), "{refused}");
    assert_eq!(Bench::new(directory.path(), Some(3)).height(), 2);
}

#[test]
fn a_transaction_that_cannot_be_executed_never_stops_the_chain() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(directory.path(), Some(1));
    let account = bench.dev.accounts[0];
    let make = |nonce, ether, gas| transfer(&account, &Transfer { nonce, ether, gas });
    let bad = || {
        vec![
            make(0, 10_001, TRANSFER_GAS),
            make(0, 1, BLOCK_GAS + 1),
            make(0, 1, TRANSFER_GAS - 1),
            make(7, 1, TRANSFER_GAS),
        ]
    };
    // With a period the block is empty, on demand there is none, and neither is an error.
    assert_eq!(bench.block(5, 1000, bad()), Some(Vec::new()));
    assert_eq!(bench.block(0, 1001, bad()), None);
    assert_eq!(bench.block(0, 1001, Vec::new()), None);
    assert_eq!(bench.height(), 1);
    // Two of the same nonce: the first is taken.
    let mut mixed = bad();
    mixed.extend([make(0, 1, TRANSFER_GAS), make(0, 2, TRANSFER_GAS), make(1, 1, TRANSFER_GAS)]);
    assert_eq!(bench.block(0, 1001, mixed), Some(vec![0, 1]));
    // What was mined is offered again, as after a reorganisation.
    let again = vec![make(0, 1, TRANSFER_GAS), make(2, 1, TRANSFER_GAS)];
    assert_eq!(bench.block(0, 1001, again), Some(vec![2]));
    assert_eq!(bench.height(), 3);
}

/// Transactions that a test brings while the sealer runs.
struct Offered {
    waiting: Mutex<Vec<Transaction>>,
    arrivals: watch::Sender<u64>,
}

impl Offered {
    fn new() -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::new(Vec::new()), arrivals: watch::Sender::new(0) })
    }

    fn bring(&self, transaction: Transaction) {
        self.waiting.lock().push(transaction);
        self.arrivals.send_modify(|count| *count += 1);
    }
}

impl Transactions for Offered {
    fn ready(&self, _gas_limit: u64, _base_fee: u64) -> Vec<Transaction> {
        // None is ever taken out, as with a relay that hears of no block.
        self.waiting.lock().clone()
    }

    fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }
}

/// A running sealer, and the numbers of the heads that it makes.
struct Sealing {
    numbers: Receiver<u64>,
    // Dropped in this order.
    _sealer: Sealer,
    _writer: WriterThread,
    _runtime: tokio::runtime::Runtime,
}

impl Sealing {
    fn start(
        dev: &DevChain,
        period: u64,
        source: Arc<dyn Transactions>,
        first: Option<HeadListener>,
    ) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (heads, numbers) = sync_channel(1000);
        let last: HeadListener = Box::new(move |head| heads.send(head.new.number).unwrap());
        let listeners = first.into_iter().chain([last]).collect();
        let (writer, thread) = ChainWriter::start(&dev.chain, false, listeners).unwrap();
        let sealer = {
            let _entered = runtime.enter();
            Sealer::start(&dev.chain, Period::new(period), source, writer).unwrap()
        };
        Self { numbers, _sealer: sealer, _writer: thread, _runtime: runtime }
    }

    #[track_caller]
    fn next(&self) -> u64 {
        self.numbers.recv_timeout(PATIENCE).unwrap()
    }
}

#[test]
fn a_sealer_on_demand_makes_a_block_for_each_arrival_and_none_without() {
    let directory = tempfile::tempdir().unwrap();
    let dev = open(directory.path(), None);
    let offered = Offered::new();
    let nonce =
        |nonce| transfer(&dev.accounts[0], &Transfer { nonce, ether: 1, gas: TRANSFER_GAS });
    // Brought before the start, as what a relay kept over a restart.
    offered.bring(nonce(0));
    let source: Arc<dyn Transactions> = Arc::<Offered>::clone(&offered);
    let sealing = Sealing::start(&dev, 0, source, None);
    assert_eq!(sealing.next(), 1);
    // Never executable: it wakes the sealer and makes no block.
    offered.bring(nonce(9));
    offered.bring(nonce(1));
    assert_eq!(sealing.next(), 2);
    offered.bring(nonce(2));
    assert_eq!(sealing.next(), 3);
    drop(sealing);
    assert_eq!(dev.chain.store.head().number, 3, "no block without a transaction");
}

#[test]
fn a_sealer_with_a_period_needs_no_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let dev = open(directory.path(), None);
    let sealing = Sealing::start(&dev, 1, Offered::new(), None);
    for number in 1..=3 {
        assert_eq!(sealing.next(), number);
    }
}

#[test]
fn what_the_relay_takes_is_mined_once_and_in_the_order_of_nonces() {
    let directory = tempfile::tempdir().unwrap();
    let dev = open(directory.path(), None);
    let backend: Arc<dyn Backend> = dev.chain.store.clone();
    let relay = TransactionRelay::open(backend, Arc::clone(&dev.chain.spec), None, 1).unwrap();
    let follows = relay.clone();
    let listener: HeadListener = Box::new(move |_| follows.on_head().unwrap());
    let sealing = Sealing::start(&dev, 0, Arc::new(relay.clone()), Some(listener));
    let submit = |account: usize, nonce, ether| {
        let sent = Transfer { nonce, ether, gas: TRANSFER_GAS };
        let sent = alloy_rlp::encode(transfer(&dev.accounts[account], &sent));
        relay.submit(&sent, Origin::Operator).unwrap()
    };
    // The gap is filled by the second one; the third is more than the account has.
    assert!(matches!(submit(0, 1, 1), Outcome::Taken(_)));
    assert!(matches!(submit(0, 0, 1), Outcome::Taken(_)));
    assert!(matches!(submit(1, 0, 10_001), Outcome::Refused(_)));
    assert!(matches!(submit(1, 0, 1), Outcome::Taken(_)));
    // One block or more: the sealer may wake between two offers. Who is sent again is told so.
    let all = [(0, 0, 1), (0, 1, 1), (1, 0, 1)];
    while !all.iter().all(|(account, nonce, ether)| {
        matches!(submit(*account, *nonce, *ether), Outcome::Included(_))
    }) {
        assert!(sealing.next() <= 3);
    }
    drop(sealing);
    assert_eq!(relay.counts(), (0, 0));
    assert!(dev.chain.store.head().number <= 3, "each is in one block only");
}
