//! JSON-RPC of the real program, over its own sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use alloy_consensus::{TxLegacy, transaction::SignerRecoverable as _};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Bytes, TxKind, address, b256, hex};
use les_tests::transfer::{sign, transfer};
use lesd::dev::DevAccount;
use serde_json::{Value, json};

/// An answer comes within this, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of the standard mnemonic; the first that a development chain funds.
const RICH: DevAccount = DevAccount {
    address: address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
    key: b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
};

/// A development chain that seals when a transaction comes; killed when dropped.
struct Node {
    process: Child,
    directory: PathBuf,
    http: SocketAddr,
}

impl Node {
    fn start(directory: &Path, flags: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_lesd"))
            .args(["node", "--dev", "--dev.period", "0", "--port", "0", "--nodiscover"])
            .args(["--http", "--http.port", "0", "--datadir", directory.to_str().unwrap()])
            .args(flags)
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut log = String::new();
        let http = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {log}")).unwrap();
            if let Some((_, endpoint)) = line.split_once("HTTP server started") {
                break endpoint.split_once("endpoint=").unwrap().1.trim().parse().unwrap();
            }
            log.push_str(&line);
        };
        // Whoever writes must not be stopped by a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, directory: directory.to_owned(), http }
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("lesd.ipc")
    }

    fn ipc(&self) -> Ipc {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Ipc(BufReader::new(stream))
    }

    /// Status, headers in lower case, and body of a whole HTTP exchange.
    fn http(&self, head: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let request =
            format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        // One that is refused early may be answered and closed before it is all written.
        let _written = stream.write_all(request.as_bytes());
        let mut answer = String::new();
        let _until_closed = stream.read_to_string(&mut answer);
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    fn post(&self, body: &str) -> Value {
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json";
        let (status, _, answer) = self.http(head, body);
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"))
    }

    fn end(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ended_before = self.process.kill();
        let _reaped = self.process.wait();
    }
}

struct Ipc(BufReader<UnixStream>);

impl Ipc {
    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"))
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.send(&json!({ "id": 1, "method": method, "params": params }).to_string());
        self.receive()
    }

    #[track_caller]
    fn result(&mut self, method: &str, params: &Value) -> Value {
        let answer = self.call(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Asks until the answer is one that the caller waits for.
    #[allow(clippy::disallowed_methods, reason = "another program mines in its own time")]
    fn until(&mut self, method: &str, params: &Value, done: impl Fn(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let result = self.result(method, params);
            if done(&result) {
                return result;
            }
            assert!(std::time::Instant::now() < deadline, "{method} says {result}");
            std::thread::yield_now();
        }
    }
}

fn request(id: u64, method: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method }).to_string()
}

#[test]
fn http_answers_json_from_known_hosts_only() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path(), &[]);
    let ask = request(1, "eth_chainId");
    let json = "Content-Type: application/json";
    let long = "x".repeat(5 * 1024 * 1024 + 1);
    for (head, body, status, words) in [
        (format!("POST / HTTP/1.1\r\nHost: localhost\r\n{json}"), ask.as_str(), 200, "0x539"),
        (format!("POST / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n{json}"), &ask, 200, "0x539"),
        (format!("POST / HTTP/1.1\r\nHost: [::1]\r\n{json}"), &ask, 200, "0x539"),
        (format!("POST / HTTP/1.1\r\nHost: a.example\r\n{json}"), &ask, 403, "invalid host"),
        ("GET / HTTP/1.1\r\nHost: localhost".to_owned(), "", 200, ""),
        ("GET / HTTP/1.1\r\nHost: a.example".to_owned(), "", 403, "invalid host"),
        ("PUT / HTTP/1.1\r\nHost: localhost".to_owned(), &ask, 405, "not allowed"),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain".to_owned(),
            &ask,
            415,
            "application/json",
        ),
        (format!("POST / HTTP/1.1\r\nHost: localhost\r\n{json}"), &long, 413, "too large"),
    ] {
        let (found, _, answer) = node.http(&head, body);
        let fits = if words.is_empty() { answer.is_empty() } else { answer.contains(words) };
        assert!(found == status && fits, "{head}: {found} {answer}");
    }
    let admin = node.post(&request(1, "admin_nodeInfo"));
    assert_eq!(admin["error"]["code"], -32601, "not over HTTP unless asked for: {admin}");
}

