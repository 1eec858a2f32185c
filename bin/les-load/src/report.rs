//! The figures of a run.

use std::collections::BTreeMap;
use std::io::Write as _;

use clap::ValueEnum as _;
use hdrhistogram::Histogram;
use serde_json::json;

use crate::error::Error;
use crate::kind::Kind;
use crate::load::Heard;
use crate::process::Usage;

/// Longest latency that is told apart from longer ones, in microseconds: a minute.
const LONGEST_MICROS: u64 = 60_000_000;

/// Messages of one sort that are printed; the rest is a number.
const SHOWN: usize = 5;

/// What one connection, or all together, saw.
#[derive(Debug)]
pub(crate) struct Tally {
    latencies: Histogram<u64>,
    /// Replies that were verified completely and were right.
    pub(crate) verified: u64,
    pub(crate) unanswered: u64,
    pub(crate) stops: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// What was wrong with which reply.
    pub(crate) wrong: Vec<String>,
    /// Why connections did not come about or ended.
    pub(crate) drops: Vec<String>,
}

impl Tally {
    #[expect(clippy::expect_used, reason = "the bounds are constants that it accepts")]
    pub(crate) fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, LONGEST_MICROS, 3).expect("valid bounds");
        Self {
            latencies,
            verified: 0,
            unanswered: 0,
            stops: 0,
            bytes_sent: 0,
            bytes_received: 0,
            wrong: Vec::new(),
            drops: Vec::new(),
        }
    }

    /// Counts a reply that came so long after its request.
    pub(crate) fn reply(&mut self, micros: u64) {
        self.latencies.saturating_record(micros.max(1));
    }

    /// Counts each head at each connection, by how much later it came than at the first.
    pub(crate) fn heads(&mut self, heard: &[Heard]) {
        let mut first = BTreeMap::new();
        for &(hash, at) in heard {
            let earliest = first.entry(hash).or_insert(at);
            *earliest = at.min(*earliest);
        }
        for (hash, at) in heard {
            if let Some(earliest) = first.get(hash) {
                self.reply(at.nanos_since(*earliest) / 1_000);
            }
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // Both have the same bounds, so that nothing can be lost.
        let _ = self.latencies.add(&other.latencies);
        self.verified += other.verified;
        self.unanswered += other.unanswered;
        self.stops += other.stops;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.wrong.extend_from_slice(&other.wrong);
        self.drops.extend_from_slice(&other.drops);
    }
}

/// A finished run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seconds: u64,
    pub(crate) connections: usize,
    pub(crate) kind: Kind,
    pub(crate) tally: Tally,
    /// The server's process before any connection, before the load and after it.
    pub(crate) before_connecting: Option<Usage>,
    pub(crate) before: Option<Usage>,
    pub(crate) after: Option<Usage>,
}

impl Report {
    /// True if every reply came and none was wrong.
    pub(crate) const fn is_right(&self) -> bool {
        self.tally.wrong.is_empty() && self.tally.unanswered == 0
    }

    pub(crate) fn print(&self, as_json: bool) -> Result<(), Error> {
        let mut out = std::io::stdout().lock();
        let text = if as_json { format!("{}\n", self.json()) } else { self.words() };
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::Output)?;
        let mut err = std::io::stderr().lock();
        for (what, messages) in [("wrong", &self.tally.wrong), ("dropped", &self.tally.drops)] {
            for message in messages.iter().take(SHOWN) {
                writeln!(err, "{what}: {message}").map_err(Error::Output)?;
            }
        }
        Ok(())
    }

    fn requests(&self) -> u64 {
        self.tally.latencies.len()
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure to be read, not to be counted with")]
    fn per_request(&self, amount: u64) -> Option<f64> {
        (self.requests() > 0).then(|| amount as f64 / self.requests() as f64)
    }

    fn cpu_per_request(&self) -> Option<f64> {
        let spent = self.after?.cpu_micros.saturating_sub(self.before?.cpu_micros);
        self.per_request(spent)
    }

    /// Growth of the server's resident memory per connection since before the first, in bytes.
    fn resident_per_connection(&self) -> Option<u64> {
        let growth = self.after?.resident.saturating_sub(self.before_connecting?.resident);
        growth.checked_div(u64::try_from(self.connections).ok()?)
    }

    fn kind_name(&self) -> String {
        self.kind.to_possible_value().map(|kind| kind.get_name().to_owned()).unwrap_or_default()
    }

    fn json(&self) -> serde_json::Value {
        let tally = &self.tally;
        json!({
            "kind": self.kind_name(),
            "connections": self.connections,
            "seconds": self.seconds,
            "requests": self.requests(),
            "requestsPerSecond": self.requests() / self.seconds.max(1),
            "p50Micros": tally.latencies.value_at_quantile(0.5),
            "p99Micros": tally.latencies.value_at_quantile(0.99),
            "p999Micros": tally.latencies.value_at_quantile(0.999),
            "maxMicros": tally.latencies.max(),
            "bytesReceived": tally.bytes_received,
            "bytesSent": tally.bytes_sent,
            "stops": tally.stops,
            "drops": tally.drops.len(),
            "verified": tally.verified,
            "wrong": tally.wrong.len(),
            "unanswered": tally.unanswered,
            "cpuMicrosPerRequest": self.cpu_per_request(),
            "residentBytes": self.after.map(|usage| usage.resident),
            "residentBytesPerConnection": self.resident_per_connection(),
        })
    }

    fn words(&self) -> String {
        let tally = &self.tally;
        let mut lines = vec![
            format!(
                "{}: {} requests over {} connections in {} s, {} per second",
                self.kind_name(),
                self.requests(),
                self.connections,
                self.seconds,
                self.requests() / self.seconds.max(1)
            ),
            format!(
                "latency: p50 {} us, p99 {} us, p99.9 {} us, most {} us",
                tally.latencies.value_at_quantile(0.5),
                tally.latencies.value_at_quantile(0.99),
                tally.latencies.value_at_quantile(0.999),
                tally.latencies.max()
            ),
            format!("bytes: {} received, {} sent", tally.bytes_received, tally.bytes_sent),
            format!(
                "replies: {} wrong, {} missing, {} verified completely",
                tally.wrong.len(),
                tally.unanswered,
                tally.verified
            ),
            format!("stops: {}, drops: {}", tally.stops, tally.drops.len()),
        ];
        if let Some(micros) = self.cpu_per_request() {
            lines.push(format!("server CPU: {micros:.1} us per request"));
        }
        if let (Some(usage), Some(each)) = (self.after, self.resident_per_connection()) {
            let total = usage.resident >> 20;
            lines.push(format!("server memory: {total} MiB, {each} bytes more per connection"));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}
