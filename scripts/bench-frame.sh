#!/usr/bin/env bash
# Prints the table "Frames" of docs/performance.md: CPU time of a frame, ours beside two others.
#
# Needs Go 1.21 or later and a C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
mkdir -p "$target"
go_rlpx=$(cd "$target" && pwd)/go-rlpx
(cd benches/go-rlpx && GOTOOLCHAIN=local GOFLAGS=-mod=mod go build -o "$go_rlpx" .)
cargo bench --locked -p les-benches --bench frame -- --go "$go_rlpx"
