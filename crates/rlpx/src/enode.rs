//! The `enode://` URL: a node's key and where it listens.

use core::{fmt, net::IpAddr, str::FromStr};

use crate::keys::{InvalidKey, NodeId};

/// A node's key, host and ports, as in `enode://ID@HOST:PORT?discport=PORT`.
///
/// Source: <https://ethereum.org/en/developers/docs/networking-layer/network-addresses/>.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Enode {
    /// The public key.
    pub id: NodeId,
    /// Where it listens.
    pub host: Host,
    /// TCP port of RLPx.
    pub tcp_port: u16,
    /// UDP port of discovery; equal to `tcp_port` unless the URL says otherwise.
    pub udp_port: u16,
}

/// The host part of a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name to be resolved.
    Name(String),
}

/// Bytes of a host name at most (RFC 1035, section 2.3.4).
const NAME_LIMIT: usize = 253;

impl FromStr for Enode {
    type Err = InvalidEnode;

    fn from_str(url: &str) -> Result<Self, InvalidEnode> {
        let rest = url.strip_prefix("enode://").ok_or(InvalidEnode::Scheme)?;
        let (id, address) = rest.split_once('@').ok_or(InvalidEnode::NoAddress)?;
        let (address, query) = address.split_once('?').unwrap_or((address, ""));
        let (host, port) = address.rsplit_once(':').ok_or(InvalidEnode::Port)?;
        let tcp_port = port.parse().map_err(|_| InvalidEnode::Port)?;
        let discovery = query.split('&').find_map(|pair| pair.strip_prefix("discport="));
        let udp_port = match discovery {
            Some(port) => port.parse().map_err(|_| InvalidEnode::Port)?,
            None => tcp_port,
        };
        Ok(Self { id: id.parse()?, host: host.parse()?, tcp_port, udp_port })
    }
}

impl fmt::Display for Enode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "enode://{}@{}:{}", self.id, self.host, self.tcp_port)?;
        if self.udp_port != self.tcp_port {
            write!(f, "?discport={}", self.udp_port)?;
        }
        Ok(())
    }
}

impl FromStr for Host {
    type Err = InvalidEnode;

    fn from_str(text: &str) -> Result<Self, InvalidEnode> {
        if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            let address = address.parse().map_err(|_| InvalidEnode::Host)?;
            return Ok(Self::Ip(IpAddr::V6(address)));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(IpAddr::V4(address)));
        }
        let fits = !text.is_empty() && text.len() <= NAME_LIMIT;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if fits && text.bytes().all(plain) {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err(InvalidEnode::Host)
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Why text is no enode URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEnode {
    /// It does not begin with `enode://`.
    #[error("an enode URL begins with enode://")]
    Scheme,
    /// No `@` after the key.
    #[error("an enode URL needs @host:port after the key")]
    NoAddress,
    /// The key is none.
    #[error("bad node id in the enode URL: {0}")]
    Id(#[from] InvalidKey),
    /// Neither an IPv4 address, an IPv6 address in brackets, nor a host name.
    #[error("bad host in the enode URL")]
    Host,
    /// A port is missing or not from 0 to 65535.
    #[error("bad port in the enode URL")]
    Port,
}
