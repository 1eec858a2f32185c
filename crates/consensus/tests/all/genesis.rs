//! Genesis files against go-ethereum's hashes, and what is said about bad ones.

use std::fmt::Write;

use alloy_primitives::{B256, U256, hex};
use consensus::{Alloc, ChainSpec, Genesis, GenesisAccount, GenesisError};

use super::support::{fixture, json, object, read, read_gzip, text};

#[test]
fn genesis_hashes_are_those_of_go_ethereum() {
    let mut count = 0;
    for (name, expected) in object(&json(&fixture("genesis/hashes.json"))) {
        let genesis = Genesis::parse(&read(&fixture("genesis").join(name)))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let root = genesis.alloc.state_root();
        assert_eq!(root, text(expected, "stateRoot").parse::<B256>().unwrap(), "{name}");
        let header = genesis.header(root);
        let hash = text(expected, "hash").parse::<B256>().unwrap();
        assert_eq!(header.hash_slow(), hash, "{name}");
        // One file sets number and parent, which no chain can begin with.
        let usable = name != "every-header-field.json";
        assert_eq!(genesis.spec(&header).is_ok(), usable, "{name}: {:?}", genesis.spec(&header));
        count += 1;
    }
    assert!(count > 15, "only {count} files");
}

/// The rules of a public network, from its genesis file.
pub(crate) fn network(name: &str) -> ChainSpec {
    let file = read_gzip(&fixture("consensus/networks").join(format!("{name}.json.gz")));
    let genesis = Genesis::read(&file[..]).unwrap();
    genesis.spec(&genesis.header(genesis.alloc.state_root())).unwrap()
}

#[test]
fn public_networks_have_their_known_genesis_hashes() {
    let check = |name: &str, hash: &str| {
        assert_eq!(network(name).genesis_hash(), hash.parse::<B256>().unwrap(), "{name}");
    };
    check("mainnet", "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3");
    check("sepolia", "25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9");
    check("holesky", "b5f7f912443c940f21fd611f12828d75b534364ed9e95ca4e307729a4661bde4");
}

