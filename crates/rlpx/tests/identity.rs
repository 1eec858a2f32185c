//! Keys and URLs as others write them.

#![allow(clippy::unwrap_used, reason = "test code")]

use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};
use rlpx::{Enode, InvalidEnode, InvalidKey, NodeId, NodeKey};

/// Key and public key A of EthereumJS's `testdata.json`; the key is that of EIP-8.
const KEY: &str = "49a7b37aa6f6645917e7b807e9d1c00d4fa71f18343b0d4122a4d2df64dd6fee";
const ID: &str = "fda1cff674c90c9a197539fe3dfb53086ace64f83ed7c6eabec741f7f381cc80\
                  3e52ab2cd55d5569bce4347107a310dfd5f88a010cd2ffd1005ca406f1842877";

#[test]
fn a_key_has_the_public_key_that_others_derive() {
    let key = NodeKey::from_hex(KEY).unwrap();
    assert_eq!(key.id().to_string(), ID);
    assert_eq!(ID.parse(), Ok(*key.id()));
    assert_eq!(format!("0x{ID}").parse(), Ok(*key.id()));
    assert_eq!(*key.to_hex(), KEY);
}

#[test]
fn a_key_file_may_end_with_a_newline_and_be_in_capitals() {
    let key = NodeKey::from_hex(&format!("{}\n", KEY.to_uppercase())).unwrap();
    assert_eq!(key.id().to_string(), ID);
}

#[test]
fn what_is_no_key_is_refused_by_its_reason() {
    let check = |text: &str, expected| assert_eq!(NodeKey::from_hex(text).err(), Some(expected));
    check("", InvalidKey::NotHexadecimal);
    check(&KEY[1..], InvalidKey::NotHexadecimal);
    check(&KEY.replace('4', "g"), InvalidKey::NotHexadecimal);
    check(&"é".repeat(32), InvalidKey::NotHexadecimal);
    check(&"0".repeat(64), InvalidKey::OutOfRange);
    check(&"f".repeat(64), InvalidKey::OutOfRange);
    assert_eq!("0".repeat(128).parse::<NodeId>(), Err(InvalidKey::NotOnCurve));
}

#[test]
fn a_secret_key_is_not_shown_by_debug() {
    let shown = format!("{:?}", NodeKey::from_hex(KEY).unwrap());
    assert!(!shown.contains(&KEY[..8]) && shown.contains(&ID[..8]), "{shown}");
}

#[track_caller]
fn check_url(rest: &str, printed: &str, tcp_port: u16, udp_port: u16) {
    let enode: Enode = format!("enode://{ID}@{rest}").parse().unwrap();
    assert_eq!(enode.to_string(), format!("enode://{ID}@{printed}"));
    assert_eq!((enode.tcp_port, enode.udp_port), (tcp_port, udp_port));
    assert_eq!(enode.to_string().parse(), Ok(enode));
}

#[test]
fn urls_are_read_and_printed() {
    check_url("127.0.0.1:30303", "127.0.0.1:30303", 30303, 30303);
    check_url("[::1]:30303?discport=30304", "[::1]:30303?discport=30304", 30303, 30304);
    check_url("127.0.0.1:0?discport=0", "127.0.0.1:0", 0, 0);
    check_url("node.example.org:1?discport=1", "node.example.org:1", 1, 1);
    check_url("10.0.0.1:5?other=2&discport=9", "10.0.0.1:5?discport=9", 5, 9);
}

#[test]
fn a_bad_url_is_refused_by_its_reason() {
    let check = |url: &str, expected| assert_eq!(url.parse::<Enode>(), Err(expected), "{url}");
    check("enr:-abc", InvalidEnode::Scheme);
    check(&format!("enode://{ID}"), InvalidEnode::NoAddress);
    check("enode://12@1.2.3.4:1", InvalidEnode::Id(InvalidKey::NotHexadecimal));
    check(
        &format!("enode://{}@1.2.3.4:1", "1".repeat(128)),
        InvalidEnode::Id(InvalidKey::NotOnCurve),
    );
    check(&format!("enode://{ID}@1.2.3.4"), InvalidEnode::Port);
    check(&format!("enode://{ID}@1.2.3.4:65536"), InvalidEnode::Port);
    check(&format!("enode://{ID}@1.2.3.4:1?discport=x"), InvalidEnode::Port);
    check(&format!("enode://{ID}@:1"), InvalidEnode::Host);
    check(&format!("enode://{ID}@a b:1"), InvalidEnode::Host);
    check(&format!("enode://{ID}@[1.2.3.4]:1"), InvalidEnode::Host);
}

proptest! {
    #[test]
    fn a_signature_gives_its_key_back_and_no_other_digest_does(seed: u64, digest: [u8; 32]) {
        let key = NodeKey::random(&mut StdRng::seed_from_u64(seed));
        let signature = key.sign(&digest);
        prop_assert_eq!(NodeId::recover(&digest, &signature), Ok(*key.id()));
        let mut other = digest;
        other[0] ^= 1;
        prop_assert_ne!(NodeId::recover(&other, &signature), Ok(*key.id()));
        let read = NodeKey::from_hex(&key.to_hex()).unwrap();
        prop_assert_eq!(read.id(), key.id());
    }
}
