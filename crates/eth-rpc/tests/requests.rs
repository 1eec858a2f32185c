//! Requests of every shape, good and bad, against a generated chain.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use std::{net::SocketAddr, path::Path, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_backend::{Backend as _, memory::MemoryChain};
use consensus::Genesis;
use eth_rpc::{
    MAX_BATCH, MAX_BATCH_SECONDS, Namespace, Namespaces, Node, NodeInfo, PeerInfo, Service,
    SyncProgress, Transactions, Unix, methods,
};
use serde_json::{Value, json};

/// A node without peers.
struct Alone;

impl Node for Alone {
    fn info(&self) -> NodeInfo {
        let listen = SocketAddr::from(([127, 0, 0, 1], 30303));
        NodeInfo {
            id: B256::repeat_byte(1),
            enode: "enode://".to_owned(),
            record: String::new(),
            ip: listen.ip(),
            discovery_port: 0,
            listen,
            protocols: vec!["les".to_owned()],
            chain_config: json!({ "chainId": 1 }),
        }
    }
    fn network_id(&self) -> u64 {
        1337
    }
    fn client_version(&self) -> String {
        "alone/v1".to_owned()
    }
    fn peers(&self) -> Vec<PeerInfo> {
        Vec::new()
    }
    fn peer_count(&self) -> usize {
        0
    }
    fn add_peer(&self, _: &str) -> Result<bool, String> {
        Err("no peers".to_owned())
    }
    fn remove_peer(&self, _: &str) -> Result<bool, String> {
        Ok(true)
    }
    fn add_trusted_peer(&self, _: &str) -> Result<bool, String> {
        Ok(true)
    }
    fn remove_trusted_peer(&self, _: &str) -> Result<bool, String> {
        Ok(true)
    }
    fn data_directory(&self) -> String {
        "/data".to_owned()
    }
    fn sync_progress(&self) -> Option<SyncProgress> {
        None
    }
}

impl Transactions for Alone {
    fn submit(&self, _: &[u8]) -> Result<B256, String> {
        Err("already known".to_owned())
    }
    fn get(&self, _: &B256) -> Option<Bytes> {
        None
    }
    fn next_nonce(&self, _: &Address) -> Option<u64> {
        None
    }
}

fn service(chain: Arc<MemoryChain>) -> Service {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/chain/small/genesis.json");
    let genesis = Genesis::parse(&std::fs::read(file).unwrap()).unwrap();
    let header = genesis.header(genesis.alloc.state_root());
    let spec = Arc::new(genesis.spec(&header).unwrap());
    Service::new(chain, spec, Arc::new(Alone), Arc::new(Alone), U256::from(7))
}

fn answer(service: &Service, request: &str, now: u64) -> Option<Value> {
    let answer = service.answer(&Namespaces::all(), request.as_bytes(), || Unix(now))?;
    Some(serde_json::from_str(&answer).expect("an answer is JSON"))
}

fn ask(service: &Service, method: &str, params: Value, now: u64) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    answer(service, &request.to_string(), now).expect("a request has an answer")
}