#[test]
fn a_page_of_another_origin_reads_answers_only_if_it_is_listed() {
    let directory = tempfile::tempdir().unwrap();
    let (listed, other) = ("https://a.example", "https://b.example");
    for (flags, origin, allowed) in [
        (&["--http.corsdomain", listed][..], listed, Some(listed)),
        (&["--http.corsdomain", listed], other, None),
        (&["--http.corsdomain", "*"], other, Some("*")),
        (&[], listed, None),
    ] {
        let node = Node::start(directory.path(), flags);
        let expected = allowed.map(|origin| format!("access-control-allow-origin: {origin}"));
        let check = |head: String, body: &str| {
            let (_, found, _) = node.http(&head, body);
            let line = found.lines().find(|line| line.starts_with("access-control-allow-origin"));
            assert_eq!(line, expected.as_deref(), "{flags:?} {head}");
            found
        };
        let from = format!("Host: localhost\r\nOrigin: {origin}");
        let asks = "Access-Control-Request-Method: POST\r\n\
                    Access-Control-Request-Headers: content-type, x-own";
        let first = check(format!("OPTIONS / HTTP/1.1\r\n{from}\r\n{asks}"), "");
        let may_post = first.contains("access-control-allow-methods: post, get");
        assert_eq!(may_post, allowed.is_some(), "{flags:?} {first}");
        let may_send = first.contains("access-control-allow-headers: content-type, x-own");
        assert_eq!(may_send, allowed.is_some(), "{flags:?} {first}");
        let json = "Content-Type: application/json";
        check(format!("POST / HTTP/1.1\r\n{from}\r\n{json}"), &request(1, "eth_chainId"));
        node.end();
    }
}

#[test]
fn what_cannot_be_answered_is_a_proper_error() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path(), &["--http.api", "eth"]);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = format!(r#"{{"id":1,"method":"eth_chainId","params":{deep}}}"#);
    let many = format!("[{}1]", r#"{"id":1,"method":"eth_chainId"},"#.repeat(1000));
    let huge = r#"{"id":1,"method":"eth_getBlockByNumber","params":["0x10000000000000000",false]}"#;
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("nothing", -32700),
        (deep.as_str(), -32602),
        ("[]", -32600),
        (many.as_str(), -32600),
        (huge, -32602),
        (&request(1, "eth_nothing"), -32601),
        // Not among the namespaces that the operator gave to HTTP.
        (&request(1, "admin_nodeInfo"), -32601),
        (&request(1, "net_version"), -32601),
    ] {
        let answer = node.post(body);
        let start: String = body.chars().take(60).collect();
        assert_eq!(answer["error"]["code"], json!(code), "{start}: {answer}");
        assert!(answer["error"]["message"].is_string() && answer["jsonrpc"] == "2.0", "{answer}");
    }
    let batch = format!("[{},{}]", request(7, "eth_chainId"), request(8, "eth_nothing"));
    let answers = node.post(&batch);
    assert_eq!((&answers[0]["id"], &answers[1]["id"]), (&json!(7), &json!(8)));
    assert_eq!(
        (&answers[0]["result"], &answers[1]["error"]["code"]),
        (&json!("0x539"), &json!(-32601))
    );
    let mut all = node.ipc();
    assert!(all.result("admin_nodeInfo", &json!([])).is_object(), "the Unix socket has all");
}

