//! `DifficultyTests`.

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_primitives::B256;
use consensus::{ChainConfig, ChainSpec, Fork};
use serde_json::Value;

use super::support::{fixture, json, number, object, official, small, text};

fn newest_fork(network: &str) -> Fork {
    match network {
        "Frontier" => Fork::Frontier,
        "Homestead" => Fork::Homestead,
        "Byzantium" => Fork::Byzantium,
        // The two differ in the price of storage only.
        "Constantinople" => Fork::Petersburg,
        "Berlin" => Fork::Berlin,
        "London" => Fork::London,
        "ArrowGlacier" => Fork::ArrowGlacier,
        "GrayGlacier" => Fork::GrayGlacier,
        _ => panic!("unknown network {network}"),
    }
}

fn check(name: &str, spec: &ChainSpec, case: &Value) {
    let uncles = number(case, "parentUncles").is_zero();
    let parent = Header {
        number: small(case, "currentBlockNumber") - 1,
        difficulty: number(case, "parentDifficulty"),
        timestamp: small(case, "parentTimestamp"),
        ommers_hash: if uncles { EMPTY_OMMER_ROOT_HASH } else { B256::ZERO },
        ..Header::default()
    };
    let found = spec.next_difficulty(&parent, small(case, "currentTimestamp"));
    assert_eq!(
        found,
        number(case, "currentDifficulty"),
        "{name}: {}",
        text(case, "currentBlockNumber")
    );
}

/// Runs one file; gives the number of its cases.
fn check_file(file: &Value) -> usize {
    let mut count = 0;
    for (name, networks) in object(file) {
        for (network, cases) in object(networks) {
            let config = ChainConfig::active_from_start(1, newest_fork(network));
            let spec = ChainSpec::new(config, &Header::default()).unwrap();
            for (case, value) in object(cases) {
                check(&format!("{name}/{case}"), &spec, value);
                count += 1;
            }
        }
    }
    count
}

#[test]
fn difficulty_is_exact_in_a_choice_of_the_official_cases() {
    assert_eq!(check_file(&json(&fixture("consensus/difficulty.json"))), 935);
}

#[test]
fn difficulty_is_exact_in_all_official_cases() {
    for path in official("DifficultyTests").unwrap_or_default() {
        assert!(check_file(&json(&path)) > 0, "{}", path.display());
    }
}
