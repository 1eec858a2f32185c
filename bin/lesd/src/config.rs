//! Settings after they were checked. Nothing behind this sees raw ones.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use rlpx::{Enode, InvalidEnode};

use crate::dev::{DEFAULT_PERIOD, DevConfig, MAX_ACCOUNTS, MAX_PERIOD, Period};
use crate::{json_rpc::JsonRpcConfig, settings::Settings};

/// go-ethereum's port, so that operators need no new firewall rule.
const DEFAULT_PORT: u16 = 30303;
/// Light clients cost a few KiB each; a thousand is far below any file-descriptor limit.
const DEFAULT_LIGHT_MAX_PEERS: usize = 1000;
/// A household or office behind one address.
const DEFAULT_LIGHT_MAX_PREFIX_PEERS: usize = 16;
/// A few nodes are enough to hear of every block, and each may send megabytes.
const DEFAULT_ETH_MAX_PEERS: usize = 16;
const DEFAULT_CACHE_MIB: usize = 512;
/// 2^20 connections would need more file descriptors than Linux gives a process by default.
const MAX_LIGHT_PEERS: usize = 1 << 20;
/// More reads at once speed no disk up.
const MAX_READERS: u32 = 256;

/// Where the node key comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// `nodekey` in the data directory, made if it is not there.
    DataDirectory,
    /// A file that must exist.
    File(PathBuf),
    /// 64 hexadecimal digits.
    Hex(String),
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DataDirectory => out.write_str("DataDirectory"),
            Self::File(path) => out.debug_tuple("File").field(path).finish(),
            Self::Hex(_) => out.write_str("Hex(…)"),
        }
    }
}

/// What `lesd node` runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Directory of the chain; `None` serves the bundled chain from a temporary one, or makes the
    /// development chain there.
    pub data_directory: Option<PathBuf>,
    /// A chain that this process makes.
    pub dev: Option<DevConfig>,
    /// Genesis file for a new data directory.
    pub genesis: Option<PathBuf>,
    /// Chain files to import first.
    pub imports: Vec<PathBuf>,
    /// TCP address.
    pub listen: SocketAddr,
    /// UDP port of discovery; `None` is the TCP port.
    pub discovery_port: Option<u16>,
    /// Whether discovery packets are answered.
    pub discovery: bool,
    /// Address under which others reach this node; `None` is the address listened on.
    pub external_ip: Option<IpAddr>,
    /// Network id; `None` is the chain id.
    pub network_id: Option<u64>,
    /// Node key.
    pub key: KeySource,
    /// Whether proof-of-work seals go unchecked.
    pub fake_pow: bool,
    /// Whether every state is kept.
    pub archive: bool,
    /// Most light clients.
    pub max_peers: usize,
    /// Most light clients of one address prefix.
    pub max_prefix_peers: usize,
    /// Threads for reads that wait for the disk.
    pub readers: u32,
    /// Full nodes to which a connection is kept up.
    pub static_peers: Vec<Enode>,
    /// Most full nodes.
    pub eth_max_peers: usize,
    /// The least that a transaction must offer the miner, wei per gas.
    pub min_tip: NonZeroU64,
    /// Where JSON-RPC is spoken.
    pub json_rpc: JsonRpcConfig,
    /// Where metrics and health checks are served.
    pub metrics: Option<SocketAddr>,
    /// Memory for caches, in bytes.
    pub cache_bytes: usize,
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No light client could connect.
    #[error("light.maxpeers must be from 1 to {MAX_LIGHT_PEERS}")]
    MaxPeers,
    /// No light client could connect.
    #[error("light.maxprefixpeers must be at least 1")]
    MaxPrefixPeers,
    /// No address that others could use.
    #[error("nat {0:?}: it must be none, or extip: and an address, as extip:203.0.113.7")]
    Nat(String),
    /// More threads than any disk serves at once.
    #[error("readers must be at most {MAX_READERS}")]
    Readers,
    /// More full nodes than are followed.
    #[error("eth.maxpeers must be at most {}", eth_sync::MAX_PEERS)]
    EthMaxPeers,
    /// Free transactions have no end.
    #[error("txpool.pricelimit must be at least 1 wei")]
    PriceLimit,
    /// A full node that cannot be dialled.
    #[error("staticpeers: {0}")]
    StaticPeer(InvalidEnode),
    /// The cache would not hold one node.
    #[error("cache must be from 1 MiB to 1 TiB (1048576)")]
    Cache,
    /// `--import` without a place to keep the blocks.
    #[error("--import needs --datadir; without one, lesd serves its bundled chain")]
    ImportWithoutDirectory,
    /// A namespace that there is not.
    #[error("http.api holds a name that is none of admin, eth, net and web3")]
    HttpApi,
    /// `--genesis` without a place to keep the chain.
    #[error("--genesis needs --datadir; without one, lesd serves its bundled chain")]
    GenesisWithoutDirectory,
    /// A development chain has a genesis of its own and makes its own blocks.
    #[error("--dev makes a chain of its own: leave --genesis and --import out")]
    DevWithChain,
    /// Said of a chain that is not made.
    #[error("--dev.period and --dev.accounts need --dev")]
    OptionWithoutDev,
    /// Nobody would see a block.
    #[error("dev.period must be at most {MAX_PERIOD} seconds")]
    DevPeriod,
    /// Nobody could send, or the list would be endless.
    #[error("dev.accounts must be from 1 to {MAX_ACCOUNTS}")]
    DevAccounts,
}

