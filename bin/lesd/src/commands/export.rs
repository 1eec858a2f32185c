//! `lesd export`.

use tracing::info;

use super::{Failure, prepare};
use crate::{args::ExportArgs, data_directory};

/// Blocks between two lines.
const LINE_EVERY: u64 = 100_000;

pub(super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let (directory, cache) = prepare(&args.common);
    if args.file.exists() {
        return Err(format!("{} exists already; remove it first", args.file.display()).into());
    }
    let chain = data_directory::open(directory, cache)?;
    let head = chain.store.head().number;
    let last = args.last.unwrap_or(head);
    if args.first > last || last > head {
        return Err(format!("no blocks from {} to {last}: the head is {head}", args.first).into());
    }
    let mut report = |number: u64| {
        if number.is_multiple_of(LINE_EVERY) && number > args.first {
            info!(number, last, "Exporting blocks");
        }
    };
    let blocks = chain.store.export(&args.file, args.first, last, &mut report)?;
    info!(blocks, file = %args.file.display(), "Exported blocks");
    Ok(())
}
