//! `lesd db`.

use chain_backend::Backend as _;
use serde_json::{Value, json};
use tracing::info;

use super::{Failure, prepare, print};
use crate::{
    args::{StatsArgs, VerifyArgs},
    clock::Clock,
    data_directory,
};

pub(super) fn stats(args: &StatsArgs) -> Result<(), Failure> {
    let (directory, cache) = prepare(&args.common);
    let chain = data_directory::open(directory, cache)?;
    let snapshot = chain.store.snapshot();
    let head = snapshot.head();
    let checkpoint = snapshot.checkpoint()?.map(|checkpoint| {
        json!({
            "sectionIndex": checkpoint.section_index,
            "sectionHead": checkpoint.section_head,
            "chtRoot": checkpoint.cht_root,
            "bloomRoot": checkpoint.bloom_root,
        })
    });
    let stored = chain.store.stats()?;
    let total: u64 = stored.files.values().sum();
    let stats = json!({
        "head": { "number": head.number, "hash": head.hash },
        "totalDifficulty": head.total_difficulty.to_string(),
        "genesis": snapshot.genesis_hash(),
        "chainId": chain.spec.chain_id(),
        "archive": stored.archive,
        "blocks": stored.blocks,
        "baseNumber": stored.base_number,
        "stateNodes": stored.state_nodes,
        "helperTrieSections": stored.helper_sections,
        "checkpoint": checkpoint,
        "bytes": total,
        "files": stored.files,
    });
    let text = if args.json { serde_json::to_string_pretty(&stats)? + "\n" } else { words(&stats) };
    print(&text)
}

/// One line a fact.
fn words(stats: &Value) -> String {
    let of = |pointer: &str| match stats.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let states = if stats.pointer("/archive") == Some(&Value::Bool(true)) {
        "all (archive)".to_owned()
    } else {
        format!("the last 128, on the base at block {}", of("/baseNumber"))
    };
    let mut lines = vec![
        format!("head              {} {}", of("/head/number"), of("/head/hash")),
        format!("total difficulty  {}", of("/totalDifficulty")),
        format!("genesis           {}", of("/genesis")),
        format!("chain id          {}", of("/chainId")),
        format!("blocks            {}", of("/blocks")),
        format!("states            {states}"),
        format!("state nodes       {}", of("/stateNodes")),
        format!("helper tries      {} sections", of("/helperTrieSections")),
    ];
    if stats.pointer("/checkpoint").is_some_and(|checkpoint| !checkpoint.is_null()) {
        lines.push(format!("checkpoint        section {}", of("/checkpoint/sectionIndex")));
        lines.push(format!("  section head    {}", of("/checkpoint/sectionHead")));
        lines.push(format!("  CHT root        {}", of("/checkpoint/chtRoot")));
        lines.push(format!("  bloom root      {}", of("/checkpoint/bloomRoot")));
    }
    lines.push("files, in bytes".to_owned());
    for (name, bytes) in stats.pointer("/files").and_then(Value::as_object).into_iter().flatten() {
        lines.push(format!("  {:>14}  {name}", bytes.to_string()));
    }
    lines.push(format!("  {:>14}  in all\n", of("/bytes")));
    lines.join("\n")
}

pub(super) fn repair(args: &VerifyArgs) -> Result<(), Failure> {
    let (directory, cache) = prepare(&args.common);
    let head = data_directory::repair(directory, cache)?.store.head();
    info!(number = head.number, hash = %head.hash, "The chain is whole up to here");
    Ok(())
}

/// Time between two lines of progress, in nanoseconds.
const LINE_EVERY: u64 = 8_000_000_000;

pub(super) fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let (directory, cache) = prepare(&args.common);
    let chain = data_directory::open(directory, cache)?;
    let clock = Clock::start();
    let mut last = 0;
    let report = chain.store.verify(&mut |progress| {
        let now = clock.now().0;
        if now.saturating_sub(last) >= LINE_EVERY {
            info!(stage = progress.stage, done = progress.done, "Verifying");
            last = now;
        }
    })?;
    info!(
        blocks = report.blocks,
        canonical = report.canonical_blocks,
        states = report.states,
        nodes = report.nodes,
        helper_sections = report.helper_sections,
        faults = report.faults.len(),
        "Verified"
    );
    match report.faults.split_first() {
        None => print("no faults\n"),
        Some((first, _)) => {
            let all = report.faults.join("\n");
            let advice = "restore a copy, or import the chain into a new directory";
            print(&format!("{all}\n"))?;
            let count = report.faults.len();
            Err(format!("{count} faults, the first: {first}; {advice}").into())
        }
    }
}
