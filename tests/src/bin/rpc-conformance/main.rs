//! Asks go-ethereum 1.10.26 and `lesd` the same on the same chain, over their Unix sockets, and
//! compares the answers field by field. Checks, or writes, the table in `docs/rpc.md`.
//!
//! `rpc-conformance GETH LESD CHAIN_DIRECTORY docs/rpc.md [--write]`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_debug_implementations,
    reason = "a test program: what goes wrong ends it with a message"
)]

mod cases;
mod program;

use std::{collections::BTreeMap, fmt::Write as _, path::Path, process::ExitCode};

use serde_json::Value;

use cases::Expected;
use program::{Program, geth, lesd};

/// Where the generated part of the document begins.
const MARK: &str = "<!-- what follows is written by scripts/rpc-conformance.sh -->\n";

/// What came of all calls of one method.
#[derive(Default)]
struct Row {
    calls: usize,
    errors: usize,
    differences: Vec<String>,
    note: &'static str,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [geth_program, lesd_program, chain, document, rest @ ..] = &arguments[..] else {
        panic!("usage: rpc-conformance GETH LESD CHAIN_DIRECTORY DOCUMENT [--write]");
    };
    let directory = tempfile::tempdir().unwrap();
    let chain = Path::new(chain);
    let mut theirs = geth(Path::new(geth_program), chain, directory.path());
    let mut ours = lesd(Path::new(lesd_program), chain, directory.path());
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for case in cases::all(&mut theirs, chain) {
        let row = rows.entry(case.method.to_owned()).or_default();
        let expected = theirs.ask(case.method, &case.params);
        let found = ours.ask(case.method, &case.params);
        row.calls += 1;
        row.errors += usize::from(expected.get("error").is_some());
        if let Expected::Shape(note) = case.expected {
            row.note = note;
        }
        if let Some(difference) = case.expected.difference(&expected, &found) {
            let params = shortened(&case.params.to_string());
            row.differences.push(format!("{} {params}: {difference}", case.method));
        }
    }
    let unasked: Vec<_> = eth_rpc::methods().filter(|name| !rows.contains_key(*name)).collect();
    let mut failed = rows.values().flat_map(|row| &row.differences).count() + unasked.len();
    for line in rows.values().flat_map(|row| &row.differences) {
        println!("DIFFERS {line}");
    }
    for method in unasked {
        println!("NOT ASKED {method}");
    }
    let calls: usize = rows.values().map(|row| row.calls).sum();
    if !document_is_current(Path::new(document), &table(&rows), rest == ["--write"]) {
        println!("STALE {document}: run scripts/rpc-conformance.sh --write");
        failed += 1;
    }
    println!("{} passed, {failed} failed", calls.saturating_sub(failed));
    ExitCode::from(u8::from(failed > 0))
}

fn shortened(text: &str) -> String {
    text.chars().take(160).collect()
}

fn table(rows: &BTreeMap<String, Row>) -> String {
    let mut out =
        String::from("| method | calls | of these refused | equal | |\n|---|---|---|---|---|\n");
    for (method, row) in rows {
        let Row { calls, errors, differences, note } = row;
        let equal = calls - differences.len();
        writeln!(out, "| `{method}` | {calls} | {errors} | {equal} | {note} |").unwrap();
    }
    out
}

fn document_is_current(path: &Path, table: &str, write: bool) -> bool {
    let text = std::fs::read_to_string(path).unwrap();
    let (head, current) = text.split_once(MARK).expect("the mark in the document");
    if write {
        std::fs::write(path, format!("{head}{MARK}\n{table}")).unwrap();
    }
    write || current.trim() == table.trim()
}

impl Expected {
    /// What differs between two responses, if anything that must not.
    fn difference(&self, theirs: &Value, ours: &Value) -> Option<String> {
        match self {
            Self::Equal => (theirs != ours).then(|| first_difference("", theirs, ours)),
            Self::Shape(_) => {
                let (left, right) = (shape(theirs), shape(ours));
                (left != right).then(|| format!("{left} is {right}"))
            }
        }
    }
}

/// Whether there is a result, and of which kind; the code of an error.
fn shape(answer: &Value) -> String {
    match (&answer["error"], &answer["result"]) {
        (Value::Null, Value::Null) => "null".to_owned(),
        (Value::Null, Value::Bool(_)) => "a truth value".to_owned(),
        (Value::Null, Value::Number(_)) => "a number".to_owned(),
        (Value::Null, Value::String(_)) => "text".to_owned(),
        (Value::Null, Value::Array(_)) => "a list".to_owned(),
        (Value::Null, Value::Object(_)) => "an object".to_owned(),
        (error, _) => format!("error {}", error["code"]),
    }
}

fn first_difference(path: &str, theirs: &Value, ours: &Value) -> String {
    if let (Value::Object(left), Value::Object(right)) = (theirs, ours) {
        for name in left.keys().chain(right.keys()) {
            if left.get(name) != right.get(name) {
                let absent = Value::from("(absent)");
                let of = |side: &serde_json::Map<String, Value>| {
                    side.get(name).unwrap_or(&absent).clone()
                };
                return first_difference(&format!("{path}.{name}"), &of(left), &of(right));
            }
        }
    }
    if let (Value::Array(left), Value::Array(right)) = (theirs, ours)
        && left.len() == right.len()
    {
        for (index, (left, right)) in left.iter().zip(right).enumerate() {
            if left != right {
                return first_difference(&format!("{path}[{index}]"), left, right);
            }
        }
    }
    let (theirs, ours) = (shortened(&theirs.to_string()), shortened(&ours.to_string()));
    format!("{path}: geth {theirs}, lesd {ours}")
}

/// The result of a call that must have one.
fn result(program: &mut Program, method: &str, params: Value) -> Value {
    let answer = program.ask(method, &params);
    assert!(answer.get("result").is_some(), "{method} {params}: {answer}");
    answer["result"].clone()
}
