//! The rules of CONTRIBUTING.md that a machine can check.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Crates without socket, file, clock, lock, thread or `async`.
const CORES: [&str; 13] = [
    "consensus",
    "discv4",
    "eth-sync",
    "eth-wire",
    "flow-control",
    "keccak",
    "les-engine",
    "les-wire",
    "light-client",
    "merkle-trie",
    "rlpx",
    "service-model",
    "tx-relay",
];
/// Files that may say `unsafe`: CPU intrinsics, memory maps, the fuzz targets' counting allocator.
const MAY_BE_UNSAFE: [&str; 3] =
    ["crates/keccak/src/", "crates/chain-backend/src/store/mapped.rs", "fuzz/src/memory.rs"];
const MAX_LINES: usize = 500;
const MAX_COLUMNS: usize = 100;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "target" || name == "build" || name == "node_modules" || name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// All files of the checkout with one of the endings, as (path from the root, content).
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    found
        .into_iter()
        .filter(|path| endings.iter().any(|ending| path.to_str().unwrap().ends_with(ending)))
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

fn sources() -> Vec<(String, String)> {
    let sources = files(&[".rs"]);
    assert!(sources.len() > 50, "the checkout was not found");
    sources
}

#[track_caller]
fn none(offences: Vec<String>) {
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

#[test]
fn files_and_lines_stay_short_and_files_say_what_they_are() {
    let mut offences = Vec::new();
    for (name, content) in sources() {
        let lines = content.lines().count();
        if lines > MAX_LINES {
            offences.push(format!("{name}: {lines} lines; it holds two nouns, split it"));
        }
        for (number, line) in content.lines().enumerate() {
            // The formatter leaves signatures of properties and long literals as they are.
            let excused = line.contains(" in ") && line.trim_start().starts_with("fn ")
                || line.trim_start().starts_with('"') && !line.trim().contains(' ');
            if line.chars().count() > MAX_COLUMNS && !excused {
                offences.push(format!("{name}:{}: over {MAX_COLUMNS} columns", number + 1));
            }
        }
        let first = content.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
        if !first.starts_with("//!") {
            offences.push(format!("{name}: no `//!` line at the top"));
        }
    }
    none(offences);
}

#[test]
fn cores_have_no_way_to_the_outside() {
    let forbidden = [
        "tokio",
        "std::fs",
        "std::thread",
        "std::time::Instant",
        "SystemTime",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "Mutex",
        "RwLock",
        "Atomic",
        "async fn",
        ".await",
        "rand::rng",
    ];
    let mut offences = Vec::new();
    for (name, content) in sources() {
        let is_core = CORES.iter().any(|core| name.starts_with(&format!("crates/{core}/src/")));
        if !is_core {
            continue;
        }
        let production = content.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in production.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for token in forbidden.iter().filter(|token| code.contains(**token)) {
                offences.push(format!("{name}:{}: `{token}` in a core", number + 1));
            }
        }
    }
    none(offences);
}

#[test]
fn unsafe_code_is_where_it_may_be_and_says_why() {
    let mut offences = Vec::new();
    for (name, content) in sources() {
        let lines: Vec<&str> = content.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if !code.contains(concat!("unsafe", " {")) && !code.contains(concat!("unsafe", " fn "))
            {
                continue;
            }
            if !MAY_BE_UNSAFE.iter().any(|allowed| name.starts_with(allowed)) {
                offences.push(format!("{name}:{}: unsafe code", number + 1));
            }
            let said = lines[number.saturating_sub(6)..=number].iter();
            if !said.clone().any(|line| line.contains("SAFETY") || line.contains("# Safety")) {
                offences.push(format!("{name}:{}: no SAFETY line above", number + 1));
            }
        }
    }
    for core in CORES.iter().filter(|core| **core != "keccak") {
        let lib = fs::read_to_string(root().join(format!("crates/{core}/src/lib.rs"))).unwrap();
        if !lib.contains("#![forbid(unsafe_code)]") {
            offences.push(format!("crates/{core}: no #![forbid(unsafe_code)]"));
        }
    }
    none(offences);
}

#[test]
fn nothing_is_left_for_later() {
    // Spelled in halves, or this file would find itself.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), "#[ignore"];
    let mut offences = Vec::new();
    for (name, content) in files(&[".rs", ".sh", ".go", ".md", ".mjs", ".cjs", ".toml"]) {
        for (number, line) in content.lines().enumerate() {
            let excused = name == "tests/tidy.rs" || name == "CONTRIBUTING.md";
            if !excused && words.iter().any(|word| line.contains(word)) {
                offences.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none(offences);
}

#[test]
fn every_fixture_has_its_provenance() {
    let provenance = fs::read_to_string(root().join("fixtures/README.md")).unwrap();
    let mut offences = Vec::new();
    for entry in fs::read_dir(root().join("fixtures")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name != "README.md" && !provenance.contains(&format!("{name}/")) {
            offences.push(format!("fixtures/{name} is not in fixtures/README.md"));
        }
    }
    none(offences);
}

#[test]
fn every_package_stands_in_the_map() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut offences = Vec::new();
    for parent in ["crates", "bin"] {
        for entry in fs::read_dir(root().join(parent)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !architecture.contains(&format!("`{parent}/{name}`")) {
                offences.push(format!("{parent}/{name} is not in ARCHITECTURE.md"));
            }
        }
    }
    none(offences);
}

#[test]
fn documents_name_files_that_exist() {
    let mut offences = Vec::new();
    for (name, content) in files(&[".md"]) {
        for quoted in content.split('`').skip(1).step_by(2) {
            let path = quoted.split([' ', ':']).next().unwrap_or_default();
            let ours = ["crates/", "bin/", "scripts/", "docs/", "tests/", "benches/", "fuzz/"];
            let pattern = path.contains(['*', '<', '{', '$', '…']);
            if ours.iter().any(|prefix| path.starts_with(prefix))
                && !pattern
                && !root().join(path).exists()
            {
                offences.push(format!("{name}: `{path}` does not exist"));
            }
        }
    }
    none(offences);
}
