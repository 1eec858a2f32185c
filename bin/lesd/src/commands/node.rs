//! `lesd node`.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use chain_backend::Backend;
use rlpx::Enode;
use tokio::{
    net::{TcpListener, UdpSocket},
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tracing::{error, info, warn};

use super::{
    Failure, import,
    introduction::{self, Served},
    settings,
};
use crate::{
    ChainWriter, FullNodes, Handle, HeadListener, Node, Parts, TransactionRelay, WriterFailure,
    WriterThread,
    args::NodeArgs,
    bundled,
    config::Config,
    data_directory::{self, Chain},
    dev::{self, DevChain, Period, Sealer},
    eth::read_static_nodes,
    helper_tries, json_rpc, log,
    metrics::{self, MAX_HEAD_AGE, Observed},
};

/// Threads that block when everything has ended are not waited for any longer.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
/// A test of clients sets this to 1: one bit of every state proof is then wrong.
const CORRUPT_PROOFS: &str = "LESD_TEST_FLIP_PROOF_BYTE";

pub(super) fn run(args: NodeArgs) -> Result<(), Failure> {
    let settings = settings(args)?;
    log::start(
        log::level(settings.verbosity.unwrap_or(3)),
        settings.log_format.unwrap_or_default(),
    );
    let config = Config::try_from(settings)?;
    let temporary = match config.data_directory {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("lesd-").tempdir()?),
    };
    let directory = config
        .data_directory
        .clone()
        .or_else(|| temporary.as_ref().map(|made| made.path().to_owned()))
        .unwrap_or_default();
    // Commands that are printed work from everywhere.
    let directory = std::path::absolute(directory)?;
    let opened = match &config.dev {
        Some(dev) => {
            let (archive, cache) = (config.archive, config.cache_bytes);
            let opened = dev::open(&directory, dev, archive, cache)?;
            keeps_what_is_asked(&opened.chain, &directory, archive)?;
            Opened::Dev(opened, dev.period)
        }
        None if temporary.is_some() => Opened::Bundled(bundled_chain(&directory, &config)?),
        None => Opened::Own(own_chain(&directory, &config)?),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("lesd").build()?;
    let served = runtime.block_on(serve(&config, &directory, &opened));
    // A look-up of a name cannot be broken off.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    served
}

/// The chain that is served.
enum Opened {
    Bundled(Chain),
    Own(Chain),
    Dev(DevChain, Period),
}

impl Opened {
    const fn chain(&self) -> &Chain {
        match self {
            Self::Bundled(chain) | Self::Own(chain) => chain,
            Self::Dev(dev, _) => &dev.chain,
        }
    }

    /// How old the head may become, if it is known how often there is a new one.
    fn max_head_age(&self, follows: bool) -> Option<Duration> {
        match self {
            Self::Dev(_, Period::Seconds(period)) => {
                let three = Duration::from_secs(period.get().saturating_mul(3));
                Some(three.max(MAX_HEAD_AGE))
            }
            Self::Dev(_, Period::OnDemand) => None,
            Self::Bundled(_) | Self::Own(_) => follows.then_some(MAX_HEAD_AGE),
        }
    }

    const fn served(&self) -> Served<'_> {
        match self {
            Self::Bundled(_) => Served::Bundled,
            Self::Own(_) => Served::Own,
            Self::Dev(dev, period) => Served::Dev(dev, *period),
        }
    }
}

fn bundled_chain(directory: &Path, config: &Config) -> Result<Chain, Failure> {
    let named = Path::new("bundled genesis");
    let text = bundled::GENESIS.as_bytes();
    let (chain, _) =
        data_directory::init_from(directory, text, named, config.archive, config.cache_bytes)?;
    let blocks = directory.join("bundled.rlp.gz");
    std::fs::write(&blocks, bundled::BLOCKS)?;
    import::files(&chain, config.fake_pow, &[blocks], &AtomicBool::new(false))?;
    Ok(chain)
}

fn own_chain(directory: &Path, config: &Config) -> Result<Chain, Failure> {
    let cache = config.cache_bytes;
    let chain = match &config.genesis {
        Some(genesis) => data_directory::init(directory, genesis, config.archive, cache)?.0,
        None => data_directory::open(directory, cache)?,
    };
    keeps_what_is_asked(&chain, directory, config.archive)?;
    import::files(&chain, config.fake_pow, &config.imports, &AtomicBool::new(false))?;
    Ok(chain)
}

fn keeps_what_is_asked(chain: &Chain, directory: &Path, archive: bool) -> Result<(), Failure> {
    if archive && !chain.store.is_archive() {
        return Err(format!(
            "{} keeps the last 128 states only; make a new directory with `lesd init --archive`",
            directory.display()
        )
        .into());
    }
    Ok(())
}

