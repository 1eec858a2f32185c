//! What an operator wrote: flags, then environment, then the file, then defaults.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::log::LogFormat;

/// The settings of `lesd node`, each as it was written or not. The same names serve as flags
/// (`--light.maxpeers`), as keys of the file (`[light] maxpeers`), and, for the most part, in
/// go-ethereum.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Directory of the chain, the node key and the lock
    #[arg(long, value_name = "DIR", env = "LESD_DATADIR")]
    pub datadir: Option<PathBuf>,

    /// go-ethereum genesis file; needed when the data directory is new
    #[arg(long, value_name = "FILE", env = "LESD_GENESIS")]
    pub genesis: Option<PathBuf>,

    /// Chain file (RLP, or RLP and gzip) to import before serving; may be given several times
    #[arg(long, value_name = "FILE", env = "LESD_IMPORT", value_delimiter = ',')]
    pub import: Option<Vec<PathBuf>>,

    /// Make and seal a Clique chain, with funded accounts whose keys everybody knows; in --datadir,
    /// or in a temporary directory that is gone afterwards
    #[arg(
        long, env = "LESD_DEV", num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    #[serde(rename = "dev.enable")]
    pub dev: Option<bool>,

    /// Seconds between blocks of --dev; 0 makes a block when a transaction comes [default: 5]
    #[arg(long = "dev.period", value_name = "S", env = "LESD_DEV_PERIOD")]
    #[serde(rename = "dev.period")]
    pub dev_period: Option<u64>,

    /// Funded accounts of --dev, 10000 ether each [default: 10]
    #[arg(long = "dev.accounts", value_name = "N", env = "LESD_DEV_ACCOUNTS")]
    #[serde(rename = "dev.accounts")]
    pub dev_accounts: Option<u32>,

    /// Address to listen on [default: all, with --dev 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", env = "LESD_ADDR")]
    pub addr: Option<std::net::IpAddr>,

    /// TCP port to listen on; 0 takes a free one [default: 30303]
    #[arg(long, value_name = "PORT", env = "LESD_PORT")]
    pub port: Option<u16>,

    /// UDP port for discovery [default: the TCP port]
    #[arg(long = "discovery.port", value_name = "PORT", env = "LESD_DISCOVERY_PORT")]
    #[serde(rename = "discovery.port")]
    pub discovery_port: Option<u16>,

    /// Address under which others reach this node, as extip:IP, for its enode and node record
    /// [default: the address listened on, or 127.0.0.1]
    #[arg(long, value_name = "extip:IP", env = "LESD_NAT")]
    pub nat: Option<String>,

    /// Network id [default: the chain id]
    #[arg(long, value_name = "ID", env = "LESD_NETWORKID")]
    pub networkid: Option<u64>,

    /// Do not answer discovery packets
    #[arg(
        long, short = 'd', env = "LESD_NODISCOVER", num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    pub nodiscover: Option<bool>,

    /// File with the node key, 64 hexadecimal digits [default: nodekey in the data directory]
    #[arg(long, value_name = "FILE", env = "LESD_NODEKEY", conflicts_with = "nodekeyhex")]
    pub nodekey: Option<PathBuf>,

    /// The node key itself, 64 hexadecimal digits (for tests: others can read a command line)
    #[arg(long, value_name = "HEX", env = "LESD_NODEKEYHEX")]
    pub nodekeyhex: Option<String>,

    /// Do not check proof-of-work seals of imported blocks
    #[arg(
        long, env = "LESD_FAKEPOW", num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    pub fakepow: Option<bool>,

    /// Keep the state of every block, not just of the last 128
    #[arg(
        long, env = "LESD_ARCHIVE", num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    pub archive: Option<bool>,

    /// Most light clients at a time; those of admin_addTrustedPeer come in beyond it
    /// [default: 1000]
    #[arg(long = "light.maxpeers", value_name = "N", env = "LESD_LIGHT_MAXPEERS")]
    #[serde(rename = "light.maxpeers")]
    pub light_max_peers: Option<usize>,

    /// Most light clients of one address prefix, IPv4 /32 or IPv6 /64; loopback is free of it
    /// [default: 16]
    #[arg(long = "light.maxprefixpeers", value_name = "N", env = "LESD_LIGHT_MAXPREFIXPEERS")]
    #[serde(rename = "light.maxprefixpeers")]
    pub light_max_prefix_peers: Option<usize>,

    /// Threads for reads that wait for the disk; 0 has every read made where its request came
    /// [default: two per CPU]
    #[arg(long, value_name = "N", env = "LESD_READERS")]
    pub readers: Option<u32>,

    /// Full nodes to which a connection is kept up, as enode URLs; those of static-nodes.json in
    /// the data directory, too
    #[arg(long, value_name = "ENODE", env = "LESD_STATICPEERS", value_delimiter = ',')]
    pub staticpeers: Option<Vec<String>>,

    /// Most full nodes at a time; light clients have places of their own, and those of
    /// admin_addTrustedPeer come in beyond it [default: 16]
    #[arg(long = "eth.maxpeers", value_name = "N", env = "LESD_ETH_MAXPEERS")]
    #[serde(rename = "eth.maxpeers")]
    pub eth_max_peers: Option<usize>,

    /// Least that a transaction must offer the miner to be relayed, wei per gas [default: 1]
    #[arg(long = "txpool.pricelimit", value_name = "WEI", env = "LESD_TXPOOL_PRICELIMIT")]
    #[serde(rename = "txpool.pricelimit")]
    pub txpool_price_limit: Option<u64>,

    /// Unix socket of JSON-RPC, for `geth attach`; a bare name is one in the data directory
    /// [default: lesd.ipc]
    #[arg(long, value_name = "PATH", env = "LESD_IPCPATH")]
    pub ipcpath: Option<PathBuf>,

    /// Do not open the Unix socket of JSON-RPC
    #[arg(
        long, env = "LESD_IPCDISABLE", num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    pub ipcdisable: Option<bool>,

    /// Speak JSON-RPC over HTTP
    #[arg(
        long, env = "LESD_HTTP", num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    pub http: Option<bool>,

    /// Address of HTTP [default: 127.0.0.1]
    #[arg(long = "http.addr", value_name = "ADDRESS", env = "LESD_HTTP_ADDR")]
    #[serde(rename = "http.addr")]
    pub http_addr: Option<std::net::IpAddr>,

    /// Port of HTTP; 0 takes a free one [default: 8545]
    #[arg(long = "http.port", value_name = "PORT", env = "LESD_HTTP_PORT")]
    #[serde(rename = "http.port")]
    pub http_port: Option<u16>,

    /// Namespaces that may be asked over HTTP [default: eth,net,web3]
    #[arg(long = "http.api", value_name = "NAMES", env = "LESD_HTTP_API", value_delimiter = ',')]
    #[serde(rename = "http.api")]
    pub http_api: Option<Vec<String>>,

    /// Host names under which HTTP may be reached, * for any [default: localhost]
    #[arg(
        long = "http.vhosts",
        value_name = "NAMES",
        env = "LESD_HTTP_VHOSTS",
        value_delimiter = ','
    )]
    #[serde(rename = "http.vhosts")]
    pub http_vhosts: Option<Vec<String>>,

    /// Origins whose pages may ask over HTTP, * for any [default: none]
    #[arg(
        long = "http.corsdomain",
        value_name = "ORIGINS",
        env = "LESD_HTTP_CORSDOMAIN",
        value_delimiter = ','
    )]
    #[serde(rename = "http.corsdomain")]
    pub http_corsdomain: Option<Vec<String>>,

    /// Serve Prometheus metrics and health checks over HTTP here: /metrics, /livez, /readyz
    #[arg(long, value_name = "ADDRESS:PORT", env = "LESD_METRICS")]
    pub metrics: Option<std::net::SocketAddr>,

    /// Memory for caches, in MiB [default: 512]
    #[arg(long, value_name = "MIB", env = "LESD_CACHE")]
    pub cache: Option<usize>,

    /// Log level: 1 errors, 2 warnings, 3 info, 4 debug, 5 trace [default: 3]
    #[arg(long, value_name = "LEVEL", env = "LESD_VERBOSITY")]
    pub verbosity: Option<u8>,

    /// Shape of log lines
    #[arg(long = "log.format", value_name = "FORMAT", env = "LESD_LOG_FORMAT")]
    #[serde(rename = "log.format")]
    pub log_format: Option<LogFormat>,
}

