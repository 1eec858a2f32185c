//! Transactions over LES: sent, mined, reorganised out, and kept over a restart.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use std::{num::NonZeroU32, path::Path, sync::Arc};

use alloy_consensus::Header;
use alloy_eips::Encodable2718 as _;
use alloy_rlp::Decodable as _;
use chain_backend::{Backend as _, Transaction};
use les_tests::{
    client::{Client, client_status},
    server::{Limits, Server},
    transfer,
};
use les_wire::{AnnounceType, Reply, ReplyData, ReplyKind, TxState, Version};
use lesd::{
    ChainWriter, WriterThread,
    data_directory::init_from,
    dev::{self, BlockMaker, DevAccount, DevChain, DevConfig, Period},
    relay::{Origin, Outcome},
};

const GWEI: u128 = 1_000_000_000;

fn transfer(from: &DevAccount, nonce: u64, gas_price: u128) -> Transaction {
    transfer::sign(from, transfer::transfer(from, nonce, gas_price))
}

/// A development chain whose blocks a test makes itself, and its server.
struct World {
    dev: DevChain,
    maker: BlockMaker,
    writer: ChainWriter,
    _thread: WriterThread,
    limits: Limits,
    server: Server,
}

impl World {
    fn new(directory: &Path) -> Self {
        let config = DevConfig { period: Period::new(5), accounts: NonZeroU32::new(3) };
        let dev = dev::open(directory, &config, false, 64 << 20).unwrap();
        let maker = BlockMaker::new(&dev.chain).unwrap();
        let (writer, thread) = ChainWriter::start(&dev.chain, false, Vec::new()).unwrap();
        let limits =
            Limits { transactions: Some(directory.join("transactions")), ..Limits::default() };
        let server = Self::serve(&dev, &limits);
        Self { dev, maker, writer, _thread: thread, limits, server }
    }

    fn serve(dev: &DevChain, limits: &Limits) -> Server {
        let chain = &dev.chain;
        Server::serving(Arc::clone(&chain.store), Arc::clone(&chain.spec), limits.clone())
    }

    /// Stops the server, and starts another one of the same directory.
    fn restart(&mut self, between: impl FnOnce(&Path)) {
        self.server.stop();
        between(self.limits.transactions.as_ref().unwrap());
        self.server = Self::serve(&self.dev, &self.limits);
    }

    /// Imports a block of these transactions on `parent`, and gives its header.
    fn extend(&mut self, parent: &Header, transactions: Vec<Transaction>) -> Header {
        let timestamp = parent.timestamp + 5 + u64::from(transactions.is_empty());
        let made = self.maker.make(Period::new(5), parent, timestamp, transactions);
        let block = made.unwrap().unwrap();
        let header = block.header.clone();
        self.writer.import_blocking(vec![block]).unwrap();
        self.server.handle.head_changed().unwrap();
        header
    }

    fn genesis(&self) -> Header {
        let mut rlp = Vec::new();
        let store = &self.dev.chain.store;
        store.snapshot().append_header(&store.genesis_hash(), &mut rlp).unwrap();
        Header::decode(&mut rlp.as_slice()).unwrap()
    }

    /// What waits and may be in the next block.
    fn ready(&self, parent: &Header) -> Vec<Transaction> {
        let base_fee = consensus::next_base_fee(parent);
        self.server.relay.pending_for_block(parent.gas_limit, base_fee)
    }
}

/// A client that wants no announcements: the next it hears is its own answer.
fn connect(server: &Server) -> Client {
    let mut client = Client::dial(&server.enode, Version::Les4);
    let theirs = client.read_status();
    let announce_type = Some(AnnounceType::None);
    let ours = les_wire::Status { announce_type, ..client_status(&theirs, Version::Les4) };
    let mut payload = Vec::new();
    ours.encode(&mut payload);
    client.send(0, &payload);
    client
}

/// State, block (hash, number, index), and error text.
type Status = (TxState, Option<(Vec<u8>, u64, u64)>, String);

