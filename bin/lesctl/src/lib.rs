//! Asks LES servers and believes only what they prove.
//!
//! A library with a thin `main.rs`: [`Client`] is one blocking connection, [`TrustedChain`] says
//! which block hashes are trusted and why, [`run`] is the command line. The rules of the protocol
//! are in `light-client`; here are the socket, the clock and the words.
#![forbid(unsafe_code)]

use std::io::Write;

mod args;
mod ask;
mod client;
mod clock;
mod error;
mod get;
mod print;
mod probe;
mod transaction;
mod trust;

pub use args::Arguments;
pub use client::Client;
pub use error::Error;
pub use trust::{CanonicalHashRoot, Trust, TrustedChain};

/// Carries out a command and writes the answer to `out`.
///
/// # Errors
/// What went wrong, in words that say what to do.
pub fn run(arguments: Arguments, out: &mut dyn Write) -> Result<(), Error> {
    let (report, output) = match arguments.command {
        args::Command::Probe(probe) => (probe::run(&probe)?, probe.output),
        args::Command::Get(get) => (get::run(&get)?, get.output),
    };
    report.write(output.json, out)
}
