//! Headers, uncles and seals of `BlockchainTests`, without executing a block.

use std::collections::BTreeMap;

use alloy_consensus::Header;
use alloy_primitives::{B256, U256};
use alloy_rlp::{Decodable, Header as Prefix};
use consensus::ethash::Caches;
use consensus::{
    Ancestor, ChainConfig, ChainSpec, Genesis, Parent, UNCLE_DEPTH, check_header, check_uncles,
};
use serde_json::Value;

use super::network;
use super::support::{fixture, json, object, official, read_gzip, text};

struct Block {
    header: Header,
    hash: B256,
    uncles: Vec<Header>,
    total_difficulty: U256,
}

/// Header and uncles of a block's RLP; transactions are left alone.
fn decode(mut rlp: &[u8]) -> alloy_rlp::Result<(Header, Vec<Header>)> {
    let mut block = Prefix::decode_bytes(&mut rlp, true)?;
    let header = Header::decode(&mut block)?;
    Prefix::decode_bytes(&mut block, true)?;
    Ok((header, Vec::decode(&mut block)?))
}

struct Test<'a> {
    spec: ChainSpec,
    blocks: BTreeMap<B256, Block>,
    /// Where seals are to be checked.
    seals: Option<&'a mut Caches>,
}

impl Test<'_> {
    /// The block, if it fits on the chain, or the rule that it breaks.
    fn check(&mut self, rlp: &[u8]) -> Result<Block, String> {
        let (header, uncles) = decode(rlp).map_err(|error| error.to_string())?;
        let above = self.blocks.get(&header.parent_hash).ok_or("unknown parent")?;
        let parent = Parent {
            header: &above.header,
            hash: above.hash,
            total_difficulty: above.total_difficulty,
        };
        check_header(&self.spec, &header, &parent).map_err(|error| error.to_string())?;
        let next = |block: &&Block| self.blocks.get(&block.header.parent_hash);
        let ancestors: Vec<_> = std::iter::successors(Some(above), next)
            .take(UNCLE_DEPTH)
            .map(|block| Ancestor {
                header: &block.header,
                hash: block.hash,
                uncles: &block.uncles,
            })
            .collect();
        check_uncles(&self.spec, &header, &uncles, &ancestors)
            .map_err(|error| error.to_string())?;
        if let Some(caches) = &mut self.seals {
            for sealed in std::iter::once(&header).chain(&uncles) {
                caches.verify(sealed).map_err(|error| error.to_string())?;
            }
        }
        let (hash, total_difficulty) =
            (header.hash_slow(), above.total_difficulty + header.difficulty);
        Ok(Block { header, hash, uncles, total_difficulty })
    }
}

/// Block 0 of a test, read as a genesis file; its hash must be the published one.
fn genesis(case: &Value, config: ChainConfig) -> (ChainSpec, Header) {
    const FIELDS: [&str; 11] = [
        "nonce",
        "timestamp",
        "extraData",
        "gasLimit",
        "difficulty",
        "mixHash",
        "coinbase",
        "gasUsed",
        "baseFeePerGas",
        "excessBlobGas",
        "blobGasUsed",
    ];
    let header = &case["genesisBlockHeader"];
    let mut file: serde_json::Map<_, _> =
        FIELDS.iter().map(|field| ((*field).to_owned(), header[*field].clone())).collect();
    file.insert("alloc".to_owned(), case["pre"].clone());
    file.insert("config".to_owned(), serde_json::json!({ "chainId": 1 }));
    let mut genesis = Genesis::parse(Value::from(file).to_string().as_bytes()).unwrap();
    genesis.config = config;
    let first = genesis.header(genesis.alloc.state_root());
    assert_eq!(first.hash_slow(), text(header, "hash").parse::<B256>().unwrap(), "{header}");
    (genesis.spec(&first).unwrap(), first)
}

/// Words of an exception that only a block's body and its execution can show.
const NEEDS_EXECUTION: [&str; 13] = [
    "TransactionException",
    "STATE_ROOT",
    "StateRoot",
    "RECEIPTS_ROOT",
    "TRANSACTIONS_ROOT",
    "WITHDRAWALS",
    "RLP_",
    "LOG_BLOOM",
    "GAS_USED",
    "InvalidTransactionsRoot",
    "InvalidLogBloom",
    "GasUsed",
    "GasLimitReached",
];

/// Runs the tests of one file; gives how many blocks were accepted and how many refused.
fn check_file(file: &Value, caches: &mut Caches) -> (usize, usize) {
    let (mut accepted, mut refused) = (0, 0);
    for (name, case) in object(file) {
        let Some(config) = network::config(text(case, "network")) else {
            assert_eq!(text(case, "network"), "Constantinople", "{name}");
            continue;
        };
        let (spec, genesis) = genesis(case, config);
        let (hash, total_difficulty) = (genesis.hash_slow(), genesis.difficulty);
        let first = Block { header: genesis, hash, uncles: Vec::new(), total_difficulty };
        // Seals of the newer folder were made for another engine's tests.
        let seals = (case["sealEngine"] == "Ethash").then_some(&mut *caches);
        let mut test = Test { spec, blocks: BTreeMap::from([(hash, first)]), seals };
        for (at, block) in case["blocks"].as_array().unwrap().iter().enumerate() {
            let exceptions = block.as_object().unwrap().iter();
            let exception = exceptions
                .filter(|(key, _)| key.starts_with("expectException"))
                .map(|(_, exception)| exception.as_str().unwrap())
                .next();
            let valid = block.get("blockHeader").is_some();
            let result = block["rlp"].as_str().unwrap().parse::<alloy_primitives::Bytes>();
            let result = result.map_err(|e| e.to_string()).and_then(|rlp| test.check(&rlp));
            let context = || format!("{name}, block {at}: {exception:?}");
            match result {
                Ok(block) if valid => {
                    test.blocks.insert(block.hash, block);
                    accepted += 1;
                }
                Ok(_) => {
                    let later = |word: &str| exception.is_none_or(|text| text.contains(word));
                    assert!(NEEDS_EXECUTION.into_iter().any(later), "accepted {}", context());
                }
                Err(error) if valid => panic!("{error} {}", context()),
                Err(_) => refused += 1,
            }
        }
    }
    (accepted, refused)
}

#[test]
fn headers_of_a_choice_of_official_chains_are_judged_as_published() {
    let file = read_gzip(&fixture("consensus/headers.json.gz"));
    let file = serde_json::from_slice(&file).unwrap();
    assert_eq!(check_file(&file, &mut Caches::default()), (286, 103));
}

#[test]
fn headers_of_all_official_chains_are_judged_as_published() {
    let (mut caches, mut judged) = (Caches::default(), None);
    for folder in ["BlockchainTests", "LegacyTests/Constantinople/BlockchainTests"] {
        for path in official(folder).unwrap_or_default() {
            let (accepted, refused) = check_file(&json(&path), &mut caches);
            *judged.get_or_insert(0) += accepted + refused;
        }
    }
    assert_ne!(judged, Some(0), "no block in all those files");
}
