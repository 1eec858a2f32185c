//! `lesd import`.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use chain_backend::{Importer, SealCaches};
use tracing::{info, warn};

use super::{Failure, prepare, progress::Reporter};
use crate::{
    args::ImportArgs,
    data_directory::{self, Chain},
};

pub(super) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let (directory, cache) = prepare(&args.common);
    let chain = data_directory::open(directory, cache)?;
    let stop = stop_on_signal()?;
    files(&chain, args.fakepow, &args.files, &stop)?;
    Ok(())
}

/// Set by the first SIGINT or SIGTERM: the block under way is finished, then the command ends.
fn stop_on_signal() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // A second signal ends the process at once.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Imports files one after the other. Returns whether it was stopped before the end.
pub(super) fn files<P: AsRef<Path>>(
    chain: &Chain,
    fake_pow: bool,
    files: &[P],
    stop: &AtomicBool,
) -> Result<bool, Failure> {
    let (store, spec) = (Arc::clone(&chain.store), Arc::clone(&chain.spec));
    let mut importer = Importer::new(store, spec, SealCaches::new(fake_pow));
    for file in files {
        let file = file.as_ref();
        info!(file = %file.display(), "Importing blockchain");
        let mut reporter = Reporter::new(file);
        let mut last = None;
        let imported = importer.import_file(file, stop, &mut |progress| {
            last = Some(*progress);
            reporter.report(progress);
        });
        reporter.finish(last.as_ref());
        let summary = imported.map_err(|error| format!("{}: {error}", file.display()))?;
        if summary.stopped {
            warn!("Import interrupted; the same command goes on from here");
            return Ok(true);
        }
    }
    let head = chain.store.head();
    info!(number = head.number, hash = %head.hash, "Import done");
    Ok(false)
}
