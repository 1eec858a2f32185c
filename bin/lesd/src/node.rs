//! A running server: everything joined together.

mod handle;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use chain_backend::{Backend, BackendError};
use consensus::ChainSpec;
use discv4::Responder;
use les_engine::Engine;
use parking_lot::Mutex;
use rlpx::{Enode, Host, NodeKey};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::watch,
    task::JoinSet,
};
use tracing::{info, warn};

use crate::{
    ChainWriter,
    announce::Announcement,
    clock::Clock,
    discovery,
    driver::Driver,
    eth::{self, Eth, FullNodes},
    listener,
    log_limit::LogLimit,
    peer_table::PeerTable,
    readers::Readers,
    relay::TransactionRelay,
    session, status,
};

pub use self::handle::Handle;
use self::handle::announcement;

/// What was admitted is answered within this time after the server was told to stop.
const DRAIN_TIME: Duration = Duration::from_secs(3);
/// And connections are closed within this.
const CLOSE_TIME: Duration = Duration::from_millis(1500);
/// How often it is looked whether everything is answered.
const DRAIN_STEP: Duration = Duration::from_millis(10);

/// What connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) driver: Arc<Driver>,
    pub(crate) key: NodeKey,
    pub(crate) head: watch::Sender<Arc<Announcement>>,
    pub(crate) offer: status::Offer,
    pub(crate) peers: Arc<PeerTable>,
    pub(crate) relay: TransactionRelay,
    pub(crate) eth: Eth,
    /// Most light clients, without those that are trusted.
    pub(crate) max_peers: usize,
    pub(crate) spec: Arc<ChainSpec>,
    log_limit: Mutex<LogLimit>,
}

impl Shared {
    /// Whether a line of this class about this peer may be logged now.
    pub(crate) fn may_log(&self, address: SocketAddr, class: &'static str) -> bool {
        self.log_limit.lock().allows(address.ip(), class, self.driver.clock().now())
    }
}

/// What a node is made of.
#[derive(Debug)]
pub struct Parts<B> {
    /// The chain to serve.
    pub backend: Arc<B>,
    /// Its rules.
    pub spec: Arc<ChainSpec>,
    /// Transactions on their way into it.
    pub relay: TransactionRelay,
    /// Whether all states are kept.
    pub archive: bool,
    /// Network id of the handshake.
    pub network_id: u64,
    /// Who this node is.
    pub key: NodeKey,
    /// Where light clients connect.
    pub listener: TcpListener,
    /// Address under which others reach it; `None` is the listener's.
    pub external_ip: Option<IpAddr>,
    /// Where discovery is answered.
    pub discovery: Option<UdpSocket>,
    /// Full nodes.
    pub full_nodes: FullNodes,
    /// Most light clients.
    pub max_peers: usize,
    /// Most light clients of one address prefix.
    pub max_prefix_peers: usize,
    /// Threads for reads that wait for the disk; with none, every read is made where its request
    /// came.
    pub readers: u32,
    /// For tests of clients: one bit of every state proof is wrong.
    pub corrupt_proofs: bool,
}

/// A server that has its sockets and serves once it runs.
#[derive(Debug)]
pub struct Node {
    shared: Arc<Shared>,
    listener: TcpListener,
    writer: Option<ChainWriter>,
    discovery: Option<(UdpSocket, Responder)>,
    readers: Readers,
    enode: Enode,
    record: Option<String>,
}

