//! What is asked: every method, with arguments that are taken from the chain, and wrong ones.

use std::path::Path;

use serde_json::{Value, json};

use crate::{Program, result};

/// One call.
pub(crate) struct Case {
    pub(crate) method: &'static str,
    pub(crate) params: Value,
    pub(crate) expected: Expected,
}

/// How alike two answers must be.
#[derive(Clone, Copy)]
pub(crate) enum Expected {
    /// In every field, code and word.
    Equal,
    /// Both a result of the same kind, or both an error of the same code; and why not more.
    Shape(&'static str),
}

const NO_BLOCK: &str = "0xfffff";
const UNKNOWN: &str = "0x00000000000000000000000000000000000000000000000000000000000000ff";
const NOBODY: &str = "0x00000000000000000000000000000000000000ff";
/// A node that does not answer, so that nobody connects.
const ENODE: &str = "enode://79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada\
                     7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8@127.0.0.1:9";

#[derive(Default)]
struct Cases(Vec<Case>);

impl Cases {
    fn equal(&mut self, method: &'static str, params: Value) {
        self.0.push(Case { method, params, expected: Expected::Equal });
    }

    fn shape(&mut self, method: &'static str, params: Value, why: &'static str) {
        self.0.push(Case { method, params, expected: Expected::Shape(why) });
    }
}

/// All calls, in the order in which they must be made.
pub(crate) fn all(geth: &mut Program, chain: &Path) -> Vec<Case> {
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(chain.join("manifest.json")).unwrap()).unwrap();
    let head = result(geth, "eth_blockNumber", json!([]));
    let last = u64::from_str_radix(head.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let blocks: Vec<Value> = (0..=last)
        .map(|number| result(geth, "eth_getBlockByNumber", json!([format!("{number:#x}"), true])))
        .collect();
    let mut cases = Cases::default();
    node(&mut cases);
    blocks_and_transactions(&mut cases, &blocks);
    states(&mut cases, &blocks, &manifest);
    calls(&mut cases, &blocks);
    fees(&mut cases, last);
    logs(&mut cases, &blocks);
    wrong_arguments(&mut cases);
    cases.0
}

fn node(cases: &mut Cases) {
    let none = || json!([]);
    cases.shape("web3_clientVersion", none(), "names the program");
    cases.shape("admin_nodeInfo", none(), "names the node");
    cases.shape("admin_datadir", none(), "names the directory");
    cases.shape("rpc_modules", none(), "lists the namespaces there are");
    for method in [
        "admin_peers",
        "eth_accounts",
        "eth_blockNumber",
        "eth_chainId",
        "eth_coinbase",
        "eth_syncing",
        "net_listening",
        "net_peerCount",
        "net_version",
    ] {
        cases.equal(method, none());
    }
    for input in ["0x", "0x00", "0x68656c6c6f"] {
        cases.equal("web3_sha3", json!([input]));
    }
    for method in
        ["admin_addPeer", "admin_addTrustedPeer", "admin_removeTrustedPeer", "admin_removePeer"]
    {
        cases.equal(method, json!([ENODE]));
        cases.shape(method, json!(["enode://nobody"]), "words for what is no enode URL differ");
    }
}

fn blocks_and_transactions(cases: &mut Cases, blocks: &[Value]) {
    for block in blocks {
        let (number, hash) = (&block["number"], &block["hash"]);
        for whole in [true, false] {
            cases.equal("eth_getBlockByNumber", json!([number, whole]));
            cases.equal("eth_getBlockByHash", json!([hash, whole]));
        }
        for (by_number, by_hash) in [
            ("eth_getHeaderByNumber", "eth_getHeaderByHash"),
            ("eth_getBlockTransactionCountByNumber", "eth_getBlockTransactionCountByHash"),
            ("eth_getUncleCountByBlockNumber", "eth_getUncleCountByBlockHash"),
        ] {
            cases.equal(by_number, json!([number]));
            cases.equal(by_hash, json!([hash]));
        }
        for transaction in block["transactions"].as_array().unwrap() {
            let (index, id) = (&transaction["transactionIndex"], &transaction["hash"]);
            cases.equal("eth_getTransactionByHash", json!([id]));
            cases.equal("eth_getTransactionReceipt", json!([id]));
            cases.equal("eth_getTransactionByBlockNumberAndIndex", json!([number, index]));
            cases.equal("eth_getTransactionByBlockHashAndIndex", json!([hash, index]));
        }
    }
    for tag in ["earliest", "latest", "finalized", "safe", NO_BLOCK] {
        cases.equal("eth_getBlockByNumber", json!([tag, false]));
        cases.equal("eth_getBlockTransactionCountByNumber", json!([tag]));
        cases.equal("eth_getUncleCountByBlockNumber", json!([tag]));
        cases.equal("eth_getTransactionByBlockNumberAndIndex", json!([tag, "0x0"]));
    }
    for method in [
        "eth_getHeaderByHash",
        "eth_getBlockTransactionCountByHash",
        "eth_getUncleCountByBlockHash",
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
    ] {
        cases.equal(method, json!([UNKNOWN]));
    }
    cases.equal("eth_getBlockByHash", json!([UNKNOWN, true]));
    cases.equal("eth_getTransactionByBlockHashAndIndex", json!([UNKNOWN, "0x0"]));
    cases.equal("eth_getTransactionByBlockNumberAndIndex", json!(["latest", "0xffff"]));
}

fn states(cases: &mut Cases, blocks: &[Value], manifest: &Value) {
    let listed = manifest["accounts"].as_array().unwrap().iter();
    let senders = blocks.iter().flat_map(|block| block["transactions"].as_array().unwrap());
    let mut accounts: Vec<Value> = listed
        .cloned()
        .chain(senders.flat_map(|sent| [sent["from"].clone(), sent["to"].clone()]))
        .chain([json!(NOBODY)])
        .filter(|account| !account.is_null())
        .collect();
    accounts.sort_by_key(ToString::to_string);
    accounts.dedup();
    let middle = &blocks[blocks.len() / 2];
    let at = [
        json!("latest"),
        json!("earliest"),
        middle["number"].clone(),
        middle["hash"].clone(),
        json!({ "blockHash": middle["hash"], "requireCanonical": true }),
        json!(NO_BLOCK),
        json!(UNKNOWN),
        json!("finalized"),
        json!("safe"),
    ];
    for account in &accounts {
        for block in &at {
            cases.equal("eth_getBalance", json!([account, block]));
            cases.equal("eth_getTransactionCount", json!([account, block]));
            cases.equal("eth_getCode", json!([account, block]));
            for slot in ["0x0", "0x1", "not hexadecimal"] {
                cases.equal("eth_getStorageAt", json!([account, slot, block]));
            }
            cases.equal("eth_getProof", json!([account, ["0x0", "0x01", UNKNOWN], block]));
        }
        cases.equal("eth_getTransactionCount", json!([account, "pending"]));
        cases.equal("eth_getProof", json!([account, [], "latest"]));
    }
}

/// Code that a creation runs, and what comes of it.
const CODES: [&str; 8] = [
    // returns the number of the block
    "0x4360005260206000f3",
    // the coinbase, the base fee, the chain id, the gas price, the origin
    "0x4160005248602052466040523a60605232608052620000a06000f3",
    // reverts without and with bytes
    "0x60006000fd",
    "0x60206000fd",
    // reverts with Error("no")
    "0x7f08c379a00000000000000000000000000000000000000000000000000000000060005260206004526002602452\
     7f6e6f00000000000000000000000000000000000000000000000000000000000060445260646000fd",
    // jumps nowhere, runs out of gas
    "0x600056",
    "0x5b600056",
    // writes a slot
    "0x600160005500",
];

fn calls(cases: &mut Cases, blocks: &[Value]) {
    let rich = blocks
        .iter()
        .flat_map(|block| block["transactions"].as_array().unwrap())
        .map(|sent| sent["from"].clone())
        .next()
        .unwrap();
    let mut messages = vec![
        json!({}),
        json!({ "to": NOBODY }),
        json!({ "from": rich, "to": NOBODY, "value": "0x1" }),
        json!({ "from": rich, "to": NOBODY, "value": "0x1", "gas": "0x5208" }),
        json!({ "from": rich, "to": NOBODY, "gas": "0x5207" }),
        json!({ "from": NOBODY, "to": NOBODY, "value": "0x1" }),
        json!({ "from": rich, "to": NOBODY, "gasPrice": "0x1", "gas": "0x5208" }),
        json!({ "from": rich, "to": NOBODY, "gasPrice": "0x77359400", "gas": "0x5208" }),
        json!({ "from": rich, "to": NOBODY, "maxFeePerGas": "0x77359400", "gas": "0x5208" }),
        json!({ "from": rich, "to": NOBODY, "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x2" }),
        json!({ "gasPrice": "0x1", "maxFeePerGas": "0x1" }),
        json!({ "from": NOBODY, "to": NOBODY, "gasPrice": "0x77359400", "gas": "0x5208" }),
        json!({ "to": NOBODY, "data": "0x0001" }),
        json!({ "to": NOBODY, "data": "0x0001", "input": "0x02" }),
        json!({ "to": "0x0000000000000000000000000000000000000002", "input": "0x00" }),
        json!({
            "to": NOBODY,
            "accessList": [{ "address": NOBODY, "storageKeys": [UNKNOWN] }],
        }),
    ];
    messages.extend(CODES.map(|code| json!({ "from": rich, "input": code, "gas": "0x30d40" })));
    messages.extend(blocks.iter().flat_map(|block| block["transactions"].as_array().unwrap()).map(
        |sent| {
            json!({ "from": sent["from"], "to": sent["to"], "input": sent["input"],
                "gas": "0x4c4b40" })
        },
    ));
    for message in messages {
        for block in ["latest", "0x28"] {
            for method in ["eth_call", "eth_estimateGas"] {
                if block != "latest" && message["input"] == CODES[1] {
                    // An instruction that comes with London.
                    let why = "a code that is no instruction is not named";
                    cases.shape(method, json!([message, block]), why);
                } else {
                    cases.equal(method, json!([message, block]));
                }
            }
        }
    }
    cases.equal("eth_estimateGas", json!([{ "to": NOBODY }]));
    cases.equal("eth_call", json!([{ "to": NOBODY }, NO_BLOCK]));
    cases.equal("eth_call", json!([{ "to": NOBODY }, UNKNOWN]));
}

fn fees(cases: &mut Cases, last: u64) {
    cases.equal("eth_gasPrice", json!([]));
    cases.equal("eth_maxPriorityFeePerGas", json!([]));
    for count in [json!("0x0"), json!("0x1"), json!("5"), json!(3), json!("0x400"), json!("0xffff")]
    {
        for percentiles in [json!([]), json!([0, 25.5, 50, 100])] {
            for block in [json!("latest"), json!(format!("{last:#x}")), json!("0x32")] {
                cases.equal("eth_feeHistory", json!([count, block, percentiles]));
            }
        }
    }
    cases.equal("eth_feeHistory", json!(["0x1", NO_BLOCK, []]));
    cases.equal("eth_feeHistory", json!(["0x1", "latest", [101]]));
    cases.equal("eth_feeHistory", json!(["0x1", "latest", [50, 25]]));
    cases.equal("eth_feeHistory", json!(["0x2", "latest"]));
}

fn logs(cases: &mut Cases, blocks: &[Value]) {
    let whole = || json!({ "fromBlock": "0x0", "toBlock": "latest" });
    let with = |name: &str, value: Value| {
        let mut criteria = whole();
        criteria[name] = value;
        criteria
    };
    let receivers = blocks
        .iter()
        .flat_map(|block| block["transactions"].as_array().unwrap())
        .map(|sent| sent["to"].clone())
        .filter(|to| !to.is_null());
    let mut receivers: Vec<Value> = receivers.collect();
    receivers.sort_by_key(ToString::to_string);
    receivers.dedup();
    let mut criteria = vec![
        json!({}),
        whole(),
        json!({ "fromBlock": "latest" }),
        json!({ "fromBlock": "0x10", "toBlock": "0x20" }),
        json!({ "fromBlock": "0x20", "toBlock": "0x10" }),
        json!({ "fromBlock": "0x0", "toBlock": NO_BLOCK }),
        json!({ "blockHash": UNKNOWN }),
        json!({ "blockHash": UNKNOWN, "fromBlock": "0x0" }),
        with("address", json!(NOBODY)),
        with("address", json!(receivers)),
        with("topics", json!([])),
        with("topics", json!([null])),
        with("topics", json!([UNKNOWN])),
        with("topics", json!([[UNKNOWN, null]])),
        with("topics", json!([5])),
        with("address", json!(5)),
        with("address", json!("0x00")),
    ];
    criteria.extend(receivers.iter().map(|receiver| with("address", receiver.clone())));
    criteria.extend(blocks.iter().map(|block| json!({ "blockHash": block["hash"] })));
    for criteria in criteria {
        cases.equal("eth_getLogs", json!([criteria]));
    }
    cases.shape("eth_newFilter", json!([whole()]), "the name of a filter is random");
    cases.shape("eth_newBlockFilter", json!([]), "the name of a filter is random");
    for method in ["eth_getFilterChanges", "eth_getFilterLogs", "eth_uninstallFilter"] {
        cases.equal(method, json!(["0x1"]));
    }
}

fn wrong_arguments(cases: &mut Cases) {
    let transactions = "words for what is no transaction differ";
    for raw in ["0x", "0x00", "0xc0", "0x02", "0x7f"] {
        cases.shape("eth_sendRawTransaction", json!([raw]), transactions);
    }
    for params in [
        json!([]),
        json!([null]),
        json!(["0x1"]),
        json!([5]),
        json!([NOBODY]),
        json!([NOBODY, "latest", "latest"]),
        json!([NOBODY, "0x01"]),
        json!([NOBODY, "5"]),
        json!([NOBODY, "0x8000000000000000"]),
        json!([NOBODY, "0xffffffffffffffffff"]),
        json!([format!("{NOBODY}00"), "latest"]),
        json!([NOBODY.replace("ff", "fg"), "latest"]),
    ] {
        cases.equal("eth_getBalance", params);
    }
    for params in [json!(["0x1"]), json!(["0x1", 5]), json!(["x", true]), json!(["0x", true])] {
        cases.equal("eth_getBlockByNumber", params);
    }
    cases.equal("eth_getBlockByHash", json!(["0x12", true]));
    cases.equal("web3_sha3", json!(["0x1"]));
    cases.equal("eth_chainId", json!([1]));
    cases.equal("eth_call", json!([{ "to": "0x1" }, "latest"]));
    cases.equal("eth_call", json!([{ "to": NOBODY }]));
    cases.equal("eth_estimateGas", json!([]));
}