fn error(code: i32, message: &str, id: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

#[test]
fn a_request_that_cannot_be_read_gets_an_error_object() {
    let service = service(Arc::new(MemoryChain::generate(1, 3)));
    let many = format!("[{}1]", r#"{"id":1,"method":"eth_blockNumber"},"#.repeat(MAX_BATCH));
    let deep = format!(
        r#"{{"id":1,"method":"web3_sha3","params":[{}{}]}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let null = Value::Null;
    for (request, expected) in [
        ("", error(-32700, "parse error", null.clone())),
        ("{", error(-32700, "parse error", null.clone())),
        ("{]", error(-32700, "parse error", null.clone())),
        ("\u{1}", error(-32700, "parse error", null.clone())),
        ("[]", error(-32600, "empty batch", null.clone())),
        (many.as_str(), error(-32600, "batch too large", null.clone())),
        ("5", error(-32600, "invalid request", null.clone())),
        (r#"{"id":3}"#, error(-32600, "invalid request", json!(3))),
        (r#"{"id":{},"method":"eth_blockNumber"}"#, error(-32600, "invalid request", null)),
        (r#"{"id":3,"method":5}"#, error(-32600, "invalid request", json!(3))),
        (
            r#"{"id":"x","method":"eth_no"}"#,
            error(-32601, "the method eth_no does not exist/is not available", json!("x")),
        ),
        (
            r#"{"id":1,"method":"eth_blockNumber","params":{}}"#,
            error(-32602, "non-array args", json!(1)),
        ),
        (
            r#"{"id":1,"method":"eth_blockNumber","params":[1]}"#,
            error(-32602, "too many arguments, want at most 0", json!(1)),
        ),
        (
            r#"{"id":1,"method":"eth_getBalance","params":[]}"#,
            error(-32602, "missing value for required argument 0", json!(1)),
        ),
    ] {
        let shown: String = request.chars().take(60).collect();
        assert_eq!(answer(&service, request, 0), Some(expected), "{shown}");
    }
    let deep = answer(&service, &deep, 0).unwrap();
    assert_eq!(deep["error"]["code"], -32602, "nesting costs no stack: {deep}");
}

#[test]
fn a_batch_ends_in_time() {
    let service = service(Arc::new(MemoryChain::generate(1, 3)));
    let request = r#"{"id":1,"method":"eth_chainId"}"#;
    let batch = format!("[{}]", [request; 40].join(","));
    // A second for each look: one before the batch, one before each request.
    let seconds = std::cell::Cell::new(0);
    let clock = || Unix(seconds.replace(seconds.get() + 1));
    let answers = service.answer(&Namespaces::all(), batch.as_bytes(), clock).unwrap();
    let answers: Vec<Value> = serde_json::from_str(&answers).unwrap();
    let in_time = usize::try_from(MAX_BATCH_SECONDS).unwrap();
    assert_eq!(answers.len(), 40);
    assert!(answers[..in_time].iter().all(|answer| answer["result"] == "0x539"));
    for answer in &answers[in_time..] {
        assert_eq!(*answer, error(-32002, "request timed out", json!(1)));
    }
}

#[test]
fn a_number_beyond_its_type_is_an_invalid_argument() {
    let service = service(Arc::new(MemoryChain::generate(1, 3)));
    let huge = format!("0x{}", "f".repeat(1 << 20));
    for number in [huge.as_str(), "0x10000000000000000", "0xffffffffffffffff", "-1", "1e999"] {
        let answer = ask(&service, "eth_getBlockByNumber", json!([number, false]), 0);
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    let digits = "9".repeat(100_000);
    let request =
        format!(r#"{{"id":1,"method":"eth_getBlockByNumber","params":[{digits},false]}}"#);
    assert_eq!(answer(&service, &request, 0).unwrap()["error"]["code"], -32602);
}

#[test]
fn a_notification_is_not_answered_and_a_batch_keeps_its_order() {
    let service = service(Arc::new(MemoryChain::generate(1, 3)));
    assert_eq!(answer(&service, r#"{"method":"eth_blockNumber"}"#, 0), None);
    assert_eq!(answer(&service, r#"[{"method":"eth_blockNumber"}]"#, 0), None);
    assert_eq!(answer(&service, r#"{"id":1,"result":5}"#, 0), None, "a response is no request");
    let batch = r#"[{"id":2,"method":"net_version"},{"method":"net_version"},7,
        {"id":null,"method":"eth_blockNumber"}]"#;
    let expected = json!([
        { "jsonrpc": "2.0", "id": 2, "result": "1337" },
        error(-32600, "invalid request", Value::Null),
        { "jsonrpc": "2.0", "id": null, "result": "0x3" },
    ]);
    assert_eq!(answer(&service, batch, 0), Some(expected));
}

#[test]
fn every_method_survives_arguments_of_every_kind() {
    let service = service(Arc::new(MemoryChain::generate(1, 3)));
    let hash = B256::repeat_byte(7);
    let address = Address::repeat_byte(7);
    let kinds = [
        Value::Null,
        json!(true),
        json!(-1),
        json!("0x"),
        json!("0x1"),
        json!("latest"),
        json!(hash),
        json!(address),
        json!([]),
        json!(["0x1", null]),
        json!({}),
        json!({ "from": 5, "blockHash": hash }),
    ];
    for method in methods() {
        for first in &kinds {
            for second in &kinds {
                let params = json!([first, second, "latest", first]);
                for count in 0..=4 {
                    let params = &params.as_array().unwrap()[..count];
                    let answer = ask(&service, method, json!(params), 0);
                    let is_answer = answer.get("result").is_some() != answer.get("error").is_some();
                    assert!(is_answer, "{method} {params:?}: {answer}");
                }
            }
        }
    }
}

#[test]
fn a_namespace_that_is_not_allowed_does_not_exist() {
    let service = service(Arc::new(MemoryChain::generate(1, 3)));
    let allowed = Namespaces::of([Namespace::Net]);
    for (method, expected) in [
        ("net_version", json!("1337")),
        ("rpc_modules", json!({ "net": "1.0", "rpc": "1.0" })),
        ("admin_datadir", Value::Null),
        ("eth_blockNumber", Value::Null),
    ] {
        let request = json!({ "id": 1, "method": method }).to_string();
        let answer = service.answer(&allowed, request.as_bytes(), || Unix(0)).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer.get("result").cloned().unwrap_or_default(), expected, "{method}");
    }
}

#[test]
fn a_block_filter_tells_each_canonical_block_once_and_ends_when_forgotten() {
    let mut generator = chain_backend::memory::Generator::new(1);
    let blocks = generator.chain(3);
    let chain = Arc::new(MemoryChain::new(
        blocks[..3].to_vec(),
        chain_backend::HelperTrieParameters::SERVER,
    ));
    let service = service(Arc::clone(&chain));
    let id = ask(&service, "eth_newBlockFilter", json!([]), 0)["result"].clone();
    let poll = |now| ask(&service, "eth_getFilterChanges", json!([id]), now);
    assert_eq!(poll(1)["result"], json!([]));
    chain.push(blocks[3].clone());
    let third = chain.snapshot().head().hash;
    assert_eq!(poll(2)["result"], json!([third]));
    assert_eq!(poll(3)["result"], json!([]));
    // Blocks 2 and 3 are replaced by three others.
    let mut tip = blocks[1].clone();
    let mut came = Vec::new();
    for _ in 0..3 {
        tip = generator.child(&tip);
        chain.push(tip.clone());
        came.push(chain.snapshot().head().hash);
    }
    assert_eq!(poll(4)["result"], json!(came));
    assert_eq!(poll(303)["result"], json!([]), "asking keeps it");
    let gone = error(-32000, "filter not found", json!(1));
    assert_eq!(poll(603), gone, "after five minutes");
    let id = ask(&service, "eth_newBlockFilter", json!([]), 604)["result"].clone();
    let uninstall = || ask(&service, "eth_uninstallFilter", json!([id]), 604)["result"].clone();
    assert_eq!((uninstall(), uninstall()), (json!(true), json!(false)));
}
