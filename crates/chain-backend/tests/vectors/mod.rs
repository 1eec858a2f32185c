//! Runs consensus tests in the format of `ethereum/tests`: whole chains with their genesis state,
//! blocks that are valid or not, the expected head and its state. Every block goes through the
//! real import into a real store.

mod case;
mod json;
mod network;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
};
use serde_json::Value;

/// How one test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

/// One test: file, name, verdict.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) test: String,
    pub(crate) verdict: Verdict,
}

/// Runs every BlockchainTests file under a folder, in the order of their names.
pub(crate) fn run_folder(folder: &Path) -> io::Result<Vec<Outcome>> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let outcomes: Vec<_> =
        files.par_iter().with_max_len(1).map(|file| run_file(folder, file)).collect();
    Ok(outcomes.into_iter().flatten().collect())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    Ok(())
}

fn run_file(folder: &Path, file: &Path) -> Vec<Outcome> {
    let name = file.strip_prefix(folder).unwrap_or(file).display().to_string();
    let parsed: Result<Value, String> = fs::read(file)
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()));
    let tests = match parsed {
        Ok(tests) => tests,
        Err(error) => return vec![Outcome { test: name, verdict: Verdict::Failed(error) }],
    };
    let Some(tests) = tests.as_object() else { return Vec::new() };
    // Folders hold files of other formats, too: a chain test is told by its fields.
    let chains = tests.iter().filter(|(_, test)| {
        test.get("blocks").is_some() && test.get("genesisBlockHeader").is_some()
    });
    chains
        .map(|(test, content)| Outcome {
            test: format!("{name} {test}"),
            verdict: case::run(content),
        })
        .collect()
}
