//! The handshake message: what both sides say about themselves.

use alloy_primitives::{B256, U256};

use crate::cost_list::CostList;
use crate::kind::Version;

/// Most bytes of keys and values in one message, counting 8 more for each entry; go-ethereum's
/// `allowedUpdateBytes`.
pub const MAX_KEY_VALUE_BYTES: usize = 100_000;

/// Status: a list of `[key, value]` entries (devp2p `caps/les.md`, "Handshake and
/// announcements").
///
/// A field is `None` when its key is absent or its value cannot be read, as in go-ethereum. A
/// client sends the first fields only; the ones from `serve_headers` on are a server's.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// `protocolVersion`: must equal the negotiated version.
    pub protocol_version: u64,
    /// `networkId`.
    pub network_id: u64,
    /// `genesisHash`.
    pub genesis_hash: B256,
    /// `headTd`, `headHash` and `headNum`.
    pub head: Option<Head>,
    /// `forkID` (EIP-2124), from les/4 on.
    pub fork_id: Option<ForkId>,
    /// `announceType`: what a client wants to hear.
    pub announce_type: Option<AnnounceType>,
    /// `serveHeaders`.
    pub serve_headers: bool,
    /// `serveChainSince`: first block whose body and receipts are served.
    pub serve_chain_since: Option<u64>,
    /// `serveRecentChain`: how many of the newest blocks are; absent or 0 for all.
    pub serve_recent_chain: Option<u64>,
    /// `serveStateSince`: first block whose state is served.
    pub serve_state_since: Option<u64>,
    /// `serveRecentState`: how many of the newest states are; absent or 0 for all.
    pub serve_recent_state: Option<u64>,
    /// `txRelay`: transactions are taken.
    pub tx_relay: bool,
    /// `recentTxLookup`, from les/4 on: 0 for a full index of transactions, 1 for none, `n + 1`
    /// for the last `n` blocks.
    pub recent_tx_lookup: Option<u64>,
    /// `flowControl/BL`, `MRR` and `MRC`.
    pub flow_control: Option<FlowControl>,
    /// `checkpoint/value`.
    pub checkpoint: Option<Checkpoint>,
    /// `checkpoint/registerHeight`: block in which the checkpoint was registered.
    pub checkpoint_height: Option<u64>,
    /// `flowControl/MRR` was there, readable or not: the sender is a server.
    pub is_server: bool,
    /// Entries with other keys: their RLP, one behind the other, as they were sent.
    pub unknown: Vec<u8>,
}

impl Status {
    /// What this client is to be told: simple announcements when it does not say, none for a
    /// server and for numbers without a meaning.
    pub const fn announcements_wanted(&self) -> AnnounceType {
        if self.is_server {
            return AnnounceType::None;
        }
        match self.announce_type {
            Some(wanted) => wanted,
            None => AnnounceType::Simple,
        }
    }

    /// The first thing that a go-ethereum light client in this version would turn this server
    /// away for; `None` if it would stay. (Network, genesis and fork are for the caller to check.)
    pub fn useless_to_client(&self, version: Version) -> Option<&'static str> {
        if self.head.is_none() {
            return Some("headTd, headHash or headNum is missing");
        }
        if version >= Version::Les4 && self.recent_tx_lookup.is_none() {
            return Some("recentTxLookup is missing");
        }
        if version >= Version::Les4 && self.fork_id.is_none() {
            return Some("forkID is missing");
        }
        let serves = self.serve_chain_since.is_some() && self.serve_state_since.is_some();
        if !serves || !self.tx_relay {
            return Some("it only announces heads and serves nothing");
        }
        match &self.flow_control {
            None => Some("flowControl/BL, MRR or MRC is missing"),
            Some(flow) => flow.costs.missing().map(|_| "flowControl/MRC lacks a request"),
        }
    }
}

/// A head, as it is announced.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// Sum of all difficulties from the genesis on.
    pub total_difficulty: U256,
    /// Hash of the block.
    pub hash: B256,
    /// Number of the block.
    pub number: u64,
}

/// Identifies the forks of a chain (EIP-2124, EIP-6122).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ForkId {
    /// Checksum of the genesis hash and all passed forks.
    pub hash: [u8; 4],
    /// Block or time of the next fork; 0 if none is known.
    pub next: u64,
}

/// Which announcements a client wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AnnounceType {
    /// None.
    None,
    /// Unsigned ones.
    Simple,
    /// Ones that carry the server's signature.
    Signed,
}

impl AnnounceType {
    /// Its number in Status.
    pub const fn number(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Simple => 1,
            Self::Signed => 2,
        }
    }

    pub(crate) const fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Simple,
            2 => Self::Signed,
            _ => Self::None,
        }
    }
}

/// Parameters of flow control for one client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FlowControl {
    /// `flowControl/BL`: the most that the buffer can hold, in cost units.
    pub buffer_limit: u64,
    /// `flowControl/MRR`: least recharge, in cost units per millisecond. (The specification says
    /// per second; all implementations mean milliseconds.)
    pub recharge_per_ms: u64,
    /// `flowControl/MRC`: most that each request costs.
    pub costs: CostList,
}

/// Roots of the helper tries at the end of a section, as registered on the chain.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Checkpoint {
    /// Number of the section.
    pub section: u64,
    /// Hash of its last block.
    pub section_head: B256,
    /// Root of the canonical hash trie.
    pub canonical_hash_root: B256,
    /// Root of the bloom trie.
    pub bloom_root: B256,
}
