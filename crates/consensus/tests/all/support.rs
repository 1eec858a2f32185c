//! Where vectors lie, and how they are read.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::{env, fs};

use alloy_primitives::{Bytes, U256};
use serde_json::Value;

/// The environment variable that names the folder of the official tests.
const VECTORS: &str = "ETHEREUM_TESTS";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    root().join("fixtures").join(name)
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn read_gzip(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&read(path)[..]).read_to_end(&mut bytes).unwrap();
    bytes
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&read(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The JSON files in a folder of `ethereum/tests`, sorted; `None`, and a word about it, where the
/// folder is not there.
pub(crate) fn official(folder: &str) -> Option<Vec<PathBuf>> {
    let tests = env::var_os(VECTORS)
        .map_or_else(|| root().join("../shared/vectors/ethereum-tests"), PathBuf::from);
    let folder = tests.join(folder);
    if !folder.is_dir() {
        skip(&format!("{} is not there (set {VECTORS}): fixtures only", folder.display()));
        return None;
    }
    let mut files = Vec::new();
    collect(&folder, &mut files);
    files.sort();
    Some(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}

#[allow(clippy::print_stderr, reason = "a test that runs less than it could must say so")]
fn skip(why: &str) {
    eprintln!("{why}");
}

pub(crate) fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().unwrap().iter().filter(|(key, _)| !key.starts_with('_'))
}

pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text {field} in {value}"))
}

pub(crate) fn number(value: &Value, field: &str) -> U256 {
    let text = text(value, field);
    text.parse().unwrap_or_else(|_| panic!("{field}: {text}"))
}

pub(crate) fn small(value: &Value, field: &str) -> u64 {
    number(value, field).try_into().unwrap()
}

pub(crate) fn bytes(value: &Value, field: &str) -> Bytes {
    text(value, field).parse().unwrap()
}
