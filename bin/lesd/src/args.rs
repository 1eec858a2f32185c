//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    dev::{DEFAULT_ACCOUNTS, MAX_ACCOUNTS},
    log::LogFormat,
    settings::Settings,
};

/// Serves Ethereum light clients over devp2p (LES/2 to LES/4).
#[derive(Parser, Debug)]
#[command(name = "lesd", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `lesd` can do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve light clients
    ///
    /// With --dev it makes a chain of its own. Without --dev and --datadir a small bundled chain is
    /// served from a temporary directory.
    Node(Box<NodeArgs>),
    /// Make a data directory for the chain of a go-ethereum genesis file
    ///
    /// Does nothing if it is there already, and refuses a directory of another chain.
    Init(InitArgs),
    /// Execute, check and store the blocks of chain files
    ///
    /// Blocks that are stored already are skipped, so an interrupted import goes on where it was.
    Import(ImportArgs),
    /// Write canonical blocks to a file, compressed if it ends in .gz
    Export(ExportArgs),
    /// Look into a data directory
    #[command(subcommand)]
    Db(DbCommand),
    /// Print the genesis file of the bundled chain, or with --dev of a development chain
    ///
    /// The keys of a development chain's accounts are public: everybody can spend what they hold.
    Genesis(GenesisArgs),
    /// Print the settings of `lesd node` that result from file, environment and flags, as a file
    Config(Box<NodeArgs>),
}

/// `lesd node`.
#[derive(Args, Debug)]
pub struct NodeArgs {
    /// TOML file with settings; flags and LESD_* variables override it
    #[arg(long, value_name = "FILE", env = "LESD_CONFIG")]
    pub config: Option<PathBuf>,

    /// More log lines: -v debug, -vv trace
    #[arg(short = 'v', action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// The settings.
    #[command(flatten)]
    pub settings: Settings,
}

/// Where the chain is, and how to log.
#[derive(Args, Debug)]
pub struct Common {
    /// Directory of the chain
    #[arg(long, value_name = "DIR", env = "LESD_DATADIR")]
    pub datadir: PathBuf,

    /// Memory for caches, in MiB
    #[arg(long, value_name = "MIB", env = "LESD_CACHE", default_value_t = 512)]
    pub cache: usize,

    /// Log level: 1 errors, 2 warnings, 3 info, 4 debug, 5 trace
    #[arg(long, value_name = "LEVEL", env = "LESD_VERBOSITY", default_value_t = 3)]
    pub verbosity: u8,

    /// Shape of log lines
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "terminal")]
    pub log_format: LogFormat,
}

/// `lesd init`.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// Where.
    #[command(flatten)]
    pub common: Common,
    /// Keep the state of every block, not just of the last 128
    #[arg(long)]
    pub archive: bool,
    /// go-ethereum genesis file
    pub genesis: PathBuf,
}

/// `lesd genesis`.
#[derive(Args, Clone, Copy, Debug)]
pub struct GenesisArgs {
    /// Of the chain that `lesd node --dev` makes
    #[arg(long)]
    pub dev: bool,

    /// Number of funded accounts
    #[arg(
        long = "dev.accounts", value_name = "N", requires = "dev",
        default_value_t = DEFAULT_ACCOUNTS,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_ACCOUNTS))
    )]
    pub accounts: u32,
}

/// `lesd import`.
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// Where.
    #[command(flatten)]
    pub common: Common,
    /// Do not check proof-of-work seals
    #[arg(long)]
    pub fakepow: bool,
    /// Chain files: concatenated block RLP, or that in gzip (.gz)
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

/// `lesd export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Where.
    #[command(flatten)]
    pub common: Common,
    /// File to write; it must not exist
    pub file: PathBuf,
    /// First block
    #[arg(default_value_t = 0)]
    pub first: u64,
    /// Last block [default: the head]
    pub last: Option<u64>,
}

/// `lesd db`.
#[derive(Subcommand, Debug)]
pub enum DbCommand {
    /// Print head, sizes and checkpoint
    Stats(StatsArgs),
    /// Check every stored byte: checksums, links, roots and trie nodes
    Verify(VerifyArgs),
    /// Cut the chain before damage that keeps a data directory from being opened
    ///
    /// The blocks behind it are lost and must be imported again. Keep a copy of the directory.
    Repair(VerifyArgs),
}

/// `lesd db stats`.
#[derive(Args, Debug)]
pub struct StatsArgs {
    /// Where.
    #[command(flatten)]
    pub common: Common,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `lesd db verify` and `lesd db repair`.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// Where.
    #[command(flatten)]
    pub common: Common,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn settings_have_the_same_names_as_flags_and_as_keys() {
        let cli = Cli::try_parse_from(["lesd", "node", "--light.maxpeers", "5", "-d"]).unwrap();
        let Command::Node(args) = cli.command else { panic!("{cli:?}") };
        assert_eq!(args.settings.light_max_peers, Some(5));
        assert_eq!(args.settings.nodiscover, Some(true));
        assert!(args.settings.to_toml().contains("light.maxpeers = 5"), "{:?}", args.settings);
    }
    #[test]
    fn a_development_genesis_has_from_1_to_100_accounts() {
        let parses = |arguments: &[&str]| {
            Cli::try_parse_from(["lesd", "genesis"].iter().chain(arguments)).is_ok()
        };
        assert!(parses(&[]) && parses(&["--dev"]));
        assert!(parses(&["--dev", "--dev.accounts", "1"]));
        assert!(parses(&["--dev", "--dev.accounts", "100"]));
        assert!(!parses(&["--dev", "--dev.accounts", "0"]));
        assert!(!parses(&["--dev", "--dev.accounts", "101"]));
        assert!(!parses(&["--dev.accounts", "1"]), "of which chain?");
    }
}
