//! `consensus-vectors DIR`: runs every BlockchainTests file under a folder.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

#[path = "../tests/vectors/mod.rs"]
mod vectors;

use std::{collections::BTreeMap, env, path::Path, process::ExitCode};

use vectors::Verdict;

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1) else {
        eprintln!("usage: consensus-vectors DIR");
        return ExitCode::from(2);
    };
    let outcomes = match vectors::run_folder(Path::new(&folder)) {
        Ok(outcomes) => outcomes,
        Err(error) => {
            eprintln!("{}: {error}", Path::new(&folder).display());
            return ExitCode::from(2);
        }
    };
    let (mut passed, mut failed) = (0, 0);
    let mut skipped: BTreeMap<String, u64> = BTreeMap::new();
    for outcome in outcomes {
        match outcome.verdict {
            Verdict::Passed => passed += 1,
            Verdict::Failed(reason) => {
                failed += 1;
                println!("FAILED {}: {reason}", outcome.test);
            }
            Verdict::Skipped(reason) => *skipped.entry(reason).or_default() += 1,
        }
    }
    for (reason, count) in &skipped {
        println!("skipped {count}: {reason}");
    }
    let skipped: u64 = skipped.values().sum();
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    // A folder without any test proves nothing.
    ExitCode::from(u8::from(failed > 0 || passed == 0))
}
