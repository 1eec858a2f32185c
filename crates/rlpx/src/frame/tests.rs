//! Frames that others wrote, and tags that others computed.

use alloy_rlp::{Decodable as _, Encodable as _};

use super::*;
use crate::{Workspace, snappy};

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The codec of `benches/go-rlpx`, whose two directions are alike.
fn codec() -> FrameCodec {
    let mut running = Keccak256::new();
    running.update(b"one way");
    let (egress, ingress) = (running.clone(), running);
    FrameCodec::new(&Secrets { aes: [0xae; 32], mac: [0x3a; 32], egress, ingress })
}

/// The payload of `benches/go-rlpx`.
fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * i / 7).to_le_bytes()[0]).collect()
}

#[track_caller]
fn open(codec: &mut FrameCodec, frame: &mut [u8]) -> Vec<u8> {
    let (header, rest) = frame.split_first_chunk_mut().unwrap();
    let length = codec.open_header(header, FRAME_LIMIT).unwrap();
    assert_eq!(rest.len(), body_span(length));
    codec.open_body(length, rest).unwrap().to_vec()
}

#[test]
fn frames_of_go_ethereum_are_read_and_written_alike() {
    let [mut plain, mut snappy] = [codec(), codec()];
    let mut lines = 0;
    for line in include_str!("../../../../fixtures/rlpx/frames.txt").lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [compressed, code, length, frame] = fields[..] else { panic!("{line}") };
        let (code, length): (u64, usize) = (code.parse().unwrap(), length.parse().unwrap());
        let (compressed, payload, frame) = (compressed == "true", payload(length), unhex(frame));
        let codec = if compressed { &mut snappy } else { &mut plain };
        let body = open(codec, &mut frame.clone());
        let mut rest = &body[..];
        assert_eq!(u64::decode(&mut rest), Ok(code));
        if compressed {
            assert_eq!(Workspace::new().decompress(rest, length).unwrap(), payload);
            // Two compressors need not agree on the bytes: write what was read.
            let mut written = Vec::new();
            codec.seal(&mut written, |out| out.extend_from_slice(&body)).unwrap();
            assert_eq!(written, frame, "{length} compressed");
        } else {
            assert_eq!(rest, payload);
            let mut written = Vec::new();
            let write = |out: &mut Vec<u8>| {
                code.encode(out);
                out.extend_from_slice(&payload);
            };
            codec.seal(&mut written, write).unwrap();
            assert_eq!(written, frame, "{length} plain");
        }
        lines += 1;
    }
    assert_eq!(lines, 24);
}

/// go-ethereum's `TestFrameReadWrite` has a hash that is always the same; the ciphertext of its
/// header and of its body is real.
#[test]
fn ciphertext_is_that_of_go_ethereums_frame_test() {
    let empty = Keccak256::new();
    let key = empty.current();
    let (egress, ingress) = (empty.clone(), empty);
    let mut codec = FrameCodec::new(&Secrets { aes: key, mac: key, egress, ingress });
    let mut frame = Vec::new();
    codec.seal(&mut frame, |out| out.extend_from_slice(&unhex("08c401020304"))).unwrap();
    assert_eq!(frame[..16], unhex("00828ddae471818bb0bfa6b551d1cb42"));
    assert_eq!(frame[32..48], unhex("ba628a4ba590cb43f7848f41c4382885"));
}

/// `rlpx-mac.spec.ts` of EthereumJS devp2p: the running digest after a header, a body, and both.
/// Its header is a text, and JavaScript XORs with a text's letters as with zeros.
#[test]
fn tags_are_those_of_ethereumjs() {
    let secret = unhex("4caf4671e713d083128973de159d02688dc86f51535a80178264631e193ed2ea");
    let cipher = Aes256Enc::new_from_slice(&secret).unwrap();
    let (header, body) = ([0; 16], b"this is a body data struct");
    let check = |tag: [u8; 16], expected: &str| assert_eq!(tag, unhex(expected)[..]);
    let start = || Direction::new(&Keccak256::new());
    check(start().seed, "c5d2460186f7233c927e7db2dcc703c0");
    check(start().tag_header(&cipher, &header), "52235ed491a4c9224d94788762ead6a6");
    check(start().tag_body(&cipher, body), "134a755450b1ed9d3ff90ef5dcecdd7d");
    let mut both = start();
    both.tag_header(&cipher, &header);
    check(both.tag_body(&cipher, body), "5d98967578ec8edbb45e1d75992f394c");
}

