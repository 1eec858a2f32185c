//! What this node tells JSON-RPC of itself.

use std::path::PathBuf;

use alloy_primitives::{Address, B256, Bytes};
use eth_rpc::{Node, NodeInfo, PeerInfo, ProtocolInfo, SyncProgress, Transactions};
use rlpx::{Enode, Host, NodeId};
use serde_json::Value;
use tracing::error;

use crate::{
    handshake,
    node::Handle,
    peer_table::{PeerRow, ProtocolStatus},
    relay::{ALREADY_KNOWN, Origin, Outcome, TransactionRelay},
};

/// This node, as operators see it.
#[derive(Debug)]
pub(crate) struct OwnNode {
    pub(crate) handle: Handle,
    pub(crate) enode: Enode,
    pub(crate) record: Option<String>,
    pub(crate) directory: PathBuf,
    /// `config` of the genesis file.
    pub(crate) chain_config: Value,
}

/// Keccak-256 of a node's public key, by which go-ethereum names it.
fn hashed(id: &NodeId) -> B256 {
    id.hash().into()
}

fn parse(enode: &str) -> Result<Enode, String> {
    enode.parse().map_err(|error| format!("invalid enode: {error}"))
}

impl Node for OwnNode {
    fn info(&self) -> NodeInfo {
        let ip = match self.enode.host {
            Host::Ip(ip) => ip,
            Host::Name(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        };
        NodeInfo {
            id: hashed(&self.enode.id),
            enode: self.enode.to_string(),
            record: self.record.clone().unwrap_or_default(),
            ip,
            discovery_port: self.enode.udp_port,
            listen: (ip, self.enode.tcp_port).into(),
            protocols: [eth_wire::CAPABILITY_NAME, les_wire::CAPABILITY_NAME]
                .map(str::to_owned)
                .to_vec(),
            chain_config: self.chain_config.clone(),
        }
    }

    fn network_id(&self) -> u64 {
        self.handle.network_id()
    }

    fn client_version(&self) -> String {
        handshake::CLIENT.to_owned()
    }

    fn peers(&self) -> Vec<PeerInfo> {
        self.handle.peers().peers().into_iter().map(peer).collect()
    }

    fn peer_count(&self) -> usize {
        self.handle.peers().len()
    }

    fn add_peer(&self, enode: &str) -> Result<bool, String> {
        let is_named = self.handle.add_peer(parse(enode)?);
        if is_named { Ok(true) } else { Err("too many static peers".to_owned()) }
    }

    fn remove_peer(&self, enode: &str) -> Result<bool, String> {
        self.handle.remove_peer(&parse(enode)?.id);
        Ok(true)
    }

    fn add_trusted_peer(&self, enode: &str) -> Result<bool, String> {
        Ok(self.handle.set_trusted(&parse(enode)?.id, true))
    }

    fn remove_trusted_peer(&self, enode: &str) -> Result<bool, String> {
        Ok(self.handle.set_trusted(&parse(enode)?.id, false))
    }

    fn data_directory(&self) -> String {
        self.directory.display().to_string()
    }

    fn sync_progress(&self) -> Option<SyncProgress> {
        let progress = self.handle.sync_progress()?;
        Some(SyncProgress { start: progress.start, highest: progress.highest })
    }
}

fn peer(row: PeerRow) -> PeerInfo {
    let PeerRow { peer, trusted, protocols } = row;
    let enode = Enode {
        id: peer.id,
        host: Host::Ip(peer.remote.ip()),
        tcp_port: peer.remote.port(),
        udp_port: peer.remote.port(),
    };
    let status = |status: ProtocolStatus| ProtocolInfo {
        protocol: status.protocol.to_owned(),
        version: status.version,
        difficulty: status.difficulty,
        head: status.head,
    };
    PeerInfo {
        id: hashed(&peer.id),
        enode: enode.to_string(),
        name: peer.client.into_string(),
        capabilities: peer.capabilities.iter().map(ToString::to_string).collect(),
        local: peer.local,
        remote: peer.remote,
        inbound: peer.inbound,
        trusted,
        is_static: peer.is_static,
        protocols: protocols.into_iter().map(status).collect(),
    }
}

/// The relay set as JSON-RPC sees it.
#[derive(Debug)]
pub(crate) struct Relayed(pub(crate) TransactionRelay);

impl Transactions for Relayed {
    fn submit(&self, canonical: &[u8]) -> Result<B256, String> {
        let outcome = self.0.submit(canonical, Origin::Operator).map_err(|error| {
            error!(%error, "Cannot check a transaction");
            error.to_string()
        })?;
        match outcome {
            Outcome::Taken(_) => Ok(keccak::keccak256(canonical).into()),
            Outcome::Known(_) => Err(ALREADY_KNOWN.to_owned()),
            Outcome::Included(_) => Err("nonce too low".to_owned()),
            Outcome::Refused(refusal) => Err(refusal.to_string()),
        }
    }

    fn get(&self, hash: &B256) -> Option<Bytes> {
        self.0.get(hash)
    }

    fn next_nonce(&self, sender: &Address) -> Option<u64> {
        self.0.next_nonce(sender)
    }
}
