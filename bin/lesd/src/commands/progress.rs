//! Progress of long work: a bar on a terminal, a line every few seconds elsewhere.

use std::{io::IsTerminal as _, path::Path, time::Duration};

use chain_backend::Progress;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    clock::Clock,
    segment_line::{INTERVAL, SegmentLine},
};

/// Reports an import.
#[derive(Debug)]
pub(crate) struct Reporter {
    bar: Option<ProgressBar>,
    clock: Clock,
    last: Shown,
}

#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    at: Duration,
    blocks: u64,
    transactions: u64,
    gas: u64,
}

impl Reporter {
    pub(crate) fn new(file: &Path) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{msg} [{bar:40}] {percent}% {elapsed} elapsed, {eta} to go";
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            ProgressBar::new(0).with_style(style.progress_chars("=> ")).with_message(name)
        });
        Self { bar, clock: Clock::start(), last: Shown::default() }
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.clock.now().0)
    }

    /// Shows where the import is.
    pub(crate) fn report(&mut self, progress: &Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(progress.file_bytes);
            bar.set_position(progress.read);
        } else if self.elapsed().saturating_sub(self.last.at) >= INTERVAL {
            self.line(progress);
        }
    }

    /// Shows the end of the import.
    pub(crate) fn finish(&mut self, progress: Option<&Progress>) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if let Some(progress) = progress {
            self.last = Shown::default();
            self.line(progress);
        }
    }

    fn line(&mut self, progress: &Progress) {
        let now = self.elapsed();
        SegmentLine {
            blocks: progress.blocks.saturating_sub(self.last.blocks),
            known: progress.known,
            transactions: progress.transactions.saturating_sub(self.last.transactions),
            gas: progress.gas.saturating_sub(self.last.gas),
            elapsed: now.saturating_sub(self.last.at),
        }
        .log(progress.number, &progress.hash);
        self.last = Shown {
            at: now,
            blocks: progress.blocks,
            transactions: progress.transactions,
            gas: progress.gas,
        };
    }
}