/// A genesis file with these fields of `config`, these at the top, and this `alloc`.
fn file(config: &str, top: &str, alloc: &str) -> String {
    let config = format!(r#""config":{{"chainId":1337{config}}}"#);
    format!(r#"{{{config},"difficulty":"0x1","gasLimit":"0x1c9c380"{top},"alloc":{alloc}}}"#)
}

fn read_spec(file: &str) -> Result<ChainSpec, GenesisError> {
    let genesis = Genesis::parse(file.as_bytes())?;
    Ok(genesis.spec(&genesis.header(genesis.alloc.state_root()))?)
}

#[track_caller]
fn refused(file: &str, expected: &str) {
    let error = read_spec(file).unwrap_err().to_string();
    // serde_json adds where in the file; that is checked once, below.
    let error = error.split(" at line ").next().unwrap();
    assert_eq!(error, expected, "{file}");
}

#[track_caller]
fn config_refused(config: &str, expected: &str) {
    refused(&file(&format!(",{config}"), "", "{}"), expected);
}

/// Every fork up to London from block 0 on.
const TO_LONDON: &str = r#""homesteadBlock":0, "eip150Block":0, "eip155Block":0,
    "eip158Block":0, "byzantiumBlock":0, "constantinopleBlock":0, "petersburgBlock":0,
    "istanbulBlock":0, "berlinBlock":0, "londonBlock":0"#;

#[test]
fn an_error_names_the_field_by_its_path_and_its_place() {
    let text = file("", ",\n\"nonce\":\"0xzz\"", "{}");
    let error = read_spec(&text).unwrap_err().to_string();
    let expected = "nonce: expected a whole number of at most 64 bits (decimal, or hex with 0x), \
                    found `0xzz` at line 2 column 14";
    assert_eq!(error, expected);
}

#[test]
fn unknown_fields_are_refused() {
    refused(&file("", r#","stateRot":"0x00""#, "{}"), "stateRot: unknown field");
    config_refused(r#""londonBlok":0"#, "config.londonBlok: unknown field");
    let account = "0x0000000000000000000000000000000000000001";
    let alloc = format!(r#"{{"{account}":{{"balance":"1","colour":"red"}}}}"#);
    refused(&file("", "", &alloc), &format!("alloc.{account}.colour: unknown field"));
    config_refused(r#""clique":{"period":5,"epok":1}"#, "config.clique.epok: unknown field");
    config_refused(r#""ethash":{"period":5}"#, "config.ethash: has no fields of its own");
    config_refused(
        r#""blobSchedule":{"cancun":{"target":3,"max":6}}"#,
        "config.blobSchedule.cancun.baseFeeUpdateFraction: missing",
    );
}

#[test]
fn fields_that_look_right_are_refused_with_advice() {
    let advice = "config.shanghaiBlock: Shanghai begins at a time: use `shanghaiTime`";
    config_refused(r#""shanghaiBlock":0"#, advice);
    let advice = "config.amsterdamTime: this fork is not supported: remove the field";
    config_refused(r#""amsterdamTime":0"#, advice);
}

#[test]
fn values_of_the_wrong_kind_are_refused() {
    let number = "a whole number of at most 64 bits (decimal, or hex with 0x)";
    let check = |value: &str, found: &str| {
        let expected = format!("config.londonBlock: expected {number}, found `{found}`");
        config_refused(&format!(r#""londonBlock":{value}"#), &expected);
    };
    check("-1", "-1");
    check("1.5", "1.5");
    check("1e+3", "1e+3");
    check("true", "true");
    check("18446744073709551616", "18446744073709551616");
    check(r#""""#, "");
    config_refused(
        r#""londonBlock":{}"#,
        "config.londonBlock: expected a single value, found an object",
    );
    config_refused(r#""clique":5"#, "config.clique: invalid type: integer `5`, expected an object");
    refused(
        &file("", r#","mixHash":"0x12""#, "{}"),
        "mixHash: expected 64 hex digits, found `0x12`",
    );
    let alloc = r#"{"0x12":{"balance":"1"}}"#;
    refused(&file("", "", alloc), "alloc.0x12: expected an address of 40 hex digits");
    let long = "f".repeat(1000);
    let account = "0000000000000000000000000000000000000001";
    let alloc = format!(r#"{{"{account}":{{"balance":"0x{long}"}}}}"#);
    let error = read_spec(&file("", "", &alloc)).unwrap_err().to_string();
    assert!(error.len() < 250, "{error}");
}

#[test]
fn nothing_may_be_given_twice() {
    refused(&file("", r#","nonce":"0x1","nonce":"0x2""#, "{}"), "nonce: given twice");
    config_refused(r#""londonBlock":0,"LondonBlock":0"#, "config.LondonBlock: given twice");
    let alloc = r#"{"0x00000000000000000000000000000000000000aa":{"balance":"1"},
                    "00000000000000000000000000000000000000AA":{"balance":"2"}}"#;
    let twice = "alloc.0x00000000000000000000000000000000000000AA: given twice";
    refused(&file("", "", alloc), twice);
}

#[test]
fn what_a_chain_needs_must_be_given() {
    refused(r#"{"config":{},"alloc":{}}"#, "config.chainId: missing");
    refused(r#"{"config":{"chainId":1},"alloc":{}}"#, "gasLimit: missing");
    refused(r#"{"config":{"chainId":1},"alloc":{},"gasLimit":1}"#, "difficulty: missing");
    refused(r#"{"config":{"chainId":1},"gasLimit":1,"difficulty":1}"#, "alloc: missing");
    refused(r#"{"gasLimit":1,"difficulty":1,"alloc":{}}"#, "config: missing");
    refused("", "EOF while parsing a value");
    refused("[]", "invalid type: sequence, expected a genesis file, an object");
}

#[test]
fn forks_keep_their_order() {
    config_refused(
        r#""homesteadBlock":5,"eip150Block":4"#,
        "config.eip150Block is block 4, before homesteadBlock at block 5: forks must keep their \
         order",
    );
    config_refused(
        r#""homesteadBlock":0,"eip155Block":0"#,
        "config.eip150Block is not set, but eip155Block begins at block 0: set eip150Block",
    );
    config_refused(
        &format!(r#"{TO_LONDON},"terminalTotalDifficulty":0,"cancunTime":0"#),
        "config.shanghaiTime is not set, but cancunTime begins at time 0: set shanghaiTime",
    );
}

#[test]
fn constantinople_without_petersburg_is_refused() {
    let to_byzantium =
        r#""homesteadBlock":0,"eip150Block":0,"eip155Block":0,"eip158Block":0,"byzantiumBlock":0"#;
    let expected = "config.constantinopleBlock begins without Petersburg, a network that never \
                    lived and is not supported: set petersburgBlock to the same block";
    config_refused(&format!(r#"{to_byzantium},"constantinopleBlock":0"#), expected);
    let later = format!(r#"{to_byzantium},"constantinopleBlock":0,"petersburgBlock":9"#);
    config_refused(&later, expected);
}

#[test]
fn clique_with_shanghai_or_later_is_refused() {
    let clique = r#""clique":{"period":5,"epoch":30000}"#;
    let check = |forks: &str, field: &str| {
        let expected = format!(
            "config.{field} cannot be used on a Clique chain that never merges: remove {field}, \
             or set terminalTotalDifficulty"
        );
        config_refused(&format!("{TO_LONDON},{clique},{forks}"), &expected);
    };
    check(r#""shanghaiTime":0"#, "shanghaiTime");
    check(r#""shanghaiTime":1700000000"#, "shanghaiTime");
    check(r#""shanghaiTime":5,"cancunTime":5"#, "shanghaiTime");
    // A merge that is still to come does not help a fork that has begun in block 0.
    check(r#""terminalTotalDifficulty":1000,"shanghaiTime":0"#, "shanghaiTime");
}

#[test]
fn a_clique_chain_may_merge_before_shanghai() {
    let signer = "00".repeat(32) + &"11".repeat(20) + &"00".repeat(65);
    let clique = r#""clique":{"period":5,"epoch":0}"#;
    let later = r#""terminalTotalDifficulty":1000,"shanghaiTime":9"#;
    let config = format!(",{TO_LONDON},{clique},{later}");
    let spec = read_spec(&file(&config, &format!(r#","extraData":"{signer}""#), "{}")).unwrap();
    assert_eq!(spec.genesis_signers().len(), 1);
    assert_eq!(spec.config().clique.unwrap().epoch, 30_000);
}

#[test]
fn a_clique_chain_needs_signers() {
    let clique = r#","clique":{"period":5,"epoch":30000}"#;
    let check = |bytes: usize, problem: &str| {
        let extra = format!(r#","extraData":"0x{}""#, hex::encode(vec![1; bytes]));
        let expected = format!("extraData of a Clique chain: {problem}");
        refused(&file(clique, &extra, "{}"), &expected);
    };
    check(96, "at least 97 bytes (32 of vanity, 65 of seal), found 96");
    check(97, "no signer between vanity and seal");
    check(98, "the signers take 1 bytes, not a multiple of 20");
    let both = format!(r#"{clique},"ethash":{{}}"#);
    let expected = "config names two engines, clique and ethash: remove one";
    refused(&file(&both, "", "{}"), expected);
}

#[test]
fn fields_of_forks_that_are_not_active_are_refused() {
    let expected = "baseFeePerGas is set, but londonBlock is not active in block 0: remove \
                    baseFeePerGas";
    refused(&file("", r#","baseFeePerGas":"0x7""#, "{}"), expected);
    let expected = "excessBlobGas is set, but cancunTime is not active in block 0: remove \
                    excessBlobGas";
    refused(&file("", r#","excessBlobGas":0"#, "{}"), expected);
    config_refused(
        &format!(r#"{TO_LONDON},"shanghaiTime":5"#),
        "config.shanghaiTime needs a merged chain: set terminalTotalDifficulty, or remove \
         shanghaiTime",
    );
    config_refused(
        r#""terminalTotalDifficulty":0"#,
        "config.terminalTotalDifficulty is set, but londonBlock is not: set londonBlock",
    );
}

#[test]
fn block_zero_is_the_first() {
    refused(&file("", r#","number":7"#, "{}"), "number is 7: a genesis block has number 0");
    let parent = "0x0000000000000000000000000000000000000000000000000000000000000001";
    let expected = format!("parentHash is {parent}: a genesis block has no parent, leave it zero");
    refused(&file("", &format!(r#","parentHash":"{parent}""#), "{}"), &expected);
}

#[test]
fn a_fork_that_only_sets_blob_parameters_needs_them() {
    let to_osaka = r#""terminalTotalDifficulty":0, "shanghaiTime":0, "cancunTime":0,
        "pragueTime":0, "osakaTime":0"#;
    let config = format!(r#"{TO_LONDON},{to_osaka},"bpo1Time":0"#);
    let expected = "config.blobSchedule has no entry `bpo1`, but config.bpo1Time is set: add it";
    config_refused(&config, expected);
    let check = |entry: &str, problem: &str| {
        let schedule = format!(r#"{TO_LONDON},"blobSchedule":{{"prague":{{{entry}}}}}"#);
        config_refused(&schedule, &format!("config.blobSchedule.prague: {problem}"));
    };
    let zero = r#""target":3,"max":6,"baseFeeUpdateFraction":0"#;
    check(zero, "baseFeeUpdateFraction must not be 0");
    check(r#""target":7,"max":6,"baseFeeUpdateFraction":1"#, "max is below target");
    check(r#""target":0,"max":0,"baseFeeUpdateFraction":1"#, "max must be between 1 and 1048576");
}

#[test]
fn accounts_have_every_form_that_go_ethereum_reads() {
    let alloc = r#"{
        "0x00000000000000000000000000000000000000bb": {"balance": 7, "nonce": "0x2",
            "code": "0x6001", "storage": {"0x01": "0x02", "0x03": "0x00"}},
        "00000000000000000000000000000000000000aa": {"balance": "1000000000000000000000"}
    }"#;
    let genesis = Genesis::parse(file("", "", alloc).as_bytes()).unwrap();
    let [(first, plain), (second, contract)] = genesis.alloc.accounts() else {
        panic!("two accounts")
    };
    assert!(first < second);
    assert_eq!(plain.balance, U256::from(10).pow(U256::from(21)));
    let words =
        vec![(B256::with_last_byte(1), U256::from(2)), (B256::with_last_byte(3), U256::ZERO)];
    let expected = GenesisAccount {
        balance: U256::from(7),
        nonce: 2,
        code: vec![0x60, 1].into(),
        storage: words,
    };
    assert_eq!(*contract, expected);
    let twice = genesis.alloc.accounts().iter().chain(genesis.alloc.accounts()).cloned().collect();
    assert_eq!(Alloc::new(twice), Err(*first));
}

#[test]
fn a_file_of_many_accounts_is_read_in_one_pass() {
    let mut alloc = String::from("{");
    for account in 0..20_000_u32 {
        let comma = if account == 0 { "" } else { "," };
        write!(alloc, r#"{comma}"{account:040x}":{{"balance":"0x{account:x}"}}"#).unwrap();
    }
    alloc.push('}');
    let text = file("", "", &alloc);
    let streamed = Genesis::read(text.as_bytes()).unwrap();
    assert_eq!(streamed.alloc.accounts().len(), 20_000);
    assert_eq!(streamed, Genesis::parse(text.as_bytes()).unwrap());
}
