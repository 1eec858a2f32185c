#!/usr/bin/env bash
# Prints the table "Reads of the store" of docs/performance.md. Needs Go 1.21 or later and 4 GB.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
mkdir -p "$target"
go_trie=$(cd "$target" && pwd)/go-trie
(cd benches/go-trie && GOTOOLCHAIN=local GOFLAGS=-mod=mod go build -o "$go_trie" .)
cargo bench --locked -p les-benches --bench proof -- --go "$go_trie" "$@"
