//! Puts load on a LES server, within flow control, and believes no reply unchecked.
//!
//! A number of connections each keep a window of requests open, of one kind or of the wallet mix,
//! for a number of seconds. Every reply is decoded and compared with what was asked, and a share
//! of them is verified completely against the server's head. The run fails if one of them is
//! wrong. It works against any LES server; nothing of a server's insides is used but its process
//! id, to read its CPU time and memory from the kernel.
#![forbid(unsafe_code)]

mod args;
mod check;
mod clock;
mod error;
mod kind;
mod load;
mod manifest;
mod peer;
mod process;
mod random;
mod report;
mod sample;

pub use args::Arguments;
pub use error::{Error, Wrong};
pub use kind::Kind;

/// Carries out a run and prints its figures; true if no reply was wrong or missing.
///
/// # Errors
/// Whatever kept the run from taking place, in words that say what to do.
pub fn run(arguments: &Arguments) -> Result<bool, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let report = runtime.block_on(load::run(arguments))?;
    report.print(arguments.json)?;
    Ok(report.is_right())
}