/// A header as a peer may write it, tagged as it must be.
fn header(codec: &mut FrameCodec, plain: [u8; 16]) -> [u8; HEADER] {
    let mut block = plain;
    codec.egress.apply_keystream(&codec.cipher, &mut block);
    let tag = codec.egress.tag_header(&codec.tag_cipher, &block);
    [block, tag].concat().try_into().unwrap()
}

#[test]
fn a_length_is_checked_with_the_header() {
    let check = |bytes: [u8; 3], limit, expected: Result<usize, Fault>| {
        let mut plain = [0; 16];
        plain[..3].copy_from_slice(&bytes);
        plain[3..6].copy_from_slice(&HEADER_DATA);
        let mut sealed = header(&mut codec(), plain);
        assert_eq!(codec().open_header(&mut sealed, limit), expected);
    };
    check([0, 0, 0], 2048, Err(Fault::EmptyFrame));
    check([0, 0, 1], 2048, Ok(1));
    check([0, 8, 0], 2048, Ok(2048));
    check([0, 8, 1], 2048, Err(Fault::FrameTooLong { length: 2049, limit: 2048 }));
    let longest = FRAME_LIMIT;
    check([255, 255, 255], 2048, Err(Fault::FrameTooLong { length: longest, limit: 2048 }));
    check([255, 255, 255], longest, Ok(longest));
}

/// Only the length counts: other clients write `c0`, protocol numbers, or more than one fits.
#[test]
fn header_data_of_any_kind_is_tolerated() {
    for data in ["c0", "c28080", "c3018001", "c48202018001", "ff", "cdffffffffffffffffffffffff"] {
        let mut plain = [0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let data = unhex(data);
        plain[3..3 + data.len()].copy_from_slice(&data);
        let mut sealed = header(&mut codec(), plain);
        assert_eq!(codec().open_header(&mut sealed, 5), Ok(5), "{data:x?}");
    }
}

#[test]
fn padding_of_any_kind_is_tolerated_and_cut_off() {
    let (mut sender, mut receiver) = (codec(), codec());
    let mut frame =
        header(&mut sender, [0, 0, 2, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).to_vec();
    let mut body = *b"\x10\xc0not zero at all";
    sender.egress.apply_keystream(&sender.cipher, &mut body[..16]);
    let tag = sender.egress.tag_body(&sender.tag_cipher, &body[..16]);
    frame.extend_from_slice(&body[..16]);
    frame.extend_from_slice(&tag);
    assert_eq!(open(&mut receiver, &mut frame), [0x10, 0xc0]);
}

#[test]
fn a_body_over_24_bits_is_refused_and_nothing_is_written() {
    let (mut sender, mut receiver) = (codec(), codec());
    let mut out = b"before".to_vec();
    let refused = sender.seal(&mut out, |out| out.resize(out.len() + FRAME_LIMIT + 1, 0));
    assert_eq!(refused, Err(WriteError::TooLong(FRAME_LIMIT + 1)));
    assert_eq!(out, b"before");
    sender.seal(&mut out, |out| snappy::literal(b"after", out)).unwrap();
    assert_eq!(open(&mut receiver, &mut out[6..]), b"\x05\x10after");
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", codec());
    assert_eq!(shown, "FrameCodec(..)");
}

/// What a connection keeps while it is idle; ten thousand of them are 15 MB.
#[test]
fn a_session_is_small() {
    assert!(size_of::<crate::Session>() <= 1536, "{} bytes", size_of::<crate::Session>());
}