#[test]
fn the_unix_socket_is_its_owners_and_serves_many_at_once() {
    let directory = tempfile::tempdir().unwrap();
    // One that a killed server left behind.
    drop(UnixListener::bind(directory.path().join("lesd.ipc")).unwrap());
    let node = Node::start(directory.path(), &[]);
    let found = fs::metadata(node.socket()).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    let (mut one, mut other) = (node.ipc(), node.ipc());
    // Two requests in one write, one in two writes, and a notification, which has no answer.
    one.send(&format!("{}{}", request(1, "eth_chainId"), request(2, "net_version")));
    let whole = request(3, "eth_chainId");
    let (begin, end) = whole.split_at(20);
    other.send(begin);
    assert_eq!(one.receive()["id"], 1);
    assert_eq!(one.receive()["result"], "1337");
    other.send(end);
    assert_eq!(other.receive()["id"], 3);
    other.send(r#"{"jsonrpc":"2.0","method":"eth_chainId"}"#);
    other.send(&request(4, "eth_blockNumber"));
    assert_eq!(other.receive()["id"], 4);
    // Where the next value would begin is not known: told, and closed.
    one.send("no json\n");
    assert_eq!(one.receive()["error"]["code"], -32700);
    let mut rest = String::new();
    assert_eq!(one.0.read_to_string(&mut rest).unwrap(), 0, "{rest}");
    assert_eq!(other.result("eth_chainId", &json!([])), "0x539", "others go on");
    let socket = node.socket();
    node.end();
    assert!(!socket.exists());
}

#[test]
fn a_transaction_that_is_sent_is_mined_and_seen_by_filters() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path(), &[]);
    let mut rpc = node.ipc();
    // PUSH1 0 PUSH1 0 PUSH1 0 LOG1: a contract whose creation logs one topic.
    let code = Bytes::from_static(&hex!("600060006000a1"));
    let creation = TxLegacy {
        to: TxKind::Create,
        input: code,
        gas_limit: 100_000,
        ..transfer(&RICH, 0, 2_000_000_000)
    };
    let signed = sign(&RICH, creation);
    assert_eq!(signed.recover_signer().unwrap(), RICH.address);
    let raw = json!([hex::encode_prefixed(signed.encoded_2718())]);
    let contract = RICH.address.create(0).to_string().to_lowercase();

    let blocks = json!([rpc.result("eth_newBlockFilter", &json!([]))]);
    let logs = json!([rpc.result("eth_newFilter", &json!([{ "address": contract }]))]);
    let other = json!([rpc.result("eth_newFilter", &json!([{ "address": RICH.address }]))]);
    for filter in [&blocks, &logs, &other] {
        assert_eq!(rpc.result("eth_getFilterChanges", filter), json!([]));
    }
    let hash = rpc.result("eth_sendRawTransaction", &raw);
    assert_eq!(hash, json!(signed.tx_hash().to_string()));
    let mined = rpc.until("eth_getTransactionReceipt", &json!([hash]), |found| !found.is_null());
    assert_eq!((&mined["status"], &mined["blockNumber"]), (&json!("0x1"), &json!("0x1")));
    assert_eq!(mined["contractAddress"], json!(contract));
    let found = rpc.result("eth_getTransactionByHash", &json!([hash]));
    assert_eq!((&found["from"], &found["blockHash"]), (&mined["from"], &mined["blockHash"]));

    assert_eq!(rpc.result("eth_getFilterChanges", &blocks), json!([mined["blockHash"]]));
    assert_eq!(rpc.result("eth_getFilterChanges", &logs), mined["logs"]);
    assert_eq!(mined["logs"].as_array().unwrap().len(), 1);
    assert_eq!(rpc.result("eth_getFilterLogs", &logs), mined["logs"], "all, not the changes");
    for filter in [&blocks, &logs, &other] {
        assert_eq!(rpc.result("eth_getFilterChanges", filter), json!([]), "each change once");
        assert_eq!(rpc.result("eth_uninstallFilter", filter), json!(true));
        assert_eq!(rpc.result("eth_uninstallFilter", filter), json!(false));
        assert_eq!(
            rpc.call("eth_getFilterChanges", filter)["error"]["message"],
            "filter not found"
        );
    }

    // In go-ethereum's words.
    let again = rpc.call("eth_sendRawTransaction", &raw);
    assert_eq!(again["error"]["message"], "nonce too low");
    let ahead = sign(&RICH, transfer(&RICH, 5, 2_000_000_000));
    let ahead = json!([hex::encode_prefixed(ahead.encoded_2718())]);
    let hash = rpc.result("eth_sendRawTransaction", &ahead);
    let waiting = rpc.result("eth_getTransactionByHash", &json!([hash]));
    assert_eq!((&waiting["blockHash"], &waiting["nonce"]), (&Value::Null, &json!("0x5")));
    let known = rpc.call("eth_sendRawTransaction", &ahead);
    assert_eq!(known["error"]["message"], "already known");
}
