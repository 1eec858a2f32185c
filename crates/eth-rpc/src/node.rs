//! What the methods ask of the node around the chain.

use std::net::{IpAddr, SocketAddr};

use alloy_primitives::{Address, B256, Bytes, U256};
use serde_json::Value;

/// The node that answers, beside its chain.
pub trait Node: Send + Sync {
    /// Who it is and where it listens.
    fn info(&self) -> NodeInfo;

    /// Network id of its handshakes.
    fn network_id(&self) -> u64;

    /// Its name and version, as in `web3_clientVersion`.
    fn client_version(&self) -> String;

    /// Who is connected.
    fn peers(&self) -> Vec<PeerInfo>;

    /// How many are connected.
    fn peer_count(&self) -> usize;

    /// Keeps a connection to a node from now on.
    ///
    /// # Errors
    /// In words, if the URL is none or the node cannot do this.
    fn add_peer(&self, enode: &str) -> Result<bool, String>;

    /// Ends the connection to a node and keeps none from now on.
    ///
    /// # Errors
    /// As [`Node::add_peer`].
    fn remove_peer(&self, enode: &str) -> Result<bool, String>;

    /// Marks a node as trusted, connected or not.
    ///
    /// # Errors
    /// As [`Node::add_peer`].
    fn add_trusted_peer(&self, enode: &str) -> Result<bool, String>;

    /// Takes back [`Node::add_trusted_peer`].
    ///
    /// # Errors
    /// As [`Node::add_peer`].
    fn remove_trusted_peer(&self, enode: &str) -> Result<bool, String>;

    /// The directory of the chain.
    fn data_directory(&self) -> String;

    /// How far a sync with the network is; `None` while there is none.
    fn sync_progress(&self) -> Option<SyncProgress>;
}

/// `eth_syncing`, besides the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncProgress {
    /// The block at which it began.
    pub start: u64,
    /// The highest block that is known of.
    pub highest: u64,
}

/// Transactions that are not in the chain yet.
pub trait Transactions: Send + Sync {
    /// Takes a transaction in its canonical encoding (EIP-2718) and returns its hash.
    ///
    /// # Errors
    /// In the words of a full node's pool.
    fn submit(&self, canonical: &[u8]) -> Result<B256, String>;

    /// One that waits, in its canonical encoding.
    fn get(&self, hash: &B256) -> Option<Bytes>;

    /// The nonce behind the waiting transactions of a sender that has some.
    fn next_nonce(&self, sender: &Address) -> Option<u64>;
}

/// `admin_nodeInfo`.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Keccak-256 of the node's public key.
    pub id: B256,
    /// The enode URL.
    pub enode: String,
    /// The signed node record in its text form; empty if there is none.
    pub record: String,
    /// The address that others are told.
    pub ip: IpAddr,
    /// UDP port of discovery; 0 if it is off.
    pub discovery_port: u16,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The protocols that it serves, such as `les`.
    pub protocols: Vec<String>,
    /// The chain's rules, as a genesis file has them under `config`.
    pub chain_config: Value,
}

/// One of `admin_peers`.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// Keccak-256 of the peer's public key.
    pub id: B256,
    /// Its enode URL, with the port of this connection if it dialled us.
    pub enode: String,
    /// What it calls itself.
    pub name: String,
    /// What both sides speak, as in `les/4`.
    pub capabilities: Vec<String>,
    /// Our end of the connection.
    pub local: SocketAddr,
    /// Its end.
    pub remote: SocketAddr,
    /// Whether it dialled us.
    pub inbound: bool,
    /// Whether an operator marked it as trusted.
    pub trusted: bool,
    /// Whether the connection is wanted by an operator.
    pub is_static: bool,
    /// What it said in the handshake of each protocol.
    pub protocols: Vec<ProtocolInfo>,
}

/// A peer's handshake in one protocol.
#[derive(Clone, Debug)]
pub struct ProtocolInfo {
    /// Such as `les`.
    pub protocol: String,
    /// The version that both speak.
    pub version: u64,
    /// Total difficulty of its head.
    pub difficulty: U256,
    /// Hash of its head.
    pub head: B256,
}
