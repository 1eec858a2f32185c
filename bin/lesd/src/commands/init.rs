//! `lesd init`.

use tracing::info;

use super::{Failure, prepare};
use crate::{
    args::InitArgs,
    data_directory::{self, Initialised},
};

pub(super) fn run(args: &InitArgs) -> Result<(), Failure> {
    let (directory, cache) = prepare(&args.common);
    let (chain, initialised) = data_directory::init(directory, &args.genesis, args.archive, cache)?;
    let hash = chain.store.genesis_hash();
    let directory = directory.display();
    match initialised {
        Initialised::New => info!(genesis = %hash, %directory, "Initialised a new chain"),
        Initialised::Already => {
            info!(genesis = %hash, %directory, "The directory holds this chain already");
        }
    }
    Ok(())
}
