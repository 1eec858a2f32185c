//! The thread that builds helper tries while the node serves.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use chain_backend::{BackendError, HelperStep, HelperTrieBuilder, Store};
use tracing::{error, info};

use crate::HeadListener;

/// A builder on a thread of its own. Dropping it ends the thread after the step under way.
#[derive(Debug)]
pub(crate) struct Builder {
    stop: Arc<AtomicBool>,
    /// Holds one wake-up: one that comes while the thread works is not lost, a second adds nothing.
    wake: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Builder {
    /// Builds every section that the chain completes now, and again each time it is woken.
    pub(crate) fn start(store: Arc<Store>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (wake, woken) = sync_channel(1);
        let thread = thread::Builder::new().name("helper-tries".to_owned()).spawn(move || {
            if let Err(error) = build(&mut HelperTrieBuilder::new(store), &stopped, &woken) {
                error!(%error, "Cannot build helper tries");
            }
        })?;
        Ok(Self { stop, wake, thread: Some(thread) })
    }

    /// Looks for a section to build after every new head.
    pub(crate) fn waker(&self) -> HeadListener {
        let wake = self.wake.clone();
        Box::new(move |_| {
            let _woken_already = wake.try_send(());
        })
    }
}

fn build(
    builder: &mut HelperTrieBuilder,
    stop: &AtomicBool,
    woken: &Receiver<()>,
) -> Result<(), BackendError> {
    while !stop.load(Ordering::Relaxed) {
        match builder.step()? {
            HelperStep::Idle => {
                if woken.recv().is_err() {
                    return Ok(());
                }
            }
            HelperStep::Reading { .. } => {}
            HelperStep::Built { section } => info!(section, "Built a helper-trie section"),
        }
    }
    Ok(())
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _woken_already = self.wake.try_send(());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("The thread of the helper tries had panicked");
        }
    }
}
