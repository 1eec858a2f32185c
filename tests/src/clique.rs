//! A Clique chain whose signer's key a test has.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    time::Duration,
};

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256, address, b256};
use chain_backend::{Block, ChainBuilder, Draft, Importer, SealCaches};
use consensus::clique;
use lesd::dev::{self, DevAccount};
use rlpx::NodeId;

use crate::{
    client::Received,
    server::{Chain, Server},
    transfer,
};

/// The key of the only signer.
pub const SIGNER: B256 = B256::repeat_byte(0x11);
/// Blocks of the chain.
pub const BLOCKS: usize = 8;
/// How a server ends a connection to a peer that broke a rule.
pub const BREACH: Received = Received::Disconnect(rlpx::Reason::SubprotocolError);
/// What a server does by itself is done within this, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first account of the mnemonic of development chains.
pub fn account() -> DevAccount {
    DevAccount {
        address: address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
        key: b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    }
}

fn signer() -> Address {
    let mut header = Header { extra_data: clique::unsealed_extra(&[]), ..Header::default() };
    clique::sign(&mut header, &SIGNER).expect("a key");
    clique::signer(&header).expect("a seal")
}

/// A chain: a transfer in each block, a block every five seconds.
pub struct World {
    genesis: String,
    /// Block 1 first.
    pub blocks: Vec<Block>,
}

impl World {
    /// Sealed to its end.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// Sealed up to block 1, and from block 2 on of proof of stake.
    pub fn merged() -> Self {
        Self::with(Some(3))
    }

    fn with(terminal_total_difficulty: Option<u64>) -> Self {
        let text = dev::genesis_file(1).expect("a mnemonic");
        let mut genesis: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        genesis["extraData"] = clique::unsealed_extra(&[signer()]).to_string().into();
        let config = &mut genesis["config"];
        config["clique"]["period"] = 5.into();
        if let Some(difficulty) = terminal_total_difficulty {
            config["terminalTotalDifficulty"] = difficulty.into();
        }
        let mut world = Self { genesis: genesis.to_string(), blocks: Vec::new() };
        let chain = world.chain(0);
        let (store, spec) = (Arc::clone(&chain.store), Arc::clone(&chain.spec));
        let mut builder =
            ChainBuilder::new(store, spec, importer(&chain)).with_signer(SIGNER, signer());
        for nonce in 0..BLOCKS as u64 {
            let plain = transfer::transfer(&account(), nonce, 2_000_000_000);
            let draft = Draft {
                timestamp: 5 * (nonce + 1),
                gas_limit: 30_000_000,
                beneficiary: Address::ZERO,
                transactions: vec![transfer::sign(&account(), plain)],
                withdrawals: Vec::new(),
            };
            let block = builder.extend(&chain.store.head().hash, draft).expect("a valid draft");
            world.blocks.push(Block::decode(&block).expect("a block"));
        }
        world
    }

    /// A store with this many of its blocks.
    pub fn chain(&self, blocks: usize) -> Chain {
        let chain = Chain::of_genesis(&self.genesis);
        let mut importer = importer(&chain);
        for block in self.blocks.iter().take(blocks) {
            importer.import(block.clone()).expect("a valid block");
        }
        chain
    }

    /// Total difficulty after this many blocks that are sealed.
    pub fn total_difficulty(&self, blocks: usize) -> U256 {
        U256::from(1 + 2 * blocks)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

fn importer(chain: &Chain) -> Importer {
    Importer::new(Arc::clone(&chain.store), Arc::clone(&chain.spec), SealCaches::new(false))
}

/// A node's id as log lines have it.
pub fn short(id: &NodeId) -> String {
    id.to_string().chars().take(16).collect()
}

/// Says when a chain has another height.
pub fn heights(server: &Server, chain: &Chain) -> Receiver<u64> {
    let (sender, heights) = sync_channel(1024);
    server.on_head(chain, move |number| {
        let _full = sender.try_send(number);
    });
    heights
}

/// Waits until a chain has the head of another.
pub fn await_head(heights: &Receiver<u64>, chain: &Chain, other: &Chain, case: &str) {
    while chain.store.head() != other.store.head() {
        heights.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{case}: stuck"));
    }
}
