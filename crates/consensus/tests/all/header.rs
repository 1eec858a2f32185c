//! Each header rule, broken alone, on headers that are valid otherwise.

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header};
use alloy_eips::eip1559::BaseFeeParams;
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::{Address, B64, B256, U256};
use consensus::clique::{IN_TURN, VOTE_IN, VOTE_OUT, unsealed_extra};
use consensus::{
    Activation, BlobTarget, ChainConfig, ChainSpec, CliqueConfig, Fork, HeaderError, Parent,
    Position, check_header, next_base_fee,
};
use proptest::prelude::*;

const GAS_LIMIT: u64 = 30_000_000;
const BLOB: u64 = 131_072;

/// The parent of every header here: half full, so that the base fee stays.
fn parent(spec: &ChainSpec) -> Header {
    let position = Position { number: 10, timestamp: 1000, merged: merges(spec) };
    let mut header = fields(spec, position);
    header.gas_used = GAS_LIMIT / 2;
    header.base_fee_per_gas = header.base_fee_per_gas.map(|_| 1_000_000_000);
    header
}

fn merges(spec: &ChainSpec) -> bool {
    spec.terminal_total_difficulty().is_some()
}

/// A header with the fields of its forks and no link to a parent.
fn fields(spec: &ChainSpec, position: Position) -> Header {
    let active = |fork| spec.is_active(fork, position);
    Header {
        number: position.number,
        timestamp: position.timestamp,
        gas_limit: GAS_LIMIT,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        difficulty: if position.merged { U256::ZERO } else { U256::from(200_000) },
        base_fee_per_gas: active(Fork::London).then_some(1_000_000_000),
        withdrawals_root: active(Fork::Shanghai).then_some(EMPTY_ROOT_HASH),
        blob_gas_used: active(Fork::Cancun).then_some(0),
        excess_blob_gas: active(Fork::Cancun).then_some(0),
        parent_beacon_block_root: active(Fork::Cancun).then_some(B256::ZERO),
        requests_hash: active(Fork::Prague).then_some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}

/// A valid child.
fn child(spec: &ChainSpec, parent: &Header) -> Header {
    let (number, timestamp) = (parent.number + 1, parent.timestamp + 12);
    let mut header = fields(spec, Position { number, timestamp, merged: merges(spec) });
    header.parent_hash = parent.hash_slow();
    if spec.config().clique.is_some() {
        header.difficulty = IN_TURN;
        header.extra_data = unsealed_extra(&[]);
    } else if !merges(spec) {
        header.difficulty = spec.next_difficulty(parent, timestamp);
    }
    header
}

fn spec(newest: Fork) -> ChainSpec {
    ChainSpec::new(ChainConfig::active_from_start(1, newest), &Header::default()).unwrap()
}

fn clique() -> ChainSpec {
    let mut config = ChainConfig::active_from_start(1, Fork::London);
    config.clique = Some(CliqueConfig { period: 5, epoch: 12 });
    let signers = unsealed_extra(&[Address::repeat_byte(1)]);
    ChainSpec::new(config, &Header { extra_data: signers, ..Header::default() }).unwrap()
}

fn judge(spec: &ChainSpec, parent: &Header, header: &Header) -> Result<(), HeaderError> {
    let hash = parent.hash_slow();
    check_header(spec, header, &Parent { header: parent, hash, total_difficulty: U256::ZERO })
}

/// Breaks a valid header by `change`; the error's text must be `expected`.
#[track_caller]
fn check(spec: &ChainSpec, change: impl Fn(&mut Header), expected: &str) {
    let parent = parent(spec);
    let mut header = child(spec, &parent);
    assert_eq!(judge(spec, &parent, &header), Ok(()), "the header before the change");
    change(&mut header);
    let verdict = judge(spec, &parent, &header).map_err(|error| error.to_string());
    assert_eq!(verdict, Err(expected.to_owned()));
}

/// As [`check`], and the change keeps the header valid.
#[track_caller]
fn allowed(spec: &ChainSpec, change: impl Fn(&mut Header)) {
    let parent = parent(spec);
    let mut header = child(spec, &parent);
    change(&mut header);
    assert_eq!(judge(spec, &parent, &header), Ok(()));
}

#[test]
fn a_header_follows_its_parent() {
    for spec in [spec(Fork::Frontier), spec(Fork::London), spec(Fork::Osaka), clique()] {
        check(&spec, |header| header.number = 12, "number: expected 11, found 12");
        let parent = parent(&spec).hash_slow();
        let zero = B256::ZERO;
        let expected = format!("parentHash: expected {parent}, found {zero}");
        check(&spec, |header| header.parent_hash = B256::ZERO, &expected);
    }
}

#[test]
fn a_header_is_later_than_its_parent() {
    let expected = "timestamp: expected at least 1001, found 1000";
    for spec in [spec(Fork::Frontier), spec(Fork::Paris)] {
        check(&spec, |header| header.timestamp = 1000, expected);
    }
    let expected = "timestamp: expected at least 1005, found 1004";
    check(&clique(), |header| header.timestamp = 1004, expected);
    allowed(&clique(), |header| header.timestamp = 1005);
}

#[test]
fn the_gas_limit_moves_by_less_than_a_1024th() {
    let step = GAS_LIMIT / 1024;
    for spec in [spec(Fork::Frontier), spec(Fork::Cancun), clique()] {
        let range = format!("{} to {}", GAS_LIMIT - step + 1, GAS_LIMIT + step - 1);
        for found in [GAS_LIMIT - step, GAS_LIMIT + step] {
            let expected = format!("gasLimit: expected {range}, found {found}");
            check(&spec, |header| header.gas_limit = found, &expected);
        }
        allowed(&spec, |header| header.gas_limit = GAS_LIMIT - step + 1);
        allowed(&spec, |header| header.gas_limit = GAS_LIMIT + step - 1);
        let over = format!("gasUsed: at most the gas limit {GAS_LIMIT}, found {}", GAS_LIMIT + 1);
        check(&spec, |header| header.gas_used = GAS_LIMIT + 1, &over);
    }
}

#[test]
fn the_gas_limit_has_a_least_and_a_most() {
    let spec = spec(Fork::Frontier);
    let edge = |parent_limit, found| {
        let parent = Header { gas_limit: parent_limit, gas_used: 0, ..parent(&spec) };
        let header = Header { gas_limit: found, ..child(&spec, &parent) };
        judge(&spec, &parent, &header)
    };
    let (least, most) = (5000, 5003);
    assert_eq!(edge(5000, 5000), Ok(()));
    assert_eq!(edge(5000, 4999), Err(HeaderError::GasLimit { least, most, found: 4999 }));
    let top = i64::MAX.unsigned_abs();
    assert_eq!(edge(top, top), Ok(()));
    assert!(matches!(edge(top, top + 1), Err(HeaderError::GasLimit { .. })));
}

#[test]
fn difficulty_is_exact() {
    let frontier = spec(Fork::Frontier);
    let exact = child(&frontier, &parent(&frontier)).difficulty;
    let (low, high) = (exact - U256::ONE, exact + U256::ONE);
    let expected = format!("difficulty: expected {exact}, found {low}");
    check(&frontier, |header| header.difficulty = low, &expected);
    let expected = format!("difficulty: expected {exact}, found {high}");
    check(&frontier, |header| header.difficulty = high, &expected);
    let expected = "difficulty: expected 0, found 1";
    check(&spec(Fork::Paris), |header| header.difficulty = U256::ONE, expected);
    let expected = "difficulty: expected 1 or 2 on a Clique chain, found 3";
    check(&clique(), |header| header.difficulty = U256::from(3), expected);
}

#[test]
fn extra_data_has_at_most_32_bytes() {
    for spec in [spec(Fork::Frontier), spec(Fork::Prague)] {
        let expected = "extraData: at most 32 bytes, found 33";
        check(&spec, |header| header.extra_data = vec![0; 33].into(), expected);
        allowed(&spec, |header| header.extra_data = vec![0; 32].into());
    }
}

#[test]
fn the_base_fee_is_exact() {
    for spec in [spec(Fork::London), spec(Fork::Cancun), clique()] {
        let expected = "baseFeePerGas: expected 1000000000, found 999999999";
        check(&spec, |header| header.base_fee_per_gas = Some(999_999_999), expected);
        let expected = "baseFeePerGas is missing, it exists from londonBlock on";
        check(&spec, |header| header.base_fee_per_gas = None, expected);
    }
    let expected = "baseFeePerGas is there, but londonBlock is not active";
    check(&spec(Fork::Berlin), |header| header.base_fee_per_gas = Some(1), expected);
}

#[test]
fn each_later_field_is_there_exactly_from_its_fork_on() {
    type Remove = fn(&mut Header);
    let fields: [(&str, Fork, Fork, Remove, Remove); 5] = [
        (
            "withdrawalsRoot",
            Fork::Paris,
            Fork::Shanghai,
            |h| h.withdrawals_root = Some(B256::ZERO),
            |h| h.withdrawals_root = None,
        ),
        (
            "blobGasUsed",
            Fork::Shanghai,
            Fork::Cancun,
            |h| h.blob_gas_used = Some(0),
            |h| h.blob_gas_used = None,
        ),
        (
            "excessBlobGas",
            Fork::Shanghai,
            Fork::Cancun,
            |h| h.excess_blob_gas = Some(0),
            |h| h.excess_blob_gas = None,
        ),
        (
            "parentBeaconBlockRoot",
            Fork::Shanghai,
            Fork::Cancun,
            |h| h.parent_beacon_block_root = Some(B256::ZERO),
            |h| h.parent_beacon_block_root = None,
        ),
        (
            "requestsHash",
            Fork::Cancun,
            Fork::Prague,
            |h| h.requests_hash = Some(B256::ZERO),
            |h| h.requests_hash = None,
        ),
    ];
    for (field, before, fork, add, remove) in fields {
        let start = fork.field();
        let early = format!("{field} is there, but {start} is not active");
        check(&spec(before), add, &early);
        check(&spec(Fork::London), add, &early);
        check(&clique(), add, &early);
        let missing = format!("{field} is missing, it exists from {start} on");
        check(&spec(fork), remove, &missing);
    }
    let expected = "slotNumber is there, but no supported fork has this field";
    check(&spec(Fork::Osaka), |header| header.slot_number = Some(1), expected);
}

#[test]
fn a_merged_block_has_neither_nonce_nor_uncles() {
    let spec = spec(Fork::Paris);
    let expected = "nonce: expected 0x0000000000000000, found 0x0000000000000001";
    check(&spec, |header| header.nonce = B64::with_last_byte(1), expected);
    let expected = format!("sha3Uncles: expected {EMPTY_OMMER_ROOT_HASH}, found {}", B256::ZERO);
    check(&spec, |header| header.ommers_hash = B256::ZERO, &expected);
    check(&clique(), |header| header.ommers_hash = B256::ZERO, &expected);
}

#[test]
fn the_block_after_the_terminal_total_difficulty_is_merged_and_no_other() {
    let mut config = ChainConfig::active_from_start(1, Fork::Paris);
    config.terminal_total_difficulty = Some(U256::from(1000));
    let merging = ChainSpec::new(config, &Header::default()).unwrap();
    let work = spec(Fork::GrayGlacier);
    let parent = parent(&work);
    let at = |total_difficulty, header: &Header| {
        let (hash, total_difficulty) = (parent.hash_slow(), U256::from(total_difficulty));
        check_header(&merging, header, &Parent { header: &parent, hash, total_difficulty })
    };
    let mined = child(&work, &parent);
    let staked = Header { difficulty: U256::ZERO, ..mined.clone() };
    assert_eq!(at(999, &mined), Ok(()));
    assert_eq!(at(1000, &staked), Ok(()));
    assert!(matches!(at(999, &staked), Err(HeaderError::Difficulty { .. })));
    assert!(matches!(at(1000, &mined), Err(HeaderError::Difficulty { .. })));
}

#[test]
fn a_fork_of_merged_chains_cannot_begin_before_the_merge() {
    let mut config = ChainConfig::active_from_start(1, Fork::Paris);
    config.terminal_total_difficulty = Some(U256::from(1000));
    config.forks.insert(Fork::Shanghai, Activation::Time(1001));
    let merging = ChainSpec::new(config, &Header::default()).unwrap();
    let work = spec(Fork::GrayGlacier);
    let parent = parent(&work);
    let expected = Err(HeaderError::BeforeMerge { fork: Fork::Shanghai });
    assert_eq!(judge(&merging, &parent, &child(&work, &parent)), expected);
}

#[test]
fn clique_fields_are_as_eip_225_says() {
    let spec = clique();
    let expected = "nonce: a Clique vote is 0x0000000000000000 or 0xffffffffffffffff, found \
                    0x0000000000000001";
    check(&spec, |header| header.nonce = B64::with_last_byte(1), expected);
    allowed(&spec, |header| header.nonce = VOTE_IN);
    allowed(&spec, |header| header.nonce = VOTE_OUT);
    let one = B256::with_last_byte(1);
    let expected = format!("mixHash: expected {}, found {one}", B256::ZERO);
    check(&spec, |header| header.mix_hash = one, &expected);
    let expected = "extraData: at least 97 bytes (32 of vanity, 65 of seal), found 96";
    check(&spec, |header| header.extra_data = vec![0; 96].into(), expected);
    let signer = Address::repeat_byte(1);
    let expected = "extraData: signers are listed in an epoch block only, found 20 bytes between \
                    vanity and seal";
    check(&spec, |header| header.extra_data = unsealed_extra(&[signer]), expected);
}

#[test]
fn a_clique_epoch_block_carries_no_vote() {
    let spec = clique();
    let parent = Header { number: 11, ..parent(&spec) };
    let epoch = Header { extra_data: unsealed_extra(&[Address::ZERO]), ..child(&spec, &parent) };
    assert_eq!(judge(&spec, &parent, &epoch), Ok(()));
    let vote = Header { nonce: VOTE_IN, ..epoch.clone() };
    let error = HeaderError::Nonce { expected: VOTE_OUT, found: VOTE_IN };
    assert_eq!(judge(&spec, &parent, &vote), Err(error));
    let found = Address::repeat_byte(2);
    let candidate = Header { beneficiary: found, ..epoch };
    assert_eq!(judge(&spec, &parent, &candidate), Err(HeaderError::CliqueCandidate { found }));
}

#[test]
fn blob_gas_is_whole_blobs_up_to_the_limit() {
    let check_limit = |newest, blobs: u64| {
        let spec = spec(newest);
        allowed(&spec, |header| header.blob_gas_used = Some(blobs * BLOB));
        let most = blobs * BLOB;
        for found in [most + BLOB, BLOB + 1] {
            let expected =
                format!("blobGasUsed: a multiple of 131072 and at most {most}, found {found}");
            check(&spec, |header| header.blob_gas_used = Some(found), &expected);
        }
    };
    check_limit(Fork::Cancun, 6);
    check_limit(Fork::Prague, 9);
    check_limit(Fork::Osaka, 9);
}

/// Excess blob gas after a parent with this excess, these blobs and this base fee.
fn excess_after(spec: &ChainSpec, excess: u64, blobs: u64, base_fee: u64) -> u64 {
    let parent = Header {
        excess_blob_gas: Some(excess),
        blob_gas_used: Some(blobs * BLOB),
        base_fee_per_gas: Some(base_fee),
        ..parent(spec)
    };
    let header = Header {
        base_fee_per_gas: Some(next_base_fee(&parent)),
        excess_blob_gas: Some(u64::MAX),
        ..child(spec, &parent)
    };
    match judge(spec, &parent, &header) {
        Err(HeaderError::ExcessBlobGas { expected, .. }) => expected,
        other => panic!("{other:?}"),
    }
}

#[test]
fn excess_blob_gas_is_exact() {
    let (cancun, prague, osaka) = (spec(Fork::Cancun), spec(Fork::Prague), spec(Fork::Osaka));
    // Targets of 3 (EIP-4844) and 6 blobs (EIP-7691).
    assert_eq!(excess_after(&cancun, 0, 2, 1), 0);
    assert_eq!(excess_after(&cancun, 0, 6, 1), 3 * BLOB);
    assert_eq!(excess_after(&cancun, 5 * BLOB, 0, 1), 2 * BLOB);
    assert_eq!(excess_after(&prague, 0, 9, 1), 3 * BLOB);
    assert_eq!(excess_after(&prague, 5 * BLOB, 0, 1), 0);
    // From Osaka on the excess shrinks only while blobs cost more than 1/16 of execution
    // (EIP-7918): at an excess of 10 a blob costs 1 wei per gas.
    assert_eq!(excess_after(&osaka, 10 * BLOB, 6, 16), 10 * BLOB);
    assert_eq!(excess_after(&osaka, 10 * BLOB, 6, 17), 10 * BLOB + 6 * BLOB / 3);
    assert_eq!(excess_after(&osaka, 10 * BLOB, 3, 16), 7 * BLOB);
}

#[test]
fn a_blob_schedule_replaces_the_mainnets_numbers() {
    let mut config = ChainConfig::active_from_start(1, Fork::Osaka);
    let target = BlobTarget { target: 1, max: 2, base_fee_update_fraction: 3_338_477 };
    config.blob_schedule.insert(Fork::Bpo1, target);
    config.forks.insert(Fork::Bpo1, Activation::Time(1012));
    let spec = ChainSpec::new(config, &Header::default()).unwrap();
    let at = |timestamp| {
        let params = spec.blob_params(Position { number: 1, timestamp, merged: true }).unwrap();
        (params.target_blob_count, params.max_blob_count, params.max_blobs_per_tx)
    };
    assert_eq!(at(1011), (6, 9, 6));
    assert_eq!(at(1012), (1, 2, 2));
}

#[test]
fn london_doubles_the_gas_limit_and_starts_at_one_gwei() {
    let mut config = ChainConfig::active_from_start(1, Fork::Berlin);
    config.forks.insert(Fork::London, Activation::Block(11));
    let london = ChainSpec::new(config, &Header::default()).unwrap();
    let parent = parent(&london);
    assert_eq!(parent.base_fee_per_gas, None);
    let header = Header { gas_limit: 2 * GAS_LIMIT, ..child(&london, &parent) };
    assert_eq!(judge(&london, &parent, &header), Ok(()));
    assert_eq!(header.base_fee_per_gas, Some(1_000_000_000));
    let single = Header { gas_limit: GAS_LIMIT, ..header };
    assert!(matches!(judge(&london, &parent, &single), Err(HeaderError::GasLimit { .. })));
}

#[test]
fn blocks_near_the_dao_fork_carry_the_mark_of_their_side() {
    let side = |support| {
        let mut config = ChainConfig::active_from_start(1, Fork::Homestead);
        config.forks.insert(Fork::Dao, Activation::Block(2));
        config.dao_fork_support = support;
        ChainSpec::new(config, &Header::default()).unwrap()
    };
    let judge_at = |support, number: u64, extra: &'static [u8]| {
        let spec = side(support);
        let parent = Header { number: number - 1, ..parent(&spec) };
        let header = Header { extra_data: extra.into(), ..child(&spec, &parent) };
        judge(&spec, &parent, &header).is_ok()
    };
    for number in [1, 2, 11, 12] {
        let marked = (2..12).contains(&number);
        assert!(judge_at(true, number, b"dao-hard-fork"), "{number}");
        assert_eq!(judge_at(true, number, b""), !marked, "{number}");
        assert!(judge_at(false, number, b""), "{number}");
        assert_eq!(judge_at(false, number, b"dao-hard-fork"), !marked, "{number}");
    }
}

