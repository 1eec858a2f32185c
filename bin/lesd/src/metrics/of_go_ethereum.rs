//! Figures under go-ethereum's names (`les/metrics.go`, `les/vflux/server/metrics.go` of 1.10.26),
//! for dashboards that exist.

use std::sync::atomic::Ordering::Relaxed;

use les_wire::RequestKind;

use super::{
    Observed,
    counters::{BOUNDS, BUCKETS, Counters, HandshakeFailure, OfKind, label},
    exported::Field,
    text::{Kind, Page},
};

/// What is written of the times of a summary: go-ethereum's, as far as buckets can tell.
const QUANTILES: [(u64, &str); 4] = [(50, "0.5"), (75, "0.75"), (95, "0.95"), (99, "0.99")];

pub(super) fn write(page: &mut Page, observed: &Observed, counters: &Counters) {
    traffic(page, counters);
    times(page, counters);
    clients(page, observed, counters);
    let handle = &observed.handle;
    let head = handle.shared().driver.backend().snapshot().head().number;
    page.single("chain_head_block", Kind::Gauge, "Number of the head.", head);
    let help = "Peers of every kind.";
    page.single("p2p_peers", Kind::Gauge, help, handle.peers().len());
}

fn traffic(page: &mut Page, counters: &Counters) {
    let groups: [(&str, &str, Field); 4] = [
        ("les_misc_in_packets", "Requests received", |of| &of.requests),
        ("les_misc_in_traffic", "Bytes of requests received", |of| &of.request_bytes),
        ("les_misc_out_packets", "Replies made", |of| &of.replies),
        ("les_misc_out_traffic", "Bytes of replies made", |of| &of.reply_bytes),
    ];
    for (group, help, field) in groups {
        let mut total = 0_u64;
        for kind in RequestKind::ALL {
            let value = field(counters.of(kind)).load(Relaxed);
            total = total.saturating_add(value);
            let help = format!("{help}, {}.", label(kind));
            page.single(&format!("{group}_{}", label(kind)), Kind::Counter, &help, value);
        }
        page.single(&format!("{group}_total"), Kind::Counter, &format!("{help}, all."), total);
    }
}

fn times(page: &mut Page, counters: &Counters) {
    let mut together = Times::default();
    for kind in RequestKind::ALL {
        let times = Times::of(counters.of(kind));
        let help = format!("Time to serve, nanoseconds, {}.", label(kind));
        times.write(page, &format!("les_misc_serve_{}", label(kind)), &help);
        match kind {
            // go-ethereum leaves these out: they wait for its pool and not for its database.
            RequestKind::SendTx | RequestKind::TxStatus => {}
            RequestKind::Headers
            | RequestKind::Bodies
            | RequestKind::Receipts
            | RequestKind::Code
            | RequestKind::Proofs
            | RequestKind::HelperTrieProofs => together.add(&times),
        }
    }
    let help = "Time to serve, nanoseconds, all but txs and txStatus.";
    together.write(page, "les_server_req_servedTime", help);
    let help = "Nanoseconds of serving, all but txs and txStatus.";
    page.single("les_server_req_avgServedTime", Kind::Counter, help, together.nanos);
}

fn clients(page: &mut Page, observed: &Observed, counters: &Counters) {
    let rejected = counters.failures_of(HandshakeFailure::NoSeat);
    for (event, help, count) in [
        ("connected", "Light clients that were greeted.", counters.connected.load(Relaxed)),
        ("disconnected", "Of these, those that are gone.", counters.disconnected.load(Relaxed)),
        ("rejected", "Light clients for which there was no seat.", rejected),
        ("freeze", "Clients that were told to stop.", counters.stops.load(Relaxed)),
        ("error", "Messages of clients that broke a rule.", counters.faults.load(Relaxed)),
    ] {
        page.single(&format!("les_server_clientEvent_{event}"), Kind::Counter, help, count);
    }
    let handle = &observed.handle;
    let shared = handle.shared();
    let per_client = shared.driver.flow_control().recharge_per_ms;
    let of = |clients| u64::try_from(clients).unwrap_or(u64::MAX).saturating_mul(per_client);
    let connected = handle.connections();
    for (name, help, value) in [
        (
            "les_server_totalCapacity",
            "Recharge of all seats, cost units per ms.",
            of(shared.max_peers),
        ),
        (
            "les_server_totalConnected",
            "Recharge of the seats that are taken, cost units per ms.",
            of(connected),
        ),
        ("vflux_server_active_capacity", "The same.", of(connected)),
    ] {
        page.single(name, Kind::Gauge, help, value);
    }
    let help = "Light clients that have a seat.";
    page.single("vflux_server_active_count", Kind::Gauge, help, connected);
    page.single("les_connection_server", Kind::Gauge, help, connected);
}

/// What is known of the times of some replies.
#[derive(Debug, Default)]
struct Times {
    nanos: u64,
    /// Replies by time, as in [`OfKind::buckets`].
    buckets: [u64; BUCKETS],
}

impl Times {
    fn of(of: &OfKind) -> Self {
        let nanos = of.reply_nanos.load(Relaxed);
        Self { nanos, buckets: std::array::from_fn(|at| of.bucket(at)) }
    }

    fn add(&mut self, other: &Self) {
        self.nanos = self.nanos.saturating_add(other.nanos);
        for (sum, count) in self.buckets.iter_mut().zip(other.buckets) {
            *sum = sum.saturating_add(count);
        }
    }

    fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// A bound that so many in a hundred replies did not exceed: that of the first bucket with
    /// which they are reached.
    fn quantile(&self, percent: u64) -> String {
        let count = self.count();
        if count == 0 {
            return "NaN".to_owned();
        }
        let wanted = u128::from(count).saturating_mul(u128::from(percent)).div_ceil(100);
        let mut below = 0_u128;
        for (bucket, (bound, _)) in self.buckets.iter().zip(BOUNDS) {
            below = below.saturating_add(u128::from(*bucket));
            if below >= wanted {
                return bound.to_string();
            }
        }
        "+Inf".to_owned()
    }

    fn write(&self, page: &mut Page, name: &str, help: &str) {
        page.family(name, Kind::Summary, help);
        for (percent, word) in QUANTILES {
            page.labelled(name, ("quantile", word), self.quantile(percent));
        }
        page.plain(&format!("{name}_sum"), self.nanos);
        page.plain(&format!("{name}_count"), self.count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(buckets: &[(usize, u64)], expected: [&str; QUANTILES.len()]) {
        let mut times = Times::default();
        buckets.iter().for_each(|(at, count)| times.buckets[*at] = *count);
        let found = QUANTILES.map(|(percent, _)| times.quantile(percent));
        assert_eq!(found, expected.map(str::to_owned), "{buckets:?}");
    }

    #[test]
    fn a_quantile_is_the_bound_that_so_many_replies_did_not_exceed() {
        check(&[], ["NaN"; 4]);
        check(&[(0, 1)], ["50000"; 4]);
        check(&[(0, 50), (1, 25), (2, 20), (3, 5)], ["50000", "100000", "250000", "500000"]);
        check(&[(0, 49), (1, 51)], ["100000"; 4]);
        check(&[(12, 98), (13, 2)], ["1000000000", "1000000000", "1000000000", "+Inf"]);
        check(&[(5, u64::MAX)], ["2500000"; 4]);
    }
}
