//! Log lines, in the shape that go-ethereum's operators already read and match.

use std::fmt::{self, Write as _};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tracing::{Event, Level, Subscriber, field::Field, field::Visit};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `INFO [11-22|18:53:57.120] message  key=value`.
    #[default]
    Terminal,
    /// `t=… lvl=info msg="…" key=value`.
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// Sends log lines of `level` and above to standard error. `RUST_LOG` overrides the level. A second
/// call in one process changes nothing.
pub fn start(level: Level, format: LogFormat) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(level.to_string().to_lowercase()));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Terminal | LogFormat::Logfmt => {
            builder.event_format(Line { logfmt: format == LogFormat::Logfmt }).try_init()
        }
    };
    drop(started);
}

/// Level of go-ethereum's `--verbosity`: 0 and 1 errors, 2 warnings, 3 info, 4 debug, 5 trace.
pub fn level(verbosity: u8) -> Level {
    match verbosity {
        0 | 1 => Level::ERROR,
        2 => Level::WARN,
        3 => Level::INFO,
        4 => Level::DEBUG,
        5.. => Level::TRACE,
    }
}

/// Width to which messages are padded, so that keys line up as in go-ethereum.
const MESSAGE_WIDTH: usize = 40;

struct Line {
    logfmt: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let now = jiff::Zoned::now();
        let level = event.metadata().level();
        if self.logfmt {
            let name = level.as_str().to_lowercase();
            let time = now.strftime("%Y-%m-%dT%H:%M:%S%z");
            writeln!(writer, "t={time} lvl={name} msg={:?}{}", fields.message, fields.rest)
        } else {
            let time = now.strftime("%m-%d|%H:%M:%S%.3f");
            let message = fields.message;
            let width = if fields.rest.is_empty() { 0 } else { MESSAGE_WIDTH };
            writeln!(writer, "{level:<5} [{time}] {message:<width$}{}", fields.rest)
        }
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Fields {
    fn push(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = value.to_owned();
        } else if value.is_empty() || value.contains([' ', '"', '=', '\n']) {
            let _ = write!(self.rest, " {}={value:?}", field.name());
        } else {
            let _ = write!(self.rest, " {}={value}", field.name());
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbosity_has_the_meaning_it_has_in_go_ethereum() {
        for (verbosity, expected) in [
            (0, Level::ERROR),
            (2, Level::WARN),
            (3, Level::INFO),
            (4, Level::DEBUG),
            (9, Level::TRACE),
        ] {
            assert_eq!(level(verbosity), expected, "{verbosity}");
        }
    }
}
