//! What `lesd` does, one file a command.

mod database;
mod export;
mod import;
mod init;
mod introduction;
mod node;
mod progress;

use std::{error::Error, path::Path};

use clap::Parser as _;

use crate::{
    args::{Cli, Command, Common, DbCommand, NodeArgs},
    bundled, dev, log,
    settings::{Settings, SettingsError},
};

/// Any failure of a command: its text says what is wrong and what to do.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Runs the command of the command line. Returns the exit code.
pub fn main() -> i32 {
    let result = match Cli::parse().command {
        Command::Node(args) => node::run(*args),
        Command::Init(args) => init::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Db(DbCommand::Stats(args)) => database::stats(&args),
        Command::Db(DbCommand::Verify(args)) => database::verify(&args),
        Command::Db(DbCommand::Repair(args)) => database::repair(&args),
        Command::Genesis(args) if args.dev => {
            dev::genesis_file(args.accounts).map_err(Failure::from).and_then(|text| print(&text))
        }
        Command::Genesis(_) => print(bundled::GENESIS),
        Command::Config(args) => {
            settings(*args).map_err(Failure::from).and_then(|settings| print(&settings.to_toml()))
        }
    };
    match result {
        Ok(()) => 0,
        Err(failure) => {
            complain(&failure);
            1
        }
    }
}

/// Writes to standard output. A closed pipe is the end of the command, not a panic.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

#[allow(clippy::print_stderr, reason = "the one line that says why the program ends")]
fn complain(failure: &Failure) {
    eprintln!("lesd: {failure}");
}

/// Flags and environment, then the file.
fn settings(args: NodeArgs) -> Result<Settings, SettingsError> {
    let file = args.config.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
    let mut settings = args.settings.or(file);
    if args.verbose > 0 {
        settings.verbosity = Some(3u8.saturating_add(args.verbose));
    }
    Ok(settings)
}

/// Memory for caches in bytes, with logging started.
fn prepare(common: &Common) -> (&Path, usize) {
    log::start(log::level(common.verbosity), common.log_format);
    (&common.datadir, common.cache.saturating_mul(1 << 20))
}
