//! Metrics and health checks of a real server, read by a strict parser of the text format.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use chain_backend::Block;
use les_tests::{
    client::{Client, bundled_blocks, client_status},
    server::{Chain, Limits, Server, bundled_chain},
};
use les_wire::Version;
use lesd::{
    ChainWriter, data_directory,
    metrics::{self, MAX_HEAD_AGE, Observed},
};
use rlp::RlpStream;
use tokio::{net::TcpListener, runtime::Runtime};

/// Where a server is looked at, in a runtime that outlives it.
struct Endpoint {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Endpoint {
    fn of(server: &Server, max_head_age: Option<Duration>) -> Self {
        Self::observing(Observed {
            handle: server.handle.clone(),
            writer: server.writer.clone(),
            max_head_age,
        })
    }

    fn observing(observed: Observed) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(metrics::run(listener, observed));
        Self { address, _runtime: runtime }
    }

    /// Status, headers and body.
    fn ask(&self, method: &str, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    fn figures(&self) -> Figures {
        let (status, head, body) = self.ask("GET", "/metrics");
        assert_eq!(status, 200);
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        Figures::parse(&body)
    }

    /// Looks until the figure has this value: what is counted after a peer was told something.
    #[track_caller]
    fn wait_for(&self, series: &str, expected: f64) {
        let seen = (0..1000).any(|_| self.figures().of(series) == expected);
        assert!(seen, "{series} does not become {expected}");
    }

    /// The names of the failing checks, in order.
    #[track_caller]
    fn check_readiness(&self, expected: &[&str]) {
        for path in ["/readyz", "/health"] {
            let (status, _, body) = self.ask("GET", path);
            assert_eq!(status, if expected.is_empty() { 200 } else { 503 }, "{body}");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["ready"], expected.is_empty());
            let failing = body["failing"].as_array().unwrap();
            let names: Vec<_> = failing.iter().map(|fails| fails["check"].as_str()).collect();
            assert_eq!(names, expected.iter().copied().map(Some).collect::<Vec<_>>());
            assert!(failing.iter().all(|fails| !fails["reason"].as_str().unwrap().is_empty()));
        }
    }
}

/// A parsed page. The parser takes nothing that the format does not allow, nor twice the same.
#[derive(Debug, Default)]
struct Figures {
    families: BTreeMap<String, String>,
    values: BTreeMap<String, f64>,
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.starts_with(|c: char| !c.is_ascii_digit()) && text.chars().all(fits)
}

impl Figures {
    fn parse(page: &str) -> Self {
        assert!(page.ends_with('\n'), "the last line must end, too");
        let mut figures = Self::default();
        let (mut helped, mut family) = (String::new(), String::new());
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(is_name(name) && !help.is_empty(), "{line}");
                helped = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(["counter", "gauge", "histogram", "summary"].contains(&kind), "{line}");
                assert_eq!(name, helped, "help stands before the type");
                let before = figures.families.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "a family stands together: {line}");
                family = name.to_owned();
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                check_labels(&series[name.len()..]);
                let suffix = name.strip_prefix(family.as_str()).expect(line);
                let allowed: &[&str] = match figures.families[&family].as_str() {
                    "histogram" => &["_bucket", "_sum", "_count"],
                    "summary" => &["", "_sum", "_count"],
                    _ => &[""],
                };
                assert!(is_name(name) && allowed.contains(&suffix), "{line}");
                let value = value.parse().unwrap();
                assert_eq!(figures.values.insert(series.to_owned(), value), None, "{line}");
            }
        }
        figures
    }

    #[track_caller]
    fn of(&self, series: &str) -> f64 {
        *self.values.get(series).unwrap_or_else(|| panic!("no {series}"))
    }
}

