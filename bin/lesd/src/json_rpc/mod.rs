//! JSON-RPC over a Unix socket and over HTTP.
//!
//! Methods live in `eth-rpc`; here are the sockets, and what this node tells them of itself.

mod config;
mod http;
mod http_rules;
mod ipc;
mod node;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_primitives::{B256, U256};
use chain_backend::Backend;
use consensus::ChainSpec;
use eth_rpc::{Namespaces, Service, Unix};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tracing::info;

pub use config::{HttpConfig, JsonRpcConfig};
pub use http_rules::HttpRules;
pub(crate) use node::OwnNode;

use crate::{clock, relay::TransactionRelay};

/// Requests that are worked on at once; others wait. Reads of the chain share the disk and two
/// cores with those of light clients.
const AT_ONCE: usize = 4;
/// Bytes of one request or batch (go-ethereum's limit).
const MAX_REQUEST_BYTES: usize = 5 * 1024 * 1024;

/// The methods, for any number of connections.
#[derive(Clone, Debug)]
pub(crate) struct Methods {
    service: Arc<Service>,
    slots: Arc<Semaphore>,
}

impl Methods {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        spec: Arc<ChainSpec>,
        node: OwnNode,
        relay: TransactionRelay,
    ) -> Self {
        let seed: B256 = B256::from(rand::random::<[u8; 32]>());
        let seed = U256::from_be_bytes(seed.0);
        let (node, relay) = (Arc::new(node), Arc::new(node::Relayed(relay)));
        let service = Service::new(backend, spec, node, relay, seed);
        Self { service: Arc::new(service), slots: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Answers one request or batch on a thread that may block. `None` if nothing is to be said.
    async fn answer(&self, allowed: &Arc<Namespaces>, request: Vec<u8>) -> Option<String> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        let (service, allowed) = (Arc::clone(&self.service), Arc::clone(allowed));
        let answer = tokio::task::spawn_blocking(move || {
            let clock = || Unix(clock::unix_seconds());
            let answer = service.answer(&allowed, &request, clock);
            drop(slot);
            answer
        });
        answer.await.ok().flatten()
    }
}

/// Open sockets; they close, and the file of the Unix socket goes, when this is dropped.
#[derive(Debug)]
pub(crate) struct Listeners {
    _tasks: JoinSet<()>,
    ipc: Option<PathBuf>,
}

impl Drop for Listeners {
    fn drop(&mut self) {
        if let Some(path) = &self.ipc {
            // A server that starts next removes what could not be removed here.
            let _left = std::fs::remove_file(path);
        }
    }
}

/// Opens the sockets and serves them in the background.
///
/// # Errors
/// If one cannot be opened; the text names it.
pub(crate) async fn start(
    config: &JsonRpcConfig,
    directory: &Path,
    methods: Methods,
) -> io::Result<Listeners> {
    let mut tasks = JoinSet::new();
    let named = |what: String, error: &io::Error| io::Error::other(format!("{what}: {error}"));
    let mut ipc = None;
    if let Some(path) = config.ipc_path(directory) {
        let listener = ipc::bind(&path)
            .map_err(|error| named(format!("cannot open {}", path.display()), &error))?;
        info!(url = %path.display(), "IPC endpoint opened");
        tasks.spawn(ipc::run(listener, methods.clone()));
        ipc = Some(path);
    }
    if let Some(http) = &config.http {
        let listener = TcpListener::bind(http.listen)
            .await
            .map_err(|error| named(format!("cannot listen on HTTP {}", http.listen), &error))?;
        info!(endpoint = %listener.local_addr()?, "HTTP server started");
        let namespaces = Arc::new(http.namespaces.clone());
        tasks.spawn(http::run(listener, methods, namespaces, Arc::new(http.rules.clone())));
    }
    Ok(Listeners { _tasks: tasks, ipc })
}