/// A node that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The chain cannot be read.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A socket is broken.
    #[error("socket: {0}")]
    Io(#[from] io::Error),
    /// The node record cannot be signed.
    #[error(transparent)]
    Record(#[from] discovery::RecordError),
}

impl Node {
    /// Joins the parts. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the chain cannot be read or a socket is broken.
    pub fn new<B: Backend + 'static>(parts: Parts<B>) -> Result<Self, StartError> {
        let clock = Clock::start();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let inline = u32::try_from(threads).unwrap_or(u32::MAX);
        let mut config = les_engine::Config::new(inline, parts.readers, rand::random());
        config.connections = u32::try_from(parts.max_peers).unwrap_or(u32::MAX);
        config.connections_per_prefix = u32::try_from(parts.max_prefix_peers).unwrap_or(u32::MAX);
        let readers = Readers::new(parts.readers);
        let backend: Arc<dyn Backend> = parts.backend;
        let genesis_hash = backend.snapshot().genesis_hash();
        let announcement = announcement(backend.as_ref(), &parts.spec)?;
        let fork_id = announcement.forks().current();
        let driver = Driver::new(
            Engine::new(config),
            backend,
            parts.relay.clone(),
            clock,
            readers.clone(),
            tokio::runtime::Handle::current(),
            parts.corrupt_proofs,
        );
        let offer =
            status::Offer { network_id: parts.network_id, genesis_hash, archive: parts.archive };
        let mut listen = reachable(parts.listener.local_addr()?);
        if let Some(ip) = parts.external_ip {
            listen.set_ip(ip);
        }
        let udp = parts.discovery.as_ref().map(UdpSocket::local_addr).transpose()?;
        let announced = discovery::Announced {
            tcp: listen,
            fork_hash: fork_id.hash.0,
            fork_next: fork_id.next,
        };
        let udp_port = udp.map_or(0, |address| address.port());
        let (record, sequence) = discovery::record(&parts.key, &announced, udp_port)?;
        let discovery = parts.discovery.zip(udp).map(|(socket, udp)| {
            let key = parts.key.clone();
            (socket, discovery::responder(key, &announced, udp, &record, sequence, &clock))
        });
        let enode = Enode {
            id: *parts.key.id(),
            host: Host::Ip(listen.ip()),
            tcp_port: listen.port(),
            udp_port,
        };
        let shared = Arc::new(Shared {
            driver,
            key: parts.key,
            head: watch::Sender::new(Arc::new(announcement)),
            offer,
            peers: Arc::default(),
            spec: parts.spec,
            relay: parts.relay,
            eth: Eth::new(parts.full_nodes),
            max_peers: parts.max_peers,
            log_limit: Mutex::new(LogLimit::default()),
        });
        let record = discovery.is_some().then(|| record.to_base64());
        Ok(Self {
            shared,
            listener: parts.listener,
            writer: None,
            discovery,
            readers,
            enode,
            record,
        })
    }

    /// Where clients find this node.
    pub const fn enode(&self) -> &Enode {
        &self.enode
    }

    /// The signed node record, if discovery is answered.
    pub fn record(&self) -> Option<&str> {
        self.record.as_deref()
    }

    /// Has the node follow the network of its full nodes, and write what they have with `writer`.
    pub fn follow(&mut self, writer: ChainWriter) {
        self.writer = Some(writer);
    }

    /// A handle that outlives the run.
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.shared))
    }

    /// Serves until `shutdown` is done, then answers what was admitted and closes.
    ///
    /// # Errors
    /// If the listening socket breaks, or there are no threads for readers.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let Self { shared, listener, writer, discovery, readers, .. } = self;
        let threads = readers.start()?;
        let (stop_accepting, accepting) = watch::channel(false);
        let (stop_serving, serving) = watch::channel(false);
        let mut background = JoinSet::new();
        if let Some((socket, responder)) = discovery {
            let clock = *shared.driver.clock();
            background.spawn(discovery::run(socket, responder, clock, serving.clone()));
        }
        let timer = Arc::clone(&shared.driver);
        background.spawn(async move { timer.run_timer().await });
        background.spawn(shared.relay.clone().keep());
        let tasks = tokio_tasks();
        if let Some(writer) = writer {
            let notices = shared.eth.open_notices();
            let (shared, serving) = (Arc::clone(&shared), serving.clone());
            let runtime = tokio::runtime::Handle::current();
            // It reads the store between events: not on a thread that serves light clients.
            background.spawn_blocking(move || {
                runtime.block_on(eth::follow(shared, writer, notices, serving));
            });
        }
        let dial = eth::dial(Arc::clone(&shared), serving.clone(), tasks.0.clone());
        background.spawn(dial);
        let accept = listener::run(listener, accepting, |stream, address, permit| {
            let shared = Arc::clone(&shared);
            let running = tasks.0.clone();
            let serving = serving.clone();
            let entering = session::enter(stream, address, permit, Arc::clone(&shared));
            tokio::spawn(async move {
                session::serve(entering, address, shared, serving).await;
                drop(running);
            });
        });
        let accepted = tokio::select! {
            accepted = accept => accepted,
            () = shutdown => Ok(()),
        };
        stop_accepting.send_replace(true);
        drain(&shared).await;
        stop_serving.send_replace(true);
        shared.driver.wake_all();
        close(tasks).await;
        background.shutdown().await;
        shared.relay.keep_now().await;
        shared.driver.stop();
        for thread in threads {
            if thread.join().is_err() {
                warn!("A reader thread had panicked");
            }
        }
        accepted
    }
}

/// Waits until every admitted request is answered, for a bounded time.
async fn drain(shared: &Shared) {
    let open = shared.driver.drain();
    if open > 0 {
        info!(open, "Answering what was admitted");
    }
    let answered = async {
        while shared.driver.drain() > 0 {
            tokio::time::sleep(DRAIN_STEP).await;
        }
    };
    if tokio::time::timeout(DRAIN_TIME, answered).await.is_err() {
        warn!(open = shared.driver.drain(), "Some requests are left unanswered");
    }
}

/// The sender is cloned into every connection's task; the receiver ends when the last is gone.
type Tasks = (tokio::sync::mpsc::Sender<()>, tokio::sync::mpsc::Receiver<()>);

fn tokio_tasks() -> Tasks {
    tokio::sync::mpsc::channel(1)
}

async fn close((sender, mut receiver): Tasks) {
    drop(sender);
    if tokio::time::timeout(CLOSE_TIME, receiver.recv()).await.is_err() {
        warn!("Some connections did not close in time");
    }
}

/// Where a client on this machine reaches an address that means "everywhere".
fn reachable(listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port())
    } else {
        listen
    }
}