/// A settings file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or has a key or value that does not exist.
    #[error("configuration {path}: {reason} (see `lesd config` for all keys)")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        reason: String,
    },
}

impl Settings {
    /// Reads a TOML file. Tables are prefixes: `[light] maxpeers` is `light.maxpeers`.
    ///
    /// # Errors
    /// If it cannot be read or holds anything that is not a setting.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
            .map_err(|reason| SettingsError::Content { path: path.to_owned(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| in_line(text, &error))?;
        let mut flat = toml::Table::new();
        flatten("", table, &mut flat);
        flat.try_into().map_err(|error| error.message().to_owned())
    }

    /// These settings, and those of `other` where these say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            datadir: self.datadir.or(other.datadir),
            genesis: self.genesis.or(other.genesis),
            import: self.import.or(other.import),
            dev: self.dev.or(other.dev),
            dev_period: self.dev_period.or(other.dev_period),
            dev_accounts: self.dev_accounts.or(other.dev_accounts),
            addr: self.addr.or(other.addr),
            port: self.port.or(other.port),
            discovery_port: self.discovery_port.or(other.discovery_port),
            nat: self.nat.or(other.nat),
            networkid: self.networkid.or(other.networkid),
            nodiscover: self.nodiscover.or(other.nodiscover),
            nodekey: self.nodekey.or(other.nodekey),
            nodekeyhex: self.nodekeyhex.or(other.nodekeyhex),
            fakepow: self.fakepow.or(other.fakepow),
            archive: self.archive.or(other.archive),
            light_max_peers: self.light_max_peers.or(other.light_max_peers),
            light_max_prefix_peers: self.light_max_prefix_peers.or(other.light_max_prefix_peers),
            readers: self.readers.or(other.readers),
            staticpeers: self.staticpeers.or(other.staticpeers),
            eth_max_peers: self.eth_max_peers.or(other.eth_max_peers),
            txpool_price_limit: self.txpool_price_limit.or(other.txpool_price_limit),
            ipcpath: self.ipcpath.or(other.ipcpath),
            ipcdisable: self.ipcdisable.or(other.ipcdisable),
            http: self.http.or(other.http),
            http_addr: self.http_addr.or(other.http_addr),
            http_port: self.http_port.or(other.http_port),
            http_api: self.http_api.or(other.http_api),
            http_vhosts: self.http_vhosts.or(other.http_vhosts),
            http_corsdomain: self.http_corsdomain.or(other.http_corsdomain),
            metrics: self.metrics.or(other.metrics),
            cache: self.cache.or(other.cache),
            verbosity: self.verbosity.or(other.verbosity),
            log_format: self.log_format.or(other.log_format),
        }
    }

    /// The settings as a TOML file with one key a line. The key is not shown.
    pub fn to_toml(&self) -> String {
        let shown = Self { nodekeyhex: None, ..self.clone() };
        toml::Table::try_from(shown).map(|table| nested(&table)).unwrap_or_default()
    }
}

