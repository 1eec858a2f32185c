//! Fork identifiers of public networks, as published in EIP-2124 and announced by their nodes.

use super::genesis::network;

#[track_caller]
fn check(spec: &consensus::ChainSpec, number: u64, time: u64, hash: u32, next: u64) {
    let id = spec.fork_id(number, time);
    assert_eq!((u32::from_be_bytes(id.hash.0), id.next), (hash, next), "{number} {time}");
    assert!(spec.fork_filter(number, time).validate(id).is_ok());
}

#[test]
fn the_mainnet_has_its_published_identifiers() {
    let spec = network("mainnet");
    check(&spec, 0, 0, 0xfc64_ec04, 1_150_000);
    check(&spec, 1_149_999, 0, 0xfc64_ec04, 1_150_000);
    check(&spec, 1_150_000, 0, 0x97c2_c34c, 1_920_000);
    check(&spec, 1_920_000, 0, 0x91d1_f948, 2_463_000);
    check(&spec, 2_463_000, 0, 0x7a64_da13, 2_675_000);
    check(&spec, 2_675_000, 0, 0x3edd_5b10, 4_370_000);
    check(&spec, 4_370_000, 0, 0xa00b_c324, 7_280_000);
    check(&spec, 7_280_000, 0, 0x668d_b0af, 9_069_000);
    check(&spec, 9_069_000, 0, 0x879d_6e30, 9_200_000);
    check(&spec, 9_200_000, 0, 0xe029_e991, 12_244_000);
    check(&spec, 12_244_000, 0, 0x0eb4_40f6, 12_965_000);
    check(&spec, 12_965_000, 0, 0xb715_077d, 13_773_000);
    check(&spec, 13_773_000, 0, 0x20c3_27fc, 15_050_000);
    check(&spec, 15_050_000, 0, 0xf0af_d0e3, 1_681_338_455);
    check(&spec, 20_000_000, 1_681_338_455, 0xdce9_6c2d, 0);
}

#[test]
fn test_networks_have_their_published_identifiers() {
    let sepolia = network("sepolia");
    check(&sepolia, 0, 0, 0xfe33_66e7, 1_735_371);
    check(&sepolia, 1_735_371, 0, 0xb96c_bd13, 1_677_557_088);
    check(&sepolia, 1_735_372, 1_677_557_088, 0xf7f9_bc08, 0);
    let holesky = network("holesky");
    check(&holesky, 0, 0, 0xc61a_6098, 1_696_000_704);
    check(&holesky, 1, 1_696_000_704, 0xfd4f_016b, 0);
}

#[test]
fn a_peer_of_another_network_is_told_apart() {
    let (mainnet, sepolia) = (network("mainnet"), network("sepolia"));
    let filter = mainnet.fork_filter(20_000_000, 1_700_000_000);
    assert!(filter.validate(sepolia.fork_id(0, 0)).is_err());
    // A peer that is still syncing is welcome.
    assert!(filter.validate(mainnet.fork_id(9_000_000, 0)).is_ok());
}
