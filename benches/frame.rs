//! Frames: CPU time to encode and decode one, ours against `sha3` + `aes` + `ctr` put together
//! plainly, and against go-ethereum's.
//!
//! `scripts/bench-frame.sh` runs it. The contenders take turns, go-ethereum's in a child process;
//! every figure is the fastest of its turns, because other load only adds.

#![allow(clippy::print_stdout, reason = "the table is the result")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark that fails must stop")]

use std::{env, hint::black_box, process::Command};

use aes::{
    Aes256Enc,
    cipher::{BlockCipherEncrypt as _, KeyInit as _, KeyIvInit as _, StreamCipher as _},
};
use keccak::Keccak256;
use les_benches::thread_nanos;
use rlpx::{FRAME_LIMIT, FrameCodec, HEADER, Secrets};
use sha3::Digest as _;

const PAYLOADS: [usize; 4] = [100, 600, 4096, 128 * 1024];
const TURNS: usize = 15;
const KEY: [u8; 32] = [0xae; 32];

/// Writes a frame behind what is there and reads one in place; panics if it does not come back.
trait Codec {
    fn encode(&mut self, body: &[u8], out: &mut Vec<u8>);
    fn decode<'a>(&mut self, frame: &'a mut [u8]) -> &'a [u8];
}

struct Ours(FrameCodec);

impl Ours {
    fn new() -> Self {
        let (egress, ingress) = (Keccak256::new(), Keccak256::new());
        Self(FrameCodec::new(&Secrets { aes: KEY, mac: KEY, egress, ingress }))
    }
}

impl Codec for Ours {
    fn encode(&mut self, body: &[u8], out: &mut Vec<u8>) {
        self.0.seal(out, |out| out.extend_from_slice(body)).unwrap();
    }

    fn decode<'a>(&mut self, frame: &'a mut [u8]) -> &'a [u8] {
        let (header, rest) = frame.split_first_chunk_mut::<HEADER>().unwrap();
        let length = self.0.open_header(header, FRAME_LIMIT).unwrap();
        self.0.open_body(length, rest).unwrap()
    }
}

/// The specification step by step, with published crates: a running hash that is cloned for
/// each digest, two cipher streams, and a key schedule that is kept.
struct Baseline {
    streams: [ctr::Ctr64BE<Aes256Enc>; 2],
    hashes: [sha3::Keccak256; 2],
    tag_cipher: Aes256Enc,
}

impl Baseline {
    fn new() -> Self {
        let stream = || ctr::Ctr64BE::new(&KEY.into(), &[0; 16].into());
        Self {
            streams: [stream(), stream()],
            hashes: [sha3::Keccak256::new(), sha3::Keccak256::new()],
            tag_cipher: Aes256Enc::new(&KEY.into()),
        }
    }

    fn tag(&mut self, direction: usize, input: Option<&[u8]>) -> [u8; 16] {
        let hash = self.hashes.get_mut(direction).unwrap();
        let digest: [u8; 32] = hash.clone().finalize().into();
        let seed: [u8; 16] = *digest.first_chunk().unwrap();
        let mut block = seed.into();
        self.tag_cipher.encrypt_block(&mut block);
        for (byte, other) in block.iter_mut().zip(input.unwrap_or(&seed)) {
            *byte ^= other;
        }
        hash.update(block);
        let digest: [u8; 32] = hash.clone().finalize().into();
        *digest.first_chunk().unwrap()
    }

    fn body_tag(&mut self, direction: usize, body: &[u8]) -> [u8; 16] {
        self.hashes.get_mut(direction).unwrap().update(body);
        self.tag(direction, None)
    }

    fn keystream(&mut self, direction: usize, bytes: &mut [u8]) {
        self.streams.get_mut(direction).unwrap().apply_keystream(bytes);
    }
}

