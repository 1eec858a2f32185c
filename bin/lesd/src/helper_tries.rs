//! The thread that builds helper tries while the node serves.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use chain_backend::{BackendError, HelperStep, HelperTrieBuilder, Store};
use tracing::{error, info};

/// A builder on a thread of its own. Dropping it ends the thread after the step under way.
#[derive(Debug)]
pub(crate) struct Builder {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Builder {
    /// Builds every section that the chain completes now.
    pub(crate) fn start(store: Arc<Store>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("helper-tries".to_owned()).spawn(move || {
            if let Err(error) = build(&mut HelperTrieBuilder::new(store), &stopped) {
                error!(%error, "Cannot build helper tries");
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

fn build(builder: &mut HelperTrieBuilder, stop: &AtomicBool) -> Result<(), BackendError> {
    while !stop.load(Ordering::Relaxed) {
        match builder.step()? {
            HelperStep::Idle => return Ok(()),
            HelperStep::Reading { .. } => {}
            HelperStep::Built { section } => info!(section, "Built a helper-trie section"),
        }
    }
    Ok(())
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("The thread of the helper tries had panicked");
        }
    }
}
