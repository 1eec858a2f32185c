//! `lesctl probe`: Hello and Status in words.

use alloy_primitives::hex;
use les_wire::{RequestKind, Status};
use serde_json::{Map, Value, json};

use crate::args::Probe;
use crate::client::Client;
use crate::error::Error;
use crate::print::{Report, harmless};

pub(crate) fn run(probe: &Probe) -> Result<Report, Error> {
    let client = Client::connect(&probe.enode, probe.output.timeout)?;
    let report = describe(&client);
    client.close();
    Ok(report)
}

fn describe(client: &Client) -> Report {
    let (hello, status) = (client.hello(), client.status());
    let version = client.version();
    let mut report =
        Report::new(format!("les/{} server {}", version.number(), harmless(&hello.client)));
    report.add_as("", "", "client", harmless(&hello.client));
    report.add_as("", "", "p2pVersion", hello.version);
    let offered: Vec<String> = hello.capabilities.iter().map(ToString::to_string).collect();
    report.add_as("offers", offered.join(", "), "capabilities", offered);
    report.add_as("", "", "lesVersion", version.number());
    describe_chain(&mut report, status);
    describe_service(&mut report, status);
    describe_flow_control(&mut report, status);
    let unknown: Map<String, Value> = status
        .unknown_entries()
        .map(|(key, value)| (harmless(&String::from_utf8_lossy(key)), hex::encode(value).into()))
        .collect();
    if !unknown.is_empty() {
        let keys: Vec<&str> = unknown.keys().map(String::as_str).collect();
        report.add_as("unknown keys", keys.join(", "), "unknown", unknown.clone());
    }
    let useless = status.useless_to_client(version);
    let verdict = useless.map_or_else(|| "yes".to_owned(), |reason| format!("no: {reason}"));
    report.add("fit for a go-ethereum light client", "fitForLightClients", verdict);
    report
}

fn describe_chain(report: &mut Report, status: &Status) {
    report.add_as("network", status.network_id, "networkId", status.network_id);
    report.add("genesis", "genesisHash", status.genesis_hash);
    if let Some(fork_id) = status.fork_id {
        let hash = hex::encode(fork_id.hash);
        let next = match fork_id.next {
            0 => "no fork known to come".to_owned(),
            next => format!("next fork at block or time {next}"),
        };
        let value = json!({"hash": hash, "next": fork_id.next});
        report.add_as("fork id", format!("{hash}, {next}"), "forkId", value);
    }
    if let Some(head) = status.head {
        let text = format!("block {} {}", head.number, head.hash);
        let value = json!({
            "number": head.number,
            "hash": head.hash,
            "totalDifficulty": head.total_difficulty.to_string(),
        });
        report.add_as("head", text, "head", value);
        report.add_as("total difficulty", head.total_difficulty, "", Value::Null);
    }
}

fn describe_service(report: &mut Report, status: &Status) {
    let range = |since: Option<u64>, recent: Option<u64>| match (since, recent) {
        (None, _) => "none".to_owned(),
        (Some(since), None | Some(0)) => format!("from block {since} on"),
        (Some(_), Some(recent)) => format!("of the last {recent} blocks"),
    };
    let headers = if status.serve_headers { "served" } else { "not announced" };
    report.add_as("headers", headers, "serveHeaders", status.serve_headers);
    let bodies = range(status.serve_chain_since, status.serve_recent_chain);
    report.add_as("bodies and receipts", bodies, "serveChainSince", status.serve_chain_since);
    report.add_as("", "", "serveRecentChain", status.serve_recent_chain);
    let states = range(status.serve_state_since, status.serve_recent_state);
    report.add_as("states", states, "serveStateSince", status.serve_state_since);
    report.add_as("", "", "serveRecentState", status.serve_recent_state);
    let lookup = match status.recent_tx_lookup {
        None => "not said".to_owned(),
        Some(0) => "all blocks".to_owned(),
        Some(1) => "none".to_owned(),
        Some(recent) => format!("the last {} blocks", recent.saturating_sub(1)),
    };
    report.add_as("transaction index", lookup, "recentTxLookup", status.recent_tx_lookup);
    let relay = if status.tx_relay { "offered" } else { "not offered" };
    report.add_as("transaction relay", relay, "txRelay", status.tx_relay);
    if let Some(checkpoint) = status.checkpoint {
        let text = format!("section {} {}", checkpoint.section, checkpoint.section_head);
        let value = json!({
            "section": checkpoint.section,
            "sectionHead": checkpoint.section_head,
            "canonicalHashRoot": checkpoint.canonical_hash_root,
            "bloomRoot": checkpoint.bloom_root,
        });
        report.add_as("checkpoint", text, "checkpoint", value);
    }
}

fn describe_flow_control(report: &mut Report, status: &Status) {
    let Some(flow) = &status.flow_control else {
        report.add_as("flow control", "none: it serves nothing", "flowControl", Value::Null);
        return;
    };
    let text = format!("buffer {}, recharge {}/ms", flow.buffer_limit, flow.recharge_per_ms);
    let costs = RequestKind::ALL.into_iter().filter_map(|kind| {
        let cost = flow.costs.get(kind)?;
        Some((kind.name().to_owned(), json!({"base": cost.base, "perItem": cost.per_item})))
    });
    let value = json!({
        "bufferLimit": flow.buffer_limit,
        "rechargePerMs": flow.recharge_per_ms,
        "costs": costs.collect::<Map<_, _>>(),
    });
    report.add_as("flow control", text, "flowControl", value);
    let costs = RequestKind::ALL.into_iter().filter_map(|kind| {
        let cost = flow.costs.get(kind)?;
        Some(format!("{} {} + {} per item", kind.name(), cost.base, cost.per_item))
    });
    report.add_as("most a request costs", costs.collect::<Vec<_>>().join("\n"), "", Value::Null);
}