proptest! {
    #[test]
    fn no_pair_of_headers_makes_a_check_panic(
        numbers in prop::array::uniform10(any::<u64>()),
        difficulties in prop::array::uniform2(any::<[u64; 4]>()),
        fork in 0..Fork::ALL.len(),
        total_difficulty in any::<[u64; 4]>(),
    ) {
        // Constantinople alone is refused, and Bpo forks need a schedule.
        let newest = Fork::ALL[fork].min(Fork::Osaka);
        prop_assume!(newest != Fork::Constantinople);
        let spec = spec(newest);
        let [number, timestamp, gas_limit, gas_used, base_fee, blobs, excess, later, limit, fee] =
            numbers;
        let parent = Header {
            number,
            timestamp,
            gas_limit,
            gas_used,
            base_fee_per_gas: Some(base_fee),
            blob_gas_used: Some(blobs),
            excess_blob_gas: Some(excess),
            difficulty: U256::from_limbs(difficulties[0]),
            ..Header::default()
        };
        let hash = parent.hash_slow();
        let header = Header {
            parent_hash: hash,
            number: number.wrapping_add(1),
            timestamp: later,
            gas_limit: limit,
            base_fee_per_gas: Some(fee),
            difficulty: U256::from_limbs(difficulties[1]),
            ..child(&spec, &Header { number: 1, timestamp: 1, ..parent.clone() })
        };
        let total_difficulty = U256::from_limbs(total_difficulty);
        let above = Parent { header: &parent, hash, total_difficulty };
        prop_assert!(check_header(&spec, &header, &above).is_err());
        // Past the gas limit, the rules behind it are reached too.
        let base_fee_per_gas = Some(next_base_fee(&parent));
        let near = Header { gas_limit, gas_used: 0, base_fee_per_gas, ..header };
        let _ = check_header(&spec, &near, &above);
    }

    #[test]
    fn the_next_base_fee_is_alloys(
        limit in 5000..u64::MAX / 2,
        used in 0..=100_u64,
        fee in 7..1_u64 << 60,
    ) {
        let gas_used = limit / 100 * used;
        let parent = Header {
            gas_limit: limit, gas_used, base_fee_per_gas: Some(fee), ..Header::default()
        };
        let expected = parent.next_block_base_fee(BaseFeeParams::ethereum());
        prop_assert_eq!(Some(next_base_fee(&parent)), expected);
    }
}
