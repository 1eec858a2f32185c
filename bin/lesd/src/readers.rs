//! Threads for reads that may block. As many as the engine has reader slots, so none ever waits
//! here for long.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use parking_lot::{Condvar, Mutex};
use tracing::error;

use crate::driver::{Running, Waiting};

/// Work for the threads. The engine hands out no more than there are threads.
#[derive(Clone, Debug)]
pub(crate) struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    threads: u32,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<(Running, Waiting)>,
    stopped: bool,
}

impl Readers {
    /// So many threads, once they are started.
    pub(crate) fn new(threads: u32) -> Self {
        let (state, work) = (Mutex::default(), Condvar::default());
        Self(Arc::new(Shared { threads, state, work }))
    }

    /// How many threads there are.
    pub(crate) fn threads(&self) -> u32 {
        self.0.threads
    }

    /// Gives a job to the next free thread.
    pub(crate) fn hand(&self, running: Running, waiting: Waiting) {
        let mut state = self.0.state.lock();
        if !state.stopped {
            state.jobs.push_back((running, waiting));
            drop(state);
            self.0.work.notify_one();
        }
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// If the system has no more threads.
    pub(crate) fn start(&self) -> io::Result<Vec<thread::JoinHandle<()>>> {
        (0..self.0.threads)
            .map(|number| {
                let readers = self.clone();
                let name = format!("reader-{number}");
                thread::Builder::new().name(name).spawn(move || readers.run())
            })
            .collect()
    }

    fn run(&self) {
        let mut out = Vec::new();
        while let Some((running, waiting)) = self.next() {
            // A panic costs the one connection, not a thread that the engine counts on. The job
            // gives its slot back as it is dropped, and nothing else is shared.
            let read = AssertUnwindSafe(|| running.read_for_inbox(&waiting, &mut out));
            if catch_unwind(read).is_err() {
                error!("A read panicked");
                out = Vec::new();
            }
        }
    }

    fn next(&self) -> Option<(Running, Waiting)> {
        let mut state = self.0.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.stopped {
                return None;
            }
            self.0.work.wait(&mut state);
        }
    }

    /// Lets the threads end when there is nothing left to read.
    pub(crate) fn stop(&self) {
        self.0.state.lock().stopped = true;
        self.0.work.notify_all();
    }
}
