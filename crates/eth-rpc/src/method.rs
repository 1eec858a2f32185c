//! All methods by name, and the small ones themselves.

use alloy_consensus::Header;
use alloy_primitives::{Bytes, U256};
use consensus::Fork;
use serde_json::{Map, Value, json};

use crate::{
    NodeInfo, PeerInfo, RpcError, Service, SyncProgress, Unix, account, block, call, fees, filters,
    hex::{bytes, quantity},
    logs,
    params::Params,
    receipt, transaction,
};

type Answer = Result<Value, RpcError>;

/// What a method may know of the request besides its arguments.
pub(crate) struct Context<'a> {
    pub(crate) allowed: &'a Namespaces,
    pub(crate) now: Unix,
}

type Method = fn(&Service, Params<'_>, &Context<'_>) -> Answer;

/// A group of methods that is allowed or not as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Namespace {
    /// The node and its peers.
    Admin,
    /// The chain.
    Eth,
    /// The network.
    Net,
    /// Which namespaces there are.
    Rpc,
    /// The program, and a hash.
    Web3,
}

impl Namespace {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Admin, Self::Eth, Self::Net, Self::Rpc, Self::Web3];

    /// What stands before the `_` of its methods.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Eth => "eth",
            Self::Net => "net",
            Self::Rpc => "rpc",
            Self::Web3 => "web3",
        }
    }

    /// The namespace of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|namespace| namespace.name() == name)
    }
}

/// The namespaces that may be asked over one way in. `rpc` always is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespaces(Vec<Namespace>);

impl Namespaces {
    /// Everything.
    pub fn all() -> Self {
        Self(Namespace::ALL.to_vec())
    }

    /// These.
    pub fn of(namespaces: impl IntoIterator<Item = Namespace>) -> Self {
        let mut list: Vec<_> = namespaces.into_iter().collect();
        list.push(Namespace::Rpc);
        list.sort_unstable();
        list.dedup();
        Self(list)
    }

    pub(crate) fn method(&self, name: &str) -> Result<Method, RpcError> {
        let allowed = name
            .split_once('_')
            .and_then(|(namespace, _)| Namespace::named(namespace))
            .is_some_and(|namespace| self.0.contains(&namespace));
        let found = TABLE.iter().find(|(method, _)| allowed && *method == name);
        found.map(|(_, method)| *method).ok_or_else(|| RpcError::no_method(name))
    }
}

/// The names of all methods.
pub fn methods() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

const TABLE: &[(&str, Method)] = &[
    ("admin_addPeer", add_peer),
    ("admin_addTrustedPeer", add_trusted_peer),
    ("admin_datadir", data_directory),
    ("admin_nodeInfo", node_info),
    ("admin_peers", peers),
    ("admin_removePeer", remove_peer),
    ("admin_removeTrustedPeer", remove_trusted_peer),
    ("eth_accounts", accounts),
    ("eth_blockNumber", block_number),
    ("eth_call", call::call),
    ("eth_chainId", chain_id),
    ("eth_coinbase", coinbase),
    ("eth_estimateGas", call::estimate_gas),
    ("eth_feeHistory", fees::history),
    ("eth_gasPrice", fees::gas_price),
    ("eth_getBalance", account::balance),
    ("eth_getBlockByHash", block::by_hash),
    ("eth_getBlockByNumber", block::by_number),
    ("eth_getBlockTransactionCountByHash", block::transaction_count_by_hash),
    ("eth_getBlockTransactionCountByNumber", block::transaction_count_by_number),
    ("eth_getCode", account::code),
    ("eth_getFilterChanges", filters::poll),
    ("eth_getFilterLogs", filters::logs),
    ("eth_getHeaderByHash", block::header_by_hash),
    ("eth_getHeaderByNumber", block::header_by_number),
    ("eth_getLogs", logs::find),
    ("eth_getProof", account::proof),
    ("eth_getStorageAt", account::storage),
    ("eth_getTransactionByBlockHashAndIndex", transaction::by_block_hash),
    ("eth_getTransactionByBlockNumberAndIndex", transaction::by_block_number),
    ("eth_getTransactionByHash", transaction::by_hash),
    ("eth_getTransactionCount", account::nonce),
    ("eth_getTransactionReceipt", receipt::by_transaction_hash),
    ("eth_getUncleCountByBlockHash", block::uncle_count_by_hash),
    ("eth_getUncleCountByBlockNumber", block::uncle_count_by_number),
    ("eth_maxPriorityFeePerGas", fees::max_priority_fee),
    ("eth_newBlockFilter", filters::new_block_filter),
    ("eth_newFilter", filters::new_log_filter),
    ("eth_sendRawTransaction", transaction::send_raw),
    ("eth_syncing", syncing),
    ("eth_uninstallFilter", filters::uninstall),
    ("net_listening", listening),
    ("net_peerCount", peer_count),
    ("net_version", network_version),
    ("rpc_modules", modules),
    ("web3_clientVersion", client_version),
    ("web3_sha3", sha3),
];

fn accounts(_: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    Ok(Value::Array(Vec::new()))
}

fn coinbase(_: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    Err(RpcError::server("etherbase must be explicitly specified"))
}