/// `{name="value",…}` or nothing.
fn check_labels(text: &str) {
    if text.is_empty() {
        return;
    }
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).expect(text);
    let mut names = BTreeSet::new();
    for label in inner.split(',') {
        let (name, value) = label.split_once('=').expect(text);
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).expect(text);
        assert!(is_name(name) && !value.contains(['"', '\\', '\n']), "{text}");
        assert!(names.insert(name), "{text}");
    }
    // A closed set of words: nothing in it that a peer brought along.
    let known = ["request", "le", "quantile", "reason", "state", "thread", "version"];
    assert!(names.iter().all(|name| known.contains(name)), "{text}");
}

fn headers_from(number: u64, amount: u64) -> Vec<u8> {
    let mut stream = RlpStream::new_list(2);
    stream.append(&1u64).begin_list(4);
    stream.append(&number).append(&amount).append(&0u64).append(&false);
    stream.out().to_vec()
}

#[test]
fn counts_rise_by_exactly_what_a_client_asked() {
    let server = Server::start(Limits::default());
    let endpoint = Endpoint::of(&server, None);
    let before = endpoint.figures();
    assert_eq!(before.of("les_misc_in_packets_total"), 0.0);
    assert_eq!(before.of("lesd_light_clients"), 0.0);
    let mut client = Client::connect(&server.enode, Version::Les4);
    let (mut asked_bytes, mut reply_bytes) = (0, 0);
    for amount in 1..=5 {
        let request = headers_from(amount, amount);
        let reply = client.ask(2, &request, 3);
        asked_bytes += request.len();
        let items = rlp::Rlp::new(&reply).at(2).unwrap();
        reply_bytes += items.iter().map(|item| item.as_raw().len()).sum::<usize>();
    }
    client.ask(0x14, &[0xc2, 1, 0xc0], 0x15);
    let after = endpoint.figures();
    for (figure, expected) in [
        ("les_misc_in_packets_header", 5),
        ("les_misc_in_packets_txStatus", 1),
        ("les_misc_in_packets_proof", 0),
        ("les_misc_in_packets_total", 6),
        ("les_misc_out_packets_header", 5),
        ("les_misc_out_packets_total", 6),
        ("les_misc_in_traffic_header", asked_bytes),
        ("les_misc_out_traffic_header", reply_bytes),
        ("lesd_requests_total{request=\"header\"}", 5),
        ("lesd_reply_bytes_total{request=\"header\"}", reply_bytes),
        ("lesd_reply_seconds_count{request=\"header\"}", 5),
        ("lesd_reply_seconds_bucket{request=\"header\",le=\"+Inf\"}", 5),
        ("lesd_reply_seconds_count{request=\"txStatus\"}", 1),
        ("lesd_light_clients", 1),
        ("les_connection_server", 1),
        ("p2p_peers", 1),
        ("chain_head_block", 430),
        ("les_server_clientEvent_error", 0),
    ] {
        assert_eq!(after.of(figure), f64::from(u32::try_from(expected).unwrap()), "{figure}");
    }
    let spent = after.of("lesd_reply_seconds_sum{request=\"header\"}");
    assert!(spent > 0.0 && spent < 10.0, "{spent} s");
}

#[test]
fn go_ethereums_times_are_those_of_the_histogram_in_nanoseconds() {
    let server = Server::start(Limits { peers: 7, ..Limits::default() });
    let endpoint = Endpoint::of(&server, None);
    let serve = |series: &str| endpoint.figures().of(&format!("les_misc_serve_{series}"));
    assert!(serve("header{quantile=\"0.5\"}").is_nan() && serve("header_count") == 0.0);
    let mut client = Client::connect(&server.enode, Version::Les4);
    (1..=5).for_each(|number| drop(client.ask(2, &headers_from(number, 150), 3)));
    client.ask(0x14, &[0xc2, 1, 0xc0], 0x15);
    let figures = endpoint.figures();
    let seconds = figures.of("lesd_reply_seconds_sum{request=\"header\"}");
    let nanos = figures.of("les_misc_serve_header_sum");
    assert!((nanos - seconds * 1e9).abs() < 1.0, "{nanos} ns, {seconds} s");
    let below = |quantile: &str| {
        let bound = figures.of(&format!("les_misc_serve_header{{quantile=\"{quantile}\"}}"));
        let bound = if bound.is_finite() { (bound / 1e9).to_string() } else { "+Inf".to_owned() };
        let bucket = format!("lesd_reply_seconds_bucket{{request=\"header\",le=\"{bound}\"}}");
        figures.of(&bucket)
    };
    assert!(below("0.5") >= 3.0 && below("0.99") == 5.0);
    for (figure, expected) in [
        ("les_misc_serve_header_count", 5.0),
        ("les_misc_serve_txStatus_count", 1.0),
        ("les_misc_serve_proof_count", 0.0),
        ("les_server_req_servedTime_count", 5.0),
        ("les_server_req_servedTime_sum", nanos),
        ("les_server_req_avgServedTime", nanos),
    ] {
        assert_eq!(figures.of(figure), expected, "{figure}");
    }
}

