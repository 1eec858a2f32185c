//! The text format of Prometheus, version 0.0.4: one `# HELP` and `# TYPE` before each family.

use std::fmt::{Display, Write as _};

/// What a family is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

/// A page of figures. Names, labels and helps are constants without characters to escape.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// Begins a family.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = kind.name();
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    /// A family with one figure.
    pub(super) fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.plain(name, value);
    }

    /// A figure without a label.
    pub(super) fn plain(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("{name} {value}"));
    }

    /// A figure with one label.
    pub(super) fn labelled(&mut self, name: &str, label: (&str, &str), value: impl Display) {
        let (key, word) = label;
        self.line(format_args!("{name}{{{key}=\"{word}\"}} {value}"));
    }

    /// A figure with two.
    pub(super) fn labelled_twice(
        &mut self,
        name: &str,
        labels: [(&str, &str); 2],
        value: impl Display,
    ) {
        let [(key, word), (second, other)] = labels;
        self.line(format_args!("{name}{{{key}=\"{word}\",{second}=\"{other}\"}} {value}"));
    }

    /// The page.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _written = writeln!(self.0, "{line}");
    }
}
