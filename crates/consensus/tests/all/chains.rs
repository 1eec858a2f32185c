//! Every header of chains that go-ethereum made, and the same headers with one field changed.

use alloy_consensus::{Header, TxEnvelope};
use alloy_primitives::{Address, B256, U256};
use alloy_rlp::Decodable;
use consensus::clique::Snapshot;
use consensus::{
    Ancestor, ChainSpec, Engine, Genesis, Parent, UNCLE_DEPTH, check_header, check_uncles,
};

use super::support::{fixture, json, number, read, read_gzip, text};

type Block = alloy_consensus::Block<TxEnvelope>;

struct Chain {
    spec: ChainSpec,
    genesis: Header,
    blocks: Vec<Block>,
    head: B256,
    total_difficulty: U256,
}

fn chain(name: &str) -> Chain {
    let folder = fixture("chain").join(name);
    let file = Genesis::parse(&read(&folder.join("genesis.json"))).unwrap();
    let genesis = file.header(file.alloc.state_root());
    let bytes = read_gzip(&folder.join("chain.rlp.gz"));
    let mut rest = &bytes[..];
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        blocks.push(Block::decode(&mut rest).unwrap());
    }
    let manifest = json(&folder.join("manifest.json"));
    Chain {
        spec: file.spec(&genesis).unwrap(),
        genesis,
        blocks,
        head: text(&manifest, "headHash").parse().unwrap(),
        total_difficulty: number(&manifest, "totalDifficulty"),
    }
}

/// Walks the chain by the rules, and gives who signed each block, where somebody did.
fn check(name: &str) -> Vec<Address> {
    let chain = chain(name);
    let mut votes = match chain.spec.engine() {
        Engine::Clique(config) => Some(Snapshot::trusted(config, &chain.genesis).unwrap()),
        Engine::Ethash => None,
    };
    let mut ancestors =
        vec![Ancestor { header: &chain.genesis, hash: chain.genesis.hash_slow(), uncles: &[] }];
    let mut total_difficulty = chain.genesis.difficulty;
    let mut signers = Vec::new();
    for block in &chain.blocks {
        let Ancestor { header, hash, .. } = ancestors[0];
        let parent = Parent { header, hash, total_difficulty };
        check_header(&chain.spec, &block.header, &parent)
            .unwrap_or_else(|error| panic!("{name} {}: {error}", block.header.number));
        check_uncles(&chain.spec, &block.header, &block.body.ommers, &ancestors)
            .unwrap_or_else(|error| panic!("{name} {}: {error}", block.header.number));
        if let Some(votes) = &mut votes {
            signers.push(votes.apply(&block.header).unwrap());
        }
        total_difficulty += block.header.difficulty;
        let (header, hash) = (&block.header, block.header.hash_slow());
        ancestors.insert(0, Ancestor { header, hash, uncles: &block.body.ommers });
        ancestors.truncate(UNCLE_DEPTH);
    }
    assert_eq!(ancestors[0].hash, chain.head, "{name}");
    assert_eq!(total_difficulty, chain.total_difficulty, "{name}");
    signers
}

#[test]
fn a_clique_chain_of_one_signer_is_valid() {
    let signers = check("small");
    assert_eq!(signers.len(), 430);
    assert!(signers.iter().all(|signer| *signer == signers[0]));
}

#[test]
fn a_clique_chain_with_votes_is_valid_across_all_forks() {
    let signers = check("forks");
    let distinct: std::collections::BTreeSet<_> = signers.iter().collect();
    assert_eq!((signers.len(), distinct.len()), (100, 3));
}

#[test]
fn a_proof_of_work_chain_with_uncles_is_valid_across_all_forks() {
    assert!(check("pow").is_empty());
}