#[test]
fn capacity_is_what_clients_are_told_times_their_number() {
    let server = Server::start(Limits { peers: 3, ..Limits::default() });
    let endpoint = Endpoint::of(&server, None);
    let told = Client::dial(&server.enode, Version::Les4).read_status().flow_control.unwrap();
    let per_client = f64::from(u32::try_from(told.recharge_per_ms).unwrap());
    endpoint.wait_for("les_server_totalConnected", 0.0);
    let mut clients = [(); 2].map(|()| Client::connect(&server.enode, Version::Les4));
    clients.iter_mut().for_each(|client| drop(client.ask(2, &headers_from(1, 1), 3)));
    let figures = endpoint.figures();
    for (figure, expected) in [
        ("les_server_totalCapacity", 3.0 * per_client),
        ("les_server_totalConnected", 2.0 * per_client),
        ("vflux_server_active_capacity", 2.0 * per_client),
        ("vflux_server_active_count", 2.0),
        ("les_server_clientEvent_connected", 2.0),
        ("les_server_clientEvent_disconnected", 0.0),
        ("les_server_clientEvent_rejected", 0.0),
    ] {
        assert_eq!(figures.of(figure), expected, "{figure}");
    }
    drop(clients);
    endpoint.wait_for("les_server_clientEvent_disconnected", 2.0);
}

#[test]
fn buckets_of_a_histogram_never_fall() {
    let server = Server::start(Limits::default());
    let endpoint = Endpoint::of(&server, None);
    let mut client = Client::connect(&server.enode, Version::Les4);
    (0..20).for_each(|number| drop(client.ask(2, &headers_from(number, 150), 3)));
    let (_, _, page) = endpoint.ask("GET", "/debug/metrics/prometheus");
    let prefix = "lesd_reply_seconds_bucket{request=\"header\",le=\"";
    let buckets: Vec<(f64, u64)> = page
        .lines()
        .filter_map(|line| line.strip_prefix(prefix)?.split_once("\"} "))
        .map(|(bound, count)| (bound.parse().unwrap(), count.parse().unwrap()))
        .collect();
    assert!(buckets.is_sorted() && buckets.iter().map(|(_, count)| count).is_sorted());
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, 20)));
}

#[test]
fn faults_and_failed_handshakes_are_counted_by_reason() {
    let server = Server::start(Limits { peers: 1, ..Limits::default() });
    let endpoint = Endpoint::of(&server, None);
    let mut first = Client::connect(&server.enode, Version::Les4);
    let mut second = Client::dial(&server.enode, Version::Les4);
    drop(second.receive());
    endpoint.wait_for("lesd_handshake_failures_total{reason=\"no_seat\"}", 1.0);
    endpoint.wait_for("les_server_clientEvent_rejected", 1.0);
    // A message that only servers send.
    first.send(3, &[0xc0]);
    drop(first.receive());
    let figures = endpoint.figures();
    assert_eq!(figures.of("les_server_clientEvent_error"), 1.0);
    let other = Server::start(Limits::default());
    let endpoint = Endpoint::of(&other, None);
    let mut stranger = Client::dial(&other.enode, Version::Les4);
    let mut status = client_status(&stranger.read_status(), Version::Les4);
    status.network_id += 1;
    let mut message = Vec::new();
    status.encode(&mut message);
    stranger.send(0, &message);
    drop(stranger.receive());
    endpoint.wait_for("lesd_handshake_failures_total{reason=\"other_network\"}", 1.0);
}

