//! Where JSON-RPC is spoken, as an operator chose it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use eth_rpc::{Namespace, Namespaces};

use super::HttpRules;
use crate::{config::ConfigError, settings::Settings};

/// Name of the Unix socket in the data directory.
const DEFAULT_IPC: &str = "lesd.ipc";
/// go-ethereum's port.
const DEFAULT_PORT: u16 = 8545;

/// Where JSON-RPC is spoken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonRpcConfig {
    /// The Unix socket; a bare name is one in the data directory.
    pub ipc: Option<PathBuf>,
    /// HTTP.
    pub http: Option<HttpConfig>,
}

/// How HTTP is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// What may be asked.
    pub namespaces: Namespaces,
    /// Who may ask.
    pub rules: HttpRules,
}

impl JsonRpcConfig {
    pub(crate) fn of(raw: &Settings) -> Result<Self, ConfigError> {
        let ipc = raw.ipcpath.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_IPC));
        let ipc = (raw.ipcdisable != Some(true)).then_some(ipc);
        let http = if raw.http == Some(true) { Some(http(raw)?) } else { None };
        Ok(Self { ipc, http })
    }

    /// Where the Unix socket is.
    pub(crate) fn ipc_path(&self, directory: &Path) -> Option<PathBuf> {
        let path = self.ipc.as_ref()?;
        let is_bare = path.components().count() == 1;
        Some(if is_bare { directory.join(path) } else { path.clone() })
    }
}

fn http(raw: &Settings) -> Result<HttpConfig, ConfigError> {
    let namespaces = match &raw.http_api {
        None => vec![Namespace::Eth, Namespace::Net, Namespace::Web3],
        Some(names) => names
            .iter()
            .map(|name| Namespace::named(name.trim()).ok_or(ConfigError::HttpApi))
            .collect::<Result<_, _>>()?,
    };
    let address = raw.http_addr.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let names = |list: &Option<Vec<String>>| -> Vec<String> {
        let list = list.iter().flatten().map(|name| name.trim().to_owned());
        list.filter(|name| !name.is_empty()).collect()
    };
    let mut virtual_hosts = names(&raw.http_vhosts);
    if raw.http_vhosts.is_none() {
        virtual_hosts.push("localhost".to_owned());
    }
    Ok(HttpConfig {
        listen: SocketAddr::new(address, raw.http_port.unwrap_or(DEFAULT_PORT)),
        namespaces: Namespaces::of(namespaces),
        rules: HttpRules { virtual_hosts, origins: names(&raw.http_corsdomain) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_off_and_local_and_without_admin_unless_asked() {
        let raw = Settings::default;
        assert_eq!(JsonRpcConfig::of(&raw()).unwrap().http, None);
        let on = JsonRpcConfig::of(&Settings { http: Some(true), ..raw() }).unwrap();
        let http = on.http.unwrap();
        assert_eq!(http.listen.to_string(), "127.0.0.1:8545");
        let expected = Namespaces::of([Namespace::Eth, Namespace::Net, Namespace::Web3]);
        assert_eq!(http.namespaces, expected);
        assert_eq!(http.rules.virtual_hosts, ["localhost"]);
        let unknown =
            Settings { http: Some(true), http_api: Some(vec!["debug".to_owned()]), ..raw() };
        assert_eq!(JsonRpcConfig::of(&unknown), Err(ConfigError::HttpApi));
    }

    #[test]
    fn a_bare_name_is_a_socket_in_the_data_directory() {
        let of = |path: &str| {
            let raw = Settings { ipcpath: Some(path.into()), ..Settings::default() };
            JsonRpcConfig::of(&raw).unwrap().ipc_path(Path::new("/data")).unwrap()
        };
        assert_eq!(of("a.ipc"), Path::new("/data/a.ipc"));
        assert_eq!(of("/run/a.ipc"), Path::new("/run/a.ipc"));
        let off = Settings { ipcdisable: Some(true), ..Settings::default() };
        assert_eq!(JsonRpcConfig::of(&off).unwrap().ipc, None);
    }
}
