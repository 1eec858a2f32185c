//! Every decoder of bytes that a peer or a file may hold, fed by libFuzzer.
//!
//! One program holds all targets, so that they share one build; the variable `LES_FUZZ_TARGET`
//! names the target, and without it the names are printed. `scripts/fuzz.sh` builds and runs it.
//! A panic, a hang, or more memory than [`memory::bounded`] allows is a finding.

#![no_main]

mod blocks;
mod chain;
mod eth;
mod les;
mod memory;
mod relay;
mod rlpx_targets;

use std::{env, process, sync::OnceLock};

/// A target's name and what it does with an input.
type Target = (&'static str, fn(&[u8]));

static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: {
        let targets = [
            rlpx_targets::TARGETS,
            les::TARGETS,
            eth::TARGETS,
            chain::TARGETS,
            blocks::TARGETS,
            relay::TARGETS,
        ]
        .concat();
        let Ok(name) = env::var("LES_FUZZ_TARGET") else {
            targets.iter().for_each(|(name, _)| println!("{name}"));
            process::exit(0);
        };
        let Some((_, run)) = targets.iter().find(|(found, _)| *found == name) else {
            eprintln!("no target {name}");
            process::exit(2);
        };
        CHOSEN.get_or_init(|| *run);
    },
    |input: &[u8]| CHOSEN.get().expect("chosen at the start")(input)
);