#[test]
fn paths_and_methods_are_answered_as_documented() {
    let server = Server::start(Limits::default());
    let endpoint = Endpoint::of(&server, None);
    for (method, path, expected) in [
        ("GET", "/", 200),
        ("GET", "/livez", 200),
        ("HEAD", "/livez", 200),
        ("GET", "/readyz?verbose", 200),
        ("GET", "/metrics", 200),
        ("GET", "/debug/metrics/prometheus", 200),
        ("GET", "/metrics/", 404),
        ("GET", "/debug/metrics", 404),
        ("POST", "/metrics", 405),
    ] {
        assert_eq!(endpoint.ask(method, path).0, expected, "{method} {path}");
    }
}

#[test]
fn an_old_head_counts_only_where_new_ones_are_expected() {
    let server = Server::start(Limits::default());
    Endpoint::of(&server, None).check_readiness(&[]);
    Endpoint::of(&server, Some(Duration::from_secs(u64::MAX))).check_readiness(&[]);
    Endpoint::of(&server, Some(MAX_HEAD_AGE)).check_readiness(&["head"]);
}

#[test]
fn a_server_that_stops_says_so_while_it_lives() {
    let mut server = Server::start(Limits::default());
    let endpoint = Endpoint::of(&server, None);
    endpoint.check_readiness(&[]);
    server.stop();
    endpoint.check_readiness(&["draining"]);
    assert_eq!(endpoint.ask("GET", "/livez").0, 200);
}

#[test]
fn a_chain_writer_that_is_gone_is_named() {
    let (server, chain) = (Server::start(Limits::default()), bundled_chain());
    let chain =
        data_directory::Chain { store: Arc::clone(&chain.store), spec: Arc::clone(&chain.spec) };
    let (writer, thread) = ChainWriter::start(&chain, false, Vec::new()).unwrap();
    let handle = server.handle.clone();
    let observed = Observed { handle, writer: Some(writer), max_head_age: None };
    let endpoint = Endpoint::observing(observed);
    endpoint.check_readiness(&[]);
    drop(thread);
    endpoint.check_readiness(&["chain_writer"]);
}

#[test]
fn imported_blocks_are_counted_with_their_gas() {
    let chain = Chain::empty();
    let server = Server::following(&chain, Limits::default());
    let endpoint = Endpoint::of(&server, None);
    let (mut blocks, mut gas) = (Vec::new(), 0);
    for (header, body) in bundled_blocks().into_iter().take(20) {
        gas += rlp::Rlp::new(&header).val_at::<u32>(10).unwrap();
        blocks.push(Block::decode(&Block::join(&header, &body).unwrap()).unwrap());
    }
    server.writer.as_ref().unwrap().import_blocking(blocks).unwrap();
    let figures = endpoint.figures();
    assert_eq!(figures.of("lesd_imported_blocks_total"), 20.0);
    assert_eq!(figures.of("lesd_imported_gas_total"), f64::from(gas));
    assert_eq!(figures.of("chain_head_block"), 20.0);
}

#[test]
fn the_documented_names_are_the_exported_ones() {
    let chain = Chain::empty();
    let server = Server::following(&chain, Limits::default());
    let exported: BTreeSet<_> =
        Endpoint::of(&server, None).figures().families.into_keys().collect();
    let (_, page) = include_str!("../docs/metrics.md").split_once("\n## ").unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.map(|row| row.split('`').next().unwrap().to_owned());
    assert_eq!(exported, names.collect());
}