/// An error of the parser in one line, with the line of the file.
fn in_line(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => {
            let line = before.matches('\n').count().saturating_add(1);
            format!("line {line}: {}", error.message())
        }
        None => error.message().to_owned(),
    }
}

fn flatten(prefix: &str, table: toml::Table, flat: &mut toml::Table) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&name, inner, flat),
            value @ (toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)) => {
                flat.insert(name, value);
            }
        }
    }
}

fn nested(flat: &toml::Table) -> String {
    let mut lines = String::new();
    for (key, value) in flat {
        lines.push_str(&format!("{key} = {value}\n"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_a_prefix() {
        let settings = Settings::parse("port = 1\n[light]\nmaxpeers = 7\n").unwrap();
        assert_eq!((settings.port, settings.light_max_peers), (Some(1), Some(7)));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = Settings::parse("prot = 1").unwrap_err();
        assert!(error.contains("prot"), "{error}");
    }

    #[test]
    fn a_syntax_error_has_its_line() {
        let error = Settings::parse("port = 1\ncache = = 2\n").unwrap_err();
        assert!(error.starts_with("line 2: "), "{error}");
    }

    #[test]
    fn flags_go_before_the_file() {
        let flags = Settings { port: Some(1), ..Settings::default() };
        let file = Settings::parse("port = 2\ncache = 3").unwrap();
        let both = flags.or(file);
        assert_eq!((both.port, both.cache), (Some(1), Some(3)));
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let settings = Settings {
            port: Some(30303),
            dev: Some(true),
            dev_period: Some(0),
            light_max_peers: Some(5),
            metrics: Some(([127, 0, 0, 1], 6060).into()),
            log_format: Some(LogFormat::Json),
            ..Settings::default()
        };
        assert_eq!(Settings::parse(&settings.to_toml()).unwrap(), settings);
    }
}
