//! What `lesd node` prints: where it is, and what to type to connect.

use std::path::Path;

use crate::{
    Node,
    dev::{DevChain, MNEMONIC, Period},
};

/// Which chain is served.
#[derive(Clone, Copy, Debug)]
pub(super) enum Served<'a> {
    /// The small one that comes with the program.
    Bundled,
    /// The operator's.
    Own,
    /// One that this process makes.
    Dev(&'a DevChain, Period),
}

/// The text for a node that serves a chain of `directory`.
pub(super) fn text(node: &Node, network_id: u64, served: Served<'_>, directory: &Path) -> String {
    let enode = node.enode().to_string();
    let record = node.record().map(|record| format!("{record}\n")).unwrap_or_default();
    let how = match served {
        Served::Bundled => connect(
            "Serving the bundled chain; `lesd genesis > genesis.json` writes its genesis file.",
            "genesis.json",
            network_id,
            &enode,
        ),
        Served::Own => connect(
            "Serving your chain; GENESIS.json is its genesis file.",
            "GENESIS.json",
            network_id,
            &enode,
        ),
        Served::Dev(chain, period) => dev(chain, period, network_id, &enode, directory),
    };
    format!("{enode}\n{record}\n{how}\nData directory: {}\n", directory.display())
}

fn connect(chain: &str, genesis: &str, network_id: u64, enode: &str) -> String {
    let elsewhere = if enode.contains("@127.0.0.1:") {
        "From another machine, put this one's address in place of 127.0.0.1; with \
         `--nat extip:ADDRESS` it is there from the start.\n\n"
    } else {
        ""
    };
    format!(
        "{chain}\nTo connect with go-ethereum 1.10 or 1.12:\n\n  \
         geth --datadir light init {genesis}\n  \
         geth --datadir light --syncmode light --networkid {network_id} --nodiscover --port 0 &\n  \
         geth attach --exec 'admin.addPeer(\"{enode}\")' light/geth.ipc\n\n\
         {elsewhere}Or ask it directly:\n\n  lesctl probe '{enode}'\n"
    )
}

/// Every command can be pasted as it is, in this order, into a shell in any directory.
fn dev(chain: &DevChain, period: Period, network_id: u64, enode: &str, directory: &Path) -> String {
    let files = &chain.files;
    let light = quoted(&directory.join("geth"));
    let socket = quoted(&directory.join("geth").join("geth.ipc"));
    let (genesis, password) = (quoted(&files.genesis()), quoted(&files.password()));
    let key = quoted(&files.key(0));
    let address = |account: Option<&crate::dev::DevAccount>| {
        account.map(|account| account.address.to_string()).unwrap_or_default()
    };
    let (from, to) = (address(chain.accounts.first()), address(chain.accounts.last()));
    let accounts: String = chain
        .accounts
        .iter()
        .enumerate()
        .map(|(index, account)| format!("  {index:>3}  {}  {}\n", account.address, account.key))
        .collect();
    format!(
        "Development chain {network_id}, {period}. Accounts of 10000 ether each, with their\n\
         keys, which everybody knows: send them nothing of value on another chain.\n\n\
         {accounts}\n  mnemonic: {MNEMONIC}\n\n\
         To follow it with go-ethereum 1.10 or 1.12, and send from account 0 (go on after the\n\
         third command when it has logged \"Unlocked account\"):\n\n  \
         geth --datadir {light} init {genesis}\n  \
         geth --datadir {light} account import --password {password} {key}\n  \
         geth --datadir {light} --syncmode light --networkid {network_id} --nodiscover --port 0 \
         --authrpc.port 0 --unlock {from} --password {password} &\n  \
         geth attach --exec 'admin.addPeer(\"{enode}\")' {socket}\n  \
         geth attach --exec 'eth.sendTransaction({{from: \"{from}\", to: \"{to}\", \
         value: web3.toWei(1, \"ether\")}})' {socket}\n\n\
         The last one prints a hash. The receipt is read in the console, which this opens, with\n\
         eth.getTransactionReceipt(HASH):\n\n  geth attach {socket}\n\n\
         Or ask the server directly:\n\n  \
         lesctl probe '{enode}'\n  \
         lesctl get '{enode}' balance {from} --genesis {genesis}\n"
    )
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,@%".contains(&byte);
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(quoted(Path::new(path)), expected);
        let mut shell = std::process::Command::new("sh");
        let echoed = shell.arg("-c").arg(format!("printf %s {expected}"));
        assert_eq!(String::from_utf8(echoed.output().unwrap().stdout).unwrap(), path);
    }

    #[test]
    fn a_shell_reads_a_quoted_path_as_it_is() {
        check("/tmp/lesd-a1B2/dev/genesis.json", "/tmp/lesd-a1B2/dev/genesis.json");
        check("/home/me/my chain", "'/home/me/my chain'");
        check("it's $HOME", r"'it'\''s $HOME'");
    }
}