fn statuses(reply: &[u8]) -> Vec<Status> {
    let reply = Reply::decode(ReplyKind::TxStatus, reply).unwrap();
    let ReplyData::TxStatus(items) = reply.data else { panic!("no TxStatus") };
    items
        .iter()
        .map(|status| {
            let place = status
                .lookup
                .map(|lookup| (lookup.block_hash.to_vec(), lookup.block_number, lookup.index));
            (status.state, place, String::from_utf8(status.error.to_vec()).unwrap())
        })
        .collect()
}

fn send(client: &mut Client, transactions: &[&Transaction]) -> Vec<Status> {
    let mut request = rlp::RlpStream::new_list(2);
    request.append(&1u64).begin_list(transactions.len());
    for transaction in transactions {
        request.append_raw(&transaction.encoded_2718(), 1);
    }
    statuses(&client.ask(0x13, &request.out(), 0x15))
}

fn ask(client: &mut Client, transactions: &[&Transaction]) -> Vec<Status> {
    let mut request = rlp::RlpStream::new_list(2);
    request.append(&1u64).begin_list(transactions.len());
    for transaction in transactions {
        request.append(&transaction.tx_hash().to_vec());
    }
    statuses(&client.ask(0x14, &request.out(), 0x15))
}

fn state(state: TxState) -> Status {
    (state, None, String::new())
}

fn refused(text: &str) -> Status {
    (TxState::Unknown, None, text.to_owned())
}

fn included(block: &Header, index: u64) -> Status {
    let hash = block.hash_slow().to_vec();
    (TxState::Included, Some((hash, block.number, index)), String::new())
}

#[test]
fn a_transaction_that_comes_on_an_old_snapshot_leaves_the_pending_ones_pending() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new(directory.path());
    let (genesis, from) = (world.genesis(), world.dev.accounts[0]);
    let [first, second, third] = [0, 1, 2].map(|nonce| transfer(&from, nonce, 2 * GWEI));
    let relay = world.server.relay.clone();
    let old = world.dev.chain.store.snapshot();
    let origin = Origin::Operator;
    for transaction in [&first, &second] {
        let taken = relay.submit(&transaction.encoded_2718(), origin).unwrap();
        assert!(matches!(taken, Outcome::Taken(_)), "{taken:?}");
    }
    let head = world.extend(&genesis, vec![first]);
    let taken = relay.submit_at(old.as_ref(), &third.encoded_2718(), origin).unwrap();
    assert!(matches!(taken, Outcome::Taken(_)), "{taken:?}");
    assert_eq!(world.ready(&head), [second, third]);
}

#[test]
fn a_transaction_is_followed_into_a_block_out_of_it_and_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new(directory.path());
    let account = world.dev.accounts[0];
    let [first, second, later] = [0, 1, 3].map(|nonce| transfer(&account, nonce, 2 * GWEI));
    let cheap = transfer(&account, 0, 2 * GWEI + 1);
    let all = [&first, &second, &later];
    let mut client = connect(&world.server);
    assert_eq!(ask(&mut client, &all), vec![state(TxState::Unknown); 3]);
    let [pending, queued] = [TxState::Pending, TxState::Queued].map(state);
    let waiting = [pending.clone(), pending.clone(), queued.clone()];
    assert_eq!(send(&mut client, &all), waiting);
    assert_eq!(send(&mut client, &all), waiting, "sent again, they are no error");
    let underpriced = refused("replacement transaction underpriced");
    assert_eq!(send(&mut client, &[&first, &cheap]), [pending.clone(), underpriced]);
    assert_eq!(ask(&mut client, &all), waiting);

    let genesis = world.genesis();
    let ready = world.ready(&genesis);
    assert_eq!(ready, [first.clone(), second.clone()]);
    let block = world.extend(&genesis, ready);
    let mined = [included(&block, 0), included(&block, 1), queued];
    assert_eq!(ask(&mut client, &all), mined);
    assert_eq!(send(&mut client, &all), mined, "sent again, they are no error");
    let used = transfer(&account, 1, 3 * GWEI);
    assert_eq!(send(&mut client, &[&used]), [refused("nonce too low")]);
    assert!(world.ready(&block).is_empty());

    // A longer branch has none of them.
    let other = world.extend(&genesis, vec![]);
    let tip = world.extend(&other, vec![]);
    assert_eq!(ask(&mut client, &all), waiting);
    world.restart(|file| assert!(file.exists()));
    let mut client = connect(&world.server);
    assert_eq!(ask(&mut client, &all), waiting);

    // What was included is kept for a reorganisation, over a restart too.
    let again = world.extend(&tip, vec![first.clone()]);
    assert_eq!(ask(&mut client, &all)[..2], [included(&again, 0), pending]);
    world.restart(|_| ());
    let left = world.extend(&tip, vec![]);
    world.extend(&left, vec![]);
    let mut client = connect(&world.server);
    assert_eq!(ask(&mut client, &all), waiting);
}