impl Codec for Baseline {
    fn encode(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + 32, 0);
        out.extend_from_slice(body);
        out.resize(start + 32 + body.len().next_multiple_of(16) + 16, 0);
        let (header, rest) = out.get_mut(start..).unwrap().split_at_mut(32);
        let (header, header_tag) = header.split_at_mut(16);
        let (body_block, body_tag) = rest.split_last_chunk_mut::<16>().unwrap();
        let size = u32::try_from(body.len()).unwrap().to_be_bytes();
        header.get_mut(..3).unwrap().copy_from_slice(size.get(1..).unwrap());
        header.get_mut(3..6).unwrap().copy_from_slice(&[0xc2, 0x80, 0x80]);
        self.keystream(0, header);
        header_tag.copy_from_slice(&self.tag(0, Some(header)));
        self.keystream(0, body_block);
        *body_tag = self.body_tag(0, body_block);
    }

    fn decode<'a>(&mut self, frame: &'a mut [u8]) -> &'a [u8] {
        let (header, rest) = frame.split_at_mut(32);
        let (header, header_tag) = header.split_at_mut(16);
        assert_eq!(header_tag, self.tag(1, Some(header)));
        self.keystream(1, header);
        let [high, middle, low, ..] = *header else { panic!("a header is 16 bytes") };
        let length = u32::from_be_bytes([0, high, middle, low]);
        let (body, tag) = rest.split_last_chunk_mut::<16>().unwrap();
        assert_eq!(*tag, self.body_tag(1, body));
        self.keystream(1, body);
        body.get(..usize::try_from(length).unwrap()).unwrap()
    }
}

/// Nanoseconds per round trip of a frame with a one-byte id and `length` bytes.
fn measure(codec: &mut impl Codec, length: usize) -> u64 {
    let body: Vec<u8> = (0..=length).map(|i| (i * i / 7).to_le_bytes()[0]).collect();
    let mut frame = Vec::new();
    let rounds = 8_000_000 / (1000 + 8 * length);
    let start = thread_nanos();
    for _ in 0..rounds {
        frame.clear();
        codec.encode(black_box(&body), &mut frame);
        let decoded = codec.decode(&mut frame);
        assert_eq!(decoded.len(), body.len());
    }
    (thread_nanos() - start) / u64::try_from(rounds).unwrap()
}

/// The figures that `program bench` prints: payload and nanoseconds, one pair a line.
fn measure_go(program: &str) -> Vec<u64> {
    let output = Command::new(program).arg("bench").output().unwrap();
    assert!(output.status.success(), "{program} failed: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let pairs = text.lines().map(|line| line.split_once(' ').unwrap());
    let (lengths, times): (Vec<&str>, Vec<&str>) = pairs.unzip();
    assert_eq!(lengths, PAYLOADS.map(|length| length.to_string()));
    times.iter().map(|time| time.parse().unwrap()).collect()
}

fn check_alike() {
    let (mut ours, mut baseline) = (Ours::new(), Baseline::new());
    for length in [1, 15, 16, 17, 600, 5000] {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        ours.encode(&vec![7; length], &mut one);
        baseline.encode(&vec![7; length], &mut two);
        assert_eq!(one, two, "both must write the same frame");
        assert_eq!(ours.decode(&mut one), baseline.decode(&mut two));
    }
}

/// The fastest turn, in microseconds.
fn fastest(times: &[u64]) -> f64 {
    let least = times.iter().min().copied().unwrap_or_default();
    f64::from(u32::try_from(least).unwrap()) / 1000.0
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let go = arguments.iter().skip_while(|argument| *argument != "--go").nth(1);
    check_alike();
    let mut times: [[Vec<u64>; 3]; PAYLOADS.len()] = Default::default();
    for _ in 0..TURNS {
        let (mut ours, mut baseline) = (Ours::new(), Baseline::new());
        let from_go = go.map(|program| measure_go(program));
        for (index, (length, row)) in PAYLOADS.into_iter().zip(&mut times).enumerate() {
            let [us, base, geth] = row;
            us.push(measure(&mut ours, length));
            base.push(measure(&mut baseline, length));
            geth.extend(from_go.as_ref().and_then(|times| times.get(index)));
        }
    }
    println!("| payload | ours | `sha3`+`aes`+`ctr` | ratio | go-ethereum | ratio |");
    println!("|---|---|---|---|---|---|");
    for (length, row) in PAYLOADS.into_iter().zip(times) {
        let [us, base, geth] = row.map(|times| fastest(&times));
        let (to_base, to_geth) = (base / us, geth / us);
        println!(
            "| {length} B | {us:.2} µs | {base:.2} µs | {to_base:.2} | {geth:.2} µs \
             | {to_geth:.2} |"
        );
    }
}