fn default_readers() -> u32 {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(threads).map_or(MAX_READERS, |threads| threads.saturating_mul(2).min(MAX_READERS))
}

/// What was said of a development chain.
fn dev(raw: &Settings) -> Result<Option<DevConfig>, ConfigError> {
    if raw.dev != Some(true) {
        let said = raw.dev_period.is_some() || raw.dev_accounts.is_some();
        return if said { Err(ConfigError::OptionWithoutDev) } else { Ok(None) };
    }
    if raw.genesis.is_some() || raw.import.is_some() {
        return Err(ConfigError::DevWithChain);
    }
    let period = raw.dev_period.unwrap_or(DEFAULT_PERIOD);
    if period > MAX_PERIOD {
        return Err(ConfigError::DevPeriod);
    }
    let accounts = raw.dev_accounts.map(|accounts| {
        let accounts = NonZeroU32::new(accounts).filter(|accounts| accounts.get() <= MAX_ACCOUNTS);
        accounts.ok_or(ConfigError::DevAccounts)
    });
    Ok(Some(DevConfig { period: Period::new(period), accounts: accounts.transpose()? }))
}

impl TryFrom<Settings> for Config {
    type Error = ConfigError;

    fn try_from(raw: Settings) -> Result<Self, ConfigError> {
        let max_peers = raw.light_max_peers.unwrap_or(DEFAULT_LIGHT_MAX_PEERS);
        if max_peers == 0 || max_peers > MAX_LIGHT_PEERS {
            return Err(ConfigError::MaxPeers);
        }
        let max_prefix_peers = raw.light_max_prefix_peers.unwrap_or(DEFAULT_LIGHT_MAX_PREFIX_PEERS);
        if max_prefix_peers == 0 {
            return Err(ConfigError::MaxPrefixPeers);
        }
        let readers = raw.readers.unwrap_or_else(default_readers);
        if readers > MAX_READERS {
            return Err(ConfigError::Readers);
        }
        let eth_max_peers = raw.eth_max_peers.unwrap_or(DEFAULT_ETH_MAX_PEERS);
        if eth_max_peers > eth_sync::MAX_PEERS {
            return Err(ConfigError::EthMaxPeers);
        }
        let urls = raw.staticpeers.iter().flatten();
        let static_peers = urls.map(|url| url.parse()).collect::<Result<_, _>>();
        let min_tip = raw.txpool_price_limit.unwrap_or(tx_relay::DEFAULT_MIN_TIP);
        let min_tip = NonZeroU64::new(min_tip).ok_or(ConfigError::PriceLimit)?;
        let cache_mib = raw.cache.unwrap_or(DEFAULT_CACHE_MIB);
        if cache_mib == 0 || cache_mib > 1 << 20 {
            return Err(ConfigError::Cache);
        }
        let dev = dev(&raw)?;
        let json_rpc = JsonRpcConfig::of(&raw)?;
        if raw.datadir.is_none() && raw.import.is_some() {
            return Err(ConfigError::ImportWithoutDirectory);
        }
        if raw.datadir.is_none() && raw.genesis.is_some() {
            return Err(ConfigError::GenesisWithoutDirectory);
        }
        // Everybody who can reach a development chain can spend from its accounts.
        let everywhere = if dev.is_some() { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
        let address = raw.addr.unwrap_or(IpAddr::V4(everywhere));
        let key = match (raw.nodekeyhex, raw.nodekey) {
            (Some(hex), _) => KeySource::Hex(hex),
            (None, Some(path)) => KeySource::File(path),
            (None, None) => KeySource::DataDirectory,
        };
        Ok(Self {
            data_directory: raw.datadir,
            dev,
            genesis: raw.genesis,
            imports: raw.import.unwrap_or_default(),
            listen: SocketAddr::new(address, raw.port.unwrap_or(DEFAULT_PORT)),
            discovery_port: raw.discovery_port,
            discovery: !raw.nodiscover.unwrap_or(false),
            external_ip: raw.nat.as_deref().map_or(Ok(None), external_ip)?,
            network_id: raw.networkid,
            key,
            fake_pow: raw.fakepow.unwrap_or(false),
            archive: raw.archive.unwrap_or(false),
            max_peers,
            max_prefix_peers,
            readers,
            static_peers: static_peers.map_err(ConfigError::StaticPeer)?,
            eth_max_peers,
            min_tip,
            json_rpc,
            metrics: raw.metrics,
            cache_bytes: cache_mib.saturating_mul(1 << 20),
        })
    }
}

/// The address in `extip:IP`, which go-ethereum takes, too.
fn external_ip(nat: &str) -> Result<Option<IpAddr>, ConfigError> {
    if nat == "none" {
        return Ok(None);
    }
    let ip: Option<IpAddr> = nat.strip_prefix("extip:").and_then(|ip| ip.parse().ok());
    let ip = ip.filter(|ip| !ip.is_unspecified());
    ip.map(Some).ok_or_else(|| ConfigError::Nat(nat.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_for_others_is_one_that_they_can_use() {
        let external = |nat: &str| {
            let raw = Settings { nat: Some(nat.to_owned()), ..Settings::default() };
            Config::try_from(raw).map(|config| config.external_ip)
        };
        assert_eq!(external("none"), Ok(None));
        let ip = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
        assert_eq!(external("extip:203.0.113.7"), Ok(Some(ip)));
        assert_eq!(external("extip:2001:db8::7"), Ok(Some("2001:db8::7".parse().unwrap())));
        for wrong in ["", "any", "extip", "extip:", "extip:name", "extip:0.0.0.0", "203.0.113.7"] {
            assert_eq!(external(wrong), Err(ConfigError::Nat(wrong.to_owned())));
        }
    }

    #[track_caller]
    fn check(raw: Settings, expected: Result<u16, ConfigError>) {
        assert_eq!(Config::try_from(raw).map(|config| config.listen.port()), expected);
    }

    #[test]
    fn defaults_are_complete_and_limits_are_refused() {
        let raw = Settings::default;
        check(raw(), Ok(30303));
        check(Settings { port: Some(0), ..raw() }, Ok(0));
        check(Settings { light_max_peers: Some(0), ..raw() }, Err(ConfigError::MaxPeers));
        check(
            Settings { light_max_prefix_peers: Some(0), ..raw() },
            Err(ConfigError::MaxPrefixPeers),
        );
        check(Settings { readers: Some(0), ..raw() }, Ok(30303));
        check(Settings { readers: Some(257), ..raw() }, Err(ConfigError::Readers));
        check(Settings { eth_max_peers: Some(0), ..raw() }, Ok(30303));
        check(Settings { eth_max_peers: Some(257), ..raw() }, Err(ConfigError::EthMaxPeers));
        check(Settings { txpool_price_limit: Some(0), ..raw() }, Err(ConfigError::PriceLimit));
        check(Settings { txpool_price_limit: Some(1), ..raw() }, Ok(30303));
        let staticpeers = Some(vec!["enode://".to_owned()]);
        check(
            Settings { staticpeers, ..raw() },
            Err(ConfigError::StaticPeer(InvalidEnode::NoAddress)),
        );
        check(Settings { cache: Some(0), ..raw() }, Err(ConfigError::Cache));
        let import = Some(vec![PathBuf::from("chain.rlp")]);
        check(Settings { import, ..raw() }, Err(ConfigError::ImportWithoutDirectory));
        let genesis = Some(PathBuf::from("genesis.json"));
        check(Settings { genesis, ..raw() }, Err(ConfigError::GenesisWithoutDirectory));
    }

    #[test]
    fn a_development_chain_is_said_completely_or_not_at_all() {
        let raw = || Settings { dev: Some(true), ..Settings::default() };
        check(raw(), Ok(30303));
        check(Settings { dev_period: Some(0), dev_accounts: Some(100), ..raw() }, Ok(30303));
        check(Settings { dev_period: Some(86_401), ..raw() }, Err(ConfigError::DevPeriod));
        check(Settings { dev_accounts: Some(0), ..raw() }, Err(ConfigError::DevAccounts));
        check(Settings { dev_accounts: Some(101), ..raw() }, Err(ConfigError::DevAccounts));
        let genesis = Some(PathBuf::from("genesis.json"));
        check(Settings { genesis, ..raw() }, Err(ConfigError::DevWithChain));
        let off = Settings { dev: Some(false), dev_period: Some(1), ..Settings::default() };
        check(off, Err(ConfigError::OptionWithoutDev));
    }

    #[test]
    fn a_development_chain_is_reached_from_this_machine_only_unless_it_is_said() {
        let address = |raw| Config::try_from(raw).unwrap().listen.ip();
        let raw = || Settings { dev: Some(true), ..Settings::default() };
        assert!(address(raw()).is_loopback());
        let everywhere = Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        assert!(address(Settings { addr: everywhere, ..raw() }).is_unspecified());
        assert!(address(Settings::default()).is_unspecified());
    }

    #[test]
    fn a_key_is_never_printed() {
        let raw = Settings { nodekeyhex: Some("abcdef".to_owned()), ..Settings::default() };
        let config = Config::try_from(raw).unwrap();
        assert!(!format!("{config:?}").contains("abcdef"));
    }
}
