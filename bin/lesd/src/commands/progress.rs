//! Progress of long work: a bar on a terminal, a line every few seconds elsewhere.

use std::{io::IsTerminal as _, path::Path, time::Duration};

use chain_backend::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use tracing::info;

use crate::clock::Clock;

/// Time between two lines (go-ethereum's).
const INTERVAL: Duration = Duration::from_secs(8);

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
        let elapsed = now.saturating_sub(self.last.at);
        let gas = progress.gas.saturating_sub(self.last.gas);
        let mgas_per_second = rate(gas, elapsed);
        info!(
            number = progress.number,
            hash = %progress.hash,
            blocks = progress.blocks.saturating_sub(self.last.blocks),
            known = progress.known,
            txs = progress.transactions.saturating_sub(self.last.transactions),
            mgas = %format!("{:.3}", thousandths(gas)),
            elapsed = %format!("{:.3}s", elapsed.as_secs_f64()),
            mgasps = %format!("{mgas_per_second:.3}"),
            "Imported new chain segment"
        );
        self.last = Shown {
            at: now,
            blocks: progress.blocks,
            transactions: progress.transactions,
            gas: progress.gas,
        };
    }
}

/// Millions of gas, to three places.
fn thousandths(gas: u64) -> f64 {
    f64::from(u32::try_from(gas / 1000).unwrap_or(u32::MAX)) / 1000.0
}

fn rate(gas: u64, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 { thousandths(gas) / seconds } else { 0.0 }
}