#[test]
fn a_damaged_file_is_set_aside_and_the_server_starts_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new(directory.path());
    let transaction = transfer(&world.dev.accounts[0], 0, 2 * GWEI);
    let mut client = connect(&world.server);
    assert_eq!(send(&mut client, &[&transaction]), [state(TxState::Pending)]);
    world.restart(|file| {
        let mut bytes = std::fs::read(file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(file, bytes).unwrap();
    });
    assert!(directory.path().join("transactions.damaged").exists());
    assert!(!directory.path().join("transactions").exists());
    let mut client = connect(&world.server);
    assert_eq!(ask(&mut client, &[&transaction]), [state(TxState::Unknown)]);
    assert_eq!(send(&mut client, &[&transaction]), [state(TxState::Pending)]);
}

#[test]
fn who_offers_less_than_the_price_limit_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new(directory.path());
    world.limits.min_tip = 3_000_000_000;
    world.restart(|_| ());
    let mut client = connect(&world.server);
    let account = world.dev.accounts[0];
    let of = |nonce, price| transfer(&account, nonce, price);
    let underpriced = refused("transaction underpriced");
    assert_eq!(send(&mut client, &[&of(0, 3 * GWEI - 1)]), std::slice::from_ref(&underpriced));
    assert_eq!(send(&mut client, &[&of(0, 3 * GWEI)]), [state(TxState::Pending)]);
    // What waits from before the limit was raised does not survive the restart.
    world.limits.min_tip = 4_000_000_000;
    world.restart(|_| ());
    let mut client = connect(&world.server);
    assert_eq!(ask(&mut client, &[&of(0, 3 * GWEI)]), [state(TxState::Unknown)]);
}

#[test]
fn a_delegated_account_has_one_transaction_on_its_way() {
    let directory = tempfile::tempdir().unwrap();
    let account = World::new(directory.path()).dev.accounts[0];
    // The delegation designator of EIP-7702.
    let code = format!("0xef0100{}", "11".repeat(20));
    let mut genesis: serde_json::Value =
        serde_json::from_str(&dev::genesis_file(1).unwrap()).unwrap();
    let address = format!("{:x}", account.address);
    genesis["alloc"][&address]["code"] = code.into();
    let chain_directory = tempfile::tempdir().unwrap();
    let (path, named) = (chain_directory.path(), Path::new("delegated"));
    let text = genesis.to_string();
    let (chain, _) = init_from(path, text.as_bytes(), named, false, 64 << 20).unwrap();
    let server = Server::serving(chain.store, chain.spec, Limits::default());
    let mut client = connect(&server);
    let of = |nonce, price| transfer(&account, nonce, price);
    let mut check = |nonce, price, expected| {
        assert_eq!(send(&mut client, &[&of(nonce, price)]), [expected], "{nonce}");
    };
    check(1, 2 * GWEI, refused("gapped-nonce tx from delegated accounts"));
    check(0, 2 * GWEI, state(TxState::Pending));
    check(1, 2 * GWEI, refused("in-flight transaction limit reached for delegated accounts"));
    check(0, 3 * GWEI, state(TxState::Pending));
}