fn block_number(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    Ok(quantity(service.view().snapshot.head().number))
}

fn chain_id(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    let view = service.view();
    let head: Header = view.head()?;
    if !service.spec.is_active(Fork::Eip155, service.spec.position(&head)) {
        let reason = "chain not synced beyond EIP-155 replay-protection fork block";
        return Err(RpcError::server(reason));
    }
    Ok(quantity(service.spec.chain_id()))
}

fn syncing(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    let current = service.view().snapshot.head().number;
    Ok(match service.node.sync_progress() {
        Some(SyncProgress { start, highest }) if highest > current => json!({
            "startingBlock": quantity(start),
            "currentBlock": quantity(current),
            "highestBlock": quantity(highest),
        }),
        Some(_) | None => Value::Bool(false),
    })
}

fn listening(_: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    Ok(Value::Bool(true))
}

fn peer_count(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    Ok(quantity(service.node.peer_count()))
}

fn network_version(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    Ok(Value::String(service.node.network_id().to_string()))
}

fn modules(_: &Service, params: Params<'_>, context: &Context<'_>) -> Answer {
    params.end()?;
    let versions = context.allowed.0.iter().map(|space| (space.name().to_owned(), json!("1.0")));
    Ok(Value::Object(versions.collect()))
}

fn client_version(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    Ok(Value::String(service.node.client_version()))
}

fn sha3(_: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let input: Bytes = params.required()?;
    params.end()?;
    Ok(bytes(keccak::keccak256(&input)))
}

fn data_directory(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    Ok(Value::String(service.node.data_directory()))
}

fn on_peer(
    service: &Service,
    mut params: Params<'_>,
    act: impl FnOnce(&dyn crate::Node, &str) -> Result<bool, String>,
) -> Answer {
    let enode: String = params.required()?;
    params.end()?;
    act(&*service.node, &enode).map(Value::Bool).map_err(RpcError::server)
}

fn add_peer(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    on_peer(service, params, |node, enode| node.add_peer(enode))
}

fn remove_peer(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    on_peer(service, params, |node, enode| node.remove_peer(enode))
}

fn add_trusted_peer(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    on_peer(service, params, |node, enode| node.add_trusted_peer(enode))
}

fn remove_trusted_peer(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    on_peer(service, params, |node, enode| node.remove_trusted_peer(enode))
}

/// A number in decimal digits, however large: go-ethereum writes difficulties so here.
fn decimal(number: U256) -> Value {
    serde_json::from_str(&number.to_string()).unwrap_or(Value::Null)
}

fn without_prefix(hash: alloy_primitives::B256) -> String {
    hash.to_string().trim_start_matches("0x").to_owned()
}

fn node_info(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    let NodeInfo { id, enode, record, ip, discovery_port, listen, protocols, chain_config } =
        service.node.info();
    let snapshot = service.view().snapshot;
    let head = snapshot.head();
    let status = json!({
        "network": service.node.network_id(),
        "difficulty": decimal(head.total_difficulty),
        "genesis": bytes(snapshot.genesis_hash()),
        "config": chain_config,
        "head": bytes(head.hash),
    });
    let protocols: Map<String, Value> =
        protocols.into_iter().map(|name| (name, status.clone())).collect();
    let mut answer = json!({
        "id": without_prefix(id),
        "name": service.node.client_version(),
        "enode": enode,
        "ip": ip,
        "ports": { "discovery": discovery_port, "listener": listen.port() },
        "listenAddr": listen,
        "protocols": protocols,
    });
    if let Some(fields) = answer.as_object_mut().filter(|_| !record.is_empty()) {
        fields.insert("enr".to_owned(), Value::String(record));
    }
    Ok(answer)
}

fn peers(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    Ok(service.node.peers().iter().map(peer_to_json).collect())
}

fn peer_to_json(peer: &PeerInfo) -> Value {
    let status = |protocol: &crate::ProtocolInfo| {
        let status = json!({
            "version": protocol.version,
            "difficulty": decimal(protocol.difficulty),
            "head": bytes(protocol.head),
        });
        (protocol.protocol.clone(), status)
    };
    let protocols: Map<String, Value> = peer.protocols.iter().map(status).collect();
    json!({
        "enode": peer.enode,
        "id": without_prefix(peer.id),
        "name": peer.name,
        "caps": peer.capabilities,
        "network": {
            "localAddress": peer.local,
            "remoteAddress": peer.remote,
            "inbound": peer.inbound,
            "trusted": peer.trusted,
            "static": peer.is_static,
        },
        "protocols": protocols,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_found_where_its_namespace_is_allowed() {
        let only_eth = Namespaces::of([Namespace::Eth]);
        for (name, expected) in [
            ("eth_blockNumber", true),
            ("rpc_modules", true),
            ("admin_nodeInfo", false),
            ("eth_noSuch", false),
            ("blockNumber", false),
            ("", false),
        ] {
            assert_eq!(only_eth.method(name).is_ok(), expected, "{name}");
            let everywhere = methods().any(|known| known == name);
            assert_eq!(Namespaces::all().method(name).is_ok(), everywhere, "{name}");
        }
    }
}
