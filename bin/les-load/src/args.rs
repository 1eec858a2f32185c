//! The command line.

use std::path::PathBuf;

use clap::Parser;
use rlpx::Enode;

use crate::kind::Kind;

/// Puts load on a LES server and checks its replies.
///
/// Exit status 1 if a reply was wrong or missing.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// The server, as it prints itself: enode://KEY@HOST:PORT
    pub enode: Enode,
    /// Connections.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// Requests that each connection keeps open.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub window: u32,
    /// How long to measure, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// What to ask for.
    #[arg(long, value_enum, default_value_t = Kind::Wallet)]
    pub kind: Kind,
    /// Accounts, contracts, slots and transactions of the chain, as scripts/make-chain.sh writes
    /// them. Without it, accounts that do not exist are asked for.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Of so many replies, one is verified completely.
    #[arg(long, default_value_t = 100, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub verify_one_in: u64,
    /// Process of the server on this machine: its CPU time and memory are shown.
    #[arg(long, visible_alias = "pid")]
    pub server_pid: Option<u32>,
    /// Seed of what is asked for in which order.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print the figures as JSON.
    #[arg(long)]
    pub json: bool,
}
