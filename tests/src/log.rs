//! What servers in this process write to their log.

use std::{
    io,
    sync::{Condvar, Mutex, OnceLock},
    time::Duration,
};

use tracing_subscriber::EnvFilter;

/// A server that has something to say says it within this, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lines since [`Log::capture`], of all servers of this process.
#[derive(Default)]
pub struct Log {
    lines: Mutex<Vec<String>>,
    written: Condvar,
}

impl Log {
    /// Begins to keep what is written, of level info and above.
    pub fn capture() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        static STARTED: OnceLock<()> = OnceLock::new();
        let log = LOG.get_or_init(Self::default);
        STARTED.get_or_init(|| {
            tracing_subscriber::fmt()
                .with_env_filter(EnvFilter::new("lesd=info"))
                .with_ansi(false)
                .with_writer(move || Writer(log))
                .init();
        });
        log
    }

    /// The first line in which all these words occur; waits for it.
    pub fn await_line(&self, words: &[&str]) -> String {
        let lines = self.lines.lock().expect("no panic");
        let absent = |lines: &mut Vec<String>| find(lines, words).is_none();
        let waited = self.written.wait_timeout_while(lines, PATIENCE, absent);
        let (lines, _) = waited.expect("no panic");
        find(&lines, words).unwrap_or_else(|| panic!("no line with {words:?}: {lines:#?}"))
    }

    /// A line in which all these words occur, if there is one already.
    pub fn find(&self, words: &[&str]) -> Option<String> {
        find(&self.lines.lock().expect("no panic"), words)
    }
}

fn find(lines: &[String], words: &[&str]) -> Option<String> {
    lines.iter().find(|line| words.iter().all(|word| line.contains(word))).cloned()
}

/// Takes one line at a time, as `tracing_subscriber::fmt` writes them.
struct Writer(&'static Log);

impl io::Write for Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lines.lock().expect("no panic").push(String::from_utf8_lossy(line).into_owned());
        self.0.written.notify_all();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
