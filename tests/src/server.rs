//! The real server, in this process, on a free port, serving the bundled chain.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, atomic::AtomicBool},
    time::Duration,
};

use chain_backend::{Backend, Importer, SealCaches, Store};
use consensus::ChainSpec;
use lesd::{
    ChainWriter, FullNodes, Handle, HeadListener, Node, Parts, TransactionRelay, WriterThread,
    bundled, data_directory,
};
use rlpx::{Enode, NodeKey};
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot};

/// A chain in a directory of its own.
pub struct Chain {
    /// Its store.
    pub store: Arc<Store>,
    /// Its rules.
    pub spec: Arc<ChainSpec>,
    directory: tempfile::TempDir,
}

impl Chain {
    /// The bundled genesis, no block on it.
    pub fn empty() -> Self {
        Self::of_genesis(bundled::GENESIS)
    }

    /// The first block of this genesis file, no block on it.
    pub fn of_genesis(genesis: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let named = Path::new("of a test");
        let text = genesis.as_bytes();
        let (chain, _) = data_directory::init_from(directory.path(), text, named, false, 64 << 20)
            .expect("a valid genesis");
        Self { store: chain.store, spec: chain.spec, directory }
    }
}

/// The chain of `fixtures/chain/small`, imported once a process.
pub fn bundled_chain() -> &'static Chain {
    static CHAIN: OnceLock<Chain> = OnceLock::new();
    CHAIN.get_or_init(|| {
        let chain = Chain::empty();
        let file = chain.directory.path().join("chain.rlp.gz");
        std::fs::write(&file, bundled::BLOCKS).expect("room for the chain");
        let (store, spec) = (Arc::clone(&chain.store), Arc::clone(&chain.spec));
        Importer::new(store, spec, SealCaches::new(false))
            .import_file(&file, &AtomicBool::new(false), &mut |_| {})
            .expect("the bundled chain");
        chain
    })
}

/// A running server; stopped when dropped.
pub struct Server {
    /// Where it listens.
    pub enode: Enode,
    /// To look into it.
    pub handle: Handle,
    /// What light clients sent.
    pub relay: TransactionRelay,
    heads: Heads,
    /// Extends the chain, if the server follows a network.
    pub writer: Option<ChainWriter>,
    _writer_thread: Option<WriterThread>,
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<oneshot::Receiver<()>>,
    runtime: Option<Runtime>,
}

type Heads = Arc<Mutex<Vec<Box<dyn Fn(u64) + Send>>>>;

/// Limits of a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Light clients at a time.
    pub peers: usize,
    /// Where transactions are kept over a restart.
    pub transactions: Option<PathBuf>,
    /// The least that a transaction must offer the miner, wei per gas.
    pub min_tip: u64,
    /// Full nodes.
    pub full_nodes: FullNodes,
}

impl Default for Limits {
    fn default() -> Self {
        let full_nodes = FullNodes { max_peers: 16, static_peers: Vec::new() };
        Self { peers: 100, transactions: None, min_tip: 1, full_nodes }
    }
}

impl Server {
    /// Starts a server of the bundled chain.
    pub fn start(limits: Limits) -> Self {
        Self::of(bundled_chain(), limits)
    }

    /// Starts a server of this chain.
    pub fn of(chain: &Chain, limits: Limits) -> Self {
        Self::serving(Arc::clone(&chain.store), Arc::clone(&chain.spec), limits)
    }

    /// Starts a server that follows the network of its full nodes.
    pub fn following(chain: &Chain, limits: Limits) -> Self {
        let (store, spec) = (Arc::clone(&chain.store), Arc::clone(&chain.spec));
        let heads = Heads::default();
        let listening = Arc::clone(&heads);
        let mut server = Self::run(Arc::clone(&store), Arc::clone(&spec), limits, false, |node| {
            let (handle, heads) = (node.handle(), Arc::clone(&heads));
            let announce: HeadListener = Box::new(move |head| {
                handle.head_changed().expect("a readable head");
                heads.lock().expect("no panic").iter().for_each(|tell| tell(head.new.number));
            });
            let chain = data_directory::Chain { store, spec };
            let (writer, thread) =
                ChainWriter::start(&chain, false, vec![announce]).expect("a thread");
            node.follow(writer.clone());
            Some((writer, thread))
        });
        server.heads = listening;
        server
    }

    /// Calls `tell` with the height of the chain, now and whenever it changes, if this server
    /// follows a network.
    pub fn on_head(&self, chain: &Chain, tell: impl Fn(u64) + Send + 'static) {
        let mut heads = self.heads.lock().expect("no panic");
        tell(chain.store.head().number);
        heads.push(Box::new(tell));
    }

    /// Starts a server of this backend.
    pub fn serving<B: Backend + 'static>(
        backend: Arc<B>,
        spec: Arc<ChainSpec>,
        limits: Limits,
    ) -> Self {
        Self::run(backend, spec, limits, false, |_| None)
    }

    /// Starts a server of the bundled chain that flips a bit of every state proof.
    pub fn corrupting() -> Self {
        let chain = bundled_chain();
        Self::run(
            Arc::clone(&chain.store),
            Arc::clone(&chain.spec),
            Limits::default(),
            true,
            |_| None,
        )
    }

    fn run<B: Backend + 'static>(
        backend: Arc<B>,
        spec: Arc<ChainSpec>,
        limits: Limits,
        corrupt_proofs: bool,
        prepare: impl FnOnce(&mut Node) -> Option<(ChainWriter, WriterThread)>,
    ) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let network_id = spec.chain_id();
        let reader: Arc<dyn Backend> = Arc::<B>::clone(&backend);
        let file = limits.transactions.clone();
        let relay = TransactionRelay::open(reader, Arc::clone(&spec), file, limits.min_tip)
            .expect("a readable chain");
        let mut node = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            Node::new(Parts {
                relay: relay.clone(),
                backend,
                spec,
                archive: false,
                network_id,
                key: NodeKey::random(&mut rand::rng()),
                listener,
                discovery: None,
                full_nodes: limits.full_nodes,
                max_peers: limits.peers,
                max_prefix_peers: limits.peers,
                external_ip: None,
                readers: 4,
                corrupt_proofs,
            })
            .expect("a node")
        });
        let (writer, _writer_thread) = prepare(&mut node).unzip();
        let (enode, handle) = (node.enode().clone(), node.handle());
        let (stop, stop_asked) = oneshot::channel();
        let (done, stopped) = oneshot::channel();
        runtime.spawn(async move {
            let shutdown = async {
                drop(stop_asked.await);
            };
            node.run(shutdown).await.expect("a working listener");
            done.send(()).expect("somebody waits");
        });
        Self {
            enode,
            handle,
            relay,
            heads: Heads::default(),
            writer,
            _writer_thread,
            stop: Some(stop),
            stopped: Some(stopped),
            runtime: Some(runtime),
        }
    }

    /// Asks the server to stop and waits until it has; panics after five seconds.
    pub fn stop(&mut self) {
        let Some(runtime) = &self.runtime else { return };
        if let (Some(stop), Some(stopped)) = (self.stop.take(), self.stopped.take()) {
            stop.send(()).expect("a running node");
            let stopped = async { tokio::time::timeout(Duration::from_secs(5), stopped).await };
            assert!(runtime.block_on(stopped).is_ok(), "not stopped within 5 s");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