async fn serve(config: &Config, directory: &Path, opened: &Opened) -> Result<(), Failure> {
    let chain = opened.chain();
    let key = data_directory::node_key(&config.key, directory)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| port_error("TCP", config.listen, &error))?;
    let tcp = listener.local_addr()?;
    let discovery = discovery_socket(config, tcp).await?;
    let network_id = config.network_id.unwrap_or_else(|| chain.spec.chain_id());
    let corrupt_proofs = std::env::var_os(CORRUPT_PROOFS).is_some_and(|value| value == "1");
    if corrupt_proofs {
        warn!("{CORRUPT_PROOFS} is set: every proof is wrong on purpose");
    }
    let head = chain.store.head();
    info!(number = head.number, hash = %head.hash, td = %head.total_difficulty, "Loaded the chain");
    let file = match opened {
        Opened::Bundled(_) => None,
        Opened::Own(_) | Opened::Dev(..) => Some(directory.join(data_directory::TRANSACTIONS)),
    };
    let backend: Arc<dyn Backend> = chain.store.clone();
    let relay =
        TransactionRelay::open(backend, Arc::clone(&chain.spec), file, config.min_tip.get())?;
    let static_peers = static_peers(config, directory)?;
    let has_static_peers = !static_peers.is_empty();
    let mut node = Node::new(Parts {
        relay: relay.clone(),
        archive: chain.store.is_archive(),
        backend: Arc::clone(&chain.store),
        spec: Arc::clone(&chain.spec),
        network_id,
        key,
        listener,
        discovery,
        full_nodes: FullNodes { max_peers: config.eth_max_peers, static_peers },
        max_peers: config.max_peers,
        max_prefix_peers: config.max_prefix_peers,
        external_ip: config.external_ip,
        readers: config.readers,
        corrupt_proofs,
    })?;
    // Before anybody can know that we run, and ask us to stop.
    let stop = stop_signal()?;
    introduce(&node, network_id, opened.served(), directory);
    let builder = helper_tries::Builder::start(Arc::clone(&chain.store))?;
    let listeners = vec![announcer(node.handle()), builder.waker()];
    let (writer, writer_thread) = ChainWriter::start(chain, config.fake_pow, listeners)?;
    node.follow(writer.clone());
    let sockets = speak_json_rpc(config, directory, chain, &node, relay.clone()).await?;
    let max_head_age = opened.max_head_age(has_static_peers);
    let metrics = serve_metrics(config, &node, &writer, max_head_age).await?;
    let sealer = match opened {
        Opened::Dev(dev, period) => {
            Some(Sealer::start(&dev.chain, *period, Arc::new(relay), writer)?)
        }
        Opened::Bundled(_) | Opened::Own(_) => None,
    };
    let failure = run_until(node, stop, &writer_thread).await?;
    drop((sockets, metrics));
    drop(sealer);
    drop(writer_thread);
    drop(builder);
    let flushed = chain.store.flush();
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    flushed?;
    info!("Stopped");
    Ok(())
}

/// Runs the node until it is told to stop, or nothing can be written any more.
async fn run_until(
    node: Node,
    stop: impl Future<Output = ()>,
    writer: &WriterThread,
) -> Result<Option<WriterFailure>, Failure> {
    let mut failure = None;
    let ended = async {
        tokio::select! {
            () = stop => {}
            error = writer.failed() => {
                error!(%error, "Shutting down");
                failure = Some(error);
            }
        }
    };
    node.run(ended).await?;
    Ok(failure)
}

/// Full nodes of the settings and of the data directory.
fn static_peers(config: &Config, directory: &Path) -> Result<Vec<Enode>, Failure> {
    let mut peers = config.static_peers.clone();
    if config.data_directory.is_some() {
        peers.extend(read_static_nodes(&directory.join(data_directory::STATIC_NODES))?);
    }
    Ok(peers)
}

async fn discovery_socket(config: &Config, tcp: SocketAddr) -> Result<Option<UdpSocket>, Failure> {
    if !config.discovery {
        return Ok(None);
    }
    let udp = SocketAddr::new(tcp.ip(), config.discovery_port.unwrap_or_else(|| tcp.port()));
    let bound = UdpSocket::bind(udp).await.map_err(|error| port_error("UDP", udp, &error))?;
    Ok(Some(bound))
}

async fn speak_json_rpc(
    config: &Config,
    directory: &Path,
    chain: &Chain,
    node: &Node,
    relay: TransactionRelay,
) -> Result<json_rpc::Listeners, Failure> {
    let own = json_rpc::OwnNode {
        handle: node.handle(),
        enode: node.enode().clone(),
        record: node.record().map(str::to_owned),
        directory: directory.to_owned(),
        chain_config: data_directory::chain_config(directory)?,
    };
    let backend: Arc<dyn Backend> = chain.store.clone();
    let methods = json_rpc::Methods::new(backend, Arc::clone(&chain.spec), own, relay);
    Ok(json_rpc::start(&config.json_rpc, directory, methods).await?)
}

/// Metrics and health checks; they end when the set is dropped.
async fn serve_metrics(
    config: &Config,
    node: &Node,
    writer: &ChainWriter,
    max_head_age: Option<Duration>,
) -> Result<JoinSet<()>, Failure> {
    let mut tasks = JoinSet::new();
    if let Some(address) = config.metrics {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            format!("cannot listen on {address}: {error}; choose another with --metrics")
        })?;
        info!(endpoint = %listener.local_addr()?, "Metrics server started");
        let writer = Some(writer.clone());
        tasks.spawn(metrics::run(
            listener,
            Observed { handle: node.handle(), writer, max_head_age },
        ));
    }
    Ok(tasks)
}

/// Tells light clients of every new head.
fn announcer(handle: Handle) -> HeadListener {
    Box::new(move |_| {
        if let Err(error) = handle.head_changed() {
            error!(%error, "Cannot announce the new head");
        }
    })
}

fn port_error(kind: &str, address: SocketAddr, error: &std::io::Error) -> Failure {
    format!("cannot listen on {kind} {address}: {error}; choose another with --addr and --port")
        .into()
}

/// Done at SIGINT or SIGTERM.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => info!("Got interrupt, shutting down"),
            _ = terminate.recv() => info!("Got SIGTERM, shutting down"),
        }
    })
}

/// Prints where we are, and what to type to connect. Whether anybody reads it is not our business:
/// a closed pipe must not end a server.
fn introduce(node: &Node, network_id: u64, served: Served<'_>, directory: &Path) {
    info!(self = %node.enode(), "Started P2P networking");
    if let Err(error) = super::print(&introduction::text(node, network_id, served, directory)) {
        warn!(%error, "Cannot print how to connect");
    }
}
