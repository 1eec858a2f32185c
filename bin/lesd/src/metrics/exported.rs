//! Every figure that is exported; `docs/metrics.md` has the list.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use les_wire::RequestKind;

use super::{
    Observed,
    counters::{BOUNDS, Counters, OfKind, label, seconds},
    of_go_ethereum, readiness,
    text::{Kind, Page},
};

/// A figure that is counted by kind of request.
pub(super) type Field = fn(&OfKind) -> &AtomicU64;

/// The page of figures as they are now.
pub(super) fn text(observed: &Observed) -> String {
    let mut page = Page::default();
    let counters = observed.handle.shared().driver.counters();
    of_go_ethereum::write(&mut page, observed, counters);
    requests(&mut page, counters);
    reply_times(&mut page, counters);
    disk_waits(&mut page, counters);
    node(&mut page, observed, counters);
    page.into_text()
}

fn requests(page: &mut Page, counters: &Counters) {
    let families: [(&str, &str, Field); 4] = [
        ("lesd_requests_total", "Requests received.", |of| &of.requests),
        ("lesd_request_bytes_total", "Bytes of requests, decompressed.", |of| &of.request_bytes),
        ("lesd_replies_total", "Replies made.", |of| &of.replies),
        ("lesd_reply_bytes_total", "Bytes of items in replies, uncompressed.", |of| {
            &of.reply_bytes
        }),
    ];
    for (name, help, field) in families {
        page.family(name, Kind::Counter, help);
        for kind in RequestKind::ALL {
            let value = field(counters.of(kind)).load(Relaxed);
            page.labelled(name, ("request", label(kind)), value);
        }
    }
}

fn reply_times(page: &mut Page, counters: &Counters) {
    let help = "Time to read and encode a reply, without waiting for a place.";
    page.family("lesd_reply_seconds", Kind::Histogram, help);
    for kind in RequestKind::ALL {
        let of = counters.of(kind);
        let request = ("request", label(kind));
        let bounds = BOUNDS.iter().map(|(_, bound)| *bound).chain(["+Inf"]);
        let mut count = 0_u64;
        for (bucket, bound) in of.buckets.iter().zip(bounds) {
            count = count.saturating_add(bucket.load(Relaxed));
            page.labelled_twice("lesd_reply_seconds_bucket", [request, ("le", bound)], count);
        }
        let sum = seconds(of.reply_nanos.load(Relaxed));
        page.labelled("lesd_reply_seconds_sum", request, sum);
        page.labelled("lesd_reply_seconds_count", request, count);
    }
}

fn disk_waits(page: &mut Page, counters: &Counters) {
    let name = "lesd_disk_waits_total";
    page.family(name, Kind::Counter, "Reads that waited for the disk, by the thread they blocked.");
    let threads: [(&str, Field); 2] =
        [("own", |of| &of.own_thread_waits), ("reader", |of| &of.reader_waits)];
    for kind in RequestKind::ALL {
        for (thread, field) in threads {
            let labels = [("request", label(kind)), ("thread", thread)];
            page.labelled_twice(name, labels, field(counters.of(kind)).load(Relaxed));
        }
    }
}

fn node(page: &mut Page, observed: &Observed, counters: &Counters) {
    page.family("lesd_build_info", Kind::Gauge, "Always 1.");
    page.labelled("lesd_build_info", ("version", env!("CARGO_PKG_VERSION")), 1);
    let help = "Connections that became no served client.";
    page.family("lesd_handshake_failures_total", Kind::Counter, help);
    for (reason, count) in counters.failures() {
        page.labelled("lesd_handshake_failures_total", ("reason", reason), count);
    }
    let help = "Stopped clients that were told to go on.";
    page.single("lesd_resumes_total", Kind::Counter, help, counters.resumes.load(Relaxed));
    let handle = &observed.handle;
    let help = "Light clients that have a seat.";
    page.single("lesd_light_clients", Kind::Gauge, help, handle.connections());
    let help = "Full nodes that are connected.";
    page.single("lesd_full_nodes", Kind::Gauge, help, handle.full_nodes());
    if let Ok(age) = readiness::head_age(observed) {
        let help = "Time since the timestamp of the head.";
        page.single("lesd_head_age_seconds", Kind::Gauge, help, age.as_secs());
    }
    let (pending, queued) = handle.shared().relay.counts();
    let help = "Transactions that wait to be included.";
    page.family("lesd_relayed_transactions", Kind::Gauge, help);
    page.labelled("lesd_relayed_transactions", ("state", "pending"), pending);
    page.labelled("lesd_relayed_transactions", ("state", "queued"), queued);
    let Some(imported) = observed.writer.as_ref().map(crate::ChainWriter::imported) else { return };
    for (name, help, value) in [
        ("lesd_imported_blocks_total", "Blocks executed and stored.", &imported.blocks),
        ("lesd_imported_transactions_total", "Their transactions.", &imported.transactions),
        ("lesd_imported_gas_total", "Gas that these used.", &imported.gas),
    ] {
        page.single(name, Kind::Counter, help, value.load(Relaxed));
    }
}
